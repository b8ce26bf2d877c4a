"""Somebody's proposed savings set against the model, and a tracker of what comes in against what was predicted."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import xarray as xr

from toolkit.claims import QUARTERS
from toolkit.levers import HOMES, LEVERS
from toolkit.measures import words as w
from toolkit.measures.growth import ARITHMETIC, YEARS, reduced, year_label
from toolkit.plans import same_children
from toolkit.schema import InputError

__all__ = ["TRACKED", "check_claims", "tracker"]

NOT_PLANNED = "Not in the plan, so nothing is expected of it: add it to the scenario, or pull the lever, to check it."
TRACKED = {
    "looked_after": "Children looked after, end of quarter",
    "residential": "Children in residential care, end of quarter",
    "spend": "Spend on children looked after and safeguarding in the quarter, cash",
    "plan_spend": "Spent on the plan in the quarter, cash",
}


def check_claims(claims: pd.DataFrame, paper: xr.Dataset, programmes: pd.DataFrame) -> pd.DataFrame:
    """Return each proposed saving beside what the model expects of the same measure.

    Parameters
    ----------
    claims
        From `toolkit.claims.read_claims`.
    paper
        From `toolkit.measures.growth.on_top`: nothing is expected of what is not among its lines.
    programmes
        The table ``programmes``: programmes for the same group and ages can claim the same children twice.

    Returns
    -------
    DataFrame
        The claim (``reference``, ``description``, ``measure``, ``year``, ``sum``), ``claimed`` (what that reference
        comes to in the year, recurrent lines added up), what the model expects the measure to avoid in the year
        (``expected``, ``low``, ``high``, GBP in cash), of which ``cash_released``; ``evidence``; ``overlap``
        (references that claim on the same measure, or on one for the same children); ``chance`` that at least as much
        is avoided, and ``chance_with_overlap`` that as much as all claims on the measure together is; and ``finding``,
        in words.

    Raises
    ------
    InputError
        A measure that is no line of the paper and no programme, or a year outside it.
    """
    lines = [str(name) for name in paper["measure"].values]
    known = {"", *lines, *LEVERS, *programmes["programme"]}
    years = [int(year) for year in paper["year"].values[:YEARS]]
    for line, row in claims.iterrows():
        if row["measure"] not in known:
            raise InputError(
                f"claims, line {line} ({row['reference']}): '{row['measure']}' is no programme or lever.",
                fix=f"use one of {', '.join(lines)} or another programme of the evidence, or leave it blank.",
            )
        if row["year"] not in years:
            raise InputError(
                f"claims, line {line} ({row['reference']}): {year_label(row['year'])} is not looked at.",
                fix=f"use {year_label(years[0])} to {year_label(years[-1])}.",
            )
    return pd.DataFrame([_checked(claim, claims, paper, programmes) for _, claim in claims.iterrows()])


def _checked(claim: pd.Series, claims: pd.DataFrame, paper: xr.Dataset, programmes: pd.DataFrame) -> dict[str, object]:
    year, measure = int(claim["year"]), str(claim["measure"])
    claimed = _by(claims[claims["reference"] == claim["reference"]], year)
    overlap = _overlap(claim, claims, programmes)
    row = {name: claim[name] for name in ("reference", "description", "measure")}
    row |= {"year": year_label(year), "sum": claim["sum"], "claimed": claimed, "overlap": overlap}
    if not measure:
        return row | {"evidence": "none: no measure is named", "finding": "Name what is to be done to check it."}
    if measure not in paper["measure"].values:
        not_known = {**dict.fromkeys(LEVERS, ARITHMETIC), **programmes.set_index("programme")["not_known"]}
        return row | {"evidence": not_known[measure], "finding": NOT_PLANNED + _also(overlap)}
    line = paper.isel(line=[str(name) for name in paper["measure"].values].index(measure)).sel(year=year)
    avoided, released = line["avoided"], float(line["cash_released"].mean())
    ends = {end: float(value) for end, value in reduced(avoided).items()}
    chance = float((avoided >= claimed).mean())
    return row | {
        "expected": ends["mean"],
        "low": ends["lower"],
        "high": ends["upper"],
        "cash_released": released,
        "evidence": str(line["confidence"].item()),
        "chance": chance,
        "chance_with_overlap": float((avoided >= _by(claims[claims["measure"] == measure], year)).mean()),
        "finding": _finding(claimed, ends["lower"], ends["upper"], chance, released, overlap),
    }


def _overlap(claim: pd.Series, claims: pd.DataFrame, programmes: pd.DataFrame) -> str:
    """Return the references of other claims that could be met by the same children."""
    rivals = [
        str(name)
        for name, measure in zip(claims["reference"], claims["measure"], strict=True)
        if name != claim["reference"] and claim["measure"] and _meets(measure, claim["measure"], programmes)
    ]
    return ", ".join(dict.fromkeys(rivals))


def _by(claims: pd.DataFrame, year: int) -> float:
    """Return what claims come to in a year: recurrent ones from their year on, others in their own."""
    due = (claims["year"] == year) | (claims["recurrent"] & (claims["year"] < year))
    return float(claims.loc[due, "sum"].sum())


def _meets(one: str, other: str, programmes: pd.DataFrame) -> bool:
    """Return whether two measures could claim the same children: the same one, or programmes for one group and age."""
    rows = programmes.set_index("programme")
    return one == other or ({one, other} <= set(rows.index) and same_children(one, other, rows))


def _finding(claimed: float, low: float, high: float, chance: float, released: float, overlap: str) -> str:
    where = "above" if claimed > high else "below" if claimed < low else "within"
    words = f"{w.money(claimed)} is {where} the interval, {w.interval(low, high)}; {w.percent(chance)} chance."
    words += _also(overlap)
    return words + (f" Expected to leave the budget as cash: {w.money(released)}." if released < claimed else "")


def _also(overlap: str) -> str:
    return f" The same children could meet {overlap} as well." if overlap else ""


def tracker(paper: xr.Dataset, actuals: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return what is predicted for each quarter with the plan, and what came in.

    Parameters
    ----------
    paper
        From `toolkit.measures.growth.on_top`.
    actuals
        From `toolkit.claims.read_actuals`; none yet if not given.

    Returns
    -------
    DataFrame
        ``measure``, ``description``, ``baseline`` (this year's, expected), ``quarter``, ``expected``, ``low``, ``high``
        (90 per cent), ``actual`` (NaN until it is known) and ``in_band``: "in", "above", "below" or "". Children move
        evenly between years; a quarter's spend is a quarter of the year's.
    """
    years = paper["from_this_year"].values
    at_end = paper["children"].rename(from_this_year="year")
    at_end = at_end - paper["fewer"].sum("line").reindex(year=years, fill_value=0.0)
    before = paper["spend_if_nothing_changes"].rename(from_this_year="year")
    summed = paper[["avoided", "spent"]].sum("line").reindex(year=years, fill_value=0.0)
    yearly = {
        "looked_after": at_end.sum("placement"),
        "residential": at_end.sel(placement=HOMES, drop=True),
        "spend": (before - summed["avoided"]) / len(QUARTERS),
        "plan_spend": summed["spent"] / len(QUARTERS),
    }
    rows = [] if actuals is None else zip(actuals["measure"], actuals["quarter"], actuals["actual"], strict=True)
    known = {(measure, quarter): actual for measure, quarter, actual in rows}
    return pd.DataFrame(
        [
            {
                "measure": name,
                "description": TRACKED[name],
                "baseline": float(whole.isel(year=0).mean()),
                "quarter": label,
                **_band(at, known.get((name, label), np.nan)),
            }
            for name, whole in yearly.items()
            for label, at in _quarters(whole, moves=name in ("looked_after", "residential"))
        ]
    )


def _quarters(yearly: xr.DataArray, *, moves: bool) -> Iterator[tuple[str, xr.DataArray]]:
    """Yield each quarter after this year: what moves evenly from one year's end to the next, or a year's own value."""
    for year in yearly["year"].values[1 : YEARS + 1]:
        before, now = yearly.sel(year=year - 1, drop=True), yearly.sel(year=year, drop=True)
        for place, quarter in enumerate(QUARTERS, start=1):
            share = place / len(QUARTERS) if moves else 1.0
            yield f"{year_label(int(year))} {quarter}", before * (1.0 - share) + now * share


def _band(at: xr.DataArray, actual: float) -> dict[str, object]:
    ends = reduced(at)
    low, high = float(ends["lower"]), float(ends["upper"])
    where = "" if np.isnan(actual) else "below" if actual < low else "above" if actual > high else "in"
    return {"expected": float(ends["mean"]), "low": low, "high": high, "actual": actual, "in_band": where}


def __dir__() -> list[str]:
    return __all__
