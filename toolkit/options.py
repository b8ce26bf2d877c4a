"""Options that several commands share, and the areas that their options name."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["BUILD", "CACHE", "Build", "Cache", "Json", "Quiet", "chosen_areas", "limits_named"]

BUILD, CACHE = Path("build"), Path("build/cache")
Quiet = Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")]
Build = Annotated[Path, typer.Option(help="Folder for the outputs.")]
Cache = Annotated[Path, typer.Option(help="Folder of fitted models, which every build shares.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON instead of tables.")]


def chosen_areas(
    names: Sequence[str], *, region: str | None = None, england: bool = False, quiet: bool = False, apart: bool = True
) -> list[str]:
    """Return the areas that the options name, and note which of them are not one authority as it always was.

    ``apart`` is that of `toolkit.evidence.boundary_notes`.
    """
    from toolkit import evidence

    reference = evidence.reference_areas()
    chosen = evidence.resolve_areas(reference, names, region=region, england=england)
    named = [evidence.resolve_areas(reference, [name]) for name in names]
    single = list(dict.fromkeys(matches[0] for matches in named if len(matches) == 1))
    for line in evidence.boundary_notes(reference, single, apart=apart):
        if not quiet:
            typer.echo(f"Note: {line}", err=True)
    return chosen


def limits_named(
    limits: Sequence[str], *, option: str = "--limit", example: str = "looked_after=200"
) -> dict[str, float]:
    """Return the numbers that options of the form NAME=NUMBER give; ``option`` and ``example`` name it in messages.

    Raises
    ------
    InputError
        An option of another form, or a name that is given twice.
    """
    from toolkit.schema import InputError

    named: dict[str, float] = {}
    for text in limits:
        name, equals, number = (part.strip() for part in text.partition("="))
        try:
            most = float(number.replace(",", ""))
        except ValueError:
            most = float("nan")
        if not (name and equals and most == most):
            raise InputError(f"{option} {text}: not a name and a number.", fix=f"write {option} {example}.")
        if name in named:
            raise InputError(f"{option} {text}: {name} has a number already.", fix="give one of them.")
        named[name] = most
    return named


def __dir__() -> list[str]:
    return __all__
