"""The table of an outlook against the draws it is made of."""

import numpy as np
import pytest

from tests.outlooks import small_outlook
from toolkit.measures.outlook import outlook_table, shown


def test_areas_are_summed_draw_by_draw():
    outlook = small_outlook()
    rows = outlook_table(outlook).set_index(["quantity", "placement", "year"])
    draws = outlook["children"].sel(year=2030).sum(["area", "placement"]).values.ravel()
    row = rows.loc[("children", "all", 2030)]
    assert row["median"] == pytest.approx(np.median(draws))
    assert [row["lower"], row["upper"]] == pytest.approx(np.quantile(draws, [0.05, 0.95]))
    assert (row["financial_year"], row["unit"]) == ("2029/30", "persons")
    assert rows.loc[("residential_share", "all", 2030), "median"] == pytest.approx(0.13)
    # 2,000 children, of whom 13 per cent at GBP 7,500 a week, 67 at 800, 12 at 1,400 and 8 at 400, times 1.2.
    week = 2000 * (0.13 * 7500 + 0.67 * 800 + 0.12 * 1400 + 0.08 * 400) * 1.2
    assert rows.loc[("spend", "all", 2025), "median"] == pytest.approx(week * 365.25 / 7)


def test_prices_are_weighted_by_children():
    outlook = small_outlook()
    price = outlook["price"] * 1.0
    price.loc[{"area": outlook["area"][0], "placement": "residential", "year": 2025}] = 10_500.0
    table = outlook_table(outlook.assign(price=price.assign_attrs(outlook["price"].attrs)))
    rows = table.set_index(["quantity", "placement", "year"])
    assert rows.loc[("price", "residential", 2025), "median"] == pytest.approx((10_500 + 7500) / 2)


def test_the_printed_table_has_a_line_a_year():
    text = shown(outlook_table(small_outlook()))
    assert list(text["Year"])[:2] == ["2024/25", "2025/26"] and len(text) == 11
    assert text["Residential share"].iloc[0] == "13.0% (13.0% to 13.0%)"
