"""The sums of the main page where an answer lies on an edge."""

import numpy as np
import pytest

from toolkit.apps.engine.sums import Lines


@pytest.mark.parametrize(("gained", "chance"), [(np.nextafter(np.float32(0.3), np.float32(0)), 1.0), (0.2999, 0.0)])
@pytest.mark.parametrize("cut", [False, True])
def test_a_gain_that_is_the_cost_but_for_single_precision_has_paid_it_back(gained, chance, cut):
    running = np.full((1, 1, 8), gained, np.float32)  # account, year, draw
    lines = Lines(running, running, running, running)
    assert lines.back(np.float32(1.0), np.array([[0.3]]), cut=cut).tolist() == [[chance]]


def test_a_cost_that_differs_between_draws_is_paid_back_draw_by_draw():
    running = np.full((1, 1, 8), 1.0, np.float32)
    lines, cost = Lines(running, running, running, running), np.linspace(0.25, 2.0, 8)[None, :]  # half are 1 or less
    assert lines.back(np.float32(1.0), cost, cut=False).tolist() == [[0.5]]
    assert lines.back(np.float32(2.0), cost, cut=False).tolist() == [[1.0]]
