"""What a scenario may set: the parts of it, each with its meaning, unit and range, and all of them as one table."""

import json
from collections.abc import Iterator
from typing import Annotated, Any, Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Adjustments", "Effect", "Option", "Part", "Share", "Truth", "described", "unit"]

MOST_POUNDS = 1000.0  # for each child a year
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


class Part(BaseModel):
    """A part of a scenario: frozen, without unknown keys; the text below a field is its description."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)


class Option(Part):
    """What is bought: pounds per child a year, for whom, and at what cost per family."""

    spend_per_child: Annotated[float, Field(strict=True, gt=0, le=MOST_POUNDS, **unit("GBP a year"))]
    """What is spent for each child aged 0 to 17, in the price base."""
    years: Annotated[int, Field(strict=True, ge=1, le=10, **unit("years"))]
    """How long it is spent."""
    cut: Truth = False
    """Whether the sum is taken away instead."""
    cost_per_family: str = "troubled_family_intervention_cost"
    """Id of the figure for the cost of a family reached: see `outcomes evidence list`."""
    group: Literal["in_need", "care_edge"] = "in_need"
    """Whom it reaches: families newly in need, or those on the edge of care."""
    funder: Literal["local_authority", "central_government"] = "local_authority"
    """Whose money it is: the council's own, or a grant from central government."""

    @property
    def pounds(self) -> float:
        """GBP a year for each child, negative for a cut."""
        return -self.spend_per_child if self.cut else self.spend_per_child


class Effect(Part):
    """What the offer changes: the source of the effect and how it grows, fades and replicates."""

    source: Literal["trials", "panel", "combined", "judgement"] = "combined"
    """Evidence of the effect: trials, the panel of areas (an association), both, or a judgement."""
    replication: Share = 0.5
    """Part of the studied effect that is expected here."""
    take_up: Share = 1.0
    """Part of the families reached who take the offer up."""
    ramp: tuple[Share, ...] = (0.5, 1.0, 1.0)
    """Part of the full effect for those reached in each spending year."""
    fades: Truth = True
    """Whether the effect fades, by the half-life of the figure `fade_half_life`."""
    detection: Truth = False
    """Whether more help first brings more children to notice."""
    family_group_conferencing: Truth = False
    """Whether studies of family group conferencing count too."""
    shared_luck: Share = 1.0
    """Part of its sites' luck that the programme shares with others there: 1 wholly, 0 not at all."""


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
        inner = (field if "$ref" in field else named).get("$ref", "").rpartition("/")[2]
        yield {
            "key": prefix + name,
            "meaning": field.get("description") or parts.get(inner, {}).get("description", "").split("\n")[0],
            "unit": field.get("unit", field.get("items", {}).get("unit", "")),
            "allowed": _allowed(field),
            "default": "needed" if needed else _written(field.get("default"), inner),
        }
        if inner:
            yield from _rows(parts[inner], parts, f"{prefix}{name}.{'<name>.' if named else ''}")


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
        return f"a list: {_allowed(field['items'])}"
    if kind == "boolean":
        return "true, false"
    bounds = [text.format(field[name]) for name, text in BOUNDS.items() if name in field]
    whole = {"integer": "a whole number", "number": "a number", "string": "text"}.get(str(kind), "keys of its own")
    return ", ".join([whole, *bounds])


def __dir__() -> list[str]:
    return __all__
