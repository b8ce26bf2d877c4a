"""Conditional expectations from draws, E[response | parameters], by splines or a Gaussian process.

Both methods are one penalised regression. The straight-line part has no penalty, so a linear truth is not
shrunk; the rest (spline curves and pairwise products, or a Gaussian process's features) is shrunk as far as
generalised cross-validation chooses, so parameters that do nothing get almost no value.

Curves are of each parameter's normal scores, which depend on ranks alone, so a long tail or a cluster of values near
a bound does no harm; a parameter with few distinct values has a mean of its own at each.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from scipy import linalg, optimize, spatial, special

from toolkit.schema import InputError

type Method = Literal["spline", "gp"]
type Terms = Callable[[np.ndarray], np.ndarray]

SPLINE_TERMS = (5, 10)  # fewest and most per parameter, a straight line in its normal scores included
CATEGORIES = 20  # distinct values up to which each is a category
ALIKE = 0.999  # correlation with its scores above which a parameter needs no straight line in both
MOST_TERMS = 300  # above this products are left out; a tenth of the draws if that is fewer
RICH_TERMS = 120  # up to this the products are of curves, above it of straight lines only
PRODUCTS = "without products", "with products of straight lines", "with products of curves"
INDUCING = 150  # points that stand for all draws in the Gaussian process
LEARNING = 150  # draws that its length scales are learnt from


@dataclass(frozen=True)
class Smoother:
    """A regression prepared for one set of parameters, to be used on any number of responses."""

    straight: np.ndarray  # (draws, r), orthonormal columns
    curves: np.ndarray  # (draws, k), orthogonal to the straight part, unit variance
    values: np.ndarray  # eigenvalues of curves' cross-products
    vectors: np.ndarray
    at: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]  # both parts at other parameter values
    form: str  # what was fitted, in words


@dataclass(frozen=True)
class _Column:
    """One parameter's terms, known at its distinct values and straight in between."""

    levels: np.ndarray
    terms: np.ndarray  # (levels, terms), orthonormal over the draws: straight lines, then curves or categories
    crossed: tuple[int, int, int]  # terms that enter products: none, straight lines, and a curve beside them
    kind: str

    def __call__(self, points: np.ndarray) -> np.ndarray:
        place = np.interp(points, self.levels, np.arange(len(self.levels)))
        low = place.astype(int)
        high, part = np.minimum(low + 1, len(self.levels) - 1), (place - low)[:, None]
        return np.asarray(self.terms[low] * (1 - part) + self.terms[high] * part)


def smoother(columns: np.ndarray, responses: np.ndarray, *, method: Method = "spline") -> Smoother:
    """Prepare the regression on ``columns`` (draws, parameters); only "gp" looks at ``responses``.

    References
    ----------
    Strong, M., Oakley, J. E. and Brennan, A. (2014). Estimating multiparameter partial expected value of
    perfect information. Medical Decision Making 34(3), 311-326. doi:10.1177/0272989X13505910
    Quinonero-Candela, J. and Rasmussen, C. E. (2005). A unifying view of sparse approximate Gaussian
    process regression. JMLR 6, 1939-1959 (the subset of regressors).
    """
    if method not in ("spline", "gp"):
        raise InputError(f"method {method!r} is not known.", fix="'spline' or 'gp'.")
    centre, scale = columns.mean(0), columns.std(0)
    standard = (columns - centre) / scale
    terms, form = _spline_terms(standard) if method == "spline" else _process_terms(standard, responses)
    basis = _orthonormal(standard)
    straight, raw = standard @ basis, terms(standard)
    middle, slope = raw.mean(0), straight.T @ raw
    raw -= middle + straight @ slope
    spread = np.sqrt(np.einsum("nk,nk->k", raw, raw) / len(raw))
    kept = spread > 1e-7
    curves = (raw if kept.all() else raw[:, kept]) / spread[kept]

    def at(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        line = (points - centre) / scale
        bent = terms(line) - middle - line @ basis @ slope
        return line @ basis, bent[:, kept] / spread[kept]

    values, vectors = np.linalg.eigh(curves.T @ curves)
    sound = values > 1e-8 * values.max(initial=0.0)
    return Smoother(straight, curves, values[sound], vectors[:, sound], at, form)


def conditional_mean(fit: Smoother, responses: np.ndarray, *, points: np.ndarray | None = None) -> np.ndarray:
    """Return E[response | parameters] for each draw, or at other ``points`` (n, parameters).

    Parameters
    ----------
    fit
        From ``smoother``.
    responses
        Dims (draws, responses); each chooses its own penalty.
    """
    mean = responses.mean(0)
    line = fit.straight.T @ (responses - mean)
    left = responses - mean - fit.straight @ line
    turned = fit.vectors.T @ (fit.curves.T @ left)
    weights = fit.vectors @ (turned / (fit.values[:, None] + _penalty(fit, left, turned)))
    straight, curves = (fit.straight, fit.curves) if points is None else fit.at(points)
    return np.asarray(mean + straight @ line + curves @ weights)


def _penalty(fit: Smoother, left: np.ndarray, turned: np.ndarray) -> np.ndarray:
    """Choose each response's penalty by generalised cross-validation over a grid.

    Golub, G. H., Heath, M. and Wahba, G. (1979). doi:10.1080/00401706.1979.10489751
    """
    draws = len(left)
    grid = draws * np.logspace(-6, 3, 28)
    shrink = fit.values / (fit.values + grid[:, None])
    explained = (2 * shrink - shrink**2) @ (turned**2 / fit.values[:, None])
    freedom = 1 + fit.straight.shape[1] + shrink.sum(1)
    score = ((left**2).sum(0) - explained) / (draws - freedom)[:, None] ** 2
    return np.asarray(grid[score.argmin(0)])


def _spline_terms(draws: np.ndarray) -> tuple[Terms, str]:
    """Splines or categories of each parameter, and products of pairs as far as the draws allow."""
    count, number = draws.shape
    room = min(MOST_TERMS, count // 10)
    columns = [_column(column, room // (2 * number)) for column in draws.T]
    alone = sum(column.terms.shape[1] for column in columns)
    limits = (np.inf, room, min(room, RICH_TERMS))

    def products(depth: int) -> int:
        return sum(first.crossed[depth] * second.crossed[depth] for first, second in combinations(columns, 2))

    depth = max(depth for depth in range(3) if not depth or alone + products(depth) <= limits[depth])

    def terms(points: np.ndarray) -> np.ndarray:
        parts = [column(points[:, place]) for place, column in enumerate(columns)]
        crossed = [part[:, : column.crossed[depth]] for part, column in zip(parts, columns, strict=True)]
        pairs = [
            (left[:, :, None] * right[:, None, :]).reshape(len(points), -1) for left, right in combinations(crossed, 2)
        ]
        return np.hstack([part[:, 1:] for part in parts] + pairs)

    kinds = " and ".join(sorted({column.kind for column in columns}, reverse=True))
    return terms, f"{kinds} {PRODUCTS[depth]}" if number > 1 else kinds


def _column(draws: np.ndarray, size: int) -> _Column:
    """Return one parameter's terms, the straight line in its values first; about ``size`` of them if not categories."""
    levels, share, scores, few = _scored(draws)
    size = min(int(np.clip(size, *SPLINE_TERMS)), max(2, len(draws) // 20))
    raw = np.column_stack([levels, np.eye(len(levels))[:, 1:-1] if few else _natural_spline(scores, size)])
    weight = np.sqrt(share)[:, None]
    raw = weight * (raw - share @ raw)
    raw /= np.linalg.norm(raw, axis=0)
    straight = not few and raw[:, 0] @ raw[:, 1] > ALIKE
    if straight:
        raw = np.delete(raw, 1, axis=1)
    basis, triangle = np.linalg.qr(raw)
    basis = basis[:, np.abs(np.diag(triangle)) > 1e-6] / weight
    if few:
        return _Column(levels, basis, (0, basis.shape[1], basis.shape[1]), "categories")
    return _Column(levels, basis, (0, 1, 2) if straight else (0, 2, 3), "splines")


def _scored(draws: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, bool]:
    """Return the distinct values, the share of draws at each, their scores, and whether they are few."""
    levels, counts = np.unique(draws, return_counts=True)
    share = counts / len(draws)
    few = len(levels) <= max(2, min(CATEGORIES, len(draws) // 5))
    return levels, share, np.arange(len(levels)) if few else special.ndtri(np.cumsum(share) - share / 2), few


def _natural_spline(scores: np.ndarray, size: int) -> np.ndarray:
    """Return the ``size`` terms of a natural cubic spline at distinct ``scores``, the straight line first."""
    knots = np.quantile(scores, np.linspace(0.02, 0.98, size + 1))
    beyond = np.maximum(scores[:, None] - knots, 0)
    beyond *= beyond * beyond  # a power would take ten times as long
    slope = (beyond[:, :-1] - beyond[:, -1:]) / (knots[-1] - knots[:-1])
    return np.column_stack([scores, slope[:, :-1] - slope[:, -1:]])


def _process_terms(draws: np.ndarray, responses: np.ndarray) -> tuple[Terms, str]:
    """Features of a squared-exponential Gaussian process whose inducing points stand for all draws."""
    scales_of = [_scored(column) for column in draws.T]

    def scored(points: np.ndarray) -> np.ndarray:
        columns = [
            np.interp(column, levels, scores)
            for column, (levels, _, scores, _) in zip(points.T, scales_of, strict=True)
        ]
        return np.stack(columns, axis=1)

    places = scored(draws)
    inducing = places[_spaced(len(draws), INDUCING)]
    learning = _spaced(len(draws), LEARNING)
    scales = _length_scales(places[learning], responses[learning])
    root = linalg.cholesky(_kernel(inducing, inducing, scales) + 1e-6 * np.eye(len(inducing)), lower=True)

    def terms(points: np.ndarray) -> np.ndarray:
        return np.asarray(linalg.solve_triangular(root, _kernel(inducing, scored(points), scales), lower=True).T)

    return terms, "Gaussian process"


def _length_scales(points: np.ndarray, responses: np.ndarray) -> np.ndarray:
    """Maximise the marginal likelihood, with one length scale per parameter for all responses."""
    varied = responses[:, responses.std(0) > 0]
    scaled = (varied - varied.mean(0)) / varied.std(0)

    def misfit(logs: np.ndarray) -> float:
        cover = _kernel(points, points, np.exp(logs[1:])) + np.exp(logs[0]) * np.eye(len(points))
        root = linalg.cholesky(cover, lower=True)
        half = linalg.solve_triangular(root, scaled, lower=True)
        fit = len(points) * np.log((half**2).sum(0)).sum() / 2
        # A weak prior at moderate lengths keeps a parameter that does nothing from drifting without limit.
        return float(fit + scaled.shape[1] * np.log(np.diag(root)).sum() + ((logs[1:] - 1) ** 2).sum() / 8)

    start = np.concatenate([[0.0], np.ones(points.shape[1])])
    limits = [(-7.0, 5.0)] + [(-2.0, 6.0)] * points.shape[1]
    optimum = optimize.minimize(misfit, start, method="L-BFGS-B", bounds=limits, options={"maxiter": 25})
    return np.asarray(np.exp(optimum.x[1:]))


def _kernel(left: np.ndarray, right: np.ndarray, scales: np.ndarray) -> np.ndarray:
    return np.asarray(np.exp(-spatial.distance.cdist(left / scales, right / scales, "sqeuclidean") / 2))


def _spaced(draws: int, most: int) -> np.ndarray:
    return np.linspace(0, draws - 1, min(draws, most)).astype(int)


def _orthonormal(standard: np.ndarray) -> np.ndarray:
    """Return the matrix that makes the columns orthonormal, leaving out those that repeat others."""
    values, vectors = np.linalg.eigh(standard.T @ standard)
    kept = values > 1e-8 * values.max()
    return np.asarray(vectors[:, kept] / np.sqrt(values[kept]))
