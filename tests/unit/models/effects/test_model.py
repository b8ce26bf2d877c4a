"""Effects: scales, the studies that may be pooled, the meta-analysis and the sources of effect."""

import math

import numpy as np
import nutpie
import pandas as pd
import pymc as pm
import pytest
import xarray as xr
from scipy import integrate, stats
from toolkit.models.effects.grid import quadrature
from toolkit.models.effects.model import effect_data, effects
from toolkit.models.effects.sources import effect_draws, panel_signal
from toolkit.models.effects.studies import studies, study_list, study_table

from toolkit.models.effects.scales import LOGISTIC_SD, to_common_scale
from toolkit.schema import EFFECT_OUTCOMES, InputError, data_folder

TABLES = ("meta_ready", "effects", "null_studies", "design_bias", "outcome_scales", "priors")
RISE = 0.1
INDICATORS = ["rereferrals", "first_time_entrants", "gcse_grade_4", "care_starts"]


@pytest.fixture(scope="module")
def register() -> dict[str, pd.DataFrame]:
    return {name: pd.read_csv(data_folder() / "evidence" / f"{name}.csv") for name in TABLES}


@pytest.fixture(scope="module")
def posterior() -> xr.Dataset:
    """A stand-in for the outcome model's posterior, with labels no default would make."""
    random = np.random.default_rng(5)
    slopes = random.normal([-0.02, -0.05, 0.02, 0.04], [0.04, 0.05, 0.05, 0.04], (4, 500, 4))
    coords = {"chain": [3, 5, 7, 9], "draw": np.arange(10, 510), "indicator": INDICATORS}
    return xr.Dataset({"spend_within": (("chain", "draw", "indicator"), slopes)}, coords=coords)


def with_rows(register, name, **columns):
    """The register with cells of one table changed by study: column={study: value}."""
    table = register[name].copy()
    key = "id" if name == "effects" else "effect_id"
    for column, cells in columns.items():
        for study, value in cells.items():
            table.loc[table[key] == study, column] = value
    return {**register, name: table}


def table_of(effects_, ses, *, outcome="care", lower=np.nan, upper=np.nan, spread=0.0, bias=(0.0, 0.0), programme=None):
    """A study table made by hand; each study a programme of its own, or all of one."""
    rows = pd.DataFrame({"effect": effects_, "se": ses})
    names = [f"S{i}" for i in range(len(rows))]
    return rows.assign(
        outcome=outcome,
        study=names,
        programme=programme or names,
        scale="standardised_mean_difference" if outcome == "gcse_attainment" else "log_risk_ratio",
        se_log_sd=spread,
        bias_mean=bias[0],
        bias_sd=bias[1],
        lower=lower,
        upper=upper,
    )


def priors_of(register, *, mean_sd=0.2, between_sd=None):
    table = register["priors"].copy()
    ours = table["model"] == "effects"
    table.loc[ours & table["parameter"].str.startswith("mu_"), "arg2"] = mean_sd
    if between_sd is not None:
        table.loc[ours & table["parameter"].str.startswith("tau_"), "arg1"] = between_sd
    return table


# scales


def test_an_odds_ratio_becomes_a_risk_ratio_at_the_base_rate():
    # A risk of 0.2 is odds of 1 to 4; halved, 1 to 8, a risk of 1/9: Zhang and Yu (1998), JAMA 280: 1690.
    effect, se = to_common_scale(0.5, 0.1, "odds_ratio", "care", 0.2)
    assert effect == pytest.approx(math.log((1 / 9) / 0.2))
    assert se == pytest.approx(0.1 * 8 / 9)


@pytest.mark.parametrize("outcome", ["care", "gcse_attainment"])
@pytest.mark.parametrize("scale", ["log_odds", "hedges_g", "log_risk", "risk_difference"])
def test_the_standard_error_follows_the_delta_method(scale, outcome):
    step = 1e-5
    low, high = (to_common_scale(0.1 + sign * step, 1, scale, outcome, 0.3)[0] for sign in (-1, 1))
    assert to_common_scale(0.1, 0.2, scale, outcome, 0.3)[1] == pytest.approx(0.2 * (high - low) / (2 * step))


def test_a_standardised_difference_is_a_log_odds_ratio_over_1_81():
    # Chinn (2000), Statistics in Medicine 19: 3127: ln(OR) / 1.81.
    effect, se = to_common_scale(0.4, 0.1, "log_odds", "gcse_attainment", 0.18)
    assert (effect, se) == pytest.approx((0.4 / 1.81, 0.1 / 1.81), rel=0.005)


@pytest.mark.parametrize(
    ("estimate", "se", "scale", "base", "says"),
    [
        (-20.0, 0.1, "pct_change", 0.2, "unknown scale 'pct_change'"),
        (70.0, 0.1, "odds_ratio", 0.2, "looks like a percentage"),
        (-0.3, 0.1, "odds_ratio", 0.2, "looks like a percentage or a logarithm"),
        (70.0, 0.1, "log_odds", 0.2, "a ratio or a percentage"),
        (0.1, 0.0, "log_odds", 0.2, "standard error 0.0 is not positive"),
        (0.1, math.nan, "log_odds", 0.2, "standard error nan"),
        (0.1, 0.1, "log_odds", 22.6, "base rate 22.6"),
        (0.5, 0.1, "risk_difference", 0.6, "which is not a rate"),
    ],
)
def test_a_bad_study_is_named(estimate, se, scale, base, says):
    with pytest.raises(InputError, match=says) as error:
        to_common_scale(estimate, se, scale, "care", base, row="meta_ready ODD_ONE")
    assert str(error.value).startswith("meta_ready ODD_ONE")


# studies


def der_simonian_laird(effect, variance):
    weight = 1 / variance
    mean = np.average(effect, weights=weight)
    excess = (weight * (effect - mean) ** 2).sum() - (len(effect) - 1)
    between = max(0.0, excess / (weight.sum() - (weight**2).sum() / weight.sum()))
    weight = 1 / (variance + between)
    return np.average(effect, weights=weight), weight.sum() ** -0.5, math.sqrt(between)


@pytest.mark.parametrize(
    ("outcome", "mixed", "count", "mean", "se", "between"),
    [
        ("youth_justice", False, 4, -0.08, 0.08, 0.0),
        ("gcse_attainment", False, 3, 0.03, 0.02, 0.0),
        ("repeat_referrals", False, 2, 0.02, 0.08, 0.0),
        ("care", True, 4, -0.20, 0.14, 0.18),
        ("care", False, 3, -0.07, 0.18, None),
    ],
)
def test_the_pools_are_those_of_the_evidence_notes(register, outcome, mixed, count, mean, se, between):
    # Expected values: evidence notes on effects, random effects after DerSimonian and Laird, to two digits.
    # They took odds ratios for risk ratios, which moves a mean by up to 0.006.
    table = studies(register, outcome, mixed=mixed).dropna(subset="effect")
    assert len(table) == count
    pooled = der_simonian_laird(table["effect"], table["se"] ** 2 + table["bias_sd"] ** 2)
    assert pooled[:2] == pytest.approx((mean, se), abs=0.0105)
    if between is not None:
        assert pooled[2] == pytest.approx(between, abs=0.0105)


def test_two_studies_of_one_group_are_refused_by_name(register):
    clash = with_rows(register, "meta_ready", include={"SS_GCSE_ALL": 1})
    with pytest.raises(InputError, match="SS_5GCSE25 and SS_GCSE_ALL: must not be pooled together"):
        study_table(clash)
    assert "SS_GCSE_ALL" in set(study_table(clash, exclude=["SS_5GCSE25"])["study"])


def test_a_null_clashes_with_a_number_of_its_group(register):
    with pytest.raises(InputError, match="SS_CONV and SS_CRIME25"):
        study_table(with_rows(register, "meta_ready", include={"SS_CONV": 1}))


@pytest.mark.parametrize(
    ("study", "says"),
    [
        ("FNP_CIN", "superseded by"),
        ("WEBB_E_MEAN1215", "never be pooled"),
    ],
)
def test_rows_that_may_not_be_pooled_are_refused(register, study, says):
    with pytest.raises(InputError, match=f"{study}: .*{says}"):
        study_table(with_rows(register, "meta_ready", include={study: 1}), exclude=["FNP2_NREF"])


def extra_row(**cells):
    row = {"outcome": "care", "effect_id": "NEW_ONE", "programme_family": "mentoring", "design": "rct"}
    return pd.DataFrame([row | {"scale": "log_risk", "est": -0.1, "se": 0.1} | cells])


@pytest.mark.parametrize(
    ("cells", "says"),
    [
        ({"effect_id": "DER_CASE1"}, "DER_CASE1: the evidence already has a study with this id"),
        ({"effect_id": "DER_NEW"}, "DER_NEW: must never be pooled"),
        ({"effect_id": "TF2_BCR"}, "TF2_BCR: the evidence already has a study with this id"),
        ({"effect_id": "START_OOHP"}, "START_OOHP: the evidence already has a study with this id"),
        ({"est": 0.7, "scale": "odds_ratio", "low": 0.8, "high": 0.9}, "NEW_ONE: .* outside its interval"),
        ({"est": 70.0, "scale": "odds_ratio"}, "NEW_ONE: odds_ratio 70.0 looks like a percentage"),
        ({"design": "natural_experiment"}, "no design 'natural_experiment'"),
        ({"outcome": "happiness"}, "outcomes .*happiness"),
    ],
)
def test_a_bad_new_study_is_refused(register, cells, says):
    with pytest.raises(InputError, match=says):
        study_table(register, extra=extra_row(**cells))


def test_a_new_study_is_one_row(register):
    before, after = study_table(register), study_table(register, extra=extra_row())
    assert set(after["study"]) - set(before["study"]) == {"NEW_ONE"}
    assert len(after) == len(before) + 1


def test_what_stays_out_is_listed_with_its_reason(register):
    table = study_table(register, exclude=["SWIS_S47"])
    assert set(table.attrs["left_out"]) == {"SWIS_S47", "FV_REREF", "FGC_LAC"}
    assert not set(table.attrs["left_out"]) & set(table["study"])
    everything = study_table(register, mixed=True, admit=["pre_post"])
    assert {"FV_REREF", "FGC_LAC"} <= set(everything["study"])
    with pytest.raises(InputError, match="did you mean SWIS_S47"):
        study_table(register, exclude=["SWIS_S74"])


def test_every_study_of_the_evidence_is_listed_and_one_without_a_model_says_so(register):
    found = study_list(register)
    evidence = pd.concat([register["meta_ready"], register["null_studies"]])
    assert set(zip(found["outcome"], found["study"], strict=True)) == set(
        zip(evidence["outcome"], evidence["effect_id"], strict=True)
    )
    why = found.set_index(["outcome", "study"])["stays_out"]
    pooled = study_table(register)
    assert set(why[why == ""].index) == set(zip(pooled["outcome"], pooled["study"], strict=True))
    idle = why[why.str.startswith("no effect on ")]
    assert set(idle.index.get_level_values("study")) == {"CHANCE_SDQ", "IY_IPD", "VALDE_EXCL6"}
    assert "family group" not in why["care", "FGC_LAC"]
    assert why["care", "FGC_LAC"] == "only in the pool of a mixed offer"


def test_at_its_own_rate_an_odds_ratio_is_a_smaller_change_of_risk(register):
    served, own = (study_table(register, own_rates=flag).set_index("study") for flag in (False, True))
    # 53 per cent of the comparison arm were convicted, odds 1.13 times as high.
    odds = 0.53 / 0.47 * math.exp(0.122)
    assert own.loc["START_CONV60", "effect"] == pytest.approx(math.log(odds / (1 + odds) / 0.53), abs=1e-9)
    assert served.loc["START_CONV60", "effect"] > 1.9 * own.loc["START_CONV60", "effect"]
    moved = served.index[(served["se"] != own["se"]) & served.index.isin(own.index)]
    assert set(moved) == {"START_CONV60", "SAFE_OFF", "BRANDON_OFF", "FNP2_CLA", "FNP_RW_CARE"}


def test_the_error_of_a_null_comes_from_its_arms_else_its_design(register):
    table = study_table(register).set_index("study")
    # 65 and 46 young people at a base rate of 0.53: variance (1 - p) / (p n) in each arm.
    # A log odds ratio at the rate of 0.53 in its own arms, as a log risk ratio at the 0.046 of children served.
    odds = math.sqrt((1 / 65 + 1 / 46) / (0.53 * 0.47))
    assert table.loc["SAFE_OFF", "se"] == pytest.approx(odds * (1 - 0.046))
    assert table.loc["SAFE_OFF", "se_log_sd"] == 0
    # Two cluster trials report a log ratio: 0.051 (SWIS_S47) and 0.095 (SAFECARE_RECID).
    assert table.loc["SWIS_CARE", "se"] == pytest.approx(math.sqrt(0.051 * 0.095))
    assert table.loc["SWIS_CARE", "se_log_sd"] > 0.3


def test_harm_lies_on_opposite_sides_for_attainment_and_for_the_rest(register):
    table = study_table(register).set_index("study")
    assert table.loc["DWPIF_QUAL", "upper"] == 0  # harm: a lower standardised difference
    assert table.loc["BRANDON_OFF", "upper"] == 0  # benefit: a lower risk
    significant = with_rows(register, "null_studies", finding={"BRANDON_OFF": "significant_harm"})
    assert study_table(significant).set_index("study").loc["BRANDON_OFF", "lower"] == 1.96


@pytest.mark.parametrize(
    ("name", "cells", "says"),
    [
        ("null_studies", {"finding": {"SWIS_CARE": "promising"}}, "SWIS_CARE: unknown finding 'promising'"),
        ("null_studies", {"base_rate": {"SAFE_OFF": 53.0}}, "SAFE_OFF: base rate 53"),
        ("effects", {"value": {"SWIS_CARE": 0.9}}, "SWIS_CARE: effects holds a number"),
        ("effects", {"low": {"START_OOHP": 1.3}}, "START_OOHP: estimate 1.25 lies outside its interval 1.3"),
    ],
)
def test_a_bad_register_is_refused(register, name, cells, says):
    with pytest.raises(InputError, match=says):
        study_table(with_rows(register, name, **cells))


# meta-analysis


def test_without_spread_or_bias_the_mean_is_weighted_by_inverse_variance(register):
    effect, se = np.array([-0.3, 0.1, 0.0]), np.array([0.1, 0.2, 0.05])
    grid = quadrature(table_of(effect, se), priors=priors_of(register, mean_sd=10, between_sd=1e-4)).sel(outcome="care")
    weight = 1 / se**2
    assert float(grid["mean_effect_mean"]) == pytest.approx(np.average(effect, weights=weight), abs=1e-4)
    assert float(grid["mean_effect_sd"]) == pytest.approx(weight.sum() ** -0.5, rel=1e-3)


def test_the_bias_of_a_design_is_taken_off_and_widens(register):
    table = table_of([-0.3], [0.1], bias=(-0.1, 0.2))
    grid = quadrature(table, priors=priors_of(register, mean_sd=10, between_sd=1e-4)).sel(outcome="care")
    assert float(grid["mean_effect_mean"]) == pytest.approx(-0.2, abs=1e-3)
    assert float(grid["mean_effect_sd"]) == pytest.approx(math.hypot(0.1, 0.2), rel=1e-3)


@pytest.mark.parametrize(("lower", "upper"), [(-1.96, 1.96), (-50.0, -1.96), (0.0, 50.0)])
def test_a_censored_study_contributes_the_probability_of_its_interval(register, lower, upper):
    """Against the hierarchy integrated numerically, bias and study effect and error apart."""
    se, spread, bias, bias_sd, prior_sd = 0.08, 0.7, -0.05, 0.1, 0.2
    table = table_of([np.nan], [se], lower=lower, upper=upper, spread=spread, bias=(bias, bias_sd))
    grid = quadrature(table, priors=priors_of(register, mean_sd=prior_sd, between_sd=1e-4)).sel(outcome="care")
    nodes = np.linspace(-6, 6, 241)
    errors = se * np.exp(spread * nodes)[:, None]
    seen = bias + np.linspace(-1.6, 1.6, 401)  # the means to try, as seen through the bias
    total = np.sqrt(errors**2 + bias_sd**2)
    inside = stats.norm.cdf((upper * errors - seen) / total) - stats.norm.cdf((lower * errors - seen) / total)
    chance = integrate.simpson(inside * stats.norm.pdf(nodes)[:, None], x=nodes, axis=0)
    density = chance * stats.norm.pdf(seen - bias, 0, prior_sd)
    density /= density.sum()
    mean = (density * (seen - bias)).sum()
    assert float(grid["mean_effect_mean"]) == pytest.approx(mean, abs=0.002)
    sd = math.sqrt((density * (seen - bias - mean) ** 2).sum())
    assert float(grid["mean_effect_sd"]) == pytest.approx(sd, rel=0.01)


def test_a_null_moves_the_mean_towards_zero_and_no_further(register):
    priors = priors_of(register)
    alone = quadrature(table_of([-0.4], [0.1]), priors=priors)
    null = table_of([-0.4, np.nan], [0.1, 0.05], lower=[np.nan, -1.96], upper=[np.nan, 1.96])
    both = quadrature(null, priors=priors)
    means = [float(grid["mean_effect_mean"].sel(outcome="care")) for grid in (alone, both)]
    assert means[0] + 0.03 < means[1] < 0


def test_an_outcome_without_studies_keeps_its_prior(register):
    grid = quadrature(table_of([-0.4], [0.1]), priors=register["priors"]).sel(outcome="youth_justice")
    assert float(grid["mean_effect_mean"]) == pytest.approx(0, abs=1e-6)
    assert float(grid["mean_effect_sd"]) == pytest.approx(0.2, rel=1e-3)


def test_a_missing_prior_is_named(register):
    priors = register["priors"].query("parameter != 'tau_care'")
    with pytest.raises(InputError, match="no row for tau_care"):
        quadrature(table_of([-0.4], [0.1]), priors=priors)
    with pytest.raises(InputError, match=r"outcomes \['neet'\]"):
        quadrature(table_of([-0.4], [0.1], outcome="neet"), priors=register["priors"])


# programmes

PAIR = {"effect": [-0.3, 0.1], "se": [0.15, 0.1], "bias": (-0.05, 0.1)}


def moments(mean, spread, density):
    """Mean and standard deviation of the mean effect and of the spread, from a density on a grid by Simpson's rule."""
    mass = integrate.simpson(integrate.simpson(density, x=spread, axis=1), x=mean)
    found = {}
    for name, values in (("mean_effect", mean[:, None]), ("between_sites", spread)):
        power = [
            integrate.simpson(integrate.simpson(density * values**k, x=spread, axis=1), x=mean) / mass for k in (1, 2)
        ]
        found[name] = power[0], math.sqrt(power[1] - power[0] ** 2)
    return found


def integrated(likelihood, *, mean_sd=0.2, spread_sd=0.25, first=2, second=2):
    """Moments of the posterior, the share integrated as well; ``likelihood`` of mean, spread and share."""
    mean, spread, share = np.linspace(-1, 1, 121), np.linspace(1e-4, 1.2, 81), np.linspace(0.005, 0.995, 61)
    cells = [[likelihood(m, t, share) for t in spread] for m in mean]
    density = integrate.simpson(np.array(cells) * stats.beta.pdf(share, first, second), x=share, axis=2)
    prior = stats.norm.pdf(mean, 0, mean_sd)[:, None] * stats.halfnorm.pdf(spread, scale=spread_sd)
    return moments(mean, spread, density * prior)


def compared(grid, expected):
    for name, (mean, sd) in expected.items():
        assert float(grid[f"{name}_mean"]) == pytest.approx(mean, abs=0.005 * sd)
        assert float(grid[f"{name}_sd"]) == pytest.approx(sd, rel=0.005)


def test_two_studies_of_a_programme_are_a_bivariate_normal(register):
    """Against the density of two correlated normals: compound symmetry of the effects, the errors apart."""
    effect, se, (bias, bias_sd) = np.array(PAIR["effect"]), np.array(PAIR["se"]), PAIR["bias"]

    def likelihood(mean, spread, share):
        variance, together = se**2 + bias_sd**2 + spread**2, share * spread**2
        gap = effect - mean - bias
        determinant = variance.prod() - together**2
        square = gap[0] ** 2 * variance[1] + gap[1] ** 2 * variance[0] - 2 * together * gap.prod()
        return np.exp(-square / determinant / 2) / np.sqrt(determinant)

    # The hand-made density is that of scipy's bivariate normal.
    one = stats.multivariate_normal([0.1 + bias] * 2, [[0.0725, 0.02], [0.02, 0.06]])
    ratio = likelihood(0.1, 0.2, 0.5) / one.pdf(effect) / (2 * math.pi)
    assert ratio == pytest.approx(1)
    table = table_of(effect, se, bias=PAIR["bias"], programme="P")
    compared(quadrature(table, priors=register["priors"]).sel(outcome="care"), integrated(likelihood))


@pytest.mark.long
@pytest.mark.parametrize("known", [1, 0])
def test_intervals_of_a_programme_share_its_deviation(register, known):
    """A number and an interval, or two intervals: the programme's deviation integrated by brute force."""
    effect, se = [-0.3, np.nan] if known else [np.nan, np.nan], [0.15, 0.1]
    ends = [(np.nan, np.nan) if known else (-50.0, 0.0), (-1.96, 1.96)]
    lower, upper = zip(*ends, strict=True)
    table = table_of(effect, se, lower=list(lower), upper=list(upper), programme="P")
    nodes = np.linspace(-5, 5, 61)[:, None]
    weight = stats.norm.pdf(nodes)[:, 0] * (nodes[1] - nodes[0])

    def likelihood(mean, spread, share):
        site = mean + spread * np.sqrt(share) * nodes
        own = np.sqrt(np.square(se)[:, None] + spread**2 * (1 - share))
        second = stats.norm.cdf((0.196 - site) / own[1]) - stats.norm.cdf((-0.196 - site) / own[1])
        first = stats.norm.pdf(-0.3, site, own[0]) if known else stats.norm.cdf((0 - site) / own[0])
        return weight @ (first * second)

    compared(quadrature(table, priors=register["priors"]).sel(outcome="care"), integrated(likelihood))


def test_two_evaluations_of_one_programme_say_less_than_two_programmes(register):
    apart = table_of([-0.3, -0.3], [0.02, 0.02])
    grids = [quadrature(t, priors=register["priors"]).sel(outcome="care") for t in (apart, apart.assign(programme="P"))]
    assert float(grids[1]["mean_effect_sd"]) > 1.05 * float(grids[0]["mean_effect_sd"])
    assert float(grids[0]["mean_effect_mean"]) < float(grids[1]["mean_effect_mean"]) - 0.005 < 0


def test_a_programme_seen_once_weighs_as_before(register):
    table, priors = table_of([-0.3, 0.1, 0.0], [0.1, 0.1, 0.05]), register["priors"].copy()
    before = quadrature(table, priors=priors)
    priors.loc[priors["parameter"] == "programme_share", ["arg1", "arg2"]] = [9.0, 1.0]
    xr.testing.assert_identical(quadrature(table, priors=priors), before)


def test_studies_of_one_programme_are_nested_and_an_extra_one_can_be(register):
    table = study_table(register, extra=extra_row(shared_programme="mst"))
    shared = table[table.duplicated(["outcome", "programme"], keep=False)]
    by = shared.groupby(["outcome", "programme"])["study"].apply(set).to_dict()
    assert by == {
        ("youth_justice", "mst"): {"START_CONV60", "BRANDON_OFF"},
        ("youth_justice", "supporting_families"): {"TF2_JUVCONV", "TF1_YOUTH_JUSTICE"},
        ("care", "mst"): {"START_OOHP", "NEW_ONE"},
        ("care", "family_nurse_partnership"): {"FNP2_CLA", "FNP_RW_CARE"},
    }


@pytest.mark.long
def test_selection_acts_on_each_study_of_a_programme(register):
    """Against a sum over sites of what selection leaves of each study's density."""
    effect, se, kept = np.array([-0.3, 0.1]), np.array([0.1, 0.1]), 0.3
    table = table_of(effect, se, programme="P")
    nodes = np.linspace(-5, 5, 61)[:, None]
    weight = stats.norm.pdf(nodes)[:, 0] * (nodes[1] - nodes[0])

    def likelihood(mean, spread, share):
        site, own = mean + spread * np.sqrt(share) * nodes, np.sqrt(0.1**2 + spread**2 * (1 - share))
        in_pool = kept + (1 - kept) * stats.norm.cdf((-0.196 - site) / own)
        return weight @ (stats.norm.pdf(-0.3, site, own) * stats.norm.pdf(0.1, site, own) * kept / in_pool**2)

    compared(quadrature(table, priors=register["priors"], selection=kept).sel(outcome="care"), integrated(likelihood))


@pytest.mark.long
def test_the_hierarchy_sampled_with_every_part_in_sight_agrees(register):
    """The same model with programmes and sites as parameters, non-centred, against the grid."""
    effect, se = np.array([-0.35, -0.2, 0.15]), np.array([0.08, 0.1, 0.06])
    table = table_of(effect, se).assign(programme=["P", "P", "Q"])
    with pm.Model() as model:
        mean, between = pm.Normal("mean_effect", 0, 0.2), pm.HalfNormal("between_sites", 0.25)
        share = pm.Beta("share", 2, 2)
        programme, site = pm.Normal("programme", 0, 1, shape=2), pm.Normal("site", 0, 1, shape=3)
        theta = mean + between * (pm.math.sqrt(share) * programme[[0, 0, 1]] + pm.math.sqrt(1 - share) * site)
        pm.Normal("found", theta, se, observed=effect)
    fit = nutpie.sample(
        nutpie.compile_pymc_model(model),
        draws=4000,
        tune=1500,
        chains=4,
        cores=2,
        seed=3,
        progress_bar=False,
        target_accept=0.98,
    )
    draws, grid = fit["posterior"].to_dataset(), quadrature(table, priors=register["priors"]).sel(outcome="care")
    for name in ("mean_effect", "between_sites"):
        assert float((draws[name].mean() - grid[f"{name}_mean"]) / grid[f"{name}_sd"]) == pytest.approx(0, abs=0.06)
        assert float(draws[name].std() / grid[f"{name}_sd"]) == pytest.approx(1, abs=0.05)


@pytest.fixture(scope="module")
def compiled(register):
    """One compilation, for the trials alone; every refit below reuses it."""
    return nutpie.compile_pymc_model(effects(study_table(register), priors=register["priors"]))


def sampled(compiled, **data):
    fit = nutpie.sample(
        compiled.with_data(**data), draws=1500, tune=800, chains=4, cores=2, seed=11, progress_bar=False
    )
    assert int(fit["sample_stats"]["diverging"].sum()) == 0
    return fit["posterior"].to_dataset()


@pytest.mark.long
@pytest.mark.parametrize("source", ["trials", "combined", "more_studies"])
def test_the_sampler_agrees_with_quadrature(register, posterior, compiled, source):
    mixed = source == "more_studies"
    table = study_table(register, mixed=mixed, extra=extra_row() if mixed else None)
    panel = panel_signal(posterior, spend_rise=RISE, **tables_of(register), reached_share=0.05)
    held = {"priors": register["priors"], "panel": panel if source == "combined" else None}
    draws, grid = sampled(compiled, **effect_data(table, **held)), quadrature(table, **held)
    for name in ("mean_effect", "between_sites"):
        # About 3,000 effective draws: Monte Carlo error 0.02 posterior sd, so 0.08 is four of them.
        gap = (draws[name].mean(("chain", "draw")) - grid[f"{name}_mean"]) / grid[f"{name}_sd"]
        assert float(abs(gap).max()) < 0.08
        ratio = draws[name].std(("chain", "draw")) / grid[f"{name}_sd"]
        assert float(abs(ratio - 1).max()) < 0.06
    spread = draws["new_site_effect"].std(("chain", "draw")) / grid["new_site_sd"]
    assert float(abs(spread - 1).max()) < 0.08


# the panel


def tables_of(register):
    return {"scales": register["outcome_scales"], "priors": register["priors"]}


def panel_by_hand(change, sd, share):
    values = {"log_rate_change": change, "log_rate_change_sd": sd, "bias_sd": 0.0, "reached_share": share}
    return xr.Dataset({key: ("outcome", np.full(4, float(value))) for key, value in values.items()}).assign_coords(
        outcome=list(EFFECT_OUTCOMES)
    )


@pytest.mark.parametrize(("sd", "share"), [(1e6, 0.3), (0.01, 1e-9)], ids=["knows nothing", "reaches nobody"])
def test_combined_is_the_trials_when_the_panel_says_nothing(register, sd, share):
    table = study_table(register)
    alone = quadrature(table, priors=register["priors"])
    both = quadrature(table, priors=register["priors"], panel=panel_by_hand(-0.02, sd, share))
    for name in ("mean_effect_mean", "mean_effect_sd", "between_sites_mean", "new_site_sd"):
        np.testing.assert_allclose(both[name], alone[name], atol=1e-6)


def test_a_sure_panel_that_reaches_everyone_decides(register):
    panel = panel_by_hand(math.log(0.9), 0.001, 1.0)
    both = quadrature(study_table(register), priors=register["priors"], panel=panel)["mean_effect_mean"]
    assert float(both.sel(outcome="care")) == pytest.approx(math.log(0.9), abs=0.001)
    # For attainment the panel speaks in log odds, the trials in standard deviations.
    assert float(both.sel(outcome="gcse_attainment")) == pytest.approx(math.log(0.9) / LOGISTIC_SD, abs=0.001)


def test_the_panel_weighs_with_the_prior_as_normals_do(register):
    # Attainment is linear on its scale, so the posterior is the conjugate normal.
    change, sd, share, prior_sd = -0.03, 0.04, 0.4, 0.1
    table = table_of([-0.4], [0.1], outcome="care")
    panel = panel_by_hand(change, sd, share)
    grid = quadrature(table, priors=register["priors"], panel=panel).sel(outcome="gcse_attainment")
    slope = share * math.pi / math.sqrt(3)
    precision = 1 / prior_sd**2 + (slope / sd) ** 2
    assert float(grid["mean_effect_mean"]) == pytest.approx(slope * change / sd**2 / precision, rel=1e-3)
    assert float(grid["mean_effect_sd"]) == pytest.approx(precision**-0.5, rel=1e-3)


def test_the_panel_turns_slopes_into_changes_of_the_rate(register, posterior):
    scales = register["outcome_scales"].set_index("outcome")
    panel = panel_signal(posterior, spend_rise=RISE, **tables_of(register), reached_share=0.05)
    slope, change = posterior["spend_within"].isel(chain=1, draw=7), panel["change"].isel(chain=1, draw=7)
    step = math.log(1.1)
    assert float(change.sel(outcome="care")) == pytest.approx(float(slope.sel(indicator="care_starts")) * step)
    base = scales.loc["repeat_referrals", "base_rate"]
    odds = base / (1 - base) * math.exp(float(slope.sel(indicator="rereferrals")) * step)
    expected = math.log(odds / (1 + odds) / base)
    assert float(change.sel(outcome="repeat_referrals")) == pytest.approx(expected)
    # MODEL: 0.1 of the rise in log spending, the bias of an association taken for an effect.
    np.testing.assert_allclose(panel["bias_sd"], 0.1 * step)
    row = (register["priors"]["parameter"] == "panel_bias").to_numpy()
    priors = register["priors"].assign(arg1=lambda t: t["arg1"].mask(row, 0.3), arg2=lambda t: t["arg2"].mask(row, 0.2))
    doubted = panel_signal(posterior, spend_rise=RISE, **(tables_of(register) | {"priors": priors}), reached_share=0.05)
    np.testing.assert_allclose(doubted["bias_sd"], 0.2 * step)
    np.testing.assert_allclose(doubted["log_rate_change"], panel["log_rate_change"] - 0.3 * step)


@pytest.mark.parametrize("share", [0.0, 1.5, math.nan, {"care": 0.1}])
def test_a_share_that_is_none_is_refused(register, posterior, share):
    with pytest.raises(InputError, match="reached_share"):
        panel_signal(posterior, spend_rise=RISE, **tables_of(register), reached_share=share)


def test_a_posterior_without_an_indicator_is_refused(register, posterior):
    with pytest.raises(InputError, match="no indicator 'care_starts'"):
        panel_signal(
            posterior.isel(indicator=slice(3)),
            spend_rise=RISE,
            **tables_of(register),
            reached_share=0.1,
        )


# draws


@pytest.fixture(scope="module")
def drawn(register, posterior):
    return effect_draws(
        register, spend_rise=RISE, like=posterior, reached_share=0.05, seed=3, outcome_posterior=posterior
    )


def test_draws_carry_the_labels_of_the_posterior(drawn, posterior):
    assert drawn["new_site_effect"].dims == ("chain", "draw", "source", "outcome")
    assert list(drawn["outcome"].values) == list(EFFECT_OUTCOMES)
    for dim in ("chain", "draw"):
        assert drawn.indexes[dim].equals(posterior.indexes[dim])
    assert all(bool(np.isfinite(drawn[name]).all()) for name in drawn)


def test_the_draws_are_the_posterior(register, drawn):
    grid = quadrature(study_table(register), priors=register["priors"])
    trials = drawn.sel(source="trials")
    over = ("chain", "draw")
    # 2,000 independent draws: a mean errs by 0.022 posterior sd, an sd by about 0.016 of itself.
    assert (
        float((abs(trials["mean_effect"].mean(over) - grid["mean_effect_mean"]) / grid["mean_effect_sd"]).max()) < 0.09
    )
    assert float(abs(trials["mean_effect"].std(over) / grid["mean_effect_sd"] - 1).max()) < 0.07
    assert float(abs(trials["new_site_effect"].std(over) / grid["new_site_sd"] - 1).max()) < 0.08


def test_harm_is_possible_and_the_new_site_wider_than_the_mean(drawn):
    for outcome in ("repeat_referrals", "youth_justice", "care"):
        assert float((drawn["new_site_effect"].sel(outcome=outcome) > 0).mean(("chain", "draw")).min()) > 0.05
    assert bool((drawn["new_site_effect"].std(("chain", "draw")) > drawn["mean_effect"].std(("chain", "draw"))).all())


def test_the_panel_source_is_the_association_over_the_share_reached(drawn, posterior):
    slope = posterior["spend_within"].sel(indicator="care_starts", drop=True)
    ours = drawn["mean_effect"].sel(source="panel", outcome="care", drop=True)
    np.testing.assert_allclose(ours, slope * math.log(1.1) / 0.05)
    slope = posterior["spend_within"].sel(indicator="gcse_grade_4", drop=True)
    ours = drawn["mean_effect"].sel(source="panel", outcome="gcse_attainment", drop=True)
    np.testing.assert_allclose(ours, slope * math.log(1.1) / 0.05 / LOGISTIC_SD)


def test_judgement_draws_follow_their_table(drawn):
    # Evidence notes on effects, later additions: care Normal(-0.07, 0.15) for broad early help.
    care = drawn["mean_effect"].sel(source="judgement", outcome="care")
    assert float(care.mean()) == pytest.approx(-0.07, abs=4 * 0.15 / math.sqrt(2000))
    assert float(care.std()) == pytest.approx(0.15, rel=0.08)


def test_sources_share_their_luck(register, posterior, drawn):
    """A panel that hardly reaches anyone leaves `combined` draw for draw where the trials are."""
    same = effect_draws(
        register,
        spend_rise=RISE,
        like=posterior,
        reached_share=1e-9,
        seed=3,
        outcome_posterior=posterior,
        sources=["trials", "combined"],
    )["new_site_effect"]
    np.testing.assert_allclose(same.sel(source="combined"), same.sel(source="trials"), atol=1e-5)
    np.testing.assert_array_equal(same.sel(source="trials"), drawn["new_site_effect"].sel(source="trials"))


def test_a_data_tree_will_do_and_the_panel_needs_one(register, posterior, drawn):
    tree = xr.DataTree.from_dict({"/posterior": posterior})
    again = effect_draws(register, spend_rise=RISE, like=tree, reached_share=0.05, seed=3, outcome_posterior=tree)
    xr.testing.assert_identical(again, drawn)
    with pytest.raises(InputError, match="need the outcome model"):
        effect_draws(register, spend_rise=RISE, like=posterior, reached_share=0.05, seed=3)
    with pytest.raises(InputError, match=r"sources: .*'hearsay'"):
        effect_draws(register, spend_rise=RISE, like=posterior, reached_share=0.05, seed=3, sources=["hearsay"])
    with pytest.raises(InputError, match="dimension 'draw'"):
        effect_draws(
            register,
            spend_rise=RISE,
            like=posterior.isel(draw=slice(9)),
            reached_share=0.05,
            seed=3,
            outcome_posterior=posterior,
        )


@pytest.mark.parametrize(
    ("first", "second", "together"), [(1.0, 1.0, 1.0), (0.25, 1.0, 0.5), (0.25, 0.25, 0.25), (0, 0, 0)]
)
def test_two_programmes_share_their_sites_luck_as_far_as_is_asked(register, posterior, drawn, first, second, together):
    def luck(shared, name):
        found = effect_draws(
            register,
            spend_rise=RISE,
            like=posterior,
            reached_share=0.05,
            seed=3,
            outcome_posterior=posterior,
            luck=(shared, name),
        )
        xr.testing.assert_identical(found["mean_effect"], drawn["mean_effect"])  # one body of evidence
        deviations = (found["new_site_effect"] - found["mean_effect"]) / found["between_sites"]
        return found, deviations.sel(source="trials", drop=True)

    (one, ours), (_, theirs) = luck(first, "family help"), luck(second, "edge of care")
    assert float(xr.corr(ours, theirs)) == pytest.approx(together, abs=4 / np.sqrt(ours.size))
    assert (
        float(ours.std()) == pytest.approx(1, abs=0.05) and float(xr.corr(ours, luck(first, "family help")[1])) > 0.999
    )
    if first == 1:
        xr.testing.assert_identical(one, drawn)


def test_a_share_of_luck_is_between_none_and_all(register, posterior):
    with pytest.raises(InputError, match=r"luck: 1\.2 is not a share"):
        effect_draws(
            register, spend_rise=RISE, like=posterior, reached_share=0.05, seed=3, sources=["trials"], luck=(1.2, "x")
        )
