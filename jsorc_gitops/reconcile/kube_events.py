"""What the Events of an object say, in both ways that they are written: by counts, or events.k8s.io by series.

https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/
"""

from collections.abc import Collection
from datetime import UTC, datetime

from jsorc_gitops.model.objects import Body
from jsorc_gitops.reconcile.conditions import parse_time
from jsorc_gitops.reconcile.evidence import Evidence

_NEVER = datetime.min.replace(tzinfo=UTC)


def list_events(subject: Body, evidence: Evidence, reasons: Collection[str] = ()) -> list[Body]:
    """The Events about an object, of these reasons where some are given, the latest last."""
    found = evidence.events.get(subject["metadata"].get("uid", ""), ())
    return sorted((each for each in found if not reasons or each.get("reason") in reasons), key=find_end)


def find_event(subject: Body, evidence: Evidence, reasons: Collection[str], *, says: str = "") -> Body | None:
    """The latest Event of one of the reasons whose message has the text `says`."""
    found = [each for each in list_events(subject, evidence, reasons) if says in str(each.get("message"))]
    return found[-1] if found else None


def find_probe(pod: Body, container: str, evidence: Evidence, kind: str) -> str:
    """What a probe ('Liveness', 'Readiness', 'Startup') of a container said last; "" where it did not fail."""
    found = [
        each
        for each in list_events(pod, evidence, {"Unhealthy"})
        if str(each.get("message")).startswith(f"{kind} probe ")
        and each["involvedObject"].get("fieldPath", "").endswith(f"{{{container}}}")
    ]
    return evidence.quote(found[-1].get("message")) if found else ""


def find_begin(event: Body) -> datetime:
    """When it happened first."""
    return parse_time(event.get("firstTimestamp")) or parse_time(event.get("eventTime")) or _NEVER


def find_end(event: Body) -> datetime:
    """When it happened last."""
    last = (event.get("series") or {}).get("lastObservedTime") or event.get("lastTimestamp")
    return parse_time(last) or find_begin(event)
