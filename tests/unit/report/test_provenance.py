"""The checks of a run say which of its rates were predicted for want of counts."""

import json

import xarray as xr

from toolkit.records import _predicted
from toolkit.report import provenance


def test_what_has_no_counts_of_its_own_is_said(run) -> None:
    assert provenance.checks(run).note == ""
    run.tree.attrs["predicted"] = json.dumps({"City of London": ["care_starts", "gcse_grade_4"]})
    try:
        said = provenance.checks(run).note
    finally:
        del run.tree.attrs["predicted"]
    assert said.startswith("Without counts of their own, so predicted from region")
    assert said.endswith("City of London (care starts and GCSE grade 4).")


def test_an_area_that_was_not_fitted_or_never_returned_an_indicator_is_predicted(statistics: xr.Dataset) -> None:
    leeds, city = "E08000035", "E09000001"
    assert _predicted(statistics.sel(area=[leeds])) == {}
    assert set(_predicted(statistics.sel(area=[leeds, city]))["City of London"]) == set(statistics["indicator"].values)
    silent = statistics.assign(
        observed=statistics["observed"] & ~((statistics["indicator"] == "care_starts") & (statistics["area"] == leeds))
    )
    assert _predicted(silent.sel(area=[leeds])) == {"Leeds": ["care_starts"]}
