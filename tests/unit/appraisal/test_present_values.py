"""Present values, payback, ratios and cash prices against hand-worked figures."""

import numpy as np
import pytest
import xarray as xr

from toolkit.appraisal import present_values as pv
from toolkit.schema import InputError

MONEY = {"units": "GBP", "price_base": "2025/26"}


def by_year(*rows):
    values = np.array(rows, float)
    return xr.DataArray(
        values, dims=("sample", "year"), coords={"year": range(values.shape[1])}, attrs=MONEY, name="flows"
    )


def draws(*values):
    return xr.DataArray(np.array(values, float), dims="sample", attrs=MONEY)


def test_present_value_by_hand():
    # 100 now, 103.5 in a year and 107.1225 in two are 100 each at 3.5 per cent.
    value = pv.present_value(by_year([100, 103.5, 107.1225]))
    assert float(value[0]) == pytest.approx(300)
    assert value.attrs["schedule"] == "green_book_2026_standard"
    assert value.attrs["timing"] == "start_of_year"
    assert value.attrs["price_base"] == "2025/26"


def test_net_present_social_value_is_discounted_benefit_less_cost():
    net = pv.net_present_social_value(by_year([0, 110]), by_year([60, 0]), schedule=0.10)
    assert float(net[0]) == pytest.approx(40)


def test_unlabelled_years_are_refused():
    with pytest.raises(InputError, match="have no labels"):
        pv.present_value(by_year([1, 2]).drop_vars("year"))


def test_missing_money_is_refused():
    with pytest.raises(InputError, match="NaN"):
        pv.present_value(by_year([1, np.nan]))


@pytest.mark.parametrize(
    ("stream", "first", "stays"),
    [
        ([-100, 60, 40, 5], 2, 2),  # comes back to exactly nil in year 2
        ([-100, 60, 30, 5], np.inf, np.inf),
        ([-100, 120, -50, 40], 1, 3),  # a later cost undoes it for a year
        ([50, -100, 10, 45], 0, 3),  # savings first
        ([0, -100, 100, 0], 2, 2),  # the year before any money moves does not count
        ([0, 0, 0, 0], np.inf, np.inf),
        ([-0.3, 0.1, 0.1, 0.1], 3, 3),  # 0.1 three times is not 0.3 in binary
    ],
)
def test_payback_year(stream, first, stays):
    assert float(pv.payback_year(by_year(stream))[0]) == first
    assert float(pv.payback_year(by_year(stream), stays=True)[0]) == stays


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_a_running_total_that_comes_back_to_nil_is_back_in_either_precision(kind):
    flows = xr.DataArray(np.array([-0.3, 0.1, 0.1, 0.1], kind), {"year": range(4)}, ("year",))
    assert pv.running_total_back(flows).values.tolist() == [False, False, False, True]
    short = flows.copy(data=np.array([-0.3, 0.1, 0.1, 0.0999], kind))
    assert not pv.running_total_back(short).any()


def test_payback_does_not_depend_on_the_order_of_years():
    flows = xr.DataArray([50.0, -100.0, 50.0], dims="year", coords={"year": [1, 0, 2]})
    assert float(pv.payback_year(flows)) == float(pv.payback_year(flows, stays=True)) == 2
    with pytest.raises(InputError, match="a year occurs twice"):
        pv.payback_year(flows.assign_coords(year=[1, 0, 1]))


@pytest.mark.parametrize("kind", ["uint16", "int8"])
def test_money_in_integers_that_wrap_round_is_refused(kind):
    flows = xr.DataArray(np.array([[1, 2], [3, 4]], kind), dims=("sample", "year"), coords={"year": [0, 1]})
    for call in (lambda: pv.payback_year(flows), lambda: pv.net_present_social_value(flows, 2 * flows)):
        with pytest.raises(InputError, match=f"holds {kind} numbers"):
            call()


def test_never_paying_back_stays_in_the_probability():
    share = pv.probability_paid_back(draws(1, 3, np.inf, np.inf), [0, 1, 2, 3, 50])
    assert share.values.tolist() == [0, 0.25, 0.25, 0.5, 0.5]


def test_benefit_cost_ratio_is_a_ratio_of_expectations():
    # Mean of ratios would be (100/10 + 100/190) / 2 = 5.26; the ratio of means is 100 / 100.
    ratio = pv.benefit_cost_ratio(draws(100, 100), draws(10, 190))
    assert float(ratio["ratio"]) == 1
    assert float(ratio["lower"]) == float(ratio["upper"]) == 1
    assert float(ratio["probability_above_one"]) == 0.5


def test_benefit_cost_interval_is_the_benefits_own():
    ratio = pv.benefit_cost_ratio(draws(*range(101)), draws(*[50] * 101), level=0.8)
    assert (float(ratio["lower"]), float(ratio["upper"])) == pytest.approx((10 / 50, 90 / 50))
    assert ratio.attrs["level"] == 0.8


def test_a_cut_reads_as_cost_caused_per_pound_cut():
    ratio = pv.benefit_cost_ratio(draws(-300, -100), draws(-100, -100))
    assert float(ratio["ratio"]) == 2
    assert float(ratio["lower"]) < float(ratio["upper"])
    assert ratio["reading"].item() == "cost caused per pound cut"


def test_no_expected_cost_gives_no_ratio_and_says_so():
    ratio = pv.benefit_cost_ratio(draws(1, 2), draws(0, 0))
    assert np.isnan(ratio["ratio"])
    assert ratio["reading"].item() == "no expected cost, so no ratio"


def test_summary_has_its_level():
    summary = pv.summarise(draws(*range(101)))
    assert [float(summary[name]) for name in ("mean", "median", "lower", "upper")] == pytest.approx([50, 50, 5, 95])
    assert summary.attrs["level"] == 0.90
    assert summary.attrs["price_base"] == "2025/26"


def test_summary_reduces_chain_and_draw_together():
    array = xr.DataArray(np.arange(12.0).reshape(2, 2, 3), dims=("chain", "area", "draw"))
    assert pv.summarise(array)["mean"].values.tolist() == [
        (0 + 1 + 2 + 6 + 7 + 8) / 6,
        (3 + 4 + 5 + 9 + 10 + 11) / 6,
    ]


def test_a_level_in_per_cent_is_refused():
    with pytest.raises(InputError, match=r"0\.90"):
        pv.summarise(draws(1, 2), level=90)


def test_an_array_without_draws_is_refused():
    with pytest.raises(InputError, match="rename"):
        pv.summarise(xr.DataArray([1.0, 2.0], dims="row"))


@pytest.mark.parametrize(
    ("gain", "cost", "expected"),
    [
        (3.0, 2.0, 1.5),
        (3.0, 0.0, np.inf),
        (3.0, -2.0, np.inf),  # pays for itself (Hendren and Sprung-Keyser 2020)
        (-1.0, 2.0, -0.5),
        (-3.0, -2.0, 1.5),  # a cut: what is lost per pound saved
        (-1.0, 0.0, -np.inf),
    ],
)
def test_marginal_value_of_public_funds(gain, cost, expected):
    assert float(pv.marginal_value_of_public_funds(draws(gain), draws(cost))[0]) == expected


def test_cash_prices_compound_inflation_from_the_base_year():
    cash = pv.cash_prices(by_year([100, 100, 100]), inflation={1: 0.02, 2: 0.03})
    np.testing.assert_allclose(cash.values[0], [100, 102, 102 * 1.03])
    assert cash.attrs["price_base"].startswith("nominal")
    np.testing.assert_allclose(pv.cash_prices(by_year([100, 100]), inflation=0.02).values[0], [100, 102])


@pytest.mark.parametrize("inflation", [{1: 0.02}, 2.0])
def test_cash_prices_refuse_missing_or_per_cent_inflation(inflation):
    with pytest.raises(InputError, match="inflation"):
        pv.cash_prices(by_year([100, 100, 100]), inflation=inflation)


def test_cash_prices_take_unsigned_years_and_refuse_earlier_ones():
    real = xr.DataArray([100.0, 100.0], dims="year", coords={"year": np.array([2025, 2027], "uint16")})
    np.testing.assert_allclose(pv.cash_prices(real, inflation=0.1, base_year=2025), [100, 121])
    with pytest.raises(InputError, match="2025 comes before the base year 2026"):
        pv.cash_prices(real, inflation=0.1, base_year=2026)
