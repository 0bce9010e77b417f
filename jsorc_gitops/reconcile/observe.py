"""Reads what a pass needs of the cluster: one LIST per kind, and single objects only where those leave gaps."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from jsorc_gitops.errors import ClusterError
from jsorc_gitops.model.objects import TREE_LABEL, Body, Manifest, ObjectRef, parse_group
from jsorc_gitops.reconcile.inventory import State
from jsorc_gitops.reconcile.neighbours import find_keepers
from jsorc_gitops.reconcile.ports import Cluster

Kind = tuple[str, str]  # (API version, kind)
GroupKind = tuple[str, str]
Found = list[Body] | ClusterError

_FORBIDDEN = 403

# So many objects of a kind in a namespace are asked for one by one: its LIST may be of thousands of others.
FEW = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """The live objects by identity, those that Flux or Argo CD keep, and what could not be read and why."""

    live: Mapping[ObjectRef, Body] = field(repr=False)
    keepers: Mapping[ObjectRef, str]
    unread: Mapping[GroupKind, str]


def observe_tree(cluster: Cluster, manifests: Collection[Manifest], state: State, *, tree: str) -> Observation:
    """Everything that is in the tree or in the inventory, as it is now."""
    wanted = {each.ref.group_kind: (_find_version(cluster, each), each.ref.kind) for each in manifests}
    refs = list(dict.fromkeys([*(each.ref for each in manifests), *state.entries]))
    unread: dict[GroupKind, str] = {}
    for ref in refs:
        version = cluster.find_api_version(*ref.group_kind)
        # Not served now is no proof that the objects are gone: its API may be away for a while.
        if version is None and cluster.is_away(ref.group):
            unread[ref.group_kind] = f"what serves {ref.kind} of {ref.group} does not answer the API server"
        elif version is None and ref.group_kind not in wanted:
            unread[ref.group_kind] = f"the API server serves no {ref.kind} at present"
        elif version is not None:
            wanted.setdefault(ref.group_kind, (version, ref.kind))
    # What is not served yet, because its definition comes with this very pass, cannot exist.
    served = {kind: of for kind, of in wanted.items() if cluster.serves(*of)}
    live: dict[ObjectRef, Body] = {}
    for group_kind, found in list_kinds(cluster, served, refs, tree=tree).items():
        if isinstance(found, ClusterError):
            unread[group_kind] = str(found)
        else:
            live |= found
    asked = [
        (served[ref.group_kind][0], ref)
        for ref in refs
        if ref not in live and ref.group_kind in served and ref.group_kind not in unread
    ]
    asked = _leave_out_absent(cluster, asked)
    for (_, ref), answer in zip(asked, cluster.get_objects(asked), strict=True):
        if isinstance(answer, ClusterError):
            unread[ref.group_kind] = str(answer)
        elif answer is not None:
            live[ref] = answer
    return Observation(live=live, keepers=find_keepers(cluster, live), unread=unread)


def _leave_out_absent(cluster: Cluster, asked: Sequence[tuple[str, ObjectRef]]) -> list[tuple[str, ObjectRef]]:
    """Those that may be there: a first pass would ask for each object to hear that there is none."""
    places: dict[tuple[Kind, str], list[ObjectRef]] = {}
    for version, ref in asked:
        places.setdefault(((version, ref.kind), ref.namespace), []).append(ref)
    many = [place for place, refs in places.items() if len(refs) > FEW]
    if not many:
        return [*asked]
    kinds, namespaces = zip(*many, strict=True)
    lists = cluster.list_objects(kinds, namespaces=namespaces, names_only=True)
    absent: set[ObjectRef] = set()
    for place, found in zip(many, lists, strict=True):
        if not isinstance(found, ClusterError):
            there = {each["metadata"]["name"] for each in found}
            absent |= {ref for ref in places[place] if ref.name not in there}
    return [each for each in asked if each[1] not in absent]


def list_kinds(
    cluster: Cluster, kinds: Mapping[GroupKind, Kind], refs: Iterable[ObjectRef], *, tree: str
) -> dict[GroupKind, dict[ObjectRef, Body] | ClusterError]:
    """The tree's objects of each kind, found by label: one LIST a kind, over all namespaces.

    Where the rights do not reach so far, it is one LIST for each namespace in which one of `refs` is of that
    kind. A kind outside of namespaces that may not be listed is answered empty: its objects can be asked for.
    """
    selector = f"{TREE_LABEL}={tree}"
    homes: dict[GroupKind, set[str]] = {}
    for ref in refs:
        homes.setdefault(ref.group_kind, set()).add(ref.namespace)
    inside = [each for each in kinds if any(homes[each])]
    outside = [each for each in kinds if each not in inside]
    found = _list_everywhere(cluster, kinds, [*outside, *inside[:1]], selector)
    if inside and not _is_refused(found[inside[0]]):
        found |= _list_everywhere(cluster, kinds, inside[1:], selector)
    # Rights mostly reach equally far for all kinds: after the first refusal the others are not tried.
    places = [
        (each, namespace)
        for each in inside
        if each not in found or _is_refused(found[each])
        for namespace in sorted(homes[each])
    ]
    asked = [kinds[each] for each, _ in places]
    answers = cluster.list_objects(asked, selector=selector, namespaces=[name for _, name in places])
    narrow: dict[GroupKind, list[Found]] = {}
    for (each, _), answer in zip(places, answers, strict=True):
        narrow.setdefault(each, []).append(answer)
    found |= {each: _join(answers) for each, answers in narrow.items()}
    found |= {each: [] for each in outside if _is_refused(found[each])}
    return {
        each: answer if isinstance(answer, ClusterError) else index_objects(answer)
        for each in kinds
        for answer in [found[each]]
    }


def _list_everywhere(
    cluster: Cluster, kinds: Mapping[GroupKind, Kind], which: Sequence[GroupKind], selector: str
) -> dict[GroupKind, Found]:
    answers = cluster.list_objects([kinds[each] for each in which], selector=selector)
    return dict(zip(which, answers, strict=True))


def _is_refused(found: Found) -> bool:
    return isinstance(found, ClusterError) and found.status == _FORBIDDEN


def _join(parts: Sequence[Found]) -> Found:
    """All of them together, or the first error: a part that is missing would look like objects that are gone."""
    joined: list[Body] = []
    for part in parts:
        if isinstance(part, ClusterError):
            return part
        joined += part
    return joined


def list_pods(cluster: Cluster, namespaces: Iterable[str]) -> dict[str, list[Body] | ClusterError]:
    """All pods of each namespace, or why they could not be listed."""
    names = sorted(set(namespaces))
    answers = cluster.list_objects([("v1", "Pod")] * len(names), namespaces=names)
    return dict(zip(names, answers, strict=True))


def _find_version(cluster: Cluster, manifest: Manifest) -> str:
    """The version to read a kind at: the manifest's, or what is served while that one is not yet."""
    if cluster.serves(manifest.api_version, manifest.ref.kind):
        return manifest.api_version
    return cluster.find_api_version(*manifest.ref.group_kind) or manifest.api_version


def index_objects(bodies: Iterable[Body]) -> dict[ObjectRef, Body]:
    """Objects of the API server by their identity."""
    return {_identify(body["metadata"], body): body for body in bodies}


def _identify(metadata: Mapping[str, str], body: Body) -> ObjectRef:
    return ObjectRef(
        group=parse_group(body["apiVersion"]),
        kind=body["kind"],
        namespace=metadata.get("namespace", ""),
        name=metadata["name"],
    )
