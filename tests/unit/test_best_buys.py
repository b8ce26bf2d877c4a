"""What a budget buys best, against plans worked by hand and against trying every one; and its command."""

import json
from collections.abc import Mapping
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from tests.conftest import LEEDS
from tests.unit.conftest import Outcomes
from tests.unit.pricing.conftest import RUTLAND
from toolkit import programmes
from toolkit.appraisal.portfolio import DEPENDENCE
from toolkit.best_buys import best_buys
from toolkit.schema import ACCOUNTS, SAMPLE_DIMS, InputError

CHAINS, DRAWS = 2, 50
SIZE = CHAINS * DRAWS
GROUPS = {"in_need": 100.0, "care_edge": 30.0, "pre_proceedings": 30.0, "looked_after": np.nan}
RANDOM = np.random.default_rng(5)


def draws(values: object) -> np.ndarray:
    return np.array(np.broadcast_to(np.asarray(values, float), SIZE)).reshape(CHAINS, DRAWS)


def compared(
    avoided: Mapping[str, object],
    cost: Mapping[str, object],
    *,
    groups: Mapping[str, str] | None = None,
    areas: tuple[str, ...] = (LEEDS,),
    eligible: Mapping[str, float] = GROUPS,
    counted: Mapping[str, bool] | None = None,
) -> xr.Dataset:
    """A comparison by hand: pounds avoided for the public purse by programme, of each area if a list of several.

    Society gains ten times as much.
    """
    names = list(avoided)
    by_area = [avoided[name] if isinstance(avoided[name], list) else [avoided[name]] * len(areas) for name in names]
    fiscal = np.stack([[draws(here) for here in of] for of in by_area], axis=1)  # (area, programme, chain, draw)
    worth = np.stack([fiscal, fiscal, 10 * fiscal], axis=2)
    people = np.broadcast_to(list(eligible.values()), (len(areas), len(eligible)))
    yes = [(counted or {}).get(name, True) for name in names]
    values = {
        "avoided_by_area": (("area", "programme", "account", *SAMPLE_DIMS), worth.astype(np.float32)),
        "cost": ((*SAMPLE_DIMS, "programme"), np.stack([draws(cost[name]) for name in names], axis=-1)),
        "target_group": ("programme", np.array([(groups or {}).get(name, "in_need") for name in names], object)),
        "eligible": (("area", "group"), people),
        "not_counted": (("programme", "outcome"), np.array([["" if one else "no study"] for one in yes], object)),
        "evidence": (("programme", "outcome"), [["own" if one else "none"] for one in yes]),
    }
    labels = {"area": list(areas), "programme": names, "account": list(ACCOUNTS), "group": list(eligible)}
    return xr.Dataset(values, labels, {"price_base": "2025/26"})


def children(best: xr.Dataset, plan: str = "best") -> dict[str, float]:
    of = best["children"].sel(plan=plan).sum("area").to_series()
    return {str(name): float(number) for name, number in of.items()}


# A child helped by the better programme costs 1,000 and avoids 1,500; by the cheaper one 500 and 1,000.
TWO = compared({"better": 1500, "cheaper": 1000}, {"better": 1000, "cheaper": 500})


def test_money_buys_the_most_for_a_pound_while_there_are_children() -> None:
    best = best_buys(TWO, 20_000)
    assert children(best) == pytest.approx({"better": 0, "cheaper": 40})
    assert float(best["expected"].sel(plan="best")) == pytest.approx(40_000)


def test_programmes_of_one_group_share_its_children() -> None:
    """75,000 pounds are more than the cheaper programme takes for all hundred, so half have the better one instead."""
    best = best_buys(TWO, 75_000)
    assert children(best) == pytest.approx({"better": 50, "cheaper": 50})
    assert best["pounds"].sel(plan="best").values.ravel().tolist() == pytest.approx([50_000, 25_000])
    assert float(best["expected"].sel(plan="best")) == pytest.approx(125_000)
    assert best["gain_by_item"].sel(plan="best").values.ravel().tolist() == pytest.approx([75_000, 50_000])


def test_money_that_finds_no_more_children_is_left() -> None:
    best = best_buys(TWO, 500_000)
    assert children(best) == pytest.approx({"better": 100, "cheaper": 0})
    assert float(best["spent"].sel(plan="best")) == pytest.approx(100_000)


def test_the_edge_of_care_has_two_names_and_is_also_in_need() -> None:
    groups = {"conference": "pre_proceedings", "therapy": "care_edge", "keyworker": "in_need"}
    worth, price = {"conference": 9, "therapy": 8, "keyworker": 7}, dict.fromkeys(groups, 1)
    many = best_buys(compared(worth, price, groups=groups), 1000)
    assert children(many) == pytest.approx({"conference": 30, "therapy": 0, "keyworker": 70})  # not 30 and 30 and 100


def test_other_plans_stand_beside_it() -> None:
    best = best_buys(TWO, 60_000)
    assert children(best) == pytest.approx({"better": 20, "cheaper": 80})
    assert children(best, "even split") == pytest.approx({"better": 30, "cheaper": 60})
    assert children(best, "single best") == pytest.approx({"better": 0, "cheaper": 100})
    assert best.attrs["single_best"] == "cheaper"
    assert best["expected"].values.tolist() == pytest.approx([110_000, 105_000, 100_000])
    # Of 300,000 half each would be 150 and 300 children: both are cut to a quarter and a bit, 450 to 100.
    crowded = best_buys(TWO, 300_000)
    assert children(crowded, "even split") == pytest.approx({"better": 150 / 4.5, "cheaper": 300 / 4.5})


def test_the_frontier_is_the_best_plan_of_each_budget() -> None:
    best = best_buys(TWO, 50_000)
    assert best["budget"].values.tolist() == pytest.approx([10_000 * k for k in range(1, 11)])
    # 2 for a pound until 50,000; then 1 for a pound, as 500 more a child avoid 500 more.
    expected = [20_000, 40_000, 60_000, 80_000, 100_000, 110_000, 120_000, 130_000, 140_000, 150_000]
    assert best["frontier"].sel(result="expected").values.tolist() == pytest.approx(expected)
    assert best["frontier"].sel(result="spent").values.tolist() == pytest.approx(best["budget"].values.tolist())


def test_net_of_its_cost_a_pound_kept_is_worth_a_pound() -> None:
    """The better programme nets 500 a child as the cheaper one does, so that more money buys nothing better."""
    dear = compared({"dear": 1400, "cheap": 1000, "loss": 400}, {"dear": 1000, "cheap": 500, "loss": 500})
    assert float(best_buys(dear, 90_000)["spent"].sel(plan="best")) == pytest.approx(90_000)
    best = best_buys(dear, 90_000, net=True)
    assert children(best) == pytest.approx({"dear": 0, "cheap": 100, "loss": 0})
    assert float(best["expected"].sel(plan="best")) == pytest.approx(50_000)
    assert float(best["chance_pays"].sel(plan="best")) == 1.0


def test_a_plan_is_priced_at_the_expected_cost_and_pays_back_at_the_cost_of_each_draw() -> None:
    """It costs 500 or 1,500 as often: 1,000 pounds are one child and avoid 1,000, so it pays back half the time."""
    best = best_buys(compared({"one": 1000}, {"one": np.tile([500, 1500], SIZE // 2)}), 1000)
    assert children(best) == pytest.approx({"one": 1})
    assert float(best["chance_pays"].sel(plan="best")) == 0.5


def test_a_programme_is_bought_where_it_avoids_most() -> None:
    two = compared({"one": [1000, 2000]}, {"one": 1000}, areas=(LEEDS, RUTLAND))
    best = best_buys(two, 150_000)
    assert best["children"].sel(plan="best", programme="one").values.tolist() == pytest.approx([50, 100])


def test_limits_of_ones_own_hold_over_all_areas_and_let_in_groups_of_unknown_size() -> None:
    groups = {"carers": "looked_after", "keyworker": "in_need"}
    both = compared({"carers": 3, "keyworker": 2}, dict.fromkeys(groups, 1), groups=groups, areas=(LEEDS, RUTLAND))
    alone = best_buys(both, 250)
    assert alone["programme"].values.tolist() == ["keyworker"] and children(alone) == pytest.approx({"keyworker": 200})
    assert "looked_after) is not known: give a limit" in alone["left_out"].sel(other="carers").item()
    assert children(best_buys(both, 250, limits={"looked_after": 70})) == pytest.approx(
        {"carers": 70, "keyworker": 180}
    )
    fewer = best_buys(both, 250, limits={"carers": 20, "keyworker": 150})
    assert children(fewer) == pytest.approx({"carers": 20, "keyworker": 150})


def test_programmes_without_a_price_or_an_effect_are_left_out_with_the_reason() -> None:
    some = compared(
        {"priced": 2, "unpriced": 9, "unstudied": 0},
        {"priced": 1, "unpriced": np.nan, "unstudied": 1},
        counted={"unstudied": False},
    )
    best = best_buys(some, 10)
    assert best["programme"].values.tolist() == ["priced"]
    reasons = dict(zip(best["other"].values.tolist(), best["left_out"].values.tolist(), strict=True))
    assert reasons == {"unpriced": "no price is known", "unstudied": "no effect is counted"}


def test_an_account_is_counted_as_asked() -> None:
    society = best_buys(TWO, 20_000, account="social")
    assert float(society["expected"].sel(plan="best")) == pytest.approx(400_000)


# risk


def test_the_worst_tenth_is_hedged_by_hand() -> None:
    """Of ten kinds of draws each programme loses 10 in one of its own, and gains 20 in the others: halves gain 5."""
    first, second = np.full(10, 20.0), np.full(10, 20.0)
    first[0] = second[1] = -10.0
    parts = {"first": np.tile(first, SIZE // 10), "second": np.tile(second, SIZE // 10)}
    best = best_buys(compared(parts, {"first": 1, "second": 1}), 10, objective="worst_tenth")
    assert children(best) == pytest.approx({"first": 5, "second": 5}, abs=0.01)
    assert best["worst_tenth"].values.tolist() == pytest.approx([50, 50, 0], abs=0.02)  # alone each would lose
    assert best.attrs["single_best"] == "" and "exact" in best.attrs["method"]


def noisy(seed: int) -> xr.Dataset:
    random = np.random.default_rng(seed)
    worth = {
        name: random.normal(mean, spread, SIZE) for name, mean, spread in (("a", 2, 1), ("b", 3, 4), ("c", 1, 0.3))
    }
    groups = {"a": "pre_proceedings", "b": "in_need", "c": "in_need"}
    return compared(worth, {"a": 1, "b": 1.5, "c": 0.5}, groups=groups)


def grid(of: xr.Dataset, budget: float) -> np.ndarray:
    """What every plan in steps of a thirtieth of the budget gains (plan, draws), of those within the limits."""
    cost = of["cost"].mean(SAMPLE_DIMS).values
    shares = [share for share in product(range(31), repeat=3) if sum(share) <= 30]
    served = np.array(shares) / 30 * budget / cost
    served = served[(served[:, 0] <= 30) & (served.sum(1) <= 100)]
    return served @ of["avoided_by_area"].sel(account="fiscal", area=LEEDS).values.reshape(3, SIZE).astype(float)


@pytest.mark.parametrize(("seed", "budget"), [(0, 40.0), (1, 120.0), (2, 60.0)])
def test_no_plan_of_a_grid_is_better(seed: int, budget: float) -> None:
    of = noisy(seed)
    tried = grid(of, budget)
    target = float(np.quantile(tried.mean(1), 0.95))
    by_hand = {
        "expected": tried.mean(1).max(),
        "worst_tenth": np.sort(tried, axis=1)[:, : SIZE // 10].mean(1).max(),
        "chance": (tried >= target).mean(1).max(),
    }
    for objective, known in by_hand.items():
        best = best_buys(of, budget, objective=objective, target=target)
        name = {"expected": "expected", "worst_tenth": "worst_tenth", "chance": "chance"}[objective]
        value = float(best[name].sel(plan="best"))
        assert value >= known - 1e-6 * budget, objective
        served = best["children"].sel(plan="best").values.ravel()
        assert served[0] <= 30 + 1e-4 and served.sum() <= 100 + 1e-4
        assert float(best["spent"].sel(plan="best")) <= budget * (1 + 1e-6)
        assert value == pytest.approx(float(best["frontier"].sel(budget=budget, result="objective")))


def test_a_target_that_is_reached_in_few_draws_is_still_reached() -> None:
    rare = np.full(SIZE, -1.0)
    rare[[3, 60]] = 50.0
    best = best_buys(compared({"sure": 1.0, "rare": rare}, {"sure": 1, "rare": 1}), 10, objective="chance", target=400)
    assert float(best["chance"].sel(plan="best")) == pytest.approx(2 / SIZE)
    assert "need not find the best" in best.attrs["method"]


def test_a_choice_among_noise_is_overstated_by_the_draws_that_it_was_chosen_on() -> None:
    """Thirty programmes alike but for luck: the luckiest gains in the mean of its own half, not of the other."""
    luck = {f"p{number}": 10 + 5 * RANDOM.standard_normal(SIZE) for number in range(30)}
    best = best_buys(compared(luck, dict.fromkeys(luck, 1)), 50)
    assert float(best["chosen"]) > 50 * 11 and abs(float(best["scored"]) - 50 * 10) < 50 * 0.9
    certain = best_buys(TWO, 60_000)
    assert float(certain["chosen"]) == pytest.approx(float(certain["scored"]))


# what is asked


@pytest.mark.parametrize(
    ("budget", "settings", "message"),
    [
        (0, {}, "budget 0: not a sum above 0"),
        (-5, {}, "not a sum above 0"),
        (np.nan, {}, "not a sum above 0"),
        (np.inf, {}, "not a sum above 0"),
        (9, {"objective": "best"}, "objective 'best': not known.*Fix: one of expected, chance, worst_tenth"),
        (9, {"account": "council"}, "account 'council': not known.*Fix: one of fiscal, economic, social"),
        (9, {"objective": "chance"}, "target: a chance needs the sum"),
        (9, {"objective": "chance", "target": 0}, "spending nothing reaches it"),
        (9, {"objective": "chance", "target": 1e6}, "target 1,000,000: out of reach of a budget of 9.*at most 18"),
        (9, {"limits": {"in_ned": 3}}, "limit 'in_ned': neither a target group nor a programme"),
        (9, {"limits": {"in_need": -3}}, "limit in_need=-3: not a number of children"),
    ],
)
def test_bad_questions_are_refused(budget: float, settings: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message) as refused:
        best_buys(TWO, budget, **settings)
    assert "Fix:" in str(refused.value)


def test_where_nothing_can_be_bought_it_says_so() -> None:
    with pytest.raises(InputError, match=r"no programme can be bought.*Fix"):
        best_buys(compared({"one": 1}, {"one": np.nan}), 10)
    with pytest.raises(InputError, match=r"in each area.*by_area=True"):
        best_buys(TWO.drop_vars("avoided_by_area"), 10)


def test_its_numbers_have_units_and_it_says_what_it_assumes() -> None:
    best = best_buys(TWO, 20_000)
    for name in ("pounds", "gain", "expected", "worst_tenth"):
        assert best[name].attrs == {"units": "GBP", "price_base": "2025/26"}
    assert best.attrs["dependence"] == DEPENDENCE and best["gain"].dims == ("plan", *SAMPLE_DIMS)
    assert best["whose"].values.tolist() == ["own", "own"]


# the command

REAL = {"supporting_families": "in_need", "family_group_conference": "pre_proceedings", "sure_start": "universal"}
WORTH = {"supporting_families": 1500, "family_group_conference": 15_000, "sure_start": 200}
PRICE = {"supporting_families": 4400, "family_group_conference": 940, "sure_start": 7500}


@pytest.fixture
def ready(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, object]]:
    asked: list[dict[str, object]] = []

    def give(_: object, **settings: object) -> xr.Dataset:
        asked.append(settings)
        return compared(WORTH, PRICE, groups=REAL, eligible={**GROUPS, "universal": np.nan})

    monkeypatch.setattr(programmes, "compare", give)
    return asked


@pytest.fixture
def idle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programmes, "compare", lambda *_, **__: pytest.fail("compared"))


def test_the_command_prints_the_plan_and_what_else_the_money_could_buy(
    outcomes: Outcomes, ready: list[dict[str, object]]
) -> None:
    code, out, _ = outcomes("portfolio", "--budget", "1e5", "--area", "Leeds")
    assert code == 0 and ready[0]["areas"] == [LEEDS] and ready[0]["by_area"] is True
    for words in (
        "What to buy, in 2026/27 prices",
        "Beside other plans",
        "With less or more",
        "A further pound brings",
    ):
        assert words in out
    assert "£28,200" in out  # 30 conferences at 940
    assert "Sure Start" in out and "nan" not in out


def test_json_has_the_question_the_plan_and_the_reasons(outcomes: Outcomes, ready: list[dict[str, object]]) -> None:
    code, out, err = outcomes("portfolio", "--budget", "1e5", "--area", "Leeds", "--json", "--limit", "in_need=5")
    answer = json.loads(out)
    assert (code, err) == (0, "") and answer["budget"] == 1e5 and answer["target"] is None and answer["net"] is False
    served = {row["programme"]: row["children"] for row in answer["bought"]}
    assert served == pytest.approx({"supporting_families": 5, "family_group_conference": 30})
    assert answer["plans"][0]["expected"] == pytest.approx(5 * 1500 + 30 * 15_000)
    assert len(answer["frontier"]) == 10 and "give a limit" in answer["left_out"]["sure_start"]


def test_the_file_holds_what_is_bought(outcomes: Outcomes, ready: list[dict[str, object]], tmp_path: Path) -> None:
    path = tmp_path / "new" / "plan.csv"
    words = ("portfolio", "--budget", "1e4", "--area", "Leeds", "--csv", str(path), "--quiet")
    code, out, err = outcomes(*words, "--objective", "chance", "--target", "1e5", "--net", "--limit", "universal=3")
    assert (code, out, err) == (0, "", "")
    written = pd.read_csv(path)
    assert written["programme"].tolist() == ["family_group_conference"] and written["area"].tolist() == [LEEDS]
    assert written["children"].iloc[0] == pytest.approx(10_000 / 940, rel=1e-4)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--budget", "0", "--area", "Leeds"), "not a sum above 0"),
        (("--budget", "5e6"), "none chosen"),
        (("--budget", "5e6", "--area", "Leeds", "--limit", "in_need"), "--limit in_need: not a name and a number"),
        (("--budget", "5e6", "--area", "Leeds", "--limit", "in_need=few"), "not a name and a number"),
        (("--budget", "5e6", "--area", "Leeds", "--limit", "x=1"), "limit 'x': neither"),
        (("--budget", "5", "--area", "Leeds", "--limit", "in_need=1", "--limit", "in_need=2"), "has a number already"),
        (("--budget", "5e6", "--area", "Leeds", "--account", "council"), "account 'council'"),
        (("--budget", "5e6", "--area", "Leeds", "--objective", "chance"), "target: a chance needs"),
        (("--budget", "5e6", "--area", "Leeds", "--csv", "."), "a folder"),
    ],
)
def test_bad_words_exit_2_before_anything_is_compared(
    outcomes: Outcomes, idle: None, words: tuple[str, ...], message: str
) -> None:
    code, out, err = outcomes("portfolio", *words)
    assert code == 2
    assert message in err.replace("\n", " ") and "Traceback" not in out + err
