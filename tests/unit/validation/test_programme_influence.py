"""How far each study and the prior move the effects of programmes, against closed forms."""

import math

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

from toolkit.models.effects.hierarchy import sample_programmes
from toolkit.models.effects.programme_priors import LEVELS
from toolkit.models.effects.programme_studies import OPEN
from toolkit.schema import EFFECT_OUTCOMES, SAMPLE_DIMS, InputError
from toolkit.validation.programme_influence import distance, leave_one_out, power_scaling_of_programmes

PROGRAMMES = pd.DataFrame({"programme": ["alpha", "beta"], "programme_type": ["worker", "school"]})
LIKE = xr.Dataset(coords={"chain": range(4), "draw": range(1000)})
TINY = 1e-6
KINDS = ("event", "attainment")


def priors(between):
    """A prior of N(0, 0.2) on help in general (half of that for attainment), and spreads of ``between``."""
    rows = [("mu_event", "normal", 0, 0.2), ("mu_attainment", "normal", 0, 0.1)]
    rows += [(f"tau_{level}_{kind}", "half_normal", between, np.nan) for level in LEVELS for kind in KINDS]
    rows += [("outcome_correlation", "lkj", 4, np.nan), ("bias_correlation", "fixed", 0.5, np.nan)]
    return pd.DataFrame(rows, columns=["parameter", "distribution", "arg1", "arg2"]).assign(model="programmes")


def table_of(*rows):
    plain = {"programme": "alpha", "outcome": "care", "effect": np.nan, "se": 0.1, "se_log_sd": 0.0}
    plain |= {"se_most": math.inf, "lower": np.nan, "upper": np.nan, "bias_mean": 0.0, "bias_sd": 0.0}
    plain |= {"take_up_first": np.nan, "take_up_second": np.nan}
    return pd.DataFrame([plain | {"study": f"S{i}", "evaluation": f"E{i}"} | row for i, row in enumerate(rows)])


HARM = {"lower": 0.0, "upper": OPEN, "outcome": "youth_justice"}


class TestLeaveOneOut:
    def test_closed_form(self):
        # Precisions 25, 100 and 100: means -0.4 x 100 / 225 with both, -0.4 x 0.8 and 0 with one.
        studies = table_of({"effect": -0.4}, {"effect": 0.0, "programme": "beta"}, HARM)
        result = leave_one_out(studies, PROGRAMMES, priors(TINY), seed=1, particles=4_000)
        change, error = (result[name].sel(outcome="care") for name in ("change", "change_error"))
        both = -0.4 * 100 / 225
        for study, mean in {"S0": 0.0, "S1": -0.32, "S2": both}.items():
            assert change.sel(study=study).values == pytest.approx(mean - both, abs=4 * float(error.max()) + 1e-9)
        # Random numbers are shared: the error is well under what two samples apart would have, sd sqrt(2 / 4,000).
        assert float(error.max()) < 0.6 * 0.2 * math.sqrt(2 / 4_000)
        assert result["sd"].sel(outcome="care").values == pytest.approx(1 / 15, rel=0.05)
        # A finding: without it, its outcome goes back to none from 0.04 / sqrt(0.05) sqrt(2 / pi).
        finding = result.sel(study="S2", outcome="youth_justice")
        expected = -0.04 / math.sqrt(0.05) * math.sqrt(2 / math.pi)
        assert finding["change"].values == pytest.approx(expected, abs=4 * float(finding["change_error"].max()))

    def test_is_what_sampling_without_the_study_gives(self):
        studies = table_of({"effect": -0.4}, {"effect": 0.1, "se_log_sd": 0.5, "se_most": 0.2}, HARM)
        result = leave_one_out(studies, PROGRAMMES, priors(0.1), seed=1, particles=12_000)

        def sampled(table):
            draws = sample_programmes(table, PROGRAMMES, priors(0.1), like=LIKE, seed=2, particles=12_000)
            return draws["programme_effect"]

        every = sampled(studies)
        for place, study in enumerate(studies["study"]):
            without = sampled(studies.drop(index=place))
            gap = without.mean(SAMPLE_DIMS) - every.mean(SAMPLE_DIMS)
            error = np.sqrt((without.var(SAMPLE_DIMS) + every.var(SAMPLE_DIMS)) / 3_000)
            assert float((abs(gap - result["change"].sel(study=study)) / error).max()) < 4, study

    def test_studies_that_contradict_wildly_are_refused(self):
        studies = table_of({"effect": 1.5, "se": 0.02}, {"effect": -1.5, "se": 0.02})
        with pytest.raises(InputError, match="k-hat"):
            leave_one_out(studies, PROGRAMMES, priors(0.1), seed=1, particles=4_000)

    def test_no_studies(self):
        result = leave_one_out(table_of({}).iloc[:0], PROGRAMMES, priors(0.1), seed=1, particles=500)
        assert result["change"].shape == (0, 2, len(EFFECT_OUTCOMES))


def sensitivity(scaled, base):
    """Distance per doubling of the power, of normals scaled by 0.8 and 1.25, on a fine grid."""
    grid = np.linspace(-1.5, 1.5, 20_001)
    masses = [stats.norm.pdf(grid, *normal) for normal in (base, *scaled)]
    first, *others = [mass / mass.sum() for mass in masses]
    return np.mean([distance(grid, first, other) / np.log2(1.25) for other in others])


def normal(prior_power, likelihood_power, *, effect=-0.5):
    """Posterior mean and sd with precisions 25 of the prior and 50 of the study, each raised to a power."""
    prior, likelihood = 25 * prior_power, 50 * likelihood_power
    return effect * likelihood / (prior + likelihood), (prior + likelihood) ** -0.5


class TestPowerScaling:
    def test_closed_form(self):
        studies = table_of({"effect": -0.5, "se": math.sqrt(1 / 50)})
        table = power_scaling_of_programmes(studies, PROGRAMMES, priors(TINY), seed=1, particles=20_000)
        care = table.loc[("alpha", "care")]
        base = normal(1, 1)
        assert care["prior"] == pytest.approx(sensitivity([normal(0.8, 1), normal(1.25, 1)], base), rel=0.1)
        assert care["likelihood"] == pytest.approx(sensitivity([normal(1, 0.8), normal(1, 1.25)], base), rel=0.1)
        assert care["prior_ratio"] == pytest.approx(75**-0.5 / 0.2, rel=0.03)
        # The study says nothing of another outcome.
        other = table.loc[("alpha", "youth_justice")]
        assert other["likelihood"] < 0.02 < other["prior"]
        assert other["prior_ratio"] == pytest.approx(1, rel=0.03)

    def test_a_finding_without_a_number_counts_as_likelihood(self):
        table = power_scaling_of_programmes(table_of(HARM), PROGRAMMES, priors(TINY), seed=1, particles=20_000)
        grid = np.linspace(-1.5, 1.5, 20_001)

        def mass(power):
            weights = np.exp(-0.5 * (grid / 0.2) ** 2 + power * stats.norm.logcdf(grid / 0.1))
            return weights / weights.sum()

        expected = np.mean([distance(grid, mass(1), mass(power)) / np.log2(1.25) for power in (0.8, 1.25)])
        assert table.loc[("beta", "youth_justice"), "likelihood"] == pytest.approx(expected, rel=0.1)

    def test_without_studies_the_prior_is_all(self):
        # A normal and half-normal spreads, raised to a power, keep their form: all effects shrink by its root.
        nothing = table_of({}).iloc[:0]
        table = power_scaling_of_programmes(nothing, PROGRAMMES, priors(0.2), seed=1, particles=20_000)
        grid = np.linspace(-2.5, 2.5, 2_001)
        size = stats.halfnorm.ppf((np.arange(20) + 0.5) / 20)
        sd = 0.2 * np.sqrt(1 + size[:, None] ** 2 + size**2).ravel()

        def mass(power):
            weights = stats.norm.pdf(grid[:, None], 0, sd / math.sqrt(power)).mean(1)
            return weights / weights.sum()

        expected = np.mean([distance(grid, mass(1), mass(power)) / np.log2(1.25) for power in (0.8, 1.25)])
        care = table.loc[("alpha", "care")]
        assert care["prior"] == pytest.approx(expected, rel=0.15)
        assert care["likelihood"] == pytest.approx(0, abs=1e-6)
        assert care["prior_ratio"] == pytest.approx(1, rel=0.03)

    def test_spreads_are_part_of_the_prior(self):
        # Of the same scale as the mean: an unstudied outcome keeps its sd, 0.2 sqrt(3); a narrow null leaves less.
        studies = table_of({"effect": 0.0, "se": 0.05})
        table = power_scaling_of_programmes(studies, PROGRAMMES, priors(0.2), seed=1, particles=8_000)
        ratio = table["prior_ratio"]
        assert ratio["beta", "youth_justice"] == pytest.approx(1, rel=0.08)  # the study narrows all spreads a little
        assert ratio["alpha", "care"] < 0.6 < ratio["beta", "care"] < 0.97
