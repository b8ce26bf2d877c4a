"""Numbers and names in plain English: money, chances, intervals, years, and what each label is called."""

import math
import re
from collections.abc import Callable, Sequence

import numpy as np

from toolkit.scenario_model import LONGEST_HORIZON

MINUS = "\N{MINUS SIGN}"
UNDEFINED = "not defined"
HARM = "the help adds to cost"
SCALES = ((1e9, "billion"), (1e6, "million"))
LABELS = {
    "nhs": "NHS",
    "neet": "NEET",
    "mst": "MST",
    "dwp": "DWP (benefits)",
    "hmrc": "HMRC (tax)",
    "individuals": "The young people themselves",
    "excess_never": "Excess over never in need",
    "central_government": "Central government (grant)",
    # Councils whose boundaries changed are modelled together and answer together.
    "BCP+Dorset": "Bournemouth, Christchurch and Poole together with Dorset",
    "Cumbria area": "Cumberland together with Westmorland and Furness",
    "Northamptonshire area": "North Northamptonshire together with West Northamptonshire",
    "victims": "Victims of crime",
    "rct": "randomised trial",
    "cluster_rct": "randomised trial of groups",
    "qed_psm": "matched comparison",
    "did": "difference in differences",
    "rhat": "R-hat",
    "ess_bulk": "Effective sample size, bulk",
    "ess_tail": "Effective sample size, tail",
    "energy": "Energy (E-BFMI)",
    "monte_carlo_error": "Monte Carlo error of a mean",
}
FUNDED = {
    "local_authority": "The plan's money is the council's own.",
    "central_government": "The plan's money is a grant from central government, not the council's own.",
}


SPANS = {  # words for the years counted: where they are a whole life, and where they are fewer
    "lifetime cost": "{}-year cost",
    "over life": "over {} years",
    "over its lifetime": "over {} years",
    "over children’s lives": "over {} years",
    "over the lives of": "over {} years among",
    "children's lifetimes": "{} years",
    "followed for life": "followed for {} years",
    "Life": "{} years",
    "Over a life": "Over {} years",
}


def counted(words: str, horizon: int) -> str:
    """Return words that say for how long cost is counted: those of ``SPANS``, or of fewer years than a life."""
    return words if horizon == LONGEST_HORIZON else SPANS[words].format(horizon)


def label(name: object) -> str:
    """Return the readable form of ``name``: "police_and_justice" is "Police and justice"."""
    text = str(name).replace("_", " ").replace("rereferral", "re-referral")
    text = re.sub(r"\b(gcse|neet)\b", lambda acronym: acronym[0].upper(), text)
    return LABELS.get(str(name), text[:1].upper() + text[1:])


def costed(reading: object, cost: str = "cost") -> str:
    """Return a reading of a cost in words, such as "Excess lifetime cost over never in need"."""
    what, _, over = label(reading).partition(" ")
    return f"{what} {cost} {over}".rstrip()


def area(name: str) -> str:
    """Return an area's name in full."""
    return LABELS.get(name, name)


def inside(name: object) -> str:
    """Return a label for the middle of a sentence: acronyms and names keep their capitals."""
    text = label(name)
    return text if text[:2].isupper() or text.startswith("Ofsted") else text[:1].lower() + text[1:]


def money(pounds: float) -> str:
    """Return pounds in words, to about three figures: £1.2 million, \N{MINUS SIGN}£3,400, £22."""
    if not math.isfinite(pounds):
        return UNDEFINED
    size = abs(float(pounds))
    for unit, name in SCALES:
        if size >= 0.9995 * unit:
            return _signed(pounds, f"£{size / unit:,.{1 if size / unit < 99.95 else 0}f} {name}")
    step = 10.0 ** max(0, math.floor(math.log10(size)) - 2) if size >= 1 else 1.0
    return _signed(pounds, f"£{round(size / step) * step:,.0f}")


def pence(pounds: float) -> str:
    """Return a small sum to the penny: £0.42."""
    return _signed(pounds, f"£{abs(pounds):,.2f}") if math.isfinite(pounds) else UNDEFINED


def number(value: float, decimals: int = 1) -> str:
    """Return a number with thousands separated and a proper minus sign."""
    return _signed(value, f"{abs(value):,.{decimals}f}") if math.isfinite(value) else UNDEFINED


def percent(share: float) -> str:
    """Return a chance or share as whole per cent; what rounds to 0 or 100 per cent reads "under 1%" or "over 99%"."""
    if not 0 <= share <= 1:
        return number(100 * share, 0) + "%" if math.isfinite(share) else UNDEFINED
    return "under 1%" if share < 0.01 else "over 99%" if share > 0.99 else f"{share:.0%}"


def change(share: float) -> str:
    """Return a relative change in whole per cent with its sign: \N{MINUS SIGN}12%, +3%."""
    return ("+" if share >= 0.005 else "") + number(100 * share, 0) + "%"


def figure(value: float) -> str:
    """Return a cited number as it stands, to at most five significant digits where it has a fraction."""
    whole = float(value).is_integer() or abs(value) >= 1e4
    return number(value, 0) if whole else f"{value:.5g}".replace("-", MINUS)


def interval(lower: float, upper: float, say: Callable[[float], str] = money) -> str:
    """Return "lower to upper", each formatted by ``say``."""
    return f"{say(lower)} to {say(upper)}"


def money_scale(values: object) -> tuple[float, str, int]:
    """Return the divisor, its unit and decimals that suit a whole column of money."""
    largest = float(np.nanmax(np.abs(np.asarray(values, dtype=float)), initial=0.0))
    for unit, name in SCALES:
        if largest >= 2 * unit:
            return unit, f"£\N{NO-BREAK SPACE}{name}", 2 if largest < 20 * unit else 1
    return (1e3, "£\N{NO-BREAK SPACE}thousand", 0) if largest >= 2e5 else (1.0, "£", 0)


def financial_year(first: int, offset: int) -> str:
    """Return the financial year ``offset`` years on from ``first``'s: 2025 and 5 give 2030/31."""
    start = int(first) + int(offset)
    return f"{start}/{(start + 1) % 100:02d}"


def tied(text: str) -> str:
    """Return text whose sums cannot break over a line: after the minus sign, or before "million"."""
    text = text.replace(f"{MINUS}£", f"{MINUS}\N{WORD JOINER}£")
    return re.sub(r"(?<=\d) (?=(m|b)illion\b)", "\N{NO-BREAK SPACE}", text)


def listed(names: Sequence[str]) -> str:
    """Return names as a phrase: a, b and c."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def within(years: int) -> str:
    """Return the period of a chance over all years counted."""
    return f"within {years} years"


def luck(shared: float) -> str:
    """Return how far a programme shares the luck of its sites with others."""
    return {1.0: "shared wholly", 0.0: "not shared"}.get(
        shared, f"{shared:.0%} shared"
    ) + " with other programmes there"


def schedule_name(schedule: str | float) -> str:
    """Return a discount schedule's name in words: Green Book 2026 standard."""
    if not isinstance(schedule, str):
        return f"a constant {100 * schedule:g}% a year"
    return schedule.replace("_", " ").replace("green book", "Green Book")


def _signed(value: float, size: str) -> str:
    """Put a minus sign before a size, unless the size rounded to 0."""
    return MINUS + size if value < 0 and re.search("[1-9]", size) else size
