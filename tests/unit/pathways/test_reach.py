import numpy as np
import pytest
import xarray as xr

from toolkit.pathways import AT_THE_EDGE, children_reached, eligible_children, families
from toolkit.scenarios import Option
from toolkit.schema import InputError


def test_reach_follows_the_saturating_curve() -> None:
    """K (1 - exp(-b/K)): 100 families bought among 200 eligible reach 200 (1 - e^-0.5) = 78.69."""
    reached = families(xr.DataArray(100.0), xr.DataArray(200.0))
    assert float(reached) == pytest.approx(200 * (1 - np.exp(-0.5)))


def test_small_sums_reach_a_family_per_family_bought_and_large_ones_never_pass_the_eligible() -> None:
    eligible = xr.DataArray(1000.0)
    assert float(families(xr.DataArray(1e-6), eligible)) == pytest.approx(1e-6, rel=1e-9)
    assert float(families(xr.DataArray(1e9), eligible)) == pytest.approx(1000.0)


def test_a_cut_mirrors_an_investment() -> None:
    eligible = xr.DataArray(300.0)
    assert float(families(xr.DataArray(-50.0), eligible)) == -float(families(xr.DataArray(50.0), eligible))


def test_nobody_eligible_is_refused() -> None:
    with pytest.raises(InputError, match="no eligible families"):
        families(xr.DataArray([10.0, 10.0], dims="area"), xr.DataArray([5.0, 0.0], dims="area"))


def test_pounds_become_children_by_hand() -> None:
    """73,700 pounds at 7,370 a family is 10 families; 100 eligible children at 2 a family are 50 families."""
    draws = xr.Dataset({"cost_per_family": 7370.0, "children_per_family": 2.0, "care_edge_entry": 0.4})
    statistics = xr.Dataset({"children_in_need": 120.0, "children_looked_after": 20.0, "care_starts": 8.0})
    reached = children_reached(xr.DataArray(73_700.0), draws, statistics, Option(spend_per_child=1, years=1))
    assert float(reached) == pytest.approx(2 * 50 * (1 - np.exp(-10 / 50)))
    edge = children_reached(
        xr.DataArray(73_700.0), draws, statistics, Option(spend_per_child=1, years=1, group="care_edge")
    )
    assert float(edge) == pytest.approx(2 * 10 * (1 - np.exp(-10 / 10)))  # 8 starts over 0.4 are 20 children


def test_the_children_of_a_group_are_those_that_could_be_served() -> None:
    """Outside care 120 - 20; before proceedings 8 starts over a share of 0.4 or 0.5 are 20 or 16."""
    draws = xr.Dataset({"care_edge_entry": ("draw", [0.4, 0.5])})
    statistics = xr.Dataset({"children_in_need": 120.0, "children_looked_after": 20.0, "care_starts": 8.0})
    assert float(eligible_children(draws, statistics, "in_need")) == 100.0
    for group in AT_THE_EDGE:
        assert eligible_children(draws, statistics, group).values.tolist() == [20.0, 16.0]
    with pytest.raises(InputError, match=r"universal.*not known.*Fix"):
        eligible_children(draws, statistics, "universal")
