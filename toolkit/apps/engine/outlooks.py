"""Outlooks of places: forecast in the background, kept in memory, and a page's plan laid on top of them."""

import threading
from typing import NamedTuple
from weakref import WeakKeyDictionary

import pandas as pd
import xarray as xr

from toolkit import levers
from toolkit.apps.engine.jobs import Job, Jobs
from toolkit.apps.engine.live import Live, Memory
from toolkit.apps.engine.scaled_run import LiveRun
from toolkit.measures import growth
from toolkit.measures import words as w
from toolkit.measures.outlook_plan import drawn_in_cash
from toolkit.outlook import counted, forecast, with_outlook
from toolkit.pricing.areas import Progress
from toolkit.schema import InputError

MOST = {"outlook": 12}
LARGEST = 40  # areas: a region; the draws of all areas of England take more memory than a site has


class Outlook(NamedTuple):
    """Where a place is heading: its ``draws`` and ``council`` without a plan, its ``past``, and its ``areas``.

    ``note`` says how these differ from those of the place: a merged area stands for its parts, tiny ones are left out.
    """

    draws: xr.Dataset
    council: xr.Dataset
    past: pd.DataFrame
    areas: tuple[str, ...]
    note: str


class Outlooks:
    """The outlooks of one process, shared by its visitors."""

    def __init__(self, live: Live) -> None:
        self.live, self._memory, self._jobs = live, Memory(MOST), Jobs()

    def wanted(self, areas: tuple[str, ...], baseline: str) -> Outlook | Job:
        """Return the outlook of a place, or the work on it, as :meth:`toolkit.apps.engine.jobs.Jobs.wanted` says.

        Raises
        ------
        InputError
            Too many areas, or none that has an outlook.
        """
        if len(areas) > LARGEST:
            raise InputError("outlook: so many areas at once are for the command.", fix="choose a region or an area.")
        key = (areas, baseline)

        def work(progress: Progress) -> Outlook:
            return self._memory.get("outlook", key, lambda: self._outlook(areas, baseline, progress))

        return self._jobs.wanted(str(key), self._memory.holds("outlook", key), work)

    def _outlook(self, areas: tuple[str, ...], baseline: str, progress: Progress) -> Outlook:
        kept = with_outlook(areas) or list(areas)
        ahead = forecast(kept, cache=self.live.cache, baseline=baseline, progress=progress)
        note = "The City of London and the Isles of Scilly have too few children for a forecast and are left out."
        if not set(kept) <= set(areas):
            names = w.listed([w.area(str(name)) for name in ahead["area_name"].values])
            note = f"These are the numbers of {names}: since their boundaries changed, too few years are known of each."
        elif len(kept) == len(areas):
            note = ""
        return Outlook(drawn_in_cash(ahead), levers.council(ahead), counted(kept), tuple(kept), note)

    def on_top(self, outlook: Outlook, run: LiveRun, areas: tuple[str, ...]) -> xr.Dataset:
        """Return the plan of a place's run laid on its outlook, as ``growth.on_top`` does."""
        if not set(outlook.areas) <= set(areas):
            run = self.live.run(run.scenario, outlook.areas)
        components = self.live.register.tables["cost_components"]
        return growth.on_top(outlook.council, [growth.plan_lines(run, outlook.council)], components)


_OF: "WeakKeyDictionary[Live, Outlooks]" = WeakKeyDictionary()
_MAKING = threading.Lock()


def outlooks_of(live: Live) -> Outlooks:
    """Return the outlooks of a process's fitted evidence."""
    with _MAKING:
        return _OF.setdefault(live, Outlooks(live))
