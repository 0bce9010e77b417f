"""What one Kubernetes object is: its identity, its body, its place in the order of applying."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from jsorc_gitops.errors import DefinitionError

Body = Mapping[str, Any]

SERVICE_LABEL = "jsorc.jaseci.org/service"
TREE_LABEL = "jsorc.jaseci.org/tree"
# https://kubernetes.io/docs/reference/labels-annotations-taints/#kubectl-kubernetes-io-restart-at
RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"

# The kinds of Kubernetes' own groups that live outside namespaces (kubectl api-resources
# --namespaced=false on 1.36). A custom kind counts as namespaced unless its CRD says otherwise.
CLUSTER_SCOPED = frozenset(
    {
        ("", "Namespace"),
        ("", "Node"),
        ("", "PersistentVolume"),
        ("admissionregistration.k8s.io", "MutatingAdmissionPolicy"),
        ("admissionregistration.k8s.io", "MutatingAdmissionPolicyBinding"),
        ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"),
        ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"),
        ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding"),
        ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"),
        ("apiextensions.k8s.io", "CustomResourceDefinition"),
        ("apiregistration.k8s.io", "APIService"),
        ("certificates.k8s.io", "CertificateSigningRequest"),
        ("flowcontrol.apiserver.k8s.io", "FlowSchema"),
        ("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration"),
        ("networking.k8s.io", "IngressClass"),
        ("networking.k8s.io", "IPAddress"),
        ("networking.k8s.io", "ServiceCIDR"),
        ("node.k8s.io", "RuntimeClass"),
        ("rbac.authorization.k8s.io", "ClusterRole"),
        ("rbac.authorization.k8s.io", "ClusterRoleBinding"),
        ("resource.k8s.io", "DeviceClass"),
        ("resource.k8s.io", "ResourceSlice"),
        ("scheduling.k8s.io", "PriorityClass"),
        ("storage.k8s.io", "CSIDriver"),
        ("storage.k8s.io", "CSINode"),
        ("storage.k8s.io", "StorageClass"),
        ("storage.k8s.io", "VolumeAttachment"),
        ("storage.k8s.io", "VolumeAttributesClass"),
    }
)

WORKLOADS = frozenset({("apps", "Deployment"), ("apps", "StatefulSet"), ("apps", "DaemonSet")})

# Data outlives a removed service: these are released, never deleted.
KEPT_KINDS = frozenset(
    {
        ("", "Namespace"),
        ("", "PersistentVolume"),
        ("", "PersistentVolumeClaim"),
        ("apiextensions.k8s.io", "CustomResourceDefinition"),
    }
)

# What keeps Flux and Argo CD from deleting these when their service is removed (DESIGN §2), and Argo CD from
# calling an Application OutOfSync for ever then.
KEEP_ANNOTATIONS = {
    "argocd.argoproj.io/compare-options": "IgnoreExtraneous",
    "argocd.argoproj.io/sync-options": "Prune=false,Delete=false",
    "kustomize.toolkit.fluxcd.io/prune": "disabled",
}

LISTED = "a list of objects; write its items as documents of their own, or run jsorc import on it"

# Stages of a pass: each is written whole before the next is begun.
STAGE_DEFINITIONS, STAGE_CLASSES, STAGE_OBJECTS, STAGE_WEBHOOKS = range(4)

# Within the main stage, what others refer to comes first: a pod that starts before its
# ConfigMap or ServiceAccount exists fails its first start.
_KIND_ORDER = {
    kind: place
    for place, kind in enumerate(
        (
            "Namespace",
            "CustomResourceDefinition",
            "ServiceAccount",
            "Secret",
            "ConfigMap",
            "ClusterRole",
            "ClusterRoleBinding",
            "Role",
            "RoleBinding",
            "PersistentVolume",
            "PersistentVolumeClaim",
            "Service",
        )
    )
}


class ObjectRef(NamedTuple):
    """The identity of an object: group, kind, namespace, name. Never its API version.

    A tuple, unlike other values: a pass looks each up some twenty times, and a dataclass takes three times as
    long to hash.
    """

    group: str
    kind: str
    namespace: str  # "" for cluster-scoped objects
    name: str

    def __str__(self) -> str:
        """Spell it as every message does: Deployment/jaseci/redis, or ClusterRole/redis."""
        return "/".join(part for part in (self.kind, self.namespace, self.name) if part)

    @property
    def group_kind(self) -> tuple[str, str]:
        return self.group, self.kind

    @property
    def is_kept(self) -> bool:
        """Whether it holds data or definitions that pruning must not delete."""
        return self.group_kind in KEPT_KINDS


class KeptBody(NamedTuple):
    """A body as JSON, with what most passes need of it."""

    text: str
    service: str
    digest: str  # of model/digests.hash_body


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One object as git has it. The body is read-only by convention and never printed whole."""

    ref: ObjectRef
    api_version: str
    body: Body = field(repr=False)
    where: str = field(default="", compare=False)  # the file and document it was read from, for messages
    kept: KeptBody | None = field(default=None, repr=False, compare=False)

    @classmethod
    def from_kept(cls, *, ref: ObjectRef, api_version: str, where: str, kept: KeptBody) -> Self:
        """One that an earlier pass has read. Its body is decoded when it is first asked for, which is rare."""
        made = object.__new__(cls)
        for name, value in (("ref", ref), ("api_version", api_version), ("where", where), ("kept", kept)):
            object.__setattr__(made, name, value)
        return made

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Python comes here for what was not set, which is the body alone."""
            if name != "body" or self.kept is None:
                raise AttributeError(name)
            body = json.loads(self.kept.text)
            object.__setattr__(self, "body", body)
            return body

    @property
    def service(self) -> str:
        """The service it belongs to; "" for what belongs to the tree (Namespaces, settings)."""
        if self.kept is not None:
            return self.kept.service
        labels: Mapping[str, str] = self.body["metadata"].get("labels") or {}
        return labels.get(SERVICE_LABEL, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyRequest:
    """One server-side apply. `body` may carry metadata.uid and resourceVersion as preconditions."""

    ref: ObjectRef
    body: Body = field(repr=False)
    force: bool = False
    dry_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteRequest:
    """One deletion, which happens only while the object is the one that was looked at."""

    ref: ObjectRef
    uid: str
    resource_version: str
    dry_run: bool = False


def parse_group(api_version: str) -> str:
    """'apps/v1' → 'apps'; 'v1' → ''."""
    return api_version.rpartition("/")[0]


def parse_manifest(body: object, *, where: str) -> Manifest:
    """Make a Manifest of one parsed YAML document; raise DefinitionError naming `where` and what is missing."""
    if not isinstance(body, Mapping):
        raise DefinitionError(f"{where}: a Kubernetes object is a mapping, this is {_kind_of(body)}")
    metadata = body.get("metadata")
    if not isinstance(metadata, Mapping):
        metadata = {}
    api_version: Any
    kind: Any
    name: Any
    api_version, kind, name = body.get("apiVersion"), body.get("kind"), metadata.get("name")
    if not name and is_list(body):
        raise DefinitionError(f"{where}: {LISTED}")
    for key, value in (("apiVersion", api_version), ("kind", kind), ("metadata.name", name)):
        if not isinstance(value, str) or not value:
            raise DefinitionError(f"{where}: {key} is missing or not a text; every object needs one")
    namespace = metadata.get("namespace") or ""
    if not isinstance(namespace, str):
        raise DefinitionError(f"{where}: metadata.namespace is not a text")
    for key in ("labels", "annotations"):
        if metadata.get(key) is not None:
            _check_texts(metadata[key], where=f"{where}: metadata.{key}")
    ref = ObjectRef(group=parse_group(api_version), kind=kind, namespace=namespace, name=name)
    return Manifest(ref=ref, api_version=api_version, body=body, where=where)


def is_list(body: Body) -> bool:
    """Whether it is no object but a list of them; a kind may be called a list, as an allow list is."""
    kind = body.get("kind")
    return kind == "List" or (isinstance(kind, str) and kind.endswith("List") and "items" in body)


def compute_stage(ref: ObjectRef) -> int:
    """In which stage of a pass the object is applied (DESIGN §4): definitions, classes, objects, webhooks.

    A ServiceAccount goes with the classes, since the dry-run of a Pod looks for both.
    """
    if ref.kind in {"Namespace", "CustomResourceDefinition"}:
        return STAGE_DEFINITIONS
    if ref.kind.endswith("Class") or ref.kind == "ServiceAccount":
        return STAGE_CLASSES
    if ref.kind.endswith("WebhookConfiguration"):
        return STAGE_WEBHOOKS
    return STAGE_OBJECTS


def sort_key(ref: ObjectRef) -> tuple[int, int, ObjectRef]:
    """Order of applying; pruning uses its reverse."""
    return compute_stage(ref), _KIND_ORDER.get(ref.kind, len(_KIND_ORDER)), ref


def _check_texts(value: object, *, where: str) -> None:
    if not isinstance(value, Mapping):
        raise DefinitionError(f"{where} is not a mapping")
    for key, text in value.items():
        if not isinstance(text, str):
            raise DefinitionError(f"{where}: {key} is {_kind_of(text)}, not a text; put it in quotes")


def _kind_of(value: object) -> str:
    names = {list: "a list", str: "a text", type(None): "empty", bool: "a boolean"}
    return names.get(type(value), "a number")
