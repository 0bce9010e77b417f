"""A tree as its records in the cluster tell it, where no git is at hand: settings, services, what they run."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from jsorc_gitops.errors import ClusterError, FormatError, JsorcError, NothingAppliedError, TreeError
from jsorc_gitops.model.layout import RECORD_PREFIX, SETTINGS_PREFIX, record_name, settings_name
from jsorc_gitops.model.objects import SERVICE_LABEL, TREE_LABEL, Body, Manifest, ObjectRef, parse_manifest
from jsorc_gitops.model.services import ServiceRecord
from jsorc_gitops.model.settings import Settings
from jsorc_gitops.model.tree import Tree, parse_record_manifest, parse_settings_manifest
from jsorc_gitops.reconcile.neighbours import find_syncers
from jsorc_gitops.reconcile.observe import index_objects
from jsorc_gitops.reconcile.ownership import PERSONS, find_owners
from jsorc_gitops.reconcile.ports import Cluster
from jsorc_gitops.reconcile.syncers import Syncer

# Persons' tools that write all of an object at once from a file: what git says arrives by them, too.
_FROM_FILES = frozenset({"kubectl", "kubectl-client-side-apply", "kubectl-create"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """The records and settings of all trees in a home namespace as they are, and what syncs each from git."""

    bodies: Mapping[ObjectRef, Body] = field(repr=False)
    syncers: Mapping[ObjectRef, Syncer]

    def find_version(self, ref: ObjectRef) -> str:
        """The resourceVersion of a record; "" where it is not there."""
        return self.bodies[ref]["metadata"]["resourceVersion"] if ref in self.bodies else ""

    @property
    def trees(self) -> list[str]:
        """The names of the trees whose settings lie there."""
        names = [ref.name for ref in self.bodies if ref.name.startswith(SETTINGS_PREFIX)]
        return sorted(name.removeprefix(SETTINGS_PREFIX) for name in names)

    def list_records(self, tree: str) -> dict[str, Body]:
        """The record of each service of a tree."""
        prefix = record_name(tree, "")
        found = {ref.name: body for ref, body in self.bodies.items() if ref.name.startswith(prefix)}
        return {name.removeprefix(prefix): body for name, body in found.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundTree:
    """A tree that was read from the cluster; `broken` are services whose records cannot be used, and why."""

    tree: Tree
    sight: Sight
    broken: Mapping[str, str] = field(default_factory=dict)

    @property
    def revision(self) -> str:
        """What it was applied at, where what syncs it says one thing; else ""."""
        said = {each.revision for ref, each in self.sight.syncers.items() if ref in self.tree.manifests}
        return said.pop() if len(said) == 1 else ""


def look_at_records(cluster: Cluster, namespace: str) -> Sight:
    """What lies there now; one LIST, and what its marks point to. Raises ClusterError."""
    (found,) = cluster.list_objects([("v1", "ConfigMap")], selector=TREE_LABEL, namespaces=[namespace])
    if isinstance(found, ClusterError):
        raise found
    bodies = {
        ref: body
        for ref, body in index_objects(found).items()
        if ref.name.startswith((SETTINGS_PREFIX, RECORD_PREFIX))
    }
    return Sight(bodies=bodies, syncers=find_syncers(cluster, bodies))


def read_cluster_tree(cluster: Cluster, namespace: str, environment: str) -> FoundTree:
    """The tree that the records in a namespace tell of; `environment` may be "" where there is only one.

    Raises ClusterError, NothingAppliedError where there is none, JsorcError where there are several, FormatError,
    TreeError or SettingsError where its settings cannot be used.
    """
    return parse_sight(cluster, look_at_records(cluster, namespace), namespace, environment)


def parse_sight(cluster: Cluster, sight: Sight, namespace: str, environment: str) -> FoundTree:
    """The tree of what was found; asks no further. Raises as read_cluster_tree does."""
    name = _choose(sight, namespace, environment)
    settings = _parse_settings(sight, name, namespace)
    records, broken = _parse_records(sight, name)
    broken |= _find_missing(sight, name, namespace) | find_claimed(sight, name, settings, records)
    manifests = [*_list_own(sight, name), *_list_judged(cluster, name, records)]
    return FoundTree(
        tree=Tree(
            name=name,
            settings=settings,
            records=records,
            manifests={each.ref: each for each in manifests if each.service in {"", *records}},
        ),
        sight=sight,
        broken=broken,
    )


def _choose(sight: Sight, namespace: str, environment: str) -> str:
    there = sight.trees
    if environment in there:
        return environment
    if len(there) == 1 and not environment:
        return there[0]
    if not there:
        raise NothingAppliedError(
            f"no tree has its settings in namespace {namespace}; nothing has applied rendered/ there"
        )
    listed = f"in namespace {namespace} (there: {', '.join(there)}); name one with --env"
    if environment:
        raise NothingAppliedError(f"no tree {environment!r} {listed}")
    raise JsorcError(f"several trees {listed}")


def _parse_settings(sight: Sight, tree: str, namespace: str) -> Settings:
    ref = ObjectRef(group="", kind="ConfigMap", namespace=namespace, name=settings_name(tree))
    _check_hands(sight.bodies[ref], str(ref), sight.syncers.get(ref))
    settings = parse_settings_manifest(parse_manifest(sight.bodies[ref], where=str(ref)), where="the cluster")
    if settings.namespace != namespace:
        raise TreeError(
            f"{ref} says namespace: {settings.namespace}, so it is a copy; name that with --namespace"
        )
    return settings


def _parse_records(sight: Sight, tree: str) -> tuple[dict[str, ServiceRecord], dict[str, str]]:
    """What can be read, and why the rest cannot."""
    records: dict[str, ServiceRecord] = {}
    broken: dict[str, str] = {}
    for service, body in sight.list_records(tree).items():
        manifest = parse_manifest(body, where="the cluster")
        try:
            _check_hands(body, str(manifest.ref), sight.syncers.get(manifest.ref))
            record = parse_record_manifest(manifest)
        except JsorcError as error:
            broken[service] = str(error)
            continue
        if record.name == service:
            records[service] = record
        else:
            broken[service] = f"{manifest.ref} is about {record.name}; apply rendered/ again"
    return records, broken


def _check_hands(body: Body, name: str, syncer: Syncer | None) -> None:
    """Refuse what somebody has edited in the cluster: it is not what was reviewed."""
    if editor := _find_editor(body, syncer):
        raise FormatError(f"{name} was edited by {editor}, and is not what git says; apply rendered/ again")


def _find_editor(body: Body, syncer: Syncer | None) -> str:
    """Who has set data of a record that is to come from git; "" where it does."""
    if syncer is None:
        owners = (each.owner.manager for path, each in find_owners(body).items() if path.startswith(".data"))
        return next((each for each in owners if PERSONS.match(each) and each not in _FROM_FILES), "")
    entries = body["metadata"].get("managedFields") or ()
    owners_of = {
        key: [each["manager"] for each in entries if f"f:{key}" in (each.get("fieldsV1") or {}).get("f:data", {})]
        for key in body.get("data") or {}
    }
    stolen = (managers for managers in owners_of.values() if syncer.manager not in managers)
    return next((managers[-1] if managers else "somebody" for managers in stolen), "")


def _find_missing(sight: Sight, tree: str, namespace: str) -> dict[str, str]:
    """Services whose records are not there, though what syncs the tree has applied them."""
    prefix, there = record_name(tree, ""), sight.list_records(tree)
    return {
        service: f"{name} is missing in namespace {namespace}, though {syncer} has applied it"
        for syncer in sight.syncers.values()
        for name in syncer.list_names(kind="ConfigMap", namespace=namespace)
        if name.startswith(prefix) and (service := name.removeprefix(prefix)) not in there
    }


def find_claimed(
    sight: Sight, tree: str, settings: Settings, records: Mapping[str, ServiceRecord]
) -> dict[str, str]:
    """Services of Jaseci that another tree in the namespace resets, too."""
    claims: dict[str, str] = {}
    for other in sight.trees:
        if other != tree:
            claims |= dict.fromkeys(_list_claims(sight, other, settings), other)
    advice = "take it out of keep_alive in one of them"
    return {
        each.name: f"{each.jaseci_name} of Jaseci is reset by tree {claims[each.jaseci_name]}, too; {advice}"
        for each in records.values()
        if _is_reset(each) and each.jaseci_name in claims
    }


def _list_claims(sight: Sight, other: str, settings: Settings) -> list[str]:
    """The services of the same Jaseci that another tree resets; one that cannot be read resets none."""
    home = settings.namespace
    try:
        theirs = _parse_settings(sight, other, home)
    except JsorcError:
        return []
    if settings.jaseci is None or theirs.jaseci is None or not theirs.enabled:
        return []
    if theirs.jaseci.locate(home) != settings.jaseci.locate(home):
        return []
    records, _ = _parse_records(sight, other)
    return [each.jaseci_name for each in records.values() if _is_reset(each)]


def _is_reset(record: ServiceRecord) -> bool:
    return record.keep_alive and record.via == "jaseci"


def _list_own(sight: Sight, tree: str) -> list[Manifest]:
    names = {settings_name(tree), *(record_name(tree, service) for service in sight.list_records(tree))}
    return [parse_manifest(body, where="the cluster") for ref, body in sight.bodies.items() if ref.name in names]


def _list_judged(cluster: Cluster, tree: str, records: Mapping[str, ServiceRecord]) -> Iterator[Manifest]:
    """What is judged, by its identity alone: nobody here knows what git says of it."""
    for record in records.values():
        labels = {SERVICE_LABEL: record.name, TREE_LABEL: tree}
        for ref in (*record.workloads, *record.others):
            version = cluster.find_api_version(*ref.group_kind) or f"{ref.group}/v1".lstrip("/")
            metadata = {"name": ref.name, "namespace": ref.namespace, "labels": labels}
            body = {"apiVersion": version, "kind": ref.kind, "metadata": metadata}
            yield Manifest(ref=ref, api_version=version, body=body, where="the cluster")
