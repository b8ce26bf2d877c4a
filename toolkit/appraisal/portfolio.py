"""Spending a budget over programmes and areas with the whole posterior, by a mixed-integer programme (HiGHS).

An item is a programme, or a programme in an area. Its steps, if it has any, are slices bought in order, each
with its own cost and gain: that is how falling returns enter. A portfolio's gain is the sum of its items'
gains draw by draw, so items that fail together do so here as far as their draws do: two runs of one seed fully share
a site's luck, unless their scenarios say otherwise (``effect.shared_luck``). The result states what was assumed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import xarray as xr
from scipy import optimize

from toolkit.appraisal.draws import sample_dims
from toolkit.appraisal.local_search import improve, improve_shares
from toolkit.appraisal.portfolio_items import (
    Bounds,
    Limits,
    Pairs,
    Rule,
    Slices,
    bounds_of,
    check_affordable,
    minimum_shares,
    pair_rules,
    purchase_order,
    shared_limits,
    slices_of,
)
from toolkit.appraisal.tail_cuts import best_tail
from toolkit.appraisal.ties import alike
from toolkit.schema import InputError

type Objective = Literal["expected_value", "conditional_value_at_risk", "probability_of_target"]

DEPENDENCE = (
    "Gains are added up draw by draw: items share what their draws share, such as the luck of a site if runs of one "
    "seed share it (effect.shared_luck of a scenario)."
)
RELATIVE_GAP = 1e-4
SCENARIOS = {"conditional_value_at_risk": 400, "probability_of_target": 100}
CAUTION = (0.25, 0.5, 0.75, 0.9)  # levels of the tail means whose portfolios a search for a target may start from
KNOWN = ("expected_value", "conditional_value_at_risk", "probability_of_target")


@dataclass(frozen=True)
class _Goal:
    objective: Objective
    target: float
    level: float
    scenarios: int
    seconds: float

    def value(self, gain: np.ndarray) -> float:
        """Return the objective of a portfolio's ``gain`` over all draws."""
        return objective_of(gain, self.objective, target=self.target, level=self.level)


def objective_of(gain: np.ndarray, objective: Objective, *, target: float = np.nan, level: float = 0.90) -> float:
    """Return an objective of :func:`allocate` of a portfolio's ``gain`` (draws)."""
    if objective == "expected_value":
        return float(gain.mean())
    if objective == "probability_of_target":
        return float((gain >= target - 1e-9 * abs(target)).mean())
    return float(np.sort(gain)[: max(1, round((1 - level) * len(gain)))].mean())


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
    at_most: Limits | None = None,
    exact: bool = True,
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
        What each item costs, above 0, dims (programme[, area][, step]).
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
    at_most
        Limits that items share, such as the families whom several programmes can help: what each item weighs if it is
        bought whole, dims (limit, and those of ``cost``), and the most that what is bought may weigh together (limit).
    exact
        Whether a target is also searched for by the mixed-integer programme, which takes up to ``seconds``. Otherwise
        it is approached by local search alone, from the portfolios best by expected value and by their worst draws.
    scenarios
        Draws, evenly spaced, that the two risk objectives are solved on; every figure reported uses all.
        400 for the tail mean, 100 for a target. Where any part of any item can be bought and none waits for or excludes
        another, the tail mean is exact on all draws.
    seconds
        After which the solver returns its best solution so far. A target is a hard search beyond some 15 items:
        its solution is then improved over all draws, item by item, and ``relative_gap`` is how far the solver's
        bound, over its scenarios, still lies above it.
    explain
        Solve again with more budget and with each item reversed, for ``marginal_value`` and ``regret``.

    Returns
    -------
    xr.Dataset, dims (item[, step])
        ``share`` bought; ``spend``, ``expected_gain``, ``gain_per_pound`` and ``reason`` per item;
        ``regret``: what the objective loses if that item's decision is reversed, missing where the rules
        leave no choice; ``portfolio_gain`` (draws); ``value`` (the objective), ``budget_left`` and
        ``marginal_value`` (the objective per pound if the budget were a tenth larger). Attribute ``dependence`` states
        what is assumed of how gains move together.

    Raises
    ------
    InputError
        If the budget buys nothing, a rule names an unknown item, or the rules cannot all be kept.

    References
    ----------
    Rockafellar, R. T. and Uryasev, S. (2000). Optimization of conditional value-at-risk. Journal of Risk
    2(3), 21-41. doi:10.21314/JOR.2000.038
    Künzi-Bay, A. and Mayer, J. (2006). Computational aspects of minimizing conditional value-at-risk. Computational
    Management Science 3(1), 3-27. doi:10.1007/s10287-005-0042-0
    Huangfu, Q. and Hall, J. A. J. (2018). Parallelizing the dual revised simplex method. Mathematical
    Programming Computation 10, 119-142. doi:10.1007/s12532-017-0130-5
    """
    slices, items = slices_of(gain, cost, divisible=divisible)
    goal = _goal(objective, target, level, scenarios or SCENARIOS.get(objective, 0), seconds)
    check_affordable(budget, slices)
    slices = replace(slices, whole=not divisible or bool(excludes or requires) or "step" in cost.dims)
    rules = purchase_order(slices) + pair_rules(slices, excludes, requires) + shared_limits(slices, cost, at_most)
    minimum = minimum_shares(slices, items, minimum_share or {})

    def solved(
        money: float, reverse: int | None = None, bought: np.ndarray | None = None, *, quick: bool = True
    ) -> tuple[np.ndarray | None, float]:
        every = [*rules, *((weights, bound * money) for weights, bound in minimum)]
        quick = quick or not exact
        return _best(slices, goal, every, money, bounds_of(slices, reverse, bought), quick=quick)

    shares, gap = solved(budget, quick=False)
    if shares is None and np.isinf(gap):
        raise InputError(f"allocate: no solution in {seconds} seconds.", fix="give more, or fewer scenarios or items.")
    if shares is None:
        raise InputError(
            "allocate: no portfolio keeps every rule within the budget.",
            fix="loosen minimum_share, excludes or requires, or raise the budget.",
        )
    reached = goal.value(slices.gain @ shares)
    left = float(budget - slices.cost @ shares)
    steps = (-1, len(slices.names), len(shares) // len(slices.names))  # every item has as many
    gains = slices.gain.mean(0) if objective == "expected_value" else slices.gain
    twins = alike(np.vstack([gains.reshape(steps), slices.cost.reshape(steps)]))
    result = _table(
        slices, shares, gain, cost, _reasons(slices, shares.reshape(steps)[0], excludes, requires, twins, left)
    )
    result["budget_left"] = result["spend"].sum().copy(data=left)
    result["value"] = reached
    if explain:
        richer, _ = solved(1.1 * budget)
        more = np.nan if richer is None else max(goal.value(slices.gain @ richer) - reached, 0.0)
        others = [solved(budget, place, shares)[0] for place in range(len(slices.names))]
        loss = [np.nan if other is None else max(reached - goal.value(slices.gain @ other), 0.0) for other in others]
        result = result.assign(regret=("item", np.array(loss)), marginal_value=more / (0.1 * budget))
    settings = {"objective": objective, "budget": budget, "level": level, "target": target}
    return result.assign_attrs(**settings, solver="HiGHS", relative_gap=gap, dependence=DEPENDENCE)


def _goal(objective: Objective, target: float, level: float, scenarios: int, seconds: float) -> _Goal:
    if objective not in KNOWN:
        raise InputError(f"objective {objective!r} is not known.", fix=f"one of {KNOWN}.")
    if objective == "probability_of_target" and not np.isfinite(target):
        raise InputError("target: 'probability_of_target' needs the gain to reach.", fix="give target=.")
    if not 0 < level < 1:
        raise InputError(f"level {level} is not between 0 and 1.", fix="write 90 per cent as 0.90.")
    return _Goal(objective, target, level, scenarios, seconds)


def _best(
    slices: Slices, goal: _Goal, rules: list[Rule], budget: float, bounds: Bounds, *, quick: bool
) -> tuple[np.ndarray | None, float]:
    """Return the best portfolio and its gap; ``quick`` gives less time and skips the exact search for a target."""
    if goal.objective != "probability_of_target" or (slices.divisible and slices.whole):
        brief = replace(goal, seconds=goal.seconds / (1 + quick * len(slices.names)))
        return _solve(slices, brief, rules, budget, bounds)[:2]
    plain = _solve(slices, replace(goal, objective="expected_value"), rules, budget, bounds)
    if plain[0] is None:
        return None, np.nan
    exact = (None, np.nan, np.nan) if quick else _solve(slices, goal, rules, budget, bounds)
    starts = [start for start in (exact[0], plain[0]) if start is not None]
    if slices.divisible:
        cautious = replace(goal, objective="conditional_value_at_risk")
        tails = [_solve(slices, replace(cautious, level=level), rules, budget, bounds)[0] for level in CAUTION]
        starts += [start for start in tails if start is not None]
        starts = [max(starts, key=lambda start: goal.value(slices.gain @ start))]
    limits = _by_slice(slices, rules, budget, bounds)
    target = goal.target - 1e-9 * abs(goal.target)
    search = improve_shares if slices.divisible else improve
    ends = [search(start, slices.gain, target, **limits) for start in starts]
    best = max(ends, key=lambda end: goal.value(slices.gain @ end))
    reached = goal.value(slices.gain @ best)
    return best, max(exact[2] / reached - 1.0, 0.0) if reached else np.inf


def _by_slice(slices: Slices, rules: list[Rule], budget: float, bounds: Bounds) -> dict[str, np.ndarray]:
    """Return the rules and bounds of what is bought alone, where all that is bought is opened."""
    count = len(slices.cost)
    known = [(rule[:count] + rule[count:], cap) for rule, cap in rules]
    known = [(weights, cap) for weights, cap in known if weights.any()]
    return {
        "weights": np.vstack([slices.cost, *(weights for weights, _ in known)]),
        "caps": np.array([budget, *(cap for _, cap in known)]),
        "low": bounds[0][:count],
        "high": np.minimum(bounds[1][:count], bounds[1][count:]),
    }


def _solve(
    slices: Slices, goal: _Goal, rules: list[Rule], budget: float, bounds: Bounds
) -> tuple[np.ndarray | None, float, float]:
    """Return the shares bought, the solver's gap and its bound; no shares if no portfolio keeps the rules in time."""
    if goal.objective != "probability_of_target" and not slices.whole:
        level = goal.level if goal.objective == "conditional_value_at_risk" else 0.0  # the mean of all draws
        return best_tail(slices.gain, level, **_by_slice(slices, rules, budget, bounds))
    count = len(slices.cost)
    weights = np.vstack([np.concatenate([slices.cost, np.zeros(count)])] + [rule for rule, _ in rules])
    caps = np.array([budget] + [bound for _, bound in rules])
    drive, extra, floor, whole, limits = _objective_terms(slices, goal)
    rows = np.vstack([np.hstack([weights, np.zeros((len(weights), len(limits)))]), extra])
    floors, ceilings = np.append(np.full(len(caps), -np.inf), floor), np.append(caps, np.full(len(floor), np.inf))
    solution = optimize.milp(
        drive,
        constraints=optimize.LinearConstraint(rows, floors, ceilings),
        integrality=np.concatenate([np.full(count, not slices.divisible), np.full(count, slices.whole), whole]),
        bounds=optimize.Bounds(np.concatenate([bounds[0], limits[:, 0]]), np.concatenate([bounds[1], limits[:, 1]])),
        options={"time_limit": goal.seconds, "mip_rel_gap": RELATIVE_GAP},
    )
    if solution.x is None:
        return None, np.nan if solution.status == 2 else np.inf, np.nan
    shares = np.clip(solution.x[:count], 0, 1)
    bound = solution.fun if solution.mip_dual_bound is None else solution.mip_dual_bound  # nothing is whole: no gap
    return shares if slices.divisible else np.round(shares), float(solution.mip_gap or 0.0), -float(bound)


def _objective_terms(slices: Slices, goal: _Goal) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the cost vector, extra rows, their floors, and the extra variables' integrality and limits.

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
    padded = np.hstack([gain, np.zeros((draws, count))])
    if goal.objective == "conditional_value_at_risk":
        # Variables: the quantile, and each draw's shortfall from it.
        drive = np.concatenate([np.zeros(2 * count), [-1.0], np.full(draws, 1 / (draws * (1 - goal.level)))])
        rows = np.hstack([padded, -np.ones((draws, 1)), np.eye(draws)])
        limits = np.array([(-np.inf, np.inf)] + [(0.0, np.inf)] * draws)
        return drive, rows, np.zeros(draws), np.zeros(draws + 1), limits
    # Variables: whether each draw reaches the target; a draw that does not may fall as low as it can.
    target = goal.target / scale
    lowest = np.minimum(gain, 0).sum(1)
    drive = np.concatenate([np.zeros(2 * count), np.full(draws, -1 / draws)])
    rows = np.hstack([padded, np.diag(-np.maximum(target - lowest, 0))])
    return drive, rows, np.minimum(lowest, target), np.ones(draws), np.array([(0.0, 1.0)] * draws)


def _table(
    slices: Slices, bought: np.ndarray, gain: xr.DataArray, cost: xr.DataArray, reasons: list[str]
) -> xr.Dataset:
    steps = len(bought) // len(slices.names)
    shape = (len(slices.names), steps)
    shares, prices = bought.reshape(shape), slices.cost.reshape(shape)
    expected = slices.gain.mean(0).reshape(shape)
    dims = sample_dims(gain)
    template = gain.isel({dim: 0 for dim in gain.dims if dim not in dims}, drop=True).transpose(*dims).drop_attrs()
    total = template.copy(data=(slices.gain @ bought).reshape(template.shape))
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
    slices: Slices, shares: np.ndarray, excludes: Pairs, requires: Pairs, twins: np.ndarray, left: float
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
            reasons.append("expected gain is not above 0")
        elif equals := [
            other for other, same in zip(slices.names, twins[place], strict=True) if same and other in bought
        ]:
            reasons.append(f"equal to {equals[0]}, which is bought in its place")
        elif prices[place] > left:
            reasons.append("the money does more elsewhere")
        else:
            reasons.append("does not improve the objective")
    return reasons
