"""Weights, figures for each child, and the budget view, by hand."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from toolkit import appraisal
from toolkit.schema import InputError

MONEY = {"units": "GBP", "price_base": "2025/26"}
# Treasury, GDP deflators March 2026, financial years, as in economic_parameters.csv.
DEFLATORS = pd.Series({"2025/26": 103.2388, "2026/27": 105.3095, "2027/28": 107.3546})


@pytest.fixture
def position():
    return xr.DataArray(
        [[10.0, 20.0], [4.0, 8.0], [-30.0, -30.0]],
        dims=("payer", "sample"),
        coords={"payer": ["individuals", "victims", "local_authority"]},
        attrs=MONEY,
    )


@pytest.fixture
def costs():
    """Spending of 60 in year 0 saves 10 in placements and 8 in social work a year, of 50 each."""
    values = np.full((2, 2, 3, 4), 50.0)
    values[..., 0] = 0.0
    values[:, 1, 0, 0] = 60.0
    values[:, 1, :, 1] -= 10.0
    values[:, 1, :, 2] -= 8.0
    values[:, 1, :, 3] -= 5.0
    labels = {
        "outcome": ["programme", "care", "repeat_referrals", "youth_justice"],
        "payer": ["local_authority", "local_authority", "local_authority", "police_and_justice"],
        "account": ["fiscal"] * 4,
        "cashability": ["cashable", "cashable", "partly_cashable", "non_cashable"],
        "lag_years": [0, 1, 0, 0],
    }
    return xr.DataArray(
        values,
        dims=("sample", "option", "year", "component"),
        coords={
            "option": ["business_as_usual", "investment"],
            "year": [0, 1, 2],
            "component": ["programme", "care_placement", "repeat_need", "justice"],
            **{name: ("component", column) for name, column in labels.items()},
        },
        attrs=MONEY,
    )


def view(costs, **changes):
    given = {"deflators": DEFLATORS, "first_year": 2025, "years": 3, "cashable_shares": {"partly_cashable": 0.5}}
    return appraisal.medium_term_view(costs, **(given | changes))


def test_weights_follow_the_green_book():
    # Half the median income at elasticity 1.3: 2^1.3 = 2.46, the Green Book's "around 2.5".
    found = appraisal.distributional_weights({"individuals": 0.5, "victims": 1.0}, elasticity=1.3)
    assert found.sel(payer="individuals").item() == pytest.approx(2**1.3)
    assert found.sel(payer="individuals").item() == pytest.approx(2.462, abs=5e-4)
    assert found.sel(payer="victims").item() == 1.0


def test_only_named_payers_are_weighed(position):
    weights = appraisal.distributional_weights({"individuals": 0.5}, elasticity=1.0)
    found = appraisal.weighted(position, weights)
    assert found["unweighted"].values.tolist() == [-16, -2]
    assert found["weighted"].values.tolist() == [-6, 18]
    assert found["difference"].values.tolist() == [10, 20]
    assert found["weight"].sel(payer=["victims", "local_authority"]).values.tolist() == [1, 1]
    assert found["weighted"].attrs == MONEY


def test_an_elasticity_of_nought_changes_nothing(position):
    weights = appraisal.distributional_weights({"individuals": 0.2}, elasticity=0.0)
    assert appraisal.weighted(position, weights)["difference"].values.tolist() == [0, 0]


@pytest.mark.parametrize(
    ("income", "elasticity"), [({"individuals": 0.0}, 1.3), ({}, 1.3), ({"individuals": 0.5}, -1.0)]
)
def test_impossible_weights_are_refused(income, elasticity):
    with pytest.raises(InputError, match="above 0"):
        appraisal.distributional_weights(income, elasticity=elasticity)


def test_a_weight_for_nobody_is_refused(position):
    weights = appraisal.distributional_weights({"nhs": 0.5}, elasticity=1.3)
    with pytest.raises(InputError, match="nhs"):
        appraisal.weighted(position, weights)


def test_each_child_and_family_by_hand():
    value, children = (xr.DataArray(v, dims="sample", attrs=MONEY) for v in ([1000.0, 300.0], [10.0, 5.0]))
    found = appraisal.per_child_and_family(value, children=children, children_per_family=2.0)
    assert found["per_child"].values.tolist() == [100, 60]
    assert found["per_family"].values.tolist() == [200, 120]
    assert found["per_family"].attrs["units"] == "GBP per family"
    with pytest.raises(InputError, match="absolute"):
        appraisal.per_child_and_family(value, children=-children, children_per_family=2.0)


def test_budget_lines_by_hand(costs):
    found = view(costs).isel(sample=0)
    cash = {year: DEFLATORS.iloc[year] / DEFLATORS.iloc[0] for year in range(3)}
    assert found["line"].values.tolist() == ["programme", "care_placement", "repeat_need", "net", "cumulative"]
    assert found.sel(line="programme").values.tolist() == [-60, 0, 0]
    # A year's lag: the first placements leave the budget a year later. Half of the partly cashable does.
    np.testing.assert_allclose(found.sel(line="care_placement"), [0, 10 * cash[1], 10 * cash[2]])
    np.testing.assert_allclose(found.sel(line="repeat_need"), [4, 4 * cash[1], 4 * cash[2]])
    np.testing.assert_allclose(found.sel(line="net"), [-56, 14 * cash[1], 14 * cash[2]])
    np.testing.assert_allclose(found.sel(line="cumulative"), np.cumsum(found.sel(line="net")))
    assert found["financial_year"].values.tolist() == ["2025/26", "2026/27", "2027/28"]
    assert found.attrs["price_base"].startswith("nominal")


def test_the_view_agrees_with_the_appraisal_where_there_is_no_inflation(costs):
    result = appraisal.appraise(costs, cashable_shares={"partly_cashable": 0.5})
    still = pd.Series(100.0, index=DEFLATORS.index)
    council = result["cashable_net_position"].sel(payer="local_authority", drop=True).transpose("year", "sample")
    np.testing.assert_allclose(view(costs, deflators=still).sel(line="net"), council)
    assert council.isel(sample=0).values.tolist() == [-56, 14, 14]


def test_the_view_does_not_depend_on_the_order_of_years(costs):
    xr.testing.assert_allclose(view(costs.isel(year=[2, 0, 1])), view(costs))


def test_a_payer_without_cash_has_a_budget_of_nought(costs):
    found = view(costs, payer="nhs")
    assert found["line"].values.tolist() == ["net", "cumulative"] and float(abs(found).max()) == 0


def test_a_year_without_a_forecast_and_an_unknown_payer_are_refused(costs):
    with pytest.raises(InputError, match="2028/29"):
        view(costs, first_year=2026)
    with pytest.raises(InputError, match="'nsh': unknown"):
        view(costs, payer="nsh")
