"""Spending a budget over programmes and areas with the whole posterior, by a mixed-integer programme (HiGHS).

An item is a programme, or a programme in an area. Its steps, if it has any, are slices bought in order, each
with its own cost and gain: that is how falling returns enter. A portfolio's gain is the sum of its items'
gains draw by draw, so items that fail together are seen to, as far as their draws do: two runs of one seed share a
site's luck wholly, unless their scenarios say otherwise (``effect.shared_luck``). The result says what was assumed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import xarray as xr
from pandas.api.types import is_numeric_dtype
from scipy import optimize

from toolkit.appraisal.draws import flat, sample_dims
from toolkit.appraisal.local_search import improve
from toolkit.appraisal.ties import alike
from toolkit.schema import InputError, aligned, check

type Objective = Literal["expected_value", "conditional_value_at_risk", "probability_of_target"]
type Pairs = Sequence[tuple[str, str]]
type Bounds = tuple[np.ndarray, np.ndarray]  # of (bought, opened) slices
type Rule = tuple[np.ndarray, float]  # weights over (bought, opened) slices, upper bound

DEPENDENCE = (
    "Gains are added up draw by draw: items share what their draws share, such as the luck of a site if runs of one "
    "seed share it (effect.shared_luck of a scenario)."
)
ITEM_DIMS = ("programme", "area")
RELATIVE_GAP = 1e-4
SCENARIOS = {"conditional_value_at_risk": 400, "probability_of_target": 100}
KNOWN = ("expected_value", "conditional_value_at_risk", "probability_of_target")


@dataclass(frozen=True)
class _Slices:
    """What can be bought: slices in order of item and step."""

    names: list[str]
    item: np.ndarray  # place of each slice's item in ``names``
    cost: np.ndarray
    gain: np.ndarray  # (draws, slices)
    divisible: bool

    @property
    def first(self) -> np.ndarray:
        """Place of each item's first slice."""
        return np.searchsorted(self.item, np.arange(len(self.names)))


@dataclass(frozen=True)
class _Goal:
    objective: Objective
    target: float
    level: float
    scenarios: int
    seconds: float

    def value(self, gain: np.ndarray) -> float:
        """Return the objective of a portfolio's ``gain`` over all draws."""
        if self.objective == "expected_value":
            return float(gain.mean())
        if self.objective == "probability_of_target":
            return float((gain >= self.target - 1e-9 * abs(self.target)).mean())
        return float(np.sort(gain)[: max(1, round((1 - self.level) * len(gain)))].mean())


def allocate(
    budget: float,
    gain: xr.DataArray,
    cost: xr.DataArray,
    *,
    objective: Objective = "expected_value",
    target: float = np.nan,
    level: float = 0.90,
    divisible: bool = False,
    excludes: Pairs = (),
    requires: Pairs = (),
    minimum_share: Mapping[str, Mapping[str, float]] | None = None,
    scenarios: int | None = None,
    seconds: float = 10.0,
    explain: bool = True,
) -> xr.Dataset:
    """Return how to spend ``budget``, and why.

    Parameters
    ----------
    budget
        Money to spend, in the units of ``cost``; it need not all be spent.
    gain
        Present value of each item's gain, dims (draws, programme[, area][, step]).
    cost
        What each item costs, above nil, dims (programme[, area][, step]).
    objective
        "expected_value"; "conditional_value_at_risk" (mean gain over the worst 1 - level of draws);
        "probability_of_target" (that the gain reaches ``target``).
    divisible
        Whether part of an item or step may be bought for the same part of its gain.
    excludes, requires
        Pairs of items: not both; no more of the first than of the second. An item's name is its
        programme, or "programme in area".
    minimum_share
        Least share of the budget by label of a coordinate: {"area": {"E06000001": 0.1}}.
    scenarios
        Draws, evenly spaced, that the two risk objectives are solved on; every figure reported uses all.
        400 for the tail mean, 100 for a target.
    seconds
        After which the solver hands over the best found so far. A target is a hard search beyond some 15 items:
        there what the solver found is improved over all draws, item by item, and ``relative_gap`` says how far the
        solver's bound, over its scenarios, still lies above it.
    explain
        Solve again with more budget and with each item reversed, for ``marginal_value`` and ``regret``.

    Returns
    -------
    xr.Dataset, dims (item[, step])
        ``share`` bought; ``spend``, ``expected_gain``, ``gain_per_pound`` and ``reason`` per item;
        ``regret``: what the objective loses if that item's decision is reversed, missing where the rules
        leave no choice; ``portfolio_gain`` (draws); ``value`` (the objective), ``budget_left`` and
        ``marginal_value`` (the objective per pound if the budget were a tenth larger). Attribute ``dependence`` says
        what is assumed of how gains move together.

    Raises
    ------
    InputError
        If the budget buys nothing, a rule names an unknown item, or the rules cannot all be kept.

    References
    ----------
    Rockafellar, R. T. and Uryasev, S. (2000). Optimization of conditional value-at-risk. Journal of Risk
    2(3), 21-41. doi:10.21314/JOR.2000.038
    Huangfu, Q. and Hall, J. A. J. (2018). Parallelizing the dual revised simplex method. Mathematical
    Programming Computation 10, 119-142. doi:10.1007/s12532-017-0130-5
    """
    slices, items = _slices(gain, cost, divisible=divisible)
    goal = _goal(objective, target, level, scenarios or SCENARIOS.get(objective, 0), seconds)
    _affordable(budget, slices)
    rules = _order(slices) + _pairs(slices, excludes, requires)
    shares = _shares(slices, items, minimum_share or {})

    def solved(
        money: float, reverse: int | None = None, bought: np.ndarray | None = None, *, quick: bool = True
    ) -> tuple[np.ndarray | None, float]:
        every = [*rules, *((weights, bound * money) for weights, bound in shares)]
        return _best(slices, goal, every, money, _bounds(slices, reverse, bought), quick=quick)

    found, gap = solved(budget, quick=False)
    if found is None and np.isinf(gap):
        raise InputError(
            f"allocate: nothing found in {seconds} seconds.", fix="give more, or fewer scenarios or items."
        )
    if found is None:
        raise InputError(
            "allocate: no portfolio keeps every rule within the budget.",
            fix="loosen minimum_share, excludes or requires, or raise the budget.",
        )
    reached = goal.value(slices.gain @ found)
    left = float(budget - slices.cost @ found)
    steps = (-1, len(slices.names), len(found) // len(slices.names))  # every item has as many
    gains = slices.gain.mean(0) if objective == "expected_value" else slices.gain
    twins = alike(np.vstack([gains.reshape(steps), slices.cost.reshape(steps)]))
    result = _table(
        slices, found, gain, cost, _reasons(slices, found.reshape(steps)[0], excludes, requires, twins, left)
    )
    result["budget_left"] = result["spend"].sum().copy(data=left)
    result["value"] = reached
    if explain:
        richer, _ = solved(1.1 * budget)
        more = np.nan if richer is None else max(goal.value(slices.gain @ richer) - reached, 0.0)
        others = [solved(budget, place, found)[0] for place in range(len(slices.names))]
        loss = [np.nan if one is None else max(reached - goal.value(slices.gain @ one), 0.0) for one in others]
        result = result.assign(regret=("item", np.array(loss)), marginal_value=more / (0.1 * budget))
    told = {"objective": objective, "budget": budget, "level": level, "target": target}
    return result.assign_attrs(**told, solver="HiGHS", relative_gap=gap, dependence=DEPENDENCE)


def _goal(objective: Objective, target: float, level: float, scenarios: int, seconds: float) -> _Goal:
    if objective not in KNOWN:
        raise InputError(f"objective {objective!r} is not known.", fix=f"one of {KNOWN}.")
    if objective == "probability_of_target" and not np.isfinite(target):
        raise InputError("target: 'probability_of_target' needs the gain to reach.", fix="give target=.")
    if not 0 < level < 1:
        raise InputError(f"level {level} is not between 0 and 1.", fix="write 90 per cent as 0.90.")
    return _Goal(objective, target, level, scenarios, seconds)


def _slices(gain: xr.DataArray, cost: xr.DataArray, *, divisible: bool) -> tuple[_Slices, xr.DataArray]:
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
        raise InputError("cost: an item costs nothing or less.", fix="leave it out, it needs no budget.")
    over = [dim for dim in ITEM_DIMS if dim in cost.dims]
    flat_cost = cost.stack(item=over).transpose("item", ...)
    flat_gain = flat(gain.stack(item=over), leading=("item", *(["step"] if "step" in cost.dims else [])))
    names = [" in ".join(str(part) for part in label) for label in flat_cost["item"].values]
    steps = flat_cost.sizes.get("step", 1)
    slices = _Slices(
        names,
        np.repeat(np.arange(len(names)), steps),
        flat_cost.values.reshape(-1).astype(float),
        flat_gain.reshape(len(names) * steps, -1).T,
        divisible,
    )
    return slices, flat_cost


def _affordable(budget: float, slices: _Slices) -> None:
    cheapest = slices.cost[slices.first].argmin()
    price = slices.cost[slices.first][cheapest]
    if not budget > 0 or (not slices.divisible and budget < price):
        raise InputError(
            f"budget {budget:,.0f} is below the cheapest item, {slices.names[cheapest]} at {price:,.0f}.",
            fix="raise the budget, or allow parts to be bought with divisible=True.",
        )


def _order(slices: _Slices) -> list[Rule]:
    """Open a slice before it is bought, and only when the one before it is bought in full."""
    count = len(slices.cost)
    bought, opened = np.eye(count, 2 * count), np.eye(count, 2 * count, count)
    rules = [(bought[place] - opened[place], 0.0) for place in range(count)]
    later = [place for place in range(1, count) if slices.item[place] == slices.item[place - 1]]
    return rules + [(opened[place] - bought[place - 1], 0.0) for place in later]


def _pairs(slices: _Slices, excludes: Pairs, requires: Pairs) -> list[Rule]:
    count = len(slices.cost)
    unknown = {name for pair in (*excludes, *requires) for name in pair} - set(slices.names)
    if unknown:
        raise InputError(
            f"excludes, requires: {sorted(unknown)} not among the items {slices.names}.", fix="name these."
        )
    rules = []
    for pairs, weight, shift, bound in ((excludes, 1.0, count, 1.0), (requires, -1.0, 0, 0.0)):
        for one, two in pairs:
            weights = np.zeros(2 * count)
            weights[slices.first[slices.names.index(one)] + shift] += 1.0
            weights[slices.first[slices.names.index(two)] + shift] += weight
            rules.append((weights, bound))
    return rules


def _shares(slices: _Slices, items: xr.DataArray, minimum: Mapping[str, Mapping[str, float]]) -> list[Rule]:
    """Return least shares as rules whose bounds are per pound of budget."""
    rules = []
    for coordinate, shares in minimum.items():
        if coordinate not in items.coords or "item" not in items[coordinate].dims:
            raise InputError(f"minimum_share: {coordinate!r} is no coordinate of the items.", fix="assign it to cost.")
        labels = items[coordinate].values[slices.item]
        for label, share in shares.items():
            if label not in labels or not 0 <= share <= 1:
                raise InputError(f"minimum_share: {coordinate} {label!r} at {share} fits no item or is no share.")
            rules.append((np.concatenate([-slices.cost * (labels == label), np.zeros(len(labels))]), -share))
    return rules


def _bounds(slices: _Slices, reverse: int | None, bought: np.ndarray | None) -> Bounds:
    """Bounds of (bought, opened), with one item's decision reversed if asked."""
    count = len(slices.cost)
    low, high = np.zeros(2 * count), np.ones(2 * count)
    if reverse is not None and bought is not None:
        first = slices.first[reverse]
        if bought[first] > 1e-9:
            high[count + first] = 0.0
        else:
            low[first] = 1.0
    return low, high


def _best(
    slices: _Slices, goal: _Goal, rules: list[Rule], budget: float, bounds: Bounds, *, quick: bool
) -> tuple[np.ndarray | None, float]:
    """Return the best portfolio found and its gap; ``quick`` spares time, and the exact search for a target."""
    if goal.objective != "probability_of_target" or slices.divisible:
        brief = replace(goal, seconds=goal.seconds / (1 + quick * len(slices.names)))
        return _solve(slices, brief, rules, budget, bounds)[:2]
    plain = _solve(slices, replace(goal, objective="expected_value"), rules, budget, bounds)
    if plain[0] is None:
        return None, np.nan
    exact = (None, np.nan, np.nan) if quick else _solve(slices, goal, rules, budget, bounds)
    count = len(slices.cost)
    limits = {
        "weights": np.vstack([slices.cost, *(rule[:count] + rule[count:] for rule, _ in rules)]),
        "caps": np.array([budget, *(cap for _, cap in rules)]),
        "low": bounds[0][:count],
        "high": np.minimum(bounds[1][:count], bounds[1][count:]),
    }
    target = goal.target - 1e-9 * abs(goal.target)
    ends = [improve(one[0], slices.gain, target, **limits) for one in (exact, plain) if one[0] is not None]
    best = max(ends, key=lambda end: goal.value(slices.gain @ end))
    reached = goal.value(slices.gain @ best)
    return best, max(exact[2] / reached - 1.0, 0.0) if reached else np.inf


def _solve(
    slices: _Slices, goal: _Goal, rules: list[Rule], budget: float, bounds: Bounds
) -> tuple[np.ndarray | None, float, float]:
    """Return the shares bought, the solver's gap and its bound; no shares if no portfolio keeps the rules in time."""
    count = len(slices.cost)
    weights = np.vstack([np.concatenate([slices.cost, np.zeros(count)])] + [rule for rule, _ in rules])
    caps = np.array([budget] + [bound for _, bound in rules])
    drive, extra, floor, whole, limits = _objective_terms(slices, goal)
    rows = np.vstack([np.hstack([weights, np.zeros((len(weights), len(limits)))]), extra])
    floors, ceilings = np.append(np.full(len(caps), -np.inf), floor), np.append(caps, np.full(len(floor), np.inf))
    found = optimize.milp(
        drive,
        constraints=optimize.LinearConstraint(rows, floors, ceilings),
        integrality=np.concatenate([np.full(count, not slices.divisible), np.ones(count), whole]),
        bounds=optimize.Bounds(np.concatenate([bounds[0], limits[:, 0]]), np.concatenate([bounds[1], limits[:, 1]])),
        options={"time_limit": goal.seconds, "mip_rel_gap": RELATIVE_GAP},
    )
    if found.x is None:
        return None, np.nan if found.status == 2 else np.inf, np.nan
    shares = np.clip(found.x[:count], 0, 1)
    return shares if slices.divisible else np.round(shares), float(found.mip_gap or 0.0), -float(found.mip_dual_bound)


def _objective_terms(slices: _Slices, goal: _Goal) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Cost vector, extra rows, their floors, and the extra variables' integrality and limits.

    Money is scaled to about one so that the solver's tolerances mean the same for pounds and millions.
    """
    count = len(slices.cost)
    scale = np.abs(slices.gain).mean() or 1.0
    none = np.zeros(0)
    if goal.objective == "expected_value":
        drive = np.concatenate([-slices.gain.mean(0) / scale, np.zeros(count)])
        return drive, np.zeros((0, 2 * count)), none, none, np.zeros((0, 2))
    gain = slices.gain[np.linspace(0, len(slices.gain) - 1, min(len(slices.gain), goal.scenarios)).astype(int)]
    gain, draws = gain / scale, min(len(slices.gain), goal.scenarios)
    held = np.hstack([gain, np.zeros((draws, count))])
    if goal.objective == "conditional_value_at_risk":
        # Variables: the quantile, and each draw's shortfall from it.
        drive = np.concatenate([np.zeros(2 * count), [-1.0], np.full(draws, 1 / (draws * (1 - goal.level)))])
        rows = np.hstack([held, -np.ones((draws, 1)), np.eye(draws)])
        limits = np.array([(-np.inf, np.inf)] + [(0.0, np.inf)] * draws)
        return drive, rows, np.zeros(draws), np.zeros(draws + 1), limits
    # Variables: whether each draw reaches the target; a draw that need not may fall as low as it can.
    target = goal.target / scale
    lowest = np.minimum(gain, 0).sum(1)
    drive = np.concatenate([np.zeros(2 * count), np.full(draws, -1 / draws)])
    rows = np.hstack([held, np.diag(-np.maximum(target - lowest, 0))])
    return drive, rows, np.minimum(lowest, target), np.ones(draws), np.array([(0.0, 1.0)] * draws)


def _table(
    slices: _Slices, found: np.ndarray, gain: xr.DataArray, cost: xr.DataArray, reasons: list[str]
) -> xr.Dataset:
    steps = len(found) // len(slices.names)
    shape = (len(slices.names), steps)
    shares, prices = found.reshape(shape), slices.cost.reshape(shape)
    expected = slices.gain.mean(0).reshape(shape)
    dims = sample_dims(gain)
    template = gain.isel({dim: 0 for dim in gain.dims if dim not in dims}, drop=True).transpose(*dims).drop_attrs()
    total = template.copy(data=(slices.gain @ found).reshape(template.shape))
    money = {key: gain.attrs[key] for key in ("units", "price_base") if key in gain.attrs}
    table = xr.Dataset(
        {
            "share": (("item", "step"), shares),
            "spend": ("item", (shares * prices).sum(1), money),
            "expected_gain": ("item", (shares * expected).sum(1), money),
            "gain_per_pound": ("item", expected.sum(1) / prices.sum(1)),
            "reason": ("item", np.array(reasons, dtype=object)),
            "portfolio_gain": total.rename(None).assign_attrs(money),
        },
        coords={"item": np.array(slices.names, dtype=object)},
    )
    return table if "step" in cost.dims else table.isel(step=0, drop=True)


def _reasons(
    slices: _Slices, shares: np.ndarray, excludes: Pairs, requires: Pairs, twins: np.ndarray, left: float
) -> list[str]:
    expected = slices.gain.mean(0).reshape(shares.shape)
    bought = {name for name, share in zip(slices.names, shares, strict=True) if share[0] > 1e-9}
    prices = slices.cost[slices.first]
    reasons = []
    for place, name in enumerate(slices.names):
        shut = [other for pair in excludes if name in pair for other in pair if other != name and other in bought]
        lacks = [second for first, second in requires if first == name and second not in bought]
        if name in bought:
            reasons.append("bought in full" if shares[place].min() > 1 - 1e-9 else "bought in part")
        elif shut or lacks:
            reasons.append(f"excluded by {shut[0]}" if shut else f"needs {lacks[0]}")
        elif expected[place, 0] <= 0:
            reasons.append("expected gain is not above nil")
        elif level := [
            other for other, same in zip(slices.names, twins[place], strict=True) if same and other in bought
        ]:
            reasons.append(f"level with {level[0]}, bought in its place")
        elif prices[place] > left:
            reasons.append("the money does more elsewhere")
        else:
            reasons.append("does not improve the objective")
    return reasons
