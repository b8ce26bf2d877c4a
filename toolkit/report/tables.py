"""The tables of the report and the workbook: one record each, read by both, so that they cannot differ."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import xarray as xr

from toolkit import appraisal
from toolkit.report import quantities as q
from toolkit.report.quantities import Run
from toolkit.report.words import financial_year, label
from toolkit.schema import ACCOUNTS, SAMPLE_DIMS

PARTS = {"expected": "mean", "lower": "lower", "upper": "upper"}
CASH_YEARS = 10
YEARLY = 30


@dataclass(frozen=True)
class Table:
    """One table: numbers, and how each column reads.

    Attributes
    ----------
    title
        Caption; says what it is of and which cohort.
    rows
        Name of the first column, the row labels.
    frame
        Columns (heading, part), part one of "expected", "lower", "upper" (an interval at the run's level)
        or "" for a single number or text. Numbers are in full: pounds, not millions.
    kinds
        By heading: money (one scale a table), pounds (each in full), share, change, ratio, count, number,
        figure (as cited), text, or "by row".
    row_kinds
        By row label, where a heading's kind is "by row".
    note
        What a reader must know beside it.
    """

    title: str
    rows: str
    frame: pd.DataFrame
    kinds: Mapping[str, str]
    row_kinds: Mapping[str, str] = field(default_factory=dict)
    note: str = ""

    def kind(self, row: object, heading: str) -> str:
        """Return how one cell reads."""
        kind = self.kinds[heading]
        return self.row_kinds[str(row)] if kind == "by row" else kind


def interval_columns(run: Run, arrays: Mapping[str, xr.DataArray], dim: str) -> pd.DataFrame:
    """Reduce draws to expected value, lower and upper end: rows of ``dim``, columns (heading, part)."""
    columns: dict[tuple[str, str], pd.Series] = {}
    for heading, array in arrays.items():
        found = appraisal.summarise(array.reset_coords(drop=True), level=q.level(run))
        for part, name in PARTS.items():
            columns[heading, part] = found[name].to_series()
    return headed(pd.DataFrame(columns).rename_axis(dim))


def headed(frame: pd.DataFrame) -> pd.DataFrame:
    frame.columns = pd.MultiIndex.from_tuples([c if isinstance(c, tuple) else (str(c), "") for c in frame.columns])
    return frame


def single(columns: Mapping[str, Any], index: Sequence[Any]) -> pd.DataFrame:
    return headed(pd.DataFrame(columns, index=pd.Index(index)))


def named(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.rename(index=label)


def basis(run: Run) -> str:
    """Say the price base, schedule and level that every sum of money here shares."""
    return f"{run.scenario.price_base} prices; {q.level(run):.0%} intervals"


# Collective cost ---------------------------------------------------------------------------------


def lifetime_cost(run: Run, dim: str) -> Table:
    """Lifetime cost of the entering cohort by outcome or payer: both readings, in total and per child."""
    cost = q.with_all(q.by(q.priced(run, "lifetime").sum("area"), dim), dim)
    entering = q.children(run)["entering"]
    arrays = {}
    for reading in ("excess", "gross"):
        arrays[f"{label(reading)} cost"] = cost.sel(reading=reading)
    for reading in ("excess", "gross"):
        arrays[f"{label(reading)}, each child"] = cost.sel(reading=reading) / entering
    return Table(
        f"Lifetime cost of the entering cohort by {dim}",
        label(dim),
        named(interval_columns(run, arrays, dim)),
        {name: "pounds" if name.endswith("each child") else "money" for name in arrays},
        note=f"Present value, {basis(run)}. The entering cohort is the children who start a first episode of need in the "
        "base year. Gross counts all that the outcomes use; excess, the headline, only what goes beyond children of the "
        "same age and area, shrunk to the part that would vanish with the outcome. Neither is a saving.",
    )


def annual_cost(run: Run, dim: str) -> Table:
    """Cost of one year's outcomes among all children known to social care, by outcome or payer."""
    cost = q.with_all(q.by(q.priced(run, "annual").sum("area"), dim), dim)
    return Table(
        f"Cost of one year's outcomes, the annual cross-section, by {dim}",
        label(dim),
        named(interval_columns(run, {"Gross cost": cost}, dim)),
        {"Gross cost": "money"},
        note=f"{basis(run)}. Everyone in one year, not one cohort over its life: it must not be added to or compared with "
        "the lifetime cost. What this year's events lead to later (justice, earnings) is in it at present value.",
    )


def areas(run: Run) -> Table:
    """Cost, and cost avoided, of each area."""
    entering = run.tree["lives"]["children_entering"]
    lifetime = q.priced(run, "lifetime").sum("component")
    verb = "caused" if run.scenario.option.cut else "avoided"
    arrays = {
        "Excess lifetime cost": lifetime.sel(reading="excess"),
        "Excess, each child": lifetime.sel(reading="excess") / entering,
        "Gross lifetime cost": lifetime.sel(reading="gross"),
        "One year's outcomes": q.priced(run, "annual").sum("component"),
        f"Cost {verb} by the option": q.direction(run) * q.priced(run, "benefit_by_area").sum("component"),
    }
    frame = interval_columns(run, arrays, "area")
    costs = run.tree["costs"]
    frame.insert(0, ("Region", ""), [str(name) for name in costs["region"].values])
    frame.insert(0, ("Code", ""), [str(code) for code in frame.index])
    frame.index = pd.Index(q.area_names(run), name="area")
    kinds = {name: "pounds" if name.endswith("each child") else "money" for name in arrays}
    return Table(
        "Cost by area",
        "Area",
        frame.sort_values(("Excess, each child", "expected"), ascending=False),
        kinds | {"Code": "text", "Region": "text"},
        note=f"Social account, present value, {basis(run)}; by excess cost for each child, highest first. Ranks are "
        "uncertain: where intervals overlap, the order says little.",
    )


def shortened(table: Table, *, ends: int = 10) -> Table:
    """Return the table with only its first and last rows if it is long; the workbook holds them all."""
    if len(table.frame) <= 2 * ends + 5:
        return table
    frame = pd.concat([table.frame.head(ends), table.frame.tail(ends)])
    note = f"{table.note} The {ends} highest and {ends} lowest of {len(table.frame)}; the workbook holds all."
    return Table(f"{table.title}: highest and lowest", table.rows, frame, table.kinds, note=note)


# Appraisal ---------------------------------------------------------------------------------------


def avoided_by_outcome(run: Run) -> Table:
    """Cost avoided (for a cut: caused) over life by outcome, in each account."""
    worth = q.with_all(q.avoided(run).sum("payer"), "outcome") * q.direction(run)
    arrays = {f"{label(account)} account": worth.sel(account=account) for account in ACCOUNTS}
    verb = "caused" if run.scenario.option.cut else "avoided"
    return Table(
        f"Cost {verb} over the lives of the children reached, by outcome",
        "Outcome",
        named(interval_columns(run, arrays, "outcome")),
        dict.fromkeys(arrays, "money"),
        note=f"Present value, {basis(run)}. Accounts are cumulative, so they are not to be added: fiscal is the public "
        "purse, economic adds output, social adds harm and wellbeing.",
    )


def avoided_by_outcome_and_payer(run: Run) -> Table:
    """Expected cost avoided by outcome (rows) and payer (columns), social account."""
    worth = q.avoided(run).sel(account="social", drop=True).mean(SAMPLE_DIMS) * q.direction(run)
    order = q.position(run)["payer"].values
    frame = q.with_all(q.with_all(worth.sel(payer=order), "payer"), "outcome").to_pandas()
    verb = "caused" if run.scenario.option.cut else "avoided"
    columns = {label(payer): frame[payer] for payer in frame.columns}
    return Table(
        f"Expected cost {verb} by outcome and payer",
        "Outcome",
        named(headed(pd.DataFrame(columns))),
        dict.fromkeys(columns, "money"),
        note=f"Social account, present value, {run.scenario.price_base} prices; expected values only.",
    )


def who_pays(run: Run) -> Table:
    """Who pays and who gains over the appraisal, by payer."""
    found = q.with_all(q.position(run).to_dataarray("part"), "payer").to_dataset("part")
    arrays = {"Cost avoided": found["avoided"], "Programme": found["programme"], "Net position": found["net"]}
    frame = named(interval_columns(run, arrays, "payer")).drop(columns=[("Programme", "lower"), ("Programme", "upper")])
    order = frame[("Net position", "expected")].drop("All").sort_values().index
    return Table(
        "Who pays and who gains",
        "Payer",
        frame.loc[[*order, "All"]],
        dict.fromkeys(arrays, "money"),
        note=f"Present value over {run.scenario.horizon} years, {basis(run)}; positive is a gain. It counts all cost "
        "avoided, whether or not any of it can be taken out of a budget.",
    )


def payback(run: Run, *, offsets: Iterable[int] | None = None) -> Table:
    """Chance of having paid back by the end of chosen years, and ever, by account."""
    chance = q.paid_back(run)
    last = int(chance["year"].max())
    chosen = [y for y in (offsets if offsets is not None else (5, 10, 15, 20, 30, 40, 50, 60)) if y < last] + [last]
    frame = chance.sel(year=chosen).to_pandas().T
    frame.columns = [f"{label(account)} account" for account in frame.columns]
    frame.index = pd.Index([f"{financial_year(run.scenario.first_year, y)} (year {y})" for y in chosen])
    cut = run.scenario.option.cut
    return Table(
        "Chance that the cut still leaves the account ahead" if cut else "Chance of having paid back, by year",
        "By",
        headed(frame),
        dict.fromkeys(map(str, frame.columns), "share"),
        note=f"Discounted; year 0 is {financial_year(run.scenario.first_year, 0)}."
        + ("" if cut else f" What is missing from 100% in year {last} has not paid back within the appraisal: never, as far as the evidence goes."),
    )


def payback_every_year(run: Run) -> Table:
    """Chance of having paid back by each year of the appraisal."""
    return payback(run, offsets=range(run.scenario.horizon))


def council_cash(run: Run) -> Table:
    """The council's cashable position in the first ten years, yearly and running."""
    years = slice(0, CASH_YEARS - 1)
    cash = q.result(run)["cashable_net_position"].sel(payer=q.COUNCIL, drop=True).sel(year=years)
    frame = interval_columns(run, {"In the year": cash, "Running total": cash.cumsum("year")}, "year")
    chance = q.result(run)["council_probability_paid_back"].sel(year=years)
    if not run.scenario.option.cut:
        frame[("Chance paid back", "")] = chance.to_series()
    frame.index = pd.Index([financial_year(run.scenario.first_year, int(y)) for y in frame.index])
    return Table(
        "The council's cash position, first ten years",
        "Year",
        headed(frame),
        {"In the year": "money", "Running total": "money", "Chance paid back": "share"},
        note=f"Cashable savings less programme spending, {basis(run)}, not discounted (the chance of payback is). Only "
        "what could be taken out of a budget counts here.",
    )


def cash_by_payer(run: Run) -> Table:
    """Expected cashable net position of each payer in the first ten years."""
    cash = q.result(run)["cashable_net_position"].mean(SAMPLE_DIMS).sel(year=slice(0, CASH_YEARS - 1))
    frame = cash.sel(payer=q.position(run)["payer"].values).to_pandas()
    frame.columns = [financial_year(run.scenario.first_year, int(y)) for y in frame.columns]
    return Table(
        "Expected cashable net position by payer and year, first ten years",
        "Payer",
        named(headed(frame)),
        dict.fromkeys(map(str, frame.columns), "money"),
        note=f"{run.scenario.price_base} prices, not discounted. A payer whose avoided cost cannot be cashed shows nought.",
    )


def yearly(run: Run) -> Table:
    """Expected net position by payer, each of the first thirty years and all later ones together."""
    flows = q.result(run)["net_position"].mean(SAMPLE_DIMS).sel(payer=q.position(run)["payer"].values).to_pandas().T
    head, tail = flows.iloc[:YEARLY], flows.iloc[YEARLY:]
    first = run.scenario.first_year
    frame = head.set_axis([financial_year(first, int(y)) for y in head.index])
    if len(tail):
        later = f"{financial_year(first, YEARLY)} to {financial_year(first, int(tail.index[-1]))}"
        frame = pd.concat([frame, tail.sum().to_frame(later).T])
    frame = frame.assign(all=frame.sum(axis=1)).rename(columns=label)
    return Table(
        "Expected net position by payer and year",
        "Year",
        headed(frame),
        dict.fromkeys(map(str, frame.columns), "money"),
        note=f"Cost avoided less programme spending, {run.scenario.price_base} prices, real and not discounted, all accounts.",
    )
