"""The answer in a sentence, a paragraph, a table and a mapping: what it costs, avoids, and how sure anyone can be."""

import math
from dataclasses import dataclass
from typing import Any

import pandas as pd
import xarray as xr

from toolkit import appraisal
from toolkit.report import quantities as q
from toolkit.report.quantities import Run
from toolkit.report.tables import Table, headed
from toolkit.report.words import (
    SOURCES,
    financial_year,
    inside,
    interval,
    label,
    listed,
    money,
    number,
    pence,
    percent,
    schedule_name,
)
from toolkit.schema import ACCOUNTS

PAYBACK_YEARS = (5, 10, 20)
SAY = {"money": money, "share": percent, "ratio": lambda x: number(x, 2), "count": lambda x: number(x, 0)}


@dataclass(frozen=True)
class Estimate:
    """An expected value and its interval; a chance has none."""

    expected: float
    lower: float = math.nan
    upper: float = math.nan
    kind: str = "money"

    @property
    def certain(self) -> bool:
        """Whether there is no interval to speak of."""
        return not self.upper > self.lower

    def say(self) -> str:
        """Return the expected value in words."""
        return SAY[self.kind](self.expected)

    def say_interval(self) -> str:
        """Return the interval in words, empty where there is none."""
        return "" if self.certain else interval(self.lower, self.upper, SAY[self.kind])

    def as_dict(self) -> dict[str, float | None]:
        """Return plain numbers for JSON; what is not defined is None."""
        parts = {"expected": self.expected, "lower": self.lower, "upper": self.upper}
        return {name: value if math.isfinite(value) else None for name, value in parts.items()}


def estimate(run: Run, draws: xr.DataArray, kind: str = "money") -> Estimate:
    """Reduce draws (chain, draw) to their mean and interval at the run's level."""
    found = appraisal.summarise(draws, level=q.level(run))
    return Estimate(float(found["mean"]), float(found["lower"]), float(found["upper"]), kind)


def ratio(run: Run, account: str) -> Estimate:
    """Benefit-cost ratio of an account, the interval from the benefits over the expected cost."""
    found = q.result(run)[["bcr", "bcr_lower", "bcr_upper"]].sel(account=account)
    return Estimate(*(float(found[name]) for name in ("bcr", "bcr_lower", "bcr_upper")), kind="ratio")


def cashable_share(run: Run) -> float:
    """Share of the expected cost avoided, social account, that is cash to the council; NaN if nothing is avoided."""
    total = float(q.avoided_total(run).sel(account="social").mean())
    return float(q.council_cash(run).mean()) / total if total * q.direction(run) > 0 else math.nan


def headline(run: Run) -> dict[str, Any]:
    """Return the headline as plain numbers and text, ready for JSON; money in pounds."""
    chances, sign = q.paid_back(run), q.direction(run)
    last = int(chances["year"].max())
    net = q.position(run)["net"]
    excess = {reading: q.priced(run, "lifetime").sel(reading=reading).sum(["area", "component"]) for reading in ("excess", "gross")}
    entering = q.children(run)["entering"]
    attrs = run.tree.attrs
    return {
        "title": run.scenario.title,
        "scenario": run.scenario.name,
        "scenario_hash": str(attrs["scenario_hash"]),
        "seed": int(attrs["seed"]),
        "areas": [str(code) for code in run.tree["costs"]["area"].values],
        "passed": run.passed,
        "price_base": run.scenario.price_base,
        "discount_schedule": run.scenario.discount_schedule,
        "timing": str(run.tree["appraisal"].attrs["timing"]),
        "first_year": run.scenario.first_year,
        "horizon": run.scenario.horizon,
        "interval_level": q.level(run),
        "effect_source": run.scenario.effect.source,
        "replication": run.scenario.effect.replication,
        "cut": run.scenario.option.cut,
        "children_reached_a_year": estimate(run, q.children(run)["reached"]).as_dict(),
        "programme_cost": estimate(run, q.result(run)["programme_cost"]).as_dict(),
        "cost_avoided": {a: estimate(run, q.avoided_total(run).sel(account=a)).as_dict() for a in ACCOUNTS},
        "npsv": {a: estimate(run, q.result(run)["npsv"].sel(account=a)).as_dict() for a in ACCOUNTS},
        "benefit_cost_ratio": {
            a: ratio(run, a).as_dict() | {"probability_above_one": float(q.result(run)["bcr_probability_above_one"].sel(account=a))}
            for a in ACCOUNTS
        },
        "probability_ahead" if sign < 0 else "probability_paid_back": {
            a: {str(y): float(chances.sel(account=a, year=y)) for y in PAYBACK_YEARS if y <= last}
            | {"ever": float(chances.sel(account=a, year=last))}
            for a in ACCOUNTS
        },
        "net_position_by_payer": {str(p): estimate(run, net.sel(payer=p)).as_dict() for p in net["payer"].values},
        "cashable_to_council": estimate(run, q.council_cash(run)).as_dict()
        | {"share_of_cost_avoided": None if math.isnan(cashable_share(run)) else cashable_share(run)},
        "probability_of_harm": q.harm(run),
        "lifetime_cost": {
            reading: {"total": estimate(run, cost).as_dict(), "per_child": estimate(run, cost / entering).as_dict()}
            for reading, cost in excess.items()
        },
        "annual_cost": estimate(run, q.priced(run, "annual").sum(["area", "component"])).as_dict(),
    }


def estimates(run: Run) -> dict[str, Estimate]:
    """Return the headline figures by label, in the order they are shown."""
    cut, sign = run.scenario.option.cut, q.direction(run)
    verb, ahead = ("caused", "Chance of being ahead") if cut else ("avoided", "Chance of having paid back")
    found = {
        "Children who lose help, a year" if cut else "Children reached, a year": estimate(run, q.children(run)["reached"], "count"),
        "Spending taken away" if cut else "Programme cost": estimate(run, q.result(run)["programme_cost"] * sign),
    }
    for account in ACCOUNTS:
        found[f"Cost {verb} over life, {account} account"] = estimate(run, q.avoided_total(run).sel(account=account) * sign)
    for account in ACCOUNTS:
        name = "Net present social value" if account == "social" else f"Net present value, {account} account"
        found[name] = estimate(run, q.result(run)["npsv"].sel(account=account))
    for account in ACCOUNTS:
        found[f"Cost {verb} for each £1, {account} account"] = ratio(run, account)
    chances = q.paid_back(run).sel(account="fiscal")
    last = int(chances["year"].max())
    for year in (y for y in PAYBACK_YEARS if y < last):
        when = financial_year(run.scenario.first_year, year)
        found[f"{ahead} by {when} (year {year}), fiscal account"] = Estimate(float(chances.sel(year=year)), kind="share")
    for account in ACCOUNTS:
        end = q.paid_back(run).sel(account=account, year=last)
        found[f"{ahead} {'at the end' if cut else 'ever'}, {account} account"] = Estimate(float(end), kind="share")
    found[f"Cost {verb} that is cash to the council"] = estimate(run, q.council_cash(run) * sign)
    found["Chance that the help does harm"] = Estimate(q.harm(run), kind="share")
    entering = q.children(run)["entering"]
    for reading in ("excess", "gross"):
        cost = q.priced(run, "lifetime").sel(reading=reading).sum(["area", "component"])
        found[f"{label(reading)} lifetime cost of the entering cohort"] = estimate(run, cost)
        found[f"{label(reading)} lifetime cost, each child"] = estimate(run, cost / entering)
    return found


def headline_rows(run: Run) -> list[tuple[str, str, str]]:
    """Return the headline figures as text: label, expected value and interval."""
    return [(name, found.say(), found.say_interval()) for name, found in estimates(run).items()]


def headline_table(run: Run) -> Table:
    """Return the headline figures as a table."""
    found = estimates(run)
    numbers = [(e.expected, *((math.nan,) * 2 if e.certain else (e.lower, e.upper))) for e in found.values()]
    columns = pd.MultiIndex.from_product([["Estimate"], ["expected", "lower", "upper"]])
    return Table(
        "The answer",
        "",
        headed(pd.DataFrame(numbers, index=list(found), columns=columns)),
        {"Estimate": "by row"},
        {name: e.kind for name, e in found.items()},
        note=basis_sentence(run),
    )


def summary(run: Run) -> pd.DataFrame:
    """Return the headline figures as numbers: expected, lower, upper and unit, by label."""
    units = {"money": f"GBP, {run.scenario.price_base} prices", "share": "probability", "ratio": "GBP per GBP", "count": "children"}
    rows = {name: (e.expected, e.lower, e.upper, units[e.kind]) for name, e in estimates(run).items()}
    return pd.DataFrame.from_dict(rows, orient="index", columns=["expected", "lower", "upper", "unit"])


# In words ----------------------------------------------------------------------------------------


def place(run: Run) -> str:
    """Return the areas in words: names of up to three, else how many and where."""
    names = q.area_names(run)
    if len(names) <= 3:
        return listed(names)
    regions = sorted(set(map(str, run.tree["costs"]["region"].values)))
    return f"{len(names)} areas" + (f" of {regions[0]}" if len(regions) == 1 else f" in {len(regions)} regions")


def headline_sentence(run: Run) -> str:
    """Return the answer in one sentence."""
    social = estimate(run, q.avoided_total(run).sel(account="social") * q.direction(run))
    spent = money(abs(float(q.result(run)["programme_cost"].mean())))
    ever = float(q.paid_back(run).sel(account="fiscal").isel(year=-1))
    failed = "" if run.passed else "THIS RUN FAILED ITS CHECKS. "
    width = f"{q.level(run):.0%} interval {social.say_interval()}"
    if run.scenario.option.cut:
        return (
            f"{failed}{place(run)}: taking away {spent} is expected to cause {social.say()} of cost over children's "
            f"lifetimes ({width}); the chance that the public purse is left better off is {percent(ever)}."
        )
    return (
        f"{failed}{place(run)}: {spent} spent is expected to avoid {social.say()} of cost over children's lifetimes "
        f"({width}); the chance that it ever pays the public purse back is {percent(ever)}."
    )


def paragraphs(run: Run) -> list[str]:
    """Return the answer in plain English: cost, avoided cost, payback, who pays, cash, harm and basis."""
    return [_cost(run), _worth(run), _payback(run), _payers(run), _harm(run), basis_sentence(run)]


def _cost(run: Run) -> str:
    option, first = run.scenario.option, run.scenario.first_year
    found = estimates(run)
    reached = next(iter(found.values()))
    spent = money(abs(float(q.result(run)["programme_cost"].mean())))
    span = f"{financial_year(first, 0)} to {financial_year(first, option.years - 1)}" if option.years > 1 else financial_year(first, 0)
    action = "Taking" if option.cut else "Spending"
    away = " away from early help" if option.cut else " on early help"
    touch = "lose help" if option.cut else "are reached"
    return (
        f"{action} {money(option.spend_per_child)} for every child aged 0 to 17 each year{away} in {place(run)}, {span}, "
        f"{'saves' if option.cut else 'costs'} {spent} in present value. About {reached.say()} children a year {touch} "
        f"({q.level(run):.0%} interval {reached.say_interval()})."
    )


def _worth(run: Run) -> str:
    sign, verb = q.direction(run), "cause" if run.scenario.option.cut else "avoid"
    social, fiscal = (estimate(run, q.avoided_total(run).sel(account=a) * sign) for a in ("social", "fiscal"))
    npsv = estimate(run, q.result(run)["npsv"].sel(account="social"))
    pound = [f"{pence(ratio(run, a).expected)} in the {a} account" for a in ACCOUNTS]
    each = "taken away causes" if run.scenario.option.cut else "spent avoids"
    return (
        f"Over those children's lives it is expected to {verb} {social.say()} of cost to society ({q.level(run):.0%} interval "
        f"{social.say_interval()}), of which {fiscal.say()} ({fiscal.say_interval()}) falls on the public purse. The expected "
        f"net present social value is {npsv.say()} ({npsv.say_interval()}). Each £1 {each} {listed(pound)}."
    )


def _payback(run: Run) -> str:
    chances = q.paid_back(run).sel(account="fiscal")
    last = int(chances["year"].max())
    by = [
        f"{percent(float(chances.sel(year=y)))} by {financial_year(run.scenario.first_year, y)} (year {y})"
        for y in PAYBACK_YEARS
        if y < last
    ]
    if run.scenario.option.cut:
        end = f"{percent(float(chances.sel(year=last)))} over the whole {run.scenario.horizon} years"
        return f"The chance that the cut still leaves the public purse ahead is {listed([*by, end])}."
    ever = {a: float(q.paid_back(run).sel(account=a, year=last)) for a in ACCOUNTS}
    return (
        f"The chance that the public purse has been paid back is {listed(by)}, and {percent(ever['fiscal'])} ever; with a chance "
        f"of {percent(1 - ever['fiscal'])} it never is. For the economic account the chance of ever paying back is "
        f"{percent(ever['economic'])}, for the social account {percent(ever['social'])}."
    )


def _payers(run: Run) -> str:
    net = q.position(run)["net"].mean(("chain", "draw")).to_series().sort_values()
    pays = [f"{inside(p)} ({money(-v)})" for p, v in net.items() if v < 0]
    gains = [f"{inside(p)} ({money(v)})" for p, v in net[::-1].items() if v > 0]
    said = f"Net of everything, those expected to pay are: {listed(pays)}. Those expected to gain are: {listed(gains)}."
    share = cashable_share(run)
    if math.isnan(share):
        return f"{said} With no cost expected to be avoided there is nothing for the council to release as cash."
    verb = "caused" if run.scenario.option.cut else "avoided"
    return (
        f"{said} Of the cost {verb}, {percent(share)} would be cash in the council's own budget; the rest is other bodies', "
        "other people's, or tied up in costs that cannot be cut."
    )


def _harm(run: Run) -> str:
    return (
        f"The chance that the help makes outcomes worse on balance, and so adds cost, is {percent(q.harm(run))}: effects "
        "differ from site to site and can go the wrong way, and more help can find more need."
    )


def basis_sentence(run: Run) -> str:
    """Say on what the answer rests: effect source, replication, price base, discounting and timing."""
    scenario, attrs = run.scenario, run.tree["appraisal"].attrs
    timing = {"start_of_year": "money moving at the start of each year", "mid_year": "money moving in mid-year"}[str(attrs["timing"])]
    return (
        f"The effect comes from {SOURCES[scenario.effect.source]}; a replication factor of {scenario.effect.replication:g} is "
        f"applied to it. Money is in {scenario.price_base} prices, discounted over {scenario.horizon} years to "
        f"{financial_year(scenario.first_year, 0)} (year 0) by the {schedule_name(scenario.discount_schedule)} schedule with "
        f"{timing}. Cost avoided is not the same as money saved."
    )
