"""The meta-analysis on an exact grid of mean effect and spread between sites, with all else integrated out."""

import math
from collections.abc import Collection, Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy.special import logsumexp, ndtr, roots_jacobi

from toolkit.models.effects.model import LOG_WEIGHTS, NODES, SHARE, WEIGHTS, effect_data, shape_of
from toolkit.models.effects.scales import LOGISTIC_SD, SIGNIFICANT
from toolkit.schema import EFFECT_OUTCOMES, InputError

MEAN_POINTS = (41, 81, 161)  # of the grid, in three rounds that narrow its range to the posterior
BETWEEN_POINTS = 121
BOUND = 1.95  # an error derived from a rounded bound (significant at 5 per cent) can give a ratio just below 1.96
SELECTION_NODES, SHARE_NODES = 7, 3

Array = NDArray[np.float64]
Selection = float | Literal["prior"] | None


def quadrature(
    studies: pd.DataFrame,
    *,
    priors: pd.DataFrame,
    panel: xr.Dataset | None = None,
    outcomes: Collection[str] = EFFECT_OUTCOMES,
    selection: Selection = None,
) -> xr.Dataset:
    """Return the same posterior as `effects`, exactly, on a two-dimensional grid for each outcome.

    The share of a programme in the variance is averaged over its prior at each point of the grid.

    Parameters
    ----------
    studies, priors, panel, outcomes
        As for `effects`.
    selection
        Chance that a finding without a significant benefit is in the pool, relative to one with: a number
        above 0 and up to 1 (no selection), or "prior" to average over the prior of that chance. This is a weight
        function with one step. Regressions on the standard error (PET-PEESE) and models that estimate
        selection need far more than three to seven studies, so the strength of selection is an assumption.

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
        As `effect_data`, or if ``selection`` is not a chance.

    References
    ----------
    Vevea and Woods (2005), Psychological Methods 10: 428-443 (weight functions fixed in advance).
    """
    data = effect_data(studies, priors=priors, panel=panel, outcomes=outcomes)
    nodes = _selection_nodes(selection, priors), _beta_nodes(priors, SHARE, SHARE_NODES)
    grids = [_outcome_grid(data, index, *nodes) for index in range(len(list(outcomes)))]
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
    """Return chances of being in the pool without a significant benefit, and the log of their weights."""
    if selection == "prior":
        return _beta_nodes(priors, "selection_weight", SELECTION_NODES)
    chance = 1.0 if selection is None else selection
    if isinstance(chance, str) or not 0 < chance <= 1:
        raise InputError(f"selection: {selection!r} is not a chance.", fix="give a number above 0 up to 1, or 'prior'.")
    return np.array([float(chance)]), np.zeros(1)


def _beta_nodes(priors: pd.DataFrame, parameter: str, count: int) -> tuple[Array, Array]:
    """Return points between 0 and 1 that represent a beta prior, and the log of their weights."""
    first, second = shape_of(priors, "effects", parameter)
    nodes, weights = roots_jacobi(count, second - 1, first - 1)
    return (1 + nodes) / 2, np.log(weights / weights.sum())


def _outcome_grid(
    data: Mapping[str, Any], index: int, inclusion: tuple[Array, Array], share: tuple[Array, Array]
) -> tuple[Array, ...]:
    """Return grid, weights and their two parts for one outcome; three rounds narrow the range to the posterior."""
    prior, prior_sd = float(data["mean_prior"][index]), float(data["mean_prior_sd"][index])
    tau_sd = float(data["between_prior_sd"][index])
    between = 5.5 * tau_sd * (np.arange(BETWEEN_POINTS) + 0.5) / BETWEEN_POINTS
    if not data["programme_nested"][data["programme_outcome"] == index].any():
        share = np.zeros(1), np.zeros(1)  # no programme has two studies, so the share has no effect
    centre, reach = prior, 8 * prior_sd
    for points in MEAN_POINTS:
        last = points == MEAN_POINTS[-1]  # the mean of the nodes is enough to find the range
        (chance, log_chance), (part, log_part) = (nodes if last else _middle(nodes) for nodes in (inclusion, share))
        log_nodes = (log_chance[:, None] + log_part)[..., None, None]
        mean = np.linspace(centre - reach, centre + reach, points)
        parts = log_nodes + _log_likelihood(data, index, mean[:, None], between, chance, part)
        log_likelihood = logsumexp(parts, axis=(0, 1)) if log_nodes.size > 1 else parts[0, 0]
        log_prior = -0.5 * (((mean[:, None] - prior) / prior_sd) ** 2 + (between / tau_sd) ** 2)
        log_weight = log_prior + log_likelihood
        weight = np.exp(log_weight - log_weight.max())
        weight /= weight.sum()
        centre = float((weight.sum(1) * mean).sum())
        spread = math.sqrt(float((weight.sum(1) * (mean - centre) ** 2).sum()))
        reach = min(reach, 8 * spread + 3 * (mean[1] - mean[0]))
    return mean, between, weight, log_prior, log_likelihood


def _middle(nodes: tuple[Array, Array]) -> tuple[Array, Array]:
    return np.atleast_1d((nodes[0] * np.exp(nodes[1])).sum()), np.zeros(1)


def _log_likelihood(
    data: Mapping[str, Any], index: int, mean: Array, between: Array, inclusion: Array, share: Array
) -> Array:
    """Return the log-likelihood on the grid of one outcome (chance of inclusion, share, mean, between)."""
    implied = data["reached_share"][index] * mean * LOGISTIC_SD
    if not data["standardised"][index]:
        implied = np.log1p(data["reached_share"][index] * np.expm1(mean))
    gap = (data["panel_change"][index] - implied) / data["panel_sd"][index]
    shape = (len(inclusion), len(share), *np.broadcast_shapes(mean.shape, between.shape))
    total: Array = np.broadcast_to(-0.5 * data["panel_weight"][index] * gap**2, shape).copy()
    inclusion, share = inclusion[:, None, None, None], share[:, None, None]
    for programme in np.flatnonzero(data["programme_outcome"] == index):
        shared = data["programme_nested"][programme] * share * between**2
        total += _programme_log_likelihood(data, int(programme), mean, between**2 - shared, shared, inclusion)
    return total


def _programme_log_likelihood(
    data: Mapping[str, Any], programme: int, mean: Array, own: Array, shared: Array, inclusion: Array
) -> Array:
    """Return the log-likelihood of the studies of one programme, with its deviation integrated out.

    Given the studies with numbers the deviation is normal; interval findings and selection are averaged over that
    normal. A single interval needs no average: the variance of the deviation is added to its own.
    """
    known, unknown = (np.flatnonzero(data[f"{part}_of"][programme]) for part in ("study", "censored"))
    nothing: Array = np.zeros(())
    total, precision, pull = nothing, nothing, nothing
    for row in known:
        variance = data["study_se"][row] ** 2 + data["study_bias_sd"][row] ** 2 + own
        gap = data["effect"][row] - mean - data["study_bias"][row]
        total = total - 0.5 * gap**2 / variance - 0.5 * np.log(variance)
        precision, pull = precision + 1 / variance, pull + gap / variance
    left = shared / (1 + shared * precision)
    total = total + 0.5 * left * pull**2 - 0.5 * np.log1p(shared * precision)
    selected = known if inclusion.min() < 1 else known[:0]
    if not len(selected) and not len(unknown):
        return total
    single = not data["programme_nested"][programme] or (inclusion.min() == 1 and len(unknown) == 1)
    own = own + left if single else own
    parts = []
    for node, log_weight in [(0.0, 0.0)] if single else zip(NODES, LOG_WEIGHTS, strict=True):
        centre = mean + left * pull + node * np.sqrt(left)
        part = log_weight + nothing
        for row in unknown:
            part = part + _interval_log_likelihood(data, int(row), centre, own, inclusion)
        for row in selected:
            part = part + _selection_log(data, int(row), centre, own, inclusion)
        parts.append(part)
    return total + (logsumexp(np.stack(parts), axis=0) if len(parts) > 1 else parts[0])


def _benefit(data: Mapping[str, Any], outcome: int) -> float:
    return 1.0 if data["standardised"][outcome] else -1.0


def _selection_log(data: Mapping[str, Any], row: int, centre: Array, own: Array, inclusion: Array) -> Array:
    """Return the log of the factor by which selection changes the density of a study's number.

    The chance of a significant benefit, and so of being in the pool, is taken before the finding is known.
    """
    se, benefit = data["study_se"][row], _benefit(data, data["study_outcome"][row])
    sd = np.sqrt(se**2 + data["study_bias_sd"][row] ** 2 + own)
    chance = ndtr((benefit * (centre + data["study_bias"][row]) - SIGNIFICANT * se) / sd)
    ratio = benefit * data["effect"][row] / se
    log_factor: Array = -np.log(inclusion + (1 - inclusion) * chance) + (0.0 if ratio >= BOUND else np.log(inclusion))
    return log_factor


def _interval_log_likelihood(data: Mapping[str, Any], row: int, mean: Array, own: Array, inclusion: Array) -> Array:
    """Return the log-probability of a finding without a number, averaged over its unknown standard error."""
    total: Array = np.zeros(())
    benefit = _benefit(data, data["censored_outcome"][row])
    # If the arms of the study give the error, all nodes are equal.
    errors = data["censored_se"][row]
    weights = WEIGHTS / WEIGHTS.sum() if np.ptp(errors) else np.ones(1)
    ends = (data["censored_lower"][row], data["censored_upper"][row])
    centre = mean + data["censored_bias"][row]
    for se, weight in zip(errors, weights, strict=False):
        sd = np.sqrt(se**2 + data["censored_bias_sd"][row] ** 2 + own)
        lower, upper = ((end * se - centre) / sd for end in ends)
        flip = lower + upper > 0  # small probabilities are precise in the lower tail only
        inside = ndtr(np.where(flip, -lower, upper)) - ndtr(np.where(flip, -upper, lower))
        if inclusion.min() < 1:
            chance = ndtr((benefit * centre - SIGNIFICANT * se) / sd)
            inside = _selected(inside, chance, inclusion, [benefit * end for end in ends])
        total = total + weight * inside
    log_probability: Array = np.log(np.maximum(total, 1e-300))
    return log_probability


def _selected(inside: Array, chance: Array, inclusion: Array, ends: list[float]) -> Array:
    """Return the probability of a finding in the pool; positive ``ends`` of its interval mean benefit."""
    reached = inclusion + (1 - inclusion) * chance
    if min(ends) >= SIGNIFICANT:
        return inside / reached
    surely = chance if max(ends) > SIGNIFICANT else 0.0  # a benefit of unknown significance may be significant
    return (inclusion * inside + (1 - inclusion) * surely) / reached
