"""Value of information of a run: of single figures, effects and rates, and of groups of them."""

import re
import warnings
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr

from toolkit import appraisal
from toolkit.appraisal.sensitivity import LEAST_EXPLAINED
from toolkit.measures import quantities as q
from toolkit.measures.quantities import Run
from toolkit.measures.tables import Table, plain
from toolkit.measures.words import inside, label, listed, money, percent
from toolkit.pricing.dependence import EFFECT, PATHWAY, RATE
from toolkit.schema import BUSINESS_AS_USUAL, INVESTMENT, SAMPLE_DIMS, InputError, numeric

STEPS = {
    "referral": "referrals",
    "care_entry": "entries into care from need",
    "direct_care": "entries into care with no need before",
    "care_exit": "exits from care",
    "care_short_share": "share of short stays in care",
    "care_exit_fast": "exits from short stays in care",
    "entry_age": "share of first needs",
    "reentry_first": "first return to care",
    "reentry_later": "later returns to care",
    "need_first": "assessed and found in need, first time",
    "need_again": "assessed and found in need, again",
    "short_share": "share of short episodes of need",
}
WHAT = {
    "justice": "youth justice entries",
    "neet": "NEET",
    "homeless": "homelessness",
    "custody": "custody at 18 to 24",
    "conviction": "conviction as an adult",
    "prison_years": "years in prison after 24",
    "maltreated": "maltreatment in childhood",
    "mental": "mental disorder in childhood",
    "adult_mental": "mental disorder at 18 and over",
    "exclusion": "permanent exclusion",
    "gcse": "GCSE grade 4",
    "next_generation": "children of one's own in care",
    "neet_16_17": "NEET at 16 and 17",
}
WHOSE = {
    "in_need": "children in need",
    "care": "looked-after children",
    "looked_after": "looked-after children",
    "care_leaver": "care leavers",
    "care_leavers": "care leavers",
    "need_only": "people once in need, not care leavers",
    "closed": "children whose case is closed",
    "left_care": "children who left care",
    "all": "everyone",
    "all_pupils": "all pupils",
    "ever_need": "pupils ever in need",
}
FEWEST = 5  # sets listed even if knowing them is worth nothing
GROUPS = ("all effects", "all unit costs", "all local rates", "all other figures")


@dataclass(frozen=True)
class InputAnalysis:
    """Value of information and sensitivity analysis of a run.

    Attributes
    ----------
    information
        ``appraisal.evppi`` of single parameters and groups, with coordinate kind (set): "single" or "group".
    tornado, switching
        Of every single parameter, widest swing first.
    parameters
        Their draws.
    sobol
        ``appraisal.sobol`` of the groups; None where the answer never varies or too little of it is explained.
    unexplained
        Why there are no Sobol indices, if too little is explained.
    names
        Readable name of each parameter and group.
    cautions
        What a reader must know first, such as too few draws.
    """

    information: xr.Dataset
    tornado: xr.Dataset
    switching: xr.Dataset
    parameters: xr.Dataset
    sobol: xr.Dataset | None
    names: dict[str, str]
    cautions: tuple[str, ...] = ()
    unexplained: str = ""


def parameters(run: Run, *, acting: Collection[str] | None = None) -> xr.Dataset:
    """Return everything uncertain in a run as scalar draws: cited figures, effects and local rates.

    Parameters
    ----------
    run
        A finished run.
    acting
        Inputs that a number is computed from (``dependence``), the only ones that can move it. All by default, and
        where there are none, as every draw then has the same number.

    Returns
    -------
    xr.Dataset, variables (chain, draw)
        Roles of the cited figures that vary; ``effect: programme: outcome`` where it counts, after scale-up;
        ``rate: indicator``, the base year's rate, averaged over the chosen areas; ``pathway: parameter``, England's
        fitted pathway.
    """
    figures = q.drawn(run)
    effects = run.tree["effects"].to_dataset()["effect"]
    rates = run.tree["posterior"].to_dataset()["baseline_rate"].mean("area").reset_coords(drop=True)
    drawn = {str(name): array for name, array in figures.data_vars.items() if set(array.dims) == set(SAMPLE_DIMS)}
    if PATHWAY in figures:
        fitted = figures[PATHWAY]
        drawn |= {f"{PATHWAY}: {array}": fitted.sel(parameter=array, drop=True) for array in fitted["parameter"].values}
    drawn |= {  # 0 in every draw where it is not counted, which is left out below
        f"{EFFECT}: {programme}: {outcome}": effects.sel(programme=programme, outcome=outcome, drop=True)
        for programme in effects["programme"].values
        for outcome in effects["outcome"].values
    }
    drawn |= {f"{RATE}: {array}": rates.sel(indicator=array, drop=True) for array in rates["indicator"].values}
    acting_draws = drawn if not acting else {name: array for name, array in drawn.items() if name in acting}
    return varying(
        xr.Dataset({name: array.transpose(*SAMPLE_DIMS).astype(float) for name, array in acting_draws.items()})
    )


def varying(drawn: xr.Dataset) -> xr.Dataset:
    """Return the variables whose draws differ by more than rounding."""

    def moves(draws: xr.DataArray) -> bool:
        return float(draws.max() - draws.min()) > 1e-9 * float(abs(draws).max())

    return drawn[[name for name, draws in drawn.data_vars.items() if moves(numeric(draws))]]


def analyse_inputs(
    run: Run, *, account: str = "social", seed: int = 0, acting: Collection[str] | None = None
) -> InputAnalysis:
    """Return what knowing each uncertain input is worth to the choice between the plan and doing nothing.

    Parameters
    ----------
    run
        A finished run.
    account
        In which the choice is made: fiscal, economic or social.
    seed
        Of the shuffles that make the noise floor.
    acting
        Inputs that the account's net present value is computed from; those that the run names by default.

    Raises
    ------
    InputError
        If the account is not one of the run's.
    """
    npsv = q.result(run)["npsv"]
    if account not in npsv["account"].values:
        raise InputError(
            f"account {account!r}: not one of {npsv['account'].values.tolist()}.", fix="name one of these."
        )
    gain = npsv.sel(account=account, drop=True).transpose(*SAMPLE_DIMS).assign_attrs(npsv.attrs)
    drawn = parameters(run, acting=q.acting(run, account) if acting is None else acting)
    grouped = {name: members for name, members in groups(drawn).items() if members}
    singles = [str(name) for name in drawn.data_vars]
    information, cautions = with_warnings(
        lambda: appraisal.evppi(choice(gain), drawn, of=[*singles, *grouped.values()], seed=seed)
    )
    kinds = ["single"] * len(singles) + ["group"] * len(grouped)
    information = information.assign_coords(set=np.array([*singles, *grouped], dtype=object), kind=("set", kinds))
    together = {
        name: xr.concat([drawn[member] for member in members], f"of {name}") for name, members in grouped.items()
    }
    shares, unexplained = _shares(gain, xr.Dataset(together)) if float(gain.std()) > 0 else (None, "")
    return InputAnalysis(
        information,
        appraisal.tornado(gain, drawn),
        appraisal.switching_values(gain, drawn),
        drawn,
        shares,
        {name: parameter_name(name, q.programme_names(run)) for name in [*singles, *grouped]},
        cautions,
        unexplained,
    )


def _shares(gain: xr.DataArray, together: xr.Dataset) -> tuple[xr.Dataset | None, str]:
    """Return the Sobol indices, or why they would mislead."""
    indices = appraisal.sobol(gain, together, least_explained=0.0)
    explained = float(indices["explained"])
    if explained >= LEAST_EXPLAINED:
        return indices, ""
    return None, (
        f"Shares of the variance (Sobol indices) are not given: a regression explains {percent(explained)} of it, "
        "and interactions between inputs would be missed."
    )


def standing_out(tornado: xr.Dataset, most: int, say: Callable[[float], str] = money) -> tuple[xr.Dataset, str]:
    """Return the widest swings of ``appraisal.tornado`` that exceed the noise, and a sentence on what is left out."""
    distinct, whole = int((tornado["swing"] > tornado["noise_floor"]).sum()), tornado.sizes["parameter"]
    if not (tornado["swing"] > 0).any():
        return tornado.isel(parameter=slice(0)), f"None of {whole} uncertain inputs moves it: every draw has the same."
    note = f"The {most} widest of {distinct} are shown. " if distinct > most else ""
    if distinct < whole:
        note += f"Left out: {whole - distinct} of {whole} inputs, whose swings are no larger than chance alone gives "
        note += f"with this many draws (up to {say(float(tornado['noise_floor']))})."
    return tornado.isel(parameter=slice(0, min(distinct, most))), note.strip()


def choice(gain: xr.DataArray) -> xr.DataArray:
    """Return the net benefits of doing nothing and of the plan (option, chain, draw)."""
    options = xr.Variable("option", [BUSINESS_AS_USUAL, INVESTMENT])
    return xr.concat([xr.zeros_like(gain), gain], options).assign_attrs(gain.attrs)


def with_warnings[T](call: Callable[[], T]) -> tuple[T, tuple[str, ...]]:
    """Return what ``call`` returns and the warnings that it raised, to be shown on the page."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        result = call()
    return result, tuple(dict.fromkeys(str(warning.message) for warning in caught))


def information_table(information: xr.Dataset, *, at: str, names: Mapping[str, str] | None = None) -> Table:
    """Return the value of information of each set, highest first, with its error and the noise floor.

    Parameters
    ----------
    information
        From ``appraisal.evppi``, with coordinate kind (set).
    at
        For which choice, in words.
    names
        Readable name of each set.
    """
    sets = information.isel(set=np.argsort(-information["evppi"].values, kind="stable"))
    shown = max(FEWEST, int((sets["evppi"] > 0).sum()))
    rest = sets.sizes["set"] - shown
    sets = sets.isel(set=slice(0, shown))
    columns = {
        "Worth of knowing it": (sets["evppi"].values, "pounds"),
        "Standard error": (sets["standard_error"].values, "pounds"),
        "Floor of the noise": (sets["noise_floor"].values, "pounds"),
        "Share of knowing everything": (sets["share_of_evpi"].values, "share"),
        "Kind": (list(map(str, sets["kind"].values.tolist())), "text"),
    }
    note = (
        f"Expected value of partial perfect information {at}, by regression on {_fitted(information, names or {})}. "
        "The floor of the noise is what the same regression finds in parameters shuffled to mean nothing: a worth "
        f"near it is nothing. Knowing everything is worth {money(float(sets['evpi']))}."
        f"{f' The other {rest} are worth nothing.' * (rest > 0)}"
    )
    index = [(names or {}).get(str(name), str(name)) for name in sets["set"].values]
    return plain("Value of information: what is worth finding out", "Parameter", columns, index, note)


def _fitted(information: xr.Dataset, names: Mapping[str, str]) -> str:
    """Return which regressions were used: the usual one first, then the sets that have another."""
    sets: dict[str, list[str]] = {}
    for name, form in zip(information["set"].values, information["regression"].values, strict=True):
        sets.setdefault(str(form), []).append(names.get(str(name), str(name)))
    usual, *others = sorted(sets, key=lambda form: -len(sets[form]))
    return "".join([usual, *(f"; on {form} for {_some(sets[form])}" for form in others)])


def _some(names: list[str]) -> str:
    return listed(names if len(names) <= FEWEST else [*names[:FEWEST], f"{len(names) - FEWEST} more"])


def parameter_name(name: str, programmes: Mapping[str, str] | None = None) -> str:
    """Return the readable name of a parameter.

    Parameters
    ----------
    name
        As in :func:`parameters`: "effect: triple_p: care" is "the effect of Triple P on care".
    programmes
        What each programme is called.
    """
    kind, _, thing = name.partition(": ")
    called = programmes or {}
    if kind == PATHWAY and thing:
        what, _, ages = thing.rstrip("]").partition("[")
        return f"the fitted pathway: {STEPS.get(what, inside(what))}{_at_ages(ages)}"
    if kind == EFFECT and thing:
        programme, _, outcome = thing.partition(": ")
        return f"the effect of {called.get(programme, label(programme))} on {inside(outcome)}"
    if kind == RATE and thing:
        return f"the local rate of {inside(thing)}"
    if name in GROUPS:
        return name
    if name.startswith("cost_"):
        bought = name.removeprefix("cost_")
        return f"the unit cost: {called.get(bought, label(bought))}"
    price = name.removeprefix("price_")
    return _of_whom(name) if price == name else f"the unit cost: {inside(price)}"


def _at_ages(ages: str) -> str:
    """Return a group of ages in words: "1_4" is " at ages 1 to 4"."""
    if not ages:
        return ""
    if ages.startswith("under"):
        return f" {ages.replace('_', ' age ')}"
    return f" at age{'s' * ('_' in ages)} {ages.replace('_', ' to ')}"


def _of_whom(name: str) -> str:
    """Return what a figure is and of whom: "justice_ratio_care" is of looked-after children against all."""
    match = re.fullmatch(rf"({'|'.join(WHAT)})(_ratio)?_({'|'.join(WHOSE)})(_16)?", name)
    if match is None:
        shared = name.removeprefix("adjustment_")
        return inside(name) if shared == name else f"the share of the gap in {inside(shared)} that is the outcome's own"
    what, ratio, whose, late = match.groups()
    at = " at 16 and 17" if late else ""
    return f"{WHAT[what]}{at}: {WHOSE[whose]}{' against all' if ratio else ''}"


def groups(drawn: xr.Dataset) -> dict[str, tuple[str, ...]]:
    """Sort the parameters into effects, prices, rates and the rest, by name and unit."""
    sorted_into: dict[str, list[str]] = {name: [] for name in GROUPS}
    for name, variable in drawn.data_vars.items():
        kind = str(name).partition(": ")[0]
        money = str(variable.attrs.get("units", "")).startswith("GBP")
        place = 0 if kind == EFFECT else 2 if kind == RATE else 1 if money else 3
        sorted_into[GROUPS[place]].append(str(name))
    return {name: tuple(members) for name, members in sorted_into.items()}
