"""Everything that happened in a pass, as one value, as text and as an exit code."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from itertools import groupby
from typing import Any, NamedTuple

from jsorc_gitops.model.objects import ObjectRef
from jsorc_gitops.model.services import Way
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
    Action.RECREATE: "recreated",
    Action.UNCHANGED: "unchanged",
}
# What leaves an object as it is.
_IDLE = frozenset({Action.UNCHANGED, Action.YIELD})
# What the action alone says already.
_EXPECTED_REASONS = frozenset({"", "new", "changed", "no longer in the tree"})
_VALUE_LENGTH = 60
# Who a verdict on a service is about.
_WAYS: Mapping[Way, str] = {"jaseci": "Jaseci: ", "rollout": "rollout: ", "none": ""}


class Tone(StrEnum):
    """What a line tells, for who can show it in colours."""

    PLAIN = "plain"
    HEADING = "heading"
    MADE = "made"
    CHANGED = "changed"
    GONE = "gone"
    WARNING = "warning"
    BAD = "bad"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a run of a pass ended, with a report or by an error: its exit code, how long it took, and when."""

    exit_code: int
    seconds: float
    at: datetime


class Line(NamedTuple):
    """One line of a report."""

    text: str
    tone: Tone = Tone.PLAIN


_TONES = {
    Action.CREATE: Tone.MADE,
    Action.ADOPT: Tone.CHANGED,
    Action.CONFIGURE: Tone.CHANGED,
    Action.RECREATE: Tone.CHANGED,
    Action.PRUNE: Tone.GONE,
    Action.RELEASE: Tone.GONE,
    Action.YIELD: Tone.WARNING,
    Action.REFUSE: Tone.BAD,
    Action.UNCHANGED: Tone.PLAIN,
}
_STATUS_TONES = {Status.FAILED: Tone.BAD, Status.UNKNOWN: Tone.BAD, Status.PROGRESSING: Tone.WARNING}


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectResult:
    """What was done with one object, and what is to be known besides; `error` says why it was not."""

    ref: ObjectRef
    service: str
    action: Action
    reason: str = ""
    changes: tuple[FieldChange, ...] = ()
    note: str = ""
    error: str = ""
    lingers: bool = False  # deleted, and kept by finalizers

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
        note=step.note,
        error=error,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One pass, or with `dry_run` what it would do, on the API server at `server`.

    `requests` counts those to the API server, `jaseci_requests` those to Jaseci. `overdue` says that the time of
    `--wait` ran out.
    """

    revision: str
    tree: str = ""
    server: str = ""
    dry_run: bool = False
    objects: tuple[ObjectResult, ...] = ()
    healths: tuple[tuple[str, Health], ...] = ()  # (service, verdict)
    services: tuple[ServiceVerdict, ...] = ()
    warnings: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    overdue: bool = False
    requests: int = 0
    jaseci_requests: int = 0

    @property
    def changed(self) -> bool:
        """Whether anything was written to the cluster or reset; of a dry run, whether it would be."""
        acted = any(each.action not in _IDLE for each in self.objects if not each.is_bad)
        return acted or any(each.verdict in {Verdict.RESET, Verdict.FAILED} for each in self.services)

    @property
    def differs(self) -> bool:
        """Whether a dry run found differences, and nothing that is wrong."""
        return self.dry_run and self.changed and self.exit_code == 0

    @property
    def counts(self) -> Counter[Action]:
        """How many objects each action was carried out on."""
        return Counter(each.action for each in self.objects if not each.is_bad)

    @property
    def exit_code(self) -> int:
        """0, 1 where something could not be applied, 4 where it was but does not work (DESIGN §9)."""
        if self.errors or any(each.is_bad for each in self.objects):
            return 1
        if self.overdue or any(each.is_bad for each in self.services):
            return 4
        return 4 if any(health.status is Status.FAILED for _, health in self.healths) else 0


def join_reports(parts: Sequence[Report]) -> Report:
    """What was told part by part, as one; what is known of the pass is what the last part says.

    Of a verdict that changed, the last one counts.
    """
    healths = {pair[1].ref: pair for part in parts for pair in part.healths}
    return replace(
        parts[-1],
        objects=tuple(each for part in parts for each in part.objects),
        healths=tuple(healths.values()),
        overdue=any(part.overdue for part in parts),
        services=tuple(each for part in parts for each in part.services),
        warnings=tuple(each for part in parts for each in part.warnings),
        errors=tuple(each for part in parts for each in part.errors),
    )


def format_report(report: Report, *, quiet: bool) -> list[Line]:
    """The report as lines, grouped by service; quiet leaves out what is as it should be."""
    lines = format_body(report, quiet=quiet)
    # Who asks for a plan wants to hear that there is nothing to do.
    if lines or not quiet or report.dry_run:
        lines.append(Line(_summarize(report, quiet=quiet)))
    return lines


def format_body(report: Report, *, quiet: bool) -> list[Line]:
    """The report without its last line, which sums it up."""
    lines = [Line(f"warning: {each}", Tone.WARNING) for each in report.warnings]
    for name, part in sorted(_split(report).items()):
        body = [*_format_objects(part, quiet=quiet), *_format_verdicts(part, quiet=quiet)]
        if body:
            lines += [Line(name or "tree", Tone.HEADING), *(Line(f"  {text}", tone) for text, tone in body)]
    return [*lines, *(Line(f"error: {each}", Tone.BAD) for each in report.errors)]


def _split(report: Report) -> dict[str, Report]:
    """What concerns each service alone: to look through all of it for each would take the square of the time."""
    objects: dict[str, list[ObjectResult]] = defaultdict(list)
    healths: dict[str, list[tuple[str, Health]]] = defaultdict(list)
    services: dict[str, list[ServiceVerdict]] = defaultdict(list)
    for each in report.objects:
        objects[each.service].append(each)
    for pair in report.healths:
        healths[pair[0]].append(pair)
    for verdict in report.services:
        services[verdict.service].append(verdict)
    return {
        name: replace(
            report, objects=tuple(objects[name]), healths=tuple(healths[name]), services=tuple(services[name])
        )
        for name in {*objects, *healths, *services}
    }


def _format_objects(report: Report, *, quiet: bool) -> Iterator[Line]:
    ordered = sorted(report.objects, key=lambda each: each.action)
    for action, group in groupby(ordered, key=lambda each: each.action):
        results = list(group)
        # Beforehand nobody knows which; the pass itself tells what has changed.
        gone = "removed, or back to its default" if report.dry_run and action is Action.ADOPT else "removed"
        if action is Action.UNCHANGED and not quiet:
            yield Line(f"{_count(len(results))} unchanged")
        for each in results:
            if action is not Action.UNCHANGED or each.error or each.note:
                yield _format_object(each, dry_run=report.dry_run)
            yield from (Line(f"  {_format_change(change, gone)}") for change in each.changes)
            if each.note:
                yield Line(f"  {each.note}")


def _format_object(result: ObjectResult, *, dry_run: bool) -> Line:
    done = _DONE[result.action]
    if result.error:
        return Line(f"{result.ref} not {done}: {result.error}", Tone.BAD)
    would = "would be " if dry_run and result.action not in {Action.UNCHANGED, Action.REFUSE} else ""
    reason = f": {result.reason}" if result.reason not in _EXPECTED_REASONS else ""
    return Line(f"{result.ref} {would}{done}{reason}", _TONES[result.action])


def _format_change(change: FieldChange, gone: str) -> str:
    by = f" (set by {change.by})" if change.by else ""
    if "\n" in f"{change.before}{change.after}":
        return f"{change.path} changed{by}"
    if change.before is None:
        return f"{change.path}: set to {_format_value(change.after)}"
    if change.after is None:
        return f"{change.path}: {_format_value(change.before)} {gone}{by}"
    return f"{change.path}: {_format_value(change.before)} → {_format_value(change.after)}{by}"


def _format_value(value: Any) -> str:
    text = str(value)
    return text if len(text) <= _VALUE_LENGTH else f"{text[: _VALUE_LENGTH - 1]}…"


def _format_verdicts(report: Report, *, quiet: bool) -> Iterator[Line]:
    for _, health in report.healths:
        if health.is_told and not (quiet and health.status is Status.CURRENT):
            tone = _STATUS_TONES.get(health.status, Tone.PLAIN)
            yield Line(f"{health.ref} {health.status}: {health.message}", tone)
            yield from (Line(f"  | {each}") for each in health.log)
    for each in report.services:
        # One that is reset by a rollout runs as its pods do, which is told already.
        runs = each.via == "rollout" and each.verdict is Verdict.RUNNING
        if not runs and not (quiet and each.is_calm):
            changed = Tone.CHANGED if each.verdict is Verdict.RESET else Tone.PLAIN
            reason = f", {each.reason}" if each.reason else ""
            yield Line(f"{_WAYS[each.via]}{each.verdict}{reason}", Tone.BAD if each.is_bad else changed)
            if each.note:
                yield Line(f"  {each.note}", Tone.WARNING)


def _summarize(report: Report, *, quiet: bool) -> str:
    done = report.counts
    counts = [f"{done[each]} {_DONE[each]}" for each in Action if done[each] and each is not Action.UNCHANGED]
    bad = sum(each.is_bad for each in report.objects)
    counts += [f"{bad} refused or failed"] if bad else []
    for verdict in (Verdict.RESET, Verdict.FAILED):
        number = sum(each.verdict is verdict for each in report.services)
        counts += [f"{number} reset" if verdict is Verdict.RESET else f"{number} not running"] if number else []
    settled = report.exit_code == 0 and all(each.status is Status.CURRENT for _, each in report.healths)
    what = ", ".join(counts) or ("nothing to do" if settled else "nothing changed")
    # Beside Flux and Argo CD a pass acts on none.
    asked = f"{_count(len(report.objects))}, " if report.objects else ""
    asked += f"{report.requests} requests to Kubernetes"
    asked += f", {report.jaseci_requests} to Jaseci" if report.jaseci_requests else ""
    # Where it went, once, for who has several clusters.
    is_asked_for = report.changed or report.dry_run or not quiet
    where = f" on {report.server}" if report.server and is_asked_for else ""
    plan = "dry run of " if report.dry_run else ""
    revision = report.revision[:12] or f"tree {report.tree}"
    return f"{plan}{revision}{where}: {what} ({asked})"


def _count(number: int) -> str:
    return f"{number} object" if number == 1 else f"{number} objects"
