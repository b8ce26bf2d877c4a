"""Scenario files: found by name or path, read, checked, changed, and resolved to the figures that they use.

A scenario is a YAML file and nothing else. A file may say ``based_on`` and give only what differs, so that a
preset is as short as its idea.
"""

import difflib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import BaseModel, ValidationError

from toolkit.complaints import explained
from toolkit.evidence import Register, load_table, with_priors
from toolkit.evidence.overrides import Override, apply_override
from toolkit.evidence.own import OwnFigure
from toolkit.evidence.own_programmes import OwnProgramme
from toolkit.evidence.priors import Prior, Study
from toolkit.evidence.programmes import cost_rows
from toolkit.prices import real_rate, rebase
from toolkit.scenario_model import Scenario
from toolkit.schema import FIRST_YEAR, InputError, data_folder
from toolkit.settings import Adjustments, Effect, PlanPart, described
from toolkit.tabular import contents, excerpt
from toolkit.yaml_files import LARGEST, parsed

__all__ = [
    "BASE",
    "Adjustments",
    "Effect",
    "Override",
    "OwnFigure",
    "PlanPart",
    "Prior",
    "Scenario",
    "Study",
    "available",
    "change",
    "fields",
    "layers",
    "load",
    "of_files",
    "read",
    "resolve",
    "validate",
]

SUFFIXES = (".yaml", ".yml")
MOST_LAYERS = 10  # files based on one another
MOST_LINES = 5  # of problems in one message
BASE = "families_first"  # the default, on which the scenario of a single programme is based


def available(folder: Path | None = None) -> list[str]:
    """Return the names of the shipped scenarios: those of files, then one for each programme with a cost in use."""
    return [*of_files(folder), *_programmes(folder or data_folder())]


def of_files(folder: Path | None = None) -> list[str]:
    """Return the names of the scenarios that are files."""
    return sorted(path.stem for path in ((folder or data_folder()) / "scenarios").glob("*.yaml"))


def _programmes(folder: Path) -> dict[str, str]:
    """Return the label of each programme that can be bought: it has a cost in use, and serves children."""
    programmes = load_table("evidence/programmes", folder)
    costs = load_table("evidence/programme_costs", folder)
    priced = set(costs.loc[costs["used"] == 1, "programme"])
    bought = programmes[programmes["programme"].isin(priced) & (programmes["children_per_unit"] != 0)]
    return dict(zip(bought["programme"], bought["label"], strict=True))


def _single(name: str, label: str) -> dict[str, Any]:
    """Return the scenario of one programme: a pound for each child a year for three years, the council's own money."""
    return {
        "based_on": BASE,
        "name": name,
        "title": f"{label}: 1 pound for each child a year"[:120],
        "description": "One programme alone, for three years, with the council's own money.",
        "plan": [{"programme": name, "pounds_per_child": [1.0, 1.0, 1.0]}],
    }


def fields() -> pd.DataFrame:
    """Return every key that a scenario may have: meaning, unit, what is allowed and default, as text."""
    return described(Scenario)


def load(name_or_path: str | Path, *, folder: Path | None = None) -> Scenario:
    """Read a shipped scenario by name, or any scenario file by its path.

    A file that is ``based_on`` another and gives no name is called after itself: mine.yaml is "mine".

    Raises
    ------
    InputError
        Unknown name, unreadable YAML, unknown key (the nearest is suggested) or a value out of range.
    """
    return _validate(_read(str(name_or_path), folder or data_folder()), str(name_or_path))


def read(content: bytes | str, *, folder: Path | None = None, where: str = "the file") -> Scenario:
    """Read a scenario from the content of a file, which may be based on a shipped one but on no other file.

    Raises
    ------
    InputError
        As :func:`load`.
    """
    values = parsed(content.encode() if isinstance(content, str) else content, where)
    base = values.pop("based_on", None)
    if base is not None and base not in available(folder):  # as any file of the server might be
        raise InputError(
            f"{where}: based_on is no shipped scenario.", fix=f"name one of {', '.join(available(folder))}."
        )
    return _validate(values if base is None else _merge(_read(str(base), folder or data_folder()), values), where)


def validate(content: Mapping[str, Any], where: str) -> Scenario:
    """Return the scenario that a mapping of every key gives; ``where`` is named in errors.

    Raises
    ------
    InputError
        As :func:`load`.
    """
    return _validate(dict(content), where)


def change(scenario: Scenario, **changes: Any) -> Scenario:
    """Return a copy with some values changed, nested mappings merged, and everything validated again."""
    return _validate(_merge(scenario.model_dump(mode="json"), changes), scenario.name)


def _read(name: str, folder: Path) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for _, content in layers(name, folder=folder):
        merged = _merge(merged, content)
    return merged


def layers(name: str, *, folder: Path | None = None, seen: tuple[str, ...] = ()) -> list[tuple[str, dict[str, Any]]]:
    """Return the files that a scenario consists of, each with its content, from the base file on.

    Raises
    ------
    InputError
        An unknown name, an unreadable file, or files based on each other.
    """
    folder = folder or data_folder()
    path = Path(name) if name.endswith(SUFFIXES) else folder / "scenarios" / f"{name}.yaml"
    single = (
        {} if path.is_file() or path.suffix != ".yaml" or path.parent != folder / "scenarios" else _programmes(folder)
    )
    if not path.is_file() and name not in single:
        known, short = available(folder), excerpt(name, 60)
        close = difflib.get_close_matches(short, known, n=3)
        hint = f"did you mean {', '.join(close)}?" if close else f"shipped ones are {', '.join(known)}."
        raise InputError(f"scenario '{short}': no such file or shipped scenario.", fix=f"{hint}")
    if name in seen or len(seen) == MOST_LAYERS:
        raise InputError(f"{excerpt(path, 100)}: based_on goes round in a circle or over {MOST_LAYERS} files.")
    content = (
        parsed(contents(path, largest=LARGEST), excerpt(path, 100)) if path.is_file() else _single(name, single[name])
    )
    base = content.pop("based_on", None)
    if base is None:
        return [(name, content)]
    # A file name is relative to this file, wherever the command is run.
    beside = str(path.parent / str(base)) if str(base).endswith(SUFFIXES) else str(base)
    own = re.sub(r"[^a-z0-9]+", "_", path.stem.lower()).strip("_")[:60]  # not the base's name
    content = ({"name": own} if own else {}) | content
    return [*layers(beside, folder=folder, seen=(*seen, name)), (name, content)]


def _merge(base: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in changes.items():
        nested = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _merge(dict(merged[key]), value) if nested else value
    return merged


def _validate(content: dict[str, Any], where: str) -> Scenario:
    try:
        return Scenario.model_validate(content)
    except ValidationError as problem:
        lines = [explained(error, where=excerpt(where, 100), known=_known_keys()) for error in problem.errors()]
    more = [f"and {len(lines) - MOST_LINES} more"] if len(lines) > MOST_LINES else []
    raise InputError("\n".join([*lines[:MOST_LINES], *more]))


def _known_keys() -> list[str]:
    parts: tuple[type[BaseModel], ...] = (
        Scenario,
        PlanPart,
        Effect,
        Adjustments,
        Override,
        OwnFigure,
        OwnProgramme,
        Prior,
        Study,
    )
    return sorted({key for part in parts for key in part.model_fields})


def resolve(scenario: Scenario, register: Register) -> pd.DataFrame:
    """Return exactly the figures that a scenario uses, one row a role, with any override flagged.

    Parameters
    ----------
    scenario
        A validated scenario.
    register
        The cited figures.

    Returns
    -------
    DataFrame
        Indexed by role: id, value, low, high, interval_kind, interval_level, unit, price_year,
        distribution, confidence, source, locator, url, note, reason, overridden.

    Raises
    ------
    InputError
        A role names an unknown, superseded or unusable figure; an override names no role's figure or has a
        value that cannot be right (:func:`toolkit.evidence.overrides.apply_override`).
    """
    roles = register.tables["roles"].set_index("role").copy()
    missing = [key for key in roles["id"] if key not in register.figures.index]
    if missing:
        why = register.excluded.loc[register.excluded.index.isin(missing)].to_dict("index")
        close = difflib.get_close_matches(missing[0][:60], list(register.figures.index), n=3)
        reason = next((row["reason"] for row in why.values()), "no such id")
        near = f", such as {', '.join(close)}" if close else ""
        raise InputError(f"figure '{excerpt(missing[0])}' cannot be used: {reason}.", fix=f"choose another{near}.")
    columns = [
        "description",
        "value",
        "low",
        "high",
        "interval_kind",
        "interval_level",
        "unit",
        "price_year",
        "confidence",
        "source",
        "locator",
        "url",
        "superseded_by",
        "note",
    ]
    table = roles[["id", "distribution", "reason"]].join(register.figures[columns], on="id").assign(overridden=False)
    stale = table.index[table["superseded_by"].fillna("").ne("")]
    if len(stale):
        row = table.loc[stale[0]]
        newer = row["superseded_by"]
        raise InputError(f"role '{stale[0]}' uses '{row['id']}', superseded by '{newer}'.", fix="use that.")
    _check_units(table, roles)
    costs = cost_rows([(part.programme, part.cost) for part in scenario.plan], register.tables)
    table = pd.concat([table, costs]).rename_axis("role")
    schedules = sorted(set(register.tables["discount_schedules"]["schedule"]))
    if isinstance(scenario.discount_schedule, str) and scenario.discount_schedule not in schedules:
        raise InputError(
            f"discount_schedule '{excerpt(scenario.discount_schedule)}': no such schedule.",
            fix=f"use one of {', '.join(schedules)}, or a constant rate without quotes, such as 0.035.",
        )
    for key, override in scenario.overrides.items():
        apply_override(table, key, override, register.deflators)
    with_priors(register.tables["priors"], scenario.priors)
    return in_real_terms(table, scenario, register)


def in_real_terms(table: pd.DataFrame, scenario: Scenario, register: Register) -> pd.DataFrame:
    """Return a table of figures with ``real_value``, ``real_low`` and ``real_high`` in the scenario's price base.

    Also real rates in place of nominal ones, the spread of the grade where no interval is published, and which are
    ``old``: the best in the register, of a price year so long ago that its grade is another.
    """
    deflators = register.deflators
    graded = register.tables["graded_uncertainty"].set_index("grade")
    grades, oldest = graded["coefficient_of_variation"], float(graded["price_year_older_than"].max())
    real: dict[str, list[float]] = {f"real_{bound}": [] for bound in ("value", "low", "high")}
    spreads: list[float] = []
    old = [_is_old(str(year or ""), oldest) for year in table["price_year"]]
    for (role, row), aged in zip(table.iterrows(), old, strict=True):
        for bound in ("value", "low", "high"):
            number = float(row[bound]) if pd.notna(row[bound]) else float("nan")
            if str(row["unit"]).startswith("GBP"):
                if not str(row["price_year"] or ""):
                    raise InputError(f"{role} ({row['id']}): money without a price year.", fix="give its price_year.")
                number = rebase(number, str(row["price_year"]), to=scenario.price_base, deflators=deflators)
            elif "nominal" in str(row["unit"]):
                period = register.tables["economic_parameters"].set_index("id").loc[row["id"]]
                number = real_rate(number, period["period_from"], period["period_to"], deflators=deflators)
            real[f"real_{bound}"].append(number)
        own = row["interval_kind"] in ("confidence", "range") and pd.notna(row["low"]) and pd.notna(row["high"])
        grade = str(row["confidence"]) + ("_old" if aged else "")
        spreads.append(float("nan") if own or row["distribution"] == "fixed" else float(grades[grade]))
    spread = pd.Series(spreads, index=table.index)
    # Whole columns at once: a cell at a time takes ten times as long, and the dashboard asks at every change.
    return table.assign(coefficient_of_variation=spread, graded=spread.notna(), old=old, **real)


def _is_old(price_year: str, years: float) -> bool:
    return price_year[:4].isdigit() and int(price_year[:4]) < FIRST_YEAR - years


def _check_units(table: pd.DataFrame, roles: pd.DataFrame) -> None:
    """Refuse a figure whose unit is not the one its role is computed with."""
    # A nominal growth rate will do for a real one: it is deflated.
    wrong = table.index[table["unit"].str.replace("nominal", "real") != roles["unit"].str.replace("nominal", "real")]
    if len(wrong):
        row = table.loc[wrong[0]]
        raise InputError(
            f"{wrong[0]}: figure '{row['id']}' is in '{row['unit']}', not '{roles.loc[wrong[0], 'unit']}'.",
            fix="choose a figure in that unit.",
        )


def __dir__() -> list[str]:
    return __all__
