"""Numbers that are not sums: ratios, chances by year, effects, inputs and the answer at either end of an input."""

import numpy as np
import pandas as pd

from toolkit import appraisal
from toolkit.apps.explanations import formulas
from toolkit.apps.explanations.formulas import AVOIDED, Formula
from toolkit.apps.explanations.meanings import CHECKS, COLUMNS
from toolkit.apps.explanations.sums import ALL, EXCESS, added, as_numbers, at, counted, gain, unknown
from toolkit.measures import provenance
from toolkit.measures import quantities as q
from toolkit.measures import value_of_information as voi
from toolkit.measures import words as w
from toolkit.measures.drivers import named, valued
from toolkit.measures.quantities import Run

REGRESSION = (
    "The value expected if this input alone were known to be there and all others as uncertain as they are: a spline "
    "regression of the draws of the value on those of the input."
)
KNOWING = (
    "Value of information = the average, over all that is then known, of the better of the option and nothing given "
    "it − the better of the two as things stand."
)
EFFECTS = {
    "effect": (
        "Effect on a child served",
        "The programme’s mean effect × the part that survives where others deliver it, and how far sites lie from it.",
    ),
    "harmful": ("Chance of harm", "How often the effect has the wrong sign."),
}


def ratio(run: Run, account: str) -> Formula:
    """Return what each pound of the programme avoids, in an account."""
    avoided, label = at(run, q.avoided(run), "account", account)
    cost = q.result(run)["programme_cost"].mean()
    words = ("Expected discounted cost avoided ÷ expected discounted cost of the plan, in this account.", AVOIDED)
    return Formula(
        f"For each £1: {label.lower()} account",
        words,
        lambda run: formulas.ratio(run, str(avoided["account"].item())),
        lambda _: avoided / cost,
        w.pence,
    )


def paid_back(run: Run, account: str, year: str) -> Formula:
    """Return the chance of having paid back by a year; of a cut, of being ahead in it."""
    chances, label = at(run, q.paid_back(run), "account", account)
    chance, when = at(run, chances, "year", year.partition(" (")[0])
    whose, last, result = str(chance["account"].item()), int(chance["year"]), q.result(run)
    if run.scenario.cut:
        title, back = "Still ahead at the end of", result["ahead"].sel(account=whose, year=last)
        what = "The running total of spending taken away, less cost caused, discounted, is nil or better in that year."
    else:
        title, back = "Money back by the end of", result["payback_year"].sel(account=whose) <= last
        what = "The running total of discounted cost avoided, less what the plan costs, is nil or better by then."
    back = as_numbers(back)
    return Formula(
        f"{title} {when}: {label.lower()} account",
        (what, AVOIDED),
        lambda run: counted(run, back, back, w.percent),
        lambda _: back,
        w.percent,
    )


def each(run: Run, reading: str, area: str) -> Formula:
    """Return the cost of each child over the years counted, of all areas or one."""
    cost, reading = at(run, q.priced(run, "lifetime").sum("component"), "reading", reading)
    children = run.tree["lives"].to_dataset()["children_entering"]
    both = [total.sum("area") if area == ALL else at(run, total, "area", area)[0] for total in (cost, children)]
    single = both[0] / both[1]
    name = w.counted("lifetime cost", run.scenario.horizon)
    words = (
        f"{w.label(name)} ÷ the children who start a first episode of need in the base year, in each draw, then "
        "averaged.",
        EXCESS,
    )
    top, bottom = w.money(float(both[0].mean())), w.number(float(both[1].mean()), 0)
    return Formula(
        f"{w.costed(reading, name)} of each child" + (f": {area}" if area != ALL else ""),
        words,
        lambda run: f"{top} ÷ {bottom} children: {added(run, single, single, w.money)}",
        lambda _: single,
    )


def effect(run: Run, what: str, row: str) -> Formula:
    """Return the effect of a programme on an outcome, or its chance of harm."""
    effects, names = q.effects(run), q.programme_names(run)
    rows = {f"{names[p]}: {w.inside(o)}": (p, o) for p in names for o in effects["outcome"].values.astype(str)}
    if what not in EFFECTS or row not in rows:
        raise unknown(f"{what} {row}")
    programme, outcome = rows[row]
    draws = effects[what].sel(programme=programme, outcome=outcome, drop=True).astype(float).reset_coords(drop=True)
    deviations = outcome == "gcse_attainment"
    say = w.percent if what == "harmful" else (lambda x: w.number(x, 2)) if deviations else w.change
    in_numbers = counted if what == "harmful" else added
    name, words = EFFECTS[what]
    of = f"It is from {formulas.WHOSE[str(effects['evidence'].sel(programme=programme, outcome=outcome).item())]}."
    return Formula(f"{name}, {row}", (words, of), lambda run: in_numbers(run, draws, draws, say), lambda _: draws, say)


def _varying(run: Run, name: str) -> tuple[str, ...]:
    """Return the inputs that a name stands for: one that varies, or the members of a group."""
    drawn = voi.parameters(run)
    members = (name,) if name in drawn else voi.groups(drawn).get(name, ())
    if not members:
        raise unknown(name)
    return members


def at_end(run: Run, account: str, end: str, name: str) -> Formula:
    """Return the expected net value at one end of an input."""
    net, inputs = gain(run, account), _varying(run, name)
    if end not in ("lower", "upper") or len(inputs) > 1:
        raise unknown(end)
    swing = appraisal.tornado(net, voi.parameters(run)[[name]]).squeeze("parameter")
    there, expected = float(swing[f"at_{end}"]), float(swing["expected"])
    where = valued(run, name, float(swing[f"{end}_value"]))
    move = f"{w.MINUS if there < expected else '+'} {w.money(abs(there - expected))}"
    in_numbers = f"{w.money(expected)} over all it could be {move} = {w.money(there)} at {where}"
    title = f"{named(run, name)}: net present value at its {'low' if end == 'lower' else 'high'} end"
    return Formula(title, (REGRESSION,), lambda _: in_numbers, lambda _: net, of=inputs)


def switch(run: Run, account: str, name: str) -> Formula:
    """Return the switching value of an input."""
    net, inputs = gain(run, account), _varying(run, name)
    switching = appraisal.switching_values(net, voi.parameters(run)[list(inputs)]).isel(parameter=0)
    flip, now, beyond = (float(switching[part]) for part in ("switching_value", "expected_value", "probability"))
    where = f"nil at {valued(run, name, flip)}" if np.isfinite(flip) else "of the same sign over all it could be"
    in_numbers = (
        f"{w.money(float(net.mean()))} expected; the input is {valued(run, name, now)} on average; the value would be "
        f"{where}; the input lies beyond in {w.percent(beyond)} of the draws"
    )
    words = (REGRESSION, "It switches where that value is nil; the chance is that of draws on the other side of it.")
    return Formula(f"{named(run, name)}: switching value", words, lambda _: in_numbers, lambda _: net, of=inputs)


def value_of_information(run: Run, account: str, name: str) -> Formula:
    """Return the value of information of an input, or of a group of them, to the choice."""
    net = gain(run, account)
    choice = voi.choice(net)
    if name == ALL:
        best, now = (max(float(part.mean()), 0.0) for part in (net.clip(min=0.0), net))
        in_numbers = f"{w.money(best)} {w.MINUS} {w.money(now)} = {w.money(best - now)}"
        return Formula("Value of perfect information", (KNOWING,), lambda _: in_numbers, lambda _: net.clip(min=0.0))
    inputs = _varying(run, name)
    sets = [*inputs, inputs] if len(inputs) > 1 else [*inputs]
    information, _ = voi.with_warnings(lambda: appraisal.evppi(choice, voi.parameters(run), of=sets))
    last = information.isel(set=-1, missing_dims="ignore")
    worth, share, whole = (float(last[part]) for part in ("evppi", "share_of_evpi", "evpi"))
    in_numbers = (
        f"{w.money(worth)}, which is {w.percent(share)} of the {w.money(whole)} that knowing everything is worth"
    )
    title, words = f"{named(run, name)}: value of information", (KNOWING, REGRESSION)
    return Formula(title, words, lambda _: in_numbers, lambda _: net, of=inputs)


def figure(run: Run, name: str) -> Formula:
    """Return an input: how it is drawn, its price base and row, and how far it moves the headline."""
    drawn = voi.parameters(run)
    if name not in drawn and name not in run.assumptions.index:
        raise unknown(name)
    words: tuple[str, ...] = ("As the fitted models estimate it, sampled for each of the draws.",)
    in_numbers = ""
    if name in run.assumptions.index:
        row = pd.Series(run.assumptions.loc[name])
        words = tuple(filter(None, (str(row["description"]), str(row["reason"]))))
        in_numbers = f"{w.figure(float(row['value']))} {row['unit']}"
        if row["price_year"] and float(row["value"]):
            factor = float(row["real_value"]) / float(row["value"])
            real = w.figure(float(f"{row['real_value']:.5g}"))
            in_numbers += (
                f", {row['price_year']} prices × {w.number(factor, 3)} = {real} in {run.scenario.price_base} prices"
            )
        words += (f"Drawn from: {str(row['distribution']).replace('_', ' ')}; {provenance.how_sure(row)}.",)
    if name in drawn:
        ends = [valued(run, name, float(drawn[name].quantile(end))) for end in (0.05, 0.95)]
        in_numbers += f"{'; ' * bool(in_numbers)}nine in ten draws lie between {ends[0]} and {ends[1]}"
    moved = (lambda run: gain(run, "social")) if name in drawn else None
    return Formula(named(run, name), words, lambda _: in_numbers, moved, of=(name,))


def check(_run: Run, name: str) -> Formula:
    """Return what a check of the fit means."""
    return _meant(CHECKS, name)


def column(_run: Run, name: str) -> Formula:
    """Return what a column of the committed checks means."""
    return _meant(COLUMNS, name)


def _meant(words: dict[str, str], name: str) -> Formula:
    if name not in words:
        raise unknown(name)
    return Formula(name, (words[name],), None, None)
