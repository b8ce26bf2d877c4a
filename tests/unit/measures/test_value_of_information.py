"""What is worth finding out about our own case, on a tree whose answer has a closed form."""

from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
from scipy.stats import norm

from toolkit.measures import value_of_information
from toolkit.report import decision_figures
from toolkit.schema import InputError

CHAINS, DRAWS = 4, 1000
MEAN, BY_EFFECT, BY_PRICE = 100.0, 800.0, 300.0


def exact(spread):
    return spread * norm.pdf(MEAN / spread) - MEAN * norm.cdf(-MEAN / spread)


@pytest.fixture(scope="module")
def run():
    """NPSV = 100 + 800 z1 + 300 z2: z1 the effect of Help on care, z2 a unit cost; all else has no part in it."""
    lattice = norm.ppf((np.arange(1, CHAINS * DRAWS + 1)[:, None] * np.sqrt([2, 3, 5, 7, 11])) % 1)
    effect, price, rate, other, share = (column.reshape(CHAINS, DRAWS) for column in lattice.T)
    dims, coords = ("chain", "draw"), {"chain": range(CHAINS), "draw": range(DRAWS)}
    money = {"units": "GBP", "price_base": "2025/26"}
    figures = xr.Dataset(
        {
            "price_care_year": (dims, 100 + price, money),
            "exchequer_share": (dims, 0.4 + 0.01 * share, {"units": "proportion"}),
            "growth_fade_years": (dims, np.full((CHAINS, DRAWS), 10.0), {"units": "years"}),
        },
        coords=coords,
    )
    nothing = np.zeros_like(effect)  # what is not counted is 0 in every draw
    both = np.stack([np.stack([effect, nothing], -1), np.stack([nothing, other], -1)], -2)
    effects = xr.Dataset(
        {
            "effect": (("chain", "draw", "programme", "outcome"), both),
            "label": ("programme", ["Help", "Hope"]),
            "onset": (("chain", "draw", "programme"), np.full((CHAINS, DRAWS, 2), 0.25)),
        },
        coords={**coords, "programme": ["a", "b"], "outcome": ["care", "gcse_attainment"]},
    )
    rates = np.stack([np.stack([0.2 + 0.01 * rate, 0.3 - 0.01 * rate], -1)], -2)
    posterior = xr.Dataset(
        {"baseline_rate": (("chain", "draw", "indicator", "area"), rates)},
        coords={**coords, "indicator": ["rereferrals"], "area": ["x", "y"]},
    )
    npsv = MEAN + BY_EFFECT * effect + BY_PRICE * price
    result = xr.Dataset(
        {"npsv": ((*dims, "account"), np.stack([npsv, -1e6 + 0 * npsv], -1), money)},
        coords={**coords, "account": ["social", "fiscal"]},
    )
    tree = {"assumptions/draws": figures, "effects": effects, "posterior": posterior, "appraisal": result}
    return SimpleNamespace(
        tree=xr.DataTree.from_dict(tree), scenario=SimpleNamespace(effect=SimpleNamespace(take_up=0.5))
    )


@pytest.fixture(scope="module")
def inputs(run):
    return value_of_information.analyse_inputs(run)


def test_single_values_are_the_exact_ones(inputs):
    table = inputs.information.set_index(set="set")
    for name, spread in (("effect: a: care", BY_EFFECT), ("price_care_year", BY_PRICE)):
        assert float(table["evppi"].sel(set=name)) == pytest.approx(exact(spread), rel=0.03), name
    assert float(table["evppi"].sel(set="effect: b: gcse_attainment")) < 2
    assert float(table["evpi"]) == pytest.approx(exact(np.hypot(BY_EFFECT, BY_PRICE)), rel=0.02)


def test_groups_hold_their_members_and_no_more(inputs):
    table = inputs.information.set_index(set="set")["evppi"]
    assert float(table.sel(set="all effects")) == pytest.approx(exact(BY_EFFECT), rel=0.03)
    assert float(table.sel(set="all unit costs")) == pytest.approx(exact(BY_PRICE), rel=0.03)
    assert float(table.sel(set="all other figures")) < 2
    kinds = dict(zip(inputs.information["set"].values, inputs.information["kind"].values, strict=True))
    assert {name for name, kind in kinds.items() if kind == "group"} <= set(value_of_information.GROUPS)


def test_what_never_varies_is_left_out(inputs):
    # A fixed figure, and a rate whose two areas cancel in the mean to within rounding.
    assert not {"growth_fade_years", "rate: rereferrals", "effect: b: care"} & set(inputs.parameters)
    assert {"effect: a: care", "effect: b: gcse_attainment", "price_care_year", "exchequer_share"} <= set(
        inputs.parameters
    )


def test_effects_are_those_of_each_programme(run, inputs):
    own = run.tree["effects"]["effect"].sel(programme="a", outcome="care")
    np.testing.assert_array_equal(inputs.parameters["effect: a: care"], own)


def test_tornado_and_switching_value(inputs):
    # The widest swing is 2 x 1.645 x 800; the expected gain is nil where the effect is -100 / 800.
    first = inputs.tornado.isel(parameter=0)
    assert first["parameter"].item() == "effect: a: care"
    assert float(first["swing"]) == pytest.approx(2 * norm.ppf(0.95) * BY_EFFECT, rel=0.02)
    switch = inputs.switching.sel(parameter="effect: a: care")
    assert float(switch["switching_value"]) == pytest.approx(-MEAN / BY_EFFECT, abs=0.02)
    assert float(switch["probability"]) == pytest.approx(norm.cdf(-MEAN / BY_EFFECT), abs=0.01)


def test_a_choice_that_no_draw_changes_has_nothing_to_learn(run):
    fiscal = value_of_information.analyse_inputs(run, account="fiscal")
    assert float(fiscal.information["evpi"]) == 0
    assert not fiscal.information["evppi"].values.any()


def test_an_unknown_account_is_refused(run):
    with pytest.raises(InputError, match="private"):
        value_of_information.analyse_inputs(run, account="private")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("effect: triple_p: gcse_attainment", "the effect of Triple P on GCSE attainment"),
        ("rate: care_starts", "the local rate of care starts"),
        ("price_care_year", "the unit cost: care year"),
        ("cost_triple_p", "the unit cost: Triple P"),
        ("cost_hope_grant", "the unit cost: Hope grant"),
        ("all effects", "all effects"),
    ],
)
def test_parameters_have_names_that_read(name, words):
    assert value_of_information.parameter_name(name, {"triple_p": "Triple P"}) == words


def test_figures_name_their_bars_and_units(inputs):
    bars = decision_figures.plot_information(inputs.information, names=inputs.names).axes[0]
    assert bars.get_yticklabels()[-1].get_text() in ("All effects", "Effect of Help on care")
    assert bars.get_xlabel() == "Value of knowing it exactly, £"
    tornado = decision_figures.plot_tornado(inputs.tornado, title="Net present social value", names=inputs.names)
    assert tornado.axes[0].get_yticklabels()[-1].get_text() == "Effect of Help on care"
    assert tornado.axes[0].get_xlabel().endswith(", £")
