"""What is compiled beside a first fit must be what the run then calls, or the work is lost."""

from numba import types

from tests.unit.pathways.conftest import make_hazards
from tests.unit.pathways.test_cohort import some_layers
from toolkit import kernels
from toolkit.models.density import log_density
from toolkit.pathways.cohort import walk
from toolkit.pathways.kernel import walk_cohort


def test_the_walk_is_called_with_no_other_types_in_single_precision() -> None:
    for by_age in (False, True):
        walk(make_hazards(), strength=0.5, layers=some_layers(), by_age=by_age)
    walk(make_hazards(), strength=0.0)
    single = [called for called in walk_cohort.signatures if called[0].dtype == types.float32]
    assert single == [kernels.signatures()[walk_cohort]]


def test_the_density_compiles_for_these_types() -> None:
    known = kernels.signatures()[log_density]
    log_density.compile(known)
    assert known in log_density.signatures


def test_the_process_beside_ends_well() -> None:
    with kernels.compile_beside() as process:
        pass
    assert process.returncode == 0
