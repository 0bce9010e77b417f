"""plan: what an apply changes on a live object, by field, and who had set what goes."""

from typing import Any

import pytest

from jsorc_gitops.reconcile.plan import FieldChange, diff_live, regains_ownership
from tests.reconcile.builders import (
    Body,
    make_body,
    make_config_map,
    make_deployment,
    make_entry,
    make_live,
    own_entry,
)


def spec(**fields: Any) -> Body:
    return make_live(make_body("ConfigMap", "a", spec=fields))


def diff(before: Body, after: Body) -> list[tuple[str, Any, Any]]:
    return [(each.path, each.before, each.after) for each in diff_live(before, after)]


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": 2}, [(".spec.a", 1, 2)]),
        ({}, {"a": 2}, [(".spec.a", None, 2)]),
        ({"a": 1}, {}, [(".spec.a", 1, None)]),
        ({"a": {"b": 1, "c": 1}}, {"a": {"b": 2, "c": 1}}, [(".spec.a.b", 1, 2)]),
        ({"a": {"b": 1}}, {"a": "text"}, [(".spec.a", {"b": 1}, "text")]),
        ({"a": [1, 2]}, {"a": [1, 3]}, [(".spec.a", [1, 2], [1, 3])]),
        (
            {"a": [{"name": "x", "v": 1}, {"name": "y", "v": 1}]},
            {"a": [{"name": "x", "v": 1}, {"name": "y", "v": 2}]},
            [('.spec.a[name="y"].v', 1, 2)],
        ),
        ({"a": [{"name": "x"}]}, {"a": []}, [('.spec.a[name="x"]', {"name": "x"}, None)]),
        (
            {"a": [{"name": "x"}, {"name": "y"}]},
            {"a": [{"name": "y"}, {"name": "x"}]},
            [(".spec.a", [{"name": "x"}, {"name": "y"}], [{"name": "y"}, {"name": "x"}])],
        ),
        (
            {"a": [{"name": "x", "v": 1}, {"name": "x", "v": 2}]},
            {"a": [{"name": "x", "v": 1}]},
            [(".spec.a", [{"name": "x", "v": 1}, {"name": "x", "v": 2}], [{"name": "x", "v": 1}])],
        ),
    ],
)
def test_changes_by_field(before: Body, after: Body, changes: list[tuple[str, Any, Any]]) -> None:
    """List items are matched by name where every one has its own."""
    assert diff(spec(**before), spec(**after)) == changes


def test_what_the_server_sets_is_nobodys_change() -> None:
    """A dry-run answers with another resourceVersion, generation, time, status and entries."""
    live = make_live(make_deployment("web"), own_entry({"f:spec": {}}), generation=1, creationTimestamp="then")
    applied = make_live(make_deployment("web"), own_entry({}), version="2", uid="uid-2", generation=2)
    assert diff(live, applied | {"status": {"replicas": 1}}) == []


def test_labels_are_a_change_like_any_other() -> None:
    """What a person took off an object's metadata comes back."""
    live = make_live(make_config_map("a"), labels={"app.kubernetes.io/name": "x"})
    assert diff(live, make_live(make_config_map("a"), labels={})) == [
        (".metadata.labels.app.kubernetes.io/name", "x", None)
    ]


def test_a_change_names_who_had_set_what_goes() -> None:
    """So that the report can tell a person whose change was taken back."""
    live = make_live(make_config_map("a", key="drift"), make_entry("kubectl-edit", {"f:data": {"f:key": {}}}))
    assert diff_live(live, make_live(make_config_map("a"))) == (
        FieldChange(path=".data.key", before="drift", after="value", by="kubectl-edit"),
    )


def test_a_change_of_what_is_still_ours_is_gits() -> None:
    """Another manager set our value, too; that it changes now is nobody's hand but a commit's."""
    fields: Body = {"f:data": {"f:key": {}}}
    live = make_live(make_config_map("a", key="old"), own_entry(fields), make_entry("kubectl-edit", fields))
    (change,) = diff_live(live, make_live(make_config_map("a")))
    assert (change.before, change.after, change.by) == ("old", "value", "")


@pytest.mark.parametrize("field", ["data", "stringData"])
def test_a_secrets_values_are_masked(field: str) -> None:
    """That they change is said, how is not."""
    before = make_live(make_body("Secret", "s") | {field: {"password": "old", "gone": "old"}})
    after = make_live(make_body("Secret", "s") | {field: {"password": "new"}})
    changes = diff(before, after)
    assert changes == [(f".{field}.password", "***", "***"), (f".{field}.gone", "***", "***")]


def test_what_else_a_secret_says_is_shown() -> None:
    """Its type and labels are no secrets."""
    before, after = (make_live(make_body("Secret", "s", type=kind)) for kind in ("Opaque", "kubernetes.io/tls"))
    assert diff(before, after) == [(".type", "Opaque", "kubernetes.io/tls")]


def test_a_field_of_another_that_comes_back_to_us_is_a_gain() -> None:
    """Equal values leave no difference, but the field was not ours."""
    ours: Body = {"f:data": {"f:key": {}}}
    before = make_live(make_config_map("a"), make_entry("kubectl", ours))
    after = make_live(make_config_map("a"), own_entry(ours))
    assert regains_ownership(before, after)
    assert not regains_ownership(after, make_live(make_config_map("a"), own_entry(ours, time="later")))


def test_a_change_from_git_names_nobody() -> None:
    """A field that is still ours is as we left it, though somebody else set it to the same: git changes it."""
    shared: Body = {"f:data": {"f:key": {}}}
    live = make_live(make_config_map("a", key="old"), own_entry(shared), make_entry("kubectl-edit", shared))
    applied = make_live(make_config_map("a", key="new"))
    assert diff_live(live, applied) == (FieldChange(path=".data.key", before="old", after="new", by=""),)


def test_annotations_of_a_secret_are_masked() -> None:
    """One of them, last-applied-configuration, is a copy of the Secret, data and all."""
    name = "kubectl.kubernetes.io/last-applied-configuration"
    live = make_live(
        make_body("Secret", "s", data={}), annotations={name: '{"data":{"password":"aHVudGVyMg=="}}'}
    )
    (change,) = diff_live(live, make_live(make_body("Secret", "s", data={}), annotations={}))
    assert (change.path, change.before) == (f".metadata.annotations.{name}", "***")
