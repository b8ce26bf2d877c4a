"""What a scenario file would use, setting by setting and with its source, before anything is run."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from toolkit import changes, evidence, scenarios
from toolkit.draws import studies_of
from toolkit.resolved import ResolvedScenario, resolve
from toolkit.scenarios import Scenario

__all__ = ["settings", "used"]

# Shown in tables of their own.
APART = ("overrides", "own_figures", "own_programmes", "priors", "studies", "left_out", "description")


def used(name: str, *, areas: Sequence[str] = (), folder: Path | None = None) -> dict[str, pd.DataFrame]:
    """Check a scenario as a run would, without fitting anything, and return what it would use.

    Parameters
    ----------
    name
        A scenario file or the name of a shipped one.
    areas
        Codes of the areas to run; if none are given, the area of its own figures.
    folder
        A data folder; the shipped one if not given.

    Returns
    -------
    dict of DataFrame, one row each
        "Settings" (``setting``, ``value``, ``given by``: the file, or default), "Overrides", "Own figures", "Own
        programmes", "Priors", "Studies" (of the programmes and their types), "Figures" (``figure``, ``value``,
        ``unit``, ``price year``, ``source``) and "Areas". Tables without rows are left out.

    Raises
    ------
    InputError
        Whatever a run would refuse of the scenario.
    """
    scenario, register = scenarios.load(name, folder=folder), evidence.load_register(folder=folder)
    chosen = list(areas) or ([scenario.own_area] if scenario.own_area else [])
    statistics = evidence.load_statistics(folder) if chosen else None
    resolved = resolve(scenario, register, statistics, areas=chosen)
    changes.check_evidence(scenario, register)
    columns = ["published", "value", "unit", "price_year", "reason"]
    own = resolved.own_figures.reindex(columns=columns).rename_axis("figure").reset_index()
    tables = {
        "Settings": settings(scenario, scenarios.layers(name, folder=folder)),
        "Overrides": _overrides(resolved),
        "Own figures": own,
        "Own programmes": _own_programmes(scenario),
        "Priors": _priors(scenario),
        "Studies": _studies(resolved),
        "Figures": _figures(resolved.figures),
        "Areas": pd.DataFrame({"areas": [_named(area) for area in chosen] or ["any: choose them with --area"]}),
    }
    return {title: table for title, table in tables.items() if len(table)}


def settings(scenario: Scenario, layers: Sequence[tuple[str, Mapping[str, Any]]]) -> pd.DataFrame:
    """Return every setting with its value and the file, of ``scenarios.layers``, that gives it."""
    files = [(name, _flat(content)) for name, content in layers]
    rows = [
        (key, _shown(value), next((file for file, keys in reversed(files) if key in keys), "default"))
        for key, value in _flat(scenario.model_dump(exclude=set(APART))).items()
    ]
    return pd.DataFrame(rows, columns=["setting", "value", "given by"])


def _flat(content: Mapping[str, Any]) -> dict[str, Any]:
    content = {**content, **_plan(content.get("plan", ()))}
    nested = {key: value for key, value in content.items() if isinstance(value, Mapping) and key not in APART}
    plain = {key: value for key, value in content.items() if key not in nested and key != "plan"}
    return plain | {f"{section}.{key}": value for section, rows in nested.items() for key, value in rows.items()}


def _plan(parts: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the parts of a plan by name, without the settings that they leave out."""
    return {
        f"plan {place}": {
            key: tuple(value) if isinstance(value, list) else value for key, value in part.items() if value
        }
        for place, part in enumerate(parts, start=1)
    }


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return (", ".join(map(_shown, value)) or "none") if isinstance(value, tuple) else str(value)


def _figures(figures: pd.DataFrame) -> pd.DataFrame:
    table = figures[["id", "value", "unit", "price_year", "source"]].rename(columns={"price_year": "price year"})
    table["source"] = table["source"].mask(figures["overridden"].astype(bool), "your own: " + figures["reason"])
    return table.rename_axis("figure").reset_index()


def _overrides(resolved: ResolvedScenario) -> pd.DataFrame:
    changed = resolved.figures[resolved.figures["overridden"].astype(bool)]
    cited = resolved.register.figures["value"].reindex(changed["id"]).to_numpy()
    columns = ["value", "low", "high", "unit", "price_year", "reason"]
    return changed[columns].assign(cited=cited).rename_axis("figure").reset_index()


def _priors(scenario: Scenario) -> pd.DataFrame:
    rows = [(key, row.first, row.second, row.reason) for key, row in scenario.priors.items()]
    return pd.DataFrame(rows, columns=["prior", "first", "second", "reason"])


def _own_programmes(scenario: Scenario) -> pd.DataFrame:
    rows = [{"programme": name, **one.model_dump()} for name, one in scenario.own_programmes.items()]
    return pd.DataFrame(rows)


def _studies(resolved: ResolvedScenario) -> pd.DataFrame:
    """Return the studies of the programmes bought and of their types, and those that the scenario leaves out."""
    scenario, studies = resolved.scenario, studies_of(resolved)
    types = resolved.register.tables["programmes"].set_index("programme")["programme_type"]
    near = studies[studies["programme_type"].isin([types[name] for name in scenario.programmes])]
    use = near["study"].isin(list(scenario.studies)).map({True: "your own", False: "used"})
    left = pd.DataFrame({"study": list(scenario.left_out), "use": "left out by the scenario"})
    columns = ["study", "programme", "outcome", "design", "effect", "se", "use"]
    table = near.assign(use=use)[columns].round(3)
    return pd.concat([table, left], ignore_index=True) if len(left) else table


def _named(area: str) -> str:
    return f"{' and '.join(evidence.members(evidence.reference_areas(), area)) or area} ({area})"


def __dir__() -> list[str]:
    return __all__
