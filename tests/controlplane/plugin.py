"""Fixtures: the one control plane of a test run, and a fresh namespace of it for a test."""

import contextlib
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.controlplane.build import ensure_programs
from tests.controlplane.server import ControlPlane, KubectlError
from tests.machine import SetupError, say
from tests.waiting import wait_until


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> None:
    """Build before the first test, so that the minutes this takes count against no test's timeout."""
    if session.config.option.collectonly:
        return
    # The process that shares tests out among others has none itself.
    shares_out = session.config.pluginmanager.has_plugin("dsession")
    if shares_out or any("programs" in getattr(item, "fixturenames", ()) for item in session.items):
        # Tests without a control plane run all the same; for the others the fixture says what is missing.
        with contextlib.suppress(SetupError):
            ensure_programs()


@pytest.fixture(scope="session")
def programs() -> Path:
    """The folder of the built programs."""
    return ensure_programs()


@pytest.fixture(scope="session")
def controlplane(request: pytest.FixtureRequest, programs: Path) -> Iterator[ControlPlane]:
    """A running control plane; its folder outlives the run, and is named, where a test failed."""
    del programs  # only to be built first
    folder = Path(tempfile.mkdtemp(prefix="jsorc-controlplane-"))
    plane = ControlPlane.start(folder)
    yield plane
    plane.stop()
    if request.session.testsfailed:
        say(f"\nthe control plane's logs and data are kept in {folder}")
    else:
        shutil.rmtree(folder)


@pytest.fixture
def namespace(controlplane: ControlPlane) -> Iterator[str]:
    """The name of a new namespace in which pods can be created; its deletion is not waited for."""
    name = f"test-{secrets.token_hex(4)}"
    controlplane.kubectl("create", "namespace", name)

    def admits_pods() -> bool:
        try:
            return bool(controlplane.kubectl("get", "serviceaccount", "default", "-n", name))
        except KubectlError:
            return False

    wait_until(admits_pods, what=f"namespace {name} has its default ServiceAccount")
    yield name
    controlplane.kubectl("delete", "namespace", name, "--wait=false")
