"""A state of more than one ConfigMap, on a real API server: passes, kills and limited rights."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from jsorc_gitops.model.objects import ObjectRef
from jsorc_gitops.reconcile.inventory import PART_BYTES, Entry, State
from jsorc_gitops.reconcile.ports import Pass
from jsorc_gitops.reconcile.storage import read_state, write_state
from tests.adapters.sending import connect
from tests.controlplane.proxy import Proxy
from tests.controlplane.server import ControlPlane
from tests.journeys.test_killed import is_write, read_members, run_killed
from tests.journeys.test_ownership import SETTINGS, WEB, Tree, is_calm
from tests.journeys.test_rbac import Limited, limited
from tests.reconcile.builders import make_tree
from tests.reconcile.world import World

pytestmark = pytest.mark.real
__all__ = ["limited"]  # the fixture

MORE = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: more}\n"
# Of a pass that makes one object: two of the Lease, one apply, and of each of two states three: a part, the
# first, and the deletion of a part.
WRITES = 9


@contextmanager
def open_pass(kubeconfig: Path, namespace: str) -> Iterator[Pass]:
    """What a pass is given to read and write the state with, in this process."""
    run = World().make_pass(make_tree({}, namespace=namespace))
    with connect(kubeconfig) as cluster:
        yield replace(run, doors=replace(run.doors, cluster=cluster))


def list_parts(tree: Tree) -> list[str]:
    listed = tree.scratch.read("configmaps", "-n", tree.namespace, "-l", "jsorc.jaseci.org/state=default")
    return sorted(each["metadata"]["name"] for each in listed["items"])


def read(tree: Tree) -> State:
    with open_pass(tree.scratch.controlplane.kubeconfig, tree.namespace) as run:
        return read_state(run)


def fatten(tree: Tree) -> None:
    """Have the state of a small tree fill more than one ConfigMap: by a given up field with a long name."""
    noise = Random(7).randbytes(PART_BYTES).hex()  # noqa: S311 - it has only to be hard to compress
    with open_pass(tree.scratch.controlplane.kubeconfig, tree.namespace) as run:
        state = read_state(run)
        ref = next(each for each in state.entries if each.name == "settings")
        fat = replace(state.entries[ref], yielded=(("f:data", f"f:{noise}"),))
        write_state(run, replace(state, entries={**state.entries, ref: fat}))


@pytest.fixture
def fat(tmp_path: Path, controlplane: ControlPlane, namespace: str) -> Tree:
    """A tree of two objects, applied, whose state is continued."""
    tree = Tree(tmp_path / "repository", controlplane, namespace)
    tree.say(WEB, SETTINGS)
    assert tree.reconcile().code == 0
    fatten(tree)
    return tree


@pytest.fixture
def proxy(controlplane: ControlPlane) -> Iterator[Proxy]:
    with Proxy(controlplane) as proxy:
        yield proxy


def test_fifty_thousand_objects_are_remembered(controlplane: ControlPlane, namespace: str) -> None:
    """The API server takes every part, full as it is; what comes back is the same."""
    noise = Random(7)  # noqa: S311 - it has only to be hard to compress
    entries = [
        Entry(
            ref=ObjectRef(group="apps", kind="Deployment", namespace=namespace, name=f"app-{number}"),
            service=f"service-{number // 4}",
            uid=noise.randbytes(16).hex(),
            fingerprint=noise.randbytes(16).hex(),
        )
        for number in range(50_000)
    ]
    with open_pass(controlplane.kubeconfig, namespace) as run:
        written = write_state(run, State(revision="a", entries={each.ref: each for each in entries}))

        assert len(written.parts) >= 2
        assert read_state(run) == written


def test_a_pass_reads_and_keeps_it(fat: Tree, proxy: Proxy) -> None:
    """With one request more than a small state, and none of its parts is drift, an orphan or a member."""
    before = read(fat)
    seen = len(proxy.requests)

    calm = fat.reconcile("--kubeconfig", str(proxy.kubeconfig_for()))
    asked = [str(each) for each in proxy.requests[seen:] if "jsorc.state" in each.path]
    fat.say(WEB, SETTINGS, MORE)
    changed = fat.reconcile()

    assert is_calm(calm)
    assert len(asked) == 1 + len(before.parts) == 2
    assert changed.code == 0
    after = read(fat)
    assert list(after.parts) == list_parts(fat) != list(before.parts)
    assert set(after.entries) - set(before.entries) == {
        ObjectRef(group="", kind="ConfigMap", namespace=fat.namespace, name="more")
    }
    assert not [each for each in read_members(fat) if "jsorc.state" in each]


@pytest.mark.parametrize(("number", "done"), [(1, False), *((number, True) for number in range(1, WRITES + 1))])
def test_the_pass_after_a_killed_one_converges(fat: Tree, proxy: Proxy, number: int, *, done: bool) -> None:
    """Killed at each write: the state is that of before, the expected or the settled one, and goes on."""
    before = read(fat)
    fat.say(WEB, SETTINGS, MORE)
    run_killed(fat, proxy, number, done=done)
    found = read(fat)
    fat.kubectl("delete", "lease", "jsorc.default", "--ignore-not-found")

    ended = fat.reconcile()

    assert len(set(found.entries) - set(before.entries)) <= 1
    assert set(before.entries) <= set(found.entries)
    assert ended.code == 0, ended.output
    assert is_calm(fat.reconcile())
    assert "ConfigMap/more" in read_members(fat)
    # Another change clears away what the killed one left at its very end.
    fat.say(WEB, SETTINGS)
    assert fat.reconcile().code == 0
    state = read(fat)
    assert list(state.parts) == list_parts(fat)
    assert set(state.entries) == set(before.entries)


def test_a_pass_has_as_many_writes(fat: Tree, proxy: Proxy) -> None:
    """As the test above thinks, so that none is left out."""
    fat.say(WEB, SETTINGS, MORE)
    seen = len(proxy.requests)
    assert fat.reconcile("--kubeconfig", str(proxy.kubeconfig_for())).code == 0
    assert len([each for each in proxy.requests[seen:] if is_write(each)]) == WRITES


def test_a_missing_part_is_named_and_mended(fat: Tree) -> None:
    """The pass is refused before any write; without the broken one the state is built anew, as it says."""
    [part] = list_parts(fat)
    fat.kubectl("delete", "configmap", part)

    refused = fat.reconcile()
    fat.kubectl("delete", "configmap", "jsorc.state.default")
    mended = fat.reconcile()

    place = f"ConfigMap {fat.namespace}/jsorc.state.default"
    assert refused.code == 1
    assert f"{place} is continued in {part}, which is not there; delete it, and the next pass" in refused.output
    assert mended.code == 0, mended.output
    assert {"ConfigMap/settings", "Deployment/web"} <= {f"{each.kind}/{each.name}" for each in read(fat).entries}


def test_kubectl_knows_the_set(fat: Tree) -> None:
    """By its parent alone: nothing of what continues it claims to be a parent or a member."""
    listed = fat.scratch.read("configmaps", "-n", fat.namespace, "-l", "applyset.kubernetes.io/id")
    assert [each["metadata"]["name"] for each in listed["items"]] == ["jsorc.state.default"]


def test_the_printed_rights_are_enough(limited: Limited) -> None:
    """To write the parts, to read, to list and to delete them."""
    assert limited.reconcile().code == 0
    fatten(limited.tree)
    first = list_parts(limited.tree)
    limited.say(WEB, SETTINGS, MORE)

    done = limited.reconcile()

    assert done.code == 0, done.output
    assert len(list_parts(limited.tree)) == 1
    assert list_parts(limited.tree) != first
