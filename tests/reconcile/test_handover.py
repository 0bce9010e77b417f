"""handover: what is released to Flux or Argo CD, and when; what adopting takes back, and what it leaves alone."""

from copy import deepcopy
from typing import Any

import pytest

from jsorc_gitops.errors import ClusterError, LeaseHeldError, RefusedError
from jsorc_gitops.model.objects import ObjectRef
from jsorc_gitops.model.policy import ApplyPolicy
from jsorc_gitops.model.tree import Tree
from jsorc_gitops.reconcile.handover import adopt_tree, release_tree
from jsorc_gitops.reconcile.inventory import PART_OF_LABEL
from jsorc_gitops.reconcile.migration import subtract_fields
from jsorc_gitops.reconcile.neighbours import find_keepers
from jsorc_gitops.reconcile.plan import Action
from jsorc_gitops.reconcile.ports import Options
from jsorc_gitops.reconcile.report import Report
from jsorc_gitops.reconcile.syncers import Syncer
from tests.reconcile.builders import Body, make_body, make_config_map, make_deployment, make_ref, make_tree
from tests.reconcile.hooks import Killed
from tests.reconcile.merging import find_leaves, make_fields
from tests.reconcile.world import World

FLUX = "kustomize.toolkit.fluxcd.io"
MARKS = {f"{FLUX}/name": "app", f"{FLUX}/namespace": "flux-system"}
KEEPER = make_ref("Kustomization", "app", group=FLUX, namespace="flux-system")
BODIES = [make_config_map("redis", service="redis"), make_deployment("redis", service="redis")]
OURS = make_tree({"redis": BODIES})
THEIRS = make_tree({"redis": BODIES}, applier="flux")
MAP, DEPLOYMENT = make_ref("ConfigMap", "redis"), make_ref("Deployment", "redis", group="apps")
STOP = "kubectl -n flux-system patch kustomizations.kustomize.toolkit.fluxcd.io app"


class Handover(World):
    """A world in which Flux can be played, by the labels, the managedFields and the inventory that it leaves."""

    def __init__(self) -> None:
        super().__init__()
        self.cluster.served.add((f"{FLUX}/v1", "Kustomization"))
        self.run(OURS)

    def sync(self, tree: Tree = THEIRS, *, operation: str = "Apply", suspend: bool = False) -> None:
        """Have Flux apply all of a tree, as it is, beside us."""
        for ref, manifest in tree.manifests.items():
            body = deepcopy(self.cluster.objects.get(ref) or dict(manifest.body))
            body["metadata"]["labels"] |= MARKS
            said = {**manifest.body, "metadata": {**manifest.body["metadata"]}}
            said["metadata"]["labels"] = {**said["metadata"]["labels"], **MARKS}
            entry = {
                "manager": "kustomize-controller",
                "operation": operation,
                "apiVersion": manifest.api_version,
            }
            entries = [e for e in body["metadata"].get("managedFields", ()) if e["manager"] != entry["manager"]]
            body["metadata"]["managedFields"] = [*entries, {**entry, "fieldsV1": make_fields(find_leaves(said))}]
            self.cluster.objects[ref] = body
            self.cluster.edit(ref, ("metadata", "generation"), 1, manager="the-server")
        self.keep(*tree.manifests, suspend=suspend)

    def keep(self, *refs: ObjectRef, suspend: bool = False) -> None:
        ids = [{"id": f"{each.namespace}_{each.name}_{each.group}_{each.kind}"} for each in refs]
        metadata = {"name": KEEPER.name, "namespace": KEEPER.namespace}
        status = {"inventory": {"entries": ids}}
        body = {"apiVersion": f"{FLUX}/v1", "kind": KEEPER.kind, "metadata": metadata, "status": status}
        self.cluster.objects[KEEPER] = {**body, "spec": {"suspend": suspend}}

    def release(self, tree: Tree = THEIRS, revision: str = "c2", **options: Any) -> Report:
        self.log.clear()
        return release_tree(tree, revision, self.doors(), Options(**options))

    def adopt(self, tree: Tree = OURS, revision: str = "c3", **options: Any) -> Report:
        self.log.clear()
        return adopt_tree(tree, revision, self.doors(), Options(**options))

    def managers(self, ref: ObjectRef = MAP) -> set[str]:
        entries = self.cluster.objects[ref]["metadata"]["managedFields"]
        return {each["manager"] for each in entries if each["manager"] != "the-server"}

    def labels(self, ref: ObjectRef = MAP) -> Body:
        return dict(self.cluster.objects[ref]["metadata"]["labels"])

    def contents(self) -> dict[ObjectRef, Body]:
        """Everything but metadata, and the uids."""
        return {
            ref: {key: each for key, each in body.items() if key != "metadata"} | {"uid": body["metadata"]["uid"]}
            for ref, body in self.cluster.objects.items()
            if ref.kind in {"ConfigMap", "Deployment", "Pod"} and not ref.name.startswith("jsorc.")
        }


@pytest.fixture
def world() -> Handover:
    """OURS was applied at c1."""
    return Handover()


def find(report: Report, ref: ObjectRef = MAP) -> str:
    """What a report says was done with an object, and why."""
    (result,) = [each for each in report.objects if each.ref == ref]
    return f"{result.action}: {result.error or result.reason}"


def test_what_flux_owns_too_is_released(world: Handover) -> None:
    """Entry and part-of label go, all else stays; the state forgets it and keeps the commit."""
    world.sync()
    before = world.contents()
    report = world.release()
    assert (report.exit_code, {each.action for each in report.objects}) == (0, {Action.RELEASE})
    assert world.managers() == world.managers(DEPLOYMENT) == {"kustomize-controller"}
    assert PART_OF_LABEL not in world.labels()
    assert world.labels().items() >= MARKS.items()
    assert world.contents() == before
    state = world.state()
    assert (state.entries, state.revision, state.settled) == ({}, "c2", "c2")


def test_again_there_is_nothing_to_do(world: Handover) -> None:
    """No write at all, not even of the state."""
    world.sync()
    world.release()
    assert (world.release().objects, world.writes) == ((), [])


def test_who_alone_owns_keeps(world: Handover) -> None:
    """Where Flux has applied nothing yet, all stays ours, and nothing is written."""
    report = world.release()
    assert report.exit_code == 1
    assert find(report) == "refuse: Flux has not applied it yet"
    assert world.managers() == {"jsorc"}
    assert world.writes == []


def test_one_field_is_enough_to_keep(world: Handover) -> None:
    """It is named; the others go over, and the state has the one that stays; another run takes it."""
    world.sync()
    entry = world.cluster.objects[DEPLOYMENT]["metadata"]["managedFields"][1]
    removed = entry["fieldsV1"]["f:spec"].pop("f:replicas")
    report = world.release()
    why = "refuse: .spec.replicas is set by jsorc alone: Flux has not applied what HEAD says yet"
    assert (report.exit_code, find(report, DEPLOYMENT)) == (1, why)
    assert world.state().entries.keys() == {DEPLOYMENT}
    assert world.managers() == {"kustomize-controller"}
    world.cluster.objects[DEPLOYMENT]["metadata"]["managedFields"][1]["fieldsV1"]["f:spec"]["f:replicas"] = (
        removed
    )
    assert world.release().exit_code == 0
    assert world.managers(DEPLOYMENT) == {"kustomize-controller"}


def test_a_mark_that_nobody_stands_behind_is_none(world: Handover) -> None:
    """Flux has applied it, but its Kustomization is gone: nobody would apply it."""
    world.sync()
    del world.cluster.objects[KEEPER]
    assert find(world.release()) == "refuse: Flux has not applied it yet"


def test_what_git_dropped_meanwhile_becomes_theirs(world: Handover) -> None:
    """It is ours alone by then, so it goes over to Flux, whose next apply takes it away."""
    dropped = make_tree(
        {"redis": [make_config_map("redis", service="redis", other="1"), BODIES[1]]}, applier="flux"
    )
    world.sync(dropped)
    assert world.release(dropped).exit_code == 0
    entries = world.cluster.objects[MAP]["metadata"]["managedFields"]
    (theirs,) = [each for each in entries if each["manager"] == "kustomize-controller"]
    assert theirs["fieldsV1"]["f:data"].keys() == {"f:other", "f:key"}
    assert f"f:{PART_OF_LABEL}" not in theirs["fieldsV1"]["f:metadata"]["f:labels"]


def test_what_is_not_applied_on_the_server_stays(world: Handover) -> None:
    """Who updates owns only what it changes: to wait for more is in vain, so it says what to do."""
    dropped = make_tree(
        {"redis": [make_config_map("redis", service="redis", other="1"), BODIES[1]]}, applier="flux"
    )
    world.sync(dropped, operation="Update")
    why = "refuse: .data.key is set by jsorc alone, and Flux does not apply on the server"
    assert find(world.release(dropped)).startswith(why)
    assert world.managers() == {"jsorc", "kustomize-controller"}


KEPT = make_body("PersistentVolumeClaim", "data", service="redis", spec={"size": 1})


def test_what_left_git_meanwhile(world: Handover) -> None:
    """Data is let go of as in a pass; the rest stays ours, since Flux never knew it."""
    world.run(make_tree({"redis": [*BODIES, KEPT, make_config_map("old", service="redis")]}), "c1")
    world.sync()
    report = world.release()
    claim, old = make_ref("PersistentVolumeClaim", "data"), make_ref("ConfigMap", "old")
    assert find(report, claim) == "release: no longer in the tree; kept, it is yours to delete"
    assert find(report, old) == "refuse: is no longer in git, and Flux does not know it; delete it by hand"
    assert world.state().entries.keys() == {old}
    del world.cluster.objects[old]
    assert world.release().exit_code == 0
    assert world.state().entries == {}


def test_what_another_set_took_over_is_left_alone(world: Handover) -> None:
    """It is forgotten, and its marks are not ours to take off."""
    world.sync()
    world.cluster.edit(MAP, ("metadata", "labels", PART_OF_LABEL), "applyset-another-v1")
    assert find(world.release()) == "unchanged: "
    assert "jsorc" in world.managers()
    assert world.state().entries == {}


def test_a_lost_state(world: Handover) -> None:
    """What carries our marks is released though no state knows it."""
    world.sync()
    del world.cluster.objects[make_ref("ConfigMap", "jsorc.state.default")]
    assert world.release().exit_code == 0
    assert world.managers() == world.managers(DEPLOYMENT) == {"kustomize-controller"}


def test_what_cannot_be_read_stays(world: Handover) -> None:
    """Nothing is known of it, so it is not forgotten."""
    world.sync()
    world.cluster.forbidden.add("ConfigMap")
    report = world.release()
    assert (report.exit_code, find(report)) == (1, "release: ConfigMap is forbidden")
    assert MAP in world.state().entries
    assert DEPLOYMENT not in world.state().entries


def test_a_dry_run_writes_nothing(world: Handover) -> None:
    """Nor does it take the lease."""
    world.sync()
    report = world.release(dry_run=True)
    assert (find(report), report.dry_run) == ("release: ", True)
    assert world.writes == []
    assert not any(line.startswith("lease") for line in world.log)


def test_written_meanwhile(world: Handover) -> None:
    """An object whose status somebody wrote is looked at again; one that Flux forgot meanwhile stays ours."""
    world.sync()

    def disturb(verb: str, what: str) -> None:
        if (verb, what) == ("patch", str(DEPLOYMENT)):
            world.survive()
            world.cluster.edit(DEPLOYMENT, ("status", "replicas"), 2, manager="kubelet")

    def forget(verb: str, what: str) -> None:
        if (verb, what) == ("patch", str(MAP)):
            world.hooks.before = disturb
            world.cluster.edit(MAP, ("metadata", "annotations"), {"a": "b"})
            world.keep(DEPLOYMENT, *(ref for ref in THEIRS.manifests if ref.name.startswith("jsorc.")))

    world.hooks.before = forget
    report = world.release()
    assert (find(report), find(report, DEPLOYMENT)) == ("refuse: Flux has not applied it yet", "release: ")
    assert (world.managers(DEPLOYMENT) & {"jsorc"}, world.managers() & {"jsorc"}) == (set(), {"jsorc"})


@pytest.mark.parametrize(("number", "done"), [(n, done) for n in range(5) for done in (False, True)])
def test_killed_anywhere_nothing_is_lost(world: Handover, number: int, *, done: bool) -> None:
    """At each of four objects, and at the state: what is still ours is known, and the next run ends it."""
    world.sync()
    before = world.contents()
    world.kill_at(number, done=done)
    with pytest.raises(Killed):
        world.release()
    ours = {ref for ref in OURS.manifests if PART_OF_LABEL in world.labels(ref)}
    assert ours <= world.state().entries.keys()
    assert world.release().exit_code == 0
    assert (world.state().entries, world.contents()) == ({}, before)
    assert not any("jsorc" in world.managers(ref) for ref in OURS.manifests)


def test_without_the_lease_nothing_is_released(world: Handover) -> None:
    """A pass may be at work."""
    world.sync()
    world.lease.checks = 0
    with pytest.raises(LeaseHeldError):
        world.release()
    assert world.writes == []


def test_only_what_somebody_else_applies_is_released(world: Handover) -> None:
    """With `applier: jsorc` nobody would."""
    with pytest.raises(
        RefusedError, match=r"`applier` of tree default is jsorc at HEAD, .* set it to flux or argocd"
    ):
        world.release(OURS)


def test_a_clone_that_is_behind_releases_nothing(world: Handover) -> None:
    """As it applies nothing."""
    world.history.touching = {"c3"}
    world.run(OURS, "c3")
    with pytest.raises(RefusedError, match="is older than"):
        world.release(THEIRS, "c2")


@pytest.fixture
def flux(world: Handover) -> Handover:
    """Released to Flux, which was suspended since."""
    world.sync()
    world.release()
    world.sync(suspend=True)
    return world


def test_adopting_takes_all_back(flux: Handover) -> None:
    """What they have set goes, their labels first of all; the next pass has nothing to do."""
    before = flux.contents()
    report = flux.adopt()
    assert {each.action for each in report.objects} == {Action.ADOPT}
    assert (flux.managers(), flux.labels()[PART_OF_LABEL][:8]) == ({"jsorc"}, "applyset")
    assert not flux.labels().keys() & MARKS.keys()
    assert flux.contents() == before
    assert flux.state().entries.keys() == OURS.manifests.keys()
    assert flux.run(OURS, "c3").exit_code == 0
    assert flux.writes == []


def test_a_pass_tells_who_is_at_rest(flux: Handover) -> None:
    """What it leaves to them nobody applies then; what takes it over is named, once."""
    report = flux.run(OURS, "c3")
    assert {each.action for each in report.objects} == {Action.YIELD}
    number = len(OURS.manifests)
    said = f"is at rest, and nobody applies what it kept ({number} of this tree): jsorc adopt"
    assert report.warnings == (f"Kustomization flux-system/app {said}",)
    flux.keep(*OURS.manifests)
    assert flux.run(OURS, "c3").warnings == ()


def test_it_tells_what_to_delete_then(flux: Handover) -> None:
    """By its name, once."""
    (told,) = flux.adopt().warnings
    assert told == (
        "Kustomization flux-system/app is at rest; when all it kept is adopted, delete it: "
        "kubectl -n flux-system delete kustomizations.kustomize.toolkit.fluxcd.io app"
    )
    assert flux.adopt().warnings == ()


def test_what_was_never_released_loses_the_marks_too(world: Handover) -> None:
    """It is ours by the inventory, and theirs as well."""
    world.sync(suspend=True)
    assert find(world.adopt()) == "adopt: applied by Flux or Argo CD before"
    assert world.managers() == {"jsorc"}


def test_who_is_at_work_is_not_disturbed(flux: Handover) -> None:
    """It is refused whole, with what puts it to rest; a dry run, too."""
    flux.keep(*OURS.manifests)
    for dry_run in (True, False):
        with pytest.raises(
            RefusedError, match=f"Kustomization flux-system/app is at work; suspend it .*: {STOP}"
        ):
            flux.adopt(dry_run=dry_run)
    assert flux.writes == []


@pytest.mark.parametrize("when", ["dry-run", "patch", "apply"])
def test_who_is_resumed_meanwhile_keeps_what_it_writes(flux: Handover, when: str) -> None:
    """Between the plan and the dry-run, what makes its fields ours, and the apply."""

    def resume(verb: str, what: str) -> None:
        if (verb, what) == (when, str(MAP)):
            flux.survive()
            flux.sync()

    flux.hooks.before = resume
    assert find(flux.adopt()) == "yield: Kustomization flux-system/app applies it"


def test_it_only_takes_over(flux: Handover) -> None:
    """Nothing is pruned, reset, or made anew; the next pass does."""
    flux.adopt()
    flux.sync(suspend=True)
    tree = make_tree({"redis": [BODIES[1]]})
    assert MAP not in {each.ref for each in flux.adopt(tree, "c4").objects}
    assert MAP in flux.cluster.objects
    assert not any(line.startswith(("state", "reset", "delete")) for line in flux.log)


def test_only_what_jsorc_applies_is_adopted(flux: Handover) -> None:
    """With `applier: flux` no pass would go on with it."""
    with pytest.raises(RefusedError, match=r"is flux at HEAD, .* set it to jsorc"):
        flux.adopt(THEIRS)


def test_a_clone_of_before_neither_applies_nor_adopts(flux: Handover) -> None:
    """The commit of the release is known, so a machine that was not pulled undoes nothing."""
    with pytest.raises(RefusedError, match="is older than"):
        flux.adopt(OURS, "c1")
    with pytest.raises(RefusedError, match="is older than"):
        flux.run(OURS, "c1")


def test_an_application_is_deleted_without_what_it_kept() -> None:
    """Its finalizer would delete that, so it goes first."""
    ref = make_ref("Application", "app", group="argoproj.io", namespace="argocd")
    body = make_body("Application", "app", namespace="argocd", spec={})
    body["metadata"]["finalizers"] = ["resources-finalizer.argocd.argoproj.io"]
    on = "applications.argoproj.io app"
    assert Syncer(ref=ref, body=body).explain_end() == (
        "delete it without its finalizers, which delete what it kept: "
        f'kubectl -n argocd patch {on} --type=merge -p \'{{"metadata": {{"finalizers": null}}}}\' '
        f"&& kubectl -n argocd delete {on}"
    )


@pytest.mark.parametrize(
    ("fields", "others", "left"),
    [
        ({"f:a": {}, "f:b": {}}, {"f:b": {}}, {"f:a": {}}),
        ({"f:a": {"f:b": {}}}, {"f:a": {"f:b": {}, "f:c": {}}}, {}),
        ({"f:a": {"f:b": {}, "f:c": {}}}, {"f:a": {"f:b": {}}}, {"f:a": {"f:c": {}}}),
        ({"f:a": {".": {}, "f:b": {}}}, {"f:a": {"f:b": {}}}, {"f:a": {".": {}}}),
        ({"f:a": {}}, {"f:a": {"f:b": {}}}, {"f:a": {}}),
        ({"f:a": {}}, {"f:a": {".": {}, "f:b": {}}}, {}),
        ({"f:a": {"f:b": {}}}, {"f:a": {}}, {"f:a": {"f:b": {}}}),
    ],
)
def test_field_sets_are_subtracted(fields: Body, others: Body, left: Body) -> None:
    """By what each covers: a part is not the thing, nor the thing its parts."""
    assert subtract_fields(fields, others) == left


def test_definitions_that_argocd_does_not_mark(world: Handover) -> None:
    """It leaves no tracking id on them; the Application that lists one keeps it."""
    name, group = "queues.example.com", "apiextensions.k8s.io"
    body = make_body("CustomResourceDefinition", name, namespace="", apiVersion=f"{group}/v1", spec={})
    refs = [make_ref("CustomResourceDefinition", each, group=group, namespace="") for each in (name, "other")]
    body["metadata"]["managedFields"] = [{"manager": "argocd-controller", "operation": "Apply"}]
    app = make_body("Application", "app", namespace="argocd", apiVersion="argoproj.io/v1alpha1", spec={})
    app["status"] = {"resources": [{"group": group, "kind": "CustomResourceDefinition", "name": name}]}
    world.cluster.served.add(("argoproj.io/v1alpha1", "Application"))
    world.cluster.put(app)
    keepers = find_keepers(world.cluster, dict.fromkeys(refs, body))
    assert {ref: str(each) for ref, each in keepers.items()} == {refs[0]: "Application argocd/app"}


@pytest.mark.parametrize(
    ("listed", "suspended", "keeper"),
    [
        (False, False, "Kustomization flux-system/app"),
        (False, True, "Kustomization flux-system/app"),
        (True, False, "Kustomization flux-system/app"),
        (True, True, "Application argocd/app"),
    ],
    ids=["an old mark of Argo CD", "and Flux suspended", "both, Argo CD at rest", "both at rest"],
)
def test_marks_of_both(world: Handover, *, listed: bool, suspended: bool, keeper: str) -> None:
    """Who keeps an object is told by who lists it, and of two that do, who is at work."""
    metadata = BODIES[0]["metadata"] | {
        "labels": MARKS,
        "annotations": {"argocd.argoproj.io/tracking-id": f"app:/ConfigMap:{MAP.namespace}/{MAP.name}"},
        "managedFields": [{"manager": "argocd-controller"}, {"manager": "kustomize-controller"}],
    }
    app = make_body("Application", "app", namespace="argocd", apiVersion="argoproj.io/v1alpha1", spec={})
    resource = {"kind": "ConfigMap", "namespace": MAP.namespace, "name": MAP.name}
    world.cluster.put({**app, "status": {"resources": [resource] if listed else []}})
    world.cluster.served.add(("argoproj.io/v1alpha1", "Application"))
    world.keep(MAP, suspend=suspended)
    found = find_keepers(world.cluster, {MAP: {**BODIES[0], "metadata": metadata}})
    assert str(found[MAP]) == keeper


def test_what_cannot_be_changed_is_not_made_anew(flux: Handover) -> None:
    """Though its service allows passes to."""
    tree = make_tree({"redis": BODIES}, records={"redis": {"policy": ApplyPolicy(recreate=True)}})
    causes = ({"reason": "FieldValueInvalid", "field": "spec.selector"},)
    fixed = ClusterError("immutable", status=422, reason="Invalid", causes=causes)
    flux.hooks.before = lambda *asked: fixed if asked == ("dry-run", str(DEPLOYMENT)) else None
    assert find(flux.adopt(tree), DEPLOYMENT).startswith("refuse: spec.selector cannot be changed in place")
    assert not any(line.startswith("delete") for line in flux.log)


def test_a_namespace_that_was_ours_comes_back(world: Handover) -> None:
    """A pass leaves one that is there already to whoever made it; the tree's own went over, and comes back."""
    ref = make_ref("Namespace", "other", namespace="")
    body = make_body("Namespace", "other", namespace="")
    ours, theirs = (make_tree({"redis": BODIES}, shared=[body], applier=each) for each in ("jsorc", "flux"))
    world.run(ours, "c1")
    world.sync(theirs)
    assert find(world.release(theirs), ref) == "release: "
    world.sync(theirs, suspend=True)
    assert find(world.adopt(ours), ref) == "adopt: applied by Flux or Argo CD before"
    assert world.managers(ref) == {"jsorc"}
