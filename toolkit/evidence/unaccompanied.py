"""Unaccompanied children among those looked after: they came from abroad alone, and no help here could prevent it.

How many are looked after is published by area; how many start to be in a year is not, and is worked out from that.
"""

from functools import lru_cache
from pathlib import Path

import pandas as pd
import xarray as xr

from toolkit.evidence.areas import reference_areas
from toolkit.evidence.statistics import _array, _load_panel, _merge, _wide
from toolkit.evidence.tables import load_table
from toolkit.prices import rebase
from toolkit.schema import SAMPLE_DIMS, InputError, random_stream

STOCKS = ("children_looked_after", "children_in_need")  # all looked-after children are in need


def unaccompanied(base: xr.Dataset, stay: xr.DataArray, *, folder: Path | None = None) -> xr.Dataset:
    """Return the unaccompanied children of each area: how many are looked after, and their share of care starts.

    Starts are divided in the proportions in which the two groups must come in: children looked after over the years
    that they stay. Other children's stay is England's, of the starts that are left; some areas also receive children
    who are moved to others within weeks, and whose starts leave no children at 31 March.

    Parameters
    ----------
    base
        From :func:`toolkit.evidence.base_year`, published figures.
    stay
        Years that an unaccompanied child stays looked after (chain, draw).
    folder
        Data folder; the shipped one by default.

    Returns
    -------
    Dataset
        ``looked_after`` (area), children at 31 March of the latest year; ``moved_on`` (area), starts of a year of
        children who are soon another area's; ``share`` of care starts (area, chain, draw).

    Raises
    ------
    InputError
        England's care starts are fewer than those of unaccompanied children.
    """
    reference = reference_areas(folder)
    # None is published of City of London and Isles of Scilly.
    looked_after = _latest(folder).reindex(area=base["area"].values).fillna(0.0)
    moved = load_table("evidence/unaccompanied_moved", folder).merge(reference, on="la_code")
    moved_on = moved.groupby("area")["value"].sum().to_xarray().reindex(area=base["area"].values, fill_value=0.0)
    starting = looked_after / stay + moved_on
    others = (base["children_looked_after"] - looked_after).clip(0.0)
    left = base["care_starts"].sum() - starting.sum("area")
    if not bool((left > 0).all()):
        raise InputError(
            "unaccompanied children: more start to be looked after in a draw than all children.",
            fix="lengthen their stay (unaccompanied_stay).",
        )
    others_starting = others / (others.sum() / left)
    share = (starting / (starting + others_starting).where(starting + others_starting > 0, 1.0)).clip(0.0, 1.0)
    return xr.Dataset(
        {"looked_after": looked_after, "moved_on": moved_on, "share": share.transpose("area", *SAMPLE_DIMS)}
    )


@lru_cache
def _latest(folder: Path | None) -> xr.DataArray:
    """Return unaccompanied children at the last 31 March, of areas and of the parts of merged ones; read once."""
    counted = _wide(_load_panel(folder), "uasc_at_31_march")
    return _array(_merge(counted, reference_areas(folder)).combine_first(counted)).isel(data_year=-1, drop=True)


def without_unaccompanied(base: xr.Dataset, alone: xr.Dataset) -> xr.Dataset:
    """Return base-year statistics without unaccompanied children.

    Of ``care_starts``, which say how many children are at the edge of care, only those who are moved on are taken:
    they count twice. The default plan offers conferences to more children than there were without the others.

    Parameters
    ----------
    base
        Base-year statistics, perhaps with a council's own.
    alone
        From :func:`unaccompanied`.

    Raises
    ------
    InputError
        An area's own figure of children looked after is below its unaccompanied children.
    """
    starts = base["care_starts"] * alone["share"].mean(SAMPLE_DIMS)
    less = dict.fromkeys(STOCKS, alone["looked_after"])
    less |= {"care_starts": alone["moved_on"], "children_in_need_starts": starts}
    rest = {name: base[name] - part for name, part in less.items()}
    wrong = [str(area) for area in base["area"].values[(rest["children_looked_after"] < 0).values]]
    if wrong:
        raise InputError(
            f"children_looked_after of {', '.join(wrong)}: fewer than its unaccompanied children.",
            fix="count them too, or set unaccompanied: true.",
        )
    return base.assign({name: values.assign_attrs(base[name].attrs) for name, values in rest.items()})


def published_care(
    base: xr.Dataset,
    alone: xr.Dataset,
    *,
    leaving_care: bool,
    price_base: str,
    deflators: pd.Series,
    folder: Path | None = None,
) -> xr.Dataset:
    """Return what is published of each area's care in the latest year, less unaccompanied children.

    Parameters
    ----------
    base, alone
        As for :func:`without_unaccompanied`.
    leaving_care
        Whether spending on young people who have left care counts.
    price_base, deflators
        Financial year of the prices of spending, and those of the register.
    folder
        Data folder; the shipped one by default.

    Returns
    -------
    Dataset (area)
        ``care_starts``; children ``looked_after``, and others ``in_need``; ``care_spending``, GBP in ``price_base``,
        in proportion to the children.
    """
    reference, panel = reference_areas(folder), _load_panel(folder)
    gross, leaving = (_wide(panel, f"s251_{name}_gross") for name in ("looked_after", "leaving_care"))
    spent = _array(_merge(gross if leaving_care else gross - leaving, reference)).isel(data_year=-1)
    year = int(spent["data_year"])
    spent = rebase(1.0, f"{year - 1}/{year % 100:02d}", to=price_base, deflators=deflators) * spent
    here = without_unaccompanied(base, alone)
    children = here["children_looked_after"]
    parts = {
        "care_starts": base["care_starts"] * (1.0 - alone["share"].mean(SAMPLE_DIMS)),
        "looked_after": children,
        "in_need": here["children_in_need"] - children,
        "care_spending": spent * children / base["children_looked_after"],
    }
    return xr.Dataset({name: part.reset_coords(drop=True) for name, part in parts.items()})


def steady_stock(counted: xr.DataArray, *, like: xr.Dataset, seed: int) -> xr.DataArray:
    """Draw the children that areas would have looked after on average, had a count of one day been repeated.

    A count is Poisson about it: with Jeffreys' prior it is gamma-distributed with the count and a half as its shape.

    Parameters
    ----------
    counted
        Children at 31 March (area).
    like
        Anything with ``chain`` and ``draw``.
    seed
        Seed of the run.

    Returns
    -------
    DataArray (area, chain, draw)
    """
    shape = (counted.sizes["area"], *(like.sizes[dim] for dim in SAMPLE_DIMS))
    drawn = random_stream(seed, "steady_stock").gamma(counted.values[:, None, None] + 0.5, size=shape)
    coords = {"area": counted["area"].values, **{dim: like[dim].values for dim in SAMPLE_DIMS}}
    return xr.DataArray(drawn, coords, ("area", *SAMPLE_DIMS), attrs={"units": "children"})
