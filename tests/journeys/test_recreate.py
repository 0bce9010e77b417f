"""Fields that stay as they were made: refused, or deleted and made anew where a service allows it."""

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.controlplane.proxy import Proxy, Request
from tests.controlplane.server import ControlPlane
from tests.journeys.admission import admit_only
from tests.journeys.scratch import end
from tests.journeys.test_ownership import WEB, Tree, is_calm
from tests.waiting import wait_until

pytestmark = pytest.mark.real

MOVED = WEB.replace("{app: web}", "{app: shop}")
BINDING = """\
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: web}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {role}}}
subjects: [{{kind: ServiceAccount, name: web, namespace: default}}]
"""
CLAIM = """\
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {{name: web}}
spec: {{storageClassName: {name}, accessModes: [ReadWriteOnce], resources: {{requests: {{storage: 1Gi}}}}}}
"""
STATEFUL = """\
apiVersion: apps/v1
kind: StatefulSet
metadata: {{name: web}}
spec:
  replicas: 0
  serviceName: {name}
  persistentVolumeClaimRetentionPolicy: {{whenDeleted: {when}, whenScaled: Retain}}
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec: {{containers: [{{name: main, image: "web:1"}}]}}
"""
SERVICE = """\
apiVersion: v1
kind: Service
metadata: {{name: web}}
spec: {{clusterIP: {address}, selector: {{app: web}}, ports: [{{name: a, port: 80}}]}}
"""
SEALED = "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: web}}\nimmutable: true\ndata: {{a: '{value}'}}\n"


@pytest.fixture
def tree(tmp_path: Path, controlplane: ControlPlane, namespace: str) -> Tree:
    return Tree(tmp_path / "repository", controlplane, namespace)


def start_with(tree: Tree, *objects: str, **service: Any) -> None:
    tree.say(*objects, **service)
    done = tree.reconcile()
    assert done.code in {0, 4}, done.output


def uid_of(tree: Tree, kind: str) -> str:
    return str(tree.read(kind, "web")["metadata"]["uid"])


def test_refused_without_consent(tree: Tree) -> None:
    """The field is named, and what would allow it; nothing is deleted, the pass after says it again."""
    start_with(tree, WEB)
    before = uid_of(tree, "deployment")
    tree.say(MOVED)

    outputs = [tree.reconcile(), tree.reconcile()]

    assert [each.code for each in outputs] == [1, 1]
    for each in outputs:
        assert f"Deployment/{tree.namespace}/web refused: spec.selector cannot be changed in place" in each.output
        assert "`recreate: allow` in its service.yaml" in each.output
    assert uid_of(tree, "deployment") == before


@pytest.mark.parametrize(
    ("kind", "old", "new"),
    [
        ("deployment", WEB, MOVED),
        ("rolebinding", BINDING.format(role="view"), BINDING.format(role="edit")),
        ("statefulset", STATEFUL.format(name="a", when="Retain"), STATEFUL.format(name="b", when="Retain")),
        ("service", SERVICE.format(address="None"), SERVICE.format(address="10.0.213.7")),
        ("configmap", SEALED.format(value="1"), SEALED.format(value="2")),
    ],
    ids=["Deployment", "RoleBinding", "StatefulSet", "Service", "ConfigMap"],
)
def test_recreated_with_consent(tree: Tree, kind: str, old: str, new: str) -> None:
    """Deleted, made anew as git says, once: the next pass has nothing to do."""
    start_with(tree, old, recreate="allow")
    before = uid_of(tree, kind)
    tree.say(new, recreate="allow")

    done = tree.reconcile()

    assert done.code in {0, 4}, done.output
    assert f"/{tree.namespace}/web recreated: " in done.output
    assert uid_of(tree, kind) != before
    assert "recreated" not in tree.reconcile().output


@pytest.fixture
def closed(tree: Tree) -> Iterator[Tree]:
    """A namespace in which an admission policy lets nobody create Deployments, once one is there."""
    start_with(tree, WEB, recreate="allow")
    with admit_only(
        tree.scratch.controlplane,
        tree.namespace,
        "false",
        rule="{apiGroups: [apps], apiVersions: [v1], operations: [CREATE], resources: [deployments]}",
        message="nobody creates Deployments here",
        refused=("create", "deployment", "other", "--image=a"),
    ):
        yield tree


def test_nothing_is_deleted_for_what_could_not_be_made(closed: Tree) -> None:
    """The new object is asked about first: one that the server would not take leaves the old one alone."""
    before = uid_of(closed, "deployment")
    closed.say(MOVED, recreate="allow")

    done = closed.reconcile()

    assert done.code == 1
    assert "spec.selector cannot be changed, and could not be made anew: " in done.output
    assert "nobody creates Deployments here" in done.output
    assert uid_of(closed, "deployment") == before


def test_an_invalid_object_is_not_made_anew(tree: Tree) -> None:
    """Something else is wrong besides, so the server's words are all that is said."""
    start_with(tree, WEB, recreate="allow")
    before = uid_of(tree, "deployment")
    limits = "resources: {requests: {cpu: 2}, limits: {cpu: 1}}"
    tree.say(MOVED.replace("name: main", f"name: main, {limits}"), recreate="allow")

    done = tree.reconcile()

    assert done.code == 1
    assert "must be less than or equal to cpu limit" in done.output
    assert uid_of(tree, "deployment") == before


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("192.168.9.9", "not in the valid range"),
        ("None, type: NodePort", "may not be set to 'None'"),
    ],
    ids=["outside", "none"],
)
def test_nothing_is_deleted_for_an_address_that_cannot_be_had(tree: Tree, address: str, why: str) -> None:
    """The one that the old Service holds is given free; another is not."""
    start_with(tree, SERVICE.replace("clusterIP: {address}, ", "").format(), recreate="allow")
    before = uid_of(tree, "service")
    tree.say(SERVICE.format(address=address), recreate="allow")

    planned, done = tree.scratch.jsorc("diff"), tree.reconcile()

    assert (planned.code, done.code) == (1, 1)
    assert "could not be made anew" in planned.output
    assert "could not be made anew" in done.output
    assert why in done.output
    assert uid_of(tree, "service") == before


def test_others_of_the_service_keep_it(tree: Tree) -> None:
    """All of a stage is asked about before anything of it is deleted."""
    start_with(tree, WEB, SEALED.format(value="1"), recreate="allow")
    before = uid_of(tree, "deployment")
    tree.kubectl("create", "serviceaccount", "web")
    account = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: web}\n"
    tree.say(MOVED, SEALED.format(value="1"), account, recreate="allow")

    done = tree.reconcile()

    assert done.code == 1
    assert "left as it is, because others of app failed" in done.output
    assert uid_of(tree, "deployment") == before


@pytest.mark.parametrize(
    ("kind", "old", "new", "why"),
    [
        ("pvc", CLAIM.format(name="a"), CLAIM.format(name="b"), "data would go with it"),
        (
            "statefulset",
            STATEFUL.format(name="a", when="Delete"),
            STATEFUL.format(name="b", when="Delete"),
            "its claims would go with it",
        ),
    ],
    ids=["PersistentVolumeClaim", "whenDeleted"],
)
def test_never_where_data_would_go(tree: Tree, kind: str, old: str, new: str, why: str) -> None:
    """Whatever the service allows."""
    start_with(tree, old, recreate="allow")
    before = uid_of(tree, kind)
    tree.say(new, recreate="allow")

    done = tree.reconcile()

    assert done.code == 1
    assert why in done.output
    assert uid_of(tree, kind) == before


@pytest.fixture
def held(tree: Tree) -> Iterator[Tree]:
    """A Deployment that a finalizer of somebody holds, about to be made anew."""
    start_with(tree, WEB, recreate="allow")
    patch = '{"metadata": {"finalizers": ["example.com/hold"]}}'
    tree.kubectl("patch", "deployment/web", "--type=merge", "-p", patch)
    assert is_calm(tree.reconcile())
    tree.say(MOVED, recreate="allow")
    yield tree
    free(tree)


def free(tree: Tree) -> None:
    tree.kubectl("patch", "deployment/web", "--type=merge", "-p", '{"metadata": {"finalizers": null}}')


def read_pending(tree: Tree) -> Any:
    """When the Deployment's deletion began, None as long as nobody deleted it."""
    return tree.read("deployment", "web")["metadata"].get("deletionTimestamp")


def test_what_is_held_is_waited_for(held: Tree) -> None:
    """The pass goes on as soon as it is gone."""
    before = uid_of(held, "deployment")
    process = held.scratch.start_jsorc("reconcile")
    wait_until(lambda: read_pending(held), what="the old one is being deleted")

    free(held)
    output, _ = process.communicate()

    assert process.returncode == 0, output
    assert f"Deployment/{held.namespace}/web recreated: spec.selector cannot be changed" in output
    assert uid_of(held, "deployment") != before


def test_what_is_held_for_too_long_is_told(held: Tree) -> None:
    """Exit 1 with the finalizer that holds it; a pass after it is gone makes it anew."""
    before = uid_of(held, "deployment")

    done = held.reconcile()

    assert done.code == 1
    assert "still being deleted after 30 s; its finalizers are example.com/hold" in done.output
    free(held)
    done = held.reconcile()
    assert done.code == 0
    assert f"Deployment/{held.namespace}/web created: deleted by an earlier pass, to be made anew" in done.output
    assert uid_of(held, "deployment") != before


def test_a_pass_killed_in_between_is_ended_by_the_next(held: Tree) -> None:
    """Kill -9 between deletion and creation: the next pass waits and creates, and says why."""
    before = uid_of(held, "deployment")
    process = held.scratch.start_jsorc("reconcile")
    wait_until(lambda: read_pending(held), what="the old one is being deleted")
    end(process, signal.SIGKILL)
    free(held)
    wait_until(lambda: held.read("deployment", "web") is None, what="the old one is gone")
    # A commit that takes the consent back does not leave the service without its Deployment.
    held.say(MOVED)

    done = held.reconcile()

    assert done.code == 0, done.output
    assert "created: deleted by an earlier pass, to be made anew" in done.output
    assert uid_of(held, "deployment") != before
    assert is_calm(held.reconcile())


def test_what_somebody_deletes_is_made_anew_when_it_is_gone(held: Tree) -> None:
    """An object that is going away is neither patched nor taken for unchanged, with or without consent."""
    held.say(WEB)
    held.kubectl("delete", "deployment/web", "--wait=false")
    before = read_version(held)
    process = held.scratch.start_jsorc("reconcile")
    wait_until(lambda: read_version(held) != before, what="the pass has written down what it waits for")

    free(held)
    output, _ = process.communicate()

    assert process.returncode == 0, output
    assert f"Deployment/{held.namespace}/web recreated: is being deleted" in output


def read_version(tree: Tree) -> str:
    """The version of the state that lies in the cluster."""
    return str(tree.read("configmap", "jsorc.state.default")["metadata"]["resourceVersion"])


def test_a_sibling_that_is_refused_in_the_end(tree: Tree) -> None:
    """Its dry-run was stale at first; what stands beside it is not deleted in the meantime."""
    start_with(tree, WEB, SEALED.format(value="1"), recreate="allow")
    before = uid_of(tree, "configmap")
    tree.say(WEB.replace("web:1", "web:2"), SEALED.format(value="2"), recreate="allow")

    def take_image(_: Request) -> None:
        theirs = WEB.replace("web:1", "other:1")
        tree.kubectl(
            "apply", "--server-side", "--force-conflicts", "--field-manager=other", "-f", "-", stdin=theirs
        )

    with Proxy(tree.scratch.controlplane) as proxy:
        proxy.misbehave(take_image, match="PATCH .*/deployments/web.*dryRun", times=1)
        done = tree.reconcile("--kubeconfig", str(proxy.kubeconfig_for()))

    assert (done.code, uid_of(tree, "configmap")) == (1, before)
    assert f"Deployment/{tree.namespace}/web refused: " in done.output
    assert (
        f"ConfigMap/{tree.namespace}/web not recreated: left as it is, because others of app failed"
        in done.output
    )
