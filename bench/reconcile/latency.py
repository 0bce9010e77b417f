"""A network that is far away: `python latency.py LISTEN TARGET MILLISECONDS`, ports of 127.0.0.1.

Passes bytes on unread, so TLS and HTTP/2 stay as they are, each half a round trip later. What is under way does
not hold up what follows, as on a wire. A connection costs a round trip more to open, as TCP's own does.
"""

import asyncio
import sys
from collections import deque


class _End(asyncio.Protocol):
    """One end of a connection; what arrives here leaves at the other end."""

    def __init__(self, delay: float) -> None:
        self._delay = delay
        self._loop = asyncio.get_running_loop()
        self._under_way: deque[bytes | None] = deque()
        self.transport: asyncio.Transport | None = None
        self.other: _End | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - TCP is a stream both ways
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._send(data)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._send(None)

    def _send(self, data: bytes | None) -> None:
        # Timers of one moment may ring in any order; the queue keeps the bytes in theirs.
        self._under_way.append(data)
        if self._delay:
            self._loop.call_later(self._delay, self._arrive)
        else:
            self._arrive()

    def _arrive(self) -> None:
        data = self._under_way.popleft()
        if self.other is None or self.other.transport is None:
            return
        if data is None:
            self.other.transport.close()
        else:
            self.other.transport.write(data)


class _Entrance(_End):
    """The client's end, which has the server's end opened."""

    def __init__(self, delay: float, target: int) -> None:
        super().__init__(delay)
        self._target = target

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        assert self.transport is not None  # noqa: S101 - just set
        self.transport.pause_reading()
        self._opening = self._loop.create_task(self._open())

    async def _open(self) -> None:
        await asyncio.sleep(2 * self._delay)
        assert self.transport is not None  # noqa: S101 - set before this was begun
        try:
            _, other = await self._loop.create_connection(lambda: _End(self._delay), "127.0.0.1", self._target)
        except OSError:
            self.transport.abort()
            return
        self.other, other.other = other, self
        self.transport.resume_reading()


async def serve(listen: int, target: int, delay: float) -> None:
    """Serve until cancelled; `delay` in seconds for one way."""
    server = await asyncio.get_running_loop().create_server(lambda: _Entrance(delay, target), "127.0.0.1", listen)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    port, behind, milliseconds = sys.argv[1:]
    asyncio.run(serve(int(port), int(behind), float(milliseconds) / 2 / 1000))
