"""resetter: when Jaseci is asked and told, and what the ledger says meanwhile."""

from dataclasses import replace
from datetime import datetime

import pytest

from jsorc_gitops.errors import ClusterError, FormatError
from jsorc_gitops.model.jaseci import ServiceState
from jsorc_gitops.reconcile.ledger import Ledger, LedgerEntry, Outcome, format_ledger
from jsorc_gitops.reconcile.report import Report
from jsorc_gitops.reconcile.resets import Verdict
from tests.reconcile.builders import make_config_map, make_deployment, make_ref, make_tree
from tests.reconcile.world import World

REDIS = [make_deployment("redis", service="redis")]
TASK = [make_config_map("task", service="task")]
TREE = make_tree({"redis": REDIS, "task": TASK}, records={"task": {"depends_on": ("redis",)}})
LEDGER = make_ref("ConfigMap", "jsorc.ledger.default")


@pytest.fixture
def world() -> World:
    """A world where redis and task were applied, and neither of them runs."""
    made = World()
    made.run(TREE)
    made.jaseci.states = {"redis": ServiceState.STOPPED, "task": ServiceState.STOPPED}
    return made


def verdicts(report: Report) -> dict[str, Verdict]:
    return {each.service: each.verdict for each in report.services}


def asked(world: World) -> list[str]:
    """What Jaseci was asked and told, and the ledger's writes."""
    return [
        line.replace("ConfigMap/home/jsorc.ledger.default", "ledger")
        for line in world.log
        if line.startswith(("state", "reset")) or line.endswith("jsorc.ledger.default")
    ]


def test_services_are_reset_in_their_order(world: World) -> None:
    """All are asked; then each is written down, reset, verified and written down before the next.

    Which is asked once more, since what it depends on was reset meanwhile.
    """
    assert verdicts(world.run(TREE)) == {"redis": Verdict.RESET, "task": Verdict.RESET}
    assert asked(world) == [
        "get ledger",
        "state redis",
        "state task",
        "replace ledger",
        "reset redis",
        "state redis",
        "replace ledger",
        "state task",
        "replace ledger",
        "reset task",
        "state task",
        "replace ledger",
    ]


def test_services_that_do_not_depend_on_each_other_go_side_by_side(world: World) -> None:
    """One batch of resets, between one write and the next."""
    tree = make_tree({"redis": REDIS, "mail": []})
    world.jaseci.states["mail"] = ServiceState.FAILED
    assert verdicts(world.run(tree)) == {"mail": Verdict.RESET, "redis": Verdict.RESET}
    states = ["state redis", "state mail"]
    assert asked(world) == [
        "get ledger",
        *states,
        "replace ledger",
        "reset mail",
        "reset redis",
        *reversed(states),
        "replace ledger",
    ]


def test_what_runs_after_its_dependency_was_reset_is_not_reset(world: World) -> None:
    """Jaseci has started it meanwhile."""
    world.hooks.after = lambda verb, what: (
        world.jaseci.states.__setitem__("task", ServiceState.RUNNING)
        if (verb, what) == ("reset", "redis")
        else None
    )
    assert verdicts(world.run(TREE)) == {"redis": Verdict.RESET, "task": Verdict.RUNNING}


def test_what_runs_is_asked_once_and_left_alone(world: World) -> None:
    """And the ledger is read, but not written."""
    world.jaseci.states = {}
    assert verdicts(world.run(TREE)) == {"redis": Verdict.RUNNING, "task": Verdict.RUNNING}
    assert asked(world) == ["get ledger", "state redis", "state task"]


@pytest.mark.parametrize("state", [ServiceState.UNKNOWN, ServiceState.DISABLED])
def test_what_is_unknown_or_disabled_is_left_alone(world: World, state: ServiceState) -> None:
    """And who depends on it is not reset either."""
    world.jaseci.states["redis"] = state
    assert verdicts(world.run(TREE)) == {"redis": Verdict(str(state)), "task": Verdict.BLOCKED}
    assert asked(world) == ["get ledger", "state redis", "state task"]


def test_jaseci_is_not_asked_while_pods_are_not_ready() -> None:
    """It waits; the pass after the rollout asks. So does who depends on it and does not run."""
    world = World()
    world.cluster.stuck = {"redis"}
    world.jaseci.states = {"redis": ServiceState.STOPPED, "task": ServiceState.STOPPED}
    assert verdicts(world.run(TREE)) == {"redis": Verdict.WAITING, "task": Verdict.BLOCKED}
    assert asked(world) == ["get ledger", "state task"]


def test_pods_that_cannot_be_listed_reset_nothing(world: World) -> None:
    """Unknown, not stopped."""
    world.cluster.forbidden = {"Pod"}
    assert verdicts(world.run(TREE))["redis"] is Verdict.UNKNOWN
    assert asked(world) == ["get ledger", "state task"]


def test_workloads_that_cannot_be_read_again_reset_nothing(world: World) -> None:
    """After a change they are looked at once more, and that look failed."""
    changed = make_tree({"redis": [make_deployment("redis", service="redis", image="image:2")]})
    world.hooks.after = lambda *_: world.cluster.forbidden.add("Deployment")
    assert verdicts(world.run(changed)) == {"redis": Verdict.UNKNOWN}


def test_health_is_judged_on_what_is_there_after_the_change(world: World) -> None:
    """What was LISTed before it would call the old pods a success."""
    world.cluster.stuck = {"redis"}
    changed = make_tree({"redis": [make_deployment("redis", service="redis", replicas=2)]})
    ((_, health),) = world.run(changed).healths
    assert health.message == "1 of 2 pods run the new template"


def test_a_service_is_asked_for_by_its_name_in_jaseci(world: World) -> None:
    """Which need not be ours: promon is prome in Jaseci 1.4."""
    tree = make_tree({"promon": []}, records={"promon": {"jaseci_name": "prome"}})
    world.jaseci.states = {"prome": ServiceState.FAILED}
    assert verdicts(world.run(tree, "c2")) == {"promon": Verdict.RESET}
    assert "reset prome" in asked(world)


def entry(world: World, service: str = "redis") -> LedgerEntry:
    return world.ledger().entries[service]


def test_the_ledger_says_pending_before_and_done_after(world: World) -> None:
    """So that a killed pass is seen; `at` is when the reset was begun."""
    seen: list[Ledger] = []
    world.hooks.before = lambda verb, _what: seen.append(world.ledger()) if verb == "reset" else None
    world.run(TREE)
    pending = seen[0].entries["redis"]
    assert (pending.outcome, pending.reason) == (Outcome.PENDING, "was stopped")
    assert (entry(world).outcome, entry(world).reason) == (Outcome.DONE, "was stopped, verified running")
    assert entry(world).at == pending.at
    assert datetime.fromisoformat(pending.at).tzinfo


def test_a_reset_that_a_killed_pass_had_done_is_ended(world: World) -> None:
    """The service runs, so it was reset; when that was begun stays, and it is written once."""
    world.run(TREE)
    done = entry(world)
    killed = replace(done, outcome=Outcome.PENDING, reason="was stopped", failures=2)
    ledger = replace(world.ledger(), entries={**world.ledger().entries, "redis": killed})
    world.cluster.objects[LEDGER]["data"] = format_ledger(ledger, tree="default", namespace="home")["data"]
    world.run(TREE)
    assert entry(world) == replace(done, reason="was stopped, found running by a later pass")
    world.run(TREE)
    assert "replace ledger" not in asked(world)


def test_every_reset_has_its_own_time(world: World) -> None:
    """The entry is of the last one."""
    world.run(TREE)
    first = entry(world).at
    world.jaseci.states["redis"] = ServiceState.STOPPED
    world.run(TREE)
    assert datetime.fromisoformat(entry(world).at) > datetime.fromisoformat(first)


@pytest.mark.parametrize("outcome", ["no rights", ServiceState.FAILED], ids=["refused", "failed again"])
def test_failures_in_a_row_are_counted_until_one_succeeds(world: World, outcome: ServiceState | str) -> None:
    """The count is what the pause before the next one will be made of."""
    world.jaseci.outcomes = {"redis": outcome}
    for failures in (1, 2):
        report = world.run(TREE)
        assert (verdicts(report)["redis"], report.exit_code) == (Verdict.FAILED, 4)
        assert (entry(world).outcome, entry(world).failures) == (Outcome.FAILED, failures)
    world.jaseci.outcomes = {}
    world.run(TREE)
    assert (entry(world).outcome, entry(world).failures) == (Outcome.DONE, 0)


def test_a_failed_reset_blocks_who_depends_on_it(world: World) -> None:
    """And no one else."""
    world.jaseci.outcomes = {"redis": "no rights"}
    assert verdicts(world.run(TREE)) == {"redis": Verdict.FAILED, "task": Verdict.BLOCKED}


def test_a_reset_that_cannot_be_written_down_is_not_begun(world: World) -> None:
    """It would be lost, or repeated, by a pass that is killed."""
    world.hooks.before = lambda verb, _what: ClusterError("no rights", status=403) if verb == "replace" else None
    report = world.run(TREE)
    assert verdicts(report)["redis"] is Verdict.FAILED
    assert report.services[0].reason == "the ledger could not be kept: no rights"
    assert "reset redis" not in asked(world)


def test_a_newer_ledger_ends_the_pass(world: World) -> None:
    """What it means is not ours to guess: it may say that a service is paused."""
    world.run(TREE)
    world.cluster.objects[LEDGER]["data"] = {"ledger.json": '{"version": 3}'}
    with pytest.raises(FormatError, match="use a newer jsorc"):
        world.run(TREE)
    assert world.writes == []


def test_the_ledger_keeps_other_services(world: World) -> None:
    """Its entries are written one by one, in one ConfigMap."""
    world.run(TREE)
    world.jaseci.states["redis"] = ServiceState.STOPPED
    before = entry(world, "task")
    world.run(TREE)
    assert entry(world, "task") == before
