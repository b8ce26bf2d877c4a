"""What programmes avoid under each structure, by hand, from draws of one programme."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from tests.unit.measures.test_programmes import NO_STUDY, SIZE, SPREAD, compared_of, evenly, programme
from toolkit.evidence import STRUCTURES
from toolkit.measures.programmes import BREAK_EVEN, by_structure, league_table, structure_table, verdict

THIRDS = np.arange(SIZE) % 3  # own, type, all
FADE = np.where(np.arange(SIZE) % 10 < 5, 0, np.where(np.arange(SIZE) % 10 < 8, 1, 2))


def of(part: xr.Dataset) -> pd.DataFrame:
    return by_structure(compared_of(one=part), "one").set_index(["structure", "choice"])


def test_each_choice_has_the_results_of_its_own_draws() -> None:
    """Nothing, 600 and 1,500 pounds under own, type and all studies, for 1,000 spent."""
    rows = of(programme({"care_other": np.array([0.0, 600.0, 1500.0])[THIRDS]}, 1000.0, scope=THIRDS))
    assert not rows.loc[("scope", "own"), "counted"]
    assert rows.loc[("scope", "own"), "avoided_fiscal":"chance_of_harm"].isna().all()
    assert rows.loc[("scope", "type"), "avoided_fiscal"] == pytest.approx(0.6, rel=1e-12)
    assert rows.loc[("scope", "all"), "avoided_fiscal"] == pytest.approx(1.5, rel=1e-12)
    assert rows["chance_pays_fiscal"].dropna().tolist() == pytest.approx([0.333, 0, 1, 0.333, 0.333, 0.333])
    assert rows.loc[("scope", "type"), "share"] == pytest.approx(0.333)
    assert (rows["chance_of_harm"].dropna() == 0).all()


def test_choices_average_to_every_structure_together() -> None:
    rows = of(programme(SPREAD, evenly(500, 1500)[::-1], scope=THIRDS, fade=FADE)).reset_index()
    every = rows.iloc[0]
    assert (every["structure"], every["choice"], every["share"]) == ("every", "", 1.0)
    assert set(rows["structure"]) == {"every", *STRUCTURES}
    assert rows.groupby("structure")["choice"].count()[["scope", "fade", "risk"]].tolist() == [3, 3, 1]
    for structure in STRUCTURES:
        part = rows[rows["structure"] == structure]
        for column in ("avoided_fiscal", "chance_pays_fiscal", "chance_of_harm"):
            assert (part["share"] * part[column]).sum() == pytest.approx(every[column], rel=1e-9), (structure, column)


def test_the_first_row_is_the_league_tables() -> None:
    compared = compared_of(one=programme(SPREAD, 1000.0, scope=THIRDS))
    about = {"programme_type": "keyworker", "target_group": "in_need", "ages_from": 0, "ages_to": 17, "security": 3}
    league = league_table(compared, pd.DataFrame([{"programme": "one", "label": "One", **about, "not_known": ""}]))
    row, first = league.loc["one"], by_structure(compared, "one").iloc[0]
    for column in ("avoided_fiscal", "avoided_fiscal_low", "avoided_fiscal_high", "avoided_fiscal_mcse"):
        assert first[column] == pytest.approx(row[column], rel=1e-3)
    assert first["chance_pays_fiscal"] == row["chance_pays_fiscal"]
    assert row["chance_pays_least"] <= row["chance_pays_fiscal"] <= row["chance_pays_most"]


def test_knowing_the_structure_is_worth_what_the_wrong_decision_costs() -> None:
    """Gains of -1,000, -400 and 500: on average nobody buys; who knew would buy in the last third, for 500."""
    rows = of(programme({"care_other": np.array([0.0, 600.0, 1500.0])[THIRDS]}, 1000.0, scope=THIRDS, fade=FADE))
    share = (THIRDS == 2).mean()
    for structure in ("scope", "every"):
        np.testing.assert_allclose(rows.loc[structure, "value_of_knowing"], 500 * share, rtol=1e-9)
    assert rows.loc[("fade", "none"), "value_of_knowing"] == pytest.approx(0, abs=1e-9)
    assert (rows["value_of_chance"] < 0.2 * 500 * share).all()
    agreed = of(programme({"care_other": np.array([1200.0, 1600.0, 1500.0])[THIRDS]}, 1000.0, scope=THIRDS))
    np.testing.assert_allclose(agreed["value_of_knowing"], 0.0, atol=1e-9)


def test_without_a_price_only_harm_is_known() -> None:
    rows = of(programme({"care_other": evenly(-300, 700)}, np.nan, scope=THIRDS))
    assert rows["chance_of_harm"].between(0.25, 0.35).all()
    blank = rows.columns.difference(["share", "counted", "chance_of_harm"])
    assert rows[blank].isna().all().all()


def test_the_table_has_every_programme_of_which_something_is_counted() -> None:
    nothing = programme({}, 1000.0, not_counted=NO_STUDY)
    table = structure_table(compared_of(one=programme(SPREAD, 1000.0, scope=THIRDS), nothing=nothing))
    assert set(table["programme"]) == {"one"} and table.columns[0] == "programme"
    expected = by_structure(compared_of(one=programme(SPREAD, 1000.0, scope=THIRDS)), "one")
    pd.testing.assert_frame_equal(table.drop(columns="programme"), expected)


@pytest.mark.parametrize(
    ("chance", "under", "expected"),
    [
        (0.97, [0.96, 0.99], "pays back"),
        (0.97, [0.90, 1.00], "pays back, but not under every structure"),
        (0.02, [0.0, 0.04], "does not pay back"),
        (0.02, [0.0, 0.08], "does not pay back, but not under every structure"),
        (0.5, [0.0, 1.0], BREAK_EVEN),
    ],
)
def test_a_verdict_says_whether_structures_agree(chance: float, under: list[float], expected: str) -> None:
    assert verdict(chance, under) == expected
