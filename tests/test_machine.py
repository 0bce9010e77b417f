"""What the setup of real parts does where something is missing, or a run is killed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.machine import Server, SetupError, build_once, cache_root, free_ports, require_debian_packages
from tests.waiting import wait_until


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JSORC_TEST_CACHE", str(tmp_path / "cache"))


def test_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Debian package that is missing and cannot be installed here is named with the command to type."""
    monkeypatch.setenv("PATH", "/nonexistent")

    with pytest.raises(SetupError, match="apt-get install redis-server"):
        require_debian_packages({"redis-server": lambda: False, "libmagic1": lambda: True})


def test_build_is_reused() -> None:
    """What was built once is not built again."""
    builds: list[Path] = []

    folders = [build_once("thing", builds.append) for _ in range(2)]

    assert len(builds) == 1
    assert folders[0] == folders[1] == cache_root() / "thing"


def test_failed_build_leaves_nothing() -> None:
    """A build that fails leaves no folder that a later run would take for a finished one."""

    def fail(folder: Path) -> None:
        (folder / "half").touch()
        raise SetupError("no compiler")

    with pytest.raises(SetupError, match="no compiler"):
        build_once("thing", fail)

    assert [each.name for each in cache_root().iterdir() if each.is_dir()] == []


def test_free_ports_differ() -> None:
    """Ports asked for together are all different."""
    assert len(set(free_ports(20))) == 20


def test_server_ends_with_its_descendants(tmp_path: Path) -> None:
    """Stopping a server ends what it started too, even what has left its session."""
    pids = tmp_path / "pids"
    script = f"setsid sleep 1000 & echo $! > {pids}; echo $$ >> {pids}; wait"
    server = Server(["bash", "-c", script], log=tmp_path / "log")
    wait_until(lambda: pids.exists() and len(pids.read_text().split()) == 2, what="both run")

    server.stop()

    assert [pid for pid in pids.read_text().split() if Path("/proc", pid).exists()] == []


def test_server_dies_with_its_owner(tmp_path: Path) -> None:
    """A test run that is killed leaves no server behind."""
    pids = tmp_path / "pids"
    code = (
        "import pathlib; from tests.machine import Server\n"
        f"Server(['bash', '-c', 'echo $$ > {pids}; sleep 1000'], log=pathlib.Path('{tmp_path}/log'))\n"
        "import signal; signal.pause()"
    )
    root = Path(__file__).parent.parent
    owner = subprocess.Popen([sys.executable, "-c", code], cwd=root, env=os.environ)
    pid = wait_until(lambda: pids.read_text().strip() if pids.exists() else "", what="the server runs")

    owner.send_signal(signal.SIGKILL)
    owner.wait()

    wait_until(lambda: not Path("/proc", pid).exists(), what="the server is gone")
