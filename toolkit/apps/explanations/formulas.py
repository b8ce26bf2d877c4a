"""Where a number comes from: its formula in words, its inputs with their sources, and how far each moves it.

The headline's own formulas are here; those of every other number are in :mod:`toolkit.apps.explanations.numbers`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from html import escape

import pandas as pd
import xarray as xr

from toolkit.apps.parts import look
from toolkit.evidence import OWN
from toolkit.evidence.own import PRICES
from toolkit.measures import plan
from toolkit.measures import quantities as q
from toolkit.measures import words as w
from toolkit.measures.budget import BUDGET_YEARS
from toolkit.measures.drivers import acting, named, swings
from toolkit.measures.quantities import Run
from toolkit.pricing.dependence import EFFECT
from toolkit.schema import ACCOUNTS

INPUTS = 8
# Of a council's own: whom a sum serves.
CHILDREN = ("population_0_17", "children_in_need", "children_looked_after", "children_in_need_starts")
WHOSE = {
    "own": "the programme’s own studies and, less closely, those of its type",
    "type": "studies of programmes of its type",
    "none": "studies of all programmes together",
}
AVOIDED = (
    "Cost avoided = children served by each programme × the change in each outcome for a child served (from the "
    "programme’s effect after scale-up, its take-up, build-up and fading) × what the outcome costs each payer × real "
    "price growth, over the years counted."
)


@dataclass(frozen=True)
class Formula:
    """What a number is, in words and with its own figures, and the draws it is the expectation of.

    Attributes
    ----------
    title, words
        Its title, and the formula.
    sum_up
        The same with the run's own numbers.
    draws
        What the inputs move (chain, draw), written by ``say``; None where there is only a definition.
    of
        The inputs that it is about, if only some.
    moved
        What the draws are of, if not of the number itself.
    """

    title: str
    words: tuple[str, ...]
    sum_up: Callable[[Run], str] | None
    draws: Callable[[Run], xr.DataArray] | None
    say: Callable[[float], str] = w.money
    of: tuple[str, ...] = ()
    moved: str = "it"


def _mean(array: xr.DataArray) -> float:
    return float(array.mean())


def _sum_in_words(run: Run, spent: float, gained: float, gain: str, loss: str) -> str:
    """Return a sum in words: what is gained less what is spent; a cut is put as spending taken away."""
    money = f"{w.money(abs(spent))} {'of spending taken away' if run.scenario.cut else 'spent'}"
    gained = 0.0 if abs(gained) < 1e-6 * abs(spent) else gained  # below what the draws' single precision can show
    if run.scenario.cut:
        return f"{money} {f'+ {w.money(gained)} {gain}' if gained > 0 else f'{w.MINUS} {w.money(-gained)} {loss}'}"
    return f"{w.money(gained)} {gain} {w.MINUS} {money}"


def _totals(run: Run, account: str = "social") -> tuple[float, float]:
    return _mean(q.result(run)["programme_cost"]), _mean(q.avoided(run).sel(account=account))


def _worth(run: Run) -> str:
    cost, avoided = _totals(run)
    return f"{_sum_in_words(run, cost, avoided, 'of cost avoided', 'of cost caused')} = {w.money(avoided - cost)}"


def ratio(run: Run, account: str = "social") -> str:
    """Return in words what each pound of the programme avoids in an account."""
    cost, avoided = _totals(run, account)
    done, by = ("caused", "taken away") if run.scenario.cut else ("avoided", "spent")
    top, bottom = q.direction(run) * avoided, abs(cost)
    return f"{w.money(top)} {done} ÷ {w.money(bottom)} {by} = {w.pence(avoided / cost)} for each £1"


def _back(run: Run) -> str:
    chance = w.percent(float(q.paid_back(run).sel(account="fiscal").isel(year=-1)))
    still = "still " * run.scenario.cut
    return f"the running total is {still}nil or better in {chance} of the draws in the last year"


def _five(run: Run) -> xr.DataArray:
    return q.council_cash(run).isel(year=slice(0, BUDGET_YEARS)).sum("year")


def _cash(run: Run) -> str:
    net = _mean(_five(run))
    if not q.council_pays(run):
        return f"{w.money(net)} of cash released; a grant pays for the plan"
    own = q.spending(run).sel(payer=q.COUNCIL).isel(year=slice(0, BUDGET_YEARS))
    spent = _mean(own.sum("year"))
    return (
        f"{_sum_in_words(run, spent, net + spent, 'of cash released', 'of cash no longer released')} = {w.money(net)}"
    )


def _reached(run: Run) -> str:
    costs, names = q.drawn(run), q.programme_names(run)
    each = [
        f"{names[part.programme]} {w.money(_mean(costs[f'cost_{part.cost or part.programme}']))} for one it serves"
        for part in run.scenario.plan
    ]
    spent = q.spending(run).sum(["payer", "year"]) / (1.0 + run.scenario.optimism)
    what = " taken away" if run.scenario.cut else ""
    children = w.number(_mean(_children(run)), 0)
    return f"{w.money(abs(_mean(spent)))}{what} over the years, at {w.listed(each)}: {children} children"


def _children(run: Run) -> xr.DataArray:
    return q.children(run)["reached"]


FORMULAS = {
    "npsv": Formula(
        "Net present social value",
        ("Net present social value = discounted cost avoided, all accounts − discounted cost of the plan.", AVOIDED),
        _worth,
        lambda run: q.result(run)["npsv"].sel(account="social", drop=True),
    ),
    "bcr": Formula(
        "Cost avoided by each £1",
        ("Expected discounted cost avoided, all accounts ÷ expected discounted cost of the plan.", AVOIDED),
        ratio,
        lambda run: q.avoided(run).sel(account="social", drop=True) / _totals(run)[0],
        w.pence,
    ),
    "payback": Formula(
        "When the public purse has its money back",
        (
            "The first year in which the running total of discounted cost avoided for public bodies, less what the "
            "plan costs, is nil or better. The table shows what moves the net value to the public purse.",
            AVOIDED,
        ),
        _back,
        lambda run: q.result(run)["npsv"].sel(account="fiscal", drop=True),
        moved="the net value to the public purse",
    ),
    "cash": Formula(
        "The council’s cash over five years",
        (
            "Cash released = the cost avoided for the council × the share of it that can leave a budget, in the year "
            "in which it can. Net cash = cash released − what the council itself spends on the plan. Real, not "
            "discounted.",
        ),
        _cash,
        _five,
    ),
    "reached": Formula(
        "Children served",
        (
            "Children served = the sum for each programme ÷ what one family or child costs × the children in it, added "
            "up over programmes and years, no more than there are whom the programme is for.",
        ),
        _reached,
        _children,
        lambda x: w.number(x, 0),
    ),
}

CUTS = {
    "bcr": "Cost caused by each £1 cut",
    "payback": "Public purse still ahead at the end",
    "reached": "Children who lose help",
}


def explanation(
    run: Run, formula: Formula, key: str = "", again: Callable[[Run], Formula] | None = None, area: str | None = None
) -> str:
    """Return the explanation of a number as HTML.

    Parameters
    ----------
    run
        Whose number it is.
    formula
        What it is.
    key
        What the page calls it.
    again
        Gives the formula of the same number of another run; this one by default.
    area
        Which of the run's areas it is of, where it is of one.
    """
    words = "".join(f"<p>{escape(line)}</p>" for line in formula.words)
    now = f"<p><b>Now: {escape(w.tied(formula.sum_up(run)))}.</b></p>" if formula.sum_up else ""
    cited = "".join(f"<p>{escape(named(run, name))}: {_cited(run, name)}.</p>" for name in formula.of[:1])
    moved = "" if formula.draws is None else _own(run, key) + _moved(run, formula, again, area)
    title = CUTS.get(key, formula.title) if run.scenario.cut else formula.title  # as on the main page
    return f'<h2 id="explained-title">{escape(title)}</h2>{words}{now}{cited}{moved}'


def _acting(run: Run, formula: Formula, again: Callable[[Run], Formula] | None, area: str | None) -> list[str] | None:
    """Return the inputs that a number depends on; a chance may change in none of the few draws that are tried."""

    def own(other: Run) -> xr.DataArray:
        draws = (again(other) if again else formula).draws
        assert draws is not None  # as of this run
        return draws(other)

    accounts = [lambda other, one=one: q.result(other)["npsv"].sel(account=one, drop=True) for one in ACCOUNTS]
    return acting(run, own, *([*accounts, _five] if formula.say is w.percent else []), area=area)


def _moved(run: Run, formula: Formula, again: Callable[[Run], Formula] | None, area: str | None) -> str:
    assert formula.draws is not None  # else there is nothing to move
    among = None if formula.of else _acting(run, formula, again, area)
    moves, left_out = swings(run, formula.draws(run), INPUTS, formula.say, formula.of, among)
    if formula.say is w.percent:  # which a regression may overstep
        moves = moves.assign({name: moves[name].clip(0, 1) for name in ("at_lower", "at_upper")})
    columns = (moves[name].values for name in ("parameter", "at_lower", "at_upper"))
    body = "".join(
        f'<tr><th scope="row">{escape(named(run, name))}</th><td>{_cited(run, str(name))}</td>'
        + "".join(f"<td class=number>{escape(w.tied(formula.say(float(end))))}</td>" for end in (low, high))
        + "</tr>"
        for name, low, high in zip(*columns, strict=True)
    )
    heads = ("Input", "Value and source", "At its low end", "At its high end")
    head = "".join(f'<th scope="col"{" class=number" if k > 1 else ""}>{name}</th>' for k, name in enumerate(heads))
    what = "the net present social value" if formula.of else formula.moved
    table = look.scrolling(f"What moves {what} most, over each input’s 90% interval", head, body) if body else ""
    return f'{table}<p class="hint">{escape(left_out)}</p>'


def _cited(run: Run, name: str) -> str:
    """Return an input's value and the row it comes from."""
    kind, _, about = name.partition(": ")
    if kind == EFFECT:
        programme, _, outcome = about.partition(": ")
        return escape(f"From {WHOSE[plan.evidence(run)[programme][outcome]['evidence']]}, after scale-up")
    if kind == "pathway":
        return "The pathway through social care, fitted to England’s published flows"
    if name not in run.assumptions.index:
        return "The outcome model, fitted to the published statistics of every area"
    row = pd.Series(run.assumptions.loc[name])
    unit = f"{w.figure(float(row['value']))} {row['unit']}" + (f", {row['price_year']}" if row["price_year"] else "")
    if row["overridden"]:
        whose = "the council’s own" if name in OWN else "your own figure"
        return f'{escape(unit)} <span class="tag">{whose}</span> {escape(str(row["reason"]))}'
    return f"{escape(unit)}: {look.source_of(row)}"


def _own(run: Run, key: str) -> str:
    """Return the council's own figures that a number rests on, each with its reason, as HTML."""
    bases = {part.basis for part in run.scenario.plan}
    used: tuple[str, ...] = (*CHILDREN, *PRICES)
    if key == "reached":
        used = CHILDREN if "england" in bases else CHILDREN[:1] if "pounds_per_child" in bases else ()
    lines = [
        f"<li>{escape(OWN[name][0])}: {_cited(run, name)}</li>" for name in used if name in run.scenario.own_figures
    ]
    return f"<p>It rests on the council’s own figures:</p><ul>{''.join(lines)}</ul>" if lines else ""
