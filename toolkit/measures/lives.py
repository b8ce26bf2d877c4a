"""What lives cost: where children are at each age, who bears what, by history, and beside neighbours."""

import numpy as np
import xarray as xr

from toolkit.measures import quantities as q
from toolkit.measures.quantities import Run
from toolkit.measures.tables import Table, basis, span_cost, spread
from toolkit.measures.words import area, counted, inside, label
from toolkit.schema import PAYERS

__all__ = [
    "CHOICES",
    "EVERYONE",
    "PERIODS",
    "STATES",
    "beside",
    "choices",
    "choices_table",
    "cohort",
    "cost_by_age",
    "cost_by_age_table",
    "cost_by_history",
    "history_table",
    "lives_tables",
    "neighbour_names",
    "neighbours_table",
    "occupancy",
    "occupancy_table",
    "waterfall",
    "waterfall_table",
]

STATES = {
    "looked_after": "Looked after",
    "left_care": "Left care",
    "open": "Case open",
    "closed": "Case closed",
    "not_yet": "Not yet in need",
}
CHOICES = {  # what other prices of the same there are, in the words of the table
    "undetected_share_low": "Undetected crime: about one real offence for each proven one",
    "undetected_share_high": "Undetected crime: all of it laid to known offenders",
    "bottom_up_justice": "Youth justice: built up from today's spending, in place of the nine-year price",
    "earnings_by_grade": "Earnings: by grade in every subject, in place of passing English and maths",
    "without_quality_of_life": "Wellbeing: without quality of life after maltreatment",
    "wellby": "Wellbeing: WELLBYs of care leavers, only in place of quality of life",
}
PERIODS = {"lifetime": ("Life", "each child entering"), "annual": ("Year", "each child of 0 to 17")}
EVERYONE = "all"


def life_course(run: Run) -> xr.Dataset:
    """Return the entering cohort's lives by age and history, from ``pricing.life_course``."""
    return run.tree["life_course"].to_dataset()


def cohort(run: Run) -> xr.DataArray:
    """Return the children of the entering cohort (chain, draw)."""
    return life_course(run)["children"].sum("history")


def occupancy(run: Run) -> xr.DataArray:
    """Return the share of the cohort in each of ``STATES`` at each age (state, child_age, chain, draw)."""
    in_need = life_course(run)["occupancy"] / cohort(run)
    not_yet = (1.0 - in_need.sum("state")).expand_dims(state=["not_yet"])
    return xr.concat([in_need, not_yet], "state").sel(state=list(STATES))


def cost_by_age(run: Run) -> xr.DataArray:
    """Return the cost of a child of the cohort at each age (reading, payer, age, chain, draw), not discounted."""
    paid = life_course(run)["by_age"]
    return paid.sel(payer=[payer for payer in PAYERS if payer in paid["payer"].values]) / cohort(run)


def cost_by_history(run: Run) -> xr.DataArray:
    """Return the lifetime cost of a child by whether it is looked after by eighteen (history, reading, chain, draw)."""
    lives = life_course(run)
    cost = q.with_all(lives["by_history"].sum("component"), "history")
    return cost / q.with_all(lives["children"], "history")


def waterfall(run: Run, reading: str = "excess") -> xr.Dataset:
    """Return the steps from gross to excess lifetime cost, over either comparator, an outcome each.

    Returns
    -------
    xr.Dataset, dims step, chain, draw
        ``contribution``: the gross cost, what each outcome takes off, and the excess that is left; ``result`` after
        each step. The first contribution and those of the outcomes add up to the last.
    """
    cost = q.by(q.lifetime(run), "outcome")
    gross, excess = (cost.sel(reading=name, drop=True) for name in ("gross", reading))
    taken = (excess - gross).rename(outcome="step")
    start = gross.sum("outcome").expand_dims(step=["gross"])
    down = xr.concat([start, taken], "step")
    result = down.cumsum("step").assign_coords(step=down["step"])
    end = excess.sum("outcome").expand_dims(step=["excess"])
    return xr.Dataset({"contribution": xr.concat([down, end], "step"), "result": xr.concat([result, end], "step")})


def choices(run: Run) -> xr.DataArray:
    """Return what other prices of the same would add to a child's excess cost (choice, chain, draw), GBP."""
    known = life_course(run)["choices"]
    return known.sel(choice=[name for name in CHOICES if name in known["choice"].values]) / cohort(run)


def beside(run: Run) -> xr.Dataset | None:
    """Return the cost of the run's single area and its neighbours, or None if the run has none.

    Returns
    -------
    xr.Dataset, dims period, reading, area, chain, draw
        ``total`` and ``each``: for each child entering, or of 0 to 17.
    """
    if "neighbours" not in run.tree.children:
        return None
    neighbours = run.tree["neighbours"].to_dataset()
    return xr.Dataset({"total": neighbours["cost"], "each": neighbours["cost"] / neighbours["children"]})


# Tables ------------------------------------------------------------------------------------------


def lives_tables(run: Run) -> dict[str, Table]:
    """Return the tables of what lives cost, by name."""
    tables = {
        "occupancy": occupancy_table(run),
        "cost_by_age": cost_by_age_table(run),
        "by_history": history_table(run),
        "waterfall": waterfall_table(run),
        "choices": choices_table(run),
    }
    return tables if beside(run) is None else tables | {"neighbours": neighbours_table(run)}


def occupancy_table(run: Run) -> Table:
    """Return where children are at each age."""
    shares = occupancy(run)
    frame = spread(run, {name: shares.sel(state=state) for state, name in STATES.items()}, "child_age")
    note = (
        f"Shares of the year of age, without help, of the children who come into need by eighteen; "
        f"{q.level(run):.0%} intervals. "
        "A case is open while a child is in need, on a protection plan or not; closed, it may open again."
    )
    return Table("Where the children of the entering cohort are, by age", "Age", frame, "rate", note=note)


def cost_by_age_table(run: Run) -> Table:
    """Return what a child costs at each age, by payer."""
    cost = cost_by_age(run)
    gross = q.with_all(cost.sel(reading="gross", drop=True), "payer")
    arrays = {f"Gross: {label(payer)}": gross.sel(payer=payer) for payer in gross["payer"].values}
    over = {f"{label(r)}: All": cost.sel(reading=r).sum("payer") for r in q.READINGS if r != "gross"}
    frame = spread(run, arrays | over, "age")
    note = (
        f"A year of age, for each child of the entering cohort, at today's prices and not discounted, {basis(run)}. "
        "Below 0: benefits that people receive, which the DWP pays."
    )
    return Table("Cost of a child by age and payer", "Age", frame, "pounds", note=note)


def periods(run: Run) -> dict[str, tuple[str, str]]:
    """Return what each period is called, and of which children a mean of it is."""
    (life, entering), year = PERIODS["lifetime"], PERIODS["annual"]
    return {"lifetime": (counted(life, run.scenario.horizon), entering), "annual": year}


def history_table(run: Run) -> Table:
    """Return the cost of a child by history."""
    lives, cost = life_course(run), cost_by_history(run)
    children = q.with_all(lives["children"], "history")
    arrays = {f"{label(name)}, each child": cost.sel(reading=name) for name in q.READINGS}
    frame = spread(run, {"Children": children, **arrays}, "history")
    gap = float((lives["peers_gap"] / lives["children"].sel(history="looked after by 18")).mean())
    note = (
        f"Present value, social account, {basis(run)}. The interval is of the mean child: children differ far more. "
        "Care, what follows it and life after eighteen are separated exactly; years in need are shared out by their "
        "hazard of care, an approximation within a third. Set against in-need pupils instead of all pupils, of 100 "
        f"children looked after {100 * abs(gap):.1f} {'more' if gap > 0 else 'fewer'} miss grade 4 in both subjects."
    )
    kinds = {"Children": "count"} | dict.fromkeys(arrays, "pounds")
    return Table(f"{label(span_cost(run))} of a child, by history", "History", frame, kinds, note=note)


def waterfall_table(run: Run) -> Table:
    """Return the steps from gross to excess cost."""
    steps, over = waterfall(run), waterfall(run, "excess_never").assign_coords(step=waterfall(run)["step"])
    columns = {"Step": steps["contribution"], "Running total": steps["result"]}
    frame = spread(run, columns | {"Step, over never in need": over["contribution"]}, "step")
    note = (
        f"{label(span_cost(run))} of the entering cohort, present value, {basis(run)}. Each outcome takes off what "
        "other children of the age and area have too, and what would remain of the gap without the outcome; the last "
        "column is the same with children never in need as the others."
    )
    return Table(f"From gross to excess {span_cost(run)}, outcome by outcome", "Step", frame, "money", note=note)


def choices_table(run: Run) -> Table:
    """Return a child's excess cost at other prices of the same things, each beside the run's own."""
    now, other = cost_by_history(run).sel(history=EVERYONE, reading="excess", drop=True), choices(run)
    names = ["As it stands", *(CHOICES[name] for name in other["choice"].values)]
    added = xr.concat([xr.zeros_like(now), *other.transpose("choice", ...).drop_vars("choice")], "choice")
    frame = spread(run, {"Adds": added, "Each child": now + added}, "choice").set_axis(names)
    note = (
        f"Excess {span_cost(run)}, social account, {basis(run)}. One choice is changed at a time, and none is added to "
        "what it stands in for. The reasons why none is the default are in cost_options.csv and judgements.csv."
    )
    return Table("A child's cost at other prices of the same", "Choice", frame, "pounds", note=note)


def neighbours_table(run: Run) -> Table:
    """Return the area's cost beside that of its statistical neighbours, the area first."""
    costs = beside(run)
    assert costs is not None
    arrays, kinds, life = {}, {}, periods(run)["lifetime"][0]
    for period, (name, each) in periods(run).items():
        for reading in q.READINGS:
            cost = costs.sel(period=period, reading=reading, drop=True)
            for part, heading, kind in (("total", "all", "money"), ("each", each, "pounds")):
                arrays[f"{name}, {inside(reading)}, {heading}"] = cost[part]
                kinds[f"{name}, {inside(reading)}, {heading}"] = kind
    frame = spread(run, arrays, "area").set_axis(neighbour_names(costs))
    note = (
        f"Social account, {basis(run)}; nearest neighbour first (statistical neighbours of the Department for "
        f"Education). {life}: present value of a year's children newly in need. Year: one year's outcomes "
        "and the present value of what they lead to. Areas share figures and prices of England, so their differences "
        "are more certain than the intervals suggest."
    )
    return Table("Beside the area's statistical neighbours", "Area", frame, kinds, note=note)


def neighbour_names(neighbours: xr.Dataset) -> list[str]:
    """Return the names of the areas, in their order."""
    return [area(str(name)) for name in np.asarray(neighbours["area_name"].values)]


def __dir__() -> list[str]:
    return __all__
