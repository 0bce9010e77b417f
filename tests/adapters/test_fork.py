"""The copy of this process that computes for a second core."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable

import pytest

from jsorc_gitops.adapters.fork import fork
from tests.machine import hear_interrupts
from tests.waiting import wait_until

LARGE = "x" * (1 << 22)  # far more than a pipe holds
BESIDE = """\
import os, sys
from jsorc_gitops.adapters.fork import fork

def tell():
    os.write(int(sys.argv[1]), b"%d\\n" % os.getpid())  # whole, whoever else writes

def hang():
    tell()
    # Where the copy ends first, this process gets here as well.
    while True: pass

try:
    with fork(hang) as get:
        tell()
        get()
finally:
    print("tidied up", flush=True)
"""

pytestmark = pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="on one core there is nothing to fork for")


@pytest.fixture(autouse=True)
def alone() -> None:
    """A process with threads makes no copy; those of servers that other tests have stopped are about to end."""
    wait_until(lambda: threading.active_count() == 1, what=f"only one of {threading.enumerate()} is left")


def end(how: Callable[[], object]) -> Callable[[], int]:
    """A function that ends a copy of this process, and is fine in this process itself."""
    here = os.getpid()

    def function() -> int:
        if os.getpid() != here:
            how()
        return os.getpid()

    return function


def raise_error() -> None:
    raise KeyError("missing")


def test_a_copy_computes() -> None:
    """The outcome is the copy's, however large it is, and the copy is gone afterwards."""
    with fork(lambda: (os.getpid(), LARGE)) as get:
        pid, text = get()
        assert get() == (pid, text)

    assert (pid != os.getpid(), text) == (True, LARGE)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.parametrize(
    "how",
    [
        lambda: os.kill(os.getpid(), signal.SIGKILL),
        lambda: sys.exit(0),
        raise_error,
        lambda: os._exit(1),
        lambda: sys.setrecursionlimit(1),
    ],
    ids=["killed", "exit", "raises", "ends", "broken"],
)
def test_without_the_copy_this_process_computes(how: Callable[[], object]) -> None:
    """Whatever ends the copy, the outcome is there."""
    with fork(end(how)) as get:
        assert get() == os.getpid()


def test_what_cannot_be_handed_over_is_computed_here() -> None:
    """A lock, say, is of use to the process that made it alone."""
    with fork(threading.Lock) as get:
        assert not get().locked()


def test_an_error_is_raised_where_the_outcome_is_asked_for() -> None:
    """As if the function had been called there."""
    with fork(raise_error) as get, pytest.raises(KeyError, match="missing"):
        get()


def test_other_threads_forbid_a_copy() -> None:
    """What they have locked would stay locked in it."""
    ended = threading.Event()
    other = threading.Thread(target=ended.wait)
    other.start()
    try:
        with fork(os.getpid) as get:
            assert get() == os.getpid()
    finally:
        ended.set()
        other.join()


def test_an_outcome_that_nobody_asks_for() -> None:
    """The block ends at once, and the copy with it."""
    reading, writing = os.pipe()

    def hang() -> None:
        os.write(writing, str(os.getpid()).encode())
        while True:
            signal.pause()

    with fork(hang):
        pid = int(os.read(reading, 100))
    os.close(reading)
    os.close(writing)

    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_an_interrupt_reaches_both() -> None:
    """^C goes to the copy as well, which ends without tidying up what is not its own."""
    reading, writing = os.pipe()
    command = [sys.executable, "-c", BESIDE, str(writing)]
    with (
        hear_interrupts(),
        os.fdopen(reading) as pids_of,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, process_group=0, pass_fds=[writing]
        ) as process,
    ):
        os.close(writing)
        try:
            pids = {int(pids_of.readline()) for _ in range(2)}
            os.killpg(process.pid, signal.SIGINT)
            rest, _ = process.communicate()
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise

    assert (rest.count("tidied up"), process.returncode) == (1, -signal.SIGINT)
    assert process.pid in pids
    [copy] = pids - {process.pid}
    wait_until(lambda: not is_there(copy), what="the copy is gone")


def is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
