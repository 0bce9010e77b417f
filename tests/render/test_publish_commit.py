"""The corridor of render up to the commit: when there is one, and what it says."""

from collections.abc import Sequence
from typing import Any

import pytest

from jsorc_gitops.errors import RepositoryError
from jsorc_gitops.model.tree import compute_digest
from jsorc_gitops.render import publish
from jsorc_gitops.render.changes import ServiceChange
from jsorc_gitops.render.commit import CommitOptions
from jsorc_gitops.render.commit import commit as make_commit
from tests.render.builders import TOOLS, MemoryFolder, make_redis

HEAD = "a" * 40
NEXT = "b" * 40
NOT_COMMITTED = "is not committed, but a render commit names its source; commit it or pass --allow-dirty"


class MemoryRepository:
    """A repository with one commit, that takes another one."""

    def __init__(self, committed: dict[str, str] | None = None, *, branch: str = "main", dirty: str = "") -> None:
        self.committed = committed or {}
        self.branch = branch
        self.dirty = [dirty] if dirty else []
        self.messages: list[str] = []
        self.paths: list[str] = []
        self.prefix = ""

    def get_branch(self) -> str:
        if not self.branch:
            raise RepositoryError("HEAD is detached")
        return self.branch

    def get_head(self) -> str:
        return HEAD

    def get_operation(self) -> str:
        return ""

    def list_unwatched(self, *paths: str) -> list[str]:
        assert paths == ("jsorc.yaml", "templates", "rendered")
        return []

    def list_dirty(self, *paths: str, ignored: bool = False) -> list[str]:
        assert (paths, ignored) == (("jsorc.yaml", "templates"), True)
        return self.dirty

    def read_tree(self, revision: str, folder: str) -> dict[str, str]:
        assert (revision, folder) == (HEAD, "rendered")
        return self.committed

    def has_history(self, path: str, *, revision: str = "HEAD") -> bool:
        assert revision == HEAD
        return path in {"rendered/redis", "rendered/mail", "rendered/", "rendered/*"}

    def commit_branch(self, *_: object, **__: object) -> str:
        raise NotImplementedError

    def commit_files(self, paths: Sequence[str], message: str) -> str:
        self.paths = list(paths)
        self.messages.append(message)
        return NEXT


def commit(
    folder: MemoryFolder, repository: MemoryRepository, *, allow_prune: tuple[str, ...] = (), **redis: Any
) -> tuple[str | None, tuple[ServiceChange, ...]]:
    rendering = publish.render("", {"redis": make_redis(**redis)}, folder.read_tree(), **TOOLS)
    folder.writes.clear()
    return make_commit(
        rendering, folder, repository, CommitOptions(version="1.2.3", allow_prune=allow_prune, force=True)
    )


@pytest.fixture
def tree() -> dict[str, str]:
    return dict(publish.render("", {"redis": make_redis()}, {}, **TOOLS).files)


def test_what_changed_is_written_and_committed(tree: dict[str, str]) -> None:
    """A changed value is written, and committed with a message that says what, from which source."""
    folder, repository = MemoryFolder(tree), MemoryRepository(tree)

    revision, [change] = commit(folder, repository, image="redis:7")

    assert (revision, change.lines) == (NEXT, ("~ Deployment/redis: image 6→7",))
    assert folder.writes == ["redis/Deployment.yaml"]
    trees = publish.render("", {"redis": make_redis(image="redis:7")}, folder.read_tree(), **TOOLS).trees
    [message] = repository.messages
    assert message == (
        "render: redis image 6→7\n\nredis:\n  ~ Deployment/redis: image 6→7\n\n"
        f"Jsorc-Source: {HEAD}\nJsorc-Digest: {compute_digest(trees)}\nJsorc-Version: 1.2.3\n"
    )


def test_nothing_changed_is_no_commit(tree: dict[str, str]) -> None:
    """What is as committed is neither written nor committed again."""
    folder, repository = MemoryFolder(tree), MemoryRepository(tree)

    assert (commit(folder, repository), folder.writes, repository.messages) == ((None, ()), [], [])


def test_comments_are_no_commit(tree: dict[str, str]) -> None:
    """A comment that differs, on disk or in HEAD, is no reason for a commit."""
    commented = {path: f"{text}# a comment\n" for path, text in tree.items()}
    repositories = MemoryRepository(tree), MemoryRepository(commented)

    results = [commit(MemoryFolder(commented), repository) for repository in repositories]

    assert (results, [each.messages for each in repositories]) == ([(None, ()), (None, ())], [[], []])


def test_what_was_written_before_is_committed_now(tree: dict[str, str]) -> None:
    """After a render without --commit, the commit says what changed since HEAD, not since the last run."""
    written = dict(publish.render("", {"redis": make_redis(replicas=3)}, {}, **TOOLS).files)
    folder, repository = MemoryFolder(written), MemoryRepository(tree)

    revision, [change] = commit(folder, repository, replicas=3)

    assert (revision, change.summary, folder.writes) == (NEXT, "redis replicas 1→3", [])


def test_another_layout_is_committed(tree: dict[str, str]) -> None:
    """Files that mean the same objects but lie elsewhere, as another version put them, are committed."""
    old = {path: text for path, text in tree.items() if path != "redis/Deployment.yaml"}
    old |= {"redis/Old.yaml": tree["redis/Deployment.yaml"]}
    old["redis/kustomization.yaml"] = tree["redis/kustomization.yaml"].replace("Deployment", "Old")
    folder, repository = MemoryFolder(old), MemoryRepository(old)

    assert commit(folder, repository) == (NEXT, ())
    assert folder.files == tree
    assert repository.messages[0].startswith("render: files\n\nJsorc-Source: ")


def test_a_consent_alone_is_a_commit(tree: dict[str, str]) -> None:
    """Consenting to pruning needs a commit that carries it, also when nothing else changes."""
    repository = MemoryRepository(tree)

    assert commit(MemoryFolder(tree), repository, allow_prune=("mail",)) == (NEXT, ())
    assert repository.messages[0].startswith("render: allow pruning mail\n\n")
    assert repository.messages[0].endswith("\nJsorc-Prune: mail\n")


def test_a_consent_says_which_folder(tree: dict[str, str]) -> None:
    """In a monorepo another tree may have a service of the same name; the consent is not for that one."""
    repository = MemoryRepository(tree)
    repository.prefix = "deploy/"
    commit(MemoryFolder(tree), repository, allow_prune=("mail",))

    assert repository.messages[0].endswith("\nJsorc-Prune: deploy/mail\n")


def test_what_is_committed(tree: dict[str, str]) -> None:
    """The files of the tree, and those of ours that HEAD has and the tree has no more; no stranger's."""
    ours = f"{tree['redis/record.yaml'].splitlines()[0]}\n"
    repository = MemoryRepository({**tree, "mail/record.yaml": ours, "notes.md": "by hand"})
    commit(MemoryFolder(dict(tree)), repository)

    assert repository.paths == [f"rendered/{path}" for path in sorted([*tree, "mail/record.yaml"])]


@pytest.mark.parametrize("name", ["rediss", "", "*"])
def test_a_consent_names_a_service(name: str) -> None:
    """A consent with a slip of the pen is refused before anything is written, and so is one to everything."""
    folder, repository = MemoryFolder({}), MemoryRepository({})

    with pytest.raises(RepositoryError, match="no commit has ever rendered a service of this name"):
        commit(folder, repository, allow_prune=(name,))
    assert (folder.files, repository.messages) == ({}, [])


@pytest.mark.parametrize(
    ("repository", "message"),
    [
        (MemoryRepository(branch=""), "HEAD is detached"),
        (
            MemoryRepository(dirty="templates/redis/service.yaml"),
            f"templates/redis/service.yaml {NOT_COMMITTED}",
        ),
    ],
)
def test_where_no_commit_can_be_made_nothing_is_written(repository: MemoryRepository, message: str) -> None:
    """What stands against a commit is found before the first file is written."""
    folder = MemoryFolder()
    with pytest.raises(RepositoryError) as caught:
        commit(folder, repository)

    assert (str(caught.value), folder.files, repository.messages) == (message, {}, [])
