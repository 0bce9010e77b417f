"""YAML both ways; the only module that knows PyYAML.

What counts is what a Go reader (kubectl, Flux, the API server: YAML 1.1 booleans and floats) makes of a
file, so the emitter quotes more than PyYAML would by itself.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

import yaml

from jsorc_gitops.errors import DefinitionError

# libyaml's parser where it is there; PyYAML's own reads and writes the same, ten times slower.
_BaseLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_BaseDumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

# Words a YAML 1.1 reader takes for booleans, nulls or floats, whatever their case.
_RESERVED = frozenset(["y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf", "~", "=", "<<"])
# Anything that some reader could take for a number, a sexagesimal or a date (1e3, 0x1, 012, 1_000,
# 1:30, .5, 0o7, 2026-11-23): quoting a little more than needed costs nothing.
_NUMBER_LIKE = re.compile(r"[-+.]?[0-9.][0-9a-fA-FxXoO_:.,+\-eETtZz ]*\Z|[-+]?\.(inf|nan)\Z", re.IGNORECASE)

_LONG_LINE = 1 << 30  # never fold: a folded line is a diff nobody made


class _Loader(_BaseLoader):  # type: ignore[misc]
    """SafeLoader for what JSON can say: duplicate keys are refused, dates and 22:22 are texts, as to Go."""


class _Dumper(_BaseDumper):  # type: ignore[misc]
    """SafeDumper with the quoting above and `|` blocks for texts of several lines."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - anchors are for authors, not for readers
        return True


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML document: its value, and the line each mapping key and list item begins on (from 1)."""

    value: Any
    line: int
    lines: Mapping[tuple[str | int, ...], int] = field(repr=False)

    def line_of(self, *path: str | int) -> int:
        """The line of the deepest part of `path` that is there."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, self.line)


def parse_documents(text: str, *, source: str, locate: bool = False) -> list[Document]:
    """Read all documents of `text`; empty ones are left out.

    `locate` also records the line of every key, which settings and definitions need for their errors and
    manifests do not. Raises DefinitionError with source and line.
    """
    try:
        return list(_read_documents(text, locate=locate))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f":{mark.line + 1}" if mark else ""
        raise DefinitionError(f"{source}{line}: not valid YAML: {_problem(error)}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise DefinitionError(f"{source}: not valid YAML: {error}") from error


def format_documents(values: list[Any]) -> str:
    """Write documents as block YAML, keys sorted, `---` between them; the same values give the same bytes."""
    return "---\n".join(format_yaml(value) for value in values)


def format_yaml(value: Any) -> str:
    """Write one document."""
    return str(
        yaml.dump(
            value,
            Dumper=_Dumper,
            allow_unicode=True,
            default_flow_style=False,
            sort_keys=True,
            width=_LONG_LINE,
        )
    )


def _read_documents(text: str, *, locate: bool) -> Iterator[Document]:
    loader = _Loader(text)
    try:
        while loader.check_node():
            node = loader.get_node()
            value = loader.construct_document(node)
            if value is not None:
                yield Document(value, node.start_mark.line + 1, dict(_locate(node, ())) if locate else {})
    finally:
        loader.dispose()


def _problem(error: yaml.MarkedYAMLError) -> str:
    return ", ".join(part for part in (error.context, error.problem) if part)


def _locate(node: yaml.Node, path: tuple[str | int, ...]) -> list[tuple[tuple[str | int, ...], int]]:
    found: list[tuple[tuple[str | int, ...], int]] = []
    if isinstance(node, yaml.MappingNode):
        for key, child in node.value:
            below = (*path, str(key.value))
            found.append((below, key.start_mark.line + 1))
            found += _locate(child, below)
    elif isinstance(node, yaml.SequenceNode):
        for index, child in enumerate(node.value):
            found.append(((*path, index), child.start_mark.line + 1))
            found += _locate(child, (*path, index))
    return found


def _construct_mapping(loader: Any, node: yaml.MappingNode) -> dict[str, Any]:
    # A key may override one that is merged in by <<, which comes first, but no other of its own mapping.
    own = {key_node for key_node, _ in node.value}
    loader.flatten_mapping(node)
    mapping: dict[str, Any] = {}
    seen: set[str] = set()
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, str):
            raise yaml.constructor.ConstructorError(
                None, None, f"the key {key!r} is not a text; put it in quotes", key_node.start_mark
            )
        if key in seen:
            raise yaml.constructor.ConstructorError(
                None, None, f"the key {key!r} is there twice", key_node.start_mark
            )
        if key_node in own:
            seen.add(key)
        mapping[key] = loader.construct_object(value_node, deep=True)
    return mapping


def _construct_int(loader: Any, node: yaml.ScalarNode) -> int | str:
    return node.value if ":" in node.value else loader.construct_yaml_int(node)  # type: ignore[no-any-return]


def _construct_float(loader: Any, node: yaml.ScalarNode) -> float | str:
    if ":" in node.value:
        return node.value  # type: ignore[no-any-return]
    number: float = loader.construct_yaml_float(node)
    if not math.isfinite(number):
        raise yaml.constructor.ConstructorError(
            None, None, f"{node.value} is no number with digits", node.start_mark
        )
    return number


def _represent_text(dumper: Any, text: str) -> yaml.ScalarNode:
    style = None
    if "\n" in text:
        style = "|"
    elif text.lower() in _RESERVED or _NUMBER_LIKE.match(text):
        style = "'"
    node: yaml.ScalarNode = dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)
    return node


def _represent_other(_: Any, value: object) -> NoReturn:
    # Spelled out, a name that a template does not know raises its own error, which says more.
    raise TypeError(f"{value} is nothing that YAML can say")


_Loader.add_constructor("tag:yaml.org,2002:map", _construct_mapping)
_Loader.add_constructor("tag:yaml.org,2002:int", _construct_int)
_Loader.add_constructor("tag:yaml.org,2002:float", _construct_float)
_Loader.add_constructor("tag:yaml.org,2002:timestamp", _BaseLoader.construct_yaml_str)
for _tag in ("binary", "omap", "pairs", "set"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_tag}", _BaseLoader.construct_undefined)
_Dumper.add_representer(str, _represent_text)
_Dumper.add_representer(None, _represent_other)
