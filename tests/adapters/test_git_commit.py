"""The door to git, with a real git: what is committed, and that all else stays as it was."""

from pathlib import Path

from tests.adapters.opening import Open, complaint
from tests.render.worktree import Worktree


def dirty(work: Worktree) -> None:
    """Leave work lying about, outside of rendered/: staged, changed after staging, unknown, removed."""
    work.commit({"notes": "1", "half": "1", "gone": "1"})
    work.write({"notes": "2", "half": "2", "new": "1"})
    work.git("add", "notes", "half", "new")
    work.write({"half": "3", "unknown": "1"})
    (work.root / "gone").unlink()


def test_only_these_files_are_committed(work: Worktree, opened: Open) -> None:
    """What is named is committed, and nothing else: what was staged or changed stays just that."""
    dirty(work)
    work.write({"rendered/a": "2", "rendered/new/d": "1"})
    (work.root / "rendered" / "b" / "c").unlink()
    before = work.snapshot()
    elsewhere = [line for line in before.status.splitlines() if "rendered/" not in line]
    repository = opened(work.root)

    paths = ["rendered/a", "rendered/b/c", "rendered/new/d"]
    revision = repository.commit_files(paths, "render: all\n\nJsorc-Source: x\n")

    after = work.snapshot()
    assert revision == work.git("rev-parse", "HEAD")
    assert work.list_committed() == {"rendered/a": "M", "rendered/b/c": "D", "rendered/new/d": "A"}
    assert (after.status.splitlines(), after.staged, after.files) == (elsewhere, before.staged, before.files)
    assert work.git("log", "-1", "--format=%B") == "render: all\n\nJsorc-Source: x"


def test_a_strangers_file_is_not_committed(work: Worktree, opened: Open) -> None:
    """A file in rendered/ that is not named stays as it is, so no secret slips in."""
    work.write({"rendered/a": "2", "rendered/my-secret": "1"})
    opened(work.root).commit_files(["rendered/a"], "render: all")

    assert work.list_committed() == {"rendered/a": "M"}
    assert work.git("status", "--porcelain") == "?? rendered/my-secret"


def test_ignored_files_are_committed(work: Worktree, opened: Open) -> None:
    """A service may be called what .gitignore leaves out elsewhere; half a tree would be committed without it."""
    work.commit({".gitignore": "build/\n"})
    work.write({"rendered/build/x": "1"})
    opened(work.root).commit_files(["rendered/build/x"], "render: all")

    assert work.list_committed() == {"rendered/build/x": "A"}


def test_a_long_message(work: Worktree, opened: Open) -> None:
    """A message, and a list of files, may be longer than a command line takes."""
    names = [f"rendered/{number:05}-{'x' * 40}" for number in range(4000)]
    work.write(dict.fromkeys(names, "1"))
    message = "render: all\n\n" + "\n".join(names)
    opened(work.root).commit_files(names, message)

    assert len(work.list_committed()) == 4000
    assert work.git("log", "-1", "--format=%B") == message


def test_a_commit_of_nothing_is_made(work: Worktree, opened: Open) -> None:
    """A commit whose message is what counts is made although the folder is as committed."""
    dirty(work)
    before = work.snapshot()
    opened(work.root).commit_files(["rendered/a"], "consent")

    after = work.snapshot()
    assert (work.list_commits()[0], work.list_committed()) == ("consent", {})
    assert (after.status, after.index, after.staged) == (before.status, before.index, before.staged)


def test_a_refused_commit_changes_nothing(work: Worktree, opened: Open) -> None:
    """Where a hook refuses, its words are told, and the index is as it was: within rendered/, too."""
    dirty(work)
    work.write({"rendered/a": "2", "rendered/staged": "1"})
    work.git("add", "rendered")
    work.write({"rendered/a": "3", "rendered/new": "1"})
    work.add_hook("pre-commit", "echo we do not like it >&2; echo at all >&2; exit 1")
    before = work.snapshot()

    message = complaint(lambda: opened(work.root).commit_files(["rendered/a", "rendered/new"], "render: all"))

    assert message == "git refused the commit: we do not like it\nat all"
    assert work.snapshot() == before


def test_a_commit_during_a_merge_is_refused(work: Worktree, opened: Open) -> None:
    """A merge that is not finished is not made part of a render commit."""
    work.git("switch", "--quiet", "--create", "side")
    work.commit({"notes": "side"})
    work.git("switch", "--quiet", "main")
    work.commit({"other": "main"})
    work.git("merge", "--quiet", "--no-commit", "--no-ff", "side")
    work.write({"rendered/a": "2"})
    before = work.snapshot()

    message = complaint(lambda: opened(work.root).commit_files(["rendered/a", "rendered/new"], "render: all"))

    assert message == "git refused the commit: fatal: cannot do a partial commit during a merge."
    assert work.snapshot() == before


def test_a_folder_of_a_repository(tmp_path: Path, opened: Open) -> None:
    """In a monorepo paths are those of the folder that holds jsorc.yaml; its neighbours are left alone."""
    work = Worktree(tmp_path, folder="deploy/prod")
    first = work.commit({"rendered/a": "1", "../../rendered/x": "1", "templates/t": "1"})
    work.write({"rendered/a": "2", "../../rendered/x": "2", "templates/t": "2", "../../templates/t": "2"})
    repository = opened(work.root)
    repository.commit_files(["rendered/a"], "render: all")

    assert work.list_committed() == {"deploy/prod/rendered/a": "M"}
    assert repository.read_tree(first, "rendered") == {"a": "1"}
    assert repository.list_dirty("templates") == ["deploy/prod/templates/t"]


def test_a_second_work_tree(work: Worktree, opened: Open) -> None:
    """In a work tree beside the first one, commits go to its own branch."""
    work.git("worktree", "add", "--quiet", "-b", "side", "../second")
    second = Worktree(work.path.parent / "second")
    second.write({"rendered/a": "2"})
    repository = opened(second.root)

    revision = repository.commit_files(["rendered/a"], "render: all")

    assert (repository.get_branch(), second.git("rev-parse", "side")) == ("side", revision)
    assert work.list_commits() == ["by hand"]
