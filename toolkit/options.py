"""Options that several commands share, and the areas that their options name."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["BUILD", "CACHE", "Build", "Cache", "Json", "Quiet", "chosen_areas"]

BUILD, CACHE = Path("build"), Path("build/cache")
Quiet = Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")]
Build = Annotated[Path, typer.Option(help="Folder for the outputs.")]
Cache = Annotated[Path, typer.Option(help="Folder of fitted models, which every build shares.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON instead of tables.")]


def chosen_areas(
    names: Sequence[str], *, region: str | None = None, england: bool = False, quiet: bool = False
) -> list[str]:
    """Return the areas that the options name, and note which authorities are answered together with another."""
    from toolkit import evidence

    reference = evidence.reference_areas()
    chosen = evidence.resolve_areas(reference, names, region=region, england=england)
    named = [evidence.resolve_areas(reference, [name]) for name in names]
    single = dict.fromkeys(matches[0] for matches in named if len(matches) == 1)
    for line in evidence.answered_together(reference, single):
        if not quiet:
            typer.echo(f"Note: {line}", err=True)
    return chosen


def __dir__() -> list[str]:
    return __all__
