"""Figures of the evidence: what they show is what the tables hold."""

import numpy as np
import pytest

from toolkit import evidence
from toolkit.measures import studies
from toolkit.models.unit_costs.pooled import pooled, pooled_summary, rival_estimates
from toolkit.report import effect_figures


@pytest.mark.parametrize("outcome", ["youth_justice", "care"])
def test_a_forest_names_the_studies_of_the_plans_types_and_marks_estimates_and_effects_used(run, outcome):
    shown, used = studies.shown(run), studies.used(run, outcome)
    axes = effect_figures.plot_forest(shown, used, outcome).axes[0]
    rows = shown[shown["outcome"] == outcome]
    names = " ".join(text.get_text() for text in axes.get_yticklabels())
    assert len(rows) and all(study in names for study in rows["study"])
    marks = [line.get_xdata()[0] for line in axes.lines if line.get_marker() == "s"]
    assert sorted(marks) == pytest.approx(sorted(rows["effect"].dropna()))
    diamonds = [line.get_xdata()[0] for line in axes.lines if line.get_marker() == "D"]
    drawn = run.tree["effects"]["effect"].sel(outcome=outcome).mean(("chain", "draw"))
    assert sorted(diamonds) == pytest.approx(sorted(drawn.values[drawn.values != 0]))
    assert names.count("As used:") == (2 if outcome == "care" else 1)


def test_only_studies_of_programmes_bought_and_of_their_types_are_drawn(run):
    shown = studies.shown(run)
    assert set(shown["programme_type"]) == {"keyworker", "conference"}
    assert {"TF2_LAC", "FGC_LAC_HAZ"} <= set(shown["study"])
    table = studies.studies(run).frame.droplevel(1, axis=1)
    assert len(table) > len(shown)
    assert table.loc["TF2_LAC", "How it is used"] == "of a programme of the plan"
    assert table.loc["FNP2_CLA", "How it is used"] == "of another type"
    assert table.loc["TF1_YOUTH_JUSTICE", "Estimate"] == "no number: not significant"
    assert table.loc["TF2_LAC", "Programme"] == "Supporting Families"
    assert table.loc["TF2_LAC", "Followed for"] == "2 years"


def test_the_forest_in_words_holds_the_same_numbers(run):
    words = studies.in_words(run)
    assert list(words) == ["youth_justice", "care"]  # studies of attainment are of other types
    ratio = np.expm1(
        float(run.tree["effects"]["effect"].sel(outcome="care", programme="family_group_conference").mean())
    )
    assert f"Family group conference, as used: \N{MINUS SIGN}{-100 * ratio:.0f}% (" in words["care"]
    assert "FGC_LAC_HAZ: \N{MINUS SIGN}24%" in words["care"]


def test_a_pool_shows_its_estimates_about_its_median(register):
    rivals = rival_estimates(register)
    summary = pooled_summary(pooled(rivals, priors=register.tables["priors"]))
    axes = effect_figures.plot_pool(rivals, summary, ["foster_agency_week"]).axes[0]
    marks = [line.get_xdata()[0] for line in axes.lines if line.get_marker() == "s"]
    held = rivals[rivals["pool"] == "foster_agency_week"]["estimate"]
    assert sorted(marks) == pytest.approx(sorted(np.exp(held - summary.loc["foster_agency_week", "median"])))


def test_the_price_figure_shows_prices_of_each_year():
    axes = effect_figures.plot_placement_price(evidence.placement_prices(), "residential").axes[0]
    ends = [line.get_ydata()[-1] for line in axes.lines[-2:]]
    assert ends == pytest.approx([7700, 7385], rel=0.005)  # MODEL: mean over authorities, and by care days
