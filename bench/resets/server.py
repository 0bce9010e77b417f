"""The Jaseci that everything is measured against: a real one, near by and far away."""

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.reconcile.chains import DISTANCES
from bench.reconcile.server import start_proxy
from tests.jaseci.server import Jaseci, Redis
from tests.machine import SetupError
from tests.waiting import wait_until

SERVICE = "redis"  # of Jaseci; it runs, and nothing happens to it
# Jaseci writes it before it answers. The line of the HTTP server comes after the answer, and may come too late.
_CALL = re.compile(rb"proc_request: Incoming call from ")


@dataclass(frozen=True, slots=True, kw_only=True)
class JaseciServer:
    """Its address and the credentials for it by distance, as the JSON that jsorc takes."""

    log: Path
    urls: dict[float | None, str]
    credentials: dict[float | None, str]

    def count_calls(self) -> int:
        """How many calls it has got, from whomever."""
        return len(_CALL.findall(self.log.read_bytes()))


@contextmanager
def start_jaseci(folder: Path) -> Iterator[JaseciServer]:
    """Start it, with a Redis that its service has found; raises SetupError."""
    with ExitStack() as stack:
        redis = Redis(folder / "redis")
        redis.start()
        stack.callback(redis.stop)
        jaseci = Jaseci.start(folder / "jaseci", redis_port=redis.port)
        stack.callback(jaseci.stop)
        jaseci.refresh(SERVICE)
        if (state := jaseci.service_info(SERVICE)["state"]) != "RUNNING":
            raise SetupError(f"Jaseci's {SERVICE} is {state}")
        ports: dict[float | None, int] = {}
        for distance in DISTANCES:
            ports[distance] = jaseci.port
            if distance is not None:
                proxy, port = start_proxy(jaseci.port, distance, log=folder / "latency.log")
                stack.callback(proxy.stop)
                there = Jaseci(proxy, folder=folder, port=port, redis_port=redis.port)
                wait_until(partial(there.is_healthy), what="the proxy answers")
                ports[distance] = port
        urls = {distance: f"http://{jaseci.host}:{port}" for distance, port in ports.items()}
        yield JaseciServer(
            log=next(jaseci.folder.glob("server-*.log")),
            urls=urls,
            credentials={
                distance: json.dumps({"origin": url, "token": jaseci.token}) for distance, url in urls.items()
            },
        )
