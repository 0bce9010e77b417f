"""The push loop of delivering: how often, after which pauses, and when it gives up."""

from collections.abc import Sequence

import pytest

from jsorc_gitops.errors import RepositoryError
from jsorc_gitops.model.commits import Commit, PushOutcome, PushState
from jsorc_gitops.render.delivery import Ending, Patience, push_head

OURS = Commit(
    revision="a" * 40,
    parents=1,
    subject="render: x",
    trailers={"Jsorc-Source": ("b" * 40,), "Jsorc-Digest": ("sha256:x",), "Jsorc-Prune": ("deploy/mail",)},
    strays=False,
)


class BusyRemote:
    """A branch that others push to: `winners` are its heads at each look, "before" where nobody was first."""

    def __init__(self, winners: Sequence[str]) -> None:
        self.winners = list(winners)
        self.pushes = 0

    def __str__(self) -> str:
        return "origin/main"

    def push(self, revision: str) -> PushOutcome:
        assert revision == "mine"
        self.pushes += 1
        state = PushState.REJECTED if self.winners else PushState.PUSHED
        return PushOutcome(state=state, words="[remote rejected] (because)")

    def fetch(self) -> str:
        return self.winners.pop(0)

    def fetch_commit(self, revision: str) -> None:
        raise AssertionError(revision)


class MemoryRepository:
    """A clone with one render commit that nobody has yet."""

    prefix = "deploy/"

    def __init__(self, winners: Sequence[str]) -> None:
        self.remote = BusyRemote(winners)
        self.moves: list[str] = []
        self.head = "mine"

    def get_branch(self) -> str:
        return "main"

    def get_head(self) -> str:
        return self.head

    def get_tip(self, branch: str) -> str:
        raise AssertionError(branch)

    def get_remote(self, branch: str) -> BusyRemote:
        assert branch == "main"
        return self.remote

    def has_path(self, revision: str, path: str) -> bool:
        raise AssertionError(revision, path)

    def read_tree(self, revision: str, folder: str) -> dict[str, str]:
        raise AssertionError(revision, folder)

    def is_ancestor(self, old: str, new: str) -> bool:
        return old in {"before", new}

    def list_commits(self, old: str, new: str, *, within: str) -> list[Commit]:
        assert (new, within) == ("mine", "rendered")
        return [OURS, OURS] if old not in {"", new} else []

    def move_head(self, *, old: str, new: str) -> None:
        assert old == self.head
        self.moves.append(new)

    def set_branch(self, branch: str, *, old: str, new: str) -> None:
        raise AssertionError(branch, old, new)


class Waiting:
    """Pauses that pass at once, and are remembered."""

    def __init__(self, chance: float = 1.0) -> None:
        self.pauses: list[float] = []
        self.patience = Patience(sleep=self.pauses.append, random=lambda: chance)


def again(*, allow_prune: Sequence[str]) -> str:
    """Render again, with the consent of both commits, and commit."""
    assert allow_prune == ["mail"]
    return "mine"


def test_others_are_first_again_and_again() -> None:
    """After ten pushes that came too late it gives up; pauses double up to eight seconds."""
    repository, waiting = MemoryRepository([f"theirs{number}" for number in range(11)]), Waiting()

    with pytest.raises(RepositoryError) as caught:
        push_head(repository, waiting.patience, render_again=again)

    assert str(caught.value) == "origin/main: others were first 10 times in a row; try again"
    assert repository.moves == [f"theirs{number}" for number in range(10)]
    assert waiting.pauses == [0.5, 1, 2, 4, 8, 8, 8, 8, 8, 8]


@pytest.mark.parametrize("chance", [0.0, 0.5])
def test_pauses_are_left_to_chance(chance: float) -> None:
    """Clones that start together do not meet again: up to a half of each pause is left to chance."""
    waiting = Waiting(chance)
    push_head(MemoryRepository(["theirs", "theirs too"]), waiting.patience, render_again=again)

    assert waiting.pauses == [0.25 + 0.25 * chance, 0.5 + 0.5 * chance]


def test_a_push_that_was_not_done_yet() -> None:
    """Where the first look finds nobody, as while the server is still at it, the second one counts."""
    repository = MemoryRepository(["before", "theirs"])

    assert push_head(repository, Waiting().patience, render_again=again).ending is Ending.PUSHED
    assert (repository.moves, repository.remote.pushes) == (["theirs"], 2)


@pytest.mark.parametrize("there", ["before", ""])
def test_a_push_that_is_refused(there: str) -> None:
    """Where nobody was first, it was refused: no second push, nothing moved, the server's words."""
    repository = MemoryRepository([there, there, "unused"])

    with pytest.raises(RepositoryError) as caught:
        push_head(repository, Waiting().patience, render_again=again)

    assert str(caught.value) == "origin/main refuses the push: [remote rejected] (because)"
    assert (repository.moves, repository.remote.pushes) == ([], 1)


def test_a_push_that_arrived_after_all() -> None:
    """A rejected push whose commit is there all the same is done: one before it was thought to have failed."""
    repository = MemoryRepository(["before", "mine"])

    delivery = push_head(repository, Waiting().patience, render_again=again)

    assert (delivery.ending, delivery.revision, repository.moves) == (Ending.UP_TO_DATE, "mine", [])


def test_an_interrupt_goes_back() -> None:
    """Whatever ends the second rendering, ^C too, our commits are where they were before."""
    repository = MemoryRepository(["theirs"])

    def interrupt(*, allow_prune: Sequence[str]) -> str:
        repository.head = "theirs"
        raise KeyboardInterrupt(allow_prune)

    with pytest.raises(KeyboardInterrupt):
        push_head(repository, Waiting().patience, render_again=interrupt)
    assert repository.moves == ["theirs", "mine"]
