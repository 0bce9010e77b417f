"""Which file of rendered/ an object lies in, which files are ours, and how two sets of files differ."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby

from jsorc_gitops.model.kinds import OWN_GROUPS
from jsorc_gitops.model.objects import Manifest, ObjectRef
from jsorc_gitops.model.settings import DEFAULT_TREE
from jsorc_gitops.model.yaml import format_documents, format_yaml

FOLDER = "rendered"
RECORD_PREFIX, SETTINGS_PREFIX = "jsorc.record.", "jsorc.settings."

Files = Mapping[str, str]  # path below the tree's folder, with '/' → text

_MARK = "# Rendered by jsorc"
# The digest of what follows the first line tells a file that was edited from one that older templates made.
_FIRST_LINE = re.compile(rf"{_MARK} from (?P<origin>\S+), sha256 (?P<digest>[0-9a-f]{{16}})")
# A merge conflict, or a comment of somebody, may stand above it.
_MARKED = re.compile(rf"(?:(?:#|<<<<<<< ).*\n){{0,5}}{_MARK}")
# What a killed run leaves of a file it was about to put in place (adapters/files writes it).
_SCRATCH = re.compile(r"(.*/)?\.[^/]+\.[0-9a-f]{8}\.tmp\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeDiff:
    """Paths that one tree has and another has not, or has otherwise; each sorted."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed)


def settings_name(tree: str) -> str:
    return f"{SETTINGS_PREFIX}{tree}"


def record_name(tree: str, service: str) -> str:
    return f"{RECORD_PREFIX}{tree}.{service}"


def rights_name(home: str, tree: str) -> str:
    """What the Roles of a tree are called.

    Trees of other repositories have the same name, and may share a namespace, and the whole cluster.
    """
    return f"jsorc.{home}.{tree}"


def lease_name(tree: str) -> str:
    return f"jsorc.{tree}"


def compute_folder(tree: str) -> str:
    """Where a tree lies below rendered/: "" for the one of a repository without environments."""
    return "" if tree == DEFAULT_TREE else f"{tree}/"


def compute_path(manifest: Manifest, *, tree: str) -> str:
    """The file an object lies in, below the tree's folder; the tree's own objects lie at its top."""
    ref = manifest.ref
    if ref.kind == "Namespace" and not ref.group:
        return "namespaces.yaml"
    if not (service := manifest.service):
        return "settings.yaml"
    if ref.kind == "ConfigMap" and not ref.group and ref.name == record_name(tree, service):
        return f"{service}/record.yaml"
    return f"{service}/{compute_file_name(ref)}"


def compute_file_name(ref: ObjectRef) -> str:
    """'Deployment.yaml', or 'Queue.example.com.yaml' for kinds that are not Kubernetes' own."""
    suffix = "" if ref.group in OWN_GROUPS else f".{ref.group}"
    return f"{ref.kind}{suffix}.yaml"


def format_tree(manifests: Iterable[Manifest], *, tree: str) -> dict[str, str]:
    """All files of a tree that holds exactly these objects."""
    placed = sorted(
        ((compute_path(each, tree=tree), each) for each in manifests), key=lambda pair: (pair[0], pair[1].ref)
    )
    files: dict[str, str] = {}
    for path, group in groupby(placed, key=lambda pair: pair[0]):
        service = path.partition("/")[0] if "/" in path else ""
        origin = f"templates/{service}" if service else "jsorc.yaml"
        files[path] = _sign(format_documents([each.body for _, each in group]), origin)
    names: dict[str, list[str]] = {}
    for path in files:
        folder, slash, name = path.partition("/")
        if slash:
            names.setdefault(folder, []).append(name)
    for folder, listed in names.items():
        files[f"{folder}/kustomization.yaml"] = _format_kustomization(listed, f"templates/{folder}")
    top = sorted(path for path in files if "/" not in path)
    files["kustomization.yaml"] = _format_kustomization([*top, *sorted(names)], "jsorc.yaml")
    return dict(sorted(files.items()))


def is_ours(path: str, text: str) -> bool:
    """Whether a file was written by `jsorc render`: a line at its top says so, or a killed run left it."""
    return _MARKED.match(text) is not None or _SCRATCH.match(path) is not None


def is_conflicted(text: str) -> bool:
    """Whether a file of ours holds a merge conflict: no two of them begin alike, so it is in the first line."""
    return text.startswith("<<<<<<< ")


def is_edited(path: str, text: str) -> bool:
    """Whether somebody changed a file of ours: what it holds is not what its first line was made for."""
    if _SCRATCH.match(path):
        return False
    line, _, rest = text.partition("\n")
    found = _FIRST_LINE.match(line)
    return found is None or found["digest"] != _compute_checksum(rest)


def diff_files(old: Files, new: Files) -> TreeDiff:
    """How `new` differs from `old`, byte for byte."""
    return TreeDiff(
        added=tuple(sorted(new.keys() - old.keys())),
        changed=tuple(sorted(path for path in old.keys() & new.keys() if old[path] != new[path])),
        removed=tuple(sorted(old.keys() - new.keys())),
    )


def _format_kustomization(resources: list[str], origin: str) -> str:
    body = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": resources,
    }
    return _sign(format_yaml(body), origin)


def _sign(text: str, origin: str) -> str:
    return f"{_MARK} from {origin}, sha256 {_compute_checksum(text)}; edit that, not this.\n{text}"


def _compute_checksum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
