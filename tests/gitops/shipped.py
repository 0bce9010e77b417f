"""The services that this repository ships, synced to a fresh cluster by one tool or another, and compared."""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.controlplane.server import ControlPlane
from tests.gitops.definitions import await_established
from tests.gitops.fleet import Synced
from tests.journeys.scratch import Scratch
from tests.waiting import wait_until

Body = dict[str, Any]
ROOT = Path(__file__).parents[2]
HOME = "default"
AS_IS = "as-is"

# What each tool leaves on an object to know it by: (labels or annotations, key).
MARKS: Mapping[str, frozenset[tuple[str, str]]] = {
    "kubectl": frozenset(),
    "jsorc": frozenset({("labels", "applyset.kubernetes.io/part-of")}),
    "flux": frozenset(
        {("labels", f"kustomize.toolkit.fluxcd.io/{key}") for key in ("name", "namespace")},
    ),
    "argocd": frozenset({("annotations", "argocd.argoproj.io/tracking-id")}),
}
# Argo CD does not track definitions, so it never prunes one.
UNMARKED = {("argocd", "CustomResourceDefinition")}
# What the API server, or a controller of Kubernetes, chooses anew in each cluster: (kind, where, key).
CHOSEN = (
    ("Service", "spec", "clusterIP"),
    ("Service", "spec", "clusterIPs"),
    ("PersistentVolumeClaim", "spec", "volumeName"),
    # Only where the controller comes to the claim before its volume is there.
    ("PersistentVolumeClaim", "annotations", "volume.beta.kubernetes.io/storage-provisioner"),
    ("PersistentVolumeClaim", "annotations", "volume.kubernetes.io/storage-provisioner"),
)
# Of metadata; all else there is compared, labels and annotations above all.
BOOKKEEPING = ("uid", "resourceVersion", "creationTimestamp", "generation", "managedFields")


def open_repository(folder: Path, plane: ControlPlane) -> Scratch:
    """This repository's jsorc.yaml, templates/ and rendered/, made where it is missing; commits AS_IS and HEAD.

    HEAD keeps every service alive: jsorc applies no others, and the other tools know nothing of that.
    """
    scratch = Scratch(folder, controlplane=plane)
    if (folder / ".git").exists():
        return scratch
    for each in ("templates", "rendered"):
        shutil.copytree(ROOT / each, folder / each)
    settings = (ROOT / "jsorc.yaml").read_text()
    scratch.write("jsorc.yaml", settings)
    scratch.commit("The services that Jaseci ships")
    scratch.git("tag", AS_IS)
    lines = [line for line in settings.splitlines(keepends=True) if not line.startswith("keep_alive:")]
    scratch.write("jsorc.yaml", "".join(lines))
    scratch.commit("Keep all alive")
    return scratch


@contextmanager
def fresh_cluster(folder: Path) -> Iterator[ControlPlane]:
    """A control plane that nobody else uses."""
    plane = ControlPlane.start(folder)
    try:
        yield plane
    finally:
        plane.stop()


def make_ready(scratch: Scratch) -> None:
    """Be the kubelet: all pods are ready; returns once all of rendered/ is there, and ready."""

    def settled() -> bool:
        with suppress(LookupError):
            scratch.controlplane.mark_pods(HOME, "ready")
        done = scratch.kubectl("get", "-k", "rendered", "-o", "json")
        return done.code == 0 and all(_is_settled(each) for each in json.loads(done.output)["items"])

    # Argo CD begins anew, after ten seconds, where it has not heard yet of a kind that it has just defined.
    wait_until(settled, what="all is there, its workloads ready, its claims bound", seconds=180)

    # Be Elastic's operator, too: without its word Argo CD does not know how a cluster is.
    status = {"availableNodes": 1, "phase": "Ready", "health": "green"}
    scratch.controlplane.kubectl(
        *("patch", "elasticsearch", "jaseci", "-n", HOME, "--subresource=status"),
        *("--type=merge", "-p", json.dumps({"status": status})),
    )


def _is_settled(body: Body) -> bool:
    status = body.get("status", {})
    match body["kind"]:
        case "PersistentVolumeClaim":
            return bool(status.get("phase") == "Bound")
        case "DaemonSet":
            return bool(status.get("numberReady") == 1)
        case "Deployment" | "StatefulSet":
            return bool(status.get("readyReplicas", 0) == body["spec"]["replicas"])
    return True


def read_objects(scratch: Scratch, tool: str) -> dict[str, Body]:
    """What the cluster has for each object of rendered/, by kind, namespace and name, without marks of `tool`."""
    done = scratch.kubectl("get", "-k", "rendered", "-o", "json")
    assert done.code == 0, done.output
    bodies = json.loads(done.output)["items"]
    return {
        _name(each): _strip(each, frozenset() if (tool, each["kind"]) in UNMARKED else MARKS[tool])
        for each in bodies
    }


def _name(body: Body) -> str:
    metadata = body["metadata"]
    return f"{body['apiVersion']}/{body['kind']} {metadata.get('namespace', '')}/{metadata['name']}"


def _strip(body: Body, marks: frozenset[tuple[str, str]]) -> Body:
    """What is compared; a mark that is not there is an error, lest the list grow longer than the truth."""
    body.pop("status", None)
    metadata = body["metadata"]
    for key in BOOKKEEPING:
        metadata.pop(key, None)
    for where, key in marks:
        del metadata[where][key]
        if not metadata[where]:
            del metadata[where]
    for kind, where, key in CHOSEN:
        if body["kind"] == kind:
            (body if where == "spec" else metadata)[where].pop(key, None)
    return body


def sync(folder: Path, tool: str, apply: Callable[[Scratch], AbstractContextManager[None]]) -> dict[str, Body]:
    """The objects of a fresh cluster, as long as `apply` has synced it; all pods are ready.

    All tools that are given one folder get the same commit.
    """
    with fresh_cluster(folder / tool) as plane:
        scratch = open_repository(folder / "repository", plane)
        with apply(scratch):
            make_ready(scratch)
            return read_objects(scratch, tool)


@contextmanager
def apply_by_kubectl(scratch: Scratch) -> Iterator[None]:
    """As docs/rendered.md says: twice, since rendered/ holds CustomResourceDefinitions and objects of them."""
    arguments = ("apply", "--server-side", "-k", "rendered")
    scratch.kubectl(*arguments)
    await_established(scratch.controlplane)
    done = scratch.kubectl(*arguments)
    assert done.code == 0, done.output
    yield


@contextmanager
def apply_by_jsorc(scratch: Scratch) -> Iterator[None]:
    done = scratch.jsorc("reconcile")
    assert done.code == 0, done.output
    yield


def check_shipped(scratch: Scratch, synced: Synced) -> None:
    """Everything of the commit AS_IS, which was handed over, is applied and ready; HEAD after it."""
    make_ready(scratch)
    synced.await_applied()
    synced.publish()
    synced.await_applied()
