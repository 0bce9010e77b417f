"""A git server on loopback: git's own http-backend behind Python's HTTP server, and what can go wrong with it."""

import base64
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

FETCH, PUSH = "git-upload-pack", "git-receive-pack"


class GitServer(ThreadingHTTPServer):
    """Serves the bare repositories below a folder; `requests` counts what was asked for, by service."""

    request_queue_size = 128
    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder = folder
        self.pushes = 0
        self.password = ""  # asked for where it is set
        self.forbidden: set[str] = set()  # services that answer 403
        self.lost: set[str] = set()  # services whose answers never arrive

    def create(self, name: str) -> str:
        """Make an empty repository, and return its address."""
        path = self.folder / name
        subprocess.run(["git", "init", "--quiet", "--bare", path], check=True)
        subprocess.run(["git", "-C", path, "config", "http.receivepack", "true"], check=True)
        return f"http://127.0.0.1:{self.server_port}/{name}"


@contextmanager
def serve(folder: Path) -> Iterator[GitServer]:
    with GitServer(folder) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: GitServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        self._answer(self._read_body())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing: what git says is what tests look at."""

    def _answer(self, body: bytes) -> None:
        self.close_connection = True
        path, _, query = self.path.partition("?")
        service = query.removeprefix("service=") or path.rpartition("/")[2]
        if service in self.server.forbidden:
            self._send(403, [], b"")
        elif not self._is_known():
            self._send(401, [("WWW-Authenticate", 'Basic realm="git"')], b"")
        else:
            self.server.pushes += (self.command, service) == ("POST", PUSH)
            status, headers, answer = self._run_backend(path, query, body)
            if self.command == "POST" and service in self.server.lost:
                return
            self._send(status, headers, answer)

    def _is_known(self) -> bool:
        expected = base64.b64encode(f"user:{self.server.password}".encode()).decode()
        return not self.server.password or self.headers["Authorization"] == f"Basic {expected}"

    def _read_body(self) -> bytes:
        if self.headers["Transfer-Encoding"] != "chunked":
            return self.rfile.read(int(self.headers["Content-Length"]))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _run_backend(self, path: str, query: str, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        """The answer of `git http-backend`, a CGI program."""
        environment = {
            **os.environ,
            "GIT_PROJECT_ROOT": str(self.server.folder),
            "GIT_HTTP_EXPORT_ALL": "1",
            "REQUEST_METHOD": self.command,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers["Content-Type"] or "",
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers["Content-Encoding"] or "",
            "GIT_PROTOCOL": self.headers["Git-Protocol"] or "",
        }
        # It ends with 1 where it has told the client that a request is refused.
        done = subprocess.run(
            ["git", "http-backend"], input=body, env=environment, capture_output=True, check=False
        )
        head, _, answer = done.stdout.partition(b"\r\n\r\n")
        pairs = [line.partition(": ") for line in head.decode().split("\r\n")]
        headers = [(name, value) for name, _, value in pairs if name != "Status"]
        statuses = [int(value.split()[0]) for name, _, value in pairs if name == "Status"]
        return (*statuses, 200)[0], headers, answer

    def _send(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response(status)
        for name, value in (*headers, ("Content-Length", str(len(body))), ("Connection", "close")):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
