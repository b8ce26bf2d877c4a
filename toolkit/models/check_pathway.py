"""Simulation-based calibration of the pathway: rates from their priors, figures with their errors, one compile."""

import warnings
from collections import Counter
from collections.abc import Callable
from itertools import count
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy.special import logit

from toolkit import evidence
from toolkit.models.check_effects import Ranks, calibrate
from toolkit.models.check_outcomes import how_sampled, ranks, sampled
from toolkit.models.fit import compile_model
from toolkit.models.pathway import outputs
from toolkit.models.pathway_fit import derived, natural_rates, pathway, pathway_figures
from toolkit.models.priors import load_priors

RUNS = ({"draws": 150, "tune": 150, "target_accept": 0.8}, {"draws": 400, "tune": 400, "target_accept": 0.9})

Array = NDArray[np.float64]


def pathway_replication(
    figures: pd.DataFrame, *, seed: int, priors: pd.DataFrame
) -> tuple[Callable[[np.random.Generator], Ranks], Counter[str]]:
    """Return a replication of the pathway's fit for `calibrate`, and a count of those that sampled badly.

    Parameters
    ----------
    figures
        From ``pathway_figures``: its fitted rows, with their errors, are those of the simulated figures.
    seed
        Of the sampler.
    priors
        The table of priors.

    Returns
    -------
    tuple
        The replication, which ranks every rate and what areas are localised by (``derived``, ages apart); and the
        count, as in ``outcomes_replication``.
    """
    fitted, prior = figures[figures["fitted"] == 1], load_priors("pathway", priors)
    with warnings.catch_warnings():  # why loops are not fused says `pathway_tables`
        warnings.filterwarnings("ignore", "Loop fusion failed", UserWarning)
        compiled = compile_model(pathway(fitted, priors=priors))
    mean, sd = prior["arg1"].to_numpy(float), prior["arg2"].to_numpy(float)
    numbered, badly = count(seed), Counter[str]()

    def replicate(random: np.random.Generator) -> Ranks:
        truth = random.normal(mean, sd)
        found, size, marks = sampled(
            compiled.with_data(published=simulated(truth, fitted, random, priors=priors)),
            lambda draws: _flat(draws["rates"], priors),
            seed=next(numbered), runs=RUNS,
        )  # fmt: skip
        badly.update(marks)
        true = xr.DataArray(truth[None, None], {"parameter": prior.index}, ("chain", "draw", "parameter"))
        return ranks(found, _flat(true, priors).isel(chain=0, draw=0), size, random)

    return replicate, badly


def simulated(truth: Array, fitted: pd.DataFrame, random: np.random.Generator, *, priors: pd.DataFrame) -> Array:
    """Return the figures (of ``fitted``), each on its log or logit scale, as one truth and their errors make them.

    The model is walked by NumPy here, so that what compiled it for the sampler is put to the test as well.
    """
    found = outputs(natural_rates(truth[None], priors))
    says = np.array([found[output][0] for output in fitted["output"]])
    log = (fitted["scale"] == "log").to_numpy()
    return random.normal(np.log(says, where=log, out=logit(says)), fitted["error"].to_numpy(float))


def _flat(rates: xr.DataArray, priors: pd.DataFrame) -> xr.DataArray:
    """Return the ranked quantities (quantity, chain, draw) of unbounded rates (chain, draw, parameter)."""
    free = rates.transpose("chain", "draw", "parameter")
    walked = derived(natural_rates(free.values.reshape(-1, free.sizes["parameter"]), priors))
    extra = {name: values for name, (_, values) in walked.items() if "[" not in name}
    names = [*(str(name) for name in free["parameter"].values), *extra]
    kinds = ["rate"] * free.sizes["parameter"] + ["localised by"] * len(extra)
    values = [*np.moveaxis(free.values, 2, 0), *(one.reshape(free.shape[:2]) for one in extra.values())]
    labels = {"parameter": ("quantity", kinds), "pool": ("quantity", names)}
    return xr.DataArray(np.stack(values), labels, ("quantity", "chain", "draw"))


def remake_pathway_check(*, replications: int, seed: int, folder: Path | None = None) -> Path:
    """Calibrate the pathway, write the committed table anew and seal the data folder (many minutes).

    Parameters
    ----------
    replications, seed
        How many, and from which seed.
    folder
        Data folder; the shipped one by default.
    """
    register = evidence.load_register(folder=folder)
    figures, priors = pathway_figures(register, folder=folder), register.tables["priors"]
    one, badly = pathway_replication(figures, seed=seed, priors=priors)
    table = calibrate(one, replications=replications, seed=seed, model="pathway")
    settings = f"{int((figures['fitted'] == 1).sum())} figures, {how_sampled(badly, RUNS)}"
    return evidence.write_reference({"calibration_pathway": table.assign(settings=settings)}, folder)[0]
