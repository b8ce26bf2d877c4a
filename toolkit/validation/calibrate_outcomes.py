"""Simulation-based calibration of the outcome model: the same graph on fewer areas and years, compiled once.

Two or three areas say little about a region, so for some true values the standard deviation of regions enters the
funnel of its effects and mixes slowly, which does not happen with all areas. Such a replication is sampled again.
"""

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pymc as pm
import xarray as xr

from toolkit import evidence
from toolkit.models.fitting.fit import compile_model
from toolkit.models.fitting.priors import load_priors
from toolkit.models.outcomes.design import design_of
from toolkit.models.outcomes.likelihoods import MEAN
from toolkit.models.outcomes.model import CELLS, LEVELS, outcomes
from toolkit.models.outcomes.rates import REPORTED, SCALES
from toolkit.models.outcomes.spend_error import calibrated
from toolkit.validation.calibration import (
    Marks,
    Progress,
    Ranks,
    Sampled,
    calibrate_sampled,
    no_progress,
    ranks,
    sampled,
)

AREAS, YEARS = 20, slice(2016, 2023)  # the first two years are only needed for lags
RUNS = ({"draws": 600, "tune": 300, "target_accept": 0.9}, {"draws": 1500, "tune": 600, "target_accept": 0.97})
PARAMETERS = (*REPORTED, *SCALES, "area_sd")
OBSERVED = ("events_lower", *(name for name in CELLS if name not in ("exposure", "family")))


def outcomes_replication(
    statistics: xr.Dataset,
    *,
    replications: int,
    seed: int,
    priors: pd.DataFrame | None = None,
    spend_doubt: xr.DataArray | None = None,
    runs: Sequence[dict[str, Any]] = RUNS,
) -> Sampled:
    """Return a replication of the outcome model for `calibrate_sampled`.

    Each replication draws true values from the prior and counts given them, hides counts that the source would hide,
    fits the model (compiled once), and ranks the true values among effectively independent posterior draws.

    Parameters
    ----------
    statistics
        Exposures, spending, low income and which counts are hidden, as from `few_areas`.
    replications
        Number of true values to draw; the replication accepts numbers below it.
    seed
        Seed of the true values and the sampler.
    priors, spend_doubt
        As for `outcomes`.
    runs
        As for `calibrate_sampled`.

    Returns
    -------
    callable
        Takes a number and a generator; returns the ranks, and problems in sampling.

    References
    ----------
    .. [1] Talts et al. (2018), arXiv:1804.06788, section 5.1: draws thinned to their effective number.
    .. [2] Modrák et al. (2023), Simulation-based calibration checking for Bayesian computation,
       doi:10.1214/23-BA1404.
    """
    names = list(statistics["indicator"].values)
    model = outcomes(statistics, indicators=names, priors=priors, spend_doubt=spend_doubt)
    compiled = compile_model(model)
    with model:  # few draws: compiling their simulation would take longer than running it in Python
        drawn = pm.sample_prior_predictive(
            draws=replications, random_seed=seed, compile_kwargs={"mode": "FAST_COMPILE"}
        )
    counts = _no_more_than_all(drawn["prior_predictive"]["events"].squeeze("chain"), model.design)
    truths = _flat(model.complete(drawn["prior"].to_dataset(), seed=seed)).squeeze("chain")
    table = load_priors("outcomes", priors)

    def replicate(at: int, random: np.random.Generator) -> tuple[Ranks, Marks]:
        design = design_of(_with_counts(statistics, counts.isel(draw=at)), names, table)
        design = design.sel(area=design["fitted"])
        data = {name: design[name].values.astype(float) for name in (*LEVELS, *OBSERVED)}
        quantities, size, marks = sampled(
            compiled.with_data(**data), lambda draws: _flat(model.complete(draws, seed=0)), seed=seed + at, runs=runs
        )
        return ranks(quantities, truths.isel(draw=at), size, random), marks

    return replicate


def _no_more_than_all(counts: xr.DataArray, design: xr.Dataset) -> xr.DataArray:
    """Cap events at the number of children (this affects one cell in many thousands).

    A negative binomial is unbounded, so an extreme draw from the prior can give counts that no source could publish and
    that the model refuses. Points of pupils are not events.
    """
    most = design["exposure"].where(design["family"] != MEAN, np.inf).sel(area=counts["area"])
    return counts.where(counts <= most, most)


def _with_counts(statistics: xr.Dataset, counts: xr.DataArray) -> xr.Dataset:
    """Replace the observed counts with simulated ones; small ones are hidden if the source hides them."""
    lower, upper = statistics["events_lower"], statistics["events_upper"]
    limit = upper.where((lower == 0) & (upper > 0)).min(("area", "data_year")).fillna(0.0)
    counts = counts.reindex_like(lower).fillna(lower)
    hidden = (counts <= limit) & (limit > 0)
    most = xr.ufuncs.minimum(limit, statistics["exposure"])
    return statistics.assign(events_lower=counts.where(~hidden, 0.0), events_upper=counts.where(~hidden, most))


def _flat(posterior: xr.Dataset) -> xr.DataArray:
    """Return the calibrated quantities along one dim (quantity, ...), with the parameter and indicator of each."""
    names = [str(k) for k in posterior["indicator"].values]
    parts = {(name, k): posterior[name].sel(indicator=k) for name in PARAMETERS for k in names}
    for one, other in combinations(names, 2):
        pair = posterior["area_correlation"].sel(indicator=one, indicator_other=other)
        parts["area_correlation", f"{one}, {other}"] = pair
    values = [part.reset_coords(drop=True).astype(float) for part in parts.values()]
    labels = {which: ("quantity", [key[i] for key in parts]) for i, which in enumerate(("parameter", "pool"))}
    return xr.concat(values, "quantity").assign_coords(labels)


def few_areas(statistics: xr.Dataset) -> xr.Dataset:
    """Return the areas and years of the calibration: evenly spaced fitted areas, six years with data."""
    fitted = statistics["area"].values[statistics["fitted"].values]
    chosen = fitted[np.linspace(0, len(fitted) - 1, AREAS).astype(int)]
    return statistics.sel(area=chosen, data_year=YEARS)


def outcomes_check_tables(
    *,
    replications: int,
    seed: int,
    file: Path,
    spend_error: bool = False,
    folder: Path | None = None,
    progress: Progress = no_progress,
) -> dict[str, pd.DataFrame]:
    """Calibrate the outcome model and return its table by name (an hour).

    Parameters
    ----------
    replications, seed
        Number of replications, and the seed.
    file
        Where results are saved as they arrive, so that an interrupted calibration can resume.
    spend_error
        Whether spending is its expectation given the returns and its errors are parameters, as in `spend_error_table`.
    folder
        Data folder; the shipped one by default.
    progress
        Called with the share of replications that are done.
    """
    priors = evidence.load_table("priors", folder)
    statistics, doubt = evidence.load_statistics(folder), None
    if spend_error:
        statistics, doubt, _ = calibrated(statistics)
    replication = outcomes_replication(
        few_areas(statistics), replications=replications, seed=seed, priors=priors, spend_doubt=doubt
    )
    name = "spend_error" if spend_error else "outcomes"
    fixed: dict[str, Any] = {"replications": replications, "seed": seed}
    table = calibrate_sampled(replication, model=name, runs=RUNS, file=file, progress=progress, **fixed)
    table["settings"] = f"{AREAS} areas, 2018 to 2023, " + table["settings"]
    return {f"calibration_{name}": table}
