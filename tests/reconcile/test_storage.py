"""storage: a state that one ConfigMap cannot hold is whole at any moment, whoever is killed or comes between."""

from dataclasses import replace
from itertools import count

import pytest

from jsorc_gitops.errors import ClusterError, FormatError
from jsorc_gitops.reconcile.inventory import State, find_parts
from jsorc_gitops.reconcile.ports import Options, Pass
from jsorc_gitops.reconcile.storage import read_state, write_state
from tests.reconcile.builders import make_config_map, make_ref, make_tree
from tests.reconcile.hooks import Killed
from tests.reconcile.world import World

REDIS = [make_config_map("redis", service="redis")]
TREE = make_tree({"redis": REDIS, "task": [make_config_map("task", service="task")]})
CHANGED = make_tree({"redis": REDIS, "new": [make_config_map("new", service="new")]})
FIRST = make_ref("ConfigMap", "jsorc.state.default")


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if a ConfigMap could hold 80 bytes."""
    monkeypatch.setattr("jsorc_gitops.reconcile.inventory.PART_BYTES", 80)


@pytest.fixture
def run(world: World) -> Pass:
    """A pass over TREE, after one that applied it."""
    world.run(TREE, "c1")
    world.log.clear()
    return world.make_pass(TREE, "c2")


def list_parts(world: World) -> list[str]:
    return sorted(ref.name for ref in world.cluster.objects if ref.name.startswith("jsorc.state.default."))


def test_a_state_is_continued_and_read_back(world: World, run: Pass) -> None:
    """In numbered ConfigMaps, which the first names; each is asked for once, and nothing else is."""
    state = read_state(run)

    assert set(state.entries) == set(TREE.manifests)
    names = find_parts(world.cluster.objects[FIRST])
    assert [each.rpartition(".")[2] for each in names] == [str(number) for number in range(2, len(names) + 2)]
    assert len(names) > 1
    assert sorted(names) == list_parts(world)
    assert world.log == [f"get {FIRST}", *(f"get ConfigMap/home/{each}" for each in names)]


def test_parts_are_nobodys_members(world: World, run: Pass) -> None:
    """By no label of the set or of the tree, so neither kubectl nor a pass takes them for objects of git."""
    for name in read_state(run).parts:
        body = world.cluster.objects[make_ref("ConfigMap", name)]
        assert body["metadata"]["labels"] == {"jsorc.jaseci.org/state": "default"}
        assert body["immutable"] is True


def test_a_pass_leaves_the_parts_of_its_own_state_alone(world: World) -> None:
    """After several passes with changes, those that the state names are there, and no others."""
    for revision, tree in (("c1", TREE), ("c2", CHANGED), ("c3", TREE)):
        world.run(tree, revision)
        assert sorted(world.state().parts) == list_parts(world)
        assert len(world.state().parts) > 1


def test_a_pass_without_changes_writes_no_part(world: World, run: Pass) -> None:
    """As it writes nothing else."""
    world.run(run.tree, "c1")
    assert world.writes == []


def test_a_state_that_fits_again_is_one_config_map(
    world: World, run: Pass, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What continued it goes."""
    state = read_state(run)
    monkeypatch.undo()
    write_state(run, state)
    assert (world.state().entries, world.state().parts, list_parts(world)) == (state.entries, (), [])


@pytest.mark.parametrize("done", [False, True])
def test_a_killed_write_leaves_the_state_of_before_or_after(*, done: bool) -> None:
    """Killed at each of its writes, before it or once it was done: never shorter, never mixed."""
    for number in count():
        world = World()
        world.run(TREE, "c1")
        run = world.make_pass(TREE, "c2")
        before = read_state(run)
        some = dict(list(before.entries.items())[1:])
        after = replace(before, revision="c2", entries=some)
        world.kill_at(number, done=done)
        try:
            write_state(run, after)
        except Killed:
            found = read_state(run)
            assert (found.revision, found.entries) in [(each.revision, each.entries) for each in (before, after)]
            # Whatever the killed one left, the next write clears away.
            world.survive()
            assert list_parts(world) != []
            written = write_state(run, replace(found, revision="c3"))
            assert sorted(written.parts) == list_parts(world)
            assert read_state(run) == written
        else:
            break
    assert number > 4


@pytest.mark.parametrize("done", [False, True])
def test_the_pass_after_a_killed_one_converges(*, done: bool) -> None:
    """Killed at each write of a pass that creates and prunes; no object is left over, and no part for long."""
    for number in count():
        world = World()
        world.run(TREE, "c1")
        world.kill_at(number, done=done)
        try:
            world.run(CHANGED, "c2")
        except Killed:
            world.survive()
            world.run(CHANGED, "c2")
            # Killed between its last state and the deletion of what that replaced, nothing is to be written now.
            world.run(CHANGED, "c2", Options(audit_every=1))
            assert world.names("ConfigMap") == ["new", "redis"]
            assert set(world.state().entries) == set(CHANGED.manifests)
            assert sorted(world.state().parts) == list_parts(world)
        else:
            break
    assert number > 8


def test_who_comes_too_late_harms_nothing(run: Pass) -> None:
    """A pass that slept through its Lease writes parts of its own, and cannot make them the state."""
    late = read_state(run)
    written = write_state(run, replace(late, revision="c2"))

    with pytest.raises(ClusterError) as refused:
        write_state(run, replace(late, revision="late"))

    assert refused.value.status == 409
    assert read_state(run) == written


def test_who_writes_the_same_again_takes_what_is_there(world: World, run: Pass) -> None:
    """The parts of a pass that was killed before it wrote the first are not written twice."""
    state = replace(read_state(run), revision="c2")
    world.hooks.before = lambda verb, _: ClusterError("no", status=500) if verb == "replace" else None
    with pytest.raises(ClusterError, match="no"):
        write_state(run, state)
    world.survive()
    left = list_parts(world)
    assert write_state(run, state).revision == "c2"
    assert set(list_parts(world)) < set(left)
    assert set(world.state().entries) == set(TREE.manifests)


def test_a_part_that_cannot_be_written_ends_the_pass(world: World, run: Pass) -> None:
    """The server's words; the state is as it was."""
    before = read_state(run)
    world.hooks.before = lambda verb, _: ClusterError("quota", status=403) if verb == "create" else None
    with pytest.raises(ClusterError, match="quota"):
        write_state(run, replace(before, revision="c2"))
    assert read_state(run) == before


def test_who_reads_while_another_writes_reads_again(world: World, run: Pass) -> None:
    """The first named parts that are gone by the time they are asked for; now it names others."""
    before, writer = read_state(run), world.make_pass(TREE, "c2")
    written: list[State] = []

    def write(verb: str, what: str) -> None:
        if (verb, what) == ("get", f"ConfigMap/home/{before.parts[0]}") and not written:
            written.append(before)
            written.append(write_state(writer, replace(before, revision="c2")))

    world.hooks.before = write
    assert [read_state(run)] == written[1:]


@pytest.mark.parametrize("place", [0, -1])
def test_a_state_with_a_part_missing_is_refused(world: World, run: Pass, place: int) -> None:
    """It is asked for three times, then named, with what to do; and nothing is written."""
    name = read_state(run).parts[place]
    del world.cluster.objects[make_ref("ConfigMap", name)]
    wanted = rf"ConfigMap home/jsorc\.state\.default is continued in {name}, which is not there; delete it, and"
    with pytest.raises(FormatError, match=wanted):
        world.run(TREE, "c2")
    assert world.log.count(f"get ConfigMap/home/{name}") == 3
    assert world.writes == []


def test_the_state_is_built_anew_from_the_marks(world: World, run: Pass) -> None:
    """Once the broken one was deleted; what was left of it goes."""
    name = read_state(run).parts[0]
    del world.cluster.objects[make_ref("ConfigMap", name)], world.cluster.objects[FIRST]
    assert world.run(TREE, "c2").exit_code == 0
    assert set(world.state().entries) == set(TREE.manifests)
    assert sorted(world.state().parts) == list_parts(world)


def test_a_part_with_other_content_is_refused(world: World, run: Pass) -> None:
    """Whoever put it there: the whole has a checksum."""
    one, other = (make_ref("ConfigMap", each) for each in read_state(run).parts[:2])
    world.cluster.objects[one]["binaryData"] = world.cluster.objects[other]["binaryData"]
    with pytest.raises(FormatError, match=r"ConfigMap home/jsorc\.state\.default cannot be read"):
        read_state(run)
