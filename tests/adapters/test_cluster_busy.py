"""adapters.cluster while the API server is busy, broken or cut off: what is sent again, and what never is."""

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from jsorc_gitops.adapters import connection
from jsorc_gitops.adapters.cluster import IN_FLIGHT, Cluster
from jsorc_gitops.errors import ClusterError, LeaseHeldError
from jsorc_gitops.model.objects import ApplyRequest
from tests.adapters.sending import apply, connect, get, make_map, ref_of, refused, send
from tests.controlplane.proxy import Cut, Delay, Fault, Proxy, Reply
from tests.waiting import wait_until

pytestmark = pytest.mark.real

BUSY = Reply(status=429, reason="TooManyRequests", headers={"Retry-After": "1"})


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two and a half seconds instead of thirty."""
    monkeypatch.setattr(connection, "PATIENCE", 2.5)


def test_a_write_waits_as_long_as_it_is_told(cluster: Cluster, proxy: Proxy, namespace: str) -> None:
    """429 with Retry-After says that the server did not act; each time that it was sent counts."""
    proxy.misbehave(BUSY, match="^PATCH", times=2)
    before, begin = cluster.requests, time.monotonic()
    apply(cluster, make_map(namespace))
    assert time.monotonic() - begin >= 2
    assert (cluster.requests - before, proxy.count("^PATCH")) == (3, 3)


def test_a_storm_delays_and_loses_nothing(cluster: Cluster, proxy: Proxy, namespace: str) -> None:
    """Of a hundred writes each second one is turned away, until all are done, each once."""
    turn = iter(range(1000))
    proxy.misbehave(lambda _: BUSY if next(turn) % 2 else None, match="^PATCH")
    bodies = [make_map(namespace, f"map-{number}") for number in range(100)]
    answers = cluster.apply_objects([ApplyRequest(ref=ref_of(body), body=body) for body in bodies])
    assert [each for each in answers if isinstance(each, ClusterError)] == []
    assert {len(each["metadata"]["managedFields"]) for each in answers} == {1}  # type: ignore[index]
    assert proxy.count("^PATCH") > 100


@pytest.mark.parametrize(("wait", "sent"), [("1", 3), ("3", 1), ("86400", 1)])
@pytest.mark.usefixtures("impatient")
def test_patience_is_bounded(cluster: Cluster, proxy: Proxy, namespace: str, wait: str, sent: int) -> None:
    """A request waits so long in all; where it is told to wait longer, it is given up at once."""
    proxy.misbehave(Reply(status=429, headers={"Retry-After": wait}), match="^PATCH")
    begin = time.monotonic()
    error = refused(send(cluster, make_map(namespace)))
    assert time.monotonic() - begin < 10
    assert (error.status, proxy.count("^PATCH")) == (429, sent)


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (Reply(status=429), 429),
        (Reply(status=500), 500),
        (Reply(status=503, headers={"Retry-After": "1"}), 503),
        (Cut(), 0),
        (Cut(acted=True), 0),
    ],
    ids=str,
)
def test_a_write_of_unknown_fate_is_not_sent_again(
    cluster: Cluster, proxy: Proxy, namespace: str, fault: Fault, status: int
) -> None:
    """It could have been done; only the server's word that it was not counts."""
    proxy.misbehave(fault, match="^PATCH", times=1)
    error = refused(send(cluster, make_map(namespace)))
    assert (error.status, proxy.count("^PATCH")) == (status, 1)
    done = isinstance(fault, Cut) and fault.acted
    assert (get(cluster, make_map(namespace)) is not None) == done


@pytest.mark.parametrize(
    "fault", [Reply(status=429), Reply(status=500), Reply(status=503), Cut(), Cut(acted=True)], ids=str
)
def test_what_only_reads_is_asked_three_times(
    cluster: Cluster, proxy: Proxy, namespace: str, fault: Fault
) -> None:
    """Then the answer is the error, and the next request is served again."""
    apply(cluster, make_map(namespace))
    proxy.misbehave(fault, match="^GET .*/configmaps/a", times=2)
    assert get(cluster, make_map(namespace))
    assert proxy.count("^GET .*/configmaps/a") == 3
    proxy.misbehave(fault, match="^GET .*/configmaps/a", times=3)
    (answer,) = cluster.get_objects([("v1", ref_of(make_map(namespace)))])
    assert refused(answer).status == (fault.status if isinstance(fault, Reply) else 0)
    assert get(cluster, make_map(namespace))


@pytest.mark.parametrize("acted", [False, True])
def test_a_dry_run_is_sent_again(cluster: Cluster, proxy: Proxy, namespace: str, *, acted: bool) -> None:
    """Where the connection broke: it writes nothing, so nothing can be done twice."""
    proxy.misbehave(Cut(acted=acted), match="dryRun", times=2)
    answer = send(cluster, make_map(namespace), dry_run=True)
    assert not isinstance(answer, ClusterError)
    assert proxy.count("dryRun") == 3


def test_a_server_that_restarts_is_waited_for(cluster: Cluster, proxy: Proxy, namespace: str) -> None:
    """It takes no connections, so nothing was sent, and what writes may wait like what reads."""
    bodies = [make_map(namespace, f"map-{number}") for number in range(20)]
    proxy.go_away()
    with ThreadPoolExecutor(2) as pool:
        before = cluster.requests
        written = pool.submit(
            cluster.apply_objects, [ApplyRequest(ref=ref_of(body), body=body) for body in bodies]
        )
        read = pool.submit(get, cluster, make_map(namespace, "other"))
        wait_until(lambda: cluster.requests > before + 2 * IN_FLIGHT, what="all were turned away")
        proxy.come_back()
        assert [each for each in written.result() if isinstance(each, ClusterError)] == []
        assert read.result() is None
    assert proxy.count("^PATCH") == 20


def test_a_handshake_that_breaks_has_sent_nothing(proxy: Proxy, namespace: str) -> None:
    """A server that ends just then, or a load balancer without one behind it: a write waits for that, too."""
    with connect(proxy.kubeconfig_for()) as cluster:
        proxy.go_away()
        with (
            socket.create_server(("127.0.0.1", proxy.port)) as listener,
            ThreadPoolExecutor(1) as pool,
        ):
            sent = pool.submit(send, cluster, make_map(namespace))
            for reset in (False, True):
                client, _ = listener.accept()
                with client:
                    assert client.recv(1)
                    if not reset:
                        client.recv(1 << 16)
            listener.close()
            proxy.come_back()
            assert not isinstance(sent.result(), ClusterError)


@pytest.mark.usefixtures("impatient")
def test_a_server_that_stays_away_is_given_up(cluster: Cluster, proxy: Proxy, namespace: str) -> None:
    """After as long as any request waits, with its address and the reason."""
    proxy.go_away()
    begin = time.monotonic()
    error = refused(send(cluster, make_map(namespace)))
    assert 2 < time.monotonic() - begin < 5
    assert f"the API server {proxy.url} does not answer: " in str(error)
    assert "refused" in str(error)


def test_who_loses_the_lease_waits_no_longer(cluster: Cluster, proxy: Proxy, namespace: str) -> None:
    """Another may be at work by the time that the server is back: what waited is not sent."""
    lost = Event()

    def check() -> None:
        if lost.is_set():
            raise LeaseHeldError("lost")

    cluster.guard = check
    proxy.go_away()
    with ThreadPoolExecutor(1) as pool:
        before = cluster.requests
        sent = pool.submit(send, cluster, make_map(namespace))
        wait_until(lambda: cluster.requests > before, what="it was turned away")
        lost.set()
        proxy.come_back()
        with pytest.raises(LeaseHeldError):
            sent.result()
    assert proxy.count("^PATCH") == 0


def test_an_end_lets_nothing_wait(proxy: Proxy, namespace: str) -> None:
    """Who closes the connection, on ^C say, does not sit out what the server asked others to wait."""
    proxy.misbehave(Reply(status=429, headers={"Retry-After": "25"}), match="^PATCH")
    with connect(proxy.kubeconfig_for()) as cluster, ThreadPoolExecutor(1) as pool:
        sent = pool.submit(send, cluster, make_map(namespace))
        wait_until(lambda: proxy.count("^PATCH"), what="it was sent")
        begin = time.monotonic()
        cluster.close()
        assert refused(sent.result()).status == 429
        assert time.monotonic() - begin < 5


def test_sixteen_requests_are_under_way(cluster: Cluster, proxy: Proxy, namespace: str) -> None:
    """No more, however many there are, and no fewer."""
    proxy.misbehave(Delay(), match="/configmaps/a")
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(cluster.get_objects, [("v1", ref_of(make_map(namespace)))] * 40)
        wait_until(lambda: proxy.count("/configmaps/a") == IN_FLIGHT, what="as many as there may be")
        with pytest.raises(TimeoutError):
            wait_until(lambda: proxy.count("/configmaps/a") > IN_FLIGHT, what="one more", seconds=0.5)
        proxy.behave()
        assert asked.result() == [None] * 40
