"""Which refusals mean that a field stays as it was made: told from a real server's causes, kind by kind."""

import json

import pytest

from jsorc_gitops.errors import ClusterError
from jsorc_gitops.model.objects import Body
from jsorc_gitops.reconcile.immutable import find_fixed
from jsorc_gitops.render.danger import IMMUTABLE, NOTE
from tests.adapters.sending import connect, ref_of
from tests.controlplane.server import ControlPlane
from tests.render.refusal_cases import CASES, Case, Changes
from tests.render.test_refusals import CLASSES, apply_all, bind_claims, make_pair

pytestmark = pytest.mark.real

# With these goes another cause, or there is another way out; nothing is deleted for them.
MIXED = frozenset({"spec.podFailurePolicy", "status.storedVersions[0]"})


@pytest.fixture(scope="module")
def answers(controlplane: ControlPlane) -> dict[str, tuple[Case, Body, Body | ClusterError]]:
    """What the server says of every row's change, by the row."""
    namespace = "immutable"
    controlplane.kubectl("create", "namespace", namespace)
    pairs = [(row, *make_pair(row, number, namespace)) for number, row in enumerate(CASES)]
    old = sorted((each for _, each, _ in pairs), key=lambda body: body["kind"] == "ResourceQuota")
    made = [CLASSES[0], *old]
    try:
        with connect(controlplane.kubeconfig) as cluster:
            quotas = sum(body["kind"] == "ResourceQuota" for body in old)
            apply_all(cluster, made[:-quotas])
            apply_all(cluster, made[-quotas:])
            made += bind_claims(cluster, old)
            tried = apply_all(cluster, [new for *_, new in pairs], dry_run=True)
    finally:
        doomed = [body for body in made if "namespace" not in body["metadata"]]
        listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": doomed})
        controlplane.kubectl("delete", "--wait=false", "--ignore-not-found", "-f", "-", stdin=listed)
        # Waited for, since the same addresses are asked for elsewhere.
        controlplane.kubectl("delete", "services", "--all", "-n", namespace)
        controlplane.kubectl("delete", "namespace", namespace, "--wait=false")
    return {str(row): (row, new, answer) for (row, _, new), answer in zip(pairs, tried, strict=True)}


@pytest.mark.parametrize("name", [str(row) for row in CASES if row.rule == IMMUTABLE])
def test_what_cannot_be_changed_is_recognised(
    answers: dict[str, tuple[Case, Body, Body | ClusterError]], name: str
) -> None:
    """Every row that the table of `render --check` calls immutable; the fields are those of the server."""
    _, new, answer = answers[name]
    assert isinstance(answer, ClusterError)
    causes = {cause["field"] for cause in answer.causes}

    assert set(find_fixed(ref_of(new), answer)) == (set() if causes & MIXED else causes)


@pytest.mark.parametrize("name", [str(row) for row in CASES if row.refused and row.rule not in {IMMUTABLE, NOTE}])
def test_what_is_refused_otherwise_is_not(
    answers: dict[str, tuple[Case, Body, Body | ClusterError]], name: str
) -> None:
    """A claim that cannot shrink, a default of another type that is left over: there is another way out."""
    _, new, answer = answers[name]
    assert isinstance(answer, ClusterError)

    assert find_fixed(ref_of(new), answer) == []


def test_what_is_invalid_besides_is_not(controlplane: ControlPlane, namespace: str) -> None:
    """A wrong value beside a field that cannot be changed, and below one: the object as such is refused."""
    job = next(row for row in CASES if row.kind == "Job" and row.rule == IMMUTABLE)
    changes: list[Changes] = [
        {"spec.template.metadata.labels": {"not a key": "x"}},
        {"spec.template.spec.containers.0.image": ""},
    ]
    bodies = [job.make_body(each, name="a", namespace=namespace) for each in changes]
    with connect(controlplane.kubeconfig) as cluster:
        (made,) = apply_all(cluster, [job.make_body({}, name="a", namespace=namespace)])
        assert not isinstance(made, ClusterError)
        answers = apply_all(cluster, bodies, dry_run=True)

    found = [
        find_fixed(ref_of(body), each)
        for body, each in zip(bodies, answers, strict=True)
        if isinstance(each, ClusterError)
    ]
    assert found == [[], []]
