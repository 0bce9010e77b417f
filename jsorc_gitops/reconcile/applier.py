"""Brings objects into the cluster, stage by stage: all dry-runs of a stage first, then its writes.

A service with an object that is refused keeps all its objects of the stage as they are; the others go on.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

from jsorc_gitops.errors import ClusterError
from jsorc_gitops.model.objects import STAGE_DEFINITIONS, Body, ObjectRef, compute_stage, sort_key
from jsorc_gitops.reconcile.neighbours import find_keepers
from jsorc_gitops.reconcile.plan import Action, Step, diff_live, is_going, is_stale, plan_object
from jsorc_gitops.reconcile.ports import Pass
from jsorc_gitops.reconcile.prepare import Prepared, dry_run
from jsorc_gitops.reconcile.recreate import delete_old
from jsorc_gitops.reconcile.report import ObjectResult, make_result

# Controllers write status all the time, so a plan can be stale by the time it is carried out.
ATTEMPTS = 5

ESTABLISHED_SECONDS = 60

# What the server is asked about before anything is written.
ASKED = frozenset({Action.CREATE, Action.CONFIGURE, Action.ADOPT, Action.RECREATE})

Settle = Callable[[Sequence["Outcome"]], None]  # hears what became of a stage
Intend = Callable[[Sequence[Step]], None]  # writes down what is about to be deleted and made anew


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one step. `live` is the object afterwards; `uncertain` where a write may have been done.

    `known`: nothing was asked or done, and what the inventory says of it holds.
    """

    step: Step
    result: ObjectResult
    live: Body | None = field(default=None, repr=False)
    uncertain: bool = False
    known: bool = False


def apply_steps(
    run: Pass, steps: Sequence[Step], intend: Intend, settle: Settle = lambda _: None
) -> list[Outcome]:
    """Apply all steps in their order; the kinds that CRDs define are served before their objects' turn."""
    outcomes: list[Outcome] = []
    ordered = sorted(steps, key=lambda step: sort_key(step.ref))
    for stage, group in groupby(ordered, key=lambda step: compute_stage(step.ref)):
        done = _apply_stage(run, list(group), intend)
        outcomes += done
        settle(done)
        if stage == STAGE_DEFINITIONS:
            _wait_established(run, done)
    return outcomes


def _apply_stage(run: Pass, steps: Sequence[Step], intend: Intend) -> list[Outcome]:
    """Apply the objects of one stage; steps that turn out stale are planned anew from the live object."""
    outcomes: list[Outcome] = []
    pending = list(steps)
    for attempt in range(ATTEMPTS):
        done, stale = _apply_once(run, pending, intend, last=attempt == ATTEMPTS - 1)
        outcomes += done
        pending = []
        refs = [(step.manifest.api_version, step.ref) for step in stale if step.manifest]
        for step, live in zip(stale, run.cluster.get_objects(refs) if refs else [], strict=True):
            if isinstance(live, ClusterError):
                outcomes.append(_fail(step, str(live)))
            else:
                pending.append(replan(run, step, live))
        if not pending:
            break
    return outcomes


def replan(run: Pass, step: Step, live: Body | None) -> Step:
    """The step again, on what the object is now."""
    assert step.manifest is not None  # noqa: S101 - only objects of the tree are applied
    # Flux or Argo CD may be who wrote in between.
    keeper = find_keepers(run.cluster, {step.ref: live}).get(step.ref, "") if live else ""
    same = live and step.live and live["metadata"]["uid"] == step.live["metadata"]["uid"]
    if live and same and not keeper:
        # What cannot be changed now may be by then; what is going away never comes back.
        action = Action.CONFIGURE if step.action is Action.RECREATE else step.action
        return replace(step, live=live, action=Action.RECREATE if is_going(live) else action)
    return plan_object(
        step.manifest,
        live,
        None,
        part_of=run.part_of,
        policy=step.policy,
        adopt=run.options.adopt,
        keeper=keeper,
    )


def find_held(results: Iterable[ObjectResult]) -> dict[str, str]:
    """The services of which an object of the stage failed, and what the others of theirs are told."""
    broken = {each.service for each in results if each.is_bad} - {""}
    return {each: f"left as it is, because others of {each} failed" for each in broken}


def _wait_established(run: Pass, outcomes: Sequence[Outcome]) -> None:
    written = [
        each.step
        for each in outcomes
        if each.step.ref.kind == "CustomResourceDefinition" and each.result.action is not Action.UNCHANGED
    ]
    refs = [(step.manifest.api_version, step.ref) for step in written if step.manifest]
    if refs:
        with run.doors.waiting(f"{', '.join(str(ref) for _, ref in refs)} to be established"):
            _poll_established(run, refs)
        run.cluster.read_discovery()


def _poll_established(run: Pass, refs: Sequence[tuple[str, ObjectRef]]) -> None:
    deadline = run.doors.clock.monotonic() + ESTABLISHED_SECONDS
    while refs and run.doors.clock.monotonic() < deadline:
        answers = run.cluster.get_objects(refs)
        refs = [ref for ref, answer in zip(refs, answers, strict=True) if not _is_established(answer)]
        if refs:
            run.doors.clock.sleep(0.2)


def _is_established(answer: Body | ClusterError | None) -> bool:
    if answer is None or isinstance(answer, ClusterError):
        return False
    conditions = (answer.get("status") or {}).get("conditions") or ()
    return any(each["type"] == "Established" and each["status"] == "True" for each in conditions)


def _apply_once(
    run: Pass, steps: Sequence[Step], intend: Intend, *, last: bool
) -> tuple[list[Outcome], list[Step]]:
    """(what is settled, what was stale)."""
    outcomes = [
        _settle(step, known=step.action is Action.UNCHANGED) for step in steps if step.action not in ASKED
    ]
    asked = [step for step in steps if step.action in ASKED]
    prepared: list[Prepared] = []
    stale: list[Step] = []
    for step, answer in zip(asked, dry_run(run.cluster, asked, part_of=run.part_of), strict=True):
        if isinstance(answer, Prepared):
            prepared.append(answer)
        elif isinstance(answer, Step):
            outcomes.append(_settle(answer))
        elif is_stale(answer) and not last:
            stale.append(step)
        else:
            outcomes.append(_fail(step, str(answer)))
    held = find_held(each.result for each in outcomes)
    outcomes += [
        _settle(replace(each.step, action=Action.UNCHANGED, reason="")) for each in prepared if not each.needed
    ]
    needed = [each for each in prepared if each.needed]
    outcomes += [_fail(each.step, held[each.step.service]) for each in needed if each.step.service in held]
    run.doors.lease.check()
    ready = [each for each in needed if each.step.service not in held]
    written, stale_writes = _write(run, ready, intend, last=last)
    return outcomes + written, stale + stale_writes


def _write(
    run: Pass, needed: Sequence[Prepared], intend: Intend, *, last: bool
) -> tuple[list[Outcome], list[Step]]:
    outcomes = []
    failed: dict[ObjectRef, ClusterError] = _migrate(run, needed)
    if doomed := [each for each in needed if each.step.action is Action.RECREATE]:
        intend([each.step for each in doomed])
        failed |= delete_old(run, [each.step for each in doomed])
    sent = [each for each in needed if each.step.ref not in failed]
    answers = run.cluster.apply_objects([each.request for each in sent]) if sent else []
    answered = dict(zip((each.step.ref for each in sent), answers, strict=True))
    stale = []
    for each in needed:
        step, answer = each.step, failed.get(each.step.ref) or answered[each.step.ref]
        if not isinstance(answer, ClusterError):
            outcomes.append(_succeed(each, answer))
        elif is_stale(answer) and not last:
            stale.append(step)
        else:
            # etcd's time-outs are answered, too, with 500 or 504. What was begun is to be ended.
            begun = each.migration is not None or step.action is Action.RECREATE
            uncertain = answer.status == 0 or answer.status >= 500 or begun  # noqa: PLR2004 - HTTP's own number
            outcomes.append(replace(_fail(step, str(answer)), uncertain=uncertain))
    return outcomes, stale


def _migrate(run: Pass, prepared: Sequence[Prepared]) -> dict[ObjectRef, ClusterError]:
    """Make the fields of former managers ours; what could not be done, by object."""
    failed: dict[ObjectRef, ClusterError] = {}
    for each in prepared:
        if each.migration is None or each.step.live is None:
            continue
        try:
            patched = run.cluster.patch_object(each.step.live["apiVersion"], each.step.ref, each.migration)
        except ClusterError as error:
            failed[each.step.ref] = error
        else:
            each.request.body["metadata"]["resourceVersion"] = patched["metadata"]["resourceVersion"]
    return failed


def _succeed(prepared: Prepared, answer: Body) -> Outcome:
    step, changes = prepared.step, prepared.changes
    if prepared.migration is not None and step.live is not None:
        # Now it is known which fields went, and which went back to their default.
        changes = diff_live(step.live, answer)
    return Outcome(step=step, result=make_result(step, changes=changes), live=answer)


def _settle(step: Step, *, known: bool = False) -> Outcome:
    return Outcome(step=step, result=make_result(step), live=step.live, known=known)


def _fail(step: Step, error: str) -> Outcome:
    return Outcome(step=step, result=make_result(step, error=error), live=step.live)
