"""The cost of a child step by step: from what it was to what it is, and from ours to a published one."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr

from toolkit.evidence import load_table
from toolkit.measures.tables import Table, headed
from toolkit.measures.words import label
from toolkit.models.fitting.monte_carlo import summary
from toolkit.schema import MCSE

__all__ = ["TITLES", "expected", "steps_tables", "summarised"]

TITLES = {
    "before_0_3": "What each addition since version 0.2 does to the lifetime cost of a child newly in need",
    "to_alma": "From our lifetime cost of a child to the published one of Alma Economics",
}
PARTS = {"contribution": {"mean": "contribution", "low": "low", "high": "high"}}
PARTS["result"] = {"mean": "result", "low": "result_low", "high": "result_high"}
BEGIN = "Where the steps begin."
NOTE = (
    "{settings}: each child newly in need, present value, {base} prices; 90% intervals, of the change "
    "itself in each draw. A step depends on those before it. Made by the command: outcomes evidence reconcile. "
)


def summarised(walked: Mapping[str, xr.Dataset], changes: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return the table ``cost_steps`` to commit, without seed and settings.

    Parameters
    ----------
    walked
        From ``cost_steps.cost_steps``, by walk.
    changes
        From ``cost_steps.walks``: the reason of a step is that of its first row.
    """
    rows = []
    for walk, bridged in walked.items():
        reasons = changes[walk].drop_duplicates("step").set_index("step")["reason"]
        for step in bridged["step"].values[:-1]:
            row = {"walk": walk, "step": step}
            for variable, names in PARTS.items():
                with np.errstate(invalid="ignore"):  # a published total is the same in every draw
                    spread = summary(bridged[variable].sel(step=step, drop=True))
                row |= {f"{to}{of}": float(spread[f"{name}{of}"]) for name, to in names.items() for of in ("", MCSE)}
            about = {"price_base": bridged["result"].attrs["price_base"], "reason": str(reasons.get(step, BEGIN))}
            rows.append(row | about)
    table = pd.DataFrame(rows)
    numbers = table.select_dtypes("number").columns
    table[numbers] = table[numbers].map(lambda value: float(f"{value:.5g}"))
    return table


def steps_tables() -> dict[str, Table]:
    """Return the committed steps, a table for each walk, by the walk's name."""
    tables = {}
    for walk, rows in _committed():
        columns = {
            (heading, part): rows[name].to_numpy()
            for heading, names in zip(("Step", "Cost of a child"), PARTS.values(), strict=True)
            for part, name in zip(("expected", "lower", "upper"), names.values(), strict=True)
        }
        names = pd.Index([label(step) for step in rows["step"]])
        frame = headed(pd.DataFrame(columns | {("Why", ""): rows["reason"].to_numpy()}, index=names))
        kinds = {"Step": "pounds", "Cost of a child": "pounds", "Why": "text"}
        note = NOTE.format(base=rows["price_base"].iloc[0], settings=rows["settings"].iloc[0])
        tables[walk] = Table(TITLES[walk], "Step", frame, kinds, note=note)
    return tables


def expected(walk: str) -> xr.Dataset:
    """Return a committed walk's expected steps as a bridge (step, chain, draw), one draw, to be drawn."""
    rows = dict(_committed())[walk]
    last = rows.iloc[[-1]].assign(step="in_the_end", contribution=rows["result"].iloc[-1])
    whole = pd.concat([rows, last])
    steps = [label(step) for step in whole["step"]]
    values = {name: ("step", whole[name].to_numpy()) for name in PARTS}
    return xr.Dataset(values, {"step": steps}, {"settings": rows["settings"].iloc[0]}).expand_dims(chain=1, draw=1)


def _committed() -> list[tuple[str, pd.DataFrame]]:
    rows = load_table("reference/cost_steps")
    return [(str(walk), part) for walk, part in rows.groupby("walk", sort=False)]


def __dir__() -> list[str]:
    return __all__
