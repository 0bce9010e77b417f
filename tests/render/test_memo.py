"""The memo of a rendering: known again only where everything is as it was."""

from typing import Any

import pytest

from jsorc_gitops.render.memo import Memo, compute_key, format_memo, parse_memo
from tests.render.builders import make_service

MEMO = Memo(key="k", objects=3, warnings=("a", "ü"), document="{}\n", sources=("a.py", "data/"))
INPUTS: dict[str, Any] = {
    "settings_text": "a",
    "services": {"redis": make_service({"a.yaml": "x", "b.yaml": "y"})},
    "on_disk": {"redis/A.yaml": "1"},
    "environments": ["staging"],
    "sources": {"fleet/base.py": "1"},
    "program": "1",
}


@pytest.mark.parametrize(
    "changed",
    [
        {"settings_text": "b"},
        {"services": {}},
        {"services": {"redis": make_service({"a.yaml": "x", "b.yaml": "z"})}},
        {"services": {"redis": make_service({"a.yaml": "xb.yaml", "b": "y"})}},
        {"services": {"mail": make_service({"a.yaml": "x", "b.yaml": "y"}, name="mail")}},
        {"on_disk": {"redis/A.yaml": "2"}},
        {"on_disk": {}},
        {"environments": []},
        {"sources": {"fleet/base.py": "2"}},
        {"sources": {}},
        {"sources": {}, "on_disk": {"redis/A.yaml": "1", "fleet/base.py": "1"}},
        {"program": "2"},
    ],
)
def test_whatever_counts_makes_another_key(changed: dict[str, Any]) -> None:
    """Another text, name, file or program anywhere is another rendering."""
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
