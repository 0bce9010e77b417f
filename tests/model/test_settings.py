"""jsorc.yaml, and the settings record: every key, its default, and what is refused with file, line and key."""

import re

import pytest

from jsorc_gitops.errors import SettingsError
from jsorc_gitops.model.settings import (
    CredentialsReference,
    JaseciSettings,
    Settings,
    format_settings,
    parse_origin,
    parse_settings,
)
from jsorc_gitops.model.yaml import format_yaml

EVERY_KEY = """\
enabled: false
quiet: false
interval: 2.5
namespace: jaseci
keep_alive: [promon, redis]
jaseci:
  url: http://jaseci.default.svc/api/
  credentials: {env: JASECI_CREDENTIALS}
"""

FULL = Settings(
    enabled=False,
    quiet=False,
    interval=2.5,
    namespace="jaseci",
    keep_alive=("promon", "redis"),
    jaseci=JaseciSettings(
        url="http://jaseci.default.svc/api",
        credentials=CredentialsReference(kind="env", name="JASECI_CREDENTIALS"),
    ),
)


def complaint(text: str, services: tuple[str, ...] | None = None) -> str:
    with pytest.raises(SettingsError) as caught:
        parse_settings(text, source="jsorc.yaml", services=services)
    return str(caught.value)


def jaseci(lines: str) -> str:
    return "jaseci:\n  " + lines.replace("\n", "\n  ") + "\n"


@pytest.mark.parametrize("text", ["", "# nothing said\n", "{}\n", "enabled: true\n", "jaseci:\n"])
def test_defaults(text: str) -> None:
    """What jsorc.yaml does not say has its default."""
    assert parse_settings(text, source="jsorc.yaml") == Settings(
        enabled=True, quiet=True, interval=10, namespace="default", keep_alive=None, jaseci=None
    )


def test_every_key() -> None:
    """Each key of jsorc.yaml arrives where it belongs."""
    assert parse_settings(EVERY_KEY, source="jsorc.yaml", services=("mail", "promon", "redis")) == FULL


def test_credentials_may_lie_in_a_file() -> None:
    """Credentials are named by a variable or by a file."""
    settings = parse_settings(jaseci("url: https://j\ncredentials: {file: /run/c.yaml}"), source="jsorc.yaml")

    assert settings.jaseci == JaseciSettings(
        url="https://j", credentials=CredentialsReference(kind="file", name="/run/c.yaml")
    )


@pytest.mark.parametrize(
    "settings",
    [
        Settings(),
        FULL,
        Settings(keep_alive=(), applier="flux"),
        Settings(keep_alive=("y", "null"), namespace="n", interval=0.1),
        Settings(
            jaseci=JaseciSettings(url="https://j:1", credentials=CredentialsReference(kind="file", name="~/1e3"))
        ),
        Settings(
            jaseci=JaseciSettings(
                selector="app=jaseci",
                port=80,
                namespace="shop",
                credentials=CredentialsReference(kind="env", name="X"),
            )
        ),
    ],
)
def test_settings_come_back_as_they_were(settings: Settings) -> None:
    """The record in the cluster says what jsorc.yaml said: writing and reading changes nothing."""
    assert parse_settings(format_yaml(format_settings(settings)), source="record") == settings


@pytest.mark.parametrize(
    ("keep_alive", "kept"), [(None, ["mail", "redis"]), ((), []), (("redis",), ["redis"]), (("task",), [])]
)
def test_keep_alive(keep_alive: tuple[str, ...] | None, kept: list[str]) -> None:
    """Without keep_alive every service is kept alive, with it those it names, none where it is empty."""
    settings = Settings(keep_alive=keep_alive)

    assert [name for name in ("mail", "redis") if settings.keeps_alive(name)] == kept


def test_an_environment_has_its_own_jaseci() -> None:
    """As a whole, credentials included; without one it has that of the others."""
    text = (
        "jaseci: {url: 'http://a', credentials: {env: A}}\n"
        "environments: {dev: {jaseci: {selector: app=j, port: 80, credentials: {env: B}}}, prod: {}}\n"
    )
    settings = parse_settings(text, source="jsorc.yaml")
    dev = JaseciSettings(selector="app=j", port=80, credentials=CredentialsReference(kind="env", name="B"))

    assert (settings.of_tree("dev").jaseci, settings.of_tree("prod").jaseci) == (dev, settings.jaseci)
    assert complaint("environments:\n  dev:\n    jaseci: {credentials: {env: B}}\n") == (
        "jsorc.yaml:3: environments.dev.jaseci.url: is missing; say url, or selector and port"
    )


def test_an_environment_has_an_applier_of_its_own() -> None:
    """Where it says none, it is the one of the repository; jsorc where that says none either."""
    text = "applier: flux\nenvironments: {dev: {applier: jsorc}, prod: {}}\n"
    settings = parse_settings(text, source="jsorc.yaml")

    assert [settings.of_tree(each).applier for each in ("dev", "prod")] == ["jsorc", "flux"]
    assert parse_settings("", source="jsorc.yaml").applier == "jsorc"


def test_keep_alive_names_services_that_are_defined() -> None:
    """A name without a definition is refused where it stands; a near one is named, or those that are there."""
    assert complaint("enabled: true\nkeep_alive:\n- redis\n- web\n", ("redis", "promon")) == (
        "jsorc.yaml:4: keep_alive[1]: no service 'web' under templates/ (there: promon, redis); take it out"
    )
    assert complaint("keep_alive: [promom]\n", ("redis", "promon")) == (
        "jsorc.yaml:1: keep_alive[0]: no service 'promom' under templates/; did you mean promon?"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("REDIS: cache", "namespaces.REDIS: no service 'REDIS' under templates/; did you mean redis?"),
        ("redis: Cache", "namespaces.redis: 'Cache' is no name of a namespace (lower-case letters, digits, '-')"),
    ],
)
def test_namespaces_of_services_are_spelled_as_kubernetes_spells_them(text: str, message: str) -> None:
    """W16: capitals are told, where JsOrc meant to turn them into small letters and did not."""
    assert complaint(f"namespaces: {{{text}}}\n", ("redis",)) == f"jsorc.yaml:1: {message}"


def test_keep_alive_without_any_definition() -> None:
    """Where nothing is defined the message says so."""
    assert complaint("keep_alive: [redis]\n", ()) == (
        "jsorc.yaml:1: keep_alive[0]: no service 'redis' under templates/ (there: none); take it out"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("enabled: 'true'", "1: enabled: must be true or false, not 'true'"),
        ("enabled: 1", "1: enabled: must be true or false, not 1"),
        ("quiet:", "1: quiet: must be true or false, not None"),
        ("\ninterval: fast", "2: interval: must be a number of seconds above zero, a year at most, not 'fast'"),
        ("interval: 0", "1: interval: must be a number of seconds above zero, a year at most, not 0"),
        ("interval: -1.5", "1: interval: must be a number of seconds above zero, a year at most, not -1.5"),
        ("interval: true", "1: interval: must be a number of seconds above zero, a year at most, not True"),
        ("interval: 1.0e+300", "1: interval: must be a number of seconds above zero, a year at most, not 1e+300"),
        ("namespace: 5", "1: namespace: must be a text, not 5"),
        ("namespace: ''", "1: namespace: must not be empty"),
        ("namespace: A/b", "1: namespace: 'A/b' is no name of a namespace (lower-case letters, digits, '-')"),
        ("applier: fluxcd", "1: applier: must be jsorc, flux or argocd, not 'fluxcd'"),
        (
            "environments: {dev: {applier: kapp}}",
            "1: environments.dev.applier: must be jsorc, flux or argocd, not",
        ),
        ("keep_alive: redis", "1: keep_alive: must be a list of texts, not 'redis'"),
        ("keep_alive:", "1: keep_alive: must be a list of texts, not None"),
        ("keep_alive: [5]", "1: keep_alive[0]: must be a text"),
        ("keep_alive: [a,\n a]", "2: keep_alive[1]: a is named twice"),
        ("quite: true", "1: quite: unknown key; did you mean quiet?"),
        (
            "port: 1",
            "1: port: unknown key; known keys: applier, cluster, enabled, environments, interval, jaseci",
        ),
        ("- enabled", "1: must be a mapping of keys to values"),
        ("enabled: true\n---\nquiet: true", "3: settings are one document, this begins a second"),
        ("jaseci: http://j", "1: jaseci: must be a mapping of keys to values"),
        (jaseci("uri: http://j"), "2: jaseci.uri: unknown key; did you mean url?"),
        (jaseci("credentials: {env: X}"), "1: jaseci.url: is missing; say url, or selector and port"),
        (jaseci("url: http://j"), "1: jaseci.credentials: is missing; say {env: VARIABLE} or {file: PATH}"),
        (jaseci("url: http://j\ncredentials: {env: ''}"), "3: jaseci.credentials.env: must not be empty"),
        (
            jaseci("url: http://j\ncredentials: {token: x}"),
            "3: jaseci.credentials.token: unknown key; known keys: env, file",
        ),
        (
            jaseci("url: http://j\ncredentials: {env: X, file: Y}"),
            "3: jaseci.credentials: must be exactly one of {env: VARIABLE} and {file: PATH}",
        ),
        *(
            (jaseci(f"credentials: {{env: X}}\n{text}"), message)
            for text, message in (
                (
                    "url: http://j\nport: 80",
                    "4: jaseci.port: belongs to a selector of pods; a url says it itself",
                ),
                ("selector: a=b\nport: 80\nurl: http://j", "5: jaseci.url: is one of two; say either url, or"),
                ("selector: a=b", "1: jaseci.port: is missing; it must be a port, 1 to 65535"),
                ("selector: a=b\nport: 65536", "4: jaseci.port: must be a port, 1 to 65535, not 65536"),
                ("selector: a=b\nport: true", "4: jaseci.port: must be a port, 1 to 65535, not True"),
                ("selector: a=b\nport: 80\nnamespace: A", "5: jaseci.namespace: 'A' is no name of a namespace"),
                ("selector: a b\nport: 80", "3: jaseci.selector: 'a b' is no selector of labels"),
                ("selector: a=b&limit=1\nport: 80", "3: jaseci.selector: 'a=b&limit=1' is no selector"),
            )
        ),
        (
            jaseci("url: http://me:secret@j\ncredentials: {env: X}"),
            "2: jaseci.url: credentials do not belong into a URL; use jaseci.credentials",
        ),
    ],
)
def test_wrong_settings_are_refused(text: str, message: str) -> None:
    """What cannot be followed is refused with the file, the line, the key and what it must be."""
    assert complaint(text).startswith(f"jsorc.yaml:{message}")


@pytest.mark.parametrize(
    "url",
    [
        "jaseci",
        "ftp://jaseci:21",
        "http://",
        "http://:80",
        "http://j:port",
        "http://j?a=b",
        "http://j#a",
        "//j",
        "pods://n/a=b:1",
    ],
)
def test_a_url_is_a_web_address(url: str) -> None:
    """Jaseci speaks HTTP, so its URL is http:// or https:// with a host, and no more than a path."""
    text = jaseci(f"url: '{url}'\ncredentials: {{env: X}}")

    assert re.search(r"^jsorc.yaml:2: jaseci.url: '.*' is no http:// or https:// URL$", complaint(text))


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("HTTP://Host:80/x", "http://host:80"),
        ("https://host", "https://host:443"),
        ("http://host:8443/", "http://host:8443"),
        ("http://host:0", "http://host:0"),
        ("ftp://host:21", None),
        ("http://host:99999", None),
        ("host", None),
    ],
)
def test_origins_are_compared_in_one_spelling(url: str, origin: str | None) -> None:
    """An origin is scheme, host and port, whatever of them the URL leaves out or spells in capitals."""
    assert parse_origin(url) == origin
