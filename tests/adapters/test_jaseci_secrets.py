"""No token, password, page or planted secret comes out of the door: not in an answer, a log or an exception."""

import base64
import json
import logging
import re
import traceback
from collections.abc import Iterator

import pytest

from jsorc_gitops.adapters.jaseci import Jaseci
from jsorc_gitops.adapters.jaseci_session import Session
from jsorc_gitops.adapters.jaseci_wire import JaseciError, Place, Wire
from jsorc_gitops.model.jaseci import Credentials, Target
from tests.jaseci.proxy import Cut, Fault, Proxy, Reply, redirect

TOKEN = "70cen0f0urs70cen0f0urs70cen0f0urs"  # noqa: S105 - planted
PASSWORD = "pa55w0rd0f0urs"  # noqa: S105 - planted
PLANTED = "53cr370f73153rv3r"
SECRETS = (TOKEN, PASSWORD, PLANTED)
REDIS = Target(name="redis")
URL = f"redis://:{PLANTED}@10.1.2.3:6379/0"
ECHO = f"Invalid API args - {{'headers': {{'Authorization': 'token {TOKEN}', 'Cookie': 'sessionid={PLANTED}'}}}}"


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def answer(value: object, *, status: int = 200) -> Reply:
    return Reply(status=status, body=json.dumps(value).encode())


def info(error: str, config: object = None) -> Reply:
    return answer({"enabled": True, "state": "FAILED", "error": error, "config": config})


FAULTS: dict[str, Fault] = {
    **{
        f"page {status}": Reply(status=status, body=PLANTED.encode()) for status in (400, 401, 403, 404, 500, 502)
    },
    "redirect": redirect(f"http://user:{PLANTED}@127.0.0.1:9/{PLANTED}"),
    "reason": Cut(sent=f"HTTP/1.1 500 {PLANTED}\r\n\r\n".encode()),
    "no HTTP": Cut(sent=f"{PLANTED}\r\n\r\n".encode()),
    "cut": Cut(sent=f"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{PLANTED}".encode()),
    "bad length": Cut(sent=f"HTTP/1.1 200 OK\r\nContent-Length: {PLANTED}\r\n\r\n{{{PLANTED}".encode()),
    "bad chunk": Cut(sent=f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{PLANTED}\r\n".encode()),
    "no JSON": Reply(status=200, body=PLANTED.encode()),
    "no UTF-8": Reply(status=200, body=b'"\xff' + PLANTED.encode()),
    "a text": answer(PLANTED),
    "a list": answer([PLANTED]),
    "echo": answer({"success": False, "response": ECHO, "errors": [ECHO], "stack_trace": [ECHO]}),
    "stranger": answer({"success": False, "response": f"{PLANTED} is not existing", "errors": [TOKEN]}),
    "state": answer({"enabled": True, "state": PLANTED}),
    "url": info(f"cannot connect to {URL}"),
    "url, encoded": info(f"cannot connect to {encoded(URL)}", {"url": URL}),
    "config": info(f"login with {PLANTED} failed, with {encoded(f'x:{PLANTED}')} too", {"password": PLANTED}),
    "our own": info(f"called with {TOKEN}, {encoded(TOKEN)} and Basic {encoded(f'admin:{PASSWORD}')}"),
    "token of a login": answer({"token": f"{TOKEN}\r\nX: {PLANTED}"}),
    "cookie": Reply(
        status=200, body=f'{{"token": "{TOKEN}"}}'.encode(), cookies=(f"sessionid={PLANTED}\x01;;=",)
    ),
}


@pytest.fixture
def wire() -> Iterator[Proxy]:
    with Proxy() as proxy:
        yield proxy


def search(text: str) -> list[str]:
    """The secrets in a text, as they are or in what base64 it holds."""
    words = re.findall(r"[A-Za-z0-9+/_-]{8,}", text)
    decoded = [
        base64.b64decode(word[start:].translate(str.maketrans("-_", "+/")) + "===").decode("latin-1")
        for word in words
        for start in range(4)
        if len(word[start:]) % 4 != 1
    ]
    return [secret for secret in SECRETS if any(secret in each for each in (text, *decoded))]


def test_the_search_finds() -> None:
    """Plain and encoded, wherever it begins."""
    for shift in range(4):
        assert search(f"x {encoded('y' * shift + PLANTED + 'z')} x") == [PLANTED]
    assert search(repr({"a": TOKEN})) == [TOKEN]
    assert search("nothing of it") == []


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize(
    "credentials", [{"token": TOKEN}, {"email": "a@b", "password": PASSWORD}], ids=["token", "login"]
)
def test_no_answer_holds_a_secret(
    wire: Proxy,
    name: str,
    credentials: dict[str, str],
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whatever Jaseci says, to whichever call, with a token or a login."""
    caplog.set_level(logging.DEBUG)
    if "password" in credentials and "login" not in name and name != "cookie":
        wire.misbehave(answer({"token": TOKEN}), path="/user/token/")
    wire.misbehave(FAULTS[name])
    client = Jaseci(wire.url, Credentials(origin=wire.url, **credentials), seconds=5)
    config = client.get_configs([REDIS])[0]
    said = [
        client.get_states([REDIS, REDIS]),
        client.reset_services([REDIS]),
        config if isinstance(config, str) else "",  # what was asked for
        client.set_config(REDIS, {"password": PLANTED}),
    ]
    client.close()
    said += [client.leftover, repr(client), capfd.readouterr(), caplog.text]

    assert search(repr(said)) == []


@pytest.mark.parametrize("name", FAULTS)
def test_no_exception_holds_a_secret(wire: Proxy, name: str) -> None:
    """Nor anything that it came from: it has neither cause nor context."""
    wire.misbehave(FAULTS[name])
    line = Wire(seconds=5, sent=lambda: None)
    session = Session(line, Credentials(origin=wire.url, token=TOKEN))
    try:
        said = repr(session.post(Place(url=wire.url), "/js_admin/service_info", {}))
        error: BaseException | None = None
    except JaseciError as raised:
        error, said = raised, "".join(traceback.format_exception(raised)) + repr(vars(raised))

    assert search(said + repr(session)) == []
    assert error is None or error.__cause__ is error.__context__ is None


def test_a_token_that_no_header_can_carry(wire: Proxy) -> None:
    """It is not sent, and not quoted as the error of the header would."""
    client = Jaseci(wire.url, Credentials(origin=wire.url, token=f"{TOKEN}\n"), seconds=5)

    assert search(repr(client.get_states([REDIS]))) == []
    assert wire.requests == []
