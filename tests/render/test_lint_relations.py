"""Pods and what selects them, names that lead nowhere, images."""

from typing import Any

import pytest
from hypothesis import given, settings, strategies

from jsorc_gitops.model.fields import Path
from jsorc_gitops.model.objects import Manifest
from jsorc_gitops.render.lint import check_tree
from tests.model.builders import make_manifest
from tests.render.linting import Body, change, list_good, make_good, read_schemas, tell, walk

LABELS: Path = ("spec", "template", "metadata", "labels")
DIFFERENT = "do not match spec.selector, so the pods would not be its own; make both the same"


@pytest.mark.parametrize(
    "name",
    ["Deployment/web", "StatefulSet/db", "DaemonSet/agent", "ReplicaSet/bare", "ReplicationController/old"],
)
def test_a_selector_matches_its_own_pods(name: str) -> None:
    """A workload whose selector is not that of its pod template is refused by the server, always."""
    body = change(make_good(name), LABELS, {"app": "other"})

    assert f"selector: spec.template.metadata.labels: {DIFFERENT}" in tell(body)


def test_an_empty_selector_is_told() -> None:
    """The server takes it for a mistake, too."""
    assert tell(change(make_good("DaemonSet/agent"), ("spec", "selector"), {})) == [
        "selector: spec.selector: is empty; it must match the labels of the pod template"
    ]


@pytest.mark.parametrize(
    ("operator", "values", "matches"),
    [
        ("In", ["front"], True),
        ("In", ["back"], False),
        ("NotIn", ["back"], True),
        ("NotIn", ["front"], False),
        ("Exists", None, True),
        ("DoesNotExist", None, False),
    ],
)
def test_expressions(operator: str, values: Any, *, matches: bool) -> None:
    """MatchExpressions count as matchLabels do."""
    expression = {"key": "tier", "operator": operator, "values": values}
    body = change(make_good("Deployment/web"), ("spec", "selector", "matchExpressions"), [expression])

    assert tell(body) == [f"selector: spec.template.metadata.labels: {DIFFERENT}"] * (not matches)


def test_an_expression_over_an_absent_label() -> None:
    """NotIn and DoesNotExist match what has no such label."""
    body = make_good("Deployment/web")
    for operator, values in (("NotIn", ["x"]), ("DoesNotExist", [])):
        expression = {"key": "other", "operator": operator, "values": values}
        assert tell(change(body, ("spec", "selector", "matchExpressions"), [expression])) == []


SELECTING = [
    ("Service/web", ("spec", "selector")),
    ("PodDisruptionBudget/web", ("spec", "selector", "matchLabels")),
    ("NetworkPolicy/web", ("spec", "podSelector", "matchLabels")),
]


@pytest.mark.parametrize(("name", "path"), SELECTING)
@pytest.mark.parametrize("labels", [{"app": "web"}, {"app": "web", "tier": "front"}])
def test_what_selects_pods_of_the_tree_passes(name: str, path: Path, labels: Body) -> None:
    """Every label of the selector is one of the pods'."""
    assert tell(make_good("Deployment/web"), change(make_good(name), path, labels)) == []


@pytest.mark.parametrize(("name", "path"), SELECTING)
@pytest.mark.parametrize("labels", [{"app": "wbe"}, {"app": "web", "tier": "back"}, {"ap": "web"}])
def test_what_selects_nothing_is_a_warning(name: str, path: Path, labels: Body) -> None:
    """A typo in a selector is seen here, and nowhere else: no server refuses it."""
    place = ".".join(str(step) for step in path if step != "matchLabels")

    (line,) = tell(make_good("Deployment/web"), change(make_good(name), path, labels))
    assert line.startswith(f"selects-nothing: {place}: selects no pod that this tree makes")


@pytest.mark.parametrize("selector", [{}, None])
def test_a_selector_of_everything_is_no_mistake(selector: Any) -> None:
    """A NetworkPolicy for all pods, a Service whose endpoints somebody else lists."""
    assert tell(change(make_good("NetworkPolicy/web"), ("spec", "podSelector"), selector or {})) == []
    assert tell(change(make_good("Service/web"), ("spec", "selector"), selector)) == []
    assert tell(make_good("Service/elsewhere")) == []


def test_pods_of_another_namespace_are_not_selected() -> None:
    """Selectors do not look beyond their namespace."""
    other = change(make_good("Deployment/web"), ("metadata", "namespace"), "other")

    assert [line.partition(":")[0] for line in tell(other, make_good("Service/web"))] == ["selects-nothing"]


def test_expressions_select_without_labels() -> None:
    """A selector may have expressions alone."""
    path = ("spec", "selector")
    budget = make_good("PodDisruptionBudget/web")
    for key, found in (("tier", True), ("other", False)):
        selector = {"matchExpressions": [{"key": key, "operator": "Exists"}]}
        assert (tell(make_good("Deployment/web"), change(budget, path, selector)) == []) is found


def test_pods_of_other_services_are_selected() -> None:
    """A Service may stand in front of the pods of another service of the tree."""

    def of(body: Body, service: str) -> Manifest:
        fields = {key: value for key, value in body.items() if key not in {"apiVersion", "kind", "metadata"}}
        return make_manifest(body["kind"], "web", version=body["apiVersion"], service=service, **fields)

    services = {
        "front": [of(make_good("Service/web"), "front")],
        "back": [of(make_good("Deployment/web"), "back")],
    }

    assert check_tree(services, schemas=read_schemas(), plain_secrets=()) == []


@pytest.mark.parametrize("name", ["HorizontalPodAutoscaler/web", "HorizontalPodAutoscaler/old"])
def test_a_target_that_is_not_there_is_a_warning(name: str) -> None:
    """An autoscaler of a workload that this tree does not have scales nothing of it."""
    assert tell(make_good("Deployment/web"), make_good(name)) == []
    assert tell(make_good(name)) == [
        "no-target: spec.scaleTargetRef.name: this tree has no Deployment/default/web"
    ]


def test_backends_that_are_not_there_are_warnings() -> None:
    """An Ingress that leads to no Service of the tree; one to a resource leads elsewhere."""
    ingress = make_good("Ingress/web")
    message = "this tree has no Service/default/web"

    assert tell(make_good("Deployment/web"), make_good("Service/web"), ingress) == []
    assert tell(ingress) == [
        f"no-target: spec.defaultBackend.service.name: {message}",
        f"no-target: spec.rules[0].http.paths[0].backend.service.name: {message}",
    ]
    resource = {"resource": {"apiGroup": "example.com", "kind": "Bucket", "name": "x"}}
    assert tell(change(change(ingress, ("spec", "defaultBackend"), resource), ("spec", "rules"), [])) == []


UNVERSIONED = "names no version; add a tag or a digest"
LATEST = "may be another program tomorrow; name a version"


@pytest.mark.parametrize(
    ("image", "complaint"),
    [
        ("redis", UNVERSIONED),
        ("example.com:5000/team/redis", UNVERSIONED),
        ("redis:latest", LATEST),
        ("example.com:5000/redis:latest", LATEST),
        ("redis:7", ""),
        ("example.com:5000/team/redis:7-alpine", ""),
        ("redis@sha256:0123", ""),
        ("redis:latest@sha256:0123", ""),
    ],
)
@pytest.mark.parametrize("containers", ["containers", "initContainers"])
def test_images(image: str, complaint: str, containers: str) -> None:
    """An image without a version is a warning: the same commit runs something else tomorrow."""
    path = ("spec", "template", "spec", containers, 0, "image")

    expected = [f"image-tag: spec.template.spec.{containers}[0].image: {image} {complaint}"] if complaint else []
    assert tell(change(make_good("Deployment/web"), path, image)) == expected


@pytest.mark.parametrize("name", ["Pod/lone", "PodTemplate/mould", "Job/once", "CronJob/nightly"])
def test_images_of_all_that_makes_pods(name: str) -> None:
    """Wherever a pod's containers stand."""
    at: dict[str, Path] = {
        "Pod/lone": (),
        "PodTemplate/mould": ("template",),
        "Job/once": ("spec", "template"),
        "CronJob/nightly": ("spec", "jobTemplate", "spec", "template"),
    }
    body = change(make_good(name), (*at[name], "spec", "containers", 0, "image"), "redis")

    place = ".".join(map(str, (*at[name], "spec.containers[0].image")))
    assert tell(body) == [f"image-tag: {place}: redis {UNVERSIONED}"]


SCALARS = strategies.none() | strategies.booleans() | strategies.integers() | strategies.text(max_size=3)
KEYS = strategies.sampled_from(["a", "key", "matchExpressions", "matchLabels", "name", "operator", "values"])
VALUES = strategies.recursive(
    SCALARS,
    lambda below: strategies.lists(below, max_size=3) | strategies.dictionaries(KEYS, below, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(name=strategies.sampled_from(list_good()), data=strategies.data())
def test_no_shape_of_an_object_breaks_the_lint(name: str, data: strategies.DataObject) -> None:
    """Whatever stands where something else should: it is told, twice the same, and nothing is raised."""
    good = make_good(name)
    paths = [path for path, _ in walk(good) if path[0] not in {"apiVersion", "kind", "metadata"}]
    body = change(good, data.draw(strategies.sampled_from(paths or [("data",)])), data.draw(VALUES))

    assert tell(body) == tell(body)
