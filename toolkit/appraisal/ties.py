"""When two options are tied: their values differ by no more than the rounding of the terms behind them."""

import numpy as np

# A penny in a hundred million pounds: far above the rounding of sums in double precision, far below what matters.
TIE = 1e-10


def level_with_best(values: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Return which options (first axis) have the highest value, or are tied with it.

    Parameters
    ----------
    values
        Dims (option, ...), higher is better.
    scale
        Size of the terms that the values are sums and differences of, dims as ``values``.
    """
    return np.asarray(values >= values.max(0) - TIE * scale.max(0))


def split(level: np.ndarray) -> np.ndarray:
    """Return the share of each case that counts for each option (first axis): those that are tied share it equally."""
    return np.asarray(level / level.sum(0))


def gathered(values: np.ndarray, scale: float) -> np.ndarray:
    """Return the values, with those that are tied, in order of size, set to the smallest of them."""
    order = np.argsort(values, kind="stable")
    steps = np.diff(values[order], prepend=-np.inf) > TIE * scale
    least = values[order][np.maximum.accumulate(np.where(steps, np.arange(len(values)), 0))]
    return np.asarray(least[np.argsort(order, kind="stable")])


def alike(parts: np.ndarray) -> np.ndarray:
    """Return which items have the same numbers: (part, item, step) to (item, item), each part on a scale of its own."""
    size = abs(parts).max(axis=(1, 2), keepdims=True)
    gaps = (abs(parts - parts[:, [item]]) for item in range(parts.shape[1]))
    return np.array([(gap <= TIE * size).all(axis=(0, 2)) for gap in gaps])
