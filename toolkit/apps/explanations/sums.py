"""Numbers that are sums of a run's draws: what is added up, in words and in the run's own numbers, and the draws."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from toolkit.apps.engine.page_values import spend_multiple
from toolkit.apps.explanations.formulas import Formula
from toolkit.measures import headline
from toolkit.measures import quantities as q
from toolkit.measures import words as w
from toolkit.measures.budget import BUDGET_YEARS
from toolkit.measures.quantities import Run
from toolkit.schema import SAMPLE_DIMS, InputError

ALL, ADDENDS = "All", 4
EXCESS = (
    "Gross: everything used × its price. Excess: (use − what all children of the same age and area use) × the share "
    "that would vanish with the outcome × price. Excess over never in need: the same with children never in need, "
    "whose use is what children ever in need leave of all children’s. By component, then added up; none is a saving."
)
ADDED = {  # what is added up: as a gain, as a loss
    "avoided": ("of cost avoided", "of cost caused"),
    "programme": ("of spending taken away", "spent"),
    "released": ("of cash released", "of cash no longer released"),
    "spend": ("of spending", "of spending taken away"),
    "left": ("of excess cost at today’s spend", "of excess cost at today’s spend"),
    "saved": ("of cost caused", "of cost avoided"),
    "with_it": ("with it", "of loss with it"),
    "before": ("of loss before it", "before it"),
}


@dataclass(frozen=True)
class Kind:
    """Numbers that are alike in all but what they are of.

    Attributes
    ----------
    title
        Its dims' names in braces, and {cost} for what a reading of the cost of a cohort is called, {year} of a year.
    words
        The formula.
    draws
        Of all of them (dims, "part" where several are added up, chain, draw).
    dims
        The parts of a key after the kind, in order; "All" adds up.
    say
        How the number reads; ``w.percent`` is of draws that are one or zero.
    """

    title: str
    words: tuple[str, ...]
    draws: Callable[[Run], xr.DataArray]
    dims: tuple[str, ...] = ()
    say: Callable[[float], str] = w.money

    def __call__(self, run: Run, *names: str) -> Formula:
        """Return the formula of one of them."""
        drawn, chosen = self.draws(run), {dim: f"all {dim}s" for dim in self.dims}
        for dim, name in zip(self.dims, names, strict=True):
            if name != ALL:
                drawn, chosen[dim] = at(run, drawn, dim, name)
        cost = w.counted("lifetime cost", run.scenario.horizon)
        costs = {name: w.costed(chosen.get("reading", ""), what) for name, what in (("cost", cost), ("year", "cost"))}
        whole = drawn.sum([dim for dim in drawn.dims if dim not in SAMPLE_DIMS], skipna=False)
        in_numbers = counted if self.say is w.percent else added
        return Formula(
            self.title.format(**costs | chosen),
            self.words,
            lambda run: in_numbers(run, drawn, whole, self.say),
            lambda _: whole,
            self.say,
        )


def unknown(name: str) -> InputError:
    """Return the error for a key that no number has."""
    return InputError(f"{name[:60]!r}: no number of this page.", fix="press one of the underlined numbers.")


def at(run: Run, array: xr.DataArray, dim: str, name: str) -> tuple[xr.DataArray, str]:
    """Return the part of an array with a label, as a reader or the code spells it, and the reader's label."""
    for value, label in zip(array[dim].values, _labels(run, dim, array[dim].values), strict=True):
        if name in (str(value), label):
            return array.sel({dim: value}), label
    raise unknown(name)


def _labels(run: Run, dim: str, values: Any) -> list[str]:
    if dim == "area":
        return q.area_names(run)
    if dim == "year":
        return [w.financial_year(run.scenario.first_year, int(year)) for year in values]
    return [f"{value:.4g}" if dim == "multiple" else w.label(value) for value in values]


# The sum in numbers ------------------------------------------------------------------------------


def added(run: Run, drawn: xr.DataArray, whole: xr.DataArray, say: Callable[[float], str]) -> str:
    """Return in words what is added up, the largest first, and the sum."""
    total = headline.estimate(run, whole)
    interval = f", 90% interval {w.interval(total.lower, total.upper, say)}" if total.interval else ", in every draw"
    dims = [str(dim) for dim in drawn.dims if dim not in SAMPLE_DIMS]
    if not dims:
        return f"{say(total.expected)}{interval}"
    shown = "part" if "part" in dims else dims[0]
    means = drawn.sum([dim for dim in dims if dim != shown]).mean(SAMPLE_DIMS)
    parts = sorted(
        zip(map(str, means[shown].values), means.values.tolist(), strict=True), key=lambda part: -abs(part[1])
    )
    parts = [part for part in parts if part[1]]
    if len(parts) < 2:
        whose = "" if shown == "part" or not parts else f", all of it {_part(*parts[0])}"
        return f"{say(total.expected)}{whose}{interval}"
    if len(parts) > ADDENDS + 1:
        parts = [*parts[:ADDENDS], ("all else", sum(mean for _, mean in parts[ADDENDS:]))]
    parts.sort(key=lambda part: part[1] < 0)
    text = "".join(f" {w.MINUS if mean < 0 else '+'} {say(abs(mean))} {_part(name, mean)}" for name, mean in parts)
    return f"{text.removeprefix(' + ').strip()} = {say(total.expected)}{interval}"


def _part(name: str, mean: float) -> str:
    return ADDED[name][mean < 0] if name in ADDED else w.inside(name)


def counted(_run: Run, _drawn: xr.DataArray, whole: xr.DataArray, say: Callable[[float], str]) -> str:
    """Return in words in how many draws something is true."""
    return f"{int(whole.sum()):,} of {whole.size:,} draws = {say(float(whole.mean()))}"


def _parts(**parts: Any) -> xr.DataArray:
    """Return arrays side by side as what is added up."""
    return xr.Dataset(parts).to_dataarray("part")


# Draws of each kind ------------------------------------------------------------------------------


def spent(run: Run) -> xr.DataArray:
    """Return what the plan costs in each year (year, chain, draw)."""
    return q.spending(run).sum("payer")


def council_spent(run: Run) -> xr.DataArray:
    """Return what the council itself spends on the plan in each year (year, chain, draw)."""
    by_payer = q.spending(run)
    return by_payer.where(by_payer["payer"] == q.COUNCIL, 0.0).sum("payer")


def social(run: Run) -> xr.DataArray:
    """Return the present value of the cost avoided of all accounts (outcome, payer, chain, draw)."""
    return q.result(run)["benefit"].sel(account="social", drop=True)


def worth(run: Run) -> xr.DataArray:
    """Return cost avoided and what the plan costs, by cumulative account (part, account, chain, draw)."""
    return _parts(avoided=q.avoided(run), programme=-q.result(run)["programme_cost"])


def payer_net(run: Run) -> xr.DataArray:
    """Return the same by payer."""
    position = q.position(run)
    return _parts(avoided=position["avoided"], programme=-position["programme"])


def yearly(run: Run) -> xr.DataArray:
    """Return real cost avoided of all accounts (payer, year, chain, draw)."""
    net = q.result(run)["net_position"]
    return net + q.spending(run).reindex(payer=net["payer"].values, fill_value=0.0)


def cash(run: Run) -> xr.DataArray:
    """Return the council’s real cash by year of a budget paper (part, year, chain, draw)."""
    paid = council_spent(run)
    return _parts(released=q.council_cash(run) + paid, programme=-paid).isel(year=slice(0, BUDGET_YEARS))


def running_cash(run: Run) -> xr.DataArray:
    """Return the same up to each year."""
    flows = cash(run)
    return flows.cumsum("year").assign_coords(year=flows["year"])


def curve(run: Run) -> xr.DataArray:
    """Return a year's spend and the cost that is left of the cohort (part, multiple, chain, draw)."""
    saved = q.by_account(q.priced(run, "curve_avoided")).sel(account="social", drop=True)
    today = q.by_account(q.lifetime(run).sel(reading="excess", drop=True)).sel(account="social", drop=True)
    return _parts(spend=q.costs(run)["curve_spend"], left=today, saved=-saved)


def change(run: Run) -> xr.DataArray:
    """Return how the curve differs from today’s spend."""
    both = curve(run).sel(part=["spend", "saved"])
    return both - both.sel(multiple=1.0, drop=True)


def here(run: Run, cost: xr.DataArray) -> xr.DataArray:
    """Return a curve at the plan's own sum, between the spends it was priced at."""
    cost = cost.astype(float)
    return cost.interp(multiple=np.clip(spend_multiple(run), *cost["multiple"].values[[0, -1]]))  # type: ignore[arg-type]


def grid(cost: xr.DataArray) -> xr.DataArray:
    """Return components' cost by outcome and payer."""
    payers = [p for p in q.VOCABULARY["payer"] if p in cost["payer"].values]
    parts = [q.by(cost.isel(component=np.flatnonzero(cost["payer"].values == p)), "outcome") for p in payers]
    return xr.concat(parts, xr.Variable("payer", payers), join="outer", fill_value=0.0).transpose("outcome", ...)


def bridge(run: Run) -> xr.DataArray:
    """Return the net value with each adjustment, and before it (part, step, account, chain, draw)."""
    steps = q.bridge(run)
    before = (steps["result"] - steps["contribution"]).fillna(0.0)
    return _parts(with_it=steps["result"], before=-before)


def as_numbers(truth: xr.DataArray) -> xr.DataArray:
    """Return truth values as ones and zeros."""
    return truth.astype(float).reset_coords(drop=True)


def harm(run: Run) -> xr.DataArray:
    """Return the draws in which help adds to cost."""
    return as_numbers(q.direction(run) * q.avoided(run).sel(account="social") < 0)


def gain(run: Run, account: str) -> xr.DataArray:
    """Return the net present value of an account (chain, draw)."""
    value = at(run, q.result(run)["npsv"], "account", account)[0]
    return value.transpose(*SAMPLE_DIMS).astype(float).reset_coords(drop=True)
