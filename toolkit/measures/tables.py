"""The tables of the report and the workbook. Both read the same record, so they cannot differ."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from toolkit.measures import quantities as q
from toolkit.measures.quantities import Run
from toolkit.measures.words import costed, counted, financial_year, inside, label, listed
from toolkit.schema import ACCOUNTS, PAYERS, SAMPLE_DIMS

STANDARDISED = "gcse_attainment"  # its effect is in standard deviations, that of others a change in the rate
EVIDENCE = {"own": "its own studies", "type": "studies of its type", "none": "none"}
PARTS = {"expected": "mean", "lower": "lower", "upper": "upper"}
CASH_YEARS, YEARLY = 10, 30
PAYBACK_YEARS = (5, 10, 15, 20, 30, 40, 50, 60)
ENTERING = (
    "The entering cohort is the children who start a first episode of need in the base year. Gross counts all that the "
    "outcomes use; excess, the headline, only what goes beyond all children of the same age and area, reduced to the "
    "part that would vanish with the outcome. More than a quarter of all children are ever in need themselves, so "
    "beside it stands the excess over those never in need. None is a saving."
)


@dataclass(frozen=True)
class Table:
    """One table: numbers, and how each column is formatted.

    Attributes
    ----------
    title
        Caption, which names the quantity and the cohort.
    rows
        Name of the first column, the row labels.
    frame
        Columns (heading, part), part one of "expected", "lower", "upper" (an interval at the run's level)
        or "" for a single number or text. Numbers are in full: pounds, not millions.
    kinds
        One for all, or by heading: money (one scale a table), pounds (each in full), share, rate, change,
        ratio, count, number, tenths, figure (as cited), text, or "by row".
    row_kinds
        By row label, where a heading's kind is "by row".
    note
        What a reader must know beside it.
    """

    title: str
    rows: str
    frame: pd.DataFrame
    kinds: Mapping[str, str] | str
    row_kinds: Mapping[str, str] = field(default_factory=dict)
    note: str = ""

    @property
    def columns(self) -> list[tuple[str, str]]:
        """The columns as pairs of heading and part."""
        return [(str(pair[0]), str(pair[1])) for pair in self.frame.columns]

    def kind(self, heading: str, row: object = None) -> str:
        """Return how the cells of a heading, or one cell of it, are formatted."""
        kind = self.kinds if isinstance(self.kinds, str) else self.kinds[heading]
        return self.row_kinds[str(row)] if kind == "by row" and row is not None else kind


def spread(run: Run, arrays: Mapping[str, xr.DataArray], dim: str) -> pd.DataFrame:
    """Reduce draws to expected value, lower and upper end: rows of ``dim``, columns (heading, part)."""
    columns: dict[tuple[str, str], pd.Series] = {}
    for heading, array in arrays.items():
        interval = q.interval(run, array)
        columns |= {(heading, part): interval[name].to_series() for part, name in PARTS.items()}
    return headed(pd.DataFrame(columns).rename_axis(dim)).rename(index=label)


def headed(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with columns (heading, part), part "" for plain ones."""
    pairs = [c if isinstance(c, tuple) else (label(c), "") for c in frame.columns]
    return frame.set_axis(pd.MultiIndex.from_tuples(pairs), axis=1)


def single(columns: Mapping[str, Any], index: Sequence[Any]) -> pd.DataFrame:
    """Return a frame of single columns, one a heading."""
    return headed(pd.DataFrame(columns, index=pd.Index(index)))


def plain(title: str, rows: str, columns: Mapping[str, tuple[Any, str]], index: Any, note: str = "") -> Table:
    """Return a table of single columns: values and kind by heading."""
    frame = pd.DataFrame({name: values for name, (values, _) in columns.items()}, index=pd.Index(np.asarray(index)))
    frame.columns = pd.MultiIndex.from_tuples([(name, "") for name in columns])
    return Table(title, rows, frame, {name: kind for name, (_, kind) in columns.items()}, note=note)


def matrix(array: xr.DataArray, rows: str, columns: str) -> pd.DataFrame:
    """Return a two-dimensional array as a frame with readable labels."""
    array = array.transpose(rows, columns)
    frame = pd.DataFrame(array.to_numpy(), index=array[rows].to_numpy(), columns=array[columns].to_numpy())
    return frame.rename(index=label)


def span_cost(run: Run) -> str:
    """Return what the cost of a cohort is called: lifetime cost, if a life is counted."""
    return counted("lifetime cost", run.scenario.horizon)


def basis(run: Run) -> str:
    """Return the price base and interval level, which every sum of money here shares."""
    return f"{run.scenario.price_base} prices; {q.level(run):.0%} intervals"


def accounts(components: xr.DataArray) -> str:
    """Return what each account counts, from the payer and the account of the components that are priced."""
    counted = set(zip(components["account"].values, components["payer"].values, strict=True))
    economic, social = (
        listed([inside(payer) for payer in PAYERS if (account, payer) in counted]) for account in ACCOUNTS[1:]
    )
    economic = f"what {economic} gain or lose in money" if economic else "nothing here"
    social = f"the harm done to {social}" if social else "nothing here"
    return (
        "Accounts are cumulative, so they are not to be added: fiscal is the public purse, economic adds "
        f"{economic}, social adds {social}. Wellbeing is not counted."
    )


def verb(run: Run) -> str:
    """Return the verb for what the plan is meant to do to cost."""
    return "caused" if run.scenario.cut else "avoided"


def year_names(run: Run, years: Iterable[Any]) -> list[str]:
    """Return the appraisal's years as financial years."""
    return [financial_year(run.scenario.first_year, int(year)) for year in years]


# Collective cost ---------------------------------------------------------------------------------


def lifetime_cost(run: Run, dim: str, *, each_child: bool = False) -> Table:
    """Cost of the entering cohort by outcome or payer, both readings, in total or for each child."""
    cost = q.with_all(q.by(q.lifetime(run), dim), dim)
    cost = cost / q.children(run)["entering"] if each_child else cost
    frame = spread(run, {costed(reading): cost.sel(reading=reading) for reading in q.READINGS}, dim)
    title = f"{label(span_cost(run))} of {'each child of ' if each_child else ''}the entering cohort, by {dim}"
    note = f"Present value, {basis(run)}. {'' if each_child or dim == 'payer' else ENTERING}".strip()
    return Table(title, label(dim), frame, "pounds" if each_child else "money", note=note)


def annual_cost(run: Run, dim: str) -> Table:
    """Cost of one year's outcomes among all once known to social care, by outcome or payer, both readings."""
    cost = q.with_all(q.by(q.annual(run), dim), dim)
    frame = spread(run, {costed(reading): cost.sel(reading=reading) for reading in q.READINGS}, dim)
    note = (
        f"{basis(run)}. Everyone in one year, not one cohort over years: it must not be added to or compared with "
        f"the {span_cost(run)}. The present value of what this year's events lead to later (justice, earnings) is in "
        "it, so it is more than budgets pay in the year."
    )
    title = f"Cost of one year's outcomes, the annual cross-section, by {dim}"
    return Table(title, label(dim), frame, "money", note=note)


def areas(run: Run) -> Table:
    """Cost, and cost avoided, of each area, by excess cost for each child."""
    costs, lifetime = q.costs(run), q.priced(run, "lifetime").sum("component")
    name = span_cost(run)
    entering = run.tree["lives"].to_dataset()["children_entering"]
    each = {f"{label(r)}, each child": lifetime.sel(reading=r) / entering for r in q.READINGS if r != "gross"}
    arrays = {
        f"Excess {name}": lifetime.sel(reading="excess"),
        **each,
        f"Gross {name}": lifetime.sel(reading="gross"),
        "One year's outcomes, gross": q.priced(run, "annual").sel(reading="gross").sum("component"),
        f"Cost {verb(run)} by the plan": q.direction(run) * q.priced(run, "benefit_by_area").sum("component"),
    }
    frame = spread(run, arrays, "area")
    frame.insert(0, ("Region", ""), costs["region"].values.astype(str))
    frame.insert(0, ("Code", ""), costs["area"].values.astype(str))
    frame = frame.set_axis(q.area_names(run)).sort_values(("Excess, each child", "expected"), ascending=False)
    kinds = dict.fromkeys(arrays, "money") | dict.fromkeys(each, "pounds") | {"Code": "text", "Region": "text"}
    note = (
        f"Social account, present value, {basis(run)}; highest excess cost for each child first. One year's outcomes "
        "hold the present value of what they lead to later. Ranks are uncertain: "
        "where intervals overlap, the order says little."
    )
    return Table("Cost by area", "Area", frame, kinds, note=note)


def shortened(table: Table, *, keep: Collection[str], ends: int = 10) -> Table:
    """Return the table with some of its headings and, if it is long, only its first and last rows."""
    frame = table.frame[[column for column in table.columns if column[0].startswith(tuple(keep))]]
    note, title = f"{table.note} The workbook holds more.", table.title
    if len(frame) > 2 * ends + 5:
        note = f"{note} The {ends} highest and {ends} lowest of {len(frame)}."
        frame, title = pd.concat([frame.head(ends), frame.tail(ends)]), f"{title}: highest and lowest"
    return replace(table, title=title, frame=frame, note=note)


# Appraisal ---------------------------------------------------------------------------------------


def avoided_by_outcome(run: Run) -> Table:
    """Cost avoided (for a cut: caused) over the years counted by outcome, in each account."""
    worth = q.with_all(q.result(run)["benefit"].sum("payer"), "outcome") * q.direction(run)
    frame = spread(run, {f"{label(account)} account": worth.sel(account=account) for account in ACCOUNTS}, "outcome")
    note = f"Present value, {basis(run)}. {accounts(q.costs(run)['cost'])}"
    title = f"Cost {verb(run)} {counted('over the lives of', run.scenario.horizon)} the children served, by outcome"
    return Table(title, "Outcome", frame, "money", note=note)


def avoided_by_outcome_and_payer(run: Run) -> Table:
    """Return the expected cost avoided by outcome (rows) and payer (columns), social account."""
    worth = q.result(run)["benefit"].sel(account="social", drop=True).mean(SAMPLE_DIMS) * q.direction(run)
    spared = q.priced(run, "lifetime")["payer"].values  # who only pays for the programme avoids nothing
    worth = q.with_all(worth.sel(payer=[payer for payer in PAYERS if payer in spared]), "payer")
    frame = headed(matrix(q.with_all(worth, "outcome"), "outcome", "payer"))
    note = f"Social account, present value, {run.scenario.price_base} prices; expected values only."
    return Table(f"Expected cost {verb(run)} by outcome and payer", "Outcome", frame, "money", note=note)


def who_pays(run: Run) -> Table:
    """Who pays and who gains over the appraisal, by payer."""
    position = q.with_all(q.position(run).to_dataarray("part"), "payer").to_dataset("part")
    names = {"avoided": "Cost avoided", "programme": "Spent on the plan", "net": "Net position"}
    frame = spread(run, {name: position[part] for part, name in names.items()}, "payer")
    frame = frame.drop(columns=[("Spent on the plan", "lower"), ("Spent on the plan", "upper")])
    order = frame["Net position", "expected"].drop("All").sort_values().index
    note = (
        f"Present value over {run.scenario.horizon} years, {basis(run)}; positive is a gain. It counts all cost "
        "avoided, whether or not any of it can be taken out of a budget."
    )
    return Table("Who pays and who gains", "Payer", frame.loc[[*order, "All"]], "money", note=note)


def payback(run: Run, *, offsets: Iterable[int] = PAYBACK_YEARS) -> Table:
    """Chance of having paid back by the end of chosen years, the last that of the horizon, by account."""
    chance, cut = q.paid_back(run), run.scenario.cut
    last = int(chance["year"].max())
    chosen = [year for year in offsets if year < last] + [last]
    frame = matrix(chance.sel(year=chosen), "year", "account").rename(columns=lambda name: f"{label(name)} account")
    frame = frame.set_axis(
        [f"{name} (year {year})" for name, year in zip(year_names(run, chosen), chosen, strict=True)]
    )
    never = f" What is missing from 100% in year {last} has not paid back within the appraisal: it counts as never."
    note = f"Discounted; year 0 is {financial_year(run.scenario.first_year, 0)}.{'' if cut else never}"
    title = "Chance that the cut still leaves the account ahead" if cut else "Chance of having paid back, by year"
    return Table(title, "By", headed(frame), "share", note=note)


def payback_every_year(run: Run) -> Table:
    """Chance of having paid back by each year of the appraisal."""
    return payback(run, offsets=range(run.scenario.horizon))


def council_cash(run: Run) -> Table:
    """Return the council's cashable position in the first ten years, yearly and running."""
    cash = q.council_cash(run).isel(year=slice(0, CASH_YEARS))
    frame = spread(run, {"In the year": cash, "Running total": cash.cumsum("year")}, "year")
    frame = frame.set_axis(year_names(run, cash["year"].values))
    if not run.scenario.cut and q.council_pays(run):
        chance = q.result(run)["council_probability_paid_back"].isel(year=slice(0, CASH_YEARS))
        frame["Chance paid back", ""] = chance.values
    kinds = {"In the year": "money", "Running total": "money", "Chance paid back": "share"}
    spending = " less the council's own spending" if q.council_pays(run) else "; a grant pays for the plan"
    note = (
        f"Cashable part of the cost avoided{spending}, {basis(run)}, not discounted (the chance of "
        "payback is). Only what could be taken out of a budget counts here."
    )
    return Table("The council's cash position, first ten years", "Year", frame, kinds, note=note)


def cash_by_payer(run: Run) -> Table:
    """Return the expected cashable net position of each payer in the first ten years."""
    cash = q.result(run)["cashable_net_position"].mean(SAMPLE_DIMS).isel(year=slice(0, CASH_YEARS))
    frame = matrix(cash.sel(payer=q.position(run)["payer"].values), "payer", "year")
    frame = headed(frame.set_axis(year_names(run, cash["year"].values), axis=1))
    whole = q.result(run)["cashable_net_position"].isel(year=slice(0, CASH_YEARS)).sum("year")
    frame = frame.join(spread(run, {"All of them": whole}, "payer"))
    title = "Expected cashable net position by payer and year, first ten years"
    note = (
        f"{basis(run)}, not discounted; the interval is of the sum of the years. A payer whose avoided cost cannot be "
        "cashed shows 0."
    )
    return Table(title, "Payer", frame, "money", note=note)


def yearly(run: Run) -> Table:
    """Return the expected net position by payer, each of thirty years and all later ones together."""
    net = q.result(run)["net_position"].mean(SAMPLE_DIMS).sel(payer=q.position(run)["payer"].values)
    flows = matrix(net, "year", "payer").set_axis(year_names(run, net["year"].values))
    frame = flows.iloc[:YEARLY]
    if len(flows) > YEARLY:
        later = f"{flows.index[YEARLY]} to {flows.index[-1]}"
        frame = pd.concat([frame, flows.iloc[YEARLY:].sum().to_frame(later).T])
    note = (
        f"Cost avoided less programme spending, {run.scenario.price_base} prices, real, not discounted, all accounts."
    )
    frame = headed(frame.assign(all=frame.sum(axis=1)))
    return Table("Expected net position by payer and year", "Year", frame, "money", note=note)


# Spend and cost, break-even, effects -------------------------------------------------------------


def spend_cost_curve(run: Run, account: str = "social") -> Table:
    """Return one account's spend-cost curve: its level, and its change from today's."""
    curve = q.curve(run).sel(account=account)
    arrays = {"Spend and cost": curve["net"], "Change": curve["change"]}
    frame = spread(run, arrays, "multiple")
    frame.insert(0, ("Spend a year", ""), curve["spend"].values)
    low, high = q.spend_range(run) or (1.0, 1.0)
    multiples = curve["multiple"].values
    frame["Seen within areas", ""] = ["yes" if low <= m <= high else "extrapolation" for m in multiples]
    frame = frame.set_axis([f"{multiple:.4g}" for multiple in multiples])
    kinds = dict.fromkeys(["Spend a year", *arrays], "money") | {"Seen within areas": "text"}
    note = (
        f"One year's early-help spend plus the excess {span_cost(run)} of the entering cohort that is left, "
        f"{basis(run)}. What is spent above or below today's buys the programmes of the plan in its proportions, "
        "whether or not there are so many children whom they are for. Change is against today's spend; below 0 is "
        "better."
    )
    return Table(f"Spend-cost curve, {account} account", "Spend, times today's", frame, kinds, note=note)


def curve_by_payer(run: Run) -> Table:
    """Return each payer's part of the spend-cost curve."""
    part = q.with_all(q.curve(run)["payer_part"], "payer")
    frame = spread(run, {label(payer): part.sel(payer=payer) for payer in part["payer"].values}, "multiple")
    frame = frame.set_axis([f"{multiple:.4g}" for multiple in part["multiple"].values])
    note = f"Excess {span_cost(run)} left, {basis(run)}; the local authority's part holds the spend."
    return Table("Spend-cost curve by payer", "Spend, times today's", frame, "money", note=note)


def marginal(run: Run) -> Table:
    """Return what the next pound a year avoids, by account."""
    steps = q.marginal(run)
    frame = spread(run, {"Avoided by a pound": steps["avoided"]}, "account")
    frame["Chance above a pound", ""] = steps["chance"].values
    frame = frame.rename(index=lambda account: f"{account} account")
    kinds = {"Avoided by a pound": "ratio", "Chance above a pound": "share"}
    note = (
        f"Pounds of {span_cost(run)} avoided by one more pound a year, spent on the programmes of the plan in its "
        f"proportions once they have their full effect; {q.level(run):.0%} intervals. It is the same for every pound "
        "while there are children left whom they are for. Accounts are cumulative."
    )
    return Table("What the next pound avoids", "Account", frame, kinds, note=note)


def switching(run: Run) -> Table:
    """Return what would have to be true for each account to break even."""
    columns: dict[float | str, str] = {
        0.0: "No effect",
        0.5: "Half of the effects",
        0.75: "Three quarters",
        1.0: "Effects as used",
        "multiple": "Breaks even at, times the effects",
    }
    frame = headed(q.switching(run).rename(columns=columns))
    kinds = dict.fromkeys(columns.values(), "money") | {columns["multiple"]: "number"}
    note = (
        f"Expected net present value, {run.scenario.price_base} prices, if the effects of all programmes were so much "
        "of those used. Avoided cost is taken as proportional to the effects: fair while these are modest, and not "
        "where help also detects need. The last column: at how many times the effects the account breaks even; above "
        "1 they fall short, and a dash means that nothing is avoided."
    )
    frame = frame.rename(index=lambda account: f"{label(account)} account")
    return Table("What would have to be true to break even", "Account", frame, kinds, note=note)


def effects(run: Run) -> Table:
    """Return the effect of each programme on each outcome, whose studies it rests on, or why it is not counted."""
    every, names = q.effects(run), q.programme_names(run)
    by_row = every.stack(row=("programme", "outcome"), create_index=False)
    pairs = list(zip(by_row["programme"].values.astype(str), by_row["outcome"].values.astype(str), strict=True))
    rows = [f"{names[programme]}: {inside(outcome)}" for programme, outcome in pairs]
    reasons = by_row["not_counted"].values.astype(str)
    counts = reasons == ""
    effect = by_row["effect"].drop_vars(["programme", "outcome"]).assign_coords(row=rows)
    frame = spread(run, {"Effect": effect}, "row")
    rated = np.array([outcome != STANDARDISED for _, outcome in pairs]) & counts
    frame["Hazard ratio", ""] = np.where(rated, 1.0 + effect.mean(SAMPLE_DIMS).values, np.nan)
    frame["Chance of harm", ""] = by_row["harmful"].mean(SAMPLE_DIMS).values
    frame[~counts] = np.nan
    frame["Evidence", ""] = [EVIDENCE[str(whose)] for whose in by_row["evidence"].values]
    frame["Not counted, because", ""] = reasons
    kinds = {"Effect": "by row", "Hazard ratio": "number", "Chance of harm": "share"}
    kinds |= {"Evidence": "text", "Not counted, because": "text"}
    scales = ["number" if outcome == STANDARDISED else "change" for _, outcome in pairs]
    note = (
        f"For a child served, expected with {q.level(run):.0%} intervals, where the programme is delivered by others: "
        "less what is lost in scale-up, before ramp, take-up and fade-out. Relative change in the rate at which the "
        "outcome happens, and the hazard ratio that is; for GCSE attainment the shift in standard deviations, where "
        "positive is better. What no study counts for is not counted, which is not to say that it is nil."
    )
    return Table(
        "What each programme changes", "Programme and outcome", frame, kinds, dict(zip(rows, scales, strict=True)), note
    )
