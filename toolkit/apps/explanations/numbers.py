"""Every number that a page shows, by key: its kind and what it is of, such as "payer_net|NHS".

A key comes from a browser, so it is looked up and never run: a kind by its name, the rest among the labels of the
kind's own arrays, as a reader or the code spells them.
"""

from collections.abc import Callable
from inspect import signature

from toolkit.apps.explanations import formulas, single_numbers, sums
from toolkit.apps.explanations.formulas import AVOIDED, FORMULAS, Formula
from toolkit.apps.explanations.sums import EXCESS, Kind, unknown
from toolkit.measures import budget
from toolkit.measures import quantities as q
from toolkit.measures import words as w
from toolkit.measures.quantities import Run

LONGEST_KEY = 200
SPENT = "The sums of the plan in the areas, with optimism bias, in each year of spending."
CASH = "Cash released = cost avoided for the council × the share that can leave a budget, in the year in which it can."
INFLATED = "Each year’s × the Treasury’s forecast of its prices over those of the price base; a total adds up years."
CURVE = "A year’s early-help spend + the excess cost of the entering cohort that it leaves, all accounts."
LINE = "On a straight line between the two nearest spends priced."
AREA = "All payers and accounts, of this area alone, present value."
STEP = "Net present value with this adjustment and those before it − the value with those before it alone."
KINDS: dict[str, Kind | Callable[..., Formula]] = {
    "worth": Kind(
        "Net present value: {account} account",
        ("Discounted cost avoided − discounted cost of the plan.", AVOIDED),
        sums.worth,
        ("account",),
    ),
    "ratio": single_numbers.ratio,
    "paid_back": single_numbers.paid_back,
    "programme": Kind("Spending on the plan", (SPENT, "Discounted."), lambda run: q.result(run)["programme_cost"]),
    "payer_avoided": Kind(
        "Cost avoided: {payer}",
        ("Discounted cost avoided of the payer, all accounts, outcome by outcome.", AVOIDED),
        sums.social,
        ("payer",),
    ),
    "payer_programme": Kind(
        "Spent on the plan: {payer}",
        (SPENT, "Each funder pays its own parts; discounted."),
        lambda run: q.position(run)["programme"],
        ("payer",),
    ),
    "payer_net": Kind(
        "Net position: {payer}",
        ("Discounted cost avoided − what the payer spends on the plan.", AVOIDED),
        sums.payer_net,
        ("payer",),
    ),
    "year_spent": Kind("Money spent: {year}", (SPENT, "Real, not discounted."), sums.spent, ("year",)),
    "year_avoided": Kind(
        "Cost avoided: {year}",
        (AVOIDED, "Added up over who is spared it. Real, not discounted, all accounts."),
        sums.yearly,
        ("year",),
    ),
    "cash_spent": Kind(
        "Spending on the plan: {year}",
        (SPENT, "Real, not discounted; money out is negative."),
        lambda run: sums.cash(run).sel(part=["programme"]),
        ("year",),
    ),
    "cash_released": Kind(
        "Cash released: {year}", (CASH, AVOIDED), lambda run: sums.cash(run).sel(part=["released"]), ("year",)
    ),
    "cash_net": Kind(
        "Net cash: {year}",
        (f"{CASH} Net cash = cash released − the council’s own spending.", AVOIDED),
        sums.cash,
        ("year",),
    ),
    "cash_running": Kind(
        "Net cash, running total: {year}",
        (f"{CASH} Net cash of all years so far, added up.", AVOIDED),
        sums.running_cash,
        ("year",),
    ),
    "term": Kind(
        "{line}, in the cash of the year: {year}", (CASH, INFLATED, AVOIDED), budget.medium_term, ("line", "year")
    ),
    "chance_worth": Kind(
        "Chance that it is worth its cost",
        ("How often net present social value is above nil.", AVOIDED),
        lambda run: sums.as_numbers(sums.gain(run, "social") > 0),
        say=w.percent,
    ),
    "chance_harm": Kind(
        f"Chance that {w.HARM}", ("How often the help adds to the cost to society.", AVOIDED), sums.harm, say=w.percent
    ),
    "chance_cash": Kind(
        "Chance that the council’s cash is ahead",
        ("How often net cash over the years is nil or more.", CASH),
        lambda run: sums.as_numbers(sums.cash(run).sum(["part", "year"]) >= 0),
        say=w.percent,
    ),
    "curve_spend": Kind(
        "Early-help spend: {multiple} × today’s",
        ("Today’s yearly spend of the place × the multiple.",),
        lambda run: sums.curve(run).sel(part=["spend"]),
        ("multiple",),
    ),
    "curve": Kind("Spend and cost: {multiple} × today’s spend", (CURVE, AVOIDED), sums.curve, ("multiple",)),
    "curve_change": Kind(
        "Change of spend and cost: {multiple} × today’s spend",
        (f"{CURVE} Less the same at today’s spend.", AVOIDED),
        sums.change,
        ("multiple",),
    ),
    "curve_here": Kind(
        "Spend and cost at this sum", (CURVE, LINE, AVOIDED), lambda run: sums.here(run, sums.curve(run))
    ),
    "curve_here_change": Kind(
        "Change of spend and cost at this sum",
        (f"{CURVE} Less the same at today’s spend.", LINE, AVOIDED),
        lambda run: sums.here(run, sums.change(run)),
    ),
    "life": Kind(
        "{cost}: {outcome}, {payer}",
        (EXCESS,),
        lambda run: sums.grid(q.lifetime(run)),
        ("reading", "outcome", "payer"),
    ),
    "annual": Kind(
        "{year} of one year’s outcomes: {outcome}, {payer}",
        (EXCESS,),
        lambda run: sums.grid(q.annual(run)),
        ("reading", "outcome", "payer"),
    ),
    "each": single_numbers.each,
    "area_life": Kind(
        "{cost}: {area}",
        (AREA, EXCESS),
        lambda run: q.by(q.priced(run, "lifetime"), "outcome"),
        ("reading", "area"),
    ),
    "area_annual": Kind(
        "{year} of one year’s outcomes: {area}",
        (AREA, EXCESS),
        lambda run: q.by(q.priced(run, "annual"), "outcome"),
        ("reading", "area"),
    ),
    "bridge": Kind("What an adjustment does: {step}, {account} account", (STEP,), sums.bridge, ("account", "step")),
    "effect": single_numbers.effect,
    "end": single_numbers.at_end,
    "switch": single_numbers.switch,
    "information": single_numbers.value_of_information,
    "figure": single_numbers.figure,
    "check": single_numbers.check,
    "column": single_numbers.column,
}


def formula(run: Run, key: str) -> Formula:
    """Return the formula of the number that a key is of.

    Raises
    ------
    InputError
        If there is no such number.
    """
    kind, *names = key[:LONGEST_KEY].split("|")
    if kind in FORMULAS and not names:
        return FORMULAS[kind]
    known = KINDS.get(kind)
    if known is None:
        raise unknown(kind)
    if len(names) != (len(known.dims) if isinstance(known, Kind) else len(signature(known).parameters) - 1):
        raise unknown(key)
    return known(run, *names)


def explanation(run: Run, key: str) -> str:
    """Return the explanation of the number that a key is of, as HTML; raises as :func:`formula` does."""
    parts, areas = key[:LONGEST_KEY].split("|"), q.costs(run)["area"].values.astype(str)
    named = (code for code, name in zip(areas, q.area_names(run), strict=True) if {code, name} & set(parts))
    return formulas.explanation(run, formula(run, key), key, lambda other: formula(other, key), next(named, None))
