"""What the commands print, on terminals and into logs of all kinds."""

import os
import tempfile
from pathlib import Path

import pytest

from jsorc_gitops.cli import EXIT_BUG, cli, run
from tests.render.commands import start
from tests.render.worktree import Worktree

TEMPLATE = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: a}
data: {image: "{{ values.image }}"}
"""


def test_a_log_that_cannot_show_an_arrow(tmp_path: Path) -> None:
    """What is done is reported as well as the output's encoding allows, and is no bug of ours."""
    work = Worktree(tmp_path / "work")
    files = {"jsorc.yaml": "", "templates/a/a.yaml.j2": TEMPLATE}
    work.commit({**files, "templates/a/service.yaml": "values: {image: 'redis:6'}\n"})
    assert start("render", cwd=work.root, PYTHONIOENCODING="latin-1").code == 0
    work.commit({"templates/a/service.yaml": "values: {image: 'redis:7'}\n"})

    outcome = start("render", cwd=work.root, PYTHONIOENCODING="latin-1")

    assert (outcome.code, outcome.err) == (0, "")
    assert "image 6?7" in outcome.out


def test_the_log_of_a_bug_takes_what_is_no_character(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A bug over a name that is no UTF-8 is still told as a bug, with its log."""

    def fail(*_: object, **__: object) -> None:
        raise ValueError(os.fsdecode(b"\xff"))

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(cli, "main", fail)

    assert run(["render"]) == EXIT_BUG
    [log] = tmp_path.glob("jsorc-*.log")
    assert str(log) in capsys.readouterr().err
    assert log.read_text(encoding="utf-8").endswith("ValueError: \\udcff\n")
