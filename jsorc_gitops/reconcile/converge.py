"""The corridor of `jsorc reconcile`: tree → plan → apply → prune → health → reset → report."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from jsorc_gitops.errors import ClusterError
from jsorc_gitops.model.objects import ApplyRequest, Manifest, ObjectRef
from jsorc_gitops.model.policy import ApplyPolicy
from jsorc_gitops.model.tree import Tree
from jsorc_gitops.reconcile.applier import apply_steps
from jsorc_gitops.reconcile.audit import audit_steps, is_due
from jsorc_gitops.reconcile.following import follow_tree
from jsorc_gitops.reconcile.guards import (
    check_cluster,
    check_repository,
    check_syncers,
    find_consents,
    find_former_homes,
    find_resting,
    is_foreign_namespace,
)
from jsorc_gitops.reconcile.inventory import Entry, State
from jsorc_gitops.reconcile.ledger import Ledger
from jsorc_gitops.reconcile.memory import read_memory, write_pending, write_settled
from jsorc_gitops.reconcile.observe import Observation, observe_tree, select_manifests
from jsorc_gitops.reconcile.pauses import leave_out_paused, tell_paused
from jsorc_gitops.reconcile.plan import Action, Step, make_apply_body, plan_object
from jsorc_gitops.reconcile.plan_prune import PrunePlan
from jsorc_gitops.reconcile.ports import Doors, Options, Pass
from jsorc_gitops.reconcile.prepare import find_given_up
from jsorc_gitops.reconcile.preview import preview_prune, preview_steps
from jsorc_gitops.reconcile.pruner import find_left_alone, find_prune, prune_objects
from jsorc_gitops.reconcile.records import FoundTree
from jsorc_gitops.reconcile.report import ObjectResult, Report, make_result
from jsorc_gitops.reconcile.syncers import Syncer
from jsorc_gitops.reconcile.verdicts import judge_and_reset


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """What a pass is going to do, and what it knows by then."""

    run: Pass  # over the services that are not paused
    state: State
    ledger: Ledger
    manifests: Sequence[Manifest]
    observed: Observation
    consents: Collection[str]
    warnings: tuple[str, ...]
    steps: Sequence[Step]
    audits: bool  # all objects are dry-run
    unchanged: Collection[ObjectRef]  # what would not have been asked about without an audit
    prune: PrunePlan


def reconcile(
    tree: Tree, revision: str, doors: Doors, options: Options, *, found: FoundTree | None = None
) -> Report:
    """One pass over a tree at a commit; with `options.dry_run` what it would do.

    `found` is the tree where it was read from the cluster; then, as where Flux or Argo CD applies it, nothing is
    applied.

    Raises ClusterError where the API server cannot be used at all, FormatError where the stored state cannot
    be read, RefusedError where another repository was applied last, LeaseHeldError where another pass is at work.
    """
    if not tree.settings.enabled:
        warning = "enabled is false in jsorc.yaml: nothing is done"
        report = Report(revision=revision, tree=tree.name, dry_run=options.dry_run, warnings=(warning,))
        doors.tell(report)
        return report
    run = Pass(tree=tree, revision=revision, doors=doors, options=options)
    if found is None:
        doors.cluster.read_discovery()
    check_cluster(run)
    if found or tree.settings.applier != "jsorc":
        report = follow_tree(run, found)
    else:
        report = _preview(run) if options.dry_run else _hold_and_converge(run)
    return replace(
        report,
        tree=tree.name,
        server=doors.cluster.server,
        requests=doors.cluster.requests,
        jaseci_requests=doors.jaseci.requests if doors.jaseci else 0,
    )


def _hold_and_converge(run: Pass) -> Report:
    made = _acquire_lease(run)
    try:
        return _converge(run, made)
    finally:
        run.doors.lease.release()


def _plan(run: Pass) -> _Plan:
    """Look, and decide; nothing is written."""
    state, ledger = read_memory(run)
    run = leave_out_paused(run, ledger)
    doubts = check_repository(run, state)
    consents = find_consents(run, state)
    manifests = select_manifests(run.tree)
    # Nor are there rights for what is left alone.
    asleep = find_left_alone(run, state)
    asked = replace(state, entries={ref: each for ref, each in state.entries.items() if ref not in asleep})
    observed = observe_tree(run.cluster, manifests, asked, tree=run.tree.name, part_of=run.part_of)
    syncers = check_syncers(run, observed) if run.options.takeover else find_resting(observed)
    steps = _plan_objects(run, manifests, state, observed)
    audits = is_due(state.audited, every=run.options.audit_every, now=run.doors.clock.now())
    return _Plan(
        run=run,
        state=state,
        ledger=ledger,
        manifests=manifests,
        observed=observed,
        consents=consents,
        warnings=(*doubts, *syncers, *find_former_homes(run, state), *find_given_up(steps)),
        steps=audit_steps(steps) if audits else steps,
        audits=audits,
        unchanged={each.ref for each in steps if each.action is Action.UNCHANGED},
        prune=PrunePlan() if run.options.takeover else find_prune(run, state, observed, consents),
    )


def _preview(run: Pass) -> Report:
    """What _converge would do, but for health and resets, which nobody knows beforehand."""
    run.doors.lease.foresee()
    plan = _plan(run)
    run = plan.run
    results = [*preview_steps(run, plan.steps), *_explain_unread(plan.manifests, plan.observed)]
    prune = _hold_back(plan.prune, results)
    results += preview_prune(run, plan.state, plan.observed, prune)
    report = Report(
        revision=run.revision,
        dry_run=True,
        objects=tuple(results),
        services=tell_paused(run),
        warnings=plan.warnings,
        errors=(prune.refusal,) if prune.refusal else (),
    )
    run.doors.tell(report)
    return report


def _converge(run: Pass, made: Sequence[ObjectResult]) -> Report:
    """All that the lease protects; `made` was made to be able to hold it."""
    results: list[ObjectResult] = []

    def tell(new: Iterable[ObjectResult]) -> None:
        known = {each.ref for each in results}
        fresh = [each for each in new if each.ref not in known]
        results.extend(fresh)
        run.doors.tell(Report(revision=run.revision, objects=tuple(fresh)))

    tell(made)
    plan = _plan(run)
    run = plan.run
    run.doors.tell(Report(revision=run.revision, warnings=plan.warnings))
    observed, prune = plan.observed, plan.prune
    state = write_pending(run, plan.state, plan.steps, prune)

    def intend(steps: Sequence[Step]) -> None:
        nonlocal state
        state = write_pending(run, state, steps, prune)

    outcomes = apply_steps(run, plan.steps, intend, lambda stage: tell(each.result for each in stage))
    tell(_explain_unread(plan.manifests, observed))
    prune = _hold_back(prune, results)
    tell(prune_objects(run, prune))
    # What an audit found and could not mend is to be found again.
    mended = not any(each.is_bad and each.ref in plan.unchanged for each in results)
    audited = plan.audits and mended
    write_settled(run, state, outcomes, results, prune, consents=plan.consents, audited=audited)
    if run.options.takeover:
        return Report(revision=run.revision, objects=tuple(results), warnings=plan.warnings)
    bad = [each for each in results if each.is_bad]
    judged = judge_and_reset(
        run,
        plan.ledger,
        observed.live,
        plan.manifests,
        changed={each.ref for each in results if each.action not in {Action.UNCHANGED, Action.YIELD}},
        without={each.ref for each in bad},
        errors=(prune.refusal,) if prune.refusal else (),
        find_held=lambda: dict.fromkeys((each.service for each in bad), "its objects could not be applied"),
    )
    return replace(judged, objects=tuple(results), warnings=(*plan.warnings, *judged.warnings))


def _plan_objects(run: Pass, manifests: Sequence[Manifest], state: State, observed: Observation) -> list[Step]:
    return [
        plan_object(
            each,
            observed.live.get(each.ref),
            _find_entry(run, state, each.ref),
            part_of=run.part_of,
            policy=_find_policy(run, each.service),
            adopt=run.options.adopt,
            keeper=_find_keeper(run, observed, each.ref),
            holders=observed.holders,
        )
        for each in manifests
        if not observed.explain_unread(each.ref) and not is_foreign_namespace(run, each, observed)
    ]


def _find_keeper(run: Pass, observed: Observation, ref: ObjectRef) -> Syncer | None:
    """Whom an object is left to; who is at rest has it no longer when all is taken over."""
    keeper = observed.keepers.get(ref)
    return None if keeper and run.options.takeover and keeper.is_at_rest else keeper


def _find_policy(run: Pass, service: str) -> ApplyPolicy:
    policy = run.tree.find_policy(service)
    return replace(policy, recreate=False) if run.options.takeover else policy


def _acquire_lease(run: Pass) -> list[ObjectResult]:
    """Hold the lease; what had to be made for it is the home namespace, on the first pass."""
    try:
        run.doors.lease.acquire()
    except ClusterError as error:
        home = ObjectRef(group="", kind="Namespace", namespace="", name=run.namespace)
        if error.status != 404 or home not in run.tree.manifests:  # noqa: PLR2004 - HTTP's own number
            raise
        manifest = run.tree.manifests[home]
        step = plan_object(manifest, None, None, part_of=run.part_of)
        request = ApplyRequest(ref=home, body=make_apply_body(step, manifest.body, part_of=run.part_of))
        (answer,) = run.cluster.apply_objects([request])
        if isinstance(answer, ClusterError):
            raise answer from error
        run.doors.lease.acquire()
        return [make_result(step)]
    return []


def _find_entry(run: Pass, state: State, ref: ObjectRef) -> Entry | None:
    """What the state has of an object, with the takes that the pass before this one went on with."""
    entry = state.entries.get(ref)
    if entry and entry.takes and entry.taken_in != run.doors.lease.number - 1:
        return replace(entry, takes={})
    return entry


def _hold_back(prune: PrunePlan, results: Sequence[ObjectResult]) -> PrunePlan:
    """The plan, or none where something else was refused or failed."""
    if prune.steps and any(each.is_bad for each in results):
        return PrunePlan(refusal=f"{len(prune.steps)} objects are not pruned, because others failed")
    return prune


def _explain_unread(manifests: Sequence[Manifest], observed: Observation) -> list[ObjectResult]:
    return [
        ObjectResult(
            ref=each.ref,
            service=each.service,
            action=Action.CONFIGURE,
            error=why,
        )
        for each in manifests
        if (why := observed.explain_unread(each.ref))
    ]
