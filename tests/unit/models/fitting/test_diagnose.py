"""Each check of a posterior can fail, says where, and says what to do."""

import arviz as az
import numpy as np
import pytest
import xarray as xr
from scipy import stats

from toolkit.models import diagnose, passed
from toolkit.schema import InputError


def tree(values, *, diverging=0, energy=None, name="spend_within"):
    """Draws (chain, draw, indicator) as a posterior with sampler statistics."""
    rng = np.random.default_rng(0)
    chains, draws = values.shape[:2]
    energy = rng.normal(size=(chains, draws)) if energy is None else energy
    flags = np.zeros((chains, draws), bool)
    flags.ravel()[:diverging] = True
    labels = [f"indicator_{i}" for i in range(values.shape[2])]
    dims = ("chain", "draw")
    return xr.DataTree.from_dict(
        {
            "posterior": xr.Dataset({name: ((*dims, "indicator"), values)}, {"indicator": labels}),
            "sample_stats": xr.Dataset({"diverging": (dims, flags), "energy": (dims, energy)}),
        }
    )


def independent(chains=4, draws=500, quantities=3, seed=1):
    return np.random.default_rng(seed).normal(size=(chains, draws, quantities))


def autoregressive(correlation, shape, seed=2):
    """Draws with the given lag-one correlation along axis 1 and unit variance."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=shape)
    for t in range(1, shape[1]):
        values[:, t] = correlation * values[:, t - 1] + np.sqrt(1 - correlation**2) * values[:, t]
    return values


def row(card, check):
    return card.set_index("check").loc[check]


def test_independent_draws_pass_every_check_without_a_cure():
    card = diagnose(tree(independent()))
    assert passed(card)
    assert list(card["check"]) == ["rhat", "ess_bulk", "ess_tail", "monte_carlo_error", "divergences", "energy"]
    assert (card["cure"] == "").all()


def test_a_chain_elsewhere_fails_rhat_and_is_named():
    values = independent()
    values[2, :, 1] += 1.0
    card = diagnose(tree(values))
    assert not passed(card)
    assert row(card, "rhat")["quantity"] == "spend_within['indicator_1']"
    assert row(card, "rhat")["cure"]
    assert not row(card, "rhat")["passed"]


def test_sticky_draws_fail_effective_size():
    # 2,000 draws of an AR(1) with 0.9 carry 2,000 (1 - 0.9) / (1 + 0.9) = 105 (Geyer 1992, section 3.1).
    card = diagnose(tree(autoregressive(0.9, (4, 500, 3))))
    ess = row(card, "ess_bulk")
    assert not ess["passed"]
    assert 50 < ess["value"] < 200


def test_effective_size_of_the_tails_is_that_of_the_ends_of_a_90_per_cent_interval():
    # A draw of a Gaussian AR(1) lies below its 5 per cent quantile with autocorrelation
    # (P(both below) - .05**2) / (.05 * .95) at each lag, which gives the effective size; at 11 per cent it is 17% less.
    both = [
        stats.multivariate_normal.cdf([stats.norm.ppf(0.05)] * 2, cov=[[1, 0.9**k], [0.9**k, 1]]) for k in range(1, 80)
    ]
    right = 80_000 / (1 + 2 * np.sum((np.array(both) - 0.05**2) / (0.05 * 0.95)))
    values = autoregressive(0.9, (8, 10_000, 1))
    ess = row(diagnose(tree(values)), "ess_tail")["value"]
    assert ess == pytest.approx(right, rel=0.08)
    assert ess == min(az.ess(values[..., 0], method="quantile", prob=prob) for prob in (0.05, 0.95))


def test_a_setting_of_arviz_does_not_move_the_tails():
    card = diagnose(tree(autoregressive(0.9, (4, 500, 3))))
    with az.rc_context({"stats.ci_prob": 0.5}):
        assert diagnose(tree(autoregressive(0.9, (4, 500, 3)))).equals(card)


def test_monte_carlo_error_is_that_of_the_mean_in_standard_deviations():
    # 2,000 draws of an AR(1) with 0.9 are worth 105 independent ones for the mean: an error of 1 / sqrt(105).
    found = row(diagnose(tree(autoregressive(0.9, (4, 500, 3)))), "monte_carlo_error")
    assert found["value"] == pytest.approx(1 / np.sqrt(2000 * 0.1 / 1.9), rel=0.2)
    assert not found["passed"] and found["cure"]
    assert row(diagnose(tree(independent())), "monte_carlo_error")["value"] == pytest.approx(
        1 / np.sqrt(2000), rel=0.15
    )


@pytest.mark.parametrize("dims", [(), ("quantity",), ("quantity", "at")])
def test_a_scalar_quantity_and_any_names_of_dimensions_are_checked(dims):
    values = independent(quantities=2 ** len(dims)).reshape(4, 500, *(2 for _ in dims))
    values[2, :, *(-1 for _ in dims)] += 1.0
    posterior = tree(independent())
    posterior["posterior"] = posterior["posterior"].to_dataset().assign(scale=(("chain", "draw", *dims), values))
    assert row(diagnose(posterior), "rhat")["quantity"] == f"scale{[1 for _ in dims] or ''}"


@pytest.mark.parametrize(("values", "named"), [(np.nan, "spend_within"), (0.3, "nothing varies")])
def test_draws_that_are_missing_or_never_move_fail(values, named):
    card = diagnose(tree(np.full((4, 500, 2), values)))
    assert not passed(card)
    assert row(card, "rhat")["quantity"] == named and not row(card, "ess_bulk")["passed"]


def test_one_divergence_fails():
    card = diagnose(tree(independent(), diverging=1))
    assert row(card, "divergences")["value"] == 1
    assert not passed(card)


def test_slow_energy_fails():
    # E-BFMI of an AR(1) is 2 (1 - correlation): 0.1 here.
    card = diagnose(tree(independent(), energy=autoregressive(0.95, (4, 500))))
    energy = row(card, "energy")
    assert not energy["passed"]
    assert energy["value"] < 0.2


def test_constants_and_years_without_data_are_left_out():
    values = independent()
    values[..., 0], values[..., 1] = 1.0, np.nan
    card = diagnose(tree(values))
    assert passed(card)
    assert row(card, "rhat")["quantity"] == "spend_within['indicator_2']"


def test_a_single_nan_draw_fails():
    values = independent()
    values[0, 7, 1] = np.nan
    card = diagnose(tree(values))
    assert not row(card, "rhat")["passed"]
    assert row(card, "rhat")["quantity"] == "spend_within['indicator_1']"


@pytest.mark.parametrize("values", [independent(chains=1), independent(draws=3)])
def test_too_few_draws_are_refused(values):
    with pytest.raises(InputError, match="two chains"):
        diagnose(tree(values))


def test_a_tree_without_sampler_statistics_is_refused():
    only = xr.DataTree.from_dict({"posterior": tree(independent())["posterior"].to_dataset()})
    with pytest.raises(InputError, match="sample_stats"):
        diagnose(only)
