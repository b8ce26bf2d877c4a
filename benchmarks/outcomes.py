"""The outcome model in three samplers: nutpie (ours), PyMC's own and numpyro; compiling and sampling apart.

Run from the repository: python -m benchmarks.outcomes [--areas 30] [--draws 400] [--tune 400]; all areas are
``--areas 148`` and take an hour, most of it PyMC's own sampler. Ratios are of one run on one machine: least bulk ESS
of a coefficient, spread or correlation, over CPU seconds of sampling. A sampler that cannot run the model says why.
"""

import argparse
import importlib.util
import warnings
from time import perf_counter, process_time

import arviz as az
import numpy as np
import nutpie
import pymc as pm

from toolkit import evidence
from toolkit.models import outcomes
from toolkit.models.fit import compile_model
from toolkit.models.outcomes import TARGET_ACCEPT
from toolkit.models.rates import REPORTED, SCALES

SEED, CHAINS = 11, 4


def by_nutpie(model, draws, tune):
    """Compile first, then sample, each timed."""
    compiled, compile_spent = timed(lambda: compile_model(model))
    settings = {"draws": draws, "tune": tune, "chains": CHAINS, "cores": 2, "seed": SEED, "progress_bar": False}
    tree, spent = timed(lambda: nutpie.sample(compiled, target_accept=TARGET_ACCEPT, **settings))
    return tree, compile_spent, spent


def by_pymc(name):
    """Sample by ``pm.sample``: from its first draw to its last counts as sampling, the rest as compiling."""

    def sample(model, draws, tune):
        marks = []
        settings = {"draws": draws, "tune": tune, "chains": CHAINS, "cores": 1, "random_seed": SEED}
        tree, whole = timed(
            lambda: pm.sample(
                **settings, nuts_sampler=name, progressbar=False, target_accept=TARGET_ACCEPT, model=model,
                compute_convergence_checks=False, init="adapt_diag",
                callback=lambda trace, draw: marks.append((perf_counter(), process_time())),
            )
        )  # fmt: skip
        spent = tuple(last - first for first, last in zip(marks[0], marks[-1], strict=True))
        return tree, tuple(both - part for both, part in zip(whole, spent, strict=True)), spent

    return sample


def timed(action):
    wall, cpu = perf_counter(), process_time()
    made = action()
    return made, (perf_counter() - wall, process_time() - cpu)


def least_ess(tree):
    kept = [*REPORTED, *SCALES, "area_cholesky"]
    found = az.ess(tree["posterior"].to_dataset()[kept], method="bulk")
    return min(float(np.nanmin(values)) for values in found.data_vars.values())


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name, usual in (("areas", 30), ("draws", 400), ("tune", 400)):
        parser.add_argument(f"--{name}", type=int, default=usual)
    parser.add_argument("--only", default="", help="one of the samplers")
    asked = parser.parse_args()
    statistics = evidence.load_statistics()
    fitted = statistics["area"].values[statistics["fitted"].values]
    chosen = fitted[np.linspace(0, len(fitted) - 1, min(asked.areas, len(fitted))).astype(int)]
    model = outcomes(statistics.sel(area=chosen))
    print(f"{len(chosen)} areas, {CHAINS} chains of {asked.draws} draws after {asked.tune}; seconds wall (CPU)")
    rates = {}
    samplers = {"nutpie": by_nutpie, "pymc": by_pymc("pymc"), "numpyro": by_pymc("numpyro")}
    for name, sample in samplers.items():
        if asked.only not in ("", name):
            continue
        if name == "numpyro" and importlib.util.find_spec("numpyro") is None:
            print(f"{name:<9}not run: not installed; nor has the density, one operation for numba, a form for JAX")
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree, once, spent = sample(model, asked.draws, asked.tune)
        except NotImplementedError as refused:  # the density's one pass for value and gradient is written for numba
            print(f"{name:<9}not run: {str(refused).splitlines()[0]}")
            continue
        ess = least_ess(tree)
        rates[name] = ess / spent[1]
        print(
            f"{name:<9}compile {once[0]:6.1f} ({once[1]:6.1f})  sample {spent[0]:6.1f} ({spent[1]:6.1f})  "
            f"least bulk ESS {ess:6.0f}, {rates[name]:6.1f} a CPU second of sampling",
            flush=True,
        )
    for name, rate in rates.items():
        if name != "nutpie" and "nutpie" in rates:
            print(f"nutpie over {name}: {rates['nutpie'] / rate:.1f}")


if __name__ == "__main__":
    main()
