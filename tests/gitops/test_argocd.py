"""What Argo CD makes of rendered/, and jsorc beside it: the real one on a real control plane."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.controlplane.server import ControlPlane
from tests.gitops.argocd import ArgoCD
from tests.gitops.fleet import (
    Fleet,
    check_changes,
    check_failure,
    check_notes,
    check_peace,
    check_removal,
    make_fleet,
)
from tests.gitops.handover import begin_handover, check_handover
from tests.gitops.resets import Site, check_half_applied, check_resets, make_site
from tests.gitops.shipped import AS_IS, apply_by_kubectl, check_shipped, sync
from tests.jaseci.server import Jaseci, Redis
from tests.journeys.scratch import Scratch

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.argocd]


@pytest.fixture
def fleet(tmp_path: Path, controlplane: ControlPlane, namespace: str) -> Iterator[Fleet]:
    with make_fleet(tmp_path / "repository", controlplane, namespace) as made:
        yield made


def test_changes_are_synced(argocd: ArgoCD, fleet: Fleet) -> None:
    """A change, a removed object and a rollback by `git revert` arrive."""
    with argocd.follow(fleet.folder, name=fleet.namespace) as synced:
        check_changes(fleet, synced)


def test_a_removed_service_leaves_its_data(argocd: ArgoCD, fleet: Fleet) -> None:
    """Argo CD prunes its workload; claim, CRD and namespace stay, and it is Synced all the same."""
    with argocd.follow(fleet.folder, name=fleet.namespace) as synced:
        check_removal(fleet, synced)


def test_argocd_and_jsorc_do_not_fight(argocd: ArgoCD, fleet: Fleet) -> None:
    """What Argo CD takes over from jsorc, ten passes leave alone, and say who keeps it.

    State, ledger and Lease of jsorc are neither drift to Argo CD nor pruned.
    """
    assert fleet.jsorc("reconcile").code == 0
    with argocd.follow(fleet.folder, name=fleet.namespace) as synced:
        check_peace(fleet, synced, keeper=f"Application argocd/{fleet.namespace}")
        check_notes(fleet, synced)


def test_what_cannot_be_applied_is_told(argocd: ArgoCD, fleet: Fleet) -> None:
    """Where the API server refuses a commit, Argo CD says why, and syncs the next one that is right."""
    with argocd.follow(fleet.folder, name=fleet.namespace) as synced:
        check_failure(fleet, synced)


def test_it_makes_the_same_objects(argocd_programs: Path, tmp_path: Path) -> None:
    """This repository's rendered/ is Synced and Healthy, and every field is as kubectl makes it, marks aside."""
    del argocd_programs  # only to be built first

    @contextmanager
    def apply_by_argocd(scratch: Scratch) -> Iterator[None]:
        argocd = ArgoCD.start(tmp_path / "controller", scratch.controlplane)
        try:
            check_shipped(scratch, argocd.follow(scratch.folder, name="shipped", commit=AS_IS))
            yield
        finally:
            argocd.stop()

    by_kubectl = sync(tmp_path, "kubectl", apply_by_kubectl)

    assert len(by_kubectl) > 50
    assert sync(tmp_path, "argocd", apply_by_argocd) == by_kubectl


def test_a_handover_to_argocd_and_back(argocd: ArgoCD, fleet: Fleet) -> None:
    """On a running fleet: no pod restarted, nothing made anew, and what git drops goes, whoever applies."""
    begin_handover(fleet, "argocd")
    synced = argocd.follow(fleet.folder, name=fleet.namespace)
    marks = {"argocd.argoproj.io/tracking-id"}
    check_handover(fleet, synced, applier="argocd", manager="argocd-controller", marks=marks)


@pytest.fixture
def site(
    tmp_path: Path, controlplane: ControlPlane, namespace: str, jaseci: Jaseci, redis: Redis
) -> Iterator[Site]:
    with make_site(tmp_path, controlplane, namespace, jaseci, redis, applier="argocd") as made:
        yield made


def test_resets_once_argocd_is_done(argocd: ArgoCD, site: Site) -> None:
    """A pass beside it, without git, resets redis once its pods are ready, and once for each rollout."""
    with argocd.follow(site.folder, name=site.namespace) as synced:
        check_resets(site, synced)


def test_nothing_is_reset_where_argocd_fails(argocd: ArgoCD, site: Site) -> None:
    """A commit that cannot be applied is no rollout, whatever the pods do."""
    with argocd.follow(site.folder, name=site.namespace) as synced:
        # So that it has failed after one try, and not after five minutes.
        synced.patch(syncPolicy={"retry": {"limit": 0}})
        check_half_applied(site, synced, keeper=f"Application/argocd/{site.namespace}")


def test_out_of_sync_for_ever(argocd: ArgoCD, site: Site) -> None:
    """Where nobody has it sync by itself, a later commit is never applied: nothing is reset, --wait runs out."""
    with argocd.follow(site.folder, name=site.namespace) as synced:
        synced.await_applied()
        assert site.follow("--wait").code == 0
        site.take_resets()
        synced.patch(syncPolicy={"automated": None})
        site.say("7.4")
        synced.publish()
        synced.reconcile()
        done = site.follow("--wait", "--timeout", "5s", "--verbose")

        assert (done.code, site.take_resets()) == (4, []), done.output
        assert "waiting, Application argocd/" in done.output
        assert "OutOfSync with " in done.output
