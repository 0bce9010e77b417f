"""The lease of a tree, held while something is done that a pass must not do at the same time."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from jsorc_gitops.errors import ClusterError, JsorcError
from jsorc_gitops.reconcile.ports import Pass
from jsorc_gitops.reconcile.syncers import NAMES

TICK = 1.0  # seconds after which it is tried again whether the home namespace is there
_NOT_FOUND = 404


@contextmanager
def hold_lease(run: Pass, *, patience: float = 0.0) -> Iterator[None]:
    """Raises LeaseHeldError, ClusterError, and JsorcError where there is no home namespace yet.

    Such a one is waited for so many seconds at most.
    """
    clock = run.doors.clock
    give_up = clock.monotonic() + patience
    with ExitStack() as told:
        missing = _try(run)
        if missing and patience:
            told.enter_context(run.doors.waiting(f"namespace {run.namespace} to be made"))
        while missing and clock.monotonic() < give_up:
            clock.sleep(TICK)
            missing = _try(run)
    if missing:
        applier = run.tree.settings.applier
        who = "run jsorc reconcile first"
        if applier != "jsorc":
            who = f"that is for {NAMES[applier]} to do (jsorc bootstrap {applier} prints what has it done)"
        raise JsorcError(f"nothing was applied to namespace {run.namespace} yet; {who}") from missing
    try:
        yield
    finally:
        run.doors.lease.release()


def _try(run: Pass) -> ClusterError | None:
    """Take the lease; why not, where it has no namespace to lie in."""
    try:
        run.doors.lease.acquire()
    except ClusterError as error:
        if error.status != _NOT_FOUND:
            raise
        return error
    return None
