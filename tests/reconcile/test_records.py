"""records: what a tree is read from where there is no git, and what is wrong with it."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from jsorc_gitops.errors import FormatError, JsorcError, TreeError
from jsorc_gitops.model.jaseci import ServiceState
from jsorc_gitops.model.layout import record_name
from jsorc_gitops.model.objects import ObjectRef
from jsorc_gitops.model.settings import CredentialsReference, JaseciSettings
from jsorc_gitops.model.tree import Tree, make_record_manifest, make_settings_manifest
from jsorc_gitops.reconcile.ports import Options
from jsorc_gitops.reconcile.records import read_cluster_tree
from jsorc_gitops.reconcile.resets import Verdict
from tests.reconcile.builders import HOME, Body, make_ref, make_tree
from tests.reconcile.fleet import (
    FOLLOW,
    RECORD,
    RECORDS,
    SETTINGS,
    TREE,
    A,
    B,
    Change,
    Fleet,
    go,
    put_settings,
    resets,
    tell,
)
from tests.reconcile.trees import REDIS, TASK


@pytest.fixture
def fleet() -> Fleet:
    return Fleet()


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


@pytest.mark.parametrize("change", [{"enabled": False}, {"interval": 20.0}])
def test_the_settings_change_while_it_is_waited(fleet: Fleet, change: dict[str, Any]) -> None:
    """By them the pass was begun, so it ends, and nothing is reset."""
    fleet.sync(observedGeneration=0)
    new = make_tree({"redis": REDIS, "task": TASK}, records=RECORDS, **{"applier": "flux", **change})
    fleet.clock.happen(20, lambda: fleet.sync(new, B))

    with pytest.raises(JsorcError, match="the settings of the tree were changed while this pass waited"):
        fleet.follow(options=Options(wait=60))
    assert resets(fleet) == []


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


def test_no_home_yet(fleet: Fleet) -> None:
    """The namespace comes with the tree: who is to bring it is named."""
    del fleet.cluster.objects[ObjectRef(group="", kind="Namespace", namespace="", name=HOME)]

    with pytest.raises(JsorcError, match=r"home yet; that is for Flux to do \(jsorc bootstrap flux "):
        fleet.run(TREE, A)
