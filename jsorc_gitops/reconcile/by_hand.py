"""What a person asks for beside the passes: a reset, a pause, the end of one. Under the same lease and ledger."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta

from jsorc_gitops.errors import JsorcError
from jsorc_gitops.model.services import ServiceRecord
from jsorc_gitops.model.settings import format_services
from jsorc_gitops.reconcile.guards import check_cluster
from jsorc_gitops.reconcile.holding import hold_lease
from jsorc_gitops.reconcile.judge import judge_health
from jsorc_gitops.reconcile.ledger import Ledger, LedgerEntry, Pause
from jsorc_gitops.reconcile.memory import read_memory, write_ledger
from jsorc_gitops.reconcile.ports import Pass
from jsorc_gitops.reconcile.report import Report
from jsorc_gitops.reconcile.resets import ServiceVerdict, Verdict, list_resettable, owe_reset
from jsorc_gitops.reconcile.resetter import reset_services

BY_HAND = "asked for by hand"


def reset_by_hand(run: Pass, service: str) -> Report:
    """Reset one service now, whatever its state, its pauses, and what it depends on.

    Where its pods are not ready, the first pass that finds them ready does.

    Raises JsorcError where it cannot be reset at all, ClusterError, FormatError, LeaseHeldError.
    """
    record = _find_record(run, service)
    if service not in list_resettable({service: record}, jaseci=run.doors.jaseci is not None):
        raise JsorcError(f"{service} cannot be reset: {_explain(record)}")
    if not run.tree.settings.enabled:
        raise JsorcError("enabled is false in jsorc.yaml: nothing is done")
    with _hold(run):
        _, ledger = read_memory(run)
        ledger = _write(run, ledger, service, owe_reset(ledger.find(service), record, BY_HAND))
        workloads = [run.tree.manifests[ref] for ref in record.workloads]
        judged = judge_health(run, {}, workloads, changed=record.workloads, without=())
        report = reset_services(run, ledger, judged, held={}, only=service)
        services = tuple(map(_explain_delay, report.services))
        return replace(report, services=services, errors=(*judged.errors, *report.errors))


def pause_service(run: Pass, service: str, *, reason: str, until: datetime | timedelta | None) -> str:
    """Have passes leave a service alone, until a time, for a while, or until it is resumed; returns that time.

    Raises JsorcError where it is no service or the time is over, else as reset_by_hand does.
    """
    _find_record(run, service)
    with _hold(run):
        _, ledger = read_memory(run)
        now = run.doors.clock.now()
        end = now + until if isinstance(until, timedelta) else until
        if end and end <= now:
            raise JsorcError(f"--until: {end.isoformat(timespec='seconds')} is over already")
        pause = Pause(
            reason=reason,
            since=now.isoformat(timespec="seconds"),
            until=end.isoformat(timespec="seconds") if end else "",
        )
        _write(run, ledger, service, replace(ledger.find(service), pause=pause))
    return pause.until


def resume_service(run: Pass, service: str) -> None:
    """End a pause; raises JsorcError where there is none, or as reset_by_hand does."""
    with _hold(run):
        _, ledger = read_memory(run)
        if ledger.find(service).pause is None:
            paused = {name for name, entry in ledger.entries.items() if entry.pause}
            raise JsorcError(f"{service} is not paused{format_services(service, paused)}")
        _write(run, ledger, service, replace(ledger.find(service), pause=None))


def _explain_delay(verdict: ServiceVerdict) -> ServiceVerdict:
    """One that was not reset is a failure for who asked for it."""
    if verdict.verdict is Verdict.WAITING and not verdict.restarted:
        note = "not reset; it stays due, and the first pass that finds its pods ready does it"
        return replace(verdict, verdict=Verdict.FAILED, note=note)
    if verdict.verdict is Verdict.DISABLED:
        return replace(verdict, verdict=Verdict.FAILED, reason="not reset: it is disabled in Jaseci")
    return verdict


@contextmanager
def _hold(run: Pass) -> Iterator[None]:
    run.cluster.read_discovery()
    check_cluster(run)
    with hold_lease(run):
        yield


def _write(run: Pass, ledger: Ledger, service: str, entry: LedgerEntry) -> Ledger:
    return write_ledger(run, replace(ledger, entries={**ledger.entries, service: entry}))


def _find_record(run: Pass, service: str) -> ServiceRecord:
    records = run.tree.records
    if service not in records:
        raise JsorcError(f"no service {service!r} in tree {run.tree.name}{format_services(service, records)}")
    return records[service]


def _explain(record: ServiceRecord) -> str:
    if not record.keep_alive:
        return "it is not in keep_alive"
    if record.via == "none":
        return "its service.yaml says reset: {via: none}"
    return "jsorc.yaml names no Jaseci"
