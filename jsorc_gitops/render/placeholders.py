"""`$j{Kind["name"].path}` becomes what that object says there: JsOrc's placeholders, after namespaces."""

import json
import re
from collections.abc import Container, Mapping, Sequence
from typing import Any

from jsorc_gitops.errors import DefinitionError
from jsorc_gitops.model.fields import Path, format_path
from jsorc_gitops.model.objects import Manifest, ObjectRef, parse_manifest
from jsorc_gitops.model.plain import check_plain
from jsorc_gitops.render.collect import Collector

OPENING = "$j{"

_QUOTED = r"""\[(?:"([^"]*)"|'([^']*)')\]"""
_STEP = re.compile(rf"""\.([^\s.\[\]{{}}"']+)|\[([0-9]{{1,9}})\]|{_QUOTED}""")
_PLACEHOLDER = re.compile(rf"""\$j\{{([A-Za-z][A-Za-z0-9]*){_QUOTED}((?:{_STEP.pattern})+)\}}""")
_BROKEN = re.compile(r"\$j\{[^}\n]{0,80}\}?")  # what is shown of one that cannot be read

_LONGEST_CHAIN = 10
# Placeholders that lead to placeholders could make a text of any size; no API server takes one of this.
_LARGEST = 4 * 2**20
_NODE_SIZE = 16

# What is being filled in, from the outermost: the service, the object, the path in it.
_Trail = tuple[tuple[str, ObjectRef, Path], ...]


def resolve_placeholders(
    services: Mapping[str, Sequence[Manifest]], *, clean: Container[str] = frozenset()
) -> dict[str, list[Manifest]]:
    """The objects of every service with their placeholders filled in; objects without any are the same ones.

    Objects are found by kind and name as written, in the service itself, then in the tree. `clean` has the
    `where` of objects known to hold no placeholder; the others are searched. Raises one DefinitionError with
    a line for each placeholder that cannot be filled in.
    """
    collector = Collector()
    index = _Index(services)
    resolved: dict[str, list[Manifest]] = {}
    for service, manifests in services.items():
        resolved[service] = []
        for each in manifests:
            found = each
            # The C code of repr looks into an object faster than any loop here could.
            if each.where not in clean and OPENING in repr(each.body):
                body = _Filler(index, service, each, collector).fill(each.body, (), ())
                with collector:
                    # What is filled in may lie deeper than anybody has written.
                    check_plain(body, where=each.where)
                    found = parse_manifest(body, where=each.where)
            resolved[service].append(found)
    collector.check()
    return resolved


class _Index:
    """All objects of the tree by kind and name, read when the first placeholder asks."""

    def __init__(self, services: Mapping[str, Sequence[Manifest]]) -> None:
        self._services = services
        self._found: dict[tuple[str, str], list[tuple[str, Manifest]]] = {}

    def find(self, kind: str, name: str, *, service: str) -> tuple[str, Manifest]:
        """The object that is meant, and its service. Raises DefinitionError where it is none or several."""
        if not self._found:
            for owner, manifests in self._services.items():
                for each in manifests:
                    self._found.setdefault((each.ref.kind, each.ref.name), []).append((owner, each))
        found = self._found.get((kind, name), [])
        found = [pair for pair in found if pair[0] == service] or found
        if len(found) == 1:
            return found[0]
        if not found:
            raise DefinitionError(f'no {kind} "{name}" in this service or another; write it as it is defined')
        places = ", ".join(f"{each.ref} of {owner}" for owner, each in found)
        raise DefinitionError(f"it could be any of {places}; write the value itself")


class _Filler:
    """Fills in one object; its mistakes go to the collector, each with the place of the placeholder."""

    def __init__(self, index: _Index, service: str, source: Manifest, collector: Collector) -> None:
        self._index = index
        self._service = service
        self._source = source
        self._collector = collector
        self._copied = 0

    def fill(self, value: Any, path: Path, trail: _Trail) -> Any:
        """`value` without placeholders; `path` is where in the object it goes to."""
        if trail:
            self._copied += _NODE_SIZE + (len(value) if isinstance(value, str) else 0)
            if self._copied > _LARGEST:
                raise DefinitionError(f"makes the object larger than {_LARGEST >> 20} MiB")
        if isinstance(value, str):
            return self._fill_text(value, path, trail, whole=True)
        if isinstance(value, Mapping):
            return self._fill_mapping(value, path, trail)
        if isinstance(value, list | tuple):
            return [self.fill(each, (*path, place), trail) for place, each in enumerate(value)]
        return value

    def _fill_mapping(self, mapping: Mapping[str, Any], path: Path, trail: _Trail) -> dict[str, Any]:
        filled: dict[str, Any] = {}
        for key, value in mapping.items():
            below = (*path, key)
            name = self._fill_text(key, below, trail, whole=False)
            if name in filled:
                self._tell(f"becomes the key {name!r}, which is there already", below, trail)
            filled[name] = self.fill(value, below, trail)
        return filled

    def _fill_text(self, text: str, path: Path, trail: _Trail, *, whole: bool) -> Any:
        """What the text says; a placeholder that is the `whole` text keeps the type of what it stands for."""
        if OPENING in text:
            try:
                return self._replace(text, trail, whole=whole)
            except DefinitionError as error:
                self._tell(str(error), path, trail)
        return text

    def _tell(self, complaint: str, path: Path, trail: _Trail) -> None:
        # What is wrong with a value that was led to is also the mistake of who leads there.
        if trail:
            raise DefinitionError(complaint)
        place = f"{self._source.where}: {self._source.ref}: {format_path(path)}"
        self._collector.add(f"{place}: {complaint}")

    def _replace(self, text: str, trail: _Trail, *, whole: bool) -> Any:
        parts: list[str] = []
        position = 0
        while (start := text.find(OPENING, position)) >= 0:
            match = _PLACEHOLDER.match(text, start)
            if not match:
                broken = _BROKEN.match(text, start)
                raise DefinitionError(
                    f"{broken[0] if broken else OPENING} is no placeholder; "
                    f'write $j{{Kind["name"].path.to.value}}'
                )
            try:
                value = self._look_up(match, trail)
                if whole and match[0] == text:
                    return value
                parts += [text[position:start], _spell(value)]
            except DefinitionError as error:
                raise DefinitionError(f"{match[0]}: {error}") from error
            position = match.end()
        return "".join((*parts, text[position:]))

    def _look_up(self, match: re.Match[str], trail: _Trail) -> Any:
        kind, double, single = match.group(1, 2, 3)
        service = trail[-1][0] if trail else self._service
        owner, target = self._index.find(kind, single if double is None else double, service=service)
        path = _parse_path(match[4])
        here = (owner, target.ref, path)
        if here in trail:
            raise DefinitionError("leads back to itself")
        if len(trail) == _LONGEST_CHAIN:
            raise DefinitionError(f"leads through more than {_LONGEST_CHAIN} placeholders")
        value: Any = target.body
        for length, step in enumerate(path, 1):
            if not _has(value, step):
                raise DefinitionError(f"{target.ref} has no {format_path(path[:length])}")
            value = value[step]
        return self.fill(value, path, (*trail, here))


def _parse_path(text: str) -> Path:
    """'.ports[0]["a.b"]' → ('ports', 0, 'a.b')."""
    path: list[str | int] = []
    for match in _STEP.finditer(text):
        name, index, double, single = match.groups()
        path.append(int(index) if index else next(each for each in (name, double, single) if each is not None))
    return tuple(path)


def _has(value: object, step: str | int) -> bool:
    if isinstance(step, str):
        return isinstance(value, Mapping) and step in value
    return isinstance(value, list) and step < len(value)


def _spell(value: Any) -> str:
    """A single value as a part of a text, numbers and booleans as YAML spells them."""
    if isinstance(value, str):
        return value
    if isinstance(value, int | float):
        return json.dumps(value)
    found = "null" if value is None else "a list" if isinstance(value, list) else "a mapping"
    raise DefinitionError(f"is {found}, which cannot be a part of a text")
