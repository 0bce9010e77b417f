"""What the API server fills in where a manifest says nothing, for the kinds that JsOrc knows and their kin.

The tables follow SetDefaults_* in Kubernetes' pkg/apis/{core,apps,batch,admissionregistration}/v1/defaults.go
and pkg/apis/apiextensions; tests/render/test_defaults.py holds them against a real API server. `replicas` is
not among them: one who reads a workload wants to see it, and one who scales it by hand shall meet it. Nor is
what the API server leaves empty in pod templates (enableServiceLinks, a container's securityContext): a template
with it is another template, and would roll its pods.
"""

from collections.abc import Mapping
from typing import Any


def default_pull_policy(container: Mapping[str, Any]) -> str:
    """'Always' for an image without a version or of the tag latest, else 'IfNotPresent'."""
    name, digest, _ = str(container.get("image", "")).partition("@")
    _, colon, tag = name.rpartition("/")[2].partition(":")
    return "Always" if tag == "latest" or not (colon or digest) else "IfNotPresent"


def _default_families(service: Mapping[str, Any]) -> str:
    alone = service.get("clusterIP") == "None" and not service.get("selector")
    return "RequireDualStack" if alone else "SingleStack"


def _default_completions(job: Mapping[str, Any]) -> int | None:
    return 1 if job.get("parallelism") == 1 else None


def _default_parallelism(job: Mapping[str, Any]) -> int | None:
    # Without completions, the pods share a queue; saying neither means one of each.
    return 1 if job.get("completions") else None


_HTTP = {"httpGet": {"path": "/", "scheme": "HTTP"}}
_PROBE = {
    **_HTTP,
    "failureThreshold": 3,
    "grpc": {"service": ""},
    "periodSeconds": 10,
    "successThreshold": 1,
    "timeoutSeconds": 1,
}
_FIELD_REF = {"fieldRef": {"apiVersion": "v1"}}
_CONTAINER = {
    "env": [{"valueFrom": _FIELD_REF}],
    "imagePullPolicy": default_pull_policy,
    "lifecycle": {"postStart": _HTTP, "preStop": _HTTP},
    "livenessProbe": _PROBE,
    "ports": [{"protocol": "TCP"}],
    "readinessProbe": _PROBE,
    "resources": {},
    "startupProbe": _PROBE,
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
}
_CLAIM = {"metadata": {"creationTimestamp": None}, "spec": {"volumeMode": "Filesystem"}}
_MODE = 0o644
_VOLUME = {
    "configMap": {"defaultMode": _MODE},
    "downwardAPI": {"defaultMode": _MODE, "items": [_FIELD_REF]},
    "ephemeral": {"volumeClaimTemplate": _CLAIM},
    "hostPath": {"type": ""},
    "projected": {
        "defaultMode": _MODE,
        "sources": [
            {"downwardAPI": {"items": [_FIELD_REF]}, "serviceAccountToken": {"expirationSeconds": 3600}},
        ],
    },
    "secret": {"defaultMode": _MODE},
}
_POD = {
    "containers": [_CONTAINER],
    "dnsPolicy": "ClusterFirst",
    "initContainers": [_CONTAINER],
    "restartPolicy": "Always",
    "schedulerName": "default-scheduler",
    "securityContext": {},
    "serviceAccount": lambda pod: pod.get("serviceAccountName"),
    "terminationGracePeriodSeconds": 30,
    "volumes": [_VOLUME],
}
_TEMPLATE = {"metadata": {"creationTimestamp": None}, "spec": _POD}
_JOB = {
    "backoffLimit": 6,
    "completionMode": "NonIndexed",
    "completions": _default_completions,
    "manualSelector": False,
    "parallelism": _default_parallelism,
    "podReplacementPolicy": "TerminatingOrFailed",
    "suspend": False,
    "template": _TEMPLATE,
}
_QUARTER = {"maxSurge": "25%", "maxUnavailable": "25%"}
_WEBHOOK = {
    "clientConfig": {"service": {"port": 443}},
    "failurePolicy": "Fail",
    "matchPolicy": "Equivalent",
    "namespaceSelector": {},
    "objectSelector": {},
    "rules": [{"scope": "*"}],
    "timeoutSeconds": 10,
}

# (group, kind) → what a field holds by default. A mapping goes into the field, a list into each item; a
# function derives the default from the mapping around.
_DEFAULTS: Mapping[tuple[str, str], Mapping[str, Any]] = {
    ("", "PersistentVolume"): {
        "spec": {"persistentVolumeReclaimPolicy": "Retain", "volumeMode": "Filesystem", "hostPath": {"type": ""}},
    },
    ("", "PersistentVolumeClaim"): _CLAIM,
    ("", "Pod"): {
        "spec": {**_POD, "enableServiceLinks": True, "preemptionPolicy": "PreemptLowerPriority", "priority": 0},
    },
    ("", "Secret"): {"type": "Opaque"},
    ("", "Service"): {
        "spec": {
            "allocateLoadBalancerNodePorts": True,
            "externalTrafficPolicy": "Cluster",
            "internalTrafficPolicy": "Cluster",
            "ipFamilyPolicy": _default_families,
            "ports": [{"protocol": "TCP", "targetPort": lambda port: port.get("port")}],
            "sessionAffinity": "None",
            "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 10800}},
            "type": "ClusterIP",
        },
    },
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"): {
        "webhooks": [{**_WEBHOOK, "reinvocationPolicy": "Never"}],
    },
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"): {"webhooks": [_WEBHOOK]},
    ("apiextensions.k8s.io", "CustomResourceDefinition"): {
        "spec": {
            "conversion": {"strategy": "None", "webhook": {"clientConfig": {"service": {"port": 443}}}},
            "names": {
                "listKind": lambda names: f"{names.get('kind')}List",
                "singular": lambda names: str(names.get("kind")).lower(),
            },
            "preserveUnknownFields": False,
        },
    },
    ("apps", "DaemonSet"): {
        "spec": {
            "revisionHistoryLimit": 10,
            "template": _TEMPLATE,
            "updateStrategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}, "type": "RollingUpdate"},
        },
    },
    ("apps", "Deployment"): {
        "spec": {
            "progressDeadlineSeconds": 600,
            "revisionHistoryLimit": 10,
            "strategy": {"rollingUpdate": _QUARTER, "type": "RollingUpdate"},
            "template": _TEMPLATE,
        },
    },
    ("apps", "StatefulSet"): {
        "spec": {
            "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
            "podManagementPolicy": "OrderedReady",
            "revisionHistoryLimit": 10,
            "template": _TEMPLATE,
            "updateStrategy": {"rollingUpdate": {"partition": 0}, "type": "RollingUpdate"},
            "volumeClaimTemplates": [
                {**_CLAIM, "apiVersion": "v1", "kind": "PersistentVolumeClaim", "status": {"phase": "Pending"}}
            ],
        },
    },
    ("batch", "CronJob"): {
        "spec": {
            "concurrencyPolicy": "Allow",
            "failedJobsHistoryLimit": 1,
            "jobTemplate": {"metadata": {"creationTimestamp": None}, "spec": {"template": _TEMPLATE}},
            "successfulJobsHistoryLimit": 3,
            "suspend": False,
        },
    },
    ("batch", "Job"): {"spec": _JOB},
}


def strip_defaults(group_kind: tuple[str, str], body: Mapping[str, Any]) -> dict[str, Any]:
    """The body without fields that hold what the API server would fill in."""
    return _strip_mapping(body, _DEFAULTS.get(group_kind, {}))


def _strip_mapping(value: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    kept = {}
    for key, below in value.items():
        default = defaults.get(key, ...)
        if callable(default):
            default = default(value)
        left = _strip(below, default)
        # A mapping of which nothing is left says nothing; 1 and true are equal to Python only.
        empty = {} if isinstance(default, Mapping) else default
        if (type(left), left) != (type(empty), empty):
            kept[key] = left
    return kept


def _strip(value: Any, default: Any) -> Any:
    if isinstance(value, Mapping) and isinstance(default, Mapping):
        return _strip_mapping(value, default)
    if isinstance(value, list) and isinstance(default, list):
        return [_strip(each, default[0]) for each in value]
    return value
