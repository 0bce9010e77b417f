"""Containers that end badly: how, since when, and what they wrote last."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from jsorc_gitops.model.objects import Body
from jsorc_gitops.reconcile.conditions import find_change, find_condition, parse_time
from jsorc_gitops.reconcile.evidence import PATIENCE, Cause, Evidence, LogRef
from jsorc_gitops.reconcile.kube_events import find_probe

State = Mapping[str, Any]  # of a container, or of one of its runs

_LINES = 5
_LONGEST = 200
_WHOLE = 1000  # bytes of a termination message that nobody cuts, in a pod of up to 12 containers
_STARTING = frozenset({"StartError", "ContainerCannotRun"})  # it never ran, so it wrote nothing
_KILLED = frozenset({0, 137, 143})  # what a program ends with that was asked to, or was made to
_BACK_OFF = re.compile(r"back-off (?:(\d+)m)?(\d+)s restarting")
_FIRST_WAIT = timedelta(seconds=10)
_TWICE = 2  # the first restart is done at once, and may have been enough


def find_crash_cause(pod: Body, container: State, evidence: Evidence) -> Cause | None:
    """How a container of a pod fails; None where it does not."""
    run, is_again = _find_run(container, evidence.now)
    if run is None:
        return None
    again = " again and again" if is_again else ""
    text = f"container {container['name']} {_say_end(pod, container, run, evidence, again)}"
    log_of, log = _read_log(pod, container, run, evidence)
    if (message := evidence.quote(_cut(str(run.get("message") or "")))) and not log:
        text = f"{text}: {message}"
    return Cause(text, _find_since(pod, container, run, is_again=is_again), PATIENCE, log, log_of)


def _find_run(container: State, now: datetime) -> tuple[State | None, bool]:
    """The run that ended badly, and whether it was not the first one; None where there is none.

    A container that crashes runs for a moment before each crash. One without a readiness probe is Ready then, so
    one that crashed twice, the last time soon after its start, has to run for a while to count as running.
    """
    state, last = container.get("state") or {}, (container.get("lastState") or {}).get("terminated") or {}
    restarts = container.get("restartCount") or 0
    if (state.get("waiting") or {}).get("reason") == "CrashLoopBackOff":
        return last, True
    if ended := state.get("terminated"):
        return (ended if ended.get("exitCode") else None), restarts >= 1
    begun = parse_time((state.get("running") or {}).get("startedAt"))
    if begun and restarts >= _TWICE and last.get("exitCode") and now - begun < PATIENCE and _was_short(last):
        return last, True
    return None, False


def _cut(message: str) -> str:
    """A termination message without the line that the kubelet may have cut, which might begin with half a secret.

    It keeps the last 2 or 4 KiB, of a pod with many containers less.
    """
    return message if len(message) < _WHOLE else message.partition("\n")[2]


def _was_short(run: State) -> bool:
    begun, ended = parse_time(run.get("startedAt")), parse_time(run.get("finishedAt"))
    return begun is not None and ended is not None and ended - begun < PATIENCE


def _find_since(pod: Body, container: State, run: State, *, is_again: bool) -> datetime | None:
    """Since when it is known to fail.

    The kubelet waits 10 seconds before the second restart, then twice as long each time, so a wait of 40 seconds
    tells of 30 before it: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#restart-policy
    """
    begun, ended = parse_time(run.get("startedAt")), parse_time(run.get("finishedAt"))
    if ended is None:
        return find_change(find_condition(pod, "Ready"))
    if not is_again:
        return ended
    said = _BACK_OFF.match(str(((container.get("state") or {}).get("waiting") or {}).get("message")))
    waited = timedelta(minutes=int(said[1] or 0), seconds=int(said[2])) if said else _FIRST_WAIT
    # The run that ended last was begun after another one had failed.
    return min(begun or ended, ended - max(waited - _FIRST_WAIT, timedelta()))


def _say_end(pod: Body, container: State, run: State, evidence: Evidence, again: str) -> str:
    if run.get("reason") == "OOMKilled":
        limit = _find_limit(pod, container["name"])
        return f"is killed{again} for want of memory (OOMKilled" + (f", its limit is {limit})" if limit else ")")
    for kind in ("Liveness", "Startup"):
        if run.get("exitCode") in _KILLED and (said := find_probe(pod, container["name"], evidence, kind)):
            return f"is killed{again} by its {kind.lower()} probe: {said}"
    if run.get("reason") in _STARTING:
        return f"cannot be started{again} (exit code {run.get('exitCode')})"
    if run.get("exitCode") == 0:
        return f"ends{again} with exit code 0; what a workload runs must not end"
    code = f" with exit code {run['exitCode']}" if "exitCode" in run else " (CrashLoopBackOff)"
    return f"crashes{again}{code}" if again else f"ended{code}"


def _find_limit(pod: Body, name: str) -> str:
    spec = pod.get("spec") or {}
    for each in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ())):
        if each["name"] == name:
            return str(((each.get("resources") or {}).get("limits") or {}).get("memory") or "")
    return ""


def _read_log(
    pod: Body, container: State, run: State, evidence: Evidence
) -> tuple[LogRef | None, tuple[str, ...]]:
    if run.get("reason") in _STARTING:
        return None, ()
    metadata = pod["metadata"]
    ref = LogRef(
        namespace=metadata.get("namespace", ""),
        pod=metadata["name"],
        container=container["name"],
        previous="terminated" not in (container.get("state") or {}),
    )
    # Whole, before it is cut: half a secret is one, too.
    lines = [each for line in evidence.scrub(evidence.logs.get(ref, "")).splitlines() if (each := line.strip())]
    return ref, tuple(each[:_LONGEST] for each in lines[-_LINES:])
