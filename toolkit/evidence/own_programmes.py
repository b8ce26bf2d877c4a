"""A programme of one's own among those of the evidence: who it serves, as one that is known, and what it costs."""

from dataclasses import replace
from typing import Any

import pandas as pd

from toolkit.evidence.programmes import check_programmes
from toolkit.evidence.register import Register
from toolkit.prices import price_year_label
from toolkit.schema import InputError
from toolkit.tabular import excerpt

__all__ = ["with_programme"]


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
