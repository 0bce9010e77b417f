"""What `jsorc bootstrap flux` prints, given to the real kustomize-controller; only the source is played."""

import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest

from tests.controlplane.server import ControlPlane, KubectlError
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
from tests.gitops.flux import NAMESPACE, Flux
from tests.waiting import wait_until

pytestmark = [pytest.mark.real, pytest.mark.slow]

KIND = "kustomizations.kustomize.toolkit.fluxcd.io"
FLUX = ("flux", "--repo", "ssh://git@git.example.com/fleet.git", "--secret-ref", "key")


@pytest.fixture
def fleet(tmp_path: Path, controlplane: ControlPlane, namespace: str) -> Iterator[Fleet]:
    with make_bootstrap_fleet(tmp_path / "repository", controlplane, namespace, "flux") as made:
        yield made


class Synced:
    """The printed Kustomizations at work, an artifact in the place of their GitRepository; gone after `with`."""

    def __init__(self, flux: Flux, fleet: Fleet, bodies: list[Body]) -> None:
        repository, *self._bodies = bodies
        self.names = [each["metadata"]["name"] for each in self._bodies]
        self._flux, self._fleet, self._source = flux, fleet, repository["metadata"]["name"]
        for each in self._bodies:
            each["spec"]["sourceRef"]["kind"] = "ExternalArtifact"
        self._revision = ""

    def __enter__(self) -> Self:
        self.publish()
        self._flux.plane.kubectl("apply", "--server-side", "-f", "-", stdin=make_list(self._bodies))
        return self

    def __exit__(self, *_: object) -> None:
        self._flux.plane.kubectl("delete", KIND, *self.names, "-n", NAMESPACE)

    def publish(self) -> None:
        place = {"name": self._source, "namespace": NAMESPACE}
        self._revision = self._flux.artifacts.publish(self._fleet.folder, "HEAD", **place)

    def await_ready(self) -> dict[str, list[str]]:
        """What each of them has in its inventory, once all are ready at the revision published last."""

        def find() -> dict[str, list[str]] | None:
            found = [json.loads(self._kubectl("get", each, "-o", "json")) for each in self.names]
            if not all(self._is_ready(each) for each in found):
                return None
            return {each["metadata"]["name"]: list_inventory(each) for each in found}

        return wait_until(find, what=f"{self.names} are ready; the log is in {self._flux.folder}")

    def reconcile(self) -> None:
        """Have Flux go through all objects once more; returns once it has."""
        token = secrets.token_hex(8)
        self._kubectl("annotate", *self.names, "--overwrite", f"reconcile.fluxcd.io/requestedAt={token}")
        path = "-o=jsonpath={.status.lastHandledReconcileAt}"
        wait_until(
            lambda: all(self._kubectl("get", each, path) == token for each in self.names), what="all are handled"
        )
        self.await_ready()

    def _kubectl(self, verb: str, *args: str) -> str:
        return self._flux.plane.kubectl(verb, KIND, "-n", NAMESPACE, *args)

    def _is_ready(self, body: Body) -> bool:
        status = body.get("status", {})
        ready = [each["status"] for each in status.get("conditions", ()) if each["type"] == "Ready"]
        current = status.get("observedGeneration") == body["metadata"]["generation"]
        return current and ready == ["True"] and status.get("lastAppliedRevision") == self._revision


def list_inventory(kustomization: Body) -> list[str]:
    """What it applied, or left alone: NAMESPACE_NAME_GROUP_KIND."""
    return sorted(each["id"] for each in kustomization["status"]["inventory"]["entries"])


def test_flux_knows_every_field(flux: Flux, fleet: Fleet) -> None:
    """Its definitions take what is printed, the GitRepository too, and would not take another field."""
    bodies = bootstrap(fleet, *FLUX, "--per-service", "--decryption-secret", "age", "--interval", "1h30m")
    check_fields(flux.plane, bodies)

    bodies[1]["spec"]["dependOn"] = []
    with pytest.raises(KubectlError, match="dependOn"):
        check_fields(flux.plane, bodies)


def test_flux_syncs_the_tree(flux: Flux, fleet: Fleet) -> None:
    """One Kustomization gets ready with all of it; of store, not kept alive, it makes what it waits for."""
    with Synced(flux, fleet, bootstrap(fleet, *FLUX)) as synced:
        synced.await_ready()

        assert (
            is_there(fleet, "deployment/web", "configmap/api", "configmap/jsorc.record.default.store")
            == [True] * 3
        )
        assert is_there(fleet, "statefulset/store", "persistentvolumeclaim/store") == [False] * 2
        assert fleet.find(fleet.lasting[1])


def test_flux_leaves_alone_what_is_not_kept_alive(flux: Flux, fleet: Fleet) -> None:
    """A service that leaves keep_alive stays as it is, pruned and repaired by nobody, until it is back."""
    keep_alive(fleet, "flux", "api", "store", "web")
    with Synced(flux, fleet, bootstrap(fleet, *FLUX)) as synced:
        synced.await_ready()
        assert fleet.find("statefulset/store")

        keep_alive(fleet, "flux", "api", "web")
        synced.publish()
        synced.await_ready()
        set_image(fleet)
        synced.reconcile()
        assert find_image(fleet) == "store:2"

        keep_alive(fleet, "flux", "api", "store", "web")
        synced.publish()
        synced.await_ready()
        assert find_image(fleet) == "store:1"


def test_flux_syncs_service_by_service(flux: Flux, fleet: Fleet) -> None:
    """All get ready, each with what is its own: the tree's with the Namespaces and settings alone."""
    with Synced(flux, fleet, bootstrap(fleet, *FLUX, "--per-service")) as synced:
        inventories = synced.await_ready()
    home = fleet.namespace

    assert inventories == {
        home: [f"_{home}-store__Namespace", f"_{home}__Namespace", f"{home}_jsorc.settings.default__ConfigMap"],
        f"{home}.api": [f"{home}_api__ConfigMap", f"{home}_jsorc.record.default.api__ConfigMap"],
        f"{home}.store": sorted(
            [
                f"_stores.{home}.example.com_apiextensions.k8s.io_CustomResourceDefinition",
                f"{home}-store_store__ConfigMap",
                f"{home}_jsorc.record.default.store__ConfigMap",
                f"{home}_store__PersistentVolumeClaim",
                f"{home}_store_apps_StatefulSet",
            ]
        ),
        f"{home}.web": sorted(
            [
                f"{home}_jsorc.record.default.web__ConfigMap",
                f"{home}_web__ConfigMap",
                f"{home}_web__Service",
                f"{home}_web_apps_Deployment",
            ]
        ),
    }
