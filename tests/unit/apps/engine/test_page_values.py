"""The words of the headline tiles at the ends of what can be set."""

import pytest

from tests.conftest import LEEDS
from toolkit import scenarios
from toolkit.apps.engine import page_values

pytestmark = pytest.mark.fit


@pytest.fixture
def tiles(live, small_scenario):
    return lambda **changes: page_values.tiles(live.run(scenarios.change(small_scenario, **changes), (LEEDS,)))


def test_no_tile_has_an_empty_interval(tiles):
    for tile in tiles(effect={"take_up": 0.0}):
        assert not tile.beside.endswith("interval ") and "interval ;" not in tile.beside


@pytest.mark.parametrize(
    ("horizon", "said"), [(5, ["within 5"]), (10, ["within 10"]), (30, ["within 10", "within 30"])]
)
def test_no_year_beyond_the_last_is_named(tiles, horizon, said):
    beside = next(tile.beside for tile in tiles(horizon=horizon) if tile.key == "payback")
    assert [part.split(" years")[0].removeprefix("chance ") for part in beside.split(", ")] == said
