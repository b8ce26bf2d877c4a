"""The table of programmes, from draws made by hand: ratios, intervals, chances, order, and what stays blank."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from toolkit.evidence import STRUCTURES
from toolkit.measures.programmes import (
    BREAK_EVEN,
    chance_in_words,
    council_by_year_five,
    league_table,
    notes,
    ranks,
    shown,
    verdict,
)
from toolkit.schema import ACCOUNTS, EFFECT_OUTCOMES, SAMPLE_DIMS

CHAINS, DRAWS = 2, 500
SIZE = CHAINS * DRAWS
COMPONENTS = {  # account and payer of each
    "care_other": ("fiscal", "local_authority"),
    "earnings_tax": ("fiscal", "hmrc"),
    "earnings_kept": ("economic", "individuals"),
    "victims_harm": ("social", "victims"),
}
NO_STUDY = {outcome: "no study" for outcome in EFFECT_OUTCOMES}
CARE = {**NO_STUDY, "care": ""}


def evenly(low: float, high: float) -> np.ndarray:
    """Draws that lie evenly between two ends, in an order that has nothing to do with their size."""
    values = low + (high - low) * (np.arange(SIZE) + 0.5) / SIZE
    return np.random.default_rng(3).permutation(values)


def programme(
    avoided: Mapping[str, object],
    cost: object,
    *,
    not_counted: Mapping[str, str] = CARE,
    own: bool = True,
    **structures: object,
) -> xr.Dataset:
    """One programme's draws: pounds avoided by component, cost of a child, and an entry to care per pound avoided.

    Each draw has the first choice of every structure, unless positions of others are given.
    """
    shape = (CHAINS, DRAWS)
    worth = np.stack([np.broadcast_to(avoided.get(name, 0.0), SIZE).reshape(shape) for name in COMPONENTS])
    whose = ["none" if why == "no study" else "own" if own else "type" for why in not_counted.values()]
    values = {
        "avoided": (("component", *SAMPLE_DIMS), worth),
        "events": (("quantity", *SAMPLE_DIMS), -worth[:1] / 1e4),
        "council_cash": (SAMPLE_DIMS, worth[0] / 4),
        "not_counted": ("outcome", np.array([not_counted[outcome] for outcome in EFFECT_OUTCOMES], object)),
        "evidence": ("outcome", whose),
        "cost": (SAMPLE_DIMS, np.array(np.broadcast_to(cost, SIZE), float).reshape(shape)),
    }
    for name, choices in STRUCTURES.items():
        index = np.array(np.broadcast_to(structures.get(name, 0), SIZE), int).reshape(shape)
        values[name] = (SAMPLE_DIMS, index, {"choices": list(choices)})
    labels = {
        name: ("component", [pair[at] for pair in COMPONENTS.values()]) for at, name in enumerate(("account", "payer"))
    }
    coords = {"component": list(COMPONENTS), "quantity": ["care_entries"], "outcome": list(EFFECT_OUTCOMES), **labels}
    return xr.Dataset(values, {**coords, "chain": range(CHAINS), "draw": range(DRAWS)})


def compared_of(**parts: xr.Dataset) -> xr.Dataset:
    """Programmes beside each other; structures are of the draws of the first, as they are of all programmes."""
    each = [part.drop_vars(list(STRUCTURES)) for part in parts.values()]
    joined = xr.concat(each, xr.Variable("programme", list(parts)), join="exact")
    return joined.assign(next(iter(parts.values()))[list(STRUCTURES)].data_vars)


def table_of(**parts: xr.Dataset) -> pd.DataFrame:
    compared = compared_of(**parts)
    about = {"programme_type": "keyworker", "target_group": "in_need", "ages_from": 0, "ages_to": 17, "security": 3}
    rows = [{"programme": name, "label": f"The {name}", **about, "not_known": "much"} for name in parts]
    return league_table(compared, pd.DataFrame(rows))


SPREAD = {"care_other": evenly(0, 1000), "earnings_tax": 200.0, "earnings_kept": 300.0, "victims_harm": 400.0}


def test_each_account_holds_those_before_it() -> None:
    """Expected: fiscal 500 + 200, economic 300 more, social 400 more, each over a cost of 1,000."""
    row = table_of(one=programme(SPREAD, 1000.0)).loc["one"]
    assert [row[f"avoided_{account}"] for account in ACCOUNTS] == pytest.approx([0.7, 1.0, 1.4], rel=1e-12)
    assert row["council_avoided"] == pytest.approx(0.5, rel=1e-12)
    assert row["cost_per_child"] == 1000.0 and row["children_per_million"] == 1000.0


def test_intervals_and_chances_are_those_of_the_draws() -> None:
    """Evenly from 200 to 1,200: the middle nine tenths run from 250 to 1,150; 200 of 1,000 lie above 1,000."""
    row = table_of(one=programme(SPREAD, 1000.0)).loc["one"]
    assert row["avoided_fiscal_low"] == pytest.approx(0.25, abs=1e-3)
    assert row["avoided_fiscal_high"] == pytest.approx(1.15, abs=1e-3)
    assert row["chance_pays_fiscal"] == pytest.approx(0.2, abs=1e-12)
    assert row["chance_pays_economic"] == pytest.approx(0.5, abs=1e-12)
    assert row["chance_pays_social"] == pytest.approx(0.9, abs=1e-12)
    assert row["chance_of_harm"] == 0.0
    harm = table_of(one=programme({"care_other": evenly(-300, 700)}, 1000.0)).loc["one"]
    assert harm["chance_of_harm"] == pytest.approx(0.3, abs=1e-12)
    assert harm["care_entries_per_100"] == pytest.approx(-100 * 200 / 1e4, rel=1e-12)


def test_the_ratio_is_of_expectations_with_the_benefits_own_interval() -> None:
    """A cost evenly from 500 to 1,500 leaves ratio and interval as at its mean, but not the cost's own interval."""
    fixed, varied = (table_of(one=programme(SPREAD, cost)).loc["one"] for cost in (1000.0, evenly(500, 1500)[::-1]))
    for column in ("avoided_social", "avoided_social_low", "avoided_social_high", "children_per_million"):
        assert varied[column] == pytest.approx(fixed[column], rel=1e-12), column
    assert varied["cost_per_child_low"] == pytest.approx(550, abs=1)
    assert varied["cost_per_child_high"] == pytest.approx(1450, abs=1)
    assert fixed["cost_per_child_low"] == fixed["cost_per_child_high"] == 1000.0


def test_twice_the_cost_halves_what_a_pound_avoids() -> None:
    once, twice = (table_of(one=programme(SPREAD, cost * evenly(900, 1100))).loc["one"] for cost in (1.0, 2.0))
    names = ("", "_low", "_high", "_mcse")
    for account in ACCOUNTS:
        for name in names:
            column = f"avoided_{account}{name}"
            assert twice[column] == pytest.approx(once[column] / 2, rel=1e-9), column
    assert twice["council_avoided"] == pytest.approx(once["council_avoided"] / 2, rel=1e-9)
    assert twice["children_per_million"] == pytest.approx(once["children_per_million"] / 2, rel=1e-9)


def test_monte_carlo_error_is_that_of_a_bootstrap() -> None:
    random = np.random.default_rng(8)
    cost = np.exp(7 + 0.3 * random.standard_normal(SIZE))
    worth = 0.4 * cost + 60 * random.standard_normal(SIZE)  # dearer places save more, so the ratio is surer
    row = table_of(one=programme({"care_other": worth}, cost)).loc["one"]
    picks = random.integers(SIZE, size=(4000, SIZE))
    ratios = worth[picks].mean(1) / cost[picks].mean(1)
    assert row["avoided_fiscal_mcse"] == pytest.approx(ratios.std(), rel=0.06)  # 1.1 per cent is the bootstrap's own


def test_monte_carlo_error_of_a_known_cost_is_the_benefits_alone() -> None:
    """Evenly over 1,000: sd 1,000 / sqrt(12), over a cost of 1,000 and the root of the draws."""
    row = table_of(one=programme({"care_other": evenly(0, 1000)}, 1000.0)).loc["one"]
    assert row["avoided_fiscal_mcse"] == pytest.approx(1 / np.sqrt(12 * SIZE), rel=1e-3)


def test_council_cash_is_what_is_released_for_each_pound_less_the_pound() -> None:
    """A quarter of evenly 0 to 1,000 pounds, over 500: 0.25 on average, and 0.025 to 0.475 in nine tenths of draws."""
    one = programme(SPREAD, 500.0)
    cash = council_by_year_five(one)
    assert float(cash["released"]) == pytest.approx(0.25, rel=1e-9)
    assert float(cash["position"]) == pytest.approx(-0.75, rel=1e-9)
    assert float(cash["released_low"]) == pytest.approx(0.025, abs=1e-3)
    assert float(cash["released_high"]) == pytest.approx(0.475, abs=1e-3)
    assert table_of(one=one).loc["one", "council_cash"] == pytest.approx(0.25, rel=1e-9)
    several = xr.concat([one, programme(SPREAD, np.nan)], xr.Variable("programme", ["one", "unpriced"]))
    both = council_by_year_five(several)
    assert float(both["released"].sel(programme="one")) == pytest.approx(0.25, rel=1e-9)
    assert bool(both.sel(programme="unpriced").to_array().isnull().all())


def test_places_of_what_is_surely_apart_are_known_and_of_like_programmes_are_not() -> None:
    """Ten times the ratio is first in every draw; two alike in all but chance are second or third."""
    parts = {
        "first": programme({"care_other": evenly(5000, 6000)}, 1000.0),
        "one": programme({"care_other": evenly(0, 1000)}, 1000.0),
        "other": programme({"care_other": evenly(0, 1000)[::-1]}, 1000.0),
        "unpriced": programme(SPREAD, np.nan),
        "nothing": programme({}, 1000.0, not_counted=NO_STUDY),
    }
    compared = xr.concat(list(parts.values()), xr.Variable("programme", list(parts)), join="exact")
    places = ranks(compared, "fiscal")
    assert places.index.tolist() == ["first", "one", "other"]
    assert places.to_numpy().tolist() == [[1, 1], [2, 3], [2, 3]]


# order and blanks


def test_own_studies_come_first_then_what_a_pound_avoids() -> None:
    def saves(pounds: float, **how) -> xr.Dataset:
        return programme({"care_other": pounds + evenly(-1, 1)}, how.pop("cost", 1000.0), **how)

    league = table_of(
        nothing=programme({}, 1000.0, not_counted=NO_STUDY),
        alike=saves(900, own=False),
        unpriced=saves(900, cost=np.nan),
        little=saves(100),
        much=saves(800),
    )
    assert league.index.tolist() == ["much", "little", "unpriced", "alike", "nothing"]
    assert league["evidence"].tolist() == ["own", "own", "own", "type", "not counted"]
    assert list(league["label"]) == [f"The {name}" for name in league.index]


MONEY = [f"avoided_{account}{end}" for account in ACCOUNTS for end in ("", "_low", "_high", "_mcse")]
MONEY += [f"chance_pays_{account}" for account in ACCOUNTS] + ["council_avoided", "council_cash"]


def test_a_programme_without_a_price_is_blank_and_never_nothing() -> None:
    row = table_of(one=programme(SPREAD, np.nan)).loc["one"]
    blank = [*MONEY, "cost_per_child", "cost_per_child_low", "cost_per_child_high", "children_per_million"]
    assert row[blank].isna().all()
    assert row["verdict"] == "no price is known"
    assert row["chance_of_harm"] == 0.0 and row["care_entries_per_100"] == pytest.approx(-5.0)  # known all the same


def test_a_programme_of_which_nothing_is_counted_is_blank_and_keeps_its_price() -> None:
    row = table_of(one=programme({}, 1000.0, not_counted=NO_STUDY)).loc["one"]
    assert row[[*MONEY, "chance_of_harm", "care_entries_per_100"]].isna().all()
    assert row["cost_per_child"] == 1000.0
    assert (row["verdict"], row["evidence"], row["counted"]) == ("no effect is counted", "not counted", "")
    assert row["not_counted"].count("no study") == 4


def test_what_is_counted_is_named_with_the_reasons_for_the_rest() -> None:
    row = table_of(one=programme(SPREAD, 1000.0, not_counted={**CARE, "gcse_attainment": "too old"})).loc["one"]
    assert row["counted"] == "care"
    assert row["not_counted"] == "repeat referrals: no study; youth justice: no study; GCSEs: too old"
    assert row["ages"] == "0 to 17" and row["security"] == 3 and row["not_known"] == "much"


def test_evidence_of_an_outcome_that_is_not_counted_is_no_evidence_of_its_own() -> None:
    """Its own study of grades is not counted; only its type's study of care is."""
    one = programme(SPREAD, 1000.0, not_counted={**CARE, "gcse_attainment": "too old"}, own=False)
    whose = one["evidence"].astype(object)
    whose.loc[{"outcome": "gcse_attainment"}] = "own"
    assert table_of(one=one.assign(evidence=whose)).loc["one", "evidence"] == "type"


# words


@pytest.mark.parametrize(
    ("chance", "expected"),
    [
        (1.0, "pays back"),
        (0.95, "pays back"),
        (0.949, BREAK_EVEN),
        (0.051, BREAK_EVEN),
        (0.05, "does not pay back"),
        (0.0, "does not pay back"),
    ],
)
def test_a_side_of_break_even_is_named_from_nineteen_in_twenty(chance: float, expected: str) -> None:
    assert verdict(chance) == expected
    assert verdict(chance, priced=False) == "no price is known"
    assert verdict(chance, priced=False, counted=False) == "no effect is counted"


def test_the_table_takes_its_verdict_from_the_public_purse() -> None:
    """Costs of 100, 700 and 2,000 against 200 to 1,200 pounds of the public purse, though society's are 700 more."""
    league = table_of(**{f"at_{cost:.0f}": programme(SPREAD, cost) for cost in (100.0, 700.0, 1600.0)})
    assert league["verdict"].to_dict() == {
        "at_100": "pays back",
        "at_700": BREAK_EVEN,
        "at_1600": "does not pay back",
    }
    assert league.loc["at_1600", "chance_pays_social"] > 0.05


@pytest.mark.parametrize("share", [0.0, 0.004, 0.01, 0.02, 0.3, 0.949, 0.99, 0.996, 1.0])
def test_no_chance_is_shown_surer_than_one_in_a_hundred_where_structures_agree(share: float) -> None:
    """Of a programme that pays back in so many draws, and adds cost in all others."""
    pays = round(share * SIZE)
    worth = np.where(np.arange(SIZE) < pays, 2000.0, -10.0)
    row = shown(table_of(one=programme({"care_other": worth}, 1000.0))).iloc[0]
    for column, chance in (("pays back", pays / SIZE), ("adds cost", 1 - pays / SIZE)):
        expected = "under 1%" if chance < 0.01 else "over 99%" if chance > 0.99 else f"{chance:.0%}"
        assert row[column] == expected


@pytest.mark.parametrize(("above", "other", "text"), [(4, 0, "about 1%"), (996, 1, "about 99%")])
def test_a_chance_that_structures_do_not_agree_on_is_not_shown_as_next_to_none_or_all(
    above: int, other: int, text: str
) -> None:
    """Four draws in a thousand are odd ones out, all of them among the hundred of one choice: 4 per cent there."""
    worth = np.where(np.arange(SIZE) < above, 2000.0, 1.0)
    odd = np.arange(SIZE) < 100 if other == 0 else np.arange(SIZE) >= 900
    row = table_of(one=programme({"care_other": worth}, 1000.0, fade=np.where(odd, 2, 0))).loc["one"]
    assert row["chance_pays_fiscal"] == pytest.approx(above / SIZE)
    far = 0.04 if other == 0 else 0.96
    assert row["chance_pays_most" if other == 0 else "chance_pays_least"] == pytest.approx(far)
    assert shown(table_of(one=programme({"care_other": worth}, 1000.0, fade=np.where(odd, 2, 0)))).iloc[0][
        "pays back"
    ] == (text)
    agreed = table_of(one=programme({"care_other": worth}, 1000.0, fade=np.where(np.arange(SIZE) % 2, 2, 0)))
    assert shown(agreed).iloc[0]["pays back"] == ("under 1%" if other == 0 else "over 99%")


def test_words_of_one_programme() -> None:
    league = table_of(
        one=programme(SPREAD, 1000.0),
        unpriced=programme(SPREAD, np.nan),
        nothing=programme({}, 1000.0, not_counted=NO_STUDY),
    )
    rows = shown(league).set_index("programme")
    assert rows.index.tolist() == ["The one", "The unpriced"]
    assert rows.loc["The one"].to_dict() == {
        "evidence": "own, 3",
        "cost a child": "£1,000",
        "avoided for a pound": "£0.70 (£0.25 to £1.15)",
        "pays back": "20%",
        "adds cost": "under 1%",
        "counted": "care",
    }
    unpriced = rows.loc["The unpriced"]
    assert (unpriced["cost a child"], unpriced["avoided for a pound"], unpriced["pays back"]) == ("not known", "", "")


def test_notes_name_the_programmes_that_are_not_shown_if_any() -> None:
    nothing = programme({}, 1000.0, not_counted=NO_STUDY)
    assert "No effect can be counted of 2: The club; The hub." in notes(table_of(hub=nothing, club=nothing))[-1]
    every = notes(table_of(one=programme(SPREAD, 1000.0)))
    assert len(every) == 3 and not any("No effect" in line for line in every)
    assert "90% interval" in every[0] and "between 5% and 95%" in every[1]


@pytest.mark.parametrize(
    ("share", "across", "words"),
    [
        (0.03, (), "3%"),  # the same beside a budget as in the league
        (0.004, (), "about 1%"),
        (1.0, (), "about 99%"),
        (0.004, (0.0, 0.05), "about 1%"),
        (0.004, (0.0, 0.009), "under 1%"),
        (1.0, (0.98, 1.0), "about 99%"),
        (1.0, (0.995, 1.0), "over 99%"),
        (0.5, (0.995, 1.0), "50%"),
    ],
)
def test_a_chance_near_none_or_all_needs_every_structure(share: float, across: tuple[float, ...], words: str) -> None:
    assert chance_in_words(share, *across) == words
