"""Compiling the kernels beside a first fit: the compiler of one process does one thing at a time.

Run as a program, it compiles and ends; numba keeps the code on disk, where the process that started it finds it by the
time it gets there. A machine that has compiled before only looks.
"""

import subprocess
import sys

import numba
from numba import types


def compile_beside() -> subprocess.Popen[bytes]:
    """Start compiling in a process of its own; to be used in a ``with``, which waits for it."""
    quiet = subprocess.DEVNULL  # whatever goes wrong there comes to light where the kernel is used
    return subprocess.Popen([sys.executable, "-m", __name__], stdout=quiet, stderr=quiet)


def signatures() -> dict[numba.core.dispatcher.Dispatcher, tuple[types.Type, ...]]:
    """Return the types of the arguments that each kernel is called with in a run."""
    from toolkit.models.density import log_density
    from toolkit.pathways.kernel import walk_cohort

    def known(kind: types.Type, dims: int) -> types.Array:  # constants of a graph may not be written to
        return types.Array(kind, dims, "C", readonly=True)

    vector, matrix, cube = types.float64[::1], types.float64[:, ::1], types.float64[:, :, ::1]
    rows, grid = types.float32[:, ::1], types.float32[:, :, ::1]
    of_years = [known(types.float64, 3)] * 3
    density = (
        types.float64[:, :], matrix, matrix, cube, cube, vector, matrix, vector,
        *[known(types.float64, 2)] * 4, *of_years, known(types.int32, 3), *of_years,
    )  # fmt: skip
    walk = (*[grid] * 5, rows, rows, grid, types.int64[::1], types.int64[::1], *[types.boolean] * 3, *[grid] * 3)
    return {log_density: density, walk_cohort: walk}


if __name__ == "__main__":
    for kernel, arguments in signatures().items():
        kernel.compile(arguments)
