"""Runs one command; ends it and all its descendants when standard input closes, that is, when its owner dies.

A script of its own, without imports from this repository, so that it starts in milliseconds:
    python supervisor.py GRACE COMMAND [ARGUMENT …]
where GRACE is how many seconds pass from SIGTERM to SIGKILL.
"""

import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36


def read_descendants(pid: int) -> list[int]:
    """All processes below `pid`, children before grandchildren."""
    found: list[int] = []
    frontier = [pid]
    while frontier:
        parent = frontier.pop()
        try:
            text = Path(f"/proc/{parent}/task/{parent}/children").read_text()
        except OSError:
            continue
        children = [int(word) for word in text.split()]
        found += children
        frontier += children
    return found


def reap() -> None:
    """Collect the exit codes of orphans that became ours."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def end_all() -> None:
    """SIGTERM to every descendant, SIGKILL to what is left after the grace period."""
    deadline = time.monotonic() + float(sys.argv[1])
    signalled: set[int] = set()
    while left := read_descendants(os.getpid()):
        late = time.monotonic() > deadline
        for pid in left:
            if late or pid not in signalled:
                try:
                    os.kill(pid, signal.SIGKILL if late else signal.SIGTERM)
                except ProcessLookupError:
                    continue
                signalled.add(pid)
        time.sleep(0.02)
        reap()


def main() -> int:
    """Run the command of our arguments until it ends or our standard input does."""
    # Orphans (celery daemons of a killed reloader) become our children and are found again.
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    child = subprocess.Popen(sys.argv[2:], stdin=subprocess.DEVNULL)
    child_end = os.pidfd_open(child.pid)
    poller = select.poll()
    poller.register(sys.stdin.fileno(), select.POLLIN | select.POLLHUP)
    poller.register(child_end, select.POLLIN)
    while True:
        ready = {fd for fd, _ in poller.poll()}
        if child_end in ready or not os.read(sys.stdin.fileno(), 1):
            break
    code = child.poll()
    end_all()
    return code if code is not None else 0


def stop(*_: object) -> None:
    """SIGTERM: the owner ends us alone."""
    end_all()
    sys.exit(0)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.exit(main())
