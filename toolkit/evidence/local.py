"""What a run needs to know of each area in the base year: its latest counts and its own placement prices."""

import zlib
from pathlib import Path

import numpy as np
import xarray as xr

from toolkit.evidence.tables import load_table
from toolkit.schema import INDICATORS, SAMPLE_DIMS, InputError


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

    The log ratios come from the fitted model of placement prices (``models.placements``, made anew by
    ``outcomes evidence pool``): area effects with memory, so that the latest years speak, and errors that
    allow for wild returns. Drawing from its table keeps samplers out of a run.

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
                f"placement_prices.csv: no {placement} price for {lacking[0]}. Mend: outcomes evidence pool."
            )
        stream = np.random.default_rng([seed, zlib.crc32(f"local_price_ratio {placement}".encode())])
        centre, spread = (rows[name].to_numpy()[:, None, None] for name in ("log_ratio", "log_ratio_sd"))
        ratio = np.exp(centre + spread * stream.standard_normal(shape))
        drawn[placement] = xr.DataArray(ratio, coords, ("area", *SAMPLE_DIMS), attrs={"units": "1"})
    return xr.Dataset(drawn)
