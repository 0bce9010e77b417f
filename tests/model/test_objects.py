"""What one object is: its identity, how messages spell it, and its place in the order of applying."""

from typing import Any

import pytest

from jsorc_gitops.errors import DefinitionError
from jsorc_gitops.model.objects import (
    STAGE_CLASSES,
    STAGE_DEFINITIONS,
    STAGE_OBJECTS,
    STAGE_WEBHOOKS,
    ObjectRef,
    compute_stage,
    parse_group,
    parse_manifest,
    sort_key,
)

LISTED = "a list of objects; write its items as documents of their own, or run jsorc import on it"


def body(**changes: Any) -> dict[str, Any]:
    whole = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "redis"}, **changes}
    return {key: value for key, value in whole.items() if value is not None}


def ref(kind: str, name: str = "x", *, namespace: str = "default", group: str = "") -> ObjectRef:
    return ObjectRef(group=group, kind=kind, namespace=namespace, name=name)


def test_an_identity_has_no_version() -> None:
    """Of apiVersion only the group counts: the same object in another version is the same object."""
    refs = {
        parse_manifest(body(apiVersion=version, metadata={"name": "redis", "namespace": "jaseci"}), where="x").ref
        for version in ("apps/v1", "apps/v1beta2")
    }

    assert refs == {ref("Deployment", "redis", namespace="jaseci", group="apps")}


@pytest.mark.parametrize(
    ("version", "group"),
    [("v1", ""), ("apps/v1", "apps"), ("rbac.authorization.k8s.io/v1", "rbac.authorization.k8s.io")],
)
def test_groups(version: str, group: str) -> None:
    """The group is what stands before the version; Kubernetes' oldest group has no name."""
    assert parse_group(version) == group


@pytest.mark.parametrize("namespace", [None, ""])
def test_without_a_namespace_there_is_none(namespace: str | None) -> None:
    """An absent and an empty namespace are the same."""
    manifest = parse_manifest(body(metadata={"name": "redis", "namespace": namespace}), where="x")

    assert manifest.ref.namespace == ""


@pytest.mark.parametrize(
    ("each", "spelled"),
    [
        (ref("Deployment", "redis", namespace="jaseci", group="apps"), "Deployment/jaseci/redis"),
        (ref("ClusterRole", "redis", namespace="", group="rbac.authorization.k8s.io"), "ClusterRole/redis"),
    ],
)
def test_spelling(each: ObjectRef, spelled: str) -> None:
    """Messages spell an object with its namespace where it lies in one."""
    assert str(each) == spelled


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ([1], "a Kubernetes object is a mapping, this is a list"),
        ("text", "a Kubernetes object is a mapping, this is a text"),
        (5, "a Kubernetes object is a mapping, this is a number"),
        (True, "a Kubernetes object is a mapping, this is a boolean"),
        (None, "a Kubernetes object is a mapping, this is empty"),
        (body(apiVersion=None), "apiVersion is missing or not a text; every object needs one"),
        (body(apiVersion=1), "apiVersion is missing or not a text; every object needs one"),
        (body(kind=None), "kind is missing or not a text; every object needs one"),
        (body(kind=""), "kind is missing or not a text; every object needs one"),
        (body(metadata=None), "metadata.name is missing or not a text; every object needs one"),
        (body(metadata=["redis"]), "metadata.name is missing or not a text; every object needs one"),
        (body(metadata={"name": 5}), "metadata.name is missing or not a text; every object needs one"),
        (body(kind="List", metadata={"resourceVersion": ""}, items=[]), LISTED),
        (body(kind="List", metadata=None), LISTED),
        (body(kind="ConfigMapList", metadata={}, items=[]), LISTED),
        (
            body(kind="AllowList", metadata=None),
            "metadata.name is missing or not a text; every object needs one",
        ),
        (body(metadata={"name": "a", "namespace": 5}), "metadata.namespace is not a text"),
        (body(metadata={"name": "a", "labels": ["b"]}), "metadata.labels is not a mapping"),
        (
            body(metadata={"name": "a", "labels": {"version": 1.5}}),
            "metadata.labels: version is a number, not a text; put it in quotes",
        ),
        (
            body(metadata={"name": "a", "annotations": {"scrape": True}}),
            "metadata.annotations: scrape is a boolean, not a text; put it in quotes",
        ),
    ],
)
def test_what_is_no_object_is_refused(wrong: object, message: str) -> None:
    """Without an identity, or with labels no API server takes, it is no object; the message says where."""
    with pytest.raises(DefinitionError) as caught:
        parse_manifest(wrong, where="x.yaml:3")

    assert str(caught.value) == f"x.yaml:3: {message}"


@pytest.mark.parametrize(
    ("labels", "service"), [(None, ""), ({}, ""), ({"jsorc.jaseci.org/service": "redis"}, "redis")]
)
def test_the_service_of_an_object(labels: dict[str, str] | None, service: str) -> None:
    """An object belongs to the service its label names; without one it belongs to the tree."""
    assert parse_manifest(body(metadata={"name": "a", "labels": labels}), where="x").service == service


@pytest.mark.parametrize(
    ("kind", "stage"),
    [
        ("Namespace", STAGE_DEFINITIONS),
        ("CustomResourceDefinition", STAGE_DEFINITIONS),
        ("StorageClass", STAGE_CLASSES),
        ("PriorityClass", STAGE_CLASSES),
        ("ServiceAccount", STAGE_CLASSES),
        ("ConfigMap", STAGE_OBJECTS),
        ("Deployment", STAGE_OBJECTS),
        ("ValidatingWebhookConfiguration", STAGE_WEBHOOKS),
    ],
)
def test_stages(kind: str, stage: int) -> None:
    """What others are made of comes in an earlier stage; webhooks, which can block all, in the last."""
    assert compute_stage(ref(kind)) == stage


def test_order_of_applying() -> None:
    """What a pod needs comes before the pod, whatever order it was written in; equals by namespace and name."""
    ordered = [
        ref("Namespace", namespace=""),
        ref("CustomResourceDefinition", namespace="", group="apiextensions.k8s.io"),
        ref("ServiceAccount"),
        ref("StorageClass", namespace="", group="storage.k8s.io"),
        ref("Secret"),
        ref("ConfigMap", "a", namespace="one"),
        ref("ConfigMap", "b", namespace="one"),
        ref("ConfigMap", "a", namespace="two"),
        ref("ClusterRole", namespace="", group="rbac.authorization.k8s.io"),
        ref("ClusterRoleBinding", namespace="", group="rbac.authorization.k8s.io"),
        ref("Role", group="rbac.authorization.k8s.io"),
        ref("RoleBinding", group="rbac.authorization.k8s.io"),
        ref("PersistentVolume", namespace=""),
        ref("PersistentVolumeClaim"),
        ref("Service"),
        ref("DaemonSet", group="apps"),
        ref("Deployment", group="apps"),
        ref("MutatingWebhookConfiguration", namespace="", group="admissionregistration.k8s.io"),
    ]

    shuffled = ordered[1::2] + ordered[::2]

    assert sorted(shuffled, key=sort_key) == ordered


@pytest.mark.parametrize(
    ("each", "kept"),
    [
        (ref("Namespace", namespace=""), "kept"),
        (ref("PersistentVolume", namespace=""), "kept"),
        (ref("PersistentVolumeClaim"), "kept"),
        (ref("CustomResourceDefinition", namespace="", group="apiextensions.k8s.io"), "kept"),
        (ref("Namespace", group="example.com"), "pruned"),
        (ref("ConfigMap"), "pruned"),
        (ref("Deployment", group="apps"), "pruned"),
    ],
)
def test_what_holds_data_is_kept(each: ObjectRef, kept: str) -> None:
    """Namespaces, volumes, claims and CRDs outlive their service; a custom kind of such a name does not."""
    assert ("kept" if each.is_kept else "pruned") == kept
