"""The proxy in front of the API server: what passes unchanged, and each way to misbehave."""

import http.client
import ssl
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.controlplane.proxy import Cut, Delay, Proxy, Reply, Request, Stream
from tests.controlplane.server import ControlPlane

pytestmark = pytest.mark.real


@pytest.fixture
def proxy(controlplane: ControlPlane) -> Iterator[Proxy]:
    """A proxy that does nothing yet."""
    with Proxy(controlplane) as made:
        yield made


def connect(proxy: Proxy, controlplane: ControlPlane) -> http.client.HTTPSConnection:
    context = ssl.create_default_context(cafile=controlplane.ca)
    return http.client.HTTPSConnection("127.0.0.1", proxy.port, context=context, timeout=30)


def ask(
    connection: http.client.HTTPSConnection, controlplane: ControlPlane, path: str = "/version"
) -> tuple[int, bytes]:
    connection.request("GET", path, headers={"Authorization": f"Bearer {controlplane.token}"})
    answer = connection.getresponse()
    return answer.status, answer.read()


def test_kubectl_works_through_it(proxy: Proxy, controlplane: ControlPlane, namespace: str) -> None:
    """With its token, so that it may write, and with what it watches for; each request is counted."""
    through = ("--kubeconfig", proxy.kubeconfig_for(), "-n", namespace)
    controlplane.kubectl("create", "configmap", "a", "--from-literal=key=value", *through)
    controlplane.kubectl("wait", "configmap/a", "--for=jsonpath={.data.key}=value", *through)
    controlplane.kubectl("delete", "configmap", "a", *through)
    assert proxy.count(f"^POST /api/v1/namespaces/{namespace}/configmaps") == 1
    assert proxy.count(f"^DELETE /api/v1/namespaces/{namespace}/configmaps/a") == 1
    assert proxy.count() == len(proxy.requests)


def test_one_connection_carries_many_requests(proxy: Proxy, controlplane: ControlPlane) -> None:
    """It is kept alive, and a large answer comes whole, as the API server gave it."""
    direct = controlplane.kubectl("get", "--raw", "/openapi/v2")
    with closing(connect(proxy, controlplane)) as connection:
        ask(connection, controlplane)
        before = connection.sock
        assert ask(connection, controlplane, "/openapi/v2")[1].decode().strip() == direct.strip()
        assert connection.sock is before


def test_a_reply_is_given_so_many_times(proxy: Proxy, controlplane: ControlPlane) -> None:
    """Only to what matches, and the API server hears nothing of it; then all passes again."""
    proxy.misbehave(Reply(status=429, headers={"Retry-After": "7"}), match="^GET /version", times=2)
    with closing(connect(proxy, controlplane)) as connection:
        assert ask(connection, controlplane, "/readyz")[0] == 200
        connection.request("GET", "/version")
        answer = connection.getresponse()
        answer.read()
        assert (answer.status, answer.headers["Retry-After"]) == (429, "7")
        assert [ask(connection, controlplane)[0] for _ in range(2)] == [429, 200]


@pytest.mark.parametrize("acted", [False, True])
def test_a_cut_resets_the_connection(
    proxy: Proxy, controlplane: ControlPlane, namespace: str, *, acted: bool
) -> None:
    """Before the API server has heard of the request, or after it has done it."""
    proxy.misbehave(Cut(acted=acted), match="^DELETE", times=1)
    controlplane.kubectl("create", "configmap", "a", "-n", namespace)
    with closing(connect(proxy, controlplane)) as connection:
        connection.request(
            "DELETE",
            f"/api/v1/namespaces/{namespace}/configmaps/a",
            headers={"Authorization": f"Bearer {controlplane.token}"},
        )
        with pytest.raises(ConnectionResetError):
            connection.getresponse()
    left = controlplane.kubectl("get", "configmap", "a", "-n", namespace, "-o", "name", "--ignore-not-found")
    assert (left == "") == acted


def test_latency_is_added_to_every_request(proxy: Proxy, controlplane: ControlPlane) -> None:
    """Twice to a new connection, besides."""
    proxy.latency = 0.1
    with closing(connect(proxy, controlplane)) as connection:
        times = []
        for _ in range(2):
            begin = time.monotonic()
            ask(connection, controlplane)
            times.append(time.monotonic() - begin)
    assert times[0] >= 0.3
    assert times[1] >= 0.1


def test_a_delay_holds_until_it_is_let_go(proxy: Proxy, controlplane: ControlPlane) -> None:
    """Or for so many seconds."""
    proxy.misbehave(Delay(), match="/version", times=1)
    proxy.misbehave(Delay(seconds=0.2), match="/readyz", times=1)
    with closing(connect(proxy, controlplane)) as connection:
        begin = time.monotonic()
        ask(connection, controlplane, "/readyz")
        assert time.monotonic() - begin >= 0.2
        connection.request("GET", "/version", headers={"Authorization": f"Bearer {controlplane.token}"})
        proxy.behave()
        assert connection.getresponse().status == 200


def test_a_function_decides(proxy: Proxy, controlplane: ControlPlane) -> None:
    """It is told of each request before that is passed on."""
    seen: list[Request] = []

    def decide(request: Request) -> Reply | None:
        seen.append(request)
        return Reply(status=500) if len(seen) == 2 else None

    proxy.misbehave(decide)
    with closing(connect(proxy, controlplane)) as connection:
        assert [ask(connection, controlplane)[0] for _ in range(3)] == [200, 500, 200]
    assert seen == proxy.requests


def test_an_api_server_that_came_back_is_found(proxy: Proxy, controlplane: ControlPlane) -> None:
    """A connection to the proxy outlives the one behind it; in between it ends like the server's own."""
    with closing(connect(proxy, controlplane)) as connection:
        ask(connection, controlplane)
        controlplane.stop_apiserver()
        controlplane.start_apiserver()
        assert ask(connection, controlplane)[0] == 200


def test_a_stopped_one_is_gone(controlplane: ControlPlane) -> None:
    """Neither a new connection nor an old one is served."""
    with Proxy(controlplane) as proxy, closing(connect(proxy, controlplane)) as connection:
        ask(connection, controlplane)
        proxy.stop()
        with pytest.raises((ConnectionError, http.client.HTTPException, ssl.SSLError)):
            ask(connection, controlplane)
        with closing(connect(proxy, controlplane)) as fresh, pytest.raises(ConnectionRefusedError):
            ask(fresh, controlplane)


def test_what_was_answered_is_kept(proxy: Proxy, controlplane: ControlPlane) -> None:
    """With the API server's status and the time, also where the client heard nothing of it."""
    begin = time.monotonic()
    with closing(connect(proxy, controlplane)) as connection:
        ask(connection, controlplane, "/api/v1/namespaces/nowhere")
    proxy.misbehave(Cut(acted=True), times=1)
    with closing(connect(proxy, controlplane)) as connection, pytest.raises(ConnectionError):
        ask(connection, controlplane)
    proxy.misbehave(Reply(status=500), times=1)
    with closing(connect(proxy, controlplane)) as connection:
        ask(connection, controlplane)
    kept = [(each.request.path, each.status) for each in proxy.answers]
    assert kept == [("/api/v1/namespaces/nowhere", 404), ("/version", 200)]
    assert begin <= proxy.answers[0].at <= proxy.answers[1].at <= time.monotonic()


def test_it_goes_away_and_comes_back(proxy: Proxy, controlplane: ControlPlane) -> None:
    """Meanwhile nobody gets in, and open connections end; then it is at the same port."""
    with closing(connect(proxy, controlplane)) as connection:
        ask(connection, controlplane)
        proxy.go_away()
        with pytest.raises((ConnectionError, ssl.SSLError)):
            ask(connection, controlplane)
    with closing(connect(proxy, controlplane)) as connection, pytest.raises(ConnectionRefusedError):
        ask(connection, controlplane)
    proxy.come_back()
    with closing(connect(proxy, controlplane)) as connection:
        assert ask(connection, controlplane)[0] == 200


def test_a_stream_is_the_proxys_own(proxy: Proxy, controlplane: ControlPlane) -> None:
    """It has no end: it is cut off, or nothing more comes until the proxy behaves."""
    proxy.misbehave(Stream(text="half a line", hangs=True), match="^GET /version")
    with closing(connect(proxy, controlplane)) as connection:
        connection.request("GET", "/version")
        answer = connection.getresponse()
        assert (answer.status, answer.read1()) == (200, b"half a line")
        proxy.behave()
        with pytest.raises(http.client.IncompleteRead):
            answer.read()


def test_what_is_being_answered_can_be_broken_off(proxy: Proxy, controlplane: ControlPlane) -> None:
    """Those connections, and no other."""
    watch = "/api/v1/namespaces?watch=true&timeoutSeconds=60"
    with (
        closing(connect(proxy, controlplane)) as watching,
        closing(connect(proxy, controlplane)) as other,
    ):
        ask(other, controlplane)
        watching.request("GET", watch, headers={"Authorization": f"Bearer {controlplane.token}"})
        answer = watching.getresponse()
        assert proxy.break_off("watch=true") == 1
        with pytest.raises((http.client.IncompleteRead, ConnectionError, ssl.SSLError)):
            answer.read()
        before = other.sock
        ask(other, controlplane)
        assert other.sock is before
