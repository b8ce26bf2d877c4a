"""Drafts beside the outputs go with their process, and an account without a home can still run everything."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from toolkit import folders

WRITING = """
import sys, time
from pathlib import Path
from toolkit.folders import drafts
with drafts(Path(sys.argv[1])) as folder:
    (folder / "report.html").write_text("half")
    print("writing", flush=True)
    time.sleep(600)
"""
NO_HOME = "/dev/null/home"  # below a file: no folder can be there, whoever asks


@pytest.fixture
def writing(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Write in a process of its own."""
    command = [sys.executable, "-c", WRITING, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "writing\n"
        yield process
        process.kill()


def test_drafts_of_a_killed_process_go_and_those_of_a_living_one_stay(
    tmp_path: Path, writing: subprocess.Popen[str]
) -> None:
    with folders.drafts(tmp_path) as own:
        assert len(list(tmp_path.iterdir())) == 2
    (theirs,) = tmp_path.iterdir()
    assert (theirs / "report.html").read_text() == "half" and theirs != own
    writing.kill()
    writing.wait()
    with folders.drafts(tmp_path) as own:
        assert list(tmp_path.iterdir()) == [own]
    assert list(tmp_path.iterdir()) == []


def test_drafts_without_a_lock_go_when_they_are_old(tmp_path: Path) -> None:
    old, new = tmp_path / ".writing-old", tmp_path / ".writing-new"
    for folder in (old, new):
        folder.mkdir()
    os.utime(old, (0, 0))
    with folders.drafts(tmp_path):
        assert new.exists() and not old.exists()


def test_what_the_disk_answers_names_the_folder(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space left on device; earlier files are as they were") as full:  # noqa: SIM117
        with folders.drafts(tmp_path):
            raise OSError(28, "No space left on device")
    assert full.value.filename == str(tmp_path)
    assert list(tmp_path.iterdir()) == []


def python(code: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
    environment = {**kept, "HOME": NO_HOME, "TMPDIR": str(folder), **variables}
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)


def test_without_a_home_a_private_temporary_folder_serves_and_that_is_said_once(tmp_path: Path) -> None:
    names = ("NUMBA_CACHE_DIR", "MPLCONFIGDIR", "PYTENSOR_FLAGS")
    child = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import toolkit'], check=True)"
    done = python(f"import os, toolkit; print(*map(os.environ.get, {names}), sep='\\n'); {child}", tmp_path)
    (folder,) = tmp_path.glob("cost-of-outcomes-*")
    assert folder.stat().st_mode & 0o777 == 0o700
    numba, matplotlib, flags = done.stdout.splitlines()
    assert (numba, matplotlib) == (str(folder / "numba"), str(folder / "matplotlib"))
    assert flags == f"base_compiledir={folder / 'pytensor'}"
    assert done.stderr.count("\n") == 1 and NO_HOME in done.stderr and str(folder) in done.stderr


def test_what_the_user_set_stays(tmp_path: Path) -> None:
    own = {
        "NUMBA_CACHE_DIR": "mine",
        "MPLCONFIGDIR": "mine",
        "PYTENSOR_FLAGS": f"floatX=float64,base_compiledir={tmp_path}",
    }
    done = python(f"import os, toolkit; print(*map(os.environ.get, {tuple(own)}), sep='\\n')", tmp_path, **own)
    assert done.stdout.splitlines() == list(own.values())
    assert done.stderr == "" and list(tmp_path.iterdir()) == []


def test_a_temporary_folder_that_others_can_write_to_is_not_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders.tempfile, "tempdir", str(tmp_path))
    usual = folders._own_temporary()
    assert folders._own_temporary() == usual
    usual.chmod(0o777)
    assert folders._own_temporary() != usual


@pytest.mark.long
def test_without_a_home_the_models_and_the_kernels_import(tmp_path: Path) -> None:
    code = (
        "from toolkit import models, pathways; from toolkit.report import drawing; import pytensor, matplotlib; "
        "print(pathways.kernel.walk_cohort.stats.cache_path, pytensor.config.base_compiledir, "
        "matplotlib.get_cachedir(), sep='\\n')"
    )
    done = python(code, tmp_path)
    (folder,) = tmp_path.glob("cost-of-outcomes-*")
    assert all(line.startswith(str(folder)) for line in done.stdout.splitlines())
    assert done.stderr.count("\n") == 1
