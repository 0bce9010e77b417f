"""A repository to work in, and a connection to the API server that may be disturbed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from jsorc_gitops.adapters.cluster import Cluster
from tests.adapters.git_http import GitServer, serve
from tests.adapters.sending import connect
from tests.adapters.team import Team
from tests.controlplane.proxy import Proxy
from tests.controlplane.server import ControlPlane
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


@pytest.fixture
def proxy(controlplane: ControlPlane) -> Iterator[Proxy]:
    """In front of the API server."""
    with Proxy(controlplane) as made:
        yield made


@pytest.fixture
def cluster(proxy: Proxy) -> Iterator[Cluster]:
    """The admin's connection through the proxy."""
    with connect(proxy.kubeconfig_for()) as made:
        yield made
