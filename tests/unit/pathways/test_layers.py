import numpy as np
import pandas as pd
import pytest
import xarray as xr

from toolkit import evidence, scenarios
from toolkit.pathways import layers as life
from toolkit.pathways.comparison import adjustment_shares
from toolkit.schema import OUTCOMES, InputError

SAMPLES = {"chain": range(2), "draw": range(3)}


def full(value: float) -> xr.DataArray:
    return xr.DataArray(np.full((2, 3), float(value)), SAMPLES, ("chain", "draw"))


def layer(name: str = "neet_years", **changes: object) -> pd.DataFrame:
    row = {
        "layer": name,
        "stage": "adult",
        "rate_is": "per_year",
        "outcome": "neet",
        "unit": "person-years",
        "from_age": 18,
        "full_to_age": 19,
        "to_age": 21,
        "given": "",
        "odds_below_grade": "",
        "share_role": "share",
        "in_use": 1,
        "reason": "test",
    }
    return pd.DataFrame([row | changes])


def rates_of(name: str = "neet_years", **roles: str) -> pd.DataFrame:
    rows = [
        {"layer": name, "group": group, "role": role, "times_role": "", "local": ""} for group, role in roles.items()
    ]
    return pd.DataFrame(rows)


ADULT = {"everyone": "all", "need_only": "need", "left_care_before_16": "need", "care_leaver": "care"}
CHILD = {"everyone": "all", "open": "need", "closed": "all", "looked_after": "care", "left_care": "care"}
FIGURES = {"all": 0.13, "need": 0.25, "care": 0.4, "ratio": 3.0, "share": 0.5, "gcse_all_pupils": 0.65}


@pytest.fixture
def draws() -> xr.Dataset:
    return xr.Dataset({name: full(value) for name, value in FIGURES.items()})


def cells(**share: float) -> xr.DataArray:
    """Children by cell, all turning eighteen in year 3; the shares are of justice and of grade 4, by history."""
    weight = {"need_only": 0.7, "left_care_before_16": 0.1, "care_leaver": 0.2}
    values = np.zeros((len(life.CELLS), 19, 2, 3))
    for index, cell in enumerate(life.CELLS):
        history, justice, grade = cell.split("|")
        passed = share.get(history, 0.65)
        part = share.get("justice", 0.1) if justice == "justice" else 1 - share.get("justice", 0.1)
        values[index, 3] = weight[history] * part * (passed if grade == "grade_4" else 1 - passed)
    return xr.DataArray(
        values, {"cell": list(life.CELLS), "year_of_18": range(19), **SAMPLES}, ("cell", "year_of_18", *SAMPLES)
    )


def lived(people: xr.DataArray, rates: xr.DataArray, held: pd.DataFrame) -> xr.DataArray:
    """Quantities of the adult layers of a cohort whose childhood brings a plan year in year 0."""
    events = full(1.0).expand_dims(quantity=["plan_years"], year=[0]).reindex(year=range(18), fill_value=0.0)
    whole = life.whole_lives(xr.Dataset({"events": events, "cells": people}), rates, held)
    assert whole["year"].values.tolist() == list(range(19))
    assert one(whole.sel(quantity="plan_years").sum("year")) == 1.0
    return whole.sel(quantity=rates["layer"].values)


def chosen(table: pd.DataFrame, rates: pd.DataFrame) -> pd.DataFrame:
    return life.chosen(table, rates, outcomes=OUTCOMES)


def one(array: xr.DataArray) -> float:
    return float(array.isel(chain=0, draw=0))


def odds(share: float) -> float:
    return share / (1 - share)


def test_rates_by_grade_reproduce_the_published_rate_of_each_history(draws: xr.Dataset) -> None:
    table, rates = layer(odds_below_grade="ratio"), rates_of(**ADULT)
    usual = cells(care_leaver=0.17, need_only=0.35, left_care_before_16=0.35)
    made = life.adult_rates(chosen(table, rates), rates, draws, usual)
    reached, missed = (
        one(made.sel(layer="neet_years", cell=f"care_leaver|justice|{g}")) for g in ("grade_4", "below_4")
    )
    assert 0.17 * reached + 0.83 * missed == pytest.approx(0.4)
    assert odds(missed) / odds(reached) == pytest.approx(3.0)
    assert missed == one(made.sel(layer="neet_years", cell="care_leaver|no_justice|below_4"))
    quantity = lived(usual, made, chosen(table, rates)).sel(quantity="neet_years")
    # Ages 18 to 21 with weights 1, 1, 2/3 and 1/3: three years at the mean rate of the children.
    assert one(quantity.sel(year=3)) == pytest.approx(3 * (0.8 * 0.25 + 0.2 * 0.4))
    assert one(quantity.sum("year")) == pytest.approx(one(quantity.sel(year=3)))


def test_given_the_grade_only_the_gap_from_peers_of_the_same_grade_is_left(draws: xr.Dataset) -> None:
    table = pd.concat([layer(), layer("given", given="grade")]).assign(odds_below_grade="ratio")
    rates = pd.concat([rates_of(**ADULT), rates_of("given", **ADULT)])
    held = chosen(table, rates)
    usual = cells(care_leaver=0.17, need_only=0.35, left_care_before_16=0.35)
    made = life.adult_rates(held, rates, draws, usual)
    top = one(life.everyone_rates(held, rates, draws, full(0.02)).sel(layer="given"))
    peers = {"grade_4": top, "below_4": 3 * top / (1 + 2 * top)}
    assert 0.65 * peers["grade_4"] + 0.35 * peers["below_4"] == pytest.approx(0.13)  # all young people
    for grade, rate in peers.items():
        cell = f"care_leaver|no_justice|{grade}"
        gap = one(made.sel(layer="given", cell=cell)) - top
        assert gap == pytest.approx(one(made.sel(layer="neet_years", cell=cell)) - rate)


def test_given_justice_nothing_is_left_of_those_who_entered(draws: xr.Dataset) -> None:
    table, rates = layer(given="justice", rate_is="ever"), rates_of(**ADULT)
    held = chosen(table, rates)
    usual = cells(justice=0.3)
    quantity = lived(usual, life.adult_rates(held, rates, draws, usual), held)
    assert one(quantity.sum(["quantity", "year"])) == pytest.approx(0.7 * (0.8 * 0.25 + 0.2 * 0.4))
    assert one(life.everyone_rates(held, rates, draws, full(0.02)).sel(layer="neet_years")) == pytest.approx(
        0.13 * 0.98
    )


def test_levels_move_a_rate_by_its_odds(draws: xr.Dataset) -> None:
    table = layer(stage="child", from_age=5, full_to_age=15, to_age=15)
    rates = rates_of(**CHILD).assign(local="here")
    levels = xr.Dataset({"level": ("name", [0.2]), "england": ("name", [0.1])}, {"name": ["here"]})
    made = life.child_rates(chosen(table, rates), rates, draws, levels)
    expected = odds(0.4) * odds(0.2) / odds(0.1)
    assert odds(one(made.sel(layer="neet_years", group="looked_after"))) == pytest.approx(expected)
    england = life.child_rates(chosen(table, rates), rates, draws)
    assert one(england.sel(layer="neet_years", group="open")) == 0.25


def test_an_adult_layer_falls_in_a_straight_line_after_its_full_ages() -> None:
    row = layer(full_to_age=20, to_age=25).iloc[0]
    assert life.age_weights(row) == pytest.approx([1, 1, 1, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6])
    assert life.duration(row) == pytest.approx(5.5)
    spread = life.age_spread(layer(from_age=20, full_to_age=21, to_age=21).set_index("layer"))
    assert spread["neet_years"] == pytest.approx([0, 0, 0.5, 0.5])


@pytest.mark.parametrize(
    ("table", "roles", "message"),
    [
        (layer(from_age=17), ADULT, "neet_years: ages do not rise within its stage"),
        (layer(full_to_age=30), ADULT, "ages do not rise"),
        (layer(stage="child", from_age=5, full_to_age=15, to_age=18), CHILD, "ages do not rise"),
        (
            layer(),
            {"everyone": "all", "need_only": "need"},
            "groups .'care_leaver', 'left_care_before_16'. lack a rate",
        ),
        (layer(), {**ADULT, "open": "need"}, "groups .'open'. lack a rate or are not of its stage"),
        (layer("other"), ADULT, "no layer .'neet_years'."),
    ],
)
def test_bad_layers_are_refused_by_name(table: pd.DataFrame, roles: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        chosen(table, rates_of(**roles))


def test_a_share_that_is_none_is_refused(draws: xr.Dataset) -> None:
    table, rates = layer(odds_below_grade="ratio"), rates_of(**ADULT)
    with pytest.raises(InputError, match="neet_years: a share of people is not between 0 and 1"):
        life.adult_rates(chosen(table, rates), rates, draws.assign(care=full(1.2)), cells(care_leaver=0.6))


def test_a_layer_that_is_off_is_used_only_when_asked_for(register: evidence.Register) -> None:
    table, rates = register.tables["layers"], register.tables["layer_rates"]
    assert "next_generation_care_years" not in chosen(table, rates).index
    asked = life.chosen(table, rates, outcomes=OUTCOMES, extra=["next_generation_care_years"])
    assert "next_generation_care_years" in asked.index
    assert set(life.chosen(table, rates, outcomes=("neet",))["outcome"]) == {"neet"}
    with pytest.raises(InputError, match=r"no layer .'grandchildren'."):
        life.chosen(table, rates, outcomes=OUTCOMES, extra=["grandchildren"])


def test_an_economist_adds_a_layer_with_rows_alone(register: evidence.Register, draws: xr.Dataset) -> None:
    """A layer of childhood from the panel: its rows, and the figures they name."""
    own = layer("absence", stage="child", outcome="exclusion", from_age=5, full_to_age=15, to_age=15)
    table = pd.concat([register.tables["layers"], own])
    rates = pd.concat([register.tables["layer_rates"], rates_of("absence", **CHILD)])
    held = chosen(table, rates).loc[["absence"]]
    assert one(life.child_rates(held, rates, draws).sel(layer="absence", group="open")) == 0.25


def test_every_shipped_rate_is_a_share_of_people_in_every_area(register: evidence.Register) -> None:
    scenario = scenarios.load("families_first")
    assumptions = scenarios.resolve(scenario, register)
    like = xr.Dataset(coords={"chain": range(2), "draw": range(3)})
    sampled = evidence.sample(assumptions, like=like, seed=1, price_base=scenario.price_base)
    table, rates, levels = register.tables["layers"], register.tables["layer_rates"], evidence.local_levels()
    held = life.chosen(table, rates, outcomes=OUTCOMES, extra=["next_generation_care_years"])
    usual = cells(care_leaver=0.17, need_only=0.35, left_care_before_16=0.35)
    for area in levels["area"].values[::10]:
        here = levels.sel(area=area)
        adult = life.adult_rates(held, rates, sampled, usual, here)
        child = life.child_rates(held, rates, sampled, here)
        everyone = life.everyone_rates(held, rates, sampled, full(0.02), here)
        for made in (adult, child, everyone):
            shares = made.drop_sel(layer="neet_years_given_grade", errors="ignore")
            assert bool(((shares >= 0) & (shares <= 3)).all())  # custody is in years
        worse = child.sel(group=["open", "closed"]) >= everyone.sel(layer=child["layer"].values) * 0.9
        assert bool(worse.mean("draw").mean("chain").min() > 0.5)


def test_a_rate_may_be_certain_and_its_gap_whole(draws: xr.Dataset) -> None:
    """A layer of all care leavers and of nobody else, whose rates are adjusted already."""
    table = layer(rate_is="ever", share_role="", given="lifetime")
    roles = {"everyone": "all", "need_only": "never", "left_care_before_16": "always", "care_leaver": "always"}
    rates, usual = rates_of(**roles), cells(care_leaver=0.2, need_only=0.5, left_care_before_16=0.3)
    held = chosen(table, rates)
    made = life.adult_rates(held, rates, draws, usual)
    assert [one(made.isel(layer=0).sel(cell=f"{name}|justice|below_4")) for name in ("need_only", "care_leaver")] == [
        0,
        1,
    ]
    assert float(adjustment_shares(["neet_years"], held, draws.assign(adjustment_gcse=full(0.5))).min()) == 1.0
