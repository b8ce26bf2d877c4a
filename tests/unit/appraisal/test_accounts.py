"""An appraisal small enough to work by hand: two draws, three years, five components, no discounting."""

import numpy as np
import pytest
import xarray as xr

from toolkit import appraisal
from toolkit.schema import InputError

COMPONENTS = {
    # component: outcome, payer, account, cashability, cost with business as usual, cost avoided by draw
    "placement": ("care", "local_authority", "fiscal", "cashable", 50.0, (20.0, 0.0)),
    "social_work": ("care", "local_authority", "fiscal", "partly_cashable", 30.0, (10.0, 10.0)),
    "justice": ("youth_justice", "police_and_justice", "fiscal", "non_cashable", 40.0, (10.0, 0.0)),
    "earnings": ("gcse_attainment", "individuals", "economic", "non_cashable", 70.0, (30.0, 30.0)),
    "harm": ("youth_justice", "victims", "social", "non_cashable", 20.0, (5.0, 5.0)),
}
SPEND = 60.0  # in year 0, by the local authority


@pytest.fixture
def costs():
    names = ["programme", *COMPONENTS]
    values = np.zeros((1, 2, 2, 3, len(names)))
    values[:, :, 1, 0, 0] = SPEND
    for position, (*_, price, avoided) in enumerate(COMPONENTS.values(), start=1):
        values[..., position] = price
        values[:, :, 1, 1:, position] -= np.array(avoided)[None, :, None]
    labels = [
        ("programme", "local_authority", "fiscal", "cashable"),
        *(row[:4] for row in COMPONENTS.values()),
    ]
    coordinates = dict(zip(("outcome", "payer", "account", "cashability"), zip(*labels, strict=True), strict=True))
    return xr.DataArray(
        values,
        dims=("chain", "draw", "option", "year", "component"),
        coords={
            "option": ["business_as_usual", "investment"],
            "year": [0, 1, 2],
            "component": names,
            **{name: ("component", list(column)) for name, column in coordinates.items()},
        },
        attrs={"units": "GBP", "price_base": "2025/26"},
        name="costs",
    )


@pytest.fixture
def result(costs):
    return appraisal.appraise(costs, schedule=0.0, cashable_shares={"partly_cashable": 0.5})


def test_accounts_are_cumulative(costs):
    totals = [
        float(appraisal.account_total(costs.sel(option="business_as_usual", year=0, draw=0), account)[0])
        for account in ("fiscal", "economic", "social")
    ]
    assert totals == [120, 190, 210]


def test_present_values_by_hand(result):
    # Two years of avoided cost; draw 0 fiscal 20 + 10 + 10, economic + 30, social + 5; draw 1 loses 20 + 10.
    assert result["npsv"].sel(account="fiscal").values[0].tolist() == [80 - 60, 20 - 60]
    assert result["npsv"].sel(account="economic").values[0].tolist() == [140 - 60, 80 - 60]
    assert result["npsv"].sel(account="social").values[0].tolist() == [150 - 60, 90 - 60]
    assert result["programme_cost"].values[0].tolist() == [60, 60]


def test_benefits_by_outcome_and_payer_add_up_to_the_net_value(result):
    total = result["benefit"].sum(["outcome", "payer"]) - result["programme_cost"]
    xr.testing.assert_allclose(total.drop_attrs(), result["npsv"].transpose(*total.dims).drop_attrs())
    care = result["benefit"].sel(account="fiscal", outcome="care", payer="local_authority").values.ravel()
    assert care.tolist() == [60, 20]


def test_ratios_per_account(result):
    # Means over the two draws: fiscal (80 + 20) / 2 / 60; economic 110 / 60; social 120 / 60.
    assert result["bcr"].values.tolist() == pytest.approx([50 / 60, 110 / 60, 2.0])
    assert result["bcr"].attrs["level"] == 0.90


def test_payback_by_account(result):
    payback = result["payback_year"]
    assert payback.sel(account="fiscal").values[0].tolist() == [2, np.inf]
    assert payback.sel(account="social").values[0].tolist() == [1, 2]
    share = result["probability_paid_back"]
    assert share.sel(account="fiscal").values.tolist() == [0, 0, 0.5]
    assert share.sel(account="social").values.tolist() == [0, 0.5, 1]


def test_who_pays_and_who_gains(result):
    position = result["net_position"].isel(chain=0, draw=0)
    assert position.sel(payer="local_authority").values.tolist() == [-60, 30, 30]
    assert position.sel(payer="victims").values.tolist() == [0, 5, 5]
    assert float(position.sum()) == float(result["npsv"].sel(account="social").isel(chain=0, draw=0))


def test_only_cashable_savings_are_cash(result):
    # Placements in full, half of the social work; the programme's spending is always cash.
    cash = result["cashable_net_position"].isel(chain=0, draw=0)
    assert cash.sel(payer="local_authority").values.tolist() == [-60, 25, 25]
    assert cash.sel(payer="police_and_justice").values.tolist() == [0, 0, 0]
    assert result["council_payback_year"].values[0].tolist() == [np.inf, np.inf]


def test_the_cashable_share_may_be_draws(costs):
    # Draw 0 can cash three quarters of the ten pounds of social work, draw 1 a quarter; placements 20 and 0.
    share = xr.DataArray([[0.75, 0.25]], dims=("chain", "draw"))
    result = appraisal.appraise(costs, schedule=0.0, cashable_shares={"partly_cashable": share})
    cash = result["cashable_net_position"].sel(payer="local_authority", year=1).values
    assert cash.tolist() == [[27.5, 2.5]]
    wrong = share.isel(draw=[0])
    for bad, message in ((wrong, "draw"), (2 * share, "between 0 and 1")):
        with pytest.raises(InputError, match=message):
            appraisal.appraise(costs, schedule=0.0, cashable_shares={"partly_cashable": bad})


def test_partly_cashable_costs_move_in_whole_steps(costs):
    # By hand: placements are cash in full (20 or 0 a year); of ten pounds of social work a year two steps of four fit.
    result = appraisal.appraise(costs, schedule=0.0, cash_step=4.0)
    cash = result["cashable_net_position"].sel(payer="local_authority")
    assert cash.isel(chain=0, draw=0).values.tolist() == [-60, 28, 28]
    whole = appraisal.cashable_savings(costs, cash_step=10.0).sel(component="social_work")
    assert whole.isel(chain=0, draw=0).values.tolist() == [0, 10, 10]
    # More than is saved leaves nothing; what is added needs a whole step.
    assert float(appraisal.cashable_savings(costs, cash_step=11.0).sel(component="social_work").max()) == 0.0
    more = costs.assign_coords(option=costs["option"].values[::-1])
    swapped = appraisal.cashable_savings(more, cash_step=4.0).sel(component="social_work")
    assert swapped.isel(chain=0, draw=0).values.tolist() == [0, -12, -12]
    with pytest.raises(InputError, match="cash_step"):
        appraisal.cashable_savings(costs, cash_step=-1.0)


def mixed(costs, **avoided):
    """Return the costs with some components of the option avoiding other sums in years 1 and 2, alike in every draw."""
    changed = costs.copy(deep=True)
    for name, sum_avoided in avoided.items():
        usual = costs.sel(option="business_as_usual", component=name, year=[1, 2])
        changed.loc[{"option": "investment", "component": name, "year": [1, 2]}] = usual - sum_avoided
    return changed


def test_cash_is_a_share_of_each_component_and_of_a_sum_only_where_its_parts_have_one_sign(costs):
    # By hand: of 20 avoided on social work half is cash; 15 more is spent on justice, none of it cash: cash 10, and 5
    # avoided in all.
    both = mixed(costs, placement=0.0, social_work=20.0, justice=-15.0, earnings=0.0, harm=0.0)
    avoided = both.sel(option="business_as_usual") - both.sel(option="investment")
    cash = appraisal.cashable_savings(both, cashable_shares={"partly_cashable": 0.5})
    one = {"chain": 0, "draw": 0, "year": 1}
    assert float(avoided.isel(one).sum()) == 5.0 and float(cash.isel(one).sum()) == 10.0
    assert bool((abs(cash) <= abs(avoided)).all()) and bool((cash * avoided >= 0).all())


@pytest.mark.parametrize(("saved", "added", "net"), [(100.0, -100.5, -50.0), (100.0, -95.0, 0.0), (100.0, -20.0, 50.0)])
def test_steps_are_of_what_is_left_of_saving_and_added_cost_and_no_part_runs_away(costs, saved, added, net):
    partly = costs.assign_coords(cashability=("component", ["partly_cashable"] * 3 + ["non_cashable"] * 3))
    both = mixed(partly, placement=saved, social_work=added)
    cash = appraisal.cashable_savings(both, cash_step=50.0).isel(chain=0, draw=0, year=1)
    parts = cash.sel(component=["placement", "social_work"]).values
    assert parts.sum() == pytest.approx(net)
    assert (parts <= [saved, added]).all() and (abs(parts - [saved, added]) < 50.0).all()


def test_a_running_total_that_comes_back_to_nil_but_for_rounding_is_ahead(costs):
    # 0.3 is spent and 0.1 and 0.2 come back: in floating point that is a debt of 5.6e-17.
    nil = mixed(costs, placement=0.0, social_work=0.0, justice=0.0, earnings=0.0, harm=0.0)
    nil.loc[{"option": "investment", "component": "programme", "year": 0}] = 0.1 + 0.2
    for year, back in ((1, 0.1), (2, 0.2)):
        nil.loc[{"component": "placement", "year": year, "option": "business_as_usual"}] = back
        nil.loc[{"component": "placement", "year": year, "option": "investment"}] = 0.0
    result = appraisal.appraise(nil, schedule=0.0, cashable_shares={"partly_cashable": 0.5})
    assert result["probability_ahead"].sel(account="fiscal").values.tolist() == [0, 0, 1]
    assert result["probability_paid_back"].sel(account="fiscal").values.tolist() == [0, 0, 1]


def test_health_is_discounted_at_the_health_rates(costs):
    kinds = ["standard"] * 5 + ["health"]  # the harm, five pounds in years 1 and 2
    marked = costs.assign_coords(discounting=("component", kinds))
    shares = {"cashable_shares": {"partly_cashable": 0.5}}
    result = appraisal.appraise(marked, **shares)
    plain = appraisal.appraise(costs, **shares)
    gap = (result["npsv"] - plain["npsv"]).isel(chain=0, draw=0)
    more = 5 / 1.015 + 5 / 1.015**2 - 5 / 1.035 - 5 / 1.035**2
    assert gap.values.tolist() == pytest.approx([0, 0, more])
    assert result.attrs["health_schedule"] == "green_book_2026_health"
    # A sensitivity, or a rate of one's own, applies to everything.
    for schedule in ("green_book_2026_sensitivity", 0.05):
        one, two = (appraisal.appraise(c, schedule=schedule, **shares)["npsv"] for c in (marked, costs))
        xr.testing.assert_allclose(one, two)
    with pytest.raises(InputError, match="luck"):
        appraisal.appraise(costs.assign_coords(discounting=("component", ["luck"] * 6)), **shares)


def test_being_ahead_is_not_the_same_as_having_paid_back(costs):
    # Good in year 1, all lost again in year 2: paid back once, not ahead at the end.
    swing = costs.copy()
    swing.loc[{"option": "investment", "component": "placement", "year": 2}] += 500.0
    result = appraisal.appraise(swing, schedule=0.0, cashable_shares={"partly_cashable": 0.5})
    social = {"account": "social"}
    assert result["probability_ahead"].sel(social).values.tolist() == [0, 0.5, 0]
    assert result["probability_paid_back"].sel(social).values.tolist() == [0, 0.5, 0.5]


def test_discounting_reaches_every_present_value(costs):
    shares = {"partly_cashable": 1.0}
    result = appraisal.appraise(costs, schedule=0.10, cashable_shares=shares)
    expected = 75 / 1.1 + 75 / 1.21 - 60
    assert float(result["npsv"].sel(account="social")[0, 0]) == pytest.approx(expected)
    discounted = result["net_position_discounted"].isel(chain=0, draw=0)
    assert float(discounted.sum()) == pytest.approx(expected)
    assert result.attrs["schedule"] == "constant 0.1"


def test_horizon_counts_years_from_the_base_year(costs):
    result = appraisal.appraise(costs, schedule=0.0, horizon=2, cashable_shares={"partly_cashable": 0.5})
    assert result["year"].values.tolist() == [0, 1]
    assert float(result["npsv"].sel(account="social")[0, 0]) == 75 - 60


def test_areas_are_kept_apart(costs):
    both = xr.concat([costs, 2 * costs], dim="area").assign_attrs(costs.attrs)
    result = appraisal.appraise(both, schedule=0.0, cashable_shares={"partly_cashable": 0.5})
    npsv = result["npsv"].sel(account="social").isel(chain=0, draw=0)
    assert npsv.values.tolist() == [90, 180]
    assert result["bcr"].sel(account="social").values.tolist() == pytest.approx([2, 2])


def test_without_cashability_everything_counts_and_the_result_says_so(costs):
    result = appraisal.appraise(costs.drop_vars("cashability"), schedule=0.0)
    cash = result["cashable_net_position"]
    assert cash.attrs["note"] == "cashability not stated: all counted"
    xr.testing.assert_allclose(cash.drop_attrs(), result["net_position"].drop_attrs())


def test_the_programme_cannot_count_as_a_benefit(costs):
    assert "programme" not in appraisal.appraise(costs.drop_vars("cashability"))["benefit"]["outcome"]


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda c: c, "partly_cashable"),
        (lambda c: c.drop_vars("payer"), "coordinate payer"),
        (lambda c: c.drop_vars("cashability").assign_coords(account=("component", ["public"] * 6)), "public"),
        (lambda c: c.assign_coords(outcome=("component", ["care"] * 6)), "programme"),
        (lambda c: c.sel(option=["investment"]), "business_as_usual"),
        (lambda c: c.drop_attrs(), "units"),
        (lambda c: c.where(c["year"] > 0), "NaN"),
    ],
)
def test_costs_that_break_the_laws_are_refused(costs, break_it, message):
    with pytest.raises(InputError, match=message):
        appraisal.appraise(break_it(costs))


def test_an_unknown_account_is_refused(costs):
    with pytest.raises(InputError, match="treasury"):
        appraisal.account_total(costs, "treasury")


def test_an_appraisal_does_not_depend_on_the_order_of_years(costs):
    costs = costs.assign_coords(lag_years=("component", [0, 1, 1, 0, 0, 0]))
    options = {"schedule": 0.035, "cashable_shares": {"partly_cashable": 0.5}}
    found = appraisal.appraise(costs.isel(year=[1, 2, 0]), **options)
    xr.testing.assert_allclose(found, appraisal.appraise(costs, **options))


@pytest.mark.parametrize(("lags", "years"), [([0.5] * 6, [0, 1, 2]), ([-1] * 6, [0, 1, 2]), ([1] * 6, [0, 2, 4])])
def test_savings_that_cannot_be_moved_to_a_year_are_refused(costs, lags, years):
    lagged = costs.assign_coords(lag_years=("component", lags), year=years)
    with pytest.raises(InputError, match="whole years"):
        appraisal.cashable_savings(lagged, cashable_shares={"partly_cashable": 0.5})
