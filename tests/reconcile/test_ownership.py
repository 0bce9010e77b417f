"""ownership: who owns a field, what follows from it, and how it is spelled."""

from typing import Any

import pytest

from jsorc_gitops.reconcile.ownership import (
    Owner,
    Verdict,
    compute_conflicts,
    find_own_entry,
    find_owners,
    find_value,
    format_step,
    judge_owner,
    remove_value,
)
from tests.reconcile.builders import (
    Body,
    make_body,
    make_deployment,
    make_entry,
    make_live,
    own_entry,
)

CONTAINER = 'k:{"name":"main"}'
IMAGE = ("f:spec", "f:template", "f:spec", "f:containers", CONTAINER, "f:image")
IMAGE_PATH = '.spec.template.spec.containers[name="main"].image'
IMAGE_FIELDS: Body = {"f:spec": {"f:template": {"f:spec": {"f:containers": {CONTAINER: {"f:image": {}}}}}}}


@pytest.mark.parametrize(
    ("step", "spelled"),
    [
        ("f:spec", ".spec"),
        ("f:app.kubernetes.io/name", ".app.kubernetes.io/name"),
        ('k:{"name":"c"}', '[name="c"]'),
        ('k:{"protocol":"TCP","port":80}', '[port=80,protocol="TCP"]'),
        ('k:{"name":"with \\"quotes\\""}', '[name="with \\"quotes\\""]'),
        ('k:{"mountPath":"/données"}', '[mountPath="/données"]'),
        ('v:"example.com/finalizer"', '[="example.com/finalizer"]'),
        ("v:80", "[=80]"),
        ("i:2", "[2]"),
    ],
)
def test_steps_are_spelled_as_the_server_spells_causes(step: str, spelled: str) -> None:
    """A cause's `field` is found by its spelling, so that must be the server's to the letter."""
    assert format_step(step) == spelled


def test_owners_are_found_by_the_paths_of_causes() -> None:
    """The spellings are those a 1.36.3 server gave for these very entries."""
    live = make_live(
        make_deployment("web"),
        make_entry(
            "kubectl-patch", IMAGE_FIELDS | {"f:metadata": {"f:labels": {"f:app.kubernetes.io/name": {}}}}
        ),
        make_entry("kubectl", {"f:spec": {"f:ports": {'k:{"port":80,"protocol":"TCP"}': {"f:targetPort": {}}}}}),
    )
    found = find_owners(live)
    assert {
        IMAGE_PATH,
        ".metadata.labels.app.kubernetes.io/name",
        '.spec.ports[port=80,protocol="TCP"].targetPort',
    } <= found.keys()


def test_an_owner_says_who_how_and_when() -> None:
    """All that the verdict and the report need of an entry."""
    entry = make_entry(
        "kubectl", {"f:spec": {"f:replicas": {}}}, subresource="scale", time="2026-11-23T12:00:01Z"
    )
    (owned,) = [
        each for path, each in find_owners(make_live(make_deployment("web"), entry)).items() if "rep" in path
    ]
    assert owned.owner == Owner(
        manager="kubectl", operation="Update", subresource="scale", time="2026-11-23T12:00:01Z"
    )


def test_the_last_writer_of_a_shared_field_is_named() -> None:
    """Whatever the order of the entries."""
    fields: Body = {"f:data": {"f:key": {}}}
    late = make_entry("late", fields, time="2026-11-23T12:00:02Z")
    early = make_entry("early", fields, time="2026-11-23T12:00:01Z")
    assert find_owners(make_live(make_body("ConfigMap", "a"), late, early))[".data.key"].owner.manager == "late"


def test_we_are_nobodys_other_owner() -> None:
    """Our Apply entry is left out; an Update under our name, as by a release, is another's."""
    fields: Body = {"f:data": {"f:key": {}}}
    body = make_body("ConfigMap", "a")
    assert find_owners(make_live(body, own_entry(fields))) == {}
    assert ".data.key" in find_owners(make_live(body, make_entry("jsorc", fields)))


@pytest.mark.parametrize("entries", [[], [{}]])
def test_stripped_managed_fields_have_no_owners(entries: list[Body]) -> None:
    """`[{}]` is what strips them, and nobody owns anything then."""
    live = make_live(make_body("ConfigMap", "a"), *entries)
    assert (find_owners(live), find_own_entry(live)) == ({}, None)


def test_our_entry_is_the_applied_one() -> None:
    """Updates under the same name, and applies of others, are not ours."""
    entry = own_entry({"f:data": {}})
    others = [make_entry("jsorc", {"f:a": {}}), make_entry("flux", {"f:a": {}}, operation="Apply")]
    assert find_own_entry(make_live(make_body("ConfigMap", "a"), *others, entry)) == entry


PERSONS = (
    "kubectl",
    "kubectl-edit",
    "kubectl-client-side-apply",
    "kubectl-rollout",
    "before-first-apply",
    "k9s",
    "Lens",
    "node-fetch",
    "freelens",
    "rancher",
    "headlamp",
    "dashboard",
    "kubernetes-dashboard",
)
STRANGERS = ("Helm", "OpenAPI-Generator", "istio-sidecar-injector", "my-kubectl", "lens-operator", "unknown", "")


@pytest.mark.parametrize(
    ("manager", "subresource", "verdict"),
    [
        *((name, "", Verdict.TAKE) for name in PERSONS),
        ("kubectl", "scale", Verdict.TAKE),
        ("kube-controller-manager", "scale", Verdict.YIELD),
        ("vpa-updater", "scale", Verdict.YIELD),
        ("keda-operator", "scale", Verdict.YIELD),
        ("kube-controller-manager", "", Verdict.FAIL),
        ("kube-controller-manager", "status", Verdict.FAIL),
        *((name, "", Verdict.FAIL) for name in STRANGERS),
        *((name, "scale", Verdict.FAIL) for name in STRANGERS),
    ],
)
def test_the_table_of_owners(manager: str, subresource: str, verdict: Verdict) -> None:
    """DESIGN §5, row by row."""
    owner = Owner(manager=manager, operation="Update", subresource=subresource, time="")
    assert judge_owner(owner, adopting=False) is verdict


@pytest.mark.parametrize(
    ("manager", "subresource", "verdict"),
    [
        ("Helm", "", Verdict.TAKE),
        ("OpenAPI-Generator", "", Verdict.TAKE),
        ("kubectl-client-side-apply", "", Verdict.TAKE),
        ("anybody", "", Verdict.TAKE),
        ("kube-controller-manager", "scale", Verdict.YIELD),
    ],
)
def test_adopting_takes_all_but_what_is_scaled(manager: str, subresource: str, verdict: Verdict) -> None:
    """The user asked for the object, not for a fight with its autoscaler."""
    owner = Owner(manager=manager, operation="Update", subresource=subresource, time="")
    assert judge_owner(owner, adopting=True) is verdict


def test_a_conflict_names_field_owner_and_both_values() -> None:
    """What a person needs to decide, for a field inside a list item."""
    live = make_live(make_deployment("web", image="image:9"), make_entry("operator", IMAGE_FIELDS))
    (conflict,) = compute_conflicts([IMAGE_PATH], make_deployment("web"), live, adopting=False)
    assert (conflict.path, conflict.keys, conflict.owner.manager) == (IMAGE_PATH, IMAGE, "operator")
    assert (conflict.ours, conflict.theirs, conflict.verdict) == ("image:1", "image:9", Verdict.FAIL)


def test_a_label_with_dots_in_its_key_is_one_field() -> None:
    """Its path cannot be split at dots; the keys beside it can."""
    key = "app.kubernetes.io/name"
    live = make_live(
        make_body("ConfigMap", "a"), make_entry("kubectl-label", {"f:metadata": {"f:labels": {f"f:{key}": {}}}})
    )
    live["metadata"]["labels"] = {key: "theirs"}
    desired = {"metadata": {"labels": {key: "ours"}}}
    (conflict,) = compute_conflicts([f".metadata.labels.{key}"], desired, live, adopting=False)
    assert (conflict.ours, conflict.theirs, conflict.verdict) == ("ours", "theirs", Verdict.TAKE)


def test_a_field_that_is_named_twice_is_one_conflict() -> None:
    """The server names a field once for each manager that owns it."""
    live = make_live(make_deployment("web"), make_entry("a", IMAGE_FIELDS), make_entry("b", IMAGE_FIELDS))
    assert len(compute_conflicts([IMAGE_PATH] * 2, make_deployment("web"), live, adopting=False)) == 1


def test_a_field_whose_owner_we_have_not_seen_is_not_overridden() -> None:
    """Written since the plan was made: it fails, and does not drag the whole object into the message."""
    live = make_live(make_body("ConfigMap", "a"), make_entry("a", {"f:data": {"f:old": {}}}))
    (conflict,) = compute_conflicts([".data.new"], {"data": {"new": "1"}}, live, adopting=False)
    assert (conflict.verdict, conflict.owner.manager) == (Verdict.FAIL, "unknown")
    assert (conflict.ours, conflict.theirs) == (None, None)


def test_what_was_set_before_anybody_applied_is_taken_back() -> None:
    """Somebody stripped managedFields and edited: the server calls the owner before-first-apply."""
    live = make_live(make_body("ConfigMap", "a", data={"key": "hand"}))
    (conflict,) = compute_conflicts([".data.key"], {"data": {"key": "git"}}, live, adopting=False)
    assert (conflict.verdict, conflict.owner.manager) == (Verdict.TAKE, "before-first-apply")


def test_a_conflict_over_a_secret_shows_no_value() -> None:
    """Conflicts end up in reports and logs, neither of which is a place for passwords."""
    keys: Body = {"f:data": {"f:password": {}}}
    live = make_live(make_body("Secret", "login", data={"password": "dGhlaXJz"}), make_entry("operator", keys))
    desired = make_body("Secret", "login", data={"password": "b3Vycw=="})
    (conflict,) = compute_conflicts([".data.password"], desired, live, adopting=False)
    assert (conflict.ours, conflict.theirs) == ("***", "***")


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        (("f:spec", "f:replicas"), 1),
        (IMAGE, "image:1"),
        (IMAGE[:-1], {"name": "main", "image": "image:1"}),
        (("f:spec", "f:missing"), None),
        (("f:spec", "f:replicas", "f:below"), None),
    ],
)
def test_a_value_is_found_by_its_keys(keys: tuple[str, ...], value: Any) -> None:
    """None where there is none, however far below."""
    assert find_value(make_deployment("web"), keys) == value


@pytest.mark.parametrize(
    ("keys", "before", "after"),
    [
        (("f:a",), {"a": 1, "b": 2}, {"b": 2}),
        (("f:a", "f:b"), {"a": {"b": 1, "c": 2}}, {"a": {"c": 2}}),
        (("f:a", "f:b"), {"a": {"b": 1}}, {"a": {}}),
        (("f:x",), {"a": 1}, {"a": 1}),
        (("f:a", "f:x"), {"a": "text"}, {"a": "text"}),
        (('k:{"name":"x"}',), [{"name": "x"}, {"name": "y"}], [{"name": "y"}]),
        (
            ('k:{"name":"x"}', "f:v"),
            [{"name": "x", "v": 1}, {"name": "y", "v": 1}],
            [{"name": "x"}, {"name": "y", "v": 1}],
        ),
        (('k:{"name":"z"}',), [{"name": "x"}], [{"name": "x"}]),
        (('v:"a"',), ["a", "b"], ["b"]),
    ],
)
def test_a_value_is_left_out_by_its_keys(keys: tuple[str, ...], before: Any, after: Any) -> None:
    """A yielded field goes, and nothing beside it."""
    assert remove_value(before, keys) == after


def test_leaving_a_value_out_changes_only_the_copy() -> None:
    """The manifest is what git says; the next pass reads it again."""
    body = make_deployment("web")
    remove_value(body, IMAGE)
    assert body == make_deployment("web")
