import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from frictionless import Package, Resource, system

from toolkit.evidence import tables
from toolkit.schema import InputError, data_folder

# Rows of the collected evidence before it was brought in: none may be lost on the way.
ROWS = {
    "unit_costs": 458,
    "economic_parameters": 318,
    "published_totals": 287,
    "effects": 188,
    "prevalence": 165,
    "transitions": 153,
    "adjustment": 34,
    "programmes": 41,
    "programme_costs": 115,
    "programme_effects": 170,
    "baseline_risks": 72,
}
PANEL_ROWS = 157_606
LARGEST_FILE = 5_000_000  # so that a person can open it

COPIED = ("judgements", "unit_costs", "priors", "effects", "transitions")

PROGRAMMES = ("programmes", "programme_costs", "programme_effects", "baseline_risks")

Edit = Callable[[str, str, str], Path]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of a few tables, with the shipped manifest: small enough to seal in a moment."""
    (tmp_path / "evidence").mkdir()
    for name in (tables.MANIFEST, "vocabulary.csv", *(f"evidence/{name}.csv" for name in COPIED)):
        shutil.copy(data_folder() / name, tmp_path / name)
    return tmp_path


@pytest.fixture
def edit(folder: Path) -> Edit:
    def change(name: str, old: str, new: str) -> Path:
        file = folder / f"{name}.csv"
        text = file.read_text(encoding="utf-8")
        assert text.count(old) >= 1, f"{old!r} is not in {name}"
        file.write_text(text.replace(old, new, 1), encoding="utf-8")
        return folder

    return change


def refusal(folder: Path) -> str:
    with pytest.raises(InputError) as error:
        tables.seal(folder, reason="a test")
    return str(error.value)


@pytest.mark.parametrize("path", sorted(tables.checksums()))
def test_every_shipped_table_loads(path):
    table = tables.load_table(path.removesuffix(".csv"))
    assert len(table) > 0
    assert (data_folder() / path).stat().st_size < LARGEST_FILE


@pytest.mark.parametrize(("name", "rows"), ROWS.items())
def test_no_row_was_lost(name, rows):
    assert len(tables.load_table(name)) == rows


def test_panel_is_whole_sorted_and_described():
    parts = [tables.load_table(path.removesuffix(".csv")) for path in tables.checksums() if "/panel_" in path]
    panel = pd.concat(parts)
    assert len(panel) == PANEL_ROWS
    assert not panel.duplicated(["measure", "la_code", "year"]).any()
    for part in parts:
        assert part.equals(part.sort_values(["measure", "la_code", "year"]))
    measures = tables.load_table("measures").set_index("measure")
    assert panel.groupby("measure").size().to_dict() == measures["n_rows"].to_dict()
    assert panel.groupby("measure")["value"].count().to_dict() == measures["n_values"].to_dict()
    assert set(panel["la_code"]) <= set(tables.load_table("reference_areas")["la_code"])
    assert set(panel["source_id"]) <= set(tables.load_table("statistics/sources")["source_id"])


def test_interval_rules_of_the_section_251_rows():
    costs = tables.load_table("unit_costs").set_index("id")
    percentiles = costs[costs.index.str.startswith("s251_")]
    assert (percentiles["interval_kind"] == "between_area").all()
    assert (percentiles["interval_level"] == 0.8).all()
    effects = tables.load_table("effects")
    bounded = effects[effects["low"].notna() & effects["high"].notna()]
    assert len(bounded) > 30
    assert (bounded["interval_level"] == 0.95).all()


def test_payers_split_benefits_from_tax():
    costs = tables.load_table("unit_costs").set_index("id")
    assert costs.loc["neet_1824_benefits_year", "payer"] == "dwp"
    assert costs.loc["neet_1824_tax_year", "payer"] == "hmrc"
    assert set(costs.loc[costs["bearer"] == "dwp_hmrc", "payer"]) == {"dwp", "hmrc"}


def test_measures_of_the_vocabulary_exist():
    vocabulary = tables.load_table("vocabulary")
    named = set(vocabulary.loc[vocabulary["kind"] == "measure", "source_name"])
    assert named <= set(tables.load_table("measures")["measure"])


def test_derived_and_placement_rows_are_never_used():
    effects = tables.load_table("effects").set_index("id")
    barred = effects.index.str.startswith(("DER_", "PLACE_"))
    assert barred.sum() == 10
    assert (effects.loc[barred, "poolable"] == 0).all()
    used = tables.load_table("programme_effects").query("used == 1")["effect_id"]
    assert not set(used) & set(effects.index[effects["poolable"] == 0])


def test_shipped_manifest_is_a_valid_package():
    descriptor = json.loads((data_folder() / tables.MANIFEST).read_text(encoding="utf-8"))
    assert not list(Package.metadata_validate(descriptor))
    for resource in descriptor["resources"]:
        assert resource["licenses"], resource["name"]
        assert resource["sources"], resource["name"]


@pytest.mark.parametrize(
    "name", ["judgements", "effects", "priors", "adjustment", "vocabulary", "measures", *PROGRAMMES]
)
def test_frictionless_validates(name):
    descriptor = json.loads((data_folder() / tables.MANIFEST).read_text(encoding="utf-8"))
    (held,) = [resource for resource in descriptor["resources"] if resource["name"] == name]
    with system.use_context(trusted=True):
        report = Resource.from_descriptor(held, basepath=str(data_folder())).validate()
    assert report.valid, report.flatten(["type", "note"])


def test_altered_file_is_refused(edit):
    folder = edit("evidence/judgements", "replication_factor,replication", "replication_factor,replikation")
    with pytest.raises(InputError, match=r"judgements\.csv: altered .*checksum.*Fix: restore it"):
        tables.load_table("judgements", folder)


def test_missing_file_and_missing_manifest_are_refused(folder):
    (folder / "evidence/judgements.csv").unlink()
    with pytest.raises(InputError, match=r"judgements\.csv: missing\. Fix: restore"):
        tables.load_table("judgements", folder)
    (folder / tables.MANIFEST).unlink()
    with pytest.raises(InputError, match=r"datapackage\.json: unreadable"):
        tables.load_table("judgements", folder)


def test_unknown_table_lists_the_known(folder):
    with pytest.raises(InputError, match=r"no table 'unit_cost'.*evidence/unit_costs\.csv"):
        tables.load_table("unit_cost", folder)


BAD = [  # table, text, what is put in its place, what the error says
    ("judgements", 'contact ends",3,', 'contact ends",\uff13,', "row 3, column 'value': '\uff13' is not a number"),
    ("judgements", 'contact ends",3,', 'contact ends",1_3,', "row 3, column 'value': '1_3' is not a number"),
    ("judgements", 'contact ends",3,', 'contact ends",' + 70 * "9" + ",", "row 3, column 'value': '999"),
    ("judgements", 'contact ends",3,', 'contact ends",inf,', "row 3, column 'value': 'inf' is not a number"),
    (
        "judgements",
        ",3,1.2,7.5,range,0.9,",
        ",300,120,750,range,0.9,",
        "row 3, column 'value': is not a value that its unit",
    ),
    (
        "judgements",
        ",3,1.2,7.5,range,0.9,",
        ",3,1.2,7.5,range,90,",
        "row 3, column 'interval_level': 90.0 is not from 0.5 to 1",
    ),
    (
        "transitions",
        "per referral,,",
        "per referral,1e23,",
        "row 2, column 'horizon_months': 1e+23 is not from 0 to 1200",
    ),
    (
        "effects",
        ",0.102,odds ratio,",
        ",0.0102,odds ratio,",
        "0.0102 contradicts the interval 0.573 to 0.854, which at 95% implies",
    ),
    ("judgements", 'contact ends",3,', 'contact ends",three,', "row 3, column 'value': 'three' is not a number"),
    (
        "judgements",
        ",3,1.2,7.5,range,0.9,",
        ",3,1.2,7.5,range,,",
        "row 3, column 'interval_level': an interval without",
    ),
    ("judgements", ",3,1.2,7.5,range,0.9,", ",3,1.2,7.5,,0.9,", "row 3, column 'interval_kind': a kind of interval"),
    ("judgements", ",3,1.2,7.5,range,0.9,", ",9,1.2,7.5,range,0.9,", "row 3, column 'value': low, value and high"),
    ("judgements", "\nfade_half_life,", "\nreplication_factor,", "row 3, column 'id': repeats the id"),
    ("judgements", "\nfade_half_life,", "\n,", "row 3, column 'id': '' is blank"),
    (
        "unit_costs",
        "moj_police,police_and_justice",
        "moj_police,police",
        "column 'payer': 'police' is not one of central_government",
    ),
    (
        "unit_costs",
        "contact,repeat_referrals",
        "contact,referral_again",
        "row 2, column 'outcome': 'referral_again'",
    ),
    ("unit_costs", ",social_work,B,", ",social_work,D,", "column 'confidence': 'D' is not one of A, B, C, J"),
    ("unit_costs", ",2009/10,", ",2009-10,", "row 2, column 'price_year': '2009-10' has another form"),
    (
        "unit_costs",
        ",cla_year_s251_2024_25\n",
        ",cla_2024\n",
        "column 'superseded_by': superseded by an id that",
    ),
    ("unit_costs", "id,outcome,", "id,effort,", "row 1: column 'outcome' is missing"),
]


@pytest.mark.parametrize(("name", "old", "new", "said"), BAD)
def test_bad_cells_are_named(edit, name, old, new, said):
    message = refusal(edit(f"evidence/{name}", old, new))
    assert f"{name}.csv, row" in message
    assert said in message
    assert "Fix:" in message or "Fix:" in message


def test_all_faults_come_at_once(edit):
    edit("evidence/judgements", ",3,1.2,7.5,range,0.9,", ",3,1.2,7.5,range,,")
    message = refusal(edit("evidence/judgements", ",1.7,1.5,2.3,range,0.9,", ",2.7,1.5,2.3,range,0.9,"))
    assert "row 3, column 'interval_level'" in message
    assert "row 14, column 'value'" in message


def test_sealing_bad_tables_leaves_the_manifest_alone(edit, folder):
    before = (folder / tables.MANIFEST).read_bytes()
    refusal(edit("evidence/judgements", ",3,1.2,7.5,range,0.9,", ",3,1.2,7.5,range,,"))
    assert (folder / tables.MANIFEST).read_bytes() == before


def test_over_long_row_and_wrong_encoding_are_refused(edit, folder):
    assert "no CSV in UTF-8" in refusal(edit("evidence/priors", "programmes,mu_event,", "programmes,mu_event,,,,"))
    (folder / "evidence/priors.csv").write_bytes("model,café\n".encode("latin-1"))
    assert "no CSV in UTF-8" in refusal(folder)


def test_a_table_without_a_schema_is_refused(folder):
    (folder / "evidence/new.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    assert "evidence/new.csv: no layout" in refusal(folder)


@pytest.mark.parametrize("place", [0, 1, 3])
def test_a_line_of_thousands_of_cells_is_refused_at_once(tmp_path: Path, place: int) -> None:
    lines = (data_folder() / "evidence" / "judgements.csv").read_text(encoding="utf-8").splitlines()
    lines[place] = ",".join("a" for _ in range(20_000))
    file = tmp_path / "judgements.csv"
    file.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(InputError, match=rf"judgements\.csv, row {place + 1}: more than 1000 commas.*Fix"):
        tables.read_unsealed(file, "evidence/judgements")
