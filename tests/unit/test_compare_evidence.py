"""What other evidence of effects does to them and to the headline, before and after."""

import pytest
from typer.testing import CliRunner

from tests.conftest import LEEDS
from toolkit import cli, evidence, scenarios, workflow
from toolkit.schema import InputError

PROGRAMME = "supporting_families"
NEW = {
    "programme": PROGRAMME,
    "outcome": "care",
    "design": "rct",
    "scale": "log_hazard",
    "estimate": -0.6,
    "standard_error": 0.05,
    "follow_up_months": 24,
    "reason": "a trial of our own",
}


@pytest.fixture
def compare(fit_cache, dozen, small_scenario):
    def run(**changes):
        after = scenarios.change(small_scenario, **changes)
        return workflow.compare_evidence(small_scenario, after, areas=[LEEDS], cache=fit_cache, statistics=dozen)

    return run


@pytest.mark.fit
def test_a_beneficial_study_moves_the_effect_and_the_headline(compare):
    used, worth = compare(studies={"NEW": NEW})
    means = used.xs("mean", axis=1, level=1)
    moved = (means["after"] - means["before"]).unstack("programme")
    assert moved.loc["care", PROGRAMME] < -0.03
    # What one programme does to care says little of another type's, and less of another outcome.
    assert abs(moved.loc["care", PROGRAMME]) > 3 * abs(moved.loc["youth_justice", PROGRAMME])
    assert abs(moved.loc["care", PROGRAMME]) > 3 * abs(moved.loc["care", "family_group_conference"])
    assert (worth["after"]["npsv"] > worth["before"]["npsv"]).all()
    assert (worth["after"]["bcr"] > worth["before"]["bcr"]).all()


@pytest.mark.long
@pytest.mark.fit
def test_before_is_the_run_itself(compare, small_scenario, fit_cache, dozen):
    _, worth = compare(left_out=["TF2_LAC"])
    run = workflow.run(small_scenario, areas=[LEEDS], cache=fit_cache, statistics=dozen)
    expected = run.tree["appraisal"]["npsv"].mean(("chain", "draw")).to_series()
    assert worth["before"]["npsv"].to_dict() == pytest.approx(expected.to_dict())
    assert worth["before"]["npsv"].to_dict() != worth["after"]["npsv"].to_dict()


@pytest.mark.long
@pytest.mark.fit
def test_sceptical_priors_shrink_the_effects(compare):
    names = ("mu_event", "tau_type_event", "tau_programme_event", "tau_study_event")
    numbers = {name: {"first": 0.0, "second": 0.001} if name == "mu_event" else {"first": 0.001} for name in names}
    reason = "help changes nothing"
    used, _ = compare(priors={f"programmes.{name}": row | {"reason": reason} for name, row in numbers.items()})
    assert (abs(used["after"]["mean"].drop(index="gcse_attainment", level="outcome")) < 0.002).all()
    assert abs(used["before"]["mean"].loc[PROGRAMME, "care"]) > 0.02


@pytest.mark.parametrize(
    "changes",
    [
        {"horizon": 20},
        {"plan": [{"programme": PROGRAMME, "pounds_per_child": [30.0]}]},
        {"priors": {"outcomes.spend_within": {"first": 0.0, "second": 1.0, "reason": "wider"}}},
    ],
)
def test_scenarios_that_differ_in_something_else_are_refused(small_scenario, tmp_path, changes):
    after = scenarios.change(small_scenario, **changes)
    with pytest.raises(InputError, match=f"the scenarios differ in {next(iter(changes))}"):
        workflow.compare_evidence(small_scenario, after, areas=[LEEDS], cache=tmp_path)


def command(tmp_path, text, *more):
    file = tmp_path / "mine.yaml"
    file.write_text(f"based_on: families_first\n{text}", encoding="utf-8")
    return CliRunner().invoke(cli.app, ["evidence", "study", str(file), "--area", "Leeds", *more])


def study(**changes):
    cells = ", ".join(f"{key}: {value}" for key, value in (NEW | changes).items())
    return f"studies:\n  NEW: {{{cells}}}\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "nothing changes"),
        ("priors:\n  outcomes.spend_within: {first: 0, second: 0.3, reason: wider}\n", "nothing changes"),
        (study(scale="odds_ratio"), "unknown scale 'odds_ratio'"),
        (study(programme="mst"), "no programme 'mst'"),
        (study(scale="log_odds"), "means nothing without its control risk"),
        ("left_out: [SWIS_S47]\n", "'SWIS_S47' is not a study in use"),
    ],
)
def test_the_command_refuses_before_it_fits(tmp_path, monkeypatch, text, says):
    monkeypatch.setattr(workflow, "fit_resolved", lambda *args, **kwargs: pytest.fail("fitted"))
    found = command(tmp_path, text)
    assert isinstance(found.exception, InputError)
    assert says in str(found.exception)


@pytest.mark.long
@pytest.mark.fit
def test_the_command_prints_before_and_after(tmp_path, monkeypatch, dozen, small_scenario, fit_cache):
    after = scenarios.change(small_scenario, studies={"NEW": NEW})
    monkeypatch.setattr(evidence, "load_statistics", lambda folder=None: dozen)
    monkeypatch.setattr(scenarios, "load", lambda name: after)
    found = command(tmp_path, "", "--cache", str(fit_cache), "--json")
    assert found.exit_code == 0, found.exception
    assert "npsv before" in found.output
    assert "mean after" in found.output
