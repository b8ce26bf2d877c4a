"""The commands ``outcomes evidence`` and ``outcomes check``: look up figures, and compute committed tables again."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from toolkit import committed
from toolkit.console import progress_bars, show
from toolkit.options import BUILD, CACHE, Cache, Json, Quiet, chosen_areas

__all__ = ["MOVED", "app", "check"]

MOVED = 4  # exit code
app = typer.Typer(help="Look up the cited figures every result rests on.", no_args_is_help=True)

Seed = Annotated[int, typer.Option(help="Seed of the draws.")]
Draws = Annotated[int, typer.Option(min=100, help="Of each chain; more, if a fit fails its checks.")]
Beside = Annotated[Path, typer.Option("--build", help="Folder of the tables computed again (in reference/).")]
Accept = Annotated[str | None, typer.Option(metavar="REASON", help="Replace the committed tables as well; say why.")]


@app.command("list")
def evidence_list(
    outcome: Annotated[str | None, typer.Option(help="Only figures of this outcome.")] = None,
    excluded: Annotated[bool, typer.Option("--excluded", help="Figures that cannot be used, and why.")] = False,
    studies: Annotated[
        bool, typer.Option("--studies", help="Studies of programmes: used as, or why they stay out.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List the cited figures."""
    from toolkit import evidence
    from toolkit.schema import InputError

    register = evidence.load_register()
    table = register.excluded if excluded else register.figures
    if studies:
        from toolkit.models.effects.programme_studies import study_list

        table = study_list(register.tables).set_index("study").round({"effect": 3, "se": 3})
    if outcome is not None:
        table = table[table["outcome"] == outcome]
        if table.empty:
            source = register.tables["programme_effects"] if studies else register.figures
            known = sorted(set(source["outcome"]) - {""})
            what = "studies" if studies else "figures"
            raise InputError(f"outcome '{outcome}': no {what}.", fix=f"choose one of {known}.")
    columns = ("outcome", "description", "value", "unit", "price_year", "confidence", "reason")
    shown = [column for column in (*columns, "programme", "design", "effect", "se", "stays_out") if column in table]
    show(table[shown].reset_index(), as_json, title=f"{len(table)} {'studies' if studies else 'figures'}")


@app.command("show")
def evidence_show(key: Annotated[str, typer.Argument(help="The figure's id.")], as_json: Json = False) -> None:
    """Show everything about one figure: value, interval and its level, unit, source, what uses it, how it is drawn."""
    import pandas as pd

    from toolkit import evidence, scenarios
    from toolkit.resolved import resolve

    register = evidence.load_register()
    shown = evidence.show(register, key)
    figures = resolve(scenarios.load(scenarios.BASE), register).figures
    for role, row in figures.loc[shown["roles"]].iterrows():
        shown[f"drawn as {role}"] = evidence.described(row, role=str(role))
    if as_json:
        typer.echo(json.dumps(shown, indent=2, default=str))
        return
    show(pd.DataFrame({"": list(shown), key: [str(value) for value in shown.values()]}), False, title=key)


@app.command("seal")
def evidence_seal(
    reason: Annotated[str, typer.Option(help="What changed and why, in a line; kept with the checksums.")] = "",
) -> None:
    """Check every data file, price each scenario in small and write the checksums, after an intended change."""
    from toolkit import evidence, sealing

    changed = evidence.unsealed()
    if changed and not reason and sys.stdin.isatty():
        reason = typer.prompt(f"What changed in {', '.join(changed)}, and why?")
    typer.echo(f"Checked every table, priced every scenario and wrote {sealing.seal(reason=reason)}.")


@app.command("study")
def evidence_study(
    scenario: Annotated[str, typer.Argument(help="A scenario file with studies or priors of its own.")],
    area: Annotated[list[str] | None, typer.Option(help="Area name or ONS code; repeat for several.")] = None,
    england: Annotated[bool, typer.Option("--england", help="All areas of England.")] = False,
    exclude: Annotated[list[str] | None, typer.Option(help="Study to leave out; repeat for several.")] = None,
    cache: Cache = CACHE,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Show what a scenario's own studies, those left out and its priors do to effects and to the headline."""
    from toolkit import scenarios, workflow
    from toolkit.schema import InputError

    after = scenarios.load(scenario)
    after = scenarios.change(after, left_out=[*after.left_out, *(exclude or ())])
    kept = {key: row for key, row in after.priors.items() if not key.startswith("programmes.")}
    before = after.model_copy(update={"studies": {}, "left_out": (), "priors": kept})
    if before == after:
        raise InputError(
            "evidence study: nothing changes.", fix="give the scenario studies, priors of programmes, or --exclude."
        )
    areas = chosen_areas(area or (), england=england, quiet=quiet)
    with progress_bars(quiet or as_json) as progress:
        effects, worth = workflow.compare_evidence(before, after, areas=areas, cache=cache, progress=progress)
    for title, table, digits in (("Effect that is used, mean and 90% interval", effects, 3), ("Headline", worth, 2)):
        flat = table.round(digits).set_axis([" ".join(reversed(column)) for column in table.columns], axis=1)
        show(flat.reset_index(), as_json, title=title)


@app.command("pool")
def evidence_pool(
    seed: Seed = committed.SEED, draws: Draws = 1000, build: Beside = BUILD, accept: Accept = None
) -> None:
    """Pool unit costs, growth rates and placement prices again and compare with the committed tables (minutes)."""
    _recomputed(lambda: committed.pool(seed=seed, draws=draws), build, accept)


@app.command("pathway")
def evidence_pathway(
    seed: Seed = committed.SEED, draws: Draws = 1500, build: Beside = BUILD, accept: Accept = None
) -> None:
    """Fit the pathway through social care again, check it and compare with the committed tables (minutes)."""
    _recomputed(lambda: committed.pathway(seed=seed, draws=draws), build, accept)


@app.command("outlook")
def evidence_outlook(seed: Seed = committed.SEED, build: Beside = BUILD, accept: Accept = None) -> None:
    """Backtest the outlook again and compare with the committed table (minutes)."""
    _recomputed(lambda: committed.outlook(seed=seed), build, accept)


@app.command("calibrate")
def evidence_calibrate(
    model: Annotated[committed.Calibrated, typer.Argument(help="small: pooled unit costs.")] = "small",
    replications: Annotated[int, typer.Option(min=20, help="outcomes, spend_error, pathway: 200 do.")] = 1000,
    build: Beside = BUILD,
    seed: Seed = committed.SEED,
    accept: Accept = None,
) -> None:
    """Calibrate a model by simulation again and compare with the committed table (minutes to hours)."""
    with progress_bars(model == "small") as progress:
        settings: dict[str, Any] = {"replications": replications, "seed": seed, "build": build, "progress": progress}
        _recomputed(lambda: committed.calibrate(model, **settings), build, accept)


@app.command("reconcile")
def evidence_reconcile(
    build: Beside = BUILD, cache: Cache = CACHE, accept: Accept = None, quiet: Quiet = False
) -> None:
    """Compare England's collective cost with published totals again, and with the committed table (minutes)."""
    with progress_bars(quiet) as progress:
        _recomputed(lambda: committed.reconcile(cache=cache, progress=progress), build, accept)


@app.command("care")
def evidence_care(build: Beside = BUILD, cache: Cache = CACHE, accept: Accept = None, quiet: Quiet = False) -> None:
    """Compare every area's care starts, children and spending with those its lives imply (minutes)."""
    with progress_bars(quiet) as progress:
        _recomputed(lambda: committed.own_care(cache=cache, progress=progress), build, accept)


@app.command("accept")
def evidence_accept(
    tables: Annotated[list[str], typer.Argument(help="Tables that were computed again, such as placement_prices.")],
    reason: Annotated[str, typer.Option(help="Why the committed ones are replaced.")],
    build: Beside = BUILD,
) -> None:
    """Replace committed tables by those computed again in the build folder, and note the reason."""
    from toolkit import evidence

    for path in evidence.accept_reference(tables, build / "reference", reason=reason):
        typer.echo(f"wrote {path}")


def check(seed: Seed = committed.SEED, build: Beside = BUILD, accept: Accept = None) -> None:
    """Check and backtest the outcome model again and compare with the committed tables (many minutes)."""
    _recomputed(lambda: committed.check(seed=seed), build, accept)


def _recomputed(compute: Callable[[], committed.Tables], build: Path, reason: str | None) -> None:
    """Compute committed tables again, print what differs, and replace the committed ones only if a reason is given."""
    from toolkit import evidence

    if reason is not None:
        evidence.check_reason(reason)  # refused before minutes are spent
    beside, tables = build / "reference", compute()
    compared = evidence.put_beside(tables, beside)
    for comparison in compared:
        typer.echo("\n".join([*comparison.sentences(), f"  wrote {beside / comparison.name}.csv"]))
    if reason is not None:
        evidence_accept(list(tables), reason, build)
    elif moved := [comparison.name for comparison in compared if not comparison.same]:
        typer.echo(f'Nothing was replaced. To do so: outcomes evidence accept {" ".join(moved)} --reason "..."')
        raise typer.Exit(MOVED)


def __dir__() -> list[str]:
    return __all__
