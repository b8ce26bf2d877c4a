"""What a run is made of: the figures, tables and statistics that it used, the code, the day, and who ran it.

All is hashed as it was used, so that a register or statistics changed in memory cannot pass for the shipped ones.
"""

import hashlib
import json
import os
import subprocess
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

import pandas as pd
import xarray as xr

from toolkit import evidence
from toolkit.records import fingerprint
from toolkit.scenarios import Scenario

__all__ = ["checksums_used", "commit", "flagged", "origins"]

PACKAGE = Path(__file__).resolve().parent
GRADES = ("A", "B", "C", "J")


@lru_cache(maxsize=1)
def _shipped(_checksums: tuple[tuple[str, str], ...]) -> evidence.Register:
    """Return the register of the package, read again when its data are sealed again."""
    return evidence.load_register(confidence=GRADES)


def flagged(assumptions: pd.DataFrame, register: evidence.Register) -> pd.DataFrame:
    """Mark as overridden every figure of a run that is not the shipped one, with what was shipped.

    Parameters
    ----------
    assumptions
        From ``scenarios.resolve`` with ``register``.
    register
        The register that the run uses, which may be another than the shipped one.

    Returns
    -------
    DataFrame
        The same with a column ``shipped``: what a changed figure stands in place of, else "".
    """
    shipped = _shipped(tuple(evidence.checksums().items()))
    roles, shipped_roles = (source.tables["roles"].set_index("role").T for source in (register, shipped))
    figures, shipped_figures = register.figures.T, shipped.figures.T
    table = assumptions.assign(shipped="")
    costs, shipped_costs = (source.tables["programme_costs"].set_index("cost_id").T for source in (register, shipped))
    same_figures = register.figures.equals(shipped.figures.reindex(register.figures.index))
    if same_figures and roles.equals(shipped_roles) and costs.equals(shipped_costs):
        return table  # as nearly always, and many times faster
    for role in table.index[~table["overridden"]]:
        if role not in roles:  # what a programme costs
            table.loc[role, "shipped"] = _changed_cost(str(table.loc[role, "id"]), costs, shipped_costs)
            continue
        key = str(table.loc[role, "id"])
        same_role = role in shipped_roles and roles[role].equals(shipped_roles[role])
        before = key if same_role or role not in shipped_roles else str(shipped_roles[role]["id"])
        if before not in shipped_figures:
            table.loc[role, "shipped"] = "no such figure is shipped"
        elif not (same_role and figures[key].equals(shipped_figures[before])):
            table.loc[role, "shipped"] = _was(shipped_figures[before])
    changed = table["shipped"] != ""
    table.loc[changed, "overridden"] = True
    table.loc[changed, "reason"] = "Changed in the register given to this run; " + table.loc[changed, "shipped"]
    return table


def _changed_cost(key: str, costs: pd.DataFrame, shipped: pd.DataFrame) -> str:
    if key not in shipped:
        return "no such figure is shipped"
    return "" if costs[key].equals(shipped[key]) else _was(shipped[key])


def _was(row: pd.Series) -> str:
    return f"shipped: {row['value']:g} {row['unit']} {row['price_year']}".strip()


def checksums_used(register: evidence.Register, statistics: xr.Dataset, folder: Path | None = None) -> dict[str, str]:
    """Return a checksum of every data file, or of what was used instead of it.

    Parameters
    ----------
    register, statistics
        Those that the run uses. Statistics of fewer areas than the files hold are still theirs.
    folder
        The data folder of the run; the shipped one if not given.
    """
    sealed = evidence.checksums(folder)
    used, paths = dict(sealed), {Path(path).stem: path for path in sealed if not path.startswith("statistics/")}
    for name, table in register.tables.items():
        if name not in paths or not table.equals(evidence.load_table(paths[name].removesuffix(".csv"), folder)):
            used[paths.get(name, name)] = _sha256(table.to_csv(index=False).encode())
    whole, areas = _statistics(folder, json.dumps(sealed)), statistics["area"].values
    if not (set(areas) <= set(whole["area"].values) and statistics.equals(whole.sel(area=areas))):
        used = {path: value for path, value in used.items() if not path.startswith("statistics/panel_")}
        used["statistics"] = _sha256(fingerprint(statistics).encode())
    return used


@lru_cache(maxsize=2)
def _statistics(folder: Path | None, checksums: str) -> xr.Dataset:
    """Return the statistics of a data folder, read once while its manifest is the same."""
    return evidence.load_statistics(folder)


def origins(
    scenario: Scenario,
    assumptions: pd.DataFrame,
    register: evidence.Register,
    statistics: xr.Dataset,
    fitted: xr.DataTree,
    *,
    areas: list[str],
    folder: Path | None = None,
) -> dict[str, str]:
    """Return what a run is made of, as attributes of its tree.

    Parameters
    ----------
    scenario, register, statistics, fitted, areas, folder
        What the run used.
    assumptions
        From :func:`flagged`.

    Returns
    -------
    dict
        ``data_checksums`` (:func:`checksums_used`) and ``changed_data``, those that are not the shipped ones, as JSON;
        hashes of what was used: ``figures_hash``, ``register_hash``, ``statistics_hash``, ``fit_hash`` and
        ``code_hash``; ``run_hash`` of them all, the scenario and the areas; ``commit``, ``run_at`` and ``run_by``.
    """
    shipped, used = evidence.checksums(), checksums_used(register, statistics, folder)
    hashes = {
        "figures_hash": fingerprint(assumptions),
        "register_hash": fingerprint(register.figures, *(register.tables[name] for name in sorted(register.tables))),
        "statistics_hash": fingerprint(statistics),
        "fit_hash": fingerprint(fitted["posterior"].to_dataset()),
        "code_hash": fingerprint(*(file.read_bytes() for file in sorted(PACKAGE.rglob("*.py")))),
    }
    return {
        **hashes,
        "run_hash": fingerprint(scenario.hash, areas, hashes),
        "data_checksums": json.dumps(used),
        "changed_data": json.dumps([path for path in used if used[path] != shipped.get(path)]),
        "commit": commit(),
        "run_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "run_by": evidence.user(),
    }


def commit(root: Path = PACKAGE.parent) -> str:
    """Return the commit of the checkout that the code runs from, and whether files differ from it; "" if it is none."""
    if not (root / ".git").exists():
        return ""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}  # set within hooks

    def git(*words: str) -> str:
        command = ["git", "--no-optional-locks", "-C", str(root), *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=20, env=plain, check=True).stdout.strip()

    try:
        changed = git("status", "--porcelain", "--", "toolkit", "data")
        return git("rev-parse", "HEAD") + (" with uncommitted changes" if changed else "")
    except (OSError, subprocess.SubprocessError):  # no git, or a checkout of someone else
        return ""


def _sha256(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def __dir__() -> list[str]:
    return __all__
