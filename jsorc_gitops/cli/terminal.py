"""What is different where a person looks on: colours, and one line that says how far a pass is."""

import os
import sys
import time

_CLEAR = "\r\x1b[K"
_PATIENCE = 0.5  # seconds before anything is said: most passes are over by then
_PAUSE = 0.1  # seconds between two lines


def clean_text(text: str) -> str:
    """Without what a terminal would obey: names and values that somebody wrote are shown, not followed."""
    return "".join(each if each.isprintable() or each == "\n" else "\ufffd" for each in text)


def wants_colour() -> bool | None:
    """Never where NO_COLOR says so (no-color.org) or the terminal is dumb; None is for click to find out."""
    return False if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" else None


class Progress:
    """One line on standard error, written over and over; nothing where that is no terminal."""

    def __init__(self) -> None:
        self._shows = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._next = time.monotonic() + _PATIENCE
        self._shown = False

    def tell(self, doing: str, done: int, total: int) -> None:
        """'applying 12/40'; called as often as one likes."""
        if self._shows and total > 1 and time.monotonic() >= self._next:
            self._next = time.monotonic() + _PAUSE
            self._shown = True
            sys.stderr.write(f"{_CLEAR}{doing} {done}/{total}")
            sys.stderr.flush()

    def clear(self) -> None:
        """Take the line away before something else is printed."""
        if self._shown:
            self._shown = False
            sys.stderr.write(_CLEAR)
            sys.stderr.flush()
