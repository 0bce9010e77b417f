"""A full dry-run now and then: a webhook or a default that changed leaves no trace on the objects themselves."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from jsorc_gitops.reconcile.inventory import format_state
from jsorc_gitops.reconcile.memory import read_state
from jsorc_gitops.reconcile.plan import Action, Step
from jsorc_gitops.reconcile.ports import Pass


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


def write_audited(run: Pass) -> None:
    """Remember, in the state as the pass has left it, that all objects were dry-run; raises ClusterError."""
    state = read_state(run)
    audited = run.doors.clock.now().isoformat(timespec="seconds")
    run.doors.lease.check()
    body = format_state(replace(state, audited=audited), tree=run.tree.name, namespace=run.namespace)
    run.cluster.replace_object(body)
