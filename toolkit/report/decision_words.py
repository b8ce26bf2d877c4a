"""A decision in plain English: which option, how sure, what a mistake costs and what is worth finding out."""

from collections.abc import Mapping

import numpy as np
import xarray as xr

from toolkit.report.words import financial_year, listed, money, percent
from toolkit.schema import SAMPLE_DIMS

__all__ = [
    "best_choice",
    "chance",
    "ladder",
    "most_useful",
    "pays_back",
    "ruled_out",
    "worth_of_certainty",
    "worthwhile",
]


def chance(share: float) -> str:
    """Return a probability as a chance that people can picture: "a 7 in 10 chance", "an 8 in 100 chance"."""
    if share < 0.005 or share > 0.995:
        return "a less than 1 in 100 chance" if share < 0.5 else "a more than 99 in 100 chance"
    base = 10 if 0.095 <= share <= 0.905 else 100
    count = min(max(1, round(base * share)), base - 1)
    return f"{'an' if count == 8 else 'a'} {count} in {base} chance"


def best_choice(curves: xr.Dataset, *, unit: str) -> str:
    """Say which option has the highest expected net benefit, by how much, and the chance that it is best.

    Parameters
    ----------
    curves
        ``appraisal.decision_curves`` at one threshold.
    unit
        Name of a unit of effect.
    """
    value = curves["expected_net_benefit"].to_series().sort_values(ascending=False, kind="stable")
    best, second = str(value.index[0]), str(value.index[1])
    share = float(curves["probability_best"].sel(option=best))
    ahead = money(float(value.iloc[0] - value.iloc[1]))
    found = (
        f"If {unit} is worth {money(float(curves['threshold']))}, {best} is the best choice on average, ahead of "
        f"{second} by an expected {ahead}; there is {chance(share)} that it is the best of all."
    )
    likely = str(curves["option"].values[curves["probability_best"].values.argmax()])
    if likely != best:
        found += (
            f" {likely} is best more often ({percent(float(curves['probability_best'].max()))} of the draws), but "
            "gains less when it is than it loses when it is not."
        )
    return found


def ladder(options: xr.Dataset, *, unit: str) -> str:
    """Say from what worth of a unit of effect each option on the frontier becomes the best on average.

    Parameters
    ----------
    options
        From ``appraisal.icers``.
    """
    climb = options.isel(option=np.flatnonzero(options["status"] == "frontier"))
    names = list(map(str, climb["option"].values.tolist()))
    steps = [
        f"{name} from {money(float(ratio))}" for name, ratio in zip(names[1:], climb["icer"].values[1:], strict=True)
    ]
    if not steps:
        return f"{names[0]} costs no more and does at least as much as every other option, whatever {unit} is worth."
    return f"{names[0]} is best while {unit} is worth little; then {listed(steps)}."


def ruled_out(options: xr.Dataset) -> str:
    """Say which options are dominated, on their own or by a mix of others; empty if none is."""
    parts = []
    for status, why in (
        ("dominated", "another option costs no more and does as much"),
        ("extendedly dominated", "a mix of two others does more for the same money"),
    ):
        names = list(map(str, options["option"].values[options["status"].values == status].tolist()))
        if names:
            parts.append(f"{listed(names)} {'is' if len(names) == 1 else 'are'} never best on average: {why}.")
    return " ".join(parts)


def worth_of_certainty(evpi: float, *, best: str) -> str:
    """Say what choosing now is expected to lose against knowing everything first."""
    if evpi <= 0:
        return f"No draw has a better choice than {best}, so nothing that could be learnt would change it."
    return (
        f"Choosing {best} now is expected to lose {money(evpi)} against knowing everything first. No study of this "
        "decision is worth more than that, each time the decision is taken."
    )


def most_useful(information: xr.Dataset, *, names: Mapping[str, str] | None = None) -> str:
    """Name the single most useful thing to find out, or say that none stands out of the noise.

    Parameters
    ----------
    information
        From ``appraisal.evppi``, one number a set; sets that are groups, if it says so (kind), are left out.
    names
        What a reader calls each set.
    """
    alone = information
    if "kind" in information.coords:
        alone = information.isel(set=np.flatnonzero(information["kind"] == "single"))
    top = alone.isel(set=int(alone["evppi"].values.argmax()))
    ceiling = float(information["evpi"])
    floor = float(top["noise_floor"] + 2 * top["standard_error"])
    if ceiling <= 0:
        return "Nothing is worth finding out: no draw would change the choice."
    name = (names or {}).get(str(top["set"].item()), str(top["set"].item()))
    if float(top["evppi"]) <= floor:
        nearest = f"; nearest comes {name}, at {money(float(top['evppi']))} with a standard error of "
        nearest += money(float(top["standard_error"]))
        return (
            "No single thing is worth finding out by itself: none stands out of the noise of the draws"
            f"{nearest if float(top['evppi']) > 0 else ''}."
        )
    return (
        f"The single most useful thing to find out is {name}: knowing it exactly would be worth "
        f"{money(float(top['evppi']))}, {percent(float(top['evppi']) / ceiling)} of knowing everything."
    )


def worthwhile(npsv: xr.DataArray, *, to: str = "society") -> str:
    """Say the chance that an option is worth more than it costs, and what it is expected to be worth."""
    share, expected = float((npsv > 0).mean()), float(npsv.mean())
    return (
        f"There is {chance(share)} that it is worth more to {to} than it costs; on average it "
        f"{'gains' if expected >= 0 else 'loses'} {money(abs(expected))}."
    )


def pays_back(payback: xr.DataArray, *, first_year: int, horizon: int, whose: str = "the council's own money") -> str:
    """Say when somebody's money is back, never being one of the answers.

    Parameters
    ----------
    payback
        Year of payback in each draw (chain, draw), infinite where it never comes.
    first_year
        Financial year of year 0.
    horizon
        Years looked at.
    whose
        What is paid back.
    """
    share = float(np.isfinite(payback).mean())
    if share == 0:
        return f"In none of the draws does it pay back {whose} within {horizon} years."
    if share <= 0.5:
        return f"It probably never pays back {whose}: there is {chance(share)} that it does within {horizon} years."
    middle = int(payback.quantile(0.5, SAMPLE_DIMS))
    ending = "" if share == 1 else f"; there is {chance(1 - share)} that it never does within {horizon}"
    by = financial_year(first_year, middle)
    return f"It is as likely as not to pay back {whose} in {middle} years, by {by}{ending}."


def __dir__() -> list[str]:
    return __all__
