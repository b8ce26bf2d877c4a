"""What a child newly in need costs as figures, components and settings change one by one, on the same draws.

Which changes, and in which order, is the table ``cost_changes``. A row that acts "before" its step says how things were
until then; one that acts "after" changes them from then on.
"""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import pandas as pd
import xarray as xr

from toolkit import evidence, scenarios
from toolkit.appraisal.bridge import steps
from toolkit.draws import draw_effects, draw_figures
from toolkit.prices import rebase
from toolkit.pricing.areas import Progress, in_batches, silent
from toolkit.pricing.desk import Desk
from toolkit.pricing.place import Place
from toolkit.resolved import resolve
from toolkit.scenarios import Scenario
from toolkit.schema import InputError

__all__ = ["FIRST", "LAST", "cost_steps", "walks"]

FIRST, LAST = "at_first", "in_the_end"
KEYS = {"roles": "role", "cost_components": "component", "layers": "layer"}
HEADLINE = "excess"  # the reading, where no row chooses another


def walks(register: evidence.Register) -> dict[str, pd.DataFrame]:
    """Return the rows of ``cost_changes`` by the walk that they belong to."""
    return {str(name): rows for name, rows in register.tables["cost_changes"].groupby("walk", sort=False)}


def cost_steps(
    changes: pd.DataFrame,
    scenario: Scenario,
    statistics: xr.Dataset,
    fitted: xr.DataTree,
    *,
    areas: list[str],
    folder: Path | None = None,
    progress: Progress = silent,
) -> xr.Dataset:
    """Return the lifetime cost of a child newly in need after each step of a walk, and what each step adds.

    Parameters
    ----------
    changes
        Rows of one walk, from :func:`walks`, their steps in order. By what it ``changes``: a cell of ``roles``,
        ``cost_components`` or ``layers`` (``row``, ``column``, what it ``becomes``; without one the row is left out),
        ``setting`` (a key of the scenario and its JSON), ``draws`` (a role and the number it takes in every draw),
        ``reading``, or ``total`` (a published total, GBP for a child, in place of what is computed).
    scenario
        As it is without the changes.
    statistics, fitted
        Statistics and the fitted outcome model.
    areas
        Area codes, priced together.
    folder
        Data folder; the shipped one by default.
    progress
        Called with the stage's name and the share of it that is done.

    Returns
    -------
    Dataset, dims step, chain, draw
        ``result`` and ``contribution``, GBP in the scenario's prices, of ``FIRST``, each step and ``LAST``; the
        contributions between add up to the difference, exactly and draw by draw.

    Raises
    ------
    InputError
        A change of a row that is not there.
    """
    old = changes.loc[(changes["changes"] == "roles") & (changes["column"] == "id"), "becomes"]
    register = evidence.load_register(include=list(old), folder=folder)
    register = replace(register, figures=register.figures.assign(superseded_by=""))
    names = list(dict.fromkeys(changes["step"]))
    place = changes["step"].map(names.index)
    results = {}
    for done, name in enumerate([FIRST, *names]):
        acting = changes[
            (changes["acts"] == "before") & (place >= done) | (changes["acts"] == "after") & (place < done)
        ]
        share = partial(_part, progress, done / (len(names) + 1), 1 / (len(names) + 1))
        results[name] = _priced(acting, scenario, statistics, fitted, register, areas, progress=share)
    return steps(results).assign_coords(step=[FIRST, *names, LAST])


def _part(progress: Progress, start: float, length: float, stage: str, share: float) -> None:
    progress(stage, start + length * share)


def _priced(
    acting: pd.DataFrame,
    scenario: Scenario,
    statistics: xr.Dataset,
    fitted: xr.DataTree,
    register: evidence.Register,
    areas: list[str],
    *,
    progress: Progress,
) -> xr.DataArray:
    """Return the cost of a child (chain, draw) with the changes that act."""
    kinds = {kind: dict(zip(rows["row"], rows["becomes"], strict=True)) for kind, rows in acting.groupby("changes")}
    register = replace(register, tables=_changed(register.tables, acting))
    settings = {key: json.loads(value) for key, value in kinds.get("setting", {}).items()}
    resolved = resolve(scenarios.change(scenario, **settings), register, statistics, areas=areas)
    like = fitted["posterior"].to_dataset()
    draws = draw_figures(resolved.scenario, resolved.figures, register, like=like)
    fixed = {role: xr.full_like(draws[role], float(value)) for role, value in kinds.get("draws", {}).items()}
    desk = Desk(fitted, statistics, resolved, draws.assign(fixed), draw_effects(resolved, draws))
    money = {"units": "GBP", "price_base": resolved.scenario.price_base}
    if total := next(iter(kinds.get("total", {})), None):
        row = register.figures.loc[total]
        published = rebase(row["value"], row["price_year"], to=money["price_base"], deflators=register.deflators)
        return xr.full_like(draws["share_ever_in_need"], float(published)).assign_attrs(money)
    reading = next(iter(kinds.get("reading", {})), HEADLINE)
    batches = list(in_batches(partial(_summed, desk, reading), areas, "reprice", progress))
    summed = sum(batches[1:], batches[0])
    return (summed["cost"] / summed["children"]).assign_attrs(money)


def _summed(desk: Desk, reading: str, areas: list[str]) -> xr.Dataset:
    parts = []
    for area in areas:
        place = Place(desk, area)
        cost = place.lifetime.sel(reading=reading, drop=True).sum("component") * place.entering
        parts.append(xr.Dataset({"cost": cost, "children": place.entering}).reset_coords(drop=True))
    return sum(parts[1:], parts[0])


def _changed(tables: dict[str, pd.DataFrame], acting: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the register's tables with the cells changed, or the rows left out, that the changes name."""
    changed = dict(tables)
    for one in acting[acting["changes"].isin(list(KEYS))].itertuples():
        table = changed[str(one.changes)]
        at = table[KEYS[str(one.changes)]] == one.row
        if not at.any():
            raise InputError(
                f"cost_changes.csv, {one.step}: {one.changes} has no row '{one.row}'.", fix="name one that it has."
            )
        if one.column:
            whole = pd.api.types.is_integer_dtype(table[one.column])
            cell = int(str(one.becomes)) if whole else one.becomes
            changed[str(one.changes)] = table.assign(**{str(one.column): table[one.column].mask(at, cell)})
        else:
            changed[str(one.changes)] = table[~at]
    return changed


def __dir__() -> list[str]:
    return __all__
