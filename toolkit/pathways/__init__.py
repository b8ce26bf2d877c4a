"""From outcome rates to lives: who is reached, and what happens to children known to social care."""

from toolkit.pathways.cohort import QUANTITIES, Hazards, walk
from toolkit.pathways.lives import (
    adjustment_shares,
    comparator,
    cross_section,
    localise,
    per_child,
    project,
    strengths,
    with_effects,
)
from toolkit.pathways.reach import children_reached, families

__all__ = [
    "QUANTITIES",
    "Hazards",
    "adjustment_shares",
    "children_reached",
    "comparator",
    "cross_section",
    "families",
    "localise",
    "per_child",
    "project",
    "strengths",
    "walk",
    "with_effects",
]
