"""One programme in words: what the command, the report and the dashboard say of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from toolkit.measures import words as w
from toolkit.measures.beside_panel import beside_panel, panel_sentences
from toolkit.measures.programme_panel import ATTAINMENT, believed, effect_words, forest, from_published
from toolkit.measures.programmes import LEVEL, OUTCOMES
from toolkit.schema import ACCOUNTS, SAMPLE_DIMS

__all__ = [
    "FACE_VALUE",
    "PAYERS",
    "Panel",
    "believed_sentences",
    "believed_table",
    "facts",
    "forest_table",
    "panel",
    "sources_table",
    "steps_table",
]

PAYERS = {"fiscal": "the public purse", "economic": "the economy", "social": "society"}
HELPED = {
    "in_need": "children in need",
    "care_edge": "children at the edge of care",
    "pre_proceedings": "children before care proceedings",
    "looked_after": "children looked after",
    "pregnancy_early_years": "pregnancy and early years",
    "school_age": "school-age children",
    "youth_justice": "young people in youth justice",
    "universal": "all children",
}
FACE_VALUE = (
    "A study's estimate is of children served where it was made, before scale-up, so one that is enough here may not "
    "be enough elsewhere."
)


@dataclass(frozen=True)
class Panel:
    """What is known of one programme.

    Attributes
    ----------
    programme
        Its name.
    row
        Its row of the league table.
    steps
        By account, from `from_published`.
    main
        The outcome by which it is expected to gain most, "" if none can be counted.
    with_others
        Whether other outcomes move with it in what must be believed.
    needed
        From `believed`; no rows if ``main`` is "".
    used
        Effect on the main outcome that is used: expected, and both ends of its interval; NaN where none is.
    studies
        From `forest`.
    beside
        From `beside_panel`: what the panel of areas says beside them.
    beside_words
        From `panel_sentences`; none without a row of ``beside``.
    """

    programme: str
    row: pd.Series
    steps: dict[str, pd.DataFrame]
    main: str
    with_others: bool
    needed: pd.DataFrame
    used: tuple[float, float, float]
    studies: pd.DataFrame
    beside: pd.DataFrame = field(default_factory=pd.DataFrame)
    beside_words: tuple[str, ...] = ()

    def record(self) -> dict[str, Any]:
        """Return it as what JSON can hold: blanks as None."""
        tables = {f"from_published_{name}": steps.reset_index() for name, steps in self.steps.items()}
        tables |= {"must_be_believed": self.needed.reset_index(), "studies": self.studies.reset_index()}
        tables["beside_panel"] = self.beside.reset_index()
        row = self.row.to_dict() | {"programme": self.programme}
        return {
            "programme": {name: _plain(value) for name, value in row.items()},
            "main_outcome": self.main,
            "other_outcomes_move_with_it": self.with_others,
            "beside_panel_in_words": list(self.beside_words),
            "used_effect": dict(zip(("expected", "low", "high"), map(_plain, self.used), strict=True)),
            **{
                name: [{str(k): _plain(v) for k, v in each.items()} for each in table.to_dict("records")]
                for name, table in tables.items()
            },
        }


def _plain(value: Any) -> Any:
    if isinstance(value, str | bool | np.bool_):
        return bool(value) if isinstance(value, np.bool_) else value
    return None if pd.isna(value) else value.item() if hasattr(value, "item") else value


def panel(
    league: pd.DataFrame,
    compared: xr.Dataset,
    examined: xr.Dataset,
    programme: str,
    *,
    studies: pd.DataFrame,
    tables: dict[str, pd.DataFrame],
    shrunk: xr.DataArray,
    level: float = LEVEL,
) -> Panel:
    """Return what is known of one programme.

    Parameters
    ----------
    league, compared
        From `league_table`, and what it was made from.
    examined
        From `toolkit.programmes.examine`.
    programme
        Its name.
    studies
        From `programme_studies`.
    shrunk
        As for `forest`.
    tables
        ``programme_effects`` and ``programmes``.
    level
        Of the intervals.
    """
    main = str(examined["main"].item()) if "main" in examined else ""
    used = (np.nan, np.nan, np.nan)
    if main and not str(compared["not_counted"].sel(programme=programme, outcome=main).item()):
        effect = compared["effect"].sel(programme=programme, outcome=main)
        ends = effect.quantile([(1 - level) / 2, (1 + level) / 2], SAMPLE_DIMS).values
        used = (float(effect.mean()), float(ends[0]), float(ends[1]))
    needed = (
        believed(examined) if main else pd.DataFrame(columns=["effect", "reach"], index=pd.Index([], name="account"))
    )
    row, beside = pd.Series(league.loc[programme]), beside_panel(compared, programme, level=level)
    return Panel(
        programme,
        row,
        {account: from_published(examined, account, level=level) for account in ACCOUNTS},
        main,
        bool(examined["with_others"].item()) if main else False,
        needed,
        used,
        forest(studies, tables["programme_effects"], tables["programmes"], shrunk, programme, level=level),
        beside,
        tuple(panel_sentences(compared, programme, float(row["avoided_fiscal"]))) if len(beside) else (),
    )


def facts(one: Panel) -> list[tuple[str, str]]:
    """Return a programme's row in words: names and values."""
    row = one.row
    priced, counted = row["cost_per_child"] > 0, row["evidence"] != "not counted"
    lines = [
        ("who it serves", f"{HELPED[row['target_group']]}, ages {row['ages']}"),
        ("evidence", f"{_whose(row)}; security {row['security']} of 5"),
        ("cost a child", _with_interval(row, "cost_per_child", w.money) if priced else "not known"),
        ("children a million pounds serves", w.number(row["children_per_million"], 0) if priced else "not known"),
    ]
    if counted and priced:
        lines += [
            (f"avoided for a pound, {PAYERS[account]}", _with_interval(row, f"avoided_{account}", w.pence))
            for account in ("fiscal", "social")
        ]
        lines += [
            ("pays back, public purse", row["verdict"]),
            ("council's cash by year five, for a pound", w.pence(row["council_cash"])),
        ]
    if counted:
        lines += [("care entries, of a hundred children", w.number(row["care_entries_per_100"], 1))]
    lines += [("counted", row["counted"] or "nothing"), ("not counted", row["not_counted"] or "–")]
    return [*lines, ("not known", row["not_known"] or "–")]


def _whose(row: pd.Series) -> str:
    return {"own": "studies of its own", "type": "studies of its type alone", "not counted": "no effect is counted"}[
        row["evidence"]
    ]


def _with_interval(row: pd.Series, name: str, say: Any) -> str:
    return f"{say(row[name])} ({w.interval(row[f'{name}_low'], row[f'{name}_high'], say)})"


def steps_table(steps: pd.DataFrame) -> pd.DataFrame:
    """Return the steps from published to used in words."""
    rows: list[dict[str, str]] = []
    for row in steps.to_dict("records"):
        change = "" if not rows else f"{'+' if row['contribution'] >= 0 else ''}{w.pence(row['contribution'])}"
        rows.append(
            {
                "step": row["label"],
                "avoided for a pound": w.pence(row["ratio"]),
                "90% interval": w.interval(row["low"], row["high"], w.pence),
                "change": change,
                "what it is": row["meaning"],
            }
        )
    return pd.DataFrame(rows, columns=["step", "avoided for a pound", "90% interval", "change", "what it is"])


def believed_sentences(one: Panel) -> list[str]:
    """Return in words how large an effect must be for the programme to pay."""
    if not one.main:
        return ["What must be believed cannot be worked out, because no outcome of it can be counted."]
    if one.needed["effect"].isna().all() and not one.row["cost_per_child"] > 0:
        return ["What must be believed cannot be worked out, because no price is known."]
    kind, name = _kind(one.main), OUTCOMES[one.main]
    side = "or more" if one.main == ATTAINMENT else "or less"
    lines = []
    for account in ("fiscal", "social"):
        effect, reach = one.needed["effect"][account], one.needed["reach"][account]
        if np.isnan(effect):
            lines.append(
                f"For {PAYERS[account]} it does not pay even at {kind} of {effect_words(reach, one.main)} on {name}."
            )
        else:
            text = effect_words(effect, one.main)
            lines.append(f"It pays for {PAYERS[account]} if {kind} on {name}, where it is delivered, is {text} {side}.")
    if one.with_others:
        lines.append("Its other outcomes move with it, in proportion to what is expected of them.")
    if not np.isnan(one.used[0]):
        lines.append(f"What is used: {_interval_words(one.main, *one.used)}.")
    return lines


def _kind(outcome: str) -> str:
    return "a standardised difference" if outcome == ATTAINMENT else "a hazard ratio"


def believed_table(one: Panel) -> pd.DataFrame:
    """Return the studies of the main outcome beside what must be believed: whether each would be enough."""
    columns = [
        "study",
        "programme",
        "effect",
        "90% interval",
        *(f"enough for {PAYERS[a]}" for a in ("fiscal", "social")),
    ]
    about, needed = one.studies[one.studies["outcome"] == one.main], one.needed["effect"].to_dict()
    rows = []
    for study, row in about.to_dict("index").items():
        known = not np.isnan(row["effect"])
        enough = [_enough(row["effect"], float(needed[account]), one.main) for account in ("fiscal", "social")]
        ends = w.interval(row["low"], row["high"], lambda effect: effect_words(effect, one.main)) if known else ""
        effect = effect_words(row["effect"], one.main) if known else row["published"]
        rows.append([study, row["programme"], effect, ends, *(enough if known else ["", ""])])
    return pd.DataFrame(rows, columns=columns)


def _enough(effect: float, needed: float, outcome: str) -> str:
    if np.isnan(needed):
        return "no"
    return "yes" if (effect >= needed if outcome == ATTAINMENT else effect <= needed) else "no"


def forest_table(studies: pd.DataFrame) -> pd.DataFrame:
    """Return the studies of a programme's type in words."""
    columns = ["study", "programme", "outcome", "published", "converted", "after shrinkage", "design", "follow-up"]
    rows: list[Sequence[str]] = []
    for name, row in studies.to_dict("index").items():
        effect, shrunk = (
            _interval_words(row["outcome"], *(row[key] for key in keys))
            for keys in (("effect", "low", "high"), ("shrunk", "shrunk_low", "shrunk_high"))
        )
        years = "" if pd.isna(row["follow_up"]) else f"{row['follow_up']:.2g} years"
        cells = (row["programme"], OUTCOMES[row["outcome"]], row["published"], effect, shrunk, row["design"], years)
        rows.append([str(name), *cells])
    return pd.DataFrame(rows, columns=columns)


def sources_table(studies: pd.DataFrame) -> pd.DataFrame:
    """Return where each study is published: title, publisher, year and address."""
    return studies.reset_index()[["study", "title", "publisher", "year", "url"]].rename(columns={"url": "address"})


def _interval_words(outcome: str, middle: float, low: float, high: float) -> str:
    if np.isnan(middle):
        return ""
    return f"{effect_words(middle, outcome)} ({w.interval(low, high, lambda effect: effect_words(effect, outcome))})"
