"""docs/jsorc-parity.md: all rows are there, and every test that they name exists and has passed in this run."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import PASSED

ROOT = Path(__file__).parents[1]
PAGE = "docs/jsorc-parity.md"

# A row begins with its number in a heading; the tests that show it stand in it as `file::test`, below tests/.
ROW = re.compile(r"^### (?P<number>\S+?): .*\n(?P<text>(?:(?!##).*\n)*)", re.MULTILINE)
TEST = re.compile(r"`([\w/]+\.py::\w+)`")


def read_rows() -> list[tuple[str, list[str]]]:
    """(number, node ids without parameters) of each row of the page, in its order."""
    page = (ROOT / PAGE).read_text()
    return [(row["number"], [f"tests/{name}" for name in TEST.findall(row["text"])]) for row in ROW.finditer(page)]


def strip_parameters(node_id: str) -> str:
    return node_id.partition("[")[0]


def collect(files: set[str]) -> set[str]:
    """The tests in these files, without running them."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "--quiet", *sorted(files)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return {strip_parameters(line) for line in done.stdout.splitlines() if "::" in line}


def test_rows() -> None:
    """B1 to B20 and W1 to W30 each have one row, in order, with one to three tests."""
    rows = read_rows()

    numbers = [f"B{number}" for number in range(1, 21)] + [f"W{number}" for number in range(1, 31)]
    assert [number for number, _ in rows] == numbers
    assert [number for number, tests in rows if not 1 <= len(tests) <= 3] == []


def test_named_tests_exist(request: pytest.FixtureRequest) -> None:
    """Those that are not a part of this run are looked for in their files."""
    known = {strip_parameters(item.nodeid) for item in request.session.items}
    rest = {test for _, tests in read_rows() for test in tests} - known
    files = {test.partition("::")[0] for test in rest}
    known |= collect({file for file in files if (ROOT / file).exists()}) if rest else set()

    assert [(number, test) for number, tests in read_rows() for test in tests if test not in known] == []


def test_named_tests_have_passed(request: pytest.FixtureRequest) -> None:
    """Of a run of all tests, all; of any other, those that are a part of it. Skipped is not passed."""
    failed = {
        strip_parameters(item.nodeid) for item in request.session.items if not item.stash.get(PASSED, False)
    }

    assert [(number, test) for number, tests in read_rows() for test in tests if test in failed] == []
