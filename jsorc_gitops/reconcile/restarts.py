"""`via: rollout`: a service is reset by restarting its workloads, as `kubectl rollout restart` does.

The annotation holds the time that the ledger has of the reset. So a pass that finds it knows that the restart was
asked for, and none asks for it twice.
"""

from collections.abc import Mapping

from jsorc_gitops.errors import ClusterError
from jsorc_gitops.model.objects import RESTARTED_AT, Body, ObjectRef
from jsorc_gitops.model.services import ServiceRecord
from jsorc_gitops.reconcile.inventory import find_part_of
from jsorc_gitops.reconcile.ledger import LedgerEntry, Outcome
from jsorc_gitops.reconcile.ports import Pass


def is_restarted(record: ServiceRecord, entry: LedgerEntry, live: Mapping[ObjectRef, Body]) -> bool:
    """Whether the restart that the ledger has as pending was asked of every workload."""
    if entry.outcome is not Outcome.PENDING:
        return False
    marks = [_find_annotations(live[ref]).get(RESTARTED_AT) for ref in record.watch]
    return all(each == entry.at for each in marks)


def restart_workloads(run: Pass, record: ServiceRecord, at: str, live: Mapping[ObjectRef, Body]) -> str:
    """Ask for new pods of every watched workload that was not asked yet; "" or why one would not."""
    for ref in record.watch:
        if _find_annotations(live[ref]).get(RESTARTED_AT) == at:
            continue
        if find_part_of(live[ref]) not in {"", run.part_of}:
            return f"{ref} is another tree's, and is not restarted"
        template = {"metadata": {"annotations": {RESTARTED_AT: at}}}
        patch = {"metadata": {"uid": live[ref]["metadata"]["uid"]}, "spec": {"template": template}}
        try:
            run.cluster.patch_object(live[ref]["apiVersion"], ref, patch)
        except ClusterError as error:
            return f"{ref} could not be restarted: {error}"
    return ""


def _find_annotations(live: Body) -> Mapping[str, str]:
    return live["spec"]["template"].get("metadata", {}).get("annotations") or {}
