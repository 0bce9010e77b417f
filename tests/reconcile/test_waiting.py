"""waiting: what is watched, when the waiting ends, and what is told meanwhile."""

from datetime import timedelta
from typing import Any

import pytest

from jsorc_gitops.errors import LeaseHeldError
from jsorc_gitops.model.jaseci import ServiceState
from jsorc_gitops.reconcile import waiting
from jsorc_gitops.reconcile.health import Status
from jsorc_gitops.reconcile.ports import Options
from jsorc_gitops.reconcile.resets import Verdict
from jsorc_gitops.reconcile.waiting import Place, choose_places, find_places
from tests.reconcile.builders import (
    HOME,
    make_body,
    make_deployment,
    make_manifest,
    make_ref,
    make_tree,
)
from tests.reconcile.world import World

WAIT = Options(wait=300)
DEPLOYMENTS, PODS = Place("apps/v1", "Deployment", HOME), Place("v1", "Pod", HOME)
WEB = make_ref("Deployment", "web", group="apps")
TREE = make_tree({"web": [make_deployment("web", service="web")]})
BOTH = make_tree({name: [make_deployment(name, service=name)] for name in ("api", "web")})


@pytest.fixture
def world(world: World) -> World:
    """Where time goes by only while somebody waits, and the Deployment web is on its way."""
    world.clock.step = timedelta(0)
    world.cluster.stuck.add("web")
    return world


def begin(world: World) -> float:
    return world.clock.monotonic()


def finish(world: World, name: str = "web") -> None:
    world.cluster.finish(make_ref("Deployment", name, group="apps"))


def fail(world: World, reason: str) -> None:
    """Give web a pod that waits in vain."""
    finish(world)
    pod = world.cluster.objects[make_ref("Pod", "web-0")]
    waiting = {"name": "main", "image": "image:1", "state": {"waiting": {"reason": reason}}}
    scheduled = {
        "type": "PodScheduled",
        "status": "True",
        "lastTransitionTime": f"{world.clock.time:%Y-%m-%dT%H:%M:%SZ}",
    }
    status = {"conditions": [scheduled], "containerStatuses": [waiting]}
    world.cluster.objects[make_ref("Pod", "web-0")] = {**pod, "status": status}


def watches(world: World) -> list[str]:
    return [each for each in world.log if each.startswith("watch ")]


def requests(world: World) -> list[str]:
    """What was asked of the API server once it was watched."""
    return world.log[world.log.index("watch Pod in home") :]


def told(world: World) -> list[tuple[str, str]]:
    return [(health.ref.name, health.status) for part in world.told for _, health in part.healths]


def test_it_stays_until_the_pods_are_ready(world: World) -> None:
    """Then the service is reset, as by a pass that finds it so; the exit code is 0."""
    world.jaseci.states = {"web": ServiceState.STOPPED}
    world.clock.happen(100, lambda: finish(world))
    begun = begin(world)
    report = world.run(TREE, options=WAIT)
    assert 100 <= begin(world) - begun < 102
    assert [health.status for _, health in report.healths] == [Status.CURRENT]
    assert [each.verdict for each in report.services] == [Verdict.RESET]
    assert (report.exit_code, report.overdue, report.warnings) == (0, False, ())
    assert world.waits[0] == "web to be ready"


def test_without_it_a_pass_does_not_stay(world: World) -> None:
    """The next one sees."""
    report = world.run(TREE)
    assert [health.status for _, health in report.healths] == [Status.PROGRESSING]
    assert (report.exit_code, watches(world)) == (0, [])


def test_where_all_is_current_nothing_is_watched(world: World) -> None:
    """Not a request more than without."""
    world.cluster.stuck.clear()
    world.run(TREE)
    world.run(TREE)
    without = [*world.log]
    world.run(TREE, options=WAIT)
    assert world.log == without


def test_what_an_earlier_pass_has_begun_is_waited_for(world: World) -> None:
    """Though this one finds nothing to change."""
    world.run(TREE)
    world.clock.happen(10, lambda: finish(world))
    report = world.run(TREE, options=WAIT)
    assert [each for each in world.writes if "ledger" not in each] == []
    assert [health.status for _, health in report.healths] == [Status.CURRENT]


def test_the_time_runs_out(world: World) -> None:
    """What is not current then is named; exit code 4, and its service waits."""
    begun = begin(world)
    report = world.run(TREE, options=WAIT)
    assert 300 <= begin(world) - begun < 301
    assert [health.status for _, health in report.healths] == [Status.PROGRESSING]
    assert report.warnings == ("--wait ran out of time for Deployment/home/web",)
    assert (report.exit_code, report.overdue) == (4, True)
    assert [each.verdict for each in report.services] == [Verdict.WAITING]


def test_no_time_is_a_check(world: World) -> None:
    """Nothing is waited for; what is not current makes it exit code 4."""
    report = world.run(TREE, options=Options(wait=0))
    assert (report.exit_code, watches(world)) == (4, [])
    world.cluster.stuck.clear()
    finish(world)
    assert world.run(TREE, options=Options(wait=0)).exit_code == 0


def test_a_doom_that_lasts_ends_it(world: World) -> None:
    """After its 30 seconds, though nothing happens then; with its cause, and long before the time is up."""
    world.clock.happen(5, lambda: fail(world, "InvalidImageName"))
    begun = begin(world)
    report = world.run(TREE, options=WAIT)
    assert 35 <= begin(world) - begun < 37
    ((_, health),) = report.healths
    assert (health.status, "image image:1 is no valid name" in health.message) == (Status.FAILED, True)
    assert (report.exit_code, report.overdue) == (4, False)


def test_a_doom_that_passes_does_not(world: World) -> None:
    """A Secret that came 20 seconds later, say."""
    world.clock.happen(5, lambda: fail(world, "CreateContainerConfigError"))
    world.clock.happen(25, lambda: finish(world))
    report = world.run(TREE, options=WAIT)
    assert [health.status for _, health in report.healths] == [Status.CURRENT]
    assert report.exit_code == 0


def test_one_that_fails_does_not_end_the_waiting_for_others(world: World) -> None:
    """One service's failure never stops another's."""
    world.cluster.stuck.add("api")
    world.clock.happen(1, lambda: fail(world, "InvalidImageName"))
    world.clock.happen(100, lambda: finish(world, "api"))
    report = world.run(BOTH, options=WAIT)
    assert {health.ref.name: health.status for _, health in report.healths} == {
        "api": Status.CURRENT,
        "web": Status.FAILED,
    }
    assert world.waits[:2] == ["api, web to be ready", "api to be ready"]


def test_one_that_falls_back_is_waited_for_again(world: World) -> None:
    """All are current at the same time, as far as they are watched."""
    world.cluster.stuck.add("api")
    world.clock.happen(10, lambda: finish(world, "api"))
    pod = make_ref("Pod", "api-0")

    def lose() -> None:
        body = world.cluster.objects[pod]
        world.cluster.objects[pod] = {**body, "status": {"conditions": [{"type": "Ready", "status": "False"}]}}

    world.clock.happen(20, lose)
    world.clock.happen(30, lambda: finish(world))
    world.clock.happen(40, lambda: finish(world, "api"))
    begun = begin(world)
    report = world.run(BOTH, options=WAIT)
    assert 40 <= begin(world) - begun < 42
    assert report.exit_code == 0


def test_a_change_is_told_once(world: World) -> None:
    """At the beginning, and whenever the verdict or its reason is another."""
    world.clock.happen(5, lambda: fail(world, "InvalidImageName"))
    report = world.run(TREE, options=WAIT)
    assert told(world) == [("web", "progressing"), ("web", "progressing"), ("web", "failed")]
    assert world.told[-1] != report
    messages = [health.message for part in world.told for _, health in part.healths]
    assert messages[1] != messages[0]
    assert len(messages) == 3


def test_while_nothing_happens_nothing_is_asked(world: World) -> None:
    """The watches are all there is, however long it takes; but that what is stuck is looked into, ever more
    seldom, and at the end.
    """
    world.run(TREE, options=WAIT)
    looks = [each for each in requests(world) if each.startswith("events ")]
    others = {each.split()[0] for each in requests(world)} - {"events", "lease", "watch", "sleep", "state"}
    assert others == set()
    # After 10, 30, 70 and 150 seconds, and at the end.
    assert len(looks) == 5
    assert watches(world) == ["watch Deployment in home", "watch Pod in home", "watch closed"]


def test_a_lease_that_is_lost_ends_it(world: World) -> None:
    """At once: another pass is at work."""
    world.run(TREE)
    world.lease.checks = 3
    with pytest.raises(LeaseHeldError):
        world.run(TREE, options=WAIT)
    assert world.log[-2:] == ["watch closed", "lease release"]


@pytest.mark.parametrize(("kind", "message"), [("Pod", "its pods could not be listed: "), ("Deployment", "")])
def test_what_may_not_be_watched_is_an_error(world: World, kind: str, message: str) -> None:
    """It is told, and not waited for; exit code 1."""
    world.cluster.unwatched.add(kind)
    begun = begin(world)
    report = world.run(TREE, options=WAIT)
    assert begin(world) - begun < 2
    assert report.errors == (f"{kind} in home could not be watched: {kind} is forbidden",)
    ((_, health),) = report.healths
    assert health.status is Status.UNKNOWN
    assert health.message == f"{message or 'it could not be watched: '}{kind} is forbidden"
    assert report.exit_code == 1
    assert [each.errors for each in world.told if each.errors] == [report.errors]


def test_what_is_deleted_meanwhile_is_unknown(world: World) -> None:
    """Nobody makes it anew in this pass, so nobody waits for it."""
    world.clock.happen(5, world.cluster.objects.clear)
    report = world.run(TREE, options=WAIT)
    ((_, health),) = report.healths
    assert (health.status, health.message) == (Status.UNKNOWN, "not in the cluster")


def test_where_there_is_too_much_to_watch_it_takes_turns(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connections are bounded; all are current in the end."""
    monkeypatch.setattr(waiting, "MOST", 2)
    other = make_deployment("api", service="api")
    other["metadata"]["namespace"] = "other"
    world.cluster.put(make_body("Namespace", "other", namespace=""))
    tree = make_tree({"web": [make_deployment("web", service="web")], "api": [other]})
    world.cluster.stuck.add("api")
    ref = make_ref("Deployment", "api", group="apps", namespace="other")
    world.clock.happen(10, lambda: world.cluster.finish(ref))
    world.clock.happen(20, lambda: finish(world))
    report = world.run(tree, options=WAIT)
    assert {health.status for _, health in report.healths} == {Status.CURRENT}
    assert [each.split()[-1] for each in watches(world)] == ["home", "home", "closed", "other", "other", "closed"]


def make(kind: str, *, version: str = "v1", **fields: Any) -> Any:
    return make_manifest(make_body(kind, "a", apiVersion=version, **fields))


def test_what_is_watched_for_an_object() -> None:
    """Itself, and the pods that its verdict is about: its own, or those that answer for a webhook."""
    call = {"name": "a.b.c", "clientConfig": {"service": {"namespace": "far", "name": "a"}}}
    version = "admissionregistration.k8s.io/v1"
    hook = make("ValidatingWebhookConfiguration", version=version, namespace="", webhooks=[call, {"name": "b"}])
    assert find_places(make_manifest(make_deployment("a"))) == {DEPLOYMENTS, PODS}
    assert find_places(make("Service")) == {Place("v1", "Service", HOME)}
    assert find_places(hook) == {Place(version, "ValidatingWebhookConfiguration", ""), Place("v1", "Pod", "far")}


def test_what_is_watched_for_many() -> None:
    """Each place once, in one order; no more than may be, and whole objects only."""
    many = [make("Service", namespace=f"n{number:03}") for number in range(100)]
    both = [make_manifest(make_deployment("a")), make_manifest(make_deployment("b"))]
    assert choose_places(both) == [DEPLOYMENTS, PODS]
    assert choose_places([*many[:31], *both, many[31]]) == [
        Place("v1", "Service", f"n{number:03}") for number in range(32)
    ]
