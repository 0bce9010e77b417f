"""How a tree stands that Flux or Argo CD applies: by the commit that is applied, and what git has there."""

from collections.abc import Callable, Mapping
from functools import cache

from jsorc_gitops.errors import ClusterError
from jsorc_gitops.model.objects import Manifest, ObjectRef
from jsorc_gitops.model.tree import Tree
from jsorc_gitops.reconcile.following import judge_at_head
from jsorc_gitops.reconcile.health import Health
from jsorc_gitops.reconcile.observe import Observation, select_manifests
from jsorc_gitops.reconcile.ports import Pass
from jsorc_gitops.reconcile.status_objects import ObjectStatus, Standing
from jsorc_gitops.reconcile.syncers import Syncer, is_commit

# The tree at a commit; None where this clone does not know the commit, or there is none that can be read.
ReadAt = Callable[[str], Tree | None]


def judge_syncers(run: Pass, observed: Observation) -> tuple[Health, ...]:
    """How far each Kustomization or Application is that applies the tree."""
    if run.tree.settings.applier == "jsorc":
        return ()
    return tuple(judge_at_head(run, each) for each in observed.list_syncers(run.tree))


def find_synced(tree: Tree, observed: Observation) -> str:
    """The commit that Flux or Argo CD has applied, where all of it is at one; else ""."""
    # Argo CD's revision is what it has compared, whether or not all of that could be applied.
    revisions = {"" if each.late else each.revision for each in observed.list_syncers(tree)}
    found = revisions.pop() if len(revisions) == 1 else ""
    return found if is_commit(found) else ""


def judge_synced(
    run: Pass, observed: Observation, healths: Mapping[ObjectRef, Health], read_at: ReadAt
) -> list[ObjectStatus]:
    """The status of each object; what somebody else has changed of it is for Flux or Argo CD to find."""
    trees = cache(lambda revision: run.tree if revision == run.revision else read_at(revision))
    return [_judge(each, observed, healths.get(each.ref), trees) for each in select_manifests(run.tree)]


def _judge(manifest: Manifest, observed: Observation, health: Health | None, read_at: ReadAt) -> ObjectStatus:
    ref = manifest.ref
    why = observed.explain_unread(ref)
    standing, reason = (Standing.UNREAD, why) if why else _compare(manifest, observed.keepers.get(ref), read_at)
    return ObjectStatus(ref=ref, service=manifest.service, standing=standing, reason=reason, health=health)


def _compare(manifest: Manifest, keeper: Syncer | None, read_at: ReadAt) -> tuple[Standing, str]:
    if keeper is None:
        return Standing.NEW, "no Kustomization or Application keeps it"
    if isinstance(keeper.body, ClusterError):
        return Standing.UNREAD, f"{keeper} could not be read"
    if not keeper.revision:
        return Standing.NEW, f"{keeper} has not applied all of a commit yet"
    # With several sources there are several commits, of which one is of this repository.
    trees = [tree for each in keeper.revision.split("+") if is_commit(each) and (tree := read_at(each))]
    applied = f"{keeper.revision[:12]} is applied"
    if not trees:
        return Standing.UNREAD, f"{applied}, which this clone does not know"
    late = f"OutOfSync with {keeper.revision[:12]}" if manifest.ref in keeper.late else ""
    if late or trees[0].manifests.get(manifest.ref) != manifest:
        return Standing.OUTDATED, late or applied
    return Standing.APPLIED, ""
