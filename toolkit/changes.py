"""What a scenario changes of the evidence itself: a council's own statistics, priors, studies."""

import json
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import pandas as pd
import xarray as xr

from toolkit import appraisal, evidence, pathways
from toolkit.scenarios import Scenario
from toolkit.schema import InputError

__all__ = [
    "check_cut",
    "check_evidence",
    "check_programmes",
    "check_studies",
    "own_figures",
    "pooling",
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
        Another area, and whatever ``evidence.own_figures`` and :func:`check_cut` refuse.
    """
    if scenario.own_figures and list(areas) != [scenario.own_area]:
        whose = " and ".join(evidence.members(evidence.reference_areas(), scenario.own_area)) or scenario.own_area
        raise InputError(f"own_figures: they are those of {whose}.", fix="choose that area alone, or take them out.")
    own = evidence.own_figures(base, scenario.own_figures, register.deflators)
    check_cut(scenario, evidence.with_own(base, own), areas)
    return own


def check_cut(scenario: Scenario, base: xr.Dataset, areas: Sequence[str]) -> None:
    """Refuse a cut of more than an area spends on early help.

    Parameters
    ----------
    base
        Base-year statistics, with a council's own in them (``evidence.with_own``).

    Raises
    ------
    InputError
        Naming the area that spends least.
    """
    spent = base["early_help_spend"].sel(area=list(areas))
    least = float(spent.min())
    if scenario.option.cut and scenario.option.spend_per_child > least:
        area = str(spent["area"].values[spent.values.argmin()])
        name = " and ".join(evidence.members(evidence.reference_areas(), area)) or area
        raise InputError(
            f"option.cut: {name} spends £{least:,.0f} a year on early help for each child, so £"
            f"{scenario.option.spend_per_child:,.0f} cannot be taken away.",
            fix="lower option.spend_per_child.",
        )


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
    """Refuse, before minutes are spent on a fit, a discount schedule or layer of life that the evidence does not have.

    Raises
    ------
    InputError
        A discount schedule with a gap or one that ends too soon; an unknown layer of life.
    """
    kinds = xr.DataArray(["standard", "health"], dims="component")
    tables = register.tables
    appraisal.factors_by_kind(
        kinds, scenario.discount_schedule, range(scenario.horizon), schedules=tables["discount_schedules"]
    )
    pathways.chosen(tables["layers"], tables["layer_rates"], outcomes=scenario.outcomes, extra=scenario.extra_layers)


def check_studies(scenario: Scenario, register: evidence.Register, studies: Mapping[str, Any]) -> None:
    """Refuse studies that cannot be pooled, before minutes are spent on a fit.

    Parameters
    ----------
    studies
        From :func:`pooling`.

    Raises
    ------
    InputError
        Whatever ``models.study_table`` refuses; a shared programme that no other study of the outcome evaluates.
    """
    if studies["extra"] is not None or studies["exclude"]:
        from toolkit import models

        mixed = scenario.effect.family_group_conferencing
        chosen = {name: studies[name] for name in ("exclude", "extra", "admit", "own_rates") if name in studies}
        models.study_table(register.tables, mixed=mixed, **chosen)
    check_programmes(studies["extra"], register)


def check_programmes(extra: pd.DataFrame | None, register: evidence.Register) -> None:
    """Refuse new studies, from `pooling`, that share a programme which no other study of the outcome evaluates."""
    if extra is None or "shared_programme" not in extra:
        return
    rows = extra[["outcome", "effect_id", "shared_programme"]].fillna("").to_dict("records")
    for row in rows:
        others = [other for other in rows if other is not row and other["outcome"] == row["outcome"]]
        known = {other["shared_programme"] or other["effect_id"] for other in others}
        for name in ("meta_ready", "null_studies"):
            cited = register.tables[name].query("outcome == @row['outcome'] and include == 1")
            known |= set(cited["shared_programme"].mask(cited["shared_programme"] == "", cited["effect_id"]))
        if (shared := row["shared_programme"]) and shared not in known:
            near = get_close_matches(shared, known, n=3) or sorted(known)
            raise InputError(
                f"studies.{row['effect_id']}: shared_programme: no other study on {row['outcome']} evaluates "
                f"'{shared}'.",
                fix=f"name one of {near}, or leave it out.",
            )


def pooling(scenario: Scenario, exclude: Iterable[str] = (), extra: Any = None, **more: Any) -> dict[str, Any]:
    """Return which studies are pooled: the scenario's own choice and any further one."""
    rows = [
        {"effect_id": key, "programme_family": "own", **study.model_dump(exclude={"reason"})}
        for key, study in scenario.studies.items()
    ]
    if rows:
        own = pd.DataFrame(rows).rename(columns={"estimate": "est", "standard_error": "se"})
        extra = own if extra is None else pd.concat([extra, own], ignore_index=True)
    return {"exclude": [*scenario.left_out, *exclude], "extra": extra, **more}


def __dir__() -> list[str]:
    return __all__
