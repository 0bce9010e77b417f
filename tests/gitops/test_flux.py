"""What Flux makes of rendered/, and jsorc beside it: the real kustomize-controller on a real control plane."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.controlplane.server import ControlPlane
from tests.gitops.fleet import (
    Fleet,
    check_changes,
    check_failure,
    check_notes,
    check_peace,
    check_removal,
    make_fleet,
)
from tests.gitops.flux import Flux

pytestmark = [pytest.mark.real, pytest.mark.slow]


@pytest.fixture
def fleet(tmp_path: Path, controlplane: ControlPlane, namespace: str) -> Iterator[Fleet]:
    with make_fleet(tmp_path / "repository", controlplane, namespace) as made:
        yield made


def test_changes_are_synced(flux: Flux, fleet: Fleet) -> None:
    """A change, a removed object and a rollback by `git revert` arrive."""
    with flux.follow(fleet.folder, name=fleet.namespace) as synced:
        check_changes(fleet, synced)


def test_a_removed_service_leaves_its_data(flux: Flux, fleet: Fleet) -> None:
    """Flux prunes its workload; claim, CRD and namespace stay."""
    with flux.follow(fleet.folder, name=fleet.namespace) as synced:
        check_removal(fleet, synced, synced.await_applied)


def test_flux_and_jsorc_do_not_fight(flux: Flux, fleet: Fleet) -> None:
    """What Flux takes over from jsorc, ten passes leave alone, and say who keeps it.

    State, ledger and Lease of jsorc are neither drift to Flux nor pruned.
    """
    assert fleet.jsorc("reconcile").code == 0
    with flux.follow(fleet.folder, name=fleet.namespace, interval="1s") as synced:
        keeper = f"Kustomization flux-system/{fleet.namespace}"
        check_peace(fleet, synced, keeper=keeper)
        check_notes(fleet, synced)


def test_what_cannot_be_applied_is_told(flux: Flux, fleet: Fleet) -> None:
    """Where the API server refuses a commit, Flux says why, and applies the next one that is right."""
    with flux.follow(fleet.folder, name=fleet.namespace) as synced:
        check_failure(fleet, synced)
