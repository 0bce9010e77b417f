"""The seed's story, as `make demo` tells it, checked by the ledger, the cluster and Jaseci's own word."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.controlplane.server import ControlPlane
from tests.jaseci.server import Jaseci, Redis
from tests.journeys.scratch import Done
from tests.journeys.story import NAMESPACE, Story

pytestmark = pytest.mark.real

SELECTOR = "jsorc.jaseci.org/tree=default"
KINDS = (
    "deployments,daemonsets,services,configmaps,serviceaccounts,"
    "persistentvolumeclaims,clusterroles,clusterrolebindings"
)


@pytest.fixture
def story(tmp_path: Path, controlplane: ControlPlane, jaseci: Jaseci, redis: Redis) -> Iterator[Story]:
    """A story that has not begun; what it leaves in the cluster is removed, since others share it."""
    yield Story(tmp_path / "repository", controlplane=controlplane, jaseci=jaseci, redis=redis)
    controlplane.kubectl("delete", KINDS, "-n", NAMESPACE, "-l", SELECTOR, "--ignore-not-found")
    names = [f"configmap/jsorc.{each}.default" for each in ("state", "ledger")]
    claims = [f"persistentvolumeclaim/jaseci-prometheus-{each}" for each in ("server", "alertmanager")]
    controlplane.kubectl("delete", "-n", NAMESPACE, "--ignore-not-found", "--wait=false", *names, *claims)


def ok(done: Done) -> Done:
    assert done.code == 0, f"{done.command}: {done.output}"
    return done


def count_members(story: Story) -> int:
    """How many objects carry the mark of the tree's ApplySet."""
    state = story.read("configmap", "jsorc.state.default")
    part_of = state["metadata"]["labels"]["applyset.kubernetes.io/id"]
    listed = story.kubectl("get", KINDS, "-A", "-o", "name", "-l", f"applyset.kubernetes.io/part-of={part_of}")
    return len(listed.output.split())


def start_first_pass(story: Story) -> None:
    for done in story.begin():
        ok(done)
    ok(story.jsorc("render", "--commit"))
    for name in ("redis", "task"):
        assert story.jaseci.service_info(name)["state"] == "FAILED"
    ok(story.jsorc("reconcile"))


def bring_up(story: Story) -> None:
    story.make_pods_ready()
    story.redis.start()
    for workload in ("deployment", "daemonset"):
        ok(story.kubectl("rollout", "status", workload, "--timeout=60s"))
    ok(story.jsorc("reconcile"))


def test_one_commit_says_what_is_in_it(story: Story) -> None:
    """`jsorc render --commit` makes one commit that names every service and its source."""
    for done in story.begin():
        ok(done)
    source = story.git("rev-parse", "HEAD").output.strip()

    ok(story.jsorc("render", "--commit"))

    message = story.git("log", "-1", "--format=%B").output
    assert all(f"{name} added" in message.splitlines()[0] for name in ("promon", "redis", "task", "mail"))
    assert f"Jsorc-Source: {source}" in message
    assert story.git("rev-list", "--count", "HEAD").output.strip() == "2"
    assert story.git("status", "--porcelain").output == ""


def test_story(story: Story) -> None:
    """Applied, nothing reset while pods are not ready, then redis and task once, then nothing to do."""
    start_first_pass(story)
    assert count_members(story) == 35
    assert story.read_ledger(NAMESPACE) == {}
    assert story.jaseci.service_info("redis")["state"] == "FAILED"

    bring_up(story)
    first = story.read_ledger(NAMESPACE)
    assert {name: each["outcome"] for name, each in first.items()} == {"redis": "done", "task": "done"}
    assert [story.jaseci.service_info(name)["state"] for name in ("redis", "task")] == ["RUNNING", "RUNNING"]
    assert story.jaseci.service_info("mail")["enabled"] is False

    versions = read_versions(story)
    quiet = ok(story.jsorc("reconcile"))
    assert quiet.output == ""
    assert read_versions(story) == versions
    assert story.read_ledger(NAMESPACE) == first


def read_versions(story: Story) -> dict[str, str]:
    """{object: resourceVersion} of everything of the tree, its state and its ledger."""
    listed = story.read(KINDS, "-n", NAMESPACE)["items"]
    return {
        f"{each['kind']}/{each['metadata']['name']}": each["metadata"]["resourceVersion"]
        for each in listed
        if each["metadata"]["name"].startswith(("jaseci-", "jsorc."))
    }


def test_nothing_to_do_says_its_requests(story: Story) -> None:
    """A pass with nothing to do, asked with --verbose, says how many requests it took."""
    start_first_pass(story)
    bring_up(story)

    done = ok(story.jsorc("reconcile", "--verbose"))

    assert "nothing to do (35 objects, 16 requests to Kubernetes, 8 to Jaseci)" in done.output


def test_drift_is_repaired_by_name(story: Story) -> None:
    """A Deployment scaled by hand is taken back, and who scaled it is named."""
    start_first_pass(story)
    name = "deployment/jaseci-prometheus-pushgateway"
    ok(story.kubectl("scale", name, "--replicas=3"))

    done = ok(story.jsorc("reconcile"))

    assert story.kubectl("get", name, "-o", "jsonpath={.spec.replicas}").output == "1"
    assert ".spec.replicas: 3 → 1 (set by kubectl)" in done.output


def test_removed_service_is_pruned_with_consent(story: Story) -> None:
    """Promon goes only with a consent in git; its claims stay, are named, and carry no mark of ours."""
    start_first_pass(story)
    for done in story.remove_service("promon"):
        ok(done)
    ok(story.jsorc("render", "--commit"))

    assert story.jsorc("reconcile").code == 1
    assert "jaseci-prometheus-server" in story.kubectl("get", "deployments", "-o", "name").output

    ok(story.jsorc("render", "--commit", "--allow-prune", "promon"))
    done = ok(story.jsorc("reconcile"))

    assert story.kubectl(
        "get", "deployments,daemonsets,services", "-l", SELECTOR, "-o", "name"
    ).output.split() == [
        "deployment.apps/jaseci-redis",
        "service/jaseci-redis",
    ]
    assert count_members(story) == 7
    claims = story.read("persistentvolumeclaims")["items"]
    assert sorted(each["metadata"]["name"] for each in claims) == [
        "jaseci-prometheus-alertmanager",
        "jaseci-prometheus-server",
    ]
    for claim in claims:
        assert f"PersistentVolumeClaim/default/{claim['metadata']['name']} released" in done.output
        assert not [key for key in claim["metadata"]["labels"] if "jsorc" in key or "applyset" in key]
