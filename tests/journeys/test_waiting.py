"""What a person is told while a pass waits, and how little a log is."""

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.controlplane.server import ControlPlane
from tests.journeys.scratch import Scratch
from tests.journeys.test_ownership import Tree
from tests.waiting import wait_until

pytestmark = pytest.mark.real

COMMAND = [sys.executable, "-m", "jsorc_gitops"]
SEALED = "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: web}}\nimmutable: true\ndata: {{a: '{value}'}}\n"


class Terminal:
    """A run of jsorc on a terminal of so many columns; `seen` is all that it got."""

    def __init__(self, scratch: Scratch, *arguments: str, columns: int = 80, colours: bool = False) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        env = {**scratch.env, "TERM": "xterm-256color", "NO_COLOR": "" if colours else "1"}
        self.process = subprocess.Popen(
            [*COMMAND, *arguments], cwd=scratch.folder, env=env, stdout=theirs, stderr=theirs
        )
        os.close(theirs)
        self.seen = ""

    def read_until(self, text: str) -> None:
        """Wait for a text, or for the end of all."""
        while text not in self.seen:
            try:
                part = os.read(self._ours, 1 << 16)
            except OSError:  # how Linux says that the other side is closed
                return
            self.seen += part.decode()

    def finish(self) -> int:
        """Wait for the end; the exit code."""
        self.read_until("\0 never comes")
        os.close(self._ours)
        return self.process.wait()

    @property
    def lines(self) -> list[str]:
        """What stood in the one line, one after the other, each until it was taken away."""
        return [each.rpartition("\n")[2] for each in self.seen.split("\r\x1b[K")]


@pytest.fixture
def tree(tmp_path: Path, controlplane: ControlPlane, namespace: str) -> Tree:
    tree = Tree(tmp_path / "repository", controlplane, namespace)
    tree.say("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n")
    return tree


def hold(tree: Tree, holder: str) -> None:
    """Have somebody hold the Lease; "" gives it back."""
    lease = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "jsorc.default"},
        "spec": {"holderIdentity": holder} if holder else {},
    }
    tree.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=json.dumps(lease))


def test_the_lease_on_a_terminal(tree: Tree) -> None:
    """Who holds it, and how long that takes already; gone when it is over; control characters are not obeyed."""
    hold(tree, "laptop-\x1b[2Ja")
    terminal = Terminal(tree.scratch, "reconcile")
    terminal.read_until("(2 s)")
    hold(tree, "")
    code = terminal.finish()

    counted = f"waiting for Lease/{tree.namespace}/jsorc.default, held by laptop-\ufffd[2Ja ({{}} s)"
    assert code == 0
    assert [each for each in terminal.lines if each in {counted.format(1), counted.format(2)}] != []
    assert "\x1b[2J" not in terminal.seen
    assert "waiting" not in terminal.lines[-1]
    assert "ConfigMap/" in terminal.seen.rpartition("\x1b[K")[2]


def test_a_narrow_terminal(tree: Tree) -> None:
    """What does not fit is cut, since a second row would stay; the seconds are there."""
    hold(tree, "laptop")
    terminal = Terminal(tree.scratch, "reconcile", columns=40)
    terminal.read_until("… (2 s)")
    hold(tree, "")

    assert terminal.finish() == 0
    waits = [each for each in terminal.lines if each.startswith("waiting")]
    assert waits != []
    assert all(re.fullmatch(r".{32}… \(\d s\)", each) for each in waits), waits


def test_the_lease_in_a_log(tree: Tree, tmp_path: Path) -> None:
    """One line, when it takes more than some seconds."""
    hold(tree, "laptop")
    log = tmp_path / "log"
    with log.open("w") as sink:
        process = subprocess.Popen(
            [*COMMAND, "reconcile"],
            cwd=tree.scratch.folder,
            env=tree.scratch.env,
            stdout=subprocess.DEVNULL,
            stderr=sink,
        )
        wait_until(log.read_text, what="a line about the Lease")
        hold(tree, "")

    assert process.wait() == 0
    assert log.read_text() == f"waiting for Lease/{tree.namespace}/jsorc.default, held by laptop\n"


@pytest.fixture
def held(tree: Tree) -> Iterator[Tree]:
    """A ConfigMap that a finalizer of somebody holds, about to be made anew."""
    tree.say(SEALED.format(value=1), recreate="allow")
    assert tree.reconcile().code == 0
    tree.kubectl("patch", "configmap/web", "-p", '{"metadata": {"finalizers": ["example.com/hold"]}}')
    assert tree.reconcile().code == 0
    tree.say(SEALED.format(value=2), recreate="allow")
    yield tree
    free(tree)


def free(tree: Tree) -> None:
    tree.kubectl("patch", "configmap/web", "--type=merge", "-p", '{"metadata": {"finalizers": null}}')


def test_what_is_made_anew(held: Tree) -> None:
    """The old one is waited for by name."""
    terminal = Terminal(held.scratch, "reconcile")
    terminal.read_until("to be gone (")
    free(held)

    assert terminal.finish() == 0
    assert f"waiting for ConfigMap/{held.namespace}/web to be gone (" in terminal.seen
    assert f"ConfigMap/{held.namespace}/web recreated" in terminal.seen
