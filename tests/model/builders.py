"""Makes objects, records and whole trees with as few words as a test needs."""

from typing import Any

from jsorc_gitops.model.layout import format_tree
from jsorc_gitops.model.objects import SERVICE_LABEL, TREE_LABEL, Manifest, ObjectRef, parse_manifest
from jsorc_gitops.model.services import ServiceRecord
from jsorc_gitops.model.settings import Settings
from jsorc_gitops.model.tree import make_record_manifest, make_settings_manifest


def make_manifest(
    kind: str = "ConfigMap",
    name: str = "x",
    *,
    version: str = "v1",
    namespace: str = "default",
    service: str = "redis",
    tree: str = "default",
    **fields: Any,
) -> Manifest:
    """An object as it lies in a rendered tree: with our labels; `fields` stand beside metadata."""
    metadata: dict[str, Any] = {"name": name, "labels": {TREE_LABEL: tree}}
    if namespace:
        metadata["namespace"] = namespace
    if service:
        metadata["labels"][SERVICE_LABEL] = service
    return parse_manifest({"apiVersion": version, "kind": kind, "metadata": metadata, **fields}, where=name)


def make_deployment(name: str = "redis", *, image: str = "redis:6", replicas: int = 1, **more: Any) -> Manifest:
    spec = {"replicas": replicas, "template": {"spec": {"containers": [{"name": name, "image": image}]}}}
    return make_manifest("Deployment", name, version="apps/v1", spec=spec, **more)


def make_record(name: str = "redis") -> ServiceRecord:
    return ServiceRecord(
        name=name,
        keep_alive=True,
        config={},
        via="jaseci",
        jaseci_name=name,
        depends_on=(),
        workloads=(),
        watch=(),
    )


def make_tree(*manifests: Manifest, settings: Settings | None = None, tree: str = "default") -> dict[str, str]:
    """The files of a tree with these objects, the records of their services and the settings."""
    settings = settings or Settings()
    services = sorted({each.service for each in manifests} - {""})
    records = [make_record_manifest(make_record(name), settings, tree) for name in services]
    return format_tree([*manifests, *records, make_settings_manifest(settings, tree)], tree=tree)


def index(*manifests: Manifest) -> dict[ObjectRef, Manifest]:
    return {each.ref: each for each in manifests}
