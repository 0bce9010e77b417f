"""converge: a pass killed at any of its writes, before or after it was done; what the next one makes of it."""

from collections import Counter

import pytest

from jsorc_gitops.model.jaseci import ServiceState
from jsorc_gitops.model.objects import TREE_LABEL, ObjectRef
from jsorc_gitops.model.tree import Tree
from jsorc_gitops.reconcile.ledger import Outcome
from jsorc_gitops.reconcile.pruner import LATEST
from tests.reconcile.builders import make_body, make_config_map, make_deployment, make_ref, make_tree
from tests.reconcile.hooks import Killed
from tests.reconcile.world import World

KEPT = {"redis": [make_deployment("redis", service="redis"), make_config_map("redis", service="redis")]}
BEFORE = make_tree(
    KEPT | {"old": [make_config_map("old", service="old"), make_body("Service", "old", service="old")]}
)
AFTER = make_tree(
    {
        "redis": [make_deployment("redis", service="redis", image="image:2"), *KEPT["redis"][1:]],
        "new": [
            make_config_map("new", service="new"),
            make_body("Secret", "new", service="new", data={"a": "Yg=="}),
        ],
    }
)


def make_world(*, settled: Tree | None) -> World:
    """A cluster where a pass over this tree ended well, and redis does not run since."""
    world = World()
    if settled:
        world.run(settled, "c1")
    world.jaseci.states = {"redis": ServiceState.STOPPED}
    return world


def run_killed(world: World, tree: Tree, revision: str, number: int, *, done: bool) -> bool:
    """Whether the pass had a write of that number, and so was killed."""
    world.kill_at(number, done=done)
    try:
        world.run(tree, revision)
    except Killed:
        return True
    finally:
        world.survive()
    return False


def count_writes(settled: Tree | None, tree: Tree) -> int:
    world = make_world(settled=settled)
    world.run(tree, "c2")
    return len(world.writes)


def members(world: World) -> set[ObjectRef]:
    """What lies in the cluster as part of our tree."""
    labelled = (
        ref
        for ref, body in world.cluster.objects.items()
        if (body["metadata"].get("labels") or {}).get(TREE_LABEL) == "default"
    )
    return set(labelled) - {make_ref("Namespace", "home", namespace="")}


def assert_converged(world: World, tree: Tree) -> None:
    """Cluster, inventory and tree are one once late requests are over, and there is nothing left to do."""
    world.clock.sleep(LATEST.total_seconds())
    world.run(tree, "c4")
    assert members(world) == set(tree.manifests)
    for ref, entry in world.state().entries.items():
        assert entry.uid == world.cluster.objects[ref]["metadata"]["uid"]
    assert set(world.state().entries) == set(tree.manifests)
    report = world.run(tree, "c4")
    assert (world.writes, report.exit_code) == ([], 0)


KILLS = [
    pytest.param(settled, tree, number, done, id=f"{name}, write {number}, {'after' if done else 'before'}")
    for name, settled, tree in (("first pass", None, AFTER), ("later pass", BEFORE, AFTER))
    for number in range(count_writes(settled, tree))
    for done in (False, True)
]


@pytest.mark.parametrize(("settled", "tree", "number", "done"), KILLS)
def test_the_next_pass_converges(settled: Tree | None, tree: Tree, number: int, *, done: bool) -> None:
    """Whatever was written, nothing is left over, nothing forgotten, and redis runs."""
    world = make_world(settled=settled)
    assert run_killed(world, tree, "c2", number, done=done)
    report = world.run(tree, "c2")
    assert report.exit_code == 0
    assert world.jaseci.states["redis"] is ServiceState.RUNNING
    assert_converged(world, tree)


@pytest.mark.parametrize(("settled", "tree", "number", "done"), KILLS)
def test_nothing_is_created_twice(settled: Tree | None, tree: Tree, number: int, *, done: bool) -> None:
    """No object is deleted that the tree has, and none made again."""
    world = make_world(settled=settled)
    run_killed(world, tree, "c2", number, done=done)
    uids = {ref: world.cluster.objects[ref]["metadata"]["uid"] for ref in members(world) & set(tree.manifests)}
    world.run(tree, "c2")
    assert uids == {ref: world.cluster.objects[ref]["metadata"]["uid"] for ref in uids}


@pytest.mark.parametrize(("settled", "tree", "number", "done"), KILLS)
def test_no_orphan_is_left_when_git_goes_on(settled: Tree | None, tree: Tree, number: int, *, done: bool) -> None:
    """The next commit has nothing of what the killed pass was making: all of it is found and pruned."""
    world = make_world(settled=settled)
    run_killed(world, tree, "c2", number, done=done)
    following = make_tree(KEPT)
    world.run(following, "c3")
    assert_converged(world, following)


@pytest.mark.parametrize("done", [False, True])
@pytest.mark.parametrize("number", range(count_writes(BEFORE, BEFORE) + 2))
def test_an_object_that_was_deleted_by_hand_is_no_orphan_either(number: int, *, done: bool) -> None:
    """It is made again, with another uid, by a pass that is killed; then its service leaves git."""
    world = make_world(settled=BEFORE)
    del world.cluster.objects[make_ref("ConfigMap", "old")]
    run_killed(world, BEFORE, "c2", number, done=done)
    following = make_tree(KEPT)
    world.run(following, "c3")
    assert_converged(world, following)


@pytest.mark.parametrize(("settled", "tree", "number", "done"), KILLS)
def test_a_reset_is_never_lost_and_repeated_at_most_once(
    settled: Tree | None, tree: Tree, number: int, *, done: bool
) -> None:
    """Redis runs in the end, and the ledger says that its reset is done."""
    world = make_world(settled=settled)
    run_killed(world, tree, "c2", number, done=done)
    resets = Counter(line for line in world.log if line.startswith("reset"))
    world.run(tree, "c2")
    resets += Counter(line for line in world.log if line.startswith("reset"))
    assert resets["reset redis"] in {1, 2}
    assert world.jaseci.states["redis"] is ServiceState.RUNNING
    assert world.ledger().entries["redis"].outcome is Outcome.DONE


def test_what_was_deleted_in_mid_pass_and_made_again_is_no_orphan() -> None:
    """The state knows another uid of it, so what is about to be made is written down once more."""
    world, name = World(), "ConfigMap/home/redis"
    world.run(make_tree({"redis": [make_config_map("redis", service="redis")]}), "c1")

    def vanish(verb: str, what: str) -> None:
        if (verb, what) == ("dry-run", name):
            world.cluster.objects.pop(make_ref("ConfigMap", "redis"), None)

    def kill(verb: str, what: str) -> None:
        if (verb, what) == ("apply", name):
            raise Killed

    world.hooks.before, world.hooks.after = vanish, kill
    with pytest.raises(Killed):
        world.run(make_tree({"redis": [make_config_map("redis", service="redis", key="new")]}), "c2")
    world.survive()
    world.run(make_tree({"redis": []}), "c3")
    assert "redis" not in world.names("ConfigMap")


def test_what_a_killed_pass_had_sent_may_arrive_late() -> None:
    """After the next pass, which no longer wants it: it is known still, and pruned."""
    world = make_world(settled=BEFORE)
    late = make_ref("ConfigMap", "new")

    def kill(verb: str, what: str) -> None:
        if (verb, what) == ("apply", str(late)):
            raise Killed

    world.hooks.after = kill
    with pytest.raises(Killed):
        world.run(AFTER, "c2")
    world.survive()
    body = world.cluster.objects.pop(late)

    world.run(BEFORE, "c3")
    assert world.state().entries[late].pending
    world.cluster.objects[late] = body
    assert [str(each.ref) for each in world.run(BEFORE, "c3").objects if each.action == "prune"] == [str(late)]
    assert_converged(world, BEFORE)


def test_what_did_not_arrive_is_forgotten_in_the_end() -> None:
    """When even the API server would have given it up; until then no pass has anything to write."""
    world = make_world(settled=BEFORE)
    world.kill_at(1, done=True)
    with pytest.raises(Killed):
        world.run(AFTER, "c2")
    world.survive()
    world.run(BEFORE, "c3")
    assert any(each.pending for each in world.state().entries.values())
    world.run(BEFORE, "c3")
    assert world.writes == []
    world.clock.sleep(LATEST.total_seconds())
    world.run(BEFORE, "c3")
    assert_converged(world, BEFORE)
