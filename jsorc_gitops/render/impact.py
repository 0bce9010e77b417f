"""What a new tree would do to a cluster that has the old one: what it refuses, destroys or leaves behind."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import groupby
from typing import Any

from jsorc_gitops.model.diff import is_record, open_record
from jsorc_gitops.model.layout import settings_name
from jsorc_gitops.model.objects import WORKLOADS, Manifest, ObjectRef
from jsorc_gitops.render.danger import ANEW, MOVE, NOTE, RECREATE, REMOVE, RULES, Danger
from jsorc_gitops.render.normal import get
from jsorc_gitops.render.refusals import find_refusals

Tree = Mapping[ObjectRef, Manifest]

_NAMED = 5  # objects of a removed service that are named; of more, the rest is counted
_STATEFUL_SET = ("apps", "StatefulSet")
_WITH_PODS = WORKLOADS | {("apps", "ReplicaSet"), ("batch", "Job"), ("batch", "CronJob")}
_RETENTION = "spec.persistentVolumeClaimRetentionPolicy"


def compute_impact(old: Tree, new: Tree) -> tuple[Danger, ...]:
    """All dangers and notes of a change, by rule (as in RULES), then service, object and path."""
    found: list[Danger] = []
    recreated = {each.service for each in new.values() if _read_record(each).get("recreate") == "allow"}
    for ref, manifest in new.items():
        if ref in old and not is_record(ref):
            found += [_tell_remedy(each, old[ref], recreated) for each in find_refusals(old[ref], manifest, new)]
            found += _find_scaled(old[ref], manifest)
    found += _find_sleepers(old, new)
    homes = [next((each for each in tree.values() if _is_settings(each.ref)), None) for tree in (old, new)]
    if homes[0] and homes[1] and homes[0].ref != homes[1].ref:
        # Nothing is pruned then, since the new home knows of no object.
        found.append(_make_home_danger(homes[0].ref.namespace, homes[1]))
    else:
        found += _find_removed(old, new)
    return tuple(sorted(found, key=lambda each: (RULES.index(each.rule), each.service, each.ref, each.path)))


def _is_settings(ref: ObjectRef) -> bool:
    return is_record(ref) and ref.name.startswith(settings_name(""))


def _make_home_danger(before: str, settings: Manifest) -> Danger:
    after = settings.ref.namespace
    message = (
        f"the home namespace moves, and the state of {before} is not found in {after}: all is made anew, what is "
        "there now stays and runs beside it, and cluster-scoped objects are refused until a pass with --adopt"
    )
    return Danger(rule=MOVE, ref=settings.ref, service="", message=message, before=before, after=after)


def _find_removed(old: Tree, new: Tree) -> Iterator[Danger]:
    places = {_identify(each): each.ref.namespace for ref, each in new.items() if ref not in old}
    services = {each.service for each in new.values()}
    removed = sorted(
        (each for ref, each in old.items() if ref not in new), key=lambda each: (each.service, each.ref)
    )
    for service, group in groupby(removed, key=lambda each: each.service):
        manifests = list(group)
        if service and service not in services:
            yield _make_service_danger(service, manifests)
            continue
        for each in manifests:
            if is_record(each.ref):
                continue
            place = places.get(_identify(each))
            yield _make_removal(each) if place is None else _make_move(each, place)


def _identify(manifest: Manifest) -> tuple[str, str, str, str]:
    """What stays the same when an object moves to another namespace."""
    ref = manifest.ref
    return ref.group, ref.kind, ref.name, manifest.service


def _make_service_danger(service: str, manifests: Iterable[Manifest]) -> Danger:
    """One for all that goes with a service, at its record."""
    refs = sorted((each.ref for each in manifests), key=lambda ref: (not is_record(ref), ref))
    kept = [ref for ref in refs if ref.is_kept]
    deleted = [ref for ref in refs if not ref.is_kept and not is_record(ref)]
    parts = [f"deleted: {_name_some(deleted)}"] if deleted else []
    parts += [f"kept in the cluster: {_name_some(kept)}"] if kept else []
    message = f"the service {service} is removed; " + (
        "; ".join(parts) or "it had no objects, and is reset no more"
    )
    return Danger(rule=REMOVE if deleted else NOTE, ref=refs[0], service=service, message=message)


def _name_some(refs: list[ObjectRef]) -> str:
    more = f" and {len(refs) - _NAMED} more" if len(refs) > _NAMED else ""
    return ", ".join(map(str, refs[:_NAMED])) + more


def _make_removal(manifest: Manifest) -> Danger:
    ref = manifest.ref
    rule, message = REMOVE, "is deleted"
    if ref.is_kept:
        rule, message = NOTE, "leaves the tree and stays in the cluster, with all it holds; it is yours to delete"
    elif _loses_claims(manifest):
        message = "is deleted, with its pods, their claims and the data in them (whenDeleted: Delete)"
    elif ref.group_kind in _WITH_PODS:
        message = "is deleted, with its pods"
    return Danger(rule=rule, ref=ref, service=manifest.service, message=message)


def _make_move(manifest: Manifest, place: str) -> Danger:
    ref = manifest.ref
    if ref.is_kept:
        message = f"is made anew in {place}, empty; the one in {ref.namespace} stays behind with its data"
    else:
        message = f"is made anew in {place}, and deleted in {ref.namespace}"
    return Danger(
        rule=MOVE,
        ref=ref,
        service=manifest.service,
        path="metadata.namespace",
        message=message,
        before=ref.namespace,
        after=place,
    )


def _tell_remedy(danger: Danger, live: Manifest, recreated: Collection[str]) -> Danger:
    """What `recreate` does about a field that cannot be changed; nothing where data would go."""
    if danger.message != ANEW or live.ref.is_kept or _loses_claims(live):
        return danger
    if danger.service in recreated:
        message = "the server refuses to change it; the object is deleted and made anew (recreate: allow)"
    else:
        message = f"{ANEW}{RECREATE}"
    return replace(danger, message=message)


def _loses_claims(manifest: Manifest) -> bool:
    return (
        manifest.ref.group_kind == _STATEFUL_SET and get(manifest.body, f"{_RETENTION}.whenDeleted") == "Delete"
    )


def _find_scaled(old: Manifest, new: Manifest) -> Iterator[Danger]:
    """A StatefulSet that gets smaller, and lets go of the claims then."""
    if new.ref.group_kind != _STATEFUL_SET or get(new.body, f"{_RETENTION}.whenScaled") != "Delete":
        return
    before, after = (get(each.body, "spec.replicas") for each in (old, new))
    counts = [each if isinstance(each, int) else 1 for each in (before, after)]
    if counts[1] < counts[0]:
        message = "the claims of the pods that go are deleted, with the data in them (whenScaled: Delete)"
        yield Danger(
            rule=REMOVE,
            ref=new.ref,
            service=new.service,
            path="spec.replicas",
            message=message,
            before=before,
            after=after,
        )


def _find_sleepers(old: Tree, new: Tree) -> Iterator[Danger]:
    """Services taken out of keep_alive."""
    awake = {each.service for each in old.values() if _read_record(each).get("keepAlive") is True}
    message = "is no longer kept alive: its objects stay as they are, neither applied, pruned nor reset"
    for each in new.values():
        if each.service in awake and _read_record(each).get("keepAlive") is False:
            yield Danger(
                rule=NOTE,
                ref=each.ref,
                service=each.service,
                path="keepAlive",
                message=message,
                before=True,
                after=False,
            )


def _read_record(manifest: Manifest) -> Mapping[str, Any]:
    """What a service's record says; nothing of every other object."""
    data = open_record(manifest).get("data") if is_record(manifest.ref) else None
    record = data.get("service.json") if isinstance(data, Mapping) else None
    return record if isinstance(record, Mapping) else {}
