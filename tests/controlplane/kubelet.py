"""What a kubelet is to the API server when somebody asks for a log: an HTTPS server on loopback."""

import json
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlsplit

from tests.controlplane.server import ControlPlane

# (pod, container, whether of the run before this one) → what it wrote
Logs = Mapping[tuple[str, str, bool], str]


@contextmanager
def serve_logs(plane: ControlPlane, logs: Logs) -> Iterator[None]:
    """Have the API server get these logs from the node; of other containers it is told that there is none."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            address = urlsplit(self.path)
            query = parse_qs(address.query)
            _, _, _, pod, container = address.path.split("/")
            text = logs.get((pod, container, query.get("previous") == ["true"]))
            lines = (text or "").splitlines(keepends=True)[-int(query["tailLines"][0]) :]
            body = "".join(lines).encode()[: int(query["limitBytes"][0])]
            self.send_response(404 if text is None else 200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # The API server trusts any, as long as it is not told of a CA for kubelets.
    context.load_cert_chain(plane.ca, plane.ca.with_suffix(".key"))
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        node = json.loads(plane.kubectl("get", "node", "fake", "-o", "json"))["status"]
        # A name that nobody resolves would come before the address.
        addresses = [each for each in node["addresses"] if each["type"] == "InternalIP"]
        port = server.server_address[1]
        _patch(plane, {"addresses": addresses, "daemonEndpoints": {"kubeletEndpoint": {"Port": port}}})
        try:
            yield
        finally:
            server.shutdown()
            thread.join()
            with suppress(Exception):
                _patch(plane, {"addresses": node["addresses"], "daemonEndpoints": node.get("daemonEndpoints")})


def _patch(plane: ControlPlane, status: Mapping[str, object]) -> None:
    patch = json.dumps({"status": status})
    plane.kubectl("patch", "node", "fake", "--subresource=status", "--type=merge", "-p", patch)
