"""When nothing is pruned: each condition on a real API server, with a real repository."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.controlplane.server import ControlPlane
from tests.journeys.scratch import Done
from tests.journeys.test_ownership import CRDS, SETTINGS, WEB, Tree, is_calm

pytestmark = pytest.mark.real

VOLUME = """\
apiVersion: v1
kind: PersistentVolume
metadata: {{name: {name}}}
spec:
  capacity: {{storage: 1Gi}}
  accessModes: [ReadWriteOnce]
  storageClassName: none
  persistentVolumeReclaimPolicy: Retain
  hostPath: {{path: /{folder}}}
"""
NAMESPACE = "apiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}}}\n"


@pytest.fixture
def tree(tmp_path: Path, controlplane: ControlPlane, namespace: str) -> Tree:
    return Tree(tmp_path / "repository", controlplane, namespace)


@pytest.fixture
def applied(tree: Tree) -> Tree:
    """A Deployment and a ConfigMap, applied; before, git had the Deployment alone."""
    tree.say(WEB)
    tree.say(WEB, SETTINGS)
    assert tree.reconcile().code == 0
    return tree


def go_back(tree: Tree) -> None:
    """To the commit that did not have the ConfigMap yet: before what was said, and what it renders to."""
    assert tree.scratch.git("reset", "--quiet", "--hard", "HEAD~2").code == 0


def has_settings(tree: Tree) -> bool:
    return tree.read("configmap", "settings") is not None


def patch(tree: Tree, text: str) -> None:
    tree.kubectl("patch", "configmap/settings", "--type=merge", "-p", text)


def assert_left_alone(tree: Tree, why: str) -> None:
    """Git drops the ConfigMap, which stays and is told once; it is of no interest afterwards."""
    tree.say(WEB)

    done = tree.reconcile()

    assert done.code == 0, done.output
    assert f"ConfigMap/{tree.namespace}/settings yielded: {why}" in done.output
    assert has_settings(tree)
    assert is_calm(tree.reconcile())
    assert has_settings(tree)


def assert_refused_without(tree: Tree, option: str, why: str) -> None:
    """The ConfigMap stays until the option says that it may go."""
    done = tree.reconcile()

    assert done.code == 1
    assert why in done.output
    assert has_settings(tree)
    assert tree.reconcile(option).code == 0
    assert not has_settings(tree)


def test_an_empty_tree(applied: Tree) -> None:
    """All services are gone, which is more likely a mistake."""
    applied.scratch.git("rm", "-r", "--quiet", "templates/app")
    applied.scratch.commit("Nothing")
    assert_refused_without(applied, "--allow-prune", "the tree holds no service")


def test_an_older_commit(applied: Tree) -> None:
    """A clone that was not pulled undoes nothing; who means it says so."""
    go_back(applied)
    assert_refused_without(applied, "--allow-rewind", "is older than commit")


def test_a_branch_that_was_forced(applied: Tree) -> None:
    """Its commits do not follow on the one that was applied: they are applied, and nothing is pruned."""
    go_back(applied)
    applied.say(WEB.replace("web:1", "web:2"))

    outputs = [applied.reconcile(), applied.reconcile()]

    assert [each.code for each in outputs] == [1, 1]
    assert all("does not descend from" in each.output for each in outputs)
    assert has_settings(applied)
    [container] = applied.read("deployment", "web")["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "web:2"
    assert applied.reconcile("--allow-rewind").code == 0
    assert not has_settings(applied)


def test_a_shallow_clone(applied: Tree, tmp_path: Path) -> None:
    """It cannot prove that what is missing was there before; with its history it can."""
    applied.say(WEB)
    url = applied.scratch.folder.resolve().as_uri()
    assert applied.scratch.git("clone", "--quiet", "--depth=1", url, str(tmp_path / "clone")).code == 0

    def reconcile() -> Done:
        return applied.scratch.jsorc("-C", str(tmp_path / "clone"), "reconcile")

    done = reconcile()

    assert done.code == 1
    assert "does not descend from" in done.output
    assert has_settings(applied)
    assert applied.scratch.git("-C", str(tmp_path / "clone"), "fetch", "--quiet", "--unshallow").code == 0
    assert reconcile().code == 0
    assert not has_settings(applied)


def test_another_object_of_the_same_name(applied: Tree) -> None:
    """Somebody deleted ours and made one with all our marks: its UID tells."""
    labels = applied.read("configmap", "settings")["metadata"]["labels"]
    applied.kubectl("delete", "configmap", "settings")
    metadata = {"name": "settings", "namespace": applied.namespace, "labels": labels}
    theirs = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"mine": "yes"}}
    applied.kubectl("create", "-f", "-", stdin=json.dumps(theirs))
    assert_left_alone(applied, "another object of the same name, made by somebody else")


def test_an_object_that_another_owns(applied: Tree) -> None:
    """Who owns it decides on its end."""
    applied.kubectl("create", "configmap", "owner")
    owner = applied.read("configmap", "owner")["metadata"]
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["uid"]}
    patch(applied, json.dumps({"metadata": {"ownerReferences": [reference]}}))
    assert_left_alone(applied, "owned by another object")


def test_an_object_without_our_mark(applied: Tree) -> None:
    """Somebody took it out of the set before git dropped it."""
    patch(applied, '{"metadata": {"labels": {"applyset.kubernetes.io/part-of": null}}}')
    assert_left_alone(applied, "no longer carries our mark")


@pytest.fixture
def kept(tree: Tree) -> Iterator[Tree]:
    """A definition, a volume and a Namespace beside the Deployment, applied."""
    name = tree.namespace
    group = f"{name}.example.com"
    definition = CRDS.format(plural="widgets", group=group, kind="Widget")
    volume = VOLUME.format(name=f"{name}-volume", folder="a")
    tree.say(WEB, definition, volume, NAMESPACE.format(name=f"{name}-more"))
    done = tree.reconcile()
    assert done.code == 0, done.output
    yield tree
    for kind, each in list_kept(tree):
        tree.kubectl("delete", kind, each, "--wait=false", "--ignore-not-found")


def list_kept(tree: Tree) -> list[tuple[str, str]]:
    name = tree.namespace
    return [("crd", f"widgets.{name}.example.com"), ("pv", f"{name}-volume"), ("namespace", f"{name}-more")]


def test_what_holds_data_is_let_go_of(kept: Tree) -> None:
    """Named, not deleted: it carries none of our labels any more, and nothing of it is left to do."""
    before = [kept.read(*each)["metadata"]["uid"] for each in list_kept(kept)]
    kept.say(WEB)

    done = kept.reconcile()

    assert done.code == 0, done.output
    assert done.output.count("released: no longer in the tree; kept, it is yours to delete") == len(before)
    after = [kept.read(*each)["metadata"] for each in list_kept(kept)]
    assert [each["uid"] for each in after] == before
    assert not any("deletionTimestamp" in each for each in after)
    assert not any(
        label.startswith(("jsorc.", "applyset.")) for each in after for label in each.get("labels", {})
    )
    assert is_calm(kept.reconcile())


def test_what_holds_data_is_not_made_anew(kept: Tree) -> None:
    """Whatever the service allows: a definition of another scope, a volume that lies elsewhere."""
    before = [kept.read(*each)["metadata"]["uid"] for each in list_kept(kept)]
    name = kept.namespace
    definition = CRDS.format(plural="widgets", group=f"{name}.example.com", kind="Widget")
    moved = VOLUME.format(name=f"{name}-volume", folder="b")
    more = NAMESPACE.format(name=f"{name}-more")
    kept.say(WEB, definition.replace("scope: Namespaced", "scope: Cluster"), moved, more, recreate="allow")

    done = kept.reconcile()

    assert done.code == 1
    for kind in ("CustomResourceDefinition", "PersistentVolume"):
        assert f"a {kind} is never deleted to be made anew" in done.output
    assert [kept.read(*each)["metadata"]["uid"] for each in list_kept(kept)] == before
