"""What a user sees when the API server or Jaseci is away, refuses, or is slow."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.controlplane.server import ControlPlane
from tests.jaseci.proxy import Delay, Proxy, Reply
from tests.journeys.scratch import Scratch, end
from tests.machine import free_ports
from tests.waiting import wait_until

pytestmark = pytest.mark.real

TOKEN = "a-token-that-must-be-seen-nowhere"  # noqa: S105 - planted, to be searched for
INFO, REFRESH = "/js_admin/service_info", "/js_admin/service_refresh"

CONFIG_MAP = """\
apiVersion: v1
kind: ConfigMap
metadata: {{name: {name}}}
data: {{key: value}}
"""
SERVICE = """\
apiVersion: v1
kind: Service
metadata: {{name: {name}}}
spec: {{ports: [{{port: 80}}]}}
"""


@pytest.fixture
def scratch(tmp_path: Path, controlplane: ControlPlane, namespace: str) -> Scratch:
    """Two services in a namespace of their own: web (ConfigMap, Service) and worker (ConfigMap)."""
    scratch = Scratch(tmp_path / "repository", controlplane=controlplane)
    scratch.write("jsorc.yaml", f"namespace: {namespace}\n")
    scratch.write(
        "templates/web/objects.yaml", f"{CONFIG_MAP.format(name='web')}---\n{SERVICE.format(name='web')}"
    )
    scratch.write("templates/worker/objects.yaml", CONFIG_MAP.format(name="worker"))
    scratch.commit("Begin")
    return scratch


@pytest.fixture
def fake_jaseci() -> Iterator[Proxy]:
    """A wire with nothing behind it: every answer is what the test says."""
    with Proxy() as proxy:
        yield proxy


def point_at(scratch: Scratch, namespace: str, url: str) -> None:
    """Have the scratch's services asked about at this URL, with the planted token."""
    jaseci = f"{{url: '{url}', credentials: {{env: JASECI_CREDENTIALS}}}}"
    scratch.write("jsorc.yaml", f"namespace: {namespace}\ninterval: 1\njaseci: {jaseci}\n")
    scratch.env["JASECI_CREDENTIALS"] = json.dumps({"origin": url, "token": TOKEN})
    scratch.commit("Point at Jaseci")


def names(scratch: Scratch, namespace: str) -> list[str]:
    """What of the scratch's own objects is in the cluster."""
    listed = scratch.read("configmaps,services", "-n", namespace)["items"]
    found = (f"{each['kind']}/{each['metadata']['name']}" for each in listed)
    return sorted(name for name in found if name.endswith(("/web", "/worker")))


def test_api_server_down(scratch: Scratch, namespace: str) -> None:
    """No API server: exit 1, one line that says so, nothing else."""
    kubeconfig = scratch.controlplane.kubeconfig.read_text()
    (port,) = free_ports(1)
    scratch.write("../elsewhere", kubeconfig.replace(scratch.controlplane.url, f"https://127.0.0.1:{port}"))

    done = scratch.jsorc("reconcile", "--kubeconfig", "../elsewhere")

    assert (done.code, done.output.count("\n")) == (1, 1)
    assert f"jsorc: the API server https://127.0.0.1:{port} does not answer" in done.output
    assert names(scratch, namespace) == []


def test_wrong_token(scratch: Scratch) -> None:
    """A token the API server does not know: exit 1, said plainly, the token itself nowhere."""
    kubeconfig = scratch.controlplane.kubeconfig.read_text()
    scratch.write("../wrong", kubeconfig.replace(scratch.controlplane.token, TOKEN))

    done = scratch.jsorc("reconcile", "--kubeconfig", "../wrong")

    assert (done.code, done.output) == (1, "jsorc: the API server does not accept these credentials (401)\n")


@pytest.fixture
def without_services(controlplane: ControlPlane) -> Iterator[None]:
    """The user `limited` may do all that this needs but for Services."""
    name = "jsorc-all-but-services"
    controlplane.kubectl(
        *("create", "clusterrole", name, "--verb=*"),
        "--resource=configmaps,leases.coordination.k8s.io,namespaces,pods",
    )
    controlplane.kubectl("create", "clusterrolebinding", name, f"--clusterrole={name}", "--user=limited")
    yield
    controlplane.kubectl("delete", f"clusterrole/{name}", f"clusterrolebinding/{name}")


@pytest.mark.usefixtures("without_services")
def test_forbidden_kind(scratch: Scratch, namespace: str) -> None:
    """403 on one kind: exit 1, it is named, the other services are done and nothing is pruned."""
    assert scratch.jsorc("reconcile").code == 0
    (scratch.folder / "templates/worker/objects.yaml").unlink()
    scratch.write("templates/worker/objects2.yaml", CONFIG_MAP.format(name="second-worker"))
    scratch.commit("Rename worker's object")

    limited = str(scratch.controlplane.kubeconfig_for("limited"))
    done = scratch.jsorc("reconcile", "--kubeconfig", limited)

    assert done.code == 1
    assert 'cannot list resource "services"' in done.output
    assert "error: nothing is pruned, because Service could not be read" in done.output
    assert scratch.read("configmap", "second-worker", "-n", namespace) is not None
    assert scratch.read("configmap", "worker", "-n", namespace) is not None

    assert scratch.jsorc("reconcile").code == 0
    assert scratch.read("configmap", "worker", "-n", namespace) is None


def test_unknown_kind(scratch: Scratch, namespace: str) -> None:
    """A kind that the API server does not serve: exit 1, it is named, what stands behind it is done."""
    queue = "apiVersion: nowhere.example.com/v1\nkind: Aqueue\nmetadata: {name: web}\n"
    scratch.write("templates/aqueue/objects.yaml", queue)
    scratch.commit("Something that nobody knows")

    done = scratch.jsorc("reconcile")

    assert done.code == 1
    assert f"Aqueue/{namespace}/web not created: the API server serves no " in done.output
    assert names(scratch, namespace) == ["ConfigMap/web", "ConfigMap/worker", "Service/web"]


def test_jaseci_down(scratch: Scratch, namespace: str) -> None:
    """No Jaseci: objects are applied, the states are unknown, exit 4, the token nowhere."""
    (port,) = free_ports(1)
    point_at(scratch, namespace, f"http://127.0.0.1:{port}")

    done = scratch.jsorc("reconcile")

    assert done.code == 4
    assert f"Jaseci: unknown, Jaseci at 127.0.0.1:{port} does not answer" in done.output
    assert TOKEN not in done.output
    assert names(scratch, namespace) == ["ConfigMap/web", "ConfigMap/worker", "Service/web"]
    assert scratch.read_ledger(namespace) == {}


def test_jaseci_slow(scratch: Scratch, namespace: str, fake_jaseci: Proxy) -> None:
    """A Jaseci that accepts and never answers: our own time limit ends the call, objects are applied, exit 4."""
    scratch.write("templates/worker/service.yaml", "reset: {via: none}\n")
    point_at(scratch, namespace, fake_jaseci.url)
    fake_jaseci.misbehave(Delay())

    done = scratch.jsorc("reconcile")

    assert done.code == 4
    assert "Jaseci: unknown, Jaseci did not answer within 15 s" in done.output
    assert names(scratch, namespace) == ["ConfigMap/web", "ConfigMap/worker", "Service/web"]


def test_wrong_jaseci_credentials(scratch: Scratch, namespace: str, fake_jaseci: Proxy) -> None:
    """Credentials that Jaseci refuses: objects are applied, exit 4, the token in no output."""
    point_at(scratch, namespace, fake_jaseci.url)
    fake_jaseci.misbehave(Reply(status=401, body=f'{{"detail":"Invalid token {TOKEN}."}}'.encode()))

    done = scratch.jsorc("reconcile", "--verbose")

    assert done.code == 4
    assert "Jaseci: unknown, Jaseci does not accept the credentials (401)" in done.output
    assert TOKEN not in done.output
    assert fake_jaseci.requests[0].headers["Authorization"] == f"token {TOKEN}"
    assert names(scratch, namespace) == ["ConfigMap/web", "ConfigMap/worker", "Service/web"]


@pytest.mark.parametrize(
    ("credentials", "complaint"),
    [
        ("", "the variable JASECI_CREDENTIALS is not set"),
        (TOKEN, "not a mapping"),
        (f"{{origin: 'http://elsewhere', token: {TOKEN}}}", "another origin than "),
        (f"{{origin: 'http://elsewhere, token: {TOKEN}}}", "not valid YAML"),
    ],
)
def test_unusable_credentials(
    scratch: Scratch, namespace: str, fake_jaseci: Proxy, credentials: str, complaint: str
) -> None:
    """Credentials that are missing, broken or meant for another origin are sent nowhere and shown nowhere."""
    point_at(scratch, namespace, fake_jaseci.url)
    scratch.env["JASECI_CREDENTIALS"] = credentials

    done = scratch.jsorc("reconcile")

    assert done.code == 4
    assert complaint in done.output
    assert TOKEN not in done.output
    assert fake_jaseci.requests == []


def info(state: str, *, enabled: bool = True) -> Reply:
    return Reply(status=200, body=json.dumps({"enabled": enabled, "state": state, "error": None}).encode())


def test_killed_during_reset(scratch: Scratch, namespace: str, fake_jaseci: Proxy) -> None:
    """Killed while a reset is under way: the ledger says pending, and the next pass does it again, once."""
    scratch.write("templates/worker/service.yaml", "reset: {via: none}\n")
    point_at(scratch, namespace, fake_jaseci.url)
    fake_jaseci.misbehave(info("FAILED"), path=INFO)
    fake_jaseci.misbehave(Delay(), path=REFRESH)
    process = scratch.start_jsorc("reconcile")
    wait_until(lambda: [each for each in fake_jaseci.requests if each.path == REFRESH], what="the reset call")

    end(process, signal.SIGKILL)

    assert scratch.read_ledger(namespace)["web"]["outcome"] == "pending"
    fake_jaseci.behave()
    fake_jaseci.misbehave(info("FAILED"), path=INFO, times=1)
    fake_jaseci.misbehave(Reply(status=200, body=b'{"success":true}'), path=REFRESH)
    process = scratch.start_jsorc("reconcile")
    process.communicate()
    assert [each.path for each in fake_jaseci.requests].count(REFRESH) == 2
    assert scratch.read_ledger(namespace)["web"]["outcome"] in {"done", "failed"}


def test_loop_finishes_its_pass(scratch: Scratch, namespace: str, fake_jaseci: Proxy) -> None:
    """SIGTERM while a pass is under way: the pass is finished and reported, the lease given back, exit 0."""
    scratch.write("templates/worker/service.yaml", "reset: {via: none}\n")
    point_at(scratch, namespace, fake_jaseci.url)
    fake_jaseci.misbehave(Delay())
    process = scratch.start_jsorc("reconcile", "--loop", "--verbose")
    wait_until(lambda: fake_jaseci.requests, what="the pass has come to Jaseci")

    process.send_signal(signal.SIGTERM)
    fake_jaseci.behave()
    fake_jaseci.release()
    output, _ = process.communicate()

    assert process.returncode == 0
    assert output.count("requests to Kubernetes") == 1
    lease = scratch.read("lease", "jsorc.default", "-n", namespace)
    assert lease["spec"].get("holderIdentity", "") == ""


def test_loop_goes_on(scratch: Scratch, namespace: str) -> None:
    """The loop makes a pass every interval: what is deleted by hand comes back without another command."""
    scratch.write("jsorc.yaml", f"namespace: {namespace}\ninterval: 0.2\n")
    scratch.commit("Be quick")
    process = scratch.start_jsorc("reconcile", "--loop")
    wait_until(lambda: "Service/web" in names(scratch, namespace), what="the first pass")

    scratch.kubectl("delete", "service", "web", "-n", namespace)
    wait_until(lambda: "Service/web" in names(scratch, namespace), what="a later pass")

    code, output = end(process, signal.SIGTERM)
    assert code == 0
    assert "Service/" + namespace + "/web created: deleted by somebody since the last pass" in output
