"""jsorc render --check --staged: what is about to be committed, whatever lies on disk."""

import sys
from pathlib import Path

import pytest

from jsorc_gitops.model.yaml import parse_documents
from tests.render.commands import Outcome, start
from tests.render.worktree import Worktree

ROOT = Path(__file__).parents[2]
TEMPLATE = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: app}\ndata: {a: '1'}\n"
CHANGED = TEMPLATE.replace("1'", "2'")
UP_TO_DATE = Outcome(0, "rendered/ is up to date: 3 objects.\n", "")


@pytest.fixture
def work(tmp_path: Path) -> Worktree:
    work = Worktree(tmp_path)
    work.commit({"templates/app/app.yaml": TEMPLATE, "jsorc.yaml": ""})
    assert start("render", "--commit", cwd=tmp_path).code == 0
    return work


def check(work: Worktree, **environment: str) -> Outcome:
    return start("render", "--check", "--staged", cwd=work.root, **environment)


def test_what_lies_on_disk_does_not_count(work: Worktree) -> None:
    """Changed and new files that are not staged are not looked at."""
    work.write({"templates/app/app.yaml": CHANGED, "templates/app/new.yaml": CHANGED, "jsorc.yaml": "x: ["})

    assert check(work) == UP_TO_DATE


def test_what_is_staged_counts(work: Worktree) -> None:
    """A staged definition without its rendering is a difference; with it, there is none."""
    work.write({"templates/app/app.yaml": CHANGED})
    work.git("add", "templates")
    before = work.snapshot()

    done = check(work)

    assert (done.code, done.err) == (6, "")
    assert "~ ConfigMap/app: data.a" in done.out
    assert work.snapshot() == before
    start("render", cwd=work.root)
    work.git("add", "rendered")
    work.write({"templates/app/app.yaml": TEMPLATE})
    assert check(work) == UP_TO_DATE


def test_nothing_is_left_behind(work: Worktree, tmp_path: Path) -> None:
    """The copy it checks is gone afterwards, and is not remembered."""
    scratch, cache = tmp_path / "scratch", tmp_path / "cache"
    scratch.mkdir()

    assert check(work, TMPDIR=str(scratch), XDG_CACHE_HOME=str(cache)) == UP_TO_DATE
    assert list(scratch.iterdir()) == []
    assert not cache.exists()


@pytest.mark.parametrize("folder", [".", "fleet"])
def test_as_a_hook_it_keeps_a_commit_out(tmp_path: Path, folder: str) -> None:
    """The entry of our hook, run by git, refuses a commit without its rendering and lets a whole one pass."""
    work = Worktree(tmp_path, folder=folder)
    hook = tmp_path / ".git/hooks/pre-commit"
    hook.parent.mkdir(exist_ok=True)
    [document] = parse_documents((ROOT / ".pre-commit-hooks.yaml").read_text(), source="")
    program, _, arguments = document.value[0]["entry"].partition(" ")
    assert program == "jsorc"
    hook.write_text(f"#!/bin/sh\nexec {sys.executable} -m jsorc_gitops -C {folder} {arguments}\n")
    hook.chmod(0o755)
    work.write({"templates/app/app.yaml": TEMPLATE, "jsorc.yaml": ""})
    work.git("add", "--all")

    with pytest.raises(AssertionError, match="would be written"):
        work.git("commit", "--message", "Without its rendering")

    assert start("render", cwd=work.root).code == 0
    work.git("add", "--all")
    work.git("commit", "--message", "With it")
