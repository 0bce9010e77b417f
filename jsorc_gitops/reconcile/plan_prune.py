"""What is to go because git no longer has it, and the conditions under which it may (DESIGN §6)."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from jsorc_gitops.model.layout import RECORD_PREFIX
from jsorc_gitops.model.objects import Body, ObjectRef, sort_key
from jsorc_gitops.reconcile.inventory import Entry, State, find_part_of
from jsorc_gitops.reconcile.ownership import find_own_entry
from jsorc_gitops.reconcile.plan import Action, Step, is_going
from jsorc_gitops.reconcile.syncers import Syncer

PRUNE_FLOOR = 10
PRUNE_SHARE = 0.3
EVERYTHING = "*"  # the consent that only the command line gives
KEPT = "no longer in the tree; kept, it is yours to delete"


@dataclass(frozen=True, slots=True, kw_only=True)
class PrunePlan:
    """What pruning would do, or why nothing is pruned."""

    steps: tuple[Step, ...] = ()
    gone: tuple[ObjectRef, ...] = ()  # in the inventory, deleted by somebody else
    refusal: str = ""
    rewinds: bool = False  # the commit does not descend from the one applied last


def plan_prune(
    state: State,
    desired: Collection[ObjectRef],
    live: Mapping[ObjectRef, Body],
    *,
    part_of: str,
    keepers: Mapping[ObjectRef, Syncer],
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
    steps = [
        plan_removal(entry, live[entry.ref], part_of=part_of, keeper=keepers.get(entry.ref)) for entry in present
    ]
    steps.sort(key=lambda step: sort_key(step.ref), reverse=True)
    # What is on its way already was agreed on then.
    counted = [entry for entry in present if not is_going(live[entry.ref])]
    if refusal := _check_budget(counted, state, desired, consents):
        return PrunePlan(refusal=refusal)
    return PrunePlan(steps=tuple(steps), gone=gone)


def plan_removal(entry: Entry, live: Body, keeper: Syncer | None = None, *, part_of: str) -> Step:
    """What becomes of an object that is in the inventory and no longer in the tree."""
    metadata = live["metadata"]
    action, reason = Action.PRUNE, "no longer in the tree"
    if entry.uid and entry.uid != metadata["uid"]:
        action, reason = Action.YIELD, "another object of the same name, made by somebody else; left alone"
    elif keeper:
        action, reason = Action.YIELD, f"{keeper} applies it; left alone"
    elif find_part_of(live) != part_of or not (entry.uid or find_own_entry(live)):
        action, reason = Action.YIELD, "no longer carries our mark; left alone"
    elif metadata.get("ownerReferences"):
        action, reason = Action.YIELD, "owned by another object; left alone"
    elif entry.ref.is_kept:
        action, reason = Action.RELEASE, KEPT
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
