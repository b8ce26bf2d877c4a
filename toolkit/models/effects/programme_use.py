"""What a scenario uses of a programme's effect: after scale-up, at a site, from when and for how long."""

import math
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from toolkit.evidence import Weights, structure_weights
from toolkit.models.effects.hierarchy import PARTICLES
from toolkit.models.effects.programme_priors import fixed_of
from toolkit.models.effects.programme_studies import RANDOMISED
from toolkit.models.effects.scales import STANDARDISED, scale_of
from toolkit.models.effects.structures import draw_structures, is_choice, sample_structures
from toolkit.models.prior_rows import shape_of
from toolkit.schema import EFFECT_OUTCOMES, SAMPLE_DIMS, InputError, random_stream

AT_16 = math.inf  # years for which an effect measured at the age of examinations lasts


def used_effects(
    studies: pd.DataFrame,
    tables: Mapping[str, pd.DataFrame],
    *,
    like: xr.Dataset | xr.DataArray,
    seed: int,
    weights: Weights | None = None,
    shared_luck: float = 0.0,
    scale_up: float | None = None,
    borrow: bool = False,
    names: Collection[str] | None = None,
    particles: int = PARTICLES,
    refuse: bool = True,
    selection: float = 1.0,
) -> xr.Dataset:
    """Return what each programme changes where it is delivered, in draws each of which has a structure of its own.

    Parameters
    ----------
    studies
        From `programme_studies`.
    tables
        By name: ``programmes``, ``priors`` (with ``plateau_least`` of the model ``programmes``) and
        ``structure_weights``.
    like
        Has the chain and draw labels to use.
    seed
        Seed of the run.
    weights
        Of the structures, as for `structure_weights`; those of the table if not given.
    shared_luck, scale_up
        As for `site_effects`.
    borrow
        As for `sample_structures`.
    names
        Programmes to draw; all of the table by default. The draws of one do not depend on the others.
    particles, refuse, selection
        As for `sample_programmes`.

    Returns
    -------
    Dataset
        All of `site_effects`, but ``flat`` is (chain, draw, programme, outcome), longer where the effect outlasts its
        follow-up. ``scope``, ``origin``, ``fade`` and ``risk`` (chain, draw): the structure of each draw, a position
        in the attribute ``choices``. ``lasts`` (chain, draw): the effect never fades. ``average_risk`` (chain, draw):
        those served have the risk of the area's average child. An effect is 0 in draws whose scope does not count it.

    Raises
    ------
    InputError
        As `site_effects`, `sample_programmes` and `structure_weights`.
    """
    structures = draw_structures(structure_weights(tables["structure_weights"], weights), like=like, seed=seed)
    sampling: dict[str, Any] = {"particles": particles, "refuse": refuse, "selection": selection}
    drawn = sample_structures(studies, tables, structures, seed=seed, names=names, borrow=borrow, **sampling)
    used = site_effects(drawn, studies, tables["priors"], seed=seed, shared_luck=shared_luck, scale_up=scale_up)
    least = fixed_of(tables["priors"], "plateau_least")
    longer = used["flat"] + used["flat"].clip(min=least)
    flat = xr.where(is_choice(structures, "fade", "plateau"), longer, used["flat"])
    timing = {
        "flat": flat.transpose(*SAMPLE_DIMS, "programme", "outcome"),
        "lasts": is_choice(structures, "fade", "none"),
        "average_risk": is_choice(structures, "risk", "average"),
    }
    return used.drop_vars("flat").assign(timing).assign(structures.data_vars)


def site_effects(
    drawn: xr.Dataset,
    studies: pd.DataFrame,
    priors: pd.DataFrame,
    *,
    seed: int,
    shared_luck: float = 0.0,
    scale_up: float | None = None,
) -> xr.Dataset:
    """Return what each programme changes where it is delivered by somebody else, in the area of a run.

    The mean effect shrinks by the share that survives scale-up; what differs between sites is added whole. A site's
    deviation has a part common to all areas of a run and one of each area (:func:`of_area`), so that England is many
    sites of one programme.

    Parameters
    ----------
    drawn
        From `sample_structures`, or from `sample_programmes`, the structure in which all studies count.
    studies
        From `programme_studies`: a programme with an independent UK study, or otherwise a type with one, takes the
        better prior of scale-up.
    priors
        The table of priors: ``scale_up_independent``, ``scale_up_other``, ``site_common`` and ``onset`` of the model
        ``programmes``.
    seed
        Seed of the run.
    shared_luck
        Share of the variance of a site's deviation that is common to all programmes, 0 to 1: how far they meet the
        same staff, families and years.
    scale_up
        Share of the mean effect that survives scale-up in every draw, in place of the priors.

    Returns
    -------
    Dataset
        ``effect`` (chain, draw, programme, outcome), per child counted as served, log hazard ratio or standardised mean
        difference, 0 where neither the programme nor its type has a study; ``area_sd`` (chain, draw, programme,
        outcome) of each area's own part; ``before_scale_up`` (chain, draw, programme, outcome), the mean effect where
        it was evaluated; ``scale_up`` (chain, draw, programme); ``onset`` (chain, draw, programme), years after
        contact, 0 where a trial counted every event since allocation, so that its estimate is of all of
        them; ``flat`` (programme, outcome), years for which the effect is whole, infinite where it is measured at 16;
        ``evidence`` as in ``drawn``. Attribute ``shared_luck``, for each area's own part.

    Raises
    ------
    InputError
        ``shared_luck`` outside 0 to 1, or a missing prior.
    """
    if not 0 <= shared_luck <= 1:
        raise InputError(f"shared_luck: {shared_luck} is not a share.", fix="give 0 (nothing is shared) to 1 (all is).")
    names = [str(name) for name in drawn["programme"].values]
    shape = tuple(drawn.sizes[dim] for dim in SAMPLE_DIMS)
    survives = _scale_up(names, drawn, studies, priors, seed)
    survives = survives if scale_up is None else xr.full_like(survives, scale_up)
    random = random_stream(seed, "programmes: sites")
    common_share = random.beta(*shape_of(priors, "programmes", "site_common"), size=shape)
    everyone = random.standard_normal((*shape, len(EFFECT_OUTCOMES)))
    own = [random_stream(seed, f"programmes: site of {name}").standard_normal(everyone.shape) for name in names]
    luck = _luck(everyone[:, :, None], np.stack(own, axis=2), shared_luck)
    dims = (*SAMPLE_DIMS, "programme", "outcome")
    spread = drawn["spread"].sel(level="study", drop=True) * drawn["take_up"]
    share = xr.DataArray(common_share, dims=SAMPLE_DIMS)  # of the variance
    counted = drawn["evidence"] != "none"
    effect = survives * drawn["programme_effect"] * drawn["take_up"]
    effect = effect + share**0.5 * spread * xr.DataArray(luck, dims=dims)
    values = {
        "effect": effect.where(counted, 0.0).transpose(*dims),
        "area_sd": ((1 - share) ** 0.5 * spread).where(counted, 0.0).transpose(*dims),
        "before_scale_up": (drawn["programme_effect"] * drawn["take_up"]).where(counted, 0.0).transpose(*dims),
        "scale_up": survives,
        "onset": _onset(names, studies, random.beta(*shape_of(priors, "programmes", "onset"), size=shape)),
        "flat": (("programme", "outcome"), _flat(names, studies)),
        "evidence": drawn["evidence"],
    }
    return xr.Dataset(values).assign_attrs(units=drawn.attrs["units"], seed=seed, shared_luck=shared_luck)


def of_area(used: xr.Dataset, programme: str, area: str, *, seed: int) -> xr.DataArray:
    """Return the effect of one programme in one area (chain, draw, outcome), the area's own deviation with it."""
    mean, spread = (used[name].sel(programme=programme, drop=True) for name in ("effect", "area_sd"))
    streams = (f"programmes: everyone in {area}", f"programmes: {programme} in {area}")
    everyone, own = (random_stream(seed, name).standard_normal(mean.shape) for name in streams)
    return (mean + spread * _luck(everyone, own, used.attrs["shared_luck"])).transpose(*SAMPLE_DIMS, "outcome")


def _luck(everyone: np.ndarray, own: np.ndarray, shared: float) -> np.ndarray:
    """Return standard deviations from the mean of which a share of the variance is every programme's."""
    return math.sqrt(shared) * everyone + math.sqrt(1 - shared) * own


def _scale_up(
    names: list[str], drawn: xr.Dataset, studies: pd.DataFrame, priors: pd.DataFrame, seed: int
) -> xr.DataArray:
    """Draw the share of the mean effect that survives scale-up (chain, draw, programme)."""
    independent = studies[studies["independent"]]
    tested, types = set(independent["programme"]), set(independent["programme_type"])
    own = set(studies["programme"])
    shape = tuple(drawn.sizes[dim] for dim in SAMPLE_DIMS)
    parts = []
    for name in names:
        evaluated = name in tested if name in own else _type_of(name, drawn) in types
        prior = "scale_up_independent" if evaluated else "scale_up_other"
        stream = random_stream(seed, f"programmes: scale-up of {name}")
        parts.append(stream.beta(*shape_of(priors, "programmes", prior), size=shape))
    coords = {**{dim: drawn[dim].values for dim in SAMPLE_DIMS}, "programme": names}
    return xr.DataArray(np.stack(parts, axis=-1), coords, (*SAMPLE_DIMS, "programme"))


def _type_of(name: str, drawn: xr.Dataset) -> str:
    return str(drawn["type_of"].sel(programme=name).item())


def _onset(names: list[str], studies: pd.DataFrame, years: np.ndarray) -> tuple[tuple[str, ...], np.ndarray]:
    randomised = set(studies.loc[studies["design"].isin(RANDOMISED), "programme"])
    later = np.array([name not in randomised for name in names], float)
    return (*SAMPLE_DIMS, "programme"), years[..., None] * later


def _flat(names: list[str], studies: pd.DataFrame) -> np.ndarray:
    """Return for how long each effect is whole (programme, outcome): its studies' follow-up, weighted by precision.

    Where only the type has studies, it is the shortest of those of the outcome, which claims least.
    """
    years = np.zeros((len(names), len(EFFECT_OUTCOMES)))
    for column, outcome in enumerate(EFFECT_OUTCOMES):
        about = studies[(studies["outcome"] == outcome) & studies["follow_up"].notna()]
        if scale_of(outcome) == STANDARDISED:
            about = about.assign(follow_up=np.where(about["at_16"], AT_16, about["follow_up"]))
        for row, name in enumerate(names):
            own = about[about["programme"] == name]
            if len(own):
                years[row, column] = np.average(own["follow_up"], weights=own["se"] ** -2.0)
            elif len(about):
                years[row, column] = about["follow_up"].min()
    return years
