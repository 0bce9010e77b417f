"""The start of the shipped Jaseci server, run as its container would run it, on the real Jaseci."""

import base64
import http.client
import json
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.jaseci.install import ADMIN_EMAIL, ADMIN_PASSWORD, Installation, install, server_env
from tests.jaseci.server import HOST, Jaseci, await_ready
from tests.machine import Server, free_ports
from tests.render.shipped import containers_of, objects_by_name
from tests.waiting import wait_until

pytestmark = pytest.mark.real

MARK = "what-nobody-outside-may-see"
PASSWORD = "of-elasticsearch-7"  # noqa: S105 - of a stand-in


@dataclass(slots=True, kw_only=True)
class Elasticsearch:
    """What Jaseci's requests need of an Elasticsearch: TLS, JSON; it keeps what they were authorized with."""

    port: int
    seen: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """The server as its container starts it; `image` is what was installed before."""

    server: Jaseci
    log: Path
    elasticsearch: Elasticsearch
    image: dict[str, int]

    def request(self, path: str, body: Any, *, token: str = "") -> tuple[int, str]:
        """Status and text of a POST."""
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"token {token}"} if token else {})
        with closing(http.client.HTTPConnection(HOST, self.server.port, timeout=60)) as connection:
            connection.request("POST", path, json.dumps(body), headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()


def make_certificate(folder: Path) -> None:
    """A certificate for localhost, signed by itself, and its key."""
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout tls.key -out ca.crt"
    extension = ["-addext", "subjectAltName=DNS:localhost"]
    subprocess.run([*command.split(), *extension], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of what the operator's Secrets hold."""
    folder = tmp_path_factory.mktemp("elastic")
    make_certificate(folder)
    (folder / "password").write_text(PASSWORD)
    return folder


@pytest.fixture(scope="module")
def elasticsearch(files: Path) -> Iterator[Elasticsearch]:
    """A stand-in that answers every request as a healthy Elasticsearch answers the first."""
    found = Elasticsearch(port=0)

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            found.seen.add(self.headers.get("Authorization", ""))
            body = b'{"timed_out": false}'
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = answer  # noqa: N815 - http.server's names

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer((HOST, 0), Handler) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(files / "ca.crt", files / "tls.key")
        server.socket = context.wrap_socket(server.socket, server_side=True)
        found.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield found
        server.shutdown()
        thread.join()


def list_packages(installation: Installation) -> dict[str, int]:
    """What stands in for the image: Jaseci's own files, with the times of their last change."""
    site = next((installation.jsserv.parents[1] / "lib").glob("python3.*/site-packages"))
    packages = (site / "jaseci_serv", site / "jaseci")
    files = (path for package in packages for path in package.rglob("*") if "__pycache__" not in path.parts)
    return {str(path): path.stat().st_mtime_ns for path in files}


@pytest.fixture(scope="module")
def started(
    tmp_path_factory: pytest.TempPathFactory, files: Path, elasticsearch: Elasticsearch
) -> Iterator[Started]:
    """The server of the shipped Deployment, with Elasticsearch, on a database that has no tables yet.

    Not as in a pod: it listens on loopback, finds other hosts, and keeps its tables in a file.
    """
    installation = install()
    folder = tmp_path_factory.mktemp("jaseci")
    workload = objects_by_name("jaseci", elastic=True)["Deployment/jaseci"]
    [container] = containers_of(workload["spec"]["template"])
    [port] = free_ports(1)
    *command, address = container["command"]
    assert address == "0.0.0.0:80"
    env = server_env(installation.home)
    env |= {each["name"]: each["value"] for each in container["env"] if "value" in each}
    env |= {
        "HOME": str(installation.home),
        "PATH": f"{installation.jsserv.parent}:{env['PATH']}",
        "REDIS_HOST": HOST,
        "REDIS_PORT": str(free_ports(1)[0]),
        "ELASTIC_HOST": "localhost",
        "ELASTIC_PORT": str(elasticsearch.port),
        "ELASTIC_FILES": str(files),
        "ANYTHING": MARK,
    }
    for name in ("PROME_HOST", "POSTGRES_HOST"):
        del env[name]
    log = folder / "server.log"
    image = list_packages(installation)
    server = Server([*command, f"{HOST}:{port}"], log=log, env=env, cwd=folder, grace=0)
    jaseci = Jaseci(server, folder=folder, port=port, redis_port=0)
    await_ready(server, jaseci.is_healthy)
    yield Started(server=jaseci, log=log, elasticsearch=elasticsearch, image=image)
    jaseci.stop()


@pytest.fixture(scope="module")
def token(started: Started) -> str:
    """A superuser's token; nobody has to log in to make one."""
    account = {"email": ADMIN_EMAIL, "password": ADMIN_PASSWORD}
    assert started.request("/user/create_super/", account)[0] == 201
    return str(json.loads(started.request("/user/token/", account)[1])["token"])


def test_server_is_ready(started: Started) -> None:
    """The server makes its tables and answers where the readiness probe asks."""
    workload = objects_by_name("jaseci")["Deployment/jaseci"]
    [container] = containers_of(workload["spec"]["template"])
    path = container["readinessProbe"]["httpGet"]["path"]

    assert started.server.get(path) == (200, True)


def test_it_ends_without_its_database(tmp_path: Path) -> None:
    """So its container starts it again until the database is there; nobody has to start them in order."""
    installation, ports = install(), free_ports(2)
    [container] = containers_of(objects_by_name("jaseci")["Deployment/jaseci"]["spec"]["template"])
    *command, _ = container["command"]
    database = {"HOST": HOST, "PORT": str(ports[0]), "USER": "postgres", "PASSWORD": "x"}
    env = server_env(installation.home) | {f"POSTGRES_{name}": value for name, value in database.items()}
    env["PATH"] = f"{installation.jsserv.parent}:{env['PATH']}"

    done = subprocess.run(
        [*command, f"{HOST}:{ports[1]}"],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert done.returncode != 0
    assert "Connection refused" in done.stderr


def test_image_stays_as_it_was(started: Started) -> None:
    """Nothing is written to where Jaseci is installed: its migrations lie in the server's own folder."""
    assert list_packages(install()) == started.image
    assert (started.server.folder / "server_migrations" / "0001_initial.py").exists()


def test_error_pages_keep_the_environment(started: Started, token: str) -> None:
    """A page that fails shows nothing of the environment; what went wrong is in the log."""
    status, page = started.request("/js_admin/service_info", ["no mapping"], token=token)

    assert status == 500
    assert MARK not in page
    assert "Traceback" in started.log.read_text()


def test_elasticsearch_is_asked_with_the_operators_password(started: Started, token: str) -> None:
    """Jaseci trusts the operator's certificate and logs in with its password, which it does not store."""
    expected = "Basic " + base64.b64encode(f"elastic:{PASSWORD}".encode()).decode()

    def runs() -> bool:
        _, text = started.request("/js_admin/service_info", {"name": "elastic"}, token=token)
        assert PASSWORD not in text
        return bool(json.loads(text)["state"] == "RUNNING")

    wait_until(runs, what="Jaseci's elastic is RUNNING")

    assert started.elasticsearch.seen == {expected}
