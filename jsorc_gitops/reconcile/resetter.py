"""Resets services, each written into the ledger before it is begun and after it was verified."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from jsorc_gitops.errors import ClusterError
from jsorc_gitops.model.jaseci import Answer, ServiceState
from jsorc_gitops.model.objects import Body, ObjectRef
from jsorc_gitops.model.services import ServiceRecord
from jsorc_gitops.reconcile.configs import Configs
from jsorc_gitops.reconcile.judge import Judged
from jsorc_gitops.reconcile.ledger import NEW, Ledger, LedgerEntry, Outcome
from jsorc_gitops.reconcile.memory import write_ledger
from jsorc_gitops.reconcile.ports import Pass
from jsorc_gitops.reconcile.processes import Processes
from jsorc_gitops.reconcile.readiness import look_behind
from jsorc_gitops.reconcile.report import Report
from jsorc_gitops.reconcile.resets import (
    ServiceVerdict,
    Verdict,
    check_backoff,
    check_dependencies,
    find_dependencies,
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


def reset_services(
    run: Pass,
    ledger: Ledger,
    judged: Judged,
    *,
    held: Mapping[str, str],
    only: str = "",
) -> Report:
    """Ask about each service whose pods are ready, and reset those that do not run or whose pods are others.

    `held` are services that are not touched, and why: their objects could not be applied, say. `only` one is
    looked at where a person asks for it; then it waits for nobody. Returns the verdicts, and what is to be known
    besides. Raises TreeError.
    """
    records = run.tree.records
    resettable = list_resettable(records, jaseci=run.doors.jaseci is not None)
    if not resettable:
        return Report(revision=run.revision)
    order = make_order(records)
    # What is paused is owed a reset, too, for when it is resumed.
    owed = {*resettable, *(name for name in run.paused if name in records and records[name].via != "none")}
    looked_at = {name: each for name, each in records.items() if each.keep_alive and only in {"", name}}
    seeing = owed | find_dependencies(owed, records)
    waiting, seen = look_behind(looked_at, judged, held=held, seeing=seeing)
    noted = note_rollouts(ledger, records, seen, owed)
    resets = _Resets(run, ledger, judged.evidence.live, alone=bool(only))
    resets.begin(waiting, [name for name in waiting if name in resettable], noted)
    while order.is_active():
        wave = order.get_ready()
        resets.settle(wave)
        order.done(*wave)
    return resets.end()


def find_restarted(run: Pass, resets: Report) -> set[ObjectRef]:
    """The workloads that these resets have restarted, and that are not ready again yet."""
    names = [each.service for each in resets.services if each.via == "rollout" and each.restarted]
    return {ref for name in names for ref in run.tree.records[name].watch}


class _Resets:
    """The resets of one pass. Services that do not depend on each other are settled side by side.

    What changes in the ledger is gathered in `_entries`, and written before resets and after them.
    """

    def __init__(self, run: Pass, ledger: Ledger, live: Mapping[ObjectRef, Body], *, alone: bool) -> None:
        self.verdicts: dict[str, ServiceVerdict] = {}
        self._run = run
        self._records = run.tree.records
        self._live = live
        self._alone = alone
        self._ledger = ledger
        self._entries = dict(ledger.entries)
        self._unwritten = ""
        self._warnings: list[str] = []
        self._processes = Processes(run)
        self._configs = Configs(run, self._processes)
        self._ready: list[str] = []
        self._others: dict[str, ServiceVerdict] = {}  # not ours to reset, and others depend on them
        self._reset: set[str] = set()

    def begin(self, waiting: Mapping[str, ServiceVerdict | None], names: Sequence[str], noted: Ledger) -> None:
        """Take what is due into the ledger, and ask Jaseci how all these services are that wait for no pods."""
        self._entries = dict(noted.entries)
        self.verdicts |= {name: why for name in names if (why := waiting[name])}
        self._tell(self.verdicts.values())
        self._others |= {name: why for name, why in waiting.items() if why and name not in names}
        self._ready = [name for name in names if name not in self.verdicts]
        others = [] if self._alone or self._run.doors.jaseci is None else self._list_others(names)
        asked = [name for name in (*self._ready, *others) if self._records[name].via == "jaseci"]
        self._processes.ask({name: self._records[name].jaseci_name for name in asked})
        self._configs.compare([name for name in asked if name in self._ready and self._records[name].config])
        for name in others:
            answer = self._processes.find_answer(name)
            failed = make_verdict(self._records[name], Verdict.FAILED, answer.detail)
            self._others[name] = judge_answer(self._records[name], answer) or failed

    def _list_others(self, known: Sequence[str]) -> list[str]:
        """The services of Jaseci that others depend on, and that are not kept alive here."""
        found = (find_unjudged(self._records[name], self._records, known) for name in self._ready)
        return sorted({record.name for records in found for record in records})

    def settle(self, wave: Sequence[str]) -> None:
        """Give services a verdict; all that they depend on has one."""
        names = [name for name in wave if name in self._ready]
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
            errors=(self._unwritten,) if self._unwritten else (),
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
        if self._alone or not isinstance(decided, str):
            return decided
        # What git says now was not tried yet.
        if (digest := self._configs.digest_change(record)) and digest != entry.tried:
            self._entries[record.name] = replace(self._find(record.name), failures=0)
        now, interval = self._run.doors.clock.now(), self._run.tree.settings.interval
        return (
            check_dependencies(record, {**self._others, **self.verdicts})
            or check_backoff(record, self._find(record.name), was=decided, interval=interval, now=now)
            or decided
        )

    def _decide_reset(self, record: ServiceRecord, entry: LedgerEntry) -> ServiceVerdict | str:
        answer = self._processes.find_answer(record.name)
        entry = self._note_automated(record, answer, entry)
        verdict = judge_answer(record, answer, due=entry.due)
        if verdict and verdict.verdict is Verdict.UNKNOWN:
            return verdict
        if change := self._configs.find_change(record):
            return tell_before(answer, change)
        if verdict is None:
            return tell_before(answer, entry.due)
        if verdict.verdict is Verdict.RUNNING and entry.outcome in {Outcome.PENDING, Outcome.FAILED}:
            self._finish(record.name, f"{entry.reason}, found running by a later pass")
        elif verdict.verdict is Verdict.DISABLED and entry.due:
            # Once it is enabled it starts anew.
            self._entries[record.name] = replace(entry, due="")
        if (gap := self._configs.find_gap(record.name)) and record.applies_config:
            return make_verdict(record, Verdict.FAILED, gap)
        return replace(verdict, note=gap or self._configs.find_note(record))

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
        now = self._run.doors.clock.now().isoformat(timespec="seconds")
        for name, reason in pending.items():
            entry = self._find(name)
            # A config that is stored takes effect at a reset, also when this pass does not live to see it.
            due = entry.due or self._configs.find_change(self._records[name])
            # A restart that was asked of a part of the workloads is not asked of them again.
            goes_on = self._records[name].via == "rollout" and entry.outcome is not None and entry.due
            at = entry.at if goes_on else now
            tried = self._configs.digest_change(self._records[name]) or entry.tried
            self._entries[name] = replace(
                entry, outcome=Outcome.PENDING, reason=reason, at=at, due=due, tried=tried
            )
        if not self._write():
            self._entries = dict(self._ledger.entries)
            return {name: self._fail(name, self._unwritten) for name in pending}
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
            made[name] = self._restart(self._records[name])
        return made if self._write() else {name: self._fail(name, self._unwritten) for name in pending}

    def _restart(self, record: ServiceRecord) -> ServiceVerdict:
        if refusal := restart_workloads(self._run, record, self._find(record.name).at, self._live):
            self._count_failure(record.name, refusal)
            return self._fail(record.name, refusal)
        reason = f"restarted: {self._find(record.name).reason}"
        return replace(make_verdict(record, Verdict.WAITING, reason), restarted=True)

    def _fail(self, name: str, reason: str) -> ServiceVerdict:
        return make_verdict(self._records[name], Verdict.FAILED, reason)

    def _finish(self, name: str, reason: str) -> None:
        self._entries[name] = replace(self._find(name), outcome=Outcome.DONE, reason=reason, failures=0, due="")

    def _count_failure(self, name: str, reason: str) -> None:
        entry = self._find(name)
        self._entries[name] = replace(entry, outcome=Outcome.FAILED, reason=reason, failures=entry.failures + 1)

    def _find(self, name: str) -> LedgerEntry:
        return self._entries.get(name, NEW)

    def _write(self) -> bool:
        """Write the ledger if it changed; False where it could not be."""
        if self._entries != self._ledger.entries:
            try:
                self._ledger = write_ledger(self._run, replace(self._ledger, entries={**self._entries}))
            except ClusterError as error:
                self._unwritten = f"the ledger could not be kept: {error}"
                return False
        self._unwritten = ""
        return True

    def _tell(self, verdicts: Iterable[ServiceVerdict]) -> None:
        if told := tuple(verdicts):
            self._run.doors.tell(Report(revision=self._run.revision, services=told))
