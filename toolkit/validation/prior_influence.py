"""How far the outcome model depends on its priors: power-scaling of priors and likelihood, without a refit.

Some ten thousand levels and deviations are integrated out: what matters is the likelihood of the few quantities with a
prior in the table. It is the posterior over the prior, and the posterior of those quantities is close to normal on an
unbounded scale, so its density is computed from the draws. The likelihood of the counts given every deviation cannot
be used: raised to a power it leaves hardly any draw with weight.
"""

from typing import Any

import arviz as az
import numpy as np
import pandas as pd
import pymc as pm
import xarray as xr
from numpy.typing import NDArray
from scipy import stats

from toolkit.models.fitting.monte_carlo import batch_errors, batches, near
from toolkit.models.fitting.priors import load_priors, log_prior, row_of, unnamed_prior
from toolkit.models.outcomes.rates import REPORTED, SCALES
from toolkit.schema import CANNOT_BE_DETERMINED, MCSE, random_stream
from toolkit.validation.programme_influence import SENSITIVE, diagnosis

Array = NDArray[np.float64]
SCALED = (*REPORTED, *SCALES, "area_sd")
PRIOR_DRAWS = 10_000  # for the prior's standard deviation


def outcome_power_scaling(posterior: xr.Dataset, *, seed: int, priors: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return how far each quantity moves when its indicator's priors, or likelihood, are raised to a power near one.

    Parameters
    ----------
    posterior
        Draws (chain, draw) of the outcome model.
    seed
        Seed of the draws from the prior and of the noise.
    priors
        As for `outcomes`. The prior of the correlations between indicators is not scaled.

    Returns
    -------
    DataFrame
        One row per indicator and parameter: ``prior`` and ``likelihood``, distances per doubling of the power
        (sensitive from 0.05); ``noise``, the larger of both for numbers unrelated to either;
        ``prior_ratio``, posterior over prior standard deviation; ``*_mcse``, their Monte Carlo standard errors;
        ``diagnosis`` in words, ``CANNOT_BE_DETERMINED`` if a distance that decides it is within two errors of 0.05.

    References
    ----------
    Kallioinen, Paananen, Bürkner and Vehtari (2024), Statistics and Computing 34: 57.
    """
    table, names = load_priors("outcomes", priors), [str(name) for name in posterior["indicator"].values]
    random, order = random_stream(seed, "models.prior_influence"), ("chain", "draw", "indicator")
    draws = {name: posterior[name].transpose(*order).values.astype(float) for name in SCALED}
    logged = {name: log_prior(name, table, names, draws[name]) for name in SCALED}
    prior_sd = {
        name: pm.draw(unnamed_prior(name, table, names), PRIOR_DRAWS, random_seed=random).std(axis=0) for name in SCALED
    }
    kinds = {(name, indicator): _kind(name, table, indicator) for name in SCALED for indicator in names}
    tables = []
    for k, indicator in enumerate(names):
        own = {name: values[:, :, k].ravel() for name, values in draws.items()}
        total = np.sum([values[:, :, k] for values in logged.values()], axis=0).ravel()
        free = [_unbounded(values, kinds[name, indicator]) for name, values in own.items()]
        points, slopes = np.stack([at for at, _ in free], axis=-1), np.sum([slope for _, slope in free], axis=0)
        likelihood = _normal_density(points) - slopes - total
        own["noise"] = np.asarray(random.standard_normal(total.shape))
        spread = {name: float(values[k]) for name, values in prior_sd.items()}
        table = _sensitivities(own, total, likelihood, spread)
        parts = [
            _sensitivities({name: values[at] for name, values in own.items()}, total[at], likelihood[at], spread)
            for at in batches(len(total))
        ]
        table = table.join(batch_errors(parts, list(table.columns)))
        table.insert(0, "indicator", indicator)
        tables.append(table.rename_axis("parameter").reset_index())
    scaling = pd.concat(tables, ignore_index=True)
    scaling["diagnosis"] = [_diagnosed(row) for row in scaling.to_dict("records")]
    measured = [f"{name}{which}" for name in ("prior", "likelihood", "noise", "prior_ratio") for which in ("", MCSE)]
    return scaling[["indicator", "parameter", *measured, "diagnosis"]]


def _sensitivities(
    draws: dict[str, Array], prior: Array, likelihood: Array, prior_sd: dict[str, float]
) -> pd.DataFrame:
    """Return ``prior``, ``likelihood``, ``noise`` and ``prior_ratio`` of each parameter from draws (sample)."""
    groups = {"log_prior": {"priors": prior[None]}, "log_likelihood": {"events": likelihood[None, :, None]}}
    tree = az.from_dict({"posterior": {name: values[None] for name, values in draws.items()}, **groups})
    sense = {group: az.psense(tree, group=group) for group in ("prior", "likelihood")}
    table = pd.DataFrame({group: {name: float(moved[name]) for name in SCALED} for group, moved in sense.items()})
    table["noise"] = max(float(moved["noise"]) for moved in sense.values())
    return table.assign(prior_ratio=pd.Series({name: draws[name].std() / prior_sd[name] for name in SCALED}))


def _diagnosed(row: dict[Any, Any]) -> str:
    close = {part: near(row[part] - SENSITIVE, row[f"{part}{MCSE}"]) for part in ("prior", "likelihood")}
    if close["prior"] or (row["prior"] >= SENSITIVE and close["likelihood"]):
        return CANNOT_BE_DETERMINED
    return diagnosis(row["prior"], row["likelihood"])


def _kind(name: str, table: pd.DataFrame, indicator: str) -> str:
    row = row_of(name, table, indicator)
    return "" if row is None else str(row["distribution"])


def _normal_density(points: Array) -> Array:
    flat = points.reshape(-1, points.shape[-1])
    return np.asarray(stats.multivariate_normal(flat.mean(axis=0), np.cov(flat.T)).logpdf(points))


def _unbounded(values: Array, prior: str) -> tuple[Array, Array]:
    """Return values on an unbounded scale, and the log Jacobian of the inverse."""
    if prior == "normal":
        return values, np.zeros_like(values)
    if prior == "beta":
        return np.log(values / (1 - values)), np.log(values * (1 - values))
    return np.log(values), np.log(values)
