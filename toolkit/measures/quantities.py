"""The quantities behind every output: a run's draws summed by outcome, payer, account, area and year.

They stay draws, which the tables reduce. All are sums, discounting and one linear scaling.
"""
# ruff: noqa: D102 - the docstring of the class describes its members

import json
from collections.abc import Mapping
from typing import Protocol

import numpy as np
import pandas as pd
import xarray as xr

from toolkit import appraisal
from toolkit.appraisal.bridge import START, steps
from toolkit.measures.words import area
from toolkit.scenarios import Scenario
from toolkit.schema import ACCOUNTS, BUSINESS_AS_USUAL, INVESTMENT, OUTCOMES, PAYERS, SAMPLE_DIMS

__all__ = [
    "COUNCIL",
    "EFFECT_MULTIPLES",
    "READINGS",
    "VOCABULARY",
    "Run",
    "annual",
    "area_names",
    "avoided",
    "bridge",
    "by",
    "by_account",
    "cash_released",
    "children",
    "costs",
    "council_cash",
    "curve",
    "direction",
    "drawn",
    "effects",
    "harm",
    "interval",
    "level",
    "lifetime",
    "marginal",
    "paid_back",
    "position",
    "priced",
    "programme_names",
    "result",
    "saved",
    "spend_range",
    "spending",
    "switching",
    "with_all",
]

PROGRAMME, COUNCIL = "programme", "local_authority"
VOCABULARY = {"outcome": OUTCOMES, "payer": PAYERS}
READINGS = ("excess", "excess_never", "gross")
EFFECT_MULTIPLES = (0.0, 0.5, 0.75, 1.0)  # of the effects used, at which the net present value is shown


class Run(Protocol):
    """What a report is written from, such as a ``workflow.Run``: the tree of arrays and the tables that explain it."""

    @property
    def tree(self) -> xr.DataTree: ...
    @property
    def scenario(self) -> Scenario: ...
    @property
    def assumptions(self) -> pd.DataFrame: ...
    @property
    def report_card(self) -> pd.DataFrame: ...
    @property
    def excluded(self) -> pd.DataFrame: ...
    @property
    def timings(self) -> Mapping[str, tuple[float, float]]: ...
    @property
    def passed(self) -> bool: ...


def result(run: Run) -> xr.Dataset:
    """Return the appraisal, draw by draw."""
    return run.tree["appraisal"].to_dataset()


def costs(run: Run) -> xr.Dataset:
    """Return the priced arrays."""
    return run.tree["costs"].to_dataset()


def drawn(run: Run) -> xr.Dataset:
    """Return the draws of the cited figures."""
    return run.tree["assumptions/draws"].to_dataset()


def level(run: Run) -> float:
    """Return the level of the intervals, such as 0.9."""
    return float(run.tree["appraisal"].attrs["level"])


def interval(run: Run, draws: xr.DataArray) -> xr.Dataset:
    """Return ``mean``, ``lower`` and ``upper`` of draws at the run's level, as every table and figure shows them."""
    return appraisal.summarise(draws.reset_coords(drop=True), level=level(run))


def direction(run: Run) -> int:
    """Return 1 for an investment and -1 for a cut, which reverses the sign of every sum."""
    return -1 if run.scenario.cut else 1


def council_pays(run: Run) -> bool:
    """Return whether any of the plan is paid from the council's own money, and not by a grant."""
    return COUNCIL in run.scenario.funders


def programme_names(run: Run) -> dict[str, str]:
    """Return what readers call each programme of the plan."""
    names = run.tree["effects"].to_dataset()["label"]
    return {str(programme): str(names.sel(programme=programme).item()) for programme in names["programme"].values}


def spending(run: Run) -> xr.DataArray:
    """Return real spending on the plan by whose money it is (payer, year, and draws), GBP; negative for a cut."""
    if "programme_by_payer" in result(run):  # of a run without yearly costs
        return result(run)["programme_by_payer"]
    cost = costs(run)["cost"]
    own = cost.isel(component=np.flatnonzero(cost["outcome"].values == PROGRAMME))
    spent = own.sel(option=INVESTMENT, drop=True) - own.sel(option=BUSINESS_AS_USUAL, drop=True)
    return spent.swap_dims(component="payer").reset_coords(drop=True).assign_attrs(cost.attrs)


def area_names(run: Run) -> list[str]:
    """Return the names of the areas in the tree's order."""
    return [area(str(name)) for name in costs(run)["area_name"].values]


def priced(run: Run, name: str) -> xr.DataArray:
    """Return an array of costs by component, without the programme's own."""
    return _apart(costs(run)[name])


def _apart(array: xr.DataArray) -> xr.DataArray:
    return array.isel(component=np.flatnonzero(array["outcome"].values != PROGRAMME))


def by(array: xr.DataArray, dim: str) -> xr.DataArray:
    """Sum components by outcome or payer, in the vocabulary's order and only those present."""
    present = [name for name in VOCABULARY[dim] if name in array[dim].values]
    parts = [
        array.isel(component=np.flatnonzero(array[dim].values == name)).sum("component", skipna=False)
        for name in present
    ]
    return xr.concat(parts, xr.Variable(dim, present), coords="minimal", compat="override")


def by_account(array: xr.DataArray) -> xr.DataArray:
    """Sum components into the three cumulative accounts."""
    parts = [appraisal.account_total(array, account).reset_coords(drop=True) for account in ACCOUNTS]
    return xr.concat(parts, xr.Variable("account", list(ACCOUNTS)), coords="minimal", compat="override")


def with_all(array: xr.DataArray, dim: str) -> xr.DataArray:
    """Append the sum over ``dim`` under the label "all"."""
    return xr.concat([array, array.sum(dim, skipna=False).expand_dims({dim: ["all"]})], dim)


def lifetime(run: Run) -> xr.DataArray:
    """Lifetime cost of the entering cohort of all areas together (reading, component, chain, draw)."""
    return _apart(costs(run)["lifetime"].sum("area", skipna=False))


def saved(run: Run) -> xr.DataArray:
    """Cost avoided, less the programme's, by component and year, real and not discounted."""
    cost = costs(run)["cost"]
    less = cost.sel(option=BUSINESS_AS_USUAL, drop=True) - cost.sel(option=INVESTMENT, drop=True)
    return less.assign_attrs(cost.attrs)


def annual(run: Run) -> xr.DataArray:
    """Cost of one year's outcomes of all areas together (reading, component, chain, draw)."""
    return _apart(costs(run)["annual"].sum("area", skipna=False))


def avoided(run: Run) -> xr.DataArray:
    """Present value of the cost avoided by cumulative account (account, chain, draw)."""
    return result(run)["benefit"].sum(["outcome", "payer"], skipna=False)


def position(run: Run) -> xr.Dataset:
    """Present value by payer (payer, chain, draw): ``avoided``, ``programme`` and their difference ``net``."""
    net = result(run)["net_position_discounted"].sum("year", skipna=False)
    spent = _discounted(run, spending(run)).sum("year", skipna=False).reset_coords(drop=True)
    programme = spent.reindex(payer=net["payer"].values, fill_value=0.0) + xr.zeros_like(net)
    by_payer = xr.Dataset({"avoided": net + programme, "programme": programme, "net": net})
    return by_payer.sel(payer=[payer for payer in PAYERS if payer in net["payer"].values])


def council_cash(run: Run) -> xr.DataArray:
    """Real cashable position of the council (year, chain, draw), what it spends on the plan included."""
    cash = result(run)["cashable_net_position"]
    return cash.where(cash["payer"] == COUNCIL, 0.0).sum("payer", skipna=False, keep_attrs=True)


def cash_released(run: Run) -> xr.DataArray:
    """Present value of the part of the avoided cost that the council could release as cash (chain, draw)."""
    spent = spending(run)
    own = spent.where(spent["payer"] == COUNCIL, 0.0).sum("payer", skipna=False, keep_attrs=True)
    return _discounted(run, council_cash(run) + own).sum("year", skipna=False)


def _discounted(run: Run, flows: xr.DataArray) -> xr.DataArray:
    timing = run.tree["appraisal"].attrs["timing"]
    named = run.scenario.discount_schedule
    return appraisal.discounted(flows, schedule=named, timing=timing, schedules=schedules(run))


def schedules(run: Run) -> pd.DataFrame | None:
    """Return the discount schedules of the register that the run used, as ``appraisal`` takes them."""
    rows = run.tree.attrs.get("discount_schedules")
    return None if rows is None else pd.DataFrame(json.loads(str(rows)))


def acting(run: Run, account: str) -> list[str] | None:
    """Return the inputs that the net present value of an account is computed from; None if not recorded."""
    if "dependence" not in run.tree.children:
        return None
    acts = run.tree["dependence"].to_dataset()["acts"].sel(account=account)
    return [str(name) for name in acts["input"].values[acts.values == 1]]


def paid_back(run: Run) -> xr.DataArray:
    """Chance of having paid back by each year (account, year); for a cut, of still being ahead in that year.

    A cut saves first and costs later, so "paid back" has no meaning for it.
    """
    if not run.scenario.cut:
        return result(run)["probability_paid_back"]
    if "probability_ahead" in result(run):
        return result(run)["probability_ahead"]
    running = _discounted(run, by_account(saved(run))).cumsum("year")
    chance: xr.DataArray = (running >= 0).mean(SAMPLE_DIMS)
    return chance


def harm(run: Run) -> float:
    """Chance that the help adds to the cost to society instead of avoiding some of it."""
    return float((direction(run) * avoided(run).sel(account="social") < 0).mean())


def children(run: Run) -> xr.Dataset:
    """Children (chain, draw): ``reached`` by the plan in all its years, and ``entering`` need in the base year."""
    lives = run.tree["lives"].to_dataset()
    return xr.Dataset(
        {
            "reached": abs(lives["children_reached"].sum("area", skipna=False)),
            "entering": lives["children_entering"].sum("area", skipna=False),
        }
    )


def curve(run: Run) -> xr.Dataset:
    """Excess lifetime cost of the entering cohort as a year's early-help spend changes.

    Returns
    -------
    xr.Dataset
        ``spend`` (multiple) GBP a year; ``net`` (multiple, account, chain, draw), spend plus the cohort's remaining
        cost; ``change`` the same less today's; ``payer_part`` (payer, multiple, chain, draw), each payer's part. The
        council pays today's spend, and those who fund the plan pay or keep what differs from it, in proportion.
    """
    spend, saved = costs(run)["curve_spend"], priced(run, "curve_avoided")
    today = lifetime(run).sel(reading="excess", drop=True)
    change = spend - spend.sel(multiple=1.0, drop=True) - by_account(saved)
    part = by(today, "payer") - by(saved, "payer")
    paid, now = spending(run).sum("year"), spend.sel(multiple=1.0, drop=True)
    paid = paid.mean([dim for dim in SAMPLE_DIMS if dim in paid.dims])
    payers = [payer for payer in PAYERS if payer in {COUNCIL, *paid["payer"].values, *part["payer"].values}]
    part = part.reindex(payer=payers, fill_value=0.0)
    part = part + now * xr.where(part["payer"] == COUNCIL, 1.0, 0.0)
    part = part + (spend - now) * (paid / paid.sum()).reindex(payer=payers, fill_value=0.0)
    net = change + by_account(today) + spend.sel(multiple=1.0, drop=True)
    return xr.Dataset({"spend": spend, "net": net, "change": change, "payer_part": part})


def marginal(run: Run) -> xr.Dataset:
    """Cost avoided by each further pound a year, the same at any sum while there are children to serve.

    Returns
    -------
    xr.Dataset, dims account
        ``avoided`` (account, chain, draw) GBP per GBP, and the ``chance`` that it exceeds a pound.
    """
    saved, spend = by_account(priced(run, "curve_avoided")), costs(run)["curve_spend"]
    avoided = saved.isel(multiple=-1, drop=True) / float(spend.isel(multiple=-1) - spend.sel(multiple=1.0))
    return xr.Dataset({"avoided": avoided, "chance": (avoided > 1.0).mean(SAMPLE_DIMS)})


def spend_range(run: Run) -> tuple[float, float] | None:
    """Return the multiples of today's spend that areas have seen within their own history, if the run records them."""
    multiples = run.tree.attrs.get("spend_range")
    return None if multiples is None else (float(multiples[0]), float(multiples[1]))


def switching(run: Run) -> pd.DataFrame:
    """Find how much of the effects used would do for each account to break even.

    Avoided cost is taken as proportional to the effects: exact at none and at those used, close between while effects
    are modest, because exp(k b) is then nearly 1 + k b.

    Returns
    -------
    DataFrame by account
        Expected net present value at each of ``EFFECT_MULTIPLES`` of the effects, and the ``multiple`` at which it is
        nil; NaN where nothing is avoided.
    """
    benefit = avoided(run).mean(SAMPLE_DIMS).to_series()
    cost = float(result(run)["programme_cost"].mean())
    values = pd.DataFrame({multiple: multiple * benefit - cost for multiple in EFFECT_MULTIPLES})
    return values.assign(multiple=(cost / benefit).where(benefit * cost > 0))


def bridge(run: Run) -> xr.Dataset:
    """Return how each adjustment of the scenario leads from the unadjusted net present value to the run's own.

    Exact and without pricing again: what changes the result by more than a factor was priced with the run
    (``benefit_before``), the rest are factors of the benefit or of the programme's cost.

    Returns
    -------
    xr.Dataset, dims step, account, chain, draw
        As ``appraisal.bridge``; steps that leave their adjustment at rest contribute 0.
    """
    effect, own = run.scenario.effect, run.scenario.adjustments
    factors = {
        "attribution": own.attribution,
        "deadweight": 1.0 - own.deadweight,
        "displacement": 1.0 - own.displacement,
    }
    net, optimism = float(np.prod(list(factors.values()))), run.scenario.optimism
    whole, cost = avoided(run).reset_coords(drop=True), result(run)["programme_cost"]
    before: dict[str, xr.DataArray] = {}
    if "benefit_before" in costs(run):
        priced_before = by_account(priced(run, "benefit_before"))
        before = {str(name): priced_before.sel(before=name, drop=True) for name in priced_before["before"].values}
    benefit = before["attribution"] if net == 0 else whole / net
    after = {"drop_off": benefit}
    for later, name in (("drop_off", "take_up"), ("take_up", START)):
        after[name] = before.get(later, after[later])
    for name, factor in factors.items():
        after[name] = benefit = benefit * factor
    plain = cost / (1.0 + optimism)
    order = [START, "take_up", "drop_off", *factors]
    results = {name: (after[name] - plain).transpose("account", *SAMPLE_DIMS) for name in order}
    results["optimism_bias"] = (whole - cost).transpose("account", *SAMPLE_DIMS)
    money = {key: cost.attrs[key] for key in ("units", "price_base")}
    stepped = steps({name: value.assign_attrs(money) for name, value in results.items()})
    values = [np.nan, effect.take_up, own.drop_off, *(getattr(own, name) for name in factors)]
    return stepped.assign(value=("step", [*values, optimism, np.nan]))


def effects(run: Run) -> xr.Dataset:
    """Effects per child served in natural units, after scale-up and before take-up, ramp and fade-out.

    Returns
    -------
    xr.Dataset, dims chain, draw, programme, outcome
        ``effect``: relative change in the rate at which the outcome happens (-0.1 is ten per cent less), and for GCSE
        attainment a standardised mean difference; ``harmful`` whether it does harm; ``evidence`` ("own", "type" or
        "none") and ``not_counted`` (programme, outcome), the reason, "" where the effect counts.
    """
    used = run.tree["effects"].to_dataset()[["effect", "evidence", "not_counted"]]
    attainment = used["outcome"] == "gcse_attainment"
    drawn = used["effect"]
    worse = xr.where(attainment, drawn < 0, drawn > 0)
    return used.assign(effect=xr.where(attainment, drawn, np.expm1(drawn)), harmful=worse)


def __dir__() -> list[str]:
    return __all__
