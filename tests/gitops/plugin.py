"""pytest fixtures: Flux's applier, or Argo CD, beside the control plane of the run."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.controlplane.server import ControlPlane
from tests.gitops.argocd import ArgoCD, require_own_network
from tests.gitops.build import ensure_argocd, ensure_flux
from tests.gitops.flux import Flux
from tests.machine import SetupError, say


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> None:
    """Build before the first test, so that the minutes this takes count against no test's timeout."""
    if session.config.option.collectonly:
        return
    wanted = {name for item in session.items for name in getattr(item, "fixturenames", ())}
    # Tests without it run all the same; for the others the fixture says what is missing.
    with suppress(SetupError):
        if "flux_programs" in wanted:
            ensure_flux()
    with suppress(SetupError):
        if "argocd_programs" in wanted:
            require_own_network()
            ensure_argocd()


@pytest.fixture(scope="session")
def flux_programs() -> Path:
    """The folder of what is built of Flux."""
    return ensure_flux()


@pytest.fixture(scope="session")
def argocd_programs() -> Path:
    """The folder of what is built of Argo CD; only in a network of its own (`make test-argocd`)."""
    require_own_network()
    return ensure_argocd()


# For one module, since tests elsewhere look at a cluster that has neither.


@pytest.fixture(scope="module")
def flux(request: pytest.FixtureRequest, flux_programs: Path, controlplane: ControlPlane) -> Iterator[Flux]:
    """Flux's applier at work."""
    del flux_programs  # only to be built first
    with _keep_where_failed(request, "flux") as folder:
        running = Flux.start(folder, controlplane)
        yield running
        running.uninstall()


@pytest.fixture(scope="module")
def argocd(request: pytest.FixtureRequest, argocd_programs: Path, controlplane: ControlPlane) -> Iterator[ArgoCD]:
    """Argo CD at work."""
    del argocd_programs
    with _keep_where_failed(request, "argocd") as folder:
        running = ArgoCD.start(folder, controlplane)
        yield running
        running.uninstall()


@contextmanager
def _keep_where_failed(request: pytest.FixtureRequest, name: str) -> Iterator[Path]:
    """A folder that outlives the run, and is named, where a test failed meanwhile."""
    folder = Path(tempfile.mkdtemp(prefix=f"jsorc-{name}-"))
    before = request.session.testsfailed
    try:
        yield folder
    finally:
        if request.session.testsfailed > before:
            say(f"\nthe logs of {name} are kept in {folder}")
        else:
            shutil.rmtree(folder)
