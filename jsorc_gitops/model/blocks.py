"""Quick reading of the YAML that nearly all manifests are written in; anything else is left to libyaml.

PyYAML makes a Python object of each event, and that is most of what reading costs. A manifest is mappings and
lists of one line an entry, with words, quoted texts and `|` blocks: one regular expression finds its lines, and
indentation says the rest. A text with anything else in it (an anchor, a tag, an escape, a folded text, a
character beyond ASCII, a mistake) is not read here at all.
"""

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
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
_DEEPEST_FLOW = 8  # of 100 levels that may be within one another; 60 columns have 61 at most
_REMEMBERED = 8192

_Line = tuple[str, str, str, str, str, str, str]  # indentation, dash, key, value, chomping, block, anything else
_Next = Callable[[], _Line]
_END: _Line = ("", "", "", "", "", "", "")


class Block(NamedTuple):
    """One document: its value, the line that it begins in (from 1), and its place in the stream (from 0)."""

    value: Any
    line: int
    place: int


class _UnusualError(Exception):
    """Only libyaml can read this, or say what is wrong with it."""


class BlockReader:
    """Reads texts; `read_flow` reads each different `[…]` and `{…}`, and raises ValueError where it is none."""

    def __init__(self, read_flow: Callable[[str], Any]) -> None:
        self._read_flow = read_flow
        # The same few words stand in a tree again and again; mappings and lists are shared as an alias's are.
        self._resolve = lru_cache(_REMEMBERED)(self._read_value)

    def read(self, text: str) -> list[Block] | None:
        """All documents that are not empty, or None where something in the text is unusual."""
        if not (text.isascii() and text.replace("\n", "").isprintable() and text.endswith("\n")):
            return None
        try:
            return list(self._read_stream(f"\n{text}"))
        except _UnusualError:
            return None

    def _read_stream(self, text: str) -> Iterator[Block]:
        """The documents of a text with one line break too many before it."""
        place, line, counted, end = 0, 1, 1, 0
        while end >= 0:
            begin, end = end, text.find(_SEPARATOR, end)
            first, last = _skip_pause(text, begin + 1), end + 1 or len(text)
            if first < last:
                line, counted = line + text.count("\n", counted, first), first
                yield Block(self._read_document([*_LINES.findall(text, first, last), _END]), line, place)
            # Comments above the first separator are no document, nothing between two of them is one.
            place += first < last or begin > 0
            end += len(_SEPARATOR) - 1 if end >= 0 else 0

    def _read_document(self, lines: list[_Line]) -> Any:
        advance = iter(lines).__next__
        first = advance()
        value, rest = self._read_node(advance, first, len(first[0]))
        if rest is not _END:
            raise _UnusualError
        return value

    def _read_node(self, advance: _Next, line: _Line, column: int) -> tuple[Any, _Line]:
        """The list or mapping that begins with `line`, and the line behind it."""
        read = self._read_list if line[1] else self._read_mapping
        return read(advance, line, column)

    def _read_mapping(self, advance: _Next, line: _Line, column: int) -> tuple[dict[str, Any], _Line]:
        mapping: dict[str, Any] = {}
        resolve = self._resolve
        while True:
            _, _, key, value, chomping, block, _ = line
            if not key or key in mapping or key in WORDS:
                raise _UnusualError
            line = advance()
            below = len(line[0])
            if value:
                mapping[key] = resolve(value)
            elif block:
                mapping[key] = _read_block(block, chomping, column)
            elif below > column or (below == column and line[1]):
                mapping[key], line = self._read_node(advance, line, below)
                below = len(line[0])
            else:
                mapping[key] = None
            if below != column or line[1] or not line[2]:
                if below > column:
                    raise _UnusualError
                return mapping, line

    def _read_list(self, advance: _Next, line: _Line, column: int) -> tuple[list[Any], _Line]:
        items: list[Any] = []
        item: Any
        while True:
            if line[2]:
                item, line = self._read_mapping(advance, line, column + 2)
            elif line[3]:
                item, line = self._resolve(line[3]), advance()
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

    def _read_value(self, value: str) -> Any:
        try:
            match value[0]:
                case '"' | "'":
                    return value[1:-1]
                case "{" | "[" if value.count("{") + value.count("[") <= _DEEPEST_FLOW:
                    return self._read_flow(value)
                case "{" | "[":
                    raise _UnusualError
            return resolve_plain(value)
        except ValueError as error:
            raise _UnusualError from error


def _skip_pause(text: str, begin: int) -> int:
    match = _PAUSE.match(text, begin)
    return match.end() if match else begin


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
