"""What a run uses of a programme's effect, from draws made by hand: scale-up, sites, onset and years it is whole."""

import math

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from toolkit.models.effects.programme_use import of_area, site_effects
from toolkit.schema import EFFECT_OUTCOMES, SAMPLE_DIMS, InputError, data_folder

CHAINS, DRAWS = 4, 5_000
SIZE = CHAINS * DRAWS
ERRORS = 4  # Monte Carlo standard errors within which a moment must lie
TYPES = {"alpha": "worker", "beta": "worker", "gamma": "school", "delta": "school", "epsilon": "court"}


@pytest.fixture(scope="module")
def priors() -> pd.DataFrame:
    return pd.read_csv(data_folder() / "evidence" / "priors.csv")


def study(programme: str, outcome: str = "care", **changes: object) -> dict[str, object]:
    row = {"programme": programme, "programme_type": TYPES[programme], "outcome": outcome, "design": "qed_psm"}
    return row | {"se": 0.1, "follow_up": 2.0, "at_16": False, "independent": True} | changes


def table_of(*rows: dict[str, object]) -> pd.DataFrame:
    return pd.DataFrame(list(rows))


STUDIES = table_of(study("alpha"), study("gamma", independent=False))


def drawn(
    studies: pd.DataFrame = STUDIES, *, names: tuple[str, ...] = tuple(TYPES), effect=-0.2, spread=0.1, take_up=1.0
) -> xr.Dataset:
    """What `sample_programmes` would return if nothing in it were uncertain."""
    own = {(row.programme, row.outcome) for row in studies.itertuples()}
    alike = {(row.programme_type, row.outcome) for row in studies.itertuples()}

    def whose(name: str, outcome: str) -> str:
        return "own" if (name, outcome) in own else "type" if (TYPES[name], outcome) in alike else "none"

    coords = {
        "chain": np.arange(CHAINS),
        "draw": np.arange(DRAWS) + 7,
        "programme": list(names),
        "outcome": list(EFFECT_OUTCOMES),
        "level": ["type", "programme", "study"],
    }
    full = np.ones((CHAINS, DRAWS))
    values = {
        "programme_effect": ((*SAMPLE_DIMS, "programme", "outcome"), effect * np.ones((*full.shape, len(names), 4))),
        "spread": (
            (*SAMPLE_DIMS, "level", "outcome"),
            full[..., None, None] * np.array([9.0, 9.0, spread])[:, None] * np.ones(4),
        ),
        "take_up": ((*SAMPLE_DIMS, "programme"), take_up * np.ones((*full.shape, len(names)))),
        "evidence": (
            ("programme", "outcome"),
            [[whose(name, outcome) for outcome in EFFECT_OUTCOMES] for name in names],
        ),
        "type_of": ("programme", [TYPES[name] for name in names]),
    }
    return xr.Dataset(values, coords, {"units": "log hazard ratio"})


def use(priors: pd.DataFrame, studies: pd.DataFrame = STUDIES, *, seed=3, shared_luck=0.0, **changes) -> xr.Dataset:
    return site_effects(drawn(studies, **changes), studies, priors, seed=seed, shared_luck=shared_luck)


def mean_is(values: xr.DataArray, mean: float, sd: float) -> None:
    assert values.size == SIZE
    assert abs(float(values.mean()) - mean) < ERRORS * sd / math.sqrt(SIZE), (float(values.mean()), mean)


def correlation_is(one: xr.DataArray, other: xr.DataArray, value: float) -> None:
    assert abs(float(xr.corr(one, other)) - value) < ERRORS / math.sqrt(SIZE), (float(xr.corr(one, other)), value)


# scale-up


@pytest.mark.parametrize(
    ("programme", "first", "second"),
    [
        ("alpha", 6, 2),  # an independent study of its own
        ("beta", 6, 2),  # none, but one of its type
        ("gamma", 2, 2),  # its own was led by its developer
        ("delta", 2, 2),
        ("epsilon", 2, 2),  # no study at all
    ],
)
def test_the_share_that_survives_follows_from_who_evaluated(
    priors: pd.DataFrame, programme: str, first: float, second: float
) -> None:
    survives = use(priors)["scale_up"].sel(programme=programme)
    variance = first * second / ((first + second) ** 2 * (first + second + 1))
    mean_is(survives, first / (first + second), math.sqrt(variance))
    assert float(survives.var()) == pytest.approx(variance, rel=0.05)


def test_a_programme_with_only_developers_studies_is_not_lifted_by_its_type(priors: pd.DataFrame) -> None:
    studies = table_of(study("alpha"), study("beta", independent=False))
    shares = use(priors, studies)["scale_up"].mean(SAMPLE_DIMS)
    assert float(shares.sel(programme="alpha")) > 0.7 > 0.55 > float(shares.sel(programme="beta"))


def test_the_mean_effect_shrinks_and_what_differs_between_sites_is_added_whole(priors: pd.DataFrame) -> None:
    """Without sites it is the share times the effect, draw by draw; with them it spreads about that by its own sd."""
    none = use(priors, spread=0.0).sel(programme="alpha", outcome="care")
    np.testing.assert_allclose(none["effect"], -0.2 * none["scale_up"], rtol=1e-12)
    np.testing.assert_allclose(none["effect"], none["before_scale_up"] * none["scale_up"], rtol=1e-12)
    assert not none["area_sd"].any()
    used = use(priors, spread=0.1)
    site = of_area(used, "alpha", "Leeds", seed=3).sel(outcome="care") - none["effect"]
    mean_is(site, 0.0, 0.1)
    assert float(site.std()) == pytest.approx(0.1, rel=ERRORS / math.sqrt(2 * SIZE))


def test_an_effect_on_some_of_those_counted_is_spread_over_all_of_them(priors: pd.DataFrame) -> None:
    whole, tenth = (use(priors, take_up=share) for share in (1.0, 0.1))
    for name in ("effect", "area_sd"):
        np.testing.assert_allclose(tenth[name], 0.1 * whole[name], rtol=1e-12, atol=1e-15)


def test_where_there_is_no_study_there_is_no_effect(priors: pd.DataFrame) -> None:
    used = use(priors)
    counted = used["evidence"] != "none"
    assert int(counted.sum()) == 4  # care, of the two types with a study of it
    for name in ("effect", "area_sd"):
        assert not used[name].where(~counted, 0.0).any()
        assert bool((used[name].where(counted, 1.0) != 0).all())
    assert not of_area(used, "epsilon", "Leeds", seed=3).any()


# sites


def test_two_areas_of_a_run_correlate_by_the_common_share_of_their_variance(priors: pd.DataFrame) -> None:
    """Given the share c, covariance of two areas is c sd^2 and variance sd^2: over Beta(2, 2), a half."""
    used = use(priors, effect=0.0)
    leeds, kent = (of_area(used, "alpha", name, seed=3).sel(outcome="care") for name in ("Leeds", "Kent"))
    correlation_is(leeds, kent, 0.5)
    fixed = priors.copy()
    fixed.loc[fixed["parameter"] == "site_common", ["arg1", "arg2"]] = (8e6, 2e6)
    used = use(fixed, effect=0.0)
    leeds, kent = (of_area(used, "alpha", name, seed=3).sel(outcome="care") for name in ("Leeds", "Kent"))
    correlation_is(leeds, kent, 0.8)
    common = used["effect"].sel(programme="alpha", outcome="care")
    assert float(common.var()) == pytest.approx(0.8 * 0.01, rel=ERRORS * math.sqrt(2 / SIZE))
    np.testing.assert_allclose(used["area_sd"].sel(programme="alpha", outcome="care"), math.sqrt(0.2) * 0.1, rtol=1e-2)


def test_outcomes_of_a_site_are_independent(priors: pd.DataFrame) -> None:
    studies = table_of(study("alpha"), study("alpha", "youth_justice"))
    site = of_area(use(priors, studies, effect=0.0), "alpha", "Leeds", seed=3)
    correlation_is(site.sel(outcome="care"), site.sel(outcome="youth_justice"), 0.0)


@pytest.mark.parametrize("shared", [0.0, 0.3, 1.0])
def test_two_programmes_share_a_sites_luck_as_far_as_is_stated(priors: pd.DataFrame, shared: float) -> None:
    """Both parts of it, that common to areas and each area's own; none makes them independent, all makes them equal."""
    used = use(priors, effect=0.0, shared_luck=shared)
    alpha, beta = (of_area(used, name, "Leeds", seed=3).sel(outcome="care") for name in ("alpha", "beta"))
    correlation_is(alpha, beta, shared)
    common = used["effect"].sel(outcome="care")
    correlation_is(common.sel(programme="alpha"), common.sel(programme="beta"), shared)
    if shared == 1.0:
        np.testing.assert_array_equal(alpha, beta)
    # However much is shared, a programme by itself varies as much, and areas have luck of their own.
    assert float(alpha.std()) == pytest.approx(0.1, rel=ERRORS / math.sqrt(2 * SIZE))
    correlation_is(alpha, of_area(used, "alpha", "Kent", seed=3).sel(outcome="care"), 0.5)


@pytest.mark.parametrize("shared", [2, -0.1, math.nan])
def test_luck_that_is_no_share_is_refused(priors: pd.DataFrame, shared: float) -> None:
    with pytest.raises(InputError, match=f"shared_luck: {shared} is not a share.*Fix"):
        use(priors, shared_luck=shared)


@pytest.mark.parametrize("parameter", ["scale_up_independent", "scale_up_other", "site_common", "onset"])
def test_a_missing_prior_is_refused_by_name(priors: pd.DataFrame, parameter: str) -> None:
    fewer = priors[priors["parameter"] != parameter]
    with pytest.raises(InputError, match=f"'programmes' has no beta or gamma row for {parameter}.*Fix"):
        use(fewer)


# timing


def test_an_effect_is_whole_for_its_studies_follow_up_weighted_by_precision(priors: pd.DataFrame) -> None:
    """Errors of 0.1 and 0.2 weigh four to one: (4 x 1 + 1 x 6) / 5 = 2 years."""
    studies = table_of(study("alpha", se=0.1, follow_up=1.0), study("alpha", se=0.2, follow_up=6.0))
    flat = use(priors, studies)["flat"]
    assert float(flat.sel(programme="alpha", outcome="care")) == pytest.approx(2.0, rel=1e-12)
    # Of others it is the shortest follow-up of any study of the outcome; where there is none, there is no effect.
    assert float(flat.sel(programme="beta", outcome="care")) == 1.0
    assert not flat.sel(outcome="youth_justice").any()


def test_attainment_measured_at_sixteen_never_fades(priors: pd.DataFrame) -> None:
    rows = [("alpha", True, 5.0), ("gamma", False, 3.0)]
    studies = table_of(*(study(name, "gcse_attainment", at_16=at, follow_up=years) for name, at, years in rows))
    flat = use(priors, studies)["flat"].sel(outcome="gcse_attainment")
    assert [float(flat.sel(programme=name)) for name in ("alpha", "gamma", "beta")] == [math.inf, 3.0, 3.0]
    events = use(priors, table_of(study("alpha", at_16=True, follow_up=5.0)))["flat"]  # of events it means nothing
    assert float(events.sel(programme="alpha", outcome="care")) == 5.0


def test_every_event_since_allocation_is_in_a_trials_estimate(priors: pd.DataFrame) -> None:
    studies = table_of(study("alpha", design="rct"), study("gamma", design="cluster_rct"), study("epsilon"))
    onset = use(priors, studies)["onset"]
    assert not onset.sel(programme=["alpha", "gamma"]).any()
    for name in ("beta", "epsilon"):
        mean_is(onset.sel(programme=name), 0.5, 1 / 6)  # Beta(4, 4): variance 1 / 36
    np.testing.assert_array_equal(onset.sel(programme="beta"), onset.sel(programme="epsilon"))


# the same draws


def test_the_same_seed_gives_the_same_draws_and_another_others(priors: pd.DataFrame) -> None:
    xr.testing.assert_identical(use(priors), use(priors))
    one, other = (of_area(use(priors, seed=seed), "alpha", "Leeds", seed=seed).sel(outcome="care") for seed in (3, 4))
    correlation_is(one, other, 0.0)
    correlation_is(*(use(priors, seed=seed)["scale_up"].sel(programme="alpha") for seed in (3, 4)), 0.0)


@pytest.mark.parametrize("shared", [0.0, 0.5])
def test_one_more_programme_leaves_the_use_of_others_as_it_was(priors: pd.DataFrame, shared: float) -> None:
    few, more = (
        use(priors, names=names, shared_luck=shared)
        for names in (("alpha", "gamma"), ("epsilon", "gamma", "beta", "alpha"))
    )
    xr.testing.assert_identical(more.sel(programme=["alpha", "gamma"]), few)
    for name in ("alpha", "gamma"):
        xr.testing.assert_identical(*(of_area(used, name, "Leeds", seed=3) for used in (few, more)))


def test_draws_keep_the_labels_of_the_model(priors: pd.DataFrame) -> None:
    used = use(priors)
    assert used["effect"].dims == (*SAMPLE_DIMS, "programme", "outcome")
    assert used["draw"].values[0] == 7 and used.attrs["units"] == "log hazard ratio"
    assert of_area(used, "alpha", "Leeds", seed=3).dims == (*SAMPLE_DIMS, "outcome")
