"""preview: what a pass would do; nothing is written, whatever comes."""

from typing import Any

import pytest

from jsorc_gitops.errors import ClusterError
from jsorc_gitops.model.tree import Tree
from jsorc_gitops.reconcile.plan import Action
from jsorc_gitops.reconcile.ports import Options
from jsorc_gitops.reconcile.report import Report
from tests.reconcile.builders import HOME, make_body, make_config_map, make_ref, make_tree
from tests.reconcile.fakes import conflict
from tests.reconcile.trees import REDIS, REDIS_ALONE, TASK, TREE, WITH_HOME, actions, bad
from tests.reconcile.world import World

KEY = b"k" * 32


def preview(world: World, tree: Tree, revision: str = "c1", **options: Any) -> Report:
    """A dry run, which must not write, nor take the lease."""
    options = {"mask_key": KEY, **options}
    before = dict(world.cluster.objects)
    report = world.run(tree, revision, Options(dry_run=True, **options))
    assert world.writes == []
    assert world.cluster.objects == before
    assert [line for line in world.log if line.startswith("lease")] == ["lease foresee"]
    assert report.dry_run
    return report


def change(report: Report, name: str) -> list[tuple[str, Any, Any]]:
    [found] = [each for each in report.objects if each.ref.name == name]
    return [(each.path, each.before, each.after) for each in found.changes]


def make_definition(**spec: Any) -> dict[str, Any]:
    names = {"kind": "Queue", "plural": "queues"}
    return make_body(
        "CustomResourceDefinition",
        "queues.example.com",
        service="redis",
        namespace="",
        apiVersion="apiextensions.k8s.io/v1",
        spec={"group": "example.com", "names": names, **spec},
    )


QUEUE = make_body("Queue", "mail", service="redis", apiVersion="example.com/v1", spec={"size": 3})


def test_a_first_pass(world: World) -> None:
    """All is created, and Jaseci is not asked."""
    report = preview(world, TREE)
    assert set(actions(report).values()) == {Action.CREATE}
    assert (report.exit_code, report.differs, report.healths, report.services) == (0, True, (), ())
    assert "state redis" not in world.log


def test_without_the_namespace(world: World) -> None:
    """What comes into it cannot be asked about, and says so; no error."""
    del world.cluster.objects[make_ref("Namespace", HOME, namespace="")]
    report = preview(world, WITH_HOME)
    notes = {each.ref.kind: each.note for each in report.objects}
    assert notes["Namespace"] == ""
    assert notes["Deployment"] == "not checked: namespace home comes with this very pass"
    assert (bad(report), set(actions(report).values())) == ([], {Action.CREATE})


@pytest.mark.parametrize("key", ["priorityClassName", "runtimeClassName"])
def test_a_pod_of_a_class_that_comes_with_the_pass(world: World, key: str) -> None:
    """The server would look for the class before it takes the Pod; one that is there already it finds."""
    kind = key[0].upper() + key[1:].removesuffix("Name")
    world.cluster.served.add(("v1", kind))
    pod = make_body("Pod", "a", service="redis", spec={key: "fast"})
    tree = make_tree({"redis": [make_body(kind, "fast", service="redis", namespace=""), pod]})
    notes = [each.note for each in preview(world, tree).objects if each.ref.kind == "Pod"]
    assert notes == [f"not checked: {kind} fast comes with this very pass"]
    world.run(make_tree({"redis": [make_body(kind, "fast", service="redis", namespace="")]}))
    assert [each.note for each in preview(world, tree).objects if each.ref.kind == "Pod"] == [""]


def test_a_namespace_that_nobody_makes(world: World) -> None:
    """It is asked about, and fails as the pass would."""
    tree = make_tree({"redis": [make_config_map("far", service="redis") | FAR]})
    report = preview(world, tree)
    assert bad(report) == ["ConfigMap/away/far", "ConfigMap/home/jsorc.record.default.redis"]


FAR = {"metadata": {**make_config_map("far", service="redis")["metadata"], "namespace": "away"}}


def test_a_kind_that_comes_with_the_pass(world: World) -> None:
    """It is not served, so its objects cannot be asked about."""
    report = preview(world, make_tree({"redis": [make_definition(), QUEUE]}))
    [queue] = [each for each in report.objects if each.ref.kind == "Queue"]
    assert (queue.action, queue.error) == (Action.CREATE, "")
    assert queue.note == "not checked: the kind Queue comes with this very pass"


def test_a_kind_that_nobody_defines(world: World) -> None:
    """It fails as the pass would."""
    assert bad(preview(world, make_tree({"redis": [QUEUE]})))[-1] == "Queue/home/mail"


def test_a_kind_whose_definition_changes(world: World) -> None:
    """What the server says as of now is told, and is no error; without a change of it, it is one."""
    tree = make_tree({"redis": [make_definition(), QUEUE]})
    world.run(tree)
    refusal = ClusterError("unknown field spec.tag", status=400)
    world.hooks.before = lambda verb, what: refusal if (verb, what[:5]) == ("dry-run", "Queue") else None
    tagged = QUEUE | {"spec": {"size": 3, "tag": "new"}}

    changed = preview(world, make_tree({"redis": [make_definition(scope="Namespaced"), tagged]}), "c2")
    same = preview(world, make_tree({"redis": [make_definition(), tagged]}), "c2")

    [queue] = [each for each in changed.objects if each.ref.kind == "Queue"]
    assert bad(changed) == []
    assert queue.note == ("not checked: the kind Queue changes with this very pass (now: unknown field spec.tag)")
    assert bad(same) == ["Queue/home/mail"]


def test_nothing_to_do(world: World) -> None:
    """No dry-run is asked for."""
    world.run(TREE)
    report = preview(world, TREE)
    assert (report.differs, [line for line in world.log if line.startswith("dry-run")]) == (False, [])


def test_drift_field_by_field(world: World) -> None:
    """With both values."""
    world.run(TREE)
    world.cluster.edit(make_ref("ConfigMap", "task"), ("data", "key"), "drift")
    assert change(preview(world, TREE), "task") == [(".data.key", "drift", "value")]


def make_secret(**data: str) -> Tree:
    return make_tree({"redis": [make_body("Secret", "login", service="redis", data=data)]})


def test_a_secret_is_masked(world: World) -> None:
    """Equal values have equal masks; without a key none can be told from another."""
    world.run(make_secret(a="b25l", b="dHdv"))
    swapped = make_secret(a="dHdv", b="b25l")

    [(_, one, two), (_, *others)] = change(preview(world, swapped, "c2"), "login")

    assert (others, one == two) == ([two, one], False)
    assert one.startswith("masked:")
    assert change(preview(world, swapped, "c2", mask_key=b""), "login") == [
        (".data.a", "***", "***"),
        (".data.b", "***", "***"),
    ]


def test_a_key_that_comes_and_one_that_goes(world: World) -> None:
    """What is absent has no mask; names of keys may hold dots."""
    world.run(make_secret(**{"tls.key": "b25l"}))
    gone, came = change(preview(world, make_secret(new="dHdv"), "c2"), "login")
    assert (gone[0], gone[2], came[0], came[1]) == (".data.tls.key", None, ".data.new", None)
    assert {gone[1][:7], came[2][:7]} == {"masked:"}


def test_an_object_that_fails(world: World) -> None:
    """Others of its service are left, as in a pass; other services are planned on; nothing would be pruned."""
    world.run(TREE)
    world.hooks.before = lambda verb, what: (
        ClusterError("too large", status=422) if (verb, what) == ("dry-run", "ConfigMap/home/redis") else None
    )
    redis = [
        REDIS[0],
        make_config_map("redis", service="redis", key="new"),
        make_config_map("b", service="redis"),
    ]
    report = preview(world, make_tree({"redis": redis, "other": [make_config_map("c", service="other")]}), "c2")

    errors = {each.ref.name: each.error for each in report.objects if each.error}
    assert errors["redis"] == "too large"
    assert errors["b"] == "left as it is, because others of redis failed"
    assert actions(report)["ConfigMap/home/c"] is Action.CREATE
    assert report.errors == ("2 objects are not pruned, because others failed",)
    assert actions(report)["ConfigMap/home/task"] is Action.PRUNE
    assert "ConfigMap/home/task" in bad(report)


def test_pruning(world: World) -> None:
    """Each object that would go; the state still knows it afterwards."""
    world.run(TREE)
    report = preview(world, REDIS_ALONE, "c2")
    assert {ref for ref, action in actions(report).items() if action is Action.PRUNE} == {"ConfigMap/home/task"}
    assert (report.exit_code, report.differs) == (0, True)


@pytest.mark.parametrize("revision", ["c2", "b1"])
def test_pruning_that_is_refused(world: World, revision: str) -> None:
    """Beyond the budget, or on another branch: what would go is listed, with the refusal."""
    many = [make_config_map(f"m{number}", service="task") for number in range(12)]
    world.run(make_tree({"redis": REDIS, "task": many}))

    report = preview(world, REDIS_ALONE, revision)

    assert (len(bad(report)), len(report.errors), report.exit_code) == (13, 1, 1)
    assert {each.error for each in report.objects if each.action is Action.PRUNE} == {"refused"}


def test_a_stale_plan_is_made_anew(world: World) -> None:
    """Controllers write status all the time; that is no reason to fail."""
    world.run(TREE)
    tree = make_tree({"redis": REDIS, "task": [make_config_map("task", service="task", key="new")]})
    times = iter([conflict(), conflict(), None])
    world.hooks.before = lambda verb, what: (
        next(times) if (verb, what) == ("dry-run", "ConfigMap/home/task") else None
    )
    assert change(preview(world, tree, "c2"), "task") == [(".data.key", "value", "new")]


def test_a_stale_plan_that_became_another(world: World) -> None:
    """Deleted meanwhile, it would be created; made meanwhile, it is refused; unreadable, it is an error."""
    world.run(REDIS_ALONE)
    ref = make_ref("ConfigMap", "task")

    def meddle(verb: str, what: str) -> ClusterError | None:
        if (verb, what) == ("dry-run", str(ref)) and ref not in world.cluster.objects:
            world.cluster.put(make_config_map("task", service="task", key="theirs"))
        return None

    world.hooks.before = meddle
    report = world.run(TREE, "c2", Options(dry_run=True))
    assert (actions(report)[str(ref)], world.writes) == (Action.REFUSE, [])


def test_disabled(world: World) -> None:
    """Nothing would be done, so nothing is asked."""
    report = world.run(make_tree({"redis": REDIS}, enabled=False), options=Options(dry_run=True))
    assert (report.dry_run, world.log) == (True, [])


def test_what_existed_before(world: World) -> None:
    """Refused, or adopted on demand."""
    world.cluster.put(make_config_map("task", key="theirs"))
    tree = make_tree({"task": TASK})
    assert actions(preview(world, tree))["ConfigMap/home/task"] is Action.REFUSE
    assert actions(preview(world, tree, adopt=True))["ConfigMap/home/task"] is Action.ADOPT


def test_a_fight_is_foreseen(world: World) -> None:
    """The pass that would leave a field to others is planned as one, since its number is foreseen."""
    world.run(TREE)
    ref = make_ref("ConfigMap", "task")
    for _ in range(3):
        world.cluster.edit(ref, ("data", "key"), "theirs")
        world.run(TREE)
    world.cluster.edit(ref, ("data", "key"), "theirs")

    [task] = [each for each in preview(world, TREE).objects if each.ref == ref]
    assert "was taken back 3 passes in a row" in task.note
