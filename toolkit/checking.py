"""What a scenario file would use, setting by setting and with its source, before anything is run."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from toolkit import changes, evidence, scenarios
from toolkit.scenarios import Scenario

APART = ("overrides", "own_figures", "priors", "studies", "left_out", "description")  # with tables of their own


def used(name: str, *, areas: Sequence[str] = (), folder: Path | None = None) -> dict[str, pd.DataFrame]:
    """Check a scenario as a run would, as far as nothing need be fitted, and return what it would use.

    Parameters
    ----------
    name
        A scenario file or the name of a shipped one.
    areas
        Labels of the areas that it shall be run for; if none are given, those of its own figures.
    folder
        A data folder; the shipped one if not given.

    Returns
    -------
    dict of DataFrame, one row each
        "Settings" (``setting``, ``value``, ``given by``: the file, or default), "Overrides", "Own figures", "Priors",
        "Studies" (pooled, and left out by the scenario), "Figures" (``figure``, ``value``, ``unit``, ``price year``,
        ``source``) and "Areas". Tables without rows are left out.

    Raises
    ------
    InputError
        Whatever a run would refuse of the scenario.
    """
    scenario, register = scenarios.load(name, folder=folder), evidence.load_register(folder=folder)
    figures = scenarios.resolve(scenario, register)
    changes.check_evidence(scenario, register)
    chosen = list(areas) or ([scenario.own_area] if scenario.own_area else [])
    own = pd.DataFrame()
    if chosen:
        base = evidence.base_year(evidence.load_statistics(folder))
        own = changes.own_figures(scenario, base, register, areas=chosen)
    own = (
        own.reindex(columns=["published", "value", "unit", "price_year", "reason"]).rename_axis("figure").reset_index()
    )
    tables = {
        "Settings": settings(scenario, scenarios.layers(name, folder=folder)),
        "Overrides": _overrides(scenario, figures, register),
        "Own figures": own,
        "Priors": _priors(scenario),
        "Studies": _studies(scenario, register),
        "Figures": _figures(figures),
        "Areas": pd.DataFrame({"areas": [_named(area) for area in chosen] or ["any: choose them with --area"]}),
    }
    return {title: table for title, table in tables.items() if len(table)}


def settings(scenario: Scenario, layers: Sequence[tuple[str, Mapping[str, Any]]]) -> pd.DataFrame:
    """Return every setting with its value and the file, of ``scenarios.layers``, that gives it."""
    given = [(name, _flat(content)) for name, content in layers]
    rows = [
        (key, _said(value), next((file for file, keys in reversed(given) if key in keys), "default"))
        for key, value in _flat(scenario.model_dump(exclude=set(APART))).items()
    ]
    return pd.DataFrame(rows, columns=["setting", "value", "given by"])


def _flat(content: Mapping[str, Any]) -> dict[str, Any]:
    nested = {key: value for key, value in content.items() if isinstance(value, Mapping) and key not in APART}
    plain = {key: value for key, value in content.items() if key not in nested}
    return plain | {f"{section}.{key}": value for section, rows in nested.items() for key, value in rows.items()}


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return (", ".join(map(_said, value)) or "none") if isinstance(value, tuple) else str(value)


def _figures(figures: pd.DataFrame) -> pd.DataFrame:
    table = figures[["id", "value", "unit", "price_year", "source"]].rename(columns={"price_year": "price year"})
    table["source"] = table["source"].mask(figures["overridden"].astype(bool), "your own: " + figures["reason"])
    return table.rename_axis("figure").reset_index()


def _overrides(scenario: Scenario, figures: pd.DataFrame, register: evidence.Register) -> pd.DataFrame:
    cited = scenarios.resolve(scenario.model_copy(update={"overrides": {}}), register)["value"]
    changed = figures.loc[figures["overridden"].astype(bool), ["value", "low", "high", "unit", "price_year", "reason"]]
    return changed.assign(cited=cited.reindex(changed.index)).rename_axis("figure").reset_index()


def _priors(scenario: Scenario) -> pd.DataFrame:
    rows = [(key, row.first, row.second, row.reason) for key, row in scenario.priors.items()]
    return pd.DataFrame(rows, columns=["prior", "first", "second", "reason"])


def _studies(scenario: Scenario, register: evidence.Register) -> pd.DataFrame:
    """Return the studies that are pooled, the scenario's own among them, and those that it leaves out."""
    from toolkit import models

    mixed = scenario.effect.family_group_conferencing
    pooled = models.study_table(register.tables, mixed=mixed, **changes.pooling(scenario))
    said = pooled["study"].isin(list(scenario.studies)).map({True: "your own", False: "pooled"})
    left = pd.DataFrame({"study": list(scenario.left_out), "use": "left out by the scenario"})
    table = pooled.assign(use=said)[["study", "outcome", "design", "effect", "se", "use"]].round(3)
    return pd.concat([table, left], ignore_index=True) if len(left) else table


def _named(area: str) -> str:
    return f"{' and '.join(evidence.members(evidence.reference_areas(), area)) or area} ({area})"
