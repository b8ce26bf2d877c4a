"""Sealing the data rehearses every shipped scenario, so that a table that no run could use is refused at once."""

import shutil
from pathlib import Path

import pandas as pd
import pytest

from toolkit import sealing
from toolkit.schema import InputError, data_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the data with the default scenario alone, so that one is rehearsed and not seven."""
    copied = tmp_path / "data"
    shutil.copytree(data_folder(), copied)
    for file in copied.glob("scenarios/*.yaml"):
        if file.stem != "families_first":
            file.unlink()
    return copied


def test_sealing_what_runs_writes_the_same_manifest(folder: Path) -> None:
    before = (folder / "datapackage.json").read_bytes()
    assert sealing.seal(folder).read_bytes() == before


@pytest.mark.long
@pytest.mark.parametrize("role", ["price_rereferral", "justice_ratio_in_need", "cashable_share_partly"])
def test_a_role_that_the_model_needs_cannot_be_sealed_away(folder: Path, role: str) -> None:
    path, before = folder / "evidence" / "roles.csv", (folder / "datapackage.json").read_bytes()
    roles = pd.read_csv(path, dtype=str, keep_default_na=False)
    roles[roles["role"] != role].to_csv(path, index=False)
    with pytest.raises(InputError, match=rf"roles\.csv.*'{role}'.*Fix"):
        sealing.seal(folder, reason="a test")
    assert (folder / "datapackage.json").read_bytes() == before


@pytest.mark.long
def test_a_figure_of_a_role_that_is_taken_away_cannot_be_sealed_away(folder: Path) -> None:
    path = folder / "evidence" / "unit_costs.csv"
    figures = pd.read_csv(path, dtype=str, keep_default_na=False)
    figures[figures["id"] != "cin_contact_and_referral"].to_csv(path, index=False)
    with pytest.raises(InputError, match="cin_contact_and_referral"):
        sealing.seal(folder, reason="a test")


def test_a_study_that_no_comparison_of_programmes_could_use_cannot_be_sealed(folder: Path) -> None:
    path, before = folder / "evidence" / "programme_effects.csv", (folder / "datapackage.json").read_bytes()
    effects = pd.read_csv(path, dtype=str, keep_default_na=False)
    effects.loc[effects["effect_id"] == "TF2_LAC", "scale"] = "smd"
    effects.to_csv(path, index=False)
    with pytest.raises(InputError, match=r"TF2_LAC: a standardised mean difference of an event.*Fix"):
        sealing.seal(folder, reason="a test")
    assert (folder / "datapackage.json").read_bytes() == before
