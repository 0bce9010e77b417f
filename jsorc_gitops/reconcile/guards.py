"""Asked before a pass writes anything: whether it may, what git consents to, what it would leave behind."""

from collections import Counter

from jsorc_gitops.errors import ClusterError, FormatError, RefusedError
from jsorc_gitops.model.layout import compute_folder
from jsorc_gitops.model.objects import Manifest, ObjectRef
from jsorc_gitops.model.tree import PRUNE_TRAILER
from jsorc_gitops.reconcile.inventory import State, find_part_of
from jsorc_gitops.reconcile.observe import Observation, list_trees
from jsorc_gitops.reconcile.plan_prune import EVERYTHING
from jsorc_gitops.reconcile.ports import Pass
from jsorc_gitops.reconcile.storage import read_state
from jsorc_gitops.reconcile.syncers import Syncer


def check_cluster(run: Pass) -> None:
    """Refuse any cluster but the one that jsorc.yaml pins, by the UID of its namespace kube-system.

    Raises RefusedError, or ClusterError where the namespace cannot be read.
    """
    pin = run.tree.settings.cluster
    if not pin:
        return
    ref = ObjectRef(group="", kind="Namespace", namespace="", name="kube-system")
    (answer,) = run.cluster.get_objects([("v1", ref)])
    if isinstance(answer, ClusterError):
        raise answer
    uid = answer["metadata"]["uid"] if answer else "without kube-system"
    if uid != pin:
        raise RefusedError(
            f"this is cluster {uid}, but jsorc.yaml has `cluster: {pin}` for tree {run.tree.name}; "
            "check --context and --kubeconfig, or change the pin"
        )


def check_repository(run: Pass, state: State) -> tuple[str, ...]:
    """Refuse a repository that has never heard of the commit that was applied last, or is behind it.

    Raises RefusedError. Two repositories that take turns in one home namespace would prune each other's
    objects, and of two clones the one that was not pulled would undo what the other did. A shallow clone may be
    the right one: it applies, and proves nothing to the pruner; that it may be behind is the warning returned.
    """
    if state.revision in {"", run.revision} or run.options.allow_rewind:
        return ()
    history = run.doors.history
    descends = history.is_ancestor(state.revision, run.revision)
    if descends:
        return ()
    shallow, applied = history.is_shallow(), f"{state.revision[:12]}, which was applied last"
    if descends is None and not shallow:
        raise RefusedError(
            f"commit {applied} to tree {run.tree.name} in namespace {run.namespace}, is unknown to this "
            "repository: it was not pulled, another one uses the same namespace, or history was rewritten; pull, "
            "choose another `namespace`, or pass --allow-rewind if this repository takes over"
        )
    if descends is False and history.is_ancestor(run.revision, state.revision):
        raise RefusedError(
            f"commit {run.revision[:12]} is older than commit {applied} to tree {run.tree.name}; pull, or pass "
            "--allow-rewind to go back to it (git revert goes back without)"
        )
    if not shallow:
        return ()  # on a branch of its own
    warning = (
        f"this clone is shallow and cannot tell whether commit {run.revision[:12]} comes after {applied}; "
        "if it is older, this pass undoes what came since: run git fetch --unshallow"
    )
    return (warning,)


def check_syncers(run: Pass, observed: Observation) -> tuple[str, ...]:
    """Refuse to take over a tree that Flux or Argo CD still apply; of who is at rest, how to end it afterwards.

    Who is at work and has not applied the tree's records is somebody else, whose trees have some of its objects,
    too: these stay theirs. Raises RefusedError.
    """
    own = observed.list_syncers(run.tree)
    if busy := [f"{each} {each.explain_work()}" for each in own if not each.is_at_rest]:
        raise RefusedError(f"nothing is taken over: {'; '.join(busy)}")
    return tuple(
        f"{each} is at rest; when all it kept is adopted, {each.explain_end()}"
        if each.is_at_rest
        else f"{each} has not applied the tree's records, so what else it applies is left to it; it "
        f"{each.explain_work()}"
        for each, _ in _count_kept(observed)
    )


def find_resting(observed: Observation) -> tuple[str, ...]:
    """Who keeps objects though it is at rest: nobody applies them, until they are taken over."""
    return tuple(
        f"{each} is at rest, and nobody applies what it kept ({number} of this tree): jsorc adopt"
        for each, number in _count_kept(observed)
        if each.is_at_rest
    )


def _count_kept(observed: Observation) -> list[tuple[Syncer, int]]:
    """Who keeps how much of the tree; a Namespace that the tree merely needs may be anybody's."""
    kept = [each for ref, each in observed.keepers.items() if ref.kind != "Namespace"]
    counts = Counter(each.ref for each in kept)
    return [(each, counts[each.ref]) for each in {each.ref: each for each in kept}.values()]


def find_consents(run: Pass, state: State) -> frozenset[str]:
    """The services whose pruning is consented to: in commits since the last settled one, or just now."""
    if run.options.allow_prune:
        return frozenset({EVERYTHING})
    since = state.settled or state.revision
    if since in {"", run.revision}:
        return frozenset()
    trailers = run.doors.history.list_trailers(since, run.revision, PRUNE_TRAILER)
    below = compute_folder(run.tree.name)
    mine = {each.removeprefix(below) for each in trailers if each.startswith(below)}
    return frozenset(each for each in mine if "/" not in each) - {EVERYTHING}


def is_foreign_namespace(run: Pass, manifest: Manifest, observed: Observation) -> bool:
    """Whether it is a Namespace that the tree merely needs and that is there already, not made by us.

    Such a one is left as it is: it is enough that it exists. One that is taken over was ours, or theirs who have
    applied the tree.
    """
    if not is_needed_namespace(manifest):
        return False
    if run.options.takeover and observed.keepers.get(manifest.ref) in observed.list_syncers(run.tree):
        return False
    live = observed.live.get(manifest.ref)
    return live is not None and find_part_of(live) != run.part_of


def is_needed_namespace(manifest: Manifest) -> bool:
    """Whether it is a Namespace of no service, which the tree has because its objects lie there."""
    return manifest.ref.group_kind == ("", "Namespace") and not manifest.service


def find_former_homes(run: Pass, state: State) -> tuple[str, ...]:
    """On the first pass in a home namespace: warnings where this very tree lived in another one before.

    Its state stayed there, so nobody would prune what it runs.
    """
    if state.resource_version:
        return ()
    homes = {home for tree, home in list_trees(run.cluster) if tree == run.tree.name}
    return tuple(
        f"this repository has been applied from namespace {home}, too; if `namespace` was changed in jsorc.yaml, "
        f"what it runs there stays: change it back, remove the services, reconcile, then change it"
        for home in sorted(homes - {run.namespace})
        if _was_ours(run, home)
    )


def _was_ours(run: Pass, home: str) -> bool:
    try:
        revision = read_state(run, namespace=home).revision
    except (ClusterError, FormatError):
        return False
    return bool(revision) and run.doors.history.is_ancestor(revision, run.revision) is True
