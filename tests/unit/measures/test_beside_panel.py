"""What the panel of areas says beside a programme's studies, on draws whose answer is known."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.stats import norm

from tests.unit.measures.test_programme_tables import ABOUT
from tests.unit.measures.test_programmes import SPREAD, programme
from toolkit.measures.beside_panel import EVENTS, SIDES, beside_panel, combined_ratio, panel_sentences, panel_table
from toolkit.measures.programme_tables import programme_tables, recorded
from toolkit.schema import SAMPLE_DIMS


def compared(weight: np.ndarray | None = None, *, cost: float = 500.0) -> xr.Dataset:
    """0 to 3 entries to care avoided by a million pounds, beside a panel of 1 (error 0.5, bias 2)."""
    one = programme(SPREAD, cost)
    shape = tuple(one.sizes[dim] for dim in SAMPLE_DIMS)
    events = -np.linspace(0.0, 3.0, np.prod(shape)).reshape(shape)
    names = list(EVENTS)
    per_million = np.stack([events, 0 * events, 0 * events])
    weight = np.ones(shape) if weight is None else weight
    return (
        one.assign(
            {
                "events_per_million": (("indicator", *SAMPLE_DIMS), per_million),
                "panel_per_million": ("indicator", [-1.0, 0.0, 0.0]),
                "panel_per_million_se": ("indicator", [0.5, 0.5, 0.5]),
                "panel_bias_per_million": ((*SAMPLE_DIMS, "indicator"), np.full((*shape, 3), 2.0)),
                "lead": ("lead_indicator", [0.3, 0.01]),
                "lead_se": ("lead_indicator", [0.1, 0.1]),
                "combined_weight": (SAMPLE_DIMS, weight / weight.sum()),
            }
        )
        .assign_coords(indicator=names, lead_indicator=["a", "b"])
        .expand_dims(programme=["one"])
    )


def test_alike_weights_leave_the_studies_and_bias_widens_the_panel() -> None:
    rows = beside_panel(compared(), "one", level=0.9)
    assert rows.index.tolist() == ["care_starts"]  # nothing else is counted
    row = rows.loc["care_starts"]
    assert [row["programme"], row["combined"]] == pytest.approx([1.5, 1.5])
    assert row["programme_low"] == pytest.approx(0.15, abs=0.01)
    for key, spread in (("panel", 0.5), ("debiased", np.hypot(0.5, 2.0))):
        ends = norm.ppf([0.05, 0.95], 1.0, spread)
        assert [row[key], row[f"{key}_low"], row[f"{key}_high"]] == pytest.approx([1.0, *ends], abs=1e-6)


def test_weights_move_both_together_and_the_pound() -> None:
    plain = compared()
    shape = plain["combined_weight"].isel(programme=0).shape
    last = np.zeros(shape)
    last[-1, -1] = 1.0
    one = compared(last)
    assert beside_panel(one, "one").loc["care_starts", "combined"] == pytest.approx(3.0)
    fiscal = one["avoided"].isel(programme=0).sel(component=(one["account"] == "fiscal").values).sum("component")
    assert combined_ratio(one, "one")[0] == pytest.approx(float(fiscal.isel(chain=-1, draw=-1)) / 500.0)
    assert "1 of 2 of today's outcomes" in panel_sentences(one, "one", 1.4)[1]
    words = panel_table(beside_panel(one, "one"))
    assert words.iloc[0, 0] == "entries to care" and words.columns.tolist()[1:] == [
        name.lower() for name in SIDES.values()
    ]


@pytest.mark.parametrize("drop", [True, False])
def test_there_are_no_rows_of_an_older_file_or_without_a_price(drop: bool) -> None:
    one = compared().drop_vars("combined_weight") if drop else compared()
    if not drop:
        one["events_per_million"][:] = np.nan
    assert beside_panel(one, "one").empty


def test_the_report_shows_it_for_the_programmes_of_the_plan(run) -> None:
    """``run`` compares nothing by itself."""

    name = run.scenario.programmes[0]
    table = pd.DataFrame([{"programme": name, "label": "The one", **ABOUT, "not_known": "much"}])
    tree = run.tree.copy()
    tree["programmes"] = xr.DataTree(recorded(compared().assign_coords(programme=[name]), table))
    shown = programme_tables(replace(run, tree=tree))["programmes_panel"]
    assert shown.frame.index.tolist() == ["The one: entries to care"]
    assert shown.frame["Its studies", "expected"].iloc[0] == pytest.approx(1.5, rel=1e-5)
    assert shown.note.count("both together a pound") == 1
