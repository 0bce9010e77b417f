"""What a pass will do, object by object, each with its reason; and when pruning is refused."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from jsorc_gitops.model.layout import RECORD_PREFIX
from jsorc_gitops.model.objects import Body, Manifest, ObjectRef, sort_key
from jsorc_gitops.reconcile.inventory import PART_OF_LABEL, Entry, State, find_part_of
from jsorc_gitops.reconcile.ownership import (
    MASK,
    Conflict,
    Verdict,
    compute_fingerprint,
    find_own_entry,
    find_own_paths,
    find_owners,
    format_step,
    holds_git_data,
    is_masked,
)

# Set by the server on every object; a difference there is nobody's change.
_SERVER_SET = frozenset({"resourceVersion", "generation", "managedFields", "uid", "creationTimestamp"})

PRUNE_FLOOR = 10
PRUNE_SHARE = 0.3
EVERYTHING = "*"  # the consent that only the command line gives


class Action(StrEnum):
    """What is done with one object."""

    CREATE = "create"
    ADOPT = "adopt"
    CONFIGURE = "configure"
    UNCHANGED = "unchanged"
    PRUNE = "prune"
    RELEASE = "release"
    YIELD = "yield"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One object of the plan. `live` is what the plan was made from, None where there is nothing."""

    ref: ObjectRef
    service: str
    action: Action
    reason: str = ""
    manifest: Manifest | None = field(default=None, repr=False)
    live: Body | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldChange:
    """One field that a write changes; `by` names who had set the value that goes."""

    path: str
    before: Any
    after: Any
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrunePlan:
    """What pruning would do, or why nothing is pruned."""

    steps: tuple[Step, ...] = ()
    gone: tuple[ObjectRef, ...] = ()  # in the inventory, deleted by somebody else
    refusal: str = ""
    rewinds: bool = False  # the commit does not descend from the one applied last


def plan_object(manifest: Manifest, live: Body | None, entry: Entry | None, *, part_of: str, adopt: bool) -> Step:
    """Decide from what is known without asking the server; CONFIGURE is then confirmed by a dry-run."""
    action, reason = _decide(manifest, live, entry, part_of=part_of, adopt=adopt)
    return Step(
        ref=manifest.ref, service=manifest.service, action=action, reason=reason, manifest=manifest, live=live
    )


def plan_prune(
    state: State,
    desired: Collection[ObjectRef],
    live: Mapping[ObjectRef, Body],
    *,
    part_of: str,
    descends: bool,
    consents: Collection[str],
) -> PrunePlan:
    """What of the inventory is no longer in the tree (DESIGN §6). `consents` are services, or EVERYTHING."""
    absent = [entry for ref, entry in state.entries.items() if ref not in desired]
    gone = tuple(sorted(entry.ref for entry in absent if entry.ref not in live))
    present = [entry for entry in absent if entry.ref in live]
    if not present:
        return PrunePlan(gone=gone)
    if not descends:
        return PrunePlan(
            rewinds=True,
            refusal=f"the commit does not descend from {state.revision[:12]}, which was applied last, so "
            f"{len(present)} objects missing in it are kept; --allow-rewind prunes them",
        )
    steps = [plan_removal(entry, live[entry.ref], part_of=part_of) for entry in present]
    steps.sort(key=lambda step: sort_key(step.ref), reverse=True)
    if refusal := _check_budget(present, state, desired, consents):
        return PrunePlan(refusal=refusal)
    return PrunePlan(steps=tuple(steps), gone=gone)


def make_apply_body(step: Step, *, part_of: str, without: Body | None = None) -> dict[str, Any]:
    """What is sent: the rendered object, marked as ours, with the plan's preconditions."""
    assert step.manifest is not None  # noqa: S101 - only objects of the tree are applied
    body = dict(without or step.manifest.body)
    metadata = dict(body["metadata"])
    metadata["labels"] = {**(metadata.get("labels") or {}), PART_OF_LABEL: part_of}
    if step.live is not None:
        metadata["uid"] = step.live["metadata"]["uid"]
        metadata["resourceVersion"] = step.live["metadata"]["resourceVersion"]
    body["metadata"] = metadata
    return body


def make_release_patch(live: Body, *, labels: Iterable[str]) -> dict[str, Any]:
    """A merge patch that takes our labels and our managedFields entry off an object and leaves all else.

    Applying nothing would do it too, but would take every field along that only we own.
    """
    own = find_own_entry(live)
    others = [each for each in live["metadata"].get("managedFields") or () if each is not own]
    metadata = {
        "uid": live["metadata"]["uid"],
        "resourceVersion": live["metadata"]["resourceVersion"],
        "labels": dict.fromkeys(labels),
        # An empty list would leave them as they are; one empty entry clears them.
        "managedFields": others or [{}],
    }
    return {"metadata": metadata}


def diff_live(live: Body, applied: Body) -> tuple[FieldChange, ...]:
    """What an apply changes on a live object, by field, with who had set what goes. Secrets stay masked."""
    owners, ours = find_owners(live), find_own_paths(live)
    changes = []
    for path, before, after in _diff(_comparable(live), _comparable(applied), ""):
        # What we still own is as we left it, whoever else set it to the same: the change comes from git.
        by = owners[path].owner.manager if path in owners and path not in ours else ""
        shown = (MASK, MASK) if is_masked(live, path) else (before, after)
        changes.append(FieldChange(path=path, before=shown[0], after=shown[1], by=by))
    return tuple(changes)


def regains_ownership(live: Body, applied: Body) -> bool:
    """Whether an apply gives us back fields that others had set, even if to the same values."""
    before, after = find_own_entry(live), find_own_entry(applied)
    return (before or {}).get("fieldsV1") != (after or {}).get("fieldsV1")


def format_refusal(conflicts: Sequence[Conflict]) -> str:
    """The conflicts nobody may decide but the user, each with field, owner and both values."""
    parts = [
        f"{each.path} is set by {each.owner.manager} to {each.theirs!r}, git says {each.ours!r}"
        for each in conflicts
        if each.verdict is Verdict.FAIL
    ]
    return "; ".join(parts)


def _decide(
    manifest: Manifest, live: Body | None, entry: Entry | None, *, part_of: str, adopt: bool
) -> tuple[Action, str]:
    if live is None:
        return Action.CREATE, "deleted by somebody since the last pass" if entry and entry.uid else "new"
    holder = find_part_of(live)
    # Another set that took it over, as ours may with --adopt, keeps it: two would take it in turns for ever.
    taken = holder.startswith("applyset-") and holder != part_of
    if entry and entry.uid == live["metadata"]["uid"] and not taken:
        if entry.fingerprint == compute_fingerprint(manifest, live) and holds_git_data(manifest, live):
            return Action.UNCHANGED, ""
        return Action.CONFIGURE, "changed"
    if holder == part_of and find_own_entry(live):
        return Action.CONFIGURE, "ours by its marks, unknown to the inventory"
    if adopt:
        return Action.ADOPT, "existed before"
    managers = ", ".join(sorted({each.owner.manager for each in find_owners(live).values()}))
    whose = f"it is part of {holder}" if taken else f"its fields are set by {managers or 'nobody'}"
    return Action.REFUSE, f"exists and is not ours ({whose}); --adopt takes it over"


def plan_removal(entry: Entry, live: Body, *, part_of: str) -> Step:
    """What becomes of an object that is in the inventory and no longer in the tree."""
    metadata = live["metadata"]
    action, reason = Action.PRUNE, "no longer in the tree"
    if entry.uid and entry.uid != metadata["uid"]:
        action, reason = Action.YIELD, "another object of the same name, made by somebody else; left alone"
    elif find_part_of(live) != part_of or not (entry.uid or find_own_entry(live)):
        action, reason = Action.YIELD, "no longer carries our mark; left alone"
    elif metadata.get("ownerReferences"):
        action, reason = Action.YIELD, "owned by another object; left alone"
    elif entry.ref.is_kept:
        action, reason = Action.RELEASE, "no longer in the tree; kept, it is yours to delete"
    return Step(ref=entry.ref, service=entry.service, action=action, reason=reason, live=live)


def _check_budget(
    present: Sequence[Entry], state: State, desired: Collection[ObjectRef], consents: Collection[str]
) -> str:
    if EVERYTHING in consents:
        return ""
    # A Namespace that the tree merely needed is of no service that could consent, and is only released.
    needed = {entry.ref for entry in present if entry.ref.is_kept and not entry.service}
    unagreed = [entry for entry in present if entry.service not in consents and entry.ref not in needed]
    if not unagreed:
        return ""
    services = ", ".join(sorted({entry.service for entry in unagreed} - {""})) or "the tree"
    remedy = (
        f"consent with jsorc render --commit --allow-prune {services.split(', ')[0]}, or once with --allow-prune"
    )
    if not any(ref.name.startswith(RECORD_PREFIX) for ref in desired):
        return f"the tree holds no service, {len(unagreed)} objects are kept; {remedy}"
    limit = max(PRUNE_FLOOR, int(len(state.entries) * PRUNE_SHARE))
    if len(unagreed) > limit:
        return (
            f"{len(unagreed)} of {len(state.entries)} objects would go ({services}), more than the {limit} "
            f"that a pass may prune; {remedy}"
        )
    return ""


def _comparable(body: Body) -> dict[str, Any]:
    metadata = {key: value for key, value in body["metadata"].items() if key not in _SERVER_SET}
    return {**{key: value for key, value in body.items() if key != "status"}, "metadata": metadata}


def _diff(old: Any, new: Any, path: str) -> list[tuple[str, Any, Any]]:
    if old == new:
        return []
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        keys = [*old, *(key for key in new if key not in old)]
        return [
            found for key in keys for found in _diff(old.get(key), new.get(key), path + format_step(f"f:{key}"))
        ]
    if isinstance(old, list) and isinstance(new, list):
        return _diff_lists(old, new, path)
    return [(path, old, new)]


def _diff_lists(old: list[Any], new: list[Any], path: str) -> list[tuple[str, Any, Any]]:
    """Items are matched by name where they have one, as lists of containers, variables and ports do."""
    names = [[item.get("name") if isinstance(item, Mapping) else None for item in side] for side in (old, new)]
    if not all(all(side) and len(set(side)) == len(side) for side in names):
        return [(path, old, new)]
    before, after = (dict(zip(side, items, strict=True)) for side, items in zip(names, (old, new), strict=True))
    found = []
    for name in dict.fromkeys([*before, *after]):
        found += _diff(before.get(name), after.get(name), f'{path}[name="{name}"]')
    return found or [(path, old, new)]
