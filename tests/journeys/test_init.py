"""jsorc init: what it writes renders, and it overwrites nothing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from jsorc_gitops.adapters.files import read_shipped_definitions
from tests.render.commands import Outcome, start
from tests.render.worktree import Worktree, put, spell

USUAL = ["mail", "promon", "redis", "task"]
# Of what is not kept alive, on purpose.
NOTES = {"note: jsorc is not in keep_alive of jsorc.yaml, so jsorc reconcile would not apply it"}
ALL = ["--service=" + name for name in read_shipped_definitions()]


def list_services(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "templates").iterdir())


def paste(text: str, *, cwd: Path, folder: Path) -> str:
    """Run the commands that were told, as a person pastes them into a shell; `folder` takes a `jsorc`."""
    program = folder / "jsorc"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m jsorc_gitops "$@"\n')
    program.chmod(0o755)
    commands = "".join(line for line in text.splitlines(keepends=True) if line.startswith("  "))
    environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["sh", "-e"], input=commands, cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    told = [line for line in done.stderr.splitlines() if line not in NOTES]
    assert (done.returncode, told) == (0, [])
    return done.stdout


@pytest.mark.parametrize("options", [(), *((each,) for each in ALL), tuple(ALL)])
def test_a_folder_becomes_a_repository(tmp_path: Path, options: tuple[str, ...]) -> None:
    """Where git knows nothing of a folder it begins there, and the commands that are told end in a render."""
    root = tmp_path / "fleet"
    root.mkdir()

    done = start("init", *options, cwd=root)

    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[0].endswith(" are written, in a new git repository.")
    assert "\nCommitted " in paste(done.out, cwd=root, folder=tmp_path)
    work = Worktree(root)
    assert work.git("status", "--porcelain", "--branch") == "## main"
    subjects = work.list_commits()
    assert [subject.partition(" ")[0] for subject in subjects] == ["render:", "Begin"]


def test_another_folder_becomes_a_repository(tmp_path: Path) -> None:
    """With -C, what is told begins with going there, and can be pasted all the same."""
    root = tmp_path / "my fleet"
    root.mkdir()

    done = start("-C", str(root), "init", "--service", "mail", cwd=tmp_path)

    assert f"  cd '{root}'\n" in done.out
    paste(done.out, cwd=tmp_path, folder=tmp_path)
    assert Worktree(root).list_commits()[0] == "render: settings; mail added"


@pytest.mark.parametrize("folder", [".", "deploy"])
def test_a_repository_is_left_alone(tmp_path: Path, folder: str) -> None:
    """In a repository, or a folder of one, git is as it was; the commands that are told are the same."""
    work = Worktree(tmp_path / "work", folder=folder)
    work.commit({"README": ""})
    work.git("switch", "--quiet", "--create", "trunk")

    done = start("init", "--service", "mail", cwd=work.root)

    assert done.out == (
        "jsorc.yaml and templates/ (mail) are written.\nLook through them, then:\n"
        "  git add jsorc.yaml templates\n  git commit --message 'Begin with mail'\n  jsorc render --commit\n"
    )
    assert not (work.root / ".git").exists() or folder == "."
    paste(done.out, cwd=work.root, folder=tmp_path)
    assert work.git("branch", "--show-current") == "trunk"
    assert work.list_commits() == ["render: settings; mail added", "Begin with mail", "by hand"]


def test_without_git_nothing_is_written(tmp_path: Path) -> None:
    """Where git is missing, that is all there is to say, and the folder stays empty."""
    outcome = start("init", cwd=tmp_path, PATH="/nonexistent")

    assert outcome == Outcome(1, "", "jsorc: git is not installed, or not on PATH\n")
    assert spell(tmp_path) == {}


@pytest.mark.parametrize(
    ("options", "services"),
    [
        ((), USUAL),
        (("--service", "mail"), ["mail"]),
        (("--service", "task"), ["redis", "task"]),
        (("--service", "task", "--service", "mail", "--service", "task"), ["mail", "redis", "task"]),
    ],
)
def test_what_is_chosen_renders(tmp_path: Path, options: tuple[str, ...], services: list[str]) -> None:
    """The services that were asked for, and those they depend on, make a tree as they are."""
    Worktree(tmp_path)

    done = start("init", *options, cwd=tmp_path)

    assert (done.code, list_services(tmp_path)) == (0, services)
    assert f"keep_alive: [{', '.join(services)}]" in (tmp_path / "jsorc.yaml").read_text()
    assert start("render", cwd=tmp_path).code == 0
    assert start("render", "--check", cwd=tmp_path).code == 0


def test_a_service_joins_a_repository(tmp_path: Path) -> None:
    """With --service, a repository keeps its jsorc.yaml and gains the folder."""
    Worktree(tmp_path)
    put(tmp_path, {"jsorc.yaml": "# mine\n"})

    done = start("init", "--service", "redis", cwd=tmp_path)

    assert done.out.startswith(
        "templates/ (redis) is written.\nWhere jsorc.yaml has keep_alive, name them there.\n"
    )
    assert ((tmp_path / "jsorc.yaml").read_text(), list_services(tmp_path)) == ("# mine\n", ["redis"])


@pytest.mark.parametrize(
    ("there", "options"),
    [
        ("templates/redis/redis.yaml.j2", ()),
        ("templates/redis/service.yaml", ("--service", "task")),
    ],
)
def test_nothing_is_overwritten(tmp_path: Path, there: str, options: tuple[str, ...]) -> None:
    """Where one of the files is there already, nothing at all is written, and the message names it."""
    put(tmp_path, {there: "# mine\n"})
    before = spell(tmp_path)

    assert start("init", *options, cwd=tmp_path) == Outcome(
        1, "", f"jsorc: {tmp_path / there} is there already; nothing was written\n"
    )
    assert spell(tmp_path) == before


@pytest.mark.parametrize("there", ["templates", "templates/mail"])
def test_a_file_in_the_place_of_a_folder(tmp_path: Path, there: str) -> None:
    """It is named before anything is written, and no git repository is begun."""
    put(tmp_path, {there: "# mine\n"})
    before = spell(tmp_path)

    assert start("init", cwd=tmp_path) == Outcome(
        1, "", f"jsorc: {tmp_path / there} is no folder; nothing was written\n"
    )
    assert spell(tmp_path) == before


def test_a_second_time(tmp_path: Path) -> None:
    """In a repository that has a jsorc.yaml, what adds a service is told, and nothing is written."""
    put(tmp_path, {"jsorc.yaml": "# mine\n", "templates/mail/service.yaml": ""})
    before = spell(tmp_path)

    assert start("init", cwd=tmp_path) == Outcome(
        1,
        "",
        f"jsorc: {tmp_path}/jsorc.yaml is there already; nothing was written; "
        "jsorc init --service NAME adds a service\n",
    )
    assert spell(tmp_path) == before


def test_a_service_that_is_not_shipped(tmp_path: Path) -> None:
    """A name nobody knows is a usage error that lists the services there are."""
    done = start("init", "--service", "reddis", cwd=tmp_path)

    assert done.code == 2
    assert "jsorc ships no service 'reddis'; it has " in done.err
    assert spell(tmp_path) == {}


def test_jsorc_itself_is_not_kept_alive(tmp_path: Path) -> None:
    """It comes with the others, but jsorc does not apply its own rights, and that is told."""
    root = tmp_path / "fleet"
    root.mkdir()

    done = start("init", "--service", "jsorc", "--service", "mail", cwd=root)

    assert list_services(root) == ["jsorc", "mail"]
    assert "keep_alive: [mail]" in (root / "jsorc.yaml").read_text()
    assert "\njsorc stays out of keep_alive where jsorc itself applies the tree: docs/cron.md.\n" in done.out
