"""Asks the API server, by dry-runs, what each step would come to, and decides on what it would not do."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from jsorc_gitops.errors import ClusterError
from jsorc_gitops.model.masks import encode_strings
from jsorc_gitops.model.objects import ApplyRequest, Body
from jsorc_gitops.reconcile.immutable import PROBE, find_fixed, find_hazard, is_address_taken
from jsorc_gitops.reconcile.migration import find_losses, make_migration
from jsorc_gitops.reconcile.ownership import (
    UNKNOWN,
    Keys,
    Verdict,
    compute_conflicts,
    compute_digest,
    find_own_fields,
    find_owners,
    format_keys,
    remove_value,
)
from jsorc_gitops.reconcile.plan import (
    CONFLICTS,
    Action,
    FieldChange,
    Step,
    diff_live,
    format_refusal,
    is_going,
    is_stale,
    make_apply_body,
    make_change,
    make_deletion,
    make_stale,
    regains_ownership,
)
from jsorc_gitops.reconcile.ports import Cluster

# A conflict, a fight, and one more that came up meanwhile.
_ROUNDS = 4
# How often in a row a field is taken back before it is left to whom it is taken from.
PATIENCE = 3
# A resourceVersion that no object has: an apply that carries it makes what is not there, and changes nothing that
# is. A dry-run answers it.
_UNMADE = "1"
_NAMED = 5  # fields of an object that are named; of more, the rest is counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A step whose dry-run passed: what to send, and what it will change."""

    step: Step
    request: ApplyRequest
    changes: tuple[FieldChange, ...] = ()
    migration: Body | None = field(default=None, repr=False)  # to be patched before


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    """What to ask about a step; `body` is what git says without the fields that are left to others."""

    step: Step
    body: Body = field(repr=False)
    force: bool = False


def dry_run(cluster: Cluster, steps: Sequence[Step], *, part_of: str) -> list["Prepared | Step | ClusterError"]:
    """For each step what to send, the same step as one that is refused or unchanged, or why it cannot be done."""
    questions = dict(enumerate(map(_ask, steps)))
    results: dict[int, Prepared | Step | ClusterError] = {}
    for _ in range(_ROUNDS):
        requests = [_make_request(each, part_of=part_of, dry_run=True) for each in questions.values()]
        answers = cluster.apply_objects(requests) if requests else []
        again: dict[int, _Question] = {}
        for (place, question), answer in zip(questions.items(), answers, strict=True):
            result = _judge(question, answer, part_of=part_of)
            if isinstance(result, _Question):
                again[place] = result
            else:
                results[place] = result
        questions = again
    results |= dict.fromkeys(questions, make_stale("it goes on being changed by somebody else"))
    anew = {
        place: each.step
        for place, each in results.items()
        if isinstance(each, Prepared) and each.step.action is Action.RECREATE
    }
    for (place, step), refusal in zip(anew.items(), dry_run_deletions(cluster, [*anew.values()]), strict=True):
        if refusal:
            why = f"{step.reason}, and could not be deleted: {refusal}"
            results[place] = refusal if is_stale(refusal) else ClusterError(why, status=refusal.status)
    return [results[place] for place in range(len(steps))]


def dry_run_deletions(cluster: Cluster, steps: Sequence[Step]) -> list[ClusterError | None]:
    """For each step why the API server would not delete its live object; None where it would, or is at it."""
    lives = [(each.ref, each.live) for each in steps if each.live is not None and not is_going(each.live)]
    requests = [make_deletion(ref, live, dry_run=True) for ref, live in lives]
    answers = cluster.delete_objects(requests) if requests else []
    refused = {each.ref: answer for each, answer in zip(requests, answers, strict=True)}
    found = [refused.get(each.ref) for each in steps]
    return [each if isinstance(each, ClusterError) else None for each in found]


def _ask(step: Step) -> _Question:
    assert step.manifest is not None  # noqa: S101 - only objects of the tree are applied
    body = encode_strings(step.manifest.body)
    return _Question(step=step, body=_cut(body, step.entry.yielded if step.entry else ()))


def _make_request(question: _Question, *, part_of: str, dry_run: bool) -> ApplyRequest:
    step = question.step
    body = make_apply_body(step, question.body, part_of=part_of)
    ref = step.ref
    if dry_run and step.action is Action.RECREATE:
        # The old one is in the way, so what may stand in its place is asked under another name.
        ref = ref._replace(name=PROBE)
        body["metadata"] = {**body["metadata"], "name": PROBE}
    elif not dry_run and step.action is Action.CREATE:
        body["metadata"]["resourceVersion"] = _UNMADE
    return ApplyRequest(ref=ref, body=body, force=question.force, dry_run=dry_run)


def _judge(
    question: _Question, answer: Body | ClusterError, *, part_of: str
) -> "Prepared | Step | ClusterError | _Question":
    step = question.step
    request = _make_request(question, part_of=part_of, dry_run=False)
    if step.action is Action.RECREATE:
        if isinstance(answer, ClusterError) and not is_address_taken(answer, question.body, step.live or {}):
            return ClusterError(f"{step.reason}, and could not be made anew: {answer}", status=answer.status)
        return Prepared(step=step, request=request)
    if isinstance(answer, ClusterError):
        return _judge_error(question, answer)
    return _judge_answer(question, request, answer)


def _judge_answer(
    question: _Question, request: ApplyRequest, answer: Body
) -> "Prepared | Step | ClusterError | _Question":
    step, live = question.step, question.step.live
    if live is None:
        # What a dry-run creates has no resourceVersion; what has one is there already.
        appeared = "resourceVersion" in answer["metadata"]
        return (
            make_stale("it was made by somebody else meanwhile")
            if appeared
            else Prepared(step=step, request=request)
        )
    changes = diff_live(live, answer)
    if step.is_adopting and (migration := make_migration(answer)):
        changes += _tell_losses(live, answer, migration)
        # Nothing of what was migrated is anybody else's by then.
        return Prepared(step=step, request=request, changes=changes, migration=migration)
    if is_drift(step):
        # What our entry still has is as we left it, in a pass that was killed say.
        ours = find_own_fields(live) if changes else {}
        taken = [each.path for each in changes if each.path not in ours]
        if fought := _find_fights(step, taken, answer):
            return replace(question, step=_give_up(step, fought), body=_cut(question.body, fought))
        step = _count_takes(step, taken)
    if not changes and not regains_ownership(live, answer):
        return replace(step, action=Action.UNCHANGED, reason="")
    return Prepared(step=step, request=request, changes=changes)


def _judge_error(question: _Question, answer: ClusterError) -> "Step | ClusterError | _Question":
    step = question.step
    if step.live is None:
        return make_stale("it was made by somebody else meanwhile") if _is_conflict(answer) else answer
    if _is_conflict(answer):
        return _resolve(question, step.live, answer)
    fixed = find_fixed(step.ref, answer)
    if not fixed:
        return answer
    reason = f"{', '.join(fixed)} cannot be changed"
    if hazard := find_hazard(step.ref, step.live):
        return replace(step, action=Action.REFUSE, reason=f"{reason}, and {hazard}")
    if not step.policy.recreate:
        remedy = "`recreate: allow` in its service.yaml has it deleted and made anew"
        return replace(step, action=Action.REFUSE, reason=f"{reason} in place; {remedy}")
    return replace(question, step=replace(step, action=Action.RECREATE, reason=reason))


def _resolve(question: _Question, live: Body, answer: ClusterError) -> "Step | ClusterError | _Question":
    """Decide on fields that others own: forced, left out, or the object refused."""
    step = question.step
    paths = [cause["field"] for cause in answer.causes if "field" in cause]
    conflicts = compute_conflicts(paths, question.body, live, adopting=step.is_adopting, policy=step.policy)
    if any(conflict.owner is UNKNOWN for conflict in conflicts):
        # Set by somebody since we looked: who that is stands in the object as it is now.
        return make_stale(f"{paths[0]} was set by somebody meanwhile")
    if refusal := format_refusal(conflicts):
        return replace(step, action=Action.REFUSE, reason=refusal)
    body = _cut(question.body, (each.keys for each in conflicts if each.verdict is Verdict.YIELD))
    # What is left after yielding is ours to take, so nothing else is overridden by force.
    force = question.force or any(conflict.verdict is Verdict.TAKE for conflict in conflicts)
    return replace(question, body=body, force=force)


def is_drift(step: Step) -> bool:
    """Whether git says what it said when we applied it, so that somebody else changed it."""
    if step.entry is None or step.manifest is None:
        return False
    return step.entry.fingerprint.startswith(compute_digest(step.manifest))


def _find_fights(step: Step, taken: Iterable[str], answer: Body) -> tuple[Keys, ...]:
    """The fields that were taken back often enough, of those that can be left out."""
    takes = step.entry.takes if step.entry else {}
    # What service.yaml says to take is taken for ever.
    patient = (path for path in taken if step.policy.find_verdict(path) != Verdict.TAKE)
    often = [path for path in patient if takes.get(path, 0) >= PATIENCE]
    ours = find_own_fields(answer) if often else {}
    return tuple(ours[path] for path in often if path in ours)


def _give_up(step: Step, fought: tuple[Keys, ...]) -> Step:
    """The step without these fields, for good; another commit begins anew."""
    assert step.entry is not None  # noqa: S101 - only what was applied before is fought for
    assert step.live is not None  # noqa: S101 - and what is not there is nobody's
    owners = find_owners(step.live)
    notes = [step.note] if step.note else []
    for path in map(format_keys, fought):
        to = f"left to {owners[path].owner.manager}" if path in owners else "left as it is"
        notes.append(f"{path} was taken back {PATIENCE} passes in a row, and is {to}")
    yielded = tuple(sorted({*step.entry.yielded, *fought}))
    return replace(step, entry=replace(step.entry, yielded=yielded), note="; ".join(notes))


def find_given_up(steps: Iterable[Step]) -> list[str]:
    """A line for each object with fields that an earlier pass gave up: they are not as git says."""
    why = (
        f"taken back {PATIENCE} passes in a row, and is left as it is until git says something else of the object"
    )
    return [
        f"{step.ref}: {_name_some(step.entry.yielded)} was {why}; {CONFLICTS}"
        for step in steps
        if step.entry and step.entry.yielded
    ]


def _name_some(fields: Sequence[Keys]) -> str:
    more = f" and {len(fields) - _NAMED} more" if len(fields) > _NAMED else ""
    return ", ".join(map(format_keys, fields[:_NAMED])) + more


def _count_takes(step: Step, taken: Iterable[str]) -> Step:
    assert step.entry is not None  # noqa: S101 - only what was applied before is taken back
    takes = {path: step.entry.takes.get(path, 0) + 1 for path in taken}
    return replace(step, entry=replace(step.entry, takes=takes))


def _tell_losses(live: Body, answer: Body, migration: Body) -> tuple[FieldChange, ...]:
    owners = find_owners(live)
    return tuple(
        make_change(live, path, before=value, after=None, by=owners[path].owner.manager if path in owners else "")
        for path, value in find_losses(live, answer, migration).items()
    )


def _cut(body: Body, fields: Iterable[Keys]) -> Body:
    for keys in fields:
        body = remove_value(body, keys)
    return body


def _is_conflict(answer: ClusterError) -> bool:
    """A field conflict, which names its fields, unlike a stale resourceVersion, which is 409 too."""
    return any(cause.get("reason") == "FieldManagerConflict" for cause in answer.causes)
