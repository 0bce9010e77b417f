"""What a pass can read of the cluster, and at which version: on a real API server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.controlplane.proxy import Proxy
from tests.controlplane.server import ControlPlane
from tests.journeys.test_ownership import HPA, SETTINGS, Tree, is_calm

pytestmark = pytest.mark.real

OLD_HPA = """\
apiVersion: autoscaling/v1
kind: HorizontalPodAutoscaler
metadata: {name: old}
spec:
  minReplicas: 1
  maxReplicas: 4
  targetCPUUtilizationPercentage: 50
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: old}
"""


@pytest.fixture
def tree(tmp_path: Path, controlplane: ControlPlane, namespace: str) -> Tree:
    return Tree(tmp_path / "repository", controlplane, namespace)


@pytest.fixture
def closed(controlplane: ControlPlane, namespace: str) -> Iterator[str]:
    """A namespace in which the user `limited`, who may do all in the other one, may do nothing."""
    name = f"{namespace}-closed"
    controlplane.kubectl("create", "namespace", name)
    resources = "--resource=configmaps,leases.coordination.k8s.io,pods"
    controlplane.kubectl("create", "role", "all", "-n", namespace, "--verb=*", resources)
    controlplane.kubectl("create", "rolebinding", "all", "-n", namespace, "--role=all", "--user=limited")
    for each in (namespace, name):
        controlplane.kubectl("create", "role", "self", "-n", each, "--verb=get", "--resource=namespaces")
        controlplane.kubectl("create", "rolebinding", "self", "-n", each, "--role=self", "--user=limited")
    yield name
    controlplane.kubectl("delete", "namespace", name, "--wait=false")


def test_two_versions_of_one_kind_are_no_drift(tree: Tree) -> None:
    """Each object is read at the version that git says it in, and an object that others touched is unchanged."""
    tree.say(HPA, OLD_HPA)
    assert tree.reconcile().code == 0
    tree.kubectl("annotate", "hpa/old", "hpa/web", "note=theirs")

    with Proxy(tree.scratch.controlplane) as proxy:
        done = tree.reconcile("--kubeconfig", str(proxy.kubeconfig_for()))

    assert is_calm(done), done.output
    # Not even a dry-run, nor a write of the state.
    assert proxy.count("^(PATCH|POST|PUT) (?!.*/leases)") == 0


def test_rights_that_are_missing_in_one_namespace_stop_that_one(tree: Tree, closed: str) -> None:
    """What lies in the other one is applied; nothing is pruned, as not all is known."""
    tree.scratch.write("templates/open/objects.yaml", SETTINGS)
    tree.scratch.write("templates/old/objects.yaml", SETTINGS.replace("settings", "old"))
    tree.scratch.commit("All in one namespace")
    kubeconfig = str(tree.scratch.controlplane.kubeconfig_for("limited"))
    assert tree.reconcile("--kubeconfig", kubeconfig).code == 0
    tree.scratch.git("rm", "-r", "--quiet", "templates/old")
    tree.scratch.write("templates/open/objects.yaml", SETTINGS.replace("blue", "red"))
    there = SETTINGS.replace("name: settings", f"name: settings, namespace: {closed}")
    tree.scratch.write("templates/shut/objects.yaml", there)
    tree.scratch.commit("One more")

    done = tree.reconcile("--kubeconfig", kubeconfig)

    assert done.code == 1
    assert f"ConfigMap/{tree.namespace}/settings configured" in done.output
    assert tree.data()["color"] == "red"
    assert f"it takes a Role in namespace {closed}" in done.output
    assert "nothing is pruned, because ConfigMap could not be read" in done.output
    assert tree.read("configmap", "old")
