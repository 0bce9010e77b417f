"""Namespaces are explicit on every namespaced object, and rendered where the tree needs them."""

import pytest

from jsorc_gitops.errors import DefinitionError
from jsorc_gitops.model.settings import AS_WRITTEN, HOME, Settings
from tests.render.builders import make_object, make_service, render_bodies, render_services

CRD = make_object(
    "CustomResourceDefinition",
    "things.example.com",
    version="apiextensions.k8s.io/v1",
    more="spec: {group: example.com, scope: SCOPE, names: {kind: Thing}}\n",
)
THING = make_object("Thing", "x", version="example.com/v1")


def spell(*texts: str, namespace: str = "jaseci") -> set[str]:
    """What a service with these files renders to, without the records and settings."""
    service = make_service({f"{place}.yaml": text for place, text in enumerate(texts)})
    found = render_bodies(service, settings=Settings(namespace=namespace))
    return {name for name in found if "/jsorc." not in name}


def test_objects_go_to_the_home_namespace() -> None:
    """A namespaced object that names no namespace goes where jsorc.yaml says; one that does stays."""
    assert spell(make_object(), make_object(name="w, namespace: other").replace("name: w, ", "name: w\n  ")) == {
        "ConfigMap/jaseci/x",
        "ConfigMap/other/w",
        "Namespace/jaseci",
        "Namespace/other",
    }


def test_the_namespace_stands_in_the_object() -> None:
    """The namespace is written into the object, so no tool's default decides where it goes."""
    bodies = render_bodies(make_service({"a.yaml": make_object()}), settings=Settings(namespace="jaseci"))

    assert bodies["ConfigMap/jaseci/x"]["metadata"]["namespace"] == "jaseci"


@pytest.mark.parametrize(
    ("kind", "version"),
    [
        ("ClusterRole", "rbac.authorization.k8s.io/v1"),
        ("PersistentVolume", "v1"),
        ("StorageClass", "storage.k8s.io/v1"),
    ],
)
def test_cluster_scoped_objects_have_none(kind: str, version: str) -> None:
    """An object of a kind that lives outside namespaces is given none."""
    assert spell(make_object(kind, version=version)) == {f"{kind}/x", "Namespace/jaseci"}


def test_a_namespace_on_a_cluster_scoped_object_is_refused() -> None:
    """As written, it cannot be; the message says what to remove."""
    text = make_object("ClusterRole", "x\n  namespace: jaseci", version="rbac.authorization.k8s.io/v1")

    with pytest.raises(DefinitionError) as caught:
        spell(text)

    assert str(caught.value) == (
        "templates/redis/0.yaml:1: ClusterRole/jaseci/x: a ClusterRole lies in no namespace; "
        "remove metadata.namespace"
    )


def test_all_wrong_namespaces_are_told() -> None:
    """Every object of every service that says a wrong namespace has its line in one error."""
    text = make_object("ClusterRole", "x\n  namespace: jaseci", version="rbac.authorization.k8s.io/v1")
    services = [make_service({"a.yaml": f"{text}---\n{text}"}, name=name) for name in ("a", "b")]

    with pytest.raises(DefinitionError) as caught:
        render_bodies(*services)

    assert [line.partition(": ")[0] for line in str(caught.value).splitlines()] == [
        "templates/a/a.yaml:1",
        "templates/a/a.yaml:7",
        "templates/b/a.yaml:1",
        "templates/b/a.yaml:7",
    ]


@pytest.mark.parametrize(("scope", "thing"), [("Cluster", "Thing/x"), ("Namespaced", "Thing/jaseci/x")])
def test_custom_kinds_lie_where_their_definition_says(scope: str, thing: str) -> None:
    """The scope of a custom kind is read from its CRD, wherever in the tree that is."""
    assert thing in spell(THING, CRD.replace("SCOPE", scope))


def test_a_custom_kind_without_its_definition_is_namespaced() -> None:
    """Most custom kinds are namespaced, so one of which nothing is known is taken for one."""
    assert "Thing/jaseci/x" in spell(THING)


@pytest.mark.parametrize("policy", [AS_WRITTEN, HOME, "other"])
def test_a_custom_kind_can_be_said_to_be_cluster_scoped(policy: str) -> None:
    """An empty metadata.namespace says that the object lies in none, which only its CRD could say else."""
    service = make_service(
        {"service.yaml": f"namespace: {policy}\n", "a.yaml": THING.replace("name: x", "name: x\n  namespace: ''")}
    )

    assert render_bodies(service)["Thing/x"]["metadata"]["name"] == "x"
    assert "namespace" not in render_bodies(service)["Thing/x"]["metadata"]


@pytest.mark.parametrize("namespace", ["''", "null", ""])
def test_an_empty_namespace_of_a_kind_that_is_known_is_none(namespace: str) -> None:
    """Kubernetes' own kinds are known to lie in namespaces, so an empty one is filled in as one left out is."""
    assert "ConfigMap/jaseci/x" in spell(make_object(name=f"x\n  namespace: {namespace}"))


def test_the_definition_of_a_kind_may_be_in_another_service() -> None:
    """An operator and what it is asked to make may be two services."""
    services = [
        make_service({"a.yaml": CRD.replace("SCOPE", "Cluster")}, name="operator"),
        make_service({"a.yaml": THING}, name="thing"),
    ]

    assert "Thing/x" in render_bodies(*services)


@pytest.mark.parametrize("spec", ["{scope: Cluster}", "[a]", "{scope: Cluster, group: a, names: [b]}", "null"])
def test_a_broken_definition_of_a_kind_is_refused(spec: str) -> None:
    """A CRD that does not say what it defines is refused by name."""
    text = CRD[: CRD.index("spec:")] + f"spec: {spec}\n"

    with pytest.raises(DefinitionError) as caught:
        spell(text)

    assert str(caught.value) == (
        "templates/redis/0.yaml:1: CustomResourceDefinition/things.example.com: "
        "needs spec.scope, spec.group and spec.names.kind"
    )


@pytest.mark.parametrize("name", ["default", "kube-system", "kube-public"])
def test_namespaces_of_every_cluster_are_not_rendered(name: str) -> None:
    """Nobody but the cluster makes or labels the namespaces every cluster has."""
    assert spell(make_object(), namespace=name) == {f"ConfigMap/{name}/x"}


@pytest.mark.parametrize("name", ["default-apps", "defaults", "kubernetes", "kube"])
def test_namespaces_with_similar_names_are_rendered(name: str) -> None:
    """A namespace is the cluster's own by its exact name, or by the prefix kube-."""
    assert f"Namespace/{name}" in spell(make_object(), namespace=name)


def test_a_namespace_is_rendered_once() -> None:
    """Many objects of many services in one namespace need one Namespace, which belongs to none of them."""
    services = [make_service({"a.yaml": make_object(name=name)}, name=name) for name in ("a", "b")]
    found = [
        each
        for each in render_services(*services, settings=Settings(namespace="jaseci"))
        if each.ref.kind == "Namespace"
    ]

    assert [each.body for each in found] == [
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {
                "name": "jaseci",
                "labels": {"jsorc.jaseci.org/tree": "default"},
                "annotations": {
                    "argocd.argoproj.io/compare-options": "IgnoreExtraneous",
                    "argocd.argoproj.io/sync-options": "Prune=false,Delete=false",
                    "kustomize.toolkit.fluxcd.io/prune": "disabled",
                },
            },
        }
    ]


def test_a_namespace_that_a_service_defines_is_that_one() -> None:
    """A service that defines the Namespace itself, with labels of its own, is not given a second one."""
    own = make_object("Namespace", "jaseci\n  labels: {team: a}")
    found = render_bodies(
        make_service({"a.yaml": own, "b.yaml": make_object()}), settings=Settings(namespace="jaseci")
    )

    assert found["Namespace/jaseci"]["metadata"]["labels"] == {
        "team": "a",
        "jsorc.jaseci.org/service": "redis",
        "jsorc.jaseci.org/tree": "default",
    }
