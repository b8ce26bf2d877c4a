"""What each table in ``data/`` holds: its columns, what they may contain, and the rules across them.

A column of one name means the same in every table, so meanings stand once, in the sets below.
"""

import re
from collections.abc import Callable, Collection
from functools import partial
from typing import Any

import pandas as pd
import pandera.pandas as pa

from toolkit.evidence.ranges import RANGES, of_unit
from toolkit.schema import ACCOUNTS, CANNOT_BE_DETERMINED, MCSE, PAYERS, InputError


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _layouts(text: str) -> dict[str, str]:
    """Columns by table (its path within data/, without the suffix)."""
    text = text.replace("INTERVAL", "value low high interval_kind interval_level interval_note")
    text = text.replace("SOURCE", "source_title source_publisher source_year")
    columns = "model parameter pool replications coverage_50± coverage_90± distance± p_value verdict seed settings"
    text = text.replace("CALIBRATION", columns)
    text = re.sub(r"(\w+)±", rf"\1 \1{MCSE}", text)
    parts = re.split(r"(\S+):\s", text)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


PANELS, PANEL_KEY = "statistics/panel_", ["measure", "la_code", "year"]
PANEL = "la_code year measure value numerator denominator marker source_id"
TABLES = _layouts(
    """
    vocabulary: kind source_name our_name note
    evidence/unit_costs: id outcome description INTERVAL unit price_year bearer payer cost_type price_category
      confidence SOURCE source_locator source_url retrieved_via note superseded_by
    evidence/economic_parameters: id parameter description INTERVAL unit period_from period_to price_year
      vintage confidence SOURCE source_locator source_url retrieved_via note superseded_by
    evidence/published_totals: id metric INTERVAL unit price_year year scope confidence SOURCE source_url
      retrieved_via note superseded_by
    evidence/effects: id programme programme_family country population design outcome follow_up_months measure
      INTERVAL se unit n_treated n_control treated_rate control_rate quality cost_per_case cost_price_year
      do_not_pool poolable confidence SOURCE source_url note superseded_by
    evidence/programmes: programme label programme_type description target_group ages_from ages_to unit_served
      children_per_unit evidence_summary security not_known source_note
    evidence/programme_costs: programme cost_id used INTERVAL unit price_year full_or_grant SOURCE source_url
      confidence note
    evidence/programme_effects: programme effect_id outcome used why_not estimand take_up_low take_up_high scale
      est se se_basis se_factor own_bias_sd finding low high interval_level follow_up_months measured_at_age
      control_risk control_risk_horizon_months design country n_treated n_control developer_led evaluation
      shared_control_note SOURCE source_url confidence note
    evidence/baseline_risks: programme outcome used from_months horizon_months risk low high population SOURCE
      source_url confidence note
    evidence/prevalence: id outcome indicator group age_or_period year value unit numerator denominator
      confidence SOURCE source_url note superseded_by
    evidence/transitions: id from_state to_state measure value unit horizon_months population year n derived
      confidence SOURCE source_url note superseded_by
    evidence/adjustment: id outcome group raw_gap adjusted_gap remaining_share quantity INTERVAL unit method
      population confidence SOURCE source_url note superseded_by
    evidence/judgements: id parameter description INTERVAL unit price_year confidence reason derived_from
      SOURCE source_locator source_url note superseded_by
    evidence/unaccompanied_moved: la_code value unit confidence SOURCE source_url note
    evidence/graded_uncertainty: grade coefficient_of_variation price_year_older_than reason
    evidence/design_bias: design scale mean sd admitted_by_default reason
    evidence/structure_weights: structure choice weight reason
    evidence/priors: model parameter distribution arg1 arg2 reason source
    evidence/pathway_figures: figure output scale error fitted reason
    evidence/roles: role id distribution unit reason
    evidence/cost_components: component quantity outcome payer account price_role times_role share_role
      share_complement growth_role local_price local_share transfer_to cashability lag_years discounting spread_from
      spread_to spread_basis spread_schedule contains reason
    evidence/layers: layer stage rate_is outcome unit from_age full_to_age to_age given odds_below_grade share_role
      in_use reason
    evidence/layer_rates: layer group role times_role local reason
    evidence/overlaps: tag rule reason
    evidence/cost_options: option component use reason
    evidence/totals_compared: id ours_is reading account select_by selected per alike reason
    evidence/cost_pools: pool id reason
    evidence/cost_changes: walk step acts changes row column becomes reason
    evidence/discount_schedules: schedule from_year to_year rate vintage source confidence note
    statistics/measures: measure theme unit year_type first_year last_year n_las n_rows n_values n_suppressed
      has_numerator has_denominator sources note
    statistics/national: geography area year year_type measure value numerator denominator unit source_id note
    statistics/reference_areas: la_code dfe_la_number la_name region london_subregion_or_region status
      successor_dfe_codes first_year_april earlier_or_other_codes la_type stable_area in_fit
    statistics/indicators: indicator measure first_year last_year marker hidden_up_to missing_from most_each reason
    statistics/statistical_neighbours: la_code dfe_la_number la_name rank neighbour_la_code
      neighbour_dfe_la_number neighbour_la_name closeness model
    reference/modelled_figures: id outcome description INTERVAL unit price_year payer price_category confidence
      SOURCE source_locator source_url made_from settings note superseded_by
    reference/placement_prices: area placement base_year log_ratio± log_ratio_sd± price± low± high± seed settings
    reference/pathway_parameters: parameter scale mean± sd± low± high± seed settings
    reference/pathway_correlations: parameter other correlation±
    reference/pathway_checks: figure output fitted published mean± expected_low± expected_high± p_value± verdict seed
    reference/calibration_small_models: CALIBRATION
    reference/calibration_programmes: CALIBRATION
    reference/calibration_outcomes: CALIBRATION
    reference/calibration_spend_error: CALIBRATION
    reference/calibration_placement_prices: CALIBRATION
    reference/calibration_pathway: CALIBRATION
    reference/power_scaling: indicator parameter prior± likelihood± noise± prior_ratio± diagnosis converged
      seed settings versions
    reference/spend_error: indicator spending mean± sd± low± high± reliability converged seed settings
    reference/predictive_checks: indicator size check cells value± expected_low± expected_high± verdict converged
      seed settings versions
    reference/backtest: indicator part forecast cells crps± coverage_90± model_ratio± model_ratio_se± model_is
      events_model_ratio± events_model_ratio_se± events_model_is last_year converged seed settings versions
    reference/outlook_backtest: quantity last_year part forecast used cells crps± coverage_50± coverage_90± model_ratio±
      model_ratio_se± model_is children_model_ratio± children_model_ratio_se± children_model_is converged seed settings
    reference/made_from: made command code data code_hash data_hash reason
    reference/reconciliation: id metric published unit price_year ours± low± high± ratio± alike reason seed settings
    reference/own_care: area label quantity published ours± ratio± verdict note seed settings
    reference/cost_steps: walk step contribution± low± high± result± result_low± result_high± price_base reason seed
      settings
    statistics/sources: source_id title publisher year_edition licence url retrieved_via remark
    """
)
UNIQUE = {  # the columns that identify a row, where that is not its id
    "evidence/programmes": "programme",
    "evidence/programme_costs": "cost_id",
    "evidence/programme_effects": "effect_id",
    "evidence/baseline_risks": "programme outcome population",
    "evidence/unaccompanied_moved": "la_code",
    "evidence/graded_uncertainty": "grade",
    "evidence/design_bias": "design scale",
    "evidence/structure_weights": "structure choice",
    "evidence/priors": "model parameter",
    "evidence/pathway_figures": "figure",
    "evidence/roles": "role",
    "evidence/cost_components": "component",
    "evidence/layers": "layer",
    "evidence/layer_rates": "layer group",
    "evidence/overlaps": "tag",
    "evidence/cost_options": "option component",
    "evidence/cost_pools": "pool id",
    "evidence/discount_schedules": "schedule from_year",
    "evidence/cost_changes": "walk step changes row column",
    "reference/cost_steps": "walk step",
    "reference/placement_prices": "area placement",
    "reference/pathway_parameters": "parameter",
    "reference/pathway_correlations": "parameter other",
    "reference/pathway_checks": "figure",
    "reference/power_scaling": "indicator parameter",
    "reference/spend_error": "indicator spending",
    "reference/predictive_checks": "indicator size check",
    "reference/backtest": "indicator part forecast",
    "reference/outlook_backtest": "quantity last_year part forecast",
    "reference/made_from": "made",
    "reference/own_care": "area quantity",
    "statistics/measures": "measure",
    "statistics/national": "geography area year year_type measure",
    "statistics/reference_areas": "la_code",
    "statistics/indicators": "indicator",
    "statistics/statistical_neighbours": "la_code rank",
    "statistics/sources": "source_id",
    "vocabulary": "kind source_name our_name",
    **{name: "model parameter pool" for name in TABLES if "calibration" in name},
}
NUMBERS = _words(
    """
    value low high interval_level se est own_bias_sd from_months follow_up_months n_treated n_control
    treated_rate control_rate cost_per_case numerator denominator horizon_months
    n raw_gap adjusted_gap remaining_share arg1 arg2 to_year first_year_april ours ratio hidden_up_to missing_from
    children_per_unit take_up_low take_up_high measured_at_age control_risk control_risk_horizon_months risk
    """
)
NEEDED_NUMBERS = _words(
    """
    mean sd coefficient_of_variation price_year_older_than rate log_ratio log_ratio_sd price coverage_50
    coverage_90 p_value expected_low expected_high crps model_ratio model_ratio_se
    events_model_ratio events_model_ratio_se children_model_ratio children_model_ratio_se
    error published correlation prior likelihood noise prior_ratio
    reliability most_each distance se_factor weight contribution result result_low result_high
    """
)
WHOLE = _words(
    """
    poolable admitted_by_default quality derived lag_years spread_from spread_to from_year
    first_year last_year n_las n_rows n_values n_suppressed has_numerator has_denominator dfe_la_number
    rank neighbour_dfe_la_number base_year seed replications cells converged from_age full_to_age to_age
    in_use fitted in_fit used security ages_from ages_to
    """
)
NEEDED_TEXT = _words(
    """
    id role component layer tag pool grade design scale schedule model parameter distribution description metric
    programme reason measure la_code la_name region status stable_area unit source_id our_name
    source_name theme figure output made command code data indicator label evidence_summary not_known source_note
    cost_id effect_id evaluation structure choice walk step row
    """
)
BLANK_UNIT = {"evidence/adjustment", "evidence/cost_components"}  # a row without a usable value has no unit
MOST_CHOICES = 8  # named in a message
INTERVAL_KINDS = ("", "confidence", "range", "between_area")
CHOICES: dict[str, Collection[str]] = {
    "confidence": ("A", "B", "C", "J"),
    "payer": PAYERS,
    "account": ACCOUNTS,
    "interval_kind": INTERVAL_KINDS,
    "price_category": ("residential", "foster", "looked_after", "social_work", "other"),
    "kind": ("outcome", "payer", "measure"),
    "stage": ("child", "adult"),
    "rate_is": ("per_year", "ever"),
    "alike": ("full", "part", "no"),
    "ours_is": ("", "annual", "lifetime", "by_history", "history_share", "bcr", "role"),
    "reading": ("", "gross", "excess", "excess_never"),
    "acts": ("before", "after"),
    "changes": ("roles", "cost_components", "layers", "setting", "draws", "reading", "total"),
    "select_by": ("", "component", "outcome", "payer"),
    "full_or_grant": ("full", "marginal", "grant", "saving"),
    "unit_served": ("family", "child", "parent", "authority"),
    "estimand": ("per_served", "school_itt", "area_itt", "per_spend"),
    "developer_led": ("yes", "no"),
    "programme_type": _words("""keyworker intensive_family system_practice care_support conference adolescent_therapy
        early_years parenting school court universal_place youth_justice workforce"""),
    "target_group": _words("""in_need care_edge pre_proceedings youth_justice pregnancy_early_years universal school_age
        looked_after"""),
    "per": ("", "total", "child"),
    "given": ("", "grade", "justice", "lifetime"),
    "rule": ("once", "apart", "given_grade", "given_justice", "never"),
    "use": ("on", "off"),
    "spread_basis": ("sum", "present_value", "ages"),
    "verdict": ("passed", "failed", CANNOT_BE_DETERMINED),
}
PATTERNS = {
    "price_year": (r"|\d{4}(/\d\d)?", "2013/14 or 2015"),
    "la_code": (r"[A-Z]\d{8}", "E08000035"),
    "id": (r"[\w.:-]+", "letters, digits, . : - and _"),
}
MEANINGS = {  # of columns whose name does not say it
    "confidence": "A seen in the source, B quoted or derived, C from memory (only by name), J our judgement",
    "interval_kind": "what low and high are; between_area: a spread of councils, not doubt about the mean",
    "interval_level": "share of belief or of cases between low and high",
    "price_year": "financial (2013/14) or calendar (2015) year whose prices the money is in",
    "superseded_by": "id of the row to use instead; this one stands for the record only",
    "marker": "why a cell has no value: c small number, x not available, z not applicable, u unreliable, low",
    "do_not_pool": "rows that share this name must not be pooled together",
    "poolable": "0: never pooled with programmes",
    "quantity": "which column of the row value, low and high are",
    "expected_low": "least value of a check that a right model would show in 99 cases of 100, cells independent",
    "acts": "before: until the step, after: from the step on, a cost is computed with this change",
    "becomes": "what the cell, setting or draws become; a row without a column is left out",
    "alike": "full: of the same scope but for year and place; part: of a narrower or wider one; no: cannot be compared",
    "rate_is": "per_year: a share in each year of the ages; ever: reached at some time within them",
    "given": "grade: net of what the grade at 16 explains; justice: of those who never entered youth justice; "
    "lifetime: in the cost of a life, but no programme is taken to change it",
    "role": "of a figure; of a layer's rate also always (1) or never (0)",
    "times_role": "role of a figure that multiplies, such as years for each event",
    "transfer_to": "who receives a transfer: it leaves the economic account at 0",
    "local_share": "the area's share of the price, of those that divide it between components",
    "rule": "of an overlap: how the components that hold the tag are kept apart; never: none may",
    "reliability": "share of the movements of returned spending within areas that is not passing error",
    "verdict": f"{CANNOT_BE_DETERMINED}: within two Monte Carlo errors of its threshold (one, of a calibration)",
    "distance": "largest gap between the ranks' distribution and an even one (Kolmogorov and Smirnov's)",
    "crps": "continuous ranked probability score of the rate, per cent of the mean rate; less is better",
    "model_ratio": "the outcome model's crps over this forecast's; above 1 the model is worse",
    "model_ratio_se": "standard error over areas: what a whole year does to all areas at once is not in it",
    "code": "modules of the package, with all that these import, that make the table",
    "data": "tables that it is made from; statistics: all of that folder; priors:pathway: the priors of one model",
    "code_hash": "SHA-256, the first 16 digits, of that code when the table was made; blank: not recorded",
    "data_hash": "the same of that data",
    "hidden_up_to": "largest count that is withheld: a withheld one lies between 0 and it",
    "missing_from": "expected count from which a blank is a missing return, not a hidden count",
    "most_each": "most that one of those counted out of can add",
    "in_fit": "0: predicted from its region, spend and deprivation only (few children, extreme spend)",
    "programme": "id of a programme, one for all tables about programmes; in effects its name as the source gives it",
    "children_per_unit": "children in a unit served; blank: not known; 0: the programme prevents births",
    "security": "how secure the evidence is, a judgement: from 0 (no study of its effect) to 5 (a large trial)",
    "not_known": "what is not known about the programme",
    "used": "1: used unless a scenario says otherwise; never more than one for the same use",
    "why_not": "why a row is not used; blank where it is",
    "full_or_grant": "full: all public money; grant: one payer's part; marginal: above usual care; saving: a claim",
    "estimand": "whom the effect is of: those served, all of a school or an area, or a unit of log spend",
    "take_up_low": "least share of the school or area that took part; blank: not published, or of those served",
    "take_up_high": "largest share that took part",
    "se_factor": "what the standard error is multiplied by, where siblings were counted as independent",
    "from_months": "months from which events count, where a risk is of a window and not of all since contact",
    "own_bias_sd": "a wider standard deviation of bias than the design's, of a proxy measured years before",
    "finding": "what is known of a result without a number: its direction, or that it was not significant",
    "measured_at_age": "age at which the outcome was measured, where that was fixed",
    "control_risk": "share with the outcome without the programme; blank: not seen, so a risk ratio is read as a "
    "hazard ratio, its bound at low risk",
    "evaluation": "studies of one evaluation share its controls and its bias",
    "retrieved_via": "the public copy in which the source was read",
}
BESIDE = "|"  # separates column and message in the error of a rule over whole rows

Rule = tuple[str, set[str], Callable[[pd.DataFrame], Any], str]


def _in_order(table: pd.DataFrame) -> Any:
    low, high, value = table["low"], table["high"], table["value"]
    return ~((low > high) | (low > value) | (value > high)) | (low.isna() | high.isna())


BEYOND = "is not a value that its unit can have. Fix: check the decimal point and the unit"
REPEATED = "repeats the {} of an earlier row. Fix: give each row its own"
RULES: list[Rule] = [
    (
        "interval_level",
        {"low", "high", "interval_level"},
        lambda t: t["low"].isna() | t["high"].isna() | t["interval_level"].between(0, 1, inclusive="right"),
        "an interval without a level between 0 and 1. Fix: say what share lies between low and high",
    ),
    (
        "interval_kind",
        {"low", "high", "interval_kind"},
        lambda t: (t["interval_kind"] != "") == (t["low"].notna() & t["high"].notna()),
        "a kind of interval goes with both bounds, and only then. Fix: give all three, or leave kind blank",
    ),
    ("value", {"low", "high", "value"}, _in_order, "low, value and high do not rise. Fix: see the source"),
    (
        "superseded_by",
        {"superseded_by", "id"},
        lambda t: t["superseded_by"].isin(["", *t["id"]]),
        "superseded by an id that this table does not hold. Fix: name an existing id, or leave it blank",
    ),
]


def _column(name: str, table: str, outcomes: Collection[str]) -> pa.Column:
    if name == "year":
        whole = table.startswith("statistics/")
        return pa.Column(int, _within("first_year"), coerce=True) if whole else pa.Column(str, coerce=True)
    if name in NUMBERS or name in NEEDED_NUMBERS or name.endswith(MCSE):
        return pa.Column(float, _within(name), nullable=name not in NEEDED_NUMBERS, coerce=True)
    if name in WHOLE:
        return pa.Column(int, _within(name), coerce=True)
    checks = []
    choices = outcomes if name == "outcome" else CHOICES.get(name)
    if choices is not None:
        names = sorted(set(choices) - {""})
        known = ", ".join(names[:MOST_CHOICES])
        known += f" and {len(names) - MOST_CHOICES} more" if len(names) > MOST_CHOICES else ""
        checks.append(pa.Check.isin(choices, error=f"is not one of {known}. Fix: use one of these"))
    if name in PATTERNS:
        pattern, looks = PATTERNS[name]
        checks.append(pa.Check.str_matches(f"^({pattern})$", error=f"has another form. Fix: write {looks}"))
    if name in NEEDED_TEXT and not (name == "unit" and table in BLANK_UNIT):
        checks.append(pa.Check.str_length(min_value=1, error="is blank. Fix: fill it in"))
    return pa.Column(str, checks=checks)


def _within(name: str) -> pa.Check:
    low, high = RANGES[name.removesuffix(MCSE)]
    low = 0.0 if name.endswith(MCSE) else low  # a Monte Carlo error is as large as what it is of, at most
    fix = "divide a percentage by 100" if (low, high) == (0, 1) else "check the decimal point"
    return pa.Check.in_range(low, high, error=f"is not from {low:g} to {high:g}. Fix: {fix}")


def key(name: str) -> list[str]:
    """Return the columns that identify the rows of a table."""
    return PANEL_KEY if name.startswith(PANELS) else UNIQUE.get(name, "id").split()


def _rule(column: str, check: Callable[[pd.DataFrame], Any], message: str) -> pa.Check:
    return pa.Check(check, error=f"{column}{BESIDE}{message}")


def schema(name: str, *, outcomes: Collection[str]) -> pa.DataFrameSchema:
    """Return the pandera schema of one table.

    Parameters
    ----------
    name
        Path within ``data/`` without its suffix, such as "evidence/unit_costs".
    outcomes
        Outcome names of the vocabulary.

    Raises
    ------
    InputError
        If no table of that name is known.
    """
    spec = PANEL if name.startswith(PANELS) else TABLES.get(name)
    if spec is None:
        raise InputError(f"data/{name}.csv: no layout for this table.", fix="add one to toolkit/evidence/layouts.py.")
    columns = {column: _column(column, name, outcomes) for column in spec.split()}
    rules = [_rule(column, check, message) for column, needs, check, message in RULES if needs <= set(columns)]
    if "unit" in columns or spec == PANEL:
        rules += [
            _rule(name, partial(of_unit, column=name), BEYOND) for name in ("value", "low", "high") if name in columns
        ]
    keys = key(name)
    rules.append(_rule(keys[-1], lambda table: ~table.duplicated(keys), REPEATED.format(", ".join(keys))))
    return pa.DataFrameSchema(columns, checks=rules, strict=True)
