"""Rival structures of the effects by programme: which evidence counts, how effects fade, whose risk; and their weights.

A weight is the probability that the structure is the right one. It cannot be estimated from these data: the shipped
weights are rows of ``structure_weights.csv``, each with its reason, and anyone can give others.
"""

import math
from collections.abc import Mapping

import pandas as pd

from toolkit.schema import InputError
from toolkit.tabular import excerpt

__all__ = ["STRUCTURES", "Weights", "check_structures", "read_weights", "structure_weights"]

STRUCTURES = {
    "scope": ("own", "type", "all"),
    "origin": ("all", "uk"),
    "fade": ("exponential", "plateau", "none"),
    "risk": ("served", "average"),
}
ROUNDING = 0.001  # by which weights may miss one, as thirds do

type Weights = Mapping[str, Mapping[str, float]]


def check_structures(table: pd.DataFrame) -> None:
    """Refuse a table ``structure_weights`` that lacks a choice, has one too many, or whose weights are no shares.

    Raises
    ------
    InputError
        Names the file, the structure or choice, and what is wrong with it.
    """
    for structure, choices in STRUCTURES.items():
        rows = list(table.loc[table["structure"] == structure, "choice"])
        missing = [choice for choice in choices if choice not in rows]
        if missing:
            raise InputError(f"structure_weights.csv: no row of {structure}, {missing[0]}.", fix="add it, or weight 0.")
    structure_weights(table)


def structure_weights(table: pd.DataFrame, weights: Weights | None = None) -> dict[str, dict[str, float]]:
    """Return the weight of each choice by structure, which sum to one: those given, otherwise those of the table.

    Parameters
    ----------
    table
        The table ``structure_weights``.
    weights
        Other weights by structure and choice, such as ``{"scope": {"own": 1}}``. Choices of a structure that are not
        named get 0; structures that are not named keep those of the table.

    Raises
    ------
    InputError
        An unknown structure or choice, a weight below 0, or weights of a structure that do not sum to one.
    """
    shipped: dict[str, dict[str, float]] = {}
    for row in table.to_dict("records"):
        shipped.setdefault(str(row["structure"]), {})[str(row["choice"])] = float(row["weight"])
    _check(shipped, "structure_weights.csv, ")
    _check(weights or {}, "weights of structures: ")
    chosen = {**shipped, **(weights or {})}
    return {
        structure: {
            choice: float(chosen[structure].get(choice, 0.0)) / math.fsum(chosen[structure].values())
            for choice in choices
        }
        for structure, choices in STRUCTURES.items()
    }


def read_weights(text: str) -> dict[str, dict[str, float]]:
    """Return the weights that words ask for, such as "scope=own,fade=none" or "scope=own:0.7+all:0.3".

    Parameters
    ----------
    text
        Structures with commas between them, each with its choices and "+" between these; a choice without a weight
        shares what is left of 1 with the others without one.

    Raises
    ------
    InputError
        Another form, a structure or choice named twice, a weight that is no number, and all that
        :func:`structure_weights` refuses.
    """
    weights: dict[str, dict[str, float]] = {}
    for part in text.split(","):
        name, equals, choices = (word.strip() for word in part.partition("="))
        if not equals or not name or not choices or name in weights:
            raise InputError(
                f"structure '{excerpt(part.strip())}': not a structure with its choice, named once.",
                fix=f"write, for example, scope=own,fade=none; structures are {', '.join(STRUCTURES)}.",
            )
        weights[name] = _shares(name, choices)
    _check(weights, "")
    return weights


def _shares(structure: str, choices: str) -> dict[str, float]:
    given: dict[str, float | None] = {}
    for part in choices.split("+"):
        choice, colon, number = (word.strip() for word in part.partition(":"))
        try:
            weight = float(number) if colon else None
        except ValueError:
            weight = math.nan
        if choice in given or (weight is not None and not math.isfinite(weight)):
            raise InputError(
                f"structure {excerpt(structure)}: '{excerpt(part.strip())}' is not a choice with its weight, named "
                "once.",
                fix="write, for example, scope=own:0.7+all:0.3.",
            )
        given[choice] = weight
    open_ones = [choice for choice, weight in given.items() if weight is None]
    left = 1.0 - math.fsum(weight for weight in given.values() if weight is not None)
    return {choice: left / len(open_ones) if weight is None else weight for choice, weight in given.items()}


def _check(weights: Weights, where: str) -> None:
    for structure, given in weights.items():
        if structure not in STRUCTURES:
            raise InputError(f"{where}no structure '{excerpt(structure)}'.", fix=f"use one of {', '.join(STRUCTURES)}.")
        known = STRUCTURES[structure]
        for choice, weight in given.items():
            if choice not in known:
                raise InputError(
                    f"{where}{structure} has no choice '{excerpt(choice)}'.", fix=f"use one of {', '.join(known)}."
                )
            if not 0 <= weight <= 1:
                raise InputError(
                    f"{where}{structure}, {choice}: a weight of {weight:g} is no share.", fix="give 0 to 1."
                )
        total = math.fsum(given.values())
        if abs(total - 1) > ROUNDING:
            raise InputError(f"{where}the weights of {structure} sum to {total:g}.", fix="make them sum to 1.")
