"""Cited figures to draws: each figure becomes a distribution, drawn with the posterior's coordinates.

A figure's spread comes from its published interval at its own level, or, where none is published, from
the coefficient of variation of its quality grade; the spread *between councils* is never the spread of
the England mean. Every role has its own random stream, so changing one figure leaves the draws of all
the others as they were.
"""

import zlib

import numpy as np
import pandas as pd
import xarray as xr
from scipy import special, stats

from toolkit.evidence.register import Register
from toolkit.schema import SAMPLE_DIMS, InputError

NOISE = 1e-4  # share of variance
ALSO_FIGURES = {  # the rate of closing is the inverse of the mean years of an episode
    "referral_to_need": "need_again",
    "need_exit_rate": "need_years_per_episode",
    "share_ever_in_need": "share_ever_in_need",
    "care_from_need_share": "care_from_need_share",
}
DISTRIBUTIONS = ("fixed", "normal", "lognormal", "lognormal_mean", "beta")


def sample(assumptions: pd.DataFrame, *, like: xr.DataArray | xr.Dataset, seed: int, price_base: str) -> xr.Dataset:
    """Draw every figure a run uses.

    Parameters
    ----------
    assumptions
        From ``scenarios.resolve``: one row a role, with ``real_value``, ``real_low``, ``real_high``,
        ``interval_kind``, ``interval_level``, ``coefficient_of_variation`` and ``distribution``.
    like
        Anything with the posterior's ``chain`` and ``draw`` coordinates.
    seed
        Seed of the run.
    price_base
        Price base of the money figures, already rebased.

    Returns
    -------
    Dataset
        One variable (chain, draw) a role.

    Raises
    ------
    InputError
        Names the role whose figure cannot be such a distribution.
    """
    shape = tuple(like.sizes[dim] for dim in SAMPLE_DIMS)
    drawn = {}
    for role, row in assumptions.iterrows():
        stream = np.random.default_rng([seed, zlib.crc32(str(role).encode())])
        values = quantile(row, stream.random(shape), role=str(role))
        money = {"price_base": price_base} if str(row["unit"]).startswith("GBP") else {}
        drawn[str(role)] = xr.DataArray(values, dims=SAMPLE_DIMS, attrs={"units": row["unit"], **money})
    coords = {dim: like[dim].values for dim in SAMPLE_DIMS}
    return xr.Dataset(drawn, coords=coords, attrs={"price_base": price_base, "seed": seed})


def with_pathway(draws: xr.Dataset, register: Register, *, seed: int) -> xr.Dataset:
    """Add draws of England's fitted pathway through social care to those of the figures.

    Parameters
    ----------
    draws
        From :func:`sample`.
    register
        Holds the committed fit: ``pathway_parameters``, ``pathway_correlations``.
    seed
        Seed of the run.

    Returns
    -------
    Dataset
        The same with ``pathway`` (parameter, chain, draw), each on its natural scale, and by name those of its
        parameters that are figures elsewhere (``ALSO_FIGURES``).
    """
    fitted, pairs = register.tables["pathway_parameters"], register.tables["pathway_correlations"]
    names = fitted["parameter"].tolist()
    correlation = np.eye(len(names))
    rows, columns = (np.array([names.index(name) for name in pairs[end]]) for end in ("parameter", "other"))
    correlation[rows, columns] = correlation[columns, rows] = pairs["correlation"]
    # Functions of the rates stand among them, so a grain of noise of their own makes the factor unique: the same draws
    # on every machine.
    factor = np.linalg.cholesky((1.0 - NOISE) * correlation + NOISE * np.eye(len(names)))
    shape = tuple(draws.sizes[dim] for dim in SAMPLE_DIMS)
    stream = np.random.default_rng([seed, zlib.crc32(b"pathway")])
    standard = factor @ stream.standard_normal((len(names), int(np.prod(shape))))
    free = fitted["mean"].to_numpy()[:, None] + fitted["sd"].to_numpy()[:, None] * standard
    log = (fitted["scale"] == "log").to_numpy()[:, None]
    values = np.where(log, np.exp(free), special.expit(free)).reshape(-1, *shape)
    pathway = xr.DataArray(values, {"parameter": names, **{d: draws[d] for d in SAMPLE_DIMS}}, attrs={"units": "1"})
    also = {figure: pathway.sel(parameter=name, drop=True) for figure, name in ALSO_FIGURES.items()}
    also["need_exit_rate"] = (1.0 / also["need_exit_rate"]).assign_attrs(units="per year")
    return draws.assign({"pathway": pathway, **also})


def quantile(row: pd.Series, probability: np.ndarray, *, role: str) -> np.ndarray:
    """Return quantiles of one figure's distribution at ``probability`` (any shape).

    ``lognormal`` has its median at the figure (ratios, durations, hazards, costs a family);
    ``lognormal_mean`` has its mean there (average prices); ``beta`` and ``normal`` their means.
    """
    kind, value = str(row["distribution"]), float(row["real_value"])
    if kind not in DISTRIBUTIONS:
        raise InputError(f"roles.csv, {role}: unknown distribution '{kind}'. Mend: use one of {DISTRIBUTIONS}.")
    if kind == "fixed":
        return np.full_like(probability, value)
    z = _half_width(row, role)
    if kind == "normal":
        sd = abs(value) * _cv(row, role) if z is None else float(row["real_high"] - row["real_low"]) / (2 * z)
        return np.asarray(stats.norm(value, sd).ppf(probability))
    if kind == "beta":
        return _beta(row, probability, role, z)
    if not value > 0:
        raise InputError(f"{role}: {value} cannot be log-normal. Mend: give a value above zero.")
    if z is None:
        sigma = np.sqrt(np.log1p(_cv(row, role) ** 2))
    else:
        if not float(row["real_low"]) > 0:
            raise InputError(f"{role}: a log-normal figure's low bound must be above zero. Mend: raise low.")
        sigma = np.log(float(row["real_high"]) / float(row["real_low"])) / (2 * z)
    centre = np.log(value) - (sigma**2 / 2 if kind == "lognormal_mean" else 0.0)
    return np.asarray(np.exp(stats.norm(centre, sigma).ppf(probability)))


def _half_width(row: pd.Series, role: str) -> float | None:
    """Half-width of the figure's own interval in standard deviations; None where it has no usable one."""
    if row["interval_kind"] not in ("confidence", "range") or pd.isna(row["real_low"]):
        return None
    if pd.isna(row["interval_level"]):
        raise InputError(f"{role}: an interval without a level. Mend: give interval_level, for example 0.95.")
    return float(stats.norm.ppf(0.5 + float(row["interval_level"]) / 2))


def _cv(row: pd.Series, role: str) -> float:
    cv = float(row["coefficient_of_variation"])
    if not cv > 0:
        raise InputError(f"{role}: neither an interval nor a graded coefficient of variation. Mend: grade the figure.")
    return cv


def _beta(row: pd.Series, probability: np.ndarray, role: str, z: float | None) -> np.ndarray:
    mean = float(row["real_value"])
    if not 0 < mean < 1:
        raise InputError(f"{role}: {mean} is not a proportion between 0 and 1. Mend: divide a percentage by 100.")
    # A graded spread applies to the smaller of a share and its complement: 98% is known as well as 2%.
    width = float(row["real_high"] - row["real_low"])
    sd = _cv(row, role) * min(mean, 1 - mean) if z is None else width / (2 * z)
    size = mean * (1 - mean) / sd**2 - 1
    if not size > 0:
        raise InputError(f"{role}: its interval is too wide for a share of {mean}. Mend: narrow it or check units.")
    return np.asarray(stats.beta(mean * size, (1 - mean) * size).ppf(probability))
