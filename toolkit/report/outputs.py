"""Writes a run's three files: all of them, or none."""

import json
import re
from pathlib import Path

from toolkit.folders import drafts
from toolkit.measures.analysis import analyse
from toolkit.measures.quantities import Run, area_names
from toolkit.pricing.areas import Progress, silent
from toolkit.records import fingerprint, write_netcdf
from toolkit.report.contents import every_table
from toolkit.report.html import render
from toolkit.report.workbook import write_workbook
from toolkit.schema import InputError

MOST_NAMED = 3  # areas in a folder's name
NAMES = ("report.html", "workbook.xlsx", "run.nc")


def folder_name(run: Run) -> str:
    """Return a name for the folder of a run's files, by scenario and place, such as "families_first-leeds"."""
    names = sorted(area_names(run))
    if len(names) > MOST_NAMED:
        chosen = fingerprint(sorted(json.loads(str(run.tree.attrs["areas"]))))
        names = [str(run.tree.attrs["place"]) or f"{len(names)} areas {chosen[:6]}"]
    return "-".join([run.scenario.name, *(re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") for name in names)])


def write_all(run: Run, build: Path, *, progress: Progress = silent) -> list[Path]:
    """Write the report, the workbook and the run itself.

    Parameters
    ----------
    run
        A finished run.
    build
        Folder to write to; created if it does not exist.
    progress
        Called with the stage's name and the share of it that is done.

    Returns
    -------
    list of Path
        The report, the workbook and the run's netCDF. Whatever stops the writing, a failure or the user,
        leaves the files of the previous run as they were.

    Raises
    ------
    InputError
        If a file cannot be replaced, as when a spreadsheet program holds the workbook open.
    OSError
        If the disk is full or the folder cannot be written to.
    """
    with drafts(build) as folder:
        new, old = folder / "new", folder / "old"
        new.mkdir()
        old.mkdir()
        progress("weigh the decision", 0.0)
        analysis = analyse(run)
        progress("weigh the decision", 1.0)
        progress("write report", 0.0)
        tables = every_table(run, analysis)
        (new / NAMES[0]).write_text(render(run, tables, analysis), encoding="utf-8")
        write_workbook(run, tables, new / NAMES[1])
        write_netcdf(run.tree, new / NAMES[2])
        _swap(new, old, build)
        progress("write report", 1.0)
    return [build / name for name in NAMES]


def _swap(drafts: Path, old: Path, build: Path) -> None:
    """Move the new files into place, putting the old ones back if any of it fails."""
    try:
        for name in NAMES:
            if (build / name).exists():
                (build / name).replace(old / name)
            (drafts / name).replace(build / name)
    except BaseException as problem:
        for name in NAMES:
            if (old / name).exists():
                (old / name).replace(build / name)
            elif not (drafts / name).exists():
                (build / name).unlink(missing_ok=True)
        if isinstance(problem, OSError):
            raise InputError(
                f"{build}: {problem.strerror}.", fix="close the files of the previous run, then run again."
            ) from None
        raise
