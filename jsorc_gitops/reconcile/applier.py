"""Brings objects into the cluster, stage by stage: all dry-runs of a stage first, then its writes.

A service with an object that is refused keeps its others of this stage and later ones as they are.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

from jsorc_gitops.errors import ClusterError
from jsorc_gitops.model.objects import STAGE_DEFINITIONS, Body, ObjectRef, compute_stage, sort_key
from jsorc_gitops.reconcile.plan import Action, Step, diff_live, is_stale
from jsorc_gitops.reconcile.ports import Pass
from jsorc_gitops.reconcile.prepare import Prepared
from jsorc_gitops.reconcile.recreate import delete_old
from jsorc_gitops.reconcile.replan import ASKED, ATTEMPTS, ask_server
from jsorc_gitops.reconcile.report import ObjectResult, make_result

ESTABLISHED_SECONDS = 60

Settle = Callable[[Sequence["Outcome"]], None]  # hears what became of a stage
Intend = Callable[[Sequence[Step]], None]  # writes down what is about to be made, if it is not yet


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
        done = _apply_stage(run, list(group), intend, outcomes)
        outcomes += done
        settle(done)
        if stage == STAGE_DEFINITIONS:
            _wait_served(run, done)
    return outcomes


def _apply_stage(run: Pass, steps: Sequence[Step], intend: Intend, earlier: Sequence[Outcome]) -> list[Outcome]:
    """Apply the objects of one stage; steps whose writes turn out stale are asked about and written again."""
    outcomes = [
        _settle(step, known=step.action is Action.UNCHANGED) for step in steps if step.action not in ASKED
    ]
    pending = [step for step in steps if step.action in ASKED]
    for attempt in range(ATTEMPTS):
        needed: list[Prepared] = []
        for step, answer in ask_server(run, pending):
            if isinstance(answer, Prepared):
                needed.append(answer)
            elif isinstance(answer, ClusterError):
                outcomes.append(_fail(step, str(answer)))
            else:
                outcomes.append(_settle(answer))
        held = find_held(each.result for each in (*earlier, *outcomes))
        outcomes += [_fail(each.step, held[each.step.service]) for each in needed if each.step.service in held]
        run.doors.lease.check()
        ready = [each for each in needed if each.step.service not in held]
        written, pending = _write(run, ready, intend, last=attempt == ATTEMPTS - 1)
        outcomes += written
        if not pending:
            break
    return outcomes


def find_held(results: Iterable[ObjectResult]) -> dict[str, str]:
    """The services of which an object failed, in this stage or an earlier one, and what their others are told."""
    broken = {each.service for each in results if each.is_bad} - {""}
    return {each: f"left as it is, because others of {each} failed" for each in broken}


def _wait_served(run: Pass, outcomes: Sequence[Outcome]) -> None:
    """Until the definitions that were written are established and served; those of a minute later are not."""
    written = [
        each
        for each in outcomes
        if each.step.ref.kind == "CustomResourceDefinition"
        and each.result.action is not Action.UNCHANGED
        and not each.result.is_bad
    ]
    if not written:
        return
    with run.doors.waiting(f"{', '.join(str(each.step.ref) for each in written)} to be established"):
        deadline = run.doors.clock.monotonic() + ESTABLISHED_SECONDS
        while not _are_served(run, written) and run.doors.clock.monotonic() < deadline:
            run.doors.clock.sleep(0.1)


def _are_served(run: Pass, written: Sequence[Outcome]) -> bool:
    """Whether discovery, which is read anew, has what they define: it follows their status some 30 ms later."""
    definitions = [(each.step.ref, each.live) for each in written if each.live is not None]
    answers = run.cluster.get_objects([(live["apiVersion"], ref) for ref, live in definitions])
    run.cluster.read_discovery()
    return all(map(_is_established, answers)) and all(
        run.cluster.serves(f"{spec['group']}/{version['name']}", spec["names"]["kind"])
        for spec in (live["spec"] for _, live in definitions)
        for version in spec.get("versions", ())
        if version["served"]
    )


def _is_established(answer: Body | ClusterError | None) -> bool:
    if answer is None or isinstance(answer, ClusterError):
        return False
    conditions = (answer.get("status") or {}).get("conditions") or ()
    return any(each["type"] == "Established" and each["status"] == "True" for each in conditions)


def _write(
    run: Pass, needed: Sequence[Prepared], intend: Intend, *, last: bool
) -> tuple[list[Outcome], list[Step]]:
    outcomes = []
    if needed:
        # What was deleted meanwhile, or is to be, is made without the uid that the state knows.
        intend([each.step for each in needed])
    failed: dict[ObjectRef, ClusterError] = _migrate(run, needed)
    if doomed := [each for each in needed if each.step.action is Action.RECREATE]:
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
        live = each.step.live
        if each.migration is None or live is None:
            continue
        # Entries that somebody wrote meanwhile would be lost.
        conditions = {key: live["metadata"][key] for key in ("uid", "resourceVersion")}
        patch = {"metadata": {**each.migration["metadata"], **conditions}}
        try:
            patched = run.cluster.patch_object(live["apiVersion"], each.step.ref, patch)
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
