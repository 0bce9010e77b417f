"""The corridor of `jsorc status`: how a tree, its services and their objects are now. It only reads."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from jsorc_gitops.errors import ClusterError, JsorcError
from jsorc_gitops.model.jaseci import Answer, ServiceState
from jsorc_gitops.model.objects import Body, Manifest, ObjectRef
from jsorc_gitops.model.services import Way
from jsorc_gitops.model.settings import Applier
from jsorc_gitops.model.tree import Tree
from jsorc_gitops.reconcile.configs import Configs
from jsorc_gitops.reconcile.guards import check_cluster, is_foreign_namespace
from jsorc_gitops.reconcile.health import Health, Status
from jsorc_gitops.reconcile.inventory import State, state_name
from jsorc_gitops.reconcile.judge import judge_health
from jsorc_gitops.reconcile.ledger import Ledger, LedgerEntry, Pause, ledger_name, parse_ledger
from jsorc_gitops.reconcile.observe import Observation, observe_tree, select_manifests
from jsorc_gitops.reconcile.plan import plan_object
from jsorc_gitops.reconcile.plan_prune import plan_removal
from jsorc_gitops.reconcile.ports import Doors, Options, Pass
from jsorc_gitops.reconcile.processes import Processes
from jsorc_gitops.reconcile.resets import find_next
from jsorc_gitops.reconcile.status_lease import LEASE_API, LeaseStatus, judge_lease, lease_ref
from jsorc_gitops.reconcile.status_objects import ObjectStatus, Standing, judge_removal, judge_step
from jsorc_gitops.reconcile.status_synced import ReadAt, find_synced, judge_synced, judge_syncers
from jsorc_gitops.reconcile.storage import finish_state

_WORST_FIRST = (Status.FAILED, Status.UNKNOWN, Status.PROGRESSING, Status.CURRENT)
_WELL = frozenset({ServiceState.RUNNING, ServiceState.DISABLED})

CountApart = Callable[[str, str], tuple[int, int] | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceStatus:
    """One service, or what belongs to the tree alone (`name` "").

    `in_git` is whether HEAD has it; `pause` the one that holds now; `answer` what Jaseci says of it now, None
    where it was not asked; `reset` what the ledger has; `next_reset` before when it is not reset again, None for
    no such time.
    """

    name: str
    in_git: bool = True
    keep_alive: bool = True
    via: Way = "none"
    pause: Pause | None = None
    answer: Answer | None = None
    reset: LedgerEntry = field(default_factory=LedgerEntry)
    next_reset: datetime | None = None
    objects: tuple[ObjectStatus, ...] = ()

    @property
    def health(self) -> Status | None:
        """The worst verdict on its objects; None where there is none."""
        there = {each.health.status for each in self.objects if each.health}
        return next((each for each in _WORST_FIRST if each in there), None)

    @property
    def differing(self) -> int:
        """How many objects a pass would write, or refuse to."""
        return sum(each.differs for each in self.objects)

    @property
    def is_failing(self) -> bool:
        """Whether a pass would end with 4 for it: it does not work, or nobody knows whether it does."""
        ill = self.answer is not None and self.answer.state not in _WELL
        return self.pause is None and (ill or self.health in {Status.FAILED, Status.UNKNOWN})


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeStatus:
    """A tree on the API server at `server`, at the time `now`.

    `head` is the commit at HEAD, `applied` the one applied last ("" for none, or several), `settled` the last one
    whose pass ended with nothing refused or failed. `apart` is how many commits HEAD has that `applied` has not,
    and the other way; None where this clone cannot tell. `syncers` is how far what syncs it is, where that is
    not jsorc. `errors` are what could not be looked at.
    """

    tree: str
    namespace: str
    server: str
    now: datetime
    head: str
    applied: str
    settled: str
    apart: tuple[int, int] | None
    lease: LeaseStatus
    applier: Applier = "jsorc"
    syncers: tuple[Health, ...] = ()
    services: tuple[ServiceStatus, ...] = ()
    warnings: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    requests: int = 0
    jaseci_requests: int = 0

    @property
    def exit_code(self) -> int:
        """For who asks for it; 1 where not all could be looked at, 4 where something does not work.

        6 where a pass would change something; else 0.
        """
        if self.errors:
            return 1
        failed = [each for each in self.syncers if each.status is Status.FAILED]
        if failed or any(each.is_failing for each in self.services):
            return 4
        return 6 if any(each.differing for each in self.services if each.pause is None) else 0


def read_status(
    tree: Tree,
    revision: str,
    doors: Doors,
    *,
    count_apart: CountApart,
    read_at: ReadAt,
    services: Collection[str] = (),
) -> TreeStatus:
    """How a tree at a commit is now, whether a pass is at work or not; of these services alone, if any are named.

    Raises ClusterError where the API server or the state cannot be read, FormatError where the state is newer or
    broken, RefusedError for another cluster than the pinned one, JsorcError for an unknown service.
    """
    run = Pass(tree=tree, revision=revision, doors=doors, options=Options())
    run.cluster.read_discovery()
    check_cluster(run)
    now = doors.clock.now()
    state, ledger, lease = _read_memory(run, now)
    run, state = _choose(run, state, services)
    observed = observe_tree(run.cluster, select_manifests(run.tree), state, tree=tree.name, part_of=run.part_of)
    ours, syncers = tree.settings.applier == "jsorc", judge_syncers(run, observed)
    applied = state.revision if ours else find_synced(tree, observed)
    healths, unseen = _judge_health(run, observed)
    objects = (
        _judge_objects(run, state, observed, healths) if ours else judge_synced(run, observed, healths, read_at)
    )
    objects += _judge_removals(run, state, observed)
    found = _judge_services(run, ledger, objects, now)
    return TreeStatus(
        tree=tree.name,
        namespace=run.namespace,
        server=run.cluster.server,
        now=now,
        head=revision,
        applied=applied,
        settled=state.settled if ours else applied,
        apart=_count_apart(applied, revision, count_apart),
        lease=lease,
        applier=tree.settings.applier,
        syncers=syncers,
        services=tuple(found),
        warnings=() if tree.settings.enabled else ("enabled is false in jsorc.yaml: a pass does nothing",),
        errors=(*unseen, *_list_unread(observed, syncers)),
        requests=run.cluster.requests,
        jaseci_requests=doors.jaseci.requests if doors.jaseci else 0,
    )


def _read_memory(run: Pass, now: datetime) -> tuple[State, Ledger, LeaseStatus]:
    """State, ledger and Lease at once. Who may not read the Lease may look at all else."""
    names = (state_name(run.tree.name), ledger_name(run.tree.name))
    refs = [ObjectRef(group="", kind="ConfigMap", namespace=run.namespace, name=name) for name in names]
    asked = [*(("v1", ref) for ref in refs), (LEASE_API, lease_ref(run.tree.name, run.namespace))]
    *bodies, lease = run.cluster.get_objects(asked)
    found: list[Body | None] = []
    for body in bodies:
        if isinstance(body, ClusterError):
            raise body
        found.append(body)
    state, ledger = found
    return finish_state(run, state, run.namespace), parse_ledger(ledger), judge_lease(lease, now)


def _choose(run: Pass, state: State, services: Collection[str]) -> tuple[Pass, State]:
    """What concerns these services alone; all where none is named. Raises JsorcError."""
    if not services:
        return run, state
    known = {*run.tree.records, *(each.service for each in state.entries.values())} - {""}
    if unknown := sorted({*services} - known):
        raise JsorcError(f"no service {unknown[0]} in tree {run.tree.name}; it has {', '.join(sorted(known))}")
    tree = replace(
        run.tree,
        records={name: each for name, each in run.tree.records.items() if name in services},
        manifests={ref: each for ref, each in run.tree.manifests.items() if each.service in services},
    )
    entries = {ref: each for ref, each in state.entries.items() if each.service in services}
    return replace(run, tree=tree), replace(state, entries=entries)


def _judge_health(run: Pass, observed: Observation) -> tuple[Mapping[ObjectRef, Health], list[str]]:
    """Of what is there: what is missing or could not be read is told as such."""
    without = [ref for ref in run.tree.manifests if ref not in observed.live]
    judged = judge_health(run, observed.live, select_manifests(run.tree), changed=(), without=without)
    return judged.healths, judged.errors


def _judge_objects(
    run: Pass, state: State, observed: Observation, healths: Mapping[ObjectRef, Health]
) -> list[ObjectStatus]:
    return [
        _judge_object(run, each, state, observed, healths.get(each.ref))
        for each in select_manifests(run.tree)
        if not is_foreign_namespace(run, each, observed)
    ]


def _judge_object(
    run: Pass, manifest: Manifest, state: State, observed: Observation, health: Health | None
) -> ObjectStatus:
    ref, service = manifest.ref, manifest.service
    if why := observed.explain_unread(ref):
        return ObjectStatus(ref=ref, service=service, standing=Standing.UNREAD, reason=why)
    step = plan_object(
        manifest,
        observed.live.get(ref),
        state.entries.get(ref),
        part_of=run.part_of,
        policy=run.tree.find_policy(service),
        keeper=observed.keepers.get(ref),
        holders=observed.holders,
    )
    return judge_step(step, health)


def _judge_removals(run: Pass, state: State, observed: Observation) -> list[ObjectStatus]:
    """What was applied, and HEAD does not have any more; a service that is not kept alive is left alone."""
    asleep = {name for name, record in run.tree.records.items() if not record.keep_alive}
    return [
        judge_removal(
            plan_removal(entry, observed.live[ref], part_of=run.part_of, keeper=observed.keepers.get(ref))
        )
        for ref, entry in state.entries.items()
        if ref not in run.tree.manifests and ref in observed.live and entry.service not in asleep
    ]


def _judge_services(
    run: Pass, ledger: Ledger, objects: Collection[ObjectStatus], now: datetime
) -> list[ServiceStatus]:
    answers, interval = _ask_jaseci(run), run.tree.settings.interval
    grouped: dict[str, list[ObjectStatus]] = {name: [] for name in run.tree.records}
    for each in objects:
        grouped.setdefault(each.service, []).append(each)
    made = []
    for name in sorted(grouped):
        record, entry = run.tree.records.get(name), ledger.find(name)
        made.append(
            ServiceStatus(
                name=name,
                in_git=record is not None or not name,
                keep_alive=record.keep_alive if record else True,
                via=record.via if record else "none",
                pause=entry.pause if entry.is_paused(now) else None,
                answer=answers.get(name),
                reset=entry,
                next_reset=find_next(entry, interval=interval, now=now),
                objects=tuple(sorted(grouped[name], key=lambda each: each.ref)),
            )
        )
    return made


def _ask_jaseci(run: Pass) -> dict[str, Answer]:
    """How each service that is kept alive is in Jaseci, its pods ready or not."""
    asked = {
        name: record.jaseci_name
        for name, record in run.tree.records.items()
        if record.keep_alive and record.via == "jaseci"
    }
    if run.doors.jaseci is None or not asked:
        return {}
    processes, records = Processes(run), run.tree.records
    processes.ask(asked)
    configs = Configs(run, processes)
    configs.compare([name for name in asked if records[name].config])
    answers = {}
    for name in asked:
        answer = processes.find_answer(name)
        told = (answer.detail, configs.find_gap(name) or configs.find_note(records[name]))
        answers[name] = replace(answer, detail="; ".join(filter(None, told)))
    return answers


def _list_unread(observed: Observation, syncers: Collection[Health]) -> list[str]:
    places = [
        f"{kind}{f' in {namespace}' if namespace else ''} could not be read: {why}"
        for (_, kind, namespace), why in sorted(observed.unread.items())
    ]
    return places + [f"{each.ref} {each.message}" for each in syncers if each.status is Status.UNKNOWN]


def _count_apart(applied: str, head: str, count: CountApart) -> tuple[int, int] | None:
    if applied in {"", head}:
        return (0, 0)
    return count(applied, head)
