"""Only a Python that can carry Jaseci is taken for one."""

import sys
from pathlib import Path

import pytest

from tests.jaseci.install import NO_PYTHON, find_python, probe
from tests.machine import SetupError


def write_program(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("text", ["echo not selected >&2; exit 127", "echo /usr; echo 3.13.0"])
def test_a_shim_or_another_version_is_passed_over(tmp_path: Path, text: str) -> None:
    """A shim on PATH may exist and fail."""
    assert probe(str(write_program(tmp_path / "python3.11", text))) is None


def test_the_next_python_on_the_path_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After our own interpreter, all of PATH is tried in order."""
    folders = [tmp_path / "shims", tmp_path / "real"]
    for folder, text in zip(folders, ["exit 127", "echo /opt/python; echo 3.11.9"], strict=True):
        folder.mkdir()
        write_program(folder / "python3.11", text)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "missing"))
    monkeypatch.setenv("PATH", ":".join(map(str, folders)))
    assert find_python().program == str(tmp_path / "real/python3.11")


def test_without_a_python_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When uv cannot be set up either."""
    monkeypatch.setattr(sys, "executable", str(write_program(tmp_path / "python", "exit 1")))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("JSORC_TEST_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("tests.jaseci.install.say", lambda _: None)
    with pytest.raises(SetupError, match=NO_PYTHON):
        find_python()
