"""Which cost components a choice of other prices leaves."""

from collections.abc import Collection

import pandas as pd

from toolkit.schema import InputError
from toolkit.tabular import excerpt


def with_options(table: pd.DataFrame, options: pd.DataFrame, chosen: Collection[str]) -> pd.DataFrame:
    """Return the component rows that some options leave: what an option adds is out unless it is chosen.

    Parameters
    ----------
    table, options
        ``cost_components`` and ``cost_options`` as read.
    chosen
        Names of options.

    Raises
    ------
    InputError
        An unknown option.
    """
    if unknown := sorted(set(chosen) - set(options["option"])):
        raise InputError(
            f"cost_options: no option {excerpt(unknown)}.", fix=f"use {' or '.join(options['option'].unique())}."
        )
    taken, adds = options["option"].isin(list(chosen)), options["use"] == "on"
    added = set(options.loc[taken & adds, "component"])
    out = set(options.loc[taken | adds, "component"]) - added
    return table[~table["component"].isin(out)]
