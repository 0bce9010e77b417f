"""judge: which objects are judged, what is read for it, and that no secret gets into a verdict."""

import base64
import json
from collections.abc import Sequence
from typing import Any

import pytest

from jsorc_gitops.errors import ClusterError
from jsorc_gitops.reconcile.events import make_events
from jsorc_gitops.reconcile.health import Health, Status
from jsorc_gitops.reconcile.judge import LOOKED_INTO
from jsorc_gitops.reconcile.report import Report, format_report
from tests.reconcile.builders import HOME, Body, make_body, make_config_map, make_deployment, make_ref, make_tree
from tests.reconcile.world import World

PLANTED = "a-planted-secret"
ENCODED = base64.b64encode(PLANTED.encode()).decode()
WEB = make_ref("Deployment", "web", group="apps")
AGO = "2026-11-23T11:00:00Z"
SERVICE = make_body("Service", "web", service="web", spec={"type": "LoadBalancer"}, status={"loadBalancer": {}})
TREE = make_tree({"web": [make_deployment("web", service="web"), SERVICE, make_config_map("web", service="web")]})


@pytest.fixture
def world() -> World:
    """The tree is applied."""
    made = World()
    made.run(TREE, jaseci=False)
    return made


def crash(world: World, *, name: str = "web", message: str = "", code: int = 1, at: str = AGO) -> None:
    """Have the pod of a Deployment crash again and again."""
    pod = world.cluster.objects[make_ref("Pod", f"{name}-0")]
    ended = {"exitCode": code, "startedAt": at, "finishedAt": at, "message": message}
    pod["metadata"]["uid"] = f"uid of the pod of {name}"
    pod["status"] = {
        "conditions": [
            {"type": "PodScheduled", "status": "True"},
            {"type": "Ready", "status": "False", "lastTransitionTime": at},
        ],
        "containerStatuses": [
            {
                "name": "main",
                "restartCount": 5,
                "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                "lastState": {"terminated": ended},
            }
        ],
    }


def find_reads(world: World) -> list[str]:
    return [line for line in world.log if line.split()[0] in {"list", "events", "log"}]


def judged(report: Report) -> dict[str, Health]:
    return {health.ref.kind: health for _, health in report.healths}


def test_every_object_with_a_status_is_judged(world: World) -> None:
    """Not the workloads alone, and those of the tree itself, too; of a ConfigMap there is nothing to say."""
    assert {*judged(world.run(TREE, jaseci=False))} == {"Deployment", "Service"}
    shared = make_tree({}, shared=[make_body("Service", "other", spec={})])
    assert {*judged(world.run(shared, "c2", jaseci=False))} == {"Service"}


def test_services_that_are_not_kept_alive_are_not_judged(world: World) -> None:
    """Nobody asked how they are."""
    tree = make_tree({"web": [make_deployment("web", service="web")]}, records={"web": {"keep_alive": False}})
    assert world.run(tree, "c2", jaseci=False).healths == ()


def test_one_change_costs_one_more_list(world: World) -> None:
    """What changed is read again by its kind, and nothing else is: a rollout needs no Events yet."""
    world.run(TREE, jaseci=False)
    calm = len(find_reads(world))
    changed = make_tree(
        {
            "web": [
                make_deployment("web", service="web", image="image:2"),
                SERVICE,
                make_config_map("web", service="web"),
            ]
        }
    )

    world.cluster.stuck = {"web"}
    report = world.run(changed, "c2", jaseci=False)

    # The Service, which was in trouble before, takes one for its Events in both.
    assert len(find_reads(world)) == calm + 1
    assert world.log.count("list Deployment") == 2
    assert report.exit_code == 0


def test_a_change_of_a_kind_without_a_status_costs_none(world: World) -> None:
    """A ConfigMap is as it was applied."""
    world.run(TREE, jaseci=False)
    calm = find_reads(world)
    changed = make_tree(
        {
            "web": [
                make_deployment("web", service="web"),
                SERVICE,
                make_config_map("web", service="web", key="other"),
            ]
        }
    )
    world.run(changed, "c2", jaseci=False)
    assert find_reads(world) == calm


def test_what_fails_is_looked_into(world: World) -> None:
    """Its Events and those of its pod are read, and then the log of the container that crashed."""
    crash(world)
    world.cluster.logs[HOME, "web-0", "main", True] = "first\nKeyError: PORT\n"

    health = judged(world.run(TREE, jaseci=False))["Deployment"]

    assert health.status is Status.FAILED
    assert health.message.endswith("pod web-0: container main crashes again and again with exit code 1")
    assert health.log == ("first", "KeyError: PORT")
    assert "events uid of the pod of web" in world.log
    assert f"log {HOME}/web-0/main" in world.log


def test_it_goes_on_without_events_and_logs(world: World) -> None:
    """They are detail: a pass without the rights says less, and fails no more than before."""
    crash(world)
    world.cluster.forbidden = {"Event"}
    report = world.run(TREE, jaseci=False)
    assert (report.errors, judged(report)["Deployment"].status, report.exit_code) == ((), Status.FAILED, 4)


def test_few_are_looked_into() -> None:
    """A hundred that fail for one reason do not make a pass slow; those that failed come before others."""
    names = [f"web-{number}" for number in range(LOOKED_INTO + 3)]
    tree = make_tree({name: [make_deployment(name, service=name)] for name in names})
    world = World()
    world.run(tree, jaseci=False)
    for name in names:
        crash(world, name=name, at=AGO if name == names[-1] else "2100-01-01T00:00:00Z")

    world.run(tree, jaseci=False)

    logs = [line for line in world.log if line.startswith("log ")]
    assert len(logs) == LOOKED_INTO
    assert logs[0] == f"log {HOME}/{names[-1]}-0/main"


@pytest.mark.parametrize("where", ["log", "message", "event"])
def test_no_secret_of_the_tree_gets_into_a_verdict(where: str) -> None:
    """Neither as it is nor in base64, whoever wrote it: report, events and the values themselves are searched."""
    told = f"cannot log in with {PLANTED} ({ENCODED}), {'x' * 370} {PLANTED}"
    tree = make_tree(
        {
            "web": [
                make_deployment("web", service="web"),
                make_body("Secret", "web", service="web", data={"password": ENCODED}),
            ]
        }
    )
    world = World()
    world.run(tree, jaseci=False)
    crash(world, message=told if where == "message" else "", code=137 if where == "event" else 1)
    if where == "log":
        world.cluster.logs[HOME, "web-0", "main", True] = told
    if where == "event":
        subject = {"uid": "uid of the pod of web", "fieldPath": "spec.containers{main}"}
        said = f"Liveness probe failed: {told}"
        world.cluster.put(make_body("Event", "e", involvedObject=subject, reason="Unhealthy", message=said))

    report = world.run(tree, jaseci=False)

    lines: Sequence[Any] = format_report(report, quiet=False)
    shown = json.dumps([repr(report), lines, list(make_events(report, quiet=False))])
    assert "[masked]" in shown
    assert PLANTED not in shown
    assert ENCODED not in shown
    assert PLANTED[:-2] not in shown


def test_what_works_is_not_looked_into() -> None:
    """A Pod by itself that is ready has Events, and nobody reads them."""
    status = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    tree = make_tree({"web": [make_body("Pod", "web", service="web", spec={"nodeName": "fake"}, status=status)]})
    world = World()
    world.run(tree, jaseci=False)
    assert judged(world.run(tree, jaseci=False))["Pod"].status is Status.CURRENT
    assert not [line for line in world.log if line.startswith("events ")]


def test_what_cannot_be_read_again_is_unknown(world: World) -> None:
    """It was changed, and what became of it nobody knows: that is no success of what was there before."""
    changed = make_tree({"web": [make_deployment("web", service="web", image="image:2")]})
    world.hooks.after = lambda *_: world.cluster.forbidden.add("Deployment")
    report = world.run(changed, "c2", jaseci=False)
    health = judged(report)["Deployment"]
    assert health.status is Status.UNKNOWN
    assert health.message.startswith("it could not be read after applying: ")
    assert [each for each in report.errors if "could not be read after applying" in each]


def test_pods_that_cannot_be_listed_are_an_error_of_their_namespace(world: World) -> None:
    """The workloads there are unknown, other objects are judged all the same."""
    world.cluster.forbidden = {"Pod"}
    report = world.run(TREE, jaseci=False)
    assert judged(report)["Deployment"].status is Status.UNKNOWN
    assert judged(report)["Service"].status is Status.PROGRESSING
    assert len(report.errors) == 1


def test_a_report_tells_of_workloads_and_of_what_is_not_current(world: World) -> None:
    """Beside the workloads a Service that is as it should be has no line; quiet, no current workload has one."""
    ready: Body = {**SERVICE, "spec": {"type": "ClusterIP"}, "status": None}
    tree = make_tree({"web": [make_deployment("web", service="web"), ready]})
    world.run(tree, "c2", jaseci=False)
    report = world.run(tree, "c2", jaseci=False)

    assert {*judged(report)} == {"Deployment", "Service"}
    lines = [line.text.strip() for line in format_report(report, quiet=False)]
    assert f"Deployment/{HOME}/web current: 1 pod ready" in lines
    assert not [line for line in lines if line.startswith("Service/")]
    assert [
        event["object"]["kind"] for event in make_events(report, quiet=False) if event["event"] == "health"
    ] == ["Deployment"]
    assert format_report(report, quiet=True) == []


def test_one_object_without_events_keeps_no_other_from_being_looked_into() -> None:
    """Rights may end at a namespace."""
    world = World()
    world.run(TREE, jaseci=False)
    crash(world)
    answers = world.cluster.list_events

    def fail_first(subjects: Sequence[tuple[str, str]]) -> Any:
        return [ClusterError("gone"), *answers(subjects)[1:]]

    world.cluster.list_events = fail_first  # type: ignore[method-assign]
    assert "events uid of the pod of web" not in world.log
    assert judged(world.run(TREE, jaseci=False))["Deployment"].status is Status.FAILED
    assert "events uid of the pod of web" in world.log
