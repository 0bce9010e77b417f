"""The rows of docs/jsorc-parity.md, and the tests that they name."""

import re
from functools import cache
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs/jsorc-parity.md"
# A row begins with its number in a heading; the tests that show it stand in it as `file::test`, below tests/.
_ROW = re.compile(r"^### (?P<number>\S+): .*\n(?P<text>(?:(?!##).*\n)*)", re.MULTILINE)
_TEST = re.compile(r"`(\S+::\S+)`")


@cache
def read_rows() -> list[tuple[str, list[str]]]:
    """(number, node ids without parameters) of each row of the page, in its order."""
    return [
        (row["number"], [f"tests/{name}" for name in _TEST.findall(row["text"])])
        for row in _ROW.finditer(PAGE.read_text())
    ]


@cache
def list_named() -> set[str]:
    """The node ids, without parameters, that the page names."""
    return {test for _, tests in read_rows() for test in tests}
