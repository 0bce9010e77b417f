"""A tree that Flux applies, or kubectl, in a world of values; and passes beside them."""

import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from jsorc_gitops.model.jaseci import ServiceState
from jsorc_gitops.model.layout import record_name, settings_name
from jsorc_gitops.model.tree import Tree
from jsorc_gitops.reconcile.converge import reconcile
from jsorc_gitops.reconcile.ports import NoHistory, Options
from jsorc_gitops.reconcile.records import read_cluster_tree
from jsorc_gitops.reconcile.report import Report
from jsorc_gitops.reconcile.resets import Verdict
from jsorc_gitops.reconcile.syncers import FLUX
from tests.reconcile.builders import HOME, Body, make_ref, make_tree
from tests.reconcile.trees import REDIS, TASK
from tests.reconcile.world import FakeClock, World

A, B = "a" * 40, "b" * 40
RECORDS = {"task": {"depends_on": ("redis",)}}
TREE = make_tree({"redis": REDIS, "task": TASK}, records=RECORDS, applier="flux")
PLAIN = make_tree({"redis": REDIS, "task": TASK}, records=RECORDS)
KEEPER = make_ref("Kustomization", "app", group=FLUX, namespace="flux-system")
RECORD = make_ref("ConfigMap", record_name("default", "redis"))
SETTINGS = make_ref("ConfigMap", settings_name("default"))
READY = {"type": "Ready", "status": "True", "reason": "ReconciliationSucceeded"}
FAILED = {"type": "Ready", "status": "False", "reason": "BuildFailed", "message": "no such file"}


class LivelyClock(FakeClock):
    """While somebody sleeps, what is to happen does."""

    def sleep(self, seconds: float) -> None:
        end = self.time + timedelta(seconds=seconds)
        while self.go_on((end - self.time).total_seconds()):
            pass


Change = Callable[[dict[str, Any]], object]


class Fleet(World):
    """A world in which a tree is applied by Flux, or (`flux` False) by kubectl."""

    def __init__(self) -> None:
        super().__init__()
        self.history.commits = [A, B]
        self.clock = LivelyClock(self.log)
        self.cluster.served.add((f"{FLUX}/v1", "Kustomization"))
        self.jaseci.states |= {"redis": ServiceState.FAILED, "task": ServiceState.FAILED}

    def sync(self, tree: Tree = TREE, revision: str = A, *, flux: bool = True, **status: Any) -> None:
        marks = {f"{FLUX}/name": "app", f"{FLUX}/namespace": "flux-system"} if flux else {}
        for each in tree.manifests.values():
            body: Body = deepcopy(dict(each.body))
            body["metadata"]["labels"] |= marks
            self.cluster.put(body, "kustomize-controller" if flux else "kubectl-client-side-apply")
        if flux:
            self.keep(tree, revision, **status)

    def keep(self, tree: Tree, revision: str, *, suspend: bool = False, **status: Any) -> None:
        """What the Kustomization says."""
        entries = [f"{ref.namespace}_{ref.name}_{ref.group}_{ref.kind}" for ref in tree.manifests]
        said = f"main@sha1:{revision}"
        self.cluster.objects.pop(KEEPER, None)
        self.cluster.put(
            {
                "apiVersion": f"{FLUX}/v1",
                "kind": "Kustomization",
                "metadata": {"name": "app", "namespace": "flux-system", "generation": 1},
                "spec": {"suspend": suspend},
                "status": {
                    "observedGeneration": 1,
                    "conditions": [READY],
                    "lastAppliedRevision": said,
                    "lastAttemptedRevision": said,
                    "inventory": {"entries": [{"id": each} for each in entries]},
                    **status,
                },
            }
        )

    def follow(self, environment: str = "", options: Options | None = None) -> Report:
        """A pass over what the records say, without git."""
        self.log.clear()
        self.told.clear()
        self.cluster.read_discovery()
        found = read_cluster_tree(self.cluster, HOME, environment)
        doors = replace(self.doors(), history=NoHistory())
        return reconcile(found.tree, found.revision, doors, options or Options(), found=found)

    def edit_record(self, change: Change, *, manager: str = "kustomize-controller") -> None:
        data = json.loads(self.cluster.objects[RECORD]["data"]["service.json"])
        change(data)
        self.cluster.edit(RECORD, ("data", "service.json"), json.dumps(data), manager=manager)


def tell(report: Report) -> dict[str, tuple[Verdict, str]]:
    return {each.service: (each.verdict, each.reason) for each in report.services}


def resets(fleet: Fleet) -> list[str]:
    return [line for line in fleet.log if line.startswith("reset ")]


FOLLOW = pytest.mark.parametrize("from_cluster", [False, True], ids=["git", "cluster"])


def go(fleet: Fleet, *, from_cluster: bool, options: Options | None = None) -> Report:
    return fleet.follow(options=options) if from_cluster else fleet.run(TREE, A, options)


def put_settings(fleet: Fleet, change: Change, *, manager: str = "kustomize-controller") -> None:
    data = json.loads(fleet.cluster.objects[SETTINGS]["data"]["settings.json"])
    change(data)
    fleet.cluster.edit(SETTINGS, ("data", "settings.json"), json.dumps(data), manager=manager)
