"""A real Redis and a real Jaseci server on loopback, each in a folder of its own."""

import http.client
import json
import shutil
import socket
import sqlite3
from collections.abc import Callable
from contextlib import ExitStack, closing
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.jaseci.install import (
    ADMIN_EMAIL,
    ADMIN_PASSWORD,
    VERSION,
    Installation,
    install,
    server_env,
)
from tests.machine import Server, SetupError, free_ports
from tests.waiting import wait_until

HOST = "127.0.0.1"
ANSWER_SECONDS = 60.0  # Jaseci itself has no time-outs: a call takes as long as the service behind it.


class Redis:
    """A redis-server at a fixed port, down until `start`; may be stopped and started again."""

    def __init__(self, folder: Path, *, port: int | None = None) -> None:
        self.folder = folder
        self.port = port or free_ports(1)[0]
        self._server: Server | None = None

    def start(self) -> None:
        """Return once it answers PING. Raises SetupError with the log's end when it does not."""
        self.folder.mkdir(parents=True, exist_ok=True)
        log = self.folder / "redis.log"
        options = f"--bind {HOST} --port {self.port} --appendonly no".split()
        self._server = Server(
            ["redis-server", *options, "--save", "", "--dir", self.folder], log=log, cwd=self.folder
        )
        await_ready(self._server, self._answers)

    def stop(self) -> None:
        """End it; does nothing while it is down."""
        if self._server:
            self._server.stop()
            self._server = None

    def _answers(self) -> bool:
        try:
            with socket.create_connection((HOST, self.port), timeout=5) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False


class Jaseci:
    """A Jaseci server with one superuser, whose services come back by a reset only (`automated: false`)."""

    email = ADMIN_EMAIL
    password = ADMIN_PASSWORD

    def __init__(self, server: Server, *, folder: Path, port: int, redis_port: int, host: str = HOST) -> None:
        self._server = server
        self.folder = folder
        self.port = port
        self.redis_port = redis_port
        self.host = host
        self.url = f"http://{host}:{port}"

    @classmethod
    def start(
        cls,
        folder: Path,
        *,
        redis_port: int,
        port: int | None = None,
        host: str = HOST,
        installation: Installation | None = None,
    ) -> "Jaseci":
        """Start with the database in `folder`, a fresh one where none is; return once JsOrc runs (about 3 s).

        No Redis need listen at `redis_port`. Raises SetupError, with the end of the log, when the
        server does not come up, or what is missing on this machine.
        """
        installation = installation or install()
        port = port or free_ports(1)[0]
        make_database(folder, installation, redis_port=redis_port)
        env = server_env(installation.home) | {
            "REDIS_HOST": HOST,
            "REDIS_PORT": str(redis_port),
            # Django's autoreloader sets it in its child; given at once, there is no parent that loads
            # everything a second time. JsOrc starts only where it is set, and needs the reloader's
            # main thread for its alarms, so --noreload will not do.
            "RUN_MAIN": "true",
        }
        log = folder / f"server-{host}.log"
        # Celery's warm shutdown takes 2 s, and 10 when it meets a worker that has just been forked;
        # nothing in here is worth it.
        command: list[str | Path] = [installation.jsserv, "runserver", f"{host}:{port}"]
        server = Server(command, log=log, env=env, cwd=folder, grace=0)
        jaseci = cls(server, folder=folder, port=port, redis_port=redis_port, host=host)
        await_ready(server, jaseci.is_healthy if installation.version == VERSION else jaseci.answers)
        return jaseci

    def stop(self) -> None:
        """End the server and its celery daemons; returns once all are gone."""
        self._server.stop()

    @cached_property
    def token(self) -> str:
        """A token of the superuser; one login for all uses."""
        _, answer = self._call("POST", "/user/token/", {"email": self.email, "password": self.password})
        return str(answer["token"])

    def get(self, path: str) -> tuple[int, Any]:
        """Status and parsed JSON of a GET without login."""
        return self._call("GET", path)

    def post(self, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        """Status and parsed JSON of a POST by the superuser; None for a page that is not JSON."""
        return self._call("POST", path, body, token=self.token)

    def service_info(self, name: str) -> dict[str, Any]:
        """Jaseci's answer: enabled, automated, quiet, state, config, error; for its errors success: false."""
        _, answer = self.post("/js_admin/service_info", {"name": name})
        return dict(answer)

    def refresh(self, name: str) -> tuple[int, Any]:
        """Status and answer of the reset call."""
        return self.post("/js_admin/service_refresh", {"name": name})

    def fail(self, name: str) -> None:
        """Have a service fail, as Jaseci itself does when it cannot reach what is behind it."""
        self.post("/js_admin/service_call", {"svc": name, "attrs": [{"attr": "failed", "callable": True}]})

    def apply_yaml(self, name: str, text: str) -> int:
        """Status of giving JsOrc another manifest of a service, as a file."""
        parts = (f'"service"\r\n\r\n{name}', f'"file"; filename="x.yaml"\r\n\r\n{text}')
        form = "".join(f"--x\r\nContent-Disposition: form-data; name={part}\r\n" for part in parts)
        headers = {"Authorization": f"token {self.token}", "Content-Type": "multipart/form-data; boundary=x"}
        with closing(http.client.HTTPConnection(self.host, self.port, timeout=ANSWER_SECONDS)) as connection:
            connection.request("POST", "/js_admin/apply_yaml", f"{form}--x--\r\n", headers)
            return connection.getresponse().status

    def is_healthy(self) -> bool:
        try:
            return self._call("GET", "/js_public/health", seconds=5) == (200, True)
        except OSError:
            return False

    def answers(self) -> bool:
        """Whether it serves; before 1.4.2.5 none tells more."""
        try:
            return self._call("GET", "/user/token/", seconds=5)[0] == http.HTTPStatus.METHOD_NOT_ALLOWED
        except OSError:
            return False

    def _call(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        token: str | None = None,
        seconds: float = ANSWER_SECONDS,
    ) -> tuple[int, Any]:
        headers = {"Content-Type": "application/json"}
        if token:
            headers["Authorization"] = f"token {token}"
        content = None if body is None else json.dumps(body)
        with closing(http.client.HTTPConnection(self.host, self.port, timeout=seconds)) as connection:
            connection.request(method, path, content, headers)
            answer = connection.getresponse()
            text = answer.read()
            # Django's own pages for 404 and 500 carry the server's environment: they go no further.
            is_json = answer.headers.get_content_type() == "application/json"
            return answer.status, json.loads(text) if is_json and text else None


def await_ready(server: Server, ready: Callable[[], bool]) -> None:
    """Return once `ready` answers True; else stop the server and raise SetupError with the log's end."""

    def ready_or_ended() -> bool:
        server.check()
        return ready()

    with ExitStack() as unless_ready:
        unless_ready.callback(server.stop)
        try:
            wait_until(ready_or_ended, what=f"an answer of {server.name}")
        except TimeoutError as late:
            tail = "\n".join(server.log.read_text(errors="replace").splitlines()[-15:])
            raise SetupError(f"{late}; {server.log} ends:\n{tail}") from late
        unless_ready.pop_all()


def make_database(folder: Path, installation: Installation, *, redis_port: int) -> None:
    """Put a fresh database into `folder`; one that is there stays."""
    folder.mkdir(parents=True, exist_ok=True)
    database = folder / "mydatabase"
    if database.exists():
        return
    shutil.copyfile(installation.database, database)
    # Services are automated, and have this config, since JsOrc was written anew in 1.4.0.10.
    if installation.version not in ("1.3.6.2", "1.3.6.8", "1.4.0.9"):
        store_configs(database, redis_port=redis_port)


def store_configs(database: Path, *, redis_port: int) -> None:
    """Write the configs that Jaseci would else copy from its defaults into its database.

    As jaseci-serv ships them, but for: `automated` off, so that JsOrc never resets what the tests
    reset; and no preloading, since its first round (6 s while Redis is down) would race with them.
    """
    url = f"redis://{HOST}:{redis_port}/1"
    switches = {"enabled": True, "quiet": True, "automated": False}
    configs: dict[str, dict[str, Any]] = {
        "JSORC_CONFIG": {"backoff_interval": 10, "pre_loaded_services": []},
        "REDIS_CONFIG": {**switches, "host": HOST, "port": str(redis_port), "db": "1"},
        "TASK_CONFIG": {
            **switches,
            "broker_url": url,
            "beat_scheduler": "django_celery_beat.schedulers:DatabaseScheduler",
            "result_backend": "django-db",
            "task_track_started": True,
            "broker_connection_retry_on_startup": True,
            "worker_redirect_stdouts": False,
        },
    }
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.executemany(
            "INSERT INTO base_globalvars (name, value) VALUES (?, ?)",
            [(name, json.dumps(value)) for name, value in configs.items()],
        )
