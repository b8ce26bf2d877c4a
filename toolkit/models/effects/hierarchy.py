"""The effect of each programme on each outcome: programmes within types, from all studies at once.

A study s of outcome k reports y[s] ~ N(d[s] theta[s] + b[s], se[s]), where d is the share of those counted whom the
programme serves, b the bias of the design, shared within an evaluation, and

    theta[s] = mu[k] + u[type, k] + w[programme, k] + v[s],

the effect on a child served: of help in general, what is peculiar to the type, to the programme, and to the evaluation.
An effect is flat to the follow-up at which it was seen, so that no study is faded here.

Given the spreads, everything is normal but for findings without a number and errors known only by a bound. So particles
are drawn from the prior of the spreads, correlations, shares and unknown errors, and get a number for each finding
without one; the normal part is conditioned on all numbers exactly, and the particles are weighted by their density.
`programme_model` is the same model in PyMC, to check it against.
"""

from typing import Any, NamedTuple

import arviz  # noqa: F401 - gives arrays their statistics
import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy.special import log_ndtr, ndtr, ndtri, ndtri_exp

from toolkit.models.effects.programme_priors import LEVELS, Priors, priors_of
from toolkit.models.effects.selection import log_selection
from toolkit.models.effects.streams import PURPOSE, Streams
from toolkit.schema import EFFECT_OUTCOMES, SAMPLE_DIMS, InputError

Array = NDArray[Any]
PARTICLES = 24_000
CHUNK = 2_000  # particles at a time, to bound memory
TRUSTED_SHAPE = 0.7  # Pareto k-hat from which weighted means converge too slowly
LEAST_EFFECTIVE = 400.0
EVEN = 0.9  # share of effective particles from which weights are all nearly alike, and have no tail to judge


class Design(NamedTuple):
    """Where each study stands: its outcome, programme, type and evaluation, as positions; and its numbers."""

    programmes: list[str]
    types: list[str]
    type_of: Array
    outcome: Array
    programme: Array
    type: Array
    evaluation: Array
    table: pd.DataFrame  # of the studies, by name
    studies: list[str]
    evaluations: list[str]


def design_of(studies: pd.DataFrame, programmes: pd.DataFrame) -> Design:
    """Return where each study stands among the programmes of the table ``programmes``."""
    names, types = list(programmes["programme"]), sorted(set(programmes["programme_type"]))
    studies = studies.sort_values("study", ignore_index=True)
    type_of = np.array([types.index(kind) for kind in programmes["programme_type"]])
    programme = np.array([names.index(name) for name in studies["programme"]], int)
    evaluations = sorted(set(studies["evaluation"]))
    return Design(
        names,
        types,
        type_of,
        np.array([EFFECT_OUTCOMES.index(name) for name in studies["outcome"]], int),
        programme,
        type_of[programme],
        np.array([evaluations.index(name) for name in studies["evaluation"]], int),
        studies,
        list(studies["study"]),
        evaluations,
    )


def sample_programmes(
    studies: pd.DataFrame,
    programmes: pd.DataFrame,
    priors: pd.DataFrame,
    *,
    like: xr.Dataset | xr.DataArray,
    seed: int,
    particles: int = PARTICLES,
    refuse: bool = True,
    purpose: str = PURPOSE,
    selection: float = 1.0,
) -> xr.Dataset:
    """Draw the mean effect of every programme on every outcome, given all studies, by importance sampling.

    Parameters
    ----------
    studies
        From `programme_studies`; it may be empty, which gives the prior.
    programmes
        The table ``programmes``: ``programme`` and ``programme_type``.
    priors
        The table of priors, with the rows of the model ``programmes``.
    like
        Has the chain and draw labels to use.
    seed
        The same seed and studies give the same draws, in whatever order rows stand.
    particles
        Draws from the prior that are weighted; the result is resampled from them.
    refuse
        Whether to refuse a result that is not reliable; a calibration must rank it all the same.
    purpose
        Of the random numbers: another one gives draws that are independent of these.
    selection
        Chance that a finding without a significant benefit is published, relative to one with: a sensitivity, as for
        `log_selection`; 1 is no selection.

    Returns
    -------
    Dataset
        ``programme_effect`` (chain, draw, programme, outcome), ``type_effect`` (..., programme_type, outcome) and
        ``mean_effect`` (..., outcome): effect on a child served, before scale-up, as a log hazard ratio where harm is
        positive, for attainment a standardised mean difference where benefit is; ``spread`` (..., level, outcome),
        standard deviation between types, programmes of a type, and evaluations of a programme; ``take_up`` (...,
        programme), the share of those counted whom it serves, 1 where its studies count only these; ``evidence``
        (programme, outcome): "own", "type" or "none", whose studies there are; ``type_of`` (programme). Attributes
        ``pareto_k`` and ``effective`` (particles).

    Raises
    ------
    InputError
        Importance sampling is not reliable (k-hat over 0.7, or fewer than 400 effective particles), and ``refuse``;
        ``selection`` is not a chance.

    References
    ----------
    Vehtari, Simpson, Gelman, Yao and Gabry (2024), Pareto smoothed importance sampling, JMLR 25(72).
    Higgins, Thompson and Spiegelhalter (2009), A re-evaluation of random-effects meta-analysis, JRSS A 172: 137-159.
    """
    design, streams = design_of(studies, programmes), Streams(seed, purpose)
    values, weights, pareto_k = weighted_particles(
        design, priors_of(priors), streams, particles, refuse=refuse, selection=selection
    )
    random = streams.of("resampling")
    sizes = [like.sizes[dim] for dim in SAMPLE_DIMS]
    size = int(np.prod(sizes))
    places = (np.arange(size) + random.uniform()) / size
    taken = np.minimum(np.searchsorted(np.cumsum(weights), places), particles - 1)
    taken = random.permutation(taken).reshape(sizes)  # so that neighbours in the chain are not copies
    dims = {
        "programme_effect": ("programme", "outcome"),
        "type_effect": ("programme_type", "outcome"),
        "mean_effect": ("outcome",),
        "spread": ("level", "outcome"),
        "take_up": ("programme",),
    }
    return xr.Dataset(
        {name: ((*SAMPLE_DIMS, *axes), values[name][taken]) for name, axes in dims.items()}
        | {
            "evidence": (("programme", "outcome"), _evidence(design)),
            "type_of": ("programme", [design.types[place] for place in design.type_of]),
        },
        coords={dim: like[dim].to_numpy() for dim in SAMPLE_DIMS}
        | {
            "programme": design.programmes,
            "programme_type": design.types,
            "outcome": list(EFFECT_OUTCOMES),
            "level": list(LEVELS),
        },
        attrs={
            "units": "log hazard ratio per child served; standardised mean difference for attainment",
            "seed": seed,
            "pareto_k": pareto_k,
            "effective": float(1 / (weights**2).sum()),
            "studies": list(studies["study"]),
        },
    )


def weighted_particles(
    design: Design,
    prior: Priors,
    streams: Streams,
    particles: int,
    *,
    refuse: bool = True,
    selection: float = 1.0,
) -> tuple[dict[str, Array], Array, float]:
    """Draw particles of everything, given all studies, with their weights.

    Returns
    -------
    tuple
        Values by name: those of `sample_programmes`, and of each study of ``design.table`` ``number`` (drawn, for a
        finding without one), standard ``error``, and how many of these lie between number and mean (``residual``);
        the part of an ``evaluation``'s bias that its studies share; weights; k-hat.

    Raises
    ------
    InputError
        As `sample_programmes`.
    """
    parts = [_particles(design, prior, streams, min(CHUNK, particles - at)) for at in range(0, particles, CHUNK)]
    values = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    logs, pareto_k = values.pop("log_weight"), 0.0
    if selection != 1:
        logs = logs + log_selection(values, design, prior, selection)
    if np.ptp(logs) > 0:  # without studies there is no tail to smooth
        # ArviZ expects the log likelihoods that are left out and smooths their negative.
        smoothed, shape = xr.DataArray(-logs[None], dims=SAMPLE_DIMS).azstats.psislw()
        logs, pareto_k = smoothed.values.ravel(), float(shape)
    weights = np.exp(logs - logs.max())
    weights /= weights.sum()
    effective = float(1 / (weights**2).sum())
    heavy = pareto_k > TRUSTED_SHAPE and effective < EVEN * particles
    if refuse and (heavy or effective < LEAST_EFFECTIVE):
        raise InputError(
            f"effects of programmes: importance sampling is not reliable (k-hat {pareto_k:.2f}, {effective:.0f} "
            "effective particles).",
            fix="look for a study or a prior that contradicts the others, or give more particles.",
        )
    return values, weights, pareto_k


def _evidence(design: Design) -> Array:
    """Return whose studies there are of each programme and outcome: its own, its type's, or none."""
    own = np.zeros((len(design.programmes), len(EFFECT_OUTCOMES)), bool)
    own[design.programme, design.outcome] = True
    alike = np.zeros((len(design.types), len(EFFECT_OUTCOMES)), bool)
    alike[design.type, design.outcome] = True
    return np.where(own, "own", np.where(alike[design.type_of], "type", "none"))


def _particles(design: Design, prior: Priors, streams: Streams, size: int) -> dict[str, Array]:
    """Draw particles of everything, conditioned on the numbers, with the logarithm of their weights."""
    outcomes, studies, random = len(EFFECT_OUTCOMES), design.studies, streams.of("spreads")
    scale = {level: abs(random.standard_normal((size, 1))) * prior.spread[level] for level in LEVELS}
    # Rows of the Cholesky factors, oriented by benefit, times the spread: (particle, outcome, normal).
    load = {
        level: scale[level][..., None] * prior.orientation[:, None] * _correlations(random, size, outcomes, prior)
        for level in ("type", "programme")
    }
    take_up, errors = _shares(design, streams, size), _errors(design, streams, size)
    normal = {
        "mean": random.standard_normal((size, outcomes)),
        "type": streams.normal("type", design.types, size, outcomes),
        "programme": streams.normal("programme", design.programmes, size, outcomes),
        "study": streams.normal("study", studies, size),
        "evaluation": streams.normal("evaluation", design.evaluations, size),
        "own_bias": streams.normal("bias of", studies, size),
        "error": streams.normal("error of", studies, size),
    }
    share = np.where(design.table["take_up_first"].notna(), take_up[:, design.programme], 1.0)
    loads = _loadings(design, prior, scale, load, share, errors)
    number, log_weight = _condition(design, prior, normal, loads, share, streams)
    return _effects(design, prior, load, normal) | {
        "spread": np.stack([scale[level] for level in LEVELS], axis=1),
        "take_up": take_up,
        "number": number,
        "error": errors,
        "residual": normal["error"],
        "evaluation": normal["evaluation"],
        "log_weight": log_weight,
    }


def _correlations(random: np.random.Generator, size: int, outcomes: int, prior: Priors) -> Array:
    """Draw Cholesky factors of LKJ correlation matrices, from canonical partial correlations.

    References
    ----------
    Lewandowski, Kurowicka and Joe (2009), Journal of Multivariate Analysis 100: 1989-2001.
    """
    factor = np.zeros((size, outcomes, outcomes))
    factor[:, 0, 0] = 1.0
    left = np.ones((size, outcomes))  # of each row's unit length
    for column in range(outcomes):
        factor[:, column, column] = left[:, column]
        shape = prior.outcome_correlation + (outcomes - 2 - column) / 2
        for row in range(column + 1, outcomes):
            partial = 2 * random.beta(shape, shape, size) - 1
            factor[:, row, column] = partial * left[:, row]
            left[:, row] *= np.sqrt(1 - partial**2)
    return factor


def _shares(design: Design, streams: Streams, size: int) -> Array:
    """Draw the share of those counted whom each programme serves (particle, programme)."""
    shares = np.ones((size, len(design.programmes)))
    whole = design.table[design.table["take_up_first"].notna()].drop_duplicates("programme")
    for name, first, second in zip(whole["programme"], whole["take_up_first"], whole["take_up_second"], strict=True):
        shares[:, design.programmes.index(name)] = streams.of(f"take-up of {name}").beta(first, second, size)
    return shares


def _errors(design: Design, streams: Streams, size: int) -> Array:
    """Draw the standard errors (particle, study): as published, or log-normal below their bound."""
    median, spread, most = (design.table[name].to_numpy() for name in ("se", "se_log_sd", "se_most"))
    uniform = streams.uniform("size of the error of", design.studies, size)
    with np.errstate(divide="ignore", invalid="ignore"):
        below = np.where(spread > 0, ndtr(np.log(most / median) / spread), 1.0)
    errors: Array = median * np.exp(spread * np.where(spread > 0, ndtri(below * uniform), 0.0))
    return errors


def _loadings(
    design: Design, prior: Priors, scale: dict[str, Array], load: dict[str, Array], share: Array, errors: Array
) -> dict[str, Array]:
    """Return how each study's number depends on each standard normal (particle, study, ...)."""
    bias = design.table["bias_sd"].to_numpy() * prior.orientation[design.outcome]
    return {
        "mean": share * prior.mean_sd[design.outcome],
        "type": share[..., None] * load["type"][:, design.outcome],
        "programme": share[..., None] * load["programme"][:, design.outcome],
        "study": share * scale["study"][:, design.outcome],
        "evaluation": np.broadcast_to(np.sqrt(prior.bias_correlation) * bias, share.shape),
        "own_bias": np.broadcast_to(np.sqrt(1 - prior.bias_correlation) * bias, share.shape),
        "error": errors,
    }


def _condition(
    design: Design,
    prior: Priors,
    normal: dict[str, Array],
    loads: dict[str, Array],
    share: Array,
    streams: Streams,
) -> tuple[Array, Array]:
    """Condition the standard normals on the findings, in place; return the numbers and the log of the weights.

    A draw from the prior plus the regression on what it got wrong is a draw from the posterior.
    """
    table = design.table
    places = {
        "mean": design.outcome,
        "type": design.type,
        "programme": design.programme,
        "evaluation": design.evaluation,
    }
    alone = loads["study"] ** 2 + loads["own_bias"] ** 2 + loads["error"] ** 2
    cover: Array = alone[:, :, None] * np.eye(len(table))
    for name, place in places.items():
        cover += _gram(loads[name]) * np.equal.outer(place, place)
    centre = share * prior.mean[design.outcome] + table["bias_mean"].to_numpy()
    sd = np.sqrt(np.diagonal(cover, axis1=1, axis2=2))
    uniform = np.clip(streams.uniform("number of", design.studies, len(sd)), 1e-9, 1 - 1e-9)
    gap, log_density = _numbers(table, centre, sd, loads["error"], uniform)
    pull = np.linalg.solve(cover, (gap - _deviation(design, normal, loads))[..., None])[..., 0]
    for name in ("study", "own_bias", "error"):
        normal[name] += loads[name] * pull
    for name, place in places.items():
        members = np.eye(normal[name].shape[1])[place]  # (study, member)
        each = loads[name] * (pull if loads[name].ndim == 2 else pull[..., None])
        normal[name] += np.einsum("ns...,sm->nm...", each, members)
    factor = np.linalg.cholesky(cover)
    standard = np.linalg.solve(factor, gap[..., None])
    log_joint = -0.5 * (standard**2).sum((1, 2)) - np.log(np.diagonal(factor, axis1=1, axis2=2)).sum(1)
    return gap + centre, log_joint - log_density


def _numbers(table: pd.DataFrame, centre: Array, sd: Array, errors: Array, uniform: Array) -> tuple[Array, Array]:
    """Return the studies' numbers less their prior means, and the log-density with which missing ones were drawn.

    A finding without a number gets one within its interval, from its own prior predictive distribution cut there.
    """
    lower, upper = ((table[end].to_numpy() * errors - centre) / sd for end in ("lower", "upper"))
    # In logarithms and in the lower tail, where they are precise however far the interval lies from the prior mean.
    flip = lower + upper > 0
    below, above = log_ndtr(np.where(flip, -upper, lower)), log_ndtr(np.where(flip, -lower, upper))
    inside = -np.expm1(below - above)
    place = np.where(flip, 1 - uniform, uniform)
    drawn = np.where(flip, -1, 1) * ndtri_exp(above + np.log1p(inside * (place - 1)))
    missing = table["effect"].isna().to_numpy()
    gap = np.where(missing, drawn * sd, table["effect"].to_numpy() - centre)
    log_density = -0.5 * drawn**2 - np.log(sd) - above - np.log(inside)
    return gap, np.where(missing, log_density, 0.0).sum(1)


def _gram(load: Array) -> Array:
    """Return the covariance (particle, study, study) of what standard normals give each study."""
    rows = load[..., None] if load.ndim == 2 else load
    product: Array = rows @ rows.swapaxes(1, 2)
    return product


def _deviation(design: Design, normal: dict[str, Array], loads: dict[str, Array]) -> Array:
    """Return how far each study's number lies from its prior mean, given the standard normals (particle, study)."""
    total: Array = (
        loads["mean"] * normal["mean"][:, design.outcome]
        + (loads["type"] * normal["type"][:, design.type]).sum(-1)
        + (loads["programme"] * normal["programme"][:, design.programme]).sum(-1)
        + loads["study"] * normal["study"]
        + loads["evaluation"] * normal["evaluation"][:, design.evaluation]
        + loads["own_bias"] * normal["own_bias"]
        + loads["error"] * normal["error"]
    )
    return total


def _effects(design: Design, prior: Priors, load: dict[str, Array], normal: dict[str, Array]) -> dict[str, Array]:
    """Return the effects of help in general, of types and of programmes."""
    mean = prior.mean + prior.mean_sd * normal["mean"]
    kinds = np.einsum("nkj,ncj->nck", load["type"], normal["type"]) + mean[:, None]
    own = np.einsum("nkj,npj->npk", load["programme"], normal["programme"])
    return {"mean_effect": mean, "type_effect": kinds, "programme_effect": kinds[:, design.type_of] + own}
