"""LISTs that break, or end at somebody's rights: whole or an error, and no ground to prune."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from jsorc_gitops.adapters import lists as door
from jsorc_gitops.adapters.cluster import Cluster
from jsorc_gitops.adapters.lists import RESTARTS
from jsorc_gitops.cli import cli
from jsorc_gitops.reconcile.observe import list_kinds
from tests.adapters.sending import apply, connect, make_map, ref_of, refused
from tests.controlplane.proxy import Cut, Fault, Proxy, Reply
from tests.controlplane.server import ControlPlane
from tests.journeys.scratch import Done, Scratch

pytestmark = pytest.mark.real

MAPS = ("v1", "ConfigMap")
EXPIRED = Reply(status=410, reason="Expired", message="The provided continue parameter is too old")


@pytest.fixture(autouse=True)
def short_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """LISTs are read two objects at a time."""
    monkeypatch.setattr(door, "PAGE", 2)


@pytest.fixture
def five(cluster: Cluster, namespace: str) -> list[str]:
    """Five objects in the namespace."""
    names = [f"map-{number}" for number in range(5)]
    for name in names:
        apply(cluster, make_map(namespace, name))
    return names


def test_a_list_that_expired_begins_anew(cluster: Cluster, proxy: Proxy, namespace: str, five: list[str]) -> None:
    """What was read before is forgotten, so none is missing and none is there twice."""
    proxy.misbehave(EXPIRED, match="configmaps.*continue=", times=1)
    (found,) = cluster.list_objects([MAPS], selector="test=yes", namespaces=[namespace])
    assert isinstance(found, list)
    assert [each["metadata"]["name"] for each in found] == five
    assert proxy.count("^GET .*configmaps.*limit=2") == 2 + 3


def test_names_alone_can_be_listed(cluster: Cluster, namespace: str, five: list[str]) -> None:
    """In pages, too; of what there is none, it is an empty list."""
    asked = [MAPS, ("apps/v1", "Deployment")]
    found, none = cluster.list_objects(asked, namespaces=[namespace, namespace], names_only=True)
    assert isinstance(found, list)
    ours = [each for each in found if each["metadata"]["name"] in five]
    assert [each["metadata"]["name"] for each in ours] == five
    assert not any("data" in each for each in ours)
    assert none == []


@pytest.mark.usefixtures("five")
def test_a_list_that_always_expires_is_an_error(cluster: Cluster, proxy: Proxy, namespace: str) -> None:
    """After so many beginnings, not for ever."""
    proxy.misbehave(EXPIRED, match="configmaps.*continue=")
    (answer,) = cluster.list_objects([MAPS], selector="test=yes", namespaces=[namespace])
    assert refused(answer).status == 410
    assert proxy.count("^GET .*configmaps.*limit=2") == 2 * (1 + RESTARTS)


@pytest.mark.usefixtures("five")
@pytest.mark.parametrize("fault", [Reply(status=500), Cut()], ids=str)
def test_a_list_that_breaks_is_an_error(cluster: Cluster, proxy: Proxy, namespace: str, fault: Fault) -> None:
    """Two good pages of three are no list."""
    (whole,) = cluster.list_objects([MAPS], selector="test=yes", namespaces=[namespace])
    assert isinstance(whole, list)
    last = next(each for each in reversed(proxy.requests) if "continue=" in each.path).path
    proxy.misbehave(fault, match=last.partition("continue=")[2])
    (answer,) = cluster.list_objects([MAPS], selector="test=yes", namespaces=[namespace])
    assert refused(answer).status == (500 if isinstance(fault, Reply) else 0)


def reconcile(scratch: Scratch, kubeconfig: Path) -> Done:
    """A pass in this process, whose pages are short."""
    arguments = ["-C", str(scratch.folder), "reconcile", "--verbose", "--kubeconfig", str(kubeconfig)]
    result = CliRunner().invoke(cli, arguments, standalone_mode=False)
    return Done(command="jsorc reconcile", output=result.output, code=result.return_value)


def make_scratch(folder: Path, controlplane: ControlPlane, namespace: str, names: list[str]) -> Scratch:
    """A committed repository with one service of these ConfigMaps."""
    scratch = Scratch(folder, controlplane=controlplane)
    scratch.write("jsorc.yaml", f"namespace: {namespace}\n")
    for name in names:
        scratch.write(
            f"templates/app/{name}.yaml", f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n"
        )
    scratch.commit("Begin")
    return scratch


def names(scratch: Scratch, namespace: str) -> list[str]:
    found = [each["metadata"]["name"] for each in scratch.read("configmaps", "-n", namespace)["items"]]
    return sorted(name for name in found if name.endswith("-map"))


@pytest.mark.parametrize(
    "fault", [Reply(status=500), EXPIRED, Cut(), Reply(status=403, reason="Forbidden")], ids=str
)
def test_a_partial_list_never_prunes(
    tmp_path: Path, controlplane: ControlPlane, proxy: Proxy, namespace: str, fault: Fault
) -> None:
    """The object that left git is on a good page; as the rest is missing, it stays, and goes when all is read."""
    scratch = make_scratch(tmp_path, controlplane, namespace, ["a-map", "b-map"])
    assert reconcile(scratch, proxy.kubeconfig_for()).code == 0
    (scratch.folder / "templates/app/a-map.yaml").unlink()
    scratch.commit("Remove one")
    proxy.misbehave(fault, match="^GET .*/configmaps.*continue=")

    report = reconcile(scratch, proxy.kubeconfig_for())

    assert report.code == 1
    assert "nothing is pruned, because ConfigMap could not be read" in report.output
    assert proxy.count("^DELETE") == 0
    assert names(scratch, namespace) == ["a-map", "b-map"]
    proxy.behave()
    assert reconcile(scratch, proxy.kubeconfig_for()).code == 0
    assert names(scratch, namespace) == ["b-map"]


@pytest.fixture
def rights(controlplane: ControlPlane, namespace: str) -> str:
    """The user `limited` may do all that a pass needs, in one namespace; the name of that."""
    kubectl = controlplane.kubectl
    resources = "--resource=configmaps,secrets,services,leases.coordination.k8s.io,pods"
    kubectl("create", "role", "all", "-n", namespace, "--verb=*", resources)
    kubectl("create", "role", "self", "-n", namespace, "--verb=get", "--resource=namespaces")
    for role in ("all", "self"):
        kubectl("create", "rolebinding", role, "-n", namespace, f"--role={role}", "--user=limited")
    return namespace


def test_rights_in_one_namespace_are_enough(
    tmp_path: Path, controlplane: ControlPlane, proxy: Proxy, rights: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pass with Roles alone; it asks cluster-wide for Namespaces alone, in kinds + 10 requests at most."""
    monkeypatch.setattr(door, "PAGE", 500)
    scratch = make_scratch(tmp_path, controlplane, rights, ["a-map"])
    for kind in ("Secret", "Service"):
        spec = "spec: {ports: [{port: 80}]}" if kind == "Service" else ""
        scratch.write(
            f"templates/app/{kind}.yaml", f"apiVersion: v1\nkind: {kind}\nmetadata: {{name: a-map}}\n{spec}\n"
        )
    scratch.write("templates/app/service.yaml", "plainSecrets: allow\n")
    scratch.commit("Three kinds")
    kubeconfig = proxy.kubeconfig_for("limited")
    assert reconcile(scratch, kubeconfig).code == 0
    proxy.requests.clear()

    report = reconcile(scratch, kubeconfig)

    assert report.code == 0
    assert f", {len(proxy.requests)} requests to Kubernetes" in report.output
    assert len(proxy.requests) <= 4 + 10  # Namespace, Secret, Service, ConfigMap
    lists = [each for each in proxy.requests if "labelSelector" in each.path]
    assert [each.path.partition("?")[0] for each in lists if "/namespaces/" not in each.path] == [
        "/api/v1/namespaces"
    ]
    assert len([each for each in lists if f"/namespaces/{rights}/" in each.path]) == 3


def test_rights_that_differ_by_kind(
    controlplane: ControlPlane, proxy: Proxy, rights: str, request: pytest.FixtureRequest
) -> None:
    """What may be listed everywhere is, the rest in its namespaces; what may be listed nowhere is an error."""
    controlplane.kubectl("create", "clusterrole", rights, "--verb=list", "--resource=configmaps")
    request.addfinalizer(lambda: controlplane.kubectl("delete", "clusterrole", rights))
    binding = ("clusterrolebinding", rights, f"--clusterrole={rights}", "--user=limited")
    controlplane.kubectl("create", *binding)
    request.addfinalizer(lambda: controlplane.kubectl("delete", "clusterrolebinding", rights))
    kinds = [("v1", "ConfigMap"), ("v1", "Service"), ("apps/v1", "Deployment")]
    bodies = [
        {**make_map(place), "apiVersion": version, "kind": kind}
        for version, kind in kinds
        for place in (rights, "default")
    ]
    with connect(proxy.kubeconfig_for("limited")) as limited:
        proxy.requests.clear()
        found, unread = list_kinds(limited, {ref_of(each): each["apiVersion"] for each in bodies}, tree="t")
    nowhere = {("apps", "Deployment", rights), ("apps", "Deployment", "default")}
    assert (found, {*unread}) == ({}, {("", "Service", "default"), *nowhere})
    assert f"in namespace {rights}" in unread["apps", "Deployment", rights]
    assert [proxy.count(f"/{name}") for name in ("configmaps", "services", "deployments")] == [1, 3, 3]
