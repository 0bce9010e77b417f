"""following, records: passes beside Flux and kubectl; what is not done yet, or broken, resets nothing."""

import json
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from jsorc_gitops.errors import ClusterError, FormatError, JsorcError, TreeError
from jsorc_gitops.model.jaseci import ServiceState
from jsorc_gitops.model.layout import record_name, settings_name
from jsorc_gitops.model.objects import ObjectRef
from jsorc_gitops.model.settings import CredentialsReference, JaseciSettings
from jsorc_gitops.model.tree import Tree, make_record_manifest, make_settings_manifest
from jsorc_gitops.reconcile.converge import reconcile
from jsorc_gitops.reconcile.ledger import ledger_name
from jsorc_gitops.reconcile.ports import NoHistory, Options
from jsorc_gitops.reconcile.records import read_cluster_tree
from jsorc_gitops.reconcile.report import Report
from jsorc_gitops.reconcile.resets import Verdict
from jsorc_gitops.reconcile.syncers import FLUX
from tests.reconcile.builders import HOME, Body, make_ref, make_tree
from tests.reconcile.trees import REDIS, TASK
from tests.reconcile.world import FakeClock, World

A, B = "a" * 40, "b" * 40
RECORDS = {"task": {"depends_on": ("redis",)}}
TREE = make_tree({"redis": REDIS, "task": TASK}, records=RECORDS, applier="flux")
PLAIN = make_tree({"redis": REDIS, "task": TASK}, records=RECORDS)
KEEPER = make_ref("Kustomization", "app", group=FLUX, namespace="flux-system")
RECORD = make_ref("ConfigMap", record_name("default", "redis"))
SETTINGS = make_ref("ConfigMap", settings_name("default"))
READY = {"type": "Ready", "status": "True", "reason": "ReconciliationSucceeded"}
FAILED = {"type": "Ready", "status": "False", "reason": "BuildFailed", "message": "no such file"}


class LivelyClock(FakeClock):
    """While somebody sleeps, what is to happen does."""

    def sleep(self, seconds: float) -> None:
        end = self.time + timedelta(seconds=seconds)
        while self.go_on((end - self.time).total_seconds()):
            pass


Change = Callable[[dict[str, Any]], object]


class Fleet(World):
    """A world in which a tree is applied by Flux, or (`flux` False) by kubectl."""

    def __init__(self) -> None:
        super().__init__()
        self.history.commits = [A, B]
        self.clock = LivelyClock(self.log)
        self.cluster.served.add((f"{FLUX}/v1", "Kustomization"))
        self.jaseci.states |= {"redis": ServiceState.FAILED, "task": ServiceState.FAILED}

    def sync(self, tree: Tree = TREE, revision: str = A, *, flux: bool = True, **status: Any) -> None:
        marks = {f"{FLUX}/name": "app", f"{FLUX}/namespace": "flux-system"} if flux else {}
        for each in tree.manifests.values():
            body: Body = deepcopy(dict(each.body))
            body["metadata"]["labels"] |= marks
            self.cluster.put(body, "kustomize-controller" if flux else "kubectl-client-side-apply")
        if flux:
            self.keep(tree, revision, **status)

    def keep(self, tree: Tree, revision: str, *, suspend: bool = False, **status: Any) -> None:
        """What the Kustomization says."""
        entries = [f"{ref.namespace}_{ref.name}_{ref.group}_{ref.kind}" for ref in tree.manifests]
        said = f"main@sha1:{revision}"
        self.cluster.objects.pop(KEEPER, None)
        self.cluster.put(
            {
                "apiVersion": f"{FLUX}/v1",
                "kind": "Kustomization",
                "metadata": {"name": "app", "namespace": "flux-system", "generation": 1},
                "spec": {"suspend": suspend},
                "status": {
                    "observedGeneration": 1,
                    "conditions": [READY],
                    "lastAppliedRevision": said,
                    "lastAttemptedRevision": said,
                    "inventory": {"entries": [{"id": each} for each in entries]},
                    **status,
                },
            }
        )

    def follow(self, environment: str = "", options: Options | None = None) -> Report:
        """A pass over what the records say, without git."""
        self.log.clear()
        self.told.clear()
        self.cluster.read_discovery()
        found = read_cluster_tree(self.cluster, HOME, environment)
        doors = replace(self.doors(), history=NoHistory())
        return reconcile(found.tree, found.revision, doors, options or Options(), found=found)

    def edit_record(self, change: Change, *, manager: str = "kustomize-controller") -> None:
        data = json.loads(self.cluster.objects[RECORD]["data"]["service.json"])
        change(data)
        self.cluster.edit(RECORD, ("data", "service.json"), json.dumps(data), manager=manager)


@pytest.fixture
def fleet() -> Fleet:
    return Fleet()


def tell(report: Report) -> dict[str, tuple[Verdict, str]]:
    return {each.service: (each.verdict, each.reason) for each in report.services}


def resets(fleet: Fleet) -> list[str]:
    return [line for line in fleet.log if line.startswith("reset ")]


FOLLOW = pytest.mark.parametrize("from_cluster", [False, True], ids=["git", "cluster"])


def go(fleet: Fleet, *, from_cluster: bool, options: Options | None = None) -> Report:
    return fleet.follow(options=options) if from_cluster else fleet.run(TREE, A, options)


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


def test_the_tree_is_what_the_records_say(fleet: Fleet) -> None:
    """Settings and services come back from the cluster, and the commit that they were applied at."""
    fleet.sync()
    found = read_cluster_tree(fleet.cluster, HOME, "")

    assert (found.tree.name, found.tree.settings, found.tree.records) == ("default", TREE.settings, TREE.records)
    assert (found.revision, found.broken) == (A, {})
    assert {*found.tree.manifests} == {
        ref for ref in TREE.manifests if ref.kind == "Deployment" or "jsorc." in ref.name
    }


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
def test_a_record_that_changes_while_a_pass_runs(fleet: Fleet, *, from_cluster: bool) -> None:
    """The pass goes by a record that is no more: that service is left to the next one, and what depends on it."""
    fleet.sync()

    def change(verb: str, what: str) -> None:
        if verb == "list" and what.startswith("Pod/"):
            fleet.hooks.before = lambda *_: None
            fleet.edit_record(lambda data: data["reset"].update(name="cache"))

    fleet.hooks.before = change
    report = go(fleet, from_cluster=from_cluster)

    assert tell(report)["redis"] == (Verdict.WAITING, f"{RECORD} was changed while this pass ran")
    assert tell(report)["task"] == (Verdict.BLOCKED, "redis is waiting")
    assert resets(fleet) == []


def test_the_settings_change_while_a_pass_runs(fleet: Fleet) -> None:
    """Whose Jaseci it is may be another now."""
    fleet.sync()

    def change(verb: str, what: str) -> None:
        if verb == "list" and what.startswith("Pod/"):
            fleet.hooks.before = lambda *_: None
            fleet.cluster.edit(SETTINGS, ("data", "x"), "y", manager="kustomize-controller")

    fleet.hooks.before = change
    assert tell(fleet.follow())["redis"] == (Verdict.WAITING, f"{SETTINGS} was changed while this pass ran")
    assert resets(fleet) == []


def test_a_record_that_git_has_and_the_cluster_not(fleet: Fleet) -> None:
    """Its service waits, whatever Flux says."""
    fleet.sync()
    del fleet.cluster.objects[RECORD]

    assert tell(fleet.run(TREE, A))["redis"] == (Verdict.WAITING, f"{RECORD} is not in the cluster")
    assert resets(fleet) == []


def break_json(fleet: Fleet) -> None:
    fleet.cluster.edit(RECORD, ("data", "service.json"), "{", manager="kustomize-controller")


def rename(fleet: Fleet) -> None:
    fleet.edit_record(lambda data: data.update(service="mail"))


def make_newer(fleet: Fleet) -> None:
    fleet.edit_record(lambda data: data.update(version=2))


def edit_by_hand(fleet: Fleet) -> None:
    fleet.edit_record(lambda data: data["reset"].update(via="none"), manager="kubectl-edit")


def remove(fleet: Fleet) -> None:
    del fleet.cluster.objects[RECORD]


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (break_json, f"{RECORD}: not a service record; render it again"),
        (rename, f"{RECORD} is about mail; apply rendered/ again"),
        (
            make_newer,
            f"{RECORD}: the record has version 2, this jsorc reads 1; use the jsorc that rendered it, or",
        ),
        (edit_by_hand, f"{RECORD} was edited by kubectl-edit, and is not what git says; apply rendered/ again"),
        (
            remove,
            f"{RECORD.name} is missing in namespace {HOME}, though Kustomization flux-system/app has applied",
        ),
    ],
)
def test_a_record_that_cannot_be_used(fleet: Fleet, harm: Callable[[Fleet], None], message: str) -> None:
    """An error names it; its service and what depends on it are left alone, others are not."""
    tree = make_tree({"redis": REDIS, "task": TASK, "mail": []}, records=RECORDS, applier="flux")
    fleet.sync(tree)
    fleet.jaseci.states["mail"] = ServiceState.FAILED
    harm(fleet)
    report = fleet.follow()

    assert [each[: len(message)] for each in report.errors] == [message]
    assert (report.exit_code, resets(fleet)) == (1, ["reset mail"])
    assert tell(report)["task"] == (Verdict.WAITING, "the record of redis cannot be used")


def put_settings(fleet: Fleet, change: Change, *, manager: str = "kustomize-controller") -> None:
    data = json.loads(fleet.cluster.objects[SETTINGS]["data"]["settings.json"])
    change(data)
    fleet.cluster.edit(SETTINGS, ("data", "settings.json"), json.dumps(data), manager=manager)


@pytest.mark.parametrize(
    ("change", "manager", "error", "message"),
    [
        (
            lambda data: data.update(version=2),
            "kustomize-controller",
            TreeError,
            "has version 2, this jsorc reads 1",
        ),
        (lambda data: data.update(x=1), "kubectl-patch", FormatError, "was edited by kubectl-patch"),
        (
            lambda data: data["settings"].update(namespace="other"),
            "kustomize-controller",
            TreeError,
            "says namespace: other, so it is a copy",
        ),
    ],
)
def test_settings_that_cannot_be_used(
    fleet: Fleet, change: Change, manager: str, error: type[JsorcError], message: str
) -> None:
    """They end the pass before anything is looked at."""
    fleet.sync()
    put_settings(fleet, change, manager=manager)

    with pytest.raises(error, match=message):
        fleet.follow()
    assert fleet.writes == []


def make_other(name: str, tree: Tree) -> list[Body]:
    """The records of a tree under the name of another."""
    made = [make_settings_manifest(tree.settings, name)]
    made += [make_record_manifest(each, tree.settings, name) for each in tree.records.values()]
    return [deepcopy(dict(each.body)) for each in made]


def test_two_trees_in_one_namespace(fleet: Fleet) -> None:
    """One has to be named; the message names those that are there. Without any it says so."""
    with pytest.raises(JsorcError, match=f"no tree has its settings in namespace {HOME}"):
        fleet.follow()
    fleet.sync()
    for body in make_other("dev", make_tree({"mail": []}, applier="flux")):
        fleet.cluster.put(body)

    with pytest.raises(
        JsorcError, match=r"several trees in namespace home \(there: default, dev\); name one with --env"
    ):
        fleet.follow()
    with pytest.raises(JsorcError, match=r"no tree 'prod' in namespace home \(there: default, dev\)"):
        fleet.follow("prod")
    assert {*tell(fleet.follow("default"))} == {"redis", "task"}


@FOLLOW
@pytest.mark.parametrize(
    ("url", "via", "claimed"),
    [("http://j", "jaseci", True), ("http://k", "jaseci", False), ("http://j", "none", False)],
)
def test_two_trees_claim_one_service(
    fleet: Fleet, url: str, via: str, *, claimed: bool, from_cluster: bool
) -> None:
    """Both would reset it in the same Jaseci: an error names both, and neither does."""

    def jaseci(url: str) -> JaseciSettings:
        return JaseciSettings(url=url, credentials=CredentialsReference(kind="env", name="X"))

    tree = make_tree({"redis": REDIS}, applier="flux", jaseci=jaseci("http://j"))
    fleet.sync(tree)
    other = make_tree({"cache": []}, records={"cache": {"jaseci_name": "redis", "via": via}}, jaseci=jaseci(url))
    for body in make_other("dev", other):
        fleet.cluster.put(body)
    report = fleet.follow("default") if from_cluster else fleet.run(tree, A)

    said = ("redis of Jaseci is reset by tree dev, too; take it out of keep_alive in one of them",)
    assert (report.errors, resets(fleet)) == ((said, []) if claimed else ((), ["reset redis"]))


@FOLLOW
def test_waiting_for_flux(fleet: Fleet, *, from_cluster: bool) -> None:
    """--wait stays until Flux is done, then for what it has applied; it says once what it waits for."""
    fleet.sync(observedGeneration=0)
    fleet.clock.happen(20, lambda: fleet.keep(TREE, A))
    report = go(fleet, from_cluster=from_cluster, options=Options(wait=60))

    assert (report.exit_code, resets(fleet)) == (0, ["reset redis", "reset task"])
    assert fleet.waits[0] == "Kustomization flux-system/app to be done"
    # As one wait: else nobody hears of it whom only long waits are told to.
    assert fleet.waits.count(fleet.waits[0]) == 1


@FOLLOW
def test_waiting_for_flux_to_begin(fleet: Fleet, *, from_cluster: bool) -> None:
    """Records that Flux has not taken over yet are waited for, too: as after `kubectl apply -k`."""
    fleet.sync(flux=False)
    fleet.clock.happen(20, fleet.sync)
    report = go(fleet, from_cluster=from_cluster, options=Options(wait=60))

    assert (report.exit_code, resets(fleet)) == (0, ["reset redis", "reset task"])
    assert fleet.waits[0] == f"{SETTINGS} to be synced"


@pytest.mark.parametrize("change", [{"enabled": False}, {"interval": 20.0}])
def test_the_settings_change_while_it_is_waited(fleet: Fleet, change: dict[str, Any]) -> None:
    """By them the pass was begun, so it ends, and nothing is reset."""
    fleet.sync(observedGeneration=0)
    new = make_tree({"redis": REDIS, "task": TASK}, records=RECORDS, **{"applier": "flux", **change})
    fleet.clock.happen(20, lambda: fleet.sync(new, B))

    with pytest.raises(JsorcError, match="the settings of the tree were changed while this pass waited"):
        fleet.follow(options=Options(wait=60))
    assert resets(fleet) == []


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


@FOLLOW
def test_what_left_git_and_is_not_pruned(fleet: Fleet, *, from_cluster: bool) -> None:
    """Its record is there still, and nobody's any more: it is not reset."""
    fleet.sync()
    fleet.keep(make_tree({"redis": REDIS}, applier="flux"), A)
    report = go(fleet, from_cluster=from_cluster)

    record = make_ref("ConfigMap", record_name("default", "task"))
    why = f"{record} left git, and Kustomization flux-system/app has not pruned it"
    assert tell(report)["task"] == (Verdict.WAITING, why)
    assert resets(fleet) == ["reset redis"]


@pytest.mark.parametrize("manager", ["kubectl", "kubectl-client-side-apply", "curl", "OpenAPI-Generator"])
def test_whoever_edits_a_record(fleet: Fleet, manager: str) -> None:
    """Where Flux applies, what is not Flux's is not what git says, whoever set it."""
    fleet.sync()
    fleet.edit_record(lambda data: data["reset"].update(name="mail"), manager=manager)
    report = fleet.follow()

    assert report.errors == (
        f"{RECORD} was edited by {manager}, and is not what git says; apply rendered/ again",
    )
    assert (report.exit_code, resets(fleet)) == (1, [])


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


def test_the_records_change_while_it_is_waited(fleet: Fleet) -> None:
    """A tree that came meanwhile is the one that counts."""
    fleet.sync(observedGeneration=0)
    new = make_tree({"redis": REDIS, "mail": []}, applier="flux")
    fleet.jaseci.states["mail"] = ServiceState.FAILED

    def arrive() -> None:
        fleet.cluster.objects.pop(make_ref("ConfigMap", record_name("default", "task")))
        fleet.sync(new, B)

    fleet.clock.happen(20, arrive)
    fleet.follow(options=Options(wait=60))

    assert resets(fleet) == ["reset mail", "reset redis"]


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


def test_no_home_yet(fleet: Fleet) -> None:
    """The namespace comes with the tree: who is to bring it is named."""
    del fleet.cluster.objects[ObjectRef(group="", kind="Namespace", namespace="", name=HOME)]

    with pytest.raises(JsorcError, match=r"home yet; that is for Flux to do \(jsorc bootstrap flux "):
        fleet.run(TREE, A)


def test_waiting_for_the_home_namespace(fleet: Fleet) -> None:
    """--wait counts from the begin on, and stays until Flux has brought the namespace, too."""
    home = ObjectRef(group="", kind="Namespace", namespace="", name=HOME)
    made = fleet.cluster.objects.pop(home)

    def begin() -> None:
        fleet.cluster.objects[home] = made
        fleet.sync(observedGeneration=0)

    fleet.clock.happen(20, begin)
    fleet.clock.happen(40, lambda: fleet.keep(TREE, A))
    report = fleet.run(TREE, A, Options(wait=60))

    assert (report.exit_code, resets(fleet)) == (0, ["reset redis", "reset task"])
    assert fleet.waits[:2] == [f"namespace {HOME} to be made", "Kustomization flux-system/app to be done"]

    del fleet.cluster.objects[home]
    before = fleet.clock.monotonic()
    with pytest.raises(JsorcError, match="nothing was applied to namespace home yet"):
        fleet.run(TREE, A, Options(wait=60))
    assert fleet.clock.monotonic() == before + 60


def test_what_jsorc_has_applied_before(fleet: Fleet) -> None:
    """Objects that are still ours under another applier are told, with what hands them over."""
    fleet.run(PLAIN, A)
    fleet.sync()
    report = fleet.run(TREE, A)

    assert [each for each in report.warnings if "jsorc release" in each] != []
