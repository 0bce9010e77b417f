"""Whether what an object refers to lies in the same tree.

It may lie elsewhere (an operator makes pods, another tool an Ingress's Service), so what is missing is a warning.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from jsorc_gitops.model.fields import Path
from jsorc_gitops.model.objects import Manifest, ObjectRef, parse_group
from jsorc_gitops.render.findings import Rule
from jsorc_gitops.render.pods import Labels, find_pod_labels, list_at, mapping_at, matches
from jsorc_gitops.render.schemas import Mistake


class Relations:
    """The objects of a tree, and the labels of the pods they make, by namespace."""

    def __init__(self, manifests: Iterable[Manifest]) -> None:
        self._refs: set[ObjectRef] = set()
        self._pods: dict[str, list[Labels]] = defaultdict(list)
        # By single labels as well: a tree of many services must not compare each with each.
        self._labelled: dict[tuple[str, str, str], list[Labels]] = defaultdict(list)
        for each in manifests:
            self._refs.add(each.ref)
            labels = find_pod_labels(each)
            if labels is not None:
                self._pods[each.ref.namespace].append(labels)
                for key, value in labels.items():
                    self._labelled[each.ref.namespace, key, str(value)].append(labels)

    def check_relations(self, manifest: Manifest) -> Iterator[Mistake]:
        """Selectors that select no pod of the tree, and names that nothing in the tree has."""
        spec = mapping_at(manifest.body, "spec")
        match manifest.ref.group_kind:
            case "", "Service" if spec.get("type") != "ExternalName":
                labels = {"matchLabels": mapping_at(spec, "selector")}
                yield from self._check_selector(manifest, labels, ("spec", "selector"))
            case "policy", "PodDisruptionBudget":
                yield from self._check_selector(manifest, mapping_at(spec, "selector"), ("spec", "selector"))
            case "networking.k8s.io", "NetworkPolicy":
                pods = mapping_at(spec, "podSelector")
                yield from self._check_selector(manifest, pods, ("spec", "podSelector"))
            case "autoscaling", "HorizontalPodAutoscaler":
                yield from self._check_target(manifest, mapping_at(spec, "scaleTargetRef"))
            case "networking.k8s.io", "Ingress":
                for path, backend in _list_backends(spec):
                    service = mapping_at(backend, "service")
                    yield from self._check_name(manifest, "", "Service", service, (*path, "service", "name"))

    def _check_selector(self, manifest: Manifest, selector: Mapping[str, Any], path: Path) -> Iterator[Mistake]:
        namespace = manifest.ref.namespace
        wanted = mapping_at(selector, "matchLabels")
        if not wanted and not selector.get("matchExpressions"):
            return  # everything, or, in a Service, what somebody else lists
        pods = min(
            (self._labelled.get((namespace, key, str(value)), []) for key, value in wanted.items()),
            key=len,
            default=self._pods.get(namespace, []),
        )
        if not any(matches(selector, labels) for labels in pods):
            message = "selects no pod that this tree makes; compare it with the labels of the pod templates"
            yield Mistake(rule=Rule.SELECTS_NOTHING, path=path, message=message)

    def _check_target(self, manifest: Manifest, target: Mapping[str, Any]) -> Iterator[Mistake]:
        group, kind = parse_group(str(target.get("apiVersion"))), str(target.get("kind"))
        yield from self._check_name(manifest, group, kind, target, ("spec", "scaleTargetRef", "name"))

    def _check_name(
        self, manifest: Manifest, group: str, kind: str, named: Mapping[str, Any], path: Path
    ) -> Iterator[Mistake]:
        name = named.get("name")
        if isinstance(name, str):
            ref = ObjectRef(group=group, kind=kind, namespace=manifest.ref.namespace, name=name)
            if ref not in self._refs:
                yield Mistake(rule=Rule.NO_TARGET, path=path, message=f"this tree has no {ref}")


def _list_backends(spec: Mapping[str, Any]) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """The backends of an Ingress, each with its path."""
    yield ("spec", "defaultBackend"), mapping_at(spec, "defaultBackend")
    for index, rule in enumerate(list_at(spec, "rules")):
        for number, each in enumerate(list_at(mapping_at(rule, "http"), "paths")):
            yield ("spec", "rules", index, "http", "paths", number, "backend"), mapping_at(each, "backend")
