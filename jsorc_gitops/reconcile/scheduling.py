"""Why a pod has no node: what the scheduler says, with what the pod asks for."""

import re
from collections.abc import Iterator
from datetime import datetime

from jsorc_gitops.model.objects import Body, ObjectRef
from jsorc_gitops.reconcile.conditions import find_change, find_condition, is_true
from jsorc_gitops.reconcile.evidence import LONG_PATIENCE, PATIENCE, Cause, Evidence
from jsorc_gitops.reconcile.kube_events import find_event

_LACKS = re.compile(r"Insufficient ([\w./-]+?)(?=[,. ]|$)")
_SCALING_UP = frozenset({"TriggeredScaleUp", "Nominated"})  # the cluster autoscaler's, Karpenter's


def find_unscheduled(pod: Body, evidence: Evidence) -> Cause | None:
    """Why it is on no node; None where it is on one."""
    scheduled = find_condition(pod, "PodScheduled")
    if scheduled.get("status") != "False":
        if (pod.get("spec") or {}).get("nodeName") or scheduled or is_true(pod, "Ready"):
            return None
        claims = ", ".join(_list_unbound(pod, evidence))
        return Cause("is not scheduled yet" + (f": waits for {claims}" if claims else ""))
    if scheduled.get("reason") == "SchedulingGated":
        gates = ", ".join(each["name"] for each in (pod.get("spec") or {}).get("schedulingGates") or ())
        return Cause(f"is not scheduled: held back by its scheduling gates {gates}")
    return _explain(pod, evidence.scrub(str(scheduled.get("message") or "")), find_change(scheduled), evidence)


def _explain(pod: Body, said: str, since: datetime | None, evidence: Evidence) -> Cause:
    """What the scheduler says, in the part of its words that a person can act on."""
    # Behind the first sentence stands whether ending other pods would help.
    text = f"is not scheduled: {evidence.quote(said.partition('. ')[0].rstrip('.'))}"
    if asked := ", ".join(_list_asked(pod, said)):
        text = f"{text} (it asks for {asked})"
    if 'persistentvolumeclaim "' in said and "not found" in said:
        return Cause(text, since, PATIENCE)
    if "PersistentVolumeClaim" in said:
        # The claim has a verdict of its own.
        claims = ", ".join(_list_unbound(pod, evidence))
        return Cause(f"{text} ({claims})" if claims else text)
    if find_event(pod, evidence, _SCALING_UP):
        return Cause(f"{text}; a node is on its way")
    return Cause(text, since, LONG_PATIENCE)


def _list_asked(pod: Body, said: str) -> Iterator[str]:
    """What of the pod's spec the scheduler's words are about: 'cpu 4 + 1', 'the node label disk=ssd'."""
    spec = pod.get("spec") or {}
    for resource in dict.fromkeys(_LACKS.findall(said)):
        requests = [(each.get("resources") or {}).get("requests") or {} for each in spec.get("containers") or ()]
        amounts = [str(each[resource]) for each in requests if resource in each]
        if amounts:
            yield f"{resource} {' + '.join(amounts)}"
    if "node affinity/selector" in said:
        for key, value in (spec.get("nodeSelector") or {}).items():
            yield f"the node label {key}={value}"


def _list_unbound(pod: Body, evidence: Evidence) -> Iterator[str]:
    """The pod's claims that are not known to be bound."""
    namespace = pod["metadata"].get("namespace", "")
    for volume in (pod.get("spec") or {}).get("volumes") or ():
        if name := (volume.get("persistentVolumeClaim") or {}).get("claimName"):
            ref = ObjectRef(group="", kind="PersistentVolumeClaim", namespace=namespace, name=name)
            if (evidence.live.get(ref, {}).get("status") or {}).get("phase") != "Bound":
                yield f"PersistentVolumeClaim {name}"
