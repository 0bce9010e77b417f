"""What is different where a person looks on: colours, and one line that says how far a pass is."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

import click

_CLEAR = "\r\x1b[K"
_PATIENCE = 0.5  # seconds before anything is said: most passes are over by then
_PAUSE = 0.1  # seconds between two lines
_SECOND = 1.0
_LOG_PATIENCE = 5.0  # seconds of one wait before a log hears of it


def clean_text(text: str) -> str:
    """Without what a terminal would obey: names and values that somebody wrote are shown, not followed."""
    return "".join(each if each.isprintable() or each == "\n" else "\ufffd" for each in text)


def wants_colour() -> bool | None:
    """Never where NO_COLOR says so (no-color.org) or the terminal is dumb; None is for click to find out."""
    return False if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" else None


class Progress:
    """One line on standard error, written over and over; where that is no terminal, long waits are told once."""

    def __init__(self) -> None:
        self._shows = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._next = time.monotonic() + _PATIENCE
        self._shown = False
        self._waits = False

    def tell(self, doing: str, done: int, total: int) -> None:
        """'applying 12/40'; called as often as one likes."""
        if self._shows and not self._waits and total > 1 and time.monotonic() >= self._next:
            self._next = time.monotonic() + _PAUSE
            self._show(f"{doing} {done}/{total}")

    @contextmanager
    def wait(self, what: str) -> Iterator[None]:
        """'waiting for Lease/shop/jsorc.default (12 s)', for as long as the block takes."""
        over = Event()
        told = Thread(target=self._count, args=(clean_text(what), over), daemon=True)
        self._waits = True
        told.start()
        try:
            yield
        finally:
            over.set()
            told.join()
            self._waits = False
            self.clear()

    def clear(self) -> None:
        """Take the line away before something else is printed."""
        if self._shown:
            self._shown = False
            sys.stderr.write(_CLEAR)
            sys.stderr.flush()

    def _count(self, what: str, over: Event) -> None:
        if not self._shows:
            if not over.wait(_LOG_PATIENCE):
                click.echo(f"waiting for {what}", err=True)
            return
        begun, pause = time.monotonic(), _PATIENCE
        while not over.wait(pause):
            pause = _SECOND
            self._show(f"waiting for {what}", f" ({time.monotonic() - begun:.0f} s)")

    def _show(self, text: str, end: str = "") -> None:
        """In one row of the terminal: what is longer could not be taken away again."""
        room = os.get_terminal_size(sys.stderr.fileno()).columns - len(end) - 1
        self._shown = True
        cut = text if len(text) <= room or room < 1 else f"{text[: room - 1]}…"
        sys.stderr.write(f"{_CLEAR}{cut}{end}")
        sys.stderr.flush()
