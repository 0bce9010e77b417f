"""pruner: whom it asks before it deletes, in what order, and what it does when the object has changed."""

import pytest

from jsorc_gitops.errors import ClusterError
from jsorc_gitops.model.objects import TREE_LABEL
from jsorc_gitops.reconcile.inventory import PART_OF_LABEL
from jsorc_gitops.reconcile.plan import Action
from jsorc_gitops.reconcile.ports import Options
from jsorc_gitops.reconcile.report import ObjectResult, Report
from tests.reconcile.builders import Body, make_body, make_config_map, make_deployment, make_ref, make_tree
from tests.reconcile.world import World

KEPT = {"redis": [make_config_map("redis", service="redis")]}
CLAIM = make_body("PersistentVolumeClaim", "data", service="old", spec={"size": 1})
OLD = [make_config_map("old", service="old"), make_deployment("old", service="old"), CLAIM]
BEFORE = make_tree(KEPT | {"old": OLD})
AFTER = make_tree(KEPT)
MAP = make_ref("ConfigMap", "old")
CLAIM_REF = make_ref("PersistentVolumeClaim", "data")


@pytest.fixture
def world() -> World:
    """A world where BEFORE was applied at c1."""
    made = World()
    made.run(BEFORE, "c1")
    return made


def find(report: Report, name: str) -> ObjectResult:
    (result,) = [each for each in report.objects if str(each.ref) == name]
    return result


def test_it_goes_in_reverse_after_everything_was_applied(world: World) -> None:
    """One check of the lease before; what others refer to last; the state at the end."""
    changed = make_tree({"redis": [make_config_map("redis", service="redis", key="new")]})
    world.run(changed, "c2")
    begin = world.log.index("apply ConfigMap/home/redis")
    assert [line for line in world.log[begin:] if line.split()[0] not in {"get", "list", "state"}] == [
        "apply ConfigMap/home/redis",
        "lease check",
        "delete Deployment/home/old",
        "delete ConfigMap/home/old",
        "delete ConfigMap/home/jsorc.record.default.old",
        "patch PersistentVolumeClaim/home/data",
        "lease check",
        "replace ConfigMap/home/jsorc.state.default",
        "lease check",
        "replace ConfigMap/home/jsorc.ledger.default",
        "lease release",
    ]


def test_git_is_asked_for_proof_and_consent(world: World) -> None:
    """Proof since the commit last applied, consent since the last that was settled."""
    world.run(AFTER, "c2")
    assert {line for line in world.log if line.startswith(("ancestor", "trailers"))} == {
        "ancestor c1 c2",
        "trailers c1 c2 Jsorc-Prune",
    }


def test_git_is_not_asked_at_the_same_commit(world: World) -> None:
    """A commit proves itself, and its consents were counted when it came."""
    world.run(BEFORE, "c1")
    assert not any(line.startswith(("ancestor", "trailers")) for line in world.log)


def test_a_commit_that_does_not_descend_prunes_nothing(world: World) -> None:
    """Another branch."""
    world.run(BEFORE, "c3")
    world.run(make_tree(KEPT | {"old": [*OLD, make_config_map("more", service="old")]}), "c3")
    report = world.run(AFTER, "b1")
    assert (world.names("ConfigMap"), report.exit_code) == (["more", "old", "redis"], 1)


def test_a_commit_that_git_does_not_know_prunes_nothing(world: World) -> None:
    """A shallow clone cannot prove descent; it applies all the same."""
    world.history.shallow = True
    assert "does not descend" in world.run(AFTER, "cX").errors[0]
    assert "old" in world.names("ConfigMap")


BRANCH = make_tree({"redis": KEPT["redis"], "branch": [make_config_map("branch", service="branch")]})


def test_a_refused_rewind_is_refused_again(world: World) -> None:
    """The first pass on the branch applied what it has; that is no proof of descent for the second."""
    for _ in range(2):
        report = world.run(BRANCH, "b1")
        assert "does not descend" in report.errors[0]
    assert world.names("ConfigMap") == ["branch", "old", "redis"]


def test_a_rewind_before_anything_was_settled_is_refused_again() -> None:
    """The very first pass failed in part, so no commit counts as settled yet."""
    world = World()
    world.hooks.before = lambda *asked: (
        ClusterError("no", status=403) if asked == ("dry-run", "ConfigMap/home/redis") else None
    )
    world.run(BEFORE, "c2")
    world.survive()
    for _ in range(2):
        assert "does not descend" in world.run(BRANCH, "b1").errors[0]


def test_a_rewind_is_refused_also_after_a_kind_could_not_be_read(world: World) -> None:
    """A pass that cannot prune for another reason must not make the branch the one to descend from."""
    world.cluster.forbidden = {"Deployment"}
    world.run(BRANCH, "b1")
    world.cluster.forbidden = set()
    assert "does not descend" in world.run(BRANCH, "b1").errors[0]


def test_after_a_refused_rewind_the_old_line_goes_on(world: World) -> None:
    """Back on the branch that was settled, descent is proven, and what the excursion made goes."""
    world.run(BRANCH, "b1")
    report = world.run(AFTER, "c2")
    assert (report.exit_code, world.names("ConfigMap")) == (0, ["redis"])


def test_a_rewind_prunes_where_the_user_says_so(world: World) -> None:
    """--allow-rewind, once; from there the new line descends."""
    world.history.commits = ["c0", "c1"]
    report = world.run(BRANCH, "c0", Options(allow_rewind=True))
    assert (report.exit_code, world.names("ConfigMap")) == (0, ["branch", "redis"])
    assert world.run(BRANCH, "c0").exit_code == 0


MANY = {"many": [make_config_map(f"many-{number}", service="many") for number in range(20)]}


def run_many(world: World, revision: str, options: Options | None = None) -> Report:
    world.run(make_tree(KEPT | MANY), "c1")
    return world.run(AFTER, revision, options)


def test_a_budget_is_lifted_by_a_trailer() -> None:
    """In any commit since the last one that was settled."""
    world = World()
    world.history.trailers = {"c2": ["many"]}
    assert run_many(world, "c3").exit_code == 0
    assert world.names("ConfigMap") == ["redis"]


def test_a_trailer_counts_until_its_commit_is_settled() -> None:
    """A refused pass does not use it up; the pruning it consented to does."""
    world = World()
    assert run_many(world, "c2").exit_code == 1
    world.history.trailers = {"c3": ["many"]}
    assert world.run(AFTER, "c3").exit_code == 0
    world.run(make_tree(KEPT | MANY), "c3")
    assert world.run(AFTER, "c4").exit_code == 1


def test_a_trailer_counts_though_nothing_was_settled_before() -> None:
    """The very first pass met an object of somebody else; what is consented to later counts all the same."""
    world = World()
    world.cluster.put(make_body("Service", "theirs"))
    theirs = {"bad": [make_body("Service", "theirs", service="bad")]}
    assert world.run(make_tree(KEPT | MANY | theirs), "c1").exit_code == 1
    assert world.run(make_tree(KEPT | theirs), "c2").exit_code == 1
    world.history.trailers = {"c3": ["many"]}
    assert world.run(AFTER, "c3").exit_code == 0
    assert world.names("ConfigMap") == ["redis"]


def test_a_budget_is_lifted_by_the_flag() -> None:
    """--allow-prune, for one pass; git is asked for descent all the same."""
    world = World()
    assert run_many(world, "c2", Options(allow_prune=True)).exit_code == 0
    assert "ancestor c1 c2" in world.log


def test_a_refusal_ends_when_the_objects_are_back() -> None:
    """The commit was a mistake, and was taken back."""
    world = World()
    assert run_many(world, "c2").exit_code == 1
    assert world.run(make_tree(KEPT | MANY), "c3").exit_code == 0
    assert world.run(make_tree(KEPT | MANY), "c3").exit_code == 0


def test_what_holds_data_is_released_and_stays(world: World) -> None:
    """Our marks and our entry are off; the inventory forgets it."""
    other = {"manager": "binder", "operation": "Update", "fieldsV1": {"f:spec": {"f:volume": {}}}}
    world.cluster.objects[CLAIM_REF]["metadata"]["managedFields"].append(other)
    report = world.run(AFTER, "c2")
    metadata = world.cluster.objects[CLAIM_REF]["metadata"]
    assert find(report, "PersistentVolumeClaim/home/data").action is Action.RELEASE
    assert not {PART_OF_LABEL, TREE_LABEL} & metadata["labels"].keys()
    assert metadata["managedFields"] == [other]
    assert CLAIM_REF not in world.state().entries


def touch(world: World, body: Body, *, times: int) -> None:
    """Somebody writes the object just before it is deleted, so many times."""
    left = times

    def write(verb: str, what: str) -> None:
        nonlocal left
        if (verb, what) == ("delete", "ConfigMap/home/old") and left:
            left -= 1
            live = world.cluster.objects[MAP]
            body["metadata"] = live["metadata"] | {"annotations": {"touched": str(left)}} | body["metadata"]
            world.cluster.put(body)

    world.hooks.before = write


@pytest.mark.parametrize(("times", "error"), [(1, ""), (4, ""), (5, "the object has been modified")])
def test_an_object_that_was_written_meanwhile_is_looked_at_again(world: World, times: int, error: str) -> None:
    """A controller writes status all the time; after five attempts it is left to the next pass."""
    touch(world, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}}, times=times)
    report = world.run(AFTER, "c2")
    assert find(report, "ConfigMap/home/old").error == error
    assert ("old" in world.names("ConfigMap")) is bool(error)
    assert (MAP in world.state().entries) is bool(error)


def test_an_object_that_lost_our_mark_meanwhile_is_left_alone(world: World) -> None:
    """What is deleted is judged by what it is now, not by what the plan saw."""
    touch(world, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"labels": {}}}, times=1)
    assert find(world.run(AFTER, "c2"), "ConfigMap/home/old").action is Action.YIELD
    assert "old" in world.names("ConfigMap")


def test_an_object_that_goes_while_it_is_looked_at_again_counts_as_pruned(world: World) -> None:
    """Written, then deleted by somebody."""

    def change(verb: str, what: str) -> None:
        if (verb, what) == ("delete", "ConfigMap/home/old"):
            world.cluster.edit(MAP, ("data", "key"), "last words")
        elif (verb, what) == ("get", "ConfigMap/home/old"):
            del world.cluster.objects[MAP]

    world.hooks.before = change
    report = world.run(AFTER, "c2")
    assert (report.exit_code, MAP in world.state().entries) == (0, False)


def test_an_object_that_was_made_anew_meanwhile_is_left_alone(world: World) -> None:
    """Another object under the same name, whose marks were copied along."""

    def replace(verb: str, what: str) -> None:
        if (verb, what) == ("delete", "ConfigMap/home/old"):
            world.survive()
            world.cluster.put(world.cluster.objects.pop(MAP))

    world.hooks.before = replace
    assert find(world.run(AFTER, "c2"), "ConfigMap/home/old").action is Action.YIELD
    assert "old" in world.names("ConfigMap")


def test_an_object_that_was_deleted_meanwhile_counts_as_pruned(world: World) -> None:
    """It is what was wanted."""

    def delete(verb: str, what: str) -> None:
        if (verb, what) == ("delete", "ConfigMap/home/old"):
            del world.cluster.objects[MAP]

    world.hooks.before = delete
    report = world.run(AFTER, "c2")
    assert (report.exit_code, find(report, "ConfigMap/home/old").error) == (0, "")


@pytest.mark.parametrize(
    ("verb", "name"), [("delete", "ConfigMap/home/old"), ("patch", "PersistentVolumeClaim/home/data")]
)
def test_an_object_that_may_not_be_removed_stays_in_the_inventory(world: World, verb: str, name: str) -> None:
    """The others go; the next pass tries again."""
    world.hooks.before = lambda *asked: ClusterError("no rights", status=403) if asked == (verb, name) else None
    report = world.run(AFTER, "c2")
    assert (find(report, name).error, report.exit_code) == ("no rights", 1)
    assert [str(ref) for ref in world.state().entries if ref not in AFTER.manifests] == [name]
    world.survive()
    assert world.run(AFTER, "c2").exit_code == 0


def test_what_left_keep_alive_is_not_looked_at() -> None:
    """Its objects stay in the inventory, without a right to read them: others are pruned all the same."""
    world = World()
    services = {"db": [make_deployment("db", service="db")], "web": [make_config_map("web", service="web")]}
    world.run(make_tree(services), "c1")
    world.cluster.forbidden.add("Deployment")

    report = world.run(make_tree({**services, "web": []}, records={"db": {"keep_alive": False}}), "c2")

    assert (report.errors, report.exit_code) == ((), 0)
    assert make_ref("ConfigMap", "web") not in world.cluster.objects
    assert make_ref("Deployment", "db", group="apps") in world.cluster.objects
