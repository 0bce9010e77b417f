"""What is let go of for Flux or Argo CD: an object goes over once they own every field that we do (DESIGN §5).

A field with one owner left goes as soon as that owner no longer says it, so what we let go of too early would
stay for ever, and what we never let go of would stay when git drops it.
https://kubernetes.io/docs/reference/using-api/server-side-apply/#transferring-ownership
"""

from collections.abc import Iterator, Mapping
from typing import Any

from jsorc_gitops.model.masks import encode_strings
from jsorc_gitops.model.objects import Body
from jsorc_gitops.model.settings import Applier
from jsorc_gitops.model.tree import Tree
from jsorc_gitops.reconcile.inventory import PART_OF_LABEL, Entry, find_part_of
from jsorc_gitops.reconcile.migration import subtract_fields, unite_fields
from jsorc_gitops.reconcile.ownership import Keys, find_own_entry, find_value, format_keys
from jsorc_gitops.reconcile.plan import Action, Step
from jsorc_gitops.reconcile.plan_prune import KEPT
from jsorc_gitops.reconcile.syncers import MANAGERS, NAMES, Syncer

# All that we set and git does not.
_OURS_ALONE: Mapping[str, Any] = {"f:metadata": {"f:labels": {f"f:{PART_OF_LABEL}": {}}}}


def plan_release(entry: Entry, live: Body, keeper: Syncer | None = None, *, tree: Tree, part_of: str) -> Step:
    """Whether an object of ours goes over to what `applier` names; refused with the field that it does not own.

    UNCHANGED is what is not ours any more, in a run that was killed say.
    """
    manifest, holder = tree.manifests.get(entry.ref), find_part_of(live)
    action, reason = Action.RELEASE, ""
    if holder not in {"", part_of} or not (holder or find_own_entry(live)):
        action = Action.UNCHANGED
    elif manifest is None and entry.ref.is_kept:
        reason = KEPT
    elif refusal := _explain(entry, live, keeper, tree=tree):
        action, reason = Action.REFUSE, refusal
    return Step(ref=entry.ref, service=entry.service, action=action, reason=reason, manifest=manifest, live=live)


def _explain(entry: Entry, live: Body, keeper: Syncer | None, *, tree: Tree) -> str:
    """Why an object stays ours; "" where it need not."""
    name, manifest = NAMES[tree.settings.applier], tree.manifests.get(entry.ref)
    if manifest is None:
        who = f"{keeper} has not pruned it yet" if keeper else f"{name} does not know it; delete it by hand"
        return f"is no longer in git, and {who}"
    if keeper is None:
        return f"{name} has not applied it yet"
    alone = _find_alone(live, tree.settings.applier)
    if alone and _find_applied(live, tree.settings.applier) is None:
        # Who updates owns what it changes, not what it finds as it should be.
        return (
            f"{format_keys(alone[0])} is set by jsorc alone, and {name} does not apply on the server: it never "
            "owns what is there already (syncOptions: ServerSideApply=true)"
        )
    said = encode_strings(manifest.body)
    for keys in alone:
        if find_value(said, keys) is not None:
            return f"{format_keys(keys)} is set by jsorc alone: {name} has not applied what HEAD says yet"
    return ""


def make_handover_patch(live: Body, applier: Applier) -> dict[str, Any]:
    """A merge patch that takes our label and our managedFields entry off an object, and leaves all else.

    What we alone have set, since git has dropped it meanwhile, becomes theirs: it goes with their next apply.
    """
    own, theirs = find_own_entry(live), _find_applied(live, applier)
    entries = [each for each in live["metadata"].get("managedFields") or () if each is not own]
    if own and theirs:
        fields = unite_fields(theirs["fieldsV1"], subtract_fields(own["fieldsV1"], _OURS_ALONE))
        entries[entries.index(theirs)] = {**theirs, "fieldsV1": fields}
    metadata = {
        "uid": live["metadata"]["uid"],
        "resourceVersion": live["metadata"]["resourceVersion"],
        "labels": {PART_OF_LABEL: None},
        # An empty list would leave them as they are; one empty entry clears them.
        "managedFields": entries or [{}],
    }
    return {"metadata": metadata}


def _find_alone(live: Body, applier: Applier) -> list[Keys]:
    """What we have set and what `applier` names has not, but for our label."""
    own = find_own_entry(live)
    fields = subtract_fields(own["fieldsV1"], _OURS_ALONE) if own else {}
    for each in _list_entries(live, applier):
        fields = subtract_fields(fields, each["fieldsV1"])
        # A Secret's stringData, which Argo CD applies as it stands in git, is what lies as data.
        fields = subtract_fields(fields, {"f:data": each["fieldsV1"].get("f:stringData", {})})
    return list(_list_leaves(fields, ()))


def _list_leaves(fields: Mapping[str, Any], keys: Keys) -> Iterator[Keys]:
    for key, below in fields.items():
        if below:
            yield from _list_leaves(below, (*keys, key))
        else:
            yield keys if key == "." else (*keys, key)


def _find_applied(live: Body, applier: Applier) -> Mapping[str, Any] | None:
    return next((each for each in _list_entries(live, applier) if each["operation"] == "Apply"), None)


def _list_entries(live: Body, applier: Applier) -> Iterator[Mapping[str, Any]]:
    """Its entries of our version of the kind: in another one, fields may be called otherwise."""
    own = find_own_entry(live) or {}
    for each in live["metadata"].get("managedFields") or ():
        mine = each.get("manager") == MANAGERS[applier] and not each.get("subresource")
        if mine and each.get("apiVersion") == own.get("apiVersion"):
            yield each
