"""From outcome rates to lives: who is reached, and what happens to children known to social care."""

from toolkit.pathways.cohort import AGES, CELLS, GROUPS, JUSTICE_AGE, QUANTITIES, Hazards, Layers, Walked, walk
from toolkit.pathways.lives import (
    additional,
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

CHILDHOOD_YEARS = AGES
JUSTICE_YEARS = AGES - JUSTICE_AGE

__all__ = [
    "CELLS",
    "CHILDHOOD_YEARS",
    "GROUPS",
    "JUSTICE_YEARS",
    "QUANTITIES",
    "Hazards",
    "Layers",
    "Walked",
    "additional",
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
