"""Improving a portfolio step by step where the exact search grows too fast: reaching a target with probability."""

import numpy as np

STEPS = 0.2 / 2.0 ** np.arange(7)  # of an item, from a fifth to a third of a per cent


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


def improve_shares(
    start: np.ndarray,
    gain: np.ndarray,
    target: float,
    *,
    weights: np.ndarray,
    caps: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
) -> np.ndarray:
    """Return shares of items that no purchase, sale or exchange of a step makes more likely to reach the target.

    Of portfolios that are as likely, the one with the higher expected gain is better. Steps start large and halve.

    Parameters
    ----------
    start
        A portfolio that keeps every rule, 0 to 1 by item.
    gain, target, weights, caps, low, high
        As in :func:`improve`, of items of which any part can be bought.

    Returns
    -------
    array of shares by item; a local optimum over all draws, which need not be the global one
    """
    mean = gain.mean(0)
    bought: np.ndarray = np.clip(start, low, high)
    tie = 0.5 / len(gain) / (np.abs(mean).sum() or 1.0)  # so that no gain in the mean is worth a draw
    room = caps + 1e-9 * (1 + abs(caps))
    total, load = gain @ bought, weights @ bought
    best = float((total >= target).mean() + tie * total.mean())
    for step in STEPS:
        while True:
            move, reached = None, best + 1e-12
            for sold in (None, *np.flatnonzero(bought > low)):
                change = np.zeros(len(bought))
                if sold is not None:
                    change[sold] = -min(step, bought[sold] - low[sold])
                rest, left = total + gain @ change, load + weights @ change
                amounts = np.minimum(_room_for(weights, room - left, step), high - bought)
                amounts[[] if sold is None else [sold]] = 0.0
                likely = (rest[:, None] + gain * amounts >= target).mean(0) + tie * (rest.mean() + mean * amounts)
                kept = (left[:, None] + weights * amounts <= room[:, None]).all(0)
                likely = np.where(kept, likely, -np.inf)
                if likely.max() > reached:
                    reached, new = float(likely.max()), int(likely.argmax())
                    change[new] += amounts[new]
                    move = change
            if move is None:
                break
            best, bought = reached, bought + move
            total, load = gain @ bought, weights @ bought
    return bought


def _room_for(weights: np.ndarray, room: np.ndarray, step: float) -> np.ndarray:
    """Return how much of each item the rules leave room for, at most a step."""
    with np.errstate(divide="ignore", invalid="ignore"):
        most = np.where(weights > 0, room[:, None] / weights, np.inf).min(0)
    amounts: np.ndarray = np.clip(most, 0.0, step)
    return amounts
