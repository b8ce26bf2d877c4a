"""Where the numbers of *Which programme?* come from: in words, in numbers, with sources and what moves them."""

from collections.abc import Callable
from html import escape
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from toolkit import appraisal
from toolkit.apps.engine.leagues import League
from toolkit.apps.explanations.sums import unknown
from toolkit.apps.parts import look
from toolkit.evidence import Register
from toolkit.measures import words as w
from toolkit.measures.programme_panel import ATTAINMENT, effect_words
from toolkit.measures.programme_words import FACE_VALUE, PAYERS, Panel
from toolkit.measures.programmes import LEVEL, OUTCOMES
from toolkit.schema import ACCOUNTS, SAMPLE_DIMS

LONGEST_KEY = 200
LIVES = (
    "Its children, with their own ages and risks, live with its effect and without it; what differs over life is "
    "priced, discounted and added up."
)
ENDS = [(1 - LEVEL) / 2, (1 + LEVEL) / 2]
PLAIN = {
    "children_per_million": ("Children that a million pounds serves", "£1 million ÷ the expected cost of a child."),
    "care_entries": (
        "Entries to care, of a hundred children served",
        f"The change in expected entries to care, for a hundred children. {LIVES}",
    ),
    "council_cash": (
        "The council’s cash by year five, for each £1",
        "Cost avoided for the council in the year of contact and the four after it × the share that can leave a "
        "budget ÷ the expected cost of a child. Real, not discounted. Less £1, it is the council’s position if it "
        "pays for the programme itself.",
    ),
}


def explanation(league: League, one: Panel, key: str, register: Register) -> str:
    """Return the explanation of a number of the page as HTML, "" if the key is of no kind of this page's.

    Parameters
    ----------
    league, one
        What the page shows.
    key
        Such as "league|triple_p|avoided_fiscal"; it comes from a browser and is looked up, never run.
    register
        Tables ``programme_costs`` and ``programme_effects``.

    Raises
    ------
    InputError
        If the kind has no such number.
    """
    kind, *names = key[:LONGEST_KEY].split("|")
    makers: dict[str, tuple[int, Callable[..., str]]] = {
        "league": (2, lambda *names: _of_league(league, register, *names)),
        "steps": (3, lambda *names: _of_step(one, *names)),
        "believed": (2, lambda *names: _of_believed(one, *names)),
        "study": (3, lambda *names: _of_study(one, register, *names)),
    }
    if kind not in makers:
        return ""
    parts, make = makers[kind]
    if len(names) != parts:
        raise unknown(key)
    return make(*names)


def _page(title: str, words: list[str], now: str, *more: str) -> str:
    lines = "".join(f"<p>{escape(line)}</p>" for line in words)
    return (
        f'<h2 id="explained-title">{escape(title)}</h2>{lines}<p><b>Now: {escape(w.tied(now))}.</b></p>{"".join(more)}'
    )


# The league ---------------------------------------------------------------------------------------


def _of_league(league: League, register: Register, programme: str, column: str) -> str:
    if programme not in league.table.index:
        raise unknown(programme)
    row = pd.Series(league.table.loc[programme])
    what, _, account = column.rpartition("_")
    cost = f"{w.money(row['cost_per_child'])} a child" if row["cost_per_child"] > 0 else "not known"
    price = _price(register, programme)
    if column == "cost_per_child":
        ends = w.interval(row["cost_per_child_low"], row["cost_per_child_high"])
        words = [
            "The cited price of a unit ÷ its children, in the prices of the page, with the interval of its source."
        ]
        return _page(f"{row['label']}: cost of a child", words, f"{cost}, 90% interval {ends}", price)
    if column == "children_per_million":
        title, formula = PLAIN[column]
        now = f"£1 million ÷ {cost} = {w.number(row[column], 0)} children"
        return _page(f"{row['label']}: {w.inside(title)}", [formula], now, price)
    studies = _studies(register, programme)
    if column == "care_entries_per_100":
        title, formula = PLAIN["care_entries"]
        return _page(f"{row['label']}: {w.inside(title)}", [formula], f"{w.number(row[column], 1)} entries", studies)
    if column == "council_cash":
        title, formula = PLAIN[column]
        now = f"{w.pence(row[column])} released, so {w.pence(row[column] - 1)} if it is the council’s own pound"
        return _page(f"{row['label']}: {w.inside(title)}", [formula], now, price, studies)
    if column == "chance_of_harm":
        worth = league.worth.sel(programme=programme, account="fiscal")
        words = [f"How often the public purse pays more with the programme than without it. {LIVES}"]
        return _page(f"{row['label']}: chance that it adds cost", words, _count(worth < 0), studies)
    if account not in ACCOUNTS or what not in ("avoided", "chance_pays", "rank"):
        raise unknown(column)
    worth = league.worth.sel(programme=programme, account=account)
    drawn = league.compared["cost"].sel(programme=programme)
    if what == "avoided":
        ends = w.interval(row[f"{column}_low"], row[f"{column}_high"], w.pence)
        now = (
            f"{w.money(float(worth.mean()))} avoided ÷ {cost} = {w.pence(row[column])}, 90% interval {ends}; Monte "
            f"Carlo error {w.pence(row[f'{column}_mcse'])}"
        )
        words = [f"Expected cost avoided for {PAYERS[account]} ÷ expected cost, for a child served. {LIVES}"]
        title = f"{row['label']}: avoided for each £1, {PAYERS[account]}"
        return _page(title, words, now, _moved(league, programme, worth, drawn), price, studies)
    if what == "chance_pays":
        words = [f"How often what is avoided for {PAYERS[account]} is more than the cost, draw by draw. {LIVES}"]
        title = f"{row['label']}: chance that it pays, {PAYERS[account]}"
        return _page(title, words, _count(worth > drawn), _moved(league, programme, worth, drawn), price, studies)
    words = [
        "Where it comes among the programmes with a price and a counted effect, by what a pound avoids, in nine "
        "tenths of the draws. Wide places mean that the order is not known."
    ]
    places = [int(row[f"rank_{end}_{account}"]) for end in ("low", "high")]
    return _page(f"{row['label']}: place", words, f"between {places[0]} and {places[1]}", studies)


def _count(true: xr.DataArray) -> str:
    share = float(true.mean())
    return f"{int(true.sum()):,} of {true.size:,} draws = {w.percent(share)}"


def _moved(league: League, programme: str, worth: xr.DataArray, cost: xr.DataArray) -> str:
    """Return how far the programme's own inputs move what a pound avoids, as HTML."""
    one = league.compared.sel(programme=programme)
    counted = [str(name) for name in one["outcome"].values[(one["not_counted"] == "").values]]
    ratio = (worth / cost.mean()).transpose(*SAMPLE_DIMS).astype(float)
    rows = []
    for name in counted:
        effect = one["effect"].sel(outcome=name).transpose(*SAMPLE_DIMS).astype(float).reset_coords(drop=True)
        swing = appraisal.tornado(ratio.reset_coords(drop=True), xr.Dataset({name: effect})).squeeze("parameter")
        ends = [effect_words(float(end), name) for end in effect.quantile(ENDS).values]
        at = [w.pence(float(swing[f"at_{end}"])) for end in ("lower", "upper")]
        rows.append((f"Effect on {OUTCOMES[name]}", f"{_ratio(name)} {ends[0]} to {ends[1]}", at))
    ends_of_cost = [float(end) for end in cost.quantile(ENDS).values]
    at = [w.pence(float(worth.mean()) / end) for end in ends_of_cost]
    rows.append(("Cost of a child", w.interval(ends_of_cost[0], ends_of_cost[1]), at))
    body = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(w.tied(values))}</td>'
        + "".join(f"<td class=number>{escape(w.tied(text))}</td>" for text in at)
        + "</tr>"
        for name, values, at in rows
    )
    head = "".join(
        f'<th scope="col"{" class=number" if place > 1 else ""}>{name}</th>'
        for place, name in enumerate(("Input", "From low to high end", "At its low end", "At its high end"))
    )
    return look.scrolling("What moves what a pound avoids, over each input’s 90% interval", head, body)


def _ratio(outcome: str) -> str:
    return "difference" if outcome == ATTAINMENT else "hazard ratio"


def _link(row: Any) -> str:
    """Return a source as HTML, linked where it has an address."""
    url, title = look.text(row["source_url"]), escape(look.text(row["source_title"]))
    if url.startswith(("https://", "http://")):
        title = f'<a href="{escape(url, quote=True)}" rel="noreferrer noopener" target="_blank">{title}</a>'
    rest = ", ".join(filter(None, (look.text(row["source_publisher"]), look.text(row["source_year"]))))
    return f'<span class="source">{title}{", " * bool(rest)}{escape(rest)}</span>'


def _price(register: Register, programme: str) -> str:
    table = register.tables["programme_costs"]
    used = table[(table["programme"] == programme) & (table["used"] == 1)]
    return "".join(
        f"<p>Price: {escape(w.figure(float(row['value'])))} {escape(str(row['unit']))}, "
        f"{escape(str(row['price_year']))}: {_link(row)}</p>"
        for row in used.to_dict("records")
    )


def _studies(register: Register, programme: str) -> str:
    table = register.tables["programme_effects"]
    used = table[(table["programme"] == programme) & (table["used"] == 1)]
    items = "".join(
        f"<li>{escape(str(row['effect_id']))}, {escape(OUTCOMES.get(row['outcome'], row['outcome']))}: "
        f"{_link(row)}</li>"
        for row in used.to_dict("records")
    )
    return f"<p>Its own studies:</p><ul>{items}</ul>" if items else "<p>It has no study of its own in use.</p>"


# The panel of one programme -----------------------------------------------------------------------


def _of_step(one: Panel, programme: str, account: str, step: str) -> str:
    steps = one.steps.get(account)
    if programme != one.programme or steps is None or step not in steps.index:
        raise unknown(step)
    row, place = pd.Series(steps.loc[step]), list(steps.index).index(step)
    words = [str(row["meaning"]), "Each step is priced again on the same draws, with those before it in place."]
    now = f"{w.pence(row['ratio'])} for each £1, {PAYERS[account]}"
    if place:
        before = float(steps["ratio"].iloc[place - 1])
        sign = "+" if row["contribution"] >= 0 else w.MINUS
        now = f"{w.pence(before)} {sign} {w.pence(abs(row['contribution']))} = {now}"
    now += f"; Monte Carlo error of the step {w.pence(row['mcse'])}"
    return _page(f"{one.row['label']}: {w.inside(str(row['label']))}", words, now)


def _of_believed(one: Panel, programme: str, which: str) -> str:
    if programme != one.programme or not one.main or which not in ("used", *one.needed.index):
        raise unknown(which)
    outcome = OUTCOMES[one.main]
    if which == "used":
        low, high = (effect_words(end, one.main) for end in one.used[1:])
        words = [
            f"The effect on {outcome} of a child served: what its studies and those of others say, after scale-up, "
            "with the deviation of the site."
        ]
        now = f"{effect_words(one.used[0], one.main)}, 90% interval {low} to {high}"
        return _page(f"{one.row['label']}: effect used on {outcome}", words, now)
    words = [
        f"The effect on {outcome}, if it were certain, at which expected cost avoided for {PAYERS[which]} equals "
        "expected cost. It is found between effects of several sizes that are priced on the same draws, with the "
        "programme’s own timing and risks.",
        "Its other outcomes move in proportion to what is expected of them." if one.with_others else "",
    ]
    effect = float(one.needed["effect"][which])
    reach = effect_words(float(one.needed["reach"][which]), one.main)
    now = f"not even {reach} would do" if np.isnan(effect) else f"{_ratio(one.main)} {effect_words(effect, one.main)}"
    return _page(f"{one.row['label']}: what must be believed, {PAYERS[which]}", list(filter(None, words)), now)


def _of_study(one: Panel, register: Register, programme: str, study: str, what: str) -> str:
    if programme != one.programme or study not in one.studies.index or what not in ("effect", "shrunk"):
        raise unknown(study)
    row = pd.Series(one.studies.loc[study])
    table = register.tables["programme_effects"].set_index("effect_id")
    source = f"<p>{_link(table.loc[study])}</p>"
    ends = "low", "high"
    if what == "shrunk":
        words = [
            f"What the model makes of the effect of {row['programme']} on {OUTCOMES[row['outcome']]}: its own studies, "
            "less the bias that their design may have, drawn towards those of its type and of all programmes. Before "
            "scale-up."
        ]
        ends = "shrunk_low", "shrunk_high"
    else:
        risk = float(pd.Series(table.loc[study])["control_risk"])
        at = "" if np.isnan(risk) else f", at a risk of {w.percent(risk)} without help"
        words = [f"Published: {row['published']}{at}; {row['design']}. Put on the scale of hazards. {FACE_VALUE}"]
    low, high = (effect_words(float(row[end]), row["outcome"]) for end in ends)
    middle = effect_words(float(row[what]), row["outcome"])
    now = f"{middle}, 90% interval {low} to {high}" if middle else row["published"]
    return _page(f"{study}: {OUTCOMES[row['outcome']]}", words, now, source)
