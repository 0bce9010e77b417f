"""The line to one API server: sends, waits when it is told to, and reads credentials again that were refused."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from itertools import count
from threading import Event, Lock
from time import monotonic
from typing import Any
from urllib.parse import urlencode

import urllib3
from kubernetes.client import Configuration
from kubernetes.client.exceptions import ApiException
from kubernetes.client.rest import RESTClientObject, RESTResponse

from jsorc_gitops import __version__
from jsorc_gitops.adapters.answers import OK, TOO_MANY, UNAUTHORIZED, Answer, parse_answer
from jsorc_gitops.adapters.wire import Pool, Stream
from jsorc_gitops.errors import ClusterError

PATIENCE = 30.0  # seconds that one request may wait in all, to be sent again
RETRIES = 2  # how often what only reads is asked again without having been told to
PAUSE = 0.2  # seconds before the first time, doubled each time
ABSENCE = 0.5  # seconds before what could not be sent is sent
TIMEOUT = (5, 30)  # seconds to connect, seconds between two reads
IMPATIENT = (5, 5)  # the same; a renewal that hangs must leave time for another one
REREAD = 5.0  # seconds in which refused credentials are not read again: a plugin may take long

_USER_AGENT = f"jsorc/{__version__}"
_SERVER_ERROR = 500
_OK_UNTIL = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any = field(repr=False)

    @property
    def target(self) -> str:
        """The path and its query."""
        return f"{self.path}?{urlencode(self.query)}" if self.query else self.path

    @property
    def is_read(self) -> bool:
        return self.method == "GET"

    @property
    def is_harmless(self) -> bool:
        """Whether it changes nothing, so that it may be done twice: a read or a dry-run."""
        # Of a deletion with a body the API server reads nothing else.
        asked = self.body if self.method == "DELETE" else self.query
        return self.is_read or "dryRun" in asked


class Connection:
    """A line to the API server that `read` leads to. `requests` counts each time that something was sent."""

    def __init__(self, read: Callable[[], Configuration], *, size: int, read_only: bool = False) -> None:
        """Read the credentials; `size` requests may be under way at once. Raises ClusterError."""
        self._read = read
        self._read_only = read_only
        self._size = size
        self._client = self._make_client()
        self._reread = -REREAD
        self._reading, self._counting = Lock(), Lock()
        self._hurrying = Event()
        self._met = False  # it has answered before
        self._told: tuple[datetime, float] | None = None  # the time it said it was, and ours when it did
        self.requests = 0

    @property
    def server(self) -> str:
        """Where it leads: https://host:port."""
        return str(self._client.configuration.host)

    @property
    def time(self) -> datetime | None:
        """The time of the API server (UTC), to the second: its last Date header, and what went by since.

        None before an answer had one. Our clock may be set wrong, its steady part cannot.
        """
        if self._told is None:
            return None
        told, at = self._told
        return told + timedelta(seconds=monotonic() - at)

    def hurry(self) -> None:
        """Let what waits to be sent again fail at once, from now on."""
        self._hurrying.set()

    def close(self) -> None:
        """Hurry, and end the connections."""
        self.hurry()
        self._client.close()

    def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = "application/json",
        accept: str = "application/json",
        guard: Callable[[], None] = lambda: None,
        patient: bool = True,
    ) -> Answer:
        """What is answered; raises ClusterError, and what `guard`, called each time before it is sent, raises.

        Sent again is what the server says it did not act on: 429 with Retry-After, and 401 where there are newer
        credentials. What only reads is, too, after a 5xx or a connection that broke, and a dry-run after the
        latter. A server that was there and takes no connections is restarting: nothing was sent, so it is
        waited for. Not `patient`, nothing is waited for, and an answer for 5 seconds only.
        """
        headers = {"Accept": accept, "Content-Type": content_type, "User-Agent": _USER_AGENT}
        request = _Request(method=method, path=path, query=query or {}, headers=headers, body=body)
        if self._read_only and not request.is_harmless:
            raise ValueError(f"{method} {path} would write, and this connection is read-only")
        timeout = TIMEOUT if patient else IMPATIENT
        response = self._ask(request, timeout, guard, patience=PATIENCE if patient else 0)
        return parse_answer(response.status, response.data, method=method, path=path)

    def stream(self, path: str, *, query: Mapping[str, str], silence: float) -> Stream:
        """What a GET is answered, line by line as it comes; asked, and refused, as with `call`.

        Without a word for so many seconds of `silence` the stream counts as broken.
        """
        headers = {"Accept": "application/json", "User-Agent": _USER_AGENT}
        request = _Request(method="GET", path=path, query=query, headers=headers, body=None)
        response = self._ask(request, (TIMEOUT[0], silence), whole=False)
        if response.status != OK:
            parse_answer(response.status, response.read(), method="GET", path=path)
        return Stream(response.response)

    def _ask(
        self,
        request: _Request,
        timeout: tuple[float, float],
        guard: Callable[[], None] = lambda: None,
        *,
        patience: float = PATIENCE,
        whole: bool = True,
    ) -> RESTResponse:
        """The last answer, whatever it says; its body is read unless it is not to be `whole`."""
        give_up, renewed = monotonic() + patience, False
        attempts = count()
        broken: urllib3.exceptions.HTTPError | None
        while True:
            client, broken = self._client, None
            guard()
            try:
                response = self._send(client, request, timeout, whole=whole)
            except urllib3.exceptions.ConnectTimeoutError as error:
                # Refused, too, is one to urllib3.
                broken, pause = error, ABSENCE if self._met else None
            except urllib3.exceptions.ProtocolError as error:
                broken, pause = error, _find_delay(next(attempts)) if request.is_harmless else None
            else:
                self._met = True
                if response.status == UNAUTHORIZED and not renewed and self._renew(client):
                    renewed = True
                    continue
                pause = _find_pause(request, response, next(attempts))
            if pause is None or monotonic() + pause > give_up or self._hurrying.wait(pause):
                break
        if broken:
            raise self._describe(broken, uncertain=not request.is_harmless) from broken
        return response

    def read_text(self, path: str, *, query: Mapping[str, str]) -> str:
        """What is answered where that is no object but text, as a log is; asked once. Raises ClusterError."""
        request = _Request(method="GET", path=path, query=query, headers={"User-Agent": _USER_AGENT}, body=None)
        try:
            response = self._send(self._client, request, IMPATIENT, whole=True)
        except urllib3.exceptions.HTTPError as error:
            raise self._describe(error) from error
        if response.status >= _OK_UNTIL:
            parse_answer(response.status, response.data, method="GET", path=path)
        return bytes(response.data).decode(errors="replace")

    def _send(
        self, client: RESTClientObject, request: _Request, timeout: tuple[float, float], *, whole: bool
    ) -> RESTResponse:
        with self._counting:
            self.requests += 1
        configuration = client.configuration
        secrets = {each["key"]: each["value"] for each in configuration.auth_settings().values()}
        try:
            response = client.request(
                request.method,
                configuration.host + request.target,
                headers={**request.headers, **secrets},
                body=request.body,
                _request_timeout=timeout,
            )
            self._hear_time(response.headers.get("Date", ""))
            if whole:
                response.read()
        except (urllib3.exceptions.ConnectTimeoutError, urllib3.exceptions.ProtocolError):
            raise
        except (ApiException, urllib3.exceptions.HTTPError) as error:
            raise self._describe(error) from error
        except ValueError:
            # Not chained: the header that cannot be sent, which the error quotes, is the credentials.
            raise ClusterError("the credentials hold a character that no HTTP header can carry") from None
        return response

    def _hear_time(self, date: str) -> None:
        with suppress(ValueError, TypeError):
            told = parsedate_to_datetime(date)
            self._told = (told if told.tzinfo else told.replace(tzinfo=UTC)).astimezone(UTC), monotonic()

    def _describe(self, error: Exception, *, uncertain: bool = False) -> ClusterError:
        host = self._client.configuration.host
        if uncertain and isinstance(error, urllib3.exceptions.ProtocolError):
            return ClusterError(
                f"the connection to the API server {host} broke before it answered; whether it did what it was "
                "asked, the next pass sees"
            )
        reason = getattr(error, "reason", None) or error
        text = str(reason).rpartition(": ")[2] or type(error).__name__
        return ClusterError(f"the API server {host} does not answer: {text}")

    def _renew(self, refused: RESTClientObject) -> bool:
        """Read the credentials again, once for all requests that met a 401; False where they are no others."""
        with self._reading:
            if self._client is refused and monotonic() - self._reread >= REREAD:
                made = self._make_client()
                self._reread = monotonic()
                if _identify(made) != _identify(refused):
                    self._client = made
                    refused.close()
            return self._client is not refused

    def _make_client(self) -> RESTClientObject:
        configuration = self._read()
        configuration.connection_pool_maxsize = self._size
        client = RESTClientObject(configuration)
        pools = client.pool_manager
        # A SOCKS proxy brings its own.
        if pools.pool_classes_by_scheme["https"] is urllib3.HTTPSConnectionPool:
            pools.pool_classes_by_scheme = {**pools.pool_classes_by_scheme, "https": Pool}
        return client


def _identify(client: RESTClientObject) -> tuple[Any, ...]:
    configuration = client.configuration
    return configuration.api_key, configuration.cert_file, configuration.key_file


def _find_pause(request: _Request, response: RESTResponse, attempt: int) -> float | None:
    """How long to wait before a request is sent again, None where it is not."""
    is_busy = response.status == TOO_MANY
    if not is_busy and not (request.is_read and response.status >= _SERVER_ERROR):
        return None
    wait = response.headers.get("Retry-After", "")
    if is_busy and wait.isdigit():
        return max(float(wait), PAUSE)
    return _find_delay(attempt) if request.is_read else None


def _find_delay(attempt: int) -> float | None:
    return PAUSE * 2**attempt if attempt < RETRIES else None
