"""Resets the Jaseci services that do not run, each written into the ledger before and after."""

from collections.abc import Mapping
from dataclasses import replace

from jsorc_gitops.errors import ClusterError, FormatError
from jsorc_gitops.model.jaseci import Answer, Target
from jsorc_gitops.model.objects import ObjectRef
from jsorc_gitops.model.services import ServiceRecord
from jsorc_gitops.reconcile.health import Health
from jsorc_gitops.reconcile.ledger import Ledger, LedgerEntry, Outcome
from jsorc_gitops.reconcile.memory import read_ledger, write_ledger
from jsorc_gitops.reconcile.ports import Jaseci, Pass
from jsorc_gitops.reconcile.report import Report
from jsorc_gitops.reconcile.resets import (
    ServiceVerdict,
    Verdict,
    check_dependencies,
    check_pods,
    find_unjudged,
    judge_answer,
    judge_reset,
    order_services,
)


def reset_services(
    run: Pass, healths: Mapping[ObjectRef, Health], *, broken: frozenset[str]
) -> list[ServiceVerdict]:
    """Ask Jaseci about each service whose pods are ready, and reset those that do not run; none without Jaseci.

    `broken` are services with objects that could not be applied: they are not touched.
    """
    jaseci = run.doors.jaseci
    if jaseci is None:
        return []
    resets = _Resets(run, jaseci)
    verdicts: dict[str, ServiceVerdict] = {}
    others: dict[str, ServiceVerdict] = {}
    for name in order_services(run.tree.records):
        record = run.tree.records[name]
        if name in broken:
            reason = "its objects could not be applied"
            verdict: ServiceVerdict | None = ServiceVerdict(service=name, verdict=Verdict.WAITING, reason=reason)
        else:
            verdict = check_pods(record, healths)
        if not verdict:
            for other in find_unjudged(record, run.tree.records, {*verdicts, *others}):
                others[other.name] = resets.look_at(other)
            verdict = check_dependencies(record, {**others, **verdicts}) or resets.bring_up(record)
        verdicts[name] = verdict
        run.doors.tell(Report(revision=run.revision, services=(verdict,)))
    return list(verdicts.values())


class _Resets:
    """Resets services one by one, each written into the ledger before it is begun and after it was verified."""

    def __init__(self, run: Pass, jaseci: Jaseci) -> None:
        self._run = run
        self._jaseci = jaseci
        self._ledger: Ledger | None = None

    def bring_up(self, record: ServiceRecord) -> ServiceVerdict:
        before = self._ask(record)
        verdict = judge_answer(record, before)
        try:
            if verdict is None:
                return self._reset(record, before)
            if verdict.verdict is Verdict.RUNNING:
                self._end_pending(record)
        except (ClusterError, FormatError) as error:
            reason = f"the ledger could not be kept: {error}"
            return ServiceVerdict(service=record.name, verdict=Verdict.FAILED, reason=reason)
        return verdict

    def look_at(self, record: ServiceRecord) -> ServiceVerdict:
        """Whether a service runs that others depend on, though it is not ours to reset."""
        answer = self._ask(record)
        verdict = judge_answer(record, answer)
        return verdict or ServiceVerdict(service=record.name, verdict=Verdict.FAILED, reason=answer.detail)

    def _ask(self, record: ServiceRecord) -> Answer:
        with self._run.doors.waiting(f"Jaseci to say how {record.jaseci_name} is"):
            [answer] = self._jaseci.get_states([Target(name=record.jaseci_name)])
        return answer

    def _reset(self, record: ServiceRecord, before: Answer) -> ServiceVerdict:
        failures = self._write(record.name, Outcome.PENDING, f"was {before.state}")
        with self._run.doors.waiting(f"Jaseci to reset {record.jaseci_name}"):
            [refusal] = self._jaseci.reset_services([Target(name=record.jaseci_name)])
        after = None if refusal else self._ask(record)
        verdict = judge_reset(record, before, refusal, after)
        done = verdict.verdict is Verdict.RESET
        outcome = Outcome.DONE if done else Outcome.FAILED
        self._write(record.name, outcome, verdict.reason, failures=0 if done else failures + 1)
        return verdict

    def _end_pending(self, record: ServiceRecord) -> None:
        """Write down that a service runs whose reset a killed pass had begun."""
        before = self._read().entries.get(record.name)
        if before and before.outcome is Outcome.PENDING:
            self._write(record.name, Outcome.DONE, f"{before.reason}, found running by a later pass", failures=0)

    def _read(self) -> Ledger:
        if self._ledger is None:
            self._ledger = read_ledger(self._run)
        return self._ledger

    def _write(self, service: str, outcome: Outcome, reason: str, *, failures: int | None = None) -> int:
        """Write one entry; returns how many resets in a row have failed before."""
        ledger = self._read()
        before = ledger.entries.get(service)
        if failures is None:
            failures = before.failures if before else 0
        if before and outcome is not Outcome.PENDING:
            at = before.at
        else:
            at = self._run.doors.clock.now().isoformat(timespec="seconds")
        entry = LedgerEntry(outcome=outcome, reason=reason, at=at, failures=failures)
        self._ledger = write_ledger(self._run, replace(ledger, entries={**ledger.entries, service: entry}))
        return failures
