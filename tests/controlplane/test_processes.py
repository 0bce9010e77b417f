"""What starting, stopping and building a control plane promises: nothing is left over, nothing is done twice."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.controlplane import background, build
from tests.controlplane.build import PROGRAMS, ensure_programs
from tests.controlplane.server import ControlPlane
from tests.machine import SetupError
from tests.waiting import wait_until

pytestmark = [pytest.mark.real, pytest.mark.usefixtures("programs")]


def list_processes(folder: Path) -> list[int]:
    """The processes whose command line names `folder`: programs of its control plane, and who watches them."""
    found = []
    for each in Path("/proc").glob("[0-9]*"):
        try:
            line = (each / "cmdline").read_bytes()
        except OSError:
            continue
        if str(folder).encode() in line and int(each.name) != os.getpid():
            found.append(int(each.name))
    return found


def test_stop_leaves_nothing(tmp_path: Path) -> None:
    """After stop() no process of a control plane is left."""
    plane = ControlPlane.start(tmp_path)
    assert len(list_processes(tmp_path)) == 2 * 5
    plane.stop()
    assert list_processes(tmp_path) == []


def test_a_killed_owner_leaves_nothing(tmp_path: Path) -> None:
    """SIGKILL of the process that started a control plane ends that, too."""
    script = (
        "import pathlib, signal, sys; from tests.controlplane.server import ControlPlane;"
        "plane = ControlPlane.start(pathlib.Path(sys.argv[1])); print('up', flush=True); signal.pause()"
    )
    with subprocess.Popen([sys.executable, "-c", script, tmp_path], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout
        assert owner.stdout.readline() == "up\n"
        owner.send_signal(signal.SIGKILL)
    wait_until(lambda: not list_processes(tmp_path), what="all processes are gone")


def test_a_failed_start_leaves_nothing(tmp_path: Path, programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that ends early ends the others; the error names its log."""
    assets = tmp_path / "assets"
    assets.mkdir()
    for program in PROGRAMS:
        (assets / program.name).symlink_to(programs / program.name)
    (assets / "kwok").unlink()
    (assets / "kwok").symlink_to("/bin/false")
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(assets))
    with pytest.raises(SetupError, match=r"kwok ended with 1; .*/kwok\.log"):
        ControlPlane.start(tmp_path / "data")
    assert list_processes(tmp_path) == []


def test_a_second_build_runs_nothing(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs that were built are found again, without Go."""
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(build, "build_programs", lambda _: pytest.fail("it builds again"))
    assert ensure_programs() == programs


@pytest.fixture
def cache(tmp_path: Path, programs: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A user's cache of its own, whose control plane is down again afterwards."""
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(programs))
    monkeypatch.setenv("JSORC_TEST_CACHE", str(tmp_path))
    yield tmp_path
    background.stop()


def test_up_and_down(cache: Path) -> None:
    """What `up` starts outlives the command, is found by a second `up`, and `down` ends all of it."""

    def run(command: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "tests.controlplane", command], capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout

    assert run("kubeconfig") == (1, "")
    assert "is up now" in run("up")[1]
    assert "was up already" in run("up")[1]
    assert Path(run("kubeconfig")[1].strip()).exists()
    assert run("down") == (0, "ended\n")
    assert list_processes(cache) == []
    assert run("kubeconfig") == (1, "")
