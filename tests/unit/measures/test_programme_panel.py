"""One programme looked into, from draws made by hand: where it pays, its steps, and its studies."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from toolkit.measures.programme_panel import ATTAINMENT, believed, effect_words, forest, from_published, ratio_of
from toolkit.models.effects.programme_steps import STEPS
from toolkit.models.effects.programme_studies import programme_studies
from toolkit.schema import ACCOUNTS, EFFECT_OUTCOMES, SAMPLE_DIMS

CHAINS, DRAWS = 2, 50
SIZES = [-0.05, -0.15, -0.3, -0.6, -1.0, -1.5]
DEVIATES = np.linspace(-1, 1, CHAINS * DRAWS).reshape(CHAINS, DRAWS)


def examined(per_unit: float, *, cost: float = 1000.0, curve=lambda size: size, steps=(3000, 1500, 1000)) -> xr.Dataset:
    """Avoids ``per_unit`` for each unit of benefit in log hazard, society half as much again."""
    share = np.array([1.0, 1.0, 1.5])
    worth = np.array([per_unit * curve(-size) for size in SIZES])
    response = worth[:, None, None, None] * share[:, None, None] * (1 + 0.3 * DEVIATES)
    by_step = np.array(steps, float)[:, None, None, None] * share[:, None, None] * (1 + 0.3 * DEVIATES)
    coords = {"size": SIZES, "account": list(ACCOUNTS), "step": list(STEPS[: len(steps)])}
    return xr.Dataset(
        {
            "cost": (SAMPLE_DIMS, cost + 0 * DEVIATES),
            "response": (("size", "account", *SAMPLE_DIMS), response),
            "steps": (("step", "account", *SAMPLE_DIMS), by_step),
            "main": "care",
            "with_others": False,
        },
        {**coords, "chain": range(CHAINS), "draw": range(DRAWS)},
    )


# what must be believed


def test_a_straight_response_pays_where_benefit_equals_cost() -> None:
    """2,500 pounds a unit against 1,000: 0.4 for the public purse, 0.4 / 1.5 for society."""
    needed = believed(examined(2500.0))["effect"]
    assert needed["fiscal"] == pytest.approx(-0.4, abs=1e-9)
    assert needed["social"] == pytest.approx(-0.4 / 1.5, abs=1e-9)


def test_a_response_that_bends_is_followed_closely() -> None:
    """1,500 (1 - exp(-x)) = 1,000 at x = log 3."""
    needed = believed(examined(1500.0, curve=lambda x: 1 - np.exp(-x)))["effect"]
    assert needed["fiscal"] == pytest.approx(-np.log(3), abs=0.005)


def test_what_pays_at_the_smallest_size_needs_less_than_that() -> None:
    assert believed(examined(100_000.0))["effect"]["fiscal"] == pytest.approx(-0.01, abs=1e-9)


def test_out_of_reach_and_unpriced_are_blank() -> None:
    table = believed(examined(100.0))
    assert table["effect"].isna().all() and (table["reach"] == -1.5).all()
    assert believed(examined(100.0, cost=np.nan))["effect"].isna().all()


def test_effects_read_as_ratios_but_for_attainment() -> None:
    assert ratio_of(np.log(0.76), "care") == pytest.approx(0.76)
    assert effect_words(np.log(0.76), "care") == "0.76"
    assert effect_words(0.127, ATTAINMENT) == "0.13 sd"
    assert effect_words(np.nan, "care") == ""


# from published to used


def test_steps_add_up_to_the_last_ratio() -> None:
    steps = from_published(examined(1.0))
    assert steps["ratio"].tolist() == pytest.approx([3.0, 1.5, 1.0])
    assert steps["contribution"].tolist() == pytest.approx([3.0, -1.5, -0.5])
    assert steps["contribution"].sum() == pytest.approx(steps["ratio"].iloc[-1], abs=1e-12)
    assert from_published(examined(1.0), "social")["ratio"].iloc[-1] == pytest.approx(1.5)


def test_intervals_and_errors_of_steps_are_those_of_the_draws() -> None:
    """Evenly over 0.7 to 1.3 of the mean: nine tenths lie within 0.73 and 1.27; a step moves with its own draws."""
    steps = from_published(examined(1.0))
    assert steps.loc["own_studies", "low"] == pytest.approx(1.5 * 0.73, rel=1e-9)
    assert steps.loc["own_studies", "high"] == pytest.approx(1.5 * 1.27, rel=1e-9)
    expected = 1.5 * 0.3 * DEVIATES.std() / np.sqrt(CHAINS * DRAWS)
    assert steps.loc["own_studies", "mcse"] == pytest.approx(expected, rel=1e-9)


def test_nothing_to_show_has_no_steps() -> None:
    assert from_published(examined(1.0, cost=np.nan)).empty
    assert from_published(examined(1.0).drop_vars("steps")).empty


# studies


@pytest.fixture(scope="module")
def table(register) -> pd.DataFrame:
    """Supporting Families', on draws in which every programme has a log hazard ratio of -0.1, give or take."""
    tables = register.tables
    names = list(tables["programmes"]["programme"])
    shape = (CHAINS, DRAWS, len(names), len(EFFECT_OUTCOMES))
    values = -0.1 + 0.05 * DEVIATES[..., None, None] + np.zeros(shape)
    coords = {"programme": names, "outcome": list(EFFECT_OUTCOMES)}
    shrunk = xr.DataArray(values, coords, (*SAMPLE_DIMS, "programme", "outcome"))
    studies = programme_studies(tables)
    return forest(studies, tables["programme_effects"], tables["programmes"], shrunk, "multisystemic_therapy")


def test_a_type_shows_its_studies_the_programmes_own_first(table: pd.DataFrame) -> None:
    assert list(table["own"]) == [True, True, True, False]
    assert set(table.loc[~table["own"], "programme"]) == {"Functional Family Therapy"}


def test_a_study_is_shown_as_published_and_as_converted(table: pd.DataFrame) -> None:
    """An odds ratio of 1.25 at a risk of 10 per cent: odds of .1111 x 1.25 give a risk of .12194 and a hazard of
    .13004 against .10536."""
    row = table.loc["START_OOHP"]
    assert row["published"] == "odds ratio 1.25 (95% 0.77 to 2.05)"
    assert np.exp(row["effect"]) == pytest.approx(0.13004 / 0.10536, abs=2e-4)
    assert row["high"] - row["effect"] == pytest.approx(row["effect"] - row["low"])
    assert (row["design"], row["follow_up"], row["outcome"]) == ("randomised trial", 1.5, "care")
    assert row["title"] and row["publisher"] and row["year"] and row["url"].startswith("http")


def test_a_finding_without_a_number_says_so_and_has_none(table: pd.DataFrame) -> None:
    row = table.loc["BRANDON_OFF"]
    assert row["published"] == "benefit, no number"
    assert np.isnan(row[["effect", "low", "high"]].astype(float)).all()


def test_the_shrunk_estimate_is_for_one_of_those_counted(table: pd.DataFrame) -> None:
    row = table.loc["SAFE_OFF"]
    assert row["shrunk"] == pytest.approx(-0.1, abs=1e-12)
    assert row["shrunk_low"] == pytest.approx(-0.1 - 0.05 * 0.9, abs=1e-9)


def test_a_type_without_studies_has_an_empty_forest(register) -> None:
    tables = register.tables
    empty = programme_studies(tables).iloc[:0]
    assert forest(empty, tables["programme_effects"], tables["programmes"], xr.DataArray(), "mockingbird").empty
