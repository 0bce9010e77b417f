"""The door to git, with a real git: what is committed, and that all else stays as it was."""

import subprocess
from pathlib import Path

import pytest

from jsorc_gitops.adapters.git import Repository
from tests.adapters.complaints import complaint
from tests.render.worktree import Worktree


def dirty(work: Worktree) -> None:
    """Leave work lying about, outside of rendered/: staged, changed after staging, unknown, removed."""
    work.commit({"notes": "1", "half": "1", "gone": "1"})
    work.write({"notes": "2", "half": "2", "new": "1"})
    work.git("add", "notes", "half", "new")
    work.write({"half": "3", "unknown": "1"})
    (work.root / "gone").unlink()


def test_only_these_files_are_committed(work: Worktree) -> None:
    """What is named is committed, and nothing else: what was staged or changed stays just that."""
    dirty(work)
    work.write({"rendered/a": "2", "rendered/new/d": "1"})
    (work.root / "rendered" / "b" / "c").unlink()
    before = work.snapshot()
    elsewhere = [line for line in before.status.splitlines() if "rendered/" not in line]
    repository = Repository(work.root)

    paths = ["rendered/a", "rendered/b/c", "rendered/new/d"]
    revision = repository.commit_files(paths, "render: all\n\nJsorc-Source: x\n")

    after = work.snapshot()
    assert revision == work.git("rev-parse", "HEAD")
    assert work.list_committed() == {"rendered/a": "M", "rendered/b/c": "D", "rendered/new/d": "A"}
    assert (after.status.splitlines(), after.staged, after.files) == (elsewhere, before.staged, before.files)
    assert work.git("log", "-1", "--format=%B") == "render: all\n\nJsorc-Source: x"


def test_a_strangers_file_is_not_committed(work: Worktree) -> None:
    """A file in rendered/ that is not named stays as it is, so no secret slips in."""
    work.write({"rendered/a": "2", "rendered/my-secret": "1"})
    Repository(work.root).commit_files(["rendered/a"], "render: all")

    assert work.list_committed() == {"rendered/a": "M"}
    assert work.git("status", "--porcelain") == "?? rendered/my-secret"


def test_ignored_files_are_committed(work: Worktree) -> None:
    """A service may be called what .gitignore leaves out elsewhere; half a tree would be committed without it."""
    work.commit({".gitignore": "build/\n"})
    work.write({"rendered/build/x": "1"})
    Repository(work.root).commit_files(["rendered/build/x"], "render: all")

    assert work.list_committed() == {"rendered/build/x": "A"}


def test_a_long_message(work: Worktree) -> None:
    """A message, and a list of files, may be longer than a command line takes."""
    names = [f"rendered/{number:05}-{'x' * 40}" for number in range(4000)]
    work.write(dict.fromkeys(names, "1"))
    message = "render: all\n\n" + "\n".join(names)
    Repository(work.root).commit_files(names, message)

    assert len(work.list_committed()) == 4000
    assert work.git("log", "-1", "--format=%B") == message


def test_a_commit_of_nothing_is_made(work: Worktree) -> None:
    """A commit whose message is what counts is made although the folder is as committed."""
    dirty(work)
    before = work.snapshot()
    Repository(work.root).commit_files(["rendered/a"], "consent")

    after = work.snapshot()
    assert (work.list_commits()[0], work.list_committed()) == ("consent", {})
    assert (after.status, after.index, after.staged) == (before.status, before.index, before.staged)


def test_a_refused_commit_changes_nothing(work: Worktree) -> None:
    """Where a hook refuses, its words are told, and the index is as it was: within rendered/, too."""
    dirty(work)
    work.write({"rendered/a": "2", "rendered/staged": "1"})
    work.git("add", "rendered")
    work.write({"rendered/a": "3", "rendered/new": "1"})
    work.add_hook("pre-commit", "echo we do not like it >&2; echo at all >&2; exit 1")
    before = work.snapshot()

    message = complaint(lambda: Repository(work.root).commit_files(["rendered/a", "rendered/new"], "render: all"))

    assert message == "git refused the commit: we do not like it\nat all"
    assert work.snapshot() == before


# What git is in the middle of → the command that brings it there, where it stops at a conflict.
OPERATIONS = {
    "merge": "merge side",
    "rebase": "rebase side",
    "cherry-pick": "cherry-pick side",
    "revert": "revert --no-edit HEAD~1",
    "bisect": "bisect start",
}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_commit_in_the_middle_of_something(work: Worktree, operation: str) -> None:
    """What is not finished is named before, and is not made part of a render commit."""
    work.git("switch", "--quiet", "--create", "side")
    work.commit({"notes": "side"})
    work.git("switch", "--quiet", "main")
    work.commit({"notes": "main"})
    work.commit({"notes": "main again"})
    repository = Repository(work.root)
    assert repository.get_operation() == ""
    command = ["git", "-C", str(work.path), *OPERATIONS[operation].split()]
    subprocess.run(command, capture_output=True, check=False)
    work.write({"notes": "solved", "rendered/a": "2"})
    work.git("add", "notes")
    before = work.snapshot()

    message = complaint(lambda: repository.commit_files(["rendered/a", "rendered/new"], "render: all"))

    assert repository.get_operation() == operation
    assert message == f"a {operation} is not finished; finish or abort it first"
    assert work.snapshot() == before


def test_an_operation_of_another_work_tree(work: Worktree) -> None:
    """What is in the middle elsewhere does not count here."""
    work.git("worktree", "add", "--quiet", "-b", "side", "../second")
    second = Worktree(work.path.parent / "second")
    second.commit({"notes": "side"})
    work.commit({"other": "1"})
    second.git("merge", "--quiet", "--no-commit", "main")

    assert [Repository(each.root).get_operation() for each in (work, second)] == ["", "merge"]


def test_a_conflict_without_an_operation(work: Worktree) -> None:
    """A conflict that a stash left behind is named, and nothing is committed beside it."""
    work.commit({"notes": "1"})
    work.write({"notes": "2"})
    work.git("stash", "--quiet")
    work.commit({"notes": "3"})
    subprocess.run(["git", "-C", work.path, "stash", "pop"], capture_output=True, check=False)
    work.write({"rendered/a": "2"})
    before = work.snapshot()

    message = complaint(lambda: Repository(work.root).commit_files(["rendered/a"], "render: all"))

    assert message == "notes has a merge conflict; resolve it and git add it"
    assert work.snapshot() == before


def test_hooks_see_what_is_committed(work: Worktree) -> None:
    """Hooks run as for any commit: they see these files alone as staged, and may change the message."""
    dirty(work)
    work.write({"rendered/a": "2", "rendered/new": "1"})
    work.add_hook("pre-commit", "git diff --cached --name-only > .git/seen")
    work.add_hook("commit-msg", 'echo "Change-Id: I1" >> "$1"')
    work.add_hook("post-commit", "git log -1 --format=%s >> .git/seen")

    Repository(work.root).commit_files(["rendered/a", "rendered/new"], "render: all\n\nJsorc-Source: x\n")

    assert (work.path / ".git/seen").read_text().splitlines() == ["rendered/a", "rendered/new", "render: all"]
    assert work.git("log", "-1", "--format=%(trailers)").splitlines() == ["Jsorc-Source: x", "Change-Id: I1"]


def test_a_message_that_is_refused(work: Worktree) -> None:
    """A hook that refuses the message, as of a house that wants a ticket in it, leaves all as it was."""
    dirty(work)
    work.write({"rendered/a": "2", "rendered/new": "1"})
    work.add_hook("commit-msg", "echo no ticket; exit 1")
    before = work.snapshot()

    message = complaint(lambda: Repository(work.root).commit_files(["rendered/a", "rendered/new"], "x"))

    assert message == "git refused the commit: no ticket"
    assert work.snapshot() == before


def test_a_folder_of_a_repository(tmp_path: Path) -> None:
    """In a monorepo paths are those of the folder that holds jsorc.yaml; its neighbours are left alone."""
    work = Worktree(tmp_path, folder="deploy/prod")
    first = work.commit({"rendered/a": "1", "../../rendered/x": "1", "templates/t": "1"})
    work.write({"rendered/a": "2", "../../rendered/x": "2", "templates/t": "2", "../../templates/t": "2"})
    repository = Repository(work.root)
    repository.commit_files(["rendered/a"], "render: all")

    assert work.list_committed() == {"deploy/prod/rendered/a": "M"}
    assert repository.read_tree(first, "rendered") == {"a": "1"}
    assert repository.list_dirty("templates") == ["deploy/prod/templates/t"]


def test_a_refused_commit_of_a_folder(tmp_path: Path) -> None:
    """In a monorepo, too, a refused commit leaves the index as it was."""
    work = Worktree(tmp_path, folder="deploy/prod")
    work.commit({"rendered/a": "1", "../../rendered/a": "1"})
    work.write({"rendered/a": "2", "rendered/new": "1", "../../rendered/a": "2", "../../rendered/new": "1"})
    work.git("add", "rendered")
    work.add_hook("pre-commit", "exit 1")
    before = work.snapshot()

    complaint(lambda: Repository(work.root).commit_files(["rendered/a", "rendered/new"], "x"))

    assert work.snapshot() == before


def test_a_second_work_tree(work: Worktree) -> None:
    """In a work tree beside the first one, commits go to its own branch."""
    work.git("worktree", "add", "--quiet", "-b", "side", "../second")
    second = Worktree(work.path.parent / "second")
    second.write({"rendered/a": "2"})
    repository = Repository(second.root)

    revision = repository.commit_files(["rendered/a"], "render: all")

    assert (repository.get_branch(), second.git("rev-parse", "side")) == ("side", revision)
    assert work.list_commits() == ["by hand"]
