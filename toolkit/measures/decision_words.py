"""A decision in plain English: which option, how sure, what a mistake costs, and the value of information."""

from collections.abc import Mapping

import numpy as np
import xarray as xr

from toolkit.appraisal.ties import TIE
from toolkit.measures.words import financial_year, listed, money, percent
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

TOGETHER = (
    "Options are compared draw by draw: what they share in a draw, such as the luck of a site, cancels between them."
)


def chance(share: float) -> str:
    """Return a probability as a chance that people can picture: "a 7 in 10 chance", "an 8 in 100 chance"."""
    if share < 0.005 or share > 0.995:
        return "a less than 1 in 100 chance" if share < 0.5 else "a more than 99 in 100 chance"
    base = 10 if 0.095 <= share <= 0.905 else 100
    count = min(max(1, round(base * share)), base - 1)
    return f"{'an' if count == 8 else 'a'} {count} in {base} chance"


def best_choice(curves: xr.Dataset, *, unit: str) -> str:
    """Return which option has the highest expected net benefit, by how much, and the chance that it is best.

    Parameters
    ----------
    curves
        ``appraisal.decision_curves`` at one threshold.
    unit
        Name of a unit of effect.
    """
    worth = f"If {unit} is worth {money(float(curves['threshold']))}"
    chances = curves["probability_best"].to_series()
    # Labels of options may be of pandas' own type of text, which numpy cannot cast.
    level = [str(name) for name in curves["option"].values[curves["is_best"].values]]
    if len(level) > 1:
        if float(curves["probability_tied"]) == 1:
            return f"{worth}, {listed(level)} are level in every draw: nothing is lost by choosing any of them."
        each = [f"{chance(float(chances[name]))} that {name} is the best of all" for name in level]
        return (
            f"{worth}, {listed(level)} are level on average: no choice among them gains more. There is {listed(each)}."
        )
    value = curves["expected_net_benefit"].to_series().sort_values(ascending=False, kind="stable")
    best, second = level[0], str(value.index[1])
    sentence = (
        f"{worth}, {best} is the best choice on average, ahead of {second} by an expected "
        f"{money(float(value.iloc[0] - value.iloc[1]))}; there is {chance(float(chances[best]))} that it is the best "
        "of all."
    )
    if (tied := float(curves["probability_tied"])) >= 0.005:
        sentence += f" In {percent(tied)} of the draws several are best; each counts for all of them in equal parts."
    likely = chances[chances > chances[best] + 1e-9]
    if len(likely):
        sentence += (
            f" {likely.idxmax()} is best more often ({percent(float(likely.max()))} of the draws), but "
            "gains less when it is than it loses when it is not."
        )
    return sentence


def best_names(curves: xr.Dataset) -> list[str]:
    """Return which option is best on average at each threshold; "a or b" where several are level."""
    flags = curves["is_best"].transpose("threshold", "option").values
    names = np.array(curves["option"].values, dtype=object)
    return [" or ".join(map(str, names[row])) for row in flags]


def ladder(options: xr.Dataset, *, unit: str) -> str:
    """Return above what worth of a unit of effect each option on the frontier becomes the best on average.

    Parameters
    ----------
    options
        From ``appraisal.icers``.
    """
    climb: list[list[str]] = []
    ratios = []
    for name, status, ratio in zip(
        options["option"].values, options["status"].values, options["icer"].values, strict=True
    ):
        if status == "frontier":
            climb.append([str(name)])
            ratios.append(float(ratio))
        elif status == "tied":  # with the one before it
            climb[-1].append(str(name))
    names = [" or ".join(level) for level in climb]
    steps = [f"{name} above {money(ratio)}" for name, ratio in zip(names[1:], ratios[1:], strict=True)]
    if not steps:
        return f"{names[0]} costs no more and does at least as much as every other option, whatever {unit} is worth."
    return f"{names[0]} is best while {unit} is worth little; then {listed(steps)}."


def ruled_out(options: xr.Dataset) -> str:
    """Return which options are dominated, on their own or by a mix of others; empty if none is."""
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
    """Return what choosing now is expected to lose against knowing everything first; ``best`` may name several."""
    if evpi <= 0:
        return f"No draw has a better choice than {best}, so no further information would change it."
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
        Readable name of each set.
    """
    alone = information
    if "kind" in information.coords:
        alone = information.isel(set=np.flatnonzero(information["kind"] == "single"))
    top = alone.isel(set=int(alone["evppi"].values.argmax()))
    ceiling = float(information["evpi"])
    floor = float(top["noise_floor"] + 2 * top["standard_error"])
    if ceiling <= 0:
        return "Nothing is worth finding out: no draw would change the choice."
    first = alone["set"].values[alone["evppi"].values >= (1 - TIE) * float(top["evppi"])]
    name = " or ".join((names or {}).get(str(parameter), str(parameter)) for parameter in first)
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
    """Return the chance that an option is worth more than it costs, and what it is expected to be worth."""
    share, expected = float((npsv > 0).mean()), float(npsv.mean())
    average = f"{'gains' if expected > 0 else 'loses'} {money(abs(expected))}"
    if abs(expected) <= TIE * float(abs(npsv).mean()):
        average = "is worth just what it costs"
    return f"There is {chance(share)} that it is worth more to {to} than it costs; on average it {average}."


def pays_back(payback: xr.DataArray, *, first_year: int, horizon: int, whose: str = "the council's own money") -> str:
    """Return when money is paid back; "never" is one of the answers.

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
