"""Where the effect of help comes from: trials, the panel of areas, both, or judgement.

Trials measure the effect on a family served, the panel measures the association with a pound spent in an area; both
are compared on the area's rate, at a reference rise in spending. The panel's association is not an effect, and is
labelled as an association.
"""

import math
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy.special import expit, logit, ndtri

from toolkit.models.effects.grid import Selection, quadrature
from toolkit.models.effects.model import prior_of
from toolkit.models.effects.scales import LOGISTIC_SD, STANDARDISED
from toolkit.models.effects.studies import Register, study_table
from toolkit.schema import SAMPLE_DIMS, InputError, aligned, random_stream

SOURCES = ("trials", "panel", "combined", "judgement")

Array = NDArray[np.float64]


def panel_signal(
    posterior: xr.Dataset,
    *,
    scales: pd.DataFrame,
    priors: pd.DataFrame,
    reached_share: float | Mapping[str, float] | xr.DataArray,
    spend_rise: float,
) -> xr.Dataset:
    """Return the association of spend with each outcome at a rise in spending.

    Parameters
    ----------
    posterior
        Holds ``spend_within`` (chain, draw, indicator), per unit of log spend.
    scales
        The table ``outcome_scales``: indicator, link and base rate of each outcome.
    priors
        The table of priors; its ``panel_bias`` is how far an association may differ from the effect, per unit of log
        spend.
    reached_share
        Share of the outcome's expected events that fall among the children such a rise would reach.
    spend_rise
        The rise, as a proportion.

    Returns
    -------
    Dataset
        ``change`` (chain, draw, outcome): log ratio of the area's rate, or log odds shift for attainment;
        its mean, less the expected bias, and standard deviation ``log_rate_change`` and ``log_rate_change_sd``;
        ``bias_sd``;
        ``reached_share`` (outcome).

    Raises
    ------
    InputError
        A share outside 0 to 1, or an outcome or indicator that is missing.
    """
    if "spend_within" not in posterior:
        raise InputError("posterior: lacks 'spend_within'.", fix="pass the posterior of the outcome model.")
    step = math.log1p(spend_rise)
    bias, bias_sd = prior_of(priors, "effects", "panel_bias")
    parts = {}
    for row in scales.to_dict("records"):
        if row["indicator"] not in posterior["indicator"].to_numpy():
            raise InputError(f"posterior: no indicator '{row['indicator']}', for {row['outcome']}.", fix="fit it too.")
        shift = posterior["spend_within"].sel(indicator=row["indicator"], drop=True).astype(float) * step
        if row["panel_link"] == "logit" and row["scale"] != STANDARDISED:
            shift = np.log(expit(logit(row["base_rate"]) + shift) / row["base_rate"])
        parts[row["outcome"]] = shift
    change = xr.concat(list(parts.values()), pd.Index(list(parts), name="outcome"))
    return xr.Dataset(
        {
            "change": change.transpose(*SAMPLE_DIMS, "outcome"),
            "log_rate_change": change.mean(SAMPLE_DIMS) - bias * step,
            "log_rate_change_sd": change.std(SAMPLE_DIMS),
            "bias_sd": ("outcome", np.full(len(parts), bias_sd * step)),
            "reached_share": _shares(reached_share, list(parts)),
        },
        attrs={"spend_rise": spend_rise, "units": "log ratio of the area's rate; log odds for attainment"},
    )


def _shares(share: float | Mapping[str, float] | xr.DataArray, outcomes: list[str]) -> xr.DataArray:
    if isinstance(share, xr.DataArray) and share.ndim:
        if share.dims != ("outcome",):
            raise InputError(
                f"reached_share: dims {share.dims}, not outcome alone.", fix="take the mean over the other dims."
            )
        share = {str(name): float(share.sel(outcome=name)) for name in share["outcome"].to_numpy()}
    shares = share if isinstance(share, Mapping) else dict.fromkeys(outcomes, float(share))
    for name in outcomes:
        if not 0 < shares.get(name, math.nan) <= 1:
            raise InputError(
                f"reached_share: {shares.get(name)} for {name} is not in (0, 1].", fix="give a proportion."
            )
    return xr.DataArray([shares[name] for name in outcomes], coords={"outcome": outcomes}, dims="outcome")


def effect_draws(
    register: Register,
    *,
    like: xr.DataTree | xr.Dataset | xr.DataArray,
    reached_share: float | Mapping[str, float] | xr.DataArray,
    seed: int,
    spend_rise: float,
    sources: Collection[str] = SOURCES,
    outcome_posterior: xr.DataTree | xr.Dataset | None = None,
    selection: Selection = None,
    luck: tuple[float, str] = (1.0, ""),
    **pooling: Any,
) -> xr.Dataset:
    """Draw the effect of help per child reached at a new site, from each source.

    Parameters
    ----------
    register
        Tables by name, as for `study_table`, and ``priors``.
    like
        Has the chain and draw labels to use.
    reached_share
        As for `panel_signal`, at its reference rise of spending.
    seed
        The sources use the same uniform and normal numbers, so that they differ by their evidence and not by
        chance.
    spend_rise
        As for `panel_signal`.
    sources
        Any of ``SOURCES``. ``panel`` inverts the area's association to first order, log RR = log m / share,
        which always stays in the possible range; its spread between sites is that of the trials.
    outcome_posterior
        Posterior of the outcome model, for ``panel`` and ``combined``.
    selection
        As for `quadrature`: adjust the trials for selective reporting; none by default.
    luck
        Share of the variance of a new site's deviation from the mean effect that is common to all programmes drawn
        with this seed, and the name of the programme that has the rest to itself. By default all of it is common.
        The deviations of two programmes correlate by the square root of the product of their shares. The uncertainty
        of the mean effect is always drawn alike, since it is one body of evidence.
    **pooling
        Arguments of `study_table`: ``mixed``, ``exclude``, ``extra``, ``admit``.

    Returns
    -------
    Dataset
        ``mean_effect``, ``between_sites`` and the predictive ``new_site_effect`` (chain, draw, source,
        outcome): log risk ratio, positive is harm; for attainment a standardised mean difference,
        positive is benefit. Draws are taken from the exact grid of `quadrature` and are independent, so
        convergence is not an issue. `effects` is the same model in PyMC.

    Raises
    ------
    InputError
        An unknown source, a missing posterior, and all that the pooling refuses.
    """
    _check_sources(sources, outcome_posterior)
    priors, names = register["priors"], list(register["outcome_scales"]["outcome"])
    table = study_table(register, **pooling)
    like = _dataset(like) if isinstance(like, xr.DataTree) else like
    shape = (like.sizes["chain"], like.sizes["draw"], len(names))
    random = random_stream(seed, "models.sources")
    uniforms, site = random.uniform(size=(2, *shape)), _luck(random.standard_normal(shape), *luck, seed=seed)
    trials = _draw_grid(quadrature(table, priors=priors, outcomes=names, selection=selection), uniforms)
    drawn = {"trials": trials}
    drawn["judgement"] = _judgement(priors, names, uniforms, mixed=pooling.get("mixed", False))
    if outcome_posterior is not None and {"panel", "combined"} & set(sources):
        scales, fit = register["outcome_scales"], _dataset(outcome_posterior)
        aligned(_labels(like), _labels(fit))
        panel = panel_signal(fit, scales=scales, priors=priors, reached_share=reached_share, spend_rise=spend_rise)
        both = quadrature(table, priors=priors, panel=panel, outcomes=names, selection=selection)
        drawn["combined"] = _draw_grid(both, uniforms)
        logistic = np.where(scales["scale"] == STANDARDISED, LOGISTIC_SD, 1.0)
        drawn["panel"] = (panel["change"] / panel["reached_share"]).to_numpy() / logistic, trials[1]
    mean, between = (np.stack([drawn[source][part] for source in sources], axis=2) for part in (0, 1))
    coords = {dim: like[dim] for dim in SAMPLE_DIMS} | {"source": list(sources), "outcome": names}
    dims = (*SAMPLE_DIMS, "source", "outcome")
    new_site = mean + between * site[:, :, None]
    values = {"mean_effect": mean, "between_sites": between, "new_site_effect": new_site}
    result = xr.Dataset({name: (dims, value) for name, value in values.items()}, coords=coords)
    units = "log risk ratio per child reached; standardised mean difference for attainment"
    return result.assign_attrs(units=units, seed=seed, studies=list(table["study"]))


def _luck(common: Array, shared: float, programme: str, *, seed: int) -> Array:
    """Return standardised deviations of a programme's sites, with a share of the variance common to all programmes."""
    if not 0 <= shared <= 1:
        raise InputError(f"luck: {shared} is not a share.", fix="give 0 (nothing is shared) to 1 (all is).")
    if shared == 1:
        return common
    own = random_stream(seed, f"luck {programme}").standard_normal(common.shape)
    return math.sqrt(shared) * common + math.sqrt(1 - shared) * own


def _dataset(posterior: xr.DataTree | xr.Dataset) -> xr.Dataset:
    if isinstance(posterior, xr.Dataset):
        return posterior
    node = posterior["posterior"] if "posterior" in posterior.children else posterior
    return node.to_dataset() if isinstance(node, xr.DataTree) else xr.Dataset()


def _check_sources(sources: Collection[str], posterior: object) -> None:
    unknown = sorted(set(sources) - set(SOURCES))
    if unknown or not sources:
        raise InputError(f"sources: {unknown or 'none given'}.", fix=f"choose from {', '.join(SOURCES)}.")
    if posterior is None and {"panel", "combined"} & set(sources):
        raise InputError("sources panel and combined need the outcome model.", fix="pass outcome_posterior=.")


def _labels(draws: xr.Dataset | xr.DataArray) -> xr.Dataset:
    return xr.Dataset(coords={dim: draws[dim].to_numpy() for dim in SAMPLE_DIMS})


def _judgement(priors: pd.DataFrame, names: list[str], uniforms: Array, *, mixed: bool) -> tuple[Array, Array]:
    offer = "with_conferencing" if mixed else "broad_early_help"
    mean, mean_sd = np.array([prior_of(priors, "judgement", name, f"{name}_{offer}") for name in names]).T
    between_sd = np.array([prior_of(priors, "effects", f"tau_{name}")[1] for name in names])
    return mean + mean_sd * ndtri(uniforms[1]), between_sd * ndtri(0.5 + 0.5 * uniforms[0])


def _draw_grid(grid: xr.Dataset, uniforms: Array) -> tuple[Array, Array]:
    """Draw the spread, then the mean given the spread, by inverting their distributions."""
    mean, between = np.empty(uniforms.shape[1:]), np.empty(uniforms.shape[1:])
    for index in range(grid.sizes["outcome"]):
        outcome_grid = grid.isel(outcome=index)
        weight, means, spreads = (outcome_grid[key].to_numpy() for key in ("weight", "mean_effect", "between_sites"))
        u_between, u_mean = uniforms[..., index]
        half = (spreads[1] - spreads[0]) / 2
        edges = np.concatenate([[0.0], np.cumsum(weight.sum(0))])
        spread = np.interp(u_between, edges / edges[-1], np.append(spreads - half, spreads[-1] + half))
        column = np.clip(((spread - spreads[0]) / (2 * half) + 0.5).astype(int), 0, len(spreads) - 1)
        between[..., index] = spread
        for chosen in np.unique(column):
            at = column == chosen
            below = np.cumsum(weight[:, chosen]) - 0.5 * weight[:, chosen]
            mean[..., index][at] = np.interp(u_mean[at], below / weight[:, chosen].sum(), means)
    return mean, between
