"""Two replicas of a real Jaseci as in a cluster: each at an IP of its own; one port, one database, one Redis."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.jaseci.install import install
from tests.jaseci.proxy import Proxy
from tests.jaseci.server import Jaseci, make_database
from tests.machine import free_ports

ADDRESSES = ("127.0.0.2", "127.0.0.3")  # all of 127/8 is this machine; KWOK gives a pod any IP it is told to


@dataclass(slots=True, kw_only=True)
class Pod:
    """One replica: what calls its address goes through the proxy, which keeps every request."""

    address: str
    proxy: Proxy
    server: Jaseci

    def count_resets(self, name: str) -> int:
        """How many times this replica was told to reset the service."""
        told = [each.json for each in self.proxy.requests if each.path == "/js_admin/service_refresh"]
        return sum(each.get("name") == name for each in told)

    def get_state(self, name: str) -> str:
        """What this replica itself says, past the proxy."""
        return str(self.server.service_info(name)["state"])


@contextmanager
def start_pods(
    folder: Path, *, redis_port: int, addresses: tuple[str, ...] = ADDRESSES
) -> Iterator[tuple[int, list[Pod]]]:
    """Their common port, and the replicas, stopped at the end (some 5 s to start). Raises SetupError."""
    port, behind = free_ports(2)
    make_database(folder, install(), redis_port=redis_port)

    def start(address: str) -> Jaseci:
        return Jaseci.start(folder, redis_port=redis_port, port=behind, host=address)

    with ExitStack() as stack:
        pods = []
        with ThreadPoolExecutor() as pool:
            started = [pool.submit(start, address) for address in addresses]
        for address, future in zip(addresses, started, strict=True):
            server = future.result()
            stack.callback(server.stop)
            proxy = stack.enter_context(Proxy(server.url, host=address, port=port))
            pods.append(Pod(address=address, proxy=proxy, server=server))
        yield port, pods
