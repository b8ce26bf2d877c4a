import pytest

from tests.outlooks import small_outlook
from toolkit.apps.engine import outlooks
from toolkit.apps.engine.live import Live
from toolkit.apps.shell import Site


@pytest.fixture(scope="session")
def live(fit_cache, dozen, small_scenario):
    return Live(fit_cache, statistics=dozen, base=small_scenario)


@pytest.fixture
def site(live):
    return Site(live)


@pytest.fixture(autouse=True)
def asked(monkeypatch):
    """Forecasts without a fit; what was asked for, in order."""
    done = []

    def forecast(areas, *, baseline, **_):
        done.append((tuple(areas), baseline))
        return small_outlook(areas)

    monkeypatch.setattr(outlooks, "forecast", forecast)
    return done
