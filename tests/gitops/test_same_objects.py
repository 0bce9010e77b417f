"""The same commit, on a fresh cluster each, by kubectl, by jsorc and by Flux: the same objects."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.gitops.flux import Flux
from tests.gitops.shipped import AS_IS, apply_by_jsorc, apply_by_kubectl, check_shipped, sync
from tests.journeys.scratch import Scratch

pytestmark = [pytest.mark.real, pytest.mark.slow]


@pytest.mark.usefixtures("flux_programs", "programs")
def test_every_tool_makes_the_same_objects(tmp_path: Path) -> None:
    """Flux syncs this repository's rendered/, and every field is as kubectl and jsorc make it, marks aside."""

    @contextmanager
    def apply_by_flux(scratch: Scratch) -> Iterator[None]:
        flux = Flux.start(tmp_path / "controller", scratch.controlplane)
        try:
            check_shipped(scratch, flux.follow(scratch.folder, name="shipped", commit=AS_IS, timeout="60s"))
            yield
        finally:
            flux.stop()

    by_kubectl = sync(tmp_path, "kubectl", apply_by_kubectl)

    assert len(by_kubectl) > 50
    assert sync(tmp_path, "jsorc", apply_by_jsorc) == by_kubectl
    assert sync(tmp_path, "flux", apply_by_flux) == by_kubectl
