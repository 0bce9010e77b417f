"""pytest fixtures: a fresh Jaseci server whose Redis is down, and that Redis."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.jaseci.server import Jaseci, Redis


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Redis]:
    """The Redis where `jaseci` looks for it; down until the test starts it."""
    server = Redis(tmp_path / "redis")
    yield server
    server.stop()


@pytest.fixture
def jaseci(tmp_path: Path, redis: Redis) -> Iterator[Jaseci]:
    """A fresh Jaseci server that nobody shares: a reset or a Redis that goes cannot be undone in it."""
    server = Jaseci.start(tmp_path / "jaseci", redis_port=redis.port)
    yield server
    server.stop()
