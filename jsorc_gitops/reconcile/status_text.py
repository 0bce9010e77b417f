"""The status of a tree as text, itself a tree: services below it, below them what is to be told of each."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from jsorc_gitops.model.jaseci import ServiceState
from jsorc_gitops.reconcile.health import Health, Status
from jsorc_gitops.reconcile.ledger import Outcome
from jsorc_gitops.reconcile.ownership import Verdict
from jsorc_gitops.reconcile.report import Tone
from jsorc_gitops.reconcile.status import ServiceStatus, TreeStatus
from jsorc_gitops.reconcile.status_fields import HeldField
from jsorc_gitops.reconcile.status_lease import Holding, LeaseStatus
from jsorc_gitops.reconcile.status_objects import ObjectStatus, Standing
from jsorc_gitops.reconcile.syncers import NAMES

_NAMED = 5  # fields of an object that are named; of more, the rest is counted

_STANDINGS = {
    Standing.APPLIED: "as applied",
    Standing.NEW: "not applied yet",
    Standing.OUTDATED: "git says something else than what was applied",
    Standing.CHANGED: "changed since it was applied",
    Standing.MISSING: "deleted since it was applied",
    Standing.DELETING: "being deleted",
    Standing.PENDING: "pending",
    Standing.FOREIGN: "not ours",
    Standing.KEPT: "left alone",
    Standing.REMOVED: "no longer in git",
    Standing.UNREAD: "not known",
}
_STANDING_TONES = {
    Standing.NEW: Tone.MADE,
    Standing.OUTDATED: Tone.CHANGED,
    Standing.CHANGED: Tone.CHANGED,
    Standing.MISSING: Tone.CHANGED,
    Standing.DELETING: Tone.WARNING,
    Standing.PENDING: Tone.WARNING,
    Standing.FOREIGN: Tone.BAD,
    Standing.KEPT: Tone.WARNING,
    Standing.REMOVED: Tone.GONE,
    Standing.UNREAD: Tone.BAD,
}
_HEALTH_TONES = {Status.FAILED: Tone.BAD, Status.UNKNOWN: Tone.BAD, Status.PROGRESSING: Tone.WARNING}
_RESET_TONES = {Outcome.PENDING: Tone.WARNING, Outcome.DONE: Tone.PLAIN, Outcome.FAILED: Tone.BAD}
_FATES = {
    Verdict.TAKE: "to be taken back",
    Verdict.YIELD: "left to it",
    Verdict.FAIL: "a pass would refuse it",
}
# What becomes of an object because git says something else than what was applied.
_FROM_GIT = frozenset({Standing.NEW, Standing.OUTDATED, Standing.REMOVED})
_SAME = " and says the same of these objects"
_UNITS = (("days", 86400), ("h", 3600), ("min", 60))


class Guides(NamedTuple):
    """What leads to a node: to one that others follow, to the last one; and what stands below either."""

    branch: str
    last: str
    below: str
    below_last: str


LINES = Guides("├─ ", "└─ ", "│  ", "   ")
PLAIN = Guides("|- ", "`- ", "|  ", "   ")


class TreeLine(NamedTuple):
    """One line: the guides that lead to it, its text, and what it tells."""

    guide: str
    text: str
    tone: Tone


@dataclass(frozen=True, slots=True, kw_only=True)
class _Node:
    text: str
    tone: Tone = Tone.PLAIN
    children: Sequence["_Node"] = ()


def format_status(status: TreeStatus, *, verbose: bool, guides: Guides) -> list[TreeLine]:
    """The status as lines; `verbose` names the objects, too, that there is nothing to tell of."""
    lines = [TreeLine("", _format_head(status), Tone.HEADING)]
    nodes = [_make_syncer(each) for each in status.syncers if verbose or each.status is not Status.CURRENT]
    nodes += [_make_service(each, status.now, verbose=verbose) for each in status.services if _is_told(each)]
    lines += _lay_out(nodes, "", guides)
    lines += [TreeLine("", f"warning: {each}", Tone.WARNING) for each in status.warnings]
    lines += [TreeLine("", f"error: {each}", Tone.BAD) for each in status.errors]
    return [*lines, TreeLine("", _summarize(status), Tone.PLAIN)]


def _lay_out(nodes: Sequence[_Node], above: str, guides: Guides) -> Iterator[TreeLine]:
    for node in nodes:
        is_last = node is nodes[-1]
        yield TreeLine(above + (guides.last if is_last else guides.branch), node.text, node.tone)
        below = above + (guides.below_last if is_last else guides.below)
        yield from _lay_out(node.children, below, guides)


def _is_told(service: ServiceStatus) -> bool:
    return bool(service.name or service.objects)


def _format_head(status: TreeStatus) -> str:
    lease = _format_lease(status.lease, status.now)
    return f"{status.tree} at {status.head[:12]}, {_format_applied(status)}; {status.server}; lease {lease}"


def _summarize(status: TreeStatus) -> str:
    services = [each for each in status.services if each.name]
    words = [_count(len(services), "service")]
    failing, paused = sum(each.is_failing for each in services), sum(each.pause is not None for each in services)
    words += [f"{failing} failing"] if failing else []
    words += [f"{paused} paused"] if paused else []
    words.append(_count(sum(len(each.objects) for each in status.services), "object"))
    differing = sum(each.differing for each in status.services)
    words += [f"{differing} not as in git"] if differing else []
    asked = f"{status.requests} requests to Kubernetes"
    asked += f", {status.jaseci_requests} to Jaseci" if status.jaseci_requests else ""
    return f"{', '.join(words)} ({asked})"


def _format_applied(status: TreeStatus) -> str:
    applied = status.applied[:12]
    if not applied and status.applier != "jsorc":
        return (
            "not all applied at one commit" if status.syncers else f"not applied by {NAMES[status.applier]} yet"
        )
    if not applied:
        return "never applied"
    unsettled = "" if status.settled == status.applied else ", not all of it settled"
    if status.apart is None:
        return f"{applied} was applied last{unsettled}, which this clone does not know"
    ahead, behind = status.apart
    if not (ahead or behind):
        return f"applied{unsettled}"
    parts = [f"{_count(ahead, 'commit')} ahead of"] if ahead else []
    parts += [f"{_count(behind, 'commit')} behind"] if behind else []
    same = "" if any(each.standing in _FROM_GIT for of in status.services for each in of.objects) else _SAME
    return f"{' and '.join(parts)} {applied}, which was applied last{unsettled}{same}"


def _format_lease(lease: LeaseStatus, now: datetime) -> str:
    renewed = f"renewed {_format_age(lease.renewed, now)} ago" if lease.renewed else "never renewed"
    match lease.holding:
        case Holding.FREE:
            return f"free, given back {_format_age(lease.renewed, now)} ago" if lease.renewed else "never held"
        case Holding.HELD:
            return f"held by {lease.holder} for {_format_age(lease.since, now)}, {renewed}"
        case Holding.STALE:
            return f"stale: held by {lease.holder}, last {renewed}"
    return f"unknown: {lease.problem}"


def _make_syncer(health: Health) -> _Node:
    tone = _HEALTH_TONES.get(health.status, Tone.PLAIN)
    return _Node(text=f"{health.ref}: {health.status}, {health.message}", tone=tone)


def _make_service(service: ServiceStatus, now: datetime, *, verbose: bool) -> _Node:
    objects = service.objects if verbose else [each for each in service.objects if not each.is_calm]
    nodes = {f"{each.ref}: ": _make_object(each) for each in objects}
    return _Node(
        text=f"{service.name or 'tree'}: {', '.join(_list_words(service))}",
        tone=_choose_tone(service),
        children=[*_make_jaseci(service, now), *_list_objects(nodes, verbose=verbose)],
    )


def _list_objects(nodes: Mapping[str, _Node], *, verbose: bool) -> Iterator[_Node]:
    """A line for each object; many of which the same is to be told are counted."""
    alike = Counter(node for node in nodes.values() if not node.children)
    counted = set()
    for name, node in nodes.items():
        if verbose or alike[node] <= _NAMED:
            yield replace(node, text=name + node.text)
        elif node not in counted:
            counted.add(node)
            yield replace(node, text=f"{_count(alike[node], 'object')}: {node.text}")


def _list_words(service: ServiceStatus) -> Iterator[str]:
    if not service.in_git:
        yield "no longer in git"
    elif not service.keep_alive:
        yield "not kept alive"
    if pause := service.pause:
        until = f" until {pause.until}" if pause.until else ""
        yield f"paused{until} ({pause.reason})"
    if service.health:
        yield service.health.value
    if service.answer:
        yield f"Jaseci {service.answer.state}"
    if unread := sum(each.standing is Standing.UNREAD for each in service.objects):
        yield f"{_count(unread, 'object')} not known"
    if not service.in_git:
        yield f"{_count(service.differing, 'object')} still there"
    elif service.differing:
        yield f"{service.differing} of {_count(len(service.objects), 'object')} not as in git"
    elif len(service.objects) > unread:
        yield f"{_count(len(service.objects) - unread, 'object')} as in git"


def _choose_tone(service: ServiceStatus) -> Tone:
    if service.is_failing:
        return Tone.BAD
    if service.pause or service.differing or service.health is Status.PROGRESSING:
        return Tone.WARNING
    return Tone.HEADING


def _make_jaseci(service: ServiceStatus, now: datetime) -> Iterator[_Node]:
    answer, reset = service.answer, service.reset
    if answer and answer.detail:
        bad = answer.state not in {ServiceState.RUNNING, ServiceState.DISABLED}
        yield _Node(text=f"Jaseci: {answer.detail}", tone=Tone.BAD if bad else Tone.PLAIN)
    if answer and answer.automated:
        yield _Node(text="Jaseci resets it, too (automated)", tone=Tone.WARNING)
    if reset.outcome:
        ago = _format_age(datetime.fromisoformat(reset.at), now)
        row = f", {reset.failures} in a row" if reset.failures > 1 else ""
        tone = _RESET_TONES[reset.outcome]
        yield _Node(text=f"last reset {reset.outcome}{row}, {ago} ago ({reset.at}): {reset.reason}", tone=tone)
    if reset.due:
        yield _Node(text=f"to be reset: {reset.due}", tone=Tone.WARNING)
    if service.next_reset:
        yield _Node(text=f"next reset not before {service.next_reset:%H:%M:%S} UTC", tone=Tone.WARNING)


def _make_object(status: ObjectStatus) -> _Node:
    """What is to be told of an object, but for its name."""
    words, tone = [], Tone.PLAIN
    if status.standing is not Standing.APPLIED or not status.health:
        reason = f" ({status.reason})" if status.reason else ""
        words.append(_STANDINGS[status.standing] + reason)
        tone = _STANDING_TONES.get(status.standing, tone)
    if health := status.health:
        words.insert(0, f"{health.status}, {health.message}" if health.message else health.status.value)
        tone = _HEALTH_TONES.get(health.status, tone)
    children = [_Node(text=f"| {line}") for line in (health.log if health else ())]
    if status.held.contested:
        children.append(_Node(text=f"held by others: {_format_fields(status.held.contested)}", tone=Tone.CHANGED))
    if status.held.extra:
        children.append(_Node(text=f"extra: {_format_fields(status.held.extra)}"))
    return _Node(text="; ".join(words), tone=tone, children=tuple(children))


def _format_fields(fields: Sequence[HeldField]) -> str:
    more = f" and {len(fields) - _NAMED} more" if len(fields) > _NAMED else ""
    return ", ".join(map(_format_field, fields[:_NAMED])) + more


def _format_field(held: HeldField) -> str:
    words = [held.manager or "nobody known", held.subresource]
    words += [_FATES[held.verdict]] if held.verdict else []
    return f"{held.path} ({', '.join(filter(None, words))})"


def _format_age(since: datetime | None, now: datetime) -> str:
    """'2 s', '3 min', '4 days'; never less than none, since clocks differ."""
    seconds = max(int(((now - since) if since else timedelta()).total_seconds()), 0)
    for unit, size in _UNITS:
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
