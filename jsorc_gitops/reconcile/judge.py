"""After applying: how the workloads are."""

from collections.abc import Collection, Mapping

from jsorc_gitops.model.objects import Body, ObjectRef
from jsorc_gitops.reconcile.evidence import Evidence
from jsorc_gitops.reconcile.health import Health, compute_healths
from jsorc_gitops.reconcile.observe import list_kinds, list_pods
from jsorc_gitops.reconcile.ports import Pass


def judge_health(
    run: Pass, live: Mapping[ObjectRef, Body], *, changed: bool, without: Collection[ObjectRef]
) -> tuple[dict[ObjectRef, Health], Evidence, list[str]]:
    """The health of every workload of the services kept alive, from what, and what could not be read for it.

    `changed` says that `live` is out of date, `without` leaves out what was refused or failed.
    """
    records = [record for record in run.tree.records.values() if record.keep_alive]
    workloads = [ref for record in records for ref in record.workloads if ref not in without]
    errors: list[str] = []
    if changed:
        live = _read_again(run, workloads, errors)
    pods = list_pods(run.cluster, {ref.namespace for ref in workloads})
    errors += [
        f"pods in {name} could not be listed: {each}" for name, each in pods.items() if not isinstance(each, list)
    ]
    evidence = Evidence(live=live, pods=pods, now=run.doors.clock.now(), scrub=str)
    return compute_healths(workloads, evidence), evidence, errors


def _read_again(run: Pass, workloads: Collection[ObjectRef], errors: list[str]) -> dict[ObjectRef, Body]:
    versions = {ref: run.tree.manifests[ref].api_version for ref in workloads}
    found, unread = list_kinds(run.cluster, versions, tree=run.tree.name)
    told = [f"{kind} could not be read after applying: {why}" for (_, kind, _), why in unread.items()]
    errors += dict.fromkeys(told)
    return found
