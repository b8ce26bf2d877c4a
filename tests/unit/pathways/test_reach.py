import pytest
import xarray as xr

from toolkit.pathways import eligible_children

AREA = xr.Dataset(
    {"children_in_need": 120.0, "children_in_need_starts": 150.0, "children_looked_after": 20.0, "care_starts": 8.0}
)
DRAWS = xr.Dataset({"care_edge_entry": ("draw", [0.3, 0.5])})


def test_children_in_need_outside_care_are_those_open_on_a_day_and_those_who_start() -> None:
    eligible = eligible_children("in_need", AREA, DRAWS)
    assert eligible is not None and float(eligible) == 120 - 20 + 150


@pytest.mark.parametrize("group", ["care_edge", "pre_proceedings"])
def test_children_in_proceedings_are_care_starts_over_the_share_who_enter_care(group: str) -> None:
    eligible = eligible_children(group, AREA, DRAWS)
    assert eligible is not None and float(eligible) == pytest.approx(8 / 0.4)


def test_children_of_other_groups_are_not_known() -> None:
    assert eligible_children("youth_justice", AREA, DRAWS) is None
