"""resetter: what is reset because its pods are others, and how often."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from jsorc_gitops.errors import ClusterError
from jsorc_gitops.model.jaseci import ServiceState
from jsorc_gitops.model.objects import RESTARTED_AT, ObjectRef
from jsorc_gitops.reconcile.by_hand import pause_service, reset_by_hand, resume_service
from jsorc_gitops.reconcile.ledger import Ledger, LedgerEntry, Outcome
from jsorc_gitops.reconcile.ports import Options
from jsorc_gitops.reconcile.report import Report
from jsorc_gitops.reconcile.resets import LONGEST, Verdict, find_dependents, find_next
from tests.reconcile.builders import make_deployment, make_record, make_ref, make_tree
from tests.reconcile.hooks import Killed
from tests.reconcile.world import World

REDIS = [make_deployment("redis", service="redis", replicas=2)]
AFTER_REDIS = {"depends_on": ("redis",)}
SERVICES = {"redis": REDIS, "task": [], "mail": []}
TREE = make_tree(SERVICES, records={"task": AFTER_REDIS})
NEWER = make_tree(
    {**SERVICES, "redis": [make_deployment("redis", service="redis", replicas=2, image="image:2")]},
    records={"task": AFTER_REDIS},
)
DUE = "Deployment/home/redis was rolled out"


@pytest.fixture
def world() -> World:
    """A world where all of TREE was applied, and runs."""
    made = World()
    made.run(TREE)
    return made


def resets(world: World) -> list[str]:
    return [line for line in world.log if line.startswith("reset")]


def verdicts(report: Report) -> dict[str, tuple[Verdict, str]]:
    return {each.service: (each.verdict, each.reason) for each in report.services}


def pod_of(world: World, name: str) -> ObjectRef:
    return next(ref for ref in world.cluster.objects if ref.kind == "Pod" and ref.name == name)


def test_what_is_seen_first_is_the_baseline(world: World) -> None:
    """A service that runs is left alone, however its pods came to be."""
    assert world.ledger().entries["redis"].seen
    assert world.ledger().entries.keys() == {"redis"}
    world.run(TREE)
    assert (resets(world), world.writes) == ([], [])


def test_a_lost_ledger_is_a_baseline_again(world: World) -> None:
    """Somebody deleted it in the middle of a rollout: better no reset than one for everything."""
    del world.cluster.objects[make_ref("ConfigMap", "jsorc.ledger.default")]
    world.run(NEWER, "c2")
    assert resets(world) == []


def test_a_rollout_resets_the_service_and_who_depends_on_it_once(world: World) -> None:
    """Though they say that they run; mail has nothing to do with it."""
    report = world.run(NEWER, "c2")
    why = f"was running, {DUE}, verified running"
    assert verdicts(report) == {
        "redis": (Verdict.RESET, why),
        "task": (Verdict.RESET, why),
        "mail": (Verdict.RUNNING, ""),
    }
    assert resets(world) == ["reset redis", "reset task"]
    world.run(NEWER, "c2")
    assert (resets(world), world.writes) == ([], [])


def test_dependents_are_found_at_any_distance() -> None:
    """Once each, in a diamond, too."""
    above = {"b": ("a",), "c": ("a",), "d": ("b", "c"), "e": ("d",), "x": ()}
    records = {name: make_record(name, depends_on=needs) for name, needs in above.items()}
    assert sorted(find_dependents("a", records)) == ["b", "c", "d", "e"]
    assert find_dependents("x", records) == set()


def test_a_rollout_that_is_not_finished_resets_nothing(world: World) -> None:
    """Old pods may still answer; when it is, it does."""
    world.cluster.stuck = {"redis"}
    world.run(NEWER, "c2")
    assert resets(world) == []
    world.cluster.stuck = set()
    world.cluster.edit(make_ref("Deployment", "redis", group="apps"), ("metadata", "annotations"), {"a": "b"})
    world.run(NEWER, "c2")
    assert resets(world) == ["reset redis", "reset task"]


def test_a_pod_that_was_replaced_resets(world: World) -> None:
    """Its node was drained, say: what Jaseci holds connections to is gone."""
    world.cluster.objects[pod_of(world, "redis-0")]["metadata"]["uid"] = "another"
    report = world.run(TREE)
    assert verdicts(report)["redis"][1].startswith("was running, Deployment/home/redis has another pod, redis-0")


def test_a_container_that_was_restarted_resets(world: World) -> None:
    """Once for each time it is seen."""
    world.cluster.objects[pod_of(world, "redis-1")]["status"]["containerStatuses"][0]["restartCount"] = 1
    report = world.run(TREE)
    assert "has a restarted container in redis-1" in verdicts(report)["redis"][1]
    world.run(TREE)
    assert resets(world) == []


def test_scaling_resets_nothing_and_is_remembered(world: World) -> None:
    """Up or down; the pods that are there then are those that later ones are compared with."""
    more = make_tree({**SERVICES, "redis": [make_deployment("redis", service="redis", replicas=4)]})
    world.run(more, "c2")
    assert resets(world) == []
    (found,) = world.ledger().entries["redis"].seen.values()
    assert len(found.pods) == 4
    world.run(TREE, "c3")
    assert resets(world) == []


def scale(world: World, replicas: int) -> dict[str, tuple[Verdict, str]]:
    redis = make_deployment("redis", service="redis", replicas=replicas)
    tree = make_tree({**SERVICES, "redis": [redis]}, records={"task": AFTER_REDIS})
    world.run(tree, f"c{replicas + 2}")
    return verdicts(world.run(tree, f"c{replicas + 2}"))


def test_what_is_scaled_to_none_waits_and_is_reset_when_it_is_back(world: World) -> None:
    """Nothing runs behind it meanwhile, and what runs then is another."""
    assert scale(world, 0)["redis"] == (Verdict.WAITING, "Deployment/home/redis has no pods")
    assert resets(world) == []
    assert scale(world, 2)["redis"][0] is Verdict.RUNNING
    assert world.ledger().entries["task"].reason.startswith("was running, Deployment/home/redis has another pod")


@pytest.mark.parametrize("unknown", ["redis", "task"])
def test_what_is_due_is_kept_while_jaseci_is_not_known(world: World, unknown: str) -> None:
    """And done once it answers again."""
    world.jaseci.states[unknown] = ServiceState.UNKNOWN
    world.run(NEWER, "c2")
    assert f"reset {unknown}" not in resets(world)
    assert world.ledger().entries[unknown].due == DUE
    assert world.run(NEWER, "c2").exit_code == 4
    assert world.writes == []
    world.jaseci.states.clear()
    world.run(NEWER, "c2")
    assert f"reset {unknown}" in resets(world)
    assert world.ledger().entries[unknown].due == ""


def test_a_service_that_went_is_forgotten(world: World) -> None:
    """Back again it is seen for the first time."""
    world.run(make_tree({"task": [], "mail": []}), "c2", Options(allow_prune=True))
    assert "redis" not in world.ledger().entries
    world.run(NEWER, "c3")
    assert resets(world) == []


def test_by_hand_a_rollout_is_no_secret_to_who_depends_on_it(world: World) -> None:
    """It was finished between two passes; who is reset by hand sees it first."""
    world.run(NEWER, "c2", jaseci=False)
    reset_by_hand(world.make_pass(NEWER), "redis")
    world.run(NEWER, "c2")
    assert resets(world) == ["reset task"]


def test_what_is_paused_is_due_when_it_is_resumed(world: World) -> None:
    """Its dependency was rolled out meanwhile."""
    pause_service(world.make_pass(TREE), "task", reason="x", until=None)
    world.run(NEWER, "c2")
    assert resets(world) == ["reset redis"]
    resume_service(world.make_pass(TREE), "task")
    world.run(NEWER, "c2")
    assert resets(world) == ["reset task"]


def test_a_new_cause_does_not_wait_for_old_failures(world: World) -> None:
    """The rollout may be what mends it."""
    world.jaseci.states["redis"] = ServiceState.FAILED
    world.jaseci.outcomes["redis"] = "no"
    for _ in range(4):
        world.run(TREE)
    assert resets(world) == []
    world.jaseci.outcomes = {}
    world.run(NEWER, "c2")
    assert resets(world) == ["reset redis", "reset task"]


def test_failures_are_in_a_row_only_while_it_does_not_run(world: World) -> None:
    """It ran since, whoever brought it back."""
    world.jaseci.states["mail"] = ServiceState.FAILED
    world.jaseci.outcomes["mail"] = "no"
    for _ in range(4):
        world.run(TREE)
    world.jaseci.states["mail"] = ServiceState.RUNNING
    world.run(TREE)
    entry = world.ledger().entries["mail"]
    assert (entry.outcome, entry.failures) == (Outcome.DONE, 0)
    assert entry.reason.endswith("found running by a later pass")


def test_what_is_disabled_is_due_nothing(world: World) -> None:
    """Once somebody enables it, it starts anew."""
    world.jaseci.states["task"] = ServiceState.DISABLED
    world.run(NEWER, "c2")
    assert (resets(world), world.ledger().find("task").due) == (["reset redis"], "")


def test_a_dependent_waits_until_its_dependency_was_reset(world: World) -> None:
    """It would connect to what is about to be replaced; it stays due."""
    world.jaseci.outcomes = {"redis": "no"}
    assert verdicts(world.run(NEWER, "c2"))["task"] == (Verdict.BLOCKED, "redis is failed")
    world.jaseci.outcomes = {}
    world.run(NEWER, "c2")
    assert resets(world) == ["reset redis", "reset task"]


@pytest.mark.parametrize("number", range(6))
@pytest.mark.parametrize("done", [False, True])
def test_a_kill_loses_no_reset_and_repeats_at_most_one(world: World, number: int, *, done: bool) -> None:
    """At every write of the pass that resets for a rollout, the calls to Jaseci among them."""
    world.run(NEWER, "c2", jaseci=False)
    world.kill_at(number, done=done)
    with pytest.raises(Killed):
        world.run(NEWER, "c2")
    world.survive()
    made = resets(world)
    world.run(NEWER, "c2")
    made += resets(world)
    assert {*made} == {"reset redis", "reset task"}
    assert len(made) <= 3
    assert {each.outcome for each in world.ledger().entries.values()} == {Outcome.DONE}
    assert not any(each.due for each in world.ledger().entries.values())


def test_from_the_third_failure_in_a_row_it_takes_its_time(world: World) -> None:
    """Twice as long each time; what waits is a failure, and says until when."""
    world.jaseci.states["mail"] = ServiceState.FAILED
    world.jaseci.outcomes["mail"] = "no"
    for _ in range(3):
        world.run(TREE)
        assert resets(world) == ["reset mail"]
    report = world.run(TREE)
    at = datetime.fromisoformat(world.ledger().entries["mail"].at)
    until = f"{at + timedelta(seconds=80):%H:%M:%S} UTC"
    assert resets(world) == []
    assert verdicts(report)["mail"] == (
        Verdict.FAILED,
        f"was failed; 3 resets in a row failed, the next is not before {until} (jsorc reset mail does it now)",
    )
    assert report.exit_code == 4
    world.clock.sleep(80)
    world.run(TREE)
    assert resets(world) == ["reset mail"]


@pytest.mark.parametrize(
    ("failures", "interval", "pause"),
    [(0, 10, None), (2, 10, None), (3, 10, 80), (4, 10, 160), (8, 10, 2560), (9, 10, 3600), (999, 9999999, 3600)],
)
def test_how_long_a_pause_is(failures: int, interval: float, pause: float | None) -> None:
    """The interval, doubled for each failure, an hour at most."""
    entry = LedgerEntry(outcome=Outcome.FAILED, at="2026-11-23T12:00:00+00:00", failures=failures)
    begun = datetime.fromisoformat(entry.at)
    expected = None if pause is None else begun + timedelta(seconds=pause)
    assert find_next(entry, interval=interval, now=begun) == expected


def test_a_clock_that_went_back_holds_up_nothing_for_longer_than_an_hour(world: World) -> None:
    """The ledger's time is of tomorrow: it is not waited for."""
    world.jaseci.states["mail"] = ServiceState.FAILED
    world.jaseci.outcomes["mail"] = "no"
    for _ in range(3):
        world.run(TREE)
    world.clock.sleep(-2 * LONGEST.total_seconds())
    world.run(TREE)
    assert resets(world) == ["reset mail"]


WEB = make_deployment("web", service="web")
RESTARTED = make_tree(
    {"redis": REDIS, "web": [WEB], "shop": []},
    records={
        "redis": {"via": "none"},
        "web": {"via": "rollout", **AFTER_REDIS},
        "shop": {"depends_on": ("web",)},
    },
)
ROLLED = make_tree(
    {"redis": [make_deployment("redis", service="redis", image="image:2")], "web": [WEB], "shop": []},
    records={
        "redis": {"via": "none"},
        "web": {"via": "rollout", **AFTER_REDIS},
        "shop": {"depends_on": ("web",)},
    },
)
WEB_REF = make_ref("Deployment", "web", group="apps")


def find_restart(world: World) -> str | None:
    metadata = world.cluster.objects[WEB_REF]["spec"]["template"]["metadata"]
    return (metadata.get("annotations") or {}).get(RESTARTED_AT)


def test_a_rollout_restarts_who_depends_on_it_by_a_rollout() -> None:
    """Without a Jaseci: once, with the standard annotation; it is done when the new pods are ready."""
    world = World()
    world.run(RESTARTED, jaseci=False)
    report = world.run(ROLLED, "c2", jaseci=False)
    assert verdicts(report) == {"web": (Verdict.WAITING, f"restarted: {DUE}")}
    entry = world.ledger().entries["web"]
    assert (entry.outcome, find_restart(world)) == (Outcome.PENDING, entry.at)
    report = world.run(ROLLED, "c2", jaseci=False)
    assert verdicts(report) == {"web": (Verdict.RESET, f"{DUE}, all pods ready")}
    assert world.ledger().entries["web"].outcome is Outcome.DONE
    world.run(ROLLED, "c2", jaseci=False)
    assert world.writes == []
    assert find_restart(world) == entry.at


def test_a_rollout_in_the_middle_of_a_restart_restarts_once_more() -> None:
    """The pods that are coming up may hold connections to what was there before it."""
    world = World()
    world.run(RESTARTED, jaseci=False)
    world.run(ROLLED, "c2", jaseci=False)
    first = find_restart(world)
    report = world.run(RESTARTED, "c3", jaseci=False)
    assert verdicts(report) == {"web": (Verdict.WAITING, f"restarted: {DUE}")}
    assert find_restart(world) != first
    assert verdicts(world.run(RESTARTED, "c3", jaseci=False))["web"][0] is Verdict.RESET


def test_who_depends_on_a_restarted_service_is_reset_after_it() -> None:
    """A chain: redis is rolled out, so web is restarted; once that is over, shop is reset."""
    world = World()
    world.run(RESTARTED)
    assert verdicts(world.run(ROLLED, "c2"))["shop"] == (Verdict.BLOCKED, "web is waiting")
    world.run(ROLLED, "c2")
    assert resets(world) == ["reset shop"]
    world.run(ROLLED, "c2")
    assert resets(world) == []


@pytest.mark.parametrize("done", [False, True])
@pytest.mark.parametrize("number", range(4))
def test_a_kill_restarts_nothing_twice(number: int, *, done: bool) -> None:
    """The annotation is the time in the ledger, so whoever finds it knows."""
    world = World()
    world.run(RESTARTED, jaseci=False)
    world.kill_at(number, done=done)
    with pytest.raises(Killed):
        world.run(ROLLED, "c2", jaseci=False)
    world.survive()
    marks = {find_restart(world)} - {None}
    for _ in range(2):
        world.run(ROLLED, "c2", jaseci=False)
        marks.add(find_restart(world))
    marks.discard(None)
    assert marks == {world.ledger().entries["web"].at}
    assert world.ledger().entries["web"].outcome is Outcome.DONE


def test_with_wait_a_restart_is_waited_for_and_verified() -> None:
    """So is what is reset after it."""
    world = World()
    world.run(RESTARTED)
    report = world.run(ROLLED, "c2", Options(wait=60))
    assert verdicts(report) == {
        "web": (Verdict.RESET, f"{DUE}, all pods ready"),
        "shop": (Verdict.RESET, f"was running, {WEB_REF} was rolled out, verified running"),
    }
    world.run(ROLLED, "c2")
    assert world.writes == []


def test_a_restart_needs_no_jaseci_of_what_it_depends_on() -> None:
    """Redis is a service of Jaseci by default, and there is none."""
    records = {"web": {"via": "rollout", **AFTER_REDIS}}
    before = make_tree({"redis": REDIS, "web": [WEB]}, records=records)
    after = make_tree(
        {"redis": [make_deployment("redis", service="redis", image="image:2")], "web": [WEB]}, records=records
    )
    world = World()
    world.run(before, jaseci=False)
    assert verdicts(world.run(after, "c2", jaseci=False)) == {"web": (Verdict.WAITING, f"restarted: {DUE}")}


def test_a_restart_has_no_config_in_jaseci() -> None:
    """It is not asked about it."""
    world = World()
    tree = make_tree({"web": [WEB], "task": []}, records={"web": {"via": "rollout", "config": {"a": 1}}})
    world.run(tree)
    assert {each.verdict for each in world.run(tree).services} == {Verdict.RUNNING}


def test_a_part_of_a_restart_is_not_repeated() -> None:
    """One workload was restarted, the other may not be: only that is tried again."""
    other = make_deployment("other", service="web")
    records: dict[str, dict[str, Any]] = {"redis": {"via": "none"}, "web": {"via": "rollout", **AFTER_REDIS}}
    newer = [make_deployment("redis", service="redis", image="image:2")]
    world = World()
    world.run(make_tree({"redis": REDIS, "web": [WEB, other]}, records=records), jaseci=False)
    tree = make_tree({"redis": newer, "web": [WEB, other]}, records=records)
    world.hooks.before = lambda verb, what: (
        ClusterError("no rights", status=403) if (verb, what) == ("patch", "Deployment/home/other") else None
    )
    world.run(tree, "c2", jaseci=False)
    first = find_restart(world)
    world.run(tree, "c2", jaseci=False)
    assert (find_restart(world), world.ledger().entries["web"].failures) == (first, 2)
    world.survive()
    world.run(tree, "c2", jaseci=False)
    assert verdicts(world.run(tree, "c2", jaseci=False))["web"][0] is Verdict.RESET
    assert find_restart(world) == first


def test_by_hand_it_is_restarted_each_time() -> None:
    """Also while the restart before is under way."""
    world = World()
    world.run(RESTARTED, jaseci=False)
    reset_by_hand(world.make_pass(RESTARTED), "web")
    first = find_restart(world)
    reset_by_hand(world.make_pass(RESTARTED), "web")
    assert find_restart(world) != first


def test_what_it_depends_on_need_not_be_known_to_jaseci() -> None:
    """A database that is not ready yet holds up who needs it, though nobody resets it."""
    world = World()
    tree = make_tree(
        {"database": [make_deployment("redis", service="database")], "task": []},
        records={"database": {"via": "none"}, "task": {"depends_on": ("database",)}},
    )
    world.cluster.stuck = {"redis"}
    world.jaseci.states["task"] = ServiceState.FAILED
    assert verdicts(world.run(tree))["task"] == (Verdict.BLOCKED, "database is waiting")


def test_a_restart_that_is_refused_is_a_failed_reset() -> None:
    """Told with the server's reason, and tried again."""
    world = World()
    world.run(RESTARTED, jaseci=False)
    world.hooks.before = lambda verb, _: ClusterError("no rights", status=403) if verb == "patch" else None
    report = world.run(ROLLED, "c2", jaseci=False)
    assert verdicts(report) == {"web": (Verdict.FAILED, f"{WEB_REF} could not be restarted: no rights")}
    assert (report.exit_code, world.ledger().entries["web"].failures) == (4, 1)
    world.survive()
    world.run(ROLLED, "c2", jaseci=False)
    assert find_restart(world)


def test_an_unchanged_ledger_is_equal_to_itself(world: World) -> None:
    """Else every pass would write it."""
    before = world.ledger()
    assert Ledger(entries=dict(before.entries), resource_version=before.resource_version) == before
