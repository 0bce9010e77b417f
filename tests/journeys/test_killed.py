"""Kill -9 at every write of a pass, on a real API server and a real Jaseci: what the next pass makes of it."""

import json
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from jsorc_gitops.reconcile.inventory import Entry, parse_state
from tests.controlplane.proxy import Cut, Fault, Proxy, Request
from tests.controlplane.server import ControlPlane
from tests.jaseci import proxy as wire
from tests.jaseci.server import Jaseci, Redis
from tests.journeys.test_ownership import WEB, Tree, is_calm

pytestmark = pytest.mark.real

CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n{more}"
SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: old}\nspec: {ports: [{port: 80}]}\n"
HIDDEN = "apiVersion: v1\nkind: Secret\nmetadata: {name: new}\nstringData: {a: b}\n"
ALONE = "reset: {via: none}\n"
REFRESH = "/js_admin/service_refresh"
# A pass has this many writes: two of the Lease, three of the state, five applies, four deletions, and two of
# the ledger.
WRITES = 16


def config(name: str, more: str = "") -> str:
    return CONFIG.format(name=name, more=more)


def say_before(tree: Tree) -> None:
    """Three services: one that changes, one that goes, and one whose object cannot be changed."""
    for name in ("web", "old", "sealed"):
        tree.scratch.write(f"templates/{name}/service.yaml", ALONE)
    tree.scratch.write("templates/web/objects.yaml", f"{WEB}---\n{config('web')}")
    tree.scratch.write("templates/old/objects.yaml", f"{SERVICE}---\n{config('old')}")
    tree.scratch.write("templates/sealed/service.yaml", f"{ALONE}recreate: allow\n")
    tree.scratch.write("templates/sealed/objects.yaml", config("sealed", "immutable: true\ndata: {a: '1'}\n"))
    tree.scratch.commit("Before")


def say_after(tree: Tree) -> None:
    """Web has another image, old is gone, redis is there, and sealed says something else."""
    tree.scratch.write("templates/web/objects.yaml", f"{WEB.replace('web:1', 'web:2')}---\n{config('web')}")
    tree.scratch.git("rm", "-r", "--quiet", "templates/old")
    tree.scratch.write("templates/redis/service.yaml", "plainSecrets: allow\n")
    tree.scratch.write("templates/redis/objects.yaml", f"{HIDDEN}---\n{config('new')}")
    tree.scratch.write("templates/sealed/objects.yaml", config("sealed", "immutable: true\ndata: {a: '2'}\n"))
    tree.scratch.commit("After")


@pytest.fixture(scope="module")
def proxy(controlplane: ControlPlane) -> Iterator[Proxy]:
    with Proxy(controlplane) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jaseci]:
    """One Jaseci for all these tests, and its Redis."""
    folder = tmp_path_factory.mktemp("server")
    redis = Redis(folder / "redis")
    redis.start()
    server = Jaseci.start(folder / "jaseci", redis_port=redis.port)
    yield server
    server.stop()
    redis.stop()


@pytest.fixture
def jaseci(server: Jaseci) -> Jaseci:
    """It says that its redis has failed, and a reset would bring it up."""
    server.fail("redis")
    assert server.service_info("redis")["state"] == "FAILED"
    return server


@pytest.fixture
def line(jaseci: Jaseci) -> Iterator[wire.Proxy]:
    """A wire to it."""
    with wire.Proxy(jaseci.url) as made:
        yield made


@pytest.fixture
def tree(tmp_path: Path, controlplane: ControlPlane, namespace: str, jaseci: Jaseci, line: wire.Proxy) -> Tree:
    """What was before is applied, what comes after is committed."""
    tree = Tree(tmp_path / "repository", controlplane, namespace)
    credentials = {"origin": line.url, "token": jaseci.token}
    tree.scratch.env["JASECI_CREDENTIALS"] = json.dumps(credentials)
    settings = f"{{url: '{line.url}', credentials: {{env: JASECI_CREDENTIALS}}}}"
    tree.scratch.write("jsorc.yaml", f"namespace: {namespace}\njaseci: {settings}\n")
    say_before(tree)
    done = tree.reconcile()
    assert done.code == 0, done.output
    say_after(tree)
    return tree


def is_write(request: Request) -> bool:
    return request.method != "GET" and "dryRun=All" not in request.path


class Killed:
    """A pass, or another command, that is under way through the proxy, and will be killed."""

    def __init__(self, tree: Tree, proxy: Proxy, command: str = "reconcile") -> None:
        self._tree = tree
        self._proxy = proxy
        self._command = command

    def run(self) -> None:
        arguments = (self._command, "--kubeconfig", str(self._proxy.kubeconfig_for()))
        self._process = self._tree.scratch.start_jsorc(*arguments)
        output, _ = self._process.communicate()
        assert self._process.returncode == -signal.SIGKILL, output
        # Who was killed holds the Lease until it has expired; that is shown elsewhere.
        self._tree.kubectl("delete", "lease", "jsorc.default", "--ignore-not-found")

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()


def run_killed(tree: Tree, proxy: Proxy, number: int, *, done: bool, command: str = "reconcile") -> None:
    """A pass that is killed at its write of that number, when the API server has done it or before."""
    left, killed = number, Killed(tree, proxy, command)

    def kill(request: Request) -> Fault | None:
        nonlocal left
        left -= is_write(request)
        if left:
            return None
        killed.kill()
        left = -1
        return Cut(acted=done)

    proxy.misbehave(kill)
    killed.run()
    proxy.behave()


def read_members(tree: Tree) -> Counter[str]:
    """What lies in the namespace as part of our tree."""
    kinds = "configmaps,services,secrets,deployments"
    listed = tree.scratch.read(kinds, "-n", tree.namespace, "-l", "applyset.kubernetes.io/part-of")
    return Counter(f"{each['kind']}/{each['metadata']['name']}" for each in listed["items"])


def read_inventory(tree: Tree) -> dict[str, Entry]:
    entries = parse_state(tree.read("configmap", "jsorc.state.default")).entries
    return {f"{ref.kind}/{ref.name}": each for ref, each in entries.items() if ref.kind != "Namespace"}


def check_converged(tree: Tree) -> None:
    """Nothing is left to do, and what there is is what git says."""
    assert is_calm(tree.reconcile())
    own = ["jsorc.settings.default", *(f"jsorc.record.default.{name}" for name in ("redis", "sealed", "web"))]
    expected = ["Deployment/web", "Secret/new", *(f"ConfigMap/{name}" for name in ("new", "sealed", "web", *own))]
    assert read_members(tree) == Counter(expected)
    inventory = read_inventory(tree)
    assert sorted(inventory) == sorted(expected)
    assert {each.pending for each in inventory.values()} == {""}
    assert tree.read("configmap", "sealed")["data"] == {"a": "2"}
    [container] = tree.read("deployment", "web")["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "web:2"


def count_resets(line: wire.Proxy) -> int:
    return [each.path for each in line.requests].count(REFRESH)


def read_outcome(tree: Tree) -> str:
    return str(tree.scratch.read_ledger(tree.namespace)["redis"]["outcome"])


@pytest.mark.parametrize(("number", "done"), [(1, False), *((number, True) for number in range(1, WRITES + 1))])
def test_the_next_pass_converges(
    tree: Tree, jaseci: Jaseci, line: wire.Proxy, proxy: Proxy, number: int, *, done: bool
) -> None:
    """No orphan, nothing twice, the inventory right, redis reset once, and nothing left to do."""
    run_killed(tree, proxy, number, done=done)

    ended = tree.reconcile()

    assert ended.code == 0, ended.output
    check_converged(tree)
    assert jaseci.service_info("redis")["state"] == "RUNNING"
    assert (count_resets(line), read_outcome(tree)) == (1, "done")


@pytest.mark.parametrize("done", [False, True])
def test_killed_at_the_reset(tree: Tree, jaseci: Jaseci, line: wire.Proxy, proxy: Proxy, *, done: bool) -> None:
    """Before Jaseci heard of it the next pass resets; when it was done, the next pass sees that redis runs."""
    killed = Killed(tree, proxy)

    def kill(_: wire.Request) -> wire.Cut:
        killed.kill()
        return wire.Cut(forward=done)

    line.misbehave(kill, path=REFRESH, times=1)
    killed.run()
    assert read_outcome(tree) == "pending"

    ended = tree.reconcile()

    assert ended.code == 0, ended.output
    check_converged(tree)
    assert jaseci.service_info("redis")["state"] == "RUNNING"
    # The one that Jaseci did not hear of came in at the wire, too.
    assert count_resets(line) == (1 if done else 2)
    assert read_outcome(tree) == "done"


def test_a_pass_has_as_many_writes(tree: Tree, line: wire.Proxy, proxy: Proxy) -> None:
    """As the test above thinks, so that none is left out."""
    seen = len(proxy.requests)

    done = tree.reconcile("--kubeconfig", str(proxy.kubeconfig_for()))

    assert done.code == 0, done.output
    assert len([each for each in proxy.requests[seen:] if is_write(each)]) == WRITES
    assert count_resets(line) == 1
