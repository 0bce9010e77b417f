"""What a plain scalar, a word without quotes, is to kubectl and the API server.

They read YAML with go.yaml.in/yaml/v2 (its resolve.go): YAML 1.1's words for booleans, Go's spellings of numbers,
neither dates nor base 60. tests/model/test_yaml_real.py holds this against the real kubectl.
"""

import math
import re

Scalar = str | int | float | bool | None

WORDS: dict[str, Scalar] = {
    **dict.fromkeys(["", "~", "null", "Null", "NULL"]),
    **dict.fromkeys(["y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"], True),
    **dict.fromkeys(["n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"], False),
}
_REFUSED = frozenset(
    [".nan", ".NaN", ".NAN", *(f"{sign}.{inf}" for sign in ("", "+", "-") for inf in ("inf", "Inf", "INF"))]
)

_POINT = re.compile(r"\.[0-9](?:_?[0-9])*(?:[eE][-+]?[0-9](?:_?[0-9])*)?")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_INTEGERS = (
    (re.compile(r"([-+]?(?:0|[1-9][0-9]{0,19}))"), 10),
    (re.compile(r"([-+]?0[oO]?[0-7]+)"), 8),
    (re.compile(r"([-+]?0[xX][0-9a-fA-F]+)"), 16),
    (re.compile(r"([-+]?0[bB][01]+)"), 2),
    (re.compile(r"0b([-+][01]+)"), 2),
)


def resolve_plain(text: str) -> Scalar:
    """The value of a plain scalar; raise ValueError for .nan and .inf, which JSON cannot say."""
    if text in WORDS:
        return WORDS[text]
    if text[0] not in "+-.0123456789":
        return text
    if text in _REFUSED:
        raise ValueError(f"{text} is no number with digits")
    number: int | float | None
    if text[0] == ".":
        # Go leaves the underscores of these to its parser of floats, which wants them between digits.
        number = _parse_float(text) if _POINT.fullmatch(text) else None
    else:
        digits = text.replace("_", "")
        number = _parse_integer(digits)
        if number is None and _FLOAT.fullmatch(digits):
            number = _parse_float(digits)
    return text if number is None else number


def _parse_integer(digits: str) -> int | float | None:
    """An integer of 64 bits; JSON's reader makes a float of what needs the sign's bit too."""
    for pattern, base in _INTEGERS:
        if match := pattern.fullmatch(digits):
            number = int(match[1], base)
            if -(2**63) <= number < 2**63:
                return number
            return float(number) if number < 2**64 and digits[0] not in "+-" else None
    return None


def _parse_float(digits: str) -> float | None:
    number = float(digits)
    return number if math.isfinite(number) else None
