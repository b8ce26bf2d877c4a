"""The scale of hazards, against counts."""

import math

import numpy as np
import pytest

from toolkit.models.effects.scales import LOGISTIC_SD, to_hazard_scale
from toolkit.schema import InputError


def odds(risk):
    return risk / (1 - risk)


def published(helped, control):
    """What a study of two risks may publish, by scale."""
    return {
        "log_risk": math.log(helped / control),
        "risk_ratio": helped / control,
        "log_odds": math.log(odds(helped) / odds(control)),
        "odds_ratio": odds(helped) / odds(control),
        "risk_difference": helped - control,
    }


@pytest.mark.parametrize("scale", ["log_risk", "risk_ratio", "log_odds", "odds_ratio", "risk_difference"])
@pytest.mark.parametrize(("helped", "control"), [(0.362, 0.448), (0.02, 0.025), (0.6, 0.5), (0.91, 0.97)])
def test_any_scale_gives_the_ratio_of_cumulative_hazards(scale, helped, control):
    effect, _ = to_hazard_scale(published(helped, control)[scale], 0.1, scale, "care", control)
    assert effect == pytest.approx(math.log(math.log(1 - helped) / math.log(1 - control)), abs=1e-12)


def test_conference_trial():
    effect, se = to_hazard_scale(math.log(0.362 / 0.448), 0.0609, "log_risk", "care", 0.448)
    assert effect == pytest.approx(-0.279, abs=5e-4)
    assert se == pytest.approx(0.080, abs=5e-4)


@pytest.mark.parametrize(("control", "hazard_ratio"), [(0.448, 0.757), (0.025, 0.703)])
def test_odds_ratio_depends_on_the_control_risk(control, hazard_ratio):
    assert math.exp(to_hazard_scale(0.70, 0.1, "odds_ratio", "care", control)[0]) == pytest.approx(
        hazard_ratio, abs=5e-4
    )


@pytest.mark.parametrize(("helped", "control"), [(0.362, 0.448), (0.12, 0.10), (0.5, 0.8)])
def test_error_is_that_of_the_counts(helped, control):
    size, random = 3_000, np.random.default_rng(1)
    helped_risk, control_risk = (random.binomial(size, risk, 100_000) / size for risk in (helped, control))
    spread = np.log(np.log1p(-helped_risk) / np.log1p(-control_risk)).std()
    estimates = {
        "log_risk": np.log(helped_risk / control_risk),
        "log_odds": np.log(odds(helped_risk) / odds(control_risk)),
        "risk_difference": helped_risk - control_risk,
    }
    for scale, draws in estimates.items():
        _, se = to_hazard_scale(published(helped, control)[scale], draws.std(), scale, "care", control)
        # The Monte Carlo error of a standard deviation is 0.22 per cent, the curvature at 3,000 an arm less than 0.5.
        assert se == pytest.approx(spread, rel=0.01), scale


def test_error_of_attainment_is_that_of_the_counts():
    size, random = 3_000, np.random.default_rng(2)
    helped, control = (random.binomial(size, risk, 100_000) / size for risk in (0.65, 0.45))
    spread = np.log(odds(helped) / odds(control)).std() / LOGISTIC_SD
    change = math.log(odds(0.65) / odds(0.45)) / LOGISTIC_SD
    for scale, draws in {"log_risk": np.log(helped / control), "risk_difference": helped - control}.items():
        estimate = published(0.65, 0.45)[scale]
        effect, se = to_hazard_scale(estimate, draws.std(), scale, "gcse_attainment", 0.45)
        assert effect == pytest.approx(change)
        assert se == pytest.approx(spread, rel=0.01)


@pytest.mark.parametrize("scale", ["log_hazard", "log_rate"])
def test_hazards_and_rates_stay_as_they_are(scale):
    assert to_hazard_scale(-0.2, 0.1, scale, "care", 0.4) == (-0.2, 0.1)
    assert to_hazard_scale(0.3, 0.1, "hedges_g", "gcse_attainment", math.nan) == (0.3, 0.1)


def test_risk_ratio_without_a_control_risk_is_that_at_a_low_risk():
    unknown, low = (to_hazard_scale(-0.5, 0.1, "log_risk", "care", risk) for risk in (math.nan, 1e-7))
    assert unknown == pytest.approx(low, rel=1e-6)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((-0.2, 0.1, "log_odds", "care", math.nan), "control risk nan"),
        ((-0.02, 0.1, "risk_difference", "care", math.nan), "control risk nan"),
        ((-0.2, 0.1, "log_risk", "care", 1.0), "control risk 1.0"),
        ((-0.2, 0.1, "hedges_g", "care", 0.4), "standardised mean difference of an event"),
        ((0.9, 0.1, "log_risk", "care", 0.5), "not a rate"),
        ((-0.3, 0.1, "risk_difference", "care", 0.2), "not a rate"),
        ((-0.2, 0.0, "log_hazard", "care", 0.4), "not positive"),
        ((-20.0, 0.1, "log_hazard", "care", 0.4), "too large"),
        ((70.0, 0.1, "odds_ratio", "care", 0.4), "percentage"),
        ((-0.2, 0.1, "hazard", "care", 0.4), "unknown scale"),
        ((0.2, 0.1, "log_odds", "gcse_attainment", math.nan), "control risk nan"),
    ],
)
def test_refuses(arguments, words):
    with pytest.raises(InputError, match=words) as refusal:
        to_hazard_scale(*arguments, row="programme_effects ODD_ONE")
    assert "ODD_ONE" in str(refusal.value)
