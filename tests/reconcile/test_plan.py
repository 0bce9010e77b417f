"""plan: what becomes of an object of the tree, and what is sent for it."""

from dataclasses import replace

import pytest

from jsorc_gitops.model.objects import TREE_LABEL, Manifest
from jsorc_gitops.reconcile.inventory import PART_OF_LABEL, Entry
from jsorc_gitops.reconcile.ownership import Conflict, Owner, Verdict, compute_fingerprint
from jsorc_gitops.reconcile.plan import (
    RELEASED,
    Action,
    Step,
    format_refusal,
    make_apply_body,
    make_release_patch,
    plan_object,
)
from tests.reconcile.builders import (
    PART_OF,
    Body,
    make_body,
    make_config_map,
    make_entry,
    make_live,
    make_manifest,
    own_entry,
)

FIELDS = {"f:data": {"f:key": {}}, "f:metadata": {"f:labels": {f"f:{PART_OF_LABEL}": {}}}}
BODY = make_config_map("settings", service="redis")
MANIFEST = make_manifest(BODY)
MARKS = {PART_OF_LABEL: PART_OF, TREE_LABEL: "default"}
OURS = make_live(BODY, own_entry(FIELDS), labels=MARKS)


def entry_of(live: Body, manifest: Manifest = MANIFEST, *, uid: str = "uid-1") -> Entry:
    """What the inventory says after this object was applied."""
    return Entry(
        ref=manifest.ref, service=manifest.service, uid=uid, fingerprint=compute_fingerprint(manifest, live)
    )


def plan(live: Body | None, entry: Entry | None, *, manifest: Manifest = MANIFEST, adopt: bool = False) -> Step:
    return plan_object(manifest, live, entry, part_of=PART_OF, adopt=adopt)


def test_what_is_not_there_is_created() -> None:
    """A new object of the tree."""
    step = plan(None, None)
    assert (step.action, step.reason, step.live) == (Action.CREATE, "new", None)


def test_what_somebody_deleted_is_created_again_and_said_so() -> None:
    """The inventory knows it was there."""
    step = plan(None, entry_of(OURS))
    assert (step.action, step.reason) == (Action.CREATE, "deleted by somebody since the last pass")


def test_what_is_at_the_version_that_we_left_is_not_looked_at() -> None:
    """Equal versions are equal objects, so a fingerprint that does not fit tells of no change."""
    entry = replace(entry_of(OURS), version=OURS["metadata"]["resourceVersion"])
    garbled = replace(entry, fingerprint=entry.fingerprint[:16] + "0" * 16)
    assert plan(OURS, garbled).action is Action.UNCHANGED
    assert plan(OURS, replace(garbled, version="another")).action is Action.CONFIGURE


def test_a_version_says_nothing_of_git() -> None:
    """Git says something else of the very object that we left."""
    entry = replace(entry_of(OURS), version=OURS["metadata"]["resourceVersion"])
    changed = make_manifest(make_config_map("settings", service="redis", key="other"))
    assert plan(OURS, entry, manifest=changed).action is Action.CONFIGURE


def test_a_version_says_nothing_of_what_git_says_of_a_secret() -> None:
    """Its data is in no digest, so it is compared whatever the version is."""
    body = make_body("Secret", "login", service="redis", data={"password": "b25l"})
    live = make_live(body, own_entry({"f:data": {}}), labels=MARKS)
    manifest = make_manifest(body)
    entry = replace(entry_of(live, manifest), version=live["metadata"]["resourceVersion"])
    assert plan(live, entry, manifest=manifest).action is Action.UNCHANGED
    changed = make_manifest({**body, "data": {"password": "dHdv"}})
    assert plan(live, entry, manifest=changed).action is Action.CONFIGURE


def test_a_creation_that_a_killed_pass_left_pending_is_new() -> None:
    """Nobody deleted what was never seen."""
    assert plan(None, Entry(ref=MANIFEST.ref, service="redis", uid="", fingerprint="")).reason == "new"


def test_what_is_as_we_left_it_is_unchanged() -> None:
    """The fingerprint alone tells, so nothing is asked."""
    assert plan(OURS, entry_of(OURS)).action is Action.UNCHANGED


def test_what_drifted_is_configured() -> None:
    """Somebody changed a value under our entry."""
    assert plan({**OURS, "data": {"key": "drifted"}}, entry_of(OURS)).action is Action.CONFIGURE


def test_what_git_changed_is_configured() -> None:
    """The live object is as we left it, git is not."""
    changed = make_manifest(make_config_map("settings", service="redis", key="new"))
    assert plan(OURS, entry_of(OURS), manifest=changed).action is Action.CONFIGURE


def test_lost_state_finds_its_objects_by_their_marks() -> None:
    """Part-of label and our Apply entry together make an object ours without the inventory."""
    step = plan(OURS, None)
    assert (step.action, step.reason) == (Action.CONFIGURE, "ours by its marks, unknown to the inventory")


def test_a_pending_creation_finds_its_object_by_its_marks() -> None:
    """The pass that was killed did write it."""
    assert plan(OURS, Entry(ref=MANIFEST.ref, service="redis", uid="", fingerprint="")).action is Action.CONFIGURE


@pytest.mark.parametrize(
    ("live", "holder"),
    [
        (
            make_live(BODY, make_entry("kubectl-create", {"f:data": {"f:key": {}}})),
            "its fields are set by kubectl-create",
        ),
        (
            make_live(BODY, make_entry("kubectl-create", {"f:data": {"f:key": {}}}), labels=MARKS),
            "its fields are set by kubectl-create",
        ),
        (
            make_live(BODY, own_entry(FIELDS), labels={PART_OF_LABEL: "applyset-of-another-v1"}),
            "not ours (it is part of applyset-of-another-v1); name it otherwise",
        ),
    ],
    ids=["no mark", "mark without our entry", "mark of another set"],
)
def test_what_is_not_ours_is_refused_and_its_holder_named(live: Body, holder: str) -> None:
    """An apply with equal values would take it silently."""
    step = plan(live, None)
    assert step.action is Action.REFUSE
    assert "--adopt" in step.reason
    assert holder in step.reason


@pytest.mark.parametrize(("service", "told"), [("redis", True), ("", False)])
def test_where_adoption_can_be_allowed_is_told(*, service: str, told: bool) -> None:
    """What belongs to the tree alone has no service.yaml."""
    body = make_config_map("settings", service=service)
    step = plan(make_live(body), None, manifest=make_manifest(body))
    assert step.action is Action.REFUSE
    assert ("service.yaml" in step.reason) is told
    assert step.reason.endswith(" takes it over")


def test_what_another_set_took_over_is_its_own() -> None:
    """Two trees that both had an object, one of them by --adopt, would else take it in turns for ever."""
    live = make_live(BODY, own_entry(FIELDS), labels={PART_OF_LABEL: "applyset-of-another-v1"})
    entry = Entry(ref=MANIFEST.ref, service="redis", uid=live["metadata"]["uid"], fingerprint="")
    assert plan(live, entry).action is Action.REFUSE


def test_what_is_not_ours_is_adopted_where_the_user_says_so() -> None:
    """--adopt."""
    live = make_live(BODY, make_entry("kubectl-create", {"f:data": {}}))
    assert plan(live, None, adopt=True).action is Action.ADOPT


def test_another_object_of_the_same_name_is_not_ours_by_the_inventory() -> None:
    """Deleted and made again by somebody else: the name alone proves nothing."""
    live = make_live(BODY, make_entry("kubectl-create", {"f:data": {}}), uid="uid-2")
    assert plan(live, entry_of(OURS)).action is Action.REFUSE


def test_a_services_own_namespace_is_not_taken_over() -> None:
    """Unlike one that the tree merely needs, it is a rendered object like any other."""
    body = make_body("Namespace", "redis", service="redis", namespace="")
    step = plan(make_live(body, make_entry("kubectl-create", {})), None, manifest=make_manifest(body))
    assert step.action is Action.REFUSE


SECRET = make_body("Secret", "login", service="redis", data={"password": "aHVudGVyMg=="})
APPLIED_SECRET = make_live(SECRET, own_entry({"f:data": {"f:password": {}}}))


@pytest.mark.parametrize(
    "said",
    [
        {"data": {"password": "b3RoZXI="}},
        {"data": {"password": "aHVudGVyMg==", "user": "bWU="}},
        {"data": {}},
        {"data": None, "stringData": {"password": "other"}},
        {"type": "kubernetes.io/basic-auth"},
    ],
)
def test_a_secret_that_git_changed_is_configured(said: Body) -> None:
    """Its fingerprint holds nothing of its data, so the data themselves are compared."""
    entry = entry_of(APPLIED_SECRET, make_manifest(SECRET))
    assert plan(APPLIED_SECRET, entry, manifest=make_manifest(SECRET | said)).action is Action.CONFIGURE


@pytest.mark.parametrize(
    "said", [{"data": SECRET["data"]}, {"data": None, "stringData": {"password": "hunter2"}}]
)
def test_a_secret_as_git_says_is_unchanged(said: Body) -> None:
    """Spelled in either of the two ways."""
    manifest = make_manifest(SECRET | said)
    assert plan(APPLIED_SECRET, entry_of(APPLIED_SECRET, manifest), manifest=manifest).action is Action.UNCHANGED


def test_a_creation_is_sent_with_our_mark_and_without_preconditions() -> None:
    """There is nothing that could be another object."""
    sent = make_apply_body(plan(None, None), BODY, part_of=PART_OF)
    assert sent["metadata"] == {
        **BODY["metadata"],
        "labels": {**BODY["metadata"]["labels"], PART_OF_LABEL: PART_OF},
    }
    assert sent["data"] == BODY["data"]


def test_a_change_is_sent_with_the_plans_preconditions() -> None:
    """It happens only to the object that was looked at."""
    sent = make_apply_body(plan({**OURS, "data": {}}, entry_of(OURS)), BODY, part_of=PART_OF)
    assert (sent["metadata"]["uid"], sent["metadata"]["resourceVersion"]) == ("uid-1", "1")


def test_what_is_sent_leaves_the_manifest_as_it_is() -> None:
    """The same manifest is planned again when the object was written meanwhile."""
    before = make_config_map("settings", service="redis")
    make_apply_body(plan({**OURS, "data": {}}, entry_of(OURS)), BODY, part_of=PART_OF)
    assert before == MANIFEST.body


def test_an_object_without_labels_gets_our_mark() -> None:
    """Labels may be absent or null."""
    body = {**BODY, "metadata": {"name": "settings", "labels": None}}
    sent = make_apply_body(plan(None, None, manifest=make_manifest(body)), body, part_of=PART_OF)
    assert sent["metadata"]["labels"] == {PART_OF_LABEL: PART_OF}


def test_a_yielded_field_is_not_sent() -> None:
    """The body is what is left; marks and preconditions come all the same."""
    step = plan({**OURS, "data": {}}, entry_of(OURS))
    sent = make_apply_body(step, {**BODY, "data": {}}, part_of=PART_OF)
    assert (sent["data"], sent["metadata"]["uid"]) == ({}, "uid-1")


def test_a_release_takes_our_marks_and_our_entry_off() -> None:
    """What others own stays word for word; the object must be the one that was looked at."""
    other = make_entry("kube-controller-manager", {"f:status": {}}, subresource="status")
    live = make_live(BODY, own_entry(FIELDS), other, labels=MARKS)
    assert make_release_patch(live, labels=(PART_OF_LABEL, TREE_LABEL), part_of="applyset-a") == {
        "metadata": {
            "uid": "uid-1",
            "resourceVersion": "1",
            "labels": {PART_OF_LABEL: None, TREE_LABEL: None},
            "annotations": {RELEASED: "applyset-a"},
            "managedFields": [other],
        }
    }


def test_a_release_of_what_only_we_own_clears_the_entries() -> None:
    """An empty list would leave them as they are."""
    patch = make_release_patch(OURS, labels=(), part_of="applyset-a")
    assert patch["metadata"]["managedFields"] == [{}]


def conflict(verdict: Verdict) -> Conflict:
    owner = Owner(manager="operator", operation="Update", subresource="", time="")
    return Conflict(path=f".data.{verdict}", keys=(), owner=owner, ours="1", theirs="9", verdict=verdict)


def test_a_refusal_names_field_owner_both_values_and_the_remedy() -> None:
    """Of the fields nobody may decide but the user, and of no others."""
    conflicts = [conflict(Verdict.TAKE), conflict(Verdict.FAIL), conflict(Verdict.YIELD)]
    remedy = "`conflicts` in its service.yaml says whether to take or to yield"
    assert format_refusal(conflicts) == f".data.fail is set by operator to '9', git says '1'; {remedy}"


def test_nothing_contested_is_no_refusal() -> None:
    """Taken and yielded fields need nobody."""
    assert format_refusal([conflict(Verdict.TAKE), conflict(Verdict.YIELD)]) == ""
