"""The corridor of `jsorc render`: definitions → tree → disk → commit.

Everything is made in memory and compared before the first write; nothing changed means nothing written.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from jsorc_gitops.errors import JsorcError, RepositoryError, TreeError
from jsorc_gitops.model.objects import Manifest, ObjectRef
from jsorc_gitops.model.services import ServiceFiles
from jsorc_gitops.model.settings import DNS_LABEL, parse_settings
from jsorc_gitops.model.tree import (
    DEFAULT_TREE,
    FOLDER,
    Files,
    TreeDiff,
    compute_digest,
    diff_files,
    format_tree,
    hash_value,
    is_ours,
    parse_tree,
)
from jsorc_gitops.model.yaml import parse_documents
from jsorc_gitops.render.assembly import render_tree
from jsorc_gitops.render.changes import ServiceChange, diff_manifests, format_message


class TreeFolder(Protocol):
    """The folder the tree lies in."""

    def read_tree(self) -> dict[str, str]: ...
    def write_tree(self, files: Files, diff: TreeDiff) -> None: ...


class Repository(Protocol):
    """What publishing asks of git."""

    @property
    def prefix(self) -> str: ...
    def get_branch(self) -> str: ...
    def get_head(self) -> str: ...
    def list_dirty(self, *paths: str) -> list[str]: ...
    def read_tree(self, revision: str, folder: str) -> dict[str, str]: ...
    def has_history(self, path: str) -> bool: ...
    def commit_files(self, paths: Sequence[str], message: str) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendering:
    """A tree in memory beside the one on disk."""

    files: Files
    manifests: Mapping[ObjectRef, Manifest]
    diff: TreeDiff
    changes: tuple[ServiceChange, ...]
    strangers: tuple[str, ...]  # files in the tree's folder that jsorc did not write


def render(settings_text: str, services: Mapping[str, ServiceFiles], folder: TreeFolder) -> Rendering:
    """Render everything and compare it with the folder; writes nothing."""
    settings = parse_settings(settings_text, source="jsorc.yaml", services=services)
    manifests = {each.ref: each for each in render_tree(settings, services, tree=DEFAULT_TREE)}
    files = format_tree(manifests.values(), tree=DEFAULT_TREE)
    on_disk = folder.read_tree()
    ours = {path: text for path, text in on_disk.items() if is_ours(text)}
    strangers = tuple(sorted(on_disk.keys() - ours.keys()))
    if taken := [path for path in strangers if any(_overlap(path, ours) for ours in files)]:
        raise TreeError(f"{FOLDER}/{taken[0]} was not written by jsorc; move it away")
    return Rendering(
        files=files,
        manifests=manifests,
        diff=_diff_meaning(ours, files),
        changes=diff_manifests(_read_manifests(ours), manifests),
        strangers=strangers,
    )


def write(rendering: Rendering, folder: TreeFolder) -> None:
    """Write what differs."""
    if rendering.diff:
        folder.write_tree(rendering.files, rendering.diff)


def commit(
    rendering: Rendering,
    folder: TreeFolder,
    repository: Repository,
    *,
    version: str,
    allow_prune: Sequence[str] = (),
) -> tuple[str | None, tuple[ServiceChange, ...]]:
    """Write and commit what differs from HEAD in meaning: (new commit, changes), or (None, ()) if nothing does.

    `allow_prune` names services whose pruning the commit consents to; a consent alone is a commit, too.
    Raises RepositoryError, before anything is written, where a commit cannot be made.
    """
    repository.get_branch()
    source = repository.get_head()
    if dirty := repository.list_dirty("jsorc.yaml", "templates"):
        raise RepositoryError(f"{dirty[0]} is not committed; commit it first, the render commit names its source")
    for service in allow_prune:
        if not DNS_LABEL.match(service) or not repository.has_history(f"{FOLDER}/{service}"):
            raise RepositoryError(f"--allow-prune {service}: no commit has ever rendered a service of this name")
    committed = repository.read_tree(source, FOLDER)
    changes = diff_manifests(_read_manifests(committed), rendering.manifests)
    write(rendering, folder)
    if not changes and not allow_prune and not _diff_meaning(committed, rendering.files):
        return None, ()
    message = format_message(
        changes,
        source=source,
        digest=compute_digest(rendering.manifests),
        version=version,
        # One repository may hold several trees, each in its folder, with services of the same name.
        allow_prune=[f"{repository.prefix}{service}" for service in allow_prune],
    )
    ours = {path for path, text in committed.items() if is_ours(text)} | rendering.files.keys()
    return repository.commit_files([f"{FOLDER}/{path}" for path in sorted(ours)], message), changes


def _overlap(path: str, other: str) -> bool:
    """Whether not both can be files: they are one path, or one is a folder of the other."""
    return f"{path}/".startswith(f"{other}/") or f"{other}/".startswith(f"{path}/")


def _diff_meaning(old: Files, new: Files) -> TreeDiff:
    diff = diff_files(old, new)
    changed = tuple(path for path in diff.changed if not _means_the_same(old[path], new[path]))
    return TreeDiff(added=diff.added, changed=changed, removed=diff.removed)


def _means_the_same(old: str, new: str) -> bool:
    try:
        before = parse_documents(old, source="")
    except JsorcError:
        return False
    after = parse_documents(new, source="")
    return hash_value([each.value for each in before]) == hash_value([each.value for each in after])


def _read_manifests(files: Files) -> Mapping[ObjectRef, Manifest]:
    """The objects of an earlier tree; a tree that cannot be read holds none, and is written anew."""
    try:
        return parse_tree(files, name=DEFAULT_TREE, where=FOLDER).manifests
    except JsorcError:
        return {}
