"""A report on any decision, from draws of the costs and effects of its options."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from toolkit import appraisal
from toolkit.folders import drafts
from toolkit.measures import decision_words
from toolkit.measures import words as w
from toolkit.measures.tables import Table, plain
from toolkit.measures.value_of_information import information_table, varying, with_warnings
from toolkit.pricing.areas import Progress, silent
from toolkit.report import decision_figures as drawn
from toolkit.report.drawing import data_uri
from toolkit.report.html import shown, templates
from toolkit.report.sheets import inert, opened, page, write_table
from toolkit.schema import InputError

__all__ = [
    "Decision",
    "decide",
    "figures",
    "render",
    "sentences",
    "tables",
    "write",
]

POINTS = 501  # thresholds on a curve
SHOWN_POINTS = 11  # of them in the tables
NAMES = ("decide.html", "decide.xlsx")


@dataclass(frozen=True)
class Decision:
    """The results of a decision analysis.

    Attributes
    ----------
    cost, effect
        Draws of the options (option, draws).
    threshold
        What a unit of effect is taken to be worth, GBP.
    unit
        Name of a unit of effect.
    options
        From ``appraisal.icers``.
    curves
        From ``appraisal.decision_curves``, over thresholds that hold the chosen one.
    information
        From ``appraisal.evppi`` at the threshold, with coordinate kind (set); None without parameters that vary.
    cautions
        What a reader must know first, such as too few draws or a parameter set aside.
    """

    cost: xr.DataArray
    effect: xr.DataArray
    threshold: float
    unit: str
    options: xr.Dataset
    curves: xr.Dataset
    information: xr.Dataset | None
    cautions: tuple[str, ...]

    @property
    def here(self) -> xr.Dataset:
        """The curves at the threshold."""
        return self.curves.sel(threshold=self.threshold)

    @property
    def best(self) -> str:
        """The option best on average at the threshold; "a or b" where several are level."""
        return decision_words.best_names(self.curves.sel(threshold=[self.threshold]))[0]


def decide(
    cost: xr.DataArray,
    effect: xr.DataArray,
    parameters: xr.Dataset | None = None,
    *,
    threshold: float,
    highest: float | None = None,
    groups: Mapping[str, tuple[str, ...]] | None = None,
    unit: str = "a unit of effect",
    seed: int = 0,
    progress: Progress = silent,
) -> Decision:
    """Analyse a decision from draws: which option, how sure, and the value of information.

    Parameters
    ----------
    cost, effect
        Money (GBP) and units of effect, dims (option, draws).
    parameters
        Variables over the same draws whose value of information is wanted. Those that never vary are set aside,
        and the cautions say so.
    threshold
        What a unit of effect is worth, GBP.
    highest
        Upper end of the curves, two and a half times the threshold by default.
    groups
        Parameters whose value is taken together, by the group's name.
    unit
        Name of a unit of effect, with its article.
    seed
        Of the shuffles that make the noise floor.
    progress
        Called with the stage's name and the share of it that is done.

    Raises
    ------
    InputError
        If the thresholds do not increase, or as the functions of ``appraisal`` say.
    """
    highest = 2.5 * threshold if highest is None else highest
    if not 0 < threshold < highest < np.inf:
        raise InputError(
            f"threshold {threshold:g}, highest {highest:g}: thresholds must increase from 0.",
            fix="give a threshold above 0 and a highest one above it.",
        )
    over = np.unique(np.append(np.linspace(0, highest, POINTS), threshold))
    progress("draw the curves", 0.0)
    options = appraisal.icers(cost, effect, reference=str(cost["option"].values[0]))
    curves = appraisal.decision_curves(cost, effect, over)
    worth = appraisal.net_benefit(cost, effect, threshold)
    progress("draw the curves", 1.0)
    information, cautions = _information(worth, parameters, groups or {}, seed, progress)
    return Decision(cost, effect, float(threshold), unit, options, curves, information, cautions)


def _information(
    worth: xr.DataArray,
    parameters: xr.Dataset | None,
    groups: Mapping[str, tuple[str, ...]],
    seed: int,
    progress: Progress,
) -> tuple[xr.Dataset | None, tuple[str, ...]]:
    if parameters is None:
        return None, ()
    clash = sorted(set(map(str, parameters.data_vars)) & set(groups))
    if clash:
        raise InputError(f"group {clash[0]!r}: has the name of a parameter.", fix="call the group something else.")
    drawn = varying(parameters)
    still = [str(name) for name in parameters.data_vars if name not in drawn]
    cautions = tuple(f"{name} never varies, so it has no value of information: it is set aside." for name in still)
    singles = [str(name) for name in drawn.data_vars]
    if not singles:
        return None, cautions
    left = {name: tuple(member for member in members if member not in still) for name, members in groups.items()}
    left = {name: members for name, members in left.items() if members}
    sets, stage = [*singles, *left.values()], "value what could be learnt"
    information, warned = with_warnings(
        lambda: appraisal.evppi(worth, drawn, of=sets, seed=seed, progress=lambda share: progress(stage, share))
    )
    kinds = ["single"] * len(singles) + ["group"] * len(left)
    information = information.assign_coords(set=np.array([*singles, *left], dtype=object), kind=("set", kinds))
    return information, (*cautions, *warned)


# Tables ------------------------------------------------------------------------------------------


def tables(decision: Decision) -> dict[str, Table]:
    """Return the decision's tables, for the page and the workbook alike."""
    by_name = {"options": _options(decision), "curves": _along(decision), "at": _at(decision)}
    if decision.information is not None:
        at = f"if {decision.unit} is worth {w.money(decision.threshold)}"
        by_name["information"] = information_table(decision.information, at=at)
    return by_name


def _options(decision: Decision) -> Table:
    table, reference = decision.options, str(decision.options.attrs["reference"])
    columns = {
        "Expected cost": (table["cost"].values, "pounds"),
        "Expected effect": (table["effect"].values, "figure"),
        "Standing": (list(map(str, table["status"].values.tolist())), "text"),
        "ICER on the frontier": (table["icer"].values, "pounds"),
        f"More cost than {reference}": (table["incremental_cost"].values, "pounds"),
        f"More effect than {reference}": (table["incremental_effect"].values, "figure"),
        f"ICER against {reference}": (table["icer_against_reference"].values, "pounds"),
    }
    note = (
        "From the least to the most expensive, by expected values. ICER: more pounds for each further unit of effect, "
        "on the "
        "frontier against the option before it there. Dominated: another option costs no more and does as much; "
        "extendedly dominated: a mix of two others does more for the same money; tied: costs and does the same as the "
        "one before it. An ICER against the reference where "
        "both cost and effect are lower reads the other way round: pounds saved for each unit given up."
    )
    return plain("Costs, effects and cost-effectiveness ratios", "Option", columns, table["option"].values, note)


def _at(decision: Decision) -> Table:
    here = decision.here
    names = here["option"].values
    columns = {
        "Expected net benefit": (here["expected_net_benefit"].values, "pounds"),
        "Probability of being best": (here["probability_best"].values, "share"),
        "Expected loss": (here["expected_loss"].values, "pounds"),
    }
    note = (
        "Net benefit: units of effect at their worth, less cost. Expected loss: what choosing this option loses on "
        "average against knowing the best in every draw; its least value is the EVPI. A draw in which several options "
        "are best counts for them in equal parts."
    )
    return plain(f"If {decision.unit} is worth {w.money(decision.threshold)}", "Option", columns, names, note)


def _along(decision: Decision) -> Table:
    places = np.linspace(0, decision.curves.sizes["threshold"] - 1, SHOWN_POINTS).round().astype(int)
    places = np.union1d(places, np.flatnonzero(decision.curves["threshold"] == decision.threshold))
    chosen = decision.curves.isel(threshold=places)
    columns: dict[str, tuple[Any, str]] = {"Best on average": (decision_words.best_names(chosen), "text")}
    for name in chosen["option"].values:
        columns[f"Chance {name} is best"] = (chosen["probability_best"].sel(option=name).values, "share")
    columns["EVPI"] = (chosen["evpi"].values, "pounds")
    worth = [w.money(float(value)) for value in chosen["threshold"].values]
    note = "The workbook holds every point of the curves, with net benefits and expected losses."
    return plain("Along the worth of a unit", f"Worth of {decision.unit}", columns, worth, note)


# Sentences, figures, files -----------------------------------------------------------------------


def sentences(decision: Decision) -> list[str]:
    """Return the decision in plain English, the answer first."""
    here = decision.here
    lines = [
        decision_words.best_choice(here, unit=decision.unit),
        decision_words.ladder(decision.options, unit=decision.unit),
        decision_words.ruled_out(decision.options),
        decision_words.worth_of_certainty(float(here["evpi"]), best=decision.best),
    ]
    if decision.information is not None:
        lines.append(decision_words.most_useful(decision.information))
    lines.append(decision_words.TOGETHER)
    return [sentence for sentence in lines if sentence]


def figures(decision: Decision) -> dict[str, Figure]:
    """Return the decision's figures by name."""
    curves, unit = decision.curves, decision.unit
    by_name = {
        "plane": drawn.plot_plane(
            decision.cost,
            decision.effect,
            reference=str(decision.options.attrs["reference"]),
            threshold=decision.threshold,
            unit=unit,
        ),
        "acceptability": drawn.plot_acceptability(curves, unit=unit),
        "expected_loss": drawn.plot_expected_loss(curves, unit=unit),
        "evpi": drawn.plot_evpi(curves, unit=unit, threshold=decision.threshold),
    }
    if decision.information is not None:
        by_name["information"] = drawn.plot_information(decision.information)
    return by_name


def render(decision: Decision) -> str:
    """Return the decision as one self-contained HTML page."""
    return (
        templates()
        .get_template("decide.html.j2")
        .render(
            decision=decision,
            sentences=sentences(decision),
            tables={name: shown(table, level=0.9) for name, table in tables(decision).items()},
            pictures={name: data_uri(figure) for name, figure in figures(decision).items()},
            best=decision.best,
            level=int(decision.here["is_best"].sum()) > 1,
            worth=w.money(decision.threshold),
            draws=w.number(decision.cost.size / decision.cost.sizes["option"], 0),
        )
    )


def write(decision: Decision, build: Path) -> list[Path]:
    """Write decide.html and decide.xlsx, whole or not at all.

    Raises
    ------
    InputError
        If a file cannot be replaced, as when a spreadsheet program holds it open.
    OSError
        If the disk is full or the folder cannot be written to.
    """
    writers: tuple[Callable[[Path], Any], ...] = (
        lambda path: path.write_text(render(decision), encoding="utf-8"),
        lambda path: _workbook(decision, path),
    )
    with drafts(build) as folder:
        for file, writer in zip(NAMES, writers, strict=True):
            writer(folder / file)
        try:
            for file in NAMES:
                (folder / file).replace(build / file)
        except OSError as problem:
            raise InputError(f"{build}: {problem.strerror}.", fix="close the files there, then run again.") from None
    return [build / file for file in NAMES]


def _workbook(decision: Decision, path: Path) -> None:
    by_name = tables(decision)
    with opened(path) as (book, styles):
        summary = book.add_worksheet("Answer")
        lines = [*decision.cautions, *sentences(decision)]
        for row, line in enumerate(lines):
            summary.write_string(row, 0, inert(line), styles["plain"])
        row = write_table(summary, by_name["at"], len(lines) + 1, styles, 0.9)
        write_table(summary, by_name["options"], row, styles, 0.9)
        page(summary, [by_name["at"], by_name["options"]])
        for name, key in (("Along the worth", "curves"), ("Value of information", "information")):
            if key in by_name:
                sheet = book.add_worksheet(name)
                write_table(sheet, by_name[key], 0, styles, 0.9)
                page(sheet, [by_name[key]])
        _every_threshold(decision, book, styles)


def _every_threshold(decision: Decision, book: Any, styles: Mapping[str, Any]) -> None:
    """Put every point of the curves on a sheet of its own, for those who draw them again."""
    curves = decision.curves
    columns: dict[str, tuple[Any, str]] = {"Best on average": (decision_words.best_names(curves), "text")}
    for variable, kind in (
        ("probability_best", "share"),
        ("expected_net_benefit", "pounds"),
        ("expected_loss", "pounds"),
    ):
        for name in curves["option"].values:
            columns[f"{w.label(variable)}, {name}"] = (curves[variable].sel(option=name).values, kind)
    columns["EVPI"] = (curves["evpi"].values, "pounds")
    table = plain("Curves", f"Worth of {decision.unit}, £", columns, curves["threshold"].values, "")
    sheet = book.add_worksheet("Curves")
    write_table(sheet, table, 0, styles, 0.9)
    page(sheet, [table])


def __dir__() -> list[str]:
    return __all__
