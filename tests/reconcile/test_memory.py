"""memory: what is written down before a pass acts and after it, and when nothing is."""

import pytest

from jsorc_gitops.errors import ClusterError, RefusedError
from jsorc_gitops.reconcile.inventory import State
from jsorc_gitops.reconcile.memory import write_ledger
from jsorc_gitops.reconcile.plan import Action
from jsorc_gitops.reconcile.storage import read_state
from tests.reconcile.builders import make_body, make_config_map, make_ref, make_tree
from tests.reconcile.world import World

REDIS = {"redis": [make_config_map("redis", service="redis")]}
TASK = {"task": [make_config_map("task", service="task")]}
TREE = make_tree(REDIS | TASK)
CHANGED = make_tree({"redis": [make_config_map("redis", service="redis", key="new")]} | TASK)
MAP = make_ref("ConfigMap", "redis")
STATE = "ConfigMap/home/jsorc.state.default"


def state_at(world: World, verb: str, what: str) -> list[State]:
    """The state as it stands in the cluster when this call is made."""
    seen: list[State] = []

    def look(asked: str, ref: str) -> None:
        if (asked, ref) == (verb, what):
            seen.append(world.state())

    world.hooks.before = look
    return seen


def refuse(world: World, what: str) -> None:
    world.hooks.before = lambda *asked: ClusterError("no", status=403) if asked == ("apply", what) else None


def test_before_anything_is_made_all_of_it_is_expected(world: World) -> None:
    """Every object of the tree, without an uid; consents count from this commit on."""
    seen = state_at(world, "apply", "ConfigMap/home/redis")
    world.run(TREE, "c1")
    assert {ref: (each.uid, each.fingerprint) for ref, each in seen[0].entries.items()} == dict.fromkeys(
        TREE.manifests, ("", "")
    )
    assert (seen[0].revision, seen[0].settled) == ("c1", "c1")


def test_the_expected_is_added_to_what_was_there(world: World) -> None:
    """A superset: what is to be pruned is in it until it is gone."""
    world.run(TREE, "c1")
    seen = state_at(world, "apply", "ConfigMap/home/new")
    world.run(make_tree(REDIS | {"new": [make_config_map("new", service="new")]}), "c2")
    entries = seen[0].entries
    assert entries[make_ref("ConfigMap", "new")].uid == ""
    assert entries[MAP].uid
    assert entries[make_ref("ConfigMap", "task")].uid


def test_nothing_is_expected_where_nothing_is_made(world: World) -> None:
    """A change of what is there already is one write of the state, after it."""
    world.run(TREE, "c1")
    world.run(CHANGED, "c2")
    assert world.writes == ["apply ConfigMap/home/redis", f"replace {STATE}"]


def test_after_a_pass_the_state_is_exact(world: World) -> None:
    """Every object of the tree with its uid; the commit is settled."""
    world.run(TREE, "c1")
    state = world.state()
    assert {ref: each.uid for ref, each in state.entries.items()} == {
        ref: world.cluster.objects[ref]["metadata"]["uid"] for ref in TREE.manifests
    }
    assert all(each.fingerprint for each in state.entries.values())
    assert (state.revision, state.settled) == ("c1", "c1")


def test_what_another_made_meanwhile_and_keeps_is_not_remembered(world: World) -> None:
    """It was expected, and is Flux's now."""
    flux = "kustomize.toolkit.fluxcd.io"
    world.cluster.served.add((f"{flux}/v1", "Kustomization"))
    inventory = {"entries": [{"id": "home_redis__ConfigMap"}]}
    world.cluster.put(make_body("Kustomization", "app", apiVersion=f"{flux}/v1", status={"inventory": inventory}))
    theirs = make_config_map("redis")
    theirs["metadata"]["labels"] = {f"{flux}/name": "app", f"{flux}/namespace": "home"}

    def appear(verb: str, what: str) -> None:
        if (verb, what) == ("dry-run", "ConfigMap/home/redis") and MAP not in world.cluster.objects:
            world.cluster.put(theirs, manager="kustomize-controller")

    world.hooks.before = appear
    report = world.run(TREE, "c1")
    assert [each.action for each in report.objects if each.ref == MAP] == [Action.YIELD]
    assert MAP not in world.state().entries


def test_versions_are_written_along_only(world: World) -> None:
    """What a controller wrote is no reason to write the state; when there is one, it is remembered."""
    world.run(TREE, "c1")
    world.cluster.edit(MAP, ("f:metadata", "f:annotations", "f:seen"), "yes", manager="controller")
    world.run(TREE, "c1")
    assert world.writes == []
    assert world.state().entries[MAP].version != world.cluster.objects[MAP]["metadata"]["resourceVersion"]

    world.run(make_tree(REDIS | {"new": [make_config_map("new", service="new")]}), "c2")

    assert world.state().entries[MAP].version == world.cluster.objects[MAP]["metadata"]["resourceVersion"]


def test_what_could_not_be_made_is_not_remembered(world: World) -> None:
    """It was refused, so it is not there."""
    refuse(world, "ConfigMap/home/redis")
    world.run(TREE, "c1")
    assert MAP not in world.state().entries


def test_what_could_not_be_changed_stays_remembered_as_it_was(world: World) -> None:
    """It is still ours, and still to be changed."""
    world.run(TREE, "c1")
    before = world.state().entries[MAP]
    refuse(world, "ConfigMap/home/redis")
    world.run(CHANGED, "c2")
    assert world.state().entries[MAP] == before


def test_a_pass_with_a_failure_settles_nothing(world: World) -> None:
    """Consents in commits after the settled one still count; the next clean pass settles."""
    world.run(TREE, "c1")
    refuse(world, "ConfigMap/home/redis")
    more = make_tree(REDIS | TASK | {"new": [make_config_map("new", service="new")]})
    world.cluster.edit(MAP, ("data", "key"), "drift")
    world.run(more, "c2")
    assert (world.state().revision, world.state().settled) == ("c2", "c1")
    world.survive()
    world.run(more, "c2")
    assert (world.state().revision, world.state().settled) == ("c2", "c2")


def test_a_failure_that_changes_nothing_writes_nothing(world: World) -> None:
    """However often it is met, every ten seconds."""
    world.run(TREE, "c1")
    refuse(world, "ConfigMap/home/redis")
    world.run(CHANGED, "c2")
    world.run(CHANGED, "c2")
    assert world.writes == ["apply ConfigMap/home/redis"]


def test_a_commit_that_was_taken_back_cannot_be_applied_later(world: World) -> None:
    """Nothing changed from c1 to c3, but c2 says something else, and a machine may still be there."""
    world.run(TREE, "c1")
    world.history.touching = {"c2", "c3"}
    world.run(TREE, "c3")
    assert (world.writes, world.state().revision) == ([f"replace {STATE}"], "c3")
    with pytest.raises(RefusedError, match="older than commit c3"):
        world.run(CHANGED, "c2")
    world.run(TREE, "c3")
    assert world.writes == []


def test_a_commit_that_leaves_the_tree_alone_writes_nothing(world: World) -> None:
    """A README was edited."""
    world.run(TREE, "c1")
    world.run(TREE, "c2")
    assert (world.writes, world.state().revision) == ([], "c1")
    assert "history rendered/ c1..c2" in world.log


def test_what_is_gone_is_forgotten(world: World) -> None:
    """Its service left git after somebody had deleted it."""
    world.run(TREE, "c1")
    del world.cluster.objects[make_ref("ConfigMap", "task")]
    world.run(make_tree(REDIS), "c2")
    assert make_ref("ConfigMap", "task") not in world.state().entries


def test_a_state_that_another_wrote_meanwhile_is_not_overwritten(world: World) -> None:
    """Two holders cannot both be right; this one stops."""
    world.run(TREE, "c1")

    def write(asked: str, ref: str) -> None:
        if (asked, ref) == ("apply", "ConfigMap/home/redis"):
            state = make_ref("ConfigMap", "jsorc.state.default")
            world.cluster.put({**world.cluster.objects[state], "data": {"state.json": "theirs"}})

    world.hooks.before = write
    with pytest.raises(ClusterError):
        world.run(CHANGED, "c2")
    assert world.cluster.objects[make_ref("ConfigMap", "jsorc.state.default")]["data"] == {"state.json": "theirs"}


def test_a_state_that_cannot_be_asked_for_ends_the_pass(world: World) -> None:
    """Not knowing is not the same as an empty state."""
    world.hooks.before = lambda verb, _what: ClusterError("no answer") if verb == "get" else None
    with pytest.raises(ClusterError, match="no answer"):
        read_state(world.make_pass(TREE))


def test_a_ledger_is_written_once_new_and_then_in_place(world: World) -> None:
    """Each write goes on from the version that the last one made."""
    run = world.make_pass(TREE)
    for _ in range(2):
        ledger = write_ledger(run, world.ledger())
    assert world.writes == [f"{verb} ConfigMap/home/jsorc.ledger.default" for verb in ("create", "replace")]
    assert ledger.resource_version == world.ledger().resource_version
