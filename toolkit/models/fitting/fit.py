"""Sample from the posterior of any PyMC model of the package."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

import numpy as np
import nutpie
import pymc as pm
import xarray as xr
from pytensor.configdefaults import config
from rich.console import Console

from toolkit.schema import InputError

VERSIONED = ("pymc", "pytensor", "nutpie", "numba", "numpy", "xarray")
KEPT_STATISTICS = ("diverging", "energy", "n_steps", "step_size", "logp")


def fit(
    model: pm.Model,
    *,
    seed: int,
    draws: int = 1000,
    tune: int = 400,
    chains: int = 4,
    progress: bool = True,
    on_progress: Callable[[float], None] | None = None,
    cores: int = 2,
    target_accept: float | None = None,
) -> xr.DataTree:
    """Sample a model's posterior with the no-U-turn sampler.

    Parameters
    ----------
    model
        Any PyMC model. If it has a ``complete`` function (Dataset of sampled parameters, seed) -> Dataset,
        its result becomes the posterior; if it has a ``design`` Dataset, this becomes ``constant_data``.
    seed
        Seed of the sampler. The same seed repeats the draws on the same machine, with the same versions and
        compile cache; elsewhere results agree within Monte Carlo error.
    draws, tune
        Draws of each chain that are kept, and tuning draws that are discarded.
    chains, cores
        Independent chains, and how many run at once.
    progress
        Show progress on the terminal.
    on_progress
        Called with the share of draws that are done; replaces the display on the terminal.
    target_accept
        A higher value takes smaller steps, which avoids divergences. By default the model's own ``target_accept``,
        else 0.9.

    Returns
    -------
    DataTree
        Groups ``posterior`` (float32), ``sample_stats`` and, for a model with a design, ``constant_data``;
        seed, settings, seconds and versions as attributes.

    Raises
    ------
    InputError
        If a setting is out of range, or the sampler finds no starting point.

    References
    ----------
    .. [1] Hoffman and Gelman (2014), The no-U-turn sampler, JMLR 15:1593-1623.
    .. [2] Seyboldt, Carlson and Carpenter (2026), Preconditioning Hamiltonian Monte Carlo by minimizing
       Fisher divergence, arXiv:2603.18845.
    """
    accept = getattr(model, "target_accept", 0.9) if target_accept is None else target_accept
    _check_settings(seed=seed, draws=draws, tune=tune, chains=chains, cores=cores, target_accept=accept)
    started = time.perf_counter()
    with _announced("Compiling the model (about a minute the first time, seconds after)", progress and not on_progress):
        compiled = compile_model(model)
    between = time.perf_counter()
    tree = _sample(
        compiled,
        draws=draws,
        tune=tune,
        chains=chains,
        cores=min(cores, chains),
        seed=seed,
        progress_bar=progress and on_progress is None,
        progress_callback=_share_done(on_progress) if on_progress else None,
        target_accept=accept,
    )
    # An interrupted sampler returns the draws it has: such a trace must not be used as a posterior.
    sizes = tree["posterior"].sizes
    if (sizes["chain"], sizes["draw"]) != (chains, draws) or _unfinished(tree):
        raise KeyboardInterrupt
    seconds = {"compile_seconds": between - started, "sampling_seconds": time.perf_counter() - between}
    result = _assembled(model, tree, seed)
    result.attrs = {
        "seed": seed,
        "draws": draws,
        "tune": tune,
        "chains": chains,
        "target_accept": accept,
        "sampler": "nutpie",
        **{name: round(value, 1) for name, value in seconds.items()},
        "versions": json.dumps({name: version(name) for name in VERSIONED}),
    }
    return result


def evenly(posterior: xr.DataTree, draws: int) -> xr.DataTree:
    """Return some draws of each chain, evenly spaced and renumbered; attributes keep the original number.

    Raises
    ------
    InputError
        If the chains have fewer draws.
    """
    sampled = posterior["posterior"].sizes["draw"]
    if draws > sampled:
        raise InputError(f"evenly: {draws} draws of {sampled}.", fix="sample at least as many draws as you keep.")
    positions = np.arange(draws) * sampled // draws

    def thin(group: xr.Dataset) -> xr.Dataset:
        return group.isel(draw=positions).assign_coords(draw=np.arange(draws)) if "draw" in group.dims else group

    thinned = posterior.map_over_datasets(thin)
    thinned.attrs = {**posterior.attrs, "draws_kept": draws}
    return thinned


def _unfinished(tree: xr.DataTree) -> bool:
    """Return whether any chain stopped early, which leaves values that are not finite."""
    return not all(bool(np.isfinite(values).all()) for values in tree["posterior"].to_dataset().values())


def _share_done(on_progress: Callable[[float], None]) -> Callable[[list[Any]], None]:
    def report(chains: list[Any]) -> None:
        on_progress(sum(chain.finished_draws for chain in chains) / sum(chain.total_draws for chain in chains))

    return report


def _assembled(model: pm.Model, tree: xr.DataTree, seed: int) -> xr.DataTree:
    posterior = tree["posterior"].to_dataset()
    if hasattr(model, "complete"):
        posterior = model.complete(posterior, seed=seed)
    groups = {"posterior": _single(posterior), "sample_stats": _statistics(tree["sample_stats"].to_dataset())}
    if hasattr(model, "design"):
        groups["constant_data"] = model.design
    return xr.DataTree.from_dict(groups)


def compile_model(model: pm.Model) -> Any:
    """Compile a model's log-density and gradient for nutpie.

    ``fastmath`` is off so that a warm and a cold compile cache give the same draws. Without ``cxx`` a few functions
    run once in Python, so that no C compiler is needed.
    """
    with config.change_flags(numba__fastmath=False, cxx=""):
        return nutpie.compile_pymc_model(model)


def _check_settings(**settings: float) -> None:
    for name, value in settings.items():
        least = 0 if name in ("seed", "target_accept") else 1
        whole = name == "target_accept" or (isinstance(value, int | np.integer) and not isinstance(value, bool))
        if not whole or value < least or (name == "target_accept" and not 0.5 <= value < 1):
            raise InputError(
                f"fit: {name}={value!r} cannot be used.",
                fix=f"give whole numbers from {least}, target_accept 0.5 to 1.",
            )


def _sample(compiled: Any, **settings: Any) -> xr.DataTree:
    try:
        tree: xr.DataTree = nutpie.sample(compiled, save_warmup=False, **settings)
        return tree
    except RuntimeError as error:
        if "nitialization" not in str(error):
            raise
        raise InputError(
            "fit: no starting point has a finite density; a prior contradicts the data, or a value is impossible.",
            fix="look at model.point_logps() for the term that is not finite.",
        ) from error


def _single(posterior: xr.Dataset) -> xr.Dataset:
    floats = {name: values.astype("float32") for name, values in posterior.data_vars.items() if values.dtype == float}
    return posterior.assign(floats)


def _statistics(statistics: xr.Dataset) -> xr.Dataset:
    chosen = statistics[[name for name in KEPT_STATISTICS if name in statistics]]
    return chosen.drop_vars([name for name in chosen.coords if name not in chosen.dims])


@contextmanager
def _announced(message: str, progress: bool) -> Iterator[None]:
    if not progress:
        yield
        return
    with Console(stderr=True).status(message):
        yield
