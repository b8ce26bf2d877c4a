import numpy as np
import pandas as pd
import pytest
import xarray as xr

from toolkit import appraisal, costing, evidence
from toolkit.schema import InputError

SAMPLES = {"chain": range(2), "draw": range(3)}
YEARS = 6
AGES = {"neet_years": np.array([0.5, 0.3, 0.2])}
SHARES = xr.Dataset({"homes": 0.25, "others": 0.75})


def table(**changes: object) -> pd.DataFrame:
    """Three components: an immediate one with growth, a spread one, and the taxed half of a present value."""
    base = {
        "outcome": "care",
        "payer": "local_authority",
        "account": "fiscal",
        "times_role": "",
        "share_role": "",
        "share_complement": "",
        "growth_role": "",
        "local_price": "",
        "local_share": "",
        "transfer_to": "",
        "cashability": "cashable",
        "lag_years": 0,
        "discounting": "standard",
        "spread_from": 0,
        "spread_to": 0,
        "spread_basis": "sum",
        "spread_schedule": "",
        "contains": "",
        "reason": "test",
    }
    rows = [
        base
        | {
            "component": "now",
            "quantity": "care_years",
            "price_role": "price",
            "growth_role": "growth",
            "local_price": "care",
            "contains": "placement",
        },
        base
        | {
            "component": "later",
            "quantity": "first_time_entries",
            "price_role": "price",
            "spread_to": 2,
            "payer": "police_and_justice",
            "outcome": "youth_justice",
            "contains": "courts",
        },
        base
        | {
            "component": "tax",
            "quantity": "below_grade_4",
            "price_role": "price",
            "share_role": "share",
            "share_complement": "no",
            "spread_from": 1,
            "spread_to": 3,
            "spread_basis": "present_value",
            "spread_schedule": "green_book_2022_standard",
            "payer": "hmrc",
            "outcome": "gcse_attainment",
            "contains": "earnings_tax",
        },
    ]
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


RULES = pd.DataFrame(
    {
        "tag": ["placement", "courts", "earnings_tax", "benefits", "work", "prison", "scar"],
        "rule": ["once", "once", "once", "once", "apart", "given_justice", "never"],
        "reason": "test.",
    }
)


def checked(frame: pd.DataFrame, **given: str) -> pd.DataFrame:
    return costing.components(frame, RULES, given=given)


def priced(draws: xr.Dataset, lives: xr.DataArray, rows: pd.DataFrame) -> tuple[xr.DataArray, ...]:
    factors = appraisal.discount_factors("green_book_2026_standard", range(100))
    prices = costing.unit_prices(rows, draws, local_price=xr.Dataset({"care": full(2.0)}), shares=SHARES)
    growth = costing.growth_factors(rows, draws, YEARS)
    spread = costing.spread_matrix(rows, YEARS, {"green_book_2022_standard": factors}, AGES)
    weights = costing.lifetime_weights(growth, spread, factors.sel(year=range(YEARS)))
    return costing.cost(lives, rows, prices, growth, spread), prices, weights, factors


def test_costs_match_a_table_worked_by_hand(draws: xr.Dataset, lives: xr.DataArray) -> None:
    """Care: 200 a year (England's 100 at twice the price), growing 10% then 5% then no more; justice: 300 over
    three years from year 1; tax: 40 whose level flow in years 1-3 has present value 40 at 3.5 per cent."""
    cost = priced(draws, lives, checked(table()))[0].isel(chain=0, draw=0)
    assert cost.sel(component="now").values == pytest.approx([200, 220, 231, 231, 0, 0])
    assert cost.sel(component="later").values == pytest.approx([0, 100, 100, 100, 0, 0])
    level = 40 / (1.035**-1 + 1.035**-2 + 1.035**-3)
    assert cost.sel(component="tax").values == pytest.approx([0, level, level, level, 0, 0])
    assert cost.attrs["price_base"] == "2025/26"


def test_lifetime_cost_is_the_present_value_of_the_yearly_cost(draws: xr.Dataset, lives: xr.DataArray) -> None:
    rows = checked(table())
    cost, prices, weights, _ = priced(draws, lives, rows)
    yearly = appraisal.present_value(cost, schedule="green_book_2026_standard")
    direct = costing.lifetime_cost(lives, rows, prices, weights)
    xr.testing.assert_allclose(direct.reset_coords(drop=True), yearly.reset_coords(drop=True))


def test_a_plan_is_one_more_component_of_each_whose_money_it_is(draws: xr.Dataset, lives: xr.DataArray) -> None:
    options = xr.concat([lives, lives], xr.Variable("option", ["business_as_usual", "investment"]))
    cost = priced(draws, options, checked(table()))[0]
    council = xr.DataArray([5, 5, 0, 0, 0, 0], {"year": range(YEARS)}, "year")
    joined = costing.with_programme(cost, {"local_authority": council, "central_government": 2 * council})
    added = joined.sel(component=["programme_local_authority", "programme_central_government"])
    assert added["outcome"].values.tolist() == ["programme"] * 2
    assert added["payer"].values.tolist() == ["local_authority", "central_government"]
    assert not added.sel(option="business_as_usual").any()
    assert float(joined.sum("component").isel(chain=0, draw=0).sel(option="investment", year=1)) == pytest.approx(
        float(cost.sum("component").isel(chain=0, draw=0).sel(option="investment", year=1)) + 5 + 10
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"payer": "moj_police"}, "now: unknown payer 'moj_police'"),
        ({"account": "public"}, "unknown account"),
        ({"outcome": "crime"}, "unknown outcome"),
        ({"payer": "dwp"}, "now: a transfer. Fix: say in transfer_to"),
        ({"transfer_to": "people"}, "unknown transfer_to 'people'"),
        ({"contains": "placement;bail"}, "tag 'bail' has no rule"),
        ({"contains": ""}, "now: does not state what it contains"),
        ({"contains": "scar"}, "against its rule 'never'"),
        ({"contains": "placement;courts"}, r"\['now', 'later'\] share 'courts', against its rule 'once'"),
    ],
)
def test_bad_components_are_refused_by_name(changes: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        checked(table(**changes))


def test_a_quantity_nobody_computes_is_refused(draws: xr.Dataset, lives: xr.DataArray) -> None:
    with pytest.raises(InputError, match="custody_nights"):
        priced(draws, lives, checked(table(quantity="custody_nights")))


def test_components_that_a_rule_keeps_apart_may_share_a_tag_and_others_may_not() -> None:
    prison = table(contains="prison")
    prison.loc[1, "contains"] = "prison"
    checked(prison, first_time_entries="justice")  # one of them is net of those the other counts
    with pytest.raises(InputError, match="against its rule 'given_justice'"):
        checked(prison)
    work = table(contains="work")
    work.loc[1, "contains"] = "work"
    assert len(checked(work)) == 3  # on different quantities
    work.loc[1, "quantity"] = "care_years"
    work.loc[1, "price_role"] = "other_price"
    with pytest.raises(InputError, match="against its rule 'apart'"):
        checked(work)


def test_the_same_price_on_the_same_quantity_is_refused() -> None:
    again = pd.concat([table(), table().iloc[[0]].assign(component="once_more", contains="benefits")])
    with pytest.raises(InputError, match=r"once_more: .*prices the same as an earlier row"):
        checked(again)


def test_a_transfer_counts_in_the_fiscal_account_only(draws: xr.Dataset, lives: xr.DataArray) -> None:
    rows = checked(table(payer="dwp", transfer_to="individuals"))
    assert rows.loc["now_received", ["payer", "account", "sign"]].tolist() == ["individuals", "economic", -1.0]
    cost = priced(draws, lives, rows)[0].sel(component=["now", "now_received"]).isel(chain=0, draw=0)
    assert appraisal.account_total(cost, "fiscal").values == pytest.approx([200, 220, 231, 231, 0, 0])
    for account in ("economic", "social"):
        assert appraisal.account_total(cost, account).values == pytest.approx(np.zeros(YEARS), abs=1e-9)


def test_parts_of_one_price_add_up_to_it(draws: xr.Dataset, lives: xr.DataArray) -> None:
    whole = priced(draws, lives, checked(table()))[0].sel(component="now")
    parts = pd.concat([table(local_share="homes"), table(local_share="others", component="rest").iloc[[0]]])
    parts.loc[parts["component"] == "rest", "contains"] = "benefits"
    cost = priced(draws, lives, checked(parts))[0].sel(component=["now", "rest"])
    np.testing.assert_allclose(cost.sum("component"), whole)


def test_an_adult_layer_is_spread_over_its_ages(draws: xr.Dataset, lives: xr.DataArray) -> None:
    rows = checked(table(quantity="neet_years", spread_basis="ages", growth_role="", local_price=""))
    cost = priced(draws, lives.assign_coords(quantity=["neet_years", *lives["quantity"].values[1:]]), rows)[0]
    # One year a year from year 0 to 3, each paid 50, 30 and 20 pounds in the three years from its date.
    assert cost.sel(component="now").isel(chain=0, draw=0).values == pytest.approx([50, 80, 100, 100, 50, 20])


def test_events_may_be_summed_over_areas_before_they_are_spread(draws: xr.Dataset, lives: xr.DataArray) -> None:
    rows = checked(table())
    cost, prices, _, _ = priced(draws, lives, rows)
    growth = costing.growth_factors(rows, draws, YEARS)
    factors = appraisal.discount_factors("green_book_2022_standard", range(100))
    spread = costing.spread_matrix(rows, YEARS, {"green_book_2022_standard": factors}, AGES)
    short = lives.isel(year=slice(0, 4))  # events end before the horizon does
    two = costing.event_values(short, rows, prices) + costing.event_values(2 * short, rows, prices)
    names = {name: ("component", prices[name].values) for name in costing.COORDINATES}
    summed = two.assign_coords(names).assign_attrs(prices.attrs)
    np.testing.assert_allclose(costing.over_years(summed, growth, spread), 3 * cost)


def test_no_shipped_component_is_counted_twice() -> None:
    """Every tag is held as its rule says, shares of one price sum to it, and what overlaps is not priced."""
    tables = evidence.load_register().tables
    given = dict(zip(tables["layers"]["layer"], tables["layers"]["given"], strict=True))
    rows = costing.components(
        evidence.with_options(tables["cost_components"], tables["cost_options"], ()), tables["overlaps"], given=given
    )
    paid = rows[rows["sign"] > 0]
    for _, parts in paid[paid["share_role"] != ""].groupby(["quantity", "price_role", "share_role"]):
        assert len(parts) == 1 or sorted(parts["share_complement"]) == ["no", "yes"]
    placements = paid[(paid["price_role"] == "price_care_year") & (paid["quantity"] == "care_years")]
    assert set(placements["local_share"]) == {"residential_share", "fostering_share", "other_share"}
    used = {tag for tags in paid["contains"] for tag in tags.split(";")}
    rules = tables["overlaps"].set_index("tag")["rule"]
    assert used == set(rules.index[rules != "never"]), "a rule that no component needs"
    prices = tables["roles"].set_index("role").loc[sorted(set(rows["price_role"])), "id"]
    homeless = tuple(f"young_homeless_{part}" for part in ("output", "lower", "justice", "social_security", "mental"))
    excluded = tuple(f"exclusion_{part}" for part in ("year_crime", "year_health", "year_fiscal", "lifetime"))
    others = ("dv_incident", "domestic_abuse", "jsa_", "crime_violence", "neet_scar")
    containing = (*homeless, *excluded, *others)
    assert not prices.str.startswith(containing).any()
    benefits = paid[paid["payer"] == "dwp"]
    assert (benefits["transfer_to"] == "individuals").all() and (benefits["account"] == "fiscal").all()


def test_a_misaligned_draw_is_refused(draws: xr.Dataset, lives: xr.DataArray) -> None:
    with pytest.raises(InputError, match="draw"):
        priced(draws, lives.assign_coords(draw=[5, 6, 7]), checked(table()))
