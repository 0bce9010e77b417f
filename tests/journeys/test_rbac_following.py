"""jsorc rbac beside Flux and Argo CD: enough for a pass without git, and none of its rules is too many.

Nobody acts on the Kustomization and the Application here: they say what the real ones say when they are done.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.controlplane.server import ControlPlane
from tests.journeys.scratch import Done
from tests.journeys.test_ownership import CRDS, SETTINGS, WEB, Tree
from tests.journeys.test_rbac import CLAIM, EVENTS, make_account, without
from tests.waiting import wait_until

pytestmark = pytest.mark.real

FLUX, ARGO = "kustomize.toolkit.fluxcd.io", "argoproj.io"
KINDS = {"flux": ("Kustomization", "kustomizations", FLUX), "argocd": ("Application", "applications", ARGO)}
READY_WEB = WEB.replace("replicas: 0", "replicas: 1").replace(
    "{labels: {app: web}}", "{labels: {app: web}, annotations: {test.jsorc/pods: ready}}"
)
READY = {"type": "Ready", "status": "True", "reason": "ReconciliationSucceeded", "message": "applied"}


class Followed:
    """A tree that Flux or Argo CD has applied, and a ServiceAccount with what `jsorc rbac` prints for it."""

    def __init__(self, tree: Tree, applier: str) -> None:
        self.tree, self.applier = tree, applier
        tree.scratch.write("jsorc.yaml", f"namespace: {tree.namespace}\napplier: {applier}\n")
        tree.say(READY_WEB, SETTINGS, CLAIM, reset={"via": "rollout"})
        self.apply()
        self.roles = make_account(tree)
        self.grant(self.roles)

    def apply(self) -> None:
        """All of rendered/, marked, and whoever has done it, at rest."""
        rendered = self.tree.scratch.kubectl("kustomize", "rendered")
        bodies = list(yaml.safe_load_all(rendered.output))
        manager = "kustomize-controller" if self.applier == "flux" else "argocd-controller"
        for each in bodies:
            self._mark(each)
        command = ("apply", "--server-side", f"--field-manager={manager}", "-f", "-")
        self.tree.kubectl(*command, stdin=yaml.safe_dump_all(bodies))
        kind, _, group = KINDS[self.applier]
        body = {"apiVersion": f"{group}/v1", "kind": kind, "metadata": {"name": "app"}, "spec": {}}
        self.tree.kubectl("create", "-f", "-", stdin=json.dumps({**body, "status": self._make_status(bodies)}))

    def _mark(self, body: dict[str, Any]) -> None:
        metadata, group = body["metadata"], body["apiVersion"].rpartition("/")[0]
        if self.applier == "flux":
            metadata["labels"] |= {f"{FLUX}/name": "app", f"{FLUX}/namespace": self.tree.namespace}
        else:
            place = f"{metadata.get('namespace', self.tree.namespace)}/{metadata['name']}"
            mark = {"argocd.argoproj.io/tracking-id": f"app:{group}/{body['kind']}:{place}"}
            metadata["annotations"] = {**metadata.get("annotations", {}), **mark}

    def _make_status(self, bodies: list[dict[str, Any]]) -> dict[str, Any]:
        revision = self.tree.scratch.git("rev-parse", "HEAD").output.strip()
        places = [
            (each["metadata"].get("namespace", ""), each["metadata"]["name"], each["apiVersion"], each["kind"])
            for each in bodies
        ]
        if self.applier == "flux":
            said = f"main@sha1:{revision}"
            entries = [
                {"id": f"{space}_{name}_{version.rpartition('/')[0]}_{kind}", "v": "v1"}
                for space, name, version, kind in places
            ]
            applied = {"lastAppliedRevision": said, "lastAttemptedRevision": said, "observedGeneration": 1}
            return {**applied, "conditions": [READY], "inventory": {"entries": entries}}
        resources = [
            {
                "group": version.rpartition("/")[0],
                "kind": kind,
                "namespace": space,
                "name": name,
                "status": "Synced",
            }
            for space, name, version, kind in places
        ]
        return {"sync": {"status": "Synced", "revision": revision, "comparedTo": {}}, "resources": resources}

    def grant(self, roles: list[dict[str, Any]]) -> None:
        listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": roles})
        self.tree.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=listed)

    def follow(self, *options: str) -> Done:
        where = ("--from-cluster", "--namespace", self.tree.namespace, "--kubeconfig", "../limited")
        return self.tree.scratch.jsorc("reconcile", *where, *options)


@pytest.fixture(params=KINDS)
def followed(
    request: pytest.FixtureRequest, tmp_path: Path, controlplane: ControlPlane, namespace: str
) -> Iterator[Followed]:
    kind, plural, group = KINDS[request.param]
    controlplane.kubectl("create", "-f", "-", stdin=CRDS.format(kind=kind, plural=plural, group=group))
    controlplane.kubectl("wait", "--for=condition=Established", f"crd/{plural}.{group}")
    yield Followed(Tree(tmp_path / "repository", controlplane, namespace), request.param)
    role = f"jsorc.{namespace}.default"
    names = (f"crd/{plural}.{group}", f"clusterrole/{role}", f"clusterrolebinding/{role}")
    controlplane.kubectl("delete", "--ignore-not-found", *names)


def test_they_are_enough_and_none_is_too_many(followed: Followed) -> None:
    """A pass has no word about rights, waiting or not, and a restart is done; with a rule less one says which."""
    for options in ((), ("--wait", "--timeout", "1s", "--verbose")):
        done = followed.follow(*options)
        assert "forbidden" not in done.output, done.output
        assert done.code == (4 if options else 0), done.output  # the claim is never bound
    reset = ("reset", "app", "--kubeconfig", "../limited")
    wait_until(lambda: "restarted" in followed.tree.scratch.jsorc(*reset).output, what="the pod is ready")

    rules = [
        (role["kind"], number, rule)
        for role in followed.roles
        for number, rule in enumerate(role.get("rules", ()))
        if rule["resources"] != ["pods/log"] and rule != EVENTS
    ]
    assert len(rules) >= 5
    for kind, number, rule in rules:
        followed.grant(without(followed.roles, kind, number))
        done = followed.follow()
        assert done.code == 1, (rule, done.output)
        assert any(f'"{each}"' in done.output for each in rule["resources"]), (rule, done.output)
    followed.grant(followed.roles)
    assert followed.follow().code == 0
