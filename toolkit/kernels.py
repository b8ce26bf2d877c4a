"""Compile the kernels in a second process during a first fit, since a process compiles one function at a time.

Run as a program, this module compiles the kernels and exits. numba keeps the code on disk, where the process that
started it finds the code when it is needed. On later runs the compiled code is already there.
"""

import subprocess
import sys
from typing import Any

from numba import types

__all__ = [
    "cached_kernels",
    "compile_beside",
    "unpack_types",
    "walk_types",
]


def compile_beside() -> subprocess.Popen[bytes]:
    """Start compiling in a separate process; use it in a ``with`` statement, which waits for it to end."""
    cached_kernels()
    quiet = subprocess.DEVNULL  # an error there comes up again where the kernel is used
    return subprocess.Popen([sys.executable, "-m", __name__], stdout=quiet, stderr=quiet)


def cached_kernels() -> tuple[Any, Any]:
    """Return the kernels that turn a fit's draws into levels and deviations, with caching on disk switched on.

    Caching is switched on here because a change in the module of a kernel marks the committed tables as outdated.
    """
    from toolkit.models.outcomes.levels import levels
    from toolkit.models.outcomes.persistence import deviations

    for kernel in (levels, deviations):
        kernel.enable_caching()
    return levels, deviations


def walk_types() -> tuple[types.Type, ...]:
    """Return the argument types with which a run calls the cohort walk."""
    rows, grid = types.float32[:, ::1], types.float32[:, :, ::1]
    flags = [types.boolean] * 3
    return (*[grid] * 3, rows, rows, grid, types.int64[::1], types.int64[::1], *flags, *[grid] * 3)


def unpack_types() -> tuple[tuple[types.Type, ...], tuple[types.Type, ...]]:
    """Return the argument types with which a run calls levels and deviations."""
    vector, matrix, cube = (types.Array(types.float64, dims, "C") for dims in (1, 2, 3))
    return (*[cube] * 3, matrix, cube, *[matrix] * 5), (cube, cube, vector, matrix, vector, *[matrix] * 3)


def __dir__() -> list[str]:
    return __all__


if __name__ == "__main__":
    from toolkit.models.outcomes import density
    from toolkit.pathways.kernel import walk_cohort

    density.compiled()  # in the order in which a run needs them
    for kernel, arguments in zip(cached_kernels(), unpack_types(), strict=True):
        kernel.compile(arguments)
    walk_cohort.compile(walk_types())
