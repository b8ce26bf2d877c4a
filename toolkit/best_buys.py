"""What a budget buys best over programmes and areas, on the draws of a comparison, with eligible children as limits.

`toolkit.measures.best_buys` says what its result shows.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import xarray as xr

from toolkit.appraisal import allocate
from toolkit.appraisal.portfolio import DEPENDENCE, Objective, objective_of
from toolkit.pathways import AT_THE_EDGE
from toolkit.pricing.areas import Progress, silent
from toolkit.schema import ACCOUNTS, SAMPLE_DIMS, InputError

__all__ = ["OBJECTIVES", "PLANS", "best_buys", "check_question"]

OBJECTIVES: Mapping[str, Objective] = {
    "expected": "expected_value",
    "chance": "probability_of_target",
    "worst_tenth": "conditional_value_at_risk",
}
PLANS = ("best", "even split", "single best")
LUCKIEST = 200  # draws that are searched before a target is called out of reach
LEVEL = 0.90
METHODS = {
    "expected": "a linear programme, exact",
    "chance": "a local search over all draws, which need not find the best plan",
    "worst_tenth": "a linear programme over all draws, exact",
}


@dataclass(frozen=True)
class _Shop:
    """What can be bought, for a pound of expected cost."""

    gain: xr.DataArray  # (programme, area, chain, draw)
    cost: xr.DataArray  # (programme, chain, draw), about 1
    children: xr.DataArray  # (programme, area)
    sharing: xr.DataArray  # (limit, programme, area), 1 for the items that share a number of children
    most: xr.DataArray  # (limit), that number
    even: xr.DataArray  # (programme, area), shares of an even split
    net: bool


def best_buys(
    compared: xr.Dataset,
    budget: float,
    *,
    objective: str = "expected",
    target: float | None = None,
    account: str = "fiscal",
    limits: Mapping[str, float] | None = None,
    net: bool = False,
    progress: Progress = silent,
) -> xr.Dataset:
    """Return which programmes to buy in which areas with a budget, and what else it could buy.

    A plan is a number of children by programme and area, priced at a programme's expected cost, so that its pounds are
    expected ones too. No more children are served than are eligible: those of one target group in an area are shared
    by its programmes, pre-proceedings and the edge of care are the same children, and both are also in need.

    Parameters
    ----------
    compared
        From `compare` with ``by_area``.
    budget
        GBP in the price base, for one cohort of children; it need not all be spent.
    objective
        Of what is gained: "expected" (exact), "chance" of reaching the ``target`` (a local search, which need not find
        the best), or "worst_tenth", the mean of the worst tenth of draws (exact).
    target
        GBP to gain, above 0; needed for "chance", and its chance is given with any objective.
    account
        "fiscal", "economic" or "social".
    limits
        The most children, over all areas, by target group or programme. A group whose number is not known can be served
        only with a limit on it or on its programme.
    net
        Whether what programmes cost is subtracted from what they avoid, so that a pound kept is worth a pound.
    progress
        Called with a stage and the share of it that is done.

    Returns
    -------
    Dataset
        By ``plan``, the best one, an ``even split`` between programmes (cut where a limit is met) and the ``single
        best`` programme: ``pounds``, ``children`` and expected ``gain_by_item`` (plan, programme, area); ``gain``
        (plan, chain, draw), GBP; ``spent``, ``expected``, ``lower``, ``upper`` (90 per cent interval), ``chance`` (of
        the target), ``worst_tenth`` and ``chance_pays`` (that what is avoided is at least what it costs; missing where
        nothing is bought) (plan). ``frontier`` (budget, result): objective, expected gain and pounds spent by the best
        plan of each of ten budgets. ``chosen`` and ``scored``: the objective of plans chosen on half of the draws, on
        that half and on the other; the difference is what choosing and judging on the same draws overstates. ``whose``
        (programme): whether it has studies of its "own" or only its "type". ``left_out`` (other): why a programme is
        not among those that can be bought. Attributes: objective, account, budget, target, net, single_best, method,
        dependence, price_base.

    Raises
    ------
    InputError
        A budget not above 0, an unknown account, objective or limit, a target that is missing, not above 0 or out of
        reach, or no programme that can be bought.

    References
    ----------
    Rockafellar, R. T. and Uryasev, S. (2000). Optimization of conditional value-at-risk. Journal of Risk 2(3), 21-41.
    doi:10.21314/JOR.2000.038
    """
    if "avoided_by_area" not in compared:
        raise InputError("compared: lacks what is avoided in each area.", fix="compare with by_area=True.")
    groups = {str(name): str(of) for name, of in compared["target_group"].to_series().items()}
    check_question(budget, groups, objective=objective, target=target, account=account, limits=limits)
    shop, left_out = _shop(compared, account, limits or {}, net)
    names = [str(name) for name in shop.gain["programme"].values]
    aim = np.nan if target is None else target
    choose = partial(_choose, objective=OBJECTIVES[objective], target=aim)

    def judged(pounds: xr.DataArray, over: _Shop = shop) -> float:
        return objective_of(_gain(over, pounds).values.ravel(), OBJECTIVES[objective], target=aim)

    stage, budgets = "choose", budget * np.arange(1, 11) / 5
    best = choose(shop, budget)
    if objective == "chance" and not judged(best):
        best = _luckiest(shop, budget, aim)
    frontier = []
    for done, money in enumerate(budgets, start=1):
        pounds = best if money == budget else choose(shop, money)
        frontier.append([judged(pounds), float(_gain(shop, pounds).mean()), float(pounds.sum())])
        progress(stage, done / (len(budgets) + 2))
    alone = {name: choose(shop, budget, only=name) for name in names}
    single = max(alone, key=lambda name: judged(alone[name]))
    progress(stage, (len(budgets) + 1) / (len(budgets) + 2))
    halves = [_of_draws(shop, slice(first, None, 2)) for first in (0, 1)]
    plans = [choose(half, budget) for half in halves]
    chosen = [judged(plan, half) for plan, half in zip(plans, halves, strict=True)]
    scored = [judged(plan, half) for plan, half in zip(plans, reversed(halves), strict=True)]
    progress(stage, 1.0)
    by_plan = [best, _even_split(shop, budget), alone[single]]
    pounds = xr.concat(by_plan, xr.Variable("plan", list(PLANS)))
    money = {"units": "GBP", "price_base": compared.attrs["price_base"]}
    result = _summary(shop, pounds, aim).assign(
        frontier=(("budget", "result"), np.array(frontier)),
        chosen=np.mean(chosen),
        scored=np.mean(scored),
        whose=("programme", [_whose(compared.sel(programme=name)) for name in names]),
        left_out=("other", list(left_out.values())),
    )
    for name in ("pounds", "gain_by_item", "gain", "spent", "expected", "lower", "upper", "worst_tenth"):
        result[name].attrs.update(money)
    coords = {"budget": budgets, "result": ["objective", "expected", "spent"], "other": list(left_out)}
    settings = {"objective": objective, "account": account, "budget": budget, "target": aim, "net": int(net)}
    words = {
        "single_best": single if alone[single].any() else "",
        "method": METHODS[objective],
        "dependence": DEPENDENCE,
    }
    return result.assign_coords(coords).assign_attrs(**settings, **words, price_base=money["price_base"])


def check_question(
    budget: float,
    groups: Mapping[str, str],
    *,
    objective: str = "expected",
    target: float | None = None,
    account: str = "fiscal",
    limits: Mapping[str, float] | None = None,
) -> None:
    """Refuse a question that `best_buys` cannot answer, before minutes are spent on a comparison.

    Parameters
    ----------
    budget, objective, target, account, limits
        As in `best_buys`.
    groups
        Target group by programme.

    Raises
    ------
    InputError
        As `best_buys`, but for what takes the draws to see.
    """
    if not 0 < budget < np.inf:
        raise InputError(f"budget {budget:,.0f}: not a sum above 0.", fix="give the pounds to spend.")
    if objective not in OBJECTIVES:
        raise InputError(f"objective '{objective}': not known.", fix=f"one of {', '.join(OBJECTIVES)}.")
    if account not in ACCOUNTS:
        raise InputError(f"account '{account}': not known.", fix=f"one of {', '.join(ACCOUNTS)}.")
    if objective == "chance" and target is None:
        raise InputError("target: a chance needs the sum to reach.", fix="give a target, in pounds.")
    if target is not None and not 0 < target < np.inf:
        raise InputError(f"target {target:,.0f}: not above 0, so spending nothing reaches it.", fix="give more.")
    for name, most in (limits or {}).items():
        if name not in {*groups, *groups.values()}:
            raise InputError(
                f"limit '{name}': neither a target group nor a programme.",
                fix=f"give one of {', '.join(sorted(set(groups.values())))}, or a programme.",
            )
        if not 0 <= most < np.inf:
            raise InputError(f"limit {name}={most:g}: not a number of children.", fix="give 0 or more.")


def _shop(compared: xr.Dataset, account: str, limits: Mapping[str, float], net: bool) -> tuple[_Shop, dict[str, str]]:
    """Return what can be bought, and by programme why the others cannot be."""
    group = {str(name): str(of) for name, of in compared["target_group"].to_series().items()}
    known = {str(name) for name in compared["group"].values if compared["eligible"].sel(group=name).notnull().all()}
    counted = (compared["not_counted"] == "").any("outcome").to_series()
    priced = compared["cost"].notnull().all(SAMPLE_DIMS).to_series()
    left_out = {}
    for name, of in group.items():
        if not counted[name]:
            left_out[name] = "no effect is counted"
        elif not priced[name]:
            left_out[name] = "no price is known"
        elif of not in known and not {name, of} & set(limits):
            left_out[name] = f"how many children it could serve ({of}) is not known: give a limit"
    names = [name for name in group if name not in left_out]
    if not names:
        raise InputError("no programme can be bought: none has a price, a counted effect and a limit.", fix=ADVICE)
    avoided = compared["avoided_by_area"].sel(programme=names, account=account, drop=True).astype(float)
    each, expected = compared["cost"].sel(programme=names), compared["cost"].sel(programme=names).mean(SAMPLE_DIMS)
    gain = ((avoided - each) if net else avoided) / expected
    plain = xr.ones_like(avoided.isel(dict.fromkeys(SAMPLE_DIMS, 0), drop=True)).transpose("programme", "area")
    people = compared["eligible"].sel(group="in_need", drop=True)
    shop = _Shop(
        gain.transpose("programme", "area", *SAMPLE_DIMS).drop_attrs(),
        (each / expected).transpose("programme", *SAMPLE_DIMS),
        plain / expected,
        *_limits(plain, [group[name] for name in names], compared["eligible"], limits),
        plain * people / people.sum() / len(names),
        net,
    )
    return shop, left_out


ADVICE = "choose studies that leave an effect in, or give limits for groups whose number is not known."


def _limits(
    plain: xr.DataArray, groups: list[str], eligible: xr.DataArray, limits: Mapping[str, float]
) -> tuple[xr.DataArray, xr.DataArray]:
    """Return which items share a number of children (limit, programme, area), and that number (limit)."""
    of = np.array(groups, object)[:, None]
    names, areas = plain["programme"].values[:, None], np.arange(plain.sizes["area"])
    edge = np.isin(of, AT_THE_EDGE)
    shared, most = [], []
    for members, group in ((edge, AT_THE_EDGE[0]), (edge | (of == "in_need"), "in_need")):
        if members.any():  # each area has its own
            shared += [members & (areas == area) for area in areas]
            most += eligible.sel(group=group).values.tolist()
    for name, number in limits.items():
        shared.append(((of == name) | (names == name)) & (areas >= 0))
        most.append(number)
    sharing = np.array(shared, float).reshape(-1, *plain.shape)
    return xr.DataArray(sharing, plain.coords, ("limit", *plain.dims)), xr.DataArray(
        np.array(most, float), dims="limit"
    )


def _whose(one: xr.Dataset) -> str:
    """Return whose studies there are of what is counted of one programme: its "own", or only its "type"."""
    return "own" if bool(((one["not_counted"] == "") & (one["evidence"] == "own")).any()) else "type"


def _of_draws(shop: _Shop, draws: slice) -> _Shop:
    return replace(shop, gain=shop.gain.isel(draw=draws), cost=shop.cost.isel(draw=draws))


def _choose(shop: _Shop, money: float, *, objective: Objective, target: float, only: str | None = None) -> xr.DataArray:
    """Return the pounds of the plan that is best by an objective (programme, area)."""
    names = shop.gain["programme"].values if only is None else [only]
    bought = allocate(
        1.0,
        shop.gain.sel(programme=names) * money,
        xr.ones_like(shop.children.sel(programme=names)),
        objective=objective,
        target=target,
        divisible=True,
        at_most=((shop.sharing * shop.children * money).sel(programme=names), shop.most),
        exact=False,
        explain=False,
    )
    pounds = xr.zeros_like(shop.children)
    pounds.loc[{"programme": names}] = money * bought["share"].values.reshape(len(names), -1)
    return pounds.assign_attrs(units="GBP")


def _gain(shop: _Shop, pounds: xr.DataArray) -> xr.DataArray:
    """Return what a plan gains (..., chain, draw), GBP."""
    gain: xr.DataArray = xr.dot(pounds, shop.gain, dim=["programme", "area"])
    return gain


def _luckiest(shop: _Shop, money: float, target: float) -> xr.DataArray:
    """Return a plan that reaches the target in some draw, or raise."""
    best = shop.gain.max(["programme", "area"]).stack(sample=SAMPLE_DIMS)
    most = -np.inf
    for place in np.argsort(-best.values)[:LUCKIEST]:
        chain, draw = np.unravel_index(place, [shop.gain.sizes[dim] for dim in SAMPLE_DIMS])
        one = replace(shop, gain=shop.gain.isel(chain=[chain], draw=[draw]))
        pounds = _choose(one, money, objective="expected_value", target=target)
        most = max(most, float(_gain(one, pounds).sum()))  # of one draw
        if most >= target:
            return pounds
    raise InputError(
        f"target {target:,.0f}: out of reach of a budget of {money:,.0f}, which gains at most {most:,.0f} in the "
        f"{LUCKIEST} most favourable draws.",
        fix="lower the target, raise the budget or the limits.",
    )


def _even_split(shop: _Shop, money: float) -> xr.DataArray:
    """Return a plan of as much for each programme, in areas by their children in need, cut where a limit is met."""
    pounds = money * shop.even
    children = (pounds * shop.children * shop.sharing).sum(["programme", "area"])
    kept = (shop.most / children.where(children > 0, 1.0)).clip(max=1.0).where(children > 0, 1.0)
    cut = kept.where(shop.sharing > 0, 1.0).min("limit")  # an item under several limits keeps to the narrowest
    return pounds * cut


def _summary(shop: _Shop, pounds: xr.DataArray, target: float) -> xr.Dataset:
    """Return what plans buy and gain, and how sure that is (plan)."""
    gain, cost = _gain(shop, pounds), xr.dot(pounds, shop.cost, dim=["programme", "area"])
    spent = pounds.sum(["programme", "area"])
    ends = gain.quantile([(1 - LEVEL) / 2, (1 + LEVEL) / 2], dim=SAMPLE_DIMS).drop_vars("quantile")
    draws = gain.transpose("plan", *SAMPLE_DIMS).values.reshape(gain.sizes["plan"], -1)
    tails = [objective_of(of_plan, OBJECTIVES["worst_tenth"]) for of_plan in draws]
    chances = [
        np.nan if np.isnan(target) else objective_of(each, OBJECTIVES["chance"], target=target) for each in draws
    ]
    return xr.Dataset(
        {
            "pounds": pounds,
            "children": (pounds * shop.children).assign_attrs(units="children"),
            "gain_by_item": pounds * shop.gain.mean(SAMPLE_DIMS),
            "gain": gain,
            "spent": spent,
            "expected": gain.mean(SAMPLE_DIMS),
            "lower": ends.isel(quantile=0),
            "upper": ends.isel(quantile=1),
            "chance": ("plan", chances),
            "worst_tenth": ("plan", tails),
            "chance_pays": (gain >= (0.0 if shop.net else cost)).mean(SAMPLE_DIMS).where(spent > 0),
        }
    )


def __dir__() -> list[str]:
    return __all__
