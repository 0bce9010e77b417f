"""impact: what a new tree destroys, moves or leaves behind in a cluster; what it refuses: test_refusals."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jsorc_gitops.model.diff import diff_objects
from jsorc_gitops.model.objects import Manifest, parse_manifest
from jsorc_gitops.model.policy import ApplyPolicy
from jsorc_gitops.model.settings import Settings
from jsorc_gitops.model.tree import make_record_manifest, make_settings_manifest
from jsorc_gitops.render.danger import IMMUTABLE, MOVE, NOTE, REMOVE, RULES, allowed
from jsorc_gitops.render.impact import compute_impact
from jsorc_gitops.render.wording import format_diff
from tests.model.builders import index, make_deployment, make_manifest, make_record
from tests.model.test_masks import VALUES
from tests.render.refusal_cases import CASES, REFUSED, Case, case

OTHER = make_manifest(name="other")
CLAIM = make_manifest("PersistentVolumeClaim", "data")


def impact(old: list[Manifest], new: list[Manifest]) -> list[tuple[str, str, str]]:
    """Rule, object and what happens, beside an object of the service that stays."""
    return [
        (each.rule, str(each.ref), each.message)
        for each in compute_impact(index(OTHER, *old), index(OTHER, *new))
    ]


def make_stateful_set(*, replicas: int | None = 3, **retention: str) -> Manifest:
    spec: dict[str, Any] = {"replicas": replicas, "persistentVolumeClaimRetentionPolicy": retention}
    return make_manifest("StatefulSet", "db", version="apps/v1", spec=spec)


def make_own(service: str = "redis", *, keep_alive: bool = True, namespace: str = "default") -> Manifest:
    record = replace(make_record(service), keep_alive=keep_alive)
    return make_record_manifest(record, Settings(namespace=namespace), "default")


def make_bodies(row: Case) -> list[dict[str, Any]]:
    """Both sides of a row of the table of refusals."""
    return [row.make_body(each, name="x", namespace="default") for each in (row.old, row.new)]


def test_nothing_is_dangerous_in_the_same_tree() -> None:
    """Equal trees, additions and ordinary changes have no dangers."""
    tree = [make_deployment(), CLAIM, make_own()]
    assert impact(tree, tree) == []
    assert impact([], tree) == []
    assert impact(tree, [make_deployment(image="redis:7", replicas=9), CLAIM, make_own()]) == []


@pytest.mark.parametrize(
    ("policy", "told"),
    [
        (ApplyPolicy(), "or give it another name, or say `recreate: allow` in its service.yaml"),
        (ApplyPolicy(recreate=True), "the object is deleted and made anew (recreate: allow)"),
    ],
    ids=["never", "allow"],
)
def test_a_field_that_cannot_change_tells_what_recreate_does(policy: ApplyPolicy, told: str) -> None:
    """In the one case what would help, in the other what will happen; nothing of it where data would go."""
    record = make_record_manifest(replace(make_record("redis"), policy=policy), Settings(), "default")
    deployments = [make_manifest("Deployment", version="apps/v1", spec=select(each)) for each in "ab"]
    [(rule, _, message)] = impact([deployments[0], record], [deployments[1], record])
    assert rule == IMMUTABLE
    assert message.endswith(told)
    claims = [make_manifest("PersistentVolumeClaim", spec={"storageClassName": each}) for each in "ab"]
    assert "recreate" not in impact([claims[0], record], [claims[1], record])[0][2]


def select(app: str) -> dict[str, Any]:
    return {"selector": {"matchLabels": {"app": app}}, "template": {"metadata": {"labels": {"app": app}}}}


@pytest.mark.parametrize(
    ("manifest", "rule", "told"),
    [
        (make_manifest("Service"), REMOVE, "is deleted"),
        (make_manifest("Secret"), REMOVE, "is deleted"),
        (make_deployment("x"), REMOVE, "is deleted, with its pods"),
        (make_manifest("Job", version="batch/v1"), REMOVE, "is deleted, with its pods"),
        (make_stateful_set(whenScaled="Delete"), REMOVE, "is deleted, with its pods"),
        (make_stateful_set(whenDeleted="Delete"), REMOVE, "the data in them"),
        (CLAIM, NOTE, "stays in the cluster"),
        (make_manifest("Namespace", namespace="", service=""), NOTE, "stays in the cluster"),
        (make_manifest("PersistentVolume", namespace=""), NOTE, "stays in the cluster"),
        (
            make_manifest("CustomResourceDefinition", namespace="", version="apiextensions.k8s.io/v1"),
            NOTE,
            "stays in the cluster",
        ),
    ],
)
def test_removed_objects(manifest: Manifest, rule: str, told: str) -> None:
    """What leaves the tree is deleted; what holds data is kept, so that it is told, and needs no consent."""
    [(found, ref, message)] = impact([manifest], [])
    assert (found, ref) == (rule, str(manifest.ref))
    assert told in message


def test_a_removed_service_is_one_danger() -> None:
    """At its record, with what is deleted and what is kept; of many objects the first are named."""
    maps = [make_manifest(name=f"map-{number}", service="gone") for number in range(7)]
    claim = make_manifest("PersistentVolumeClaim", "data", service="gone")
    [(rule, ref, message)] = impact([make_own("gone"), *maps, claim], [])
    named = ", ".join(f"ConfigMap/default/map-{number}" for number in range(5))
    assert (rule, ref) == (REMOVE, "ConfigMap/default/jsorc.record.default.gone")
    assert message == (
        f"the service gone is removed; deleted: {named} and 2 more; "
        "kept in the cluster: PersistentVolumeClaim/default/data"
    )


def test_a_removed_service_without_objects_is_told() -> None:
    """It destroys nothing."""
    [(rule, ref, _)] = impact([make_own("gone")], [])
    assert (rule, ref) == (NOTE, "ConfigMap/default/jsorc.record.default.gone")


def test_an_object_that_changes_its_service_is_not_removed() -> None:
    """It stays what it is, also where its former service goes."""
    old, new = (make_manifest(name="x", service=service) for service in ("gone", "redis"))
    assert [rule for rule, _, _ in impact([make_own("gone"), old], [new])] == [NOTE]


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("Service", "is made anew in shop, and deleted in default"),
        ("PersistentVolumeClaim", "is made anew in shop, empty; the one in default stays behind with its data"),
    ],
)
def test_moved_objects(kind: str, told: str) -> None:
    """The same object in another namespace is another object to the cluster; a claim leaves its data behind."""
    old, new = make_manifest(kind), make_manifest(kind, namespace="shop")
    assert impact([old], [new]) == [(MOVE, f"{kind}/default/x", told)]


def test_objects_of_two_services_do_not_move() -> None:
    """That both use one name says nothing."""
    old, new = make_manifest(), make_manifest(namespace="shop", service="mail")
    assert impact([old], [new]) == [(REMOVE, "ConfigMap/default/x", "is deleted")]


def test_another_home_namespace_is_one_danger() -> None:
    """Nothing is pruned in the old one, since its state is not found, so no object is told to be."""

    def make_tree(home: str) -> list[Manifest]:
        settings = make_settings_manifest(Settings(namespace=home), "default")
        return [settings, make_own(namespace=home), make_manifest("Secret", namespace=home)]

    [(rule, ref, message)] = impact(make_tree("default"), make_tree("shop"))
    assert (rule, ref) == (MOVE, "ConfigMap/shop/jsorc.settings.default")
    assert "the state of default is not found in shop" in message


@pytest.mark.parametrize(
    ("before", "after", "policy", "told"),
    [
        (3, 2, "Delete", True),
        (3, 0, "Delete", True),
        (3, None, "Delete", True),
        (None, 0, "Delete", True),
        (3, 3, "Delete", False),
        (2, 3, "Delete", False),
        (3, 2, "Retain", False),
    ],
)
def test_claims_that_go_with_their_pods(
    before: int | None, after: int | None, policy: str, *, told: bool
) -> None:
    """A StatefulSet that gets smaller takes the data of the pods that go with it, where it says so."""
    old, new = (make_stateful_set(replicas=count, whenScaled=policy) for count in (before, after))
    found = compute_impact(index(old), index(new))
    assert [(each.rule, each.path, each.before, each.after) for each in found] == (
        [(REMOVE, "spec.replicas", before, after)] if told else []
    )


@pytest.mark.parametrize(
    ("old", "new", "told"), [(True, False, True), (False, True, False), (False, False, False)]
)
def test_a_service_that_is_no_longer_kept_alive_is_told(*, old: bool, new: bool, told: bool) -> None:
    """It goes on running, so nothing has to be allowed."""
    found = impact([make_own(keep_alive=old)], [make_own(keep_alive=new)])
    assert [(rule, ref) for rule, ref, _ in found] == (
        [(NOTE, "ConfigMap/default/jsorc.record.default.redis")] if told else []
    )


def test_dangers_are_sorted() -> None:
    """What is lost first, notes last, whatever the order of the trees."""
    secrets = [make_manifest("Secret", type=kind) for kind in ("a/b", "c/d")]
    moves = [make_manifest("Service", "moved", namespace=namespace) for namespace in ("default", "shop")]
    old, new = [CLAIM, secrets[0], moves[0], make_manifest("Service")], [secrets[1], moves[1]]
    found = impact(old, new)
    assert [rule for rule, _, _ in found] == [REMOVE, MOVE, IMMUTABLE, NOTE]
    assert impact(old[::-1], new[::-1]) == found


@pytest.mark.parametrize("field", ["data", "stringData"])
@pytest.mark.parametrize("new", [{"data": {"a": "b3RoZXI="}}, {"stringData": {"a": "other"}}, {"data": {}}, {}])
def test_no_danger_holds_what_a_secret_does(field: str, new: dict[str, Any]) -> None:
    """Of an immutable Secret the keys are named, and not their values."""
    manifests = [make_manifest("Secret", immutable=True, **each) for each in ({field: {"a": "c2VjcmV0"}}, new)]
    found = compute_impact(*map(index, manifests))
    assert found
    assert {(each.before, each.after) for each in found} == {(None, None)}


def test_the_place_and_the_values_are_told() -> None:
    """The smallest part that the server refuses, with the values that stand in git."""
    row = case("StatefulSet", {}, {"spec.volumeClaimTemplates.0.spec.resources.requests.storage": "3Gi"})
    trees = [index(parse_manifest(body, where="")) for body in make_bodies(row)]
    [found] = compute_impact(*trees)
    assert (found.path, found.before, found.after) == (
        'spec.volumeClaimTemplates[metadata.name="data"].spec.resources.requests.storage',
        "2Gi",
        "3Gi",
    )


@pytest.mark.parametrize(
    ("allow", "answer"),
    [
        ([], False),
        (["remove"], True),
        (["move"], False),
        (["Service/default/x"], True),
        (["Service/default/y"], False),
        (["redis"], True),
        (["mail", "redis"], True),
        ([""], False),
    ],
)
def test_what_allows_a_danger(allow: list[str], *, answer: bool) -> None:
    """Its rule, its object, or its service."""
    [danger] = compute_impact(index(OTHER, make_manifest("Service")), index(OTHER))
    assert allowed(danger, allow) is answer
    assert allowed(replace(danger, service=""), [""]) is False
    assert allowed(replace(danger, rule=NOTE), []) is True


@settings(deadline=None)
@given(data=st.data())
def test_no_shape_of_an_object_ends_the_run(data: st.DataObject) -> None:
    """An older tree may hold what no linter saw: whatever stands where, it is compared and told."""
    row = data.draw(st.sampled_from(CASES))
    bodies = make_bodies(row)
    for body in bodies:
        # What makes it an object, a linter of any age has seen to.
        place: Any = {key: body.pop(key) for key in list(body) if key not in {"apiVersion", "kind", "metadata"}}
        fields = place
        while isinstance(place, dict | list) and place:
            key = data.draw(st.sampled_from(list(place) if isinstance(place, dict) else range(len(place))))
            if data.draw(st.booleans()):
                place[key] = data.draw(VALUES | st.none())
                break
            place = place[key]
        body.update(fields)
    trees = [index(parse_manifest(body, where="")) for body in bodies]
    compute_impact(*trees)
    for diff in diff_objects(*trees):
        assert all(line.isprintable() for line in format_diff(diff))


def test_the_documentation_knows_all_rules() -> None:
    """docs/against.md has a row for every rule, and for every kind of which something is refused."""
    text = (Path(__file__).parents[2] / "docs/against.md").read_text()
    kinds = {case.kind for case in CASES if case.rule in REFUSED}
    rows = [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("| ")]
    assert {f"`{rule}`" for rule in RULES} <= set(rows)
    assert kinds <= {kind for row in rows for kind in row.split(", ")}
