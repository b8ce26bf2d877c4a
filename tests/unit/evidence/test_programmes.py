"""Rules across the tables of evidence by programme: each refuses a change that nothing else would notice."""

import math
from collections.abc import Mapping

import pandas as pd
import pandera.pandas as pa
import pytest

from toolkit import evidence
from toolkit.evidence.layouts import schema
from toolkit.evidence.programmes import ENGLAND, PER_CHILD, check_programmes
from toolkit.schema import InputError

KEYS = {
    "programmes": "programme",
    "programme_costs": "cost_id",
    "programme_effects": "effect_id",
    "baseline_risks": "population",
}
Tables = Mapping[str, pd.DataFrame]


@pytest.fixture(scope="module")
def tables() -> Tables:
    return {name: evidence.load_table(name) for name in (*KEYS, "design_bias")}


def changed(tables: Tables, name: str, row: str, change: Mapping[str, object]) -> dict[str, pd.DataFrame]:
    """Return the tables with other cells in one row."""
    table = tables[name].astype(object)
    at = table[KEYS[name]] == row
    assert at.sum() == 1, row
    for column, value in change.items():
        assert column in table
        table.loc[at, column] = value
    return {**tables, name: table.infer_objects()}


def test_the_shipped_tables_keep_every_rule(tables: Tables) -> None:
    check_programmes(tables)
    register = evidence.load_register()
    for name in KEYS:
        assert register.tables[name].equals(tables[name])


USE = {"used": 1, "why_not": ""}
REFUSED = [  # table, row, other cells, what the message says
    ("programme_costs", "fdac_case", {"programme": "fdac"}, "no programme 'fdac'"),
    ("programme_costs", "fdac_case", {"programme": ENGLAND}, "no programme 'england'"),
    ("programme_effects", "TF2_LAC", {"programme": "troubled"}, "no programme 'troubled'"),
    ("baseline_risks", "Usual", {"programme": "fnp"}, "no programme 'fnp'"),
    ("programmes", "pause", {"ages_from": 3}, "ages from 3 to 1"),
    ("programme_costs", "yc_payment", {"value": -1.0}, "a grant cost below 0"),
    ("programme_costs", "swis_per_school", {"low": -1.0}, "a full cost below 0"),
    ("programme_costs", "fdac_case", {"confidence": "C"}, "from memory only"),
    ("programme_costs", "sos_eip2", {"used": 1}, "'GBP per authority per year' cannot be converted"),
    ("programme_costs", "hfa_wsipp", {"used": 1}, "'USD per family' cannot be converted"),
    ("programme_costs", "fdac_case", {"value": math.nan}, "used, but without a value"),
    ("programme_costs", "fdac_case", {"full_or_grant": "saving"}, "a saving is a claim"),
    ("programme_costs", "fdac_case", {"full_or_grant": "grant"}, "a grant is used where a full"),
    (
        "programme_costs",
        "tf1_exemplar_5493",
        {"used": 1},
        r"row \d+ \(tf1_exemplar_5214\) and row \d+ \(tf1_exemplar_5493\): both used for programme 'supp",
    ),
    ("programme_effects", "TF2_LAC", {"scale": "log_riks"}, "unknown scale 'log_riks'"),
    ("programme_effects", "TF2_LAC", {"design": "matched"}, "unknown design 'matched'"),
    ("programme_effects", "TF2_LAC", {"se_basis": "guess"}, "unknown se_basis 'guess'"),
    ("programme_effects", "SWIS_CARE", {"finding": "promising"}, "unknown finding 'promising'"),
    ("programme_effects", "SS_5GCSE25", {"take_up_low": 0.5}, r"take-up from 0\.5 to 0\.475"),
    ("programme_effects", "SS_5GCSE25", {"take_up_high": math.nan}, "take-up from 0.425 to nan"),
    ("programme_effects", "SWIS_CARE", {"se": 0.1}, "a standard error without an estimate"),
    ("programme_effects", "TF2_LAC", {"se_basis": ""}, "an estimate whose se_basis is blank"),
    ("programme_effects", "TF2_LAC", {"finding": "benefit"}, "a finding beside a number"),
    ("programme_effects", "TF2_LAC", {"used": 0}, "why_not goes with rows that are not used"),
    ("programme_effects", "TF2_LAC", {"why_not": "a reason"}, "why_not goes with rows that are not used"),
    ("programme_effects", "CREWE_REREF", USE, "from memory only"),
    ("programme_effects", "TF2_CPP", USE, "no effect on 'child_protection' is modelled"),
    ("programme_effects", "TF2_LAC", {"se": math.nan}, "its number has no standard error"),
    ("programme_effects", "SWIS_CARE", {"finding": ""}, "neither a number nor a finding"),
    ("programme_effects", "START_CONV60", {"control_risk": math.nan}, "a log_odds means nothing without"),
    ("programme_effects", "SAFE_OFF", {"control_risk": math.nan}, "a log_odds means nothing without"),
    ("programme_effects", "START_CONV60", {"se": 0.0164}, "standard error 0.0164 contradicts the interval"),
    ("programme_effects", "WEBB_E2019", {"low": math.nan}, "the interval has only one end"),
    (
        "programme_effects",
        "FGC_LAC_OR",
        USE,
        r"row \d+ \(FGC_LAC_HAZ\) and row \d+ \(FGC_LAC_OR\): both used for evaluation 'fgc_coram', outcome 'care'",
    ),
    ("programmes", "sure_start", {"children_per_unit": 0.001}, "0.001 children in what it serves"),
    ("programme_costs", "fdac_case", {"value": 0.0}, "its value is 0"),
    ("programme_costs", "fdac_case", {"price_year": ""}, "without a price year"),
    ("programme_costs", "fip_outreach_0304", {"interval_level": 1.0}, "an interval of level 1"),
    ("programme_effects", "IFPS_12", {"interval_level": 1.0}, "an interval of level 1"),
    ("programme_effects", "IFPS_12", {"est": 0.9}, r"0\.9 lies outside -0\.7"),
    ("programme_effects", "TF2_LAC", {"take_up_low": 0.2, "take_up_high": 0.3}, "the estimate is of those served"),
    (
        "programme_effects",
        "TF2_LAC",
        {"estimand": "area_itt", "take_up_low": 0.1, "take_up_high": 0.1},
        "others of supporting_families: they count different children",
    ),
    ("programme_effects", "SS_5GCSE25", {"take_up_low": 0.3}, "others of sure_start: they count different children"),
    ("programme_effects", "TF2_LAC", {"estimand": "per_spend"}, "an effect of spending and not of a programme"),
    ("programme_effects", "TF2_LAC", {"follow_up_months": math.nan}, "how long it was followed is not given"),
    ("programme_effects", "START_CONV60", {"control_risk": 1.0}, "a control risk of 1 allows no ratio"),
    ("programme_effects", "BRANDON_OFF", {"n_treated": 0.0}, "an arm without anybody in it"),
    ("baseline_risks", "Usual", {"risk": 0.0, "low": 0.0}, "its risk is 0"),
    ("baseline_risks", "Usual", {"horizon_months": 0.0}, "used over 0 months"),
    ("baseline_risks", "Usual", {"horizon_months": 216.0}, "used over 216 months"),
    ("baseline_risks", "Usual", {"from_months": 96.0}, "a window from 96 to 84 months"),
    (
        "baseline_risks",
        "Young people of waiting-list families",
        {"from_months": 18.0},
        "which only the risk of care can have",
    ),
    ("baseline_risks", "Usual", {"low": 0.04}, r"risk 0\.036 lies outside 0\.04 to 0\.052"),
    ("baseline_risks", "Usual", {"confidence": "C"}, "from memory only"),
    ("baseline_risks", "Usual", {"outcome": "neet"}, "no effect on 'neet' is modelled"),
    ("baseline_risks", "Usual", {"programme": ENGLAND}, "England is not a programme"),
    ("baseline_risks", "Usual", {"risk": math.nan}, "used, but without a risk"),
    ("baseline_risks", "Usual", {"horizon_months": math.nan}, "means nothing without its horizon"),
    (
        "baseline_risks",
        "Young people of waiting-list families: custodial sentence",
        {"used": 1},
        "both used for programme 'supporting_families', outcome 'youth_justice'",
    ),
]
NAMED = {"Usual": "First-born of teenage first-time mothers, usual care, to age 7"}


@pytest.mark.parametrize(("name", "row", "change", "message"), REFUSED)
def test_a_contradiction_is_refused_by_name(
    tables: Tables, name: str, row: str, change: Mapping[str, object], message: str
) -> None:
    row = NAMED.get(row, row)
    if name == "baseline_risks" and row == NAMED["Usual"]:
        care = tables[name].query("outcome == 'care'")  # this population has a risk of a plan too
        tables = {**tables, name: care.reset_index(drop=True)}
    with pytest.raises(InputError, match=message) as error:
        check_programmes(changed(tables, name, row, change))
    assert str(error.value).startswith(f"{name}.csv, row ") and row in str(error.value) and "Fix:" in str(error.value)


def test_a_risk_ratio_without_a_control_risk_may_be_used(tables: Tables) -> None:
    """It is read as a hazard ratio, its bound at low risk; an odds ratio cannot be."""
    used = tables["programme_effects"].query("used == 1")
    blank = used[used["control_risk"].isna()]
    assert {"IFPS_12", "USPSTF24_OOH", "YEF_MENT_OFF"} <= set(blank["effect_id"])
    assert not set(blank["scale"]) & {"log_odds", "risk_difference"}


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("programme_effects", "control_risk"),
        ("programme_effects", "take_up_low"),
        ("programme_effects", "take_up_high"),
        ("baseline_risks", "risk"),
    ],
)
@pytest.mark.parametrize("value", [-0.01, 45.0])
def test_a_share_outside_0_to_1_is_refused(tables: Tables, name: str, column: str, value: float) -> None:
    rules = schema(f"evidence/{name}", outcomes=tables[name]["outcome"].unique().tolist())
    assert len(rules.validate(tables[name])) == len(tables[name])
    wrong = tables[name].copy()
    wrong.loc[0, column] = value
    with pytest.raises(pa.errors.SchemaError, match=f"{column}.*is not from 0 to 1"):
        rules.validate(wrong)


def test_what_is_not_known_is_never_blank(tables: Tables) -> None:
    rules = schema("evidence/programmes", outcomes=[])
    wrong = tables["programmes"].copy()
    wrong.loc[3, "not_known"] = ""
    with pytest.raises(pa.errors.SchemaError, match=r"not_known.*is blank"):
        rules.validate(wrong)


def test_a_programme_says_whether_it_has_a_price(tables: Tables) -> None:
    """A programme without a usable price is listed as such, not priced as another."""
    priced = set(tables["programme_costs"].query("used == 1")["programme"])
    silent = tables["programmes"].query("programme not in @priced")
    assert len(priced) == 20
    assert silent["not_known"].str.contains("price").all()
    used = tables["programme_costs"].query("used == 1")
    assert set(used["unit"]) <= set(PER_CHILD)
    assert set(used["price_year"]) <= set(evidence.load_register().deflators.index)


def test_standard_errors_and_risks_agree_with_the_counts(tables: Tables) -> None:
    """The conferencing trial: 36.2 v 44.8 per cent of 1,274 an arm, design effect 1.58, as a log hazard ratio."""
    row = tables["programme_effects"].set_index("effect_id").loc["FGC_LAC_HAZ"]
    treated, control, each, design = 0.362, 0.448, 1274, 1.58
    variance = [p / (each * (1 - p) * math.log(1 - p) ** 2) for p in (treated, control)]
    assert row["est"] == pytest.approx(math.log(math.log(1 - treated) / math.log(1 - control)), abs=5e-4)
    assert row["se"] == pytest.approx(math.sqrt(design * sum(variance)), abs=5e-4)
    risk = tables["baseline_risks"].query("programme == 'family_group_conference' and used == 1")["risk"]
    assert risk.tolist() == [control]


def test_the_control_risk_of_start_hardly_matters(tables: Tables) -> None:
    """The share placed in the usual-care arm was not seen; under 0.2 any gives a log hazard ratio of 0.20 to 0.22."""
    row = tables["programme_effects"].set_index("effect_id").loc["START_OOHP"]
    for risk in (0.01, 0.05, row["control_risk"], 0.15, 0.19):
        odds = risk / (1 - risk) * math.exp(row["est"])
        hazard = math.log(math.log1p(-odds / (1 + odds)) / math.log1p(-risk))
        assert 0.20 <= round(hazard, 2) <= 0.22


def test_every_result_of_a_programme_is_listed_or_says_why_not(tables: Tables) -> None:
    """Of ``effects``, those that are not studies of a programme here: other interventions, spending, money."""
    listed = tables["programme_effects"]
    assert (listed.loc[listed["used"] == 0, "why_not"] != "").all()
    cited = evidence.load_table("effects")
    rest = cited[~cited["id"].isin(listed["effect_id"])]
    families = {"family_safeguarding", "no_wrong_door", "sure_start", "supporting_families", "mentoring", "diversion"}
    families |= {
        "family_group_conference",
        "mst",
        "family_valued",
        "social_workers_in_schools",
        "differential_response",
    }
    left = rest[rest["programme_family"].isin(families)]
    assert set(left["outcome"]) <= {"benefit_cost_ratio", "social_care_cost"}
