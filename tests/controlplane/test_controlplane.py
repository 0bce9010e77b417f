"""What a running control plane promises to the tests that use it."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from kubernetes import client, config

from tests.controlplane.server import ControlPlane, KubectlError
from tests.waiting import wait_until

pytestmark = pytest.mark.real


def create_deployment(plane: ControlPlane, namespace: str, *, pods: str = "", claim: str = "") -> None:
    """Deployment `web` with one pod, told by annotation what to be, on a volume where `claim` names one."""
    pod: dict[str, Any] = {"containers": [{"name": "main", "image": "image:1"}]}
    if claim:
        pod["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}]
    template = {
        "metadata": {"labels": {"app": "web"}, "annotations": {"test.jsorc/pods": pods} if pods else {}},
        "spec": pod,
    }
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": template},
    }
    plane.kubectl("create", "-n", namespace, "-f", "-", stdin=json.dumps(deployment))


def get_pod(plane: ControlPlane, namespace: str) -> dict[str, Any]:
    """The one pod of the namespace, {} while there is none."""
    found = json.loads(plane.kubectl("get", "pods", "-n", namespace, "-o", "json"))["items"]
    return found[0] if len(found) == 1 else {}


def is_ready(pod: dict[str, Any]) -> bool:
    conditions = pod["status"].get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def read_waiting(pod: dict[str, Any]) -> str:
    """Why the first container waits, "" when it does not."""
    statuses = pod["status"].get("containerStatuses", [])
    return str(statuses[0]["state"].get("waiting", {}).get("reason", "")) if statuses else ""


def read_restarts(pod: dict[str, Any]) -> int:
    return int(pod["status"]["containerStatuses"][0]["restartCount"])


def wait_for_pod(
    plane: ControlPlane, namespace: str, condition: Callable[[dict[str, Any]], bool], *, what: str
) -> dict[str, Any]:
    """The one pod of the namespace, once `condition` holds for it."""

    def find() -> dict[str, Any] | None:
        pod = get_pod(plane, namespace)
        return pod if pod and condition(pod) else None

    return wait_until(find, what=f"the pod {what}")


def wait_for_waiting(plane: ControlPlane, namespace: str, reason: str) -> dict[str, Any]:
    return wait_for_pod(plane, namespace, lambda pod: read_waiting(pod) == reason, what=f"waits: {reason}")


def wait_for_ready(plane: ControlPlane, namespace: str) -> dict[str, Any]:
    return wait_for_pod(plane, namespace, is_ready, what="is Ready")


def test_server_is_kubernetes_1_36_3(controlplane: ControlPlane) -> None:
    """The API server says of itself that it is the version we test against."""
    answer = json.loads(controlplane.kubectl("version", "-o", "json"))
    assert answer["serverVersion"]["gitVersion"] == "v1.36.3"
    assert answer["clientVersion"]["gitVersion"] == "v1.36.3"


def test_pods_that_are_told_nothing_are_being_created(controlplane: ControlPlane, namespace: str) -> None:
    """A scheduled pod without annotation is Pending, without an IP."""
    create_deployment(controlplane, namespace)
    pod = wait_for_waiting(controlplane, namespace, "ContainerCreating")
    assert pod["status"]["phase"] == "Pending"
    assert "podIP" not in pod["status"]
    assert not is_ready(pod)


def test_pods_become_ready_at_the_given_ip(controlplane: ControlPlane, namespace: str) -> None:
    """`ready` with an IP makes the pod Ready there, and its Deployment available."""
    create_deployment(controlplane, namespace)
    wait_for_waiting(controlplane, namespace, "ContainerCreating")
    names = controlplane.mark_pods(namespace, "ready", selector="app=web", ip="127.0.0.3")
    pod = wait_for_ready(controlplane, namespace)
    assert [pod["metadata"]["name"]] == names
    assert pod["status"]["podIP"] == "127.0.0.3"
    assert pod["status"]["phase"] == "Running"
    assert read_restarts(pod) == 0
    controlplane.kubectl("wait", "-n", namespace, "deployment/web", "--for=condition=Available")


def test_pods_without_a_given_ip_get_their_own(controlplane: ControlPlane, namespace: str) -> None:
    """Two Ready pods that name no IP have different ones, of a range that no network has."""
    create_deployment(controlplane, namespace, pods="ready")
    controlplane.kubectl("scale", "-n", namespace, "deployment/web", "--replicas=2")
    controlplane.kubectl("rollout", "status", "-n", namespace, "deployment/web")
    ips = controlplane.kubectl("get", "pods", "-n", namespace, "-o", "jsonpath={.items[*].status.podIP}").split()
    assert len(set(ips)) == 2
    assert all(ip.startswith("198.18.") for ip in ips)


def test_crash_loop(controlplane: ControlPlane, namespace: str) -> None:
    """`crash-loop` has restarts behind it and a last state that failed."""
    create_deployment(controlplane, namespace, pods="crash-loop")
    pod = wait_for_waiting(controlplane, namespace, "CrashLoopBackOff")
    status = pod["status"]["containerStatuses"][0]
    assert read_restarts(pod) > 0
    assert status["lastState"]["terminated"]["exitCode"] == 1
    assert not is_ready(pod)


def test_image_pull(controlplane: ControlPlane, namespace: str) -> None:
    """`image-pull` is Pending for want of its image."""
    create_deployment(controlplane, namespace, pods="image-pull")
    pod = wait_for_waiting(controlplane, namespace, "ImagePullBackOff")
    assert pod["status"]["phase"] == "Pending"


def test_unready(controlplane: ControlPlane, namespace: str) -> None:
    """`unready` runs without being Ready."""
    create_deployment(controlplane, namespace, pods="unready")
    pod = wait_for_pod(controlplane, namespace, lambda pod: pod["status"]["phase"] == "Running", what="runs")
    assert "running" in pod["status"]["containerStatuses"][0]["state"]
    assert not is_ready(pod)


def test_a_changed_annotation_moves_the_pod(controlplane: ControlPlane, namespace: str) -> None:
    """From any state to any other, and its restarts are never forgotten."""
    create_deployment(controlplane, namespace, pods="ready")
    wait_for_ready(controlplane, namespace)
    controlplane.mark_pods(namespace, "crash-loop")
    wait_for_waiting(controlplane, namespace, "CrashLoopBackOff")
    controlplane.mark_pods(namespace, "image-pull")
    wait_for_waiting(controlplane, namespace, "ImagePullBackOff")
    controlplane.mark_pods(namespace, "ready")
    pod = wait_for_ready(controlplane, namespace)
    assert read_restarts(pod) == 3


def test_a_ready_pod_restarts(controlplane: ControlPlane, namespace: str) -> None:
    """`restarts` counts while the pod stays Ready."""
    create_deployment(controlplane, namespace, pods="ready")
    wait_for_ready(controlplane, namespace)
    controlplane.mark_pods(namespace, "ready", restarts=2)
    pod = wait_for_pod(controlplane, namespace, lambda pod: read_restarts(pod) == 2, what="restarts")
    assert is_ready(pod)


def test_a_job_completes(controlplane: ControlPlane, namespace: str) -> None:
    """A Job whose pod is `succeeded` is Complete."""
    controlplane.kubectl("create", "job", "once", "-n", namespace, "--image=image:1")
    wait_for_waiting(controlplane, namespace, "ContainerCreating")
    controlplane.mark_pods(namespace, "succeeded")
    controlplane.kubectl("wait", "-n", namespace, "job/once", "--for=condition=Complete", "--timeout=60s")


def test_a_rollout_replaces_the_pods(controlplane: ControlPlane, namespace: str) -> None:
    """A new image is a new pod; the old one is gone once the rollout is over."""
    create_deployment(controlplane, namespace, pods="ready")
    old = wait_for_ready(controlplane, namespace)
    controlplane.kubectl("set", "image", "-n", namespace, "deployment/web", "main=image:2")
    controlplane.kubectl("rollout", "status", "-n", namespace, "deployment/web", "--timeout=60s")
    new = wait_for_ready(controlplane, namespace)
    assert new["metadata"]["uid"] != old["metadata"]["uid"]
    assert new["spec"]["containers"][0]["image"] == "image:2"


def test_a_stuck_pod_stays(controlplane: ControlPlane, namespace: str) -> None:
    """`test.jsorc/terminating: stuck` keeps a deleted pod until the annotation goes."""
    stuck = "test.jsorc/terminating"
    told = (f"--annotations={stuck}=stuck", "--annotations=test.jsorc/pods=ready")
    controlplane.kubectl("run", "pod", "-n", namespace, "--image=image:1", *told)
    wait_for_ready(controlplane, namespace)
    controlplane.kubectl("delete", "pod", "pod", "-n", namespace, "--wait=false")
    with pytest.raises(LookupError, match="no pod"):
        controlplane.mark_pods(namespace, "unready")
    # Anything kwok would have done at once to a pod that is not stuck is done when another has gone.
    controlplane.kubectl("run", "other", "-n", namespace, "--image=image:1")
    controlplane.kubectl("delete", "pod", "other", "-n", namespace, "--timeout=60s")
    assert "deletionTimestamp" in get_pod(controlplane, namespace)["metadata"]
    controlplane.kubectl("annotate", "pod", "pod", "-n", namespace, f"{stuck}-")
    wait_until(lambda: not get_pod(controlplane, namespace), what="the pod is gone")


def test_a_claim_is_bound(controlplane: ControlPlane, namespace: str) -> None:
    """A pod on a claim of the default class is scheduled; the volume goes with its claim."""
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Gi"}}},
    }
    controlplane.kubectl("create", "-n", namespace, "-f", "-", stdin=json.dumps(claim))
    create_deployment(controlplane, namespace, pods="ready", claim="data")
    wait_for_ready(controlplane, namespace)
    volume = controlplane.kubectl("get", "pvc", "data", "-n", namespace, "-o", "jsonpath={.spec.volumeName}")
    controlplane.kubectl("delete", "deployment/web", "pvc/data", "-n", namespace)
    controlplane.kubectl("wait", f"pv/{volume}", "--for=delete", "--timeout=60s")


def test_the_limited_user_is_refused(controlplane: ControlPlane) -> None:
    """The Python client reads the kubeconfig, trusts the server, and gets 403 without rights."""
    path = str(controlplane.kubeconfig_for("limited"))
    with config.new_client_from_config(config_file=path) as api, pytest.raises(client.ApiException) as refused:
        client.CoreV1Api(api).list_namespaced_pod("default", _request_timeout=30)
    assert refused.value.status == 403


def test_kubectl_errors_carry_the_message(controlplane: ControlPlane) -> None:
    """A failing kubectl says why."""
    with pytest.raises(KubectlError, match='namespaces "none" not found'):
        controlplane.kubectl("get", "namespace", "none")


def test_the_api_server_comes_back(controlplane: ControlPlane, namespace: str) -> None:
    """Stopped alone it refuses connections; started again it knows all, and pods follow annotations."""
    create_deployment(controlplane, namespace, pods="unready")
    controlplane.kubectl("wait", "-n", namespace, "pod", "-l", "app=web", "--for=create")
    controlplane.stop_apiserver()
    with pytest.raises(KubectlError, match="refused"):
        controlplane.kubectl("get", "nodes")
    controlplane.start_apiserver()
    controlplane.mark_pods(namespace, "ready")
    wait_for_ready(controlplane, namespace)
