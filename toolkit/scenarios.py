"""A scenario: what is spent, on whom, for how long, with which effect, and how it is appraised.

A scenario is a YAML file and nothing else; its hash names the run. A file may say ``based_on`` and
give only what differs, so that a preset is as short as its idea.
"""

import difflib
import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
from pydantic import BaseModel, BeforeValidator, Field, ValidationError, model_validator

from toolkit.complaints import explained
from toolkit.evidence import Register, with_priors
from toolkit.evidence.overrides import Override, apply_override
from toolkit.evidence.own import OWN, OwnFigure
from toolkit.evidence.priors import Prior, Study
from toolkit.prices import PriceYear, real_rate, rebase
from toolkit.schema import COVARIATES, OUTCOMES, PRICE_BASE, InputError, data_folder
from toolkit.settings import Adjustments, Effect, Option, Part, described, unit
from toolkit.tabular import contents, excerpt
from toolkit.yaml_files import LARGEST, parsed

__all__ = [
    "Adjustments",
    "Effect",
    "Option",
    "Override",
    "OwnFigure",
    "Prior",
    "Scenario",
    "Study",
    "available",
    "change",
    "fields",
    "layers",
    "load",
    "read",
    "resolve",
    "validate",
]

SUFFIXES = (".yaml", ".yml")
MOST_LAYERS = 10  # files based on one another
MOST_LINES = 5  # of what is wrong
HIGHEST_RATE = 0.2  # a year, of a constant discount rate: beyond it a per cent is likelier
LONGEST_HORIZON = 70  # a child born in the third spending year turns 67 in year 69: no evidence goes further


def _schedule(given: Any) -> Any:
    """Return a schedule's name, or a constant rate within what can be meant."""
    if isinstance(given, (int, float)) and not isinstance(given, bool):
        if not 0 <= given <= HIGHEST_RATE:
            raise ValueError(
                f"a constant rate is a proportion from 0 to {HIGHEST_RATE:g}. Fix: write 3.5 per cent as 0.035."
            )
        return float(given)
    if not isinstance(given, str):
        raise ValueError("is the name of a schedule or a constant rate, such as 0.035")
    return given


class Scenario(Part):
    """Everything a run depends on besides the evidence and the statistics."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9_]+$", max_length=60)]
    """What the run is called, in file names too: small letters, digits and underscores."""
    title: Annotated[str, Field(max_length=120)]
    """What readers call it."""
    description: str = ""
    """What it is about, in a sentence or two."""
    first_year: Annotated[int, Field(strict=True, **unit("year"))] = 2025
    """Year in which the first spending year begins: that of the statistics."""
    horizon: Annotated[int, Field(strict=True, ge=5, **unit("years", maximum=LONGEST_HORIZON))] = LONGEST_HORIZON
    """How many years of costs count."""
    price_base: PriceYear = PRICE_BASE
    """Financial year whose prices all money is in: that of the statistics."""
    discount_schedule: Annotated[str | float, BeforeValidator(_schedule)] = "green_book_2026_standard"
    """Rates of discount by year: a schedule of discount_schedules.csv, or one constant rate such as 0.035."""
    outcomes: Annotated[tuple[str, ...], Field(**unit("", items={"enum": OUTCOMES}))] = OUTCOMES
    """Outcomes whose costs count."""
    extra_layers: tuple[str, ...] = ()
    """Layers of life that are off by default: next_generation_care_years."""
    covariates: Annotated[tuple[str, ...], Field(**unit("", items={"enum": COVARIATES}))] = ()
    """Of the outcome model, besides spending and low income."""
    option: Option
    effect: Effect = Effect()
    adjustments: Adjustments = Adjustments()
    cash_step: Annotated[float, Field(strict=True, ge=0, le=1e9, **unit("GBP a year"))] = 0.0
    """Whole posts, teams or homes in which partly cashable costs move; 0 for the cited share."""
    overrides: Mapping[str, Override] = {}
    """Figures of your own in place of cited ones, by id or role."""
    own_figures: Mapping[str, OwnFigure] = {}
    """A council's own statistics in place of published ones, by name."""
    priors: Mapping[str, Prior] = {}
    """Other numbers for priors, by "model.parameter"."""
    studies: Mapping[Annotated[str, Field(pattern=r"^[A-Za-z0-9_]{3,40}$")], Study] = {}
    """Studies of effects besides those of the evidence, by an id of your own."""
    left_out: tuple[str, ...] = ()
    """Studies of the evidence that do not count, by id."""
    seed: Annotated[int, Field(strict=True, ge=0, lt=2**32)] = 20261122
    """Seed of every random stream."""
    draws: Annotated[int, Field(strict=True, ge=25, le=5000)] = 1000
    """Draws of each chain."""
    chains: Annotated[int, Field(strict=True, ge=2, le=8)] = 4
    """Chains of the sampler."""

    @model_validator(mode="after")
    def _stands_on_evidence(self) -> "Scenario":
        if self.horizon > LONGEST_HORIZON:
            raise ValueError(f"horizon is past the evidence, which ends at age 67: use {LONGEST_HORIZON} or less")
        if not self.outcomes or not set(self.outcomes) <= set(OUTCOMES) or len(set(self.outcomes)) < len(self.outcomes):
            given = excerpt(", ".join(self.outcomes), 60)
            raise ValueError(f"outcomes: choose each once from {', '.join(OUTCOMES)} (given: {given})")
        if not set(self.covariates) <= set(COVARIATES) or len(set(self.covariates)) < len(self.covariates):
            unknown = [name for name in self.covariates if name not in COVARIATES]
            close = [found for name in unknown for found in difflib.get_close_matches(name[:60], COVARIATES, n=1)]
            hint = "".join(f"; did you mean {name}?" for name in close)
            raise ValueError(
                f"covariates {excerpt(list(self.covariates), 60)}: choose each once from {list(COVARIATES)}{hint}"
            )
        if self.first_year != int(PRICE_BASE[:4]):
            raise ValueError(
                f"first_year is always {PRICE_BASE[:4]}, the year of the statistics and prices: children, spending and "
                "what things cost are not projected to another. Fix: leave first_year out."
            )
        if self.price_base != PRICE_BASE:
            raise ValueError(
                f"price_base is always {PRICE_BASE}, in which all results are given. Fix: leave price_base out; "
                "figures of your own may be in other prices, which their price_year says."
            )
        if self.option.years > self.horizon:
            raise ValueError("option.years is longer than horizon")
        if len(self.effect.ramp) < self.option.years:
            raise ValueError("effect.ramp needs one share for each spending year")
        return self

    @model_validator(mode="after")
    def _own_figures_are_one_areas(self) -> "Scenario":
        for key, row in self.own_figures.items():
            if key not in OWN:
                close = difflib.get_close_matches(key[:60], OWN, n=1) or list(OWN)
                raise ValueError(f"own_figures.{excerpt(key)}: no such statistic. Fix: use {' or '.join(close)}.")
            if OWN[key][1].startswith("GBP") != (row.price_year is not None):
                raise ValueError(f"own_figures.{key}: price_year goes with money and only with it, as '2025/26'")
        if len({row.area for row in self.own_figures.values()}) > 1:
            raise ValueError("own_figures: of more than one area: keep those of one")
        return self

    @property
    def own_area(self) -> str:
        """Whose own figures these are; nothing where there are none."""
        return next((row.area for row in self.own_figures.values()), "")

    @property
    def optimism(self) -> float:
        """Optimism about what spending will cost; a cut saves what is in the budget, no more."""
        return 0.0 if self.option.cut else self.adjustments.optimism_bias

    @property
    def luck(self) -> tuple[float, str]:
        """How far the luck of its sites is shared with other programmes, and whose own the rest is.

        Scenarios with the same group, cost of a family and kind of offer are one programme, and share all of it.
        """
        option, shared = self.option, self.effect.shared_luck
        own = (option.group, option.cost_per_family, f"conferencing {self.effect.family_group_conferencing}")
        return shared, "" if shared == 1 else ", ".join(own)

    @property
    def hash(self) -> str:
        """Short SHA-256 of everything that can move a result (titles and descriptions cannot)."""
        content = self.model_dump(mode="json", exclude={"name", "title", "description"})
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]


def available(folder: Path | None = None) -> list[str]:
    """Return the names of the shipped scenarios."""
    return sorted(path.stem for path in ((folder or data_folder()) / "scenarios").glob("*.yaml"))


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
    found = parsed(content.encode() if isinstance(content, str) else content, where)
    base = found.pop("based_on", None)
    if base is not None and base not in available(folder):  # which may name any file here, or be endless
        raise InputError(
            f"{where}: based_on is no shipped scenario.", fix=f"name one of {', '.join(available(folder))}."
        )
    return _validate(found if base is None else _merge(_read(str(base), folder or data_folder()), found), where)


def validate(content: Mapping[str, Any], where: str) -> Scenario:
    """Return the scenario that a mapping of every key spells out; ``where`` is named in what is wrong with it.

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
    """Return the files that a scenario is made of, each with what it gives: what it is based on first.

    Raises
    ------
    InputError
        An unknown name, an unreadable file, or files based on each other.
    """
    folder = folder or data_folder()
    path = Path(name) if name.endswith(SUFFIXES) else folder / "scenarios" / f"{name}.yaml"
    if not path.is_file():
        known, short = available(folder), excerpt(name, 60)
        close = difflib.get_close_matches(short, known, n=3)
        hint = f"did you mean {', '.join(close)}?" if close else f"shipped ones are {', '.join(known)}."
        raise InputError(f"scenario '{short}': no such file or shipped scenario.", fix=f"{hint}")
    if name in seen or len(seen) == MOST_LAYERS:
        raise InputError(f"{excerpt(path, 100)}: based_on goes round in a circle or over {MOST_LAYERS} files.")
    content = parsed(contents(path, largest=LARGEST), excerpt(path, 100))
    base = content.pop("based_on", None)
    if base is None:
        return [(name, content)]
    # A file beside this one is meant, wherever the command is run from.
    beside = str(path.parent / str(base)) if str(base).endswith(SUFFIXES) else str(base)
    own = re.sub(r"[^a-z0-9]+", "_", path.stem.lower()).strip("_")[:60]  # not the other's, whose files it would replace
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
    parts: tuple[type[BaseModel], ...] = (Scenario, Option, Effect, Adjustments, Override, OwnFigure, Prior, Study)
    return sorted({key for part in parts for key in part.model_fields})


def resolve(scenario: Scenario, register: Register) -> pd.DataFrame:
    """Return exactly the figures this run uses, one row a role, with any override flagged.

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
        A role points at an unknown, superseded or unusable figure, or an override at no role's figure,
        or one that cannot be meant (:func:`toolkit.evidence.overrides.apply_override`).
    """
    roles = register.tables["roles"].set_index("role").copy()
    roles.loc["cost_per_family", "id"] = scenario.option.cost_per_family
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
    schedules = sorted(set(register.tables["discount_schedules"]["schedule"]))
    if isinstance(scenario.discount_schedule, str) and scenario.discount_schedule not in schedules:
        raise InputError(
            f"discount_schedule '{excerpt(scenario.discount_schedule)}': no such schedule.",
            fix=f"use one of {', '.join(schedules)}, or a constant rate without quotes, such as 0.035.",
        )
    for key, override in scenario.overrides.items():
        apply_override(table, key, override, register.deflators)
    with_priors(register.tables["priors"], scenario.priors)
    return _in_real_terms(table, scenario, register)


def _in_real_terms(table: pd.DataFrame, scenario: Scenario, register: Register) -> pd.DataFrame:
    """Add the figures in the scenario's price base, real rates, and the graded spread of each."""
    deflators = register.deflators
    graded = register.tables["graded_uncertainty"].set_index("grade")
    grades, oldest = graded["coefficient_of_variation"], float(graded["price_year_older_than"].max())
    real: dict[str, list[float]] = {f"real_{bound}": [] for bound in ("value", "low", "high")}
    spreads: list[float] = []
    for role, row in table.iterrows():
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
        grade = str(row["confidence"]) + ("_old" if _is_old(str(row["price_year"] or ""), scenario, oldest) else "")
        spreads.append(float("nan") if own or row["distribution"] == "fixed" else float(grades[grade]))
    spread = pd.Series(spreads, index=table.index)
    # Whole columns at once: a cell at a time takes ten times as long, and the dashboard asks at every change.
    return table.assign(coefficient_of_variation=spread, graded=spread.notna(), **real)


def _is_old(price_year: str, scenario: Scenario, years: float) -> bool:
    return price_year[:4].isdigit() and int(price_year[:4]) < int(scenario.price_base[:4]) - years


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
