"""The command ``outcomes``: run a scenario, look up a figure, check a scenario file, list areas.

Exit codes: 0 fine; 2 bad input, nothing written; 3 the model failed its checks, and every output says so; 4 a committed
table, computed again, differs by more than Monte Carlo error.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from toolkit import __version__, budget_command, evidence_commands, outlook_command
from toolkit.console import call, progress_bars, show
from toolkit.options import BUILD, CACHE, Build, Cache, Json, Quiet, chosen_areas, limits_named

if TYPE_CHECKING:
    from toolkit import workflow

app = typer.Typer(
    help="The lifetime cost of poor outcomes for children in contact with social care, and what early help avoids.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
scenario_app = typer.Typer(help="Check scenario files, and list what they may set.", no_args_is_help=True)
app.add_typer(evidence_commands.app, name="evidence")
app.add_typer(scenario_app, name="scenario")

CHECKS_FAILED, INTERRUPTED = 3, 130


def _print_version(asked_for: bool) -> None:
    if asked_for:
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

    The folder is named by scenario and place: build/families_first-leeds.
    """
    from toolkit import records, report, scenarios, workflow

    chosen = scenarios.load(scenario)
    if seed is not None:
        chosen = scenarios.change(chosen, seed=seed)
    if covariates is not None:
        chosen = scenarios.change(chosen, covariates=[name.strip() for name in covariates.split(",") if name.strip()])
    areas = chosen_areas(area or (), region=region, england=england, quiet=quiet)
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
    members = {area: evidence.members(reference, area) for area in table["area"]}
    together = [
        " and ".join(other for other in members[area] if other != name)
        for area, name in zip(table["area"], table["la_name"], strict=True)
    ]
    table = table.assign(rates_fitted_with=together)
    show(table[["area", "la_name", "la_code", "region", "rates_fitted_with"]], as_json, title=title)


@app.command()
def programmes(
    name: Annotated[
        str | None, typer.Argument(help="One programme to look into, by name or label; all are compared if none.")
    ] = None,
    scenario: Annotated[
        str, typer.Option(help="Prices, discounting and seed: a scenario's name or file.")
    ] = "families_first",
    area: Annotated[list[str] | None, typer.Option(help="Area name or ONS code; repeat for several.")] = None,
    region: Annotated[str | None, typer.Option(help="All areas of a region.")] = None,
    england: Annotated[bool, typer.Option("--england", help="All areas of England.")] = False,
    cache: Cache = CACHE,
    studies: Annotated[
        str, typer.Option(help="all, randomised, served (no whole schools or areas), or a type such as keyworker.")
    ] = "all",
    leave_out: Annotated[list[str] | None, typer.Option(help="Study to leave out, by its id; repeat.")] = None,
    structure: Annotated[
        str, typer.Option(help="Rival structures to use alone or weigh: scope=own,fade=none or scope=own:0.7+all:0.3.")
    ] = "",
    selection: Annotated[
        float | None,
        typer.Option(help="Chance that a finding without a significant benefit is published, over one with: 1 is all."),
    ] = None,
    csv: Annotated[
        Path | None, typer.Option(help="Write every column to this file, and by structure beside it.")
    ] = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Compare programmes: what each costs a child, avoids for a pound, and how sure that is.

    Of one that is named: its row, the steps from its published effect to the one used, what must be believed for it to
    pay, and the studies of its type.
    """
    import pandas as pd

    from toolkit import evidence, programme_command, scenarios
    from toolkit.measures.programmes import league_table, notes, shown, structure_table
    from toolkit.programmes import compare
    from toolkit.schema import InputError

    chosen = scenarios.load(scenario)
    if selection is not None:
        chosen = scenarios.change(chosen, effect={"selection": selection})
    table = programme_command.known_programmes(chosen)
    weights = evidence.read_weights(structure) if structure else None
    areas = chosen_areas(area or (), region=region, england=england, quiet=quiet)
    how: dict[str, Any] = {"areas": areas, "cache": cache, "weights": weights}
    how |= {"scope": studies, "exclude": leave_out or ()}
    _check_file(csv)
    if name is not None:
        if csv is not None:
            raise InputError("--csv writes the table of all programmes.", fix="leave the name out, or use --json.")
        one = programme_command.named(name, table)
        with progress_bars(quiet or as_json) as progress:
            panel = programme_command.look_into(chosen, one, **how, progress=progress)
        if as_json:
            typer.echo(json.dumps(panel.record(), indent=2))
        elif not quiet:
            programme_command.print_panel(panel, price_base=chosen.price_base)
        return
    with progress_bars(quiet or as_json) as progress:
        compared = compare(chosen, **how, progress=progress)
    league = league_table(compared, table)
    under = structure_table(compared) if csv is not None or as_json else None
    if csv is not None and under is not None:
        csv.parent.mkdir(parents=True, exist_ok=True)
        league.to_csv(csv)
        under.to_csv(csv.with_stem(f"{csv.stem}_by_structure"), index=False)
    if as_json and under is not None:
        rows = {str(name): part.drop(columns="programme") for name, part in under.groupby("programme")}
        parts = {name: rows[name].to_dict("records") if name in rows else [] for name in league.index}
        typer.echo(league.assign(by_structure=pd.Series(parts)).reset_index().to_json(orient="records", indent=2))
    elif not quiet:
        show(shown(league), False, title=f"Programmes, in {chosen.price_base} prices")
        typer.echo("\n".join(notes(league)))


def _check_file(csv: Path | None) -> None:
    """Refuse a file of --csv that cannot be written before anything is computed."""
    from toolkit.records import check_writable
    from toolkit.schema import InputError

    if csv is not None:
        check_writable(csv.parent, option="--csv")
        if csv.is_dir():
            raise InputError(f"{csv}: a folder.", fix="give --csv the name of a file in it.")


@app.command()
def portfolio(
    budget: Annotated[float, typer.Option(help="GBP to spend on one cohort of children.")],
    area: Annotated[list[str] | None, typer.Option(help="Area name or ONS code; repeat for several.")] = None,
    region: Annotated[str | None, typer.Option(help="All areas of a region.")] = None,
    england: Annotated[bool, typer.Option("--england", help="All areas of England.")] = False,
    objective: Annotated[str, typer.Option(help="expected, chance (of --target) or worst_tenth.")] = "expected",
    target: Annotated[float | None, typer.Option(help="GBP to gain.")] = None,
    account: Annotated[str, typer.Option(help="fiscal, economic or social.")] = "fiscal",
    limit: Annotated[
        list[str] | None, typer.Option(help="Most children of a target group or programme: GROUP=N; repeat.")
    ] = None,
    net: Annotated[bool, typer.Option("--net", help="Subtract what is spent: a pound kept is worth a pound.")] = False,
    scenario: Annotated[
        str, typer.Option(help="Prices, discounting and seed: a scenario's name or file.")
    ] = "families_first",
    studies: Annotated[str, typer.Option(help="As of outcomes programmes.")] = "all",
    leave_out: Annotated[list[str] | None, typer.Option(help="Study to leave out, by its id; repeat.")] = None,
    cache: Cache = CACHE,
    csv: Annotated[Path | None, typer.Option(help="Write what the best plan buys to this file.")] = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Say what a budget buys best: which programmes, in which areas, for how many children."""
    from toolkit import evidence, programme_command, scenarios
    from toolkit.best_buys import check_question
    from toolkit.measures import best_buys as shows
    from toolkit.programmes import best_buys, compare

    chosen = scenarios.load(scenario)
    table = programme_command.known_programmes(chosen).set_index("programme")
    limits = limits_named(limit or ())
    question: dict[str, Any] = {"objective": objective, "target": target, "account": account, "limits": limits}
    check_question(budget, dict(table["target_group"]), **question)
    areas = chosen_areas(area or (), region=region, england=england, quiet=quiet)
    _check_file(csv)
    with progress_bars(quiet or as_json) as progress:
        settings: dict[str, Any] = {"scope": studies, "exclude": leave_out or (), "by_area": True}
        compared = compare(chosen, areas=areas, cache=cache, progress=progress, **settings)
        best = best_buys(compared, budget, net=net, progress=progress, **question)
    labels = dict(table["label"])
    if csv is not None:
        csv.parent.mkdir(parents=True, exist_ok=True)
        shows.bought(best, labels).to_csv(csv, index=False)
    if as_json:
        typer.echo(json.dumps(shows.as_json(best, labels), indent=2))
    elif not quiet:
        reference = evidence.reference_areas()
        places = dict(zip(reference["la_code"], reference["la_name"], strict=True))
        places |= dict(zip(reference["area"], reference["stable_area"], strict=True))
        for title, rows in shows.shown(best, labels, places).items():
            show(rows, False, title=f"{title}, in {chosen.price_base} prices")
        typer.echo("\n".join([*shows.sentences(best, labels), *shows.notes(best, labels)]))


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
        decided = decision.decide(
            cost, effect, drawn, threshold=threshold, highest=highest, groups=groups, unit=unit, progress=progress
        )
        decided = replace(decided, cautions=(*cautions, *decided.cautions))
        progress("write report", 0.0)
        paths = decision.write(decided, build)
        progress("write report", 1.0)
    if not quiet:
        typer.echo("\n".join([*decided.cautions, *decision.sentences(decided), *(f"wrote {path}" for path in paths)]))


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
    """Serve the dashboard: change assumptions in a browser and see the results at once."""
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


app.command()(evidence_commands.check)
app.command()(outlook_command.outlook)
app.command()(budget_command.budget)


@scenario_app.command("check")
def scenario_check(
    file: Annotated[str, typer.Argument(help="A scenario file or name.")],
    area: Annotated[list[str] | None, typer.Option(help="Area name or ONS code; repeat for several.")] = None,
    as_json: Json = False,
) -> None:
    """Check a scenario file as a run would, and print all that it would use: settings, figures, studies, areas."""
    from toolkit import checking, scenarios

    tables = checking.used(file, areas=chosen_areas(area) if area else ())
    scenario = scenarios.load(file)
    if as_json:
        typer.echo(json.dumps({title: json.loads(rows.to_json(orient="records")) for title, rows in tables.items()}))
        return
    for title, rows in tables.items():
        show(rows, False, title=title)
    own = sum(map(len, (scenario.overrides, scenario.own_figures, scenario.priors, scenario.studies)))
    typer.echo(f"{scenario.name}: fine ({len(tables['Figures'])} figures, {own} of your own; hash {scenario.hash}).")


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
