"""docs/jsorc-parity.md: all rows are there, and every test that they name exists and has passed in this run."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.conftest import PASSED

ROOT = Path(__file__).parents[1]
# A row begins with its number in a heading; the tests that show it stand in it as `file::test`, below tests/.
ROW = re.compile(r"^### (?P<number>\S+): .*\n(?P<text>(?:(?!##).*\n)*)", re.MULTILINE)
TEST = re.compile(r"`(\S+::\S+)`")
# What leaves out a part of the tests, when pytest is told no files.
CHOICES = ("keyword", "markexpr", "deselect", "ignore", "ignore_glob", "lf", "stepwise")


def read_rows() -> list[tuple[str, list[str]]]:
    """(number, node ids without parameters) of each row of the page, in its order."""
    page = (ROOT / "docs/jsorc-parity.md").read_text()
    return [
        (row["number"], [f"tests/{name}" for name in TEST.findall(row["text"])]) for row in ROW.finditer(page)
    ]


def find_rows(tests: set[str]) -> list[str]:
    """Where the page names these."""
    return [f"{number}: {test}" for number, named in read_rows() for test in named if test in tests]


@cache
def list_tests(file: str) -> set[str]:
    """The node ids of a file without parameters, as far as they can be told without importing it."""
    path = ROOT / file
    if not path.match("test_*.py") or not path.exists():
        return set()
    body = ast.parse(path.read_text()).body
    return {f"{file}::{each.name}" for each in body if isinstance(each, ast.FunctionDef)}


def test_rows() -> None:
    """B1 to B20 and W1 to W30 each have one row, in order, with one to three tests."""
    rows = read_rows()

    numbers = [f"B{number}" for number in range(1, 21)] + [f"W{number}" for number in range(1, 31)]
    assert [number for number, _ in rows] == numbers
    assert [number for number, tests in rows if not 1 <= len(tests) <= 3] == []


def test_named_tests_exist() -> None:
    """Whatever is run, so that who renames a test hears of it at once."""
    named = {test for _, tests in read_rows() for test in tests}

    assert find_rows({test for test in named if test not in list_tests(test.partition("::")[0])}) == []


def test_named_tests_have_passed(request: pytest.FixtureRequest) -> None:
    """Where all tests are run, all of them; else those that are among the chosen. Skipped is not passed."""
    config = request.config
    passed: dict[str, bool] = {}
    for item in request.session.items:
        name = item.nodeid.partition("[")[0]
        passed[name] = passed.get(name, True) and item.stash.get(PASSED, False)
    all_are_run = config.args_source is config.ArgsSource.TESTPATHS and not any(
        config.getoption(choice, default=None) for choice in CHOICES
    )

    named = {test for _, tests in read_rows() for test in tests}

    assert find_rows({test for test in named if not passed.get(test, not all_are_run)}) == []
