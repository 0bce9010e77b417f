"""Values and texts for property tests: all that JSON can say, and the texts that readers of YAML stumble over."""

import json
from decimal import Decimal
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

# Words that some YAML 1.1 reader, Go's or PyYAML, takes for something else where they are not quoted.
_WORDS = """
y Y n N yes Yes NO on On OFF true True TRUE FALSE null Null NULL ~ = << nan NaN inf
0 1 -1 +1 00 012 08 -08 0o17 0O7 -0o7 0x1F 0xdead 0XF 0b11 0B1 -0b1 0b-1 0b+1 1_000 1__0 0_ +_1 -_1 _1 1,000
1. .5 -.5 +.5 .5_0 ._1 1.5 1e3 1E+3 1.e-3 -1e3 1e400 0.1_2 685_230.15 0o8 0b2 0777 1e 1e+ .e1
9223372036854775807 9223372036854775808 -9223372036854775809 18446744073709551615 18446744073709551616
0xFFFFFFFFFFFFFFFF 0x10000000000000000 -0xFFFFFFFFFFFFFFFF 0777777777777777777777777
1:30 22:22 22:22:22 190:20:30.15 -1:30 2026-11-23 2026-11-23T10:00:00Z 2001-1-1t1:59:43.10-05:00
"""
WORDS = _WORDS.split()
ENDLESS = [".inf", "-.inf", "+.INF", ".Inf", ".nan", ".NaN"]
_SYNTAX = "- --- ---x ... ...x ? : :: @x `x %x !x &x *x | > |- >2 { } [ ] , #x ' \" '' {} [] -1x ?x :x a: #"
SYNTAX = _SYNTAX.split()
SPACED = [
    *["", " ", "  ", "x ", " x", "a  b", "a: b", "a #b", "a :b", "- a", "? a", ": a", "-\ta", "a:\tb", "a\t#b"],
    *["2001-12-14 21:59:43.10 -5", "\t", "\tx", "x\t", "--- a", "a ---", "'a' b", '"a" b', "--", "-x", "a#"],
    *["a'b", 'a"b', "a\\nb", "0x1p3", "Infinity"],
]
LINES = [
    *["\n", "\n\n", "a\n", "a\nb", "a\nb\n", "a\n\n\n", "\na", "\n\na\n", "  a\n b\n", "\ta\n", "a\n\tb\n"],
    *["\n a\n", "a \nb ", "a\n ", "a\n  \n", "a\n\t\n", " \n", "\n \n", "\t\na", "a\n#b\n", "---\na\n", "%a\nb"],
    *["a\n---\n...\n", "a:\n- b\n", "a\n\n b\n\n\nc", "|\n>", "'\n'", '"\n"', "\\\n\\"],
]
ODD = [
    *["\r", "a\r\nb", "a\rb\n", "\0", "\x07", "\x1b[0m\n", "\x7f", "\x80", "\x85", "a\x85\nb", "\u2028"],
    *["a\u2029\nb", "\ufeffa", "a\ufeff\nb", "\ufffe", "\uffff", "\xa0", "\xa0\n", "\xad", "\u200d", "\u202e"],
    *["ü→", "😀", "\U0010ffff", "x" * 200, "x" * 1024, "x" * 1025, "y " * 600, "'" * 1024, "ü" * 1025],
    "\x85" * 300,
]
TEXTS = [*WORDS, *ENDLESS, *SYNTAX, *SPACED, *LINES, *ODD]

characters = st.sampled_from(
    [
        *"-?:,[]{}#&*!|>'\"%@`~=<. \t\n\\_+",
        *"0123456789abcdefxobXOBeEyYnNtTzZ",
        *"\r\0\x07\x7f\x85\xa0\u2028\ufeff😀",
    ]
)
texts = st.one_of(st.sampled_from(TEXTS), st.text(characters, max_size=12), st.text(max_size=30))
number_like = st.text(st.sampled_from("+-_.0123456789abcdefxobXOBE:TZ"), min_size=1, max_size=12)
numbers = st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False))
scalars = st.one_of(st.none(), st.booleans(), numbers, texts)
values = st.recursive(
    scalars, lambda below: st.lists(below, max_size=4) | st.dictionaries(texts, below, max_size=4), max_leaves=20
)
mappings = st.dictionaries(texts, values, max_size=5)

# Pieces that make YAML of all kinds when they are put together, and what is none.
_PIECES = "a b << 1 - : # | > |- >+ |2 [ ] { } , &x *x !!str !t ' \" '' \"\\n\" ~ = @ \\ a: b: é 😀"
_GAPS = [" ", " ", "\n", "\n  ", "\n- ", "\n  - ", ": ", "a: ", "k: 1\n  ", "<<: *x", "\r\n"]
yaml_like = st.lists(st.sampled_from([*_PIECES.split(), *_GAPS]), max_size=12).map("".join)

# The same examples in every run: what is looked for here is looked for by hand, with more of them.
same_examples = settings(deadline=None, derandomize=True, max_examples=300)


def spell_python(value: Any) -> str:
    """Like repr, which tells 1, 1.0 and True apart, with keys in order."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key!r}: {spell_python(value[key])}" for key in sorted(value)) + "}"
    return f"[{', '.join(map(spell_python, value))}]" if isinstance(value, list) else repr(value)


def spell_json(value: Any) -> str:
    """What the value is to Kubernetes, in canonical JSON: integers have 64 bits, all other numbers are floats."""
    return json.dumps(_to_kubernetes(value), sort_keys=True)


def _to_kubernetes(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _to_kubernetes(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_to_kubernetes(each) for each in value]
    if isinstance(value, float) and value.is_integer():
        # Go writes as many digits as tell floats apart, then zeros, and reads them as an integer.
        whole = int(Decimal(repr(value)))
        return whole if _has_64_bits(whole) else value
    if isinstance(value, int) and not _has_64_bits(value):
        return float(value)
    return value


def _has_64_bits(number: int) -> bool:
    return -(2**63) <= number < 2**63
