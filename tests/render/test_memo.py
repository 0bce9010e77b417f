"""The memo of a rendering: known again only where everything is as it was."""

from typing import Any

import pytest

from jsorc_gitops.model.sources import Sources
from jsorc_gitops.render.memo import Memo, compute_key, format_memo, parse_memo

MEMO = Memo(
    key="k",
    objects=3,
    warnings=("a", "ü"),
    sources=Sources(files=frozenset(["a.py", "data/"]), searched=frozenset(["lib/"])),
)
INPUTS: dict[str, Any] = {
    "environments": ["staging"],
    "files": "a",
    "sources": {"fleet/base.py": "1"},
    "program": "1",
}


@pytest.mark.parametrize(
    "changed",
    [
        {"environments": []},
        {"files": "b"},
        {"sources": {"fleet/base.py": "2"}},
        {"sources": {}},
        {"program": "2"},
    ],
)
def test_whatever_counts_makes_another_key(changed: dict[str, Any]) -> None:
    """Other files, sources, environments or programs are another rendering."""
    assert compute_key(**(INPUTS | changed)) != compute_key(**INPUTS)


def test_a_memo_is_read_back() -> None:
    """What is written is what is read."""
    assert parse_memo(format_memo(MEMO)) == MEMO


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", "{}", '{"key": "k"}', '{"key": 1, "objects": "x", "warnings": [], "sources": []}'),
        '{"key": "k", "objects": 1, "warnings": []}',
    ],
)
def test_what_is_no_memo_is_no_memo(text: str) -> None:
    """It is only a shortcut: a broken one is as good as none."""
    assert parse_memo(text) is None
