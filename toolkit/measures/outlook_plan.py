"""An outlook with a plan on it, as a page shows it: fans of draws, the sentence and what is not counted."""

import pandas as pd
import xarray as xr

from toolkit.measures import words as w
from toolkit.measures.growth import LEVEL, reduced, year_label
from toolkit.measures.outlook import weekly
from toolkit.schema import SAMPLE_DIMS

ENDS = {"lower": 0.05, "low": 0.25, "median": 0.5, "high": 0.75, "upper": 0.95}
PRICED = ("residential", "fostering")
SENTENCE_YEAR = 2030  # 2030/31, the last of the five years of a budget paper
LEADS = {
    "model": "In {} we expect",
    "flat": "If as many children stay looked after as now, there are in {}",
    "review": "If the number of children grows as the independent review foresaw, there are in {}",
    "counties": "If the number of children grows as the county councils foresaw, there are in {}",
}
NOT_COUNTED = (
    "Other children who take the places that a plan frees, and prices that move with demand.",
    "Overheads: a child kept out of care saves a placement at the average price, which a prevented stay may not cost.",
    "Levers without a study (step-down, foster carers, price growth, agency posts) and checks of proposed savings: the "
    "command outcomes budget has them.",
    "Everything but children’s social care: what a plan is worth to others, and after eighteen, is on the first page.",
)


def drawn_in_cash(outlook: xr.Dataset) -> xr.Dataset:
    """Return the draws that a page shows of an outlook, areas together, by the year in which the financial year starts.

    Parameters
    ----------
    outlook
        From `toolkit.outlook.forecast`.

    Returns
    -------
    Dataset
        ``children`` at the end of the year; ``residential`` and ``fostering``, GBP a week; ``spend`` on children looked
        after, GBP a year; all (year, chain, draw), money in cash of the year. The first year is that of the statistics.
    """
    price = weekly(outlook) * outlook["to_cash"]
    parts = {
        "children": outlook["children"].sum(["area", "placement"]),
        "spend": outlook["spend_cash"].sum(["area", "placement"]),
        **{kind: price.sel(placement=kind, drop=True) for kind in PRICED},
    }
    whole = xr.Dataset({name: part.transpose("year", *SAMPLE_DIMS) for name, part in parts.items()})
    return whole.reset_coords(drop=True).assign_coords(year=outlook["year"].values - 1)


def with_plan(draws: xr.Dataset, paper: xr.Dataset) -> xr.Dataset:
    """Return draws of :func:`drawn_in_cash` less what the lines of `growth.on_top` avoid; prices stay as they are."""
    less = xr.Dataset({"children": paper["fewer"].sum(["line", "placement"]), "spend": paper["avoided"].sum("line")})
    return draws.assign(draws[list(less)] - less.reset_coords(drop=True).reindex(year=draws["year"], fill_value=0.0))


def fan(draws: xr.DataArray) -> pd.DataFrame:
    """Return median and ends of the 50 and 90 per cent intervals by year, under the names of ``ENDS``."""
    every = draws.quantile(list(ENDS.values()), SAMPLE_DIMS).transpose("year", "quantile")
    return pd.DataFrame(every.to_numpy(), index=draws["year"].to_index(), columns=list(ENDS))


def opening(draws: xr.Dataset, paper: xr.Dataset, baseline: str, *, year: int = SENTENCE_YEAR) -> str:
    """Return in a few sentences where the budget is heading and what a plan does to it.

    Parameters
    ----------
    draws
        From :func:`drawn_in_cash`.
    paper
        From `growth.on_top`, for the same areas.
    baseline
        Of the outlook.
    year
        In which the financial year starts.
    """
    people, spend = (fan(draws[part]).loc[[year]].to_dict("records")[0] for part in ("children", "spend"))
    number, least, most = (w.number(people[end], 0) for end in ("median", "lower", "upper"))
    counted = f"about {number} children looked after ({LEVEL:.0%} interval: {least} to {most})"
    if least == most:  # a baseline of which no draw differs
        counted = f"{number} children looked after"
    spread = w.interval(spend["lower"], spend["upper"], w.money)
    lead = f"{LEADS[baseline].format(year_label(year))} {counted}, at {w.money(spend['median'])} a year in cash"
    whole = paper[["avoided", "growth_avoided", "cash_released", "spent"]].sum("line")
    avoided = reduced(whole["avoided"].sel(year=year))
    growth, cash = (w.money(float(whole[name].sel(year=year).mean())) for name in ("growth_avoided", "cash_released"))
    expected, low, high = (float(avoided[part]) for part in ("mean", "lower", "upper"))
    if expected < 0:
        plan = f"adds about {w.money(-expected)} in that year ({w.interval(-high, -low)})."
    else:
        plan = (
            f"avoids about {w.money(expected)} in that year ({w.interval(low, high)}): {growth} is growth "
            f"avoided, not money in hand, and {cash} of cash can leave the budget."
        )
    paid = float(whole["spent"].sel(year=slice(None, year)).sum("year").mean())
    years = f"from {year_label(int(paper['year'][0]))} to {year_label(year)}"
    return f"{lead} ({LEVEL:.0%} interval: {spread}). The plan {plan} It costs {w.money(paid)} {years}."
