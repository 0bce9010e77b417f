"""audit: a full dry-run now and then, remembered in the state."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from jsorc_gitops.errors import ClusterError
from jsorc_gitops.reconcile.audit import is_due
from jsorc_gitops.reconcile.inventory import State, format_state, parse_state
from jsorc_gitops.reconcile.plan import Action
from jsorc_gitops.reconcile.ports import Options
from jsorc_gitops.reconcile.report import Report
from tests.reconcile.builders import make_body, make_ref, make_tree
from tests.reconcile.trees import TASK, TREE, actions
from tests.reconcile.world import World

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
HOURLY = Options(audit_every=3600)


@pytest.mark.parametrize(
    ("due", "audited"),
    [
        (True, ""),
        (True, "nonsense"),
        (True, "2026-11-26T11:59:00"),
        (False, "2026-11-26T12:00:00+00:00"),
        (False, "2026-11-26T11:00:01+00:00"),
        (False, "2026-11-26T12:30:00+01:00"),
        (True, "2026-11-26T11:00:00+00:00"),
        (True, "2026-11-25T11:59:00+00:00"),
        (True, "2026-11-26T12:00:01+00:00"),
    ],
)
def test_when_it_is_due(due: object, audited: str) -> None:
    """An hour after the last one; also where nobody knows when that was, or it is yet to come."""
    assert is_due(audited, every=3600, now=NOON) is due
    assert is_due(audited, every=0, now=NOON) is False


def dry_runs(world: World) -> list[str]:
    return [line for line in world.log if line.startswith("dry-run")]


def later(world: World, **span: Any) -> None:
    world.clock.time += timedelta(**span)


def test_once_an_hour(world: World) -> None:
    """The passes in between ask nothing and write nothing; the one after an hour asks all and writes the time."""
    world.run(TREE, options=HOURLY)
    first = world.state().audited
    world.run(TREE, options=HOURLY)
    assert (dry_runs(world), world.writes, world.state().audited) == ([], [], first)

    later(world, hours=1)
    report = world.run(TREE, options=HOURLY)

    assert len(dry_runs(world)) == len(TREE.manifests)
    assert set(actions(report).values()) == {Action.UNCHANGED}
    assert world.writes == ["replace ConfigMap/home/jsorc.state.default"]
    assert world.state().audited > first


def test_never(world: World) -> None:
    """0 seconds: no time is remembered."""
    world.run(TREE)
    later(world, days=9)
    world.run(TREE)
    assert (dry_runs(world), world.state().audited) == ([], "")


def audit_a_webhook(world: World, options: Options) -> Report:
    """An object that a webhook would make otherwise than it made it before."""
    world.run(TREE, options=HOURLY)
    later(world, hours=2)
    ref = make_ref("ConfigMap", "task")
    apply = world.cluster.apply_objects

    def mutate(requests: Any) -> Any:
        answers = apply(requests)
        for request, answer in zip(requests, answers, strict=True):
            if request.ref == ref and not isinstance(answer, ClusterError):
                answer["metadata"]["annotations"] = {"by": "webhook"}
        return answers

    world.cluster.apply_objects = mutate  # type: ignore[method-assign]
    return world.run(TREE, options=options)


def test_a_difference_is_applied(world: World) -> None:
    """Like drift: told by field, and written."""
    report = audit_a_webhook(world, HOURLY)
    [task] = [each for each in report.objects if each.ref.name == "task"]
    assert task.action is Action.CONFIGURE
    assert [(each.path, each.after) for each in task.changes] == [(".metadata.annotations", {"by": "webhook"})]
    assert "apply ConfigMap/home/task" in world.log


def test_what_is_refused_is_told_until_it_is_mended(world: World) -> None:
    """A policy that would take the object no more is found by every pass, not once an hour."""
    world.run(TREE, options=HOURLY)
    first = world.state().audited
    later(world, hours=2)
    asked = ("dry-run", "ConfigMap/home/task")
    world.hooks.before = lambda *what: ClusterError("denied by policy", status=403) if what == asked else None
    for _ in range(2):
        assert world.run(TREE, options=HOURLY).exit_code == 1
        assert (world.writes, world.state().audited) == ([], first)
    world.survive()
    assert world.run(TREE, options=HOURLY).exit_code == 0
    assert world.state().audited > first


def test_a_refusal_of_another_kind_does_not_repeat_an_audit(world: World) -> None:
    """An object of somebody else is refused in every pass anyway."""
    world.cluster.put(make_body("Service", "theirs"))
    tree = make_tree({"task": TASK, "bad": [make_body("Service", "theirs", service="bad")]})
    assert world.run(tree, options=HOURLY).exit_code == 1
    assert world.run(tree, options=HOURLY).exit_code == 1
    assert "dry-run ConfigMap/home/task" not in world.log


def test_a_dry_run_audits_as_the_pass_would(world: World) -> None:
    """When it is due, a plan asks about all objects, too, and remembers nothing."""
    report = audit_a_webhook(world, Options(audit_every=3600, dry_run=True))
    assert actions(report)["ConfigMap/home/task"] is Action.CONFIGURE
    assert (report.differs, world.writes) == (True, [])


def test_the_state_keeps_it() -> None:
    """As one more key within version 1, which an older jsorc passes over; without it, it was never audited."""
    audited = "2026-11-26T12:00:00+00:00"
    body, _ = format_state(State(audited=audited, resource_version="1"), tree="default", namespace="home")
    bare, _ = format_state(State(resource_version="1"), tree="default", namespace="home")
    assert parse_state(body).audited == audited
    assert (parse_state(bare).audited, "audited" in bare["data"]["state.json"]) == ("", False)
