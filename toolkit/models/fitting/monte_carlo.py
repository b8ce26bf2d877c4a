"""Monte Carlo errors of what is committed, and verdicts that do not turn on them.

Statistics of draws take theirs from ArviZ; what is not a mean or a quantile of a draw takes it from batches of draws,
each consecutive, so that draws that stick together count as what they are.

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

BATCHES, LEAST_DRAWS = 8, 1000  # at most so many batches, of at least so many draws each where there are enough for two
NEAR = 2.0  # standard errors within which a threshold may lie on either side

Array = NDArray[Any]


def near(margin: Any, error: Any, within: float = NEAR) -> Any:
    """Say whether a margin may be of the other sign: within so many Monte Carlo errors of zero, where there is any."""
    return (np.abs(margin) <= within * error) & (np.asarray(error) > 0)


def verdicts(margin: Any, error: Any, within: float = NEAR) -> Array:
    """Return "passed", "failed" or "cannot be told".

    Parameters
    ----------
    margin
        How far each statistic lies on the right side of its threshold.
    error
        Monte Carlo standard error of that; none where it is zero.
    within
        Of how many such errors about the threshold a verdict cannot be told.
    """
    return np.where(
        near(margin, error, within), CANNOT_BE_DETERMINED, np.where(np.asarray(margin) >= 0, "passed", "failed")
    )


def refuse_failed(card: pd.DataFrame, model: str, *, draws: int) -> None:
    """Refuse a fit to be committed that failed its checks.

    Parameters
    ----------
    card
        From :func:`toolkit.models.fitting.diagnose`.
    model
        What was fitted, in words.
    draws
        Of each chain.

    Raises
    ------
    InputError
        With the checks that failed, and how to go on.
    """
    failed = [f"{row.check} of {row.quantity} {row.value:.4f}" for row in card[~card["passed"]].itertuples()]
    if failed:
        raise InputError(
            f"{model}: the fit failed its checks ({'; '.join(failed)}).", fix=f"run with --draws {2 * draws}."
        )


def summary(draws: xr.DataArray, *, ends: tuple[float, float] = (0.05, 0.95)) -> xr.Dataset:
    """Return ``mean``, ``sd``, ``low`` and ``high`` over chain and draw, each with its error as ``*_mcse``."""
    draws = draws.astype(float)
    low, high = (draws.quantile(end, SAMPLE_DIMS).drop_vars("quantile") for end in ends)
    found = {"mean": draws.mean(SAMPLE_DIMS), "sd": draws.std(SAMPLE_DIMS), "low": low, "high": high}
    found |= {f"{method}{MCSE}": az.mcse(draws, method=method) for method in ("mean", "sd")}
    quantiles = zip(("low", "high"), ends, strict=True)
    return xr.Dataset(found | {f"{name}{MCSE}": az.mcse(draws, method="quantile", prob=end) for name, end in quantiles})


def batches(draws: int) -> list[Array]:
    """Return the positions of consecutive draws, chain after chain, in batches of equal size, give or take one."""
    return np.array_split(np.arange(draws), int(np.clip(draws // LEAST_DRAWS, 2, BATCHES)))


def batch_errors(parts: Sequence[pd.DataFrame], columns: Sequence[str]) -> pd.DataFrame:
    """Return the Monte Carlo error of the mean of a table made from each batch alone, as ``*_mcse``."""
    values = np.stack([part[list(columns)].to_numpy(float) for part in parts])
    error = values.std(axis=0, ddof=1) / np.sqrt(len(parts))
    return pd.DataFrame(error, parts[0].index, [f"{name}{MCSE}" for name in columns])


def rounded(table: pd.DataFrame, digits: int = 4) -> pd.DataFrame:
    """Round numbers to so many decimals, and errors, which may be smaller, to three significant digits."""
    errors = [str(column) for column in table if str(column).endswith(MCSE)]
    return table.round(digits).assign(**{name: table[name].map(lambda one: float(f"{one:.3g}")) for name in errors})
