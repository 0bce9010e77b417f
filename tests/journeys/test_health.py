"""What a pass says of objects that do not work: their causes, as Kubernetes' own controllers write them."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from tests.controlplane.kubelet import serve_logs
from tests.controlplane.server import ControlPlane
from tests.journeys.scratch import Done
from tests.journeys.test_ownership import CRDS, Tree
from tests.waiting import wait_until

pytestmark = pytest.mark.real

PLANTED = "a-planted-value"
ENCODED = base64.b64encode(PLANTED.encode()).decode()
CLAIM = """\
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {storageClassName: no-such-class, accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
"""
LONG_AGO = "2026-01-01T00:00:00Z"


def workload(kind: str, name: str, *, status: Any = None, pods: str = "", spec: str = "", **fields: Any) -> str:
    """A Deployment or StatefulSet of one pod, whose `status` is what a kubelet would write."""
    annotations = {"test.jsorc/status": json.dumps(status)} if status else {}
    annotations |= {"test.jsorc/pods": pods} if pods else {}
    pod = {"containers": [{"name": "main", "image": f"{name}:1"}], **(json.loads(spec) if spec else {})}
    template = {"metadata": {"labels": {"app": name}, "annotations": annotations}, "spec": pod}
    labels = {"matchLabels": {"app": name}}
    more = {"serviceName": name} if kind == "StatefulSet" else {}
    body = {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name}}
    return json.dumps({**body, "spec": {"selector": labels, "template": template, **more, **fields}}) + "\n"


def job(name: str, *, pods: str = "", **fields: Any) -> str:
    pod = {"restartPolicy": "Never", "containers": [{"name": "main", "image": f"{name}:1"}]}
    template = {"metadata": {"annotations": {"test.jsorc/pods": pods}}, "spec": pod}
    body = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {"template": template, **fields},
    }
    return json.dumps(body) + "\n"


@pytest.fixture
def tree(tmp_path: Path, controlplane: ControlPlane, namespace: str) -> Tree:
    return Tree(tmp_path / "repository", controlplane, namespace)


def reconcile_until(tree: Tree, *lines: str, code: int = 0) -> Done:
    """The pass whose report has all of these lines: the controllers have seen what there is to see by then."""
    last: list[Done] = []

    def is_told() -> bool:
        last[:] = [tree.reconcile("--verbose")]
        return all(line in last[0].output for line in lines)

    try:
        wait_until(is_told, what=f"a report with {lines}")
    except TimeoutError as error:
        raise AssertionError(last[0].output) from error
    assert last[0].code == code, last[0].output
    return last[0]


def test_a_quota(tree: Tree) -> None:
    """Who lets no pod be made is named for all that make pods; of most only Events tell."""
    tree.kubectl("create", "quota", "none", "--hard=pods=0")
    tree.say(workload("Deployment", "web"), workload("StatefulSet", "db"), job("migrate"))
    assert tree.reconcile().code == 0
    cause = "no pod can be made: exceeded quota: none, requested: pods=1, used: pods=0, limited: pods=0"

    reconcile_until(
        tree,
        f"Deployment/{tree.namespace}/web progressing: 0 of 1 pod run the new template: {cause}\n",
        f"StatefulSet/{tree.namespace}/db progressing: 0 of 1 pod run the new template: {cause}\n",
        f"Job/{tree.namespace}/migrate progressing: 0 of 1 complete, 0 active: {cause}\n",
    )


def test_what_keeps_pods_from_a_node(tree: Tree) -> None:
    """Which resource there is too little of; which label, claim and ServiceAccount there is none of."""
    volumes = '{"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "%s"}}]}'
    big = '{"containers": [{"name": "main", "image": "big:1", "resources": {"requests": {"cpu": "5000"}}}]}'
    tree.say(
        workload("Deployment", "big", spec=big),
        workload("Deployment", "picky", spec='{"nodeSelector": {"disk": "ssd"}}'),
        workload("Deployment", "claimless", spec=volumes % "nothing"),
        workload("Deployment", "unbound", spec=volumes % "data"),
        workload("Deployment", "nobody", spec='{"serviceAccountName": "nobody"}'),
        CLAIM,
    )
    assert tree.reconcile().code == 0
    begin = "0/1 nodes are available: "

    done = reconcile_until(
        tree,
        f"is not scheduled: {begin}1 Insufficient cpu (it asks for cpu 5k)\n",
        f"is not scheduled: {begin}1 node(s) didn't match Pod's node affinity/selector "
        "(it asks for the node label disk=ssd)\n",
        f'is not scheduled: {begin}persistentvolumeclaim "nothing" not found\n',
        f"is not scheduled: {begin}pod has unbound immediate PersistentVolumeClaims "
        "(PersistentVolumeClaim data)\n",
        'serviceaccount "nobody" not found\n',
        f"PersistentVolumeClaim/{tree.namespace}/data progressing: it is not bound: "
        'storageclass.storage.k8s.io "no-such-class" not found\n',
    )

    assert done.output.count(" progressing: ") == 6


def test_a_job_that_runs_is_not_done(tree: Tree) -> None:
    """It is progressing until it is complete, and failed where it failed: exit 4, with its reason."""
    tree.say(job("migrate"), job("load", pods="succeeded"), job("late", activeDeadlineSeconds=1))
    tree.reconcile()
    done = reconcile_until(
        tree,
        f"Job/{tree.namespace}/migrate progressing: 0 of 1 complete, 1 active",
        f"Job/{tree.namespace}/late failed: Job was active longer than specified deadline (DeadlineExceeded)\n",
        code=4,
    )
    assert "load" not in done.output

    tree.scratch.controlplane.mark_pods(tree.namespace, "succeeded", selector="job-name=migrate")
    wait_until(lambda: "migrate" not in tree.reconcile().output, what="the Job is complete")


def crash_status(*, at: str = LONG_AGO) -> Any:
    ended = {"exitCode": 1, "reason": "Error", "startedAt": at, "finishedAt": at, "message": f"used {PLANTED}"}
    return {
        "phase": "Running",
        "startTime": at,
        "conditions": [{"type": "Ready", "status": "False", "lastTransitionTime": at}],
        "containerStatuses": [
            {
                "name": "main",
                "image": "web:1",
                "imageID": "",
                "ready": False,
                "started": False,
                "restartCount": 5,
                "state": {
                    "waiting": {"reason": "CrashLoopBackOff", "message": "back-off 1m20s restarting failed"}
                },
                "lastState": {"terminated": ended},
            }
        ],
    }


def test_a_crash_with_its_last_words(tree: Tree, controlplane: ControlPlane) -> None:
    """Exit 4 with the exit code and the last lines of the log, and no secret of the tree in any of it."""
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"password": ENCODED}}
    objects = (workload("Deployment", "web", status=crash_status()), json.dumps(secret) + "\n")
    tree.say(*objects, plainSecrets="allow")
    assert "created" in tree.reconcile("--verbose").output
    crash = "main crashes again and again with exit code 1"
    bare = reconcile_until(tree, crash, code=4)
    # Nobody serves the log, so the container's own message is told.
    assert f"{crash}: used [masked]\n" in bare.output
    (pod,) = tree.kubectl("get", "pods", "-o", "name").split()

    written = "".join(f"line {number}\n" for number in range(90)) + f"KeyError: {PLANTED} ({ENCODED})\n"
    with serve_logs(controlplane, {(pod.removeprefix("pod/"), "main", True): written}):
        told, events = tree.reconcile(), tree.reconcile("--output", "json")

    assert (told.code, events.code) == (4, 4)
    assert f"{crash}\n" in told.output
    assert "    | line 89\n    | KeyError: [masked] ([masked])\n" in told.output
    (health,) = (each for line in events.output.splitlines() if (each := json.loads(line))["event"] == "health")
    assert health["log"] == [*(f"line {number}" for number in range(86, 90)), "KeyError: [masked] ([masked])"]
    for output in (bare.output, told.output, events.output):
        assert PLANTED not in output
        assert ENCODED not in output


def test_a_doom_has_to_last(tree: Tree) -> None:
    """A crash loop of this very moment is no failure yet; and a pod of nobody with one's labels is none of it."""
    tree.say(
        workload("Deployment", "web", status=crash_status(at="2100-01-01T00:00:00Z")),
        workload("Deployment", "calm", pods="ready"),
    )
    tree.kubectl(
        "run", "stray", "--image=stray:1", "--labels=app=calm", "--annotations=test.jsorc/pods=crash-loop"
    )
    assert tree.reconcile().code == 0

    reconcile_until(
        tree,
        f"Deployment/{tree.namespace}/web progressing: 0 of 1 pod ready: pod web-",
        f"Deployment/{tree.namespace}/calm current: 1 pod ready\n",
    )


def test_a_status_of_before(tree: Tree, controlplane: ControlPlane) -> None:
    """Of a custom object, too, a status that is about an earlier spec says nothing of this one."""
    group = f"{tree.namespace}.example.com"
    definition = CRDS.format(plural="widgets", group=group, kind="Widget").replace(
        "storage: true", "storage: true\n    subresources: {status: {}}"
    )
    controlplane.kubectl("apply", "--server-side", "-f", "-", stdin=definition)
    widget = f"apiVersion: {group}/v1\nkind: Widget\nmetadata: {{name: w}}\nspec: {{size: 1}}\n"
    try:
        controlplane.kubectl("wait", "--for=condition=Established", f"crd/widgets.{group}")
        tree.say(widget)
        # A fresh kind may not be listed at once: its storage is being prepared (429).
        wait_until(lambda: tree.reconcile().code == 0, what="the widget is applied")
        ready = {"observedGeneration": 1, "conditions": [{"type": "Ready", "status": "True"}]}
        tree.kubectl(
            # By its whole name: other tests have widgets, too.
            *("patch", f"widgets.{group}", "w", "--subresource=status", "--type=merge"),
            *("-p", json.dumps({"status": ready})),
        )
        reconcile_until(tree, ": nothing to do ")

        tree.say(widget.replace("1}", "2}"))
        done = tree.reconcile()
    finally:
        controlplane.kubectl("delete", f"crd/widgets.{group}", "--wait=false")

    unseen = f"Widget/{tree.namespace}/w progressing: its controller has not seen the last change yet\n"
    assert (done.code, unseen in done.output) == (0, True), done.output
