"""The status of a tree as one JSON document (docs/json.md)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from jsorc_gitops.reconcile.status import ServiceStatus, TreeStatus
from jsorc_gitops.reconcile.status_fields import HeldField
from jsorc_gitops.reconcile.status_objects import ObjectStatus

VERSION = 1
FIELDS = 100  # fields of an object that are named; of more, the number alone is told


def make_document(status: TreeStatus) -> Mapping[str, Any]:
    """The document, as JSON values; all objects are in it."""
    lease = status.lease
    ahead, behind = status.apart or (None, None)
    return {
        "version": VERSION,
        "time": _spell(status.now),
        "tree": status.tree,
        "namespace": status.namespace,
        "cluster": status.server,
        "head": status.head,
        "applied": {
            "revision": status.applied or None,
            "settled": status.settled or None,
            "ahead": ahead,
            "behind": behind,
        },
        "lease": {
            "state": lease.holding.value,
            "holder": lease.holder or None,
            "since": _spell(lease.since),
            "renewed": _spell(lease.renewed),
            "problem": lease.problem or None,
        },
        "applier": status.applier,
        "syncers": [
            {"object": each.ref._asdict(), "status": each.status.value, "message": each.message}
            for each in status.syncers
        ],
        "services": [_make_service(each) for each in status.services],
        "warnings": list(status.warnings),
        "errors": list(status.errors),
        "exitCode": status.exit_code,
        "requests": {"kubernetes": status.requests, "jaseci": status.jaseci_requests},
    }


def _make_service(service: ServiceStatus) -> dict[str, Any]:
    reset, pause, answer = service.reset, service.pause, service.answer
    return {
        "service": service.name,
        "inGit": service.in_git,
        "keepAlive": service.keep_alive,
        "via": service.via,
        "failing": service.is_failing,
        "health": service.health.value if service.health else None,
        "differing": service.differing,
        "pause": {"reason": pause.reason, "since": pause.since, "until": pause.until or None} if pause else None,
        "jaseci": {"state": answer.state.value, "detail": answer.detail, "automated": answer.automated}
        if answer
        else None,
        "reset": {
            "outcome": reset.outcome.value,
            "reason": reset.reason,
            "at": reset.at,
            "failures": reset.failures,
        }
        if reset.outcome
        else None,
        "due": reset.due or None,
        "nextReset": _spell(service.next_reset),
        "objects": [_make_object(each) for each in service.objects],
    }


def _make_object(status: ObjectStatus) -> dict[str, Any]:
    health = status.health
    return {
        "object": status.ref._asdict(),
        "standing": status.standing.value,
        "reason": status.reason,
        "health": {"status": health.status.value, "message": health.message, "log": list(health.log)}
        if health
        else None,
        "contested": _make_fields(status.held.contested),
        "extra": _make_fields(status.held.extra),
    }


def _make_fields(fields: tuple[HeldField, ...]) -> dict[str, Any]:
    return {
        "total": len(fields),
        "fields": [
            {
                "path": each.path.removeprefix("."),
                "manager": each.manager or None,
                "subresource": each.subresource or None,
                "verdict": each.verdict.value if each.verdict else None,
            }
            for each in fields[:FIELDS]
        ],
    }


def _spell(time: datetime | None) -> str | None:
    return time.isoformat(timespec="seconds") if time else None
