"""The model of programmes in PyMC, sampled without importance weights: what checks `hierarchy.sample_programmes`."""

from typing import Any

import numpy as np
import pandas as pd
import pymc as pm
import pytensor.tensor as pt

from toolkit.models.effects.hierarchy import Design, design_of
from toolkit.models.effects.programme_priors import Priors, priors_of
from toolkit.schema import EFFECT_OUTCOMES


def programme_model(studies: pd.DataFrame, programmes: pd.DataFrame, priors: pd.DataFrame) -> pm.Model:
    """Return the model of `toolkit.models.effects.hierarchy` as a PyMC model.

    Parameters
    ----------
    studies, programmes, priors
        As for `sample_programmes`.

    Returns
    -------
    pymc.Model
        ``programme_effect`` (programme, outcome), ``type_effect`` (programme_type, outcome), ``mean_effect`` (outcome)
        and ``spread_scale`` (level), the spreads over the scale of their priors.
    """
    design, prior = design_of(studies, programmes), priors_of(priors)
    studies = design.table
    coords: dict[str, Any] = {
        "programme": design.programmes,
        "programme_type": design.types,
        "outcome": list(EFFECT_OUTCOMES),
        "level": list(prior.spread),
        "study": list(range(len(studies))),
        "evaluation": design.evaluations,
    }
    with pm.Model(coords=coords) as model:
        size = pm.HalfNormal("spread_scale", 1, dims="level")
        spread = {level: size[place] * prior.spread[level] for place, level in enumerate(prior.spread)}
        standard = pm.Normal("mean_standard", 0, 1, dims="outcome")
        mean = pm.Deterministic("mean_effect", prior.mean + prior.mean_sd * standard, dims="outcome")
        kinds = mean + _group("type", "programme_type", spread["type"], prior)
        kinds = pm.Deterministic("type_effect", kinds, dims=("programme_type", "outcome"))
        effect = kinds[design.type_of] + _group("programme", "programme", spread["programme"], prior)
        effect = pm.Deterministic("programme_effect", effect, dims=("programme", "outcome"))
        own = pm.Normal("study_standard", 0, 1, dims="study")
        theta = effect[design.programme, design.outcome] + spread["study"][design.outcome] * own
        centre = _shares(design) * theta + _bias(design, prior)
        errors = _errors(studies)
        missing = studies["effect"].isna().to_numpy()
        pm.Normal("number", centre[~missing], errors[~missing], observed=studies["effect"].to_numpy()[~missing])
        pm.Potential("findings", _log_chance(studies[missing], centre[missing] / errors[missing]).sum())
    return model


def _group(level: str, dim: str, spread: Any, prior: Priors) -> Any:
    """Return correlated deviations of a level, a row for each of its members, oriented by benefit."""
    factor = pm.LKJCorr(f"{level}_correlation", n=len(EFFECT_OUTCOMES), eta=prior.outcome_correlation)
    standard = pm.Normal(f"{level}_standard", 0, 1, dims=(dim, "outcome"))
    return (standard @ factor.T) * spread * prior.orientation


def _shares(design: Design) -> Any:
    """Return the share of those counted whom the programme of each study serves."""
    share = pt.ones(len(design.table))
    whole = design.table["take_up_first"].notna().to_numpy()
    rows = design.table[whole].drop_duplicates("programme")
    if not len(rows):
        return share
    served = pm.Beta("served", rows["take_up_first"].to_numpy(), rows["take_up_second"].to_numpy())
    place = [list(rows["programme"]).index(name) for name in design.table["programme"][whole]]
    return pt.set_subtensor(share[np.flatnonzero(whole)], served[place])  # type: ignore[no-untyped-call]


def _bias(design: Design, prior: Priors) -> Any:
    """Return the bias of each study; an evaluation's outcomes share part of it."""
    common = pm.Normal("evaluation_bias", 0, 1, dims="evaluation")
    own = pm.Normal("own_bias", 0, 1, dims="study")
    shared = prior.bias_correlation
    standard = np.sqrt(shared) * common[design.evaluation] + np.sqrt(1 - shared) * own
    mean, sd = (design.table[name].to_numpy() for name in ("bias_mean", "bias_sd"))
    return mean + sd * prior.orientation[design.outcome] * standard


def _errors(studies: pd.DataFrame) -> Any:
    """Return the standard errors, those known only by a bound or a prior as parameters."""
    errors = pt.as_tensor_variable(studies["se"].to_numpy())
    unknown = np.flatnonzero(studies["se_log_sd"].to_numpy() > 0)
    if not len(unknown):
        return errors
    median, spread, most = (studies[name].to_numpy()[unknown] for name in ("se", "se_log_sd", "se_most"))
    with np.errstate(divide="ignore"):
        highest = np.minimum(np.log(most / median) / spread, 10.0)  # ten deviations are as good as no bound
    standard = pm.Truncated("error_standard", pm.Normal.dist(0, 1, shape=len(unknown)), upper=highest)
    unknown_errors = median * pt.exp(spread * standard)
    return pt.set_subtensor(errors[unknown], unknown_errors)  # type: ignore[no-untyped-call]


def _log_chance(studies: pd.DataFrame, centre: Any) -> Any:
    """Return the log-probability of each finding without a number, whose mean is given in standard errors."""
    lower, upper = (studies[end].to_numpy() - centre for end in ("lower", "upper"))
    flip = pt.gt(lower + upper, 0)  # the logarithm is precise in the lower tail only
    unit = pm.Normal.dist(0, 1)
    high = pm.logcdf(unit, pt.switch(flip, -lower, upper))
    low = pm.logcdf(unit, pt.switch(flip, -upper, lower))
    return high + pm.math.log1mexp(low - high)
