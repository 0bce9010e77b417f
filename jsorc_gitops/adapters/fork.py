"""Computes something in a copy of this process, while the process itself goes on: for a second core."""

import os
import pickle
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn, TypeVar

T = TypeVar("T")

_CHUNK = 1 << 20


@contextmanager
def fork(function: Callable[[], T]) -> Iterator[Callable[[], T]]:
    """Begin to call the function in a copy of this process; what the block is given waits for the outcome.

    The function changes nothing that anybody else sees, since this process calls it itself where that is as
    good (one core) or the only way: no copy can be made, the copy was killed, the function raises, or what it
    returns cannot be pickled.
    """
    # A copy has none of the other threads, and keeps for ever what they had locked.
    alone = threading.active_count() == 1 and (os.cpu_count() or 1) > 1
    child = _start(function) if alone else None
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


def _start(function: Callable[[], object]) -> tuple[int, int] | None:
    """The copy's pid and the pipe it answers on; None where there can be none."""
    reading, writing = os.pipe()
    # A ^C must not make the copy tidy up as this process would.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        pid = os.fork()
        if not pid:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            os.close(reading)
            _answer(writing, function)
    except OSError:
        os.close(reading)
        return None
    finally:
        os.close(writing)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return pid, reading


def _answer(pipe: int, function: Callable[[], object]) -> NoReturn:
    """Nothing may leave this but the answer: what this process would do, its copy must not do again."""
    try:
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
