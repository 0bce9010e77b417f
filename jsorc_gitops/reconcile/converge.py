"""The corridor of `jsorc reconcile`: tree → plan → apply → prune → health → reset → report."""

from collections.abc import Sequence
from dataclasses import replace

from jsorc_gitops.errors import ClusterError
from jsorc_gitops.model.layout import record_name
from jsorc_gitops.model.objects import ApplyRequest, Manifest, ObjectRef
from jsorc_gitops.model.tree import Tree
from jsorc_gitops.reconcile.applier import apply_steps
from jsorc_gitops.reconcile.guards import (
    check_cluster,
    check_repository,
    find_consents,
    find_former_homes,
    is_foreign_namespace,
)
from jsorc_gitops.reconcile.inventory import compute_applyset_id
from jsorc_gitops.reconcile.judge import judge_health, reset_services
from jsorc_gitops.reconcile.memory import read_state, write_expected, write_settled
from jsorc_gitops.reconcile.observe import Observation, observe_tree
from jsorc_gitops.reconcile.plan import Action, PrunePlan, make_apply_body, plan_object
from jsorc_gitops.reconcile.ports import Doors, Options, Pass
from jsorc_gitops.reconcile.pruner import find_prune, prune_objects
from jsorc_gitops.reconcile.report import ObjectResult, Report, make_result


def reconcile(tree: Tree, revision: str, doors: Doors, options: Options) -> Report:
    """One pass over a tree at a commit.

    Raises ClusterError where the API server cannot be used at all, FormatError where the stored state cannot
    be read, RefusedError where another repository was applied last, LeaseHeldError where another pass is at work.
    """
    if not tree.settings.enabled:
        return Report(revision=revision, warnings=("enabled is false in jsorc.yaml: nothing is done",))
    part_of = compute_applyset_id(tree.name, tree.settings.namespace)
    run = Pass(tree=tree, revision=revision, doors=doors, options=options, part_of=part_of)
    doors.cluster.read_discovery()
    check_cluster(run)
    made = _acquire_lease(run)
    try:
        report = _converge(run, made)
    finally:
        doors.lease.release()
    jaseci_requests = doors.jaseci.requests if doors.jaseci else 0
    return replace(report, requests=doors.cluster.requests, jaseci_requests=jaseci_requests)


def _converge(run: Pass, made: Sequence[ObjectResult]) -> Report:
    """All that the lease protects; `made` was made to be able to hold it."""
    state = read_state(run)
    check_repository(run, state)
    consents = find_consents(run, state)
    manifests = _select_manifests(run.tree)
    observed = observe_tree(run.cluster, manifests, state, tree=run.tree.name)
    warnings = find_former_homes(run, state, observed)
    steps = [
        plan_object(
            each,
            observed.live.get(each.ref),
            state.entries.get(each.ref),
            part_of=run.part_of,
            adopt=run.options.adopt,
        )
        for each in manifests
        if each.ref.group_kind not in observed.unread and not is_foreign_namespace(run, each, observed)
    ]
    prune = find_prune(run, state, observed, consents)
    state = write_expected(run, state, steps, prune)
    outcomes = apply_steps(run, steps)
    already = {each.ref for each in made}
    results = [*made, *(each.result for each in outcomes if each.result.ref not in already)]
    results += _explain_unread(manifests, observed)
    if prune.steps and any(each.is_bad for each in results):
        prune = PrunePlan(refusal=f"{len(prune.steps)} objects are not pruned, because others failed")
    results += prune_objects(run, prune)
    write_settled(run, state, outcomes, results, prune, consents=consents)
    changed = any(each.action is not Action.UNCHANGED for each in results)
    bad = [each for each in results if each.is_bad]
    healths, unseen = judge_health(run, observed.live, changed=changed, without={each.ref for each in bad})
    broken = frozenset(each.service for each in bad)
    return Report(
        revision=run.revision,
        objects=tuple(results),
        healths=tuple(
            (record.name, healths[ref])
            for record in run.tree.records.values()
            for ref in record.workloads
            if ref in healths
        ),
        services=tuple(reset_services(run, healths, broken=broken)),
        warnings=warnings,
        errors=(*((prune.refusal,) if prune.refusal else ()), *unseen),
    )


def _acquire_lease(run: Pass) -> list[ObjectResult]:
    """Hold the lease; what had to be made for it is the home namespace, on the first pass."""
    try:
        run.doors.lease.acquire()
    except ClusterError as error:
        home = ObjectRef(group="", kind="Namespace", namespace="", name=run.namespace)
        if error.status != 404 or home not in run.tree.manifests:  # noqa: PLR2004 - HTTP's own number
            raise
        step = plan_object(run.tree.manifests[home], None, None, part_of=run.part_of, adopt=False)
        request = ApplyRequest(ref=home, body=make_apply_body(step, part_of=run.part_of))
        (answer,) = run.cluster.apply_objects([request])
        if isinstance(answer, ClusterError):
            raise answer from error
        run.doors.lease.acquire()
        return [make_result(step)]
    return []


def _select_manifests(tree: Tree) -> list[Manifest]:
    """What this pass applies: services that are kept alive, every record, and what belongs to the tree."""
    return [
        each
        for each in tree.manifests.values()
        if not each.service
        or tree.records[each.service].keep_alive
        or each.ref.name == record_name(tree.name, each.service)
    ]


def _explain_unread(manifests: Sequence[Manifest], observed: Observation) -> list[ObjectResult]:
    return [
        ObjectResult(
            ref=each.ref,
            service=each.service,
            action=Action.CONFIGURE,
            error=observed.unread[each.ref.group_kind],
        )
        for each in manifests
        if each.ref.group_kind in observed.unread
    ]
