"""What runs behind services: whether it is ready, so that there is something to reset, and what it is."""

from collections.abc import Collection, Mapping

from jsorc_gitops.errors import ClusterError
from jsorc_gitops.model.services import ServiceRecord
from jsorc_gitops.reconcile.evidence import Evidence
from jsorc_gitops.reconcile.judge import Judged
from jsorc_gitops.reconcile.pods import select_pods
from jsorc_gitops.reconcile.resets import ServiceVerdict, Verdict, Watched, check_pods, make_verdict
from jsorc_gitops.reconcile.rollouts import see_workload


def look_behind(
    records: Mapping[str, ServiceRecord],
    judged: Judged,
    *,
    held: Mapping[str, str],
    seeing: Collection[str],
) -> tuple[dict[str, ServiceVerdict | None], dict[str, Watched]]:
    """Why each service waits, None where it does not; and what runs behind those of `seeing` that do not.

    `held` are services that are not touched, and why.
    """
    waiting: dict[str, ServiceVerdict | None] = {}
    seen: dict[str, Watched] = {}
    for name, record in records.items():
        waiting[name] = _check_held(record, held) or check_pods(record, judged.healths)
        if not waiting[name] and name in seeing:
            watched = _watch(record, judged.evidence)
            waiting[name] = _check_scale(record, watched)
            if not waiting[name]:
                seen[name] = watched
    return waiting, seen


def _check_held(record: ServiceRecord, held: Mapping[str, str]) -> ServiceVerdict | None:
    return make_verdict(record, Verdict.WAITING, held[record.name]) if record.name in held else None


def _check_scale(record: ServiceRecord, watched: Watched) -> ServiceVerdict | None:
    empty = [ref for ref, seen in watched.items() if not seen.pods]
    return make_verdict(record, Verdict.WAITING, f"{empty[0]} has no pods") if empty else None


def _watch(record: ServiceRecord, evidence: Evidence) -> Watched:
    found = {}
    for ref in record.watch:
        pods = evidence.pods[ref.namespace]
        assert not isinstance(pods, ClusterError)  # noqa: S101 - then its health would not be known
        found[ref] = see_workload(evidence.live[ref], select_pods(evidence.live[ref], pods))
    return found
