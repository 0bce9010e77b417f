"""docs/jsorc-parity.md: all rows are there, and every test that they name exists and is never skipped."""

import ast
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

from tests.parity import list_named, read_rows

ROOT = Path(__file__).parents[1]


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
    missing = [
        f"{number}: {test}"
        for number, named in read_rows()
        for test in named
        if test not in list_tests(test.partition("::")[0])
    ]
    assert missing == []


def test_a_named_test_is_not_skipped(tmp_path: Path) -> None:
    """The run fails where a test that proves a row is skipped, as it does where it fails."""
    (tmp_path / "skipper.py").write_text(
        "import pytest\n"
        "def pytest_collection_modifyitems(items):\n"
        "    for item in items: item.add_marker(pytest.mark.skip(reason='at will'))\n"
    )

    def run(test: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "pytest", "-q", "-p", "skipper", "-p", "no:cacheprovider", test]
        paths = os.pathsep.join([str(tmp_path), *sys.path])
        return subprocess.run(
            command, cwd=ROOT, env=os.environ | {"PYTHONPATH": paths}, capture_output=True, text=True, check=False
        )

    named = min(list_named())
    done = run(named)

    assert done.returncode == 1
    assert "skipped, though jsorc-parity.md names it" in done.stdout
    assert "at will" in done.stdout
    assert run(f"{Path(__file__).relative_to(ROOT)}::{test_rows.__name__}").returncode == 0
