"""One run, one file: the labelled tree that a run leaves, written whole or not at all, and checked when it is read."""

import errno
import hashlib
import json
import logging
import os
import shutil
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from toolkit import evidence
from toolkit.folders import drafts, standing, writable
from toolkit.scenarios import Scenario
from toolkit.schema import SAMPLE_DIMS, InputError
from toolkit.text_files import excerpt

__all__ = [
    "assemble",
    "check_writable",
    "fingerprint",
    "open_netcdf",
    "prune",
    "versions",
    "write_netcdf",
]

KEPT_IN_FULL = 20  # areas of a run whose rates of every year are kept in the run's file
SPARE = 1 << 20  # bytes: a disk with fewer left is full
PACKAGES = ("cost-of-outcomes", "pymc", "nutpie", "arviz", "xarray", "numpy")
MARK = b"\nsha256:"  # before the checksum at the end of a file: HDF5 reads no further than its own last byte
TRAILER = len(MARK) + 64 + 1
CHUNK = 1 << 20  # bytes
SCHEMA_VERSION = 2  # of the groups of a run's file
GROUPS = ("assumptions", "posterior", "effects", "lives", "costs", "appraisal", "checks")  # of every run
LIVES = ("lives", "care_avoided", "children_entering", "children_reached")  # what is priced of the group
RENAMED = {"told": "life_course", "reading": "effect_evidence"}  # groups of version 1
LOG = logging.getLogger("toolkit")


def assemble(
    scenario: Scenario,
    assumptions: pd.DataFrame,
    fitted: xr.DataTree,
    draws: xr.Dataset,
    effects: xr.Dataset,
    priced: xr.Dataset,
    result: xr.Dataset,
    card: pd.DataFrame,
    areas: list[str],
    statistics: xr.Dataset,
) -> xr.DataTree:
    """Put everything a run computed into one tree, with attributes that identify the run.

    Groups: ``assumptions/figures`` and ``assumptions/draws``, ``posterior`` (the chosen areas),
    ``effects``, ``lives``, ``costs``, ``appraisal``, ``checks``. The arguments are what the stages return.
    """
    posterior = evidence.of_areas(fitted["posterior"].to_dataset(), areas)
    if len(areas) > KEPT_IN_FULL:  # England's rates of every year are a hundred megabytes; the base year stays
        posterior = posterior.drop_vars(["area_rate", "area_effect"], errors="ignore")
    chosen = evidence.with_parts(statistics, areas).sel(area=areas)
    labels = {name: ("area", chosen[name].values.astype(str)) for name in ("area_name", "region")}
    lives = priced[list(LIVES)].assign_coords(labels)
    costs = priced.drop_vars(LIVES).assign_coords(labels)
    tree = xr.DataTree.from_dict(
        {
            "assumptions/figures": assumptions.astype(str).to_xarray(),
            "assumptions/draws": draws,
            "posterior": posterior,
            "effects": effects,
            "lives": lives,
            "costs": costs,
            "appraisal": result,
            "checks": card.astype(str).rename_axis("check_number").to_xarray(),
        }
    )
    tree.attrs = {
        "schema_version": SCHEMA_VERSION,
        "title": scenario.title,
        "scenario": scenario.model_dump_json(),
        "scenario_hash": scenario.hash,
        "seed": scenario.seed,
        "areas": json.dumps(areas),
        "place": _place(areas, statistics),
        "checks_passed": int(bool(card["passed"].all())),
        "data_checksums": json.dumps(evidence.checksums()),
        "versions": json.dumps({name: version(name) for name in PACKAGES}),
        "spend_range": _spend_range(chosen),
        "predicted": json.dumps(_predicted(chosen, fitted["constant_data"].to_dataset())),
        "without_covariate": json.dumps({name: _without(name, statistics) for name in scenario.covariates}),
        "price_base": scenario.price_base,
        "first_year": scenario.first_year,
    }
    return tree


def _place(areas: list[str], statistics: xr.Dataset) -> str:
    """Return "England" or a region if the areas are all of it; otherwise "", and they are named one by one."""
    whole = {"England": statistics["area"].values} if statistics.sizes["area"] > 1 else {}
    for region in sorted(set(statistics["region"].values.astype(str))):
        whole[region] = statistics["area"].values[statistics["region"].values == region]
    return next((name for name, members in whole.items() if set(areas) == set(members)), "")


def _predicted(chosen: xr.Dataset, design: xr.Dataset) -> dict[str, list[str]]:
    """Return, by area name, the indicators of which no count of that area entered the fit."""
    used = (design["family"] > 0).any("data_year") & design["fitted"]
    seen = evidence.of_areas(used, chosen["area"].values.tolist()).transpose("area", "indicator").values
    rows = zip(chosen["area_name"].values.astype(str), ~seen, strict=True)
    return {name: design["indicator"].values[row].astype(str).tolist() for name, row in rows if row.any()}


def _without(name: str, statistics: xr.Dataset) -> list[str]:
    """Return the names of fitted areas without a value of a covariate in any year."""
    gaps = statistics[name].isnull().all("data_year") & statistics["fitted"]
    return [str(area) for area in statistics["area_name"].values[gaps.values]]


def _spend_range(chosen: xr.Dataset) -> list[float]:
    """Return areas' spend per child since 2013 over their latest: the 5th and 95th percentiles."""
    now = evidence.base_year(chosen)["early_help_spend"]
    seen = (chosen["early_help_spend"] / now).sel(data_year=slice(2013, None)).values
    return [float(bound) for bound in np.nanquantile(seen, [0.05, 0.95])]


def write_netcdf(tree: xr.DataTree, path: Path) -> None:
    """Write a tree beside ``path`` and move it into place, so that no half-written file is ever there.

    The file ends with its own SHA-256, so that it can be copied about and still be checked; any program that reads
    netCDF reads it. Not compressed: draws repeat little, so that a third of the size would take eight times as long.
    """
    encoding = {
        group.path: {
            str(key): {"dtype": "float32"}
            for key, variable in group.dataset.data_vars.items()
            if variable.dtype.kind == "f" and variable.size > 10_000
        }
        for group in tree.subtree
    }
    with drafts(path.parent) as folder:
        temporary = folder / path.name
        try:
            tree.to_netcdf(temporary, engine="netcdf4", encoding=encoding)
        except RuntimeError as problem:  # the netCDF library does not pass on the error of the disk
            full = shutil.disk_usage(folder).free < SPARE
            raise OSError(errno.ENOSPC if full else errno.EIO, f"{'disk full' if full else problem}") from problem
        _append_checksum(temporary)
        temporary.replace(path)


def open_netcdf(path: Path) -> xr.DataTree:
    """Read a whole tree into memory, after checking that the file is as it was written, and close the file.

    Groups of a run's file of an older version have their present names in the tree.

    Raises
    ------
    InputError
        A file that is missing, damaged, cut short, or not written by :func:`write_netcdf`. The library of netCDF reads
        many a damaged file with other numbers, and never comes back from some, so it is not given one. A run's file
        that lacks a group, holds no numbers where draws should be, or is of a later version.
    """
    try:
        _verify_checksum(path)
        with xr.open_datatree(path, engine="netcdf4") as opened:
            for group in opened.subtree:  # DataTree.load of xarray leaves out a variable with the name of a group
                for variable in group.variables.values():
                    variable.load()
            tree = _with_present_names(opened)
        if {"schema_version", "scenario"} & opened.attrs.keys():
            _check_run(tree, path)
        return tree
    except OSError as problem:
        what = problem.strerror or "not readable as netCDF"
        raise InputError(f"{path}: {what}.", fix="give a file that a run has written, or run again.") from None


def _check_run(tree: xr.DataTree, path: Path) -> None:
    """Refuse a run's file in which something that every run has is not there, or is of another kind."""
    again = "run again, with this version of the toolkit."
    given = tree.attrs.get("schema_version", 1)  # which the first version did not note
    if not isinstance(given, int | np.integer) or not 1 <= given <= SCHEMA_VERSION:
        raise InputError(f"{path}: version '{excerpt(given)}' of a run's file is not known here.", fix=again)
    if missing := [name for name in GROUPS if name not in tree.children]:
        raise InputError(f"{path}: no group {', '.join(missing)}, which every run has.", fix=again)
    try:
        scenario = json.loads(tree.attrs.get("scenario", ""))
    except (ValueError, TypeError, RecursionError):
        scenario = None
    if not isinstance(scenario, dict):
        raise InputError(f"{path}: its attribute 'scenario' holds none.", fix=again)
    for group in tree.subtree:
        for name, variable in group.dataset.data_vars.items():
            if set(SAMPLE_DIMS) <= set(variable.dims) and variable.dtype.kind not in "biuf":
                raise InputError(f"{path}: {group.path}/{excerpt(name)} holds no numbers, but draws.", fix=again)


def _with_present_names(tree: xr.DataTree) -> xr.DataTree:
    """Return a tree whose groups are named as in the present version of a run's file."""
    if not RENAMED.keys() & tree.children.keys():
        return tree
    groups = {RENAMED.get(name, name): child for name, child in tree.children.items()}
    renamed = xr.DataTree(tree.to_dataset(), groups)
    renamed.attrs["schema_version"] = SCHEMA_VERSION
    return renamed


def open_cached(path: Path) -> xr.DataTree | None:
    """Return a tree kept from before, or None if there is none or if it is damaged, which is then logged."""
    if not path.is_file():
        return None
    try:
        return open_netcdf(path)
    except InputError as problem:
        LOG.warning("%s It is a cache: its content is computed again.", str(problem).partition(" Fix: ")[0])
        return None


def _append_checksum(path: Path) -> None:
    with path.open("r+b") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(0, os.SEEK_END)
        file.write(MARK + digest.encode() + b"\n")


def _verify_checksum(path: Path) -> None:
    digest, left = hashlib.sha256(), path.stat().st_size - TRAILER
    with path.open("rb") as file:
        while left > 0 and (part := file.read(min(CHUNK, left))):
            digest.update(part)
            left -= len(part)
        trailer = file.read(TRAILER + 1)
    if not trailer.startswith(MARK):
        raise InputError(
            f"{path}: no checksum at its end, so it is cut short, damaged or from another program or version.",
            fix="restore it from a copy, or run again.",
        )
    if trailer != MARK + digest.hexdigest().encode() + b"\n":
        raise InputError(f"{path}: damaged (its SHA-256 differs).", fix="restore it from a copy, or run again.")


def prune(cache: Path, most: int) -> None:
    """Keep only the latest files of a cache: each is tens or hundreds of megabytes."""
    newest_first = sorted(cache.glob("*.nc"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in newest_first[most:]:
        path.unlink()


def check_writable(folder: Path, *, option: str, room: float = 0.0) -> None:
    """Refuse a folder that cannot take the outputs before minutes are spent on a fit.

    Parameters
    ----------
    folder
        Created later, if it does not exist yet.
    option
        The option of the command that names another folder.
    room
        Bytes that are needed.

    Raises
    ------
    InputError
        It cannot be written to, or its disk has less room.
    """
    if not writable(folder):
        raise InputError(
            f"{folder}: cannot be written to.", fix=f"allow writing, or give another folder with {option}."
        )
    if (free := shutil.disk_usage(standing(folder)).free) < room:
        raise InputError(
            f"{folder}: {free / 1e6:,.0f} MB are free and about {room / 1e6:,.0f} MB needed.",
            fix=f"free space, or give another folder with {option}.",
        )


def fingerprint(*parts: object) -> str:
    """Return a short hash of bytes, tables, datasets and whatever else JSON can hold."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, bytes):
            digest.update(part)
        elif isinstance(part, xr.Dataset):
            for name in sorted(map(str, part.variables)):
                values = part[name].values
                exact = values if values.dtype.kind in "biuf" else values.astype(str)
                digest.update(f"{name} {part[name].dims} {exact.dtype.str} {exact.shape}".encode())
                digest.update(np.ascontiguousarray(exact).tobytes())
        elif isinstance(part, pd.DataFrame):
            digest.update(part.to_csv().encode())
        else:
            digest.update(json.dumps(part, sort_keys=True, default=str).encode())
    return digest.hexdigest()[:16]


def versions(*packages: str) -> bytes:
    """Return the installed versions of packages, for a fingerprint."""
    return " ".join(map(version, packages)).encode()


def __dir__() -> list[str]:
    return __all__
