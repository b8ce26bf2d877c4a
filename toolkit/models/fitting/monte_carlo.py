"""Monte Carlo errors of committed results, and verdicts that allow for them.

Errors of means, standard deviations and quantiles come from ArviZ. Errors of other statistics come from batches of
consecutive draws, which allows for autocorrelation.

References
----------
.. [1] Vehtari et al. (2021), Rank-normalization, folding, and localization, doi:10.1214/20-BA1221: errors of quantiles.
.. [2] Flegal, Haran and Jones (2008), Markov chain Monte Carlo: can we trust the third significant figure?,
   doi:10.1214/08-STS257: batch means.
"""

from collections.abc import Sequence
from typing import Any

import arviz as az
import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from toolkit.schema import CANNOT_BE_DETERMINED, MCSE, SAMPLE_DIMS, InputError

BATCHES, LEAST_DRAWS = 8, 1000  # at most 8 batches, of at least 1,000 draws each if there are enough for two
NEAR = 2.0  # standard errors within which a threshold may lie on either side

Array = NDArray[Any]


def near(margin: Any, error: Any, within: float = NEAR) -> Any:
    """Return whether a margin is within so many Monte Carlo errors of zero, so that its sign is uncertain."""
    return (np.abs(margin) <= within * error) & (np.asarray(error) > 0)


def verdicts(margin: Any, error: Any, within: float = NEAR) -> Array:
    """Return "passed", "failed" or ``CANNOT_BE_DETERMINED``.

    Parameters
    ----------
    margin
        Distance of each statistic from its threshold, positive if it passes.
    error
        Monte Carlo standard error of the margin; zero if there is none.
    within
        Number of errors from the threshold within which the verdict cannot be determined.
    """
    return np.where(
        near(margin, error, within), CANNOT_BE_DETERMINED, np.where(np.asarray(margin) >= 0, "passed", "failed")
    )


def refuse_failed(card: pd.DataFrame, model: str, *, draws: int) -> None:
    """Refuse to commit a fit that failed its checks.

    Parameters
    ----------
    card
        From :func:`toolkit.models.fitting.diagnose`.
    model
        Name of the model for the message.
    draws
        Draws of each chain.

    Raises
    ------
    InputError
        Names the checks that failed.
    """
    failed = [f"{row.check} of {row.quantity} {row.value:.4f}" for row in card[~card["passed"]].itertuples()]
    if failed:
        raise InputError(
            f"{model}: the fit failed its checks ({'; '.join(failed)}).", fix=f"run with --draws {2 * draws}."
        )


def summary(draws: xr.DataArray, *, ends: tuple[float, float] = (0.05, 0.95)) -> xr.Dataset:
    """Return ``mean``, ``sd``, ``low`` and ``high`` over chain and draw, with Monte Carlo errors as ``*_mcse``."""
    draws = draws.astype(float)
    low, high = (draws.quantile(end, SAMPLE_DIMS).drop_vars("quantile") for end in ends)
    statistics = {"mean": draws.mean(SAMPLE_DIMS), "sd": draws.std(SAMPLE_DIMS), "low": low, "high": high}
    statistics |= {f"{method}{MCSE}": az.mcse(draws, method=method) for method in ("mean", "sd")}
    quantiles = zip(("low", "high"), ends, strict=True)
    return xr.Dataset(
        statistics | {f"{name}{MCSE}": az.mcse(draws, method="quantile", prob=end) for name, end in quantiles}
    )


def batches(draws: int) -> list[Array]:
    """Return positions of consecutive draws, chain after chain, in batches whose sizes differ by at most one."""
    return np.array_split(np.arange(draws), int(np.clip(draws // LEAST_DRAWS, 2, BATCHES)))


def batch_errors(parts: Sequence[pd.DataFrame], columns: Sequence[str]) -> pd.DataFrame:
    """Return the Monte Carlo error of the mean of tables that were each computed from one batch, as ``*_mcse``."""
    values = np.stack([part[list(columns)].to_numpy(float) for part in parts])
    error = values.std(axis=0, ddof=1) / np.sqrt(len(parts))
    return pd.DataFrame(error, parts[0].index, [f"{name}{MCSE}" for name in columns])


def rounded(table: pd.DataFrame, digits: int = 4) -> pd.DataFrame:
    """Round numbers to so many decimals, and Monte Carlo errors to three significant digits."""
    errors = [str(column) for column in table if str(column).endswith(MCSE)]
    return table.round(digits).assign(**{name: table[name].map(lambda error: float(f"{error:.3g}")) for name in errors})
