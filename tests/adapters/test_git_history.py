"""The door to git, with a real git: how far two commits are apart."""

from jsorc_gitops.adapters.git import Repository
from tests.render.worktree import Worktree


def test_commits_apart(work: Worktree) -> None:
    """What each has that the other has not is counted; a commit that this clone has not cannot be."""
    base = work.commit({"a": "1"})
    old = work.commit({"a": "2"})
    work.git("reset", "--hard", "--quiet", base)
    new = [work.commit({"a": str(number)}) for number in (3, 4)][-1]
    repository = Repository(work.root)

    assert repository.count_apart(base, new) == (2, 0)
    assert repository.count_apart(new, base) == (0, 2)
    assert repository.count_apart(old, new) == (2, 1)
    assert repository.count_apart("1" * 40, new) is None
