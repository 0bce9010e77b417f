"""Makes namespaces explicit on every namespaced object, and names the Namespaces a tree needs."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from jsorc_gitops.errors import DefinitionError
from jsorc_gitops.model.kinds import OWN_GROUPS
from jsorc_gitops.model.objects import CLUSTER_SCOPED, Manifest, ObjectRef
from jsorc_gitops.model.settings import AS_WRITTEN, HOME
from jsorc_gitops.render.collect import Collector

# Namespaces that begin so are moved by no policy, as in JsOrc (KubeService.resolve_manifest in jaseci 1.4).
_DEDICATED = "jsorc-dedicated"

_EACH = "*"  # every item of a list
_WEBHOOK = ("webhooks", _EACH, "clientConfig", "service")
_CONVERSION = ("spec", "conversion", "webhook", "clientConfig", "service")
# Where objects name others together with their namespaces, and the kind of what they name there.
_REFERENCES: Mapping[tuple[str, str], tuple[tuple[str, ...], str]] = {
    ("", "PersistentVolume"): (("spec", "claimRef"), "PersistentVolumeClaim"),
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"): (_WEBHOOK, "Service"),
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"): (_WEBHOOK, "Service"),
    ("apiextensions.k8s.io", "CustomResourceDefinition"): (_CONVERSION, "Service"),
    ("apiregistration.k8s.io", "APIService"): (("spec", "service"), "Service"),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): (("subjects", _EACH), "ServiceAccount"),
    ("rbac.authorization.k8s.io", "RoleBinding"): (("subjects", _EACH), "ServiceAccount"),
}

# (kind, name) → namespace as written → namespace now, of Kubernetes' core kinds
_Moves = Mapping[tuple[str, str], Mapping[str, str]]


def place_in_namespaces(
    manifests: Sequence[Manifest], *, policy: str, home: str, scopes: frozenset[tuple[str, str]]
) -> list[Manifest]:
    """The objects of one service with their namespaces filled in, and references to them following.

    `policy` is AS_WRITTEN, HOME or a name (JsOrc's SOURCE, DEDICATED, MANUAL); `scopes` are the cluster-scoped
    custom kinds. Raises one DefinitionError for all objects that say a wrong namespace.
    """
    collector = Collector()
    placed: list[Manifest] = []
    moves: dict[tuple[str, str], dict[str, str]] = {}
    for each in manifests:
        with collector:
            namespace = _find_namespace(each, policy=policy, home=home, scopes=scopes)
            placed.append(_move(each, namespace))
            if not each.ref.group:
                moves.setdefault((each.ref.kind, each.ref.name), {})[each.ref.namespace or home] = namespace
    default = find_home(policy, home)
    for index, each in enumerate(placed):
        if each.ref.group_kind in _REFERENCES:
            with collector:
                placed[index] = _follow(each, moves, default)
    collector.check()
    return placed


def find_home(policy: str, home: str) -> str:
    """Where a service's objects go that name no namespace."""
    return home if policy in {AS_WRITTEN, HOME} else policy


def find_cluster_scoped(manifests: Iterable[Manifest]) -> frozenset[tuple[str, str]]:
    """(group, kind) of the cluster-scoped custom kinds that CRDs among these objects define.

    Raises one DefinitionError for all CRDs that do not say what they define.
    """
    found = set()
    collector = Collector()
    for each in manifests:
        if each.ref.kind == "CustomResourceDefinition":
            with collector:
                try:
                    spec = each.body["spec"]
                    if spec["scope"] == "Cluster":
                        found.add((spec["group"], spec["names"]["kind"]))
                except (KeyError, TypeError) as error:
                    missing = "needs spec.scope, spec.group and spec.names.kind"
                    raise DefinitionError(f"{each.where}: {each.ref}: {missing}") from error
    collector.check()
    return frozenset(found)


def make_namespaces(manifests: Iterable[Manifest]) -> list[Manifest]:
    """The Namespaces that objects lie in, without those a cluster has and those a service defines itself."""
    manifests = list(manifests)
    defined = {each.ref.name for each in manifests if each.ref.group_kind == ("", "Namespace")}
    needed = {each.ref.namespace for each in manifests} - defined - {""}
    return [_make_namespace(name) for name in sorted(needed) if not is_predefined(name)]


def _find_namespace(manifest: Manifest, *, policy: str, home: str, scopes: frozenset[tuple[str, str]]) -> str:
    ref = manifest.ref
    if ref.group_kind in CLUSTER_SCOPED or ref.group_kind in scopes:
        # Where all are moved, no namespace counts that is written; here it would, and cannot.
        if ref.namespace and policy == AS_WRITTEN:
            raise DefinitionError(
                f"{manifest.where}: {ref}: a {ref.kind} lies in no namespace; remove metadata.namespace"
            )
        return ""
    # Of a custom kind whose CRD is elsewhere only the author knows better than that it is namespaced.
    if ref.group not in OWN_GROUPS and manifest.body["metadata"].get("namespace") == "":
        return ""
    if ref.namespace.startswith(_DEDICATED) or (policy == AS_WRITTEN and ref.namespace):
        return ref.namespace
    return find_home(policy, home)


def _move(manifest: Manifest, namespace: str) -> Manifest:
    metadata = manifest.body["metadata"]
    if namespace == metadata.get("namespace", "") and (namespace or "namespace" not in metadata):
        return manifest
    ref = manifest.ref
    rest = {key: value for key, value in metadata.items() if key != "namespace"}
    return Manifest(
        ref=ObjectRef(group=ref.group, kind=ref.kind, namespace=namespace, name=ref.name),
        api_version=manifest.api_version,
        body={**manifest.body, "metadata": {**rest, "namespace": namespace} if namespace else rest},
        where=manifest.where,
    )


def _follow(manifest: Manifest, moves: _Moves, default: str) -> Manifest:
    path, kind = _REFERENCES[manifest.ref.group_kind]

    def follow(reference: Mapping[str, Any]) -> Mapping[str, Any]:
        name, written = reference.get("name"), reference.get("namespace") or ""
        # A subject may be a user or a group, too.
        if reference.get("kind", kind) != kind or not isinstance(name, str) or not isinstance(written, str):
            return reference
        places = moves.get((kind, name), {})
        found = {places.get(written, written)} if written else set(places.values()) or {default}
        if len(found) > 1:
            both = " and ".join(sorted(found))
            raise DefinitionError(
                f"{manifest.where}: {manifest.ref}: names {kind} {name}, which is in {both}; say its namespace"
            )
        return {**reference, "namespace": found.pop()}

    return replace(manifest, body=_change(manifest.body, path, follow))


def _change(value: Any, path: Sequence[str], change: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> Any:
    """`value` with the mappings at `path` changed; other shapes are left to the schemas to refuse."""
    if not path:
        return change(value) if isinstance(value, Mapping) else value
    step, *rest = path
    if step == _EACH:
        return [_change(each, rest, change) for each in value] if isinstance(value, list) else value
    if not isinstance(value, Mapping) or step not in value:
        return value
    return {**value, step: _change(value[step], rest, change)}


def is_predefined(name: str) -> bool:
    """Every cluster has these; nobody but the cluster makes or labels them."""
    return name == "default" or name.startswith("kube-")


def _make_namespace(name: str) -> Manifest:
    ref = ObjectRef(group="", kind="Namespace", namespace="", name=name)
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    return Manifest(ref=ref, api_version="v1", body=body)
