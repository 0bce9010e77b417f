"""Turns what a service's Python definition says into objects and config; the door that runs it is an argument."""

from collections.abc import Mapping
from typing import Any, Protocol

from jsorc_gitops.errors import DefinitionError
from jsorc_gitops.model.objects import Manifest, parse_manifest
from jsorc_gitops.model.services import BuiltDefinition, ServiceDefinition, ServiceFiles, merge_values
from jsorc_gitops.render.shapes import flatten_objects


class PythonDefinitions(Protocol):
    """The door to Python definitions."""

    def build_definition(self, name: str, values: Mapping[str, Any], *, folder: str = "") -> BuiltDefinition: ...


def render_python(
    definition: ServiceDefinition, files: ServiceFiles, python: PythonDefinitions
) -> tuple[list[Manifest], Mapping[str, Any]]:
    """The objects of a service's `python`, and its config with that of service.yaml on top.

    Without `python` there are no objects, and the config is service.yaml's. Raises DefinitionError.
    """
    if not definition.python:
        return [], definition.config
    built = python.build_definition(definition.python, definition.values, folder=files.folder)
    where = f"{files.folder}/service.yaml: python {definition.python}"
    manifests, config = parse_built(built, where=where)
    return manifests, merge_values(config, definition.config)


def parse_built(built: BuiltDefinition, *, where: str) -> tuple[list[Manifest], Mapping[str, Any]]:
    """The objects, in the order they are written in, and the config of a definition. Raises DefinitionError."""
    if not isinstance(built.config, Mapping | None):
        raise DefinitionError(f"{where}: build_config gives no mapping, but {built.config!r:.50}")
    bodies = flatten_objects(built.kube, where=where)
    manifests = [
        parse_manifest(body, where=f"{where} document {number}") for number, body in enumerate(bodies, start=1)
    ]
    return manifests, built.config or {}
