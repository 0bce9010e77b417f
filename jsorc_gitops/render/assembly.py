"""From service definitions to everything a tree holds: objects, records, settings, Namespaces."""

from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

from jsorc_gitops.errors import DefinitionError
from jsorc_gitops.model.objects import SERVICE_LABEL, TREE_LABEL, WORKLOADS, Manifest, ObjectRef
from jsorc_gitops.model.services import ServiceDefinition, ServiceFiles, ServiceRecord, parse_definition
from jsorc_gitops.model.settings import Settings
from jsorc_gitops.model.tree import make_record_manifest, make_settings_manifest
from jsorc_gitops.render.lint import check_manifests
from jsorc_gitops.render.namespaces import find_cluster_scoped, make_namespaces, place_in_namespace
from jsorc_gitops.render.templates import render_manifests

# What keeps Flux and Argo CD from deleting data when its service is removed (DESIGN §2).
_KEEP_ANNOTATIONS = {
    "argocd.argoproj.io/sync-options": "Prune=false,Delete=false",
    "kustomize.toolkit.fluxcd.io/prune": "disabled",
}


def render_tree(settings: Settings, services: Mapping[str, ServiceFiles], *, tree: str) -> list[Manifest]:
    """All objects of the tree; raise DefinitionError where a definition is wrong."""
    names = frozenset(services)
    definitions = {name: parse_definition(files, services=names) for name, files in services.items()}
    _check_dependencies(definitions)
    objects = _render_services(definitions, services, settings, tree)
    check_manifests(objects)
    everything: list[Manifest] = []
    for name, manifests in objects.items():
        record = _make_record(definitions[name], manifests, settings)
        everything.append(make_record_manifest(record, settings, tree))
        everything += [_mark(each, {SERVICE_LABEL: name, TREE_LABEL: tree}) for each in manifests]
    everything.append(make_settings_manifest(settings, tree))
    everything += [_mark(each, {TREE_LABEL: tree}) for each in make_namespaces(everything)]
    return everything


def _render_services(
    definitions: Mapping[str, ServiceDefinition],
    services: Mapping[str, ServiceFiles],
    settings: Settings,
    tree: str,
) -> dict[str, list[Manifest]]:
    raw = {}
    for name, definition in definitions.items():
        context = {
            "service": name,
            "tree": tree,
            "namespace": settings.namespace,
            "values": definition.values,
        }
        raw[name] = render_manifests(services[name], context)
    scopes = find_cluster_scoped(each for manifests in raw.values() for each in manifests)
    return {
        name: [place_in_namespace(each, namespace=settings.namespace, scopes=scopes) for each in manifests]
        for name, manifests in raw.items()
    }


def _check_dependencies(definitions: Mapping[str, ServiceDefinition]) -> None:
    graph = {name: definition.depends_on for name, definition in definitions.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        chain = " → ".join(reversed(error.args[1]))
        raise DefinitionError(f"dependsOn goes round in a circle: {chain}") from error


def _make_record(
    definition: ServiceDefinition, manifests: Sequence[Manifest], settings: Settings
) -> ServiceRecord:
    workloads = tuple(sorted(each.ref for each in manifests if each.ref.group_kind in WORKLOADS))
    watch = workloads
    if definition.watch is not None:
        watch = tuple(_find_workload(workloads, name, definition.name) for name in definition.watch)
    return ServiceRecord(
        name=definition.name,
        keep_alive=settings.keeps_alive(definition.name),
        config=definition.config,
        via=definition.via,
        jaseci_name=definition.jaseci_name,
        depends_on=definition.depends_on,
        workloads=workloads,
        watch=watch,
    )


def _find_workload(workloads: Sequence[ObjectRef], name: str, service: str) -> ObjectRef:
    for ref in workloads:
        if name == f"{ref.kind}/{ref.name}":
            return ref
    known = ", ".join(f"{ref.kind}/{ref.name}" for ref in workloads) or "none"
    raise DefinitionError(f"service {service}: reset.watch names {name}; its workloads are: {known}")


def _mark(manifest: Manifest, labels: Mapping[str, str]) -> Manifest:
    """Add our labels to the object itself, never to selectors or pod templates: those are immutable."""
    metadata = dict(manifest.body["metadata"])
    metadata["labels"] = {**(metadata.get("labels") or {}), **labels}
    if manifest.ref.is_kept:
        metadata["annotations"] = {**(metadata.get("annotations") or {}), **_KEEP_ANNOTATIONS}
    body = {**manifest.body, "metadata": metadata}
    return Manifest(ref=manifest.ref, api_version=manifest.api_version, body=body)
