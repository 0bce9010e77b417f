"""The door to git, with a real git: commits to a branch that is not checked out."""

from collections.abc import Collection, Mapping
from pathlib import Path

import pytest

from jsorc_gitops.adapters.git import Repository
from tests.adapters.complaints import complaint
from tests.render.worktree import Worktree

MESSAGE = "render: all\n\nJsorc-Source: x\n"


def commit(
    work: Worktree, files: Mapping[str, str], removed: Collection[str] = (), *, branch: str = "live"
) -> str:
    """Commit on top of the branch as it is."""
    repository = Repository(work.root)
    tip = repository.get_tip(branch)
    return repository.commit_branch(branch, files, removed, MESSAGE, parent=tip, replacing=tip)


def list_files(work: Worktree, revision: str) -> dict[str, str]:
    names = work.git("ls-tree", "-r", "-z", "--name-only", revision).split("\0")
    return {name: work.git("show", f"{revision}:{name}") for name in names if name}


def test_nothing_else_is_touched(work: Worktree) -> None:
    """A commit to another branch leaves files, index, HEAD and all other branches as they were."""
    work.write({"rendered/a": "2", "staged": "1", "unknown": "1"})
    work.git("add", "staged")
    before = work.snapshot()

    revision = commit(work, {"rendered/a": "3"})

    after = work.snapshot()
    assert after.branches == f"{revision} commit\trefs/heads/live\n{before.branches}"
    assert (after.files, after.status, after.index) == (before.files, before.status, before.index)
    assert work.git("symbolic-ref", "HEAD") == "refs/heads/main"


def test_the_first_commit_of_a_branch(work: Worktree) -> None:
    """A branch that is not there yet begins with what is given, and with nothing of what is checked out."""
    revision = commit(work, {"rendered/ü/a b": "ü\n", "rendered/z": ""})

    assert work.git("rev-parse", "live") == revision
    assert work.git("log", "--format=%P%B", "live") == MESSAGE.strip()
    assert list_files(work, "live") == {"rendered/ü/a b": "ü", "rendered/z": ""}


def test_the_next_commit_of_a_branch(work: Worktree) -> None:
    """What is given is written, what is named is removed, all else of that branch is kept."""
    first = commit(work, {"rendered/a": "1", "rendered/b/c": "1", "rendered/stranger": "1", "README": "1"})

    second = commit(work, {"rendered/a": "2", "rendered/b": "2"}, ["rendered/b/c"])

    assert work.git("rev-parse", "live~1") == first
    assert list_files(work, second) == {
        "README": "1",
        "rendered/a": "2",
        "rendered/b": "2",
        "rendered/stranger": "1",
    }


def test_a_commit_on_top_of_another_one(work: Worktree) -> None:
    """A branch may go to a commit beside its own history: on top of theirs, in the place of ours."""
    theirs = commit(work, {"rendered/a": "theirs", "README": "1"}, branch="theirs")
    ours = commit(work, {"rendered/a": "ours"})
    repository = Repository(work.root)

    repository.commit_branch("live", {"rendered/a": "both"}, [], MESSAGE, parent=theirs, replacing=ours)

    assert work.git("rev-parse", "live~1") == theirs
    assert list_files(work, "live") == {"README": "1", "rendered/a": "both"}


def test_a_folder_of_a_repository(tmp_path: Path) -> None:
    """In a monorepo paths are those of the folder that holds jsorc.yaml."""
    work = Worktree(tmp_path, folder="deploy/prod")
    work.commit({"jsorc.yaml": ""})
    revision = commit(work, {"rendered/a": "1", "rendered/b": "1"})
    commit(work, {}, ["rendered/a"])

    assert list_files(work, revision).keys() == {"deploy/prod/rendered/a", "deploy/prod/rendered/b"}
    assert Repository(work.root).read_tree("live", "rendered") == {"b": "1"}


@pytest.mark.parametrize("change", ["rendered/a", ""])
def test_a_branch_that_somebody_changed(work: Worktree, change: str) -> None:
    """A branch that is not where it was when we began is left alone: somebody else's commit is not lost."""
    before = commit(work, {"rendered/a": "1"}) if change else ""
    theirs = commit(work, {"rendered/a": "theirs"})
    repository = Repository(work.root)

    message = complaint(
        lambda: repository.commit_branch(
            "live", {"rendered/a": "2"}, [], MESSAGE, parent=before, replacing=before
        )
    )

    assert message == "branch live was changed by somebody else; try again"
    assert work.git("rev-parse", "live") == theirs


def test_a_branch_that_cannot_be(work: Worktree) -> None:
    """Where git has no room for a branch of this name, it says why."""
    message = complaint(lambda: commit(work, {"rendered/a": "1"}, branch="main/live"))

    assert message.startswith("branch main/live cannot be moved: fatal: ")
    assert "'refs/heads/main' exists; cannot create 'refs/heads/main/live'" in message


@pytest.mark.parametrize("name", ["", "-f", "a..b", "@{-1}", "HEAD", "a b", "refs/heads/"])
def test_names_that_no_branch_has(work: Worktree, name: str) -> None:
    """What git would not take for a branch's name, or would take for another branch, is refused."""
    work.git("switch", "--quiet", "--create", "side")
    work.git("switch", "--quiet", "main")
    before = work.snapshot()
    repository = Repository(work.root)

    message = complaint(
        lambda: repository.commit_branch(name, {"rendered/a": "1"}, [], MESSAGE, parent="", replacing="")
    )

    assert message == f"{name!r} cannot be the name of a branch; name it as in --branch live"
    assert work.snapshot() == before


def test_the_path_of_a_branch_is_not_its_name(work: Worktree) -> None:
    """Git would make refs/heads/refs/heads/live of it, which nobody looks at."""
    before = work.snapshot()

    message = complaint(lambda: commit(work, {"rendered/a": "2"}, branch="refs/heads/live"))

    assert message == "'refs/heads/live' cannot be the name of a branch; name it as in --branch live"
    assert work.snapshot() == before


@pytest.mark.parametrize("branch", ["main", "side", "unborn"])
def test_a_branch_that_is_checked_out(work: Worktree, branch: str) -> None:
    """A branch that some work tree is on, this one or another, is refused: its files would not follow."""
    work.git("worktree", "add", "--quiet", "-b", "side", "../second")
    work.git("worktree", "add", "--quiet", "--detach", "../third")
    work.git("-C", "../third", "switch", "--quiet", "--orphan", "unborn")
    before = work.snapshot()

    message = complaint(lambda: commit(work, {"rendered/a": "2"}, branch=branch))

    assert message == f"branch {branch} is checked out; use --commit there, or name another branch"
    assert work.snapshot() == before


def test_no_hook_runs(work: Worktree) -> None:
    """Hooks look at a work tree and its index, and there is none here."""
    for name in ("pre-commit", "prepare-commit-msg", "commit-msg", "post-commit"):
        work.add_hook(name, f"touch {name}; exit 1")
    before = work.snapshot()

    commit(work, {"rendered/a": "2"})

    assert work.snapshot().files == before.files


def test_thousands_of_files(work: Worktree) -> None:
    """Seven thousand files go into one pack, and a second commit of one of them adds only that one."""
    files = {f"rendered/s{number // 5}/{number}": f"{number}\n" for number in range(7000)}
    commit(work, files)
    packs = list((work.path / ".git/objects/pack").glob("*.pack"))
    commit(work, {"rendered/s0/0": "x\n"})

    assert Repository(work.root).read_tree("live", "rendered") == {
        path.removeprefix("rendered/"): text for path, text in sorted((files | {"rendered/s0/0": "x\n"}).items())
    }
    assert len(packs) == 1
    assert work.git("diff", "--name-only", "live~1", "live") == "rendered/s0/0"
    assert work.git("fsck", "--no-dangling") == ""


def test_a_repository_of_sha256(tmp_path: Path) -> None:
    """Where git counts with the longer hashes, it is all the same."""
    work = Worktree(tmp_path / "long", options=["--object-format=sha256"])
    work.commit({"rendered/a": "1"})
    first = commit(work, {"rendered/a": "1"})
    second = commit(work, {"rendered/a": "2"})

    assert len(second) == 64
    assert work.git("rev-parse", "live~1") == first
    Repository(work.root).commit_files(["rendered/a"], "x")
    work.add_hook("pre-commit", "exit 1")
    work.write({"rendered/a": "3", "rendered/new": "1"})
    before = work.snapshot()
    complaint(lambda: Repository(work.root).commit_files(["rendered/a", "rendered/new"], "x"))
    assert work.snapshot() == before
