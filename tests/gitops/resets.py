"""A fleet with Jaseci's redis and task, and what `reconcile --from-cluster` makes of it, whoever syncs it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.controlplane.server import ControlPlane
from tests.gitops.fleet import Body, Synced
from tests.jaseci.proxy import Proxy
from tests.jaseci.server import Jaseci, Redis
from tests.journeys.scratch import Done, Scratch
from tests.waiting import wait_until

REFRESH = "/js_admin/service_refresh"
CACHE = """\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: cache}}
spec:
  selector: {{matchLabels: {{app: cache}}}}
  template:
    metadata: {{labels: {{app: cache}}, annotations: {{test.jsorc/pods: ready}}}}
    spec: {{containers: [{{name: main, image: "redis:{version}"}}]}}
"""


class Site(Scratch):
    """`redis` with a Deployment, `task` after it; passes run in a folder without any repository."""

    def __init__(self, folder: Path, plane: ControlPlane, namespace: str, proxy: Proxy, token: str) -> None:
        super().__init__(folder / "repository", controlplane=plane)
        self.namespace = namespace
        self.outside = Scratch(folder / "elsewhere", controlplane=plane)
        credentials = json.dumps({"origin": proxy.url, "token": token})
        for each in (self, self.outside):
            each.env["JASECI_CREDENTIALS"] = credentials
        self._proxy, self._seen = proxy, 0
        self.write("templates/task/service.yaml", "dependsOn: [redis]\n")

    def begin(self, applier: str, *, url: str = "") -> None:
        """Commit and render it, with Jaseci where it is, or (`url`) elsewhere."""
        jaseci = f"{{url: '{url or self._proxy.url}', credentials: {{env: JASECI_CREDENTIALS}}}}"
        self.write("jsorc.yaml", f"namespace: {self.namespace}\napplier: {applier}\njaseci: {jaseci}\n")
        self.say("7.2")

    def say(self, version: str) -> None:
        """Commit and render which redis it is."""
        self.write("templates/redis/objects.yaml", CACHE.format(version=version))
        self.commit(f"redis {version}")

    def follow(self, *options: str) -> Done:
        return self.outside.jsorc("reconcile", "--from-cluster", "--namespace", self.namespace, *options)

    def take_resets(self) -> list[str]:
        """The services that were reset since this was asked last, as the wire saw it."""
        told = [str(each.json["name"]) for each in self._proxy.requests if each.path == REFRESH]
        fresh, self._seen = told[self._seen :], len(told)
        return fresh

    def read_objects(self) -> list[Body]:
        """All that lies in the namespace and is not the pods' or a Lease."""
        found: list[Body] = self.read("deployments,replicasets,configmaps", "-n", self.namespace)["items"]
        return found


@contextmanager
def make_site(
    folder: Path, plane: ControlPlane, namespace: str, jaseci: Jaseci, redis: Redis, *, applier: str
) -> Iterator[Site]:
    """A site that is committed; Redis is up, and Jaseci was started while it was down."""
    redis.start()
    with Proxy(jaseci.url) as proxy:
        site = Site(folder, plane, namespace, proxy, jaseci.token)
        site.begin(applier)
        yield site


def check_resets(site: Site, synced: Synced) -> None:
    """Redis is reset once when what was synced is ready, and once for each rollout, be it a rollback."""
    synced.await_applied()
    done = site.follow("--wait", "--verbose")
    assert (done.code, site.take_resets()) == (0, ["redis"]), done.output
    assert site.git("rev-parse", "--short=12", "HEAD").output.strip() in done.output.splitlines()[-1]

    before = site.read_objects()
    again = site.follow()
    assert (again.code, again.output, site.take_resets()) == (0, "", [])
    assert site.read_objects() == before

    site.say("7.4")
    ahead = site.jsorc("status").output
    assert f"Deployment/{site.namespace}/cache: current, 1 pod ready; git says something else" in ahead
    assert "is applied, this is" in ahead.splitlines()[1]
    synced.publish()
    synced.await_applied()
    assert "not as in git" not in site.jsorc("status").output
    done = site.follow("--wait", "--verbose")
    assert f"Deployment/{site.namespace}/cache was rolled out" in done.output
    assert site.take_resets() == ["redis", "task"]

    assert site.git("revert", "--no-edit", "HEAD", "HEAD~1").code == 0
    synced.publish()
    synced.await_applied()
    assert site.follow("--wait").code == 0
    assert site.take_resets() == ["redis", "task"]
    # The same from a clone: HEAD is what is applied.
    assert site.jsorc("reconcile").code == 0
    assert site.take_resets() == []


def check_half_applied(site: Site, synced: Synced, *, keeper: str) -> None:
    """A commit that is refused: nothing is reset, though pods are others; the cause is told, exit 4."""
    synced.await_applied()
    assert site.follow("--wait").code == 0
    site.take_resets()
    site.write("templates/redis/more.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: more}\n")
    site.say("7.4")
    broken = site.folder / "rendered/redis/ConfigMap.yaml"
    broken.write_text(f"{broken.read_text()}immutable: perhaps\n")
    site.git("commit", "--quiet", "--all", "--message", "Break it")
    synced.publish()
    synced.await_failed()
    site.kubectl("rollout", "restart", "deployment/cache", "-n", site.namespace)
    site.kubectl("rollout", "status", "deployment/cache", "-n", site.namespace, "--timeout=60s")

    def find_cause() -> Done | None:
        done = site.follow()
        assert (done.code, site.take_resets()) == (4, []), done.output
        assert f"{keeper} failed: " in done.output
        return done if "ConfigMap" in done.output else None

    # While Argo CD tries again, it does not say what was refused.
    wait_until(find_cause, what="the cause")
    # A clone says so as well.
    assert site.jsorc("reconcile").code == 4
