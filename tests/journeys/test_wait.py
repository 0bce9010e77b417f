"""jsorc reconcile --wait: it stays for the pods, whatever becomes of its watches, and ends when it is told to."""

import json
import re
import signal
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest
from click.testing import CliRunner

from jsorc_gitops.cli import cli
from jsorc_gitops.reconcile import images
from tests.controlplane.proxy import Delay, Fault, Proxy, Reply
from tests.controlplane.server import ControlPlane
from tests.journeys.test_interrupted_pass import gives_back
from tests.journeys.test_ownership import WEB, Tree
from tests.journeys.test_waiting import Terminal
from tests.machine import hear_interrupts
from tests.waiting import wait_until

pytestmark = pytest.mark.real

Start = Callable[..., Popen[str]]

ONE = WEB.replace("replicas: 0", "replicas: 1")
WATCH, LIST, LEASE = "watch=true", r"^GET .*/(deployments|pods)\?limit=", "/leases/"


def tell_pods(state: str) -> str:
    """The Deployment, whose pods are told from the beginning what to be."""
    return ONE.replace(
        "metadata: {labels: {app: web}}",
        f"metadata: {{labels: {{app: web}}, annotations: {{test.jsorc/pods: {state}}}}}",
    )


@pytest.fixture
def proxy(controlplane: ControlPlane) -> Iterator[Proxy]:
    with Proxy(controlplane) as proxy:
        yield proxy


@pytest.fixture
def tree(tmp_path: Path, controlplane: ControlPlane, namespace: str) -> Tree:
    """A Deployment of one pod, which stays at ContainerCreating until it is told otherwise."""
    tree = Tree(tmp_path / "repository", controlplane, namespace)
    tree.say(ONE)
    return tree


@pytest.fixture
def start(tree: Tree, proxy: Proxy) -> Iterator[Start]:
    """Starts a pass through the proxy that waits, and returns when its watches have begun."""
    processes = []

    def call(*options: str) -> Popen[str]:
        path = str(proxy.kubeconfig_for())
        with hear_interrupts():
            process = tree.scratch.start_jsorc("reconcile", "--wait", "--kubeconfig", path, *options)
        processes.append(process)
        wait_until(lambda: count_watches(proxy) >= 2, what="the Deployment and its pods are watched")
        return process

    yield call
    for process in processes:
        process.kill()
        process.wait()


def count_watches(proxy: Proxy) -> int:
    """How many the API server has begun."""
    return sum(bool(re.search(WATCH, str(each.request))) for each in proxy.answers)


def mark(tree: Tree, state: Any) -> None:
    """Tell the pod what to be, as soon as it is there."""

    def told() -> bool:
        try:
            return bool(tree.scratch.controlplane.mark_pods(tree.namespace, state))
        except LookupError:
            return False

    wait_until(told, what="a pod")


def test_it_stays_until_the_pod_is_ready(tree: Tree, proxy: Proxy, start: Start) -> None:
    """Meanwhile nothing but the Lease is asked for, and every change of the verdict is told; then exit code 0."""
    process = start("--output", "json")
    wait_until(lambda: (tree.read("pods", "--selector=app=web") or {}).get("items"), what="a pod")
    renewals, others = proxy.count(LEASE), proxy.count() - proxy.count(LEASE)
    wait_until(lambda: proxy.count(LEASE) > renewals, what="the lease is renewed")
    assert proxy.count() - proxy.count(LEASE) == others
    assert process.poll() is None
    mark(tree, "ready")
    output, _ = process.communicate()

    events = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    told = [(each["status"], each["message"]) for each in events if each["event"] == "health"]
    assert told[0][0] == "progressing"
    assert told[-1] == ("current", "1 pod ready")
    assert len(told) == len(set(told))
    assert (process.returncode, events[-1]["exitCode"]) == (0, 0)
    assert proxy.count(WATCH) == 2


def test_a_pass_with_nothing_to_change_stays_as_well(tree: Tree, start: Start) -> None:
    """For what one before it has begun."""
    assert tree.reconcile().code == 0
    process = start("--verbose")
    mark(tree, "ready")
    output, _ = process.communicate()

    assert process.returncode == 0
    assert f"Deployment/{tree.namespace}/web current: 1 pod ready" in output
    assert ": nothing to do (" in output


def test_a_pod_that_fails_for_good_ends_it(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """As soon as that has lasted, long before the time is up: exit code 4, and why."""
    monkeypatch.setattr(images, "PATIENCE", timedelta(seconds=1))
    monkeypatch.setenv("KUBECONFIG", tree.scratch.env["KUBECONFIG"])
    tree.say(tell_pods("image-pull"))
    begin = time.monotonic()
    arguments = ["-C", str(tree.scratch.folder), "reconcile", "--wait"]
    result = CliRunner().invoke(cli, arguments, standalone_mode=False)

    assert result.return_value == 4, result.output
    assert re.search(r"web failed: 0 of 1 pod [^:]+: pod web-\S+: container main: image web:1", result.output)
    assert "ran out" not in result.output
    assert time.monotonic() - begin < 60


def test_the_time_runs_out(tree: Tree) -> None:
    """Exit code 4, and what it ran out for."""
    done = tree.reconcile("--wait", "--timeout", "2s")

    assert done.code == 4, done.output
    assert f"warning: --wait ran out of time for Deployment/{tree.namespace}/web" in done.output
    assert f"Deployment/{tree.namespace}/web progressing: 0 of 1 pod ready" in done.output


@pytest.mark.parametrize("fault", [Delay(), Reply(status=410, reason="Expired"), Reply(status=503)], ids=str)
def test_watches_that_break_lose_nothing(tree: Tree, proxy: Proxy, start: Start, fault: Fault) -> None:
    """The pod became ready while nothing could be told."""
    process = start()
    proxy.misbehave(fault, match=WATCH)
    assert proxy.break_off(WATCH) == 2
    mark(tree, "ready")
    tree.kubectl("wait", "pods", "--all", "--for=condition=Ready")
    proxy.behave()
    output, _ = process.communicate()

    assert process.returncode == 0, output
    assert "could not be watched" not in output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_when_it_is_told_to(tree: Tree, proxy: Proxy, start: Start, number: signal.Signals) -> None:
    """At once: what was done is told, and the Lease given back, so the next pass need not wait for it."""
    process = start()
    begin = time.monotonic()
    process.send_signal(number)
    output, _ = process.communicate()

    assert time.monotonic() - begin < 3
    assert process.returncode == (130 if number is signal.SIGINT else -signal.SIGTERM)
    assert f"Deployment/{tree.namespace}/web created\n" in output
    assert f"Deployment/{tree.namespace}/web progressing: " in output
    assert gives_back(proxy.requests[-1])
    assert tree.reconcile().code == 0


def test_a_lease_that_another_takes_ends_it(tree: Tree, start: Start) -> None:
    """Exit code 5; what was done before is told."""
    process = start()
    tree.kubectl(
        "patch", "lease", "jsorc.default", "--type=merge", "-p", '{"spec": {"holderIdentity": "another"}}'
    )
    output, _ = process.communicate()

    assert process.returncode == 5
    assert "another reconciler took it over" in output
    assert f"Deployment/{tree.namespace}/web created" in output


def test_a_person_sees_what_is_waited_for(tree: Tree) -> None:
    """On a terminal: the service, and for how long already."""
    terminal = Terminal(tree.scratch, "reconcile", "--wait")
    terminal.read_until("waiting for app to be ready (1 s)")
    mark(tree, "ready")

    assert terminal.finish() == 0
    assert "waiting" not in terminal.lines[-1]


@pytest.mark.parametrize(
    "options",
    [("--wait", "--loop"), ("--wait", "--dry-run"), ("--timeout", "1m"), ("--wait", "--timeout", "soon")],
)
def test_what_makes_no_sense(tmp_path: Path, controlplane: ControlPlane, options: tuple[str, ...]) -> None:
    """In a loop the next pass tells; a dry run changes nothing; a time is for waiting. Exit code 2."""
    tree = Tree(tmp_path / "repository", controlplane, "nowhere")
    done = tree.reconcile(*options)
    assert done.code == 2
    assert "--wait" in done.output or "no duration" in done.output
