"""Whether the lives of each area's children add up to its published care: starts, children and spending of a year."""

import pandas as pd
import xarray as xr

from toolkit import evidence
from toolkit.measures.tables import Table, plain
from toolkit.measures.words import inside, number, percent
from toolkit.models.fitting.monte_carlo import summary, verdicts
from toolkit.pricing.areas import Progress, silent
from toolkit.pricing.desk import Desk
from toolkit.pricing.own_care import SPENDING, implied
from toolkit.schema import MCSE

__all__ = ["own_care_tables", "table", "words"]

WHOLE = "England"
NEAR = {True: 0.03, False: 0.15}  # of the published number: England's, and an area's
CARE = ("care_starts", "looked_after")  # what lives are moved to
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
    reference = evidence.reference_areas()
    names = {area: " and ".join(evidence.members(reference, area)) or area for area in desk.areas}
    tables = []
    for quantity in ours["quantity"].values.astype(str):
        known = published[quantity].sel(area=desk.areas).dropna("area")
        mine = ours.sel(quantity=quantity, area=known["area"].values).astype(float)
        every = xr.concat([mine.sum("area").assign_coords(area=WHOLE), mine.transpose("area", ...)], "area")
        counted = [float(known.sum()), *known.values]
        spread = summary(every)
        rows = pd.DataFrame({"area": every["area"].values, "quantity": quantity, "published": counted})
        rows = rows.assign(**{f"ours{which}": spread[f"mean{which}"].values for which in ("", MCSE)})
        tables.append(rows)
    compared = pd.concat(tables, ignore_index=True)
    over = compared["published"].where(compared["published"] > 0)
    compared = compared.assign(**{f"ratio{which}": compared[f"ours{which}"] / over for which in ("", MCSE)})
    margin = (compared["area"] == WHOLE).map(NEAR) - (compared["ratio"].fillna(0.0) - 1.0).abs()
    compared["verdict"] = verdicts(margin, compared[f"ratio{MCSE}"].fillna(0.0))
    compared.insert(1, "label", compared["area"].map(names).fillna(WHOLE))
    compared["note"] = compared["quantity"].map(BETWEEN).where(compared["verdict"] != "passed", "")
    numbers = ["published", *(f"{name}{which}" for name in ("ours", "ratio") for which in ("", MCSE))]
    compared[numbers] = compared[numbers].map(lambda value: float(f"{value:.4g}"))
    scenario = desk.scenario
    settings = f"{scenario.name}, {scenario.chains} chains of {scenario.draws} draws"
    return {"own_care": compared.assign(seed=scenario.seed, settings=settings)}


def words(compared: pd.DataFrame) -> tuple[str, bool]:
    """Return what the committed table ``own_care`` shows, in a sentence, and whether any of it fails."""
    whole, areas = compared[compared["area"] == WHOLE].set_index("quantity"), compared[compared["area"] != WHOLE]
    parts = [
        f"{inside(quantity)}, {int((rows['verdict'] == 'passed').sum())} of {len(rows)} "
        f"(England {number(float(whole['ratio'][quantity]), 2)} to 1)"
        for quantity, rows in areas.groupby("quantity", sort=False)
    ]
    lead = f"Areas in which what lives imply of a year is within {percent(NEAR[False])} of what is published"
    return f"{lead}: {'; '.join(parts)}.", bool((compared["verdict"] == "failed").any())


def table(compared: pd.DataFrame) -> Table:
    """Return England's rows of the committed table ``own_care``, and those of areas whose care is not near."""
    shown = compared[
        (compared["area"] == WHOLE) | ((compared["verdict"] != "passed") & compared["quantity"].isin(CARE))
    ]
    values = {
        "Published": (shown["published"].to_numpy(), "figure"),
        "Lives imply": (shown["ours"].to_numpy(), "figure"),
        "Ours over it": (shown["ratio"].to_numpy(), "number"),
        "Result": (shown["verdict"].to_numpy(), "text"),
        "Why they differ": (shown["note"].to_numpy(), "text"),
    }
    names = [f"{row.label}: {inside(row.quantity)}" for row in shown.itertuples()]
    note = (
        f"All areas: data/reference/own_care.csv. Near: within {percent(NEAR[False])}, England {percent(NEAR[True])}."
    )
    return plain("Care in a year, as published and as lives imply", "Area and number", values, names, note)
