"""What a run needs to know of each area in the base year: latest counts, own levels, own placement prices."""

from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from toolkit.evidence.areas import reference_areas
from toolkit.evidence.statistics import _load_panel, _mean, _wide
from toolkit.evidence.tables import load_table
from toolkit.schema import INDICATORS, SAMPLE_DIMS, InputError, random_stream

# What layers of life know of an area: its measure in per cent, and over how many latest years it is averaged
# (exclusions of children in need are few, and hidden in half of the areas in any one year).
LEVELS = {
    "gcse_all": ("eng_maths_grade4_all_pct", 1),
    "exclusion_all": ("perm_exclusion_all_pct", 3),
    "exclusion_in_need": ("perm_exclusion_cin_pct", 3),
    "neet_16_17": ("neet_16_17_pct", 1),
    "neet_care_leavers": ("care_leavers_19_21_neet_pct", 1),
}


def base_year(statistics: xr.Dataset) -> xr.Dataset:
    """Return the latest known value of every count and covariate by area.

    Parameters
    ----------
    statistics
        From ``load_statistics``.

    Returns
    -------
    Dataset
        (area): the area-year variables at their latest year with a value, ``gcse_pupils`` and
        ``care_starts`` from the indicators, and ``<name>_year`` saying which year each comes from. An area
        without any value keeps NaN, and pricing it raises.
    """
    known = {str(name): array for name, array in statistics.items() if array.dims == ("area", "data_year")}
    for name, indicator, variable in (
        ("gcse_pupils", "gcse_grade_4", "exposure"),
        ("care_starts", "care_starts", "events_lower"),
    ):
        if indicator in INDICATORS and indicator in statistics["indicator"].values:
            known[name] = statistics[variable].sel(indicator=indicator, drop=True)
    latest = {}
    for name, array in known.items():
        year = array["data_year"].where(array.notnull(), -1).max("data_year")
        known_year = year.where(year > 0, array["data_year"][-1]).astype(int)
        latest[name] = array.sel(data_year=known_year).drop_vars("data_year")
        latest[f"{name}_year"] = year.where(year > 0)
    base = xr.Dataset(latest)
    if "gcse_pupils" in base:
        # An area whose pupils were never published has England's pupils per child.
        rate = base["gcse_pupils"].sum() / base["population_0_17"].where(base["gcse_pupils"].notnull()).sum()
        base["gcse_pupils"] = base["gcse_pupils"].fillna(rate * base["population_0_17"])
    return base


def local_price_ratio(statistics: xr.Dataset, *, like: xr.Dataset, seed: int, folder: Path | None = None) -> xr.Dataset:
    """Draw each area's price of a placement over England's in the latest year, by placement type.

    The log ratios come from the fitted model of placement prices (``models.placements``, fitted again by
    ``outcomes evidence pool``): area effects with memory, so that the latest years count most, and errors that
    allow for erratic returns. Drawing from its table keeps samplers out of a run.

    Parameters
    ----------
    statistics
        From ``load_statistics``: which areas.
    like
        Anything with ``chain`` and ``draw``.
    seed
        Seed of the run.
    folder
        Data folder; the shipped one by default.

    Returns
    -------
    Dataset
        ``care`` (all looked-after children), ``residential`` and ``fostering`` (area, chain, draw),
        dimensionless. An area without prices is drawn from the spread within its region.

    Raises
    ------
    InputError
        If an area has no row in the table.
    """
    areas = statistics["area"].values
    table = load_table("reference/placement_prices", folder).set_index(["placement", "area"])
    shape = (len(areas), *(like.sizes[dim] for dim in SAMPLE_DIMS))
    coords = {"area": areas, **{dim: like[dim].values for dim in SAMPLE_DIMS}}
    drawn = {}
    for placement in table.index.unique("placement"):
        rows = table.loc[placement].reindex(areas)
        lacking = rows.index[rows["log_ratio"].isna()]
        if len(lacking):
            raise InputError(
                f"placement_prices.csv: no {placement} price for {lacking[0]}.", fix="outcomes evidence pool."
            )
        stream = random_stream(seed, f"local_price_ratio {placement}")
        centre, spread = (rows[name].to_numpy()[:, None, None] for name in ("log_ratio", "log_ratio_sd"))
        ratio = np.exp(centre + spread * stream.standard_normal(shape))
        drawn[placement] = xr.DataArray(ratio, coords, ("area", *SAMPLE_DIMS), attrs={"units": "1"})
    return xr.Dataset(drawn)


def local_levels(folder: Path | None = None) -> xr.Dataset:
    """Return the local levels that move each area's layers of life, with England's.

    Parameters
    ----------
    folder
        Data folder; the shipped one by default.

    Returns
    -------
    Dataset
        By name: ``level`` (name, area) and ``england`` (name), proportions of the latest years; ``taken_from``
        (name, area), "area" or, where an area has no value or 0 (too few to show), "region": the region's
        published value, which holds its hidden areas.
    """
    panel, reference = _load_panel(folder), reference_areas(folder)
    published = load_table("statistics/national", folder)
    children = _wide(panel, "population_0_17", years=[int(panel["year"].max()) - 1])
    regions = reference.drop_duplicates("area").set_index("area")["region"]
    parts = []
    for name, (measure, span) in LEVELS.items():
        last = int(panel.loc[panel["measure"] == measure, "year"].max())
        years = list(range(last - span + 1, last + 1))
        value = _wide(panel, measure, years=years).mean(axis=1).to_frame(last) / 100
        own = _mean(value, children.set_axis([last], axis=1), reference)[last]
        own = own.where(own > 0)
        rows = published[(published["measure"] == measure) & published["year"].isin(years)]
        wider = (rows.groupby("area")["value"].mean() / 100).to_dict()
        filled = own.fillna(regions.reindex(own.index).map(wider))
        parts.append(_level(name, filled, own.notna(), wider["England"]))
    return xr.concat(parts, "name", coords="minimal", compat="override")


def with_fitted(levels: xr.Dataset, rates: xr.DataArray, national: xr.DataArray) -> xr.Dataset:
    """Return levels in which an indicator of the outcome model stands for the published level of the same name.

    Parameters
    ----------
    levels
        From :func:`local_levels`.
    rates, national
        Fitted rates of the areas (indicator, area, chain, draw) and of England (indicator, chain, draw).

    Returns
    -------
    Dataset
        As ``levels``; if any name is fitted, ``level`` and ``england`` have draws too.
    """
    fitted = [str(name) for name in levels["name"].values if name in rates["indicator"].values]
    if not fitted:
        return levels
    here = levels.sel(area=rates["area"].values)
    own = {
        part: source.sel(indicator=fitted).rename(indicator="name").astype(float).reindex(name=here["name"].values)
        for part, source in (("level", rates), ("england", national))
    }
    drawn = {part: values.fillna(here[part]).transpose(*here[part].dims, *SAMPLE_DIMS) for part, values in own.items()}
    return here.assign(drawn | {"taken_from": here["taken_from"].where(~here["name"].isin(fitted), "model")})


def _level(name: str, values: pd.Series, own: pd.Series, england: float) -> xr.Dataset:
    coords = {"name": name, "area": values.index.to_list()}
    taken = np.where(own, "area", "region")
    level = ("area", values.to_numpy(float), {"units": "1"})
    return xr.Dataset({"level": level, "england": ((), england), "taken_from": ("area", taken)}, coords=coords)
