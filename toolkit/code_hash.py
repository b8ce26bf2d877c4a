"""A hash of what code does: docstrings, comments and layout may change without calling any result outdated."""

import ast
import hashlib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

__all__ = ["PACKAGE", "code_hash", "package_hash", "parsed_code"]

PACKAGE = Path(__file__).resolve().parent


def code_hash(modules: Iterable[str]) -> str:
    """Return a hash of the parsed code of some modules, without docstrings and comments.

    Parameters
    ----------
    modules
        Paths inside the package without the ending, such as ``"models/fit"``.

    Raises
    ------
    FileNotFoundError
        A module that is not in the package.
    """
    parts = (f"{name}\n{parsed_code(PACKAGE / f'{name}.py')}" for name in sorted(set(modules)))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def package_hash() -> str:
    """Return :func:`code_hash` of the whole package."""
    return code_hash(path.relative_to(PACKAGE).with_suffix("").as_posix() for path in PACKAGE.rglob("*.py"))


@cache
def parsed_code(path: Path) -> str:
    """Return a file's syntax tree as text, without docstrings and comments; the same in every version of Python."""
    return "".join(_written(ast.parse(path.read_bytes(), str(path))))


def _written(node: object) -> Iterator[str]:
    """Write a node with the fields that it fills; which of the empty ones exist differs between versions."""
    if isinstance(node, ast.AST):
        yield f"({type(node).__name__}"
        for name, value in ast.iter_fields(node):
            content = _without_docstring(value) if name == "body" and isinstance(value, list) else value
            if content not in (None, []):
                yield f" {name}="
                yield from _written(content)
        yield ")"
    elif isinstance(node, list):
        for item in node:
            yield from _written(item)
    else:
        yield repr(node)


def _without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    """Leave out statements that are only a text: docstrings, of attributes too."""
    return [line for line in body if not (isinstance(line, ast.Expr) and _is_text(line.value))]


def _is_text(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and isinstance(value.value, str)


def __dir__() -> list[str]:
    return __all__
