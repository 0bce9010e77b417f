"""The API server that everything is measured against, and what the bench itself asks it."""

import hashlib
import json
import re
import ssl
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from bench.objects import NAMESPACE, Object
from bench.reconcile.bare_client import KINDS
from jsorc_gitops.model.objects import TREE_LABEL
from tests.controlplane.server import ControlPlane
from tests.machine import Server, free_ports
from tests.waiting import wait_until

LATENCY = Path(__file__).with_name("latency.py")
SELECTOR = f"{TREE_LABEL}=default"
# What the server sets, differently every time.
_SET = {"uid", "resourceVersion", "creationTimestamp", "generation", "managedFields"}
_ADDRESSES = {"clusterIP", "clusterIPs"}
_PART_OF = "applyset.kubernetes.io/part-of"
_REQUESTS = re.compile(r'^apiserver_request_total\{.*verb="(?!WATCH)[^"]*".*\} (\S+)$', re.MULTILINE)


class ApiServer:
    """Kubernetes without its controllers: nobody but who is measured writes, and nobody takes the processors."""

    def __init__(self, plane: ControlPlane) -> None:
        self._plane = plane
        self._context = ssl.create_default_context(cafile=str(plane.ca))
        self._proxies = ExitStack()

    @classmethod
    def start(cls, folder: Path) -> Self:
        """Start it; raises SetupError."""
        plane = ControlPlane.start(folder)
        plane.stop_controllers()
        return cls(plane)

    def stop(self) -> None:
        self._proxies.close()
        self._plane.stop()

    def make_kubeconfig(self, milliseconds: float | None) -> Path:
        """A kubeconfig of the admin; None is the server itself, else a proxy that is this far away from it."""
        if milliseconds is None:
            return self._plane.kubeconfig
        path = self._plane.folder / f"kubeconfig-{milliseconds:g}ms"
        behind = urlsplit(self._plane.url).port
        assert behind is not None  # noqa: S101 - it has no port that goes without saying
        proxy, port = start_proxy(behind, milliseconds, log=self._plane.folder / "latency.log")
        self._proxies.callback(proxy.stop)
        url = f"https://127.0.0.1:{port}"
        path.write_text(self._plane.kubeconfig.read_text().replace(self._plane.url, url))
        wait_until(lambda: self._answers(url), what="the proxy answers")
        return path

    def clear(self) -> None:
        """Delete all that was applied, and what jsorc remembers of it."""
        ours = [f"/api/v1/namespaces/{NAMESPACE}/configmaps/jsorc.{name}.default" for name in ("state", "ledger")]
        ours.append(f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/jsorc.default")
        for path in ours:
            self._ask("DELETE", path, missing=True)
        for path in _list_paths():
            self._ask("DELETE", f"{path}?labelSelector={SELECTOR}")

    def read_objects(self) -> list[Object]:
        """All that was applied, without what is another thing every time, or who applied it."""
        return [
            _normalize({**head, **item})
            for path in _list_paths()
            for found in (self._ask("GET", f"{path}?labelSelector={SELECTOR}"),)
            for head in ({"apiVersion": found["apiVersion"], "kind": found["kind"].removesuffix("List")},)
            for item in found["items"]
        ]

    def hash_objects(self) -> str:
        objects = sorted(json.dumps(each, sort_keys=True) for each in self.read_objects())
        return hashlib.sha256("\n".join(objects).encode()).hexdigest()

    def write_status(self) -> None:
        """Say of every Deployment that its rollout is over, as its controller would."""
        path = KINDS["Deployment"].format(NAMESPACE)
        found = self._ask("GET", f"{path}?labelSelector={SELECTOR}")["items"]
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda each: self._write_status(f"{path}/{each['metadata']['name']}", each), found))

    def count_requests(self) -> int:
        """How many requests it has got, from whomever, but for those that watch."""
        metrics = self._read("GET", "/metrics").decode()
        return round(sum(float(each) for each in _REQUESTS.findall(metrics)))

    def _write_status(self, path: str, live: Object) -> None:
        status = {"observedGeneration": live["metadata"]["generation"]}
        if (live.get("status") or {}) != status:
            self._ask("PATCH", f"{path}/status?fieldManager=kube-controller-manager", {"status": status})

    def _answers(self, url: str) -> bool:
        try:
            return bool(self._read("GET", "/readyz", url=url))
        except OSError:
            return False

    def _ask(self, method: str, path: str, body: Any = None, *, missing: bool = False) -> Any:
        """The decoded answer; {} where `missing` things may be asked for."""
        try:
            return json.loads(self._read(method, path, body))
        except urllib.error.HTTPError as error:
            if missing and error.code == 404:  # noqa: PLR2004 - HTTP's own number
                return {}
            raise

    def _read(self, method: str, path: str, body: Any = None, *, url: str = "") -> bytes:
        headers = {"Authorization": f"Bearer {self._plane.token}", "Content-Type": "application/merge-patch+json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(  # noqa: S310 - the address is our own
            (url or self._plane.url) + path, method=method, headers=headers, data=data
        )
        with urllib.request.urlopen(request, context=self._context, timeout=60) as answer:  # noqa: S310 - as above
            content: bytes = answer.read()
        return content


def start_proxy(behind: int, milliseconds: float, *, log: Path) -> tuple[Server, int]:
    """A proxy that is this far away from a port, there and back; the port where it will soon listen."""
    (port,) = free_ports(1)
    command: list[str | Path] = [sys.executable, LATENCY, str(port), str(behind), str(milliseconds)]
    return Server(command, log=log, grace=1), port


def project(live: Any, wanted: Any) -> Any:
    """The part of a live value that git says something of; what the server added is left out."""
    if isinstance(live, dict) and isinstance(wanted, dict):
        return {key: project(live[key], value) for key, value in wanted.items() if key in live}
    if isinstance(live, list) and isinstance(wanted, list) and len(live) == len(wanted):
        return [project(*pair) for pair in zip(live, wanted, strict=True)]
    return live


def _list_paths() -> Iterator[str]:
    return (path.format(NAMESPACE) for path in KINDS.values())


def _normalize(body: Object) -> Object:
    metadata = {key: value for key, value in body["metadata"].items() if key not in _SET}
    metadata["labels"] = {key: value for key, value in metadata["labels"].items() if key != _PART_OF}
    rest = {key: value for key, value in body.items() if key != "status"}
    if body["kind"] == "Service":
        rest["spec"] = {key: value for key, value in body["spec"].items() if key not in _ADDRESSES}
    return {**rest, "metadata": metadata}
