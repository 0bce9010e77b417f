"""YAML out: plain data as block YAML that Go's readers (kubectl, the API server) and PyYAML take for the same.

Each of them misreads words that the other does not, so more is quoted than either needs.
"""

import math
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

# Collections within collections, for reading and for writing: what is deeper is no Kubernetes object.
MAX_DEPTH = 100

_LONGEST_KEY = 1024  # characters; YAML wants `? ` before a longer one
_REMEMBERED = 64  # characters; longer texts seldom come twice

# What YAML 1.1 takes for a line break besides \n, and what no reader takes at all: possible as escapes only.
_SPECIAL = r"\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff"
_NOT_IN_BLOCK = re.compile(f"[{_SPECIAL}]")
_NOT_IN_LINE = re.compile(rf"[\t\n{_SPECIAL}]")
_ESCAPED = re.compile(rf'["\\\t\n{_SPECIAL}]')
_ESCAPES = {'"': r"\"", "\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"}

# Words and blanks, without what would be syntax in its place.
_PLAIN = re.compile(
    rf"(?!---)(?:[^\t\n{_SPECIAL} '\"#&*!|>%@`,\[\]{{}}?:-]|-(?! |\Z))"
    rf"(?:[^\t\n{_SPECIAL} :]++|:(?! |\Z)| ++(?!#|\Z))*+"
)
# Words that some reader takes for a boolean, null or a float, whatever their case.
_RESERVED = frozenset(["y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf", "~", "=", "<<"])
# What some reader could take for a number, a time or a date: 1e3, 0x1, 012, 1_000, +_1, 1:30, 2026-11-23.
_NUMBER_LIKE = re.compile(r"[-+]?(?:[._0-9][0-9a-fxo_:.,+\-tz ]*|\.inf|\.nan)", re.IGNORECASE)

_TEXTS = frozenset([str])
_KINDS = frozenset([dict, list, str, int, float, bool, type(None)])

_Write = Callable[[str], None]


def format_documents(values: Iterable[Any]) -> str:
    """Write documents, `---` between them; the same values give the same bytes. Raises what format_yaml does."""
    return "---\n".join(format_yaml(value) for value in values)


def format_yaml(value: Any) -> str:
    """Write one document: what JSON can say, keys sorted, a text of several lines as a `|` block, nothing folded.

    Raises TypeError for any other value and for a key that is no text; ValueError for what no reader takes:
    halves of characters, numbers beyond 64-bit floats, more than MAX_DEPTH collections within one another.
    """
    pieces: list[str] = []
    value = _simplify(value)
    if value and type(value) is dict:
        _write_mapping(value, pieces.append, "", "", 1)
    elif value and type(value) is list:
        _write_list(value, pieces.append, "", "", 1)
    else:
        pieces.append(f"{_spell(value, '  ', 0)}\n")
    return "".join(pieces)


def _write_mapping(mapping: dict[str, Any], write: _Write, indent: str, lead: str, depth: int) -> None:
    """`lead` is what stands before the first key: the indentation, or the dash of a list."""
    _check_depth(depth)
    inner = f"{indent}  "
    if not _TEXTS.issuperset(map(type, mapping)):
        mapping = _simplify_keys(mapping)
    for key in sorted(mapping):
        value = mapping[key]
        name = _spell_word(key) if len(key) <= _REMEMBERED else _spell_long_key(key, indent)
        # Most values of most texts: asking here saves two calls.
        if type(value) is str and len(value) <= _REMEMBERED and "\n" not in value:
            write(f"{lead}{name}: {_spell_word(value)}\n")
            lead = indent
            continue
        if type(value) not in _KINDS:
            value = _simplify(value)
        if type(value) is dict and value:
            write(f"{lead}{name}:\n")
            _write_mapping(value, write, inner, inner, depth + 1)
        elif type(value) is list and value:
            write(f"{lead}{name}:\n")
            _write_list(value, write, indent, indent, depth + 1)
        else:
            write(f"{lead}{name}: {_spell(value, inner, depth)}\n")
        lead = indent


def _spell_long_key(key: str, indent: str) -> str:
    name = _spell_line(key)
    return f"? {name}\n{indent}" if len(name) > _LONGEST_KEY else name


def _write_list(items: list[Any], write: _Write, indent: str, lead: str, depth: int) -> None:
    _check_depth(depth)
    inner = f"{indent}  "
    for each in items:
        item = each if type(each) in _KINDS else _simplify(each)
        if type(item) is dict and item:
            _write_mapping(item, write, inner, f"{lead}- ", depth + 1)
        elif type(item) is list and item:
            _write_list(item, write, inner, f"{lead}- ", depth + 1)
        else:
            write(f"{lead}- {_spell(item, inner, depth)}\n")
        lead = indent


def _simplify(value: object) -> Any:
    """The same value as one of _KINDS: what templates and definitions hand over may be of types like them."""
    if type(value) in _KINDS:
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, list | tuple):
        return list(value)
    # Spelled out, a name that a template does not know raises its own error, which says more.
    raise TypeError(f"{value} is nothing that YAML can say")


def _simplify_keys(mapping: dict[Any, Any]) -> dict[str, Any]:
    for key in mapping:
        if not isinstance(key, str):
            raise TypeError(f"the key {key!r} is not a text; put it in quotes")
    return {str.__str__(key): value for key, value in mapping.items()}


def _check_depth(depth: int) -> None:
    if depth > MAX_DEPTH:
        raise ValueError(f"nested deeper than {MAX_DEPTH} lists and mappings")


def _spell(value: Any, indent: str, depth: int) -> str:
    """A scalar, or an empty collection in one `depth` deep; `indent` is that of the lines below the first."""
    if type(value) is str:
        if "\n" in value:
            return _spell_lines(value, indent)
        return _spell_word(value) if len(value) <= _REMEMBERED else _spell_line(value)
    if value is None:
        return "null"
    if type(value) is bool:
        return "true" if value else "false"
    if isinstance(value, int | float):
        return _spell_number(value)
    _check_depth(depth + 1)
    return "{}" if type(value) is dict else "[]"


def _spell_lines(text: str, indent: str) -> str:
    """A text of several lines as a block, in quotes where it is blank or holds what no block can."""
    if _NOT_IN_BLOCK.search(text) or not text.strip(" \t\n"):
        return _spell_line(text)
    hint = "2" if text[0] in " \t\n" else ""
    chomping = "-" if text[-1] != "\n" else "+" if text[-2] == "\n" else ""
    lines = text.removesuffix("\n").split("\n")
    return f"|{hint}{chomping}\n" + "\n".join([indent + line if line else "" for line in lines])


def _spell_line(text: str) -> str:
    """A text in one line: plain, in single quotes, or in double quotes with escapes."""
    if _PLAIN.fullmatch(text) and text.lower() not in _RESERVED and not _NUMBER_LIKE.fullmatch(text):
        return text
    if not _NOT_IN_LINE.search(text):
        return "'" + text.replace("'", "''") + "'"
    return '"' + _ESCAPED.sub(_escape, text) + '"'


# The same names and words stand in every object of a tree; this is most of what makes writing quick.
_spell_word = lru_cache(maxsize=4096)(_spell_line)


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    if "\ud800" <= character <= "\udfff":
        raise ValueError(f"half of a character, \\u{ord(character):04x}, stands in a text")
    return _ESCAPES.get(character) or rf"\u{ord(character):04X}"


def _spell_number(number: float) -> str:
    if isinstance(number, int):
        if abs(number) > sys.float_info.max:
            raise ValueError("an integer beyond the range of 64-bit floats")
        return str(number)
    if not math.isfinite(number):
        raise ValueError(f"{number} is no number with digits")
    # Without a point PyYAML takes it for a text.
    return re.sub(r"^(-?\d+)e", r"\1.0e", repr(number))
