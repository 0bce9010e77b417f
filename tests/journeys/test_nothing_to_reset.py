"""A pass over 200 services that all run, as Jaseci and the API server see it on the wire."""

import json
from collections import Counter
from pathlib import Path
from threading import Event, Lock

import pytest

from jsorc_gitops.adapters.jaseci import IN_FLIGHT
from tests.controlplane import proxy as api
from tests.controlplane.server import ControlPlane
from tests.jaseci.proxy import Proxy, Reply, Request
from tests.journeys.scratch import Scratch

pytestmark = pytest.mark.real

INFO = "/js_admin/service_info"
NAMES = [f"svc-{number:03}" for number in range(200)]
RUNNING = Reply(status=200, body=b'{"enabled": true, "state": "RUNNING", "error": null}')


class Holding:
    """Answers that a service runs; the first request at once, the others when so many are under way."""

    def __init__(self, wanted: int) -> None:
        self.most = 0
        self._wanted = wanted
        self._under_way = 0
        self._met = False
        self._enough = Event()
        self._lock = Lock()

    def answer(self, _: Request) -> Reply:
        with self._lock:
            first, self._met = not self._met, True
            self._under_way += 1
            self.most = max(self.most, self._under_way)
            if self.most >= self._wanted:
                self._enough.set()
        if not first and not self._enough.wait(5):
            self._enough.set()  # they do not come; the test shall end all the same
        with self._lock:
            self._under_way -= 1
        return RUNNING


def test_one_request_for_each_service_side_by_side(
    tmp_path: Path, controlplane: ControlPlane, namespace: str
) -> None:
    """Just one; the ledger is read once, and nothing but the Lease is written."""
    repository, holding = Scratch(tmp_path / "repository", controlplane=controlplane), Holding(IN_FLIGHT)
    for name in NAMES:
        repository.write(f"templates/{name}/service.yaml", "")
    with Proxy() as wire, api.Proxy(controlplane) as server:
        wire.misbehave(RUNNING, path=INFO)
        jaseci = f"{{url: '{wire.url}', credentials: {{env: JASECI_CREDENTIALS}}}}"
        repository.write("jsorc.yaml", f"namespace: {namespace}\njaseci: {jaseci}\n")
        repository.commit("Begin")
        repository.env["JASECI_CREDENTIALS"] = json.dumps({"origin": wire.url, "token": "0a1b"})
        first = repository.jsorc("reconcile")
        assert first.code == 0, first.output
        wire.requests.clear()
        wire.misbehave(holding.answer, path=INFO)

        done = repository.jsorc("reconcile", "--kubeconfig", str(server.kubeconfig_for()))

        assert done.code == 0, done.output
        asked = Counter((each.path, each.json["name"]) for each in wire.requests)
        assert asked == {(INFO, name): 1 for name in NAMES}
    assert holding.most == IN_FLIGHT
    assert server.count("^GET .*/configmaps/jsorc.ledger.default") == 1
    assert server.count("^(PATCH|POST|PUT|DELETE) (?!.*/leases)") == 0
