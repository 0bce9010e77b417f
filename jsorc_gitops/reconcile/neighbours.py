"""Objects that Flux or Argo CD keep, which are left to them: two that apply one object take turns for ever.

A mark alone proves nothing, since marks outlive what set them and are copied along with objects. So what is
behind it is asked: a Kustomization by its status.inventory, an Application by its status.resources.
https://fluxcd.io/flux/components/kustomize/kustomizations/#inventory
https://argo-cd.readthedocs.io/en/stable/user-guide/resource_tracking/
"""

from collections.abc import Mapping

from jsorc_gitops.errors import ClusterError
from jsorc_gitops.model.objects import Body, ObjectRef
from jsorc_gitops.reconcile.ports import Cluster
from jsorc_gitops.reconcile.syncers import ARGO, FLUX, Syncer, is_marked

_TRACKING = "argocd.argoproj.io/tracking-id"


def find_keepers(cluster: Cluster, live: Mapping[ObjectRef, Body]) -> dict[ObjectRef, Syncer]:
    """Who keeps which of these objects. One that cannot be asked counts."""
    return {ref: each for ref, each in find_syncers(cluster, live).items() if each.keeps(ref)}


def find_syncers(cluster: Cluster, live: Mapping[ObjectRef, Body]) -> dict[ObjectRef, Syncer]:
    """Whose mark each object carries, where there is such a one, whether it keeps the object or not."""
    marked = {ref: body for ref, body in live.items() if is_marked(body)}
    if not marked:
        return {}
    # An object may carry the marks of both: one that moved, or that two teams have.
    found = [_find_applications(cluster, marked), _find_kustomizations(cluster, marked)]
    claims = {ref: [each[ref] for each in found if ref in each] for ref in marked}
    return {ref: _choose(syncers, ref) for ref, syncers in claims.items() if syncers}


def _find_kustomizations(cluster: Cluster, marked: Mapping[ObjectRef, Body]) -> dict[ObjectRef, Syncer]:
    version = cluster.find_api_version(FLUX, "Kustomization")
    if version is None:
        return {}
    named: dict[ObjectRef, list[ObjectRef]] = {}
    for ref, body in marked.items():
        labels = body["metadata"].get("labels") or {}
        name, namespace = (labels.get(f"{FLUX}/{key}", "") for key in ("name", "namespace"))
        if name and namespace:
            keeper = ObjectRef(group=FLUX, kind="Kustomization", namespace=namespace, name=name)
            named.setdefault(keeper, []).append(ref)
    answers = cluster.get_objects([(version, keeper) for keeper in named]) if named else []
    found = {
        keeper: Syncer(ref=keeper, body=answer)
        for keeper, answer in zip(named, answers, strict=True)
        if answer is not None
    }
    return {ref: syncer for keeper, syncer in found.items() for ref in named[keeper]}


def _find_applications(cluster: Cluster, marked: Mapping[ObjectRef, Body]) -> dict[ObjectRef, Syncer]:
    version = cluster.find_api_version(ARGO, "Application")
    tracked = {ref: app for ref, body in marked.items() if (app := _read_tracking(ref, body))}
    # Argo CD marks no definitions of kinds, and all else by a label where it is told to: these are known by who
    # says that they are its own.
    unmarked = [ref for ref, body in marked.items() if ref not in tracked and is_marked(body, "argocd")]
    if version is None or not (tracked or unmarked):
        return {}
    (answer,) = cluster.list_objects([(version, "Application")])
    if isinstance(answer, ClusterError):
        return {ref: Syncer(ref=_name_application(app, ""), body=answer) for ref, app in tracked.items()}
    named: dict[str, list[Syncer]] = {}
    for body in answer:
        name, namespace = body["metadata"]["name"], body["metadata"].get("namespace", "")
        syncer = Syncer(ref=_name_application(name, namespace), body=body)
        # Tracking ids name it alone in Argo CD's own namespace, after its namespace elsewhere.
        for spelled in (name, f"{namespace}_{name}"):
            named.setdefault(spelled, []).append(syncer)
    found = {ref: _choose(named[app], ref) for ref, app in tracked.items() if app in named}
    syncers = [each for spelled in named.values() for each in spelled]
    return found | {ref: each for each in syncers for ref in unmarked if each.keeps(ref)}


def _name_application(name: str, namespace: str) -> ObjectRef:
    return ObjectRef(group=ARGO, kind="Application", namespace=namespace, name=name)


def _choose(syncers: list[Syncer], ref: ObjectRef) -> Syncer:
    """The one that keeps the object, of several that it may mean, and one at work before one at rest."""
    first, *others = syncers
    return max(syncers, key=lambda each: (each.keeps(ref), not each.is_at_rest)) if others else first


def _read_tracking(ref: ObjectRef, body: Body) -> str:
    """The Application of app:group/kind:namespace/name, "" where the id is that of another object."""
    text = (body["metadata"].get("annotations") or {}).get(_TRACKING, "")
    app, _, rest = text.partition(":")
    # Argo CD writes the namespace of the Application's destination where an object has none.
    kind, _, place = rest.partition(":")
    mine = kind == f"{ref.group}/{ref.kind}" and place.partition("/")[2] == ref.name
    return app if mine and ref.namespace in {"", place.partition("/")[0]} else ""
