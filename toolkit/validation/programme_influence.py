"""How far the effects of programmes depend on each study, and on their priors."""

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy.special import log_ndtr

from toolkit.models.effects.hierarchy import PARTICLES, design_of, weighted_particles
from toolkit.models.effects.programme_priors import LEVELS, Priors, priors_of
from toolkit.models.effects.streams import Streams
from toolkit.schema import EFFECT_OUTCOMES

Array = NDArray[Any]
POWERS = (0.8, 1.25)
SENSITIVE = 0.05  # distance from which a quantity depends on what was raised to a power
TAIL = 1 / 8000  # probability outside either end of the range of 4,000 draws
SILENT = 1e4  # standard error of a study that is left out: it then says nothing, and all random numbers stay the same


def leave_one_out(
    studies: pd.DataFrame, programmes: pd.DataFrame, priors: pd.DataFrame, *, seed: int, particles: int = PARTICLES
) -> xr.Dataset:
    """Return how far every programme's mean effect moves when each study is left out.

    Parameters
    ----------
    studies, programmes, priors, seed, particles
        As for `sample_programmes`. All samples use the same random numbers, so that their differences are precise.

    Returns
    -------
    Dataset
        ``change`` (study, programme, outcome): mean effect without the study less that with all, as a log hazard ratio
        or standardised mean difference; ``change_error``, its Monte Carlo standard error; ``sd`` (programme, outcome),
        posterior standard deviation with all studies; ``pareto_k`` (study) of the sample without it.

    Raises
    ------
    InputError
        As `sample_programmes`, of the studies that are left.
    """
    prior = priors_of(priors)

    def sample(table: pd.DataFrame) -> tuple[Array, Array, Array, float]:
        values, weights, shape = weighted_particles(design_of(table, programmes), prior, Streams(seed), particles)
        effect = values["programme_effect"]
        mean = np.einsum("n,npk->pk", weights, effect)
        return mean, weights[:, None, None] * (effect - mean), effect, shape

    mean, apart, effect, _ = sample(studies)
    changes, errors, shapes = [], [], []
    for place in range(len(studies)):
        table = studies.reset_index(drop=True)
        table.loc[place, ["effect", "se", "se_log_sd"]] = (0.0, SILENT, 0.0)
        without, moved, _, shape = sample(table)
        changes.append(without - mean)
        errors.append(np.sqrt(((moved - apart) ** 2).sum(0)))
        shapes.append(shape)
    shape_of = (len(studies), *mean.shape)
    dims = ("study", "programme", "outcome")
    return xr.Dataset(
        {
            "change": (dims, np.reshape(changes, shape_of)),
            "change_error": (dims, np.reshape(errors, shape_of)),
            "sd": (dims[1:], np.sqrt((apart * (effect - mean)).sum(0))),
            "pareto_k": ("study", np.array(shapes, float)),
        },
        coords={
            "study": list(studies["study"]),
            "programme": list(programmes["programme"]),
            "outcome": list(EFFECT_OUTCOMES),
        },
        attrs={"units": "log hazard ratio per child served; standardised mean difference for attainment", "seed": seed},
    )


def power_scaling_of_programmes(
    studies: pd.DataFrame, programmes: pd.DataFrame, priors: pd.DataFrame, *, seed: int, particles: int = PARTICLES
) -> pd.DataFrame:
    """Return how far each programme's effect moves when the prior, or the likelihood, is raised to a power near one.

    The prior is that of help in general and of the spreads; what lies between these and the studies stays as it is.

    Parameters
    ----------
    studies, programmes, priors, seed, particles
        As for `sample_programmes`.

    Returns
    -------
    DataFrame
        Index programme and outcome; columns ``prior`` and ``likelihood``, cumulative Jensen-Shannon distance per
        doubling of the power, sensitive from 0.05; ``prior_ratio``, posterior over prior standard deviation.

    Raises
    ------
    InputError
        As `sample_programmes`.

    References
    ----------
    Kallioinen, Paananen, Bürkner and Vehtari (2024), Statistics and Computing 34: 57.
    """
    design, prior = design_of(studies, programmes), priors_of(priors)
    values, weights, _ = weighted_particles(design, prior, Streams(seed), particles)
    logs = {"prior": _log_prior(values, prior), "likelihood": _log_likelihood(values, design.table)}
    scaled = {
        part: [weights * np.exp((power - 1) * (log - log.max())) for power in POWERS] for part, log in logs.items()
    }
    variance = prior.mean_sd**2 + prior.spread["type"] ** 2 + prior.spread["programme"] ** 2
    rows = {}
    for place, programme in enumerate(design.programmes):
        for number, outcome in enumerate(EFFECT_OUTCOMES):
            effect = values["programme_effect"][:, place, number]
            order = np.argsort(effect)
            row = {}
            for part, moved in scaled.items():
                far = [distance(effect[order], weights[order], (each / each.sum())[order]) for each in moved]
                row[part] = float(np.mean([d / abs(np.log2(p)) for d, p in zip(far, POWERS, strict=True)]))
            ratio = np.sqrt(np.cov(effect, aweights=weights, ddof=0) / variance[number])
            rows[programme, outcome] = row | {"prior_ratio": float(ratio)}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis(["programme", "outcome"])


def _log_prior(values: dict[str, Array], prior: Priors) -> Array:
    """Return the log-density of help in general and of the spreads, but for a constant (particle)."""
    standard = (values["mean_effect"] - prior.mean) / prior.mean_sd
    sizes = values["spread"][:, :, 0] / np.array([prior.spread[level][0] for level in LEVELS])
    density: Array = -0.5 * (standard**2).sum(1) - 0.5 * (sizes**2).sum(1)
    return density


def _log_likelihood(values: dict[str, Array], studies: pd.DataFrame) -> Array:
    """Return the log-likelihood of all studies given their own means and errors (particle)."""
    error, residual = values["error"], values["residual"]
    measured = -0.5 * residual**2 - np.log(error)
    centre = values["number"] / error - residual
    low, high = (studies[end].to_numpy() - centre for end in ("lower", "upper"))
    flip = low + high > 0  # the logarithm is precise in the lower tail only
    top, bottom = log_ndtr(np.where(flip, -low, high)), log_ndtr(np.where(flip, -high, low))
    chance = top + np.log1p(-np.exp(bottom - top))
    total: Array = np.where(studies["effect"].isna().to_numpy(), chance, measured).sum(1)
    return total


def distance(values: Array, first: Array, second: Array) -> float:
    """Return the cumulative Jensen-Shannon distance of two distributions on one rising grid, the larger direction's.

    The distance is relative to its range, and its usual threshold assumes the range of some thousand draws.
    """
    below = np.cumsum(first)
    inside = (below > TAIL) & (below < 1 - TAIL)
    values, first, second = values[inside], first[inside], second[inside]
    distances = []
    for order in (slice(None), slice(None, None, -1)):
        p, q = (np.cumsum(weight[order])[:-1].clip(1e-15) for weight in (first, second))
        width, middle = np.abs(np.diff(values))[: len(p)], (p + q) / 2
        total = sum((width * (cdf * np.log2(cdf / middle))).sum() for cdf in (p, q))
        distances.append(np.sqrt(max(0.0, total) / (width * (p + q)).sum()))
    return float(max(distances))


def diagnosis(prior: float, likelihood: float) -> str:
    """Return in words whether a quantity depends on its prior, the data or both."""
    if prior >= SENSITIVE and likelihood >= SENSITIVE:
        return "depends on prior and data alike"
    if prior >= SENSITIVE:
        return "rests on the prior"
    return "rests on the data"
