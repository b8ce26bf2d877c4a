"""The outcome model in PyMC's own distributions, as one would write it down: the peer of the density by hand.

The same data, covariates and table of priors; a zero-sum walk of years is written by its steps, whose covariance has
the free years in it; levels and deviations of areas are either centred or products of independent normals.
"""

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from toolkit.models.fitting.priors import load_priors, prior, setting, unnamed_prior
from toolkit.models.outcomes.likelihoods import BETA_BINOMIAL, MEAN, UNOBSERVED
from toolkit.models.outcomes.rates import DRIFT_YEARS, REPORTED, SCALES

WAYS = {"non-centred": (False, False), "levels centred": (True, False), "centred": (True, True)}


def written_out(design, *, way="non-centred"):
    """Return the model; ``way`` says whether levels and deviations of areas are sampled as they are."""
    table, names = load_priors("outcomes"), [str(name) for name in design["indicator"].values]
    cells = design.sel(area=design["fitted"])
    levels_centred, deviations_centred = WAYS[way]
    coords = {name: cells[name].values for name in ("indicator", "area", "data_year", "region_name")}
    with pm.Model(coords=coords | {"other": names}) as model:
        parameters = {name: prior(name, table, names) for name in (*REPORTED, *SCALES)}
        by_area, by_cell = (
            {name: value[(...,) + (None,) * more] for name, value in parameters.items()} for more in (1, 2)
        )
        region = by_area["region_sd"] * pm.ZeroSumNormal("region", dims=("indicator", "region_name"))
        mean = by_area["intercept"] + region[:, cells["region_index"].values]
        mean += by_area["spend_between"] * cells["spend_between"].values
        mean += by_area["low_income"] * cells["low_income_between"].values
        cholesky, _, _ = pm.LKJCholeskyCov(
            "area_cholesky",
            n=len(names),
            eta=setting("area_correlation", table, "lkj"),
            sd_dist=unnamed_prior("area_sd", table, names),
        )
        if levels_centred:
            level = pm.MvNormal("level", mean.T, chol=cholesky, dims=("area", "indicator")).T
        else:
            level = mean + cholesky @ pm.Normal("level", dims=("indicator", "area"))
        year = pt.stack([_years(k, name, parameters["year_sd"][k], design) for k, name in enumerate(names)])
        covariates = {name: _whole(cells, name) for name in ("spend", "low_income")}
        eta = level[:, :, None] + year[:, None, :] + by_cell["spend_within"] * covariates["spend"]
        eta += by_cell["low_income_within"] * covariates["low_income"]
        eta += _deviations(by_area, cells, deviations_centred)
        for k, name in enumerate(names):
            _counts(name, eta[k], parameters["dispersion"][k] ** -2.0, cells.isel(indicator=k))
    return model


def _walk(window, free):
    """Return the factor of the covariance of the steps of zero-sum years, and the sums that make years of them."""
    apart = np.diff(np.eye(window.sum()), axis=0)
    factor = np.linalg.cholesky(np.eye(window.sum() - 1) + apart @ np.diag(free[window]) @ apart.T)
    sums = np.tril(np.ones((window.sum(), window.sum() - 1)), k=-1)
    placed = np.zeros((len(window), window.sum() - 1))
    placed[window] = sums - sums.mean(axis=0)
    return factor, placed


def _years(k, name, step_sd, design):
    factor, sums = _walk(design["in_window"].values[k], design["free_variance"].values[k])
    step = pm.MvNormal(f"step_{name}", np.zeros(len(factor)), chol=step_sd * factor)
    return sums @ step


def _whole(cells, name):
    """Return a covariate about its area's mean, years' means left in, but for the mean of those."""
    window, yearly = cells["in_window"], cells[f"{name}_year_mean"]
    yearly = (yearly - yearly.where(window).mean("data_year")).where(window, 0.0)
    return (cells[f"{name}_within"] + yearly).transpose("indicator", "area", "data_year").values


def _deviations(parameters, cells, centred):
    dims = ("indicator", "area", "data_year")
    size = pt.exp(parameters["drift_size"] * cells["log_size"].values)
    spread = parameters["drift"] * (1 - parameters["persistence"] ** DRIFT_YEARS) ** -0.5 * size
    fresh = (1 - parameters["persistence"] ** 2) ** 0.5
    if centred:
        first = pm.Normal.dist(0.0, spread[..., None])
        return pm.AR(
            "deviation",
            parameters["persistence"][..., None],
            spread * fresh,
            constant=False,
            init_dist=first,
            dims=dims,
        )
    lag = np.subtract.outer(np.arange(cells.sizes["data_year"]), np.arange(cells.sizes["data_year"]))
    scale = pt.concatenate([pt.ones_like(fresh), pt.repeat(fresh, len(lag) - 1, axis=1)], axis=1)
    factor = (lag >= 0) * parameters["persistence"][..., None] ** abs(lag) * scale[:, None, :]
    return spread[..., None] * (pm.Normal("deviation", dims=dims)[:, :, None, :] * factor[:, None]).sum(axis=3)


def _counts(name, eta, size, cells):
    """Observe the known counts of one indicator, and the intervals of those hidden as sums of probabilities."""
    family = int(cells["likelihood"])
    lower, upper, exposure = (
        cells[part].transpose("area", "data_year").values for part in ("events_lower", "events_upper", "exposure")
    )
    enters = cells["family"].transpose("area", "data_year").values != UNOBSERVED

    def those(chosen):
        if family == BETA_BINOMIAL:
            share = pm.math.invlogit(eta[chosen])
            return pm.BetaBinomial, {"n": exposure[chosen], "alpha": share * size, "beta": (1 - share) * size}
        if family == MEAN:
            return pm.LogNormal, {"mu": eta[chosen], "tau": exposure[chosen] * size}
        return pm.NegativeBinomial, {"mu": exposure[chosen] * pt.exp(eta[chosen]), "alpha": size}

    known = np.nonzero(enters & (lower == upper))
    distribution, arguments = those(known)
    seen = lower[known] / exposure[known] if family == MEAN else lower[known].astype(int)
    distribution(name, **arguments, observed=seen)
    for ends in {*zip(lower[enters & (lower < upper)], upper[enters & (lower < upper)], strict=True)}:
        distribution, arguments = those(np.nonzero(enters & (lower == ends[0]) & (upper == ends[1])))
        hidden = distribution.dist(**arguments)
        chances = [pm.logp(hidden, count) for count in range(int(ends[0]), int(ends[1]) + 1)]
        pm.Potential(f"{name} {ends[0]:.0f} to {ends[1]:.0f}", pm.math.logsumexp(pt.stack(chances), axis=0).sum())
