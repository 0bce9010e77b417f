"""The shipped services on a real API server: what they render to is taken, by hand-made values too."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
import yaml

from jsorc_gitops.adapters.files import read_definitions
from jsorc_gitops.model.services import ServiceFiles, merge_values
from jsorc_gitops.model.settings import Settings
from tests.controlplane.server import ControlPlane, KubectlError
from tests.jaseci.packages import read_jsorcs
from tests.render.builders import render_services
from tests.render.shipped import (
    ADDED,
    LOGSTASH,
    ROOT,
    Body,
    definition_of,
    is_cluster_scoped,
    pod_templates,
    spell,
)

pytestmark = pytest.mark.real

# As somebody may have them in a second environment of the same cluster.
OTHER_VALUES: dict[str, Body] = {
    "database": {"storageClass": "fast", "runAs": 999, "settings": {"max_connections": 200}},
    "elastic": {
        "clusterScopedSuffix": "-staging",
        "version": "8.7.1",
        "elasticsearch": {"nodes": 3, "storageClass": "fast", "config": {"http.cors.enabled": True}},
        "kibana": {"nodes": 0},
        "operator": {
            "namespace": "default",
            "kinds": [*definition_of("elastic")["values"]["operator"]["kinds"], LOGSTASH],
        },
    },
    "jsorc": {"mode": "loop", "git": {"secret": "git"}, "network": {"more": [{"ports": [{"port": 8443}]}]}},
    "jaseci": {"replicas": 2, "elastic": True, "prometheus": None, "env": {"POSTGRES_PORT": 5433}},
    "promon": {
        "clusterScopedSuffix": "-staging",
        "server": {"storageClass": "fast", "insecureSkipVerify": True},
        "nodeExporter": {"port": 9101, "tolerations": [{"operator": "Exists"}]},
    },
    "redis": {"settings": {"maxmemory": "1mb"}, "resources": {"limits": {"cpu": "1"}}},
}
VALUES: dict[str, dict[str, Body]] = {"default": {}, "other": OTHER_VALUES}

# Its pods look at the node itself, so the level `restricted` refuses them (docs/services.md).
UNRESTRICTED = {"DaemonSet/jaseci-prometheus-node-exporter"}


def render(namespace: str, values: dict[str, Body]) -> list[Body]:
    """The whole tree of the shipped services, as jsorc renders it for this home namespace."""
    services = {name: with_values(files, values.get(name, {})) for name, files in read_definitions(ROOT).items()}
    manifests = render_services(*services.values(), settings=Settings(namespace=namespace))
    return [dict(each.body) for each in manifests]


def with_values(files: ServiceFiles, values: Body) -> ServiceFiles:
    definition = definition_of(files.name)
    definition["values"] = merge_values(definition.get("values", {}), values)
    return replace(files, texts={**files.texts, "service.yaml": yaml.safe_dump(definition)})


def is_definition(body: Body) -> bool:
    return bool(body["kind"] == "CustomResourceDefinition")


@contextmanager
def applied(controlplane: ControlPlane, bodies: list[Body]) -> Iterator[None]:
    """Objects that are there for as long as this lasts; those of kinds among them come after these."""
    definitions = [body for body in bodies if is_definition(body)]
    rest = [body for body in bodies if not is_definition(body)]
    try:
        if definitions:
            apply(controlplane, definitions)
            names = [spell(body).lower() for body in definitions]
            controlplane.kubectl("wait", "--for=condition=Established", "--timeout=60s", *names)
        if rest:
            apply(controlplane, rest)
        yield
    finally:
        # The kinds go last: without them, kubectl would not know what to delete.
        for stage in filter(None, (rest, definitions)):
            controlplane.kubectl("delete", "--ignore-not-found", "-f", "-", stdin=yaml.safe_dump_all(stage))


def apply(controlplane: ControlPlane, bodies: list[Body]) -> None:
    """As JsOrc, whose client is named so."""
    command = ("apply", "--server-side", "--field-manager=OpenAPI-Generator", "-f", "-")
    controlplane.kubectl(*command, stdin=yaml.safe_dump_all(bodies))


def try_apply(controlplane: ControlPlane, bodies: list[Body]) -> list[str]:
    """What the server would do with each, by its name; raises where it refuses one, unknown fields too."""
    command = ("apply", "--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict")
    return controlplane.kubectl(*command, "-f", "-", stdin=yaml.safe_dump_all(bodies)).splitlines()


@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)
def test_server_takes_every_object(controlplane: ControlPlane, namespace: str, values: dict[str, Body]) -> None:
    """Everything that the shipped services render to is taken, without a field that the server does not know."""
    bodies = render(namespace, values)
    definitions = [body for body in bodies if is_definition(body)]

    with applied(controlplane, definitions):
        lines = try_apply(controlplane, bodies)

    assert len(lines) == len(bodies)
    assert {line.partition(" ")[2] for line in lines} == {"serverside-applied (server dry run)"}


def make_pod(name: str, namespace: str, template: Body) -> Body:
    """A pod as the template's workload would make it; images are the operator's to add where it knows them."""
    spec = json.loads(json.dumps(template["spec"]))
    for container in (*spec["containers"], *spec.get("initContainers", ())):
        container.setdefault("image", "of-the-operator:1")
    metadata = {"name": name.partition("/")[2], "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def list_pod_templates(bodies: list[Body]) -> dict[str, Body]:
    """All pod templates of a tree, those that Elastic's operator completes too."""
    charges = {spell(body): body["spec"] for body in bodies if body["kind"] in {"Elasticsearch", "Kibana"}}
    completed = {
        name: spec.get("podTemplate") or spec["nodeSets"][0]["podTemplate"] for name, spec in charges.items()
    }
    return pod_templates(bodies) | completed


@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)
def test_restricted_namespaces_admit_the_pods(
    controlplane: ControlPlane, namespace: str, values: dict[str, Body]
) -> None:
    """Where Pod Security enforces `restricted`, every pod is admitted but the node exporter's."""
    bodies = render(namespace, values)
    accounts = {body["metadata"]["name"] for body in bodies if body["kind"] == "ServiceAccount"}
    for name in accounts:
        controlplane.kubectl("create", "serviceaccount", name, "-n", namespace)
    controlplane.kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")

    templates = list_pod_templates(bodies)
    refused = {}
    for name, template in templates.items():
        pod = json.dumps(make_pod(name, namespace, template))
        try:
            controlplane.kubectl("create", "--dry-run=server", "--validate=strict", "-f", "-", stdin=pod)
        except KubectlError as error:
            refused[name] = str(error)

    assert len(templates) == 12
    assert refused.keys() == UNRESTRICTED, refused
    assert all("violates PodSecurity" in message for message in refused.values())


# The file of Jaseci 1.4.2.6 for each of ours that has one.
JSORCS = {"database": "database", "elastic": "elastic", "promon": "prometheus", "redis": "redis"}


def make_jsorcs(service: str, namespace: str) -> list[Body]:
    """The objects that JsOrc makes of a service, all in one namespace."""
    bodies: list[Body] = read_jsorcs(JSORCS[service], namespace=namespace)
    for body in bodies:
        # The server has these, and refuses them from others.
        body.pop("status", None)
        body["metadata"].pop("creationTimestamp", None)
        if not is_cluster_scoped(body):
            body["metadata"]["namespace"] = namespace
    return bodies


@pytest.mark.parametrize("service", JSORCS)
def test_jsorcs_objects_can_be_taken_over(controlplane: ControlPlane, namespace: str, service: str) -> None:
    """Over what JsOrc made, every object is there already and can be applied, by its own schemas too."""
    # As docs/services.md says of what 1.4 made.
    bodies = render(namespace, {"promon": {"clusterScopedSuffix": f"-{namespace}"}})
    ours = [body for body in bodies if is_of(body, service)]
    there = [body for body in ours if spell(body) not in ADDED.get(service, set())]

    with applied(controlplane, make_jsorcs(service, namespace)):
        found = controlplane.kubectl("get", "-o", "name", "-f", "-", stdin=yaml.safe_dump_all(there))
        lines = try_apply(controlplane, ours)

    assert len(found.splitlines()) == len(there)
    assert len(lines) == len(ours)


def is_of(body: Body, service: str) -> bool:
    labels = body["metadata"]["labels"]
    return labels.get("jsorc.jaseci.org/service") == service and "jsorc.record" not in spell(body)
