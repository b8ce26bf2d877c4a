"""What a plan buys: each basis of a sum by hand, limits of eligible children, and parts for the same children."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from toolkit import evidence, plans, scenarios
from toolkit.pathways import eligible_children
from toolkit.schema import InputError

LEEDS, RUTLAND = "E08000035", "E06000017"
KEYWORKER, CONFERENCE, PARENTING = "supporting_families", "family_group_conference", "incredible_years"


@pytest.fixture(scope="module")
def base(statistics: xr.Dataset) -> xr.Dataset:
    return evidence.base_year(statistics)


@pytest.fixture(scope="module")
def programmes(register: evidence.Register) -> pd.DataFrame:
    return register.tables["programmes"]


def scenario(*parts: dict, **changes: object) -> scenarios.Scenario:
    return scenarios.change(scenarios.load("families_first"), plan=list(parts), **changes)


def part(programme: str = KEYWORKER, **given: object) -> dict:
    return {"programme": programme, **given}


def draws(*costs: float, children: float = 1.77) -> xr.Dataset:
    """Two draws of what a family, and a conference, costs."""
    rows = zip((KEYWORKER, CONFERENCE, PARENTING), costs, ("family", "conference", "child"), strict=False)
    drawn = {
        f"cost_{name}": (("chain", "draw"), [[cost, 2 * cost]], {"units": f"GBP per {what}"})
        for name, cost, what in rows
    }
    every = {
        "children_per_family": (("chain", "draw"), [[children] * 2]),
        "care_edge_entry": (("chain", "draw"), [[0.448] * 2]),
    }
    return xr.Dataset({**drawn, **every}, {"chain": [0], "draw": [0, 1]})


def test_pounds_for_each_child_buy_families_of_so_many_children(base: xr.Dataset, programmes: pd.DataFrame) -> None:
    """10 pounds for each of Leeds' children at 5,000 a family, 1.77 children each; half as many at 10,000."""
    (bought,) = plans.purchases(scenario(part(pounds_per_child=[10.0, 20.0])), base, draws(5000.0), programmes, [LEEDS])
    leeds = float(base["population_0_17"].sel(area=LEEDS))
    np.testing.assert_allclose(bought.pounds.sel(area=LEEDS), [10 * leeds, 20 * leeds])
    expected = 10 * leeds / np.array([5000, 10_000]) * 1.77
    np.testing.assert_allclose(bought.children.sel(area=LEEDS, chain=0).isel(year=0), expected)
    np.testing.assert_allclose(bought.children.isel(year=1), 2 * bought.children.isel(year=0))
    xr.testing.assert_identical(bought.gaining, bought.children)


def test_nothing_is_bought_where_there_is_nobody_to_serve(base: xr.Dataset, programmes: pd.DataFrame) -> None:
    """Isles of Scilly and the like: no child starts care, so none is in pre-proceedings."""
    nobody = base.assign(care_starts=base["care_starts"].where(base["area"] != RUTLAND, 0.0))
    one = scenario(part(CONFERENCE, pounds_per_child=[1.0]))
    (bought,) = plans.purchases(one, nobody, draws(0.0, 1600.0), programmes, [LEEDS, RUTLAND])
    assert float(bought.pounds.sel(area=RUTLAND).sum()) == 0 < float(bought.pounds.sel(area=LEEDS).sum())


def test_a_sum_for_all_areas_is_shared_by_their_eligible_children(base: xr.Dataset, programmes: pd.DataFrame) -> None:
    given = draws(5000.0)
    (bought,) = plans.purchases(scenario(part(pounds=[1e6])), base, given, programmes, [LEEDS, RUTLAND])
    eligible = eligible_children("in_need", base, given)
    assert eligible is not None
    here = eligible.sel(area=[LEEDS, RUTLAND])
    np.testing.assert_allclose(bought.pounds.isel(year=0), 1e6 * here / here.sum())


def test_englands_sum_gives_areas_their_share_of_it_whichever_are_run(
    base: xr.Dataset, programmes: pd.DataFrame
) -> None:
    whole, alone = (
        plans.purchases(scenario(part(CONFERENCE, england=[5e7])), base, draws(0.0, 1600.0), programmes, areas)[0]
        for areas in ([], [LEEDS])
    )
    assert float(whole.pounds.sum()) == pytest.approx(5e7)
    np.testing.assert_allclose(alone.pounds.sel(area=LEEDS), whole.pounds.sel(area=LEEDS))
    starts = base["care_starts"]  # by those in pre-proceedings, who are care starts over a share
    assert alone.pounds.item() == pytest.approx(5e7 * float(starts.sel(area=LEEDS) / starts.sum()))


def test_units_cost_what_one_costs_draw_by_draw(base: xr.Dataset, programmes: pd.DataFrame) -> None:
    """400 families are 708 children whatever they cost."""
    (bought,) = plans.purchases(scenario(part(units=[400.0])), base, draws(5000.0), programmes, [LEEDS])
    np.testing.assert_allclose(bought.children.isel(year=0), 400 * 1.77)
    np.testing.assert_allclose(bought.pounds.sel(area=LEEDS, year=0, chain=0), [400 * 5000, 400 * 10_000])


def test_a_cost_for_a_child_is_shared_by_nobody(base: xr.Dataset, programmes: pd.DataFrame) -> None:
    cost = xr.DataArray(1000.0, attrs={"units": "GBP per child"})
    family = xr.DataArray(1000.0, attrs={"units": "GBP per family"})
    assert float(plans.cost_per_child(cost, 2.0, xr.Dataset())) == 1000
    assert float(plans.cost_per_child(family, 2.0, xr.Dataset())) == 500
    assert float(plans.cost_per_child(family, float("nan"), xr.Dataset({"children_per_family": 4.0}))) == 250


def test_a_part_in_some_areas_buys_nothing_in_the_others(base: xr.Dataset, programmes: pd.DataFrame) -> None:
    only = scenario(part(pounds=[1e6], areas=["Leeds"]))
    (bought,) = plans.purchases(only, base, draws(5000.0), programmes, [LEEDS, RUTLAND])
    assert bought.pounds.sel(area=LEEDS).values.tolist() == [1e6]
    assert not bought.pounds.sel(area=RUTLAND).any() and not bought.children.sel(area=RUTLAND).any()
    with pytest.raises(InputError, match=r"supporting_families is bought in Leeds, which is not run\. Fix"):
        plans.purchases(only, base, draws(5000.0), programmes, [RUTLAND])


def test_nested_parts_gain_only_beyond_those_whom_the_first_serves(base: xr.Dataset, programmes: pd.DataFrame) -> None:
    """100 families first are 177 children, whom 250 places of a child each serve too."""
    both = scenario(part(units=[100.0]), part(PARENTING, units=[250.0]), overlap="nested")
    first, second = plans.purchases(both, base, draws(5000.0, 0.0, 1000.0), programmes, [LEEDS])
    np.testing.assert_allclose(first.gaining, 177)
    np.testing.assert_allclose(second.children, 250)
    np.testing.assert_allclose(second.gaining, 250 - 177)
    later = scenario(part(units=[100.0]), part(PARENTING, units=[250.0], first_year=2027), overlap="nested")
    _, second = plans.purchases(later, base, draws(5000.0, 0.0, 1000.0), programmes, [LEEDS])
    np.testing.assert_allclose(second.gaining, 250)  # in another year nobody is helped twice
    assert second.start == 1


def test_parts_for_the_same_children_must_say_how_they_overlap(
    register: evidence.Register, base: xr.Dataset, programmes: pd.DataFrame
) -> None:
    parts = part(pounds_per_child=[1.0]), part(PARENTING, pounds_per_child=[1.0])

    def check(chosen: scenarios.Scenario) -> None:
        plans.check_plan(chosen, base, scenarios.resolve(chosen, register), programmes, [LEEDS])

    with pytest.raises(InputError, match=r"supporting_families and incredible_years are for the same children.*apart"):
        check(scenario(*parts))
    check(scenario(*parts, overlap="apart"))
    check(scenario(parts[0], part(CONFERENCE, pounds_per_child=[1.0])))  # of other groups
    check(scenario(parts[0], part(PARENTING, pounds_per_child=[1.0], first_year=2027)))  # one after the other


def test_more_children_than_are_eligible_are_refused_and_the_room_is_known(
    register: evidence.Register, base: xr.Dataset, programmes: pd.DataFrame
) -> None:
    chosen = scenario(part(CONFERENCE, pounds_per_child=[1.0]))
    figures = scenarios.resolve(chosen, register)
    room = plans.most_times(chosen, base, figures, programmes, [LEEDS])
    assert 1 < room < 100
    plans.check_plan(chosen.times(0.999 * room), base, figures, programmes, [LEEDS])
    with pytest.raises(InputError, match=r"family_group_conference would serve .* a year in Leeds, where .* Fix"):
        plans.check_plan(chosen.times(1.001 * room), base, figures, programmes, [LEEDS])
    with pytest.raises(InputError, match="would serve"):  # a cut of more than there are, too
        plans.check_plan(chosen.times(-1.001 * room), base, figures, programmes, [LEEDS])


def test_a_cut_of_more_than_is_spent_is_refused(
    register: evidence.Register, base: xr.Dataset, programmes: pd.DataFrame
) -> None:
    spent = float(base["early_help_spend"].sel(area=LEEDS))
    for sums, refused in (([-0.99 * spent], False), ([-1.0, -1.01 * spent], True)):
        chosen = scenario(part(pounds_per_child=sums))
        figures = scenarios.resolve(chosen, register)
        if refused:
            with pytest.raises(InputError, match=r"spent on early help in the areas of this run.*take less away"):
                plans.check_plan(chosen, base, figures, programmes, [LEEDS])
        else:
            plans.check_plan(chosen, base, figures, programmes, [LEEDS])


def test_a_plan_that_serves_nobody_is_refused(base: xr.Dataset, programmes: pd.DataFrame) -> None:
    nobody = base.assign(care_starts=base["care_starts"].where(base["area"] != RUTLAND, 0.0))
    for sums in ({"pounds": [1e5]}, {"units": [10.0]}, {"pounds_per_child": [1.0]}, {"england": [1e7]}):
        with pytest.raises(InputError, match=r"nobody is eligible for .*Fix"):
            plans.purchases(scenario(part(CONFERENCE, **sums)), nobody, draws(0.0, 1600.0), programmes, [RUTLAND])


def test_spending_is_restated_in_a_scenarios_prices(base: xr.Dataset, register: evidence.Register) -> None:
    at, own = plans.at_values(scenarios.resolve(scenario(part(england=[1e8])), register)), pd.DataFrame()
    chosen = scenarios.change(scenario(part(england=[1e8])), price_base="2020/21")
    older = plans.counted(chosen, base, own, at, register.deflators)["early_help_spend"]
    ratio = register.deflators["2020/21"] / register.deflators["2025/26"]
    np.testing.assert_allclose(older, base["early_help_spend"] * ratio)


def test_englands_sum_needs_statistics_of_all_its_areas(dozen: xr.Dataset, programmes: pd.DataFrame) -> None:
    some = evidence.base_year(dozen)
    with pytest.raises(InputError, match=r"the sum for supporting_families is England's.*pounds_per_child"):
        plans.purchases(scenario(part(england=[1e8])), some, draws(5000.0), programmes, [LEEDS])
