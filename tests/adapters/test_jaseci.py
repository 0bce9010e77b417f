"""The door to Jaseci on a wire of our own: what is asked, and what each answer means."""

import json
import threading
from collections import Counter
from collections.abc import Iterator

import pytest

from jsorc_gitops.adapters.jaseci import IN_FLIGHT, Jaseci
from jsorc_gitops.model.jaseci import Answer, Credentials, ServiceState, Target
from tests.jaseci.proxy import Cut, Delay, Proxy, Reply, Request, redirect
from tests.waiting import wait_until

TOKEN = "a-token-that-must-be-seen-nowhere"  # noqa: S105 - planted, to be searched for
INFO, CALL, REFRESH = "/js_admin/service_info", "/js_admin/service_call", "/js_admin/service_refresh"
LOGIN, CONFIG_REFRESH = "/user/token/", "/js_admin/config_refresh"
REDIS = Target(name="redis")
MANY = [Target(name=f"redis{number}") for number in range(40)]
RUNNING = {"enabled": True, "state": "RUNNING", "error": None}
STRANGER = {"response": "Internal Exception: Service x is not existing!", "success": False}


@pytest.fixture
def wire() -> Iterator[Proxy]:
    with Proxy() as proxy:
        yield proxy


@pytest.fixture
def client(wire: Proxy) -> Iterator[Jaseci]:
    made = Jaseci(wire.url, Credentials(origin=wire.url, token=TOKEN), seconds=10)
    yield made
    made.close()


def answer(value: object, *, status: int = 200) -> Reply:
    return Reply(status=status, body=json.dumps(value).encode())


def log_in(wire: Proxy) -> Jaseci:
    return Jaseci(wire.url, Credentials(origin=wire.url, email="a@b", password=TOKEN), port=wire.port, seconds=5)


def count_paths(wire: Proxy) -> dict[str, int]:
    return dict(Counter(each.path for each in wire.requests))


@pytest.mark.parametrize(
    ("info", "expected"),
    [
        (RUNNING, Answer(state=ServiceState.RUNNING)),
        (RUNNING | {"automated": True}, Answer(state=ServiceState.RUNNING, automated=True)),
        (
            {"enabled": True, "state": "FAILED", "error": "Error 111"},
            Answer(state=ServiceState.FAILED, detail="Error 111"),
        ),
        ({"enabled": True, "state": "NOT_STARTED", "error": None}, Answer(state=ServiceState.STOPPED)),
        ({"enabled": True, "state": "STARTED", "error": None}, Answer(state=ServiceState.STOPPED)),
        ({"enabled": True, "state": "RESTART", "error": None}, Answer(state=ServiceState.STOPPED)),
        (
            {"enabled": False, "state": "NOT_STARTED", "error": None, "automated": True},
            Answer(state=ServiceState.DISABLED),
        ),
        (
            {"enabled": True, "state": "DANCING", "error": None},
            Answer(state=ServiceState.UNKNOWN, detail="Jaseci calls its state 'DANCING'"),
        ),
        (
            {"enabled": True, "state": TOKEN, "error": None},
            Answer(state=ServiceState.UNKNOWN, detail="Jaseci calls its state something that is no word"),
        ),
    ],
)
def test_states(wire: Proxy, client: Jaseci, info: dict[str, object], expected: Answer) -> None:
    """Every state Jaseci knows has its own meaning; one it does not know is unknown."""
    wire.misbehave(answer(info), path=INFO)

    assert client.get_states([REDIS]) == [expected]


@pytest.mark.parametrize(
    ("reply", "detail"),
    [
        (answer({"detail": "Invalid token."}, status=401), "Jaseci does not accept the credentials (401)"),
        (answer({"detail": "No permission"}, status=403), "the credentials are not an administrator's (403)"),
        (
            answer("page", status=404),
            "this Jaseci has neither service_info nor service_call (404); jsorc works with 1.3.6 and newer",
        ),
        (Reply(status=500, body=TOKEN.encode()), "Jaseci failed inside (500)"),
        (Reply(status=200, body=b"<html>"), "Jaseci answered something that is not JSON"),
        (Reply(status=200, body=b"[" * 100_000), "Jaseci answered something that is not JSON"),
        (Reply(status=200, body=b'"' + b"x" * (1 << 21)), "Jaseci answered more than a megabyte"),
        (answer([1]), "Jaseci does not tell its state"),
        (redirect("http://127.0.0.1:9/"), "Jaseci answered 307, a redirect, which is not followed"),
    ],
)
def test_unknown(wire: Proxy, client: Jaseci, reply: Reply, detail: str) -> None:
    """Whatever is no clear answer makes the state unknown, with a cause that quotes nothing it received."""
    wire.misbehave(reply)

    assert client.get_states([REDIS]) == [Answer(state=ServiceState.UNKNOWN, detail=detail)]


@pytest.mark.parametrize(
    "sent", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{}", b"no HTTP at all\r\n\r\n"]
)
def test_cut_connection(wire: Proxy, client: Jaseci, sent: bytes) -> None:
    """A connection that breaks off, or speaks no HTTP, makes the state unknown and names the server."""
    wire.misbehave(Cut(sent=sent))

    [found] = client.get_states([REDIS])

    assert found.state is ServiceState.UNKNOWN
    assert found.detail.startswith(f"Jaseci at 127.0.0.1:{wire.port} does not answer")


def test_redirect_is_not_followed(wire: Proxy, client: Jaseci) -> None:
    """A redirect to another origin gets no request from us, so no token either; nor at login."""
    with Proxy() as elsewhere:
        wire.misbehave(redirect(elsewhere.url + INFO))

        client.get_states([REDIS])
        client.reset_services([REDIS])
        client.get_configs([REDIS])[0]
        log_in(wire).get_states([REDIS])

        assert elsewhere.requests == []


def test_broken_service_info(wire: Proxy, client: Jaseci) -> None:
    """service_info of prome answers success:false in 1.4.2.6; its attributes tell the state all the same."""
    wire.misbehave(answer({"success": False, "response": "Internal Exception: 'NoneType'"}), path=INFO)
    said = {"is_running": False, "enabled": True, "has_failed": True, "automated": True}

    def tell(request: Request) -> Reply:
        [asked] = request.json["attrs"]
        return answer(said[(asked["args"] or [asked["attr"]])[0]])

    wire.misbehave(tell, path=CALL)

    assert client.get_states([Target(name="prome")]) == [Answer(state=ServiceState.FAILED, automated=True)]


@pytest.mark.parametrize(("name", "meant"), [("promon", "prome"), ("prome", "promon"), ("rediss", "redis")])
def test_a_wrong_name(wire: Proxy, client: Jaseci, name: str, meant: str) -> None:
    """HTTP 200 and success: false: unknown, with the name that is likely meant, and no reset."""
    wire.misbehave(answer(STRANGER))
    [state] = client.get_states([Target(name=name)])
    [refusal] = client.reset_services([Target(name=name)])

    assert state.state is ServiceState.UNKNOWN
    assert f"knows no service {name}; did you mean {meant}? " in state.detail
    assert refusal == state.detail


@pytest.mark.parametrize(
    ("reply", "complaint"),
    [
        (answer({"success": True}), ""),
        (answer({"success": False}), "Jaseci refused the reset"),
        (answer([]), "Jaseci refused the reset"),
        (answer({}, status=403), "the credentials are not an administrator's (403)"),
        (
            answer({}, status=404),
            "this Jaseci has neither service_refresh nor config_refresh (404); jsorc works with 1.3.6 and newer",
        ),
    ],
)
def test_reset(wire: Proxy, client: Jaseci, reply: Reply, complaint: str) -> None:
    """A reset counts as done only where Jaseci says success: true."""
    wire.misbehave(reply)

    assert client.reset_services([REDIS]) == [complaint]


def test_the_reset_of_the_seed(wire: Proxy, client: Jaseci) -> None:
    """The version in which JsOrc began takes the bare name at config_refresh, and says which it does not know."""

    def refresh(request: Request) -> Reply:
        known = request.json["name"] == "redis"
        message = f"{request.json['name']} is not a valid service. Can not refresh config."
        return answer({"success": True} if known else {"success": False, "message": message})

    wire.misbehave(refresh, path=CONFIG_REFRESH)

    assert client.reset_services([REDIS]) == [""]
    assert client.reset_services([Target(name="nosuch")])[0].startswith("Jaseci knows no service nosuch")


@pytest.mark.parametrize(
    ("reply", "config"),
    [
        (answer('{"enabled": true, "port": "1"}'), {"enabled": True, "port": "1"}),
        (Reply(status=200), "Jaseci has stored no REDIS_CONFIG"),
        (answer(["Config REDIS_CONFIG not recognized"]), "what Jaseci has stored as REDIS_CONFIG is no mapping"),
        (answer("{"), "what Jaseci has stored as REDIS_CONFIG is no mapping"),
        (answer("[]"), "what Jaseci has stored as REDIS_CONFIG is no mapping"),
        (answer({}, status=500), "Jaseci failed inside (500)"),
    ],
)
def test_config(wire: Proxy, client: Jaseci, reply: Reply, config: object) -> None:
    """A stored config is a text of JSON in JSON; what is none is said, and never an empty config."""
    wire.misbehave(reply)

    assert client.get_configs([REDIS])[0] == config
    assert wire.requests[0].json == {"name": "REDIS_CONFIG", "do_check": False}


@pytest.mark.parametrize(
    ("reply", "complaint"),
    [
        (answer(["Config of 'REDIS_CONFIG' to '{\"a\": 1}' set!"]), ""),
        (answer(["Config REDIS_CONFIG not recognized"]), "Jaseci did not store REDIS_CONFIG"),
        (answer({"success": False}), "Jaseci did not store REDIS_CONFIG"),
        (answer([]), "Jaseci did not store REDIS_CONFIG"),
        (answer({}, status=500), "Jaseci failed inside (500)"),
    ],
)
def test_setting_a_config(wire: Proxy, client: Jaseci, reply: Reply, complaint: str) -> None:
    """It is stored only where Jaseci says so."""
    wire.misbehave(reply)

    assert client.set_config(REDIS, {"a": 1}) == complaint
    assert wire.requests[0].json == {"name": "REDIS_CONFIG", "value": {"a": 1}, "do_check": False}


def test_answers_stand_in_their_places(wire: Proxy, client: Jaseci) -> None:
    """Whichever comes first."""

    def tell(request: Request) -> Reply:
        return answer(RUNNING | {"state": "FAILED", "error": request.json["name"]})

    wire.misbehave(tell, path=INFO)

    assert [each.detail for each in client.get_states(MANY)] == [each.name for each in MANY]
    assert client.requests == len(MANY)
    assert client.get_states([]) == []


def test_eight_at_once(wire: Proxy) -> None:
    """Once the endpoint is known, no more and no fewer are under way at a time."""
    wire.misbehave(answer(RUNNING), path=INFO)
    with Proxy(wire.url) as front:
        client = Jaseci(front.url, Credentials(origin=front.url, token=TOKEN), seconds=30)
        client.get_states([REDIS])
        front.misbehave(Delay())
        asking = threading.Thread(target=client.get_states, args=(MANY,))
        asking.start()
        wait_until(lambda: len(front.requests) == 1 + IN_FLIGHT, what="the requests")
        front.behave()
        asking.join()

        assert len(front.requests) == 1 + len(MANY)


def test_a_missing_endpoint_is_asked_for_once(wire: Proxy, client: Jaseci) -> None:
    """For all services and all batches of a pass; so is an attribute that this version has not."""

    def tell(request: Request) -> Reply:
        [asked] = request.json["attrs"]
        return answer(STRANGER | {"response": "no attribute"} if asked["args"] else True)

    wire.misbehave(tell, path=CALL)
    wire.misbehave(answer({"success": True}), path=REFRESH)
    client.get_states([REDIS])

    assert {each.state for each in client.get_states(MANY)} == {ServiceState.RUNNING}
    assert count_paths(wire) == {INFO: 1, CALL: 1 + 1 + len(MANY)}


def test_one_login_for_all(wire: Proxy) -> None:
    """However many calls begin at once, and at however many pods."""
    with Proxy(host="127.0.0.2", port=wire.port) as other:
        for each in (wire, other):
            each.misbehave(answer({"token": "0a1b"}), path=LOGIN)
            each.misbehave(answer(RUNNING), path=INFO)
        pods = [Target(name="redis", address=address) for address in ("127.0.0.1", "127.0.0.2")]
        log_in(wire).get_states(pods * 20)
        requests = [*wire.requests, *other.requests]

    assert Counter(each.path for each in requests) == {LOGIN: 1, INFO: 40}
    assert {each.headers["Authorization"] for each in requests if each.path == INFO} == {"token 0a1b"}


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (answer({}, status=400), "login: Jaseci does not accept the email and password (400)"),
        (answer({}, status=403), "login: Jaseci answered 403"),
        (answer({}), "login: Jaseci answered without a token"),
        (answer({"token": "a\r\nb"}), "login: Jaseci answered without a token"),
        (answer({}, status=500), "login: Jaseci answered 500"),
        (Cut(), "login: Jaseci at {place} does not answer (RemoteDisconnected)"),
    ],
)
def test_a_login_that_fails(wire: Proxy, reply: Reply | Cut, reason: str) -> None:
    """It is said to be that; where it was refused, it is tried no more, and no service is asked about."""
    wire.misbehave(reply)
    client = log_in(wire)
    reason = reason.format(place=f"127.0.0.1:{wire.port}")

    assert {each.detail for each in client.get_states(MANY)} == {reason}
    assert {each.path for each in wire.requests} == {LOGIN}
    if isinstance(reply, Reply):
        assert len(wire.requests) == 1


@pytest.mark.parametrize("status", [401, 403])
def test_refused_credentials_end_it(wire: Proxy, client: Jaseci, status: int) -> None:
    """One call is made, none after it, and all services have the same reason."""
    wire.misbehave(answer({}, status=status))
    states = client.get_states(MANY)

    assert len({each.detail for each in states}) == 1
    assert client.reset_services([REDIS]) == [states[0].detail]
    assert client.get_configs([REDIS])[0] == client.set_config(REDIS, {}) == states[0].detail
    assert len(wire.requests) == client.requests == 1


def test_a_token_is_not_logged_out(wire: Proxy, client: Jaseci) -> None:
    """It was there before, and others may use it."""
    wire.misbehave(answer(RUNNING))
    client.get_states([REDIS])
    client.close()

    assert client.leftover == ""
    assert count_paths(wire) == {INFO: 1}


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Reply(status=403), "its admin pages did not delete it (403)"),
        (redirect("/admin/login/?next=/", status=302), "its admin pages did not delete it (302)"),
        (Cut(), "does not answer (RemoteDisconnected)"),
    ],
)
def test_a_login_that_stays_is_told(wire: Proxy, fault: Reply | Cut, reason: str) -> None:
    """With the cause, and what leaves none behind."""
    cookies = ("sessionid=s3ss10n; HttpOnly; Path=/",)
    body = json.dumps({"token": "0a1b"}).encode()
    wire.misbehave(Reply(status=200, body=body, cookies=cookies), path=LOGIN)
    wire.misbehave(answer(RUNNING), path=INFO)
    client = log_in(wire)
    client.get_states([REDIS])
    wire.misbehave(fault)
    client.close()

    assert client.leftover.startswith("the login of this pass stays valid in Jaseci: ")
    assert reason in client.leftover
    assert "0a1b" not in client.leftover


def test_no_url(wire: Proxy) -> None:
    """Where only pods are configured, what is asked of no pod is asked of nobody."""
    client = Jaseci("", Credentials(origin=wire.url, token=TOKEN), port=wire.port)

    assert client.get_states([REDIS])[0].detail == "jaseci.url is not set"


def test_a_name_that_nobody_knows() -> None:
    """The address was mistyped, or is one of the cluster's and we are not in it."""
    client = Jaseci("http://jaseci.invalid:80", Credentials(origin="http://jaseci.invalid:80", token="t"))  # noqa: S106
    reason = "nobody knows the name of jaseci.invalid:80 here, where Jaseci is to be"
    assert [each.detail for each in client.get_states([REDIS])] == [reason]
