"""Sensitivity analysis of any answer: the inputs that it is computed from, and how far each moves it."""

from collections.abc import Callable, Sequence

import numpy as np
import xarray as xr

from toolkit import appraisal
from toolkit.measures import value_of_information as voi
from toolkit.measures import words as w
from toolkit.measures.quantities import Run, programme_names
from toolkit.pricing.dependence import EFFECT
from toolkit.schema import SAMPLE_DIMS

SHOWN = 12
EVENTS = ("first_time_entrants", "care_starts", "protection_plan_starts")
UNITS = {f"rate: {one}": "per person and year" for one in EVENTS} | {
    "rate: rereferrals": "of referrals",
    "rate: gcse_grade_4": "of pupils",
    "rate: attainment_8": "points per pupil",
}

NOTHING = xr.Dataset(
    {name: ("parameter", np.zeros(0)) for name in ("lower_value", "upper_value", "at_lower", "at_upper")},
    coords={"parameter": np.zeros(0, object)},
)


def acting(run: Run, *answers: Callable[[Run], xr.DataArray], area: str | None = None) -> list[str] | None:
    """Return the inputs that at least one of the answers is computed from; None of a run that cannot be priced again.

    Parameters
    ----------
    run
        A run of the dashboard.
    answers
        Functions that return the draws (chain, draw) of an answer for any run.
    area
        The area that the answers are of, if they are of a single one.
    """
    if (probe := getattr(run, "probe", None)) is None:
        return None
    probed = probe(area)
    moved = [probed.design.moved(answer(probed.run)) for answer in answers]
    return [name for name in probed.design.inputs if any(name in inputs for inputs in moved)]


def swings(
    run: Run,
    answer: xr.DataArray,
    most: int = SHOWN,
    say: Callable[[float], str] = w.money,
    of: Sequence[str] = (),
    among: Sequence[str] | None = None,
) -> tuple[xr.Dataset, str]:
    """Return how far each uncertain input moves an answer (chain, draw), the widest first, and what is left out.

    Only inputs ``among`` those that the answer is computed from (``acting``) are considered. Swings within the noise
    floor are left out, unless the inputs are named in ``of``: then the sentence gives the noise floor.
    """
    answer = answer.transpose(*SAMPLE_DIMS).astype(float).reset_coords(drop=True)
    inputs = voi.parameters(run)
    if of:
        swing = appraisal.tornado(answer, inputs[list(of)])
        left_out = f"Swings of up to {say(float(swing['noise_floor']))} come from chance alone with this many draws."
        return swing.isel(parameter=slice(0, most)), left_out
    able = inputs if among is None else inputs[[name for name in inputs.data_vars if name in among]]
    if not able and float(np.ptp(answer.values)):
        return NOTHING, f"It is computed from none of {len(inputs)} uncertain inputs."
    swing, left_out = voi.standing_out(appraisal.tornado(answer, able or inputs), most, say)
    idle = len(inputs) - len(able) if able else 0
    return swing, f"{left_out} It is not computed from the other {idle} uncertain inputs.".strip() if idle else left_out


def named(run: Run, parameter: object) -> str:
    """Return the readable name of an input of a run, with a capital."""
    name = voi.parameter_name(str(parameter), programme_names(run))
    return name[:1].upper() + name[1:]


def valued(run: Run, parameter: object, value: float) -> str:
    """Return an input's value with its unit; a log hazard ratio as the change in the rate that it is."""
    name = str(parameter)
    if name.startswith(f"{EFFECT}: "):
        if name.endswith("gcse_attainment"):
            return f"{w.figure(float(f'{value:.4g}'))} standard deviations"
        return f"{w.number(100 * float(np.expm1(value)), 1)}% in the rate"
    unit = run.assumptions["unit"].get(name, UNITS.get(name, ""))
    return f"{w.figure(float(f'{value:.4g}'))} {unit}".strip()
