"""Children looked after by placement, flows and spending of each area and year, for the outlook."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from toolkit.evidence.areas import reference_areas
from toolkit.evidence.placements import placement_prices
from toolkit.evidence.statistics import Frame, _load_panel, _merge, _wide
from toolkit.evidence.tables import load_table
from toolkit.prices import deflators, rebase
from toolkit.schema import PRICE_BASE

FIRST, LAST = 2015, 2025  # unaccompanied children are published by authority from 2015
LEAST_CHILDREN = 10.0  # an area that has had fewer (City of London, Isles of Scilly) has no outlook of its own
HIDDEN = 3.0  # counts of one to five are hidden: the middle, as England's total leaves 2.6 to 3.7 for each
WHOLE = {
    "stock": "cla_at_31_march",
    "unaccompanied": "uasc_at_31_march",
    "starts": "cla_starts",
    "ends": "cla_ceased",
    "spend": "s251_looked_after_gross",
    "safeguarding": "s251_safeguarding_gross",
}
# Supported accommodation that waited for its registration was counted as "other placements" in 2024 and 2025.
TYPES = {
    "fostering": ("foster",),
    "residential": ("childrens_homes_secure", "other_residential", "residential_schools"),
    "supported": ("independent_supported", "other"),
    "other": ("placed_for_adoption", "with_parents"),
}
EARLIER = {  # England's placements before 2021, under the names of the earlier grouping, with their signs
    "fostering": {"foster": 1},
    "residential": {
        "secure_childrens_homes_semi_independent_2022grouping": 1,
        "semi_independent_only": -1,
        "other_residential": 1,
        "residential_schools": 1,
    },
    "supported": {"semi_independent_only": 1, "other": 1},
    "other": {"placed_for_adoption": 1, "with_parents": 1},
}


def care_panel(folder: Path | None = None) -> xr.Dataset:
    """Load children looked after, their placements, starts, ends, prices and spending by area and year.

    Parameters
    ----------
    folder
        Data folder; the shipped one by default.

    Returns
    -------
    Dataset
        ``stock``, ``unaccompanied`` (among them, at 31 March), ``starts``, ``ends`` (area, data_year), persons;
        ``placed`` (area, data_year, placement), persons, and ``england_placed`` (data_year, placement); ``spend``,
        ``safeguarding`` (area, data_year), section 251 gross, GBP a year; ``price`` (area, data_year, placement), GBP a
        week; money in 2025/26 prices; NaN where nothing is known; coordinates ``area_name`` and ``region`` (area).
        Counts hidden because they are small share what the other placements leave of the stock.
    """
    panel, reference = _load_panel(folder), reference_areas(folder)
    years = list(range(FIRST, LAST + 1))
    wide = {name: _wide(panel, measure, years=years) for name, measure in WHOLE.items()}
    wide["unaccompanied"] = wide["unaccompanied"].fillna(HIDDEN).where(wide["stock"].notna())
    whole = {name: _merge(frame, reference) for name, frame in wide.items()}
    series = deflators(load_table("evidence/economic_parameters", folder))
    real = np.array([rebase(1.0, f"{year - 1}/{year % 100:02d}", to=PRICE_BASE, deflators=series) for year in years])
    rows = reference.drop_duplicates("area").set_index("area").loc[whole["stock"].index]
    kept = ((rows["in_fit"] == 1) & (whole["stock"].max(axis=1) >= LEAST_CHILDREN)).to_numpy()
    coords = {"area": rows.index[kept].to_list(), "data_year": years, "placement": list(TYPES)}
    money = {"units": "GBP per year", "price_base": PRICE_BASE}
    table: dict[str, tuple[Any, ...]] = {}
    for name, frame in whole.items():
        paid = name in ("spend", "safeguarding")
        values = frame.to_numpy(float)[kept] * (real if paid else 1.0)
        table[name] = (("area", "data_year"), values, money if paid else {"units": "persons"})
    placed = [_merge(part, reference).to_numpy(float)[kept] for part in _placed(panel, years).values()]
    table["placed"] = (("area", "data_year", "placement"), np.stack(placed, axis=-1), {"units": "persons"})
    table["england_placed"] = (("data_year", "placement"), _england(folder, years), {"units": "persons"})
    labels: dict[str, Any] = {"area_name": ("area", rows["stable_area"].to_numpy(str)[kept])}
    labels["region"] = ("area", rows["region"].to_numpy(str)[kept])
    prices = placement_prices(folder)["price"].reindex(
        area=coords["area"], data_year=years, placement=coords["placement"]
    )
    return xr.Dataset(table, {**coords, **labels}).assign(price=prices.drop_vars(["area_name", "region"]))


def _placed(panel: Frame, years: list[int]) -> dict[str, Frame]:
    """Return children by placement; the hidden counts of an authority share what the others leave of its stock."""
    names = [name for parts in TYPES.values() for name in parts]
    counts = {name: _wide(panel, f"cla_placement_{name}", years=years) for name in names}
    stock = _wide(panel, "cla_at_31_march", years=years)
    known = counts["foster"].notna() & counts["childrens_homes_secure"].notna()
    left = stock - sum((part.fillna(0.0) for part in counts.values()), 0.0 * stock)
    gaps = sum((part.isna().astype(float) for part in counts.values()), 0.0 * stock)
    each = (left.clip(lower=0.0) / gaps.where(gaps > 0)).fillna(0.0)
    filled = {name: part.fillna(each).where(known & stock.notna()) for name, part in counts.items()}
    return {kind: sum((filled[name] for name in parts), 0.0 * stock) for kind, parts in TYPES.items()}


def _england(folder: Path | None, years: list[int]) -> np.ndarray:
    """Return England's children by placement (year, placement) in the years of the earlier grouping."""
    national = load_table("statistics/national", folder)
    national = national[(national["area"] == "England") & (national["geography"] == "national")]
    wide: pd.DataFrame = national.pivot_table(index="year", columns="measure", values="value").reindex(years)
    parts = [
        sum((sign * wide[f"cla_placement_{name}"] for name, sign in signs.items()), pd.Series(0.0, years)).to_numpy(
            float
        )
        for signs in EARLIER.values()
    ]
    return np.stack(parts, axis=-1)
