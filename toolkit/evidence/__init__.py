"""Cited figures and published statistics: loaded, checked, and turned into draws."""

from toolkit.evidence.added import with_indicator
from toolkit.evidence.areas import (
    NAMED,
    and_parts,
    boundary_notes,
    members,
    neighbours,
    of_areas,
    place_name,
    reference_areas,
    resolve_areas,
    whole_of,
)
from toolkit.evidence.care_panel import care_panel
from toolkit.evidence.cost_options import check_options, with_options
from toolkit.evidence.history import user
from toolkit.evidence.local import base_year, local_levels, local_price_ratio, with_fitted
from toolkit.evidence.own import OWN, own_figures, own_rows, published, with_own, with_own_prices
from toolkit.evidence.own_programmes import with_own_programmes, with_programme
from toolkit.evidence.placements import placement_prices, placement_shares
from toolkit.evidence.priors import changeable_priors, check_prior, with_priors
from toolkit.evidence.reference_comparison import (
    Comparison,
    accept_reference,
    check_reason,
    compare_reference,
    put_beside,
)
from toolkit.evidence.reference_versions import outdated, write_reference
from toolkit.evidence.register import Register, load_register, show
from toolkit.evidence.sampling import ALSO_FIGURES, described, sample, with_pathway
from toolkit.evidence.statistics import lagged_log_spend, load_statistics, with_parts
from toolkit.evidence.structures import STRUCTURES, Weights, read_weights, structure_weights
from toolkit.evidence.tables import checksums, load_table, seal, unsealed
from toolkit.evidence.unaccompanied import published_care, steady_stock, unaccompanied, without_unaccompanied

__all__ = [
    "ALSO_FIGURES",
    "NAMED",
    "OWN",
    "STRUCTURES",
    "Comparison",
    "Register",
    "Weights",
    "accept_reference",
    "and_parts",
    "base_year",
    "boundary_notes",
    "care_panel",
    "changeable_priors",
    "check_options",
    "check_prior",
    "check_reason",
    "checksums",
    "compare_reference",
    "described",
    "lagged_log_spend",
    "load_register",
    "load_statistics",
    "load_table",
    "local_levels",
    "local_price_ratio",
    "members",
    "neighbours",
    "of_areas",
    "outdated",
    "own_figures",
    "own_rows",
    "place_name",
    "placement_prices",
    "placement_shares",
    "published",
    "published_care",
    "put_beside",
    "read_weights",
    "reference_areas",
    "resolve_areas",
    "sample",
    "seal",
    "show",
    "steady_stock",
    "structure_weights",
    "unaccompanied",
    "unsealed",
    "user",
    "whole_of",
    "with_fitted",
    "with_indicator",
    "with_options",
    "with_own",
    "with_own_prices",
    "with_own_programmes",
    "with_parts",
    "with_pathway",
    "with_priors",
    "with_programme",
    "without_unaccompanied",
    "write_reference",
]


def __dir__() -> list[str]:
    return __all__
