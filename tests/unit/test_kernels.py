"""What is compiled beside a first fit must be what the run then calls, or the work is lost; no stale code is kept."""

import ast
import inspect
from pathlib import Path

import pytest
from numba import types
from numba.core.dispatcher import Dispatcher

from tests.unit.pathways.conftest import make_hazards
from tests.unit.pathways.test_cohort import some_layers
from toolkit import kernels
from toolkit.models.outcomes import density
from toolkit.models.outcomes.levels import levels
from toolkit.models.outcomes.persistence import deviations
from toolkit.pathways.cohort import walk
from toolkit.pathways.kernel import walk_cohort


def test_the_walk_is_called_with_no_other_types_in_single_precision() -> None:
    for by_age in (False, True):
        walk(make_hazards(), strength=0.5, layers=some_layers(), by_age=by_age)
    walk(make_hazards(), strength=0.0)
    single = [called for called in walk_cohort.signatures if called[0].dtype == types.float32]
    assert single == [kernels.walk_types()]


@pytest.mark.long
def test_the_process_beside_ends_well() -> None:
    with kernels.compile_beside() as process:
        pass
    assert process.returncode == 0


def test_code_kept_on_disk_is_of_one_file_or_knows_all_its_files() -> None:
    """numba keeps a function until its own file changes, though its code holds that of the functions it calls."""
    sources = {path: path.read_text() for path in Path(inspect.getfile(kernels)).parent.rglob("*.py")}
    compiled = {path.stem for path, text in sources.items() if "@numba.njit" in text}
    versioned = {Path(module).name for module in density._MODULES}
    for path, text in sources.items():
        if "cache=True" in text or path.stem in versioned:
            called = {
                alias.name.split(".")[-1] if node.module == "toolkit.models" else str(node.module).split(".")[-1]
                for node in ast.walk(ast.parse(text))
                if isinstance(node, ast.ImportFrom) and str(node.module).startswith("toolkit")
                for alias in node.names
            }
            assert called & compiled <= (versioned if path.stem in versioned else set()), path


def test_what_unpacks_draws_holds_code_of_its_own_file_alone() -> None:
    for kernel in (levels, deviations):
        module, reached, waiting = inspect.getmodule(kernel.py_func), set(), [kernel]
        while waiting:
            function = waiting.pop()
            assert function.py_func.__module__ == module.__name__
            called = {vars(module).get(name) for name in function.py_func.__code__.co_names} - reached - {None}
            waiting += [other for other in called if isinstance(other, Dispatcher)]
            reached |= called
        assert len(reached) > 1


def test_what_unpacks_draws_is_kept_on_disk() -> None:
    assert kernels.cached_kernels() == (levels, deviations)
    assert all(kernel.stats.cache_path for kernel in (levels, deviations))
