"""What every test of a pass begins with."""

import pytest

from tests.reconcile.world import World


@pytest.fixture
def world() -> World:
    return World()
