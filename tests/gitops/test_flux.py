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
from tests.gitops.handover import begin_handover, check_handover
from tests.gitops.resets import Site, check_half_applied, check_resets, make_site
from tests.jaseci.server import Jaseci, Redis

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
        check_removal(fleet, synced)


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


def test_a_handover_to_flux_and_back(flux: Flux, fleet: Fleet) -> None:
    """On a running fleet: no pod restarted, nothing made anew, and what git drops goes, whoever applies."""
    begin_handover(fleet, "flux")
    synced = flux.follow(fleet.folder, name=fleet.namespace)
    marks = {"kustomize.toolkit.fluxcd.io/name", "kustomize.toolkit.fluxcd.io/namespace"}
    check_handover(fleet, synced, applier="flux", manager="kustomize-controller", marks=marks)


@pytest.fixture
def site(
    tmp_path: Path, controlplane: ControlPlane, namespace: str, jaseci: Jaseci, redis: Redis
) -> Iterator[Site]:
    with make_site(tmp_path, controlplane, namespace, jaseci, redis, applier="flux") as made:
        yield made


def test_resets_once_flux_is_done(flux: Flux, site: Site) -> None:
    """A pass beside it, without git, resets redis once its pods are ready, and once for each rollout."""
    with flux.follow(site.folder, name=site.namespace) as synced:
        check_resets(site, synced)


def test_nothing_is_reset_where_flux_fails(flux: Flux, site: Site) -> None:
    """A commit that cannot be applied is no rollout, whatever the pods do."""
    with flux.follow(site.folder, name=site.namespace) as synced:
        check_half_applied(site, synced, keeper=f"Kustomization/flux-system/{site.namespace}")


def test_a_suspended_kustomization_holds_resets_back(flux: Flux, site: Site) -> None:
    """Suspended it says Ready as ever; nothing is reset until it is resumed."""
    with flux.follow(site.folder, name=site.namespace) as synced:
        synced.await_applied()
        synced.patch(suspend=True)
        done = site.follow("--verbose")
        assert (done.code, site.take_resets()) == (0, [])
        assert "waiting, Kustomization flux-system/" in done.output
        assert "suspended; nothing is applied until it is resumed" in done.output

        synced.patch(suspend=False)
        assert site.follow("--wait").code == 0
        assert site.take_resets() == ["redis"]
