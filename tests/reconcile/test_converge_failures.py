"""converge: what one failure leaves of the rest of a pass."""

import pytest

from jsorc_gitops.errors import ClusterError, FormatError, LeaseHeldError
from jsorc_gitops.model.jaseci import ServiceState
from jsorc_gitops.reconcile.resets import Verdict
from tests.reconcile.builders import make_config_map, make_ref, make_tree
from tests.reconcile.trees import REDIS, REDIS_ALONE, TASK, TREE, bad
from tests.reconcile.world import World


def refuse(world: World, what: str, *, verb: str = "dry-run") -> None:
    """The API server will not have this object."""

    def answer(asked: str, ref: str) -> ClusterError | None:
        return ClusterError("admission says no", status=403) if (asked, ref) == (verb, what) else None

    world.hooks.before = answer


@pytest.mark.parametrize("verb", ["dry-run", "apply"])
def test_one_services_failure_leaves_the_others_done(world: World, verb: str) -> None:
    """The error is the object's; everything else of other services is written and remembered."""
    refuse(world, "ConfigMap/home/redis", verb=verb)
    report = world.run(TREE)
    assert (world.names("ConfigMap")[-1], report.exit_code) == ("task", 1)
    assert "ConfigMap/home/redis" in bad(report)
    remembered = world.state().entries
    assert remembered[make_ref("ConfigMap", "task")].uid
    assert make_ref("ConfigMap", "redis") not in remembered


def test_a_failed_dry_run_keeps_all_of_its_service_as_it_is(world: World) -> None:
    """Half a service is worse than the old one; the rest of it says for whom it waits."""
    refuse(world, "ConfigMap/home/redis")
    report = world.run(TREE)
    assert world.names("Deployment") == []
    reasons = {str(each.ref): each.error for each in report.objects}
    assert reasons["Deployment/home/redis"] == "left as it is, because others of redis failed"


def test_nothing_is_pruned_while_something_failed(world: World) -> None:
    """What failed may be what replaces it; the next pass prunes."""
    world.run(make_tree({"redis": REDIS, "task": TASK, "old": [make_config_map("old", service="old")]}))
    changed = [make_config_map("task", service="task", key="new")]
    refuse(world, "ConfigMap/home/task")
    report = world.run(make_tree({"redis": REDIS, "task": changed}), "c2")
    assert "old" in world.names("ConfigMap")
    assert report.errors == ("2 objects are not pruned, because others failed",)
    world.survive()
    world.run(make_tree({"redis": REDIS, "task": changed}), "c2")
    assert "old" not in world.names("ConfigMap")


def test_a_kind_that_may_not_be_listed_fails_alone(world: World) -> None:
    """Its objects are errors, the others are done, nothing is pruned, exit 1."""
    world.run(TREE)
    world.cluster.edit(make_ref("ConfigMap", "redis"), ("data", "key"), "drift")
    world.cluster.forbidden = {"Deployment"}
    report = world.run(REDIS_ALONE, "c2")
    assert bad(report) == ["Deployment/home/redis"]
    assert not any("Deployment/home/redis" in line for line in world.log)
    assert world.cluster.objects[make_ref("ConfigMap", "redis")]["data"] == {"key": "value"}
    assert "task" in world.names("ConfigMap")
    assert report.errors == ("nothing is pruned, because Deployment could not be read",)
    assert report.exit_code == 1


def test_a_service_that_could_not_be_applied_is_not_reset(world: World) -> None:
    """It waits, whatever Jaseci would say of it, and so does who depends on it."""
    world.jaseci.states = {"redis": ServiceState.STOPPED, "task": ServiceState.STOPPED}
    refuse(world, "ConfigMap/home/redis")
    report = world.run(TREE)
    assert [(each.service, each.verdict) for each in report.services] == [
        ("redis", Verdict.WAITING),
        ("task", Verdict.BLOCKED),
    ]
    assert not any(line.startswith("reset") for line in world.log)


@pytest.mark.parametrize("checks", range(4))
def test_a_lost_lease_stops_before_the_next_write(world: World, checks: int) -> None:
    """Another holder is at work: nothing is written after the check that says so."""
    world.run(TREE)
    world.cluster.edit(make_ref("ConfigMap", "redis"), ("data", "key"), "drift")
    world.jaseci.states = {"redis": ServiceState.STOPPED}
    world.lease.checks = checks
    with pytest.raises(LeaseHeldError):
        world.run(make_tree({"redis": [*REDIS, make_config_map("new", service="redis")]}), "c2")
    assert world.log[-2:] == ["lease check", "lease release"]


def test_a_newer_state_is_left_alone(world: World) -> None:
    """What it means is not ours to guess, so nothing is written, and the lease is given back."""
    world.run(TREE)
    ref = make_ref("ConfigMap", "jsorc.state.default")
    world.cluster.objects[ref]["data"] = {"state.json": '{"version": 99}'}
    with pytest.raises(FormatError, match="newer jsorc"):
        world.run(REDIS_ALONE, "c2")
    assert (world.writes, world.log[-1]) == ([], "lease release")
