"""The page *Which programme?*: what each avoids for the money it costs, and one of them looked into."""

from typing import Any

import pandas as pd
import panel_material_ui as pmui

from toolkit.apps.engine.jobs import Job
from toolkit.apps.engine.leagues import League, leagues_of
from toolkit.apps.explanations import programmes as explanations
from toolkit.apps.parts import look, programme_charts
from toolkit.apps.parts.card import Card
from toolkit.apps.parts.fields import beside, choice, column
from toolkit.apps.parts.programme_panel import ProgrammePanel
from toolkit.apps.parts.waiting import Waiting
from toolkit.apps.session.starts import programmes_of
from toolkit.apps.session.state import State
from toolkit.measures import words as w
from toolkit.measures.programme_words import HELPED, PAYERS, Panel
from toolkit.measures.programmes import LEVEL, chance_of
from toolkit.measures.quantities import Run
from toolkit.schema import ACCOUNTS

EVERYONE = "all"
WHOSE = {"own": "own studies", "type": "its type’s studies", "not counted": "not counted"}
INTRO = (
    "Each programme with its own price, the children it was made for, and an effect from its own studies and those of "
    "programmes like it. The sum and the adjustments beside do not matter here; the place and the figures do."
)
CHART = (
    f"Expected cost avoided for each £1, with {LEVEL:.0%} intervals. Those with studies of their own come first (full "
    "circles), then those of which only the type has studies (circles with a dot), each in the order of the public "
    "purse. The scale is even near nil and pressed together further out. Press a row to look into the programme."
)
PRESSED = "What is pressed is looked into; by keyboard, choose it from the list below. The table explains its numbers."
ORDER = (
    "Place: where it comes among all that are ranked, in nine tenths of the draws. All is averaged over rival "
    "structures (whose studies count, how effects fade, whose risk); a chance near none or all is put as such only if "
    "they agree."
)


class Programmes:
    """The page."""

    def __init__(self, state: State) -> None:
        self.state, self.leagues = state, leagues_of(state.live)
        self.chosen = ""
        self._shown: tuple[League, Panel] | None = None
        self._run: Run | None = None
        self._rows = ""
        self.waiting = Waiting(state, "Comparing programmes")
        self.account = pmui.Select(
            label="Whose money",
            options={w.label(PAYERS[name]): name for name in ACCOUNTS},
            value=state.views["account"],
            size="small",
            width=220,
        )
        self.account.param.watch(lambda event: state.look(account=event.new), "value")
        helped = {"Everybody": EVERYONE} | {w.label(words): name for name, words in HELPED.items()}
        self.helped = choice("Made for", helped, width=260)
        sure = {"Any": 0} | {f"{least} or more of 5": least for least in (1, 2, 3, 4, 5)}
        self.security = choice("How secure the evidence is", sure, width=220)
        for filter_by in (self.helped, self.security):
            filter_by.param.watch(lambda _: self._fill(), "value")
        self.one = choice("Look into", programmes_of(state.live, state.base), width=420)
        self.one.param.watch(lambda event: self._open(event.new), "value")
        self.card = Card(
            "league",
            programme_charts.league(),
            ("What a pound avoids, programme by programme", CHART),
            lambda _: self._rows,
            PRESSED,
        )
        self.card.chart.sources["pressed"].selected.on_change("indices", self._picked)
        self.others, self.none = look.html(), look.html(visible=False)
        self.panel = ProgrammePanel()
        self._league = column(self.card.view(), self.none, visible=False)
        self._panel = column(self.one, self.panel.view(), visible=False)

    # What is asked for ---------------------------------------------------------------------------

    def _open(self, programme: str) -> None:
        if programme and programme != self.chosen:
            self.chosen = programme
            self.state.notify()

    def _picked(self, _name: str, _old: Any, new: list[int]) -> None:
        names = self.card.chart.sources["pressed"].data["programme"]
        if new and 0 <= new[0] < len(names):
            self._open(str(names[new[0]]))

    # What the frame asks of a page ---------------------------------------------------------------

    def prepare(self, run: Run) -> tuple[League, Panel] | Job:
        """Return the league and the panel, or the work on them, which goes on meanwhile."""
        return self.leagues.wanted(self.state.scenario, self.state.areas, self.chosen)

    def show(self, run: Run, prepared: tuple[League, Panel] | Job) -> None:
        """Put them on the page, or say how far they are."""
        self._run = run
        self.account.value = self.state.views["account"]
        if isinstance(prepared, Job):
            known = self.leagues.known(self.leagues.key(self.state.scenario, self.state.areas))
            self._panel.visible, self._league.visible, self.others.visible = False, known, known
            self.waiting.start(prepared)
            return
        self.waiting.stop()
        self._shown = prepared
        self.chosen = prepared[1].programme
        if self.one.options != (labels := programmes_of(self.state.live, self.state.base)):
            self.one.options = labels
        self.one.value = self.chosen
        self._fill()
        self.panel.show(run, prepared[1], self.account.value)
        self._league.visible = self._panel.visible = self.others.visible = True

    def explain(self, key: str) -> str:
        """Return the explanation of one of the page's own numbers as HTML, "" if it is none of them."""
        if self._shown is None:
            return ""
        return explanations.explanation(*self._shown, key, self.state.live.resolved(self.state.base).register)

    # The league ----------------------------------------------------------------------------------

    def _fill(self) -> None:
        """Put the league on the page as it is filtered."""
        if self._shown is None or self._run is None:
            return
        account, (league, one) = self.account.value, self._shown
        table = filtered(league.table, self.helped.value, self.security.value)
        drawn = table[table[f"avoided_{account}"].notna()]
        self.none.param.update(
            object="<p>None of these programmes has both a price and an effect that is counted.</p>",
            visible=drawn.empty,
        )
        programme_charts.set_league(self.card.chart, drawn, account, one.programme)
        self._rows = _league(drawn, account)
        summary = "; ".join(
            f"{row['label']}: {w.pence(row[f'avoided_{account}'])} ({_ends(row, account)})"
            for row in drawn.to_dict("records")
        )
        self.card.show(self._run, {}, f"For each pound, {PAYERS[account]}. {summary or 'None'}.")
        self.others.object = _others(table.drop(index=drawn.index))

    def view(self) -> Any:
        """Return the page."""
        return column(
            look.html(f'<h1>Which programme?</h1><p class="hint">{INTRO}</p>'),
            beside(self.account, self.helped, self.security),
            self.waiting.status,
            self._league,
            self._panel,
            self.others,
        )


def filtered(table: pd.DataFrame, helped: str, least: int) -> pd.DataFrame:
    """Return the rows of a league of those helped, and with evidence at least so secure."""
    group = table["target_group"] == helped if helped != EVERYONE else pd.Series(True, table.index)
    return table[group & (table["security"] >= least)]


def _ends(row: dict[Any, Any], account: str) -> str:
    return w.interval(row[f"avoided_{account}_low"], row[f"avoided_{account}_high"], w.pence)


def _league(table: pd.DataFrame, account: str) -> str:
    """Return the rows that are drawn as a table, whose numbers explain themselves."""
    heads = ["Programme", "Who is helped", "Evidence, security", "Cost a child", "For each £1", f"{LEVEL:.0%} interval"]
    heads += ["Place", "Chance it pays", "Chance it adds cost", "Council’s cash by year five", "What is counted"]
    rows, under = [], "chance_pays" if account == "fiscal" else ""  # under each structure
    for name, row in table.to_dict("index").items():

        def number(text: str, column: str, name: Any = name) -> look.Number:
            return look.Number(text, f"league|{name}|{column}")

        low, high = (int(row[f"rank_{end}_{account}"]) for end in ("low", "high"))
        cells = [
            w.label(HELPED[row["target_group"]]),
            f"{WHOSE[row['evidence']]}, {row['security']}",
            number(w.money(row["cost_per_child"]), "cost_per_child"),
            number(w.pence(row[f"avoided_{account}"]), f"avoided_{account}"),
            number(_ends(row, account), f"avoided_{account}"),
            number(f"{low}" if low == high else f"{low} to {high}", f"rank_{account}"),
            number(chance_of(row, f"chance_pays_{account}", under), f"chance_pays_{account}"),
            number(chance_of(row, "chance_of_harm", "chance_of_harm"), "chance_of_harm"),
            number(w.pence(row["council_cash"]), "council_cash"),
            row["counted"],
        ]
        rows.append((str(row["label"]), cells))
    return look.plain_table(f"For each £1, {PAYERS[account]}", heads, rows, ORDER, numbers=range(2, 9))


def _others(table: pd.DataFrame) -> str:
    """Return the programmes that cannot be drawn, with the reason."""
    if table.empty:
        return ""
    rows = []
    for row in table.to_dict("records"):
        why = "no price is known" if row["evidence"] != "not counted" else _reasons(row["not_counted"])
        rows.append(
            (
                str(row["label"]),
                [w.label(HELPED[row["target_group"]]), f"{WHOSE[row['evidence']]}, {row['security']}", why],
            )
        )
    title = "No price is known, or no effect can be counted"
    heads = ["Programme", "Who is helped", "Evidence, security", "Why"]
    return f"<h2>Programmes that are not in the chart</h2>{look.plain_table(title, heads, rows, numbers=())}"


def _reasons(not_counted: str) -> str:
    """Return why outcomes are not counted, each reason once."""
    outcomes: dict[str, list[str]] = {}
    for part in not_counted.split("; "):
        outcome, _, why = part.partition(": ")
        outcomes.setdefault(why, []).append(outcome)
    return "; ".join(f"{why} ({w.listed(names)})" for why, names in outcomes.items())
