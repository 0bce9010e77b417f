"""health: a workload and its pods → a verdict; the tables are health/*.yaml."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from jsorc_gitops.errors import ClusterError
from jsorc_gitops.reconcile.health import Evidence, Health, Status, compute_health, is_ready
from tests.reconcile.builders import Body, make_deployment, make_live, make_ref

REF = make_ref("Deployment", "web", group="apps")
TABLES = sorted((Path(__file__).parent / "health").glob("*.yaml"))
CASES = [
    pytest.param(case, id=f"{path.stem}: {case['case']}")
    for path in TABLES
    for case in yaml.safe_load(path.read_text())["cases"]
]


def judge(live: Body | None, pods: list[Body] | ClusterError) -> Health | None:
    evidence = Evidence(
        live={REF: live} if live else {}, pods={"home": pods}, now=datetime(2026, 11, 27, tzinfo=UTC), scrub=str
    )
    return compute_health(REF, evidence)


@pytest.mark.parametrize("case", CASES)
def test_the_verdict_on_a_workload_and_its_pods(case: dict[str, Any]) -> None:
    """As the tables say."""
    health = judge(case["workload"], case["pods"])
    assert health is not None
    assert (health.ref, str(health.status), health.message) == (REF, case["status"], case["message"])


def test_what_is_not_there_is_unknown() -> None:
    """It could not be applied, or not be read."""
    health = judge(None, [])
    assert health is not None
    assert (health.status, health.message) == (Status.UNKNOWN, "not in the cluster")


def test_pods_that_could_not_be_listed_leave_it_unknown() -> None:
    """A status without its pods says nothing of old ones that still answer."""
    health = judge(make_live(make_deployment("web")), ClusterError("pods is forbidden"))
    assert health is not None
    assert (health.status, health.message) == (
        Status.UNKNOWN,
        "its pods could not be listed: pods is forbidden",
    )


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
