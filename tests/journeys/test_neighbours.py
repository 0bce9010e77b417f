"""Two repositories, two trees and a careless hand around one cluster, as users meet them."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.controlplane.server import ControlPlane
from tests.journeys.scratch import Scratch

pytestmark = pytest.mark.real


def config_map(name: str, *, namespace: str = "", **data: str) -> str:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data or {"a": "b"}})


def make(folder: Path, controlplane: ControlPlane, namespace: str, *objects: str) -> Scratch:
    """A committed repository with one service of these objects."""
    scratch = Scratch(folder, controlplane=controlplane)
    scratch.write("jsorc.yaml", f"namespace: {namespace}\n")
    for number, text in enumerate(objects):
        scratch.write(f"templates/app/{number}.yaml", text)
    scratch.commit(f"Begin {folder.name}")
    return scratch


def names(scratch: Scratch, namespace: str) -> list[str]:
    listed = scratch.read("configmaps", "-n", namespace)["items"]
    found = [each["metadata"]["name"] for each in listed]
    return sorted(name for name in found if not name.startswith(("jsorc.", "kube-root")))


def test_another_repository_in_one_home(tmp_path: Path, controlplane: ControlPlane, namespace: str) -> None:
    """The second repository is refused whole, exit 1, and what the first one runs stays."""
    first = make(tmp_path / "first", controlplane, namespace, config_map("first"))
    second = make(tmp_path / "second", controlplane, namespace, config_map("second"))
    assert first.jsorc("reconcile").code == 0

    done = second.jsorc("reconcile")

    assert done.code == 1
    assert "is unknown to this repository" in done.output
    assert names(first, namespace) == ["first"]
    assert first.jsorc("reconcile").output == ""


def test_a_namespace_two_trees_need(tmp_path: Path, controlplane: ControlPlane, namespace: str) -> None:
    """Two trees with objects in one namespace of somebody else write nothing in turns."""
    homes = [f"{namespace}-{letter}" for letter in "ab"]
    trees = [make(tmp_path / home, controlplane, home, config_map(home, namespace=namespace)) for home in homes]
    assert [each.jsorc("reconcile").code for each in trees] == [0, 0]
    before = trees[0].read("namespace", namespace)["metadata"]["resourceVersion"]

    assert [each.jsorc("reconcile").output for each in trees] == ["", ""]
    assert trees[0].read("namespace", namespace)["metadata"]["resourceVersion"] == before
    assert names(trees[0], namespace) == homes
    controlplane.kubectl("delete", "namespace", "--wait=false", *homes)


def test_stripped_ownership(tmp_path: Path, controlplane: ControlPlane, namespace: str) -> None:
    """Who strips managedFields and edits is a person's hand, and taken back."""
    scratch = make(tmp_path / "first", controlplane, namespace, config_map("first", key="git"))
    assert scratch.jsorc("reconcile").code == 0
    live = scratch.read("configmap", "first", "-n", namespace)
    live["metadata"]["managedFields"] = [{}]
    controlplane.kubectl("replace", "-f", "-", stdin=json.dumps({**live, "data": {"key": "hand"}}))

    done = scratch.jsorc("reconcile")

    assert (done.code, scratch.read("configmap", "first", "-n", namespace)["data"]) == (0, {"key": "git"})
    assert ".data.key: hand → git" in done.output


@pytest.fixture
def without_pods(controlplane: ControlPlane) -> Iterator[None]:
    """The user `limited` may do all that this needs but for Pods."""
    name = "jsorc-all-but-pods"
    resources = "--resource=configmaps,deployments.apps,leases.coordination.k8s.io,namespaces"
    controlplane.kubectl("create", "clusterrole", name, "--verb=*", resources)
    controlplane.kubectl("create", "clusterrolebinding", name, f"--clusterrole={name}", "--user=limited")
    yield
    controlplane.kubectl("delete", f"clusterrole/{name}", f"clusterrolebinding/{name}")


@pytest.mark.usefixtures("without_pods")
def test_forbidden_pods(tmp_path: Path, controlplane: ControlPlane, namespace: str) -> None:
    """Without the right to list pods objects are applied, their health is unknown, and why is said: exit 1."""
    deployment = controlplane.kubectl(
        "create", "deployment", "web", "--image=web:1", "--dry-run=client", "-o", "yaml"
    )
    scratch = make(tmp_path / "first", controlplane, namespace, deployment.replace("status: {}\n", ""))

    done = scratch.jsorc("reconcile", "--kubeconfig", str(controlplane.kubeconfig_for("limited")))

    assert done.code == 1
    assert f"Deployment/{namespace}/web created" in done.output
    assert 'cannot list resource "pods"' in done.output


@pytest.mark.parametrize(
    ("token", "complaint"),
    [
        ("secret-with\na-newline", "the credentials hold a character that no HTTP header can carry"),
        ("secret-with-an-…", "the credentials hold a character that no HTTP header can carry"),
    ],
)
def test_a_token_that_cannot_be_sent(
    tmp_path: Path, controlplane: ControlPlane, namespace: str, token: str, complaint: str
) -> None:
    """It is the user's mistake, exit 1, and is shown nowhere."""
    scratch = make(tmp_path / "first", controlplane, namespace, config_map("first"))
    kubeconfig = json.loads(controlplane.kubeconfig.read_text())
    kubeconfig["users"] = [{"name": each["name"], "user": {"token": token}} for each in kubeconfig["users"]]
    scratch.write("../kubeconfig", json.dumps(kubeconfig))

    done = scratch.jsorc("reconcile", "--kubeconfig", "../kubeconfig")

    assert (done.code, done.output) == (1, f"jsorc: {complaint}\n")


def test_in_a_pod_without_an_account(tmp_path: Path, controlplane: ControlPlane, namespace: str) -> None:
    """A pod whose ServiceAccount is not mounted is told so, exit 1."""
    scratch = make(tmp_path / "first", controlplane, namespace, config_map("first"))
    env = {"KUBECONFIG": "/nonexistent", "KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": "1"}

    done = scratch.jsorc("reconcile", env=env)

    assert done.code == 1
    assert done.output.startswith("jsorc: in a pod, but without a usable ServiceAccount: ")
