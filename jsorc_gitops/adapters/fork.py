"""Computes something in a copy of this process, while the process itself goes on: for a second core."""

import os
import pickle
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn, TypeVar

T = TypeVar("T")

_CHUNK = 1 << 20
_WATCH = 0.2  # seconds after which a copy looks whether it is still wanted


@contextmanager
def fork(function: Callable[[], T]) -> Iterator[Callable[[], T]]:
    """Begin to call the function in a copy of this process; what the block is given waits for the outcome.

    The function changes nothing that anybody else sees, since this process calls it itself where that is as
    good (one core) or the only way: no copy can be made, the copy was killed, the function raises, or what it
    returns cannot be pickled.
    """
    child = _start(function) if _is_worth_it() else None
    if child is None:
        yield function
        return
    pid, pipe = child
    outcome: list[T] = []

    def wait() -> T:
        if not outcome:
            outcome.append(_read(pipe, function))
        return outcome[0]

    try:
        yield wait
    finally:
        os.close(pipe)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _is_worth_it() -> bool:
    """Whether there is another core, and a copy can be made and waited for."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    # A copy has none of the other threads, and keeps for ever what they had locked.
    alone = threading.active_count() == 1
    # Where whoever started us ignores its children, ours are gone before we can ask.
    awaited = signal.getsignal(signal.SIGCHLD) is not signal.SIG_IGN
    return alone and awaited and (cores or 1) > 1


def _start(function: Callable[[], object]) -> tuple[int, int] | None:
    """The copy's pid and the pipe it answers on; None where there can be none."""
    reading, writing = os.pipe()
    # A ^C must not make the copy tidy up as this process would.
    parent, before = os.getpid(), signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        pid = os.fork()
        if not pid:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            os.close(reading)
            _answer(writing, function, parent=parent)
    except OSError:
        os.close(reading)
        return None
    finally:
        os.close(writing)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return pid, reading


def _answer(pipe: int, function: Callable[[], object], *, parent: int) -> NoReturn:
    """Nothing may leave this but the answer: what this process would do, its copy must not do again."""

    def check_parent(_: int, __: FrameType | None) -> None:
        if os.getppid() != parent:
            os._exit(0)

    try:
        # Whoever reads what the parent prints is not kept waiting for its end by us, should it be killed.
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in range(3):
            os.dup2(nowhere, stream)
        signal.signal(signal.SIGALRM, check_parent)
        signal.setitimer(signal.ITIMER_REAL, _WATCH, _WATCH)
        answer = memoryview(pickle.dumps(function(), pickle.HIGHEST_PROTOCOL))
        while answer:
            answer = answer[os.write(pipe, answer) :]
    finally:
        os._exit(0)


def _read(pipe: int, function: Callable[[], T]) -> T:
    chunks = []
    while chunk := os.read(pipe, _CHUNK):
        chunks.append(chunk)
    try:
        outcome: T = pickle.loads(b"".join(chunks))  # noqa: S301 - from a copy of this process
    except (EOFError, pickle.UnpicklingError):
        return function()
    return outcome
