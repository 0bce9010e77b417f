"""adapters.cluster against a real API server: what comes back, and what a refused or broken call looks like."""

from collections.abc import Iterator

import pytest

from jsorc_gitops.adapters import lists as door
from jsorc_gitops.adapters.cluster import Cluster
from jsorc_gitops.errors import ClusterError
from jsorc_gitops.model.objects import ApplyRequest, DeleteRequest
from tests.adapters.sending import NO_UID, apply, connect, get, make_map, ref_of, refused, send
from tests.controlplane.server import ControlPlane

pytestmark = pytest.mark.real


@pytest.fixture
def cluster(controlplane: ControlPlane) -> Iterator[Cluster]:
    """The admin's connection."""
    with connect(controlplane.kubeconfig) as made:
        yield made


def test_discovery_tells_what_is_served(cluster: Cluster) -> None:
    """Kinds by version, and the version the server prefers; nothing of what it does not serve."""
    assert cluster.serves("v1", "ConfigMap")
    assert cluster.serves("apps/v1", "Deployment")
    assert not cluster.serves("apps/v1beta1", "Deployment")
    assert cluster.find_api_version("apps", "Deployment") == "apps/v1"
    assert cluster.find_api_version("", "Namespace") == "v1"
    assert cluster.find_api_version("", "Deployment") is None


def test_an_apply_creates_then_updates(cluster: Cluster, namespace: str) -> None:
    """The answer is the object as the server has it, with our field manager's entry."""
    created = apply(cluster, make_map(namespace, key="1"))
    updated = apply(cluster, make_map(namespace, key="2"))
    assert created["metadata"]["uid"] == updated["metadata"]["uid"]
    assert (created["data"], updated["data"]) == ({"key": "1"}, {"key": "2"})
    (entry,) = updated["metadata"]["managedFields"]
    assert (entry["manager"], entry["operation"]) == ("jsorc", "Apply")


def test_a_dry_run_changes_nothing_and_creates_nothing(cluster: Cluster, namespace: str) -> None:
    """What it would create carries no resourceVersion, which tells it from what is there."""
    answer = send(cluster, make_map(namespace), dry_run=True)
    assert not isinstance(answer, ClusterError)
    assert "resourceVersion" not in answer["metadata"]
    assert get(cluster, make_map(namespace)) is None


def test_an_unknown_field_is_refused(cluster: Cluster, namespace: str) -> None:
    """A typo must not be dropped in silence."""
    error = refused(send(cluster, {**make_map(namespace), "date": {}}))
    assert ".date: field not declared in schema" in str(error)
    assert get(cluster, make_map(namespace)) is None


def test_a_field_conflict_comes_with_its_causes(
    cluster: Cluster, controlplane: ControlPlane, namespace: str
) -> None:
    """A value, not an exception; the causes name every contested field. Force overrides them."""
    apply(cluster, make_map(namespace, key="ours"))
    controlplane.kubectl("patch", "configmap", "a", "-n", namespace, "-p", '{"data": {"key": "theirs"}}')
    error = refused(send(cluster, make_map(namespace, key="ours")))
    assert (error.status, error.reason) == (409, "Conflict")
    assert [(each["reason"], each["field"]) for each in error.causes] == [("FieldManagerConflict", ".data.key")]
    assert not isinstance(send(cluster, make_map(namespace, key="ours"), force=True), ClusterError)


@pytest.mark.parametrize("dry_run", [False, True])
def test_a_stale_version_is_refused(cluster: Cluster, namespace: str, *, dry_run: bool) -> None:
    """409 without causes, and nothing changed, whoever the fields belong to."""
    before = apply(cluster, make_map(namespace))
    stale = make_map(namespace, uid=before["metadata"]["uid"], version="1", key="new")
    error = refused(send(cluster, stale, dry_run=dry_run))
    assert (error.status, error.reason, error.causes) == (409, "Conflict", ())
    assert get(cluster, stale) == before


def test_another_object_of_the_same_name_is_refused(cluster: Cluster, namespace: str) -> None:
    """Deleted and made anew since we looked, both uid and version differ: 409 without causes."""
    before = apply(cluster, make_map(namespace))
    error = refused(send(cluster, make_map(namespace, uid=NO_UID, version="1", key="new")))
    assert (error.status, error.reason, error.causes) == (409, "Conflict", ())
    assert get(cluster, make_map(namespace)) == before


def test_an_object_that_is_gone_is_not_resurrected(cluster: Cluster, namespace: str) -> None:
    """An uid says that it is to be there: 409 without causes."""
    error = refused(send(cluster, make_map(namespace, uid=NO_UID, version="1")))
    assert (error.status, error.reason, error.causes) == (409, "Conflict", ())
    assert get(cluster, make_map(namespace)) is None


def test_preconditions_leave_no_trace(cluster: Cluster, namespace: str) -> None:
    """Uid and resourceVersion do not become fields of ours."""
    first = apply(cluster, make_map(namespace))
    metadata = first["metadata"]
    again = apply(cluster, make_map(namespace, uid=metadata["uid"], version=metadata["resourceVersion"]))
    assert again == first


def test_one_failure_of_many_is_answered_in_its_place(cluster: Cluster, namespace: str) -> None:
    """Batches answer by position."""
    bodies = [make_map(namespace, "a"), {**make_map(namespace, "b"), "date": {}}, make_map(namespace, "c")]
    answers = cluster.apply_objects([ApplyRequest(ref=ref_of(body), body=body) for body in bodies])
    assert [isinstance(each, ClusterError) for each in answers] == [False, True, False]


def test_lists_are_read_page_by_page(cluster: Cluster, namespace: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """All items, none twice, each with the kind that a list leaves out; a request a page."""
    for number in range(5):
        apply(cluster, make_map(namespace, f"map-{number}"))
    monkeypatch.setattr(door, "PAGE", 2)
    before = cluster.requests
    (found,) = cluster.list_objects([("v1", "ConfigMap")], selector="test=yes", namespaces=[namespace])
    assert isinstance(found, list)
    assert [each["metadata"]["name"] for each in found] == [f"map-{number}" for number in range(5)]
    assert {(each["apiVersion"], each["kind"]) for each in found} == {("v1", "ConfigMap")}
    assert cluster.requests - before == 3


def test_a_list_is_of_the_kind_the_label_and_the_namespace(cluster: Cluster, namespace: str) -> None:
    """In all namespaces where none is given."""
    apply(cluster, make_map(namespace))
    everywhere, services = cluster.list_objects([("v1", "ConfigMap"), ("v1", "Service")], selector="test=yes")
    assert isinstance(everywhere, list)
    assert namespace in {each["metadata"]["namespace"] for each in everywhere}
    assert services == []
    assert cluster.list_objects([("v1", "ConfigMap")], selector="test=yes", namespaces=["default"]) == [[]]


def test_what_is_not_there_is_none(cluster: Cluster, namespace: str) -> None:
    """404 is an answer; it stands in its place among those that are there."""
    there = apply(cluster, make_map(namespace))
    refs = [("v1", ref_of(make_map(namespace, name))) for name in ("missing", "a")]
    assert cluster.get_objects(refs) == [None, there]


@pytest.mark.parametrize(("uid", "version"), [(NO_UID, ""), ("", "1")], ids=["other uid", "other version"])
def test_what_has_changed_is_not_deleted(cluster: Cluster, namespace: str, uid: str, version: str) -> None:
    """Either precondition keeps it: 409 without causes."""
    metadata = apply(cluster, make_map(namespace))["metadata"]
    request = DeleteRequest(
        ref=ref_of(make_map(namespace)),
        uid=uid or metadata["uid"],
        resource_version=version or metadata["resourceVersion"],
    )
    (answer,) = cluster.delete_objects([request])
    assert (refused(answer).reason, refused(answer).causes) == ("Conflict", ())
    assert get(cluster, make_map(namespace))


def test_what_was_looked_at_is_deleted_once(cluster: Cluster, namespace: str) -> None:
    """Again, it counts as deleted: it is gone."""
    metadata = apply(cluster, make_map(namespace))["metadata"]
    ref = ref_of(make_map(namespace))
    request = DeleteRequest(ref=ref, uid=metadata["uid"], resource_version=metadata["resourceVersion"])
    answers = [cluster.delete_objects([request])[0] for _ in range(2)]
    assert not any(isinstance(each, ClusterError) for each in answers)
    assert get(cluster, make_map(namespace)) is None


def test_a_single_object_is_created_then_replaced(cluster: Cluster, namespace: str) -> None:
    """State and ledger are written so: 409 where it exists, and where its version is not the current one."""
    created = cluster.create_object(make_map(namespace))
    with pytest.raises(ClusterError) as exists:
        cluster.create_object(make_map(namespace))
    assert (exists.value.status, exists.value.reason) == (409, "AlreadyExists")
    replaced = cluster.replace_object(
        make_map(namespace, version=created["metadata"]["resourceVersion"], key="2")
    )
    assert replaced["data"] == {"key": "2"}
    with pytest.raises(ClusterError) as stale:
        cluster.replace_object(make_map(namespace, version=created["metadata"]["resourceVersion"], key="3"))
    assert (stale.value.status, stale.value.reason) == (409, "Conflict")


def test_a_missing_namespace_is_named(cluster: Cluster) -> None:
    """404, which the first pass knows what to do about."""
    with pytest.raises(ClusterError, match="nowhere") as missing:
        cluster.create_object(make_map("nowhere"))
    assert missing.value.status == 404


def test_a_kind_that_is_not_served_is_said_so(cluster: Cluster, namespace: str) -> None:
    """Without asking: the path of its objects is not known."""
    before = cluster.requests
    error = refused(send(cluster, {**make_map(namespace), "kind": "Widget"}))
    assert (error.reason, cluster.requests) == ("NotServed", before)
    assert "Widget" in str(error)


def test_a_kind_that_may_not_be_listed_is_named(controlplane: ControlPlane) -> None:
    """403 comes back as a value, so that the other kinds can be read."""
    with connect(controlplane.kubeconfig_for("limited")) as limited:
        maps, deployments = limited.list_objects([("v1", "ConfigMap"), ("apps/v1", "Deployment")])
    assert (refused(maps).status, refused(deployments).status) == (403, 403)
    assert "configmaps" in str(maps)
    assert "deployments" in str(deployments)


def test_requests_are_counted(cluster: Cluster, namespace: str) -> None:
    """Every one, whatever its answer: two for discovery, one for each object and page."""
    counted = [cluster.requests]
    apply(cluster, make_map(namespace))
    counted.append(cluster.requests)
    cluster.get_objects([("v1", ref_of(make_map(namespace, name))) for name in ("a", "b", "c")])
    counted.append(cluster.requests)
    cluster.list_objects([("v1", "ConfigMap"), ("v1", "Service")])
    counted.append(cluster.requests)
    assert counted == [2, 3, 6, 8]


def test_many_requests_at_once_are_counted_exactly(cluster: Cluster, namespace: str) -> None:
    """They run side by side, the count does not lose one."""
    before = cluster.requests
    cluster.get_objects([("v1", ref_of(make_map(namespace)))] * 200)
    assert cluster.requests - before == 200
