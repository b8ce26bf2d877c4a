"""Programmes compared for a place: worked out once, in the background, on the fit and the draws of all pages.

What a visitor moves most, the sum and the adjustments, changes nothing here, so a page that shows a league goes on
while it is made, and moves of a slider neither wait for it nor start it again.
"""

import json
import threading
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import pandas as pd
import xarray as xr

from toolkit import appraisal
from toolkit.apps.engine.jobs import Job, Jobs
from toolkit.apps.engine.live import Live, Memory
from toolkit.measures.programme_words import Panel, panel
from toolkit.measures.programmes import league_table, ranks
from toolkit.pricing.areas import Progress
from toolkit.programmes import Bench, bench_with, compared_on, examine
from toolkit.scenarios import Scenario
from toolkit.schema import ACCOUNTS, InputError

MOST = {"bench": 2, "league": 6, "panel": 40}
# Of a scenario, what the comparison of programmes does not depend on.
IDLE = {"name", "title", "description", "plan", "overlap", "adjustments", "effect", "cash_step"}
# And of its effect, what it does depend on.
ACTING = ("shared_luck", "structure", "detection", "unevidenced", "scale_up", "selection")


@dataclass(frozen=True)
class League:
    """Programmes compared for a place.

    Attributes
    ----------
    table
        From `league_table`, with ``rank_low_<account>`` and ``rank_high_<account>``.
    worth
        What a child served avoids (programme, account, chain, draw), GBP.
    compared
        What the table was made from, without components.
    """

    table: pd.DataFrame
    worth: xr.DataArray
    compared: xr.Dataset


class Leagues:
    """The leagues and panels of one process, shared by its visitors."""

    def __init__(self, live: Live) -> None:
        self.live, self._memory, self._jobs = live, Memory(MOST), Jobs()

    def wanted(self, scenario: Scenario, areas: tuple[str, ...], programme: str) -> "tuple[League, Panel] | Job":
        """Return the league of a place and the panel of one programme, "" for its first, or the work on them.

        As :meth:`toolkit.apps.engine.jobs.Jobs.wanted` says.
        """
        name = f"{self.key(scenario, areas)}|{programme}"
        ready = self._ready(self.key(scenario, areas), programme)
        return self._jobs.wanted(name, ready, lambda progress: self._both(scenario, areas, programme, progress))

    def key(self, scenario: Scenario, areas: tuple[str, ...]) -> str:
        """Return what a league depends on, as text."""
        parts = scenario.model_dump(mode="json")
        kept = {name: part for name, part in parts.items() if name not in IDLE}
        luck = {name: parts["effect"].get(name) for name in ACTING}
        return json.dumps([kept, luck, list(areas)], sort_keys=True)

    def known(self, key: str) -> bool:
        """Return whether a league is there, whichever programme is looked into."""
        return self._memory.holds("league", key)

    def _ready(self, key: str, programme: str) -> bool:
        if not self._memory.holds("league", key):
            return False
        league = self._memory.get("league", key, lambda: None)
        return league is not None and self._memory.holds("panel", (key, programme or _first(league)))

    def _both(
        self, scenario: Scenario, areas: tuple[str, ...], programme: str, progress: Progress
    ) -> tuple[League, Panel]:
        key = self.key(scenario, areas)
        league = self._memory.get("league", key, lambda: self._league(scenario, areas, progress))
        name = programme or _first(league)
        if name not in league.table.index:
            raise InputError(f"programme '{name[:60]}': there is none.", fix="choose one of the list.")
        make = lambda: self._panel(scenario, areas, league, name, progress)  # noqa: E731
        return league, self._memory.get("panel", (key, name), make)

    def _bench(self, scenario: Scenario, areas: tuple[str, ...]) -> Bench:
        live = self.live

        def ready() -> Bench:
            draws = live.drawn(scenario).draws
            return bench_with(live.fitted_for(scenario), live.statistics, live.resolved(scenario), draws, areas)

        return self._memory.get("bench", self.key(scenario, areas), ready)

    def _league(self, scenario: Scenario, areas: tuple[str, ...], progress: Progress) -> League:
        ready = self._bench(scenario, areas)
        compared = compared_on(ready, progress=progress)
        table = league_table(compared, ready.register.tables["programmes"])
        for account in ACCOUNTS:
            table = table.join(ranks(compared, account).add_suffix(f"_{account}"))
        parts = [appraisal.account_total(compared["avoided"], account).reset_coords(drop=True) for account in ACCOUNTS]
        worth = xr.concat(parts, xr.Variable("account", list(ACCOUNTS)))
        kept = compared.drop_vars("avoided").drop_dims("component", errors="ignore").assign(worth=worth)
        return League(table, worth, kept)

    def _panel(
        self, scenario: Scenario, areas: tuple[str, ...], league: League, programme: str, progress: Progress
    ) -> Panel:
        ready = self._bench(scenario, areas)
        examined = examine(ready, programme, progress=progress)
        return panel(
            league.table,
            league.compared,
            examined,
            programme,
            studies=ready.studies,
            tables=ready.register.tables,
            shrunk=ready.used["before_scale_up"],
        )


def _first(league: League) -> str:
    return str(league.table.index[0])


_OF: "WeakKeyDictionary[Live, Leagues]" = WeakKeyDictionary()
_MAKING = threading.Lock()


def leagues_of(live: Live) -> Leagues:
    """Return the leagues of a process's fitted evidence."""
    with _MAKING:
        return _OF.setdefault(live, Leagues(live))
