"""What `outcomes budget` writes and prints: a plan and levers on top of an area's outlook, for a budget paper."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from toolkit.console import progress_bars, show
from toolkit.options import CACHE, Cache, Json, Quiet, chosen_areas

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from toolkit.measures.quantities import Run

__all__ = ["budget", "levers_named", "paper_tables"]

HEADINGS = {  # of the options, as printed
    "option": "Option",
    "size": "Times the plan",
    "npsv_fiscal": "Net present value, public purse",
    "npsv_social": "Net present value, society",
    "switching_fiscal": "Public purse breaks even at this share of the effect",
    "payback_year": "Paid back in",
    "chance_paid_back": "Chance that it is paid back",
}
LAST_YEAR = 2031  # the March in which the last of the five years of a budget paper ends


def budget(
    area: Annotated[list[str], typer.Option(help="Area name or ONS code; repeat for several together.")],
    scenario: Annotated[str, typer.Option(help="The plan: a scenario's name or file.")] = "families_first",
    baseline: Annotated[str, typer.Option(help="As of outcomes outlook.")] = "model",
    lever: Annotated[
        list[str] | None,
        typer.Option(
            help="step_down, foster_carers, price_growth or agency_posts: NAME=5, or by year 5,10,15; repeat."
        ),
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
    from toolkit.measures import growth
    from toolkit.outlook import forecast
    from toolkit.resolved import resolve
    from toolkit.schema import FIRST_YEAR
    from toolkit.tabular import MOST

    chosen, pulled_by = scenarios.load(scenario), levers_named(lever or ())
    areas = chosen_areas(area, quiet=quiet, apart=False)
    statistics, register = evidence.load_statistics(), evidence.load_register()
    base = evidence.base_year(evidence.with_parts(statistics, areas))
    children = float(base["population_0_17"].sel(area=areas).sum())
    looked_at = range(FIRST_YEAR + 1, LAST_YEAR)  # whatever is refused is so before minutes are spent on a fit
    claimed = None if claims is None else brought.read_claims(claims, years=looked_at)
    most = {"looked_after": children, "residential": children, "spend": MOST, "plan_spend": MOST}
    came_in = None if actuals is None else brought.read_actuals(actuals, most)
    posts = levers.agency_posts_in(areas) if "agency_posts" in pulled_by else 0.0
    if out is not None:
        records.check_writable(out, option="--out")
    with progress_bars(quiet or as_json) as progress:
        drawn = forecast(areas, baseline=baseline, until=LAST_YEAR, cache=cache, progress=progress)
        outlook = levers.council(drawn)
        figures = levers.figures(chosen, register, like=outlook)
        pulled = levers.pull(pulled_by, outlook, figures, agency_posts=posts)
        finished = workflow.run(chosen, areas=areas, cache=cache, progress=progress)
    lines = [growth.plan_lines(finished, outlook)]
    lines += [growth.lever_lines(pulled, outlook, figures)] if pulled else []
    paper = growth.on_top(outlook, lines, register.tables["cost_components"])
    resolved = resolve(chosen, register, statistics, areas=areas)
    known = resolved.own_figures, plans.at_values(resolved.figures), register.deflators
    room = plans.most_times(
        chosen, plans.counted(chosen, base, *known), resolved.figures, register.tables["programmes"], areas
    )
    tables = paper_tables(finished, paper, register.tables["programmes"], room=room, claims=claimed, actuals=came_in)
    note = growth.growth_table(paper).note
    if out is not None:
        _write(out, tables, note)
    if as_json:
        typer.echo(json.dumps(_as_json(tables, note), indent=2))
    elif not quiet:
        _print(tables, note)


def paper_tables(
    run: "Run",
    paper: "xr.Dataset",
    programmes: "pd.DataFrame",
    *,
    room: float,
    claims: "pd.DataFrame | None" = None,
    actuals: "pd.DataFrame | None" = None,
) -> "dict[str, pd.DataFrame]":
    """Return every table of a budget paper by name.

    Parameters
    ----------
    run
        Of the plan.
    paper
        From `toolkit.measures.growth.on_top`, for the same areas.
    programmes
        The table ``programmes``.
    room
        By how much the plan's sums could be multiplied at most, from `toolkit.plans.most_times`.
    claims, actuals
        From `toolkit.claims`.
    """
    from toolkit.measures import budget_lines, claim_check, growth

    tables = {
        "growth_cash": _flat(growth.growth_table(paper).frame),
        "growth_real": _flat(growth.growth_table(paper, real=True).frame),
        "budget_lines": budget_lines.budget_lines(paper),
    }
    options = budget_lines.option_tables(run, paper, most=room)
    tables |= {f"options_{name}": table for name, table in options.items()}
    tables["tracker"] = claim_check.tracker(paper, actuals)
    if claims is not None:
        tables["claim_check"] = claim_check.check_claims(claims, paper, programmes)
    return tables


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


def _flat(frame: "pd.DataFrame") -> "pd.DataFrame":
    """Return a table's frame with one line of headings, its rows' names first."""
    heads = [f"{pair[0]}: {pair[1]}" for pair in frame.columns]
    return frame.set_axis(heads, axis=1).rename_axis("year").reset_index()


def _write(folder: Path, tables: "dict[str, pd.DataFrame]", note: str) -> None:
    """Write all files, or none."""
    from toolkit.folders import drafts
    from toolkit.report.sheets import inert

    with drafts(folder) as draft:
        for name, table in tables.items():
            safe = table.map(lambda cell: inert(cell) if isinstance(cell, str) else cell)
            safe.to_csv(draft / f"{name}.csv", index=False)
        (draft / "budget.json").write_text(json.dumps(_as_json(tables, note), indent=2), encoding="utf-8")
        for name in [*(f"{name}.csv" for name in tables), "budget.json"]:
            (draft / name).replace(folder / name)


def _as_json(tables: "dict[str, pd.DataFrame]", note: str) -> dict[str, Any]:
    parts = {name: json.loads(table.to_json(orient="records")) for name, table in tables.items()}
    return {"note": note, **parts}


def _print(tables: "dict[str, pd.DataFrame]", note: str) -> None:
    """Print what fits a screen: the years, the lines, what must be believed, the options and the claims."""
    import pandas as pd

    lines, keys = tables["budget_lines"], ["reference", "kind"]
    years = tables["growth_cash"].set_index("year").filter(like=": expected").map(_money).reset_index()
    years.columns = pd.Index([str(name).removesuffix(": expected") for name in years.columns])
    show(years, False, title="By year, expected, in cash")
    typer.echo(note)
    wide = lines.pivot(index=keys, columns="year", values="cumulative").map(_money)
    order = pd.MultiIndex.from_frame(lines[keys].drop_duplicates())
    show(wide.loc[order].reset_index(), False, title="Budget lines, cumulative, in cash")
    for _, one in lines.drop_duplicates("reference").fillna("").iterrows():
        rests = f" rests on {one['confidence']}. What must be believed: {one['believed']}" if one["believed"] else ""
        typer.echo(f"{one['reference']}, {one['description']}{f':{rests}' if rests else ''}")
    values = tables["options_value"].set_index("option")
    money = values.filter(like="npsv").map(_money)
    values = values.assign(**{str(name): money[name] for name in money}).round(2).reset_index()
    show(values[list(HEADINGS)].rename(columns=HEADINGS), False, title="Options")
    if "claim_check" in tables:
        columns = ["reference", "description", "year", "finding", "evidence"]
        show(tables["claim_check"][columns], False, title="Claims, set against the model")


def _money(cell: object) -> object:
    from toolkit.measures import words as w

    return w.money(cell) if isinstance(cell, float) and cell == cell else cell


def __dir__() -> list[str]:
    return __all__
