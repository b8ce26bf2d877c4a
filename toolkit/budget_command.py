"""What `outcomes budget` writes and prints: a plan and levers on top of an area's outlook, for a budget paper."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import typer

from toolkit.console import progress_bars, show
from toolkit.options import CACHE, Cache, Json, Quiet, chosen_areas

__all__ = ["budget", "levers_named"]


def budget(
    area: Annotated[list[str], typer.Option(help="Area name or ONS code; repeat for several together.")],
    scenario: Annotated[str, typer.Option(help="The plan: a scenario's name or file.")] = "families_first",
    baseline: Annotated[str, typer.Option(help="As of outcomes outlook.")] = "model",
    lever: Annotated[
        list[str] | None,
        typer.Option(help="step_down, foster_carers, price_growth or agency_posts: NAME=5, or by year 5,10,15; repeat."),
    ] = None,
    claims: Annotated[Path | None, typer.Option(help="CSV of proposed savings to check.")] = None,
    actuals: Annotated[Path | None, typer.Option(help="CSV of what came in, by quarter.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for a CSV of each table and budget.json.")] = None,
    cache: Cache = CACHE,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Say what a plan and levers do to a council's budget: growth avoided, cash released and spend, year by year."""
    from toolkit import claims as brought
    from toolkit import evidence, levers, plans, records, scenarios, workflow
    from toolkit.measures import budget_lines, claim_check, growth
    from toolkit.outlook import forecast
    from toolkit.resolved import resolve

    chosen, pulled_by = scenarios.load(scenario), levers_named(lever or ())
    areas = chosen_areas(area, quiet=quiet)
    statistics, register = evidence.load_statistics(), evidence.load_register()
    children = float(evidence.base_year(statistics)["population_0_17"].sel(area=areas).sum())
    claimed = None if claims is None else brought.read_claims(claims)  # refused before minutes are spent on a fit
    most = {"looked_after": children, "residential": children, "spend": 1e10, "plan_spend": 1e10}
    came_in = None if actuals is None else brought.read_actuals(actuals, most)
    posts = levers.agency_posts_in(areas) if "agency_posts" in pulled_by else 0.0
    if out is not None:
        records.check_writable(out, option="--out")
    with progress_bars(quiet or as_json) as progress:
        outlook = levers.council(forecast(areas, baseline=baseline, cache=cache, progress=progress))
        drawn = levers.figures(chosen, register, like=outlook)
        pulled = levers.pull(pulled_by, outlook, drawn, agency_posts=posts)
        finished = workflow.run(chosen, areas=areas, cache=cache, progress=progress)
    lines = [growth.plan_lines(finished, outlook)]
    lines += [growth.lever_lines(pulled, outlook, drawn)] if pulled else []
    paper = growth.on_top(outlook, lines, register.tables["cost_components"])
    resolved = resolve(chosen, register, statistics, areas=areas)
    room = plans.most_times(
        chosen, evidence.base_year(statistics), resolved.figures, register.tables["programmes"], areas
    )
    options = budget_lines.option_tables(finished, paper, most=room)
    side_by_side = {"cash": growth.growth_table(paper), "real": growth.growth_table(paper, real=True)}
    tables = {
        **{f"growth_{prices}": flat(table.frame) for prices, table in side_by_side.items()},
        "budget_lines": budget_lines.budget_lines(paper),
        **{f"options_{name}": table for name, table in options.items()},
        "tracker": claim_check.tracker(paper, came_in),
    }
    if claimed is not None:
        tables["claim_check"] = claim_check.check_claims(claimed, paper, register.tables["programmes"])
    note = side_by_side["cash"].note
    if out is not None:
        _write(out, tables, note)
    if as_json:
        typer.echo(json.dumps(_as_json(tables, note), indent=2))
    elif not quiet:
        _print(tables, note)


def levers_named(options: Sequence[str]) -> dict[str, list[float]]:
    """Return the levers that options of the form NAME=5 or NAME=5,10,15 pull.

    Raises
    ------
    InputError
        An option of another form, or a lever that is given twice.
    """
    from toolkit.schema import InputError
    from toolkit.tabular import number

    named: dict[str, list[float]] = {}
    for text in options:
        name, equals, values = (part.strip() for part in text.partition("="))
        if not (name and equals and values):
            raise InputError(f"--lever {text}: not a name and numbers.", fix="write --lever step_down=5,10,15.")
        if name in named:
            raise InputError(f"--lever {text}: {name} is given already.", fix="give one of them.")
        named[name] = [number(value, f"--lever {name}", signs=True) for value in values.split(",")]
    return named


def flat(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table's frame with one line of headings, its rows' names first."""
    heads = [f"{heading}: {part}" if part else heading for heading, part in frame.columns]
    return frame.set_axis(heads, axis=1).rename_axis("year").reset_index()


def _write(folder: Path, tables: dict[str, pd.DataFrame], note: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        table.to_csv(folder / f"{name}.csv", index=False)
    (folder / "budget.json").write_text(json.dumps(_as_json(tables, note), indent=2), encoding="utf-8")


def _as_json(tables: dict[str, pd.DataFrame], note: str) -> dict[str, Any]:
    parts = {name: json.loads(table.to_json(orient="records")) for name, table in tables.items()}
    return {"note": note, **parts}


def _print(tables: dict[str, pd.DataFrame], note: str) -> None:
    from toolkit.measures import words as w

    def in_words(table: pd.DataFrame) -> pd.DataFrame:
        return table.map(lambda cell: w.money(cell) if isinstance(cell, float) and cell == cell else cell)

    growth = tables["growth_cash"]
    show(in_words(growth[[name for name in growth if "er: " not in name and ": lower" not in name]]), False, title="")
    typer.echo(note)


def __dir__() -> list[str]:
    return __all__
