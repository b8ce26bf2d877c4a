"""Sensitivity analysis: tornado, two-way, switching values, Sobol indices, contrasts.

All but ``sobol_of_model``, which calls a model, take E[answer | parameter], the answer expected if a parameter
had a given value, from one regression over the draws. Correlated parameters move together, as they would in reality:
learn that one is high and the others are expected to follow.
"""

from collections.abc import Callable, Sequence

import numpy as np
import xarray as xr
from SALib.analyze import sobol as salib_analysis
from SALib.sample import sobol as salib_sample
from scipy import stats

from toolkit.appraisal.draws import flat, sample_dims
from toolkit.appraisal.present_values import DEFAULT_LEVEL, summarise
from toolkit.appraisal.regression import Method, conditional_mean, smoother
from toolkit.appraisal.ties import level_with_best, split
from toolkit.appraisal.value_of_information import parameter_columns
from toolkit.schema import InputError, aligned, check, random_stream

LEAST_EXPLAINED = 0.98  # of the answer's variance, by the regression, for its Sobol indices to be given
MOVING_TOGETHER = 0.1  # rank correlation from which parameters are not taken as independent
DEPENDENCE = (
    "Compared draw by draw: what both share in a draw cancels, such as the luck of a site if runs of one seed share it "
    "(effect.shared_luck of a scenario)."
)
FALSE_DISCOVERIES = 0.05  # share of the swings distinguished from chance that may be chance nevertheless


def tornado(answer: xr.DataArray, parameters: xr.Dataset, *, level: float = DEFAULT_LEVEL) -> xr.Dataset:
    """Return the answer expected at the lower and upper end of each parameter, widest swing first.

    Parameters
    ----------
    answer
        One number per draw, such as the net present social value.
    parameters
        Scalar variables over the same draws.
    level
        The ends are the quantiles that hold this probability between them.

    Returns
    -------
    xr.Dataset, dims (parameter)
        ``lower_value``, ``upper_value`` of the parameter; ``at_lower``, ``at_upper`` of the answer;
        ``swing``, their absolute difference; ``expected`` of the answer over all draws; ``noise_floor``: of the
        swings above it one in twenty at most is expected to be chance, by the spread of the swings of shuffled
        parameters and Benjamini and Hochberg (1995); those under it may be chance.
    """
    names, columns, response = _read(answer, parameters)
    tails = [(1 - level) / 2, (1 + level) / 2]
    ends = np.quantile(columns, tails, axis=0).T
    generator = random_stream(0, "appraisal.tornado")
    shuffles = range(max(2, 20 // len(names)))
    orders = [[generator.permutation(len(response)) for _ in shuffles] for _ in names]
    answers = [np.hstack([response, *(response[order] for order in shuffled)]) for shuffled in orders]
    curves = [_curves(columns[:, [place]], both, ends[place]) for place, both in enumerate(answers)]
    at = np.array([curve[:, 0] for curve in curves])
    swing = abs(at[:, 1] - at[:, 0])
    floor = _floor(swing, np.array([np.ptp(curve[:, 1:], axis=0) for curve in curves]))
    table = xr.Dataset(
        {
            "lower_value": ("parameter", ends[:, 0]),
            "upper_value": ("parameter", ends[:, 1]),
            "at_lower": ("parameter", at[:, 0], answer.attrs),
            "at_upper": ("parameter", at[:, 1], answer.attrs),
            "swing": ("parameter", swing, answer.attrs),
            "expected": float(response.mean()),
            "noise_floor": ((), floor, answer.attrs),
        },
        coords={"parameter": names},
        attrs={"level": level},
    )
    return table.isel(parameter=np.argsort(-table["swing"].values, kind="stable"))


def _floor(swings: np.ndarray, shuffled: np.ndarray) -> float:
    """Return the swing distinguishable from chance; among many parameters without effect the widest swing is wide."""
    ranks = np.arange(1, len(swings) + 1) / len(swings)
    needed = np.sqrt(np.mean(shuffled**2)) * stats.norm.isf(FALSE_DISCOVERIES / 2 * ranks)
    above = np.flatnonzero(np.sort(swings)[::-1] > needed)
    return float(needed[above[-1] if above.size else 0])


def two_way(
    answer: xr.DataArray,
    parameters: xr.Dataset,
    *,
    of: tuple[str, str],
    points: int = 21,
    level: float = DEFAULT_LEVEL,
    method: Method = "spline",
) -> xr.DataArray:
    """Return the answer expected over a grid of two parameters, each over its central ``level``.

    Returns
    -------
    xr.DataArray, dims (of[0], of[1]), coordinates in the parameters' own units
    """
    names, columns, response = _read(answer, parameters[list(of)])
    if len(names) != 2:
        raise InputError(f"two_way: of={of} must name two different parameters.")
    ends = np.quantile(columns, [(1 - level) / 2, (1 + level) / 2], axis=0)
    axes = [np.linspace(ends[0, place], ends[1, place], points) for place in (0, 1)]
    grid = np.stack([axis.ravel() for axis in np.meshgrid(*axes, indexing="ij")], axis=1)
    fit = smoother(columns, response, method=method)
    surface = conditional_mean(fit, response, points=grid).reshape(points, points)
    coords = {name: axis for name, axis in zip(names, axes, strict=True)}
    return xr.DataArray(surface, dims=tuple(names), coords=coords, attrs={**answer.attrs, "level": level})


def switching_values(gain: xr.DataArray, parameters: xr.Dataset) -> xr.Dataset:
    """Return the value of each parameter at which the decision changes, and the probability of the other side.

    Parameters
    ----------
    gain
        What the preferred option gains over the other in each draw, such as the net present social value.
    parameters
        Scalar variables over the same draws.

    Returns
    -------
    xr.Dataset, dims (parameter)
        ``switching_value``: where the expected gain is 0, the one nearest the parameter's mean, missing
        if it keeps its sign over the draws; ``expected_value`` of the parameter;
        ``probability``: that the parameter lies where the expected gain has the other sign than now;
        ``reading``.
    """
    names, columns, response = _read(gain, parameters)
    rows = [_switch(columns[:, [place]], response) for place in range(len(names))]
    value, probability = np.array(rows).T
    now = float(response.mean())
    reading = np.where(np.isnan(value), "keeps its sign over all draws", "flips")
    return xr.Dataset(
        {
            "switching_value": ("parameter", value),
            "expected_value": ("parameter", columns.mean(0)),
            "probability": ("parameter", probability, {"units": "probability"}),
            "reading": ("parameter", reading.astype(object)),
            "expected_gain": ((), now, gain.attrs),
        },
        coords={"parameter": names},
    )


def sobol(
    answer: xr.DataArray,
    parameters: xr.Dataset,
    *,
    of: Sequence[str] | None = None,
    method: Method = "spline",
    least_explained: float = LEAST_EXPLAINED,
) -> xr.Dataset:
    """Return the share of the answer's variance that each parameter explains, alone and with the others.

    Where the model can be called, ``sobol_of_model`` needs no regression and sees every interaction.

    Parameters
    ----------
    answer
        One number per draw.
    parameters
        Variables over the same draws; one with further dims counts as the group of its elements.
    of
        Which to report; all by default. The rest still count among the others.
    method
        As in ``evppi``.
    least_explained
        Share of the variance that all parameters together must explain. Lower it only if the rest is known to be
        randomness apart from the parameters.

    Returns
    -------
    xr.Dataset, dims (parameter)
        ``first`` (learning it alone); ``total`` (what stays unexplained when all but it are known);
        ``standard_error`` of first; ``explained`` by all parameters together: the rest is other
        randomness, or interactions which the regression cannot see and which count neither in first nor in
        total, so that a true total may be higher by up to 1 - explained. Total reads as usual only if parameters
        are independent.

    Raises
    ------
    InputError
        If the regression explains too little for the shares to be right, or the answer never varies.

    References
    ----------
    Saltelli, A. et al. (2010). Variance based sensitivity analysis of model output. Computer Physics
    Communications 181(2), 259-270. doi:10.1016/j.cpc.2009.09.018
    Storlie, C. B. and Helton, J. C. (2008). Multiple predictor smoothing methods for sensitivity analysis.
    Reliability Engineering and System Safety 93(1), 28-54. doi:10.1016/j.ress.2006.10.012
    """
    every = [str(name) for name in parameters.data_vars]
    names = every if of is None else list(of)
    response = _one_answer(answer)
    parts = {name: parameter_columns(answer, parameters, (name,)) for name in every}
    together = _explained(np.hstack(list(parts.values())), response, method)[0]
    if together < least_explained:
        raise InputError(
            f"answer: the regression explains {together:.0%} of its variance, under {least_explained:.0%}, so shares "
            "of interactions may be missed.",
            fix="call sobol_of_model(model, parameters), or lower least_explained if the rest is other randomness.",
        )
    alone = [_explained(parts[name], response, method) for name in names]
    without = [
        _explained(np.hstack(rest), response, method)[0]
        if (rest := [parts[other] for other in every if other != name])
        else 0.0
        for name in names
    ]
    return xr.Dataset(
        {
            "first": ("parameter", np.array([share for share, _ in alone])),
            "total": ("parameter", np.maximum(together - np.array(without), 0.0)),
            "standard_error": ("parameter", np.array([error for _, error in alone])),
            "explained": float(together),
        },
        coords={"parameter": names},
        attrs={"units": "proportion of variance", "method": method},
    )


def sobol_of_model(
    model: Callable[[xr.Dataset], xr.DataArray], parameters: xr.Dataset, *, base: int = 1024, seed: int = 0
) -> xr.Dataset:
    """Return the share of the answer's variance that each parameter explains, by calling the model.

    Parameters
    ----------
    model
        Returns the answer (sample) for a Dataset of the parameters (sample); it is called once, with
        ``base`` * (number of parameters + 2) samples.
    parameters
        Draws of independent parameters, whose values are sampled again, each apart from the others; a variable with
        further dims is sampled whole, as the group of its elements, which may depend on each other.
    base
        Size of the base sample, a power of two.
    seed
        Of the sampler.

    Returns
    -------
    xr.Dataset, dims (parameter)
        ``first`` (learning it alone), ``total`` (what stays unexplained when all but it are known), both with their
        ``standard_error``: ``first_error``, ``total_error``, by bootstrap.

    Raises
    ------
    InputError
        If parameters move together, ``base`` is not a power of two, or the answers are not one finite number per sample
        that varies.

    References
    ----------
    Saltelli, A. et al. (2010). doi:10.1016/j.cpc.2009.09.018 (first); Jansen, M. J. W. (1999). Analysis of variance
    designs for model output. Computer Physics Communications 117, 35-43. doi:10.1016/S0010-4655(98)00154-4 (total)
    """
    if base < 2 or base & (base - 1):
        raise InputError(f"base {base}: is not a power of two.", fix="give 512, 1024 or 2048, say.")
    names = [str(name) for name in parameters.data_vars]
    anchor = parameters[names[0]]
    columns = {name: parameter_columns(anchor, parameters, (name,)) for name in names}
    _independent(columns)
    generator = random_stream(seed, "appraisal.sobol_of_model")
    problem = {"num_vars": len(names), "names": names, "bounds": [[0.0, 1.0]] * len(names)}
    places = salib_sample.sample(problem, base, calc_second_order=False, seed=generator)
    drawn = {}
    for name, place in zip(names, places.T, strict=True):
        order = np.argsort(columns[name][:, 0], kind="stable")
        parameter = parameters[name].drop_vars([*sample_dims(anchor)], errors="ignore")
        values = flat(parameter)[..., order[(place * len(order)).astype(int)]]
        others = [dim for dim in parameter.dims if dim not in sample_dims(anchor)]
        drawn[name] = xr.DataArray(
            values, {dim: parameter[dim] for dim in others}, (*others, "sample"), attrs=parameter.attrs
        )
    answers = _one_answer(model(xr.Dataset(drawn)))[:, 0]
    if len(answers) != len(places) or np.ptp(answers) == 0:
        raise InputError(
            f"model: gave {len(answers)} answers for {len(places)} samples, or all the same.",
            fix="return one number (sample) for each sample of the Dataset.",
        )
    level = 2 * stats.norm.cdf(1) - 1  # of an interval one standard error to each side
    indices = salib_analysis.analyze(problem, answers, calc_second_order=False, conf_level=level, seed=generator)
    parts = {"first": "S1", "total": "ST", "first_error": "S1_conf", "total_error": "ST_conf"}
    return xr.Dataset(
        {name: ("parameter", np.asarray(indices[key])) for name, key in parts.items()},
        coords={"parameter": names},
        attrs={"units": "proportion of variance", "method": "Saltelli, Jansen", "calls": len(places)},
    )


def _independent(columns: dict[str, np.ndarray]) -> None:
    """Refuse correlated parameters; elements of one variable may be."""
    ranks = stats.rankdata(np.hstack(list(columns.values())), axis=0)
    owner = np.repeat(np.arange(len(columns)), [part.shape[1] for part in columns.values()])
    apart = owner[:, None] != owner
    together = np.abs(np.atleast_2d(np.corrcoef(ranks, rowvar=False))) * apart
    first, second = np.unravel_index(together.argmax(), together.shape)
    if together[first, second] > max(MOVING_TOGETHER, 5 / np.sqrt(len(ranks))):
        names = list(columns)
        raise InputError(
            f"parameters {names[owner[first]]!r} and {names[owner[second]]!r}: move together (rank correlation "
            f"{together[first, second]:.2f}).",
            fix="make them one variable with a further dimension, which is sampled whole.",
        )


def contrast(first: xr.DataArray, second: xr.DataArray, *, level: float = DEFAULT_LEVEL) -> xr.Dataset:
    """Return ``first`` less ``second`` draw by draw, so that what both share cancels.

    Both must come from the same draws (common random numbers): scenarios run with one seed do. Two programmes then
    fully share the luck of a site, unless their scenarios say otherwise (``effect.shared_luck``), and it cancels too.

    Returns
    -------
    xr.Dataset
        As ``summarise``, with ``probability`` that first is the higher (a tie, to within rounding, counts a half) and
        ``correlation`` of the two; the attribute ``dependence`` states what is assumed of how they move together.
    """
    check(first.rename(first.name or "first"))
    check(second.rename(second.name or "second"))
    aligned(first, second)
    gap = first - second
    dims = sample_dims(gap)
    both = xr.concat(xr.broadcast(first.drop_attrs(), second.drop_attrs()), "pair", coords="minimal", compat="override")
    size = abs(both).mean(dims)  # of all draws: in a draw near nil, what is left may be rounding alone
    wins = xr.apply_ufunc(lambda *given: split(level_with_best(*given)), *xr.broadcast(both, size))
    summary = summarise(gap.assign_attrs(first.attrs), level=level)
    summary = summary.assign(probability=wins.isel(pair=0).mean(dims))
    return summary.assign(correlation=xr.corr(first, second, dims)).assign_attrs(dependence=DEPENDENCE)


def _read(answer: xr.DataArray, parameters: xr.Dataset) -> tuple[list[str], np.ndarray, np.ndarray]:
    names = [str(name) for name in parameters.data_vars]
    response = _one_answer(answer)
    columns = [parameter_columns(answer, parameters, (name,)) for name in names]
    wide = [name for name, part in zip(names, columns, strict=True) if part.shape[1] > 1]
    if wide or not names:
        raise InputError(f"parameters {wide}: need one number a draw each.", fix="select one element by .sel(...).")
    return names, np.hstack(columns), response


def _one_answer(answer: xr.DataArray) -> np.ndarray:
    check(answer.rename(answer.name or "answer"))
    values = flat(answer)
    if values.ndim != 1:
        raise InputError(f"answer: dimensions {list(answer.dims)} contain more than draws.", fix="select one figure.")
    return values[:, None]


def _curves(column: np.ndarray, responses: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return the expectation of each response (draws, responses) at some values of a parameter (points, responses)."""
    return conditional_mean(smoother(column, responses), responses, points=np.asarray(points)[:, None])


def _switch(column: np.ndarray, response: np.ndarray) -> tuple[float, float]:
    """Return the switching value nearest the mean and the share of draws on the other side."""
    order = np.argsort(column[:, 0])
    values = column[order, 0]
    expected = conditional_mean(smoother(column, response), response)[order, 0]
    other = np.sign(expected) != np.sign(response.mean())
    crossings = np.flatnonzero(np.diff(other) & (np.diff(values) > 0))
    if not len(crossings):
        return np.nan, float(other.mean())
    left, right = expected[crossings], expected[crossings + 1]
    at = values[crossings] + (values[crossings + 1] - values[crossings]) * left / (left - right)
    return float(at[np.abs(at - values.mean()).argmin()]), float(other.mean())


def _explained(columns: np.ndarray, response: np.ndarray, method: Method) -> tuple[float, float]:
    """Return the share of variance explained and its standard error by the delta method."""
    fitted = conditional_mean(smoother(columns, response, method=method), response)[:, 0]
    centred, guess = response[:, 0] - response.mean(), fitted - fitted.mean()
    variance = centred.var()
    if variance == 0:
        raise InputError("answer: never varies, so there is nothing to explain.")
    share = float(guess.var() / variance)
    # Influence of one draw on the ratio var(E[y|x]) / var(y), with E[y|x] estimated.
    influence = (2 * guess * centred - guess**2 - share * centred**2) / variance
    return share, float(influence.std() / np.sqrt(len(centred)))
