"""A proxy on loopback in front of the real API server: it counts what passes, adds latency, misbehaves on demand.

It speaks TLS with the API server's own certificate, since kubectl sends no credentials over plain HTTP, and
HTTP/1.1 only. Bodies pass as they come, so a watch does, too.
"""

import json
import re
import select
import socket
import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from threading import Event, Lock, Thread
from time import monotonic
from typing import BinaryIO, Self

from tests.controlplane.server import ControlPlane


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a client sent; `path` with its query, `head` as it came."""

    method: str
    path: str
    head: bytes = field(repr=False)
    body: bytes = field(repr=False)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """Fault: this Status object is answered, and the API server hears nothing of the request."""

    status: int
    reason: str = ""
    message: str = "the proxy says so"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delay:
    """Fault: the request is passed on only after so many seconds; None: after `Proxy.behave`."""

    seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """Fault: the connection is reset; with `acted` only after the API server did its work."""

    acted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """Fault: the API server hears nothing of the request, and its answer, 200, is this text without an end.

    Then the connection is closed; or, where it `hangs`, nothing more comes until `Proxy.behave`.
    """

    text: str = ""
    hangs: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A request that the API server answered, with which HTTP status, and when (by time.monotonic)."""

    request: Request
    status: int
    at: float


_STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"

Fault = Reply | Delay | Cut | Stream
Decide = Callable[[Request], Fault | None]


@dataclass(slots=True)
class _Rule:
    pattern: re.Pattern[str]
    decide: Decide
    left: int


class Proxy:
    """Listens from its making until `stop`; `requests` has what came in, in order, before it is passed on.

    `answers` has what the API server answered, in the order in which it did.
    `latency`, in seconds, is added to every request, and twice to every new connection, whose handshakes take
    two round trips.
    """

    def __init__(self, plane: ControlPlane, *, latency: float = 0) -> None:
        self.latency = latency
        self.requests: list[Request] = []
        self.answers: list[Answered] = []
        self._plane = plane
        self._rules: list[_Rule] = []
        self._lock = Lock()
        self._released, self._stopped = Event(), Event()
        self._open: dict[socket.socket, Request | None] = {}  # with what each is answered at present
        self._upstreams: set[_Upstream] = set()
        self._inner = ssl.create_default_context(cafile=plane.ca)
        self._outer = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._outer.load_cert_chain(plane.ca, plane.ca.with_suffix(".key"))
        self.port = 0
        self.come_back()
        self.url = f"https://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def kubeconfig_for(self, user: str = "admin") -> Path:
        """A kubeconfig that leads through here, with this user's token."""
        config = json.loads(self._plane.kubeconfig_for(user).read_text())
        config["clusters"][0]["cluster"]["server"] = self.url
        path = self._plane.folder / f"kubeconfig-{user}-{self.port}"
        path.write_text(json.dumps(config))
        return path

    def misbehave(self, fault: Fault | Decide, *, match: str = "", times: int = 1 << 30) -> None:
        """Meet the next `times` requests that `match` with `fault`; where two match, the older one counts.

        `match` is a regular expression, searched in 'METHOD /path?query'. A function as fault is called with each
        request before it is passed on, and may take its time; what it answers None for passes.
        """
        decide = fault if callable(fault) else lambda _: fault
        with self._lock:
            self._rules.append(_Rule(re.compile(match), decide, times))

    def behave(self) -> None:
        """Forget all faults, and let go what hangs."""
        with self._lock:
            self._rules.clear()
            held, self._released = self._released, Event()
        held.set()

    def count(self, match: str = "") -> int:
        """How many requests came in that `match`, as above."""
        return sum(bool(re.search(match, str(each))) for each in self.requests)

    def break_off(self, match: str) -> int:
        """Close every connection on which a request that `match`es is being answered; how many there were."""
        with self._lock:
            found = [each for each, request in self._open.items() if request and re.search(match, str(request))]
            for each in found:
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
        return len(found)

    def stop(self) -> None:
        """Close the port and every connection, also those to the API server, which may not have a word to say."""
        self._stopped.set()
        self.behave()
        self.go_away()
        with self._lock:
            for each in self._upstreams:
                each.shut()

    def go_away(self) -> None:
        """Close the port and every connection, as the API server does when it ends, until `come_back`."""
        with self._lock:
            for each in (self._listener, *self._open):
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def come_back(self) -> None:
        """Listen, at the same port as before."""
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=128)
        self.port = self._listener.getsockname()[1]
        Thread(target=self._listen, args=(self._listener,), daemon=True).start()

    def _listen(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while not self._stopped.is_set():
                client, _ = listener.accept()
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, raw: socket.socket) -> None:
        # A client that goes away, or that does not trust us, is what tests are about, not an error.
        with suppress(OSError), raw:
            self._stopped.wait(2 * self.latency)
            with (
                self._outer.wrap_socket(raw, server_side=True) as client,
                _Upstream(self._plane, self._inner) as up,
            ):
                with self._lock:
                    self._open[client] = None
                    self._upstreams.add(up)
                try:
                    with client.makefile("rb") as reader:
                        while (request := _read_request(reader)) and not self._stopped.is_set():
                            self._open[client] = request
                            self.requests.append(request)
                            if not self._pass(request, client, up):
                                break
                            self._open[client] = None
                finally:
                    with self._lock:
                        del self._open[client]
                        self._upstreams.remove(up)

    def _pass(self, request: Request, client: socket.socket, up: "_Upstream") -> bool:
        """Answer one request; False when the connection is to end."""
        self._stopped.wait(self.latency)
        fault = self._take_fault(request)
        if isinstance(fault, Delay):
            released = self._released
            released.wait(fault.seconds)
        if isinstance(fault, Reply):
            client.sendall(_format_reply(fault))
            return True
        if isinstance(fault, Stream):
            released = self._released
            client.sendall(_STREAM + b"%x\r\n%s\r\n" % (len(fault.text), fault.text.encode()) * bool(fault.text))
            if fault.hangs:
                released.wait()
            return False
        if isinstance(fault, Cut):
            if fault.acted:
                self._forward(request, lambda _: None, up)
            # With nothing to linger for, what is closed is reset.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            return False
        return not self._stopped.is_set() and self._forward(request, client.sendall, up)

    def _forward(self, request: Request, send: Callable[[bytes], None], up: "_Upstream") -> bool:
        """Have one request answered; False when the connection is to end."""

        def hear(status: int) -> None:
            self.answers.append(Answered(request=request, status=status, at=monotonic()))

        return up.forward(request, send, hear)

    def _take_fault(self, request: Request) -> Fault | None:
        with self._lock:
            rule = next((each for each in self._rules if each.left and each.pattern.search(str(request))), None)
            if rule is None:
                return None
            rule.left -= 1
        return rule.decide(request)


class _Upstream:
    """One connection to the API server, opened when it is needed."""

    def __init__(self, plane: ControlPlane, context: ssl.SSLContext) -> None:
        self._port = int(plane.url.rpartition(":")[2])
        self._context = context
        self._socket: ssl.SSLSocket | None = None
        self._reader: BinaryIO

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._socket:
            self._reader.close()
            self._socket.close()
            self._socket = None

    def shut(self) -> None:
        """End an answer that is being waited for."""
        if self._socket:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def forward(self, request: Request, send: Callable[[bytes], None], hear: Callable[[int], None]) -> bool:
        """Hand the API server's answer on as it comes, its status first; False when it ends the connection."""
        if self._socket and select.select([self._socket], [], [], 0)[0]:
            self.__exit__()  # it has nothing to say between two requests but good bye
        if self._socket is None:
            raw = socket.create_connection(("127.0.0.1", self._port), timeout=None)
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket = self._context.wrap_socket(raw, server_hostname="127.0.0.1")
            self._reader = self._socket.makefile("rb")
        self._socket.sendall(request.head + request.body)
        return _relay(self._reader, send, hear, method=request.method)


def _read_head(reader: BinaryIO) -> bytes:
    """Up to the empty line and with it; b"" at the end."""
    lines = []
    while line := reader.readline():
        lines.append(line)
        if line == b"\r\n":
            return b"".join(lines)
    return b""


def _find_header(head: bytes, name: str) -> str:
    found = re.search(rb"(?im)^%s:[ \t]*(.*?)[ \t]*\r$" % name.encode(), head)
    return found[1].decode("latin-1").lower() if found else ""


def _read_request(reader: BinaryIO) -> Request | None:
    head = _read_head(reader)
    if not head:
        return None
    method, path, _ = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ", 2)
    body = reader.read(int(_find_header(head, "Content-Length") or 0))
    return Request(method=method, path=path, head=head, body=body)


def _relay(reader: BinaryIO, send: Callable[[bytes], None], hear: Callable[[int], None], *, method: str) -> bool:
    """Pass one response on; False when it ends the connection."""
    head = _read_head(reader)
    if not head:
        return False
    status = int(head.split(b" ", 2)[1])
    hear(status)
    length = _find_header(head, "Content-Length")
    if method == "HEAD" or status in {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}:
        send(head)
    elif "chunked" in _find_header(head, "Transfer-Encoding"):
        send(head)
        while line := reader.readline():
            size = int(line.split(b";")[0], 16)
            send(line + reader.read(size + 2))
            if not size:
                break
    elif length:
        send(head + reader.read(int(length)))
    else:
        send(head)
        while part := reader.read1(1 << 16):  # type: ignore[attr-defined] # makefile's readers have it
            send(part)
        return False
    return _find_header(head, "Connection") != "close"


def _format_reply(reply: Reply) -> bytes:
    status = {
        "apiVersion": "v1",
        "kind": "Status",
        "status": "Failure",
        "message": reply.message,
        "reason": reply.reason,
        "code": reply.status,
    }
    body = json.dumps(status).encode()
    lines = [f"HTTP/1.1 {reply.status} Proxy", "Content-Type: application/json", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in reply.headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body
