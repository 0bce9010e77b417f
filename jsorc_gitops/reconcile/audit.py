"""A full dry-run now and then: a webhook or a default that changed leaves no trace on the objects themselves."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from jsorc_gitops.reconcile.plan import Action, Step


def is_due(audited: str, *, every: float, now: datetime) -> bool:
    """Whether the last audit is so many seconds ago, was never, or cannot be told; every 0 seconds is never."""
    if not every:
        return False
    try:
        last = datetime.fromisoformat(audited)
    except ValueError:
        return True
    # A time to come was written by a clock that was wrong.
    return last.tzinfo is None or not timedelta(0) <= now - last < timedelta(seconds=every)


def audit_steps(steps: Sequence[Step]) -> list[Step]:
    """The same steps, with a dry-run for those, too, that look unchanged."""
    return [
        replace(each, action=Action.CONFIGURE, reason="changed") if each.action is Action.UNCHANGED else each
        for each in steps
    ]
