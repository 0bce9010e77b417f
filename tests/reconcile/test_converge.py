"""converge: a pass from tree to report, its order, and what it leaves alone."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from jsorc_gitops.errors import ClusterError
from jsorc_gitops.model.jaseci import ServiceState
from jsorc_gitops.reconcile.plan import Action
from jsorc_gitops.reconcile.ports import Options
from jsorc_gitops.reconcile.report import Report
from jsorc_gitops.reconcile.resets import Verdict
from tests.reconcile.builders import HOME, make_body, make_config_map, make_ref, make_tree
from tests.reconcile.hooks import Killed
from tests.reconcile.trees import REDIS, REDIS_ALONE, TASK, TREE, WITH_HOME, actions
from tests.reconcile.world import World


def test_the_first_pass_in_order(world: World) -> None:
    """Lease, state, observation, superset, dry-runs, writes, exact state, health, resets, lease given back."""
    world.jaseci.states = {"redis": ServiceState.STOPPED}
    world.run(REDIS_ALONE)
    log = [line for line in world.log if line.split()[0] not in {"get", "list"} and "jsorc.record" not in line]
    assert log == [
        "lease acquire",
        "lease check",
        "create ConfigMap/home/jsorc.state.default",
        "dry-run ConfigMap/home/jsorc.settings.default",
        "dry-run ConfigMap/home/redis",
        "dry-run Deployment/home/redis",
        "lease check",
        "apply ConfigMap/home/jsorc.settings.default",
        "apply ConfigMap/home/redis",
        "apply Deployment/home/redis",
        "lease check",
        "replace ConfigMap/home/jsorc.state.default",
        "state redis",
        "lease check",
        "create ConfigMap/home/jsorc.ledger.default",
        "reset redis",
        "state redis",
        "lease check",
        "replace ConfigMap/home/jsorc.ledger.default",
        "lease release",
    ]


def test_the_first_pass_reports_all_it_did(world: World) -> None:
    """Every object created, the workload healthy, the services running."""
    report = world.run(TREE)
    assert set(actions(report).values()) == {Action.CREATE}
    assert [(name, health.message) for name, health in report.healths] == [("redis", "1 pod ready")]
    assert [(each.service, each.verdict) for each in report.services] == [
        ("redis", Verdict.RUNNING),
        ("task", Verdict.RUNNING),
    ]
    assert report.exit_code == 0


def test_a_pass_with_nothing_to_do_writes_nothing_and_asks_by_kind(world: World) -> None:
    """One LIST a kind, one for the pods, state and ledger, discovery; no dry-run, no single object."""
    world.run(TREE)
    before = world.cluster.requests
    report = world.run(TREE)
    assert sorted(world.log) == sorted(
        [
            "lease acquire",
            "get ConfigMap/home/jsorc.state.default",
            "get ConfigMap/home/jsorc.ledger.default",
            "list ConfigMap",
            "list Deployment",
            "list Pod",
            "state redis",
            "state task",
            "lease check",
            "lease release",
        ]
    )
    assert world.cluster.requests - before == 7
    assert set(actions(report).values()) == {Action.UNCHANGED}


def test_a_new_commit_that_changes_nothing_writes_nothing(world: World) -> None:
    """Most commits are about something else."""
    world.run(TREE, "c1")
    world.run(TREE, "c2")
    assert world.writes == []


def test_drift_is_taken_back_and_the_hand_named(world: World) -> None:
    """One object is asked about and written; the others stay."""
    world.run(TREE)
    world.cluster.edit(make_ref("Deployment", "redis", group="apps"), ("spec", "replicas"), 3)
    report = world.run(TREE)
    (change,) = next(each.changes for each in report.objects if each.action is Action.CONFIGURE)
    assert (change.path, change.before, change.after, change.by) == (".spec.replicas", 3, 1, "kubectl-edit")
    assert world.writes == ["apply Deployment/home/redis", "replace ConfigMap/home/jsorc.state.default"]


def test_what_an_autoscaler_scaled_is_yielded(world: World) -> None:
    """Its field is left out; the next pass has nothing to do."""
    world.run(TREE)
    ref = make_ref("Deployment", "redis", group="apps")
    world.cluster.edit(ref, ("spec", "replicas"), 3, manager="kube-controller-manager", subresource="scale")
    world.run(TREE)
    world.run(TREE)
    assert world.cluster.objects[ref]["spec"]["replicas"] == 3
    assert world.writes == []


def test_a_service_that_left_the_tree_is_pruned(world: World) -> None:
    """Its record too; the state forgets them."""
    world.run(TREE, "c1")
    report = world.run(REDIS_ALONE, "c2")
    assert world.names("ConfigMap") == ["redis"]
    assert [str(each.ref) for each in report.objects if each.action is Action.PRUNE] == [
        "ConfigMap/home/task",
        "ConfigMap/home/jsorc.record.default.task",
    ]
    assert set(world.state().entries) == set(REDIS_ALONE.manifests)


def test_what_is_not_kept_alive_is_left_as_it_is(world: World) -> None:
    """Neither applied nor pruned nor reset; but its record, which says so, is applied."""
    world.run(TREE)
    world.cluster.edit(make_ref("ConfigMap", "task"), ("data", "key"), "by hand")
    world.jaseci.states = {"task": ServiceState.STOPPED}
    tree = make_tree({"redis": REDIS, "task": TASK}, records={"task": {"keep_alive": False}})
    report = world.run(tree, "c2")
    assert world.cluster.objects[make_ref("ConfigMap", "task")]["data"] == {"key": "by hand"}
    assert world.writes == [
        "apply ConfigMap/home/jsorc.record.default.task",
        "replace ConfigMap/home/jsorc.state.default",
    ]
    assert [each.service for each in report.services] == ["redis"]
    assert not any(line.endswith("task") and line.startswith("state") for line in world.log)


def test_not_enabled_asks_nothing(world: World) -> None:
    """Nobody: not the API server, not Jaseci; not even the lease is taken."""
    report = world.run(make_tree({"redis": REDIS}, enabled=False))
    assert (world.log, world.cluster.requests, report.exit_code) == ([], 0, 0)
    assert report.warnings == ("enabled is false in jsorc.yaml: nothing is done",)


def test_without_a_jaseci_server_objects_are_applied_all_the_same(world: World) -> None:
    """There are no services to speak of."""
    report = world.run(TREE, jaseci=False)
    assert (report.services, report.exit_code) == ((), 0)


def test_the_home_namespace_is_made_by_the_first_pass(world: World) -> None:
    """Before the lease, which lies in it; from then on it is an object like any other."""
    world.cluster.objects.clear()
    report = world.run(WITH_HOME)
    assert world.log[:3] == ["lease acquire", "apply Namespace/home", "lease acquire"]
    assert report.exit_code == 0
    assert actions(report)["Namespace/home"] is Action.CREATE
    world.run(WITH_HOME)
    assert world.writes == []


def test_the_home_namespace_that_a_killed_pass_made_is_ours(world: World) -> None:
    """It carries our mark from its first moment, so that it is neither refused nor reported as taken over."""
    world.cluster.objects.clear()
    world.kill_at(0, done=True)
    with pytest.raises(Killed):
        world.run(WITH_HOME)
    world.survive()
    assert actions(world.run(WITH_HOME))["Namespace/home"] is Action.UNCHANGED


def test_a_first_pass_warns_of_nothing(world: World) -> None:
    """There is no other home."""
    assert world.run(REDIS_ALONE).warnings == ()


def test_a_home_namespace_that_is_not_in_the_tree_is_not_made(world: World) -> None:
    """It is somebody else's to make, or the settings are wrong."""
    world.cluster.objects.clear()
    with pytest.raises(ClusterError, match="not found"):
        world.run(REDIS_ALONE)
    assert world.writes == []


def test_what_existed_before_is_refused_with_its_service(world: World) -> None:
    """Its other objects stay away, too; the other service comes."""
    world.cluster.put(make_config_map("redis", service="redis"))
    report = world.run(TREE)
    assert (report.exit_code, world.names("Deployment"), world.names("ConfigMap")) == (1, [], ["redis", "task"])


def test_what_existed_before_is_adopted_on_demand(world: World) -> None:
    """--adopt; its fields are ours from then on."""
    world.cluster.put(make_config_map("redis", key="theirs"))
    report = world.run(TREE, options=Options(adopt=True))
    assert actions(report)["ConfigMap/home/redis"] is Action.ADOPT
    assert world.cluster.objects[make_ref("ConfigMap", "redis")]["data"] == {"key": "value"}
    world.run(TREE)
    assert world.writes == []


def test_lost_state_is_built_again_from_the_marks(world: World) -> None:
    """Nothing is created twice, nothing refused."""
    world.run(TREE)
    del world.cluster.objects[make_ref("ConfigMap", "jsorc.state.default")]
    report = world.run(TREE)
    assert report.exit_code == 0
    assert set(world.state().entries) == set(TREE.manifests)
    world.run(TREE)
    assert world.writes == []


def test_what_a_pass_waits_for_is_told(world: World) -> None:
    """Definitions to be established, Jaseci to answer and to reset; a calm pass waits for Jaseci alone."""
    spec = {"group": "example.com", "names": {"kind": "Queue"}}
    name = "CustomResourceDefinition"
    definition = {**make_body(name, "queues.example.com", namespace="", service="redis"), "spec": spec}
    tree = make_tree({"redis": [*REDIS, {**definition, "apiVersion": "apiextensions.k8s.io/v1"}]})
    world.jaseci.states = {"redis": ServiceState.STOPPED}

    world.run(tree)
    told, world.waits = world.waits, []
    world.run(tree)

    ask = "Jaseci to tell the state of redis"
    assert told == [f"{name}/queues.example.com to be established", ask, "Jaseci to reset redis", ask]
    assert world.waits == [ask]


def add_up(parts: Sequence[Report]) -> Report:
    """One report of all that the parts tell."""
    return Report(
        revision="",
        objects=tuple(each for part in parts for each in part.objects),
        healths=tuple(each for part in parts for each in part.healths),
        services=tuple(each for part in parts for each in part.services),
        warnings=tuple(each for part in parts for each in part.warnings),
        errors=tuple(each for part in parts for each in part.errors),
    )


@pytest.mark.parametrize("dry_run", [False, True], ids=["pass", "dry-run"])
def test_all_that_a_report_has_was_told_once(world: World, *, dry_run: bool) -> None:
    """A first pass that makes its own home, one with changes, refusals and resets, one that is switched off."""
    del world.cluster.objects[make_ref("Namespace", HOME, namespace="")]
    world.jaseci.states = {"redis": ServiceState.STOPPED}
    passes = [
        WITH_HOME,
        TREE,
        make_tree({"redis": [*REDIS, make_config_map("theirs", service="redis")]}, records={"gone": {}}),
        replace(TREE, settings=replace(TREE.settings, enabled=False)),
    ]
    world.cluster.put(make_config_map("theirs"))

    for number, tree in enumerate(passes):
        if dry_run:
            world.run(tree, f"c{number + 1}", Options(dry_run=True))
        report = world.run(tree, f"c{number + 1}", Options(dry_run=dry_run))
        bare = replace(report, revision="", tree="", server="", dry_run=False, requests=0, jaseci_requests=0)
        assert add_up(world.told) == bare


def test_what_was_done_is_told_before_the_next_stage(world: World) -> None:
    """A pass that dies in a later stage has told what earlier ones came to."""
    world.hooks.before = lambda verb, what: _die() if (verb, what) == ("apply", "ConfigMap/home/redis") else None
    home = make_body("Namespace", "other", namespace="")

    with pytest.raises(Killed):
        world.run(make_tree({"redis": REDIS}, shared=[home]))

    assert [str(each.ref) for part in world.told for each in part.objects] == ["Namespace/other"]


def _die() -> ClusterError | None:
    raise Killed
