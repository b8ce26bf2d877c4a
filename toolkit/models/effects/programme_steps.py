"""From what the studies of a programme publish to what is used of it: its effect after each step, and its size."""

import math

import numpy as np
import pandas as pd
import xarray as xr

from toolkit.models.effects.scales import STANDARDISED, scale_of
from toolkit.schema import EFFECT_OUTCOMES

__all__ = ["STEPS", "effect_steps", "published_effect", "sizes"]

STEPS = ("published", "own_studies", "pooled", "scaled_up", "timed", "risk_of_served")
SIZES = (0.05, 0.15, 0.3, 0.6, 1.0, 1.5)  # of log hazard ratios, and of standardised mean differences


def published_effect(own: pd.DataFrame) -> xr.DataArray:
    """Return what a programme's own studies publish (outcome), on the scale of hazards: their precision-weighted mean.

    Findings without a number cannot be averaged: an outcome of which there is no other has 0 here.

    Parameters
    ----------
    own
        Its studies, from `programme_studies`.

    Returns
    -------
    DataArray (outcome), log hazard ratio or standardised mean difference for one of those whom the study counted.
    """
    means = []
    for outcome in EFFECT_OUTCOMES:
        about = own[(own["outcome"] == outcome) & own["effect"].notna()]
        means.append(np.average(about["effect"], weights=about["se"] ** -2.0) if len(about) else 0.0)
    return xr.DataArray(means, {"outcome": list(EFFECT_OUTCOMES)}, "outcome")


def effect_steps(used: xr.Dataset, alone: xr.Dataset, published: xr.DataArray, programme: str) -> dict[str, xr.Dataset]:
    """Return what is used of a programme's effect after each step up to timing, with only that of the step changed.

    Parameters
    ----------
    used
        From `used_effects`: what the last step gives.
    alone
        From `sample_programmes`, of the programme's own studies.
    published
        From :func:`published_effect`.
    programme
        Its name.

    Returns
    -------
    dict
        Of ``STEPS`` up to "timed", datasets as ``used``, of the one programme. "published", "own_studies" (after bias
        of design and prior) and "pooled" (with its type and all others, as far as the structure of each draw lets them)
        act from the first day, never fade and do not differ between sites; "scaled_up" is delivered elsewhere, with
        each site's own deviation; "timed" is ``used``.
    """
    final = used.sel(programme=[programme])
    whole = {
        "area_sd": xr.zeros_like(final["area_sd"]),
        "onset": xr.zeros_like(final["onset"]),
        "flat": xr.full_like(final["flat"], math.inf, dtype=float),
    }
    like, counted = final["effect"], final["evidence"] != "none"

    def at(effect: xr.DataArray) -> xr.Dataset:
        wide = effect.broadcast_like(like).where(counted, 0.0).transpose(*like.dims)
        return final.assign({**whole, "effect": wide.reset_coords(drop=True)})

    one = alone.sel(programme=[programme])
    return {
        "published": at(published),
        # Without a study of its own, an outcome has nothing to show before it borrows from its type.
        "own_studies": at((one["programme_effect"] * one["take_up"]).where(one["evidence"] == "own", 0.0)),
        "pooled": at(final["before_scale_up"]),
        "scaled_up": final.assign({name: whole[name] for name in ("onset", "flat")}),
        "timed": final,
    }


def sizes(main: str) -> tuple[float, ...]:
    """Return sizes of an effect on an outcome to price, from small to large: of benefit, so below 0 for events."""
    return SIZES if scale_of(main) == STANDARDISED else tuple(-size for size in SIZES)
