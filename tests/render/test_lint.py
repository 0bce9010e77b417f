"""What is wrong with objects before anything is written."""

from typing import Any

import pytest

from jsorc_gitops.errors import DefinitionError
from jsorc_gitops.model.objects import Manifest, ObjectRef
from jsorc_gitops.render.lint import check_manifests
from tests.model.builders import make_manifest


def manifest(
    kind: str = "ConfigMap", name: str = "x", *, group: str = "", namespace: str = "default"
) -> Manifest:
    ref = ObjectRef(group=group, kind=kind, namespace=namespace, name=name)
    return Manifest(ref=ref, api_version="v1", body={"metadata": {"name": name}})


def findings(*manifests: Manifest) -> str:
    with pytest.raises(DefinitionError) as caught:
        check_manifests({"redis": manifests})
    return str(caught.value)


@pytest.mark.parametrize(
    "each",
    [
        manifest(),
        manifest("Deployment", group="apps"),
        manifest("X509Certificate", group="cert-manager.io"),
        manifest("ClusterRole", "system:Redis.reader", group="rbac.authorization.k8s.io", namespace=""),
        manifest("CustomResourceDefinition", "things.example.com", group="apiextensions.k8s.io", namespace=""),
        manifest("ConfigMap", "jsorc-notes"),
        manifest("Role", "jsorc.reader", group="rbac.authorization.k8s.io"),
        manifest("ConfigMap", "..data"),
    ],
)
def test_good_objects_pass(each: Manifest) -> None:
    """What Kubernetes takes is taken."""
    check_manifests({"redis": [each]})


@pytest.mark.parametrize(
    "kind", ["../../etc", "Config/Map", "Config.Map", "Config Map", ".", "kustomization", "Süß", "A\n"]
)
def test_a_kind_that_is_no_word_is_refused(kind: str) -> None:
    """A kind becomes the name of a file, so nothing in it may lead elsewhere or onto another file."""
    assert findings(manifest(kind)) == (
        f"redis: {kind}/default/x: kind {kind!r} is no word with a capital letter; its file would leave the tree"
    )


@pytest.mark.parametrize("group", ["..", "../x", "a/b", "a..b", ".a", "A.b", "a b", "-a"])
def test_a_group_that_is_no_dns_name_is_refused(group: str) -> None:
    """A custom group becomes part of the name of a file, too."""
    assert (
        findings(manifest(group=group)) == f"redis: ConfigMap/default/x: the API group {group!r} is no DNS name"
    )


@pytest.mark.parametrize("name", [".", "..", "a/b", "a%2fb", "a b", "a\n", "x" * 254])
def test_a_name_that_would_lead_elsewhere_is_refused(name: str) -> None:
    """A name becomes part of the path of a request, where these would name another object."""
    assert findings(manifest(name=name)) == (
        f"redis: ConfigMap/default/{name}: metadata.name {name!r} is no name Kubernetes takes"
    )


@pytest.mark.parametrize("namespace", ["..", "a/b", "A", "a.b"])
def test_a_namespace_is_a_label(namespace: str) -> None:
    """A namespace becomes part of the path of a request, too."""
    assert findings(manifest(namespace=namespace)) == (
        f"redis: ConfigMap/{namespace}/x: metadata.namespace {namespace!r} is no name of a namespace"
    )


@pytest.mark.parametrize(
    "each",
    [manifest(name="jsorc.record.default.mail"), manifest("Lease", "jsorc.default", group="coordination.k8s.io")],
)
def test_what_jsorc_keeps_in_the_cluster_is_its_own(each: Manifest) -> None:
    """No service replaces jsorc's records, settings, state or lease."""
    assert findings(each) == f"redis: {each.ref}: names that begin with jsorc. are jsorc's own"


@pytest.mark.parametrize(
    ("kind", "fields"), [("List", {}), ("List", {"items": []}), ("ConfigMapList", {"items": []})]
)
def test_lists_are_refused(kind: str, fields: dict[str, Any]) -> None:
    """A list of objects has no identity; its items must be documents of their own."""
    assert findings(make_manifest(kind, **fields)) == (
        f"redis: {kind}/default/x: a list of objects; write its items as documents of their own"
    )


def test_a_kind_may_end_in_list() -> None:
    """A kind that is only called a list, as an allow list is, is no list of objects."""
    check_manifests({"redis": [make_manifest("AllowList", version="example.com/v1")]})


def test_an_identity_twice_in_a_service_is_refused() -> None:
    """Of two objects of one identity only one would be applied."""
    assert findings(manifest(), manifest()) == (
        "redis: ConfigMap/default/x: this service defines the same object; an identity is used once"
    )


def test_an_identity_twice_in_a_tree_is_refused() -> None:
    """Two services that define one object would overwrite each other; the message names both."""
    with pytest.raises(DefinitionError) as caught:
        check_manifests({"mail": [manifest()], "redis": [manifest("Secret"), manifest()]})

    assert str(caught.value) == (
        "redis: ConfigMap/default/x: service mail defines the same object; an identity is used once"
    )


def test_all_findings_are_told_at_once() -> None:
    """Who mends a service sees everything that is wrong with it."""
    assert findings(manifest("a b"), manifest(name=".."), manifest(), manifest()).splitlines() == [
        "redis: a b/default/x: kind 'a b' is no word with a capital letter; its file would leave the tree",
        "redis: ConfigMap/default/..: metadata.name '..' is no name Kubernetes takes",
        "redis: ConfigMap/default/x: this service defines the same object; an identity is used once",
    ]
