"""What JSON's reader lets through and no file can hold; all else can be written."""

from functools import reduce
from typing import Any

import pytest

from jsorc_gitops.errors import DefinitionError
from jsorc_gitops.model.emitter import MAX_DEPTH
from jsorc_gitops.model.plain import check_plain
from jsorc_gitops.model.yaml import format_yaml, parse_documents


def nest(depth: int) -> Any:
    start: Any = [1]
    return reduce(lambda inner, _: [inner], range(depth - 1), start)


@pytest.mark.parametrize(
    "value", [[None, True], [-(2**63), 2**63 - 1, 1e308], {"": "é\0\u2028🚀", "a": {}}, nest(MAX_DEPTH)]
)
def test_what_passes_can_be_written(value: Any) -> None:
    """And is read back as it was."""
    check_plain(value, where="x")

    [document] = parse_documents(format_yaml(value), source="x")
    assert document.value == value


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (float("nan"), "nan is no number with digits"),
        ({"a": [1, float("-inf")]}, "a[1]: -inf is no number with digits"),
        ({"a": 2**63}, "a: is an integer beyond 64 bits, which readers change; write it as a text"),
        ({"a": -(2**63) - 1}, "a: is an integer beyond 64 bits, which readers change; write it as a text"),
        ({"a": {"\ud800": 1}}, "a.\ud800: holds half a character, which no file can"),
        (["\udfff"], "[0]: holds half a character, which no file can"),
        (nest(MAX_DEPTH + 1), "[0][0][0][0][0][0]: nested deeper than 100 lists and mappings"),
    ],
)
def test_what_is_refused(value: Any, words: str) -> None:
    """With its place, and the path to it."""
    with pytest.raises(DefinitionError) as caught:
        check_plain(value, where="x.json:1")

    assert str(caught.value) == f"x.json:1: {words}"
