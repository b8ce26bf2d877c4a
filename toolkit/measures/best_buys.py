"""What a budget buys best, in tables and words: the plan, what else the money could buy, and how far to trust it."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from toolkit.measures import words as w
from toolkit.measures.programmes import chance_in_words

__all__ = ["as_json", "bought", "frontier", "notes", "plans", "sentences", "shown"]

FOR = {"fiscal": "the public purse", "economic": "the economy", "social": "society"}
AIMS = {
    "expected": "expected value",
    "chance": "chance of the target",
    "worst_tenth": "mean over the worst tenth of draws",
}
PENNY = 0.005  # pounds; less is rounding of the solver


def bought(best: xr.Dataset, labels: Mapping[str, str]) -> pd.DataFrame:
    """Return one row for each programme that the best plan buys in an area, by the most pounds.

    Parameters
    ----------
    best
        From `toolkit.best_buys.best_buys`.
    labels
        Of the programmes.

    Returns
    -------
    DataFrame
        ``programme``, ``label``, ``area``, ``pounds``, ``children``, ``expected`` (gain, GBP), ``studies``, of its
        "own" or only of its "type".
    """
    plan = best.sel(plan="best", drop=True)
    table = plan[["pounds", "children", "gain_by_item"]].to_dataframe().rename(columns={"gain_by_item": "expected"})
    table = table[table["pounds"] > PENNY].reset_index()
    whose = best["whose"].to_series()
    table.insert(1, "label", [labels[name] for name in table["programme"]])
    table["studies"] = [whose[name] for name in table["programme"]]
    order = ["programme", "label", "area", "pounds", "children", "expected", "studies"]
    return table.sort_values("pounds", ascending=False, ignore_index=True)[order]


def plans(best: xr.Dataset) -> pd.DataFrame:
    """Return one row a plan: spent, children, expected gain and interval (GBP), worst tenth, chances."""
    names = ["spent", "expected", "lower", "upper", "worst_tenth", "chance", "chance_pays"]
    table = best[names].assign(children=best["children"].sum(["programme", "area"])).to_dataframe()
    return table[["spent", "children", *names[1:]]]


def frontier(best: xr.Dataset) -> pd.DataFrame:
    """Return one row a budget: the objective, expected gain and pounds spent of the best plan of it."""
    return pd.DataFrame(best["frontier"].to_pandas()).rename_axis(columns=None)


def sentences(best: xr.Dataset, labels: Mapping[str, str]) -> list[str]:
    """Return the answer in words: the best plan, the next pound, the other plans, and what choosing overstates."""
    of, top = best.attrs, best.sel(plan="best")
    spent, budget = float(top["spent"]), float(of["budget"])
    what = "avoids, less what it costs," if of["net"] else "avoids"
    if spent <= PENNY:
        return [f"Nothing is bought: no plan has a better {AIMS[of['objective']]} than none."]
    interval = w.interval(float(top["lower"]), float(top["upper"]))
    chance = chance_in_words(float(top["chance_pays"]))
    lines = [
        f"Of {w.money(budget)}, the plan with the best {AIMS[of['objective']]} spends {w.money(spent)}. It {what} "
        f"{w.money(float(top['expected']))} for {FOR[of['account']]} (90% interval {interval}); the chance that it "
        f"pays back is {chance}."
    ]
    if not np.isnan(of["target"]):
        lines.append(f"Its chance of reaching {w.money(of['target'])} is {chance_in_words(float(top['chance']))}.")
    if budget - spent > 1:
        lines.append(f"{w.money(budget - spent)} are left: nothing that could still be bought makes the plan better.")
    elif of["objective"] == "expected":
        lines.append(_next_pound(best))
    even, single = (float(best["expected"].sel(plan=name)) for name in ("even split", "single best"))
    line = f"An even split between the programmes would {'gain' if of['net'] else 'avoid'} {w.money(even)}"
    if of["single_best"]:
        line += f", and {labels[of['single_best']]} alone, the single best programme, {w.money(single)}"
        line += f" for {w.money(float(best['spent'].sel(plan='single best')))}"
    return [*lines, f"{line}.", _optimism(best)]


def _next_pound(best: xr.Dataset) -> str:
    """Return what a further pound brings, from the next budget that was tried."""
    of, tried = best.attrs, frontier(best)
    place = int(np.flatnonzero(tried.index == of["budget"])[0])
    here, more = tried.iloc[place], tried.iloc[place + 1]
    if more["spent"] - here["spent"] <= 1:
        return "More money would buy nothing: every limit is met."
    each = (more["expected"] - here["expected"]) / (more["spent"] - here["spent"])
    line = f"A further pound brings {w.pence(each)}."
    if each < 1 and not of["net"]:
        line += " A pound kept is worth a pound: where it may be kept, ask with --net what is worth buying."
    return line


def _optimism(best: xr.Dataset) -> str:
    say = chance_in_words if best.attrs["objective"] == "chance" else w.money
    return (
        f"Chosen on half of the draws and judged on the other half, the plan reaches {say(float(best['scored']))}, and "
        f"{say(float(best['chosen']))} on the half it was chosen on; the difference is what choosing among draws "
        "overstates. What choosing among studies overstates is for the model of effects, which shrinks them."
    )


def shown(best: xr.Dataset, labels: Mapping[str, str], places: Mapping[str, str]) -> dict[str, pd.DataFrame]:
    """Return the tables in words, by title.

    Parameters
    ----------
    best, labels
        As for `bought`.
    places
        Names of the areas.
    """
    items = bought(best, labels)
    chosen = pd.DataFrame(
        {
            "programme": items["label"],
            "area": [w.area(places[code]) for code in items["area"]],
            "spend": items["pounds"].map(w.money),
            "children": [w.number(children, 0) for children in items["children"]],
            "expected": items["expected"].map(w.money),
            "studies": items["studies"],
        }
    )
    compared = plans(best)
    target = not np.isnan(best.attrs["target"])
    other = pd.DataFrame(
        {
            "plan": compared.index,
            "spend": compared["spent"].map(w.money),
            "expected": compared["expected"].map(w.money),
            "90% interval": [w.interval(*ends) for ends in zip(compared["lower"], compared["upper"], strict=True)],
            "worst tenth": compared["worst_tenth"].map(w.money),
            "pays back": [chance_in_words(chance) if chance >= 0 else "" for chance in compared["chance_pays"]],
            **({"target": compared["chance"].map(chance_in_words)} if target else {}),
        }
    )
    tried = frontier(best)
    say = chance_in_words if best.attrs["objective"] == "chance" else w.money
    along = pd.DataFrame(
        {
            "budget": [w.money(budget) for budget in tried.index],
            "spend": tried["spent"].map(w.money),
            AIMS[best.attrs["objective"]]: tried["objective"].map(say),
            "expected": tried["expected"].map(w.money),
        }
    )
    if best.attrs["objective"] == "expected":
        along = along.drop(columns=AIMS["expected"])
    tables = {"What to buy": chosen, "Beside other plans": other, "With less or more": along}
    empty = {"What to buy": chosen.empty, "With less or more": tried["spent"].max() <= PENNY}
    return {title: table for title, table in tables.items() if not empty.get(title)}


def as_json(best: xr.Dataset, labels: Mapping[str, str]) -> dict[str, Any]:
    """Return the answer as plain values: the question, the plan, the others, and why programmes were left out."""
    tables = {"bought": bought(best, labels), "plans": plans(best).reset_index()}
    tables["frontier"] = frontier(best).reset_index()
    rows = {name: json.loads(table.to_json(orient="records", double_precision=12)) for name, table in tables.items()}
    question = {name: best.attrs[name] for name in ("budget", "objective", "account", "price_base", "single_best")}
    target = best.attrs["target"]
    return {
        **question,
        "target": None if np.isnan(target) else target,
        "net": bool(best.attrs["net"]),
        **rows,
        "chosen_on_half": float(best["chosen"]),
        "scored_on_other_half": float(best["scored"]),
        "left_out": dict(zip(best["other"].values.tolist(), best["left_out"].values.tolist(), strict=True)),
        "sentences": sentences(best, labels),
        "method": best.attrs["method"],
        "dependence": best.attrs["dependence"],
    }


def notes(best: xr.Dataset, labels: Mapping[str, str]) -> list[str]:
    """Return what a reader must know: how the plan was chosen, its limits, and what could not be bought."""
    unknown = [
        f"{labels[name]} ({why.partition('(')[2].partition(')')[0]})"
        for name, why in zip(best["other"].values, best["left_out"].values, strict=True)
        if "give a limit" in str(why)
    ]
    lines = [
        f"The best plan: {best.attrs['method']}. {best.attrs['dependence']}",
        "One cohort of children, each helped once. Limits: children in need outside care in each area; at the edge of "
        "care or in pre-proceedings, care starts over the share who enter. Programmes for the same children share "
        "them. A programme's ages are not a limit: --limit PROGRAMME=CHILDREN.",
        "Studies: the programme's own, or only those of its type. Entries to care that are avoided are priced as "
        "average ones, so care is the number to doubt first.",
    ]
    if unknown:
        lines.append(f"Not bought, because nobody knows how many children they could serve: {'; '.join(unknown)}.")
        lines.append("To let them in: --limit GROUP=CHILDREN.")
    return lines
