"""A real HTTP server on loopback in front of another; it records what passes and misbehaves on demand."""

import http.client
import json
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import urlsplit

ANY = "*"
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "host", "content-length", "date", "server"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a client sent."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """Fault: this answer, and upstream hears nothing of the request. It is what upstream answers, too."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    cookies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Delay:
    """Fault: the request goes on only after so many seconds; None: after `Proxy.release`."""

    seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """Fault: the connection ends after the raw bytes `sent`; with `forward` upstream still did its work."""

    sent: bytes = b""
    forward: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Drip:
    """Fault: after the raw bytes `sent` comes one more of `each` every 20 ms, until the client goes."""

    sent: bytes = b""
    each: bytes = b"x"


Fault = Reply | Delay | Cut | Drip
Decide = Callable[[Request], Fault | None]


@dataclass(slots=True)
class _Rule:
    fault: Fault | Decide
    left: int | None


def redirect(url: str, *, status: int = 307) -> Reply:
    """Fault: the client is sent to `url`."""
    return Reply(status=status, headers={"Location": url})


class Proxy:
    """Listens from its making until `stop`, at a free port of 127.0.0.1 unless told where.

    Forwards to the origin `upstream`, without one answers 404.

    `requests` has what came in, in order, written before anything is done with it.
    """

    def __init__(
        self,
        upstream: str | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.upstream = upstream
        self.requests: list[Request] = []
        self._rules: dict[str, _Rule] = {}
        self._stopped = False
        self._lock = threading.Lock()
        self._released = threading.Event()
        self._server = _Server(self, host, port)
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.port = int(self._server.server_address[1])
        self.url = f"{'https' if tls else 'http'}://{host}:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def misbehave(self, fault: Fault | Decide, *, path: str = ANY, times: int | None = None) -> None:
        """Meet the next `times` requests (None: all) for `path` (its query does not count) with `fault`.

        A function as fault is called with each request before it goes on; what it answers None for does.
        """
        with self._lock:
            self._rules[path] = _Rule(fault, times)

    def behave(self) -> None:
        """Forget all faults and let go what hangs."""
        with self._lock:
            self._rules.clear()
        self.release()

    def release(self) -> None:
        """Let the requests go on that a Delay holds now."""
        with self._lock:
            held, self._released = self._released, threading.Event()
        held.set()

    def stop(self) -> None:
        """Close the port and every connection; what hangs goes nowhere."""
        self._stopped = True
        self.release()
        self._server.shutdown()
        self._server.server_close()
        self._server.close_connections()
        self._thread.join()

    def take_fault(self, request: Request) -> Fault | None:
        """The fault that the request meets; counts it as met."""
        with self._lock:
            rule = self._rules.get(urlsplit(request.path).path) or self._rules.get(ANY)
            if rule is None:
                return None
            if rule.left is not None:
                rule.left -= 1
                if rule.left < 0:
                    return None
        return rule.fault(request) if callable(rule.fault) else rule.fault

    def hold(self, seconds: float | None) -> bool:
        """Wait for `release` or so long; False when the proxy was stopped meanwhile."""
        with self._lock:
            released = self._released
        released.wait(seconds)
        return not self._stopped

    def forward(self, request: Request) -> Reply:
        """What upstream answers; 502 when it cannot be reached or does not answer whole."""
        if self.upstream is None:
            return Reply(status=404)
        headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP}
        target = urlsplit(self.upstream)
        with closing(http.client.HTTPConnection(str(target.hostname), target.port, timeout=60)) as connection:
            try:
                connection.request(request.method, request.path, request.body, headers)
                answer = connection.getresponse()
                body = answer.read()
            except (OSError, http.client.HTTPException):
                return Reply(status=502)
            left = {*HOP_BY_HOP, "set-cookie"}
            kept = {name: value for name, value in answer.getheaders() if name.lower() not in left}
            cookies = tuple(answer.headers.get_all("Set-Cookie", ()))
            return Reply(status=answer.status, body=body, headers=kept, cookies=cookies)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 10  # as Django's, which Jaseci runs on

    def __init__(self, proxy: Proxy, host: str, port: int) -> None:
        self.proxy = proxy
        self._connections: set[socket.socket] = set()
        super().__init__((host, port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def close_connections(self) -> None:
        """End connections that clients keep alive: a stopped server must not answer on them."""
        for connection in list(self._connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def handle(self) -> None:
        # A client that gives up on a hanging answer is what these tests are about, not an error.
        with suppress(ConnectionError, ssl.SSLError):
            super().handle()

    def __getattr__(self, name: str) -> Any:
        """The base class looks for do_GET, do_POST, …: all methods are served alike."""
        if name.startswith("do_"):
            return self._serve
        raise AttributeError(name)

    def log_message(self, *_: object) -> None:
        """Say nothing: `Proxy.requests` has it."""

    def _serve(self) -> None:
        proxy = self.server.proxy
        length = int(self.headers.get("Content-Length", 0))
        request = Request(
            method=self.command, path=self.path, headers=dict(self.headers), body=self.rfile.read(length)
        )
        proxy.requests.append(request)
        fault = proxy.take_fault(request)
        if isinstance(fault, Delay) and not proxy.hold(fault.seconds):
            fault = Cut()
        if isinstance(fault, Drip):
            self.wfile.write(fault.sent)
            while proxy.hold(0.02):
                self.wfile.write(fault.each)
            fault = Cut()
        if isinstance(fault, Cut):
            if fault.forward:
                proxy.forward(request)
            self.wfile.write(fault.sent)
            self.close_connection = True
            return
        self._answer(fault if isinstance(fault, Reply) else proxy.forward(request))

    def _answer(self, reply: Reply) -> None:
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        for cookie in reply.cookies:
            self.send_header("Set-Cookie", cookie)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body)
