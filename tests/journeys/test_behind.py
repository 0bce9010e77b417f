"""Of two machines with one tree, the one that is behind undoes nothing, or says that it may."""

from pathlib import Path

import pytest

from tests.controlplane.server import ControlPlane
from tests.journeys.scratch import Done, Scratch
from tests.journeys.test_ownership import SETTINGS, Tree

pytestmark = pytest.mark.real

RED = SETTINGS.replace("blue", "red")


@pytest.fixture
def tree(tmp_path: Path, controlplane: ControlPlane, namespace: str) -> Tree:
    """One ConfigMap, blue, applied."""
    made = Tree(tmp_path / "repository", controlplane, namespace)
    made.say(SETTINGS)
    assert made.reconcile().code == 0
    return made


def reconcile_at(tree: Tree, revision: str, *options: str) -> Done:
    """A pass of another machine, whose clone is at a commit."""
    folder = tree.scratch.folder.parent / "other"
    tree.scratch.git("clone", "--quiet", *options, tree.scratch.folder.as_uri(), str(folder))
    other = Scratch(folder, controlplane=tree.scratch.controlplane)
    assert other.git("checkout", "--quiet", revision).code == 0
    return other.jsorc("reconcile")


def test_a_commit_that_was_taken_back_is_not_applied_by_one_that_is_behind(tree: Tree) -> None:
    """No pass ever saw it here: from before it to after it, nothing was to be changed."""
    tree.say(RED)
    red = tree.scratch.git("rev-parse", "HEAD").output.strip()
    tree.say(SETTINGS)
    assert tree.reconcile().code == 0

    done = reconcile_at(tree, red)

    assert "is older than commit" in done.output
    assert tree.data()["color"] == "blue"


def test_a_commit_that_leaves_the_tree_alone_is_not_written_down(tree: Tree) -> None:
    """With nothing to do, nothing is written."""
    before = tree.read("configmap", "jsorc.state.default")["metadata"]["resourceVersion"]
    tree.scratch.write("NOTES.md", "nothing\n")
    tree.scratch.git("add", "--all")
    tree.scratch.git("commit", "--quiet", "--message", "A note")

    assert tree.reconcile().code == 0

    assert tree.read("configmap", "jsorc.state.default")["metadata"]["resourceVersion"] == before


def test_a_shallow_clone_that_is_behind_says_that_it_may_be(tree: Tree) -> None:
    """It cannot prove that it is not, and names what would."""
    tree.scratch.git("branch", "behind")
    tree.say(RED)
    assert tree.reconcile().code == 0

    done = reconcile_at(tree, "HEAD", "--depth=1", "--branch=behind")

    assert "warning: this clone is shallow and cannot tell whether commit" in done.output
    assert "git fetch --unshallow" in done.output
