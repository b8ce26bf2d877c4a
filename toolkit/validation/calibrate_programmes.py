"""Simulation-based calibration of the effects by programme, up to the effect that a run uses at a site.

True values are drawn from the prior and findings from the model at the shipped design: the same studies, evaluations,
designs, takers-up and bounds. This is written apart from the sampler (another construction of correlations, covariances
in place of loadings), so that an error of either shows.
"""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy import stats

from toolkit import evidence
from toolkit.models.effects.hierarchy import TRUSTED_SHAPE, sample_programmes
from toolkit.models.effects.programme_studies import programme_studies
from toolkit.models.effects.programme_use import of_area, site_effects
from toolkit.models.effects.scales import SIGNIFICANT, STANDARDISED, scale_of
from toolkit.schema import EFFECT_OUTCOMES, SAMPLE_DIMS
from toolkit.validation.calibration import RANKED, Marks, Progress, Ranks, calibrate_sampled, no_progress, ranks
from toolkit.validation.joint_test import joint_test

Array = NDArray[Any]
MODEL = "effects_by_programme"
RUNS = ({"particles": 5_000}, {"particles": 25_000})  # the second for replications that sampled badly with the first
AREA = "E08000035"  # any: only its random stream depends on it
LEVELS = {"type": "types", "programme": "programmes", "study": "evaluations"}
ONE = xr.DataArray(np.zeros((1, 1)), coords={"chain": [0], "draw": [0]}, dims=SAMPLE_DIMS)
MANY = xr.DataArray(np.zeros((1, RANKED)), coords={"chain": [0], "draw": range(RANKED)}, dims=SAMPLE_DIMS)


def programmes_replication(
    studies: pd.DataFrame,
    programmes: pd.DataFrame,
    priors: pd.DataFrame,
    *,
    sampler: Callable[..., xr.Dataset] = sample_programmes,
) -> Callable[[int, np.random.Generator], tuple[Ranks, Marks]]:
    """Return a replication of the model of programmes at the shipped design of studies.

    Parameters
    ----------
    studies
        From `programme_studies`. A study without a number reports the interval in which its simulated number lies.
    programmes, priors
        The tables.
    sampler
        What is calibrated.

    Returns
    -------
    callable
        Gives, for a replication's number and stream, the ranks of the mean effects, spreads, shares served, effects of
        types and programmes with studies, and effects used in an area; and whether they were sampled ``again``, and in
        the last run were still ``heavy`` (k-hat above 0.7) or had ``few`` effective particles (fewer than are ranked).
    """

    def replicate(at: int, random: np.random.Generator) -> tuple[Ranks, Marks]:
        truth, reports = simulated(studies, programmes, priors, random)
        marks: Marks = {}
        for number, settings in enumerate(RUNS):
            seed = int(random.integers(2**31))
            drawn = sampler(reports, programmes, priors, like=MANY, seed=seed, refuse=False, **settings)
            marks = {"again": number > 0, "heavy": drawn.attrs["pareto_k"] > TRUSTED_SHAPE}
            marks["few"] = drawn.attrs["effective"] < RANKED
            if not (marks["heavy"] or marks["few"]):
                break
        drawn = drawn.assign(used_effect=_used(drawn, studies, priors, seed=int(random.integers(2**31))))
        posterior, true = (_quantities(part, studies) for part in (drawn, truth))
        size = np.full(true.sizes["quantity"], drawn.attrs["effective"])
        return ranks(posterior, true.squeeze(SAMPLE_DIMS), size, random), marks

    return replicate


def simulated(
    studies: pd.DataFrame, programmes: pd.DataFrame, priors: pd.DataFrame, random: np.random.Generator
) -> tuple[xr.Dataset, pd.DataFrame]:
    """Draw true effects from the prior, and what each study would then have reported.

    Parameters
    ----------
    studies, programmes, priors
        As for `programmes_replication`.
    random
        Stream.

    Returns
    -------
    tuple
        ``mean_effect``, ``type_effect``, ``programme_effect``, ``spread`` and ``take_up``, one draw of each, with the
        units of `sample_programmes`, and ``used_effect`` (programme, outcome), what a programme changes in an area; and
        the studies with simulated findings.
    """
    rows = priors[priors["model"] == "programmes"]
    prior = dict(zip(rows["parameter"], rows[["arg1", "arg2"]].to_numpy(float), strict=True))
    kinds = ["attainment" if scale_of(name) == STANDARDISED else "event" for name in EFFECT_OUTCOMES]
    benefit = np.array([1.0 if kind == "attainment" else -1.0 for kind in kinds])
    mean = np.array([random.normal(*prior[f"mu_{kind}"]) for kind in kinds])
    spread = {}
    for level in LEVELS:  # one size for all outcomes, each times its own scale
        size = abs(random.normal())
        spread[level] = size * np.array([prior[f"tau_{level}_{kind}"][0] for kind in kinds])
    types = sorted(set(programmes["programme_type"]))
    strength, shared = (float(prior[name][0]) for name in ("outcome_correlation", "bias_correlation"))
    deviations = {}
    for level, members in (("type", types), ("programme", list(programmes["programme"]))):
        cover = np.outer(benefit * spread[level], benefit * spread[level]) * lkj(len(kinds), strength, random)
        drawn = random.multivariate_normal(np.zeros(len(kinds)), cover, len(members))
        deviations[level] = pd.DataFrame(drawn, index=members, columns=EFFECT_OUTCOMES)
    by_type = deviations["type"] + mean
    by_programme = deviations["programme"] + by_type.loc[programmes["programme_type"]].to_numpy()
    own = dict(zip(EFFECT_OUTCOMES, spread["study"], strict=True))
    whole = studies[studies["take_up_first"].notna()].groupby("programme")[["take_up_first", "take_up_second"]].first()
    take_up = pd.Series(1.0, programmes["programme"])
    take_up[whole.index] = random.beta(whole["take_up_first"].to_numpy(), whole["take_up_second"].to_numpy())
    reports = _findings(studies, by_programme, own, take_up, shared, random)
    trusted = take_up.index.isin(studies.loc[studies["independent"], "programme"])
    first, second = (np.where(trusted, prior["scale_up_independent"][at], prior["scale_up_other"][at]) for at in (0, 1))
    survives = random.beta(first, second)
    sites = random.normal(size=by_programme.shape) * spread["study"]
    used = take_up.to_numpy()[:, None] * (survives[:, None] * by_programme.to_numpy() + sites)
    truth = xr.Dataset(
        {
            "mean_effect": ("outcome", mean),
            "type_effect": (("programme_type", "outcome"), by_type),
            "programme_effect": (("programme", "outcome"), by_programme),
            "spread": (("level", "outcome"), np.stack([spread[level] for level in LEVELS])),
            "take_up": ("programme", take_up),
            "used_effect": (("programme", "outcome"), used),
        },
        coords={
            "outcome": list(EFFECT_OUTCOMES),
            "programme_type": types,
            "programme": list(programmes["programme"]),
            "level": list(LEVELS),
        },
    )
    return truth.expand_dims({dim: ONE[dim].to_numpy() for dim in SAMPLE_DIMS}), reports


def lkj(size: int, strength: float, random: np.random.Generator) -> Array:
    """Draw a correlation matrix from the LKJ distribution by the onion method, one row at a time.

    References
    ----------
    Lewandowski, Kurowicka and Joe (2009), Journal of Multivariate Analysis 100: 1989-2001, section 3.2.
    """
    matrix = np.eye(size)
    shape = strength + (size - 2) / 2
    for row in range(1, size):
        length = random.beta(row / 2, shape)
        direction = random.normal(size=row)
        direction *= np.sqrt(length / (direction**2).sum())
        matrix[row, :row] = matrix[:row, row] = np.linalg.cholesky(matrix[:row, :row]) @ direction
        shape -= 0.5
    return matrix


def _findings(
    studies: pd.DataFrame,
    effects: pd.DataFrame,
    own: dict[str, float],
    take_up: "pd.Series[float]",
    shared: float,
    random: np.random.Generator,
) -> pd.DataFrame:
    """Draw a number for each study, and turn it into an interval where the study reports none."""
    bias = pd.Series(0.0, studies.index)
    for _, rows in studies.groupby("evaluation"):
        # The bias of an evaluation favours the same answer to all its questions: benefit, or harm.
        scale = rows["bias_sd"] * np.where(rows["outcome"].map(scale_of) == STANDARDISED, -1.0, 1.0)
        cover = np.outer(scale, scale) * np.where(np.eye(len(rows)) > 0, 1.0, shared)
        bias[rows.index] = random.multivariate_normal(rows["bias_mean"].to_numpy(), cover)
    reports = []
    for place, row in enumerate(studies.to_dict("records")):
        served = take_up[row["programme"]] if np.isfinite(row["take_up_first"]) else 1.0
        effect = random.normal(effects.loc[row["programme"], row["outcome"]], own[row["outcome"]])
        error = row["se"]
        if row["se_log_sd"] > 0:
            most = np.log(row["se_most"] / row["se"]) / row["se_log_sd"]
            error *= np.exp(row["se_log_sd"] * stats.truncnorm.rvs(-np.inf, most, random_state=random))
        number = random.normal(served * effect + bias.iloc[place], error)
        if np.isfinite(row["effect"]):
            reports.append({**row, "effect": number})
            continue
        edges = [-np.inf, *([0.0] if 0 in (row["lower"], row["upper"]) else [-SIGNIFICANT, SIGNIFICANT]), np.inf]
        above = int(np.searchsorted(edges, number / error))
        reports.append({**row, "lower": edges[above - 1], "upper": edges[above]})
    return pd.DataFrame(reports, columns=studies.columns).astype(studies.dtypes)


def _used(drawn: xr.Dataset, studies: pd.DataFrame, priors: pd.DataFrame, *, seed: int) -> xr.DataArray:
    """Return the effects that a run uses in an area, of programmes with studies (chain, draw, programme, outcome)."""
    used = site_effects(drawn, studies, priors, seed=seed)
    names = list(studies["programme"].unique())
    parts = [of_area(used, name, AREA, seed=seed).assign_coords(programme=name) for name in names]
    return xr.concat(parts, "programme").reindex(programme=drawn["programme"])


def _quantities(drawn: xr.Dataset, studies: pd.DataFrame) -> xr.DataArray:
    """Return what is ranked (quantity, chain, draw), by ``parameter`` and ``pool``."""
    levels = drawn["spread"].sel(outcome="care", drop=True)  # those of other outcomes are multiples of it
    outcomes = [name for name in EFFECT_OUTCOMES if name in set(studies["outcome"])]
    whole = list(studies.loc[studies["take_up_first"].notna(), "programme"].unique())
    parts = [
        _labelled(drawn["mean_effect"].sel(outcome=outcomes).rename(outcome="quantity"), outcomes),
        _labelled(levels.sel(level=list(LEVELS)).rename(level="quantity"), list(LEVELS.values())),
        _labelled(drawn["take_up"].sel(programme=whole).rename(programme="quantity"), whole),
    ]
    for name, dim in (
        ("type_effect", "programme_type"),
        ("programme_effect", "programme"),
        ("used_effect", "programme"),
    ):
        pairs = studies[[dim, "outcome"]].drop_duplicates()
        at = {column: xr.DataArray(pairs[column].to_numpy(), dims="quantity") for column in pairs}
        parts.append(_labelled(drawn[name].sel(at), list(pairs[dim] + ", " + pairs["outcome"])))
    return xr.concat(parts, "quantity")


def _labelled(values: xr.DataArray, pools: Sequence[str]) -> xr.DataArray:
    labels = {"parameter": ("quantity", [str(values.name)] * len(pools)), "pool": ("quantity", list(pools))}
    plain = values.reset_coords(drop=True).drop_vars("quantity", errors="ignore").assign_coords(labels)
    return plain.rename("value")


def programmes_check_tables(
    *, replications: int, seed: int, file: Path, progress: Progress = no_progress, folder: Path | None = None
) -> dict[str, pd.DataFrame]:
    """Calibrate the effects by programme on the shipped evidence and return the table ``calibration_programmes``.

    Parameters
    ----------
    replications, seed, file, progress
        As for `calibrate_sampled`.
    folder
        Data folder; the shipped one by default.
    """
    tables = evidence.load_register(folder=folder).tables
    studies = programme_studies(tables)
    replicate = programmes_replication(studies, tables["programmes"], tables["priors"])
    describe = partial(_how_sampled, number=len(studies))
    fixed: dict[str, Any] = {"replications": replications, "seed": seed, "model": MODEL}
    table = calibrate_sampled(replicate, runs=RUNS, file=file, progress=progress, describe=describe, **fixed)
    lines = [json.loads(line)["ranks"] for line in file.read_text(encoding="utf-8").splitlines()]
    drawn = [{(parameter, pool): rank for parameter, pool, rank in line} for line in lines]
    joint = joint_test(drawn, model=MODEL, seed=seed).assign(settings=table["settings"].iloc[0])
    return {"calibration_programmes": pd.concat([table, joint[table.columns]], ignore_index=True)}


def _how_sampled(badly: Counter[str], runs: Sequence[dict[str, Any]], *, number: int) -> str:
    """Return how replications were sampled, in words, and how often badly."""
    first, again = (f"{run['particles']:,}" for run in runs)
    return (
        f"design: {number} studies as shipped; {first} particles; {badly['again']} replications sampled badly and were "
        f"sampled again with {again}; in the end k-hat was above {TRUSTED_SHAPE} in {badly['heavy']} and fewer than "
        f"{RANKED} particles were effective in {badly['few']}; none is left out; the joint test is of the "
        "farthest quantity, with their dependence"
    )
