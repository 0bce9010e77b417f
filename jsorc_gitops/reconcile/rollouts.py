"""What runs behind a service: its workloads' templates and pods, and whether they are others than before.

Templates are compared by the hash that their controller labels pods with: it is of what the template means,
where its JSON gains fields with every upgrade of the API server.
https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#pod-template-hash-label
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from jsorc_gitops.model.objects import Body

_HASHES = ("pod-template-hash", "controller-revision-hash")


class SeenPod(NamedTuple):
    """A pod, and how often its main containers were restarted."""

    uid: str
    restarts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A workload all of whose pods were ready: its UID, the hash of their template ("" without pods), the pods.

    Pods are known by their place: the node of a DaemonSet's, the name of others.
    """

    uid: str
    template: str
    pods: Mapping[str, SeenPod] = field(default_factory=dict)


def see_workload(live: Body, pods: Iterable[Body]) -> Seen:
    """What is to be remembered of a workload and its own pods."""
    by_node = live["kind"] == "DaemonSet"
    found, hashes = {}, set()
    for pod in pods:
        metadata, labels = pod["metadata"], pod["metadata"].get("labels") or {}
        place = pod["spec"].get("nodeName", "") if by_node else metadata["name"]
        # Sidecars are among the init containers' statuses: they are not what a service is about.
        restarts = sum(each["restartCount"] for each in pod["status"].get("containerStatuses") or ())
        found[place] = SeenPod(metadata["uid"], restarts)
        hashes |= {labels[key] for key in _HASHES if key in labels}
    return Seen(uid=live["metadata"]["uid"], template="+".join(sorted(hashes)), pods=found)


def explain_change(before: Seen, now: Seen, *, by_node: bool) -> str:
    """Why what answers now is not what answered before; "" where pods only came or went.

    `by_node` says that the pods' places are nodes.
    """
    if before.uid != now.uid:
        return "was made anew"
    if before.template and now.template and before.template != now.template:
        return "was rolled out"
    both = before.pods.keys() & now.pods.keys()
    came, went = now.pods.keys() - both, before.pods.keys() - both
    replaced = {place for place in both if before.pods[place].uid != now.pods[place].uid}
    # On new nodes is how the pods of a DaemonSet come.
    if went and not by_node:
        replaced |= came
    restarted = {place for place in both - replaced if before.pods[place].restarts < now.pods[place].restarts}
    if replaced:
        return f"has another pod, {min(replaced)}"
    return f"has a restarted container in {min(restarted)}" if restarted else ""
