"""Rates that region and deprivation predict for each area, for comparison with its own rate."""

import numpy as np
import xarray as xr

from toolkit.models.outcomes.forecast import from_link
from toolkit.models.outcomes.rates import linear_predictor
from toolkit.schema import InputError


def expected_rates(fitted: xr.DataTree) -> xr.DataArray:
    """Return the rate of a typical area of each area's region and child low income, in each indicator's base year.

    Spending and further covariates are those of the mean area. The area's own level and its deviation of the year are
    left out.

    Parameters
    ----------
    fitted
        From ``workflow.fit``, with its ``baseline_rate``.

    Returns
    -------
    DataArray
        (chain, draw, indicator, area), as ``baseline_rate``.

    Raises
    ------
    InputError
        If the fit has no ``baseline_rate``.
    """
    draws, design = fitted["posterior"].to_dataset(), fitted["constant_data"].to_dataset()
    if "baseline_rate" not in draws:
        raise InputError("posterior: no 'baseline_rate'.", fix="pass the result of workflow.fit.")
    regions = design["region_name"].values[design["region_index"].values]
    apart = draws["region_effect"].sel(region_name=xr.DataArray(regions, dims="area")).drop_vars("region_name")
    years = draws["baseline_rate"]["base_year"].values
    parts = []
    for name, year in zip(design["indicator"].values, years, strict=True):
        at = {"indicator": name, "data_year": [year]}
        own, cells = draws.sel(at), design.sel(at).reset_coords(drop=True)
        level = own["intercept"] + own["low_income"] * cells["low_income_between"]
        level = level + apart.sel(indicator=name).assign_coords(area=cells["area"])
        usual = {part: xr.zeros_like(cells[part]) for part in ("spend_within", "covariate_within") if part in cells}
        eta = linear_predictor(own.assign(area_effect=level), cells.assign(usual)).isel(data_year=0, drop=True)
        parts.append(from_link(eta, int(cells["likelihood"])).reset_coords(drop=True).astype(np.float32))
    rates = xr.concat(parts, xr.Variable("indicator", design["indicator"].values))
    return rates.transpose("chain", "draw", "indicator", "area").rename("expected_rate").assign_attrs(units="1")
