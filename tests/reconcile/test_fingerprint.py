"""ownership: which changes of a live object a fingerprint sees, and which it rightly does not."""

from copy import deepcopy
from typing import Any

import pytest

from jsorc_gitops.reconcile.ownership import compute_fingerprint, list_values
from tests.reconcile.builders import (
    Body,
    make_body,
    make_deployment,
    make_entry,
    make_live,
    make_manifest,
    own_entry,
)

CONTAINER = 'k:{"name":"main"}'
FIELDS: Body = {
    "f:metadata": {"f:labels": {"f:jsorc.jaseci.org/tree": {}}},
    "f:spec": {
        "f:replicas": {},
        "f:selector": {},
        "f:template": {"f:spec": {"f:containers": {CONTAINER: {".": {}, "f:image": {}, "f:name": {}}}}},
    },
}
BODY = make_deployment("web")
LIVE = make_live(BODY, own_entry(FIELDS))


def change(path: str, value: Any) -> Body:
    """LIVE with one value of it otherwise; a path of keys and indexes between dots."""
    live = deepcopy(LIVE)
    *steps, last = [int(step) if step.isdigit() else step for step in path.split("/")]
    place: Any = live
    for step in steps:
        place = place[step] if isinstance(step, int) else place.setdefault(step, {})
    place[last] = value
    return live


def fingerprint(live: Body, body: Body = BODY) -> str:
    return compute_fingerprint(make_manifest(body), live)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("status", {"replicas": 1}),
        ("metadata/resourceVersion", "2"),
        ("metadata/generation", 7),
        ("metadata/annotations", {"deployment.kubernetes.io/revision": "1"}),
        ("metadata/labels/somebodys", "label"),
        ("metadata/managedFields/0/time", "2027-01-01T00:00:00Z"),
        ("metadata/managedFields/1", None),
        ("spec/template/spec/containers/0/imagePullPolicy", "Always"),
        ("spec/strategy", {"type": "RollingUpdate"}),
    ],
)
def test_what_others_add_leaves_the_fingerprint_alone(path: str, value: Any) -> None:
    """Defaults, status, times and fields of others are not ours, so they are no change."""
    if path == "metadata/managedFields/1":
        other = make_entry("kube-controller-manager", {"f:status": {}}, subresource="status")
        live = change("metadata/managedFields", [*LIVE["metadata"]["managedFields"], other])
    else:
        live = change(path, value)
    assert fingerprint(live) == fingerprint(LIVE)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("spec/replicas", 3),
        ("spec/selector/matchLabels/app", "other"),
        ("spec/template/spec/containers/0/image", "image:2"),
        ("spec/template/spec/containers", []),
        ("metadata/labels", {}),
        ("metadata/managedFields", []),
        ("metadata/managedFields", [{}]),
        ("metadata/managedFields/0/manager", "before-first-apply"),
        ("metadata/managedFields/0/operation", "Update"),
        ("metadata/managedFields/0/fieldsV1/f:spec", {"f:replicas": {}}),
    ],
)
def test_what_touches_our_fields_changes_the_fingerprint(path: str, value: Any) -> None:
    """A value under our entry, the fields in it, or the entry itself."""
    assert fingerprint(change(path, value)) != fingerprint(LIVE)


def test_a_field_that_left_our_entry_changes_the_fingerprint_with_equal_values() -> None:
    """Another manager set our value again: equal now, but not ours any more."""
    fields = deepcopy(FIELDS)
    del fields["f:spec"]["f:replicas"]
    assert fingerprint(change("metadata/managedFields", [own_entry(fields)])) != fingerprint(LIVE)


def test_a_list_item_that_is_no_longer_ours_changes_the_fingerprint() -> None:
    """`.` is the item itself: without it, the item goes when its other owner leaves."""
    fields = deepcopy(FIELDS)
    del fields["f:spec"]["f:template"]["f:spec"]["f:containers"][CONTAINER]["."]
    assert fingerprint(change("metadata/managedFields", [own_entry(fields)])) != fingerprint(LIVE)


def test_a_change_in_git_changes_the_fingerprint() -> None:
    """The same live object is not what another rendered document says."""
    assert fingerprint(LIVE, make_deployment("web", image="image:2")) != fingerprint(LIVE)


def test_an_object_without_managed_fields_has_a_fingerprint() -> None:
    """Some servers and proxies strip them; that is a mismatch, not a crash."""
    live = deepcopy(LIVE)
    del live["metadata"]["managedFields"]
    assert fingerprint(live) != fingerprint(LIVE)


def test_a_fingerprint_keeps_no_more_than_its_length() -> None:
    """It stands in the inventory for every object, so its size counts."""
    assert len(fingerprint(LIVE)) == 32


SECRET = make_body("Secret", "login", data={"password": "aHVudGVyMg=="})


def test_nothing_of_a_secrets_data_is_in_its_fingerprint() -> None:
    """A digest of a weak password is as good as the password to who reads the inventory."""
    other = {**SECRET, "data": {"password": "b3RoZXI="}}
    one = fingerprint(make_live(SECRET, own_entry({"f:data": {"f:password": {}}})), SECRET)
    assert fingerprint(make_live(other, own_entry({"f:data": {"f:password": {}}})), other) == one


@pytest.mark.parametrize(("uid", "version"), [("uid-2", "1"), ("uid-1", "2")])
def test_a_written_secret_has_another_fingerprint(uid: str, version: str) -> None:
    """Whatever was written into it, or in its place."""
    live = make_live(SECRET, uid=uid, version=version)
    assert fingerprint(live, SECRET) != fingerprint(make_live(SECRET), SECRET)


def test_a_custom_kind_named_secret_is_no_secret() -> None:
    """Only Secrets of the core group hold data that must not be hashed."""
    body = {**SECRET, "apiVersion": "example.com/v1"}
    live = make_live(body, own_entry({"f:data": {}}))
    assert fingerprint(live, body) == fingerprint(
        {**live, "metadata": {**live["metadata"], "resourceVersion": "2"}}, body
    )


@pytest.mark.parametrize(
    ("fields", "value", "listed"),
    [
        ({}, {"a": 1}, [{"a": 1}]),
        ({".": {}}, {"a": 1}, [".", {"a": 1}]),
        ({"f:a": {}}, {"a": 1, "b": 2}, ["f:a", 1]),
        ({".": {}, "f:a": {}}, {"a": 1, "b": 2}, [".", None, "f:a", 1]),
        ({"f:a": {}}, {"b": 2}, ["f:a", None]),
        ({"f:a": {"f:b": {}}}, {"a": "no mapping"}, ["f:a", 1, "f:b", None]),
        ({"f:a": {"f:b": {}}, "f:c": {}}, {"a": {"b": 1}, "c": 2}, ["f:a", 1, "f:b", 1, "f:c", 2]),
        ({"f:a": {"f:b": {}, "f:c": {}}}, {"a": {"b": 1}, "c": 2}, ["f:a", 2, "f:b", 1, "f:c", None]),
        (
            {'k:{"name":"x"}': {"f:v": {}}},
            [{"name": "w", "v": 1}, {"name": "x", "v": 2}],
            ['k:{"name":"x"}', 1, "f:v", 2],
        ),
        (
            {'k:{"name":"x"}': {".": {}}},
            [{"name": "x", "v": 2}],
            ['k:{"name":"x"}', 1, ".", {"name": "x", "v": 2}],
        ),
        ({'k:{"name":"x"}': {}}, [{"name": "w"}], ['k:{"name":"x"}', None]),
        (
            {'k:{"port":80,"protocol":"TCP"}': {}},
            [{"port": 80}],
            ['k:{"port":80,"protocol":"TCP"}', {"port": 80}],
        ),
        ({'k:{"port":80,"protocol":"UDP"}': {}}, [{"port": 80}], ['k:{"port":80,"protocol":"UDP"}', None]),
        ({'v:"a"': {}}, ["b", "a"], ['v:"a"', "a"]),
        ({'v:"a"': {}}, ["b"], ['v:"a"', None]),
        ({"v:8080": {}}, [8080], ["v:8080", 8080]),
        ({"i:1": {}}, ["a", "b"], ["i:1", "b"]),
        ({"i:2": {}}, ["a", "b"], ["i:2", None]),
    ],
)
def test_values_under_a_field_set(fields: Body, value: Any, listed: list[Any]) -> None:
    """Every notation of structured-merge-diff picks its part of the value."""
    assert list_values(fields, value) == listed
