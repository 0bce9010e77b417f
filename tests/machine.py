"""What the real parts need of this machine: a cache, free ports, and servers that never outlive us."""

import fcntl
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from tests import supervisor


class SetupError(Exception):
    """A real part cannot be set up here; the message says what to install."""


# pytest redirects file descriptor 2 itself later on; this copy of it keeps leading to the person.
_PERSON = os.dup(2)


def say(line: str) -> None:
    """Tell a person how far the setup is, past whatever captures standard output."""
    os.write(_PERSON, f"{line}\n".encode())


@contextmanager
def hear_interrupts() -> Iterator[None]:
    """What is started in this block hears ^C, though a shell that runs the tests in the background ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def cache_root() -> Path:
    """The per-user cache, outside every clone: $XDG_CACHE_HOME/jsorc-gitops or ~/.cache/jsorc-gitops."""
    base = os.environ.get("JSORC_TEST_CACHE") or os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "jsorc-gitops"


@contextmanager
def lock(name: str) -> Iterator[None]:
    """Hold the machine-wide lock `name`, so that two runs never build the same thing at once."""
    root = cache_root()
    root.mkdir(parents=True, exist_ok=True)
    with (root / f"{name}.lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another run that is setting up {name}")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def build_once(key: str, build: Callable[[Path], None], *, relocatable: bool = True) -> Path:
    """Return the cached folder `key`; where it is missing, `build` fills a new one that is moved there whole.

    A folder that cannot be moved (a virtual environment) is built in place and counts once its
    marker file is written, so a build that was killed is begun again.
    """
    folder = cache_root() / key
    marker = folder / ".complete"
    if marker.exists():
        return folder
    with lock(key):
        if marker.exists():
            return folder
        shutil.rmtree(folder, ignore_errors=True)
        if not relocatable:
            folder.mkdir(parents=True)
            build(folder)
            marker.touch()
            return folder
        scratch = Path(tempfile.mkdtemp(prefix=f".{key}.", dir=cache_root()))
        try:
            build(scratch)
            (scratch / ".complete").touch()
            scratch.rename(folder)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return folder


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody listens on now, all different.

    They lie below those that Linux gives to clients (from 32768 on): one of these may be taken, for a moment, by
    anybody's connection between our look and the start of the server.
    """
    with ExitStack() as held:
        ports: list[int] = []
        while len(ports) < count:
            port = 10240 + secrets.randbelow(32768 - 10240)
            probe = held.enter_context(socket.socket())
            with suppress(OSError):
                probe.bind(("127.0.0.1", port))
                ports.append(port)
        return ports


def require_debian_packages(packages: Mapping[str, Callable[[], bool]]) -> None:
    """Install the Debian packages whose check answers False, or raise SetupError that names them."""
    missing = [name for name, present in packages.items() if not present()]
    if not missing:
        return
    remedy = f"install {' '.join(missing)}: apt-get install {' '.join(missing)}"
    apt = shutil.which("apt-get")
    if apt is None or os.geteuid() != 0:
        raise SetupError(f"missing on this machine, and this user may not install: {remedy} (as root)")
    with lock("apt"):
        say(f"installing Debian packages: {' '.join(missing)}")
        for command in ([apt, "update"], [apt, "install", "-y", "--no-install-recommends", *missing]):
            run_logged(command, log=Path(tempfile.gettempdir()) / "jsorc-apt.log")
    still = [name for name in missing if not packages[name]()]
    if still:
        raise SetupError(f"apt-get ran, but {' '.join(still)} cannot be found; {remedy}")


def run_logged(
    command: Sequence[str | Path], *, log: Path, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> None:
    """Run a setup command with its output in `log`; raise SetupError with the log's end when it fails."""
    with log.open("ab") as sink:
        done = subprocess.run(
            command, stdout=sink, stderr=sink, stdin=subprocess.DEVNULL, env=env, cwd=cwd, check=False
        )
    if done.returncode:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise SetupError(f"{' '.join(map(str, command))} failed ({done.returncode}); {log} ends:\n{tail}")


class Server:
    """A program that runs under a supervisor and ends, with all its descendants, when we stop it or die.

    It is told to end by SIGTERM, and killed when it has not after `grace` seconds.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        log: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        grace: float = 10,
    ) -> None:
        self.name = Path(command[0]).name
        self.log = log
        with log.open("ab") as sink:
            self._supervisor = subprocess.Popen(
                [sys.executable, supervisor.__file__, str(grace), *map(str, command)],
                stdin=subprocess.PIPE,
                stdout=sink,
                stderr=sink,
                env=env,
                cwd=cwd,
                start_new_session=True,
            )

    def running(self) -> bool:
        return self._supervisor.poll() is None

    def check(self) -> None:
        """Raise SetupError with the log's end when the program has ended by itself."""
        if not self.running():
            tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])
            raise SetupError(f"{self.name} ended with {self._supervisor.returncode}; {self.log} ends:\n{tail}")

    def stop(self) -> None:
        """End the program and everything it started; returns once all of it is gone."""
        if self._supervisor.stdin and not self._supervisor.stdin.closed:
            self._supervisor.stdin.close()
        self._supervisor.wait()
