"""Which places there are: authorities, the areas that boundary changes merged, regions, and what people call them."""

from collections.abc import Callable, Collection, Iterable
from difflib import get_close_matches
from pathlib import Path

import pandas as pd
import xarray as xr

from toolkit.evidence.tables import load_table
from toolkit.schema import InputError

NAMED = 3  # so many areas are named one by one
MERGED = "stable:"  # begins the label of an area of more than one current authority


def reference_areas(folder: Path | None = None) -> pd.DataFrame:
    """Load the local authorities with the ``area`` of each: ONS code, or ``stable:<name>`` if merged."""
    reference = load_table("statistics/reference_areas", folder)
    sizes = reference.groupby("stable_area")["la_code"].transform("size")
    area = reference["la_code"].where(sizes == 1, MERGED + reference["stable_area"])
    return reference.assign(area=area)


def whole_of(reference: pd.DataFrame | None = None) -> dict[str, str]:
    """Return the merged area of each current authority that is a part of one, by its code."""
    reference = reference_areas() if reference is None else reference
    rows = reference[reference["area"].str.startswith(MERGED) & (reference["status"] == "current")]
    return dict(zip(rows["la_code"], rows["area"], strict=True))


def set_apart(reference: pd.DataFrame) -> pd.DataFrame:
    """Return the authorities as if no boundary had moved: each current one is an area of its own, and no other is."""
    current = reference[reference["status"] == "current"]
    return current.assign(area=current["la_code"], stable_area=current["la_name"])


def of_areas[T: (xr.Dataset, xr.DataArray)](data: T, areas: Collection[str]) -> T:
    """Return the rows of areas; an authority without its own has those of the merged area that it is a part of."""
    whole = whole_of() if set(areas) - set(data["area"].values.tolist()) else {}
    rows = [area if area in data["area"].values else whole.get(area, area) for area in areas]
    return data.sel(area=rows).assign_coords(area=list(areas)) if whole else data.sel(area=rows)


def and_parts(load: Callable[..., xr.Dataset], areas: Iterable[str]) -> xr.Dataset:
    """Return what ``load()`` gives by area, and by itself for those of the areas that are parts of merged ones."""
    reference = reference_areas()
    whole = whole_of(reference)
    parts = [area for area in areas if area in whole]
    own = [load(reference=set_apart(reference)).sel(area=parts)] if parts else []
    joined = [load(), *own]
    return xr.concat(joined, "area", data_vars="minimal", coords="minimal", compat="override") if own else joined[0]


def other_codes(reference: pd.DataFrame) -> dict[str, str]:
    """Return the code that the statistics use of each authority by its earlier or newer one (Barnsley's of 2025)."""
    known = reference[reference["earlier_or_other_codes"] != ""]
    return {
        other: code
        for code, others in zip(known["la_code"], known["earlier_or_other_codes"], strict=True)
        for other in others.split(";")
    }


def members(reference: pd.DataFrame, area: str) -> list[str]:
    """Return the names of the current authorities of an area, which may be a part of a merged one."""
    here = (reference["area"] == area) | (reference["la_code"] == area)
    return sorted(reference.loc[here & (reference["status"] == "current"), "la_name"])


def place_name(reference: pd.DataFrame, area: str) -> str:
    """Return what an area is called: "Cumbria area: Cumberland with Westmorland and Furness" if it is a merged one."""
    names = " with ".join(members(reference, area)) or area
    return f"{area.removeprefix(MERGED)}: {names}" if area.startswith(MERGED) else names


def check_whole(
    known: Collection[tuple[str, int]], given: Collection[tuple[str, int]], reference: pd.DataFrame, where: str
) -> None:
    """Refuse counts of only a part of an area that boundary changes merged: they would be lost.

    Parameters
    ----------
    known, given
        Authority and year, by code, of the counts that can be used, and of all rows, the unknown ones among them.
    reference
        From :func:`reference_areas`.
    where
        The table.

    Raises
    ------
    InputError
        Names the authorities and the year.
    """
    rows = reference.set_index("la_code")
    years: dict[tuple[str, int], set[str]] = {}
    for code, year in known:
        years.setdefault((str(rows.loc[code, "area"]), year), set()).add(code)
    for (area, year), codes in years.items():
        generations = [set(part.index) for _, part in rows[rows["area"] == area].groupby("status")]
        if not any(codes <= whole and all((code, year) in given for code in whole) for whole in generations):
            here, whole = " and ".join(rows.loc[sorted(codes), "la_name"]), " and ".join(members(reference, area))
            raise InputError(
                f"{where}: {here} in {year}, but {whole} count as one area.",
                fix="give a row for each of them (or each authority before them) in that year, or for none.",
            )


def boundary_notes(reference: pd.DataFrame, areas: Collection[str], *, apart: bool = True) -> list[str]:
    """Return a sentence for each of a few areas that is several authorities, or a part of such an area.

    Parameters
    ----------
    reference
        From :func:`reference_areas`.
    areas
        Labels of areas.
    apart
        Whether a part has figures of its own here: an outlook, which needs a history, is of the merged area alone.
    """
    whole, notes = whole_of(reference), []
    for area in areas if len(areas) <= NAMED else ():
        names = " and ".join(members(reference, whole.get(area, area)))
        if not apart and (area in whole or area.startswith(MERGED)):
            short = f"{members(reference, area)[0]} has too short a history of its own: " if area in whole else ""
            notes.append(f"{short}an outlook is of the merged area, {place_name(reference, whole.get(area, area))}.")
        elif area in whole:
            notes.append(
                f"{members(reference, area)[0]} is new: rates of outcomes are those of {names} together, since earlier "
                "statistics cannot be parted; children, spending and prices are its own."
            )
        elif area.startswith(MERGED):
            notes.append(f"These are figures of {names} together. Each can be asked for by its name.")
    return notes


def resolve_areas(
    reference: pd.DataFrame, names: Iterable[str] = (), *, region: str | None = None, england: bool = False
) -> list[str]:
    """Turn the names that people use for places into area labels, in the order given, without repeats.

    Parameters
    ----------
    reference
        From :func:`reference_areas`.
    names
        Names (in any case) or ONS codes, new and old, of authorities, merged areas, regions. A current authority
        within a merged area resolves to its own code, unless the merged area is chosen too and so holds it.
    region, england
        A region's name, added to ``names``; or all of England, alone.

    Raises
    ------
    InputError
        If nothing is chosen, England beside its own parts, or a place is unknown (naming the nearest) or
        abolished (naming successors).
    """
    regions = sorted(reference["region"].unique())
    if region is not None and region.strip().casefold() not in [name.casefold() for name in regions]:
        raise InputError(f"region {region!r}: unknown.", fix=f"use one of {', '.join(regions)}.")
    places = [*names, *([] if region is None else [region]), *(["England"] if england else [])]
    if not places:
        raise InputError("areas: none chosen.", fix="give a name or code, a region, or England.")
    if england and len(places) > 1:
        raise InputError(f"areas: England holds {places[0]} already.", fix="choose England, or only the places within.")
    known = _known_places(reference)
    chosen = dict.fromkeys(area for place in places for area in _find(place, known, reference))
    whole = whole_of(reference)
    return [area for area in chosen if whole.get(area) not in chosen]


def neighbours(folder: Path | None, area: str) -> pd.DataFrame:
    """Return the statistical neighbours of an area, nearest first; of a merged area, those of its members.

    Parameters
    ----------
    folder, area
        A data folder (None: the shipped one); one place, as :func:`resolve_areas` understands it.

    Returns
    -------
    DataFrame
        One row a neighbouring area: ``area``, ``area_name``, ``rank`` (its best), ``closeness``, ``model``.
    """
    reference = reference_areas(folder).set_index("la_code")
    labels = resolve_areas(reference.reset_index(), [area])
    table = load_table("statistics/statistical_neighbours", folder)
    table = table[table["la_code"].map(reference["area"]).isin(labels) | table["la_code"].isin(labels)]
    labels += [reference["area"].get(label, label) for label in labels]
    table = table.assign(area=table["neighbour_la_code"].map(reference["area"]))
    table["area_name"] = table["neighbour_la_code"].map(reference["stable_area"])
    table = table[~table["area"].isin(labels)].sort_values("rank", kind="stable").drop_duplicates("area")
    return table[["area", "area_name", "rank", "closeness", "model"]].reset_index(drop=True)


def _known_places(reference: pd.DataFrame) -> dict[str, list[str]]:
    """Return every accepted spelling, in lower case, with its areas; the later column wins if two claim one."""
    known = {"england": sorted(reference["area"].unique())}
    for region, rows in reference.groupby("region"):
        known[str(region).casefold()] = sorted(rows["area"].unique())
    # Other codes: newer ones of Barnsley and Sheffield, older ones of five others, same authorities.
    current = reference[reference["status"] == "current"]
    known |= {other.casefold(): [code] for other, code in other_codes(current).items()}
    for column in ("area", "stable_area", "la_code", "la_name"):
        pairs = zip(current[column].str.casefold(), current["la_code" if column[:3] == "la_" else "area"], strict=True)
        known |= {key: [area] for key, area in pairs}
    return {key: areas for key, areas in known.items() if key}


def _find(place: str, known: dict[str, list[str]], reference: pd.DataFrame) -> list[str]:
    key = place.strip().casefold()
    if key in known:
        return known[key]
    folded = {column: reference[column].str.casefold() for column in ("la_code", "la_name")}
    gone = reference[(folded["la_code"] == key) | (folded["la_name"] == key)]
    if len(gone):  # a current one would have been known
        successors = gone["successor_dfe_codes"].iloc[0].split(";")
        heirs = reference[reference["dfe_la_number"].astype(str).isin(successors)]
        named = " and ".join(heirs["la_name"] + " (" + heirs["la_code"] + ")")
        raise InputError(f"area {place!r}: {gone['la_name'].iloc[0]} was abolished.", fix=f"use {named}.")
    spelt = {name.casefold(): name for name in reference[["la_name", "la_code", "region"]].to_numpy().ravel()}
    within = [name for name in spelt if key and key in name]
    close = dict.fromkeys([*within, *get_close_matches(key, spelt, n=3, cutoff=0.5)])
    hint = f"nearest: {'; '.join([spelt[name] for name in close][:5])}." if close else "no name comes near."
    raise InputError(f"area {place!r}: unknown.", fix=f"use a name or code of reference_areas.csv; {hint}")
