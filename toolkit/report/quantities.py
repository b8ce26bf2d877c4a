"""What the outputs say, in numbers: a run's draws summed by outcome, payer, account, area and year.

Draws are kept: reducing them to expected values and intervals is the tables' work. Nothing is computed
here that pricing or appraisal could have said; these are sums, discounting and one linear scaling.
"""

from collections.abc import Mapping
from typing import Protocol

import numpy as np
import pandas as pd
import xarray as xr

from toolkit import appraisal
from toolkit.scenarios import Scenario
from toolkit.schema import ACCOUNTS, BUSINESS_AS_USUAL, INVESTMENT, OUTCOMES, PAYERS, SAMPLE_DIMS

PROGRAMME = "programme"
COUNCIL = "local_authority"
VOCABULARY: dict[str, tuple[str, ...]] = {"outcome": OUTCOMES, "payer": PAYERS}


class Run(Protocol):
    """What a report is made of; ``workflow.Run`` is one."""

    @property
    def tree(self) -> xr.DataTree:
        """The labelled arrays, groups assumptions, posterior, effects, lives, costs, appraisal, checks."""

    @property
    def scenario(self) -> Scenario:
        """What was appraised."""

    @property
    def assumptions(self) -> pd.DataFrame:
        """Figures used, one row a role."""

    @property
    def report_card(self) -> pd.DataFrame:
        """Checks of the fitted models."""

    @property
    def excluded(self) -> pd.DataFrame:
        """Figures that could not be used, and why."""

    @property
    def timings(self) -> Mapping[str, tuple[float, float]]:
        """Wall and CPU seconds by stage."""

    @property
    def passed(self) -> bool:
        """Whether every check passed."""


def result(run: Run) -> xr.Dataset:
    """Return the appraisal, draw by draw."""
    return run.tree["appraisal"].to_dataset()


def level(run: Run) -> float:
    """Return the probability that the intervals hold."""
    return float(run.tree["appraisal"].attrs["level"])


def direction(run: Run) -> int:
    """Return 1 for an investment and -1 for a cut, whose sums all change sign."""
    return -1 if run.scenario.option.cut else 1


def area_names(run: Run) -> list[str]:
    """Return the names of the areas, as they are ordered in the tree."""
    return [str(name) for name in run.tree["costs"]["area_name"].values]


def priced(run: Run, name: str) -> xr.DataArray:
    """Return an array of costs by component, without the programme, labelled with outcome, payer and account."""
    labels = run.tree["costs"]["cost"]
    array = run.tree["costs"][name]
    array = array.drop_vars([c for c in array.coords if array[c].dims == ("component",) and c != "component"])
    kept = labels.isel(component=np.flatnonzero(labels["outcome"].values != PROGRAMME))
    coords = {key: ("component", kept[key].values.astype(str)) for key in ("outcome", "payer", "account")}
    return array.sel(component=kept["component"].values).assign_coords(coords)


def by(array: xr.DataArray, dim: str) -> xr.DataArray:
    """Sum components by outcome or payer, in the vocabulary's order and only those present."""
    present = [name for name in VOCABULARY[dim] if name in array[dim].values]
    parts = [
        array.isel(component=np.flatnonzero(array[dim].values == name)).sum("component", keep_attrs=True).reset_coords(drop=True)
        for name in present
    ]
    return xr.concat(parts, pd.Index(present, name=dim), coords="minimal", compat="override")


def by_account(array: xr.DataArray) -> xr.DataArray:
    """Sum components into the three cumulative accounts."""
    parts = [appraisal.account_total(array, account).reset_coords(drop=True) for account in ACCOUNTS]
    return xr.concat(parts, pd.Index(list(ACCOUNTS), name="account"), coords="minimal", compat="override")


def with_all(array: xr.DataArray, dim: str) -> xr.DataArray:
    """Append the sum over ``dim`` under the label "all"."""
    return xr.concat([array, array.sum(dim).expand_dims({dim: ["all"]})], dim)


def avoided(run: Run) -> xr.DataArray:
    """Present value of the cost avoided (outcome, payer, account, chain, draw); accounts are cumulative."""
    return result(run)["benefit"]


def avoided_total(run: Run) -> xr.DataArray:
    """Present value of the cost avoided by account (account, chain, draw)."""
    return avoided(run).sum(["outcome", "payer"])


def position(run: Run) -> xr.Dataset:
    """Present value by payer (payer, chain, draw): ``avoided``, ``programme`` and their difference ``net``."""
    net = result(run)["net_position_discounted"].sum("year")
    programme = result(run)["programme_cost"] * xr.where(net["payer"] == COUNCIL, 1.0, 0.0)
    found = xr.Dataset({"avoided": net + programme, "programme": programme, "net": net})
    order = [payer for payer in PAYERS if payer in net["payer"].values]
    return found.sel(payer=order)


def council_cash(run: Run) -> xr.DataArray:
    """Present value of the part of the avoided cost that the council could release as cash (chain, draw)."""
    net = _discounted(run, result(run)["cashable_net_position"].sel(payer=COUNCIL, drop=True)).sum("year")
    return net + result(run)["programme_cost"]


def _discounted(run: Run, flows: xr.DataArray) -> xr.DataArray:
    attrs = run.tree["appraisal"].attrs
    return appraisal.discounted(flows, schedule=run.scenario.discount_schedule, timing=attrs["timing"])


def paid_back(run: Run) -> xr.DataArray:
    """Chance of having paid back by each year (account, year); for a cut, of still being ahead in that year.

    A cut saves first and costs later, so that "paid back" says nothing of it.
    """
    if not run.scenario.option.cut:
        return result(run)["probability_paid_back"]
    cost = run.tree["costs"]["cost"]
    saved = cost.sel(option=BUSINESS_AS_USUAL, drop=True) - cost.sel(option=INVESTMENT, drop=True)
    flows = _discounted(run, by_account(saved.assign_attrs(cost.attrs)))
    return (flows.cumsum("year") >= 0).mean(SAMPLE_DIMS)


def harm(run: Run) -> float:
    """Chance that the help makes outcomes worse on balance, so that it adds to the cost to society."""
    return float((direction(run) * avoided_total(run).sel(account="social") < 0).mean())


def children(run: Run) -> xr.Dataset:
    """Children (chain, draw): ``reached`` a year by the option, and ``entering`` need in the base year."""
    lives = run.tree["lives"]
    return xr.Dataset({"reached": abs(lives["children_reached"].sum("area")), "entering": lives["children_entering"].sum("area")})


# Spend and cost ----------------------------------------------------------------------------------


def curve(run: Run, *, reading: str = "excess") -> xr.Dataset:
    """Lifetime cost of the entering cohort as a year's early-help spend changes.

    Parameters
    ----------
    run
        A finished run.
    reading
        "excess" or "gross" lifetime cost as the level at today's spend.

    Returns
    -------
    xr.Dataset
        ``spend`` (multiple) GBP a year; ``net`` (source, multiple, account, chain, draw), spend plus the
        cohort's remaining lifetime cost; ``change`` the same less its value at today's spend.
    """
    spend = run.tree["costs"]["curve_spend"]
    saved = by_account(priced(run, "curve_avoided"))
    today = by_account(priced(run, "lifetime").sel(reading=reading, drop=True).sum("area"))
    more = spend - spend.sel(multiple=1.0, drop=True)
    return xr.Dataset({"spend": spend, "net": spend + today - saved, "change": more - saved})


def curve_by_payer(run: Run, *, reading: str = "excess") -> xr.DataArray:
    """Each payer's part of the curve for the scenario's source (payer, multiple, chain, draw); spend is the council's."""
    saved = by(priced(run, "curve_avoided").sel(source=run.scenario.effect.source, drop=True), "payer")
    today = by(priced(run, "lifetime").sel(reading=reading, drop=True).sum("area"), "payer")
    spend = run.tree["costs"]["curve_spend"] * xr.where(saved["payer"] == COUNCIL, 1.0, 0.0)
    return today - saved + spend


def marginal(run: Run) -> xr.Dataset:
    """Cost avoided by each further pound between successive spends, for the scenario's source.

    Returns
    -------
    xr.Dataset, dims account, step
        ``avoided`` expected GBP per GBP, ``chance`` that it exceeds a pound; coordinates ``from_multiple``
        and ``to_multiple`` on step.
    """
    saved = by_account(priced(run, "curve_avoided").sel(source=run.scenario.effect.source, drop=True))
    steps = saved.diff("multiple").rename(multiple="step")
    multiples = saved["multiple"].values
    pounds = run.tree["costs"]["curve_spend"].diff("multiple").rename(multiple="step")
    found = xr.Dataset(
        {
            "avoided": steps.mean(SAMPLE_DIMS) / pounds,
            "chance": (steps > pounds).mean(SAMPLE_DIMS),
        }
    )
    return found.assign_coords(from_multiple=("step", multiples[:-1]), to_multiple=("step", multiples[1:]))


def spend_range(run: Run) -> tuple[float, float] | None:
    """Return the multiples of today's spend that areas have seen within their own history, if the run says."""
    found = run.tree.attrs.get("spend_range")
    return None if found is None else (float(found[0]), float(found[1]))


# What would have to be true ----------------------------------------------------------------------


def expected_npsv(run: Run, multiples: np.ndarray) -> pd.DataFrame:
    """Expected net present value by account at multiples of the effect, avoided cost scaling with it.

    The scaling is exact for no effect and for the effect assumed; between and beyond it is close while
    effects are modest, because a hazard multiplied by exp(k b) is nearly 1 + k b.
    """
    benefit = avoided_total(run).mean(SAMPLE_DIMS)
    cost = float(result(run)["programme_cost"].mean())
    rows = {account: multiples * float(benefit.sel(account=account)) - cost for account in ACCOUNTS}
    return pd.DataFrame(rows, index=pd.Index(multiples, name="multiple"))


def switching(run: Run) -> pd.DataFrame:
    """What the effect, and the cost of helping a family, would have to be for each account to break even.

    Returns
    -------
    DataFrame by account
        ``multiple`` of the assumed effect and ``replication`` at which the expected net present value is
        nil; ``cost_per_family`` (GBP) that does the same, avoided cost being inversely proportional to
        it; NaN where nothing avoids cost. ``npsv_0``, ``npsv`` and ``npsv_1``: at replication 0, as assumed and 1.
    """
    benefit = avoided_total(run).mean(SAMPLE_DIMS)
    cost = float(result(run)["programme_cost"].mean())
    assumed = run.scenario.effect.replication
    family = float(run.tree["assumptions/draws"]["cost_per_family"].median())
    rows = {}
    for account in ACCOUNTS:
        value = float(benefit.sel(account=account))
        works = value * cost > 0
        multiple = cost / value if works else np.nan
        rows[account] = {
            "multiple": multiple,
            "replication": assumed * multiple,
            "cost_per_family": family / multiple,
            "npsv_0": -cost,
            "npsv": value - cost,
            "npsv_1": value / assumed - cost if assumed else np.nan,
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("account")


# Effects -----------------------------------------------------------------------------------------


def effects(run: Run) -> xr.Dataset:
    """Effects per child reached in natural units, before replication, ramp, take-up and fade-out.

    Returns
    -------
    xr.Dataset, dims chain, draw, source, outcome
        ``mean_effect`` and ``new_site_effect``: relative change in risk (-0.1 is ten per cent less), and
        for GCSE attainment a standardised mean difference; ``harmful`` whether the new site's does harm.
    """
    drawn = run.tree["effects"].to_dataset()[["mean_effect", "new_site_effect"]]
    attainment = drawn["outcome"] == "gcse_attainment"
    natural = xr.where(attainment, drawn, np.expm1(drawn))
    worse = xr.where(attainment, drawn["new_site_effect"] < 0, drawn["new_site_effect"] > 0)
    return natural.assign(harmful=worse)
