"""The panel as series that move additively: logs of counts and money, log ratios of placements, and a share."""

from collections.abc import Mapping

import xarray as xr

from toolkit.models.outlook.dataset import PLACEMENTS, WEEKS

FOSTERED = "fostering"  # what the other placements are counted against
SERIES = (
    "resident",
    "unaccompanied",
    "starts",
    "mix_residential",
    "mix_supported",
    "mix_other",
    "price_residential",
    "price_fostering",
    "care_week",
    "safeguarding",
    "difference",
)
MIXED = ("residential", "supported", "other")
# What the growth of the last five years may be carried on in, and its series: chosen by the backtest.
CARRIED = {"price_residential": "price_residential", "price_fostering": "price_fostering", "price_care": "care_week"}
CARRIED |= {"spend": "care_week"}
LASTING = ("price_residential", "price_fostering")  # whose returns are noisy: only what lasts is forecast
# Unaccompanied children move as square roots: their yearly changes are so large that logs, summed over areas, run away.
ROOTS = 10.0  # brings the roots to the spread of the other series
DIFFERENCES = 10.0  # brings the reporting difference, a share of the children, to the spread of the other series
TYPICAL_CHILDREN = 400.0  # looked after in a middling authority, the reference of size


def to_series(panel: xr.Dataset) -> xr.Dataset:
    """Turn the panel into the series that the model describes.

    Parameters
    ----------
    panel
        From ``evidence.care_panel``.

    Returns
    -------
    Dataset
        ``value`` (series, area, data_year), NaN where unknown: log children without the unaccompanied (``resident``),
        a tenth of the root of the unaccompanied, log starts, log of each placement over fostering, log GBP a week of
        residential and foster care, of all care (``care_week``: section 251 spend over children and weeks), log
        GBP of safeguarding, and ten times the reporting
        difference over last year's children; ``england_mix`` (series,
        data_year), log ratios of England's placements before authorities published them; ``log_size`` (area).
    """
    alone = panel["unaccompanied"].clip(max=panel["stock"] - 1)
    before = panel["stock"].shift(data_year=1)
    log_placed, england = xr.ufuncs.log(panel["placed"] + 0.5), xr.ufuncs.log(panel["england_placed"])
    parts = {
        "resident": xr.ufuncs.log(panel["stock"] - alone),
        "unaccompanied": xr.ufuncs.sqrt(alone) / ROOTS,
        "starts": xr.ufuncs.log(panel["starts"].where(panel["starts"] > 0)),
        **{
            f"mix_{kind}": log_placed.sel(placement=kind) - log_placed.sel(placement=FOSTERED)
            for kind in ("residential", "supported", "other")
        },
        **{f"price_{kind}": xr.ufuncs.log(panel["price"].sel(placement=kind)) for kind in ("residential", FOSTERED)},
        "care_week": xr.ufuncs.log(panel["spend"].where(panel["spend"] > 0) / panel["stock"] / WEEKS),
        "safeguarding": xr.ufuncs.log(panel["safeguarding"].where(panel["safeguarding"] > 0)),
        "difference": (panel["stock"] - before - panel["starts"] + panel["ends"]) / before * DIFFERENCES,
    }
    bare = [part.drop_vars("placement", errors="ignore") for part in parts.values()]
    value = xr.concat(bare, xr.Variable("series", list(SERIES)), coords="minimal", compat="override")
    mix = xr.concat(
        [england.sel(placement=kind, drop=True) - england.sel(placement=FOSTERED, drop=True) for kind in MIXED],
        xr.Variable("series", [f"mix_{kind}" for kind in MIXED]),
    )
    size = xr.ufuncs.log(panel["stock"].mean("data_year") / TYPICAL_CHILDREN)
    series = {"value": value.transpose("series", "area", "data_year"), "england_mix": mix.reindex(series=list(SERIES))}
    return xr.Dataset({**series, "log_size": size})


def stocks(value: Mapping[str, xr.DataArray]) -> tuple[xr.DataArray, xr.DataArray]:
    """Return all children looked after and the unaccompanied among them, from the series."""
    alone: xr.DataArray = (ROOTS * value["unaccompanied"].clip(min=0.0)) ** 2
    together: xr.DataArray = xr.ufuncs.exp(value["resident"]) + alone
    return together, alone


def mix(value: Mapping[str, xr.DataArray]) -> xr.DataArray:
    """Return the share of each placement (..., placement) from the log ratios of the series."""
    over = {"fostering": xr.zeros_like(value["resident"]), **{kind: value[f"mix_{kind}"] for kind in MIXED}}
    odds: xr.DataArray = xr.ufuncs.exp(
        xr.concat([over[kind] for kind in PLACEMENTS], xr.Variable("placement", list(PLACEMENTS)))
    )
    shares: xr.DataArray = odds / odds.sum("placement")
    return shares
