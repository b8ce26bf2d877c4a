"""The outcome model by hand in nutpie (ours), and as written in PyMC's own distributions in PyMC's NUTS and numpyro.

Run from the repository: python -m benchmarks.outcomes [--areas 30] [--draws 300] [--tune 300] [--seeds 1 2 3]. Rates
are least bulk ESS of a coefficient, spread or covariance of areas over CPU seconds of sampling, compiling apart. Means
by the two ways of writing the model are held against each other in units of their Monte Carlo error. numpyro is no part
of the project's environment: pip install numpyro.
"""

import argparse
import importlib.util
import warnings
from time import perf_counter, process_time

import arviz as az
import numpy as np
import nutpie
import pymc as pm

from benchmarks.plain_outcomes import WAYS, written_out
from toolkit import evidence
from toolkit.models import outcomes
from toolkit.models.fitting.fit import compile_model
from toolkit.models.outcomes.model import TARGET_ACCEPT
from toolkit.models.outcomes.rates import REPORTED, SCALES

CHAINS = 4
QUIET = {"chains": CHAINS, "progressbar": False, "compute_convergence_checks": False}


def now():
    return np.array([perf_counter(), process_time()])


def by_nutpie(model):
    """Compile once, sample for each seed; times are pairs of wall and CPU seconds."""
    began = now()
    compiled, once = compile_model(model), now() - began

    def sample(draws, tune, seed):
        settings = {"draws": draws, "tune": tune, "chains": CHAINS, "cores": 2, "seed": seed, "progress_bar": False}
        began = now()
        tree = nutpie.sample(compiled, target_accept=TARGET_ACCEPT, **settings)
        return tree, once, now() - began

    return sample


def by_pymc(model):
    """Compile value and slopes once; from its first draw to its last counts as sampling."""
    began = now()
    function = model.logp_dlogp_function(ravel_inputs=True)
    function.set_extra_values({})
    once = now() - began

    def sample(draws, tune, seed):
        marks = []
        with model:
            step = pm.NUTS(logp_dlogp_func=function, target_accept=TARGET_ACCEPT)
            began = now()
            tree = pm.sample(
                draws=draws,
                tune=tune,
                random_seed=seed,
                cores=1,
                step=step,
                **QUIET,
                callback=lambda trace, draw: marks.append(now()),
            )
        spent = marks[-1] - marks[0]
        return tree, once + (now() - began - spent), spent

    return sample


def by_numpyro(model):
    """Let PyMC hand the model to numpyro: its chains run between two of JAX's compilations, the farthest apart."""
    if importlib.util.find_spec("numpyro") is None:
        raise NotImplementedError("numpyro is not installed: pip install numpyro")
    import jax

    marks = []
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, seconds, **_: marks.append(now()) if "backend_compile" in event else None
    )

    def sample(draws, tune, seed):
        marks.clear()
        began = now()
        tree = pm.sample(
            draws=draws,
            tune=tune,
            random_seed=seed,
            model=model,
            nuts_sampler="numpyro",
            **QUIET,
            target_accept=TARGET_ACCEPT,
            nuts_sampler_kwargs={"jitter": False},
        )
        ended = now()
        between = np.diff([*marks, ended], axis=0)
        spent = between[np.argmax(between[:, 1])]
        return tree, ended - began - spent, spent

    return sample


def quantities(tree):
    return tree["posterior"].to_dataset()[[*REPORTED, *SCALES, "area_cholesky"]]


def flat(dataset):
    return np.concatenate([np.ravel(values) for values in dataset.data_vars.values()])


def summed_up(tree):
    """Return the least effective size, and means with their errors."""
    sampled = quantities(tree)
    least = float(np.nanmin(flat(az.ess(sampled, method="bulk"))))
    return least, flat(sampled.mean(("chain", "draw"))), flat(az.mcse(sampled, method="mean"))


def tried(name, make, model, seeds, draws, tune):
    """Print one line a seed; return rates and summaries, none of either where the sampler cannot run."""
    rates, summaries = [], []
    try:
        sample = make(model)
    except NotImplementedError as refused:
        print(f"{name:<16}not run: {refused}", flush=True)
        return rates, summaries
    for seed in seeds:
        tree, once, spent = sample(draws, tune, seed)
        least, *means = summed_up(tree)
        steps = float(tree["sample_stats"]["n_steps"].mean())
        rates.append(least / spent[1])
        summaries.append(means)
        print(
            f"{name:<16}seed {seed:>3}  compile {once[0]:6.1f} ({once[1]:6.1f})  sample {spent[0]:6.1f} "
            f"({spent[1]:6.1f}) steps a draw {steps:5.1f} divergences {int(tree['sample_stats']['diverging'].sum()):2d}"
            f"  least bulk ESS {least:5.0f}, {rates[-1]:6.2f} a CPU second of sampling",
            flush=True,
        )
    return rates, summaries


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name, usual in (("areas", 30), ("draws", 300), ("tune", 300)):
        parser.add_argument(f"--{name}", type=int, default=usual)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--way", choices=[*WAYS], default="levels centred", help="of sampling levels and deviations")
    parser.add_argument("--only", default="", help="samplers, by a part of their names")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    statistics = evidence.load_statistics()
    fitted = statistics["area"].values[statistics["fitted"].values]
    chosen = fitted[np.linspace(0, len(fitted) - 1, min(options.areas, len(fitted))).astype(int)]
    ours = outcomes(statistics.sel(area=chosen))
    plain = written_out(ours.design, way=options.way)
    samplers = {
        "ours, nutpie": (by_nutpie, ours),
        "ours, PyMC": (by_pymc, ours),
        "plain, nutpie": (by_nutpie, plain),
        "plain, PyMC": (by_pymc, plain),
        "plain, numpyro": (by_numpyro, plain),
    }
    print(f"{len(chosen)} areas, {CHAINS} chains of {options.draws} draws after {options.tune}; seconds wall (CPU)")
    results = {
        name: tried(name, make, model, options.seeds, options.draws, options.tune)
        for name, (make, model) in samplers.items()
        if options.only in name
    }
    compared(results)


def compared(results):
    """Print the ratio of our rate to each other's, over seeds, and how far means lie apart."""
    ours, means = results.get("ours, nutpie", ([], []))
    for name, (rates, others) in results.items():
        if rates and ours and name != "ours, nutpie":
            ratio = np.mean(ours) / np.mean(rates)
            apart = np.log(np.outer(ours, 1 / np.array(rates)))
            ends = np.exp([apart.min(), apart.max()])
            z = np.array([(a - b) / np.hypot(e, f) for (a, e), (b, f) in zip(means, others, strict=False)])
            print(
                f"ours over {name}: {ratio:.1f} (seed against seed {ends[0]:.1f} to {ends[1]:.1f}); means differ by "
                f"{(z**2).mean() ** 0.5:.2f} of their Monte Carlo errors on average, {abs(z).max():.1f} at most"
            )


if __name__ == "__main__":
    main()
