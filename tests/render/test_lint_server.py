"""What the lint says beside what a real API server says of the same objects.

The server judges in two steps: the shape of an object (fields, types, keys of lists), and then, by code of its
own that answers 422, its values. The lint knows the first step whole, and of the second what schemas can say.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jsorc_gitops.adapters.cluster import Cluster
from jsorc_gitops.errors import ClusterError, DefinitionError
from jsorc_gitops.model import fields
from jsorc_gitops.model.objects import ApplyRequest
from jsorc_gitops.model.yaml import parse_documents
from jsorc_gitops.render.findings import Finding, Rule
from tests.adapters.sending import apply, connect, ref_of, refused, send
from tests.controlplane.server import ControlPlane
from tests.render.linting import (
    ABSENT,
    Body,
    change,
    find_errors,
    list_good,
    make_good,
    read_schemas,
    walk,
)
from tests.render.test_lint_fields import THING, define
from tests.render.test_schemas import BAD_QUANTITIES, GOOD_QUANTITIES
from tests.waiting import wait_until

pytestmark = pytest.mark.real

RENDERED = Path(__file__).parents[2] / "rendered"
UNPROCESSABLE = 422

AFFINITY = "spec.template.spec.affinity.nodeAffinity"

# Where the server fills in something empty, and the API reference says that a field is required: the lint
# takes the reference's word.
REQUIRED = {
    "CSIDriver spec",
    "CSIDriver spec.tokenRequests[].audience",
    "CustomResourceDefinition spec.versions[].served",
    f"Deployment {AFFINITY}.preferredDuringSchedulingIgnoredDuringExecution[].preference",
    "Deployment spec.template.spec.containers[].readinessProbe.httpGet.httpHeaders[].value",
    "Deployment spec.template.spec.securityContext.sysctls[].value",
    "DeviceClass spec",
    "Job spec.podFailurePolicy.rules",
    "LimitRange spec",
    "LimitRange spec.limits",
    "PersistentVolumeClaim spec.dataSource.kind",
    "ResourceClaimTemplate spec",
    "ResourceClaimTemplate spec.spec",
}


@pytest.fixture(scope="module")
def cluster(controlplane: ControlPlane) -> Iterator[Cluster]:
    """The admin's connection."""
    with connect(controlplane.kubeconfig) as made:
        yield made


def ask(cluster: Cluster, *bodies: Body) -> list[Any]:
    """What the server would answer to an apply of each."""
    return list(
        cluster.apply_objects([ApplyRequest(ref=ref_of(each), body=each, dry_run=True) for each in bodies])
    )


def list_mutations(good: Body) -> Iterator[tuple[str, Body]]:
    """Every way to make one field of an object wrong: another name, no value, another type, twice."""
    for path, value in walk(good):
        if path in {("apiVersion",), ("kind",), ("metadata",), ("metadata", "name"), ("metadata", "namespace")}:
            continue
        wrong: dict[str, Any] = {"null": None, "type": "x" if isinstance(value, dict | list | int) else 5}
        wrong["list"] = {} if isinstance(value, list) else []
        if isinstance(value, str):
            wrong["boolean"] = True
        if isinstance(value, list) and value:
            wrong["twice"] = [*value, value[0]]
        last = path[-1]
        if isinstance(last, str):
            wrong["absent"] = ABSENT
            beside = (*path[:-1], f"{last}x")
            yield f"beside {path}", change(good, beside, value)
            yield f"renamed {path}", change(change(good, path, ABSENT), beside, value)
        for how, instead in wrong.items():
            yield f"{how} {path}", change(good, path, instead)


def strip_items(text: str) -> str:
    """A path without indexes and keys: a.b[0].c and .a.b[name="x"].c are the same place."""
    return re.sub(r"\[(?:[^\[\]]|\[\])*\]", "", text)


def is_stricter(finding: Finding, kind: str) -> bool:
    """Whether the lint refuses on purpose what the server takes (docs/lint.md)."""
    if finding.rule in {Rule.MISSING_FIELD, Rule.WRONG_VALUE}:
        if f"{kind} {re.sub(r'[0-9]+', '', finding.path)}" in REQUIRED:
            return True
        return finding.path.endswith("]") and "is null" in finding.message
    # Two ports that differ by a protocol of null are one port once the server has filled it in.
    return finding.rule == Rule.REPEATED_ITEM and finding.path.endswith("ports[2]")


def compare(case: str, body: Body, answer: Any) -> str:
    """What the lint and the server do not agree on, "" where they do."""
    try:
        findings = find_errors(body)
    except DefinitionError:
        # A label or an annotation without a text: the server takes null for an empty one.
        return "" if isinstance(answer, ClusterError) or case.startswith("null") else "cannot be read"
    if not isinstance(answer, ClusterError):
        return "; ".join(str(each) for each in findings if not is_stricter(each, body["kind"]))
    if not findings:
        return "" if answer.status == UNPROCESSABLE else str(answer)
    if "failed to create typed patch object" not in str(answer):
        return ""
    said = strip_items(str(answer))
    return "" if any(strip_items(each.path) in said for each in findings) else f"{answer} / {findings}"


@pytest.mark.parametrize("name", list_good())
def test_they_agree_on_every_field(cluster: Cluster, name: str) -> None:
    """Whatever is done to one field: both refuse it, at the same place, or none does."""
    good = make_good(name)
    cases = dict(list_mutations(good))

    answers = ask(cluster, good, *cases.values())

    assert not isinstance(answers[0], ClusterError), answers[0]
    told = {
        case: compare(case, body, answer) for (case, body), answer in zip(cases.items(), answers[1:], strict=True)
    }
    assert {case: each for case, each in told.items() if each} == {}


def test_what_this_repository_renders_passes_both(cluster: Cluster) -> None:
    """The services that jsorc ships are right to the lint and to the server."""
    bodies = [
        document.value
        for path in sorted(RENDERED.rglob("*.yaml"))
        for document in parse_documents(path.read_text(), source=str(path))
        if path.name != "kustomization.yaml" and not document.value["metadata"]["name"].startswith("jsorc.")
    ]
    # Without their own namespaces, which no cluster has before the first pass.
    moved = [
        change(each, ("metadata", "namespace"), "default") if "namespace" in each["metadata"] else each
        for each in bodies
    ]
    served = [each for each in moved if read_schemas().is_own(each["apiVersion"].rpartition("/")[0])]

    assert len(bodies) > 20
    assert [str(each) for each in find_errors(*bodies)] == []
    assert [each for each in ask(cluster, *served) if isinstance(each, ClusterError)] == []


SPEC = {
    "type": "object",
    "required": ["filled"],
    "properties": {
        "any": {"x-kubernetes-preserve-unknown-fields": True},
        "below": {"type": "integer", "maximum": 5, "exclusiveMaximum": True},
        "bytes": {"type": "string", "format": "byte"},
        "closed": {"type": "object", "properties": {"a": {"type": "integer"}}},
        "date": {"type": "string", "format": "date-time"},
        "duration": {"type": "string", "format": "duration"},
        "embedded": {
            "type": "object",
            "x-kubernetes-embedded-resource": True,
            "properties": {"spec": {"type": "object", "properties": {"a": {"type": "string"}}}},
        },
        "enum": {"type": "string", "enum": ["a", "b"], "default": "a"},
        "filled": {"type": "string", "default": "x"},
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "integer": {"type": "integer", "format": "int32", "multipleOf": 2},
        "keyed": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["key"],
                "properties": {"key": {"type": "string"}, "of": {"type": "string", "default": "a"}},
            },
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["key", "of"],
        },
        "length": {"type": "string", "maxLength": 2},
        "list": {"type": "array", "items": {"type": "string"}, "maxItems": 2},
        "map": {"type": "object", "additionalProperties": {"type": "integer"}},
        "named": {"type": "object"},
        "nullable": {"type": "string", "nullable": True},
        "number": {"type": "number"},
        "one": {
            "type": "object",
            "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
            "oneOf": [{"required": ["a"]}, {"required": ["b"]}],
        },
        "partly": {
            "type": "object",
            "x-kubernetes-preserve-unknown-fields": True,
            "properties": {"a": {"type": "object", "properties": {"b": {"type": "integer"}}}},
        },
        "pattern": {"type": "string", "pattern": "^a+$"},
        "port": {"x-kubernetes-int-or-string": True},
        "set": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
        "text": {"type": "string", "not": {"enum": ["bad"]}},
    },
}
OBJECT = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}}

GOOD: list[Body] = [
    {},
    {"any": 5},
    {"any": {"a": None}},
    {"below": 4},
    {"bytes": "aGVsbG8="},
    {"closed": {"a": 1}},
    {"date": "2026-01-01T00:00:00Z"},
    {"duration": "1h"},
    {"embedded": OBJECT},
    {"embedded": {**OBJECT, "spec": {"a": "x"}}},
    {"enum": None},
    {"filled": None},
    {"free": {"a": [1]}},
    {"integer": 4.0},
    {"keyed": [{"key": "a"}, {"key": "a", "of": "b"}]},
    {"length": "éé"},
    {"list": []},
    {"map": {"a": 1}},
    {"nullable": None},
    {"nullable": "x"},
    {"number": 1},
    {"one": {"a": 1}},
    {"port": 5},
    {"port": "x"},
]
BAD: list[tuple[Body, str]] = [
    ({"unknown": 1}, "spec.unknown"),
    ({"unknown": None}, "spec.unknown"),
    ({"below": 5}, "spec.below"),
    ({"bytes": "x!"}, "spec.bytes"),
    ({"closed": {"b": 1}}, "spec.closed.b"),
    ({"date": "today"}, "spec.date"),
    ({"embedded": {"metadata": {}}}, "spec.embedded.kind"),
    ({"embedded": {**OBJECT, "metadata": {"nme": "x"}}}, "spec.embedded.metadata.nme"),
    ({"embedded": {**OBJECT, "spec": {"b": "x"}}}, "spec.embedded.spec.b"),
    ({"enum": "c"}, "spec.enum"),
    ({"integer": 1.5}, "spec.integer"),
    ({"integer": "1"}, "spec.integer"),
    ({"integer": 3}, "spec.integer"),
    ({"integer": 2**31}, "spec.integer"),
    ({"keyed": [{"of": "a"}]}, "spec.keyed[0].key"),
    ({"keyed": [{"key": "a"}, {"key": "a", "of": "a"}]}, "spec.keyed[1]"),
    ({"keyed": [{"key": "a"}, {"key": "a", "of": None}]}, "spec.keyed[1]"),
    ({"length": "ééé"}, "spec.length"),
    ({"list": None}, "spec.list"),
    ({"list": [None]}, "spec.list[0]"),
    ({"list": ["a", "b", "c"]}, "spec.list"),
    ({"map": {"a": "1"}}, "spec.map.a"),
    ({"map": {"a": None}}, "spec.map.a"),
    ({"number": "1"}, "spec.number"),
    ({"one": {}}, "spec.one"),
    ({"one": {"a": 1, "b": 1}}, "spec.one"),
    ({"pattern": "b"}, "spec.pattern"),
    ({"port": 1.5}, "spec.port"),
    ({"port": None}, "spec.port"),
    ({"set": ["a", "a"]}, "spec.set[1]"),
    ({"text": None}, "spec.text"),
    ({"text": 5}, "spec.text"),
    ({"text": "bad"}, "spec.text"),
]
# The server drops these in silence, so the lint says what it would not do.
DROPPED: list[tuple[Body, str]] = [
    ({"named": {"a": 1}}, "spec.named.a"),
    ({"partly": {"z": 1, "a": {"c": 1}}}, "spec.partly.a.c"),
]
# Formats that the lint does not know, and line breaks in base64, which are right in a Secret.
LEFT_TO_THE_SERVER: list[Body] = [{"duration": "soon"}, {"bytes": "aGVs\nbG8="}]


@pytest.fixture(scope="module")
def things(cluster: Cluster) -> Cluster:
    """A server that serves things of SPEC."""
    apply(cluster, define(SPEC))

    def serves_things() -> bool:
        cluster.read_discovery()
        return cluster.serves("lint.example.com/v1", "Thing") and not isinstance(
            send(cluster, THING | {"spec": {}}, dry_run=True), ClusterError
        )

    wait_until(serves_things, what="the server serves things")
    return cluster


def judge(spec: Body) -> list[str]:
    """The paths of what the lint says of a thing beside its definition."""
    return [each.path for each in find_errors(define(SPEC), THING | {"spec": spec})]


def test_custom_resources_are_judged_as_the_server_judges_them(things: Cluster) -> None:
    """By the schema of their definition; what only one of the two refuses is listed here."""
    specs = [*GOOD, *(each for each, _ in BAD), *(each for each, _ in DROPPED), *LEFT_TO_THE_SERVER]
    answers = ask(things, *(THING | {"spec": each} for each in specs))
    passed = [spec for spec, answer in zip(specs, answers, strict=True) if not isinstance(answer, ClusterError)]

    assert passed == [*GOOD, *(each for each, _ in DROPPED)]
    assert [each for each in specs if not judge(each)] == [*GOOD, *LEFT_TO_THE_SERVER]
    assert [(each, path) for each, path in [*BAD, *DROPPED] if path not in judge(each)] == []


def test_quantities(cluster: Cluster) -> None:
    """Our grammar of quantities is the server's, but for what has no digit, which it reads as 0."""
    path = ("spec", "template", "spec", "containers", 0, "resources")
    good = make_good("Deployment/web")
    texts = [*GOOD_QUANTITIES, *BAD_QUANTITIES]

    answers = ask(cluster, *(change(good, path, {"limits": {"example.com/x": text}}) for text in texts))

    unread = [text for text, answer in zip(texts, answers, strict=True) if "unable to convert" in str(answer)]
    assert unread == [text for text in BAD_QUANTITIES if text not in {"m", "."}]


def make_large(name: str, path: fields.Path, value: Any, namespace: str) -> Body:
    body = change(make_good(name), path, value)
    return change(body, ("metadata", "namespace"), namespace)


@pytest.mark.parametrize(
    ("name", "path", "largest", "place"),
    [
        ("ConfigMap/web", ("data",), {"a": "x" * ((1 << 20) - len(b"hello"))}, "data"),
        ("Secret/empty", ("stringData",), {"a": "x" * (1 << 20)}, "data"),
        ("Secret/empty", ("metadata", "annotations"), {"a": "x" * ((1 << 18) - 1)}, "metadata.annotations"),
    ],
)
def test_sizes(cluster: Cluster, name: str, path: fields.Path, largest: Body, place: str) -> None:
    """The largest that the server takes passes, one byte more is told with the figure."""
    body = make_large(name, path, largest, "default")
    larger = make_large(name, path, {"a": largest["a"] + "x"}, "default")

    fits, too_large = ask(cluster, body, larger)

    assert not isinstance(fits, ClusterError), fits
    assert find_errors(body) == []
    assert "Too long" in str(refused(too_large))
    (finding,) = find_errors(larger)
    assert (finding.rule, finding.path) == (Rule.TOO_LARGE, place)


def test_the_size_of_an_object(cluster: Cluster, namespace: str) -> None:
    """What the server's store refuses for its size is told before."""
    path = ("spec", "template", "spec", "containers", 0, "args")
    body, larger = (
        make_large("Deployment/web", path, ["x" * size], namespace) for size in (1_500_000, 1_573_000)
    )

    assert find_errors(body) == []
    assert not isinstance(send(cluster, body), ClusterError)
    assert "request is too large" in str(refused(send(cluster, larger)))
    assert [each.rule for each in find_errors(larger)] == [Rule.TOO_LARGE]


def test_every_kind_that_is_served_is_known(controlplane: ControlPlane) -> None:
    """All that a 1.36 server stores by default has its schema here."""
    table = controlplane.kubectl("api-resources", "--no-headers", "--verbs=create,patch").splitlines()
    served = {(line.split()[-3], line.split()[-1]) for line in table}
    own = {each for each in served if read_schemas().is_own(each[0].rpartition("/")[0])}

    assert len(own) > 50
    assert {each for each in own if read_schemas().definitions.make_schema(*each) is None} == set()
