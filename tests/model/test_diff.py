"""diff: what differs between two objects, by field, and between two trees, by object."""

import json
from typing import Any

import pytest
from hypothesis import given, settings

from jsorc_gitops.model.diff import Action, diff_objects, diff_values, is_record
from jsorc_gitops.model.objects import Manifest
from tests.model.builders import index, make_manifest
from tests.model.test_masks import VALUES

Change = tuple[str, Any, Any]


def diff(old: Any, new: Any) -> list[Change]:
    return [(each.spelled, each.before, each.after) for each in diff_values(old, new) if not each.reordered]


def named(*names: str, **fields: Any) -> list[dict[str, Any]]:
    return [{"name": name, **fields} for name in names]


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, []),
        ({"a": None}, {}, []),
        ({"a": 1}, {"a": 2}, [("a", 1, 2)]),
        ({}, {"a": {"b": 1}}, [("a", None, {"b": 1})]),
        ({"a": {"b": 1}}, {}, [("a", {"b": 1}, None)]),
        ({"a": {"b": 1, "c": 1}}, {"a": {"b": 2, "c": 1}}, [("a.b", 1, 2)]),
        ({"a": {"b": 1}}, {"a": "text"}, [("a", {"b": 1}, "text")]),
        ({"a": {}}, {}, [("a", {}, None)]),
        ({"a": []}, {"a": {}}, [("a", [], {})]),
        ({"a": 1}, {"a": True}, [("a", 1, True)]),
        ({"a": 1}, {"a": 1.0}, [("a", 1, 1.0)]),
        ({"a": 1}, {"a": "1"}, [("a", 1, "1")]),
        ({"a": [[1]]}, {"a": [[True]]}, [("a[0][0]", 1, True)]),
    ],
)
def test_smallest_parts(old: Any, new: Any, changes: list[Change]) -> None:
    """The smallest part that differs is named, with both values; a null is as good as nothing."""
    assert diff(old, new) == changes


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        (named("a", "b"), named("a", "x", "b"), [('[name="x"]', None, {"name": "x"})]),
        (named("a", "b", v=1), named("b", v=1), [('[name="a"]', {"name": "a", "v": 1}, None)]),
        (named("a", v=1), named("a", v=2), [('[name="a"].v', 1, 2)]),
        ([], named("a"), [('[name="a"]', None, {"name": "a"})]),
        (
            [{"metadata": {"name": "a"}, "v": 1}],
            [{"metadata": {"name": "a"}, "v": 2}],
            [('[metadata.name="a"].v', 1, 2)],
        ),
        (
            [{"kind": "User", "name": "a"}, {"kind": "Group", "name": "a"}],
            [{"kind": "Group", "name": "a"}],
            [('[kind="User",name="a"]', {"kind": "User", "name": "a"}, None)],
        ),
        (
            [{"name": "v", "mountPath": "/a"}, {"name": "v", "mountPath": "/b"}],
            [{"name": "v", "mountPath": "/b", "readOnly": True}, {"name": "v", "mountPath": "/a"}],
            [('[mountPath="/b"].readOnly', None, True)],
        ),
        (
            [{"containerPort": 53}, {"containerPort": 53, "protocol": "UDP"}],
            [{"containerPort": 53, "hostPort": 5}, {"containerPort": 53, "protocol": "UDP"}],
            [('[containerPort=53,protocol="TCP"].hostPort', None, 5)],
        ),
        ([{"port": 80, "v": 1}], [{"port": 80, "v": 2}], [('[port=80,protocol="TCP"].v', 1, 2)]),
        ([{"key": "a", "v": 1}], [{"key": "a", "v": 2}], [('[key="a"].v', 1, 2)]),
        ([{"host": "a", "v": 1}], [{"host": "a", "v": 2}], [('[host="a"].v', 1, 2)]),
    ],
)
def test_items_are_matched_by_what_names_them(old: Any, new: Any, changes: list[Change]) -> None:
    """Not by their place, so that an inserted one is one addition."""
    assert diff(old, new) == changes


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        (["a", "b"], ["a", "x", "b"], [("[1]", None, "x")]),
        (["a", "b", "c"], ["b", "c"], [("[0]", "a", None)]),
        (["a", "b"], ["a", "c"], [("[1]", "b", "c")]),
        (
            ["a", "b"],
            ["x", "y", "z"],
            [("[0]", "a", None), ("[1]", "b", None), *((f"[{n}]", None, c) for n, c in enumerate("xyz"))],
        ),
        ([{"verbs": ["get"]}], [{"verbs": ["get", "list"]}], [("[0].verbs[1]", None, "list")]),
        ([{"name": "a"}, {"name": "a", "v": 1}], [{"name": "a", "v": 1}], [("[0]", {"name": "a"}, None)]),
        ([{"name": "a"}, "b"], [{"name": "a"}, "c"], [("[1]", "b", "c")]),
        ([{"name": {}}], [{"name": {"x": 1}}], [("[0].name.x", None, 1)]),
    ],
)
def test_items_without_a_name_are_aligned(old: Any, new: Any, changes: list[Change]) -> None:
    """Like the lines of a text, with places in the new list, and of what is gone in the old one."""
    assert diff(old, new) == changes


@pytest.mark.parametrize(
    ("old", "new", "before", "after"),
    [
        (["a", "b"], ["b", "a"], ["a", "b"], ["b", "a"]),
        (named("a", "b"), named("b", "a"), ['[name="a"]', '[name="b"]'], ['[name="b"]', '[name="a"]']),
        (named("a", "x", "b"), named("b", "a"), ['[name="a"]', '[name="b"]'], ['[name="b"]', '[name="a"]']),
    ],
)
def test_another_order_is_told_as_such(old: Any, new: Any, before: Any, after: Any) -> None:
    """The order of what both lists hold is one change of its own, of the list."""
    [found] = [each for each in diff_values({"env": old}, {"env": new}) if each.reordered]
    assert (found.spelled, found.before, found.after) == ("env", before, after)


def test_long_lists_without_names_are_told_whole() -> None:
    """Aligning them would take minutes."""
    old, new = [[n % 2] for n in range(3000)], [[n % 3] for n in range(3000)]
    assert diff({"a": old}, {"a": new}) == [("a", old, new)]


@settings(deadline=None)
@given(old=VALUES, new=VALUES)
def test_equal_values_alone_have_no_difference(old: Any, new: Any) -> None:
    """Every difference names two values that differ, and a value does not differ from itself."""
    assert diff_values(old, old) == ()
    found = diff_values(old, new)
    assert bool(found) == (json.dumps(old, sort_keys=True) != json.dumps(new, sort_keys=True))
    assert all(json.dumps(each.before) != json.dumps(each.after) for each in found)


def tell(old: list[Manifest], new: list[Manifest]) -> list[tuple[str, Action, str, list[Change]]]:
    return [
        (each.service, each.action, each.ref.name, [(one.spelled, one.before, one.after) for one in each.fields])
        for each in diff_objects(index(*old), index(*new))
    ]


def test_objects_by_service_and_action() -> None:
    """What comes, what changes, what goes, service by service; whole objects as one difference of all."""
    gone, come = make_manifest(name="gone"), make_manifest(name="come")
    kept = [make_manifest(name="kept", data={"a": value}) for value in "12"]
    other = make_manifest(name="z", service="mail")
    assert tell([gone, kept[0]], [kept[1], come, other]) == [
        ("mail", Action.ADDED, "z", [("", None, other.body)]),
        ("redis", Action.ADDED, "come", [("", None, come.body)]),
        ("redis", Action.CHANGED, "kept", [("data.a", "1", "2")]),
        ("redis", Action.REMOVED, "gone", [("", gone.body, None)]),
    ]


def test_a_null_is_a_change_of_the_object_alone() -> None:
    """The object is not the same, and no field tells why."""
    assert tell([make_manifest(data={"a": None})], [make_manifest(data={})]) == [
        ("redis", Action.CHANGED, "x", [])
    ]


@pytest.mark.parametrize(
    ("name", "before", "after", "path"),
    [
        ("jsorc.settings.default", '{"a": 1}', '{"a": 2}', "data.x.a"),
        ("jsorc.record.default.redis", '{"a": 1}', '{"a": 2}', "data.x.a"),
        ("jsorc.record.default.redis", '{"a": 1}', "broken", "data.x"),
        ("other", '{"a": 1}', '{"a": 2}', "data.x"),
    ],
)
def test_records_are_opened(name: str, before: str, after: str, path: str) -> None:
    """The JSON in jsorc's own ConfigMaps is compared by its fields; other and broken texts are texts."""
    old, new = (make_manifest(name=name, data={"x": text}) for text in (before, after))
    [(_, _, _, fields)] = tell([old], [new])
    assert is_record(old.ref) == name.startswith("jsorc.")
    assert [each[0] for each in fields] in ([path], ["data.x"])
    assert fields[0][0] == path
