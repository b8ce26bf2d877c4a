"""Every table of a run, computed once for both the report and the workbook."""

from toolkit.measures import headline, plan, provenance, reliability, structures, studies, tables
from toolkit.measures.analysis import Analysis
from toolkit.measures.cost_steps import steps_tables
from toolkit.measures.decision_tables import decision_tables
from toolkit.measures.lives import lives_tables
from toolkit.measures.programme_tables import programme_tables
from toolkit.measures.quantities import Run
from toolkit.measures.rates import rates_table
from toolkit.measures.tables import Table
from toolkit.schema import ACCOUNTS


def every_table(run: Run, analysis: Analysis) -> dict[str, Table]:
    """Return the tables by the names that the report's template and the workbook's sheets call them."""
    by_name = {
        "answer": headline.headline_table(run),
        "plan": plan.plan_table(run),
        "settings": provenance.settings(run),
        "areas": tables.areas(run),
        "rates": rates_table(run),
        "avoided": tables.avoided_by_outcome(run),
        "avoided_by_payer": tables.avoided_by_outcome_and_payer(run),
        "who_pays": tables.who_pays(run),
        "payback": tables.payback(run),
        "payback_every_year": tables.payback_every_year(run),
        "council_cash": tables.council_cash(run),
        "cash_by_payer": tables.cash_by_payer(run),
        "yearly": tables.yearly(run),
        "curve_by_payer": tables.curve_by_payer(run),
        "marginal": tables.marginal(run),
        "switching": tables.switching(run),
        "effects": tables.effects(run),
        "assumptions": provenance.assumptions(run),
        "checks": provenance.checks(run),
        "failures": provenance.failures(run),
        "record": provenance.record(run),
        "excluded": provenance.excluded(run),
        "timings": provenance.timings(run),
        **lives_tables(run),
        "structures": structures.structures_table(run),
        "pooled": studies.studies(run),
        **reliability.reliability(),
        **{f"steps_{walk}": table for walk, table in steps_tables().items()},
        **decision_tables(run, analysis),
        **programme_tables(run),
    }
    for dim in ("outcome", "payer"):
        by_name[f"lifetime_by_{dim}"] = tables.lifetime_cost(run, dim)
        by_name[f"each_child_by_{dim}"] = tables.lifetime_cost(run, dim, each_child=True)
        by_name[f"annual_by_{dim}"] = tables.annual_cost(run, dim)
    return by_name | {f"curve_{account}": tables.spend_cost_curve(run, account) for account in ACCOUNTS}
