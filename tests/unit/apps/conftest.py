import pytest

from toolkit.apps.engine.live import Live
from toolkit.apps.shell import Site


@pytest.fixture(scope="session")
def live(fit_cache, dozen, small_scenario):
    return Live(fit_cache, statistics=dozen, base=small_scenario)


@pytest.fixture
def site(live):
    return Site(live)
