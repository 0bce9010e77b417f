"""Delivering a rendered branch to a real git server, beside others who push it."""

import pytest

from jsorc_gitops.adapters.git import Repository
from jsorc_gitops.errors import DefinitionError
from jsorc_gitops.render.delivery import Ending
from tests.adapters.complaints import complaint
from tests.adapters.delivering import BranchRenderer
from tests.adapters.git_http import FETCH
from tests.adapters.team import Team, change, make_config
from tests.render.worktree import Worktree

pytestmark = pytest.mark.slow


def render(work: Worktree, *consents: str) -> BranchRenderer:
    """Render to the branch `live`, and commit."""
    renderer = BranchRenderer(work.root, "live")
    renderer.commit(allow_prune=consents)
    return renderer


def get_trailers(team: Team, key: str) -> list[str]:
    """The values of a trailer on the server's branch, the newest first."""
    return team.git("log", f"--format=%(trailers:key={key},valueonly)", "live").split()


@pytest.fixture
def mine(team: Team) -> Worktree:
    """A clone on the first commit, with things lying about."""
    work = team.clone("mine")
    work.write({"unknown": "1", "staged": "1", "templates/redis/hidden~": "x"})
    work.git("add", "staged")
    return work


@pytest.fixture
def theirs(team: Team) -> Worktree:
    """Another clone."""
    return team.clone("theirs")


def test_a_branch_is_pushed(team: Team, mine: Worktree) -> None:
    """The branch goes to the server, and the work tree stays as it is; a second time there is nothing to push."""
    before = mine.snapshot()
    renderer = render(mine)

    deliveries = [renderer.push(), renderer.push()]

    assert [(each.ending, each.place) for each in deliveries] == [
        (Ending.PUSHED, "origin/live"),
        (Ending.UP_TO_DATE, "origin/live"),
    ]
    assert team.git("rev-parse", "live") == mine.git("rev-parse", "live")
    assert get_trailers(team, "Jsorc-Source") == [mine.git("rev-parse", "HEAD")]
    after = mine.snapshot()
    assert (after.files, after.index, after.status) == (before.files, before.index, before.status)


def test_an_older_render_is_there(team: Team, mine: Worktree, theirs: Worktree) -> None:
    """What was rendered from an earlier commit is built upon, with our consents; files of others there stay."""
    render(mine, "redis")
    render(theirs).push()
    theirs.git("switch", "--quiet", "live")
    there = change(theirs, {"README": "1"})
    change(mine, make_config("redis", "1"))
    renderer = render(mine)

    assert renderer.push().ending is Ending.PUSHED

    assert team.git("rev-parse", "live~1") == there
    assert team.git("show", "live:README") == "1"
    assert "value: '1'" in team.git("show", "live:rendered/redis/ConfigMap.yaml")
    assert get_trailers(team, "Jsorc-Prune") == ["redis"]


def test_a_newer_render_is_there(team: Team, mine: Worktree, theirs: Worktree) -> None:
    """A render of a later commit, one that this clone has never seen, is not replaced by ours."""
    change(theirs, make_config("redis", "1"))
    render(theirs).push()
    renderer = render(mine)

    assert renderer.push().ending is Ending.NEWER
    assert team.git("rev-parse", "live") == mine.git("rev-parse", "live") == theirs.git("rev-parse", "live")


def test_a_newer_render_without_our_consent(mine: Worktree, theirs: Worktree) -> None:
    """A consent that only our commit carries does not get lost in silence."""
    change(theirs, make_config("redis", "1"))
    render(theirs).push()
    renderer = render(mine, "redis")
    before = mine.git("rev-parse", "live")

    assert complaint(renderer.push) == (
        "origin/live holds a newer render, without the consent to prune redis; "
        "give it again with a render of that commit or a later one"
    )
    assert mine.git("rev-parse", "live") == before


def test_the_same_render_is_there(team: Team, mine: Worktree, theirs: Worktree) -> None:
    """Where another clone rendered the same, its commit stays, and our branch goes to it."""
    render(theirs, "redis").push()
    renderer = render(mine)

    assert renderer.push().ending is Ending.UP_TO_DATE
    assert mine.git("rev-parse", "live") == team.git("rev-parse", "live") == theirs.git("rev-parse", "live")


def test_a_render_of_a_commit_that_nobody_has(mine: Worktree, theirs: Worktree) -> None:
    """Where theirs was rendered from a commit that was never pushed, ours might be older: nothing is pushed."""
    source = theirs.commit(make_config("redis", "1"))
    render(theirs).push()
    renderer = render(mine)
    before = mine.git("rev-parse", "live")

    assert complaint(renderer.push) == (
        f"origin/live was rendered from {source[:12]}, which is not there; push that, then try again"
    )
    assert mine.git("rev-parse", "live") == before


@pytest.mark.parametrize("trailer", ["--upload-pack=touch x", "HEAD", "x" * 40, "0" * 39])
def test_a_source_that_is_none(team: Team, mine: Worktree, theirs: Worktree, trailer: str) -> None:
    """What others wrote into a trailer is a commit or nothing; git is never asked for it."""
    render(theirs).push()
    theirs.git("switch", "--quiet", "live")
    change(theirs, {"rendered/redis/notes": "1"}, f"x\n\nJsorc-Source: {trailer}\nJsorc-Digest: x")
    renderer = render(mine, "redis")

    assert renderer.push().ending is Ending.PUSHED
    assert team.git("show", "live:rendered/redis/notes") == "1"


def test_somebodys_commit_is_never_made_anew(mine: Worktree, theirs: Worktree) -> None:
    """A person's commit on our side of the branch, not pushed yet, is not replaced."""
    render(mine)
    mine.git("worktree", "add", "--quiet", "../live", "live")
    commit = Worktree(mine.path.parent / "live").commit({"README": "mine"}, "Explain")
    mine.git("worktree", "remove", "../live")
    render(theirs, "redis").push()

    assert f"{commit[:12]} (Explain) is no render commit" in complaint(BranchRenderer(mine.root, "live").push)
    assert mine.git("rev-parse", "live") == commit


# What a branch of this name holds → the complaint about it.
STRANGERS = {
    "definitions": ({"jsorc.yaml": ""}, "holds jsorc.yaml; use --commit there, or name another branch"),
    "something else": (
        {"rendered/a.yaml": "by hand"},
        "holds no tree that jsorc rendered; name another one, or a new one",
    ),
}


@pytest.mark.parametrize("kind", STRANGERS)
def test_a_branch_of_others(team: Team, mine: Worktree, theirs: Worktree, kind: str) -> None:
    """A branch that render did not make is not written to, on this side or on the server."""
    files, message = STRANGERS[kind]
    theirs.git("switch", "--quiet", "--orphan", "live")
    there = change(theirs, files)
    renderer = render(mine)

    assert complaint(renderer.push) == f"branch origin/live {message}"
    mine.git("fetch", "--quiet", "origin", "+live:live")
    assert complaint(renderer.commit) == f"branch live {message}"
    assert team.git("rev-parse", "live") == mine.git("rev-parse", "live") == there


def test_main_is_no_rendered_branch(mine: Worktree) -> None:
    """The branch that definitions live on is refused although it holds what jsorc rendered."""
    mine.git("switch", "--quiet", "--create", "topic")

    assert complaint(BranchRenderer(mine.root, "main").commit) == (
        "branch main holds jsorc.yaml; use --commit there, or name another branch"
    )


def test_failures_leave_the_branch(team: Team, mine: Worktree, theirs: Worktree) -> None:
    """When the network goes, or rendering fails, our commit stays on the branch, and the next run delivers it."""
    renderer = render(mine, "redis")
    render(theirs).push()
    before = mine.git("rev-parse", "live")
    team.server.forbidden.add(FETCH)

    assert complaint(renderer.push).startswith("origin/live: git fetch failed: ")
    team.server.forbidden.clear()
    mine.write({"templates/redis/service.yaml": "{"})
    with pytest.raises(DefinitionError):
        renderer.push()
    assert mine.git("rev-parse", "live") == before
    (mine.root / "templates/redis/service.yaml").unlink()
    assert renderer.push().ending is Ending.PUSHED
    assert get_trailers(team, "Jsorc-Prune") == ["redis"]


def test_a_shallow_clone(team: Team, mine: Worktree, theirs: Worktree) -> None:
    """A clone of one commit, as CI has it, tells an older render from a newer one."""
    render(theirs).push()
    latest = change(mine, make_config("redis", "1"))
    mine.git("clone", "--quiet", "--depth=1", "--branch=main", team.url, "../shallow")
    shallow = Worktree(mine.path.parent / "shallow")
    assert Repository(shallow.root).is_shallow()

    assert render(shallow).push().ending is Ending.PUSHED
    assert get_trailers(team, "Jsorc-Source")[0] == latest
    assert render(theirs, "redis").repository.get_tip("live") != team.git("rev-parse", "live")
    assert " holds a newer render, " in complaint(BranchRenderer(theirs.root, "live").push)
