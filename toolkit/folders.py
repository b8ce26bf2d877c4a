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

__all__ = ["drafts", "use_writable", "writable"]

DRAFTS, LOCK = ".writing-", "lock"
ABANDONED = 3600.0  # seconds after which a folder of drafts without a lock is nobody's


def writable(folder: Path) -> bool:
    """Return whether files can be written in a folder, which is made where its parents allow it."""
    standing = next((parent for parent in (folder, *folder.parents) if os.path.lexists(parent)), folder)
    return standing.is_dir() and os.access(standing, os.W_OK | os.X_OK)


@contextmanager
def drafts(folder: Path) -> Iterator[Path]:
    """Give a hidden folder inside ``folder`` to write drafts in, which is removed at the end.

    Those that killed processes left are removed first. The lock in each, which ends with its process, says which.

    Raises
    ------
    OSError
        What the disk answered, with ``folder`` as its file name.
    """
    from filelock import FileLock

    try:
        folder.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(folder)
        with tempfile.TemporaryDirectory(dir=folder, prefix=DRAFTS) as name, FileLock(Path(name) / LOCK):
            yield Path(name)
    except OSError as problem:
        raise OSError(problem.errno, problem.strerror or str(problem), str(folder)) from problem


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
    home = Path(os.path.expanduser("~"))
    cache, settings = (
        Path(os.environ.get(name) or home / folder)
        for name, folder in (("XDG_CACHE_HOME", ".cache"), ("XDG_CONFIG_HOME", ".config"))
    )
    flags = os.environ.get("PYTENSOR_FLAGS", "")
    blocked = {
        "numba": "NUMBA_CACHE_DIR" not in os.environ and not writable(cache / "numba"),
        "pytensor": "compiledir" not in flags and not writable(home / ".pytensor"),
        "matplotlib": "MPLCONFIGDIR" not in os.environ
        and not (writable(settings / "matplotlib") and writable(cache / "matplotlib")),
    }
    libraries = [name for name, is_blocked in blocked.items() if is_blocked]
    if not libraries:
        return
    folder = _own_temporary()
    if blocked["pytensor"]:
        os.environ["PYTENSOR_FLAGS"] = ",".join(filter(None, [flags, f"base_compiledir={folder / 'pytensor'}"]))
    for variable, name in (("NUMBA_CACHE_DIR", "numba"), ("MPLCONFIGDIR", "matplotlib")):
        if blocked[name]:
            os.environ[variable] = str(folder / name)
    message = "%s: cannot be written to. Files of %s are kept in %s; set TMPDIR for another place."
    logging.getLogger("toolkit").warning(message, home, ", ".join(libraries), folder)


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
