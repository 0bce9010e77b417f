"""guards: what a pass asks before it writes, and what of others it leaves alone."""

from typing import Any

import pytest

from jsorc_gitops.errors import RefusedError
from jsorc_gitops.model.jaseci import ServiceState
from jsorc_gitops.reconcile.inventory import PART_OF_LABEL
from jsorc_gitops.reconcile.plan import Action
from jsorc_gitops.reconcile.ports import Options
from jsorc_gitops.reconcile.resets import Verdict
from tests.reconcile.builders import HOME, make_body, make_config_map, make_ref, make_tree
from tests.reconcile.trees import REDIS, REDIS_ALONE, TASK, TREE, WITH_HOME
from tests.reconcile.world import World


def test_a_tree_that_moved_home_is_warned_of_what_it_left(world: World) -> None:
    """The state of the new home knows nothing of the old one's objects; said once, at the first pass."""
    world.run(REDIS_ALONE)
    world.cluster.put(make_body("Namespace", "elsewhere", namespace=""))
    moved = make_tree({"task": TASK}, namespace="elsewhere")
    (warning,) = world.run(moved).warnings
    assert warning.startswith("this repository has been applied from namespace home, too;")
    assert world.run(moved).warnings == ()


def test_another_repositorys_tree_is_no_move(world: World) -> None:
    """Trees of one name in several namespaces are usual, and nobody's business here."""
    world.run(REDIS_ALONE, "c1")
    world.cluster.put(make_body("Namespace", "elsewhere", namespace=""))
    world.history.commits = ["d1"]
    assert world.run(make_tree({"task": TASK}, namespace="elsewhere"), "d1").warnings == ()


def test_a_former_home_that_cannot_be_read_is_none(world: World) -> None:
    """A state of a newer jsorc, for one, in a namespace that is none of ours: the pass goes on."""
    world.run(REDIS_ALONE)
    world.cluster.objects[make_ref("ConfigMap", "jsorc.state.default")]["data"] = {
        "state.json": '{"version": 99}'
    }
    world.cluster.put(make_body("Namespace", "elsewhere", namespace=""))
    report = world.run(make_tree({"task": TASK}, namespace="elsewhere"))
    assert (report.warnings, report.errors) == ((), ())


@pytest.fixture
def pin(world: World) -> str:
    """The UID of the namespace kube-system."""
    uid: str = world.cluster.put(make_body("Namespace", "kube-system", namespace=""))["metadata"]["uid"]
    return uid


def test_another_cluster_is_refused(world: World, pin: str) -> None:
    """A pass that was pointed at the wrong cluster writes nothing, and names both."""
    with pytest.raises(RefusedError, match=f"this is cluster {pin}, but .* `cluster: staging`"):
        world.run(make_tree({"task": TASK}, cluster="staging"))
    assert world.writes == []


def test_the_pinned_cluster_is_served(world: World, pin: str) -> None:
    """The right cluster is recognised by the pin."""
    assert world.run(make_tree({"task": TASK}, cluster=pin)).exit_code == 0


def test_another_repository_is_refused(world: World) -> None:
    """Two that take turns in one home namespace would prune each other's objects; nothing is written."""
    world.run(REDIS_ALONE, "c1")
    world.history.commits = ["d1"]
    with pytest.raises(RefusedError, match=r"commit c1, which was applied last .* is unknown to this repository"):
        world.run(make_tree({"task": TASK}), "d1")
    assert world.writes == []
    assert world.log[-1] == "lease release"


def test_an_older_commit_is_refused(world: World) -> None:
    """Of two clones, the one that was not pulled would undo what the other did; nothing is written."""
    world.run(REDIS_ALONE, "c2")
    with pytest.raises(RefusedError, match=r"commit c1 is older than commit c2, .* pull, or pass --allow-rewind"):
        world.run(make_tree({"task": TASK}), "c1")
    assert world.writes == []


def test_a_shallow_clone_is_warned_of_what_it_cannot_tell(world: World) -> None:
    """It may be behind and undo what was applied last; it names what ends the doubt."""
    world.run(REDIS_ALONE, "c2")
    world.history.shallow = True
    (warning,) = world.run(make_tree({"redis": REDIS, "task": TASK}), "cX").warnings
    assert "whether commit cX comes after c2, which was applied last" in warning
    assert warning.endswith("run git fetch --unshallow")
    assert world.run(REDIS_ALONE, "cX").warnings == ()


def test_a_branch_is_no_shallow_clone(world: World) -> None:
    """What it has not, is told by pruning; fetching would change nothing."""
    world.run(REDIS_ALONE, "c1")
    assert world.run(REDIS_ALONE, "b1").warnings == ()


@pytest.mark.parametrize("differs", [False, True])
def test_an_older_commit_is_gone_back_to_on_demand(world: World, *, differs: bool) -> None:
    """Once; from there it is the one to descend from, be there anything to apply or not."""
    world.run(REDIS_ALONE, "c2")
    tree = make_tree({"task": TASK}) if differs else REDIS_ALONE
    assert world.run(tree, "c1", Options(allow_rewind=True)).exit_code == 0
    assert world.run(tree, "c1").exit_code == 0


def test_another_repository_may_take_over(world: World) -> None:
    """On demand, what it does not have is pruned as after any rewind."""
    world.run(REDIS_ALONE, "c1")
    world.history.commits = ["d1"]
    report = world.run(make_tree({"task": TASK}), "d1", Options(allow_rewind=True))
    assert (report.exit_code, world.names("Deployment")) == (0, [])


def test_what_is_not_kept_alive_is_not_pruned(world: World) -> None:
    """An object that leaves the definition of a service that is not kept alive stays until it is again."""
    world.run(TREE)
    fewer = make_tree({"redis": REDIS[:1], "task": TASK}, records={"redis": {"keep_alive": False}})
    assert world.run(fewer, "c2").exit_code == 0
    assert "redis" in world.names("ConfigMap")
    world.run(make_tree({"redis": REDIS[:1], "task": TASK}), "c3")
    assert "redis" not in world.names("ConfigMap")


def test_a_namespace_that_is_merely_needed_is_left_as_it_is(world: World) -> None:
    """It is enough that it exists: two trees that need it do not write their marks in turns."""
    report = world.run(WITH_HOME)
    live = world.cluster.objects[make_ref("Namespace", HOME, namespace="")]
    assert PART_OF_LABEL not in live["metadata"]["labels"]
    assert report.exit_code == 0


def test_a_namespace_that_a_service_renders_is_an_object_like_any_other(world: World) -> None:
    """One that is there already is refused, not passed over."""
    tree = make_tree({"redis": [make_body("Namespace", HOME, service="redis", namespace="")]})
    (refused,) = [each for each in world.run(tree).objects if each.is_bad and each.ref.kind == "Namespace"]
    assert refused.action is Action.REFUSE


def test_forbidden_pods_are_an_error(world: World) -> None:
    """Objects are applied, but nobody knows how they are: exit 1, with the server's reason."""
    world.cluster.forbidden = {"Pod"}
    report = world.run(REDIS_ALONE)
    assert (report.exit_code, report.errors) == (1, ("pods in home could not be listed: Pod is forbidden",))


def test_a_dependency_that_is_not_kept_alive_is_asked(world: World) -> None:
    """Task needs redis, whoever keeps redis alive; it is asked about, and never reset."""
    world.jaseci.states = {"redis": ServiceState.FAILED, "task": ServiceState.FAILED}
    records: dict[str, dict[str, Any]] = {
        "redis": {"keep_alive": False},
        "task": {"depends_on": ("redis",)},
    }
    tree = make_tree({"redis": REDIS, "task": TASK}, records=records)
    (verdict,) = world.run(tree).services
    assert (verdict.service, verdict.verdict) == ("task", Verdict.BLOCKED)
    world.jaseci.states["redis"] = ServiceState.RUNNING
    (verdict,) = world.run(tree).services
    assert verdict.verdict is Verdict.RESET


def test_a_consent_is_used_up(world: World) -> None:
    """It counts for the pass that first sees its commit, whether something is pruned then or not."""
    world.run(TREE, "c1")
    world.history.trailers = {"c2": ["redis"]}
    world.run(TREE, "c2")
    assert world.state().settled == "c2"


def test_a_dependency_without_a_service_in_jaseci_is_not_asked_about(world: World) -> None:
    """Jaseci would know nothing of it."""
    world.jaseci.states = {"task": ServiceState.FAILED}
    records: dict[str, dict[str, Any]] = {"redis": {"via": "none"}, "task": {"depends_on": ("redis",)}}
    (verdict,) = world.run(make_tree({"redis": REDIS, "task": TASK}, records=records)).services
    assert verdict.verdict is Verdict.RESET
    assert "state redis" not in world.log


def test_no_trailer_consents_to_everything(world: World) -> None:
    """Only the flag does; a '*' in a commit message names no service."""
    many = [make_config_map(f"many-{number}", service="many") for number in range(20)]
    world.run(make_tree({"redis": REDIS, "many": many}), "c1")
    world.history.trailers = {"c2": ["*"]}
    assert "more than the 10" in world.run(REDIS_ALONE, "c2").errors[0]


def test_a_flag_with_nothing_to_do_writes_nothing(world: World) -> None:
    """Left in a loop's arguments, it would write the state every ten seconds."""
    world.run(TREE, "c1")
    world.run(TREE, "c1", Options(allow_prune=True))
    assert world.writes == []
