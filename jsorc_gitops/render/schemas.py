"""Checks values against JSON schemas, and says in plain words what is wrong; no other module knows jsonschema_rs.

Schemas are JSON Schema 2020-12 with what Kubernetes adds to it: the word `x-kubernetes-list-map-keys`, and the
format `byte`.
"""

import binascii
import json
from base64 import b64decode
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jsonschema_rs

from jsorc_gitops.model.fields import Path, find_near
from jsorc_gitops.render.findings import Rule

Schema = dict[str, Any]

LIST_KEYS = "x-kubernetes-list-map-keys"
# The grammar of resource.Quantity, whose parser takes less than the pattern its own errors name.
QUANTITY = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?$"

# The only key of Kubernetes' own lists that has a default; those of custom resources say theirs.
_DEFAULT_KEYS = {"protocol": "TCP"}

_NAMES = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "an integer",
    "null": "null",
    "number": "a number",
    "object": "a mapping",
    "string": "a text",
}
_LONGEST_VALUE = 60
_MOST = 100  # mistakes that are told of one list


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """One place where a value is not as its schema says."""

    rule: Rule
    path: Path
    message: str


class SchemaError(Exception):
    """A schema that cannot be compiled; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checker:
    """A compiled schema. With `secret`, no value is ever part of a message."""

    schema: Schema = field(repr=False)
    secret: bool = False
    _validator: Any = field(repr=False)

    def check_value(self, value: Any) -> list[Mistake]:
        """The mistakes of a value, in no certain order, of a list the first; a right one costs microseconds."""
        if self._validator.is_valid(value):
            return []
        errors = self._validator.iter_errors(value)
        return list(_cap(mistake for error in errors for mistake in self._explain(error)))

    def _explain(self, error: jsonschema_rs.ValidationError) -> Iterator[Mistake]:
        path, kind = tuple(error.instance_path), error.kind
        match kind.name:
            case "additionalProperties":
                known = self._find_parent(error).get("properties", ())
                for name in kind.value:
                    yield Mistake(rule=Rule.UNKNOWN_FIELD, path=(*path, name), message=_unknown(name, known))
            case "required":
                yield Mistake(rule=Rule.MISSING_FIELD, path=(*path, kind.value), message="is missing")
            case "uniqueItems":
                yield from _explain_set(path, error.instance)
            case _ if isinstance(error.__cause__, _RepeatedError):
                cause = error.__cause__
                yield Mistake(rule=Rule.REPEATED_ITEM, path=(*path, cause.index), message=str(cause))
            case _:
                yield Mistake(rule=Rule.WRONG_VALUE, path=path, message=self._describe(error))

    def _describe(self, error: jsonschema_rs.ValidationError) -> str:
        value = "the value" if self.secret else _spell(error.instance)
        match error.kind.name, error.kind.value:
            case "type", _ if error.instance is None:
                message = "is null; it needs a value"
            case "type", types:
                message = f"{value} is not {_spell_types(types)}"
                if {*types} <= {"null", "string"} and not isinstance(error.instance, list | dict):
                    message += "; put it in quotes"  # YAML took it for a number or a boolean, as in `value: yes`
            case "minimum", limit:
                message = f"{value} is below {limit}"
            case "maximum", limit:
                message = f"{value} is above {limit}"
            case "format", "byte":
                message = "is not base64"
            case "format", name:
                message = f"{value} is no {name}"
            case "pattern", pattern if pattern == QUANTITY:
                message = f"{value} is no quantity; write it as 500m, 0.5 or 1Gi"
            case "anyOf" | "oneOf" | "not", _:
                message = "is none of the alternatives that its definition gives, or more than one"
            case _:
                message = error.message
        return message

    def _find_parent(self, error: jsonschema_rs.ValidationError) -> Schema:
        """The schema that a failed keyword stands in."""
        found: Any = self.schema
        for step in error.schema_path[:-1]:
            found = found[step]
        return found  # type: ignore[no-any-return]


def compile_schema(schema: Schema, *, secret: bool = False) -> Checker:
    """Raises SchemaError where it is none, or has a pattern that RE2 would not take either."""
    try:
        validator = jsonschema_rs.Draft202012Validator(
            schema,
            formats={"byte": _is_base64},
            validate_formats=True,
            keywords={LIST_KEYS: _ListKeys},
            # Patterns may come from anywhere (CRDs); this engine takes linear time for each.
            pattern_options=jsonschema_rs.RegexOptions(),
            mask="the value" if secret else None,
            offline=True,
        )
    except ValueError as error:
        raise SchemaError(getattr(error, "message", str(error))) from error
    return Checker(schema=schema, secret=secret, _validator=validator)


class _RepeatedError(ValueError):
    """An item of a list has the keys of an earlier one."""

    def __init__(self, message: str, index: int) -> None:
        super().__init__(message)
        self.index = index


class _ListKeys:
    """The keyword x-kubernetes-list-map-keys: no two items of a list have the same keys."""

    def __init__(self, parent: Mapping[str, Any], keys: Sequence[str], _: object) -> None:
        properties = parent.get("items", {}).get("properties", {})
        self._keys = [(key, properties.get(key, {}).get("default", _DEFAULT_KEYS.get(key))) for key in keys]

    def validate(self, items: Any) -> None:
        for error in self.iter_errors(items):
            raise error

    def iter_errors(self, items: Any) -> Iterator[_RepeatedError]:
        seen: dict[tuple[Any, ...], int] = {}
        for index, item in enumerate(items if isinstance(items, list) else ()):
            if not isinstance(item, dict):
                continue
            values = []
            for key, default in self._keys:
                value = item.get(key)
                values.append(default if value is None else value)
            try:
                first = seen.setdefault(tuple(values), index)
            except TypeError:
                continue  # a list or a mapping in the place of a key is told by its type
            if first != index:
                same = ", ".join(f"{key} {value}" for (key, _), value in zip(self._keys, values, strict=True))
                yield _RepeatedError(f"has the {same} of [{first}]", index)


def _explain_set(path: Path, items: Any) -> Iterator[Mistake]:
    seen = set()
    for index, item in enumerate(items):
        # To Python, but not to JSON, true is 1; lists and mappings have no place in a set.
        text = json.dumps(item, sort_keys=True) if isinstance(item, list | dict) else None
        key = isinstance(item, bool), text, item if text is None else None
        if key in seen:
            yield Mistake(
                rule=Rule.REPEATED_ITEM, path=(*path, index), message=f"{_spell(item)} is in this list twice"
            )
        seen.add(key)


def _cap(mistakes: Iterable[Mistake]) -> Iterator[Mistake]:
    """The first mistakes within each list, and the number of the others."""
    counts: Counter[Path | None] = Counter()
    for each in mistakes:
        place = _find_list(each.path)
        counts[place] += 1
        if place is None or counts[place] <= _MOST:
            yield each
    for place, count in counts.items():
        if place is not None and count > _MOST:
            yield Mistake(rule=Rule.WRONG_VALUE, path=place, message=f"has {count - _MOST:,} more mistakes")


def _find_list(path: Path) -> Path | None:
    """The innermost list that a path leads through."""
    indices = [place for place, step in enumerate(path) if isinstance(step, int)]
    return path[: indices[-1]] if indices else None


def _unknown(name: str, known: Sequence[str]) -> str:
    near = find_near(name, known)
    return f"unknown field; did you mean {near}?" if near else "unknown field"


def _spell_types(types: Sequence[str]) -> str:
    # Null counts as absent, so nobody is told to write it; where it alone is taken, no error names it.
    return " or ".join(_NAMES[each] for each in sorted(types) if each != "null")


def _spell(value: Any) -> str:
    """A value as a person wrote it, shortened."""
    match value:
        case None | bool():
            return {None: "null", True: "true", False: "false"}[value]
        case list():
            return "a list"
        case dict():
            return "a mapping"
    text = repr(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"


def _is_base64(text: str) -> bool:
    """Whether Go's encoding/json takes it for bytes: it passes over line breaks, and over nothing else."""
    try:
        b64decode(text.replace("\r", "").replace("\n", ""), validate=True)
    except (binascii.Error, ValueError):
        return False
    return True
