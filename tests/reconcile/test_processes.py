"""processes: a service of Jaseci in every replica, each called and verified by itself."""

from typing import Any

import pytest

from jsorc_gitops.model.jaseci import Answer, ServiceState
from jsorc_gitops.model.objects import ObjectRef
from jsorc_gitops.model.settings import CredentialsReference, JaseciSettings
from jsorc_gitops.reconcile.replicas import combine_answers
from jsorc_gitops.reconcile.report import Report
from jsorc_gitops.reconcile.resets import Verdict
from tests.reconcile.builders import make_ref, make_tree
from tests.reconcile.world import World

CREDENTIALS = CredentialsReference(kind="env", name="X")
PODS = JaseciSettings(selector="app=jaseci", port=80, credentials=CREDENTIALS)
TREE = make_tree({"task": []}, jaseci=PODS)
A, B = "10.0.0.1", "10.0.0.2"


def add_pod(world: World, address: str, *, ready: bool = True, **metadata: Any) -> ObjectRef:
    """A pod of Jaseci."""
    ref = make_ref("Pod", f"jaseci-{address}")
    status = {"podIP": address, "conditions": [{"type": "Ready", "status": str(ready)}]}
    labels = {"app": "jaseci"}
    named = {"name": ref.name, "namespace": ref.namespace, "labels": labels, **metadata}
    world.cluster.objects[ref] = {"apiVersion": "v1", "kind": "Pod", "metadata": named, "status": status}
    return ref


@pytest.fixture
def world() -> World:
    """Two pods of Jaseci, in which task runs."""
    made = World()
    add_pod(made, A)
    add_pod(made, B)
    made.run(TREE)
    return made


def verdict(report: Report) -> tuple[Verdict, str]:
    (found,) = report.services
    return found.verdict, found.reason


def calls(world: World) -> list[str]:
    return [line for line in world.log if line.startswith(("state", "reset"))]


def test_every_ready_pod_is_asked(world: World) -> None:
    """One that is not ready, or leaving, is not: it may be unable to answer."""
    add_pod(world, "10.0.0.3", ready=False)
    add_pod(world, "10.0.0.4", deletionTimestamp="now")
    assert verdict(world.run(TREE)) == (Verdict.RUNNING, "")
    assert calls(world) == [f"state task at {A}", f"state task at {B}"]


def test_only_where_it_does_not_run_it_is_reset(world: World) -> None:
    """Each pod is called and verified by itself; one that runs is left alone."""
    world.jaseci.states[f"task at {B}"] = ServiceState.FAILED
    assert verdict(world.run(TREE)) == (Verdict.RESET, f"was failed (in {B} of 2 pods), verified running")
    assert calls(world)[2:] == [f"reset task at {B}", f"state task at {B}"]


@pytest.mark.parametrize("other", [ServiceState.RUNNING, ServiceState.UNKNOWN])
def test_one_that_fails_again_fails_the_service(world: World, other: ServiceState) -> None:
    """By its address; what is not known of another is no reason to leave it."""
    world.jaseci.states |= {f"task at {A}": ServiceState.STOPPED, f"task at {B}": other}
    world.jaseci.outcomes[f"task at {A}"] = ServiceState.FAILED
    found, reason = verdict(world.run(TREE))
    assert found is Verdict.FAILED
    assert f"is failed after the reset: in {A} of 2 pods" in reason
    assert f"reset task at {B}" not in calls(world)


def test_one_that_is_not_known_is_not_called_running(world: World) -> None:
    """All others do."""
    world.jaseci.states[f"task at {B}"] = ServiceState.UNKNOWN
    assert verdict(world.run(TREE)) == (Verdict.UNKNOWN, f"in {B} of 2 pods")


def test_a_refusal_names_the_pod(world: World) -> None:
    """Two pods, two answers."""
    world.jaseci.states[f"task at {A}"] = ServiceState.STOPPED
    world.jaseci.outcomes[f"task at {A}"] = "no"
    assert verdict(world.run(TREE)) == (Verdict.FAILED, f"was stopped (in {A} of 2 pods); pod {A}: no")


@pytest.mark.parametrize(
    ("state", "expected"),
    [(ServiceState.RUNNING, []), (ServiceState.FAILED, [f"reset task at {B}", f"state task at {B}"])],
)
def test_a_pod_that_comes_up_meanwhile_is_verified_too(
    world: World, state: ServiceState, expected: list[str]
) -> None:
    """It was started by a scale-up in the middle of the round."""
    del world.cluster.objects[make_ref("Pod", f"jaseci-{B}")]
    world.jaseci.states |= {f"task at {A}": ServiceState.STOPPED, f"task at {B}": state}

    def come(verb: str, _: str) -> None:
        if verb == "reset":
            add_pod(world, B)

    world.hooks.after = come
    assert verdict(world.run(TREE))[0] is Verdict.RESET
    assert calls(world) == [
        f"state task at {A}",
        f"reset task at {A}",
        f"state task at {A}",
        f"state task at {B}",
        *expected,
    ]


def test_a_config_takes_effect_in_every_pod(world: World) -> None:
    """It lies in the database that they share, so it is set once; each is reset, though task runs in all."""
    applied = {"config": {"port": "2"}, "applies_config": True}
    world.jaseci.configs["task"] = {"port": "1"}
    world.run(make_tree({"task": []}, jaseci=PODS, records={"task": applied}), "c2")
    made = [line for line in world.log if line.startswith(("set", "reset"))]
    assert made == [f"set task at {A}", f"reset task at {A}", f"reset task at {B}"]


def test_a_pod_that_goes_meanwhile_is_forgotten(world: World) -> None:
    """Its process ended, so did what was wrong with it."""
    world.jaseci.states |= {f"task at {A}": ServiceState.STOPPED, f"task at {B}": ServiceState.STOPPED}
    world.jaseci.outcomes[f"task at {B}"] = "no answer"

    def go(*_: str) -> None:
        world.cluster.objects.pop(make_ref("Pod", f"jaseci-{B}"), None)

    world.hooks.after = go
    found, _ = verdict(world.run(TREE))
    assert found is Verdict.RESET


def test_without_a_ready_pod_nothing_is_known(world: World) -> None:
    """It says whom it looked for."""
    for address in (A, B):
        add_pod(world, address, ready=False)
    expected = "none of the pods of Jaseci (app=jaseci in home) is ready"
    assert verdict(world.run(TREE)) == (Verdict.UNKNOWN, expected)
    assert calls(world) == []


def test_pods_that_may_not_be_listed_are_not_known(world: World) -> None:
    """With the server's reason."""
    world.cluster.forbidden = {"Pod"}
    expected = "the pods of Jaseci (app=jaseci in home) could not be listed: Pod is forbidden"
    assert verdict(world.run(TREE)) == (Verdict.UNKNOWN, expected)


def make_slice(service: str, namespace: str, *endpoints: dict[str, Any]) -> dict[str, Any]:
    labels = {"kubernetes.io/service-name": service}
    metadata = {"name": f"{service}-x", "namespace": namespace, "labels": labels}
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": metadata,
        "endpoints": list(endpoints),
    }


def at(address: str, *, ready: bool = True) -> dict[str, Any]:
    return {"addresses": [address], "conditions": {"ready": ready}, "targetRef": {"uid": address}}


@pytest.mark.parametrize(
    ("url", "namespace", "known"),
    [
        ("http://jaseci", "home", True),
        ("http://jaseci.shop", "shop", True),
        ("http://jaseci.shop.svc:8000", "shop", True),
        ("http://jaseci.shop.svc.cluster.local", "shop", True),
        ("http://jaseci.shop.example.com", "shop", False),
        ("http://localhost:8000", "home", False),
        ("http://127.0.0.1:8000", "home", False),
        ("http://[::1]:8000", "home", False),
    ],
)
@pytest.mark.parametrize("second", [True, False])
def test_a_url_with_several_pods_behind_it_proves_nothing(
    url: str, namespace: str, *, known: bool, second: bool
) -> None:
    """A call reaches one of them; what leads out of the cluster is not known to be so."""
    world = World()
    tree = make_tree({"task": []}, jaseci=JaseciSettings(url=url, credentials=CREDENTIALS))
    world.cluster.put(make_slice("jaseci", namespace, at(A), at(B, ready=second)))
    world.jaseci.states["task"] = ServiceState.FAILED
    if known and second:
        expected = f"2 pods are behind {url}, and a call reaches one of them; "
        expected += "say jaseci.selector and jaseci.port instead of url"
        assert verdict(world.run(tree)) == (Verdict.UNKNOWN, expected)
        assert calls(world) == []
    else:
        assert verdict(world.run(tree))[0] is Verdict.RESET


def test_the_worst_answer_is_how_a_service_is() -> None:
    """What is known to be wrong before what is not known; all running is running, all disabled is disabled."""

    def combine(*states: ServiceState) -> ServiceState:
        return combine_answers({f"10.0.0.{n}": Answer(state=each) for n, each in enumerate(states)}).state

    assert combine(ServiceState.RUNNING, ServiceState.UNKNOWN, ServiceState.STOPPED) is ServiceState.STOPPED
    assert combine(ServiceState.RUNNING, ServiceState.UNKNOWN) is ServiceState.UNKNOWN
    assert combine(ServiceState.RUNNING, ServiceState.RUNNING) is ServiceState.RUNNING
    assert combine(ServiceState.DISABLED, ServiceState.DISABLED) is ServiceState.DISABLED
