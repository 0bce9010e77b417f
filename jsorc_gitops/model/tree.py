"""What a rendered tree says: its objects, its settings, the records of its services.

The tree is an interface (DESIGN §2): kustomization.yaml files list all that belongs to it, so that kubectl,
Argo CD, Flux and `jsorc reconcile` read the same set. A file that no list names is not part of the tree.
"""

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from jsorc_gitops.errors import TreeError
from jsorc_gitops.model.digests import hash_value
from jsorc_gitops.model.kept import ParsedFile
from jsorc_gitops.model.layout import record_name, settings_name
from jsorc_gitops.model.objects import SERVICE_LABEL, TREE_LABEL, Manifest, ObjectRef, parse_manifest
from jsorc_gitops.model.policy import DEFAULT, ApplyPolicy
from jsorc_gitops.model.services import ServiceRecord, format_record, parse_record
from jsorc_gitops.model.settings import DEFAULT_TREE, Settings, format_settings, parse_settings
from jsorc_gitops.model.yaml import format_yaml, parse_documents

# By path: a text, or what an earlier pass has read.
Sources = Mapping[str, str | ParsedFile]
Keep = Callable[[str, ParsedFile], None]

SETTINGS_VERSION = 1
PRUNE_TRAILER = "Jsorc-Prune"  # in a commit: consent to pruning this service beyond the budget


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """A rendered tree read back: settings, records and every object, by identity."""

    name: str
    settings: Settings
    records: Mapping[str, ServiceRecord]
    manifests: Mapping[ObjectRef, Manifest] = field(repr=False)

    def find_policy(self, service: str) -> ApplyPolicy:
        """What a service allows; what belongs to the tree alone ("") allows what is allowed by default."""
        return self.records[service].policy if service else DEFAULT


def make_settings_manifest(settings: Settings, tree: str) -> Manifest:
    """The ConfigMap that carries the settings."""
    data = {"version": SETTINGS_VERSION, "settings": format_settings(settings)}
    text = json.dumps(data, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    return _make_config_map(settings_name(tree), settings, {TREE_LABEL: tree}, {"settings.json": text})


def make_record_manifest(record: ServiceRecord, settings: Settings, tree: str) -> Manifest:
    """The ConfigMap that carries what reconcile must know of a service."""
    labels = {SERVICE_LABEL: record.name, TREE_LABEL: tree}
    name = record_name(tree, record.name)
    return _make_config_map(name, settings, labels, {"service.json": format_record(record)})


def find_trees(files: Collection[str]) -> list[str]:
    """The names of the trees that all of rendered/ holds, by the paths of its files."""
    if "kustomization.yaml" in files:
        return [DEFAULT_TREE]
    lists = [PurePosixPath(path) for path in files if path.endswith("/kustomization.yaml")]
    return sorted(path.parts[0] for path in lists if len(path.parts) == len(("NAME", "kustomization.yaml")))


def find_tree(files: Collection[str], environment: str, *, where: str) -> str:
    """The name of the tree to use out of all of rendered/; `environment` may be "" where there is only one.

    Raises TreeError that names the environments there are.
    """
    there = find_trees(files)
    if there == [DEFAULT_TREE]:
        if environment:
            raise TreeError(f"{where} has no environments, so there is no {environment!r}; leave --env out")
        return DEFAULT_TREE
    if environment in there:
        return environment
    if not environment and len(there) == 1:
        return there[0]
    known = ", ".join(there) or "none"
    problem = f"no environment {environment!r} there" if environment else "several environments"
    raise TreeError(f"{where}: {problem} (found: {known}); name one with --env")


def list_files(files: Sources, *, where: str, keep: Keep = lambda *_: None) -> list[str]:
    """All paths that the kustomization.yaml files of a tree name, those files included.

    Raises TreeError where a list is missing or broken, names what is not there, or leaves the tree.
    """
    found: list[str] = []
    pending = [""]
    while pending:
        folder = pending.pop()
        path = f"{folder}kustomization.yaml"
        found.append(path)
        for name in _read_list(files, path, where=where, keep=keep):
            target = f"{folder}{name}"
            if name.startswith("/") or ".." in name.split("/"):
                raise TreeError(f"{where}/{path}: {name!r} leaves the tree")
            if target in files:
                found.append(target)
            else:
                pending.append(f"{target}/")
    return sorted(found)


def parse_tree(files: Sources, *, name: str, where: str, keep: Keep = lambda *_: None) -> Tree:
    """Read a rendered tree; `where` is its folder as messages spell it. Raises TreeError or FormatError.

    `keep` is handed what each text was read as.
    """
    manifests: dict[ObjectRef, Manifest] = {}
    for path in list_files(files, where=where, keep=keep):
        if path.rpartition("/")[2] == "kustomization.yaml":
            continue
        for manifest in _read_objects(files[path], path, name, where=where, keep=keep):
            if manifest.ref in manifests:
                raise TreeError(f"{manifest.where}: {manifest.ref} is in the tree twice")
            manifests[manifest.ref] = manifest
    settings = _find_settings(manifests, name, where=where)
    records = {
        each.service: parse_record_manifest(each)
        for ref, each in manifests.items()
        if each.service and ref.name == record_name(name, each.service) and ref.kind == "ConfigMap"
    }
    if lost := {each.service for each in manifests.values()} - {*records, ""}:
        raise TreeError(f"{where}: no record of {', '.join(sorted(lost))}; run jsorc render")
    return Tree(name=name, settings=settings, records=records, manifests=manifests)


def parse_settings_manifest(manifest: Manifest, *, where: str) -> Settings:
    """The settings that a ConfigMap carries. Raises TreeError or SettingsError."""
    try:
        data = json.loads(_data(manifest, "settings.json"))
        if data["version"] != SETTINGS_VERSION:
            raise TreeError(
                f"{where}: {manifest.ref} has version {data['version']}, this jsorc reads {SETTINGS_VERSION}; "
                "use the jsorc that rendered it, or a newer one"
            )
        settings = data["settings"]
    except (ValueError, KeyError, TypeError) as error:
        raise TreeError(f"{where}: {manifest.ref} holds no settings; run jsorc render") from error
    return parse_settings(format_yaml(settings), source=str(manifest.ref))


def parse_record_manifest(manifest: Manifest) -> ServiceRecord:
    """The record of a service that a ConfigMap carries. Raises FormatError or TreeError."""
    return parse_record(_data(manifest, "service.json"), where=str(manifest.ref))


def compute_digest(trees: Mapping[str, Mapping[ObjectRef, Manifest]]) -> str:
    """'sha256:…' over what trees mean: comments, key order and file names do not count."""
    bodies = {name: [manifests[ref].body for ref in sorted(manifests)] for name, manifests in trees.items()}
    return "sha256:" + hash_value(bodies)


def _find_settings(manifests: Mapping[ObjectRef, Manifest], tree: str, *, where: str) -> Settings:
    ref = next((each for each in manifests if (each.kind, each.name) == ("ConfigMap", settings_name(tree))), None)
    if ref is None:
        raise TreeError(f"{where}: the settings record {settings_name(tree)} is missing; run jsorc render")
    return parse_settings_manifest(manifests[ref], where=where)


def _data(manifest: Manifest, key: str) -> str:
    data = manifest.body.get("data")
    text = data.get(key) if isinstance(data, Mapping) else None
    if not isinstance(text, str):
        raise TreeError(f"{manifest.ref}: the data key {key} is missing; run jsorc render")
    return text


def _make_config_map(name: str, settings: Settings, labels: dict[str, str], data: dict[str, str]) -> Manifest:
    body = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": settings.namespace, "labels": labels},
        "data": data,
    }
    return parse_manifest(body, where=name)


def _read_list(files: Sources, path: str, *, where: str, keep: Keep) -> tuple[str, ...]:
    if path not in files:
        raise TreeError(f"{where}/{path} is missing; run jsorc render")
    source = files[path]
    if isinstance(source, ParsedFile):
        return source.resources
    documents = parse_documents(source, source=f"{where}/{path}")
    body = documents[0].value if len(documents) == 1 else None
    resources = body.get("resources") if isinstance(body, Mapping) else None
    if not isinstance(resources, list) or not all(isinstance(each, str) for each in resources):
        raise TreeError(f"{where}/{path}: no list of resources; run jsorc render")
    keep(path, ParsedFile(resources=tuple(resources)))
    return tuple(resources)


def _read_objects(
    source: str | ParsedFile, path: str, name: str, *, where: str, keep: Keep
) -> tuple[Manifest, ...]:
    if isinstance(source, ParsedFile):
        return source.manifests
    manifests = []
    for document in parse_documents(source, source=f"{where}/{path}"):
        place = f"{where}/{path}:{document.line}"
        manifest = parse_manifest(document.value, where=place)
        if (manifest.body["metadata"].get("labels") or {}).get(TREE_LABEL) != name:
            raise TreeError(f"{place}: {manifest.ref} does not carry the label {TREE_LABEL}: {name}")
        manifests.append(manifest)
    keep(path, ParsedFile(manifests=tuple(manifests)))
    return tuple(manifests)
