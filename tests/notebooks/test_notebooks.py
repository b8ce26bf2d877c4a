"""Every notebook runs from top to bottom, as its reader would run it, on the fit that all tests share."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from filelock import FileLock
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient

from tests.conftest import DOZEN
from toolkit.outlook import fit_outlook

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SHORT = "01_first_run"  # what everybody runs; the others when there is time
CASES = [pytest.param(path, id=path.stem, marks=[pytest.mark.long] * (path.stem != SHORT)) for path in NOTEBOOKS]

# A notebook fits all areas in full; here the same cells run on the small fit of a dozen areas. They share one
# kernel, emptied before each, because the imports would otherwise take longer than the notebooks.
START = """
%reset -f
import os, warnings
os.chdir({folder!r})
warnings.simplefilter("error")
import matplotlib
matplotlib.use("Agg")
from toolkit import evidence, scenarios
if not hasattr(scenarios, "shipped"):
    scenarios.shipped = evidence.load_statistics, scenarios.load
_load_statistics, _load_scenario = scenarios.shipped
_change = scenarios.change
_areas = {areas!r}
evidence.load_statistics = lambda folder=None: _load_statistics(folder).sel(area=_areas)
scenarios.load = lambda name, **options: _change(_load_scenario(name, **options), draws=200, chains=2)
del evidence, matplotlib, os, scenarios, warnings
"""


@pytest.fixture(scope="class")
def kernel() -> Iterator[KernelManager]:
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel()
    yield manager
    manager.shutdown_kernel(now=True)


@pytest.fixture(scope="session")
def outlook_cache(pytestconfig: pytest.Config) -> Path:
    """The fit of the outlook, kept between runs of the tests; the model always takes all areas."""
    kept = pytestconfig.cache.mkdir("outlook_fits")
    with FileLock(kept / "lock"):
        fit_outlook(cache=kept)
    return kept


def run(path: Path, kernel: KernelManager, tmp_path: Path, fit_cache: Path, request: pytest.FixtureRequest) -> None:
    build, here = tmp_path / "build", tmp_path / "notebooks"
    shutil.copytree(fit_cache, build / "cache")
    if "toolkit.outlook" in path.read_text(encoding="utf-8"):
        shutil.copytree(request.getfixturevalue("outlook_cache") / "outlook", build / "cache" / "outlook")
    shutil.copytree(path.parent, here, ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.insert(0, nbformat.v4.new_code_cell(START.format(folder=str(here), areas=DOZEN)))
    client = NotebookClient(notebook, km=kernel, timeout=300)
    client.execute()
    client.kc.stop_channels()
    assert any(cell.cell_type == "code" for cell in notebook.cells[1:])


# Two classes, because tests that run side by side are given out by class, and a kernel to each.
@pytest.mark.notebook
class TestOdd:
    @pytest.mark.parametrize("path", CASES[0::2])
    def test_notebook_runs(
        self, path: Path, kernel: KernelManager, tmp_path: Path, fit_cache: Path, request: pytest.FixtureRequest
    ) -> None:
        run(path, kernel, tmp_path, fit_cache, request)


@pytest.mark.notebook
class TestEven:
    @pytest.mark.parametrize("path", CASES[1::2])
    def test_notebook_runs(
        self, path: Path, kernel: KernelManager, tmp_path: Path, fit_cache: Path, request: pytest.FixtureRequest
    ) -> None:
        run(path, kernel, tmp_path, fit_cache, request)


def test_there_are_notebooks() -> None:
    assert NOTEBOOKS
