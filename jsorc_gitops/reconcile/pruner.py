"""Removes what git no longer has; what holds data is released and named instead."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from jsorc_gitops.errors import ClusterError
from jsorc_gitops.model.objects import SERVICE_LABEL, TREE_LABEL, Body, ObjectRef
from jsorc_gitops.reconcile.inventory import PART_OF_LABEL, Entry, State
from jsorc_gitops.reconcile.neighbours import find_keepers
from jsorc_gitops.reconcile.observe import Observation, index_objects
from jsorc_gitops.reconcile.plan import Action, Step, is_going, is_stale, make_deletion, make_release_patch
from jsorc_gitops.reconcile.plan_prune import EVERYTHING, PrunePlan, plan_prune, plan_removal
from jsorc_gitops.reconcile.plan_release import make_handover_patch
from jsorc_gitops.reconcile.ports import Pass
from jsorc_gitops.reconcile.replan import ATTEMPTS
from jsorc_gitops.reconcile.report import ObjectResult, make_result
from jsorc_gitops.reconcile.syncers import Syncer

# A request that a killed pass had sent may arrive after the next pass has looked; the API server itself ends
# one after 60 s.
LATEST = timedelta(seconds=120)

_MARKS = (PART_OF_LABEL, SERVICE_LABEL, TREE_LABEL)
_DONE = frozenset({Action.PRUNE, Action.RELEASE})

Plan = Callable[[Entry, Body, Syncer | None], Step]


def find_prune(run: Pass, state: State, observed: Observation, consents: Collection[str]) -> PrunePlan:
    """What is to be pruned, with git asked for proof only where something is."""
    desired = run.tree.manifests.keys() | find_left_alone(run, state) | _find_late(run, state, observed)
    absent = {ref.group_kind for ref in state.entries if ref not in desired}
    if not absent:
        return PrunePlan()
    descends = run.options.allow_rewind or run.doors.history.is_ancestor(state.revision, run.revision) is True
    if refusal := _check_read(run, observed, absent, consents):
        return PrunePlan(refusal=refusal, rewinds=not descends)
    return plan_prune(
        state,
        desired,
        observed.live,
        part_of=run.part_of,
        keepers=observed.keepers,
        descends=descends,
        consents=consents,
    )


def _check_read(
    run: Pass, observed: Observation, absent: Collection[tuple[str, str]], consents: Collection[str]
) -> str:
    # A kind that is not served now is no proof that its objects are gone; a person may know that they are.
    unserved = {of for of in absent if run.cluster.find_api_version(*of) is None}
    dropped = {of for of in unserved if not run.cluster.is_away(of[0])}
    # Of a kind that could not be read in one namespace, nothing is known.
    unread = unserved | {(group, kind) for group, kind, _ in observed.unread}
    if others := unread - dropped:
        return f"nothing is pruned, because {_name_kinds(others)} could not be read"
    if dropped and EVERYTHING not in consents:
        return (
            f"nothing is pruned, because the API server serves no {_name_kinds(dropped)}; "
            "if that is gone for good, --allow-prune forgets what was of it"
        )
    return ""


def _name_kinds(kinds: Collection[tuple[str, str]]) -> str:
    return ", ".join(sorted(kind for _, kind in kinds))


def find_left_alone(run: Pass, state: State) -> set[ObjectRef]:
    """What belongs to services that are not kept alive, or paused: it is neither applied nor pruned."""
    records = run.tree.records
    asleep = {name for name, record in records.items() if not record.keep_alive} | run.paused.keys()
    return {ref for ref, entry in state.entries.items() if entry.service in asleep}


def _find_late(run: Pass, state: State, observed: Observation) -> set[ObjectRef]:
    """What a killed pass may still make, though nobody wants it any more: it must not be forgotten yet."""
    pending = {ref for ref, entry in state.entries.items() if entry.pending and ref not in observed.live}
    if not (pending and state.began):
        return set()
    is_late = run.doors.clock.now() - datetime.fromisoformat(state.began) > LATEST
    return set() if is_late else pending


def prune_objects(run: Pass, prune: PrunePlan) -> list[ObjectResult]:
    """Carry the plan out, dependents first."""
    return remove_objects(run, prune.steps, partial(plan_removal, part_of=run.part_of))


def remove_objects(run: Pass, steps: Sequence[Step], plan: Plan) -> list[ObjectResult]:
    """Delete or let go of objects; what somebody wrote meanwhile is planned again, as it is now."""
    if steps:
        run.doors.lease.check()
    left_alone = [_result(step, {}) for step in steps if step.action not in _DONE]
    pending = [step for step in steps if step.action in _DONE]
    results: list[ObjectResult] = []
    for attempt in range(ATTEMPTS):
        answers = _remove(run, pending)
        stale = []
        for step, answer in zip(pending, answers, strict=True):
            if is_stale(answer) and attempt < ATTEMPTS - 1:
                stale.append(step)
            else:
                results.append(_result(step, answer))
        pending = _look_again(run, stale, plan, results)
        if not pending:
            break
    return left_alone + results


def _remove(run: Pass, steps: Sequence[Step]) -> list[Body | ClusterError]:
    deletions = [step for step in steps if step.action is Action.PRUNE and not is_going(step.live)]
    requests = [make_deletion(step.ref, step.live) for step in deletions if step.live is not None]
    deleted = run.cluster.delete_objects(requests) if requests else []
    answers = dict(zip((step.ref for step in deletions), deleted, strict=True))
    for step in steps:
        if step.action is Action.RELEASE:
            answers[step.ref] = _release(run, step)
        elif step.live is not None and is_going(step.live):
            answers[step.ref] = step.live
    return [answers[step.ref] for step in steps]


def _look_again(run: Pass, stale: Sequence[Step], plan: Plan, results: list[ObjectResult]) -> list[Step]:
    """Steps whose object was written meanwhile, by a controller's status mostly, on what it is now."""
    asked = [(step.live["apiVersion"], step.ref) for step in stale if step.live]
    answers = run.cluster.get_objects(asked) if asked else []
    there = [each for each in answers if each is not None and not isinstance(each, ClusterError)]
    # Flux or Argo CD may be who wrote in between.
    keepers = find_keepers(run.cluster, index_objects(there))
    again = []
    for step, live in zip(stale, answers, strict=True):
        if live is None or isinstance(live, ClusterError):
            results.append(_result(step, live or {}))
            continue
        entry = Entry(ref=step.ref, service=step.service, uid=_uid(step.live), fingerprint="")
        planned = plan(entry, live, keepers.get(step.ref))
        if planned.action in _DONE:
            again.append(planned)
        else:
            results.append(_result(planned, {}))
    return again


def _uid(live: Body | None) -> str:
    return str(live["metadata"]["uid"]) if live else ""


def _release(run: Pass, step: Step) -> Body | ClusterError:
    assert step.live is not None  # noqa: S101 - only what is there is released
    if step.manifest is None:
        patch = make_release_patch(step.live, labels=_MARKS, part_of=run.part_of)
    else:
        patch = make_handover_patch(step.live, run.tree.settings.applier)
    try:
        return run.cluster.patch_object(step.live["apiVersion"], step.ref, patch)
    except ClusterError as error:
        return error


def _result(step: Step, answer: Body | ClusterError) -> ObjectResult:
    if isinstance(answer, ClusterError):
        return make_result(step, error=str(answer))
    metadata = answer.get("metadata") or {}
    finalizers = metadata.get("finalizers") if step.action is Action.PRUNE and is_going(answer) else None
    if not finalizers:
        return make_result(step)
    note = f"still there, until whoever set its finalizers takes them off: {', '.join(finalizers)}"
    return replace(make_result(replace(step, note=note)), lingers=True)
