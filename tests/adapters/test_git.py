"""The door to git, with a real git: what is read."""

import os
import subprocess
from pathlib import Path

import pytest

from jsorc_gitops.adapters.git import Repository
from jsorc_gitops.errors import TreeError
from tests.adapters.complaints import complaint
from tests.render.worktree import Worktree


def test_head_and_branch(work: Worktree) -> None:
    """The commit and the branch are those git itself says."""
    repository = Repository(work.root)

    assert (repository.get_head(), repository.get_branch()) == (work.git("rev-parse", "HEAD"), "main")


def test_no_repository(tmp_path: Path) -> None:
    """Outside of any repository the message says what to do."""
    assert complaint(lambda: Repository(tmp_path)) == (
        f"{tmp_path}: not in a git repository; go to yours, or name it with jsorc -C, or begin one: jsorc init"
    )


def test_a_bare_repository(tmp_path: Path) -> None:
    """A repository without a work tree has no templates to render."""
    subprocess.run(["git", "init", "--quiet", "--bare", tmp_path], check=True)

    assert (
        complaint(lambda: Repository(tmp_path)) == f"{tmp_path}: a bare repository has no work tree; use a clone"
    )


def test_a_repository_of_another_user(work: Worktree, monkeypatch: pytest.MonkeyPatch) -> None:
    """A repository that git refuses to look into, as in many containers, is refused with git's own words."""
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")

    message = complaint(lambda: Repository(work.root))

    assert message.startswith(f"{work.root}: fatal: detected dubious ownership in repository at")
    assert "git config --global --add safe.directory" in message


def test_a_branch_without_a_commit(tmp_path: Path) -> None:
    """In a new repository there is a branch, and the message says that it has no commit."""
    repository = Repository(Worktree(tmp_path).root)

    assert repository.get_branch() == "main"
    assert complaint(repository.get_head) == (
        "branch main has no commit yet; commit jsorc.yaml and templates/ first"
    )


def test_a_detached_head(work: Worktree) -> None:
    """On a detached HEAD there is a commit and no branch."""
    work.git("switch", "--quiet", "--detach")
    repository = Repository(work.root)

    assert repository.get_head() == work.git("rev-parse", "HEAD")
    assert complaint(repository.get_branch) == (
        "HEAD is detached, a commit there would belong to no branch; run git switch BRANCH"
    )


def test_a_tree_is_read_at_a_commit(work: Worktree) -> None:
    """What is read is what that commit has, whatever lies on disk or in the index now."""
    first = work.git("rev-parse", "HEAD")
    second = work.commit({"rendered/a": "2", "rendered/d": "ü\n"})
    work.write({"rendered/a": "3"})
    work.git("add", "--all")
    repository = Repository(work.root)

    assert repository.read_tree(first, "rendered") == {"a": "1", "b/c": "1"}
    assert repository.read_tree(second, "rendered") == {"a": "2", "b/c": "1", "d": "ü\n"}


def test_a_folder_that_a_commit_has_not_is_empty(work: Worktree) -> None:
    """A commit from before the first rendering has no files there."""
    repository = Repository(work.root)

    assert repository.read_tree(repository.get_head(), "gone") == {}


@pytest.mark.parametrize(
    ("path", "message"), [("rendered/link", "rendered/link at "), ("rendered", "rendered at ")]
)
def test_links_in_a_commit_are_refused(tmp_path: Path, path: str, message: str) -> None:
    """A symbolic link in git, in the tree or in its place, is not followed."""
    work = Worktree(tmp_path)
    (work.root / path).parent.mkdir(exist_ok=True)
    (work.root / path).symlink_to("/etc")
    head = work.commit()

    with pytest.raises(TreeError) as caught:
        Repository(work.root).read_tree(head, "rendered")
    assert str(caught.value).startswith(f"{message}{head[:12]} is ")


def test_dirty_files(work: Worktree) -> None:
    """Changed, staged, removed and unknown files below the paths are listed, others and ignored ones are not."""
    work.commit({"templates/b": "1", "templates/c d": "1", ".gitignore": "*.log\n"})
    work.write({"jsorc.yaml": "x", "templates/ü/new": "", "templates/x.log": "", "other": "x", "rendered/a": "2"})
    work.git("mv", "templates/b", "templates/moved")
    (work.root / "templates" / "c d").unlink()

    assert Repository(work.root).list_dirty("jsorc.yaml", "templates") == [
        "jsorc.yaml",
        "templates/b",
        "templates/c d",
        "templates/moved",
        "templates/ü/new",
    ]


def test_ignored_files_are_told_on_request(tmp_path: Path) -> None:
    """A file that git ignores is rendered here and nowhere else; what nobody renders is not told."""
    work = Worktree(tmp_path, folder=".hidden/prod")
    work.commit({".gitignore": "*.log\n*.pyc\nbuild/\n.*.swp\n", "templates/a/a.yaml": "1"})
    rendered = ["templates/a/a.log", "templates/build/b/c"]
    litter = ["templates/a/__pycache__/a.pyc", "templates/a/.a.swp", "templates/.cache/a.log", "a.log"]
    work.write(dict.fromkeys([*rendered, *litter], ""))
    repository = Repository(work.root)

    assert repository.list_dirty("templates") == []
    assert repository.list_dirty("templates", ignored=True) == [f".hidden/prod/{path}" for path in rendered]


def test_nothing_is_dirty_after_a_commit(work: Worktree) -> None:
    """A file that was only touched is as committed."""
    os.utime(work.root / "jsorc.yaml", (0, 0))

    assert Repository(work.root).list_dirty("jsorc.yaml", "templates", "gone") == []


def test_descent(work: Worktree) -> None:
    """Descent is yes, no, or unknown where this clone does not have a commit."""
    first = work.git("rev-parse", "HEAD")
    work.git("switch", "--quiet", "--create", "side")
    side = work.commit({"a": "side"})
    work.git("switch", "--quiet", "main")
    second = work.commit({"a": "main"})
    pairs = [
        (first, second),
        (second, second),
        (second, first),
        (side, second),
        ("0" * 40, second),
        (first, "1" * 40),
    ]

    assert [Repository(work.root).is_ancestor(*pair) for pair in pairs] == [True, True, False, False, None, None]


def test_trailers(work: Worktree) -> None:
    """The values of a trailer come from all commits after the first one up to the second, and no others."""
    old = work.commit(message="one\n\nJsorc-Prune: before")
    work.commit(message="two\n\nJsorc-Prune: mail\nJsorc-Prune: redis\nJsorc-Source: x")
    work.commit(message="three\n\nJsorc-Prune: in the text\n\nand no trailer")
    new = work.commit(message="four\n\nJsorc-Prune: promon")
    work.commit(message="five\n\nJsorc-Prune: after")

    assert Repository(work.root).list_trailers(old, new, "Jsorc-Prune") == ["promon", "mail", "redis"]


def test_commits(tmp_path: Path) -> None:
    """Commits come parents first, with parents, trailers, and whether they leave a folder of ours."""
    work = Worktree(tmp_path, folder="deploy")
    old = work.commit({"rendered/a": "1"})
    inside = work.commit({"rendered/a": "2"}, "one\ntwo\n\ntext\n\nKey: a: b\nKey: c\n  d\nOther: \x01\x02")
    outside = work.commit({"rendered/a": "3", "../rendered/a": "1"}, "sub\x02ject")
    work.git("switch", "--quiet", "--create", "side", old)
    side = work.commit({"rendered.txt": "1"})
    merge = work.git("merge", "--quiet", "--message", "m", "main") or work.git("rev-parse", "HEAD")

    listed = Repository(work.root).list_commits(old, "HEAD", within="rendered")

    told = {each.revision: (each.subject, each.parents, each.strays) for each in listed}
    assert told == {
        inside: ("one two", 1, False),
        outside: ("sub\x02ject", 1, True),
        side: ("by hand", 1, True),
        merge: ("m", 2, True),
    }
    assert [each.revision for each in listed].index(inside) < [each.revision for each in listed].index(outside)
    assert [each.trailers for each in listed if each.revision == inside] == [
        {"Key": ("a: b", "c d"), "Other": ("\x01\x02",)}
    ]
    assert Repository(work.root).list_commits("HEAD", old, within="rendered") == []


def test_trailers_after_an_unknown_commit(work: Worktree) -> None:
    """Where this clone does not know the first commit, there is no consent to be found."""
    assert Repository(work.root).list_trailers("0" * 40, "HEAD", "Jsorc-Prune") == []


def test_history_of_a_path(work: Worktree) -> None:
    """A path has a history once a commit touched it, also after it was removed."""
    repository = Repository(work.root)
    work.git("rm", "--quiet", "rendered/a")
    work.git("commit", "--quiet", "--message", "Remove a")

    assert [repository.has_history(path) for path in ("rendered/a", "rendered/b", "rendered/c")] == [
        True,
        True,
        False,
    ]


def test_history_of_a_folder_between_commits(work: Worktree) -> None:
    """What was changed and taken back again has a history, though nothing differs in the end."""
    repository = Repository(work.root)
    one = work.commit({"rendered/a": "other"})
    two = work.commit({"rendered/a": "again", "templates/x": "1"})
    three = work.commit({"rendered/a": "other"})
    four = work.commit({"templates/x": "2"})

    ranges = (f"{one}..{three}", f"{two}..{four}", f"{three}..{four}")
    assert [repository.has_history("rendered/", revision=each) for each in ranges] == [True, True, False]


def test_what_changed_since_a_folder_was_committed(work: Worktree) -> None:
    """A template that was committed after rendered/ is found; one committed with it is not."""
    repository = Repository(work.root)
    before = repository.list_changed_since("rendered", "jsorc.yaml", "templates")
    work.commit({"templates/redis/a.yaml": "2", "elsewhere": "2"})

    assert (before, repository.list_changed_since("rendered", "jsorc.yaml", "templates")) == (
        [],
        ["templates/redis/a.yaml"],
    )
    assert repository.list_changed_since("never", "templates") == []
