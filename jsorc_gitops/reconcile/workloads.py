"""Whether a workload does what its spec says: by its status and by all of its pods.

A pod that is old or terminating keeps a rollout unfinished, because it may still answer.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from jsorc_gitops.errors import ClusterError
from jsorc_gitops.model.objects import Body
from jsorc_gitops.reconcile.causes import find_cause, find_lingering
from jsorc_gitops.reconcile.conditions import UNSEEN, find_change, find_condition
from jsorc_gitops.reconcile.evidence import (
    PATIENCE,
    Cause,
    Evidence,
    Finding,
    Status,
    current,
    progressing,
)
from jsorc_gitops.reconcile.images import is_for_a_while
from jsorc_gitops.reconcile.kube_events import find_begin, list_events
from jsorc_gitops.reconcile.pods import is_leaving, is_ready, select_pods, split_by_template


@dataclass(frozen=True, slots=True, kw_only=True)
class Crew:
    """The pods of a workload that have not ended, and why some are not as they should be, by the pod's name."""

    new: Sequence[Body]
    old: Sequence[Body]
    leaving: Sequence[Body]
    causes: Mapping[str, Cause]

    @property
    def ready(self) -> int:
        """How many are Ready, and not about to crash once more."""
        return sum(is_ready(pod) and pod["metadata"]["name"] not in self.causes for pod in (*self.new, *self.old))

    def find_causes(self, pods: Iterable[Body]) -> list[Cause]:
        """Why these are not as they should be, of those that are not."""
        return [found for pod in pods if (found := self.causes.get(pod["metadata"]["name"]))]


def judge_workload(live: Body, evidence: Evidence) -> Finding:
    """The verdict on a Deployment, StatefulSet, DaemonSet or ReplicaSet."""
    pods = evidence.pods.get(live["metadata"]["namespace"], ())
    if isinstance(pods, ClusterError):
        return Finding(Status.UNKNOWN, f"its pods could not be listed: {pods}")
    status = live.get("status") or {}
    if status.get("observedGeneration", 0) < live["metadata"].get("generation", 0):
        return progressing(UNSEEN)
    crew = muster(live, pods, evidence)
    wanted, updated = _count_wanted(live)
    unfinished = next(_list_unfinished(live, crew, wanted, updated), "")
    if not unfinished:
        return current(_say_ready(live, crew))
    refused = find_refusal(live, evidence) if updated < wanted else None
    found = conclude(unfinished, live, crew, refused, evidence)
    late = find_condition(live, "Progressing")
    if late.get("reason") == "ProgressDeadlineExceeded":
        seconds = live["spec"].get("progressDeadlineSeconds", 600)
        message = f"no progress within {seconds} s (progressDeadlineSeconds): {found.message}"
        return found._replace(status=Status.FAILED, message=message, until=None)
    return found


def muster(live: Body, pods: Iterable[Body], evidence: Evidence) -> Crew:
    """Look at all pods of a workload that have not ended."""
    own = select_pods(live, pods)
    new, old = split_by_template(live, (pod for pod in own if not is_leaving(pod)))
    leaving = [pod for pod in own if is_leaving(pod)]
    found = [(pod, find_cause(pod, evidence)) for pod in (*new, *old)]
    found += [(pod, find_lingering(pod, evidence)) for pod in leaving]
    causes = {pod["metadata"]["name"]: cause for pod, cause in found if cause}
    return Crew(new=new, old=old, leaving=leaving, causes=causes)


def conclude(unfinished: str, live: Body, crew: Crew, refused: Cause | None, evidence: Evidence) -> Finding:
    """The verdict on what is unfinished, with its cause: failed where all new pods are beyond waiting.

    Pods of an earlier template say why where nothing else does: a StatefulSet may wait for them.
    """
    new, rest = crew.find_causes(crew.new), crew.find_causes([*crew.old, *crew.leaving])
    final = [each for each in new if each.patience]
    told = [*new, *rest]
    if refused and not crew.new:
        told, final = [refused], [refused] if refused.patience else []
    elif refused:
        told, final = [*new, refused, *rest], []
    cause = next((each for each in told if each.patience), told[0] if told else None)
    message = f"{unfinished}: {cause.text}" if cause else unfinished
    found = Finding(
        Status.PROGRESSING,
        message,
        log=cause.log if cause else (),
        events_of=tuple(_list_subjects(live, crew, cause)),
        log_of=cause.log_of if cause else None,
    )
    ends = [each.since + each.patience for each in final if each.since and each.patience]
    if not ends or len(ends) < max(len(crew.new), 1):
        return found
    until = max(ends)
    return found._replace(status=Status.FAILED) if evidence.now >= until else found._replace(until=until)


def find_refusal(live: Body, evidence: Evidence) -> Cause | None:
    """Why the API server lets no pod be made (quota, admission, a missing ServiceAccount); None where it does.

    Deployments and ReplicaSets say it in their status; of the others only Events tell.
    """
    condition = find_condition(live, "ReplicaFailure")
    if condition.get("status") == "True":
        said, since = str(condition.get("message")), find_change(condition)
    else:
        tries = list_events(live, evidence, {"FailedCreate", "SuccessfulCreate"})
        made = max((at for at, each in enumerate(tries) if each["reason"] == "SuccessfulCreate"), default=-1)
        failures = tries[made + 1 :]
        if not failures:
            return None
        said, since = str(failures[-1].get("message")), min(map(find_begin, failures))
    # Before that stands a name that no pod ever had.
    why = evidence.quote(said.rpartition(" is forbidden: ")[2])
    return Cause(f"no pod can be made: {why}", since, None if is_for_a_while(said) else PATIENCE)


def _list_subjects(live: Body, crew: Crew, cause: Cause | None) -> Iterable[str]:
    """The UIDs of what Events would say more about: the workload, and the pod that the message is about."""
    yield live["metadata"].get("uid", "")
    pods = [*crew.new, *crew.old]
    ill = [pod for pod in pods if cause and crew.causes.get(pod["metadata"]["name"]) is cause]
    for pod in (ill or [each for each in pods if not is_ready(each)])[:1]:
        yield pod["metadata"].get("uid", "")


def _list_unfinished(live: Body, crew: Crew, wanted: int, updated: int) -> Iterator[str]:
    """What keeps the rollout from being done, the first step of it first."""
    keep = _count_kept(live, wanted)
    if updated < wanted - keep:
        paused = "its rollout is paused (spec.paused): " if live["spec"].get("paused") else ""
        there = "there" if live["kind"] == "ReplicaSet" else "run the new template"
        yield f"{paused}{updated} of {count(wanted)} {there}"
    if crew.leaving:
        yield f"{count(len(crew.leaving))} still terminating"
    if len(crew.old) > keep:
        yield f"{count(len(crew.old) - keep)} of the old template still there"
    surplus = len(crew.new) + len(crew.old) - wanted
    if surplus > 0:
        yield f"{count(surplus)} more than wanted still there"
    if crew.ready < wanted:
        yield f"{crew.ready} of {count(wanted)} ready"
    seconds = live["spec"].get("minReadySeconds") or 0
    status = live.get("status") or {}
    available = status.get("numberAvailable" if live["kind"] == "DaemonSet" else "availableReplicas", 0)
    if seconds and available < wanted:
        yield f"{available} of {count(wanted)} ready for {seconds} s (minReadySeconds)"


def _count_wanted(live: Body) -> tuple[int, int]:
    """(pods wanted, pods of the new template), by the status."""
    status, kind = live.get("status") or {}, live["kind"]
    if kind == "DaemonSet":
        return status.get("desiredNumberScheduled", 0), status.get("updatedNumberScheduled", 0)
    wanted = live["spec"].get("replicas", 1)
    # A finished StatefulSet may drop updatedReplicas and say it with equal revisions.
    is_even = kind == "StatefulSet" and status.get("currentRevision") == status.get("updateRevision")
    return wanted, status.get("replicas" if is_even or kind == "ReplicaSet" else "updatedReplicas", 0)


def _count_kept(live: Body, wanted: int) -> int:
    """How many pods may stay of the old template: their updateStrategy says that a person changes them."""
    strategy = live["spec"].get("updateStrategy") or {}
    if strategy.get("type") == "OnDelete":
        return wanted
    return min(wanted, (strategy.get("rollingUpdate") or {}).get("partition") or 0)


def _say_ready(live: Body, crew: Crew) -> str:
    text = f"{count(len(crew.new) + len(crew.old))} ready"
    if not crew.old:
        return text
    strategy = live["spec"].get("updateStrategy") or {}
    why = "partition" if (strategy.get("rollingUpdate") or {}).get("partition") else "OnDelete"
    return f"{text}, {len(crew.old)} of the old template (updateStrategy: {why})"


def count(number: int) -> str:
    """'1 pod', '2 pods'."""
    return f"{number} pod" if number == 1 else f"{number} pods"
