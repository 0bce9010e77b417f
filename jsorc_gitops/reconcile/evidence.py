"""What a verdict on an object is computed from, and what a rule finds; values alone."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from jsorc_gitops.errors import ClusterError
from jsorc_gitops.model.objects import Body, ObjectRef

# How long what will not come right by waiting has to last before it is a failure: a first pull from a slow
# registry, a Secret that another tool makes and a first crash before the database answers are none.
PATIENCE = timedelta(seconds=30)
# The same for what a cluster may still do in answer: an autoscaler brings a node, an agent its first metrics.
LONG_PATIENCE = timedelta(minutes=5)

_LONGEST = 400  # of what a message quotes


class Status(StrEnum):
    """How an object is: as git says, on its way, failing, or not known."""

    CURRENT = "current"
    PROGRESSING = "progressing"
    FAILED = "failed"
    UNKNOWN = "unknown"


class LogRef(NamedTuple):
    """Whose log: of a container that is to be asked for its run before this one, or for this one."""

    namespace: str
    pod: str
    container: str
    previous: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that verdicts are computed from; nothing else is looked at.

    Attributes:
        live: objects of the cluster by identity; what is not among them is not there.
        pods: all pods of a namespace, or why they could not be listed.
        now: the time of the API server, since its timestamps are what durations are computed from.
        scrub: takes secrets out of a text that a program or the API server wrote (model/scrubbing.py).
        events: core/v1 Events by the UID of the object that they are about; there may be none of any.
        logs: the last lines of containers that crashed; there may be none of any.
    """

    live: Mapping[ObjectRef, Body] = field(repr=False)
    pods: Mapping[str, Sequence[Body] | ClusterError] = field(repr=False)
    now: datetime
    scrub: Callable[[str], str] = field(repr=False)
    events: Mapping[str, Sequence[Body]] = field(default_factory=dict, repr=False)
    logs: Mapping[LogRef, str] = field(default_factory=dict, repr=False)

    def quote(self, text: object) -> str:
        """A text of somebody else in one line, without secrets, and not too long."""
        line = " ".join(self.scrub(str(text or "")).split())
        return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"


class Finding(NamedTuple):
    """What a rule finds: a verdict on an object that is not named here (health.Health explains the fields)."""

    status: Status
    message: str
    log: tuple[str, ...] = ()
    until: datetime | None = None
    events_of: tuple[str, ...] = ()
    log_of: LogRef | None = None


class Cause(NamedTuple):
    """Why something does not come right. With a `patience`, waiting longer than that since `since` is in vain."""

    text: str
    since: datetime | None = None
    patience: timedelta | None = None
    log: tuple[str, ...] = ()
    log_of: LogRef | None = None


def current(message: str) -> Finding:
    return Finding(Status.CURRENT, message)


def progressing(message: str) -> Finding:
    return Finding(Status.PROGRESSING, message)


def failed(message: str) -> Finding:
    return Finding(Status.FAILED, message)


def doomed(message: str, *, since: datetime | None, now: datetime, patience: timedelta = PATIENCE) -> Finding:
    """Failed once it has lasted, progressing before, and where nobody knows since when."""
    if since is None:
        return progressing(message)
    until = since + patience
    return failed(message) if now >= until else progressing(message)._replace(until=until)
