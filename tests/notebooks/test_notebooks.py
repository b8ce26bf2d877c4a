"""Every notebook runs from top to bottom, as its reader would run it, on the fit that all tests share."""

import shutil
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))

# A notebook fits all areas in full; here the same cells run on the small fit of a dozen areas.
SMALL = """
import warnings
warnings.simplefilter("error")
import matplotlib
matplotlib.use("Agg")
from toolkit import evidence, scenarios, workflow
_load_statistics, _load_scenario = evidence.load_statistics, scenarios.load
_areas = {areas!r}
evidence.load_statistics = lambda folder=None: _load_statistics(folder).sel(area=_areas)
scenarios.load = lambda name, **options: scenarios.change(_load_scenario(name, **options), draws=200, chains=2)
"""


@pytest.mark.notebook
@pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])
def test_notebook_runs(path: Path, tmp_path: Path, fit_cache: Path) -> None:
    from tests.conftest import DOZEN

    build, here = tmp_path / "build", tmp_path / "notebooks"
    shutil.copytree(fit_cache, build / "cache")
    shutil.copytree(path.parent, here, ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.insert(0, nbformat.v4.new_code_cell(SMALL.format(areas=DOZEN)))
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(here)}}).execute()
    assert any(cell.cell_type == "code" for cell in notebook.cells[1:])


def test_there_are_notebooks() -> None:
    assert NOTEBOOKS
