"""Our figures beside the published totals: like for like as far as they go, the ratio, and why they differ."""

from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from toolkit import appraisal, evidence
from toolkit.measures import lives
from toolkit.measures import quantities as q
from toolkit.models.fitting.monte_carlo import summary
from toolkit.prices import rebase
from toolkit.schema import MCSE, InputError

__all__ = [
    "reconcile",
    "reconciliation_tables",
]

OURS = {"ours": "mean", "low": "low", "high": "high"}
COLUMNS = ["id", "metric", "published", "unit", "price_year"]
COLUMNS += [f"{name}{which}" for name in (*OURS, "ratio") for which in ("", MCSE)] + ["alike", "reason"]


def reconcile(run: q.Run, register: evidence.Register) -> pd.DataFrame:
    """Return, for each published total, the run's figure of the same scope, in the prices of that year.

    Parameters
    ----------
    run
        A run of all of England.
    register
        With the tables ``totals_compared`` (which figure of a run goes with which total) and ``published_totals``.

    Returns
    -------
    DataFrame
        ``published`` and ``ours`` (mean, with the 90 per cent interval ``low`` to ``high``) in ``unit`` at
        ``price_year``, ``ratio`` of ours to it, their Monte Carlo errors (``*_mcse``), ``alike`` ("full", "part", or
        "no": nothing to compare) and the ``reason`` for what differs. NaN where there is nothing to compare.

    Raises
    ------
    InputError
        If the run is not of England, or a row selects what the run does not hold.
    """
    if run.tree.attrs.get("place") != "England":
        raise InputError("reconciliation: the published totals are England's.", fix="run all of England.")
    rows = []
    for record in register.tables["totals_compared"].to_dict("records"):
        row = {str(name): str(cell) for name, cell in record.items()}
        figure = register.figures.loc[[row["id"]]].iloc[0]
        published = float(figure["value"])
        ours = _ours(run, row, register, str(figure["price_year"]))
        numbers = {f"{name}{which}": float("nan") for name in OURS for which in ("", MCSE)}
        if ours is not None:
            spread = summary(ours)
            numbers = {
                f"{name}{which}": float(spread[f"{of}{which}"]) for name, of in OURS.items() for which in ("", MCSE)
            }
        about = {"metric": figure["description"], "unit": figure["unit"], "price_year": figure["price_year"]}
        ratio = {f"ratio{which}": numbers[f"ours{which}"] / published for which in ("", MCSE)}
        rows.append({**row, **about, "published": published, **numbers, **ratio})
    return pd.DataFrame(rows)[COLUMNS]


def reconciliation_tables(run: q.Run, *, folder: Path | None = None) -> dict[str, pd.DataFrame]:
    """Return the table ``reconciliation`` to commit.

    Parameters
    ----------
    run
        A run of all of England.
    folder
        Data folder; the shipped one by default.
    """
    table = reconcile(run, evidence.load_register(folder=folder))
    settings = f"{run.scenario.name}, {run.scenario.chains} chains of {run.scenario.draws} draws"
    numbers = table.select_dtypes("number").columns
    table[numbers] = table[numbers].map(lambda value: float(f"{value:.5g}"))
    return {"reconciliation": table.assign(seed=run.scenario.seed, settings=settings)}


def _ours(run: q.Run, row: dict[str, str], register: evidence.Register, price_year: str) -> xr.DataArray | None:
    """Draws (chain, draw) of the run's figure that a row names, at the prices of a year."""
    if row["alike"] == "no":
        return None
    if row["ours_is"] == "bcr":
        return _ratio(run, row["account"])
    if row["ours_is"] == "history_share":
        return _of_history(run, row)
    drawn = run.tree["assumptions/draws"].to_dataset()
    money = drawn[row["selected"]] if row["ours_is"] == "role" else _cost(run, row)
    return rebase(money, run.scenario.price_base, to=price_year, deflators=register.deflators)


def _cost(run: q.Run, row: dict[str, str]) -> xr.DataArray:
    if row["ours_is"] == "by_history":
        return _of_history(run, row)
    cost = q.priced(run, row["ours_is"]).sel(reading=row["reading"], drop=True).sum("area")
    selected = row["selected"].split(";")
    if row["select_by"]:
        labels = cost[row["select_by"]].values.astype(str)
        missing = sorted(set(selected) - set(labels))
        if missing:
            raise InputError(f"totals_compared.csv, {row['id']}: the run has no {missing}.", fix="price that outcome.")
        cost = cost.isel(component=np.flatnonzero(np.isin(labels, selected)))
    total = appraisal.account_total(cost, row["account"])
    return total / q.children(run)["entering"] if row["per"] == "child" else total


def _of_history(run: q.Run, row: dict[str, str]) -> xr.DataArray:
    """Lifetime cost of a child of one history, or that history's share of all cost or, with no reading, children."""
    lives_of_cohort = lives.life_course(run)
    if row["selected"] not in lives_of_cohort["history"].values:
        raise InputError(f"totals_compared.csv, {row['id']}: no history '{row['selected']}'.", fix="see the report.")
    whole = lives_of_cohort["children"]
    if row["reading"]:
        priced = lives_of_cohort["by_history"].sel(reading=row["reading"], drop=True)
        whole = appraisal.account_total(priced, row["account"])
    part = whole.sel(history=row["selected"], drop=True)
    if row["ours_is"] == "history_share":
        return part / whole.sum("history")
    return part / lives_of_cohort["children"].sel(history=row["selected"], drop=True)


def _ratio(run: q.Run, account: str) -> xr.DataArray:
    """Benefit over the expected cost of the programme, by draw."""
    benefit = q.avoided(run).sel(account=account, drop=True)
    return benefit / q.result(run)["programme_cost"].mean()


def __dir__() -> list[str]:
    return __all__
