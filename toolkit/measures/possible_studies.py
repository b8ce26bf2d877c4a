"""Studies that could be run: what a trial of a programme, or an audit of a unit cost, would be worth."""

from functools import partial

import numpy as np
import xarray as xr

from toolkit import appraisal
from toolkit.appraisal import study_designs
from toolkit.measures import quantities as q
from toolkit.measures.programme_tables import GROUP
from toolkit.measures.quantities import Run
from toolkit.measures.value_of_information import GROUPS, InputAnalysis, choice, groups, with_warnings
from toolkit.measures.words import number
from toolkit.pricing.dependence import EFFECT, PATHWAY
from toolkit.schema import SAMPLE_DIMS

TRIED = ("care", "repeat_referrals")  # outcomes that a trial would count


def worth_of_studies(run: Run, inputs: InputAnalysis, *, account: str = "social", seed: int = 0) -> xr.Dataset | None:
    """Return the expected value of sample information of studies that could be run, before their own cost.

    A randomised trial of the programme whose effect moves the answer most counts re-referrals and entries into care
    within a year, a larger one the same, and an audit costs case files for the unit cost that moves the answer most.
    Sizes are figures of the run (``study_...``).

    Returns
    -------
    xr.Dataset, dims (study)
        As ``appraisal.evsi``; None if nothing that varies could be studied.
    """
    gain = q.result(run)["npsv"].sel(account=account, drop=True).transpose(*SAMPLE_DIMS)
    size = run.assumptions["value"].astype(float)
    designs: dict[str, tuple[xr.Dataset, study_designs.Design]] = {}
    programme, measured = _tried(inputs)
    usual = _usual(run, programme) if measured else {}
    measured = [outcome for outcome in measured if outcome in usual]
    for role in ("study_trial_per_arm", "study_large_trial_per_arm"):
        if run.scenario.effect.take_up and measured:
            tried = q.programme_names(run)[programme]
            name = f"a trial of {tried} in two arms of {number(size[role], 0)} children, followed for a year"
            counted = {outcome: usual[outcome] for outcome in measured}
            designs[name] = _trial(run, inputs.parameters, programme, counted, int(size[role]))
    priced = groups(inputs.parameters)[GROUPS[1]]
    prices = [design for design in inputs.tornado["parameter"].values if design in priced]
    if prices:
        files = number(size["study_audit_files"], 0)
        audited = study_designs.audit(
            unit_cost=prices[0],
            cases=int(size["study_audit_files"]),
            coefficient_of_variation=float(size["study_audit_spread"]),
        )
        designs[f"an audit of {files} files for {inputs.names[prices[0]]}"] = inputs.parameters[prices[:1]], audited
    both = choice(gain.assign_attrs(q.result(run)["npsv"].attrs))
    if not designs:
        return None
    parts = [
        with_warnings(partial(appraisal.evsi, both, measured_draws, design, seed=seed))[0]
        for measured_draws, design in designs.values()
    ]
    return xr.concat(parts, xr.Variable("study", list(designs)), coords="minimal", compat="override")


def _tried(inputs: InputAnalysis) -> tuple[str, list[str]]:
    """Return the programme that a trial would be of, and the outcomes that it would count; none if it could not."""
    for name in inputs.tornado["parameter"].values.astype(str):
        kind, _, rest = name.partition(": ")
        programme, _, outcome = rest.partition(": ")
        if kind == EFFECT and outcome in TRIED:
            return programme, [one for one in TRIED if f"{EFFECT}: {programme}: {one}" in inputs.parameters]
    return "", []


def _trial(
    run: Run, drawn: xr.Dataset, programme: str, usual: dict[str, float], per_arm: int
) -> tuple[xr.Dataset, study_designs.Design]:
    """Return the log risk ratios that a trial sees within a year, by usual risk, and the trial that reports them."""
    used = run.tree["effects"].to_dataset()
    before = used["onset"].sel(programme=programme, drop=True)  # share of the year that passes before help works
    seen, designs = {}, {}
    for outcome in usual:
        # What a site delivers is what its trial sees.
        ratio = np.exp(run.scenario.effect.take_up * drawn[f"{EFFECT}: {programme}: {outcome}"])
        hazard = before.clip(0, 1) + (1 - before.clip(0, 1)) * ratio
        risk = -np.expm1(hazard * np.log1p(-usual[outcome]))
        seen[outcome] = np.log(risk / usual[outcome]).transpose(*SAMPLE_DIMS)
        designs[outcome] = study_designs.trial(baseline=usual[outcome], log_risk_ratio=outcome, per_arm=per_arm)

    def simulate(parameters: xr.Dataset, generator: np.random.Generator) -> xr.Dataset:
        return xr.Dataset({name: design(parameters, generator)["log_risk_ratio"] for name, design in designs.items()})

    return xr.Dataset(seen).reset_coords(drop=True), simulate


def _usual(run: Run, programme: str) -> dict[str, float]:
    """Return the risk of each outcome within a year of those whom a programme serves, without it.

    Entries into care are those of its children's lives, whose risk agrees with the published one over its own window: a
    share looked after from one time to another is no chance to enter by the second. They are left out for a run that
    does not compare programmes.
    """
    again = -np.expm1(-q.drawn(run)[PATHWAY].sel(parameter="rereferral_first"))  # within a year of closing
    risks = {"repeat_referrals": float(again.mean())}
    compared = run.tree[GROUP].to_dataset() if GROUP in run.tree.children else xr.Dataset()
    if "care_within_year" in compared:
        risks["care"] = float(compared["care_within_year"].sel(programme=programme).mean())
    return risks
