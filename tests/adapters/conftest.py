"""A repository to work in."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.adapters.git_http import GitServer, serve
from tests.adapters.team import Team
from tests.render.worktree import Worktree


@pytest.fixture
def work(tmp_path: Path) -> Worktree:
    """A repository with one commit."""
    work = Worktree(tmp_path / "work")
    work.commit({"jsorc.yaml": "", "templates/redis/a.yaml": "1", "rendered/a": "1", "rendered/b/c": "1"})
    return work


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    """A git server on loopback."""
    (tmp_path / "server").mkdir()
    with serve(tmp_path / "server") as server:
        yield server


@pytest.fixture
def team(server: GitServer, tmp_path: Path) -> Team:
    """A rendered repository on the server, and one clone of it."""
    return Team(server, tmp_path)
