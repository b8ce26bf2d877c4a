"""The tables of a run's decision pages."""

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from toolkit.measures import analysis as a
from toolkit.measures import quantities as q
from toolkit.measures import words as w
from toolkit.measures.analysis import Analysis
from toolkit.measures.budget import medium_term_table
from toolkit.measures.quantities import Run
from toolkit.measures.tables import PARTS, Table, basis, headed, plain, spread
from toolkit.measures.value_of_information import information_table, parameters, standing_out
from toolkit.schema import ACCOUNTS, SAMPLE_DIMS

RUNNING_YEARS = (5, 10, 30)
SHOWN_POINTS, LONGEST = 11, 15


def decision_tables(run: Run, analysis: Analysis) -> dict[str, Table]:
    """Return the tables of the decision pages by name."""
    at = "for the choice between the plan and leaving things as they are, social account"
    tables = {
        "medium_term": medium_term_table(run, analysis.medium_term),
        "by_year": by_year(run),
        "choice": choice(run, analysis),
        "along": along(analysis),
        "measures": measures(run),
        "bridge": bridge(run, analysis.bridge),
        "otherwise": otherwise(run),
        "moves": moves(run, analysis),
        "information": information_table(analysis.inputs.information, at=at, names=_bare(analysis.inputs.names)),
    }
    if analysis.inputs.sobol is not None:
        tables["sobol"] = sobol(analysis.inputs.sobol)
    if analysis.studies is not None:
        tables["studies"] = studies(analysis.studies)
    return tables


def by_year(run: Run) -> Table:
    """Return each payer's discounted running total after some years."""
    running = a.running_position(run)
    whole = running.sizes["year"]
    chosen = sorted({*(n for n in RUNNING_YEARS if n <= whole), whole})
    frame = spread(run, {f"After {n} years": running.sel(year=n - 1, drop=True) for n in chosen}, "payer")
    note = (
        f"Present value, {basis(run)}; the first year is {w.financial_year(run.scenario.first_year, 0)}. Cost avoided "
        "less programme spending, whether or not any of it can be taken out of a budget; positive is a gain."
    )
    return Table("Who has paid and who has gained, as the years go by", "Payer", frame, "money", note=note)


def choice(run: Run, analysis: Analysis) -> Table:
    """Return how sure the choice is in each account, what certainty is worth and where it breaks even."""
    npsv = q.result(run)["npsv"]
    frame = spread(run, {"Net present value": npsv}, "account")
    frame["Chance it is above 0", ""] = (npsv > 0).mean(SAMPLE_DIMS).to_series().to_numpy()
    frame["Knowing everything is worth", ""] = analysis.curves["evpi"].sel(threshold=1.0).to_series().to_numpy()
    frame["Breaks even if £1 avoided counts as", ""] = analysis.curves["break_even"].to_series().to_numpy()
    frame = frame.rename(index=lambda account: f"{account} account")
    kinds = dict(zip([c[0] for c in frame.columns], ["money"] * 3 + ["share", "pounds", "ratio"], strict=True))
    note = (
        f"Present value, {basis(run)}. Knowing everything (the expected value of perfect information): what choosing "
        "now is expected to lose against choosing with every uncertainty settled; no study of this choice is worth "
        "more. The last column is the inverse of the benefit-cost ratio."
    )
    return Table("How sure the choice is", "Account", frame, kinds, note=note)


def along(analysis: Analysis) -> Table:
    """Return the chance that the plan is better as a pound of avoided cost counts for more or less."""
    curves = analysis.curves
    places = np.linspace(0, curves.sizes["threshold"] - 1, SHOWN_POINTS).round().astype(int)
    places = np.union1d(places, np.flatnonzero(curves["threshold"] == 1.0))
    chosen = curves.isel(threshold=places)
    columns: dict[str, tuple[Any, str]] = {
        f"Chance, {account} account": (chosen["chance"].sel(account=account).values, "share") for account in ACCOUNTS
    }
    columns["Knowing everything, social account"] = (chosen["evpi"].sel(account="social").values, "pounds")
    note = (
        "A pound avoided is mostly somebody else's pound: this is how highly whoever decides would have to rate it. "
        "At £1 it counts in full. The chance is that the plan is the better choice."
    )
    worth = [w.pence(float(value)) for value in chosen["threshold"].values]
    return plain("If a pound of avoided cost counts for more, or less", "Counts for", columns, worth, note)


def measures(run: Run) -> Table:
    """Return yearly equivalents, rates of return, the value of public funds and figures for each child and family."""
    rows, kinds = {}, {}
    for name, (value, kind) in a.measures(run).items():
        rows[name], kinds[name] = [value, np.nan, np.nan], kind
        if isinstance(value, xr.DataArray):
            interval = q.interval(run, value)
            rows[name] = [float(interval[statistic]) for statistic in PARTS.values()]
    columns = [("Estimate", part) for part in PARTS]
    frame = headed(pd.DataFrame(rows, index=pd.MultiIndex.from_tuples(columns), dtype=object).T)
    years = run.scenario.horizon
    note = (
        f"{basis(run)}. Equal yearly sums are over the appraisal's {years} years. Rates of return are real, of the "
        "expected flows, and exist only where money goes out first and comes back. Net public cost: the plan less "
        "what public budgets avoid; those affected are the young people, victims and wider society. Interval of that "
        "ratio: their gains over the expected net cost. Each child: of all served in the spending years."
    )
    return Table("Further measures", "", frame, "by row", kinds, note)


def bridge(run: Run, stepped: xr.Dataset) -> Table:
    """Return each adjustment's value and what it adds to or takes from the net present value, in order."""
    arrays = {
        f"{w.label(account)} account": stepped["contribution"].sel(account=account) for account in ("social", "fiscal")
    }
    frame = spread(run, arrays, "step")
    frame.insert(0, ("Set at", ""), ["" if np.isnan(v) else f"{v:g}" for v in stepped["value"].values])
    frame = frame.where(frame.ne(0) | frame["Set at", ""].eq("").to_numpy()[:, None])
    note = (
        f"Net present value, {basis(run)}. The first row has every adjustment off, the last is the run's own; each "
        "row between is what switching that adjustment on adds, a dash if it is off. Adjustments multiply, so each "
        "part depends on the order. Attribution, deadweight and displacement are off by default because effects "
        "against a comparison group are already net of them, take-up because costs and effects are for families served."
    )
    kinds = dict.fromkeys(arrays, "money") | {"Set at": "text"}
    return Table("From the unadjusted to the adjusted value", "Adjustment", frame, kinds, note=note)


def otherwise(run: Run) -> Table:
    """Return the net present values under other adjustments and conventions."""
    columns: dict[tuple[str, str], list[float]] = {
        (f"{w.label(account)} account", part): [] for account in ("social", "fiscal") for part in PARTS
    }
    variants = a.otherwise(run)
    for value in variants.values():
        for account in ("social", "fiscal"):
            included = account in value["account"].values
            interval = q.interval(run, value.sel(account=account)) if included else None
            for name, statistic in PARTS.items():
                end = np.nan if interval is None else float(interval[statistic])
                columns[f"{w.label(account)} account", name].append(end)
    frame = headed(pd.DataFrame(columns, index=list(variants)))
    note = (
        f"Net present value, {basis(run)}. One assumption is changed at a time. The corrections are shown, not used: "
        "the scenario's own adjustments are in the first row."
    )
    return Table("Sensitivity analysis: the same answer under other conventions", "", frame, "money", note=note)


def moves(run: Run, analysis: Analysis) -> Table:
    """Return the answer at both ends of each uncertain input, and the input's switching value."""
    whole = analysis.inputs.tornado
    bars, left_out = standing_out(whole, LONGEST)
    switching = analysis.inputs.switching.sel(parameter=bars["parameter"])
    names = _bare(analysis.inputs.names)
    columns: dict[str, tuple[Any, str]] = {
        "Its low end": (bars["lower_value"].values, "figure"),
        "Its high end": (bars["upper_value"].values, "figure"),
        "Answer at its low end": (bars["at_lower"].values, "money"),
        "Answer at its high end": (bars["at_upper"].values, "money"),
        "Switching value": (switching["switching_value"].values, "figure"),
        "Chance it lies beyond": (switching["probability"].where(switching["probability"] > 0).values, "share"),
    }
    for heading in ("Its low end", "Its high end", "Switching value"):
        columns[heading] = (np.array([float(f"{x:.3g}") for x in columns[heading][0]]), "figure")
    others = len(parameters(run)) - whole.sizes["parameter"]
    idle = f"{others} more are uncertain, but this value is not computed from them. " if others else ""
    note = (
        f"Expected net present social value, {run.scenario.price_base} prices, if one input alone were known to lie at "
        f"an end of its {float(bars.attrs['level']):.0%} interval; the widest first, of {whole.sizes['parameter']}. "
        f"{left_out} {idle}Effects are log hazard ratios "
        "(attainment: standard deviations), after scale-up. Switching value: where the expected "
        "value would be nil; a dash means nowhere within the draws, whatever else holds. "
        f"{analysis.inputs.unexplained}"
    ).strip()
    index = [names[str(parameter)] for parameter in bars["parameter"].values]
    return plain(
        "Sensitivity analysis: what moves the answer, and its switching values", "Uncertain input", columns, index, note
    )


def sobol(indices: xr.Dataset) -> Table:
    """Return the share of the answer's variance that each group of uncertain inputs explains."""
    order = indices.isel(parameter=np.argsort(-indices["total"].values, kind="stable"))
    columns = {
        "Alone": (order["first"].values, "share"),
        "Standard error": (order["standard_error"].values, "share"),
        "With the others": (order["total"].values, "share"),
    }
    note = (
        "Shares of the variance of the net present social value (Sobol indices). All together explain "
        f"{w.percent(float(indices['explained']))}; the rest is interactions the regression cannot see. Figures and "
        "rates are drawn independently; effects are not, and count together."
    )
    index = [w.label(group) for group in order["parameter"].values]
    return plain("Sensitivity analysis: where the uncertainty comes from", "Group", columns, index, note)


def studies(worth: xr.Dataset) -> Table:
    """Return the expected value of sample information of each study that could be run."""
    columns = {
        "Worth of the study": (worth["evsi"].values, "pounds"),
        "Standard error": (worth["standard_error"].values, "pounds"),
        "Floor of the noise": (worth["noise_floor"].values, "pounds"),
        "Worth of knowing what it measures": (worth["evppi"].values, "pounds"),
    }
    note = (
        "Expected value of sample information for this one choice, social account, before the study's own cost: what "
        "deciding after its report is worth over deciding now. The trials count re-referrals and entries into care, at "
        "the rates expected without help; sizes are our own judgement, and can be overridden like any figure."
    )
    index = [w.label(study) for study in worth["study"].values]
    return plain("Value of information: what a study would be worth", "Study", columns, index, note)


def _bare(names: dict[str, str]) -> dict[str, str]:
    return {key: w.label(name.removeprefix("the ")) for key, name in names.items()}
