"""report: the comparison of two trees as lines and as JSON."""

from pathlib import Path
from typing import Any

import pytest

from jsorc_gitops.model.diff import Action, FieldDiff, ObjectDiff
from jsorc_gitops.model.objects import Manifest
from jsorc_gitops.render.danger import ANEW, RECREATE
from jsorc_gitops.render.report import (
    Comparison,
    compute_comparison,
    find_refused,
    format_counts,
    format_text,
)
from jsorc_gitops.render.wording import clean_text, format_diff, format_short, format_value
from tests.model.builders import index, make_deployment, make_manifest

ROOT = Path(__file__).parents[2]
OLD = [
    make_deployment(replicas=1),
    make_manifest("Service", "old"),
    make_manifest("Secret", "keys", stringData={"a": "hunter2"}, type="a/b"),
    make_manifest(name="config", data={"redis.conf": "port 1\nsave 60\n"}, service="cache"),
]
NEW = [
    make_deployment(replicas=3),
    make_manifest("Secret", "keys", stringData={"a": "hunter3"}, type="c/d"),
    make_manifest(name="config", data={"redis.conf": "port 1\nsave 30\n"}, service="cache"),
    make_manifest(name="new", data={"a": "1"}, service="cache"),
]


def compare(old: list[Manifest], new: list[Manifest], tree: str = "default") -> Comparison:
    return compute_comparison(index(*old), index(*new), tree=tree, against="main", mask_key=b"key")


def tell(before: Any, after: Any, *, path: tuple[str, ...] = ("a",), reordered: bool = False) -> list[str]:
    """The lines of one difference, below the one that names the object."""
    field = FieldDiff(path=path, before=before, after=after, reordered=reordered)
    manifest = make_manifest()
    diff = ObjectDiff(ref=manifest.ref, service="redis", action=Action.CHANGED, fields=(field,))
    first, *lines = format_diff(diff)
    assert first == "~ ConfigMap/default/x"
    return lines


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("redis:6", "redis:6"),
        ("1", '"1"'),
        (1, "1"),
        (True, "true"),
        ("true", '"true"'),
        ("", '""'),
        (" a", '" a"'),
        (None, "null"),
        ({}, "{}"),
        ([], "[]"),
        (["a", 1, "1"], '[a, 1, "1"]'),
        ("größer 漢", "größer 漢"),
        ("a\nb\tc", r"a\nb\tc"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("a\u202eb", r"a\u202eb"),
        (" \x00", r'" \u0000"'),
    ],
)
def test_values_on_one_line(value: Any, told: str) -> None:
    """A text is in quotes where it could be a number or a word of JSON; nothing steers a terminal."""
    assert format_value(value) == told
    assert format_short("x" * 61) == "x" * 59 + "…"
    assert clean_text(told) == told


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        (1, 3, ["-     1", "+     3"]),
        (None, "a", ["+     a"]),
        ({"b": [1], "a": 1}, None, ["-     a: 1", "-     b:", "-     - 1"]),
        ("a\nb\n", "a\nc\n", ["     @@ -1,2 +1,2 @@", "      a", "-     b", "+     c"]),
        ("a\n", "a", ["     @@ -1 +1,2 @@", "      a", "+     (no line break at the end)"]),
        ("", "a\n\n", ["     @@ -0,0 +1,2 @@", "+     a", "+     "]),
        (None, "a\nb\n", ["+     a", "+     b"]),
        ("a\r\nb\x1b", "a\r\nb", ["     @@ -1,2 +1,2 @@", r"      a\r", r"-     b\x1b", "+     b"]),
    ],
)
def test_differences_as_lines(before: Any, after: Any, lines: list[str]) -> None:
    """Signs stand in the first column, texts of several lines are a unified diff, all is printable."""
    assert tell(before, after) == ["    a", *lines]


def test_another_order_is_said() -> None:
    """Both orders are told, and that it is no more than that."""
    lines = ["-     - a", "-     - b", "+     - b", "+     - a"]
    assert tell(["a", "b"], ["b", "a"], reordered=True) == ["    a: another order", *lines]


def test_an_object_without_a_field_that_differs_says_why() -> None:
    """It is listed as changed, so it must not stand there without a reason."""
    comparison = compare([make_manifest(data={"a": None})], [make_manifest(data={})])
    assert format_text([comparison], allow=[], whole=True)[2:] == [
        "~ ConfigMap/default/x",
        "    a null is now left out, or the other way round",
    ]


def test_what_a_person_reads_first() -> None:
    """Counts, dangers with what allows them, and a line for each object."""
    assert format_text([compare(OLD, NEW)], allow=["immutable"], whole=False) == [
        "default against main: 1 added, 3 changed, 1 removed",
        "  danger remove: Service/default/old: is deleted",
        f"  allowed immutable: Secret/default/keys: type: a/b → c/d: {ANEW}{RECREATE}",
        "cache",
        "  + ConfigMap/new",
        "  ~ ConfigMap/config: data.redis.conf",
        "redis",
        "  ~ Secret/keys: changed",
        "  ~ Deployment/redis: replicas 1→3",
        "  - Service/old",
        "1 not allowed; --allow takes a rule, an object or a service, as named above",
    ]


def test_every_field_with_its_values() -> None:
    """With --diff each object is told by its fields; of a Secret only that its value is another."""
    lines = format_text([compare(OLD, NEW)], allow=["redis"], whole=True)
    start = lines.index("redis")
    masks = [line for line in lines if "masked:" in line]
    assert lines[start : start + 11] == [
        "redis",
        "~ Secret/default/keys",
        "    stringData.a",
        *masks,
        "    type",
        "-     a/b",
        "+     c/d",
        "~ Deployment/default/redis",
        "    spec.replicas",
        "-     1",
    ]
    assert [line[0] for line in masks] == ["-", "+"]
    assert "hunter" not in "\n".join(lines)
    assert "- Service/default/old" in lines
    assert not lines[-1].endswith("as named above")


def test_trees_without_a_difference() -> None:
    """Each tree has its line, so that nothing can be missed."""
    trees = [compare(OLD, OLD, "staging"), compare(OLD, OLD, "production")]
    assert format_counts(trees) == "no object changes"
    assert format_text(trees, allow=[], whole=True) == [
        "staging against main: no object changes",
        "production against main: no object changes",
    ]


def test_what_is_refused() -> None:
    """All dangers of all trees that nothing allows; notes are none."""
    trees = [compare(OLD, NEW, "staging"), compare([make_manifest("PersistentVolumeClaim")], [], "production")]
    assert [each.rule for each in find_refused(trees, [])] == ["remove", "immutable"]
    assert [each.rule for each in find_refused(trees, ["Secret/default/keys"])] == ["remove"]
    assert find_refused(trees, ["redis"]) == ()
