"""Possible studies, as functions that simulate what each would report: summaries for ``evsi``.

Each design is a function of (parameters, generator) that returns one report per draw. A new design is
another such function; nothing needs to be registered.
"""

from collections.abc import Callable

import numpy as np
import xarray as xr

from toolkit.schema import InputError

__all__ = [
    "audit",
    "survey",
    "trial",
]

type Design = Callable[[xr.Dataset, np.random.Generator], xr.Dataset]


def trial(*, baseline: str | float, log_risk_ratio: str, per_arm: int) -> Design:
    """Return a randomised trial of two equal arms that counts an event.

    Parameters
    ----------
    baseline
        Parameter (or known value) with the event's probability without the programme.
    log_risk_ratio
        Parameter with the programme's log risk ratio.
    per_arm
        Children in each arm.

    Returns
    -------
    Design
        Reports ``log_risk_ratio``, a half added to each count so that an empty arm still reports.
    """
    _positive(per_arm, "per_arm")

    def simulate(parameters: xr.Dataset, generator: np.random.Generator) -> xr.Dataset:
        effect = _parameter(parameters, log_risk_ratio)
        control = _parameter(parameters, baseline) if isinstance(baseline, str) else xr.full_like(effect, baseline)
        if not bool(((control > 0) & (control < 1)).all()):
            raise InputError(f"baseline {baseline!r}: is not a probability.", fix="give it between 0 and 1.")
        treated = (control * np.exp(effect)).clip(0, 1)
        counts = [generator.binomial(per_arm, arm.values) + 0.5 for arm in (treated, control)]
        return xr.Dataset({"log_risk_ratio": effect.copy(data=np.log(counts[0] / counts[1]))})

    return simulate


def survey(*, value: str, standard_error: float) -> Design:
    """Return a study that reports ``value`` with a known, normal standard error."""
    _positive(standard_error, "standard_error")

    def simulate(parameters: xr.Dataset, generator: np.random.Generator) -> xr.Dataset:
        truth = _parameter(parameters, value)
        return xr.Dataset({value: truth + generator.normal(0, standard_error, truth.shape)})

    return simulate


def audit(*, unit_cost: str, cases: int, coefficient_of_variation: float) -> Design:
    """Return an audit of case files that reports a unit cost's mean over ``cases``.

    Parameters
    ----------
    unit_cost
        Parameter with the true mean cost, above 0.
    cases
        Files costed.
    coefficient_of_variation
        Spread of single cases over their mean; case costs are taken as gamma distributed.
    """
    _positive(cases, "cases")
    _positive(coefficient_of_variation, "coefficient_of_variation")
    shape = cases / coefficient_of_variation**2

    def simulate(parameters: xr.Dataset, generator: np.random.Generator) -> xr.Dataset:
        truth = _parameter(parameters, unit_cost)
        if not bool((truth > 0).all()):
            raise InputError(f"parameter {unit_cost}: a unit cost must be above 0 in every draw.")
        return xr.Dataset({unit_cost: truth * generator.gamma(shape, 1 / shape, truth.shape)})

    return simulate


def _parameter(parameters: xr.Dataset, name: str) -> xr.DataArray:
    if name not in parameters.data_vars:
        known = [str(variable) for variable in parameters.data_vars]
        raise InputError(f"parameter {name!r} is not among {known}.", fix="pass the parameters the study informs.")
    return parameters[name]


def _positive(number: float, name: str) -> None:
    if not number > 0:
        raise InputError(f"{name} is {number}.", fix="give a number above 0.")


def __dir__() -> list[str]:
    return __all__
