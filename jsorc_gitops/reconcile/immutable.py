"""Which of the API server's refusals mean that a field stays as it was made, and what deleting would cost.

Told from the causes of the answer (`details.causes`), by kind, never from its text: a message changes from
release to release, and an invalid value is refused with the same status.
"""

import re
from collections.abc import Mapping

from jsorc_gitops.errors import ClusterError
from jsorc_gitops.model.objects import Body, ObjectRef

PROBE = "jsorc-probe"  # the name under which a dry-run asks whether an object could be made anew

_REFUSED = frozenset({"FieldValueInvalid", "FieldValueForbidden"})

# Group and kind → the paths that the causes of a Kubernetes 1.36 server name, seen on one for each
# (tests/reconcile/test_immutable.py). Exactly these: below them lies what may as well be invalid.
_FIXED: Mapping[tuple[str, str], frozenset[str]] = {
    of: frozenset(paths.split())
    for of, paths in {
        ("", "ConfigMap"): "binaryData data immutable",
        ("", "PersistentVolume"): "nodeAffinity spec.persistentvolumesource volumeMode",
        ("", "PersistentVolumeClaim"): "spec volumeMode",
        (
            "",
            "Pod",
        ): "spec spec.activeDeadlineSeconds spec.initContainers spec.schedulingGates[].name spec.tolerations",
        ("", "ResourceQuota"): "spec.scopes",
        ("", "Secret"): "data immutable type",
        ("", "Service"): "spec.clusterIPs[] spec.healthCheckNodePort spec.ipFamilies[] spec.loadBalancerClass",
        ("apiextensions.k8s.io", "CustomResourceDefinition"): (
            "spec.group spec.names.kind spec.names.plural spec.scope"
        ),
        ("apps", "ControllerRevision"): "data",
        ("apps", "DaemonSet"): "spec.selector",
        ("apps", "Deployment"): "spec.selector",
        ("apps", "ReplicaSet"): "spec.selector",
        ("apps", "StatefulSet"): "spec",
        ("batch", "Job"): (
            "spec.backoffLimitPerIndex spec.completionMode spec.completions spec.managedBy spec.podFailurePolicy "
            "spec.selector spec.successPolicy spec.template spec.template.spec"
        ),
        ("discovery.k8s.io", "EndpointSlice"): "addressType",
        ("networking.k8s.io", "IngressClass"): "spec.controller",
        ("node.k8s.io", "RuntimeClass"): "handler",
        ("rbac.authorization.k8s.io", "ClusterRoleBinding"): "roleRef",
        ("rbac.authorization.k8s.io", "RoleBinding"): "roleRef",
        ("resource.k8s.io", "ResourceClaim"): "spec",
        ("resource.k8s.io", "ResourceClaimTemplate"): "spec",
        ("scheduling.k8s.io", "PriorityClass"): "preemptionPolicy value",
        ("storage.k8s.io", "CSIDriver"): "spec.attachedRequired spec.volumeLifecycleModes",
        ("storage.k8s.io", "StorageClass"): "parameters provisioner reclaimPolicy volumeBindingMode",
        ("storage.k8s.io", "VolumeAttributesClass"): "driverName parameters",
    }.items()
}
_INDEX = re.compile(r"\[\d+\]")

# A Service keeps its address until it is gone, so the dry-run of one with the same finds it taken.
_ADDRESSES = re.compile(r"spec\.(clusterIPs?(\[\d+\])?|healthCheckNodePort|ports\[\d+\]\.nodePort)\Z")


def find_fixed(ref: ObjectRef, error: ClusterError) -> list[str]:
    """The fields that the server refuses to change, as it spells them; none where that is not all it refuses."""
    found = []
    for cause in error.causes:
        path = cause.get("field", "")
        fixed = _FIXED.get(ref.group_kind, frozenset())
        if cause.get("reason") not in _REFUSED or _INDEX.sub("[]", path) not in fixed:
            return []
        found.append(path)
    return list(dict.fromkeys(found))


def find_hazard(ref: ObjectRef, live: Body) -> str:
    """Why an object is not deleted whatever its service allows; "" where nothing speaks against it."""
    if ref.is_kept:
        return f"a {ref.kind} is never deleted to be made anew, because data would go with it"
    policy = (live.get("spec") or {}).get("persistentVolumeClaimRetentionPolicy") or {}
    if policy.get("whenDeleted") == "Delete":
        return "its claims would go with it (persistentVolumeClaimRetentionPolicy.whenDeleted: Delete)"
    return ""


def is_address_taken(error: ClusterError, wanted: Body, live: Body) -> bool:
    """Whether a probe failed for addresses alone, and what is wanted is what the old one gives free."""
    paths = [cause.get("field", "") for cause in error.causes]
    return bool(paths) and all(map(_ADDRESSES.match, paths)) and _find_addresses(wanted) <= _find_addresses(live)


def _find_addresses(body: Body) -> set[object]:
    spec = body.get("spec") or {}
    ports = [each.get("nodePort") for each in spec.get("ports") or ()]
    found = [spec.get("clusterIP"), *(spec.get("clusterIPs") or ()), spec.get("healthCheckNodePort"), *ports]
    return {each for each in found if each}
