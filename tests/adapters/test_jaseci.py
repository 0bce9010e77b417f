"""The Jaseci adapter on a wire that misbehaves, and on a real server."""

import json
from collections.abc import Iterator

import pytest

from jsorc_gitops.adapters.jaseci import Jaseci
from jsorc_gitops.model.jaseci import Answer, Credentials, ServiceState
from tests.jaseci.proxy import Cut, Delay, Proxy, Reply, redirect
from tests.jaseci.server import Jaseci as JaseciServer
from tests.jaseci.server import Redis

TOKEN = "a-token-that-must-be-seen-nowhere"  # noqa: S105 - planted, to be searched for
INFO, CALL, REFRESH = "/js_admin/service_info", "/js_admin/service_call", "/js_admin/service_refresh"


@pytest.fixture
def wire() -> Iterator[Proxy]:
    with Proxy() as proxy:
        yield proxy


@pytest.fixture
def client(wire: Proxy) -> Iterator[Jaseci]:
    made = Jaseci(wire.url, Credentials(origin=wire.url, token=TOKEN), seconds=0.5)
    yield made
    made.close()


def answer(value: object, *, status: int = 200) -> Reply:
    return Reply(status=status, body=json.dumps(value).encode())


@pytest.mark.parametrize(
    ("info", "expected"),
    [
        ({"enabled": True, "state": "RUNNING", "error": None}, Answer(state=ServiceState.RUNNING)),
        (
            {"enabled": True, "state": "FAILED", "error": "Error 111"},
            Answer(state=ServiceState.FAILED, detail="Error 111"),
        ),
        ({"enabled": True, "state": "NOT_STARTED", "error": None}, Answer(state=ServiceState.STOPPED)),
        ({"enabled": True, "state": "STARTED", "error": None}, Answer(state=ServiceState.STOPPED)),
        ({"enabled": True, "state": "RESTART", "error": None}, Answer(state=ServiceState.STOPPED)),
        ({"enabled": False, "state": "NOT_STARTED", "error": None}, Answer(state=ServiceState.DISABLED)),
        (
            {"enabled": True, "state": "DANCING", "error": None},
            Answer(state=ServiceState.UNKNOWN, detail="Jaseci calls its state 'DANCING'"),
        ),
    ],
)
def test_states(wire: Proxy, client: Jaseci, info: dict[str, object], expected: Answer) -> None:
    """Every state Jaseci knows has its own meaning; one it does not know is unknown."""
    wire.misbehave(answer(info), path=INFO)

    assert client.get_state("redis") == expected


@pytest.mark.parametrize(
    ("reply", "detail"),
    [
        (answer({"detail": "Invalid token."}, status=401), "Jaseci does not accept the credentials (401)"),
        (answer({"detail": "No permission"}, status=403), "the credentials are not an administrator's (403)"),
        (answer("page", status=404), "this Jaseci has no such endpoint (404)"),
        (Reply(status=500, body=TOKEN.encode()), "Jaseci failed inside (500)"),
        (Reply(status=200, body=b"<html>"), "Jaseci answered something that is not JSON"),
        (redirect("http://127.0.0.1:9/"), "Jaseci answered 307"),
        (Delay(), "Jaseci did not answer within 0.5 s"),
    ],
)
def test_unknown(wire: Proxy, client: Jaseci, reply: Reply | Delay, detail: str) -> None:
    """Whatever is no clear answer makes the state unknown, with a cause that quotes nothing it received."""
    wire.misbehave(reply)

    assert client.get_state("redis") == Answer(state=ServiceState.UNKNOWN, detail=detail)


def test_cut_connection(wire: Proxy, client: Jaseci) -> None:
    """A connection that breaks off makes the state unknown and names the server."""
    wire.misbehave(Cut())

    found = client.get_state("redis")

    assert found.state is ServiceState.UNKNOWN
    assert found.detail.startswith(f"Jaseci at 127.0.0.1:{wire.port} does not answer")


def test_redirect_is_not_followed(wire: Proxy, client: Jaseci) -> None:
    """A redirect to another origin gets no request from us, so no token either."""
    with Proxy() as elsewhere:
        wire.misbehave(redirect(elsewhere.url + INFO))

        client.get_state("redis")

        assert elsewhere.requests == []


def test_broken_service_info(wire: Proxy, client: Jaseci) -> None:
    """service_info of prome answers success:false in 1.4; its attributes tell the state all the same."""
    wire.misbehave(answer({"success": False, "response": "Internal Exception"}), path=INFO)
    wire.misbehave(answer(False), path=CALL)

    assert client.get_state("prome").state is ServiceState.UNKNOWN
    assert [each.json for each in wire.requests if each.path == CALL] == [
        {"svc": "prome", "attrs": [{"attr": "enabled"}]},
        {"svc": "prome", "attrs": [{"attr": "state"}, {"attr": "name"}]},
    ]


@pytest.mark.parametrize(
    ("reply", "complaint"),
    [
        (answer({"success": True}), ""),
        (answer({"success": False}), "Jaseci refused the reset; it may not know a service of this name"),
        (answer([]), "Jaseci refused the reset; it may not know a service of this name"),
        (answer({}, status=403), "the credentials are not an administrator's (403)"),
    ],
)
def test_reset(wire: Proxy, client: Jaseci, reply: Reply, complaint: str) -> None:
    """A reset counts as done only where Jaseci says success: true."""
    wire.misbehave(reply, path=REFRESH)

    assert client.reset_service("redis") == complaint


def test_login_without_token(wire: Proxy) -> None:
    """A login that brings no token is said to be that, and no service is asked about."""
    wire.misbehave(answer({"non_field_errors": ["no"]}, status=400))
    client = Jaseci(wire.url, Credentials(origin=wire.url, email="a@b", password=TOKEN), seconds=0.5)

    assert client.get_state("redis").detail == "login: Jaseci answered 400"
    assert [each.path for each in wire.requests] == ["/user/token/"]


@pytest.mark.real
def test_real_server(jaseci: JaseciServer, redis: Redis) -> None:
    """With email and password, on a real server: failed, reset, running; disabled; unknown."""
    credentials = Credentials(origin=jaseci.url, email=jaseci.email, password=jaseci.password)
    client = Jaseci(jaseci.url, credentials)
    before = client.get_state("redis")
    redis.start()

    assert client.reset_service("redis") == ""

    names = ("redis", "mail", "prome", "nosuch")
    states = [client.get_state(name).state for name in names]
    assert (before.state, *states) == (
        ServiceState.FAILED,
        ServiceState.RUNNING,
        ServiceState.DISABLED,
        ServiceState.DISABLED,
        ServiceState.UNKNOWN,
    )
    assert client.reset_service("nosuch") != ""
    client.close()
