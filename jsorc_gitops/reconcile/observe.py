"""Reads what a pass needs: one LIST per version of a kind, and single objects only where those leave gaps."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from jsorc_gitops.errors import ClusterError
from jsorc_gitops.model.layout import record_name, settings_name
from jsorc_gitops.model.objects import TREE_LABEL, Body, Manifest, ObjectRef, parse_group
from jsorc_gitops.model.tree import Tree
from jsorc_gitops.reconcile.inventory import ID_LABEL, STATE_PREFIX, State, compute_applyset_id, find_part_of
from jsorc_gitops.reconcile.neighbours import find_keepers
from jsorc_gitops.reconcile.ports import Cluster
from jsorc_gitops.reconcile.syncers import Syncer

Kind = tuple[str, str]  # (API version, kind)
Place = tuple[str, str, str]  # (API group, kind, namespace)
Found = list[Body] | ClusterError

_FORBIDDEN = 403

# So many objects of a kind in a namespace are asked for one by one: its LIST may be of thousands of others.
FEW = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """The live objects by identity, those that Flux or Argo CD keep, and what could not be read and why.

    `holders` tells of other ApplySets that have some of them which trees they are, as far as that is known.
    """

    live: Mapping[ObjectRef, Body] = field(repr=False)
    keepers: Mapping[ObjectRef, Syncer]
    unread: Mapping[Place, str]
    holders: Mapping[str, str] = field(default_factory=dict)

    def explain_unread(self, ref: ObjectRef) -> str:
        """Why nobody knows whether an object is there; "" where that is known."""
        return self.unread.get(_find_place(ref), "")

    def list_syncers(self, tree: Tree) -> list[Syncer]:
        """What applies the tree; others may keep what it has, too."""
        return select_syncers(tree, self.keepers)


def select_syncers(tree: Tree, syncers: Mapping[ObjectRef, Syncer]) -> list[Syncer]:
    """What applies a tree, by its settings and records, each once."""
    return list({each.ref: each for ref in list_records(tree) if (each := syncers.get(ref))}.values())


def list_records(tree: Tree) -> list[ObjectRef]:
    """The settings, and the record of each service."""
    names = [settings_name(tree.name), *(record_name(tree.name, each) for each in tree.records)]
    home = tree.settings.namespace
    return [ObjectRef(group="", kind="ConfigMap", namespace=home, name=each) for each in names]


def select_manifests(tree: Tree) -> list[Manifest]:
    """What this pass applies: services that are kept alive, every record, and what belongs to the tree."""
    return [
        each
        for each in tree.manifests.values()
        if not each.service
        or tree.records[each.service].keep_alive
        or each.ref.name == record_name(tree.name, each.service)
    ]


def observe_tree(
    cluster: Cluster, manifests: Collection[Manifest], state: State, *, tree: str, part_of: str = ""
) -> Observation:
    """Everything that is in the tree or in the inventory, as it is now; with `part_of` who keeps it, too.

    Other trees of the same name elsewhere in the cluster are seen as well, but who keeps those does not matter.
    """
    versions, unread = _find_versions(cluster, manifests, state)
    live, errors = list_kinds(cluster, versions, tree=tree)
    unread |= errors
    asked = [
        (version, ref) for ref, version in versions.items() if ref not in live and _find_place(ref) not in unread
    ]
    asked = _leave_out_absent(cluster, asked)
    found, failed = get_each(cluster, asked)
    live |= found
    unread |= {_find_place(ref): why for ref, why in failed.items()}
    ours = {ref: body for ref, body in live.items() if ref in versions or find_part_of(body) == part_of}
    # A Namespace that the tree merely needs may be of any tree, for good.
    others = {find_part_of(live[ref]) for ref in versions if ref in live and ref.kind != "Namespace"}
    return Observation(
        live=live,
        keepers=find_keepers(cluster, ours) if part_of else {},
        unread=unread,
        holders=_find_holders(cluster, others - {"", part_of}) if part_of else {},
    )


def get_each(
    cluster: Cluster, asked: Sequence[tuple[str, ObjectRef]]
) -> tuple[dict[ObjectRef, Body], dict[ObjectRef, str]]:
    """Those of single objects (API version, identity) that are there, and why of some nobody knows."""
    answers = {ref: answer for (_, ref), answer in zip(asked, cluster.get_objects(asked), strict=True) if answer}
    failed = {ref: str(each) for ref, each in answers.items() if isinstance(each, ClusterError)}
    return {ref: each for ref, each in answers.items() if not isinstance(each, ClusterError)}, failed


def _find_holders(cluster: Cluster, applysets: Collection[str]) -> dict[str, str]:
    """Which trees these are, by their states, as far as those may be listed."""
    if not applysets:
        return {}
    trees = list_trees(cluster, selector=f"{ID_LABEL} in ({','.join(sorted(applysets))})")
    # One that was restored elsewhere has the ID of where it came from.
    known = {compute_applyset_id(tree, home): f"tree {tree} in namespace {home}" for tree, home in trees}
    return {each: known[each] for each in applysets if each in known}


def list_trees(cluster: Cluster, *, selector: str = ID_LABEL) -> list[tuple[str, str]]:
    """The names and home namespaces of all trees, or of those with these IDs, by their states.

    Empty where those may not be listed.
    """
    (found,) = cluster.list_objects([("v1", "ConfigMap")], selector=selector, names_only=True)
    places = [] if isinstance(found, ClusterError) else [each["metadata"] for each in found]
    return [(each["name"].removeprefix(STATE_PREFIX), each["namespace"]) for each in places]


def _find_versions(
    cluster: Cluster, manifests: Collection[Manifest], state: State
) -> tuple[dict[ObjectRef, str], dict[Place, str]]:
    """The API version to read each object at, of those that can be; and why others cannot be read at all."""
    wanted = {each.ref: _find_version(cluster, each) for each in manifests}
    known = {ref.group_kind: version for ref, version in wanted.items()}
    versions: dict[ObjectRef, str] = {}
    unread: dict[Place, str] = {}
    for ref in dict.fromkeys([*wanted, *state.entries]):
        served = cluster.find_api_version(*ref.group_kind)
        version = wanted.get(ref) or known.get(ref.group_kind) or served
        # Not served now is no proof that the objects are gone: its API may be away for a while.
        if served is None and cluster.is_away(ref.group):
            unread[_find_place(ref)] = f"what serves {ref.kind} of {ref.group} does not answer the API server"
        elif version is None:
            unread[_find_place(ref)] = f"the API server serves no {ref.kind} at present"
        # What is not served yet, because its definition comes with this very pass, cannot exist.
        elif cluster.serves(version, ref.kind):
            versions[ref] = version
    return versions, unread


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
    cluster: Cluster, versions: Mapping[ObjectRef, str], *, tree: str
) -> tuple[dict[ObjectRef, Body], dict[Place, str]]:
    """The tree's objects, found by label, and what could not be listed and why.

    `versions` are the objects that are looked for, each with the API version to read it at: one that is read at
    another looks changed. It is one LIST for each kind and version: in the namespace where all of them are, so
    that nothing of a neighbour's tree comes along; or over all namespaces, and where the rights do not reach so
    far, one for each namespace in which an object is looked for. A kind outside of namespaces that may not be
    listed is answered empty: its objects can be asked for.
    """
    selector = f"{TREE_LABEL}={tree}"
    homes: dict[Kind, set[str]] = {}
    for ref, version in versions.items():
        homes.setdefault((version, ref.kind), set()).add(ref.namespace)
    inside = [each for each in homes if any(homes[each])]
    outside = [each for each in homes if each not in inside]
    spread = [each for each in inside if len(homes[each]) > 1]
    found = _list_everywhere(cluster, [*outside, *spread[:1]], selector)
    if spread and not _is_refused(found[spread[0]]):
        found |= _list_everywhere(cluster, spread[1:], selector)
    # Rights mostly reach equally far for all kinds: after the first refusal the others are not tried.
    narrow = [
        (each, namespace)
        for each in inside
        if each not in found or _is_refused(found[each])
        for namespace in sorted(homes[each])
    ]
    names = [namespace for _, namespace in narrow]
    answers = cluster.list_objects([each for each, _ in narrow], selector=selector, namespaces=names)
    parts = [(each, homes[each], answer) for each, answer in found.items() if not _is_refused(answer)]
    parts += [(each, {name}, answer) for (each, name), answer in zip(narrow, answers, strict=True)]
    live: dict[ObjectRef, Body] = {}
    unread: dict[Place, str] = {}
    for (version, kind), namespaces, answer in parts:
        if isinstance(answer, ClusterError):
            unread |= {(parse_group(version), kind, each): str(answer) for each in namespaces}
        else:
            listed = index_objects(answer)
            live |= {ref: body for ref, body in listed.items() if versions.get(ref, version) == version}
    return live, unread


def _list_everywhere(cluster: Cluster, kinds: Sequence[Kind], selector: str) -> dict[Kind, Found]:
    return dict(zip(kinds, cluster.list_objects(kinds, selector=selector), strict=True))


def _is_refused(found: Found) -> bool:
    return isinstance(found, ClusterError) and found.status == _FORBIDDEN


def _find_place(ref: ObjectRef) -> Place:
    return *ref.group_kind, ref.namespace


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
