"""Scenario files as text: YAML 1.2 of plain values; errors take one line.

PyYAML reads YAML 1.1, in which 010 is 8, 1:30 is 90, 2_5 is 25 and yes is true. Here a number is one of YAML 1.2,
true and false are the only booleans, and everything else is text.
"""

import re
from typing import Any

import yaml

from toolkit.schema import InputError
from toolkit.tabular import LONGEST_NUMBER, decoded, excerpt

__all__ = ["parsed", "written"]

LARGEST = 100_000  # bytes
MOST_BRACKETS = 500  # in a file: nesting costs the reader its square
_COMPARE = "Fix: compare it with a shipped scenario, such as data/scenarios/families_first.yaml."


class _Loader(yaml.SafeLoader):
    """YAML 1.2 values only; a key given twice, of which plain YAML silently keeps the last, is refused."""

    yaml_implicit_resolvers = {}  # noqa: RUF012 - none of YAML 1.1; PyYAML itself declares it so

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Build a mapping whose keys are all text and all different."""
        seen = set()
        for key, _ in node.value:
            name = str(self.construct_scalar(key)) if isinstance(key, yaml.ScalarNode) else ""
            if not name or name in seen:
                what = f"key '{excerpt(name)}' is given twice" if name else "a key is not a word"
                raise yaml.constructor.ConstructorError(None, None, what, key.start_mark)
            seen.add(name)
        return {str(key.value): self.construct_object(value, deep=True) for key, value in node.value}

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Refuse references, with which a small file can fill a machine, and tags, which name other kinds of value."""
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise yaml.composer.ComposerError(None, None, "references (&name, *name) are not read", event.start_mark)
        if getattr(event, "tag", None) is not None:
            raise yaml.composer.ComposerError(None, None, "tags (!name) are not read", event.start_mark)
        return super().compose_node(parent, index)

    def construct_scalar(self, node: yaml.ScalarNode | yaml.MappingNode) -> Any:
        """Refuse characters that no page can show, and overlong numbers."""
        value = super().construct_scalar(node)
        if unseen := next((sign for sign in value if not (sign.isprintable() or sign in "\n\t\xa0")), ""):
            what = f"the character U+{ord(unseen):04X} cannot be shown"
            raise yaml.constructor.ConstructorError(None, None, what, node.start_mark)
        if not node.tag.endswith(":str") and len(value) > LONGEST_NUMBER:
            what = f"a number of {len(value):,} characters"
            raise yaml.constructor.ConstructorError(None, None, what, node.start_mark)
        return value


class _Dumper(yaml.SafeDumper):
    """Puts in quotes whatever text YAML 1.1 or 1.2 would read as something else."""


def _whole(loader: _Loader, node: yaml.ScalarNode) -> int:
    text = loader.construct_scalar(node)
    base = {"0o": 8, "0x": 16}.get(text[:2], 10)
    return int(text if base == 10 else text[2:], base)


def _decimal(loader: _Loader, node: yaml.ScalarNode) -> float:
    text = loader.construct_scalar(node).lower()
    return float(text.replace(".inf", "inf").replace(".nan", "nan"))


# YAML 1.2, section 10.3.2, core schema: tag, form, first characters.
for _tag, _form, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        list("-+0123456789."),
    ),
):
    for _kind in (_Loader, _Dumper):
        _kind.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_form})$", re.ASCII), _first)
_Loader.add_constructor("tag:yaml.org,2002:int", _whole)
_Loader.add_constructor("tag:yaml.org,2002:float", _decimal)


def parsed(content: bytes, where: str) -> dict[str, Any]:
    """Return the keys of a scenario file as given; ``where`` is named in errors.

    Raises
    ------
    InputError
        It is too large or nested, no text, no YAML 1.2 of plain values, or no mapping.

    References
    ----------
    YAML 1.2.2, section 10.3 (core schema), https://yaml.org/spec/1.2.2
    """
    if len(content) > LARGEST:
        raise InputError(f"{where}: larger than {LARGEST // 1000} kB. {_COMPARE}")
    if sum(content.count(bracket) for bracket in (b"[", b"{")) > MOST_BRACKETS:
        raise InputError(f"{where}: more than {MOST_BRACKETS} lists and mappings. {_COMPARE}")
    text = decoded(content, where)
    try:
        mapping = yaml.load(text, Loader=_Loader)
    except (yaml.YAMLError, ValueError, RecursionError) as problem:
        mark = getattr(problem, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        why = excerpt(getattr(problem, "problem", None) or str(problem).partition("\n")[0], 100)
        raise InputError(f"{where}{line}: not readable as YAML ({why}). {_COMPARE}") from None
    if not isinstance(mapping, dict):
        raise InputError(f"{where}: a scenario is a mapping of keys to values. {_COMPARE}")
    return mapping


def written(content: dict[str, Any]) -> str:
    """Return a mapping as the YAML file from which `parsed` returns it."""
    return yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


def __dir__() -> list[str]:
    return __all__
