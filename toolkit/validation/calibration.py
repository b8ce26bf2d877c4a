"""Calibration by simulation: draw true values from the prior, simulate data, and rank each true value in its posterior.

Which replications sample badly depends on the true values, so leaving them out would calibrate a different prior: they
are sampled again, for longer and with smaller steps, and that result is ranked in any case.
"""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import arviz as az
import numpy as np
import nutpie
import pandas as pd
import xarray as xr
from scipy import stats

from toolkit.models.fitting.monte_carlo import verdicts
from toolkit.schema import SAMPLE_DIMS, random_stream

CHAINS = 2
RANKED = 100  # draws among which the true value is ranked, at most, and no more than the effective sample size
UNMIXED, TOO_FEW = 1.05, 40  # a replication sampled badly above this R-hat or below this effective sample size
LEAST_P = 0.001  # p-value of uniform ranks below which calibration has failed, even among dozens of quantities
CHANCE = np.sqrt(np.pi**2 / 12 - np.pi / 2 * np.log(2) ** 2)  # standard deviation of Kolmogorov's distribution

COLUMNS = ["model", "parameter", "pool", "replications"]
COLUMNS += [f"{name}{which}" for name in ("coverage_50", "coverage_90", "distance") for which in ("", "_mcse")]

Ranks = dict[tuple[str, str], float]
Marks = dict[str, bool]
Sampled = Callable[[int, np.random.Generator], tuple[Ranks, Marks]]
Progress = Callable[[float], None]


def no_progress(share: float) -> None:
    """Ignore progress."""


def calibrate(
    replicate: Callable[[np.random.Generator], Ranks],
    *,
    replications: int,
    seed: int,
    model: str,
    progress: Progress = no_progress,
) -> pd.DataFrame:
    """Repeatedly draw, simulate and infer; report whether the posterior ranks of the true values are uniform.

    Parameters
    ----------
    replicate
        Returns, for one replication, the posterior probability below each true value, by parameter and pool.
    replications, seed
        Number of replications, and the seed.
    model
        Name for the table.
    progress
        Called with the share of replications that are done.

    Returns
    -------
    DataFrame
        One row per parameter and pool, from :func:`judged`.

    References
    ----------
    Talts, Betancourt, Simpson, Vehtari and Gelman (2018), arXiv:1804.06788.
    """
    streams = random_stream(seed, f"models.calibration {model}").spawn(replications)
    drawn = []
    for done, stream in enumerate(streams, start=1):
        drawn.append(replicate(stream))
        progress(done / replications)
    rows = []
    for parameter, pool in drawn[0]:
        values = np.array([ranks[parameter, pool] for ranks in drawn])
        covered = {f"coverage_{level}": float((abs(values - 0.5) < level / 200).mean()) for level in (50, 90)}
        row = {"model": model, "parameter": parameter, "pool": pool, "replications": replications, **covered}
        rows.append(row | {"distance": float(stats.kstest(values, "uniform").statistic), "seed": seed})
    return judged(pd.DataFrame(rows))


def judged(table: pd.DataFrame) -> pd.DataFrame:
    """Add Monte Carlo errors, p-values and verdicts to calibrations.

    Parameters
    ----------
    table
        ``replications``; ``coverage_50`` and ``coverage_90``, how often the central intervals contain the true value;
        and ``distance`` of the ranks from uniform ones (Kolmogorov-Smirnov).

    Returns
    -------
    DataFrame
        With ``*_mcse``, the standard errors for this number of replications of a calibrated model; ``p_value`` of the
        distance; and ``verdict``: "failed" below 0.001, ``CANNOT_BE_DETERMINED`` if the distance is within one error of
        that of 0.001 (which already allows for most of its chance variation), else "passed".
    """
    number = table["replications"].to_numpy()
    table = table.round({"coverage_50": 4, "coverage_90": 4, "distance": 5})
    for level in (50, 90):
        table[f"coverage_{level}_mcse"] = np.sqrt(level / 100 * (1 - level / 100) / number).round(5)
    table["distance_mcse"] = (CHANCE / np.sqrt(number)).round(5)
    table["p_value"] = stats.kstwo.sf(table["distance"], number).round(5)
    margin = stats.kstwo.isf(LEAST_P, number) - table["distance"]
    table["verdict"] = verdicts(margin, table["distance_mcse"], within=1.0)
    return table[COLUMNS + [name for name in table if name not in COLUMNS]]


def calibrate_sampled(
    replicate: Sampled,
    *,
    replications: int,
    seed: int,
    model: str,
    runs: Sequence[dict[str, Any]],
    file: Path,
    progress: Progress = no_progress,
    describe: Callable[[Counter[str], Sequence[dict[str, Any]]], str] | None = None,
) -> pd.DataFrame:
    """Calibrate a model that must be sampled; an interrupted calibration resumes.

    Parameters
    ----------
    replicate
        Returns, for a replication number, the ranks and the problems in sampling, as in `sampled`.
    replications, seed, model, progress
        As for `calibrate`.
    runs
        Settings of the sampler; each after the first is for replications that sampled badly with the one before.
    file
        Where each result is written as it arrives, one line of JSON; saved results are not computed again. The file
        is for one seed, number of replications and data set.
    describe
        Turns how often it sampled badly, and the settings, into words; by default, for a model sampled by nutpie.

    Returns
    -------
    DataFrame
        As for `calibrate`, with ``settings``: how it sampled, and how often it sampled badly.
    """
    results = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    numbered, badly = iter(range(replications)), Counter[str]()

    def next_replication(random: np.random.Generator) -> Ranks:
        at = next(numbered)
        if at == len(results):
            ranked, marks = replicate(at, random)
            results.append({"badly": marks, "ranks": [[*key, rank] for key, rank in ranked.items()]})
            with file.open("a") as stream:
                stream.write(json.dumps(results[-1]) + "\n")
        badly.update(results[at]["badly"])
        return {(parameter, pool): rank for parameter, pool, rank in results[at]["ranks"]}

    table = calibrate(next_replication, replications=replications, seed=seed, model=model, progress=progress)
    return table.assign(settings=(describe or _how_sampled)(badly, runs))


def sampled(
    compiled: Any, flat: Callable[[xr.Dataset], xr.DataArray], *, seed: int, runs: Sequence[dict[str, Any]]
) -> tuple[xr.DataArray, np.ndarray, Marks]:
    """Sample, and again with the next settings if it went badly.

    Parameters
    ----------
    compiled
        A model with its data.
    flat
        Turns a posterior into quantities to rank (quantity, chain, draw).
    seed
        Seed of the sampler.
    runs
        As for `calibrate_sampled`.

    Returns
    -------
    tuple
        The quantities; the effective sample size of each; and whether they were sampled ``again``, and in the last run
        were still ``unmixed`` (worst R-hat above 1.05), had ``few`` effective draws (below 40) or ``divergences``.
    """
    for number, settings in enumerate(runs):
        fixed = {"seed": seed, "chains": CHAINS, "cores": CHAINS}
        tree = nutpie.sample(compiled, **fixed, save_warmup=False, progress_bar=False, **settings)
        quantities = flat(tree["posterior"].to_dataset())
        size = az.ess(quantities.to_dataset(name="value"))["value"].values
        marks = {"unmixed": float(az.rhat(quantities.to_dataset(name="value"))["value"].max()) > UNMIXED}
        marks |= {"few": bool(size.min() < TOO_FEW), "again": number > 0}
        if not (marks["unmixed"] or marks["few"]):
            break
    marks["divergences"] = bool(tree["sample_stats"]["diverging"].any())
    return quantities, size, marks


def _how_sampled(badly: Counter[str], runs: Sequence[dict[str, Any]]) -> str:
    """Return the settings of the sampler in words, and how often it sampled badly."""
    first, again = (f"{run['draws']} draws after {run['tune']}" for run in runs)
    return (
        f"{CHAINS} chains of {first}, nutpie; {badly['again']} replications sampled badly and were sampled again with "
        f"{again}; in the end R-hat was above {UNMIXED} in {badly['unmixed']}, fewer than {TOO_FEW} effective draws in "
        f"{badly['few']}, divergences in {badly['divergences']}; none is left out"
    )


def ranks(quantities: xr.DataArray, truth: xr.DataArray, size: np.ndarray, random: np.random.Generator) -> Ranks:
    """Rank each true value among evenly spaced draws, at most its effective ``size``; ties are broken at random."""
    samples, placed = (
        quantities.stack(sample=SAMPLE_DIMS, create_index=False).transpose("quantity", "sample").values,
        {},
    )
    pairs = zip(truth["parameter"].values, truth["pool"].values, strict=True)
    for pair, drawn, true, worth in zip(pairs, samples, truth.values, size, strict=True):
        thinned = drawn[np.linspace(0, len(drawn) - 1, int(np.clip(worth, 2, RANKED))).astype(int)]
        placed[pair] = float(((thinned < true).sum() + random.random()) / (len(thinned) + 1))
    return placed
