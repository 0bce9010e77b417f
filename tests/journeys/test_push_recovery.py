"""What docs/git.md says to do where others were first and the definitions are not pushed yet, with real git."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.render.builders import make_object
from tests.render.commands import start
from tests.render.worktree import Worktree

PAGE = (Path(__file__).parents[2] / "docs/git.md").read_text()


def add(name: str, value: int) -> dict[str, str]:
    return {f"templates/{name}/a.yaml": make_object(name=name, more=f"data:\n  a: '{value}'\n")}


def clone(folder: Path, name: str) -> Worktree:
    subprocess.run(["git", "clone", "--quiet", "server", name], cwd=folder, check=True, capture_output=True)
    return Worktree(folder / name)


def push(work: Worktree) -> tuple[int, str]:
    done = start("render", "--commit", "--push", cwd=work.root)
    return done.code, done.err


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Worktree, Worktree]:
    """Two clones of a repository with two services, rendered and pushed."""
    subprocess.run(["git", "init", "--quiet", "--bare", str(tmp_path / "server")], check=True)
    theirs = clone(tmp_path, "theirs")
    theirs.commit({"jsorc.yaml": "", **add("app", 1), **add("web", 1)})
    assert push(theirs) == (0, "")
    return theirs, clone(tmp_path, "mine")


@pytest.mark.parametrize(("service", "conflict"), [("web", False), ("more", True)])
def test_what_the_page_says(pair: tuple[Worktree, Worktree], service: str, conflict: bool) -> None:  # noqa: FBT001
    """The commands of the page, with the one for a conflict where there is one, end in what both rendered."""
    theirs, mine = pair
    theirs.commit(add("other", 1), "theirs")
    assert push(theirs) == (0, "")
    mine.commit(add(service, 2), "mine")
    code, err = push(mine)
    assert (code, "(mine) is no render commit" in err) == (1, True)

    [commands] = re.findall(r"^```console\n(\$ git fetch\n.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    done = {}
    for command in re.findall(r"^\$ (git .*?) *(?:#.*)?$", commands, re.MULTILINE):
        if conflict or "--skip" not in command:
            done[command] = subprocess.run(
                command.split(), cwd=mine.path, env={**os.environ, "GIT_EDITOR": "true"}, check=False
            ).returncode

    assert list(done.values()) == ([0, 1, 0] if conflict else [0, 0])
    assert push(mine) == (0, "")
    assert mine.git("rev-parse", "HEAD") == mine.git("rev-parse", "origin/main")
    assert start("render", "--check", cwd=mine.root).code == 0
    assert [each for each in mine.list_commits() if not each.startswith("render")] == [
        "mine",
        "theirs",
        "by hand",
    ]


def test_definitions_that_are_pushed_first(pair: tuple[Worktree, Worktree]) -> None:
    """Where only render commits are missing there, they are made anew, and nobody has to do anything."""
    theirs, mine = pair
    theirs.commit(add("other", 1), "theirs")
    theirs.git("push", "--quiet")
    assert push(theirs) == (0, "")
    mine.git("pull", "--quiet", "--rebase")
    mine.commit(add("more", 2), "mine")
    mine.git("push", "--quiet")

    assert push(mine) == (0, "")
