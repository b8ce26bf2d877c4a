"""A small outlook made by hand, for tests of what is built upon one."""

import numpy as np
import xarray as xr

from toolkit.models.outlook.dataset import LAST, LATEST, PLACEMENTS, assemble

SHARES, PRICES = (0.67, 0.13, 0.12, 0.08), (800.0, 7500.0, 1400.0, 400.0)


def small_outlook(areas=("E08000035", "E06000001"), *, chains=2, draws=5, seed=1) -> xr.Dataset:
    """Return an outlook of areas with 1,000 children each, half of them more or less by 2035, at growing prices."""
    random, years = np.random.default_rng(seed), np.arange(LATEST, LAST + 1)
    coords = {"chain": np.arange(chains), "draw": np.arange(draws), "area": list(areas), "year": years}
    coords["placement"] = list(PLACEMENTS)

    def array(values, *dims):
        full = np.broadcast_to(values, [len(coords[dim]) for dim in dims])
        return xr.DataArray(full.copy(), {dim: coords[dim] for dim in dims}, dims)

    dims = ("chain", "draw", "area", "year")
    ahead, growth = np.arange(len(years)), random.uniform(-0.05, 0.05, (chains, draws, len(areas), 1))
    stock = array(1000 * np.exp(growth * ahead), *dims)
    children = stock * array(np.array(SHARES), "placement")
    real = array(1.03**ahead, "year") * array(np.array(PRICES), "placement")
    return assemble(
        children=children,
        unaccompanied=0.08 * stock,
        starts=0.4 * stock,
        difference=0.005 * stock,
        ends_latest=array(400.0, "area"),
        price=real * xr.ones_like(stock),
        factor=array(1.2, *dims),
        safeguarding=array(2e7, *dims),
        to_cash=array(1.02 ** (ahead - 1.0), "year"),
        baseline="model",
        price_growth="fade",
        seed=seed,
    ).assign_coords(area_name=("area", [f"Area {area}" for area in areas]), region=("area", ["North"] * len(areas)))
