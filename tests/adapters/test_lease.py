"""adapters.lease against a real API server: one holder at a time, and what becomes of holders that die."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from subprocess import PIPE
from threading import Thread
from time import monotonic
from typing import Any

import pytest

from jsorc_gitops.adapters.cluster import Cluster
from jsorc_gitops.adapters.lease import DURATION, Lease
from jsorc_gitops.errors import ClusterError, LeaseHeldError
from jsorc_gitops.model.objects import Body, ObjectRef
from tests.adapters.sending import connect
from tests.controlplane.proxy import Cut, Delay, Proxy
from tests.controlplane.server import ControlPlane
from tests.waiting import wait_until

pytestmark = pytest.mark.real

API = "coordination.k8s.io/v1"
SHORT = 1  # seconds; the server takes no shorter duration
LONG = 60


@pytest.fixture
def cluster(controlplane: ControlPlane) -> Iterator[Cluster]:
    """The admin's connection."""
    with connect(controlplane.kubeconfig) as made:
        yield made


def read(cluster: Cluster, namespace: str) -> dict[str, Any]:
    """The spec of the Lease, {} where there is none."""
    ref = ObjectRef(group="coordination.k8s.io", kind="Lease", namespace=namespace, name="jsorc.default")
    (answer,) = cluster.get_objects([(API, ref)])
    assert not isinstance(answer, ClusterError), answer
    return dict(answer["spec"]) if answer else {}


def make(cluster: Cluster, namespace: str, *, duration: int = LONG, patience: float = 0) -> Lease:
    return Lease(cluster, tree="default", namespace=namespace, duration=duration, patience=patience)


@contextmanager
def held(lease: Lease) -> Iterator[Lease]:
    lease.acquire()
    try:
        yield lease
    finally:
        lease.release()


def write(cluster: Cluster, namespace: str, *, holder: str, renewed: str = "2026-11-23T12:00:00.000000Z") -> None:
    """The Lease of a holder that will not renew it."""
    body: Body = {
        "apiVersion": API,
        "kind": "Lease",
        "metadata": {"name": "jsorc.default", "namespace": namespace},
        "spec": {
            "holderIdentity": holder,
            "leaseDurationSeconds": SHORT,
            "acquireTime": "2026-11-23T12:00:00.000000Z",
            "renewTime": renewed,
            "leaseTransitions": 4,
        },
    }
    cluster.create_object(body)


def test_a_lease_is_held_and_given_back(cluster: Cluster, namespace: str) -> None:
    """It names its holder while it is held, and nobody afterwards; nobody writes by it any more."""
    with held(make(cluster, namespace)) as lease:
        lease.check()
        assert read(cluster, namespace)["holderIdentity"]
        assert read(cluster, namespace)["leaseDurationSeconds"] == LONG
    assert read(cluster, namespace)["holderIdentity"] == ""
    with pytest.raises(LeaseHeldError, match="is given back; nothing more is written"):
        lease.check()


def test_a_second_holder_waits_then_gives_up(cluster: Cluster, namespace: str) -> None:
    """It says who has it; exit code 5."""
    with held(make(cluster, namespace)):
        holder = read(cluster, namespace)["holderIdentity"]
        begin = monotonic()
        with pytest.raises(LeaseHeldError, match=f"Lease/{namespace}/jsorc.default is held by {holder}") as error:
            make(cluster, namespace, patience=1).acquire()
        assert monotonic() - begin >= 1
        assert read(cluster, namespace)["holderIdentity"] == holder
    assert error.value.exit_code == 5


def test_a_second_holder_gets_it_when_the_first_is_done(
    controlplane: ControlPlane, cluster: Cluster, namespace: str
) -> None:
    """It waits, and takes it over as soon as it is free."""
    second = make(cluster, namespace, patience=30)
    waiting = Thread(target=second.acquire)
    with connect(controlplane.kubeconfig) as other, held(make(other, namespace)):
        waiting.start()
    waiting.join(10)
    second.check()
    assert read(cluster, namespace)["holderIdentity"]
    second.release()


def test_a_released_lease_is_taken_at_once(cluster: Cluster, namespace: str) -> None:
    """Without patience, and without waiting for anything to expire."""
    with held(make(cluster, namespace)):
        pass
    with held(make(cluster, namespace)) as lease:
        lease.check()


def test_transitions_are_counted(cluster: Cluster, namespace: str) -> None:
    """0 for the first holder, one more for each after it; a renewal is none."""
    counts = []
    for _ in range(3):
        with held(make(cluster, namespace, duration=SHORT)):
            before = read(cluster, namespace)

            def is_renewed(before: dict[str, Any] = before) -> bool:
                return bool(read(cluster, namespace)["renewTime"] != before["renewTime"])

            wait_until(is_renewed, what="the lease is renewed")
            after = read(cluster, namespace)
            assert after["acquireTime"] == before["acquireTime"]
            counts.append(after["leaseTransitions"])
    assert counts == [0, 1, 2]


@pytest.mark.parametrize("renewed", ["2020-01-01T00:00:00.000000Z", "2040-01-01T00:00:00.000000Z"])
def test_a_dead_holders_lease_is_taken_over_when_it_stands_still(
    cluster: Cluster, namespace: str, renewed: str
) -> None:
    """For its duration on our clock, whatever the clock of the dead said."""
    write(cluster, namespace, holder="dead", renewed=renewed)
    begin = monotonic()
    with held(make(cluster, namespace, duration=SHORT, patience=30)):
        assert monotonic() - begin >= SHORT
        assert read(cluster, namespace)["holderIdentity"] != "dead"
        assert read(cluster, namespace)["leaseTransitions"] == 5


def test_a_living_holders_lease_is_not_taken_over(cluster: Cluster, namespace: str) -> None:
    """It renews it, so that it never stands still for its duration."""
    with held(make(cluster, namespace, duration=SHORT)) as first:
        with pytest.raises(LeaseHeldError):
            make(cluster, namespace, duration=SHORT, patience=3).acquire()
        first.check()


def test_a_lost_lease_is_noticed(cluster: Cluster, namespace: str) -> None:
    """Somebody else took it over: the next check raises, and the release leaves it to them."""
    lease = make(cluster, namespace, duration=SHORT)
    lease.acquire()
    lease.check()
    ref = ObjectRef(group="coordination.k8s.io", kind="Lease", namespace=namespace, name="jsorc.default")
    cluster.patch_object(API, ref, {"spec": {"holderIdentity": "somebody else"}})

    def is_lost() -> bool:
        try:
            lease.check()
        except LeaseHeldError as error:
            return "another reconciler took it over" in str(error)
        return False

    wait_until(is_lost, what="the lease is lost")
    lease.release()
    assert read(cluster, namespace)["holderIdentity"] == "somebody else"


def test_a_renewal_that_was_not_heard_of_is_ours(proxy: Proxy, namespace: str) -> None:
    """The connection broke when it was done already: the next one sees who stands there, and goes on."""
    with connect(proxy.kubeconfig_for()) as cluster:
        with held(make(cluster, namespace, duration=SHORT)) as lease:
            proxy.misbehave(Cut(acted=True), match="^PUT .*/leases/", times=1)
            wait_until(lambda: proxy.count("^PUT .*/leases/") > 3, what="it is renewed again and again")
            lease.check()
        assert read(cluster, namespace)["holderIdentity"] == ""


def test_a_renewal_that_hangs_is_given_up(proxy: Proxy, namespace: str) -> None:
    """After five seconds, so that another one is in time: the server answers all else, and the lease is kept."""
    with connect(proxy.kubeconfig_for()) as cluster, held(make(cluster, namespace, duration=DURATION)) as lease:
        proxy.misbehave(Delay(), match="^PUT .*/leases/", times=1)
        wait_until(lambda: proxy.count("^PUT .*/leases/") > 2, what="it is renewed again", seconds=DURATION + 5)
        lease.check()


def test_a_machine_that_slept_notices_at_its_first_check(
    cluster: Cluster, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its monotonic clock stood still meanwhile, and nothing was renewed."""
    gettime = time.clock_gettime
    with held(make(cluster, namespace)) as lease:
        monkeypatch.setattr(time, "clock_gettime", lambda clock: gettime(clock) + LONG + 1)
        with pytest.raises(LeaseHeldError, match=f"it was not renewed for {LONG} s"):
            lease.check()


PAUSED = """
import sys, time
from pathlib import Path
from jsorc_gitops.adapters.lease import Lease
from tests.adapters.sending import connect
with connect(Path(sys.argv[1])) as cluster:
    lease = Lease(cluster, tree="default", namespace=sys.argv[2], duration=1)
    lease.acquire()
    print("held", flush=True)
    last = time.monotonic()
    while True:
        now = time.monotonic()
        lease.check()
        if now - last > 1:
            print("went on", flush=True)
        last = now
"""


def test_a_holder_that_was_paused_notices_at_its_first_check(controlplane: ControlPlane, namespace: str) -> None:
    """It asks before every write, and must not be told what was true before the pause."""
    arguments = [sys.executable, "-c", PAUSED, str(controlplane.kubeconfig), namespace]
    with (
        subprocess.Popen(arguments, stdout=PIPE, stderr=PIPE, text=True) as holder,
        connect(controlplane.kubeconfig) as cluster,
    ):
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        holder.send_signal(signal.SIGSTOP)
        with held(make(cluster, namespace, duration=SHORT, patience=30)):
            holder.send_signal(signal.SIGCONT)
            output, errors = holder.communicate(timeout=30)
    assert output == ""
    assert "LeaseHeldError" in errors


def test_a_lease_in_no_namespace_is_not_taken(cluster: Cluster) -> None:
    """404: the first pass makes the namespace and asks again with the same lease."""
    lease = make(cluster, "nowhere")
    with pytest.raises(ClusterError) as error:
        lease.acquire()
    lease.release()
    assert error.value.status == 404


def test_a_lease_that_was_never_held_is_released_quietly(cluster: Cluster, namespace: str) -> None:
    """Nothing is written."""
    make(cluster, namespace).release()
    assert read(cluster, namespace) == {}


def test_a_server_that_goes_away_loses_the_lease(controlplane: ControlPlane, namespace: str) -> None:
    """After its duration without a renewal it counts as lost, since another may have it by then."""
    with connect(controlplane.kubeconfig) as cluster:
        lease = make(cluster, namespace, duration=SHORT)
        lease.acquire()
        controlplane.stop_apiserver()
        try:

            def is_lost() -> bool:
                try:
                    lease.check()
                except LeaseHeldError:
                    return True
                return False

            wait_until(is_lost, what="the lease is lost")
        finally:
            controlplane.start_apiserver()
        lease.release()
