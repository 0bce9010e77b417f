"""What our adapter and its tests rely on, seen on a real Jaseci 1.4.2.6 and a real Redis."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.jaseci.install import install
from tests.jaseci.server import Jaseci, Redis
from tests.waiting import wait_until

pytestmark = pytest.mark.real

OWNER = """
import sys
from pathlib import Path
from tests.jaseci.server import Jaseci, Redis

folder = Path(sys.argv[1])
redis = Redis(folder / "redis")
redis.start()
jaseci = Jaseci.start(folder / "jaseci", redis_port=redis.port)
assert jaseci.service_info("task")["state"] == "RUNNING"
print("ready", flush=True)
sys.stdin.read()
"""


def call_service(jaseci: Jaseci, name: str, *attributes: str) -> Any:
    """The value of a service's attribute; works where service_info fails."""
    body = {"svc": name, "attrs": [{"attr": each} for each in attributes]}
    return jaseci.post("/js_admin/service_call", body)[1]


def find_processes(folder: Path) -> list[int]:
    """The processes that run in or below `folder`, as all do that a Server starts there."""

    def working_folders() -> Iterator[tuple[int, Path]]:
        for entry in Path("/proc").iterdir():
            if entry.name.isdecimal():
                try:
                    yield int(entry.name), (entry / "cwd").readlink()
                except OSError:
                    continue

    return [pid for pid, place in working_folders() if place.is_relative_to(folder)]


def test_redis_has_failed_while_no_redis_answers(jaseci: Jaseci) -> None:
    """The state is FAILED, and the error says where it looked."""
    info = jaseci.service_info("redis")
    assert (info["enabled"], info["automated"], info["state"]) == (True, False, "FAILED")
    assert f"127.0.0.1:{jaseci.redis_port}" in info["error"]


def test_a_reset_succeeds_though_the_service_stays_failed(jaseci: Jaseci) -> None:
    """So the answer of the reset call proves nothing; the state must be read."""
    assert jaseci.refresh("redis") == (200, {"success": True})
    assert jaseci.service_info("redis")["state"] == "FAILED"


def test_a_reset_brings_redis_back(jaseci: Jaseci, redis: Redis) -> None:
    """With a Redis up it stays FAILED until service_refresh, then it is RUNNING."""
    assert jaseci.service_info("redis")["state"] == "FAILED"
    redis.start()
    assert jaseci.service_info("redis")["state"] == "FAILED"
    assert jaseci.refresh("redis") == (200, {"success": True})
    info = jaseci.service_info("redis")
    assert (info["state"], info["error"]) == ("RUNNING", None)


def test_a_reset_brings_task_back_once_redis_is_there(jaseci: Jaseci, redis: Redis) -> None:
    """Task has no kube config of its own; its broker is Redis."""
    assert jaseci.service_info("task")["state"] == "FAILED"
    redis.start()
    jaseci.refresh("redis")
    assert jaseci.service_info("task")["state"] == "FAILED"
    jaseci.refresh("task")
    assert jaseci.service_info("task")["state"] == "RUNNING"


def test_a_disabled_service_is_never_started(jaseci: Jaseci) -> None:
    """Mail is off as shipped: a reset of it succeeds and changes nothing."""
    assert jaseci.refresh("mail") == (200, {"success": True})
    info = jaseci.service_info("mail")
    assert (info["enabled"], info["state"]) == (False, "NOT_STARTED")


def test_prome_is_known_by_service_call_only(jaseci: Jaseci) -> None:
    """Its service_info fails while it does not run; service_call answers for every service."""
    assert jaseci.service_info("prome")["success"] is False
    assert call_service(jaseci, "prome", "state", "name") == "NOT_STARTED"
    assert call_service(jaseci, "prome", "enabled") is False


def test_stop_leaves_no_process(tmp_path: Path) -> None:
    """The server and both its celery daemons are gone."""
    redis = Redis(tmp_path / "redis")
    redis.start()
    jaseci = Jaseci.start(tmp_path / "jaseci", redis_port=redis.port)
    assert jaseci.service_info("task")["state"] == "RUNNING"
    assert len(find_processes(tmp_path / "jaseci")) >= len(("supervisor", "server", "worker", "beat"))
    jaseci.stop()
    assert not find_processes(tmp_path / "jaseci")
    redis.stop()
    assert not find_processes(tmp_path)


def test_a_killed_owner_leaves_no_process(tmp_path: Path) -> None:
    """A test run that is killed takes its servers with it."""
    command = [sys.executable, "-c", OWNER, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout
        assert owner.stdout.readline() == "ready\n"
        assert find_processes(tmp_path)
        owner.send_signal(signal.SIGKILL)
    wait_until(lambda: not find_processes(tmp_path), what="the end of all processes")


def test_the_installation_is_reused() -> None:
    """A second install builds nothing."""
    installed = install()
    before = installed.database.stat()
    assert install() == installed
    assert installed.database.stat().st_mtime_ns == before.st_mtime_ns
