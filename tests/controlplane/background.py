"""A control plane for people: it outlives the command that starts it, one per user."""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType

from tests.controlplane.build import ensure_programs
from tests.controlplane.server import ControlPlane
from tests.machine import SetupError, cache_root, lock
from tests.waiting import wait_until

REPOSITORY = Path(__file__).parents[2]


def folder() -> Path:
    """Where it lives: `pid` (locked as long as it runs), `log`, and `data`, made anew by each start."""
    path = cache_root() / "controlplane-up"
    path.mkdir(parents=True, exist_ok=True)
    return path


def is_up() -> bool:
    """Whether its process runs; a pid alone would prove nothing, its lock does."""
    with (folder() / "pid").open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def kubeconfig() -> Path:
    return folder() / "data/kubeconfig-admin"


def start() -> bool:
    """Start it where it is not up; True if that was needed. Returns once it is usable.

    Raises:
        SetupError: it could not be built or started.
    """
    ensure_programs()
    ready = folder() / "data/ready"
    log = folder() / "log"
    with lock("controlplane-up"):
        if is_up():
            wait_until(ready.exists, what=f"the control plane is ready (log: {log})")
            return False
        ready.unlink(missing_ok=True)
        with log.open("wb") as sink:
            process = subprocess.Popen(
                [sys.executable, "-m", __name__],
                cwd=REPOSITORY,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                start_new_session=True,
            )
        wait_until(lambda: ready.exists() or process.poll() is not None, what=f"it is ready (log: {log})")
        if process.poll() is not None:
            raise SetupError(log.read_text().strip())
        return True


def stop() -> bool:
    """End it where it is up; True if that was needed. Returns once all its programs are gone."""
    with lock("controlplane-up"):
        if not is_up():
            return False
        os.kill(int((folder() / "pid").read_text()), signal.SIGTERM)
        wait_until(lambda: not is_up(), what="the control plane has ended")
        return True


def serve() -> None:
    """Be that process: run until SIGTERM."""

    def end(_number: int, _frame: FrameType | None) -> None:
        sys.exit(0)

    with (folder() / "pid").open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        handle.truncate(0)
        handle.write(str(os.getpid()))
        handle.flush()
        signal.signal(signal.SIGTERM, end)
        data = folder() / "data"
        shutil.rmtree(data, ignore_errors=True)
        plane = ControlPlane.start(data)
        try:
            (data / "ready").touch()
            signal.pause()
        finally:
            plane.stop()


if __name__ == "__main__":
    try:
        serve()
    except SetupError as error:
        sys.exit(str(error))
