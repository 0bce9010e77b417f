"""pauses: a service that somebody paused is left alone, until its time is over."""

from dataclasses import replace
from datetime import timedelta

import pytest

from jsorc_gitops.model.jaseci import ServiceState
from jsorc_gitops.model.tree import Tree
from jsorc_gitops.reconcile.ledger import NEW, Pause, format_ledger
from jsorc_gitops.reconcile.ports import Options
from jsorc_gitops.reconcile.resets import Verdict
from tests.reconcile.builders import make_config_map, make_deployment, make_ref, make_tree
from tests.reconcile.world import World

REDIS = {"redis": [make_deployment("redis", service="redis")]}
OTHER = {"other": [make_config_map("other", service="other")]}
TREE = make_tree(REDIS | OTHER)
CHANGED = make_tree({"redis": [make_deployment("redis", service="redis", image="image:2")]} | OTHER)
WITHOUT = make_tree(OTHER)


def make_world(*, until: float | None = None) -> World:
    """TREE was applied, then redis paused, for so many seconds or until it is resumed, and it does not run."""
    world = World()
    world.run(TREE)
    now = world.clock.time
    end = "" if until is None else (now + timedelta(seconds=until)).isoformat()
    pause = Pause(reason="an incident", since=now.isoformat(), until=end)
    entry = replace(world.ledger().entries.get("redis", NEW), pause=pause)
    ledger = replace(world.ledger(), entries={**world.ledger().entries, "redis": entry})
    name = make_ref("ConfigMap", "jsorc.ledger.default")
    world.cluster.put(format_ledger(ledger, tree="default", namespace=name.namespace))
    world.jaseci.states["redis"] = ServiceState.STOPPED
    return world


@pytest.mark.parametrize("tree", [TREE, CHANGED, WITHOUT], ids=["drifted", "changed in git", "gone from git"])
def test_a_paused_service_is_left_alone(tree: Tree) -> None:
    """Not applied, not taken back, not pruned, not judged, not asked about, not reset; it is told why."""
    world = make_world()
    web = make_ref("Deployment", "redis", group="apps")
    world.cluster.edit(web, ("spec", "replicas"), 3)
    report = world.run(tree, "c2")
    told = [(each.service, each.verdict, each.reason) for each in report.services if each.service == "redis"]
    assert told == [("redis", Verdict.PAUSED, "an incident")]
    assert world.cluster.objects[web]["spec"]["replicas"] == 3
    assert {name for name, _ in report.healths} == set()
    assert not [line for line in world.log if line in {"state redis", "reset redis"}]
    assert report.exit_code == 0


def test_others_go_on() -> None:
    """Only what was paused is."""
    world = make_world()
    changed = make_tree(REDIS | {"other": [make_config_map("other", service="other", key="new")]})
    world.run(changed, "c2")
    assert "apply ConfigMap/home/other" in world.writes


def test_a_pause_that_is_over_is_over() -> None:
    """What was missed is done."""
    world = make_world(until=30)
    (paused,) = [each for each in world.run(CHANGED, "c2").services if each.service == "redis"]
    assert paused.reason.startswith("an incident (until ")
    world.clock.sleep(30)
    world.run(CHANGED, "c2")
    assert "apply Deployment/home/redis" in world.writes
    assert "reset redis" in world.log


def test_a_plan_leaves_it_out_too() -> None:
    """What a dry run tells is what a pass does."""
    report = make_world().run(CHANGED, "c2", Options(dry_run=True))
    assert [each.verdict for each in report.services] == [Verdict.PAUSED]
    assert not report.changed
