"""How one object stands against git, as far as is known without asking the API server what an apply would do."""

from dataclasses import dataclass
from enum import StrEnum

from jsorc_gitops.model.objects import ObjectRef
from jsorc_gitops.reconcile.health import Health, Status
from jsorc_gitops.reconcile.plan import Action, Step
from jsorc_gitops.reconcile.prepare import is_drift
from jsorc_gitops.reconcile.status_fields import NOTHING, HeldFields, find_held


class Standing(StrEnum):
    """How an object stands against git."""

    APPLIED = "applied"  # as git says, and as it was left
    NEW = "new"  # git has it, and no pass has applied it yet
    OUTDATED = "outdated"  # git says something else than what was applied
    CHANGED = "changed"  # by somebody, since it was applied
    MISSING = "missing"  # deleted by somebody since it was applied
    DELETING = "deleting"  # somebody has deleted it, and it is not gone yet
    PENDING = "pending"  # a pass is at it, or was killed over it
    FOREIGN = "foreign"  # it exists, and is not ours
    KEPT = "kept"  # Flux or Argo CD applies it
    REMOVED = "removed"  # it was applied, and git does not have it any more
    UNREAD = "unread"  # it could not be read


# Of what is not ours all fields are somebody else's.
_OURS = frozenset({Action.UNCHANGED, Action.CONFIGURE})
# What a pass has no reason to write.
_SETTLED = frozenset({Standing.APPLIED, Standing.KEPT, Standing.UNREAD})

_STANDINGS = {
    Action.UNCHANGED: Standing.APPLIED,
    Action.CREATE: Standing.NEW,
    Action.RECREATE: Standing.DELETING,
    Action.YIELD: Standing.KEPT,
    Action.REFUSE: Standing.FOREIGN,
    Action.ADOPT: Standing.NEW,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectStatus:
    """One object; the `reason` says more about the standing, "" where that says it all."""

    ref: ObjectRef
    service: str
    standing: Standing
    reason: str = ""
    health: Health | None = None
    held: HeldFields = NOTHING

    @property
    def differs(self) -> bool:
        """Whether a pass would write it, or refuse to."""
        return self.standing not in _SETTLED

    @property
    def is_calm(self) -> bool:
        """Whether there is nothing to tell of it."""
        well = self.health is None or self.health.status is Status.CURRENT
        return well and self.standing is Standing.APPLIED and self.held == NOTHING


def judge_step(step: Step, health: Health | None) -> ObjectStatus:
    """The status of an object that git has, from the step that a pass would begin with."""
    entry = step.entry
    held = NOTHING
    if step.manifest is not None and step.live is not None and step.action in _OURS:
        yielded = entry.yielded if entry else ()
        held = find_held(step.manifest, step.live, step.policy, yielded=yielded)
    standing, reason = _judge(step)
    return ObjectStatus(
        ref=step.ref, service=step.service, standing=standing, reason=reason, health=health, held=held
    )


def judge_removal(step: Step) -> ObjectStatus:
    """The status of an object that git no longer has, from the step that pruning would begin with."""
    standing = Standing.REMOVED
    if step.entry is not None and step.entry.pending and not step.entry.uid:
        standing = Standing.PENDING
    reasons = {Action.PRUNE: "to be pruned", Action.RELEASE: "to be let go of, and kept"}
    return ObjectStatus(
        ref=step.ref,
        service=step.service,
        standing=standing,
        reason=reasons.get(step.action, step.reason),
    )


def _judge(step: Step) -> tuple[Standing, str]:
    entry = step.entry
    if entry is not None and entry.pending:
        return Standing.PENDING, f"{entry.pending} was begun, and is not finished"
    if step.action is Action.CREATE and entry is not None:
        return Standing.MISSING, ""
    if step.action is Action.CONFIGURE:
        unlisted = step.reason if entry is None else ""
        return (Standing.CHANGED if is_drift(step) else Standing.OUTDATED), unlisted
    told = {Action.YIELD: step.reason, Action.REFUSE: step.reason, Action.ADOPT: f"{step.reason}, to be adopted"}
    return _STANDINGS[step.action], told.get(step.action, "")
