"""What a run needs to know of each area in the base year: latest counts, own levels, own placement prices."""

from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from toolkit.evidence.areas import of_areas, reference_areas, set_apart, whole_of
from toolkit.evidence.placements import placement_prices
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
PART_YEARS = 3  # latest returns that place an authority's prices beside those of the merged area that it is a part of


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
    allow for erratic returns. Drawing from its table keeps samplers out of a run. An authority that is a part of a
    merged area has the merged area's draw times its own returns over theirs together, of the latest years.

    Parameters
    ----------
    statistics
        From ``load_statistics``, perhaps with ``with_parts``: which areas.
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
    every, whole = statistics["area"].values, whole_of(reference_areas(folder))
    parts = [area for area in every if area in whole]
    areas = np.array([area for area in every if area not in whole])
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
    ratios = xr.Dataset(drawn)
    return ratios if not parts else xr.concat([ratios, _of_parts(ratios, parts, seed, folder)], "area")


def _of_parts(ratios: xr.Dataset, parts: list[str], seed: int, folder: Path | None) -> xr.Dataset:
    """Draw the price ratios of authorities that are parts of merged areas, given the ratios of these.

    The spread of one year's return around an authority's mean is that of all such authorities together.
    """
    reference = reference_areas(folder)
    every = list(whole_of(reference))
    own, whole = (
        placement_prices(folder, reference=rows)["price"]
        .reset_coords(drop=True)
        .isel(data_year=slice(-PART_YEARS, None))
        for rows in (set_apart(reference), reference)
    )
    gap: xr.DataArray = xr.ufuncs.log(own.sel(area=every) / of_areas(whole, every))
    years, centre = gap.notnull().sum("data_year"), gap.mean("data_year").fillna(0.0)
    spread: xr.DataArray = xr.ufuncs.sqrt(
        ((gap - centre) ** 2).sum(["data_year", "area"]) / (years - 1).clip(min=0).sum("area")
    )
    error, drawn = spread / xr.ufuncs.sqrt(years.clip(min=1)), of_areas(ratios, parts)
    for placement in drawn:
        at = {"placement": placement, "area": parts}
        noise = random_stream(seed, f"local_price_ratio {placement} of parts").standard_normal(drawn[placement].shape)
        own_return = centre.sel(at) + error.sel(at) * drawn[placement].copy(data=noise)
        drawn[placement] = (
            (drawn[placement] * np.exp(own_return)).drop_vars("placement").transpose(*drawn[placement].dims)
        )
    return drawn


def local_levels(folder: Path | None = None, *, reference: pd.DataFrame | None = None) -> xr.Dataset:
    """Return the local levels that move each area's layers of life, with England's.

    Parameters
    ----------
    folder
        Data folder; the shipped one by default.
    reference
        The authorities with the area of each, if not those of ``reference_areas``.

    Returns
    -------
    Dataset
        By name: ``level`` (name, area) and ``england`` (name), proportions of the latest years; ``taken_from``
        (name, area), "area" or, where an area has no value or 0 (too few to show), "region": the region's
        published value, which holds its hidden areas.
    """
    panel, reference = _load_panel(folder), reference_areas(folder) if reference is None else reference
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
