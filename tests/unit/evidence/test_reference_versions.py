"""What committed tables were made from: noted when they are made, and told from what is here now."""

import shutil
from pathlib import Path

import pandas as pd
import pytest

from toolkit import code_hash, evidence
from toolkit.evidence import reference_versions
from toolkit.schema import data_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(data_folder(), tmp_path / "data"))


def differs(folder: Path) -> dict[str, str]:
    differing = evidence.outdated(folder)
    return dict(zip(differing["made"], differing["differs"], strict=True))


def rewritten(folder: Path, *names: str) -> None:
    tables = {name: evidence.load_table(f"reference/{name}", folder) for name in names}
    evidence.write_reference(tables, folder, reason="a test of it")


def test_a_table_is_of_this_version_once_it_is_made_anew(folder: Path) -> None:
    rewritten(folder, "pathway_checks", "backtest")
    assert not {"pathway_checks", "backtest"} & set(differs(folder))
    record = evidence.load_table(reference_versions.RECORD, folder).set_index("made")["reason"]
    assert set(record[["pathway_checks", "backtest"]]) == {"a test of it"} != set(record)


@pytest.mark.long
def test_what_changed_since_is_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rewritten(folder, "pathway_checks", "backtest", "calibration_placement_prices")
    priors = folder / "evidence" / "priors.csv"
    text = priors.read_text()
    priors.write_text(text.replace("pathway,assessed,logit_normal,2,0.7", "pathway,assessed,logit_normal,2,0.8"))
    evidence.seal(folder, reason="a test")
    # Its own priors only: those of the outcome model and of placement prices are as they were.
    names = ["pathway_checks", "backtest", "calibration_placement_prices"]
    assert [differs(folder).get(name) for name in names] == ["data", None, None]
    parsed = code_hash.parsed_code
    monkeypatch.setattr(code_hash, "parsed_code", lambda path: parsed(path) + "#" * (path.stem == "likelihoods"))
    differing = differs(folder)
    # The likelihoods reach all three, two of them by way of other modules.
    assert [differing[name] for name in names] == ["code and data", "code", "code"]
    assert evidence.outdated(folder).set_index("made")["command"]["backtest"] == "outcomes check"


def test_a_table_nobody_noted_anything_of_says_so(folder: Path) -> None:
    record = folder / "reference" / "made_from.csv"
    table = pd.read_csv(record, dtype=str, keep_default_na=False).assign(code_hash="", data_hash="")
    table.to_csv(record, index=False)
    evidence.seal(folder, reason="a test")
    assert set(differs(folder).values()) == {"not recorded"}


def test_every_committed_table_is_in_the_record_and_its_code_and_data_exist() -> None:
    record = evidence.load_table(reference_versions.RECORD)
    files = {path.stem for path in (data_folder() / "reference").glob("*.csv")} - {"made_from"}
    assert set(record["made"]) == files
    checksums = evidence.checksums()
    for row in record.itertuples():
        assert reference_versions._reached(tuple(str(row.code).split()))  # a module that is missing raises
        for name in str(row.data).split():
            table, _, model = name.partition(":")
            if model:
                assert (evidence.load_table(table)["model"] == model).any(), name
            else:
                assert any(path.startswith((f"{name}/", f"{name}.csv")) for path in checksums), name


def test_imports_are_followed_through_the_package() -> None:
    reached = reference_versions._reached(("validation/calibrate_placements",))
    wanted = {"models/unit_costs/placements", "validation/calibration", "models/fitting/fit"}
    assert wanted <= reached
    assert "models/unit_costs/placements" in reference_versions._reached(("models/unit_costs/modelled_figures",))
    assert not any(name.startswith("evidence") for name in reached)
