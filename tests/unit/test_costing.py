import numpy as np
import pandas as pd
import pytest
import xarray as xr

from toolkit import appraisal, costing, evidence
from toolkit.schema import InputError

SAMPLES = {"chain": range(2), "draw": range(3)}
YEARS = 6


def table(**changes: object) -> pd.DataFrame:
    """Three components: an immediate one with growth, a spread one, and the taxed half of a present value."""
    base = {
        "outcome": "care", "payer": "local_authority", "account": "fiscal", "share_role": "", "share_complement": "",
        "growth_role": "", "local_price": "", "cashability": "cashable", "lag_years": 0, "discounting": "standard",
        "spread_from": 0, "spread_to": 0, "spread_basis": "sum", "spread_schedule": "", "contains": "",
        "reason": "test",
    }  # fmt: skip
    rows = [
        base | {"component": "now", "quantity": "care_years", "price_role": "price", "growth_role": "growth",
                "local_price": "care", "contains": "placement"},
        base | {"component": "later", "quantity": "first_time_entries", "price_role": "price", "spread_to": 2,
                "payer": "police_and_justice", "outcome": "youth_justice", "contains": "courts"},
        base | {"component": "tax", "quantity": "below_grade_4", "price_role": "price", "share_role": "share",
                "share_complement": "no", "spread_from": 1, "spread_to": 3, "spread_basis": "present_value",
                "spread_schedule": "green_book_2022_standard",
                "payer": "hmrc", "outcome": "gcse_attainment", "contains": "earnings_tax"},
    ]  # fmt: skip
    frame = pd.DataFrame(rows)
    for column, value in changes.items():
        frame.loc[0, column] = value
    return frame


def full(value: float) -> xr.DataArray:
    return xr.DataArray(np.full((2, 3), value), dims=("chain", "draw"), coords=SAMPLES)


@pytest.fixture
def draws() -> xr.Dataset:
    figures = {"price": 100.0, "share": 0.4, "growth": 0.10, "growth_fade_years": 2.0}
    return xr.Dataset({name: full(value) for name, value in figures.items()}, attrs={"price_base": "2025/26"})


@pytest.fixture
def lives() -> xr.DataArray:
    quantity = xr.DataArray(np.zeros((3, YEARS)), dims=("quantity", "year"))
    quantity = quantity.assign_coords(quantity=["care_years", "first_time_entries", "below_grade_4"], year=range(YEARS))
    quantity.loc[{"quantity": "care_years"}] = [1, 1, 1, 1, 0, 0]
    quantity.loc[{"quantity": "first_time_entries", "year": 1}] = 3
    quantity.loc[{"quantity": "below_grade_4", "year": 0}] = 1
    return quantity * full(1.0)


def priced(draws: xr.Dataset, lives: xr.DataArray, rows: pd.DataFrame) -> tuple[xr.DataArray, ...]:
    factors = appraisal.discount_factors("green_book_2026_standard", range(100))
    prices = costing.unit_prices(rows, draws, local_price=xr.Dataset({"care": full(2.0)}))
    growth = costing.growth_factors(rows, draws, YEARS)
    spread = costing.spread_matrix(rows, YEARS, {"green_book_2022_standard": factors})
    weights = costing.lifetime_weights(growth, spread, factors.sel(year=range(YEARS)))
    return costing.cost(lives, rows, prices, growth, spread), prices, weights, factors


def test_costs_match_a_table_worked_by_hand(draws: xr.Dataset, lives: xr.DataArray) -> None:
    """Care: 200 a year (England's 100 at twice the price), growing 10% then 5% then no more; justice: 300 over
    three years from year 1; tax: 40 whose level flow in years 1-3 has present value 40 at 3.5 per cent."""
    cost = priced(draws, lives, costing.components(table()))[0].isel(chain=0, draw=0)
    assert cost.sel(component="now").values == pytest.approx([200, 220, 231, 231, 0, 0])
    assert cost.sel(component="later").values == pytest.approx([0, 100, 100, 100, 0, 0])
    level = 40 / (1.035**-1 + 1.035**-2 + 1.035**-3)
    assert cost.sel(component="tax").values == pytest.approx([0, level, level, level, 0, 0])
    assert cost.attrs["price_base"] == "2025/26"


def test_lifetime_cost_is_the_present_value_of_the_yearly_cost(draws: xr.Dataset, lives: xr.DataArray) -> None:
    rows = costing.components(table())
    cost, prices, weights, _ = priced(draws, lives, rows)
    yearly = appraisal.present_value(cost, schedule="green_book_2026_standard")
    direct = costing.lifetime_cost(lives, rows, prices, weights)
    xr.testing.assert_allclose(direct.reset_coords(drop=True), yearly.reset_coords(drop=True))


def test_the_programme_is_one_more_component_of_the_council(draws: xr.Dataset, lives: xr.DataArray) -> None:
    options = xr.concat([lives, lives], xr.Variable("option", ["business_as_usual", "investment"]))
    cost = priced(draws, options, costing.components(table()))[0]
    spend = xr.DataArray([[0] * YEARS, [5, 5, 0, 0, 0, 0]], dims=("option", "year"),
                         coords={"option": cost["option"].values, "year": range(YEARS)})  # fmt: skip
    joined = costing.with_programme(cost, spend)
    added = joined.sel(component="programme")
    assert (str(added["outcome"].values), str(added["payer"].values)) == ("programme", "local_authority")
    assert float(joined.sum("component").isel(chain=0, draw=0).sel(option="investment", year=1)) == pytest.approx(
        float(cost.sum("component").isel(chain=0, draw=0).sel(option="investment", year=1)) + 5
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"payer": "moj_police"}, "now: unknown payer 'moj_police'"),
        ({"account": "public"}, "unknown account"),
        ({"outcome": "crime"}, "unknown outcome"),
        ({"contains": "placement;courts"}, "'now' and 'later' both contain"),
    ],
)
def test_bad_components_are_refused_by_name(changes: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        costing.components(table(**changes))


def test_a_quantity_nobody_computes_is_refused(draws: xr.Dataset, lives: xr.DataArray) -> None:
    with pytest.raises(InputError, match="custody_nights"):
        priced(draws, lives, costing.components(table(quantity="custody_nights")))


def test_no_shipped_component_is_counted_twice() -> None:
    """Overlap tags are disjoint, shares of one price sum to it, and what the notes say overlaps is not priced."""
    rows = costing.components(evidence.load_register().tables["cost_components"])
    halves = rows[rows["share_role"] != ""]
    for _, pair in halves.groupby(["quantity", "price_role", "share_role"]):
        assert sorted(pair["share_complement"]) == ["no", "yes"]
    whole = rows[rows["share_role"] == ""]
    assert not whole.duplicated(["quantity", "price_role"]).any()
    register = evidence.load_register()
    prices = register.tables["roles"].set_index("role").loc[sorted(set(rows["price_role"])), "id"]
    containing = ("dv_incident", "domestic_abuse", "exclusion_", "neet_", "jsa_", "crime_violence", "young_homeless")
    assert not prices.str.startswith(containing).any()


def test_a_misaligned_draw_is_refused(draws: xr.Dataset, lives: xr.DataArray) -> None:
    with pytest.raises(InputError, match="draw"):
        priced(draws, lives.assign_coords(draw=[5, 6, 7]), costing.components(table()))
