"""status: how the fleet is, told from what is there, without a write."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from jsorc_gitops.errors import ClusterError, FormatError, JsorcError, RefusedError
from jsorc_gitops.model.jaseci import ServiceState
from jsorc_gitops.model.policy import ApplyPolicy
from jsorc_gitops.model.tree import Tree
from jsorc_gitops.reconcile.evidence import Status
from jsorc_gitops.reconcile.ledger import Ledger, LedgerEntry, Outcome, Pause, format_ledger
from jsorc_gitops.reconcile.ownership import Verdict
from jsorc_gitops.reconcile.status import ServiceStatus, TreeStatus, read_status
from jsorc_gitops.reconcile.status_fields import NOTHING, find_held
from jsorc_gitops.reconcile.status_json import make_document
from jsorc_gitops.reconcile.status_lease import Holding
from jsorc_gitops.reconcile.status_objects import Standing
from jsorc_gitops.reconcile.status_text import LINES, PLAIN, format_status
from tests.reconcile.builders import (
    HOME,
    Body,
    make_body,
    make_config_map,
    make_deployment,
    make_entry,
    make_live,
    make_manifest,
    make_ref,
    make_tree,
    own_entry,
)
from tests.reconcile.hooks import Killed
from tests.reconcile.schema import check_status
from tests.reconcile.world import World

C1, C2 = "1" * 40, "2" * 40
WEB = make_deployment("redis", service="redis")
MAP = make_config_map("redis", service="redis")
TREE = make_tree({"redis": [WEB, MAP], "task": [make_config_map("task", service="task")]})
WEB_REF = make_ref("Deployment", "redis", group="apps")
MAP_REF = make_ref("ConfigMap", "redis")
LEASE = make_body("Lease", "jsorc.default", apiVersion="coordination.k8s.io/v1")


@pytest.fixture
def world() -> World:
    """TREE was applied from C1, and all of it works."""
    world = World()
    world.history.commits = [C1, C2]
    world.run(TREE, C1)
    return world


def read(
    world: World,
    tree: Tree = TREE,
    revision: str = C1,
    *,
    services: Sequence[str] = (),
    apart: tuple[int, int] | None = (1, 0),
    jaseci: bool = True,
) -> TreeStatus:
    """The status, which is as docs/json.md says, and took nothing but reading."""
    world.log.clear()
    doors = world.doors(jaseci=jaseci)
    status = read_status(
        tree, revision, doors, count_apart=lambda *_: apart, read_at=lambda _: None, services=services
    )
    assert {line.split()[0] for line in world.log} <= {"get", "list", "events", "log", "state"}
    check_status(json.loads(json.dumps(make_document(status))))
    return status


def tell(status: TreeStatus, *, verbose: bool = False) -> list[str]:
    return [f"{each.guide}{each.text}" for each in format_status(status, verbose=verbose, guides=LINES)]


def find(status: TreeStatus, name: str) -> ServiceStatus:
    [service] = [each for each in status.services if each.name == name]
    return service


def stand(status: TreeStatus, name: str = "redis") -> dict[str, tuple[Standing, str]]:
    """How each object of a service stands, and why, but for records."""
    return {
        str(each.ref): (each.standing, each.reason)
        for each in find(status, name).objects
        if not each.ref.name.startswith("jsorc.")
    }


def remember(world: World, **entries: LedgerEntry) -> None:
    ledger = replace(world.ledger(), entries={**world.ledger().entries, **entries})
    world.cluster.put(format_ledger(ledger, tree="default", namespace=HOME))


def test_all_is_well(world: World) -> None:
    """A line for each service, and none below it."""
    status = read(world)
    assert tell(status) == [
        f"default at {C1[:12]}, applied; https://the-cluster:6443; lease never held",
        "├─ tree: 1 object as in git",
        "├─ redis: current, Jaseci running, 3 objects as in git",
        "└─ task: Jaseci running, 2 objects as in git",
        f"2 services, 6 objects ({status.requests} requests to Kubernetes, {status.jaseci_requests} to Jaseci)",
    ]
    assert status.exit_code == 0


def test_every_object(world: World) -> None:
    """Verbose names those, too, that are as they should be."""
    assert tell(read(world), verbose=True)[3:7] == [
        "├─ redis: current, Jaseci running, 3 objects as in git",
        f"│  ├─ ConfigMap/{HOME}/jsorc.record.default.redis: as applied",
        f"│  ├─ ConfigMap/{HOME}/redis: as applied",
        f"│  └─ Deployment/{HOME}/redis: current, 1 pod ready",
    ]


def test_never_applied() -> None:
    """Before the first pass, also where the home namespace is not there yet."""
    world = World()
    world.cluster.objects.clear()
    status = read(world)
    assert (status.applied, status.lease.holding, status.exit_code) == ("", Holding.FREE, 6)
    assert tell(status)[0].startswith(f"default at {C1[:12]}, never applied; ")
    assert {each for each, _ in stand(status).values()} == {Standing.NEW}


def test_of_many_alike_the_number_is_told() -> None:
    """What is the same for more than five objects of a service is one line; verbose it is one for each."""
    world = World()
    tree = make_tree({"redis": [make_config_map(f"map-{number}", service="redis") for number in range(6)]})
    status = read(world, tree)
    assert "   └─ 7 objects: not applied yet" in tell(status)
    assert len(tell(status, verbose=True)) == len(tell(status)) + 6


@pytest.mark.parametrize(
    ("revision", "apart", "told"),
    [
        (C1, (5, 5), "applied;"),
        (C2, (3, 0), f"3 commits ahead of {C1[:12]}, which was applied last and says the same of these objects;"),
        (C2, (0, 1), f"1 commit behind {C1[:12]}, which was applied last and says the same of these objects;"),
        (C2, (1, 2), f"1 commit ahead of and 2 commits behind {C1[:12]}, which was applied last and says"),
        (C2, None, f"{C1[:12]} was applied last, which this clone does not know;"),
    ],
)
def test_the_commit(world: World, revision: str, apart: tuple[int, int] | None, told: str) -> None:
    """How far HEAD is from what was applied last; counted only where they differ."""
    assert tell(read(world, revision=revision, apart=apart))[0].startswith(f"default at {revision[:12]}, {told}")


def test_a_commit_that_says_something_else(world: World) -> None:
    """What it adds, changes and removes; data is told to be kept."""
    claim = make_body("PersistentVolumeClaim", "data", service="redis", spec={})
    old = make_tree({"redis": [WEB, MAP, claim]})
    world.run(old, C1)
    new = make_tree({"redis": [make_deployment("redis", service="redis", image="image:2")], "web": []})
    status = read(world, new, C2)
    assert stand(status) == {
        str(WEB_REF): (Standing.OUTDATED, ""),
        str(MAP_REF): (Standing.REMOVED, "to be pruned"),
        f"PersistentVolumeClaim/{HOME}/data": (Standing.REMOVED, "to be let go of, and kept"),
    }
    assert [each.standing for each in find(status, "web").objects] == [Standing.NEW]
    assert ", which was applied last;" in tell(status)[0]
    assert status.exit_code == 6


def test_a_service_that_left_git(world: World) -> None:
    """It is there as long as its objects are, and can be asked for."""
    status = read(world, make_tree({"redis": [WEB, MAP]}), C2, services=["task"])
    assert tell(status)[1:-1] == [
        "└─ task: no longer in git, 2 objects still there",
        f"   ├─ ConfigMap/{HOME}/jsorc.record.default.task: no longer in git (to be pruned)",
        f"   └─ ConfigMap/{HOME}/task: no longer in git (to be pruned)",
    ]


def test_a_service_that_is_not_kept_alive(world: World) -> None:
    """Its objects are neither applied nor pruned, so neither they nor Jaseci are looked at."""
    asleep = make_tree({"redis": [WEB]}, records={"redis": {"keep_alive": False}})
    status = read(world, asleep, C2)
    assert stand(status) == {}
    assert "state redis" not in world.log
    assert "├─ redis: not kept alive, 1 of 1 object not as in git" in tell(status)


def test_drift(world: World) -> None:
    """Who changed which field, and what becomes of it; seen without a dry-run."""
    world.cluster.edit(WEB_REF, ("spec", "replicas"), 3)
    world.cluster.edit(MAP_REF, ("data", "key"), "other", manager="operator")
    status = read(world)
    assert stand(status) == {str(WEB_REF): (Standing.CHANGED, ""), str(MAP_REF): (Standing.CHANGED, "")}
    lines = tell(status)
    assert "│  │  └─ held by others: .data.key (operator, a pass would refuse it)" in lines
    assert "│     └─ held by others: .spec.replicas (kubectl-edit, to be taken back)" in lines
    assert status.exit_code == 6


def test_what_an_autoscaler_has(world: World) -> None:
    """It is changed until a pass has left it to the autoscaler, and told from then on."""
    world.cluster.edit(WEB_REF, ("spec", "replicas"), 3, manager="kube-controller-manager", subresource="scale")
    before = read(world)
    world.run(TREE, C1)
    after = read(world)
    field = "held by others: .spec.replicas (kube-controller-manager, scale, left to it)"
    assert [stand(each)[str(WEB_REF)][0] for each in (before, after)] == [Standing.CHANGED, Standing.APPLIED]
    assert [field in "\n".join(tell(each)) for each in (before, after)] == [True, True]
    assert after.exit_code == 0


def test_what_service_yaml_says_of_a_field(world: World) -> None:
    """It counts more than whose hand it was."""
    policy = ApplyPolicy(conflicts={".spec.replicas": "yield"})
    tree = make_tree({"redis": [WEB, MAP]}, records={"redis": {"policy": policy}})
    world.run(tree, C1)
    world.cluster.edit(WEB_REF, ("spec", "replicas"), 3)
    assert "replicas (kubectl-edit, left to it)" in "\n".join(tell(read(world, tree)))


def test_fields_that_were_given_up(world: World) -> None:
    """A fight that jsorc has lost is told for as long as it is lost."""
    for _ in range(5):
        world.cluster.edit(MAP_REF, ("data", "key"), "other")
        world.run(TREE, C1)
    assert "held by others: .data.key (kubectl-edit, left to it)" in "\n".join(tell(read(world)))


def test_extra_fields(world: World) -> None:
    """What others added, the first five by name; not status, nor what Kubernetes itself adds."""
    for number in range(7):
        world.cluster.edit(MAP_REF, ("data", f"more-{number}"), "x", manager="operator")
    world.cluster.edit(WEB_REF, ("metadata", "annotations"), {"a": "1"}, manager="kube-controller-manager")
    world.cluster.edit(WEB_REF, ("metadata", "labels", "b"), "2", manager="somebody", subresource="status")
    status = read(world)
    assert stand(status) == {str(WEB_REF): (Standing.APPLIED, ""), str(MAP_REF): (Standing.APPLIED, "")}
    told = [each for each in tell(status) if "extra" in each]
    names = ", ".join(f".data.more-{number} (operator)" for number in range(5))
    assert told == [f"│     └─ extra: {names} and 2 more"]
    assert status.exit_code == 0


def test_many_extra_fields(world: World) -> None:
    """JSON names a hundred, and counts them all."""
    for number in range(101):
        world.cluster.edit(MAP_REF, ("data", f"more-{number}"), "x", manager="operator")
    [found] = [each for each in find(read(world), "redis").objects if each.ref == MAP_REF]
    assert len(found.held.extra) == 101
    [extra] = [
        each["extra"]
        for service in make_document(read(world))["services"]
        for each in service["objects"]
        if each["object"] == MAP_REF._asdict()
    ]
    assert (extra["total"], len(extra["fields"])) == (101, 100)


def test_a_secret_is_never_shown(world: World) -> None:
    """Its fields are named; neither what git says nor what somebody else wrote is told."""
    secret = make_body("Secret", "redis", service="redis", data={"password": "cGxhbnRlZA=="})
    tree = make_tree({"redis": [secret]})
    world.run(tree, C1)
    ref = make_ref("Secret", "redis")
    world.cluster.edit(ref, ("data", "password"), "c2VjcmV0bHk=")
    world.cluster.edit(ref, ("data", "token"), "aGlkZGVu")
    world.cluster.edit(ref, ("metadata", "annotations"), {"copy": "cGxhbnRlZA=="})
    status = read(world, tree)
    told = "\n".join([*tell(status, verbose=True), json.dumps(make_document(status)), repr(status)])
    assert all(each in told for each in (".data.password (kubectl-edit", ".data.token (kubectl-edit"))
    assert [each for each in ("cGxhbnRlZA", "c2VjcmV0bHk", "aGlkZGVu") if each in told] == []


def test_what_is_gone_or_going(world: World) -> None:
    """Deleted by somebody, or about to be."""
    del world.cluster.objects[MAP_REF]
    live = world.cluster.objects[WEB_REF]
    world.cluster.objects[WEB_REF] = {
        **live,
        "metadata": {**live["metadata"], "deletionTimestamp": "2026-11-23T12:00:00Z"},
    }
    status = read(world)
    assert stand(status) == {str(WEB_REF): (Standing.DELETING, ""), str(MAP_REF): (Standing.MISSING, "")}
    assert f"│  ├─ ConfigMap/{HOME}/redis: deleted since it was applied" in tell(status)


def test_what_is_not_ours() -> None:
    """An object that was there before is told, with what would take it over."""
    world = World()
    world.cluster.put(MAP, manager="kubectl-create")
    standing, reason = stand(read(world))[str(MAP_REF)]
    assert standing is Standing.FOREIGN
    assert "its fields are set by kubectl-create" in reason
    assert [each for each in tell(read(world)) if "held by others" in each or "extra" in each] == []


def test_what_flux_applies(world: World) -> None:
    """It is left alone, with who keeps it."""
    flux = "kustomize.toolkit.fluxcd.io"
    world.cluster.served.add((f"{flux}/v1", "Kustomization"))
    kept = {"inventory": {"entries": [{"id": f"{HOME}_redis__ConfigMap"}]}}
    world.cluster.put(make_body("Kustomization", "app", apiVersion=f"{flux}/v1", status=kept))
    labels = {**MAP["metadata"]["labels"], f"{flux}/name": "app", f"{flux}/namespace": HOME}
    world.cluster.put({**MAP, "metadata": {**MAP["metadata"], "labels": labels}}, manager="kustomize-controller")
    status = read(world)
    assert stand(status)[str(MAP_REF)] == (Standing.KEPT, f"Kustomization {HOME}/app applies it")
    assert status.exit_code == 0


def test_where_flux_is(world: World) -> None:
    """That is told by who applies the tree; who else keeps one of its objects may be at another commit."""
    flux = "kustomize.toolkit.fluxcd.io"
    world.cluster.served.add((f"{flux}/v1", "Kustomization"))
    tree = replace(TREE, settings=replace(TREE.settings, applier="flux"))
    for ref, manifest in tree.manifests.items():
        name, commit = ("theirs", C2) if ref == MAP_REF else ("app", C1)
        labels = {**manifest.body["metadata"]["labels"], f"{flux}/name": name, f"{flux}/namespace": HOME}
        marked = {**manifest.body, "metadata": {**manifest.body["metadata"], "labels": labels}}
        world.cluster.put(marked, manager="kustomize-controller")
        entries = [{"id": f"{each.namespace}_{each.name}_{each.group}_{each.kind}"} for each in tree.manifests]
        status = {"inventory": {"entries": entries}, "lastAppliedRevision": f"main@sha1:{commit}"}
        world.cluster.put(make_body("Kustomization", name, apiVersion=f"{flux}/v1", spec={}, status=status))
    assert read(world, tree).applied == C1


def test_a_namespace_of_somebody_else(world: World) -> None:
    """The tree needs it and it is there, which is all; nothing is to be told."""
    home = make_body("Namespace", HOME, namespace="")
    assert tell(read(world, make_tree({"redis": [WEB, MAP]}, shared=[home])))[1] == "├─ tree: 1 object as in git"


def test_what_a_killed_pass_left(world: World) -> None:
    """What it may have made is told as pending, be it there or not."""
    world.kill_at(2, done=False)
    new = make_tree({"redis": [WEB, MAP, make_config_map("new", service="redis")]})
    with pytest.raises(Killed):
        world.run(new, C2)
    status = read(world, new, C2)
    assert stand(status)[f"ConfigMap/{HOME}/new"] == (
        Standing.PENDING,
        "create was begun, and is not finished",
    )
    assert ", not all of it settled" in tell(status)[0]


def test_what_could_not_be_read(world: World) -> None:
    """It is told by name, the rest as well as ever, and the exit code that may be asked for is 1."""
    world.cluster.forbidden.add("Deployment")
    status = read(world)
    assert stand(status)[str(WEB_REF)][0] is Standing.UNREAD
    assert stand(status)[str(MAP_REF)][0] is Standing.APPLIED
    assert status.errors == (f"Deployment in {HOME} could not be read: Deployment is forbidden",)
    assert status.exit_code == 1
    assert "├─ redis: Jaseci running, 1 object not known, 2 objects as in git" in tell(status)


def test_a_workload_that_fails(world: World) -> None:
    """The service has its worst verdict; the exit code that may be asked for is that of a pass."""
    [pod] = [ref for ref in world.cluster.objects if ref.kind == "Pod"]
    waiting = {"name": "main", "state": {"waiting": {"reason": "InvalidImageName"}}}
    early = "2026-11-23T11:00:00Z"
    scheduled = {"type": "PodScheduled", "status": "True", "lastTransitionTime": early}
    world.cluster.objects[pod]["status"] = {"conditions": [scheduled], "containerStatuses": [waiting]}
    world.cluster.objects[pod]["metadata"]["creationTimestamp"] = early
    status = read(world)
    assert find(status, "redis").health is Status.FAILED
    assert any(re.match(f"│  └─ Deployment/{HOME}/redis: failed, .*image", each) for each in tell(status))
    assert tell(status)[2].startswith("├─ redis: failed, Jaseci running, ")
    assert status.exit_code == 4


@pytest.mark.parametrize(
    ("state", "failing"),
    [
        (ServiceState.RUNNING, False),
        (ServiceState.DISABLED, False),
        (ServiceState.STOPPED, True),
        (ServiceState.FAILED, True),
        (ServiceState.UNKNOWN, True),
    ],
)
def test_what_jaseci_says(world: World, state: ServiceState, *, failing: bool) -> None:
    """Each service is asked about once, whatever its pods do, and nothing is reset."""
    world.jaseci.states["redis"] = state
    del world.cluster.objects[WEB_REF]
    status = read(world)
    assert [line for line in world.log if line.startswith("state")] == ["state redis", "state task"]
    assert find(status, "redis").is_failing is failing
    assert f"├─ redis: Jaseci {state}, 1 of 3 objects not as in git" in tell(status)
    assert tell(status)[-1].startswith(f"2 services, {'1 failing, ' if failing else ''}6 objects, 1 not as in")
    assert status.exit_code == (4 if failing else 6)


def test_without_jaseci(world: World) -> None:
    """Where none is configured nothing is asked, and nothing is told of it."""
    assert "├─ redis: current, 3 objects as in git" in tell(read(world, jaseci=False))


def test_resets(world: World) -> None:
    """The last one with its reason, how many failed in a row, why the next is due, and before when it is not."""
    at = world.clock.time.isoformat()
    remember(
        world,
        redis=LedgerEntry(outcome=Outcome.FAILED, reason="was failed", at=at, failures=4, due="new pods"),
        task=LedgerEntry(outcome=Outcome.DONE, reason="was stopped, verified running", at=at),
    )
    world.clock.time += timedelta(seconds=20)
    assert tell(read(world))[2:-1] == [
        "├─ redis: current, Jaseci running, 3 objects as in git",
        f"│  ├─ last reset failed, 4 in a row, 21 s ago ({at}): was failed",
        "│  ├─ to be reset: new pods",
        f"│  └─ next reset not before {datetime.fromisoformat(at) + timedelta(seconds=160):%H:%M:%S} UTC",
        "└─ task: Jaseci running, 2 objects as in git",
        f"   └─ last reset done, 21 s ago ({at}): was stopped, verified running",
    ]


@pytest.mark.parametrize("at", ["2026-11-23T10:00:00+00:00", "2026-11-23T18:00:00+00:00"])
def test_a_reset_that_may_be_repeated(world: World, at: str) -> None:
    """When the time is over, or was written by a clock that went wrong, none is told."""
    remember(world, redis=LedgerEntry(outcome=Outcome.FAILED, reason="was failed", at=at, failures=4))
    assert find(read(world), "redis").next_reset is None


@pytest.mark.parametrize("until", ["", "2026-11-23T13:00:00+00:00"])
def test_a_pause(world: World, until: str) -> None:
    """Why and until when; it fails no check, and its objects are told all the same."""
    remember(
        world, redis=LedgerEntry(pause=Pause(reason="an incident", since="2026-11-23T11:00:00Z", until=until))
    )
    world.jaseci.states["redis"] = ServiceState.FAILED
    del world.cluster.objects[MAP_REF]
    status = read(world)
    end = f" until {until}" if until else ""
    assert f"├─ redis: paused{end} (an incident), current, Jaseci failed, 1 of 3 objects not as in git" in tell(
        status
    )
    assert tell(status)[-1].startswith("2 services, 1 paused, 6 objects, 1 not as in git (")
    assert status.exit_code == 0


def test_a_pause_that_is_over(world: World) -> None:
    """It is told no more."""
    pause = Pause(reason="an incident", since="2026-11-23T11:00:00Z", until="2026-11-23T11:30:00+00:00")
    remember(world, redis=LedgerEntry(pause=pause))
    assert find(read(world), "redis").pause is None


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({}, "lease never held"),
        ({"holderIdentity": "", "renewTime": "2026-11-23T12:00:00.5Z"}, "lease free, given back 9 s ago"),
        (
            {
                "holderIdentity": "laptop",
                "acquireTime": "2026-11-23T11:00:00Z",
                "renewTime": "2026-11-23T12:00:08Z",
            },
            "lease held by laptop for 60 min, renewed 2 s ago",
        ),
        (
            {"holderIdentity": "laptop", "renewTime": "2026-11-23T11:59:54Z"},
            "lease stale: held by laptop, last renewed 16 s ago",
        ),
        (
            # The holder's clock is ahead of ours.
            {"holderIdentity": "laptop", "renewTime": "2026-11-23T12:30:00Z"},
            "lease held by laptop for 0 s, renewed 0 s ago",
        ),
        ({"holderIdentity": "laptop", "renewTime": "today"}, "lease unknown: its times cannot be read"),
    ],
)
def test_the_lease(world: World, spec: Body, told: str) -> None:
    """Who holds it, and whether it is renewed; read, never waited for."""
    world.cluster.put({**LEASE, "spec": {"leaseDurationSeconds": 15, **spec}})
    world.clock.time = datetime.fromisoformat("2026-11-23T12:00:09Z")
    assert tell(read(world))[0].endswith(f"; {told}")


def test_a_lease_that_may_not_be_read(world: World) -> None:
    """All else is told."""
    world.hooks.before = lambda _, what: ClusterError("no right", status=403) if "Lease" in what else None
    status = read(world)
    assert tell(status)[0].endswith("; lease unknown: no right")
    assert find(status, "redis").health is Status.CURRENT


def test_services_by_name(world: World) -> None:
    """Of those named alone, with no more requests than that takes; one that nobody knows is refused."""
    status = read(world, services=["task"])
    assert [each.name for each in status.services] == ["task"]
    assert not [line for line in world.log if "Deployment" in line or "Pod" in line or "redis" in line]
    with pytest.raises(JsorcError, match="no service web in tree default; it has redis, task"):
        read(world, services=["task", "web"])


def test_how_many_requests(world: World) -> None:
    """As many as a pass with nothing to do needs, but for those of the Lease: one GET."""
    report = world.run(TREE, C1)
    passed = [line for line in world.log if line.split()[0] in {"get", "list", "dry-run"}]
    status = read(world)
    looked = [line for line in world.log if line.split()[0] in {"get", "list"}]
    assert looked == [*passed[:2], f"get Lease/{HOME}/jsorc.default", *passed[2:]]
    assert (status.requests, status.jaseci_requests) == (world.cluster.requests, world.jaseci.requests)
    assert report.exit_code == 0


def test_a_newer_state(world: World) -> None:
    """One clear error, as of a pass."""
    ref = make_ref("ConfigMap", "jsorc.state.default")
    summary = json.loads(world.cluster.objects[ref]["data"]["state.json"])
    world.cluster.objects[ref]["data"] = {"state.json": json.dumps({**summary, "version": 99})}
    with pytest.raises(FormatError, match="version 99, this jsorc reads up to 2; use a newer jsorc"):
        read(world)


def test_another_cluster(world: World) -> None:
    """What another cluster holds says nothing of this tree."""
    world.cluster.put(make_body("Namespace", "kube-system", namespace=""))
    with pytest.raises(RefusedError, match=r"but jsorc.yaml has `cluster: other`"):
        read(world, make_tree({"redis": [WEB]}, cluster="other"))


def test_switched_off(world: World) -> None:
    """A pass does nothing then, which is told besides."""
    status = read(world, make_tree({"redis": [WEB, MAP]}, enabled=False))
    assert tell(status)[-2] == "warning: enabled is false in jsorc.yaml: a pass does nothing"


def test_terminals_that_have_no_lines(world: World) -> None:
    """The tree can be drawn in ASCII."""
    lines = [each.guide for each in format_status(read(world), verbose=True, guides=PLAIN)]
    assert lines[1:5] == ["|- ", "|  `- ", "|- ", "|  |- "]


def test_the_ledger_of_nobody(world: World) -> None:
    """What it has of services that are gone is passed over."""
    world.cluster.put(format_ledger(Ledger(), tree="default", namespace=HOME))
    remember(world, gone=LedgerEntry(outcome=Outcome.DONE, reason="r", at="2026-11-23T12:00:00+00:00"))
    assert [each.name for each in read(world).services] == ["", "redis", "task"]


def test_scaled_replicas_that_git_does_not_set() -> None:
    """They are the autoscaler's, though it is a part of Kubernetes."""
    spec = {key: value for key, value in WEB["spec"].items() if key != "replicas"}
    entry = make_entry("kube-controller-manager", {"f:spec": {"f:replicas": {}}}, subresource="scale")
    live = make_live(WEB, own_entry({}), entry)
    held = find_held(make_manifest({**WEB, "spec": spec}), live, ApplyPolicy(), yielded=())
    assert [(each.path, each.subresource) for each in held.extra] == [(".spec.replicas", "scale")]


def test_fields_that_we_share() -> None:
    """Who says the same as git takes nothing from us."""
    fields: Body = {"f:data": {"f:key": {}}}
    live = make_live(MAP, own_entry(fields), make_entry("operator", fields))
    assert find_held(make_manifest(MAP), live, ApplyPolicy(), yielded=()) == NOTHING


def test_a_field_that_was_given_up_and_left() -> None:
    """It is still given up when whoever it was left to does not have it any more."""
    live = make_live(MAP, own_entry({}))
    [field] = find_held(make_manifest(MAP), live, ApplyPolicy(), yielded=[("f:data", "f:key")]).contested
    assert (field.path, field.manager, field.verdict) == (".data.key", "", Verdict.YIELD)


def test_a_list_item_of_somebody_else() -> None:
    """A container that was added whole is named, its fields are not."""
    names: dict[str, Any] = {"f:name": {}, "f:image": {}}
    proxy = {'k:{"name":"proxy"}': {".": {}, **names}, 'k:{"name":"main"}': {"f:stdin": {}}}
    fields = {"f:spec": {"f:template": {"f:spec": {"f:containers": proxy}}}}
    live = make_live(WEB, own_entry({}), make_entry("injector", fields))
    held = find_held(make_manifest(WEB), live, ApplyPolicy(), yielded=())
    where = ".spec.template.spec.containers"
    assert [each.path for each in held.extra] == [f'{where}[name="main"].stdin', f'{where}[name="proxy"]']
    assert held.contested == ()
