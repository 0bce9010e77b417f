"""From service definitions to everything a tree holds: objects, records, settings, Namespaces."""

from collections.abc import Callable, Container, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter
from typing import Protocol, TypeVar

from jsorc_gitops.errors import DefinitionError
from jsorc_gitops.model.kinds import may_be_judged
from jsorc_gitops.model.objects import (
    RESTARTED_AT,
    SERVICE_LABEL,
    TREE_LABEL,
    WORKLOADS,
    Manifest,
    ObjectRef,
)
from jsorc_gitops.model.services import ServiceDefinition, ServiceFiles, ServiceRecord, parse_definition
from jsorc_gitops.model.settings import DEFAULT_TREE, Settings, format_settings
from jsorc_gitops.model.tree import make_record_manifest, make_settings_manifest
from jsorc_gitops.render.collect import Collector
from jsorc_gitops.render.marks import leave_alone, mark
from jsorc_gitops.render.namespaces import (
    find_cluster_scoped,
    find_home,
    make_namespaces,
    place_in_namespaces,
)
from jsorc_gitops.render.placeholders import resolve_placeholders
from jsorc_gitops.render.python import PythonDefinitions, render_python
from jsorc_gitops.render.rights import check_own_rights
from jsorc_gitops.render.secrets import check_config
from jsorc_gitops.render.templates import VALUES, Filled, TemplateRenderer

_T = TypeVar("_T")


class Fork(Protocol):
    """The door to a second core: calls a function that changes nothing, perhaps while the block goes on.

    What the block is given waits for the outcome. `nullcontext` calls it then, and here.
    """

    def __call__(self, function: Callable[[], _T], /) -> AbstractContextManager[Callable[[], _T]]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What turns definitions into objects."""

    templates: TemplateRenderer
    python: PythonDefinitions
    fork: Fork = nullcontext


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedTree:
    """All of a tree, not linted yet; `objects` are those of each service."""

    objects: Mapping[str, Sequence[Manifest]]
    manifests: Sequence[Manifest]
    plain_secrets: frozenset[str]  # the services whose Secrets may lie in git


def render_trees(
    settings: Mapping[str, Settings], services: Mapping[str, ServiceFiles], *, tools: Tools
) -> dict[str, RenderedTree]:
    """All objects of every tree, by the settings of each.

    Raises DefinitionError with a line for each mistake of a tree.
    """
    collectors = {tree: Collector() for tree in settings}
    definitions = {
        tree: _parse_definitions(services, collector, environment=_find_environment(tree))
        for tree, collector in collectors.items()
    }
    filled = _fill_templates(definitions, services, settings, tools=tools)
    return {
        tree: _assemble(
            definitions[tree], services, filled[tree], of, collectors[tree], tree=tree, python=tools.python
        )
        for tree, of in settings.items()
    }


def _assemble(
    definitions: Mapping[str, ServiceDefinition],
    services: Mapping[str, ServiceFiles],
    filled: Mapping[str, Filled],
    settings: Settings,
    collector: Collector,
    *,
    tree: str,
    python: PythonDefinitions,
) -> RenderedTree:
    with collector:
        _check_dependencies(definitions)
    built, raw = _build_services(definitions, services, filled, collector, python=python)
    collector.check()
    clean = {where for each in filled.values() for where in each.clean}
    objects = _place_services(built, raw, settings, clean=clean)
    everything: list[Manifest] = []
    for name, manifests in objects.items():
        record = _make_record(built[name], manifests, settings)
        check_own_rights(record, manifests, settings, tree)
        everything.append(make_record_manifest(record, settings, tree))
        marked = [mark(each, {SERVICE_LABEL: name, TREE_LABEL: tree}) for each in manifests]
        objects[name] = marked if record.keep_alive else [leave_alone(each, settings.applier) for each in marked]
        everything += objects[name]
    everything.append(make_settings_manifest(settings, tree))
    everything += [mark(each, {TREE_LABEL: tree}) for each in make_namespaces(everything)]
    allowed = frozenset(name for name, definition in definitions.items() if definition.plain_secrets)
    return RenderedTree(objects=objects, manifests=everything, plain_secrets=allowed)


def check_environments(services: Mapping[str, ServiceFiles], environments: Container[str]) -> None:
    """Raise DefinitionError where values are for an environment that is none: nobody would read them."""
    strays = [
        f"{files.folder}/{name}: jsorc.yaml has no environment {match[1]!r}, so nobody would read it"
        for files in services.values()
        for name in sorted(files.texts)
        if (match := VALUES.match(name)) and match[1] not in environments
    ]
    if strays:
        raise DefinitionError("\n".join(strays))


def _find_environment(tree: str) -> str:
    return "" if tree == DEFAULT_TREE else tree


def _parse_definitions(
    services: Mapping[str, ServiceFiles], collector: Collector, *, environment: str
) -> dict[str, ServiceDefinition]:
    names = frozenset(services)
    definitions = {}
    for name, files in services.items():
        with collector:
            definitions[name] = parse_definition(files, services=names, environment=environment)
    return definitions


def _fill_templates(
    definitions: Mapping[str, Mapping[str, ServiceDefinition]],
    services: Mapping[str, ServiceFiles],
    settings: Mapping[str, Settings],
    *,
    tools: Tools,
) -> dict[str, dict[str, Filled]]:
    """What the files of every service hold, by tree; a fork sees to a part of the services."""

    def fill(names: Sequence[str]) -> dict[str, dict[str, Filled]]:
        return {
            tree: {name: fill_one(tree, name) for name in names if name in definitions[tree]} for tree in settings
        }

    def fill_one(tree: str, name: str) -> Filled:
        definition = definitions[tree][name]
        context = {
            "environment": _find_environment(tree),
            "service": name,
            "tree": tree,
            "namespace": find_home(_find_policy(definition, settings[tree]), settings[tree].namespace),
            "values": definition.values,
            "settings": {**format_settings(settings[tree]), "applier": settings[tree].applier},
        }
        return tools.templates.fill(services[name], context)

    names = list(services)
    # Two of five, since a fork has to be made first, and to hand over what it found: half takes 7 % longer on two
    # idle cores, though less on busy ones.
    ours = len(names) * 3 // 5
    with tools.fork(lambda: fill(names[ours:])) as get_rest:
        first = fill(names[:ours])
        rest = get_rest()
    return {tree: first[tree] | rest[tree] for tree in settings}


def _build_services(
    definitions: Mapping[str, ServiceDefinition],
    services: Mapping[str, ServiceFiles],
    filled: Mapping[str, Filled],
    collector: Collector,
    *,
    python: PythonDefinitions,
) -> tuple[dict[str, ServiceDefinition], dict[str, list[Manifest]]]:
    """The definitions with the config that Python gives them, and the objects of every service as written."""
    built: dict[str, ServiceDefinition] = {}
    raw: dict[str, list[Manifest]] = {}
    for name, definition in definitions.items():
        with collector:
            raw[name] = filled[name].make_manifests()
        with collector:
            manifests, config = render_python(definition, services[name], python)
            raw[name] = [*raw.get(name, ()), *manifests]
            check_config(name, config, allowed=definition.plain_secrets)
            built[name] = replace(definition, config=config)
    return built, raw


def _place_services(
    definitions: Mapping[str, ServiceDefinition],
    raw: Mapping[str, Sequence[Manifest]],
    settings: Settings,
    *,
    clean: Container[str],
) -> dict[str, list[Manifest]]:
    """The objects where the policies of their services put them, placeholders filled in."""
    collector = Collector()
    scopes = find_cluster_scoped(each for manifests in raw.values() for each in manifests)
    placed: dict[str, list[Manifest]] = {}
    for name, manifests in raw.items():
        policy = _find_policy(definitions[name], settings)
        with collector:
            placed[name] = place_in_namespaces(manifests, policy=policy, home=settings.namespace, scopes=scopes)
    collector.check()
    return resolve_placeholders(placed, clean=clean)


def _find_policy(definition: ServiceDefinition, settings: Settings) -> str:
    return settings.namespaces.get(definition.name, definition.namespace)


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
    _check_restarts(definition, [each for each in manifests if each.ref in watch])
    return ServiceRecord(
        name=definition.name,
        keep_alive=settings.keeps_alive(definition.name),
        config=definition.config,
        via=definition.via,
        jaseci_name=definition.jaseci_name,
        depends_on=definition.depends_on,
        workloads=workloads,
        watch=watch,
        applies_config=definition.applies_config,
        policy=definition.policy,
        others=tuple(
            sorted(ref for each in manifests if may_be_judged(ref := each.ref) and ref not in workloads)
        ),
    )


def _check_restarts(definition: ServiceDefinition, watched: Sequence[Manifest]) -> None:
    """Refuse what a restart could not be seen to do, or would be undone by git. Raises DefinitionError."""
    place = f"templates/{definition.name}/service.yaml: reset"
    if definition.via != "jaseci" and definition.applies_config:
        raise DefinitionError(f"{place}.config: only what is reset via jaseci has a config there; take it out")
    if definition.via != "rollout":
        return
    if not watched:
        raise DefinitionError(f"{place}.via: rollout restarts workloads, and the service watches none")
    for each in watched:
        spec = each.body.get("spec") or {}
        strategy = spec.get("updateStrategy") or {}
        if strategy.get("type") == "OnDelete" or (strategy.get("rollingUpdate") or {}).get("partition"):
            raise DefinitionError(
                f"{place}.via: rollout cannot replace the pods of {each.ref}: its updateStrategy"
            )
        metadata = (spec.get("template") or {}).get("metadata") or {}
        if RESTARTED_AT in (metadata.get("annotations") or {}):
            raise DefinitionError(
                f"{place}.via: rollout sets {RESTARTED_AT}, and {each.ref} has it from git; take it out there"
            )


def _find_workload(workloads: Sequence[ObjectRef], name: str, service: str) -> ObjectRef:
    for ref in workloads:
        if name == f"{ref.kind}/{ref.name}":
            return ref
    known = ", ".join(f"{ref.kind}/{ref.name}" for ref in workloads) or "none"
    place = f"templates/{service}/service.yaml"
    raise DefinitionError(f"{place}: reset.watch names {name}; the service's workloads are: {known}")
