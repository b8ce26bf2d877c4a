import numpy as np
import pytest

from toolkit.pathways.cohort import Hazards
from toolkit.pathways.kernel import AGES, CARE_BANDS, LEAVE_BANDS

BANDED = {
    "flat": 4,
    "care_entry": len(CARE_BANDS),
    "care_entry_first": len(CARE_BANDS),
    "care_exit_first": len(LEAVE_BANDS),
    "care_exit_later": len(LEAVE_BANDS),
}


def make_hazards(draws: int = 3, **changes: float | list[float]) -> Hazards:
    """Round hazards near the fitted ones; each keyword replaces one by a constant, or by one a band of age."""
    values = {
        "need_exit_slow": 0.6,
        "need_exit_fast": 5.3,
        "short_share": 0.5,
        "short_share_first": 0.5,
        "plan_start": 0.26,
        "plan_exit": 1.0,
        "plan_care_ratio": 4.4,
        "care_entry": 0.05,
        "care_entry_first": 0.05,
        "care_short_share": 0.3,
        "care_exit_fast": 9.0,
        "care_exit_first": 0.3,
        "care_exit_later": 0.25,
        "rereferral_first": 0.39,
        "rereferral_later": 0.11,
        "need_again": 0.77,
        "reentry_first": 0.12,
        "reentry_later": 0.012,
        "first_entry": 0.002,
        "ratio_need": 3.0,
        "ratio_care": 6.0,
        "logit_grade_now": 1.4,
        "logit_grade_ever": 0.7,
        "log_ratio_rereferral": -0.05,
        "log_ratio_care": -0.1,
        "log_ratio_justice": -0.08,
        "logit_shift_grade": 0.05,
        "detect_rereferral": 1.0,
        "detect_care": 1.0,
        "half_life": 3.0,
        "onset": 0.0,
        "flat": 0.0,
    }
    unknown = set(changes) - set(values)
    assert not unknown, unknown
    arrays = {}
    for name, value in (values | changes).items():
        shape = (BANDED[name], draws) if name in BANDED else (draws,)
        held = np.broadcast_to(np.array(value, float)[..., None], shape) if np.ndim(value) else np.full(shape, value)
        arrays[name] = np.array(held, float)
    return Hazards(**arrays, entry_weight=np.full((AGES, draws), 1 / AGES))


@pytest.fixture
def hazards() -> Hazards:
    return make_hazards()
