"""A pass as JSON: one document for everything that happened, and a last one that sums it up (docs/json.md)."""

from collections.abc import Collection, Iterator, Mapping
from enum import StrEnum
from typing import Any

from jsorc_gitops.errors import JsorcError, LeaseHeldError
from jsorc_gitops.model.objects import ObjectRef
from jsorc_gitops.reconcile.health import Status
from jsorc_gitops.reconcile.plan import Action
from jsorc_gitops.reconcile.report import Ending, ObjectResult, Report

VERSION = 1

Event = Mapping[str, Any]


class Result(StrEnum):
    """What came of a pass, in one word."""

    UNCHANGED = "unchanged"
    CHANGED = "changed"
    DIFFERENT = "different"  # a dry run, and a pass would change something
    REFUSED = "refused"  # something was, or failed
    FAILING = "failing"  # applied, and it does not work
    HELD = "held"  # another pass is at work


def make_events(report: Report, *, quiet: bool, known: Collection[ObjectRef] = ()) -> Iterator[Event]:
    """An event for everything that happened; quiet leaves out what is as it should be.

    Of objects that are `known` the verdict has changed, so it is told in any case.
    """
    yield from (make_message("warning", each) for each in report.warnings)
    for result in report.objects:
        if not quiet or result.action is not Action.UNCHANGED or result.error or result.note:
            yield _make_object(result)
    for service, health in report.healths:
        if health.ref in known or (health.is_told and not (quiet and health.status is Status.CURRENT)):
            yield {
                "event": "health",
                "service": service,
                "object": health.ref._asdict(),
                "status": health.status.value,
                "message": health.message,
                "log": list(health.log),
            }
    for each in report.services:
        if not quiet or not each.is_calm:
            yield {
                "event": "service",
                "service": each.service,
                "via": each.via,
                "verdict": each.verdict.value,
                "reason": each.reason,
                "note": each.note,
            }
    yield from (make_message("error", each) for each in report.errors)


def make_message(event: str, message: str) -> Event:
    """A warning or an error that is about no single object."""
    return {"event": event, "message": message}


def make_summary(told: Report, ending: Ending, error: JsorcError | None = None) -> Event:
    """The last event of a pass; with an `error`, of one that it ended."""
    return {
        "event": "summary",
        "version": VERSION,
        "outcome": _judge(told, error).value,
        "exitCode": ending.exit_code,
        "dryRun": told.dry_run,
        "tree": told.tree or None,
        "revision": told.revision or None,
        "cluster": told.server or None,
        "counts": {each.value: told.counts[each] for each in Action if each is not Action.REFUSE},
        "failed": sum(each.is_bad for each in told.objects),
        "total": len(told.objects),
        "requests": {"kubernetes": told.requests, "jaseci": told.jaseci_requests},
        "seconds": round(ending.seconds, 3),
        "time": ending.at.isoformat(timespec="seconds"),
    }


def _judge(report: Report, error: JsorcError | None) -> Result:
    if error is not None:
        return Result.HELD if isinstance(error, LeaseHeldError) else Result.REFUSED
    if report.exit_code:
        return Result.FAILING if report.exit_code == 4 else Result.REFUSED  # noqa: PLR2004 - DESIGN §9
    if not report.changed:
        return Result.UNCHANGED
    return Result.DIFFERENT if report.dry_run else Result.CHANGED


def _make_object(result: ObjectResult) -> Event:
    return {
        "event": "object",
        "service": result.service,
        "object": result.ref._asdict(),
        "action": result.action.value,
        "reason": result.reason,
        "note": result.note,
        "error": result.error or None,
        "fields": [
            {
                "path": change.path.removeprefix("."),
                "before": change.before,
                "after": change.after,
                "by": change.by or None,
            }
            for change in result.changes
        ],
    }
