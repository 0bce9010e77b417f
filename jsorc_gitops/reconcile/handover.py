"""The corridors of `jsorc release` and `jsorc adopt`: a tree goes over to Flux or Argo CD, and comes back.

Only whose the objects are changes: none is deleted, none made anew.
"""

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace
from functools import partial

from jsorc_gitops.errors import RefusedError
from jsorc_gitops.model.objects import SERVICE_LABEL, Body, ObjectRef, sort_key
from jsorc_gitops.model.tree import Tree
from jsorc_gitops.reconcile.converge import reconcile
from jsorc_gitops.reconcile.guards import check_cluster, check_repository
from jsorc_gitops.reconcile.holding import hold_lease
from jsorc_gitops.reconcile.inventory import Entry, State, find_part_of
from jsorc_gitops.reconcile.observe import Observation, observe_tree
from jsorc_gitops.reconcile.plan import Action
from jsorc_gitops.reconcile.plan_release import plan_release
from jsorc_gitops.reconcile.ports import Doors, Options, Pass
from jsorc_gitops.reconcile.pruner import remove_objects
from jsorc_gitops.reconcile.report import ObjectResult, Report, make_result
from jsorc_gitops.reconcile.storage import read_state, write_state


def release_tree(tree: Tree, revision: str, doors: Doors, options: Options) -> Report:
    """Let go of all objects that what `applier` names owns as we do; the others stay ours, and are named.

    The state forgets what is let go of when that is done, so a run that is killed is ended by the next. It keeps
    the commit: a clone that is behind it, and would apply by itself, is refused.

    Raises RefusedError where jsorc itself applies the tree, and otherwise as converge.reconcile does.
    """
    if tree.settings.applier == "jsorc":
        raise RefusedError(
            f"`applier` of tree {tree.name} is jsorc at HEAD, so nobody would apply what is released; set it to "
            "flux or argocd in jsorc.yaml, render, commit, and have that applied by it"
        )
    run = Pass(tree=tree, revision=revision, doors=doors, options=options)
    doors.cluster.read_discovery()
    check_cluster(run)
    with nullcontext() if options.dry_run else hold_lease(run):
        state = read_state(run)
        doubts = check_repository(run, state)
        observed = observe_tree(run.cluster, tree.manifests.values(), state, tree=tree.name, part_of=run.part_of)
        results = _release(run, _find_ours(run, state, observed), observed)
        kept = {each.ref for each in results if each.is_bad}
        left = {ref: entry for ref, entry in state.entries.items() if ref in kept}
        if left != state.entries and not options.dry_run:
            settled = state.settled if left else revision
            write_state(run, replace(state, revision=revision, settled=settled, entries=left))
    report = Report(
        revision=revision,
        tree=tree.name,
        server=run.cluster.server,
        dry_run=options.dry_run,
        objects=tuple(results),
        warnings=doubts,
        requests=run.cluster.requests,
    )
    doors.tell(report)
    return report


def adopt_tree(tree: Tree, revision: str, doors: Doors, options: Options) -> Report:
    """Apply the tree and make all of it ours, from Flux or Argo CD at rest, too, whose marks go.

    Nothing is pruned, made anew, judged or reset. Raises RefusedError where `applier` names another, or one of
    them is at work, and otherwise as converge.reconcile does.
    """
    if tree.settings.applier != "jsorc":
        raise RefusedError(
            f"`applier` of tree {tree.name} is {tree.settings.applier} at HEAD, so jsorc would not apply what it "
            "takes over; set it to jsorc in jsorc.yaml, render and commit"
        )
    return reconcile(tree, revision, doors, replace(options, adopt=True, takeover=True))


def _find_ours(run: Pass, state: State, observed: Observation) -> dict[ObjectRef, Entry]:
    """What the state knows, and what carries our mark though the state was lost."""
    marked = {
        ref: Entry(ref=ref, service=_read_service(live))
        for ref, live in observed.live.items()
        if find_part_of(live) == run.part_of
    }
    return marked | dict(state.entries)


def _read_service(live: Body) -> str:
    labels: Mapping[str, str] = live["metadata"].get("labels") or {}
    return labels.get(SERVICE_LABEL, "")


def _release(run: Pass, entries: Mapping[ObjectRef, Entry], observed: Observation) -> list[ObjectResult]:
    plan = partial(plan_release, tree=run.tree, part_of=run.part_of)
    steps = [
        plan(entries[ref], observed.live[ref], observed.keepers.get(ref))
        for ref in sorted(entries, key=sort_key)
        if ref in observed.live
    ]
    unread = [
        ObjectResult(ref=ref, service=entry.service, action=Action.RELEASE, error=why)
        for ref, entry in entries.items()
        if (why := observed.explain_unread(ref))
    ]
    done = list(map(make_result, steps)) if run.options.dry_run else remove_objects(run, steps, plan)
    return [*done, *unread]
