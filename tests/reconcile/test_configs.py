"""configs: what Jaseci's own config of a service says against git, and what becomes of a difference."""

import base64
from dataclasses import replace
from typing import Any

import pytest

from jsorc_gitops.model.jaseci import ServiceState
from jsorc_gitops.model.tree import Tree
from jsorc_gitops.reconcile.configs import diff_config
from jsorc_gitops.reconcile.ledger import Outcome
from jsorc_gitops.reconcile.report import Report
from jsorc_gitops.reconcile.resets import ServiceVerdict, Verdict
from tests.reconcile.builders import make_body, make_tree
from tests.reconcile.hooks import Killed
from tests.reconcile.world import World

WANTED = {"enabled": True, "port": "6380", "auth": {"user": "me"}}
STORED = {"enabled": True, "port": "6379", "db": "1", "auth": {"user": "me", "more": 1}}
SET = {"enabled": True, "port": "6380", "db": "1", "auth": {"user": "me", "more": 1}}


def make(config: dict[str, Any], *, apply: bool) -> Tree:
    return make_tree({"redis": []}, records={"redis": {"config": config, "applies_config": apply}})


REPORT, APPLY = make(WANTED, apply=False), make(WANTED, apply=True)


@pytest.fixture
def world() -> World:
    """Redis runs, with STORED for its config."""
    made = World()
    made.jaseci.configs["redis"] = STORED
    made.run(make({}, apply=False))
    return made


def told(report: Report) -> ServiceVerdict:
    (found,) = report.services
    return found


def calls(world: World) -> list[str]:
    return [line for line in world.log if line.split()[0] in {"state", "reset", "config", "set"}]


@pytest.mark.parametrize(
    ("wanted", "differing"),
    [
        (STORED, []),
        ({}, []),
        ({"enabled": True}, []),
        ({"auth": {"user": "me"}}, []),
        ({"port": 6379}, ["port"]),
        ({"enabled": 1}, ["enabled"]),
        ({"new": None}, ["new"]),
        ({"auth": {"user": "you", "pass": "x"}}, ["auth.user", "auth.pass"]),
        ({"auth": "x"}, ["auth"]),
    ],
)
def test_only_what_git_speaks_of_is_compared(wanted: dict[str, Any], differing: list[str]) -> None:
    """The rest is Jaseci's."""
    assert diff_config(wanted, STORED) == differing


def test_a_difference_is_told_by_its_paths(world: World) -> None:
    """Also in a quiet report, and without any value; nothing is set or reset."""
    found = told(world.run(REPORT, "c2"))
    note = "Jaseci's config differs from git in port"
    assert found == ServiceVerdict(service="redis", verdict=Verdict.RUNNING, note=note)
    assert not found.is_calm
    assert calls(world) == ["state redis", "config redis"]


def test_a_difference_is_merged_in_and_takes_effect(world: World) -> None:
    """What git does not speak of stays; then one reset, verified; then there is nothing to do."""
    found = told(world.run(APPLY, "c2"))
    reason = "was running, its config differs in port, verified running"
    assert (found.verdict, found.reason, found.note) == (Verdict.RESET, reason, "")
    assert world.jaseci.configs["redis"] == SET
    assert calls(world) == [
        "state redis",
        "config redis",
        "set redis",
        "config redis",
        "reset redis",
        "state redis",
    ]
    assert told(world.run(APPLY, "c2")).is_calm
    assert (calls(world), world.writes) == (["state redis", "config redis"], [])


def test_a_disabled_service_is_enabled(world: World) -> None:
    """Its config is what disables it."""
    world.jaseci.configs["redis"] = SET | {"enabled": False}
    world.jaseci.states["redis"] = ServiceState.DISABLED
    assert told(world.run(APPLY, "c2")).verdict is Verdict.RESET
    assert world.jaseci.configs["redis"] == SET


def test_a_state_that_is_no_longer_known_is_let_be_too(world: World) -> None:
    """Another service was reset in between, and took its state along."""
    tree = make_tree(
        {"base": [], "redis": []},
        records={"redis": {"config": WANTED, "applies_config": True, "depends_on": ("base",)}},
    )
    world.jaseci.states["base"] = ServiceState.STOPPED

    def forget(verb: str, what: str) -> None:
        if (verb, what) == ("reset", "base"):
            world.jaseci.states["redis"] = ServiceState.UNKNOWN

    world.hooks.after = forget
    found = {each.service: each.verdict for each in world.run(tree, "c2").services}
    assert found == {"base": Verdict.RESET, "redis": Verdict.UNKNOWN}
    assert not {"set redis", "reset redis"} & {*calls(world)}


def test_what_a_secret_holds_is_not_told_by_jaseci_either(world: World) -> None:
    """Whatever the key is called under which the config has it."""
    data = {"pass": base64.b64encode(b"open-sesame").decode()}
    world.cluster.put(make_body("Secret", "mail", data=data))
    world.jaseci.states["redis"] = ServiceState.FAILED
    world.jaseci.details["redis"] = "cannot open with open-sesame"
    report = world.run(make({"word": SECRET}, apply=False), "c2")
    assert told(report).reason.startswith("was failed (cannot open with [masked])")
    assert "open-sesame" not in f"{report}{world.told}{world.ledger()}"


def test_a_service_whose_state_is_not_known_is_let_be(world: World) -> None:
    """Its config, too."""
    world.jaseci.states["redis"] = ServiceState.UNKNOWN
    assert told(world.run(APPLY, "c2")).verdict is Verdict.UNKNOWN
    assert calls(world) == ["state redis"]


@pytest.mark.parametrize("done", [False, True])
@pytest.mark.parametrize("number", range(6))
def test_a_kill_leaves_no_config_without_its_reset(world: World, number: int, *, done: bool) -> None:
    """Stored and not in effect would look as if all were well."""
    world.run(make({}, apply=False), "c2", jaseci=False)
    world.kill_at(number, done=done)
    try:
        world.run(APPLY, "c3")
    except Killed:
        world.survive()
    made = calls(world)
    world.run(APPLY, "c3")
    made += calls(world)
    assert world.jaseci.configs["redis"] == SET
    assert made.index("reset redis") > made.index("set redis")
    assert world.ledger().entries["redis"].outcome is Outcome.DONE
    assert told(world.run(APPLY, "c3")).is_calm


def test_a_config_that_jaseci_changes_on_the_way_is_a_failed_reset(world: World) -> None:
    """Else it would be stored, and the service reset, in every pass."""
    world.hooks.after = lambda verb, _: (
        world.jaseci.configs.__setitem__("redis", STORED) if verb == "set" else None
    )
    found = told(world.run(APPLY, "c2"))
    reason = "was running, its config differs in port; its config could not be stored: its config differs in port"
    assert (found.verdict, found.reason) == (Verdict.FAILED, reason)
    assert "reset redis" not in calls(world)
    assert world.ledger().entries["redis"].failures == 1


def test_a_config_that_was_mended_does_not_wait(world: World) -> None:
    """What failed is what git said before."""
    world.jaseci.outcomes["redis"] = "no"
    for _ in range(4):
        world.run(APPLY, "c2")
    assert "set redis" not in calls(world)
    world.jaseci.outcomes = {}
    mended = make(WANTED | {"port": "6381"}, apply=True)
    assert told(world.run(mended, "c3")).verdict is Verdict.RESET
    assert told(world.run(mended, "c3")).is_calm


def test_a_config_that_jaseci_does_not_tell_is_not_compared(world: World) -> None:
    """The service runs all the same, but what git says is not in effect."""
    world.jaseci.configs["redis"] = "no such endpoint"
    found = told(world.run(REPORT, "c2"))
    assert (found.verdict, found.note) == (Verdict.RUNNING, "its config is not compared: no such endpoint")
    found = told(world.run(APPLY, "c2"))
    assert (found.verdict, found.reason) == (Verdict.FAILED, "its config is not compared: no such endpoint")


SECRET = {"valueFrom": {"secretKeyRef": {"name": "mail", "key": "pass"}}}


def test_a_secret_is_set_by_reference(world: World) -> None:
    """Its value is Jaseci's alone: no report, no ledger has it."""
    data = {"pass": base64.b64encode(b"open-sesame").decode()}
    world.cluster.put(make_body("Secret", "mail", data=data))
    tree = make({"pass": SECRET, "hosts": [{"pass": SECRET}]}, apply=True)
    report = world.run(tree, "c2")
    assert told(report).verdict is Verdict.RESET
    stored = world.jaseci.configs["redis"]
    assert isinstance(stored, dict)
    assert (stored["pass"], stored["hosts"]) == ("open-sesame", [{"pass": "open-sesame"}])
    everything = f"{report}{world.told}{world.ledger()}{world.log}{world.waits}"
    assert "open-sesame" not in everything
    assert told(world.run(tree, "c2")).is_calm


@pytest.mark.parametrize("data", [None, {}, {"other": "eA=="}])
def test_a_secret_that_is_missing_is_named(world: World, data: dict[str, str] | None) -> None:
    """Nothing is compared with half a config."""
    if data is not None:
        world.cluster.put(make_body("Secret", "mail", data=data))
    found = told(world.run(make({"pass": SECRET}, apply=True), "c2"))
    assert found.reason == "its config is not compared: Secret/home/mail has no pass, or cannot be read"
    assert found.verdict is Verdict.FAILED
    assert "set redis" not in calls(world)


def test_a_service_that_jaseci_resets_too_is_warned_about_once(world: World) -> None:
    """Two then reset it; once that is over and begins again, it is told again."""
    world.jaseci.automated = {"redis"}
    (warning,) = world.run(APPLY, "c2").warnings
    assert warning.startswith("Jaseci itself resets redis, too (automated: true)")
    assert world.run(APPLY, "c2").warnings == ()
    world.jaseci.automated = set()
    world.run(APPLY, "c2")
    assert world.ledger().entries["redis"] == replace(world.ledger().entries["redis"], automated=False)
    world.jaseci.automated = {"redis"}
    assert len(world.run(APPLY, "c2").warnings) == 1
