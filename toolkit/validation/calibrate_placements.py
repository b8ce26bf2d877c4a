"""Simulation-based calibration of the model of placement prices: the same graph on fewer areas, compiled once."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pymc as pm
import xarray as xr

from toolkit import evidence
from toolkit.models.fitting.fit import compile_model
from toolkit.models.outcomes.persistence import simulate_deviations
from toolkit.models.unit_costs.placements import log_size, placements, price_ratio
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

AREAS, YEARS = 12, 5  # evenly spaced areas, the latest years
RUNS = ({"draws": 300, "tune": 300, "target_accept": 0.9}, {"draws": 900, "tune": 600, "target_accept": 0.97})
PARAMETERS = ("growth", "national_step", "region_sd", "area_sd", "persistence", "noise", "noise_size", "tail")
OWN = ("persistence", "area_sd", "noise", "noise_size", "tail")


def placements_replication(prices: xr.Dataset, *, replications: int, seed: int, priors: pd.DataFrame) -> Sampled:
    """Return a replication of the model of placement prices for `calibrate_sampled`.

    Parameters
    ----------
    prices
        From `few_prices`: the simulated prices have its gaps, sizes and regions.
    replications, seed, priors
        As for `outcomes_replication`.

    Returns
    -------
    callable
        As for `outcomes_replication`; it ranks the parameters and the first area's price over England's.
    """
    model = placements(prices, priors=priors)
    with warnings.catch_warnings():
        # `modelled_figures` explains the first; prices are a potential of the model and are simulated below.
        warnings.filterwarnings("ignore", "(Loop fusion failed|The effect of Potentials)", UserWarning)
        compiled = compile_model(model)
        with model:
            drawn = pm.sample_prior_predictive(
                draws=replications, random_seed=seed, compile_kwargs={"mode": "FAST_COMPILE"}
            )
    truths = drawn["prior"].to_dataset()

    def replicate(at: int, random: np.random.Generator) -> tuple[Ranks, Marks]:
        truth = truths.isel(draw=[at])
        observed, own = _simulated(truth.isel(chain=0, draw=0), prices, random)
        known = np.log(np.nan_to_num(observed["price"].values, nan=1.0))
        quantities, size, marks = sampled(
            compiled.with_data(log_price=known),
            lambda draws: _flat(draws, price_ratio(draws, observed, seed=seed + at).values[:, :, 0]),
            seed=seed + at,
            runs=RUNS,
        )
        national = truth["national"].values[0, 0, :, -1] - np.log(prices["england"].values[:, -1])
        return ranks(quantities, _flat(truth, (national + own)[None]).isel(chain=0, draw=0), size, random), marks

    return replicate


def _simulated(truth: xr.Dataset, prices: xr.Dataset, random: np.random.Generator) -> tuple[xr.Dataset, np.ndarray]:
    """Return prices simulated from true values, and the first area's distance from the national price (placement)."""
    part = {name: truth[name].values[:, None] for name in OWN}
    shape = prices["price"].shape
    own = simulate_deviations(part["persistence"], part["area_sd"] + np.zeros(shape[:2]), shape, rng=random)
    error = part["noise"] * np.exp(part["noise_size"] * log_size(prices))
    scale = np.sqrt(part["tail"] / random.chisquare(part["tail"], shape[:2]))[:, :, None]
    region = truth["region_effect"].sel(region=prices["region"]).transpose("placement", "area").values[:, :, None]
    noise = error[:, :, None] * random.standard_normal(shape)
    log_price = truth["national"].values[:, None, :] + region + scale * (own + noise)
    price = prices["price"].copy(data=np.exp(log_price)).where(prices["price"].notnull())
    return prices.assign(price=price), (region + scale * own)[:, 0, -1]


def _flat(draws: xr.Dataset, ratio: np.ndarray) -> xr.DataArray:
    """Return the ranked quantities (quantity, chain, draw); ``ratio`` (sample, placement) is the log price."""
    order = ("chain", "draw", "placement")
    parts = {name: draws[name].transpose(*order).values for name in PARAMETERS}
    parts["log_ratio"] = ratio.reshape(parts["growth"].shape)
    names = [str(name) for name in draws["placement"].values]
    labels = {"parameter": np.repeat([*parts], len(names)), "pool": np.tile(names, len(parts))}
    coords = {name: ("quantity", values) for name, values in labels.items()}
    return xr.DataArray(np.concatenate([*parts.values()], axis=2), coords, ("chain", "draw", "quantity"))


def few_prices(prices: xr.Dataset) -> xr.Dataset:
    """Return the areas and years of the calibration."""
    chosen = np.linspace(0, prices.sizes["area"] - 1, AREAS).astype(int)
    return prices.isel(area=chosen, data_year=slice(-YEARS, None))


def placements_check_tables(
    *, replications: int, seed: int, file: Path, folder: Path | None = None, progress: Progress = no_progress
) -> dict[str, pd.DataFrame]:
    """Calibrate the model of placement prices and return the table ``calibration_placement_prices`` (minutes).

    Parameters
    ----------
    replications, seed, file, folder, progress
        As for `outcomes_check_tables`.
    """
    priors, prices = evidence.load_table("priors", folder), few_prices(evidence.placement_prices(folder))
    fixed: dict[str, Any] = {"replications": replications, "seed": seed}
    replication = placements_replication(prices, priors=priors, **fixed)
    table = calibrate_sampled(replication, model="placements", runs=RUNS, file=file, progress=progress, **fixed)
    table["settings"] = f"{AREAS} areas, {YEARS} years, " + table["settings"]
    return {"calibration_placement_prices": table}
