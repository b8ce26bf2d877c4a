"""Which uncertain inputs a number depends on: each is moved alone, and an input that moves nothing has no influence.

The design takes the place of the draws, so that one pricing of a single area covers every input: a few base points,
each repeated with one input at an end of its range. Correlation among the draws, and chance, play no part.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from toolkit import evidence
from toolkit.pricing.areas import price_areas
from toolkit.pricing.desk import Desk
from toolkit.resolved import ResolvedScenario
from toolkit.schema import SAMPLE_DIMS

type Location = tuple[str, str, dict[str, Any]]  # part, variable and labels within it

EFFECT, RATE, PATHWAY = "effect", "rate", "pathway"
BASES, ENDS = 2, (0.05, 0.95)
MOVED = 1e-5  # of the number's largest size: priced in single precision, it is known to some 1e-7


@dataclass(frozen=True)
class Design:
    """Draws in which one input at a time is moved.

    Attributes
    ----------
    draws, effects, posterior
        As those of a run, with one chain and a draw for each point.
    inputs
        Names of the inputs, as ``measures.value_of_information.parameters`` has them.
    """

    draws: xr.Dataset
    effects: xr.Dataset
    posterior: xr.Dataset
    inputs: tuple[str, ...]

    def moved(self, answer: xr.DataArray) -> tuple[str, ...]:
        """Return the inputs that move an answer (chain, draw) computed from these draws."""
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
        Effects by programme and outcome, as for ``place.Desk``.
    posterior
        Holds ``baseline_rate`` and ``baseline_national``.
    """
    # An area's own deviation is chance here, not an input, and would move the answers.
    sampled = effects[[name for name, values in effects.items() if set(SAMPLE_DIMS) <= set(values.dims)]]
    parts = {"draws": draws, "effects": sampled.assign(area_sd=0.0 * sampled["area_sd"]).reset_coords(drop=True)}
    parts["posterior"] = posterior[["baseline_rate", "baseline_national"]].reset_coords(drop=True)
    flat = {name: part.stack(point=SAMPLE_DIMS).reset_index("point", drop=True) for name, part in parts.items()}
    inputs = dict(_inputs(**parts))
    points = BASES * (1 + len(inputs) * len(ENDS))
    # Bases lie a quarter and three quarters along the draws; every point begins as its base.
    size = flat["draws"].sizes["point"]
    bases = np.repeat([(2 * base + 1) * size // (2 * BASES) for base in range(BASES)], points // BASES)
    designed = {name: part.isel(point=bases).copy(deep=True) for name, part in flat.items()}
    for row, locations in enumerate(inputs.values()):
        for end, share in enumerate(ENDS):
            at = 1 + row * len(ENDS) + end + points // BASES * np.arange(BASES)
            for part, name, where in locations:
                value = flat[part][name].sel(where).quantile(share, "point").drop_vars("quantile")
                designed[part][name].loc[{**where, "point": at}] = value
    coords = {"chain": [0], "draw": np.arange(points)}
    ready = {
        name: part.rename(point="draw").expand_dims("chain").assign_coords(coords) for name, part in designed.items()
    }
    whole = effects.drop_vars([*sampled.data_vars, *SAMPLE_DIMS], errors="ignore")
    ready["effects"] = ready["effects"].merge(whole).assign_attrs(effects.attrs)
    return Design(**ready, inputs=tuple(inputs))


def _inputs(draws: xr.Dataset, effects: xr.Dataset, posterior: xr.Dataset) -> Iterator[tuple[str, list[Location]]]:
    """Yield each input by name, and where it is found."""
    for name, variable in draws.data_vars.items():
        if set(variable.dims) == set(SAMPLE_DIMS):
            yield str(name), [("draws", str(name), {})]
    if PATHWAY in draws:
        for parameter in draws[PATHWAY]["parameter"].values:
            copies = [figure for figure, name in evidence.ALSO_FIGURES.items() if name == parameter and figure in draws]
            yield (
                f"{PATHWAY}: {parameter}",
                [("draws", PATHWAY, {"parameter": parameter}), *(("draws", name, {}) for name in copies)],
            )
    for programme in effects["programme"].values.astype(str):
        for outcome in effects["outcome"].values.astype(str):
            where = {"programme": programme, "outcome": outcome}
            if bool((effects["effect"].sel(where) != 0).any()):  # 0 where no effect is counted
                yield f"{EFFECT}: {programme}: {outcome}", [("effects", "effect", where)]
    for indicator in posterior["indicator"].values:
        yield f"{RATE}: {indicator}", [("posterior", "baseline_rate", {"indicator": indicator})]


def steadied(desk: Desk) -> Desk:
    """Return the desk with local prices and stocks fixed over the draws: no inputs, they would move the answers."""
    for name in ("local", "placements", "looked_after"):
        prices = getattr(desk, name)
        if "draw" in prices.dims:
            first = prices.isel(draw=[0] * desk.draws.sizes["draw"])
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
    """Return which inputs the net present value of an area depends on, by account.

    Parameters
    ----------
    fitted, statistics, resolved, draws, effects
        As for ``place.Desk``.
    area
        One of the run's: all are computed in the same way, except where a council's own figures replace others.
    appraise
        Returns the appraisal of priced costs.

    Returns
    -------
    xr.Dataset
        ``acts`` (input, account), 1 or 0.
    """
    points = design(draws, effects, fitted["posterior"].to_dataset())
    tree = xr.DataTree.from_dict({"posterior": points.posterior})
    desk = steadied(Desk(tree, statistics, resolved, points.draws, points.effects))
    npsv = appraise(price_areas(desk, areas=[area])[0], resolved.scenario, points.draws, resolved.register)["npsv"]
    accounts = npsv["account"].values.astype(str)
    acts = [np.isin(points.inputs, points.moved(npsv.sel(account=account, drop=True))) for account in accounts]
    coords = {"account": accounts, "input": list(points.inputs)}
    return xr.Dataset({"acts": (("account", "input"), np.array(acts, "int8"))}, coords=coords)
