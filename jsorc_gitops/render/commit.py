"""From a rendering to a commit: what has to be so before one is made, and what it says."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from jsorc_gitops.errors import RepositoryError
from jsorc_gitops.model.layout import FOLDER, is_ours
from jsorc_gitops.model.settings import DNS_LABEL
from jsorc_gitops.model.sources import Sources
from jsorc_gitops.model.tree import compute_digest
from jsorc_gitops.render.changes import ServiceChange, format_message
from jsorc_gitops.render.publish import Rendering, TreeFolder, check_edits, compare, write


class Repository(Protocol):
    """What a commit asks of git."""

    @property
    def prefix(self) -> str: ...
    def get_branch(self) -> str: ...
    def get_head(self) -> str: ...
    def get_operation(self) -> str: ...
    def list_dirty(self, *paths: str, ignored: bool = False) -> list[str]: ...
    def list_unwatched(self, *paths: str) -> list[str]: ...
    def read_tree(self, revision: str, folder: str) -> dict[str, str]: ...
    def has_history(self, path: str, *, revision: str = "HEAD") -> bool: ...
    def commit_files(self, paths: Sequence[str], message: str) -> str: ...
    def commit_branch(
        self,
        branch: str,
        files: Mapping[str, str],
        removed: Collection[str],
        message: str,
        *,
        parent: str,
        replacing: str,
    ) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitOptions:
    """`allow_prune` names services whose pruning the commit consents to; `force` undoes edits by hand."""

    version: str
    allow_prune: tuple[str, ...] = ()
    allow_dirty: bool = False
    force: bool = False


def commit(
    rendering: Rendering, folder: TreeFolder, repository: Repository, options: CommitOptions
) -> tuple[str | None, tuple[ServiceChange, ...]]:
    """Write and commit what differs from HEAD in meaning: (new commit, changes), or (None, ()) if nothing does.

    A consent alone is a commit, too. Raises RepositoryError, before anything is written, where a commit cannot
    be made, and TreeError where it would undo an edit by hand.
    """
    repository.get_branch()
    source = check_source(rendering.sources, repository, options)
    consents = _find_consents(rendering, repository, options, revisions=[source])
    committed = repository.read_tree(source, FOLDER)
    since_head = compare(rendering.files, rendering.trees, committed, folders=rendering.folders)
    write(rendering, folder, force=options.force)
    if not since_head.changes and not since_head.diff and not consents:
        return None, ()
    message = _format_message(since_head, options, source=source, consents=consents)
    mine = tuple(rendering.folders)
    ours = {path for path, text in committed.items() if path.startswith(mine) and is_ours(path, text)}
    paths = [f"{FOLDER}/{path}" for path in sorted(ours | rendering.files.keys())]
    return repository.commit_files(paths, message), since_head.changes


def commit_to_branch(
    rendering: Rendering,
    repository: Repository,
    branch: str,
    options: CommitOptions,
    *,
    source: str,
    parent: str,
    replacing: str,
) -> tuple[str | None, tuple[ServiceChange, ...]]:
    """The same on a branch that is not checked out: on top of `parent` ("" for none), in place of `replacing`.

    Work tree, index and HEAD are left alone. `source` is the commit that was rendered.
    """
    consents = _find_consents(rendering, repository, options, revisions=[source, parent])
    committed = repository.read_tree(parent, FOLDER) if parent else {}
    since = compare(rendering.files, rendering.trees, committed, folders=rendering.folders)
    check_edits(since, force=options.force, where=branch)
    if not since.changes and not since.diff and not consents:
        return None, ()
    revision = repository.commit_branch(
        branch,
        {f"{FOLDER}/{path}": rendering.files[path] for path in (*since.diff.added, *since.diff.changed)},
        [f"{FOLDER}/{path}" for path in since.diff.removed],
        _format_message(since, options, source=source, consents=consents),
        parent=parent,
        replacing=replacing,
    )
    return revision, since.changes


def is_committed(sources: Sources, repository: Repository, options: CommitOptions) -> bool:
    """Whether nothing is left to commit where rendered/ on disk is as it should be; raises as `commit` does."""
    repository.get_branch()
    check_source(sources, repository, options)
    return not options.allow_prune and not repository.list_dirty(FOLDER, ignored=True)


def check_source(sources: Sources, repository: Repository, options: CommitOptions) -> str:
    """The commit that is rendered, HEAD; raise RepositoryError where git is not ready for one on top."""
    if operation := repository.get_operation():
        raise RepositoryError(f"a {operation} is not finished; finish or abort it first")
    if unwatched := repository.list_unwatched("jsorc.yaml", "templates", FOLDER):
        raise RepositoryError(
            f"git does not look at {unwatched[0]}; say git update-index --no-assume-unchanged --no-skip-worktree"
        )
    source = repository.get_head()
    dirty = repository.list_dirty("jsorc.yaml", "templates", *sorted(sources.files), ignored=True)
    if dirty and not options.allow_dirty:
        raise RepositoryError(
            f"{dirty[0]} is not committed, but a render commit names its source; commit it or pass --allow-dirty"
        )
    return source


def _format_message(since: Rendering, options: CommitOptions, *, source: str, consents: Sequence[str]) -> str:
    return format_message(
        since.changes,
        source=source,
        digest=compute_digest(since.trees),
        version=options.version,
        allow_prune=consents,
    )


def _find_consents(
    rendering: Rendering, repository: Repository, options: CommitOptions, *, revisions: Sequence[str]
) -> list[str]:
    """The services to name in trailers, by tree: several may have services of the same name."""
    found = []
    for given in options.allow_prune:
        # A consent that is carried over to another commit names its environment already.
        environment, _, service = given.rpartition("/")
        folders = [f"{environment}/"] if environment else rendering.tree_folders
        paths = [f"{below}{service}" for below in folders if DNS_LABEL.match(service)]
        known = [path for path in paths if _is_known(path, rendering, repository, revisions)]
        if not known:
            raise RepositoryError(f"--allow-prune {given}: no commit has ever rendered a service of this name")
        found += [f"{repository.prefix}{path}" for path in known]
    return found


def _is_known(path: str, rendering: Rendering, repository: Repository, revisions: Sequence[str]) -> bool:
    """Whether a service is rendered now, or ever was."""
    if f"{path}/kustomization.yaml" in rendering.files:
        return True
    return any(repository.has_history(f"{FOLDER}/{path}", revision=each) for each in revisions if each)
