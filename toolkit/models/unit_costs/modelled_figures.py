"""Figures that models derive from cited ones: pooled unit costs, real price growth, placement prices of areas.

One command computes them. They are committed as tables in ``data/reference``, so that pricing a run needs no refit,
and each states its sources, method and seed.
"""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from toolkit import evidence
from toolkit.evidence import Register
from toolkit.models.fitting.diagnose import diagnose
from toolkit.models.fitting.fit import fit
from toolkit.models.fitting.monte_carlo import refuse_failed
from toolkit.models.unit_costs import placements as placement_model
from toolkit.models.unit_costs.pooled import pooled, pooled_summary, rival_estimates, yearly_growth
from toolkit.schema import PRICE_BASE

LEVEL = 0.9
GROWTH_CATEGORY = {
    "residential": "residential",
    "foster": "foster",
    "cla": "looked_after",
    "social_work": "social_work",
}
COPIED = ("outcome", "unit", "payer", "price_category")
DRAWS, TUNE, CHAINS, TARGET_ACCEPT = 1000, 1000, 4, 0.97


def modelled_figures(register: Register) -> pd.DataFrame:
    """Return the pooled costs (``pool:<name>``) and real growth rates (``growth:<category>``), one row per figure.

    A role of ``roles.csv`` or a scenario may name any of them, as it may name a cited figure.

    Parameters
    ----------
    register
        From ``evidence.load_register``.

    Returns
    -------
    DataFrame
        Columns of the table ``modelled_figures``. A pooled cost is the posterior median in 2025/26 prices with a
        90 per cent interval, growth the posterior mean of a yearly rate after inflation.

    Raises
    ------
    InputError
        As ``rival_estimates`` and ``yearly_growth``.
    """
    priors = register.tables["priors"]
    rivals, growth = rival_estimates(register), yearly_growth(register)
    rows = [_pool_row(name, row, rivals, register) for name, row in _summary(rivals, priors, "cost_pools")]
    rows += [_growth_row(name, row, growth, register) for name, row in _summary(growth, priors, "price_growth")]
    return pd.DataFrame(rows).assign(interval_kind="confidence", interval_level=LEVEL, superseded_by="")


def _summary(rows: pd.DataFrame, priors: pd.DataFrame, prior_model: str) -> list[tuple[str, pd.Series]]:
    table = pooled_summary(pooled(rows, priors=priors, prior_model=prior_model), level=LEVEL)
    return [(str(name), row) for name, row in table.iterrows()]


def _pool_row(name: str, posterior: pd.Series, rivals: pd.DataFrame, register: Register) -> dict[str, object]:
    estimates = rivals[rivals["pool"] == name]
    cited = register.figures.loc[estimates["id"]]
    numbers = {key: round(float(np.exp(posterior[key])), 2) for key in ("low", "median", "high")}
    graded = (
        f"; {int(estimates['graded'].sum())} of {len(estimates)} errors from the grade"
        if estimates["graded"].any()
        else ""
    )
    return {
        "id": f"pool:{name}",
        "description": f"{name.replace('_', ' ').capitalize()}: {len(estimates)} rival estimates pooled",
        **_interval(numbers["median"], numbers["low"], numbers["high"]),
        **{column: cited[column].iloc[0] for column in COPIED},
        "price_year": PRICE_BASE,
        "confidence": max(cited["confidence"]),
        **_provenance(cited),
        "note": f"Posterior median; estimates lie apart by {posterior['between']:.2f} on the log scale{graded}.",
    }


def _growth_row(name: str, posterior: pd.Series, growth: pd.DataFrame, register: Register) -> dict[str, object]:
    ids = list(growth.loc[growth["pool"] == name, "id"])
    cited = register.figures.loc[ids]
    rates = {key: round(float(np.expm1(posterior[key])), 5) for key in ("low", "mean", "high")}
    first, last = (cited["price_year"].iloc[end] for end in (0, -1))
    return {
        "id": f"growth:{GROWTH_CATEGORY[name]}",
        "description": f"Real yearly growth in the weekly price, {GROWTH_CATEGORY[name].replace('_', ' ')}",
        **_interval(rates["mean"], rates["low"], rates["high"]),
        **{column: cited[column].iloc[0] for column in COPIED},
        "unit": "annual rate, real",
        "price_year": "",
        "confidence": max(cited["confidence"]),
        **_provenance(cited),
        "note": f"Mean of {len(ids)} yearly changes to {first}-{last}, after inflation; yearly changes vary by "
        f"{posterior['between']:.3f}. It fades to none over growth_fade_years.",
    }


def _interval(value: float, low: float, high: float) -> dict[str, object]:
    return {"value": value, "low": low, "high": high, "interval_note": "posterior interval of the pooled mean"}


def _provenance(cited: pd.DataFrame) -> dict[str, object]:
    """Return the sources of a figure, which are those of the cited rows."""
    titles = list(dict.fromkeys(cited["source"]))
    return {
        "source_title": "Pooled from " + "; ".join(titles),
        "source_publisher": "",
        "source_year": "",
        "source_locator": "toolkit.models.unit_costs.pooled.pooled",
        "source_url": cited["url"].iloc[0],
        "made_from": ";".join(cited.index),
        "settings": "exact quadrature, no seed",
    }


def placement_table(
    *, seed: int, draws: int = DRAWS, tune: int = TUNE, chains: int = CHAINS, folder: Path | None = None
) -> pd.DataFrame:
    """Fit the model of placement prices and return each area's price over England's in the base year.

    Parameters
    ----------
    seed, draws, tune, chains
        Settings of the sampler.
    folder
        Data folder; the shipped one by default.

    Raises
    ------
    InputError
        If the fit fails its checks, which the message names.
    """
    prices, priors = evidence.placement_prices(folder), evidence.load_table("priors", folder)
    prices["price"] = prices["price"].where(~placement_model.set_aside(prices, priors=priors))
    model = placement_model.placements(prices, priors=priors)
    with warnings.catch_warnings():  # ten years of the filter make a graph too long to fuse, which costs nothing here
        warnings.filterwarnings("ignore", "Loop fusion failed", UserWarning)
        # Regions hardly differ in residential prices, so one standard deviation is near 0 and needs small steps.
        tree = fit(model, seed=seed, draws=draws, tune=tune, chains=chains, progress=False, target_accept=TARGET_ACCEPT)
    refuse_failed(diagnose(tree), "placement prices", draws=draws)
    table = placement_model.price_table(tree["posterior"].to_dataset(), prices, seed=seed)
    return table.assign(seed=seed, settings=f"{chains} chains of {draws} draws after {tune}, nutpie")


def modelled_tables(*, seed: int, draws: int = DRAWS, folder: Path | None = None) -> dict[str, pd.DataFrame]:
    """Return the tables ``modelled_figures`` and ``placement_prices``.

    Parameters
    ----------
    seed, draws
        Settings of the sampler.
    folder
        Data folder; the shipped one by default.
    """
    figures = modelled_figures(evidence.load_register(folder=folder))
    return {"modelled_figures": figures, "placement_prices": placement_table(seed=seed, draws=draws, folder=folder)}
