"""A test of all quantities of a calibration at once, whose ranks depend on each other.

Each quantity has its own test, and among dozens one may fail by chance. The joint test asks whether the farthest of all
the ranks' distributions (ECDF) is farther from an even one than chance allows, given how the quantities move together.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from toolkit.models.fitting.monte_carlo import verdicts
from toolkit.schema import random_stream
from toolkit.validation.calibration import LEAST_P, Ranks

GRID = np.arange(1, 100) / 100  # where the distributions of ranks are compared with even ones
NULL, BATCH = 9_999, 500  # draws from the null, and how many at a time, to bound memory
JOINT = {"parameter": "joint_test", "pool": "all_quantities"}


def joint_test(drawn: Sequence[Ranks], *, model: str, seed: int, null: int = NULL) -> pd.DataFrame:
    """Test whether the ranks of all quantities are uniform, at once.

    The statistic is the largest distance of any quantity's ranks from uniform ones. Its null distribution multiplies
    each replication's deviations, those of all quantities together, by one standard normal, which keeps their
    dependence whatever its form [1]_.

    Parameters
    ----------
    drawn
        Ranks of each replication, by parameter and pool.
    model, seed
        Name for the table, and the seed of the null distribution.
    null
        Draws of the null distribution.

    Returns
    -------
    DataFrame
        One row, columns as from `toolkit.validation.calibration.judged`: ``coverage_*`` are means over the quantities,
        their errors allow for dependence; ``distance_mcse`` is the standard deviation of the null distribution.

    References
    ----------
    .. [1] Chernozhukov, Chetverikov and Kato (2013), Gaussian approximations and multiplier bootstrap for maxima of
       sums of high-dimensional random vectors, doi:10.1214/13-AOS1161.
    """
    values = np.array([[ranks[key] for key in drawn[0]] for ranks in drawn])
    number = len(values)
    gaps = ((values[..., None] <= GRID) - GRID).reshape(number, -1).astype(np.float32)
    distance = float(abs(gaps.mean(0)).max())
    farthest = _null(gaps, random_stream(seed, f"validation.joint_test {model}"), null)
    row: dict[str, object] = {"model": model, **JOINT, "replications": number}
    for level in (50, 90):
        covered = (abs(values - 0.5) < level / 200).mean(1)
        row[f"coverage_{level}"] = round(float(covered.mean()), 4)
        row[f"coverage_{level}_mcse"] = round(float(covered.std(ddof=1) / np.sqrt(number)), 5)
    error = float(farthest.std())
    margin = float(np.quantile(farthest, 1 - LEAST_P)) - distance
    row |= {"distance": round(distance, 5), "distance_mcse": round(error, 5), "seed": seed}
    row["p_value"] = round((1 + int((farthest >= distance).sum())) / (1 + null), 5)
    return pd.DataFrame([row]).assign(verdict=verdicts(np.array([margin]), np.array([error]), within=1.0))


def _null(gaps: NDArray[np.float32], random: np.random.Generator, size: int) -> NDArray[np.float32]:
    """Draw the largest distance if all ranks were uniform and as dependent as they are."""
    number = len(gaps)
    parts = [
        abs(random.standard_normal((min(BATCH, size - at), number), np.float32) @ gaps).max(1) / number
        for at in range(0, size, BATCH)
    ]
    return np.concatenate(parts)
