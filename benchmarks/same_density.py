"""Whether the outcome model by hand and as written in PyMC's own distributions give the same point the same density.

What ours samples in place of levels and deviations is turned into them, by numbers, with the determinant of the turn.
"""

import numpy as np
import pytensor.tensor as pt
from pymc.distributions.transforms import ZeroSumTransform
from pytensor.compile.mode import get_mode

from toolkit.models import outcomes
from toolkit.models.outcomes.levels import levels
from toolkit.models.outcomes.model import LEVELS, _year_modes, zero_sum_basis
from toolkit.models.outcomes.persistence import deviations
from toolkit.models.outcomes.rates import DRIFT_YEARS

# Run in Python, which takes no operation of more than 32 terms.
PLAIN = get_mode("FAST_COMPILE").excluding("fusion", "add_mul_fusion")


def differences(statistics, written_out, points=3, seed=1):
    """Return ours less plain, at random points; equal but for a constant means that they do not vary."""
    kernel_model = outcomes(statistics)
    plain_model = written_out(kernel_model.design, way="centred")
    random, modes = np.random.default_rng(seed), _year_modes(kernel_model.design)
    both = [model.compile_logp(sum=False, mode=PLAIN) for model in (kernel_model, plain_model)]
    values = kernel_model.compile_fn(kernel_model.unobserved_value_vars, inputs=kernel_model.value_vars, mode=PLAIN)
    names, gaps = [value.name for value in kernel_model.unobserved_value_vars], []
    start = kernel_model.initial_point()
    for _ in range(points):
        point = {name: value + 0.1 * random.standard_normal(np.shape(value)) for name, value in start.items()}
        parameters = dict(zip(names, values(point), strict=True))
        turned, determinant = _turned(parameters, kernel_model.design, modes)
        shared = {name: value for name, value in point.items() if name in plain_model.initial_point()}
        gaps.append(_total(both[0](point)) - _total(both[1](shared | turned)) - determinant)
    return np.array(gaps)


def _total(terms):
    return sum(float(np.sum(term)) for term in terms)


def _turned(parameters, design, modes):
    """Return the plain model's values at a point of ours, and the log determinant of the turn."""
    cells = design.sel(area=design["fitted"])
    kinds, years = cells.sizes["indicator"], cells.sizes["data_year"]
    basis = zero_sum_basis(design.sizes["region_name"])
    region = parameters["region_modes"] @ basis.T
    mean = parameters["intercept"][:, None] + region[:, cells["region_index"].values]
    mean += parameters["spend_between"][:, None] * cells["spend_between"].values
    mean += parameters["low_income"][:, None] * cells["low_income_between"].values
    drift = parameters["drift"] * (1 - parameters["persistence"] ** DRIFT_YEARS) ** -0.5
    spread = drift[:, None] * np.exp(parameters["drift_size"][:, None] * cells["log_size"].values)
    cholesky = np.zeros((kinds, kinds))
    cholesky[np.tril_indices(kinds)] = parameters["area_cholesky"]
    wandering = parameters["persistence"], spread, parameters["dispersion"]
    about_areas = [cells[name].values.astype(float) for name in LEVELS]

    def level_of(z):
        return levels(z[None], *(part[None] for part in (mean, cholesky, *wandering)), *about_areas)[0]

    level, turn = _slopes(level_of, parameters["level_z"], axis=0)
    determinant = np.linalg.slogdet(turn.transpose(2, 1, 0))[1].sum()
    owner = modes["own"].values
    shift = modes["shift_spend"].values * (owner @ parameters["spend_within"])
    shift = shift + modes["shift_low_income"].values * (owner @ parameters["low_income_within"])
    year, own = (
        (modes["basis"].values @ part).reshape(kinds, years)
        for part in (parameters["year_modes"], parameters["year_modes"] - shift)
    )
    moves = year[:, None, :] + parameters["spend_within"][:, None, None] * cells["spend_within"].values
    eta = level[:, :, None] + moves + parameters["low_income_within"][:, None, None] * cells["low_income_within"].values
    turned = {"level": level.T}
    wander = np.zeros(eta.shape)
    for k in range(kinds):
        known = [cells[name].values[k] for name in ("response", "chance", "extra")]
        parts = [np.atleast_1d(part[k])[None] if part.ndim > 1 else part[[k]] for part in wandering]

        def deviation_of(z, k=k, parts=parts, known=known):
            return deviations(eta[[k]], z[None], *parts, *known)[0]

        wander[k], turn = _slopes(deviation_of, parameters["deviation_z"][k], axis=1)
        determinant += np.linalg.slogdet(turn.transpose(1, 2, 0))[1].sum()
        window = design["in_window"].values[k]
        turned[f"step_{design['indicator'].values[k]}"] = np.diff(own[k, window])
    turned["deviation"] = wander
    standard = pt.as_tensor(region / parameters["region_sd"][:, None])
    turned["region_zerosum__"] = ZeroSumTransform([-1]).forward(standard).eval()
    return turned, determinant - basis.shape[1] * np.log(parameters["region_sd"]).sum()


def _slopes(function, z, axis):
    """Return an affine function's value, and its slopes on each step along ``axis`` (step, ...)."""
    value, slopes = function(z), []
    for s in range(z.shape[axis]):
        moved = z.copy()
        moved[(slice(None),) * axis + (s,)] += 1.0
        slopes.append(function(moved) - value)
    return value, np.array(slopes)


if __name__ == "__main__":
    from benchmarks.plain_outcomes import written_out
    from toolkit import evidence

    statistics = evidence.load_statistics()
    fitted = statistics["area"].values[statistics["fitted"].values]
    gaps = differences(statistics.sel(area=fitted[::15]), written_out)
    print("kernel less plain:", gaps, "which vary by", np.ptp(gaps))
