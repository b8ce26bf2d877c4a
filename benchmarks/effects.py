"""Seconds to refit the meta-analysis after adding a study, without compiling again, and on the exact grid.

Run from the repository: python benchmarks/effects.py. The first line includes compilation (the cost of a new
process); each further line adds one study by `with_data` and samples four chains of 1,000 draws. The ratio is
to compiling the model of the larger set of studies afresh.
"""

from time import perf_counter, process_time

import nutpie
import pandas as pd
from toolkit.models.effects.grid import quadrature
from toolkit.models.effects.model import effect_data, effects
from toolkit.models.effects.studies import study_table

from toolkit import evidence
from toolkit.models.fitting.fit import compile_model

SETTINGS = {"draws": 1000, "tune": 800, "chains": 4, "cores": 2, "seed": 11, "progress_bar": False}
ADDED = 3


def timed(name, action):
    wall, cpu = perf_counter(), process_time()
    result = action()
    spent = perf_counter() - wall
    print(f"{name:<52}{spent:8.2f} s wall {process_time() - cpu:8.2f} s CPU")
    return result, spent


def new_study(number):
    row = {"outcome": "care", "effect_id": f"NEW_{number}", "programme_family": "mentoring", "design": "rct"}
    return row | {"scale": "log_risk", "est": -0.1 * number, "se": 0.1}


def main():
    register = evidence.load_register()
    tables, priors = register.tables, register.tables["priors"]
    studies = study_table(tables)
    compiled, _ = timed("compile", lambda: compile_model(effects(studies, priors=priors)))
    timed("sample the shipped studies", lambda: nutpie.sample(compiled, **SETTINGS))
    warm = []
    for count in range(1, ADDED + 1):
        table = study_table(tables, extra=pd.DataFrame([new_study(number) for number in range(count)]))
        data = effect_data(table, priors=priors)
        refit = lambda data=data: nutpie.sample(compiled.with_data(**data), **SETTINGS)  # noqa: E731
        fit, spent = timed(f"refit with {count} more, no compilation", refit)
        warm.append(spent)
        grid, _ = timed("  the same on the exact grid", lambda table=table: quadrature(table, priors=priors))
        gap = fit["posterior"]["mean_effect"].mean(("chain", "draw")) - grid["mean_effect_mean"]
        print(f"  largest gap of a mean, posterior sd: {float(abs(gap / grid['mean_effect_sd']).max()):.3f}")
    _, afresh = timed(
        "compile and sample the largest set afresh",
        lambda: nutpie.sample(compile_model(effects(table, priors=priors)), **SETTINGS),
    )
    print(f"slowest refit {max(warm):.2f} s (target 3 s); {afresh / max(warm):.1f} times faster than afresh")


if __name__ == "__main__":
    main()
