"""What new evidence does to the pooled effects and the headline, before and after."""

import pandas as pd
import pytest
from typer.testing import CliRunner

from tests.conftest import LEEDS
from toolkit import changes, cli, evidence, models, scenarios, workflow
from toolkit.schema import InputError

NEW = {
    "outcome": "care",
    "effect_id": "NEW",
    "programme_family": "m",
    "design": "rct",
    "scale": "log_risk",
    "est": -0.4,
    "se": 0.05,
}


@pytest.fixture
def compare(fit_cache, dozen, small_scenario):
    def run(**changes):
        return workflow.compare_evidence(small_scenario, areas=[LEEDS], cache=fit_cache, statistics=dozen, **changes)

    return run


@pytest.mark.fit
def test_a_beneficial_study_moves_its_own_outcome_and_the_headline(compare):
    pooled, worth = compare(extra=pd.DataFrame([NEW]))
    means = pooled.xs("mean", axis=1, level=1)
    moved = (means["after"] - means["before"]).unstack("source")
    assert (moved.loc["care"] < -0.03).all()
    assert (moved.drop(index="care") == 0).all(axis=None)
    assert (worth["after"]["npsv"] > worth["before"]["npsv"]).all()
    assert (worth["after"]["bcr"] > worth["before"]["bcr"]).all()


@pytest.mark.long
@pytest.mark.fit
def test_before_is_the_run_itself(compare, small_scenario, fit_cache, dozen):
    _, worth = compare(exclude=["START_OOHP"])
    run = workflow.run(small_scenario, areas=[LEEDS], cache=fit_cache, statistics=dozen)
    expected = run.tree["appraisal"]["npsv"].mean(("chain", "draw")).to_series()
    assert worth["before"]["npsv"].to_dict() == pytest.approx(expected.to_dict())
    assert worth["before"]["npsv"].to_dict() != worth["after"]["npsv"].to_dict()


@pytest.mark.long
@pytest.mark.fit
def test_a_sceptical_prior_moves_the_effects_and_another_models_prior_is_refused(compare):
    priors = evidence.load_register().tables["priors"]
    sceptical = priors.copy()
    sceptical.loc[sceptical["parameter"].str.startswith("mu_"), "arg2"] = 0.001
    pooled, _ = compare(priors=sceptical)
    assert (abs(pooled["after"]["mean"].loc["trials"]) < 0.002).all()
    other = priors.copy()
    other.loc[(other["model"] == "outcomes") & (other["parameter"] == "spend_within"), "arg2"] = 1.0
    with pytest.raises(InputError, match="a prior of the outcome model changed"):
        compare(priors=other)


def test_new_studies_of_a_file_may_share_a_programme_that_is_new(tmp_path):
    register, scenario = evidence.load_register(), scenarios.load("families_first")
    file = tmp_path / "new.csv"  # one without ends, one without a programme
    rows = [
        NEW | {"effect_id": "ONE"},
        NEW | {"effect_id": "TWO", "low": -0.498, "high": -0.302, "shared_programme": "ONE"},
    ]
    pd.DataFrame(rows).to_csv(file, index=False)
    extra = models.read_studies(file)
    changes.check_programmes(changes.pooling(scenario, extra=extra)["extra"], register)
    with pytest.raises(InputError, match="evaluates 'ONE'"):
        changes.check_programmes(extra.query("effect_id == 'TWO'"), register)


def test_the_command_refuses_before_it_fits(tmp_path, monkeypatch):
    file = tmp_path / "new.csv"
    pd.DataFrame([NEW | {"scale": "odds_ratio", "est": 70}]).to_csv(file, index=False)
    monkeypatch.setattr(workflow, "fit_resolved", lambda *args, **kwargs: pytest.fail("fitted"))
    found = CliRunner().invoke(cli.app, ["evidence", "study", str(file), "--area", "Leeds"])
    assert isinstance(found.exception, InputError)
    assert "looks like a percentage" in str(found.exception)
    pd.DataFrame([NEW | {"shared_programme": "msst"}]).to_csv(file, index=False)
    found = CliRunner().invoke(cli.app, ["evidence", "study", str(file), "--area", "Leeds"])
    assert "evaluates 'msst'. Fix: name one of ['mst']" in str(found.exception)
    found = CliRunner().invoke(cli.app, ["evidence", "study", "--area", "Leeds"])
    assert "nothing changes" in str(found.exception)


@pytest.mark.long
@pytest.mark.fit
def test_the_command_prints_before_and_after(tmp_path, monkeypatch, dozen, small_scenario, fit_cache):
    file = tmp_path / "new.csv"
    pd.DataFrame([NEW]).to_csv(file, index=False)
    monkeypatch.setattr(evidence, "load_statistics", lambda folder=None: dozen)
    monkeypatch.setattr(scenarios, "load", lambda name: small_scenario)
    words = ["evidence", "study", str(file), "--area", "Leeds", "--cache", str(fit_cache), "--json"]
    found = CliRunner().invoke(cli.app, words)
    assert found.exit_code == 0, found.exception
    assert "npsv before" in found.output
    assert "mean after" in found.output
