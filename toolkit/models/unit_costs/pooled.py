"""Unit costs when several sources disagree, and growth of prices: one small hierarchical model.

Estimate i of pool p is log y[i] ~ N(mu[p], sqrt(se[i]^2 + tau[p]^2)), with tau[p] half-normal of a scale
that all pools share: a pool of two or three estimates has too little information on how far rival estimates differ.
The estimates' own errors are integrated out and mu given tau is normal, so quadrature over tau and the
shared scale is exact. Yearly growth rates of a price are pooled in the same way.
"""

from typing import Any

import numpy as np
import pandas as pd
import pymc as pm
import xarray as xr
from numpy.typing import NDArray
from scipy import stats
from scipy.special import logsumexp

from toolkit.evidence import Register
from toolkit.models.fitting.priors import load_priors, setting
from toolkit.models.prior_rows import prior_of
from toolkit.prices import rebase
from toolkit.schema import PRICE_BASE, InputError

POINTS = 160  # of the grids over tau and over the scale
CATEGORIES = ("residential", "foster", "cla", "social_work")
RULES = "data/evidence/cost_pools.csv"

Array = NDArray[np.float64]


def rival_estimates(register: Register) -> pd.DataFrame:
    """Return the estimates of each pool in 2025/26 prices, on the log scale.

    Parameters
    ----------
    register
        From ``evidence.load_register``; its table ``cost_pools`` lists the rows that estimate the same cost.

    Returns
    -------
    DataFrame
        Columns pool, id, estimate (log GBP), se (from the published interval, else from the grade) and graded.

    Raises
    ------
    InputError
        A row that is unknown, superseded or otherwise unusable; a pool of one row or of several units.
    """
    pools = register.tables["cost_pools"]
    rows = [_rival(row, register) for row in pools.to_dict("records")]
    table = pd.DataFrame(rows)
    for pool, estimates in table.groupby("pool"):
        if len(estimates) < 2 or estimates["unit"].nunique() > 1:
            what = "has one row" if len(estimates) < 2 else f"mixes units {sorted(set(estimates['unit']))}"
            raise InputError(f"{RULES}, pool '{pool}': {what}.", fix="pool rows of one cost in one unit.")
    return table


def _rival(row: dict[Any, Any], register: Register) -> dict[str, Any]:
    pool, key = row["pool"], row["id"]
    if key not in register.figures.index:
        why = register.excluded["reason"].get(key, "no such figure")
        raise InputError(f"{RULES}, {pool}: '{key}' cannot be pooled: {why}.", fix="name a row that may be used.")
    figure = register.figures.loc[key]
    if not str(figure["unit"]).startswith("GBP") or not figure["value"] > 0:
        raise InputError(f"{RULES}, {pool}: '{key}' is not a sum of money above 0.", fix="drop the row.")
    value = rebase(float(figure["value"]), figure["price_year"], deflators=register.deflators)
    se, graded = _error(figure, register)
    return {
        "pool": pool,
        "id": key,
        "estimate": float(np.log(value)),
        "se": se,
        "graded": graded,
        "unit": figure["unit"],
    }


def _error(figure: pd.Series, register: Register) -> tuple[float, bool]:
    """Return the standard error of a figure's logarithm, from its interval or else its grade, and if by grade."""
    if figure["interval_kind"] in ("confidence", "range") and figure["low"] > 0:
        z = stats.norm.ppf(0.5 + float(figure["interval_level"]) / 2)
        return float(np.log(figure["high"] / figure["low"]) / (2 * z)), False
    grades = register.tables["graded_uncertainty"].set_index("grade")
    old = f"{figure['confidence']}_old"
    age = int(PRICE_BASE[:4]) - int(figure["price_year"][:4])
    grade = old if age > float(grades["price_year_older_than"].get(old, np.inf)) else figure["confidence"]
    return float(np.sqrt(np.log1p(grades["coefficient_of_variation"][grade] ** 2))), True


def yearly_growth(register: Register) -> pd.DataFrame:
    """Return each year's real growth (log) of England's section 251 prices, by category.

    Parameters
    ----------
    register
        From ``evidence.load_register``: figures ``s251_<category>_week_<years>``; ``priors`` holds the step to which
        they are rounded.

    Returns
    -------
    DataFrame
        Columns pool (the category), id (the later year's figure), estimate and se, from rounding.

    Raises
    ------
    InputError
        If a category has fewer than three yearly prices, or the step of rounding is missing.
    """
    # The error is uniform over a step of rounding: its variance is a twelfth of the squared step.
    rounding = setting("rounding", load_priors("price_growth", register.tables["priors"]), "fixed") / np.sqrt(12)
    parts = []
    for category in CATEGORIES:
        prices = register.figures[register.figures.index.str.match(rf"s251_{category}_week_\d{{4}}_\d\d$")]
        prices = prices.sort_values("price_year")
        if len(prices) < 3:
            raise InputError(f"unit_costs: fewer than three yearly prices s251_{category}_week.", fix="restore them.")
        pairs = zip(prices["value"], prices["price_year"], strict=True)
        real = np.array([rebase(float(v), y, deflators=register.deflators) for v, y in pairs])
        relative = rounding / prices["value"].to_numpy(float)
        part = {"pool": category, "id": prices.index[1:], "estimate": np.diff(np.log(real))}
        parts.append(pd.DataFrame(part | {"se": np.hypot(relative[1:], relative[:-1])}))
    return pd.concat(parts, ignore_index=True)


def unit_costs(rows: pd.DataFrame, *, priors: pd.DataFrame, prior_model: str = "cost_pools") -> pm.Model:
    """Return the pooling of rival estimates as a PyMC model; :func:`pooled` computes the same posterior exactly.

    Parameters
    ----------
    rows
        From :func:`rival_estimates` or :func:`yearly_growth`.
    priors
        The table of priors.
    prior_model
        Which rows to use: ``cost_pools`` or ``price_growth``, with normal ``mean`` and half-normal ``between_scale``.

    Returns
    -------
    pymc.Model
        ``mean`` and ``between`` (pool), ``between_scale``.
    """
    names, at = np.unique(rows["pool"].to_numpy(str), return_inverse=True)
    with pm.Model(coords={"pool": names}) as model:
        scale = pm.HalfNormal("between_scale", prior_of(priors, prior_model, "between_scale")[1])
        between = pm.Deterministic("between", scale * pm.HalfNormal("z", 1, dims="pool"), dims="pool")
        mean = pm.Normal("mean", *prior_of(priors, prior_model, "mean"), dims="pool")
        sd = pm.math.sqrt(rows["se"].to_numpy(float) ** 2 + between[at] ** 2)
        pm.Normal("estimates", mean[at], sd, observed=rows["estimate"].to_numpy(float))
    return model


def pooled(rows: pd.DataFrame, *, priors: pd.DataFrame, prior_model: str = "cost_pools") -> xr.Dataset:
    """Return the exact posterior of :func:`unit_costs`.

    Parameters
    ----------
    rows, priors, prior_model
        As for :func:`unit_costs`.

    Returns
    -------
    Dataset
        ``weight`` (pool, between_point) over ``between`` (between_point); given it, the pool's mean is normal
        with ``mean`` and ``mean_sd`` (pool, between_point); ``scale_weight`` over ``scale`` (scale_point).
    """
    centre, spread = prior_of(priors, prior_model, "mean")
    scale_sd = prior_of(priors, prior_model, "between_scale")[1]
    # Points are denser towards 0, where precise estimates make the posterior of tau narrow.
    scale = 5.0 * scale_sd * ((np.arange(POINTS) + 0.5) / POINTS) ** 2
    between = 12.0 * scale_sd * ((np.arange(POINTS) + 0.5) / POINTS) ** 3
    log_scale = -0.5 * (scale / scale_sd) ** 2 + np.log(np.gradient(scale))
    # Half-normal probability of each cell of tau given the scale; cells, not points, keep the mass of a small scale.
    edges = np.concatenate([[0.0], (between[1:] + between[:-1]) / 2, [np.inf]])
    log_cells = np.log(np.diff(2 * stats.norm.cdf(edges[:, None] / scale), axis=0).clip(1e-300))
    names = np.unique(rows["pool"].to_numpy(str))
    parts = [_given_between(rows[rows["pool"] == name], between, centre, spread) for name in names]
    evidence = np.stack([logsumexp(log[:, None] + log_cells, axis=0) for _, _, log in parts])
    scale_log = log_scale + evidence.sum(0)
    scale_log -= logsumexp(scale_log)
    weight = [
        log + logsumexp(log_cells + scale_log - own, axis=1) for (_, _, log), own in zip(parts, evidence, strict=True)
    ]
    return xr.Dataset(
        {
            "weight": (("pool", "between_point"), np.exp(np.stack(weight))),
            "mean": (("pool", "between_point"), np.stack([mean for mean, _, _ in parts])),
            "mean_sd": (("pool", "between_point"), np.stack([sd for _, sd, _ in parts])),
            "between": ("between_point", between),
            "scale": ("scale_point", scale),
            "scale_weight": ("scale_point", np.exp(scale_log)),
        },
        coords={"pool": names},
    )


def _given_between(rows: pd.DataFrame, between: Array, centre: float, spread: float) -> tuple[Array, Array, Array]:
    """Return mean and standard deviation of a pool's mean given tau, and the log marginal likelihood of tau."""
    estimate = rows["estimate"].to_numpy(float)[:, None]
    variance = rows["se"].to_numpy(float)[:, None] ** 2 + between**2
    precision = 1 / spread**2 + (1 / variance).sum(0)
    mean = (centre / spread**2 + (estimate / variance).sum(0)) / precision
    square = (centre / spread) ** 2 + (estimate**2 / variance).sum(0) - mean**2 * precision
    return mean, precision**-0.5, -0.5 * (square + np.log(variance).sum(0) + np.log(precision))


def pooled_cdf(posterior: xr.Dataset, values: xr.DataArray) -> xr.DataArray:
    """Return the posterior probability (pool, ...) that each pool's mean lies below ``values``."""
    z = (values - posterior["mean"]) / posterior["mean_sd"]
    below: xr.DataArray = (posterior["weight"] * xr.apply_ufunc(stats.norm.cdf, z)).sum("between_point")
    return below


def pooled_summary(posterior: xr.Dataset, *, level: float = 0.9) -> pd.DataFrame:
    """Return mean, standard deviation, median and interval of each pool's mean, and the spread between estimates.

    Parameters
    ----------
    found
        From :func:`pooled`.
    level
        Probability between ``low`` and ``high``.
    """
    mean = (posterior["weight"] * posterior["mean"]).sum("between_point")
    second = (posterior["weight"] * (posterior["mean_sd"] ** 2 + posterior["mean"] ** 2)).sum("between_point")
    sd = (second - mean**2) ** 0.5
    line = mean + sd * xr.DataArray(np.linspace(-12, 12, 4001), dims="point")
    below = pooled_cdf(posterior, line)
    table = {"mean": mean.to_numpy(), "sd": sd.to_numpy()}
    for name, chance in (("low", 0.5 - level / 2), ("median", 0.5), ("high", 0.5 + level / 2)):
        pairs = zip(below.transpose("pool", ...), line.transpose("pool", ...), strict=True)
        table[name] = np.array([np.interp(chance, cdf, values) for cdf, values in pairs])
    table["between"] = (posterior["weight"] * posterior["between"]).sum("between_point").to_numpy()
    return pd.DataFrame(table, index=pd.Index(posterior["pool"].to_numpy(), name="pool"))
