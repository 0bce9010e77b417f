"""Who holds the Lease of a tree, as it stands there; nobody waits for it here, and nothing is written."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from jsorc_gitops.errors import ClusterError
from jsorc_gitops.model.layout import lease_name
from jsorc_gitops.model.objects import Body, ObjectRef

LEASE_API = "coordination.k8s.io/v1"


class Holding(StrEnum):
    """Whether a pass is at work."""

    FREE = "free"
    HELD = "held"
    STALE = "stale"  # not given back, and not renewed for longer than it lasts
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseStatus:
    """The Lease: `since` it is held, `renewed` last (None where that is not said).

    One that is free was renewed last when it was given back, at the end of the last pass. `problem` is why it is
    unknown.
    """

    holding: Holding
    holder: str = ""
    since: datetime | None = None
    renewed: datetime | None = None
    problem: str = ""


def lease_ref(tree: str, namespace: str) -> ObjectRef:
    return ObjectRef(group="coordination.k8s.io", kind="Lease", namespace=namespace, name=lease_name(tree))


def judge_lease(answer: Body | ClusterError | None, now: datetime) -> LeaseStatus:
    """How a Lease stands; None is one that was never held.

    Its times are those of its holder's clock. So "stale" is what it looks like from here: who wants the Lease
    watches it on a clock of its own instead.
    """
    if isinstance(answer, ClusterError):
        return LeaseStatus(holding=Holding.UNKNOWN, problem=str(answer))
    spec = (answer or {}).get("spec") or {}
    try:
        since, renewed = (_read_time(spec.get(each)) for each in ("acquireTime", "renewTime"))
    except ValueError:
        return LeaseStatus(holding=Holding.UNKNOWN, problem="its times cannot be read")
    holder = str(spec.get("holderIdentity") or "")
    lasts = timedelta(seconds=spec.get("leaseDurationSeconds") or 0)
    holding = Holding.FREE
    if holder:
        holding = Holding.STALE if renewed and now - renewed > lasts else Holding.HELD
    return LeaseStatus(holding=holding, holder=holder, since=since if holder else None, renewed=renewed)


def _read_time(text: object) -> datetime | None:
    return datetime.fromisoformat(str(text)) if text else None
