"""What `jsorc bootstrap argocd` prints, applied as it is beside a real Argo CD."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest

from tests.controlplane.server import ControlPlane, KubectlError
from tests.gitops.argocd import NAMESPACE, ArgoCD
from tests.gitops.bootstrapping import (
    Body,
    bootstrap,
    check_fields,
    find_image,
    is_there,
    keep_alive,
    make_bootstrap_fleet,
    make_list,
    set_image,
)
from tests.gitops.fleet import Fleet
from tests.waiting import wait_until

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.argocd]

KIND = "applications.argoproj.io"
REFRESH = "argocd.argoproj.io/refresh"


@pytest.fixture
def fleet(tmp_path: Path, controlplane: ControlPlane, namespace: str) -> Iterator[Fleet]:
    with make_bootstrap_fleet(tmp_path / "repository", controlplane, namespace, "argocd") as made:
        yield made


class Synced:
    """The printed objects at work on a repository that the fleet is pushed to; gone after `with`."""

    def __init__(self, argocd: ArgoCD, fleet: Fleet, *options: str) -> None:
        self._argocd, self._fleet = argocd, fleet
        url = argocd.git.create(f"{fleet.namespace}.git")
        self._bodies = bootstrap(fleet, "argocd", "--repo", url, *options)
        self.names = [each["metadata"]["name"] for each in self._bodies[1:]]
        self._revision = ""

    def __enter__(self) -> Self:
        self._push()
        self._argocd.plane.kubectl("apply", "--server-side", "-f", "-", stdin=make_list(self._bodies))
        return self

    def __exit__(self, *_: object) -> None:
        self.delete(*self.names)
        self._argocd.plane.kubectl("delete", "appprojects.argoproj.io", self._fleet.namespace, "-n", NAMESPACE)

    def delete(self, *names: str) -> None:
        self._kubectl("delete", "--ignore-not-found", *names)

    def publish(self) -> None:
        self._push()
        self.ask()

    def ask(self) -> None:
        """Have Argo CD compare everything; returns once it has."""
        self._kubectl("annotate", *self.names, "--overwrite", f"{REFRESH}=normal")
        wait_until(lambda: not any(REFRESH in str(each) for each in self.read()), what="Argo CD has compared")

    def read(self) -> list[Body]:
        return [json.loads(self._kubectl("get", each, "-o", "json")) for each in self.names]

    def await_synced(self) -> dict[str, list[str]]:
        """What each has, once all are Synced to the commit published last, and Healthy."""

        def find() -> dict[str, list[str]] | None:
            found = self.read()
            if not all(self._is_synced(each.get("status", {})) for each in found):
                return None
            return {each["metadata"]["name"]: list_resources(each) for each in found}

        try:
            return wait_until(find, what=f"{self.names} are Synced and Healthy")
        except TimeoutError as late:
            states = [json.dumps(each.get("status", {}))[:2000] for each in self.read()]
            raise TimeoutError(f"{late}; they are {states}; logs: {self._argocd.folder}") from late

    def await_told(self, words: str) -> None:
        """Return once the last operation of one of them says this; it is tried again and again."""
        wait_until(
            lambda: any(words in json.dumps(each["status"].get("operationState")) for each in self.read()),
            what=words,
        )

    def _is_synced(self, status: Body) -> bool:
        sync = status.get("sync", {})
        states = (sync.get("status"), sync.get("revision"), status.get("health", {}).get("status"))
        return states == ("Synced", self._revision, "Healthy")

    def _push(self) -> None:
        git = ["git", "-C", str(self._fleet.folder)]
        target = self._argocd.git.folder / f"{self._fleet.namespace}.git"
        subprocess.run([*git, "push", "--quiet", target, "HEAD:refs/heads/main"], check=True)
        self._revision = self._fleet.git("rev-parse", "HEAD").output.strip()

    def _kubectl(self, verb: str, *args: str) -> str:
        return self._argocd.plane.kubectl(verb, KIND, "-n", NAMESPACE, *args)


def list_resources(application: Body) -> list[str]:
    """KIND/NAME of what an Application has synced, or has in git; those without a state are left alone."""
    resources = application["status"]["resources"]
    return sorted(f"{each['kind']}/{each['name']}" for each in resources if each.get("status"))


def test_argocd_knows_every_field(argocd: ArgoCD, fleet: Fleet) -> None:
    """Its definitions take what is printed, and would not take another field."""
    bodies = bootstrap(fleet, "argocd", "--repo", "https://git.example.com/fleet.git", "--per-service")
    check_fields(argocd.plane, bodies)

    bodies[1]["spec"]["sources_"] = []
    with pytest.raises(KubectlError, match="sources_"):
        check_fields(argocd.plane, bodies)


def test_argocd_syncs_the_tree(argocd: ArgoCD, fleet: Fleet) -> None:
    """One Application gets Synced and Healthy, without what is not kept alive; another kind is not permitted."""
    with Synced(argocd, fleet) as synced:
        synced.await_synced()
        assert (
            is_there(fleet, "deployment/web", "configmap/api", "configmap/jsorc.record.default.store")
            == [True] * 3
        )
        assert (
            is_there(fleet, "statefulset/store", "persistentvolumeclaim/store", fleet.lasting[1]) == [False] * 3
        )

        fleet.write("templates/api/account.yaml", "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: api}\n")
        fleet.commit("Another kind")
        synced.publish()
        synced.await_told("ServiceAccount is not permitted in project")


def test_argocd_leaves_alone_what_is_not_kept_alive(argocd: ArgoCD, fleet: Fleet) -> None:
    """A service that leaves keep_alive stays as it is, pruned and healed by nobody, until it is back."""
    keep_alive(fleet, "argocd", "api", "store", "web")
    with Synced(argocd, fleet) as synced:
        synced.await_synced()
        assert find_image(fleet) == "store:1"

        keep_alive(fleet, "argocd", "api", "web")
        synced.publish()
        synced.await_synced()
        set_image(fleet)
        synced.ask()
        synced.await_synced()
        assert find_image(fleet) == "store:2"

        keep_alive(fleet, "argocd", "api", "store", "web")
        synced.publish()
        synced.await_synced()
        assert find_image(fleet) == "store:1"


def test_argocd_syncs_service_by_service(argocd: ArgoCD, fleet: Fleet) -> None:
    """Each has what is its own; one that goes takes its workload along, and leaves the claim."""
    keep_alive(fleet, "argocd", "api", "store", "web")
    home = fleet.namespace
    with Synced(argocd, fleet, "--per-service") as synced:
        resources = synced.await_synced()
        synced.delete(f"{home}.store")
        wait_until(lambda: fleet.find("statefulset/store") is None, what="the StatefulSet goes")
        assert is_there(fleet, "persistentvolumeclaim/store", fleet.lasting[1]) == [True] * 2

    assert resources == {
        home: ["ConfigMap/jsorc.settings.default", f"Namespace/{home}", f"Namespace/{home}-store"],
        f"{home}.api": ["ConfigMap/api", "ConfigMap/jsorc.record.default.api"],
        f"{home}.store": [
            "ConfigMap/jsorc.record.default.store",
            "ConfigMap/store",
            f"CustomResourceDefinition/stores.{home}.example.com",
            "PersistentVolumeClaim/store",
            "StatefulSet/store",
        ],
        f"{home}.web": ["ConfigMap/jsorc.record.default.web", "ConfigMap/web", "Deployment/web", "Service/web"],
    }
