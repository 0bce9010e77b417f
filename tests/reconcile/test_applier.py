"""applier: the order of asking and writing, and what is done about fields that others own."""

from collections.abc import Callable

import pytest

from jsorc_gitops.errors import ClusterError
from jsorc_gitops.reconcile.applier import Outcome, apply_steps
from jsorc_gitops.reconcile.plan import Action, Step
from jsorc_gitops.reconcile.ports import Options
from jsorc_gitops.reconcile.replan import ATTEMPTS
from tests.reconcile.builders import (
    Body,
    make_body,
    make_config_map,
    make_deployment,
    make_manifest,
    make_ref,
    make_tree,
)
from tests.reconcile.world import FakeClock, World

MAP = make_ref("ConfigMap", "redis")
WEB = make_ref("Deployment", "web", group="apps")
WEB_TREE = make_tree({"web": [make_deployment("web", service="web"), make_config_map("web", service="web")]})
DEFINITION = make_body(
    "CustomResourceDefinition",
    "widgets",
    namespace="",
    apiVersion="apiextensions.k8s.io/v1",
    spec={
        "group": "example.com",
        "names": {"kind": "Widget"},
        "versions": [{"name": "v1", "served": True}, {"name": "v0", "served": False}],
    },
)
WIDGET = make_body("Widget", "a", apiVersion="example.com/v1")


def make_step(body: Body, action: Action = Action.CREATE, live: Body | None = None) -> Step:
    manifest = make_manifest(body)
    return Step(ref=manifest.ref, service=manifest.service, action=action, manifest=manifest, live=live)


def apply(world: World, *steps: Step) -> list[Outcome]:
    return apply_steps(world.make_pass(make_tree({})), steps, lambda _: None)


def test_stages_are_written_whole_in_their_order(world: World) -> None:
    """Definitions, classes, objects, webhooks; each is dry-run whole before its first write."""
    bodies = [
        make_body("ValidatingWebhookConfiguration", "w", namespace=""),
        make_config_map("b"),
        make_config_map("a"),
        make_body("StorageClass", "s", namespace=""),
        make_body("Namespace", "else", namespace=""),
    ]
    world.cluster.served |= {("v1", body["kind"]) for body in bodies}
    apply(world, *map(make_step, bodies))
    assert [line for line in world.log if line != "lease check"] == [
        "dry-run Namespace/else",
        "apply Namespace/else",
        "dry-run StorageClass/s",
        "apply StorageClass/s",
        "dry-run ConfigMap/home/a",
        "dry-run ConfigMap/home/b",
        "apply ConfigMap/home/a",
        "apply ConfigMap/home/b",
        "dry-run ValidatingWebhookConfiguration/w",
        "apply ValidatingWebhookConfiguration/w",
    ]


def test_a_definition_is_waited_for_before_its_objects(world: World) -> None:
    """Until it is established; then discovery learns its kind, in the same pass."""
    world.cluster.stuck = {"widgets"}

    class Establishing(FakeClock):
        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            world.cluster.establish("widgets")

    world.clock = Establishing(world.log)
    outcomes = apply(world, make_step(WIDGET), make_step(DEFINITION))
    assert [each.result.error for each in outcomes] == ["", ""]
    assert world.log.index("sleep") < world.log.index("dry-run Widget/home/a")


def test_a_definition_that_is_never_established_is_not_waited_for_for_ever(world: World) -> None:
    """A minute; its objects then fail, each with the server's word."""
    world.cluster.stuck = {"widgets"}
    definition, widget = apply(world, make_step(WIDGET), make_step(DEFINITION))
    assert (definition.result.error, widget.result.error) == ("", "the API server serves no Widget")
    assert 60 / 0.1 - 2 < world.log.count("sleep") < 60 / 0.1 + 2


def test_discovery_is_read_until_it_has_what_is_established(world: World) -> None:
    """It follows some milliseconds later, and an object of the kind must not fail for that."""
    world.cluster.lag = 2
    outcomes = apply(world, make_step(WIDGET), make_step(DEFINITION))
    assert [each.result.error for each in outcomes] == ["", ""]
    assert world.log.count("sleep") == 2


def test_a_definition_that_failed_is_not_waited_for(world: World) -> None:
    """It would never be there."""
    world.hooks.before = lambda verb, _: ClusterError("no room", status=403) if verb == "dry-run" else None
    apply(world, make_step(DEFINITION))
    assert world.log.count("sleep") == 0


def test_an_unchanged_definition_is_not_waited_for(world: World) -> None:
    """Nothing to do stays nothing to do."""
    live = world.cluster.put(DEFINITION)
    apply(world, make_step(DEFINITION, Action.UNCHANGED, live))
    assert world.log == ["lease check"]


def edit(world: World, manager: str, value: int = 3) -> None:
    world.cluster.edit(WEB, ("spec", "replicas"), value, manager=manager)


def test_a_persons_change_is_taken_back_by_force(world: World) -> None:
    """Asked without force first, so that its owner is known before it is overridden."""
    world.run(WEB_TREE)
    edit(world, "kubectl-edit")
    world.run(WEB_TREE)
    assert [line for line in world.log if "Deployment/" in line] == ["dry-run Deployment/home/web"] * 2 + [
        "apply Deployment/home/web"
    ]
    assert world.cluster.objects[WEB]["spec"]["replicas"] == 1


def test_a_strangers_change_is_refused_with_field_owner_and_both_values(world: World) -> None:
    """Nothing is written to the object, nor to the others of its service."""
    world.run(WEB_TREE)
    edit(world, "operator")
    world.cluster.edit(make_ref("ConfigMap", "web"), ("data", "key"), "drift")
    report = world.run(WEB_TREE)
    refused = next(each for each in report.objects if each.ref == WEB)
    assert refused.action is Action.REFUSE
    assert refused.reason.startswith(".spec.replicas is set by operator to 3, git says 1; ")
    assert (world.writes, report.exit_code) == ([], 1)


NEW_WEB = make_tree(
    {
        "web": [
            make_deployment("web", service="web", image="image:2"),
            make_config_map("web", service="web", key="new"),
        ]
    }
)


def test_a_refusal_holds_a_sibling_whose_plan_was_stale(world: World) -> None:
    """It is asked about again, and then is no freer than it would have been."""
    world.run(WEB_TREE)
    edit(world, "operator")
    sibling = make_ref("ConfigMap", "web")

    def note() -> None:
        world.cluster.edit(sibling, ("metadata", "annotations", "note"), "now", manager="controller")

    on(world, "dry-run", str(sibling), note)
    report = world.run(NEW_WEB)
    told = next(each for each in report.objects if each.ref == sibling)
    assert (told.error, world.writes) == ("left as it is, because others of web failed", [])


def test_a_plan_that_is_refused_once_it_is_made_anew_holds_its_siblings(world: World) -> None:
    """Nothing of a stage is written before all of it has an answer that is not stale."""
    world.run(WEB_TREE)

    def take() -> None:
        world.cluster.edit(WEB, ("spec", "template", "spec", "containers"), "theirs", manager="operator")

    on(world, "dry-run", str(WEB), take)
    report = world.run(NEW_WEB)
    assert next(each for each in report.objects if each.ref == WEB).action is Action.REFUSE
    assert world.writes == []


def test_a_refusal_holds_a_sibling_whose_write_was_stale(world: World) -> None:
    """What failed in writing is remembered for what is still to be written of its service."""
    world.run(WEB_TREE)
    sibling = make_ref("ConfigMap", "web")

    def change(verb: str, what: str) -> ClusterError | None:
        if (verb, what) == ("apply", str(sibling)):
            world.cluster.edit(sibling, ("metadata", "annotations", "note"), "now", manager="controller")
        return ClusterError("no room", status=403) if (verb, what) == ("apply", str(WEB)) else None

    world.hooks.before = change
    report = world.run(NEW_WEB)
    errors = {each.ref: each.error for each in report.objects if each.is_bad}
    assert errors == {WEB: "no room", sibling: "left as it is, because others of web failed"}
    assert world.cluster.objects[sibling]["data"] == {"key": "value"}


def test_a_refusal_holds_the_later_stages_of_its_service(world: World) -> None:
    """A webhook that nobody serves would have the requests of all others fail; other services go on."""
    kind = "ValidatingWebhookConfiguration"
    world.cluster.served.add(("v1", kind))
    world.cluster.put(make_deployment("web"), "operator")
    hooks = {name: make_body(kind, name, service=name, namespace="") for name in ("web", "other")}
    tree = make_tree({"web": [make_deployment("web", service="web"), hooks["web"]], "other": [hooks["other"]]})
    for dry_run in (True, False):
        report = world.run(tree, "c1", Options(dry_run=dry_run))
        told = {each.ref.name: each.error for each in report.objects if each.ref.kind == kind}
        assert told == {"web": "left as it is, because others of web failed", "other": ""}
    assert world.names(kind) == ["other"]


def test_a_strangers_field_is_not_overridden_beside_a_persons(world: World) -> None:
    """Force takes all or nothing, so one refusal keeps the whole object as it is."""
    world.run(WEB_TREE)
    edit(world, "operator")
    world.cluster.edit(WEB, ("spec", "template", "metadata", "labels", "app"), "x")
    world.run(WEB_TREE)
    assert world.cluster.objects[WEB]["spec"]["replicas"] == 3


def test_a_scaled_field_is_not_overridden_beside_a_persons(world: World) -> None:
    """It is left out of what is forced."""
    world.run(WEB_TREE)
    world.cluster.edit(WEB, ("spec", "replicas"), 3, manager="kube-controller-manager", subresource="scale")
    world.cluster.edit(WEB, ("spec", "template", "metadata", "labels", "app"), "x")
    world.run(WEB_TREE)
    spec = world.cluster.objects[WEB]["spec"]
    assert (spec["replicas"], spec["template"]["metadata"]["labels"]) == (3, {"app": "web"})


def test_what_only_looks_changed_is_not_written(world: World) -> None:
    """A fingerprint that is lost costs one dry-run, once."""
    world.run(WEB_TREE)
    del world.cluster.objects[make_ref("ConfigMap", "jsorc.state.default")]
    report = world.run(WEB_TREE)
    assert {each.action for each in report.objects} == {Action.UNCHANGED}
    assert world.writes == ["create ConfigMap/home/jsorc.state.default"]


def test_a_field_that_another_set_to_our_value_becomes_ours_again(world: World) -> None:
    """Else it would go with its other owner one day."""
    world.run(WEB_TREE)
    edit(world, "operator", 1)
    world.run(WEB_TREE)
    assert world.writes == ["apply Deployment/home/web"]


def on(world: World, verb: str, what: str, do: Callable[[], object], *, times: int = 1) -> None:
    """Before this call, so many times, somebody else does something."""
    left = times

    def hook(asked: str, ref: str) -> None:
        nonlocal left
        if (asked, ref) == (verb, what) and left:
            left -= 1
            do()

    world.hooks.before = hook


def touch(world: World) -> None:
    """A controller writes something that is not ours."""
    world.cluster.edit(
        MAP, ("metadata", "annotations", "note"), str(world.cluster.requests), manager="controller"
    )


def run_changed(world: World, verb: str, do: Callable[[], object], *, times: int = 1) -> tuple[Action, str]:
    """Apply a new value while somebody else works on the object; what is reported of it."""
    world.run(make_tree({"redis": [make_config_map("redis", service="redis")]}))
    on(world, verb, "ConfigMap/home/redis", do, times=times)
    changed = make_tree({"redis": [make_config_map("redis", service="redis", key="new")]})
    result = next(each for each in world.run(changed).objects if each.ref == MAP)
    return result.action, result.error


@pytest.mark.parametrize("verb", ["dry-run", "apply"])
@pytest.mark.parametrize("times", [1, ATTEMPTS - 1])
def test_a_stale_plan_is_made_anew(world: World, verb: str, times: int) -> None:
    """Controllers write all the time; the object is read again and asked about again."""
    assert run_changed(world, verb, lambda: touch(world), times=times) == (Action.CONFIGURE, "")
    assert world.cluster.objects[MAP]["data"] == {"key": "new"}


@pytest.mark.parametrize("verb", ["dry-run", "apply"])
def test_a_plan_that_is_always_stale_is_given_up(world: World, verb: str) -> None:
    """Bounded: the next pass tries again."""
    action, error = run_changed(world, verb, lambda: touch(world), times=99)
    assert (action, error) == (Action.CONFIGURE, "the object has been modified")
    assert world.log.count(f"{verb} ConfigMap/home/redis") == ATTEMPTS


@pytest.mark.parametrize(("manager", "action"), [("kubectl-edit", Action.CONFIGURE), ("operator", Action.REFUSE)])
def test_a_field_that_is_set_meanwhile_is_judged_by_who_did(world: World, manager: str, action: Action) -> None:
    """The server names the field; its owner stands in the object as it is now, which is read again."""

    def set_ours() -> None:
        world.cluster.edit(MAP, ("data", "key"), "theirs", manager=manager)

    assert run_changed(world, "dry-run", set_ours) == (action, "")


def test_a_stale_object_that_cannot_be_read_again_fails_alone(world: World) -> None:
    """The server stopped answering between the two questions."""

    def change(verb: str, what: str) -> ClusterError | None:
        if (verb, what) == ("dry-run", "ConfigMap/home/redis"):
            touch(world)
        return ClusterError("no answer") if (verb, what) == ("get", "ConfigMap/home/redis") else None

    world.run(make_tree({"redis": [make_config_map("redis", service="redis")]}))
    world.hooks.before = change
    report = world.run(make_tree({"redis": [make_config_map("redis", service="redis", key="new")]}))
    assert [each.error for each in report.objects if each.is_bad] == ["no answer"]


def test_an_object_that_was_deleted_meanwhile_is_created(world: World) -> None:
    """Not resurrected by an apply that carries its uid, but planned as new."""
    assert run_changed(world, "dry-run", lambda: world.cluster.objects.pop(MAP)) == (Action.CREATE, "")


def test_an_object_that_was_made_anew_meanwhile_is_not_taken(world: World) -> None:
    """Somebody else's, under the same name."""

    def replace() -> None:
        del world.cluster.objects[MAP]
        world.cluster.put(make_config_map("redis", key="theirs"))

    assert run_changed(world, "dry-run", replace)[0] is Action.REFUSE
    assert world.cluster.objects[MAP]["data"] == {"key": "theirs"}


@pytest.mark.parametrize("value", ["value", "theirs"], ids=["equal", "other"])
def test_an_object_that_appears_meanwhile_is_not_taken(world: World, value: str) -> None:
    """An apply of a new object carries no precondition; with equal values it would take it silently."""
    body = make_config_map("redis", service="redis")
    on(world, "dry-run", "ConfigMap/home/redis", lambda: world.cluster.put(make_config_map("redis", key=value)))
    report = world.run(make_tree({"redis": [body]}))
    assert next(each.action for each in report.objects if each.ref == MAP) is Action.REFUSE
    assert world.cluster.objects[MAP]["data"] == {"key": value}


@pytest.mark.parametrize("status", [0, 500, 504])
def test_an_answer_that_did_not_come_leaves_the_object_expected(world: World, status: int) -> None:
    """The write was carried out, but nobody said so: the next pass finds it, and nothing is orphaned."""

    def lose(verb: str, what: str) -> None:
        if (verb, what) == ("apply", "ConfigMap/home/redis"):
            raise ClusterError("no answer", status=status)

    world.hooks.after = lose
    tree = make_tree({"redis": [make_config_map("redis", service="redis")]})
    assert world.run(tree).exit_code == 1
    assert world.state().entries[MAP].uid == ""
    world.survive()
    world.run(make_tree({"other": [make_config_map("other", service="other")]}), "c2")
    assert world.names("ConfigMap") == ["other"]
