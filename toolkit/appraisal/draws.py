"""What counts as a draw: `sample`, or `chain` and `draw`; and the checks that every decision function shares."""

import numpy as np
import xarray as xr

from toolkit.schema import SAMPLE_DIMS, InputError, aligned, check, numeric


def sample_dims(array: xr.DataArray | xr.Dataset) -> tuple[str, ...]:
    """Return the dimensions of ``array`` that hold draws: ("sample",) or ("chain", "draw").

    Raises
    ------
    InputError
        If the array has no draws, only one of chain and draw, or both kinds.
    """
    dims = tuple(dim for dim in ("sample", *SAMPLE_DIMS) if dim in array.dims)
    if dims not in (("sample",), SAMPLE_DIMS):
        raise InputError(
            f"{getattr(array, 'name', None) or 'array'}: draws must be 'sample', or 'chain' and 'draw'; "
            f"the dimensions are {[str(dim) for dim in array.dims]}.",
            fix="rename the dimension that counts draws, for example .rename(row='sample').",
        )
    return dims


def option_draws(array: xr.DataArray, *, name: str) -> xr.DataArray:
    """Return ``array`` (option, draws) if it is finite and has at least two options, or raise."""
    check(array.rename(array.name or name), dims=("option",))
    sample_dims(array)
    if array.sizes["option"] < 2:
        raise InputError(f"{name}: a single option cannot be compared.", fix="add an option to compare it with.")
    if array.indexes.get("option") is not None and array.indexes["option"].has_duplicates:
        raise InputError(f"{name}: an option's name occurs twice.", fix="give each option its own name.")
    return array


def cost_and_effect(cost: xr.DataArray, effect: xr.DataArray) -> tuple[xr.DataArray, xr.DataArray]:
    """Return the pair if their options and draws match one to one, or raise."""
    cost, effect = option_draws(cost, name="cost"), option_draws(effect, name="effect")
    if set(cost.dims) != set(effect.dims):
        raise InputError(
            f"cost has dimensions {list(cost.dims)} and effect {list(effect.dims)}.",
            fix="give both the same options and the same draws.",
        )
    aligned(cost, effect)
    return cost, effect


def flat(array: xr.DataArray, *, leading: tuple[str, ...] = ()) -> np.ndarray:
    """Return the values as a float matrix: ``leading`` dimensions first, all draws on the last axis."""
    dims = sample_dims(numeric(array))
    values = array.transpose(*leading, ..., *dims).to_numpy()
    return np.ascontiguousarray(values, dtype=float).reshape(*values.shape[: values.ndim - len(dims)], -1)
