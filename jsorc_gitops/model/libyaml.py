"""Reading all there is of YAML; the only module that knows PyYAML, and imported where model/blocks gives up.

It takes PyYAML's events (libyaml's where it is there; PyYAML's own are the same, much slower) and makes
of them what kubectl makes. Nothing recurses in C, so no nesting ends the process; what is too deep, or grows too
large through aliases, is refused while it is read.
"""

import re
from collections.abc import Iterator
from functools import lru_cache, partial
from typing import Any, Literal, NamedTuple, NoReturn

import yaml
from yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from jsorc_gitops.errors import DefinitionError
from jsorc_gitops.model.document import MAX_LENGTH, Document, Part
from jsorc_gitops.model.emitter import MAX_DEPTH
from jsorc_gitops.model.scalars import resolve_plain

_Event = Any  # PyYAML's types do not say which event has which attributes

_REMEMBERED = 64  # characters; longer words seldom come twice

_STANDARD = "tag:yaml.org,2002:"
_TEXT = f"{_STANDARD}str"
_KINDS = {"str": str, "int": int, "float": float, "bool": bool, "null": type(None), "map": dict, "seq": list}
_TAGS = {f"{_STANDARD}{name}": kind for name, kind in _KINDS.items()}

_PARTS: dict[type, Literal["scalar", "mapping", "list", "end"]] = {
    ScalarEvent: "scalar",
    AliasEvent: "scalar",
    MappingStartEvent: "mapping",
    MappingEndEvent: "end",
    SequenceStartEvent: "list",
    SequenceEndEvent: "end",
}

_NO_CHARACTER = "an escape stands for no character"

# What ends a line; what only some readers take for a line's end or leave out; what no reader takes.
_NEWLINE = re.compile(r"\r\n?|\n")
_DISPUTED = re.compile("[\x85\u2028\u2029\ufeff]")
_HALVES = re.compile("[\ud800-\udfff]")
_UNREADABLE = r"[^\t\n\r -~\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"  # not compiled: it takes 5 ms


class _PythonLoader(yaml.SafeLoader):
    """PyYAML's own parser, which lets escapes pass that stand for no character."""

    def get_event(self) -> Any:
        try:
            event: _Event = super().get_event()  # type: ignore[no-untyped-call]
        except (ValueError, OverflowError) as error:
            raise yaml.MarkedYAMLError(problem=_NO_CHARACTER, problem_mark=self.get_mark()) from error
        if type(event) is ScalarEvent and _HALVES.search(event.value):
            raise yaml.MarkedYAMLError(problem=_NO_CHARACTER, problem_mark=self.get_mark())
        return event


_Loader: Any = getattr(yaml, "CSafeLoader", _PythonLoader)


def parse_documents(text: str, *, source: str) -> list[Document]:
    """Read all documents of `text` as kubectl reads them; empty ones are left out. Raises DefinitionError."""
    _check_text(text, source)
    try:
        return list(_Reader(text, source).read())
    except yaml.MarkedYAMLError as error:
        raise DefinitionError(f"{source}{_explain(text, error)}") from error
    except (yaml.YAMLError, UnicodeEncodeError) as error:
        match = re.search(_UNREADABLE, text)
        problem = (
            f":{_name_character(text, match)} has no place in YAML" if match else f": not valid YAML: {error}"
        )
        raise DefinitionError(f"{source}{problem}") from error


# A tree says the same few words again and again.
_resolve_word = lru_cache(maxsize=4096)(resolve_plain)


class _Anchor(NamedTuple):
    value: Any
    size: int  # in characters, with its own aliases written out
    height: int  # collections within one another; 0 for a scalar


class _Reader:
    """One text, read from its first event to its last."""

    def __init__(self, text: str, source: str) -> None:
        self._loader = _Loader(text)
        self._next = self._loader.get_event
        self._text = text
        self._source = source
        self._anchors: dict[str, _Anchor | None] = {}  # None while its value is being read
        self._repeated = 0  # characters that aliases stand for
        self._deepest = 0  # of the collections since the last anchor began

    def read(self) -> Iterator[Document]:
        self._next()
        place = 0
        while type(self._next()) is not StreamEndEvent:
            event = self._next()
            self._anchors.clear()
            value = self._build(event, 1)
            self._next()
            if value is not None:
                yield Document(value, event.start_mark.line + 1, partial(list_parts, self._text, place))
            place += 1

    def _build(self, event: _Event, depth: int) -> Any:
        """The value that begins with `event`; a collection there would be the `depth`th within one another."""
        if type(event) is ScalarEvent and event.tag is None and event.anchor is None:
            return event.value if event.style else self._resolve(event)
        if type(event) is AliasEvent:
            return self._repeat(event, depth)
        if event.anchor is None:
            return self._build_node(event, depth)
        self._anchors[event.anchor] = None
        outside, self._deepest = self._deepest, depth - 1
        begin = event.start_mark.index + self._repeated
        value = self._build_node(event, depth)
        size = self._loader.peek_event().start_mark.index + self._repeated - begin
        self._anchors[event.anchor] = _Anchor(value, size, self._deepest - depth + 1)
        self._deepest = max(self._deepest, outside)
        return value

    def _build_node(self, event: _Event, depth: int) -> Any:
        if type(event) is ScalarEvent:
            is_text = event.tag == _TEXT if event.tag else event.style
            value = event.value if is_text else self._resolve(event)
        else:
            self._descend(event, depth)
            value = self._build_mapping(depth) if type(event) is MappingStartEvent else self._build_list(depth)
        if event.tag is None:
            return value
        kind = _TAGS.get(event.tag)
        if kind is float and type(value) is int:
            return float(value)
        if type(value) is not kind:
            spelled = event.tag.replace(_STANDARD, "!!")
            self._fail(event, f"the tag {spelled} does not fit here; leave it out")
        return value

    def _build_mapping(self, depth: int) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        merged: set[str] = set()  # what << brought in, and no key of the mapping's own has replaced
        while type(event := self._next()) is not MappingEndEvent:
            key = self._build(event, depth + 1)
            if type(key) is not str:
                spelled = event.value if type(event) is ScalarEvent else key
                self._fail(event, f"the key {spelled!r} is not a text to kubectl; put it in quotes")
            if key == "<<" and type(event) is ScalarEvent and event.implicit[0]:
                merged |= self._merge(event, mapping, merged, depth + 1)
                continue
            if key in mapping:
                if key not in merged:
                    self._fail(event, f"the key {key!r} is there twice")
                merged.discard(key)
            event = self._next()
            # Most values of most texts: asking here saves a call.
            if type(event) is ScalarEvent and event.tag is None and event.anchor is None:
                mapping[key] = event.value if event.style else self._resolve(event)
            else:
                mapping[key] = self._build(event, depth + 1)
        return mapping

    def _build_list(self, depth: int) -> list[Any]:
        items = []
        while type(event := self._next()) is not SequenceEndEvent:
            items.append(self._build(event, depth + 1))
        return items

    def _merge(self, event: _Event, mapping: dict[str, Any], merged: set[str], depth: int) -> set[str]:
        """Put what stands below a `<<` into the mapping around it; the keys that came that way."""
        start = self._next()
        value = self._build(start, depth)
        brought: set[str] = set()
        for source in reversed(value) if type(start) is SequenceStartEvent else [value]:
            if type(source) is not dict:
                self._fail(start, "<< takes a mapping, or a list of them")
            # Here readers differ: to Go what stands later counts, to others the mapping's own.
            if own := (source.keys() & mapping.keys()) - merged - brought:
                self._fail(event, f"<< brings in {min(own)!r}, which stands above it; put << first")
            mapping.update(source)
            brought |= source.keys()
        return brought

    def _repeat(self, event: _Event, depth: int) -> Any:
        """The value that an alias stands for."""
        name = event.anchor
        anchor = self._anchors.get(name)
        if anchor is None:
            problem = "names itself" if name in self._anchors else "names no anchor above it"
            self._fail(event, f"the alias *{name} {problem}")
        self._descend(event, depth - 1 + anchor.height)
        self._repeated += anchor.size
        if len(self._text) + self._repeated > MAX_LENGTH:
            self._fail(event, f"with its aliases written out it is longer than {MAX_LENGTH >> 20} Mi characters")
        return anchor.value

    def _descend(self, event: _Event, depth: int) -> None:
        if depth > MAX_DEPTH:
            self._fail(event, f"more than {MAX_DEPTH} lists and mappings within one another")
        self._deepest = max(self._deepest, depth)

    def _resolve(self, event: _Event) -> Any:
        text = event.value
        try:
            return _resolve_word(text) if len(text) <= _REMEMBERED else resolve_plain(text)
        except ValueError as error:
            self._fail(event, str(error))

    def _fail(self, event: _Event, problem: str) -> NoReturn:
        raise DefinitionError(f"{self._source}:{event.start_mark.line + 1}: not valid YAML: {problem}")


def _check_text(text: str, source: str) -> None:
    """Refuse what PyYAML would take, and kubectl or another reader would not, or otherwise."""
    if len(text) > MAX_LENGTH:
        raise DefinitionError(f"{source}: longer than {MAX_LENGTH >> 20} Mi characters; split it")
    if text.startswith("\ufeff"):
        raise DefinitionError(f"{source}:1: begins with a byte order mark; save it as UTF-8 without one")
    if text.startswith("%") or "\n%" in text:
        line = _count_lines(text, f"\n{text}".index("\n%"))
        raise DefinitionError(f"{source}:{line}: kubectl takes no directives (%YAML, %TAG); remove this")
    if not text.isascii() and (match := _DISPUTED.search(text)):
        problem = "is not the same to all readers; write it as an escape in double quotes"
        raise DefinitionError(f"{source}:{_name_character(text, match)} {problem}")


def _explain(text: str, error: yaml.MarkedYAMLError) -> str:
    """The line, where it is known, and what PyYAML says of it."""
    mark = error.problem_mark or error.context_mark
    problem = ", ".join(part for part in (error.context, error.problem) if part)
    if mark and text[mark.index : mark.index + 1] == "\t":
        problem = "a tab cannot indent; use blanks"
    return f"{f':{mark.line + 1}' if mark else ''}: not valid YAML: {problem}"


def _name_character(text: str, match: re.Match[str]) -> str:
    """The line of a character that cannot be printed, and how YAML spells it."""
    return f"{_count_lines(text, match.start())}: the character \\u{ord(match[0]):04x}"


def _count_lines(text: str, end: int) -> int:
    return len(_NEWLINE.findall(text, 0, end)) + 1


def list_parts(text: str, place: int) -> Iterator[Part]:
    """The parts of one document of `text`."""
    loader = _Loader(text)
    while place >= 0:
        place -= type(loader.get_event()) is DocumentStartEvent
    while type(event := loader.get_event()) is not DocumentEndEvent:
        yield Part(_PARTS[type(event)], event.start_mark.line + 1, getattr(event, "value", ""))
