"""How connections to an API server end: broken in the handshake, by the server, or in the midst of an answer."""

import ssl
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import urllib3

from jsorc_gitops.errors import ClusterError


class Line(urllib3.connection.HTTPSConnection):
    """One connection, whose end by the server is none of TLS' errors.

    One that breaks in the handshake has sent no request yet, so it counts as refused.
    """

    def connect(self) -> None:
        try:
            super().connect()
        except (ssl.SSLEOFError, ConnectionError) as error:
            raise urllib3.exceptions.NewConnectionError(self, str(error)) from error

    def request(self, *args: Any, **more: Any) -> None:
        try:
            super().request(*args, **more)
        except ssl.SSLEOFError as error:
            raise ConnectionAbortedError(str(error)) from error


class Pool(urllib3.HTTPSConnectionPool):
    ConnectionCls = Line


class Stream:
    """The lines of one answer, as they come; half a line at its end is none."""

    def __init__(self, response: urllib3.BaseHTTPResponse) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        """Until it ends, however it does; raises ClusterError where nothing comes for too long."""
        rest = b""
        try:
            while part := self._response.read1():
                *lines, rest = (rest + part).split(b"\n")
                yield from lines
        except urllib3.exceptions.ReadTimeoutError as error:
            raise ClusterError("the API server says nothing any more") from error
        except (urllib3.exceptions.HTTPError, OSError, ValueError):
            # Cut off, by somebody on the way or by `close`: what was read so far was said.
            return
        finally:
            self._response.close()

    def close(self) -> None:
        """End it, from whichever thread."""
        # One that has ended already cannot be shut down.
        with suppress(RuntimeError, ValueError, OSError):
            self._response.shutdown()
