"""What is worth finding out about a run of our own: single figures, effects and rates, and groups of them."""

from dataclasses import dataclass

import numpy as np
import xarray as xr

from toolkit import appraisal
from toolkit.report import quantities as q
from toolkit.report.quantities import Run
from toolkit.report.words import inside
from toolkit.schema import BUSINESS_AS_USUAL, INVESTMENT, SAMPLE_DIMS, InputError

EFFECT, RATE = "effect", "rate"
GROUPS = ("all effects", "all unit costs", "all local rates", "all other figures")


@dataclass(frozen=True)
class Knowing:
    """What finding out is worth, and what moves the answer.

    Attributes
    ----------
    information
        ``appraisal.evppi`` of single parameters and groups, with coordinate kind (set): "single" or "group".
    tornado, switching
        Of every single parameter, widest swing first.
    parameters
        The draws behind them.
    names
        What a reader calls each parameter and group.
    """

    information: xr.Dataset
    tornado: xr.Dataset
    switching: xr.Dataset
    parameters: xr.Dataset
    names: dict[str, str]


def parameters(run: Run) -> xr.Dataset:
    """Return everything uncertain in a run as scalar draws: cited figures, effects and local rates.

    Returns
    -------
    xr.Dataset, variables (chain, draw)
        Roles of the cited figures that vary; ``effect: outcome`` for the scenario's source at a new site;
        ``rate: indicator``, the base year's rate, averaged over the chosen areas.
    """
    figures = run.tree["assumptions/draws"].to_dataset()
    effects = run.tree["effects"].to_dataset()["new_site_effect"].sel(source=run.scenario.effect.source, drop=True)
    rates = run.tree["posterior"].to_dataset()["baseline_rate"].mean("area").reset_coords(drop=True)
    drawn = {str(name): variable for name, variable in figures.data_vars.items()}
    drawn |= {f"{EFFECT}: {one}": effects.sel(outcome=one, drop=True) for one in effects["outcome"].values}
    drawn |= {f"{RATE}: {one}": rates.sel(indicator=one, drop=True) for one in rates["indicator"].values}
    varying = {name: one for name, one in drawn.items() if float(one.max() - one.min()) > 1e-9 * float(abs(one).max())}
    return xr.Dataset({name: one.transpose(*SAMPLE_DIMS).astype(float) for name, one in varying.items()})


def value_of_knowing(run: Run, *, account: str = "social", seed: int = 0) -> Knowing:
    """Return what knowing each uncertain thing is worth to the choice between the option and doing nothing.

    Parameters
    ----------
    run
        A finished run.
    account
        In which the choice is made: fiscal, economic or social.
    seed
        Of the shuffles that make the noise floor.

    Raises
    ------
    InputError
        If the account is not one of the run's.
    """
    npsv = q.result(run)["npsv"]
    if account not in npsv["account"].values:
        raise InputError(f"account {account!r}: not one of {npsv['account'].values.tolist()}. Mend: name one of these.")
    gain = npsv.sel(account=account, drop=True).transpose(*SAMPLE_DIMS)
    both = xr.concat([xr.zeros_like(gain), gain], xr.Variable("option", [BUSINESS_AS_USUAL, INVESTMENT]))
    drawn = parameters(run)
    grouped = {name: members for name, members in _groups(drawn).items() if members}
    singles = [str(name) for name in drawn.data_vars]
    found = appraisal.evppi(both.assign_attrs(npsv.attrs), drawn, of=[*singles, *grouped.values()], seed=seed)
    kinds = ["single"] * len(singles) + ["group"] * len(grouped)
    found = found.assign_coords(set=np.array([*singles, *grouped], dtype=object), kind=("set", kinds))
    return Knowing(
        found,
        appraisal.tornado(gain.assign_attrs(npsv.attrs), drawn),
        appraisal.switching_values(gain.assign_attrs(npsv.attrs), drawn),
        drawn,
        {name: parameter_name(name) for name in [*singles, *grouped]},
    )


def parameter_name(name: str) -> str:
    """Return what a reader calls a parameter: "effect: care" is "the effect on care"."""
    kind, _, thing = name.partition(": ")
    if kind in (EFFECT, RATE) and thing:
        return f"the effect on {inside(thing)}" if kind == EFFECT else f"the local rate of {inside(thing)}"
    if name in GROUPS:
        return name
    price = name.removeprefix("price_")
    return f"the figure {inside(name)}" if price == name else f"the unit cost: {inside(price)}"


def _groups(drawn: xr.Dataset) -> dict[str, tuple[str, ...]]:
    """Sort the parameters into effects, prices, rates and the rest, by name and unit."""
    sorted_into: dict[str, list[str]] = {name: [] for name in GROUPS}
    for name, variable in drawn.data_vars.items():
        kind = str(name).partition(": ")[0]
        money = str(variable.attrs.get("units", "")).startswith("GBP")
        place = 0 if kind == EFFECT else 2 if kind == RATE else 1 if money else 3
        sorted_into[GROUPS[place]].append(str(name))
    return {name: tuple(members) for name, members in sorted_into.items()}
