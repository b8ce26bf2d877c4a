"""What an area's lives come to in a year, to be set beside what is published of the area."""

from functools import partial

import pandas as pd
import xarray as xr

from toolkit.pathways.comparison import OPEN_YEARS
from toolkit.pricing.areas import Progress, in_batches, silent
from toolkit.pricing.desk import Desk
from toolkit.pricing.place import Place

COUNTED = {"care_starts": ("care_entries",), "looked_after": ("care_years",), "in_need": OPEN_YEARS}
SPENDING = "care_spending"


def implied(desk: Desk, *, areas: list[str], progress: Progress = silent) -> xr.DataArray:
    """Return a year's care starts, children and spending that areas' lives imply, if years are alike.

    Parameters
    ----------
    desk
        Of a run.
    areas
        Area codes.
    progress
        Called with the stage's name and the share of it that is done.

    Returns
    -------
    DataArray (quantity, area, chain, draw)
        ``care_starts`` a year; children ``looked_after`` and others ``in_need`` on a day; ``care_spending``, GBP a year
        on placements, whose prices are the area's own.
    """
    parts = [part for batch in in_batches(partial(_batch, desk), areas, "walk lives", progress) for part in batch]
    return xr.concat(parts, xr.Variable("area", areas), coords="minimal", compat="override")


def with_leaving_care(desk: Desk) -> bool:
    """Return whether the price of a year in care holds the support of those who have left it."""
    return bool(_placed(desk)["contains"].str.contains("leaving_care").any())


def _placed(desk: Desk) -> pd.DataFrame:
    return desk.rows[(desk.rows["quantity"] == "care_years") & (desk.rows["local_price"] != "")]


def _batch(desk: Desk, areas: list[str]) -> list[xr.DataArray]:
    return [_of_place(Place(desk, area)) for area in areas]


def _of_place(place: Place) -> xr.DataArray:
    lived = place.usual["events"].sum("year", skipna=False) * place.entering
    counts = {name: lived.sel(quantity=list(parts)).sum("quantity") for name, parts in COUNTED.items()}
    counts[SPENDING] = counts["looked_after"] * place.prices.sel(component=list(_placed(place.desk).index)).sum(
        "component"
    )
    return xr.concat(list(counts.values()), xr.Variable("quantity", list(counts)), coords="minimal", compat="override")
