"""What happens, once, to the fields that others had set on an object that is adopted.

A manager of before that never writes again would keep its fields for ever, also those that git drops. So its
entries become part of ours, and the apply that follows removes what git does not say.
https://kubernetes.io/docs/reference/using-api/server-side-apply/#migration-between-client-side-and-server-side-apply
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from jsorc_gitops.model.objects import Body
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
    former = [each for each in entries if is_former(each) and each.get("apiVersion") == own["apiVersion"]]
    if not former:
        return None
    fields = own["fieldsV1"]
    for each in former:
        fields = _unite(fields, each.get("fieldsV1") or {})
    kept = [each for each in entries if each is not own and each not in former]
    return {"metadata": {"managedFields": [{**own, "fieldsV1": fields}, *kept]}}


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


def _unite(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    united = dict(one)
    for key, below in other.items():
        united[key] = _unite(united[key], below) if key in united else below
    return united
