"""A finished run, with the tables and the headline that a notebook shows."""

from dataclasses import dataclass
from html import escape
from time import perf_counter, process_time

import pandas as pd
import xarray as xr

from toolkit.scenarios import Scenario

__all__ = ["Clock", "Run"]


@dataclass(frozen=True, repr=False)
class Run:
    """A finished run: the tree that is saved, and the tables that explain it."""

    tree: xr.DataTree
    scenario: Scenario
    assumptions: pd.DataFrame
    report_card: pd.DataFrame
    excluded: pd.DataFrame
    timings: dict[str, tuple[float, float]]

    @property
    def passed(self) -> bool:
        """Whether every check of the fitted models passed."""
        return bool(self.report_card["passed"].all())

    def __repr__(self) -> str:
        from toolkit import report

        passed = "checks passed" if self.passed else "CHECKS FAILED"
        return f"<Run of {self.scenario.name} ({self.scenario.hash}) for {report.place(self)}, {passed}>"

    def _repr_html_(self) -> str:
        """Return the headline, which is what a notebook shows of a run."""
        from toolkit import report

        rows = pd.DataFrame(report.headline_rows(self), columns=["", "Expected", "90% interval"])
        return f"<p>{escape(report.headline_sentence(self))}</p>{rows.to_html(index=False)}<p>{escape(repr(self))}</p>"


class Clock:
    """Wall and CPU seconds by stage."""

    def __init__(self) -> None:
        self.laps: dict[str, tuple[float, float]] = {}
        self._last = (perf_counter(), process_time())

    def lap(self, stage: str) -> None:
        """Note the time since the last lap."""
        now = (perf_counter(), process_time())
        self.laps[stage] = (now[0] - self._last[0], now[1] - self._last[1])
        self._last = now


def __dir__() -> list[str]:
    return __all__
