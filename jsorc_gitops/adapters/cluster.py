"""The door to Kubernetes: carries objects both ways as plain data. Decides nothing.

What fails in a batch is a returned ClusterError, what fails alone a raised one. Of the kubernetes package only
its lowest layer is used (connection.py) and what reads credentials (kubeconfig.py): its typed models cost half a
second to build and would drop fields they do not know.
"""

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from jsorc_gitops.adapters.answers import NOT_FOUND
from jsorc_gitops.adapters.connection import Connection
from jsorc_gitops.adapters.kubeconfig import load_configuration
from jsorc_gitops.adapters.lists import JSON, NAMES, PAGE, Collection, read_list
from jsorc_gitops.adapters.resources import Resources
from jsorc_gitops.adapters.watch import Watch
from jsorc_gitops.errors import ClusterError
from jsorc_gitops.model.objects import ApplyRequest, Body, DeleteRequest, ObjectRef

IN_FLIGHT = 16
LOG_LINES = 50
LOG_BYTES = 64 * 1024

_DISCOVERY = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
_APPLY = "application/apply-patch+yaml"
_MERGE = "application/merge-patch+json"

T = TypeVar("T")


def _name_work(doing: str, requests: Sequence[ApplyRequest | DeleteRequest]) -> str:
    return "checking" if requests and requests[0].dry_run else doing


def _make_pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(IN_FLIGHT, thread_name_prefix="jsorc")


class Cluster:
    """A connection to one API server, over which IN_FLIGHT requests are under way at once.

    `guard` is asked each time before an object is applied, deleted or patched, and may raise; a Lease sets it.
    """

    def __init__(
        self,
        *,
        field_manager: str,
        kubeconfig: Path | None = None,
        context: str | None = None,
        read_only: bool = False,  # then a request that would change something is a ValueError
        progress: Callable[[str, int, int], None] = lambda *_: None,  # what is done, how many are, of how many
    ) -> None:
        """Read credentials as kubectl does, and inside a pod its ServiceAccount; asks nothing yet."""
        self._field_manager = field_manager
        # One more than the pool: the lease is renewed beside it.
        self._connection = Connection(
            lambda: load_configuration(kubeconfig, context), size=IN_FLIGHT + 1, read_only=read_only
        )
        self._call = self._connection.call
        self.guard: Callable[[], None] = lambda: None
        self._progress = progress
        self._pool = _make_pool()
        self._resources = Resources()

    @property
    def server(self) -> str:
        """Where it is: https://host:port."""
        return self._connection.server

    @property
    def requests(self) -> int:
        """How many requests were sent, those sent again and discovery included."""
        return self._connection.requests

    @property
    def time(self) -> datetime | None:
        """The time of the API server, as its last answer said it and gone on since; None before there was one."""
        return self._connection.time

    def drain(self) -> None:
        """Wait until what is under way has ended; what is not yet sent never is, nor is anything sent again."""
        self._connection.hurry()
        self._pool.shutdown(cancel_futures=True)
        self._pool = _make_pool()

    def close(self) -> None:
        self._connection.close()
        self._pool.shutdown(cancel_futures=True)

    def read_discovery(self) -> None:
        """Learn which kinds the server serves: two requests. Raises ClusterError when it does not answer."""
        paths = ("/api", "/apis")
        answers = self._each("reading", lambda path: self._call("GET", path, accept=_DISCOVERY), paths)
        learned = Resources()
        for path, answer in zip(paths, answers, strict=True):
            if isinstance(answer, ClusterError):
                raise answer
            groups = answer.get("items")
            if not isinstance(groups, list):
                raise ClusterError(f"GET {path}: answered 200 without the discovery of Kubernetes 1.30 and newer")
            for group in groups:
                learned.learn_group(group)
        self._resources = learned

    def find_api_version(self, group: str, kind: str) -> str | None:
        """The version of a kind that the server prefers, e.g. 'apps/v1'; None where it serves none."""
        return self._resources.preferred.get((group, kind))

    def serves(self, api_version: str, kind: str) -> bool:
        return (api_version, kind) in self._resources.found

    def find_resource(self, api_version: str, kind: str) -> tuple[str, bool] | None:
        """What the server calls the objects of a kind (deployments), and whether they lie in namespaces."""
        found = self._resources.found.get((api_version, kind))
        return (found.plural, found.namespaced) if found else None

    def is_away(self, group: str) -> bool:
        """Whether the server names this API group, but cannot reach what serves it (an APIService)."""
        return group in self._resources.away

    def list_objects(
        self,
        kinds: Sequence[tuple[str, str]],
        *,
        selector: str = "",
        namespaces: Sequence[str] = (),
        names_only: bool = False,
    ) -> list[list[Body] | ClusterError]:
        """All objects of each (api version, kind), in pages: in the namespace at its place, or in all of them.

        A list is whole or an error. With `names_only` objects have their metadata alone.
        """
        places = [*zip(kinds, namespaces or [""] * len(kinds), strict=True)]
        accept = NAMES if names_only else JSON

        def read(place: tuple[tuple[str, str], str]) -> list[Body]:
            return read_list(self._connection, self._find(*place, selector), accept=accept)[0]

        return self._each("reading", read, places)

    def watch_objects(
        self, kinds: Sequence[tuple[str, str]], *, selectors: Sequence[str], namespaces: Sequence[str]
    ) -> Watch:
        """Follow the objects of each (api version, kind) in the namespace and by the labels at its place."""
        places = zip(kinds, namespaces, selectors, strict=True)
        return Watch(self._connection, [self._find(*place) for place in places])

    def list_events(self, subjects: Sequence[tuple[str, str]]) -> list[list[Body] | ClusterError]:
        """The core/v1 Events about each object, by its (namespace, UID)."""
        return self._each("reading", lambda subject: self._list_events(*subject), subjects)

    def get_logs(self, places: Sequence[tuple[str, str, str, bool]]) -> list[str | ClusterError]:
        """The last lines of each (namespace, pod, container, whether of the run before this one)."""
        return self._each("reading", lambda place: self._get_log(*place), places)

    def get_objects(self, items: Sequence[tuple[str, ObjectRef]]) -> list[Body | ClusterError | None]:
        """Each (api version, identity) as it is now, None where it is not."""
        return self._each("looking", lambda item: self.get_object(*item), items)

    def get_object(self, api_version: str, ref: ObjectRef, *, patient: bool = True) -> Body | None:
        """One as it is now, None where it is not; raises ClusterError. Not `patient`, it is asked once."""
        try:
            path = self._path(api_version, ref.kind, ref.namespace, ref.name)
            return self._call("GET", path, patient=patient)
        except ClusterError as error:
            if error.status == NOT_FOUND:
                return None
            raise

    def apply_objects(self, requests: Sequence[ApplyRequest]) -> list[Body | ClusterError]:
        """Server-side apply of each, side by side; what the server made of it, or why it would not."""
        return self._each(_name_work("applying", requests), self._apply, requests)

    def delete_objects(self, requests: Sequence[DeleteRequest]) -> list[Body | ClusterError]:
        """Delete each in the background; one that is gone already counts as deleted."""
        return self._each(_name_work("deleting", requests), self._delete, requests)

    def create_object(self, body: Body) -> Body:
        """POST; raises ClusterError with status 409 where it exists, 404 where its namespace does not."""
        query = {"fieldManager": self._field_manager}
        return self._call_alone("POST", self._path_of(body, named=False), query=query, body=body)

    def replace_object(self, body: Body, *, patient: bool = True) -> Body:
        """PUT; raises ClusterError with status 409 where body's resourceVersion is not the current one.

        Not `patient`, it is sent once or not at all, and beside all that is under way.
        """
        query = {"fieldManager": self._field_manager}
        call = self._call_alone if patient else self._call
        return call("PUT", self._path_of(body, named=True), query=query, body=body, patient=patient)

    def patch_object(self, api_version: str, ref: ObjectRef, patch: Body) -> Body:
        """JSON merge patch; raises ClusterError."""
        query = {"fieldManager": self._field_manager}
        path = self._path(api_version, ref.kind, ref.namespace, ref.name)
        return self._call_alone("PATCH", path, query=query, body=patch, content_type=_MERGE, guard=self.guard)

    def _call_alone(self, *arguments: Any, **more: Any) -> Body:
        # In the pool, since ^C breaks off what the main thread does.
        return self._pool.submit(self._call, *arguments, **more).result()

    def _find(self, kind: tuple[str, str], namespace: str, selector: str) -> Collection:
        path = self._path(*kind, namespace, "")
        return Collection(api_version=kind[0], kind=kind[1], path=path, query={"labelSelector": selector})

    def _list_events(self, namespace: str, uid: str) -> list[Body]:
        query = {"fieldSelector": f"involvedObject.uid={uid}", "limit": str(PAGE)}
        # One object has a few dozen at most: of each reason no more than ten are told apart.
        return self._call("GET", self._path("v1", "Event", namespace, ""), query=query)["items"] or []

    def _get_log(self, namespace: str, pod: str, container: str, previous: bool) -> str:  # noqa: FBT001
        query = {"container": container, "tailLines": str(LOG_LINES), "limitBytes": str(LOG_BYTES)}
        if previous:
            query["previous"] = "true"
        path = f"{self._path('v1', 'Pod', namespace, pod)}/log"
        text = self._connection.read_text(path, query=query)
        # What was cut off in the middle of a line may be half a secret, which nobody would know for one.
        return text if len(text.encode()) < LOG_BYTES else text.rpartition("\n")[0]

    def _apply(self, request: ApplyRequest) -> Body:
        query = {
            "fieldManager": self._field_manager,
            "fieldValidation": "Strict",
            "force": str(request.force).lower(),
        }
        if request.dry_run:
            query["dryRun"] = "All"
        path = self._path_of(request.body, named=True)
        # A text is sent as it is; of a mapping the package would make a copy first.
        body = json.dumps(request.body, separators=(",", ":"))
        return self._call("PATCH", path, query=query, body=body, content_type=_APPLY, guard=self.guard)

    def _delete(self, request: DeleteRequest) -> Body:
        ref = request.ref
        api_version = self._resources.preferred.get((ref.group, ref.kind), "")
        options: dict[str, Any] = {
            "propagationPolicy": "Background",
            "preconditions": {"uid": request.uid, "resourceVersion": request.resource_version},
        }
        if request.dry_run:
            # The API server reads the query only where there is no body; audit logs show the query.
            options["dryRun"] = ["All"]
        try:
            path = self._path(api_version, ref.kind, ref.namespace, ref.name)
            query = {"dryRun": "All"} if request.dry_run else None
            return self._call("DELETE", path, query=query, body=options, guard=self.guard)
        except ClusterError as error:
            if error.status == NOT_FOUND:
                return {}
            raise

    def _each(self, doing: str, call: Callable[[T], Any], items: Sequence[T]) -> list[Any]:
        def guarded(item: T) -> Any:
            try:
                return call(item)
            except ClusterError as error:
                return error

        answers = []
        for answer in self._pool.map(guarded, items):
            answers.append(answer)
            self._progress(doing, len(answers), len(items))
        return answers

    def _path_of(self, body: Body, *, named: bool) -> str:
        metadata = body["metadata"]
        name = metadata["name"] if named else ""
        return self._path(body["apiVersion"], body["kind"], metadata.get("namespace", ""), name)

    def _path(self, *place: str) -> str:
        return self._resources.make_path(*place)
