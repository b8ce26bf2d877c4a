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


def placement_prices(folder: Path | None = None) -> xr.Dataset:
    """Load the weekly prices of residential, foster and all looked-after placements by area and year.

    Parameters
    ----------
    folder
        Data folder; the shipped one by default.

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
    national, reference = load_table("statistics/national", folder), reference_areas(folder)
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


def placement_shares(folder: Path | None = None) -> xr.Dataset:
    """Return the share of an area's spending on looked-after children that each type of placement takes.

    Children placed at 31 March times the area's weekly price of the type, over all its looked-after children
    times its average price: shares of one average, so that pricing by type adds up to it. The stock in children's
    homes and secure units is the one whose sum meets national spending on residential care (``reconciliation``).

    Parameters
    ----------
    folder
        Data folder; the shipped one by default.

    Returns
    -------
    Dataset
        ``residential_share``, ``fostering_share`` and ``other_share`` (area), which sum to one, of the latest
        year; ``taken_from`` (area): "area", or "region" where a count or a price is missing.

    Raises
    ------
    InputError
        If residential and foster care take more than all the spending of an area.
    """
    panel = pd.concat([load_table(f"statistics/panel_{name}", folder) for name in ("spending", "looked_after")])
    reference = reference_areas(folder)
    year = [int(panel.loc[panel["measure"] == HOMES, "year"].max())]

    def spent(stock: str, price: str) -> pd.DataFrame:
        return _wide(panel, stock, years=year) * _wide(panel, price, years=year)

    whole = {
        "residential_share": spent(HOMES, PLACEMENTS["residential"]),
        "fostering_share": spent(FOSTERING, PLACEMENTS["fostering"]),
        "all": spent("cla_at_31_march", PLACEMENTS["care"]),
    }
    table = pd.DataFrame({name: _merge(part, reference)[year[0]] for name, part in whole.items()})
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
    taken = ("area", np.where(own, "area", "region"))
    coords = {"area": table.index.to_list()}
    columns = {name: ("area", column.to_numpy(float), {"units": "1"}) for name, column in shares.items()}
    return xr.Dataset({**columns, "taken_from": taken}, coords=coords)
