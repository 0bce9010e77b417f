"""What a pass would do, as far as the API server's dry-runs can tell; nothing is written."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from jsorc_gitops.errors import ClusterError
from jsorc_gitops.model.masks import is_secret, mask_secret
from jsorc_gitops.model.objects import Body, Manifest, compute_stage, sort_key
from jsorc_gitops.reconcile.applier import find_held
from jsorc_gitops.reconcile.inventory import State
from jsorc_gitops.reconcile.observe import Observation
from jsorc_gitops.reconcile.ownership import MASK
from jsorc_gitops.reconcile.plan import Action, FieldChange, Step, is_stale
from jsorc_gitops.reconcile.plan_prune import EVERYTHING, PrunePlan
from jsorc_gitops.reconcile.ports import Pass
from jsorc_gitops.reconcile.prepare import Prepared, dry_run_deletions
from jsorc_gitops.reconcile.pruner import find_prune
from jsorc_gitops.reconcile.replan import ASKED, Answer, ask_server
from jsorc_gitops.reconcile.report import ObjectResult, make_result

_MADE = frozenset({Action.CREATE, Action.RECREATE})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Coming:
    """What the earlier stages bring that is not there for the dry-runs of later ones."""

    namespaces: Collection[str] = frozenset()
    kinds: Collection[tuple[str, str]] = frozenset()  # defined anew, or otherwise than now
    made: frozenset[tuple[str, str, str]] = frozenset()  # kind, namespace and name of each object

    def explain(self, run: Pass, step: Step) -> str:
        """Why the server cannot be asked about a step; "" where it can."""
        assert step.manifest is not None  # noqa: S101 - only objects of the tree are applied
        if step.ref.namespace in self.namespaces:
            return f"namespace {step.ref.namespace}"
        missing = self.made & _find_needs(step.manifest) if step.ref.group_kind == ("", "Pod") else ()
        if missing:
            return ", ".join(sorted(f"{kind} {name}" for kind, _, name in missing))
        unserved = not run.cluster.serves(step.manifest.api_version, step.ref.kind)
        return f"the kind {step.ref.kind}" if unserved and step.ref.group_kind in self.kinds else ""


def preview_steps(run: Pass, steps: Sequence[Step]) -> list[ObjectResult]:
    """What applying all steps would come to, in the order of a pass."""
    results: list[ObjectResult] = []
    ordered = sorted(steps, key=lambda step: sort_key(step.ref))
    for _, group in groupby(ordered, key=lambda step: compute_stage(step.ref)):
        results += _preview_stage(run, list(group), _find_coming(results, steps), results)
    return results


def preview_prune(run: Pass, state: State, observed: Observation, prune: PrunePlan) -> list[ObjectResult]:
    """What pruning would remove; where it is refused, what it would remove with every consent."""
    if not prune.refusal:
        doomed = [each for each in prune.steps if each.action is Action.PRUNE]
        answers = dict(zip((each.ref for each in doomed), dry_run_deletions(run.cluster, doomed), strict=True))
        # One that was written meanwhile is looked at again by a pass.
        errors = {ref: str(answer) for ref, answer in answers.items() if answer and not is_stale(answer)}
        return [make_result(step, error=errors.get(step.ref, "")) for step in prune.steps]
    allowed = replace(run, options=replace(run.options, allow_rewind=True))
    steps = find_prune(allowed, state, observed, frozenset({EVERYTHING})).steps
    return [make_result(step, error="" if step.action is Action.YIELD else "refused") for step in steps]


def _find_coming(results: Sequence[ObjectResult], steps: Sequence[Step]) -> _Coming:
    written = {each.ref: each.action for each in results if not each.is_bad and each.action in ASKED}
    return _Coming(
        namespaces={ref.name for ref, action in written.items() if ref.kind == "Namespace" and action in _MADE},
        kinds={
            _find_defined(each.manifest)
            for each in steps
            if each.manifest and each.ref.kind == "CustomResourceDefinition" and each.ref in written
        },
        made=frozenset((ref.kind, ref.namespace, ref.name) for ref, action in written.items() if action in _MADE),
    )


def _find_needs(pod: Manifest) -> set[tuple[str, str, str]]:
    """What the server looks for before it takes a Pod."""
    spec = pod.body.get("spec") or {}
    return {
        ("ServiceAccount", pod.ref.namespace, spec.get("serviceAccountName", "")),
        ("PriorityClass", "", spec.get("priorityClassName", "")),
        ("RuntimeClass", "", spec.get("runtimeClassName", "")),
    }


def _find_defined(definition: Manifest) -> tuple[str, str]:
    spec = definition.body.get("spec") or {}
    return spec.get("group", ""), (spec.get("names") or {}).get("kind", "")


def _preview_stage(
    run: Pass, steps: Sequence[Step], coming: _Coming, earlier: Sequence[ObjectResult]
) -> list[ObjectResult]:
    asked = [step for step in steps if step.action in ASKED]
    early = {step.ref: what for step in asked if (what := coming.explain(run, step))}
    found = ask_server(run, [step for step in asked if step.ref not in early])
    answers = {step.ref: (step, answer) for step, answer in found}
    results = []
    for step in steps:
        if step.ref in early:
            note = f"not checked: {early[step.ref]} comes with this very pass"
            action = Action.CREATE if step.ref.namespace in coming.namespaces else step.action
            results.append(make_result(replace(step, action=action, note=note)))
        elif step.ref in answers:
            results.append(_judge(run, *answers[step.ref], coming))
        else:
            results.append(make_result(step))
    held = find_held([*earlier, *results])
    return [
        replace(each, error=held[each.service])
        if each.service in held and each.action in ASKED and not each.is_bad
        else each
        for each in results
    ]


def _judge(run: Pass, step: Step, answer: Answer, coming: _Coming) -> ObjectResult:
    if isinstance(answer, Step):
        return make_result(answer)
    if isinstance(answer, ClusterError):
        if step.ref.group_kind in coming.kinds:
            note = f"not checked: the kind {step.ref.kind} changes with this very pass (now: {answer})"
            return make_result(replace(step, note=note))
        return make_result(step, error=str(answer))
    changes = answer.changes
    if changes and is_secret(step.ref) and run.options.mask_key:
        changes = _mask_changes(run, answer)
    return make_result(answer.step, changes=changes)


def _mask_changes(run: Pass, prepared: Prepared) -> tuple[FieldChange, ...]:
    """The changes of a Secret with masks that are equal where the values are; the server is asked once more."""
    (after,) = run.cluster.apply_objects([replace(prepared.request, dry_run=True)])
    before = prepared.step.live
    if before is None or isinstance(after, ClusterError):
        return prepared.changes
    masked = [mask_secret(each, run.options.mask_key) for each in (before, after)]
    return tuple(
        _mask_change(each, *masked) if MASK in (each.before, each.after) else each for each in prepared.changes
    )


def _mask_change(change: FieldChange, before: Body, after: Body) -> FieldChange:
    old, new = (_find_mask(each, change.path) for each in (before, after))
    # What only a former manager had set goes after the dry-run's answer, which still has it.
    return replace(change, before=old, after=None if new == old else new)


def _find_mask(masked: Body, path: str) -> Any:
    """What a masked Secret has at the path of a change; names of keys may hold dots."""
    places = {".metadata.annotations": masked["metadata"].get("annotations"), ".data": masked.get("data")}
    for place, values in places.items():
        if path == place:
            return values
        if path.startswith(f"{place}."):
            return (values or {}).get(path.removeprefix(f"{place}."))
    return MASK
