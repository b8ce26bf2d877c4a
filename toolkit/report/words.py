"""Numbers and names in plain English: money, chances, intervals, years, and what each label is called."""

import math
from collections.abc import Callable, Sequence

import numpy as np

MINUS = "\N{MINUS SIGN}"
SCALES = ((1e9, "billion"), (1e6, "million"))

LABELS = {
    "all": "All",
    "nhs": "NHS",
    "dwp": "DWP (benefits)",
    "hmrc": "HMRC (tax)",
    "local_authority": "Local authority",
    "police_and_justice": "Police and justice",
    "individuals": "The young people themselves",
    "victims": "Victims of crime",
    "gcse_attainment": "GCSE attainment",
    "care": "Care",
    "gross": "Gross",
    "excess": "Excess",
    "combined": "Trials and panel combined",
    "panel": "Panel of areas (association)",
    "judgement": "Judgement",
}
SOURCES = {
    "trials": "a meta-analysis of trials and matched studies of families served",
    "panel": "the association of spending with outcomes within areas over time, which is not proof of an effect",
    "combined": "a meta-analysis of trials and matched studies, conditioned on the association of spending with "
    "outcomes within areas (which alone would not be an effect)",
    "judgement": "the evidence notes' own suggested effects, a judgement",
}


def label(name: object) -> str:
    """Return what a reader calls ``name``: "police_and_justice" is "Police and justice"."""
    text = str(name)
    return LABELS.get(text, text.replace("_", " ")[:1].upper() + text.replace("_", " ")[1:])


def inside(name: object) -> str:
    """Return a label for the middle of a sentence: acronyms keep their capitals."""
    text = label(name)
    return text if text[:2].isupper() else text[:1].lower() + text[1:]


def money(pounds: float) -> str:
    """Return pounds as a reader says them, to about three figures: £1.2 million, \N{MINUS SIGN}£3,400, £22."""
    if not math.isfinite(pounds):
        return "not defined"
    size = abs(float(pounds))
    for unit, name in SCALES:
        if size >= 0.9995 * unit:
            return _signed(pounds, f"£{size / unit:,.{1 if size / unit < 99.95 else 0}f} {name}")
    step = 10.0 ** max(0, math.floor(math.log10(size)) - 2) if size >= 1 else 1.0
    rounded = round(size / step) * step
    return _signed(pounds if rounded else 0.0, f"£{rounded:,.0f}")


def pence(pounds: float) -> str:
    """Return a small sum to the penny: £0.42."""
    return _signed(pounds, f"£{abs(pounds):,.2f}") if math.isfinite(pounds) else "an undefined sum"


def percent(share: float) -> str:
    """Return a chance or share as whole per cent; what rounds to none or all says so."""
    if not math.isfinite(share):
        return "not defined"
    if abs(share) > 1 or share < 0:
        return number(100 * share, 0) + "%"
    return "under 1%" if share < 0.01 else "over 99%" if share > 0.99 else f"{share:.0%}"


def change(share: float) -> str:
    """Return a relative change in per cent with its sign: \N{MINUS SIGN}12%, +3%."""
    size = number(100 * share, 0)
    return ("+" if share >= 0.005 else "") + ("0" if size in ("0", f"{MINUS}0") else size) + "%"


def number(value: float, decimals: int = 1) -> str:
    """Return a number with thousands separated and a proper minus sign."""
    if not math.isfinite(value):
        return "not defined"
    text = f"{abs(value):,.{decimals}f}"
    return _signed(value if float(text.replace(",", "")) else 0.0, text)


def figure(value: float) -> str:
    """Return a cited number as it stands, with no more than five significant digits where it has a fraction."""
    whole = float(value).is_integer() or abs(value) >= 1e4
    return number(value, 0) if whole else f"{value:.5g}".replace("-", MINUS)


def interval(lower: float, upper: float, say: Callable[[float], str] = money) -> str:
    """Return "lower to upper", each said by ``say``."""
    return f"{say(lower)} to {say(upper)}"


def money_scale(values: object) -> tuple[float, str, int]:
    """Return the divisor, its unit and decimals that suit a whole column of money."""
    finite = np.abs(np.asarray(values, dtype=float))
    largest = float(np.nanmax(finite, initial=0.0))
    for unit, name in SCALES:
        if largest >= 2 * unit:
            return unit, f"£ {name}", 2 if largest < 20 * unit else 1
    return (1e3, "£ thousand", 0) if largest >= 2e5 else (1.0, "£", 0)


def financial_year(first: int, offset: int) -> str:
    """Return the financial year ``offset`` years after the one that starts in ``first``: 2025 and 5 give 2030/31."""
    start = int(first) + int(offset)
    return f"{start}/{(start + 1) % 100:02d}"


def listed(names: Sequence[str], joint: str = "and") -> str:
    """Return names as a phrase: a, b and c."""
    names = list(names)
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {joint} {names[-1]}" if names else "none"


def schedule_name(schedule: str) -> str:
    """Return a discount schedule's name in words: Green Book 2026 standard."""
    return schedule.replace("_", " ").replace("green book", "Green Book")


def _signed(value: float, text: str) -> str:
    return MINUS + text if value < 0 else text
