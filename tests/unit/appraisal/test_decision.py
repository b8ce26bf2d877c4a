"""Decision functions against hand-worked tables, closed forms and other programs' published examples."""

import math

import numpy as np
import pytest
import xarray as xr
from scipy.stats import norm

from toolkit import appraisal
from toolkit.schema import InputError

OPTIONS = ["a", "b", "c", "d"]


def table(rows, options):
    """Rows are draws, columns options."""
    return xr.DataArray(np.array(rows, float), dims=("sample", "option"), coords={"option": options})


def means(cost, effect, options):
    return table([cost], options), table([effect], options)


def test_icers_on_a_teaching_example():
    # Health Economics Resource Center (US Veterans Affairs), cost-effectiveness analysis; the same table
    # is the test of dampack's calculate_icers (DARTH-git/dampack, tests/testthat/test_calculate_icers.R).
    cost, effect = means([55000, 35000, 25000, 10000, 12000, 5000], [5, 4, 3, 2, 1.5, 1], [*"EDCBA", "UC"])
    found = appraisal.icers(cost, effect)
    assert found["option"].values.tolist() == ["UC", "B", "A", "C", "D", "E"]
    assert found["status"].values.tolist() == [
        "frontier",
        "frontier",
        "dominated",
        "extendedly dominated",
        "frontier",
        "frontier",
    ]
    np.testing.assert_allclose(found["icer"], [np.nan, 5000, np.nan, np.nan, 12500, 20000])
    assert found.attrs["reference"] == "UC"


def test_icers_of_eleven_treatments():
    # Rajasingham et al. (2020) doi:10.1093/cid/ciz318; DARTH-git/dampack, vignettes/cdiff_icers.csv.
    published = {
        "s3": (57336.0059896538, 12.9399639202408, "frontier", np.nan),
        "s27": (57541.2526373815, 13.0140640696275, "frontier", 2769.85470915263),
        "s33": (57642.2587507842, 13.0389116321918, "frontier", 4065.03105249231),
        "s31": (57934.0743411241, 13.0966257932217, "frontier", 5056.2216470406),
        "s43": (58072.1137208494, 13.11285766912, "frontier", 8504.2160616553),
        "s44": (58665.7823044647, 13.1283328397025, "frontier", 38362.6519947134),
        "s39": (57814.6470919581, 13.0462790163185, "extendedly dominated", np.nan),
        "s4": (57887.481549326, 12.9970657153765, "dominated", np.nan),
        "s13": (58018.6252420203, 13.0650412387992, "dominated", np.nan),
        "s37": (58081.7947984323, 13.1029711156978, "dominated", np.nan),
        "s20": (58634.2026441398, 13.1100568867995, "dominated", np.nan),
    }
    costs, effects, statuses, ratios = zip(*published.values(), strict=True)
    cost, effect = means(costs, effects, list(published))
    found = appraisal.icers(cost, effect).sel(option=list(published))
    assert found["status"].values.tolist() == list(statuses)
    np.testing.assert_allclose(found["icer"], ratios, rtol=1e-8)


def test_one_option_may_dominate_all_and_the_reference_can_be_chosen():
    # The three strategies of DARTH-git/dampack issue 37, where one dominates all the others.
    names = ["No treat", "Treat all", "Test and treat"]
    cost, effect = means([163771.0, 164848.7, 163765.1], [6.48273, 6.52861, 6.52861], names)
    found = appraisal.icers(cost, effect, reference="No treat")
    assert found["option"].values[0] == "Test and treat"
    assert found["status"].values.tolist() == ["frontier", "dominated", "dominated"]
    against = found["icer_against_reference"].sel(option="Treat all")
    assert float(against) == pytest.approx((164848.7 - 163771.0) / (6.52861 - 6.48273))
    assert np.isnan(found["icer_against_reference"].sel(option="No treat"))


def test_business_as_usual_is_the_reference_where_there_is_one():
    cost, effect = means([5, 3], [2, 1], ["business_as_usual", "cut"])
    assert appraisal.icers(cost, effect).attrs["reference"] == "business_as_usual"
    with pytest.raises(InputError, match="nothing"):
        appraisal.icers(cost, effect, reference="nothing")


COST = table([[0, 10, 30], [0, 30, 20], [0, 20, 70]], OPTIONS[:3])
EFFECT = table([[0, 2, 3], [0, 1, 3], [0, 2, 3]], OPTIONS[:3])
# At 20 a unit: net benefits (0, 30, 30), (0, -10, 40), (0, 20, -10); b ties with c in the first draw.


def test_net_benefit_and_who_is_best_by_hand():
    value = appraisal.net_benefit(COST, EFFECT, 20)
    assert value.transpose("sample", "option").values.tolist() == [[0, 30, 30], [0, -10, 40], [0, 20, -10]]
    assert appraisal.probability_best(value).values == pytest.approx([0, 1 / 2, 1 / 2])  # half of the first draw each
    # Best in each draw: 30, 40, 20, mean 30; means 0, 40/3, 20.
    assert appraisal.expected_loss(value).values == pytest.approx([30, 30 - 40 / 3, 10])
    assert float(appraisal.evpi(value)) == pytest.approx(10)


def test_the_frontier_is_not_the_upper_edge_of_the_curves():
    # Option b is a little better in two draws of three and far worse in the third.
    cost = table([[0, 0], [0, 0], [0, 0]], ["a", "b"])
    effect = table([[1, 2], [1, 2], [1, -9]], ["a", "b"])
    frontier = appraisal.acceptability_frontier(cost, effect, [1.0])
    assert frontier["best_option"].values.tolist() == ["a"]
    assert frontier["probability"].values == pytest.approx([1 / 3])
    assert appraisal.acceptability_curve(cost, effect, [1.0]).max() == pytest.approx(2 / 3)


def test_a_tie_at_a_corner_is_split_and_named():
    # Issue 19: costs a 1000, b 0; effects a .1, b 0: level at 10,000, whichever is listed first.
    for order in ("ab", "ba"):
        cost, effect = (table([row], [*"ab"]).sel(option=[*order]) for row in ([1000, 0], [0.1, 0]))
        curves = appraisal.decision_curves(cost, effect, [5000, 10_000, 15_000])
        assert curves["probability_best"].sel(option="a").values.tolist() == [0, 0.5, 1]
        assert curves["probability_tied"].values.tolist() == [0, 1, 0]
        assert curves["is_best"].sel(option=["a", "b"]).values.tolist() == [[False, True, True], [True, True, False]]
        assert curves["evpi"].values.tolist() == [0, 0, 0]
        frontier = appraisal.acceptability_frontier(cost, effect, [5000, 10_000, 15_000])
        assert frontier["probability"].values.tolist() == [1, 0.5, 1]
        assert frontier["best_option"].values.tolist() == ["b", order[0], "a"]
        value = appraisal.net_benefit(cost, effect, 10_000)
        assert appraisal.probability_best(value).values.tolist() == [0.5, 0.5]


@pytest.mark.parametrize(
    ("price", "gain"), [(1000.0, 0.05), (0.1 + 0.2, 0.3 / 20_000), (7e8, 0.07 * 1e9 / 2), (700.0, 0.035)]
)
def test_a_dead_heat_but_for_rounding_is_a_tie(price, gain):
    cost, effect = table([[0, price]] * 3, [*"ab"]), table([[0, gain]] * 3, [*"ab"])
    threshold = price / gain
    curves = appraisal.decision_curves(cost, effect, [threshold * (1 + 1e-15)])
    assert curves["probability_best"].values.ravel().tolist() == [0.5, 0.5] and bool(curves["is_best"].all())
    for nudge in (1 - 1e-15, 1 + 1e-15):
        value = appraisal.net_benefit(cost, effect, threshold * nudge)
        assert appraisal.probability_best(value).values.tolist() == [0.5, 0.5] and float(appraisal.evpi(value)) == 0


def test_what_is_more_than_rounding_is_no_tie():
    # A penny in a hundred thousand pounds, and a draw of a millionth the size of the others.
    value = table([[1e5, 1e5 + 0.01], [1e-6, 2e-6], [1e5, 1e5]], [*"ab"])
    assert appraisal.probability_best(value).values == pytest.approx([1 / 6, 5 / 6])
    curves = appraisal.decision_curves(-value, 0 * value, [0.0, 1.0])
    np.testing.assert_allclose(curves["probability_best"], [[1 / 6] * 2, [5 / 6] * 2])
    assert curves["best_option"].values.tolist() == ["b", "b"]


def test_options_alike_in_all_draws_share_every_threshold():
    # The twin of b takes half of what b has without it; what is third is left as it is.
    draws = np.random.default_rng(3).normal([0, 1000, 3000], 300, (500, 3))
    gains = np.random.default_rng(4).normal([0, 0.1, 0.2], 0.05, (500, 3))
    three = [table(one, [*"abc"]) for one in (draws, gains)]
    four = [table(np.c_[one, one[:, 1] * (1 + 1e-16)], [*"abcd"]) for one in (draws, gains)]
    over = np.linspace(0, 40_000, 9)
    alone, twins = (appraisal.decision_curves(*pair, over) for pair in (three, four))
    halves = twins["probability_best"].sel(option=["b", "d"])
    np.testing.assert_allclose(halves, np.tile(alone["probability_best"].sel(option="b") / 2, (2, 1)), atol=1e-12)
    np.testing.assert_allclose(twins["probability_best"].sum("option"), 1.0)
    np.testing.assert_allclose(twins["evpi"], alone["evpi"])
    found = appraisal.icers(*four)
    assert found["status"].to_series()[[*"abcd"]].tolist() == ["frontier", "frontier", "frontier", "tied"]


def test_effects_alike_but_for_rounding_make_no_ladder():
    # Issue 19: 0.3 and 0.30000000000000004 gave a ratio of 18,014,399 billion pounds.
    cost, effect = means([0, 1000], [0.3, 0.1 + 0.2], [*"ba"])
    found = appraisal.icers(cost, effect)
    assert found["status"].to_series()[[*"ba"]].tolist() == ["frontier", "dominated"]
    assert found[["icer", "icer_against_reference"]].to_dataarray().isnull().all()
    level = appraisal.icers(*means([10.0 + 1e-15, 10], [0.1 + 0.2, 0.3], [*"ab"]))
    assert sorted(level["status"].values) == ["frontier", "tied"]


def test_curves_agree_with_an_independent_program(lattice):
    # heormodel 0.7.4 (ceac, evpi and expected_loss) on the same 2,000 draws.
    cost, effect, _ = lattice(2000)
    curves = appraisal.decision_curves(cost, effect, [5000, 12000, 20000, 40000])
    share = [
        [0.861, 0.288, 0.0925, 0.0295],
        [0.085, 0.3565, 0.266, 0.1625],
        [0.0525, 0.3015, 0.4525, 0.398],
        [0.0015, 0.054, 0.189, 0.41],
    ]
    np.testing.assert_allclose(curves["probability_best"], share, atol=1e-12)
    np.testing.assert_allclose(curves["evpi"], [37.029255, 361.447961, 664.549899, 1425.974772], atol=1e-5)
    loss = [2636.740541, 1860.998336, 1567.818237, 1532.603033]
    np.testing.assert_allclose(curves["expected_loss"].sel(option="d"), loss, atol=1e-5)


def test_evpi_of_two_normal_options_is_the_unit_normal_loss():
    # Raiffa and Schlaifer (1961): for a gain of mean m and deviation s, EVPI = s phi(m / s) - m Phi(-m / s).
    draws = np.random.default_rng(1).normal(size=200_000)
    value = table(np.stack([0 * draws, 3.0 + 10 * draws], axis=1), ["a", "b"])
    expected = 10 * norm.pdf(0.3) - 3 * norm.cdf(-0.3)
    assert float(appraisal.evpi(value)) == pytest.approx(expected, rel=0.01)


def test_chains_and_draws_count_together(lattice):
    cost, effect, _ = lattice(2000)
    split = [xr.concat([one[:1000], one[1000:]], "chain").rename(sample="draw") for one in (cost, effect)]
    xr.testing.assert_allclose(
        appraisal.acceptability_curve(*split, [12000.0]),
        appraisal.acceptability_curve(cost, effect, [12000.0]),
    )


def test_certainty_equivalent_of_a_normal_gain():
    # For normal gains it is mean - risk_aversion * variance / 2.
    draws = norm.ppf((np.arange(20_000) + 0.5) / 20_000)
    value = table(np.stack([0 * draws, 5 + 2 * draws], axis=1), ["a", "b"])
    sure = appraisal.certainty_equivalent(value, risk_aversion=0.5)
    assert float(sure.sel(option="b")) == pytest.approx(5 - 0.5 * 4 / 2, abs=0.01)
    neutral = appraisal.certainty_equivalent(value, risk_aversion=0)
    assert float(neutral.sel(option="b")) == pytest.approx(5)
    assert math.isfinite(float(appraisal.certainty_equivalent(1e6 * value, risk_aversion=1.0).sel(option="b")))
    with pytest.raises(InputError, match="negative"):
        appraisal.certainty_equivalent(value, risk_aversion=-1)


@pytest.mark.parametrize(
    ("cost", "effect", "message"),
    [
        (COST.isel(option=[0]), EFFECT.isel(option=[0]), "single option"),
        (COST, EFFECT.isel(sample=slice(0, 2)), "sizes 3 and 2"),
        (COST, EFFECT.assign_coords(option=["a", "b", "z"]), "'c', 'z'"),
        (COST.where(COST != 30), EFFECT, "NaN"),
        (COST, EFFECT.where(EFFECT != 3, np.inf), "infinite"),
        (COST.rename(sample="row"), EFFECT, "rename"),
        (COST.expand_dims(chain=2), EFFECT, "chain"),
        (COST.expand_dims(area=["x"]), EFFECT, "dimensions"),
        (COST.assign_coords(option=["a", "a", "b"]), EFFECT.assign_coords(option=["a", "a", "b"]), "twice"),
    ],
)
def test_costs_and_effects_that_do_not_match_are_refused(cost, effect, message):
    with pytest.raises(InputError, match=message):
        appraisal.net_benefit(cost, effect, 10)


@pytest.mark.parametrize("thresholds", [[10, 5], [5, 5], [0, np.nan], []])
def test_thresholds_must_rise(thresholds):
    with pytest.raises(InputError, match="thresholds"):
        appraisal.acceptability_curve(COST, EFFECT, thresholds)


def test_curves_of_several_areas_at_once_are_refused():
    with pytest.raises(InputError, match="select one"):
        appraisal.decision_curves(COST.expand_dims(area=["x", "y"]), EFFECT.expand_dims(area=["x", "y"]), [1])
