"""Whether the lives of each area's children add up to its published care: starts, children and spending of a year."""

import pandas as pd
import xarray as xr

from toolkit import evidence
from toolkit.models.fitting.monte_carlo import summary, verdicts
from toolkit.pricing.areas import Progress, silent
from toolkit.pricing.own_care import SPENDING, implied
from toolkit.pricing.place import Desk
from toolkit.schema import MCSE

__all__ = ["NEAR", "WHOLE", "own_care_tables"]

WHOLE = "England"
NEAR = {True: 0.03, False: 0.15}  # of the published number: England's, and an area's
BETWEEN = {
    "care_starts": "The outcome model takes some of a year's starts for chance, as far as earlier years and areas like "
    "it differ.",
    "looked_after": "No stays are short, or long, enough in most draws.",
    "in_need": "Children leave need as they do in England; only care is moved to the area's own numbers.",
    SPENDING: "Prices of placements are modelled, so that erratic returns count less.",
}


def own_care_tables(desk: Desk, published: xr.Dataset, *, progress: Progress = silent) -> dict[str, pd.DataFrame]:
    """Return the table ``own_care`` to commit.

    Parameters
    ----------
    desk
        Of all areas of England.
    published
        From ``evidence.published_care``; NaN where nothing is published.
    progress
        As for ``implied``.

    Returns
    -------
    dict
        ``own_care``: ``published``, ``ours`` (mean), ``ratio``, both with Monte Carlo errors, ``verdict`` ("passed"
        within ``NEAR``) and a ``note`` on why the number is further off, by quantity and area, England first.
    """
    ours = implied(desk, areas=desk.areas, progress=progress)
    names = evidence.reference_areas().groupby("area")["la_name"].agg(" and ".join)
    tables = []
    for quantity in ours["quantity"].values.astype(str):
        known = published[quantity].sel(area=desk.areas).dropna("area")
        mine = ours.sel(quantity=quantity, area=known["area"].values).astype(float)
        every = xr.concat([mine.sum("area").assign_coords(area=WHOLE), mine.transpose("area", ...)], "area")
        counted = [float(known.sum()), *known.values]
        spread = summary(every)
        table = pd.DataFrame({"area": every["area"].values, "quantity": quantity, "published": counted})
        table = table.assign(**{f"ours{which}": spread[f"mean{which}"].values for which in ("", MCSE)})
        tables.append(table)
    table = pd.concat(tables, ignore_index=True)
    over = table["published"].where(table["published"] > 0)
    table = table.assign(**{f"ratio{which}": table[f"ours{which}"] / over for which in ("", MCSE)})
    margin = (table["area"] == WHOLE).map(NEAR) - (table["ratio"].fillna(0.0) - 1.0).abs()
    table["verdict"] = verdicts(margin, table[f"ratio{MCSE}"].fillna(0.0))
    table.insert(1, "label", table["area"].map(names).fillna(WHOLE))
    table["note"] = table["quantity"].map(BETWEEN).where(table["verdict"] != "passed", "")
    numbers = ["published", *(f"{name}{which}" for name in ("ours", "ratio") for which in ("", MCSE))]
    table[numbers] = table[numbers].map(lambda value: float(f"{value:.4g}"))
    scenario = desk.scenario
    settings = f"{scenario.name}, {scenario.chains} chains of {scenario.draws} draws"
    return {"own_care": table.assign(seed=scenario.seed, settings=settings)}
