"""adapters.cluster, read-only and told how far it is, and what a lease foresees; on a real API server."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest

from jsorc_gitops.adapters.cluster import Cluster
from jsorc_gitops.adapters.lease import Lease
from jsorc_gitops.errors import ClusterError
from jsorc_gitops.model.objects import DeleteRequest
from tests.adapters.sending import apply, connect, get, make_map, ref_of, send
from tests.controlplane.server import ControlPlane

pytestmark = pytest.mark.real


@pytest.fixture
def told() -> list[tuple[str, int, int]]:
    return []


@pytest.fixture
def read_only(controlplane: ControlPlane, told: list[tuple[str, int, int]]) -> Iterator[Cluster]:
    def tell(doing: str, done: int, total: int) -> None:
        told.append((doing, done, total))

    kubeconfig = controlplane.kubeconfig
    with closing(Cluster(field_manager="jsorc", kubeconfig=kubeconfig, read_only=True, progress=tell)) as cluster:
        cluster.read_discovery()
        yield cluster


def test_nothing_is_written(controlplane: ControlPlane, read_only: Cluster, namespace: str) -> None:
    """Every way to write is a bug of ours, told before anything is sent; reading and dry-runs go on."""
    body = make_map(namespace)
    with connect(controlplane.kubeconfig) as other:
        there = apply(other, body)
    metadata = there["metadata"]
    deletion = DeleteRequest(ref=ref_of(body), uid=metadata["uid"], resource_version=metadata["resourceVersion"])
    count = read_only.requests

    with pytest.raises(ValueError, match="would write, and this connection is read-only"):
        send(read_only, body)
    with pytest.raises(ValueError, match=r"DELETE .* would write"):
        read_only.delete_objects([deletion])
    with pytest.raises(ValueError, match=r"POST .* would write"):
        read_only.create_object(make_map(namespace, "b"))
    with pytest.raises(ValueError, match=r"PUT .* would write"):
        read_only.replace_object(there)
    with pytest.raises(ValueError, match=r"PATCH .* would write"):
        read_only.patch_object("v1", ref_of(body), {"data": None})
    with pytest.raises(ValueError, match=r"PATCH .*/dryRun would write"):
        send(read_only, make_map(namespace, "dryRun"))

    assert read_only.requests == count
    assert get(read_only, body) == there
    assert send(read_only, make_map(namespace, key="new"), dry_run=True) is not None
    (answer,) = read_only.delete_objects([replace(deletion, dry_run=True)])
    assert not isinstance(answer, ClusterError)
    assert get(read_only, body) == there


def test_progress(read_only: Cluster, namespace: str, told: list[tuple[str, int, int]]) -> None:
    """How many of how many are done, and what is being done."""
    refs = [("v1", ref_of(make_map(namespace, name))) for name in "abc"]
    told.clear()
    read_only.get_objects(refs)
    send(read_only, make_map(namespace), dry_run=True)
    read_only.list_objects([("v1", "ConfigMap")], namespaces=[namespace])
    assert told == [
        *[("looking", number, 3) for number in (1, 2, 3)],
        ("checking", 1, 1),
        ("reading", 1, 1),
    ]


def test_a_lease_foresees_its_number(controlplane: ControlPlane, read_only: Cluster, namespace: str) -> None:
    """What the next pass gets, before the first one as later; nothing is written for it."""

    def foresee() -> int:
        lease = Lease(read_only, tree="default", namespace=namespace)
        lease.foresee()
        return lease.number

    with connect(controlplane.kubeconfig) as cluster:
        for _ in range(3):
            foreseen = foresee()
            lease = Lease(cluster, tree="default", namespace=namespace)
            lease.acquire()
            lease.release()
            assert lease.number == foreseen


def test_a_lease_that_may_not_be_read(controlplane: ControlPlane, namespace: str) -> None:
    """It is an error that says so."""
    with connect(controlplane.kubeconfig, context="limited") as limited:
        lease = Lease(limited, tree="default", namespace=namespace)
        with pytest.raises(ClusterError, match="cannot get resource"):
            lease.foresee()
