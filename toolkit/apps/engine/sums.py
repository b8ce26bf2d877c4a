"""What the main page shows of a scenario at any sum: everything that depends on the children reached, and nothing else.

Arrays are single precision with the draws last, so that a move is a few passes over a few megabytes. Each holds what
would be avoided if every child of a place's stand-ins (:mod:`toolkit.pricing.representative_areas`) were reached.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import xarray as xr

from toolkit import appraisal, costing
from toolkit.measures import quantities as q
from toolkit.measures.budget import BUDGET_YEARS
from toolkit.pricing.place import Desk
from toolkit.schema import ACCOUNTS, SAMPLE_DIMS

YEARS_SHOWN = 31
LEVEL = 0.9  # of every interval
BACK_ROUNDING = 1e-6  # of the cost: an option that gains exactly what it cost is back, whatever single precision says


@dataclass(frozen=True)
class Lines:
    """What is avoided, GBP; where of stand-ins, with each child of theirs reached (node, ..., draw).

    Attributes
    ----------
    by_year
        In each of the first years, of all accounts, real (year, draw).
    running
        Up to each year, discounted, by cumulative account (account, year, draw).
    payer
        Present value by payer (payer, draw).
    cash
        What the council could release in each year of a budget paper, real (year, draw).
    """

    by_year: np.ndarray
    running: np.ndarray
    payer: np.ndarray
    cash: np.ndarray

    @classmethod
    def of_nodes(cls, nodes: Iterable[xr.Dataset]) -> "Lines":
        """Take the lines from what :func:`linear` returns for each stand-in."""
        lines = [_lines(node) for node in nodes]
        return cls(*(np.stack(parts) for parts in zip(*lines, strict=True)))

    def at(self, reach: np.ndarray) -> "Lines":
        """Return the sum over stand-ins that reach so many children (node, draw); ``running`` at the end alone."""
        end = self.running[:, :, -1:]
        return Lines(*(weighed(lines, reach) for lines in (self.by_year, end, self.payer, self.cash)))

    def back(self, reach: np.ndarray, cost: np.ndarray, *, cut: bool) -> np.ndarray:
        """Return the chance of having paid back by each year; for a cut, of being ahead then (account, year).

        Parameters
        ----------
        reach
            Children reached of each stand-in (node, draw).
        cost
            The programme up to each year (year), GBP.
        """
        least = (cost - BACK_ROUNDING * abs(cost)).astype(np.float32)
        lines = zip(np.moveaxis(self.running, 2, 0), least, strict=True)
        # A year at a time, which stays in the processor's cache, and eight draws a byte.
        ahead = np.stack([np.packbits(weighed(line, reach) >= paid, axis=-1) for line, paid in lines], axis=1)
        if not cut:  # once back, back
            np.bitwise_or.accumulate(ahead, axis=1, out=ahead)
        return np.asarray(np.bitwise_count(ahead).sum(-1) / reach.shape[-1])


def _lines(avoided: xr.Dataset) -> list[np.ndarray]:
    parts = (
        avoided["net_position"].isel(year=slice(0, YEARS_SHOWN)).sum("payer"),
        avoided["worth"].astype(float).cumsum("year"),
        avoided["net_position_discounted"].sum("year"),
        avoided["cashable_net_position"].sel(payer=q.COUNCIL).isel(year=slice(0, BUDGET_YEARS)),
    )
    return [part.values.reshape(*part.shape[:-2], -1).astype(np.float32) for part in parts]


def weighed(lines: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the sum over nodes of lines (node, ..., draw) times weights (node, draw)."""
    total = lines[0] * weights[0]
    for line, weight in zip(lines[1:], weights[1:], strict=True):
        total += line * weight
    return np.asarray(total)


@dataclass(frozen=True)
class Terms:
    """When events are paid and what that is worth: as a ``Desk`` has them, without everything else in it."""

    schedule: str | float
    schedules: pd.DataFrame
    worth: np.ndarray
    growth: xr.DataArray
    spread: xr.DataArray
    partly: np.ndarray
    funder: str

    @classmethod
    def of(cls, desk: Desk) -> "Terms":
        """Take the terms of a desk."""
        partly = desk.draws["cashable_share_partly"].transpose(*SAMPLE_DIMS).values
        growth, schedule = desk.growth.astype(np.float32), desk.scenario.discount_schedule
        worth = appraisal.discount_factors(schedule, growth["year"], schedules=desk.schedules).values
        funder = desk.scenario.option.funder
        return cls(schedule, desk.schedules, worth, growth, desk.spread, partly.astype(np.float32), funder)


def linear(saved: xr.DataArray, terms: Terms) -> xr.Dataset:
    """Appraise cost avoided as ``appraisal.appraise`` does, as far as it is in proportion to what is avoided.

    Parameters
    ----------
    saved
        Worth of events avoided (component, event_year, chain, draw), GBP, labelled.
    terms
        Of its pricing.

    Returns
    -------
    Dataset
        ``benefit`` (account, outcome, payer, chain, draw), present value; ``net_position``,
        ``net_position_discounted`` and ``cashable_net_position`` (payer, year, chain, draw); ``worth`` (account, year,
        chain, draw), discounted. Nothing here holds the programme's own cost.
    """
    avoided = costing.over_years(saved, terms.growth, terms.spread).astype(np.float32)
    kinds, years = avoided["discounting"], avoided["year"]
    factors = appraisal.factors_by_kind(kinds, terms.schedule, years, schedules=terms.schedules)
    worth = avoided * factors.astype(np.float32)
    payer = _members(avoided, "payer", q.VOCABULARY["payer"], also=(q.COUNCIL, terms.funder))
    outcome = _members(avoided, "outcome", q.VOCABULARY["outcome"])
    narrowest = np.array([ACCOUNTS.index(name) for name in avoided["account"].values])
    account = {"account": (list(ACCOUNTS), narrowest <= np.arange(len(ACCOUNTS))[:, None])}
    sums = {
        "benefit": _grouped(worth.sum("year"), account | outcome | payer),
        "net_position": _grouped(avoided, payer),
        "net_position_discounted": _grouped(worth, payer),
        "cashable_net_position": _grouped(_cashable(avoided, terms.partly), payer),
        "worth": _grouped(worth, account),
    }
    money = {"units": "GBP", "price_base": saved.attrs["price_base"]}
    stated = {key: factors.attrs[key] for key in ("schedule", "health_schedule", "timing", "base_year")}
    labelled = {name: values.assign_attrs(money) for name, values in sums.items()}
    return xr.Dataset(labelled, attrs={**stated, "level": LEVEL, "price_base": money["price_base"]})


Members = dict[str, tuple[list[str], np.ndarray]]


def _members(values: xr.DataArray, name: str, known: Sequence[str], also: Sequence[str] = ()) -> Members:
    present = [
        label for label in known if label in values[name].values or label in also
    ]  # also who pays for the programme
    return {name: (present, np.equal.outer(np.array(present), values[name].values.astype(str)))}


def _grouped(values: xr.DataArray, groups: Members) -> xr.DataArray:
    """Sum components into groups, each with its members (group, component), in one matrix product."""
    member = np.ones((1, values.sizes["component"]), bool)
    for _, members in groups.values():
        member = (member[:, None] & members).reshape(-1, member.shape[1])
    flows = values.transpose("component", ...)
    summed = member.astype(np.float32) @ flows.values.reshape(len(flows), -1)
    axes = {name: names for name, (names, _) in groups.items()} | {dim: flows[dim].values for dim in flows.dims[1:]}
    return xr.DataArray(summed.reshape([len(labels) for labels in axes.values()]), coords=axes)


def _cashable(avoided: xr.DataArray, partly: np.ndarray) -> xr.DataArray:
    """Return what can leave a budget, in the year in which it does; 0 where nothing can."""
    shares, cash = {"cashable": np.float32(1.0), "partly_cashable": partly}, xr.zeros_like(avoided)
    for place, (grade, lag) in enumerate(zip(avoided["cashability"].values, avoided["lag_years"].values, strict=True)):
        if grade in shares:
            cash[place, lag:] = avoided.values[place, : avoided.sizes["year"] - lag] * shares[grade]
    return cash


@dataclass(frozen=True)
class Numbers:
    """The main page's numbers of one scenario, draws last, GBP.

    Attributes
    ----------
    lines
        What is avoided.
    spent, cost
        The programme each year, real; and up to each year, discounted; negative for a cut.
    reached
        Children a year, without sign.
    curve
        A year's spend plus the lifetime cost it leaves (multiple, draw), social account.
    back
        Chance of having paid back by each year; for a cut, of being ahead then (account, year).
    payers, funder
        Payers in the order of ``lines.payer``, and which of them pays for the programme.
    """

    lines: Lines
    spent: np.ndarray
    cost: np.ndarray
    reached: np.ndarray
    curve: np.ndarray
    back: np.ndarray
    payers: list[str]
    funder: str

    @property
    def avoided(self) -> np.ndarray:
        """Present value of the cost avoided by cumulative account (account, draw)."""
        return self.lines.running[:, -1]

    @cached_property
    def net_payers(self) -> np.ndarray:
        """Present value by payer, the programme's cost being its funder's (payer, draw)."""
        net = self.lines.payer.copy()
        net[self.payers.index(self.funder)] -= np.float32(self.cost[-1])
        return net

    @cached_property
    def council_spent(self) -> np.ndarray:
        """What the council itself spends each year, real (year)."""
        return self.spent * float(self.funder == q.COUNCIL)

    @cached_property
    def cash(self) -> np.ndarray:
        """Council's real cashable position in the years of a budget paper (year, draw)."""
        return self.lines.cash - self.council_spent[: len(self.lines.cash), None].astype(np.float32)


def ends(rows: np.ndarray, level: float = LEVEL) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return mean, lower and upper ends of rows (..., draw), each sorted once."""
    ordered = np.sort(rows, axis=-1)
    tail = (1 - level) / 2
    place = np.array([tail, 1 - tail]) * (ordered.shape[-1] - 1)
    low, high = (
        ordered[..., k] + (p - k) * (ordered[..., k + 1] - ordered[..., k])
        for k, p in zip(place.astype(int), place, strict=True)
    )
    return ordered.mean(axis=-1), low, high
