"""The tables and words of what a budget buys best, on comparisons made by hand."""

import json

import numpy as np
import pytest
import xarray as xr

from tests.conftest import LEEDS
from tests.unit.pricing.conftest import RUTLAND
from tests.unit.test_best_buys import SIZE, compared
from toolkit.best_buys import best_buys
from toolkit.measures.best_buys import as_json, bought, frontier, notes, plans, sentences, shown

LABELS = {"better": "The better", "cheaper": "The cheaper", "carers": "For carers"}
PLACES = {LEEDS: "Leeds", RUTLAND: "Rutland"}


def answer(budget: float, *, areas: tuple[str, ...] = (LEEDS,), **question: object) -> xr.Dataset:
    """A child helped by the better programme costs 1,000 and avoids 1,500; by the cheaper one 500 and 400.

    Carers of children in care could be helped too, nobody knows how many.
    """
    worth = {"better": 1500, "cheaper": 400, "carers": 9}
    of = compared(worth, {"better": 1000, "cheaper": 500, "carers": 1}, groups={"carers": "looked_after"}, areas=areas)
    return best_buys(of, budget, **question)


def test_what_is_bought_is_listed_from_the_dearest_item() -> None:
    table = bought(answer(120_000, areas=(LEEDS, RUTLAND), limits={"better": 110}), LABELS)
    assert set(table["label"].head(2)) == {"The better"} and table["pounds"].is_monotonic_decreasing
    assert table.groupby("programme")["children"].sum().to_dict() == pytest.approx({"better": 110, "cheaper": 20})
    assert table["expected"].sum() == pytest.approx(110 * 1500 + 20 * 400)
    assert set(table["studies"]) == {"own"}


def test_plans_and_frontier_are_those_of_the_answer() -> None:
    best = answer(50_000)
    table = plans(best)
    assert table.index.tolist() == ["best", "even split", "single best"]
    assert table["expected"].tolist() == pytest.approx([75_000, 25_000 * 1.5 + 25_000 * 0.8, 75_000])
    assert table["children"].tolist() == pytest.approx([50, 75, 50])
    assert frontier(best)["spent"].tolist() == pytest.approx([10_000 * k for k in range(1, 11)])


def test_the_answer_says_what_is_bought_and_what_the_next_pound_brings() -> None:
    lines = " ".join(sentences(answer(50_000), LABELS))
    assert "Of £50,000, the plan with the best expected value spends £50,000. It avoids £75,000 for the public" in lines
    assert "A further pound brings £1.50." in lines and "--net" not in lines
    assert "An even split between the programmes would avoid £57,500" in lines
    assert "The better alone, the single best programme, £75,000 for £50,000" in lines
    assert "judged on the other half" in lines


def test_where_a_further_pound_brings_less_than_a_pound_it_may_be_kept() -> None:
    """All hundred are helped by the better programme for 100,000; there is nobody left for the cheaper one."""
    left = " ".join(sentences(answer(120_000), LABELS))
    assert "£20,000 are left" in left
    tight = " ".join(sentences(answer(30_000, limits={"better": 20}), LABELS))
    assert "A further pound brings £0.80. A pound kept is worth a pound" in tight and "--net" in tight
    net = " ".join(sentences(answer(30_000, limits={"better": 20}, net=True), LABELS))
    assert "It avoids, less what it costs, £10,000" in net and "£10,000 are left" in net


def test_where_nothing_is_bought_it_says_so_and_shows_no_empty_table() -> None:
    losing = np.where(np.arange(SIZE) % 5 == 0, -100.0, 200.0)
    of = compared({"better": losing}, {"better": 1})
    best = best_buys(of, 10, objective="worst_tenth")
    assert sentences(best, LABELS) == [
        "Nothing is bought: no plan has a better mean over the worst tenth of draws than none."
    ]
    tables = shown(best, LABELS, PLACES)
    assert list(tables) == ["Beside other plans"] and bought(best, LABELS).empty
    assert tables["Beside other plans"]["pays back"].tolist() == ["", "80%", ""]


def test_a_chance_is_shown_as_one() -> None:
    half = np.where(np.arange(SIZE) % 2 == 0, 0.0, 4.0)
    best = best_buys(compared({"better": half}, {"better": 1}), 10, objective="chance", target=20)
    tables = shown(best, LABELS, PLACES)
    assert tables["Beside other plans"]["target"].tolist() == ["50%"] * 3
    assert "50%" in tables["With less or more"]["chance of the target"].tolist()
    assert "Its chance of reaching £20 is 50%." in sentences(best, LABELS)


def test_notes_name_whom_nobody_can_count() -> None:
    lines = " ".join(notes(answer(50_000), LABELS))
    assert (
        "how many children they could serve: For carers (looked_after)." in lines and "--limit GROUP=CHILDREN" in lines
    )
    assert "a linear programme, exact" in lines
    assert "how many children they could serve" not in " ".join(notes(answer(50_000, limits={"carers": 3}), LABELS))


def test_json_is_plain_and_whole() -> None:
    best = answer(50_000)
    plain = json.loads(json.dumps(as_json(best, LABELS), allow_nan=False))
    keys = ("budget", "objective", "account", "target", "net", "bought", "plans", "frontier", "left_out", "sentences")
    assert set(keys) <= set(plain)
    assert plain["left_out"] == {"carers": best["left_out"].item()}
    assert plain["plans"][0]["chance"] is None and plain["bought"][0]["pounds"] == pytest.approx(50_000)


def test_tables_name_areas_and_programmes() -> None:
    tables = shown(answer(150_000, areas=(LEEDS, RUTLAND)), LABELS, PLACES)
    assert tables["What to buy"]["area"].tolist() in (["Leeds", "Rutland"], ["Rutland", "Leeds"])
    assert set(tables["What to buy"]["programme"]) == {"The better"}
    assert list(tables["With less or more"]) == ["budget", "spend", "expected"]
