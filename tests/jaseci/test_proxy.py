"""The proxy is a wire that can be trusted: it carries, records and fails exactly as told."""

import http.client
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.jaseci.proxy import Cut, Delay, Proxy, Reply, Request, redirect
from tests.waiting import wait_until


def call(
    proxy: Proxy, path: str = "/reset", *, method: str = "POST", body: bytes = b"{}", seconds: float = 10
) -> tuple[int, bytes, dict[str, str]]:
    with closing(http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=seconds)) as connection:
        connection.request(method, path, body, {"Authorization": "token secret"})
        answer = connection.getresponse()
        return answer.status, answer.read(), dict(answer.getheaders())


@pytest.fixture
def upstream() -> Iterator[Proxy]:
    with Proxy() as server:
        server.misbehave(Reply(status=200, body=b'{"success":true}'))
        yield server


@pytest.fixture
def proxy(upstream: Proxy) -> Iterator[Proxy]:
    with Proxy(upstream.url) as server:
        yield server


def test_it_carries_a_request_and_its_answer_unchanged(proxy: Proxy, upstream: Proxy) -> None:
    """Method, path with query, body and headers reach upstream; status, body and type come back."""
    status, body, headers = call(proxy, "/reset?name=redis", body=b'{"name": "redis"}')
    [seen] = upstream.requests
    assert (seen.method, seen.path, seen.json) == ("POST", "/reset?name=redis", {"name": "redis"})
    assert seen.headers["Authorization"] == "token secret"
    assert (status, body, headers["Content-Type"]) == (200, b'{"success":true}', "application/json")


def test_it_records_what_passes(proxy: Proxy) -> None:
    """Every request is kept in order."""
    call(proxy, "/one", method="GET")
    call(proxy, "/two")
    assert [(each.method, each.path) for each in proxy.requests] == [("GET", "/one"), ("POST", "/two")]


def test_a_reply_is_given_as_often_as_said_and_for_its_path_only(proxy: Proxy, upstream: Proxy) -> None:
    """A request met by a Reply never reaches upstream; then all is as before."""
    proxy.misbehave(Reply(status=500, body=b"<html>"), path="/reset", times=1)
    assert call(proxy, "/other")[0] == 200
    assert call(proxy, "/reset")[:2] == (500, b"<html>")
    assert [each.path for each in upstream.requests] == ["/other"]
    assert call(proxy, "/reset")[0] == 200


def test_a_hanging_answer_comes_once_released(proxy: Proxy) -> None:
    """The client waits until release, then gets upstream's answer."""
    proxy.misbehave(Delay())
    answers: list[int] = []
    client = threading.Thread(target=lambda: answers.append(call(proxy)[0]))
    client.start()
    wait_until(lambda: proxy.requests, what="the request to come in")
    assert client.is_alive()
    assert not answers
    proxy.release()
    client.join()
    assert answers == [200]


def test_a_client_may_give_up_on_a_hanging_answer(proxy: Proxy) -> None:
    """The client's own time-out ends the call; the proxy serves on."""
    proxy.misbehave(Delay(), times=1)
    with pytest.raises(TimeoutError):
        call(proxy, seconds=0.1)
    assert call(proxy)[0] == 200


def test_a_delay_ends_by_itself(proxy: Proxy) -> None:
    """After its seconds the request goes on."""
    proxy.misbehave(Delay(seconds=0.05))
    assert call(proxy)[0] == 200


def test_a_function_decides(proxy: Proxy, upstream: Proxy) -> None:
    """On each request, before upstream hears of it; None lets it pass."""
    seen: list[int] = []

    def decide(request: Request) -> Cut | None:
        seen.append(len(upstream.requests))
        return Cut(forward=True) if request.json else None

    proxy.misbehave(decide, path="/reset")
    assert call(proxy)[0] == 200
    with pytest.raises(http.client.RemoteDisconnected):
        call(proxy, body=b"[1]")
    assert (seen, len(upstream.requests)) == ([0, 1], 2)


def test_a_redirect_names_the_other_origin(proxy: Proxy) -> None:
    """Status and Location as told."""
    proxy.misbehave(redirect("http://127.0.0.2/reset"))
    status, _, headers = call(proxy)
    assert (status, headers["Location"]) == (307, "http://127.0.0.2/reset")


@pytest.mark.parametrize("forward", [False, True])
def test_a_cut_connection_gives_no_answer(proxy: Proxy, upstream: Proxy, *, forward: bool) -> None:
    """The client cannot tell whether upstream did the work; the test chooses."""
    proxy.misbehave(Cut(forward=forward))
    with pytest.raises(http.client.RemoteDisconnected):
        call(proxy)
    assert len(upstream.requests) == forward


def test_a_cut_may_come_in_the_middle_of_the_answer(proxy: Proxy) -> None:
    """The bytes sent before the cut are what the client gets."""
    proxy.misbehave(Cut(sent=b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"))
    with pytest.raises(http.client.IncompleteRead):
        call(proxy)


def test_an_upstream_that_is_gone_is_a_bad_gateway(proxy: Proxy, upstream: Proxy) -> None:
    """502, not a hang."""
    upstream.stop()
    assert call(proxy)[0] == 502


def test_a_stopped_proxy_answers_nobody(proxy: Proxy) -> None:
    """Not on connections that were kept alive either."""
    with closing(http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=10)) as kept:
        kept.request("GET", "/")
        kept.getresponse().read()
        proxy.stop()
        kept.request("GET", "/")
        with pytest.raises(ConnectionError):
            kept.getresponse()
    with pytest.raises(ConnectionRefusedError):
        call(proxy)
