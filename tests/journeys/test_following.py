"""`jsorc reconcile --from-cluster` on a real API server, a real Jaseci and records that kubectl has applied."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.controlplane.server import ControlPlane
from tests.jaseci.proxy import Proxy
from tests.jaseci.server import Jaseci, Redis
from tests.journeys.scratch import Done, Scratch
from tests.waiting import wait_until

pytestmark = pytest.mark.real

REFRESH = "/js_admin/service_refresh"
CACHE = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: cache}
spec:
  selector: {matchLabels: {app: cache}}
  template:
    metadata: {labels: {app: cache}, annotations: {test.jsorc/pods: ready}}
    spec: {containers: [{name: main, image: 'redis:7.2'}]}
"""


class Fleet(Scratch):
    """redis with a Deployment and task after it, applied by `kubectl apply -k`; passes run elsewhere."""

    def __init__(self, folder: Path, plane: ControlPlane, namespace: str, proxy: Proxy, token: str) -> None:
        super().__init__(folder / "repository", controlplane=plane)
        self.namespace, self.proxy = namespace, proxy
        self.outside = Scratch(folder / "elsewhere", controlplane=plane)
        self.outside.env["JASECI_CREDENTIALS"] = json.dumps({"origin": proxy.url, "token": token})

    def publish(self, url: str) -> None:
        self.write(
            "jsorc.yaml",
            f"namespace: {self.namespace}\njaseci: {{url: '{url}', credentials: {{env: JASECI_CREDENTIALS}}}}\n",
        )
        self.write("templates/redis/objects.yaml", CACHE)
        self.write("templates/task/service.yaml", "dependsOn: [redis]\n")
        self.commit("Begin")
        done = self.kubectl("apply", "-k", "rendered")
        assert done.code == 0, done.output

    def follow(self, *options: str) -> Done:
        return self.outside.jsorc("reconcile", "--from-cluster", "--namespace", self.namespace, *options)

    def list_resets(self) -> list[str]:
        return [str(each.json["name"]) for each in self.proxy.requests if each.path == REFRESH]

    def list_versions(self) -> dict[str, str]:
        """The resourceVersion of every object of the tree and of jsorc."""
        found = self.read("deployments,configmaps,leases", "-n", self.namespace)["items"]
        mine = [each for each in found if each["kind"] != "Lease"]
        return {
            f"{each['kind']}/{each['metadata']['name']}": each["metadata"]["resourceVersion"] for each in mine
        }


@pytest.fixture
def fleet(
    tmp_path: Path, controlplane: ControlPlane, namespace: str, jaseci: Jaseci, redis: Redis
) -> Iterator[Fleet]:
    redis.start()
    with Proxy(jaseci.url) as proxy:
        yield Fleet(tmp_path, controlplane, namespace, proxy, jaseci.token)


def test_judges_and_resets_without_git(fleet: Fleet) -> None:
    """What does not run is reset once its pods are ready, with no repository at hand; then nothing is written."""
    fleet.publish(fleet.proxy.url)
    done = fleet.follow("--wait", "--timeout", "60s", "--verbose")

    assert done.code == 0, done.output
    assert fleet.list_resets() == ["redis"]
    assert f"Deployment/{fleet.namespace}/cache current: 1 pod ready" in done.output
    assert "tree default on https://" in done.output
    before = fleet.list_versions()
    again = fleet.follow()
    assert (again.code, again.output, fleet.list_resets()) == (0, "", ["redis"])
    assert fleet.list_versions() == before


def test_a_rollout_resets_once(fleet: Fleet) -> None:
    """A commit that is applied anew replaces pods: redis and task are reset for it, once."""
    fleet.publish(fleet.proxy.url)
    assert fleet.follow("--wait").code == 0
    fleet.write("templates/redis/objects.yaml", CACHE.replace("7.2", "7.4"))
    fleet.commit("Roll out")
    fleet.kubectl("apply", "-k", "rendered")
    done = fleet.follow("--wait", "--verbose")

    assert f"was running, Deployment/{fleet.namespace}/cache was rolled out" in done.output
    assert fleet.list_resets() == ["redis", "redis", "task"]
    fleet.follow()
    assert fleet.list_resets() == ["redis", "redis", "task"]


def test_credentials_are_not_sent_to_another_origin(fleet: Fleet) -> None:
    """Whoever may write the settings record could name a server of their own: that one is never called."""
    with Proxy(fleet.proxy.url) as stranger:
        fleet.publish(stranger.url)
        wait_until(lambda: fleet.read("pods", "-n", fleet.namespace)["items"], what="its pod")
        done = fleet.follow("--verbose")

    assert done.code == 4
    assert "credentials" in done.output
    assert stranger.url.removeprefix("http://") in done.output
    assert (stranger.requests, fleet.list_resets()) == ([], [])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--from-cluster"], "--from-cluster and --namespace go together"),
        (["--namespace", "x"], "--from-cluster and --namespace go together"),
        (["--from-cluster", "--namespace", "x", "--dry-run"], "it does not go with --dry-run"),
        (["--from-cluster", "--namespace", "x", "--adopt"], "it does not go with --adopt"),
        (["--from-cluster", "--namespace", "x", "--allow-prune"], "it does not go with --allow-prune"),
        (["--from-cluster", "--namespace", "x", "--audit-every", "0"], "it does not go with --audit-every"),
    ],
)
def test_usage(tmp_path: Path, controlplane: ControlPlane, options: list[str], message: str) -> None:
    """What would be without effect is refused, exit 2."""
    done = Scratch(tmp_path, controlplane=controlplane).jsorc("reconcile", *options)

    assert done.code == 2
    assert message in done.output


def test_nothing_there(tmp_path: Path, controlplane: ControlPlane, namespace: str) -> None:
    """A namespace without records, or one that does not exist: one line, exit 1."""
    scratch = Scratch(tmp_path, controlplane=controlplane)
    for place in (namespace, f"{namespace}-none"):
        done = scratch.jsorc("reconcile", "--from-cluster", "--namespace", place)

        assert done.code == 1
        assert (
            f"no tree has its settings in namespace {place}; nothing has applied rendered/ there" in done.output
        )
