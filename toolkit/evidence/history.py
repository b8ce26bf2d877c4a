"""Who changed the data, when and why: the history that the manifest keeps of every sealing."""

import getpass
import os
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any

from toolkit.schema import InputError

USER = "OUTCOMES_USER"  # environment variable: who this is, where that is not the system's user
LONGEST = {"user": 100, "reason": 300}  # characters


def user() -> str:
    """Return who runs this: the environment variable ``OUTCOMES_USER``, else the system's user, else ""."""
    try:
        name = os.environ.get(USER) or getpass.getuser()
    except (ImportError, KeyError, OSError):  # a container without a list of users
        name = ""
    return _line(name)[: LONGEST["user"]]


def with_entry(
    history: Collection[Mapping[str, Any]], changed: Collection[str], reason: str
) -> list[Mapping[str, Any]]:
    """Return the history of a data folder with one more change, or unchanged if nothing changed.

    Parameters
    ----------
    history
        Entries so far: ``date``, ``by``, ``reason`` and ``changed``.
    changed
        Paths of the files that are not as they were sealed before.
    reason
        Why they changed, in a line.

    Raises
    ------
    InputError
        A change without a reason, or one that is too long for a line.
    """
    if not changed:
        return list(history)
    line, most = _line(reason), LONGEST["reason"]
    if not 0 < len(line) <= most:
        what = f"the reason has {len(line)} characters, not up to {most}" if line else "changed, and no reason given"
        raise InputError(f"{_few(changed)}: {what}.", fix="outcomes evidence seal --reason 'what changed, and why'.")
    entry = {"date": datetime.now(UTC).date().isoformat(), "by": user(), "reason": line, "changed": sorted(changed)}
    return [*history, entry]


def _few(paths: Collection[str]) -> str:
    first = sorted(paths)[:3]
    return ", ".join(first) + (f" and {len(paths) - 3} more" if len(paths) > 3 else "")


def _line(text: str) -> str:
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
