"""The clone that `--repo` keeps: what it has of a real remote, and what it says of one that gives nothing."""

import subprocess
from pathlib import Path

import pytest

from jsorc_gitops.adapters.git import Repository
from jsorc_gitops.adapters.git_clone import check_url, update_clone
from jsorc_gitops.errors import RepositoryError
from tests.adapters.git_http import FETCH, GitServer
from tests.adapters.team import Team, change
from tests.render.worktree import Worktree

pytestmark = pytest.mark.slow


@pytest.fixture
def other(team: Team) -> Worktree:
    """Somebody's clone, from which commits come."""
    return team.clone("other")


def test_it_follows_the_remote(team: Team, other: Worktree, tmp_path: Path) -> None:
    """The first time and each time after, HEAD is the remote's commit, with its whole history and no file."""
    first = other.git("rev-parse", "HEAD")
    folder = update_clone(tmp_path, team.url, "")
    assert Repository(folder).get_head() == first

    second = change(other, {"more": "1"})
    assert update_clone(tmp_path, team.url, "") == folder

    clone = Repository(folder)
    assert clone.get_head() == second
    assert clone.is_ancestor(first, second) is True
    assert not clone.is_shallow()
    assert [path.name for path in folder.iterdir()] == [".git"]
    assert "kustomization.yaml" in clone.read_tree(second, "rendered")


def test_a_rewritten_history_is_followed(team: Team, other: Worktree, tmp_path: Path) -> None:
    """HEAD is the new commit, which does not descend from the one before: that is for the pass to judge."""
    before = change(other, {"more": "1"})
    folder = update_clone(tmp_path, team.url, "main")
    other.git("reset", "--hard", "--quiet", "HEAD~1")
    after = other.commit({"less": "1"})
    other.git("push", "--quiet", "--force", "origin", "HEAD")

    update_clone(tmp_path, team.url, "main")

    assert Repository(folder).get_head() == after
    assert Repository(folder).is_ancestor(before, after) is not True


def test_branches_have_clones_of_their_own(team: Team, other: Worktree, tmp_path: Path) -> None:
    """So two loops over two branches of one repository do not take HEAD from one another."""
    other.git("switch", "--quiet", "--create", "live")
    live = change(other, {"more": "1"})

    folders = {branch: update_clone(tmp_path, team.url, branch) for branch in ("main", "live")}

    assert Repository(folders["live"]).get_head() == live
    assert Repository(folders["main"]).get_head() != live


def test_git_knows_the_password(
    server: GitServer, team: Team, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Credentials come from git's own configuration, as docs/cron.md has it in a Secret."""
    server.password = "of-the-server"  # noqa: S105 - a test's
    secret = tmp_path / "credentials"
    secret.write_text(team.url.replace("//", f"//user:{server.password}@").rpartition("/")[0] + "\n")
    config = tmp_path / "config"
    config.write_text(f'[credential]\n\thelper = "store --file={secret}"\n')
    monkeypatch.setenv("GIT_TERMINAL_PROMPT", "0")
    with pytest.raises(RepositoryError, match="git fetch failed"):
        update_clone(tmp_path, team.url, "main")

    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))

    assert Repository(update_clone(tmp_path, team.url, "main")).get_head()


def test_a_remote_that_gives_nothing_is_told(server: GitServer, team: Team, tmp_path: Path) -> None:
    """It is named, with git's own words; what was fetched before is there when the remote is."""
    folder = update_clone(tmp_path, team.url, "main")
    server.forbidden.add(FETCH)
    with pytest.raises(RepositoryError) as caught:
        update_clone(tmp_path, team.url, "main")
    assert str(caught.value).startswith(f"{team.url}: git fetch failed: ")
    assert "403" in str(caught.value)

    server.forbidden.clear()
    with pytest.raises(RepositoryError, match="couldn't find remote ref refs/heads/gone"):
        update_clone(tmp_path, team.url, "gone")
    assert update_clone(tmp_path, team.url, "main") == folder


def test_a_remote_without_commits(server: GitServer, tmp_path: Path) -> None:
    """Its branch is not known yet, and the message says how to name one."""
    with pytest.raises(RepositoryError, match=r"no branch of its own; name one with --branch"):
        update_clone(tmp_path, server.create("empty.git"), "")


def test_nowhere_to_keep_it(tmp_path: Path) -> None:
    """Without a cache, the message says what to set."""
    place = tmp_path / "file"
    place.touch()
    with pytest.raises(RepositoryError, match="set XDG_CACHE_HOME"):
        update_clone(place, "http://127.0.0.1/x", "")


@pytest.mark.parametrize(
    "url",
    ["https://token@example.com/a.git", "https://a:secret@example.com/a.git", "ssh://a:secret@example.com/a"],
)
def test_credentials_in_a_url_are_refused(url: str) -> None:
    """And not repeated in the message."""
    with pytest.raises(RepositoryError) as caught:
        check_url(url)
    assert "credentials do not belong into a URL" in str(caught.value)
    assert "secret" not in str(caught.value).replace("secrets", "")
    assert "token@" not in str(caught.value)


@pytest.mark.parametrize("url", ["", "--upload-pack=touch /tmp/x"])
def test_what_is_no_url(url: str) -> None:
    """Git is not given an option for an address."""
    with pytest.raises(RepositoryError, match="is no URL"):
        check_url(url)


@pytest.mark.parametrize(
    "url",
    ["git@example.com:a.git", "ssh://git@example.com/a", "https://example.com/a", "/srv/a.git", "http://[x"],
)
def test_what_git_may_be_given(url: str) -> None:
    """A user of ssh is no secret, and what Python does not take for a URL is git's to judge."""
    assert check_url(url) == url


def test_a_commit_of_a_killed_fetch_is_no_harm(team: Team, tmp_path: Path) -> None:
    """A clone that was begun and has nothing is filled by the next pass."""
    folder = update_clone(tmp_path, team.url, "main")
    subprocess.run(["git", "-C", folder, "update-ref", "-d", "refs/heads/main"], check=True)

    assert Repository(update_clone(tmp_path, team.url, "main")).get_head()
