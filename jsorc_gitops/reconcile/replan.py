"""Dry-runs steps until none is stale: what somebody wrote meanwhile is read, and planned anew."""

from collections.abc import Sequence
from dataclasses import replace

from jsorc_gitops.errors import ClusterError
from jsorc_gitops.model.objects import Body, ObjectRef
from jsorc_gitops.reconcile.inventory import find_part_of
from jsorc_gitops.reconcile.neighbours import find_keepers
from jsorc_gitops.reconcile.plan import Action, Step, is_going, is_stale, plan_object
from jsorc_gitops.reconcile.ports import Pass
from jsorc_gitops.reconcile.prepare import Prepared, dry_run

# Controllers write status all the time, so a plan can be stale by the time it is carried out.
ATTEMPTS = 5

# What the server is asked about before anything is written.
ASKED = frozenset({Action.CREATE, Action.CONFIGURE, Action.ADOPT, Action.RECREATE})

Answer = Prepared | Step | ClusterError


def ask_server(run: Pass, steps: Sequence[Step]) -> list[tuple[Step, Answer]]:
    """Each step as it is planned in the end, and its answer: as dry_run's, or the step where nothing is asked."""
    found: dict[ObjectRef, tuple[Step, Answer]] = {}
    pending = list(steps)
    for attempt in range(ATTEMPTS):
        answers = dry_run(run.cluster, pending, part_of=run.part_of)
        asked = {step.ref: (step, answer) for step, answer in zip(pending, answers, strict=True)}
        found |= asked
        stale = [step for step, answer in asked.values() if isinstance(answer, ClusterError) and is_stale(answer)]
        if not stale or attempt == ATTEMPTS - 1:
            break
        again = _plan_again(run, stale)
        found |= {step.ref: (step, answer) for step, answer in again}
        pending = [answer for _, answer in again if isinstance(answer, Step) and answer.action in ASKED]
    return [found[step.ref] for step in steps]


def _plan_again(run: Pass, steps: Sequence[Step]) -> list[tuple[Step, Step | ClusterError]]:
    refs = [(step.manifest.api_version, step.ref) for step in steps if step.manifest]
    found: list[tuple[Step, Step | ClusterError]] = []
    for step, live in zip(steps, run.cluster.get_objects(refs), strict=True):
        again = live if isinstance(live, ClusterError) else _replan(run, step, live)
        found.append((again if isinstance(again, Step) else step, again))
    return found


def _replan(run: Pass, step: Step, live: Body | None) -> Step:
    """The step again, on what the object is now."""
    assert step.manifest is not None  # noqa: S101 - only objects of the tree are applied
    # Flux or Argo CD may be who wrote in between.
    keeper = find_keepers(run.cluster, {step.ref: live}).get(step.ref) if live else None
    if keeper and run.options.takeover and keeper.is_at_rest:
        keeper = None
    if live and step.live and not keeper and _is_same(live, step.live):
        # What cannot be changed now may be by then; what is going away never comes back.
        action = Action.CONFIGURE if step.action is Action.RECREATE else step.action
        return replace(step, live=live, action=Action.RECREATE if is_going(live) else action)
    return plan_object(
        step.manifest,
        live,
        step.entry,
        part_of=run.part_of,
        policy=step.policy,
        adopt=run.options.adopt,
        keeper=keeper,
    )


def _is_same(live: Body, before: Body) -> bool:
    """Whether it is the object that was looked at, and no other tree, which writes as we do, has taken it."""
    return live["metadata"]["uid"] == before["metadata"]["uid"] and find_part_of(live) == find_part_of(before)
