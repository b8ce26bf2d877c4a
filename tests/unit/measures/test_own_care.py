"""What areas' lives imply stands beside what is published, and what is not near is named with the reason."""

import pandas as pd
import pytest
import xarray as xr

from tests.unit.pricing.conftest import RUTLAND, desk_without_a_fit
from toolkit import evidence
from toolkit.measures import own_care, reliability
from toolkit.pricing.own_care import SPENDING

CARE = ("care_starts", "looked_after")


@pytest.fixture(scope="module")
def committed() -> pd.DataFrame:
    return evidence.load_table("reference/own_care")


@pytest.mark.parametrize("quantity", CARE)
def test_nearly_all_areas_are_within_15_per_cent_and_england_within_3(committed: pd.DataFrame, quantity: str) -> None:
    rows = committed[committed["quantity"] == quantity].set_index("area")
    assert abs(rows["ratio"]["England"] - 1) <= 0.03
    areas = rows.drop("England")
    near = (areas["ratio"] - 1).abs() <= 0.15
    assert len(areas) == 150 and near.sum() >= 140
    assert (areas.loc[~near, "note"] != "").all() and (areas.loc[~near, "verdict"] == "failed").all()


@pytest.mark.parametrize("label", ["Kent", "Shropshire", "Stoke-on-Trent", "Cornwall", "Leeds"])
def test_areas_whose_lives_were_furthest_off_are_near(committed: pd.DataFrame, label: str) -> None:
    """Without exits of their own: Kent 7,290 of 1,896 children, Shropshire 235 of 717, Stoke 358 of 1,063."""
    rows = committed[(committed["label"] == label) & committed["quantity"].isin(CARE)]
    assert len(rows) == 2 and ((rows["ratio"] - 1).abs() <= 0.15).all()


def test_the_table_is_made_of_areas_and_their_sum(register: evidence.Register, dozen: xr.Dataset) -> None:
    desk = desk_without_a_fit(register, dozen)
    base = evidence.base_year(dozen)
    alone = evidence.unaccompanied(base, desk.draws["unaccompanied_stay"])
    published = evidence.published_care(
        base, alone, leaving_care=True, price_base=desk.scenario.price_base, deflators=register.deflators
    )
    missing = published.assign({SPENDING: published[SPENDING].where(published["area"] != RUTLAND)})
    made = own_care.own_care_tables(desk, missing)["own_care"].set_index(["quantity", "area"])
    for quantity in CARE:
        rows = made.loc[quantity]
        assert rows.drop("England")[["published", "ours"]].sum().to_numpy() == pytest.approx(
            rows.loc["England", ["published", "ours"]].to_numpy(float), rel=1e-3
        )
        assert rows["ratio"].to_numpy() == pytest.approx((rows["ours"] / rows["published"]).to_numpy(), rel=2e-3)
    assert (SPENDING, RUTLAND) not in made.index  # nothing is published to set it beside
    assert made.loc[("looked_after", RUTLAND), "label"] == "Rutland"


def test_words_count_areas_and_the_table_names_those_that_are_off(committed: pd.DataFrame) -> None:
    words, failed = own_care.words(committed)
    starts = committed[(committed["quantity"] == "care_starts") & (committed["area"] != "England")]
    assert f"care starts, {(starts['verdict'] == 'passed').sum()} of 150 (England 1.00 to 1)" in words and failed
    shown = reliability.reliability()["own_care"].frame
    off = committed[
        (committed["verdict"] != "passed") & committed["quantity"].isin(CARE) & (committed["area"] != "England")
    ]
    assert len(shown) == len(off) + 4
    assert "Walsall: care starts" in shown.index and "England: looked after" in shown.index
