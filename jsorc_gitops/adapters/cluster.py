"""The door to Kubernetes: carries objects both ways as plain data. Decides nothing.

Only this module knows the kubernetes package, and of that only ApiClient: its typed models cost half a
second to build and would drop fields they do not know. What fails in a
batch is a returned ClusterError, what fails alone a raised one.
"""

import json
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

import urllib3
from kubernetes import config
from kubernetes.client import ApiClient, Configuration
from kubernetes.client.exceptions import ApiException

from jsorc_gitops.errors import ClusterError
from jsorc_gitops.model.objects import ApplyRequest, Body, DeleteRequest, ObjectRef

IN_FLIGHT = 16
PAGE = 500
TIMEOUT = (5, 30)  # seconds to connect, seconds between two reads

_DISCOVERY = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
_APPLY = "application/apply-patch+yaml"
_MERGE = "application/merge-patch+json"

T = TypeVar("T")
Answer = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Resource:
    api_version: str
    plural: str
    namespaced: bool


class Cluster:
    """A connection to one API server. `requests` counts what it was asked, discovery included."""

    def __init__(self, *, field_manager: str, kubeconfig: Path | None = None, context: str | None = None) -> None:
        """Read credentials as kubectl does, and inside a pod its ServiceAccount; asks nothing yet."""
        self._field_manager = field_manager
        self._client = ApiClient(_load_configuration(kubeconfig, context))
        self._pool = ThreadPoolExecutor(IN_FLIGHT, thread_name_prefix="jsorc")
        self._count_lock = Lock()
        self._resources: dict[tuple[str, str], _Resource] = {}
        self._preferred: dict[tuple[str, str], str] = {}
        self.requests = 0

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)
        self._client.close()

    def read_discovery(self) -> None:
        """Learn which kinds the server serves: two requests. Raises ClusterError when it does not answer."""
        self._resources, self._preferred = {}, {}
        for path in ("/api", "/apis"):
            groups = self._call("GET", path, accept=_DISCOVERY).get("items")
            if not isinstance(groups, list):
                raise ClusterError(f"GET {path}: answered 200 without the discovery of Kubernetes 1.30 and newer")
            for group in groups:
                self._learn_group(group)

    def find_api_version(self, group: str, kind: str) -> str | None:
        """The version of a kind that the server prefers, e.g. 'apps/v1'; None where it serves none."""
        return self._preferred.get((group, kind))

    def serves(self, api_version: str, kind: str) -> bool:
        return (api_version, kind) in self._resources

    def list_objects(
        self, kinds: Sequence[tuple[str, str]], *, selector: str = "", namespace: str = ""
    ) -> list[list[Body] | ClusterError]:
        """All objects of each (api version, kind), in pages, in all namespaces or in one."""
        return self._each(lambda kind: self._list(*kind, selector=selector, namespace=namespace), kinds)

    def get_objects(self, items: Sequence[tuple[str, ObjectRef]]) -> list[Body | ClusterError | None]:
        """Each (api version, identity) as it is now, None where it is not."""
        return self._each(lambda item: self._get(*item), items)

    def apply_objects(self, requests: Sequence[ApplyRequest]) -> list[Body | ClusterError]:
        """Server-side apply of each, side by side; what the server made of it, or why it would not."""
        return self._each(self._apply, requests)

    def delete_objects(self, requests: Sequence[DeleteRequest]) -> list[Body | ClusterError]:
        """Delete each in the background; one that is gone already counts as deleted."""
        return self._each(self._delete, requests)

    def create_object(self, body: Body) -> Body:
        """POST; raises ClusterError with status 409 where it exists, 404 where its namespace does not."""
        query = {"fieldManager": self._field_manager}
        return self._call("POST", self._path_of(body, named=False), query=query, body=body)

    def replace_object(self, body: Body) -> Body:
        """PUT; raises ClusterError with status 409 where body's resourceVersion is not the current one."""
        query = {"fieldManager": self._field_manager}
        return self._call("PUT", self._path_of(body, named=True), query=query, body=body)

    def patch_object(self, api_version: str, ref: ObjectRef, patch: Body) -> Body:
        """JSON merge patch; raises ClusterError."""
        query = {"fieldManager": self._field_manager}
        path = self._path(api_version, ref.kind, ref.namespace, ref.name)
        return self._call("PATCH", path, query=query, body=patch, content_type=_MERGE)

    def _learn_group(self, group: Mapping[str, Any]) -> None:
        name = group["metadata"].get("name", "")
        for version in group["versions"]:
            api_version = f"{name}/{version['version']}" if name else version["version"]
            for resource in version.get("resources", ()):
                kind = resource.get("responseKind", {}).get("kind", "")
                namespaced = resource["scope"] == "Namespaced"
                found = _Resource(api_version=api_version, plural=resource["resource"], namespaced=namespaced)
                self._resources.setdefault((api_version, kind), found)
                self._preferred.setdefault((name, kind), api_version)

    def _list(self, api_version: str, kind: str, *, selector: str, namespace: str) -> list[Body]:
        path = self._path(api_version, kind, namespace, "")
        query = {"limit": str(PAGE), "labelSelector": selector}
        items: list[Body] = []
        while True:
            page = self._call("GET", path, query=query)
            # A list leaves out what its items have in common.
            items += [{"apiVersion": api_version, "kind": kind, **item} for item in page["items"]]
            following = page["metadata"].get("continue")
            if not following:
                return items
            query["continue"] = following

    def _get(self, api_version: str, ref: ObjectRef) -> Body | None:
        try:
            return self._call("GET", self._path(api_version, ref.kind, ref.namespace, ref.name))
        except ClusterError as error:
            if error.status == 404:  # noqa: PLR2004 - HTTP's own number
                return None
            raise

    def _apply(self, request: ApplyRequest) -> Body:
        query = {
            "fieldManager": self._field_manager,
            "fieldValidation": "Strict",
            "force": str(request.force).lower(),
        }
        if request.dry_run:
            query["dryRun"] = "All"
        path = self._path_of(request.body, named=True)
        return self._call("PATCH", path, query=query, body=request.body, content_type=_APPLY)

    def _delete(self, request: DeleteRequest) -> Body:
        ref = request.ref
        api_version = self._preferred.get((ref.group, ref.kind), "")
        options = {
            "propagationPolicy": "Background",
            "preconditions": {"uid": request.uid, "resourceVersion": request.resource_version},
        }
        try:
            path = self._path(api_version, ref.kind, ref.namespace, ref.name)
            return self._call("DELETE", path, body=options)
        except ClusterError as error:
            if error.status == 404:  # noqa: PLR2004 - HTTP's own number
                return {}
            raise

    def _each(self, call: Callable[[T], Any], items: Sequence[T]) -> list[Any]:
        def guarded(item: T) -> Any:
            try:
                return call(item)
            except ClusterError as error:
                return error

        return list(self._pool.map(guarded, items))

    def _path_of(self, body: Body, *, named: bool) -> str:
        metadata = body["metadata"]
        name = metadata["name"] if named else ""
        return self._path(body["apiVersion"], body["kind"], metadata.get("namespace", ""), name)

    def _path(self, api_version: str, kind: str, namespace: str, name: str) -> str:
        resource = self._resources.get((api_version, kind))
        if resource is None:
            raise ClusterError(
                f"the API server serves no {kind} of {api_version or 'that group'}", reason="NotServed"
            )
        if {name, namespace} & {".", ".."}:
            # As parts of a path they would lead to another resource: DELETE …/.. is a collection.
            raise ClusterError(f"{kind} {namespace}/{name}: no object has such a name", reason="Invalid")
        root = "/apis/" if "/" in api_version else "/api/"
        place = f"/namespaces/{quote(namespace)}" if namespace and resource.namespaced else ""
        return f"{root}{api_version}{place}/{resource.plural}" + (f"/{quote(name)}" if name else "")

    def _call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = "application/json",
        accept: str = "application/json",
    ) -> Answer:
        with self._count_lock:
            self.requests += 1
        headers = {"Accept": accept, "Content-Type": content_type}
        target = f"{path}?{urlencode(query)}" if query else path
        call = self._client.param_serialize(
            method, target, header_params=headers, body=body, auth_settings=["BearerToken"]
        )
        try:
            response = self._client.call_api(*call, _request_timeout=TIMEOUT)
            data = response.read()
        except (ApiException, urllib3.exceptions.HTTPError) as error:
            host = self._client.configuration.host
            raise ClusterError(f"the API server {host} does not answer: {_reason_of(error)}") from error
        except ValueError:
            # Not chained: the header that cannot be sent, which the error quotes, is the credentials.
            raise ClusterError("the credentials hold a character that no HTTP header can carry") from None
        return _parse_answer(response.status, data, f"{method} {path}")


def _load_configuration(kubeconfig: Path | None, context: str | None) -> Configuration:
    configuration = Configuration()
    file = str(kubeconfig) if kubeconfig else None
    # A credential plugin that fails is logged by the loader, and passed over: the API server will say it.
    logging.disable()
    try:
        config.load_kube_config(config_file=file, context=context, client_configuration=configuration)
    except Exception as error:  # the loader raises whatever it stumbles over in a broken file
        what = " ".join(str(error).split())
        if file or context or "KUBERNETES_SERVICE_HOST" not in os.environ:
            name = file or os.environ.get("KUBECONFIG") or "~/.kube/config"
            raise ClusterError(f"no usable kubeconfig in {name}: {what.rstrip('.')}") from error
        _load_service_account(configuration)
    finally:
        logging.disable(logging.NOTSET)
    configuration.connection_pool_maxsize = IN_FLIGHT
    # A retried write could be written twice, and a redirect could carry our token elsewhere.
    configuration.retries = False
    return configuration


def _load_service_account(configuration: Configuration) -> None:
    try:
        config.load_incluster_config(client_configuration=configuration)
    except (config.ConfigException, OSError) as error:
        raise ClusterError(f"in a pod, but without a usable ServiceAccount: {error}") from error


def _parse_answer(status: int, data: bytes, what: str) -> Answer:
    try:
        answer = json.loads(data)
    except ValueError:
        answer = None
    if status < 300 and isinstance(answer, dict):  # noqa: PLR2004 - HTTP's own number
        return answer
    if not isinstance(answer, dict):
        answer = {}
    details, message, reason = answer.get("details") or {}, answer.get("message"), answer.get("reason") or ""
    if status == 401:  # noqa: PLR2004 - HTTP's own number
        message = "the API server does not accept these credentials (401)"
    if message and "system:anonymous" in message:
        message = f"the kubeconfig gave no credentials, or its plugin failed: {message}"
    raise ClusterError(
        message or f"{what}: answered {status}, not as an API server does",
        status=status,
        reason=reason,
        causes=tuple(details.get("causes") or ()),
    )


def _reason_of(error: Exception) -> str:
    reason = getattr(error, "reason", None) or error
    return str(reason).rpartition(": ")[2] or type(error).__name__
