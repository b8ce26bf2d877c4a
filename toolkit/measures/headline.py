"""The headline in a sentence, a table and a mapping: what the plan costs and avoids, and how sure that is."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import pandas as pd
import xarray as xr

from toolkit.evidence import NAMED, boundary_notes, reference_areas
from toolkit.measures import plan, structures
from toolkit.measures import quantities as q
from toolkit.measures import words as w
from toolkit.measures.programmes import BREAK_EVEN, SURE, verdict
from toolkit.measures.quantities import Run
from toolkit.measures.tables import Table, headed, verb
from toolkit.scenario_model import LONGEST_HORIZON, Scenario
from toolkit.schema import ACCOUNTS

PAYBACK_YEARS = (5, 10, 20)
ENGLISH_REGIONS = 9
SAY: dict[str, Callable[[float], str]] = {
    "money": w.money,
    "share": w.percent,
    "ratio": w.pence,
    "count": lambda x: w.number(x, 0),
}


@dataclass(frozen=True)
class Estimate:
    """An expected value and its interval; a chance has none."""

    expected: float
    lower: float = math.nan
    upper: float = math.nan
    kind: str = "money"

    def __str__(self) -> str:
        """Return the expected value in words."""
        return SAY[self.kind](self.expected)

    def __neg__(self) -> "Estimate":
        return Estimate(-self.expected, -self.upper, -self.lower, self.kind)

    @property
    def interval(self) -> str:
        """The interval in words, empty where there is none."""
        return w.interval(self.lower, self.upper, SAY[self.kind]) if self.upper > self.lower else ""

    def numbers(self) -> dict[str, float]:
        """Return the parts that are defined; an interval that has no width is none."""
        parts = {"expected": self.expected} | ({"lower": self.lower, "upper": self.upper} if self.interval else {})
        return {name: value for name, value in parts.items() if math.isfinite(value)}


def estimate(run: Run, draws: xr.DataArray, kind: str = "money") -> Estimate:
    """Reduce draws (chain, draw) to their mean and interval at the run's level."""
    interval = q.interval(run, draws)
    return Estimate(float(interval["mean"]), float(interval["lower"]), float(interval["upper"]), kind)


def facts(run: Run) -> dict[str, Any]:
    """Return the headline estimates, nested by account, year, payer or reading where they vary by one."""
    result, chances, children = q.result(run), q.paid_back(run), q.children(run)
    net, avoided, cash = q.position(run)["net"], q.avoided(run), q.cash_released(run)
    lifetime, last = q.lifetime(run).sum("component"), int(chances["year"].max())
    total = float(avoided.sel(account="social").mean())
    share = float(cash.mean()) / total if total * q.direction(run) > 0 else math.nan
    share = share if 0 <= share <= 1 + 1e-6 else math.nan  # some parts fall and others rise: see ``cash_sentence``

    def chance(value: Any) -> Estimate:
        return Estimate(float(value), kind="share")

    def ratio(account: str) -> Estimate:
        ends = result[["bcr", "bcr_lower", "bcr_upper"]].sel(account=account)
        return Estimate(float(ends["bcr"]), float(ends["bcr_lower"]), float(ends["bcr_upper"]), "ratio")

    return {
        "children_served": estimate(run, children["reached"], "count"),
        "programme_cost": estimate(run, result["programme_cost"]),
        "cost_avoided": {a: estimate(run, avoided.sel(account=a)) for a in ACCOUNTS},
        "npsv": {a: estimate(run, result["npsv"].sel(account=a)) for a in ACCOUNTS},
        "benefit_cost_ratio": {a: ratio(a) for a in ACCOUNTS},
        "chance_ratio_above_one": {a: chance(result["bcr_probability_above_one"].sel(account=a)) for a in ACCOUNTS},
        "chance_paid_back": {
            a: {y: chance(chances.sel(account=a, year=y)) for y in sorted({*PAYBACK_YEARS, last}) if y <= last}
            for a in ACCOUNTS
        },
        "net_position_by_payer": {str(p): estimate(run, net.sel(payer=p)) for p in net["payer"].values},
        "cash_to_council": estimate(run, cash),
        "cash_share_of_cost_avoided": chance(share),
        "chance_of_harm": chance(q.harm(run)),
        "lifetime_cost": {r: estimate(run, lifetime.sel(reading=r)) for r in q.READINGS},
        "lifetime_cost_each_child": {
            r: estimate(run, lifetime.sel(reading=r) / children["entering"]) for r in q.READINGS
        },
        "annual_cost": estimate(run, q.annual(run).sel(reading="gross").sum("component")),
    }


def headline(run: Run) -> dict[str, Any]:
    """Return the headline as plain numbers and text, ready for JSON.

    Money is in pounds. For a cut ``chance_paid_back`` is the chance of still being ahead in that year.
    The last year is that of the horizon. ``chance_of_harm`` is that the help adds to cost. What is not defined is
    left out, or None for a chance: ``cash_share_of_cost_avoided`` also where the cash exceeds the cost avoided or has
    the other sign, as it can where some parts of the cost fall and others rise (``appraisal.cashable_savings``).
    """
    scenario = run.scenario
    settings = ("title", "name", "hash", "seed", "price_base", "discount_schedule", "first_year", "horizon")
    return {
        **{key: getattr(scenario, key) for key in settings},
        "areas": q.costs(run)["area"].values.astype(str).tolist(),
        "passed": run.passed,
        "cut": scenario.cut,
        "plan": plan.as_json(run),
        "effects": plan.evidence(run),
        "timing": str(q.result(run).attrs["timing"]),
        "interval_level": q.level(run),
        **{name: _plain(value) for name, value in facts(run).items()},
    }


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(part) for key, part in value.items()}
    return value.numbers().get("expected") if value.kind == "share" else value.numbers()


def estimates(run: Run) -> dict[str, Estimate]:
    """Return the headline estimates by label, in the order they are shown, with signs reversed for a cut."""
    cut, headline_facts, did = run.scenario.cut, facts(run), verb(run)
    ahead, horizon = "Chance of being ahead" if cut else "Chance of having paid back", run.scenario.horizon

    def turned(figure: Estimate) -> Estimate:
        return -figure if cut else figure

    rows = {
        f"Children {'who lose help' if cut else 'served'} in all years together": headline_facts["children_served"],
        "Spending taken away" if cut else "Cost of the plan": turned(headline_facts["programme_cost"]),
    }
    for account, figure in headline_facts["cost_avoided"].items():
        rows[f"Cost {did} {w.counted('over life', horizon)}, {account} account"] = turned(figure)
    for account, figure in headline_facts["npsv"].items():
        name = "Net present social value" if account == "social" else f"Net present value, {account} account"
        rows[name] = figure
    for account, figure in headline_facts["benefit_cost_ratio"].items():
        rows[f"Cost {did} for each £1, {account} account"] = figure
    for account, chances in headline_facts["chance_paid_back"].items():
        for year in chances if account == "fiscal" else [max(chances)]:
            by = f"by {w.financial_year(run.scenario.first_year, year)} (year {year})"
            by = by if year != max(chances) else "at the end" if cut else w.within(horizon)
            rows[f"{ahead} {by}, {account} account"] = chances[year]
    rows[f"Cost {did} in the council's own cash"] = turned(headline_facts["cash_to_council"])
    rows[f"Chance that {w.HARM}"] = headline_facts["chance_of_harm"]
    for reading in q.READINGS:
        name = w.costed(reading, w.counted("lifetime cost", horizon))
        rows[f"{name}, entering cohort"] = headline_facts["lifetime_cost"][reading]
        rows[f"{name}, each child"] = headline_facts["lifetime_cost_each_child"][reading]
    return rows


def headline_rows(run: Run) -> list[tuple[str, str, str]]:
    """Return the headline estimates as text: label, expected value and interval."""
    return [(name, str(figure), figure.interval) for name, figure in estimates(run).items()]


def summary(run: Run) -> pd.DataFrame:
    """Return the headline estimates as numbers: expected, lower, upper and unit, by label."""
    figures = estimates(run)
    table = pd.DataFrame([e.numbers() for e in figures.values()], index=list(figures))
    money = f"GBP, {run.scenario.price_base} prices"
    units = {"money": money, "share": "probability", "ratio": "GBP per GBP", "count": "children"}
    return table.assign(unit=[units[e.kind] for e in figures.values()])


def headline_table(run: Run) -> Table:
    """Return the headline estimates as a table."""
    numbers = summary(run).drop(columns="unit")
    frame = headed(numbers.set_axis([("Estimate", part) for part in numbers.columns], axis=1))
    kinds = {name: figure.kind for name, figure in estimates(run).items()}
    return Table("The answer in figures", "", frame, "by row", kinds, basis_sentence(run))


# In words ----------------------------------------------------------------------------------------


def place(run: Run) -> str:
    """Return the areas in words: England or a region, names of up to three, else how many and where."""
    names = q.area_names(run)
    if len(names) <= NAMED:
        return w.listed(names)
    if run.tree.attrs.get("place"):
        return str(run.tree.attrs["place"])
    regions = sorted(set(q.costs(run)["region"].values.astype(str)))
    where = f"in all {len(regions)} regions" if len(regions) == ENGLISH_REGIONS else f"in {w.listed(regions)}"
    return f"{len(names)} areas {where}"


def boundaries(run: Run) -> list[str]:
    """Return what must be known of areas whose boundaries moved, unless the run is of many areas."""
    return boundary_notes(reference_areas(), q.costs(run)["area"].values.astype(str).tolist())


def headline_sentence(run: Run) -> str:
    """Return the answer in one sentence."""
    spent = float(q.result(run)["programme_cost"].mean())
    worth = estimate(run, q.avoided(run).sel(account="social"))
    ever = float(q.paid_back(run).sel(account="fiscal").isel(year=-1))
    return sentence(
        run, place(run), plan.bought(run), spent, worth, ever, q.level(run), structures=structures.pays(run)
    )


def sentence(
    run: Run,
    where: str,
    what: str,
    spent: float,
    worth: Estimate,
    ever: float,
    level: float,
    *,
    structures: Iterable[float] = (),
) -> str:
    """Return the answer in one sentence from its numbers; of the run only its scenario and checks are read.

    Parameters
    ----------
    run
        Whose answer it is.
    where, what
        Its areas and its programmes, in words.
    spent
        Present value of what is spent, GBP; below 0 for a cut.
    worth
        Cost avoided, social account.
    ever
        Chance that the public purse is paid back within the horizon or, for a cut, ahead at its end.
    level
        Of the interval of ``worth``.
    structures
        Chance that the public purse gains, by choice of each rival structure.
    """
    cut = run.scenario.cut
    subject = f"taking {w.money(abs(spent))} away from {what}" if cut else f"{w.money(spent)} spent on {what}"
    failed = "" if run.passed else "THIS RUN FAILED ITS CHECKS. "
    if worth.expected == 0 and not worth.interval:
        return f"{failed}{where}: {subject} changes no cost that is counted, as no effect of it is."
    moves = _does(worth, cut=cut, level=level, horizon=run.scenario.horizon)
    return f"{failed}{where}: {subject} is expected to {moves}. {purse(run.scenario, ever, structures)}"


def purse(scenario: Scenario, ever: float, structures: Iterable[float] = ()) -> str:
    """Return whether the public purse gets its money back, as surely as the chance of it and rival structures allow."""
    span = f"that it is {'left better off' if scenario.cut else f'paid back {w.within(scenario.horizon)}'}"
    chance = f"the chance {span} is {w.percent(ever)}"
    answer = verdict(ever, structures)
    if answer == BREAK_EVEN:
        return f"For the public purse it {BREAK_EVEN}: {chance}."
    doubt = ", but not under every structure of the model" if "," in answer else ""
    good = ever >= SURE
    if scenario.cut:
        return (
            f"The public purse is {'very likely' if good else 'very unlikely to be'} left better off{doubt}: {chance}."
        )
    return f"It very likely {'pays' if good else 'does not pay'} the public purse back{doubt}: {chance}."


def changes(run: Run, account: str) -> str:
    """Return what the plan does to cost over the years counted, in the direction of its expected value."""
    worth = estimate(run, q.avoided(run).sel(account=account))
    return _does(worth, cut=run.scenario.cut, level=q.level(run), horizon=run.scenario.horizon)


def _does(worth: Estimate, *, cut: bool, level: float, horizon: int) -> str:
    works = worth.expected * (-1 if cut else 1) >= 0
    does = {(False, True): "avoid", (False, False): "add", (True, True): "cause", (True, False): "avoid"}
    shown = worth if does[cut, works] == "avoid" else -worth
    sure = f"{level:.0%} interval {shown.interval}" if shown.interval else "the same in every draw"
    return f"{does[cut, works]} {shown} of cost over {w.counted("children's lifetimes", horizon)} ({sure})"


def cash_sentence(run: Run, headline_facts: dict[str, Any]) -> str:
    """Return the council's cash as a share of the cost avoided, from ``facts``, or why there is no such share."""
    share, did, sign = headline_facts["cash_share_of_cost_avoided"], verb(run), q.direction(run)
    total = sign * headline_facts["cost_avoided"]["social"].expected
    cash = sign * headline_facts["cash_to_council"].expected
    if math.isfinite(share.expected):
        return (
            f"Of the cost {did}, {share} would be cash in the council's own budget; the rest is other bodies', other "
            "people's, or tied up in costs that cannot be cut."
        )
    if total > 0:
        return (
            f"In the council's own cash {w.money(cash)} is {did}, which is no share of the {w.money(total)} {did} in "
            "all: some parts of the cost fall and others rise, and added cost that is not paid in cash takes none away."
        )
    return f"With no cost expected to be {did}, there is no cash in it for the council."


def basis_sentence(run: Run) -> str:
    """Return what the answer rests on: whose effects, price base, discounting, timing and whose money."""
    scenario, timing = run.scenario, str(q.result(run).attrs["timing"])
    years = scenario.horizon
    short = f"Cost is counted for the first {years} years only. " if years < LONGEST_HORIZON else ""
    rate = w.schedule_name(scenario.discount_schedule)
    named = f"by the {rate} schedule" if isinstance(scenario.discount_schedule, str) else f"at {rate}"
    stated = q.result(run).attrs
    health = str(stated.get("health_schedule", ""))
    apart = "" if health in ("", stated.get("schedule")) else f" (harm to health by {w.schedule_name(health)})"
    moves = {"start_of_year": "at the start of each year", "mid_year": "in the middle of each year"}[timing]
    return (
        "Each programme has its own cost and its own effect, from the studies of it and, less closely, of its type, "
        f"less what is lost where others deliver it. Money is in {scenario.price_base} prices, discounted "
        f"over {scenario.horizon} years to {w.financial_year(scenario.first_year, 0)} (year 0) "
        f"{named}{apart}, with money moving {moves}. "
        f"{short}Cost avoided is not the same as money saved. {_funded(scenario)}"
    )


def _funded(scenario: Scenario) -> str:
    """Return whose money the plan spends."""
    if len(scenario.funders) == 1:
        return w.FUNDED[scenario.funders[0]]
    return "Part of the plan's money is the council's own, and part is a grant from central government."
