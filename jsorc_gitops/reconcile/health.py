"""How the objects of a tree are, computed from what was read of them alone; it fetches nothing.

The rules follow kstatus (https://github.com/kubernetes-sigs/cli-utils/tree/master/pkg/kstatus), but that a failed
Pod is a failure, a Job that runs is not done, and all pods of a workload are judged besides.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from jsorc_gitops.model.objects import WORKLOADS, Body, ObjectRef
from jsorc_gitops.reconcile.conditions import (
    judge_deletion,
    judge_generation,
    judge_readiness,
    judge_standard,
)
from jsorc_gitops.reconcile.evidence import Evidence, Finding, LogRef, Status
from jsorc_gitops.reconcile.kinds import (
    judge_api_service,
    judge_autoscaler,
    judge_budget,
    judge_claim,
    judge_definition,
    judge_elastic,
    judge_elasticsearch,
    judge_ingress,
    judge_namespace,
    judge_service,
    judge_volume,
    judge_webhooks,
)
from jsorc_gitops.reconcile.pods import is_ready
from jsorc_gitops.reconcile.tasks import judge_cron_job, judge_job, judge_pod
from jsorc_gitops.reconcile.workloads import judge_workload

__all__ = [
    "Evidence",
    "Health",
    "LogRef",
    "Status",
    "compute_health",
    "compute_healths",
    "is_about_pods",
    "is_judged",
    "is_looked_into",
    "is_ready",
]

_ELASTIC = ".k8s.elastic.co"
_RULES: dict[tuple[str, str], Callable[[Body, Evidence], Finding]] = {
    **dict.fromkeys((*WORKLOADS, ("apps", "ReplicaSet")), judge_workload),
    ("batch", "Job"): judge_job,
    ("batch", "CronJob"): judge_cron_job,
    ("", "Pod"): judge_pod,
    ("", "PersistentVolumeClaim"): judge_claim,
    ("", "PersistentVolume"): judge_volume,
    ("", "Service"): judge_service,
    ("", "Namespace"): judge_namespace,
    ("networking.k8s.io", "Ingress"): judge_ingress,
    ("autoscaling", "HorizontalPodAutoscaler"): judge_autoscaler,
    ("policy", "PodDisruptionBudget"): judge_budget,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): judge_definition,
    ("apiregistration.k8s.io", "APIService"): judge_api_service,
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"): judge_webhooks,
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"): judge_webhooks,
    ("elasticsearch.k8s.elastic.co", "Elasticsearch"): judge_elasticsearch,
}
# Those whose verdict takes the pods of their namespace.
_ABOUT_PODS = frozenset({*WORKLOADS, ("apps", "ReplicaSet"), ("batch", "Job"), ("", "PersistentVolumeClaim")})


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """The verdict on one object, with a cause a person can act on.

    Attributes:
        log: the last lines of the container that the message is about, where they were read.
        until: of one that is progressing: when it counts as failed, should nothing change; None where it never
            does. What waits judges again then, since no change will tell it.
        events_of: the UIDs of objects whose Events would say more.
        log_of: whose log would say more.
    """

    ref: ObjectRef
    status: Status
    message: str
    log: tuple[str, ...] = ()
    until: datetime | None = None
    events_of: tuple[str, ...] = ()
    log_of: LogRef | None = None

    @property
    def is_told(self) -> bool:
        """Whether a report that is not quiet has a line for it: workloads always, others where not current."""
        return self.ref.group_kind in WORKLOADS or self.status is not Status.CURRENT


def compute_healths(refs: Iterable[ObjectRef], evidence: Evidence) -> dict[ObjectRef, Health]:
    """The verdicts on all objects that one can be told of: kinds without a status are left out."""
    found = ((ref, compute_health(ref, evidence)) for ref in refs)
    return {ref: health for ref, health in found if health}


def compute_health(ref: ObjectRef, evidence: Evidence) -> Health | None:
    """Judge one object by its status, a workload by all its pods besides; None where its kind has no status."""
    live = evidence.live.get(ref)
    if live is None:
        found = Finding(Status.UNKNOWN, "not in the cluster") if is_judged(ref) else None
    else:
        rule = _find_rule(ref) or judge_readiness
        early = judge_deletion(live, evidence) or judge_generation(live) or judge_standard(live, evidence)
        found = early or rule(live, evidence)
    return Health(ref=ref, **found._asdict()) if found else None


def is_judged(ref: ObjectRef) -> bool:
    """Whether there is a rule for its kind; others are judged by the status that they have, if they have one."""
    return _find_rule(ref) is not None


def is_looked_into(ref: ObjectRef) -> bool:
    """Whether Events or logs may tell more than its status."""
    return is_about_pods(ref) or ref.group_kind in {("", "Pod"), ("", "Service")}


def is_about_pods(ref: ObjectRef) -> bool:
    """Whether the verdict takes the pods of its namespace."""
    return ref.group_kind in _ABOUT_PODS


def _find_rule(ref: ObjectRef) -> Callable[[Body, Evidence], Finding] | None:
    found = _RULES.get(ref.group_kind)
    return judge_elastic if found is None and ref.group.endswith(_ELASTIC) else found
