"""Many deliveries at once, and deliveries that are killed: processes of their own, a real git server."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from itertools import count
from pathlib import Path

import pytest

from jsorc_gitops.model.layout import FOLDER
from tests.adapters.delivering import Renderer
from tests.adapters.team import Team, change, make_config
from tests.render.worktree import Worktree

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
SERVICES = [f"s{number}" for number in range(10)]


def start(work: Worktree, *arguments: str, **environment: str) -> "subprocess.Popen[str]":
    """Start a delivery; it waits for a line."""
    command = [sys.executable, "-m", "tests.adapters.delivering", str(work.root), *arguments]
    pipe = subprocess.PIPE
    environment = {**os.environ, **environment}
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
        text=True,
        start_new_session=True,
    )


def finish_all(processes: Sequence["subprocess.Popen[str]"]) -> list[str]:
    """Let all of them go at once; what each of them said."""
    for each in processes:
        print(file=each.stdin, flush=True)
    return ["".join(each.communicate()) for each in processes]


def read_history(team: Team, branch: str, form: str) -> list[str]:
    return team.git("log", f"--format={form}", branch).split()


def test_ten_clones_at_once(team: Team) -> None:
    """Ten clones with a change and a consent each push at once: one line of commits, nothing lost."""
    first = team.clone("seed")
    first.commit({path: text for name in SERVICES for path, text in make_config(name, "0").items()})
    Renderer(first.root).commit()
    first.git("push", "--quiet")
    clones = {name: team.clone(name) for name in SERVICES}
    edits = []
    for name, work in clones.items():
        work.git("pull", "--quiet")
        edits.append(change(work, make_config(name, f"of {name}"), f"Edit {name}"))

    said = finish_all([start(work, name) for name, work in clones.items()])

    assert said == ["pushed\n"] * 10
    assert team.git("rev-list", "--merges", "main") == ""
    assert set(edits) < set(read_history(team, "main", "%H"))
    consents = read_history(team, "main", "%(trailers:key=Jsorc-Prune,valueonly)")
    assert sorted(consents) == SERVICES
    assert len(read_history(team, "main", "%(trailers:key=Jsorc-Digest,valueonly)")) == 12
    last = team.clone("last")
    for name, work in clones.items():
        assert f"value: of {name}\n" in (last.root / FOLDER / name / "ConfigMap.yaml").read_text()
        assert work.git("status", "--porcelain") == ""
        assert team.git("merge-base", work.git("rev-parse", "HEAD"), "main") == work.git("rev-parse", "HEAD")
    assert Renderer(last.root).commit() is None


def test_ten_clones_at_once_on_a_branch(team: Team) -> None:
    """On a rendered branch that is not there yet, ten clones of ten commits make one line, the newest last."""
    clones = []
    for name in SERVICES:
        work = team.clone(name)
        change(work, make_config("redis", f"of {name}"), f"Edit {name}")
        clones.append(work)
    heads = [work.git("rev-parse", "HEAD") for work in clones]

    said = finish_all([start(work, "--branch", "live") for work in clones])

    assert set(said) <= {"pushed\n", "newer\n"}
    assert team.git("rev-list", "--merges", "live") == ""
    assert team.git("rev-list", "--count", "--max-parents=0", "live") == "1"
    sources = read_history(team, "live", "%(trailers:key=Jsorc-Source,valueonly)")
    order = [heads.index(source) for source in reversed(sources)]
    assert (order, order[-1]) == (sorted(order), 9)
    text = team.git("show", f"live:{FOLDER}/redis/ConfigMap.yaml")
    assert "value: of s9\n" in text


# From the first push on, it counts what git is to change, and kills who asks when the time has come.
DEADLY_GIT = """#!/bin/sh
case " $* " in
  *" push "*) touch "$SCENE/armed" ;;
  *" fetch "*|*" update-ref "*|*" checkout "*|*" read-tree "*|*" update-index "*|*" commit "*) ;;
  *) exec {git} "$@" ;;
esac
if [ -e "$SCENE/armed" ]; then
  echo "$*" >> "$SCENE/asked"
  [ "$(wc -l < "$SCENE/asked")" -eq "$KILL_AT" ] && kill -KILL $PPID && exit 1
fi
exec {git} "$@"
"""


def test_a_delivery_that_is_killed(team: Team, tmp_path: Path) -> None:
    """Killed at any moment, the clone is where it was or where theirs is, and the next run completes it."""
    mine = team.clone("mine")
    Renderer(mine.root).commit(allow_prune=["redis"])
    ours = mine.git("rev-parse", "HEAD")
    change(team.clone("other"), make_config("redis", "theirs"), "theirs")
    theirs = team.git("rev-parse", "main")
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "git"
    program.write_text(DEADLY_GIT.format(git=shutil.which("git")))
    program.chmod(0o755)

    killed: set[str] = set()
    for moment in count(1):
        scene = tmp_path / f"scene{moment}"
        shutil.copytree(mine.path, scene / "work", symlinks=True)
        work = Worktree(scene / "work")
        team.git("update-ref", "refs/heads/main", theirs)
        path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
        process = start(work, PATH=path, SCENE=str(scene), KILL_AT=str(moment))
        finish_all([process])
        if process.returncode == 0:
            break

        assert process.returncode == -signal.SIGKILL
        killed |= set((scene / "asked").read_text().splitlines()[-1].split())
        head = work.git("rev-parse", "HEAD")
        assert head in {ours, theirs} or work.git("rev-parse", "HEAD~1") == theirs
        names = [name for name in ("HEAD", "ORIG_HEAD") if (work.path / ".git" / name).exists()]
        assert "redis" in work.git("log", "--format=%(trailers:key=Jsorc-Prune,valueonly)", *names)
        touched = [line[3:] for line in work.git("status", "--porcelain").splitlines()]
        assert all(path.startswith("rendered/") for path in touched)
        again = Renderer(work.root)
        again.commit(allow_prune=["redis"])
        again.push()
        assert work.git("status", "--porcelain") == ""
        assert team.git("rev-parse", "main") == work.git("rev-parse", "HEAD")
        assert theirs in read_history(team, "main", "%H")
        assert "redis" in read_history(team, "main", "%(trailers:key=Jsorc-Prune,valueonly)")

    assert {"push", "fetch", "update-ref", "checkout", "read-tree", "update-index", "commit"} <= killed


def test_an_interrupt_while_files_are_moved(team: Team, tmp_path: Path) -> None:
    """^C at the terminal does not reach git while it moves the work tree; then it goes back to where it was."""
    mine = team.clone("mine")
    Renderer(mine.root).commit(allow_prune=["redis"])
    before = mine.git("rev-parse", "HEAD")
    change(team.clone("other"), {".gitattributes": "b filter=slow\n", "a": "1", "b": "1", "c": "1"})
    entered, released = tmp_path / "entered", tmp_path / "released"
    for fifo in (entered, released):
        os.mkfifo(fifo)
    mine.git("config", "filter.slow.smudge", f"echo > {entered}; read _ < {released}; cat")

    process = start(mine)
    print(file=process.stdin, flush=True)
    entered.read_text()
    os.killpg(process.pid, signal.SIGINT)
    released.write_text("go on\n")
    process.communicate()
    assert mine.git("rev-parse", "HEAD") == before
    assert mine.git("status", "--porcelain") == ""
