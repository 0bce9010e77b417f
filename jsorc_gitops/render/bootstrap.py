"""What has Flux or Argo CD sync a tree: their objects, for a team to commit or apply.

Flux: https://fluxcd.io/flux/components/source/gitrepositories/ and …/kustomize/kustomizations/.
Argo CD: https://argo-cd.readthedocs.io/en/stable/operator-manual/declarative-setup/.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any
from urllib.parse import urlsplit

from jsorc_gitops.errors import JsorcError, SettingsError, TreeError
from jsorc_gitops.model.objects import SERVICE_LABEL, ObjectRef
from jsorc_gitops.model.settings import DEFAULT_TREE, Applier
from jsorc_gitops.model.tree import Tree
from jsorc_gitops.render.secrets import is_encrypted

Body = dict[str, Any]

# Both tools put the name into a label of every object.
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\Z")
_MAX_NAME = 63
# kustomize wants an object around it; whose it is, the target says.
_DELETE = "apiVersion: any\nkind: any\nmetadata: {name: any}\n$patch: delete\n"
_TIMEOUT = "5m"  # as with `jsorc reconcile --wait`
_CLUSTER = "https://kubernetes.default.svc"  # the one that Argo CD runs in
# Without it, objects would stay when the Application of a removed service goes.
_FINALIZER = "resources-finalizer.argocd.argoproj.io"
_WAVE = "argocd.argoproj.io/sync-wave"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Who syncs what: the tree that lies at `path` of a branch, by objects of this name and namespace.

    With `per_service`, each service has an object of its own.
    """

    tree: Tree
    url: str
    branch: str
    path: str  # from the top of the repository: rendered, or deploy/rendered/prod
    name: str
    namespace: str
    per_service: bool = False

    def name_of(self, service: str) -> str:
        return f"{self.name}.{service}"


def check_plan(plan: Plan, tool: Applier) -> None:
    """Raise SettingsError where the tree has another applier, JsorcError for a name or URL that will not do."""
    settings, tree = plan.tree.settings, plan.tree.name
    if settings.applier != tool:
        place = "" if tree == DEFAULT_TREE else f" below environments: {tree}:"
        raise SettingsError(
            f"{plan.path} is applied by {settings.applier}; write applier: {tool}{place} into jsorc.yaml, "
            "commit it, and run jsorc render --commit"
        )
    _check_url(plan.url)
    for name in [plan.name, *(plan.name_of(each) for each in plan.tree.records if plan.per_service)]:
        if len(name) > _MAX_NAME or not _NAME.match(name):
            raise JsorcError(
                f"{name!r} cannot be a name: at most {_MAX_NAME} lower-case letters, digits, '-' and '.'; "
                "choose another with --name"
            )


def make_flux(plan: Plan, *, interval: str, clone_with: str, decrypt_with: str) -> list[Body]:
    """A GitRepository and the Kustomizations that apply it.

    `interval` is a duration of Go (1m30s). `clone_with` and `decrypt_with` name Secrets, "" where there is none.
    """
    spec: Body = {"interval": interval, "url": plan.url, "ref": {"branch": plan.branch}}
    if clone_with:
        spec["secretRef"] = {"name": clone_with}
    made = [_make(plan, "source.toolkit.fluxcd.io/v1", "GitRepository", plan.name, spec)]
    common: Body = {
        "interval": interval,
        "prune": True,
        "wait": True,
        "timeout": _TIMEOUT,
        "sourceRef": {"kind": "GitRepository", "name": plan.name},
    }
    if any(is_encrypted(each) for each in plan.tree.manifests.values()):
        common["decryption"] = {"provider": "sops"}
        if decrypt_with:
            common["decryption"]["secretRef"] = {"name": decrypt_with}
    services = [name for wave in _list_waves(plan.tree) for name in wave] if plan.per_service else []
    own = {**common, "path": f"./{plan.path}"}
    if services:
        own["patches"] = [{"target": {"labelSelector": SERVICE_LABEL}, "patch": _DELETE}]
    specs = {plan.name: own}
    for service in services:
        needed = [plan.name, *map(plan.name_of, plan.tree.records[service].depends_on)]
        specs[plan.name_of(service)] = {
            **common,
            "path": f"./{plan.path}/{service}",
            "dependsOn": [{"name": each} for each in needed],
        }
    kind = ("kustomize.toolkit.fluxcd.io/v1", "Kustomization")
    return made + [_make(plan, *kind, name, spec) for name, spec in specs.items()]


def make_argocd(plan: Plan) -> list[Body]:
    """An AppProject that allows what is in the tree and no more, and the Applications that sync it.

    Those of services are in sync waves by dependsOn, which an Application around them goes by.
    """
    if not plan.per_service:
        whole = _make_application(plan, plan.name, {"path": plan.path})
        return [_make_project(plan), whole]
    # Which of its files these are, kustomization.yaml does not say.
    own = {"path": plan.path, "directory": {"include": "{namespaces.yaml,settings.yaml}"}}
    made = [_make_project(plan), _make_application(plan, plan.name, own)]
    waves = [-1, 0]
    for wave, services in enumerate(_list_waves(plan.tree), start=1):
        for service in services:
            made.append(_make_application(plan, plan.name_of(service), {"path": f"{plan.path}/{service}"}))
            made[-1]["metadata"]["finalizers"] = [_FINALIZER]
            waves.append(wave)
    for body, wave in zip(made, waves, strict=True):
        body["metadata"]["annotations"] = {_WAVE: str(wave)}
    return made


def _make_application(plan: Plan, name: str, source: Body) -> Body:
    spec = {
        "project": plan.name,
        "source": {"repoURL": plan.url, "targetRevision": plan.branch, **source},
        "destination": {"server": _CLUSTER, "namespace": plan.tree.settings.namespace},
        "syncPolicy": {
            "automated": {"prune": True, "selfHeal": True},
            # A large CustomResourceDefinition does not fit into the annotation of a client-side apply.
            "syncOptions": ["ServerSideApply=true"],
        },
    }
    return _make(plan, "argoproj.io/v1alpha1", "Application", name, spec)


def _make_project(plan: Plan) -> Body:
    refs = list(plan.tree.manifests)
    namespaces = {ref.namespace for ref in refs if ref.namespace} | {plan.tree.settings.namespace}
    spec = {
        "sourceRepos": [plan.url],
        "destinations": [{"server": _CLUSTER, "namespace": each} for each in sorted(namespaces)],
        # The namespace tells the scope: a tree has it on every object that lies in one.
        "clusterResourceWhitelist": _list_kinds(ref for ref in refs if not ref.namespace),
        "namespaceResourceWhitelist": _list_kinds(ref for ref in refs if ref.namespace),
    }
    return _make(plan, "argoproj.io/v1alpha1", "AppProject", plan.name, spec)


def _list_kinds(refs: Iterable[ObjectRef]) -> list[Body]:
    return [{"group": group, "kind": kind} for group, kind in sorted({ref.group_kind for ref in refs})]


def _list_waves(tree: Tree) -> list[list[str]]:
    """The services, those that others depend on in an earlier list than these."""
    sorter = TopologicalSorter({name: record.depends_on for name, record in tree.records.items()})
    try:
        sorter.prepare()
    except CycleError as error:
        raise TreeError(f"dependsOn of {tree.name} goes round in a circle; run jsorc render") from error
    waves = []
    while ready := sorter.get_ready():
        waves.append(sorted(ready))
        sorter.done(*ready)
    return waves


def _make(plan: Plan, version: str, kind: str, name: str, spec: Body) -> Body:
    metadata = {"name": name, "namespace": plan.namespace}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}


def _check_url(url: str) -> None:
    """Raise JsorcError, which does not quote it, for what is no URL or holds what must not lie in git."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        parts, host = urlsplit(""), None
    if not host or parts.scheme not in {"http", "https", "ssh"} or re.search(r"[^!-~]", url):
        raise JsorcError("--repo is no https:// or ssh:// URL (git@host:path is ssh://git@host/path)")
    # A token often stands in the place of the user.
    if parts.password is not None or parts.query or parts.fragment or (parts.username and parts.scheme != "ssh"):
        raise JsorcError(
            "--repo: credentials do not belong into a URL that lies in git; for Flux put them into a Secret and "
            "name it with --secret-ref, for Argo CD into a Secret of its own kind (argocd repo add)"
        )
