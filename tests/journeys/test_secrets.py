"""What is secret is seen nowhere: every sink of whole runs is searched for it, as it is and in base64."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.controlplane.server import ControlPlane
from tests.jaseci.proxy import Proxy, Reply
from tests.journeys.scratch import Scratch

pytestmark = pytest.mark.real

TOKEN = "token-to-be-seen-nowhere"  # noqa: S105 - planted, as all of these
IN_THE_TREE = "value-of-a-secret-in-git"
REFERRED = "value-that-a-config-refers-to"
STORED = "value-that-jaseci-has-stored"
ENVIRONMENT = "variable-of-jaseci-s-server"
IN_A_URL = "password-in-an-error-of-redis"
PLANTED = (TOKEN, IN_THE_TREE, REFERRED, STORED, ENVIRONMENT, IN_A_URL)
# A page of Django's, as it comes with DEBUG on: with all of the server's environment and the request's headers.
PAGE = Reply(status=500, body=f"<html>{ENVIRONMENT} {TOKEN} {IN_A_URL}</html>".encode())
INFO, REFRESH = "/js_admin/service_info", "/js_admin/service_refresh"
GET, SET = "/js_admin/config_get", "/js_admin/config_set"


def answer(body: object) -> Reply:
    return Reply(status=200, body=json.dumps(body).encode())


FAILED = answer(
    {
        "enabled": True,
        "state": "FAILED",
        "config": {"password": STORED, "word": REFERRED},
        "error": f"Error connecting to redis://me:{IN_A_URL}@redis:6379/0 as {REFERRED}",
    }
)
RUNNING = answer({"enabled": True, "state": "RUNNING", "config": {"password": STORED}, "error": None})
ECHO = answer({"response": f"headers: {TOKEN}", "success": False})
CONFIG = answer(json.dumps({"enabled": True, "password": STORED}))
# Each step: what Jaseci answers by path, and what is run then.
STEPS: list[dict[str, Reply]] = [
    {INFO: PAGE},
    {INFO: Reply(status=404, body=PAGE.body), "/js_admin/service_call": PAGE},
    {INFO: FAILED, GET: PAGE, REFRESH: PAGE},
    {
        INFO: FAILED,
        GET: CONFIG,
        SET: PAGE,
        REFRESH: answer({"success": True}),
    },
    {
        INFO: FAILED,
        GET: CONFIG,
        REFRESH: ECHO,
    },
    {INFO: RUNNING, GET: CONFIG},
    {INFO: Reply(status=200, body=f"no JSON {TOKEN} {ENVIRONMENT}".encode())},
    {INFO: Reply(status=401, body=PAGE.body)},
]


@pytest.fixture
def jaseci() -> Iterator[Proxy]:
    with Proxy() as made:
        yield made


@pytest.fixture
def scratch(tmp_path: Path, controlplane: ControlPlane, namespace: str, jaseci: Proxy) -> Scratch:
    """A service whose tree has a Secret, and whose config refers to another. (Logs: test_health.py.)"""
    made = Scratch(tmp_path / "repository", controlplane=controlplane)
    credentials = "{env: JASECI_CREDENTIALS}"
    made.write(
        "jsorc.yaml", f"namespace: {namespace}\njaseci: {{url: '{jaseci.url}', credentials: {credentials}}}\n"
    )
    made.env["JASECI_CREDENTIALS"] = json.dumps({"origin": jaseci.url, "token": TOKEN})
    made.env["TMPDIR"] = str(tmp_path / "tmp")
    (tmp_path / "tmp").mkdir()
    made.write(
        "templates/redis/objects.yaml",
        f"apiVersion: v1\nkind: Secret\nmetadata: {{name: tree}}\nstringData: {{word: {IN_THE_TREE}}}\n",
    )
    reference = "{valueFrom: {secretKeyRef: {name: other, key: word}}}"
    made.write(
        "templates/redis/service.yaml",
        f"plainSecrets: allow\nconfig: {{word: {reference}}}\nreset: {{config: apply}}\n",
    )
    made.commit("Begin")
    made.kubectl("create", "secret", "generic", "other", f"--from-literal=word={REFERRED}", "-n", namespace)
    return made


def spell_all(secret: str) -> Iterator[str]:
    """As it is, and in base64 wherever it begins in a longer text."""
    yield secret
    for before in range(3):
        encoded = base64.b64encode(b"x" * before + secret.encode()).decode()
        # What its neighbours have a part in is left out.
        yield encoded[4 if before else 0 : -4]


def test_no_sink_has_a_secret(scratch: Scratch, namespace: str, jaseci: Proxy, tmp_path: Path) -> None:
    """Output, JSON, metrics, plan, status, ledger, state, records, events, caches: over passes of every kind."""
    metrics = tmp_path / "metrics.prom"
    printed = []
    for answers in STEPS:
        jaseci.behave()
        for path, reply in answers.items():
            jaseci.misbehave(reply, path=path)
        for output in ("text", "json"):
            done = scratch.jsorc("reconcile", "--verbose", "--output", output, "--metrics", str(metrics))
            printed += [done.output, metrics.read_text()]
        printed.append(scratch.jsorc("reset", "redis").output)
        printed += [scratch.jsorc("status", "--verbose", *more).output for more in ((), ("--output", "json"))]
    scratch.kubectl("patch", "secret", "tree", "-n", namespace, "-p", '{"data": {"word": "b3RoZXI="}}')
    printed += [
        scratch.jsorc("diff", *options).output for options in ((), ("--output", "json"), ("--kubeconfig", "/no"))
    ]
    printed.append(scratch.jsorc("reconcile", "--verbose").output)
    for kinds in ("configmaps,leases.coordination.k8s.io,events", "deployments,pods"):
        printed.append(scratch.kubectl("get", kinds, "-n", namespace, "-o", "yaml").output)
    printed += [
        path.read_text(errors="replace") for path in find_files(tmp_path / "tmp", Path(scratch.env["HOME"]))
    ]
    assert any("reset" in each for each in printed)
    for secret in PLANTED:
        found = [each for each in printed if any(part in each for part in spell_all(secret))]
        assert found == [], secret


def find_files(*folders: Path) -> list[Path]:
    """What jsorc has left there: caches, and the logs of bugs."""
    return [path for folder in folders for path in folder.rglob("*") if path.is_file()]


def test_the_search_finds_what_is_there() -> None:
    """In a longer text, at any place of a base64 group."""
    for before in ("", "a", "ab", "abc"):
        text = base64.b64encode(f"{before}{TOKEN} and more".encode()).decode()
        assert any(part in text for part in spell_all(TOKEN))
