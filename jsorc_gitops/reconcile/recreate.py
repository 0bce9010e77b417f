"""Deletes what is to be made anew, and waits until it is gone."""

from collections.abc import Mapping, Sequence

from jsorc_gitops.errors import ClusterError
from jsorc_gitops.model.objects import Body, ObjectRef
from jsorc_gitops.reconcile.plan import Step, is_going, make_deletion, make_stale
from jsorc_gitops.reconcile.ports import Pass

GONE_SECONDS = 30


def delete_old(run: Pass, steps: Sequence[Step]) -> dict[ObjectRef, ClusterError]:
    """Delete the live objects of the steps, if nobody changed them meanwhile; those that are not gone, and why.

    The next pass waits on for what takes longer.
    """
    alive = {step.ref: step.live for step in steps if step.live is not None}
    asked = [ref for ref, live in alive.items() if not is_going(live)]
    run.doors.lease.check()
    requests = [make_deletion(ref, alive[ref]) for ref in asked]
    answers = run.cluster.delete_objects(requests) if requests else []
    failed = {ref: answer for ref, answer in zip(asked, answers, strict=True) if isinstance(answer, ClusterError)}
    waiting = {ref: live for ref, live in alive.items() if ref not in failed}
    with run.doors.waiting(f"{', '.join(map(str, waiting))} to be gone"):
        return failed | _wait_gone(run, waiting)


def _wait_gone(run: Pass, waiting: Mapping[ObjectRef, Body]) -> dict[ObjectRef, ClusterError]:
    clock, left = run.doors.clock, dict(waiting)
    failed: dict[ObjectRef, ClusterError] = {}
    deadline, pause = clock.monotonic() + GONE_SECONDS, 0.1
    while left:
        asked = [(live["apiVersion"], ref) for ref, live in left.items()]
        answers = run.cluster.get_objects(asked)
        for (_, ref), answer in zip(asked, answers, strict=True):
            if isinstance(answer, ClusterError):
                continue
            if answer is not None and answer["metadata"]["uid"] == left[ref]["metadata"]["uid"]:
                left[ref] = answer
                continue
            del left[ref]
            if answer is not None:
                failed[ref] = make_stale("it was made by somebody else meanwhile")
        if clock.monotonic() > deadline:
            break
        if left:
            clock.sleep(pause)
            pause = min(pause * 2, 2.0)
    return failed | {ref: ClusterError(_explain(live), reason="Terminating") for ref, live in left.items()}


def _explain(live: Body) -> str:
    finalizers = ", ".join(live["metadata"].get("finalizers") or ())
    why = f"; its finalizers are {finalizers}" if finalizers else ""
    return f"still being deleted after {GONE_SECONDS} s{why}; it is made anew once it is gone"
