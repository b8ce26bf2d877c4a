"""What `outcomes programmes` prints of one programme."""

from collections.abc import Collection
from difflib import get_close_matches
from pathlib import Path

import pandas as pd
import typer

from toolkit import evidence
from toolkit.console import show
from toolkit.measures import programme_words as words
from toolkit.measures.beside_panel import panel_table
from toolkit.measures.programmes import league_table
from toolkit.pricing.areas import Progress
from toolkit.programmes import bench, compared_on, examine
from toolkit.scenarios import Scenario
from toolkit.schema import InputError

__all__ = ["known_programmes", "look_into", "named", "print_panel"]


def known_programmes(scenario: Scenario) -> pd.DataFrame:
    """Return the table ``programmes`` with a scenario's own.

    Raises
    ------
    InputError
        One of its own that cannot be used.
    """
    register = evidence.with_own_programmes(evidence.load_register(), scenario.own_programmes)
    return register.tables["programmes"]


def named(text: str, table: pd.DataFrame) -> str:
    """Return the programme that a name or label is of.

    Parameters
    ----------
    text
        What somebody wrote.
    table
        The table ``programmes``.

    Raises
    ------
    InputError
        None, or more than one, has such a name.
    """
    known = {str(name).casefold(): str(name) for name in table["programme"]}
    labels = {str(label).casefold(): str(name) for name, label in zip(table["programme"], table["label"], strict=True)}
    asked = text.strip().casefold()
    if name := known.get(asked.replace(" ", "_").replace("-", "_")) or labels.get(asked):
        return name
    within = [name for label, name in labels.items() if asked and asked in label]
    if len(within) == 1:
        return within[0]
    near = within or [*get_close_matches(asked.replace(" ", "_")[:60], known, n=3)]
    hint = f"did you mean {', '.join(near)}?" if near else f"use one of {', '.join(known.values())}."
    raise InputError(f"programme '{text[:60]}': there is none of that name.", fix=hint)


def look_into(
    scenario: Scenario,
    programme: str,
    *,
    areas: list[str],
    cache: Path,
    scope: str,
    exclude: Collection[str],
    weights: evidence.Weights | None,
    progress: Progress,
) -> words.Panel:
    """Return what is known of one programme in some areas; arguments as for `toolkit.programmes.bench`."""
    ready = bench(scenario, areas=areas, cache=cache, scope=scope, exclude=exclude, weights=weights, progress=progress)
    compared = compared_on(ready, progress=progress)
    examined = examine(ready, programme, progress=progress)
    tables = ready.register.tables
    league = league_table(compared, tables["programmes"])
    return words.panel(
        league,
        compared,
        examined,
        programme,
        studies=ready.studies,
        tables=tables,
        shrunk=ready.used["before_scale_up"],
    )


def print_panel(one: words.Panel, *, price_base: str) -> None:
    """Print what is known of one programme: its row, its steps from published to used, what must be believed, studies.

    Parameters
    ----------
    one
        From :func:`look_into`.
    price_base
        Of the scenario.
    """
    rows = pd.DataFrame(words.facts(one), columns=["", "value"])
    show(rows, False, title=f"{one.row['label']}, in {price_base} prices")
    steps = one.steps["fiscal"]
    if not steps.empty:
        show(words.steps_table(steps), False, title="From published to used: avoided for a pound, public purse")
    lines = words.believed_sentences(one)
    typer.echo("\n".join(["What must be believed", *lines]))
    table = words.believed_table(one)
    if len(table):
        show(table, False, title="Studies of that outcome, of programmes of its type, beside it")
        typer.echo(words.FACE_VALUE)
    if len(one.beside):
        show(panel_table(one.beside), False, title="Beside it: the panel of areas, which no result uses")
        typer.echo("\n".join(one.beside_words))
    if one.studies.empty:
        typer.echo("No study of it, or of programmes of its type, is in use.")
        return
    show(
        words.forest_table(one.studies),
        False,
        title="Studies of its type: hazard ratios, standard deviations for GCSEs",
    )
    show(words.sources_table(one.studies), False, title="Sources")


def __dir__() -> list[str]:
    return __all__
