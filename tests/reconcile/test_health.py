"""health: objects, pods, Events and logs → verdicts; the tables are health/*.yaml.

A case has `object`, or `workload` with `pods` as they are and `own` pods, which are marked here as of the
workload; `others` live beside it. What the API server, its controllers and its scheduler write in them was taken
from Kubernetes 1.36.3; what kubelets, registries and operators write, from what they are known to.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from jsorc_gitops.errors import ClusterError
from jsorc_gitops.model.kinds import JUDGED_KINDS
from jsorc_gitops.model.objects import CLUSTER_SCOPED, ObjectRef, parse_group
from jsorc_gitops.reconcile.evidence import LogRef
from jsorc_gitops.reconcile.health import Evidence, Health, Status, compute_health, is_judged, is_ready
from jsorc_gitops.reconcile.observe import index_objects
from tests.reconcile.builders import Body, make_deployment, make_live, make_pods, make_ref

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
TABLES = sorted((Path(__file__).parent / "health").glob("*.yaml"))
CASES = [
    pytest.param(case, id=f"{path.stem}: {case['case']}")
    for path in TABLES
    for case in yaml.safe_load(path.read_text())["cases"]
]
GROUPS = {"Deployment": "apps/v1", "StatefulSet": "apps/v1", "DaemonSet": "apps/v1", "ReplicaSet": "apps/v1"}


def own(workload: Body, pod: Body) -> Body:
    """A pod of the workload, of its template as it is or (`old`) of an earlier one."""
    name, kind = workload["metadata"]["name"], workload["kind"]
    mark = {
        "Deployment": ("pod-template-hash", "1"),
        "StatefulSet": ("controller-revision-hash", (workload.get("status") or {}).get("updateRevision")),
        "DaemonSet": ("pod-template-generation", "1"),
    }.get(kind, ("job-name", name))
    revision = "0" if pod.get("old") else mark[1]
    owner: Body = {"kind": kind, "name": name, "uid": workload["metadata"].get("uid"), "controller": True}
    if kind == "Deployment":
        owner |= {"kind": "ReplicaSet", "name": f"{name}-{revision}", "uid": "of the ReplicaSet"}
    labels = {**workload["spec"].get("selector", {}).get("matchLabels", {}), mark[0]: revision}
    given = {key: value for key, value in pod.items() if key not in {"name", "old", "status", "spec"}}
    return {
        "metadata": {
            "name": pod["name"],
            "namespace": "home",
            "uid": f"uid-of-{pod['name']}",
            "labels": labels,
            "ownerReferences": [owner],
            **given,
        },
        "spec": pod.get("spec", {"nodeName": "fake"}),
        "status": pod.get("status", {}),
    }


def judge(case: Body) -> Health | None:
    """The verdict on the case's object."""
    live = case.get("object") or case["workload"]
    live = {"apiVersion": GROUPS.get(live["kind"], "v1"), **live}
    metadata = live["metadata"]
    ref = make_ref(
        live["kind"],
        metadata["name"],
        group=parse_group(live["apiVersion"]),
        namespace=metadata.get("namespace", ""),
    )
    pods = [*case.get("pods", ()), *(own(live, each) for each in case.get("own", ()))]
    logs = {LogRef(*place): text for *place, text in case.get("logs", ())}
    events: dict[str, list[Body]] = {}
    for event in case.get("events", ()):
        events.setdefault(event["of"], []).append(event)
    evidence = Evidence(
        live=index_objects([live, *case.get("others", ())]),
        pods={"home": pods},
        now=datetime.fromisoformat(case["now"]) if "now" in case else NOW,
        scrub=lambda text: text.replace("a-secret-value", "[masked]"),
        events=events,
        logs=logs,
    )
    return compute_health(ref, evidence)


@pytest.mark.parametrize("case", CASES)
def test_the_verdict_on_an_object(case: dict[str, Any]) -> None:
    """As the tables say."""
    health = judge(case)
    if case["status"] is None:
        assert health is None
        return
    assert health is not None
    assert (str(health.status), health.message) == (case["status"], case["message"])
    assert health.until == (datetime.fromisoformat(case["until"]) if "until" in case else None)
    assert list(health.log) == case.get("log", [])


def evidence_of(*live: Body, pods: list[Body] | ClusterError) -> Evidence:
    return Evidence(live=index_objects(live), pods={"home": pods}, now=NOW, scrub=str)


def test_what_is_not_there_is_unknown() -> None:
    """It could not be applied, or somebody deleted it; of kinds without a status nothing is said."""
    nothing = evidence_of(pods=[])
    health = compute_health(make_ref("Deployment", "web", group="apps"), nothing)
    assert health
    assert (health.status, health.message) == (Status.UNKNOWN, "not in the cluster")
    assert compute_health(make_ref("ConfigMap", "web"), nothing) is None


@pytest.mark.parametrize("kind", ["Deployment", "Job"])
def test_pods_that_could_not_be_listed_leave_it_unknown(kind: str) -> None:
    """A status without its pods says nothing of old ones that still answer."""
    group, version = ("apps", "apps/v1") if kind == "Deployment" else ("batch", "batch/v1")
    live = make_live({**make_deployment("web"), "kind": kind, "apiVersion": version})
    evidence = evidence_of(live, pods=ClusterError("pods is forbidden"))
    health = compute_health(make_ref(kind, "web", group=group), evidence)
    assert health
    assert (health.status, health.message) == (
        Status.UNKNOWN,
        "its pods could not be listed: pods is forbidden",
    )


def test_a_workload_in_trouble_says_what_would_tell_more() -> None:
    """Its own Events, those of the pod that it speaks of, and the log of the container that crashed."""
    live = make_live(make_deployment("web", replicas=2), generation=1)
    live["status"] = {"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2}
    other, pod = make_pods("web", live["spec"])
    other["status"] = {"phase": "Pending"}
    pod["metadata"]["uid"] = "pod-uid"
    pod["status"] = {
        "conditions": [{"type": "PodScheduled", "status": "True"}, {"type": "Ready", "status": "False"}],
        "containerStatuses": [
            {"name": "main", "restartCount": 3, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}
        ],
    }
    health = compute_health(make_ref("Deployment", "web", group="apps"), evidence_of(live, pods=[other, pod]))
    assert health
    assert health.events_of == ("uid-1", "pod-uid")
    assert health.log_of == LogRef("home", "web-1", "main", previous=True)


@pytest.mark.parametrize(
    ("metadata", "status", "ready"),
    [
        ({}, {"conditions": [{"type": "Ready", "status": "True"}]}, True),
        ({}, {"conditions": [{"type": "Ready", "status": "False"}]}, False),
        ({}, {"conditions": [{"type": "Ready", "status": "Unknown"}]}, False),
        ({}, {"conditions": [{"type": "ContainersReady", "status": "True"}]}, False),
        ({}, {"conditions": None}, False),
        ({"deletionTimestamp": "now"}, {"conditions": [{"type": "Ready", "status": "True"}]}, False),
    ],
)
def test_a_pod_is_ready(metadata: Body, status: Body, ready: object) -> None:
    """By its condition, and only while it stays."""
    assert is_ready({"metadata": metadata, "status": status}) is ready


def test_every_kind_with_a_status_has_its_rule() -> None:
    """What records name as judged is what there are rules for; kinds of others are judged by their conditions."""
    kinds = CLUSTER_SCOPED | JUDGED_KINDS | {("", "ConfigMap"), ("", "Secret"), ("batch", "JobSet")}

    judged = {each for each in kinds if is_judged(ObjectRef(group=each[0], kind=each[1], namespace="", name="x"))}
    assert judged == JUDGED_KINDS
