"""The API server restarted while a pass is under way: what is waited for, and what the next pass ends."""

import secrets
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread

import pytest

from jsorc_gitops.adapters.cluster import IN_FLIGHT
from tests.controlplane.proxy import Cut, Fault, Proxy, Request
from tests.controlplane.server import ControlPlane
from tests.journeys.scratch import Done, end
from tests.journeys.test_ownership import WEB, Tree, is_calm
from tests.waiting import wait_until

pytestmark = pytest.mark.real

WRITE = r"^PATCH (?!.*dryRun)"
COUNT = 40  # more than are under way at once
BROKE = "broke before it answered; whether it did what it was asked, the next pass sees"


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A control plane of our own, since it is stopped again and again."""
    made = ControlPlane.start(tmp_path_factory.mktemp("plane"))
    yield made
    made.stop()


@pytest.fixture
def proxy(plane: ControlPlane) -> Iterator[Proxy]:
    """Stands for the API server's port, so that it can be stopped at a request of our choice."""
    with Proxy(plane) as made:
        yield made


@pytest.fixture
def tree(tmp_path: Path, plane: ControlPlane) -> Tree:
    """Half of the objects are there and are to be changed, two are to go, the other half is to be made."""
    made = Tree(tmp_path / "repository", plane, f"test-{secrets.token_hex(4)}")
    made.say(*(config(number, "1") for number in range(COUNT // 2 + 2)))
    assert made.reconcile().code == 0
    made.say(*(config(number, "2") for number in range(2, COUNT + 2)))
    return made


def config(number: int, value: str) -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: map-{number}}}\ndata: {{a: '{value}'}}\n"


class Restart:
    """Restarts the API server when a request of a kind comes in; `fault` is what that one meets."""

    def __init__(self, plane: ControlPlane, proxy: Proxy) -> None:
        self._plane = plane
        self._proxy = proxy
        self._back = Thread(target=self._come_back)
        self._begun = Event()

    def at(self, match: str, number: int) -> None:
        """The one that breaks is the n-th that matches; what is under way then breaks, too."""
        left = number

        def stop(_: Request) -> Fault | None:
            nonlocal left
            left -= 1
            if left:
                return None
            self._proxy.go_away()
            self._plane.stop_apiserver()
            self._back.start()
            self._begun.set()
            return Cut()

        self._proxy.misbehave(stop, match=match)

    def _come_back(self) -> None:
        self._plane.start_apiserver()
        self._proxy.behave()
        self._proxy.come_back()

    def wait(self) -> None:
        assert self._begun.wait(60)
        self._back.join()


@pytest.fixture
def restart(plane: ControlPlane, proxy: Proxy) -> Restart:
    return Restart(plane, proxy)


def reconcile(tree: Tree, proxy: Proxy) -> Done:
    return tree.reconcile("--kubeconfig", str(proxy.kubeconfig_for()))


def values(tree: Tree) -> dict[str, str]:
    listed = tree.scratch.read("configmaps", "-n", tree.namespace)["items"]
    names = ((each["metadata"]["name"], each) for each in listed)
    return {name: each["data"]["a"] for name, each in names if name.startswith("map-")}


EXPECTED = {f"map-{number}": "2" for number in range(2, COUNT + 2)}


@pytest.mark.parametrize(
    ("match", "number"),
    [
        ("^GET .*/configmaps.jsorc.state", 1),
        (r"^GET .*/configmaps\?", 1),
        ("dryRun=All", 1),
        ("dryRun=All", COUNT),
    ],
)
def test_where_nothing_is_written_the_pass_goes_on(
    tree: Tree, proxy: Proxy, restart: Restart, match: str, number: int
) -> None:
    """What reads and what is dry-run waits for the server and is asked again; the pass ends as if nothing was."""
    restart.at(match, number)

    done = reconcile(tree, proxy)

    restart.wait()
    assert done.code == 0, done.output
    assert values(tree) == EXPECTED
    assert is_calm(reconcile(tree, proxy))


@pytest.mark.parametrize(
    ("match", "number"),
    [
        ("^PUT .*/leases/", 1),
        ("^PUT .*/configmaps/jsorc.state", 1),
        (WRITE, 1),
        (WRITE, COUNT // 2),
        (WRITE, COUNT),
        ("^DELETE .*", 1),
        ("^PUT .*/configmaps/jsorc.state", 2),
    ],
)
def test_a_write_of_unknown_fate_ends_in_one_error(
    tree: Tree, proxy: Proxy, restart: Restart, match: str, number: int
) -> None:
    """It is not sent again. What could not be sent waits and is done; exit 1, and the next pass converges."""
    restart.at(match, number)

    done = reconcile(tree, proxy)

    restart.wait()
    assert done.code == 1
    assert 1 <= done.output.count(BROKE) <= IN_FLIGHT
    assert "does not answer" not in done.output
    sent = Counter(str(each) for each in proxy.requests if "dryRun" not in each.path and each.method == "PATCH")
    assert set(sent.values()) <= {1}
    if (match, number) == (WRITE, 1):
        assert len(values(tree)) > IN_FLIGHT + 4
    assert reconcile(tree, proxy).code == 0
    assert values(tree) == EXPECTED
    assert is_calm(reconcile(tree, proxy))


def test_what_waits_survives(tree: Tree, proxy: Proxy, plane: ControlPlane, restart: Restart) -> None:
    """--wait goes on watching where it was, and sees what became ready after that."""
    tree.say(WEB.replace("replicas: 0", "replicas: 1"))
    restart.at("watch=true", 2)
    process = tree.scratch.start_jsorc(
        "reconcile", "--wait", "--allow-prune", "--kubeconfig", str(proxy.kubeconfig_for())
    )

    restart.wait()
    wait_until(lambda: (tree.read("pods", "--selector=app=web") or {}).get("items"), what="a pod")
    assert process.poll() is None
    plane.mark_pods(tree.namespace, "ready")

    output, _ = process.communicate()
    assert process.returncode == 0, output


def test_a_loop_survives(tree: Tree, proxy: Proxy, restart: Restart) -> None:
    """It tells what broke, and a later pass does the rest."""
    tree.scratch.write("jsorc.yaml", f"namespace: {tree.namespace}\ninterval: 0.5\n")
    tree.scratch.commit("Be quick")
    restart.at(WRITE, 5)
    process = tree.scratch.start_jsorc("reconcile", "--loop", "--kubeconfig", str(proxy.kubeconfig_for()))

    restart.wait()
    wait_until(lambda: values(tree) == EXPECTED, what="a later pass has converged")

    code, output = end(process, signal.SIGTERM)
    assert code == 0
    assert BROKE in output
