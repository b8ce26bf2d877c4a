"""The page *Model checks*: whether the fit passed its checks, how it forecast, and what exactly this run is."""

import json
from functools import cache
from typing import Any

from toolkit.apps.explanations.meanings import COLUMNS
from toolkit.apps.pages.priors import Priors
from toolkit.apps.parts import look
from toolkit.apps.parts.fields import column
from toolkit.apps.session.state import State, own
from toolkit.measures import provenance, reliability
from toolkit.measures import quantities as q
from toolkit.measures import words as w
from toolkit.measures.quantities import Run
from toolkit.report.shortfalls import checked

MEASURES = {"Value": "check", "Threshold": "check"}


class ModelChecks:
    """The page."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.priors = Priors(state)
        self.status, self.card, self.record = look.html(), look.html(), look.html()
        self.reference = look.html(_committed())

    def prepare(self, run: Run) -> None:
        """Prepare nothing: the run is enough."""

    def show(self, run: Run, prepared: None) -> None:
        """Put a run on the page."""
        summary = checked(run.report_card)
        self.status.object = look.box(
            "The fitted model", [summary], "" if run.passed else "bad", longest=look.OWN_WORDS
        )
        self.card.object = look.table(provenance.checks(run), q.level(run), look.keyed(MEASURES))
        self.record.object = self._record(run)
        self.priors.show(run)

    def _record(self, run: Run) -> str:
        attrs, scenario = run.tree.attrs, self.state.scenario
        rows = {
            "Scenario": scenario.name,
            "Scenario hash": scenario.hash,
            "Seed": str(scenario.seed),
            "Draws": f"{scenario.draws * scenario.chains:,}",
            "Areas": w.listed(q.area_names(run)[:3]) + (" and more" if len(q.area_names(run)) > 3 else ""),
            "Evidence of your own": str(len(own(scenario))),
        }
        rows |= {f"Version of {name}": str(version) for name, version in json.loads(attrs["versions"]).items()}
        sums = json.loads(attrs["data_checksums"])
        first = look.plain_table("This run", ["What", "Value"], [(name, [value]) for name, value in rows.items()])
        note = f"Each of the {len(sums)} data files matched this checksum when the site started."
        body = [(name, [value[:16] + "…"]) for name, value in sums.items()]
        return first + look.plain_table("The data", ["File", "SHA-256"], body, note)

    def view(self) -> Any:
        """Return the page."""
        return column(
            look.html("<h1>Can the model be trusted?</h1>"),
            self.status,
            look.html("<h2>Checks of the fit</h2>"),
            self.card,
            self.priors.view(),
            self.reference,
            look.html("<h2>What run this is</h2>"),
            self.record,
        )


@cache
def _committed() -> str:
    """Return the checks that are kept with the data: the sentences and tables of the report's own page."""
    sentences = [*reliability.sentences(), reliability.spending_words()]
    tables = (look.table(table, 0.9, _meaning) for table in reliability.reliability().values())
    return look.box("Can the models be believed?", sentences, longest=look.OWN_WORDS) + "".join(tables)


def _meaning(_row: str, heading: str) -> str:
    """Return the key of a column's meaning, if it has one."""
    name = heading.partition(", £")[0]
    return f"column|{name}" if name in COLUMNS else ""
