"""Resets services, each written into the ledger before it is begun and after it was verified."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from jsorc_gitops.errors import ClusterError
from jsorc_gitops.model.jaseci import Answer, ServiceState
from jsorc_gitops.model.objects import ObjectRef
from jsorc_gitops.model.services import ServiceRecord
from jsorc_gitops.reconcile.configs import Configs
from jsorc_gitops.reconcile.evidence import Evidence
from jsorc_gitops.reconcile.health import Health
from jsorc_gitops.reconcile.ledger import Ledger, LedgerEntry, Outcome
from jsorc_gitops.reconcile.memory import write_ledger
from jsorc_gitops.reconcile.pods import select_pods
from jsorc_gitops.reconcile.ports import Pass
from jsorc_gitops.reconcile.processes import Processes
from jsorc_gitops.reconcile.report import Report
from jsorc_gitops.reconcile.resets import (
    ServiceVerdict,
    Verdict,
    Watched,
    check_backoff,
    check_dependencies,
    check_pods,
    find_dependents,
    find_unjudged,
    judge_answer,
    judge_reset,
    list_resettable,
    make_order,
    make_verdict,
    note_rollouts,
    tell_before,
)
from jsorc_gitops.reconcile.restarts import is_restarted, restart_workloads
from jsorc_gitops.reconcile.rollouts import see_workload


def reset_services(
    run: Pass, ledger: Ledger, healths: Mapping[ObjectRef, Health], evidence: Evidence, *, broken: Collection[str]
) -> Report:
    """Ask about each service whose pods are ready, and reset those that do not run or whose pods are others.

    `broken` are services with objects that could not be applied: they are not touched. Returns the verdicts, and
    what is to be known besides. Raises TreeError.
    """
    records = run.tree.records
    resettable = list_resettable(records, jaseci=run.doors.jaseci is not None)
    if not resettable:
        return Report(revision=run.revision)
    order = make_order(records)
    waiting = {name: _check_pods(each, healths, broken) for name, each in records.items() if each.keep_alive}
    watched = {
        name: _watch(records[name], evidence)
        for name, why in waiting.items()
        if not why and (name in resettable or {*find_dependents(name, records)} & {*resettable})
    }
    resets = _Resets(run, ledger, evidence)
    resets.verdicts |= {name: why for name in resettable if (why := waiting[name])}
    ready = [name for name in resettable if name not in resets.verdicts]
    resets.begin(ready, note_rollouts(ledger, records, watched, resettable))
    while order.is_active():
        wave = order.get_ready()
        resets.settle([name for name in wave if name in ready])
        order.done(*wave)
    return resets.end()


def _check_pods(
    record: ServiceRecord, healths: Mapping[ObjectRef, Health], broken: Collection[str]
) -> ServiceVerdict | None:
    if record.name in broken:
        reason = "its objects could not be applied"
        return make_verdict(record, Verdict.WAITING, reason)
    return check_pods(record, healths)


def _watch(record: ServiceRecord, evidence: Evidence) -> Watched:
    found = {}
    for ref in record.watch:
        pods = evidence.pods[ref.namespace]
        assert not isinstance(pods, ClusterError)  # noqa: S101 - then its health would not be known
        found[ref] = see_workload(evidence.live[ref], select_pods(evidence.live[ref], pods))
    return found


class _Resets:
    """The resets of one pass. Services that do not depend on each other are settled side by side.

    What changes in the ledger is gathered in `_entries`, and written before resets and after them.
    """

    def __init__(self, run: Pass, ledger: Ledger, evidence: Evidence) -> None:
        self.verdicts: dict[str, ServiceVerdict] = {}
        self._run = run
        self._records = run.tree.records
        self._live = evidence.live
        self._ledger = ledger
        self._entries = dict(ledger.entries)
        self._unwritten = ""
        self._warnings: list[str] = []
        self._processes = Processes(run)
        self._configs = Configs(run, self._processes)
        self._others: dict[str, ServiceVerdict] = {}  # of Jaseci, not ours to reset, and others depend on them
        self._reset: set[str] = set()

    def begin(self, ready: Sequence[str], noted: Ledger) -> None:
        """Take what is due into the ledger, and ask Jaseci how all these services are."""
        self._tell(self.verdicts.values())
        self._entries = dict(noted.entries)
        known = {*ready, *self.verdicts}
        others = {
            each.name for name in ready for each in find_unjudged(self._records[name], self._records, known)
        }
        asked = [name for name in (*ready, *sorted(others)) if self._records[name].via == "jaseci"]
        self._processes.ask({name: self._records[name].jaseci_name for name in asked})
        self._configs.compare([name for name in ready if self._records[name].config])
        for name in others:
            answer = self._processes.find_answer(name)
            failed = make_verdict(self._records[name], Verdict.FAILED, answer.detail)
            self._others[name] = judge_answer(self._records[name], answer) or failed

    def settle(self, names: Sequence[str]) -> None:
        """Give services a verdict; all that they depend on has one."""
        stale = [name for name in names if self._reset & {*self._records[name].depends_on}]
        self._processes.ask_again([name for name in stale if self._records[name].via == "jaseci"])
        told: dict[str, ServiceVerdict] = {}
        pending: dict[str, str] = {}
        for name in names:
            decided = self._decide(self._records[name])
            if isinstance(decided, str):
                pending[name] = decided
            else:
                told[name] = decided
        self._tell(told.values())
        self.verdicts |= told
        made = self._reset_all(pending) if pending else {}
        self._tell(made.values())
        self.verdicts |= made

    def end(self) -> Report:
        """Write what is not yet written; all that became of the services."""
        self._write()
        last = Report(
            revision=self._run.revision,
            warnings=tuple(self._warnings),
            errors=(f"the ledger could not be kept: {self._unwritten}",) if self._unwritten else (),
        )
        self._run.doors.tell(last)
        return replace(last, services=tuple(self.verdicts[name] for name in sorted(self.verdicts)))

    def _decide(self, record: ServiceRecord) -> ServiceVerdict | str:
        """The verdict, or why the service is to be reset now."""
        entry = self._find(record.name)
        if record.via == "rollout":
            decided = self._decide_restart(record, entry)
        else:
            decided = self._decide_reset(record, entry)
        if not isinstance(decided, str):
            return decided
        now, interval = self._run.doors.clock.now(), self._run.tree.settings.interval
        return (
            check_dependencies(record, {**self._others, **self.verdicts})
            or check_backoff(record, entry, was=decided, interval=interval, now=now)
            or decided
        )

    def _decide_reset(self, record: ServiceRecord, entry: LedgerEntry) -> ServiceVerdict | str:
        answer = self._processes.find_answer(record.name)
        entry = self._note_automated(record, answer, entry)
        if change := self._configs.find_change(record):
            return tell_before(answer, change)
        verdict = judge_answer(record, answer, due=entry.due)
        if verdict is None:
            return tell_before(answer, entry.due)
        verdict = replace(verdict, note=self._configs.find_note(record))
        if verdict.verdict is Verdict.RUNNING and entry.outcome is Outcome.PENDING:
            self._finish(record.name, f"{entry.reason}, found running by a later pass")
        elif verdict.verdict is Verdict.DISABLED and entry.due:
            # Once it is enabled it starts anew.
            self._entries[record.name] = replace(entry, due="")
        return verdict

    def _note_automated(self, record: ServiceRecord, answer: Answer, entry: LedgerEntry) -> LedgerEntry:
        """Tell once that Jaseci resets a service, too."""
        if answer.state is ServiceState.UNKNOWN or answer.automated == entry.automated:
            return entry
        if answer.automated:
            self._warnings.append(
                f"Jaseci itself resets {record.jaseci_name}, too (automated: true): say config: "
                "{automated: false} and reset: {config: apply} in its service.yaml"
            )
        self._entries[record.name] = noted = replace(entry, automated=answer.automated)
        return noted

    def _decide_restart(self, record: ServiceRecord, entry: LedgerEntry) -> ServiceVerdict | str:
        if is_restarted(record, entry, self._live):
            self._finish(record.name, entry.reason)
            return make_verdict(record, Verdict.RESET, f"{entry.reason}, all pods ready")
        if entry.due or entry.outcome is Outcome.PENDING:
            return entry.due or entry.reason
        return make_verdict(record, Verdict.RUNNING)

    def _reset_all(self, pending: Mapping[str, str]) -> dict[str, ServiceVerdict]:
        """Reset services side by side, by why each is."""
        at = self._run.doors.clock.now().isoformat(timespec="seconds")
        for name, reason in pending.items():
            entry = self._find(name)
            # A config that is stored takes effect at a reset, also when this pass does not live to see it.
            due = entry.due or self._configs.find_change(self._records[name])
            self._entries[name] = replace(entry, outcome=Outcome.PENDING, reason=reason, at=at, due=due)
        if not self._write():
            reason = f"the ledger could not be kept: {self._unwritten}"
            self._entries = dict(self._ledger.entries)
            return {name: self._fail(name, reason) for name in pending}
        self._reset |= pending.keys()
        restarts = [name for name in pending if self._records[name].via == "rollout"]
        calls = [name for name in pending if name not in restarts]
        refusals = {name: why for name in calls if (why := self._configs.apply_change(self._records[name]))}
        stored = [name for name in calls if name not in refusals]
        refusals |= self._processes.reset(stored, everywhere={name for name in stored if self._find(name).due})
        made = {}
        for name in calls:
            refusal = refusals[name]
            after = None if refusal else self._processes.find_answer(name)
            made[name] = judge_reset(self._records[name], pending[name], refusal, after)
            if made[name].verdict is Verdict.RESET:
                self._finish(name, made[name].reason)
            else:
                self._count_failure(name, made[name].reason)
        for name in restarts:
            made[name] = self._restart(self._records[name], at)
        if not self._write():
            return {
                name: self._fail(name, f"the ledger could not be kept: {self._unwritten}") for name in pending
            }
        return made

    def _restart(self, record: ServiceRecord, at: str) -> ServiceVerdict:
        if refusal := restart_workloads(self._run, record, at, self._live):
            self._count_failure(record.name, refusal)
            return self._fail(record.name, refusal)
        reason = f"restarted: {self._find(record.name).reason}"
        return make_verdict(record, Verdict.WAITING, reason)

    def _fail(self, name: str, reason: str) -> ServiceVerdict:
        return make_verdict(self._records[name], Verdict.FAILED, reason)

    def _finish(self, name: str, reason: str) -> None:
        self._entries[name] = replace(self._find(name), outcome=Outcome.DONE, reason=reason, failures=0, due="")

    def _count_failure(self, name: str, reason: str) -> None:
        entry = self._find(name)
        self._entries[name] = replace(entry, outcome=Outcome.FAILED, reason=reason, failures=entry.failures + 1)

    def _find(self, name: str) -> LedgerEntry:
        return Ledger(entries=self._entries).find(name)

    def _write(self) -> bool:
        """Write the ledger if it changed; False where it could not be."""
        if self._entries != self._ledger.entries:
            try:
                self._ledger = write_ledger(self._run, replace(self._ledger, entries={**self._entries}))
            except ClusterError as error:
                self._unwritten = str(error)
                return False
        self._unwritten = ""
        return True

    def _tell(self, verdicts: Iterable[ServiceVerdict]) -> None:
        if told := tuple(verdicts):
            self._run.doors.tell(Report(revision=self._run.revision, services=told))
