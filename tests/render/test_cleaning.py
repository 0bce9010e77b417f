"""What a server, a controller or a tool put on an object comes off; what its author said stays."""

from typing import Any

import pytest

from jsorc_gitops.model.objects import KEEP_ANNOTATIONS, SERVICE_LABEL, TREE_LABEL, parse_manifest
from jsorc_gitops.render.cleaning import clean_object, find_origin


def clean(
    kind: str = "ConfigMap", *, version: str = "v1", metadata: dict[str, Any] | None = None, **more: Any
) -> Any:
    """The object as it is cleaned, without the three that every object has."""
    body = {"apiVersion": version, "kind": kind, "metadata": {"name": "x", **(metadata or {})}, **more}
    cleaned = clean_object(parse_manifest(body, where=""))
    assert (cleaned.pop("apiVersion"), cleaned.pop("kind"), cleaned["metadata"].pop("name")) == (
        version,
        kind,
        "x",
    )
    return cleaned


def test_what_the_server_writes() -> None:
    """Metadata of the one live object, and any status."""
    metadata = {
        "uid": "1",
        "resourceVersion": "2",
        "generation": 3,
        "creationTimestamp": None,
        "deletionGracePeriodSeconds": 0,
        "generateName": "x-",
        "managedFields": [{}],
        "selfLink": "/x",
        "ownerReferences": [{"kind": "Queue", "name": "q"}],
        "namespace": "shop",
    }

    assert clean(
        "Widget", version="example.com/v1", metadata=metadata, status={"phase": "x"}, spec={"size": 1}
    ) == {
        "metadata": {"namespace": "shop"},
        "spec": {"size": 1},
    }


@pytest.mark.parametrize(
    "mark",
    [
        {"kubectl.kubernetes.io/last-applied-configuration": "{}"},
        {"deployment.kubernetes.io/revision": "3"},
        {"deprecated.daemonset.template.generation": "1"},
        {"pv.kubernetes.io/bind-completed": "yes"},
        {"volume.kubernetes.io/storage-provisioner": "x"},
        {"volume.kubernetes.io/selected-node": "x"},
        {"config_version": "1669161600.1"},
        {SERVICE_LABEL: "redis", TREE_LABEL: "default"},
        {"applyset.kubernetes.io/part-of": "applyset-x-v1"},
        {"kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"},
        {"helm.toolkit.fluxcd.io/name": "redis"},
        {"argocd.argoproj.io/tracking-id": "x"},
        {"meta.helm.sh/release-name": "redis", "meta.helm.sh/release-namespace": "shop"},
        {"meta.helm.sh/release-name": "redis", "app.kubernetes.io/managed-by": "Helm"},
        dict(KEEP_ANNOTATIONS),
    ],
)
def test_marks_of_tools_and_controllers(mark: dict[str, str]) -> None:
    """As annotations or labels they come off; others beside them stay."""
    others = {"app": "x", "example.com/note": "y"}

    assert clean(metadata={"annotations": {**mark, **others}, "labels": {"a": "b"}}) == {
        "metadata": {"annotations": others, "labels": {"a": "b"}}
    }
    assert clean(metadata={"annotations": mark}) == {"metadata": {}}


def test_labels_are_cleaned_as_annotations_are() -> None:
    """JsOrc's and our own marks are labels; Helm's is one where Helm manages the object."""
    helm = {"app.kubernetes.io/managed-by": "Helm"}
    marks = {"config_version": "1", SERVICE_LABEL: "redis", "kubernetes.io/metadata.name": "x"}

    assert clean(metadata={"labels": {**marks, **helm}}) == {"metadata": {"labels": helm}}
    managed = {"labels": {**marks, **helm}, "annotations": {"meta.helm.sh/release-name": "x"}}
    assert clean(metadata=managed) == {"metadata": {}}


@pytest.mark.parametrize(
    "metadata",
    [
        {"labels": {"app.kubernetes.io/managed-by": "Helm", "helm.sh/chart": "prometheus-15.10.5"}},
        {"annotations": {"argocd.argoproj.io/sync-options": "Replace=true"}},
        {"annotations": {"kustomize.toolkit.fluxcd.io/reconcile": "disabled"}},
        {"annotations": {"volume.beta.kubernetes.io/storage-class": "fast"}},
        {"finalizers": ["resources-finalizer.argocd.argoproj.io"]},
    ],
)
def test_what_authors_write_stays(metadata: dict[str, Any]) -> None:
    """Though it looks as if a tool had written it."""
    assert clean(metadata=metadata) == {"metadata": metadata}


def test_finalizers_of_the_server() -> None:
    """Come off, alone or beside others."""
    assert clean(metadata={"finalizers": ["kubernetes.io/pvc-protection", "foregroundDeletion"]}) == {
        "metadata": {}
    }
    assert clean(metadata={"finalizers": ["orphan", "example.com/x"]})["metadata"] == {
        "finalizers": ["example.com/x"]
    }


@pytest.mark.parametrize(
    ("kind", "spec", "left"),
    [
        (
            "Service",
            {
                "clusterIP": "10.0.0.1",
                "clusterIPs": ["10.0.0.1"],
                "ipFamilies": ["IPv4"],
                "selector": {"app": "x"},
            },
            {"selector": {"app": "x"}},
        ),
        ("Service", {"clusterIP": "None", "clusterIPs": ["None"]}, {"clusterIP": "None"}),
        (
            "Service",
            {"type": "NodePort", "ports": [{"port": 80, "targetPort": 80, "nodePort": 30080}]},
            {"type": "NodePort", "ports": [{"port": 80, "nodePort": 30080}]},
        ),
        ("Service", {"ipFamilyPolicy": "PreferDualStack"}, {"ipFamilyPolicy": "PreferDualStack"}),
        (
            "PersistentVolumeClaim",
            {"volumeName": "pvc-1", "storageClassName": "fast"},
            {"storageClassName": "fast"},
        ),
        (
            "PersistentVolume",
            {"claimRef": {"uid": "1"}, "capacity": {"storage": "1Gi"}},
            {"capacity": {"storage": "1Gi"}},
        ),
        ("Namespace", {"finalizers": ["kubernetes"]}, None),
    ],
)
def test_what_the_server_allocates(kind: str, spec: Any, left: Any) -> None:
    """Addresses and volumes come off; what clients or data depend on stays."""
    assert clean(kind, spec=spec) == ({"metadata": {}} if left is None else {"metadata": {}, "spec": left})


def test_jobs() -> None:
    """A Job loses the selector and labels it was given; one with a selector of its own keeps that."""
    given = {"batch.kubernetes.io/controller-uid": "1", "controller-uid": "1", "job-name": "x"}
    match = {"matchLabels": {"batch.kubernetes.io/controller-uid": "1"}}

    def make(labels: dict[str, str], **more: Any) -> dict[str, Any]:
        return {"template": {"metadata": {"labels": labels}, "spec": {"containers": []}}, **more}

    bare: dict[str, Any] = {"template": {"spec": {"containers": []}}}
    cleaned = clean("Job", version="batch/v1", metadata={"labels": given}, spec=make(given, selector=match))
    assert cleaned == {"metadata": {}, "spec": bare}
    own = clean(
        "Job", version="batch/v1", metadata={"labels": {**given, "a": "b"}}, spec=make({**given, "a": "b"})
    )
    assert own == {"metadata": {}, "spec": make({"a": "b"})}
    other = clean("Job", version="batch/v1", metadata={"labels": {"c": "d"}}, spec=make({"a": "b"}))
    assert other == {"metadata": {"labels": {"c": "d"}}, "spec": make({"a": "b"})}
    manual = make({"a": "b"}, selector={"matchLabels": {"a": "b"}}, manualSelector=True)
    assert clean("Job", version="batch/v1", spec=manual)["spec"] == manual


def test_service_accounts_lose_their_tokens() -> None:
    """Which old clusters list in them; other Secrets stay."""
    assert clean("ServiceAccount", secrets=[{"name": "x-token-ab1cd"}]) == {"metadata": {}}
    assert clean("ServiceAccount", secrets=[{"name": "x-token-ab1cd"}, {"name": "registry"}]) == {
        "metadata": {},
        "secrets": [{"name": "registry"}],
    }


def test_aggregated_roles_lose_their_rules() -> None:
    """A controller writes them."""
    rule: dict[str, Any] = {"clusterRoleSelectors": []}
    version = "rbac.authorization.k8s.io/v1"

    assert clean("ClusterRole", version=version, aggregationRule=rule, rules=[{}])["aggregationRule"] == rule
    assert "rules" not in clean("ClusterRole", version=version, aggregationRule=rule, rules=[{}])
    assert clean("ClusterRole", version=version, rules=[{}])["rules"] == [{}]


@pytest.mark.parametrize(
    ("kind", "more", "origin"),
    [
        (
            "Pod",
            {"metadata": {"ownerReferences": [{"kind": "ReplicaSet", "name": "x-1", "controller": True}]}},
            "made by ReplicaSet/x-1",
        ),
        ("Pod", {"metadata": {"ownerReferences": [{"kind": "ReplicaSet", "name": "x-1"}]}}, ""),
        ("Pod", {"metadata": {"deletionTimestamp": "2022-11-23T00:00:00Z"}}, "being deleted"),
        ("ConfigMap", {"metadata": {"name": "jsorc.record.default.redis"}}, "jsorc's own"),
        ("Secret", {"type": "helm.sh/release.v1"}, "Helm's own"),
        ("Secret", {"type": "kubernetes.io/service-account-token"}, "made by the cluster"),
        ("Secret", {"type": "Opaque"}, ""),
        ("ConfigMap", {"metadata": {"name": "kube-root-ca.crt"}}, "made by the cluster"),
        ("ServiceAccount", {"metadata": {"name": "default"}}, "made by the cluster"),
        ("ServiceAccount", {}, ""),
        ("Service", {"metadata": {"name": "kubernetes", "namespace": "default"}}, "made by the cluster"),
        ("Service", {"metadata": {"name": "kubernetes", "namespace": "shop"}}, ""),
        ("Namespace", {"metadata": {"name": "kube-system"}}, "made by the cluster"),
        ("Namespace", {}, ""),
        ("Event", {}, "made by the cluster"),
        (
            "Endpoints",
            {"metadata": {"annotations": {"endpoints.kubernetes.io/last-change-trigger-time": "x"}}},
            "made by the cluster",
        ),
        ("Endpoints", {}, ""),
        (
            "PersistentVolume",
            {"metadata": {"annotations": {"pv.kubernetes.io/provisioned-by": "x"}}},
            "made by the cluster",
        ),
        ("PersistentVolume", {}, ""),
    ],
)
def test_origins(kind: str, more: dict[str, Any], origin: str) -> None:
    """What somebody else makes by itself is recognised, what only looks like it is not."""
    body = {"apiVersion": "v1", "kind": kind, **more, "metadata": {"name": "x", **more.get("metadata", {})}}

    assert find_origin(parse_manifest(body, where="")) == origin


@pytest.mark.parametrize(
    "more",
    [
        {"spec": "x"},
        {"spec": {"template": "x", "ports": "x", "containers": [1]}},
        {"spec": {"template": {"metadata": "x", "spec": {"containers": ["x"], "volumes": {"a": 1}}}}},
        {"secrets": ["x", {"name": 1}], "type": ["x"]},
        {"metadata": {"name": "x", "ownerReferences": ["x"], "finalizers": [1], "labels": None}},
        {"metadata": {"name": "x", "ownerReferences": 5, "finalizers": 5}},
    ],
)
@pytest.mark.parametrize(
    "kind", ["Service", "Deployment", "Job", "ServiceAccount", "Secret", "CustomResourceDefinition"]
)
def test_odd_values_are_no_surprise(kind: str, more: dict[str, Any]) -> None:
    """Whatever stands where something else belongs, that is for others to say."""
    groups = {"Deployment": "apps/v1", "Job": "batch/v1", "CustomResourceDefinition": "apiextensions.k8s.io/v1"}
    body = {"apiVersion": groups.get(kind, "v1"), "kind": kind, "metadata": {"name": "x"}, **more}
    manifest = parse_manifest(body, where="")

    assert find_origin(manifest) == ""
    assert clean_object(manifest)["kind"] == kind


def test_finalizers_that_are_no_list_stay() -> None:
    """Nothing is dropped for being wrong: the next render names it."""
    assert clean(metadata={"finalizers": 5}) == {"metadata": {"finalizers": 5}}
