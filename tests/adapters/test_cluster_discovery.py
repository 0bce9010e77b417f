"""Discovery where a part of the API is away: an APIService whose backend does not answer."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.adapters.sending import connect
from tests.controlplane.server import ControlPlane
from tests.journeys.scratch import Scratch
from tests.waiting import wait_until

pytestmark = pytest.mark.real

GROUP = "widgets.example.com"
API_SERVICE = f"apiservice/v1.{GROUP}"
DEFINITION = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": f"widgets.{GROUP}"},
    "spec": {
        "group": GROUP,
        "names": {"kind": "Widget", "plural": "widgets"},
        "scope": "Namespaced",
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
            }
        ],
    },
}


def is_served(controlplane: ControlPlane) -> bool:
    with connect(controlplane.kubeconfig) as cluster:
        return cluster.serves(f"{GROUP}/v1", "Widget")


def is_away(controlplane: ControlPlane) -> bool:
    with connect(controlplane.kubeconfig) as cluster:
        return cluster.is_away(GROUP)


@pytest.fixture
def widgets(controlplane: ControlPlane) -> Iterator[None]:
    """Widgets are served, until somebody else is to."""
    controlplane.kubectl("create", "-f", "-", stdin=json.dumps(DEFINITION))
    wait_until(lambda: is_served(controlplane), what="Widgets are served")
    yield
    come_back(controlplane)
    controlplane.kubectl("delete", "customresourcedefinition", f"widgets.{GROUP}")


def go_away(controlplane: ControlPlane, namespace: str) -> None:
    """Hand the group over to a Service that does not answer."""
    controlplane.kubectl("create", "service", "clusterip", "nobody", "-n", namespace, "--tcp=443:443")
    patch = {
        "metadata": {"labels": {"kube-aggregator.kubernetes.io/automanaged": None}},
        "spec": {"service": {"namespace": namespace, "name": "nobody"}, "insecureSkipTLSVerify": True},
    }
    controlplane.kubectl("patch", API_SERVICE, "--type=merge", "-p", json.dumps(patch))
    wait_until(lambda: is_away(controlplane), what="discovery says that the group is away")


def come_back(controlplane: ControlPlane) -> None:
    """Without an APIService of its own the group is served by the API server again."""
    controlplane.kubectl("delete", API_SERVICE, "--ignore-not-found")
    wait_until(lambda: is_served(controlplane), what="Widgets are served again")


@pytest.mark.usefixtures("widgets")
def test_a_group_that_is_away_is_not_served(controlplane: ControlPlane, namespace: str) -> None:
    """Discovery still takes two requests; all other groups are as ever, and it comes back."""
    go_away(controlplane, namespace)
    with connect(controlplane.kubeconfig) as cluster:
        assert cluster.requests == 2
        assert (cluster.is_away(GROUP), cluster.is_away("apps"), cluster.is_away("")) == (True, False, False)
        assert not cluster.serves(f"{GROUP}/v1", "Widget")
        assert cluster.find_api_version(GROUP, "Widget") is None
        assert cluster.serves("apps/v1", "Deployment")
    come_back(controlplane)
    assert not is_away(controlplane)


def make(kind: str, name: str, api_version: str) -> str:
    return json.dumps({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}})


@pytest.mark.usefixtures("widgets")
def test_a_group_that_is_away_is_neither_pruned_nor_forgotten(
    controlplane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    """Its kinds are named, exit 1; what else git says is applied, and pruned when all can be read again."""
    scratch = Scratch(tmp_path, controlplane=controlplane)
    scratch.write("jsorc.yaml", f"namespace: {namespace}\n")
    for name in ("a", "b"):
        scratch.write(f"templates/{name}/widget.yaml", make("Widget", name, f"{GROUP}/v1"))
    scratch.commit("Two widgets")
    first = scratch.jsorc("reconcile")
    assert first.code == 0, first.output
    go_away(controlplane, namespace)
    (scratch.folder / "templates/b/widget.yaml").unlink()
    scratch.write("templates/b/map.yaml", make("ConfigMap", "new", "v1"))
    scratch.commit("Another thing instead")

    done = scratch.jsorc("reconcile")

    assert done.code == 1
    assert f"ConfigMap/{namespace}/new created" in done.output
    assert f"what serves Widget of {GROUP} does not answer the API server" in done.output
    assert "nothing is pruned, because Widget could not be read" in done.output
    come_back(controlplane)
    last = scratch.jsorc("reconcile")
    assert last.code == 0, last.output
    left = controlplane.kubectl("get", "widgets", "-n", namespace, "-o", "name").split()
    assert left == [f"widget.{GROUP}/a"]
