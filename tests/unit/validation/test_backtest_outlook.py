"""Naive forecasts by hand, and which forecast the outlook uses."""

import numpy as np
import pandas as pd
import pytest

from toolkit.validation.backtest_outlook import naive, used


def test_naive_rules():
    history = pd.DataFrame({2019: [1.0, 0.0], 2020: [1.1, np.nan], 2021: [1.4, 0.4]}, index=["a", "b"])
    assert naive(history, "last_value", 2023).tolist() == pytest.approx([1.4, 0.4])
    # Mean changes of areas: 0.1 in 2020 and 0.3 in 2021, each of the area with both years.
    assert naive(history, "national_growth", 2023).tolist() == pytest.approx([1.4 + 0.4, 0.4 + 0.4])
    # Lines by least squares: slope 0.2 through 1.1667 in 2020, and 0.2 through 0.2 in 2020.
    assert naive(history, "linear_trend", 2023).tolist() == pytest.approx([3.5 / 3 + 0.6, 0.8])


def rows(verdicts):
    base = {"part": "all", "quantity": "spend"}
    return pd.DataFrame(
        [
            base | {"last_year": year, "forecast": name, "model_is": plain, "children_model_is": weighted}
            for year, by_name in verdicts.items()
            for name, (plain, weighted) in by_name.items()
        ]
    )


def test_growth_is_carried_on_only_if_it_is_better_every_time():
    model = {"model": ("", ""), "carried": ("better", "better")}
    worse, uncertain = ("worse", "worse"), ("worse", "uncertain")
    always = rows({2021: model | {"national_growth": worse}, 2022: model | {"national_growth": worse}})
    assert used(always).tolist() == [0, 1, 0, 0, 1, 0]
    once = rows({2021: model | {"national_growth": worse}, 2022: model | {"national_growth": uncertain}})
    assert used(once).tolist() == [1, 0, 0, 1, 0, 0]
    one_origin = rows({2021: model, 2022: model | {"national_growth": worse}})
    assert used(one_origin).tolist() == [1, 0, 1, 0, 0]
    assert not used(always.assign(quantity="children"))[always["forecast"] == "carried"].any()
