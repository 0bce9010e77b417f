"""Objects against the schemas of their kinds: Kubernetes' own, and CustomResourceDefinitions of the same tree."""

from typing import Any

import pytest

from jsorc_gitops.model.fields import Path
from tests.render.linting import ABSENT, Body, change, list_good, make_good, tell

POD: Path = ("spec", "template", "spec")
CONTAINER: Path = (*POD, "containers", 0)
NO_QUANTITY = "'1 Gi' is no quantity; write it as 500m, 0.5 or 1Gi"
AT_CONTAINER = "spec.template.spec.containers[0]"


@pytest.mark.parametrize("name", list_good())
def test_good_objects_pass(name: str) -> None:
    """Objects of every kind that people use, with most of their fields, have no error."""
    found = [each for each in tell(make_good(name)) if not each.startswith(("no-target", "selects-nothing"))]

    assert found == []


@pytest.mark.parametrize(
    ("path", "value", "finding"),
    [
        (("spec", "replicaz"), 1, "unknown-field: spec.replicaz: unknown field; did you mean replicas?"),
        (("spec", "Replicas"), 1, "unknown-field: spec.Replicas: unknown field; did you mean replicas?"),
        (("zzz",), None, "unknown-field: zzz: unknown field"),
        (
            (*CONTAINER, "livenessProbe", "tcpSocket", "prt"),
            80,
            f"unknown-field: {AT_CONTAINER}.livenessProbe.tcpSocket.prt: unknown field; did you mean port?",
        ),
        (("spec", "replicas"), "2", "wrong-value: spec.replicas: '2' is not an integer"),
        (("spec", "replicas"), 2.5, "wrong-value: spec.replicas: 2.5 is not an integer"),
        (("spec", "replicas"), 2**31, "wrong-value: spec.replicas: 2147483648 is above 2147483647"),
        (("spec", "replicas"), -(2**31) - 1, "wrong-value: spec.replicas: -2147483649 is below -2147483648"),
        (("spec", "paused"), "no", "wrong-value: spec.paused: 'no' is not true or false"),
        (POD, [], "wrong-value: spec.template.spec: a list is not a mapping"),
        ((*CONTAINER, "args"), "x", f"wrong-value: {AT_CONTAINER}.args: 'x' is not a list"),
        (
            (*CONTAINER, "env", 0, "value"),
            True,
            f"wrong-value: {AT_CONTAINER}.env[0].value: true is not a text; put it in quotes",
        ),
        (
            (*CONTAINER, "env", 0, "value"),
            {"x" * 99: 1},
            f"wrong-value: {AT_CONTAINER}.env[0].value: a mapping is not a text",
        ),
        (
            (*CONTAINER, "ports", 0, "containerPort"),
            "8" * 99,
            f"wrong-value: {AT_CONTAINER}.ports[0].containerPort: '{'8' * 59}… is not an integer",
        ),
        (
            (*CONTAINER, "livenessProbe", "tcpSocket", "port"),
            1.5,
            f"wrong-value: {AT_CONTAINER}.livenessProbe.tcpSocket.port: 1.5 is not an integer or a text",
        ),
        (
            (*CONTAINER, "resources", "limits", "memory"),
            "1 Gi",
            f"wrong-value: {AT_CONTAINER}.resources.limits.memory: {NO_QUANTITY}",
        ),
        ((*CONTAINER, "name"), ABSENT, f"missing-field: {AT_CONTAINER}.name: is missing"),
        ((*CONTAINER, "name"), None, f"wrong-value: {AT_CONTAINER}.name: is null; it needs a value"),
        ((*CONTAINER, "args", 0), None, f"wrong-value: {AT_CONTAINER}.args[0]: is null; it needs a value"),
        ((*CONTAINER, "image"), ABSENT, f"missing-field: {AT_CONTAINER}.image: is missing"),
        ((*CONTAINER, "image"), None, f"missing-field: {AT_CONTAINER}.image: is missing"),
        (("spec",), ABSENT, "missing-field: spec: is missing"),
        ((*POD,), ABSENT, "missing-field: spec.template.spec: is missing"),
    ],
)
def test_a_field_that_is_wrong_is_told(path: Path, value: Any, finding: str) -> None:
    """Each mistake is told once, at its field, in words that need no knowledge of schemas."""
    assert tell(change(make_good("Deployment/web"), path, value)) == [finding]


@pytest.mark.parametrize(
    "path",
    [("spec", "replicas"), ("spec", "strategy"), (*CONTAINER, "env"), (*CONTAINER, "env", 0, "value")],
)
def test_null_is_absence(path: Path) -> None:
    """What the server takes for a field that is not there, a template may leave empty."""
    assert tell(change(make_good("Deployment/web"), path, None)) == []


@pytest.mark.parametrize(
    ("name", "path", "value", "finding"),
    [
        (
            "Deployment/web",
            (*CONTAINER, "ports"),
            [{"containerPort": 80, "name": "a"}, {"containerPort": 80, "protocol": "TCP"}],
            f"{AT_CONTAINER}.ports[1]: has the containerPort 80, protocol TCP of [0]",
        ),
        (
            "Deployment/web",
            (*CONTAINER, "env"),
            [{"name": "A"}, {"name": "B"}, {"name": "A"}],
            f"{AT_CONTAINER}.env[2]: has the name A of [0]",
        ),
        (
            "Deployment/web",
            (*CONTAINER, "volumeMounts"),
            [{"name": "a", "mountPath": "/x"}, {"name": "b", "mountPath": "/x"}],
            f"{AT_CONTAINER}.volumeMounts[1]: has the mountPath /x of [0]",
        ),
        (
            "Deployment/web",
            (*POD, "volumes"),
            [{"name": "a", "emptyDir": {}}, {"name": "a", "emptyDir": None}],
            "spec.template.spec.volumes[1]: has the name a of [0]",
        ),
        (
            "Service/web",
            ("spec", "ports"),
            [{"port": 80, "name": "a"}, {"port": 80, "name": "b", "protocol": None}],
            "spec.ports[1]: has the port 80, protocol TCP of [0]",
        ),
        (
            "Deployment/web",
            ("metadata", "finalizers"),
            ["a/b", "c/d", "a/b"],
            "metadata.finalizers[2]: 'a/b' is in this list twice",
        ),
    ],
)
def test_an_item_that_is_there_twice_is_told(name: str, path: Path, value: Any, finding: str) -> None:
    """Of two items with one key the server would take neither; keys have the server's defaults."""
    assert [each for each in tell(change(make_good(name), path, value)) if "selects" not in each] == [
        f"repeated-item: {finding}"
    ]


def test_keys_that_are_no_keys_are_told_by_their_type() -> None:
    """A list in the place of a key is one finding, and breaks nothing."""
    broken = change(make_good("Deployment/web"), (*CONTAINER, "env"), [{"name": []}, {"name": []}])

    assert tell(broken) == [
        f"wrong-value: {AT_CONTAINER}.env[0].name: a list is not a text",
        f"wrong-value: {AT_CONTAINER}.env[1].name: a list is not a text",
    ]


@pytest.mark.parametrize(
    ("version", "kind", "message"),
    [
        (
            "extensions/v1beta1",
            "Ingress",
            "no Ingress of extensions/v1beta1; write apiVersion: networking.k8s.io/v1",
        ),
        (
            "policy/v1beta1",
            "PodDisruptionBudget",
            "no PodDisruptionBudget of policy/v1beta1; write apiVersion: policy/v1",
        ),
        ("batch/v1beta1", "CronJob", "no CronJob of batch/v1beta1; write apiVersion: batch/v1"),
        ("policy/v1beta1", "PodSecurityPolicy", "no PodSecurityPolicy of policy/v1beta1, nor of another version"),
        ("v1", "Deployment", "no Deployment of v1; write apiVersion: apps/v1"),
        ("apps/v1", "deployment", "no deployment of apps/v1; did you mean kind: Deployment?"),
        ("apps/v1", "Deploymant", "no Deploymant of apps/v1; did you mean kind: Deployment?"),
        ("v1", "DeleteOptions", "no DeleteOptions of v1, nor of another version"),
        ("v1", "ObjectMeta", "no ObjectMeta of v1, nor of another version"),
        (
            "autoscaling/v3",
            "HorizontalPodAutoscaler",
            "no HorizontalPodAutoscaler of autoscaling/v3; write apiVersion: autoscaling/v1 or autoscaling/v2",
        ),
    ],
)
def test_a_kind_that_is_not_served_is_told(version: str, kind: str, message: str) -> None:
    """A version that Kubernetes 1.36 does not serve is an error that names the one it does."""
    body = {"apiVersion": version, "kind": kind, "metadata": {"name": "x", "namespace": "default"}}

    assert f"not-served: apiVersion: Kubernetes 1.36 serves {message}" in tell(body)


@pytest.mark.parametrize("path", [("data", "a"), ("stringData", "a")])
def test_no_value_of_a_secret_is_shown(path: Path) -> None:
    """A Secret's values are never part of a message, whatever is wrong with them."""
    body = make_good("Secret/empty") | {"data": {"a": ""}, "stringData": {"a": ""}}
    wrong: list[Any] = [31337, [31337], {"hunter2": 31337}, "hunter2!"]

    told = [line for value in wrong for line in tell(change(body, path, value), plain=["redis"])]

    assert len(told) >= 3
    assert not any("31337" in line or "hunter2" in line for line in told)


@pytest.mark.parametrize("text", ["aGVsbG8=", "aGVs\nbG8=\r\n", ""])
def test_base64_passes(text: str) -> None:
    """Line breaks in base64 are passed over, as Go does."""
    assert tell(make_good("Secret/empty") | {"data": {"a": text}}, plain=["redis"]) == []


@pytest.mark.parametrize("text", ["hello", "aGVsbG8", "aGVs bG8=", "-_-_"])
def test_what_is_no_base64_is_told(text: str) -> None:
    """Plain text in `data`, where it belongs into `stringData`, is an error."""
    assert tell(make_good("Secret/empty") | {"data": {"a": text}}, plain=["redis"]) == [
        "wrong-value: data.a: is not base64"
    ]


THING = {"apiVersion": "lint.example.com/v1", "kind": "Thing", "metadata": {"name": "x", "namespace": "default"}}


def define(spec: Body, **version: Any) -> Body:
    """A CustomResourceDefinition of things whose spec has this schema."""
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}}
    body = make_good("CustomResourceDefinition/lints.lint.example.com")
    body["metadata"]["name"] = "things.lint.example.com"
    body["spec"]["names"] = {"kind": "Thing", "plural": "things"}
    body["spec"]["versions"] = [
        {"name": "v1", "served": True, "storage": True, "schema": schema, **version},
        {"name": "v0", "served": False, "storage": False, "schema": schema},
    ]
    return body


def test_custom_resources_pass_without_their_definition() -> None:
    """What a tree does not define, it is not judged by."""
    assert tell(THING | {"spec": {"anything": 1}}) == []


def test_a_version_that_a_definition_does_not_serve_is_told() -> None:
    """A custom resource has one of the versions that its definition serves."""
    (line,) = tell(define({"type": "object"}), THING | {"apiVersion": "lint.example.com/v0"})

    assert line == (
        "not-served: apiVersion: CustomResourceDefinition/things.lint.example.com "
        "(CustomResourceDefinition/things.lint.example.com) does not serve it; write lint.example.com/v1"
    )


def test_metadata_of_custom_resources_are_checked() -> None:
    """They are the same for all kinds, whatever a definition says or leaves out."""
    body = change(define({"type": "object"}), ("metadata", "labels"), {})
    thing = change(THING, ("metadata", "anotations"), {})

    assert tell(body, thing) == ["unknown-field: metadata.anotations: unknown field; did you mean annotations?"]


def test_a_definition_that_is_wrong_is_told_once() -> None:
    """It is not used to judge others before it is mended."""
    broken = change(define({"type": "object"}), ("spec", "versions", 0, "served"), "yes")

    assert tell(broken, THING | {"spec": 5}) == [
        "wrong-value: spec.versions[0].served: 'yes' is not true or false"
    ]


def test_a_pattern_that_is_none_is_a_warning() -> None:
    """Where a definition's schema cannot be used, its objects pass, and it is said that nobody looked."""
    definition = define({"type": "string", "pattern": "(?=a)"})

    (line,) = tell(definition, THING | {"spec": "a"})

    assert line.startswith(
        "unchecked: not checked: the schema in CustomResourceDefinition/things.lint.example.com"
    )
