"""The least rights with which a pass over a tree can do its work, as Roles and ClusterRoles.

What a Role or ClusterRole of the tree grants, its maker must hold, or the API server refuses it; so that is
part of the rights. What is bound may be bound by name.
https://kubernetes.io/docs/reference/access-authn-authz/rbac/#privilege-escalation-prevention-and-bootstrapping
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from jsorc_gitops.errors import ClusterError
from jsorc_gitops.model.kinds import may_be_judged
from jsorc_gitops.model.objects import Manifest, ObjectRef
from jsorc_gitops.model.services import list_secret_refs
from jsorc_gitops.model.tree import Tree
from jsorc_gitops.reconcile.guards import is_needed_namespace
from jsorc_gitops.reconcile.health import is_about_pods, is_looked_into
from jsorc_gitops.reconcile.replicas import find_service

_RBAC = "rbac.authorization.k8s.io"
_VERBS = ("bind", "get", "list", "watch", "create", "update", "patch", "delete")  # the order they are written in

# Of an API version and a kind: the name of the resource, and whether its objects lie in namespaces.
FindResource = Callable[[str, str], tuple[str, bool] | None]


@dataclass(frozen=True, slots=True, order=True)
class Rule:
    """One verb on one resource, of all names or of one."""

    group: str
    resource: str
    name: str
    verb: str


def compute_rules(tree: Tree, find: FindResource) -> dict[str, list[dict[str, Any]]]:
    """The rules that a pass needs, by namespace; those under "" are of the whole cluster.

    Raises ClusterError where the API server does not serve a kind, and no CRD of the tree defines it.
    """
    rules: dict[str, set[Rule]] = defaultdict(set)
    home = tree.settings.namespace
    rules[home] |= {Rule("coordination.k8s.io", "leases", "", verb) for verb in ("get", "create", "update")}
    # The state's, too, which may be continued in ConfigMaps that come and go under ever new names.
    rules[home] |= {Rule("", "configmaps", "", verb) for verb in ("get", "list", "create", "update", "delete")}
    for place, rule in _list_jaseci(tree):
        rules[place].add(rule)
    if tree.settings.cluster:
        rules[""].add(Rule("", "namespaces", "kube-system", "get"))
    defined = dict(_find_defined(tree.manifests.values()))
    raw: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for each in tree.manifests.values():
        resource, namespaced = _find(each, find, defined)
        place = each.ref.namespace if namespaced else ""
        rules[place] |= set(_list_judging(each.ref))
        rules[place] |= _list_verbs(each, resource, namespaced=namespaced)
        if _is_waited_for(each.ref):
            rules[place] |= {Rule(each.ref.group, resource, "", verb) for verb in ("list", "watch")}
        rules[place] |= set(_list_bindings(each))
        if each.ref.group == _RBAC and each.ref.kind in {"Role", "ClusterRole"}:
            raw[place] += each.body.get("rules") or ()
    return {place: [*_merge(rules[place]), *map(dict, raw[place])] for place in sorted({*rules, *raw})}


def _list_jaseci(tree: Tree) -> Iterator[tuple[str, Rule]]:
    """What the resets of Jaseci's services need: its pods, and the Secrets that configs refer to."""
    home, jaseci = tree.settings.namespace, tree.settings.jaseci
    if jaseci is None:
        return
    if jaseci.selector:
        yield jaseci.namespace or home, Rule("", "pods", "", "list")
    elif namespace := find_service(jaseci.url, home=home)[1]:
        yield namespace, Rule("discovery.k8s.io", "endpointslices", "", "list")
    for record in tree.records.values():
        for name, _ in list_secret_refs(record.config):
            yield home, Rule("", "secrets", name, "get")


def make_roles(
    rules: Mapping[str, Iterable[Mapping[str, Any]]], *, name: str, account: str, namespace: str
) -> list[dict[str, Any]]:
    """A Role and its binding to a ServiceAccount for each place, a ClusterRole for the cluster."""
    made = []
    for place, own in rules.items():
        prefix = "" if place else "Cluster"
        metadata = {"name": name, **({"namespace": place} if place else {})}
        head = {"apiVersion": f"{_RBAC}/v1", "metadata": metadata}
        made.append({**head, "kind": f"{prefix}Role", "rules": list(own)})
        made.append(
            {
                **head,
                "kind": f"{prefix}RoleBinding",
                "roleRef": {"apiGroup": _RBAC, "kind": f"{prefix}Role", "name": name},
                "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": namespace}],
            }
        )
    return made


def _find(
    manifest: Manifest, find: FindResource, defined: Mapping[tuple[str, str], tuple[str, bool]]
) -> tuple[str, bool]:
    found = find(manifest.api_version, manifest.ref.kind) or defined.get(manifest.ref.group_kind)
    if found is None:
        raise ClusterError(
            f"the API server serves no {manifest.ref.kind} of {manifest.api_version}, and no "
            "CustomResourceDefinition of the tree defines it; install its definition first"
        )
    return found


def _find_defined(manifests: Iterable[Manifest]) -> Iterator[tuple[tuple[str, str], tuple[str, bool]]]:
    for each in manifests:
        if each.ref.kind == "CustomResourceDefinition":
            spec = each.body["spec"]
            names = spec["names"]
            yield (spec["group"], names["kind"]), (names["plural"], spec["scope"] == "Namespaced")


def _list_verbs(manifest: Manifest, resource: str, *, namespaced: bool) -> set[Rule]:
    """Objects in namespaces are listed; others, which are few, are asked for one by one."""
    if is_needed_namespace(manifest):
        verbs: tuple[str, ...] = ("get", "create", "patch")
    else:
        verbs = ("get", "create", "patch", *(["list"] if namespaced else []))
        verbs += () if manifest.ref.is_kept else ("delete",)
    return {Rule(manifest.ref.group, resource, "", verb) for verb in verbs}


def _list_judging(ref: ObjectRef) -> Iterator[Rule]:
    """The rights to say how an object is, and why."""
    if is_about_pods(ref):
        yield from (Rule("", "pods", "", verb) for verb in ("list", "watch"))
    if is_looked_into(ref):
        yield Rule("", "events", "", "list")
    if is_about_pods(ref) or ref.kind == "Pod":
        yield Rule("", "pods/log", "", "get")


def _is_waited_for(ref: ObjectRef) -> bool:
    """Whether it may be on its way, as far as its kind tells; those of others may have a status."""
    return may_be_judged(ref) and ref.kind != "Namespace"


def _list_bindings(manifest: Manifest) -> Iterator[Rule]:
    """The right to bind a role, by name; without it a dry-run could bind none that is not there yet."""
    if manifest.ref.group == _RBAC and "roleRef" in manifest.body:
        role = manifest.body["roleRef"]
        yield Rule(_RBAC, f"{role['kind'].lower()}s", role["name"], "bind")


def _merge(rules: Iterable[Rule]) -> Iterator[dict[str, Any]]:
    """Rules as RBAC has them: resources with the same verbs together."""
    by_resource: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for each in rules:
        by_resource[each.group, each.name, each.resource].add(each.verb)
    together: dict[tuple[str, str, tuple[str, ...]], list[str]] = defaultdict(list)
    for (group, name, resource), verbs in sorted(by_resource.items()):
        together[group, name, tuple(sorted(verbs, key=_VERBS.index))].append(resource)
    for (group, name, said), resources in together.items():
        rule: dict[str, Any] = {"apiGroups": [group], "resources": resources, "verbs": list(said)}
        yield {**rule, "resourceNames": [name]} if name else rule
