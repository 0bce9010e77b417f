"""A repository to work in, and one way to open it."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from jsorc_gitops.adapters.git import Repository
from tests.adapters.opening import Open
from tests.render.worktree import Worktree


@pytest.fixture
def work(tmp_path: Path) -> Worktree:
    """A repository with one commit."""
    work = Worktree(tmp_path / "work")
    work.commit({"jsorc.yaml": "", "templates/redis/a.yaml": "1", "rendered/a": "1", "rendered/b/c": "1"})
    return work


@pytest.fixture
def opened() -> Iterator[Open]:
    """Opens repositories, and closes them in the end."""
    with ExitStack() as stack:
        yield lambda root: stack.enter_context(closing(Repository(root)))
