"""Objects that Flux or Argo CD keep, which are left to them: two that apply one object take turns for ever.

A mark alone proves nothing, since marks outlive what set them and are copied along with objects. So what is
behind it is asked: a Kustomization by its status.inventory, an Application by its status.resources.
https://fluxcd.io/flux/components/kustomize/kustomizations/#inventory
https://argo-cd.readthedocs.io/en/stable/user-guide/resource_tracking/
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from jsorc_gitops.errors import ClusterError
from jsorc_gitops.model.objects import Body, ObjectRef
from jsorc_gitops.reconcile.ports import Cluster

_FLUX, _ARGO = "kustomize.toolkit.fluxcd.io", "argoproj.io"
_MANAGERS = frozenset({"kustomize-controller", "argocd-controller"})
_TRACKING = "argocd.argoproj.io/tracking-id"


def find_keepers(cluster: Cluster, live: Mapping[ObjectRef, Body]) -> dict[ObjectRef, str]:
    """Who keeps which of these objects: 'Kustomization flux-system/app'. One that cannot be asked counts."""
    marked = {ref: body for ref, body in live.items() if _has_applied(body)}
    if not marked:
        return {}
    return _find_kustomizations(cluster, marked) | _find_applications(cluster, marked)


def _has_applied(body: Body) -> bool:
    return any(each.get("manager") in _MANAGERS for each in body["metadata"].get("managedFields") or ())


def _find_kustomizations(cluster: Cluster, marked: Mapping[ObjectRef, Body]) -> dict[ObjectRef, str]:
    version = cluster.find_api_version(_FLUX, "Kustomization")
    if version is None:
        return {}
    named: dict[ObjectRef, list[ObjectRef]] = {}
    for ref, body in marked.items():
        labels = body["metadata"].get("labels") or {}
        name, namespace = (labels.get(f"{_FLUX}/{key}", "") for key in ("name", "namespace"))
        if name and namespace:
            keeper = ObjectRef(group=_FLUX, kind="Kustomization", namespace=namespace, name=name)
            named.setdefault(keeper, []).append(ref)
    answers = cluster.get_objects([(version, keeper) for keeper in named]) if named else []
    return {
        ref: f"Kustomization {keeper.namespace}/{keeper.name}"
        for (keeper, refs), answer in zip(named.items(), answers, strict=True)
        for ref in refs
        if answer is not None and (isinstance(answer, ClusterError) or _spell_flux(ref) in _list_kept(answer))
    }


def _find_applications(cluster: Cluster, marked: Mapping[ObjectRef, Body]) -> dict[ObjectRef, str]:
    version = cluster.find_api_version(_ARGO, "Application")
    tracked = {ref: app for ref, body in marked.items() if (app := _read_tracking(ref, body))}
    if version is None or not tracked:
        return {}
    (answer,) = cluster.list_objects([(version, "Application")])
    if isinstance(answer, ClusterError):
        return {ref: f"Application {app}" for ref, app in tracked.items()}
    kept = {(name, each) for app in answer for name in _name_application(app) for each in _list_resources(app)}
    return {ref: f"Application {app}" for ref, app in tracked.items() if (app, ref) in kept}


def _list_kept(kustomization: Body) -> frozenset[str]:
    entries: Iterable[Mapping[str, Any]] = ((kustomization.get("status") or {}).get("inventory") or {}).get(
        "entries"
    ) or ()
    return frozenset(str(each.get("id")) for each in entries)


def _spell_flux(ref: ObjectRef) -> str:
    # The names of RBAC may hold colons, which the inventory spells as two underscores.
    return f"{ref.namespace}_{ref.name.replace(':', '__')}_{ref.group}_{ref.kind}"


def _read_tracking(ref: ObjectRef, body: Body) -> str:
    """The Application of app:group/kind:namespace/name, "" where the id is that of another object."""
    text = (body["metadata"].get("annotations") or {}).get(_TRACKING, "")
    app, _, rest = text.partition(":")
    # Argo CD writes the namespace of the Application's destination where an object has none.
    kind, _, place = rest.partition(":")
    mine = kind == f"{ref.group}/{ref.kind}" and place.partition("/")[2] == ref.name
    return app if mine and ref.namespace in {"", place.partition("/")[0]} else ""


def _name_application(app: Body) -> Sequence[str]:
    """How tracking ids name it: alone in Argo CD's own namespace, after its namespace elsewhere."""
    name, namespace = app["metadata"]["name"], app["metadata"].get("namespace", "")
    return name, f"{namespace}_{name}"


def _list_resources(app: Body) -> list[ObjectRef]:
    return [
        ObjectRef(
            group=each.get("group", ""),
            kind=each.get("kind", ""),
            namespace=each.get("namespace", ""),
            name=each.get("name", ""),
        )
        for each in (app.get("status") or {}).get("resources") or ()
    ]
