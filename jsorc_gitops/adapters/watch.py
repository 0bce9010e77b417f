"""What becomes of objects, told by the API server as it happens: a LIST each, then a WATCH from its moment on.

What Kubernetes promises of them: https://kubernetes.io/docs/reference/using-api/api-concepts/
A LIST says at which resourceVersion it was, and a WATCH from there tells every change after it. One that was cut
off goes on from the last version that it told, bookmarks included, so nothing is lost; where the API server has
forgotten that one (410), or anything else was wrong, there is a new LIST.
"""

import json
from collections.abc import Sequence
from threading import Condition, Event, Thread
from time import monotonic
from typing import TYPE_CHECKING, Self

from jsorc_gitops.adapters.answers import GONE, TOO_MANY
from jsorc_gitops.adapters.connection import Connection
from jsorc_gitops.adapters.lists import Collection, read_list
from jsorc_gitops.errors import ClusterError
from jsorc_gitops.model.objects import Body

if TYPE_CHECKING:
    from jsorc_gitops.adapters.wire import Stream

SPAN = 60  # seconds after which a WATCH ends, and is begun again from where it was
SILENCE = SPAN + 10.0  # seconds without a word after which it counts as dead; bookmarks may be minutes apart
PAUSE = 0.2  # seconds before the second attempt in a row that came to nothing, doubled each time
LONGEST_PAUSE = 5.0
_SOON = 1.0  # seconds; one that ends sooner, and has told nothing, came to nothing

_BAD_REQUEST, _SERVER_ERROR = 400, 500


class Watch:
    """Collections, each as it is now: one connection and one thread for each, until it is closed."""

    def __init__(self, connection: Connection, collections: Sequence[Collection]) -> None:
        """Begin to watch; returns at once."""
        self._news, self._closed = Condition(), Event()
        self._parts = [_Part(connection, each, self._news, self._closed) for each in collections]
        for each in self._parts:
            Thread(target=each.follow, name="jsorc-watch", daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def wait(self, seconds: float) -> bool:
        """Whether all is known, and something of it changed since it was read last; waits so long for it."""
        with self._news:
            return self._news.wait_for(self._is_new, seconds)

    def read(self) -> list[list[Body] | ClusterError]:
        """Each collection as it is now, or why that cannot be known; of one that was not listed yet, nothing."""
        with self._news:
            return [each.read() for each in self._parts]

    def close(self) -> None:
        """End the connections, whatever they wait for."""
        self._closed.set()
        for each in self._parts:
            each.end()

    def _is_new(self) -> bool:
        return all(each.known for each in self._parts) and any(each.changed for each in self._parts)


class _Part:
    """One collection, and the thread that follows it. What others read of it changes under `news` alone."""

    def __init__(self, connection: Connection, collection: Collection, news: Condition, closed: Event) -> None:
        self.known = self.changed = False
        self._connection = connection
        self._collection = collection
        self._news = news
        self._closed = closed
        self._error: ClusterError | None = None
        self._objects: dict[tuple[str, str], Body] = {}
        self._version = ""  # the last one that was told; "" asks for a LIST
        self._stream: Stream | None = None

    def read(self) -> list[Body] | ClusterError:
        self.changed = False
        return self._error or list(self._objects.values())

    def end(self) -> None:
        if stream := self._stream:
            stream.close()

    def follow(self) -> None:
        """Until it is closed, or the API server refuses it for good."""
        failures = 0
        while not self._closed.wait(min(PAUSE * 2 ** (failures - 1), LONGEST_PAUSE) if failures else 0):
            begun, before = monotonic(), self._version
            try:
                if not self._version:
                    self._list()
                self._watch()
            except ClusterError as error:
                if not self.known or _is_final(error):
                    with self._news:
                        self._error = error
                        self._tell()
                    return
                self._version = ""
            went_on = self._version not in {"", before} or monotonic() - begun > _SOON
            failures = 0 if went_on else failures + 1

    def _list(self) -> None:
        items, version = read_list(self._connection, self._collection)
        with self._news:
            self._objects = {_identify(each): each for each in items}
            self._tell()
        self._version = version

    def _watch(self) -> None:
        """Take in what is told, until nothing more is; raises ClusterError where it has to be listed anew."""
        query = {
            **self._collection.query,
            "watch": "true",
            "resourceVersion": self._version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(SPAN),
        }
        self._stream = self._connection.stream(self._collection.path, query=query, silence=SILENCE)
        if self._closed.is_set():
            self._stream.close()
        for line in self._stream:
            try:
                event = json.loads(line)
                kind, body = event["type"], event["object"]
                # An ERROR is about no object, and has none of it.
                version, key = body["metadata"]["resourceVersion"], _identify(body)
            except (ValueError, LookupError, TypeError) as error:
                raise ClusterError("a watch told what is about no object") from error
            if kind != "BOOKMARK":
                self._take(key, body, is_gone=kind == "DELETED")
            self._version = version

    def _take(self, key: tuple[str, str], body: Body, *, is_gone: bool) -> None:
        with self._news:
            if is_gone:
                self._objects.pop(key, None)
            else:
                self._objects[key] = body
            self._tell()

    def _tell(self) -> None:
        self.known = self.changed = True
        self._news.notify_all()


def _identify(body: Body) -> tuple[str, str]:
    return body["metadata"].get("namespace", ""), body["metadata"].get("name", "")


def _is_final(error: ClusterError) -> bool:
    """Whether asking again would not help: it is not allowed, or not there."""
    return _BAD_REQUEST <= error.status < _SERVER_ERROR and error.status not in {GONE, TOO_MANY}
