"""The decision analysis of a run: its budget view, adjustments, how sure the choice is, and what would change it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from toolkit import appraisal
from toolkit.appraisal.ties import TIE
from toolkit.measures import decision_words
from toolkit.measures import quantities as q
from toolkit.measures import words as w
from toolkit.measures.budget import medium_term_by_component
from toolkit.measures.possible_studies import worth_of_studies
from toolkit.measures.quantities import Run
from toolkit.measures.value_of_information import InputAnalysis, analyse_inputs, choice
from toolkit.schema import ACCOUNTS, INVESTMENT, SAMPLE_DIMS

GAINERS = ("individuals", "victims", "wider_society")  # their gains are in no public budget
POINTS, LEAST, MOST = 201, 2.5, 50.0  # worth of a pound avoided, GBP: grid points, and the least and most upper end


@dataclass(frozen=True)
class Analysis:
    """The results behind the decision pages, computed once.

    Attributes
    ----------
    medium_term
        From ``budget.medium_term_by_component``.
    bridge
        From ``quantities.bridge``.
    curves
        ``chance`` and ``evpi`` (account, threshold) by the worth of a pound of avoided cost;
        ``break_even`` (account), NaN where nothing is avoided.
    inputs, studies
        From ``analyse_inputs``, social account.
    """

    medium_term: xr.DataArray
    bridge: xr.Dataset
    curves: xr.Dataset
    inputs: InputAnalysis
    studies: xr.Dataset | None


def analyse(run: Run) -> Analysis:
    """Compute the decision analysis of a finished run from its own draws, without fitting or pricing again."""
    inputs = analyse_inputs(run)
    return Analysis(medium_term_by_component(run), q.bridge(run), curves(run), inputs, worth_of_studies(run, inputs))


def curves(run: Run) -> xr.Dataset:
    """Return the probability that the plan is better, and the EVPI, by the worth of a pound of avoided cost."""
    avoided, cost = q.avoided(run).reset_coords(drop=True), q.result(run)["programme_cost"].reset_coords(drop=True)
    expected = avoided.mean(SAMPLE_DIMS)
    even = (float(cost.mean()) / expected).where(expected * float(cost.mean()) > 0)
    highest = float(np.clip(1.25 * np.nanmax(even.values, initial=0.0), LEAST, MOST))
    worth = np.union1d(np.linspace(0.0, highest, POINTS), [1.0])
    parts = []
    for account in ACCOUNTS:
        effect = choice(avoided.sel(account=account, drop=True))
        curves = appraisal.decision_curves(choice(cost), effect, worth)
        chance = curves["probability_best"].sel(option=INVESTMENT, drop=True)
        parts.append(xr.Dataset({"chance": chance, "evpi": curves["evpi"]}))
    joined = xr.concat(parts, xr.Variable("account", list(ACCOUNTS)))
    return joined.assign(break_even=even)


# The same answer under other conventions ---------------------------------------------------------


def otherwise(run: Run) -> dict[str, xr.DataArray]:
    """Return net present values (account, chain, draw) under other adjustments and conventions, the run's own first.

    A row leaves out the accounts that it is not defined for.
    """
    result, figures = q.result(run), run.assumptions["value"].astype(float)
    benefit, cost = q.avoided(run), result["programme_cost"]
    bias = figures["optimism_bias_sensitivity"]
    values = {"As it stands": benefit - cost}
    if not run.scenario.cut:
        values[f"Programme {bias:.0%} more expensive: the published upper bound of optimism about outsourced cost"] = (
            benefit - cost / (1.0 + run.scenario.optimism) * (1.0 + bias)
        )
    values["A tenth less is due to the programme: deadweight, displacement or attribution"] = 0.9 * benefit - cost
    values["Benefits a tenth lower and costs a tenth higher, a correction for weak evidence"] = (
        0.9 * benefit - 1.1 * cost
    )
    values["Three quarters of the effects used"] = 0.75 * benefit - cost
    values["Half of the effects used"] = 0.5 * benefit - cost
    values["No effect at all"] = 0.0 * benefit - cost
    saved = q.saved(run)
    schedule, timing = run.scenario.discount_schedule, str(result.attrs["timing"])
    other = {"start_of_year": "mid_year", "mid_year": "start_of_year"}[timing]
    moves = {"start_of_year": "Money moves at the start of each year", "mid_year": "Money moves in mid-year"}[other]
    settings = {"schedules": q.schedules(run)}
    values[moves] = _worth(saved, schedule=schedule, timing=other, **settings)
    values["Lower discount rates: the Green Book's additional sensitivity"] = _worth(
        saved, schedule="green_book_2026_sensitivity", timing=timing, **settings
    )
    undiscounted_health = saved.drop_vars("discounting", errors="ignore")
    values["Health discounted like everything else"] = _worth(
        undiscounted_health, schedule=schedule, timing=timing, **settings
    )
    income = float(figures["relative_income_individuals"])
    position = q.position(run)["net"]
    if "individuals" in position["payer"].values:
        weights = appraisal.distributional_weights(
            {"individuals": income}, elasticity=float(figures["dist_weight_elasticity"])
        )
        name = f"Gains of the young people weighted {float(weights[0]):.2f}: income {income:.2f} of the median"
        weighed = appraisal.weighted(position.assign_attrs(cost.attrs), weights)["weighted"]
        values[name] = weighed.expand_dims(account=["social"])
    return values


def _worth(saved: xr.DataArray, **how: Any) -> xr.DataArray:
    return q.by_account(appraisal.discounted(saved, **how).sum("year"))


def measures(run: Run) -> dict[str, tuple[Any, str]]:
    """Return further measures by name: draws (chain, draw), a number or words, and how each is formatted."""
    result, scenario = q.result(run), run.scenario
    npsv, avoided, cost = result["npsv"], q.avoided(run), result["programme_cost"]
    position, child = q.position(run)["avoided"], q.children(run)["reached"]
    rows: dict[str, tuple[Any, str]] = {}
    conventions = {
        "schedule": scenario.discount_schedule,
        "timing": str(result.attrs["timing"]),
        "schedules": q.schedules(run),
    }
    for account in ("social", "fiscal"):
        value = npsv.sel(account=account, drop=True)
        yearly = appraisal.equivalent_annual_value(value, years=range(scenario.horizon), **conventions)  # type: ignore[arg-type]
        rows[f"Net present value as an equal sum every year, {account} account"] = yearly, "money"
    rates = appraisal.internal_rate_of_return(q.by_account(q.saved(run).mean(SAMPLE_DIMS, keep_attrs=True)))
    for account in ACCOUNTS:
        by_flows = rates.sel(account=account)
        rate = float(by_flows["rate"])
        shown = (rate, "rate") if np.isfinite(rate) else (f"none: {by_flows['reason'].item()}", "text")
        rows[f"Internal rate of return of the expected flows, {account} account"] = shown
    gains = position.sel(payer=[payer for payer in position["payer"].values if payer in GAINERS]).sum("payer")
    net = cost - (position.sum("payer") - gains)
    ratio = float(appraisal.marginal_value_of_public_funds(gains.mean(), net.mean()))
    words = ("infinite: the public purse gains as well", "text")
    name = "Marginal value of public funds: gain of those affected for each £1 of net public cost"
    rows[name] = (gains / float(net.mean()), "ratio") if np.isfinite(ratio) else words
    for label, value in (
        ("Cost of the plan", cost),
        ("Cost avoided, social account", avoided.sel(account="social", drop=True)),
        ("Net present social value", npsv.sel(account="social", drop=True)),
    ):
        rows[f"{label}, each child served"] = value / child, "money"
    return rows


def running_position(run: Run) -> xr.DataArray:
    """Return each payer's discounted net position up to and with each year (payer, year, chain, draw)."""
    net = q.result(run)["net_position_discounted"].sel(payer=q.position(run)["payer"].values)
    return net.cumsum("year").assign_coords(year=net["year"])


# In words and pictures ---------------------------------------------------------------------------


def sentences(run: Run, analysis: Analysis) -> list[str]:
    """Return the decision in plain English, the answer first."""
    npsv, scenario = q.result(run)["npsv"], run.scenario
    evpi = float(analysis.inputs.information["evpi"])
    social = npsv.sel(account="social")
    best = "the plan" if float(social.mean()) > 0 else "to leave things as they are"
    if abs(float(social.mean())) <= TIE * float(abs(social).mean()):
        best = "either: the plan and leaving things as they are come out level"
    lines = [
        decision_words.worthwhile(npsv.sel(account="social")),
        decision_words.worthwhile(npsv.sel(account="fiscal"), to="the public purse"),
    ]
    if not q.council_pays(run):
        ends = "The grant that paid for it ends" if scenario.cut else "A grant pays for it"
        lines.append(f"{ends}, so no money of the council's own has to come back.")
    elif not scenario.cut:
        payback = q.result(run)["council_payback_year"]
        lines.append(decision_words.pays_back(payback, first_year=scenario.first_year, horizon=scenario.horizon))
    even = float(analysis.curves["break_even"].sel(account="social"))
    if scenario.cut and np.isfinite(even):
        lines.append(
            f"The cut is better for society only while a pound of cost it causes counts as under {w.pence(even)}."
        )
    elif np.isfinite(even):
        lines.append(
            f"It breaks even for society if a pound of avoided cost counts as {w.pence(even)}, or if each pound of "
            f"the plan's cost were {w.pence(1 / even)} with as many children served."
        )
    lines.append(f"On what is known now the better choice for society is {best}.")
    lines.append(decision_words.worth_of_certainty(evpi, best="that"))
    lines.append(decision_words.most_useful(analysis.inputs.information, names=analysis.inputs.names))
    if analysis.studies is not None and evpi > 0:
        top = analysis.studies.isel(study=int(analysis.studies["evsi"].values.argmax()))
        error = w.money(float(top["standard_error"]))
        worth = f"{w.money(float(top['evsi']))} before its own cost (standard error {error})"
        if float(top["evsi"]) > float(top["noise_floor"] + 2 * top["standard_error"]):
            lines.append(f"Of the studies weighed here the one worth most is {top['study'].item()}: {worth}.")
        else:
            lines.append("None of the studies weighed here has a worth that stands out of the noise of the draws.")
    return lines
