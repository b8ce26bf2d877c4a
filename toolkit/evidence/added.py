"""An outcome of one's own: a table of counts becomes a further indicator, which the outcome model then fits too."""

import numpy as np
import pandas as pd
import xarray as xr

from toolkit.evidence.areas import members, other_codes, reference_areas
from toolkit.evidence.statistics import _merge
from toolkit.schema import InputError

NEEDED = ("la_code", "data_year", "events", "exposure")
CELLS = ("events_lower", "events_upper", "exposure", "observed")


def with_indicator(statistics: xr.Dataset, table: pd.DataFrame, *, name: str) -> xr.Dataset:
    """Return the statistics with a further indicator, counted in a table of one's own.

    The outcome model fits it once the table of priors says its family, ``likelihood[<name>]``, and where it lies,
    ``intercept[<name>]``. If a layer of life is moved by a local level of the same name (``layer_rates.csv``), the
    fitted rates of the areas move that layer instead of the published ones, draw by draw.

    Parameters
    ----------
    statistics
        From :func:`load_statistics`.
    table
        One row an authority and year: ``la_code``, ``data_year``, ``events`` and ``exposure`` (persons they are
        counted among), and if counts are hidden ``events_upper``: a count from ``events`` to it. What has no row is
        not known. Authorities that boundary changes joined are summed.
    name
        Of the indicator.

    Raises
    ------
    InputError
        A name that is taken, a column that is missing, an unknown authority or year, a row twice, or a count that
        is negative, not a number or more than its exposure.
    """
    if name in statistics["indicator"].values:
        raise InputError(f"indicator {name!r}: is there already. Mend: give another name.")
    reference = reference_areas()
    rows = _checked(table, name, statistics, reference)
    cells = {
        part: _merge(rows.pivot(index="la_code", columns="data_year", values=part), reference) for part in CELLS[:3]
    }
    dims, like = ("area", "data_year"), statistics["exposure"].isel(indicator=0, drop=True)
    found = xr.Dataset(
        {part: (dims, frame.to_numpy(float)) for part, frame in cells.items()},
        {"area": cells["exposure"].index.to_numpy(object), "data_year": cells["exposure"].columns.to_numpy()},
    ).reindex(area=like["area"].values, data_year=like["data_year"].values)
    found = found.assign(observed=found["exposure"].notnull()).expand_dims(indicator=[name])
    known = statistics[list(CELLS)]
    found = found.drop_vars(dims).assign_coords({key: known[key] for key in known.coords if key != "indicator"})
    joined = xr.concat([known, found], "indicator", coords="minimal", compat="override", join="exact")
    joined = joined.assign_coords(indicator=joined["indicator"].values.astype(str))
    return statistics.drop_vars(CELLS).drop_dims("indicator", errors="ignore").assign(joined)


def _checked(table: pd.DataFrame, name: str, statistics: xr.Dataset, reference: pd.DataFrame) -> pd.DataFrame:
    missing = [column for column in NEEDED if column not in table]
    if missing:
        raise InputError(f"indicator {name!r}: no column {missing}. Mend: give {list(NEEDED)}.")
    rows = table.reset_index(drop=True)
    rows = rows.assign(la_code=rows["la_code"].replace(other_codes(reference)))
    upper = rows["events_upper"].fillna(rows["events"]) if "events_upper" in rows else rows["events"]
    rows = rows.assign(events_lower=rows["events"], events_upper=upper)
    faults = {
        "is no authority of reference_areas.csv": ~rows["la_code"].isin(reference["la_code"]),
        "has a year that the statistics lack": ~rows["data_year"].isin(statistics["data_year"].values),
        "repeats an authority and year": rows.duplicated(["la_code", "data_year"]),
        "has events below 0, above events_upper or above the exposure, or no number": ~(
            (rows["events_lower"] >= 0)
            & (rows["events_lower"] <= rows["events_upper"])
            & (rows["events_upper"] <= rows["exposure"])
            & np.isfinite(rows["exposure"])
            & (rows["exposure"] > 0)
        ),
    }
    for what, wrong in faults.items():
        if wrong.any():
            row = rows[wrong].iloc[0]
            where = f"row {int(rows.index[wrong][0]) + 2} ({row['la_code']}, {row['data_year']})"
            raise InputError(f"indicator {name!r}, {where}: {what}. Mend: correct or take out the row.")
    _check_whole(rows, name, reference)
    return rows


def _check_whole(rows: pd.DataFrame, name: str, reference: pd.DataFrame) -> None:
    """Refuse a part of an area that boundary changes merged: what is known of one heir is not known of the area."""
    known = reference.set_index("la_code")
    areas = rows["la_code"].map(known["area"])
    for (area, year), given in rows.groupby([areas, "data_year"])["la_code"]:
        generations = [set(part.index) for _, part in known[known["area"] == area].groupby("status")]
        if set(given) not in generations:
            here, whole = " and ".join(known.loc[given, "la_name"]), " and ".join(members(reference, str(area)))
            raise InputError(
                f"indicator {name!r}, {here} in {year}: {whole} count as one area. "
                "Fix: give a row for each of them (or each authority before them) in that year, or for none."
            )
