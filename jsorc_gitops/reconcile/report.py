"""Everything that happened in a pass, as one value, as text and as an exit code."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from jsorc_gitops.model.objects import ObjectRef
from jsorc_gitops.reconcile.health import Health, Status
from jsorc_gitops.reconcile.plan import Action, FieldChange, Step
from jsorc_gitops.reconcile.resets import ServiceVerdict, Verdict

_DONE = {
    Action.CREATE: "created",
    Action.ADOPT: "adopted",
    Action.CONFIGURE: "configured",
    Action.PRUNE: "pruned",
    Action.RELEASE: "released",
    Action.YIELD: "yielded",
    Action.REFUSE: "refused",
    Action.UNCHANGED: "unchanged",
}
# What the action alone says already.
_EXPECTED_REASONS = frozenset({"", "new", "changed", "no longer in the tree"})
_VALUE_LENGTH = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectResult:
    """What was done with one object; `error` says why it was not."""

    ref: ObjectRef
    service: str
    action: Action
    reason: str = ""
    changes: tuple[FieldChange, ...] = ()
    error: str = ""

    @property
    def is_bad(self) -> bool:
        return bool(self.error) or self.action is Action.REFUSE


def make_result(step: Step, *, changes: tuple[FieldChange, ...] = (), error: str = "") -> ObjectResult:
    """What a step came to."""
    return ObjectResult(
        ref=step.ref,
        service=step.service,
        action=step.action,
        reason=step.reason,
        changes=changes,
        error=error,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One pass; `requests` counts those to the API server, `jaseci_requests` those to Jaseci."""

    revision: str
    objects: tuple[ObjectResult, ...] = ()
    healths: tuple[tuple[str, Health], ...] = ()  # (service, verdict)
    services: tuple[ServiceVerdict, ...] = ()
    warnings: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    requests: int = 0
    jaseci_requests: int = 0

    @property
    def changed(self) -> bool:
        """Whether anything was written to the cluster or reset."""
        acted = any(each.action is not Action.UNCHANGED for each in self.objects if not each.is_bad)
        return acted or any(each.verdict in {Verdict.RESET, Verdict.FAILED} for each in self.services)

    @property
    def exit_code(self) -> int:
        """0, 1 where something could not be applied, 4 where it was but does not work (DESIGN §9)."""
        if self.errors or any(each.is_bad for each in self.objects):
            return 1
        if any(each.is_bad for each in self.services):
            return 4
        return 4 if any(health.status is Status.FAILED for _, health in self.healths) else 0


def format_report(report: Report, *, quiet: bool) -> list[str]:
    """The report as lines, grouped by service; quiet leaves out what is as it should be."""
    lines = [f"warning: {each}" for each in report.warnings]
    names = {each.service for each in report.objects} | {each.service for each in report.services}
    for name in sorted(names | {name for name, _ in report.healths}):
        body = [*_format_objects(report, name, quiet=quiet), *_format_verdicts(report, name, quiet=quiet)]
        if body:
            lines += [name or "tree", *(f"  {line}" for line in body)]
    lines += [f"error: {each}" for each in report.errors]
    if lines or not quiet:
        lines.append(_summarize(report))
    return lines


def _format_objects(report: Report, service: str, *, quiet: bool) -> Iterator[str]:
    own = sorted((each for each in report.objects if each.service == service), key=lambda each: each.action)
    for action, group in groupby(own, key=lambda each: each.action):
        results = list(group)
        if action is Action.UNCHANGED and not any(each.error for each in results):
            if not quiet:
                yield f"{_count(len(results))} unchanged"
            continue
        for each in results:
            yield _format_object(each)
            yield from (f"  {_format_change(change)}" for change in each.changes)


def _format_object(result: ObjectResult) -> str:
    if result.error:
        return f"{result.ref} not {_DONE[result.action]}: {result.error}"
    reason = f": {result.reason}" if result.reason not in _EXPECTED_REASONS else ""
    return f"{result.ref} {_DONE[result.action]}{reason}"


def _format_change(change: FieldChange) -> str:
    by = f" (set by {change.by})" if change.by else ""
    if "\n" in f"{change.before}{change.after}":
        return f"{change.path} changed{by}"
    if change.before is None:
        return f"{change.path}: set to {_format_value(change.after)}"
    if change.after is None:
        return f"{change.path}: {_format_value(change.before)} removed{by}"
    return f"{change.path}: {_format_value(change.before)} → {_format_value(change.after)}{by}"


def _format_value(value: Any) -> str:
    text = str(value)
    return text if len(text) <= _VALUE_LENGTH else f"{text[: _VALUE_LENGTH - 1]}…"


def _format_verdicts(report: Report, service: str, *, quiet: bool) -> Iterator[str]:
    for name, health in report.healths:
        if name == service and not (quiet and health.status is Status.CURRENT):
            yield f"{health.ref} {health.status}: {health.message}"
    for each in report.services:
        if each.service == service and not (quiet and each.verdict in {Verdict.RUNNING, Verdict.DISABLED}):
            yield f"Jaseci: {each.verdict}" + (f", {each.reason}" if each.reason else "")


def _summarize(report: Report) -> str:
    done = [each for each in report.objects if not each.is_bad]
    counts = [
        f"{number} {_DONE[action]}"
        for action in Action
        if (number := sum(each.action is action for each in done)) and action is not Action.UNCHANGED
    ]
    bad = sum(each.is_bad for each in report.objects)
    counts += [f"{bad} refused or failed"] if bad else []
    for verdict in (Verdict.RESET, Verdict.FAILED):
        number = sum(each.verdict is verdict for each in report.services)
        counts += [f"{number} reset" if verdict is Verdict.RESET else f"{number} not running"] if number else []
    settled = report.exit_code == 0 and all(each.status is Status.CURRENT for _, each in report.healths)
    what = ", ".join(counts) or ("nothing to do" if settled else "nothing changed")
    asked = f"{report.requests} requests to Kubernetes"
    asked += f", {report.jaseci_requests} to Jaseci" if report.jaseci_requests else ""
    return f"{report.revision[:12]}: {what} ({_count(len(report.objects))}, {asked})"


def _count(number: int) -> str:
    return f"{number} object" if number == 1 else f"{number} objects"
