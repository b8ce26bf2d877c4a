"""Folders to write in: drafts beside the outputs, and what libraries keep when the account has no home.

numba, PyTensor and matplotlib write below the home folder. A service account often has none, and then the first two
end in an error as they are imported.
"""

import logging
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import time

__all__ = ["drafts", "standing", "use_writable", "writable"]

DRAFTS, LOCK = ".writing-", "lock"
LOG = logging.getLogger("toolkit")
ABANDONED = 3600.0  # seconds after which a folder of drafts without a lock is nobody's


def standing(folder: Path) -> Path:
    """Return a folder or the nearest of its parents that exists."""
    return next((parent for parent in (folder, *folder.parents) if os.path.lexists(parent)), folder)


def writable(folder: Path) -> bool:
    """Return whether files can be written in a folder, which is created if its parents allow it."""
    there = standing(folder)
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)


@contextmanager
def drafts(folder: Path) -> Iterator[Path]:
    """Give a hidden folder inside ``folder`` to write drafts in, which is removed at the end.

    Those left by killed processes are removed first: the lock in each ends with its process.

    Raises
    ------
    OSError
        What the disk answered, with ``folder`` as its file name; what stands there is as it was.
    """
    from filelock import FileLock

    try:
        folder.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(folder)
        with tempfile.TemporaryDirectory(dir=folder, prefix=DRAFTS) as name, FileLock(Path(name) / LOCK):
            yield Path(name)
    except OSError as problem:
        what = f"{problem.strerror or problem}; earlier files are as they were"
        raise OSError(problem.errno, what, str(folder)) from problem


def _remove_abandoned(folder: Path) -> None:
    from filelock import FileLock, Timeout

    for left in folder.glob(f"{DRAFTS}*"):
        lock = left / LOCK
        try:
            if lock.exists():
                with FileLock(lock, timeout=0):
                    pass
            elif time() - left.stat().st_mtime < ABANDONED:
                continue
        except (Timeout, OSError):  # another process is writing there, or has just removed it
            continue
        shutil.rmtree(left, ignore_errors=True)


def use_writable() -> None:
    """Set the libraries' folders to one below the temporary folder where their own cannot be written to; log it once.

    To be called before any of them is imported. Processes started from this one inherit the setting and stay silent.
    What the user has set stays as it is.
    """
    try:
        _use_writable()
    except OSError as problem:  # nowhere is writable: what needs no compiled code still works
        LOG.warning("no folder for compiled code: %s. Fix: set TMPDIR to one that can be written to.", problem)


def _use_writable() -> None:
    home = Path(os.path.expanduser("~"))
    if not home.is_absolute():  # the system has none, and PyTensor stops without one
        home = _own_temporary()
        os.environ["HOME"] = str(home)
        _log("no home folder", home)
    cache, settings = (
        Path(os.environ.get(name) or home / folder)
        for name, folder in (("XDG_CACHE_HOME", ".cache"), ("XDG_CONFIG_HOME", ".config"))
    )
    flags = os.environ.get("PYTENSOR_FLAGS", "")
    kept = {  # whose folder, and whether the user has set it
        "numba": ([cache / "numba"], "NUMBA_CACHE_DIR" in os.environ),
        "pytensor": ([home / ".pytensor"], "compiledir" in flags),
        "matplotlib": ([settings / "matplotlib", cache / "matplotlib"], "MPLCONFIGDIR" in os.environ),
    }
    blocked = [name for name, (folders, is_set) in kept.items() if not is_set and not all(map(writable, folders))]
    if not blocked:
        return
    folder = _own_temporary()
    chosen = {
        "NUMBA_CACHE_DIR": ("numba", str(folder / "numba")),
        "PYTENSOR_FLAGS": ("pytensor", ",".join(filter(None, [flags, f"base_compiledir={folder / 'pytensor'}"]))),
        "MPLCONFIGDIR": ("matplotlib", str(folder / "matplotlib")),
    }
    os.environ |= {variable: value for variable, (name, value) in chosen.items() if name in blocked}
    _log(f"{home}: cannot be written to", folder)


def _log(what: str, folder: Path) -> None:
    LOG.warning("%s. Compiled code and settings are kept in %s; set TMPDIR for another place.", what, folder)


def _own_temporary() -> Path:
    """Return a folder below the temporary one that only this user can write to: compiled code is run unseen."""
    user = os.getuid() if hasattr(os, "getuid") else 0
    folder = Path(tempfile.gettempdir()) / f"cost-of-outcomes-{user}"
    folder.mkdir(mode=0o700, exist_ok=True)
    state = folder.lstat()
    private = state.st_uid == user and not state.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    if os.name == "nt" or (private and stat.S_ISDIR(state.st_mode)):
        return folder
    return Path(tempfile.mkdtemp(prefix="cost-of-outcomes-"))


def __dir__() -> list[str]:
    return __all__
