"""Portfolios of which any part can be bought, best by the mean of their worst draws: exact on every draw, by cuts."""

import numpy as np
from scipy import optimize, sparse

MOST_CUTS = 2_000
TOLERANCE = 1e-5


def best_tail(
    gain: np.ndarray, level: float, *, weights: np.ndarray, caps: np.ndarray, low: np.ndarray, high: np.ndarray
) -> tuple[np.ndarray | None, float, float]:
    """Return the shares of items whose mean gain over the worst draws is highest.

    The mean over the worst draws is the least of the means over all sets of as many draws. A linear programme knows
    only the sets that were worst for its earlier solutions, so its value is a bound, which each new set lowers.

    Parameters
    ----------
    gain
        Gain of each item bought whole, in each draw (draws, items).
    level
        The worst 1 - level of draws count; 0 for the mean of all, which takes one cut.
    weights, caps
        Rules (rule, item) and their upper bounds.
    low, high
        Bounds of each share.

    Returns
    -------
    shares
        None if no portfolio keeps the rules.
    gap
        How far the bound lies above their mean, relative to it; 0 within the tolerance.
    bound
        Above which no portfolio's mean lies.

    References
    ----------
    Künzi-Bay, A. and Mayer, J. (2006). Computational aspects of minimizing conditional value-at-risk. Computational
    Management Science 3(1), 3-27. doi:10.1007/s10287-005-0042-0
    """
    worst = max(1, round((1 - level) * len(gain)))
    scale = float(np.abs(gain).mean()) or 1.0
    drive = np.append(np.zeros(gain.shape[1]), -1.0)
    every = sparse.csr_array(np.hstack([weights, np.zeros((len(weights), 1))]))
    rules = optimize.LinearConstraint(every, -np.inf, caps)
    cuts = np.zeros((0, gain.shape[1] + 1))
    # Until there are cuts enough, the tail is bounded by the largest gain that there is.
    bounds = optimize.Bounds(np.append(low, -np.inf), np.append(high, np.abs(gain).sum(1).max() / scale))
    shares, reached, bound = None, -np.inf, np.inf
    for _ in range(MOST_CUTS):
        below = optimize.LinearConstraint(cuts, 0.0, np.inf)
        solution = optimize.milp(drive, constraints=[rules, below] if len(cuts) else [rules], bounds=bounds)
        if solution.x is None:
            return None, np.nan, np.nan
        tried, bound = np.clip(solution.x[:-1], low, high), -float(solution.fun)
        total = gain @ tried / scale
        least = np.argpartition(total, worst - 1)[:worst]
        if (mean := float(total[least].mean())) > reached:
            shares, reached = tried, mean
        if bound - reached <= TOLERANCE * max(1.0, abs(reached)):
            break
        cuts = np.vstack([cuts, np.append(gain[least].mean(0) / scale, -1.0)])
    close = bound - reached <= TOLERANCE * max(1.0, abs(reached))
    return shares, 0.0 if close else (bound - reached) / (abs(reached) or 1.0), bound * scale
