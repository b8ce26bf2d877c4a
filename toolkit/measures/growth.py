"""A plan and levers on top of a council's outlook: growth avoided, cash released and spend side by side by year."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr

from toolkit import appraisal
from toolkit.appraisal.accounts import CASHABLE_SHARES
from toolkit.appraisal.growth import growth_and_cash
from toolkit.levers import FOSTERING, HOMES, LEVERS, Effect
from toolkit.measures import plan
from toolkit.measures import quantities as q
from toolkit.measures import words as w
from toolkit.measures.budget import deflators_of
from toolkit.measures.quantities import Run
from toolkit.measures.tables import Table, headed
from toolkit.models.outlook.dataset import WEEKS
from toolkit.prices import rebase
from toolkit.schema import PRICE_BASE, SAMPLE_DIMS, InputError, aligned

__all__ = ["LEVEL", "RULE", "YEARS", "growth_table", "lever_lines", "on_top", "plan_lines", "reduced", "year_label"]

LEVEL, YEARS = 0.9, 5
RULE = (
    "Savings first reduce the growth of spend above this year's; only what they take off beyond that brings spend "
    "below this year's, and only that can leave the budget, as far as it is cash, {lag} later. Growth avoided is a "
    "smaller rise, not money in hand."
)
TIES = "Growth avoided and spend below this year's add up to what the plan takes off spend in the year."
ARITHMETIC = "no study: arithmetic"
PLACEMENT = "care_residential"  # the priced component whose cashability placements have


def year_label(year: int) -> str:
    """Return the financial year that starts in a year: 2026 is 2026/27."""
    return w.financial_year(year, 0)


def plan_lines(run: Run, outlook: xr.Dataset) -> xr.Dataset:
    """Return what each programme of a run's plan does to an outlook.

    A child kept out of care is taken from all types of placement as children are in them, at their average prices.

    Parameters
    ----------
    run
        For the areas of the outlook.
    outlook
        From `toolkit.levers.council`.

    Returns
    -------
    Dataset
        ``avoided``, ``spent`` (line, year, chain, draw), GBP in the outlook's price base, and ``fewer`` (line,
        placement, year, chain, draw), children; by line ``description``, ``measure`` (the programme), ``kind``,
        ``funder``, ``confidence`` and ``believed``. Years are those of the outlook after this one.

    Raises
    ------
    InputError
        A run whose outcomes leave care out, or that ends before the outlook's years do.
    """
    later, scenario = outlook.isel(year=slice(1, None)), run.scenario
    years, first = later["year"].values, int(scenario.first_year)
    if "care" not in scenario.outcomes:
        raise InputError("outcomes: care is left out, so no child is kept out of it.", fix="add care to them.")
    if years[-1] >= first + scenario.horizon:
        raise InputError(
            f"horizon: {scenario.horizon} years from {first} end before {year_label(int(years[-1]))}.",
            fix="make it longer.",
        )
    lives = run.tree["lives"].to_dataset()
    in_base = rebase(1.0, scenario.price_base, to=PRICE_BASE, deflators=deflators_of(run))
    parts = {"kept": lives["care_avoided"], "spent": q.costs(run)["spent_on"] * in_base}
    placed = {
        name: on_draws(array.assign_coords(year=array["year"].values + first), later).reindex(
            year=years, fill_value=0.0
        )
        for name, array in parts.items()
    }
    mix = later["children"] / later["children"].sum("placement")
    fewer = placed["kept"] * mix
    avoided = WEEKS * (fewer * later["price"]).sum("placement")
    spent = placed["spent"].broadcast_like(avoided)
    names, known = q.programme_names(run), plan.evidence(run)
    funders = {name: {part.funder: 0 for part in scenario.plan if part.programme == name} for name in names}
    who = {name: w.listed([plan.WHOSE[funder] for funder in parts]) for name, parts in funders.items()}
    words = {
        "description": dict(names),
        "funder": who,
        "confidence": {name: _rests_on(known[name]["care"]) for name in names},
        "believed": {name: _plan_believed(names[name]) for name in names},
    }
    return _lines({"avoided": avoided, "spent": spent, "fewer": fewer}, "programme", words)


def _rests_on(care: Mapping[str, str]) -> str:
    if care["not_counted"]:
        return f"no effect on care is counted: {care['not_counted']}"
    return {"own": "studies of its own", "type": "studies of its type alone"}.get(care["evidence"], "no study")


def _plan_believed(label: str) -> str:
    return (
        f"{label} keeps as many children out of care here as its studies say after scale-up; they would have had "
        "average placements at average prices; and no other child takes their places."
    )


def lever_lines(pulled: Mapping[str, Effect], outlook: xr.Dataset, figures: xr.Dataset) -> xr.Dataset:
    """Return what levers do to an outlook, as :func:`plan_lines` does.

    Parameters
    ----------
    pulled
        From `toolkit.levers.pull`.
    outlook, figures
        Those that it took.
    """
    later = outlook.isel(year=slice(1, None))
    nobody = xr.zeros_like(later["children"])
    like = {"avoided": nobody.isel(placement=0, drop=True), "fewer": nobody}
    like["spent"] = like["avoided"]
    arrays = {
        name: xr.concat(
            [getattr(effect, name) + like[name] for effect in pulled.values()], xr.Variable("lever", list(pulled))
        )
        for name in Effect._fields
    }
    words = {
        "description": {name: LEVERS[name] for name in pulled},
        "funder": {name: plan.WHOSE[q.COUNCIL] for name in pulled},
        "confidence": dict.fromkeys(pulled, ARITHMETIC),
        "believed": {name: _lever_believed(name, later, figures) for name in pulled},
    }
    return _lines(arrays, "lever", words)


def _lever_believed(name: str, later: xr.Dataset, figures: xr.Dataset) -> str:
    """Return what must be true for a lever's sum, with the figures that it rests on."""
    one = {key: float(value.mean()) for key, value in figures.items()}
    price = later["price"].isel(year=0).mean(SAMPLE_DIMS)
    homes, foster = (float(price.sel(placement=kind)) for kind in (HOMES, FOSTERING))
    return {
        "step_down": (
            f"Each child who moves costs {w.percent(one['same_child_share'])} of the gap between a children's home "
            f"({w.money(homes)} a week) and a foster place at an agency's price or more "
            f"({w.money(max(foster, one['agency_foster_week']))}) less, every week; foster homes that can keep them "
            "are there; and no other child takes the place that they leave. No study prices the same child in both."
        ),
        "foster_carers": (
            f"Each carer brings {one['children_per_carer']:.2g} places that stay filled and would have been bought "
            f"from an agency at {w.money(one['agency_foster_week'])} a week instead of {w.money(foster)}; carers are "
            f"added, not moved; a place costs {w.money(one['place_recruited'])} to open."
        ),
        "price_growth": (
            "Homes accept prices that grow by so much less each year and take the same children. Nothing is known of "
            "what brings that about."
        ),
        "agency_posts": (
            f"Each post costs {w.money(one['agency_premium'])} a year less and stays filled. The premium is one "
            "council's, and an upper one: agency workers are not paid for leave."
        ),
    }[name]


def _lines(arrays: Mapping[str, xr.DataArray], dim: str, words: Mapping[str, Mapping[str, str]]) -> xr.Dataset:
    order = {"avoided": ("line", "year", *SAMPLE_DIMS), "fewer": ("line", "placement", "year", *SAMPLE_DIMS)}
    data = {
        name: array.rename({dim: "line"}).transpose(*order.get(name, order["avoided"])).reset_coords(drop=True)
        for name, array in arrays.items()
    }
    names = [str(name) for name in data["avoided"]["line"].values]
    words = {**words, "measure": {name: name for name in names}, "kind": dict.fromkeys(names, dim)}
    labels = {key: ("line", np.array([cells[name] for name in names], object)) for key, cells in words.items()}
    return xr.Dataset(data).assign_coords(labels)


def on_draws(array: xr.DataArray, like: xr.Dataset) -> xr.DataArray:
    """Return an array on other draws: the same ones where they match, else as many, evenly through its own.

    Those of a run and of an outlook are of two models, independent of each other, so any pairing is as good.
    """
    sizes = {dim: like.sizes[dim] for dim in SAMPLE_DIMS}
    if not set(SAMPLE_DIMS) <= set(array.dims) or all(array.sizes[dim] == size for dim, size in sizes.items()):
        coords = {dim: like[dim].values for dim in SAMPLE_DIMS if dim in array.dims}
        return array.assign_coords(coords)
    every = array.transpose(..., *SAMPLE_DIMS)
    flat = every.values.reshape(*every.shape[:-2], -1)
    wanted = np.linspace(0, flat.shape[-1] - 1, int(np.prod(list(sizes.values())))).round().astype(int)
    values = flat[..., wanted].reshape(*every.shape[:-2], *sizes.values())
    on_new = {dim: (like if dim in SAMPLE_DIMS else every)[dim].values for dim in every.dims}
    return xr.DataArray(values, on_new, every.dims, attrs=array.attrs)


def on_top(outlook: xr.Dataset, lines: Sequence[xr.Dataset], components: pd.DataFrame) -> xr.Dataset:
    """Lay lines on an outlook: what each avoids, as growth and as cash, in the cash of each year.

    Parameters
    ----------
    outlook
        From `toolkit.levers.council`.
    lines
        From :func:`plan_lines` and :func:`lever_lines`.
    components
        The table ``cost_components``: placements leave a budget as far and as late as it says of children's homes.

    Returns
    -------
    Dataset
        ``avoided``, ``growth_avoided``, ``below_this_year``, ``cash_released``, ``spent`` (line, year, chain, draw) and
        ``spend`` (year, chain, draw), GBP in cash of the year; ``fewer`` (line, placement, year, chain, draw) and
        ``children`` (placement, year, chain, draw); ``index`` (year). ``spend``, ``children`` and ``index`` start
        with this year. Labels of lines, and ``reference`` (P1, L1).

    Raises
    ------
    InputError
        No lines.
    """
    if not lines:
        raise InputError("nothing is laid on the outlook.", fix="name a scenario or pull a lever.")
    for part in lines:
        aligned(outlook.isel(year=slice(1, None)), part)
    every = xr.concat(list(lines), "line", coords="minimal", compat="override") if len(lines) > 1 else lines[0]
    index = outlook["index"]
    row = components.set_index("component").loc[PLACEMENT]
    share, lag = CASHABLE_SHARES[str(row["cashability"])], int(str(row["lag_years"]))
    spend = outlook["spend"] * index
    now = spend.isel(year=0, drop=True)
    avoided = every["avoided"] * index
    split = growth_and_cash(avoided, spend.isel(year=slice(1, None)), now, share=share, lag=lag)
    kinds = [str(kind)[0].upper() for kind in every["kind"].values]
    references = [f"{kind}{kinds[: place + 1].count(kind)}" for place, kind in enumerate(kinds)]
    paper = split.assign(avoided=avoided, spent=every["spent"] * index, fewer=every["fewer"])
    whole = {"spend_if_nothing_changes": spend, "children": outlook["children"], "index": index}
    whole = {name: array.rename(year="from_this_year") for name, array in whole.items()}
    labels = {"reference": ("line", references)}
    return paper.assign(whole).assign_coords(labels).assign_attrs(lag_years=lag, cashable_share=share)


def reduced(array: xr.DataArray, *, level: float = LEVEL) -> xr.Dataset:
    """Return the mean and the ends of the interval of draws."""
    return appraisal.summarise(array.reset_coords(drop=True), level=level)


def growth_table(paper: xr.Dataset, *, real: bool = False) -> Table:
    """Return spend if nothing changes, its growth, growth avoided, cash released and spend with the plan, by year.

    Parameters
    ----------
    paper
        From :func:`on_top`.
    real
        In the price base instead of the cash of each year. The split into growth and cash is that of cash.
    """
    before = paper["spend_if_nothing_changes"]
    later = before.isel(from_this_year=slice(1, None)).rename(from_this_year="year")
    index = paper["index"].isel(from_this_year=slice(1, None)).rename(from_this_year="year")
    whole = {
        name: paper[name].sum("line")
        for name in ("avoided", "growth_avoided", "below_this_year", "cash_released", "spent")
    }
    columns = {
        "Spend if nothing changes": later,
        "Growth above this year's": later - before.isel(from_this_year=0, drop=True),
        "Growth avoided": whole["growth_avoided"],
        "Spend below this year's": whole["below_this_year"],
        "Cash released": whole["cash_released"],
        "Spend with the plan": later - whole["avoided"],
        "Spent on the plan": whole["spent"],
    }
    parts = {"expected": "mean", "lower": "lower", "upper": "upper"}
    cells: dict[tuple[str, str], pd.Series] = {}
    for heading, array in columns.items():
        ends = reduced(array / index if real else array)
        cells |= {(heading, part): ends[name].to_series() for part, name in parts.items()}
    frame = headed(pd.DataFrame(cells)).iloc[:YEARS]
    frame.index = pd.Index([year_label(int(year)) for year in frame.index])
    prices = "Real terms, in the price base" if real else "Cash of each year"
    lag = {0: "at once,", 1: "a year"}.get(paper.attrs["lag_years"], f"{paper.attrs['lag_years']} years")
    note = f"{prices}; {LEVEL:.0%} intervals. {RULE.format(lag=lag)} {TIES}"
    return Table("Growth and savings: children looked after and safeguarding", "Year", frame, "money", note=note)


def __dir__() -> list[str]:
    return __all__
