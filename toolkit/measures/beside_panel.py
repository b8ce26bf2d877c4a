"""What the panel of areas says beside a programme's studies: as it stands, after its bias, and both together."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from scipy.optimize import brentq
from scipy.stats import norm

from toolkit.appraisal import account_total
from toolkit.measures import words as w
from toolkit.measures.programme_structures import LEVEL
from toolkit.schema import SAMPLE_DIMS

__all__ = ["EVENTS", "SIDES", "beside_panel", "combined_ratio", "panel_sentences", "panel_table"]

EVENTS = {
    "care_starts": "entries to care",
    "rereferrals": "repeat referrals",
    "first_time_entrants": "first entries to justice",
}
SIDES = {
    "programme": "Its studies",
    "panel": "Panel as it stands",
    "debiased": "Panel after bias",
    "combined": "Both together",
}
NOTE = (
    "Events avoided in the three years after contact by a million pounds: of the programme, from its studies; of early "
    "help of any kind, as areas' spending goes with their events over the years (an association), and with the bias "
    "that lead associations show. Both together weighs the draws of the studies by the panel; no result uses it."
)


def beside_panel(compared: xr.Dataset, programme: str, *, level: float = LEVEL) -> pd.DataFrame:
    """Return events avoided by a million pounds as a programme's studies, the panel and both say.

    Parameters
    ----------
    compared
        From `toolkit.programmes.compare`.
    programme
        Its name.
    level
        Of the intervals.

    Returns
    -------
    DataFrame
        Index indicator, of ``EVENTS``. ``programme``, ``panel`` (as it stands), ``debiased`` and ``combined``, each
        with ``_low`` and ``_high``. No rows where no price is known, no effect on them is counted, or the comparison is
        of an older file.
    """
    if "combined_weight" not in compared:
        return pd.DataFrame(index=pd.Index([], name="indicator"))
    one = compared.sel(programme=programme)
    events, tails = -one["events_per_million"], [(1 - level) / 2, (1 + level) / 2]
    weights = one["combined_weight"].fillna(0.0)
    rows = {}
    for name in EVENTS:
        avoided = events.sel(indicator=name)
        if not bool(avoided.notnull().all()) or not bool((avoided != 0).any()):
            continue
        centre, error = (
            -float(one["panel_per_million"].sel(indicator=name)),
            float(one["panel_per_million_se"].sel(indicator=name)),
        )
        spread = np.hypot(error, one["panel_bias_per_million"].sel(indicator=name).values.ravel())
        together = avoided.weighted(weights)
        ends = {
            "programme": (float(avoided.mean()), *avoided.quantile(tails).values),
            "panel": (centre, *norm.ppf(tails, centre, error)),
            "debiased": (centre, *(_quantile(share, centre, spread) for share in tails)),
            "combined": (float(together.mean()), *together.quantile(tails).values),
        }
        rows[name] = {
            f"{key}{end}": each[at] for key, each in ends.items() for at, end in enumerate(("", "_low", "_high"))
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("indicator")


def _quantile(share: float, centre: float, spread: np.ndarray) -> float:
    """Return a quantile of a mixture of normal distributions of one mean."""
    reach = 10.0 * float(spread.max())
    return float(brentq(lambda at: norm.cdf(at, centre, spread).mean() - share, centre - reach, centre + reach))


def combined_ratio(
    compared: xr.Dataset, programme: str, account: str = "fiscal", *, level: float = LEVEL
) -> tuple[float, float, float]:
    """Return what a pound avoids once the panel is believed as far as its bias allows: expected, and its interval.

    Parameters
    ----------
    compared, programme, level
        As for :func:`beside_panel`.
    account
        "fiscal", "economic" or "social".
    """
    one = compared.sel(programme=programme)
    weights = one["combined_weight"].fillna(0.0)
    # A league on a page keeps sums by account (``worth``), a comparison the components.
    total = one["worth"].sel(account=account) if "worth" in one else account_total(one["avoided"], account)
    avoided = total.reset_coords(drop=True).weighted(weights)
    cost = float(one["cost"].weighted(weights).mean(SAMPLE_DIMS))
    ends = avoided.quantile([(1 - level) / 2, (1 + level) / 2], dim=SAMPLE_DIMS).values / cost
    return float(avoided.mean(SAMPLE_DIMS)) / cost, float(ends[0]), float(ends[1])


def panel_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Return :func:`beside_panel` in words."""
    cells = [
        [EVENTS[str(name)], *(_with_interval(row, key) for key in SIDES)]
        for name, row in zip(rows.index, rows.to_dict("records"), strict=True)
    ]
    return pd.DataFrame(cells, columns=["avoided by a million pounds", *map(str.lower, SIDES.values())])


def _with_interval(row: Mapping[Any, Any], key: str) -> str:
    ends = w.interval(row[f"{key}_low"], row[f"{key}_high"], w.number)
    return f"{w.number(row[key])} ({ends})"


def panel_sentences(compared: xr.Dataset, programme: str, alone: float) -> list[str]:
    """Return in words what the panel's lead associations show, and what both together would make of a pound.

    Parameters
    ----------
    compared, programme
        As for :func:`beside_panel`.
    alone
        What a pound avoids for the public purse from the studies alone.
    """
    ratio, low, high = combined_ratio(compared, programme)
    leads = int((abs(compared["lead"]) > norm.ppf(0.975) * compared["lead_se"]).sum())
    return [
        NOTE,
        f"Spending of the next three years, which cannot have acted yet, goes with {leads} of "
        f"{compared.sizes['lead_indicator']} of today's outcomes beyond chance.",
        f"With both together a pound would avoid {w.pence(ratio)} ({w.interval(low, high, w.pence)}) for the public "
        f"purse; with the studies alone, as everywhere else, {w.pence(alone)}.",
    ]
