"""The answer by rival structure, against means over the draws of each."""

import numpy as np
import pytest

from toolkit.measures import quantities as q
from toolkit.measures import structures
from toolkit.schema import SAMPLE_DIMS


def test_rows_are_means_over_the_draws_of_each_choice(run):
    frame = structures.structures_table(run).frame
    drawn, npsv = run.tree["effects"].to_dataset(), q.result(run)["npsv"]
    fiscal = npsv.sel(account="fiscal").transpose(*SAMPLE_DIMS).values
    never = (drawn["fade"] == 2).values
    row = frame.loc["Effects fade: never"]
    assert row["Share of the draws", ""] == pytest.approx(never.mean())
    assert row["Public purse", "expected"] == pytest.approx(fiscal[never].mean())
    assert row["Public purse", "lower"] == pytest.approx(np.quantile(fiscal[never], 0.05))
    assert row["Chance that it gains", ""] == pytest.approx((fiscal[never] > 0).mean())
    fades = frame.loc[[name for name in frame.index if name.startswith("Effects fade")]]
    weighted = (fades["Share of the draws", ""] * fades["Society", ""]).sum()
    assert weighted == pytest.approx(float(npsv.sel(account="social").mean()))


def test_a_structure_that_every_draw_shares_has_no_rows(run):
    names = [name for name, _, _ in structures.choices(run)]
    assert "origin" not in names and names.count("scope") == 3
    assert len(structures.pays(run)) == len(names)
