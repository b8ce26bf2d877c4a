"""Time the decision functions beside heormodel and plain NumPy: CPU seconds, peak memory and error.

    python benchmarks/decision.py [--peer PYTHON]

Each contender runs in a process of its own. heormodel is no dependency of this project: give the Python of an
environment that has it (`python -m venv peer && peer/bin/pip install heormodel`), or its rows are skipped.

The case has four options whose net benefit is linear in ten parameters but for one product, so the true
conditional means are known. Bias is the mean error over ten sets of draws against these on the same draws, the
largest over the parameters. Each process has one thread of linear algebra: more spin, and would count as CPU.
"""

import argparse
import json
import os
import subprocess
import sys
import time
import tracemalloc
from itertools import combinations
from pathlib import Path

import numpy as np

OPTIONS, PARAMETERS, GROUP = 4, 10, 5
THRESHOLDS = np.linspace(0, 50_000, 501)
AT = 20_000.0
CONTENDERS = ("toolkit", "heormodel", "numpy")
REPEATS, CASES = 5, 10


def case(draws, number=0):
    """Parameters (draws, 10), costs and effects (draws, 4), and slopes of net benefit at the threshold."""
    slopes = np.random.default_rng(20261122).normal(0, 400, (PARAMETERS, OPTIONS))
    generator = np.random.default_rng(number)
    slopes[:, 0] = 0
    values = generator.standard_normal((draws, PARAMETERS))
    product = np.array([0.0, 500.0, -400.0, 300.0])
    worth = values @ slopes + np.outer(values[:, 0] * values[:, 1], product)
    costs = 1000.0 * np.arange(OPTIONS) + generator.normal(0, 200, (draws, 1)) * [0, 1, 1, 1]
    effects = (worth + costs + [0, 150, 100, -50]) / AT
    return values, costs, effects, (slopes, product)


def true_value(values, truth, columns):
    """EVPPI on these draws if the conditional means were known exactly."""
    slopes, product = truth
    known = values[:, columns] @ slopes[columns] + [0, 150, 100, -50]
    if {0, 1} <= set(columns):
        known = known + np.outer(values[:, 0] * values[:, 1], product)
    return known.max(1).mean() - known.mean(0).max()


def perfect(costs, effects):
    worth = AT * effects - costs
    return worth.max(1).mean() - worth.mean(0).max()


# What each contender does: three tasks ------------------------------------------------------------


def toolkit(values, costs, effects):
    import xarray as xr

    from toolkit import appraisal

    dims = ("sample", "option")
    cost, effect = (xr.DataArray(a, dims=dims, coords={"option": list("abcd")}) for a in (costs, effects))
    parameters = xr.Dataset({f"p{k}": ("sample", values[:, k]) for k in range(PARAMETERS)})
    worth = appraisal.net_benefit(cost, effect, AT)
    group = [f"p{k}" for k in range(GROUP)]
    return (
        lambda: appraisal.decision_curves(cost, effect, THRESHOLDS)["evpi"].values,
        lambda: appraisal.evppi(worth, parameters)["evppi"].values,
        lambda: appraisal.evppi(worth, parameters, of=[group])["evppi"].values,
    )


def heormodel(values, costs, effects):
    import pandas as pd
    from heormodel.cea import ceac
    from heormodel.models import Outcomes
    from heormodel.voi import evpi, evppi

    index = pd.RangeIndex(len(values), name="iteration")
    outcomes = Outcomes.from_wide(*(pd.DataFrame(a, columns=list("abcd"), index=index) for a in (costs, effects)))
    draws = pd.DataFrame(values, columns=[f"p{k}" for k in range(PARAMETERS)], index=index)
    group = list(draws.columns[:GROUP])
    return (
        lambda: (ceac(outcomes, THRESHOLDS), evpi(outcomes, THRESHOLDS))[1],
        lambda: [evppi(outcomes, draws, name, wtp=AT) for name in draws.columns],
        lambda: [evppi(outcomes, draws, group, wtp=AT)],
    )


def numpy(values, costs, effects):
    def curves():
        share, lost = np.empty((len(THRESHOLDS), OPTIONS)), np.empty(len(THRESHOLDS))
        for place, threshold in enumerate(THRESHOLDS):
            worth = threshold * effects - costs
            share[place] = np.bincount(worth.argmax(1), minlength=OPTIONS) / len(worth)
            lost[place] = worth.max(1).mean() - worth.mean(0).max()
        return lost

    def evppi(columns):
        x, worth = values[:, columns], AT * effects - costs
        pairs = [x[:, [a]] * x[:, [b]] for a, b in combinations(range(len(columns)), 2)]
        design = np.hstack([np.ones((len(x), 1)), x, x**2, x**3, *pairs])
        fitted = design @ np.linalg.lstsq(design, worth, rcond=None)[0]
        return fitted.max(1).mean() - fitted.mean(0).max()

    return curves, lambda: [evppi([k]) for k in range(PARAMETERS)], lambda: [evppi(list(range(GROUP)))]


# Measuring ----------------------------------------------------------------------------------------


def measure(name, draws):
    """Best CPU seconds of a few runs, peak of memory newly taken, and what was found in each case, by task."""
    cases = [globals()[name](*case(draws, number)[:3]) for number in range(CASES)]
    found = []
    for place, task in enumerate(cases[0]):
        results = [np.asarray(tasks[place](), float).tolist() for tasks in cases[: CASES if place else 1]]
        seconds = []
        for _ in range(REPEATS):
            start = time.process_time()
            task()
            seconds.append(time.process_time() - start)
        tracemalloc.start()
        task()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        found.append({"seconds": min(seconds), "peak": peak, "results": results})
    return found


def child(python, name, draws):
    command = [python, __file__, "--contender", name, "--draws", str(draws)]
    one_thread = os.environ | dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run(command, capture_output=True, text=True, cwd=root, env=one_thread)
    if done.returncode:
        print(f"{name} skipped: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
        return None
    return json.loads(done.stdout)


def bias(results, draws, columns):
    """Largest mean error over the cases, per cent of EVPI."""
    errors = []
    for number, result in enumerate(results):
        values, costs, effects, truth = case(draws, number)
        exact = [true_value(values, truth, one) for one in columns]
        errors.append(np.subtract(result, exact) / perfect(costs, effects))
    return 100 * np.abs(np.mean(errors, axis=0)).max()


def main(peer):
    tasks = {
        "acceptability and EVPI, 501 x 4": None,
        "EVPPI, ten singles": [[k] for k in range(PARAMETERS)],
        "EVPPI, one group of five": [list(range(GROUP))],
    }
    print("| task | draws | by | CPU seconds | peak MB | bias, % of EVPI |\n|---|---:|---|---:|---:|---:|")
    for draws in (1_000, 10_000):
        measured = {name: child(peer if name == "heormodel" else sys.executable, name, draws) for name in CONTENDERS}
        for place, (task, columns) in enumerate(tasks.items()):
            for name, found in measured.items():
                if found is None or (place and draws == 1_000):
                    continue
                row = found[place]
                off = f"{bias(row['results'], draws, columns):.2f}" if columns else "exact"
                print(f"| {task} | {draws:,} | {name} | {row['seconds']:.4f} | {row['peak'] / 1e6:.1f} | {off} |")
                if not columns:  # the definition itself, threshold by threshold
                    np.testing.assert_allclose(row["results"], measured["numpy"][place]["results"], atol=1e-6)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", default=sys.executable, help="Python that has heormodel")
    parser.add_argument("--contender", choices=CONTENDERS, help=argparse.SUPPRESS)
    parser.add_argument("--draws", type=int, default=10_000, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.contender:
        sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
        print(json.dumps(measure(given.contender, given.draws)))
    else:
        main(given.peer)
