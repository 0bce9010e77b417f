"""Brings objects into the cluster, stage by stage: all dry-runs of a stage first, then its writes.

A service with an object that is refused keeps all its objects of the stage as they are; the others go on.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

from jsorc_gitops.errors import ClusterError
from jsorc_gitops.model.objects import STAGE_DEFINITIONS, ApplyRequest, Body, compute_stage, sort_key
from jsorc_gitops.reconcile.ownership import UNKNOWN, Verdict, compute_conflicts, remove_value
from jsorc_gitops.reconcile.plan import (
    Action,
    FieldChange,
    Step,
    diff_live,
    format_refusal,
    make_apply_body,
    plan_object,
    regains_ownership,
)
from jsorc_gitops.reconcile.ports import Cluster, Pass
from jsorc_gitops.reconcile.report import ObjectResult, make_result

# Controllers write status all the time, so a plan can be stale by the time it is carried out.
ATTEMPTS = 5

ESTABLISHED_SECONDS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one step. `live` is the object afterwards; `uncertain` where a write may have been done."""

    step: Step
    result: ObjectResult
    live: Body | None = field(default=None, repr=False)
    uncertain: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prepared:
    """A step whose dry-run passed: what to send, and what it will change."""

    step: Step
    request: ApplyRequest
    changes: tuple[FieldChange, ...] = ()
    needed: bool = True


def apply_steps(run: Pass, steps: Sequence[Step]) -> list[Outcome]:
    """Apply all steps in their order; the kinds that CRDs define are served before their objects' turn."""
    outcomes: list[Outcome] = []
    ordered = sorted(steps, key=lambda step: sort_key(step.ref))
    for stage, group in groupby(ordered, key=lambda step: compute_stage(step.ref)):
        done = _apply_stage(run, list(group))
        outcomes += done
        if stage == STAGE_DEFINITIONS:
            _wait_established(run, done)
    return outcomes


def _apply_stage(run: Pass, steps: Sequence[Step]) -> list[Outcome]:
    """Apply the objects of one stage; steps that turn out stale are planned anew from the live object."""
    outcomes: list[Outcome] = []
    pending = list(steps)
    for attempt in range(ATTEMPTS):
        done, stale = _apply_once(run, pending, last=attempt == ATTEMPTS - 1)
        outcomes += done
        pending = []
        refs = [(step.manifest.api_version, step.ref) for step in stale if step.manifest]
        for step, live in zip(stale, run.cluster.get_objects(refs) if refs else [], strict=True):
            if isinstance(live, ClusterError):
                outcomes.append(_fail(step, str(live)))
            else:
                pending.append(_replan(run, step, live))
        if not pending:
            break
    return outcomes


def _replan(run: Pass, step: Step, live: Body | None) -> Step:
    assert step.manifest is not None  # noqa: S101 - only objects of the tree are applied
    same = live and step.live and live["metadata"]["uid"] == step.live["metadata"]["uid"]
    if live and same:
        return replace(step, live=live)
    return plan_object(step.manifest, live, None, part_of=run.part_of, adopt=run.options.adopt)


def _wait_established(run: Pass, outcomes: Sequence[Outcome]) -> None:
    written = [
        each.step
        for each in outcomes
        if each.step.ref.kind == "CustomResourceDefinition" and each.result.action is not Action.UNCHANGED
    ]
    refs = [(step.manifest.api_version, step.ref) for step in written if step.manifest]
    deadline = run.doors.clock.monotonic() + ESTABLISHED_SECONDS
    while refs and run.doors.clock.monotonic() < deadline:
        answers = run.cluster.get_objects(refs)
        refs = [ref for ref, answer in zip(refs, answers, strict=True) if not _is_established(answer)]
        if refs:
            run.doors.clock.sleep(0.2)
    if written:
        run.cluster.read_discovery()


def _is_established(answer: Body | ClusterError | None) -> bool:
    if answer is None or isinstance(answer, ClusterError):
        return False
    conditions = (answer.get("status") or {}).get("conditions") or ()
    return any(each["type"] == "Established" and each["status"] == "True" for each in conditions)


def _apply_once(run: Pass, steps: Sequence[Step], *, last: bool) -> tuple[list[Outcome], list[Step]]:
    """(what is settled, what was stale)."""
    outcomes = [_settle(step) for step in steps if step.action in {Action.UNCHANGED, Action.REFUSE}]
    asked = [step for step in steps if step.action in {Action.CREATE, Action.CONFIGURE, Action.ADOPT}]
    prepared: list[_Prepared] = []
    stale: list[Step] = []
    for step, answer in zip(asked, _dry_run(run.cluster, asked, part_of=run.part_of), strict=True):
        if isinstance(answer, _Prepared):
            prepared.append(answer)
        elif isinstance(answer, Outcome):
            outcomes.append(answer)
        elif is_stale(answer) and not last:
            stale.append(step)
        else:
            outcomes.append(_fail(step, str(answer)))
    broken = {each.step.service for each in outcomes if each.result.is_bad} - {""}
    ready = [each for each in prepared if each.step.service not in broken]
    outcomes += [
        _fail(each.step, f"left as it is, because others of {each.step.service} failed")
        for each in prepared
        if each.step.service in broken
    ]
    run.doors.lease.check()
    written, stale_writes = _write(run.cluster, ready, last=last)
    return outcomes + written, stale + stale_writes


def _dry_run(
    cluster: Cluster, steps: Sequence[Step], *, part_of: str
) -> list["_Prepared | Outcome | ClusterError"]:
    requests = [
        ApplyRequest(ref=step.ref, body=make_apply_body(step, part_of=part_of), dry_run=True) for step in steps
    ]
    answers = list(cluster.apply_objects(requests))
    results: list[_Prepared | Outcome | ClusterError] = list(map(_prepare, steps, requests, answers))
    contested = [index for index, answer in enumerate(answers) if _is_conflict(answer)]
    retried: list[tuple[int, ApplyRequest]] = []
    for index in contested:
        resolved = _resolve(steps[index], answers[index], part_of=part_of)
        if isinstance(resolved, ApplyRequest):
            retried.append((index, resolved))
        else:
            results[index] = resolved
    again = cluster.apply_objects([request for _, request in retried]) if retried else []
    for (index, request), answer in zip(retried, again, strict=True):
        results[index] = _prepare(steps[index], request, answer)
    return results


def _prepare(step: Step, request: ApplyRequest, answer: Body | ClusterError) -> "_Prepared | ClusterError":
    if isinstance(answer, ClusterError):
        return answer
    real = replace(request, dry_run=False)
    if step.live is None:
        # What a dry-run creates has no resourceVersion; what has one is there already.
        return _appeared() if "resourceVersion" in answer["metadata"] else _Prepared(step=step, request=real)
    changes = diff_live(step.live, answer)
    needed = bool(changes) or regains_ownership(step.live, answer)
    return _Prepared(step=step, request=real, changes=changes, needed=needed)


def _resolve(step: Step, answer: Body | ClusterError, *, part_of: str) -> "ApplyRequest | Outcome | ClusterError":
    """Decide on fields that others own: forced, left out, or the object refused."""
    assert isinstance(answer, ClusterError)  # noqa: S101 - only conflicts come here
    if step.live is None:
        return _appeared()
    assert step.manifest is not None  # noqa: S101 - only objects of the tree are applied
    paths = [cause["field"] for cause in answer.causes if "field" in cause]
    adopting = step.action is Action.ADOPT
    conflicts = compute_conflicts(paths, step.manifest.body, step.live, adopting=adopting)
    if any(conflict.owner is UNKNOWN for conflict in conflicts):
        # Set by somebody since we looked: who that is stands in the object as it is now.
        return ClusterError(f"{paths[0]} was set by somebody meanwhile", status=409, reason="Conflict")
    if refusal := format_refusal(conflicts):
        return _settle(replace(step, action=Action.REFUSE, reason=refusal))
    body = step.manifest.body
    for conflict in conflicts:
        if conflict.verdict is Verdict.YIELD:
            body = remove_value(body, conflict.keys)
    # What is left after yielding is ours to take, so nothing else is overridden by force.
    force = any(conflict.verdict is Verdict.TAKE for conflict in conflicts)
    sent = make_apply_body(step, part_of=part_of, without=body)
    return ApplyRequest(ref=step.ref, body=sent, force=force, dry_run=True)


def _appeared() -> ClusterError:
    """Somebody made the object between our look and our question: the plan to create it is stale."""
    return ClusterError("it was made by somebody else meanwhile", status=409, reason="Conflict")


def _write(cluster: Cluster, prepared: Sequence[_Prepared], *, last: bool) -> tuple[list[Outcome], list[Step]]:
    outcomes = [
        _settle(replace(each.step, action=Action.UNCHANGED, reason="")) for each in prepared if not each.needed
    ]
    needed = [each for each in prepared if each.needed]
    stale = []
    for each, answer in zip(needed, cluster.apply_objects([each.request for each in needed]), strict=True):
        step = each.step
        if not isinstance(answer, ClusterError):
            result = make_result(step, changes=each.changes)
            outcomes.append(Outcome(step=step, result=result, live=answer))
        elif is_stale(answer) and not last:
            stale.append(step)
        else:
            # etcd's time-outs are answered, too, with 500 or 504.
            uncertain = answer.status == 0 or answer.status >= 500  # noqa: PLR2004 - HTTP's own number
            outcomes.append(replace(_fail(step, str(answer)), uncertain=uncertain))
    return outcomes, stale


def _settle(step: Step) -> Outcome:
    return Outcome(step=step, result=make_result(step), live=step.live)


def _fail(step: Step, error: str) -> Outcome:
    return Outcome(step=step, result=make_result(step, error=error), live=step.live)


def _is_conflict(answer: Body | ClusterError) -> bool:
    """A field conflict, which names its fields, unlike a stale resourceVersion, which is 409 too."""
    return isinstance(answer, ClusterError) and any(
        cause.get("reason") == "FieldManagerConflict" for cause in answer.causes
    )


def is_stale(answer: Body | ClusterError) -> bool:
    """Whether the object was written since the plan was made: a 409 without causes."""
    return isinstance(answer, ClusterError) and answer.reason == "Conflict" and not answer.causes
