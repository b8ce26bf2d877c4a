"""How a scenario is viewed: each view with its choices, of which the first is the default, and a budget."""

from toolkit.apps.parts import entry
from toolkit.schema import ACCOUNTS, InputError
from toolkit.tabular import excerpt

VIEWS = {
    "account": tuple(reversed(ACCOUNTS)),
    "cost": ("excess", "excess_never", "gross", "annual"),
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
    millions = entry.number(plain, "budget")
    if "%" in plain or not 0 < millions <= MOST:
        raise InputError(
            f"budget: '{excerpt(plain, 20)}' is not within £0 and £{MOST:,.0f} million.", fix="write millions."
        )
    return f"{millions:.10g}"


def taken(keys: dict[str, str]) -> tuple[dict[str, str], list[str]]:
    """Take the views out of an address's keys: which there are, and a line for each that cannot be used."""
    views = {view: keys.pop(view, first) for view, first in BEGIN.items()}
    problems = {view: f"none of {', '.join(VIEWS[view])}" for view in VIEWS if views[view] not in VIEWS[view]}
    try:
        views["budget"] = budget(views["budget"])
    except InputError:
        problems["budget"] = f"no sum of more than nothing and at most {MOST:,.0f}, £ million"
    messages = [f"{view}: '{excerpt(views[view])}' is {why}, so it is {BEGIN[view]}." for view, why in problems.items()]
    return views | {view: BEGIN[view] for view in problems}, messages
