"""Real Jaseci, real Redis, real pods of a kind: which services are reset, how often, and what is not."""

import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.controlplane.server import ControlPlane
from tests.jaseci.pods import ADDRESSES, start_pods
from tests.jaseci.proxy import Cut, Proxy, Reply, Request
from tests.jaseci.server import Jaseci, Redis
from tests.journeys.scratch import Scratch
from tests.waiting import wait_until

pytestmark = pytest.mark.real

REFRESH, INFO = "/js_admin/service_refresh", "/js_admin/service_info"
GET, SET = "/js_admin/config_get", "/js_admin/config_set"
CACHE = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: cache}
spec:
  replicas: REPLICAS
  selector: {matchLabels: {app: cache}}
  template:
    metadata: {labels: {app: cache}, annotations: {test.jsorc/pods: ready}}
    spec: {containers: [{name: main, image: 'redis:7.2'}]}
"""


class Site(Scratch):
    """redis with a Deployment, task after it; a proxy in front of Jaseci counts the resets."""

    def __init__(self, folder: Path, plane: ControlPlane, namespace: str) -> None:
        super().__init__(folder, controlplane=plane)
        self.namespace = namespace
        self.proxies: list[Proxy] = []
        self._counted: Counter[str] = Counter()

    def begin(self, jaseci: str) -> None:
        """Commit the services, and where Jaseci is."""
        self.write("jsorc.yaml", f"namespace: {self.namespace}\njaseci: {jaseci}\n")
        self.write("templates/redis/objects.yaml", CACHE.replace("REPLICAS", "1"))
        self.write("templates/task/service.yaml", "dependsOn: [redis]\n")
        self.commit("Begin")

    def say(self, service: str, text: str) -> None:
        """Change a service.yaml."""
        self.write(f"templates/{service}/service.yaml", text)
        self.commit(f"Change {service}")

    def pass_over(self, *, code: int = 0) -> str:
        """One pass; what it printed."""
        done = self.jsorc("reconcile", "--verbose")
        assert done.code == code, done.output
        return done.output

    def tell_waiting(self) -> str:
        """For what one pass says that the reset of redis waits."""
        output = self.jsorc("reconcile", "--verbose").output
        return next(line for line in output.splitlines() if "Jaseci: waiting, Deployment/" in line)

    def settle(self) -> str:
        """A pass, and when the Deployment has done what it brought, another; what both printed.

        Pods are ready so soon that the first may see them.
        """
        output = self.pass_over()
        self.await_rollout()
        return output + self.pass_over()

    def await_rollout(self, name: str = "cache") -> None:
        where = f"deployment/{name}", "-n", self.namespace, "--timeout=60s"
        done = self.kubectl("rollout", "status", *where)
        assert done.code == 0, done.output

    def count_resets(self) -> dict[str, int]:
        """Of each service since this was asked last, as the wire saw them."""
        told = (each for proxy in self.proxies for each in proxy.requests if each.path == REFRESH)
        total = Counter(str(each.json["name"]) for each in told)
        fresh, self._counted = total - self._counted, total
        return dict(fresh)


ONCE = {"redis": 1, "task": 1}


@pytest.fixture
def bare(tmp_path: Path, controlplane: ControlPlane, namespace: str) -> Site:
    """Nothing is committed yet."""
    return Site(tmp_path / "repository", controlplane, namespace)


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    """One for all tests here: each leaves it running."""
    made = Redis(tmp_path_factory.mktemp("redis"))
    yield made
    made.stop()


@pytest.fixture(scope="module")
def jaseci(tmp_path_factory: pytest.TempPathFactory, redis: Redis) -> Iterator[Jaseci]:
    """Started while Redis was down; each test leaves its services running."""
    made = Jaseci.start(tmp_path_factory.mktemp("jaseci"), redis_port=redis.port)
    redis.start()
    yield made
    made.stop()


@pytest.fixture
def site(bare: Site, jaseci: Jaseci) -> Iterator[Site]:
    """Applied, both services running, and nothing to do."""
    with Proxy(jaseci.url) as proxy:
        bare.env["JASECI_CREDENTIALS"] = json.dumps({"origin": proxy.url, "token": jaseci.token})
        bare.proxies = [proxy]
        bare.begin(f"{{url: '{proxy.url}', credentials: {{env: JASECI_CREDENTIALS}}}}")
        bare.settle()
        bare.count_resets()
        yield bare


def test_what_is_reset_for_what_runs_behind_it(site: Site) -> None:
    """A rollout, a replaced pod, a restarted container: once each. Scaling: not at all."""
    site.pass_over()
    assert site.count_resets() == {}

    site.kubectl("rollout", "restart", "deployment/cache", "-n", site.namespace)
    site.await_rollout()
    assert "was running, Deployment/" in site.pass_over()
    assert site.count_resets() == ONCE

    site.write("templates/redis/objects.yaml", CACHE.replace("REPLICAS", "3"))
    site.commit("Scale up")
    site.settle()
    assert site.count_resets() == {}

    (first, *_) = site.read("pods", "-n", site.namespace, "-l", "app=cache")["items"]
    site.kubectl("delete", "pod", first["metadata"]["name"], "-n", site.namespace)
    site.await_rollout()
    assert "has another pod" in site.pass_over()
    assert site.count_resets() == ONCE

    site.controlplane.mark_pods(site.namespace, "ready", selector="app=cache", restarts=1)
    wait_until(lambda: has_restarted(site), what="the containers were restarted")
    assert "has a restarted container" in site.pass_over()
    assert site.count_resets() == ONCE

    site.pass_over()
    assert site.count_resets() == {}


def has_restarted(site: Site) -> bool:
    pods = site.read("pods", "-n", site.namespace, "-l", "app=cache")["items"]
    return all(each["status"]["containerStatuses"][0]["restartCount"] for each in pods)


def test_a_running_service_is_repaired(site: Site, jaseci: Jaseci) -> None:
    """W1: Jaseci says RUNNING while its Deployment is deleted, then drifted: both are mended, and it is reset."""
    site.kubectl("delete", "deployment", "cache", "-n", site.namespace)
    assert jaseci.service_info("redis")["state"] == "RUNNING"
    assert "was made anew" in site.settle()
    assert site.count_resets() == ONCE

    site.kubectl("scale", "deployment", "cache", "--replicas=9", "-n", site.namespace)
    site.settle()
    assert site.read("deployment", "cache", "-n", site.namespace)["spec"]["replicas"] == 1
    assert site.count_resets() == {}


def test_by_hand(site: Site, jaseci: Jaseci) -> None:
    """A reset of what runs, a pause that a pass respects, the end of it; each verified in the cluster."""
    done = site.jsorc("reset", "redis")
    assert (done.code, done.output) == (
        0,
        "redis\n  Jaseci: reset, was running, asked for by hand, verified running\n",
    )
    assert site.count_resets() == {"redis": 1}

    done = site.jsorc("pause", "redis", "--reason", "an incident", "--until", "2h")
    assert (done.code, done.output.startswith("redis is paused until 20")) == (0, True)
    jaseci.fail("redis")
    site.kubectl("scale", "deployment", "cache", "--replicas=2", "-n", site.namespace)
    output = site.pass_over()
    assert "  paused, an incident (until " in output
    assert site.read("deployment", "cache", "-n", site.namespace)["spec"]["replicas"] == 2
    assert site.count_resets() == {}

    assert site.jsorc("resume", "redis").code == 0
    site.settle()
    assert site.read("deployment", "cache", "-n", site.namespace)["spec"]["replicas"] == 1
    assert site.count_resets()["redis"] == 1
    assert jaseci.service_info("redis")["state"] == "RUNNING"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("reset", "rdis"), 1, "no service 'rdis' in tree default; did you mean redis?"),
        (("pause", "redis"), 2, "Missing option '--reason'"),
        (("pause", "redis", "--reason", " "), 2, "--reason: say why, for those who wonder"),
        (
            ("pause", "redis", "--reason", "x", "--until", "noon"),
            2,
            "'noon' is neither a duration like 2h30m nor",
        ),
        (
            ("pause", "redis", "--reason", "x", "--until", "2020-01-01T00:00:00Z"),
            1,
            "2020-01-01T00:00:00+00:00 is",
        ),
        (("resume", "redis"), 1, "redis is not paused (there: none)"),
    ],
)
def test_what_cannot_be_done_by_hand(bare: Site, arguments: tuple[str, ...], code: int, message: str) -> None:
    """One line that says what to do, and the exit code of the table."""
    bare.begin("{url: 'http://127.0.0.1:1', credentials: {env: X}}")
    done = bare.jsorc(*arguments)
    assert done.code == code
    assert message in done.output


def test_a_config_is_reported_and_applied(site: Site, jaseci: Jaseci) -> None:
    """From git into Jaseci's database, with a Secret's value by reference, in effect after one reset."""
    value = "open-sesame-of-the-config"
    site.kubectl("create", "secret", "generic", "queue", f"--from-literal=word={value}", "-n", site.namespace)
    wanted = "{task_track_started: false, word: {valueFrom: {secretKeyRef: {name: queue, key: word}}}}"
    site.say("task", f"dependsOn: [redis]\nconfig: {wanted}\n")
    assert "Jaseci's config differs from git in task_track_started, word" in site.pass_over()
    assert site.count_resets() == {}

    site.say("task", f"dependsOn: [redis]\nconfig: {wanted}\nreset: {{config: apply}}\n")
    output = site.pass_over()
    assert "was running, its config differs in task_track_started, word, verified running" in output
    assert site.count_resets() == {"task": 1}
    config = jaseci.service_info("task")["config"]
    assert (config["task_track_started"], config["word"]) == (False, value)
    assert config["beat_scheduler"] == "django_celery_beat.schedulers:DatabaseScheduler"
    assert "differs" not in site.pass_over()
    assert site.count_resets() == {}
    everything = [output, site.git("log", "-p").output, str(site.read("configmaps", "-n", site.namespace))]
    assert not any(value in each for each in everything)


def test_killed_at_every_call_that_changes_something(site: Site, jaseci: Jaseci) -> None:
    """Before and after a config is stored, and its service reset: the next pass ends it, and it takes effect."""
    (proxy,) = site.proxies
    for number, (path, done) in enumerate([(SET, False), (SET, True), (REFRESH, False), (REFRESH, True)]):
        site.say("task", f"dependsOn: [redis]\nconfig: {{number: {number}}}\nreset: {{config: apply}}\n")
        kill_at(site, proxy, path, done=done)
        site.pass_over()
        assert jaseci.service_info("task")["config"]["number"] == number
        assert site.count_resets()["task"] == (2 if path == REFRESH else 1)
        assert site.read_ledger(site.namespace)["task"]["outcome"] == "done"
        assert "nothing to do" in site.pass_over()


def kill_at(site: Site, proxy: Proxy, path: str, *, done: bool) -> None:
    """A pass that is killed when it makes this call about task, once Jaseci has done it or before."""

    def kill(request: Request) -> Cut | None:
        if "task" not in request.body.decode().lower():
            return None
        process.kill()
        process.wait()
        return Cut(forward=done)

    proxy.misbehave(kill, path=path)
    process = site.start_jsorc("reconcile")
    process.communicate()
    proxy.behave()
    assert process.returncode == -signal.SIGKILL
    # Else the next pass waits until it is seen to expire.
    site.kubectl("delete", "lease", "jsorc.default", "-n", site.namespace)


def test_what_jaseci_resets_too_is_told(site: Site, jaseci: Jaseci) -> None:
    """Once, with what to do about it; and doing that ends it."""
    config = json.loads(jaseci.post(GET, {"name": "TASK_CONFIG", "do_check": False})[1])
    jaseci.post(SET, {"name": "TASK_CONFIG", "value": {**config, "automated": True}})
    jaseci.refresh("task")
    assert "warning: Jaseci itself resets task, too (automated: true): say config: {automated: false}" in (
        site.pass_over()
    )
    assert "warning" not in site.pass_over()
    site.say("task", "dependsOn: [redis]\nconfig: {automated: false}\nreset: {config: apply}\n")
    assert "its config differs in automated, verified running" in site.pass_over()
    assert jaseci.service_info("task")["automated"] is False


def test_a_rollout_restarts_what_depends_on_it(site: Site) -> None:
    """Without Jaseci's help: the standard annotation, once, with the time in the ledger."""
    app = CACHE.replace("REPLICAS", "1").replace("cache", "app")
    site.write("templates/app/objects.yaml", app)
    site.say("app", "reset: {via: rollout}\ndependsOn: [redis]\n")
    site.pass_over()
    site.await_rollout("app")
    site.pass_over()

    site.kubectl("rollout", "restart", "deployment/cache", "-n", site.namespace)
    site.await_rollout()
    output = site.pass_over()
    assert "rollout: waiting, restarted: Deployment/" in output
    annotation = read_restart(site)
    assert annotation == site.read_ledger(site.namespace)["app"]["at"]
    assert datetime.fromisoformat(annotation).tzinfo
    site.await_rollout("app")
    assert "was rolled out, all pods ready" in site.pass_over()
    site.pass_over()
    assert read_restart(site) == annotation
    assert site.count_resets() == ONCE


def read_restart(site: Site) -> str:
    body = site.read("deployment", "app", "-n", site.namespace)
    return str(body["spec"]["template"]["metadata"]["annotations"]["kubectl.kubernetes.io/restartedAt"])


SHIFTED = """
import sys
from jsorc_gitops.adapters import python_child
python_child._SHIFT = int(sys.argv.pop(1))
python_child.shift_clock()
import datetime
print(datetime.datetime.now(), file=sys.stderr)
from jsorc_gitops.__main__ import main
main()
"""


@pytest.mark.parametrize("days", [-400, 400])
def test_a_clock_that_is_wrong(site: Site, jaseci: Jaseci, days: int) -> None:
    """Times are the API server's: a pause between failed resets is as long as it is, whatever our clock says."""
    (proxy,) = site.proxies
    proxy.misbehave(Reply(status=200, body=b'{"success": false}'), path=REFRESH)
    jaseci.fail("redis")
    for _ in range(3):
        site.pass_over(code=4)
    before = site.read_ledger(site.namespace)["redis"]
    arguments = [sys.executable, "-c", SHIFTED, str(days * 86400), "reconcile"]
    done = subprocess.run(arguments, cwd=site.folder, env=site.env, capture_output=True, text=True, check=False)
    assert abs((datetime.fromisoformat(done.stderr[:26]).date() - datetime.now(UTC).date()).days) >= abs(days) - 1
    assert (done.returncode, "3 resets in a row failed, the next is not before" in done.stdout) == (4, True)
    assert site.read_ledger(site.namespace)["redis"] == before
    proxy.behave()
    assert site.jsorc("reset", "redis").code == 0


JASECI = CACHE.replace("cache", "server").replace("REPLICAS", "2")


def test_every_replica_is_called_and_verified(bare: Site, tmp_path: Path) -> None:
    """Two real processes behind two pods: one reset call each; in one that fails alone, one more."""
    site, redis = bare, Redis(tmp_path / "redis")
    site.write("templates/server/objects.yaml", JASECI)
    site.write("templates/server/service.yaml", "reset: {via: none}\n")
    with ExitStack() as stack:
        port, pods = stack.enter_context(start_pods(tmp_path / "jaseci", redis_port=redis.port))
        origin = f"pods://{site.namespace}/app=server:{port}"
        token = pods[0].server.token
        site.env["JASECI_CREDENTIALS"] = json.dumps({"origin": origin, "token": token})
        site.proxies = [each.proxy for each in pods]
        site.begin(f"{{selector: app=server, port: {port}, credentials: {{env: JASECI_CREDENTIALS}}}}")
        site.pass_over(code=4)
        place_pods(site)
        redis.start()
        stack.callback(redis.stop)
        site.pass_over()
        assert [each.count_resets("redis") for each in pods] == [1, 1]
        assert [each.get_state("task") for each in pods] == ["RUNNING", "RUNNING"]

        pods[1].server.fail("redis")
        output = site.pass_over()
        assert f"Jaseci: reset, was failed (in {ADDRESSES[1]} of 2 pods)" in output
        assert [each.count_resets("redis") for each in pods] == [1, 2]
        site.pass_over()
        assert [each.count_resets("redis") for each in pods] == [1, 2]


def place_pods(site: Site) -> None:
    """Have the two pods of the Deployment at the two addresses, ready."""
    pods = wait_until(
        lambda: (site.read("pods", "-n", site.namespace, "-l", "app=server") or {}).get("items"),
        what="pods of the server",
    )
    for pod, address in zip(pods, ADDRESSES, strict=True):
        name = pod["metadata"]["name"]
        site.kubectl("annotate", "pod", name, "-n", site.namespace, f"test.jsorc/pod-ip={address}")
    wait_until(lambda: find_addresses(site) == {*ADDRESSES}, what="pods at their addresses")


def find_addresses(site: Site) -> set[str]:
    pods = site.read("pods", "-n", site.namespace, "-l", "app=server")["items"]
    return {each["status"].get("podIP", "") for each in pods}


def test_only_ready_pods_count(site: Site, jaseci: Jaseci) -> None:
    """W7: one that merely runs, one that crashes, an old one beside the new: each holds up the reset."""
    pods = "pod", "-n", site.namespace, "-l", "app=cache"
    container = ".status.containerStatuses[0]"
    jaseci.fail("redis")
    site.controlplane.mark_pods(site.namespace, "unready", selector="app=cache")
    site.kubectl("wait", *pods, f"--for=jsonpath={{{container}.ready}}=false")
    assert "0 of 1 pod ready" in site.tell_waiting()
    [old] = site.controlplane.mark_pods(site.namespace, "crash-loop", selector="app=cache")
    site.kubectl("wait", *pods, f"--for=jsonpath={{{container}.state.waiting.reason}}=CrashLoopBackOff")
    assert "crashes again and again" in site.tell_waiting()

    site.kubectl("annotate", "pod", old, "-n", site.namespace, "test.jsorc/terminating=stuck")
    site.kubectl("delete", "pod", old, "-n", site.namespace, "--wait=false")
    site.await_rollout()
    assert "1 pod still terminating" in site.tell_waiting()
    assert site.count_resets() == {}

    site.kubectl("annotate", "pod", old, "-n", site.namespace, "test.jsorc/terminating-")
    site.kubectl("wait", "pod", old, "-n", site.namespace, "--for=delete")
    site.pass_over()
    assert site.count_resets() == ONCE


def test_a_reset_that_did_not_help_is_a_failure(site: Site, jaseci: Jaseci) -> None:
    """W17: Jaseci calls it a success; what counts is what it says afterwards. Mended, the next pass is done."""
    _, stored = jaseci.post("/js_admin/config_get", {"name": "REDIS_CONFIG", "do_check": False})
    config = json.loads(stored)
    jaseci.post("/js_admin/config_set", {"name": "REDIS_CONFIG", "value": {**config, "port": "1"}})
    assert jaseci.refresh("redis") == (200, {"success": True})

    output = site.pass_over(code=4)

    assert "is failed after the reset: Error 111" in output
    assert site.count_resets() == {"redis": 1}
    assert site.read_ledger(site.namespace)["redis"]["outcome"] == "failed"
    jaseci.post("/js_admin/config_set", {"name": "REDIS_CONFIG", "value": config})
    site.pass_over()
    assert jaseci.service_info("redis")["state"] == "RUNNING"


def test_a_service_that_jsorc_left_at_restart_is_reset(site: Site, jaseci: Jaseci) -> None:
    """W20: after `apply_yaml` of a service with `automated: false`, nobody else does it."""
    assert jaseci.apply_yaml("redis", CACHE.replace("REPLICAS", "1")) == 200
    assert jaseci.service_info("redis")["state"] == "RESTART"

    site.pass_over()

    assert site.count_resets() == {"redis": 1}
    assert jaseci.service_info("redis")["state"] == "RUNNING"


def test_redis_that_dies_is_unknown(site: Site, redis: Redis) -> None:
    """Every call is a 500 then: nothing is known, nothing is reset; and nothing has to be once it is back.

    The last of these tests: Jaseci keeps connections that are broken now, and its next reset of task meets one.
    """
    redis.stop()
    output = site.pass_over(code=4)
    assert output.count("Jaseci: unknown, Jaseci failed inside (500)") == 2
    redis.start()
    site.pass_over()
    assert site.count_resets() == {}
