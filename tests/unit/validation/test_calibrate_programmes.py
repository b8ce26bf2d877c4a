"""Calibration of the effects by programme: truth as the priors say, findings that fit it, a wrong sampler seen."""

import math
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

from toolkit import evidence
from toolkit.models.effects.hierarchy import sample_programmes
from toolkit.models.effects.programme_studies import programme_studies
from toolkit.validation import calibrate_programmes
from toolkit.validation.calibrate_programmes import lkj, programmes_replication, simulated
from toolkit.validation.calibration import LEAST_P
from toolkit.validation.joint_test import joint_test


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    return evidence.load_register().tables


@pytest.fixture(scope="module")
def studies(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    return programme_studies(tables)


@pytest.fixture(scope="module")
def many(tables: dict[str, pd.DataFrame], studies: pd.DataFrame) -> list[tuple[xr.Dataset, pd.DataFrame]]:
    random = np.random.default_rng(11)
    return [simulated(studies, tables["programmes"], tables["priors"], random) for _ in range(400)]


def uniform(values: list[float]) -> float:
    return float(stats.kstest(values, "uniform").pvalue)


@pytest.mark.parametrize(("size", "row", "column"), [(4, 1, 0), (4, 3, 2), (3, 2, 0)])
def test_each_correlation_has_its_known_distribution(size: int, row: int, column: int) -> None:
    """Of LKJ(eta) in d dimensions, (r + 1) / 2 is beta with both shapes eta + d / 2 - 1."""
    random, eta = np.random.default_rng(2), 4.0
    drawn = [lkj(size, eta, random)[row, column] for _ in range(2000)]
    shape = eta + size / 2 - 1
    assert uniform(list(stats.beta.cdf((np.array(drawn) + 1) / 2, shape, shape))) > LEAST_P


def test_a_correlation_matrix_is_one() -> None:
    matrix = lkj(4, 1.0, np.random.default_rng(4))
    assert np.diagonal(matrix) == pytest.approx(np.ones(4)) and np.allclose(matrix, matrix.T)
    assert np.linalg.eigvalsh(matrix).min() > 0


def test_true_values_follow_their_priors(many: list[tuple[xr.Dataset, pd.DataFrame]]) -> None:
    """Rows of priors.csv: mean of care N(0, 0.2); spread between types half-normal 0.15, of GCSEs a quarter of it."""
    truth = [drawn.squeeze() for drawn, _ in many]
    means = [float(drawn["mean_effect"].sel(outcome="care")) for drawn in truth]
    assert uniform(list(stats.norm.cdf(means, 0, 0.2))) > LEAST_P
    sizes = np.array([drawn["spread"].sel(level="type", outcome=["care", "gcse_attainment"]) for drawn in truth])
    assert uniform(list(stats.halfnorm.cdf(sizes[:, 0], 0, 0.15))) > LEAST_P
    assert sizes[:, 1] == pytest.approx(sizes[:, 0] / 4)
    standard = [
        float((drawn["type_effect"] - drawn["mean_effect"]).sel(programme_type="school", outcome="care")) / size
        for drawn, size in zip(truth, sizes[:, 0], strict=True)
    ]
    assert uniform(list(stats.norm.cdf(standard))) > LEAST_P


def test_a_study_keeps_its_kind_of_finding(studies: pd.DataFrame, many: list[tuple[xr.Dataset, pd.DataFrame]]) -> None:
    shipped, missing = studies.drop(columns=["effect", "lower", "upper"]), studies["effect"].isna()
    kinds: dict[str, set[tuple[float, float]]] = {name: set() for name in studies.loc[missing, "study"]}
    for _, found in many:
        pd.testing.assert_frame_equal(found.drop(columns=["effect", "lower", "upper"]), shipped)
        assert found["effect"].isna().equals(missing)
        for row in found[missing].itertuples():
            kinds[str(row.study)].add((row.lower, row.upper))
    beyond = {(-math.inf, -1.96), (-1.96, 1.96), (1.96, math.inf)}
    assert kinds["SOS_REREF"] == kinds["SWIS_ATT"] == beyond
    assert kinds["BRANDON_OFF"] == kinds["DWPIF_QUAL"] == {(-math.inf, 0.0), (0.0, math.inf)}


def test_numbers_lie_around_what_was_true(studies: pd.DataFrame, many: list[tuple[xr.Dataset, pd.DataFrame]]) -> None:
    """The conferencing trial has no bias and a known error, 0.0796; evaluations differ by their spread."""
    row = studies.index[studies["study"] == "FGC_LAC_HAZ"][0]
    standard = []
    for truth, found in many:
        drawn = truth.squeeze().sel(outcome="care")
        gap = found.loc[row, "effect"] - float(drawn["programme_effect"].sel(programme="family_group_conference"))
        standard.append(gap / math.hypot(0.0796, float(drawn["spread"].sel(level="study"))))
    assert uniform(list(stats.norm.cdf(standard))) > LEAST_P


def test_errors_known_by_a_bound_lie_below_it(tables: dict[str, pd.DataFrame], studies: pd.DataFrame) -> None:
    """Without effects or bias the mean square of a number is that of its error: a log-normal cut at its bound."""
    flat = tables["priors"].copy()
    spreads = flat["parameter"].str.startswith(("mu_", "tau_")) & (flat["model"] == "programmes")
    flat.loc[spreads, "arg2"] = flat.loc[spreads, "arg2"].where(flat["arg2"].isna(), 1e-9)
    flat.loc[spreads & (flat["distribution"] == "half_normal"), "arg1"] = 1e-9
    plain = studies[studies["study"] == "YC_CRIME"].assign(bias_mean=0.0, bias_sd=0.0).reset_index(drop=True)
    random = np.random.default_rng(8)
    drawn = np.array(
        [simulated(plain, tables["programmes"], flat, random)[1].loc[0, "effect"] for _ in range(400)], float
    )
    se, spread, most = plain.loc[0, ["se", "se_log_sd", "se_most"]].astype(float)
    cut = math.log(most / se) / spread
    square = se**2 * math.exp(2 * spread**2) * stats.norm.cdf(cut - 2 * spread) / stats.norm.cdf(cut)
    assert square < most**2
    assert np.mean(drawn**2) == pytest.approx(square, rel=0.3)  # four standard errors of a mean of squares


@pytest.mark.parametrize(
    ("programme", "outcome", "first", "second"),
    [("family_group_conference", "care", 6, 2), ("safecare", "care", 2, 2), ("sure_start", "youth_justice", 6, 2)],
)
def test_the_used_effect_is_what_survives_and_the_site(
    many: list[tuple[xr.Dataset, pd.DataFrame]], programme: str, outcome: str, first: int, second: int
) -> None:
    """Beta(6, 2) where an independent study is from the UK: on average 0.75 of the effect; else Beta(2, 2): half."""
    truth = [drawn.squeeze().sel(programme=programme, outcome=outcome) for drawn, _ in many]
    used, effect, served = (
        np.array([float(drawn[name]) for drawn in truth]) for name in ("used_effect", "programme_effect", "take_up")
    )
    spread = np.array([float(drawn["spread"].sel(level="study")) for drawn in truth])
    mean, total = first / (first + second), first + second
    sd = np.hypot(effect * math.sqrt(mean * (1 - mean) / (total + 1)), spread)
    standard, slope = (used / served - mean * effect) / sd, effect / sd
    error = 1 / math.sqrt((slope**2).sum())  # of the share that a regression through nought would add to the mean
    assert abs((standard * slope).sum() * error**2) < 4 * error < 0.2
    assert np.mean(standard**2) == pytest.approx(1, abs=0.3)  # four standard errors
    assert (served == 1).all() == (programme != "sure_start")


def surer(studies: pd.DataFrame, *rest: pd.DataFrame, share: float, **settings: Any) -> xr.Dataset:
    """Sample as if every study had this share of its error."""
    return sample_programmes(studies.assign(se=studies["se"] * share), *rest, **settings)


@pytest.mark.long
def test_few_replications_pass_and_a_wrong_sampler_is_noticed(
    tables: dict[str, pd.DataFrame], studies: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where errors decide, a sampler that takes a quarter of them fails: its 90% intervals cover a third of the truth.

    Programmes hardly differ and their mean is all but unknown, so that a mean is as sure as its studies; few particles
    and studies with known errors alone, for speed. A quarter of 1.645 deviations is 0.41, which covers 0.32.
    """
    monkeypatch.setattr(calibrate_programmes, "RUNS", ({"particles": 1_000}, {"particles": 4_000}))
    few = studies[studies["se_log_sd"].eq(0) & studies["effect"].notna()].assign(bias_sd=0.0).reset_index(drop=True)
    assert len(few) > 8
    priors = tables["priors"].copy()
    rows, names = priors["model"] == "programmes", priors["parameter"]
    priors.loc[rows & names.str.startswith("mu_"), "arg2"] = 1.0
    priors.loc[rows & names.str.startswith("tau_"), "arg1"] = 0.001
    found, means = {}, {}
    for share in (1.0, 0.25):
        sampler = partial(surer, share=share)
        one = programmes_replication(few, tables["programmes"], priors, sampler=sampler)
        drawn = [one(at, stream)[0] for at, stream in enumerate(np.random.default_rng(5).spawn(80))]
        found[share] = joint_test(drawn, model="m", seed=1).iloc[0]
        ranks = np.array([[ranks["mean_effect", name] for name in few["outcome"].unique()] for ranks in drawn])
        means[share] = float((abs(ranks - 0.5) < 0.45).mean())
    assert found[1.0]["verdict"] == "passed"
    assert found[0.25]["verdict"] == "failed"
    assert means[1.0] == pytest.approx(0.9, abs=0.07) and means[0.25] == pytest.approx(0.32, abs=0.11)


def test_the_committed_calibration_passed() -> None:
    table = evidence.load_table("reference/calibration_programmes")
    assert (table["replications"] >= 500).all()
    assert set(table["verdict"]) == {"passed"}
    assert table["coverage_90"].between(0.85, 0.95).all()
    kinds = table.groupby("parameter").size()
    assert set(kinds.index) == {
        *("mean_effect", "spread", "take_up"),
        *("type_effect", "programme_effect", "used_effect", "joint_test"),
    }
    assert kinds["mean_effect"] == 4 and kinds["spread"] == kinds["take_up"] == 3 and kinds["joint_test"] == 1
    studies = programme_studies(evidence.load_register().tables)
    assert kinds["used_effect"] == kinds["programme_effect"] == len(studies[["programme", "outcome"]].drop_duplicates())
