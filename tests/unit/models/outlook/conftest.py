"""A panel and a posterior small enough to work out by hand."""

import numpy as np
import pytest
import xarray as xr

from toolkit import evidence
from toolkit.models.outlook.series import SERIES, to_series

PARAMETERS = {"growth": 0.03, "step": 1e-9, "memory": 0.0, "area_sd": 1.0, "spread": 0.1, "size_power": 0.0}
PARAMETERS |= {"gain": 0.0, "first_gain": 1.0, "tail": 30.0}


def sure_posterior(series: xr.Dataset, *, draws: int = 3, **changed) -> xr.Dataset:
    """A posterior without doubt: England grows by 3 per cent a year and no surprise lasts."""
    regions = np.unique(series["region"])
    last, years = series["value"].isel(data_year=-1).mean("area"), series["data_year"]
    full = {"chain": [0, 1], "draw": np.arange(draws), "series": list(SERIES)}
    ones = xr.DataArray(np.ones((2, draws, len(SERIES))), full, tuple(full))
    parts = {name: value * ones for name, value in (PARAMETERS | changed).items()}
    national = (last + PARAMETERS["growth"] * (years - years[-1])) * ones
    parts["national"] = national.transpose("chain", "draw", "series", "data_year")
    parts["region_effect"] = 0.0 * ones.expand_dims(region=regions, axis=-1)
    unrelated = xr.DataArray(np.eye(len(SERIES)), {"series": list(SERIES), "series_other": list(SERIES)})
    return xr.Dataset(parts).assign(correlation=unrelated)


@pytest.fixture(scope="session")
def care_series() -> xr.Dataset:
    return to_series(evidence.care_panel())
