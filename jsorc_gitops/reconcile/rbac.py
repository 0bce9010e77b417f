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
from jsorc_gitops.reconcile.observe import select_manifests
from jsorc_gitops.reconcile.replicas import find_service
from jsorc_gitops.reconcile.syncers import ARGO, FLUX

_RBAC = "rbac.authorization.k8s.io"
_WAITING = {"list", "watch"}
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


# What tells whether the tool that syncs the tree is done; in which namespace that lies, nobody knows here.
_SYNCING = {
    "argocd": Rule(ARGO, "applications", "", "list"),
    "flux": Rule(FLUX, "kustomizations", "", "get"),
}


def compute_rules(tree: Tree, find: FindResource) -> dict[str, list[dict[str, Any]]]:
    """The rules that a pass needs, by namespace; those under "" are of the whole cluster.

    Where Flux or Argo CD applies the tree, it only looks, but for what it remembers and what it restarts. What is
    of services that are not kept alive is never looked at.

    Raises ClusterError where the API server does not serve a kind, and no CRD of the tree defines it.
    """
    rules: dict[str, set[Rule]] = defaultdict(set)
    home, applier = tree.settings.namespace, tree.settings.applier
    rules[home] |= {Rule("coordination.k8s.io", "leases", "", verb) for verb in ("get", "create", "update")}
    rules[home] |= {Rule("", "configmaps", "", verb) for verb in ("get", "list", "create", "update")}
    for place, rule in _list_jaseci(tree):
        rules[place].add(rule)
    if tree.settings.cluster:
        rules[""].add(Rule("", "namespaces", "kube-system", "get"))
    if applier in _SYNCING:
        rules[""].add(_SYNCING[applier])
        chosen = _select_judged(tree)
    else:
        # The state may be continued in ConfigMaps that come and go under ever new names.
        rules[home].add(Rule("", "configmaps", "", "delete"))
        chosen = select_manifests(tree)
    restarted = {ref for each in tree.records.values() if each.via == "rollout" for ref in each.watch}
    defined = dict(_find_defined(tree.manifests.values()))
    raw: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for each in chosen:
        resource, namespaced = _find(each, find, defined)
        place = each.ref.namespace if namespaced else ""
        verbs = {"get", "list"} if namespaced else {"get"}
        verbs |= _WAITING if _is_waited_for(each.ref) else set()
        rules[place] |= set(_list_judging(each.ref))
        if applier not in _SYNCING:
            verbs |= _list_writing(each)
            rules[place] |= set(_list_bindings(each))
            if each.ref.group == _RBAC and each.ref.kind in {"Role", "ClusterRole"}:
                raw[place] += each.body.get("rules") or ()
        elif each.ref in restarted:
            verbs.add("patch")
        rules[place] |= {Rule(each.ref.group, resource, "", verb) for verb in verbs}
    return {place: [*_merge(rules[place]), *map(dict, raw[place])] for place in sorted({*rules, *raw})}


def _select_judged(tree: Tree) -> list[Manifest]:
    """What the records of the services kept alive name, which is all that a pass without git knows of."""
    kept = [each for each in tree.records.values() if each.keep_alive]
    return [tree.manifests[ref] for each in kept for ref in (*each.workloads, *each.others)]


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


def _list_writing(manifest: Manifest) -> set[str]:
    """The verbs to make and keep an object as git says, and to prune it."""
    keeps = manifest.ref.is_kept or is_needed_namespace(manifest)
    return {"create", "patch"} if keeps else {"create", "patch", "delete"}


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
