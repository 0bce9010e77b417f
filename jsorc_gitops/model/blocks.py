"""Quick reading of the YAML that nearly all manifests are written in; anything else is left to libyaml.

PyYAML makes a Python object of each event, and that is most of what reading costs. A manifest is mappings and
lists of one line an entry, with words, quoted texts and `|` blocks: one regular expression finds its lines, and
indentation says the rest. A text with anything else in it (an anchor, a tag, an escape, a folded text, a
character beyond ASCII, a mistake) is not read here at all.
"""

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import chain, repeat
from sys import intern
from typing import Any, NamedTuple

from jsorc_gitops.model.scalars import WORDS, resolve_plain

_SEPARATOR = "\n---\n"
# Comments and empty lines, which may stand between any lines but those of a block. Blanks alone could be either.
_PAUSE = re.compile(r"(?:(?: *#.*)?\n)*+")
_KEY = r"[A-Za-z_/][A-Za-z0-9_./-]*+"
_PLAIN = r"(?:-++(?=[A-Za-z0-9_./]))?[A-Za-z0-9_./$(<](?:[!-9;-~]++|:(?! |\n)| ++(?!#|\n))*+"
_VALUE = rf"{_PLAIN}|\"[^\"\\\n]*+\"|'[^'\n]*+'|[\[{{][^#\n]*[\]}}]"
# A block's lines stand deeper than its key, which in an item stands two columns behind the dash.
_BLOCK = r"\|(-?)\n((?:(?(3)(?(2)\1  |\1)|\1) .*\n|\n)+)"
_LINES = re.compile(
    rf"( {{0,60}})(- )?(?:({_KEY}):(?: +|(?=\n)))?(?:(?:({_VALUE}) *)?(?:(?<= )#.*)?\n|{_BLOCK}){_PAUSE.pattern}"
    r"|(.+)\n"
)
# Within brackets a word ends at less than elsewhere, so fewer characters are taken for a part of one.
_FLOW_WORD = r"(?:-++(?=[A-Za-z0-9_./]))?[A-Za-z0-9_./$(<][!$%&(-+./0-9;<=>@-Z^_a-z~|-]*+"
_FLOW = re.compile(rf"( *)(?:([\[\]{{}},])|({_FLOW_WORD}|\"[^\"\\]*+\"|'[^']*+')(: )?)")
_DEEPEST_FLOW = 8  # of 100 levels that may be within one another; 60 columns have 61 at most

_Line = tuple[str, str, str, str, str, str, str]  # indentation, dash, key, value, chomping, block, anything else
_END: _Line = ("", "", "", "", "", "", "")
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
        first, last = _skip_pause(text, begin + 1), end + 1 or len(text)
        if first < last:
            line, counted = line + text.count("\n", counted, first), first
            yield Block(_read_document([*_LINES.findall(text, first, last), _END]), line, place)
        # Comments above the first separator are no document, nothing between two of them is one.
        place += first < last or begin > 0
        end += len(_SEPARATOR) - 1 if end >= 0 else 0


def _skip_pause(text: str, begin: int) -> int:
    match = _PAUSE.match(text, begin)
    return match.end() if match else begin


def _read_document(lines: list[_Line]) -> Any:
    advance = iter(lines).__next__
    first = advance()
    value, rest = _read_node(advance, first, len(first[0]))
    if rest is not _END:
        raise _UnusualError
    return value


def _read_node(advance: Callable[[], _Line], line: _Line, column: int) -> tuple[Any, _Line]:
    """The list or mapping that begins with `line`, and the line behind it."""
    return (_read_list if line[1] else _read_mapping)(advance, line, column)


def _read_mapping(advance: Callable[[], _Line], line: _Line, column: int) -> tuple[dict[str, Any], _Line]:
    mapping: dict[str, Any] = {}
    while True:
        _, _, key, value, chomping, block, _ = line
        if not key or key in mapping or key in WORDS:
            raise _UnusualError
        key = intern(key)  # it stands in object after object
        line = advance()
        below = len(line[0])
        if value:
            mapping[key] = _read_value(value)
        elif block:
            mapping[key] = _read_block(block, chomping, column)
        elif below > column or (below == column and line[1]):
            mapping[key], line = _read_node(advance, line, below)
            below = len(line[0])
        else:
            mapping[key] = None
        if below != column or line[1] or not line[2]:
            if below > column:
                raise _UnusualError
            return mapping, line


def _read_list(advance: Callable[[], _Line], line: _Line, column: int) -> tuple[list[Any], _Line]:
    items: list[Any] = []
    item: Any
    while True:
        if line[2]:
            item, line = _read_mapping(advance, line, column + 2)
        elif line[3]:
            item, line = _read_value(line[3]), advance()
        elif line[5]:
            item, line = _read_block(line[5], line[4], column), advance()
        else:
            raise _UnusualError
        items.append(item)
        below = len(line[0])
        if below != column or not line[1]:
            if below > column:
                raise _UnusualError
            return items, line


def _read_block(block: str, chomping: str, column: int) -> str:
    """The text of a `|` block below a key in this column."""
    lines = block.split("\n")
    first = next((line for line in lines if line), "")
    width = len(first) - len(first.lstrip(" "))
    indent = " " * width
    if width <= column or not all(line.startswith(indent) for line in lines if line) or not first.strip(" "):
        raise _UnusualError
    text = "\n".join([line[width:] for line in lines]).rstrip("\n")
    return text if chomping else f"{text}\n"


# A tree says the same few words again and again. Mappings and lists are shared then, as those of an alias are.
@lru_cache(maxsize=8192)
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
