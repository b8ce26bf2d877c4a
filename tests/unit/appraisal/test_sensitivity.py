"""Sensitivity from draws against closed forms and SALib's own estimates."""

import numpy as np
import pytest
import xarray as xr
from SALib.analyze import sobol as salib_sobol
from SALib.sample import sobol as salib_sample
from scipy.stats import norm

from toolkit import appraisal
from toolkit.schema import InputError

DRAWS = 10_000


@pytest.fixture(scope="module")
def parameters():
    generator = np.random.default_rng(21)
    return xr.Dataset({name: ("sample", generator.normal(size=DRAWS)) for name in ("x", "y", "z")})


def test_tornado_of_a_linear_answer(parameters):
    # 100 + 3x - y: at the 5th and 95th percentiles (1.645 deviations) the answer moves by 3 and by 1 of them.
    answer = (100 + 3 * parameters["x"] - parameters["y"]).assign_attrs(units="GBP", price_base="2025/26")
    bars = appraisal.tornado(answer, parameters)
    assert bars["parameter"].values.tolist() == ["x", "y", "z"]
    end = norm.ppf(0.95)
    assert float(bars["upper_value"][0]) == pytest.approx(end, abs=0.05)
    assert bars["at_lower"].values == pytest.approx([100 - 3 * end, 100 + end, 100], abs=0.15)
    assert bars["at_upper"].values == pytest.approx([100 + 3 * end, 100 - end, 100], abs=0.15)
    assert bars["swing"].values == pytest.approx([6 * end, 2 * end, 0], abs=0.2)
    assert bars.attrs["level"] == 0.90


def test_of_many_parameters_that_mean_nothing_none_is_told_from_chance():
    generator = np.random.default_rng(4)
    many = xr.Dataset({f"p{k}": ("sample", generator.normal(size=1000)) for k in range(150)})
    noise = xr.DataArray(generator.normal(size=1000), dims="sample", attrs={"units": "GBP", "price_base": "2025/26"})
    told = [appraisal.tornado(noise + size * many["p7"], many) for size in (0.0, 0.5)]
    named = [bars["parameter"].values[bars["swing"] > bars["noise_floor"]].tolist() for bars in told]
    assert named == [[], ["p7"]]


def test_two_way_grid_holds_the_product(parameters):
    grid = appraisal.two_way(2 + parameters["x"] * parameters["y"], parameters, of=("x", "y"), points=5)
    expected = 2 + grid["x"] * grid["y"]
    assert grid.dims == ("x", "y")
    assert float(abs(grid - expected).max()) < 0.05


def test_switching_value_of_a_linear_gain(parameters):
    # 2 + 4x + y is expected to be nil at x = -0.5; x lies below it with probability 0.309.
    found = appraisal.switching_values(2 + 4 * parameters["x"] + parameters["y"], parameters)
    assert float(found["switching_value"].sel(parameter="x")) == pytest.approx(-0.5, abs=0.03)
    assert float(found["probability"].sel(parameter="x")) == pytest.approx(norm.cdf(-0.5), abs=0.01)
    assert float(found["switching_value"].sel(parameter="y")) == pytest.approx(-2, abs=0.2)


def test_a_parameter_that_cannot_flip_the_answer_has_no_switching_value(parameters):
    found = appraisal.switching_values(2 + 4 * parameters["x"], parameters)
    assert np.isnan(found["switching_value"].sel(parameter="z"))
    assert found["reading"].sel(parameter="z").item() == "keeps its sign over all draws"
    assert float(found["probability"].sel(parameter="z")) == 0


def test_sobol_of_a_product_in_closed_form(parameters):
    # x + 2y + xz of independent standard normals: variance 1 + 4 + 1, the last shared by x and z.
    answer = parameters["x"] + 2 * parameters["y"] + parameters["x"] * parameters["z"]
    found = appraisal.sobol(answer, parameters)
    assert found["first"].values == pytest.approx([1 / 6, 4 / 6, 0], abs=0.02)
    assert found["total"].values == pytest.approx([2 / 6, 4 / 6, 1 / 6], abs=0.02)
    assert float(found["explained"]) == pytest.approx(1, abs=0.001)


def test_sobol_counts_noise_as_unexplained(parameters):
    noise = np.random.default_rng(22).normal(size=DRAWS)
    with pytest.raises(InputError, match="explains 50% of its variance, under 98%"):
        appraisal.sobol(parameters["x"] + noise, parameters, of=["x"])
    found = appraisal.sobol(parameters["x"] + noise, parameters, of=["x"], least_explained=0)
    assert float(found["first"][0]) == pytest.approx(0.5, abs=4 * float(found["standard_error"][0]))
    assert float(found["explained"]) == pytest.approx(0.5, abs=0.02)


def test_sobol_agrees_with_salib():
    def model(values):
        return np.exp(0.8 * values[:, 0]) * (1 + values[:, 1]) + values[:, 2] ** 2

    problem = {"num_vars": 3, "names": ["a", "b", "c"], "bounds": [[0, 1]] * 3}
    design = salib_sample.sample(problem, 1024, seed=4)
    theirs = salib_sobol.analyze(problem, model(design), seed=4)
    draws = np.random.default_rng(23).uniform(size=(DRAWS, 3))
    parameters = xr.Dataset({name: ("sample", draws[:, place]) for place, name in enumerate("abc")})
    ours = appraisal.sobol(xr.DataArray(model(draws), dims="sample"), parameters)
    np.testing.assert_allclose(ours["first"], theirs["S1"], atol=0.02)
    np.testing.assert_allclose(ours["total"], theirs["ST"], atol=0.02)


def ishigami(drawn):
    """The standard test function, whose indices are known: Ishigami and Homma (1990), a = 7, b = 0.1."""
    return np.sin(drawn["a"]) + 7 * np.sin(drawn["b"]) ** 2 + 0.1 * drawn["c"] ** 4 * np.sin(drawn["a"])


@pytest.fixture(scope="module")
def angles():
    generator = np.random.default_rng(25)
    return xr.Dataset({name: (("chain", "draw"), generator.uniform(-np.pi, np.pi, (4, 4096))) for name in "abc"})


def test_sobol_of_a_model_that_can_be_called(angles):
    found = appraisal.sobol_of_model(ishigami, angles, base=4096)
    assert found["first"].values == pytest.approx([0.314, 0.442, 0.0], abs=0.02)
    assert found["total"].values == pytest.approx([0.558, 0.442, 0.244], abs=0.01)
    assert (abs(found["total"].values - [0.558, 0.442, 0.244]) < 2 * found["total_error"].values).all()
    assert found.attrs["calls"] == 5 * 4096


@pytest.mark.parametrize("method", ["spline", "gp"])
def test_sobol_from_draws_is_refused_where_interactions_are_missed(angles, method):
    with pytest.raises(InputError, match="sobol_of_model"):
        appraisal.sobol(ishigami(angles), angles, method=method)


def test_sobol_of_a_model_samples_a_group_whole():
    # Two elements that are always equal: y = g1 + g2 + x has variance 4 + 1.
    generator = np.random.default_rng(26)
    one, other = generator.normal(size=(2, 4000))
    parameters = xr.Dataset({"g": (("element", "sample"), np.stack([one, one])), "x": ("sample", other)})
    found = appraisal.sobol_of_model(lambda drawn: drawn["g"].sum("element") + drawn["x"], parameters)
    assert found["total"].values == pytest.approx([0.8, 0.2], abs=0.02)
    again = appraisal.sobol_of_model(lambda drawn: drawn["g"].sum("element") + drawn["x"], parameters)
    xr.testing.assert_identical(found, again)


@pytest.mark.parametrize(
    ("model", "change", "options", "message"),
    [
        (ishigami, lambda p: p.assign(c=p["a"] + 0.1 * p["c"]), {}, "'a' and 'c': move together"),
        (ishigami, lambda p: p, {"base": 1000}, "not a power of two"),
        (lambda drawn: drawn["a"][:9], lambda p: p, {"base": 16}, "gave 9 answers for 80 samples"),
        (lambda drawn: 0 * drawn["a"], lambda p: p, {"base": 16}, "all the same"),
        (lambda drawn: np.log(drawn["a"].clip(0)), lambda p: p, {"base": 16}, "infinite"),
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_models_that_cannot_be_sampled_are_refused(angles, model, change, options, message):
    with pytest.raises(InputError, match=message):
        appraisal.sobol_of_model(model, change(angles), **options)


def test_a_tornado_sees_past_a_long_tail():
    z = norm.ppf((np.random.default_rng(27).permutation(4000) + 0.5) / 4000)
    bars = appraisal.tornado(xr.DataArray(z, dims="sample"), xr.Dataset({"x": ("sample", np.exp(2.5 * z))}))
    assert bars["swing"].values == pytest.approx([2 * norm.ppf(0.95)], abs=0.02)


def test_a_contrast_cancels_what_both_share():
    shared = np.random.default_rng(24).normal(0, 1000, 400)
    first = xr.DataArray(shared + 5, dims="sample")
    found = appraisal.contrast(first, xr.DataArray(shared, dims="sample"))
    assert [float(found[name]) for name in ("mean", "lower", "upper")] == pytest.approx([5, 5, 5])
    assert float(found["probability"]) == 1
    assert float(found["correlation"]) == pytest.approx(1) and "luck of a site" in found.attrs["dependence"]
    assert np.isnan(appraisal.contrast(first, xr.zeros_like(first))["correlation"])


def test_a_contrast_shares_ties_to_within_rounding():
    # Higher, lower, level, and level but for rounding: (1 + 0 + 0.5 + 0.5) / 4, whichever of the two is named first.
    first = xr.DataArray([2.0, 1.0, 3.0, 0.1 + 0.2], dims="sample")
    second = xr.DataArray([1.0, 2.0, 3.0, 0.3], dims="sample")
    assert float(appraisal.contrast(first, second)["probability"]) == 0.5
    assert float(appraisal.contrast(second, first)["probability"]) == 0.5
    clear = xr.DataArray([0.5, 0.5, 0.5, 0.2], dims="sample")
    assert float(appraisal.contrast(first, clear)["probability"]) == 1
    assert float(appraisal.contrast(first, first)["probability"]) == 0.5


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p: appraisal.tornado(p["x"].expand_dims(area=["here"]), p), "select one figure"),
        (
            lambda p: appraisal.tornado(p["x"], p.assign(wide=p["x"] * xr.DataArray([1.0, 2.0], dims="j"))),
            "wide",
        ),
        (lambda p: appraisal.tornado(p["x"].where(p["x"] < 1), p), "NaN"),
        (lambda p: appraisal.two_way(p["x"], p, of=("x", "x")), "two different"),
        (lambda p: appraisal.sobol(0 * p["x"], p), "never varies"),
        (lambda p: appraisal.contrast(p["x"], p["x"][:10]), "differ"),
    ],
)
def test_what_cannot_be_answered_is_refused(parameters, call, message):
    with pytest.raises(InputError, match=message):
        call(parameters)
