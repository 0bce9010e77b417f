"""What compute_impact says the API server will refuse, and what a real one refuses: the same, row by row."""

import json
from collections.abc import Sequence

import pytest

from jsorc_gitops.adapters.cluster import Cluster
from jsorc_gitops.errors import ClusterError
from jsorc_gitops.model.objects import CLUSTER_SCOPED, ApplyRequest, Body, parse_group, parse_manifest
from jsorc_gitops.render.danger import LEFTOVER, NOTE
from jsorc_gitops.render.impact import compute_impact
from tests.adapters.sending import connect, get, ref_of
from tests.controlplane.server import ControlPlane
from tests.model.builders import index
from tests.render.refusal_cases import CASES, REFUSED, Case, Changes, case
from tests.waiting import wait_until


def make_class(name: str) -> Body:
    """A class of the table's claims: only `growing` lets them grow. `standard` is every cluster's default."""
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": name},
        "provisioner": "test.jsorc/volumes",
        "allowVolumeExpansion": name == "growing",
    }


CLASSES = [make_class("growing"), make_class("standard")]


def make_pair(row: Case, number: int, namespace: str) -> tuple[Body, Body]:
    """The object of one row, before and after, with names that no other row has."""
    name = f"x{number}"
    pair = [row.make_body(changes, name=name, namespace=namespace) for changes in (row.old, row.new)]
    for body in pair:
        if (parse_group(body["apiVersion"]), body["kind"]) in CLUSTER_SCOPED:
            body["metadata"] = {**body["metadata"], "name": f"{namespace}-{name}"}
            del body["metadata"]["namespace"]
        if body["kind"] == "CustomResourceDefinition":
            names = body["spec"]["names"]
            numbered = {key: f"{names[key]}{number}" for key in ("kind", "plural", "singular")}
            body["spec"]["names"] = {**names, **numbered}
            body["metadata"]["name"] = f"refused{number}.example.com"
    return pair[0], pair[1]


def find_rules(old: Body, new: Body) -> set[str]:
    """What compute_impact says of two trees that hold the classes and this object."""
    trees = (index(*(parse_manifest(each, where="") for each in (*CLASSES, body))) for body in (old, new))
    return {each.rule for each in compute_impact(*trees)}


def apply_all(cluster: Cluster, bodies: Sequence[Body], *, dry_run: bool = False) -> list[Body | ClusterError]:
    requests = [ApplyRequest(ref=ref_of(body), body=body, force=dry_run, dry_run=dry_run) for body in bodies]
    return cluster.apply_objects(requests)


def make_volume(claim: Body) -> Body:
    """A volume for a claim of the class `growing`, which no provisioner looks after."""
    metadata = claim["metadata"]
    spec = {
        "accessModes": claim["spec"]["accessModes"],
        "capacity": claim["spec"]["resources"]["requests"],
        "claimRef": {"name": metadata["name"], "namespace": metadata["namespace"]},
        "hostPath": {"path": "/nonexistent"},
        "storageClassName": "growing",
    }
    name = f"{metadata['namespace']}-{metadata['name']}"
    return {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": spec}


def bind_claims(cluster: Cluster, bodies: Sequence[Body]) -> list[Body]:
    """Have all claims bound that can be; the volumes that this took."""
    claims = [body for body in bodies if body["kind"] == "PersistentVolumeClaim"]
    claims = [body for body in claims if body["spec"].get("storageClassName") != ""]
    volumes = [make_volume(body) for body in claims if body["spec"].get("storageClassName") == "growing"]
    assert not [each for each in apply_all(cluster, volumes) if isinstance(each, ClusterError)]

    def bound() -> bool:
        return all(((get(cluster, body) or {}).get("status") or {}).get("phase") == "Bound" for body in claims)

    wait_until(bound, what="every claim of the table is bound")
    return volumes


@pytest.mark.parametrize("row", CASES, ids=str)
def test_what_is_said(row: Case) -> None:
    """Every row of the table has its rule, and no other."""
    old, new = make_pair(row, 0, "default")
    assert find_rules(old, new) == ({row.rule} if row.rule else set())
    assert find_rules(old, old) == set()


@pytest.mark.real
def test_what_the_server_does(controlplane: ControlPlane, namespace: str) -> None:
    """A real API server refuses, and permits, exactly what the table says of each row."""
    pairs = {str(row): make_pair(row, number, namespace) for number, row in enumerate(CASES)}
    assert len(pairs) == len(CASES)
    # Quotas come last: one that is not counted yet refuses pods.
    old = sorted((pair[0] for pair in pairs.values()), key=lambda body: body["kind"] == "ResourceQuota")
    made = [CLASSES[0], *old]
    try:
        with connect(controlplane.kubeconfig) as cluster:
            quotas = sum(body["kind"] == "ResourceQuota" for body in old)
            answers = apply_all(cluster, made[:-quotas]) + apply_all(cluster, made[-quotas:])
            assert [str(each) for each in answers if isinstance(each, ClusterError)] == []
            made += bind_claims(cluster, old)
            tried = apply_all(cluster, [pair[1] for pair in pairs.values()], dry_run=True)
    finally:
        doomed = [body for body in made if "namespace" not in body["metadata"]]
        listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": doomed})
        controlplane.kubectl("delete", "--wait=false", "--ignore-not-found", "-f", "-", stdin=listed)
        # Waited for, since the same addresses are asked for elsewhere.
        controlplane.kubectl("delete", "services", "--all", "-n", namespace)
    refused = {name: isinstance(answer, ClusterError) for name, answer in zip(pairs, tried, strict=True)}
    assert refused == {str(row): row.refused for row in CASES}


@pytest.mark.real
@pytest.mark.parametrize(
    ("kind", "steps"),
    [
        ("Deployment", [{"spec.strategy.rollingUpdate.maxSurge": "25%"}, {"spec.strategy.type": "Recreate"}]),
        (
            "StatefulSet",
            [{"spec.updateStrategy.rollingUpdate.partition": 0}, {"spec.updateStrategy.type": "OnDelete"}],
        ),
    ],
)
def test_the_way_out_of_a_leftover(
    controlplane: ControlPlane, namespace: str, kind: str, steps: list[Changes]
) -> None:
    """What the message advises works: the default written out in one apply, and the type changed in the next."""
    row = case(kind, {}, steps[-1])
    bodies = [row.make_body(changes, name="a", namespace=namespace) for changes in ({}, *steps)]
    with connect(controlplane.kubeconfig) as cluster:
        for body in bodies:
            assert not isinstance(apply_all(cluster, [body])[0], ClusterError)
    assert find_rules(bodies[0], bodies[-1]) == {LEFTOVER}


@pytest.mark.real
@pytest.mark.parametrize(
    ("old", "new", "left"),
    [
        ({"stringData": {"a": "1"}}, {}, {"a": "MQ=="}),
        (
            {"stringData": {"a": "1"}, "data": {"b": "MQ==", "c": "MQ=="}},
            {"data": {"b": "MQ=="}},
            {"a": "MQ==", "b": "MQ=="},
        ),
        ({"stringData": {"a": "1"}, "data": {"b": "MQ=="}}, {}, None),
    ],
)
def test_what_a_secret_keeps(
    controlplane: ControlPlane, namespace: str, old: Body, new: Body, left: dict[str, str] | None
) -> None:
    """A key that was stringData stays when git drops it, unless all of data goes; a note says so."""
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a", "namespace": namespace}}
    bodies = [{**secret, **fields} for fields in (old, new)]
    with connect(controlplane.kubeconfig) as cluster:
        for body in bodies:
            assert not isinstance(apply_all(cluster, [body])[0], ClusterError)
        assert (get(cluster, secret) or {}).get("data") == left
    assert find_rules(*bodies) == ({NOTE} if left else set())


def test_every_rule_has_its_neighbour() -> None:
    """For each kind of which something is refused, the table has a change that is permitted."""
    refused = {row.kind for row in CASES if row.rule in REFUSED}
    assert refused - {row.kind for row in CASES if not row.refused} == set()
