"""What the main page shows of a run: numbers and words, ready to draw, made apart from any browser."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr

from toolkit.apps.charts import bar_data
from toolkit.report import answer
from toolkit.report import quantities as q
from toolkit.report import words as w
from toolkit.report.quantities import Run
from toolkit.schema import ACCOUNTS, SAMPLE_DIMS

YEARS_SHOWN, BUDGET_YEARS = 31, 5
Data = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Tile:
    """A headline number, how sure it is, and the key of its explanation."""

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


def read(run: Run) -> Reading:
    """Reduce a run to what the main page shows of it."""
    charts: dict[str, Data] = {}
    words: dict[str, str] = {}
    ends: dict[str, tuple[float, float]] = {}
    net = q.position(run)["net"]
    for name, part in (("by_year", _by_year), ("payback", _payback), ("curve", _curve)):
        charts[name], words[name], ends[name] = part(run)
    charts["payers"], words["payers"], ends["payers"] = _payers(run, net)
    return Reading(answer.headline_sentence(run), tiles(run), statements(run, net), charts, words, ends)


def tiles(run: Run) -> list[Tile]:
    """Return the headline tiles."""
    found, cut = q.result(run), run.scenario.option.cut
    worth = answer.estimate(run, found["npsv"].sel(account="social"))
    ratio = {account: float(found["bcr"].sel(account=account)) for account in ACCOUNTS}
    low, high = (float(found[f"bcr_{end}"].sel(account="social")) for end in ("lower", "upper"))
    cash = q.council_cash(run).isel(year=slice(0, BUDGET_YEARS)).sum("year")
    five = answer.estimate(run, cash)
    reached = answer.estimate(run, q.children(run)["reached"], "count")
    return [
        Tile("npsv", "Net present social value", str(worth), f"90% interval {worth.interval}", _sign(worth.expected)),
        Tile(
            "bcr",
            f"Cost {'caused by each £1 cut' if cut else 'avoided by each £1'}",
            w.pence(ratio["social"]),
            f"90% interval {w.interval(low, high, w.pence)}; public purse alone {w.pence(ratio['fiscal'])}",
        ),
        payback_tile(run),
        Tile(
            "cash",
            "Council’s cash over five years",
            str(five),
            f"90% interval {five.interval}" if five.interval else "programme spending, no cash released",
            _sign(five.expected),
        ),
        Tile(
            "reached",
            f"Children {'who lose help' if cut else 'reached'} a year",
            str(reached),
            f"90% interval {reached.interval}",
        ),
    ]


def payback_tile(run: Run) -> Tile:
    """Say when the public purse has its money back; for a cut, whether it stays ahead."""
    chance = q.paid_back(run).sel(account="fiscal")
    last = float(chance.isel(year=-1))
    if run.scenario.option.cut:
        return Tile("payback", "Public purse still ahead at the end", w.percent(last), "chance, all costs counted")
    ten = float(chance.sel(year=min(10, int(chance["year"].max()))))
    likely = chance["year"].values[chance.values >= 0.5]
    when = f"Year {int(likely[0])}" if likely.size else "Not expected"
    return Tile(
        "payback",
        "Pays the public purse back",
        when,
        f"chance within 10 years {w.percent(ten)}, ever {w.percent(last)}",
    )


def statements(run: Run, gains: xr.DataArray) -> list[str]:
    """Return the probability statements, whole sentences."""
    found = q.result(run)
    above = float((found["npsv"].sel(account="social") > 0).mean())
    cash = q.council_cash(run).isel(year=slice(0, BUDGET_YEARS)).sum("year")
    chance = (gains > 0).mean(SAMPLE_DIMS)
    better = [str(p) for p, value in zip(gains["payer"].values, chance.values, strict=True) if value >= 0.5]
    verb = (
        "the cut leaves society better off" if run.scenario.option.cut else "it is worth more to society than it costs"
    )
    said = [
        f"The chance that {verb} is {w.percent(above)}.",
        f"The chance that the help does harm, adding to cost, is {w.percent(q.harm(run))}.",
        f"The chance that the council’s own cash is ahead after five years is {w.percent(float((cash >= 0).mean()))}.",
    ]
    if better:
        said.append(f"More likely than not to gain: {w.listed([w.inside(p) for p in better])}.")
    return said


def _sign(value: float) -> int:
    return int(np.sign(value))


def ends_of(run: Run, array: xr.DataArray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return mean, lower and upper ends over the draws, the draws last and sorted once."""
    values = array.transpose(..., *SAMPLE_DIMS).values
    ordered = np.sort(values.reshape(*values.shape[:-2], -1).astype(np.float32), axis=-1)
    tail = (1 - q.level(run)) / 2
    place = np.array([tail, 1 - tail]) * (ordered.shape[-1] - 1)
    below = place.astype(int)
    low, high = (
        ordered[..., k] + (p - k) * (ordered[..., k + 1] - ordered[..., k]) for k, p in zip(below, place, strict=True)
    )
    return ordered.mean(axis=-1), low, high


def _by_year(run: Run) -> tuple[Data, str, tuple[float, float]]:
    shown = slice(0, YEARS_SHOWN)
    net = q.result(run)["net_position"].isel(year=shown).sum("payer")
    spend = _spending(run)[shown]
    avoided = (net + xr.DataArray(spend, dims="year", coords={"year": net["year"]})).transpose("year", *SAMPLE_DIMS)
    mean, low, high = ends_of(run, avoided)
    years = net["year"].values.tolist()
    data = {
        "avoided": {"year": years, "mean": mean.tolist(), "lower": low.tolist(), "upper": high.tolist()},
        "spent": {"year": np.flatnonzero(spend).tolist(), "spend": spend[spend != 0].tolist()},
    }
    peak = int(np.argmax(np.abs(mean)))
    text = (
        f"Money spent is {w.money(spend[0])} a year for {run.scenario.option.years} years; expected cost avoided is "
        f"largest in year {years[peak]}, {w.money(float(mean[peak]))}, 90% interval "
        f"{w.interval(float(low[peak]), float(high[peak]))}."
    )
    return data, text, (float(min(low.min(), spend.min())), float(max(high.max(), spend.max())))


def _spending(run: Run) -> np.ndarray:
    """Return what is spent each year, optimism bias included; negative for a cut."""
    net = q.result(run)["programme_by_year"]
    return np.asarray(net.values, dtype=float)


def _payers(run: Run, net: xr.DataArray) -> tuple[Data, str, tuple[float, float]]:
    mean, low, high = ends_of(run, net)
    order = np.argsort(-mean)
    names = [w.label(net["payer"].values[k]) for k in order]
    data = bar_data(names, mean[order], low[order], high[order])
    text = "; ".join(f"{w.label(net['payer'].values[k])} {w.money(float(mean[k]))}" for k in order[::-1]) + "."
    return {"bars": data}, f"Expected net position: {text}", (float(low.min()), float(high.max()))


def _payback(run: Run) -> tuple[Data, str, tuple[float, float]]:
    chance = q.paid_back(run)
    data = {
        a: {"year": chance["year"].values.tolist(), "chance": chance.sel(account=a).values.tolist()} for a in ACCOUNTS
    }
    what = "still being ahead at the end" if run.scenario.option.cut else "having paid back by the end"
    ends = ", ".join(f"{a} {w.percent(data[a]['chance'][-1])}" for a in ACCOUNTS)
    return data, f"Chance of {what}, by account: {ends}.", (0.0, float(chance["year"].max()))


def _curve(run: Run) -> tuple[Data, str, tuple[float, float]]:
    found = run.tree["curve"].to_dataset()
    mean, low, high = (found[name].values for name in ("mean", "lower", "upper"))
    multiples = found["multiple"].values
    bounds = q.spend_range(run) or (1.0, 1.0)
    inner = np.unique(np.clip([*multiples, *bounds], max(bounds[0], 0.5), min(bounds[1], 2.0)))
    today = float(found["spend"].sel(multiple=1.0))
    here = spend_multiple(run)
    spots = [here] if multiples[0] <= here <= multiples[-1] else []
    level = {at: float(np.interp(at, multiples, mean)) for at in (1.0, here)}
    data = {
        "line": {"multiple": multiples.tolist(), "mean": mean.tolist(), "lower": low.tolist(), "upper": high.tolist()},
        "seen": {"multiple": inner.tolist(), "mean": np.interp(inner, multiples, mean).tolist()},
        "today": {"multiple": [1.0], "mean": [level[1.0]]},
        "handle": {
            "multiple": spots,
            "mean": [level[at] for at in spots],
            "name": [f"this sum: {at:.2f} × today" for at in spots],
        },
    }
    text = (
        f"Early-help spend plus the excess lifetime cost that is left: {w.money(float(mean[0]))} at half of today’s "
        f"spend, {w.money(level[1.0])} at today’s {w.money(today)} a year, "
        f"{w.money(float(mean[-1]))} at double."
    )
    return data, text, (float(low.min()), float(high.max()))


def spend_multiple(run: Run) -> float:
    """Return a spending year's early-help spend under the option over today's."""
    bias = 0.0 if run.scenario.option.cut else run.scenario.adjustments.optimism_bias
    today = float(q.costs(run)["curve_spend"].sel(multiple=1.0))
    return 1.0 + float(_spending(run)[0]) / (1.0 + bias) / today


def budget_rows(run: Run) -> tuple[list[str], list[tuple[str, list[float]]]]:
    """Return the five-year cash view of a budget paper: years, and the council's rows in pounds of real money."""
    cash = q.council_cash(run).isel(year=slice(0, BUDGET_YEARS))
    spend = _spending(run)[: cash.sizes["year"]]
    mean, low, high = ends_of(run, cash.transpose("year", ...))
    released = (cash + xr.DataArray(spend, coords={"year": cash["year"]})).mean(SAMPLE_DIMS).values
    years = [w.financial_year(run.scenario.first_year, int(year)) for year in cash["year"].values]
    rows = [
        ("Programme spending", (-spend).tolist()),
        ("Cash released, expected", released.tolist()),
        ("Net cash, expected", mean.tolist()),
        ("Net cash, low end of 90% interval", low.tolist()),
        ("Net cash, high end of 90% interval", high.tolist()),
        ("Net cash, running total, expected", np.cumsum(mean).tolist()),
    ]
    return years, rows
