"""One document that was read: its value, and on which line each part of it stands, for messages."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

# Characters of a text with its aliases written out; the largest manifest that Jaseci ships has half a million.
MAX_LENGTH = 16 * 2**20


class Part(NamedTuple):
    """Where a scalar, a mapping or a list begins, or one of the latter two ends, in the order of the text."""

    kind: Literal["scalar", "mapping", "list", "end"]
    line: int
    text: str = ""  # of a scalar


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML document: its value, and the line it begins on (from 1).

    `outline` goes through its parts once more; only what complains asks for that.
    """

    value: Any
    line: int = 1
    outline: Callable[[], Iterator[Part]] = field(default=lambda: iter(()), repr=False, compare=False)

    def line_of(self, *path: str | int) -> int:
        """The line of the deepest part of `path` that is there, of a key where it is a mapping's."""
        line = self.line
        parts = self.outline()
        part = next(parts, None)
        for step in path:
            found = _find_child(part, parts, step)
            if found is None:
                break
            line, part = found
        return line


def _find_child(part: Part | None, parts: Iterator[Part], step: str | int) -> tuple[int, Part] | None:
    """The line of a key or an item of the collection that begins with `part`, and where its value begins."""
    if part is None or part.kind == "scalar":
        return None
    place = 0
    while (child := next(parts)).kind != "end":
        name = child.text if part.kind == "mapping" else place
        value = next(parts) if part.kind == "mapping" else child
        if name == step:
            return child.line, value
        place += 1
        _skip(value, parts)
    return None


def _skip(part: Part, parts: Iterator[Part]) -> None:
    depth = 0
    while True:
        depth += {"scalar": 0, "end": -1}.get(part.kind, 1)
        if not depth:
            return
        part = next(parts)
