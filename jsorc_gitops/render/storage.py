"""What the API server refuses to change on volumes and claims."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from jsorc_gitops.model.objects import Body, Manifest, ObjectRef
from jsorc_gitops.render.danger import IMMUTABLE, NOTE, SHRINK, UNSEEN, Finding
from jsorc_gitops.render.normal import compare, compare_specs, get, get_mapping, parse_quantity

_CLAIM = "the server refuses to change a claim; make one of another name and copy the data"
_SMALLER = "the server refuses to make a claim smaller; make one of another name and copy the data"
_SIZE = "spec.resources.requests.storage"
# What of a volume does not say where its data lies.
_VOLUME_FREE = (
    "accessModes",
    "capacity",
    "claimRef",
    "mountOptions",
    "persistentVolumeReclaimPolicy",
    "storageClassName",
    "volumeAttributesClassName",
)


def check_claim(before: Body, after: Body, tree: Mapping[ObjectRef, Manifest]) -> Iterator[Finding]:
    """`tree` may hold the StorageClass, which says whether a claim may grow."""
    was, is_now = (dict(get_mapping(side, "spec")) for side in (before, after))
    for key in ("storageClassName", "volumeName"):
        if was.get(key) is None and is_now.get(key) is not None:
            yield Finding(NOTE, f"spec.{key}", None, is_now[key], UNSEEN)
            was[key] = is_now[key]
    free = ("resources", "volumeAttributesClassName")
    yield from compare_specs(was, is_now, free=free, message=_CLAIM)
    limits = (get(side, "spec.resources.limits") for side in (before, after))
    yield from compare("spec.resources.limits", *limits, message=_CLAIM)
    yield from _check_size(get(before, _SIZE), get(after, _SIZE), is_now.get("storageClassName"), tree)


def _check_size(
    before: Any, after: Any, storage_class: Any, tree: Mapping[ObjectRef, Manifest]
) -> Iterator[Finding]:
    old_size, new_size = parse_quantity(before), parse_quantity(after)
    if not isinstance(old_size, Decimal) or not isinstance(new_size, Decimal) or old_size == new_size:
        return
    if new_size < old_size:
        yield Finding(SHRINK, _SIZE, before, after, _SMALLER)
        return
    ref = ObjectRef(group="storage.k8s.io", kind="StorageClass", namespace="", name=str(storage_class))
    if ref in tree and not tree[ref].body.get("allowVolumeExpansion"):
        message = f"the server refuses it: {ref} does not say allowVolumeExpansion: true"
        yield Finding(IMMUTABLE, _SIZE, before, after, message)


def check_volume(before: Body, after: Body) -> Iterator[Finding]:
    was, is_now = get_mapping(before, "spec"), get_mapping(after, "spec")
    if get(was, "csi") and get(is_now, "csi") and not get(was, "csi.controllerExpandSecretRef"):
        # The credentials of a driver that learns to expand volumes may come later.
        is_now = {**is_now, "csi": {**get_mapping(is_now, "csi"), "controllerExpandSecretRef": None}}
    free = _VOLUME_FREE if was.get("nodeAffinity") else (*_VOLUME_FREE, "nodeAffinity")
    yield from compare_specs(was, is_now, free=free)
