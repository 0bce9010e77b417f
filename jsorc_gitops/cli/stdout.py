"""Standard output whose reader may have read enough (`| head`): what is to be done is done all the same."""

import os
import signal
import sys

import click


def say_last(content: str | bytes, *, color: bool | None = None) -> None:
    """Print when nothing is left to do: a reader who has read enough ends us, as every Unix tool."""
    before = signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        # In bytes: what programs read is UTF-8 whatever the locale is.
        click.echo(content, nl=False, color=color)
    finally:
        signal.signal(signal.SIGPIPE, before)


class Stdout:
    """For what is said before all is done; once the reader has gone, it is lost."""

    def __init__(self) -> None:
        self._is_read = True

    def say(self, text: str | bytes, *, nl: bool = True) -> None:
        try:
            click.echo(text, nl=nl)
        except BrokenPipeError:
            self._is_read = False
            # Where what is still buffered, and all that follows, meets no error.
            sink = os.open(os.devnull, os.O_WRONLY)
            os.dup2(sink, sys.stdout.fileno())
            os.close(sink)

    def finish(self) -> None:
        """When there is nothing left to do, end as every Unix tool whose reader has gone."""
        if not self._is_read:
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
            signal.raise_signal(signal.SIGPIPE)
