"""Kill -9 at every write of a pass, on a real API server: what the next pass makes of it."""

import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from jsorc_gitops.reconcile.inventory import Entry, parse_state
from tests.controlplane.proxy import Cut, Fault, Proxy, Request
from tests.controlplane.server import ControlPlane
from tests.journeys.test_ownership import WEB, Tree, is_calm

pytestmark = pytest.mark.real

CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n{more}"
SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: old}\nspec: {ports: [{port: 80}]}\n"
HIDDEN = "apiVersion: v1\nkind: Secret\nmetadata: {name: new}\nstringData: {a: b}\n"
# A pass has this many writes: two of the Lease, three of the state, five applies, four deletions.
WRITES = 14


def config(name: str, more: str = "") -> str:
    return CONFIG.format(name=name, more=more)


def say_before(tree: Tree) -> None:
    """Three services: one that changes, one that goes, and one whose object cannot be changed."""
    tree.scratch.write("templates/web/objects.yaml", f"{WEB}---\n{config('web')}")
    tree.scratch.write("templates/old/objects.yaml", f"{SERVICE}---\n{config('old')}")
    tree.scratch.write("templates/sealed/service.yaml", "recreate: allow\n")
    tree.scratch.write("templates/sealed/objects.yaml", config("sealed", "immutable: true\ndata: {a: '1'}\n"))
    tree.scratch.commit("Before")


def say_after(tree: Tree) -> None:
    """Web has another image, old is gone, new is there, and sealed says something else."""
    tree.scratch.write("templates/web/objects.yaml", f"{WEB.replace('web:1', 'web:2')}---\n{config('web')}")
    tree.scratch.git("rm", "-r", "--quiet", "templates/old")
    tree.scratch.write("templates/new/service.yaml", "plainSecrets: allow\n")
    tree.scratch.write("templates/new/objects.yaml", f"{HIDDEN}---\n{config('new')}")
    tree.scratch.write("templates/sealed/objects.yaml", config("sealed", "immutable: true\ndata: {a: '2'}\n"))
    tree.scratch.commit("After")


@pytest.fixture(scope="module")
def proxy(controlplane: ControlPlane) -> Iterator[Proxy]:
    with Proxy(controlplane) as proxy:
        yield proxy


def is_write(request: Request) -> bool:
    return request.method != "GET" and "dryRun=All" not in request.path


def run_killed(tree: Tree, proxy: Proxy, number: int, *, done: bool) -> None:
    """A pass that is killed at its write of that number, when the API server has done it or before."""
    left = number

    def kill(request: Request) -> Fault | None:
        nonlocal left
        left -= is_write(request)
        if left:
            return None
        process.send_signal(signal.SIGKILL)
        process.wait()
        left = -1
        return Cut(acted=done)

    proxy.misbehave(kill)
    process = tree.scratch.start_jsorc("reconcile", "--kubeconfig", str(proxy.kubeconfig_for()))
    output, _ = process.communicate()
    proxy.behave()
    assert process.returncode == -signal.SIGKILL, output


def read_members(tree: Tree) -> Counter[str]:
    """What lies in the namespace as part of our tree."""
    kinds = "configmaps,services,secrets,deployments"
    listed = tree.scratch.read(kinds, "-n", tree.namespace, "-l", "applyset.kubernetes.io/part-of")
    return Counter(f"{each['kind']}/{each['metadata']['name']}" for each in listed["items"])


def read_inventory(tree: Tree) -> dict[str, Entry]:
    entries = parse_state(tree.read("configmap", "jsorc.state.default")).entries
    return {f"{ref.kind}/{ref.name}": each for ref, each in entries.items() if ref.kind != "Namespace"}


@pytest.mark.parametrize(("number", "done"), [(1, False), *((number, True) for number in range(1, WRITES + 1))])
def test_the_next_pass_converges(
    tmp_path: Path, controlplane: ControlPlane, namespace: str, proxy: Proxy, number: int, *, done: bool
) -> None:
    """No orphan, nothing twice, the inventory right, and nothing left to do."""
    tree = Tree(tmp_path / "repository", controlplane, namespace)
    say_before(tree)
    assert tree.reconcile().code == 0
    say_after(tree)
    run_killed(tree, proxy, number, done=done)
    # Who was killed holds the Lease until it has expired; that is shown elsewhere.
    tree.kubectl("delete", "lease", "jsorc.default", "--ignore-not-found")

    ended = tree.reconcile()

    assert ended.code == 0, ended.output
    assert is_calm(tree.reconcile())
    own = ["jsorc.settings.default", *(f"jsorc.record.default.{name}" for name in ("new", "sealed", "web"))]
    expected = ["Deployment/web", "Secret/new", *(f"ConfigMap/{name}" for name in ("new", "sealed", "web", *own))]
    assert read_members(tree) == Counter(expected)
    inventory = read_inventory(tree)
    assert sorted(inventory) == sorted(expected)
    assert {each.pending for each in inventory.values()} == {""}
    assert tree.read("configmap", "sealed")["data"] == {"a": "2"}
    [container] = tree.read("deployment", "web")["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "web:2"


def test_a_pass_has_as_many_writes(
    tmp_path: Path, controlplane: ControlPlane, namespace: str, proxy: Proxy
) -> None:
    """As the test above thinks, so that none is left out."""
    tree = Tree(tmp_path / "repository", controlplane, namespace)
    say_before(tree)
    tree.reconcile()
    say_after(tree)
    seen = len(proxy.requests)

    done = tree.reconcile("--kubeconfig", str(proxy.kubeconfig_for()))

    assert done.code == 0, done.output
    assert len([each for each in proxy.requests[seen:] if is_write(each)]) == WRITES
