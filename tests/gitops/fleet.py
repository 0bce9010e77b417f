"""A small repository with two services, and what must be seen of it whoever syncs it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from tests.controlplane.proxy import Proxy
from tests.controlplane.server import ControlPlane
from tests.journeys.scratch import Scratch
from tests.journeys.test_killed import is_write
from tests.waiting import wait_until

Body = dict[str, Any]

WEB = """\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}, annotations: {{test.jsorc/pods: ready}}}}
    spec: {{containers: [{{name: main, image: "web:{version}"}}]}}
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: web}}
data: {{version: "{version}"}}
"""
PORT = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {selector: {app: web}, ports: [{port: 80}]}\n"
STORE = """\
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {{name: store}}
spec: {{accessModes: [ReadWriteOnce], resources: {{requests: {{storage: 1Gi}}}}}}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: stores.{namespace}.example.com}}
spec:
  group: {namespace}.example.com
  scope: Namespaced
  names: {{kind: Store, plural: stores}}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {{openAPIV3Schema: {{type: object, x-kubernetes-preserve-unknown-fields: true}}}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {{name: store}}
spec:
  serviceName: store
  selector: {{matchLabels: {{app: store}}}}
  template:
    metadata: {{labels: {{app: store}}, annotations: {{test.jsorc/pods: ready}}}}
    spec: {{containers: [{{name: main, image: "store:1"}}]}}
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: store, namespace: {namespace}-store}}
data: {{size: small}}
"""


class Synced(Protocol):
    """What Flux's Kustomization and Argo CD's Application have in common here."""

    def publish(self, commit: str = "HEAD") -> str:
        """Hand a commit over; its name for the tool."""

    def await_applied(self) -> Body:
        """Return once the commit handed over last is applied and everything of it is ready."""

    def await_failed(self) -> str:
        """Why the commit handed over last cannot be applied."""

    def reconcile(self) -> None:
        """Have the tool look at everything once more."""


class Fleet(Scratch):
    """Services `web` (Deployment, ConfigMap, Service), `store` (claim, CRD, StatefulSet, another namespace)."""

    def __init__(self, folder: Path, controlplane: ControlPlane, namespace: str) -> None:
        super().__init__(folder, controlplane=controlplane)
        self.namespace = namespace
        self.write("jsorc.yaml", f"namespace: {namespace}\n")
        self.write("templates/store/objects.yaml", STORE.format(namespace=namespace))
        self.write("templates/store/service.yaml", "namespace: as-written\n")
        # So there is a ledger.
        self.write("templates/web/service.yaml", "reset: {via: rollout}\n")
        self.say_web("1", port=True)

    @property
    def lasting(self) -> tuple[str, ...]:
        """What outlives the service `store`: its claim, its CRD, its namespace."""
        return (
            f"persistentvolumeclaim/store -n {self.namespace}",
            f"customresourcedefinition/stores.{self.namespace}.example.com",
            f"namespace/{self.namespace}-store",
        )

    def say_web(self, version: str, *, port: bool = True) -> None:
        """Commit and render what `web` is."""
        self.write("templates/web/objects.yaml", WEB.format(version=version) + f"---\n{PORT}" * port)
        self.commit(f"web {version}")

    def remove_store(self) -> None:
        self.git("rm", "--quiet", "-r", "templates/store")
        self.commit("Remove store")

    def find(self, name: str, namespace: str = "") -> Body | None:
        """The object `kind/name` of the home namespace or another; None where there is none, or it is going."""
        body: Body | None = self.read(name, "-n", namespace or self.namespace)
        return body if body and "deletionTimestamp" not in body["metadata"] else None

    def find_version(self) -> tuple[str, str]:
        """What the Deployment and the ConfigMap of `web` say it is."""
        deployment, config = self.find("deployment/web"), self.find("configmap/web")
        assert deployment is not None
        assert config is not None
        return deployment["spec"]["template"]["spec"]["containers"][0]["image"], config["data"]["version"]


@contextmanager
def make_fleet(folder: Path, controlplane: ControlPlane, namespace: str) -> Iterator[Fleet]:
    """A fleet that is committed; what it leaves outside of its home namespace is removed."""
    fleet = Fleet(folder, controlplane, namespace)
    yield fleet
    for each in fleet.lasting[1:]:
        controlplane.kubectl("delete", "--ignore-not-found", "--wait=false", each)


def check_changes(fleet: Fleet, synced: Synced) -> None:
    """A change, a removed object and a rollback by `git revert` arrive."""
    synced.await_applied()
    assert fleet.find_version() == ("web:1", "1")

    fleet.say_web("2", port=False)
    synced.publish()
    synced.await_applied()
    assert fleet.find_version() == ("web:2", "2")
    wait_until(lambda: fleet.find("service/web") is None, what="the Service is pruned")

    done = fleet.git("revert", "--no-edit", "HEAD", "HEAD~1")
    assert done.code == 0, done.output
    assert fleet.jsorc("render", "--check").code == 0
    synced.publish()
    synced.await_applied()
    assert fleet.find_version() == ("web:1", "1")
    assert fleet.find("service/web")


def check_removal(fleet: Fleet, synced: Synced) -> None:
    """Of a service that left git the workload and its settings go; claim, CRD and namespace stay."""
    synced.await_applied()
    assert fleet.find("statefulset/store")

    fleet.remove_store()
    synced.publish()
    synced.await_applied()

    wait_until(lambda: fleet.find("statefulset/store") is None, what="the StatefulSet is pruned")
    wait_until(
        lambda: fleet.find("configmap/store", f"{fleet.namespace}-store") is None, what="so is the ConfigMap"
    )
    wait_until(lambda: fleet.find("configmap/jsorc.record.default.store") is None, what="so is the record")
    for each in fleet.lasting:
        assert fleet.find(*each.split(" -n ")), each


def check_failure(fleet: Fleet, synced: Synced) -> None:
    """A commit that the API server refuses is told with its field, and changes nothing; the next is applied."""
    synced.await_applied()
    broken = fleet.folder / "rendered/web/ConfigMap.yaml"
    broken.write_text(broken.read_text().replace("\ndata:", "\nimmutable: perhaps\ndata:"))
    fleet.git("commit", "--quiet", "--all", "--message", "Break it")
    synced.publish()
    told = synced.await_failed()
    assert ".immutable" in told, told
    assert fleet.find_version() == ("web:1", "1")

    fleet.git("revert", "--no-edit", "HEAD")
    fleet.say_web("2")
    synced.publish()
    synced.await_applied()
    assert fleet.find_version() == ("web:2", "2")


def check_peace(fleet: Fleet, synced: Synced, *, keeper: str) -> None:
    """Ten passes beside a tool that keeps the same objects write none of them, and say who keeps each."""
    synced.await_applied()
    before = read_versions(fleet)
    with Proxy(fleet.controlplane) as proxy:
        for _ in range(10):
            done = fleet.jsorc("reconcile", "--kubeconfig", str(proxy.kubeconfig_for()))
            assert done.code == 0, done.output
            for name in ("Deployment", "ConfigMap", "Service"):
                line = f"{name}/{fleet.namespace}/web yielded: {keeper} applies it"
                assert line in done.output, done.output
        writes = [f"{each} {each.body!r}" for each in proxy.requests if is_write(each)]
    # Its own notes: the Lease at each pass, the others at the first.
    own = ("/leases", '"jsorc.state.default"', '"jsorc.ledger.default"')
    assert [each for each in writes if not any(part in each for part in own)] == []
    synced.reconcile()
    assert read_versions(fleet) == before


def check_notes(fleet: Fleet, synced: Synced) -> None:
    """What jsorc notes in the cluster outlives another commit, and is nothing that the tool has to do with."""
    notes = ("configmap/jsorc.state.default", "configmap/jsorc.ledger.default", "lease/jsorc.default")
    assert fleet.jsorc("reconcile").code == 0
    before = {each: fleet.find(each) for each in notes}
    assert all(before.values()), before

    fleet.say_web("2", port=False)
    synced.publish()
    status = synced.await_applied()["status"]

    assert {each: fleet.find(each) for each in notes} == before
    assert not any(each.partition("/")[2] in str(status) for each in notes)


def read_versions(fleet: Fleet) -> dict[str, str]:
    """The resourceVersion of everything of the tree whose status does not go on changing."""
    kinds = "configmaps,services,persistentvolumeclaims"
    listed = fleet.read(kinds, "-n", fleet.namespace, "-l", "jsorc.jaseci.org/tree=default")["items"]
    return {f"{each['kind']}/{each['metadata']['name']}": each["metadata"]["resourceVersion"] for each in listed}
