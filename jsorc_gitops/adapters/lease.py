"""The lock of a tree: a Lease in the cluster, renewed while a pass is at work and given back at its end.

Whether a holder is gone is judged by its renewTime standing still for the lease's duration on our own
monotonic clock, never by comparing its clock with ours (as client-go's leader election does).
"""

import os
import socket
from contextlib import suppress
from datetime import UTC, datetime
from threading import Event, Thread
from time import monotonic
from typing import Any
from uuid import uuid4

from jsorc_gitops.adapters.cluster import Cluster
from jsorc_gitops.errors import ClusterError, LeaseHeldError
from jsorc_gitops.model.objects import Body, ObjectRef

DURATION = 15  # seconds without a renewal after which a holder counts as gone
PATIENCE = 30.0  # seconds to wait for another holder
_API = "coordination.k8s.io/v1"
_CONFLICT = 409


class Lease:
    """The Lease `jsorc.<tree>` of one namespace."""

    def __init__(self, cluster: Cluster, *, tree: str, namespace: str, patience: float = PATIENCE) -> None:
        self._cluster = cluster
        self._ref = ObjectRef(
            group="coordination.k8s.io", kind="Lease", namespace=namespace, name=f"jsorc.{tree}"
        )
        self._patience = patience
        self._holder = f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:8]}"
        self._held: Body | None = None
        self._lost = ""
        self._done = Event()
        self._renewer = Thread(target=self._renew, name="jsorc-lease", daemon=True)

    def acquire(self) -> None:
        """Hold the lease; raise LeaseHeldError when another has it for longer than we wait, or ClusterError."""
        give_up = monotonic() + self._patience
        seen, since = "", monotonic()
        while not self._try(expired=bool(seen) and monotonic() - since > DURATION):
            (current,) = self._cluster.get_objects([(_API, self._ref)])
            spec = current["spec"] if isinstance(current, dict) else {}
            mark = f"{spec.get('holderIdentity')} {spec.get('renewTime')}"
            if mark != seen:
                seen, since = mark, monotonic()
            if monotonic() > give_up:
                raise LeaseHeldError(
                    f"{self._ref} is held by {spec.get('holderIdentity') or 'another reconciler'} since "
                    f"{spec.get('acquireTime', 'some time')}; it is let alone"
                )
            self._done.wait(1)
        self._renewer.start()

    def check(self) -> None:
        """Raise LeaseHeldError when the lease was lost meanwhile; to be asked before every write."""
        if self._lost:
            raise LeaseHeldError(f"{self._ref} was lost: {self._lost}; the pass stops here")

    def release(self) -> None:
        """Give the lease back, so that the next pass need not wait for it to expire."""
        self._done.set()
        if self._renewer.is_alive():
            self._renewer.join()
        if self._held is not None and not self._lost:
            # When it cannot be given back it expires.
            with suppress(ClusterError):
                self._cluster.replace_object(self._make(self._held, holder=""))
        self._held = None

    def _try(self, *, expired: bool) -> bool:
        (current,) = self._cluster.get_objects([(_API, self._ref)])
        if isinstance(current, ClusterError):
            raise current
        try:
            if current is None:
                self._held = self._cluster.create_object(self._make(None, holder=self._holder))
                return True
            if current["spec"].get("holderIdentity") and not expired:
                return False
            self._held = self._cluster.replace_object(self._make(current, holder=self._holder))
        except ClusterError as error:
            if error.status == _CONFLICT:
                return False
            raise
        return True

    def _renew(self) -> None:
        renewed = monotonic()
        while not self._done.wait(DURATION / 3):
            try:
                assert self._held is not None  # noqa: S101 - the thread begins after it was acquired
                self._held = self._cluster.replace_object(self._make(self._held, holder=self._holder))
                renewed = monotonic()
            except ClusterError as error:
                if error.status == _CONFLICT:
                    self._lost = "another reconciler took it over"
                    return
                if monotonic() - renewed > DURATION:
                    self._lost = f"it could not be renewed ({error})"
                    return

    def _make(self, current: Body | None, *, holder: str) -> dict[str, Any]:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        old = dict(current["spec"]) if current else {}
        taken = old.get("holderIdentity", "") != holder and holder
        spec = {
            "holderIdentity": holder,
            "leaseDurationSeconds": DURATION,
            "acquireTime": now if taken else old.get("acquireTime", now),
            "renewTime": now,
            "leaseTransitions": old.get("leaseTransitions", 0) + (1 if taken and old else 0),
        }
        metadata: dict[str, Any] = {"name": self._ref.name, "namespace": self._ref.namespace}
        if current is not None:
            metadata["resourceVersion"] = current["metadata"]["resourceVersion"]
        return {"apiVersion": _API, "kind": self._ref.kind, "metadata": metadata, "spec": spec}
