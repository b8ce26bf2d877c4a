"""Improving a portfolio step by step where the exact search grows too fast: reaching a target with probability."""

import numpy as np


def improve(
    start: np.ndarray,
    gain: np.ndarray,
    target: float,
    *,
    weights: np.ndarray,
    caps: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
) -> np.ndarray:
    """Return a portfolio that no single purchase, sale or exchange makes more likely to reach the target.

    Parameters
    ----------
    start
        A portfolio that keeps every rule, 0 or 1 by slice.
    gain
        Gain of each slice in each draw (draws, slices).
    target
        Gain to reach.
    weights, caps
        Rules (rule, slice) and their upper bounds, the budget one of them.
    low, high
        Bounds of each slice, 0 or 1.

    Returns
    -------
    array of 0 and 1 by slice; a local optimum over all draws, which need not be the global one
    """
    bought, total, used = start.copy(), gain @ start, weights @ start
    best = float((total >= target).mean())
    room = caps + 1e-9 * (1 + abs(caps))
    while True:
        moves = [(best, None, None)]
        buyable = np.flatnonzero((bought < high) & (bought < 1))
        for sold in (None, *np.flatnonzero((bought > low) & (bought > 0))):
            left = total if sold is None else total - gain[:, sold]
            load = used if sold is None else used - weights[:, sold]
            if sold is not None and (load <= room).all():
                moves.append((float((left >= target).mean()), sold, None))
            fits = buyable[(load[:, None] + weights[:, buyable] <= room[:, None]).all(0)]
            if fits.size:
                shares = (left[:, None] + gain[:, fits] >= target).mean(0)
                moves.append((float(shares.max()), sold, fits[shares.argmax()]))
        reached, sold, new = max(moves, key=lambda move: move[0])
        if reached <= best:
            return bought
        best = reached
        for slice_, sign in ((sold, -1.0), (new, 1.0)):
            if slice_ is not None:
                bought[slice_] += sign
                total, used = total + sign * gain[:, slice_], used + sign * weights[:, slice_]
