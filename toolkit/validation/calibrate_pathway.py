"""Simulation-based calibration of the pathway: rates from their priors, figures with errors, compiled once."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy.special import logit

from toolkit import evidence
from toolkit.models.fitting.fit import compile_model
from toolkit.models.fitting.priors import load_priors
from toolkit.models.pathway.model import outputs
from toolkit.models.pathway.published_fit import derived, natural_rates, pathway, pathway_figures
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

RUNS = ({"draws": 150, "tune": 150, "target_accept": 0.8}, {"draws": 400, "tune": 400, "target_accept": 0.9})

Array = NDArray[np.float64]


def pathway_replication(figures: pd.DataFrame, *, seed: int, priors: pd.DataFrame) -> Sampled:
    """Return a replication of the pathway's fit for `calibrate_sampled`.

    Parameters
    ----------
    figures
        From ``pathway_figures``: its fitted rows are simulated, with their errors.
    seed
        Seed of the sampler.
    priors
        The table of priors.

    Returns
    -------
    callable
        As for `outcomes_replication`; it ranks every rate and the quantities that localise areas (``derived``, without
        ages).
    """
    fitted, prior = figures[figures["fitted"] == 1], load_priors("pathway", priors)
    with warnings.catch_warnings():  # `pathway_tables` explains why
        warnings.filterwarnings("ignore", "Loop fusion failed", UserWarning)
        compiled = compile_model(pathway(fitted, priors=priors))
    mean, sd = prior["arg1"].to_numpy(float), prior["arg2"].to_numpy(float)

    def replicate(at: int, random: np.random.Generator) -> tuple[Ranks, Marks]:
        truth = random.normal(mean, sd)
        quantities, size, marks = sampled(
            compiled.with_data(published=simulated(truth, fitted, random, priors=priors)),
            lambda draws: _flat(draws["rates"], priors),
            seed=seed + at,
            runs=RUNS,
        )
        true = xr.DataArray(truth[None, None], {"parameter": prior.index}, ("chain", "draw", "parameter"))
        return ranks(quantities, _flat(true, priors).isel(chain=0, draw=0), size, random), marks

    return replicate


def simulated(truth: Array, fitted: pd.DataFrame, random: np.random.Generator, *, priors: pd.DataFrame) -> Array:
    """Return the fitted figures simulated from true rates, each with its error and on its log or logit scale.

    The model runs in NumPy here, so that the compiled version of the sampler is tested as well.
    """
    measured = outputs(natural_rates(truth[None], priors))
    predicted = np.array([measured[output][0] for output in fitted["output"]])
    log = (fitted["scale"] == "log").to_numpy()
    return random.normal(np.log(predicted, where=log, out=logit(predicted)), fitted["error"].to_numpy(float))


def _flat(rates: xr.DataArray, priors: pd.DataFrame) -> xr.DataArray:
    """Return the ranked quantities (quantity, chain, draw) of unbounded rates (chain, draw, parameter)."""
    free = rates.transpose("chain", "draw", "parameter")
    walked = derived(natural_rates(free.values.reshape(-1, free.sizes["parameter"]), priors))
    extra = {name: values for name, (_, values) in walked.items() if "[" not in name}
    names = [*(str(name) for name in free["parameter"].values), *extra]
    kinds = ["rate"] * free.sizes["parameter"] + ["localised by"] * len(extra)
    values = [*np.moveaxis(free.values, 2, 0), *(values.reshape(free.shape[:2]) for values in extra.values())]
    labels = {"parameter": ("quantity", kinds), "pool": ("quantity", names)}
    return xr.DataArray(np.stack(values), labels, ("quantity", "chain", "draw"))


def pathway_check_tables(
    *, replications: int, seed: int, file: Path, folder: Path | None = None, progress: Progress = no_progress
) -> dict[str, pd.DataFrame]:
    """Calibrate the pathway and return the table ``calibration_pathway`` (many minutes).

    Parameters
    ----------
    replications, seed, file, folder, progress
        As for `outcomes_check_tables`.
    """
    register = evidence.load_register(folder=folder)
    figures, priors = pathway_figures(register, folder=folder), register.tables["priors"]
    fixed: dict[str, Any] = {"replications": replications, "seed": seed}
    replication = pathway_replication(figures, seed=seed, priors=priors)
    table = calibrate_sampled(replication, model="pathway", runs=RUNS, file=file, progress=progress, **fixed)
    table["settings"] = f"{int((figures['fitted'] == 1).sum())} figures, " + table["settings"]
    return {"calibration_pathway": table}
