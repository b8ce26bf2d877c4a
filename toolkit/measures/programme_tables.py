"""The programmes of a run: what its file holds of their comparison, and the tables of report and workbook."""

import numpy as np
import pandas as pd
import xarray as xr

from toolkit.measures import words as w
from toolkit.measures.beside_panel import EVENTS, SIDES, beside_panel, panel_sentences
from toolkit.measures.programme_words import HELPED, PAYERS
from toolkit.measures.programmes import BREAK_EVEN, LEVEL, SURE, league_table
from toolkit.measures.quantities import Run
from toolkit.measures.tables import Table, headed

__all__ = ["GROUP", "in_words", "league_of", "programme_tables", "recorded"]

GROUP = "programmes"  # of a run's file; older files have none
ABOUT = ("label", "programme_type", "target_group", "ages_from", "ages_to", "security", "not_known")
WHOSE = {"own": "own studies", "type": "its type's studies", "not counted": "not counted"}


def recorded(compared: xr.Dataset, programmes: pd.DataFrame) -> xr.Dataset:
    """Return what a run's file holds of a comparison: its numbers in single precision, and what each programme is.

    Parameters
    ----------
    compared
        From `toolkit.programmes.compare_with`.
    programmes
        The table ``programmes``.
    """
    about = programmes.set_index("programme").loc[compared["programme"].values, list(ABOUT)]
    kept = compared.map(lambda one: one.astype(np.float32) if one.dtype == np.float64 else one, keep_attrs=True)
    return kept.assign({name: ("programme", about[name].to_numpy()) for name in ABOUT})


def league_of(run: Run) -> pd.DataFrame | None:
    """Return the league table of a run whose file holds a comparison of programmes, None if it does not."""
    if GROUP not in run.tree.children:
        return None
    compared = run.tree[GROUP].to_dataset()
    programmes = pd.DataFrame({name: compared[name].values for name in ABOUT})
    programmes.insert(0, "programme", compared["programme"].values)
    return league_table(compared.drop_vars(ABOUT), programmes)


def programme_tables(run: Run) -> dict[str, Table]:
    """Return the tables of programmes by name; none for a run without their comparison."""
    league = league_of(run)
    if league is None:
        return {}
    drawn = league["avoided_fiscal"].notna()
    tables = {"programmes": _compared(run, league[drawn]), "programmes_left_out": _left_out(league[~drawn])}
    bought = league.loc[[name for name in run.scenario.programmes if name in league.index]]
    beside = _beside_panel(run.tree[GROUP].to_dataset(), bought)
    return tables | ({} if beside is None else {"programmes_panel": beside})


def _beside_panel(compared: xr.Dataset, bought: pd.DataFrame) -> Table | None:
    """Return what the panel of areas says beside the studies of the plan's programmes, None where it says nothing."""
    frames: list[pd.DataFrame] = []
    notes: list[str] = []
    for name, row in bought.iterrows():
        rows = beside_panel(compared, str(name))
        if len(rows):
            first, *rest = panel_sentences(compared, str(name), float(row["avoided_fiscal"]))
            notes += [*([] if notes else [first, rest[0]]), f"{row['label']}: {rest[1]}"]
            frames.append(rows.set_axis([f"{row['label']}: {EVENTS[str(event)]}" for event in rows.index], axis=0))
    if not frames:
        return None
    joined, ends = pd.concat(frames), {"expected": "", "lower": "_low", "upper": "_high"}
    columns = {(heading, part): joined[f"{key}{end}"] for key, heading in SIDES.items() for part, end in ends.items()}
    title = "Beside the studies: the panel of areas, which no result uses"
    return Table(title, "Avoided by a million pounds", headed(pd.DataFrame(columns)), "tenths", note=" ".join(notes))


def _compared(run: Run, league: pd.DataFrame) -> Table:
    columns: dict[tuple[str, str], object] = {
        ("Who is helped", ""): league["target_group"].map(HELPED),
        ("Evidence", ""): league["evidence"].map(WHOSE),
        ("Security, 0 to 5", ""): league["security"],
    }
    kinds = {"Who is helped": "text", "Evidence": "text", "Security, 0 to 5": "count"}
    spread = {"Cost of a child": ("cost_per_child", "pounds")}
    spread |= {f"For each £1, {PAYERS[name]}": (f"avoided_{name}", "ratio") for name in ("fiscal", "social")}
    for heading, (name, kind) in spread.items():
        parts = {"expected": name, "lower": f"{name}_low", "upper": f"{name}_high"}
        columns |= {(heading, part): league[column] for part, column in parts.items()}
        kinds[heading] = kind
    single = {
        "Chance it pays, public purse": ("chance_pays_fiscal", "share"),
        "Chance it adds cost": ("chance_of_harm", "share"),
        "Council's cash by year five, for each £1": ("council_cash", "ratio"),
        "Verdict, public purse": ("verdict", "text"),
        "What is counted": ("counted", "text"),
        "What is not known": ("not_known", "text"),
    }
    for heading, (name, kind) in single.items():
        columns[heading, ""], kinds[heading] = league[name], kind
    frame = headed(pd.DataFrame(columns)).set_axis(league["label"].tolist(), axis=0)
    note = (
        f"{run.scenario.price_base} prices, present value over a child's life; {LEVEL:.0%} intervals. Those with "
        "studies of their own come first, then those of which only the type has studies, each by what a pound avoids "
        f"for the public purse. Between {1 - SURE:.0%} and {SURE:.0%}, a programme {BREAK_EVEN}. The council's cash "
        "is what leaves its budgets within five years of contact, real; it counts before the pound itself."
    )
    return Table("What each programme avoids for its cost", "Programme", frame, kinds, note=note)


def _left_out(league: pd.DataFrame) -> Table:
    why = np.where(league["evidence"] == "not counted", league["not_counted"], "no price is known")
    columns = {
        ("Who is helped", ""): league["target_group"].map(HELPED),
        ("Evidence", ""): league["evidence"].map(WHOSE),
        ("Why", ""): pd.Series(why, league.index),
    }
    frame = headed(pd.DataFrame(columns)).set_axis(league["label"].tolist(), axis=0)
    note = "No study is no finding: of these it is not known what they avoid for their cost."
    return Table("Programmes without a price or an effect that can be counted", "Programme", frame, "text", note=note)


def in_words(league: pd.DataFrame) -> str:
    """Return in words which programmes pay back and which do not, for the public purse."""
    summary = league.loc[league["avoided_fiscal"].notna(), ["label", "verdict"]]
    parts = []
    for verdict in dict.fromkeys(summary["verdict"]):
        names = summary.loc[summary["verdict"] == verdict, "label"].tolist()
        parts.append(f"{verdict[:1].upper()}{verdict[1:]}: {w.listed(names)}.")
    return " ".join(parts) or "No programme has both a price and an effect that can be counted."
