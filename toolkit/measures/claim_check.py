"""Somebody's proposed savings set against the model, and a tracker of what comes in against what was predicted."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr

from toolkit.claims import QUARTERS
from toolkit.levers import HOMES
from toolkit.measures import words as w
from toolkit.measures.growth import YEARS, reduced, year_label
from toolkit.schema import InputError

__all__ = ["TRACKED", "check_claims", "tracker"]

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
        From `toolkit.measures.growth.on_top`: its lines are what can be claimed on.
    programmes
        The table ``programmes``: programmes for the same group and ages can claim the same children twice.

    Returns
    -------
    DataFrame
        The claim (``reference``, ``description``, ``measure``, ``year``, ``sum``), ``claimed`` (what that reference
        comes to in the year, recurrent lines added up), what the model expects the measure to avoid in the year
        (``expected``, ``low``, ``high``, GBP in cash), of which ``cash_released``; ``evidence``; ``overlap`` (references
        that claim on the same measure, or on one for the same children); ``chance`` that at least as much is avoided,
        and ``chance_with_overlap`` that as much as all claims on the measure together is; and ``finding``, in words.

    Raises
    ------
    InputError
        A measure that is no line of the paper, or a year outside it.
    """
    lines = [str(name) for name in paper["measure"].values]
    years = [int(year) for year in paper["year"].values[:YEARS]]
    for line, row in claims.iterrows():
        if row["measure"] and row["measure"] not in lines:
            raise InputError(
                f"claims, line {line} ({row['reference']}): '{row['measure']}' is no measure of the plan.",
                fix=f"use one of {', '.join(lines)}, add it to the scenario's plan, or leave it blank.",
            )
        if row["year"] not in years:
            raise InputError(
                f"claims, line {line} ({row['reference']}): {year_label(row['year'])} is not looked at.",
                fix=f"use {year_label(years[0])} to {year_label(years[-1])}.",
            )
    return pd.DataFrame([_checked(claim, claims, paper, programmes) for _, claim in claims.iterrows()])


def _checked(claim: pd.Series, claims: pd.DataFrame, paper: xr.Dataset, programmes: pd.DataFrame) -> dict[str, object]:
    row: dict[str, object] = {name: claim[name] for name in ("reference", "description", "measure")}
    row |= {"year": year_label(claim["year"]), "sum": claim["sum"]}
    own = claims[claims["reference"] == claim["reference"]]
    row["claimed"] = _by(own, claim["year"])
    rivals = [
        str(name)
        for name, measure in zip(claims["reference"], claims["measure"], strict=True)
        if name != claim["reference"] and measure and claim["measure"] and _meets(measure, claim["measure"], programmes)
    ]
    row["overlap"] = ", ".join(dict.fromkeys(rivals))
    if not claim["measure"]:
        return row | {"evidence": "none: no measure is named", "finding": "Name what is to be done to check it."}
    line = paper.isel(line=[str(name) for name in paper["measure"].values].index(claim["measure"]))
    avoided = line["avoided"].sel(year=claim["year"])
    together = _by(claims[claims["measure"] == claim["measure"]], claim["year"])
    ends = reduced(avoided)
    row |= {"expected": float(ends["mean"]), "low": float(ends["lower"]), "high": float(ends["upper"])}
    row["cash_released"] = float(line["cash_released"].sel(year=claim["year"]).mean())
    row["evidence"] = str(line["confidence"].item())
    row["chance"] = float((avoided >= row["claimed"]).mean())
    row["chance_with_overlap"] = float((avoided >= together).mean())
    return row | {"finding": _finding(row)}


def _by(claims: pd.DataFrame, year: int) -> float:
    """Return what claims come to in a year: recurrent ones from their year on, others in their own."""
    due = (claims["year"] == year) | (claims["recurrent"] & (claims["year"] < year))
    return float(claims.loc[due, "sum"].sum())


def _meets(one: str, other: str, programmes: pd.DataFrame) -> bool:
    """Return whether two measures could claim the same children: the same one, or programmes for one group and age."""
    rows = programmes.set_index("programme")
    if one == other or one not in rows.index or other not in rows.index:
        return one == other
    first, second = rows.loc[one], rows.loc[other]
    apart = first["ages_to"] < second["ages_from"] or second["ages_to"] < first["ages_from"]
    return bool(first["target_group"] == second["target_group"] and not apart)


def _finding(row: Mapping[str, object]) -> str:
    claimed, low, high, released = (float(row[name]) for name in ("claimed", "low", "high", "cash_released"))  # type: ignore[arg-type]
    where = "above the interval" if claimed > high else "below the interval" if claimed < low else "within the interval"
    words = f"{w.money(claimed)} is {where}, {w.interval(low, high)}; {w.percent(float(row['chance']))} chance."  # type: ignore[arg-type]
    if row["overlap"]:
        words += f" Claimed on as well by {row['overlap']}."
    return words + (f" {w.money(released)} of it is cash." if released < claimed else "")


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
        (90 per cent), ``actual`` (NaN until it is known) and ``in_band``: "in", "above", "below" or blank. Children move
        evenly between years; a quarter's spend is a quarter of the year's.
    """
    fewer = paper["fewer"].sum("line").reindex(year=paper["from_this_year"].values, fill_value=0.0)
    left = paper["children"].rename(from_this_year="year") - fewer
    children = {"looked_after": left.sum("placement"), "residential": left.sel(placement=HOMES, drop=True)}
    before = paper["spend_if_nothing_changes"].rename(from_this_year="year")
    spent = {
        name: paper[name].sum("line").reindex(year=before["year"].values, fill_value=0.0)
        for name in ("avoided", "spent")
    }
    yearly = {"spend": before - spent["avoided"], "plan_spend": spent["spent"]}
    known = (
        {} if actuals is None else {(row["measure"], row["quarter"]): row["actual"] for _, row in actuals.iterrows()}
    )
    rows = []
    for name, description in TRACKED.items():
        whole = children.get(name, yearly.get(name))
        assert whole is not None
        divided = whole if name in children else whole / len(QUARTERS)
        baseline = float(divided.isel(year=0).mean())
        for year in whole["year"].values[1 : YEARS + 1]:
            for place, quarter in enumerate(QUARTERS, start=1):
                at = _at(divided, int(year), place) if name in children else divided.sel(year=year)
                ends = reduced(at)
                actual = known.get((name, f"{year_label(int(year))} {quarter}"), np.nan)
                low, high = float(ends["lower"]), float(ends["upper"])
                band = "" if np.isnan(actual) else "below" if actual < low else "above" if actual > high else "in"
                rows.append(
                    {
                        "measure": name,
                        "description": description,
                        "baseline": baseline,
                        "quarter": f"{year_label(int(year))} {quarter}",
                        "expected": float(ends["mean"]),
                        "low": low,
                        "high": high,
                        "actual": actual,
                        "in_band": band,
                    }
                )
    return pd.DataFrame(rows)


def _at(yearly: xr.DataArray, year: int, quarter: int) -> xr.DataArray:
    """Return children at the end of a quarter, between the averages of years, which are those of their middles."""
    when = year + quarter / len(QUARTERS) - 0.5
    before = min(int(np.floor(when)), int(yearly["year"].max()) - 1)
    share = when - before
    return yearly.sel(year=before, drop=True) * (1.0 - share) + yearly.sel(year=before + 1, drop=True) * share


def __dir__() -> list[str]:
    return __all__
