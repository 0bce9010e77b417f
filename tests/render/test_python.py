"""A service's Python definition becomes objects and config, wherever it was built."""

from collections.abc import Mapping
from typing import Any

import pytest

from jsorc_gitops.errors import DefinitionError
from jsorc_gitops.model.services import BuiltDefinition, parse_definition
from jsorc_gitops.render.python import render_python
from tests.render.builders import make_service

REDIS = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "redis"}}
DATA = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "data", "namespace": "shop"}}


class Builds:
    """The door, with one answer for every definition; it remembers what it was asked for."""

    def __init__(self, kube: Any = None, config: Any = None) -> None:
        self.asked: list[tuple[str, Mapping[str, Any], str]] = []
        self._answer = BuiltDefinition(kube=kube, config=config)

    def build_definition(self, name: str, values: Mapping[str, Any], *, folder: str = "") -> BuiltDefinition:
        self.asked.append((name, values, folder))
        return self._answer


def render(python: Builds, text: str = "python: 'jobs:Redis'", environment: str = "") -> tuple[list[Any], Any]:
    texts = {"service.yaml": text, "values.live.yaml": "REDIS_CONFIG: {port: 2}"}
    files = make_service(texts)
    definition = parse_definition(files, services=frozenset({"redis"}), environment=environment)
    return render_python(definition, files, python)


def test_objects_say_where_they_are_from() -> None:
    """In the order they are written in; each names service.yaml, the definition and its number."""
    manifests, config = render(Builds({"Service": [REDIS], "ConfigMap": {"data": DATA}}))

    assert [(str(each.ref), each.body) for each in manifests] == [
        ("Service/redis", REDIS),
        ("ConfigMap/shop/data", DATA),
    ]
    assert [each.where for each in manifests] == [
        f"templates/redis/service.yaml: python jobs:Redis document {number}" for number in (1, 2)
    ]
    assert config == {}


def test_values_of_the_environment_are_the_overrides() -> None:
    """The door gets the merged values and the service's folder."""
    python = Builds()

    render(python, "{python: 'jobs:Redis', values: {REDIS_CONFIG: {host: a, port: 1}}}", environment="live")

    assert python.asked == [("jobs:Redis", {"REDIS_CONFIG": {"host": "a", "port": 2}}, "templates/redis")]


def test_config_of_service_yaml_goes_before() -> None:
    """Key by key, over the config that the definition builds."""
    python = Builds(config={"enabled": True, "broker": {"url": "a", "pool": 1}})

    _, config = render(python, "{python: 'jobs:Redis', config: {broker: {url: b}}}")

    assert config == {"enabled": True, "broker": {"url": "b", "pool": 1}}


def test_without_python_nothing_is_built() -> None:
    """There are no objects then, and the config is service.yaml's."""
    python = Builds(kube=REDIS)

    assert render(python, "config: {enabled: true}") == ([], {"enabled": True})
    assert python.asked == []


@pytest.mark.parametrize(
    ("python", "complaint"),
    [
        (Builds(kube=7), "neither an object nor a mapping or list of objects, but 7"),
        (Builds(kube={"Service": [{"kind": "Service"}]}), "apiVersion is missing or not a text"),
        (Builds(config=["enabled"]), "build_config gives no mapping, but ['enabled']"),
    ],
)
def test_mistakes(python: Builds, complaint: str) -> None:
    """What is built and is no kube config, no object or no config is an error that names the definition."""
    with pytest.raises(DefinitionError) as caught:
        render(python)
    assert str(caught.value).startswith("templates/redis/service.yaml: python jobs:Redis")
    assert complaint in str(caught.value)
