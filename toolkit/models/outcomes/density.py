"""The density of the outcome model's counts, levels and deviations as one node of its graph.

PyTensor compiles every node of a graph again in each process, but kernels are compiled once and cached. So all that
is sampled for each area and year goes through one Op, whose hand-written gradient is computed in the same pass
(``tests/unit/models/outcomes/test_density.py`` checks it against SciPy).
"""

import math
from collections.abc import Sequence
from functools import cache
from typing import Any

import numba
import numpy as np
import pytensor.tensor as pt
from numba import types
from numpy.typing import NDArray
from pytensor.gradient import DisconnectedType
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op
from pytensor.link.numba.cache import CACHED_SRC_FUNCTIONS, _call_cached_ptr
from pytensor.link.numba.dispatch.basic import numba_njit, register_funcify_default_op_cache_key

from toolkit.code_hash import code_hash
from toolkit.models.outcomes.levels import area_levels, informations, pull_back_information, pull_back_levels
from toolkit.models.outcomes.persistence import area_year_log_probability

Array = NDArray[Any]
SAMPLED = 8  # arguments with a gradient: level, cholesky, level_z, moves, deviation_z, persistence, spread, dispersion
KNOWN_OF_AREAS = 4


@numba.njit(nogil=True, error_model="numpy")
def log_density(
    level: Array,
    cholesky: Array,
    level_z: Array,
    moves: Array,
    deviation_z: Array,
    persistence: Array,
    spread: Array,
    dispersion: Array,
    area_response: Array,
    area_chance: Array,
    area_extra: Array,
    area_years: Array,
    lower: Array,
    upper: Array,
    exposure: Array,
    family: Array,
    response: Array,
    chance: Array,
    extra: Array,
) -> tuple[float, Array, Array, Array, Array, Array, Array, Array, Array]:
    """Return the log-density of counts, levels and deviations relative to standard normal z, and its gradient.

    Parameters
    ----------
    level
        What region and covariates predict of each area's level (indicator, area).
    cholesky
        Lower triangle of the covariance of levels between indicators.
    level_z, deviation_z
        What is sampled in place of levels (indicator, area) and deviations (indicator, area, data_year).
    moves
        What year and covariates add to the level (indicator, area, data_year).
    persistence, spread, dispersion, lower, upper, exposure, family, response, chance, extra
        As for :func:`toolkit.models.outcomes.persistence.area_year_log_probability`.
    area_response, area_chance, area_extra, area_years
        As for :func:`toolkit.models.outcomes.levels.levels` (indicator, area).
    """
    kinds, areas = level.shape
    information = informations(persistence, spread, dispersion, area_chance, area_extra, area_years)
    factor, (pull, standard, area) = np.zeros((kinds, kinds, areas)), np.zeros((3, kinds, areas))
    area_levels(level_z, level, cholesky, information, area_response, factor, pull, standard, area)
    total, eta = 0.0, np.zeros(moves.shape)
    for k in range(kinds):
        for i in range(areas):
            total += 0.5 * (level_z[k, i] ** 2 - standard[k, i] ** 2) - math.log(factor[k, k, i])
            for t in range(moves.shape[2]):
                eta[k, i, t] = area[k, i] + moves[k, i, t]
    counts, on_eta, on_deviation_z, on_persistence, on_spread, on_dispersion = area_year_log_probability(
        eta, deviation_z, persistence, spread, dispersion, lower, upper, exposure, family, response, chance, extra
    )
    on_level, on_level_z, on_cholesky = np.zeros(level.shape), np.zeros(level.shape), np.zeros(cholesky.shape)
    on_area, on_information, on_pull = np.zeros((3, kinds, areas))
    for k in range(kinds):
        for i in range(areas):
            on_area[k, i] = on_eta[k, i].sum()
    pull_back_levels(
        on_area,
        level,
        cholesky,
        information,
        area_response,
        factor,
        pull,
        standard,
        on_level_z,
        on_level,
        on_cholesky,
        on_information,
        on_pull,
        np.zeros(factor.shape),
    )
    on_level_z += level_z
    for k in range(kinds):
        for i in range(areas):
            slopes = pull_back_information(
                on_information[k, i],
                persistence[k],
                spread[k, i],
                dispersion[k],
                area_chance[k, i],
                area_extra[k, i],
                area_years[k, i],
            )
            on_persistence[k] += slopes[0]
            on_spread[k, i] += slopes[1]
            on_dispersion[k] += slopes[2]
    slopes_on = (on_level, on_cholesky, on_level_z, on_eta, on_deviation_z, on_persistence, on_spread, on_dispersion)
    return (total + counts, *slopes_on)


class LogDensity(Op):
    """The kernel as one node of the graph."""

    __props__ = ()

    def make_node(self, *inputs: Any) -> Apply[Any]:
        """Take the arguments of :func:`log_density`."""
        tensors = [pt.as_tensor_variable(value) for value in inputs]
        return Apply(self, tensors, [pt.dscalar(), *(tensor.type() for tensor in tensors[:SAMPLED])])

    def perform(self, node: Apply[Any], inputs: Sequence[Any], output_storage: list[list[Any]]) -> None:
        """Evaluate outside numba's own mode."""
        log_p, *slopes = log_density(*inputs)
        for storage, value in zip(output_storage, (np.asarray(log_p), *slopes), strict=True):
            storage[0] = value

    def infer_shape(self, node: Apply[Any], shapes: list[Any]) -> list[Any]:
        """Return the shapes: a scalar, then a gradient of each argument's shape."""
        return [(), *shapes[:SAMPLED]]

    def connection_pattern(self, node: Apply[Any]) -> list[list[bool]]:
        """Only the log-density can be differentiated, with respect to the arguments that are sampled."""
        return [[position < SAMPLED] + [False] * SAMPLED for position in range(len(node.inputs))]

    def pullback(self, inputs: Sequence[Any], outputs: Sequence[Any], cotangents: Sequence[Any]) -> list[Any]:
        """Multiply by the gradient that the forward pass has already computed."""
        return [cotangents[0] * slope for slope in outputs[1:]] + [DisconnectedType()() for _ in inputs[SAMPLED:]]


# numba inlines a kernel into its callers, but checks only the file of the function that it caches on disk. So only one
# function is cached, under a version of all the files it uses, and is called by its address.
_MODULES = tuple(f"models/outcomes/{name}" for name in ("likelihoods", "levels", "persistence", "density"))
_VERSION = int(code_hash(_MODULES)[:8], 16)
_ON_SAMPLED = [types.Array(types.float64, dims, "C") for dims in (2, 2, 2, 3, 3, 1, 2, 1)]
_ON_AREA, _ON_CELL = (types.Array(types.float64, dims, "C", readonly=True) for dims in (2, 3))
_ON_FAMILY = types.Array(types.int32, 3, "C", readonly=True)
_RESULT = types.Tuple([types.float64, *_ON_SAMPLED])  # type: ignore[no-untyped-call]
_CALL = _RESULT(*_ON_SAMPLED, *[_ON_AREA] * 4, *[_ON_CELL] * 3, _ON_FAMILY, *[_ON_CELL] * 3)


@cache
def compiled() -> Any:
    """Return the kernel as machine code with an address, from the cache on disk if there is one."""
    CACHED_SRC_FUNCTIONS[log_density.py_func] = str(_VERSION)
    return numba.cfunc(_CALL, cache=True, nogil=True, error_model="numpy")(log_density.py_func)


@register_funcify_default_op_cache_key(LogDensity)  # type: ignore[no-untyped-call, untyped-decorator]
def _numba_log_density(op: Op, **_: Any) -> tuple[Any, int]:
    kind, rows = types.FunctionType(_CALL), np.ascontiguousarray  # samplers may pass columns

    @numba_njit
    def address() -> Any:
        with numba.objmode(pointer=types.intp):
            pointer = compiled().address
        return pointer

    @numba_njit
    def kernel(
        level: Array,
        cholesky: Array,
        level_z: Array,
        moves: Array,
        deviation_z: Array,
        persistence: Array,
        spread: Array,
        dispersion: Array,
        area_response: Array,
        area_chance: Array,
        area_extra: Array,
        area_years: Array,
        lower: Array,
        upper: Array,
        exposure: Array,
        family: Array,
        response: Array,
        chance: Array,
        extra: Array,
    ) -> Any:
        density: Any = _call_cached_ptr(address, kind, "toolkit.log_density")  # type: ignore[call-arg]
        total, on_1, on_2, on_3, on_4, on_5, on_6, on_7, on_8 = density(
            rows(level),
            rows(cholesky),
            rows(level_z),
            rows(moves),
            rows(deviation_z),
            rows(persistence),
            rows(spread),
            rows(dispersion),
            rows(area_response),
            rows(area_chance),
            rows(area_extra),
            rows(area_years),
            rows(lower),
            rows(upper),
            rows(exposure),
            rows(family),
            rows(response),
            rows(chance),
            rows(extra),
        )
        return np.asarray(total), on_1, on_2, on_3, on_4, on_5, on_6, on_7, on_8

    return kernel, _VERSION


def log_probability(lower: Any, *arguments: Any) -> Any:
    """Return the log-density as a symbolic scalar, for a PyMC model.

    ``arguments`` are those of :func:`log_density` in their order, without ``lower``.
    """
    before = SAMPLED + KNOWN_OF_AREAS
    return LogDensity().make_node(*arguments[:before], lower, *arguments[before:]).outputs[0]
