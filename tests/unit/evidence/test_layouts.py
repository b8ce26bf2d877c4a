"""Rules of the tables that are not of one file."""

import pandas as pd
import pandera.pandas as pa
import pytest

from toolkit import evidence
from toolkit.evidence.layouts import schema


@pytest.mark.parametrize("column", ["treated_rate", "control_rate"])
def test_a_rate_above_one_is_refused(column: str) -> None:
    table = evidence.load_table("effects")
    made = schema("evidence/effects", outcomes=table["outcome"].unique().tolist())
    assert len(made.validate(table)) == len(table)
    wrong = table.copy()
    wrong.loc[3, column] = 22.6
    with pytest.raises(pa.errors.SchemaError, match=f"{column}.*is not from 0 to 1. Fix: divide a percentage"):
        made.validate(wrong)


def test_one_figure_is_not_pooled_twice_in_one_pool() -> None:
    table = evidence.load_table("cost_pools")
    made = schema("evidence/cost_pools", outcomes=["care"])
    with pytest.raises(pa.errors.SchemaError, match="repeats the pool, id"):
        made.validate(pd.concat([table, table.iloc[[0]]], ignore_index=True))
