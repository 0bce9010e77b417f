"""Makes namespaces explicit on every namespaced object, and names the Namespaces a tree needs."""

from collections.abc import Iterable

from jsorc_gitops.errors import DefinitionError
from jsorc_gitops.model.objects import CLUSTER_SCOPED, Manifest, ObjectRef, parse_manifest


def place_in_namespace(manifest: Manifest, *, namespace: str, scopes: frozenset[tuple[str, str]]) -> Manifest:
    """The object with its namespace filled in; `scopes` are the custom kinds without one.

    Raises DefinitionError where a cluster-scoped object says it lies in a namespace.
    """
    ref = manifest.ref
    if ref.group_kind in CLUSTER_SCOPED or ref.group_kind in scopes:
        if ref.namespace:
            raise DefinitionError(f"{ref}: a {ref.kind} lies in no namespace; remove metadata.namespace")
        return manifest
    if ref.namespace:
        return manifest
    metadata = {**manifest.body["metadata"], "namespace": namespace}
    return parse_manifest({**manifest.body, "metadata": metadata}, where=str(ref))


def find_cluster_scoped(manifests: Iterable[Manifest]) -> frozenset[tuple[str, str]]:
    """(group, kind) of the cluster-scoped custom kinds that CRDs among these objects define."""
    found = set()
    for each in manifests:
        if each.ref.kind == "CustomResourceDefinition":
            try:
                spec = each.body["spec"]
                if spec["scope"] == "Cluster":
                    found.add((spec["group"], spec["names"]["kind"]))
            except (KeyError, TypeError) as error:
                raise DefinitionError(f"{each.ref}: needs spec.scope, spec.group and spec.names.kind") from error
    return frozenset(found)


def make_namespaces(manifests: Iterable[Manifest]) -> list[Manifest]:
    """The Namespaces that objects lie in, without those a cluster has and those a service defines itself."""
    manifests = list(manifests)
    defined = {each.ref.name for each in manifests if each.ref.group_kind == ("", "Namespace")}
    needed = {each.ref.namespace for each in manifests} - defined - {""}
    return [_make_namespace(name) for name in sorted(needed) if not _is_predefined(name)]


def _is_predefined(name: str) -> bool:
    """Every cluster has these; nobody but the cluster makes or labels them."""
    return name == "default" or name.startswith("kube-")


def _make_namespace(name: str) -> Manifest:
    ref = ObjectRef(group="", kind="Namespace", namespace="", name=name)
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    return Manifest(ref=ref, api_version="v1", body=body)
