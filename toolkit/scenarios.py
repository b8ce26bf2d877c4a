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
import yaml
from pydantic import BaseModel, Field, ValidationError, model_validator

from toolkit.evidence import Register, with_priors
from toolkit.evidence.overrides import Override, apply_override
from toolkit.evidence.own import OWN, OwnFigure
from toolkit.evidence.priors import Prior, Study
from toolkit.prices import real_rate, rebase
from toolkit.schema import COVARIATES, OUTCOMES, PRICE_BASE, InputError, data_folder
from toolkit.settings import Adjustments, Effect, Option, Part, described, unit

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
    "load",
    "parsed",
    "read",
    "resolve",
    "validate",
]

SUFFIXES = (".yaml", ".yml")
MOST_BRACKETS = 500  # in a file: nesting costs the reader its square
LONGEST_HORIZON = 70  # a child born in the third spending year turns 67 in year 69: no evidence goes further


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
    price_base: Annotated[str, Field(pattern=r"^\d{4}/\d{2}$")] = "2025/26"
    """Financial year whose prices all money is in: that of the statistics."""
    discount_schedule: str = "green_book_2026_standard"
    """Rates of discount by year: a schedule of discount_schedules.csv."""
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
            raise ValueError(
                f"horizon {self.horizon} is past the evidence, which ends at age 67: use {LONGEST_HORIZON} or less"
            )
        if not self.outcomes or not set(self.outcomes) <= set(OUTCOMES) or len(set(self.outcomes)) < len(self.outcomes):
            raise ValueError(f"outcomes {list(self.outcomes)}: choose each once from {list(OUTCOMES)}")
        if not set(self.covariates) <= set(COVARIATES) or len(set(self.covariates)) < len(self.covariates):
            unknown = [name for name in self.covariates if name not in COVARIATES]
            close = [found for name in unknown for found in difflib.get_close_matches(name, COVARIATES, n=1)]
            hint = "".join(f"; did you mean {name}?" for name in close)
            raise ValueError(f"covariates {list(self.covariates)}: choose each once from {list(COVARIATES)}{hint}")
        if f"{self.first_year}/{(self.first_year + 1) % 100:02d}" != self.price_base or self.price_base != PRICE_BASE:
            raise ValueError(
                f"first_year and price_base are those of the statistics: {PRICE_BASE[:4]} and {PRICE_BASE}"
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
                close = difflib.get_close_matches(key, OWN, n=1) or list(OWN)
                raise ValueError(f"own_figures.{key}: no such statistic: did you mean {', '.join(close)}?")
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
    def hash(self) -> str:
        """Short SHA-256 of everything that can move a result (titles and descriptions cannot)."""
        content = self.model_dump(mode="json", exclude={"name", "title", "description"})
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]


class _Loader(yaml.SafeLoader):
    """YAML that refuses a key given twice, of which plain YAML keeps the last in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Build a mapping whose keys are all different."""
        keys = [key.value for key, _ in node.value]
        twice = sorted({str(key) for key in keys if keys.count(key) > 1})
        if twice:
            raise yaml.constructor.ConstructorError(None, None, f"key '{twice[0]}' is given twice", node.start_mark)
        return super().construct_mapping(node, deep)

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Refuse references and endless nesting, with which a small file can fill a machine."""
        if self.check_event(yaml.AliasEvent):
            raise yaml.composer.ComposerError(None, None, "references (*name) are not read", None)
        return super().compose_node(parent, index)


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
    if base is not None and str(base).endswith(SUFFIXES):
        raise InputError(f"{where}: based_on names a file, which is not at hand. Mend: name a shipped scenario.")
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


def _read(name: str, folder: Path, seen: tuple[str, ...] = ()) -> dict[str, Any]:
    path = Path(name) if name.endswith(SUFFIXES) else folder / "scenarios" / f"{name}.yaml"
    if not path.is_file():
        close = difflib.get_close_matches(name, available(folder), n=3)
        hint = f"did you mean {', '.join(close)}?" if close else f"shipped ones are {', '.join(available(folder))}."
        raise InputError(f"scenario '{name}': no such file or shipped scenario. Mend: {hint}")
    if name in seen:
        raise InputError(f"{path}: based_on goes round in a circle ({' > '.join([*seen, name])}).")
    content = parsed(path.read_bytes(), str(path))
    base = content.pop("based_on", None)
    if base is None:
        return content
    # A file beside this one is meant, wherever the command is run from.
    beside = str(path.parent / str(base)) if str(base).endswith(SUFFIXES) else str(base)
    own = re.sub(r"[^a-z0-9]+", "_", path.stem.lower()).strip("_")[:60]  # not the other's, whose files it would replace
    return _merge(_read(beside, folder, (*seen, name)), ({"name": own} if own else {}) | content)


def parsed(content: bytes, where: str) -> dict[str, Any]:
    """Return the keys of a scenario file as they are given; ``where`` is named in what is wrong.

    Raises
    ------
    InputError
        It is too nested, no YAML or no mapping.
    """
    if sum(content.count(bracket) for bracket in (b"[", b"{")) > MOST_BRACKETS:
        raise InputError(f"{where}: more than {MOST_BRACKETS} lists and mappings. Mend: compare it with a shipped one.")
    try:
        found = yaml.load(content.decode("utf-8"), Loader=_Loader)
    except (yaml.YAMLError, ValueError, RecursionError) as problem:  # bad dates, bad UTF-8, endless nesting
        raise InputError(f"{where}: not readable as YAML ({problem}). Mend: compare it with a shipped one.") from None
    if not isinstance(found, dict):
        raise InputError(f"{where}: a scenario is a mapping of keys to values. Mend: compare it with a shipped one.")
    return found


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
        raise InputError("\n".join(_explain(error, where) for error in problem.errors())) from None


def _explain(error: Any, where: str) -> str:
    place = [str(part) for part in error["loc"]]
    key = ".".join(place) or "scenario"
    if error["type"] == "extra_forbidden":
        close = difflib.get_close_matches(place[-1], _known_keys(), n=1)
        hint = f"did you mean '{close[0]}'?" if close else "see data/scenarios/family_help.yaml for every key."
        return f"scenario {where}: unknown key '{key}'. Mend: {hint}"
    what = error["msg"].removeprefix("Value error, ")
    given = f" (given: {str(error.get('input'))[:60]})" if place and not isinstance(error.get("input"), Mapping) else ""
    return f"scenario {where}: {key}: {what}{given}. Mend: change or remove that line."


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
        close = difflib.get_close_matches(missing[0], list(register.figures.index), n=3)
        raise InputError(f"figure '{missing[0]}' cannot be used: {why or 'no such id'}. Mend: choose another: {close}.")
    columns = [
        "description", "value", "low", "high", "interval_kind", "interval_level", "unit", "price_year",
        "confidence", "source", "locator", "url", "superseded_by", "note",
    ]  # fmt: skip
    table = roles[["id", "distribution", "reason"]].join(register.figures[columns], on="id").assign(overridden=False)
    stale = table.index[table["superseded_by"].fillna("").ne("")]
    if len(stale):
        row = table.loc[stale[0]]
        newer = row["superseded_by"]
        raise InputError(f"role '{stale[0]}' uses '{row['id']}', superseded by '{newer}'. Mend: use that.")
    _check_units(table, roles)
    schedules = sorted(set(register.tables["discount_schedules"]["schedule"]))
    if scenario.discount_schedule not in schedules:
        raise InputError(f"discount_schedule '{scenario.discount_schedule}': unknown. Mend: use one of {schedules}.")
    for key, override in scenario.overrides.items():
        apply_override(table, key, override, register.deflators)
    with_priors(register.tables["priors"], scenario.priors)
    return _in_real_terms(table, scenario, register)


def _in_real_terms(table: pd.DataFrame, scenario: Scenario, register: Register) -> pd.DataFrame:
    """Add the figures in the scenario's price base, real rates, and the graded spread of each."""
    deflators = register.deflators
    graded = register.tables["graded_uncertainty"].set_index("grade")
    grades, oldest = graded["coefficient_of_variation"], float(graded["price_year_older_than"].max())
    table = table.assign(coefficient_of_variation=float("nan"), graded=False)
    for role, row in table.iterrows():
        for bound in ("value", "low", "high"):
            number = float(row[bound]) if pd.notna(row[bound]) else float("nan")
            if str(row["unit"]).startswith("GBP"):
                if not str(row["price_year"] or ""):
                    raise InputError(f"{role} ({row['id']}): money without a price year. Mend: give its price_year.")
                number = rebase(number, str(row["price_year"]), to=scenario.price_base, deflators=deflators)
            elif "nominal" in str(row["unit"]):
                period = register.tables["economic_parameters"].set_index("id").loc[row["id"]]
                number = real_rate(number, period["period_from"], period["period_to"], deflators=deflators)
            table.loc[role, f"real_{bound}"] = number
        own = row["interval_kind"] in ("confidence", "range") and pd.notna(row["low"]) and pd.notna(row["high"])
        if not own and row["distribution"] != "fixed":
            grade = str(row["confidence"]) + ("_old" if _is_old(str(row["price_year"] or ""), scenario, oldest) else "")
            table.loc[role, ["coefficient_of_variation", "graded"]] = [float(grades[grade]), True]
    return table


def _is_old(price_year: str, scenario: Scenario, years: float) -> bool:
    return price_year[:4].isdigit() and int(price_year[:4]) < int(scenario.price_base[:4]) - years


def _check_units(table: pd.DataFrame, roles: pd.DataFrame) -> None:
    """Refuse a figure whose unit is not the one its role is computed with."""
    # A nominal growth rate will do for a real one: it is deflated.
    wrong = table.index[table["unit"].str.replace("nominal", "real") != roles["unit"].str.replace("nominal", "real")]
    if len(wrong):
        row = table.loc[wrong[0]]
        raise InputError(
            f"{wrong[0]}: figure '{row['id']}' is in '{row['unit']}', not '{roles.loc[wrong[0], 'unit']}'. "
            "Mend: choose a figure in that unit."
        )


def __dir__() -> list[str]:
    return __all__
