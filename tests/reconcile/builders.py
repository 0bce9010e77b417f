"""Short ways to make the values that the tests of reconcile are about."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from jsorc_gitops.model.objects import SERVICE_LABEL, TREE_LABEL, Manifest, ObjectRef, parse_manifest
from jsorc_gitops.model.services import ServiceRecord
from jsorc_gitops.model.settings import Settings
from jsorc_gitops.model.tree import Tree, make_record_manifest, make_settings_manifest
from jsorc_gitops.reconcile.inventory import compute_applyset_id

HOME = "home"
PART_OF = compute_applyset_id("default", HOME)

Body = dict[str, Any]


def make_ref(kind: str, name: str, *, group: str = "", namespace: str = HOME) -> ObjectRef:
    return ObjectRef(group=group, kind=kind, namespace=namespace, name=name)


def make_body(kind: str, name: str, *, service: str = "", namespace: str = HOME, **fields: Any) -> Body:
    """An object of the tree `default`; `apiVersion` among the fields where it is not v1."""
    labels = {TREE_LABEL: "default"} | ({SERVICE_LABEL: service} if service else {})
    metadata: Body = {"name": name, "labels": labels}
    if namespace:
        metadata["namespace"] = namespace
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, **fields}


def make_config_map(name: str, *, service: str = "", **data: str) -> Body:
    return make_body("ConfigMap", name, service=service, data=data or {"key": "value"})


def make_deployment(name: str, *, service: str = "", replicas: int = 1, image: str = "image:1") -> Body:
    labels = {"app": name}
    template = {
        "metadata": {"labels": labels},
        "spec": {"containers": [{"name": "main", "image": image}]},
    }
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    return make_body("Deployment", name, service=service, apiVersion="apps/v1", spec=spec)


def make_pods(name: str, spec: Mapping[str, Any], *, namespace: str = HOME) -> list[Body]:
    """The pods of a Deployment, all ready."""
    template = hashlib.sha256(json.dumps(spec["template"], sort_keys=True).encode()).hexdigest()[:10]
    return [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": f"{name}-{number}",
                "namespace": namespace,
                "uid": f"uid-{name}-{number}",
                "labels": {**spec["selector"]["matchLabels"], "pod-template-hash": template},
                "ownerReferences": [{"kind": "ReplicaSet", "name": f"{name}-{template}", "controller": True}],
            },
            "spec": {},
            "status": {
                "conditions": [{"type": "Ready", "status": "True"}],
                "containerStatuses": [{"name": "main", "restartCount": 0}],
            },
        }
        for number in range(spec.get("replicas", 1))
    ]


def make_manifest(body: Mapping[str, Any]) -> Manifest:
    return parse_manifest(body, where="the test")


def make_record(name: str, **changed: Any) -> ServiceRecord:
    """A record of a service that is kept alive, without workloads."""
    fields: dict[str, Any] = {
        "keep_alive": True,
        "config": {},
        "via": "jaseci",
        "jaseci_name": name,
        "depends_on": (),
        "workloads": (),
        "watch": (),
    }
    return ServiceRecord(name=name, **(fields | changed))


def make_tree(
    services: Mapping[str, Sequence[Body]],
    *,
    records: Mapping[str, Mapping[str, Any]] | None = None,
    shared: Sequence[Body] = (),
    **settings: Any,
) -> Tree:
    """A tree of services, by their objects; `records` change a service's record, `shared` belong to no one."""
    chosen = Settings(**({"namespace": HOME} | settings))
    made = {}
    for name, bodies in services.items():
        workloads = tuple(make_manifest(body).ref for body in bodies if body["kind"] == "Deployment")
        changed = {"workloads": workloads, "watch": workloads, **(records or {}).get(name, {})}
        made[name] = make_record(name, **changed)
    manifests = [
        make_settings_manifest(chosen, "default"),
        *(make_record_manifest(record, chosen, "default") for record in made.values()),
        *(make_manifest(body) for bodies in services.values() for body in bodies),
        *(make_manifest(body) for body in shared),
    ]
    return Tree(name="default", settings=chosen, records=made, manifests={each.ref: each for each in manifests})


def own_entry(fields: Mapping[str, Any], *, time: str = "2026-11-23T12:00:00Z") -> Body:
    """Our entry in managedFields."""
    return make_entry("jsorc", fields, operation="Apply", time=time)


def make_entry(
    manager: str,
    fields: Mapping[str, Any],
    *,
    operation: str = "Update",
    subresource: str = "",
    time: str = "2026-11-23T12:00:01Z",
) -> Body:
    """An entry of managedFields, with a subresource only where one is given, as the server writes it."""
    entry = {
        "manager": manager,
        "operation": operation,
        "time": time,
        "fieldsType": "FieldsV1",
        "fieldsV1": fields,
    }
    return entry | ({"subresource": subresource} if subresource else {})


def make_live(
    body: Mapping[str, Any], *entries: Mapping[str, Any], uid: str = "uid-1", version: str = "1", **metadata: Any
) -> Body:
    """What the server has of an object after it was applied, with these managedFields."""
    return {
        **body,
        "metadata": {
            **body["metadata"],
            "uid": uid,
            "resourceVersion": version,
            "managedFields": list(entries),
            **metadata,
        },
    }
