"""Changes of objects that the API server refuses, and their permitted neighbours: one table for all rules."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jsorc_gitops.render.danger import IMMUTABLE, LEFTOVER, NOTE, SHRINK

Changes = Mapping[str, Any]  # path with dots (numbers lead into lists) → value, GONE takes it away

GONE = object()
REFUSED = frozenset({IMMUTABLE, LEFTOVER, SHRINK})

_LABELS = {"app": "x"}
_CONTAINER = {"name": "main", "image": "image:1"}
_POD = {"containers": [_CONTAINER]}
_RUN_ONCE = {"spec": {**_POD, "restartPolicy": "Never"}}
_CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "2Gi"}}}
_ROLE = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}
_V1 = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
_V2 = {**_V1, "name": "v2", "storage": False}
_NEAR = {"nodeSelectorTerms": [{"matchExpressions": [{"key": "a", "operator": "Exists"}]}]}
_APART = {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "a"}]}
_DEVICE = {"devices": {"requests": [{"name": "a", "exactly": {"deviceClassName": "a.b"}}]}}


def _workload(**spec: Any) -> dict[str, Any]:
    template = {"metadata": {"labels": _LABELS}, "spec": _POD}
    return {"spec": {"selector": {"matchLabels": _LABELS}, "template": template, **spec}}


# Kind → its API version, and the fields of an object that the rows of the table vary.
BASES: Mapping[str, tuple[str, dict[str, Any]]] = {
    "ClusterRoleBinding": ("rbac.authorization.k8s.io/v1", {"roleRef": _ROLE}),
    "ConfigMap": ("v1", {"data": {"a": "1"}, "immutable": True}),
    "ControllerRevision": ("apps/v1", {"data": {"a": 1}, "revision": 1}),
    "CronJob": (
        "batch/v1",
        {"spec": {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": {"template": _RUN_ONCE}}}},
    ),
    "CSIDriver": ("storage.k8s.io/v1", {"spec": {}}),
    "CustomResourceDefinition": (
        "apiextensions.k8s.io/v1",
        {
            "spec": {
                "group": "example.com",
                "scope": "Namespaced",
                "names": {"kind": "Refused", "plural": "refused", "singular": "refused"},
                "versions": [_V1],
            }
        },
    ),
    "DaemonSet": ("apps/v1", _workload()),
    "Deployment": ("apps/v1", _workload(replicas=0)),
    "EndpointSlice": ("discovery.k8s.io/v1", {"addressType": "IPv4", "endpoints": [], "ports": []}),
    "HorizontalPodAutoscaler": (
        "autoscaling/v2",
        {
            "spec": {
                "maxReplicas": 3,
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "a"},
            }
        },
    ),
    "IngressClass": ("networking.k8s.io/v1", {"spec": {"controller": "a.b/c"}}),
    "Job": ("batch/v1", {"spec": {"template": _RUN_ONCE}}),
    "PersistentVolume": (
        "v1",
        {
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "capacity": {"storage": "1Gi"},
                "hostPath": {"path": "/nonexistent/a"},
                "storageClassName": "none",
            }
        },
    ),
    "PersistentVolumeClaim": ("v1", {"spec": {**_CLAIM, "storageClassName": "growing"}}),
    "Pod": ("v1", {"spec": _POD}),
    "PodDisruptionBudget": ("policy/v1", {"spec": {"minAvailable": 1, "selector": {"matchLabels": _LABELS}}}),
    "PriorityClass": ("scheduling.k8s.io/v1", {"value": 5}),
    "ReplicaSet": ("apps/v1", _workload(replicas=0)),
    "ResourceClaim": ("resource.k8s.io/v1", {"spec": _DEVICE}),
    "ResourceClaimTemplate": ("resource.k8s.io/v1", {"spec": {"spec": _DEVICE}}),
    # Many, so that the quota counts the pods of other rows and refuses none.
    "ResourceQuota": ("v1", {"spec": {"hard": {"pods": "5000"}, "scopes": ["BestEffort"]}}),
    "RoleBinding": ("rbac.authorization.k8s.io/v1", {"roleRef": _ROLE}),
    "RuntimeClass": ("node.k8s.io/v1", {"handler": "a"}),
    "Secret": ("v1", {"stringData": {"a": "1"}, "immutable": True}),
    "Service": ("v1", {"spec": {"selector": _LABELS, "ports": [{"name": "a", "port": 80}]}}),
    "StatefulSet": (
        "apps/v1",
        _workload(
            replicas=0, serviceName="x", volumeClaimTemplates=[{"metadata": {"name": "data"}, "spec": _CLAIM}]
        ),
    ),
    "StorageClass": ("storage.k8s.io/v1", {"provisioner": "a.b/c", "parameters": {"a": "1"}}),
    "VolumeAttributesClass": ("storage.k8s.io/v1", {"driverName": "a.b", "parameters": {"a": "1"}}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One row: `rule` is what compute_impact says, "" for nothing; `refused` what the server does."""

    kind: str
    old: Changes
    new: Changes
    rule: str
    refused: bool

    def __str__(self) -> str:
        sides = [
            ", ".join(f"{path}={_spell(value)}" for path, value in side.items()) for side in (self.old, self.new)
        ]
        return f"{self.kind}: {sides[0] or 'base'} -> {sides[1] or 'base'}"

    def make_body(self, changes: Changes, *, name: str, namespace: str) -> dict[str, Any]:
        version, fields = BASES[self.kind]
        body = {"apiVersion": version, "kind": self.kind, "metadata": {"name": name, "namespace": namespace}}
        # Through JSON, since a deep copy would keep two places that share one mapping together.
        body |= json.loads(json.dumps(fields))
        for path, value in changes.items():
            _set(body, path, value)
        return body


def case(kind: str, old: Changes, new: Changes, rule: str = "", *, refused: bool | None = None) -> Case:
    return Case(kind=kind, old=old, new=new, rule=rule, refused=rule in REFUSED if refused is None else refused)


def _spell(value: Any) -> str:
    return "gone" if value is GONE else str(value)


def _set(body: Any, path: str, value: Any) -> None:
    *above, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    for step in above:
        body = body.setdefault(step, {}) if isinstance(body, dict) else body[step]
    if value is GONE:
        body.pop(last, None)
    else:
        body[last] = json.loads(json.dumps(value))


def _rows(kind: str, *rows: tuple[Any, ...]) -> list[Case]:
    """Rows of one kind: (new, rule) from the base, or (old, new, rule)."""
    return [case(kind, *row) if isinstance(row[1], Mapping) else case(kind, {}, *row) for row in rows]


_SELECTOR = {"spec.selector.matchLabels.b": "c", "spec.template.metadata.labels.b": "c"}
_HTTP = {"httpGet": {"port": 80}}
_HTTP_IN_FULL = {
    "httpGet": {"path": "/", "port": 80, "scheme": "HTTP"},
    "initialDelaySeconds": 0,
    "timeoutSeconds": 1,
    "periodSeconds": 10,
    "successThreshold": 1,
    "failureThreshold": 3,
}
_T = "spec.template.spec"
_MAIN = f"{_T}.containers.0"
_CPU = {"resource": "limits.cpu"}
_MOUNTED = {
    f"{_T}.volumes": [{"name": "a", "emptyDir": {}}],
    f"{_MAIN}.volumeMounts": [{"name": "a", "mountPath": "/a"}],
}
_SUSPENDED = {"spec.suspend": True}
_INDEXED = {"spec.completionMode": "Indexed", "spec.completions": 2}
_BOTH = {**_INDEXED, "spec.parallelism": 2}
_ONE = {"spec.completions": 1, "spec.parallelism": 1}
_RECREATE = {"spec.strategy": {"type": "Recreate"}}
_ON_DELETE = {"spec.updateStrategy": {"type": "OnDelete"}}
_VCT = "spec.volumeClaimTemplates"
_CSI = {"spec.hostPath": GONE, "spec.csi": {"driver": "a", "volumeHandle": "b"}}
_EXPANDING = {**_CSI, "spec.csi.controllerExpandSecretRef": {"name": "a", "namespace": "b"}}
_EXTERNAL = {"spec.type": "ExternalName", "spec.externalName": "a.b"}
_BALANCED = {"spec.type": "LoadBalancer"}
_CLASSED = {**_BALANCED, "spec.loadBalancerClass": "a.b/c"}
_LOCAL = {**_BALANCED, "spec.externalTrafficPolicy": "Local"}
_HEADLESS = {"spec.clusterIP": "None"}
_OPEN = {"immutable": GONE}
_CLASS = "spec.storageClassName"
_SIZE = "spec.resources.requests.storage"
_GATED = {"spec.schedulingGates": [{"name": "a.b/c"}]}
_TOLERANT = {"spec.tolerations": [{"operator": "Exists"}]}
_INIT = {"spec.initContainers": [{"name": "i", "image": "image:1"}]}

CASES = [
    *(
        row
        for kind in ("DaemonSet", "Deployment", "ReplicaSet", "StatefulSet")
        for row in _rows(
            kind,
            (_SELECTOR, IMMUTABLE),
            ({"spec.template.metadata.labels.b": "c"}, ""),
            ({f"{_MAIN}.image": "image:2"}, ""),
        )
    ),
    *_rows(
        "Deployment",
        ({"spec.selector.matchExpressions": []}, ""),
        (_RECREATE, LEFTOVER),
        ({"spec.strategy": {"type": "RollingUpdate"}}, _RECREATE, LEFTOVER),
        ({"spec.strategy": {"rollingUpdate": {}}}, _RECREATE, ""),
        ({"spec.strategy": {"rollingUpdate": {"maxSurge": 1}}}, _RECREATE, ""),
        (_RECREATE, {}, ""),
        ({f"{_MAIN}.readinessProbe": _HTTP}, {f"{_MAIN}.readinessProbe": {"tcpSocket": {"port": 80}}}, ""),
    ),
    *_rows("DaemonSet", (_ON_DELETE, "")),
    *_rows(
        "StatefulSet",
        (_ON_DELETE, LEFTOVER),
        ({"spec.updateStrategy": {"rollingUpdate": {"partition": 1}}}, _ON_DELETE, ""),
        ({"spec.serviceName": "y"}, IMMUTABLE),
        ({"spec.serviceName": GONE}, IMMUTABLE),
        ({"spec.serviceName": GONE}, {"spec.serviceName": "y"}, IMMUTABLE),
        ({"spec.podManagementPolicy": "Parallel"}, IMMUTABLE),
        ({"spec.podManagementPolicy": "OrderedReady"}, ""),
        ({"spec.podManagementPolicy": "Parallel"}, {}, IMMUTABLE),
        ({_VCT: GONE}, IMMUTABLE),
        ({_VCT: []}, IMMUTABLE),
        ({f"{_VCT}.0.spec.resources.requests.storage": "3Gi"}, IMMUTABLE),
        ({f"{_VCT}.0.spec.resources.requests.storage": "2048Mi"}, ""),
        ({f"{_VCT}.0.spec.resources.requests.storage": 2 << 30}, ""),
        ({f"{_VCT}.0.spec.resources.requests.storage": "2147483648000m"}, ""),
        (
            {f"{_VCT}.0.spec.resources.requests.storage": "2G"},
            {f"{_VCT}.0.spec.resources.requests.storage": "20e8"},
            "",
        ),
        ({f"{_VCT}.0.spec.volumeMode": "Block"}, IMMUTABLE),
        ({f"{_VCT}.0.spec.volumeMode": "Filesystem"}, ""),
        ({f"{_VCT}.0.spec.storageClassName": "standard"}, IMMUTABLE),
        ({f"{_VCT}.0.apiVersion": "v1", f"{_VCT}.0.kind": "PersistentVolumeClaim"}, ""),
        ({f"{_VCT}.0.apiVersion": "v1", f"{_VCT}.0.kind": "PersistentVolumeClaim"}, {}, ""),
        ({f"{_VCT}.0.metadata.labels": {"a": "b"}}, IMMUTABLE),
        ({f"{_VCT}.0.metadata.annotations": {}}, ""),
        ({f"{_VCT}.0.metadata.name": "other"}, IMMUTABLE),
        ({"spec.replicas": 1}, ""),
        ({"spec.ordinals": {"start": 2}}, ""),
        ({"spec.revisionHistoryLimit": 3}, ""),
        ({"spec.minReadySeconds": 3}, ""),
        ({"spec.persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete"}}, ""),
        ({"spec.updateStrategy": {"rollingUpdate": {"partition": 1}}}, ""),
    ),
    *_rows(
        "Job",
        ({f"{_MAIN}.image": "image:2"}, IMMUTABLE),
        ({"spec.template.metadata": {"labels": {"c": "d"}}}, IMMUTABLE),
        ({f"{_T}.nodeSelector": {"a": "b"}}, IMMUTABLE),
        ({f"{_T}.enableServiceLinks": True}, IMMUTABLE),
        ({f"{_T}.serviceAccountName": "default"}, IMMUTABLE),
        ({f"{_MAIN}.imagePullPolicy": "Always"}, IMMUTABLE),
        ({f"{_MAIN}.imagePullPolicy": "IfNotPresent"}, ""),
        (
            {f"{_MAIN}.image": "host:5/image"},
            {f"{_MAIN}.image": "host:5/image", f"{_MAIN}.imagePullPolicy": "Always"},
            "",
        ),
        (
            {
                f"{_T}.dnsPolicy": "ClusterFirst",
                f"{_T}.hostIPC": False,
                f"{_T}.hostNetwork": False,
                f"{_T}.hostPID": False,
                f"{_T}.schedulerName": "default-scheduler",
                f"{_T}.securityContext": {},
                f"{_T}.terminationGracePeriodSeconds": 30,
                f"{_MAIN}.stdin": False,
                f"{_MAIN}.stdinOnce": False,
                f"{_MAIN}.terminationMessagePath": "/dev/termination-log",
                f"{_MAIN}.terminationMessagePolicy": "File",
                f"{_MAIN}.tty": False,
            },
            "",
        ),
        ({f"{_T}.terminationGracePeriodSeconds": 20}, IMMUTABLE),
        (
            {f"{_MAIN}.ports": [{"containerPort": 80}]},
            {f"{_MAIN}.ports": [{"containerPort": 80, "protocol": "TCP"}]},
            "",
        ),
        ({f"{_MAIN}.resources.limits.cpu": "1"}, {f"{_MAIN}.resources.limits.cpu": "1000m"}, ""),
        ({f"{_MAIN}.resources.limits.cpu": "1"}, {f"{_MAIN}.resources.limits.cpu": "1001m"}, IMMUTABLE),
        (
            {f"{_MAIN}.resources.limits.cpu": "1"},
            {f"{_MAIN}.resources": {"limits": {"cpu": 1}, "requests": {"cpu": 1}}},
            IMMUTABLE,
        ),
        ({f"{_MAIN}.readinessProbe": _HTTP}, {f"{_MAIN}.readinessProbe": _HTTP_IN_FULL}, ""),
        ({f"{_MAIN}.env": [{"name": "A"}]}, {f"{_MAIN}.env": [{"name": "A", "value": ""}]}, ""),
        (
            {**_MOUNTED, f"{_MAIN}.env": [{"name": "A", "valueFrom": {"resourceFieldRef": _CPU}}]},
            {
                **_MOUNTED,
                f"{_MAIN}.env": [{"name": "A", "valueFrom": {"resourceFieldRef": {**_CPU, "divisor": "0"}}}],
                f"{_MAIN}.volumeMounts.0.readOnly": False,
            },
            "",
        ),
        (
            {f"{_MAIN}.env": [{"name": "A"}, {"name": "B"}]},
            {f"{_MAIN}.env": [{"name": "B"}, {"name": "A"}]},
            IMMUTABLE,
        ),
        (
            {f"{_MAIN}.env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]},
            {
                f"{_MAIN}.env": [
                    {"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name", "apiVersion": "v1"}}}
                ]
            },
            "",
        ),
        (
            {f"{_T}.volumes": [{"name": "a", "secret": {"secretName": "a"}}, {"name": "b"}]},
            {
                f"{_T}.volumes": [
                    {"name": "a", "secret": {"secretName": "a", "defaultMode": 420}},
                    {"name": "b", "emptyDir": {}},
                ]
            },
            "",
        ),
        ({"spec.completions": 2}, IMMUTABLE),
        ({"spec.completions": 1}, ""),
        ({"spec.completions": 1}, {}, IMMUTABLE),
        ({"spec.parallelism": 2}, ""),
        ({"spec.parallelism": 2}, {}, IMMUTABLE),
        ({"spec.parallelism": 1}, {"spec.completions": 1}, IMMUTABLE),
        (_ONE, {}, ""),
        (_ONE, {"spec.completions": 1}, ""),
        (_ONE, {"spec.parallelism": 1}, IMMUTABLE),
        (_BOTH, {**_BOTH, "spec.completions": 3, "spec.parallelism": 3}, ""),
        (_BOTH, {**_BOTH, "spec.completions": 3}, IMMUTABLE),
        (_INDEXED, {**_INDEXED, "spec.completions": 3}, IMMUTABLE),
        ({"spec.completionMode": "Indexed", "spec.completions": 1}, IMMUTABLE),
        ({"spec.completionMode": "NonIndexed"}, ""),
        (
            {
                "spec.podFailurePolicy": {
                    "rules": [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}]
                }
            },
            IMMUTABLE,
        ),
        ({"spec.managedBy": "a.b/c"}, IMMUTABLE),
        (_INDEXED, {**_INDEXED, "spec.backoffLimitPerIndex": 1}, IMMUTABLE),
        (_INDEXED, {**_INDEXED, "spec.successPolicy": {"rules": [{"succeededCount": 1}]}}, IMMUTABLE),
        (
            {
                "spec.activeDeadlineSeconds": 20,
                "spec.backoffLimit": 2,
                "spec.podReplacementPolicy": "Failed",
                "spec.suspend": True,
                "spec.ttlSecondsAfterFinished": 20,
            },
            "",
        ),
        (_SUSPENDED, {f"{_T}.nodeSelector": {"a": "b"}}, ""),
        (_SUSPENDED, {f"{_T}.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution": _NEAR}, ""),
        (_SUSPENDED, {f"{_T}.affinity.podAntiAffinity": _APART}, IMMUTABLE),
        (_SUSPENDED, {f"{_T}.tolerations": [{"operator": "Exists"}]}, ""),
        (_SUSPENDED, {f"{_T}.schedulingGates": [{"name": "a.b/c"}], **_SUSPENDED}, ""),
        (_SUSPENDED, {f"{_MAIN}.resources.requests.cpu": "1", **_SUSPENDED}, ""),
        (_SUSPENDED, {"spec.template.metadata": {"labels": {"c": "d"}, "annotations": {"c": "d"}}}, ""),
        (_SUSPENDED, {f"{_MAIN}.image": "image:2", **_SUSPENDED}, IMMUTABLE),
        (_SUSPENDED, {"spec.completions": 3}, IMMUTABLE),
    ),
    *_rows("CronJob", ({"spec.jobTemplate.spec.template.spec.containers.0.image": "image:2"}, "")),
    *_rows(
        "Pod",
        ({"spec.containers.0.image": "image:2"}, ""),
        ({"spec.containers.0.image": "image"}, ""),
        ({"spec.containers.0.args": ["a"]}, IMMUTABLE),
        ({"spec.containers.0.imagePullPolicy": "IfNotPresent"}, {"spec.containers.0.image": "image:2"}, ""),
        ({"spec.containers.0.resources.requests.cpu": "1"}, IMMUTABLE),
        (_INIT, IMMUTABLE),
        (_INIT, {**_INIT, "spec.initContainers.0.image": "image:2"}, ""),
        ({"spec.activeDeadlineSeconds": 20}, ""),
        ({"spec.activeDeadlineSeconds": 20}, {"spec.activeDeadlineSeconds": 10}, ""),
        ({"spec.activeDeadlineSeconds": 20}, {"spec.activeDeadlineSeconds": 30}, IMMUTABLE),
        ({"spec.activeDeadlineSeconds": 20}, {}, IMMUTABLE),
        (_TOLERANT, IMMUTABLE),
        (_TOLERANT, {}, IMMUTABLE),
        (_GATED, IMMUTABLE),
        (_GATED, {}, ""),
        (_GATED, {**_GATED, "spec.nodeSelector": {"a": "b"}}, ""),
        ({"spec.nodeSelector": {"a": "b"}}, IMMUTABLE),
        ({"spec.restartPolicy": "Never"}, IMMUTABLE),
        (
            {
                "spec.enableServiceLinks": True,
                "spec.preemptionPolicy": "PreemptLowerPriority",
                "spec.priority": 0,
                "spec.restartPolicy": "Always",
                "spec.serviceAccount": "default",
                "spec.serviceAccountName": "default",
            },
            "",
        ),
        ({"metadata.labels": {"a": "b"}}, ""),
    ),
    *(
        row
        for kind in ("ClusterRoleBinding", "RoleBinding")
        for row in _rows(
            kind,
            ({"roleRef.name": "edit"}, IMMUTABLE),
            ({"roleRef.apiGroup": GONE}, ""),
            ({"subjects": [{"kind": "ServiceAccount", "name": "a", "namespace": "default"}]}, ""),
        )
    ),
    *_rows("RoleBinding", ({"roleRef.kind": "Role"}, IMMUTABLE)),
    *_rows(
        "Service",
        (_HEADLESS, IMMUTABLE),
        (_HEADLESS, {}, NOTE),
        (_HEADLESS, {"spec.clusterIP": "10.0.77.1"}, IMMUTABLE),
        (_HEADLESS, {"spec.type": "NodePort"}, IMMUTABLE),
        (_HEADLESS, _EXTERNAL, ""),
        (_HEADLESS, {**_HEADLESS, "spec.selector": {"a": "b"}}, ""),
        ({"spec.clusterIP": "10.0.77.2"}, {"spec.clusterIP": "10.0.77.3"}, IMMUTABLE),
        ({"spec.clusterIP": "10.0.77.4"}, _HEADLESS, IMMUTABLE),
        ({"spec.clusterIP": "10.0.77.5"}, {}, ""),
        ({"spec.clusterIP": "10.0.77.6"}, {"spec.clusterIP": "10.0.77.6", "spec.clusterIPs": ["10.0.77.6"]}, ""),
        ({"spec.clusterIP": "10.0.77.7"}, _EXTERNAL, ""),
        ({"spec.clusterIP": ""}, ""),
        (_EXTERNAL, {}, ""),
        (_EXTERNAL, _HEADLESS, ""),
        ({"spec.ipFamilies": ["IPv4"]}, {"spec.ipFamilies": ["IPv6"]}, IMMUTABLE),
        ({"spec.ipFamilies": ["IPv4"]}, ""),
        ({"spec.type": "NodePort"}, ""),
        (_LOCAL, {}, ""),
        (_BALANCED, _CLASSED, IMMUTABLE),
        (_CLASSED, _BALANCED, IMMUTABLE),
        (_CLASSED, {**_CLASSED, "spec.loadBalancerClass": "a.b/d"}, IMMUTABLE),
        (_CLASSED, {}, ""),
        (_CLASSED, ""),
        # Of the band that the server itself gives out last: https://kep.k8s.io/3668
        ({**_LOCAL, "spec.healthCheckNodePort": 30002}, {**_LOCAL, "spec.healthCheckNodePort": 30003}, IMMUTABLE),
        ({**_LOCAL, "spec.healthCheckNodePort": 30004}, _BALANCED, ""),
        ({"spec.ports.0.port": 81}, ""),
        ({"spec.sessionAffinity": "ClientIP"}, ""),
    ),
    case("Service", {}, {"spec.clusterIP": "10.0.77.8"}, NOTE, refused=True),
    *_rows(
        "PersistentVolumeClaim",
        ({_SIZE: "3Gi"}, ""),
        ({_SIZE: "1Gi"}, SHRINK),
        ({_SIZE: "2048Mi"}, ""),
        ({_CLASS: "standard"}, {_CLASS: "standard", _SIZE: "3Gi"}, IMMUTABLE),
        ({_CLASS: "standard"}, IMMUTABLE),
        ({_CLASS: GONE}, IMMUTABLE),
        ({_CLASS: ""}, {_CLASS: GONE}, IMMUTABLE),
        ({_CLASS: GONE}, {_CLASS: "standard"}, NOTE),
        ({"spec.accessModes": ["ReadWriteMany"]}, IMMUTABLE),
        ({"spec.volumeMode": "Filesystem"}, ""),
        ({"spec.volumeMode": "Filesystem"}, {}, ""),
        ({"spec.volumeMode": "Block"}, IMMUTABLE),
        ({_CLASS: "", "spec.volumeName": "a"}, {_CLASS: ""}, IMMUTABLE),
        ({"spec.selector": {"matchLabels": {"a": "b"}}}, IMMUTABLE),
        ({"spec.dataSource": {"kind": "PersistentVolumeClaim", "name": "other"}}, IMMUTABLE),
        ({"spec.resources.limits": {"storage": "9Gi"}}, IMMUTABLE),
        ({"spec.volumeAttributesClassName": "a"}, ""),
        ({"metadata.labels": {"a": "b"}}, ""),
    ),
    case("PersistentVolumeClaim", {_CLASS: GONE}, {_CLASS: "growing"}, NOTE, refused=True),
    case("PersistentVolumeClaim", {}, {"spec.volumeName": "other"}, NOTE, refused=True),
    *_rows(
        "PersistentVolume",
        ({"spec.hostPath.path": "/other"}, IMMUTABLE),
        ({"spec.hostPath.type": "Directory"}, IMMUTABLE),
        ({"spec.hostPath.type": ""}, ""),
        ({"spec.hostPath": GONE, "spec.nfs": {"server": "a", "path": "/b"}}, IMMUTABLE),
        (_CSI, {**_CSI, "spec.csi.volumeHandle": "c"}, IMMUTABLE),
        (_CSI, _EXPANDING, ""),
        (_EXPANDING, _CSI, IMMUTABLE),
        ({"spec.volumeMode": "Block"}, IMMUTABLE),
        ({"spec.volumeMode": "Filesystem"}, ""),
        ({"spec.nodeAffinity.required": _NEAR}, ""),
        ({"spec.nodeAffinity.required": _NEAR}, {}, IMMUTABLE),
        (
            {
                "spec.accessModes": ["ReadWriteMany"],
                "spec.capacity.storage": "500Mi",
                "spec.claimRef": {"name": "a", "namespace": "default"},
                "spec.mountOptions": ["a"],
                "spec.persistentVolumeReclaimPolicy": "Delete",
                "spec.storageClassName": "other",
            },
            "",
        ),
    ),
    *(
        row
        for kind in ("ConfigMap", "Secret")
        for row in _rows(
            kind,
            ({"data": {"b": "Mg=="}}, IMMUTABLE),
            ({"immutable": GONE}, IMMUTABLE),
            (_OPEN, {"immutable": True}, ""),
            (_OPEN, {**_OPEN, "data": {"a": "Mg=="}}, ""),
            ({"metadata.labels": {"a": "b"}}, ""),
        )
    ),
    *_rows("ConfigMap", ({"binaryData": {"b": "MQ=="}}, IMMUTABLE), ({"data": GONE}, IMMUTABLE)),
    *_rows(
        "Secret",
        ({"stringData": GONE, "data": {"a": "MQ=="}}, ""),
        ({"stringData.a": "2"}, IMMUTABLE),
        ({"stringData": {}}, NOTE),
        (_OPEN, {**_OPEN, "stringData": GONE}, NOTE),
        (_OPEN, {**_OPEN, "type": "a/b"}, IMMUTABLE),
        (_OPEN, {**_OPEN, "type": "Opaque"}, ""),
        ({**_OPEN, "type": "a/b"}, _OPEN, IMMUTABLE),
    ),
    *_rows(
        "StorageClass",
        ({"provisioner": "a.b/d"}, IMMUTABLE),
        ({"parameters": {"a": "2"}}, IMMUTABLE),
        ({"parameters": GONE}, IMMUTABLE),
        ({"parameters": GONE}, {"parameters": {}}, ""),
        ({"reclaimPolicy": "Retain"}, IMMUTABLE),
        ({"reclaimPolicy": "Delete", "volumeBindingMode": "Immediate"}, ""),
        ({"volumeBindingMode": "WaitForFirstConsumer"}, IMMUTABLE),
        ({"allowVolumeExpansion": True, "mountOptions": ["a"]}, ""),
    ),
    *_rows("IngressClass", ({"spec.controller": "a.b/d"}, IMMUTABLE), ({"metadata.labels": {"a": "b"}}, "")),
    *_rows("RuntimeClass", ({"handler": "b"}, IMMUTABLE), ({"overhead": {"podFixed": {"cpu": "1"}}}, "")),
    *_rows(
        "PriorityClass",
        ({"value": 6}, IMMUTABLE),
        ({"preemptionPolicy": "Never"}, IMMUTABLE),
        ({"preemptionPolicy": "PreemptLowerPriority", "description": "a"}, ""),
        ({"preemptionPolicy": "Never"}, {}, IMMUTABLE),
    ),
    *_rows(
        "CSIDriver",
        ({"spec.attachRequired": False}, IMMUTABLE),
        ({"spec.volumeLifecycleModes": ["Ephemeral"]}, IMMUTABLE),
        ({"spec.attachRequired": True, "spec.volumeLifecycleModes": ["Persistent"]}, ""),
        ({"spec.fsGroupPolicy": "None", "spec.podInfoOnMount": True, "spec.storageCapacity": True}, ""),
    ),
    *_rows("VolumeAttributesClass", ({"driverName": "a.c"}, IMMUTABLE), ({"parameters": {"a": "2"}}, IMMUTABLE)),
    *_rows("VolumeAttributesClass", ({"metadata.labels": {"a": "b"}}, "")),
    *_rows("ResourceQuota", ({"spec.scopes": ["NotBestEffort"]}, IMMUTABLE), ({"spec.hard.pods": "6000"}, "")),
    *_rows("EndpointSlice", ({"addressType": "IPv6"}, IMMUTABLE), ({"ports": [{"port": 80, "name": "a"}]}, "")),
    *_rows("ControllerRevision", ({"data": {"a": 2}}, IMMUTABLE), ({"revision": 2}, "")),
    *_rows(
        "ResourceClaim",
        ({"spec.devices.requests.0.name": "b"}, IMMUTABLE),
        ({"spec.devices.requests.0.exactly.allocationMode": "ExactCount", "metadata.labels": {"a": "b"}}, ""),
        ({"spec.devices.requests.0.exactly.count": 1}, ""),
    ),
    *_rows("ResourceClaimTemplate", ({"spec.spec.devices.requests.0.name": "b"}, IMMUTABLE)),
    *_rows("ResourceClaimTemplate", ({"metadata.labels": {"a": "b"}}, "")),
    *_rows(
        "CustomResourceDefinition",
        ({"spec.scope": "Cluster"}, IMMUTABLE),
        ({"spec.names.kind": "Other"}, IMMUTABLE),
        ({"spec.names.plural": "others"}, IMMUTABLE),
        ({"spec.group": "other.com"}, IMMUTABLE),
        ({"spec.names.shortNames": ["rr"]}, ""),
        ({"spec.versions": [_V1, _V2]}, ""),
        ({"spec.versions": [_V1, _V2]}, {}, NOTE),
        ({"spec.versions": [{**_V1, "storage": False}, {**_V2, "storage": True}]}, ""),
        ({"spec.versions": [{**_V2, "storage": True}]}, IMMUTABLE),
        ({"spec.versions": [{**_V1, "served": False}]}, ""),
    ),
    *_rows("PodDisruptionBudget", ({"spec.selector.matchLabels": {"app": "y"}}, "")),
    *_rows("HorizontalPodAutoscaler", ({"spec.scaleTargetRef.name": "b"}, "")),
]
