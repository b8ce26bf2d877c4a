"""Fits of the outcome model: made once for the same inputs, code and settings, and reused from the cache."""

import json
from pathlib import Path

import pandas as pd
import xarray as xr

from toolkit import changes, evidence
from toolkit.code_hash import code_hash
from toolkit.kernels import compile_beside
from toolkit.pricing.areas import Progress, silent
from toolkit.records import check_writable, fingerprint, open_cached, open_netcdf, prune, versions, write_netcdf
from toolkit.resolved import ResolvedScenario, resolve
from toolkit.scenarios import Scenario

__all__ = ["card_of", "fit", "fit_path", "fit_resolved", "outcome_priors"]

FITS_KEPT = 8  # fits that stay in the cache
FIT_BYTES = 450  # bytes of a cached fit for each draw and area
FITTING = (  # modules of its code
    "fitting/diagnose fitting/fit fitting/priors outcomes/density outcomes/design outcomes/levels outcomes/likelihoods "
    "outcomes/model outcomes/persistence outcomes/rates"
)
SAMPLED = 1.5  # draws for each one priced: R-hat is judged on a thousand rates, and its noise falls with their number


def fit(
    statistics: xr.Dataset,
    scenario: Scenario,
    register: evidence.Register,
    *,
    cache: Path,
    refit: bool = False,
    progress: Progress = silent,
) -> xr.DataTree:
    """Return :func:`fit_resolved` of a scenario that has not been resolved yet."""
    resolved = resolve(scenario, register, statistics)
    return fit_resolved(statistics, resolved, cache=cache, refit=refit, progress=progress)


def fit_resolved(
    statistics: xr.Dataset,
    resolved: ResolvedScenario,
    *,
    cache: Path,
    refit: bool = False,
    progress: Progress = silent,
) -> xr.DataTree:
    """Return the outcome model's posterior, fitted now or reused from ``cache`` while its inputs are unchanged.

    Where the scenario changes priors, the draws fitted with the shipped ones are weighted instead if they can be
    (:func:`toolkit.changes.weighed`) and no refit is asked for.
    """
    scenario = resolved.scenario
    if resolved.changes_outcome_priors and not refit:
        plain = fit_resolved(statistics, resolved.with_shipped_priors(), cache=cache, progress=progress)
        shipped = resolved.register.tables["priors"]
        reweighted = changes.weighed(plain, scenario, shipped, resolved.outcome_priors)
        if isinstance(reweighted, xr.DataTree):
            return reweighted
    path = fit_path(statistics, resolved, cache=cache)
    if not refit and (cached := open_cached(path)) is not None:
        return cached
    size = scenario.chains * scenario.draws * statistics.sizes["area"]
    check_writable(cache, option="--cache", room=FIT_BYTES * size)
    from toolkit import models

    progress("compile outcome model", 0.0)

    def sampling(share: float) -> None:
        progress("compile outcome model", 1.0)
        progress("sample outcome model", share)

    with compile_beside():
        model = models.outcomes(
            statistics,
            indicators=list(statistics["indicator"].values),
            priors=resolved.outcome_priors,
            covariates=scenario.covariates,
        )
        fitted = models.fit(
            model,
            seed=scenario.seed,
            draws=round(SAMPLED * scenario.draws),
            chains=scenario.chains,
            progress=False,
            on_progress=sampling,
        )
    card, fitted = models.diagnose(fitted), models.evenly(fitted, scenario.draws)
    base = models.baseline(fitted, statistics)
    national = fitted["posterior"]["national_rate"].sel(data_year=base["base_year"]).drop_vars("data_year")
    fitted["posterior"] = fitted["posterior"].to_dataset().assign(baseline_rate=base, baseline_national=national)
    fitted.attrs["report_card"] = card.to_json(orient="records")
    write_netcdf(fitted, path)
    prune(cache, FITS_KEPT)
    return open_netcdf(path)  # as the next run will read it


def fit_path(statistics: xr.Dataset, resolved: ResolvedScenario, *, cache: Path) -> Path:
    """Return where the fit with a scenario's own priors is, or will be, kept."""
    # The priors of other models, and the reasons for a change, do not move this fit.
    priors, scenario = outcome_priors(resolved.outcome_priors), resolved.scenario
    settings = (scenario.seed, scenario.draws, scenario.chains, SAMPLED, *scenario.covariates)
    return cache / f"outcomes-{_key(statistics, priors, *settings)}.nc"


def outcome_priors(priors: pd.DataFrame) -> pd.DataFrame:
    """Return the priors of the outcome model, without the columns that move no fit."""
    return priors.query("model == 'outcomes'").set_index("parameter")[["distribution", "arg1", "arg2"]].sort_index()


def _key(*parts: object) -> str:
    """Return a short hash of a fit's inputs, code and library versions: a fit of others is not reused."""
    code = code_hash(f"models/{name}" for name in FITTING.split())
    return fingerprint(versions("pymc", "pytensor", "nutpie", "arviz"), code, *parts)


def card_of(tree: xr.DataTree) -> pd.DataFrame:
    """Return the report card that a fit carries."""
    return pd.DataFrame(json.loads(str(tree.attrs["report_card"])))


def __dir__() -> list[str]:
    return __all__
