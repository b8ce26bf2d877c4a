"""The table of programmes: what each costs, avoids and risks, and how far that is known."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from toolkit import appraisal
from toolkit.appraisal.accounts import COUNCIL
from toolkit.measures import words as w
from toolkit.measures.programme_structures import LEVEL, by_structure, chances
from toolkit.schema import ACCOUNTS, SAMPLE_DIMS

__all__ = [
    "BREAK_EVEN",
    "LEVEL",
    "OUTCOMES",
    "by_structure",
    "chance_in_words",
    "chance_of",
    "council_by_year_five",
    "league_table",
    "notes",
    "ranks",
    "shown",
    "structure_table",
    "verdict",
]

MILLION = 1e6
BREAK_EVEN = "cannot be distinguished from break-even"
ALL_BUT = 0.01  # a chance nearer to none or all is printed as such only if rival structures agree
SURE = 0.95  # chance from which one side of break-even is called likely
OUTCOMES = {
    "repeat_referrals": "repeat referrals",
    "youth_justice": "youth justice",
    "gcse_attainment": "GCSEs",
    "care": "care",
}


def league_table(compared: xr.Dataset, programmes: pd.DataFrame, *, level: float = LEVEL) -> pd.DataFrame:
    """Return one row a programme, those with studies of their own first, then by pounds avoided for a pound.

    Parameters
    ----------
    compared
        From `toolkit.programmes.compare`.
    programmes
        The table ``programmes``.
    level
        Of the intervals.

    Returns
    -------
    DataFrame
        Index programme. ``label``, ``programme_type``, ``target_group``, ``ages``, ``security`` (0 to 5);
        ``cost_per_child`` with ``_low`` and ``_high`` (GBP), ``children_per_million``; for each account, public purse
        (fiscal), economy and society, ``avoided_per_child_<account>`` (GBP) and ``avoided_<account>`` for a pound spent
        (expected benefit over expected cost) with ``_low``, ``_high`` (of the benefit) and ``_mcse``, its Monte Carlo
        standard error, and ``chance_pays_<account>``; ``council_avoided``, the part of the council's budgets;
        ``council_cash``, what of it is cash by year five, from :func:`council_by_year_five`;
        ``chance_of_harm``, that the public purse pays more; ``chance_pays_least`` and ``_most``,
        ``chance_of_harm_least`` and ``_most`` over the choices of rival structures, as :func:`by_structure`;
        ``care_entries_per_100``, the change in entries to care of a hundred children served; ``evidence``, "own"
        studies, of its "type" alone, or "not counted"; ``counted`` and ``not_counted``, outcomes with their reasons;
        ``verdict`` for the public purse, from :func:`verdict`; ``not_known``.
    """
    table = programmes.set_index("programme")
    names = [str(name) for name in compared["programme"].values]
    rows = [_row(compared.sel(programme=name), table.loc[name].to_dict(), level) for name in names]
    league = pd.DataFrame(rows, index=pd.Index(names, name="programme"))
    order = league["evidence"].map({"own": 0, "type": 1, "not counted": 2})
    return (
        league.assign(order=order)
        .sort_values(["order", "avoided_fiscal", "label"], ascending=[True, False, True], na_position="last")
        .drop(columns="order")
    )


def _row(one: xr.Dataset, about: Mapping[Any, Any], level: float) -> dict[str, Any]:
    reasons = {str(name): str(why.item()) for name, why in zip(one["outcome"].values, one["not_counted"], strict=True)}
    counted = [name for name, why in reasons.items() if not why]
    whose = {str(one["evidence"].sel(outcome=name).item()) for name in counted}
    row: dict[str, Any] = {
        "label": about["label"],
        "programme_type": about["programme_type"],
        "target_group": about["target_group"],
        "ages": f"{about['ages_from']:.0f} to {about['ages_to']:.0f}",
        "security": int(about["security"]),
        "evidence": "own" if "own" in whose else "type" if whose else "not counted",
        "counted": ", ".join(OUTCOMES[name] for name in counted),
        "not_counted": "; ".join(f"{OUTCOMES[name]}: {why}" for name, why in reasons.items() if why),
        "not_known": about["not_known"],
    }
    cost = one["cost"]
    priced = bool(cost.notnull().all())
    ends = cost.quantile([(1 - level) / 2, (1 + level) / 2]).values if priced else (np.nan, np.nan)
    row |= {"cost_per_child": float(cost.mean()), "cost_per_child_low": ends[0], "cost_per_child_high": ends[1]}
    row["children_per_million"] = MILLION / row["cost_per_child"]
    for account in ACCOUNTS:
        row |= _account(appraisal.account_total(one["avoided"], account), cost, account, level)
    fiscal = appraisal.account_total(one["avoided"], "fiscal")
    council = one["avoided"].isel(component=(one["payer"] == COUNCIL).values).sum("component")
    row["council_avoided"] = float(council.mean()) / row["cost_per_child"] if counted else np.nan
    row["council_cash"] = float(council_by_year_five(one)["released"]) if counted and priced else np.nan
    row["chance_of_harm"] = float((fiscal < 0).mean()) if counted else np.nan
    entries = one["events"].sel(quantity="care_entries")
    row["care_entries_per_100"] = 100 * float(entries.mean()) if counted else np.nan
    pays, harms = zip(*(list(chances(one)) or [(np.nan, np.nan)]), strict=True)
    for name, under in (("chance_pays", pays if priced else (np.nan,)), ("chance_of_harm", harms)):
        row |= {f"{name}_least": min(under), f"{name}_most": max(under)}
    row["verdict"] = verdict(row["chance_pays_fiscal"], pays, priced=priced, counted=bool(counted))
    return row


def council_by_year_five(compared: xr.Dataset, *, level: float = LEVEL) -> xr.Dataset:
    """Return the council's cash within five years of contact for each pound that a programme costs.

    Parameters
    ----------
    compared
        From `toolkit.programmes.compare`, of all programmes or of one.
    level
        Of the interval.

    Returns
    -------
    Dataset
        ``released``, expected cash that leaves the council's budgets over expected cost, real and undiscounted, with
        ``released_low`` and ``released_high`` (of the cash); ``position``, the same less the pound, which is the
        council's if it pays for the programme itself; NaN where no price is known. Dims of ``compared`` but chain and
        draw.
    """
    cost = compared["cost"].mean(SAMPLE_DIMS, skipna=False)
    cash = compared["council_cash"]
    ends = cash.quantile([(1 - level) / 2, (1 + level) / 2], SAMPLE_DIMS) / cost
    released = cash.mean(SAMPLE_DIMS) / cost
    parts = {"released": released, "position": released - 1.0}
    parts |= {f"released_{end}": ends.isel(quantile=at, drop=True) for at, end in enumerate(("low", "high"))}
    return xr.Dataset(parts).assign_attrs(
        units="GBP for each GBP spent", price_base=compared.attrs.get("price_base", "")
    )


def ranks(compared: xr.Dataset, account: str, *, level: float = LEVEL) -> pd.DataFrame:
    """Return between which places a programme lies among those with a price and a counted effect.

    Parameters
    ----------
    compared
        From `toolkit.programmes.compare`.
    account
        "fiscal", "economic" or "social".
    level
        Of the interval.

    Returns
    -------
    DataFrame
        Index programme, of those ranked; ``rank_low`` and ``rank_high``, the ends of the interval of its place over the
        draws, 1 for what avoids most for a pound.
    """
    ratio = appraisal.account_total(compared["avoided"], account).reset_coords(drop=True) / compared["cost"]
    able = compared["cost"].notnull().all(SAMPLE_DIMS) & (compared["not_counted"] == "").any("outcome")
    values = ratio.isel(programme=able.values).transpose("programme", *SAMPLE_DIMS).values
    places = 1 + np.argsort(np.argsort(-values, axis=0, kind="stable"), axis=0, kind="stable")
    ends = np.quantile(places, [(1 - level) / 2, (1 + level) / 2], axis=(1, 2), method="inverted_cdf")
    names = pd.Index([str(name) for name in compared["programme"].values[able.values]], name="programme")
    return pd.DataFrame({"rank_low": ends[0].astype(int), "rank_high": ends[1].astype(int)}, index=names)


def _account(avoided: xr.DataArray, cost: xr.DataArray, account: str, level: float) -> dict[str, float]:
    names = (f"avoided_{account}", f"avoided_{account}_low", f"avoided_{account}_high", f"chance_pays_{account}")
    counted = bool((avoided != 0).any())
    each = {f"avoided_per_child_{account}": float(avoided.mean()) if counted else np.nan}
    if not counted or not bool(cost.notnull().all()):
        return each | dict.fromkeys((*names, f"avoided_{account}_mcse"), np.nan)
    ratio = appraisal.benefit_cost_ratio(avoided, cost, level=level)
    values = (ratio["ratio"], ratio["lower"], ratio["upper"], ratio["probability_above_one"])
    # Of a ratio of means, to first order; the draws are nearly independent.
    error = (avoided - ratio["ratio"] * cost).std(SAMPLE_DIMS) / (cost.mean(SAMPLE_DIMS) * np.sqrt(avoided.size))
    return each | dict(zip(names, map(float, values), strict=True)) | {f"avoided_{account}_mcse": float(error)}


def structure_table(compared: xr.Dataset, *, level: float = LEVEL) -> pd.DataFrame:
    """Return :func:`by_structure` of every programme with an effect that is counted, with its name as ``programme``."""
    counted = (compared["not_counted"] == "").any("outcome")
    names = [str(name) for name in compared["programme"].values[counted.values]]
    parts = [by_structure(compared, name, level=level) for name in names]
    return pd.concat(parts, keys=names, names=["programme"]).reset_index("programme").reset_index(drop=True)


def verdict(chance: float, structures: Iterable[float] = (), *, priced: bool = True, counted: bool = True) -> str:
    """Return in words whether a programme pays back, from its chance to, and whether rival structures agree.

    Parameters
    ----------
    chance
        Averaged over structures.
    structures
        Chance under each choice of a structure.
    priced, counted
        Whether a price is known, and an effect counted.
    """
    if not counted:
        return "no effect is counted"
    if not priced:
        return "no price is known"
    side = _side(chance)
    alone = side != BREAK_EVEN and any(_side(each) != side for each in structures)
    return f"{side}, but not under every structure" if alone else side


def _side(chance: float) -> str:
    return "pays back" if chance >= SURE else "does not pay back" if chance <= 1 - SURE else BREAK_EVEN


def shown(league: pd.DataFrame) -> pd.DataFrame:
    """Return in words what the league table counts, for a terminal or a page: the programmes with a counted effect."""
    rows = []
    for _, row in league[league["evidence"] != "not counted"].iterrows():
        priced = row["cost_per_child"] > 0
        ends = w.interval(row["avoided_fiscal_low"], row["avoided_fiscal_high"], w.pence)
        rows.append(
            {
                "programme": row["label"],
                "evidence": f"{row['evidence']}, {row['security']}",
                "cost a child": w.money(row["cost_per_child"]) if priced else "not known",
                "avoided for a pound": f"{w.pence(row['avoided_fiscal'])} ({ends})" if priced else "",
                "pays back": chance_of(row, "chance_pays_fiscal", "chance_pays") if priced else "",
                "adds cost": chance_of(row, "chance_of_harm", "chance_of_harm"),
                "counted": row["counted"],
            }
        )
    return pd.DataFrame(rows)


def chance_in_words(share: float, least: float = np.nan, most: float = np.nan) -> str:
    """Return a chance in words; one under 1 or over 99 per cent as such only if every rival structure agrees.

    Parameters
    ----------
    share
        The chance, averaged over structures.
    least, most
        Its range over the choices of rival structures; not given where that is not known.
    """
    if ALL_BUT <= share <= 1 - ALL_BUT or most < ALL_BUT or least > 1 - ALL_BUT:
        return w.percent(share)
    return f"about {ALL_BUT if share < ALL_BUT else 1 - ALL_BUT:.0%}"


def chance_of(row: "pd.Series[Any] | dict[Any, Any]", name: str, range_of: str = "") -> str:
    """Return a chance of a row of a league table in words.

    Parameters
    ----------
    row
        Of a league table.
    name
        The chance, such as "chance_pays_fiscal".
    range_of
        Its range over structures, such as "chance_pays"; "" if that is not known.
    """
    return chance_in_words(
        float(row[name]), *(float(row[f"{range_of}_{end}"]) for end in ("least", "most") if range_of)
    )


def notes(league: pd.DataFrame) -> list[str]:
    """Return what a reader of `shown` must know: what its columns mean, and which programmes are not in it."""
    missing = league.loc[league["evidence"] == "not counted", "label"].tolist()
    lines = [
        f"Avoided for a pound: cost to the public purse, expected, with its {LEVEL:.0%} interval. Evidence: whose "
        "studies there are, the programme's own or only its type's, and how secure it is, 0 to 5. Pays back and adds "
        "cost are chances.",
        "Ordered by whose studies there are, then by what a pound avoids. Where the chance that a programme pays back "
        f"is between {1 - SURE:.0%} and {SURE:.0%}, it {BREAK_EVEN}.",
        "Averaged over rival structures (whose studies count, how effects fade, whose risk) by the weights of "
        "structure_weights.csv or of --structure; --csv and --json give results under each, and the value of knowing.",
    ]
    if missing:
        lines.append(f"No effect can be counted of {len(missing)}: {'; '.join(missing)}. The file of --csv says why.")
    return lines
