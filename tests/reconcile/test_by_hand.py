"""by_hand: what a person asks for goes through the same lease and ledger as what passes do."""

from dataclasses import replace
from datetime import timedelta

import pytest

from jsorc_gitops.errors import JsorcError, LeaseHeldError
from jsorc_gitops.model.jaseci import ServiceState
from jsorc_gitops.reconcile.by_hand import BY_HAND, pause_service, reset_by_hand, resume_service
from jsorc_gitops.reconcile.ledger import Outcome
from jsorc_gitops.reconcile.ports import Pass
from jsorc_gitops.reconcile.resets import ServiceVerdict, Verdict
from tests.reconcile.builders import make_deployment, make_ref, make_tree
from tests.reconcile.world import World

REDIS = [make_deployment("redis", service="redis")]
TREE = make_tree(
    {"redis": REDIS, "task": [], "web": [], "asleep": []},
    records={"task": {"depends_on": ("redis",)}, "web": {"via": "none"}, "asleep": {"keep_alive": False}},
)


@pytest.fixture
def world() -> World:
    """TREE was applied, and runs."""
    made = World()
    made.run(TREE)
    made.log.clear()
    return made


@pytest.fixture
def run(world: World) -> Pass:
    """The doors of that world."""
    return world.make_pass(TREE)


def test_a_running_service_is_reset_once(world: World, run: Pass) -> None:
    """Under the lease, written before and after; the next pass has nothing to do."""
    report = reset_by_hand(run, "redis")
    reason = f"was running, {BY_HAND}, verified running"
    assert report.services == (ServiceVerdict(service="redis", verdict=Verdict.RESET, reason=reason),)
    log = [line for line in world.log if line.split()[0] in {"lease", "reset", "replace", "state"}]
    assert log == [
        "lease acquire",
        "lease check",
        "replace ConfigMap/home/jsorc.ledger.default",
        "state redis",
        "lease check",
        "replace ConfigMap/home/jsorc.ledger.default",
        "reset redis",
        "state redis",
        "lease check",
        "replace ConfigMap/home/jsorc.ledger.default",
        "lease release",
    ]
    world.run(TREE)
    assert world.writes == []


def test_it_waits_for_nobody(world: World, run: Pass) -> None:
    """Neither for what it depends on, nor for resets that failed; of those the next in a row is the first."""
    world.jaseci.states |= {"redis": ServiceState.FAILED, "task": ServiceState.FAILED}
    world.jaseci.outcomes |= {"redis": "no", "task": "no"}
    for _ in range(4):
        reset_by_hand(run, "task")
    assert world.log.count("reset task") == 4
    assert world.ledger().entries["task"].failures == 1


def test_pods_that_are_not_ready_are_waited_for_by_the_passes(world: World, run: Pass) -> None:
    """It is due then, and done once they are."""
    status = world.cluster.objects[next(ref for ref in world.cluster.objects if ref.kind == "Pod")]["status"]
    status["conditions"] = [{"type": "Ready", "status": "False"}]
    report = reset_by_hand(run, "redis")
    assert [each.verdict for each in report.services] == [Verdict.FAILED]
    assert (report.exit_code, report.services[0].note.startswith("not reset; it stays due")) == (4, True)
    assert world.ledger().entries["redis"].due == BY_HAND
    status["conditions"] = [{"type": "Ready", "status": "True"}]
    world.run(TREE)
    assert "reset redis" in world.log


def test_what_is_disabled_is_not_reset(world: World, run: Pass) -> None:
    """Who asked for it is told so."""
    world.jaseci.states["redis"] = ServiceState.DISABLED
    report = reset_by_hand(run, "redis")
    assert (report.services[0].reason, report.exit_code) == ("not reset: it is disabled in Jaseci", 4)
    assert "reset redis" not in world.log


def test_before_the_first_pass_there_is_nothing_to_reset() -> None:
    """The home namespace is not there yet."""
    world = World()
    del world.cluster.objects[make_ref("Namespace", "home", namespace="")]
    with pytest.raises(JsorcError, match="nothing was applied to namespace home yet; run jsorc reconcile first"):
        reset_by_hand(world.make_pass(TREE), "redis")


def test_where_all_is_switched_off_nothing_is_reset(world: World) -> None:
    """enabled: false counts for a person, too."""
    tree = replace(TREE, settings=replace(TREE.settings, enabled=False))
    with pytest.raises(JsorcError, match="enabled is false"):
        reset_by_hand(world.make_pass(tree), "redis")
    assert world.log == []


def test_a_paused_service_is_reset_by_hand(world: World, run: Pass) -> None:
    """Only passes leave it alone."""
    pause_service(run, "redis", reason="an incident", until=None)
    reset_by_hand(run, "redis")
    assert "reset redis" in world.log
    assert world.ledger().entries["redis"].pause


@pytest.mark.parametrize(
    ("service", "message"),
    [
        ("rediss", r"no service 'rediss' in tree default; did you mean redis\?"),
        ("web", r"web cannot be reset: its service.yaml says reset: \{via: none\}"),
        ("asleep", "asleep cannot be reset: it is not in keep_alive"),
    ],
)
def test_what_cannot_be_reset(world: World, run: Pass, service: str, message: str) -> None:
    """Why, before anything is asked for."""
    with pytest.raises(JsorcError, match=message):
        reset_by_hand(run, service)
    assert world.log == []


def test_without_a_jaseci_nothing_of_it_can_be_reset(world: World) -> None:
    """There is nobody to call."""
    run = Pass(
        tree=TREE,
        revision="c1",
        doors=world.doors(jaseci=False),
        options=world.make_pass(TREE).options,
    )
    with pytest.raises(JsorcError, match=r"jsorc\.yaml names no Jaseci"):
        reset_by_hand(run, "redis")


def test_a_pause_is_written_down_and_ends(world: World, run: Pass) -> None:
    """With its reason and its times, beside what was known of the service."""
    seen = world.ledger().entries["redis"].seen
    until = pause_service(run, "redis", reason="an incident", until=timedelta(hours=2))
    entry = world.ledger().entries["redis"]
    assert entry.pause
    assert (entry.pause.reason, entry.pause.until, entry.seen) == ("an incident", until, seen)
    assert [each.verdict for each in world.run(TREE).services if each.service == "redis"] == [Verdict.PAUSED]
    resume_service(run, "redis")
    assert world.ledger().entries["redis"].pause is None
    assert [each.verdict for each in world.run(TREE).services if each.service == "redis"] == [Verdict.RUNNING]


def test_a_pause_that_would_be_over_is_refused(world: World, run: Pass) -> None:
    """A typing error in the year."""
    with pytest.raises(JsorcError, match=r"--until: .* is over already"):
        pause_service(run, "redis", reason="x", until=world.clock.time - timedelta(days=365))
    assert world.log[-1] == "lease release"


def test_only_what_is_paused_is_resumed(run: Pass) -> None:
    """Those that are, are named."""
    pause_service(run, "task", reason="x", until=None)
    with pytest.raises(JsorcError, match=r"redis is not paused \(there: task\)"):
        resume_service(run, "redis")


def test_a_lease_that_is_held_keeps_it_out(world: World, run: Pass) -> None:
    """A pass is at work; nothing is written."""
    world.lease.checks = 0
    with pytest.raises(LeaseHeldError):
        pause_service(run, "redis", reason="x", until=None)
    assert world.ledger().entries["redis"].pause is None
    assert world.ledger().entries["redis"].outcome is not Outcome.PENDING
