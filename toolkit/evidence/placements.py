"""Placement prices of each authority: pounds a week by placement type and year, from the panel."""

from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from toolkit.evidence.areas import reference_areas
from toolkit.evidence.statistics import _mean, _merge, _wide
from toolkit.evidence.tables import load_table
from toolkit.prices import deflators, rebase
from toolkit.schema import PRICE_BASE, InputError

PLACEMENTS = {
    "residential": "unit_cost_residential_weekly",
    "fostering": "unit_cost_fostering_weekly",
    "care": "unit_cost_cla_weekly",
}


def placement_prices(folder: Path | None = None, *, reference: pd.DataFrame | None = None) -> xr.Dataset:
    """Load the weekly prices of residential, foster and all looked-after placements by area and year.

    Parameters
    ----------
    folder
        Data folder; the shipped one by default.
    reference
        The authorities with the area of each, if not those of ``reference_areas``.

    Returns
    -------
    Dataset
        ``price`` (placement, area, data_year), GBP per week in 2025/26 prices, NaN where no return was made;
        ``england`` (placement, data_year), the published price weighted by care days, likewise;
        ``children`` (area), looked after at the latest 31 March; ``to_nominal`` (data_year), which times a
        real price gives that year's; coordinates ``area_name`` and ``region`` (area).
    """
    names = ("spending", "looked_after")
    panel = pd.concat([load_table(f"statistics/panel_{name}", folder) for name in names])
    national = load_table("statistics/national", folder)
    reference = reference_areas(folder) if reference is None else reference
    national = national[(national["geography"] == "national") & national["measure"].isin(PLACEMENTS.values())]
    england = national.pivot(index="measure", columns="year", values="value").loc[list(PLACEMENTS.values())]
    years = [int(year) for year in england.columns]
    children = _wide(panel, "cla_at_31_march")
    prices = [_mean(_wide(panel, measure), children, reference)[years] for measure in PLACEMENTS.values()]
    series = deflators(load_table("evidence/economic_parameters", folder))
    real = np.array([rebase(1.0, f"{y - 1}/{y % 100:02d}", to=PRICE_BASE, deflators=series) for y in years])
    rows = reference.drop_duplicates("area").set_index("area").loc[prices[0].index]
    dims, money = ("placement", "area", "data_year"), {"units": "GBP per week", "price_base": PRICE_BASE}
    latest = _merge(children, reference).loc[rows.index].ffill(axis=1).iloc[:, -1]
    return xr.Dataset(
        {
            "price": (dims, np.stack([table.to_numpy(float) for table in prices]) * real, money),
            "england": (("placement", "data_year"), england.to_numpy(float) * real, money),
            "children": ("area", latest.to_numpy(float), {"units": "persons"}),
            "to_nominal": ("data_year", 1 / real, {"units": "1"}),
        },
        coords={
            "placement": list(PLACEMENTS),
            "area": rows.index.to_list(),
            "data_year": years,
            "area_name": ("area", rows["stable_area"].to_numpy(str)),
            "region": ("area", rows["region"].to_numpy(str)),
        },
    )


HOMES, FOSTERING = "cla_placement_childrens_homes_secure", "cla_placement_foster"
CARED, ALONE, LEAVING = "cla_at_31_march", "uasc_at_31_march", "s251_leaving_care_gross"
CARE_YEARS = ("cla_year_s251_2024_25", "cla_year_without_leaving_care_2024_25")  # what one child's year costs
WEEKS = 52.0  # of a year, as the Department for Education divides


def placement_shares(
    folder: Path | None = None, *, reference: pd.DataFrame | None = None, unaccompanied: bool = False
) -> xr.Dataset:
    """Return the share of an area's spending on looked-after children that each type of placement takes.

    Children placed at 31 March times the area's weekly price of the type, over all its looked-after children times its
    average price, less leaving care and unaccompanied children: shares of one price, so that pricing by type adds up to
    it. The stock in children's homes and secure units is the one whose sum meets national spending on residential care
    (``reconciliation``). An unaccompanied child costs in every area what is left of England's spending.

    Parameters
    ----------
    folder
        Data folder; the shipped one by default.
    reference
        The authorities with the area of each, if not those of ``reference_areas``.
    unaccompanied
        Whether unaccompanied children count, with what they cost.

    Returns
    -------
    Dataset
        ``residential_share``, ``fostering_share`` and ``other_share`` (area), which sum to one, of the latest
        year; ``care_ratio`` (area), the area's price without leaving care and unaccompanied children over England's,
        relative to the same ratio of prices with them; ``taken_from`` (area): "area", or "region" where a count or a
        price is missing.

    Raises
    ------
    InputError
        If residential and foster care take more than all the spending of an area.
    """
    themes = ("spending", "looked_after")
    panel = pd.concat([load_table(f"statistics/panel_{name}", folder) for name in themes])
    reference = reference_areas(folder) if reference is None else reference
    year = [int(panel.loc[panel["measure"] == HOMES, "year"].max())]
    national = load_table("statistics/national", folder).query("geography == 'national' and year == @year[0]")
    england = national.set_index("measure")["value"]
    whole, without = load_table("evidence/unit_costs", folder).set_index("id")["value"][list(CARE_YEARS)]
    alone = 0.0 if unaccompanied else _wide(panel, ALONE, years=year).fillna(0.0)
    others = england[CARED] - england[ALONE]
    each = (whole * england[CARED] - england[LEAVING] - without * others) / england[ALONE] / WEEKS

    def spent(stock: str, price: str) -> pd.DataFrame:
        return _wide(panel, stock, years=year) * _wide(panel, price, years=year)

    average, children = _wide(panel, PLACEMENTS["care"], years=year), _wide(panel, CARED, years=year)
    parts = {
        "residential_share": spent(HOMES, PLACEMENTS["residential"]),
        "fostering_share": spent(FOSTERING, PLACEMENTS["fostering"]),
        "all": children * average - _wide(panel, LEAVING, years=year) / WEEKS - alone * each,
        "alike": (children - alone) * average * without / whole,
    }
    table = pd.DataFrame({name: _merge(part, reference)[year[0]] for name, part in parts.items()})
    own = table.notna().all(axis=1)
    regions = reference.drop_duplicates("area").set_index("area")["region"].reindex(table.index)
    table = table.where(own).fillna(table.where(own).groupby(regions).transform("sum"))
    shares = table[["residential_share", "fostering_share"]].div(table["all"], axis=0)
    shares["other_share"] = 1.0 - shares.sum(axis=1)
    if not (shares > 0).all(axis=None):
        raise InputError(
            f"panel_looked_after.csv: placements of {shares.index[(shares <= 0).any(axis=1)][0]} times their prices "
            "pass its spending.",
            fix="correct the counts or the prices.",
        )
    shares["care_ratio"] = table["all"] / table["alike"]
    taken = ("area", np.where(own, "area", "region"))
    coords = {"area": table.index.to_list()}
    columns = {name: ("area", column.to_numpy(float), {"units": "1"}) for name, column in shares.items()}
    return xr.Dataset({**columns, "taken_from": taken}, coords=coords)
