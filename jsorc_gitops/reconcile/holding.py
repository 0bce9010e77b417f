"""The lease of a tree, held while something is done that a pass must not do at the same time."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import TypeVar

from jsorc_gitops.errors import ClusterError, NothingAppliedError
from jsorc_gitops.reconcile.ports import Clock, Pass
from jsorc_gitops.reconcile.syncers import NAMES

TICK = 1.0  # seconds after which one looks again
_NOT_FOUND = 404

Result = TypeVar("Result")
Waiting = Callable[[str], AbstractContextManager[object]]


@contextmanager
def hold_lease(run: Pass) -> Iterator[None]:
    """Raises LeaseHeldError, ClusterError, and NothingAppliedError where there is no home namespace yet.

    With --wait that one is waited for.
    """
    await_applied(partial(_acquire, run), run.doors.clock, run.doors.waiting, seconds=run.options.wait or 0.0)
    try:
        yield
    finally:
        run.doors.lease.release()


def await_applied(attempt: Callable[[], Result], clock: Clock, waiting: Waiting, *, seconds: float) -> Result:
    """What the attempt returns, made again for so long while it raises NothingAppliedError."""
    give_up = clock.monotonic() + seconds
    try:
        return attempt()
    except NothingAppliedError:
        if clock.monotonic() >= give_up:
            raise
    with waiting("the tree to be applied"):
        while True:
            clock.sleep(TICK)
            try:
                return attempt()
            except NothingAppliedError:
                if clock.monotonic() >= give_up:
                    raise


def _acquire(run: Pass) -> None:
    try:
        run.doors.lease.acquire()
    except ClusterError as error:
        if error.status != _NOT_FOUND:
            raise
        applier = run.tree.settings.applier
        who = "run jsorc reconcile first"
        if applier != "jsorc":
            who = f"that is for {NAMES[applier]} to do (jsorc bootstrap {applier} prints what has it done)"
        raise NothingAppliedError(f"nothing was applied to namespace {run.namespace} yet; {who}") from error
