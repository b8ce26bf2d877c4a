import numpy as np
import pandas as pd
import pytest
import xarray as xr

from tests.unit.pathways.test_layers import ADULT, CHILD, cells, full, layer, lived, one, rates_of
from toolkit.pathways import comparison
from toolkit.pathways import layers as life
from toolkit.schema import OUTCOMES, InputError

INDICATORS = {"rereferrals": 0.2, "care_starts": 0.003, "first_time_entrants": 0.001, "gcse_grade_4": 0.18}
COUNTS = {
    "population_0_17": 1000.0,
    "population_10_17": 450.0,
    "referrals": 50.0,
    "children_in_need": 40.0,
    "children_looked_after": 8.0,
    "gcse_pupils": 3.0,
}
FIGURES = {
    "all": 0.13,
    "need": 0.25,
    "care": 0.4,
    "ratio": 3.0,
    "share": 0.5,
    "gcse_all_pupils": 0.65,
    "adjustment_gcse": 0.57,
    "adjustment_youth_justice": 0.32,
    "share_ever_in_need": 0.25,
    "justice_ratio_in_need": 3.0,
}


@pytest.fixture
def draws() -> xr.Dataset:
    return xr.Dataset({name: full(value) for name, value in FIGURES.items()})


@pytest.fixture
def statistics() -> xr.Dataset:
    return xr.Dataset(COUNTS)


@pytest.fixture
def baseline() -> xr.DataArray:
    return xr.concat([full(value) for value in INDICATORS.values()], xr.Variable("indicator", list(INDICATORS)))


@pytest.fixture
def usual() -> xr.DataArray:
    """Per child: two years in a first episode, one in repeated ones, one on two plans, half a layer's event."""
    figures = {
        "first_need_years": 2,
        "repeat_need_years": 1,
        "plan_years": 1,
        "plan_starts": 2,
        "below_grade_4": 0.7,
        "neet_years": 0.5,
    }
    parts = [full(value).expand_dims(year=[0]) for value in figures.values()]
    return xr.concat(parts, xr.Variable("quantity", list(figures)))


def weights(**at: float) -> xr.DataArray:
    values = np.full(18, 1 / 18)
    if at:
        values = np.zeros(18)
        for age, share in at.items():
            values[int(age.removeprefix("age_"))] = share
    return xr.DataArray(values, {"age": range(18)}, "age")


def compared(
    quantities: list[str], *arrays: object, layers: pd.DataFrame, rates: pd.DataFrame, levels: xr.Dataset | None = None
) -> xr.DataArray:
    *others, entry = arrays
    lived = comparison.lived_years(quantities, layers, entry)  # type: ignore[arg-type]
    return comparison.comparator(quantities, *others, layers=layers, rates=rates, levels=levels) * lived  # type: ignore[arg-type]


def test_by_age_the_same_years_are_told_as_by_year() -> None:
    mixed = weights(age_0=0.3, age_9=0.5, age_17=0.2)
    for bounds in ((0, 17), (10, 17), (5, 15)):
        by_year, by_age = (comparison.exposure(mixed, *bounds, by_age=how) for how in (False, True))
        np.testing.assert_allclose(by_age.sum("year"), by_year.sum("year"))
        ages = by_age["year"]
        assert float(abs(by_age.where((ages < bounds[0]) | (ages > bounds[1]), 0.0)).max()) == 0.0
    known = comparison.exposure(mixed, 0, 17, by_age=True).sel(year=[0, 8, 9, 16, 17])
    np.testing.assert_allclose(known, [0.15, 0.3, 0.55, 0.8, 0.9])


def test_exposure_counts_half_of_the_year_of_entry_and_what_is_left_of_childhood() -> None:
    lived = comparison.exposure(weights(age_15=1.0), 0, 17)
    assert lived.values[:4] == pytest.approx([0.5, 1, 1, 0])
    assert float(comparison.exposure(weights(age_8=1.0), 10, 17).sum()) == 8
    # Entering at all ages alike: 17.5 down to 0.5 years are left.
    assert float(comparison.exposure(weights(), 0, 17).sum()) == pytest.approx(9.0)
    assert float(comparison.turning(weights(), 16, 16).sum()) == pytest.approx(17 / 18)
    assert float(comparison.turning(weights(), 18, 18).sel(year=0)) == 0.0


def test_the_comparator_is_all_children_of_the_area(
    draws: xr.Dataset, statistics: xr.Dataset, baseline: xr.DataArray, usual: xr.DataArray
) -> None:
    none = life.chosen(layer(in_use=0), rates_of(**ADULT), outcomes=OUTCOMES)
    names = [
        "rereferrals",
        "first_need_years",
        "repeat_need_years",
        "care_years",
        "first_time_entries",
        "below_grade_4",
    ]
    found = compared(
        names, baseline, statistics, draws, usual, weights(age_12=1.0), layers=none, rates=rates_of(**ADULT)
    )
    total = {name: one(found.sel(quantity=name).sum("year")) for name in names}
    expected = {
        "rereferrals": 5.5 * 0.2 * 50 / 1000,
        "first_need_years": 5.5 * 0.5 * 32 / 1000,
        "repeat_need_years": 5.5 * 0.25 * 32 / 1000,
        "care_years": 5.5 * 8 / 1000,
        "first_time_entries": 5.5 * 0.001,
        "below_grade_4": 0.35,
    }
    assert total == pytest.approx(expected)
    local = xr.Dataset({"level": ("name", [0.5]), "england": ("name", [0.65])}, {"name": ["gcse_all"]})
    here = compared(
        ["below_grade_4"],
        baseline,
        statistics,
        draws,
        usual,
        weights(age_12=1.0),
        layers=none,
        rates=rates_of(**ADULT),
        levels=local,
    )
    assert one(here.sum(["quantity", "year"])) == pytest.approx(0.5)  # the area's own pupils


@pytest.mark.parametrize(("given", "ratio"), [("", ""), ("", "ratio"), ("grade", "ratio"), ("justice", "")])
def test_no_gap_gives_no_excess(
    given: str, ratio: str, draws: xr.Dataset, statistics: xr.Dataset, baseline: xr.DataArray, usual: xr.DataArray
) -> None:
    """People once in need who fare like everyone, in rates, grades and justice, differ from everyone in nothing."""
    same = rates_of(**dict.fromkeys(ADULT, "all"))
    held = life.chosen(layer(given=given, odds_below_grade=ratio), same, outcomes=OUTCOMES)
    entered = 1 - np.exp(-8 * 0.001)
    people = cells(justice=entered)  # 0.65 of each history reach the grade, as of all pupils
    quantity = lived(people, life.adult_rates(held, same, draws, people), held)
    everyone = compared(
        ["neet_years"], baseline, statistics, draws, usual, weights(age_15=1.0), layers=held, rates=same
    )
    shares = comparison.adjustment_shares(["neet_years"], held, draws)
    excess = (quantity - everyone) * shares
    np.testing.assert_allclose(excess.sum("year"), 0.0, atol=1e-12)


def test_a_childhood_layer_of_all_children_is_its_rate_over_its_ages(
    draws: xr.Dataset, statistics: xr.Dataset, baseline: xr.DataArray, usual: xr.DataArray
) -> None:
    rates = rates_of(**CHILD)
    held = life.chosen(layer(stage="child", from_age=5, full_to_age=15, to_age=15), rates, outcomes=OUTCOMES)
    found = compared(["neet_years"], baseline, statistics, draws, usual, weights(age_10=1.0), layers=held, rates=rates)
    assert one(found.sum(["quantity", "year"])) == pytest.approx(0.13 * 5.5)


def test_a_quantity_without_a_rate_of_all_children_is_refused(
    draws: xr.Dataset, statistics: xr.Dataset, baseline: xr.DataArray, usual: xr.DataArray
) -> None:
    none = life.chosen(layer(in_use=0), rates_of(**ADULT), outcomes=OUTCOMES)
    with pytest.raises(InputError, match=r"placements'\]: no rate of all children is known"):
        compared(["placements"], baseline, statistics, draws, usual, weights(), layers=none, rates=rates_of(**ADULT))


def test_gaps_are_shrunk_by_their_own_share_and_contact_with_care_is_not(draws: xr.Dataset) -> None:
    held = life.chosen(layer(), rates_of(**ADULT), outcomes=OUTCOMES)
    names = ["care_years", "first_need_years", "first_time_entries", "below_grade_4", "neet_years"]
    shares = comparison.adjustment_shares(names, held, draws).isel(chain=0, draw=0)
    assert shares.values == pytest.approx([1, 1, 0.32, 0.57, 0.5])


def test_the_cross_section_counts_this_year_and_lets_layers_live_as_today(
    draws: xr.Dataset, statistics: xr.Dataset, baseline: xr.DataArray, usual: xr.DataArray
) -> None:
    names = [
        "rereferrals",
        "first_need_years",
        "repeat_need_years",
        "care_entries",
        "care_years",
        "first_time_entries",
        "below_grade_4",
        "neet_years",
    ]
    found = comparison.cross_section(names, baseline, statistics, draws, usual, full(15.0)).isel(chain=0, draw=0)
    known = 0.25 * 3 / (1 + 0.25 * 2)
    assert found.values == pytest.approx([10, 16, 8, 3, 8, 0.45 * known, 0.7 * 15, 7.5])


def test_in_need_peers_say_what_care_adds_to_the_grade_gap(baseline: xr.DataArray) -> None:
    """A fifth are care leavers, of whom 17 per cent have the grade; of pupils in need 18 per cent."""
    assert one(comparison.in_need_peers(cells(care_leaver=0.17), baseline)) == pytest.approx(0.2 * (0.83 - 0.82))
    assert one(comparison.in_need_peers(cells(care_leaver=0.18), baseline)) == pytest.approx(0.0, abs=1e-12)


def test_what_children_ever_in_need_leave_is_the_rate_of_those_never_in_need() -> None:
    """Worked by hand: a quarter are ever in need, from twelve on; all have 0.01 first entries a year at 10 to 17.

    From twelve on a child ever in need has 0.2 of them; in the half year and the two before, what others have.
    8 x 0.01 = 0.25 (0.2 + 2.5 r) + 0.75 x 8 r, so r = 0.03 / 6.625.
    """
    none = life.chosen(layer(in_use=0), rates_of(**ADULT), outcomes=OUTCOMES)
    names = ["first_time_entries", "below_grade_4", "care_years"]
    everyone = xr.concat([full(0.01), full(0.35), full(0.02)], xr.Variable("quantity", names))
    usual = xr.concat([full(0.2), full(0.8), full(0.3)], xr.Variable("quantity", names)).expand_dims(year=[0])
    lived_for = comparison.lived_years(names, none, weights(age_12=1.0))
    never = comparison.never_in_need(everyone, usual, full(0.25), lived_for, none)
    assert never.isel(chain=0, draw=0).values == pytest.approx([0.03 / 6.625, (0.35 - 0.2) / 0.75, 0.0])
    crowded = comparison.never_in_need(everyone, usual, full(0.5), lived_for, none)
    assert one(crowded.sel(quantity="first_time_entries")) == 0.0  # 0.5 x 0.2 is more than all children's 0.08
    assert float(comparison.never_in_need(everyone, usual, full(1.0), lived_for, none).max()) == 0.0  # nobody is left


def test_nobody_ever_in_need_leaves_the_rates_of_all_children() -> None:
    held = life.chosen(layer(), rates_of(**ADULT), outcomes=OUTCOMES)
    names = ["first_time_entries", "below_grade_4", "neet_years"]
    everyone = xr.concat([full(0.01), full(0.35), full(0.13)], xr.Variable("quantity", names))
    usual = xr.concat([full(0.2), full(0.8), full(0.9)], xr.Variable("quantity", names)).expand_dims(year=[0])
    lived_for = comparison.lived_years(names, held, weights(age_3=0.5, age_12=0.5))
    never = comparison.never_in_need(everyone, usual, full(0.0), lived_for, held)
    np.testing.assert_allclose(never, everyone)
