"""Which pods are a workload's own, of which template they are, and how each is."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from jsorc_gitops.model.objects import Body
from jsorc_gitops.reconcile.conditions import find_condition, is_true

# How its controllers mark a pod with the template that it was made from.
_MARKS = {
    "Deployment": "pod-template-hash",
    "StatefulSet": "controller-revision-hash",
    "DaemonSet": "pod-template-generation",
}
_GENERATION = "deprecated.daemonset.template.generation"


def find_own(workload: Body, pods: Iterable[Body]) -> list[Body]:
    """The pods that the selector finds and the workload controls; one that nobody controls is nobody's."""
    return [pod for pod in pods if _selects(workload, pod) and _controls(workload, pod)]


def select_pods(workload: Body, pods: Iterable[Body]) -> list[Body]:
    """Those of its own that have not ended."""
    return [pod for pod in find_own(workload, pods) if not has_ended(pod)]


def split_by_template(workload: Body, own: Iterable[Body]) -> tuple[list[Body], list[Body]]:
    """(pods of the template as it is now, pods of earlier ones). Jobs and ReplicaSets have one for ever."""
    pods = list(own)
    mark = _MARKS.get(workload["kind"])
    if mark is None:
        return pods, []
    wanted = _find_mark(workload)
    if wanted is None and pods:
        # Nothing names it: what was made last is of the last template.
        youngest = max(pods, key=lambda pod: str(pod["metadata"].get("creationTimestamp")))
        wanted = _labels(youngest).get(mark)
    new = [pod for pod in pods if _labels(pod).get(mark) == wanted]
    return new, [pod for pod in pods if _labels(pod).get(mark) != wanted]


def is_ready(pod: Body) -> bool:
    """Whether the pod's Ready condition is true and it is not on its way out."""
    return not is_leaving(pod) and is_true(pod, "Ready")


def is_leaving(pod: Body) -> bool:
    return bool(pod["metadata"].get("deletionTimestamp"))


def has_ended(pod: Body) -> bool:
    """Whether all of its containers ended for good: evicted, for one; its controller has replaced it."""
    return (pod.get("status") or {}).get("phase") in {"Failed", "Succeeded"}


def matches(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether a LabelSelector of the API server finds these labels."""
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    return all(_meets(labels, each) for each in selector.get("matchExpressions") or ())


def _find_mark(workload: Body) -> str | None:
    """The value of the mark of pods of the present template; None where the object does not say."""
    match workload["kind"]:
        case "StatefulSet":
            return (workload.get("status") or {}).get("updateRevision")
        case "DaemonSet":
            return (workload["metadata"].get("annotations") or {}).get(_GENERATION)
    # The controller names the new ReplicaSet there: pkg/controller/deployment/progress.go, sync.go
    said = str(find_condition(workload, "Progressing").get("message"))
    found = re.search(f'"{re.escape(workload["metadata"]["name"])}-([^"-]+)"', said)
    return found[1] if found else None


def _selects(workload: Body, pod: Body) -> bool:
    if pod["metadata"].get("namespace") != workload["metadata"].get("namespace"):
        return False
    return matches(workload["spec"].get("selector") or {}, _labels(pod))


def _controls(workload: Body, pod: Body) -> bool:
    owners = pod["metadata"].get("ownerReferences") or ()
    owner: Mapping[str, Any] = next((each for each in owners if each.get("controller")), {})
    if workload["kind"] != "Deployment":
        return bool(owner) and owner.get("uid") == workload["metadata"].get("uid")
    # A ReplicaSet stands between. It need not be read: the controller names it by the Deployment and the hash of
    # its template, which its pods carry, too (pkg/controller/deployment/sync.go).
    name = f"{workload['metadata']['name']}-{_labels(pod).get(_MARKS['Deployment'])}"
    return (owner.get("kind"), owner.get("name")) == ("ReplicaSet", name)


def _labels(pod: Body) -> Mapping[str, str]:
    return pod["metadata"].get("labels") or {}


def _meets(labels: Mapping[str, str], expression: Mapping[str, Any]) -> bool:
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
