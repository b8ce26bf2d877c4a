"""The page *What drives it*: only what stands out of chance is named, and nothing of an earlier setting stays."""

import dataclasses

import numpy as np
import pytest
import xarray as xr

from tests.conftest import LEEDS
from toolkit import measures
from toolkit.apps.explanations import formulas, numbers
from toolkit.apps.pages import drivers
from toolkit.apps.shell import Site
from toolkit.measures import value_of_information as voi

pytestmark = pytest.mark.fit
REACHING = {"cost_supporting_families", "cost_family_group_conference"}  # all that the children served rest on
MOST = "cost_supporting_families"  # on which most of the sum is spent


def test_what_cannot_act_is_not_named(live, small_scenario):
    run = live.run(small_scenario, (LEEDS,))
    reached = formulas.FORMULAS["reached"].draws
    assert set(drivers.acting(run, reached)) == REACHING
    say = formulas.FORMULAS["reached"].say
    moves, left_out = drivers.swings(run, reached(run), say=say, among=drivers.acting(run, reached))
    assert moves["parameter"].values[0] == MOST and set(moves["parameter"].values) <= REACHING
    idle = len(voi.parameters(run)) - len(REACHING)
    assert left_out.endswith(f"It is not computed from the other {idle} uncertain inputs.")
    text = numbers.explanation(run, "reached")
    assert left_out in text and text.count('<th scope="row">') == moves.sizes["parameter"]


def test_an_input_that_follows_the_answer_by_chance_is_no_driver(live, small_scenario):
    # Issue 19: a correlation of .06 over 4,000 draws. Here an idle figure follows the answer wholly, by the run's luck.
    run = live.run(small_scenario, (LEEDS,))
    reached = formulas.FORMULAS["reached"].draws
    luck = run.drawn.draws.assign(price_rereferral=run.drawn.draws["price_rereferral"] + reached(run))
    lucky = dataclasses.replace(run, drawn=dataclasses.replace(run.drawn, draws=luck))
    assert "price_rereferral" in drivers.swings(lucky, reached(run))[0]["parameter"].values
    moves, _ = drivers.swings(lucky, reached(run), among=drivers.acting(lucky, reached))
    assert moves["parameter"].values[0] == MOST and set(moves["parameter"].values) <= REACHING
    assert "price_rereferral" not in numbers.explanation(lucky, "reached")


def test_every_kind_of_number_names_what_it_is_computed_from(live, small_scenario):
    run = live.run(small_scenario, (LEEDS, "E06000017"))
    for key, acts, idle in (
        ("payer_avoided|schools", "price_exclusion_year", "price_care_year"),
        ("worth|fiscal", "price_neet_benefits", "price_victims_harm"),
        ("cash", "cashable_share_partly", "price_gcse"),
        ("area_life|gross|Rutland", "share_ever_in_need", "cost_supporting_families"),
    ):
        area = "E06000017" if "Rutland" in key else None
        moves = drivers.acting(run, lambda other, key=key: numbers.formula(other, key).draws(other), area=area)
        assert acts in moves and idle not in moves, key
        assert "It is not computed from the other" in numbers.explanation(run, key)


def test_of_what_is_certain_it_is_said_that_nothing_moves_it(live, small_scenario):
    run = live.run(small_scenario, (LEEDS,))
    moves, text = drivers.swings(run, xr.full_like(formulas.FORMULAS["reached"].draws(run), 7.0))
    assert moves.sizes["parameter"] == 0
    assert text == f"None of {len(voi.parameters(run))} uncertain inputs moves it: every draw has the same."


def test_bars_and_table_say_what_was_left_out(live):
    page = Site(live, query="?page=What drives it").pages["What drives it"]
    (moves, left_out) = page.prepare(live.run(live.base, (LEEDS,)))["tornado"]
    assert (moves["swing"] > moves["noise_floor"]).all()
    page.card.as_table.value = True
    assert left_out.split(" (")[0] in page.card.table.object
    assert left_out.split(" (")[0] in page.left_out.object


@pytest.mark.long
def test_the_bridge_of_a_setting_before_is_not_kept(live):
    site = Site(live, query="?page=What drives it&adjustments.deadweight=0.2")
    page = site.pages["What drives it"]
    assert page._steps.visible and not page._no_steps.visible
    site.state.change(adjustments={"deadweight": 1.0})
    assert not page._steps.visible and page._no_steps.visible
    site.state.change(adjustments={"deadweight": 0.3})
    assert page._steps.visible and not page._no_steps.visible


def test_inputs_have_their_units_and_plain_names(live, small_scenario):
    run = live.run(small_scenario, (LEEDS,))
    assert drivers.valued(run, "effect: supporting_families: care", np.log(0.6)) == "\N{MINUS SIGN}40.0% in the rate"
    assert drivers.valued(run, "cost_supporting_families", 2000.0) == "2,000 GBP per family"
    assert drivers.valued(run, "rate: care_starts", 0.004) == "0.004 per person and year"
    assert drivers.valued(run, "rate: attainment_8", 40.0) == "40 points per pupil"
    rates = {f"rate: {one}" for one in run.tree["posterior"]["baseline_rate"]["indicator"].values}
    assert rates <= set(measures.drivers.UNITS)
    assert drivers.named(run, "justice_ratio_care") == "Youth justice entries: looked-after children against all"
    flip = xr.Dataset(
        {
            name: ("parameter", [value])
            for name, value in {"expected_value": -0.01156, "switching_value": -0.5217, "probability": 0.02}.items()
        },
        coords={"parameter": ["effect: supporting_families: care"]},
    )
    assert "\N{MINUS SIGN}40.6% in the rate" in drivers._switching(run, flip, "social")
