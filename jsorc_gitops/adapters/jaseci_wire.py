"""The wire to Jaseci's processes: bounded in time and size; nothing that comes over it is quoted in an error.

Bodies of error pages are not even read: they hold the server's environment.
"""

import http.client
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from threading import Event, Lock, Timer
from urllib.parse import urlsplit

SECONDS = 15.0  # for a whole call; Jaseci itself needs 6 s to say that task is down
CONNECT_SECONDS = 3.0

_LIMIT = 1 << 20  # bytes of an answer; service_info is a few hundred
_OK = 200


class JaseciError(Exception):
    """A call did not succeed; the message holds nothing that was sent or received.

    `status` is that of the answer, 0 where none came.
    """

    def __init__(self, message: str, *, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a process of Jaseci listens: `http://host:port`, and the IP of its pod where it was found by that."""

    url: str
    pod: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came back; the body is that of a 200 only."""

    status: int
    headers: http.client.HTTPMessage = field(repr=False)
    body: bytes = field(default=b"", repr=False)


class Wire:
    """Sends each request over a connection of its own: none is sent again because an old one was gone.

    A place where a request ran out of time gets no more of them: no part of Jaseci has time-outs, so one backend
    that hangs lets all requests to that process hang. `sent` is called for each request.
    """

    def __init__(self, *, seconds: float, sent: Callable[[], None]) -> None:
        self._seconds = seconds
        self._sent = sent
        self._hanging: dict[str, str] = {}
        self._open: set[http.client.HTTPConnection] = set()
        self._lock = Lock()
        self._aborting = False

    def post(self, place: Place, path: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        """The reply to a POST, whatever its status; a redirect is not followed. Raises JaseciError."""
        reason = "interrupted" if self._aborting else self._hanging.get(place.url)
        if reason:
            raise JaseciError(reason)
        try:
            return self._exchange(place, path, body, headers)
        except JaseciError as error:
            failure = str(error)
        except TimeoutError:
            failure = f"Jaseci did not answer within {self._seconds:g} s"
            self._hanging[place.url] = failure
        except socket.gaierror:
            failure = f"nobody knows the name of {urlsplit(place.url).netloc} here, where Jaseci is to be"
        except (OSError, http.client.HTTPException, ValueError) as error:
            failure = f"Jaseci at {urlsplit(place.url).netloc} does not answer ({type(error).__name__})"
        # Raised out here, since what is raised in an except clause drags along what came over the wire.
        raise JaseciError(failure)

    def avoid(self, place: Place, reason: str) -> None:
        """Send nothing there any more."""
        self._hanging[place.url] = reason

    @contextmanager
    def abort(self) -> Iterator[None]:
        """End what is under way, and send nothing while in this block: whoever wants to gets a JaseciError."""
        with self._lock:
            self._aborting = True
            for connection in self._open:
                _cut(connection)
        try:
            yield
        finally:
            self._aborting = False

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return ssl.create_default_context()

    def _exchange(self, place: Place, path: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        with self._connect(place) as (connection, late):
            try:
                self._sent()
                connection.request("POST", urlsplit(place.url).path + path, body, dict(headers))
                response = connection.getresponse()
                data = response.read(_LIMIT + 1) if response.status == _OK else b""
            except (OSError, http.client.HTTPException):
                if not late.is_set():
                    raise
            if late.is_set():
                raise TimeoutError
            if len(data) > _LIMIT:
                raise JaseciError("Jaseci answered more than a megabyte")
            if response.status == _OK and response.length:
                raise http.client.IncompleteRead(b"")
            return Reply(status=response.status, headers=response.headers, body=data)

    @contextmanager
    def _connect(self, place: Place) -> Iterator[tuple[http.client.HTTPConnection, Event]]:
        """A connection that is cut, and the event set, when the time for a request is over."""
        parts, seconds = urlsplit(place.url), min(CONNECT_SECONDS, self._seconds)
        connection = (
            http.client.HTTPSConnection(parts.netloc, timeout=seconds, context=self._tls)
            if parts.scheme == "https"
            else http.client.HTTPConnection(parts.netloc, timeout=seconds)
        )
        late = Event()

        def end() -> None:
            late.set()
            _cut(connection)

        # A time-out of the socket counts anew for every read: a server that drips would hold us for ever.
        timer = Timer(self._seconds, end)
        timer.daemon = True
        try:
            timer.start()
            self._open_line(connection, place, seconds)
            yield connection, late
        finally:
            timer.cancel()
            with self._lock:
                self._open.discard(connection)
            connection.close()

    def _open_line(self, connection: http.client.HTTPConnection, place: Place, seconds: float) -> None:
        try:
            connection.connect()
        except TimeoutError:
            lost = f"Jaseci at {urlsplit(place.url).netloc} takes no connection within {seconds:g} s"
        except OSError as error:
            if not place.pod or isinstance(error, ConnectionError):
                raise
        else:
            connection.sock.settimeout(self._seconds)
            with self._lock:
                self._open.add(connection)
                if self._aborting:
                    _cut(connection)
            return
        if place.pod:
            lost = (
                f"no answer at the pod's address {place.pod}: addresses of pods lead nowhere from outside of the "
                "cluster"
            )
        self._hanging[place.url] = lost
        raise JaseciError(lost)


def _cut(connection: http.client.HTTPConnection) -> None:
    # Not closed: the thread that reads would wait on, and the number of the file may be somebody else's soon.
    if connection.sock:
        with suppress(OSError):
            socket.socket.shutdown(connection.sock, socket.SHUT_RDWR)
