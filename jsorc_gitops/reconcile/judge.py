"""After applying: how the objects are, read anew where this pass changed them, looked into where they fail."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import NamedTuple

from jsorc_gitops.errors import ClusterError
from jsorc_gitops.model.objects import Body, Manifest, ObjectRef
from jsorc_gitops.model.scrubbing import make_scrubber
from jsorc_gitops.reconcile.health import Evidence, Health, Status, compute_healths, is_about_pods, is_judged
from jsorc_gitops.reconcile.observe import get_each, list_kinds, list_pods
from jsorc_gitops.reconcile.ports import Cluster, Pass

# So many objects in trouble are looked into: two LISTs of Events and a log each, and one tells for many.
LOOKED_INTO = 5

_WORST_FIRST = (Status.FAILED, Status.PROGRESSING)


class Judged(NamedTuple):
    """The health of every object that has one, what it was computed from, and what could not be read for it."""

    healths: dict[ObjectRef, Health]
    evidence: Evidence
    errors: list[str]


def judge_health(
    run: Pass,
    live: Mapping[ObjectRef, Body],
    manifests: Collection[Manifest],
    *,
    changed: Collection[ObjectRef],
    without: Collection[ObjectRef],
) -> Judged:
    """How the objects are when all is applied.

    Args:
        run: the pass.
        live: the objects as they were found; of those `changed` since, it is out of date.
        manifests: what this pass applies.
        changed: what it wrote.
        without: what was refused or failed, and is told already.
    """
    refs = [each.ref for each in manifests if each.ref not in without]
    errors: list[str] = []
    live, unread = _read_again(run, [each for each in refs if each in changed], live)
    errors += dict.fromkeys(f"{ref.kind} could not be read after applying: {why}" for ref, why in unread.items())
    pods = list_pods(run.cluster, {each.namespace for each in refs if is_about_pods(each)})
    errors += [
        f"pods in {name} could not be listed: {each}" for name, each in pods.items() if not isinstance(each, list)
    ]
    evidence = Evidence(
        live={ref: body for ref in refs if (body := live.get(ref))},
        pods=pods,
        now=run.doors.clock.now(),
        scrub=make_scrubber(run.tree.manifests.values()),
    )
    healths = compute_healths([each for each in refs if each not in unread], evidence)
    for ref, why in unread.items():
        message = f"it could not be read after applying: {why}"
        healths[ref] = Health(ref=ref, status=Status.UNKNOWN, message=message)
    # What was written a moment ago has had no time to fail.
    asked = [each for ref, each in healths.items() if ref not in changed or each.status is Status.FAILED]
    return Judged(healths | look_into(run.cluster, asked, evidence), evidence, errors)


def look_into(cluster: Cluster, healths: Iterable[Health], evidence: Evidence) -> dict[ObjectRef, Health]:
    """Judge those that are in trouble once more, by their Events and the logs of what crashed.

    No more than LOOKED_INTO of them. What may not be read, or cannot be, is left out: it is detail.
    """
    ill = [each for each in healths if each.status in _WORST_FIRST and (each.events_of or each.log_of)]
    chosen = sorted(ill, key=lambda each: (_WORST_FIRST.index(each.status), each.ref))[:LOOKED_INTO]
    subjects = [(each.ref.namespace, uid) for each in chosen for uid in each.events_of if uid]
    events = {
        uid: found
        for (_, uid), found in zip(subjects, cluster.list_events(subjects), strict=True)
        if not isinstance(found, ClusterError)
    }
    known = replace(evidence, events={**evidence.events, **events})
    # With Events another pod may turn out to be the one to ask.
    again = compute_healths([each.ref for each in chosen], known)
    places = [each.log_of for each in again.values() if each.log_of]
    logs = {
        place: found
        for place, found in zip(places, cluster.get_logs(places), strict=True)
        if not isinstance(found, ClusterError)
    }
    return compute_healths(again, replace(known, logs={**evidence.logs, **logs})) if logs else again


def _read_again(
    run: Pass, changed: Collection[ObjectRef], live: Mapping[ObjectRef, Body]
) -> tuple[dict[ObjectRef, Body], dict[ObjectRef, str]]:
    """The objects with what the pass changed as it is now, and why of some that is not known.

    A kind without a status is as it was: nobody looks at it.
    """
    versions = {
        ref: run.tree.manifests[ref].api_version
        for ref in changed
        if is_judged(ref) or live.get(ref, {}).get("status")
    }
    found, failed = list_kinds(run.cluster, versions, tree=run.tree.name)
    reasons = {ref: failed.get((*ref.group_kind, ref.namespace), "") for ref in versions}
    # What somebody else applies need not have our label.
    asked = [(version, ref) for ref, version in versions.items() if ref not in found and not reasons[ref]]
    unlabelled, unread = get_each(run.cluster, asked)
    reasons |= unread
    known = {ref: body for ref, body in live.items() if ref not in versions}
    return known | found | unlabelled, {ref: why for ref, why in reasons.items() if why}
