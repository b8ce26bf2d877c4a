"""What the main page shows of a plan at any sum: everything that moves with the sum, and nothing else.

Arrays are single precision with the draws last, so that a move is a few passes over a few megabytes. Each holds what
would be avoided at the reference sum, to which everything is in proportion.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import xarray as xr

from toolkit import appraisal, costing
from toolkit.measures import quantities as q
from toolkit.measures.budget import BUDGET_YEARS
from toolkit.pricing.desk import Desk
from toolkit.schema import ACCOUNTS, SAMPLE_DIMS

YEARS_SHOWN = 31
LEVEL = 0.9  # of every interval
BACK_ROUNDING = 1e-6  # of the cost: an option that gains exactly what it cost is back, whatever single precision says


@dataclass(frozen=True)
class Lines:
    """What is avoided, GBP.

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
    def of(cls, avoided: xr.Dataset) -> "Lines":
        """Take the lines from what :func:`linear` returns."""
        parts = (
            avoided["net_position"].isel(year=slice(0, YEARS_SHOWN)).sum("payer"),
            avoided["worth"].astype(float).cumsum("year"),
            avoided["net_position_discounted"].sum("year"),
            avoided["cashable_net_position"].sel(payer=q.COUNCIL).isel(year=slice(0, BUDGET_YEARS)),
        )
        return cls(*(part.values.reshape(*part.shape[:-2], -1).astype(np.float32) for part in parts))

    def at(self, times: np.float32) -> "Lines":
        """Return the same at so many times the sum; ``running`` at the end alone."""
        return Lines(self.by_year * times, self.running[:, -1:] * times, self.payer * times, self.cash * times)

    def back(self, times: np.float32, cost: np.ndarray, *, cut: bool) -> np.ndarray:
        """Return the chance of having paid back by each year; for a cut, of being ahead then (account, year).

        Parameters
        ----------
        times
            Times the sum at which the lines were made.
        cost
            What the plan costs up to each year (year, draw), or the same in every draw (year, 1), GBP.
        """
        least = (cost - BACK_ROUNDING * abs(cost)).astype(np.float32)
        lines = zip(np.moveaxis(self.running, 1, 0), least, strict=True)
        # A year at a time, which stays in the processor's cache, and eight draws a byte.
        ahead = np.stack([np.packbits(line * times >= paid, axis=-1) for line, paid in lines], axis=1)
        if not cut:  # once back, back
            np.bitwise_or.accumulate(ahead, axis=1, out=ahead)
        return np.asarray(np.bitwise_count(ahead).sum(-1) / self.running.shape[-1])


@dataclass(frozen=True)
class Terms:
    """When events are paid and what that is worth: as a ``Desk`` has them, without everything else in it."""

    schedule: str | float
    schedules: pd.DataFrame
    worth: np.ndarray
    growth: xr.DataArray
    spread: xr.DataArray
    partly: np.ndarray
    funders: tuple[str, ...]

    @classmethod
    def of(cls, desk: Desk) -> "Terms":
        """Take the terms of a desk."""
        partly = desk.draws["cashable_share_partly"].transpose(*SAMPLE_DIMS).values
        growth, schedule = desk.growth.astype(np.float32), desk.scenario.discount_schedule
        worth = appraisal.discount_factors(schedule, growth["year"], schedules=desk.schedules).values
        funders = desk.scenario.funders
        return cls(schedule, desk.schedules, worth, growth, desk.spread, partly.astype(np.float32), funders)


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
    payer = _members(avoided, "payer", q.VOCABULARY["payer"], also=(q.COUNCIL, *terms.funders))
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
    present = [label for label in known if label in values[name].values or label in also]  # also who pays for the plan
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
    paid
        What the plan costs each year, real, by whose money it is (funder, year, draw), or the same in every draw
        (funder, year, 1); negative for a cut.
    worth
        What a pound of each year is worth at the start (year).
    reached
        Children served in all years together, without sign.
    curve
        A year's spend plus the lifetime cost it leaves (multiple, draw), social account.
    back
        Chance of having paid back by each year; for a cut, of being ahead then (account, year).
    payers, funders
        Payers in the order of ``lines.payer``, and which of them pay for the plan, in the order of ``paid``.
    """

    lines: Lines
    paid: np.ndarray
    worth: np.ndarray
    reached: np.ndarray
    curve: np.ndarray
    back: np.ndarray
    payers: list[str]
    funders: tuple[str, ...]

    @property
    def avoided(self) -> np.ndarray:
        """Present value of the cost avoided by cumulative account (account, draw)."""
        return self.lines.running[:, -1]

    @cached_property
    def costs(self) -> np.ndarray:
        """Present value of what the plan costs each funder (funder, draw) or (funder, 1)."""
        return np.asarray((self.paid * self.worth[:, None]).sum(1))

    @cached_property
    def cost(self) -> np.ndarray:
        """Present value of what the plan costs (draw) or (1)."""
        return np.asarray(self.costs.sum(0))

    @cached_property
    def expected_cost(self) -> float:
        """Expected present value of what the plan costs."""
        return float(self.cost.mean())

    @cached_property
    def spent(self) -> np.ndarray:
        """Return what the plan is expected to cost each year, real (year)."""
        return np.asarray(self.paid.sum(0).mean(-1))

    @cached_property
    def net_payers(self) -> np.ndarray:
        """Present value by payer, the plan's cost being its funders' (payer, draw)."""
        net = self.lines.payer.copy()
        for funder, cost in zip(self.funders, self.costs, strict=True):
            net[self.payers.index(funder)] -= cost.astype(np.float32)
        return net

    @cached_property
    def council_spent(self) -> np.ndarray:
        """What the council itself spends each year, real (year, draw) or (year, 1)."""
        return np.asarray(self.paid[[funder == q.COUNCIL for funder in self.funders]].sum(0))

    @cached_property
    def cash(self) -> np.ndarray:
        """Council's real cashable position in the years of a budget paper (year, draw)."""
        return self.lines.cash - self.council_spent[: len(self.lines.cash)].astype(np.float32)


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
