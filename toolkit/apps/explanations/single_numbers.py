"""Numbers that are no sums: ratios, chances by year, effects, inputs and what the answer is at their ends."""

import numpy as np
import pandas as pd

from toolkit import appraisal
from toolkit.apps.explanations import formulas
from toolkit.apps.explanations.formulas import AVOIDED, Formula
from toolkit.apps.explanations.meanings import CHECKS, COLUMNS
from toolkit.apps.explanations.sums import ALL, EXCESS, added, at, counted, gain, ones, unknown
from toolkit.measures import provenance
from toolkit.measures import quantities as q
from toolkit.measures import value_of_information as knowing
from toolkit.measures import words as w
from toolkit.measures.drivers import named, valued
from toolkit.measures.quantities import Run
from toolkit.schema import PRICE_BASE

REGRESSION = (
    "The value expected if this input alone were known to be there and all others as uncertain as they are: a spline "
    "regression of the draws of the value on those of the input."
)
KNOWING = (
    "Knowing before choosing = the average, over all that is then known, of the better of the option and nothing given "
    "it − the better of the two as things stand."
)
EFFECTS = {
    "mean_effect": (
        "Pooled mean effect",
        "The mean over the sites where studies were made, biases of design allowed for.",
    ),
    "new_site_effect": (
        "Effect at a new site",
        "The pooled mean and how far sites lie from it: what a new one can expect.",
    ),
    "harmful": ("Chance of harm", "How often the effect at a new site has the wrong sign."),
}


def ratio(run: Run, account: str) -> Formula:
    """Return what each pound of the programme avoids, in an account."""
    avoided, said = at(run, q.avoided(run), "account", account)
    cost = q.result(run)["programme_cost"].mean()
    words = ("Expected discounted cost avoided ÷ expected discounted programme cost, in this account.", AVOIDED)
    return Formula(
        f"For each £1: {said.lower()} account",
        words,
        lambda run: formulas.ratio(run, str(avoided["account"].item())),
        lambda _: avoided / cost,
        w.pence,
    )


def paid_back(run: Run, account: str, year: str) -> Formula:
    """Return the chance of having paid back by a year; of a cut, of being ahead in it."""
    chances, said = at(run, q.paid_back(run), "account", account)
    chance, when = at(run, chances, "year", year.partition(" (")[0])
    whose, last, found = str(chance["account"].item()), int(chance["year"]), q.result(run)
    if run.scenario.option.cut:
        title, back = "Still ahead at the end of", found["ahead"].sel(account=whose, year=last)
        what = "The running total of spending taken away, less cost caused, discounted, is nil or better in that year."
    else:
        title, back = "Money back by the end of", found["payback_year"].sel(account=whose) <= last
        what = "The running total of discounted cost avoided, less programme cost, is nil or better by then."
    back = ones(back)
    return Formula(
        f"{title} {when}: {said.lower()} account",
        (what, AVOIDED),
        lambda run: counted(run, back, back, w.percent),
        lambda _: back,
        w.percent,
    )


def each(run: Run, reading: str, area: str) -> Formula:
    """Return the lifetime cost of each child, of all areas or one."""
    cost, said = at(run, q.priced(run, "lifetime").sum("component"), "reading", reading)
    children = run.tree["lives"].to_dataset()["children_entering"]
    both = [one.sum("area") if area == ALL else at(run, one, "area", area)[0] for one in (cost, children)]
    single = both[0] / both[1]
    words = (
        "Lifetime cost ÷ the children who start a first episode of need in the base year, in each draw, then averaged.",
        EXCESS,
    )
    top, bottom = w.money(float(both[0].mean())), w.number(float(both[1].mean()), 0)
    return Formula(
        f"{said} lifetime cost of each child" + (f": {area}" if area != ALL else ""),
        words,
        lambda run: f"{top} ÷ {bottom} children: {added(run, single, single, w.money)}",
        lambda _: single,
    )


def effect(run: Run, what: str, row: str) -> Formula:
    """Return the effect of a row of the table of effects: its pooled mean, a new site's, or the chance of harm."""
    found = q.effects(run)
    rows = {f"{w.label(o)}: {w.inside(s)}": (o, s) for o in found["outcome"].values for s in found["source"].values}
    if what not in EFFECTS or row.removesuffix(", used") not in rows:
        raise unknown(f"{what} {row}")
    outcome, source = rows[row.removesuffix(", used")]
    draws = found[what].sel(outcome=outcome, source=source).astype(float)
    deviations = outcome == "gcse_attainment"
    say = w.percent if what == "harmful" else (lambda x: w.number(x, 2)) if deviations else w.change
    said = counted if what == "harmful" else added
    name, words = EFFECTS[what]
    of = f"It is from {w.SOURCES[str(source)]}."
    return Formula(f"{name}, {row}", (words, of), lambda run: said(run, draws, draws, say), lambda _: draws, say)


def _varying(run: Run, name: str) -> tuple[str, ...]:
    """Return the inputs that a name is of: one that varies, or the members of a group."""
    drawn = knowing.parameters(run)
    found = (name,) if name in drawn else knowing.groups(drawn).get(name, ())
    if not found:
        raise unknown(name)
    return found


def at_end(run: Run, account: str, end: str, name: str) -> Formula:
    """Return what the net value is expected to be at an end of an input."""
    net, held = gain(run, account), _varying(run, name)
    if end not in ("lower", "upper") or len(held) > 1:
        raise unknown(end)
    found = appraisal.tornado(net, knowing.parameters(run)[[name]]).squeeze("parameter")
    there, expected = float(found[f"at_{end}"]), float(found["expected"])
    where = valued(run, name, float(found[f"{end}_value"]))
    move = f"{w.MINUS if there < expected else '+'} {w.money(abs(there - expected))}"
    said = f"{w.money(expected)} over all it could be {move} = {w.money(there)} at {where}"
    title = f"{named(run, name)}: net present value at its {'low' if end == 'lower' else 'high'} end"
    return Formula(title, (REGRESSION,), lambda _: said, lambda _: net, of=held)


def switch(run: Run, account: str, name: str) -> Formula:
    """Return where an input would flip the decision."""
    net, held = gain(run, account), _varying(run, name)
    found = appraisal.switching_values(net, knowing.parameters(run)[list(held)]).isel(parameter=0)
    flip, now, beyond = (float(found[one]) for one in ("switching_value", "expected_value", "probability"))
    where = f"nil at {valued(run, name, flip)}" if np.isfinite(flip) else "of the same sign over all it could be"
    said = (
        f"{w.money(float(net.mean()))} expected; the input is {valued(run, name, now)} on average; the value would be "
        f"{where}; the input lies beyond in {w.percent(beyond)} of the draws"
    )
    words = (REGRESSION, "It flips where that value is nil; the chance is that of draws on the other side of it.")
    return Formula(f"{named(run, name)}: what would flip the decision", words, lambda _: said, lambda _: net, of=held)


def worth_of_knowing(run: Run, account: str, name: str) -> Formula:
    """Return what knowing an input, or a group of them, is worth to the choice."""
    net = gain(run, account)
    choice = knowing.choice(net)
    if name == ALL:
        best, now = (max(float(one.mean()), 0.0) for one in (net.clip(min=0.0), net))
        said = f"{w.money(best)} {w.MINUS} {w.money(now)} = {w.money(best - now)}"
        return Formula("Worth of knowing everything", (KNOWING,), lambda _: said, lambda _: net.clip(min=0.0))
    held = _varying(run, name)
    sets = [*held, held] if len(held) > 1 else [*held]
    found, _ = knowing.with_warnings(lambda: appraisal.evppi(choice, knowing.parameters(run), of=sets))
    worth, share, whole = (
        float(found[one].isel(set=-1)) if "set" in found[one].dims else float(found[one])
        for one in ("evppi", "share_of_evpi", "evpi")
    )
    said = f"{w.money(worth)}, which is {w.percent(share)} of the {w.money(whole)} that knowing everything is worth"
    return Formula(
        f"{named(run, name)}: worth of knowing it", (KNOWING, REGRESSION), lambda _: said, lambda _: net, of=held
    )


def figure(run: Run, name: str) -> Formula:
    """Return an input: how it is drawn, its price base and row, and how far it moves the headline."""
    drawn = knowing.parameters(run)
    if name not in drawn and name not in run.assumptions.index:
        raise unknown(name)
    words: tuple[str, ...] = ("What the fitted models say of it, drawn anew for each of the draws.",)
    said = ""
    if name in run.assumptions.index:
        row = pd.Series(run.assumptions.loc[name])
        words = tuple(filter(None, (str(row["description"]), str(row["reason"]))))
        said = f"{w.figure(float(row['value']))} {row['unit']}"
        if row["price_year"] and float(row["value"]):
            factor = float(row["real_value"]) / float(row["value"])
            real = w.figure(float(f"{row['real_value']:.5g}"))
            said += f", {row['price_year']} prices × {w.number(factor, 3)} = {real} in {PRICE_BASE} prices"
        words += (f"Drawn from: {str(row['distribution']).replace('_', ' ')}; {provenance.how_sure(row)}.",)
    if name in drawn:
        ends = [valued(run, name, float(drawn[name].quantile(end))) for end in (0.05, 0.95)]
        said += f"{'; ' * bool(said)}nine in ten draws lie between {ends[0]} and {ends[1]}"
    moved = (lambda run: gain(run, "social")) if name in drawn else None
    return Formula(named(run, name), words, lambda _: said, moved, of=(name,))


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
