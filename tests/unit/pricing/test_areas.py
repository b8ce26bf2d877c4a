"""Areas worked through side by side: in their order, and the same in processes as in threads."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from tests.conftest import LEEDS
from toolkit import evidence, scenarios, workflow
from toolkit.pricing import areas as pricing
from toolkit.pricing import life_course
from toolkit.pricing.desk import Desk
from toolkit.resolved import resolve
from toolkit.schema import InputError


@pytest.mark.long
@pytest.mark.parametrize("processes", [False, True])
def test_parts_come_in_order_with_their_progress_and_a_failure_is_raised(processes: bool) -> None:
    said: list[tuple[str, float]] = []
    found = pricing.in_parallel(abs, [-3, -1, -2], "count", lambda *now: said.append(now), processes=processes)
    assert list(found) == [3, 1, 2]
    assert said == [("count", pytest.approx(share)) for share in (1 / 3, 2 / 3, 1.0)]
    with pytest.raises(InputError, match="no such number"):
        list(pricing.in_parallel(_refuse, [1, 2], "count", pricing.silent, processes=processes))


class Stopped(Exception):
    pass


def test_nothing_is_said_of_parts_that_nobody_waits_for_any_more(recwarn: pytest.WarningsRecorder) -> None:
    def enough(_: str, share: float) -> None:
        if share > 0.1:
            raise Stopped

    with pytest.raises(Stopped):
        list(pricing.in_parallel(abs, list(range(50)), "count", enough))
    assert not list(recwarn)


def _refuse(number: int) -> int:
    raise InputError(f"{number}: no such number. Fix: give another.")


@pytest.mark.long
@pytest.mark.fit
def test_many_areas_are_priced_in_processes_to_the_same_bits(
    fit_cache: Path,
    dozen: xr.Dataset,
    small_scenario: scenarios.Scenario,
    register: evidence.Register,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fitted = workflow.fit(dozen, small_scenario, register, cache=fit_cache)
    areas = [LEEDS, "E06000017", "E10000016"]
    resolved = resolve(small_scenario, register, dozen, areas=areas)
    draws = workflow.draw_figures(small_scenario, resolved.figures, register, like=fitted["posterior"].to_dataset())
    effects = workflow.draw_effects(resolved, draws)
    desk = Desk(fitted, dozen, resolved, draws, effects)
    monkeypatch.setattr(pricing, "MANY", 2)
    monkeypatch.setattr(pricing, "BATCH", 2)
    asked: list[bool] = []
    in_parallel = pricing.in_parallel

    def threads(*given: Any, processes: bool) -> Any:
        asked.append(processes)
        return in_parallel(*given, processes=False)

    def priced(by: Callable[..., Any]) -> tuple[xr.Dataset, xr.Dataset]:
        monkeypatch.setattr(pricing, "in_parallel", by)
        return pricing.price_areas(desk, areas=areas, summarise=life_course.lives)

    for beside, alone in zip(priced(in_parallel), priced(threads), strict=True):
        xr.testing.assert_identical(beside, alone)
    assert asked == [True]
    np.testing.assert_array_equal(pricing.price_areas(desk, areas=areas)[0]["area"], areas)


def test_no_areas_are_refused() -> None:
    with pytest.raises(InputError, match="no areas"):
        pricing.price_areas(None, areas=[])  # type: ignore[arg-type]
