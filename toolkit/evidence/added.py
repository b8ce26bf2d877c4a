"""A further outcome: a user's table of counts becomes an indicator, which the outcome model then fits too."""

import re
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr

from toolkit.evidence.areas import reference_areas
from toolkit.evidence.counts import read_counts
from toolkit.evidence.statistics import _merge
from toolkit.schema import InputError
from toolkit.tabular import excerpt

CELLS = ("events_lower", "events_upper", "exposure", "observed")


def with_indicator(
    statistics: xr.Dataset, table: pd.DataFrame | Path | str, *, name: str, **columns: Any
) -> xr.Dataset:
    """Return the statistics with a further indicator, counted in a user's table or one of the Department's.

    The outcome model fits it once the table of priors says its family, ``likelihood[<name>]``, and where it lies,
    ``intercept[<name>]``. If a layer of life is moved by a local level of the same name (``layer_rates.csv``), the
    fitted rates of the areas move that layer instead of the published ones, draw by draw.

    Parameters
    ----------
    statistics
        From :func:`load_statistics`.
    table
        A table or a CSV file, one row an authority and year: ``la_code``, ``data_year``, ``events`` and ``exposure``
        (persons they are counted among), and if counts are hidden ``events_upper``: a count from ``events`` to it.
        A file of the Department for Education is read as it comes: ``new_la_code``, ``time_period``, and its markers
        (a count of ``c`` lies between 0 and 5 or ``hidden_up_to``; any other makes the row unknown). What has no row
        is not known. Authorities that boundary changes joined are summed.
    name
        Of the indicator.
    **columns
        ``events``, ``exposure``, ``only`` and ``hidden_up_to``, as :func:`toolkit.evidence.counts.read_counts` takes
        them: which columns and rows of a published file are meant.

    Raises
    ------
    InputError
        A name that is taken, a column that is missing, an unknown authority or year, a row twice, or a count that
        is negative, not a number or more than its exposure.
    """
    if not re.fullmatch(r"[\w .:-]{1,60}", name):
        raise InputError(f"indicator '{excerpt(name)}': not a name.", fix="use letters, digits and _, as neet_16_17.")
    if name in statistics["indicator"].values:
        raise InputError(f"indicator '{name}': is there already.", fix="give another name.")
    reference = reference_areas()
    years = [int(year) for year in statistics["data_year"].values]
    rows = read_counts(table, reference, years=years, where=f"indicator '{name}'", **columns)
    cells = {
        part: _merge(rows.pivot(index="la_code", columns="data_year", values=part), reference) for part in CELLS[:3]
    }
    dims, like = ("area", "data_year"), statistics["exposure"].isel(indicator=0, drop=True)
    added = xr.Dataset(
        {part: (dims, frame.to_numpy(float)) for part, frame in cells.items()},
        {"area": cells["exposure"].index.to_numpy(object), "data_year": cells["exposure"].columns.to_numpy()},
    ).reindex(area=like["area"].values, data_year=like["data_year"].values)
    added = added.assign(observed=added["exposure"].notnull()).expand_dims(indicator=[name])
    known = statistics[list(CELLS)]
    added = added.drop_vars(dims).assign_coords({key: known[key] for key in known.coords if key != "indicator"})
    joined = xr.concat([known, added], "indicator", coords="minimal", compat="override", join="exact")
    joined = joined.assign_coords(indicator=joined["indicator"].values.astype(str))
    extended = statistics.drop_vars(CELLS).drop_dims("indicator", errors="ignore").assign(joined)
    hidden = {f"{name}_hidden_as_interval": rows.attrs["hidden"], f"{name}_hidden_unobserved": rows.attrs["unknown"]}
    return extended.assign_attrs(hidden)
