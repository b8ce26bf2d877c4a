"""What the main page shows of a run: numbers and words, ready to draw, independent of any browser."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr

from toolkit.apps.engine.scaled_run import LiveRun
from toolkit.apps.engine.sums import LEVEL, ends
from toolkit.apps.parts.charts import bar_data
from toolkit.apps.parts.look import ExplainedText, Number
from toolkit.measures import headline, structures
from toolkit.measures import quantities as q
from toolkit.measures import words as w
from toolkit.measures.headline import Estimate
from toolkit.schema import ACCOUNTS, SAMPLE_DIMS

Data = dict[str, dict[str, Any]]
Part = tuple[Data, str, tuple[float, float]]
ROUNDING = 1e-6  # of a multiple of today's spend
FISCAL, SOCIAL = ACCOUNTS.index("fiscal"), ACCOUNTS.index("social")


@dataclass(frozen=True)
class Tile:
    """A headline number, its interval or chances, and the key of its explanation."""

    key: str
    name: str
    value: str
    beside: str
    sign: int = 0


@dataclass(frozen=True)
class Reading:
    """Everything the page shows of one run."""

    sentence: str
    tiles: list[Tile]
    statements: list[str]
    charts: dict[str, Data]
    words: dict[str, str]
    ends: dict[str, tuple[float, float]] = field(default_factory=dict)


def read(run: LiveRun) -> Reading:
    """Reduce a run to what the main page shows of it."""
    parts: dict[str, Part] = {
        "by_year": _by_year(run),
        "payers": _payers(run),
        "payback": _payback(run),
    }
    charts, words, limits = {}, {}, {}
    for name, part in parts.items():
        charts[name], words[name], limits[name] = part
    return Reading(_sentence(run), tiles(run), statements(run), charts, words, limits)


def _sentence(run: LiveRun) -> str:
    numbers, cost = run.numbers, run.numbers.expected_cost
    worth, ever = estimate(numbers.avoided[SOCIAL]), float(numbers.back[FISCAL, -1])
    agreeing = structures.pays(run)
    shown, turned = (worth, "") if worth.expected >= 0 else (-worth, ", turned round")  # as the sentence does
    return ExplainedText(
        headline.sentence(run, run.unit.where, w.listed(run.programmes), cost, worth, ever, LEVEL, structures=agreeing),
        Number(w.money(abs(cost)), "programme", "spending taken away" if cost < 0 else "spent"),
        Number(
            str(shown),
            "payer_avoided|All",
            f"cost avoided {w.counted('over children’s lives', run.scenario.horizon)}{turned}",
        ),
        Number(shown.interval, "payer_avoided|All", f"its 90% interval{turned}"),
        Number(w.percent(ever), _last(run), "chance for the public purse"),
    )


def _last(run: LiveRun) -> str:
    return f"paid_back|fiscal|{run.numbers.back.shape[1] - 1}"


def estimate(draws: np.ndarray, kind: str = "money") -> Estimate:
    """Reduce draws to their mean and interval."""
    mean, low, high = map(float, ends(draws))
    return Estimate(mean, low, high, kind)


def tiles(run: LiveRun) -> list[Tile]:
    """Return the headline tiles."""
    numbers, cut = run.numbers, run.scenario.cut
    cost = numbers.expected_cost
    benefit = [estimate(draws) for draws in numbers.avoided]
    social = benefit[SOCIAL]
    worth = estimate(numbers.avoided[SOCIAL] - numbers.cost)
    low, high = sorted((social.lower / cost, social.upper / cost))
    ratio = Estimate(social.expected / cost, low, high, "ratio")
    purse = Number(w.pence(benefit[FISCAL].expected / cost), "ratio|fiscal", "public purse alone")
    five, reached = estimate(numbers.cash.sum(0)), estimate(numbers.reached, "count")
    return [
        Tile("npsv", "Net present social value", str(worth), _sure(worth, "npsv"), _sign(worth.expected)),
        Tile(
            "bcr",
            f"Cost {'caused by each £1 cut' if cut else 'avoided by each £1'}",
            str(ratio),
            _sure(ratio, "bcr", f"; public purse alone {purse}", purse),
        ),
        payback_tile(run),
        Tile(
            "cash",
            "Council’s cash over five years",
            str(five),
            _sure(five, "cash") if five.interval else "no cash released",
            _sign(five.expected),
        ),
        Tile(
            "reached",
            f"Children {'who lose help' if cut else 'served'}",
            str(reached),
            _sure(reached, "reached", ", in all years together"),
        ),
    ]


def _sure(estimate: Estimate, key: str, more: str = "", *numbers: Number) -> str:
    sure = f"90% interval {estimate.interval}" if estimate.interval else "the same in every draw"
    return ExplainedText(f"{sure}{more}", Number(estimate.interval, key, "90% interval"), *numbers)


def payback_tile(run: LiveRun) -> Tile:
    """Return the tile of payback to the public purse; for a cut, of whether it stays ahead."""
    chance = run.numbers.back[FISCAL]
    last = float(chance[-1])
    if run.scenario.cut:
        return Tile("payback", "Public purse still ahead at the end", w.percent(last), "chance, all costs counted")
    years = ({10: 10} if run.scenario.horizon > 10 else {}) | {run.scenario.horizon: len(chance) - 1}
    by = [Number(w.percent(float(chance[at])), f"paid_back|fiscal|{at}", w.within(n)) for n, at in years.items()]
    likely = np.flatnonzero(chance >= 0.5)
    when = f"Year {likely[0]}" if likely.size else "Not expected"
    chances = ExplainedText(f"chance {', '.join(f'{number.of} {number}' for number in by)}", *by)
    return Tile("payback", "Pays the public purse back", when, chances)


def statements(run: LiveRun) -> list[str]:
    """Return the probability statements, whole sentences."""
    values, cut = run.numbers, run.scenario.cut
    social, cash = values.avoided[SOCIAL], values.cash.sum(0)
    chance = (values.net_payers > 0).mean(-1)
    better = [payer for payer, value in zip(run.unit.payers, chance, strict=True) if value >= 0.5]
    verb = "the cut leaves society better off" if cut else "it is worth more to society than it costs"
    harm = float(((-social if cut else social) < 0).mean())
    ahead = float((cash >= 0).mean())
    worth = float((social > values.cost).mean())
    chances = {
        "worth": (verb, worth),
        "harm": (w.HARM, harm),
        "cash": ("the council’s own cash is ahead after five years", ahead),
    }
    numbers = [Number(w.percent(x), f"chance_{key}", f"The chance that {of}") for key, (of, x) in chances.items()]
    sentences: list[str] = [ExplainedText(f"{number.of} is {number}.", number) for number in numbers]
    return (
        [*sentences, f"More likely than not to gain: {w.listed([w.inside(p) for p in better])}."]
        if better
        else sentences
    )


def _sign(value: float) -> int:
    return int(np.sign(value))


def ends_of(run: q.Run, array: xr.DataArray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return mean, lower and upper ends over the draws of an array, which come last."""
    values = array.transpose(..., *SAMPLE_DIMS).values
    return ends(values.reshape(*values.shape[:-2], -1).astype(np.float32), q.level(run))


def _by_year(run: LiveRun) -> Part:
    mean, low, high = ends(run.numbers.lines.by_year)
    years, spend = np.arange(len(mean)), run.numbers.spent[: len(mean)]
    paid = np.flatnonzero(spend)
    data = {
        "avoided": {"year": years, "mean": mean, "lower": low, "upper": high},
        "spent": {"year": paid, "spend": spend[paid]},
    }
    peak = int(np.argmax(np.abs(mean)))
    text = (
        f"Money spent is {w.money(float(spend.sum()))} over {run.scenario.years} years; expected cost avoided is "
        f"largest in year {peak}, {w.money(float(mean[peak]))}, 90% interval "
        f"{w.interval(float(low[peak]), float(high[peak]))}."
    )
    return data, text, (float(min(low.min(), spend.min())), float(max(high.max(), spend.max())))


def _payers(run: LiveRun) -> Part:
    mean, low, high = ends(run.numbers.net_payers)
    order = np.argsort(-mean)
    names = [w.label(run.unit.payers[k]) for k in order]
    text = "; ".join(f"{name} {w.money(float(mean[k]))}" for name, k in zip(names[::-1], order[::-1], strict=True))
    data = bar_data(names, mean[order], low[order], high[order])
    return {"bars": data}, f"Expected net position: {text}.", (float(low.min()), float(high.max()))


def _payback(run: LiveRun) -> Part:
    chance = run.numbers.back
    years = np.arange(chance.shape[1])
    data = {account: {"year": years, "chance": row} for account, row in zip(ACCOUNTS, chance, strict=True)}
    what = "still being ahead at the end" if run.scenario.cut else "having paid back by the end"
    chances = ", ".join(f"{account} {w.percent(float(row[-1]))}" for account, row in zip(ACCOUNTS, chance, strict=True))
    return data, f"Chance of {what}, by account: {chances}.", (0.0, float(years[-1]))


def curve(run: LiveRun) -> Part:
    """Return the spend-cost curve with the scenario's own point, what it says in words, and its ends."""
    mean, low, high = ends(run.numbers.curve)
    multiples, spend = (run.unit.curve[name] for name in ("multiple", "spend"))
    bounds = run.unit.seen or (1.0, 1.0)
    inner = np.unique(np.clip([*multiples, *bounds], max(bounds[0], 0.5), min(bounds[1], 2.0)))
    today = float(spend[multiples == 1.0][0])
    here = spend_multiple(run)
    spots = [here] if on_curve(run) else []
    level = {at: float(np.interp(at, multiples, mean)) for at in (1.0, here)}
    data = {
        "line": {"multiple": multiples, "mean": mean, "lower": low, "upper": high},
        "seen": {"multiple": inner, "mean": np.interp(inner, multiples, mean)},
        "today": {"multiple": [1.0], "mean": [level[1.0]]},
        "handle": {
            "multiple": spots,
            "mean": [level[at] for at in spots],
            "name": [f"this sum: {at:.2f} × today" for at in spots],
        },
    }
    cost = w.counted("lifetime cost", run.scenario.horizon)
    text = (
        f"Early-help spend plus the excess {cost} that is left: {w.money(float(mean[0]))} at half of today’s "
        f"spend, {w.money(level[1.0])} at today’s {w.money(today)} a year, "
        f"{w.money(float(mean[-1]))} at double."
    )
    return data, text, (float(low.min()), float(high.max()))


def on_curve(run: LiveRun) -> bool:
    """Return whether the plan's own sum lies on the spend-cost curve, but for rounding."""
    ends = run.unit.curve["multiple"][[0, -1]]
    return bool(ends[0] - ROUNDING <= spend_multiple(run) <= ends[1] + ROUNDING)


def spend_multiple(run: LiveRun) -> float:
    """Return early-help spend in a year of the plan, the mean of those in which anything is spent, over today's."""
    today = float(run.unit.curve["spend"][run.unit.curve["multiple"] == 1.0][0])
    spent = run.numbers.spent / (1.0 + run.scenario.optimism)
    return 1.0 + float(spent[spent != 0].mean()) / today
