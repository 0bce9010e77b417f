"""Which Jaseci services are reset, and why; decides only (DESIGN §7)."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from graphlib import TopologicalSorter

from jsorc_gitops.model.jaseci import Answer, ServiceState
from jsorc_gitops.model.objects import ObjectRef
from jsorc_gitops.model.services import ServiceRecord
from jsorc_gitops.reconcile.health import Health, Status


class Verdict(StrEnum):
    """What became of one Jaseci service in a pass."""

    RUNNING = "running"
    DISABLED = "disabled"
    WAITING = "waiting"  # for its own pods
    BLOCKED = "blocked"  # by a service it depends on
    UNKNOWN = "unknown"
    RESET = "reset"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceVerdict:
    """The verdict on one service, with its reason."""

    service: str
    verdict: Verdict
    reason: str = ""

    @property
    def is_bad(self) -> bool:
        return self.verdict in {Verdict.FAILED, Verdict.UNKNOWN}

    @property
    def is_calm(self) -> bool:
        """Whether it is as it should be, and was before."""
        return self.verdict in {Verdict.RUNNING, Verdict.DISABLED}


def order_services(records: Mapping[str, ServiceRecord]) -> list[str]:
    """The services jsorc may reset, those that others depend on first."""
    graph = {name: sorted(set(record.depends_on) & records.keys()) for name, record in sorted(records.items())}
    order = TopologicalSorter(graph).static_order()
    return [name for name in order if records[name].keep_alive and records[name].via == "jaseci"]


def check_pods(record: ServiceRecord, healths: Mapping[ObjectRef, Health]) -> ServiceVerdict | None:
    """Why a service is not even asked about: its pods are not ready. None when they are, or it has none."""
    for ref in record.watch:
        health = healths[ref]
        if health.status is Status.UNKNOWN:
            reason = f"{ref}: {health.message}"
            return ServiceVerdict(service=record.name, verdict=Verdict.UNKNOWN, reason=reason)
        if health.status is not Status.CURRENT:
            reason = f"{ref}: {health.message}"
            return ServiceVerdict(service=record.name, verdict=Verdict.WAITING, reason=reason)
    return None


def check_dependencies(record: ServiceRecord, verdicts: Mapping[str, ServiceVerdict]) -> ServiceVerdict | None:
    """Why a service that is not running is not reset yet: what it depends on does not run."""
    well = {Verdict.RUNNING, Verdict.RESET}
    waiting = [name for name in record.depends_on if name in verdicts and verdicts[name].verdict not in well]
    if not waiting:
        return None
    reason = ", ".join(f"{name} is {verdicts[name].verdict}" for name in waiting)
    return ServiceVerdict(service=record.name, verdict=Verdict.BLOCKED, reason=reason)


def find_unjudged(
    record: ServiceRecord, records: Mapping[str, ServiceRecord], known: Collection[str]
) -> list[ServiceRecord]:
    """The Jaseci services it depends on that no verdict is known of: they are not kept alive here."""
    missing = [records[name] for name in record.depends_on if name in records and name not in known]
    return [each for each in missing if each.via == "jaseci"]


def judge_answer(record: ServiceRecord, answer: Answer) -> ServiceVerdict | None:
    """The verdict that Jaseci's answer settles; None means that the service is to be reset."""
    settled = {
        ServiceState.RUNNING: Verdict.RUNNING,
        ServiceState.DISABLED: Verdict.DISABLED,
        # Only a known "not running" resets: an unknown one may be running well.
        ServiceState.UNKNOWN: Verdict.UNKNOWN,
    }
    if answer.state not in settled:
        return None
    return ServiceVerdict(service=record.name, verdict=settled[answer.state], reason=answer.detail)


def judge_reset(record: ServiceRecord, before: Answer, refusal: str, after: Answer | None) -> ServiceVerdict:
    """The verdict on a reset, from the state read back after it; `refusal` is why Jaseci did not do it."""
    was = f"was {before.state}" + (f" ({before.detail})" if before.detail else "")
    if refusal or after is None:
        return ServiceVerdict(service=record.name, verdict=Verdict.FAILED, reason=f"{was}; {refusal}")
    if after.state is ServiceState.RUNNING:
        return ServiceVerdict(service=record.name, verdict=Verdict.RESET, reason=f"{was}, verified running")
    now = f"is {after.state} after the reset" + (f": {after.detail}" if after.detail else "")
    return ServiceVerdict(service=record.name, verdict=Verdict.FAILED, reason=f"{was}, {now}")
