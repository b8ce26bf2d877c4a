"""Compiling the kernels beside a first fit: the compiler of one process does one thing at a time.

Run as a program, it compiles and ends; numba keeps the code on disk, where the process that started it finds it by the
time it gets there. A machine that has compiled before only looks.
"""

import subprocess
import sys
from typing import Any

from numba import types

__all__ = [
    "compile_beside",
    "kept",
    "unpacked",
    "walked",
]


def compile_beside() -> subprocess.Popen[bytes]:
    """Start compiling in a process of its own; to be used in a ``with``, which waits for it."""
    kept()
    quiet = subprocess.DEVNULL  # whatever goes wrong there comes to light where the kernel is used
    return subprocess.Popen([sys.executable, "-m", __name__], stdout=quiet, stderr=quiet)


def kept() -> tuple[Any, Any]:
    """Return what turns a fit's draws into levels and deviations, whose code numba is to keep on disk from now on.

    Said here and not where they are written: every change there calls the committed tables of all models outdated.
    """
    from toolkit.models.outcomes.levels import levels
    from toolkit.models.outcomes.persistence import deviations

    for kernel in (levels, deviations):
        kernel.enable_caching()
    return levels, deviations


def walked() -> tuple[types.Type, ...]:
    """Return the types of the arguments that the walk of a run is called with."""
    rows, grid = types.float32[:, ::1], types.float32[:, :, ::1]
    flags = [types.boolean] * 3
    return (*[grid] * 5, rows, rows, grid, types.int64[::1], types.int64[::1], *flags, *[grid] * 3)


def unpacked() -> tuple[tuple[types.Type, ...], tuple[types.Type, ...]]:
    """Return those that levels and deviations are called with."""
    one, two, three = (types.Array(types.float64, dims, "C") for dims in (1, 2, 3))
    return (*[three] * 3, two, three, *[two] * 5), (three, three, one, two, one, *[two] * 3)


def __dir__() -> list[str]:
    return __all__


if __name__ == "__main__":
    from toolkit.models.outcomes import density
    from toolkit.pathways.kernel import walk_cohort

    density.compiled()  # in the order that a run needs them in
    for kernel, arguments in zip(kept(), unpacked(), strict=True):
        kernel.compile(arguments)
    walk_cohort.compile(walked())
