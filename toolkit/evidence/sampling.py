"""Cited figures to draws: each figure becomes a distribution, drawn with the posterior's coordinates.

A figure's spread comes from its published interval at its own level, or, where none is published, from
the coefficient of variation of its quality grade; the spread *between councils* is never the spread of
the England mean. Every role has its own random stream, so changing one figure leaves the draws of all
the others as they were.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from scipy import special

from toolkit.evidence.register import Register
from toolkit.schema import SAMPLE_DIMS, InputError, random_stream

NOISE = 1e-4  # share of variance
ALSO_FIGURES = {  # the rate of closing is the inverse of the mean years of an episode
    "referral_to_need": "need_again",
    "need_exit_rate": "need_years_per_episode",
    "share_ever_in_need": "share_ever_in_need",
    "care_from_need_share": "care_from_need_share",
}
LOG = (np.log, np.exp)
LINKS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {  # the scale on which an interval is met
    "normal": (np.positive, np.positive),
    "lognormal": LOG,
    "lognormal_mean": LOG,
    "beta": (special.logit, special.expit),
}
DISTRIBUTIONS = ("fixed", *LINKS)
NODES = np.linspace(-8.0, 8.0, 401)  # over which a mean is taken, in standard normal quantiles
WEIGHTS = np.exp(-0.5 * NODES**2) / np.exp(-0.5 * NODES**2).sum()
NARROWEST = 1e-4  # of an interval, between its median and an end
ALIKE = 1e-9  # difference up to which the halves of an interval count as equal


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
        stream = random_stream(seed, str(role))
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
    stream = random_stream(seed, "pathway")
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

    ``lognormal`` has its median at the figure (ratios, durations, hazards, costs a family); ``lognormal_mean`` has its
    mean there (average prices); ``beta`` and ``normal`` their means. A figure with an interval of its own meets both
    ends of it too: a J-QPD [1]_ on the log scale, of a share on the log odds, of a growth rate as it is, which is the
    log-normal, logit-normal or normal itself where the ends lie alike about the middle.

    References
    ----------
    .. [1] Hadlock and Bickel (2017), Johnson quantile-parameterized distributions, doi:10.1287/deca.2016.0343.
    """
    kind, value = str(row["distribution"]), float(row["real_value"])
    if kind not in DISTRIBUTIONS:
        raise InputError(f"roles.csv, {role}: unknown distribution '{kind}'.", fix=f"use one of {DISTRIBUTIONS}.")
    if kind == "fixed":
        return np.full_like(probability, value)
    if kind == "beta" and not 0 < value < 1:
        raise InputError(f"{role}: {value} is not a proportion between 0 and 1.", fix="divide a percentage by 100.")
    if kind.startswith("lognormal") and not value > 0:
        raise InputError(f"{role}: {value} cannot be log-normal.", fix="give a value above zero.")
    standard = special.ndtri(probability)
    if (z := _half_width(row, role)) is not None:
        low, middle, high = _through(row, z, role)
        return np.asarray(LINKS[kind][1](_between(low, middle, high, z, standard)))
    cv = _cv(row, role)
    if kind == "normal":
        return np.asarray(value + abs(value) * cv * standard)
    if kind == "beta":
        # A graded spread applies to the smaller of a share and its complement: 98% is known as well as 2%.
        size = value * (1 - value) / (cv * min(value, 1 - value)) ** 2 - 1
        from scipy import stats  # half a second to import, and only a figure without an interval needs it

        return np.asarray(stats.beta(value * size, (1 - value) * size).ppf(probability))
    sigma = np.sqrt(np.log1p(cv**2))
    return np.asarray(value * np.exp(sigma * standard - (sigma**2 / 2 if kind == "lognormal_mean" else 0.0)))


def described(row: pd.Series, *, role: str) -> str:
    """Describe a figure's draws beside its cited numbers, or say why these cannot all be met.

    Parameters
    ----------
    row
        A row of ``scenarios.resolve``.
    role
        Its name.
    """
    kind, named = str(row["distribution"]), "median" if row["distribution"] == "lognormal" else "mean"
    cited = f"{float(row['real_value']):.4g} {row['unit']} cited"
    if kind == "fixed":
        return f"{cited}, and not drawn"
    try:
        own = _half_width(row, role) is not None
        level = float(row["interval_level"]) if own else 0.9
        low, median, high = quantile(row, np.array([0.5 - level / 2, 0.5, 0.5 + level / 2]), role=role)
        centre = median if named == "median" else float(WEIGHTS @ quantile(row, special.ndtr(NODES), role=role))
    except InputError as problem:
        return f"{cited}; cannot be drawn: {problem}"
    spread = f"{row['real_low']:.4g} to {row['real_high']:.4g}" if own else f"no interval, graded {_cv(row, role):.0%}"
    return f"{named} {centre:.4g}, {level:.0%} between {low:.4g} and {high:.4g}; {cited}, {spread}"


def _through(row: pd.Series, z: float, role: str) -> tuple[float, float, float]:
    """Return low end, median and high end of a figure's interval on the scale of its kind.

    A kind with its mean at the figure takes the median that gives this mean, between the ends.
    """
    kind = str(row["distribution"])
    link, back = LINKS[kind]
    ends = [float(row[f"real_{name}"]) for name in ("low", "value", "high")]
    if not ends[0] < ends[1] < ends[2] or (kind != "normal" and not ends[0] > 0) or (kind == "beta" and ends[2] >= 1):
        inside = {"normal": "", "beta": " inside 0 to 1"}.get(kind, " above zero")
        raise InputError(f"{role}: {ends} are not a low end, a value and a high end{inside}.", fix="correct them.")
    low, middle, high = (float(link(end)) for end in ends)
    if kind == "lognormal":
        return low, middle, high

    def mean(share: float) -> float:
        return float(WEIGHTS @ back(_between(low, low + share * (high - low), high, z, NODES)))

    least, most = mean(NARROWEST), mean(1 - NARROWEST)
    if not least < ends[1] < most:
        raise InputError(
            f"{role}: no mean of {ends[1]:.4g} goes with an interval from {ends[0]:.4g} to {ends[2]:.4g} at "
            f"{row['interval_level']:g}: it must lie between {least:.4g} and {most:.4g}.",
            fix="correct one of them.",
        )
    from scipy.optimize import brentq  # a fifth of a second to import

    share = brentq(lambda share: mean(share) - ends[1], NARROWEST, 1 - NARROWEST)
    return low, low + share * (high - low), high


def _between(low: float, middle: float, high: float, z: float, standard: np.ndarray) -> np.ndarray:
    """Return quantiles, at standard normal ones, of the J-QPD with these at -z, 0 and z, on its unbounded scale."""
    lean, side = np.sign(low + high - 2 * middle), min(middle - low, high - middle)
    ratio = (high - low) / (2 * side)
    if ratio < 1 + ALIKE:
        return middle + (high - low) / (2 * z) * standard
    bend = np.sinh(np.arccosh(ratio)) / z
    start = low if lean > 0 else high
    return np.asarray(start + side / (bend * z) * np.sinh(np.arcsinh(bend * standard) + lean * np.arcsinh(bend * z)))


def _half_width(row: pd.Series, role: str) -> float | None:
    """Half-width of the figure's own interval in standard deviations; None where it has no usable one."""
    if row["interval_kind"] not in ("confidence", "range") or pd.isna(row["real_low"]):
        return None
    if pd.isna(row["interval_level"]):
        raise InputError(f"{role}: an interval without a level.", fix="give interval_level, for example 0.95.")
    return float(special.ndtri(0.5 + float(row["interval_level"]) / 2))


def _cv(row: pd.Series, role: str) -> float:
    cv = float(row["coefficient_of_variation"])
    if not cv > 0:
        raise InputError(f"{role}: neither an interval nor a graded coefficient of variation.", fix="grade the figure.")
    return cv
