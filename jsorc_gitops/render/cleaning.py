"""Takes off an object what a server, a controller or a tool put on it, so that what its author said is left."""

from collections.abc import Iterable, Mapping
from typing import Any

from jsorc_gitops.model.objects import KEEP_ANNOTATIONS, SERVICE_LABEL, Body, Manifest
from jsorc_gitops.render.defaults import strip_defaults
from jsorc_gitops.render.namespaces import is_predefined

# Written by the API server, or true in one cluster only.
_METADATA = (
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generateName",
    "generation",
    "managedFields",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
)
# Labels and annotations that are notes of controllers, of kubectl and of those that applied the object before
# us: JsOrc (config_version), jsorc, Flux, Argo CD, Helm. A name that ends in "/" stands for all below it.
_MARKS = (
    "applyset.kubernetes.io/part-of",
    "argocd.argoproj.io/installation-id",
    "argocd.argoproj.io/instance",
    "argocd.argoproj.io/tracking-id",
    "autoscaling.alpha.kubernetes.io/conditions",
    "autoscaling.alpha.kubernetes.io/current-metrics",
    "batch.kubernetes.io/job-tracking",
    "config_version",
    "deployment.kubernetes.io/",
    "deprecated.daemonset.template.generation",
    "endpoints.kubernetes.io/",
    "helm.toolkit.fluxcd.io/",
    f"{SERVICE_LABEL.partition('/')[0]}/",
    "kubectl.kubernetes.io/last-applied-configuration",
    "kubernetes.io/metadata.name",
    "kustomize.toolkit.fluxcd.io/checksum",
    "kustomize.toolkit.fluxcd.io/name",
    "kustomize.toolkit.fluxcd.io/namespace",
    "meta.helm.sh/",
    "pv.kubernetes.io/",
    "volume.beta.kubernetes.io/storage-provisioner",
    "volume.kubernetes.io/selected-node",
    "volume.kubernetes.io/storage-provisioner",
)
_HELM_RELEASE = "meta.helm.sh/release-name"
_MANAGED_BY = "app.kubernetes.io/managed-by"
_JOB_LABELS = (
    "batch.kubernetes.io/controller-uid",
    "batch.kubernetes.io/job-name",
    "controller-uid",
    "job-name",
)
_SERVER_FINALIZERS = (
    "customresourcecleanup.apiextensions.k8s.io",
    "foregroundDeletion",
    "kubernetes.io/",
    "orphan",
    "service.kubernetes.io/",
)
_ALLOCATED = ("clusterIPs", "healthCheckNodePort", "ipFamilies")

_MADE_BY_CLUSTER = frozenset(
    {
        ("", "Event"),
        ("", "Node"),
        ("coordination.k8s.io", "Lease"),
        ("events.k8s.io", "Event"),
    }
)
_TOKEN_SECRETS = ("bootstrap.kubernetes.io/token", "kubernetes.io/service-account-token")


def clean_object(manifest: Manifest) -> dict[str, Any]:
    """The body without status, marks, and whatever the API server sets or fills in by itself.

    Kept on purpose: `replicas`, node ports, the storage class, a headless Service's `clusterIP: None`.
    """
    group_kind = manifest.ref.group_kind
    body = _without(manifest.body, "status")
    body["metadata"] = _clean_metadata(body["metadata"])
    spec = body.get("spec")
    if isinstance(spec, Mapping):
        body["spec"] = _clean_spec(group_kind, spec)
        if spec and not body["spec"]:
            del body["spec"]
    if group_kind == ("", "ServiceAccount"):
        body = _drop_tokens(body, manifest.ref.name)
    if group_kind == ("batch", "Job"):
        body = _clean_job(body)
    if "aggregationRule" in body:
        body.pop("rules", None)
    return strip_defaults(group_kind, body)


def find_origin(manifest: Manifest) -> str:
    """Who makes this object by itself, so that it belongs into no definition; "" for nobody."""
    ref, body = manifest.ref, manifest.body
    metadata = body["metadata"]
    for owner in _mappings(metadata.get("ownerReferences")):
        if owner.get("controller"):
            return f"made by {owner.get('kind')}/{owner.get('name')}"
    if metadata.get("deletionTimestamp"):
        return "being deleted"
    if ref.kind in {"ConfigMap", "Lease"} and ref.name.startswith("jsorc."):
        return "jsorc's own"
    if body.get("type") == "helm.sh/release.v1":
        return "Helm's own"
    return "made by the cluster" if _is_made_by_cluster(manifest) else ""


def _is_made_by_cluster(manifest: Manifest) -> bool:
    ref, body = manifest.ref, manifest.body
    notes = {**(body["metadata"].get("annotations") or {}), **(body["metadata"].get("labels") or {})}
    return (
        ref.group_kind in _MADE_BY_CLUSTER
        or (ref.kind, ref.name) in {("ConfigMap", "kube-root-ca.crt"), ("ServiceAccount", "default")}
        or (ref.kind, ref.namespace, ref.name) == ("Service", "default", "kubernetes")
        or (ref.group_kind == ("", "Namespace") and is_predefined(ref.name))
        or body.get("type") in _TOKEN_SECRETS
        or "pv.kubernetes.io/provisioned-by" in notes
        or (ref.kind == "Endpoints" and any(key.startswith("endpoints.kubernetes.io/") for key in notes))
    )


def _clean_metadata(metadata: Mapping[str, Any]) -> dict[str, Any]:
    kept = _without(metadata, *_METADATA)
    by_helm = _HELM_RELEASE in (metadata.get("annotations") or {})
    for name in ("labels", "annotations"):
        texts = {key: text for key, text in (kept.pop(name, None) or {}).items() if not _is_mark(key, text)}
        if by_helm and texts.get(_MANAGED_BY) == "Helm":
            del texts[_MANAGED_BY]
        if texts:
            kept[name] = texts
    finalizers = kept.pop("finalizers", None)
    # What is no list stays, for the schemas to say so.
    if isinstance(finalizers, list):
        finalizers = [each for each in finalizers if not _matches(str(each), _SERVER_FINALIZERS)]
    if finalizers not in (None, []):
        kept["finalizers"] = finalizers
    return kept


def _is_mark(key: str, text: str) -> bool:
    return _matches(key, _MARKS) or KEEP_ANNOTATIONS.get(key) == text


def _matches(name: str, names: Iterable[str]) -> bool:
    return any(name == each or (each.endswith("/") and name.startswith(each)) for each in names)


def _clean_spec(group_kind: tuple[str, str], spec: Body) -> dict[str, Any]:
    match group_kind:
        case ("", "Service"):
            # Without an address of its own is something that its author says.
            return _without(spec, *_ALLOCATED, *(() if spec.get("clusterIP") == "None" else ("clusterIP",)))
        case ("", "PersistentVolumeClaim"):
            return _without(spec, "volumeName")
        case ("", "PersistentVolume"):
            return _without(spec, "claimRef")
        case ("", "Namespace"):
            return _without(spec, "finalizers")
    return dict(spec)


def _clean_job(job: dict[str, Any]) -> dict[str, Any]:
    """Without the selector that a Job is given, its labels on the pods, and the pods' labels on the Job."""
    match job:
        case {"spec": {"template": {"metadata": {"labels": Mapping() as labels, **more}, **template}, **spec}}:
            labels = _without(labels, *_JOB_LABELS)
            metadata = {**more, "labels": labels} if labels else more
            spec["template"] = {**template, "metadata": metadata} if metadata else template
            if not spec.get("manualSelector"):
                spec.pop("selector", None)
            own = _without(job["metadata"].get("labels") or {}, *_JOB_LABELS)
            named = _without(job["metadata"], "labels")
            return {**job, "metadata": named if own in ({}, labels) else {**named, "labels": own}, "spec": spec}
    return job


def _drop_tokens(account: dict[str, Any], name: str) -> dict[str, Any]:
    """Without the token Secrets that clusters before 1.24 listed in every ServiceAccount."""
    listed = _mappings(account.get("secrets"))
    kept = [each for each in listed if not str(each.get("name")).startswith(f"{name}-token-")]
    return {**account, "secrets": kept} if kept else _without(account, "secrets")


def _mappings(value: object) -> list[Mapping[str, Any]]:
    """The mappings in a list; none where it is not one."""
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def _without(mapping: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in mapping.items() if key not in keys}
