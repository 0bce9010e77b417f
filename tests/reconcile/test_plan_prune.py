"""plan: what is pruned, what is kept and why; every guard that is left out would delete in one test here."""

from collections.abc import Collection, Mapping
from typing import Any

import pytest

from jsorc_gitops.model.objects import ObjectRef
from jsorc_gitops.reconcile.inventory import PART_OF_LABEL, Entry, State
from jsorc_gitops.reconcile.plan import Action, Step
from jsorc_gitops.reconcile.plan_prune import PrunePlan, plan_prune, plan_removal
from tests.reconcile.builders import (
    PART_OF,
    Body,
    make_body,
    make_config_map,
    make_live,
    make_manifest,
    make_ref,
    own_entry,
)

RECORD = make_ref("ConfigMap", "jsorc.record.default.redis")
MARKS = {PART_OF_LABEL: PART_OF}


def make_entry_for(ref: ObjectRef, *, uid: str = "uid-1", service: str = "redis") -> Entry:
    return Entry(ref=ref, service=service, uid=uid, fingerprint="f" if uid else "")


def make_state(entries: Collection[Entry]) -> State:
    return State(revision="a" * 40, settled="a" * 40, entries={each.ref: each for each in entries})


def make_ours(ref: ObjectRef, **metadata: Any) -> Body:
    """A live object with our marks."""
    body = make_body(ref.kind, ref.name, namespace=ref.namespace)
    return make_live(body, own_entry({"f:data": {}}), **({"labels": MARKS} | metadata))


def make_many(count: int, *, service: str = "redis") -> list[Entry]:
    return [
        make_entry_for(make_ref("ConfigMap", f"{service}-{index:03}"), service=service) for index in range(count)
    ]


def prune(
    absent: Collection[Entry],
    *,
    kept: Collection[Entry] = (),
    desired: Collection[ObjectRef] = (RECORD,),
    live: Mapping[ObjectRef, Body] | None = None,
    descends: bool = True,
    consents: Collection[str] = (),
) -> PrunePlan:
    """Prune `absent`, all live and ours unless `live` says otherwise, beside `kept` entries of the tree."""
    found = {each.ref: make_ours(each.ref) for each in absent} if live is None else live
    wanted = [*desired, *(each.ref for each in kept)]
    state = make_state([*absent, *kept])
    return plan_prune(state, wanted, found, part_of=PART_OF, keepers={}, descends=descends, consents=consents)


ONE = make_entry_for(make_ref("ConfigMap", "settings"))


def test_what_left_the_tree_is_pruned() -> None:
    """The one case without any objection."""
    (step,) = prune([ONE]).steps
    assert (step.ref, step.service, step.action) == (ONE.ref, "redis", Action.PRUNE)


def test_what_is_in_the_tree_is_not_pruned() -> None:
    """The inventory holds all we applied."""
    plan = plan_prune(
        make_state([ONE]),
        [ONE.ref, RECORD],
        {ONE.ref: make_ours(ONE.ref)},
        part_of=PART_OF,
        keepers={},
        descends=True,
        consents=(),
    )
    assert plan == PrunePlan()


def test_nothing_is_pruned_by_a_commit_that_does_not_descend() -> None:
    """An old checkout, or a branch, lacks what was added since; that is no wish to delete it."""
    plan = prune([ONE], descends=False)
    assert plan.steps == ()
    assert "does not descend from aaaaaaaaaaaa" in plan.refusal
    assert "--allow-rewind" in plan.refusal


def test_descent_is_of_no_interest_where_nothing_is_left_to_prune() -> None:
    """All that is missing is gone already."""
    assert prune([ONE], live={}, descends=False) == PrunePlan(gone=(ONE.ref,))


def test_what_somebody_deleted_already_is_gone() -> None:
    """It leaves the inventory beside what is pruned."""
    other = make_entry_for(make_ref("ConfigMap", "other"))
    plan = prune([ONE, other], live={other.ref: make_ours(other.ref)})
    assert (plan.gone, [step.ref for step in plan.steps]) == ((ONE.ref,), [other.ref])


def remove(live: Body, entry: Entry = ONE) -> Step:
    return plan_removal(entry, live, part_of=PART_OF)


@pytest.mark.parametrize(
    ("live", "reason"),
    [
        (make_ours(ONE.ref, uid="uid-2"), "another object of the same name"),
        (make_ours(ONE.ref, labels={}), "no longer carries our mark"),
        (make_ours(ONE.ref, labels=None), "no longer carries our mark"),
        (make_ours(ONE.ref, labels={PART_OF_LABEL: "applyset-of-another-v1"}), "no longer carries our mark"),
        (make_ours(ONE.ref, ownerReferences=[{"kind": "Deployment", "name": "web"}]), "owned by another object"),
    ],
    ids=["foreign uid", "mark gone", "no labels", "mark of another set", "ownerReferences"],
)
def test_what_is_no_longer_ours_is_left_alone(live: Body, reason: str) -> None:
    """It leaves the inventory with a reason, and stays in the cluster."""
    step = remove(live)
    assert step.action is Action.YIELD
    assert step.reason.startswith(reason)


def test_a_pending_creation_is_pruned_by_its_marks() -> None:
    """A killed pass made it, and wrote no uid down."""
    assert remove(make_ours(ONE.ref), make_entry_for(ONE.ref, uid="")).action is Action.PRUNE


@pytest.mark.parametrize(
    "live", [make_ours(ONE.ref, labels={}), make_ours(ONE.ref, managedFields=[])], ids=["no mark", "no entry"]
)
def test_a_pending_creation_without_our_marks_is_left_alone(live: Body) -> None:
    """Somebody else made it: without an uid both marks must be there (DESIGN §6)."""
    assert remove(live, make_entry_for(ONE.ref, uid="")).action is Action.YIELD


@pytest.mark.parametrize(
    ("group", "kind"),
    [
        ("", "Namespace"),
        ("", "PersistentVolume"),
        ("", "PersistentVolumeClaim"),
        ("apiextensions.k8s.io", "CustomResourceDefinition"),
    ],
)
def test_what_holds_data_is_released(group: str, kind: str) -> None:
    """Data outlives a removed service; the report says whose it is now."""
    ref = make_ref(kind, "data", group=group)
    step = remove(make_ours(ref), make_entry_for(ref))
    assert (step.action, step.reason) == (Action.RELEASE, "no longer in the tree; kept, it is yours to delete")


def test_a_kept_kind_that_is_not_ours_is_not_even_released() -> None:
    """The guards come before the kinds."""
    ref = make_ref("PersistentVolumeClaim", "data")
    assert remove(make_ours(ref, uid="uid-2"), make_entry_for(ref)).action is Action.YIELD


def test_pruning_goes_in_reverse() -> None:
    """What others refer to goes last."""
    kinds = {"ConfigMap": "", "ServiceAccount": "", "Service": "", "Deployment": "apps"}
    entries = [make_entry_for(make_ref(kind, "x", group=group)) for kind, group in kinds.items()]
    steps = prune(entries).steps
    assert [step.ref.kind for step in steps] == ["Deployment", "Service", "ConfigMap", "ServiceAccount"]


@pytest.mark.parametrize(
    ("going", "staying", "refused"),
    [
        (10, 0, False),
        (11, 0, True),
        (10, 5, False),
        (11, 22, True),
        (11, 25, True),
        (11, 26, False),
        (12, 27, True),
        (12, 28, False),
        (30, 70, False),
        (31, 69, True),
        (31, 70, True),
    ],
)
def test_the_budget(going: int, staying: int, refused: object) -> None:
    """More than max(10 objects, 30 % of all) is refused, and nothing goes then."""
    plan = prune(make_many(going), kept=make_many(staying, service="task"))
    assert bool(plan.refusal) is refused
    assert len(plan.steps) == (0 if refused else going)


def test_a_refused_budget_says_how_much_of_what_and_how_to_consent() -> None:
    """The remedies are a reviewed commit, or a flag for once."""
    plan = prune(make_many(11), kept=make_many(9, service="task"))
    assert plan.refusal == (
        "11 of 20 objects would go (redis), more than the 10 that a pass may prune; "
        "consent with jsorc render --commit --allow-prune redis, or once with --allow-prune"
    )


def test_consent_by_service_lifts_the_budget() -> None:
    """Reviewed in a commit."""
    assert len(prune(make_many(40), consents=("redis",)).steps) == 40


def test_consent_for_one_service_is_none_for_another() -> None:
    """What is agreed to does not count; the rest must keep within the budget."""
    many = [*make_many(40), *make_many(18, service="task")]
    assert "18 of 58 objects would go (task)" in prune(many, consents=("redis",)).refusal
    assert len(prune(many[:-1], consents=("redis",)).steps) == 57


def test_the_flag_consents_to_all() -> None:
    """'*', for one pass."""
    many = [*make_many(40), *make_many(40, service="task")]
    assert len(prune(many, desired=(), consents=("*",)).steps) == 80


def test_an_empty_tree_prunes_nothing() -> None:
    """However few they are: a broken rendering looks just like it."""
    plan = prune([ONE], desired=(make_ref("ConfigMap", "jsorc.settings.default"),))
    assert plan.steps == ()
    assert plan.refusal.startswith("the tree holds no service, 1 objects are kept")


def test_the_last_service_goes_by_consent() -> None:
    """Then an empty tree is what was meant."""
    assert len(prune([ONE], desired=(), consents=("redis",)).steps) == 1


def test_what_the_tree_merely_needed_needs_no_consent() -> None:
    """No trailer could name it, and a Namespace is only released; the consent is for the service."""
    namespace = make_entry_for(make_ref("Namespace", "redis", namespace=""), service="")
    plan = prune([ONE, namespace], desired=(), consents=("redis",))
    assert [step.action for step in plan.steps] == [Action.PRUNE, Action.RELEASE]


def test_what_is_gone_already_does_not_count() -> None:
    """The budget is about what would be deleted now."""
    many = make_many(12)
    plan = prune(many, live={each.ref: make_ours(each.ref) for each in many[:10]})
    assert (len(plan.steps), len(plan.gone)) == (10, 2)


def test_a_manifest_of_the_tree_is_never_in_the_plan() -> None:
    """Not by another API version of it either: identity has none."""
    manifest = make_manifest(make_config_map("settings"))
    assert manifest.ref == ONE.ref
    assert prune([], kept=[ONE], live={ONE.ref: make_ours(ONE.ref)}) == PrunePlan()
