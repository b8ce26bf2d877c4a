"""What a portfolio can buy, and the rules that it must keep, as the arrays that a mixed-integer solver takes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from pandas.api.types import is_numeric_dtype

from toolkit.appraisal.draws import flat, sample_dims
from toolkit.schema import InputError, aligned, check

type Pairs = Sequence[tuple[str, str]]
type Bounds = tuple[np.ndarray, np.ndarray]  # of (bought, opened) slices
type Limits = tuple[xr.DataArray, xr.DataArray]  # what items weigh if bought whole (limit, ...); the most (limit)
type Rule = tuple[np.ndarray, float]  # weights over (bought, opened) slices, upper bound

ITEM_DIMS = ("programme", "area")


@dataclass(frozen=True)
class Slices:
    """What can be bought: slices in order of item and step."""

    names: list[str]
    item: np.ndarray  # position of each slice's item in ``names``
    cost: np.ndarray
    gain: np.ndarray  # (draws, slices)
    divisible: bool
    whole: bool = True  # whether a slice is opened or not: it is where slices have an order, or items exclude others

    @property
    def first(self) -> np.ndarray:
        """Position of each item's first slice."""
        return np.searchsorted(self.item, np.arange(len(self.names)))


def slices_of(gain: xr.DataArray, cost: xr.DataArray, *, divisible: bool) -> tuple[Slices, xr.DataArray]:
    """Return what can be bought, checked, and the cost by item with its labels (item[, step])."""
    check(gain.rename(gain.name or "gain"), dims=("programme",))
    check(cost.rename(cost.name or "cost"), dims=("programme",))
    aligned(gain, cost)
    if set(gain.dims) - set(sample_dims(gain)) != set(cost.dims) or set(cost.dims) - {*ITEM_DIMS, "step"}:
        raise InputError(
            f"gain has dimensions {list(gain.dims)} and cost {list(cost.dims)}.",
            fix="give both programme, and area and step if there are any; gain also the draws.",
        )
    if "step" in cost.dims and is_numeric_dtype(rank := cost.get_index("step")) and not rank.is_monotonic_increasing:
        raise InputError("step: steps are bought in order, so their labels must rise.", fix=".sortby('step').")
    if not bool((cost > 0).all()):
        raise InputError("cost: an item costs 0 or less.", fix="leave it out, because it needs no budget.")
    over = [dim for dim in ITEM_DIMS if dim in cost.dims]
    flat_cost = cost.stack(item=over).transpose("item", ...)
    flat_gain = flat(gain.stack(item=over), leading=("item", *(["step"] if "step" in cost.dims else [])))
    names = [" in ".join(str(part) for part in label) for label in flat_cost["item"].values]
    steps = flat_cost.sizes.get("step", 1)
    slices = Slices(
        names,
        np.repeat(np.arange(len(names)), steps),
        flat_cost.values.reshape(-1).astype(float),
        flat_gain.reshape(len(names) * steps, -1).T,
        divisible,
    )
    return slices, flat_cost


def check_affordable(budget: float, slices: Slices) -> None:
    """Raise if the budget buys nothing."""
    cheapest = slices.cost[slices.first].argmin()
    price = slices.cost[slices.first][cheapest]
    if not budget > 0 or (not slices.divisible and budget < price):
        raise InputError(
            f"budget {budget:,.0f} is below the cheapest item, {slices.names[cheapest]} at {price:,.0f}.",
            fix="raise the budget, or allow parts to be bought with divisible=True.",
        )


def purchase_order(slices: Slices) -> list[Rule]:
    """Return the rules that a slice is opened before it is bought, and only once the one before it is fully bought."""
    count = len(slices.cost)
    bought, opened = np.eye(count, 2 * count), np.eye(count, 2 * count, count)
    rules = [(bought[place] - opened[place], 0.0) for place in range(count)]
    later = [place for place in range(1, count) if slices.item[place] == slices.item[place - 1]]
    return rules + [(opened[place] - bought[place - 1], 0.0) for place in later]


def pair_rules(slices: Slices, excludes: Pairs, requires: Pairs) -> list[Rule]:
    """Return the rules of pairs of items: not both, and no more of the first than of the second."""
    count = len(slices.cost)
    unknown = {name for pair in (*excludes, *requires) for name in pair} - set(slices.names)
    if unknown:
        raise InputError(
            f"excludes, requires: {sorted(unknown)} not among the items {slices.names}.", fix="name these."
        )
    rules = []
    for pairs, weight, shift, bound in ((excludes, 1.0, count, 1.0), (requires, -1.0, 0, 0.0)):
        for first, second in pairs:
            weights = np.zeros(2 * count)
            weights[slices.first[slices.names.index(first)] + shift] += 1.0
            weights[slices.first[slices.names.index(second)] + shift] += weight
            rules.append((weights, bound))
    return rules


def minimum_shares(slices: Slices, items: xr.DataArray, minimum: Mapping[str, Mapping[str, float]]) -> list[Rule]:
    """Return minimum shares as rules whose bounds are per pound of budget."""
    rules = []
    for coordinate, shares in minimum.items():
        if coordinate not in items.coords or "item" not in items[coordinate].dims:
            raise InputError(
                f"minimum_share: {coordinate!r} is not a coordinate of the items.", fix="assign it to cost."
            )
        labels = items[coordinate].values[slices.item]
        for label, share in shares.items():
            if label not in labels or not 0 <= share <= 1:
                raise InputError(f"minimum_share: {coordinate} {label!r} at {share} matches no item or is not a share.")
            rules.append((np.concatenate([-slices.cost * (labels == label), np.zeros(len(labels))]), -share))
    return rules


def shared_limits(slices: Slices, cost: xr.DataArray, limits: Limits | None) -> list[Rule]:
    """Return limits that items share as rules: what is bought of each times its weight, added up, up to a bound."""
    if limits is None:
        return []
    weights, most = (check(part.rename(part.name or "at_most"), dims=("limit",)) for part in limits)
    if set(weights.dims) != {"limit", *cost.dims} or most.dims != ("limit",) or bool((most < 0).any()):
        raise InputError(
            f"at_most: weights over {list(weights.dims)}, up to {float(most.min()):g}.",
            fix=f"give weights over {['limit', *cost.dims]}, and bounds (limit) of 0 or more.",
        )
    aligned(cost, weights, most)
    each = weights.stack(item=[dim for dim in ITEM_DIMS if dim in cost.dims]).transpose("limit", "item", ...)
    rows = each.values.reshape(each.sizes["limit"], -1).astype(float)
    none = np.zeros(len(slices.cost))
    return [(np.concatenate([row, none]), float(bound)) for row, bound in zip(rows, most.values, strict=True)]


def bounds_of(slices: Slices, reverse: int | None, bought: np.ndarray | None) -> Bounds:
    """Return the bounds of (bought, opened), with the decision on item ``reverse`` reversed if it is given."""
    count = len(slices.cost)
    low, high = np.zeros(2 * count), np.ones(2 * count)
    if reverse is not None and bought is not None:
        first = slices.first[reverse]
        if bought[first] > 1e-9:
            high[count + first] = 0.0
        else:
            low[first] = 1.0
    return low, high
