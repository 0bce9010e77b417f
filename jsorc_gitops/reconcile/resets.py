"""Which services are reset, and why; decides only (DESIGN §7)."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from graphlib import CycleError, TopologicalSorter

from jsorc_gitops.errors import TreeError
from jsorc_gitops.model.jaseci import Answer, ServiceState
from jsorc_gitops.model.objects import ObjectRef
from jsorc_gitops.model.services import ServiceRecord, Way
from jsorc_gitops.reconcile.health import Health, Status
from jsorc_gitops.reconcile.ledger import NEW, Ledger, LedgerEntry
from jsorc_gitops.reconcile.rollouts import Seen, explain_change

# From so many failed resets in a row, the next one waits: the interval doubled for each of them, an hour at most.
PATIENT_FROM = 3
LONGEST = timedelta(hours=1)

Watched = Mapping[ObjectRef, Seen]


class Verdict(StrEnum):
    """What became of one service in a pass."""

    RUNNING = "running"
    DISABLED = "disabled"
    WAITING = "waiting"  # for its own pods
    BLOCKED = "blocked"  # by a service it depends on
    UNKNOWN = "unknown"
    RESET = "reset"
    FAILED = "failed"
    PAUSED = "paused"  # by jsorc pause


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceVerdict:
    """The verdict on one service, by the way it is reset, with its reason."""

    service: str
    verdict: Verdict
    reason: str = ""
    note: str = ""  # what is to be known besides, whatever the verdict
    via: Way = "jaseci"
    restarted: bool = False  # its workloads were, a moment ago

    @property
    def is_bad(self) -> bool:
        return self.verdict in {Verdict.FAILED, Verdict.UNKNOWN}

    @property
    def is_calm(self) -> bool:
        """Whether it is as it should be, and was before."""
        return not self.note and self.verdict in {Verdict.RUNNING, Verdict.DISABLED}


def make_verdict(record: ServiceRecord, verdict: Verdict, reason: str = "") -> ServiceVerdict:
    return ServiceVerdict(service=record.name, verdict=verdict, reason=reason, via=record.via)


def make_order(records: Mapping[str, ServiceRecord]) -> "TopologicalSorter[str]":
    """The services in order, those that others depend on first; prepared. Raises TreeError for a circle."""
    graph = {name: sorted(set(record.depends_on) & records.keys()) for name, record in sorted(records.items())}
    order = TopologicalSorter(graph)
    try:
        order.prepare()
    except CycleError as error:
        chain = " → ".join(reversed(error.args[1]))
        raise TreeError(f"the records' dependsOn goes round in a circle: {chain}; run jsorc render") from error
    return order


def list_resettable(records: Mapping[str, ServiceRecord], *, jaseci: bool) -> list[str]:
    """The services that jsorc may reset; without `jaseci` those alone whose workloads it restarts."""
    ways = {"jaseci", "rollout"} if jaseci else {"rollout"}
    return [name for name, record in records.items() if record.keep_alive and record.via in ways]


def find_dependents(name: str, records: Mapping[str, ServiceRecord]) -> set[str]:
    """Who depends on a service, at any distance."""
    found: set[str] = set()
    pending = {name}
    while pending:
        pending = {each for each, record in records.items() if not pending.isdisjoint(record.depends_on)} - found
        found |= pending
    return found


def find_dependencies(names: Collection[str], records: Mapping[str, ServiceRecord]) -> set[str]:
    """What these services depend on, at any distance."""
    found: set[str] = set()
    pending = {*names}
    while pending:
        pending = {below for name in pending if name in records for below in records[name].depends_on} - found
        found |= pending
    return found


def note_rollouts(
    ledger: Ledger,
    records: Mapping[str, ServiceRecord],
    watched: Mapping[str, Watched],
    resettable: Collection[str],
) -> Ledger:
    """The ledger with the workloads as they are, by service, and what is due because they are others than before.

    A workload that is seen for the first time is the baseline for later ones. Services that are gone are
    forgotten, but for those that somebody paused.
    """
    entries = {name: each for name, each in ledger.entries.items() if name in records or each.pause}
    for name, workloads in watched.items():
        entry = entries.get(name, NEW)
        cause = _find_cause(entry, workloads)
        now = {str(ref): seen for ref, seen in workloads.items()}
        if now != entry.seen:
            entries[name] = replace(entry, seen=now)
        if not cause:
            continue
        # One that is restarted by a rollout has had what it needs.
        own = [name] if records[name].via == "jaseci" else []
        for each in {*own, *find_dependents(name, records)} & {*resettable}:
            entries[each] = owe_reset(entries.get(each, NEW), records[each], cause)
    return replace(ledger, entries=entries)


def owe_reset(entry: LedgerEntry, record: ServiceRecord, cause: str) -> LedgerEntry:
    """The entry of a service that is to be reset, for a new cause: what failed before it does not count."""
    # A restart that is under way began before this, so it is not the one that is due.
    outcome = entry.outcome if record.via == "jaseci" else None
    return replace(entry, due=cause, outcome=outcome, failures=0)


def _find_cause(entry: LedgerEntry, workloads: Watched) -> str:
    for ref, seen in workloads.items():
        before = entry.seen.get(str(ref))
        if before and (change := explain_change(before, seen, by_node=ref.kind == "DaemonSet")):
            return f"{ref} {change}"
    return ""


def find_next(entry: LedgerEntry, *, interval: float, now: datetime) -> datetime | None:
    """Before when a service is not reset again, since too many resets in a row failed; None for at once."""
    if entry.failures < PATIENT_FROM:
        return None
    # Doubled more often than that it is an hour anyway.
    seconds = min(interval * 2 ** min(entry.failures, 32), LONGEST.total_seconds())
    until = datetime.fromisoformat(entry.at) + timedelta(seconds=seconds)
    # A time that lies further away than the longest pause was written by a clock that went wrong.
    return until if now < until <= now + LONGEST else None


def check_backoff(
    record: ServiceRecord, entry: LedgerEntry, *, was: str, interval: float, now: datetime
) -> ServiceVerdict | None:
    """Why a service that is to be reset is not reset yet: the last resets failed."""
    until = find_next(entry, interval=interval, now=now)
    if until is None:
        return None
    reason = f"{was}; {entry.failures} resets in a row failed, the next is not before {until:%H:%M:%S} UTC"
    reason += f" (jsorc reset {record.name} does it now)"
    return make_verdict(record, Verdict.FAILED, reason)


def check_pods(record: ServiceRecord, healths: Mapping[ObjectRef, Health]) -> ServiceVerdict | None:
    """Why a service is not even asked about: its pods are not ready. None when they are, or it has none."""
    for ref in record.watch:
        health = healths[ref]
        if health.status is not Status.CURRENT:
            verdict = Verdict.UNKNOWN if health.status is Status.UNKNOWN else Verdict.WAITING
            return make_verdict(record, verdict, f"{ref}: {health.message}")
    return None


def check_dependencies(record: ServiceRecord, verdicts: Mapping[str, ServiceVerdict]) -> ServiceVerdict | None:
    """Why a service that is not running is not reset yet: what it depends on does not run."""
    well = {Verdict.RUNNING, Verdict.RESET}
    waiting = [name for name in record.depends_on if name in verdicts and verdicts[name].verdict not in well]
    if not waiting:
        return None
    reason = ", ".join(f"{name} is {verdicts[name].verdict}" for name in waiting)
    return make_verdict(record, Verdict.BLOCKED, reason)


def find_unjudged(
    record: ServiceRecord, records: Mapping[str, ServiceRecord], known: Collection[str]
) -> list[ServiceRecord]:
    """The Jaseci services it depends on that no verdict is known of: they are not kept alive here."""
    missing = [records[name] for name in record.depends_on if name in records and name not in known]
    return [each for each in missing if each.via == "jaseci"]


def judge_answer(record: ServiceRecord, answer: Answer, *, due: str = "") -> ServiceVerdict | None:
    """The verdict that Jaseci's answer settles; None means that the service is to be reset.

    `due` is why one that runs is to be, too.
    """
    settled = {
        ServiceState.RUNNING: Verdict.RUNNING,
        ServiceState.DISABLED: Verdict.DISABLED,
        # Only a known "not running" resets: an unknown one may be running well.
        ServiceState.UNKNOWN: Verdict.UNKNOWN,
    }
    if answer.state not in settled or (due and answer.state is ServiceState.RUNNING):
        return None
    reason = answer.detail
    if due and answer.state is ServiceState.UNKNOWN:
        reason = f"{reason}; to be reset, since {due}"
    return make_verdict(record, settled[answer.state], reason)


def tell_before(answer: Answer, due: str) -> str:
    """What a service was like before a reset."""
    was = f"was {answer.state}" + (f" ({answer.detail})" if answer.detail else "")
    return f"{was}, {due}" if due else was


def judge_reset(record: ServiceRecord, was: str, refusal: str, after: Answer | None) -> ServiceVerdict:
    """The verdict on a reset, from the state read back after it; `refusal` is why Jaseci did not do it."""
    if refusal or after is None:
        return make_verdict(record, Verdict.FAILED, f"{was}; {refusal}")
    # Its config may say so.
    if after.state in {ServiceState.RUNNING, ServiceState.DISABLED}:
        return make_verdict(record, Verdict.RESET, f"{was}, verified {after.state}")
    now = f"is {after.state} after the reset" + (f": {after.detail}" if after.detail else "")
    return make_verdict(record, Verdict.FAILED, f"{was}, {now}")
