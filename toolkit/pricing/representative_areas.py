"""A few representative areas for many, so that the total at any spend follows from pricing the areas at one.

A spend of x pounds for each child reaches P (1 - exp(-s x c)) / s children, up to a factor of the draw alone: s,
children to each eligible one, differs between areas, and c, families that a pound helps, between draws. That is smooth
in log s, so that an area counts as a mixture of stand-ins whose s are Chebyshev nodes. What areas save with each child
reached is added up with those shares once; after that a new spend changes only the stand-ins' reach, draw by draw.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from toolkit import pathways
from toolkit.scenarios import Option
from toolkit.schema import SAMPLE_DIMS

TOLERANCE = 1e-5  # of any area's reach at any sum
MOST = 40
FAMILY = ("cost_per_family", "children_per_family")
SUMS = np.geomspace(1e-3, 1e4, 200)  # of s x c, from almost none reached to all


@dataclass(frozen=True)
class Pool:
    """Representative areas (stand-ins) for some areas.

    Attributes
    ----------
    statistics
        Of each stand-in (area), which has one child aged 0 to 17.
    shares
        Children of each area that count as each stand-in's (area, node); some are negative.
    error
        Largest relative error of any area's reach, over all sums.
    """

    statistics: xr.Dataset
    shares: np.ndarray
    error: float

    def reach(self, draws: xr.Dataset, option: Option) -> "Reach":
        """Return how many children any spend reaches, given draws and an option's group; no limit reaches all."""
        cost, each = (draws[name].transpose(*SAMPLE_DIMS).values.ravel() for name in FAMILY)
        everyone = pathways.children_reached(np.inf, draws, self.statistics, option).transpose("area", *SAMPLE_DIMS)
        return Reach(cost, each, everyone.values.reshape(everyone.sizes["area"], -1) / each)


@dataclass(frozen=True)
class Reach:
    """What a spend reaches: cost and children of a family (draw), and eligible families of stand-ins (node, draw)."""

    cost: np.ndarray
    each: np.ndarray
    eligible: Any

    def at(self, pounds: float) -> np.ndarray:
        """Return children reached by ``pounds`` for each child of a stand-in (node, draw), negative for a cut."""
        bought: Any = pounds / self.cost
        return np.asarray(pathways.families(bought, self.eligible) * self.each)


def pool(areas: xr.Dataset, option: Option) -> Pool:
    """Return as few stand-ins as keep every area's reach within ``TOLERANCE``.

    Parameters
    ----------
    areas
        Base-year statistics (area), all with eligible children.
    option
        States who is eligible, as for ``pathways.children_reached``.

    References
    ----------
    Berrut, J.-P. and Trefethen, L. N. (2004). Barycentric Lagrange interpolation. SIAM Review 46(3), 501-517.
    doi:10.1137/S0036144502417715
    """
    children = areas["population_0_17"].values.astype(float)
    in_need = (areas["children_in_need"] - areas["children_looked_after"]).values
    place = np.log(children / (areas["care_starts"].values if option.group == "care_edge" else in_need))
    distinct = np.unique(place)
    for count in range(1, MOST):
        nodes = distinct if len(distinct) <= count else _chebyshev(distinct[0], distinct[-1], count)
        mixture = _lagrange(place, nodes)
        error = float(np.abs(mixture @ _reach(nodes, place) / _reach(place, place) - 1.0).max())
        if error < TOLERANCE:
            break
    eligible = xr.DataArray(np.exp(-nodes), dims="area")
    names = ("children_in_need", "care_starts")
    representatives = xr.Dataset({name: eligible for name in names} | {"children_looked_after": 0.0 * eligible})
    return Pool(representatives, children[:, None] * mixture, error)


def _reach(place: np.ndarray, scale: np.ndarray) -> np.ndarray:
    each, middle = np.exp(place)[:, None], np.exp(np.median(scale))
    return np.asarray(-np.expm1(-each * SUMS / middle) / each)


def _chebyshev(low: float, high: float, count: int) -> np.ndarray:
    return (low + high) / 2 + (high - low) / 2 * np.cos((2 * np.arange(count) + 1) * np.pi / (2 * count))


def _lagrange(place: np.ndarray, nodes: np.ndarray) -> np.ndarray:
    """Return what each node counts for at each place (place, node)."""
    others = ~np.eye(len(nodes), dtype=bool)
    apart = np.where(others, nodes[:, None] - nodes, 1.0).prod(1)
    away = np.where(others, (place[:, None] - nodes)[:, None, :], 1.0).prod(2)
    return np.asarray(away / apart)
