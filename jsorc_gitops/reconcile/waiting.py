"""`--wait`: stays until every object has its verdict. Watches tell what happens; nobody is asked time and again.

An object has its verdict when it is current or failed. Time alone may bring it, too (a doom has lasted), so those
that are on their way are judged every second, by what is known already.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from jsorc_gitops.errors import ClusterError
from jsorc_gitops.model.objects import TREE_LABEL, Body, Manifest, ObjectRef, parse_group
from jsorc_gitops.reconcile.health import Health, Status, compute_healths, is_about_pods
from jsorc_gitops.reconcile.judge import Judged, look_into
from jsorc_gitops.reconcile.observe import index_objects
from jsorc_gitops.reconcile.ports import Pass, Watch
from jsorc_gitops.reconcile.report import Report

MOST = 32  # watches at once, each of which holds a connection
PAUSE = 0.2  # seconds between two judgements: a rollout is told in hundreds of changes
TICK = 1.0  # seconds after which those on their way are judged, and the lease is looked at
STUCK = 10.0  # seconds without a change after which an object is looked into; the next time after twice as many

_PODS = ("v1", "Pod")
_NAMED = 3

Found = list[Body] | ClusterError


class Place(NamedTuple):
    """What one WATCH is about: the objects of a kind in a namespace, those of the tree alone, or all pods."""

    api_version: str
    kind: str
    namespace: str

    def __str__(self) -> str:
        return f"{self.kind} in {self.namespace}" if self.namespace else self.kind

    def holds(self, ref: ObjectRef) -> bool:
        return ref[:3] == (parse_group(self.api_version), self.kind, self.namespace)


@dataclass(slots=True)
class _Look:
    """When an object is looked into that is stuck at `plain`, its verdict without what such a look finds."""

    plain: Health
    at: float
    pause: float = STUCK

    def put_off(self, found: Health, now: datetime, moment: float) -> None:
        """Look again later; but when it is about to fail, by what was `found`, just then."""
        left = (found.until - now).total_seconds() if found.until else 0
        self.at = moment + (min(self.pause, left) if left > 0 else self.pause)
        self.pause *= 2


def wait_for_verdicts(run: Pass, report: Report, judged: Judged, *, seconds: float) -> tuple[Judged, Report]:
    """Stay until nothing is progressing, at most so many seconds; how all is then, and the report that says so.

    `judged` is how all was at the beginning, and `report` says that. Each verdict that changes is told, and what
    could not be watched. Raises LeaseHeldError when the lease is lost meanwhile.
    """
    wait = _Wait(run, judged)
    give_up = run.doors.clock.monotonic() + seconds
    while (left := find_unfinished(wait.healths.values())) and run.doors.clock.monotonic() < give_up:
        # Where they are too many to be watched at once, the rest has its turn later.
        wait.follow(choose_places(run.tree.manifests[ref] for ref in left), give_up)
    wait.look_into(left)
    warnings = (f"--wait ran out of time for {_name(left)}",) if left else ()
    run.doors.tell(Report(revision=run.revision, warnings=warnings, errors=tuple(wait.errors)))
    return Judged(wait.healths, wait.evidence, [*judged.errors, *wait.errors]), replace(
        report,
        healths=tuple((service, wait.healths[each.ref]) for service, each in report.healths),
        warnings=(*report.warnings, *warnings),
        errors=(*report.errors, *wait.errors),
        overdue=bool(left),
    )


def _name(refs: Sequence[ObjectRef]) -> str:
    more = f" and {len(refs) - _NAMED} more" if len(refs) > _NAMED else ""
    return f"{', '.join(map(str, refs[:_NAMED]))}{more}"


def find_unfinished(healths: Iterable[Health]) -> list[ObjectRef]:
    return [each.ref for each in healths if each.status is Status.PROGRESSING]


def find_places(manifest: Manifest) -> set[Place]:
    """What has to be watched to judge an object."""
    ref = manifest.ref
    namespaces = {ref.namespace} if is_about_pods(ref) else set[str]()
    if ref.group == "admissionregistration.k8s.io":
        clients = [each.get("clientConfig") or {} for each in manifest.body.get("webhooks") or ()]
        namespaces |= {each["service"]["namespace"] for each in clients if each.get("service")}
    own = Place(manifest.api_version, ref.kind, ref.namespace)
    return {own, *(Place(*_PODS, each) for each in namespaces)}


def choose_places(manifests: Iterable[Manifest]) -> list[Place]:
    """What to watch to judge these, or as many of them as can be watched at once."""
    chosen: set[Place] = set()
    for each in manifests:
        wider = chosen | find_places(each)
        if len(wider) <= MOST or not chosen:
            chosen = wider
    return sorted(chosen)


class _Wait:
    """What is known of all objects, kept up to date by what watches tell."""

    def __init__(self, run: Pass, judged: Judged) -> None:
        self.healths = dict(judged.healths)
        self.errors: list[str] = []
        self._run = run
        self._doors = run.doors
        self.evidence = judged.evidence
        self._unread: dict[Place, ClusterError] = {}
        plain = compute_healths(judged.healths, judged.evidence)
        self._looks = {ref: _Look(each, 0) for ref, each in plain.items()}
        for ref, look in self._looks.items():
            look.put_off(self.healths[ref], judged.evidence.now, run.doors.clock.monotonic())

    def follow(self, places: Sequence[Place], give_up: float) -> None:
        """Watch so many places until no object that they tell of is progressing, or time is up."""
        # What lies beside the unfinished is told of, too.
        refs = [ref for ref in self.healths if find_places(self._run.tree.manifests[ref]) <= {*places}]
        named = ""
        with self._open(places) as watch, ExitStack() as told:
            while unfinished := find_unfinished(self.healths[ref] for ref in refs):
                self._doors.lease.check()
                if (left := give_up - self._doors.clock.monotonic()) <= 0:
                    return
                if named != (named := self._name(unfinished)):
                    told.close()
                    told.enter_context(self._doors.waiting(named))
                changed = watch.wait(min(left, TICK))
                begun = self._doors.clock.monotonic()
                if changed:
                    self._take(places, watch.read())
                self._judge(refs if changed else unfinished)
                # Thousands of pods take a while to look through: that is to take a third of the time at most.
                self._doors.clock.sleep(max(PAUSE, 2 * (self._doors.clock.monotonic() - begun)))

    def look_into(self, refs: Iterable[ObjectRef]) -> None:
        """Have a last look at what is unfinished still."""
        self._update(look_into(self._run.cluster, [self.healths[ref] for ref in refs], self.evidence))

    def _open(self, places: Sequence[Place]) -> AbstractContextManager[Watch]:
        name, live = self._run.tree.name, self.evidence.live.items()
        ours = f"{TREE_LABEL}={name}"
        # Pods have no label of the tree; nor need objects that somebody else applies have ours.
        bare = [ref for ref, body in live if (body["metadata"].get("labels") or {}).get(TREE_LABEL) != name]
        return self._run.cluster.watch_objects(
            [each[:2] for each in places],
            selectors=["" if each[:2] == _PODS or any(map(each.holds, bare)) else ours for each in places],
            namespaces=[each.namespace for each in places],
        )

    def _name(self, refs: Iterable[ObjectRef]) -> str:
        """'redis, web and 2 more to be ready'."""
        services = sorted({self._run.tree.manifests[ref].service or "the tree" for ref in refs})
        more = f" and {len(services) - _NAMED} more" if len(services) > _NAMED else ""
        return f"{', '.join(services[:_NAMED])}{more} to be ready"

    def _take(self, places: Sequence[Place], found: Sequence[Found]) -> None:
        live, pods = dict(self.evidence.live), dict(self.evidence.pods)
        for place, each in zip(places, found, strict=True):
            if isinstance(each, ClusterError) and place not in self._unread:
                self._unread[place] = each
                self.errors.append(f"{place} could not be watched: {each}")
            if place[:2] == _PODS:
                pods[place.namespace] = each
            elif not isinstance(each, ClusterError):
                live = {ref: body for ref, body in live.items() if not place.holds(ref)} | index_objects(each)
        self.evidence = replace(self.evidence, live=live, pods=pods)

    def _judge(self, refs: Sequence[ObjectRef]) -> None:
        """Judge by what is known; look into what fails and what is stuck."""
        now, moment = self._doors.clock.now(), self._doors.clock.monotonic()
        self.evidence = replace(self.evidence, now=now)
        judged, asked = dict[ObjectRef, Health](), list[Health]()
        for ref, plain in compute_healths(refs, self.evidence).items():
            look = self._looks.get(ref)
            if look is None or _differ(look.plain, plain):
                look = self._looks[ref] = _Look(plain, moment + (0 if plain.status is Status.FAILED else STUCK))
                judged[ref] = plain
            if moment >= look.at:
                asked.append(plain)
        judged |= {each.ref: each for each in asked} | look_into(self._run.cluster, asked, self.evidence)
        for each in asked:
            self._looks[each.ref].put_off(judged[each.ref], now, moment)
        for ref in refs:
            if error := next((why for place, why in self._unread.items() if place.holds(ref)), None):
                judged[ref] = Health(ref=ref, status=Status.UNKNOWN, message=f"it could not be watched: {error}")
        self._update(judged)

    def _update(self, judged: Mapping[ObjectRef, Health]) -> None:
        changed = [each for ref, each in judged.items() if _differ(each, self.healths[ref])]
        self.healths |= judged
        if changed:
            healths = tuple((self._run.tree.manifests[each.ref].service, each) for each in changed)
            self._doors.tell(Report(revision=self._run.revision, healths=healths))


def _differ(one: Health, other: Health) -> bool:
    return (one.status, one.message) != (other.status, other.message)
