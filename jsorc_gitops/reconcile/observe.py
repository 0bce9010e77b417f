"""Reads what a pass needs of the cluster: one LIST per kind, and single objects only where those leave gaps."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from jsorc_gitops.errors import ClusterError
from jsorc_gitops.model.objects import TREE_LABEL, Body, Manifest, ObjectRef, parse_manifest
from jsorc_gitops.reconcile.inventory import State
from jsorc_gitops.reconcile.ports import Cluster

Kind = tuple[str, str]  # (API version, kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """The live objects by identity, and the (group, kind)s that could not be read, with the reason."""

    live: Mapping[ObjectRef, Body] = field(repr=False)
    unread: Mapping[tuple[str, str], str]


def observe_tree(cluster: Cluster, manifests: Collection[Manifest], state: State, *, tree: str) -> Observation:
    """Everything that is in the tree or in the inventory, as it is now."""
    wanted = {each.ref.group_kind: (_find_version(cluster, each), each.ref.kind) for each in manifests}
    unread: dict[tuple[str, str], str] = {}
    for ref in state.entries:
        if ref.group_kind not in wanted:
            version = cluster.find_api_version(*ref.group_kind)
            if version is None:
                # Not served now is no proof that the objects are gone: its API may be away for a while.
                unread[ref.group_kind] = f"the API server serves no {ref.kind} at present"
            else:
                wanted[ref.group_kind] = (version, ref.kind)
    # What is not served yet, because its definition comes with this very pass, cannot exist.
    served = {kind: of for kind, of in wanted.items() if cluster.serves(*of)}
    live: dict[ObjectRef, Body] = {}
    for group_kind, found in list_kinds(cluster, served, tree=tree).items():
        if isinstance(found, ClusterError):
            unread[group_kind] = str(found)
        else:
            live |= found
    asked = [
        (served[ref.group_kind][0], ref)
        for ref in dict.fromkeys([*(each.ref for each in manifests), *state.entries])
        if ref not in live and ref.group_kind in served and ref.group_kind not in unread
    ]
    for (_, ref), answer in zip(asked, cluster.get_objects(asked), strict=True):
        if isinstance(answer, ClusterError):
            unread[ref.group_kind] = str(answer)
        elif answer is not None:
            live[ref] = answer
    return Observation(live=live, unread=unread)


def list_kinds(
    cluster: Cluster, kinds: Mapping[tuple[str, str], Kind], *, tree: str
) -> dict[tuple[str, str], dict[ObjectRef, Body] | ClusterError]:
    """The tree's objects of each kind, found by label in one LIST a kind."""
    selector = f"{TREE_LABEL}={tree}"
    answers = cluster.list_objects(list(kinds.values()), selector=selector)
    return {
        group_kind: answer if isinstance(answer, ClusterError) else index_objects(answer)
        for group_kind, answer in zip(kinds, answers, strict=True)
    }


def list_pods(cluster: Cluster, namespaces: Iterable[str]) -> dict[str, list[Body] | ClusterError]:
    """All pods of each namespace, or why they could not be listed."""
    found = {}
    for namespace in sorted(set(namespaces)):
        (found[namespace],) = cluster.list_objects([("v1", "Pod")], namespace=namespace)
    return found


def _find_version(cluster: Cluster, manifest: Manifest) -> str:
    """The version to read a kind at: the manifest's, or what is served while that one is not yet."""
    if cluster.serves(manifest.api_version, manifest.ref.kind):
        return manifest.api_version
    return cluster.find_api_version(*manifest.ref.group_kind) or manifest.api_version


def index_objects(bodies: Iterable[Body]) -> dict[ObjectRef, Body]:
    return {parse_manifest(body, where="the API server").ref: body for body in bodies}
