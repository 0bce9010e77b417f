"""Services that somebody has paused: they are left alone as if they were not kept alive."""

from dataclasses import replace

from jsorc_gitops.reconcile.ledger import Ledger
from jsorc_gitops.reconcile.ports import Pass
from jsorc_gitops.reconcile.resets import ServiceVerdict, Verdict


def leave_out_paused(run: Pass, ledger: Ledger) -> Pass:
    """The pass without what is paused: neither applied, nor pruned, nor judged, nor reset."""
    now = run.doors.clock.now()
    paused = {name: each.pause for name, each in ledger.entries.items() if each.pause and each.is_paused(now)}
    if not paused:
        return run
    records = {
        name: replace(record, keep_alive=record.keep_alive and name not in paused)
        for name, record in run.tree.records.items()
    }
    return replace(run, tree=replace(run.tree, records=records), paused=paused)


def tell_paused(run: Pass) -> tuple[ServiceVerdict, ...]:
    """A verdict on each service that was left out."""
    return tuple(
        ServiceVerdict(
            service=name,
            verdict=Verdict.PAUSED,
            via="none",
            reason=f"{each.reason} (until {each.until})" if each.until else each.reason,
        )
        for name, each in sorted(run.paused.items())
    )
