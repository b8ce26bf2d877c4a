"""The panel of one programme on *Which programme?*: facts, steps, what must be believed, studies and sources."""

from html import escape
from typing import Any

import numpy as np

from toolkit.apps.parts import charts, look, programme_charts
from toolkit.apps.parts.card import Card
from toolkit.apps.parts.fields import column
from toolkit.measures import programme_words as words
from toolkit.measures import words as w
from toolkit.measures.beside_panel import panel_table
from toolkit.measures.programme_panel import ATTAINMENT
from toolkit.measures.programme_words import Panel
from toolkit.measures.programmes import OUTCOMES
from toolkit.measures.quantities import Run

STEPS = (
    "What a pound avoids if the effect is taken as its own studies publish it, and after each step to the effect "
    "that is used here. Each step is priced again on the same draws, so the changes add up."
)
FOREST = (
    "Squares are estimates as converted to one scale, with 90% intervals; an arrow leads to what is left after the "
    "bias of its design and the other studies are allowed for (circles). Diamonds above them: what would have to be "
    "true for the programme to pay, and what is used here."
)
KINDS = {True: "Hazard ratios of events", False: "Differences in attainment"}


class ProgrammePanel:
    """What is known of the programme that is open."""

    def __init__(self) -> None:
        self.head, self.facts, self.believed, self.sources = (look.html() for _ in range(4))
        self._steps, self._tables = "", dict.fromkeys(KINDS, "")
        self.steps = Card(
            "programme_steps",
            charts.waterfall("From published to used", "Cost avoided for each £1"),
            ("From published to used", STEPS),
            lambda _: self._steps,
        )
        self.forests = {ratios: self._forest(ratios) for ratios in KINDS}
        self._views: dict[Any, Any] = {"steps": self.steps.view()} | {k: one.view() for k, one in self.forests.items()}

    def _forest(self, ratios: bool) -> Card:
        title = f"Studies of its type: {KINDS[ratios].lower()}"
        chart = programme_charts.forest(title, ratios=ratios)
        return Card(f"programme_forest_{ratios}", chart, (title, FOREST), lambda _: self._tables[ratios])

    def show(self, run: Run, one: Panel, account: str) -> None:
        """Put a programme on the panel, for an account."""
        label = escape(str(one.row["label"]))
        self.head.object = f"<h2>{label}</h2>"
        self.facts.object = look.plain_table(
            "The programme in short", ["About", "What is known"], _facts(one, account), numbers=()
        )
        self._show_steps(run, one, account)
        lines = "".join(f"<p>{escape(w.tied(line))}</p>" for line in words.believed_sentences(one))
        self.believed.object = f"<h2>What must be believed</h2>{lines}{_beside(one)}{_areas(one)}"
        for ratios in KINDS:
            self._show_forest(run, one, ratios)
        self.sources.object = _sources(one)

    def _show_steps(self, run: Run, one: Panel, account: str) -> None:
        steps = one.steps[account]
        self._views["steps"].visible = bool(len(steps))
        if not len(steps):
            return
        names = [charts.narrow(label) for label in [*steps["label"], "Used here"]]
        after = steps["ratio"].tolist()
        starts, ends = [0.0, *after[:-1], 0.0], [*after, after[-1]]
        keys = [f"steps|{one.programme}|{account}|{step}" for step in [*steps.index, steps.index[-1]]]
        chart = self.steps.chart
        chart.figure.height = 90 + programme_charts.ROW * len(names)
        charts.set_waterfall(chart, names[::-1], starts[::-1], ends[::-1], keys[::-1])
        low, high = min(0.0, *after), max(0.0, *after)
        pad = 0.05 * (high - low)
        charts.set_ends(chart.figure.x_range, low - pad if low < 0 else 0.0, high + pad)
        table = words.steps_table(steps)
        rows = [
            (row["step"], [look.Number(row["avoided for a pound"], key), row["90% interval"], row["change"]])
            for row, key in zip(table.to_dict("records"), keys, strict=False)
        ]
        title = f"From published to used, {words.PAYERS[account]}"
        self._steps = look.plain_table(title, ["Step", "For each £1", "90% interval", "Change"], rows)
        summary = "; ".join(f"{row['step']}: {row['avoided for a pound']}" for row in table.to_dict("records"))
        self.steps.show(run, {}, f"Avoided for each pound. {summary}.")

    def _show_forest(self, run: Run, one: Panel, ratios: bool) -> None:
        studies = one.studies[(one.studies["outcome"] != ATTAINMENT) == ratios]
        points = _points(one) if one.main and (one.main != ATTAINMENT) == ratios else []
        self._views[ratios].visible = bool(len(studies) or points)
        if not self._views[ratios].visible:
            return
        named = [f"{w.label(OUTCOMES[row['outcome']])}: {name}" for name, row in studies.to_dict("index").items()]
        keys = {end: [f"study|{one.programme}|{name}|{end}" for name in studies.index] for end in ("effect", "shrunk")}
        rows = studies.assign(name=named, key=keys["effect"], key_shrunk=keys["shrunk"])
        programme_charts.set_forest(self.forests[ratios].chart, rows, points)
        table = words.forest_table(studies)
        self._tables[ratios] = look.plain_table(
            "Studies of its type",
            ["Study", "Programme", "Outcome", "Published", "Converted", "After shrinkage", "Design", "Follow-up"],
            [_study(row, one.programme) for row in table.to_dict("records")],
            numbers=(),
        )
        parts = zip(table["study"], table["published"], table["after shrinkage"], strict=True)
        summary = "; ".join(f"{study}: {published}, then {shrunk}" for study, published, shrunk in parts)
        self.forests[ratios].show(run, {}, f"Studies as published and after shrinkage. {summary or 'None'}.")

    def view(self) -> Any:
        """Return the panel."""
        parts = [self.head, self.facts, self._views["steps"], self.believed]
        return column(*parts, self._views[True], self._views[False], self.sources)


def _facts(one: Panel, account: str) -> list[tuple[str, list[str]]]:
    """Return the facts with the numbers among them as ones that explain themselves."""
    keys = {
        "cost a child": "cost_per_child",
        "children a million pounds serves": "children_per_million",
        f"avoided for a pound, {words.PAYERS['fiscal']}": "avoided_fiscal",
        f"avoided for a pound, {words.PAYERS['social']}": "avoided_social",
        "council's cash by year five, for a pound": "council_cash",
        "care entries, of a hundred children": "care_entries_per_100",
    }
    rows: list[tuple[str, list[str]]] = []
    for name, text in words.facts(one):
        known = name in keys and text != "not known"
        cell = look.Number(text, f"league|{one.programme}|{keys[name]}") if known else text
        rows.append((w.label(name.replace("'", "’")), [cell]))
    return rows


def _points(one: Panel) -> list[tuple[str, str, float, float, float]]:
    """Return what must be believed and what is used, as rows above the studies."""
    name, rows = w.label(OUTCOMES[one.main]), []
    for account in ("fiscal", "social"):
        effect = float(one.needed["effect"][account])
        if np.isfinite(effect):
            key = f"believed|{one.programme}|{account}"
            rows.append((f"{name}: must be, for {words.PAYERS[account]}", key, effect, np.nan, np.nan))
    if np.isfinite(one.used[0]):
        rows.append((f"{name}: used here", f"believed|{one.programme}|used", *one.used))
    return rows


def _beside(one: Panel) -> str:
    table = words.believed_table(one)
    needed = [float(one.needed["effect"][account]) for account in ("fiscal", "social")] if one.main else []
    if not len(table) or np.isnan(needed).all():
        return ""
    rows = [
        (row["study"], [row["programme"], row["effect"], row["90% interval"], *list(row.values())[4:]])
        for row in table.to_dict("records")
    ]
    heads = ["Study", "Programme", "Effect", "90% interval", "Enough for the public purse", "Enough for society"]
    return look.plain_table(f"Studies of {OUTCOMES[one.main]} beside it", heads, rows, words.FACE_VALUE, numbers=(1, 2))


def _areas(one: Panel) -> str:
    """Return what the panel of areas says beside the studies."""
    if not len(one.beside):
        return ""
    table = panel_table(one.beside)
    rows = [(w.label(row[0]), list(row[1:])) for row in table.itertuples(index=False)]
    heads = [w.label(name) for name in table.columns]
    title = "Beside it: the panel of areas, which no result uses"
    return look.plain_table(title, heads, rows, " ".join(one.beside_words), numbers=(1, 2, 3, 4))


def _study(row: dict[Any, Any], programme: str) -> tuple[str, list[str]]:
    name = row["study"]
    cells = [
        look.Number(row[key], f"study|{programme}|{name}|{what}") if row[key] else ""
        for key, what in (("published", "effect"), ("converted", "effect"), ("after shrinkage", "shrunk"))
    ]
    return name, [row["programme"], row["outcome"], *cells, row["design"], row["follow-up"]]


def _sources(one: Panel) -> str:
    items = []
    for name, row in one.studies.to_dict("index").items():
        title, url = escape(look.text(row["title"])), look.text(row["url"])
        if url.startswith(("https://", "http://")):
            title = f'<a href="{escape(url, quote=True)}" rel="noreferrer noopener" target="_blank">{title}</a>'
        rest = escape(", ".join(filter(None, (look.text(row["publisher"]), look.text(row["year"])))))
        items.append(f"<li>{escape(str(name))}: {title}, {rest} (grade {escape(look.text(row['grade']))})</li>")
    none = "<p>No study of it, or of programmes of its type, is in use.</p>"
    unknown = escape(look.text(one.row["not_known"])) or "Nothing further was noted."
    listed = f"<ul>{''.join(items)}</ul>" if items else none
    return f"<h2>Sources</h2>{listed}<h2>What is not known</h2><p>{unknown}</p>"
