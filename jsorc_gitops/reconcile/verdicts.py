"""What a pass ends with, whoever has applied the tree: health, waiting for it, resets."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

from jsorc_gitops.model.objects import Body, Manifest, ObjectRef
from jsorc_gitops.reconcile.judge import Judged, judge_health
from jsorc_gitops.reconcile.ledger import Ledger
from jsorc_gitops.reconcile.memory import read_memory
from jsorc_gitops.reconcile.pauses import tell_paused
from jsorc_gitops.reconcile.ports import Pass
from jsorc_gitops.reconcile.report import Report, join_reports
from jsorc_gitops.reconcile.resetter import find_restarted, reset_services
from jsorc_gitops.reconcile.waiting import wait_for_verdicts

# Which services are not touched, and why; asked once all is judged.
FindHeld = Callable[[], Mapping[str, str]]


def judge_and_reset(
    run: Pass,
    ledger: Ledger,
    live: Mapping[ObjectRef, Body],
    manifests: Sequence[Manifest],
    *,
    changed: Collection[ObjectRef] = (),
    without: Collection[ObjectRef] = (),
    errors: Sequence[str] = (),
    find_held: FindHeld,
) -> Report:
    """How the objects are, as judge_health takes them, and what was reset; `errors` are told with it.

    Raises TreeError, or LeaseHeldError when the lease is lost meanwhile.
    """
    judged = judge_health(run, live, manifests, changed=changed, without=without)
    report = Report(
        revision=run.revision,
        healths=tuple(
            (each.service, judged.healths[each.ref]) for each in manifests if each.ref in judged.healths
        ),
        errors=(*errors, *judged.errors),
    )
    run.doors.tell(report)
    give_up = run.doors.clock.monotonic() + (run.options.wait or 0)
    judged, report = _wait(run, report, judged, give_up)
    resets = reset_services(run, ledger, judged, held=find_held())
    while run.options.wait is not None and (restarted := find_restarted(run, resets)) and not report.overdue:
        judged = judge_health(run, judged.evidence.live, manifests, changed=restarted, without=without)
        judged, report = _wait(run, report, judged, give_up)
        _, ledger = read_memory(run)
        again = reset_services(run, ledger, judged, held=find_held())
        resets = replace(again, warnings=(*resets.warnings, *again.warnings))
    paused = Report(revision=run.revision, services=tell_paused(run))
    run.doors.tell(paused)
    return join_reports([report, resets, paused])


def _wait(run: Pass, report: Report, judged: Judged, give_up: float) -> tuple[Judged, Report]:
    """With --wait, how all is once it has its verdict, or at that moment; else as it was."""
    if run.options.wait is None:
        return judged, report
    left = max(0.0, give_up - run.doors.clock.monotonic())
    return wait_for_verdicts(run, report, judged, seconds=left)
