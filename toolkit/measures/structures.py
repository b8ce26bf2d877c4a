"""The answer under each rival structure of the effects' model, how far these agree, and what knowing one is worth."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import xarray as xr

from toolkit import appraisal
from toolkit.evidence import STRUCTURES
from toolkit.measures import quantities as q
from toolkit.measures.quantities import Run
from toolkit.measures.tables import PARTS, Table, basis, headed
from toolkit.measures.value_of_information import choice as between
from toolkit.measures.words import money
from toolkit.schema import SAMPLE_DIMS

__all__ = ["WORDS", "choices", "pays", "structures_table"]

WORDS = {
    "scope": "Studies that count",
    "own": "the programme's own alone",
    "type": "those of its type",
    "all": "all",
    "origin": "Made in",
    "uk": "the UK alone",
    "fade": "Effects fade",
    "exponential": "by half-life from the end of the follow-up",
    "plateau": "later, being whole for as long again",
    "none": "never",
    "risk": "Risk without help",
    "served": "published, of those served",
    "average": "that of the area's average child",
}
ANYWHERE = "any country"  # "all" of the origins


def choices(run: Run) -> Iterator[tuple[str, str, xr.DataArray]]:
    """Yield each choice of a structure that some draws have but not all, and which draws have it (chain, draw)."""
    drawn = run.tree["effects"].to_dataset()
    for name in STRUCTURES:
        for place, choice in enumerate(drawn[name].attrs["choices"]):
            here = drawn[name] == place
            if bool(here.any()) and not bool(here.all()):
                yield name, str(choice), here


def pays(run: Run) -> list[float]:
    """Return the chance that the public purse gains, by choice of structure."""
    gain = q.result(run)["npsv"].sel(account="fiscal", drop=True) > 0
    return [float(gain.where(here).mean()) for _, _, here in choices(run)]


def structures_table(run: Run) -> Table:
    """Return the net present value under each choice of structure, means over its draws."""
    npsv = q.result(run)["npsv"].reset_coords(drop=True)
    fiscal, social = (npsv.sel(account=account, drop=True) for account in ("fiscal", "social"))
    every = xr.ones_like(fiscal, dtype=bool)
    rows = {"All together": (every, "")} | {
        f"{WORDS[name]}: {ANYWHERE if (name, choice) == ('origin', 'all') else WORDS[choice]}": (here, name)
        for name, choice, here in choices(run)
    }
    columns: dict[tuple[str, str], list[float]] = {("Share of the draws", ""): []}
    for here, name in rows.values():
        interval = q.interval(run, fiscal.where(here))
        values = {("Share of the draws", ""): float(here.mean())}
        values |= {("Public purse", part): float(interval[statistic]) for part, statistic in PARTS.items()}
        values["Chance that it gains", ""] = float((fiscal > 0).where(here).mean())
        values["Society", ""] = float(social.where(here).mean())
        values["Knowing which is right is worth", ""] = _worth(run, fiscal, name)[0] if name else np.nan
        for column, value in values.items():
            columns.setdefault(column, []).append(value)
    floor = max(
        [_worth(run, fiscal, name)[1] for name in dict.fromkeys(name for _, name in rows.values()) if name], default=0.0
    )
    note = (
        f"Net present value, {basis(run)}. Which structure is right is not known, so each draw has one, as often as "
        "its weight says (structure_weights.csv, or effect.structure of the scenario), and all other numbers here are "
        "averages over them. Knowing which is right: for the choice between the plan and doing nothing, for the "
        f"public purse{f'; up to {money(floor)} of it comes from chance alone' if floor > 0 else ''}."
    )
    kinds = {
        "Share of the draws": "rate",
        "Public purse": "money",
        "Chance that it gains": "share",
        "Society": "money",
    }
    kinds["Knowing which is right is worth"] = "pounds"
    frame = headed(pd.DataFrame(columns, index=list(rows)))
    return Table("The answer under each rival structure", "Structure", frame, kinds, note=note)


def _worth(run: Run, gain: xr.DataArray, name: str) -> tuple[float, float]:
    """Return the value of knowing which choice of a structure is right, and what shuffled ones give, GBP."""
    gain = gain.transpose(*SAMPLE_DIMS).assign_attrs(q.result(run)["npsv"].attrs)
    value = appraisal.evppi_of_category(between(gain), run.tree["effects"].to_dataset()[name].reset_coords(drop=True))
    return float(value["evppi"]), float(value["noise_floor"])


def __dir__() -> list[str]:
    return __all__
