"""Render commits to where others push, too: push, and where somebody was first, render again on top of theirs.

Only render commits of ours are made anew, never anybody's work. Everything outside comes as an argument.
"""

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from jsorc_gitops.errors import RepositoryError
from jsorc_gitops.model.commits import DIGEST_TRAILER, SOURCE_TRAILER, Commit, PushOutcome, PushState
from jsorc_gitops.model.layout import FOLDER, is_ours
from jsorc_gitops.model.tree import PRUNE_TRAILER

_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.25, 8.0  # seconds
_REVISION = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")


class Remote(Protocol):
    """One branch of one remote; its str() is as git spells it."""

    def push(self, revision: str) -> PushOutcome: ...
    def fetch(self) -> str: ...
    def fetch_commit(self, revision: str) -> None: ...


class Repository(Protocol):
    """What delivering asks of git."""

    @property
    def prefix(self) -> str: ...
    def get_branch(self) -> str: ...
    def get_head(self) -> str: ...
    def get_tip(self, branch: str) -> str: ...
    def get_remote(self, branch: str) -> Remote: ...
    def has_path(self, revision: str, path: str) -> bool: ...
    def read_tree(self, revision: str, folder: str) -> dict[str, str]: ...
    def is_ancestor(self, old: str, new: str) -> bool | None: ...
    def list_commits(self, old: str, new: str, *, within: str) -> list[Commit]: ...
    def move_head(self, *, old: str, new: str) -> None: ...
    def set_branch(self, branch: str, *, old: str, new: str) -> None: ...


class RenderAgain(Protocol):
    """Renders what HEAD holds now, and commits it with these consents: the commit, or None for no difference."""

    def __call__(self, *, allow_prune: Sequence[str]) -> str | None: ...


class CommitAgain(Protocol):
    """Commits what was rendered to the branch, on top of `parent`, in the place of `replacing`."""

    def __call__(self, *, parent: str, replacing: str, allow_prune: Sequence[str]) -> str | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How often a push is tried, and how pauses between are made: `random` answers from 0 to 1."""

    sleep: Callable[[float], None]
    random: Callable[[], float]
    tries: int = 10


class Ending(StrEnum):
    """How a delivery ended well."""

    PUSHED = "pushed"
    UP_TO_DATE = "up to date"  # all of ours is there already
    NEWER = "newer"  # there is a render of a later commit


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What came of it: `place` is as git spells it, `revision` the commit that is there."""

    ending: Ending
    place: str
    revision: str


def push_head(repository: Repository, patience: Patience, *, render_again: RenderAgain) -> Delivery:
    """Push HEAD's branch; where others were first, move it to their head, render and commit again.

    Raises RepositoryError where the server refuses, where a commit to be made anew is not one of jsorc's, or
    where local changes are in the way; and whatever `render_again` raises: then HEAD goes back to where it was.
    """
    remote = repository.get_remote(repository.get_branch())

    def renew(mine: str, theirs: str, consents: Sequence[str]) -> Ending | None:
        try:
            repository.move_head(old=mine, new=theirs)
            again = render_again(allow_prune=consents)
        except BaseException:
            # What it had written by then may stand in the way; ORIG_HEAD knows our commits.
            with suppress(RepositoryError):
                if (head := repository.get_head()) != mine:
                    repository.move_head(old=head, new=mine)
            raise
        return None if again else Ending.UP_TO_DATE

    return _push(repository, remote, patience, get_mine=repository.get_head, renew=renew)


def push_branch(
    repository: Repository, branch: str, patience: Patience, *, source: str, commit_again: CommitAgain
) -> Delivery:
    """Push a branch that is not checked out; where others were first, commit again on top of theirs.

    `source` is the commit that was rendered. Where theirs was rendered from a later one, nothing is pushed, and
    the branch goes to theirs. Raises RepositoryError as `push_head` does, or where theirs was not rendered by
    jsorc, and leaves the branch as it was.
    """
    remote = repository.get_remote(branch)

    def renew(mine: str, theirs: str, consents: Sequence[str]) -> Ending | None:
        check_branch(repository, str(remote), theirs)
        newer = _is_newer(repository, remote, mine, theirs, source)
        if newer and consents:
            raise RepositoryError(
                f"{remote} holds a newer render, without the consent to prune {', '.join(consents)}; "
                "give it again with a render of that commit or a later one"
            )
        if not newer and commit_again(parent=theirs, replacing=mine, allow_prune=consents):
            return None
        repository.set_branch(branch, old=mine, new=theirs)
        return Ending.NEWER if newer else Ending.UP_TO_DATE

    return _push(repository, remote, patience, get_mine=lambda: repository.get_tip(branch), renew=renew)


def check_branch(repository: Repository, branch: str, revision: str) -> None:
    """Raise RepositoryError unless a branch's commit holds what jsorc rendered, and not what it renders from."""
    if repository.has_path(revision, "jsorc.yaml"):
        raise RepositoryError(f"branch {branch} holds jsorc.yaml; use --commit there, or name another branch")
    if not any(is_ours(*each) for each in repository.read_tree(revision, FOLDER).items()):
        raise RepositoryError(
            f"branch {branch} holds no tree that jsorc rendered; name another one, or a new one"
        )


def _push(
    repository: Repository,
    remote: Remote,
    patience: Patience,
    *,
    get_mine: Callable[[], str],
    renew: Callable[[str, str, Sequence[str]], Ending | None],
) -> Delivery:
    """Push until it is there; `renew` brings our commits on top of theirs, or says why there is no need to."""
    for attempt in range(1, patience.tries + 1):
        mine = get_mine()
        outcome = remote.push(mine)
        if outcome.state is not PushState.REJECTED:
            ending = Ending.PUSHED if outcome.state is PushState.PUSHED else Ending.UP_TO_DATE
            return Delivery(ending=ending, place=str(remote), revision=mine)
        theirs = _fetch_theirs(repository, remote, mine, patience, attempt=attempt, words=outcome.words)
        commits = repository.list_commits(theirs, mine, within=FOLDER)
        if not commits:
            return Delivery(ending=Ending.UP_TO_DATE, place=str(remote), revision=theirs)
        if end := renew(mine, theirs, _list_consents(repository, commits, place=str(remote))):
            return Delivery(ending=end, place=str(remote), revision=theirs)
    raise RepositoryError(f"{remote}: others were first {patience.tries} times in a row; try again")


def _fetch_theirs(
    repository: Repository, remote: Remote, mine: str, patience: Patience, *, attempt: int, words: str
) -> str:
    """The head that a rejected push came too late for; raise RepositoryError where it was rejected otherwise."""
    # The second look is for a push that held the server's lock and was not done yet at the first.
    for look in (attempt, attempt + 1):
        patience.sleep((1 + patience.random()) / 2 * min(_LONGEST_PAUSE, _SHORTEST_PAUSE * 2**look))
        theirs = remote.fetch()
        # Ours may have arrived meanwhile, by a push that was thought to have failed.
        if theirs == mine or (theirs and not repository.is_ancestor(theirs, mine)):
            return theirs
    raise RepositoryError(f"{remote} refuses the push: {words}")


def _list_consents(repository: Repository, commits: Sequence[Commit], *, place: str) -> list[str]:
    """The consents to pruning of render commits; raise RepositoryError where one is somebody's work."""
    for commit in commits:
        if not _is_render_commit(commit, repository.prefix):
            raise RepositoryError(
                f"{place} is ahead, and {commit.revision[:12]} ({commit.subject}) is no render commit, so it is "
                f"not made anew; rebase it onto {place}, then try again"
            )
    values = {value for commit in commits for value in commit.trailers.get(PRUNE_TRAILER, ())}
    return sorted(value.removeprefix(repository.prefix) for value in values)


def _is_render_commit(commit: Commit, prefix: str) -> bool:
    """Whether it is a render of the folder at `prefix`: a consent to another folder's pruning changes no file."""
    consents = commit.trailers.get(PRUNE_TRAILER, ())
    mine = all(each.startswith(prefix) and "/" not in each.removeprefix(prefix) for each in consents)
    marked = DIGEST_TRAILER in commit.trailers and bool(_sources(commit))
    return commit.parents <= 1 and not commit.strays and marked and mine


def _sources(commit: Commit) -> list[str]:
    """The commits it says it was rendered from. Others wrote that, and git takes no word for an option."""
    return [value for value in commit.trailers.get(SOURCE_TRAILER, ()) if _REVISION.fullmatch(value)]


def _is_newer(repository: Repository, remote: Remote, mine: str, theirs: str, source: str) -> bool:
    """Whether the last render that theirs has and mine has not is of a commit that descends from `source`."""
    commits = repository.list_commits(mine, theirs, within=FOLDER)
    sources = [_sources(commit)[-1] for commit in commits if _is_render_commit(commit, repository.prefix)]
    if not sources or sources[-1] == source:
        return False
    newer = repository.is_ancestor(source, sources[-1])
    if newer is None:
        try:
            remote.fetch_commit(sources[-1])
        except RepositoryError as error:
            raise RepositoryError(
                f"{remote} was rendered from {sources[-1][:12]}, which is not there; push that, then try again"
            ) from error
        newer = repository.is_ancestor(source, sources[-1])
    return bool(newer)
