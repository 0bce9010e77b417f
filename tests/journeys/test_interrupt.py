"""^C at any moment of jsorc render: exit code 130, no more than one line, and nothing that is half done."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from jsorc_gitops.cli import run
from tests.adapters.test_python import find_group
from tests.machine import hear_interrupts
from tests.render.builders import make_object
from tests.render.worktree import Worktree
from tests.waiting import wait_until

Start = Callable[..., subprocess.Popen[str]]

RENDER = ("-m", "jsorc_gitops", "render")
GIT = """\
#!/bin/sh
# The git before us on PATH, which tells jsorc to end at the call it is asked to.
echo "$1" >> "$CALLS"
moment=$(wc -l < "$CALLS")
if [ "$moment.after" = "$MOMENT" ]; then
    "$GIT" "$@"
    status=$?
    kill -INT $PPID
    exit $status
fi
[ "$moment.before" = "$MOMENT" ] && kill -INT $PPID
exec "$GIT" "$@"
"""
RENAMES = """\
import os, signal, sys
from jsorc_gitops.__main__ import main

moment, replace, seen = int(sys.argv.pop(1)), os.replace, []

def interrupted(*arguments, **more):
    seen.append(1)
    if len(seen) == moment:
        os.kill(os.getpid(), signal.SIGINT)
    replace(*arguments, **more)

os.replace = interrupted
main()
"""
HANG = """\
import os, signal
if os.environ["TZ"] == {zone!r}:
    with open({started!r}, "w") as sink:
        sink.write(str(os.getpid()))
    while True: signal.pause()
KUBE = []
"""


@pytest.fixture
def work(tmp_path: Path) -> Worktree:
    """A rendered repository with a change to render, and something else that is staged."""
    work = Worktree(tmp_path / "work")
    work.commit({"jsorc.yaml": "", "templates/app/app.yaml": make_object(more="data: {a: '1'}\n")})
    assert run(["-C", str(work.root), "render", "--commit"]) == 0
    texts = {f"templates/{name}/a.yaml": make_object(name=name) for name in ("one", "two")}
    work.commit({**texts, "templates/app/app.yaml": make_object(more="data: {a: '2'}\n")})
    work.write({"half": "done"})
    work.git("add", "half")
    return work


@pytest.fixture
def start(work: Worktree) -> Iterator[Start]:
    """Runs Python with these arguments in a session of its own, as in a terminal; ends it with the test."""
    processes = []

    def call(*arguments: str, **environment: str) -> subprocess.Popen[str]:
        with hear_interrupts():
            process = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=work.root,
                env={**os.environ, **environment},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
        processes.append(process)
        return process

    yield call
    for process in processes:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def interrupt(process: subprocess.Popen[str], *, terminal: bool = False) -> str:
    """^C, to jsorc alone or as the terminal sends it, to all that it has started; what it printed."""
    (os.killpg if terminal else os.kill)(process.pid, signal.SIGINT)
    return finish(process)


def finish(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert len(err.splitlines()) <= 1, err
    return out


def check_state(work: Worktree, heads: set[str]) -> str:
    """HEAD is one of these, or a whole render commit on top; the index is HEAD's, and what was staged before."""
    head = work.git("rev-parse", "HEAD")
    assert head in heads or work.git("rev-parse", "HEAD~1") in heads
    assert work.git("diff", "--cached", "--name-only") == "half"
    assert list((work.path / ".git").glob("*.lock")) == []
    assert list((work.root / "rendered").rglob(".*")) == []
    return head


def check_repaired(work: Worktree, *options: str) -> None:
    """The next run makes it what it should be."""
    assert run(["-C", str(work.root), "render", "--commit", *options]) == 0
    assert work.git("status", "--porcelain") == "A  half"
    assert (work.root / "rendered/two/ConfigMap.yaml").exists()


@pytest.mark.parametrize("moment", [1, 4, 8])
def test_while_files_are_written(work: Worktree, start: Start, moment: int) -> None:
    """Some files are there whole, the others are as they were; the next run writes the rest."""
    head = work.git("rev-parse", "HEAD")

    finish(start("-c", RENAMES, str(moment), "render"))

    assert check_state(work, {head}) == head
    touched = work.git("status", "--porcelain", "--untracked-files=all", "--", "rendered").splitlines()
    assert len(touched) == moment - 1
    check_repaired(work)


@pytest.mark.parametrize("when", ["before", "after"])
def test_at_every_call_of_git(work: Worktree, start: Start, tmp_path: Path, when: str) -> None:
    """Whatever git is asked for by --commit, an interrupt there leaves HEAD and index as they were, or as they
    should be.
    """
    head, calls = work.git("rev-parse", "HEAD"), tmp_path / "calls"
    wrap_git(tmp_path)
    asked: list[str] = []
    heads = []
    for moment in range(1, 100):
        calls.write_text("")
        process = start(*RENDER, "--commit", **tell_git(tmp_path, f"{moment}.{when}"))
        out, err = process.communicate(timeout=60)
        asked = calls.read_text().split()
        if len(asked) < moment:
            break
        assert (process.returncode, len(err.splitlines())) in {(130, 0), (130, 1)}, (out, err)
        heads.append(check_state(work, {head}))
        check_repaired(work)
        work.git("reset", "--quiet", "--soft", head)
        work.git("reset", "--quiet", "--", "rendered")
    assert {"version", "status", "write-tree", "read-tree", "update-index", "commit"} <= {*asked}
    # Once the commit is made, it stays.
    assert (heads[0], heads[-1] == head) == (head, False)


def wrap_git(folder: Path) -> None:
    (folder / "bin").mkdir()
    (folder / "bin/git").write_text(GIT)
    (folder / "bin/git").chmod(0o755)


def tell_git(folder: Path, moment: str) -> dict[str, str]:
    found = subprocess.run(["sh", "-c", "command -v git"], capture_output=True, text=True, check=True)
    path = f"{folder / 'bin'}:{os.environ['PATH']}"
    return {"PATH": path, "GIT": found.stdout.strip(), "CALLS": str(folder / "calls"), "MOMENT": moment}


@pytest.mark.parametrize(("zone", "options"), [("UTC", ()), ("XYZ-13", ("--check", "--determinism"))])
def test_while_a_definition_hangs(
    work: Worktree, start: Start, tmp_path: Path, zone: str, options: tuple[str, ...]
) -> None:
    """It is killed, also where the second rendering of --determinism has started it; nothing is written."""
    started = tmp_path / "started"
    code = HANG.format(zone=zone, started=str(started))
    work.commit({"templates/hang/service.yaml": "python: hang:KUBE\n", "templates/hang/hang.py": code})
    before = work.snapshot()

    process = start(*RENDER, *options)
    group = int(wait_for(started))
    interrupt(process)

    assert work.snapshot() == before
    wait_until(lambda: not list(find_group(group)), what="the end of the definition's processes")


def wait_for(path: Path) -> str:
    """The text of a file that somebody else writes."""
    return wait_until(lambda: path.read_text() if path.exists() else "", what=f"{path.name} is written")


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize("name", ["pre-commit", "prepare-commit-msg", "commit-msg"])
def test_while_a_hook_runs(work: Worktree, start: Start, tmp_path: Path, name: str, *, terminal: bool) -> None:
    """Git has ended when jsorc has: no commit comes after it, whatever the hook does then."""
    started, released = tmp_path / "started", tmp_path / "released"
    os.mkfifo(released)
    work.add_hook(name, f"echo 1 > {started}; read _ < {released}")
    head = work.git("rev-parse", "HEAD")

    process = start(*RENDER, "--commit")
    wait_for(started)
    interrupt(process, terminal=terminal)

    release(released)
    assert check_state(work, {head}) == head
    (work.path / f".git/hooks/{name}").unlink()
    check_repaired(work)


def release(fifo: Path) -> None:
    """Let whoever reads there go on; opened for both, so that it does not wait for one that is gone."""
    handle = os.open(fifo, os.O_RDWR)
    os.write(handle, b"go on\n")
    os.close(handle)


def test_after_the_commit(work: Worktree, start: Start, tmp_path: Path) -> None:
    """While post-commit runs the commit is made: it stays, and the index is its own."""
    started, released = tmp_path / "started", tmp_path / "released"
    os.mkfifo(released)
    work.add_hook("post-commit", f"echo 1 > {started}; read _ < {released}")
    head = work.git("rev-parse", "HEAD")

    process = start(*RENDER, "--commit")
    wait_for(started)
    interrupt(process)

    release(released)
    assert check_state(work, {head}) != head
    check_repaired(work)


@pytest.mark.parametrize("options", [("--commit",), ("--branch", "env")])
def test_while_the_server_takes_its_time(
    work: Worktree, start: Start, tmp_path: Path, options: tuple[str, ...]
) -> None:
    """The commit is made here, and perhaps there; the next run brings it there, or finds it."""
    started, released, server = (tmp_path / name for name in ("started", "released", "server"))
    os.mkfifo(released)
    work.git("init", "--quiet", "--bare", str(server))
    work.git("remote", "add", "origin", str(server))
    hook = server / "hooks/pre-receive"
    hook.write_text(f"#!/bin/sh\necho 1 > {started}; read _ < {released}\n")
    hook.chmod(0o755)
    head = work.git("rev-parse", "HEAD")

    process = start(*RENDER, *options, "--push")
    wait_for(started)
    interrupt(process)

    release(released)
    hook.unlink()
    check_state(work, {head})
    branch = options[1] if len(options) > 1 else "main"
    assert run(["-C", str(work.root), "render", *options, "--push"]) == 0
    assert work.git("ls-remote", "origin", branch).split()[0] == work.git("rev-parse", branch)


def test_twice(work: Worktree, start: Start, tmp_path: Path) -> None:
    """A second ^C does not keep the first one from putting the index back."""
    wrap_git(tmp_path)
    head, calls = work.git("rev-parse", "HEAD"), tmp_path / "calls"
    started, released = tmp_path / "started", tmp_path / "released"
    os.mkfifo(released)
    work.add_hook("pre-commit", f"echo 1 > {started}; read _ < {released}")
    calls.write_text("")
    # The call after that of commit is made while things are put back.
    process = start(*RENDER, "--commit", **tell_git(tmp_path, "0"))
    wait_for(started)
    number = len(calls.read_text().split())
    interrupt(process)
    release(released)

    calls.write_text("")
    started.unlink()
    process = start(*RENDER, "--commit", **tell_git(tmp_path, f"{number + 1}.before"))
    wait_for(started)
    interrupt(process, terminal=True)

    release(released)
    assert len(calls.read_text().split()) > number + 1
    assert check_state(work, {head}) == head


def test_while_it_starts(start: Start, tmp_path: Path) -> None:
    """While modules are still being imported, too, there is no traceback."""
    click = tmp_path / "slow/click.py"
    click.parent.mkdir()
    click.write_text(f"import signal\nopen({str(tmp_path / 'started')!r}, 'w').write('1')\nsignal.pause()\n")

    process = start(*RENDER, PYTHONPATH=str(click.parent))
    wait_for(tmp_path / "started")

    interrupt(process)
