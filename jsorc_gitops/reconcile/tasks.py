"""Whether what is to run to its end has: Jobs, CronJobs, and Pods by themselves."""

from collections.abc import Iterable

from jsorc_gitops.errors import ClusterError
from jsorc_gitops.model.objects import Body
from jsorc_gitops.reconcile.causes import find_cause, find_end
from jsorc_gitops.reconcile.conditions import is_true, say_condition
from jsorc_gitops.reconcile.evidence import Cause, Evidence, Finding, Status, current, doomed, failed, progressing
from jsorc_gitops.reconcile.pods import find_own, has_ended, is_ready
from jsorc_gitops.reconcile.workloads import Crew, conclude, find_refusal, muster


def judge_job(live: Body, evidence: Evidence) -> Finding:
    """Current when it is complete: one that runs is not done, though kstatus calls it Current."""
    pods = evidence.pods.get(live["metadata"]["namespace"], ())
    if isinstance(pods, ClusterError):
        return Finding(Status.UNKNOWN, f"its pods could not be listed: {pods}")
    spec, status = live.get("spec") or {}, live.get("status") or {}
    if is_true(live, "Complete"):
        return current("complete")
    last = _find_last_failure(live, pods, evidence)
    if text := say_condition(live, "Failed", "True", evidence):
        return _add_cause(failed(text), last, live)
    if text := say_condition(live, "FailureTarget", "True", evidence):
        return _add_cause(progressing(f"it fails: {text}"), last, live)
    if spec.get("suspend"):
        return current("suspended, as its spec says")
    wanted = spec.get("completions") or spec.get("parallelism", 1)
    text = f"{status.get('succeeded', 0)} of {wanted} complete, {status.get('active', 0)} active"
    if failures := status.get("failed", 0):
        text += f", {failures} failed"
    crew = muster(live, pods, evidence)
    refused = None if status.get("active") else find_refusal(live, evidence)
    found = conclude(text, live, _leave_out_crashes(crew), refused, evidence)
    return _add_cause(found, last, live) if found.message == text else found


def judge_cron_job(live: Body, _evidence: Evidence) -> Finding:
    """Current: a run that failed is of its Job, and no deployment of anything makes it succeed."""
    if (live.get("spec") or {}).get("suspend"):
        return current("suspended, as its spec says")
    return current(f"last run that succeeded: {(live.get('status') or {}).get('lastSuccessfulTime', 'none yet')}")


def judge_pod(live: Body, evidence: Evidence) -> Finding:
    """Current when it is Ready or succeeded; one that failed is a failure, though kstatus calls it Current."""
    phase = (live.get("status") or {}).get("phase")
    events_of = (live["metadata"].get("uid", ""),)
    if phase == "Succeeded":
        return current("it succeeded")
    if phase == "Failed":
        cause = find_end(live, evidence)
        return _add_cause(failed("it failed"), cause, live)
    cause = find_cause(live, evidence)
    if cause is None:
        return (
            current("ready") if is_ready(live) else progressing("it is not ready")._replace(events_of=events_of)
        )
    found = progressing(cause.text)
    if cause.patience:
        found = doomed(cause.text, since=cause.since, now=evidence.now, patience=cause.patience)
    return found._replace(log=cause.log, log_of=cause.log_of, events_of=events_of)


def _leave_out_crashes(crew: Crew) -> Crew:
    """The same pods, where none is beyond waiting because it ends badly: backoffLimit says how often it may."""
    calm = {name: each._replace(patience=None) if each.log_of else each for name, each in crew.causes.items()}
    return Crew(new=crew.new, old=crew.old, leaving=crew.leaving, causes=calm)


def _find_last_failure(live: Body, pods: Iterable[Body], evidence: Evidence) -> Cause | None:
    """How the youngest of its pods ended that failed."""
    ended = [each for each in find_own(live, pods) if has_ended(each)]
    bad = [each for each in ended if each["status"]["phase"] == "Failed"]
    last = max(bad, key=lambda pod: str(pod["metadata"].get("creationTimestamp")), default=None)
    return find_end(last, evidence) if last else None


def _add_cause(found: Finding, cause: Cause | None, live: Body) -> Finding:
    events_of = (live["metadata"].get("uid", ""),)
    if cause is None:
        return found._replace(events_of=events_of)
    message = f"{found.message}: {cause.text}"
    return found._replace(message=message, log=cause.log, log_of=cause.log_of, events_of=events_of)
