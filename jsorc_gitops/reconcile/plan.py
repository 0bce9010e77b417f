"""What a pass will do, object by object, each with its reason; and when pruning is refused."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from jsorc_gitops.errors import ClusterError
from jsorc_gitops.model.masks import is_secret
from jsorc_gitops.model.objects import Body, DeleteRequest, Manifest, ObjectRef
from jsorc_gitops.model.policy import DEFAULT, ApplyPolicy
from jsorc_gitops.reconcile.inventory import PART_OF_LABEL, Entry, find_part_of
from jsorc_gitops.reconcile.ownership import (
    MASK,
    Conflict,
    Verdict,
    compute_digest,
    compute_fingerprint,
    find_own_entry,
    find_own_fields,
    find_owners,
    format_keys,
    format_step,
    holds_git_data,
    is_masked,
)
from jsorc_gitops.reconcile.syncers import Syncer, is_marked

# Set by the server on every object; a difference there is nobody's change.
_SERVER_SET = frozenset({"resourceVersion", "generation", "managedFields", "uid", "creationTimestamp"})

CONFLICTS = "`conflicts` in its service.yaml says whether to take or to yield"  # what somebody can do

RELEASED = "jsorc.jaseci.org/released-by"  # an annotation: the ApplySet that let go of an object


class Action(StrEnum):
    """What is done with one object."""

    CREATE = "create"
    ADOPT = "adopt"
    CONFIGURE = "configure"
    RECREATE = "recreate"
    UNCHANGED = "unchanged"
    PRUNE = "prune"
    RELEASE = "release"
    YIELD = "yield"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One object of the plan. `live` is what the plan was made from, `entry` what the state knows of it."""

    ref: ObjectRef
    service: str
    action: Action
    reason: str = ""
    manifest: Manifest | None = field(default=None, repr=False)
    live: Body | None = field(default=None, repr=False)
    entry: Entry | None = field(default=None, repr=False)
    policy: ApplyPolicy = DEFAULT
    note: str = ""  # what happens besides

    @property
    def is_adopting(self) -> bool:
        """Whether it is taken over, or was about to be when an earlier pass ended."""
        return self.action is Action.ADOPT or (self.entry is not None and self.entry.pending == Action.ADOPT)


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldChange:
    """One field that a write changes; `by` names who had set the value that goes."""

    path: str
    before: Any
    after: Any
    by: str = ""


def plan_object(
    manifest: Manifest,
    live: Body | None,
    entry: Entry | None,
    *,
    part_of: str,
    policy: ApplyPolicy = DEFAULT,
    adopt: bool = False,
    keeper: Syncer | None = None,
    holders: Mapping[str, str] | None = None,
) -> Step:
    """Decide from what is known without asking the server; CONFIGURE is then confirmed by a dry-run.

    `adopt` takes over whatever is there, the policy alone only what is of no other ApplySet; neither takes what
    `keeper` applies. `holders` says of other ApplySets which trees they are.
    """
    entry = _forget_given_up(entry, live, policy)
    if live is None:
        action, reason = Action.CREATE, _explain_absence(entry)
    elif is_going(live):
        action, reason = Action.RECREATE, "is being deleted"
    elif keeper:
        action, reason = Action.YIELD, f"{keeper} applies it"
    elif adopt and is_marked(live):
        # Though it may be ours as well: what they have set is to go.
        action, reason = Action.ADOPT, "applied by Flux or Argo CD before"
    elif (holder := find_part_of(live)) != part_of and holder.startswith("applyset-"):
        action, reason = _decide_on_taken((holders or {}).get(holder, holder), adopt=adopt)
    else:
        action, reason = _decide(manifest, live, entry, part_of=part_of, policy=policy, adopt=adopt)
    if action is Action.CONFIGURE and entry and not entry.fingerprint.startswith(compute_digest(manifest)):
        # Another commit, another start: what was fought for before may be settled by it.
        entry = replace(entry, takes={}, yielded=())
    return Step(
        ref=manifest.ref,
        service=manifest.service,
        action=action,
        reason=reason,
        manifest=manifest,
        live=live,
        entry=entry,
        policy=policy,
    )


def _forget_given_up(entry: Entry | None, live: Body | None, policy: ApplyPolicy) -> Entry | None:
    """The entry without fields given up of an object of before, or that service.yaml decides on now."""
    if entry is None or not entry.yielded:
        return entry
    if live is None or live["metadata"]["uid"] != entry.uid:
        return replace(entry, takes={}, yielded=())
    if all(policy.find_verdict(format_keys(keys)) in {"", Verdict.YIELD} for keys in entry.yielded):
        return entry
    # As by another commit: what was left is not as git wants it, so the server is to be asked.
    return replace(entry, takes={}, yielded=(), fingerprint="", version="")


def make_apply_body(step: Step, body: Body, *, part_of: str) -> dict[str, Any]:
    """What is sent of a rendered object: marked as ours, with the plan's preconditions."""
    metadata = dict(body["metadata"])
    metadata["labels"] = {**(metadata.get("labels") or {}), PART_OF_LABEL: part_of}
    if step.live is not None and step.action is not Action.RECREATE:
        metadata["uid"] = step.live["metadata"]["uid"]
        metadata["resourceVersion"] = step.live["metadata"]["resourceVersion"]
    return {**body, "metadata": metadata}


def is_going(live: Body | None) -> bool:
    """Whether somebody has deleted it, and finalizers or a period of grace keep it."""
    return live is not None and bool((live.get("metadata") or {}).get("deletionTimestamp"))


def make_stale(what: str) -> ClusterError:
    """A plan that what has happened meanwhile made stale, as a conflict of resourceVersions does."""
    return ClusterError(what, status=409, reason="Conflict")


def is_stale(answer: Body | ClusterError) -> bool:
    """Whether the object was written since the plan was made: a 409 without causes."""
    return isinstance(answer, ClusterError) and answer.reason == "Conflict" and not answer.causes


def make_deletion(ref: ObjectRef, live: Body, *, dry_run: bool = False) -> DeleteRequest:
    """What deletes an object, if it is still the one that was looked at."""
    metadata = live["metadata"]
    version = metadata["resourceVersion"]
    return DeleteRequest(ref=ref, uid=metadata["uid"], resource_version=version, dry_run=dry_run)


def make_release_patch(live: Body, *, labels: Iterable[str], part_of: str) -> dict[str, Any]:
    """A merge patch that takes our labels and our managedFields entry off an object and leaves all else.

    Applying nothing would do it too, but would take every field along that only we own. What is left behind is
    a word on who let go of it, so that it is ours again without asking when git brings it back.
    """
    own = find_own_entry(live)
    others = [each for each in live["metadata"].get("managedFields") or () if each is not own]
    metadata = {
        "uid": live["metadata"]["uid"],
        "resourceVersion": live["metadata"]["resourceVersion"],
        "labels": dict.fromkeys(labels),
        "annotations": {RELEASED: part_of},
        # An empty list would leave them as they are; one empty entry clears them.
        "managedFields": others or [{}],
    }
    return {"metadata": metadata}


def diff_live(live: Body, applied: Body) -> tuple[FieldChange, ...]:
    """What an apply changes on a live object, by field, with who had set what goes. Secrets stay masked."""
    owners, ours = find_owners(live), find_own_fields(live)
    changes = []
    for path, before, after in _diff(_comparable(live), _comparable(applied), ""):
        # What we still own is as we left it, whoever else set it to the same: the change comes from git.
        by = owners[path].owner.manager if path in owners and path not in ours else ""
        changes.append(make_change(live, path, before=before, after=after, by=by))
    return tuple(changes)


def make_change(live: Body, path: str, *, before: Any, after: Any, by: str = "") -> FieldChange:
    """A change of a live object's field; what a Secret holds is masked."""
    shown = (MASK, MASK) if is_masked(live, path) else (before, after)
    return FieldChange(path=path, before=shown[0], after=shown[1], by=by)


def regains_ownership(live: Body, applied: Body) -> bool:
    """Whether an apply gives us back fields that others had set, even if to the same values."""
    before, after = find_own_entry(live), find_own_entry(applied)
    return (before or {}).get("fieldsV1") != (after or {}).get("fieldsV1")


def format_refusal(conflicts: Sequence[Conflict]) -> str:
    """The conflicts nobody may decide but the user, each with field, owner and both values; and how to decide."""
    parts = [
        f"{each.path} is set by {each.owner.manager} to {each.theirs!r}, git says {each.ours!r}"
        for each in conflicts
        if each.verdict is Verdict.FAIL
    ]
    return "; ".join([*parts, CONFLICTS]) if parts else ""


def _decide_on_taken(holder: str, *, adopt: bool) -> tuple[Action, str]:
    """What another set has, or took over, as ours may, is its own: two would take it in turns for ever.

    A service may not take it, whatever its policy; whoever starts a pass may.
    """
    if adopt:
        return Action.ADOPT, f"was part of {holder}"
    remedy = "name it otherwise, or --adopt takes it away from there"
    return Action.REFUSE, f"exists and is not ours (it is part of {holder}); {remedy}"


def _decide(
    manifest: Manifest, live: Body, entry: Entry | None, *, part_of: str, policy: ApplyPolicy, adopt: bool
) -> tuple[Action, str]:
    if entry and entry.uid == live["metadata"]["uid"]:
        if _is_as_left(manifest, live, entry):
            return Action.UNCHANGED, ""
        return Action.CONFIGURE, "changed"
    begun = entry is not None and entry.pending == Action.ADOPT
    if (find_part_of(live) == part_of or begun) and find_own_entry(live):
        return Action.CONFIGURE, "ours by its marks, unknown to the inventory"
    if (live["metadata"].get("annotations") or {}).get(RELEASED) == part_of:
        return Action.ADOPT, "let go of by this tree before"
    if adopt or policy.adopt:
        return Action.ADOPT, "existed before"
    managers = ", ".join(sorted({each.owner.manager for each in find_owners(live).values()}))
    whose = f"its fields are set by {managers or 'nobody'}"
    remedy = "--adopt, or `adopt: allow` in its service.yaml," if manifest.service else "--adopt"
    return Action.REFUSE, f"exists and is not ours ({whose}); {remedy} takes it over"


def _is_as_left(manifest: Manifest, live: Body, entry: Entry) -> bool:
    """Whether git says what it said, and nobody touched what it set."""
    if not entry.fingerprint.startswith(compute_digest(manifest)):
        return False
    if entry.version == live["metadata"]["resourceVersion"] and not is_secret(manifest.ref):
        return True
    return entry.fingerprint == compute_fingerprint(manifest, live) and holds_git_data(manifest, live)


def _explain_absence(entry: Entry | None) -> str:
    if entry is None or not (entry.uid or entry.pending == Action.RECREATE):
        return "new"
    if entry.pending == Action.RECREATE:
        return "deleted by an earlier pass, to be made anew"
    return "deleted by somebody since the last pass"


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
