"""Everything uncertain that a run draws besides its fit: figures, the pathway, and what programmes change."""

from collections.abc import Collection, Iterable

import pandas as pd
import xarray as xr

from toolkit import evidence
from toolkit.pricing.programmes import counted_effects
from toolkit.resolved import ResolvedScenario
from toolkit.scenarios import Scenario

__all__ = ["draw_effects", "draw_figures", "effects_of", "studies_of"]


def draw_figures(
    scenario: Scenario, assumptions: pd.DataFrame, register: evidence.Register, *, like: xr.Dataset
) -> xr.Dataset:
    """Return the scenario's figures, those of the fitted pathway among them, on the chain and draw of ``like``."""
    draws = evidence.sample(assumptions, like=like, seed=scenario.seed, price_base=scenario.price_base)
    return evidence.with_pathway(draws, register, seed=scenario.seed)


def draw_effects(resolved: ResolvedScenario, draws: xr.Dataset) -> xr.Dataset:
    """Return what each programme of the plan changes for a child served, from :func:`effects_of`, and its label."""
    names = list(resolved.scenario.programmes)
    labels = resolved.tables["programmes"].set_index("programme").loc[names, "label"].to_numpy(str)
    return effects_of(resolved, draws, names=names).assign(label=("programme", labels))


def effects_of(
    resolved: ResolvedScenario,
    draws: xr.Dataset,
    *,
    names: Collection[str] | None = None,
    scope: str = "all",
    exclude: Iterable[str] = (),
    weights: evidence.Weights | None = None,
) -> xr.Dataset:
    """Return what programmes change for a child served, on a run's draws.

    Parameters
    ----------
    resolved
        States the studies, priors and how effects are used.
    draws
        From :func:`draw_figures`.
    names
        Programmes; all if not given.
    scope, exclude
        Of the studies, as for ``programme_studies``; what the scenario leaves out is left out as well.
    weights
        Of rival structures, in place of those of the scenario.

    Returns
    -------
    Dataset
        From ``pricing.programmes.counted_effects``.
    """
    from toolkit.models.effects.programme_studies import programme_studies
    from toolkit.models.effects.programme_use import used_effects

    effect, tables = resolved.scenario.effect, resolved.tables
    used = used_effects(
        programme_studies(tables, scope=scope, exclude=[*resolved.scenario.left_out, *exclude]),
        tables,
        like=draws,
        seed=resolved.scenario.seed,
        weights=effect.structure if weights is None else weights,
        shared_luck=effect.shared_luck,
        scale_up=effect.scale_up,
        borrow=effect.unevidenced == "borrow",
        names=names,
        selection=effect.selection,
    )
    return counted_effects(used, tables)


def studies_of(resolved: ResolvedScenario) -> pd.DataFrame:
    """Return the studies of a scenario on one scale, its own among them, from ``programme_studies``."""
    from toolkit.models.effects.programme_studies import programme_studies

    return programme_studies(resolved.tables, exclude=resolved.scenario.left_out)


def __dir__() -> list[str]:
    return __all__
