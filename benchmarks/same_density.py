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
    ours = outcomes(statistics)
    plain = written_out(ours.design, way="centred")
    random, modes = np.random.default_rng(seed), _year_modes(ours.design)
    both = [one.compile_logp(sum=False, mode=PLAIN) for one in (ours, plain)]
    values = ours.compile_fn(ours.unobserved_value_vars, inputs=ours.value_vars, mode=PLAIN)
    names, found = [value.name for value in ours.unobserved_value_vars], []
    start = ours.initial_point()
    for _ in range(points):
        point = {name: value + 0.1 * random.standard_normal(np.shape(value)) for name, value in start.items()}
        given = dict(zip(names, values(point), strict=True))
        turned, determinant = _turned(given, ours.design, modes)
        shared = {name: value for name, value in point.items() if name in plain.initial_point()}
        found.append(_total(both[0](point)) - _total(both[1](shared | turned)) - determinant)
    return np.array(found)


def _total(terms):
    return sum(float(np.sum(term)) for term in terms)


def _turned(given, design, modes):
    """Return the plain model's values at a point of ours, and the log determinant of the turn."""
    cells = design.sel(area=design["fitted"])
    kinds, years = cells.sizes["indicator"], cells.sizes["data_year"]
    basis = zero_sum_basis(design.sizes["region_name"])
    region = given["region_modes"] @ basis.T
    mean = given["intercept"][:, None] + region[:, cells["region_index"].values]
    mean += given["spend_between"][:, None] * cells["spend_between"].values
    mean += given["low_income"][:, None] * cells["low_income_between"].values
    drift = given["drift"] * (1 - given["persistence"] ** DRIFT_YEARS) ** -0.5
    spread = drift[:, None] * np.exp(given["drift_size"][:, None] * cells["log_size"].values)
    cholesky = np.zeros((kinds, kinds))
    cholesky[np.tril_indices(kinds)] = given["area_cholesky"]
    wandering = given["persistence"], spread, given["dispersion"]
    about_areas = [cells[name].values.astype(float) for name in LEVELS]

    def level_of(z):
        return levels(z[None], *(part[None] for part in (mean, cholesky, *wandering)), *about_areas)[0]

    level, turn = _slopes(level_of, given["level_z"], axis=0)
    determinant = np.linalg.slogdet(turn.transpose(2, 1, 0))[1].sum()
    owner = modes["own"].values
    shift = modes["shift_spend"].values * (owner @ given["spend_within"])
    shift = shift + modes["shift_low_income"].values * (owner @ given["low_income_within"])
    year, own = (
        (modes["basis"].values @ part).reshape(kinds, years)
        for part in (given["year_modes"], given["year_modes"] - shift)
    )
    moves = year[:, None, :] + given["spend_within"][:, None, None] * cells["spend_within"].values
    eta = level[:, :, None] + moves + given["low_income_within"][:, None, None] * cells["low_income_within"].values
    turned = {"level": level.T}
    wander = np.zeros(eta.shape)
    for k in range(kinds):
        known = [cells[name].values[k] for name in ("response", "chance", "extra")]
        parts = [np.atleast_1d(part[k])[None] if part.ndim > 1 else part[[k]] for part in wandering]

        def deviation_of(z, k=k, parts=parts, known=known):
            return deviations(eta[[k]], z[None], *parts, *known)[0]

        wander[k], turn = _slopes(deviation_of, given["deviation_z"][k], axis=1)
        determinant += np.linalg.slogdet(turn.transpose(1, 2, 0))[1].sum()
        window = design["in_window"].values[k]
        turned[f"step_{design['indicator'].values[k]}"] = np.diff(own[k, window])
    turned["deviation"] = wander
    standard = pt.as_tensor(region / given["region_sd"][:, None])
    turned["region_zerosum__"] = ZeroSumTransform([-1]).forward(standard).eval()
    return turned, determinant - basis.shape[1] * np.log(given["region_sd"]).sum()


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

    held = evidence.load_statistics()
    fitted = held["area"].values[held["fitted"].values]
    found = differences(held.sel(area=fitted[::15]), written_out)
    print("ours less plain:", found, "which vary by", np.ptp(found))
