"""Weights of rival structures: those shipped, those that others give, and those that are refused."""

import pandas as pd
import pytest

from toolkit import evidence
from toolkit.evidence import STRUCTURES, read_weights, structure_weights
from toolkit.evidence.structures import check_structures
from toolkit.schema import InputError


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return evidence.load_table("structure_weights")


def test_the_shipped_weights_are_equal_over_scope_and_all_countries_count(table: pd.DataFrame) -> None:
    check_structures(table)
    weights = structure_weights(table)
    assert weights["scope"] == pytest.approx({"own": 1 / 3, "type": 1 / 3, "all": 1 / 3}, rel=1e-12)
    assert weights["origin"] == {"all": 1.0, "uk": 0.0}
    assert {name: tuple(choices) for name, choices in weights.items()} == STRUCTURES
    assert all(sum(choices.values()) == pytest.approx(1, rel=1e-12) for choices in weights.values())


def test_weights_that_are_given_replace_those_of_their_structure_alone(table: pd.DataFrame) -> None:
    weights = structure_weights(table, {"scope": {"own": 1}, "risk": {"served": 0.4, "average": 0.6}})
    assert weights["scope"] == {"own": 1.0, "type": 0.0, "all": 0.0}
    assert weights["risk"] == pytest.approx({"served": 0.4, "average": 0.6})
    assert weights["fade"] == structure_weights(table)["fade"]


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"model": {"own": 1}}, "no structure 'model'. Fix: use one of scope, origin, fade, risk"),
        ({"scope": {"mine": 1}}, "scope has no choice 'mine'. Fix: use one of own, type, all"),
        ({"scope": {"own": 0.5}}, "weights of scope sum to 0.5"),
        ({"scope": {"own": 0.7, "all": 0.7}}, "weights of scope sum to 1.4"),
        ({"scope": {"own": -0.5, "all": 1.5}}, "scope, own: a weight of -0.5 is no share"),
        ({"scope": {"own": float("nan")}}, "scope, own: a weight of nan is no share"),
        ({"scope": {}}, "weights of scope sum to 0"),
    ],
)
def test_weights_that_are_no_shares_are_refused(
    table: pd.DataFrame, weights: dict[str, dict[str, float]], message: str
) -> None:
    with pytest.raises(InputError, match=message) as refused:
        structure_weights(table, weights)
    assert "Fix: " in str(refused.value)


def test_a_table_without_a_choice_or_whose_weights_do_not_sum_is_refused(table: pd.DataFrame) -> None:
    with pytest.raises(InputError, match=r"structure_weights\.csv: no row of fade, none.*Fix"):
        check_structures(table[table["choice"] != "none"])
    for change in ({"weight": 0.6}, {"choice": "half_life"}):
        row = table["choice"] == "exponential"
        with pytest.raises(InputError, match=r"structure_weights\.csv.*(no row of fade|weights of fade sum to 1.1)"):
            check_structures(table.assign(**{name: table[name].where(~row, cell) for name, cell in change.items()}))
    unknown = pd.concat([table, pd.DataFrame([{"structure": "model", "choice": "x", "weight": 1, "reason": "y"}])])
    with pytest.raises(InputError, match=r"structure_weights\.csv, no structure 'model'"):
        check_structures(unknown)


@pytest.mark.parametrize(
    ("text", "weights"),
    [
        ("scope=own", {"scope": {"own": 1.0}}),
        ("scope=own,fade=none", {"scope": {"own": 1.0}, "fade": {"none": 1.0}}),
        (" scope = own + all ", {"scope": {"own": 0.5, "all": 0.5}}),
        ("scope=own:0.7+all:0.3", {"scope": {"own": 0.7, "all": 0.3}}),
        ("scope=own:0.4+type+all", {"scope": {"own": 0.4, "type": 0.3, "all": 0.3}}),
    ],
)
def test_words_for_weights(text: str, weights: dict[str, dict[str, float]]) -> None:
    read = read_weights(text)
    assert list(read) == list(weights)
    for name, choices in weights.items():
        assert read[name] == pytest.approx(choices)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "structure '': not a structure with its choice"),
        ("own", "'own': not a structure"),
        ("scope=", "'scope=': not a structure"),
        ("scope=own,scope=all", "'scope=all': not a structure with its choice, named once"),
        ("scope=own+own", "'own' is not a choice with its weight, named once"),
        ("scope=own:half", "'own:half' is not a choice with its weight"),
        ("scope=own:nan+all", "'own:nan' is not a choice with its weight"),
        ("scope=mine", "scope has no choice 'mine'"),
        ("scop=own", "no structure 'scop'"),
        ("scope=own:0.3", "sum to 0.3"),
    ],
)
def test_words_that_are_no_weights_are_refused(text: str, message: str) -> None:
    with pytest.raises(InputError, match=f"{message}.*Fix"):
        read_weights(text)
