"""What every test shares."""

import os

# Set before matplotlib and numpy are first imported: tests open no window, and processes that run side by
# side would wait for each other's threads of linear algebra.
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import shutil
from pathlib import Path

import pytest
import xarray as xr
from filelock import FileLock
from hypothesis import settings

from toolkit import evidence, scenarios, workflow
from toolkit.resolved import resolve

# The default finds the same examples on every machine; `HYPOTHESIS_PROFILE=thorough` searches afresh.
settings.register_profile("fast", max_examples=25, deadline=None, derandomize=True, database=None)
settings.register_profile("thorough", max_examples=1000, deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fast"))

# Every region, a merged area, two with hidden counts, and one too small to be fitted.
DOZEN = [
    "E06000001",  # Hartlepool
    "E06000017",  # Rutland: first-time entrants always hidden
    "E06000018",  # Nottingham
    "E06000023",  # Bristol
    "E08000003",  # Manchester
    "E08000025",  # Birmingham
    "E08000035",  # Leeds
    "E09000001",  # City of London: predicted, not fitted
    "E09000012",  # Hackney: two missing returns
    "E09000027",  # Richmond upon Thames: a hidden count
    "E10000016",  # Kent
    "E10000020",  # Norfolk
    "stable:Cumbria area",
]
LEEDS = "E08000035"


# The dashboard's own loop and what it replaces in Panel are tested before a browser's loop, which then never ends, and
# a server in the same process.
FIRST = ("test_notebooks.py::TestOdd", "", "test_notebooks.py::TestEven", "unit/apps/test_site.py", "browser")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start with the longest, so that no process is left with them when the others are done.

    One process makes the shared fit for the notebooks while the other tests what needs no fit, all of it.
    """
    fitted = {item.path for item in items if "fit_cache" in item.fixturenames}

    def place(item: pytest.Item) -> int:
        if item.path not in fitted:
            return FIRST.index("")
        return next((k for k, name in enumerate(FIRST) if name and name in item.nodeid), len(FIRST))

    items.sort(key=place)


@pytest.fixture(scope="session")
def register() -> evidence.Register:
    return evidence.load_register()


@pytest.fixture(scope="session")
def statistics() -> xr.Dataset:
    return evidence.load_statistics()


@pytest.fixture(scope="session")
def dozen(statistics: xr.Dataset) -> xr.Dataset:
    """Real statistics of a dozen areas."""
    return statistics.sel(area=DOZEN)


@pytest.fixture(scope="session")
def small_scenario() -> scenarios.Scenario:
    """The default with sums for each child: those of all England need the statistics of all its areas."""
    parts = {"supporting_families": 60.0, "family_group_conference": 1.0}
    plan = [
        {"programme": name, "pounds_per_child": [pounds] * 3, "funder": "central_government"}
        for name, pounds in parts.items()
    ]
    return scenarios.change(scenarios.load("families_first"), plan=plan, draws=200, chains=2)


@pytest.fixture(scope="session")
def fit_cache(
    pytestconfig: pytest.Config,
    tmp_path_factory: pytest.TempPathFactory,
    dozen: xr.Dataset,
    small_scenario: scenarios.Scenario,
    register: evidence.Register,
) -> Path:
    """The one real fit that all tests share: two chains on a dozen areas, saved as a run saves it.

    Test processes that run side by side wait for the first of them to fit. The next run of the tests uses it again
    if a run of the toolkit would, which is while data, priors, settings and the code of the model are the same.
    """
    alone = os.environ.get("PYTEST_XDIST_WORKER") is None
    cache = (tmp_path_factory.getbasetemp() if alone else tmp_path_factory.getbasetemp().parent) / "cache"
    kept = pytestconfig.cache.mkdir("fits")
    path = workflow.fit_path(dozen, resolve(small_scenario, register, dozen), cache=kept)
    with FileLock(cache.with_suffix(".lock")):
        workflow.fit(dozen, small_scenario, register, cache=kept)
        cache.mkdir(exist_ok=True)
        shutil.copy(path, cache)
    return cache


@pytest.fixture(scope="session")
def small_run(fit_cache: Path, dozen: xr.Dataset, small_scenario: scenarios.Scenario) -> workflow.Run:
    """A whole run for Leeds and Rutland on the shared fit."""
    return workflow.run(small_scenario, areas=[LEEDS, "E06000017"], cache=fit_cache, statistics=dozen)
