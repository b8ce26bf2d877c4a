"""The three lists of dependencies say the same: pyproject.toml, requirements.lock and environment.yml."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
LOCK = (ROOT / "requirements.lock").read_text()
PINS = {
    canonicalize_name(name): version
    for name, version in re.findall(r"^([\w.-]+)==([^\s;\\]+)", LOCK, flags=re.MULTILINE)
}
DECLARED = [Requirement(line) for group in [PROJECT["dependencies"], *EXTRAS.values()] for line in group]


@pytest.fixture(scope="module")
def conda():
    return yaml.safe_load((ROOT / "environment.yml").read_text())


def test_conda_environment_installs_this_project_with_its_extras(conda):
    (nested,) = [entry for entry in conda["dependencies"] if isinstance(entry, dict)]
    (line,) = nested["pip"]
    project = re.fullmatch(r"-e \.\[([\w,]+)\]", line)
    assert project, f"{line!r} does not install this folder with extras"
    assert set(project[1].split(",")) == EXTRAS.keys() - {"dev"}


def test_conda_environment_leaves_every_other_package_to_pyproject(conda):
    plain = [Requirement(entry) for entry in conda["dependencies"] if isinstance(entry, str)]
    assert {entry.name for entry in plain} == {"python", "pip"}
    python = next(entry for entry in plain if entry.name == "python")
    assert str(python.specifier) == PROJECT["requires-python"]
    assert conda["name"] == PROJECT["name"]


def test_default_python_is_one_the_project_supports():
    (default,) = (ROOT / ".python-version").read_text().split()
    assert Requirement(f"python{PROJECT['requires-python']}").specifier.contains(default)
    assert f"Programming Language :: Python :: {default}" in PROJECT["classifiers"]


@pytest.mark.parametrize("requirement", DECLARED, ids=str)
def test_lock_pins_what_pyproject_declares(requirement):
    pin = PINS.get(canonicalize_name(requirement.name))
    assert pin, f"{requirement.name} is not in requirements.lock: run make lock"
    assert requirement.specifier.contains(pin), f"{requirement.name} {pin}: run make lock"


def test_every_pin_carries_hashes():
    blocks = re.split(r"^(?=[\w.-]+==)", LOCK, flags=re.MULTILINE)[1:]
    assert len(blocks) == len(re.findall("==", re.sub(r"#.*|;.*", "", LOCK)))
    assert [block.split()[0] for block in blocks if "--hash=sha256:" not in block] == []


def test_lock_holds_no_address():
    assert re.findall(r"https?:|file:|git\+|--(?:extra-)?index|--find-links", LOCK) == []
