"""A hash of code moves with what the code does and with nothing else."""

from pathlib import Path

import pytest

from toolkit import code_hash

CODE = '''"""Double a number."""

FACTOR = 2


def double(x: float, *, twice: bool = False) -> float:
    """Return twice x."""
    return FACTOR * x  # the obvious
'''
SAME = {
    "docstring": ("Return twice x.", "Multiply by two."),
    "no docstring": ('    """Return twice x."""\n', ""),
    "comment": ("the obvious", "as asked"),
    "module docstring": ('"""Double a number."""\n', '"""Multiply."""\n'),
    "layout": ("FACTOR = 2\n\n\n", "FACTOR = (\n    2\n)\n"),
    "attribute docstring": ("FACTOR = 2\n", 'FACTOR = 2\n"""What to multiply by."""\n'),
}
OTHER = {
    "number": ("FACTOR = 2", "FACTOR = 3"),
    "type of a number": ("FACTOR = 2", "FACTOR = 2.0"),
    "operator": ("FACTOR * x", "FACTOR + x"),
    "default": ("twice: bool = False", "twice: bool = True"),
    "keyword only": ("*, twice", "twice"),
    "text that is used": ("return FACTOR * x", 'return "FACTOR * x"'),
}


def parsed(folder: Path, name: str, text: str) -> str:
    path = folder / f"{name}.py"
    path.write_text(text, encoding="utf-8")
    return code_hash.parsed_code(path)


@pytest.mark.parametrize("change", SAME)
def test_words_comments_and_layout_leave_it(change: str, tmp_path: Path) -> None:
    text = CODE.replace(*SAME[change])
    assert text != CODE
    assert parsed(tmp_path, "before", CODE) == parsed(tmp_path, "after", text)


@pytest.mark.parametrize("change", OTHER)
def test_what_the_code_does_moves_it(change: str, tmp_path: Path) -> None:
    text = CODE.replace(*OTHER[change])
    assert text != CODE
    assert parsed(tmp_path, "before", CODE) != parsed(tmp_path, "after", text)


def test_it_is_the_same_in_every_version_of_python(tmp_path: Path) -> None:
    # Worked by hand from the language's abstract grammar; a field that is empty or missing is not written.
    name = "(Name id='x' ctx=(Load))"
    expected = f"(Module body=(FunctionDef name='f' args=(arguments args=(arg arg='x')) body=(Return value={name})))"
    assert parsed(tmp_path, "f", "def f(x):\n    return x\n") == expected


def test_the_order_of_modules_does_not_matter_and_their_names_do() -> None:
    assert code_hash.code_hash(["schema", "prices"]) == code_hash.code_hash(["prices", "schema"])
    assert code_hash.code_hash(["schema"]) != code_hash.code_hash(["prices"])
    with pytest.raises(FileNotFoundError):
        code_hash.code_hash(["no_such_module"])
