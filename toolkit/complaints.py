"""What pydantic reports as wrong with a scenario, in plain words."""

from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import Any

from toolkit.tabular import excerpt

__all__ = ["explained"]

NESTED = "must hold settings of its own, each on a line 'name: value'"
INSTEAD = {  # of settings that scenarios no longer have
    "option": "buy programmes in plan, as data/scenarios/families_first.yaml does.",
    "source": "effects are those of the programmes in plan.",
    "replication": "use scale_up, or leave it out.",
    "fades": "for effects that never fade, write structure: {fade: {none: 1.0}}.",
    "family_group_conferencing": "add family_group_conference to plan.",
}
MEANINGS = {  # kind of error: what is wrong, with what pydantic knows of it
    "missing": "is missing",
    "string_type": "must be text (put it in quotes if it looks like a number)",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length:,} characters",
    "float_type": "must be a number, with a decimal point and without commas or quotes",
    "int_type": "must be a whole number, without commas or quotes",
    "bool_type": "must be true or false",
    "greater_than": "must be above {gt:,.10g}",
    "greater_than_equal": "must be {ge:,.10g} or more",
    "less_than": "must be below {lt:,.10g}",
    "less_than_equal": "must be {le:,.10g} or less",
    "finite_number": "must be a finite number",
    "literal_error": "must be {expected}",
    "tuple_type": "must be a list, such as [0.5, 1.0]",
    **dict.fromkeys(("model_type", "mapping_type", "dict_type", "model_attributes_type"), NESTED),
}
FORMS = {  # pattern of a field: what it asks for
    r"^[a-z0-9_]+$": "must be of small letters, digits and underscores",
    r"^[a-z0-9_]{3,40}$": "must have 3 to 40 small letters, digits or underscores",
    r"^[A-Za-z0-9_]{3,40}$": "must have 3 to 40 letters, digits or underscores",
}


def explained(error: Mapping[str, Any], *, where: str, known: Collection[str]) -> str:
    """Return one error of ``ValidationError.errors`` as one line that a user can act on.

    Parameters
    ----------
    error
        ``type``, ``loc``, ``msg``, ``input`` and ``ctx``, as pydantic gives them.
    where
        The file or scenario.
    known
        Names of all settings, of which the nearest is suggested in place of an unknown one.
    """
    place = [excerpt(part, 60) for part in error["loc"] if part != "[key]"]
    key = ".".join(place) or "the scenario"
    if error["type"] == "extra_forbidden":
        close = get_close_matches(place[-1], known, n=1)
        hint = f"did you mean '{close[0]}'?" if close else "see data/scenarios/families_first.yaml for every setting."
        return f"scenario {where}: unknown setting '{key}'. Fix: {INSTEAD.get(place[-1], hint)}"
    what, given = _what(error), error.get("input")
    if place or error["type"] != "value_error":  # a validator of our own names what it is about
        what = f"{key}{':' * (error['type'] == 'value_error')} {what}"
    if "Fix: " in what or "Fix: " in what:
        return f"scenario {where}: {what}"
    shown = f" (given: {excerpt(given, 60)})" if place and isinstance(given, (str, int, float)) else ""
    fix = "add it" if error["type"] == "missing" else "change or remove that line"
    return f"scenario {where}: {what}{shown}. Fix: {fix}."


def _what(error: Mapping[str, Any]) -> str:
    kind, context = str(error["type"]), error.get("ctx") or {}
    if kind == "value_error":
        return str(context["error"])
    if kind == "string_pattern_mismatch":
        return FORMS[context["pattern"]]
    return MEANINGS[kind].format(**context) if kind in MEANINGS else "cannot be used"


def __dir__() -> list[str]:
    return __all__
