"""Selection, power-scaling, calibration and the honest reading of the effects."""

import arviz as az
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats
from toolkit.models.effects.grid import quadrature
from toolkit.models.effects.new_studies import changed_priors, read_studies
from toolkit.models.effects.studies import study_table

from toolkit import evidence, models
from toolkit.models.effects.scales import to_common_scale
from toolkit.models.unit_costs.pooled import rival_estimates
from toolkit.schema import EFFECT_OUTCOMES, InputError
from toolkit.validation.calibrate_small_models import effects_replication, pools_replication
from toolkit.validation.calibration import calibrate

INDICATORS = ["rereferrals", "first_time_entrants", "gcse_grade_4", "care_starts"]


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    return evidence.load_register().tables


@pytest.fixture(scope="module")
def studies(tables) -> pd.DataFrame:
    return study_table(tables)


@pytest.fixture(scope="module")
def posterior() -> xr.Dataset:
    random = np.random.default_rng(5)
    slopes = random.normal([-0.02, -0.05, 0.02, 0.04], [0.04, 0.05, 0.05, 0.04], (4, 500, 4))
    coords = {"chain": range(4), "draw": range(500), "indicator": INDICATORS}
    return xr.Dataset({"spend_within": (("chain", "draw", "indicator"), slopes)}, coords=coords)


def one_study(effect: float, se: float, *, lower: float = np.nan, upper: float = np.nan) -> pd.DataFrame:
    row = {"outcome": "care", "study": "S", "scale": "log_risk_ratio", "effect": effect, "se": se, "se_log_sd": 0.0}
    row["programme"] = str((effect, se, lower, upper))  # its own
    return pd.DataFrame([row | {"bias_mean": 0.0, "bias_sd": 0.0, "lower": lower, "upper": upper}])


def pool(rows: pd.DataFrame, tables, **options) -> xr.Dataset:
    return quadrature(rows, priors=tables["priors"], **options).sel(outcome="care")


# selection


def test_a_chance_of_one_is_no_selection(studies, tables):
    plain, same = (quadrature(studies, priors=tables["priors"], selection=kept) for kept in (None, 1.0))
    xr.testing.assert_identical(plain, same)


@pytest.mark.parametrize("effect", [-0.1, -0.3])
def test_one_selected_study_has_the_density_of_a_weighted_normal(tables, effect):
    """Against a fine sum over mean and spread of the selected density, written apart."""
    se, kept = 0.1, 0.3
    mean, between = np.linspace(-1.2, 1.2, 1201)[:, None], np.linspace(0.0005, 1.4, 700)
    sd = np.hypot(se, between)
    reached = stats.norm.cdf((-1.96 * se - mean) / sd)
    weight = 1.0 if effect / se < -1.95 else kept
    density = weight * stats.norm.pdf(effect, mean, sd) / (reached + kept * (1 - reached))
    density *= stats.norm.pdf(mean, 0, 0.2) * stats.halfnorm.pdf(between, scale=0.25)
    expected = float((density * mean).sum() / density.sum())
    found = pool(one_study(effect, se), tables, selection=kept)
    assert float(found["mean_effect_mean"]) == pytest.approx(expected, abs=2e-3)


def test_selection_draws_a_significant_benefit_to_zero_and_leaves_a_null_alone(tables):
    benefit = one_study(-0.3, 0.1)
    means = [float(pool(benefit, tables, selection=kept)["mean_effect_mean"]) for kept in (None, 0.5, 0.1)]
    assert means[0] < means[1] - 0.01 < means[2] - 0.02 < 0
    # A null is less likely to be seen the larger the benefit anyway; that it was seen says so all the more.
    null = one_study(np.nan, 0.1, lower=-1.96, upper=1.96)
    shift = [float(pool(null, tables, selection=kept)["mean_effect_mean"]) for kept in (None, 0.2)]
    assert shift[1] >= shift[0] - 1e-9


def test_a_direction_alone_may_hide_a_significant_benefit(tables):
    """Its chance is that of a significant benefit plus the kept part of the rest."""
    kept, se = 0.4, 0.1
    found = pool(one_study(np.nan, se, lower=-50.0, upper=0.0), tables, selection=kept)
    mean, between = np.linspace(-1.2, 1.2, 1201)[:, None], np.linspace(0.0005, 1.4, 700)
    sd = np.hypot(se, between)
    surely, below = stats.norm.cdf((-1.96 * se - mean) / sd), stats.norm.cdf(-mean / sd)
    density = (surely + kept * (below - surely)) / (surely + kept * (1 - surely))
    density = density * stats.norm.pdf(mean, 0, 0.2) * stats.halfnorm.pdf(between, scale=0.25)
    assert float(found["mean_effect_mean"]) == pytest.approx(float((density * mean).sum() / density.sum()), abs=2e-3)


def test_the_prior_of_selection_lies_between_its_ends(studies, tables):
    sets = [quadrature(studies, priors=tables["priors"], selection=kept) for kept in (None, "prior", 0.1)]
    care = [float(found["mean_effect_mean"].sel(outcome="care")) for found in sets]
    assert care[0] < care[1] < care[2]


@pytest.mark.parametrize("selection", [0.0, -1, 1.2, "severe"])
def test_a_selection_that_is_no_chance_is_refused(studies, tables, selection):
    with pytest.raises(InputError, match=r"selection: .* is not a chance"):
        quadrature(studies, priors=tables["priors"], selection=selection)


# how far it rests on the prior


def test_power_scaling_agrees_with_arviz_on_draws(tables):
    """The exact sensitivities against ArviZ's importance-weighted ones on draws from the same grid."""
    grid = quadrature(one_study(-0.3, 0.1), priors=tables["priors"])
    held = grid.sel(outcome="care")
    weight = held["weight"].to_numpy().ravel()
    random = np.random.default_rng(2)
    at = random.choice(weight.size, (4, 1000), p=weight / weight.sum())
    step = float(held["mean_effect"][1] - held["mean_effect"][0])
    mean = held["mean_effect"].to_numpy()[at // held.sizes["between_point"]] + step * (random.random(at.shape) - 0.5)
    tree = az.from_dict(
        {
            "posterior": {"mean_effect": mean},
            "log_prior": {"p": held["log_prior"].to_numpy().ravel()[at]},
            "log_likelihood": {"l": held["log_likelihood"].to_numpy().ravel()[at][..., None]},
        }
    )
    exact = models.power_scaling(grid).loc["care"]
    for group in ("prior", "likelihood"):
        assert float(az.psense(tree, group=group)["mean_effect"]) == pytest.approx(exact[group], abs=0.01)


def test_a_pool_without_studies_rests_on_its_prior_and_a_sure_one_on_its_data(tables):
    sensitive = models.power_scaling(quadrature(one_study(-0.3, 0.02), priors=tables["priors"]))
    assert sensitive.loc["youth_justice", "diagnosis"] == "rests on the prior"
    assert sensitive.loc["youth_justice", "likelihood"] == pytest.approx(0, abs=1e-6)
    weak = models.power_scaling(quadrature(one_study(-0.3, 5.0), priors=tables["priors"]))
    assert weak.loc["care", "prior"] > 10 * weak.loc["care", "likelihood"]


def test_the_reading_says_what_the_parts_say(tables, posterior):
    share = dict.fromkeys(EFFECT_OUTCOMES, 0.05)
    found = models.evidence_summary(tables, outcome_posterior=posterior, reached_share=share, spend_rise=0.1)
    assert list(found.index) == list(EFFECT_OUTCOMES)
    assert found["studies"].to_dict() == {"repeat_referrals": 2, "youth_justice": 4, "gcse_attainment": 3, "care": 3}
    assert found["nulls"].to_dict() == {"repeat_referrals": 1, "youth_justice": 4, "gcse_attainment": 2, "care": 2}
    grid = quadrature(study_table(tables), priors=tables["priors"])
    assert found.loc["care", "trials"] == pytest.approx(float(np.expm1(grid["mean_effect_mean"].sel(outcome="care"))))
    # 0.04 per unit of log spend, at a rise of a tenth.
    assert found.loc["care", "panel"] == pytest.approx(np.expm1(0.04 * np.log(1.1)), abs=2e-4)
    assert ((found["trials_prior_ratio"] > 0) & (found["trials_prior_ratio"] < 1)).all()
    assert (found["trials_low"] < found["trials"]).all()
    assert (found["trials"] < found["trials_high"]).all()
    assert "worse outcomes" in found.loc["care", "reading"]
    assert "better outcomes" in found.loc["youth_justice", "reading"]
    none = models.evidence_summary(
        tables, outcome_posterior=posterior, reached_share=share, spend_rise=0.1, exclude=["SWIS_S47"]
    )
    assert none.loc["repeat_referrals", "studies"] == 1


# calibration


@pytest.mark.long
@pytest.mark.parametrize("selection", [None, "prior"])
def test_few_replications_of_the_effects_are_calibrated(studies, tables, selection):
    one = effects_replication(studies.query("outcome == 'youth_justice'"), tables["priors"], selection=selection)
    found = calibrate(one, replications=60, seed=3, model="effects")
    assert (found["p_value"] > 0.001).all()
    assert len(found) == 2


def test_few_replications_of_the_pools_are_calibrated(tables):
    rows = rival_estimates(evidence.load_register())
    found = calibrate(
        pools_replication(rows, tables["priors"], prior_model="cost_pools"), replications=80, seed=3, model="cost_pools"
    )
    assert (found["p_value"] > 0.001).all()
    assert len(found) == 2 * rows["pool"].nunique() + 1


def test_the_committed_calibration_passed_a_thousand_times():
    table = evidence.load_table("reference/calibration_small_models")
    assert (table["replications"] >= 1000).all()
    assert (table["verdict"] == "passed").all()
    assert table["coverage_90"].between(0.86, 0.94).all()
    assert set(table["model"]) == {
        *("effects", "effects, combined", "effects, selection"),
        *("cost_pools", "price_growth"),
    }


# new evidence from files


def rate_of(tables, outcome):
    return float(tables["outcome_scales"].set_index("outcome").loc[outcome, "base_rate"])


GOOD = {
    "outcome": "care",
    "effect_id": "NEW",
    "programme_family": "m",
    "design": "rct",
    "scale": "log_risk",
    "est": "-0.1",
    "se": "0.1",
}


@pytest.mark.parametrize(
    ("cells", "says"),
    [
        ({"est": "a fifth"}, r"line 2, column 'est': 'a fifth' is not a number"),
        ({"se": ""}, r"line 2, column 'se': blank where a number is needed"),
        ({"low": "-0.05", "high": "0.2"}, r"line 2: estimate -0.1 lies outside its interval"),
        (
            {"scale": "odds_ratio", "est": "0.80", "se": "0.01", "low": "0.66", "high": "0.97"},
            r"line 2: standard error 0.01 contradicts .* at 95% implies 0.0982 of the logarithm",
        ),
        ({"low": "-0.3", "high": "0.1", "interval_level": "0.9"}, r"line 2: .* at 90% implies 0.122\."),
        ({"low": "-0.3"}, r"line 2: the interval has only one end"),
        (
            {"scale": "odds_ratio", "est": "0.1", "low": "-0.3", "high": "0.4"},
            r"line 2: -0.3 to 0.4 is not an interval",
        ),
        ({"se": "1e308"}, r"line 2, column 'se': '1e308' is not between 0.001 and 10"),
        ({"se": "1e-12"}, r"line 2, column 'se': '1e-12' is not between 0.001 and 10"),
        ({"include": ""}, r"line 2, column 'include': blank where"),
        ({"include": "0.5"}, r"line 2: include is neither 1 nor 0"),
        ({"include": "0"}, r"extra studies: none is included"),
        ({"effect_id": " "}, r"study in row 1: effect_id is blank"),
        ({"effect_id": "START_OOHP"}, r"START_OOHP: the evidence already has a study with this id"),
        ({"design": "pre_post"}, r"NEW: would not be used \(design pre_post is not admitted"),
        ({"programme_family": "family_group_conference"}, r"NEW: would not be used \(only in the pool of a mixed"),
        ({"scale": "odds_ratio", "est": "70"}, r"NEW: odds_ratio 70.0 looks like a percentage"),
        ({"scale": "risk_difference", "est": "1.4"}, r"NEW: risk_difference 1.4 takes a base rate of .*not a rate"),
        (
            {"outcome": "repeat_referrals", "do_not_pool": "family_nurse_referrals"},
            r"NEW and FNP2_NREF: must not be pooled together|FNP2_NREF and NEW: must not be pooled together",
        ),
    ],
)
def test_a_bad_file_of_studies_is_refused_by_name(tables, tmp_path, cells, says):
    file = tmp_path / "new.csv"
    pd.DataFrame([GOOD | cells]).to_csv(file, index=False)
    with pytest.raises(InputError, match=rf"{says}.*(Fix|Fix)"):
        study_table(tables, extra=read_studies(file))


def test_a_standard_error_that_its_interval_implies_is_used(tables, tmp_path):
    """The published interval 0.66 to 0.97 of an odds ratio: log(0.97 / 0.66) / (2 x 1.96) = 0.0982."""
    file = tmp_path / "new.csv"
    row = GOOD | {"scale": "odds_ratio", "est": "0.80", "se": "0.098", "low": "0.66", "high": "0.97", "include": "1"}
    pd.DataFrame([row, row | {"effect_id": "SECOND", "include": "0"}]).to_csv(file, index=False)
    found = study_table(tables, extra=read_studies(file)).set_index("study")
    log_odds = to_common_scale(0.80, 0.098, "odds_ratio", "care", rate_of(tables, "care"))
    assert (found.loc["NEW", "effect"], found.loc["NEW", "se"]) == pytest.approx(log_odds)
    assert "SECOND" not in found.index


def test_a_standard_error_of_the_evidence_agrees_with_its_cited_interval(tables):
    wrong = tables["meta_ready"].copy()
    wrong.loc[wrong["effect_id"] == "START_CONV60", "se"] = 0.1
    with pytest.raises(InputError, match=r"START_CONV60: standard error 0.1 .* implies 0.164 of the logarithm"):
        study_table({**tables, "meta_ready": wrong})
    wrong.loc[wrong["effect_id"] == "START_CONV60", "se"] = 0.164
    wrong.loc[wrong["effect_id"] == "FNP_KS1", "se"] = 0.11  # of the odds ratio, not of the standardised difference
    with pytest.raises(InputError, match=r"FNP_KS1: standard error 0.11 .* implies 0.0607"):
        study_table({**tables, "meta_ready": wrong})


def test_a_file_without_columns_or_rows_is_refused(tmp_path):
    file = tmp_path / "new.csv"
    file.write_text("outcome,est\ncare,0.1\n")
    with pytest.raises(InputError, match=r"no column design"):
        read_studies(file)
    with pytest.raises(InputError, match="no such file"):
        read_studies(tmp_path / "none.csv")


def test_a_changed_prior_replaces_its_row_and_no_other(tables, tmp_path):
    file = tmp_path / "priors.csv"
    file.write_text("model,parameter,distribution,arg1,arg2\neffects,tau_care,halfnormal,0.5,\n")
    changed = changed_priors(tables["priors"], file)
    assert len(changed) == len(tables["priors"])
    assert changed.set_index(["model", "parameter"]).loc[("effects", "tau_care"), "arg1"] == 0.5
    others = [frame.query("parameter != 'tau_care'").reset_index(drop=True) for frame in (changed, tables["priors"])]
    pd.testing.assert_frame_equal(*others)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("effects,tau_car,halfnormal,0.5,", "matches no prior"),
        ("effects,tau_care,halfnormal,-0.5,", "must be above 0"),
        ("effects,tau_care,halfnormal,wide,", "line 2, column 'arg1': 'wide' is not a number"),
        ("effects,tau_care,halfnormal,0.5,0.5", "takes one number"),
        ("effects,tau_care,uniform,0.1,0.5", "change the numbers only"),
        ("effects,mu_log_risk_ratio,normal,0,-0.1", "must be above 0"),
    ],
)
def test_a_prior_that_cannot_be_is_refused(tables, tmp_path, row, message):
    file = tmp_path / "priors.csv"
    file.write_text(f"model,parameter,distribution,arg1,arg2\n{row}\n")
    with pytest.raises(InputError, match=message):
        changed_priors(tables["priors"], file)


def test_the_reading_says_how_far_the_spread_between_sites_is_its_prior(tables, posterior):
    share = dict.fromkeys(EFFECT_OUTCOMES, 0.05)
    found = models.evidence_summary(tables, outcome_posterior=posterior, reached_share=share, spend_rise=0.1)
    kept = found.loc["care", "between_prior_ratio"]
    # A half-normal prior has a standard deviation of sqrt(1 - 2 / pi) times its scale.
    scale = float(tables["priors"].set_index("parameter").loc["tau_care", "arg1"])
    grid = quadrature(study_table(tables), priors=tables["priors"])  # as good as without the panel
    expected = float(grid["between_sites_sd"].sel(outcome="care")) / (scale * np.sqrt(1 - 2 / np.pi))
    assert kept == pytest.approx(expected, rel=0.05)
    said = found.loc["care", "reading"]
    assert "the combined effect's mean rests on the data, but a new site's effect also depends on the spread" in said
    assert f"which is mostly its prior and keeps {kept:.0%} of that prior's spread" in said
