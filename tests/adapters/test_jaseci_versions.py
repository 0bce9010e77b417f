"""Every Jaseci that is supported, from 1.3.6.2 to 1.4.2.6: real ones, and recordings of real ones."""

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from jsorc_gitops.adapters.jaseci import Jaseci
from jsorc_gitops.model.jaseci import Credentials, ServiceState, Target
from tests.jaseci.packages import install_older_server
from tests.jaseci.pods import start_pods
from tests.jaseci.proxy import Proxy
from tests.jaseci.recording import RECORDED, play
from tests.jaseci.server import Jaseci as JaseciServer
from tests.jaseci.server import Redis

REDIS = Target(name="redis")
OLDEST = "1.3.6.2"
TOKEN = "0a1b"  # noqa: S105 - of nobody


def log_in(server: JaseciServer, url: str = "", *, port: int = 0) -> Jaseci:
    return Jaseci(url, Credentials(origin=url, email=server.email, password=server.password), port=port)


@contextmanager
def logins_of(folder: Path) -> Iterator[None]:
    """Fail where this block leaves a token or a session in Jaseci's database that was not there."""

    def read() -> list[tuple[str]]:
        with closing(sqlite3.connect(folder / "mydatabase")) as connection:
            rows = connection.execute(
                "SELECT digest FROM knox_authtoken UNION SELECT session_key FROM django_session"
            )
            return rows.fetchall()

    before = read()
    yield
    assert read() == before


def check_states(client: Jaseci, expected: dict[str, ServiceState]) -> None:
    targets = [Target(name=name) for name in expected]
    assert {
        each.name: state.state for each, state in zip(targets, client.get_states(targets), strict=True)
    } == expected


def check_strangers(client: Jaseci, wrong: str, right: str) -> None:
    wrong_state, no_such = client.get_states([Target(name=wrong), Target(name="nosuch")])
    assert f"knows no service {wrong}; did you mean {right}?" in wrong_state.detail
    assert "knows no service nosuch" in no_such.detail
    assert wrong_state.state is no_such.state is ServiceState.UNKNOWN


@pytest.mark.parametrize("version", RECORDED)
def test_recorded_versions(version: str) -> None:
    """Failed, reset, running; disabled; a wrong name; the config: each from the endpoints that version has."""
    right, wrong = ("promon", "prome") if version in {"1.3.6.8", "1.4.0.9"} else ("prome", "promon")
    with play(version) as server:
        client = Jaseci(server.url, Credentials(origin=server.url, token=TOKEN))
        off = ServiceState.STOPPED if right == "promon" else ServiceState.DISABLED
        check_states(client, {"redis": ServiceState.FAILED, "mail": ServiceState.DISABLED, right: off})
        check_strangers(client, wrong, right)
        assert client.reset_services([REDIS]) == [""]
        assert client.reset_services([Target(name="nosuch")])[0].startswith("Jaseci knows no service nosuch")
        check_states(client, {"redis": ServiceState.RUNNING})
        config = client.get_configs([REDIS])[0]
        assert isinstance(config, dict)
        assert (config["enabled"], config["port"]) == (True, "6379")
        assert client.get_configs([Target(name="nosuch")])[0] == "Jaseci has stored no NOSUCH_CONFIG"
        assert client.set_config(Target(name="nosuch"), {**CONFIG}) == ""
        asked = Counter(each.path.rpartition("/")[2] for each in server.requests)
    assert asked["service_info"] == 1 or "service_call" not in asked
    assert "config_refresh" not in asked


CONFIG = {"enabled": True, "host": "127.0.0.1", "port": "6379", "db": "1"}


@pytest.mark.real
def test_the_oldest_version(tmp_path: Path, redis: Redis) -> None:
    """Jaseci 1.3.6.2: config_refresh, which answers nothing, and a state that is told attribute by attribute."""
    folder = tmp_path / "jaseci"
    server = JaseciServer.start(folder, redis_port=redis.port, installation=install_older_server(OLDEST))
    try:
        with logins_of(folder), Proxy(server.url) as wire:
            client = log_in(server, wire.url)
            check_states(client, {"redis": ServiceState.FAILED, "promon": ServiceState.STOPPED})
            check_strangers(client, "prome", "promon")
            redis.start()
            check_states(client, {"redis": ServiceState.FAILED})
            assert client.reset_services([REDIS, Target(name="nosuch")]) == ["", ""]
            check_states(client, {"redis": ServiceState.RUNNING, "nosuch": ServiceState.UNKNOWN})
            config = client.get_configs([REDIS])[0]
            assert isinstance(config, dict)
            assert config["port"] == str(redis.port)
            assert client.set_config(REDIS, {**config, "enabled": False}) == ""
            assert client.get_configs([REDIS])[0] == {**config, "enabled": False}
            client.reset_services([REDIS])
            check_states(client, {"redis": ServiceState.DISABLED})
            client.close()
            assert client.leftover == ""
            asked = Counter(each.path.rpartition("/")[2] for each in wire.requests)
            assert (asked["service_info"], asked["service_refresh"]) == (1, 1)
    finally:
        server.stop()


@pytest.mark.real
def test_the_newest_version(jaseci: JaseciServer, redis: Redis) -> None:
    """Jaseci 1.4.2.6: the same, and a config that counts from the next reset on; nothing of a login is left."""
    with logins_of(jaseci.folder):
        client = log_in(jaseci, jaseci.url)
        off = dict.fromkeys(("mail", "prome"), ServiceState.DISABLED)
        check_states(client, {"redis": ServiceState.FAILED, **off})
        check_strangers(client, "promon", "prome")
        redis.start()
        assert client.reset_services([REDIS]) == [""]
        assert client.reset_services([Target(name="nosuch")])[0].startswith("Jaseci knows no service nosuch")
        check_states(client, {"redis": ServiceState.RUNNING})
        config = client.get_configs([REDIS])[0]
        assert isinstance(config, dict)
        assert client.set_config(REDIS, {**config, "automated": True}) == ""
        assert client.get_configs([REDIS])[0] == {**config, "automated": True}
        assert not client.get_states([REDIS])[0].automated
        assert client.reset_services([REDIS]) == [""]
        assert client.get_states([REDIS])[0].automated
        client.close()
        assert client.leftover == ""


@pytest.mark.real
def test_two_pods(tmp_path: Path, redis: Redis) -> None:
    """Each reset reaches one process, that of the address; one login is good for both, and is undone."""
    folder = tmp_path / "jaseci"
    with start_pods(folder, redis_port=redis.port) as (port, pods), logins_of(folder):
        client = log_in(pods[0].server, port=port)
        targets = [Target(name="redis", address=pod.address) for pod in pods]
        assert [each.state for each in client.get_states(targets)] == [ServiceState.FAILED] * 2
        redis.start()
        assert client.reset_services(targets[:1]) == [""]
        assert [each.state for each in client.get_states(targets)] == [ServiceState.RUNNING, ServiceState.FAILED]
        assert client.reset_services(targets[1:]) == [""]
        assert [each.state for each in client.get_states(targets)] == [ServiceState.RUNNING] * 2
        client.close()
        assert client.leftover == ""
        assert [pod.count_resets("redis") for pod in pods] == [1, 1]
        logins = [each for pod in pods for each in pod.proxy.requests if each.path == "/user/token/"]
        assert len(logins) == 1
