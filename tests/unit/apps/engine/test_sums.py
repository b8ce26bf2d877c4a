"""The sums of the main page where an answer lies on an edge."""

import numpy as np
import pytest

from toolkit.apps.engine.sums import Lines


@pytest.mark.parametrize(("gained", "chance"), [(np.nextafter(np.float32(0.3), np.float32(0)), 1.0), (0.2999, 0.0)])
@pytest.mark.parametrize("cut", [False, True])
def test_a_gain_that_is_the_cost_but_for_single_precision_has_paid_it_back(gained, chance, cut):
    running = np.full((1, 1, 1, 8), gained, np.float32)  # node, account, year, draw
    lines = Lines(running, running, running, running)
    assert lines.back(np.ones((1, 8), np.float32), np.array([0.3]), cut=cut).tolist() == [[chance]]
