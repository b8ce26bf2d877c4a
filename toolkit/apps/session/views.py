"""What is read of a scenario, beside what it is: each view with its choices, the first to begin with, and a budget."""

from toolkit.apps.parts import entry
from toolkit.schema import ACCOUNTS, InputError

VIEWS = {
    "account": tuple(reversed(ACCOUNTS)),
    "cost": ("excess", "gross", "annual"),
    "aim": ("expected_value", "conditional_value_at_risk"),
}
BEGIN = {name: choices[0] for name, choices in VIEWS.items()} | {"budget": "20"}
MOST = 1e6  # £ million


def budget(text: object) -> str:
    """Return a budget, £ million, as an address spells it.

    Raises
    ------
    InputError
        If it is no number, nothing or less, or more than a million million.
    """
    plain = str(text).casefold().removesuffix("million").rstrip()
    found = entry.number(plain, "budget")
    if "%" in plain or not 0 < found <= MOST:
        raise InputError(
            f"budget: '{entry.shown(plain, 20)}' is not within £0 and £{MOST:,.0f} million.", fix="write millions."
        )
    return f"{found:.10g}"


def taken(given: dict[str, str]) -> tuple[dict[str, str], list[str]]:
    """Take the views out of an address's keys: which there are, and a line for each that cannot be used."""
    found = {view: given.pop(view, first) for view, first in BEGIN.items()}
    wrong = {view: f"none of {', '.join(VIEWS[view])}" for view in VIEWS if found[view] not in VIEWS[view]}
    try:
        found["budget"] = budget(found["budget"])
    except InputError:
        wrong["budget"] = f"no sum of more than nothing and at most {MOST:,.0f}, £ million"
    said = [f"{view}: '{entry.shown(found[view])}' is {why}, so it is {BEGIN[view]}." for view, why in wrong.items()]
    return found | {view: BEGIN[view] for view in wrong}, said
