"""The corridor of `jsorc render`: definitions → trees → disk → commit.

Everything is made in memory and compared before the first write; nothing changed means nothing written.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Protocol

from jsorc_gitops.errors import JsorcError, SettingsError, TreeError
from jsorc_gitops.model.digests import hash_value
from jsorc_gitops.model.layout import (
    FOLDER,
    Files,
    TreeDiff,
    compute_folder,
    compute_path,
    diff_files,
    format_tree,
    is_conflicted,
    is_edited,
    is_ours,
)
from jsorc_gitops.model.objects import Manifest, ObjectRef, parse_manifest
from jsorc_gitops.model.services import ServiceFiles
from jsorc_gitops.model.settings import DEFAULT_TREE, Settings, parse_settings
from jsorc_gitops.model.sources import Sources
from jsorc_gitops.model.tree import find_trees
from jsorc_gitops.model.yaml import parse_documents
from jsorc_gitops.render.assembly import Fork, RenderedTree, Tools, check_environments, render_trees
from jsorc_gitops.render.changes import ServiceChange, diff_manifests
from jsorc_gitops.render.findings import Finding, FindingsError
from jsorc_gitops.render.notes import compute_notes, find_gone_trees
from jsorc_gitops.render.python import PythonDefinitions
from jsorc_gitops.render.templates import TemplateRenderer

if TYPE_CHECKING:
    from jsorc_gitops.render.report import Comparison


class TreeFolder(Protocol):
    """The folder the trees lie in."""

    def write_tree(self, files: Files, diff: TreeDiff) -> None: ...


Manifests = Mapping[ObjectRef, Manifest]

_MANY = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendering:
    """Trees in memory beside those on disk; `folders` are the ones below rendered/ that it speaks for."""

    files: Files
    trees: Mapping[str, Manifests]
    folders: tuple[str, ...]
    diff: TreeDiff
    changes: tuple[ServiceChange, ...]
    strangers: tuple[str, ...]  # files in these folders that jsorc did not write
    edited: tuple[str, ...]  # files of ours that somebody changed, and that are not what would be written
    conflicted: frozenset[str] = frozenset()  # those of them that hold a merge conflict
    findings: tuple[Finding, ...] = ()  # what the lint warns of
    notes: tuple[str, ...] = ()  # what this change does besides, and nobody may expect
    sources: Sources = field(default_factory=Sources)  # what Python definitions were made from

    @property
    def warnings(self) -> tuple[str, ...]:
        return (
            *map(str, self.findings),
            *(f"{FOLDER}/{path} was not written by jsorc and belongs to no service" for path in self.strangers),
        )

    def format_edits(self) -> list[str]:
        """What happened to each file that is not as jsorc wrote it."""
        happened = dict.fromkeys(self.conflicted, "has a merge conflict")
        return [f"{FOLDER}/{path} {happened.get(path, 'was edited by hand')}" for path in self.edited]

    @property
    def tree_folders(self) -> list[str]:
        """Where each tree lies below rendered/, "" or a path with '/' at its end."""
        return [compute_folder(tree) for tree in self.trees]

    @property
    def objects(self) -> int:
        return sum(len(manifests) for manifests in self.trees.values())


def render(
    settings_text: str,
    services: Mapping[str, ServiceFiles],
    on_disk: Files,
    *,
    python: PythonDefinitions,
    schemas: Callable[[], str],
    environments: Collection[str] = (),
    fork: Fork = nullcontext,
) -> Rendering:
    """Render everything, or these environments alone, and compare it with what lies in rendered/ now."""
    settings = parse_settings(settings_text, source="jsorc.yaml", services=services)
    check_environments(services, settings.environments)
    # What few services take is less than a fork costs.
    fork = fork if len(services) >= _MANY else nullcontext
    tools = Tools(templates=TemplateRenderer(), python=python, fork=fork)
    by_tree = {tree: settings.of_tree(tree) for tree in _select_trees(settings, environments)}
    rendered = render_trees(by_tree, services, tools=tools)
    trees = {tree: {each.ref: each for each in rendered[tree].manifests} for tree in rendered}
    # Beside one another, since the two are of about the same size.
    with fork(lambda: _lint(rendered, settings, schemas=schemas)) as get_findings:
        try:
            folders = tuple(f"{name}/" for name in environments) or ("",)
            rendering = compare(_format(rendered), trees, on_disk, folders=folders)
            notes = compute_notes(rendering.diff, trees, settings)
        except JsorcError:
            # What the lint has to say comes first.
            _check(get_findings())
            raise
        findings = get_findings()
    _check(findings)
    return replace(rendering, findings=findings, notes=notes)


def _format(trees: Mapping[str, RenderedTree]) -> dict[str, str]:
    return {
        f"{compute_folder(tree)}{path}": text
        for tree, each in trees.items()
        for path, text in format_tree(each.manifests, tree=tree).items()
    }


def _check(findings: Iterable[Finding]) -> None:
    if errors := [each for each in findings if each.severity == "error"]:
        raise FindingsError(errors)


def _lint(
    trees: Mapping[str, RenderedTree], settings: Settings, *, schemas: Callable[[], str]
) -> tuple[Finding, ...]:
    """What is wrong with the objects of all trees."""
    # Imported where it runs, so that a fork alone pays for it.
    from jsorc_gitops.render.kinds import Schemas
    from jsorc_gitops.render.lint import check_tree, check_trees

    known = Schemas(schemas())
    own = {tree: settings.of_tree(tree) for tree in trees}
    findings = [
        finding
        for tree, each in trees.items()
        for finding in check_tree(each.objects, known, each.plain_secrets, flux=own[tree].applier == "flux")
    ]
    clusters = {tree: each.cluster for tree, each in own.items()}
    findings += check_trees({tree: each.manifests for tree, each in trees.items()}, clusters=clusters)
    # What is wrong in a template is so in every environment.
    return tuple(dict.fromkeys(findings))


def compare(files: Files, trees: Mapping[str, Manifests], on_disk: Files, *, folders: Sequence[str]) -> Rendering:
    """What these trees are beside the files that lie in their folders now."""
    theirs = {path: text for path, text in on_disk.items() if path.startswith(tuple(folders))}
    # A power cut may leave an empty file where one of ours was being written.
    ours = {path: text for path, text in theirs.items() if is_ours(path, text) or (path in files and not text)}
    diff = diff_meaning(ours, files)
    strangers = tuple(sorted(theirs.keys() - ours.keys()))
    if taken := [path for path in strangers if any(_overlap(path, each) for each in files)]:
        raise TreeError(f"{FOLDER}/{taken[0]} was not written by jsorc; move it away")
    return Rendering(
        files=files,
        trees=trees,
        folders=tuple(folders),
        diff=diff,
        changes=tuple(
            change
            for tree in sorted({*trees, *find_gone_trees(diff)})
            for change in _diff_tree(tree, trees, ours, diff)
        ),
        strangers=strangers,
        edited=tuple(
            path for path in (*diff.changed, *diff.removed) if ours[path] and is_edited(path, ours[path])
        ),
        conflicted=frozenset(path for path, text in ours.items() if is_conflicted(text)),
    )


def check_edits(rendering: Rendering, *, force: bool, where: str = "") -> None:
    """Raise TreeError that names every edit by hand that writing would undo, unless `force`."""
    if rendering.edited and not force:
        place = f"{where}: " if where else ""
        names = "\n".join(f"{place}{each}" for each in rendering.format_edits())
        raise TreeError(
            f"{names}\nmove the edits to templates/, or overwrite them with --force; nothing was written"
        )


def write(rendering: Rendering, folder: TreeFolder, *, force: bool = False) -> None:
    """Write what differs; raise TreeError where that undoes an edit by hand, unless `force`."""
    check_edits(rendering, force=force)
    if rendering.diff:
        folder.write_tree(rendering.files, rendering.diff)


def compare_trees(
    rendering: Rendering, files: Files, *, against: str, mask_key: bytes
) -> tuple["Comparison", ...]:
    """Each tree beside what `files` of all of rendered/ hold of it; one that they alone have is removed whole."""
    # Most runs compare with nothing but the disk.
    from jsorc_gitops.render.report import compute_comparison

    there = {tree: _of_tree(files, tree) for tree in find_trees(files)}
    if rendering.folders != ("",):
        there = {tree: below for tree, below in there.items() if compute_folder(tree) in rendering.folders}
    return tuple(
        compute_comparison(
            _read_manifests(there.get(tree, {})),
            rendering.trees.get(tree, {}),
            tree=tree,
            against=against,
            mask_key=mask_key,
        )
        for tree in sorted({*there, *rendering.trees})
    )


def _of_tree(files: Files, tree: str) -> Files:
    below = compute_folder(tree)
    return {path: text for path, text in files.items() if path.startswith(below)}


def _select_trees(settings: Settings, environments: Collection[str]) -> list[str]:
    """The trees to render: of the environments, or the one tree of a repository without any."""
    known = ", ".join(settings.environments) or "none"
    for name in environments:
        if name not in settings.environments:
            raise SettingsError(f"no environment {name!r} in jsorc.yaml (there: {known})")
    return [name for name in settings.environments if not environments or name in environments] or [DEFAULT_TREE]


def _diff_tree(tree: str, trees: Mapping[str, Manifests], ours: Files, diff: TreeDiff) -> Iterable[ServiceChange]:
    """What changes in one tree; only files that differ are read, since the others hold the same objects."""
    below = compute_folder(tree)
    old, new = read_touched(tree, trees, ours, diff)
    for change in diff_manifests(old, new):
        service, summary = f"{below}{change.service}".rstrip("/"), f"{below}{change.summary}"
        yield replace(change, service=service, summary=summary)


def read_touched(
    tree: str, trees: Mapping[str, Manifests], ours: Files, diff: TreeDiff
) -> tuple[Manifests, Manifests]:
    """A tree's objects in the files that differ, before and after."""
    below = compute_folder(tree)
    others = tuple(
        folder for each in (*trees, *find_gone_trees(diff)) if (folder := compute_folder(each)) != below
    )
    touched = {
        path
        for path in (*diff.added, *diff.changed, *diff.removed)
        if path.startswith(below) and (below or not path.startswith(others))
    }
    old = _read_manifests({path: ours[path] for path in touched if path in ours})
    manifests = trees.get(tree, {})
    new = {ref: each for ref, each in manifests.items() if f"{below}{compute_path(each, tree=tree)}" in touched}
    return old, new


def _overlap(path: str, other: str) -> bool:
    """Whether not both can be files: they are one path, or one is a folder of the other."""
    return f"{path}/".startswith(f"{other}/") or f"{other}/".startswith(f"{path}/")


def diff_meaning(old: Files, new: Files) -> TreeDiff:
    """How `new` differs from `old`; comments and the order of keys do not count."""
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


def _read_manifests(files: Files) -> Manifests:
    """The objects of files as they were; one that cannot be read holds none, and is written anew."""
    found: dict[ObjectRef, Manifest] = {}
    for path, text in files.items():
        if PurePosixPath(path).name == "kustomization.yaml":
            continue
        with suppress(JsorcError):
            documents = parse_documents(text, source=path)
            manifests = [parse_manifest(each.value, where=path) for each in documents]
            found |= {each.ref: each for each in manifests}
    return found
