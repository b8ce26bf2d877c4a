import shutil

import pytest

from toolkit import evidence
from toolkit.evidence.register import COLUMNS, FIGURE_TABLES
from toolkit.schema import InputError, data_folder


@pytest.fixture(scope="module")
def register() -> evidence.Register:
    return evidence.load_register()


def test_every_figure_is_either_usable_or_excluded_with_a_reason(register):
    assert list(register.figures.columns) == COLUMNS
    assert not register.figures.index.intersection(register.excluded.index).size
    total = sum(len(evidence.load_table(name)) for name in FIGURE_TABLES)
    assert len(register.figures) + len(register.excluded) == total
    assert (register.excluded["reason"] != "").all()


def test_usable_figures_keep_the_rules_of_evidence(register):
    figures = register.figures
    assert set(figures["confidence"]) == {"A", "B", "J"}
    assert (figures["superseded_by"] == "").all()
    money = figures["unit"].str.startswith("GBP")
    assert (figures.loc[money, "price_year"] != "").all()
    bounded = figures["low"].notna() & figures["high"].notna()
    assert figures.loc[bounded, "interval_level"].notna().all()
    assert (figures["value"].notna() | bounded).all()
    assert (figures["source"] != "").all()


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("gcse_men_5good_vs_none", "confidence C"),
        ("residential_la_week_2014", "superseded by s251_residential_week_2024_25"),
        ("youth_custody_month_all_services", "money without a price year"),
        ("ob_opex_outsourcing", "neither a value nor a whole interval"),
        ("CREWE_CLOSE", "neither a value"),
        ("CLA_AGE_16", "superseded by CLA_AGEOUT25_16"),
    ],
)
def test_figures_kept_out_of_defaults(register, key, reason):
    assert key not in register.figures.index
    assert reason in register.excluded.loc[key, "reason"]
    assert reason in evidence.show(register, key)["excluded"]


def test_a_range_without_a_centre_is_usable(register):
    row = register.figures.loc["high_cost_placement_week_lga"]
    assert row["interval_kind"] == "range"
    assert (row["low"], row["high"], row["interval_level"]) == (9600, 32500, 0.9)


def test_memory_and_superseded_rows_load_when_named():
    named = evidence.load_register(include=("gcse_men_5good_vs_none", "residential_la_week_2014"))
    assert named.figures.loc["gcse_men_5good_vs_none", "value"] == 283_000
    assert named.figures.loc["residential_la_week_2014", "superseded_by"] == "s251_residential_week_2024_25"
    assert "gcse_women_5good_vs_none" not in named.figures.index


def test_naming_cannot_mend_money_without_a_price_year():
    with pytest.raises(InputError, match=r"youth_mh_total_year.*without a price year.*Fix"):
        evidence.load_register(include=("youth_mh_total_year",))
    with pytest.raises(InputError, match="did you mean gcse_men_5good_vs_none"):
        evidence.load_register(include=("gcse_men_5good_vs_non",))


def test_only_graded_a():
    assert set(evidence.load_register(confidence=("A",)).figures["confidence"]) == {"A"}


def test_show_tells_the_whole_story(register):
    # Section 251 outturn 2024-25, Department for Education: 7,385 a week, percentiles 6,013 and 9,608.
    told = evidence.show(register, "s251_residential_week_2024_25")
    assert (told["value"], told["low"], told["high"]) == (7385, 6013, 9608)
    assert (told["interval_kind"], told["interval_level"]) == ("between_area", 0.8)
    assert (told["unit"], told["price_year"], told["payer"]) == ("GBP per week", "2024/25", "local_authority")
    assert "residential_la_week_2014" in told["supersedes"]
    assert told["source"].startswith("Local authority interactive tool")
    assert told["source_url"].startswith("https://")
    assert told["excluded"] == ""


def test_show_finds_a_figure_by_its_role(register):
    roles = register.tables["roles"].set_index("role")["id"]
    told = evidence.show(register, "price_gcse")
    assert told["id"] == roles["price_gcse"]
    assert "price_gcse" in told["roles"]


def test_show_suggests_close_names(register):
    with pytest.raises(InputError, match=r"'s251_residental_week'.*did you mean s251_residential_week_"):
        evidence.show(register, "s251_residental_week")


def test_derived_judgements_are_the_arithmetic_of_their_rows(register):
    figures = register.figures["value"]
    ratio = figures["YJ_RR_LAC"] * figures["cin_custody_24"] / figures["cla_custody_24_alt"]
    assert figures["justice_ratio_in_need"] == pytest.approx(ratio, abs=0.005)
    # Odds ratio of ADJ_BCS_CONV on the base risk of CONV24_NOT, as a share of the raw gap.
    base, raw = figures["CONV24_NOT"], figures["CONV24_CLA"] - figures["CONV24_NOT"]
    odds = figures["ADJ_BCS_CONV"] * base / (1 - base)
    assert figures["adjustment_youth_justice"] == pytest.approx((odds / (1 + odds) - base) / raw, abs=0.005)


def test_rows_a_judgement_stands_on_exist(register):
    known = {*register.figures.index, *register.excluded.index}
    for rows in register.tables["judgements"]["derived_from"]:
        assert set(filter(None, rows.split(";"))) <= known


def test_a_role_without_a_figure_is_named(tmp_path):
    folder = tmp_path / "data"
    shutil.copytree(data_folder(), folder, ignore=shutil.ignore_patterns("panel_*", "national.csv"))
    roles = folder / "evidence/roles.csv"
    text = roles.read_text(encoding="utf-8")
    assert "gcse_5good_em_lifetime" in text
    roles.write_text(text.replace("gcse_5good_em_lifetime", "gcse_5good_em_life"), encoding="utf-8")
    evidence.seal(folder, reason="a test")
    said = r"roles\.csv, row \d+ \(role price_gcse\): no figure.*gcse_5good_em_lifetime"
    with pytest.raises(InputError, match=said):
        evidence.load_register(folder=folder)


def test_deflators_reach_every_price_year_in_use(register):
    money = register.figures["unit"].str.startswith("GBP")
    used = set(register.figures.loc[money & (register.figures["table"] != "published_totals"), "price_year"])
    assert used <= set(register.deflators.index)
