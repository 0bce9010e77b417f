"""What a verdict on an object is computed from, and what a rule finds; values alone."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from jsorc_gitops.errors import ClusterError
from jsorc_gitops.model.objects import Body, ObjectRef


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
