"""^C in the midst of a pass: what is under way ends before the Lease is given back, and nothing more begins."""

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import Popen

import pytest

from tests.controlplane.proxy import Delay, Proxy, Reply, Request
from tests.controlplane.server import ControlPlane
from tests.journeys.test_ownership import Tree, is_calm
from tests.machine import hear_interrupts
from tests.waiting import wait_until

pytestmark = pytest.mark.real

APPLY, STATE = "^PATCH (?!.*dryRun)", "^POST .*/configmaps"
LEASE = "^PUT .*/leases/"
IN_FLIGHT = 16
NUMBER = 40
OBJECTS = NUMBER + 2  # with the settings and a record


@pytest.fixture
def tree(tmp_path: Path, controlplane: ControlPlane, namespace: str) -> Tree:
    """Forty ConfigMaps in git, none in the cluster."""
    tree = Tree(tmp_path / "repository", controlplane, namespace)
    tree.say(*(f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: m{each}}}\n" for each in range(NUMBER)))
    return tree


@pytest.fixture
def proxy(controlplane: ControlPlane) -> Iterator[Proxy]:
    with Proxy(controlplane) as proxy:
        yield proxy


@pytest.fixture
def start(tree: Tree, proxy: Proxy) -> Iterator[Callable[[], Popen[str]]]:
    """Starts a pass through the proxy."""
    processes = []

    def call() -> Popen[str]:
        with hear_interrupts():
            process = tree.scratch.start_jsorc("reconcile", "--kubeconfig", str(proxy.kubeconfig_for()))
        processes.append(process)
        return process

    yield call
    for process in processes:
        process.kill()
        process.wait()


def gives_back(request: Request) -> bool:
    return request.method == "PUT" and json.loads(request.body)["spec"].get("holderIdentity") == ""


@pytest.mark.parametrize(("write", "number"), [(APPLY, IN_FLIGHT), (STATE, 1)])
def test_what_is_under_way_ends_before_the_lease_is_given_back(
    tree: Tree, proxy: Proxy, start: Callable[[], Popen[str]], write: str, number: int
) -> None:
    """Until then it is renewed; no other write begins, and the next pass does the rest at once."""
    proxy.misbehave(Delay(), match=write)
    process = start()
    wait_until(lambda: proxy.count(write) == number, what="writes are under way")
    renewals = proxy.count(LEASE)
    process.send_signal(signal.SIGINT)
    wait_until(lambda: proxy.count(LEASE) > renewals, what="the lease is written")
    assert not any(map(gives_back, proxy.requests))
    proxy.behave()
    output, _ = process.communicate()

    assert (process.returncode, output.strip()) == (130, "")
    assert gives_back(proxy.requests[-1])
    assert gives_back(proxy.answers[-1].request)
    applied = proxy.count(APPLY)
    assert applied == (number if write == APPLY else 0)
    done = tree.reconcile()
    assert done.code == 0, done.output
    assert f": {OBJECTS - applied} created" in done.output
    assert is_calm(tree.reconcile())


def test_a_write_that_waits_to_be_sent_again_is_not(
    tree: Tree, proxy: Proxy, start: Callable[[], Popen[str]]
) -> None:
    """The API server was busy, and says to come back later: nobody does, nor waits for it."""
    proxy.misbehave(Reply(status=429, headers={"Retry-After": "20"}), match=APPLY)
    process = start()
    wait_until(lambda: proxy.count(APPLY) == IN_FLIGHT, what="writes wait")
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=10)

    assert (process.returncode, output.strip()) == (130, "")
    assert gives_back(proxy.requests[-1])
    assert proxy.count(APPLY) == IN_FLIGHT
    assert f": {OBJECTS} created" in tree.reconcile().output
