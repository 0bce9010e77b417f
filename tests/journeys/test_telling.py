"""--output json while a pass is at work: events as they happen, and readers that go away."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.controlplane.proxy import Cut, Fault, Proxy, Request
from tests.controlplane.server import ControlPlane
from tests.journeys.test_ownership import Tree
from tests.reconcile.schema import check_events

pytestmark = pytest.mark.real

COMMAND = [sys.executable, "-m", "jsorc_gitops", "reconcile", "--output", "json"]


def make_map(name: str) -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n"


@pytest.fixture
def tree(tmp_path: Path, controlplane: ControlPlane, namespace: str) -> Tree:
    """`old` is applied; git says `new` instead."""
    tree = Tree(tmp_path / "repository", controlplane, namespace)
    tree.say(make_map("old"))
    assert tree.reconcile().code == 0
    tree.say(make_map("new"))
    return tree


@pytest.fixture
def proxy(controlplane: ControlPlane) -> Iterator[Proxy]:
    with Proxy(controlplane) as proxy:
        yield proxy


def read_actions(out: str) -> list[Any]:
    """[name, action] of each object told, in the order of telling."""
    events = [json.loads(line) for line in out.splitlines()]
    return [[each["object"]["name"], each["action"]] for each in events if each["event"] == "object"]


def test_a_killed_pass_has_told_what_it_did(tree: Tree, proxy: Proxy) -> None:
    """Killed -9 at its first deletion, standard output has what was applied, and the next pass tells the rest."""

    def kill(_: Request) -> Fault:
        process.send_signal(signal.SIGKILL)
        process.wait()
        return Cut()

    proxy.misbehave(kill, match="^DELETE", times=1)
    command = [*COMMAND, "--kubeconfig", str(proxy.kubeconfig_for())]
    process = subprocess.Popen(
        command, cwd=tree.scratch.folder, env=tree.scratch.env, stdout=subprocess.PIPE, text=True
    )
    out, _ = process.communicate()
    tree.kubectl("delete", "lease", "jsorc.default")
    after = tree.reconcile("--output", "json").output

    assert process.returncode == -signal.SIGKILL
    assert read_actions(out) == [["new", "create"]]
    assert read_actions(after) == [["old", "prune"]]
    check_events([json.loads(line) for line in [*out.splitlines(), *after.splitlines()]])


def break_off(tree: Tree, proxy: Proxy, *options: str) -> list[str]:
    """The lines of a pass that cannot write the state in the end: exit 1."""
    writes = iter([None, Cut()])
    proxy.misbehave(lambda _: next(writes), match="PUT .*/configmaps/jsorc.state", times=2)
    done = tree.reconcile("--kubeconfig", str(proxy.kubeconfig_for()), *options)
    assert done.code == 1
    return done.output.splitlines()


def test_a_pass_that_an_error_ends_has_told_what_it_did(tree: Tree, proxy: Proxy) -> None:
    """Its summary counts what was done, and says where."""
    *events, error, line, _ = break_off(tree, proxy, "--output", "json")
    summary = json.loads(line)

    assert read_actions("\n".join(events)) == [["new", "create"], ["old", "prune"]]
    assert json.loads(error)["event"] == "error"
    assert (summary["counts"]["prune"], summary["outcome"]) == (1, "refused")
    assert (summary["tree"], summary["cluster"], summary["dryRun"]) == ("default", proxy.url, False)
    assert summary["revision"] == tree.scratch.git("rev-parse", "HEAD").output.strip()
    assert summary["requests"]["kubernetes"] == len(proxy.requests)


def test_a_person_reads_what_was_done_before_an_error(tree: Tree, proxy: Proxy) -> None:
    """As in any report, but for the line that would sum it up; then the error."""
    *report, error = break_off(tree, proxy)

    assert report == [
        "app",
        f"  ConfigMap/{tree.namespace}/new created",
        f"  ConfigMap/{tree.namespace}/old pruned",
    ]
    assert error.startswith("jsorc: the connection to the API server")


def test_an_error_that_ends_a_dry_run(tree: Tree, proxy: Proxy) -> None:
    """It is said to be one, and of what; the API server only where it was known by then."""
    proxy.misbehave(Cut(), match="GET .*/configmaps/jsorc.state")
    revision = tree.scratch.git("rev-parse", "HEAD").output.strip()
    places = {str(proxy.kubeconfig_for()): proxy.url, "nowhere": None}
    for kubeconfig, place in places.items():
        done = tree.scratch.jsorc("diff", "--output", "json", "--kubeconfig", kubeconfig)
        summary = json.loads(done.output.splitlines()[-2])
        assert (summary["outcome"], summary["dryRun"], summary["cluster"]) == ("refused", True, place)
        assert (summary["tree"], summary["revision"]) == ("default", revision)
        assert (summary["requests"]["kubernetes"] > 0) == (place is not None)


def test_a_reader_that_goes_away(tree: Tree) -> None:
    """The pass does all of its work, and is then ended as other tools are."""
    ours, theirs = os.pipe()
    process = subprocess.Popen(COMMAND, cwd=tree.scratch.folder, env=tree.scratch.env, stdout=theirs)
    os.close(theirs)
    os.close(ours)

    assert process.wait() == -signal.SIGPIPE
    assert not tree.reconcile().output


def test_a_full_disk(tree: Tree) -> None:
    """The pass does all of its work, and says that what it printed is cut short: exit 1."""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            COMMAND,
            cwd=tree.scratch.folder,
            env=tree.scratch.env,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )

    assert done.returncode == 1
    assert "No space left on device; what was printed is cut short" in done.stderr
    assert not tree.reconcile().output
