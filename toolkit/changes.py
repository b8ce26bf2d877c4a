"""What a scenario changes of the evidence itself: a council's own statistics, priors, studies."""

import json
from collections.abc import Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING

import pandas as pd
import xarray as xr

from toolkit import appraisal, costing, evidence, pathways
from toolkit.scenarios import Scenario
from toolkit.schema import InputError
from toolkit.tabular import excerpt

__all__ = [
    "check_evidence",
    "check_left_out",
    "own_figures",
    "weighed",
]

if TYPE_CHECKING:  # samplers are imported only where something is fitted
    from toolkit.models.fitting.reweight import Weighed


def own_figures(
    scenario: Scenario, base: xr.Dataset, register: evidence.Register, *, areas: Sequence[str]
) -> pd.DataFrame:
    """Return ``evidence.own_figures`` of a scenario, which must be run for the council that they describe and no other.

    Parameters
    ----------
    scenario, register, areas
        The scenario, where its figures are cited, and the areas to run.
    base
        From ``evidence.base_year``.

    Raises
    ------
    InputError
        Another area, and whatever ``evidence.own_figures`` refuses.
    """
    if scenario.own_figures and list(areas) != [scenario.own_area]:
        whose = " and ".join(evidence.members(evidence.reference_areas(), scenario.own_area)) or scenario.own_area
        raise InputError(f"own_figures: they are those of {whose}.", fix="choose that area alone, or take them out.")
    return evidence.own_figures(base, scenario.own_figures, register.deflators)


def check_left_out(scenario: Scenario, effects: pd.DataFrame) -> None:
    """Refuse studies to leave out that are not in use.

    Parameters
    ----------
    effects
        The table ``programme_effects``.

    Raises
    ------
    InputError
        Names the study, and the nearest that is in use.
    """
    used = effects.loc[effects["used"] == 1, "effect_id"].tolist()
    for study in scenario.left_out:
        if study not in used:
            close = get_close_matches(study[:40], used, n=3)
            near = f"did you mean {', '.join(close)}?" if close else "take it off the list."
            raise InputError(f"left_out: '{excerpt(study)}' is not a study in use.", fix=near)


def weighed(
    fitted: xr.DataTree, scenario: Scenario, before: pd.DataFrame, after: pd.DataFrame
) -> "xr.DataTree | Weighed":
    """Return a fit under the scenario's priors by weighting its draws, or why they cannot be weighted so far.

    Parameters
    ----------
    fitted
        With the shipped priors, which the scenario changes.
    before, after
        Tables of priors: those shipped, and those with the scenario's changes to the outcome model.

    Returns
    -------
    DataTree, its report card with the two checks of the weights; or ``models.fitting.reweight.Weighed``, unusable
    """
    from toolkit import models
    from toolkit.models.fitting.reweight import TRUSTED_SHAPE

    weights = models.weigh(fitted["posterior"].to_dataset(), before, after)
    if not weights.usable:
        return weights
    tree = models.resampled(fitted, weights, seed=scenario.seed)
    named = ", ".join(key for key in scenario.priors if key.startswith("outcomes."))
    rows = [
        ("changed_priors_pareto_k", named, weights.shape, TRUSTED_SHAPE, True, ""),
        ("changed_priors_effective_draws", named, weights.effective, weights.least, True, ""),
    ]
    card = pd.DataFrame(json.loads(str(fitted.attrs["report_card"])))
    card = pd.concat([card, pd.DataFrame(rows, columns=card.columns)], ignore_index=True)
    tree.attrs = {**fitted.attrs, "report_card": card.to_json(orient="records")}
    return tree


def check_evidence(scenario: Scenario, register: evidence.Register) -> None:
    """Refuse, before minutes go on a fit, what the evidence does not have or what counts something twice.

    Raises
    ------
    InputError
        A discount schedule with a gap or one that ends too soon; an unknown layer of life; an unknown option of cost,
        or two that price the same.
    """
    kinds = xr.DataArray(["standard", "health"], dims="component")
    tables = register.tables
    appraisal.factors_by_kind(
        kinds, scenario.discount_schedule, range(scenario.horizon), schedules=tables["discount_schedules"]
    )
    pathways.chosen(tables["layers"], tables["layer_rates"], outcomes=scenario.outcomes, extra=scenario.extra_layers)
    choice = tables["cost_components"], tables["cost_options"], scenario.cost_options
    rows = evidence.with_options(*choice)
    evidence.check_options(*choice, scenario.outcomes)
    costing.components(rows, tables["overlaps"], given=dict(tables["layers"].set_index("layer")["given"]))


def __dir__() -> list[str]:
    return __all__
