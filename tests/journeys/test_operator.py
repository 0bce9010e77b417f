"""An operator that writes back whatever is changed, as a process of its own on a real API server."""

from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread
from typing import Self

import pytest
from kubernetes import config, watch
from kubernetes.client import CoreV1Api

from tests.controlplane.server import ControlPlane
from tests.journeys.test_ownership import SETTINGS, WEB, Tree, is_calm
from tests.waiting import wait_until

pytestmark = pytest.mark.real


class Operator:
    """Sees to it that settings are red: watches them, and writes as soon as they are anything else."""

    def __init__(self, tree: Tree) -> None:
        self.writes = 0
        self._namespace = tree.namespace
        self._client = config.new_client_from_config(str(tree.scratch.controlplane.kubeconfig))
        self._api = CoreV1Api(self._client)
        self._over = Event()
        self._thread = Thread(target=self._work, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._client.close()

    def wait_for(self, writes: int) -> None:
        wait_until(lambda: self.writes >= writes, what=f"the operator writes {writes} times")

    def _work(self) -> None:
        while not self._over.is_set():
            watching = watch.Watch().stream(
                self._api.list_namespaced_config_map,
                self._namespace,
                field_selector="metadata.name=settings",
                timeout_seconds=1,
            )
            for event in watching:
                if event["type"] != "DELETED" and event["object"].data["color"] != "red":
                    patch = {"data": {"color": "red"}}
                    self._api.patch_namespaced_config_map(
                        "settings", self._namespace, patch, field_manager="paint-operator"
                    )
                    self.writes += 1


@pytest.fixture
def tree(tmp_path: Path, controlplane: ControlPlane, namespace: str) -> Tree:
    tree = Tree(tmp_path / "repository", controlplane, namespace)
    tree.say(WEB, SETTINGS)
    assert tree.reconcile().code == 0
    return tree


@pytest.fixture
def operator(tree: Tree) -> Iterator[Operator]:
    with Operator(tree) as operator:
        wait_red(tree)
        yield operator


def wait_red(tree: Tree) -> None:
    wait_until(lambda: tree.data()["color"] == "red", what="the operator writes")


def test_there_is_no_fight(tree: Tree, operator: Operator) -> None:
    """Its field is refused in every pass, with both values and what would decide; nobody writes again."""
    outputs = [tree.reconcile(), tree.reconcile()]

    assert [each.code for each in outputs] == [1, 1]
    assert all(
        ".data.color is set by paint-operator to 'red', git says 'blue'" in each.output for each in outputs
    )
    assert all("`conflicts` in its service.yaml" in each.output for each in outputs)
    assert operator.writes == 1


def test_its_field_can_be_left_to_it(tree: Tree, operator: Operator) -> None:
    """Then the rest of the object is ours, and a pass has nothing to do."""
    tree.say(WEB, SETTINGS.replace("small", "large"), conflicts={".data.color": "yield"})

    done = tree.reconcile()

    assert done.code == 0, done.output
    assert tree.data() == {"color": "red", "size": "large"}
    assert is_calm(tree.reconcile())
    assert operator.writes == 1


def test_its_field_can_be_taken(tree: Tree, operator: Operator) -> None:
    """Pass after pass, since the service says so; it writes back each time, and both go on."""
    tree.say(WEB, SETTINGS, conflicts={".data.color": "take"})

    for number in range(2, 7):
        done = tree.reconcile()
        assert (done.code, ".data.color: red → blue" in done.output) == (0, True), done.output
        operator.wait_for(number)
        wait_red(tree)
