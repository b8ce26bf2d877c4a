"""Whether a posterior can be used: convergence, effective size, Monte Carlo error, divergences and energy."""

from collections.abc import Callable
from typing import Any

import arviz as az
import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from toolkit.models.outcomes.rates import last_rates
from toolkit.schema import InputError

Array = NDArray[np.float64]

RHAT_BELOW = 1.01
EFFECTIVE_SIZE_ABOVE = 400.0
ENERGY_ABOVE = 0.3
ERROR_BELOW = 0.05  # of a mean, in posterior standard deviations: that of 400 independent draws
TAIL = (0.05, 0.95)  # as in reference 1; ArviZ's default follows its setting stats.ci_prob (0.11 and 0.89)

CURES = {
    "rhat": "run more draws (draws=2000); if it stays, the parameter is poorly identified: tighten its prior",
    "ess_bulk": "run more draws; if only a standard deviation is low, give it a prior that keeps it away from 0",
    "ess_tail": "run more draws; if only a standard deviation is low, give it a prior that keeps it away from 0",
    "monte_carlo_error": "run more draws; a quantity with a few extreme draws needs a narrower prior",
    "divergences": "raise target_accept to 0.95; if they stay, look for a standard deviation near 0",
    "energy": "run a longer tuning (tune=1500); if it stays, non-centre the effects of the widest spread",
}


def diagnose(posterior: xr.DataTree) -> pd.DataFrame:
    """Report every convergence check, with the worst quantity and what to do if the check failed.

    Parameters
    ----------
    posterior
        From :func:`toolkit.models.fitting.fit`. All of its ``posterior`` group is checked, except constants and the NaN
        of years without data. ``area_rate`` is checked in its last year only, from which scenarios start: other
        years are functions of quantities that are checked themselves.

    Returns
    -------
    DataFrame
        One row per check: ``check``, ``quantity`` (the worst), ``value``, ``threshold``, ``passed``, ``cure``
        (empty if passed).

    Raises
    ------
    InputError
        If there are fewer than two chains or four draws, or the groups are missing.

    References
    ----------
    .. [1] Vehtari et al. (2021), Rank-normalization, folding, and localization: an improved R-hat,
       doi:10.1214/20-BA1221: the tails are the 5 and 95 per cent quantiles.
    .. [2] Betancourt (2016), Diagnosing suboptimal cotangent disintegrations, arXiv:1604.00695.
    """
    draws = _quantities(posterior)
    rhat = _worst(draws, lambda values: az.rhat(values, method="rank"), largest=True)
    bulk = _worst(draws, lambda values: az.ess(values, method="bulk"), largest=False)
    tail = _worst(draws, lambda values: az.ess(values, method="tail", prob=TAIL), largest=False)
    error = _worst(draws, _error_of_mean, largest=True)
    divergent = int(posterior["sample_stats"]["diverging"].sum())
    energy = np.asarray(az.bfmi(posterior)["energy"])
    chain = int(np.argmin(energy))
    rows = [
        ("rhat", *rhat, RHAT_BELOW, rhat[1] < RHAT_BELOW),
        ("ess_bulk", *bulk, EFFECTIVE_SIZE_ABOVE, bulk[1] > EFFECTIVE_SIZE_ABOVE),
        ("ess_tail", *tail, EFFECTIVE_SIZE_ABOVE, tail[1] > EFFECTIVE_SIZE_ABOVE),
        ("monte_carlo_error", *error, ERROR_BELOW, error[1] < ERROR_BELOW),
        ("divergences", "all chains", float(divergent), 0.0, divergent == 0),
        ("energy", f"chain {chain}", float(energy[chain]), ENERGY_ABOVE, bool(energy[chain] > ENERGY_ABOVE)),
    ]
    card = pd.DataFrame(rows, columns=["check", "quantity", "value", "threshold", "passed"])
    return card.assign(cure=card["check"].map(CURES).where(~card["passed"], ""))


def passed(report_card: pd.DataFrame) -> bool:
    """Return whether every check of a report card passed."""
    return bool(report_card["passed"].all())


def _quantities(posterior: xr.DataTree) -> xr.Dataset:
    missing = [group for group in ("posterior", "sample_stats") if group not in posterior.children]
    if missing:
        raise InputError(f"diagnose: the posterior has no group {missing}.", fix="pass the result of models.fit.")
    draws = posterior["posterior"].to_dataset()
    if draws.sizes["chain"] < 2 or draws.sizes["draw"] < 4:
        raise InputError("diagnose: needs at least two chains of four draws.", fix="fit with chains=4, draws=1000.")
    if "area_rate" in draws:
        draws = draws.drop_vars("area_rate").assign(area_rate=last_rates(draws["area_rate"]))
    return draws


def _error_of_mean(values: Array) -> Array:
    """Return the Monte Carlo standard error of each mean, in standard deviations of the quantity."""
    return np.asarray(az.mcse(values, method="mean")) / values.std(axis=(0, 1), ddof=1)


def _worst(draws: xr.Dataset, measure: Callable[[Array], Any], *, largest: bool) -> tuple[str, float]:
    """Return the name and value of the worst quantity; one that is not finite counts as worst."""
    worst = ("", -np.inf)
    for name, array in draws.data_vars.items():
        array = array.transpose("chain", "draw", ...)
        values = array.to_numpy().reshape(*array.shape[:2], -1)
        missing = np.isnan(values).all(axis=(0, 1))
        if missing.all():
            return str(name), np.inf if largest else -np.inf
        varying = np.flatnonzero((values != values[:1, :1]).any(axis=(0, 1)) & ~missing)
        if not len(varying):
            continue
        measured = np.asarray(measure(values[..., varying]))
        badness = np.where(np.isfinite(measured), measured if largest else -measured, np.inf)
        at = int(np.argmax(badness))
        if badness[at] > worst[1]:
            worst = (f"{name}{_labels(array, varying[at]) or ''}", float(badness[at]))
    if not worst[0]:
        return "nothing varies", np.inf if largest else -np.inf
    return worst[0], worst[1] if largest else -worst[1]


def _labels(array: xr.DataArray, place: int) -> list[Any]:
    """Return an element's labels, one for each dimension after chain and draw, from its flat position."""
    at = np.unravel_index(place, array.shape[2:])
    return [array[dim].values.tolist()[k] for dim, k in zip(array.dims[2:], at, strict=True)]
