"""Seconds to draw the effects of programmes by importance sampling, again with more studies, and by the PyMC twin.

Run from the repository: python -m benchmarks.effects. The gaps are those of the mean effects on the outcomes of every
programme, in posterior standard deviations.
"""

from time import perf_counter, process_time

import numpy as np
import pandas as pd
import xarray as xr

from toolkit import evidence
from toolkit.models.effects.hierarchy import sample_programmes
from toolkit.models.effects.programme_model import programme_model
from toolkit.models.effects.programme_studies import programme_studies
from toolkit.models.fitting.fit import fit
from toolkit.schema import SAMPLE_DIMS

LIKE = xr.Dataset(coords={"chain": range(4), "draw": np.arange(1000)})
SETTINGS = {"draws": 1000, "tune": 600, "chains": 4, "target_accept": 0.95, "progress": False}
ADDED = 3


def timed(name, action):
    wall, cpu = perf_counter(), process_time()
    result = action()
    print(f"{name:<52}{perf_counter() - wall:8.2f} s wall {process_time() - cpu:8.2f} s CPU")
    return result


def new_studies(studies, count):
    """Return studies of care by the first programme, each in an evaluation of its own."""
    row = studies[studies["outcome"] == "care"].iloc[[0]]
    parts = [
        row.assign(study=f"NEW_{at}", evaluation=f"new_{at}", effect=-0.1 * at, se=0.1, se_log_sd=0.0)
        for at in range(1, count + 1)
    ]
    return pd.concat([studies, *parts], ignore_index=True)


def main():
    tables = evidence.load_register().tables
    studies, others = programme_studies(tables), (tables["programmes"], tables["priors"])
    drawn = timed("shipped studies", lambda: sample_programmes(studies, *others, like=LIKE, seed=1))
    print(f"  {drawn.attrs['effective']:.0f} effective particles, k-hat {drawn.attrs['pareto_k']:.2f}")
    for count in range(1, ADDED + 1):
        more = new_studies(studies, count)
        timed(f"with {count} more", lambda more=more: sample_programmes(more, *others, like=LIKE, seed=1))
    twin = timed(
        "the twin in PyMC, compiled and sampled", lambda: fit(programme_model(studies, *others), seed=1, **SETTINGS)
    )
    effect, other = drawn["programme_effect"], twin["posterior"]["programme_effect"]
    gap = abs(other.mean(SAMPLE_DIMS) - effect.mean(SAMPLE_DIMS)) / effect.std(SAMPLE_DIMS)
    print(f"  largest gap of a mean {float(gap.max()):.3f}, median {float(gap.median()):.3f} posterior sd")


if __name__ == "__main__":
    main()
