"""A run says what it is made of: nothing that was changed in memory passes for what is shipped."""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import xarray as xr

from toolkit import evidence, origins, scenarios
from toolkit.evidence import Register
from toolkit.schema import data_folder

PRICE = "price_first_time_entrant"


@pytest.fixture(scope="module")
def scenario() -> scenarios.Scenario:
    return scenarios.load("families_first")


def with_price(register: Register, times: float) -> Register:
    """Return the register with the price of a first-time entrant changed, in the figures alone."""
    figures = register.figures.copy()
    key = register.tables["roles"].set_index("role")["id"].to_dict()[PRICE]
    figures.loc[key, "value"] = times * figures["value"][key]
    return replace(register, figures=figures)


def made_of(scenario: scenarios.Scenario, register: Register, statistics: xr.Dataset) -> dict[str, str]:
    posterior = xr.Dataset({"rate": (("chain", "draw"), [[0.1, 0.2]])})
    fitted = xr.DataTree.from_dict({"posterior": posterior})
    assumptions = origins.flagged(scenarios.resolve(scenario, register), register)
    return origins.origins(scenario, assumptions, register, statistics, fitted, areas=["E08000035"])


def test_the_shipped_register_flags_nothing(scenario: scenarios.Scenario, register: Register) -> None:
    table = scenarios.resolve(scenario, register)
    pd.testing.assert_frame_equal(origins.flagged(table, register).drop(columns="shipped"), table)


def test_a_price_changed_in_the_register_is_flagged_with_what_was_shipped(
    scenario: scenarios.Scenario, register: Register
) -> None:
    dearer = with_price(register, 1.5)
    table = origins.flagged(scenarios.resolve(scenario, dearer), dearer)
    assert table.index[table["overridden"]].tolist() == [PRICE]
    assert table.loc[PRICE, "shipped"].startswith("shipped: ") and "GBP" in table.loc[PRICE, "shipped"]
    assert "Changed in the register" in table.loc[PRICE, "reason"]


def test_a_role_that_is_drawn_otherwise_is_flagged(scenario: scenarios.Scenario, register: Register) -> None:
    roles = register.tables["roles"].copy()
    roles.loc[roles["role"] == PRICE, "distribution"] = "fixed"
    changed = replace(register, tables={**register.tables, "roles": roles})
    table = origins.flagged(scenarios.resolve(scenario, changed), changed)
    assert table.index[table["overridden"]].tolist() == [PRICE]


def test_a_figure_that_is_not_shipped_is_flagged(scenario: scenarios.Scenario, register: Register) -> None:
    row = register.figures.loc[["fte_nine_year"]].rename(index=lambda _: "my_price")
    roles = register.tables["roles"].replace({"id": {"fte_nine_year": "my_price"}})
    tables = {**register.tables, "roles": roles}
    more = replace(register, figures=pd.concat([register.figures, row]), tables=tables)
    table = origins.flagged(scenarios.resolve(scenario, more), more)
    assert table.loc[PRICE, "shipped"].startswith("shipped: ")  # what stands in place of it


def test_the_cost_of_a_programme_that_was_changed_or_added_is_flagged(
    scenario: scenarios.Scenario, register: Register
) -> None:
    costs = register.tables["programme_costs"]
    ours = (costs["programme"] == "supporting_families") & (costs["used"] == 1)
    for changes, said in (({"value": 6000.0}, "shipped: 5214 GBP per family"), ({"cost_id": "mine"}, "no such figure")):
        other = costs.copy()
        for column, value in changes.items():
            other.loc[ours, column] = value
        mine = replace(register, tables={**register.tables, "programme_costs": other})
        table = origins.flagged(scenarios.resolve(scenario, mine), mine)
        assert table.index[table["overridden"]].tolist() == ["cost_supporting_families"]
        assert table.loc["cost_supporting_families", "shipped"].startswith(said)


def test_an_override_of_the_scenario_keeps_its_own_reason(scenario: scenarios.Scenario, register: Register) -> None:
    value = float(scenarios.resolve(scenario, register)["value"].to_dict()[PRICE])
    mine = {PRICE: {"value": 1.1 * value, "price_year": "2025/26", "reason": "our own contract"}}
    table = origins.flagged(scenarios.resolve(scenarios.change(scenario, overrides=mine), register), register)
    assert table.loc[PRICE, "reason"] == "our own contract" and not table["shipped"].any()


@pytest.mark.long
def test_hashes_and_checksums_are_those_of_what_was_used(
    scenario: scenarios.Scenario, register: Register, statistics: xr.Dataset
) -> None:
    plain = made_of(scenario, register, statistics)
    assert plain["changed_data"] == "[]"
    assert made_of(scenario, register, statistics)["run_hash"] == plain["run_hash"]
    dearer = made_of(scenario, with_price(register, 1.5), statistics)
    costs = register.tables["unit_costs"].assign(note="changed")
    tables = replace(register, tables={**register.tables, "unit_costs": costs})
    moved = statistics.copy(deep=True)
    moved["early_help_spend"][0, -1] += 1.0
    others = [dearer, made_of(scenario, tables, statistics), made_of(scenario, register, moved)]
    assert len({one["run_hash"] for one in [plain, *others]}) == 4
    assert dearer["figures_hash"] != plain["figures_hash"] and dearer["register_hash"] != plain["register_hash"]
    assert others[1]["changed_data"] == '["evidence/unit_costs.csv"]'
    assert others[2]["changed_data"] == '["statistics"]'


def test_fewer_areas_are_still_the_shipped_statistics(register: Register, statistics: xr.Dataset) -> None:
    used = origins.checksums_used(register, statistics.isel(area=[5, 3]))
    assert used == evidence.checksums()


@pytest.mark.long
def test_another_data_folder_is_named_by_its_own_checksums(statistics: xr.Dataset, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    shutil.copytree(data_folder(), folder)
    priors = folder / "evidence" / "priors.csv"
    priors.write_text(priors.read_text(encoding="utf-8").replace(",0.7,", ",0.71,", 1), encoding="utf-8")
    evidence.seal(folder, reason="a test of another prior")
    register = evidence.load_register(folder=folder)
    used = origins.checksums_used(register, statistics, folder)
    assert used == evidence.checksums(folder)
    assert [path for path in used if used[path] != evidence.checksums()[path]] == ["evidence/priors.csv"]


def test_the_commit_says_whether_files_differ_from_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    assert origins.commit(tmp_path) == ""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.csv").write_text("1")
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    for words in (["init", "-q"], ["add", "."], [*who, "commit", "-qm", "first"]):
        subprocess.run(["git", "-C", str(tmp_path), *words], check=True, capture_output=True)
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))  # as within a hook
    clean = origins.commit(tmp_path)
    assert len(clean) == 40
    (tmp_path / "data" / "a.csv").write_text("2")
    assert origins.commit(tmp_path) == f"{clean} with uncommitted changes"
