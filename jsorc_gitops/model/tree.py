"""The rendered tree: which file an object lies in, how two trees differ, what a tree says.

The tree is an interface (DESIGN §2): kustomization.yaml files list all that belongs to it, so that kubectl,
Argo CD, Flux and `jsorc reconcile` read the same set. A file that no list names is not part of the tree.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import PurePosixPath
from typing import Any

from jsorc_gitops.errors import TreeError
from jsorc_gitops.model.objects import SERVICE_LABEL, TREE_LABEL, Manifest, ObjectRef, parse_manifest
from jsorc_gitops.model.services import ServiceRecord, format_record, parse_record
from jsorc_gitops.model.settings import Settings, format_settings, parse_settings
from jsorc_gitops.model.yaml import format_documents, format_yaml, parse_documents

FOLDER = "rendered"
DEFAULT_TREE = "default"
SETTINGS_VERSION = 1
RECORD_PREFIX = "jsorc.record."
PRUNE_TRAILER = "Jsorc-Prune"  # in a commit: consent to pruning this service beyond the budget

Files = Mapping[str, str]  # path below the tree's folder, with '/' → text

_MARK = "# Rendered by jsorc"

# Groups of Kubernetes itself that have no dot or end in .k8s.io; custom kinds under *.k8s.io exist
# too (gateway.networking.k8s.io), so the names are listed.
_OWN_GROUPS = frozenset(
    {
        "",
        "admissionregistration.k8s.io",
        "apiextensions.k8s.io",
        "apiregistration.k8s.io",
        "apps",
        "authentication.k8s.io",
        "authorization.k8s.io",
        "autoscaling",
        "batch",
        "certificates.k8s.io",
        "coordination.k8s.io",
        "discovery.k8s.io",
        "events.k8s.io",
        "flowcontrol.apiserver.k8s.io",
        "networking.k8s.io",
        "node.k8s.io",
        "policy",
        "rbac.authorization.k8s.io",
        "resource.k8s.io",
        "scheduling.k8s.io",
        "storage.k8s.io",
        "storagemigration.k8s.io",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """A rendered tree read back: settings, records and every object, by identity."""

    name: str
    settings: Settings
    records: Mapping[str, ServiceRecord]
    manifests: Mapping[ObjectRef, Manifest] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeDiff:
    """Paths that one tree has and another has not, or has otherwise; each sorted."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed)


def settings_name(tree: str) -> str:
    return f"jsorc.settings.{tree}"


def record_name(tree: str, service: str) -> str:
    return f"{RECORD_PREFIX}{tree}.{service}"


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


def compute_path(manifest: Manifest, *, tree: str) -> str:
    """The file an object lies in, below the tree's folder; the tree's own objects lie at its top."""
    ref = manifest.ref
    if ref.kind == "Namespace" and not ref.group:
        return "namespaces.yaml"
    if not manifest.service:
        return "settings.yaml"
    if (ref.group, ref.kind, ref.name) == ("", "ConfigMap", record_name(tree, manifest.service)):
        return f"{manifest.service}/record.yaml"
    suffix = "" if ref.group in _OWN_GROUPS else f".{ref.group}"
    return f"{manifest.service}/{ref.kind}{suffix}.yaml"


def format_tree(manifests: Iterable[Manifest], *, tree: str) -> dict[str, str]:
    """All files of a tree that holds exactly these objects."""
    placed = sorted(
        ((compute_path(each, tree=tree), each) for each in manifests), key=lambda pair: (pair[0], pair[1].ref)
    )
    files: dict[str, str] = {}
    for path, group in groupby(placed, key=lambda pair: pair[0]):
        service = path.partition("/")[0] if "/" in path else ""
        origin = f"templates/{service}" if service else "jsorc.yaml"
        documents = format_documents([each.body for _, each in group])
        files[path] = f"{_MARK} from {origin}; edits here are overwritten.\n{documents}"
    folders = {path.partition("/")[0] for path in files if "/" in path}
    for folder in folders:
        names = [path.partition("/")[2] for path in files if path.startswith(f"{folder}/")]
        files[f"{folder}/kustomization.yaml"] = _format_kustomization(sorted(names))
    top = sorted(path for path in files if "/" not in path)
    files["kustomization.yaml"] = _format_kustomization([*top, *sorted(folders)])
    return dict(sorted(files.items()))


def is_ours(text: str) -> bool:
    """Whether a file was written by `jsorc render`: its first line says so, also after a killed run."""
    return text.startswith(_MARK)


def list_files(files: Files, *, where: str) -> list[str]:
    """All paths that the kustomization.yaml files of a tree name, those files included.

    Raises TreeError where a list is missing or broken, names what is not there, or leaves the tree.
    """
    found: list[str] = []
    pending = [""]
    while pending:
        folder = pending.pop()
        path = f"{folder}kustomization.yaml"
        found.append(path)
        for name in _parse_kustomization(files, path, where=where):
            target = f"{folder}{name}"
            if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
                raise TreeError(f"{where}/{path}: {name!r} leaves the tree")
            if target in files:
                found.append(target)
            else:
                pending.append(f"{target}/")
    return sorted(found)


def parse_tree(files: Files, *, name: str, where: str) -> Tree:
    """Read a rendered tree; `where` is its folder as messages spell it. Raises TreeError or FormatError."""
    manifests: dict[ObjectRef, Manifest] = {}
    for path in list_files(files, where=where):
        if PurePosixPath(path).name == "kustomization.yaml":
            continue
        for document in parse_documents(files[path], source=f"{where}/{path}"):
            place = f"{where}/{path}:{document.line}"
            manifest = parse_manifest(document.value, where=place)
            if (manifest.body["metadata"].get("labels") or {}).get(TREE_LABEL) != name:
                raise TreeError(f"{place}: {manifest.ref} does not carry the label {TREE_LABEL}: {name}")
            if manifest.ref in manifests:
                raise TreeError(f"{place}: {manifest.ref} is in the tree twice")
            manifests[manifest.ref] = manifest
    settings = _find_settings(manifests, name, where=where)
    records = {
        each.service: parse_record(_data(each, "service.json"), where=str(ref))
        for ref, each in manifests.items()
        if each.service and ref.name == record_name(name, each.service) and ref.kind == "ConfigMap"
    }
    if lost := {each.service for each in manifests.values()} - {*records, ""}:
        raise TreeError(f"{where}: no record of {', '.join(sorted(lost))}; run jsorc render")
    return Tree(name=name, settings=settings, records=records, manifests=manifests)


def diff_files(old: Files, new: Files) -> TreeDiff:
    """How `new` differs from `old`, byte for byte."""
    return TreeDiff(
        added=tuple(sorted(new.keys() - old.keys())),
        changed=tuple(sorted(path for path in old.keys() & new.keys() if old[path] != new[path])),
        removed=tuple(sorted(old.keys() - new.keys())),
    )


def compute_digest(manifests: Mapping[ObjectRef, Manifest]) -> str:
    """'sha256:…' over what a tree means: comments, key order and file names do not count."""
    return "sha256:" + hash_value([manifests[ref].body for ref in sorted(manifests)])


def hash_value(value: Any) -> str:
    """The SHA-256, in hex, of a value in canonical JSON."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _find_settings(manifests: Mapping[ObjectRef, Manifest], tree: str, *, where: str) -> Settings:
    ref = next((each for each in manifests if (each.kind, each.name) == ("ConfigMap", settings_name(tree))), None)
    if ref is None:
        raise TreeError(f"{where}: the settings record {settings_name(tree)} is missing; run jsorc render")
    try:
        data = json.loads(_data(manifests[ref], "settings.json"))
        version, settings = data["version"], data["settings"]
    except (ValueError, KeyError, TypeError) as error:
        raise TreeError(f"{where}: {ref} holds no settings; run jsorc render") from error
    if version != SETTINGS_VERSION:
        raise TreeError(f"{where}: {ref} has version {version}, this jsorc reads {SETTINGS_VERSION}")
    return parse_settings(format_yaml(settings), source=str(ref))


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


def _format_kustomization(resources: list[str]) -> str:
    body = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": resources,
    }
    return f"{_MARK}: all that belongs to the tree.\n{format_yaml(body)}"


def _parse_kustomization(files: Files, path: str, *, where: str) -> list[str]:
    if path not in files:
        raise TreeError(f"{where}/{path} is missing; run jsorc render")
    documents = parse_documents(files[path], source=f"{where}/{path}")
    body = documents[0].value if len(documents) == 1 else None
    resources = body.get("resources") if isinstance(body, Mapping) else None
    if not isinstance(resources, list) or not all(isinstance(each, str) for each in resources):
        raise TreeError(f"{where}/{path}: no list of resources; run jsorc render")
    return resources
