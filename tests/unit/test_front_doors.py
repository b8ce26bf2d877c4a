"""What a newcomer meets first: the package's parts, its version, how fast it starts, what completion offers."""

import importlib
import json
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

import pytest

import toolkit

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "notebooks").glob("*.ipynb"))
# What a notebook takes from the package, one by one, and every module beside the packages.
TAKEN = {
    f"{package}.{name}"
    for package, names in re.findall(r"from (toolkit[\w.]*) import ([\w, ]+)", NOTEBOOKS)
    for name in names.split(", ")
}
BESIDE = {f"toolkit.{path.stem}" for path in (ROOT / "toolkit").glob("*.py") if path.stem not in ("__init__", "cli")}
# Every change of a model's source calls its committed tables outdated, so these wait for one that changes them anyway.
WAITING = {
    *(f"toolkit.models.unit_costs.{name}" for name in ("modelled_figures", "placements", "pooled")),
    "toolkit.pathways.kernel",
}
HEAVY = ("numpy", "pandas", "xarray", "scipy", "numba", "pymc", "pytensor", "arviz", "matplotlib", "panel", "rich")


def public() -> list[ModuleType]:
    found = []
    for name in sorted((TAKEN | BESIDE) - WAITING):
        try:
            found.append(importlib.import_module(name))
        except ModuleNotFoundError:  # a function or a class
            assert name in TAKEN
    return found


def test_completion_offers_what_is_public_and_nothing_else() -> None:
    for module in public():
        assert dir(module) == sorted(set(module.__all__)), module.__name__
        for name in module.__all__:
            thing = getattr(module, name)
            assert not isinstance(thing, ModuleType) or thing.__name__.startswith("toolkit."), f"{module}: {name}"


def test_the_package_lists_its_parts_and_imports_each_when_it_is_used() -> None:
    assert {"evidence", "models", "report", "scenarios", "workflow", "__version__"} <= set(dir(toolkit))
    code = "import sys, toolkit; toolkit.scenarios.load; print('toolkit.scenarios' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"
    with pytest.raises(AttributeError, match="has no attribute 'modles'"):
        toolkit.modles  # noqa: B018


def test_the_version_is_the_installed_one() -> None:
    assert toolkit.__version__ == version("cost-of-outcomes")


@pytest.mark.parametrize("words", [["--version"], ["--help"], ["run", "--help"]], ids=" ".join)
def test_nothing_heavy_is_imported_where_nothing_is_computed(words: list[str]) -> None:
    code = (
        "import json, sys; from toolkit import cli; sys.argv[1:] = json.loads(sys.argv[1])\n"
        "try:\n    cli.main()\nfinally:\n    print(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code, json.dumps(words)], capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert loaded & set(HEAVY) <= ({"rich"} if "--help" in words else set())


def test_looking_things_up_needs_no_sampler_compiler_or_drawing() -> None:
    code = "import sys; from toolkit import evidence, scenarios; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"numba", "pymc", "pytensor", "arviz", "matplotlib", "scipy.stats"} & set(done.stdout.split())
