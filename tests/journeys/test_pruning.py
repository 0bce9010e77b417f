"""What leaves git leaves the cluster, on a real API server: held back by finalizers, and brought back by git."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from jsorc_gitops.reconcile.inventory import parse_state
from tests.controlplane.server import ControlPlane
from tests.journeys.test_ownership import CRDS, SETTINGS, WEB, Tree, is_calm
from tests.waiting import wait_until

pytestmark = pytest.mark.real

CLAIM = """\
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {storageClassName: none, accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
"""


@pytest.fixture
def tree(tmp_path: Path, controlplane: ControlPlane, namespace: str) -> Tree:
    return Tree(tmp_path / "repository", controlplane, namespace)


@pytest.fixture
def held(tree: Tree) -> Iterator[Tree]:
    """A ConfigMap and a Deployment, of which a finalizer of somebody holds the ConfigMap."""
    tree.say(WEB, SETTINGS)
    assert tree.reconcile().code == 0
    set_finalizers(tree, '["example.com/hold"]')
    yield tree
    if tree.read("configmap", "settings"):
        set_finalizers(tree, "null")


def set_finalizers(tree: Tree, finalizers: str) -> None:
    patch = f'{{"metadata": {{"finalizers": {finalizers}}}}}'
    tree.kubectl("patch", "configmap/settings", "--type=merge", "-p", patch)


def list_members(tree: Tree) -> set[str]:
    """What kubectl finds of the ApplySet."""
    kinds = "configmaps,deployments,persistentvolumeclaims,services,secrets"
    selector = f"applyset.kubernetes.io/part-of={find_id(tree)}"
    listed = tree.scratch.read(kinds, "-n", tree.namespace, "-l", selector)
    return {f"{each['kind']}/{each['metadata']['name']}" for each in listed["items"]}


def find_id(tree: Tree) -> str:
    labels = tree.read("configmap", "jsorc.state.default")["metadata"]["labels"]
    return str(labels["applyset.kubernetes.io/id"])


def list_inventory(tree: Tree) -> set[str]:
    entries = parse_state(tree.read("configmap", "jsorc.state.default")).entries
    return {f"{ref.kind}/{ref.name}" for ref in entries if ref.kind != "Namespace"}


def test_what_finalizers_hold_is_told(held: Tree) -> None:
    """It is deleted once and not waited for; each pass says what holds it, until it is gone."""
    held.say(WEB)

    outputs = [held.reconcile(), held.reconcile()]

    said = "still there, until whoever set its finalizers takes them off: example.com/hold"
    assert [each.code for each in outputs] == [0, 0]
    assert all(f"ConfigMap/{held.namespace}/settings pruned" in each.output for each in outputs)
    assert all(said in each.output for each in outputs)
    assert "ConfigMap/settings" in list_members(held) & list_inventory(held)
    set_finalizers(held, "null")
    assert is_calm(held.reconcile())
    assert list_members(held) == list_inventory(held)
    assert "ConfigMap/settings" not in list_inventory(held)


def test_the_inventory_is_what_kubectl_finds(tree: Tree) -> None:
    """After an install, a change and a removal."""
    tree.say(WEB, SETTINGS)
    for objects in ([WEB, SETTINGS], [WEB.replace("web:1", "web:2"), SETTINGS], [WEB]):
        tree.say(*objects)
        assert tree.reconcile().code == 0
        assert list_members(tree) == list_inventory(tree)
    assert "ConfigMap/settings" not in list_inventory(tree)


def test_kubectl_refuses_our_applyset(tree: Tree) -> None:
    """It takes our parent for one, and leaves it to its tooling."""
    tree.say(SETTINGS)
    assert tree.reconcile().code == 0
    tree.scratch.env["KUBECTL_APPLYSET"] = "true"
    tree.scratch.write("../one.yaml", SETTINGS)
    parent = ("--prune", "--applyset=configmaps/jsorc.state.default", "-n", tree.namespace)

    done = tree.scratch.kubectl("apply", *parent, "-f", "../one.yaml")

    assert done.code != 0
    assert "tooling" in done.output
    assert "jsorc" in done.output
    assert tree.data() == {"color": "blue", "size": "small"}


def test_what_a_deleted_definition_took_along_is_forgotten(tree: Tree, controlplane: ControlPlane) -> None:
    """Once a person says that it is gone for good; until then nothing is pruned, and the report says how."""
    group = f"{tree.namespace}.example.com"
    definition = f"crd/things.{group}"
    controlplane.kubectl("create", "-f", "-", stdin=CRDS.format(kind="Thing", plural="things", group=group))
    controlplane.kubectl("wait", "--for=condition=Established", definition)
    wait_until(lambda: group in controlplane.kubectl("api-versions"), what="the group")
    tree.say(WEB, SETTINGS, f"apiVersion: {group}/v1\nkind: Thing\nmetadata: {{name: a}}\n")
    assert tree.reconcile().code == 0
    controlplane.kubectl("delete", definition)
    wait_until(lambda: group not in controlplane.kubectl("api-versions"), what="the group to go")
    tree.say(WEB)

    refused, agreed, later = tree.reconcile(), tree.reconcile("--allow-prune"), tree.reconcile()

    assert "the API server serves no Thing; if that is gone for good, --allow-prune forgets" in refused.output
    assert "settings pruned" not in refused.output
    assert f"ConfigMap/{tree.namespace}/settings pruned" in agreed.output
    assert (refused.code, agreed.code) == (1, 0)
    assert is_calm(later)


def test_a_revert_brings_everything_back(tree: Tree) -> None:
    """What was pruned is made again, and a claim that was let go of is ours again, the very same one."""
    tree.say(WEB, SETTINGS, CLAIM)
    assert tree.reconcile().code == 0
    before = tree.read("persistentvolumeclaim", "data")["metadata"]["uid"]
    tree.say(WEB)
    released = tree.reconcile()
    assert f"PersistentVolumeClaim/{tree.namespace}/data released" in released.output
    assert f"ConfigMap/{tree.namespace}/settings pruned" in released.output

    # The commit of what was said, and that of what it renders to.
    reverted = tree.scratch.git("revert", "--no-edit", "HEAD", "HEAD~1")
    assert reverted.code == 0, reverted.output
    assert tree.scratch.jsorc("render", "--check").code == 0
    done = tree.reconcile()

    assert done.code == 0, done.output
    assert f"PersistentVolumeClaim/{tree.namespace}/data adopted: let go of by this tree before" in done.output
    assert tree.data() == {"color": "blue", "size": "small"}
    claim = tree.read("persistentvolumeclaim", "data")["metadata"]
    assert (claim["uid"], "jsorc.jaseci.org/released-by" in claim["annotations"]) == (before, False)
    assert list_members(tree) == list_inventory(tree) >= {"PersistentVolumeClaim/data", "ConfigMap/settings"}
    assert is_calm(tree.reconcile())


def test_another_tree_does_not_take_what_was_let_go_of(tree: Tree, tmp_path: Path) -> None:
    """Whose it was says the annotation; to everybody else it is an object that exists."""
    tree.say(WEB, CLAIM)
    assert tree.reconcile().code == 0
    tree.say(WEB)
    assert tree.reconcile().code == 0
    other = Tree(tmp_path / "other", tree.scratch.controlplane, f"{tree.namespace}-other")
    other.say(CLAIM.replace("name: data", f"name: data, namespace: {tree.namespace}"))

    done = other.reconcile()

    assert done.code == 1
    assert f"PersistentVolumeClaim/{tree.namespace}/data refused: exists and is not ours" in done.output
    tree.kubectl("delete", "namespace", other.namespace, "--wait=false")
