"""observe: what is asked of the cluster, and what not being told means."""

from typing import Any

from jsorc_gitops.errors import ClusterError
from jsorc_gitops.model.objects import ObjectRef
from jsorc_gitops.reconcile.inventory import Entry, State
from jsorc_gitops.reconcile.observe import FEW, Observation, list_pods, observe_tree
from jsorc_gitops.reconcile.ports import Options
from tests.reconcile.builders import (
    HOME,
    Body,
    make_body,
    make_config_map,
    make_deployment,
    make_manifest,
    make_ref,
    make_tree,
)
from tests.reconcile.world import World

GROUP = "example.com"


def make_widget(name: str, *, version: str = "v1") -> Body:
    return make_body("Widget", name, service="redis", apiVersion=f"{GROUP}/{version}", spec={"size": 1})


def widget_ref(name: str) -> ObjectRef:
    return make_ref("Widget", name, group=GROUP)


DEFINITION = make_body(
    "CustomResourceDefinition",
    "widgets",
    service="redis",
    namespace="",
    apiVersion="apiextensions.k8s.io/v1",
    spec={"group": GROUP, "names": {"kind": "Widget"}},
)


def observe(world: World, *bodies: Body, remembered: tuple[ObjectRef, ...] = ()) -> Observation:
    world.log.clear()
    entries = {ref: Entry(ref=ref, service="redis", uid="uid-1", fingerprint="f") for ref in remembered}
    manifests = [make_manifest(body) for body in bodies]
    return observe_tree(world.cluster, manifests, State(entries=entries), tree="default")


def test_one_list_for_each_kind(world: World) -> None:
    """However many objects there are, in however many namespaces."""
    bodies = [*(make_config_map(f"map-{number}") for number in range(9)), make_deployment("web")]
    for body in bodies:
        world.cluster.put(body)
    observed = observe(world, *bodies)
    assert world.log == ["list ConfigMap", "list Deployment"]
    assert (len(observed.live), observed.unread) == (10, {})


def test_nothing_of_a_neighbour_comes_along(world: World) -> None:
    """Another tree of the same name may have thousands elsewhere; a kind in one namespace is listed there."""
    for body in (make_config_map("a"), make_body("ConfigMap", "a", namespace="theirs")):
        world.cluster.put(body)
    observed = observe(world, make_config_map("a"))
    assert (world.log, [*observed.live]) == (["list ConfigMap"], [make_ref("ConfigMap", "a")])


def test_what_the_label_does_not_find_is_asked_for(world: World) -> None:
    """Somebody took our label off; the object is there all the same."""
    unlabelled = make_config_map("a")
    unlabelled["metadata"] = {"name": "a", "namespace": "home"}
    world.cluster.put(unlabelled)
    observed = observe(world, make_config_map("a"))
    assert world.log == ["list ConfigMap", "get ConfigMap/home/a"]
    assert make_ref("ConfigMap", "a") in observed.live


def test_what_is_nowhere_is_not_live(world: World) -> None:
    """Asked for, and not there: that is known, not unread."""
    observed = observe(world, make_config_map("a"))
    assert (observed.live, observed.unread) == ({}, {})


def test_where_many_are_missing_their_names_are_listed(world: World) -> None:
    """A first pass would ask for each to hear that there is none; what is there without our label is found."""
    bodies = [make_config_map(f"map-{number}") for number in range(FEW + 2)]
    world.cluster.put({**bodies[7], "metadata": {"name": "map-7", "namespace": "home"}})
    observed = observe(world, *bodies)
    assert world.log == ["list ConfigMap", "list ConfigMap", "get ConfigMap/home/map-7"]
    assert [*observed.live] == [make_ref("ConfigMap", "map-7")]


def test_where_names_may_not_be_listed_each_is_asked_for(world: World) -> None:
    """The answer of each says whether it is there, or may not be read."""
    elsewhere = make_body("ConfigMap", "a", namespace="other")
    bodies = [*(make_config_map(f"map-{number}") for number in range(FEW + 2)), elsewhere]
    for body in (bodies[7], elsewhere):
        world.cluster.put(body)
    world.hooks.before = lambda verb, what: (
        ClusterError("no", status=500) if (verb, what) == ("list", "ConfigMap/home") else None
    )
    observed = observe(world, *bodies)
    assert world.log[2:] == [f"get ConfigMap/home/map-{number}" for number in range(FEW + 2) if number != 7]
    assert ([each.name for each in observed.live], observed.unread) == (["map-7", "a"], {})


def test_the_inventorys_kinds_are_read_too(world: World) -> None:
    """At the version the server prefers, since no manifest names one."""
    world.cluster.put(make_deployment("web"))
    ref = make_ref("Deployment", "web", group="apps")
    assert ref in observe(world, make_config_map("a"), remembered=(ref,)).live


def test_a_kind_that_may_not_be_listed_is_unread(world: World) -> None:
    """With the reason; its objects are not asked for one by one, the other kinds are read."""
    world.cluster.forbidden = {"Deployment"}
    world.cluster.put(make_config_map("a"))
    observed = observe(world, make_config_map("a"), make_deployment("web"))
    assert observed.unread == {("apps", "Deployment", HOME): "Deployment is forbidden"}
    assert list(observed.live) == [make_ref("ConfigMap", "a")]
    assert not any(line.startswith("get") for line in world.log)


FOUR = [
    *(make_body("ConfigMap", "a", namespace=name) for name in ("home", "other")),
    make_body("Service", "a"),
    make_deployment("web"),
]


def test_rights_in_namespaces_are_enough(world: World) -> None:
    """After one refusal everywhere, each kind is listed in the namespaces where the tree has some of it."""
    world.cluster.narrow = {"ConfigMap", "Service", "Deployment"}
    for body in FOUR:
        world.cluster.put(body)
    observed = observe(world, *FOUR)
    assert world.log == ["list ConfigMap", *["list ConfigMap"] * 2, "list Service", "list Deployment"]
    assert (len(observed.live), observed.unread) == (4, {})


def test_rights_that_reach_further_for_some_kinds(world: World) -> None:
    """What may be listed everywhere is listed once, the others in their namespaces after that."""
    world.cluster.narrow = {"Service"}
    bodies = [*FOUR, make_body("Service", "a", namespace="other")]
    for body in bodies:
        world.cluster.put(body)
    observed = observe(world, *bodies)
    assert world.log == ["list ConfigMap", *["list Service"] * 3, "list Deployment"]
    assert (len(observed.live), observed.unread) == (5, {})


def test_a_namespace_that_only_the_inventory_knows_is_listed_too(world: World) -> None:
    """What left the tree is to be found there, to be pruned."""
    world.cluster.narrow = {"ConfigMap"}
    gone = make_body("ConfigMap", "a", namespace="other")
    world.cluster.put(gone)
    ref = make_manifest(gone).ref
    assert ref in observe(world, make_config_map("a"), remembered=(ref,)).live
    assert world.log.count("list ConfigMap") == 3


def test_a_namespace_that_may_not_be_listed_is_unread(world: World) -> None:
    """The other one is read all the same."""
    world.cluster.narrow = {"ConfigMap"}
    one = str(make_ref("ConfigMap", "", namespace="other"))
    world.hooks.before = lambda *asked: ClusterError("no answer") if asked == ("list", one) else None
    world.cluster.put(FOUR[0])
    observed = observe(world, *FOUR[:2])
    assert observed.unread == {("", "ConfigMap", "other"): "no answer"}
    assert [*observed.live] == [make_ref("ConfigMap", "a")]


def test_each_object_is_read_at_its_own_version(world: World) -> None:
    """Two versions of one kind in a tree are two LISTs; an object that is read at the other one looks changed."""
    world.cluster.served |= {(f"{GROUP}/v1", "Widget"), (f"{GROUP}/v2", "Widget")}
    list_objects = world.cluster.list_objects

    def convert(kinds: Any, **more: Any) -> Any:
        answers: Any = list_objects(kinds, **more)
        return [[each | {"apiVersion": of[0]} for each in one] for of, one in zip(kinds, answers, strict=True)]

    world.cluster.list_objects = convert  # type: ignore[method-assign]
    bodies = [make_widget("a"), make_widget("b", version="v2")]
    for body in bodies:
        world.cluster.put(body)
    observed = observe(world, *bodies)
    assert world.log == ["list Widget", "list Widget"]
    versions = {ref.name: live["apiVersion"] for ref, live in observed.live.items()}
    assert versions == {"a": f"{GROUP}/v1", "b": f"{GROUP}/v2"}


def test_a_namespace_may_be_read_where_namespaces_may_not_be_listed(world: World) -> None:
    """Of kinds outside of namespaces each object is asked for; a Role can allow that, but no LIST."""
    world.cluster.forbidden = {"Namespace"}
    home = make_body("Namespace", "home", namespace="")
    observed = observe(world, home)
    assert (list(observed.live), observed.unread) == ([make_manifest(home).ref], {})


def test_a_kind_whose_server_is_away_is_unread(world: World) -> None:
    """In the tree or in the inventory: it cannot be known what is there, so nothing is created or pruned."""
    world.cluster.away = {GROUP}
    why = f"what serves Widget of {GROUP} does not answer the API server"
    assert observe(world, make_widget("a")).unread == {(GROUP, "Widget", HOME): why}
    assert observe(world, remembered=(widget_ref("a"),)).unread == {(GROUP, "Widget", HOME): why}


def test_a_kind_that_comes_with_this_pass_is_not_asked_for(world: World) -> None:
    """Its definition is in the same tree; nothing of it can exist yet."""
    observed = observe(world, DEFINITION, make_widget("a"))
    assert not any("Widget" in line for line in world.log)
    assert observed.unread == {}


def test_a_remembered_kind_that_is_not_served_is_unread(world: World) -> None:
    """Its API may be away for a while; that is no proof that the objects are gone."""
    observed = observe(world, remembered=(widget_ref("a"),))
    assert observed.unread == {(GROUP, "Widget", HOME): "the API server serves no Widget at present"}


def test_an_object_that_cannot_be_read_makes_its_place_unread(world: World) -> None:
    """Its LIST was answered, the GET after it was not."""
    world.hooks.before = lambda verb, _what: ClusterError("no answer") if verb == "get" else None
    assert observe(world, make_config_map("a")).unread == {("", "ConfigMap", HOME): "no answer"}


def test_a_kind_whose_api_is_away_is_not_forgotten(world: World) -> None:
    """What left the tree meanwhile is still pruned when the API, an aggregated one for example, is back."""
    api = (f"{GROUP}/v1", "Widget")
    world.cluster.served.add(api)
    world.run(make_tree({"redis": [make_widget("a"), make_widget("b")]}), "c1")
    world.cluster.served.discard(api)
    fewer = make_tree({"redis": [make_widget("a")]})
    world.cluster.away = {GROUP}
    report = world.run(fewer, "c2", Options(allow_prune=True))
    assert report.errors == ("nothing is pruned, because Widget could not be read",)
    assert widget_ref("b") in world.state().entries
    world.cluster.away = set()
    world.cluster.served.add(api)
    assert world.run(fewer, "c2").exit_code == 0
    assert world.names("Widget") == ["a"]


def test_a_kind_that_is_served_no_more_is_forgotten_on_demand(world: World) -> None:
    """Its definition was deleted by hand, or by an upgrade: the refusal says what ends it, and that does."""
    api = (f"{GROUP}/v1", "Widget")
    world.cluster.served.add(api)
    maps = [make_config_map("a", service="redis"), make_config_map("b", service="redis")]
    world.run(make_tree({"redis": [*maps, make_widget("a")]}), "c1")
    world.cluster.served.discard(api)
    del world.cluster.objects[widget_ref("a")]
    fewer = make_tree({"redis": maps[:1]})
    (refusal,) = world.run(fewer, "c2").errors
    assert "serves no Widget; if that is gone for good, --allow-prune forgets what was of it" in refusal
    assert world.names("ConfigMap") == ["a", "b"]
    assert world.run(fewer, "c2", Options(allow_prune=True)).exit_code == 0
    assert world.names("ConfigMap") == ["a"]
    assert world.run(fewer, "c2").exit_code == 0
    assert widget_ref("a") not in world.state().entries


WIDGETS = make_tree({"redis": [DEFINITION, make_widget("a"), make_widget("b")]})


def test_a_definition_that_was_deleted_comes_back_with_its_objects(world: World) -> None:
    """In one pass: the definition first, then what it defines."""
    world.run(WIDGETS, "c1")
    for ref in [each for each in world.cluster.objects if each.kind in {"Widget", "CustomResourceDefinition"}]:
        del world.cluster.objects[ref]
    world.cluster.served.discard((f"{GROUP}/v1", "Widget"))
    assert world.run(WIDGETS, "c1").exit_code == 0
    assert world.names("Widget") == ["a", "b"]


def test_a_version_that_is_not_served_yet_hides_no_object(world: World) -> None:
    """The tree goes to v2, whose definition comes with this pass; until then the objects are read as v1."""
    world.run(WIDGETS, "c1")
    observed = observe(world, make_widget("a", version="v2"), remembered=(widget_ref("a"), widget_ref("b")))
    assert {widget_ref("a"), widget_ref("b")} <= observed.live.keys()


def test_pods_are_listed_by_namespace(world: World) -> None:
    """Once each; where they could not be, it is said why."""
    assert list_pods(world.cluster, ["b", "a", "b"]) == {"a": [], "b": []}
    world.cluster.forbidden = {"Pod"}
    assert {name: str(why) for name, why in list_pods(world.cluster, ["a"]).items()} == {"a": "Pod is forbidden"}
