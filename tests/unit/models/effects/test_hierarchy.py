"""The model of programmes against closed forms and quadrature; the long test against its twin in PyMC."""

import math

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from toolkit.models.effects.hierarchy import _correlations, sample_programmes
from toolkit.models.effects.programme_model import programme_model
from toolkit.models.effects.programme_priors import LEVELS, priors_of
from toolkit.models.effects.programme_studies import OPEN, programme_studies
from toolkit.models.fitting.fit import fit
from toolkit.schema import EFFECT_OUTCOMES, SAMPLE_DIMS, InputError, data_folder, random_stream

PROGRAMMES = pd.DataFrame(
    {"programme": ["alpha", "beta", "gamma", "delta"], "programme_type": ["worker", "worker", "school", "therapy"]}
)
LIKE = xr.Dataset(coords={"chain": [3, 5, 7, 9], "draw": np.arange(10, 1010)})
DRAWS = 4_000
ERRORS = 4  # Monte Carlo standard errors of 4,000 independent draws within which a mean must lie
TINY = 1e-6
CARE, JUSTICE, GCSE = (EFFECT_OUTCOMES.index(name) for name in ("care", "youth_justice", "gcse_attainment"))


def priors(*, between=TINY, mean_sd=0.2, bias=0.5):
    """Priors whose spreads are all ``between`` (a quarter of that for attainment)."""
    rows = [("mu_event", "normal", 0, mean_sd), ("mu_attainment", "normal", 0, mean_sd / 2)]
    rows += [(f"tau_{level}_event", "half_normal", between, np.nan) for level in LEVELS]
    rows += [(f"tau_{level}_attainment", "half_normal", between / 4, np.nan) for level in LEVELS]
    rows += [("outcome_correlation", "lkj", 4, np.nan), ("bias_correlation", "fixed", bias, np.nan)]
    table = pd.DataFrame(rows, columns=["parameter", "distribution", "arg1", "arg2"])
    return table.assign(model="programmes")


def shipped():
    names = ("programmes", "programme_effects", "design_bias", "priors")
    return {name: pd.read_csv(data_folder() / "evidence" / f"{name}.csv") for name in names}


def table_of(*rows):
    """Studies of care by alpha, each an evaluation of its own, unless a row says otherwise."""
    plain = {"programme": "alpha", "outcome": "care", "effect": np.nan, "se": 0.1, "se_log_sd": 0.0}
    plain |= {"se_most": math.inf, "lower": np.nan, "upper": np.nan, "bias_mean": 0.0, "bias_sd": 0.0}
    plain |= {"take_up_first": np.nan, "take_up_second": np.nan}
    return pd.DataFrame([plain | {"study": f"S{i}", "evaluation": f"E{i}"} | row for i, row in enumerate(rows)])


NOTHING = table_of({}).iloc[:0]


def sample(studies, *, particles=DRAWS, seed=1, table=None, selection=1.0, **settings_):
    return sample_programmes(
        studies,
        PROGRAMMES,
        priors(**settings_) if table is None else table,
        like=LIKE,
        seed=seed,
        particles=particles,
        selection=selection,
    )


def agrees(draws, mean, sd, *, size=DRAWS):
    """Whether normal draws have this mean and sd, within ``ERRORS`` Monte Carlo standard errors of each."""
    values = np.asarray(draws).ravel()
    assert abs(values.mean() - mean) < ERRORS * sd / math.sqrt(size), (values.mean(), mean)
    assert abs(values.std() - sd) < ERRORS * sd / math.sqrt(2 * size), (values.std(), sd)


def quadrature(log_likelihood, *, sd=0.2):
    """Mean and sd of help in general, by quadrature over it, if no spread stands between it and the studies."""
    grid = np.linspace(-8 * sd, 8 * sd, 4_001)
    weight = np.exp(-0.5 * (grid / sd) ** 2 + log_likelihood(grid))
    weight /= weight.sum()
    mean = (weight * grid).sum()
    return mean, math.sqrt((weight * (grid - mean) ** 2).sum())


class TestExtremePriors:
    @pytest.mark.parametrize("side", [-1, 1])
    def test_a_null_finding_far_from_the_prior_is_exact(self, side):
        # 43 standard deviations of its prediction from the prior mean, where the chance of it is no number any more.
        table = priors(mean_sd=0.05)
        table.loc[table["parameter"] == "mu_event", "arg1"] = 5.0 * side
        draws = sample(table_of({"lower": -1.96, "upper": 1.96}), table=table)["mean_effect"].sel(outcome="care")
        grid = np.linspace(3.0, 5.2, 20_001)
        found = stats.norm.logcdf(1.96 - grid / 0.1)  # the other end adds nothing
        log_weight = -0.5 * ((grid - 5.0) / 0.05) ** 2 + found
        weight = np.exp(log_weight - log_weight.max())
        mean = (weight * grid).sum() / weight.sum()
        sd = math.sqrt((weight * (grid - mean) ** 2).sum() / weight.sum())
        agrees(draws, side * mean, sd)

    @pytest.mark.parametrize("mean", [-1000.0, -1.0, 1.0, 1000.0])
    def test_the_shipped_studies_refuse_a_prior_that_they_contradict(self, mean):
        register = shipped()
        table = register["priors"].copy()
        table.loc[table["parameter"] == "mu_event", ["arg1", "arg2"]] = [mean, 0.1]
        with pytest.raises(InputError, match="a study or a prior that contradicts"):
            sample_programmes(
                programme_studies(register), register["programmes"], table, like=LIKE, seed=1, particles=2_000
            )


class TestClosedForms:
    def test_one_study(self):
        # Precisions 25 and 100: mean 0.8 of the study's, variance 1/125.
        draws = sample(table_of({"effect": -0.3}))
        agrees(draws["mean_effect"].sel(outcome="care"), -0.24, 125**-0.5)
        agrees(draws["programme_effect"].sel(outcome="care", programme="delta"), -0.24, 125**-0.5)
        agrees(draws["mean_effect"].sel(outcome="youth_justice"), 0, 0.2)

    def test_bias_is_taken_off_and_widens(self):
        # -0.3 + 0.05, with variance 0.01 + 0.03 beside a prior of 0.04: half of it, variance 0.02.
        draws = sample(table_of({"effect": -0.3, "bias_mean": -0.05, "bias_sd": math.sqrt(0.03)}))
        agrees(draws["mean_effect"].sel(outcome="care"), -0.125, math.sqrt(0.02))

    def test_one_evaluation_shares_its_bias(self):
        # Covariance of the two numbers: 0.04 + 0.04 + 0.01 each, 0.5 x 0.04 between them; determinant 0.0077.
        both = [{"effect": -0.3, "evaluation": "E", "bias_sd": 0.2}]
        both += [{"effect": 0.0, "evaluation": "E", "bias_sd": 0.2, "outcome": "youth_justice"}]
        draws = sample(table_of(*both))["mean_effect"]
        sd = math.sqrt(0.04 - 0.04**2 * 0.09 / 0.0077)
        agrees(draws.sel(outcome="care"), 0.04 * 0.09 * -0.3 / 0.0077, sd)
        agrees(draws.sel(outcome="youth_justice"), 0.04 * 0.02 * 0.3 / 0.0077, sd)
        # Studies of two evaluations share none.
        apart = sample(table_of(*[row | {"evaluation": name} for row, name in zip(both, "EF", strict=True)]))
        agrees(apart["mean_effect"].sel(outcome="youth_justice"), 0, math.sqrt(0.04 - 0.04**2 / 0.09))

    def test_shared_bias_is_oriented_by_benefit(self):
        # Attainment's benefit is positive: the covariance is -0.5 x 0.2 x 0.1, and less care means too high a score.
        both = [{"effect": -0.3, "evaluation": "E", "bias_sd": 0.2}]
        both += [{"effect": 0.0, "evaluation": "E", "bias_sd": 0.1, "outcome": "gcse_attainment"}]
        cover = np.array([[0.09, -0.01], [-0.01, 0.01 + 0.01 + 0.01]])
        pull = np.linalg.solve(cover, [-0.3, 0.0])
        draws = sample(table_of(*both))["mean_effect"].sel(outcome="gcse_attainment")
        agrees(draws, 0.01 * pull[1], math.sqrt(0.01 - 0.01**2 * np.linalg.inv(cover)[1, 1]))
        assert 0.01 * pull[1] < -0.01

    def test_a_whole_school_is_divided_by_its_take_up(self):
        # 0.4 of those counted are served, known to a thousandth: -0.08 (0.04) is -0.2 (0.1) of a child served.
        strength = 2.4e5
        row = {"effect": -0.08, "se": 0.04, "take_up_first": 0.4 * strength, "take_up_second": 0.6 * strength}
        draws = sample(table_of(row))
        agrees(draws["mean_effect"].sel(outcome="care"), -0.16, 125**-0.5)
        agrees(draws["take_up"].sel(programme="alpha"), 0.4, 0.001)
        assert (draws["take_up"].sel(programme="beta") == 1).all()

    def test_spreads_of_type_programme_and_study_add_up(self):
        # Quadrature over the one size of each level; given sizes, all is normal.
        between, mean_sd, number, error = 0.3, 0.1, -0.6, 0.05
        node, mass = np.polynomial.hermite_e.hermegauss(60)
        node, mass = node[node > 0], mass[node > 0]
        size = np.stack(np.meshgrid(node, node, node, indexing="ij"))
        prior = np.prod(np.stack(np.meshgrid(mass, mass, mass, indexing="ij")), axis=0)
        level = (between * size) ** 2  # variances of type, programme and study
        total = mean_sd**2 + level.sum(0) + error**2
        weight = prior * stats.norm.pdf(number, 0, np.sqrt(total))
        weight /= weight.sum()
        draws = sample(table_of({"effect": number, "se": error}), between=between, mean_sd=mean_sd, particles=24_000)
        own = mean_sd**2 + level[:2].sum(0)
        for name, variance in {
            "mean_effect": mean_sd**2 + 0 * total,
            "type_effect": mean_sd**2 + level[0],
            "programme_effect": own,
        }.items():
            values = draws[name].sel(outcome="care")
            for dim, label in {"programme_type": "worker", "programme": "alpha"}.items():
                values = values.sel({dim: label}) if dim in values.dims else values
            mean = number * variance / total
            expected = (weight * mean).sum()
            sd = math.sqrt((weight * (variance - variance**2 / total + (mean - expected) ** 2)).sum())
            assert float(values.mean()) == pytest.approx(expected, abs=ERRORS * sd / math.sqrt(DRAWS))
            # No normal distribution: its kurtosis adds to the error of its sd.
            assert float(values.std()) == pytest.approx(sd, rel=0.06)


class TestFindings:
    def test_a_narrow_null_pulls_to_none(self):
        number, null = {"effect": -0.3}, {"lower": -1.96, "upper": 1.96, "se": 0.02}
        mean, sd = quadrature(
            lambda mu: (
                stats.norm.logpdf(-0.3, mu, 0.1)
                + np.log(stats.norm.cdf(1.96 - mu / 0.02) - stats.norm.cdf(-1.96 - mu / 0.02) + 1e-300)
            )
        )
        draws = sample(table_of(number, null), particles=24_000)
        agrees(draws["mean_effect"].sel(outcome="care"), mean, sd, size=min(DRAWS, draws.attrs["effective"]))
        assert -0.06 < mean < 0

    @pytest.mark.parametrize(("interval", "sign"), [((0, OPEN), 1), ((-OPEN, 0), -1)])
    def test_a_direction_moves_that_way(self, interval, sign):
        # Skew-normal: given the sign of mu + error, mu is 0.04 / sqrt(0.05) sqrt(2 / pi) away from none.
        mean = sign * 0.04 / math.sqrt(0.05) * math.sqrt(2 / math.pi)
        row = {"lower": interval[0], "upper": interval[1]}
        draws = sample(table_of(row))["mean_effect"].sel(outcome="care")
        agrees(draws, mean, math.sqrt(0.04 - mean**2))

    def test_an_error_known_by_its_bound(self):
        median, spread, most, effect = 0.2, 0.8, 0.1, -0.2
        errors = median * np.exp(
            spread * stats.norm.ppf((np.arange(400) + 0.5) / 400 * stats.norm.cdf(np.log(most / median) / spread))
        )
        mean, sd = quadrature(lambda mu: np.log(stats.norm.pdf(effect, mu[:, None], errors).mean(1)))
        row = {"effect": effect, "se": median, "se_log_sd": spread, "se_most": most}
        draws = sample(table_of(row), particles=24_000)
        values = draws["mean_effect"].sel(outcome="care")
        assert float(values.mean()) == pytest.approx(mean, abs=ERRORS * sd / math.sqrt(DRAWS))
        assert float(values.std()) == pytest.approx(sd, rel=0.06)
        # To take the bound itself as the error would leave 0.8 of the effect.
        assert mean < 0.85 * effect


class TestSelection:
    """Against quadrature: a density times its chance of being published, over that chance before it was known."""

    @staticmethod
    def reached(mu, se, kept):
        return kept + (1 - kept) * stats.norm.cdf(-mu / se - 1.96)

    def test_a_significant_benefit_counts_for_less(self):
        kept = 0.2
        mean, sd = quadrature(lambda mu: stats.norm.logpdf(-0.3, mu, 0.12) - np.log(self.reached(mu, 0.12, kept)))
        draws = sample(table_of({"effect": -0.3, "se": 0.12}), selection=kept, particles=24_000)
        agrees(draws["mean_effect"].sel(outcome="care"), mean, sd, size=min(DRAWS, draws.attrs["effective"]))
        assert mean > -0.2 > quadrature(lambda mu: stats.norm.logpdf(-0.3, mu, 0.12))[0]

    def test_a_direction_may_be_significant(self):
        kept, se = 0.2, 0.1

        def found(mu):
            sure, open_ = stats.norm.cdf(-1.95 - mu / se), stats.norm.cdf(-mu / se)
            return np.log(sure + kept * (open_ - sure)) - np.log(self.reached(mu, se, kept))

        mean, sd = quadrature(found)
        draws = sample(table_of({"lower": -OPEN, "upper": 0}), selection=kept, particles=24_000)
        agrees(draws["mean_effect"].sel(outcome="care"), mean, sd, size=min(DRAWS, draws.attrs["effective"]))

    def test_benefit_of_attainment_is_above_nought(self):
        rows = [{"effect": sign * 0.3, "outcome": outcome} for sign, outcome in ((1, "gcse_attainment"), (1, "care"))]
        for row, moves in zip(rows, (True, False), strict=True):
            plain, selected = (
                float(abs(sample(table_of(row), selection=kept)["mean_effect"].sel(outcome=row["outcome"]).mean()))
                for kept in (1.0, 0.1)
            )
            assert (selected < plain - 0.01) == moves

    def test_bias_and_spread_widen_what_could_have_been_found(self):
        # Half the variance of the bias is its evaluation's, and integrated over as that part's own.
        kept, se, bias_sd = 0.2, 0.1, 0.2
        node, mass = np.polynomial.hermite_e.hermegauss(80)
        part = math.sqrt(0.5) * bias_sd
        sd = math.hypot(se, part)

        def found(mu):
            centre = mu[:, None] + part * node
            reached = kept + (1 - kept) * stats.norm.cdf((-centre - 1.96 * se) / sd)
            return np.log((mass * stats.norm.pdf(-0.3, centre, sd) / reached).sum(1))

        mean, spread = quadrature(found)
        draws = sample(table_of({"effect": -0.3, "bias_sd": bias_sd}), selection=kept, particles=24_000)
        agrees(draws["mean_effect"].sel(outcome="care"), mean, spread, size=min(DRAWS, draws.attrs["effective"]))

    @pytest.mark.parametrize("kept", [0.0, -1.0, 1.2])
    def test_what_is_no_chance_is_refused(self, kept):
        with pytest.raises(InputError, match=r"selection: .* is not a chance"):
            sample(table_of({"effect": -0.3}), selection=kept)

    def test_it_can_be_asked_of_the_shipped_studies(self):
        register = shipped()
        studies = programme_studies(register)
        arguments = (studies, register["programmes"], register["priors"])
        kept = [sample_programmes(*arguments, like=LIKE, seed=1, selection=part) for part in (1.0, 0.5)]
        means = [each["programme_effect"].sel(outcome="care").mean(SAMPLE_DIMS) for each in kept]
        # The conferencing trial's finding is significant; START's is not, so that one gains by the comparison.
        moved = (means[1] - means[0]).to_series()
        assert moved["family_group_conference"] > 0.005
        assert moved.max() < 0.1


class TestPrior:
    def test_no_studies_gives_the_prior(self):
        table = shipped()["priors"]
        draws = sample(NOTHING, table=table, particles=20_000)
        effect = draws["programme_effect"].sel(programme="alpha")
        # A half-normal spread of scale s has the mean square s squared.
        event = math.sqrt(0.2**2 + 0.15**2 + 0.1**2)
        attainment = math.sqrt(0.1**2 + 0.0375**2 + 0.025**2)
        for outcome in EFFECT_OUTCOMES:
            sd = attainment if outcome == "gcse_attainment" else event
            values = effect.sel(outcome=outcome)
            assert abs(float(values.mean())) < ERRORS * sd / math.sqrt(DRAWS)
            assert float(values.std()) == pytest.approx(sd, rel=0.06)
        assert (draws["evidence"] == "none").all()
        assert float(draws["spread"].sel(level="type", outcome="care").mean()) == pytest.approx(
            0.15 * math.sqrt(2 / math.pi), abs=ERRORS * 0.09 / math.sqrt(DRAWS)
        )

    def test_correlations_are_lkj(self):
        # Each correlation r of K has (r + 1) / 2 from a beta distribution with both shapes eta - 1 + K / 2 = 5.
        size = 20_000
        factor = _correlations(random_stream(1, "x"), size, 4, priors_of(priors()))
        matrix = factor @ factor.swapaxes(1, 2)
        assert np.diagonal(matrix, axis1=1, axis2=2) == pytest.approx(1)
        for row in range(1, 4):
            for column in range(row):
                halves = (matrix[:, row, column] + 1) / 2
                assert stats.kstest(halves, stats.beta(5, 5).cdf).pvalue > 1e-4
                assert halves.var() == pytest.approx(1 / 44, rel=0.04)  # four Monte Carlo errors

    def test_missing_prior_rows_are_named(self):
        table = priors()
        for name in ("tau_study_event", "outcome_correlation", "bias_correlation"):
            with pytest.raises(InputError, match=name):
                priors_of(table[table["parameter"] != name])


class TestUse:
    def test_same_seed_same_draws(self):
        studies = table_of({"effect": -0.3}, {"lower": 0, "upper": OPEN, "programme": "gamma"})
        first, again, other = (sample(studies, between=0.1, seed=seed) for seed in (1, 1, 2))
        xr.testing.assert_identical(first, again)
        assert not first["mean_effect"].equals(other["mean_effect"])
        for dim in SAMPLE_DIMS:
            assert (first[dim] == LIKE[dim]).all()
        assert first.attrs["studies"] == ["S0", "S1"]

    def test_a_programme_without_studies_is_its_type_and_a_spread_of_its_own(self):
        studies = table_of({"effect": -0.5, "se": 0.05}, {"effect": 0.1, "programme": "gamma"})
        draws = sample(studies, between=0.2, particles=24_000)
        own = (draws["programme_effect"].sel(programme="beta") - draws["type_effect"].sel(programme_type="worker")).sel(
            outcome="care"
        )
        squares = draws["spread"].sel(level="programme", outcome="care") ** 2
        standard = own / np.sqrt(squares)
        agrees(standard, 0, 1)
        assert float((own**2).mean()) == pytest.approx(float(squares.mean()), rel=0.12)
        # Its type's study speaks for it, though less than for the programme studied.
        means = draws["programme_effect"].sel(outcome="care").mean(SAMPLE_DIMS)
        assert means.sel(programme="alpha") < means.sel(programme="beta") - 0.05 < means.sel(programme="delta") - 0.1

    def test_evidence(self):
        studies = table_of({"effect": -0.3}, {"effect": -0.1, "programme": "gamma", "outcome": "youth_justice"})
        evidence = sample(studies, between=0.1)["evidence"]
        assert list(evidence.sel(outcome="care").values) == ["own", "type", "none", "none"]
        assert list(evidence.sel(outcome="youth_justice").values) == ["none", "none", "own", "none"]
        assert (evidence.sel(outcome="gcse_attainment") == "none").all()

    def test_studies_that_contradict_wildly_are_refused(self):
        studies = table_of({"effect": 1.5, "se": 0.02}, {"effect": -1.5, "se": 0.02})
        with pytest.raises(InputError, match="k-hat"):
            sample(studies, between=0.1)

    @settings(max_examples=7)
    @given(
        own=st.floats(-0.2, 0.3),
        others=st.floats(-0.3, 0.3),
        benefit=st.floats(0.3, 0.8),
        error=st.floats(0.1, 0.4),
        harm=st.booleans(),
    )
    def test_a_study_with_a_larger_benefit_never_raises_the_mean(self, own, others, benefit, error, harm):
        # "Larger" than what is known of the programme: a weak benefit may pull a strong one back.
        base = [{"effect": own, "se": 0.2}, {"effect": others, "programme": "beta"}]
        base += [{"lower": 0, "upper": OPEN, "programme": "gamma"}] * harm
        before, after = (
            sample(table_of(*rows), between=0.1)["programme_effect"].sel(outcome="care", programme="alpha")
            for rows in (base, [*base, {"effect": -benefit, "se": error}])
        )
        mc_error = math.sqrt((float(before.var()) + float(after.var())) / 2_000)
        assert float(after.mean()) < float(before.mean()) + 3 * mc_error


@pytest.mark.long
def test_the_twin_in_pymc_agrees_on_the_shipped_studies():
    register = shipped()
    studies = programme_studies(register)
    arguments = (studies, register["programmes"], register["priors"])
    particles = sample_programmes(*arguments, like=LIKE, seed=1, particles=60_000)["programme_effect"]
    posterior = fit(
        programme_model(*arguments), seed=1, draws=1000, tune=600, chains=4, progress=False, target_accept=0.95
    )["posterior"]["programme_effect"]
    sd = particles.std(SAMPLE_DIMS)
    # Samples of at least 2,200 and of 4,000 effective draws: the Monte Carlo error of a difference is up to 0.026 sd,
    # and the largest of 164 lies some three such from none. The bounds leave room for another machine's draws.
    assert float((abs(posterior.mean(SAMPLE_DIMS) - particles.mean(SAMPLE_DIMS)) / sd).max()) < 0.12
    assert float(abs(posterior.std(SAMPLE_DIMS) / sd - 1).max()) < 0.10
