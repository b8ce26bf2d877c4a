"""The figures of a run's pages on studies and on the decision, by name."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from toolkit.measures import quantities as q
from toolkit.measures import studies
from toolkit.measures.analysis import Analysis, running_position
from toolkit.measures.quantities import Run
from toolkit.report import decision_figures, effect_figures
from toolkit.schema import SAMPLE_DIMS


def study_pictures(run: Run) -> dict[str, Callable[[Run], Any]]:
    """Return the forest of each outcome with studies, by name."""
    return {f"forest_{outcome}": partial(_forest, outcome) for outcome in studies.outcomes(run)}


def _forest(outcome: str, run: Run) -> Any:
    return effect_figures.plot_forest(studies.shown(run), studies.used(run, outcome), outcome)


def decision_pictures(run: Run, analysis: Analysis) -> dict[str, Callable[[Run], Any]]:
    """Return the pages' figures by the name of the table that holds their numbers."""
    acting = abs(analysis.bridge["contribution"]).max(["account", *SAMPLE_DIMS]).values > 0
    social = analysis.bridge.sel(account="social", drop=True).isel(step=np.flatnonzero(acting))
    inputs = analysis.inputs
    plots: dict[str, Callable[[], Any]] = {
        "medium_term": partial(decision_figures.plot_medium_term, analysis.medium_term, level=q.level(run)),
        "by_year": partial(decision_figures.plot_running, running_position(run), first_year=run.scenario.first_year),
        "along": partial(decision_figures.plot_worth_of_a_pound, analysis.curves),
        "bridge": partial(decision_figures.plot_bridge, social),
        "moves": partial(
            decision_figures.plot_tornado,
            inputs.tornado,
            title="Net present social value",
            names=inputs.names,
        ),
        "information": partial(decision_figures.plot_information, inputs.information, names=inputs.names),
    }
    return {name: lambda _, plot=plot: plot() for name, plot in plots.items()}  # type: ignore[misc]
