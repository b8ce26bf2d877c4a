"""The series against the panel that they are made from, and back."""

import numpy as np
import pytest

from toolkit import evidence
from toolkit.models.outlook.series import WEEKS, mix, stocks, to_series

LEEDS = "E08000035"


def test_series_turn_back_into_counts_and_shares():
    panel = evidence.care_panel()
    value = to_series(panel)["value"].sel(data_year=2025)
    parts = {str(name): value.sel(series=name, drop=True) for name in value["series"].values}
    stock, alone = stocks(parts)
    here = panel.sel(data_year=2025)
    assert np.allclose(stock, here["stock"]) and np.allclose(alone, here["unaccompanied"])
    shares = mix(parts)
    assert np.allclose(shares.sum("placement").dropna("area"), 1.0)
    # Half a child is added to each placement, so that none is without children.
    expected = (float(here["placed"].sel(area=LEEDS, placement="residential")) + 0.5) / (1498 + 2)
    assert float(shares.sel(area=LEEDS, placement="residential")) == pytest.approx(expected)


def test_a_week_of_care_is_spending_over_children_and_weeks():
    panel = evidence.care_panel()
    week = np.exp(to_series(panel)["value"].sel(series="care_week", area=LEEDS, data_year=2025))
    # GBP 148.83m in 2024-25, 1,498 children, and 3.2388 per cent of inflation to 2025/26.
    assert float(week) == pytest.approx(148_829_653 * 1.032388 / 1498 / WEEKS, rel=1e-6)
