"""The checks of a run say which of its rates were predicted for want of counts."""

import dataclasses
import json

import xarray as xr

from toolkit import models
from toolkit.measures import provenance
from toolkit.records import _predicted


def test_what_has_no_counts_of_its_own_is_said(run) -> None:
    assert provenance.checks(run).note == ""
    run.tree.attrs["predicted"] = json.dumps({"City of London": ["care_starts", "gcse_grade_4"]})
    try:
        said = provenance.checks(run).note
    finally:
        del run.tree.attrs["predicted"]
    assert said.startswith("Without counts of their own, so predicted from region")
    assert said.endswith("City of London (care starts and GCSE grade 4).")


def test_what_stands_for_a_covariate_that_is_missing_is_said(run) -> None:
    gaps = {"caseload": ["Kingston upon Thames", "Richmond upon Thames"], "ofsted_judgement": []}
    run.tree.attrs["without_covariate"] = json.dumps(gaps)
    try:
        said = provenance.checks(run).note
    finally:
        del run.tree.attrs["without_covariate"]
    assert said.startswith("Conditioned on caseload too: no figure of Kingston upon Thames and Richmond upon Thames, ")
    assert "Ofsted judgement too: of every area" in said


def test_an_area_of_which_no_count_entered_the_fit_is_predicted(statistics: xr.Dataset) -> None:
    leeds, city = "E08000035", "E09000001"
    design = models.outcomes(statistics).design
    assert _predicted(statistics.sel(area=[leeds]), design) == {}
    found = _predicted(statistics.sel(area=[leeds, city]), design)
    assert set(found["City of London"]) == set(statistics["indicator"].values)
    # Returns of years before the spending that the model follows are counts, but none that the fit uses.
    late = (statistics["indicator"] == "care_starts") & (statistics["area"] == leeds) & (statistics["data_year"] > 2014)
    silent = statistics.assign(observed=statistics["observed"] & ~late)
    assert silent["observed"].sel(indicator="care_starts", area=leeds).any()
    assert _predicted(silent.sel(area=[leeds]), models.outcomes(silent).design) == {"Leeds": ["care_starts"]}


def test_what_a_check_is_worst_at_is_put_into_words(run) -> None:
    said = {
        "dispersion['protection_plan_starts']": "Dispersion: protection plan starts",
        "area_effect['care_starts', 'E06000001']": "Area effect: care starts, E06000001",
        "persistence[np.str_('gcse_grade_4')]": "Persistence: GCSE grade 4",
        "year_step['care_starts', np.int64(2021)]": "Year step: care starts, 2021",
        "lambda": "Lambda",
    }
    assert {name: provenance._quantity(name) for name in said} == said
    worst = provenance.checks(run).frame["Worst at"].astype(str)
    assert not worst.str.contains(r"[\[\]'_]").any()


def test_what_was_changed_in_the_register_is_said_and_marked(make_run) -> None:
    plain = make_run()
    assert provenance.changed(plain) == []
    role = "price_first_time_entrant"
    figures = plain.assumptions.assign(shipped="")
    figures.loc[role, ["shipped", "overridden"]] = ["shipped: 4000 GBP 2020/21", True]
    plain.tree.attrs["changed_data"] = json.dumps(["evidence/unit_costs.csv"])
    run = dataclasses.replace(plain, assumptions=figures)
    price, files = provenance.changed(run)
    assert price.startswith("Price first time entrant: ") and "(shipped: 4000 GBP 2020/21)" in price
    assert files == "Data that are not the shipped ones: evidence/unit_costs.csv"
    yours = provenance.assumptions(run).frame["Yours"].squeeze()
    assert yours[yours != ""].to_dict() == {"Price first time entrant": "changed in the register"}


def test_the_record_says_when_by_whom_and_of_what(make_run) -> None:
    run = make_run()
    rows = provenance.record(run).frame["Value"].squeeze()
    assert rows["Run by"] == "not known"  # as of a file of an older run
    run.tree.attrs |= {"run_by": "Ann Example", "run_at": "2026-11-30T13:00:00+00:00", "run_hash": "0123456789abcdef"}
    rows = provenance.record(run).frame["Value"].squeeze()
    assert rows["Run by"] == "Ann Example" and rows["Run hash"] == "0123456789abcdef"
