"""What the API server will refuse to change on an object that is there.

The rules are those that Kubernetes 1.36 keeps, each seen on its API server with server-side apply, the refused
change and its permitted neighbour (tests/render/test_refusals.py). Where the server has filled in a value that
git does not have, whether it refuses cannot be known: that is a note.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from jsorc_gitops.model.masks import decode_data, is_secret
from jsorc_gitops.model.objects import Body, Manifest, ObjectRef
from jsorc_gitops.render.danger import IMMUTABLE, NOTE, UNSEEN, Danger, Finding
from jsorc_gitops.render.normal import compare, get, get_items, get_mapping
from jsorc_gitops.render.storage import check_claim, check_volume
from jsorc_gitops.render.workloads import check_deployment, check_job, check_pod, check_stateful_set

_SEALED = "it is immutable by its own word; give the changed one another name"
_STUCK = (
    "stays until somebody deletes it, unless jsorc reconcile applies it: kubectl, Flux and Argo CD take no key "
    "of stringData away, only keys of data"
)
_STORED = (
    "the server refuses to drop the version in which it stores objects; store another one, keep this one with "
    "served: false, migrate, and take it out of status.storedVersions first"
)
_MAYBE_STORED = "the server refuses to drop a version that status.storedVersions still names"

# Group and kind → the fields that stay as they were made, each with what the server takes for a missing one.
_FIXED: Mapping[tuple[str, str], Mapping[str, Any]] = {
    ("", "ResourceQuota"): {"spec.scopes": None},
    ("", "Secret"): {"type": "Opaque"},
    ("apiextensions.k8s.io", "CustomResourceDefinition"): dict.fromkeys(
        ("spec.group", "spec.scope", "spec.names.kind", "spec.names.plural")
    ),
    ("apps", "ControllerRevision"): {"data": None},
    **{("apps", kind): {"spec.selector": None} for kind in ("DaemonSet", "Deployment", "ReplicaSet")},
    ("batch", "Job"): {
        "spec.backoffLimitPerIndex": None,
        "spec.completionMode": "NonIndexed",
        "spec.managedBy": None,
        "spec.podFailurePolicy": None,
        "spec.selector": None,
        "spec.successPolicy": None,
    },
    ("discovery.k8s.io", "EndpointSlice"): {"addressType": None},
    ("networking.k8s.io", "IngressClass"): {"spec.controller": None},
    ("node.k8s.io", "RuntimeClass"): {"handler": None},
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): {"roleRef": None},
    ("rbac.authorization.k8s.io", "RoleBinding"): {"roleRef": None},
    ("resource.k8s.io", "ResourceClaim"): {"spec": None},
    ("resource.k8s.io", "ResourceClaimTemplate"): {"spec": None},
    ("scheduling.k8s.io", "PriorityClass"): {"value": None, "preemptionPolicy": "PreemptLowerPriority"},
    ("storage.k8s.io", "CSIDriver"): {"spec.attachRequired": True, "spec.volumeLifecycleModes": ["Persistent"]},
    ("storage.k8s.io", "StorageClass"): {
        "parameters": None,
        "provisioner": None,
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "Immediate",
    },
    ("storage.k8s.io", "VolumeAttributesClass"): {"driverName": None, "parameters": None},
}


def find_refusals(old: Manifest, new: Manifest, tree: Mapping[ObjectRef, Manifest]) -> Iterator[Danger]:
    """What the server will refuse of a change of one object; `tree` is the new one as a whole."""
    kind, before, after = new.ref.group_kind, old.body, new.body
    findings: list[Finding] = []
    for path, default in _FIXED.get(kind, {}).items():
        findings += compare(path, get(before, path), get(after, path), default=default)
    if kind in _CHECKS:
        findings += _CHECKS[kind](before, after)
    if kind == ("", "PersistentVolumeClaim"):
        findings += check_claim(before, after, tree)
    for each in findings:
        # What a Secret holds is not to be shown; its type is not what it holds.
        shown = each if not is_secret(new.ref) or each.path == "type" else each._replace(before=None, after=None)
        yield Danger(
            rule=each.rule,
            ref=new.ref,
            service=new.service,
            path=each.path,
            message=each.message,
            before=shown.before,
            after=shown.after,
        )


def _check_service(before: Body, after: Body) -> Iterator[Finding]:
    was, is_now = get_mapping(before, "spec"), get_mapping(after, "spec")
    if "ExternalName" in (was.get("type"), is_now.get("type")):
        return
    yield from _check_address(_get_address(was), _get_address(is_now), is_now.get("type", "ClusterIP"))
    if was.get("type") == is_now.get("type") == "LoadBalancer":
        yield from compare(
            "spec.loadBalancerClass", was.get("loadBalancerClass"), is_now.get("loadBalancerClass")
        )
        ports = was.get("healthCheckNodePort"), is_now.get("healthCheckNodePort")
        if all(ports):
            yield from compare("spec.healthCheckNodePort", *ports)
    # The first family is that of the address; a second one may come and go.
    families = (side.get("ipFamilies") for side in (was, is_now))
    firsts = [each[:1] if isinstance(each, list) else [] for each in families]
    if all(firsts):
        yield from compare("spec.ipFamilies", *firsts)


def _get_address(spec: Body) -> str:
    addresses = spec.get("clusterIPs")
    first = addresses[0] if isinstance(addresses, list) and addresses else ""
    return str(spec.get("clusterIP") or first)


def _check_address(before: str, after: str, kind: str) -> Iterator[Finding]:
    path = "spec.clusterIP"
    if before == after:
        return
    if after == "None" or (before and after):
        yield Finding(IMMUTABLE, path, before or None, after)
    elif after:
        yield Finding(NOTE, path, None, after, UNSEEN)
    elif before == "None" and kind == "ClusterIP":
        message = "the Service stays headless; delete it first, so that it is made anew with an address"
        yield Finding(NOTE, path, before, None, message)
    elif before == "None":
        yield Finding(IMMUTABLE, path, before, None)


def _check_contents(before: Body, after: Body) -> Iterator[Finding]:
    """ConfigMaps and Secrets; those that say immutable stay as they are."""
    texts = get_mapping(before, "stringData")
    # The server keeps data only; of that it takes away what was data, or all where no data is left in git.
    gone = set(texts) - _get_contents(after, "data").keys()
    stuck = {} if before.get("data") and after.get("data") is None else {key: texts[key] for key in sorted(gone)}
    for key in stuck:
        yield Finding(NOTE, f"stringData.{key}", texts[key], None, _STUCK)
    if before.get("immutable") is True:
        yield from compare("immutable", True, after.get("immutable"), message=_SEALED)
        after = {**after, "stringData": {**stuck, **get_mapping(after, "stringData")}}
        for field in ("data", "binaryData"):
            yield from compare(field, _get_contents(before, field), _get_contents(after, field), message=_SEALED)


def _get_contents(body: Body, field: str) -> dict[str, Any]:
    """What data says: of a Secret the bytes, with stringData on top."""
    contents = get_mapping(body, field)
    if (body["apiVersion"], body["kind"], field) != ("v1", "Secret", "data"):
        return dict(contents)
    texts = {key: str(text).encode() for key, text in get_mapping(body, "stringData").items()}
    return {key: decode_data(value) for key, value in contents.items()} | texts


def _check_definition(before: Body, after: Body) -> Iterator[Finding]:
    kept = [each.get("name") for each in get_items(after, "spec.versions")]
    for each in get_items(before, "spec.versions"):
        if each.get("name") not in kept:
            rule, message = (IMMUTABLE, _STORED) if each.get("storage") else (NOTE, _MAYBE_STORED)
            yield Finding(rule, f'spec.versions[name="{each.get("name")}"]', each.get("name"), None, message)


_CHECKS: Mapping[tuple[str, str], Callable[[Body, Body], Iterator[Finding]]] = {
    ("", "ConfigMap"): _check_contents,
    ("", "PersistentVolume"): check_volume,
    ("", "Pod"): check_pod,
    ("", "Secret"): _check_contents,
    ("", "Service"): _check_service,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): _check_definition,
    ("apps", "Deployment"): check_deployment,
    ("apps", "StatefulSet"): check_stateful_set,
    ("batch", "Job"): check_job,
}
