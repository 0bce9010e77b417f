"""The lease of a tree, held while something is done that a pass must not do at the same time."""

from collections.abc import Iterator
from contextlib import contextmanager

from jsorc_gitops.errors import ClusterError, JsorcError
from jsorc_gitops.reconcile.ports import Pass
from jsorc_gitops.reconcile.syncers import NAMES

_NOT_FOUND = 404


@contextmanager
def hold_lease(run: Pass) -> Iterator[None]:
    """Raises LeaseHeldError, ClusterError, and JsorcError where there is no home namespace yet."""
    try:
        run.doors.lease.acquire()
    except ClusterError as error:
        if error.status != _NOT_FOUND:
            raise
        applier = run.tree.settings.applier
        who = "run jsorc reconcile first"
        if applier != "jsorc":
            who = f"that is for {NAMES[applier]} to do (jsorc bootstrap {applier} prints what has it done)"
        raise JsorcError(f"nothing was applied to namespace {run.namespace} yet; {who}") from error
    try:
        yield
    finally:
        run.doors.lease.release()
