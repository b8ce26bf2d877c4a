"""What moves an answer: the inputs that it is computed from, how far each moves it, and what each is called."""

from collections.abc import Callable, Sequence

import numpy as np
import xarray as xr

from toolkit import appraisal
from toolkit.measures import value_of_information as knowing
from toolkit.measures import words as w
from toolkit.measures.quantities import Run
from toolkit.pricing.dependence import EFFECT
from toolkit.schema import SAMPLE_DIMS

__all__ = ["SHOWN", "acting", "named", "swings", "valued"]

SHOWN = 12
EVENTS = ("first_time_entrants", "care_starts", "protection_plan_starts")
UNITS = {f"rate: {one}": "per person and year" for one in EVENTS} | {
    "effect: gcse_attainment": "standard deviations",
    "rate: rereferrals": "of referrals",
    "rate: gcse_grade_4": "of pupils",
    "rate: attainment_8": "points per pupil",
}

NOTHING = xr.Dataset(
    {name: ("parameter", np.zeros(0)) for name in ("lower_value", "upper_value", "at_lower", "at_upper")},
    coords={"parameter": np.zeros(0, object)},
)


def acting(run: Run, *answers: Callable[[Run], xr.DataArray], area: str | None = None) -> list[str] | None:
    """Return the inputs that any of some answers is computed from; None of a run that cannot be priced elsewhere.

    Parameters
    ----------
    run
        A run of the dashboard's.
    answers
        Each gives its draws (chain, draw) of any run.
    area
        Which of the run's areas the answers are of, where they are of one.
    """
    if (probe := getattr(run, "probe", None)) is None:
        return None
    found = probe(area)
    moved = [found.design.moved(answer(found.run)) for answer in answers]
    return [name for name in found.design.inputs if any(name in one for one in moved)]


def swings(
    run: Run,
    answer: xr.DataArray,
    most: int = SHOWN,
    say: Callable[[float], str] = w.money,
    of: Sequence[str] = (),
    among: Sequence[str] | None = None,
) -> tuple[xr.Dataset, str]:
    """Return how far each uncertain input moves an answer (chain, draw), the widest first, and what is left out.

    Only inputs ``among`` those that the answer is computed from (``acting``) can be named; of these, what chance could
    make is left out, unless the inputs are named in ``of``: then it is said of how wide a swing.
    """
    answer = answer.transpose(*SAMPLE_DIMS).astype(float).reset_coords(drop=True)
    inputs = knowing.parameters(run)
    if of:
        found = appraisal.tornado(answer, inputs[list(of)])
        said = f"A swing of up to {say(float(found['noise_floor']))} chance among the draws could make."
        return found.isel(parameter=slice(0, most)), said
    able = inputs if among is None else inputs[[name for name in inputs.data_vars if name in among]]
    if not able and float(np.ptp(answer.values)):
        return NOTHING, f"It is computed from none of {len(inputs)} uncertain inputs."
    found, said = knowing.standing_out(appraisal.tornado(answer, able or inputs), most, say)
    idle = len(inputs) - len(able) if able else 0
    return found, f"{said} It is not computed from the other {idle} uncertain inputs.".strip() if idle else said


def named(run: Run, parameter: object) -> str:
    """Return what a reader calls an input of a run, with a capital."""
    name = knowing.parameter_name(str(parameter), run.scenario.effect.source)
    return name[:1].upper() + name[1:]


def valued(run: Run, parameter: object, value: float) -> str:
    """Return an input's value with its unit; a log risk ratio as the change in risk that it is."""
    name = str(parameter)
    if name.startswith(f"{EFFECT}: ") and not name.endswith("gcse_attainment"):
        return f"{w.number(100 * float(np.expm1(value)), 1)}% in risk"
    unit = run.assumptions["unit"].get(name, UNITS.get(name, ""))
    return f"{w.figure(float(f'{value:.4g}'))} {unit}".strip()


def __dir__() -> list[str]:
    return __all__
