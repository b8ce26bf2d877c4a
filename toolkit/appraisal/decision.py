"""Which option, and how sure: net benefit, ICERs, acceptability, expected loss and perfect information.

Costs and effects carry `option` and draws. Net benefit is higher-is-better. Options whose values differ by no more
than rounding (`ties.TIE` of the terms behind them) are tied: a draw in which several are best counts for each of them
in equal parts, and where several are best on average all are named; `best_option` is the one listed first.

The curves need no net-benefit array. In each draw the net benefits are straight lines in the threshold,
so the best option changes only at the corners of their upper envelope; each draw adds its corners to
running sums over the thresholds. The work is that of the draws plus the thresholds, not their product.
"""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import xarray as xr

from toolkit.appraisal.draws import cost_and_effect, flat, option_draws, sample_dims
from toolkit.appraisal.ties import TIE, gathered, level_with_best, split
from toolkit.schema import BUSINESS_AS_USUAL, InputError

type Path = list[tuple[np.ndarray, np.ndarray]]  # threshold from which, and option that is best then, by draw
type Thresholds = float | Sequence[float] | np.ndarray | xr.DataArray


def net_benefit(cost: xr.DataArray, effect: xr.DataArray, threshold: Thresholds) -> xr.DataArray:
    """Return ``threshold * effect - cost``, the net monetary benefit, higher is better.

    A value below the best of its draw by no more than rounding is set to the best: the two are tied.

    Parameters
    ----------
    cost, effect
        Money and units of effect, dims (option, draws).
    threshold
        What a unit of effect is worth; several add the dimension threshold.

    Raises
    ------
    InputError
        If options or draws do not match, there is a single option, or a value is not finite.

    References
    ----------
    Stinnett, A. A. and Mullahy, J. (1998). Net health benefits. Medical Decision Making 18(2), S68-S80.
    doi:10.1177/0272989X98018002S09
    """
    cost, effect = cost_and_effect(cost, effect)
    worth = _thresholds(threshold)
    labelled = xr.DataArray(worth, dims="threshold", coords={"threshold": worth})
    gain = effect * (labelled if np.ndim(threshold) else labelled.item())
    value, best = gain - cost, (gain - cost).max("option")
    value = value.where(best - value > TIE * (abs(gain) + abs(cost)).max("option"), best).transpose(*value.dims)
    return value.rename("net_benefit").assign_attrs(_money(cost))


def icers(cost: xr.DataArray, effect: xr.DataArray, *, reference: str | None = None) -> xr.Dataset:
    """Return the options from the cheapest to the most expensive, with their incremental cost-effectiveness ratios.

    Parameters
    ----------
    cost, effect
        Dims (option, draws); the expected values decide.
    reference
        Option that the pairwise columns compare with; business as usual if it is there, else the cheapest.

    Returns
    -------
    xr.Dataset, dims (option), ordered by cost
        ``cost``, ``effect`` (means); ``status``: "frontier", "dominated" (another costs no more and does
        as much), "extendedly dominated" (a mix of two others does more for the same money) or "tied" (costs and
        does the same as one on the frontier); ``icer`` (frontier only: against the one before it there);
        ``incremental_cost``, ``incremental_effect``, ``icer_against_reference`` for every option.

    References
    ----------
    Karlsson, G. and Johannesson, M. (1996). The decision rules of cost-effectiveness analysis.
    PharmacoEconomics 9(2), 113-120. doi:10.2165/00019053-199609020-00003
    """
    cost, effect = cost_and_effect(cost, effect)
    mean_cost, mean_effect = cost.mean(sample_dims(cost)), effect.mean(sample_dims(effect))
    if mean_cost.ndim != 1:
        raise InputError(f"cost: dimensions {list(cost.dims)} contain more than options and draws.", fix="select one.")
    scales = [float(abs(values).mean(sample_dims(values)).max()) for values in (cost, effect)]
    money, gain = (gathered(mean.values, scale) for mean, scale in zip((mean_cost, mean_effect), scales, strict=True))
    order = np.lexsort((-gain, money))
    table = xr.Dataset({"cost": mean_cost, "effect": mean_effect}).isel(option=order)
    frontier, status = _frontier(
        *(values[order] / (scale or 1.0) for values, scale in zip((money, gain), scales, strict=True))
    )
    ratio = np.full(len(order), np.nan)
    steps = table.isel(option=frontier)
    ratio[frontier[1:]] = np.diff(steps["cost"]) / np.diff(steps["effect"])
    names = table["option"].values.tolist()
    against = reference or (BUSINESS_AS_USUAL if BUSINESS_AS_USUAL in names else names[0])
    if against not in names:
        raise InputError(f"reference {against!r} is not an option.", fix=f"use one of {names}.")
    gap = table - table.sel(option=against, drop=True)
    table = table.assign(
        status=("option", status),
        icer=("option", ratio),
        incremental_cost=gap["cost"],
        incremental_effect=gap["effect"],
        icer_against_reference=gap["cost"] / gap["effect"].where(abs(gap["effect"]) > TIE * scales[1]),
    )
    return table.assign_attrs(_money(cost), reference=against)


def probability_best(net_benefit: xr.DataArray) -> xr.DataArray:
    """Return the share of draws in which each option has the highest net benefit; ties count in equal parts."""
    values = option_draws(net_benefit, name="net_benefit").transpose("option", ...)
    best = values.copy(data=split(level_with_best(values.values, abs(values.values))))
    return best.mean(sample_dims(net_benefit)).drop_attrs().assign_attrs(units="probability")


def expected_loss(net_benefit: xr.DataArray) -> xr.DataArray:
    """Return the expected loss of each option against knowing the best option in every draw.

    References
    ----------
    Alarid-Escudero, F. et al. (2019). A time for expected loss curves. Value in Health 22(5), 611-618.
    doi:10.1016/j.jval.2019.02.008
    """
    option_draws(net_benefit, name="net_benefit")
    loss = (net_benefit.max("option") - net_benefit).mean(sample_dims(net_benefit))
    return loss.assign_attrs(net_benefit.attrs)


def evpi(net_benefit: xr.DataArray) -> xr.DataArray:
    """Return the expected value of perfect information: the expected loss of the best option.

    Parameters
    ----------
    net_benefit
        Dims (option, draws, ...); other dimensions, such as threshold, are kept.

    References
    ----------
    Raiffa, H. and Schlaifer, R. (1961). Applied Statistical Decision Theory. Harvard.
    """
    return expected_loss(net_benefit).min("option").assign_attrs(net_benefit.attrs)


def acceptability_curve(cost: xr.DataArray, effect: xr.DataArray, thresholds: Thresholds) -> xr.DataArray:
    """Return the probability that each option is best, dims (option, threshold).

    References
    ----------
    van Hout, B. A. et al. (1994). Costs, effects and C/E-ratios alongside a clinical trial.
    Health Economics 3(5), 309-319. doi:10.1002/hec.4730030505
    """
    return decision_curves(cost, effect, thresholds)["probability_best"]


def acceptability_frontier(cost: xr.DataArray, effect: xr.DataArray, thresholds: Thresholds) -> xr.Dataset:
    """Return the option with the highest expected net benefit and the probability that it is best in a draw.

    The frontier is not the upper edge of the acceptability curves: with skewed draws the option most
    often best is not the one best on average.

    Returns
    -------
    xr.Dataset, dims (threshold)
        ``best_option``, ``probability`` and ``evpi``; ``is_best`` (option, threshold), true of several in a tie.

    References
    ----------
    Fenwick, E., Claxton, K. and Sculpher, M. (2001). Representing uncertainty: the role of
    cost-effectiveness acceptability curves. Health Economics 10(8), 779-787. doi:10.1002/hec.635
    """
    curves = decision_curves(cost, effect, thresholds)
    probability = curves["probability_best"].sel(option=curves["best_option"]).drop_vars("option")
    return curves[["best_option", "is_best", "evpi"]].assign(probability=probability)


def decision_curves(cost: xr.DataArray, effect: xr.DataArray, thresholds: Thresholds) -> xr.Dataset:
    """Return every curve of the decision over the thresholds from one pass over the draws.

    Parameters
    ----------
    cost, effect
        Dims (option, draws), nothing else.
    thresholds
        Rising values of a unit of effect.

    Returns
    -------
    xr.Dataset
        ``probability_best``, ``expected_net_benefit``, ``expected_loss`` (option, threshold);
        ``is_best`` (option, threshold), whether an option has the highest expected net benefit or is level with it;
        ``best_option``, the first of these, ``evpi`` and ``probability_tied``, the share of draws in which several
        options are best (threshold).
    """
    cost, effect = cost_and_effect(cost, effect)
    worth, options = _thresholds(thresholds), cost["option"]
    costs, effects = flat(cost, leading=("option",)), flat(effect, leading=("option",))
    if costs.ndim != 2:
        raise InputError(f"cost: dimensions {list(cost.dims)} contain more than options and draws.", fix="select one.")
    count, ideal, path = _envelope(costs, effects, worth)
    share, tied = _shared(count, path, costs, effects, worth)
    expected = np.outer(effects.mean(1), worth) - costs.mean(1)[:, None]
    scale = np.outer(abs(effects).mean(1), abs(worth)) + abs(costs).mean(1)[:, None]
    best = level_with_best(expected, scale)
    gap = ideal - expected
    loss = np.where(gap > TIE * scale.max(0), gap, 0.0)
    dims, coords = ("option", "threshold"), {"option": options, "threshold": worth}
    money = _money(cost)
    curves = xr.Dataset(
        {
            "probability_best": (dims, share, {"units": "probability"}),
            "expected_net_benefit": (dims, expected, money),
            "expected_loss": (dims, loss, money),
            "is_best": (dims, best),
            "best_option": ("threshold", options.values[best.argmax(0)]),
            "probability_tied": ("threshold", tied, {"units": "probability"}),
            "evpi": ("threshold", loss.min(0), money),
        },
        coords=coords,
    )
    return curves


def certainty_equivalent(net_benefit: xr.DataArray, *, risk_aversion: float) -> xr.DataArray:
    """Return the sure amount each option is worth to a decision maker with constant absolute risk aversion.

    Parameters
    ----------
    net_benefit
        Dims (option, draws, ...).
    risk_aversion
        Per unit of money, 0 for the mean; 1 / risk_aversion is the stake at which risk begins to matter.

    References
    ----------
    Baio, G. and Dawid, A. P. (2011). Probabilistic sensitivity analysis in health economics.
    Statistical Methods in Medical Research 24(6), 615-634. doi:10.1177/0962280211419832
    """
    option_draws(net_benefit, name="net_benefit")
    dims = sample_dims(net_benefit)
    if risk_aversion < 0:
        raise InputError(f"risk_aversion {risk_aversion} is negative.", fix="0 is neutral, more is more cautious.")
    if risk_aversion == 0:
        return net_benefit.mean(dims).assign_attrs(net_benefit.attrs)
    worst = net_benefit.min(dims)  # subtracted so that the exponent never overflows
    average: xr.DataArray = xr.apply_ufunc(np.exp, -risk_aversion * (net_benefit - worst)).mean(dims)
    sure = worst - np.log(average) / risk_aversion
    return sure.assign_attrs({**net_benefit.attrs, "risk_aversion": risk_aversion})


def _envelope(costs: np.ndarray, effects: np.ndarray, worth: np.ndarray) -> tuple[np.ndarray, np.ndarray, Path]:
    """Return in how many draws each option is best (option, threshold), the mean best net benefit, and the best's path.

    Ties go to one option or the other.
    """
    options, draws = costs.shape
    columns, slots = np.arange(draws), len(worth) + 1
    best = (worth[0] * effects - costs).argmax(0)
    path = [(np.zeros(draws, int), best)]  # from which threshold each option is the best of a draw
    gained = np.zeros((options, slots))
    gained[:, 0] = np.bincount(best, minlength=options)
    slope, level = np.zeros(slots), np.zeros(slots)
    slope[0], level[0] = effects[best, columns].sum(), costs[best, columns].sum()
    for _ in range(options - 1):
        rise, price = effects - effects[best, columns], costs - costs[best, columns]
        with np.errstate(divide="ignore", invalid="ignore"):
            corner = np.where(rise > 0, price / rise, np.inf)
        following = corner.argmin(0)
        # The next option is better only above its corner, so it takes over at the first threshold past it.
        # Rounding must not put a later corner before an earlier one.
        slot = np.maximum(np.searchsorted(worth, corner[following, columns], side="right"), path[-1][0])
        moving = slot < len(worth)
        if not moving.any():
            break
        at, old, new, who = slot[moving], best[moving], following[moving], columns[moving]
        np.add.at(gained, (new, at), 1)
        np.add.at(gained, (old, at), -1)
        slope += np.bincount(at, rise[new, who], slots)
        level += np.bincount(at, price[new, who], slots)
        best = np.where(moving, following, best)
        path.append((slot, best))
    count = gained.cumsum(1)[:, :-1]
    ideal = (slope.cumsum()[:-1] * worth - level.cumsum()[:-1]) / draws
    return count, ideal, path


def _ties(costs: np.ndarray, effects: np.ndarray, worth: np.ndarray) -> dict[int, np.ndarray]:
    """Return, by threshold, the draws in which any two options are tied."""
    always, pairs = [np.zeros(0, int)], [np.zeros((2, 0), int)]  # draws; thresholds and draws
    for first, second in combinations(range(len(costs)), 2):
        rise, price = effects[second] - effects[first], costs[second] - costs[first]
        gain, money = (np.maximum(*abs(part[[first, second]])) for part in (effects, costs))
        same = (abs(rise) <= TIE * gain) & (abs(price) <= TIE * money)
        always.append(np.flatnonzero(same))
        with np.errstate(divide="ignore", invalid="ignore"):
            after = np.searchsorted(worth, np.where(same, np.inf, price / rise))
        for place in (after - 1, after):  # only the thresholds beside a corner can lie on it
            at = worth[np.clip(place, 0, len(worth) - 1)]
            level = ~same & (abs(at * rise - price) <= TIE * (abs(at) * gain + money))
            level &= (place >= 0) & (place < len(worth))
            pairs.append(np.stack([place[level], np.flatnonzero(level)]))
    everywhere, (places, draws) = np.unique(np.concatenate(always)), np.concatenate(pairs, axis=1)
    at_all = range(len(worth)) if len(everywhere) else np.unique(places).tolist()
    return {place: np.union1d(everywhere, draws[places == place]) for place in at_all}


def _shared(
    count: np.ndarray, path: Path, costs: np.ndarray, effects: np.ndarray, worth: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the shares of draws with those in which several options are best split, and the share of such draws."""
    draws, tied = costs.shape[1], np.zeros(len(worth))
    for place, who in _ties(costs, effects, worth).items():
        gain, money = worth[place] * effects[:, who], costs[:, who]
        level = level_with_best(gain - money, abs(gain) + abs(money))
        sole = path[0][1][who]
        for slot, best in path[1:]:
            sole = np.where(slot[who] <= place, best[who], sole)
        count[:, place] += split(level).sum(1) - np.bincount(sole, minlength=len(costs))
        tied[place] = (level.sum(0) > 1).sum() / draws
    return count / draws, tied


def _frontier(cost: np.ndarray, effect: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Return the positions on the frontier and every option's status; options come in order of cost."""
    status, most = ["dominated"] * len(cost), -np.inf
    hull: list[int] = []
    for place in range(len(cost)):
        if effect[place] <= most:
            continue
        most = effect[place]
        while len(hull) > 1 and _mixed(cost, effect, hull[-2], hull[-1], place):
            status[hull.pop()] = "extendedly dominated"
        hull.append(place)
        status[place] = "frontier"
    for place in range(1, len(cost)):
        if cost[place] == cost[place - 1] and effect[place] == effect[place - 1]:
            status[place] = "tied" if status[place - 1] in ("frontier", "tied") else status[place - 1]
    return np.array(hull), status


def _mixed(cost: np.ndarray, effect: np.ndarray, first: int, middle: int, last: int) -> bool:
    """Return whether a mix of ``first`` and ``last`` does better than ``middle``: the ratios must rise."""
    steps = np.array([[part[middle] - part[first], part[last] - part[middle]] for part in (cost, effect)])
    before, after = steps[0, 0] * steps[1, 1], steps[0, 1] * steps[1, 0]
    return bool(before > after + TIE * steps.sum())


def _thresholds(threshold: Thresholds) -> np.ndarray:
    worth = np.atleast_1d(np.asarray(threshold, dtype=float))
    if worth.ndim != 1 or worth.size == 0 or not np.isfinite(worth).all() or (np.diff(worth) <= 0).any():
        raise InputError("thresholds: must be finite numbers, each above the last.", fix="sort them, drop repeats.")
    return worth


def _money(cost: xr.DataArray) -> dict[str, str]:
    return {key: cost.attrs[key] for key in ("units", "price_base") if key in cost.attrs}
