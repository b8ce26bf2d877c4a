"""Rival structures among the draws: each draw has one, so that the mean over draws is the mean over structures.

Results by structure are means over its draws, and value of information takes the structure as a parameter.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from toolkit.evidence import STRUCTURES
from toolkit.models.effects.hierarchy import PARTICLES, sample_programmes
from toolkit.models.effects.streams import PURPOSE
from toolkit.schema import EFFECT_OUTCOMES, SAMPLE_DIMS, InputError, random_stream
from toolkit.tabular import excerpt

Array = NDArray[Any]
WHOSE = ("none", "type", "own")  # studies there are, the better the later


def draw_structures(
    weights: Mapping[str, Mapping[str, float]], *, like: xr.Dataset | xr.DataArray, seed: int
) -> xr.Dataset:
    """Give every draw a structure, each as many draws as its weight says, as near as whole draws allow.

    Crossings of structures come as near to the products of their weights, so that comparing the choices of one is not
    blurred by an uneven share of another's.

    Parameters
    ----------
    weights
        From `structure_weights`.
    like
        Has the chain and draw labels to use.
    seed
        Seed of the run.

    Returns
    -------
    Dataset
        ``scope``, ``origin``, ``fade`` and ``risk`` (chain, draw), whole numbers: positions in the attribute
        ``choices``.
    """
    shape = tuple(like.sizes[dim] for dim in SAMPLE_DIMS)
    cell, size = np.zeros(int(np.prod(shape)), int), int(np.prod(shape))
    coords = {dim: like[dim].to_numpy() for dim in SAMPLE_DIMS}
    drawn = xr.Dataset(coords=coords)
    for name, choices in STRUCTURES.items():
        order = random_stream(seed, f"programmes: structure {name}").permutation(size)
        order = order[np.argsort(cell[order], kind="stable")]  # within each crossing of those before, at random
        index = np.empty(size, int)
        index[order] = _evenly([weights[name][choice] for choice in choices], size)
        cell = cell * len(choices) + index
        drawn[name] = xr.DataArray(index.reshape(shape), coords, SAMPLE_DIMS, attrs={"choices": list(choices)})
    return drawn


def _evenly(weights: list[float], size: int) -> Array:
    """Return ``size`` positions in proportion to weights, spread so evenly that any stretch of them is so too."""
    wanted = np.array(weights) * size
    counts = np.floor(wanted + 1e-9).astype(int)
    counts[np.argsort(counts - wanted, kind="stable")[: size - counts.sum()]] += 1  # the largest remainders
    choice = np.repeat(np.arange(len(counts)), counts)
    place = np.concatenate([(np.arange(count) + 0.5) / max(count, 1) for count in counts])
    evenly: Array = choice[np.argsort(place, kind="stable")]
    return evenly


def is_choice(structures: xr.Dataset, name: str, choice: str) -> xr.DataArray:
    """Return in which draws a structure is the choice named (chain, draw)."""
    chosen: xr.DataArray = structures[name] == structures[name].attrs["choices"].index(choice)
    return chosen


def sample_structures(
    studies: pd.DataFrame,
    tables: Mapping[str, pd.DataFrame],
    structures: xr.Dataset,
    *,
    seed: int,
    names: Collection[str] | None = None,
    borrow: bool = False,
    particles: int = PARTICLES,
    refuse: bool = True,
    selection: float = 1.0,
) -> xr.Dataset:
    """Draw the mean effect of every programme from the evidence that the structure of each draw lets count.

    Parameters
    ----------
    studies
        From `programme_studies`.
    tables
        ``programmes`` and ``priors``.
    structures
        From `draw_structures`. Of the scope "own" only a programme's own studies count, and of an outcome that it has
        no study of, nothing; of "type" those of its type; of "all" all. Priors are the same in each.
    seed
        Seed of the run.
    names
        Programmes to draw; all by default.
    borrow
        Count outcomes without a study too, with the effect of help in general; ``evidence`` is then "borrowed".
    particles, refuse, selection
        As for `sample_programmes`.

    Returns
    -------
    Dataset
        ``programme_effect`` and ``spread`` (chain, draw, programme, outcome; spread with ``level``, that between
        evaluations alone), 0 where the structure of a draw does not count the outcome; ``take_up`` (chain, draw,
        programme); ``evidence`` (programme, outcome), the best that counts in any draw; ``type_of`` (programme).

    Raises
    ------
    InputError
        As `sample_programmes`, and an unknown programme.
    """
    programmes = tables["programmes"]
    wanted = list(programmes["programme"]) if names is None else list(dict.fromkeys(names))
    unknown = [name for name in wanted if name not in set(programmes["programme"])]
    if unknown:
        raise InputError(f"programme '{excerpt(unknown[0])}': not in programmes.csv.", fix="name one of its rows.")
    sizes = [structures.sizes[dim] for dim in SAMPLE_DIMS]
    effect, spread = (np.zeros((*sizes, len(wanted), len(EFFECT_OUTCOMES))) for _ in range(2))
    take_up, rank = np.ones((*sizes, len(wanted))), np.zeros((len(wanted), len(EFFECT_OUTCOMES)), int)
    for scope, origin in _present(structures):
        here = (is_choice(structures, "scope", scope) & is_choice(structures, "origin", origin)).to_numpy()
        for group, purpose in _groups(scope, programmes):
            among = studies[studies["programme"].isin(group["programme"])]
            among = among[among["uk"]] if origin == "uk" else among
            members = [name for name in wanted if name in set(group["programme"])]
            if not members or among.empty:
                continue
            part = sample_programmes(
                among,
                group,
                tables["priors"],
                like=structures,
                seed=seed,
                particles=particles,
                refuse=refuse,
                selection=selection,
                purpose=PURPOSE + purpose,
            ).sel(programme=members)
            at = [wanted.index(name) for name in members]
            counts = (part["evidence"] != "none").to_numpy() | borrow
            chains, draws = np.nonzero(here)
            where = (chains[:, None], draws[:, None], np.array(at))
            effect[where] = part["programme_effect"].to_numpy()[here] * counts
            spread[where] = part["spread"].sel(level="study").to_numpy()[here][:, None] * counts
            take_up[where] = part["take_up"].to_numpy()[here]
            best = np.vectorize(WHOSE.index)(part["evidence"].to_numpy())
            rank[at] = np.maximum(rank[at], best)
    dims = (*SAMPLE_DIMS, "programme", "outcome")
    kinds = programmes.set_index("programme")["programme_type"]
    return xr.Dataset(
        {
            "programme_effect": (dims, effect),
            "spread": ((*dims, "level"), spread[..., None]),
            "take_up": (dims[:3], take_up),
            "evidence": (dims[2:], np.array(["borrowed" if borrow else WHOSE[0], *WHOSE[1:]])[rank]),
            "type_of": ("programme", [str(kinds[name]) for name in wanted]),
        },
        coords={dim: structures[dim].to_numpy() for dim in SAMPLE_DIMS}
        | {"programme": wanted, "outcome": list(EFFECT_OUTCOMES), "level": ["study"]},
        attrs={"units": "log hazard ratio per child served; standardised mean difference for attainment", "seed": seed},
    )


def _present(structures: xr.Dataset) -> list[tuple[str, str]]:
    """Return the scopes and origins that some draw has."""
    return [
        (scope, origin)
        for scope in STRUCTURES["scope"]
        for origin in STRUCTURES["origin"]
        if bool((is_choice(structures, "scope", scope) & is_choice(structures, "origin", origin)).any())
    ]


def _groups(scope: str, programmes: pd.DataFrame) -> Iterator[tuple[pd.DataFrame, str]]:
    """Return the programmes that learn from each other, and the purpose of their random numbers."""
    if scope == "all":
        yield programmes, ""
        return
    for name, group in programmes.groupby("programme" if scope == "own" else "programme_type"):
        yield group, f", {scope} {name}"
