"""What happens, once, to the fields that others had set on an object that is adopted.

A manager of before that never writes again would keep its fields for ever, also those that git drops. So its
entries become part of ours, and the apply that follows removes what git does not say. All but
the time of a restart, which stays with whoever set it: without it the pods would be restarted.
https://kubernetes.io/docs/reference/using-api/server-side-apply/#migration-between-client-side-and-server-side-apply
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from jsorc_gitops.model.objects import RESTARTED_AT, Body
from jsorc_gitops.reconcile.ownership import (
    FIELD_MANAGER,
    PERSONS,
    find_own_entry,
    find_own_fields,
    find_owners,
    find_value,
)

# Tools that made objects, and make them no more once git does: Helm, every client generated from OpenAPI (so
# JsOrc's, which is Python), and GitOps controllers whose Kustomization, HelmRelease or Application is gone.
_TOOLS = re.compile(r"(helm|OpenAPI-Generator|(kustomize|helm|argocd)-controller)\Z", re.IGNORECASE)

_RESTART: Mapping[str, Any] = {
    "f:spec": {"f:template": {"f:metadata": {"f:annotations": {f"f:{RESTARTED_AT}": {}}}}}
}


def is_former(entry: Mapping[str, Any]) -> bool:
    """Whether a managedFields entry is of somebody whose fields become ours by adoption."""
    manager = entry.get("manager", "")
    # What we patch ourselves is the word we leave on what we release.
    ours = (manager, entry.get("operation")) == (FIELD_MANAGER, "Update")
    return not entry.get("subresource") and bool(ours or PERSONS.match(manager) or _TOOLS.match(manager))


def make_migration(applied: Body) -> dict[str, Any] | None:
    """A merge patch of managedFields that makes the entries of former managers ours; None where there are none.

    `applied` is what a dry-run of our apply came to. Entries of another version of the kind stay: their fields
    may be called otherwise.
    """
    own = find_own_entry(applied)
    entries: Sequence[Mapping[str, Any]] = applied["metadata"].get("managedFields") or ()
    if own is None:
        return None
    fields: Mapping[str, Any] = own["fieldsV1"]
    kept: list[Mapping[str, Any]] = []
    found = False
    for each in entries:
        theirs = each.get("fieldsV1") or {}
        migrated = subtract_fields(theirs, _RESTART)
        if migrated and is_former(each) and each.get("apiVersion") == own["apiVersion"]:
            found, fields = True, unite_fields(fields, migrated)
            if migrated != theirs:
                kept.append({**each, "fieldsV1": _RESTART})
        elif each is not own:
            kept.append(each)
    return {"metadata": {"managedFields": [{**own, "fieldsV1": fields}, *kept]}} if found else None


def find_losses(live: Body, applied: Body, migration: Body) -> dict[str, Any]:
    """What goes with a migration, or back to its default: path → value. Nobody but former managers had set it."""
    entries = migration["metadata"]["managedFields"]
    after: Body = {**applied, "metadata": {**applied["metadata"], "managedFields": entries}}
    ours, kept = find_own_fields(applied), find_owners(after)
    lost: dict[str, Any] = {}
    for path, keys in find_own_fields(after).items():
        # Of what goes whole, the parts are not told one by one.
        is_part = any(path.startswith((f"{each}.", f"{each}[")) for each in lost)
        if path not in ours and path not in kept and not is_part:
            lost[path] = find_value(live, keys)
    return lost


def unite_fields(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """A field set that covers what either of two does."""
    united = dict(one)
    for key, below in other.items():
        united[key] = unite_fields(united[key], below) if key in united else below
    return united


def subtract_fields(fields: Mapping[str, Any], others: Mapping[str, Any]) -> dict[str, Any]:
    """A field set without what another covers, nor what would cover nothing then."""
    left: dict[str, Any] = {}
    for key, below in fields.items():
        # Who covers parts of a thing does not cover the thing.
        if key not in others or (not below and others[key] and "." not in others[key]):
            left[key] = below
        elif rest := subtract_fields(below, others[key]):
            left[key] = rest
    return left
