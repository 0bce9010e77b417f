"""Delivering HEAD's branch to a real git server, beside others who push there."""

import pytest

from jsorc_gitops.errors import DefinitionError
from jsorc_gitops.render.delivery import Ending
from tests.adapters.complaints import complaint
from tests.adapters.delivering import Renderer
from tests.adapters.git_http import FETCH, PUSH
from tests.adapters.team import Team, change, make_config
from tests.render.worktree import Worktree

pytestmark = pytest.mark.slow


@pytest.fixture
def mine(team: Team) -> Worktree:
    """A clone, which others get ahead of."""
    return team.clone("mine")


def get_ahead(team: Team, value: str = "theirs") -> Worktree:
    """Somebody else changes redis, renders and pushes."""
    other = team.clone("other")
    other.commit(make_config("redis", value), "theirs")
    render(other).push()
    return other


def render(work: Worktree, *consents: str) -> Renderer:
    """Render, and commit."""
    renderer = Renderer(work.root)
    renderer.commit(allow_prune=consents)
    return renderer


def test_a_render_commit_is_pushed(team: Team, mine: Worktree) -> None:
    """What was rendered is pushed with what it was rendered from; a second time there is nothing to push."""
    mine.commit(make_config("redis", "1"), "mine")
    renderer = render(mine)

    deliveries = [renderer.push(), renderer.push()]

    head = mine.git("rev-parse", "HEAD")
    assert [(each.ending, each.place, each.revision) for each in deliveries] == [
        (Ending.PUSHED, "origin/main", head),
        (Ending.UP_TO_DATE, "origin/main", head),
    ]
    assert team.git("rev-parse", "main") == head


def test_behind_it_is_rendered_again(team: Team, mine: Worktree) -> None:
    """Where others were first, ours is rendered anew on theirs, with its consents, and theirs stays as it is."""
    render(mine, "redis")
    get_ahead(team)
    theirs = team.git("rev-parse", "main")

    assert Renderer(mine.root).push().ending is Ending.PUSHED

    assert team.git("rev-parse", "main", "main~1").splitlines() == [mine.git("rev-parse", "HEAD"), theirs]
    assert mine.git("log", "-1", "--format=%(trailers:key=Jsorc-Prune,valueonly)").strip() == "redis"
    assert mine.git("log", "-1", "--format=%(trailers:key=Jsorc-Source,valueonly)").strip() == theirs
    assert mine.git("status", "--porcelain") == ""


def test_everything_is_there_already(team: Team, mine: Worktree) -> None:
    """Where theirs renders to the same, ours is not made anew, and the branch is where theirs is."""
    change(mine, make_config("redis", "1"), "mine")
    other = team.clone("other")
    render(mine)
    render(other, "redis").push()

    delivery = Renderer(mine.root).push()

    assert (delivery.ending, delivery.revision) == (Ending.UP_TO_DATE, other.git("rev-parse", "HEAD"))
    assert mine.git("rev-parse", "HEAD") == delivery.revision
    assert mine.git("status", "--porcelain") == ""


def test_behind_with_nothing_of_ours(team: Team, mine: Worktree) -> None:
    """A clone that is only behind has nothing to deliver, and is left where it is."""
    get_ahead(team)
    before = mine.snapshot()

    assert Renderer(mine.root).push().ending is Ending.UP_TO_DATE
    assert mine.snapshot() == before


def test_somebodys_commit_is_never_made_anew(team: Team, mine: Worktree) -> None:
    """With a person's commit among the unpushed ones nothing is moved, and the message names the first."""
    commit = mine.commit({"notes": "1"}, "Take notes")
    mine.commit(make_config("redis", "1"), "And more")
    renderer = render(mine)
    get_ahead(team)
    before = mine.snapshot()

    assert complaint(renderer.push) == (
        f"origin/main is ahead, and {commit[:12]} (Take notes) is no render commit, so it is not made anew; "
        "rebase it onto origin/main, then try again"
    )
    assert mine.snapshot() == before


RENDERED = "\n\nJsorc-Source: {source}\nJsorc-Digest: sha256:0\n"

# What a commit is → the files it changes and its message.
NOT_OURS = {
    "a person's edit": ({"rendered/redis/notes": "1"}, "edit"),
    "without a digest": ({"rendered/redis/notes": "1"}, "x" + RENDERED.partition("Jsorc-Digest")[0]),
    "outside of the tree": ({"rendered/redis/notes": "1", "rendered.txt": "1"}, "x" + RENDERED),
    "a consent of another folder": ({}, "x" + RENDERED + "Jsorc-Prune: deploy/redis\n"),
    "without a source": ({"rendered/redis/notes": "1"}, "x" + RENDERED.replace("{source}", "--upload-pack=x")),
}


@pytest.mark.parametrize("kind", NOT_OURS)
def test_what_a_render_commit_is(team: Team, mine: Worktree, kind: str) -> None:
    """Only a commit with both trailers that touches the tree alone is one of ours to be made anew."""
    files, message = NOT_OURS[kind]
    mine.commit(files, message.format(source=mine.git("rev-parse", "HEAD")))
    get_ahead(team)
    before = mine.snapshot()

    assert " is no render commit, so it is not made anew; " in complaint(Renderer(mine.root).push)
    assert mine.snapshot() == before


def test_a_merge_is_never_made_anew(team: Team, mine: Worktree) -> None:
    """A merge is not ours, whatever its message says: it has parents that would be lost."""
    other = team.clone("other")
    change(other, {"rendered/redis/notes": "1"})
    mine.git("fetch", "--quiet")
    message = "m" + RENDERED.format(source=mine.git("rev-parse", "HEAD"))
    mine.git("merge", "--quiet", "--no-ff", "--message", message, "origin/main")
    change(other, {"rendered/redis/notes": "2"})
    before = mine.snapshot()

    assert " (m) is no render commit, " in complaint(Renderer(mine.root).push)
    assert mine.snapshot() == before


def test_what_lies_about_is_kept(team: Team, mine: Worktree) -> None:
    """Work that is staged, changed or unknown goes along unharmed when the branch moves to theirs."""
    change(mine, {"notes": "1", "half": "1", "gone": "1"})
    render(mine, "redis")
    get_ahead(team)
    mine.write({"notes": "2", "half": "2", "new": "1"})
    mine.git("add", "notes", "half", "new")
    mine.write({"half": "3", "unknown": "1"})
    (mine.root / "gone").unlink()
    before = mine.snapshot()

    assert Renderer(mine.root).push().ending is Ending.PUSHED

    after = mine.snapshot()
    assert (after.status, after.staged) == (before.status, before.staged)
    assert {path for path in before.files if before.files[path] != after.files[path]} == {
        "rendered/redis/ConfigMap.yaml",
        "templates/redis/config.yaml",
    }


# What lies in the way of theirs → what is done to it before.
IN_THE_WAY = {
    "changed": ["commit"],
    "staged": ["commit", "stage"],
    "unknown": [],
    "ignored": ["ignore"],
}


@pytest.mark.parametrize("how", IN_THE_WAY)
def test_local_changes_in_the_way(team: Team, mine: Worktree, how: str) -> None:
    """Where theirs changes a file that has local changes, nothing is moved and git names the file."""
    if "commit" in IN_THE_WAY[how]:
        change(mine, {"notes": "1"})
    render(mine, "redis")
    other = get_ahead(team)
    change(other, {"notes": "theirs"})
    mine.write({"notes": "mine"})
    if "stage" in IN_THE_WAY[how]:
        mine.git("add", "notes")
    if "ignore" in IN_THE_WAY[how]:
        (mine.path / ".git/info/exclude").write_text("notes\n")
    before = mine.snapshot()

    message = complaint(Renderer(mine.root).push)

    theirs = team.git("rev-parse", "main")
    assert message.startswith(f"branch main cannot be moved to {theirs[:12]}: ")
    assert "\n\tnotes\n" in message
    assert mine.snapshot() == before


def test_a_definition_of_theirs_is_broken(team: Team, mine: Worktree) -> None:
    """Where theirs cannot be rendered, the branch goes back to where it was, with our commits."""
    render(mine, "redis")
    change(team.clone("other"), {"templates/redis/service.yaml": "{"})
    before = mine.snapshot()

    with pytest.raises(DefinitionError, match=r"templates/redis/service\.yaml"):
        Renderer(mine.root).push()
    assert mine.snapshot() == before


def test_a_commit_that_is_refused_the_second_time(team: Team, mine: Worktree) -> None:
    """Where our commit is refused on top of theirs, it is not lost: ORIG_HEAD is where the branch was."""
    render(mine, "redis")
    before = mine.git("rev-parse", "HEAD")
    get_ahead(team)
    mine.add_hook("pre-commit", "echo not today >&2; exit 1")

    assert complaint(Renderer(mine.root).push) == "git refused the commit: not today"
    assert before in {mine.git("rev-parse", "HEAD"), mine.git("rev-parse", "ORIG_HEAD")}


def test_the_servers_words(team: Team, mine: Worktree) -> None:
    """A hook of the server that refuses is asked once, and its words are told."""
    team.add_hook("pre-receive", "echo not on a Friday >&2; exit 1")
    renderer = render(mine, "redis")
    before, pushes = mine.snapshot(), team.server.pushes

    message = complaint(renderer.push)

    assert message.startswith("origin/main refuses the push: [remote rejected] (pre-receive hook declined)\n")
    assert "remote: not on a Friday\n" in message
    assert (mine.snapshot(), team.server.pushes) == (before, pushes + 1)


def test_a_new_branch_that_the_server_refuses(team: Team, mine: Worktree) -> None:
    """A hook that refuses a branch the server does not have yet is told likewise."""
    team.add_hook("update", "echo no new branches >&2; exit 1")
    mine.git("switch", "--quiet", "--create", "new", "--no-track")
    renderer = render(mine, "redis")

    assert "remote: no new branches\n" in complaint(renderer.push)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("password", "could not read Username for 'http://127.0.0.1:"),
        ("wrong", "Authentication failed for 'http://127.0.0.1:"),
        ("forbidden", "The requested URL returned error: 403"),
        ("gone", "Couldn't connect to server"),
    ],
)
def test_a_server_without_an_answer(
    team: Team, mine: Worktree, monkeypatch: pytest.MonkeyPatch, fault: str, words: str
) -> None:
    """Without credentials, with wrong ones, without a right to push or a server, git's words are told."""
    monkeypatch.setenv("GIT_TERMINAL_PROMPT", "0")
    renderer = render(mine, "redis")
    before = mine.snapshot()
    if fault == "forbidden":
        team.server.forbidden.add(PUSH)
    elif fault == "gone":
        mine.git("remote", "set-url", "origin", "http://127.0.0.1:1/team.git")
    else:
        team.server.password = "secret"  # noqa: S105
    if fault == "wrong":
        mine.git("remote", "set-url", "origin", team.url.replace("//", "//user:wrong@"))

    message = complaint(renderer.push)

    assert message.startswith("origin/main: git push failed: ")
    assert words in message
    assert "wrong@" not in message
    assert mine.snapshot() == before


def test_the_network_goes_between_push_and_fetch(team: Team, mine: Worktree) -> None:
    """Where theirs cannot be fetched, nothing has moved yet, and the next run goes on."""
    renderer = render(mine, "redis")
    get_ahead(team)
    team.server.forbidden.add(FETCH)
    before = mine.snapshot()

    assert complaint(renderer.push).startswith("origin/main: git fetch failed: ")
    assert mine.snapshot() == before
    team.server.forbidden.clear()
    assert renderer.push().ending is Ending.PUSHED


def test_an_answer_that_is_lost(team: Team, mine: Worktree) -> None:
    """Where the server took the push and its answer got lost, the next run finds it there."""
    renderer = render(mine, "redis")
    team.server.lost.add(PUSH)

    assert complaint(renderer.push).startswith("origin/main: git push failed: ")
    team.server.lost.clear()
    assert renderer.push().ending is Ending.UP_TO_DATE
    assert team.git("rev-parse", "main") == mine.git("rev-parse", "HEAD")


def test_a_branch_that_was_deleted(team: Team, mine: Worktree) -> None:
    """A branch that somebody deleted on the server is pushed anew, as git push does."""
    renderer = render(mine, "redis")
    team.git("update-ref", "-d", "refs/heads/main")

    assert renderer.push().ending is Ending.PUSHED
    assert team.git("rev-parse", "main") == mine.git("rev-parse", "HEAD")


def test_a_branch_that_was_rewound(team: Team, mine: Worktree) -> None:
    """Commits of others that the server was made to forget are not pushed again."""
    kept = team.git("rev-parse", "main")
    forgotten = change(mine, {"notes": "1"}, "forgotten")
    renderer = render(mine, "redis")
    team.git("update-ref", "refs/heads/main", kept)
    change(team.clone("other"), {"other": "1"})
    before = mine.snapshot()

    assert f"{forgotten[:12]} (forgotten) is no render commit" in complaint(renderer.push)
    assert mine.snapshot() == before


def test_a_branch_that_was_rewritten(team: Team, mine: Worktree) -> None:
    """Where the server's branch was replaced and only render commits of ours are missing, they are made anew."""
    renderer = render(mine, "redis")
    other = team.clone("other")
    other.git("commit", "--quiet", "--amend", "--message", "x" + RENDERED.format(source="0" * 40))
    other.git("push", "--quiet", "--force")
    theirs = other.git("rev-parse", "HEAD")

    assert renderer.push().ending is Ending.PUSHED
    assert team.git("rev-parse", "main~1") == theirs
