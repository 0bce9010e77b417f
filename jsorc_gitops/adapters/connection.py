"""The line to one API server: sends, waits when it is told to, and reads credentials again that were refused."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from threading import Event, Lock
from time import monotonic
from typing import Any
from urllib.parse import urlencode

import urllib3
from kubernetes.client import Configuration
from kubernetes.client.exceptions import ApiException
from kubernetes.client.rest import RESTClientObject

from jsorc_gitops import __version__
from jsorc_gitops.adapters.answers import TOO_MANY, UNAUTHORIZED, Answer, parse_answer
from jsorc_gitops.errors import ClusterError

PATIENCE = 30.0  # seconds that one request may wait in all, to be sent again
RETRIES = 2  # how often what only reads is asked again without having been told to
PAUSE = 0.2  # seconds before the first time, doubled each time
TIMEOUT = (5, 30)  # seconds to connect, seconds between two reads
REREAD = 5.0  # seconds in which refused credentials are not read again: a plugin may take long

_USER_AGENT = f"jsorc/{__version__}"
_SERVER_ERROR = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    method: str
    path: str
    target: str  # the path and its query
    headers: Mapping[str, str]
    body: Any = field(repr=False)

    @property
    def is_read(self) -> bool:
        return self.method == "GET"


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
        self._closing = Event()
        self.requests = 0

    @property
    def server(self) -> str:
        """Where it leads: https://host:port."""
        return str(self._client.configuration.host)

    def close(self) -> None:
        """Let what waits to be sent again fail at once, and end the connections."""
        self._closing.set()
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
    ) -> Answer:
        """What is answered; raises ClusterError.

        Sent again is what the server says it did not act on: 429 with Retry-After, and 401 where there are newer
        credentials. What only reads is, too, after a 5xx or a connection that broke.
        """
        if (
            self._read_only
            and method != "GET"
            and "dryRun" not in ((body if method == "DELETE" else query) or {})
        ):
            raise ValueError(f"{method} {path} would write, and this connection is read-only")
        target = f"{path}?{urlencode(query)}" if query else path
        headers = {"Accept": accept, "Content-Type": content_type, "User-Agent": _USER_AGENT}
        request = _Request(method=method, path=path, target=target, headers=headers, body=body)
        give_up, renewed = monotonic() + PATIENCE, False
        for attempt in count():
            client, broken = self._client, None
            try:
                response = self._send(client, request)
            except urllib3.exceptions.ProtocolError as error:
                broken = error
                pause = _find_delay(attempt) if request.is_read else None
            else:
                if response.status == UNAUTHORIZED and not renewed and self._renew(client):
                    renewed = True
                    continue
                pause = _find_pause(request, response, attempt)
            if pause is None or monotonic() + pause > give_up or self._closing.wait(pause):
                break
        if broken:
            raise self._describe(broken) from broken
        return parse_answer(response.status, response.data, method=method, path=path)

    def _send(self, client: RESTClientObject, request: _Request) -> urllib3.BaseHTTPResponse:
        with self._counting:
            self.requests += 1
        configuration = client.configuration
        secrets = {each["key"]: each["value"] for each in configuration.auth_settings().values()}
        try:
            response: urllib3.BaseHTTPResponse = client.request(
                request.method,
                configuration.host + request.target,
                headers={**request.headers, **secrets},
                body=request.body,
                _request_timeout=TIMEOUT,
            )
            response.read()
        except urllib3.exceptions.ProtocolError:
            raise
        except (ApiException, urllib3.exceptions.HTTPError) as error:
            raise self._describe(error) from error
        except ValueError:
            # Not chained: the header that cannot be sent, which the error quotes, is the credentials.
            raise ClusterError("the credentials hold a character that no HTTP header can carry") from None
        return response

    def _describe(self, error: Exception) -> ClusterError:
        reason = getattr(error, "reason", None) or error
        text = str(reason).rpartition(": ")[2] or type(error).__name__
        return ClusterError(f"the API server {self._client.configuration.host} does not answer: {text}")

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
        return RESTClientObject(configuration)


def _identify(client: RESTClientObject) -> tuple[Any, ...]:
    configuration = client.configuration
    return configuration.api_key, configuration.cert_file, configuration.key_file


def _find_pause(request: _Request, response: urllib3.BaseHTTPResponse, attempt: int) -> float | None:
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
