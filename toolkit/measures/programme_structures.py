"""What a programme avoids under each rival structure, how far these agree, and what knowing the right one is worth."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from toolkit import appraisal
from toolkit.evidence import STRUCTURES
from toolkit.schema import SAMPLE_DIMS

__all__ = ["EVERY", "LEVEL", "by_structure", "chances"]

LEVEL = 0.90
EVERY = "every"  # structure: the average over all
VALUES = ("value_of_knowing", "value_of_chance")


def by_structure(compared: xr.Dataset, programme: str, *, level: float = LEVEL) -> pd.DataFrame:
    """Return what one programme avoids under each choice of structure, means over the draws of each.

    Parameters
    ----------
    compared
        From `toolkit.programmes.compare`.
    programme
        Its name.
    level
        Of the intervals.

    Returns
    -------
    DataFrame
        A row for every structure together (``structure`` "every", ``choice`` blank), then one for each choice that some
        draw has. ``share`` of draws; ``counted``, whether any effect counts under it, without which the rest is blank;
        ``avoided_fiscal`` for the public purse for a pound spent, with ``_low`` and ``_high``, and ``_mcse``, its Monte
        Carlo standard error: benefit expected under the choice over expected cost, so that choices average to every
        structure together; ``chance_pays_fiscal``; ``chance_of_harm``; ``value_of_knowing`` which choice of the
        structure is right (in the first row, of all structures at once), GBP for each child who could be served, if the
        decision is to buy or not to buy for the public purse, and ``value_of_chance``, what choices without meaning
        give by luck of the draw: no more than that is no value.
    """
    one = compared.sel(programme=programme)
    worth = appraisal.account_total(one["avoided"], "fiscal").transpose(*SAMPLE_DIMS).values.ravel()
    cost = one["cost"].transpose(*SAMPLE_DIMS).values.ravel()
    priced = bool(np.isfinite(cost).all())
    rows: list[dict[str, Any]] = []
    for structure, choices in _choices(compared).items():
        known = _value_of_knowing(one, structure) if priced else (np.nan, np.nan)
        for choice, chosen in choices.items():
            row = {"structure": structure, "choice": choice, "share": chosen.mean()}
            rows.append(row | _of(worth, cost, chosen, level) | dict(zip(VALUES, known, strict=True)))
    return pd.DataFrame(rows)


def _choices(compared: xr.Dataset) -> dict[str, dict[str, np.ndarray]]:
    """Return which draws each choice has, by structure, those that none has left out."""
    every = {EVERY: {"": np.ones(compared["scope"].size, bool)}}
    parts = {}
    for name in STRUCTURES:
        index = compared[name].transpose(*SAMPLE_DIMS).values.ravel()
        named = enumerate(compared[name].attrs["choices"])
        parts[name] = {str(choice): index == place for place, choice in named if (index == place).any()}
    return every | parts


def _of(worth: np.ndarray, cost: np.ndarray, chosen: np.ndarray, level: float) -> dict[str, Any]:
    here, counted = worth[chosen], bool((worth[chosen] != 0).any())
    names = [f"avoided_fiscal{end}" for end in ("", "_low", "_high", "_mcse")]
    row = {"counted": counted, **dict.fromkeys([*names, "chance_pays_fiscal", "chance_of_harm"], np.nan)}
    if counted:
        row["chance_of_harm"] = float((here < 0).mean())
    expected = cost.mean()
    if counted and np.isfinite(expected):
        ends = np.quantile(here, [(1 - level) / 2, (1 + level) / 2])
        error = (here - here.mean() / expected * cost[chosen]).std() / np.sqrt(here.size)
        row |= dict(zip(names, np.array([here.mean(), *ends, error]) / expected, strict=True))
        row["chance_pays_fiscal"] = float((here > cost[chosen]).mean())
    return row


def _value_of_knowing(one: xr.Dataset, structure: str) -> tuple[float, float]:
    """Return the value of knowing a structure for the decision to buy or not, and what shuffled ones give; GBP."""
    gain = appraisal.account_total(one["avoided"], "fiscal") - one["cost"]
    options = xr.concat([xr.zeros_like(gain), gain], xr.Variable("option", ["leave", "buy"])).reset_coords(drop=True)
    code = xr.zeros_like(one["scope"])
    for name, choices in STRUCTURES.items():
        if structure in (EVERY, name):
            code = code * len(choices) + one[name]
    value = appraisal.evppi_of_category(options, code.reset_coords(drop=True))
    return float(value["evppi"]), float(value["noise_floor"])


def chances(one: xr.Dataset) -> Iterator[tuple[float, float]]:
    """Return by choice of structure the chances that the public purse gains and that it pays more.

    Parameters
    ----------
    one
        One programme's part of a comparison; choices under which nothing counts are left out.
    """
    worth = appraisal.account_total(one["avoided"], "fiscal").transpose(*SAMPLE_DIMS).values.ravel()
    cost = one["cost"].transpose(*SAMPLE_DIMS).values.ravel()
    for choices in _choices(one).values():
        for chosen in choices.values():
            if (worth[chosen] != 0).any():
                yield float((worth > cost)[chosen].mean()), float((worth < 0)[chosen].mean())
