"""adapters.cluster where something is wrong: credentials, addresses, certificates, files, answers."""

import json
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from jsorc_gitops.errors import ClusterError
from jsorc_gitops.model.objects import DeleteRequest, ObjectRef
from tests.adapters.sending import connect, make_kubeconfig, refused
from tests.controlplane.server import ControlPlane
from tests.machine import free_ports

WRONG = "a-very-wrong-secret"


@pytest.mark.real
def test_a_wrong_token_is_said_so_and_not_shown(controlplane: ControlPlane, tmp_path: Path) -> None:
    """Neither in the message nor in what caused it."""
    path = make_kubeconfig(tmp_path, controlplane, token=WRONG)
    with (
        connect(path, discover=False) as wrong,
        pytest.raises(ClusterError, match=r"does not accept these credentials \(401\)") as error,
    ):
        wrong.read_discovery()
    assert WRONG not in f"{error.value!r} {error.value.__cause__!r} {error.value.__context__!r}"
    assert error.value.status == 401


@pytest.mark.real
def test_a_server_that_is_down_is_said_so_at_once(controlplane: ControlPlane, tmp_path: Path) -> None:
    """With its address and the reason; status 0, since nothing was answered."""
    (port,) = free_ports(1)
    path = make_kubeconfig(tmp_path, controlplane, url=f"https://127.0.0.1:{port}")
    begin = time.monotonic()
    with (
        connect(path, discover=False) as down,
        pytest.raises(ClusterError, match=f"https://127.0.0.1:{port} does not answer: .*refused") as error,
    ):
        down.read_discovery()
    assert time.monotonic() - begin < 3
    assert error.value.status == 0


@pytest.mark.real
def test_a_server_with_another_certificate_is_not_trusted(controlplane: ControlPlane, tmp_path: Path) -> None:
    """And the token is not sent to it."""
    config = json.loads(controlplane.kubeconfig.read_text())
    del config["clusters"][0]["cluster"]["certificate-authority"]
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(config))
    with connect(path, discover=False) as unknown, pytest.raises(ClusterError, match="certificate"):
        unknown.read_discovery()


@pytest.mark.real
def test_a_context_chooses_the_user(controlplane: ControlPlane) -> None:
    """As kubectl's --context does."""
    with connect(controlplane.kubeconfig, context="limited") as limited:
        (answer,) = limited.list_objects([("v1", "Secret")])
    assert "limited" in str(refused(answer))


@pytest.mark.parametrize("text", ["", "no: kubeconfig", "[", "\x00", "contexts: 1", "text", "contexts: [1]"])
def test_a_kubeconfig_that_is_none_is_said_so(tmp_path: Path, text: str) -> None:
    """Whatever is wrong with it, in one line that names the file."""
    path = tmp_path / "kubeconfig"
    path.write_text(text)
    with (
        pytest.raises(ClusterError, match=f"no usable kubeconfig in {path}: "),
        connect(path),
    ):
        pass


def test_a_missing_kubeconfig_is_said_so(tmp_path: Path) -> None:
    """The same way."""
    with pytest.raises(ClusterError, match=r"no usable kubeconfig in .*/missing"), connect(tmp_path / "missing"):
        pass


class _Page(BaseHTTPRequestHandler):
    status = 200
    body = b""

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.send_header("Location", "https://elsewhere.example/")
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def page(tmp_path: Path) -> Iterator[tuple[type[_Page], Path]]:
    """A web server that is no API server, and a kubeconfig that leads to it."""

    class Handler(_Page):
        pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "x", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}],
        "users": [{"name": "x", "user": {}}],
        "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
        "current-context": "x",
    }
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(config))
    yield Handler, path
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"<html>Welcome</html>"),
        (200, b""),
        (200, b"[]"),
        (200, b"{}"),
        (200, b'"text"'),
        (302, b""),
        (302, b"{}"),
        (404, b"not here"),
        (500, b'{"message": null}'),
        (503, b'{"details": []}'),
    ],
)
def test_what_is_no_api_server_is_said_so(page: tuple[type[_Page], Path], status: int, body: bytes) -> None:
    """A proxy, a login page, a wrong port: an error with the status and the path, and no redirect followed.

    A 5xx is asked again, twice.
    """
    handler, path = page
    handler.status, handler.body = status, body
    with connect(path, discover=False) as cluster, pytest.raises(ClusterError, match=r"/api\b") as error:
        cluster.read_discovery()
    assert str(status) in str(error.value)
    assert cluster.requests == 2 * (3 if status >= 500 else 1)


@pytest.mark.real
def test_a_name_that_leads_elsewhere_is_refused(controlplane: ControlPlane, namespace: str) -> None:
    """Two dots in the path of a DELETE would name the collection above; nothing is asked."""
    ref = ObjectRef(group="", kind="ConfigMap", namespace=namespace, name="..")
    with connect(controlplane.kubeconfig) as cluster:
        before = cluster.requests
        (answer,) = cluster.delete_objects([DeleteRequest(ref=ref, uid="", resource_version="")])
        assert isinstance(answer, ClusterError)
        assert cluster.requests == before
