"""Short ways to send things to a real API server and to look at its answers."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from jsorc_gitops.adapters.cluster import Cluster
from jsorc_gitops.errors import ClusterError
from jsorc_gitops.model.objects import ApplyRequest, Body, ObjectRef
from tests.controlplane.server import ControlPlane

NO_UID = "00000000-0000-0000-0000-000000000000"


@contextmanager
def connect(kubeconfig: Path | None, *, context: str | None = None, discover: bool = True) -> Iterator[Cluster]:
    """A connection, which knows what the server serves unless told not to ask."""
    cluster = Cluster(field_manager="jsorc", kubeconfig=kubeconfig, context=context)
    try:
        if discover:
            cluster.read_discovery()
        yield cluster
    finally:
        cluster.close()


def ref_of(body: Body) -> ObjectRef:
    metadata = body["metadata"]
    group = body["apiVersion"].rpartition("/")[0]
    return ObjectRef(
        group=group, kind=body["kind"], namespace=metadata.get("namespace", ""), name=metadata["name"]
    )


def make_map(namespace: str, name: str = "a", *, uid: str = "", version: str = "", **data: str) -> Body:
    preconditions = {"uid": uid} if uid else {}
    preconditions |= {"resourceVersion": version} if version else {}
    metadata = {"name": name, "namespace": namespace, "labels": {"test": "yes"}, **preconditions}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data or {"key": "value"}}


def send(cluster: Cluster, body: Body, *, force: bool = False, dry_run: bool = False) -> Body | ClusterError:
    request = ApplyRequest(ref=ref_of(body), body=body, force=force, dry_run=dry_run)
    (answer,) = cluster.apply_objects([request])
    return answer


def apply(cluster: Cluster, body: Body) -> Body:
    answer = send(cluster, body)
    assert not isinstance(answer, ClusterError), answer
    return answer


def refused(answer: Body | Sequence[Body] | ClusterError | None) -> ClusterError:
    assert isinstance(answer, ClusterError), answer
    return answer


def get(cluster: Cluster, body: Body) -> Body | None:
    (answer,) = cluster.get_objects([(body["apiVersion"], ref_of(body))])
    assert not isinstance(answer, ClusterError), answer
    return answer


def make_kubeconfig(folder: Path, controlplane: ControlPlane, *, url: str = "", token: str = "") -> Path:
    """The admin's kubeconfig with another server or token."""
    config = json.loads(controlplane.kubeconfig.read_text())
    if url:
        config["clusters"][0]["cluster"]["server"] = url
    if token:
        for user in config["users"]:
            user["user"]["token"] = token
    path = folder / "kubeconfig"
    path.write_text(json.dumps(config))
    return path
