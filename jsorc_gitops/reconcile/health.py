"""Whether a workload does what its spec says, computed from live objects alone; it fetches nothing.

The rules follow kstatus (sigs.k8s.io/cli-utils/pkg/kstatus), with all pods judged besides: one that is old or
terminating keeps a rollout unfinished, because it may still answer.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from jsorc_gitops.errors import ClusterError
from jsorc_gitops.model.objects import Body, ObjectRef
from jsorc_gitops.reconcile.evidence import Evidence, LogRef, Status

__all__ = ["Evidence", "Health", "LogRef", "Status", "compute_health", "compute_healths", "is_ready"]

# Why a container waits that will not start by waiting longer.
_DOOMED = {
    "CrashLoopBackOff": "it crashes again and again",
    "ImagePullBackOff": "its image cannot be pulled",
    "ErrImagePull": "its image cannot be pulled",
    "InvalidImageName": "its image has no valid name",
    "CreateContainerConfigError": "its configuration is incomplete",
    "CreateContainerError": "it cannot be created",
    "RunContainerError": "it cannot be started",
}
_ENDED = frozenset({"Failed", "Succeeded"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """The verdict on one object, with a cause a person can act on.

    Attributes:
        log: the last lines of the container that the message is about, where they were read.
        until: of one that is progressing: when it counts as failed, should nothing change; None where it never
            does. What waits judges again then, since no change will tell it.
        pod: the name of the pod that the message is about, "" for none.
        container: of that pod: whose log would say more, "" for none.
    """

    ref: ObjectRef
    status: Status
    message: str
    log: tuple[str, ...] = ()
    until: datetime | None = None
    pod: str = ""
    container: str = ""


def compute_healths(refs: Iterable[ObjectRef], evidence: Evidence) -> dict[ObjectRef, Health]:
    """The verdicts on all objects that one can be told of: kinds without a status are left out."""
    found = ((ref, compute_health(ref, evidence)) for ref in refs)
    return {ref: health for ref, health in found if health}


def compute_health(ref: ObjectRef, evidence: Evidence) -> Health | None:
    """Judge one object by its status, a workload by all its pods besides; None where its kind has no status."""
    live = evidence.live.get(ref)
    pods = evidence.pods.get(ref.namespace, ())
    if live is None:
        return Health(ref=ref, status=Status.UNKNOWN, message="not in the cluster")
    if isinstance(pods, ClusterError):
        return Health(ref=ref, status=Status.UNKNOWN, message=f"its pods could not be listed: {pods}")
    # A pod that ended (evicted, for one) stays in the list, but its controller has replaced it.
    own = [pod for pod in pods if _selects(live, pod) and pod.get("status", {}).get("phase") not in _ENDED]
    if cause := _find_doom(own):
        return Health(ref=ref, status=Status.FAILED, message=cause)
    if message := _find_unfinished(live, own):
        return Health(ref=ref, status=Status.PROGRESSING, message=message)
    return Health(ref=ref, status=Status.CURRENT, message=f"{_count(len(own))} ready")


def is_ready(pod: Body) -> bool:
    """Whether the pod's Ready condition is true and it is not on its way out."""
    if pod["metadata"].get("deletionTimestamp"):
        return False
    conditions = pod.get("status", {}).get("conditions") or ()
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def _find_unfinished(live: Body, pods: Sequence[Body]) -> str:
    """What keeps the rollout from being done, "" when nothing does."""
    status = live.get("status") or {}
    if status.get("observedGeneration", 0) < live["metadata"].get("generation", 0):
        return "its controller has not seen the last change yet"
    desired, updated = _count_replicas(live, status)
    if updated < desired:
        return f"{updated} of {_count(desired)} run the new template"
    leaving = [pod for pod in pods if pod["metadata"].get("deletionTimestamp")]
    if leaving:
        return f"{_count(len(leaving))} still terminating"
    if len(pods) > desired:
        return f"{_count(len(pods) - desired)} of the old template still there"
    ready = sum(map(is_ready, pods))
    if ready < desired:
        cause = next((found for pod in pods if not is_ready(pod) and (found := _find_delay(pod))), "")
        return f"{ready} of {_count(desired)} ready" + (f": {cause}" if cause else "")
    return ""


def _count_replicas(live: Body, status: Mapping[str, Any]) -> tuple[int, int]:
    """(pods wanted, pods of the new template)."""
    if live["kind"] == "DaemonSet":
        return status.get("desiredNumberScheduled", 0), status.get("updatedNumberScheduled", 0)
    desired = live["spec"].get("replicas", 1)
    # A finished StatefulSet drops updatedReplicas and says it with equal revisions.
    if live["kind"] == "StatefulSet" and status.get("currentRevision") == status.get("updateRevision"):
        return desired, status.get("replicas", 0)
    return desired, status.get("updatedReplicas", 0)


def _find_doom(pods: Iterable[Body]) -> str:
    for pod in pods:
        if pod["metadata"].get("deletionTimestamp"):
            continue
        for container in _containers(pod):
            waiting = container.get("state", {}).get("waiting") or {}
            if waiting.get("reason") in _DOOMED:
                why = _DOOMED[waiting["reason"]]
                return (
                    f"pod {pod['metadata']['name']}: container {container['name']}: {why} ({waiting['reason']})"
                )
    return ""


def _find_delay(pod: Body) -> str:
    for condition in pod.get("status", {}).get("conditions") or ():
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return f"pod {pod['metadata']['name']} is not scheduled: {condition.get('message', '')}"
    for container in _containers(pod):
        waiting = container.get("state", {}).get("waiting") or {}
        if waiting.get("reason"):
            return f"pod {pod['metadata']['name']}: {waiting['reason']}"
    return ""


def _containers(pod: Body) -> list[Mapping[str, Any]]:
    status = pod.get("status", {})
    return [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]


def select_pods(workload: Body, pods: Iterable[Body]) -> list[Body]:
    """A workload's own pods that have not ended, out of those of its namespace."""
    return [pod for pod in pods if _selects(workload, pod) and pod.get("status", {}).get("phase") not in _ENDED]


def _selects(workload: Body, pod: Body) -> bool:
    if pod["metadata"].get("namespace") != workload["metadata"].get("namespace"):
        return False
    labels = pod["metadata"].get("labels") or {}
    selector = workload["spec"]["selector"]
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    return all(_matches(labels, each) for each in selector.get("matchExpressions") or ())


def _matches(labels: Mapping[str, str], expression: Mapping[str, Any]) -> bool:
    value, values = labels.get(expression["key"]), expression.get("values") or ()
    match expression["operator"]:
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "Exists":
            return value is not None
        case _:
            return value is None


def _count(number: int) -> str:
    return f"{number} pod" if number == 1 else f"{number} pods"
