"""rollouts: whether what runs behind a service is what ran there before."""

from typing import Any

import pytest

from jsorc_gitops.reconcile.rollouts import Seen, SeenPod, explain_change, see_workload
from tests.reconcile.builders import Body, make_deployment, make_live


def seen(uid: str = "u", template: str = "t", **pods: tuple[str, int]) -> Seen:
    return Seen(uid=uid, template=template, pods={place: SeenPod(*pod) for place, pod in pods.items()})


BEFORE = seen(a=("1", 0), b=("2", 0))


@pytest.mark.parametrize(
    ("now", "change"),
    [
        (BEFORE, ""),
        (seen(uid="other", a=("1", 0), b=("2", 0)), "was made anew"),
        (seen(template="other", c=("3", 0), d=("4", 0)), "was rolled out"),
        (seen(a=("1", 0), b=("2", 0), c=("3", 0)), ""),
        (seen(a=("1", 0)), ""),
        (seen(template=""), ""),
        (seen(a=("1", 0), c=("3", 0)), "has another pod, c"),
        (seen(a=("1", 0), b=("9", 0)), "has another pod, b"),
        (seen(a=("1", 0), b=("2", 2)), "has a restarted container in b"),
        (seen(a=("1", 5), b=("9", 9)), "has another pod, b"),
    ],
    ids=[
        "the same",
        "another workload of the name",
        "another template",
        "scaled up",
        "scaled down",
        "scaled to none",
        "replaced by one of another name",
        "replaced by one of the same name",
        "restarted",
        "a new pod's restarts are none",
    ],
)
def test_what_is_a_change(now: Seen, change: str) -> None:
    """Another template, pod or run of a container is; more or fewer pods are not."""
    assert explain_change(BEFORE, now, by_node=False) == change


@pytest.mark.parametrize(
    ("now", "change"),
    [
        (seen(a=("1", 0), b=("2", 0), c=("3", 0)), ""),
        (seen(a=("1", 0), c=("3", 0)), ""),
        (seen(a=("9", 0), b=("2", 0)), "has another pod, a"),
    ],
    ids=["a new node", "one node for another", "another pod on a node"],
)
def test_nodes_come_and_go(now: Seen, change: str) -> None:
    """The pods of a DaemonSet go with them; only another one on the same node is a change."""
    assert explain_change(BEFORE, now, by_node=True) == change


def pod(name: str, *, restarts: int = 0, labels: dict[str, str] | None = None, **status: Any) -> Body:
    return {
        "metadata": {"name": name, "uid": f"uid-{name}", "labels": labels or {}},
        "spec": {"nodeName": f"node-{name}"},
        "status": {"containerStatuses": [{"name": "main", "restartCount": restarts}], **status},
    }


def test_what_is_seen_of_a_workload() -> None:
    """The hash that its controller labels pods with, and how often main containers were restarted, not others."""
    live = make_live(make_deployment("web"), uid="u")
    labels = {"app": "web", "pod-template-hash": "t"}
    sidecars = [{"name": "proxy", "restartCount": 7}]
    found = see_workload(live, [pod("a", restarts=1, labels=labels, initContainerStatuses=sidecars)])
    assert found == seen(a=("uid-a", 1))
    assert see_workload(live, []) == Seen(uid="u", template="")


def test_a_daemon_sets_pods_are_known_by_their_nodes() -> None:
    """Their names change with every pod."""
    live = {**make_live(make_deployment("web"), uid="u"), "kind": "DaemonSet"}
    labels = {"controller-revision-hash": "t"}
    assert see_workload(live, [pod("a", labels=labels)]).pods == {"node-a": SeenPod("uid-a", 0)}
