"""The command ``outcomes``: run a scenario, look up a figure, check a scenario file, list areas.

Exit codes: 0 fine; 2 bad input, nothing written; 3 the model failed its checks, and every output says so; 4 a committed
table made again differs by more than Monte Carlo error.
"""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from toolkit import __version__, committed
from toolkit.console import call, progress_bars, show

if TYPE_CHECKING:
    from toolkit import workflow

app = typer.Typer(
    help="The lifetime cost of poor outcomes for children in contact with social care, and what early help avoids.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
evidence_app = typer.Typer(help="Look up the cited figures every result rests on.", no_args_is_help=True)
scenario_app = typer.Typer(help="Check scenario files, and list what they may set.", no_args_is_help=True)
app.add_typer(evidence_app, name="evidence")
app.add_typer(scenario_app, name="scenario")

Quiet = Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")]
Build = Annotated[Path, typer.Option(help="Folder for the outputs.")]
Cache = Annotated[Path, typer.Option(help="Folder of fitted models, which every build shares.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON instead of tables.")]

CHECKS_FAILED, MOVED, INTERRUPTED = 3, 4, 130
BUILD, CACHE = Path("build"), Path("build/cache")
Seed = Annotated[int, typer.Option(help="Seed of the draws.")]
Draws = Annotated[int, typer.Option(min=100, help="Of each chain; more, if a fit fails its checks.")]
Beside = Annotated[Path, typer.Option("--build", help="Folder of the tables made again (in reference/).")]
Accept = Annotated[str | None, typer.Option(metavar="REASON", help="Replace the committed tables as well; say why.")]


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"outcomes {__version__}")
        raise typer.Exit()


@app.callback()
def version(
    shown: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Cost the lifetimes of children in contact with social care, and what early help avoids."""


@app.command()
def run(
    scenario: Annotated[str, typer.Argument(help="A shipped scenario's name or a scenario file.")],
    area: Annotated[list[str] | None, typer.Option(help="Area name or ONS code; repeat for several.")] = None,
    region: Annotated[str | None, typer.Option(help="All areas of a region.")] = None,
    england: Annotated[bool, typer.Option("--england", help="All areas of England.")] = False,
    build: Build = BUILD,
    cache: Cache = CACHE,
    refit: Annotated[bool, typer.Option("--refit", help="Fit the models again even if nothing changed.")] = False,
    seed: Annotated[int | None, typer.Option(help="Seed in place of the scenario's.")] = None,
    covariates: Annotated[
        str | None, typer.Option(help="Of the outcome model: caseload,agency_share,ofsted_judgement or some of them.")
    ] = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Fit, price and appraise a scenario; write report.html, workbook.xlsx and run.nc to a folder of their own.

    The folder is named by scenario and place: build/family_help-leeds.
    """
    from toolkit import records, report, scenarios, workflow

    chosen = scenarios.load(scenario)
    if seed is not None:
        chosen = scenarios.change(chosen, seed=seed)
    if covariates is not None:
        chosen = scenarios.change(chosen, covariates=[name.strip() for name in covariates.split(",") if name.strip()])
    areas = _areas(area or (), region=region, england=england, quiet=quiet)
    records.check_writable(build, option="--build")
    try:
        with progress_bars(quiet or as_json) as progress:
            finished = workflow.run(chosen, areas=areas, cache=cache, refit=refit, progress=progress)
            paths = report.write_all(finished, build / report.folder_name(finished), progress=progress)
    except KeyboardInterrupt:
        typer.echo("Stopped. The previous outputs are as they were.", err=True)
        raise typer.Exit(INTERRUPTED) from None
    if as_json:
        typer.echo(json.dumps(report.headline(finished), indent=2))
    elif not quiet:
        _print_headline(finished, paths)
    if not finished.passed:
        from rich.console import Console
        from rich.markup import escape

        console = Console(stderr=True)
        console.print("[bold red]The model failed its checks:[/] see the first lines of the report.")
        card = finished.report_card
        for row in card[~card["passed"].astype(bool)].itertuples():
            console.print(escape(f"{row.check} of {row.quantity}: {row.value:.4g}, not {row.threshold:g}; {row.cure}"))
        raise typer.Exit(CHECKS_FAILED)


@app.command()
def areas(region: Annotated[str | None, typer.Option(help="Only this region.")] = None, as_json: Json = False) -> None:
    """List the areas a scenario can be run for."""
    from toolkit import evidence

    reference = evidence.reference_areas()
    chosen = evidence.resolve_areas(reference, region=region, england=region is None)
    table = reference[reference["area"].isin(chosen) & (reference["status"] == "current")]
    title = f"{len(table)} authorities in {len(chosen)} areas"
    of = {area: evidence.members(reference, area) for area in table["area"]}
    beside = [
        " and ".join(other for other in of[area] if other != name)
        for area, name in zip(table["area"], table["la_name"], strict=True)
    ]
    table = table.assign(answered_together_with=beside)
    show(table[["area", "la_name", "la_code", "region", "answered_together_with"]], as_json, title=title)


@app.command()
def decide(
    costs: Annotated[Path, typer.Argument(help="CSV of costs in GBP: a row a draw, a column an option.")],
    effects: Annotated[Path, typer.Argument(help="CSV of effects: the same draws and options.")],
    threshold: Annotated[float, typer.Option(help="What a unit of effect is worth, GBP.")],
    parameters: Annotated[Path | None, typer.Argument(help="CSV of the parameters behind the draws.")] = None,
    highest: Annotated[float | None, typer.Option(help="Upper end of the curves, GBP.")] = None,
    unit: Annotated[str, typer.Option(help="What a unit of effect is called.")] = "a unit of effect",
    group: Annotated[list[str] | None, typer.Option(help='Learnt together: "name=parameter,parameter".')] = None,
    build: Build = BUILD,
    quiet: Quiet = False,
) -> None:
    """Decide between options from anyone's draws; write decide.html and decide.xlsx."""
    from toolkit.measures.value_of_information import with_warnings
    from toolkit.records import check_writable
    from toolkit.report import decide as decision
    from toolkit.report import draw_files

    check_writable(build, option="--build")
    with progress_bars(quiet) as progress:
        progress("read files", 0.0)
        (cost, effect), cautions = with_warnings(lambda: draw_files.read_options(costs, effects))
        drawn = None
        if parameters is not None:
            drawn, more = with_warnings(lambda: draw_files.read_parameters(parameters, like=cost, beside=costs))
            cautions = (*cautions, *more)
        groups = draw_files.groups_named(group or [], drawn)
        progress("read files", 1.0)
        found = decision.decide(
            cost, effect, drawn, threshold=threshold, highest=highest, groups=groups, unit=unit, progress=progress
        )
        found = replace(found, cautions=(*cautions, *found.cautions))
        progress("write report", 0.0)
        paths = decision.write(found, build)
        progress("write report", 1.0)
    if not quiet:
        typer.echo("\n".join([*found.cautions, *decision.sentences(found), *(f"wrote {path}" for path in paths)]))


@app.command()
def dashboard(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 5006,
    address: Annotated[
        str, typer.Option(help="Address to listen on; other than this machine's own needs --auth.")
    ] = "127.0.0.1",
    allow_origin: Annotated[
        list[str] | None, typer.Option(help="Host whose pages may connect; repeat for several.")
    ] = None,
    prefix: Annotated[str, typer.Option(help="Path a reverse proxy serves the site under.")] = "",
    auth: Annotated[Path | None, typer.Option(help="JSON file of user names and passwords.")] = None,
    cache: Cache = CACHE,
) -> None:
    """Serve the dashboard: change assumptions in a browser and see at once what follows."""
    from toolkit.schema import InputError

    try:
        from toolkit.apps.engine.live import Live
        from toolkit.apps.server import free, serve, settings
    except ModuleNotFoundError as problem:
        raise InputError(f"{problem.name}: not installed.", fix="pip install 'cost-of-outcomes[dashboard]'.") from None
    chosen: dict[str, Any] = {
        "port": port,
        "address": address,
        "allow_origin": allow_origin or [],
        "prefix": prefix,
        "auth": auth,
    }
    path = settings(**chosen)["prefix"]  # refused before minutes are spent on a fit
    free(address, port)
    with progress_bars(False) as progress:
        live = Live(cache, progress=progress)
    shown = address if address != "0.0.0.0" else "this machine's address"
    typer.echo(f"The dashboard is at http://{shown}:{port}{path}/ until you press Ctrl+C.")
    serve(live, **chosen)


@evidence_app.command("list")
def evidence_list(
    outcome: Annotated[str | None, typer.Option(help="Only figures of this outcome.")] = None,
    excluded: Annotated[bool, typer.Option("--excluded", help="Figures that cannot be used, and why.")] = False,
    studies: Annotated[bool, typer.Option("--studies", help="Studies: pooled as, or why they stay out.")] = False,
    as_json: Json = False,
) -> None:
    """List the cited figures."""
    from toolkit import evidence
    from toolkit.schema import InputError

    register = evidence.load_register()
    table = register.excluded if excluded else register.figures
    if studies:
        from toolkit import models

        table = models.study_list(register.tables).set_index("study").round({"effect": 3, "se": 3})
    if outcome is not None:
        table = table[table["outcome"] == outcome]
        if table.empty:
            known = sorted(register.figures["outcome"].dropna().unique())
            raise InputError(f"outcome '{outcome}': no figures.", fix=f"choose one of {known}.")
    wanted = ("outcome", "description", "value", "unit", "price_year", "confidence", "reason")
    columns = [column for column in (*wanted, "design", "effect", "se", "stays_out") if column in table]
    show(table[columns].reset_index(), as_json, title=f"{len(table)} figures")


@evidence_app.command("show")
def evidence_show(key: Annotated[str, typer.Argument(help="The figure's id.")], as_json: Json = False) -> None:
    """Show everything about one figure: value, interval and its level, unit, source, what uses it, how it is drawn."""
    import pandas as pd

    from toolkit import evidence, scenarios

    register = evidence.load_register()
    shown = evidence.show(register, key)
    for role, row in scenarios.resolve(scenarios.load("family_help"), register).loc[shown["roles"]].iterrows():
        shown[f"drawn as {role}"] = evidence.described(row, role=str(role))
    if as_json:
        typer.echo(json.dumps(shown, indent=2, default=str))
        return
    show(pd.DataFrame({"": list(shown), key: [str(value) for value in shown.values()]}), False, title=key)


@evidence_app.command("seal")
def evidence_seal(
    reason: Annotated[str, typer.Option(help="What changed and why, in a line; kept with the checksums.")] = "",
) -> None:
    """Check every data file, price each scenario in small and write checksums down, after a meant change."""
    from toolkit import evidence, sealing

    changed = evidence.unsealed()
    if changed and not reason and sys.stdin.isatty():
        reason = typer.prompt(f"What changed in {', '.join(changed)}, and why?")
    typer.echo(f"Checked every table, priced every scenario and wrote {sealing.seal(reason=reason)}.")


@evidence_app.command("study")
def evidence_study(
    file: Annotated[Path | None, typer.Argument(help="CSV of new studies, columns as in meta_ready.csv.")] = None,
    scenario: Annotated[str, typer.Option(help="A shipped scenario's name or a scenario file.")] = "family_help",
    area: Annotated[list[str] | None, typer.Option(help="Area name or ONS code; repeat for several.")] = None,
    england: Annotated[bool, typer.Option("--england", help="All areas of England.")] = False,
    priors: Annotated[Path | None, typer.Option(help="CSV of changed priors, columns as in priors.csv.")] = None,
    exclude: Annotated[list[str] | None, typer.Option(help="Study to leave out; repeat for several.")] = None,
    cache: Cache = CACHE,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Show what a new study, one left out or a changed prior does to the pooled effects and to the headline."""
    from toolkit import changes, evidence, models, scenarios, workflow
    from toolkit.schema import InputError

    if file is None and priors is None and not exclude:
        raise InputError("evidence study: nothing changes.", fix="give a file of studies, --priors or --exclude.")
    register = evidence.load_register()
    pooling: dict[str, Any] = {"exclude": exclude or ()}
    if file is not None:
        pooling["extra"] = models.read_studies(file)
    chosen = scenarios.load(scenario)
    models.study_table(register.tables, **pooling)  # bad studies are refused before anything is fitted
    changes.check_programmes(changes.pooling(chosen, **pooling)["extra"], register)
    changed = None if priors is None else models.changed_priors(register.tables["priors"], priors)
    areas = _areas(area or (), england=england, quiet=quiet)
    with progress_bars(quiet or as_json) as progress:
        pooled, worth = workflow.compare_evidence(
            chosen, areas=areas, cache=cache, priors=changed, progress=progress, **pooling
        )
    for title, table, digits in (("Pooled effect of help, mean and 90% interval", pooled, 3), ("Headline", worth, 2)):
        flat = table.round(digits).set_axis([" ".join(reversed(column)) for column in table.columns], axis=1)
        show(flat.reset_index(), as_json, title=title)


@evidence_app.command("pool")
def evidence_pool(
    seed: Seed = committed.SEED, draws: Draws = 1000, build: Beside = BUILD, accept: Accept = None
) -> None:
    """Pool unit costs, growth rates and placement prices again and compare with the committed tables (minutes)."""
    _made_again(lambda: committed.pool(seed=seed, draws=draws), build, accept)


@evidence_app.command("pathway")
def evidence_pathway(
    seed: Seed = committed.SEED, draws: Draws = 1500, build: Beside = BUILD, accept: Accept = None
) -> None:
    """Fit the pathway through social care again, check it and compare with the committed tables (minutes)."""
    _made_again(lambda: committed.pathway(seed=seed, draws=draws), build, accept)


@evidence_app.command("calibrate")
def evidence_calibrate(
    model: Annotated[committed.Calibrated, typer.Argument(help="small: effects and pooled unit costs.")] = "small",
    replications: Annotated[int, typer.Option(min=20, help="outcomes, spend_error, pathway: 200 do.")] = 1000,
    build: Beside = BUILD,
    seed: Seed = committed.SEED,
    accept: Accept = None,
) -> None:
    """Calibrate a model by simulation again and compare with the committed table (small: minutes; others: to hours)."""
    with progress_bars(model == "small") as progress:
        fixed: dict[str, Any] = {"replications": replications, "seed": seed, "build": build, "progress": progress}
        _made_again(lambda: committed.calibrate(model, **fixed), build, accept)


@evidence_app.command("reconcile")
def evidence_reconcile(
    build: Beside = BUILD, cache: Cache = CACHE, accept: Accept = None, quiet: Quiet = False
) -> None:
    """Set England's collective cost beside published totals again; compare with the committed table (minutes)."""
    with progress_bars(quiet) as progress:
        _made_again(lambda: committed.reconcile(cache=cache, progress=progress), build, accept)


@evidence_app.command("accept")
def evidence_accept(
    tables: Annotated[list[str], typer.Argument(help="Tables that were made again, such as placement_prices.")],
    reason: Annotated[str, typer.Option(help="Why the committed ones are replaced.")],
    build: Beside = BUILD,
) -> None:
    """Replace committed tables by those made again in the build folder, and note the reason."""
    from toolkit import evidence

    for path in evidence.accept_reference(tables, build / "reference", reason=reason):
        typer.echo(f"wrote {path}")


@app.command()
def check(seed: Seed = committed.SEED, build: Beside = BUILD, accept: Accept = None) -> None:
    """Check and backtest the outcome model again and compare with the committed tables (many minutes)."""
    _made_again(lambda: committed.check(seed=seed), build, accept)


def _made_again(make: Callable[[], committed.Tables], build: Path, reason: str | None) -> None:
    """Make committed tables again, say what differs, and replace the committed ones only for a reason."""
    from toolkit import evidence

    if reason is not None:
        evidence.check_reason(reason)  # refused before minutes are spent
    beside, tables = build / "reference", make()
    compared = evidence.put_beside(tables, beside)
    for comparison in compared:
        typer.echo("\n".join([*comparison.sentences(), f"  wrote {beside / comparison.name}.csv"]))
    if reason is not None:
        evidence_accept(list(tables), reason, build)
    elif moved := [comparison.name for comparison in compared if not comparison.same]:
        typer.echo(f'Nothing was replaced. To do so: outcomes evidence accept {" ".join(moved)} --reason "..."')
        raise typer.Exit(MOVED)


@scenario_app.command("check")
def scenario_check(
    file: Annotated[str, typer.Argument(help="A scenario file or name.")],
    area: Annotated[list[str] | None, typer.Option(help="Area name or ONS code; repeat for several.")] = None,
    as_json: Json = False,
) -> None:
    """Check a scenario file as a run would, and print all that it would use: settings, figures, studies, areas."""
    from toolkit import checking, scenarios

    tables = checking.used(file, areas=_areas(area) if area else ())
    scenario = scenarios.load(file)
    if as_json:
        typer.echo(json.dumps({title: json.loads(rows.to_json(orient="records")) for title, rows in tables.items()}))
        return
    for title, rows in tables.items():
        show(rows, False, title=title)
    own = sum(map(len, (scenario.overrides, scenario.own_figures, scenario.priors, scenario.studies)))
    typer.echo(f"{scenario.name}: fine ({len(tables['Figures'])} figures, {own} of your own; hash {scenario.hash}).")


def _areas(names: Sequence[str], *, region: str | None = None, england: bool = False, quiet: bool = False) -> list[str]:
    """Return the areas that were asked for, and say of each authority that is answered together with another."""
    from toolkit import evidence

    reference = evidence.reference_areas()
    chosen = evidence.resolve_areas(reference, names, region=region, england=england)
    asked = [evidence.resolve_areas(reference, [name]) for name in names]
    for line in evidence.answered_together(reference, dict.fromkeys(one[0] for one in asked if len(one) == 1)):
        if not quiet:
            typer.echo(f"Note: {line}", err=True)
    return chosen


@scenario_app.command("fields")
def scenario_fields(as_json: Json = False) -> None:
    """List what a scenario file may set: meaning, unit, what is allowed and the default."""
    from toolkit import scenarios

    table = scenarios.fields().reset_index()
    show(table, as_json, title=f"{len(table)} keys of a scenario file")


def _print_headline(finished: "workflow.Run", paths: list[Path]) -> None:
    from rich.console import Console
    from rich.table import Table

    from toolkit import report

    console = Console()
    table = Table(title=report.headline_sentence(finished), title_justify="left", header_style="bold")
    for column in ("", "Expected", "90% interval"):
        table.add_column(column, justify="left" if not column else "right")
    for label, expected, interval in report.headline_rows(finished):
        table.add_row(label, expected, interval)
    console.print(table)
    for path in paths:
        console.print(f"wrote {path}", style="dim", soft_wrap=True)


def main() -> None:
    """Run the command."""
    call(app)


if __name__ == "__main__":
    main()
