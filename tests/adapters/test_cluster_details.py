"""adapters.cluster: what tells of trouble (Events, logs), and the API server's time."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from jsorc_gitops.adapters.cluster import LOG_BYTES, LOG_LINES, Cluster
from jsorc_gitops.cli.doors import Clock
from jsorc_gitops.errors import ClusterError
from tests.adapters.sending import connect, refused
from tests.controlplane.kubelet import serve_logs
from tests.controlplane.proxy import Proxy, Reply
from tests.controlplane.server import ControlPlane

pytestmark = pytest.mark.real


def make_event(uid: str, message: str) -> str:
    """An Event about an object of that UID, as a controller writes it."""
    body = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"generateName": "e-"},
        "involvedObject": {"apiVersion": "v1", "kind": "Pod", "name": "web", "uid": uid},
        "reason": "Testing",
        "message": message,
    }
    return json.dumps(body)


def test_the_events_of_one_object(cluster: Cluster, controlplane: ControlPlane, namespace: str) -> None:
    """The API server finds them by the UID: those of others, of its name even, are not sent."""
    for uid, message in (("one", "first"), ("one", "second"), ("another", "third")):
        body = make_event(uid, message).replace('"web"', f'"web", "namespace": "{namespace}"')
        controlplane.kubectl("create", "-n", namespace, "-f", "-", stdin=body)

    answers = cluster.list_events([(namespace, "one"), (namespace, "nobody")])

    found = [each if isinstance(each, ClusterError) else {event["message"] for event in each} for each in answers]
    assert found == [{"first", "second"}, set()]


def test_events_that_may_not_be_read(controlplane: ControlPlane, namespace: str) -> None:
    """An error in their place, which names the right."""
    with connect(controlplane.kubeconfig_for("limited")) as limited:
        (answer,) = limited.list_events([(namespace, "one")])
    assert 'resources: ["events"], verbs: ["list"]' in str(refused(answer))


def make_pod(controlplane: ControlPlane, namespace: str) -> None:
    """A pod that is Ready, on the node."""
    controlplane.kubectl("run", "web", "-n", namespace, "--image=web:1", "--annotations=test.jsorc/pods=ready")
    controlplane.kubectl("wait", "-n", namespace, "--for=condition=Ready", "pod/web")


def test_the_end_of_a_log(cluster: Cluster, controlplane: ControlPlane, namespace: str) -> None:
    """Of the run before this one or of this one; text as it is, however it is encoded; no more than its end."""
    make_pod(controlplane, namespace)
    lines = "".join(f"line {number}\n" for number in range(LOG_LINES + 10))
    wide = f"{'x' * (LOG_BYTES - 10)}\nhalf-a-secret"

    with serve_logs(controlplane, {("web", "web", True): lines, ("web", "web", False): f"ö\n{wide}"}):
        before, now, other = cluster.get_logs(
            [(namespace, "web", "web", True), (namespace, "web", "web", False), (namespace, "no", "web", False)]
        )

    assert isinstance(before, str)
    assert before.splitlines() == [f"line {number}" for number in range(10, LOG_LINES + 10)]
    assert isinstance(now, str)
    assert now.startswith("ö\nxxx")
    # What was cut off in the middle of a line is left out.
    assert "half" not in now
    assert refused(other).status == 404  # type: ignore[arg-type]


def test_a_log_that_may_not_be_read(controlplane: ControlPlane, namespace: str) -> None:
    """An error in its place, which names the right."""
    with connect(controlplane.kubeconfig_for("limited")) as limited:
        (answer,) = limited.get_logs([(namespace, "web", "web", True)])
    assert 'cannot get resource "pods/log"' in str(answer)


def test_the_time_is_the_servers(proxy: Proxy) -> None:
    """As its last answer said it, gone on since; before it answered nobody knows it, and ours is taken."""
    told = datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC)
    ours = datetime.now(UTC)
    with connect(proxy.kubeconfig_for(), discover=False) as cluster:
        assert cluster.time is None
        assert timedelta() <= Clock(cluster).now() - ours < timedelta(seconds=5)

        cluster.read_discovery()
        proxy.misbehave(Reply(status=404, headers={"Date": "Tue, 06 May 2031 07:08:09 GMT"}))
        cluster.list_objects([("v1", "Node")])
        assert timedelta() <= Clock(cluster).now() - told < timedelta(seconds=30)


@pytest.mark.parametrize("date", ["yesterday", "", "Tue, 99 May 2031 07:08:09 GMT"])
def test_a_time_that_is_none_is_not_taken(proxy: Proxy, date: str) -> None:
    """Whatever stands between us and the API server writes there, what was known goes on."""
    with connect(proxy.kubeconfig_for()) as cluster:
        proxy.misbehave(Reply(status=404, headers={"Date": date}))
        cluster.list_objects([("v1", "Node")])
        assert cluster.time is not None
        assert abs(cluster.time - datetime.now(UTC)) < timedelta(seconds=30)
