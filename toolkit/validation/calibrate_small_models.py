"""Simulation-based calibration of the small models: effects, pooled unit costs and price growth.

Parameters are drawn from the prior, data from the model at the shipped design (the same studies, standard
errors, designs and pools), and the exact posterior must then cover the true values as often as stated.
"""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from toolkit import evidence
from toolkit.models.effects.grid import Selection, quadrature
from toolkit.models.effects.model import SHARE, prior_of, shape_of
from toolkit.models.effects.scales import LOGISTIC_SD, SIGNIFICANT, STANDARDISED, scale_of
from toolkit.models.effects.sources import panel_signal
from toolkit.models.effects.studies import FINDINGS, OPEN, study_table
from toolkit.models.unit_costs.pooled import pooled, pooled_cdf, rival_estimates, yearly_growth
from toolkit.validation.calibration import Ranks, calibrate

# Share of events among the children reached, from a run of the default scenario for England.
REACHED = {"repeat_referrals": 0.20, "gcse_attainment": 0.20, "care": 0.17, "youth_justice": 0.02}
MANY = 10_000  # candidates from which the first that passes selection is taken

Array = NDArray[np.float64]


def effects_replication(
    studies: pd.DataFrame, priors: pd.DataFrame, *, selection: Selection = None, panel: xr.Dataset | None = None
) -> Callable[[np.random.Generator], Ranks]:
    """Return a replication of the meta-analysis with the shipped studies' designs.

    Parameters
    ----------
    studies
        From `study_table`. A study without a number reports the kind of finding that its simulated estimate is.
    priors
        The table of priors.
    selection
        None; or "prior": studies are drawn until one is included, with a chance from the prior.
    panel
        From `panel_signal`, for ``combined``: an association is drawn around the one that the true effect implies,
        with its error and bias.
    """
    outcomes = list(dict.fromkeys(studies["outcome"]))

    def replicate(random: np.random.Generator) -> Ranks:
        truth: dict[str, dict[str, float]] = {"mean_effect": {}, "between_sites": {}}
        inclusion = float(random.beta(*shape_of(priors, "effects", "selection_weight"))) if selection else 1.0
        parts = []
        for outcome in outcomes:
            centre, spread = prior_of(priors, "effects", f"mu_{scale_of(outcome)}")
            mean = random.normal(centre, spread)
            between = abs(random.normal(0, prior_of(priors, "effects", f"tau_{outcome}")[1]))
            truth["mean_effect"][outcome], truth["between_sites"][outcome] = mean, between
            share = random.beta(*shape_of(priors, "effects", SHARE))
            own, programmes = between * math.sqrt(1 - share), {}
            for row in studies[studies["outcome"] == outcome].to_dict("records"):
                if row["programme"] not in programmes:
                    programmes[row["programme"]] = random.normal(mean, between * math.sqrt(share))
                parts.append(_simulated(row, programmes[row["programme"]], own, inclusion, random))
        settings: dict[str, Any] = {"priors": priors, "outcomes": outcomes, "selection": selection}
        drawn = panel if panel is None else _associated(panel, truth["mean_effect"], random)
        grid = quadrature(pd.DataFrame(parts), panel=drawn, **settings)
        return {(name, o): _rank(grid.sel(outcome=o), name, truth[name][o]) for name in truth for o in outcomes}

    return replicate


def _associated(panel: xr.Dataset, truth: dict[str, float], random: np.random.Generator) -> xr.Dataset:
    """Draw each outcome's association around the one that its true effect implies for the rate of an area."""
    drawn = panel.sel(outcome=list(truth))
    effect, share = np.array([*truth.values()]), drawn["reached_share"].values
    smd = np.array([scale_of(outcome) == STANDARDISED for outcome in truth])
    implied = np.where(smd, share * effect * LOGISTIC_SD, np.log(1 - share + share * np.exp(effect)))
    spread = np.hypot(drawn["log_rate_change_sd"].values, drawn["bias_sd"].values)
    return drawn.assign(log_rate_change=("outcome", random.normal(implied, spread)))


def _simulated(
    row: dict[Any, Any], mean: float, between: float, inclusion: float, random: np.random.Generator
) -> dict[Any, Any]:
    """Draw one study's finding, repeatedly until one is included."""
    size = MANY if inclusion < 1 else 1
    error = row["se"] * np.exp(row["se_log_sd"] * random.standard_normal(size))
    spread = np.sqrt(error**2 + row["bias_sd"] ** 2 + between**2)
    effect = random.normal(mean + row["bias_mean"], spread)
    benefit = 1.0 if row["scale"] == STANDARDISED else -1.0
    chance = np.where(benefit * effect > SIGNIFICANT * error, 1.0, inclusion)
    chosen = int(np.argmax(random.random(size) < chance))
    if np.isfinite(row["effect"]):
        return {**row, "effect": effect[chosen]}
    return {**row, **_finding(row, float(effect[chosen] / error[chosen]))}


def _finding(row: dict[Any, Any], ratio: float) -> dict[str, float]:
    """Return what a study reports for an estimate over its error: its direction, or whether it is significant."""
    reports = "benefit" if {row["lower"], row["upper"]} & {0.0} else "significant"
    kinds = (
        ("benefit", "harm") if reports == "benefit" else ("not_significant", "significant_benefit", "significant_harm")
    )
    bounded = min(max(ratio, -OPEN), OPEN)
    lower, upper = next(FINDINGS[kind] for kind in kinds if FINDINGS[kind][0] <= bounded <= FINDINGS[kind][1])
    return {"lower": lower, "upper": upper}


def _rank(grid: xr.Dataset, name: str, truth: float) -> float:
    over = "between_point" if name == "mean_effect" else "mean_point"
    weight, values = grid["weight"].sum(over).to_numpy(), grid[name].to_numpy()
    half = (values[1] - values[0]) / 2
    edges = np.append(values - half, values[-1] + half)
    return float(np.interp(truth, edges, np.concatenate([[0.0], np.cumsum(weight)])))


def pools_replication(
    rows: pd.DataFrame, priors: pd.DataFrame, *, prior_model: str
) -> Callable[[np.random.Generator], Ranks]:
    """Return a replication of the pooling of unit costs, or of price growth, with the shipped pools.

    Parameters
    ----------
    rows
        From `rival_estimates` or `yearly_growth`.
    priors, prior_model
        As for `unit_costs`.
    """
    names, at = np.unique(rows["pool"].to_numpy(str), return_inverse=True)
    centre, spread = prior_of(priors, prior_model, "mean")
    scale_sd = prior_of(priors, prior_model, "between_scale")[1]

    def replicate(random: np.random.Generator) -> Ranks:
        scale = abs(random.normal(0, scale_sd))
        between, mean = abs(random.normal(0, scale, len(names))), random.normal(centre, spread, len(names))
        sd = np.hypot(rows["se"].to_numpy(float), between[at])
        posterior = pooled(rows.assign(estimate=random.normal(mean[at], sd)), priors=priors, prior_model=prior_model)
        below = pooled_cdf(posterior, xr.DataArray(mean, dims="pool", coords={"pool": names}))
        ranks = {("mean", str(name)): float(below.sel(pool=name)) for name in names}
        points = posterior["between"].to_numpy()
        for name, value in zip(names, between, strict=True):
            ranks["between", str(name)] = _cubic_rank(points, posterior["weight"].sel(pool=name).to_numpy(), value, 3)
        points = posterior["scale"].to_numpy()
        ranks["between_scale", "all"] = _cubic_rank(points, posterior["scale_weight"].to_numpy(), scale, 2)
        return ranks

    return replicate


def _cubic_rank(points: Array, weight: Array, truth: float, power: int) -> float:
    """Return the rank on a grid whose points are the middles of even cells of their ``power``-th root."""
    root, half = points ** (1 / power), points[0] ** (1 / power)
    edges = np.append(root - half, root[-1] + half) ** power
    return float(np.interp(truth, edges, np.concatenate([[0.0], np.cumsum(weight)])))


def small_models_tables(
    *, replications: int = 1000, seed: int = 20261122, folder: Path | None = None
) -> dict[str, pd.DataFrame]:
    """Calibrate the small models on the shipped evidence and return the table ``calibration_small_models`` (minutes).

    Parameters
    ----------
    replications, seed
        Number of replications, and the seed, of each model.
    folder
        Data folder; the shipped one by default.
    """
    register = evidence.load_register(folder=folder)
    studies, priors = study_table(register.tables), register.tables["priors"]
    models = {
        "effects": effects_replication(studies, priors),
        "effects, combined": effects_replication(studies, priors, panel=_shipped_panel(register, folder)),
        "effects, selection": effects_replication(studies, priors, selection="prior"),
        "cost_pools": pools_replication(rival_estimates(register), priors, prior_model="cost_pools"),
        "price_growth": pools_replication(yearly_growth(register), priors, prior_model="price_growth"),
    }
    tables = [
        calibrate(replication, replications=replications, seed=seed, model=name) for name, replication in models.items()
    ]
    design = f"design: {len(studies)} studies and the pools of cost_pools.csv as shipped; exact posteriors"
    return {"calibration_small_models": pd.concat(tables, ignore_index=True).assign(settings=design)}


def _shipped_panel(register: evidence.Register, folder: Path | None) -> xr.Dataset:
    """Return a panel with the association and error of the shipped statistics (committed check of spending)."""
    associations = evidence.load_table("reference/spend_error", folder).query("spending == 'returned'")
    ends = associations["mean"].to_numpy() + np.outer([-1, 1], associations["sd"])
    coords = {"indicator": associations["indicator"].to_numpy()}
    slopes = xr.Dataset({"spend_within": (("chain", "draw", "indicator"), ends[None])}, coords)
    rise = float(register.figures["value"]["combined_reference_rise"])
    tables = register.tables
    return panel_signal(
        slopes, scales=tables["outcome_scales"], priors=tables["priors"], reached_share=REACHED, spend_rise=rise
    )
