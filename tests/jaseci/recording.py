"""What older Jasecis answered, recorded from real ones by `python -m tests.jaseci record`, and played over HTTP.

A recording has a line for each exchange: what was asked of /js_admin, in which state of Redis, and the answer.
Stack traces and pages are not in it.
"""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.jaseci.packages import EXTRAS, install_older_server
from tests.jaseci.proxy import Proxy, Reply, Request
from tests.jaseci.server import Jaseci, Redis
from tests.machine import say

FOLDER = Path(__file__).with_name("recordings")
RECORDED = tuple(sorted(path.stem for path in FOLDER.glob("*.jsonl")))
NAMES = ("redis", "mail", "promon", "prome", "nosuch")
CONFIGS = ("redis", "prome", "nosuch")
RESETS = ("service_refresh", "config_refresh")
PORT = "6379"
# Stands for the pages that carry the server's environment.
PAGE = b"<html>SECRET_KEY=planted-in-a-page</html>"

Post = Callable[[str, dict[str, Any]], tuple[int, Any]]


def play(version: str) -> Proxy:
    """A server that answers as this Jaseci did; 501 for what nobody asked it. Redis runs once it is reset."""
    lines = [json.loads(line) for line in (FOLDER / f"{version}.jsonl").read_text().splitlines()]
    known = {(each["redis"], each["endpoint"], json.dumps(each["body"], sort_keys=True)): each for each in lines}
    phases = ["down"]

    def answer(request: Request) -> Reply:
        if request.path == "/user/token/":
            return Reply(status=200, body=b'{"expiry": null, "token": "0a1b"}')
        endpoint = request.path.removeprefix("/js_admin/")
        body = json.dumps(request.json, sort_keys=True)
        found = next((known[key] for phase in phases if (key := (phase, endpoint, body)) in known), None)
        if found is None:
            return Reply(status=501)
        if endpoint in RESETS and found["status"] == 200 and "redis" in body.lower():
            phases.insert(0, "up")
        if found["status"] == 404:
            return Reply(status=404, body=PAGE, headers={"Content-Type": "text/html"})
        return Reply(
            status=found["status"], body=json.dumps(found["answer"]).encode() if "answer" in found else b""
        )

    proxy = Proxy()
    proxy.misbehave(answer)
    return proxy


def record(version: str) -> Path:
    """Write down what a real one answers while its Redis is down, and after that came up and was reset."""
    if version not in EXTRAS:
        raise SystemExit(f"known versions: {', '.join(EXTRAS)}")
    with tempfile.TemporaryDirectory() as place:
        redis = Redis(Path(place) / "redis")
        jaseci = Jaseci.start(
            Path(place) / "jaseci", redis_port=redis.port, installation=install_older_server(version)
        )
        try:
            lines = [_exchange(jaseci, "down", *asked) for asked in _list_questions()]
            redis.start()
            jaseci.refresh("redis")
            jaseci.post("/js_admin/config_refresh", {"name": "REDIS_CONFIG"})
            lines += [_exchange(jaseci, "up", *asked) for asked in _list_states("redis")]
        finally:
            jaseci.stop()
            redis.stop()
    path = FOLDER / f"{version}.jsonl"
    path.write_text("".join(f"{json.dumps(each)}\n" for each in lines))
    say(f"{path} is written")
    return path


def _list_questions() -> list[tuple[str, dict[str, Any]]]:
    asked = [state for name in NAMES for state in _list_states(name)]
    for name in NAMES:
        config = f"{name.upper()}_CONFIG"
        asked += [("service_refresh", {"name": name}), ("config_refresh", {"name": config})]
        if name in CONFIGS:
            asked.append(("config_get", {"name": config, "do_check": False}))
    value = {"enabled": True, "host": "127.0.0.1", "port": PORT, "db": "1"}
    asked.append(("config_set", {"name": "NOSUCH_CONFIG", "value": value, "do_check": False}))
    return asked


def _list_states(name: str) -> list[tuple[str, dict[str, Any]]]:
    calls: list[tuple[str, list[str]]] = [
        ("is_running", []),
        ("has_failed", []),
        ("__getattribute__", ["enabled"]),
        ("__getattribute__", ["automated"]),
    ]
    attributes = [{"attr": attribute, "callable": True, "args": arguments} for attribute, arguments in calls]
    return [
        ("service_info", {"name": name}),
        *(("service_call", {"svc": name, "attrs": [each]}) for each in attributes),
    ]


def _exchange(jaseci: Jaseci, phase: str, endpoint: str, body: dict[str, Any]) -> dict[str, Any]:
    status, answer = jaseci.post(f"/js_admin/{endpoint}", body)
    line = {"redis": phase, "endpoint": endpoint, "body": body, "status": status}
    if answer is None:
        return line
    if isinstance(answer, dict):
        answer.pop("stack_trace", None)
    return line | {"answer": json.loads(json.dumps(answer).replace(str(jaseci.redis_port), PORT))}
