"""The lock of a tree: a Lease in the cluster, renewed while a pass is at work and given back at its end.

Whether a holder is gone is judged by its renewTime standing still for the lease's duration on our own
monotonic clock, never by comparing its clock with ours (as client-go's leader election does).
"""

import os
import socket
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext, suppress
from datetime import UTC, datetime
from threading import Event, Thread
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from jsorc_gitops.errors import ClusterError, LeaseHeldError
from jsorc_gitops.model.layout import lease_name
from jsorc_gitops.model.objects import Body, ObjectRef

if TYPE_CHECKING:
    from jsorc_gitops.adapters.cluster import Cluster

DURATION = 15  # seconds without a renewal after which a holder counts as gone
PATIENCE = 30.0  # seconds to wait for another holder
_AGAIN = 1.0  # seconds after which a renewal without an answer is tried again
_API = "coordination.k8s.io/v1"
_CONFLICT = 409


def tell_time() -> float:
    """Seconds on a clock that goes on while the machine sleeps: others may have the lease when it wakes up.

    Where there is none (CLOCK_BOOTTIME is Linux') it is Python's monotonic clock.
    """
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class Lease:
    """The Lease `jsorc.<tree>` of one namespace. `number` is how often it has changed hands, once it is held."""

    def __init__(
        self,
        cluster: "Cluster",
        *,
        tree: str,
        namespace: str,
        patience: float = PATIENCE,
        duration: int = DURATION,
        waiting: Callable[[str], AbstractContextManager[object]] = nullcontext,  # told for what
    ) -> None:
        self._cluster = cluster
        self._ref = ObjectRef(
            group="coordination.k8s.io", kind="Lease", namespace=namespace, name=lease_name(tree)
        )
        self._patience = patience
        self._duration = duration
        self._waiting = waiting
        self._holder = f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:8]}"
        self._held: Body | None = None
        self.number = 0
        self._renewed = 0.0
        self._lost = ""
        self._given_back = False
        self._done = Event()
        self._renewer = Thread(target=self._renew, name="jsorc-lease", daemon=True)

    def foresee(self) -> None:
        """Learn the `number` that acquiring it now would give, and write nothing; raise ClusterError."""
        current = self._cluster.get_object(_API, self._ref)
        self.number = current["spec"].get("leaseTransitions", 0) + 1 if current else 0

    def acquire(self) -> None:
        """Hold the lease; raise LeaseHeldError when another has it for longer than we wait, or ClusterError."""
        with ExitStack() as stack:
            self._wait_for_turn(stack)
        self._cluster.guard = self.check
        self._renewer.start()

    def _wait_for_turn(self, stack: ExitStack) -> None:
        give_up = tell_time() + self._patience
        seen, since, waits = "", tell_time(), False
        while True:
            current = self._cluster.get_object(_API, self._ref)
            spec = current["spec"] if current else {}
            mark = f"{spec.get('holderIdentity')} {spec.get('renewTime')}"
            if mark != seen:
                seen, since = mark, tell_time()
            is_free = not spec.get("holderIdentity") or tell_time() - since > self._duration
            if is_free and self._take(current):
                return
            holder = spec.get("holderIdentity") or "another reconciler"
            if tell_time() > give_up:
                begun = spec.get("acquireTime", "some time")
                raise LeaseHeldError(f"{self._ref} is held by {holder} since {begun}; it is let alone")
            if not waits:
                stack.enter_context(self._waiting(f"{self._ref}, held by {holder}"))
                waits = True
            self._done.wait(1)

    def check(self) -> None:
        """Raise LeaseHeldError when the lease was lost meanwhile, or given back; asked before every write.

        Not renewed in time it counts as lost, also for a process that was paused and does not know yet.
        """
        if self._given_back:
            raise LeaseHeldError(f"{self._ref} is given back; nothing more is written")
        if not self._lost and tell_time() - self._renewed > self._duration:
            self._lost = f"it was not renewed for {self._duration} s"
        if self._lost:
            raise LeaseHeldError(f"{self._ref} was lost: {self._lost}; the pass stops here")

    def release(self) -> None:
        """Give the lease back, so that the next pass need not wait for it to expire.

        What is under way, after ^C say, ends before that; it is renewed meanwhile. Nothing new is begun.
        """
        self._given_back = True
        self._cluster.drain()
        self._done.set()
        if self._renewer.is_alive():
            self._renewer.join()
        if self._held is not None and not self._lost:
            # When it cannot be given back it expires.
            with suppress(ClusterError):
                self._write(self._held, "", patient=False)
        self._held = None

    def _take(self, current: Body | None) -> bool:
        """Write ourselves into the lease as it was read; False when another was faster."""
        try:
            self._write(current, self._holder)
        except ClusterError as error:
            if error.status == _CONFLICT:
                return False
            raise
        return True

    def _renew(self) -> None:
        pause = usual = self._duration / 3
        while not self._done.wait(pause):
            try:
                self._write(self._held, self._holder, patient=False)
                pause = usual
            except ClusterError as error:
                # Without an answer it is tried again; `check` knows when that went on for too long.
                if error.status == _CONFLICT and not self._is_still_ours():
                    self._lost = "another reconciler took it over"
                    return
                pause = min(usual, _AGAIN)

    def _is_still_ours(self) -> bool:
        """Whether what stands there is a renewal of ours whose answer was not heard."""
        try:
            current = self._cluster.get_object(_API, self._ref, patient=False)
        except ClusterError:
            return True  # not known; the next renewal shows it
        ours = current is not None and current["spec"].get("holderIdentity") == self._holder
        if ours:
            self._held = current
        return ours

    def _write(self, current: Body | None, holder: str, *, patient: bool = True) -> None:
        begun, body = tell_time(), self._make(current, holder=holder)
        if current is None:
            self._held = self._cluster.create_object(body)
        else:
            self._held = self._cluster.replace_object(body, patient=patient)
        self.number = self._held["spec"]["leaseTransitions"]
        self._renewed = begun

    def _make(self, current: Body | None, *, holder: str) -> dict[str, Any]:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        old = dict(current["spec"]) if current else {}
        taken = old.get("holderIdentity", "") != holder and holder
        spec = {
            "holderIdentity": holder,
            "leaseDurationSeconds": self._duration,
            "acquireTime": now if taken else old.get("acquireTime", now),
            "renewTime": now,
            "leaseTransitions": old.get("leaseTransitions", 0) + (1 if taken and old else 0),
        }
        metadata: dict[str, Any] = {"name": self._ref.name, "namespace": self._ref.namespace}
        if current is not None:
            metadata["resourceVersion"] = current["metadata"]["resourceVersion"]
        return {"apiVersion": _API, "kind": self._ref.kind, "metadata": metadata, "spec": spec}
