"""Simulation-based calibration of the outcome model: the same graph on fewer areas and years, compiled once."""

from collections import Counter
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

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
from toolkit.models.outcomes import CELLS, LEVELS, TARGET_ACCEPT, outcomes
from toolkit.models.priors import load_priors
from toolkit.models.rates import REPORTED, SCALES
from toolkit.schema import SAMPLE_DIMS, data_folder

TABLE = "reference/calibration_joint_model.csv"
AREAS, YEARS = 20, slice(2016, 2023)  # the first two years are only there to be lagged
DRAWS, TUNE, CHAINS = 400, 400, 2
RANKED = 100  # draws among which the truth is ranked, far enough apart to be all but independent
UNMIXED = 1.05  # R-hat from which a replication is counted as not converged
PARAMETERS = (*REPORTED, *SCALES, "area_sd")
OBSERVED = ("events_lower", *(name for name in CELLS if name not in ("exposure", "family")))


def outcomes_replication(
    statistics: xr.Dataset,
    *,
    replications: int,
    seed: int,
    priors: pd.DataFrame | None = None,
    draws: int = DRAWS,
    tune: int = TUNE,
    chains: int = CHAINS,
) -> tuple[Callable[[np.random.Generator], Ranks], Counter[str]]:
    """Return a replication of the outcome model for `calibrate`, and a count of those that sampled badly.

    Each draws a truth from the prior and counts from it, hidden where the source would hide them, fits the model,
    compiled once for all, and ranks the truth among the posterior draws.

    Parameters
    ----------
    statistics
        Exposures, spending, low income and which counts would be hidden, as from `few_areas`.
    replications
        How many truths to draw: the replication can be called as often.
    seed
        Of the truths.
    priors
        As for `outcomes`.
    draws, tune, chains
        Of the sampler, in each replication.

    Returns
    -------
    tuple
        The replication; and how many so far were ``unmixed`` (worst R-hat above 1.05) or had ``divergences``.
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
    left, badly, table = iter(range(replications)), Counter[str](), load_priors("outcomes", priors)
    settings = {"draws": draws, "tune": tune, "chains": chains, "cores": min(2, chains), "progress_bar": False}

    def replicate(random: np.random.Generator) -> Ranks:
        at = next(left)
        design = design_of(_with_counts(statistics, counts.isel(draw=at)), names, table)
        design = design.sel(area=design["fitted"])
        data = {name: design[name].values.astype(float) for name in (*LEVELS, *OBSERVED)}
        tree = nutpie.sample(
            compiled.with_data(**data),
            seed=int(random.integers(2**31)), save_warmup=False, target_accept=TARGET_ACCEPT, **settings,
        )  # fmt: skip
        found = _flat(model.complete(tree["posterior"].to_dataset(), seed=0))
        badly["divergences"] += int(tree["sample_stats"]["diverging"].any())
        if chains > 1:
            badly["unmixed"] += int(float(az.rhat(found.to_dataset(name="value"))["value"].max()) > UNMIXED)
        return _ranks(found, truths.isel(draw=at), random)

    return replicate, badly


def _with_counts(statistics: xr.Dataset, counts: xr.DataArray) -> xr.Dataset:
    """Put simulated counts in place of the observed ones; the small ones are hidden where the source hides such."""
    lower, upper = statistics["events_lower"], statistics["events_upper"]
    limit = upper.where((lower == 0) & (upper > 0)).min(("area", "data_year")).fillna(0.0)
    counts = counts.reindex_like(lower).fillna(lower)
    hidden = (counts <= limit) & (limit > 0)
    most = xr.ufuncs.minimum(limit, statistics["exposure"])
    return statistics.assign(events_lower=counts.where(~hidden, 0.0), events_upper=counts.where(~hidden, most))


def _ranks(found: xr.DataArray, truth: xr.DataArray, random: np.random.Generator) -> Ranks:
    """Rank each truth among evenly spaced draws; ties and the discreteness of ranks are broken at random."""
    samples = found.stack(sample=SAMPLE_DIMS, create_index=False)
    kept = samples.isel(sample=np.linspace(0, samples.sizes["sample"] - 1, RANKED).astype(int))
    place = (kept < truth).sum("sample").values + random.random(truth.size)
    pairs = zip(truth["parameter"].values, truth["pool"].values, strict=True)
    return dict(zip(pairs, (place / (RANKED + 1)).tolist(), strict=True))


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
    *, replications: int, seed: int, folder: Path | None = None, progress: Callable[[float], None] = lambda share: None
) -> Path:
    """Calibrate the outcome model, write the committed table anew and seal the data folder (tens of minutes).

    Parameters
    ----------
    replications, seed
        How many, and from which seed.
    folder
        Data folder; the shipped one by default.
    progress
        Called with the share of the replications that is done.
    """
    priors = evidence.load_table("priors", folder)
    statistics = few_areas(evidence.load_statistics(folder))
    one, badly = outcomes_replication(statistics, replications=replications, seed=seed, priors=priors)
    table = calibrate(one, replications=replications, seed=seed, model="outcomes", progress=progress)
    settings = (
        f"{AREAS} areas, 2018 to 2023, {CHAINS} chains of {DRAWS} draws after {TUNE}, nutpie; "
        f"R-hat above {UNMIXED} in {badly['unmixed']} replications, divergences in {badly['divergences']}"
    )
    target = (folder or data_folder()) / TABLE
    target.parent.mkdir(exist_ok=True)
    table.assign(settings=settings).to_csv(target, index=False)
    evidence.seal(folder)
    return target
