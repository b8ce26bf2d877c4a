import numpy as np
import pytest

from toolkit.pathways.cohort import AGES, Hazards


def make_hazards(draws: int = 3, **changes: float) -> Hazards:
    """Round hazards near the published ones; each keyword replaces one by a constant."""
    values = {
        "need_exit": 0.9, "care_entry": 0.08, "care_entry_first": 0.08, "rereferral_first": 0.39,
        "rereferral_later": 0.1, "to_need": 0.6, "care_exit": 0.4, "care_reentry": 0.09, "first_entry": 0.002,
        "ratio_need": 3.0, "ratio_care": 6.0, "logit_grade_now": -1.4, "logit_grade_ever": -0.7,
        "log_ratio_rereferral": -0.05, "log_ratio_care": -0.1, "log_ratio_justice": -0.08, "logit_shift_grade": 0.05,
        "detect_rereferral": 1.0, "detect_care": 1.0, "half_life": 3.0,
    }  # fmt: skip
    arrays = {name: np.full(draws, float(changes.get(name, value))) for name, value in values.items()}
    shape = np.ones(AGES)
    return Hazards(**arrays, age_shape=shape, age_shape_first=shape, entry_weight=np.full(AGES, 1 / AGES))


@pytest.fixture
def hazards() -> Hazards:
    return make_hazards()
