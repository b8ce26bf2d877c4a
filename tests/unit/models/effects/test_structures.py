"""Rival structures among the draws: shares, crossings, and the evidence that each lets count."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from toolkit.evidence import STRUCTURES, structure_weights
from toolkit.models.effects.hierarchy import sample_programmes
from toolkit.models.effects.programme_studies import programme_studies
from toolkit.models.effects.programme_use import used_effects
from toolkit.models.effects.structures import draw_structures, is_choice, sample_structures
from toolkit.schema import EFFECT_OUTCOMES, SAMPLE_DIMS, InputError, data_folder

PARTICLES = 4_000
LIKE = xr.Dataset(coords={"chain": [2, 5], "draw": np.arange(7, 1007)})
SIZE = 2_000
NAMES = ("programmes", "programme_effects", "design_bias", "priors", "structure_weights")


@pytest.fixture(scope="module")
def tables() -> Mapping[str, pd.DataFrame]:
    return {name: pd.read_csv(data_folder() / "evidence" / f"{name}.csv") for name in NAMES}


@pytest.fixture(scope="module")
def studies(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    return programme_studies(tables)


def structures(tables: Mapping[str, pd.DataFrame], like: xr.Dataset = LIKE, seed: int = 3, **weights) -> xr.Dataset:
    return draw_structures(structure_weights(tables["structure_weights"], weights), like=like, seed=seed)


def shares(drawn: xr.Dataset, name: str) -> list[float]:
    return [float(is_choice(drawn, name, choice).mean()) for choice in STRUCTURES[name]]


# shares


def test_each_choice_has_its_share_of_draws_as_near_as_whole_draws_allow(tables: Mapping[str, pd.DataFrame]) -> None:
    drawn = structures(tables)
    counts = {name: np.array(shares(drawn, name)) * SIZE for name in STRUCTURES}
    assert sorted(np.round(counts["scope"], 6)) == [666, 667, 667]
    assert counts["origin"].tolist() == [2000, 0]
    np.testing.assert_allclose(counts["fade"], [1000, 600, 400], rtol=1e-12)
    np.testing.assert_allclose(counts["risk"], [1500, 500], rtol=1e-12)
    for name in STRUCTURES:
        assert drawn[name].dims == SAMPLE_DIMS and drawn[name].attrs["choices"] == list(STRUCTURES[name])
        assert drawn["draw"].values[0] == 7


@pytest.mark.parametrize("size", [1, 2, 7, 40])
def test_few_draws_are_shared_out_too(tables: Mapping[str, pd.DataFrame], size: int) -> None:
    few = xr.Dataset(coords={"chain": [0], "draw": range(size)})
    for name, weights in structure_weights(tables["structure_weights"]).items():
        counts = np.array(shares(structures(tables, few), name)) * size
        assert counts.sum() == pytest.approx(size)
        np.testing.assert_allclose(counts, np.array(list(weights.values())) * size, atol=1)


def test_crossings_of_structures_have_the_products_of_their_weights(tables: Mapping[str, pd.DataFrame]) -> None:
    drawn = structures(tables, origin={"all": 0.6, "uk": 0.4})
    weights = structure_weights(tables["structure_weights"], {"origin": {"all": 0.6, "uk": 0.4}})
    for first, second in (("scope", "origin"), ("scope", "fade"), ("fade", "risk"), ("scope", "risk")):
        for one in STRUCTURES[first]:
            for other in STRUCTURES[second]:
                both = int((is_choice(drawn, first, one) & is_choice(drawn, second, other)).sum())
                # A cell misses by less than a draw for each stretch of those before it that it is pieced together from.
                assert abs(both - SIZE * weights[first][one] * weights[second][other]) <= 8


def test_structures_are_scattered_over_chains_and_draws_and_follow_the_seed(tables: Mapping[str, pd.DataFrame]) -> None:
    drawn = structures(tables)
    xr.testing.assert_identical(drawn, structures(tables))
    for name in ("scope", "fade", "risk"):
        assert not drawn[name].equals(structures(tables, seed=4)[name])
        by_chain = is_choice(drawn, name, STRUCTURES[name][0]).mean("draw")
        assert abs(float(by_chain[0] - by_chain[1])) < 4 * np.sqrt(0.25 * 2 / 1000)
        near = np.corrcoef(drawn[name].values[0, 1:], drawn[name].values[0, :-1])[0, 1]
        assert abs(near) < 4 / np.sqrt(1000)


def test_all_weight_on_one_choice_gives_it_to_every_draw(tables: Mapping[str, pd.DataFrame]) -> None:
    drawn = structures(tables, scope={"own": 1}, fade={"none": 1})
    assert shares(drawn, "scope") == [1, 0, 0] and shares(drawn, "fade") == [0, 0, 1]


# evidence


def sample(tables, studies, *, names=None, seed=1, **weights) -> xr.Dataset:
    drawn = structures(tables, **weights)
    return sample_structures(studies, tables, drawn, seed=seed, names=names, particles=PARTICLES, refuse=False).assign(
        drawn.data_vars
    )


def agrees(one: xr.DataArray, other: xr.DataArray) -> None:
    """Means and spreads of 2,000 draws each agree within 4.5 Monte Carlo errors (resampled from 4,000 particles)."""
    error = np.hypot(one.std(), other.std()) / np.sqrt(SIZE / 3)
    assert abs(float(one.mean() - other.mean())) < 4.5 * float(error)
    assert float(one.std()) == pytest.approx(float(other.std()), rel=0.15)


def test_of_own_studies_only_outcomes_with_one_count(tables: Mapping[str, pd.DataFrame], studies: pd.DataFrame) -> None:
    drawn = sample(tables, studies, scope={"own": 1})
    own = {(row.programme, row.outcome) for row in studies.itertuples()}
    for name in drawn["programme"].values:
        for outcome in EFFECT_OUTCOMES:
            one = drawn.sel(programme=name, outcome=outcome)
            counts = (name, outcome) in own
            assert str(one["evidence"].item()) == ("own" if counts else "none")
            for variable in ("programme_effect", "spread"):
                assert bool((one[variable] != 0).all()) if counts else not one[variable].any(), (name, outcome)


def test_own_studies_say_what_they_say_when_no_others_are_there(
    tables: Mapping[str, pd.DataFrame], studies: pd.DataFrame
) -> None:
    name = "supporting_families"
    alone = sample_programmes(
        studies[studies["programme"] == name],
        tables["programmes"],
        tables["priors"],
        like=LIKE,
        seed=8,
        particles=PARTICLES,
        refuse=False,
    )
    drawn = sample(tables, studies, names=[name], scope={"own": 1})
    for outcome in ("care", "youth_justice"):
        agrees(*(part["programme_effect"].sel(programme=name, outcome=outcome) for part in (drawn, alone)))


def test_a_type_learns_from_its_own_studies_alone(tables: Mapping[str, pd.DataFrame], studies: pd.DataFrame) -> None:
    """Multisystemic and functional family therapy are of one type: neither depends on a study of any other."""
    therapy = {"multisystemic_therapy", "functional_family_therapy"}
    others = studies.assign(effect=studies["effect"].where(studies["programme"].isin(therapy), -3.0))
    by_type = [sample(tables, table, names=sorted(therapy), scope={"type": 1}) for table in (studies, others)]
    xr.testing.assert_identical(*by_type)
    assert str(by_type[0]["evidence"].sel(programme="functional_family_therapy", outcome="care").item()) == "type"
    whole = [sample(tables, table, names=sorted(therapy), scope={"all": 1}) for table in (studies, others)]
    assert not whole[0]["programme_effect"].equals(whole[1]["programme_effect"])


def test_all_studies_give_what_the_whole_model_gives(tables: Mapping[str, pd.DataFrame], studies: pd.DataFrame) -> None:
    whole = sample_programmes(
        studies, tables["programmes"], tables["priors"], like=LIKE, seed=1, particles=PARTICLES, refuse=False
    )
    drawn = sample(tables, studies, scope={"all": 1})
    counted = whole["evidence"] != "none"
    xr.testing.assert_equal(drawn["evidence"], whole["evidence"])
    np.testing.assert_array_equal(drawn["programme_effect"], whole["programme_effect"].where(counted, 0.0))
    np.testing.assert_array_equal(drawn["take_up"], whole["take_up"])


def test_the_mean_over_draws_is_the_mean_over_structures(
    tables: Mapping[str, pd.DataFrame], studies: pd.DataFrame
) -> None:
    """Each draw has the value that it would have if its structure were the only one."""
    mixed = sample(tables, studies, names=["signs_of_safety", "family_valued"])
    for scope in STRUCTURES["scope"]:
        alone = sample(tables, studies, names=["signs_of_safety", "family_valued"], scope={scope: 1})
        here = is_choice(mixed, "scope", scope)
        for name in ("programme_effect", "spread", "take_up"):
            xr.testing.assert_equal(mixed[name].where(here), alone[name].where(here))
    # Family Valued's own study is before and after, which no structure admits: its type's counts, but not its own.
    assert str(mixed["evidence"].sel(programme="family_valued", outcome="repeat_referrals").item()) == "type"
    zero = mixed["programme_effect"].sel(programme="family_valued", outcome="repeat_referrals") == 0
    np.testing.assert_array_equal(zero, is_choice(mixed, "scope", "own"))


def test_of_uk_studies_only_none_of_elsewhere_counts(tables: Mapping[str, pd.DataFrame], studies: pd.DataFrame) -> None:
    uk = sample(tables, studies, origin={"uk": 1})
    assert str(uk["evidence"].sel(programme="safecare", outcome="care").item()) == "none"
    assert not uk["programme_effect"].sel(programme="safecare").any()
    assert str(uk["evidence"].sel(programme="supporting_families", outcome="care").item()) == "own"
    assert studies.set_index("study")["uk"][["OPTION2_CARE", "TF2_LAC", "YC_CRIME"]].all()
    assert not studies.set_index("study")["uk"][["SAFECARE_OOHP", "IFPS_12", "USPSTF24_OOH"]].any()


def test_draws_of_a_programme_depend_neither_on_the_others_nor_on_the_order_of_rows(
    tables: Mapping[str, pd.DataFrame], studies: pd.DataFrame
) -> None:
    names = ["supporting_families", "youth_clubs", "family_group_conference"]
    plain = sample(tables, studies)
    turned = {**tables, "programmes": tables["programmes"].iloc[::-1].reset_index(drop=True)}
    other = sample(turned, studies.sample(frac=1.0, random_state=2), names=names)
    for name in ("programme_effect", "spread", "take_up"):
        np.testing.assert_allclose(other[name], plain[name].sel(programme=names), rtol=1e-9, atol=1e-12)


def test_an_unknown_programme_is_refused(tables: Mapping[str, pd.DataFrame], studies: pd.DataFrame) -> None:
    with pytest.raises(InputError, match=r"programme 'clubs': not in programmes\.csv.*Fix"):
        sample(tables, studies, names=["clubs"])


# what is used


def use(tables, studies, **weights) -> xr.Dataset:
    names = ["supporting_families", "sure_start", "family_group_conference"]
    return used_effects(
        studies, tables, like=LIKE, seed=3, weights=weights, names=names, particles=PARTICLES, refuse=False
    )


def test_timing_follows_the_structure_of_each_draw(tables: Mapping[str, pd.DataFrame], studies: pd.DataFrame) -> None:
    """Conferences were followed for a year: a plateau is 1 + 2 years, Troubled Families' 2 + 2 (both two at least)."""
    used = use(tables, studies)
    plateau = is_choice(used, "fade", "plateau")
    for name, years, longer in (("family_group_conference", 1.0, 3.0), ("supporting_families", 2.0, 4.0)):
        flat = used["flat"].sel(programme=name, outcome="care")
        np.testing.assert_array_equal(flat, xr.where(plateau, longer, years))
    crime = used["flat"].sel(programme="sure_start", outcome="youth_justice")
    np.testing.assert_array_equal(crime, xr.where(plateau, 32.0, 16.0))  # as long again as a follow-up of sixteen
    assert bool(np.isinf(used["flat"].sel(programme="sure_start", outcome="gcse_attainment")).all())
    assert used["flat"].dims == (*SAMPLE_DIMS, "programme", "outcome")
    np.testing.assert_array_equal(used["lasts"], is_choice(used, "fade", "none"))
    np.testing.assert_array_equal(used["average_risk"], is_choice(used, "risk", "average"))
    assert used["lasts"].dtype == used["average_risk"].dtype == bool


def test_an_effect_is_nothing_in_draws_that_do_not_count_it(
    tables: Mapping[str, pd.DataFrame], studies: pd.DataFrame
) -> None:
    used = use(tables, studies)
    own = is_choice(used, "scope", "own")
    assert bool((used["effect"].sel(programme="supporting_families", outcome="care") != 0).all())
    for name in ("effect", "area_sd"):
        assert not used[name].where(used["evidence"] == "none", 0.0).any()
    again = used_effects(
        studies, tables, like=LIKE, seed=3, names=["incredible_years"], particles=PARTICLES, refuse=False
    )
    for name in ("effect", "area_sd"):
        nothing = again[name].sel(programme="incredible_years", outcome="care") == 0
        np.testing.assert_array_equal(nothing, own)


def test_unknown_weights_are_refused_where_effects_are_used(
    tables: Mapping[str, pd.DataFrame], studies: pd.DataFrame
) -> None:
    with pytest.raises(InputError, match="scope has no choice 'mine'"):
        use(tables, studies, scope={"mine": 1})
