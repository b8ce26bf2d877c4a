"""The shared vocabulary of the package: dimension names, the array laws and the one error users see.

Everything else in the package builds on these names, so they stand in one place. The laws they
serve are written in ARCHITECTURE.md: shared dimensions match exactly or raise, a user's NaN raises,
every array says its units, and money says its price base.
"""

import zlib
from pathlib import Path

import numpy as np
import xarray as xr

__all__ = [
    "ACCOUNTS",
    "BUSINESS_AS_USUAL",
    "COVARIATES",
    "EFFECT_OUTCOMES",
    "FIRST_YEAR",
    "INDICATORS",
    "INVESTMENT",
    "OUTCOMES",
    "PAYERS",
    "PRICE_BASE",
    "SAMPLE_DIMS",
    "InputError",
    "Labelled",
    "aligned",
    "check",
    "data_folder",
]

PRICE_BASE = "2025/26"
FIRST_YEAR = int(PRICE_BASE[:4])  # of the statistics
BUSINESS_AS_USUAL = "business_as_usual"
INVESTMENT = "investment"

INDICATORS = (
    "rereferrals",
    "first_time_entrants",
    "gcse_grade_4",
    "care_starts",
    "protection_plan_starts",
    "attainment_8",
)
COVARIATES = ("caseload", "agency_share", "ofsted_judgement")  # that the outcome model may take besides
EFFECT_OUTCOMES = ("repeat_referrals", "youth_justice", "gcse_attainment", "care")  # with an effect of their own
OUTCOMES = (
    *EFFECT_OUTCOMES,
    *("child_in_need", "exclusion", "neet", "adult_offending", "mental_health", "homelessness", "wellbeing"),
)
FUNDERS = ("local_authority", "central_government")  # who may pay for an option: the council, or a grant to it
PAYERS = (
    *FUNDERS,
    "schools",
    "police_and_justice",
    "nhs",
    "dwp",
    "hmrc",
    "individuals",
    "victims",
    "wider_society",
)
ACCOUNTS = ("fiscal", "economic", "social")
SAMPLE_DIMS = ("chain", "draw")
MCSE = "_mcse"  # ends the name of the column that holds another's Monte Carlo standard error
CANNOT_BE_DETERMINED = "cannot be told"  # as committed tables say of a statistic within its error of the threshold

Labelled = xr.DataArray | xr.Dataset


class InputError(ValueError):
    """Something a user gave cannot be used: the message says where and what is wrong, and how to fix it.

    Parameters
    ----------
    message
        File, row or key, and what is wrong with it.
    fix
        What to do about it.
    """

    def __init__(self, message: str, *, fix: str = "") -> None:
        super().__init__(f"{message} Fix: {fix}" if fix else message)


def data_folder() -> Path:
    """Return the folder that holds the shipped evidence, statistics and scenarios.

    Raises
    ------
    InputError
        If neither the installed copy nor the one beside the source is there.
    """
    package = Path(__file__).resolve().parent
    for folder in (package / "_data", package.parent / "data"):
        if (folder / "datapackage.json").is_file():
            return folder
    raise InputError(
        f"{package.parent / 'data'}: the data folder is missing.",
        fix="restore it from the repository, or reinstall the package.",
    )


def random_stream(seed: int, name: str) -> np.random.Generator:
    """Return the random numbers of one purpose, a seed sequence of its own.

    ``default_rng(seed)`` itself is left to users: draws that they made with the same seed would otherwise be the very
    noise that is added to them, and two purposes with one seed would share theirs.

    Parameters
    ----------
    seed
        Of the run or the call.
    name
        What the numbers are for: the role of a figure, or module and purpose ("appraisal.evsi").
    """
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def aligned[T: Labelled](*objects: T) -> tuple[T, ...]:
    """Return the objects unchanged if their shared dimensions carry the same labels, else raise.

    xarray's default join would silently drop the areas that two arrays do not share.

    Parameters
    ----------
    *objects
        Labelled arrays of any dims.

    Raises
    ------
    InputError
        Names the dimension and the labels that do not match.
    """
    for position, first in enumerate(objects):
        for second in objects[position + 1 :]:
            for dim in set(first.dims) & set(second.dims):
                _match(first, second, str(dim))
    return objects


def _match(first: Labelled, second: Labelled, dim: str) -> None:
    if dim not in first.indexes or dim not in second.indexes:
        if first.sizes[dim] != second.sizes[dim]:
            raise InputError(f"dimension '{dim}': sizes {first.sizes[dim]} and {second.sizes[dim]} differ.")
        return
    left, right = first.indexes[dim], second.indexes[dim]
    if left.equals(right):
        return
    odd = list(left.symmetric_difference(right, sort=False)[:5])
    what = f"labels {odd} are on one side only" if odd else "the same labels stand in another order"
    raise InputError(f"dimension '{dim}': {what}.", fix=f"select or reorder one side with .sel({dim}=other['{dim}']).")


def check(
    array: xr.DataArray, *, dims: tuple[str, ...] = (), units: str | None = None, allow_nan: bool = False
) -> xr.DataArray:
    """Return ``array`` if it keeps the array laws, else raise.

    Parameters
    ----------
    array
        Any labelled array.
    dims
        Dimensions that must be present.
    units
        Required ``units`` attribute; money ("GBP...") must also carry ``price_base``.
    allow_nan
        NaN is refused unless its meaning is documented where this is set.

    Raises
    ------
    InputError
        Names the array and the law it breaks, which may be that small or unsigned integers cannot be subtracted.
    """
    name = array.name or "array"
    missing = [dim for dim in dims if dim not in array.dims]
    if missing:
        raise InputError(f"{name}: lacks dimension(s) {missing}; it has {list(array.dims)}.")
    if units is not None and array.attrs.get("units") != units:
        raise InputError(f"{name}: units are {array.attrs.get('units')!r}, not {units!r}.", fix="set .attrs['units'].")
    if str(array.attrs.get("units", "")).startswith("GBP") and not array.attrs.get("price_base"):
        raise InputError(f"{name}: money without a price base.", fix="set .attrs['price_base'], for example '2025/26'.")
    numeric(array)
    if array.dtype.kind in "iu" and array.dtype != np.int64:
        raise InputError(f"{name}: holds {array.dtype} numbers, whose differences wrap round.", fix=".astype(float).")
    if not allow_nan and array.dtype.kind == "f" and not bool(np.isfinite(array).all()):
        raise InputError(f"{name}: holds NaN or infinite values.", fix="fill or drop them first, and say why.")
    return array


def numeric(array: xr.DataArray) -> xr.DataArray:
    """Return ``array`` if it holds numbers, else raise.

    Raises
    ------
    InputError
        Names the array and what it holds instead, such as words or dates.
    """
    if array.dtype.kind not in "biuf":
        raise InputError(
            f"{array.name or 'array'}: holds {array.dtype} values, not numbers.",
            fix="convert it with .astype(float), or leave it out.",
        )
    return array


def __dir__() -> list[str]:
    return __all__
