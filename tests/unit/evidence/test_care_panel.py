"""The panel of children looked after against published totals."""

import numpy as np
import pytest

from toolkit import evidence

LEEDS = "E08000035"


@pytest.fixture(scope="module")
def panel():
    return evidence.care_panel()


def test_placements_add_up_to_the_children(panel):
    gap = panel["placed"].sum("placement", skipna=False) - panel["stock"]
    assert float(abs(gap).max()) < 1.0


def test_areas_add_up_to_england(panel):
    """Published for England at March 2025: 81,770, of whom 54,820 fostered and 10,750 in homes, secure and schools."""
    latest = panel.sel(data_year=2025)
    assert float(latest["stock"].sum()) == pytest.approx(81_770, rel=0.002)
    placed = latest["placed"].sum("area")
    assert float(placed.sel(placement="fostering")) == pytest.approx(54_820, rel=0.005)
    assert float(placed.sel(placement="residential")) == pytest.approx(10_750, rel=0.02)
    assert float(latest["unaccompanied"].sum()) == pytest.approx(6_540, rel=0.005)


def test_hidden_counts_share_what_is_left(panel):
    """Leeds 2021: 1,281 children; 1,016 fostered, 84 in homes, 62 supported, 22 and 88 in other; 9 left."""
    placed = panel["placed"].sel(area=LEEDS, data_year=2021).to_series()
    # Three counts are hidden: other residential, residential schools and other.
    assert placed.to_dict() == pytest.approx({"fostering": 1016, "residential": 90, "supported": 65, "other": 110})
    assert np.isfinite(panel["unaccompanied"].where(panel["stock"].notnull(), 0.0)).all()
