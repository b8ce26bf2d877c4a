"""A figure of the user's own in place of a cited one, within plausible bounds."""

import difflib
from typing import Annotated

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, model_validator

from toolkit.evidence.own import MOST_TIMES
from toolkit.prices import PriceYear, rebase
from toolkit.schema import InputError
from toolkit.tabular import excerpt

FASTEST_GROWTH = 0.2  # a year, either way: about three times the fastest that is cited
SHARES = ("proportion", "at point in time")

Number = Annotated[float, Field(strict=True)]  # strict: neither yes nor "12" is a number


class Override(BaseModel):
    """A figure of the user's own in place of a cited one; the reason is printed beside it."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)
    value: Number
    """The figure, in the unit of the cited one."""
    low: Number | None = None
    """Lower end of its interval."""
    high: Number | None = None
    """Upper end of its interval."""
    interval_level: Annotated[float, Field(strict=True, gt=0, lt=1)] | None = None
    """Probability that the interval holds the true value."""
    price_year: PriceYear | None = None
    """Financial year of its prices, such as 2024/25; of money only."""
    reason: Annotated[str, Field(min_length=5)]
    """Why, in words that the report prints beside it."""

    @model_validator(mode="after")
    def _interval_is_whole(self) -> "Override":
        bounds = (self.low, self.high)
        if any(bound is None for bound in bounds) and any(bound is not None for bound in bounds):
            raise ValueError("low and high go together: give both or neither")
        if self.low is not None and self.high is not None:
            if self.interval_level is None:
                raise ValueError("an interval without a level: add interval_level, for example 0.9")
            if not self.low <= self.value <= self.high:
                raise ValueError("value lies outside low-high")
        return self


def apply_override(table: pd.DataFrame, key: str, override: Override, deflators: pd.Series) -> None:
    """Put a figure of the user's own into a run's figures, in place, flagged with its reason.

    Parameters
    ----------
    table
        Figures by role, from ``scenarios.resolve``.
    key
        A role, or the id of a figure that one or more roles use.
    override
        What stands in its place.
    deflators
        From :func:`toolkit.prices.deflators`.

    Raises
    ------
    InputError
        No such figure, money without a price year, or an implausible value or end of its interval: a share
        outside 0 to 1, growth past ``FASTEST_GROWTH``, anything beyond ``MOST_TIMES`` times the cited value or under
        that part of it (a share may be less).
    """
    rows = table.index[(table["id"] == key) | (table.index == key)]
    if rows.empty:
        close = difflib.get_close_matches(key[:60], dict.fromkeys([*table["id"], *table.index]), n=3)
        hint = f"did you mean {', '.join(close)}?" if close else "see `outcomes scenario check` for those it uses."
        raise InputError(f"overrides.{excerpt(key)}: this run uses no such figure.", fix=f"{hint}")
    for role in rows:
        if str(table.loc[role, "unit"]).startswith("GBP") and override.price_year is None:
            raise InputError(
                f"overrides.{key}: money without a price base.", fix="add price_year, for example '2025/26'."
            )
        _check(key, table.loc[role], override, deflators)
        given = override.model_dump(exclude={"reason"}, exclude_none=True)
        table.loc[role, ["low", "high", "interval_level", "interval_kind"]] = [float("nan")] * 3 + [""]
        for column, value in given.items():
            table.loc[role, column] = value
        if override.low is not None:
            table.loc[role, "interval_kind"] = "range"
        table.loc[role, "overridden"] = True
        table.loc[role, "reason"] = override.reason


def _check(key: str, cited: pd.Series, override: Override, deflators: pd.Series) -> None:
    unit, known = str(cited["unit"]), float(cited["value"])
    for name in ("value", "low", "high"):
        value = getattr(override, name)
        if value is None:
            continue
        if unit.startswith("annual rate"):
            fits, bound = abs(value) <= FASTEST_GROWTH, f"within {FASTEST_GROWTH:g} either way, as 0.03 for 3%"
        elif unit in SHARES:
            most = min(1.0, MOST_TIMES * known)
            fits, bound = 0 <= value <= most, f"from 0 to {most:g}, as 0.03 for 3%"
        else:
            real = value
            if unit.startswith("GBP"):
                real = rebase(value, str(override.price_year), to=str(cited["price_year"]), deflators=deflators)
            fits = known / MOST_TIMES <= real <= MOST_TIMES * known
            bound = f"within {MOST_TIMES:g} times it"
        if not fits:
            raise InputError(
                f"overrides.{key}: {name} {value:g} cannot stand for the cited {known:,.5g} ({unit}): it must be "
                f"{bound}.",
                fix="check the decimal point and the unit.",
            )
