"""The door to git: where a branch is pushed to, and what a push comes to."""

from collections.abc import Mapping

import pytest

from jsorc_gitops.adapters.git import Repository
from jsorc_gitops.model.commits import PushState
from tests.adapters.complaints import complaint
from tests.adapters.git_http import GitServer
from tests.render.worktree import Worktree

ORIGIN = {"remote.origin.url": "x"}
UPSTREAM = ORIGIN | {"branch.main.remote": "up", "branch.main.merge": "refs/heads/trunk"}

# What is configured → where main is pushed to.
PLACES: dict[str, tuple[Mapping[str, str], str]] = {
    "only origin": (ORIGIN, "origin/main"),
    "an upstream": (UPSTREAM, "up/trunk"),
    "an upstream without origin": (
        {"branch.main.remote": "up", "branch.main.merge": "refs/heads/trunk"},
        "up/trunk",
    ),
    "a fork": (UPSTREAM | {"remote.pushDefault": "fork"}, "fork/main"),
    "a fork for this branch": (
        UPSTREAM | {"branch.main.pushRemote": "mine", "remote.pushDefault": "f"},
        "mine/main",
    ),
    "a local upstream": (
        ORIGIN | {"branch.main.remote": ".", "branch.main.merge": "refs/heads/base"},
        "origin/main",
    ),
    "another branch's upstream": (ORIGIN | {"branch.Main.remote": "up"}, "origin/main"),
    "an address": (
        {"branch.main.remote": "http://me:secret@x/y.git", "branch.main.merge": "refs/heads/a/b"},
        "http://x/y.git/a/b",
    ),
}


@pytest.mark.parametrize("kind", PLACES)
def test_where_a_branch_is_pushed_to(work: Worktree, kind: str) -> None:
    """It is where git push would push it: as configured, or to origin under its own name."""
    configuration, place = PLACES[kind]
    for key, value in configuration.items():
        work.git("config", key, value)

    assert str(Repository(work.root).get_remote("main")) == place


@pytest.mark.parametrize("configuration", [{}, {"remote.other.url": "x"}, {"branch.main.remote": "."}])
def test_nowhere_to_push_to(work: Worktree, configuration: Mapping[str, str]) -> None:
    """Where nothing says where to, no remote is chosen by chance."""
    for key, value in configuration.items():
        work.git("config", key, value)

    assert complaint(lambda: Repository(work.root).get_remote("main")) == (
        "no remote to push main to; run git remote add origin URL, or git push -u REMOTE main"
    )


def test_what_a_push_comes_to(work: Worktree, server: GitServer) -> None:
    """A new branch and a newer commit are pushed, the same one is up to date, an older one is rejected."""
    url = server.create("x.git")
    work.git("remote", "add", "origin", url)
    first = work.git("rev-parse", "HEAD")
    second = work.commit()
    work.git("branch", "x/main")
    remote = Repository(work.root).get_remote("main")

    outcomes = [remote.push(revision) for revision in (first, second, second, first)]

    assert [each.state for each in outcomes] == [
        PushState.PUSHED,
        PushState.PUSHED,
        PushState.UP_TO_DATE,
        PushState.REJECTED,
    ]
    assert outcomes[3].words.startswith("[rejected] (")
    assert complaint(lambda: remote.push("")) == "origin/main: no commit to push"
    assert remote.fetch() == second


def test_what_is_there(work: Worktree, server: GitServer) -> None:
    """The commit of the branch is brought here, with no trace in this clone, and no branch is no commit."""
    url = server.create("x.git")
    work.git("remote", "add", "origin", url)
    other = Worktree(work.path.parent / "other")
    revision = other.commit({"a": "1"})
    other.git("push", "--quiet", url, "main", "main:refs/heads/x/refs/heads/gone")
    before = work.git("for-each-ref")
    repository = Repository(work.root)

    assert repository.get_remote("gone").fetch() == ""
    assert repository.get_remote("main").fetch() == revision
    assert work.git("cat-file", "-t", revision) == "commit"
    assert not (work.path / ".git/FETCH_HEAD").exists()
    # What git itself keeps of a fetch, as configured.
    assert work.git("for-each-ref", "--format=%(refname)").splitlines() == [
        "refs/heads/main",
        "refs/remotes/origin/main",
    ]
    assert before in work.git("for-each-ref")


def test_a_hook_of_this_clone(work: Worktree, server: GitServer) -> None:
    """A pre-push hook that refuses is told with its words, wherever it says them."""
    work.git("remote", "add", "origin", server.create("x.git"))
    work.add_hook("pre-push", "echo not from here; echo please >&2; exit 1")
    repository = Repository(work.root)

    message = complaint(lambda: repository.get_remote("main").push(repository.get_head()))

    assert message.startswith("origin/main: git push failed: ")
    assert "not from here" in message
    assert "please" in message
