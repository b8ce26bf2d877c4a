"""An area's rates stand beside what its region and deprivation predict, in units a reader knows."""

import numpy as np
import pytest

from toolkit.measures.analysis import analyse
from toolkit.measures.rates import rates_table
from toolkit.measures.words import number
from toolkit.report.contents import every_table
from toolkit.report.html import render


def test_a_rate_and_what_is_predicted_are_in_the_indicators_own_unit(make_run) -> None:
    run = make_run(areas={"E08000035": ("Leeds", "Yorkshire and The Humber")})
    posterior, made = run.tree["posterior"].to_dataset(), rates_table(run)
    assert made.frame.index.tolist() == ["Re-referrals, per 100 referrals", "Care starts, per 10,000 children"]
    mean = posterior["baseline_rate"].mean(("chain", "draw")).isel(area=0).values
    np.testing.assert_allclose(made.frame["Rate", "expected"], mean * [100, 10_000])
    np.testing.assert_allclose(made.frame["Predicted", "expected"], 0.8 * mean * [100, 10_000])
    np.testing.assert_allclose(made.frame["Difference"], 0.25)  # over 0.8 of itself, in every draw
    assert (made.frame["Chance that it is above", "expected"] == 1).all()
    assert "re-referrals 2025 and care starts 2025" in made.note


def test_rows_of_several_areas_say_whose_they_are(run) -> None:
    names = rates_table(run).frame.index
    assert names[0] == "Leeds: Re-referrals, per 100 referrals" and names[2].startswith("County Durham: ")


@pytest.mark.long
@pytest.mark.parametrize("alone", [True, False])
def test_the_page_of_one_area_alone_tells_them(make_run, undrawn, alone) -> None:
    areas = {"E08000035": ("Leeds", "Yorkshire and The Humber"), "E06000047": ("County Durham", "North East")}
    run = make_run(areas=dict(list(areas.items())[: 1 if alone else 2]))
    found = analyse(run)
    made = every_table(run, found)
    page = render(run, made, found)
    assert ("what its region and deprivation predict" in page) is alone
    assert (number(made["rates"].frame["Rate", "expected"].iloc[0]) in page) or not alone
