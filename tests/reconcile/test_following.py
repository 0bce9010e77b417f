"""following: passes beside Flux and kubectl; what is not done yet, or has failed, resets nothing."""

from collections.abc import Mapping
from copy import deepcopy
from functools import partial
from typing import Any

import pytest

from jsorc_gitops.errors import ClusterError, NothingAppliedError
from jsorc_gitops.reconcile.ledger import ledger_name
from jsorc_gitops.reconcile.ports import Options
from jsorc_gitops.reconcile.resets import Verdict
from jsorc_gitops.reconcile.syncers import FLUX
from tests.reconcile.builders import HOME, make_ref
from tests.reconcile.fleet import (
    FAILED,
    FOLLOW,
    KEEPER,
    PLAIN,
    READY,
    RECORD,
    SETTINGS,
    TREE,
    A,
    B,
    Fleet,
    go,
    resets,
    tell,
)


@pytest.fixture
def fleet() -> Fleet:
    return Fleet()


@FOLLOW
def test_resets_once_and_writes_only_its_own(fleet: Fleet, *, from_cluster: bool) -> None:
    """What Flux has applied is judged, and what does not run is reset; the next pass writes nothing at all."""
    fleet.sync()
    report = go(fleet, from_cluster=from_cluster)

    assert (report.exit_code, report.objects, report.errors, report.warnings) == (0, (), (), ())
    assert {each.service: each.verdict for each in report.services} == dict.fromkeys(TREE.records, Verdict.RESET)
    ledger = f"ConfigMap/{HOME}/{ledger_name('default')}"
    assert fleet.writes == [
        f"create {ledger}",
        "reset redis",
        *[f"replace {ledger}"] * 2,
        "reset task",
        f"replace {ledger}",
    ]
    assert go(fleet, from_cluster=from_cluster).exit_code == 0
    assert fleet.writes == []


@FOLLOW
@pytest.mark.parametrize(
    ("keep", "reason", "code"),
    [
        ({"suspend": True}, "suspended; nothing is applied until it is resumed", 0),
        ({"conditions": [FAILED]}, "BuildFailed: no such file", 4),
        ({"observedGeneration": 0}, "Flux has not seen its last change yet", 0),
        (
            {"lastAttemptedRevision": f"main@sha1:{B}"},
            f"main@sha1:{A} is applied, main@sha1:{B} is on its way",
            0,
        ),
    ],
)
def test_nothing_is_reset_before_flux_is_done(
    fleet: Fleet, keep: Mapping[str, Any], reason: str, code: int, *, from_cluster: bool
) -> None:
    """Suspended, failing or half way: every service waits, and the cause is told."""
    fleet.sync(**keep)
    report = go(fleet, from_cluster=from_cluster)

    held = f"Kustomization flux-system/app: {reason}"
    assert tell(report) == dict.fromkeys(TREE.records, (Verdict.WAITING, held))
    assert (report.exit_code, resets(fleet)) == (code, [])
    assert [f"{each.ref} {each.message}" for _, each in report.healths if each.ref == KEEPER] == [
        f"Kustomization/flux-system/app {reason}"
    ]


@FOLLOW
def test_a_rollout_is_seen_when_flux_is_done(fleet: Fleet, *, from_cluster: bool) -> None:
    """New pods while Flux is still at it reset nothing; once it is done, they do, once."""
    fleet.sync()
    go(fleet, from_cluster=from_cluster)
    deployment = make_ref("Deployment", "redis", group="apps")
    fleet.cluster.edit(deployment, ("spec", "template", "spec", "x"), 1, manager="kustomize-controller")
    fleet.keep(TREE, A, conditions=[{**READY, "status": "Unknown", "reason": "Progressing", "message": "checks"}])
    go(fleet, from_cluster=from_cluster)
    assert resets(fleet) == []

    fleet.keep(TREE, A)
    go(fleet, from_cluster=from_cluster)
    assert resets(fleet) == ["reset redis", "reset task"]
    go(fleet, from_cluster=from_cluster)
    assert resets(fleet) == []


@FOLLOW
def test_nobody_has_applied_the_tree(fleet: Fleet, *, from_cluster: bool) -> None:
    """`applier: flux`, and no Kustomization there: told, and nothing is reset."""
    fleet.sync(flux=False)
    report = go(fleet, from_cluster=from_cluster)

    [error] = report.errors
    assert error.startswith(
        "applier is flux, but no Kustomization of this cluster has applied the records in home"
    )
    assert tell(report)["redis"] == (Verdict.WAITING, f"no Kustomization has applied {RECORD}")
    assert (report.exit_code, resets(fleet)) == (1, [])


def test_applied_by_kubectl(fleet: Fleet) -> None:
    """Where jsorc.yaml names no other, whoever has applied the records is trusted."""
    fleet.sync(PLAIN, flux=False)
    report = fleet.follow()

    assert (report.exit_code, report.warnings, resets(fleet)) == (0, (), ["reset redis", "reset task"])
    assert (report.revision, report.tree) == ("", "default")


def test_a_kustomization_that_may_not_be_read(fleet: Fleet) -> None:
    """It is an error that names it, and nothing is reset."""
    fleet.sync()
    fleet.hooks.before = lambda verb, what: (
        ClusterError("403: forbidden", status=403) if (verb, what) == ("get", str(KEEPER)) else None
    )
    report = fleet.follow()

    assert report.errors == (f"{KEEPER} it could not be read: 403: forbidden",)
    assert (report.exit_code, resets(fleet)) == (1, [])


@pytest.mark.parametrize(
    ("applied", "touches", "done"), [(B, False, True), (B, True, False), ("c" * 40, False, False)]
)
def test_flux_at_another_commit_than_git(fleet: Fleet, applied: str, *, touches: bool, done: bool) -> None:
    """What is read from git counts once Flux has applied that; a commit beside rendered/ is the same."""
    fleet.sync(revision=applied)
    fleet.history.touching = {B} if touches else set()
    report = fleet.run(TREE, A)

    assert resets(fleet) == (["reset redis", "reset task"] if done else [])
    unknown = "; this clone does not know that one: pull, or a newer commit has taken its place"
    why = ", which is older: pull" if applied == B else unknown
    reason = f"Kustomization flux-system/app: {applied[:12]} is applied, this is {A[:12]}{why}"
    assert done or tell(report)["redis"] == (Verdict.WAITING, reason)


@FOLLOW
def test_flux_rolls_back_while_a_pass_runs(fleet: Fleet, *, from_cluster: bool) -> None:
    """What was judged belongs to the commit before, so nothing is reset; the next pass does."""
    fleet.sync()

    def roll_back(verb: str, what: str) -> None:
        if verb == "list" and what.startswith("Pod/"):
            fleet.hooks.before = lambda *_: None
            fleet.keep(TREE, B)

    fleet.history.touching = {B}
    fleet.hooks.before = roll_back
    report = go(fleet, from_cluster=from_cluster)

    verdict, reason = tell(report)["redis"]
    assert (verdict, resets(fleet)) == (Verdict.WAITING, [])
    assert B[:12] in reason
    fleet.keep(TREE, A)
    go(fleet, from_cluster=from_cluster)
    assert resets(fleet) == ["reset redis", "reset task"]


@FOLLOW
def test_waiting_for_flux(fleet: Fleet, *, from_cluster: bool) -> None:
    """--wait stays until Flux is done, then for what it has applied; it says what it waits for."""
    fleet.sync(observedGeneration=0)
    fleet.clock.happen(20, lambda: fleet.keep(TREE, A))
    report = go(fleet, from_cluster=from_cluster, options=Options(wait=60))

    assert (report.exit_code, resets(fleet)) == (0, ["reset redis", "reset task"])
    assert fleet.waits[0] == "Kustomization flux-system/app to be done"


@FOLLOW
def test_waiting_for_flux_to_begin(fleet: Fleet, *, from_cluster: bool) -> None:
    """Records that Flux has not taken over yet are waited for, too: as after `kubectl apply -k`."""
    fleet.sync(flux=False)
    fleet.clock.happen(20, fleet.sync)
    report = go(fleet, from_cluster=from_cluster, options=Options(wait=60))

    assert (report.exit_code, resets(fleet)) == (0, ["reset redis", "reset task"])
    assert fleet.waits[0] == f"{SETTINGS} to be synced"


def test_waiting_for_a_namespace(fleet: Fleet) -> None:
    """Where nothing was applied at all, that is waited for, within the same time; told once."""
    ref = make_ref("Namespace", HOME, namespace="")
    home = fleet.cluster.objects.pop(ref)
    with pytest.raises(NothingAppliedError, match="nothing was applied to namespace home yet"):
        fleet.run(TREE, A, Options(wait=10))

    fleet.clock.happen(20, partial(fleet.cluster.objects.__setitem__, ref, home))
    fleet.clock.happen(50, fleet.sync)
    fleet.waits.clear()
    report = fleet.run(TREE, A, Options(wait=60))

    assert (report.exit_code, resets(fleet)) == (0, ["reset redis", "reset task"])
    assert fleet.waits[:2] == ["the tree to be applied", f"{SETTINGS} to be synced"]
    assert fleet.waits[2].startswith("Jaseci")


def test_a_digest_is_no_commit(fleet: Fleet) -> None:
    """From git nobody can tell whether an image that Flux has applied is HEAD; from the cluster nobody has to."""
    said = "latest@sha256:" + "c" * 64
    fleet.sync(lastAppliedRevision=said, lastAttemptedRevision=said)
    verdict, reason = tell(fleet.run(TREE, A))["redis"]

    assert (verdict, resets(fleet)) == (Verdict.WAITING, [])
    assert "nobody can tell whether that is it: pass --from-cluster" in reason
    fleet.follow()
    assert resets(fleet) == ["reset redis", "reset task"]


def test_a_commit_that_mends_is_waited_for(fleet: Fleet) -> None:
    """What failed was the commit before HEAD: --wait stays until Flux has tried HEAD; then a failure is one."""
    fleet.sync(conditions=[FAILED])
    fleet.history.touching = {B}
    fleet.clock.happen(20, lambda: fleet.keep(TREE, B))
    report = fleet.run(TREE, B, Options(wait=60))
    assert (report.exit_code, resets(fleet)) == (0, ["reset redis", "reset task"])

    fleet.keep(TREE, B, conditions=[FAILED])
    assert fleet.run(TREE, B, Options(wait=60)).exit_code == 4


def test_a_clone_that_was_overtaken_does_not_wait(fleet: Fleet) -> None:
    """Flux is at a later commit than HEAD already: waiting would be in vain."""
    fleet.sync(revision=B)
    fleet.history.touching = {B}
    report = fleet.run(TREE, A, Options(wait=60))

    assert (report.exit_code, resets(fleet), fleet.waits) == (4, [], [])
    assert "which is older: pull" in tell(report)["redis"][1]


def test_one_broken_pod_holds_nobody_back(fleet: Fleet) -> None:
    """Flux calls all of it unhealthy then; that it is applied is what counts, the rest is told by the pods."""
    sick = {**FAILED, "reason": "HealthCheckFailed", "message": "timeout waiting for: [Deployment/home/grafana]"}
    fleet.sync(conditions=[sick], lastAppliedRevision=None)
    fleet.follow()

    assert resets(fleet) == ["reset redis", "reset task"]


def test_the_trees_own_kustomization_counts(fleet: Fleet) -> None:
    """Where each service has one of its own, that of the settings holds all of them back, and is told."""
    fleet.sync()
    other = {
        **fleet.cluster.objects[KEEPER],
        "metadata": {"name": "own", "namespace": "flux-system", "generation": 2},
    }
    fleet.cluster.put(other)
    settings = deepcopy(fleet.cluster.objects[SETTINGS])
    settings["metadata"]["labels"][f"{FLUX}/name"] = "own"
    fleet.cluster.put(settings, "kustomize-controller")
    report = fleet.follow()

    held = "Kustomization flux-system/own: Flux has not seen its last change yet"
    assert tell(report) == dict.fromkeys(TREE.records, (Verdict.WAITING, held))
    assert [health.ref.name for _, health in report.healths if health.ref.kind == "Kustomization"] == [
        "own",
        "app",
    ]


@FOLLOW
def test_waiting_for_flux_in_vain(fleet: Fleet, *, from_cluster: bool) -> None:
    """The time of --wait runs out: exit 4, and nothing was reset."""
    fleet.sync(suspend=True)
    report = go(fleet, from_cluster=from_cluster, options=Options(wait=60))

    assert (report.exit_code, report.overdue, resets(fleet)) == (4, True, [])


@FOLLOW
def test_objects_are_left_to_flux(fleet: Fleet, *, from_cluster: bool) -> None:
    """Drift and what is missing are told by their health; no pass writes, prunes or dry-runs an object."""
    fleet.sync()
    deployment = make_ref("Deployment", "redis", group="apps")
    del fleet.cluster.objects[deployment]
    report = go(fleet, from_cluster=from_cluster)

    assert {ref for ref in fleet.cluster.objects if ref == deployment} == set()
    assert {line.split()[0] for line in fleet.log} & {"apply", "dry-run", "delete", "patch"} == set()
    assert tell(report)["redis"] == (Verdict.UNKNOWN, f"{deployment}: not in the cluster")
    assert report.exit_code == 4


def test_a_dry_run_says_that_nothing_is_applied(fleet: Fleet) -> None:
    """Nothing is even asked."""
    fleet.sync()
    report = fleet.run(TREE, A, Options(dry_run=True))

    assert report.warnings == ("applier is flux: a pass applies and prunes nothing",)
    assert (report.exit_code, report.objects, fleet.writes) == (0, (), [])


def test_what_jsorc_has_applied_before(fleet: Fleet) -> None:
    """Objects that are still ours under another applier are told, with what hands them over."""
    fleet.run(PLAIN, A)
    fleet.sync()
    report = fleet.run(TREE, A)

    assert [each for each in report.warnings if "jsorc release" in each] != []
