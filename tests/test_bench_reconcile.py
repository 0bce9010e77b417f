"""The benchmark of reconciling measures what it says: one server, the same objects, requests that are counted."""

import socket
import socketserver
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Thread

import pytest

from bench.bars import Bar
from bench.check import CheckError, check_objects
from bench.harness import make_env
from bench.measure import Sample, measure_chains
from bench.objects import make_name
from bench.reconcile.chains import BARE_APPLY, JSORC, JSORC_UNDRIED, KUBECTL, ReconcileBench, make_chains
from bench.reconcile.inputs import BASE, CHANGED, count_services, make_service, read_objects, write_repository
from bench.reconcile.report import compute_bars
from bench.reconcile.server import LATENCY, ApiServer, project
from bench.tools import JSORC as PROGRAM
from tests.machine import Server, free_ports
from tests.waiting import wait_until

CHUNKS = [bytes([number]) * 1000 for number in range(50)]


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    return {**make_env(tmp_path), "KUBERC": "off"}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ApiServer]:
    """Its own, since it stops the controllers."""
    server = ApiServer.start(tmp_path / "server")
    yield server
    server.stop()


def make_samples(command: str, size: int, *walls: float, requests: int | None = None) -> list[Sample]:
    return [
        Sample(command=command, size=size, round=number, wall=wall, cpu=wall, rss=size / 50, requests=requests)
        for number, wall in enumerate(walls, 1)
    ]


def find_bar(samples: list[Sample], claim: str) -> Bar:
    return next(each for each in compute_bars(samples) if each.claim == claim)


def test_inputs(tmp_path: Path, env: dict[str, str]) -> None:
    """Both commits hold all objects and records, and differ in one ConfigMap."""
    files = tmp_path / "files"
    write_repository(tmp_path / "repository", files, 8, jsorc=PROGRAM, env=env)

    base, changed = (read_objects(files / tag) for tag in (BASE, CHANGED))

    assert len(base) == len(changed) == 8 + 2 + 1
    assert [each["metadata"]["name"] for each in changed if each not in base] == [make_name(0)]
    assert {each["spec"]["replicas"] for each in base if each["kind"] == "Deployment"} == {0}


@pytest.mark.parametrize("size", [0, 6, -4])
def test_odd_sizes(size: int) -> None:
    """A size that is no number of whole services is refused."""
    with pytest.raises(ValueError, match="multiple of 4"):
        count_services(size)


def test_projection() -> None:
    """What the server adds is no difference; what it lacks, or has otherwise, is."""
    wanted = make_service(0)
    live = [{**each, "status": {}, "metadata": {**each["metadata"], "uid": "1"}} for each in wanted]
    check_objects(map(project, live, wanted), wanted)

    live[0]["spec"] = {**live[0]["spec"], "replicas": 1}

    with pytest.raises(CheckError, match="differs"):
        check_objects(map(project, live, wanted), wanted)


@pytest.mark.real
@pytest.mark.usefixtures("programs")
def test_chains(tmp_path: Path, env: dict[str, str], server: ApiServer, programs: Path) -> None:
    """All contenders end with the same objects, near and far; each request is counted."""
    kubeconfigs: dict[float | None, Path] = {
        distance: server.make_kubeconfig(distance) for distance in (None, 0, 10)
    }
    bench = ReconcileBench(
        scratch=tmp_path, env=env, size=8, kubectl=programs / "kubectl", server=server, kubeconfigs=kubeconfigs
    )

    samples = {each.command: each for each in measure_chains(bench, make_chains(bench), rounds=1)}

    counted = {name: each.requests or 0 for name, each in samples.items()}
    assert len(samples) == 20
    assert counted[f"{JSORC}, first apply"] > counted[f"{JSORC_UNDRIED}, first apply"] > 2 * 11
    assert counted[f"{BARE_APPLY}, first apply"] >= 11
    assert counted["bare list, nothing to do"] >= 4
    far = samples[f"{KUBECTL}, nothing to do, 10 ms"]
    assert far.wall > 0.01 * 11


class Echo(socketserver.BaseRequestHandler):
    """Sends back what it gets."""

    def handle(self) -> None:
        while data := self.request.recv(1 << 16):
            self.request.sendall(data)


@pytest.fixture
def echo() -> Iterator[int]:
    """The port of a server that echoes."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echo) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def talk(port: int) -> tuple[bytes, float]:
    """What comes back of CHUNKS, and after how many seconds."""
    begun = time.monotonic()
    with socket.create_connection(("127.0.0.1", port)) as line:
        for chunk in CHUNKS:
            line.sendall(chunk)
        found = b""
        while len(found) < sum(map(len, CHUNKS)):
            found += line.recv(1 << 16)
        return found, time.monotonic() - begun


def test_distance(tmp_path: Path, echo: int) -> None:
    """Bytes come in order, later by the distance; what is under way does not hold up the rest."""
    (port,) = free_ports(1)
    proxy = Server([sys.executable, LATENCY, str(port), str(echo), "200"], log=tmp_path / "log", grace=1)
    try:
        wait_until(lambda: is_open(port), what="the proxy listens")
        with ThreadPoolExecutor(16) as pool:
            found = list(pool.map(talk, [port] * 16))
    finally:
        proxy.stop()

    assert {data for data, _ in found} == {b"".join(CHUNKS)}
    # Opening the connection is one round trip, the bytes are another.
    assert all(0.4 <= taken < 16 * 0.4 for _, taken in found)


def test_bars() -> None:
    """A bar follows from the samples: ratios of times, requests, what one object adds to them."""
    looking = f"{JSORC}, nothing to do"
    samples = [
        *make_samples(looking, 1000, 0.5, 0.7, requests=12),
        *make_samples(f"{JSORC}, one object changed", 1000, 0.6, requests=19),
        *make_samples(f"{KUBECTL}, nothing to do", 1000, 4.2, 3.0),
        *make_samples(looking, 5000, 2.5),
        *make_samples(looking, 10000, 5.0),
    ]

    kubectl = find_bar(samples, "1,000: kubectl apply / jsorc reconcile, nothing to do")
    requests = find_bar(samples, f"1,000: {looking}: requests")
    more = find_bar(samples, "1,000: jsorc reconcile, one object changed: requests more")

    assert (kubectl.bar, kubectl.measured, kubectl.met) == (">= 6", 6.0, True)
    assert (requests.bar, requests.measured, requests.met) == ("<= 14", 12, True)
    assert (more.bar, more.measured, more.met) == ("<= 6", 7, False)
    assert find_bar(samples, f"10,000: {looking}: peak RSS, MiB").met
    assert find_bar(samples, f"time of {looking}: 10,000 / 5,000").measured == 2.0
    assert find_bar(samples, "1,000: kubectl apply / jsorc reconcile, first apply").met is None
