"""What the command prints and how it ends: tables, bars, one clear line for whatever stops it.

rich is imported where something is printed: `outcomes --version` is there before it would be.
"""

import codecs
import errno
import io
import sys
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["BAD_INPUT", "call", "progress_bars", "show"]

BAD_INPUT = 2
# What a disk can answer that is no fault of the program.
DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM}
WIDTH = 120  # of a table that goes to a file or another program
SPELT = dict(zip("−–—·×÷’“”\N{NO-BREAK SPACE}", '---.x/\'"" ', strict=True)) | {
    "£": "GBP ",
    "±": "+/-",
    "≥": ">=",
    "≤": "<=",
    "½": "1/2",
    "²": "^2",
    "→": "->",
    "\N{WORD JOINER}": "",
}


def show(table: "pd.DataFrame", as_json: bool, *, title: str) -> None:
    """Print a table, or its rows as JSON."""
    if as_json:
        typer.echo(table.to_json(orient="records", indent=2))
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    shown = Table(title=title, title_justify="left", header_style="bold")
    for column in table.columns:
        shown.add_column(str(column), overflow="fold")
    for row in table.astype(object).where(table.notna(), "").itertuples(index=False):
        shown.add_row(*(escape(str(value)) for value in row))
    Console(width=None if sys.stdout.isatty() else WIDTH).print(shown)


@contextmanager
def progress_bars(silent: bool) -> Iterator[Callable[[str, float], None]]:
    """Show a bar for each stage."""
    if silent:
        yield lambda stage, share: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    share = TextColumn("{task.percentage:>3.0f}%")
    columns = (TextColumn("{task.description:<26}"), BarColumn(), share, TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:
        tasks: dict[str, Any] = {}

        def update(stage: str, share: float) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=None)
            # A stage whose share is not known yet pulses.
            bars.update(tasks[stage], completed=share, total=1.0 if share > 0 else None)

        yield update


def call(command: Callable[[], object]) -> None:
    """Run a command, turning bad input and a disk that cannot be written to into one clear line and exit code 2."""
    codecs.register_error("plain", _plain)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # not every console can show every character: cp1252, ASCII
            stream.reconfigure(errors="plain")
    try:
        command()
    except OSError as problem:
        if problem.errno not in DISK_ERRORS:
            raise
        _refuse(
            f"{problem.filename or 'output'}: {problem.strerror}. "
            "Fix: free space there or allow writing, or give other folders with --build and --cache."
        )
    except ValueError as problem:
        from toolkit.schema import InputError

        if not isinstance(problem, InputError):
            raise
        _refuse(str(problem))


def _refuse(message: str) -> None:
    from rich.console import Console
    from rich.markup import escape

    Console(stderr=True).print(f"[bold red]Error:[/] {escape(message)}", highlight=False, soft_wrap=True)
    sys.exit(BAD_INPUT)


def _plain(problem: UnicodeError) -> tuple[str, int]:
    """Spell characters that a console's encoding lacks in those that every encoding has; a minus sign must not go."""
    if not isinstance(problem, UnicodeEncodeError):
        raise problem
    return "".join(map(_spelt, problem.object[problem.start : problem.end])), problem.end


def _spelt(letter: str) -> str:
    bare = unicodedata.normalize("NFKD", letter).encode("ascii", "ignore").decode() if letter.isalpha() else ""
    return SPELT.get(letter, bare or "?")


def __dir__() -> list[str]:
    return __all__
