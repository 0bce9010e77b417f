"""What jsorc remembers in the cluster between passes, and when it is written: the state and the ledger."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from jsorc_gitops.model.layout import FOLDER, compute_folder
from jsorc_gitops.model.objects import ObjectRef
from jsorc_gitops.reconcile.applier import Outcome
from jsorc_gitops.reconcile.inventory import Entry, State, state_name
from jsorc_gitops.reconcile.ledger import Ledger, format_ledger, ledger_name, parse_ledger
from jsorc_gitops.reconcile.ownership import compute_fingerprint
from jsorc_gitops.reconcile.plan import Action, Step
from jsorc_gitops.reconcile.plan_prune import PrunePlan
from jsorc_gitops.reconcile.ports import Pass
from jsorc_gitops.reconcile.report import ObjectResult
from jsorc_gitops.reconcile.storage import finish_state, get_config_maps, write_config_map, write_state


def read_memory(run: Pass) -> tuple[State, Ledger]:
    """The state and the ledger; raises ClusterError, or FormatError where one is of a newer jsorc or broken."""
    names = [state_name(run.tree.name), ledger_name(run.tree.name)]
    state, ledger = get_config_maps(run, names, run.namespace)
    return finish_state(run, state, run.namespace), parse_ledger(ledger)


def write_ledger(run: Pass, ledger: Ledger) -> Ledger:
    """Write the ledger if nobody else has since it was read; raises ClusterError."""
    body = format_ledger(ledger, tree=run.tree.name, namespace=run.namespace)
    return replace(ledger, resource_version=write_config_map(run, body, exists=bool(ledger.resource_version)))


def write_pending(run: Pass, state: State, steps: Sequence[Step], prune: PrunePlan) -> State:
    """Write down what is about to be made, so that a killed pass leaves no orphan and the next one ends it."""
    entries = dict(state.entries)
    for step in steps:
        if step.action in {Action.CREATE, Action.ADOPT, Action.RECREATE}:
            entries[step.ref] = Entry(ref=step.ref, service=step.service, pending=step.action)
    if entries == state.entries:
        return state
    revision, settled = _next_revision(run, state, prune), _begin_settled(run, state)
    began = run.doors.clock.now().isoformat(timespec="seconds")
    return write_state(run, replace(state, revision=revision, settled=settled, began=began, entries=entries))


def write_settled(
    run: Pass,
    state: State,
    outcomes: Sequence[Outcome],
    results: Sequence[ObjectResult],
    prune: PrunePlan,
    *,
    consents: Collection[str],
    audited: bool = False,
) -> None:
    """After a pass, write down what is there now, if that differs from what is stored.

    A pass that ends well uses up the consents in its commits, whether there was something to prune or not. One
    that dry-ran all objects, `audited`, leaves the time.
    """
    entries = _compute_entries(state.entries, outcomes, number=run.doors.lease.number)
    left = {Action.PRUNE, Action.RELEASE, Action.YIELD}
    gone = [each.ref for each in results if each.action in left and not each.error and not each.lingers]
    # What is in the tree and left to another stays known: it may be ours again.
    for ref in (*prune.gone, *(ref for ref in gone if ref not in run.tree.manifests)):
        entries.pop(ref, None)
    clean = not prune.refusal and not any(each.is_bad for each in results)
    settled = run.revision if clean else _begin_settled(run, state)
    # A new commit that leaves the tree alone is no reason to write; one that ends an unsettled state is.
    ends = clean and (bool(consents) or state.settled != state.revision) and settled != state.settled
    # What was gone back to must not be refused as older next time.
    goes_back = run.options.allow_rewind and state.revision not in {"", run.revision}
    if audited:
        state = replace(state, audited=run.doors.clock.now().isoformat(timespec="seconds"))
    due = entries != state.entries or not state.resource_version or ends or audited or goes_back
    if due or (not prune.rewinds and _has_news(run, state)):
        revision = _next_revision(run, state, prune)
        write_state(run, replace(state, revision=revision, settled=settled, entries=entries))


def _has_news(run: Pass, state: State) -> bool:
    """Whether a commit since the one applied last touched the tree, if only to be taken back by the next.

    A machine that has not got further than the first of them would otherwise apply it.
    """
    old, new, history = state.revision, run.revision, run.doors.history
    if old == new or not history.is_ancestor(old, new):
        return False
    return history.has_history(f"{FOLDER}/{compute_folder(run.tree.name)}", revision=f"{old}..{new}")


def _next_revision(run: Pass, state: State, prune: PrunePlan) -> str:
    """The commit that later ones must descend from: one that was refused as a rewind would prove anything."""
    return state.revision if prune.rewinds else run.revision


def _begin_settled(run: Pass, state: State) -> str:
    """The commit settled last, or the first that was applied: what is consented to after it must count."""
    return state.settled or state.revision or run.revision


def _compute_entries(
    before: Mapping[ObjectRef, Entry], outcomes: Sequence[Outcome], *, number: int
) -> dict[ObjectRef, Entry]:
    entries = dict(before)
    for outcome in outcomes:
        step = outcome.step
        if outcome.result.is_bad or step.action is Action.YIELD:
            pending = step.ref in entries and not entries[step.ref].uid
            # A write without an answer may have been carried out, so it stays expected.
            if pending and not outcome.uncertain:
                del entries[step.ref]
        elif outcome.known and outcome.live is not None:
            version = outcome.live["metadata"]["resourceVersion"]
            if entries[step.ref].version != version:
                entries[step.ref] = replace(entries[step.ref], version=version)
        elif outcome.live is not None and step.manifest is not None:
            entry = Entry(
                ref=step.ref,
                service=step.service,
                uid=outcome.live["metadata"]["uid"],
                fingerprint=compute_fingerprint(step.manifest, outcome.live),
                version=outcome.live["metadata"]["resourceVersion"],
            )
            if step.entry and step.action is Action.CONFIGURE:
                takes = step.entry.takes
                entry = replace(entry, takes=takes, taken_in=number if takes else 0, yielded=step.entry.yielded)
            elif step.entry and step.action is Action.UNCHANGED:
                known = before.get(step.ref, entry)
                entry = replace(entry, takes=known.takes, taken_in=known.taken_in, yielded=step.entry.yielded)
            entries[step.ref] = entry
    return entries
