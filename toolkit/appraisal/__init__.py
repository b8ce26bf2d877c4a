"""From costs and effects to a decision: plain functions on labelled arrays, usable with any draws."""

from toolkit.appraisal.accounts import account_total, appraise, cashable_savings, value_and_payback
from toolkit.appraisal.bridge import bridge
from toolkit.appraisal.decision import (
    acceptability_curve,
    acceptability_frontier,
    certainty_equivalent,
    decision_curves,
    evpi,
    expected_loss,
    icers,
    net_benefit,
    probability_best,
)
from toolkit.appraisal.discounting import (
    discount_factors,
    equivalent_annual_value,
    factors_by_kind,
    internal_rate_of_return,
    schedule_names,
)
from toolkit.appraisal.distribution import (
    distributional_weights,
    medium_term_view,
    per_child_and_family,
    weighted,
)
from toolkit.appraisal.portfolio import allocate
from toolkit.appraisal.present_values import (
    benefit_cost_ratio,
    cash_prices,
    discounted,
    marginal_value_of_public_funds,
    net_present_social_value,
    payback_year,
    present_value,
    probability_paid_back,
    summarise,
)
from toolkit.appraisal.sensitivity import contrast, sobol, sobol_of_model, switching_values, tornado, two_way
from toolkit.appraisal.value_of_information import evppi, evppi_of_category, evsi, population_value

__all__ = [
    "acceptability_curve",
    "acceptability_frontier",
    "account_total",
    "allocate",
    "appraise",
    "benefit_cost_ratio",
    "bridge",
    "cash_prices",
    "cashable_savings",
    "certainty_equivalent",
    "contrast",
    "decision_curves",
    "discount_factors",
    "discounted",
    "distributional_weights",
    "equivalent_annual_value",
    "evpi",
    "evppi",
    "evppi_of_category",
    "evsi",
    "expected_loss",
    "factors_by_kind",
    "icers",
    "internal_rate_of_return",
    "marginal_value_of_public_funds",
    "medium_term_view",
    "net_benefit",
    "net_present_social_value",
    "payback_year",
    "per_child_and_family",
    "population_value",
    "present_value",
    "probability_best",
    "probability_paid_back",
    "schedule_names",
    "sobol",
    "sobol_of_model",
    "summarise",
    "switching_values",
    "tornado",
    "two_way",
    "value_and_payback",
    "weighted",
]


def __dir__() -> list[str]:
    return __all__
