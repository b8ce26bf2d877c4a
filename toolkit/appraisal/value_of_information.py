"""Value of information: partial perfect information, sample information, and both for a population.

All are regressions of the options' net benefits on what would be learnt, so they need draws only: no nested simulation
and no access to the model that produced them.
"""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from toolkit.appraisal.discounting import DEFAULT_SCHEDULE, Schedule, Timing, discount_factors
from toolkit.appraisal.draws import flat, option_draws, sample_dims
from toolkit.appraisal.regression import Method, Smoother, conditional_mean, smoother
from toolkit.schema import InputError, aligned, random_stream

type Summaries = xr.Dataset | Callable[[xr.Dataset, np.random.Generator], xr.Dataset]

FEW_DRAWS = 100
SHUFFLES = 4


def evppi(
    net_benefit: xr.DataArray,
    parameters: xr.Dataset,
    *,
    of: Sequence[str | Sequence[str]] | None = None,
    method: Method = "spline",
    seed: int = 0,
    progress: Callable[[float], None] | None = None,
) -> xr.Dataset:
    """Return the expected value of learning each set of parameters exactly.

    Parameters
    ----------
    net_benefit
        Dims (option, draws, ...); other dimensions, such as threshold, are kept.
    parameters
        Variables over the same draws; a variable with further dims counts as the group of its elements.
    of
        The sets: a name, or several for a group. Every variable alone by default.
    method
        "spline" (natural cubic splines of normal scores with products of pairs) or "gp" (sparse Gaussian process of
        them). Under both a parameter of few distinct values counts as categories.
    seed
        Of the shuffles behind the noise floor.
    progress
        Called with the share of the sets that is done.

    Returns
    -------
    xr.Dataset, dims (set, ...)
        ``evppi``; ``standard_error`` (draws taken as independent); ``noise_floor``: what the same regression
        gives for shuffled parameters, which mean nothing, so a value near it is nothing; ``share_of_evpi``;
        ``evpi``; and ``regression`` (set): what was fitted, in words, such as "splines with products of curves".
        Values lie between 0 and EVPI, and a set is worth no less than any of the sets listed beside it that it
        contains.

    Raises
    ------
    InputError
        If draws do not match, a set names no variable, a parameter never varies, a value is not finite or
        there are more parameters than draws.

    Warns
    -----
    UserWarning
        Below 100 draws, with the standard error.

    References
    ----------
    Strong, M., Oakley, J. E. and Brennan, A. (2014). doi:10.1177/0272989X13505910
    """
    option_draws(net_benefit, name="net_benefit")
    names = [str(name) for name in parameters.data_vars]
    sets = [(one,) if isinstance(one, str) else tuple(one) for one in (names if of is None else of)]
    if not sets:
        raise InputError("evppi: no parameters.", fix="give at least one variable, or name sets in of=.")
    stacked = _stacked(net_benefit)
    ceiling = _gain(stacked)
    parts = []
    for done, one in enumerate(sets, start=1):
        columns = parameter_columns(net_benefit, parameters, one)
        parts.append(_information(stacked, columns, method=method, seed=seed))
        if progress is not None:
            progress(done / len(sets))
    _warn_if_few(stacked, max(part["standard_error"].max() for part in parts))
    values = _nested([np.clip(part["value"], 0, ceiling) for part in parts], sets)
    return _information_table(net_benefit, sets, values, parts, ceiling, method=method)


def evppi_of_category(net_benefit: xr.DataArray, category: xr.DataArray, *, seed: int = 0) -> xr.Dataset:
    """Return the expected value of learning which category is the true one: exact means, no regression.

    Parameters
    ----------
    net_benefit
        Dims (option, draws).
    category
        Over the same draws: a number or name for each category, such as a structure of the model.
    seed
        Of the shuffles behind the noise floor.

    Returns
    -------
    xr.Dataset
        ``evppi``, in the units of the net benefit; ``noise_floor``, what shuffled categories, which mean nothing, give
        on average, so that a value near it is nothing.

    Raises
    ------
    InputError
        If draws do not match, or a single option is given.
    """
    option_draws(net_benefit, name="net_benefit")
    aligned(net_benefit, category)
    values = flat(net_benefit, leading=("option",))
    dims = sample_dims(net_benefit)
    codes = np.unique(category.transpose(*dims).to_numpy().ravel(), return_inverse=True)[1]
    random = random_stream(seed, "appraisal.evppi_of_category")
    shuffled = [_gain_by_category(values, random.permutation(codes)) for _ in range(SHUFFLES)]
    parts = {"evppi": _gain_by_category(values, codes), "noise_floor": float(np.mean(shuffled))}
    return xr.Dataset({name: xr.DataArray(value, attrs=dict(net_benefit.attrs)) for name, value in parts.items()})


def _gain_by_category(values: np.ndarray, codes: np.ndarray) -> float:
    """Return how much better it is to choose within each category than once (options by draws)."""
    sums = np.stack([np.bincount(codes, weights=option) for option in values])
    gain = (sums.max(0).sum() - values.sum(1).max()) / values.shape[1]
    return max(float(gain), 0.0)  # below it only by rounding


def evsi(
    net_benefit: xr.DataArray,
    parameters: xr.Dataset,
    summaries: Summaries,
    *,
    method: Method = "spline",
    seed: int = 0,
) -> xr.Dataset:
    """Return the expected value of a study, from the summaries it would report in each draw's world.

    Parameters
    ----------
    net_benefit
        Dims (option, draws, ...).
    parameters
        Those the study informs, over the same draws; the study cannot be worth more than they are.
    summaries
        One simulated result of the study per draw, or a function of (parameters, generator) that
        simulates it, such as those in ``study_designs``.
    method, seed
        As in ``evppi``.

    Returns
    -------
    xr.Dataset, dims (...)
        ``evsi``, ``standard_error``, ``noise_floor``, ``evppi`` (its limit), ``evpi`` and ``regression``.

    References
    ----------
    Strong, M., Oakley, J. E., Brennan, A. and Breeze, P. (2015). Estimating the expected value of sample
    information using the probabilistic sensitivity analysis sample. Medical Decision Making 35(5),
    570-583. doi:10.1177/0272989X15575286
    """
    informed = [str(name) for name in parameters.data_vars]
    limit = evppi(net_benefit, parameters, of=[informed], method=method, seed=seed).isel(set=0, drop=True)
    generator = random_stream(seed, "appraisal.evsi")
    reported = summaries(parameters, generator) if callable(summaries) else summaries
    every = tuple(str(name) for name in reported.data_vars)
    stacked = _stacked(net_benefit)
    part = _information(stacked, parameter_columns(net_benefit, reported, every), method=method, seed=seed)
    value = np.minimum(part["value"], limit["evppi"].values.reshape(-1))
    study = _information_table(net_benefit, [every], [value], [part], _gain(stacked), method=method)
    study = study.isel(set=0, drop=True).rename(evppi="evsi")
    return study.assign(evppi=limit["evppi"])


def population_value(
    value: xr.DataArray,
    *,
    per_year: float,
    years: int,
    schedule: Schedule = DEFAULT_SCHEDULE,
    timing: Timing = "start_of_year",
) -> xr.DataArray:
    """Return the value of information for everyone the decision will reach, discounted.

    Parameters
    ----------
    value
        EVPI, EVPPI or EVSI per person, or per whatever ``net_benefit`` was for.
    per_year
        How many of them each year.
    years
        Years before the decision would be taken again.
    schedule, timing
        As in ``discount_factors``.
    """
    if per_year <= 0 or years < 1:
        raise InputError(f"per_year {per_year} and years {years} must be above 0.", fix="give those reached.")
    reached = float(discount_factors(schedule, range(years), timing=timing).sum()) * per_year
    stated = {"years": years, "per_year": per_year, "timing": timing}
    return (value * reached).assign_attrs({**value.attrs, **stated})


def _information(stacked: np.ndarray, columns: np.ndarray, *, method: Method, seed: int) -> dict[str, Any]:
    """Return value, standard error and noise floor of learning ``columns`` (draws, parameters)."""
    draws = stacked.shape[-1]
    best = stacked.mean(-1).argmax(0)
    gaps = stacked - np.take_along_axis(stacked, best[None, :, None], axis=0)
    responses = gaps.reshape(-1, draws).T
    prepared = smoother(columns, responses, method=method)
    fitted = conditional_mean(prepared, responses).T.reshape(stacked.shape)
    chosen = np.take_along_axis(gaps, fitted.argmax(0)[None], axis=0)[0]
    generator = random_stream(seed, "appraisal.evppi")
    shuffled = [_shuffled_gain(prepared, responses, stacked.shape, generator) for _ in range(SHUFFLES)]
    return {
        "value": _gain(fitted),
        # By the envelope theorem the error is, to first order, that of the gain from choosing by the fit.
        "standard_error": chosen.std(-1) / np.sqrt(draws),
        "noise_floor": np.mean(shuffled, axis=0),
        "regression": prepared.form,
    }


def _shuffled_gain(
    prepared: Smoother, responses: np.ndarray, shape: tuple[int, ...], generator: np.random.Generator
) -> np.ndarray:
    order = generator.permutation(len(responses))
    return _gain(conditional_mean(prepared, responses[order]).T.reshape(shape))


def _gain(values: np.ndarray) -> np.ndarray:
    """Return the mean of the best less the best of the means, over (option, others, draws)."""
    return np.asarray(np.maximum(values.max(0).mean(-1) - values.mean(-1).max(0), 0.0))


def _nested(values: list[np.ndarray], sets: list[tuple[str, ...]]) -> list[np.ndarray]:
    """Raise each set's value to the best of the listed sets that it contains: learning more is never worth less."""
    return [
        np.max([value for value, other in zip(values, sets, strict=True) if set(other) <= set(names)], axis=0)
        for names in sets
    ]


def _stacked(net_benefit: xr.DataArray) -> np.ndarray:
    """Return the values as (option, others, draws)."""
    values = flat(net_benefit, leading=("option",))
    return values.reshape(values.shape[0], -1, values.shape[-1])


def parameter_columns(draws: xr.DataArray, parameters: xr.Dataset, names: tuple[str, ...]) -> np.ndarray:
    """Return the named parameters, over the same draws as ``draws``, as a checked matrix (draws, columns)."""
    unknown = [name for name in names if name not in parameters.data_vars]
    if unknown or not names:
        known = [str(name) for name in parameters.data_vars]
        raise InputError(f"parameters: {unknown or 'an empty set'} is not among {known}.", fix="name these.")
    dims = sample_dims(draws)
    parts = []
    for name in names:
        variable = parameters[name]
        aligned(draws, variable)
        if sample_dims(variable) != dims:
            raise InputError(f"parameter {name}: draws are {sample_dims(variable)}, not {dims}.")
        values = flat(variable)
        part = values.reshape(-1, values.shape[-1])
        if not np.isfinite(part).all():
            raise InputError(f"parameter {name}: has NaN or infinite values.", fix="fill them, and say why.")
        if (np.ptp(part, axis=1) == 0).any():
            raise InputError(f"parameter {name}: never varies, so nothing can be learnt about it.", fix="leave it out.")
        parts.append(part)
    columns = np.vstack(parts).T
    if columns.shape[1] >= columns.shape[0]:
        raise InputError(
            f"parameters: {columns.shape[1]} columns but only {columns.shape[0]} draws.",
            fix="take more draws, or smaller sets.",
        )
    return columns


def _information_table(
    net_benefit: xr.DataArray,
    sets: list[tuple[str, ...]],
    values: list[np.ndarray],
    parts: list[dict[str, Any]],
    ceiling: np.ndarray,
    *,
    method: Method,
) -> xr.Dataset:
    first = dict.fromkeys(("option", *sample_dims(net_benefit)), 0)
    template = net_benefit.isel(first, drop=True).drop_attrs()
    labels = pd.Index([" + ".join(names) for names in sets], dtype=object, name="set")

    def over_sets(arrays: list[np.ndarray]) -> xr.DataArray:
        return xr.concat([template.copy(data=array.reshape(template.shape)) for array in arrays], labels)

    perfect = template.copy(data=ceiling.reshape(template.shape))
    value = over_sets(values)
    table = xr.Dataset(
        {
            "evppi": value,
            "standard_error": over_sets([part["standard_error"] for part in parts]),
            "noise_floor": over_sets([part["noise_floor"] for part in parts]),
            "evpi": perfect,
        }
    )
    for variable in table.values():
        variable.attrs = dict(net_benefit.attrs)
    share = (value / perfect.where(perfect > 0)).fillna(0.0).assign_attrs(units="proportion")
    forms = xr.DataArray(np.array([part["regression"] for part in parts], dtype=object), {"set": labels}, "set")
    return table.assign(share_of_evpi=share, regression=forms).assign_attrs(
        method=method, noise_floor="parameters shuffled"
    )


def _warn_if_few(stacked: np.ndarray, error: float) -> None:
    draws = stacked.shape[-1]
    if draws < FEW_DRAWS:
        warnings.warn(
            f"only {draws} draws: standard errors reach {error:.3g}. Fix: take at least {FEW_DRAWS}.",
            stacklevel=3,
        )
