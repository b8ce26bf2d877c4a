"""The code and the pages speak plain modern English, with the field's own terms (docs/glossary.md)."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# As names these say nothing of what they hold, or mean something else to a reader of today.
NAMES = {"told", "tell", "said", "held", "made", "found", "nought", "anew", "mend", "spoken", "heeded"}
# A group of run.nc files of version 1; a verdict of the committed tables.
OLD = re.compile('"told": "life_course"|"cannot be told"')
WORDS = re.compile(r"\b(nought|anew|mend|mends|mended|told|whereof|thereof|hitherto|reckoned|dearer)\b", re.IGNORECASE)
TEXTS = (
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "docs/*.md",
    "data/*.md",
    "data/scenarios/*.yaml",
)
VISIBLE = ("toolkit/**/*.j2", "toolkit/**/*.html", "toolkit/**/*.js", "toolkit/**/*.css")


def assigned(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Yield every name that a module gives, with its line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            yield node.name, node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, node.lineno
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr, node.lineno


@pytest.mark.parametrize(
    "path", sorted(ROOT.glob("toolkit/**/*.py")), ids=lambda path: path.relative_to(ROOT).as_posix()
)
def test_code_is_in_plain_english(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    names = [f"{line}: {name}" for name, line in assigned(ast.parse(source)) if NAMES & set(name.lower().split("_"))]
    words = [
        f"{number}: {line.strip()}"
        for number, line in enumerate(source.splitlines(), 1)
        if WORDS.search(OLD.sub("", line))
    ]
    assert not names + words


def test_pages_and_documents_are_in_plain_english() -> None:
    paths = [path for pattern in (*TEXTS, *VISIBLE) for path in ROOT.glob(pattern)]
    lines = [(path, line) for path in paths for line in path.read_text(encoding="utf-8").splitlines()]
    for path in ROOT.glob("notebooks/*.ipynb"):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        lines += [(path, line) for cell in cells for line in cell["source"]]
    assert len(paths) > 10 and [f"{path.name}: {line.strip()}" for path, line in lines if WORDS.search(line)] == []


def test_the_terms_of_the_field_stand_on_the_pages() -> None:
    shown = " ".join(
        path.read_text(encoding="utf-8") for path in ROOT.glob("toolkit/**/*") if path.suffix in (".py", ".j2")
    )
    for term in ("sensitivity analysis", "value of information", "switching value", "net present social value"):
        assert term in shown.lower(), term
