"""The bridge from an unadjusted result to the adjusted one, a step for each adjustment.

Each adjustment is applied on top of those before it, and its contribution is the change in the result, so the
contributions add up to the whole difference. They depend on the order, because adjustments multiply: an optimism
bias after a deadweight of a half acts on half the benefit. The order is stated in the output.
"""

from collections.abc import Callable, Mapping
from itertools import pairwise

import pandas as pd
import xarray as xr

from toolkit.appraisal.draws import sample_dims
from toolkit.schema import InputError, aligned, check

type Price = Callable[[dict[str, float]], xr.DataArray]

# The value at which each adjustment does nothing. Corrections for confidence grades come from a table that was not
# seen at its source, so they apply only if the user gives them: benefits -0.10 and costs +0.10, say.
NEUTRAL = {
    "take_up": 1.0,
    "attribution": 1.0,
    "deadweight": 0.0,
    "displacement": 0.0,
    "drop_off": 0.0,
    "optimism_bias": 0.0,
    "confidence_benefit": 0.0,
    "confidence_cost": 0.0,
}
START, END = "unadjusted", "adjusted"  # what the first and the last step of a bridge are called


def bridge(price: Price, adjustments: Mapping[str, float], *, neutral: Mapping[str, float] = NEUTRAL) -> xr.Dataset:
    """Return the result as each adjustment is applied, in the order given, and what each contributes.

    Parameters
    ----------
    price
        Returns the result, such as the net present social value, for a value of every adjustment; draws kept
        and common to all calls. A step that leaves its adjustment neutral is not priced again.
    adjustments
        Value of each adjustment in the order of the steps; those of ``neutral`` not named stay neutral.
    neutral
        Value at which each adjustment does nothing.

    Returns
    -------
    xr.Dataset, dims (step, ...)
        ``result`` after each step, the first "unadjusted", the last "adjusted"; ``contribution`` of each
        step (the whole result at the first and the last); ``value`` (step) of the adjustment.

    Raises
    ------
    InputError
        If an adjustment is not known, or results of two steps have different draws.
    """
    unknown = [name for name in adjustments if name not in neutral]
    if unknown or not adjustments:
        raise InputError(f"adjustments {unknown or 'none'}: not known.", fix=f"choose from {list(neutral)}.")
    setting = dict(neutral)
    results = {START: _checked(price(dict(setting)))}
    for name, value in adjustments.items():
        setting[name] = float(value)
        before = next(reversed(results.values()))
        results[name] = before if value == neutral[name] else _checked(price(dict(setting)))
    return steps(results).assign(value=("step", [float("nan"), *map(float, adjustments.values()), float("nan")]))


def steps(results: Mapping[str, xr.DataArray]) -> xr.Dataset:
    """Return a bridge from existing results: the unadjusted one, then one after each step.

    Parameters
    ----------
    results
        Arrays with the same dims and draws, by name of the step, in order.

    Returns
    -------
    xr.Dataset
        As ``bridge``, without ``value``.
    """
    if len(results) < 2:
        raise InputError("bridge: needs the unadjusted result and at least one step.", fix="add a step.")
    arrays = aligned(*map(_checked, results.values()))
    first, last = arrays[0], arrays[-1]
    changes = [after - before for before, after in pairwise(arrays)]
    labels = pd.Index([START, *list(results)[1:], END], dtype=object, name="step")
    bridged = xr.Dataset(
        {
            "result": xr.concat([*arrays, last], labels),
            "contribution": xr.concat([first, *changes, last], labels),
        }
    )
    for variable in bridged.values():
        variable.attrs = dict(first.attrs)
    return bridged.assign_attrs(order=", ".join(list(results)[1:]), note="contributions depend on the order")


def _checked(result: xr.DataArray) -> xr.DataArray:
    check(result.rename(result.name or "result"))
    sample_dims(result)
    return result
