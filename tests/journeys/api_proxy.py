"""A proxy in front of the real API server, which counts what could have written."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import urllib3

from tests.controlplane.server import ControlPlane
from tests.jaseci.proxy import HOP_BY_HOP, Proxy, Reply, Request


class ApiProxy(Proxy):
    """Speaks TLS to the API server, and plain HTTP to its clients; `kubeconfig` leads to it."""

    def __init__(self, controlplane: ControlPlane, folder: Path) -> None:
        self._pool = urllib3.PoolManager(ca_certs=str(controlplane.ca), maxsize=32, retries=False)
        super().__init__(controlplane.url)
        config = json.loads(controlplane.kubeconfig.read_text())
        config["clusters"][0]["cluster"] = {"server": self.url}
        self.kubeconfig = folder / "kubeconfig-proxy"
        self.kubeconfig.write_text(json.dumps(config))

    def forward(self, request: Request) -> Reply:
        headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP}
        answer = self._pool.request(
            request.method, f"{self.upstream}{request.path}", body=request.body, headers=headers
        )
        kept = {name: value for name, value in answer.headers.items() if name.lower() not in HOP_BY_HOP}
        return Reply(status=answer.status, body=answer.data, headers=kept)

    def stop(self) -> None:
        super().stop()
        self._pool.clear()

    @property
    def writes(self) -> list[str]:
        """'PATCH /api/v1/…' for every request that could have changed something."""
        return [
            f"{each.method} {each.path}"
            for each in self.requests
            if each.method != "GET" and parse_qs(urlsplit(each.path).query).get("dryRun") != ["All"]
        ]


@contextmanager
def start_api_proxy(controlplane: ControlPlane, folder: Path) -> Iterator[ApiProxy]:
    proxy = ApiProxy(controlplane, folder)
    try:
        yield proxy
    finally:
        proxy.stop()
