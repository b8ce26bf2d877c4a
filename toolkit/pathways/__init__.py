"""From outcome rates to lives: who is reached, and what happens to children known to social care."""

from toolkit.pathways.cohort import CELLS, GROUPS, QUANTITIES, Hazards, Layers, Walked, walk
from toolkit.pathways.comparison import (
    COMPARATORS,
    adjustment_shares,
    comparator,
    cross_section,
    excess,
    in_need_peers,
    lived_years,
    never_in_need,
)
from toolkit.pathways.histories import looked_after_part, occupancy_rates
from toolkit.pathways.kernel import AGES, JUSTICE_AGE
from toolkit.pathways.layers import adult_rates, age_spread, child_rates, chosen, everyone_rates, whole_lives
from toolkit.pathways.lives import (
    Cohort,
    additional,
    additional_part,
    entry_ages,
    localise,
    per_child,
    project,
    with_effects,
)
from toolkit.pathways.reach import AT_THE_EDGE, eligible_children
from toolkit.pathways.settled import settled

CHILDHOOD_YEARS = AGES
JUSTICE_YEARS = AGES - JUSTICE_AGE

__all__ = [
    "AT_THE_EDGE",
    "CELLS",
    "CHILDHOOD_YEARS",
    "COMPARATORS",
    "GROUPS",
    "JUSTICE_YEARS",
    "QUANTITIES",
    "Cohort",
    "Hazards",
    "Layers",
    "Walked",
    "additional",
    "additional_part",
    "adjustment_shares",
    "adult_rates",
    "age_spread",
    "child_rates",
    "chosen",
    "comparator",
    "cross_section",
    "eligible_children",
    "entry_ages",
    "everyone_rates",
    "excess",
    "in_need_peers",
    "lived_years",
    "localise",
    "looked_after_part",
    "never_in_need",
    "occupancy_rates",
    "per_child",
    "project",
    "settled",
    "walk",
    "whole_lives",
    "with_effects",
]


def __dir__() -> list[str]:
    return __all__
