"""What a scenario may set: the parts of it, each with its meaning, unit and range, and all of them as one table."""

import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["BASES", "Adjustments", "Effect", "Part", "PlanPart", "Share", "Truth", "described", "unit"]

MOST_POUNDS = 1000.0  # for each child a year
MOST_SUM = 1e11  # pounds a year
MOST_YEARS = 10  # of spending
BASES = ("pounds_per_child", "pounds", "england", "units")  # what a sum can be given in
BOUNDS = {
    "minimum": "{:,.10g} or more",
    "exclusiveMinimum": "above {:,.10g}",
    "maximum": "{:,.10g} or less",
    "exclusiveMaximum": "below {:,.10g}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
}


def unit(name: str, **shown: Any) -> dict[str, Any]:
    """Return the argument of ``Field`` that gives a unit and other parts of the JSON schema."""
    return {"json_schema_extra": {"unit": name, **shown}}


Truth = Annotated[bool, Field(strict=True)]
Share = Annotated[float, Field(strict=True, ge=0, le=1, **unit("share"))]
Sum = Annotated[float, Field(strict=True, ge=-MOST_SUM, le=MOST_SUM)]
Sums = Annotated[
    tuple[Annotated[float, Field(strict=True, ge=-MOST_POUNDS, le=MOST_POUNDS)], ...], Field(**unit("GBP a year"))
]


class Part(BaseModel):
    """A part of a scenario: frozen, without unknown keys; the text below a field is its description."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)


class PlanPart(Part):
    """One programme of a plan: the sum for it in each year, where, and whose money it is."""

    programme: Annotated[str, Field(pattern=r"^[a-z0-9_]+$", max_length=60)]
    """Which programme is bought: see `outcomes programmes`."""
    pounds_per_child: Sums = ()
    """For each child aged 0 to 17 of an area, by year; below 0 the sum is taken away."""
    pounds: Annotated[tuple[Sum, ...], Field(**unit("GBP a year"))] = ()
    """For all areas of the run together, by year, shared out by the children eligible."""
    england: Annotated[tuple[Sum, ...], Field(**unit("GBP a year"))] = ()
    """For all of England, by year: areas get their share by the children eligible."""
    units: Annotated[tuple[Sum, ...], Field(**unit("units a year"))] = ()
    """Families or children served, by year, in all areas of the run together, at what one costs."""
    first_year: Annotated[int, Field(strict=True, **unit("year"))] | None = None
    """Year in which its first sum is spent; that of the scenario if left out."""
    areas: tuple[str, ...] = ()
    """Where it is bought, by name or code; all areas of the run if left out."""
    funder: Literal["local_authority", "central_government"] = "local_authority"
    """Whose money it is: the council's own, or a grant from central government."""
    cost: str = ""
    """Id of another cost of the programme than the one in use, such as its grant: see programme_costs.csv."""

    @model_validator(mode="after")
    def _one_sum(self) -> "PlanPart":
        given = [name for name in BASES if getattr(self, name)]
        if len(given) != 1:
            what = f"only one of {' and '.join(given)}" if given else f"its sums: one of {', '.join(BASES)}"
            raise ValueError(f"{self.programme} needs {what}. Fix: give that, a number for each year.")
        sums = self.sums
        if len(sums) > MOST_YEARS or not any(sums) or min(sums) < 0 < max(sums):
            raise ValueError(
                f"{self.programme}: {given[0]} must be 1 to {MOST_YEARS} yearly sums, not all 0, and all of one sign. "
                "Fix: write an increase and a cut as two parts of two scenarios."
            )
        return self

    @property
    def basis(self) -> str:
        """Which of ``BASES`` its sums are given in."""
        return next(name for name in BASES if getattr(self, name))

    @property
    def sums(self) -> tuple[float, ...]:
        """Its sums by year, in its basis; negative for a cut."""
        sums: tuple[float, ...] = getattr(self, self.basis)
        return sums

    def times(self, factor: float) -> "PlanPart":
        """Return the same part with its sums multiplied by a factor."""
        return self.model_copy(update={self.basis: tuple(factor * value for value in self.sums)})


class Effect(Part):
    """What help changes where it is delivered: from which evidence, and how it grows, fades and survives."""

    scale_up: Share | None = None
    """Part of the mean effect that survives scale-up; drawn from the evidence's own distribution if left out."""
    unevidenced: Literal["none", "borrow"] = "none"
    """Effect on outcomes that neither the programme nor its type has a study of: none, or that of all."""
    structure: Mapping[str, Mapping[str, Share]] = {}
    """Weights of rival structures of the model, such as {fade: {none: 1}}, in place of structure_weights.csv."""
    selection: Annotated[float, Field(strict=True, gt=0, le=1, **unit("chance"))] = 1.0
    """Chance that a finding without a significant benefit is published, relative to one with: 1 is no selection."""
    take_up: Share = 1.0
    """Part of those served who take the offer up."""
    ramp: Annotated[tuple[Share, ...], Field(min_length=1, max_length=MOST_YEARS)] = (0.5, 1.0)
    """Part of the full effect for those served in the first year of a programme and so on; the last stays."""
    detection: Truth = False
    """Whether more help first brings more children to notice."""
    shared_luck: Share = 0.5
    """Part of a site's luck that its programmes share, as they meet the same staff and families: 0 to 1."""


class Adjustments(Part):
    """Green Book and Greater Manchester adjustments, each a share; the defaults leave the result alone."""

    optimism_bias: Annotated[float, Field(strict=True, ge=0, le=2, **unit("share"))] = 0.0
    """What spending turns out above the plan; not of a cut."""
    deadweight: Share = 0.0
    """Part of the effect that would have come anyway."""
    displacement: Share = 0.0
    """Part of the effect that is taken from other places."""
    attribution: Share = 1.0
    """Part of the effect that is due to the offer."""
    drop_off: Share = 0.0
    """Part of the remaining effect that is lost each year."""


def described(model: type[BaseModel]) -> pd.DataFrame:
    """Return every key that a model takes, those of its parts too.

    Returns
    -------
    DataFrame
        Indexed by ``key`` ("option.years"; "overrides.<name>.value" where the user names the entries): meaning, unit,
        allowed and default, all text.
    """
    schema = model.model_json_schema()
    return pd.DataFrame(_rows(schema, schema.get("$defs", {}), "")).set_index("key")


def _rows(part: dict[str, Any], parts: dict[str, Any], prefix: str) -> Iterator[dict[str, str]]:
    for name, field in part["properties"].items():
        needed = name in part.get("required", ())
        named: dict[str, Any] = field.get("additionalProperties") or next(
            iter(field.get("patternProperties", {}).values()), {}
        )
        listed: dict[str, Any] = field.get("items", {})
        inner = next((part["$ref"] for part in (field, named, listed) if "$ref" in part), "").rpartition("/")[2]
        yield {
            "key": prefix + name,
            "meaning": field.get("description") or parts.get(inner, {}).get("description", "").split("\n")[0],
            "unit": field.get("unit", field.get("items", {}).get("unit", "")),
            "allowed": _allowed(field),
            "default": "needed" if needed else _written(field.get("default"), inner),
        }
        if inner:
            entry = "<part>." if "$ref" in listed else "<name>." if named else ""
            yield from _rows(parts[inner], parts, f"{prefix}{name}.{entry}")


def _written(default: Any, inner: str) -> str:
    if inner or default is None or isinstance(default, str):
        return "" if inner else default or ""
    return json.dumps(default)


def _allowed(field: dict[str, Any]) -> str:
    field = next((kind for kind in field.get("anyOf", ()) if kind.get("type") != "null"), {}) | field
    kind = field.get("type")
    if "enum" in field:
        return ", ".join(map(str, field["enum"]))
    if kind == "array":
        return "a list of parts" if "$ref" in field["items"] else f"a list: {_allowed(field['items'])}"
    if kind == "boolean":
        return "true, false"
    bounds = [text.format(field[name]) for name, text in BOUNDS.items() if name in field]
    whole = {"integer": "a whole number", "number": "a number", "string": "text"}.get(str(kind), "keys of its own")
    return ", ".join([whole, *bounds])


def __dir__() -> list[str]:
    return __all__
