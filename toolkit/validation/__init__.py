"""Validation of the models: calibration by simulation, backtests and predictive checks."""

from toolkit.validation.backtest import backtest
from toolkit.validation.predictive import check

__all__ = ["backtest", "check"]


def __dir__() -> list[str]:
    return __all__
