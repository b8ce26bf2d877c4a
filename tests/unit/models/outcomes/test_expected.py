"""What region and deprivation predict, against sums by hand and against the areas of a real fit."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from scipy.special import expit

from tests.conftest import LEEDS
from toolkit import evidence, workflow
from toolkit.models import expected_rates
from toolkit.models.outcomes.likelihoods import BETA_BINOMIAL, NEGATIVE_BINOMIAL
from toolkit.schema import InputError

NAMES, AREAS, YEARS = ["share", "rate"], ["one", "other"], [2023, 2024]


def fit() -> xr.DataTree:
    random = np.random.default_rng(3)
    sample = {"chain": [0, 1], "draw": [0, 1, 2]}

    def drawn(**more: list) -> xr.DataArray:
        coords = {**sample, "indicator": NAMES, **more}
        return xr.DataArray(random.normal(size=[len(values) for values in coords.values()]), coords)

    posterior = {name: drawn() for name in ("intercept", "low_income", "low_income_within", "spend_within")}
    posterior["weather_within"] = drawn()
    posterior |= {"region_effect": drawn(region_name=["North", "South"]), "year_effect": drawn(data_year=YEARS)}
    posterior["area_effect"] = drawn(area=AREAS)
    base = drawn(area=AREAS).assign_coords(base_year=("indicator", [2024, 2023]))
    cells = {"indicator": NAMES, "area": AREAS, "data_year": YEARS}
    design = {
        "likelihood": ("indicator", [BETA_BINOMIAL, NEGATIVE_BINOMIAL]),
        "low_income_between": (("indicator", "area"), [[0.5, -0.5], [0.4, -0.4]]),
        "low_income_within": (("indicator", "area", "data_year"), random.normal(size=(2, 2, 2))),
        "spend_within": (("indicator", "area", "data_year"), random.normal(size=(2, 2, 2))),
        "covariate_within": (("covariate", "indicator", "area", "data_year"), random.normal(size=(1, 2, 2, 2))),
        "region_index": ("area", [1, 0]),
    }
    constant = xr.Dataset(design, cells | {"covariate": ["weather"], "region_name": ["North", "South"]})
    return xr.DataTree.from_dict(
        {"posterior": xr.Dataset(posterior).assign(baseline_rate=base), "constant_data": constant}
    )


def test_a_typical_areas_rate_is_region_deprivation_and_year_and_nothing_else() -> None:
    tree = fit()
    rates = expected_rates(tree)
    draws, design = tree["posterior"].to_dataset(), tree["constant_data"].to_dataset()
    for name, year, link in (("share", 2024, expit), ("rate", 2023, np.exp)):
        for area, region in (("one", "South"), ("other", "North")):
            at = {"chain": 1, "draw": 2, "indicator": name}
            one, cell = draws.sel(at), design.sel(indicator=name, area=area)
            eta = one["intercept"] + one["region_effect"].sel(region_name=region)
            eta = eta + one["low_income"] * cell["low_income_between"] + one["year_effect"].sel(data_year=year)
            eta = eta + one["low_income_within"] * cell["low_income_within"].sel(data_year=year)
            assert float(rates.sel({**at, "area": area})) == pytest.approx(float(link(eta)), rel=1e-6)


def test_a_fit_without_its_base_rates_is_refused() -> None:
    tree = fit()
    tree["posterior"] = xr.DataTree(tree["posterior"].to_dataset().drop_vars("baseline_rate"))
    with pytest.raises(InputError, match="baseline_rate"):
        expected_rates(tree)


@pytest.mark.long
@pytest.mark.fit
def test_areas_of_a_real_fit_lie_about_what_is_predicted_of_them(
    small_run: workflow.Run, fit_cache: Path, dozen: xr.Dataset
) -> None:
    fitted = workflow.fit(dozen, small_run.scenario, evidence.load_register(), cache=fit_cache)
    rates = expected_rates(fitted)
    own = fitted["posterior"]["baseline_rate"]
    np.testing.assert_array_equal(
        rates.sel(area=[LEEDS]), small_run.tree["posterior"]["expected_rate"].sel(area=[LEEDS])
    )
    apart = np.log(own / rates).mean(("chain", "draw")).sel(area=dozen["fitted"].values)
    # Levels of areas are drawn about what is predicted, so over areas the mean distance is small beside its spread.
    spread = apart.std("area")
    assert (abs(apart.mean("area")) < 3 * spread / apart.sizes["area"] ** 0.5 + 0.1).all()
    assert (spread > 0.01).all()
