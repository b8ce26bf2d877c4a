"""What early help changes: the meta-analysis of the studies of effect.

A study s of an outcome reports y[s] ~ N(theta[s] + bias[s], se[s]) with theta[s] ~ N(mu, tau) and
bias[s] ~ N(b[design], sigma[design]). Two studies of one programme are not independent: a share of the
variance tau^2 belongs to the programme and is common to its studies. Study effect, programme and bias are integrated
out: y[s] ~ N(mu + b, sqrt(se^2 + sigma^2 + tau^2)), with covariance share tau^2 within a programme. What
remains is the mean effect mu, the spread tau and the share, three numbers per outcome. So one vectorised graph
serves every outcome and set of studies without a new compilation, few studies cause no funnel, and
`grid.quadrature` is exact.
"""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import pandas as pd
import pymc as pm
import pytensor.tensor as pt
import xarray as xr
from numpy.typing import NDArray
from pymc.distributions.transforms import log_exp_m1

from toolkit.models.effects.scales import LOGISTIC_SD, STANDARDISED, scale_of
from toolkit.schema import EFFECT_OUTCOMES, InputError

# Over a programme's deviation, and over the log of an unknown standard error.
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(5)
LOG_WEIGHTS = np.log(WEIGHTS / WEIGHTS.sum())
SHARE = "programme_share"

Array = NDArray[np.float64]


def effect_data(
    studies: pd.DataFrame,
    *,
    priors: pd.DataFrame,
    panel: xr.Dataset | None = None,
    outcomes: Collection[str] = EFFECT_OUTCOMES,
) -> dict[str, Any]:
    """Return the arrays that `effects` takes as data; pass them to a compiled model's ``with_data`` to refit.

    Parameters
    ----------
    studies
        From `study_table`.
    priors
        The table of priors: for model ``effects`` normal ``mu_<scale>``, half-normal ``tau_<outcome>`` and beta
        ``programme_share``.
    panel
        From `panel_signal`; omit it to use the trials alone.
    outcomes
        Order of the outcomes.

    Raises
    ------
    InputError
        A missing prior, or a study of an outcome that is not modelled.
    """
    names = list(outcomes)
    unknown = sorted(set(studies["outcome"]) - set(names))
    if unknown:
        raise InputError(f"studies: outcomes {unknown} are not among {names}.", fix="drop those rows.")
    known, censored = (studies[studies["effect"].notna() == flag] for flag in (True, False))
    data: dict[str, Any] = {
        "effect": known["effect"].to_numpy(float),
        "censored_lower": censored["lower"].to_numpy(float),
        "censored_upper": censored["upper"].to_numpy(float),
        "censored_se": np.outer(censored["se"], np.ones_like(NODES)) * np.exp(np.outer(censored["se_log_sd"], NODES)),
        "between_prior_sd": np.array([prior_of(priors, "effects", f"tau_{name}")[1] for name in names]),
        "standardised": np.array([_scale(studies, name) == STANDARDISED for name in names], float),
    }
    means = np.array([prior_of(priors, "effects", f"mu_{_scale(studies, name)}") for name in names])
    data["mean_prior"], data["mean_prior_sd"] = means.T
    for part, rows in (("study", known), ("censored", censored)):
        data[f"{part}_outcome"] = np.array([names.index(name) for name in rows["outcome"]], dtype="int64")
        data[f"{part}_bias"] = rows["bias_mean"].to_numpy(float)
        data[f"{part}_bias_sd"] = rows["bias_sd"].to_numpy(float)
    data["study_se"] = known["se"].to_numpy(float)
    data["share_first"], data["share_second"] = (np.array(end) for end in shape_of(priors, "effects", SHARE))
    return data | _programmes(studies, names) | _panel_data(panel, names)


def _programmes(studies: pd.DataFrame, names: list[str]) -> dict[str, Array]:
    """Return each programme's outcome, whether it has several studies, and which these are (programme, study)."""
    keys = pd.MultiIndex.from_frame(studies[["outcome", "programme"]])
    programmes, counts = np.unique(keys.to_numpy(), return_counts=True)
    data = {
        "programme_outcome": np.array([names.index(outcome) for outcome, _ in programmes], dtype="int64"),
        "programme_nested": (counts > 1).astype(float),
    }
    own = np.array([[key == programme for key in keys] for programme in programmes], float)
    own = own.reshape(len(programmes), len(keys))
    known = studies["effect"].notna().to_numpy()
    return data | {"study_of": own[:, known], "censored_of": own[:, ~known]}


def _scale(studies: pd.DataFrame, outcome: str) -> str:
    scales = studies.loc[studies["outcome"] == outcome, "scale"]
    return str(scales.iloc[0]) if len(scales) else scale_of(outcome)


def _panel_data(panel: xr.Dataset | None, names: list[str]) -> dict[str, Array]:
    if panel is None:
        none = np.zeros(len(names))
        return {"panel_change": none, "panel_sd": none + 1, "panel_weight": none, "reached_share": none}
    signal = panel.reindex(outcome=names)
    sd = np.hypot(signal["log_rate_change_sd"].to_numpy(), signal["bias_sd"].to_numpy())
    change, share = signal["log_rate_change"].to_numpy(), signal["reached_share"].to_numpy()
    known = np.isfinite(change) & np.isfinite(sd) & np.isfinite(share)
    return {
        "panel_change": np.where(known, change, 0.0),
        "panel_sd": np.where(known, sd, 1.0),
        "panel_weight": known.astype(float),
        "reached_share": np.where(known, share, 0.0),
    }


def prior_of(priors: pd.DataFrame, model: str, *parameters: str) -> tuple[float, float]:
    """Return mean (0 for a half-normal) and standard deviation of the first of these priors in the table.

    Raises
    ------
    InputError
        If the table has none of them, or the prior is neither normal nor half-normal.
    """
    rows = priors[priors["model"] == model].set_index("parameter")
    for name in parameters:
        if name not in rows.index:
            continue
        kind, first, second = (rows[column][name] for column in ("distribution", "arg1", "arg2"))
        if kind == "normal":
            return float(first), float(second)
        if kind in ("halfnormal", "half_normal"):
            return 0.0, float(first)
        raise InputError(
            f"priors {model}, {name}: distribution '{kind}' cannot be used.", fix="use normal or halfnormal."
        )
    raise InputError(f"priors: model '{model}' has no row for {' or '.join(parameters)}.", fix="add one.")


def shape_of(priors: pd.DataFrame, model: str, parameter: str) -> tuple[float, float]:
    """Return the two arguments of a beta or gamma prior.

    Raises
    ------
    InputError
        If the table of priors has no such row.
    """
    rows = priors[(priors["model"] == model) & (priors["parameter"] == parameter)]
    if len(rows) != 1 or rows["distribution"].iloc[0] not in ("beta", "gamma"):
        raise InputError(f"priors: model '{model}' has no beta or gamma row for {parameter}.", fix="add one.")
    return float(rows["arg1"].iloc[0]), float(rows["arg2"].iloc[0])


def effects(
    studies: pd.DataFrame,
    *,
    priors: pd.DataFrame,
    panel: xr.Dataset | None = None,
    outcomes: Collection[str] = EFFECT_OUTCOMES,
) -> pm.Model:
    """Return the meta-analysis of every outcome as one model.

    Parameters
    ----------
    studies
        From `study_table`.
    priors
        The table of priors; see `effect_data`.
    panel
        From `panel_signal`: also condition on the association of spend with each outcome, the source
        ``combined``. Trials imply log m = log(1 + share (exp(mu) - 1)) for the rate of an area, or for
        attainment a log odds shift of share mu pi / sqrt(3); the panel's estimate is normal around it.
    outcomes
        Order of the outcomes.

    Returns
    -------
    pymc.Model
        ``mean_effect``, ``between_sites``, ``programme_share`` (of the variance between sites) and the predictive
        ``new_site_effect`` (of a programme that is not among the studies), dims outcome. Every array is data, so
        that a new study needs no new compilation.

    References
    ----------
    Turner, Spiegelhalter, Smith and Thompson (2009), JRSS A 172: 21-47 (bias-adjusted meta-analysis).
    Konstantopoulos (2011), Research Synthesis Methods 2: 61-76 (studies nested in groups).
    """
    data = effect_data(studies, priors=priors, panel=panel, outcomes=outcomes)
    with pm.Model(coords={"outcome": list(outcomes)}) as model:
        inputs = {name: pm.Data(name, value) for name, value in data.items()}
        mean = pm.Normal("mean_effect", inputs["mean_prior"], inputs["mean_prior_sd"], dims="outcome")
        # On the log scale a half-normal ends in a steep wall that long steps hit; softplus flattens it.
        scaled = pm.HalfNormal("between_scaled", 1, dims="outcome", default_transform=log_exp_m1)
        between = pm.Deterministic("between_sites", inputs["between_prior_sd"] * scaled, dims="outcome")
        share = pm.Beta(SHARE, inputs["share_first"], inputs["share_second"], dims="outcome")
        site = pm.Normal("site", 0, 1, dims="outcome")
        pm.Deterministic("new_site_effect", mean + between * site, dims="outcome")
        pm.Potential("findings", _findings(mean, between**2, share, inputs))
        pm.Potential("association", _association(mean, inputs))
    return model


def _findings(mean: Any, variance: Any, share: Any, inputs: Mapping[str, Any]) -> Any:
    """Return the log-density of all findings; interval findings average over what numbers leave open of a deviation."""
    outcome, nested = inputs["programme_outcome"], inputs["programme_nested"]
    shared = nested * (share * variance)[outcome]
    own = {
        part: variance[inputs[f"{part}_outcome"]] - inputs[f"{part}_of"].T @ shared for part in ("study", "censored")
    }
    total = inputs["study_se"] ** 2 + inputs["study_bias_sd"] ** 2 + own["study"]
    gap = inputs["effect"] - mean[inputs["study_outcome"]] - inputs["study_bias"]
    measured = pm.logp(pm.Normal.dist(0, pt.sqrt(total)), gap).sum()
    precision, pull = inputs["study_of"] @ (1 / total), inputs["study_of"] @ (gap / total)
    left = shared / (1 + shared * precision)
    measured += (0.5 * left * pull**2 - 0.5 * pt.log1p(shared * precision)).sum()
    # If nothing is shared, the slope of the square root of 0 would not be finite.
    spread = nested * pt.sqrt(pt.switch(nested, left, 1.0))
    deviation = (left * pull)[:, None] + spread[:, None] * NODES
    inside = _inside(mean, own["censored"], inputs["censored_of"].T @ deviation, inputs)
    return measured + pm.math.logsumexp(LOG_WEIGHTS + inputs["censored_of"] @ inside, axis=1).sum()


def _inside(mean: Any, variance: Any, deviation: Any, inputs: Mapping[str, Any]) -> Any:
    """Return the log-probability of each interval finding, averaged over its unknown standard error (study, node)."""
    se = inputs["censored_se"][:, :, None]
    sd = pt.sqrt(se**2 + (inputs["censored_bias_sd"] ** 2 + variance)[:, None, None])
    centre = ((mean[inputs["censored_outcome"]] + inputs["censored_bias"])[:, None] + deviation)[:, None, :]
    lower, upper = ((inputs[f"censored_{end}"][:, None, None] * se - centre) / sd for end in ("lower", "upper"))
    flip = pt.gt(lower + upper, 0)  # the logarithm is precise in the lower tail only
    unit = pm.Normal.dist(0, 1)
    high = pm.logcdf(unit, pt.switch(flip, -lower, upper))
    low = pm.logcdf(unit, pt.switch(flip, -upper, lower))
    return pm.math.logsumexp(LOG_WEIGHTS[:, None] + high + pm.math.log1mexp(low - high), axis=1)


def _association(mean: Any, inputs: Mapping[str, Any]) -> Any:
    share = inputs["reached_share"]
    implied = pt.switch(inputs["standardised"], share * mean * LOGISTIC_SD, pt.log1p(share * pt.expm1(mean)))
    log_density = pm.logp(pm.Normal.dist(implied, inputs["panel_sd"]), inputs["panel_change"])
    return (inputs["panel_weight"] * log_density).sum()
