"""The medium-term view: the council's budget in the cash of each year of a budget paper, and its table."""

import json

import pandas as pd
import xarray as xr

from toolkit import appraisal
from toolkit.measures import quantities as q
from toolkit.measures import words as w
from toolkit.measures.quantities import Run
from toolkit.measures.tables import Table, spread
from toolkit.prices import rebase
from toolkit.schema import SAMPLE_DIMS

BUDGET_YEARS = 5


def medium_term(run: Run) -> xr.DataArray:
    """Return what the plan does to the council's budget in the cash of each of the first years, from payers' totals.

    Returns
    -------
    DataArray, dims (line, year, chain, draw), GBP: as :func:`medium_term_by_component`, with the savings of all
    components as one line, so that it needs no priced components.
    """
    real = q.council_cash(run).isel(year=slice(0, BUDGET_YEARS)).transpose("year", *SAMPLE_DIMS)
    years = [w.financial_year(run.scenario.first_year, int(year)) for year in real["year"].values]
    deflators = deflators_of(run)
    index = [rebase(1.0, run.scenario.price_base, to=year, deflators=deflators) for year in years]
    cash = xr.DataArray(index, coords={"year": real["year"]})
    spending = q.spending(run).sel(year=real["year"])
    net, spent = real * cash, spending.where(spending["payer"] == q.COUNCIL, 0.0).sum("payer") * cash
    lines = {
        "programme": xr.zeros_like(net) - spent,
        "cash_released": net + spent,
        "net": net,
        "cumulative": net.cumsum("year").assign_coords(year=net["year"]),
    }
    joined = xr.concat(list(lines.values()), xr.Variable("line", list(lines)), coords="minimal", compat="override")
    return joined.assign_coords(financial_year=("year", years))


def medium_term_by_component(run: Run) -> xr.DataArray:
    """Return the council's budget lines in cash prices (line, year, chain, draw), a line for each component."""
    view = appraisal.medium_term_view(
        q.costs(run)["cost"],
        deflators=deflators_of(run),
        first_year=run.scenario.first_year,
        years=min(BUDGET_YEARS, run.scenario.horizon),
        cashable_shares={"partly_cashable": q.drawn(run)["cashable_share_partly"]},
        cash_step=run.scenario.cash_step,
    )
    names = ["programme" if line == f"programme_{q.COUNCIL}" else line for line in view["line"].values]
    return view.assign_coords(line=names)


def medium_term_table(run: Run, view: xr.DataArray) -> Table:
    """Return the council's budget lines, the net and its running total, in the cash of each year."""
    lines = {str(line): view.sel(line=line, drop=True) for line in view["line"].values}
    named = {"net": "Net in the year", "cumulative": "Running total", "programme": "Spent on the plan"}
    ends = ("net", "cumulative")  # the lines with an interval
    order = [*ends, *(line for line in lines if line not in ends)]
    frame = spread(run, {named.get(line, w.label(line)): lines[line] for line in order}, "year")
    single = [
        (named.get(line, w.label(line)), part) for line in lines if line not in ends for part in ("lower", "upper")
    ]
    frame = frame.drop(columns=single).set_axis(view["financial_year"].values.astype(str))
    note = (
        f"Cash of each year: {run.scenario.price_base} prices raised by the Treasury's GDP deflator forecast, not "
        f"discounted; {q.level(run):.0%} intervals. Spending is negative. A saving counts only as far as it can be "
        "taken out of a budget, in the year in which it can; what leaves no budget is not shown."
    )
    return Table("The council's medium-term view, in cash", "Year", frame, "money", note=note)


def deflators_of(run: Run) -> pd.Series:
    """Return the deflators that a run used."""
    return pd.Series(json.loads(str(run.tree.attrs["deflators"])))
