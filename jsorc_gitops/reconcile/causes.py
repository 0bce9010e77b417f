"""Why a pod is not as it should be, in words a person can act on: from its status, its Events and its logs.

What the kubelet says: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from jsorc_gitops.model.objects import Body
from jsorc_gitops.reconcile.conditions import find_change, find_condition, is_true, parse_time
from jsorc_gitops.reconcile.crashes import find_crash_cause
from jsorc_gitops.reconcile.evidence import PATIENCE, Cause, Evidence
from jsorc_gitops.reconcile.images import find_image_cause, is_for_a_while
from jsorc_gitops.reconcile.kube_events import find_begin, find_event, find_probe
from jsorc_gitops.reconcile.scheduling import find_unscheduled

_UNSTARTABLE = {
    "CreateContainerConfigError": "cannot be created",
    "CreateContainerError": "cannot be created",
    "RunContainerError": "cannot be started",
    "PostStartHookError": "is ended by its postStart hook",
}
_SETTING_UP = frozenset({"ContainerCreating", "PodInitializing"})
_MOUNTING = frozenset({"FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox"})
_ABSENT = re.compile(r'\b(configmap|secret|persistentvolumeclaim) "[^"]+" not found|references non-existent')


def find_cause(pod: Body, evidence: Evidence) -> Cause | None:
    """Why a pod is not ready, or will not stay it: the cause that waiting does not mend before others.

    The text names neither kind nor namespace: 'pod web-1: container main crashes …'. None where it is well.
    """
    found = list(_list_causes(pod, evidence))
    cause = next((each for each in found if each.patience), found[0] if found else None)
    return cause._replace(text=f"pod {pod['metadata']['name']}: {cause.text}") if cause else None


def find_end(pod: Body, evidence: Evidence) -> Cause | None:
    """How a pod ended that failed: by one of its containers, or by its node (evicted, for one)."""
    status, name = pod.get("status") or {}, pod["metadata"]["name"]
    for container in _list_containers(pod):
        if cause := find_crash_cause(pod, container, evidence):
            return cause._replace(text=f"pod {name}: {cause.text}")
    said = ": ".join(each for key in ("reason", "message") if (each := evidence.quote(status.get(key))))
    return Cause(f"pod {name}: {said}") if said else None


def find_lingering(pod: Body, evidence: Evidence) -> Cause | None:
    """What keeps a pod that should be gone by now; None for one that still has time."""
    metadata = pod["metadata"]
    due = parse_time(metadata.get("deletionTimestamp"))
    if due is None or evidence.now < due + PATIENCE:
        return None
    finalizers = ", ".join(metadata.get("finalizers") or ())
    why = f"is kept by {finalizers}" if finalizers else "is not ended by its node"
    return Cause(f"pod {metadata['name']}: {why}, and was to be gone by {metadata['deletionTimestamp']}")


def _list_causes(pod: Body, evidence: Evidence) -> Iterator[Cause]:
    if cause := find_unscheduled(pod, evidence):
        yield cause
        return
    containers = _list_containers(pod)
    yield from filter(None, (_find_container_cause(pod, each, evidence) for each in containers))
    if not is_true(pod, "Ready"):
        yield from _list_delays(pod, containers, evidence)


def _find_container_cause(pod: Body, container: Mapping[str, Any], evidence: Evidence) -> Cause | None:
    since = _find_begin(pod, container)
    return (
        find_image_cause(pod, container, since, evidence)
        or _find_unstartable(container, since, evidence)
        or find_crash_cause(pod, container, evidence)
    )


def _list_delays(pod: Body, containers: Iterable[Mapping[str, Any]], evidence: Evidence) -> Iterator[Cause]:
    """What a pod whose containers do not fail waits for; all of it may still come."""
    for container in containers:
        if "running" in (container.get("state") or {}):
            yield from _list_probes(pod, container, evidence)
    reasons = {str(((each.get("state") or {}).get("waiting") or {}).get("reason")) for each in containers}
    if not reasons or reasons & _SETTING_UP:
        yield _find_setup(pod, evidence, min(reasons & _SETTING_UP, default="its node has not begun with it"))
    for gate in (pod.get("spec") or {}).get("readinessGates") or ():
        if not is_true(pod, gate["conditionType"]):
            yield Cause(f"its readiness gate {gate['conditionType']} is not met")
    if find_condition(pod, "Ready").get("status") == "Unknown":
        yield Cause("its node does not answer")


def _find_unstartable(container: Mapping[str, Any], since: datetime | None, evidence: Evidence) -> Cause | None:
    waiting = (container.get("state") or {}).get("waiting") or {}
    reason = waiting.get("reason")
    if reason not in _UNSTARTABLE:
        return None
    said = str(waiting.get("message") or "")
    text = f"container {container['name']} {_UNSTARTABLE[reason]}: {evidence.quote(said) or reason}"
    return Cause(text) if is_for_a_while(said) else Cause(text, since, PATIENCE)


def _find_setup(pod: Body, evidence: Evidence, reason: str) -> Cause:
    """What its node waits for before it starts the containers: a volume or a network; only Events tell."""
    event = find_event(pod, evidence, _MOUNTING)
    if event is None:
        return Cause(reason)
    text = evidence.quote(event.get("message"))
    is_final = _ABSENT.search(str(event.get("message"))) is not None
    return Cause(text, find_begin(event), PATIENCE) if is_final else Cause(text)


def _list_probes(pod: Body, container: Mapping[str, Any], evidence: Evidence) -> Iterator[Cause]:
    """What a probe says against a container that runs; it may do so for as long as it likes."""
    inits = {each["name"] for each in _list_inits(pod)}
    if container["name"] in inits:
        yield Cause(f"its init container {container['name']} has not ended yet")
        return
    if container.get("started") is False:
        kind, plain = "Startup", "has not started yet"
    elif container.get("ready") is False:
        kind, plain = "Readiness", "is not ready"
    else:
        return
    said = find_probe(pod, container["name"], evidence, kind)
    yield Cause(f"container {container['name']} {plain}" + (f": {said}" if said else ""))


def _list_containers(pod: Body) -> list[Mapping[str, Any]]:
    """Init containers, sidecars among them, before the others."""
    status = pod.get("status") or {}
    return [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]


def _list_inits(pod: Body) -> Iterator[Mapping[str, Any]]:
    """The init containers that have to end before the others begin; a sidecar has not."""
    for each in (pod.get("spec") or {}).get("initContainers") or ():
        if each.get("restartPolicy") != "Always":
            yield each


def _find_begin(pod: Body, container: Mapping[str, Any]) -> datetime | None:
    """Since when the kubelet can be at work on a container: the latest of what comes before that."""
    status = pod.get("status") or {}
    last = ((container.get("lastState") or {}).get("terminated") or {}).get("finishedAt")
    is_first = any(each is container for each in status.get("initContainerStatuses") or ())
    kinds = ("PodScheduled", "PodReadyToStartContainers", *(() if is_first else ("Initialized",)))
    times = [find_change(find_condition(pod, each)) for each in kinds if is_true(pod, each)]
    known = [each for each in (*times, parse_time(status.get("startTime")), parse_time(last)) if each]
    return max(known, default=None) or parse_time(pod["metadata"].get("creationTimestamp"))
