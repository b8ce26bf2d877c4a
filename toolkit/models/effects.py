"""What early help changes: the meta-analysis of the studies of effect.

A study s of an outcome says y[s] ~ N(theta[s] + bias[s], se[s]) with theta[s] ~ N(mu, tau) and
bias[s] ~ N(b[design], sigma[design]). Study effect and bias are integrated out exactly:
y[s] ~ N(mu + b, sqrt(se^2 + sigma^2 + tau^2)). What remains is the mean effect mu and the spread
between sites tau, two numbers an outcome, so one vectorised graph serves every outcome and set of
studies without a new compilation, the funnel of few studies is gone, and quadrature is exact.
"""

import math
from collections.abc import Collection, Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd
import pymc as pm
import pytensor.tensor as pt
import xarray as xr
from numpy.typing import NDArray
from pymc.distributions.transforms import log_exp_m1
from scipy.special import logsumexp, ndtr, roots_jacobi

from toolkit.models.scales import LOGISTIC_SD, STANDARDISED, scale_of
from toolkit.schema import EFFECT_OUTCOMES, InputError

NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(5)  # over the log of an unknown standard error
LOG_WEIGHTS = np.log(WEIGHTS / WEIGHTS.sum())
MEAN_POINTS = (61, 121, 301)  # of the grid, in the rounds that close in on the posterior
BETWEEN_POINTS = 121
SIGNIFICANT = 1.96
BOUND = 1.95  # an error rounded from a bound (significant at 5 per cent) gives a ratio just short of 1.96
SELECTION_NODES = 7

Array = NDArray[np.float64]
Selection = float | Literal["prior"] | None


def effect_data(
    studies: pd.DataFrame,
    *,
    priors: pd.DataFrame,
    panel: xr.Dataset | None = None,
    outcomes: Collection[str] = EFFECT_OUTCOMES,
) -> dict[str, Any]:
    """Return the arrays `effects` holds as data; pass them to a compiled model's ``with_data`` to refit.

    Parameters
    ----------
    studies
        From `study_table`.
    priors
        The table of priors: for model ``effects`` normal ``mu_<scale>``, half-normal ``tau_<outcome>``.
    panel
        From `panel_signal`; leave out for the trials alone.
    outcomes
        Order of the outcomes.

    Raises
    ------
    InputError
        A missing prior, or a study of an outcome that is not modelled.
    """
    names = list(outcomes)
    unknown = sorted(set(studies["outcome"]) - set(names))
    if unknown:
        raise InputError(f"studies: outcomes {unknown} are not among {names}. Mend: drop those rows.")
    known, censored = (studies[studies["effect"].notna() == flag] for flag in (True, False))
    data: dict[str, Any] = {
        "effect": known["effect"].to_numpy(float),
        "censored_lower": censored["lower"].to_numpy(float),
        "censored_upper": censored["upper"].to_numpy(float),
        "censored_se": np.outer(censored["se"], np.ones_like(NODES)) * np.exp(np.outer(censored["se_log_sd"], NODES)),
        "between_prior_sd": np.array([prior_of(priors, "effects", f"tau_{name}")[1] for name in names]),
        "standardised": np.array([_scale(studies, name) == STANDARDISED for name in names], float),
    }
    means = np.array([prior_of(priors, "effects", f"mu_{_scale(studies, name)}") for name in names])
    data["mean_prior"], data["mean_prior_sd"] = means.T
    for part, rows in (("study", known), ("censored", censored)):
        data[f"{part}_outcome"] = np.array([names.index(name) for name in rows["outcome"]], dtype="int64")
        data[f"{part}_bias"] = rows["bias_mean"].to_numpy(float)
        data[f"{part}_bias_sd"] = rows["bias_sd"].to_numpy(float)
    data["study_se"] = known["se"].to_numpy(float)
    return data | _panel_data(panel, names)


def _scale(studies: pd.DataFrame, outcome: str) -> str:
    held = studies.loc[studies["outcome"] == outcome, "scale"]
    return str(held.iloc[0]) if len(held) else scale_of(outcome)


def _panel_data(panel: xr.Dataset | None, names: list[str]) -> dict[str, Array]:
    if panel is None:
        none = np.zeros(len(names))
        return {"panel_change": none, "panel_sd": none + 1, "panel_weight": none, "reached_share": none}
    held = panel.reindex(outcome=names)
    sd = np.hypot(held["log_rate_change_sd"].to_numpy(), held["bias_sd"].to_numpy())
    change, share = held["log_rate_change"].to_numpy(), held["reached_share"].to_numpy()
    says = np.isfinite(change) & np.isfinite(sd) & np.isfinite(share)
    return {
        "panel_change": np.where(says, change, 0.0),
        "panel_sd": np.where(says, sd, 1.0),
        "panel_weight": says.astype(float),
        "reached_share": np.where(says, share, 0.0),
    }


def prior_of(priors: pd.DataFrame, model: str, *parameters: str) -> tuple[float, float]:
    """Return the mean (0 for a half-normal) and standard deviation of the first prior the table has.

    Raises
    ------
    InputError
        If the table of priors has none of them, or it is neither normal nor half-normal.
    """
    ours = priors[priors["model"] == model].set_index("parameter")
    for name in parameters:
        if name not in ours.index:
            continue
        kind, first, second = (ours[column][name] for column in ("distribution", "arg1", "arg2"))
        if kind == "normal":
            return float(first), float(second)
        if kind in ("halfnormal", "half_normal"):
            return 0.0, float(first)
        raise InputError(f"priors {model}, {name}: unfit distribution '{kind}'. Mend: use normal or halfnormal.")
    raise InputError(f"priors: model '{model}' has no row for {' or '.join(parameters)}. Mend: add one.")


def shape_of(priors: pd.DataFrame, model: str, parameter: str) -> tuple[float, float]:
    """Return the two arguments of a beta or gamma prior.

    Raises
    ------
    InputError
        If the table of priors has no such row.
    """
    rows = priors[(priors["model"] == model) & (priors["parameter"] == parameter)]
    if len(rows) != 1 or rows["distribution"].iloc[0] not in ("beta", "gamma"):
        raise InputError(f"priors: model '{model}' has no beta or gamma row for {parameter}. Mend: add one.")
    return float(rows["arg1"].iloc[0]), float(rows["arg2"].iloc[0])


def effects(
    studies: pd.DataFrame,
    *,
    priors: pd.DataFrame,
    panel: xr.Dataset | None = None,
    outcomes: Collection[str] = EFFECT_OUTCOMES,
) -> pm.Model:
    """Return the meta-analysis of every outcome as one model.

    Parameters
    ----------
    studies
        From `study_table`.
    priors
        The table of priors; see `effect_data`.
    panel
        From `panel_signal`: also condition on the association of spend with each outcome, the source
        ``combined``. Trials imply log m = log(1 + share (exp(mu) - 1)) for the rate of an area, or for
        attainment a log odds shift of share mu pi / sqrt(3); the panel's estimate is normal about it.
    outcomes
        Order of the outcomes.

    Returns
    -------
    pymc.Model
        ``mean_effect``, ``between_sites`` and the predictive ``new_site_effect``, dims outcome. Every array
        is data: a new study needs no new compilation.

    References
    ----------
    Turner, Spiegelhalter, Smith and Thompson (2009), JRSS A 172: 21-47 (bias-adjusted meta-analysis).
    """
    data = effect_data(studies, priors=priors, panel=panel, outcomes=outcomes)
    with pm.Model(coords={"outcome": list(outcomes)}) as model:
        held = {name: pm.Data(name, value) for name, value in data.items()}
        mean = pm.Normal("mean_effect", held["mean_prior"], held["mean_prior_sd"], dims="outcome")
        # On the log scale a half-normal ends in a wall that long steps hit; softplus makes it a slope.
        scaled = pm.HalfNormal("between_scaled", 1, dims="outcome", default_transform=log_exp_m1)
        between = pm.Deterministic("between_sites", held["between_prior_sd"] * scaled, dims="outcome")
        site = pm.Normal("site", 0, 1, dims="outcome")
        pm.Deterministic("new_site_effect", mean + between * site, dims="outcome")
        pm.Potential("measured", _measured(mean, between, held))
        pm.Potential("unmeasured", _unmeasured(mean, between, held))
        pm.Potential("association", _association(mean, held))
    return model


def _measured(mean: Any, between: Any, held: Mapping[str, Any]) -> Any:
    at = held["study_outcome"]
    sd = pt.sqrt(held["study_se"] ** 2 + held["study_bias_sd"] ** 2 + between[at] ** 2)
    return pm.logp(pm.Normal.dist(mean[at] + held["study_bias"], sd), held["effect"]).sum()


def _unmeasured(mean: Any, between: Any, held: Mapping[str, Any]) -> Any:
    """Log probability that each estimate fell in its interval, over the unknown standard error."""
    at, se = held["censored_outcome"], held["censored_se"]
    sd = pt.sqrt(se**2 + (held["censored_bias_sd"] ** 2 + between[at] ** 2)[:, None])
    centre = (mean[at] + held["censored_bias"])[:, None]
    lower, upper = ((held[f"censored_{end}"][:, None] * se - centre) / sd for end in ("lower", "upper"))
    flip = pt.gt(lower + upper, 0)  # the lower tail is where the logarithm keeps its digits
    unit = pm.Normal.dist(0, 1)
    high = pm.logcdf(unit, pt.switch(flip, -lower, upper))
    low = pm.logcdf(unit, pt.switch(flip, -upper, lower))
    return pm.math.logsumexp(LOG_WEIGHTS + high + pm.math.log1mexp(low - high), axis=1).sum()


def _association(mean: Any, held: Mapping[str, Any]) -> Any:
    share = held["reached_share"]
    implied = pt.switch(held["standardised"], share * mean * LOGISTIC_SD, pt.log1p(share * pt.expm1(mean)))
    log_density = pm.logp(pm.Normal.dist(implied, held["panel_sd"]), held["panel_change"])
    return (held["panel_weight"] * log_density).sum()


def quadrature(
    studies: pd.DataFrame,
    *,
    priors: pd.DataFrame,
    panel: xr.Dataset | None = None,
    outcomes: Collection[str] = EFFECT_OUTCOMES,
    selection: Selection = None,
) -> xr.Dataset:
    """Return the same posterior as `effects`, exactly, on a two-dimensional grid an outcome.

    Parameters
    ----------
    studies, priors, panel, outcomes
        As for `effects`.
    selection
        Chance that a finding without a significant benefit is in the pool, over that of one with: a number
        above 0 and up to 1 (no selection), or "prior" to average over the prior of that chance. A weight
        function with one step: regressions on the standard error (PET-PEESE) and models that estimate
        selection need far more than three to seven studies, so how strong it is stays an assumption.

    Returns
    -------
    Dataset
        ``weight`` (outcome, mean_point, between_point) sums to one over the grid of ``mean_effect``
        (outcome, mean_point) and ``between_sites`` (outcome, between_point); ``log_prior`` and
        ``log_likelihood`` on the same grid; summaries ``mean_effect_mean``, ``mean_effect_sd``,
        ``between_sites_mean``, ``between_sites_sd`` and ``new_site_sd`` (outcome).

    Raises
    ------
    InputError
        As `effect_data`, and for a selection that is no such chance.

    References
    ----------
    Vevea and Woods (2005), Psychological Methods 10: 428-443 (weight functions set beforehand).
    """
    data = effect_data(studies, priors=priors, panel=panel, outcomes=outcomes)
    kept = _selection_nodes(selection, priors)
    grids = [_outcome_grid(data, index, *kept) for index in range(len(list(outcomes)))]
    mean, between, *cells = (np.stack(parts) for parts in zip(*grids, strict=True))
    dims = ("outcome", "mean_point", "between_point")
    grid = xr.Dataset(
        {
            "mean_effect": (("outcome", "mean_point"), mean),
            "between_sites": (("outcome", "between_point"), between),
            **{name: (dims, cell) for name, cell in zip(("weight", "log_prior", "log_likelihood"), cells, strict=True)},
        },
        coords={"outcome": list(outcomes)},
    )
    points = ("mean_point", "between_point")
    for name in ("mean_effect", "between_sites"):
        grid[f"{name}_mean"] = (grid[name] * grid["weight"]).sum(points)
        grid[f"{name}_sd"] = np.sqrt(((grid[name] - grid[f"{name}_mean"]) ** 2 * grid["weight"]).sum(points))
    spread = (grid["between_sites"] ** 2 * grid["weight"]).sum(points)
    return grid.assign(new_site_sd=np.sqrt(grid["mean_effect_sd"] ** 2 + spread))


def _selection_nodes(selection: Selection, priors: pd.DataFrame) -> tuple[Array, Array]:
    """Chances of being in the pool without a significant benefit, and the log of each one's weight."""
    if selection == "prior":
        first, second = shape_of(priors, "effects", "selection_weight")
        nodes, weights = roots_jacobi(SELECTION_NODES, second - 1, first - 1)
        return (1 + nodes) / 2, np.log(weights / weights.sum())
    chance = 1.0 if selection is None else selection
    if isinstance(chance, str) or not 0 < chance <= 1:
        raise InputError(f"selection: {selection!r} is no chance. Mend: give a number above 0 up to 1, or 'prior'.")
    return np.array([float(chance)]), np.zeros(1)


def _outcome_grid(data: Mapping[str, Any], index: int, kept: Array, log_kept: Array) -> tuple[Array, ...]:
    """Grid, weights and their two parts for one outcome; in three rounds the range closes in on the posterior."""
    prior, prior_sd = float(data["mean_prior"][index]), float(data["mean_prior_sd"][index])
    tau_sd = float(data["between_prior_sd"][index])
    between = 5.5 * tau_sd * (np.arange(BETWEEN_POINTS) + 0.5) / BETWEEN_POINTS
    centre, reach = prior, 8 * prior_sd
    for points in MEAN_POINTS:
        mean = np.linspace(centre - reach, centre + reach, points)
        parts = log_kept[:, None, None] + _log_likelihood(data, index, mean[:, None], between, kept)
        log_likelihood = logsumexp(parts, axis=0) if len(kept) > 1 else parts[0]
        log_prior = -0.5 * (((mean[:, None] - prior) / prior_sd) ** 2 + (between / tau_sd) ** 2)
        log_weight = log_prior + log_likelihood
        weight = np.exp(log_weight - log_weight.max())
        weight /= weight.sum()
        centre = float((weight.sum(1) * mean).sum())
        spread = math.sqrt(float((weight.sum(1) * (mean - centre) ** 2).sum()))
        reach = min(reach, 8 * (spread + mean[1] - mean[0]))
    return mean, between, weight, log_prior, log_likelihood


def _log_likelihood(data: Mapping[str, Any], index: int, mean: Array, between: Array, kept: Array) -> Array:
    """Log-likelihood on the grid of one outcome (chance kept, mean, between)."""
    total: Array = np.zeros((len(kept), *np.broadcast_shapes(mean.shape, between.shape)))
    benefit = 1.0 if data["standardised"][index] else -1.0
    kept = kept[:, None, None]
    for row in np.flatnonzero(data["study_outcome"] == index):
        se, effect = data["study_se"][row], data["effect"][row]
        variance = se**2 + data["study_bias_sd"][row] ** 2 + between**2
        gap = effect - mean - data["study_bias"][row]
        total -= 0.5 * gap**2 / variance + 0.5 * np.log(variance)
        if kept.min() < 1:
            # Chance of a significant benefit, and so of being in the pool, before the finding is known.
            chance = ndtr((benefit * (effect - gap) - SIGNIFICANT * se) / np.sqrt(variance))
            total -= np.log(kept + (1 - kept) * chance)
            total += 0.0 if benefit * effect / se >= BOUND else np.log(kept)
    for unknown in np.flatnonzero(data["censored_outcome"] == index):
        total += _interval_log_likelihood(data, int(unknown), mean, between, kept, benefit)
    share = data["reached_share"][index]
    implied = share * mean * LOGISTIC_SD if data["standardised"][index] else np.log1p(share * np.expm1(mean))
    gap = (data["panel_change"][index] - implied) / data["panel_sd"][index]
    total -= data["panel_weight"][index] * 0.5 * gap**2
    return total


def _interval_log_likelihood(
    data: Mapping[str, Any], row: int, mean: Array, between: Array, kept: Array, benefit: float
) -> Array:
    """Log probability of a finding without a number, over the unknown standard error of its study."""
    total: Array = np.zeros(())
    # Where the arms give the error, all nodes are one.
    errors = data["censored_se"][row]
    weights = WEIGHTS / WEIGHTS.sum() if np.ptp(errors) else np.ones(1)
    ends = (data["censored_lower"][row], data["censored_upper"][row])
    centre = mean + data["censored_bias"][row]
    for se, weight in zip(errors, weights, strict=False):
        sd = np.sqrt(se**2 + data["censored_bias_sd"][row] ** 2 + between**2)
        lower, upper = ((end * se - centre) / sd for end in ends)
        flip = lower + upper > 0  # the lower tail is where a small probability keeps its digits
        inside = ndtr(np.where(flip, -lower, upper)) - ndtr(np.where(flip, -upper, lower))
        if kept.min() < 1:
            chance = ndtr((benefit * centre - SIGNIFICANT * se) / sd)
            inside = _selected(inside, chance, kept, [benefit * end for end in ends])
        total = total + weight * inside
    found: Array = np.log(np.maximum(total, 1e-300))
    return found


def _selected(inside: Array, chance: Array, kept: Array, ends: list[float]) -> Array:
    """Probability of a finding in the pool; ``ends`` of its interval are positive towards benefit."""
    reached = kept + (1 - kept) * chance
    if min(ends) >= SIGNIFICANT:
        return inside / reached
    surely = chance if max(ends) > SIGNIFICANT else 0.0  # a benefit of unknown significance may be one
    return (kept * inside + (1 - kept) * surely) / reached
