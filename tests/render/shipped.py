"""The services this repository ships: their objects, and what of these an installation relies on."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from jsorc_gitops.adapters.files import read_definitions
from jsorc_gitops.model.objects import CLUSTER_SCOPED, parse_group
from jsorc_gitops.model.services import merge_values
from jsorc_gitops.model.settings import (
    DEFAULT_TREE,
    CredentialsReference,
    JaseciSettings,
    Settings,
    format_settings,
)
from jsorc_gitops.render.templates import TemplateRenderer

Body = dict[str, Any]

ROOT = Path(__file__).parents[2]
TEMPLATES = ROOT / "templates"
PAGE = (ROOT / "docs" / "services.md").read_text()

# The kind that docs/services.md says to add for newer operators.
[LOGSTASH] = yaml.safe_load(PAGE.partition("```yaml\n")[2].partition("```")[0])

IN_CLUSTER = ["database", "elastic", "jaseci", "promon", "redis"]
ITSELF = "jsorc"
WITH_VALUES = sorted([*IN_CLUSTER, ITSELF])
WITHIN_JASECI = ["mail", "store", "stripe", "task"]
# What Elastic's operator may do in its namespace; in JsOrc's manifest it could do it in all.
ADDED = {"elastic": {"Role/elastic-operator", "RoleBinding/elastic-operator"}}
WORKLOADS = ("CronJob", "Deployment", "DaemonSet", "StatefulSet")


# With a Jaseci, so that there is something to be said of its credentials.
SETTINGS = Settings(
    jaseci=JaseciSettings(url="http://jaseci", credentials=CredentialsReference(kind="env", name="JASECI"))
)


def definition_of(service: str) -> Body:
    definition: Body = yaml.safe_load((TEMPLATES / service / "service.yaml").read_text())
    return definition


def objects_of(
    service: str, *, namespace: str = "default", tree_settings: Settings = SETTINGS, **values: Any
) -> list[Body]:
    """The objects of a shipped service, with `values` on top of its own as those of an environment are."""
    files = read_definitions(ROOT)[service]
    context = {
        "values": merge_values(definition_of(service).get("values", {}), values),
        "namespace": namespace,
        "service": service,
        "tree": DEFAULT_TREE,
        "environment": "",
        "settings": {**format_settings(tree_settings), "applier": tree_settings.applier},
    }
    return [dict(manifest.body) for manifest in TemplateRenderer().fill(files, context).make_manifests()]


def objects_by_name(service: str, **values: Any) -> dict[str, Body]:
    return {spell(body): body for body in objects_of(service, **values)}


def all_objects() -> list[Body]:
    return [body for service in WITH_VALUES for body in objects_of(service)]


def pod_templates(bodies: list[Body] | None = None) -> dict[str, Body]:
    """The pod templates of workloads, of all shipped services where no objects are given."""
    found = all_objects() if bodies is None else bodies
    workloads = {spell(body): body["spec"] for body in found if body["kind"] in WORKLOADS}
    return {name: spec.get("jobTemplate", {"spec": spec})["spec"]["template"] for name, spec in workloads.items()}


def containers_of(template: Body) -> Iterator[Body]:
    yield from template["spec"]["containers"]


def spell(body: Body) -> str:
    return f"{body['kind']}/{body['metadata']['name']}"


def is_cluster_scoped(body: Body) -> bool:
    return (parse_group(body["apiVersion"]), body["kind"]) in CLUSTER_SCOPED


def facts_of(body: Body) -> Body:
    """What must stay as it is of one object, next to its kind and name."""
    spec = body.get("spec", {})
    match body["kind"]:
        case "Service":
            return {"selector": spec["selector"], "ports": [port_facts(port) for port in spec["ports"]]}
        case "Deployment" | "DaemonSet" | "StatefulSet":
            containers = spec["template"]["spec"]["containers"]
            ports = {each["name"]: [port_facts(port) for port in each.get("ports", ())] for each in containers}
            return {
                "selector": spec["selector"]["matchLabels"],
                "ports": ports,
                "images": {each["name"]: each["image"] for each in containers},
            }
        case "CustomResourceDefinition":
            versions = {each["name"]: [each["served"], each["storage"]] for each in spec["versions"]}
            return {"definition": {"scope": spec["scope"], "names": spec["names"], "versions": versions}}
        case "ValidatingWebhookConfiguration":
            webhooks = body["webhooks"]
            return {"webhooks": {each["name"]: each["clientConfig"]["service"]["path"] for each in webhooks}}
    return {}


def port_facts(port: Body) -> Body:
    return {"protocol": "TCP"} | {key: value for key, value in port.items() if key != "name"}


def split_image(image: str) -> tuple[str, str]:
    repository, _, tag = image.partition(":")
    return repository, tag
