"""The corridor over a tree that Flux, Argo CD or a person applies: it judges, resets and reports, nothing else.

Nothing is reset before what syncs the tree is done with a revision: half of it applied is no rollout.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from jsorc_gitops.errors import JsorcError
from jsorc_gitops.model.kinds import may_be_judged
from jsorc_gitops.model.layout import FOLDER, compute_folder, record_name, settings_name
from jsorc_gitops.model.objects import ObjectRef
from jsorc_gitops.reconcile.health import Health, Status
from jsorc_gitops.reconcile.holding import TICK, hold_lease
from jsorc_gitops.reconcile.inventory import State
from jsorc_gitops.reconcile.memory import read_memory
from jsorc_gitops.reconcile.observe import list_records, observe_tree, select_manifests, select_syncers
from jsorc_gitops.reconcile.pauses import leave_out_paused
from jsorc_gitops.reconcile.ports import NoHistory, Pass
from jsorc_gitops.reconcile.records import FoundTree, Sight, find_claimed, look_at_records, parse_sight
from jsorc_gitops.reconcile.report import Report, join_reports
from jsorc_gitops.reconcile.syncers import KINDS, Syncer, is_commit, judge_syncer
from jsorc_gitops.reconcile.verdicts import judge_and_reset


@dataclass(frozen=True, slots=True, kw_only=True)
class _View:
    """The records as they were when the tree was read from them, and as they are now."""

    read: Sight
    now: Sight
    broken: Mapping[str, str]


def follow_tree(run: Pass, found: FoundTree | None) -> Report:
    """One pass; `found` is the tree where it was read from the cluster, None where from git.

    Raises as converge.reconcile does.
    """
    if run.options.dry_run:
        return _tell(run, warnings=[f"applier is {run.tree.settings.applier}: a pass applies and prunes nothing"])
    give_up = run.doors.clock.monotonic() + (run.options.wait or 0.0)
    with hold_lease(run):
        state, ledger = read_memory(run)
        view = _look(run, found)
        if run.options.wait is not None:
            run, view = _await_synced(run, view, give_up, is_found=found is not None)
        run = leave_out_paused(run, ledger)
        told = _tell_syncers(run, view, state)
        manifests = [each for each in select_manifests(run.tree) if may_be_judged(each.ref)]
        observed = observe_tree(run.cluster, manifests, State(), tree=run.tree.name)
        unread = {each.ref: why for each in manifests if (why := observed.explain_unread(each.ref))}
        unseen = {each.service: f"{each.ref} could not be read" for each in manifests if each.ref in unread}
        held: dict[str, str] = {}

        def find_held() -> Mapping[str, str]:
            nonlocal held
            held = unseen | _find_held(run, replace(view, now=look_at_records(run.cluster, run.namespace)))
            return held

        report = judge_and_reset(
            run,
            ledger,
            observed.live,
            manifests,
            without=unread,
            errors=[f"{ref} could not be read: {why}" for ref, why in unread.items()],
            find_held=find_held,
        )
        overdue = report.overdue or (run.options.wait is not None and bool(held))
        return replace(join_reports([told, report]), overdue=overdue)


def _look(run: Pass, found: FoundTree | None) -> _View:
    if found:
        return _View(read=found.sight, now=found.sight, broken=found.broken)
    sight = look_at_records(run.cluster, run.namespace)
    claimed = find_claimed(sight, run.tree.name, run.tree.settings, run.tree.records)
    return _View(read=sight, now=sight, broken=claimed)


def _await_synced(run: Pass, view: _View, give_up: float, *, is_found: bool) -> tuple[Pass, _View]:
    """Stay until what syncs the tree is done; the pass that is left, over the tree as it is then."""
    clock, sight = run.doors.clock, view.now
    late = _find_late(run, sight)
    while late and clock.monotonic() < give_up:
        with run.doors.waiting(awaited := late):
            while late == awaited and clock.monotonic() < give_up:
                clock.sleep(TICK)
                run.doors.lease.check()
                sight = look_at_records(run.cluster, run.namespace)
                late = _find_late(run, sight)
    view = replace(view, read=sight, now=sight)
    if is_found:
        again = parse_sight(run.cluster, view.now, run.namespace, run.tree.name)
        # By them the doors were opened.
        if again.tree.settings != run.tree.settings:
            raise JsorcError("the settings of the tree were changed while this pass waited; run it again")
        view = _View(read=again.sight, now=again.sight, broken=again.broken)
        run = replace(run, tree=again.tree, revision=again.revision)
    return replace(run, options=replace(run.options, wait=max(0.0, give_up - clock.monotonic()))), view


def _find_late(run: Pass, sight: Sight) -> str:
    """What is to happen before the tree is applied; "" once it is, and where it has failed."""
    for each in select_syncers(run.tree, sight.syncers):
        if judge_at_head(run, each).status is Status.PROGRESSING and not _is_superseded(run, each.revision):
            return f"{each} to be done"
    refs = [] if run.tree.settings.applier == "jsorc" else list_records(run.tree)
    return next((f"{ref} to be synced" for ref in refs if ref not in sight.syncers), "")


def judge_at_head(run: Pass, syncer: Syncer) -> Health:
    """How far it is; not done where it is at another commit's tree than the one that was read from git."""
    health, head = judge_syncer(syncer), run.revision[:12]
    if isinstance(run.doors.history, NoHistory) or health.status in {Status.PROGRESSING, Status.UNKNOWN}:
        return health
    if health.status is Status.FAILED:
        if _has_same_tree(run, syncer.attempted):
            return health
        message = f"{syncer.attempted[:12]} has failed, {head} is not tried yet ({health.message})"
    elif _has_same_tree(run, syncer.revision):
        return health
    else:
        message = f"{syncer.revision[:12]} is applied, this is {head}{_explain_other(run, syncer.revision)}"
    return replace(health, status=Status.PROGRESSING, message=message)


def _explain_other(run: Pass, revision: str) -> str:
    if not is_commit(revision):
        return "; nobody can tell whether that is it: pass --from-cluster"
    if _is_superseded(run, revision):
        return ", which is older: pull"
    unknown = run.doors.history.is_ancestor(revision, run.revision) is None
    return "; this clone does not know that one: pull, or a newer commit has taken its place" if unknown else ""


def _is_superseded(run: Pass, revision: str) -> bool:
    return revision != run.revision and run.doors.history.is_ancestor(run.revision, revision) is True


def _has_same_tree(run: Pass, revision: str) -> bool:
    """Whether the tree at a revision is that at the commit of the pass: the same, or none between touched it."""
    # With several sources there are several commits, of which one is of this repository.
    return any(_is_same_tree(run, each) for each in revision.split("+") if is_commit(each))


def _is_same_tree(run: Pass, commit: str) -> bool:
    if commit == run.revision:
        return True
    folder, history = f"{FOLDER}/{compute_folder(run.tree.name)}", run.doors.history
    for old, new in ((commit, run.revision), (run.revision, commit)):
        if history.is_ancestor(old, new):
            return not history.has_history(folder, revision=f"{old}..{new}")
    return False


def _tell_syncers(run: Pass, view: _View, state: State) -> Report:
    """How far what syncs the tree is, which records cannot be used, and what is odd about who applies it."""
    applier, syncers = run.tree.settings.applier, select_syncers(run.tree, view.now.syncers)
    healths = [judge_at_head(run, each) for each in syncers]
    warnings, errors = [], list(view.broken.values())
    if applier != "jsorc" and not syncers:
        errors.append(
            f"applier is {applier}, but no {KINDS[applier][1]} of this cluster has applied the records in "
            f"{run.namespace}: jsorc bootstrap {applier} prints one; those of other clusters are not seen"
        )
    if applier != "jsorc" and state.entries:
        warnings.append(
            f"{len(state.entries)} objects are jsorc's still, though applier is {applier}: jsorc release"
        )
    errors += [f"{each.ref} {each.message}" for each in healths if each.status is Status.UNKNOWN]
    return _tell(run, healths=healths, warnings=warnings, errors=errors)


def _tell(
    run: Pass, *, healths: Iterable[Health] = (), warnings: Sequence[str] = (), errors: Sequence[str] = ()
) -> Report:
    report = Report(
        revision=run.revision,
        dry_run=run.options.dry_run,
        healths=tuple(("", each) for each in healths),
        warnings=tuple(warnings),
        errors=tuple(errors),
    )
    run.doors.tell(report)
    return report


def _find_held(run: Pass, view: _View) -> dict[str, str]:
    """The services that must not be reset now, and why."""
    held = {name: why for name in run.tree.records if (why := _explain_hold(run, view, name))}
    for name, record in run.tree.records.items():
        lost = [each for each in record.depends_on if each in view.broken]
        if lost:
            held.setdefault(name, f"the record of {lost[0]} cannot be used")
    return held


def _explain_hold(run: Pass, view: _View, service: str) -> str:
    if service in view.broken:
        return view.broken[service]
    names = (record_name(run.tree.name, service), settings_name(run.tree.name))
    own = [_find_config_map(run, each) for each in names]
    for ref in own:
        if not view.now.find_version(ref):
            return f"{ref} is not in the cluster"
        if view.read.find_version(ref) != view.now.find_version(ref):
            return f"{ref} was changed while this pass ran"
    return next((why for ref in own if (why := _explain_unsynced(run, view, ref))), "")


def _explain_unsynced(run: Pass, view: _View, record: ObjectRef) -> str:
    applier = run.tree.settings.applier
    before, syncer = view.read.syncers.get(record), view.now.syncers.get(record)
    if syncer is None:
        return "" if applier == "jsorc" else f"no {KINDS[applier][1]} has applied {record}"
    health = judge_at_head(run, syncer)
    if health.status is not Status.CURRENT:
        return f"{syncer}: {health.message}"
    if not syncer.has_in_git(record):
        return f"{record} left git, and {syncer} has not pruned it"
    # From git, what was read is compared with.
    from_cluster = isinstance(run.doors.history, NoHistory)
    if from_cluster and (before is None or before.revision != syncer.revision):
        return f"{syncer} went on to {syncer.revision[:12]} while this pass ran"
    return ""


def _find_config_map(run: Pass, name: str) -> ObjectRef:
    return ObjectRef(group="", kind="ConfigMap", namespace=run.namespace, name=name)
