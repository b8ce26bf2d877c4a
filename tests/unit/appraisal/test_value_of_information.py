"""Value of information against closed forms and an independent program."""

import numpy as np
import pytest
import xarray as xr
from scipy import stats
from scipy.stats import norm

from toolkit import appraisal
from toolkit.appraisal import study_designs
from toolkit.schema import InputError

MEAN = -0.3
WEIGHTS = {"effect": 1.0, "price": 0.6, "uptake": 0.2}
NOISE = 0.5


def unit_normal_loss(deviation, mean=MEAN):
    """Value of learning a normal part of the gain (Raiffa and Schlaifer 1961, section 5.4)."""
    return deviation * norm.pdf(mean / deviation) - abs(mean) * norm.cdf(-abs(mean) / deviation)


@pytest.fixture(scope="module")
def linear():
    """A gain that is linear in independent standard normals: every value has a closed form."""
    generator = np.random.default_rng(7)
    parameters = xr.Dataset({name: ("sample", generator.normal(size=20_000)) for name in WEIGHTS})
    gain = MEAN + sum(weight * parameters[name] for name, weight in WEIGHTS.items())
    gain = gain + NOISE * generator.normal(size=20_000)
    net_benefit = xr.concat([0 * gain, gain], "option").assign_coords(option=["now", "invest"])
    return net_benefit.assign_attrs(units="GBP", price_base="2025/26"), parameters


@pytest.mark.parametrize("method", ["spline", "gp"])
@pytest.mark.parametrize("names", [["effect"], ["price"], ["effect", "price"], ["effect", "price", "uptake"]])
def test_evppi_of_a_linear_gain_is_the_unit_normal_loss(linear, names, method):
    found = appraisal.evppi(*linear, of=[names], method=method)
    expected = unit_normal_loss(np.sqrt(sum(WEIGHTS[name] ** 2 for name in names)))
    error = abs(float(found["evppi"][0]) - expected)
    assert error < 3 * float(found["standard_error"][0])
    assert error < 0.02 * float(found["evpi"])


def test_a_parameter_that_does_nothing_is_worth_its_noise_floor(linear):
    net_benefit, parameters = linear
    idle = parameters.assign(idle=("sample", np.random.default_rng(8).normal(size=20_000)))
    found = appraisal.evppi(net_benefit, idle, of=["idle"])
    assert float(found["share_of_evpi"][0]) < 0.002
    assert 0 <= float(found["noise_floor"][0]) < 0.002 * float(found["evpi"])


def test_standard_error_is_the_spread_over_repetitions():
    generator = np.random.default_rng(11)
    values, errors = [], []
    for _ in range(60):
        effect = generator.normal(size=1000)
        gain = MEAN + effect + NOISE * generator.normal(size=1000)
        net_benefit = xr.DataArray(np.stack([0 * gain, gain]), dims=("option", "sample"))
        found = appraisal.evppi(net_benefit, xr.Dataset({"effect": ("sample", effect)}))
        values.append(float(found["evppi"][0]))
        errors.append(float(found["standard_error"][0]))
    # 60 repetitions give the spread to within about 9 per cent at one deviation.
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.3)


@pytest.mark.parametrize("method", ["spline", "gp"])
def test_evppi_sees_curvature_and_products(method):
    # Gain x * y has no value in either alone; with both, E max(0, xy) = E|xy| / 2 = 1 / pi.
    generator = np.random.default_rng(3)
    parameters = xr.Dataset({name: ("sample", generator.normal(size=10_000)) for name in "xy"})
    gain = parameters["x"] * parameters["y"]
    net_benefit = xr.concat([0 * gain, gain], "option")
    found = appraisal.evppi(net_benefit, parameters, of=["x", ["x", "y"]], method=method)
    assert float(found["evppi"][1]) == pytest.approx(1 / np.pi, rel=0.03)
    assert float(found["evppi"][0]) < 0.03


Z = norm.ppf((np.random.default_rng(12).permutation(10_000) + 0.5) / 10_000)
LONG_TAILS = {
    "log-normal": lambda share: np.exp(2.5 * norm.ppf(share)),
    "gamma": lambda share: stats.gamma.ppf(share, 0.2),
    "beta": lambda share: stats.beta.ppf(share, 0.1, 10),
    "cauchy": stats.cauchy.ppf,
    "uniform": lambda share: share,
}


def worth_of(values, gain, method="spline"):
    """EVPPI of one parameter for a gain over doing nothing, and the regression that read it."""
    net_benefit = xr.DataArray(np.stack([0 * gain, gain]), dims=("option", "sample"))
    found = appraisal.evppi(net_benefit, xr.Dataset({"x": ("sample", values)}), method=method)
    return float(found["evppi"][0]), found["regression"].item()


@pytest.mark.parametrize("method", ["spline", "gp"])
@pytest.mark.parametrize("name", LONG_TAILS)
@pytest.mark.parametrize(("gain", "mean"), [(Z - 0.17, -0.17), (Z**2 - 1.2, None)], ids=["straight", "curved"])
def test_a_long_tail_hides_nothing(name, gain, mean, method):
    # The parameter is a rising function of a standard normal, so learning it is learning the normal.
    noise = np.random.default_rng(13).normal(size=gain.size)
    expected = np.maximum(gain, 0).mean() if mean is None else unit_normal_loss(1.0, mean)
    found, regression = worth_of(LONG_TAILS[name](norm.cdf(Z)), gain + noise, method)
    assert found == pytest.approx(expected, abs=0.015)  # 0.320, and 0.407 for the curved one
    assert regression == {"spline": "splines", "gp": "Gaussian process"}[method]


@pytest.mark.parametrize("method", ["spline", "gp"])
def test_few_values_are_categories(method):
    # Learning which of three is worth a tenth of 4.
    category = np.repeat([0.0, 1.0, 2.0], [4500, 1000, 4500])
    found, regression = worth_of(category, np.array([-1.0, 4.0, -1.0])[category.astype(int)], method)
    assert found == pytest.approx(0.4, rel=1e-3)
    assert regression == {"spline": "categories", "gp": "Gaussian process"}[method]


def test_a_heap_of_values_at_a_bound_hides_nothing():
    # Four in five are exactly 0 and lose 1; the others gain 3.
    values = np.where(norm.cdf(Z) < 0.8, 0.0, Z)
    gain = np.where(values == 0, -1.0, 3.0) + np.random.default_rng(14).normal(size=Z.size)
    assert worth_of(values, gain)[0] == pytest.approx(0.6 - max(0.0, gain.mean()), abs=0.02)


def test_a_gain_in_the_long_tailed_value_itself_is_read_in_full():
    price = np.exp(2.5 * Z)
    assert worth_of(price, price - 40)[0] == pytest.approx(np.maximum(price - 40, 0).mean(), rel=1e-3)


def test_a_category_and_a_number_may_act_through_their_product():
    # Gain x s with s of -1, 2, -1 by category: nothing in either alone, E|x| E|s| / 2 in both.
    category = np.resize(np.repeat([0, 1, 2], [9, 2, 9]), Z.size)
    gain = Z * np.array([-1.0, 2.0, -1.0])[category]
    parameters = xr.Dataset({"x": ("sample", Z), "kind": ("sample", category)})
    net_benefit = xr.DataArray(np.stack([0 * gain, gain]), dims=("option", "sample"))
    found = appraisal.evppi(net_benefit, parameters, of=["kind", ["x", "kind"]])
    assert float(found["evppi"][1]) == pytest.approx(np.sqrt(2 / np.pi) * 1.1 / 2, rel=0.02)
    assert float(found["evppi"][0]) < 0.02
    assert found["regression"].values.tolist() == ["categories", "splines and categories with products of curves"]


def test_products_that_the_draws_do_not_allow_are_said_to_be_left_out(lattice):
    generator = np.random.default_rng(15)
    many = xr.Dataset({f"p{k}": ("sample", generator.normal(size=500)) for k in range(20)})
    gain = many["p0"]
    found = appraisal.evppi(xr.concat([0 * gain, gain], "option"), many, of=[list(many)])
    assert found["regression"].item() == "splines without products"


def test_evppi_agrees_with_an_independent_program(lattice):
    # heormodel 0.7.4, evppi(method="spline"), threshold 12,000, on the same 2,000 draws.
    theirs = {
        ("uptake",): 47.8829,
        ("risk",): 203.4268,
        ("price",): 31.9537,
        ("harm",): 0.5265,
        ("risk", "uptake"): 271.475,
        ("risk", "price", "harm"): 253.5706,
    }
    cost, effect, parameters = lattice(2000)
    found = appraisal.evppi(appraisal.net_benefit(cost, effect, 12_000), parameters, of=list(theirs))
    gap = abs(found["evppi"] - np.array(list(theirs.values())))
    assert (gap < 0.02 * found["evpi"]).all()


def test_sets_are_worth_at_least_what_they_contain(lattice):
    cost, effect, parameters = lattice(500)
    sets = ["risk", ["risk", "harm"], ["risk", "harm", "price"], ["risk", "harm", "price", "uptake"]]
    found = appraisal.evppi(appraisal.net_benefit(cost, effect, 20_000), parameters, of=sets)
    assert (np.diff(found["evppi"]) >= 0).all()
    assert (found["evppi"] <= found["evpi"]).all()
    assert found["set"].values[1] == "risk + harm"


def test_several_thresholds_in_one_call_match_one_at_a_time(lattice):
    cost, effect, parameters = lattice(1000)
    together = appraisal.evppi(appraisal.net_benefit(cost, effect, [5000, 20_000]), parameters)
    alone = appraisal.evppi(appraisal.net_benefit(cost, effect, 20_000), parameters)
    np.testing.assert_allclose(together["evppi"].sel(threshold=20_000), alone["evppi"], rtol=1e-9)
    assert together["evpi"].dims == ("threshold",)


def test_a_parameter_with_elements_is_a_group(lattice):
    cost, effect, parameters = lattice(1000)
    value = appraisal.net_benefit(cost, effect, 12_000)
    grouped = xr.Dataset({"both": parameters[["risk", "uptake"]].to_array("element")})
    one = appraisal.evppi(value, grouped)["evppi"][0]
    two = appraisal.evppi(value, parameters, of=[["risk", "uptake"]])["evppi"][0]
    assert float(one) == pytest.approx(float(two))


def test_a_repeated_parameter_adds_nothing(linear):
    net_benefit, parameters = linear
    doubled = parameters.assign(again=2 * parameters["effect"] + 1)
    found = appraisal.evppi(net_benefit, doubled, of=["effect", ["effect", "again"]])
    assert float(found["evppi"][1]) == pytest.approx(float(found["evppi"][0]), rel=2e-3)


def test_a_yes_or_no_parameter():
    # Half the time the programme gains 2, half it loses 1; knowing which is worth 2 / 2 - 1 / 2.
    works = np.tile([0.0, 1.0], 500)
    gain = 3 * works - 1
    net_benefit = xr.DataArray(np.stack([0 * gain, gain]), dims=("option", "sample"))
    found = appraisal.evppi(net_benefit, xr.Dataset({"works": ("sample", works)}))
    assert float(found["evppi"][0]) == pytest.approx(0.5)


def test_nothing_to_learn_when_one_option_is_always_best():
    draws = np.linspace(0, 1, 200)
    net_benefit = xr.DataArray(np.stack([draws, draws + 1]), dims=("option", "sample"))
    found = appraisal.evppi(net_benefit, xr.Dataset({"x": ("sample", draws)}))
    assert float(found["evppi"][0]) == 0
    assert float(found["share_of_evpi"][0]) == 0


def test_few_draws_warn_with_the_error(lattice):
    cost, effect, parameters = lattice(60)
    with pytest.warns(UserWarning, match=r"only 60 draws: standard errors reach \d"):
        appraisal.evppi(appraisal.net_benefit(cost, effect, 12_000), parameters)


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda p: p.assign(risk=p["risk"] * 0), {}, "never varies"),
        (lambda p: p.assign(risk=p["risk"].where(p["risk"] < 1)), {}, "risk: has NaN"),
        (lambda p: p.isel(sample=slice(0, 50)), {}, "sizes 200 and 50"),
        (lambda p: p.rename(sample="draw").expand_dims(chain=1), {}, "draws are"),
        (lambda p: p, {"of": ["weather"]}, "weather"),
        (lambda p: p, {"of": []}, "no parameters"),
        (lambda p: p, {"method": "forest"}, "forest"),
        (
            lambda p: xr.Dataset({"many": p["risk"] + xr.DataArray(np.arange(200) ** 0.5, dims="j")}),
            {},
            "only 200",
        ),
    ],
)
def test_bad_parameters_are_refused(lattice, change, options, message):
    cost, effect, parameters = lattice(200)
    with pytest.raises(InputError, match=message):
        appraisal.evppi(appraisal.net_benefit(cost, effect, 12_000), change(parameters), **options)


def by_category(gains, sizes, noise=0.0):
    """Net benefits of leaving and buying: buying gains so much in each category, and noise that means nothing."""
    category = np.repeat(np.arange(len(sizes)), sizes)
    gain = np.array(gains, float)[category]
    gain = xr.DataArray(gain + noise * np.random.default_rng(4).standard_normal(gain.size), dims="sample")
    options = xr.concat([0 * gain, gain], "option").assign_attrs(units="GBP", price_base="2025/26")
    return options, xr.DataArray(category, dims="sample")


def test_the_value_of_a_category_by_hand():
    # Bought on average (0.5 x 10 - 0.3 x 4 - 0.2 x 6 = 2.6), but not in the second and third: 1.2 + 1.2 are saved.
    found = appraisal.evppi_of_category(*by_category([10, -4, -6], [50, 30, 20]))
    assert float(found["evppi"]) == pytest.approx(2.4, rel=1e-12)
    assert found["evppi"].attrs["units"] == "GBP"
    # Where every category says buy, or none does, knowing which it is changes nothing.
    for gains in ([10, 4, 1], [-10, -4, -1], [0, 0, 0]):
        assert float(appraisal.evppi_of_category(*by_category(gains, [50, 30, 20]))["evppi"]) == pytest.approx(0)


def test_the_value_of_a_category_is_that_of_the_regression():
    options, category = by_category([10, -4, -6], [5000, 3000, 2000], noise=30.0)
    found = appraisal.evppi_of_category(options, category)
    smooth = appraisal.evppi(options, xr.Dataset({"model": category.astype(float)}))
    assert float(found["evppi"]) == pytest.approx(float(smooth["evppi"][0]), abs=float(smooth["standard_error"][0]))
    assert 0 <= float(found["noise_floor"]) < 0.5


def test_a_category_without_meaning_is_worth_no_more_than_shuffled_ones():
    options, category = by_category([0.0] * 5, [20] * 5, noise=1.0)
    found = appraisal.evppi_of_category(options, category)
    assert float(found["evppi"]) < 3 * float(found["noise_floor"]) and float(found["noise_floor"]) > 0


def test_categories_of_other_draws_are_refused():
    options, category = by_category([1, -1], [5, 5])
    coords = {"sample": np.arange(10)}
    with pytest.raises(InputError, match="sample"):
        appraisal.evppi_of_category(options.assign_coords(coords), category.assign_coords(sample=np.arange(1, 11)))
    with pytest.raises(InputError, match="single option"):
        appraisal.evppi_of_category(options.isel(option=[0]), category)


@pytest.mark.parametrize("method", ["spline", "gp"])
@pytest.mark.parametrize("size", [5, 50])
def test_evsi_of_a_normal_survey_is_the_preposterior_loss(linear, size, method):
    # Conjugate normal: a survey with error variance 4 / n explains 1 / (1 + 4 / n) of the prior variance.
    net_benefit, parameters = linear
    survey = study_designs.survey(value="effect", standard_error=2 / np.sqrt(size))
    found = appraisal.evsi(net_benefit, parameters[["effect"]], survey, method=method)
    expected = unit_normal_loss(np.sqrt(1 / (1 + 4 / size)))
    assert float(found["evsi"]) == pytest.approx(expected, abs=3 * float(found["standard_error"]))
    assert float(found["evsi"]) <= float(found["evppi"]) <= float(found["evpi"])


@pytest.mark.parametrize("seed", [0, 3])
def test_evsi_with_draws_that_a_user_made_with_the_same_seed(seed):
    # Were the survey's noise those draws again, the survey would tell all: 0.264, its EVPPI. Right is the
    # preposterior loss with half the variance explained.
    effect = xr.DataArray(np.random.default_rng(seed).normal(0.3, 1, 10_000), dims="sample")
    net_benefit = xr.concat([0 * effect, effect], "option").assign_coords(option=["now", "invest"])
    survey = study_designs.survey(value="effect", standard_error=1)
    found = appraisal.evsi(net_benefit, xr.Dataset({"effect": effect}), survey, seed=seed)
    expected = unit_normal_loss(np.sqrt(0.5), mean=0.3)
    assert expected == pytest.approx(0.157, abs=0.001)
    assert float(found["evsi"]) == pytest.approx(expected, abs=3 * float(found["standard_error"]))


def test_a_larger_trial_is_worth_more_and_never_more_than_knowing():
    generator = np.random.default_rng(5)
    parameters = xr.Dataset({"log_risk_ratio": ("sample", generator.normal(-0.05, 0.15, 10_000))})
    averted = 0.2 * (1 - np.exp(parameters["log_risk_ratio"]))
    gain = 30_000 * averted - 300
    net_benefit = xr.concat([0 * gain, gain], "option")
    designs = [
        study_designs.trial(baseline=0.2, log_risk_ratio="log_risk_ratio", per_arm=size)
        for size in (100, 1000, 100_000)
    ]
    found = [appraisal.evsi(net_benefit, parameters, design) for design in designs]
    values = [float(one["evsi"]) for one in found]
    assert values == sorted(values)
    assert values[-1] == pytest.approx(float(found[-1]["evppi"]), rel=0.05)
    assert values[0] < 0.6 * values[-1]


def test_summaries_can_be_draws_of_ones_own(linear):
    net_benefit, parameters = linear
    exact = appraisal.evsi(net_benefit, parameters[["effect"]], parameters[["effect"]])
    assert float(exact["evsi"]) == pytest.approx(float(exact["evppi"]))


def test_population_value_discounts_those_reached():
    # 100 a year for three years at 10 per cent: 100 (1 + 1 / 1.1 + 1 / 1.21).
    value = appraisal.population_value(xr.DataArray(2.0), per_year=100, years=3, schedule=0.10)
    assert float(value) == pytest.approx(200 * (1 + 1 / 1.1 + 1 / 1.21))
    with pytest.raises(InputError, match="above 0"):
        appraisal.population_value(xr.DataArray(2.0), per_year=0, years=3)
