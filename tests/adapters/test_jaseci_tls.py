"""A Jaseci behind TLS: verified before anything is sent, and bounded in time as any other."""

import json
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import pytest

from jsorc_gitops.adapters.jaseci import Jaseci
from jsorc_gitops.model.jaseci import Answer, Credentials, ServiceState, Target
from tests.jaseci.proxy import Drip, Proxy, Reply

REDIS = Target(name="redis")
RUNNING = Reply(status=200, body=json.dumps({"enabled": True, "state": "RUNNING"}).encode())
SECONDS = 1.0


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with tls.crt, for 127.0.0.1 alone, signed by itself, and tls.key."""
    folder = tmp_path_factory.mktemp("tls")
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=jaseci -keyout tls.key -out tls.crt"
    extension = ["-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*command.split(), *extension], cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture
def wire(certificate: Path) -> Iterator[Proxy]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "tls.crt", certificate / "tls.key")
    with Proxy(tls=context) as proxy:
        yield proxy


def ask(url: str) -> Answer:
    [answer] = Jaseci(url, Credentials(origin=url, token="0a1b"), seconds=SECONDS).get_states([REDIS])  # noqa: S106
    return answer


def test_a_certificate_that_is_trusted(wire: Proxy, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the certificates of the machine, or those that SSL_CERT_FILE names."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate / "tls.crt"))
    wire.misbehave(RUNNING)

    assert ask(wire.url) == Answer(state=ServiceState.RUNNING)


def test_a_certificate_that_is_not_trusted(wire: Proxy) -> None:
    """No request is sent, so no token either."""
    wire.misbehave(RUNNING)

    assert ask(wire.url).detail == f"Jaseci at 127.0.0.1:{wire.port} does not answer (SSLCertVerificationError)"
    assert wire.requests == []


def test_a_certificate_of_another_host(wire: Proxy, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not enough that it is trusted."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate / "tls.crt"))

    assert "(SSLCertVerificationError)" in ask(f"https://localhost:{wire.port}").detail
    assert wire.requests == []


def test_a_dripping_server(wire: Proxy, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its time ends as without TLS."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate / "tls.crt"))
    wire.misbehave(Drip(sent=b"HTTP/1.1 200 OK\r\nX-Long: "))
    begun = monotonic()

    assert ask(wire.url).detail == "Jaseci did not answer within 1 s"
    assert monotonic() - begun < SECONDS * 1.9


def test_a_handshake_that_hangs() -> None:
    """A connection that is taken, and nothing more."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]

        assert (
            ask(f"https://127.0.0.1:{port}").detail
            == f"Jaseci at 127.0.0.1:{port} takes no connection within 1 s"
        )
