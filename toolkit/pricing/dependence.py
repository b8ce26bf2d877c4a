"""Which uncertain inputs a number is computed from: each is moved alone, and what does not follow cannot act.

The design is put along the draws, so that one pricing of a single area answers for every input: a few base points, and
each of them again with one input at an end of its range. Correlation among the draws, and chance, have no part in it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from toolkit import evidence
from toolkit.pricing.areas import price_areas
from toolkit.pricing.place import Desk
from toolkit.resolved import ResolvedScenario
from toolkit.schema import SAMPLE_DIMS

type Place = tuple[str, str, dict[str, Any]]

EFFECT, RATE, PATHWAY = "effect", "rate", "pathway"
BASES, ENDS = 2, (0.05, 0.95)
MOVED = 1e-5  # of the number's largest size: priced in single precision, it is known to some 1e-7


@dataclass(frozen=True)
class Design:
    """Draws in which one input at a time is moved.

    Attributes
    ----------
    draws, effects, posterior
        As those of a run, with chain of one and a draw for each point.
    inputs
        Names of the inputs, as ``report.value_of_knowing.parameters`` has them.
    """

    draws: xr.Dataset
    effects: xr.Dataset
    posterior: xr.Dataset
    inputs: tuple[str, ...]

    def moved(self, answer: xr.DataArray) -> tuple[str, ...]:
        """Return the inputs that move an answer (chain, draw) worked out from these draws."""
        values = answer.transpose(*SAMPLE_DIMS).values.astype(float).reshape(BASES, -1)
        gaps = abs(values[:, 1:] - values[:, :1]).reshape(BASES, len(self.inputs), len(ENDS)).max(axis=(0, 2))
        return tuple(name for name, gap in zip(self.inputs, gaps, strict=True) if gap > MOVED * abs(values).max())


def design(draws: xr.Dataset, effects: xr.Dataset, posterior: xr.Dataset) -> Design:
    """Return the design of a run's inputs.

    Parameters
    ----------
    draws
        Figures of the run, the pathway's parameters among them.
    effects
        Effects by source and outcome.
    posterior
        Holds ``baseline_rate`` and ``baseline_national``.
    """
    parts = {"draws": draws, "effects": effects[["new_site_effect"]]}
    parts["posterior"] = posterior[["baseline_rate", "baseline_national"]].reset_coords(drop=True)
    flat = {name: part.stack(point=SAMPLE_DIMS).reset_index("point", drop=True) for name, part in parts.items()}
    inputs = dict(_inputs(**parts))
    points = BASES * (1 + len(inputs) * len(ENDS))
    # Bases lie a quarter and three quarters along the draws; every point begins as its base.
    size = flat["draws"].sizes["point"]
    bases = np.repeat([(2 * base + 1) * size // (2 * BASES) for base in range(BASES)], points // BASES)
    made = {name: part.isel(point=bases).copy(deep=True) for name, part in flat.items()}
    for row, places in enumerate(inputs.values()):
        for end, share in enumerate(ENDS):
            at = 1 + row * len(ENDS) + end + points // BASES * np.arange(BASES)
            for part, name, where in places:
                value = flat[part][name].sel(where).quantile(share, "point").drop_vars("quantile")
                made[part][name].loc[{**where, "point": at}] = value
    coords = {"chain": [0], "draw": np.arange(points)}
    ready = {name: one.rename(point="draw").expand_dims("chain").assign_coords(coords) for name, one in made.items()}
    return Design(**ready, inputs=tuple(inputs))


def _inputs(draws: xr.Dataset, effects: xr.Dataset, posterior: xr.Dataset) -> Iterator[tuple[str, list[Place]]]:
    """Yield each input by name, and where it is: the part, the variable and the labels within it."""
    for name, one in draws.data_vars.items():
        if set(one.dims) == set(SAMPLE_DIMS):
            yield str(name), [("draws", str(name), {})]
    if PATHWAY in draws:
        for one in draws[PATHWAY]["parameter"].values:
            copies = [figure for figure, name in evidence.ALSO_FIGURES.items() if name == one and figure in draws]
            yield (
                f"{PATHWAY}: {one}",
                [("draws", PATHWAY, {"parameter": one}), *(("draws", name, {}) for name in copies)],
            )
    for one in effects["outcome"].values:
        yield f"{EFFECT}: {one}", [("effects", "new_site_effect", {"outcome": one})]
    for one in posterior["indicator"].values:
        yield f"{RATE}: {one}", [("posterior", "baseline_rate", {"indicator": one})]


def steadied(desk: Desk) -> Desk:
    """Return the desk with a place's prices alike in every draw: they are no input, and would move the answers."""
    steady = {name: getattr(desk, name) for name in ("local", "placements")}
    for name, one in steady.items():
        if "draw" in one.dims:
            first = one.isel(draw=[0] * desk.draws.sizes["draw"])
            setattr(desk, name, first.assign_coords(draw=desk.draws["draw"]))
    return desk


def by_account(
    fitted: xr.DataTree,
    statistics: xr.Dataset,
    resolved: ResolvedScenario,
    draws: xr.Dataset,
    effects: xr.Dataset,
    *,
    area: str,
    appraise: Callable[..., xr.Dataset],
) -> xr.Dataset:
    """Return which inputs the net present value of an area is computed from, by account.

    Parameters
    ----------
    fitted, statistics, resolved, draws, effects
        As for ``places.Desk``.
    area
        One of the run's: all are computed alike, but for what a council's own figures stand in for.
    appraise
        Returns the appraisal of priced costs.

    Returns
    -------
    xr.Dataset
        ``acts`` (input, account), 1 or 0.
    """
    found = design(draws, effects, fitted["posterior"].to_dataset())
    tree = xr.DataTree.from_dict({"posterior": found.posterior})
    desk = steadied(Desk(tree, statistics, resolved, found.draws, found.effects))
    npsv = appraise(price_areas(desk, areas=[area])[0], resolved.scenario, found.draws, resolved.register)["npsv"]
    accounts = npsv["account"].values.astype(str)
    acts = [np.isin(found.inputs, found.moved(npsv.sel(account=account, drop=True))) for account in accounts]
    coords = {"account": accounts, "input": list(found.inputs)}
    return xr.Dataset({"acts": (("account", "input"), np.array(acts, "int8"))}, coords=coords)
