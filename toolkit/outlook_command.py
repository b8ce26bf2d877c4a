"""The command ``outcomes outlook``: where children looked after, prices and spending are heading."""

import re
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from toolkit.console import progress_bars, show
from toolkit.options import CACHE, Cache, Quiet, chosen_areas

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["outlook"]

EXAMPLE = "2026=1500"  # of --own


def outlook(
    area: Annotated[list[str] | None, typer.Option(help="Area name or ONS code; repeat for several.")] = None,
    region: Annotated[str | None, typer.Option(help="All areas of a region.")] = None,
    england: Annotated[bool, typer.Option("--england", help="All areas of England.")] = False,
    baseline: Annotated[
        str, typer.Option(help="Of the number of children: model, flat, review or counties.")
    ] = "model",
    own: Annotated[
        list[str] | None, typer.Option(metavar="YEAR=CHILDREN", help="A baseline of your own; repeat for each year.")
    ] = None,
    price_growth: Annotated[
        str, typer.Option(help="Real growth of prices: fade, persist, or a share a year such as 0.03.")
    ] = "fade",
    until: Annotated[int, typer.Option(help="Last year, by the March in which it ends.")] = 2035,
    output: Annotated[Literal["table", "json", "csv"], typer.Option(help="What to print.")] = "table",
    cache: Cache = CACHE,
    quiet: Quiet = False,
) -> None:
    """Forecast children looked after, placements, prices and spending, with 90 per cent intervals."""
    from toolkit import evidence
    from toolkit.measures.outlook import outlook_table, shown
    from toolkit.outlook import forecast, with_outlook

    chosen = chosen_areas(area or (), region=region, england=england, quiet=quiet, apart=False)
    reference = evidence.reference_areas()
    if own:
        _check_whole(chosen, reference)
    areas = with_outlook(chosen) or chosen  # a region is forecast without its areas that have too few children
    names = [evidence.place_name(reference, one) for one in areas]
    place = "; ".join(names) if len(names) <= evidence.NAMED else f"{len(names)} areas together"
    with progress_bars(quiet or output != "table") as progress:
        drawn = forecast(
            areas,
            cache=cache,
            baseline=own_figures(own, baseline) if own else baseline,
            price_growth=growth_of(price_growth),
            until=until,
            progress=progress,
        )
    table = outlook_table(drawn)
    table.insert(0, "area", place)
    if output == "json":
        show(table, True, title="")
    elif output == "csv":
        typer.echo(table.to_csv(index=False), nl=False)
    elif not quiet:
        show(
            shown(table),
            False,
            title=f"Outlook of {place}. Median and 90% interval; baseline: {drawn.attrs['baseline']}",
        )


def _check_whole(areas: list[str], reference: "pd.DataFrame") -> None:
    """Refuse children of one authority of a merged area, whose outlook is of them all."""
    from toolkit import evidence
    from toolkit.schema import InputError

    whole = evidence.whole_of(reference)
    for area in areas:
        if area in whole:
            merged = evidence.place_name(reference, whole[area])
            raise InputError(
                f"--own for {evidence.place_name(reference, area)}: these would count for the whole merged area.",
                fix=f'name it instead, --area "{merged.partition(":")[0]}", with the children of all of it ({merged}).',
            )


def growth_of(text: str) -> str | float:
    """Return a growth of prices as :func:`toolkit.outlook.forecast` takes it: a word as it is, a number as one."""
    try:
        return float(text)
    except ValueError:
        return text


def own_figures(texts: list[str], baseline: str) -> dict[int, float]:
    """Return children by year from options of the form YEAR=CHILDREN.

    Raises
    ------
    InputError
        Another baseline beside them, an option of another form, or a year that is given twice.
    """
    from toolkit.options import limits_named
    from toolkit.schema import InputError

    if baseline != "model":
        raise InputError(f"--own beside --baseline {baseline}.", fix="give one of them.")
    figures: dict[int, float] = {}
    for name, number in limits_named(texts, option="--own", example=EXAMPLE).items():
        if not re.fullmatch("[0-9]{4}", name):
            raise InputError(f"--own {name}: not a year.", fix=f"write --own {EXAMPLE}, for the year to March 2026.")
        figures[int(name)] = number
    return figures


def __dir__() -> list[str]:
    return __all__
