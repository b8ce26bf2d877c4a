"""Simulation-based calibration of the outcome model: the same graph on fewer areas and years, compiled once.

Two or three areas tell little of a region, so at some truths the standard deviation of regions falls into the funnel
of its effects and mixes slowly, as it does not with all areas. Such a replication is sampled again, longer and in
smaller steps; whatever comes of that is ranked. None is left out: which sample badly depends on the truth, so leaving
them out would calibrate another prior.
"""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import arviz as az
import numpy as np
import nutpie
import pandas as pd
import pymc as pm
import xarray as xr

from toolkit import evidence
from toolkit.models.check_effects import Ranks, calibrate
from toolkit.models.design import design_of
from toolkit.models.fit import compile_model
from toolkit.models.outcomes import CELLS, LEVELS, outcomes
from toolkit.models.priors import load_priors
from toolkit.models.rates import REPORTED, SCALES
from toolkit.schema import SAMPLE_DIMS

AREAS, YEARS = 20, slice(2016, 2023)  # the first two years are only there to be lagged
CHAINS = 2
FIRST = {"draws": 600, "tune": 300, "target_accept": 0.9}
AGAIN = {"draws": 1500, "tune": 600, "target_accept": 0.97}  # where the first run was unmixed or told too little
RANKED = 100  # draws among which the truth is ranked, at most: no more than are worth as many independent ones
UNMIXED, TOO_FEW = 1.05, 40  # worst R-hat from which, and least effective size to which, a replication sampled badly
PARAMETERS = (*REPORTED, *SCALES, "area_sd")
OBSERVED = ("events_lower", *(name for name in CELLS if name not in ("exposure", "family")))


def outcomes_replication(
    statistics: xr.Dataset,
    *,
    replications: int,
    seed: int,
    priors: pd.DataFrame | None = None,
    runs: Sequence[dict[str, Any]] = (FIRST, AGAIN),
    file: Path | None = None,
) -> tuple[Callable[[np.random.Generator], Ranks], Counter[str]]:
    """Return a replication of the outcome model for `calibrate`, and a count of those that sampled badly.

    Each draws a truth from the prior and counts from it, hidden where the source would hide them, fits the model,
    compiled once for all, and ranks the truth among as many posterior draws as are worth independent ones.

    Parameters
    ----------
    statistics
        Exposures, spending, low income and which counts would be hidden, as from `few_areas`.
    replications
        How many truths to draw: the replication can be called as often.
    seed
        Of the truths and the sampler.
    priors
        As for `outcomes`.
    runs
        Settings of the sampler; each but the first is for replications that sampled badly with the one before.
    file
        Where each result is written as it comes, one line of JSON; what it holds is not done again. It belongs to one
        seed, number of replications and data.

    Returns
    -------
    tuple
        The replication; and how many so far were sampled ``again``, and how many in their last run were still
        ``unmixed`` (worst R-hat above 1.05), had ``few`` effective draws (less than 40) or had ``divergences``.

    References
    ----------
    .. [1] Talts et al. (2018), arXiv:1804.06788, section 5.1: draws thinned to their effective number.
    .. [2] Modrák et al. (2023), Simulation-based calibration checking for Bayesian computation,
       doi:10.1214/23-BA1404.
    """
    names = list(statistics["indicator"].values)
    model = outcomes(statistics, indicators=names, priors=priors)
    compiled = compile_model(model)
    with model:  # a few draws: compiling their simulation would take longer than Python takes to make them
        drawn = pm.sample_prior_predictive(
            draws=replications, random_seed=seed, compile_kwargs={"mode": "FAST_COMPILE"}
        )
    counts = drawn["prior_predictive"]["events"].squeeze("chain")
    truths = _flat(model.complete(drawn["prior"].to_dataset(), seed=seed)).squeeze("chain")
    held = [json.loads(line) for line in file.read_text().splitlines()] if file and file.exists() else []
    left, badly, table = iter(range(replications)), Counter[str](), load_priors("outcomes", priors)

    def replicate(random: np.random.Generator) -> Ranks:
        at = next(left)
        if at < len(held):
            badly.update(held[at]["badly"])
            return {(parameter, pool): rank for parameter, pool, rank in held[at]["ranks"]}
        design = design_of(_with_counts(statistics, counts.isel(draw=at)), names, table)
        design = design.sel(area=design["fitted"])
        data = {name: design[name].values.astype(float) for name in (*LEVELS, *OBSERVED)}
        found, size, marks = sampled(
            compiled.with_data(**data), lambda draws: _flat(model.complete(draws, seed=0)), seed=seed + at, runs=runs
        )
        badly.update(marks)
        placed = ranks(found, truths.isel(draw=at), size, random)
        if file:
            with file.open("a") as kept:
                line = {"badly": marks, "ranks": [[*key, rank] for key, rank in placed.items()]}
                kept.write(json.dumps(line) + "\n")
        return placed

    return replicate, badly


def sampled(
    compiled: Any, flat: Callable[[xr.Dataset], xr.DataArray], *, seed: int, runs: Sequence[dict[str, Any]]
) -> tuple[xr.DataArray, np.ndarray, dict[str, bool]]:
    """Sample, again with the next settings while it went badly; return draws, their effective sizes and what was bad.

    Parameters
    ----------
    compiled
        A model with its data.
    flat
        Turns a posterior into the quantities to rank (quantity, chain, draw).
    seed, runs
        As for `outcomes_replication`.
    """
    for number, settings in enumerate(runs):
        fixed = {"seed": seed, "chains": CHAINS, "cores": CHAINS}
        tree = nutpie.sample(compiled, **fixed, save_warmup=False, progress_bar=False, **settings)
        found = flat(tree["posterior"].to_dataset())
        size = az.ess(found.to_dataset(name="value"))["value"].values
        marks = {"unmixed": float(az.rhat(found.to_dataset(name="value"))["value"].max()) > UNMIXED}
        marks |= {"few": bool(size.min() < TOO_FEW), "again": number > 0}
        if not (marks["unmixed"] or marks["few"]):
            break
    marks["divergences"] = bool(tree["sample_stats"]["diverging"].any())
    return found, size, marks


def how_sampled(badly: Counter[str], runs: Sequence[dict[str, Any]] = (FIRST, AGAIN)) -> str:
    """Say of a calibration with which settings it sampled, and how often that went badly."""
    first, again = (f"{run['draws']} draws after {run['tune']}" for run in runs)
    return (
        f"{CHAINS} chains of {first}, nutpie; {badly['again']} replications sampled badly and were sampled again with "
        f"{again}; in the end R-hat was above {UNMIXED} in {badly['unmixed']}, fewer than {TOO_FEW} effective draws in "
        f"{badly['few']}, divergences in {badly['divergences']}; none is left out"
    )


def _with_counts(statistics: xr.Dataset, counts: xr.DataArray) -> xr.Dataset:
    """Put simulated counts in place of the observed ones; the small ones are hidden where the source hides such."""
    lower, upper = statistics["events_lower"], statistics["events_upper"]
    limit = upper.where((lower == 0) & (upper > 0)).min(("area", "data_year")).fillna(0.0)
    counts = counts.reindex_like(lower).fillna(lower)
    hidden = (counts <= limit) & (limit > 0)
    most = xr.ufuncs.minimum(limit, statistics["exposure"])
    return statistics.assign(events_lower=counts.where(~hidden, 0.0), events_upper=counts.where(~hidden, most))


def ranks(found: xr.DataArray, truth: xr.DataArray, size: np.ndarray, random: np.random.Generator) -> Ranks:
    """Rank each truth among evenly spaced draws, no more than its effective ``size``; ties are broken at random."""
    samples, placed = found.stack(sample=SAMPLE_DIMS, create_index=False).transpose("quantity", "sample").values, {}
    pairs = zip(truth["parameter"].values, truth["pool"].values, strict=True)
    for pair, drawn, true, worth in zip(pairs, samples, truth.values, size, strict=True):
        kept = drawn[np.linspace(0, len(drawn) - 1, int(np.clip(worth, 2, RANKED))).astype(int)]
        placed[pair] = float(((kept < true).sum() + random.random()) / (len(kept) + 1))
    return placed


def _flat(posterior: xr.Dataset) -> xr.DataArray:
    """Return the calibrated quantities along one dim (quantity, ...), with the parameter and indicator of each."""
    names = [str(k) for k in posterior["indicator"].values]
    parts = {(name, k): posterior[name].sel(indicator=k) for name in PARAMETERS for k in names}
    for one, other in combinations(names, 2):
        pair = posterior["area_correlation"].sel(indicator=one, indicator_other=other)
        parts["area_correlation", f"{one}, {other}"] = pair
    held = [part.reset_coords(drop=True).astype(float) for part in parts.values()]
    labels = {which: ("quantity", [key[i] for key in parts]) for i, which in enumerate(("parameter", "pool"))}
    return xr.concat(held, "quantity").assign_coords(labels)


def few_areas(statistics: xr.Dataset) -> xr.Dataset:
    """Return the areas and years that the calibration is made on: every so many of the fitted, six years with data."""
    fitted = statistics["area"].values[statistics["fitted"].values]
    chosen = fitted[np.linspace(0, len(fitted) - 1, AREAS).astype(int)]
    return statistics.sel(area=chosen, data_year=YEARS)


def remake_joint(
    *,
    replications: int,
    seed: int,
    file: Path,
    folder: Path | None = None,
    progress: Callable[[float], None] = lambda share: None,
) -> Path:
    """Calibrate the outcome model, write the committed table anew and seal the data folder (an hour).

    Parameters
    ----------
    replications, seed
        How many, and from which seed.
    file
        Where results are kept as they come, so that what was interrupted goes on; deleted at the end.
    folder
        Data folder; the shipped one by default.
    progress
        Called with the share of the replications that is done.
    """
    priors = evidence.load_table("priors", folder)
    statistics = few_areas(evidence.load_statistics(folder))
    one, badly = outcomes_replication(statistics, replications=replications, seed=seed, priors=priors, file=file)
    table = calibrate(one, replications=replications, seed=seed, model="outcomes", progress=progress)
    settings = f"{AREAS} areas, 2018 to 2023, {how_sampled(badly)}"
    written = evidence.write_reference({"calibration_joint_model": table.assign(settings=settings)}, folder)
    file.unlink(missing_ok=True)
    return written[0]
