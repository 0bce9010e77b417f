"""Quick reading of the YAML that nearly all manifests are written in; anything else is left to libyaml.

PyYAML makes a Python object of each event, and that is most of what reading costs. A manifest is mappings and
lists of one line an entry, with words, quoted texts and `|` blocks: a regular expression takes each line apart,
once for all the places where it stands, and indentation says the rest. A text with anything else in it (an
anchor, a tag, an escape, a folded text, a character beyond ASCII, a mistake) is not read here at all.
"""

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import chain, repeat
from sys import intern
from typing import Any, Literal, NamedTuple

from jsorc_gitops.model.scalars import WORDS, resolve_plain

_SEPARATOR = "\n---\n"
# Comments and empty lines, which may stand between any lines but those of a block. Blanks alone could be either.
_PAUSES = re.compile(r"(?:(?: *#.*)?\n)*+")
_KEY = r"[A-Za-z_/][A-Za-z0-9_./-]*+"
_PLAIN = r"(?:-++(?=[A-Za-z0-9_./]))?[A-Za-z0-9_./$(<](?:[!-9;-~]++|:(?! |\Z)| ++(?!#|\Z))*+"
_VALUE = rf"{_PLAIN}|\"[^\"\\]*+\"|'[^']*+'|[\[{{][^#]*[\]}}]"
_LINE = re.compile(rf"( {{0,60}})(- )?(?:({_KEY}):(?: +|\Z))?(?:({_VALUE}) *|(\|-?))?(?:(?<= )#.*)?\Z")
# Within brackets a word ends at less than elsewhere, so fewer characters are taken for a part of one.
_FLOW_WORD = r"(?:-++(?=[A-Za-z0-9_./]))?[A-Za-z0-9_./$(<][!$%&(-+./0-9;<=>@-Z^_a-z~|-]*+"
_FLOW = re.compile(rf"( *)(?:([\[\]{{}},])|({_FLOW_WORD}|\"[^\"\\]*+\"|'[^']*+')(: )?)")
_DEEPEST_FLOW = 8  # of 100 levels that may be within one another; 60 columns have 61 at most


_Kind = Literal["value", "block", "below", "pause"]


class _Line(NamedTuple):
    """A line: where it begins, whether it is an item of a list, its key, and what its value is.

    A `block` has its chomping as value; the value of `below` stands in the lines that follow, if at all.
    """

    column: int
    item: bool
    key: str
    kind: _Kind
    value: Any


_PAUSE = _Line(-1, False, "", "pause", None)
_END = _Line(-1, False, "", "below", None)
_Mark = tuple[str, str, str, str]  # blanks, bracket or comma, word, colon


class Block(NamedTuple):
    """One document: its value, the line that it begins in (from 1), and its place in the stream (from 0)."""

    value: Any
    line: int
    place: int


class _UnusualError(Exception):
    """Only libyaml can read this, or say what is wrong with it."""


def read_blocks(text: str) -> list[Block] | None:
    """All documents of a text that are not empty, or None where something in it is unusual."""
    if not (text.isascii() and text.replace("\n", "").isprintable() and text.endswith("\n")):
        return None
    try:
        return list(_read_stream(f"\n{text}"))
    except _UnusualError:
        return None


def _read_stream(text: str) -> Iterator[Block]:
    """The documents of a text with one line break too many before it."""
    place, line, counted, end = 0, 1, 1, 0
    while end >= 0:
        begin, end = end, text.find(_SEPARATOR, end)
        first, last = _skip_pauses(text, begin + 1), end if end >= 0 else len(text) - 1
        if first < last:
            line, counted = line + text.count("\n", counted, first), first
            yield Block(_read_document(iter(text[first:last].split("\n"))), line, place)
        # Comments above the first separator are no document, nothing between two of them is one.
        place += first < last or begin > 0
        end += len(_SEPARATOR) - 1 if end >= 0 else 0


def _skip_pauses(text: str, begin: int) -> int:
    match = _PAUSES.match(text, begin)
    return match.end() if match else begin


def _read_document(lines: Iterator[str]) -> Any:
    first = _advance(lines)
    value, rest = _read_node(lines, first, first.column)
    if rest is not _END:
        raise _UnusualError
    return value


def _advance(lines: Iterator[str]) -> _Line:
    for text in lines:
        line = _read_line(text)
        if line is not _PAUSE:
            return line
    return _END


# The same lines stand in a tree again and again. Flows are shared then, as what an alias stands for is.
@lru_cache(maxsize=4096)
def _read_line(text: str) -> _Line:
    if not text or text.lstrip(" ").startswith("#"):
        return _PAUSE
    match = _LINE.match(text)
    if match is None:
        raise _UnusualError
    indent, dash, key, value, block = match.groups()
    if key in WORDS:
        raise _UnusualError
    kind: _Kind = "value" if value else "block" if block else "below"
    return _Line(len(indent), bool(dash), intern(key or ""), kind, _read_value(value) if value else block)


def _read_node(lines: Iterator[str], line: _Line, column: int) -> tuple[Any, _Line]:
    """The list or mapping that begins with `line`, and the line behind it."""
    return (_read_list if line.item else _read_mapping)(lines, line, column)


def _read_mapping(lines: Iterator[str], line: _Line, column: int) -> tuple[dict[str, Any], _Line]:
    mapping: dict[str, Any] = {}
    while True:
        _, _, key, kind, value = line
        if not key or key in mapping:
            raise _UnusualError
        if kind == "value":
            mapping[key] = value
            line = _advance(lines)
        elif kind == "block":
            mapping[key], line = _read_block(lines, value, column)
        else:
            line = _advance(lines)
            is_below = line.column > column or (line.column == column and line.item)
            mapping[key], line = _read_node(lines, line, line.column) if is_below else (None, line)
        if line.column != column or line.item:
            if line.column > column:
                raise _UnusualError
            return mapping, line


def _read_list(lines: Iterator[str], line: _Line, column: int) -> tuple[list[Any], _Line]:
    items: list[Any] = []
    item: Any
    while True:
        if line.key:
            # The keys of an item's mapping stand two columns behind its dash.
            item, line = _read_mapping(lines, line, column + 2)
        elif line.kind == "value":
            item, line = line.value, _advance(lines)
        elif line.kind == "block":
            item, line = _read_block(lines, line.value, column)
        else:
            raise _UnusualError
        items.append(item)
        if line.column != column or not line.item:
            if line.column > column:
                raise _UnusualError
            return items, line


def _read_block(lines: Iterator[str], style: str, column: int) -> tuple[str, _Line]:
    """The text of a `|` block below a key in this column, and the line behind it."""
    block: list[str] = []
    width, indent, line = 0, "", _END
    for text in lines:
        if not width and text:
            width = len(text) - len(text.lstrip(" "))
            indent = " " * width
            if width <= column or width == len(text):
                raise _UnusualError
        if text.startswith(indent) or not text:
            block.append(text[width:])
            continue
        # Blanks alone may be a part of the block or none, and a line that is too far left for it ends it.
        line = _read_line(text)
        line = _advance(lines) if line is _PAUSE else line
        if line.column > column:
            raise _UnusualError
        break
    if not width:
        raise _UnusualError
    read = "\n".join(block).rstrip("\n")
    return read if style == "|-" else f"{read}\n", line


def _read_value(value: str) -> Any:
    if value[0] in "{[":
        return _read_flow(value)
    if value[0] in "\"'":
        return value[1:-1]
    try:
        return resolve_plain(value)
    except ValueError as error:
        raise _UnusualError from error


def _read_flow(text: str) -> Any:
    marks: list[_Mark] = _FLOW.findall(text)
    if "".join(chain.from_iterable(marks)) != text:
        raise _UnusualError
    advance = chain(marks, repeat(("", "", "", ""))).__next__
    value = _read_part(advance, advance(), 1)
    if any(advance()):
        raise _UnusualError
    return value


def _read_part(advance: Callable[[], _Mark], mark: _Mark, depth: int) -> Any:
    """The word, list or mapping that begins with `mark`."""
    _, bracket, word, colon = mark
    if colon or depth > _DEEPEST_FLOW:
        raise _UnusualError
    if word:
        return _read_value(word)
    if bracket == "[":
        items: list[Any] = []
        _read_parts(advance, "]", lambda first: items.append(_read_part(advance, first, depth + 1)))
        return items
    if bracket != "{":
        raise _UnusualError
    mapping: dict[str, Any] = {}

    def read_pair(first: _Mark) -> None:
        key = _read_value(first[2]) if first[2] and first[3] else None
        if not isinstance(key, str) or key in mapping or key == "<<":
            raise _UnusualError
        mapping[key] = _read_part(advance, advance(), depth + 1)

    _read_parts(advance, "}", read_pair)
    return mapping


def _read_parts(advance: Callable[[], _Mark], closing: str, read: Callable[[_Mark], None]) -> None:
    """What stands between two brackets, with a comma between each two of them."""
    mark = advance()
    while mark[1] != closing:
        read(mark)
        comma = advance()[1]
        if comma == closing:
            return
        mark = advance()
        if comma != "," or mark[1] == closing:
            raise _UnusualError
