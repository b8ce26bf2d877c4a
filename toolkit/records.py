"""One run, one file: the labelled tree that a run leaves, written whole or not at all."""

import importlib.metadata
import json
import os
import tempfile
from pathlib import Path

import pandas as pd
import xarray as xr

from toolkit import evidence
from toolkit.scenarios import Scenario

PACKAGES = ("cost-of-outcomes", "pymc", "nutpie", "arviz", "xarray", "numpy")



def assemble(
    scenario: Scenario,
    assumptions: pd.DataFrame,
    fitted: xr.DataTree,
    draws: xr.Dataset,
    effects: xr.Dataset,
    priced: xr.Dataset,
    result: xr.Dataset,
    card: pd.DataFrame,
    areas: list[str],
    statistics: xr.Dataset,
) -> xr.DataTree:
    posterior = fitted["posterior"].to_dataset()
    names = statistics[["area_name", "region"]].sel(area=areas).reset_coords(drop=False) if areas else statistics
    labels = {
        "area_name": ("area", names["area_name"].values.astype(str)),
        "region": ("area", names["region"].values.astype(str)),
    }
    lives = priced[["lives", "children_entering", "children_reached"]].assign_coords(labels)
    costs = priced.drop_vars(["lives", "children_entering", "children_reached"]).assign_coords(labels)
    tree = xr.DataTree.from_dict(
        {
            "assumptions/figures": assumptions.astype(str).to_xarray(),
            "assumptions/draws": draws,
            "posterior": posterior.sel(area=areas),
            "effects": effects,
            "lives": lives,
            "costs": costs,
            "appraisal": result,
            "checks": card.astype(str).rename_axis("check_number").to_xarray(),
        }
    )
    tree.attrs = {
        "title": scenario.title,
        "scenario": scenario.model_dump_json(),
        "scenario_hash": scenario.hash,
        "seed": scenario.seed,
        "areas": json.dumps(areas),
        "checks_passed": int(bool(card["passed"].all())),
        "data_checksums": json.dumps(evidence.checksums()),
        "versions": json.dumps(
            {name: importlib.metadata.version(name) for name in PACKAGES}
        ),
        "price_base": scenario.price_base,
        "first_year": scenario.first_year,
    }
    return tree


def write_netcdf(tree: xr.DataTree, path: Path) -> None:
    """Write a tree beside ``path`` and move it into place, so that no half-written file ever stands there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(suffix=".nc", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        encoding = {
            group.path: {
                str(key): {"zlib": True, "complevel": 1, "dtype": "float32"}
                for key, variable in group.dataset.data_vars.items()
                if variable.dtype.kind == "f" and variable.size > 10_000
            }
            for group in tree.subtree
        }
        tree.to_netcdf(temporary, engine="netcdf4", encoding=encoding)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def open_netcdf(path: Path) -> xr.DataTree:
    with xr.open_datatree(path, engine="netcdf4") as tree:
        return tree.load()
