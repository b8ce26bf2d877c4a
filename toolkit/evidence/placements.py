"""Placement prices of each authority: pounds a week by placement type and year, from the panel."""

from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from toolkit.evidence.statistics import _mean, _merge, _wide, reference_areas
from toolkit.evidence.tables import load_table
from toolkit.prices import deflators, rebase
from toolkit.schema import PRICE_BASE

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
