"""What people read: the report, the workbook, the headline and the figures of a finished run."""

from toolkit.measures.headline import headline, headline_rows, headline_sentence, place, summary
from toolkit.report.figures import (
    plot_annual_cost,
    plot_break_even,
    plot_cost_by_outcome,
    plot_cost_by_payer,
    plot_council_cash,
    plot_effects,
    plot_payback,
    plot_spend_cost_curve,
    plot_who_pays,
)
from toolkit.report.lives_figures import (
    plot_by_history,
    plot_cost_by_age,
    plot_cost_steps,
    plot_curve_by_payer,
    plot_neighbours,
    plot_occupancy,
    plot_waterfall,
)
from toolkit.report.outputs import folder_name, write_all

__all__ = [
    "folder_name",
    "headline",
    "headline_rows",
    "headline_sentence",
    "place",
    "plot_annual_cost",
    "plot_break_even",
    "plot_by_history",
    "plot_cost_by_age",
    "plot_cost_by_outcome",
    "plot_cost_by_payer",
    "plot_cost_steps",
    "plot_council_cash",
    "plot_curve_by_payer",
    "plot_effects",
    "plot_neighbours",
    "plot_occupancy",
    "plot_payback",
    "plot_spend_cost_curve",
    "plot_waterfall",
    "plot_who_pays",
    "summary",
    "write_all",
]


def __dir__() -> list[str]:
    return __all__
