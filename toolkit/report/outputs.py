"""Writing a run's three files: all of them, or none."""

import tempfile
from pathlib import Path

from toolkit.pricing import Progress, silent
from toolkit.records import write_netcdf
from toolkit.report.analysis import analyse
from toolkit.report.contents import every_table
from toolkit.report.html import render
from toolkit.report.quantities import Run
from toolkit.report.workbook import write_workbook
from toolkit.schema import InputError

NAMES = ("report.html", "workbook.xlsx", "run.nc")


def write_all(run: Run, build: Path, *, progress: Progress = silent) -> list[Path]:
    """Write the report, the workbook and the run itself.

    Parameters
    ----------
    run
        A finished run.
    build
        Folder to write to; made if it is not there.
    progress
        Called with the stage's name and the share of it that is done.

    Returns
    -------
    list of Path
        The report, the workbook and the run's netCDF. Whatever stops the writing, a failure or the user,
        leaves the files of the run before as they were.

    Raises
    ------
    InputError
        If a file cannot be replaced, as when a spreadsheet program holds the workbook open.
    """
    build.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=build, prefix=".writing-") as name:
        drafts, kept = Path(name) / "new", Path(name) / "old"
        drafts.mkdir()
        kept.mkdir()
        progress("weigh the decision", 0.0)
        analysis = analyse(run)
        progress("weigh the decision", 1.0)
        progress("write report", 0.0)
        made = every_table(run, analysis)
        (drafts / NAMES[0]).write_text(render(run, made, analysis), encoding="utf-8")
        write_workbook(run, made, drafts / NAMES[1])
        write_netcdf(run.tree, drafts / NAMES[2])
        _swap(drafts, kept, build)
        progress("write report", 1.0)
    return [build / name for name in NAMES]


def _swap(drafts: Path, kept: Path, build: Path) -> None:
    """Move the new files into place, putting the old ones back if any of it fails."""
    try:
        for name in NAMES:
            if (build / name).exists():
                (build / name).replace(kept / name)
            (drafts / name).replace(build / name)
    except BaseException as problem:
        for name in NAMES:
            if (kept / name).exists():
                (kept / name).replace(build / name)
            elif not (drafts / name).exists():
                (build / name).unlink(missing_ok=True)
        if isinstance(problem, OSError):
            raise InputError(
                f"{build}: {problem.strerror}. Mend: close the files of the previous run, then run again."
            ) from None
        raise
