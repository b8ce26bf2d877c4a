"""A programme of one's own among those of the evidence: who it serves, as one that is known, and what it costs."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from toolkit.evidence.programmes import check_programmes
from toolkit.evidence.register import Register
from toolkit.prices import PriceYear, price_year_label
from toolkit.schema import InputError
from toolkit.tabular import excerpt

__all__ = ["OwnProgramme", "with_own_programmes", "with_programme"]

Pounds = Annotated[float, Field(strict=True, gt=0, le=1e7, json_schema_extra={"unit": "GBP"})]


class OwnProgramme(BaseModel):
    """A programme of one's own, which the plan can buy and ``studies`` be of; see docs/programmes.md."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)
    label: Annotated[str, Field(min_length=3, max_length=80)]
    """What readers call it."""
    like: Annotated[str, Field(max_length=60)]
    """Programme of the evidence whose type, children, ages and risks it has."""
    cost: Pounds
    """What a unit costs."""
    low: Pounds | None = None
    """Lower end of the 90 per cent interval of the cost; the spread of grade B if left out."""
    high: Pounds | None = None
    """Upper end of that interval."""
    price_year: PriceYear
    """Financial year of its prices, such as 2024/25."""
    unit: Literal["GBP per family", "GBP per child", "GBP per parent", "GBP per conference"] = "GBP per family"
    """What the cost is of."""
    source: Annotated[str, Field(min_length=5)]
    """Where the cost comes from, in words that the report prints beside it."""


def with_own_programmes(register: Register, own: Mapping[str, OwnProgramme]) -> Register:
    """Return the register with the programmes of a scenario's ``own_programmes``; the register itself with none.

    Raises
    ------
    InputError
        As :func:`with_programme`, naming the key.
    """
    for name, programme in own.items():
        try:
            register = with_programme(register, name, **programme.model_dump())
        except InputError as problem:
            raise InputError(f"own_programmes.{excerpt(name)}: {problem}") from None
    return register


def with_programme(
    register: Register,
    name: str,
    *,
    label: str,
    like: str,
    cost: float,
    price_year: str,
    low: float | None = None,
    high: float | None = None,
    unit: str = "GBP per family",
    source: str,
) -> Register:
    """Return the register with a programme of one's own, which a scenario can then buy and have studies of.

    Parameters
    ----------
    register
        From ``load_register``.
    name, label
        What scenarios and readers call it.
    like
        A programme of the evidence: type, target group, ages, children in what it serves and the published risk of
        those served are taken from it. Without a study of its own, its effects are those that its type supports.
    cost, low, high
        What a unit costs, GBP, and its 90 per cent interval if that is known; the spread of grade B if not.
    price_year, unit
        Of the cost.
    source
        Where the cost comes from.

    Raises
    ------
    InputError
        A name that the evidence has already, no programme to be like, an interval that is not about the cost, and all
        that ``check_programmes`` refuses.
    """
    tables = register.tables
    known = tables["programmes"]["programme"].tolist()
    if name in known:
        raise InputError(f"programme '{excerpt(name)}': the evidence has one of this name.", fix="give another.")
    if like not in known:
        raise InputError(f"programme '{excerpt(like)}': none to be like.", fix=f"name one of {', '.join(known)}.")
    if (low is None) != (high is None) or (low is not None and high is not None and not low < cost < high):
        raise InputError(
            f"programme '{excerpt(name)}': {low} to {high} is no interval about {cost:g}.", fix="give both."
        )
    about: dict[str, Any] = {"programme": name, "label": label, "security": 0, "source_note": source}
    about |= {"description": f"As {like}.", "evidence_summary": "", "not_known": "No study of it is in the evidence."}
    priced: dict[str, Any] = {
        **{"programme": name, "cost_id": name, "used": 1, "value": cost, "unit": unit, "confidence": "B"},
        **{"low": low, "high": high, "interval_kind": "range" if low is not None else "", "full_or_grant": "full"},
        **{"interval_level": 0.9 if low is not None else None, "price_year": price_year_label(price_year)},
        "source_title": source,
    }
    risks = tables["baseline_risks"].query("programme == @like and used == 1").assign(programme=name)
    more = {
        "programmes": tables["programmes"].query("programme == @like").assign(**about),
        "programme_costs": _row(priced, tables["programme_costs"]),
        "baseline_risks": risks,
    }
    joined = {key: pd.concat([tables[key], rows], ignore_index=True) for key, rows in more.items()}
    check_programmes({**tables, **joined})
    return replace(register, tables={**tables, **joined})


def _row(cells: dict[str, Any], table: pd.DataFrame) -> pd.DataFrame:
    blank = {key: float("nan") if kind.kind in "biuf" else "" for key, kind in table.dtypes.items()}
    filled = {key: blank[key] if value is None else value for key, value in cells.items()}
    return pd.DataFrame([blank | filled]).astype(table.dtypes.to_dict())
